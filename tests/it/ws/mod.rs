//! The WebSocket protocol (RFC 6455): sessions without sockets, except in `handshakes`, which compares
//! all drivers. A test belongs here if it is about frames, messages or handshakes, and not about
//! channels.

mod closing;
mod deadlines;
#[cfg(feature = "rivals")]
mod differential;
mod handover;
mod handshakes;
mod limits;
mod masking;
mod messages;
mod pair;
mod properties;
mod splits;
mod statistics;
mod strictness;
mod texts;
mod usage;
