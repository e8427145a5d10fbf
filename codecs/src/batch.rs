//! Many messages in one buffer.

use crate::{Codec, DecodeError, Limits};
use core::marker::PhantomData;

/// A rule that splits a buffer or a stream into messages.
pub trait Framing {
    /// Finds the first message of `bytes`. `bytes` is never empty.
    ///
    /// # Errors
    /// [`DecodeError::Short`] if the frame is incomplete: `at + need` is the length of the frame from the
    /// start of `bytes`, or a lower bound of it. Any other error is final: more bytes do not change it.
    fn split(&self, bytes: &[u8], limits: &Limits) -> Result<Cut, DecodeError>;

    /// Whether `rest`, all bytes behind the last message, is the end mark of the format. The default is for
    /// formats without an end mark.
    fn is_end(&self, rest: &[u8]) -> bool {
        let _ = rest;
        false
    }
}

/// The position of a message: `bytes[start..end]` is the message, and the next frame begins at
/// `bytes[next]`. `start <= end <= next <= bytes.len()` and `next > 0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// First byte of the message.
    pub start: usize,
    /// First byte after the message.
    pub end: usize,
    /// First byte of the next frame.
    pub next: usize,
}

/// One message of a [`Batch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framed<'a> {
    /// Offset of the message in the batch's buffer.
    pub at: usize,
    /// The message.
    pub bytes: &'a [u8],
}

/// An iterator over the messages of one buffer.
///
/// [`Limits::max_msg`] bounds each message and [`Limits::max_items`] the number of messages. Offsets of
/// errors count from the start of the buffer. An error is the last item.
///
/// ```
/// use tickwire_codecs::framing::{ByteOrder, LengthField};
/// use tickwire_codecs::{Batch, Limits};
/// let framing = LengthField::u16(ByteOrder::Little);
/// let mut batch = Batch::new(b"\x02\0hi\x01\0!", framing, &Limits::FEED);
/// assert_eq!(batch.next().unwrap()?.bytes, b"hi");
/// assert_eq!(batch.next().unwrap()?.bytes, b"!");
/// assert!(batch.next().is_none());
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch<'a, F> {
    bytes: &'a [u8],
    at: usize,
    seen: u64,
    done: bool,
    framing: F,
    limits: Limits,
}

impl<'a, F: Framing> Batch<'a, F> {
    /// Splits `bytes` by `framing`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], framing: F, limits: &Limits) -> Self {
        Self {
            bytes,
            at: 0,
            seen: 0,
            done: false,
            framing,
            limits: *limits,
        }
    }

    /// Offset of the first byte behind the messages returned so far.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The messages as views of `C`, under the same limits.
    #[must_use]
    pub const fn views<C: Codec>(self) -> Views<'a, F, C> {
        Views {
            batch: self,
            codec: PhantomData,
        }
    }

    fn step(&mut self) -> Result<Framed<'a>, DecodeError> {
        self.limits.check_items(0, self.seen + 1)?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let cut = self.framing.split(rest, &self.limits)?;
        let len = cut.end.saturating_sub(cut.start);
        self.limits.check_msg(len)?;
        match rest.get(cut.start..cut.end) {
            Some(bytes) if cut.next >= cut.end && cut.next > 0 && cut.next <= rest.len() => {
                let framed = Framed {
                    at: self.at + cut.start,
                    bytes,
                };
                self.at += cut.next;
                self.seen += 1;
                Ok(framed)
            }
            // Only a `Framing` that breaks its contract reaches this line.
            _ => Err(DecodeError::wrong(0, "frame end", cut.next as u64)),
        }
    }
}

impl<'a, F: Framing> Iterator for Batch<'a, F> {
    type Item = Result<Framed<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if self.done || rest.is_empty() || self.framing.is_end(rest) {
            return None;
        }
        let at = self.at;
        Some(self.step().map_err(|error| {
            self.done = true;
            error.shifted(at)
        }))
    }
}

impl<F: Framing> core::iter::FusedIterator for Batch<'_, F> {}

/// An iterator over the views of a [`Batch`]; see [`Batch::views`]. If the codec refuses a message, the
/// item is an error and the iterator continues with the next message. An error of the framing is the last
/// item.
#[derive(Clone, Debug)]
pub struct Views<'a, F, C> {
    batch: Batch<'a, F>,
    codec: PhantomData<fn() -> C>,
}

impl<'a, F: Framing, C: Codec> Iterator for Views<'a, F, C> {
    type Item = Result<C::View<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let framed = match self.batch.next()? {
            Ok(framed) => framed,
            Err(error) => return Some(Err(error)),
        };
        Some(C::view(framed.bytes, &self.batch.limits).map_err(|error| error.shifted(framed.at)))
    }
}

impl<F: Framing, C: Codec> core::iter::FusedIterator for Views<'_, F, C> {}
