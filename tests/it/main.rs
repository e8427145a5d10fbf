//! Tests of tickwire through its public surface, in one binary.

mod closing;
mod limits;
mod properties;
mod splits;
mod strict;
mod usage;
