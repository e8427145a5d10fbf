//! Messages that straddle frames: the bytes of a stream come in pieces of any size.

use crate::DecodeError;
#[cfg(feature = "alloc")]
use crate::{Framing, Limits};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// A decoder that is fed a byte stream piece by piece.
///
/// Call [`next`](Self::next) with the bytes not yet consumed until it says [`Progress::More`]; then
/// feed the next piece.
pub trait StreamCodec {
    /// One message; borrows the piece, or the codec where it had to be joined.
    type Item<'a>: Copy
    where
        Self: 'a;

    /// Takes bytes in stream order and gives the next message.
    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<Self::Item<'a>>;
}

/// What one [`StreamCodec::next`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress<T> {
    /// A message ended `consumed` bytes into the input; call again with the rest.
    Item {
        /// Bytes of the input used up.
        consumed: usize,
        /// The message.
        item: T,
    },
    /// The whole input is consumed and the message is not complete.
    More {
        /// Bytes that are missing at least; more may turn out to be.
        need: usize,
    },
    /// The stream is broken. Offsets count from the start of the message; the codec stays in this
    /// state, because the next boundary is unknown.
    Failed(DecodeError),
}

/// Joins the messages of any [`Framing`] out of a stream. A message inside one piece is lent from
/// it; one that straddles is copied once, into a buffer that never grows past one message.
///
/// ```
/// use tickwire_codecs::{LenPrefix16, Limits, Progress, Reassembler, StreamCodec};
/// let mut stream = Reassembler::new(LenPrefix16::Big, Limits::FEED);
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
    /// `partial` was lent out as a finished frame and is cleared on the next call.
    lent: bool,
    failed: Option<DecodeError>,
}

/// What one look at the bytes gathered so far says.
#[cfg(feature = "alloc")]
enum Look {
    /// The frame is whole: message from, message to, next frame.
    Whole(usize, usize, usize),
    /// The frame has at least this many bytes in all.
    Total(usize),
}

#[cfg(feature = "alloc")]
impl<F: Framing> Reassembler<F> {
    /// Bytes a frame may have beyond its message: headers and length fields.
    const ENVELOPE_BYTES_MAX: u64 = 64;

    /// A stream at a frame boundary. `limits.max_msg` bounds the buffer.
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

    /// Whether the stream stands inside a message: a connection that ends now cuts it off.
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
                // At least one more byte, or a Framing that breaks its contract would stall us.
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
        // Ends: each turn takes at least one byte of the input or returns.
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
