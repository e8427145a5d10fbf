//! The body of a Close frame (RFC 6455 section 5.5.1): empty, or a code and a reason.

use core::str;

use super::{CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX};
use crate::error::{CloseCode, SendError, Violation};

/// The close code and reason of a received Close frame (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseReason<'a> {
    /// The close code.
    pub code: CloseCode,
    /// The reason in UTF-8, at most 123 bytes, often empty. For logs: programs decide by the code.
    pub reason: &'a str,
}

/// Parses the body of a Close frame. `None` if it is empty.
pub(crate) fn parse(body: &[u8]) -> Result<Option<CloseReason<'_>>, Violation> {
    let Some((code, reason)) = body.split_first_chunk::<2>() else {
        return if body.is_empty() {
            Ok(None)
        } else {
            Err(Violation::CloseBodyOfOneByte)
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_sendable() {
        return Err(Violation::InvalidCloseCode(code.0));
    }
    let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
    Ok(Some(CloseReason { code, reason }))
}

/// An encoded Close body: `bytes[..len]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Body {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

impl Body {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; CONTROL_BYTES_MAX],
        len: 0,
    };

    pub(crate) fn new(code: CloseCode, reason: &str) -> Result<Self, SendError> {
        if !code.is_sendable() {
            return Err(SendError::InvalidCloseCode(code.0));
        }
        if reason.len() > CLOSE_REASON_BYTES_MAX {
            let max = CLOSE_REASON_BYTES_MAX;
            return Err(SendError::ControlTooLong {
                len: reason.len(),
                max,
            });
        }
        let mut body = Self::EMPTY;
        body.bytes[..2].copy_from_slice(&code.0.to_be_bytes());
        body.bytes[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
        body.len = 2 + reason.len() as u8; // at most 125, checked above
        Ok(body)
    }

    pub(crate) fn code(&self) -> Option<CloseCode> {
        let (code, _) = self.as_slice().split_first_chunk::<2>()?;
        Some(CloseCode(u16::from_be_bytes(*code)))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}
