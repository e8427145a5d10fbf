//! Tests of tickwire through its public surface, in one binary.

mod architecture;
mod channels_reactor;
mod channels_reactor_flow;
mod channels_reactor_kit;
mod closing;
mod deadlines;
mod handover;
mod limits;
mod mio_group;
mod pair;
mod properties;
mod reactor_descriptors;
mod reactor_echo;
mod reactor_end;
mod reactor_flow;
mod reactor_handover;
mod reactor_kit;
mod reactor_lost;
mod reactor_open;
mod reactor_peer;
mod reactor_remote;
mod seeds;
mod splits;
mod strict;
mod usage;
