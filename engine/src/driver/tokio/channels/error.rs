use std::fmt;

use bytes::Bytes;

use crate::session::channels::{ChannelFailure, ErrorCode};

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
        /// More about the reason, as bytes of the peer's application; often empty.
        metadata: Bytes,
    },
    /// The peer reset its send half: the messages received are incomplete.
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
                code, unprocessed, ..
            } => {
                write!(f, "the peer rejected the channel with {code}")?;
                if *unprocessed {
                    f.write_str(" and never looked at it: open it on another connection")?;
                }
                Ok(())
            }
            Self::Aborted(code) => write!(f, "the peer gave up sending on the channel with {code}: what was received before is incomplete"),
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

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
