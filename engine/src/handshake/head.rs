//! The head of a request or response: its end, and its header fields in one allocation.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::error::HandshakeError;
use super::syntax::{elements, find};
use crate::config::{ConfigError, require};

/// Limits for the head that the peer sends.
///
/// ```
/// use tickwire::handshake::HeadLimits;
///
/// let limits = HeadLimits::default().head_bytes_max(4096);
/// assert_eq!(limits.headers_max, 64);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadLimits {
    /// Largest size of the head in bytes, with its empty line. Default 16 KiB: twice the 8,000
    /// bytes that RFC 9112 section 3 recommends for the request line alone. Values above
    /// [`Self::HEAD_BYTES_CAP`] count as the cap.
    pub head_bytes_max: usize,
    /// Largest number of header fields. Default 64: browsers send about 20. Values above
    /// [`Self::HEADERS_CAP`] count as the cap.
    pub headers_max: usize,
}

impl HeadLimits {
    /// Upper bound of `head_bytes_max`, 1 MiB: an unknown peer can make an endpoint hold this much.
    pub const HEAD_BYTES_CAP: usize = 1 << 20;

    /// Lower bound of `head_bytes_max`: the length of the shortest request that opens a WebSocket
    /// (RFC 6455 section 4.2.1).
    pub const HEAD_BYTES_MIN: usize = SHORTEST_REQUEST.len();

    /// Lower bound of `headers_max`: the header fields of the shortest request.
    pub const HEADERS_MIN: usize = 5;

    /// Upper bound of `headers_max`: the table of the parser takes 4 KiB of stack.
    pub const HEADERS_CAP: usize = 128;

    /// Checks the values.
    ///
    /// # Errors
    /// [`ConfigError`] for a limit below [`Self::HEAD_BYTES_MIN`] or [`Self::HEADERS_MIN`], which no
    /// request keeps to.
    pub fn check(&self) -> Result<(), ConfigError> {
        require(
            self.head_bytes_max >= Self::HEAD_BYTES_MIN,
            "HeadLimits::head_bytes_max",
            self.head_bytes_max,
            "135 or more; more than 1048576 counts as 1048576",
        )?;
        require(
            self.headers_max >= Self::HEADERS_MIN,
            "HeadLimits::headers_max",
            self.headers_max,
            "5 or more; more than 128 counts as 128",
        )
    }

    pub(super) fn head_bytes(&self) -> usize {
        self.head_bytes_max.min(Self::HEAD_BYTES_CAP)
    }

    fn headers(&self) -> usize {
        self.headers_max.min(Self::HEADERS_CAP)
    }
}

/// The key is the base64 of 16 bytes.
const SHORTEST_REQUEST: &str = "GET / HTTP/1.1\r\nHost:h\r\nUpgrade:websocket\r\n\
    Connection:upgrade\r\nSec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA==\r\n\
    Sec-WebSocket-Version:13\r\n\r\n";

setters!(HeadLimits {
    head_bytes_max: usize,
    headers_max: usize,
});

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            headers_max: 64,
        }
    }
}

/// Finds the end of a head in a growing buffer, and inspects every byte once.
///
/// `line_start <= scanned <= bytes.len()`, as of the last call.
#[derive(Clone, Default, Debug)]
pub(super) struct HeadScan {
    /// Start of the line that is incomplete.
    line_start: usize,
    /// Number of bytes that are scanned for line ends.
    scanned: usize,
    /// A header field was found: white space at the start of the next line continues it.
    in_fields: bool,
    /// A header value may continue on the next line: obsolete line folding.
    folds: bool,
}

impl HeadScan {
    /// A scan of a response head, in which header values may be folded (RFC 9112 section 5.2).
    pub(super) fn for_response() -> Self {
        Self {
            folds: true,
            ..Self::default()
        }
    }

    /// Whether the first line is still incomplete.
    pub(super) fn is_at_first_line(&self) -> bool {
        self.line_start == 0
    }

    /// The size of the head with its empty line. `None` while it is incomplete.
    ///
    /// `bytes` is the same buffer in every call, with new bytes appended; a shorter one restarts
    /// the scan. After an error, the next call returns it again.
    pub(super) fn end(
        &mut self,
        bytes: &[u8],
        max: usize,
    ) -> Result<Option<usize>, HandshakeError> {
        let window = &bytes[..bytes.len().min(max)];
        if window.len() < self.scanned {
            let folds = self.folds;
            *self = Self {
                folds,
                ..Self::default()
            };
        }
        while let Some(at) = find(&window[self.scanned..], b'\n') {
            let lf = self.scanned + at;
            let line = window[self.line_start..lf]
                .strip_suffix(b"\r")
                .ok_or(HandshakeError::BareLf)?;
            match line.first() {
                None => return Ok(Some(lf + 1)),
                Some(b' ' | b'\t') if self.line_start > 0 => {
                    if !(self.folds && self.in_fields) {
                        return Err(HandshakeError::ObsoleteFolding);
                    }
                }
                Some(_) => self.in_fields = self.line_start > 0,
            }
            self.line_start = lf + 1;
            self.scanned = lf + 1;
        }
        self.scanned = window.len();
        if bytes.len() >= max {
            return Err(HandshakeError::HeadTooLarge { max });
        }
        Ok(None)
    }
}

/// The head with its folded header values unfolded: line ends in them are replaced by spaces (RFC
/// 9112 section 5.2). `None` if no value is folded.
pub(super) fn unfolded(head: &[u8]) -> Option<Vec<u8>> {
    let is_fold = |at: &[u8]| matches!(at, [b'\r', b'\n', b' ' | b'\t']);
    if !head.windows(3).any(is_fold) {
        return None;
    }
    let mut unfolded = head.to_vec();
    for (at, window) in head.windows(3).enumerate() {
        if is_fold(window) {
            unfolded[at..at + 2].fill(b' ');
        }
    }
    Some(unfolded)
}

