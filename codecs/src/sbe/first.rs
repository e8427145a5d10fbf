//! Messages at the front of a buffer: padding behind one, several one after the other.

use core::marker::PhantomData;

use super::cursor::{Cursor, Scope, open};
use super::wire::Header;
use super::writer::Stamp;
use crate::{Codec, Cut, DecodeError, Framing, Limits, WireId};

/// A codec whose messages say themselves where they end, so that other bytes may stand behind one:
/// every message of a schema, and all of them together (`AnyMessage`).
///
/// [`Codec::view`] takes a buffer that is one message and nothing else. `view_first` takes what begins
/// with one. Generated codecs have both as functions of their own; the trait is for generic code.
pub trait ViewFirst: Codec {
    /// The schema's id.
    const SCHEMA_ID: u32;
    /// Bytes of the header before each message.
    const HEADER_BYTES: usize;

    /// Views the message at the front of `bytes`, and gives the bytes behind its last known part.
    ///
    /// What is behind may be padding, the next message, or nothing. Where the sender's version is newer
    /// than the schema, groups and data that came later stand there too, unless the header says how many
    /// there are ([`Counts`](super::Counts)). A template or schema that
    /// is not known has no end that could be found: it takes all of `bytes`.
    ///
    /// # Errors
    /// As [`Codec::view`], but never [`DecodeError::Trailing`]; `max_msg` bounds the message and not
    /// `bytes`.
    fn view_first<'a>(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self::View<'a>, &'a [u8]), DecodeError>;
}

/// One message of a schema; generated code implements it.
pub trait Template: ViewFirst {
    /// What stands before the message.
    type Header: Header;
    /// What the header says of a message written by this schema.
    const STAMP: Stamp;
}

/// The view of a message, read from behind its header; generated code implements it.
pub trait Parts<'a>: Sized {
    /// Reads the parts of the message; `bytes` begin with its header.
    ///
    /// # Errors
    /// Whatever the parts report.
    fn read(bytes: &'a [u8], cursor: &mut Cursor<'a>, scope: &Scope) -> Result<Self, DecodeError>;
}

/// [`ViewFirst::view_first`] of a message.
///
/// # Errors
/// Those of [`open`] and of the parts, [`DecodeError::Limit`] for a message over `max_msg`.
#[inline]
pub fn first<'a, C: Template, V: Parts<'a>>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(V, &'a [u8]), DecodeError> {
    let (mut cursor, scope) = open::<C::Header>(bytes, limits, &C::STAMP)?;
    let view = V::read(bytes, &mut cursor, &scope)?;
    limits.check_msg(cursor.at())?;
    Ok((view, cursor.rest()))
}

/// A codec that lets padding stand behind each message: `view` is [`ViewFirst::view_first`] without
/// what is behind.
///
/// Venues round frames up to a number of bytes. Where something else says how long a frame is, a length
/// in front or a datagram, this reads the message in it, in every place that takes a codec:
///
/// ```text
/// Padded::<AnyMessage>::view(datagram, &limits)
/// Batch::new(bytes, LengthField::u16(ByteOrder::Little), &limits).views::<Padded<AnyMessage>>()
/// ```
#[derive(Debug)]
pub struct Padded<C>(PhantomData<fn() -> C>);

impl<C: ViewFirst> Codec for Padded<C> {
    const ID: WireId = C::ID;
    const VERSION: u16 = C::VERSION;
    type View<'a> = C::View<'a>;

    #[inline]
    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<C::View<'a>, DecodeError> {
        C::view_first(bytes, limits).map(|(view, _)| view)
    }
}

