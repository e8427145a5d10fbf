//! One endpoint of RFC 6455 between frames and messages: fragmentation, control frames, close
//! handshake, keep-alive. Sans-I/O: no socket, no clock, no randomness of its own.

mod ahead;
mod batch;
mod claim;
mod control;
mod draining;
mod inbox;
mod keepalive;
mod keys;
mod message;
mod outbox;
mod prepared;
mod replies;
mod text;
mod texts;
mod transmit;

#[cfg(test)]
mod tests;

pub use batch::Batch;
pub use claim::Claim;
pub(crate) use inbox::Inbox;
pub(crate) use keepalive::{Due, Keepalive, OutputStatus};
pub(crate) use keys::MaskKeys;
pub use message::{Kind, Message, OwnedMessage, Part};
pub use outbox::Outbox;
pub use prepared::PreparedMessage;
pub(crate) use replies::CloseCause;
pub use text::Utf8Bytes;
pub use transmit::Transmit;

pub use crate::frame::{CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX};
