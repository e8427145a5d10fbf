//! The types that can be sent as binary messages.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

/// A type whose bytes can be sent as a binary message: `&[u8]`, and types that own or share bytes.
/// Every `send` borrows the payload for the call and copies it.
///
/// `str` does not implement this trait, so that text is not sent as a binary message by mistake
/// (RFC 6455 section 5.6). Send text with [`send_text`](crate::Outbox::send_text).
///
/// # Your own types
///
/// Any type that implements [`AsRef<[u8]>`](AsRef) can implement this trait:
///
/// ```
/// struct Order([u8; 16]);
///
/// impl AsRef<[u8]> for Order {
///     fn as_ref(&self) -> &[u8] {
///         &self.0
///     }
/// }
///
/// impl tickwire::BinaryPayload for Order {}
///
/// # fn run(outbox: &mut tickwire::Outbox) -> Result<(), tickwire::SendError> {
/// outbox.send(Order([0; 16]))
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a binary message",
    label = "`send` takes bytes; `send_text` takes text",
    note = "send text with `send_text`: the peer receives a text message, not a binary one",
    note = "a channel has no text messages: send the bytes of the text, `text.as_bytes()`",
    note = "send an `OwnedMessage` with `send_owned`, or with `SinkExt::send(&mut socket, message)`",
    note = "implement `BinaryPayload` for other types of bytes, or pass them as `&[u8]`"
)]
pub trait BinaryPayload: AsRef<[u8]> {}

impl BinaryPayload for [u8] {}
impl<const N: usize> BinaryPayload for [u8; N] {}
impl BinaryPayload for Vec<u8> {}
impl BinaryPayload for Box<[u8]> {}
impl BinaryPayload for Rc<[u8]> {}
impl BinaryPayload for Arc<[u8]> {}
impl BinaryPayload for Cow<'_, [u8]> {}
impl BinaryPayload for Bytes {}
impl BinaryPayload for BytesMut {}
impl<T: BinaryPayload + ?Sized> BinaryPayload for &T {}
impl<T: BinaryPayload + ?Sized> BinaryPayload for &mut T {}
