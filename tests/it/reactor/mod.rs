//! The reactor on mio and on tokio, over real sockets. A test belongs here if a handler takes part;
//! it runs once on each reactor.
//!
//! Helpers: `fixture` (a server under test), `channels_fixture` (the same with channels), `raw_peer`
//! (the other end, without this library).

mod admitted;
mod answers;
mod backpressure;
mod channels;
mod channels_backpressure;
mod channels_calls;
pub(crate) mod channels_fixture;
mod configs;
mod descriptors;
mod echo;
mod ending;
pub(crate) mod fixture;
mod groups;
mod handover;
mod opening;
pub(crate) mod raw_peer;
mod refusals;
mod remote;
mod unix;
mod wakeups;
