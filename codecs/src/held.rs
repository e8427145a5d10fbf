//! A message that outlives the receive buffer.

use crate::{Codec, DecodeError, Limits};
use bytes::Bytes;
use core::{fmt, marker::PhantomData};

/// A checked message that owns its bytes. It is `'static + Send`, so another task can take it.
///
/// A `Held` costs a reference count, and [`view`](Self::view) checks the message again. Use it if a message
/// must outlive the receive buffer, and the borrowed view otherwise.
///
/// ```
/// # #[cfg(feature = "itch")] {
/// use tickwire_codecs::itch::{SoupBinTcp, SoupPacket};
/// use tickwire_codecs::{Held, Limits};
/// let held = Held::<SoupBinTcp>::new(b"Uhi".as_slice().into(), &Limits::FEED)?;
/// let text = std::thread::spawn(move || format!("{:?}", held.view())).join().unwrap();
/// assert!(text.contains("Unsequenced"));
/// # }
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
pub struct Held<C: Codec> {
    bytes: Bytes,
    limits: Limits,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> Held<C> {
    /// Checks `bytes` and keeps them.
    ///
    /// # Errors
    /// The errors of [`Codec::view`].
    pub fn new(bytes: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        C::view(&bytes, limits)?;
        Ok(Self {
            bytes,
            limits: *limits,
            codec: PhantomData,
        })
    }

    /// Checks the message again and returns its view.
    ///
    /// # Errors
    /// None for the codecs of this crate: the same bytes passed the same checks in [`new`](Self::new). A
    /// [`Codec`] of another crate that is not a pure function may return an error here.
    pub fn view(&self) -> Result<C::View<'_>, DecodeError> {
        C::view(&self.bytes, &self.limits)
    }

    /// The bytes of the message.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the bytes of the message.
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