/// The first line of a complete head, and the offset of its header fields.
pub(super) fn first_line(head: &[u8]) -> (&[u8], usize) {
    let lf = find(head, b'\n').unwrap_or(head.len());
    let line = &head[..lf];
    (line.strip_suffix(b"\r").unwrap_or(line), lf + 1)
}

/// A range of bytes of the head. 32 bits suffice: see [`HeadLimits::HEAD_BYTES_CAP`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    at: u32,
    len: u32,
}

const _: () = assert!(HeadLimits::HEAD_BYTES_CAP * 2 < u32::MAX as usize);

impl Span {
    /// The range of `part` in `whole`, of which it is a slice.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let at = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self::new(at, part.len())
    }

    pub(super) fn start(self) -> usize {
        self.at as usize
    }

    pub(super) fn new(at: usize, len: usize) -> Self {
        Self {
            at: u32::try_from(at).unwrap_or(u32::MAX),
            len: u32::try_from(len).unwrap_or(0),
        }
    }
}

/// A header field. The name is a token, so it is ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field {
    name: Span,
    value: Span,
}

/// A parsed head: one allocation for the bytes and one for the table of fields. Lookup is a linear
/// search, which is faster than a map for the few dozen fields of a head.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head {
    bytes: Box<[u8]>,
    fields: Box<[Field]>,
}

impl Head {
    /// `head` ends with its empty line, as [`HeadScan`] has found, and its header fields start at
    /// offset `start`. `tail` is appended to the stored bytes: text that was normalized.
    pub(super) fn parse(
        head: &[u8],
        start: usize,
        tail: &[u8],
        limits: &HeadLimits,
    ) -> Result<Self, HandshakeError> {
        let max = limits.headers();
        let mut table = [httparse::EMPTY_HEADER; HeadLimits::HEADERS_CAP];
        let lines = head.get(start..).unwrap_or_default();
        let parsed = match httparse::parse_headers(lines, &mut table[..max]) {
            Ok(httparse::Status::Complete((_, parsed))) => parsed,
            // The empty line is present, so only an invalid line makes the parser need more bytes.
            Ok(httparse::Status::Partial) => return Err(HandshakeError::HeaderName),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(HandshakeError::TooManyHeaders { max });
            }
            Err(httparse::Error::HeaderValue) => return Err(HandshakeError::HeaderValue),
            Err(_) => return Err(HandshakeError::HeaderName),
        };
        let fields = parsed
            .iter()
            .map(|h| Field {
                name: Span::of(h.name.as_bytes(), head),
                value: Span::of(h.value, head),
            })
            .collect();
        let mut bytes = Vec::with_capacity(head.len() + tail.len());
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(tail);
        Ok(Self {
            bytes: bytes.into_boxed_slice(),
            fields,
        })
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let at = span.at as usize;
        self.bytes
            .get(at..at + span.len as usize)
            .unwrap_or_default()
    }

    /// The range of `part`, which is a slice of this head.
    pub(super) fn span_of(&self, part: &[u8]) -> Span {
        Span::of(part, &self.bytes)
    }

    /// The text of a range that was checked to be ASCII.
    pub(super) fn text(&self, span: Span) -> &str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    pub(super) fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|f| (self.text(f.name), self.bytes(f.value)))
    }

    /// The values of all fields with this name in order. Names are case-insensitive.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the only field with this name. A second one is an error.
    pub(super) fn unique(&self, name: &'static str) -> Result<Option<&[u8]>, HandshakeError> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(HandshakeError::DuplicateHeader(name)),
            None => Ok(first),
        }
    }

    /// The list elements of all fields with this name, in order (RFC 9110 section 5.6.1).
    pub(super) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(elements)
    }

    /// Whether the list in this field contains `token`, compared case-insensitively.
    pub(super) fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name)
            .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::super::{Accept, HandshakeError, ServerHandshake};
    use super::*;

    /// The bounds are exact: the shortest request passes at them, and the text names them.
    #[test]
    fn the_least_limits_accept_the_shortest_request() {
        let least = HeadLimits::default()
            .head_bytes_max(HeadLimits::HEAD_BYTES_MIN)
            .headers_max(HeadLimits::HEADERS_MIN);
        assert_eq!(least.check(), Ok(()));
        let parse = |limits| {
            let mut handshake = ServerHandshake::new(limits);
            let request = handshake.parse(SHORTEST_REQUEST.as_bytes())?;
            let (request, _) = request.expect("a whole request");
            request.accept(&Accept::new()).map(drop)
        };
        assert_eq!(parse(least), Ok(()));
        for (below, bounds) in [
            (
                least.head_bytes_max(HeadLimits::HEAD_BYTES_MIN - 1),
                [HeadLimits::HEAD_BYTES_MIN, HeadLimits::HEAD_BYTES_CAP],
            ),
            (
                least.headers_max(HeadLimits::HEADERS_MIN - 1),
                [HeadLimits::HEADERS_MIN, HeadLimits::HEADERS_CAP],
            ),
        ] {
            let text = below.check().expect_err("too small").to_string();
            assert!(
                bounds.iter().all(|b| text.contains(&b.to_string())),
                "{text}"
            );
            assert!(matches!(
                parse(below),
                Err(HandshakeError::HeadTooLarge { .. } | HandshakeError::TooManyHeaders { .. })
            ));
        }
    }
}
