//! Many messages in one buffer.

use crate::{Codec, DecodeError, Encode, EncodeError, Limits};
use core::marker::PhantomData;

/// How messages are told apart in a buffer that holds several.
pub trait Framing {
    /// Finds the first message of `bytes`, which is never empty.
    ///
    /// # Errors
    /// [`DecodeError::Short`] where more bytes would help (`at + need` is how many the frame needs
    /// from the start of `bytes`, as far as is known yet), any other error where they would not.
    fn split(&self, bytes: &[u8], limits: &Limits) -> Result<Cut, DecodeError>;

    /// Whether the bytes that are left, all of them, are no message but the format's mark of the end.
    /// A format without such a mark leaves this as it is.
    fn is_end(&self, rest: &[u8]) -> bool {
        let _ = rest;
        false
    }
}

/// Where a message lies: `bytes[start..end]` is the message and `bytes[next..]` what follows.
/// `start <= end <= next <= bytes.len()` and `next > 0`.
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

/// Iterates over the messages of one buffer. Offsets of errors count from the start of the buffer;
/// after an error nothing more comes.
///
/// `max_msg` bounds each message, `max_items` the number of messages.
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
    /// Walks `bytes` by `framing`.
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

    /// Offset of the first byte not yet given out.
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
            // Only a Framing that breaks its contract comes here.
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

/// The views of a [`Batch`]; see [`Batch::views`]. A message that its codec refuses gives an error
/// and the walk goes on behind it; an error of the framing ends the walk.
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

/// A u16 length, then that many bytes.
///
/// ```text
/// | len: u16 | message: len bytes | len: u16 | ...
/// ```
///
/// ```
/// use tickwire_codecs::{Batch, LenPrefix16, Limits};
/// let mut batch = Batch::new(b"\x02\x00hi\x01\x00!", LenPrefix16::Little, &Limits::FEED);
/// assert_eq!(batch.next().unwrap().unwrap().bytes, b"hi");
/// assert_eq!(batch.next().unwrap().unwrap().bytes, b"!");
/// assert!(batch.next().is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LenPrefix16 {
    /// Length in network order.
    Big,
    /// Length in little-endian order.
    Little,
}

impl LenPrefix16 {
    /// Writes one message with its length in front and gives the bytes written.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where the message is longer than 65,535 bytes, else what the message's
    /// [`Encode`] says.
    pub fn encode<C: Codec>(
        self,
        message: &impl Encode<C>,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let (len, have) = (message.encoded_len(), out.len());
        let prefix = u16::try_from(len).map_err(|_| EncodeError::Range {
            what: "message bytes",
            got: len as u64,
        })?;
        let room = EncodeError::Room {
            need: len + 2,
            have,
        };
        let (head, rest) = out.split_first_chunk_mut::<2>().ok_or(room)?;
        *head = match self {
            Self::Big => prefix.to_be_bytes(),
            Self::Little => prefix.to_le_bytes(),
        };
        // Exactly `len` bytes: a message cannot write past what its prefix says.
        let place = rest.get_mut(..len).ok_or(room)?;
        match message.encode(place)? {
            written if written == len => Ok(len + 2),
            _ => Err(EncodeError::Order {
                what: "encode() wrote less than encoded_len()",
            }),
        }
    }
}

impl Framing for LenPrefix16 {
    #[inline]
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        let &[first, second] = crate::slice::part::<[u8; 2]>(bytes, 0)?;
        let len = usize::from(match self {
            Self::Big => u16::from_be_bytes([first, second]),
            Self::Little => u16::from_le_bytes([first, second]),
        });
        crate::slice::span(bytes, 2, len)?;
        Ok(Cut {
            start: 2,
            end: 2 + len,
            next: 2 + len,
        })
    }
}
