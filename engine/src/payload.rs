//! What is sent as bytes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

/// The payload of a binary message, for every `send`: `&[u8]`, and whatever owns or shares such
/// bytes. It is lent to the call and copied.
///
/// A `str` is no payload, although it is bytes: sent by mistake as a binary message, it surprises
/// the peer (RFC 6455, section 5.6, tells text and binary messages apart by their opcode). Text goes
/// out by [`send_text`](crate::Outbox::send_text).
///
/// # Types of your own
///
/// A type that gives its bytes by [`AsRef`] joins with one line:
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
    message = "`{Self}` is not the payload of a binary message",
    label = "`send` takes bytes: text is sent by `send_text`",
    note = "send text by `send_text`: the peer gets a text message, not a binary one",
    note = "a channel has no text messages: send the bytes of the text, `text.as_bytes()`",
    note = "send an `OwnedMessage` by `send_owned`, or by `SinkExt::send(&mut socket, message)`",
    note = "another type of bytes implements `BinaryPayload`, or is sent as `&[u8]`"
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
