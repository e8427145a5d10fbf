//! Whether a WebSocket can carry channels: decided once, before anything is sent.

use alloc::string::String;
use core::fmt;

use crate::config::{self, ConfigError, Delivery, require, require_beside};
use crate::conn::Outbox;
use crate::error::CloseCode;
use crate::mux::{ChannelConfig, SUBPROTOCOL};

/// Bytes that `send_queue_bytes_max` of a WebSocket must have room for: 512 KiB.
///
/// A peer may announce records of up to 1 MiB, and fragments must have a quarter of that size or
/// more, so the largest record that must be sent has little more than 256 KiB. With
/// [`OUTBOX_FILL_BYTES_MAX`](super::OUTBOX_FILL_BYTES_MAX) bytes queued before it, it fits.
pub const SEND_QUEUE_BYTES_MIN: usize = 512 << 10;

// What the doc says.
const _: () =
    assert!((1 << 20) / 4 + super::OUTBOX_FILL_BYTES_MAX + (64 << 10) <= SEND_QUEUE_BYTES_MIN);

/// Why a WebSocket cannot carry channels. The peer is told by the Close that
/// [`ChannelSession::start`](super::ChannelSession::start) has queued.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The opening handshake did not agree on [`SUBPROTOCOL`], but on this or on none: offer it, and
    /// choose it where it is offered. The peer gets 1002.
    NotAgreed(Option<String>),
    /// Limits of the WebSocket are below what channels need; the error says which, and what they
    /// must be. The peer gets 1011.
    Config(ConfigError),
}

impl StartError {
    /// The code of the Close that tells the peer: 1002, or 1011.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::NotAgreed(_) => CloseCode::PROTOCOL,
            Self::Config(_) => CloseCode::INTERNAL,
        }
    }

    /// The reason of the Close. It shows nothing of this end's limits.
    const fn reason(&self) -> &'static str {
        match self {
            Self::NotAgreed(_) => "the sub-protocol tickwire.mux.v1 is needed",
            Self::Config(_) => "this end is not set up for channels",
        }
    }

    /// Tells the peer.
    pub(super) fn close(&self, outbox: &mut Outbox) {
        // Both codes may be sent, and both reasons are short.
        let _ = outbox.close(self.close_code(), self.reason());
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAgreed(agreed) => {
                let agreed = agreed.as_deref().unwrap_or("none");
                write!(
                    f,
                    "the opening handshake did not agree on the sub-protocol {SUBPROTOCOL}, which channels need, but on {agreed}: the client must offer it, and the server choose it"
                )
            }
            Self::Config(error) => error.fmt(f),
        }
    }
}

/// Without a source: the text contains the cause.
impl core::error::Error for StartError {}

/// Whether the limits of a WebSocket, `below`, have room for what channels with `config` send
/// and receive through it.
pub(super) fn check(config: &ChannelConfig, below: &config::Config) -> Result<(), ConfigError> {
    require(
        below.delivery == Delivery::Whole,
        "Config::delivery",
        "Parts",
        "Whole on a connection with channels",
    )?;
    let record = u64::from(config.record_bytes_max);
    for (field, max) in [
        ("Config::message_bytes_max", below.message_bytes_max),
        ("Config::frame_bytes_max", below.frame_bytes_max),
    ] {
        require_beside(
            max >= record,
            field,
            max,
            "large enough for the records of channels: at least ChannelConfig::record_bytes_max",
            record,
        )?;
    }
    require(
        below.send_queue_bytes_max >= SEND_QUEUE_BYTES_MIN,
        "Config::send_queue_bytes_max",
        below.send_queue_bytes_max,
        "524,288 or more on a connection with channels",
    )
}
