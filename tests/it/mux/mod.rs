//! The protocol of channels, `tickwire.mux.v1`, without any socket: the core `Mux` alone, against a
//! scripted peer, or against another core. A test belongs here if no driver takes part; each file
//! holds one subject of the protocol.
//!
//! Helpers: `scripted_peer` (a peer made of bytes), `simulation` (two simulated ends), `small_queues`
//! (channels of ours with small queues).

mod acknowledgements;
mod aliases;
mod budget;
mod claims;
mod conflation;
mod credit;
mod delivery;
mod ending;
mod floods;
mod fragments;
mod goaway;
mod hello;
mod histories;
mod limits;
mod model;
mod numbering;
mod opening;
mod pings;
mod progress;
mod queues;
mod records;
mod resumption;
mod runs;
mod scheduling;
mod scripted_peer;
mod shared_frames;
mod simulation;
mod slow_readers;
mod small_queues;
mod statistics;
mod time_to_live;
mod windows;
mod wire;
mod withdrawing;
mod writable;
