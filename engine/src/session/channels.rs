//! The public items of channels below the drivers: the protocol, and the session that carries it
//! over a WebSocket.

pub use super::channel_session::{
    ChannelEndpoint, ChannelSession, Channels, OUTBOX_FILL_BYTES_MAX, SEND_QUEUE_BYTES_MIN,
    StartError,
};
pub use crate::mux::*;
