//! What is public of channels below the drivers: the protocol, and where it meets the WebSocket.

pub use super::channel_session::{
    ChannelEndpoint, ChannelSession, Channels, OUTBOX_FILL_BYTES_MAX, SEND_QUEUE_BYTES_MIN,
    StartError,
};
pub use crate::mux::*;
