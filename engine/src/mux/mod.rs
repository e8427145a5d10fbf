//! `tickwire.mux.v1`: many flow-controlled channels on one connection. `docs/protocol.md` specifies
//! it; rules in comments (R20) are its rules.
//!
//! Sans-IO: records (whole messages of the layer below) and commands go in, [`Event`]s and records
//! come out. The module knows no sockets, no clock and no WebSocket.
//!
//! ```text
//! record in ── Frames ── alias table ── Channel ── Event (lent) ── the application
//!                             │   credit charged before dispatch
//! record out ── control queue ─┴─ classes 0..7 (DRR) ── send queues ── the application
//! ```

mod channel;
mod config;
mod connection;
mod credit;
mod error;
mod event;
mod introspect;
mod open;
mod queue;
mod schedule;
mod slots;
mod wire;

pub use channel::ChannelId;
pub use config::ChannelConfig;
pub use connection::{ChannelClaim, Mux, Record, RecordReader, SHARED_BYTES_MIN};
pub use credit::Charge;
pub use error::{
    ChannelFailure, ChannelSendError, ChannelViolation, DrainEnd, ErrorCode, OpenError,
};
pub use event::{Data, Event, Opening, Received, Resumption, Run};
pub use introspect::{ChannelStats, HalfState, MuxStats};
pub use open::{AcceptOptions, Mode, OpenOptions, Resume, Unit};
pub use queue::SharedFrame;
pub use wire::{Direction, WireError};

/// The sub-protocol's name in the opening handshake.
pub const SUBPROTOCOL: &str = "tickwire.mux.v1";
