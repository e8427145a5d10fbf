//! Channels on a reactor: an adapter between `ChannelSession` and any reactor's `Handler`.
//!
//! ```text
//! reactor ── Handler ── Multiplexed ── ChannelHandler ── the application
//!                           │  one ChannelSession per connection, in a table by ConnId
//!                           └─ what they have to send goes into the connections' outboxes
//! ```

mod cx;
mod dispatch;
mod handler;
mod multiplexed;
mod table;
#[cfg(test)]
mod tests;

pub use cx::{ChannelCx, ChannelHub, TimerError};
pub use handler::{Accepted, Answer, ChannelHandler, Rejection};
pub use multiplexed::{Multiplexed, MultiplexedConn, TIMER_TOKEN};

use super::error::Error;
use super::remote::Outgoing;
use crate::handshake::HandshakeError;
use crate::session::channels::{SUBPROTOCOL, StartError};

/// Why a connection of our own cannot carry channels: that the sub-protocol was not agreed on is
/// what the server answered, and not a wrong call.
pub(in crate::driver) fn not_started(error: StartError) -> Error {
    match error {
        StartError::NotAgreed(agreed) => HandshakeError::SubprotocolNotAgreed {
            needed: SUBPROTOCOL,
            agreed,
        }
        .into(),
        error => error.into(),
    }
}

impl Outgoing {
    /// Offers [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL), which a connection needs that
    /// carries channels.
    #[must_use]
    pub fn channels(mut self) -> Self {
        if !self.options.offers(SUBPROTOCOL)
            && let Ok(options) = self.options.clone().subprotocol(SUBPROTOCOL)
        {
            self.options = options;
        }
        self
    }
}
