//! Channels on a reactor: an adapter between the core of channels and any reactor's `Handler`.
//!
//! ```text
//! reactor ── Handler ── Multiplexed ── ChannelHandler ── the application
//!                           │  one core per connection, in a table by ConnId
//!                           └─ what they have to send goes into the connections' outboxes
//! ```

mod connection;
mod cx;
mod handler;
mod multiplexed;
mod settling;
mod table;
#[cfg(test)]
mod tests;

pub use connection::Channels;
pub use cx::{ChannelCx, ChannelHub, TimerError};
pub use handler::{Accepted, Answer, ChannelHandler, Rejection};
pub use multiplexed::{Multiplexed, Seat, TIMER_TOKEN};

use super::remote::Outgoing;
use crate::session::channels::SUBPROTOCOL;

impl Outgoing {
    /// Offers [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL), which a connection needs that
    /// carries channels.
    #[must_use]
    pub fn channels(mut self) -> Self {
        // Refused only where it is offered already.
        if let Ok(options) = self.options.clone().subprotocol(SUBPROTOCOL) {
            self.options = options;
        }
        self
    }
}