/// The messages of a buffer that stand one behind the other, without lengths between them.
///
/// Each begins where the one before it ends, or at the next multiple of
/// [`aligned_to`](Self::aligned_to). Zeros up to the end of the buffer are padding and end the walk,
/// where they cannot be a message: fewer than a header takes, or under a schema whose id is not 0. An
/// error is the last item. So is a message of another schema or of a template that is not known: its
/// end is not known, and it has all bytes that are left. Groups and data that a newer version added stand
/// between a message and the next one, which is then not found where it is looked for, unless the header
/// says how many there are.
/// Frames with a length have none of these limits: see [`Framing`], [`LengthField`](crate::framing::LengthField)
/// and [`HeaderLength`].
///
/// `max_msg` bounds each message, `max_items` the number of messages. Offsets of errors count from the
/// start of the buffer.
#[derive(Debug)]
pub struct Messages<'a, C> {
    bytes: &'a [u8],
    at: usize,
    align: usize,
    seen: u64,
    done: bool,
    limits: Limits,
    codec: PhantomData<fn() -> C>,
}

impl<C> Clone for Messages<'_, C> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, C: ViewFirst> Messages<'a, C> {
    /// Walks `bytes`.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            bytes,
            at: 0,
            align: 1,
            seen: 0,
            done: false,
            limits: *limits,
            codec: PhantomData,
        }
    }

    /// Each message begins at a multiple of so many bytes from the start of the buffer, behind padding of
    /// any content. 0 and 1 are no alignment.
    #[inline]
    #[must_use]
    pub const fn aligned_to(self, bytes: usize) -> Self {
        let align = if bytes == 0 { 1 } else { bytes };
        Self { align, ..self }
    }

    /// The bytes not yet given out: behind the last message that came.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn is_padding(rest: &[u8]) -> bool {
        (rest.len() < C::HEADER_BYTES || C::SCHEMA_ID != 0) && rest.iter().all(|byte| *byte == 0)
    }
}

impl<'a, C: ViewFirst> Iterator for Messages<'a, C> {
    type Item = Result<C::View<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at.checked_next_multiple_of(self.align)?;
        let rest = self.bytes.get(start..).unwrap_or_default();
        if self.done || Self::is_padding(rest) {
            return None;
        }
        let read = match self.limits.check_items(0, self.seen + 1) {
            Ok(()) => C::view_first(rest, &self.limits),
            Err(error) => Err(error),
        };
        match read {
            Ok((view, behind)) => {
                self.at = self.bytes.len() - behind.len();
                self.seen += 1;
                Some(Ok(view))
            }
            Err(error) => {
                self.done = true;
                Some(Err(error.shifted(start)))
            }
        }
    }
}

impl<C: ViewFirst> core::iter::FusedIterator for Messages<'_, C> {}

/// Messages whose header has their length: the header and all that belongs to the message, padding too.
///
/// ```text
/// let framing = HeaderLength::new(|header: &MessageHeader| header.frame_length().into());
/// Batch::new(datagram, framing, &limits).views::<Padded<AnyMessage>>()
/// ```
///
/// Messages of other schemas and templates are stepped over, since their length is known.
#[derive(Debug)]
pub struct HeaderLength<H, F> {
    length: F,
    header: PhantomData<fn() -> H>,
}

impl<H: Header, F: Fn(&H) -> usize> HeaderLength<H, F> {
    /// `length` gives the bytes of a message from the start of its header on.
    #[must_use]
    pub const fn new(length: F) -> Self {
        Self {
            length,
            header: PhantomData,
        }
    }
}

impl<H, F: Clone> Clone for HeaderLength<H, F> {
    fn clone(&self) -> Self {
        Self {
            length: self.length.clone(),
            header: PhantomData,
        }
    }
}

impl<H: Header, F: Fn(&H) -> usize> Framing for HeaderLength<H, F> {
    #[inline]
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        let header = Cursor::new(bytes).read::<H>()?;
        let length = (self.length)(header);
        if length < size_of::<H>() {
            return Err(DecodeError::wrong(0, "message length", length as u64));
        }
        crate::slice::span(bytes, 0, length)?;
        Ok(Cut {
            start: 0,
            end: length,
            next: length,
        })
    }
}
