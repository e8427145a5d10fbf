//! The content of a refusal, as a client reads it (RFC 9112 sections 6 and 7).

use alloc::vec::Vec;

use super::head::Head;
use super::syntax::{decimal, find};

/// Most bytes of content that are kept; what is longer is cut. Why a server refuses is said in an
/// error page at most, and the server is not trusted with more memory of ours than its head takes.
pub(super) const CONTENT_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of a chunked content that are read for that: chunks of one byte take six.
const CHUNKED_BYTES_MAX: usize = 6 * CONTENT_BYTES_MAX;

/// Most bytes of the line that begins a chunk, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 256;

/// The content of one answer, read from a buffer that grows: every byte is looked at once, those
/// of a line that is not complete again.
#[derive(Clone, Debug)]
pub(super) struct Content {
    kept: Vec<u8>,
    delimited: Delimited,
    complete: bool,
}

#[derive(Clone, Copy, Debug)]
enum Delimited {
    /// By its length, or the first so many bytes of it. Content that ends with the connection is
    /// read as content of [`CONTENT_BYTES_MAX`] bytes that may be cut short.
    Length(usize),
    Chunked(Chunked),
}

/// Where a chunked content is read.
#[derive(Clone, Copy, Default, Debug)]
struct Chunked {
    at: usize,
    /// Bytes of the chunk at `at` that are still to come.
    left: usize,
    /// The chunk's data was begun, and its line end is still to come.
    inside: bool,
}

impl Content {
    /// How the content of an answer is delimited (RFC 9112 section 6.3). Content that two fields or
    /// two values delimit differently, and content in another coding than chunked, is not read:
    /// length 0.
    pub(super) fn of_head(head: &Head, status: u16, is_http_1_1: bool) -> Self {
        let encoded = head.values("Transfer-Encoding").next().is_some();
        let delimited = if matches!(status, 100..=199 | 204 | 304) {
            Delimited::Length(0)
        } else if !encoded {
            let told = head.values("Content-Length").next().is_some();
            let length = if told {
                length(head).unwrap_or(0)
            } else {
                u64::MAX
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            Delimited::Length(length.min(CONTENT_BYTES_MAX))
        } else if is_http_1_1 && is_chunked(head) {
            Delimited::Chunked(Chunked::default())
        } else {
            Delimited::Length(0)
        };
        Self {
            kept: Vec::new(),
            delimited,
            complete: false,
        }
    }

    /// Whether the content is complete, or as long as it is read. `bytes` is all that follows the
    /// head so far.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        self.complete |= match &mut self.delimited {
            _ if self.complete => true,
            Delimited::Length(length) => {
                let until = bytes.len().min(*length);
                let more = bytes.get(self.kept.len()..until);
                self.kept.extend_from_slice(more.unwrap_or_default());
                self.kept.len() >= *length
            }
            Delimited::Chunked(chunked) => chunked.read(bytes, &mut self.kept),
        };
        self.complete
    }

    /// The content so far.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }
}

/// Whether the content is in chunks, and nothing else: no other coding, no length.
fn is_chunked(head: &Head) -> bool {
    let mut codings = head.list("Transfer-Encoding");
    let chunked = codings
        .next()
        .is_some_and(|c| c.eq_ignore_ascii_case(b"chunked"));
    chunked && codings.next().is_none() && head.values("Content-Length").next().is_none()
}

/// The one length that all lines and list elements tell (RFC 9110 section 8.6), if they do.
fn length(head: &Head) -> Option<u64> {
    let mut lengths = head
        .values("Content-Length")
        .flat_map(|line| line.split(|&b| b == b','));
    let first = decimal(lengths.next()?.trim_ascii())?;
    lengths
        .all(|length| decimal(length.trim_ascii()) == Some(first))
        .then_some(first)
}

impl Chunked {
    /// As [`Content::read`]. What is no chunk ends the content.
    fn read(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> bool {
        let bytes = &bytes[..bytes.len().min(CHUNKED_BYTES_MAX)];
        while kept.len() < CONTENT_BYTES_MAX {
            let rest = bytes.get(self.at..).unwrap_or_default();
            if self.left > 0 {
                let room = CONTENT_BYTES_MAX - kept.len();
                let taken = rest.len().min(self.left).min(room);
                if taken == 0 {
                    break;
                }
                kept.extend_from_slice(&rest[..taken]);
                self.at += taken;
                self.left -= taken;
                continue;
            }
            let line = match find(&rest[..rest.len().min(CHUNK_LINE_BYTES_MAX)], b'\n') {
                Some(lf) => &rest[..lf],
                None if rest.len() >= CHUNK_LINE_BYTES_MAX => return true,
                None => break,
            };
            let Some(text) = line.strip_suffix(b"\r") else {
                return true;
            };
            self.at += line.len() + 1;
            if core::mem::take(&mut self.inside) {
                if text.is_empty() {
                    continue;
                }
                return true;
            }
            match chunk_size(text) {
                // The last chunk; trailers are not read.
                None | Some(0) => return true,
                Some(size) => (self.left, self.inside) = (size, true),
            }
        }
        kept.len() >= CONTENT_BYTES_MAX || bytes.len() >= CHUNKED_BYTES_MAX
    }
}

/// `chunk-size [ chunk-ext ]` (RFC 9112 section 7.1).
fn chunk_size(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|b| !b.is_ascii_hexdigit());
    let (digits, extension) = line.split_at(end.unwrap_or(line.len()));
    let is_extension = matches!(extension.trim_ascii_start(), [] | [b';', ..]);
    if digits.is_empty() || !is_extension {
        return None;
    }
    let step = |size: usize, &digit: &u8| {
        let digit = char::from(digit).to_digit(16).unwrap_or_default();
        size.saturating_mul(16).saturating_add(digit as usize)
    };
    Some(digits.iter().fold(0, step))
}
