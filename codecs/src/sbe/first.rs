//! Messages at the front of a buffer: one message with padding, or several messages.

use core::marker::PhantomData;

use super::cursor::{Cursor, Scope, open};
use super::wire::Header;
use super::writer::Stamp;
use crate::{Codec, Cut, DecodeError, Framing, Limits, WireId};

/// A codec of self-delimiting messages: every message of a schema, and all messages of a schema together
/// (`AnyMessage`).
///
/// [`Codec::view`] takes a buffer with one message and nothing else. `view_first` takes a buffer that begins
/// with a message. Generated codecs have both as inherent functions; the trait is for generic code.
pub trait ViewFirst: Codec {
    /// The id of the schema.
    const SCHEMA_ID: u32;
    /// The length of the header of each message, in bytes.
    const HEADER_BYTES: usize;

    /// Views the message at the front of `bytes`, and returns the view and the bytes behind its last known
    /// part.
    ///
    /// Those bytes are padding, the next message, or empty. If the version of the sender is newer than the
    /// schema, they also contain groups and data of the newer version, unless the header has their number
    /// ([`Counts`](super::Counts)). The end of a message of an unknown template or schema is unknown: it
    /// takes all of `bytes`.
    ///
    /// # Errors
    /// The errors of [`Codec::view`] without [`DecodeError::Trailing`]. `max_msg` bounds the message, not
    /// `bytes`.
    fn view_first<'a>(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self::View<'a>, &'a [u8]), DecodeError>;
}

/// One message of a schema. Generated code implements the trait.
pub trait Template: ViewFirst {
    /// The message header.
    type Header: Header;
    /// The header values of a message of this schema.
    const STAMP: Stamp;
}

/// The view of a message. Generated code implements the trait.
pub trait Parts<'a>: Sized {
    /// Reads the parts of the message; `bytes` begin with its header.
    ///
    /// # Errors
    /// The errors of the parts.
    fn read(bytes: &'a [u8], cursor: &mut Cursor<'a>, scope: &Scope) -> Result<Self, DecodeError>;
}

/// [`ViewFirst::view_first`] of a message.
///
/// # Errors
/// The errors of [`open`] and of the parts; [`DecodeError::Limit`] for a message above `max_msg`.
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

/// A codec that allows padding behind each message: `view` is [`ViewFirst::view_first`] without the bytes
/// behind the message.
///
/// Some venues pad frames to a multiple of some bytes. If a length field or a datagram gives the length of
/// the frame, use this codec for the message in it:
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

/// An iterator over adjacent messages of a buffer, without lengths between them.
///
/// A message begins at the end of the message before it, or at the next multiple of
/// [`aligned_to`](Self::aligned_to). Zeros up to the end of the buffer are padding if they cannot be a
/// message: if they are shorter than a header, or if the schema id is not 0. An error is the last item. A
/// message of another schema or of an unknown template is the last item too: its end is unknown, and it
/// takes all remaining bytes. If a newer sender adds groups or data, the next message is found only if the
/// header has their number.
/// Frames with a length do not have these restrictions: see [`Framing`],
/// [`LengthField`](crate::framing::LengthField) and [`HeaderLength`].
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
    /// An iterator over the messages of `bytes`.
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

    /// Sets the alignment: each message begins at a multiple of `bytes` from the start of the buffer, behind
    /// padding of any content. 0 and 1 mean no alignment.
    #[inline]
    #[must_use]
    pub const fn aligned_to(self, bytes: usize) -> Self {
        let align = if bytes == 0 { 1 } else { bytes };
        Self { align, ..self }
    }

    /// The bytes behind the last message returned.
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

/// The framing of messages with their length in the message header. The length counts the header, the message
/// and its padding.
///
/// ```text
/// let framing = HeaderLength::new(|header: &MessageHeader| header.frame_length().into());
/// Batch::new(datagram, framing, &limits).views::<Padded<AnyMessage>>()
/// ```
///
/// This framing also finds the end of messages of other schemas and templates.
#[derive(Debug)]
pub struct HeaderLength<H, F> {
    length: F,
    header: PhantomData<fn() -> H>,
}

impl<H: Header, F: Fn(&H) -> usize> HeaderLength<H, F> {
    /// `length` returns the length of a message in bytes, from the start of its header.
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
