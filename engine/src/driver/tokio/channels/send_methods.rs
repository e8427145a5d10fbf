//! The sends of a channel and of its sending half, once for both.

/// The methods of a type with `sending`, which gives its [`Sender`](super::sender::Sender).
macro_rules! send_methods {
    () => {
        /// Sends a message; waits while the channel's queue is full. On a conflated channel it is
        /// the message with key 0.
        ///
        /// Cancel safe: it is sent when this is ready, and not before.
        ///
        /// # Errors
        /// [`ChannelSendError`], but for `WouldBlock`.
        pub async fn send(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            std::future::poll_fn(|cx| self.sending().poll_send(cx, payload.as_ref())).await
        }

        /// Sends a message, or refuses: never waits.
        ///
        /// # Errors
        /// [`ChannelSendError`]; [`ChannelSendError::WouldBlock`] where [`Self::send`] would wait.
        pub fn try_send(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            self.sending().put_slice(payload.as_ref())
        }

        /// As [`Self::send`], sharing a large payload instead of copying it into the queue. It is dropped
        /// when it has been written, on whatever task.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), ChannelSendError> {
            let (sender, payload) = (self.sending(), super::lent::lend_if_shared(payload));
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| {
                    super::sender::share(channels, sender.id, &payload)
                })
            })
            .await
        }

        /// As [`Self::send_bytes`], never waits.
        ///
        /// # Errors
        /// As [`Self::try_send`].
        pub fn try_send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), ChannelSendError> {
            let (sender, payload) = (self.sending(), super::lent::lend_if_shared(payload));
            sender.put(None, |channels| {
                super::sender::share(channels, sender.id, &payload)
            })
        }

        /// Sends the newest message of a key on a conflated channel: one of the same key that still
        /// waits is replaced, and counted for the peer as skipped.
        ///
        /// # Errors
        /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on other channels.
        pub async fn send_keyed(
            &mut self,
            key: u64,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            std::future::poll_fn(|cx| self.sending().poll_send_keyed(cx, key, payload.as_ref()))
                .await
        }

        /// As [`Self::send_keyed`], never waits.
        ///
        /// # Errors
        /// As [`Self::try_send`]; [`ChannelSendError::WrongMode`] on other channels.
        pub fn try_send_keyed(
            &mut self,
            key: u64,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            self.sending().put_keyed(key, payload.as_ref())
        }

        /// Sends a message encoded once for many channels of one alias.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_shared(
            &mut self,
            frame: &crate::session::channels::SharedFrame,
        ) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| channels.send_shared(sender.id, frame))
            })
            .await
        }

        /// As [`Self::send_shared`], never waits.
        ///
        /// # Errors
        /// As [`Self::try_send`].
        pub fn try_send_shared(
            &mut self,
            frame: &crate::session::channels::SharedFrame,
        ) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            sender.put(None, |channels| channels.send_shared(sender.id, frame))
        }

        /// Sends messages of `elem` bytes each, back to back in `messages`, all under one header. All of
        /// them or none: together they must not pass `channel_queue_bytes_max`.
        ///
        /// `send_run`, of the feature `zerocopy`, takes a slice of values.
        ///
        /// # Errors
        /// As [`Self::send`]; [`ChannelSendError::BadRun`] unless `messages` is a whole number of them,
        /// and at least one; [`ChannelSendError::WrongMode`] on a conflated channel.
        pub async fn send_run_bytes(
            &mut self,
            elem: usize,
            messages: &[u8],
        ) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| {
                    channels.send_run_bytes(sender.id, elem, messages)
                })
            })
            .await
        }

        /// As [`Self::send_run_bytes`], never waits.
        ///
        /// # Errors
        /// As [`Self::send_run_bytes`]; [`ChannelSendError::WouldBlock`] where that would wait.
        pub fn try_send_run_bytes(
            &mut self,
            elem: usize,
            messages: &[u8],
        ) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            sender.put(None, |channels| {
                channels.send_run_bytes(sender.id, elem, messages)
            })
        }

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
        #[cfg(feature = "zerocopy")]
        pub async fn send_run<T: zerocopy::IntoBytes + zerocopy::Immutable>(
            &mut self,
            messages: &[T],
        ) -> Result<(), ChannelSendError> {
            self.send_run_bytes(size_of::<T>(), zerocopy::IntoBytes::as_bytes(messages))
                .await
        }

        /// As [`Self::send_run`], never waits.
        ///
        /// # Errors
        /// As [`Self::send_run`]; [`ChannelSendError::WouldBlock`] where that would wait.
        #[cfg(feature = "zerocopy")]
        pub fn try_send_run<T: zerocopy::IntoBytes + zerocopy::Immutable>(
            &mut self,
            messages: &[T],
        ) -> Result<(), ChannelSendError> {
            self.try_send_run_bytes(size_of::<T>(), zerocopy::IntoBytes::as_bytes(messages))
        }

        /// Room for a message of `len` bytes, in its place in the record or the queue: waits for it
        /// as [`Self::send`] does, and lends it to `write`, which writes it and
        /// [commits](crate::channels::ChannelClaim::commit), or drops it, and nothing is sent. Gives what `write` gives.
        ///
        /// `write` runs under the lock of the connection: it does nothing else with the connection's
        /// channels, or it waits for itself.
        ///
        /// ```
        /// use tickwire::channels::{ChannelSendError, Sender};
        ///
        /// # async fn run(sender: &mut Sender) -> Result<(), ChannelSendError> {
        /// sender
        ///     .claim(8, |mut room| {
        ///         room.copy_from_slice(&17_u64.to_le_bytes());
        ///         room.commit();
        ///     })
        ///     .await
        /// # }
        /// ```
        ///
        /// Cancel safe: `write` is called when this is ready, and not before.
        ///
        /// # Errors
        /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel. `write` is not called
        /// then.
        pub async fn claim<T>(
            &mut self,
            len: usize,
            write: impl FnOnce(crate::session::channels::ChannelClaim<'_>) -> T,
        ) -> Result<T, ChannelSendError> {
            let (sender, mut write) = (self.sending(), Some(write));
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| {
                    super::sender::lend_claim(channels, sender.id, len, &mut write)
                })
            })
            .await
        }

        /// As [`Self::claim`], never waits.
        ///
        /// # Errors
        /// As [`Self::claim`]; [`ChannelSendError::WouldBlock`] where that would wait.
        pub fn try_claim<T>(
            &mut self,
            len: usize,
            write: impl FnOnce(crate::session::channels::ChannelClaim<'_>) -> T,
        ) -> Result<T, ChannelSendError> {
            let (sender, mut write) = (self.sending(), Some(write));
            sender.put(None, |channels| {
                super::sender::lend_claim(channels, sender.id, len, &mut write)
            })
        }

        /// All is sent: the peer's reader gets the end after the last message. What is queued goes
        /// out also after the sender is dropped. A second call does nothing.
        ///
        /// # Errors
        /// [`ChannelSendError::Closed`].
        pub fn finish(&mut self) -> Result<(), ChannelSendError> {
            self.sending().finish_half()
        }

        /// Gives the half up: what is queued is not sent, and the peer is told with `code`.
        pub fn reset(&mut self, code: ErrorCode) {
            self.sending().reset_half(code);
        }

        /// Waits until the peer takes no more, and gives its code; that of the connection's end where
        /// that comes first, and [`ErrorCode::NO_ERROR`] once this half was finished, reset or dropped.
        ///
        /// The future is its own: it may be awaited beside sends.
        pub fn stopped(&self) -> impl std::future::Future<Output = ErrorCode> + Send + use<> {
            self.sending().stopped_half()
        }

        /// Messages count anew from here, and the peer is told. For a publisher that goes on after a
        /// gap, or in another epoch. Only while nothing is queued.
        ///
        /// # Errors
        /// [`ChannelSendError::WouldBlock`] while messages are queued; as [`Self::send`] else.
        pub fn rebase(&mut self, epoch: u64, next_seq: u64) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            sender.put(None, |channels| channels.rebase(sender.id, epoch, next_seq))
        }

        /// The first message of ours that the peer has not said to have safe: see
        /// [`Receiver::acknowledge`](crate::channels::Receiver::acknowledge).
        #[must_use]
        pub fn acknowledged(&self) -> u64 {
            let sender = self.sending();
            sender.with(|state, _| state.port(sender.id).map_or(0, |p| p.acknowledged))
        }

        /// Both halves of the channel as they stand.
        #[must_use]
        pub fn stats(&self) -> Option<ChannelStats> {
            let sender = self.sending();
            sender.with(|state, _| state.channels().channel_stats(sender.id))
        }

        /// A number that is unique among the open channels of the connection.
        #[must_use]
        pub fn id(&self) -> ChannelId {
            self.sending().id
        }
    };
}

pub(super) use send_methods;
