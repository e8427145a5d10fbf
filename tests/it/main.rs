//! Tests of tickwire through its public surface, in one binary.

mod architecture;
mod closing;
mod deadlines;
mod handover;
mod limits;
mod pair;
mod properties;
mod splits;
mod strict;
mod usage;
