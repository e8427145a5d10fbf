//! Runs of messages as slices of the application's types, checked by zerocopy.

use zerocopy::{FromBytes, Immutable, IntoBytes, Unaligned};

use super::batch::BatchRun;
use super::channel::Channel;
use super::sender::Sender;
use crate::session::channels::ChannelSendError;

impl Sender {
    /// Sends each element as a message, all under one header. All of them or none: together they
    /// must not pass `channel_queue_bytes_max`.
    ///
    /// ```
    /// use tickwire::channels::{ChannelSendError, Sender};
    /// use zerocopy::{Immutable, IntoBytes, little_endian::U64};
    ///
    /// #[derive(IntoBytes, Immutable)]
    /// #[repr(C)]
    /// struct Tick {
    ///     at: U64,
    ///     price: U64,
    /// }
    ///
    /// # async fn run(sender: &mut Sender, ticks: &[Tick]) -> Result<(), ChannelSendError> {
    /// sender.send_run(ticks).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::send`]; [`ChannelSendError::BadRun`] for none, or of no size;
    /// [`ChannelSendError::WrongMode`] on a conflated channel.
    pub async fn send_run<T: IntoBytes + Immutable>(
        &mut self,
        messages: &[T],
    ) -> Result<(), ChannelSendError> {
        self.send_run_bytes(size_of::<T>(), messages.as_bytes())
            .await
    }
}

impl Channel {
    /// [`Sender::send_run`].
    ///
    /// # Errors
    /// As there.
    pub async fn send_run<T: IntoBytes + Immutable>(
        &mut self,
        messages: &[T],
    ) -> Result<(), ChannelSendError> {
        self.sender.send_run(messages).await
    }
}

impl<'b> BatchRun<'b> {
    /// The messages as values, without a copy; `None` if they have another size. There is no
    /// promise of alignment: fields of types like `zerocopy::little_endian::U64` need none.
    ///
    /// ```
    /// # use tickwire::channels::BatchRun;
    /// use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian::U64};
    ///
    /// #[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
    /// #[repr(C)]
    /// struct Tick {
    ///     at: U64,
    ///     price: U64,
    /// }
    ///
    /// fn last(run: &BatchRun<'_>) -> Option<u64> {
    ///     Some(run.as_slice::<Tick>()?.last()?.price.get())
    /// }
    /// ```
    #[must_use]
    pub fn as_slice<T: FromBytes + Immutable + Unaligned>(&self) -> Option<&'b [T]> {
        if self.elem != size_of::<T>() {
            return None;
        }
        <[T]>::ref_from_bytes(self.bytes).ok()
    }
}
