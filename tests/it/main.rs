//! Tests of tickwire through its public surface, in one binary.

mod architecture;
mod closing;
mod deadlines;
mod handover;
mod limits;
mod pair;
mod properties;
mod reactor_kit;
mod reactor_lost;
mod seeds;
mod splits;
mod strict;
mod usage;
