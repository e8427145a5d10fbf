//! A message kept beyond the life of the receive buffer.

use crate::{Codec, DecodeError, Limits};
use bytes::Bytes;
use core::{fmt, marker::PhantomData};

/// A message that owns its bytes: checked once, `'static + Send`, for handing to another task.
///
/// It costs a reference count, and [`view`](Self::view) walks the message again: use the borrowed
/// view on the hot path and this where the message must outlive the buffer.
pub struct Held<C: Codec> {
    bytes: Bytes,
    limits: Limits,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> Held<C> {
    /// Checks `bytes` and keeps them.
    ///
    /// # Errors
    /// What [`Codec::view`] says of the bytes.
    pub fn new(bytes: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        C::view(&bytes, limits)?;
        Ok(Self {
            bytes,
            limits: *limits,
            codec: PhantomData,
        })
    }

    /// Derives the view again.
    ///
    /// # Errors
    /// None in practice: the same bytes passed the same checks in [`new`](Self::new). The type says
    /// `Result` because a [`Codec`] outside this crate could break its promise to be a pure function.
    pub fn view(&self) -> Result<C::View<'_>, DecodeError> {
        C::view(&self.bytes, &self.limits)
    }

    /// The message's bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Gives the bytes back.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl<C: Codec> Clone for Held<C> {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            limits: self.limits,
            codec: PhantomData,
        }
    }
}

impl<C: Codec> fmt::Debug for Held<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("id", &C::ID)
            .field("len_bytes", &self.bytes.len())
            .finish()
    }
}
