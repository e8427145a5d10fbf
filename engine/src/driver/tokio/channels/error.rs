use std::fmt;

use bytes::Bytes;

use crate::session::channels::{ChannelFailure, ErrorCode};

/// Why nothing more is received on a channel, or why it was not opened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer did not take the channel.
    Rejected {
        /// Why.
        code: ErrorCode,
        /// The peer never looked at it: it is safe to open it on another connection.
        unprocessed: bool,
        /// Why, in bytes of the peer's application; often none.
        metadata: Bytes,
    },
    /// The peer gave up sending: what came before is incomplete.
    Aborted(ErrorCode),
    /// We took no more, because a message was not finished in time ([`ErrorCode::TIMEOUT`]). What waited
    /// to be read is gone.
    Evicted(ErrorCode),
    /// This half was stopped here, or the channel's direction leaves it out.
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
                "this end stopped its receiving half of the channel, or the channel's direction leaves it out",
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
