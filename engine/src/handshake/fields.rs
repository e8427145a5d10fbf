//! Header fields that the application adds to a request or response.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::{HandshakeError, HandshakeUsage};
use super::syntax::{is_plain_value, is_token};

/// The head that a field is added to. Each kind of head reserves some names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadOf {
    Request,
    Accept,
    Refusal,
}

impl HeadOf {
    fn reserves(self, name: &str) -> bool {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        let websocket = name
            .get(..14)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("sec-websocket-"));
        // These fields delimit the content, or are connection-specific (RFC 9110 section 7.6.1) and
        // would have to be listed in Connection: the handshake writes them in every head.
        is(&["connection", "content-length", "transfer-encoding"])
            || is(&["keep-alive", "proxy-connection", "te", "trailer"])
            || match self {
                // A request without content must not have Expect (RFC 9110 section 10.1.1).
                Self::Request => websocket || is(&["host", "upgrade", "origin", "expect"]),
                Self::Accept => websocket || is(&["upgrade"]),
                Self::Refusal => false,
            }
    }
}

/// Header fields that were checked when they were added: no value can end its line early.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn add(
        &mut self,
        head: HeadOf,
        name: String,
        value: String,
    ) -> Result<(), HandshakeError> {
        if !is_token(name.as_bytes()) {
            return Err(HandshakeUsage::HeaderName(name).into());
        }
        if head.reserves(&name) {
            return Err(HandshakeUsage::ReservedHeader(name).into());
        }
        if !is_plain_value(value.as_bytes()) {
            return Err(HandshakeUsage::HeaderValue(name).into());
        }
        self.0.push((name, value));
        Ok(())
    }

    /// Sets a field of the handshake itself, and removes all others with its name. The value is a
    /// constant, a number or a date.
    pub(super) fn set_own(&mut self, name: &str, value: String) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.0.push((name.into(), value));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    pub(super) fn write(&self, head: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            write_line(head, name, value.as_bytes());
        }
    }
}

/// Prints the names only: values can hold credentials.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(n, _)| n)).finish()
    }
}

pub(super) fn write_line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
