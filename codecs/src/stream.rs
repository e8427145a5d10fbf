//! Messages of a byte stream that arrives in pieces of any size.

use crate::DecodeError;
#[cfg(feature = "alloc")]
use crate::{Framing, Limits};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// A decoder of a byte stream that arrives piece by piece.
///
/// Call [`next`](Self::next) with the unconsumed bytes of a piece until it returns [`Progress::More`]. Then
/// continue with the next piece.
pub trait StreamCodec {
    /// One message. It borrows the piece, or the decoder if the message spans several pieces.
    type Item<'a>: Copy
    where
        Self: 'a;

    /// Takes the next bytes of the stream and returns the next message.
    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<Self::Item<'a>>;
}

/// The result of [`StreamCodec::next`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress<T> {
    /// A message ends `consumed` bytes into the input. Call again with the rest of the input.
    Item {
        /// Consumed bytes of the input.
        consumed: usize,
        /// The message.
        item: T,
    },
    /// The whole input is consumed and the message is not complete.
    More {
        /// The number of missing bytes, or a lower bound of it.
        need: usize,
    },
    /// The stream is invalid. Offsets count from the start of the message. Every later call returns the same
    /// error, because the start of the next message is unknown.
    Failed(DecodeError),
}

/// A [`StreamCodec`] for any [`Framing`]. A message inside one piece borrows that piece. A message that
/// spans several pieces is copied once, into a buffer that holds at most one frame.
///
/// ```
/// use tickwire_codecs::framing::{ByteOrder, LengthField};
/// use tickwire_codecs::{Limits, Progress, Reassembler, StreamCodec};
/// let mut stream = Reassembler::new(LengthField::u16(ByteOrder::Big), Limits::FEED);
/// assert_eq!(stream.next(b"\x00\x03ab"), Progress::More { need: 1 });
/// assert_eq!(stream.next(b"c\x00"), Progress::Item { consumed: 1, item: &b"abc"[..] });
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct Reassembler<F> {
    framing: F,
    limits: Limits,
    /// The beginning of an unfinished frame; empty between frames.
    partial: Vec<u8>,
    /// `partial` holds a whole frame that the last call returned; the next call clears it.
    lent: bool,
    failed: Option<DecodeError>,
}

/// The state of the bytes received so far.
#[cfg(feature = "alloc")]
enum Look {
    /// The frame is complete: start and end of the message, start of the next frame.
    Whole(usize, usize, usize),
    /// The frame is incomplete: it has at least this many bytes.
    Total(usize),
}

#[cfg(feature = "alloc")]
impl<F: Framing> Reassembler<F> {
    /// Most bytes of a frame beside its message: headers and length fields.
    const ENVELOPE_BYTES_MAX: u64 = 64;

    /// A stream that begins at a frame boundary. `limits.max_msg` bounds the buffer.
    #[must_use]
    pub const fn new(framing: F, limits: Limits) -> Self {
        Self {
            framing,
            limits,
            partial: Vec::new(),
            lent: false,
            failed: None,
        }
    }

    /// Whether the stream is inside a message. If the connection ends now, the message is truncated.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        !self.lent && !self.partial.is_empty() && !self.framing.is_end(&self.partial)
    }

    fn look(&self, bytes: &[u8]) -> Result<Look, DecodeError> {
        if bytes.is_empty() {
            return Ok(Look::Total(1));
        }
        match self.framing.split(bytes, &self.limits) {
            Ok(cut) => {
                self.limits.check_msg(cut.end.saturating_sub(cut.start))?;
                if cut.start > cut.end
                    || cut.end > cut.next
                    || cut.next > bytes.len()
                    || cut.next == 0
                {
                    return Err(DecodeError::wrong(0, "frame end", cut.next as u64));
                }
                Ok(Look::Whole(cut.start, cut.end, cut.next))
            }
            Err(DecodeError::Short { at, need, .. }) => {
                // At least one more byte: a `Framing` that breaks its contract must not stop the stream.
                let total = u64::from(at)
                    .saturating_add(need)
                    .max(bytes.len() as u64 + 1);
                let max = u64::from(self.limits.max_msg) + Self::ENVELOPE_BYTES_MAX;
                if total > max {
                    return Err(DecodeError::limit(0, "message bytes", total, max));
                }
                Ok(Look::Total(total as usize))
            }
            Err(error) => Err(error),
        }
    }

    fn fail<T>(&mut self, error: DecodeError) -> Progress<T> {
        self.failed = Some(error);
        Progress::Failed(error)
    }
}

#[cfg(feature = "alloc")]
impl<F: Framing> StreamCodec for Reassembler<F> {
    type Item<'a>
        = &'a [u8]
    where
        Self: 'a;

    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<&'a [u8]> {
        if let Some(error) = self.failed {
            return Progress::Failed(error);
        }
        if self.lent {
            self.partial.clear();
            self.lent = false;
        }
        if self.partial.is_empty() {
            match self.look(input) {
                Ok(Look::Whole(start, end, next)) => {
                    let item = input.get(start..end).unwrap_or_default();
                    return Progress::Item {
                        consumed: next,
                        item,
                    };
                }
                Ok(Look::Total(total)) => {
                    self.partial.extend_from_slice(input);
                    return Progress::More {
                        need: total - input.len(),
                    };
                }
                Err(error) => return self.fail(error),
            }
        }
        let mut consumed = 0;
        // The loop ends: each turn takes at least one byte of the input or returns.
        loop {
            match self.look(&self.partial) {
                Ok(Look::Whole(start, end, _)) => {
                    self.lent = true;
                    let item = self.partial.get(start..end).unwrap_or_default();
                    return Progress::Item { consumed, item };
                }
                Ok(Look::Total(total)) => {
                    let missing = total - self.partial.len();
                    let rest = input.get(consumed..).unwrap_or_default();
                    let take = missing.min(rest.len());
                    if take == 0 {
                        return Progress::More { need: missing };
                    }
                    self.partial
                        .extend_from_slice(rest.get(..take).unwrap_or_default());
                    consumed += take;
                }
                Err(error) => return self.fail(error),
            }
        }
    }
}
