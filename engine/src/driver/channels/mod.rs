//! Channels on a reactor: an adapter from the `Handler` of a reactor to `ChannelSession`.
//!
//! ```text
//! reactor ── Handler ── Multiplexed ── ChannelHandler ── the application
//!                           │  one ChannelSession per connection, in a table by ConnId
//!                           └─ output of the sessions goes into the outboxes of the connections
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

/// Converts the error of an outgoing connection. If the sub-protocol was not agreed on, the cause is
/// the server's answer, so this is a handshake error and not a usage error.
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
    /// Offers [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL), which a connection needs to carry
    /// channels. Needed for a reactor whose handler is a
    /// [`Multiplexed`](crate::channels::Multiplexed).
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
