//! What is public of channels below the drivers: the protocol, and where it meets the WebSocket.

pub use super::channel_session::{
    AHEAD_BYTES_MAX, ChannelEndpoint, ChannelSession, Channels, SEND_QUEUE_BYTES_MIN, StartError,
};
pub use crate::mux::*;
