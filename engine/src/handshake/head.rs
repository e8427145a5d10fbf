//! A head as received: where it ends, and its header fields, owned in one piece.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::error::HandshakeError;
use super::syntax::{elements, find};

/// How large a head the peer may send.
///
/// ```
/// use tickwire::handshake::HeadLimits;
///
/// let limits = HeadLimits { head_bytes_max: 4096, ..HeadLimits::default() };
/// assert_eq!(limits.headers_max, 64);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadLimits {
    /// Bytes from the first one to the empty line, both included. 16 KiB unless told: twice the
    /// 8,000 bytes that RFC 9112 section 3 asks for in the request line alone. Values above
    /// [`Self::HEAD_BYTES_CAP`] count as the cap.
    pub head_bytes_max: usize,
    /// Header lines. 64 unless told: browsers send about 20. Values above [`Self::HEADERS_CAP`]
    /// count as the cap.
    pub headers_max: usize,
}

impl HeadLimits {
    /// The most that `head_bytes_max` can ask for, 1 MiB: a peer not yet known can make us hold
    /// that much.
    pub const HEAD_BYTES_CAP: usize = 1 << 20;

    /// The most that `headers_max` can ask for: the table of a parse lives on the stack, 4 KiB.
    pub const HEADERS_CAP: usize = 128;

    pub(super) fn head_bytes(&self) -> usize {
        self.head_bytes_max.min(Self::HEAD_BYTES_CAP)
    }

    fn headers(&self) -> usize {
        self.headers_max.min(Self::HEADERS_CAP)
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            headers_max: 64,
        }
    }
}

/// Finds the end of a head in a buffer that grows: every byte is looked at once.
///
/// `line_start <= scanned <= bytes.len()` as of the last call.
#[derive(Clone, Default, Debug)]
pub(super) struct HeadScan {
    /// Where the line begins that is not yet complete.
    line_start: usize,
    /// Bytes known to hold no further line end.
    scanned: usize,
    /// A header line was seen: white space after it continues it.
    in_fields: bool,
    /// A header value may continue on the next line.
    folds: bool,
}

impl HeadScan {
    /// For a head of an answer, in which header values may continue on the next line (RFC 9112
    /// section 5.2).
    pub(super) fn for_response() -> Self {
        Self {
            folds: true,
            ..Self::default()
        }
    }

    /// Whether the first line has not ended within what was looked at.
    pub(super) fn is_at_first_line(&self) -> bool {
        self.line_start == 0
    }

    /// The length of the head up to and with its empty line, `None` if that is not here yet.
    ///
    /// `bytes` is the same buffer in every call, only longer; a shorter one starts anew. An error
    /// stays: the next call gives it again.
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

/// A head with spaces in place of the line ends within its header values, if there are any
/// (RFC 9112 section 5.2).
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

/// The first line of a complete head, and where its header lines begin.
pub(super) fn first_line(head: &[u8]) -> (&[u8], usize) {
    let lf = find(head, b'\n').unwrap_or(head.len());
    let line = &head[..lf];
    (line.strip_suffix(b"\r").unwrap_or(line), lf + 1)
}

/// A range of the head's bytes. 32 bits do: see [`HeadLimits::HEAD_BYTES_CAP`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    at: u32,
    len: u32,
}

const _: () = assert!(HeadLimits::HEAD_BYTES_CAP * 2 < u32::MAX as usize);

impl Span {
    /// Where `part` lies in `whole`, of which it is a slice.
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

/// One header line. The name is a token, so ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field {
    name: Span,
    value: Span,
}

/// One allocation for the bytes, one for the table; a header is looked up by a walk, which beats
/// a map at the few dozen lines that a head has.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head {
    bytes: Box<[u8]>,
    fields: Box<[Field]>,
}

impl Head {
    /// `head` runs to its empty line and [`HeadScan`] has seen it; its header lines begin at
    /// `start`. `tail` is kept behind the head for what has to be spelled anew.
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
            // The empty line is there, so a parse that wants more bytes lost its way.
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

    /// Where `part` lies, which is a slice of this head.
    pub(super) fn span_of(&self, part: &[u8]) -> Span {
        Span::of(part, &self.bytes)
    }

    /// The text of a span that was checked to be ASCII.
    pub(super) fn text(&self, span: Span) -> &str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    pub(super) fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|f| (self.text(f.name), self.bytes(f.value)))
    }

    /// The values of all lines with that name, in order; case does not count.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the only line with that name; two of them are an error.
    pub(super) fn unique(&self, name: &'static str) -> Result<Option<&[u8]>, HandshakeError> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(HandshakeError::DuplicateHeader(name)),
            None => Ok(first),
        }
    }

    /// The list elements of all lines with that name, in order.
    pub(super) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(elements)
    }

    /// Whether the list in that header has `token` in it; case does not count.
    pub(super) fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name)
            .any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}
