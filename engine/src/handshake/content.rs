//! Reading the content of a refusal, by a client (RFC 9112 sections 6 and 7).

use alloc::vec::Vec;

use super::head::Head;
use super::syntax::{decimal, find};

/// The maximum size of the content, in bytes; the rest is cut off. It is enough for an error page,
/// and limits the memory that a server can make a client use.
pub(super) const CONTENT_BYTES_MAX: usize = 16 * 1024;

/// The maximum number of bytes of a chunked content that are read: a chunk of one byte takes six.
const CHUNKED_BYTES_MAX: usize = 6 * CONTENT_BYTES_MAX;

/// The maximum length of the line that begins a chunk, including extensions, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 256;

/// The content of one answer, read from a growing buffer. Every byte is read once, except that an
/// incomplete line is read again.
#[derive(Clone, Debug)]
pub(super) struct Content {
    kept: Vec<u8>,
    framing: Framing,
    complete: bool,
}

/// How the end of the content is found.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// After this number of bytes, at most [`CONTENT_BYTES_MAX`]. Content that ends with the
    /// connection has length [`CONTENT_BYTES_MAX`], and may end earlier.
    Length(usize),
    Chunked(Chunked),
}

/// The position in a chunked content.
#[derive(Clone, Copy, Default, Debug)]
struct Chunked {
    /// Offset of the next byte to read.
    at: usize,
    /// Bytes of the current chunk that are not read yet.
    left: usize,
    /// The line end after the data of the current chunk is not read yet.
    inside: bool,
}

impl Content {
    /// The framing of an answer's content (RFC 9112 section 6.3). Content with contradictory
    /// headers, or with a transfer coding other than chunked, is not read: its length is 0.
    pub(super) fn of_head(head: &Head, status: u16, is_http_1_1: bool) -> Self {
        let encoded = head.values("Transfer-Encoding").next().is_some();
        let framing = if matches!(status, 100..=199 | 204 | 304) {
            Framing::Length(0)
        } else if !encoded {
            let has_length = head.values("Content-Length").next().is_some();
            let length = if has_length {
                length(head).unwrap_or(0)
            } else {
                u64::MAX
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            Framing::Length(length.min(CONTENT_BYTES_MAX))
        } else if is_http_1_1 && is_chunked(head) {
            Framing::Chunked(Chunked::default())
        } else {
            Framing::Length(0)
        };
        Self {
            kept: Vec::new(),
            framing,
            complete: false,
        }
    }

    /// Reads on. `bytes`: all bytes after the head so far. Returns whether the content is complete
    /// or has reached its maximum size.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        self.complete |= match &mut self.framing {
            _ if self.complete => true,
            Framing::Length(length) => {
                let until = bytes.len().min(*length);
                let more = bytes.get(self.kept.len()..until);
                self.kept.extend_from_slice(more.unwrap_or_default());
                self.kept.len() >= *length
            }
            Framing::Chunked(chunked) => chunked.read(bytes, &mut self.kept),
        };
        self.complete
    }

    /// The content so far.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }
}

/// Whether the content is chunked, without another coding and without a length.
fn is_chunked(head: &Head) -> bool {
    let mut codings = head.list("Transfer-Encoding");
    let chunked = codings
        .next()
        .is_some_and(|c| c.eq_ignore_ascii_case(b"chunked"));
    chunked && codings.next().is_none() && head.values("Content-Length").next().is_none()
}

/// The length, if all lines and list elements of `Content-Length` agree (RFC 9110 section 8.6).
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
    /// As [`Content::read`]. A malformed chunk ends the content.
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
