use std::fmt;
use std::string::String;

use bytes::Bytes;

use crate::session::channels::{ChannelFailure, ErrorCode};
use crate::shown::shown;

/// Why a channel delivers no more messages, or was not opened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer rejected the channel.
    Rejected {
        /// The peer's reason.
        code: ErrorCode,
        /// The peer did not process the channel's opening: it is safe to open the channel on
        /// another connection.
        unprocessed: bool,
        /// More about the reason, as bytes of the peer's application; often empty. The text of the
        /// error contains the first 512 bytes, escaped, if they are text.
        metadata: Bytes,
    },
    /// The peer reset its send half: the messages received are incomplete. With
    /// [`ErrorCode::NO_ERROR`] it usually is a [`Sender`](super::Sender) that was dropped without
    /// [`finish`](super::Sender::finish).
    Aborted(ErrorCode),
    /// This end stopped receiving because the peer did not finish a message in time
    /// ([`ErrorCode::TIMEOUT`]). Messages that waited for the reader are dropped.
    Evicted(ErrorCode),
    /// This end has stopped receiving, or the channel's direction has no receive half at this end.
    NotReceiving,
    /// The connection has ended.
    Failed(ChannelFailure),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected {
                code,
                unprocessed,
                metadata,
            } => {
                write!(f, "the peer rejected the channel with {code}")?;
                if let Some(text) = shown_text(metadata) {
                    write!(f, ": {text}")?;
                }
                if *unprocessed {
                    f.write_str(" and never looked at it: open it on another connection")?;
                }
                Ok(())
            }
            Self::Aborted(code) => write!(f, "the peer gave up sending on the channel with {code}: {}what was received before is incomplete", if *code == ErrorCode::NO_ERROR { "a sender was dropped without finish, or its program ended; " } else { "" }),
            Self::Evicted(code) => {
                write!(f, "the peer did not finish a message within ChannelConfig::partial_timeout, and the channel was stopped with {code}")
            }
            Self::NotReceiving => f.write_str(
                "this end stopped receiving on the channel, or the channel's direction has no receive half at this end",
            ),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl ChannelError {
    /// Whether a channel opened later can succeed, on another connection if this one has ended; the
    /// table of [`Error::is_transient`](crate::Error::is_transient) says when.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rejected {
                code, unprocessed, ..
            } => *unprocessed || code.is_transient(),
            Self::Aborted(code) | Self::Evicted(code) => code.is_transient(),
            Self::NotReceiving => false,
            Self::Failed(failure) => failure.is_transient(),
        }
    }
}

/// Metadata as text, if it is UTF-8 without control characters: codecs also put binary refusals
/// here.
fn shown_text(metadata: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(metadata).ok()?;
    let is_text =
        !text.trim().is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    is_text.then(|| shown(text.as_bytes()))
}

/// Without a source: the text contains the cause.
impl std::error::Error for ChannelError {}
