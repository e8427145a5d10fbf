//! The send methods of a channel and of its send half, written once for both.

/// The methods of a type with a method `sending`, which returns its
/// [`Sender`](super::sender::Sender).
macro_rules! send_methods {
    () => {
        /// Sends a message. Waits while the channel's queue is full. On a conflated channel the
        /// message gets key 0.
        ///
        /// Cancel safe: the message is sent when the future is ready, and not before.
        ///
        /// # Errors
        /// [`ChannelSendError`], except `WouldBlock`.
        pub async fn send(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            std::future::poll_fn(|cx| self.sending().poll_send(cx, payload.as_ref())).await
        }

        /// Sends a message without waiting.
        ///
        /// # Errors
        /// [`ChannelSendError`]; [`ChannelSendError::WouldBlock`] if [`Self::send`] would wait.
        pub fn try_send(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), ChannelSendError> {
            self.sending().put_slice(payload.as_ref())
        }

        /// As [`Self::send`]; a large payload is shared instead of copied into the queue. It is
        /// dropped after it is written, on any task of the connection.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), ChannelSendError> {
            let (sender, payload) = (
                self.sending(),
                super::deferred_drop::defer_drop_if_shared(payload),
            );
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| {
                    super::sender::send_shared_bytes(channels, sender.id, &payload)
                })
            })
            .await
        }

        /// As [`Self::send_bytes`], without waiting.
        ///
        /// # Errors
        /// As [`Self::try_send`].
        pub fn try_send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), ChannelSendError> {
            let (sender, payload) = (
                self.sending(),
                super::deferred_drop::defer_drop_if_shared(payload),
            );
            sender.put(None, |channels| {
                super::sender::send_shared_bytes(channels, sender.id, &payload)
            })
        }

        /// Sends the newest message of a key on a conflated channel. It replaces a message of the
        /// same key that is still queued; the replaced message counts as skipped for the peer.
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

        /// As [`Self::send_keyed`], without waiting.
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

        /// Sends a message that was encoded once for many channels with the same alias.
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

        /// As [`Self::send_shared`], without waiting.
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

        /// Sends messages of `elem` bytes each, back to back in `messages`, under one header. All
        /// or none are sent: together they must not exceed `channel_queue_bytes_max`.
        ///
        /// With the feature `zerocopy`, `send_run` takes a slice of values.
        ///
        /// # Errors
        /// As [`Self::send`]; [`ChannelSendError::BadRun`] if `messages` is empty or its length is
        /// not a multiple of `elem`; [`ChannelSendError::WrongMode`] on a conflated channel.
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

        /// As [`Self::send_run_bytes`], without waiting.
        ///
        /// # Errors
        /// As [`Self::send_run_bytes`]; [`ChannelSendError::WouldBlock`] if that would wait.
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

        /// Sends each element as a message, all under one header. All or none are sent: together
        /// they must not exceed `channel_queue_bytes_max`.
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
        /// As [`Self::send`]; [`ChannelSendError::BadRun`] for an empty slice, or elements of zero
        /// size; [`ChannelSendError::WrongMode`] on a conflated channel.
        #[cfg(feature = "zerocopy")]
        pub async fn send_run<T: zerocopy::IntoBytes + zerocopy::Immutable>(
            &mut self,
            messages: &[T],
        ) -> Result<(), ChannelSendError> {
            self.send_run_bytes(size_of::<T>(), zerocopy::IntoBytes::as_bytes(messages))
                .await
        }

        /// As [`Self::send_run`], without waiting.
        ///
        /// # Errors
        /// As [`Self::send_run`]; [`ChannelSendError::WouldBlock`] if that would wait.
        #[cfg(feature = "zerocopy")]
        pub fn try_send_run<T: zerocopy::IntoBytes + zerocopy::Immutable>(
            &mut self,
            messages: &[T],
        ) -> Result<(), ChannelSendError> {
            self.try_send_run_bytes(size_of::<T>(), zerocopy::IntoBytes::as_bytes(messages))
        }

        /// Writes a message of `len` bytes in place: waits for room like [`Self::send`], then calls
        /// `write` with a claim on that room. `write` fills it and
        /// [commits](crate::channels::ChannelClaim::commit) it; a claim that is dropped sends
        /// nothing. Returns what `write` returns.
        ///
        /// `write` runs under the lock of the connection. It must not use any channel of the same
        /// connection: that would deadlock.
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
        /// Cancel safe: `write` is called when the future is ready, and not before.
        ///
        /// # Errors
        /// As [`Self::send`]; [`ChannelSendError::WrongMode`] on a conflated channel. After an
        /// error `write` was not called.
        pub async fn claim<T>(
            &mut self,
            len: usize,
            write: impl FnOnce(crate::session::channels::ChannelClaim<'_>) -> T,
        ) -> Result<T, ChannelSendError> {
            let (sender, mut write) = (self.sending(), Some(write));
            std::future::poll_fn(|cx| {
                sender.poll_put(cx, |channels| {
                    super::sender::claim_with(channels, sender.id, len, &mut write)
                })
            })
            .await
        }

        /// As [`Self::claim`], without waiting.
        ///
        /// # Errors
        /// As [`Self::claim`]; [`ChannelSendError::WouldBlock`] if that would wait.
        pub fn try_claim<T>(
            &mut self,
            len: usize,
            write: impl FnOnce(crate::session::channels::ChannelClaim<'_>) -> T,
        ) -> Result<T, ChannelSendError> {
            let (sender, mut write) = (self.sending(), Some(write));
            sender.put(None, |channels| {
                super::sender::claim_with(channels, sender.id, len, &mut write)
            })
        }

        /// Ends the send half after the last message: the peer's receiver gets all queued messages,
        /// then the end, even if the sender is dropped now. A second call does nothing.
        ///
        /// # Errors
        /// [`ChannelSendError::Closed`].
        pub fn finish(&mut self) -> Result<(), ChannelSendError> {
            self.sending().finish_half()
        }

        /// Resets the send half with `code`: queued messages are not sent, and the peer's receiver
        /// gets [`ChannelError::Aborted`](crate::channels::ChannelError).
        pub fn reset(&mut self, code: ErrorCode) {
            self.sending().reset_half(code);
        }

        /// Waits until the peer stops receiving, and returns the code of its STOP. If the
        /// connection ends first, returns the code of that end; after this half was finished, reset
        /// or dropped, returns [`ErrorCode::NO_ERROR`].
        ///
        /// The future borrows nothing: it may be awaited beside sends.
        pub fn stopped(&self) -> impl std::future::Future<Output = ErrorCode> + Send + use<> {
            self.sending().stopped_half()
        }

        /// Numbers messages from `next_seq` in `epoch` from now on, and sends that to the peer: for
        /// a publisher that continues after a gap, or in another epoch. Possible only while no
        /// message is queued.
        ///
        /// # Errors
        /// [`ChannelSendError::WouldBlock`] while messages are queued; otherwise as [`Self::send`].
        pub fn rebase(&mut self, epoch: u64, next_seq: u64) -> Result<(), ChannelSendError> {
            let sender = self.sending();
            sender.put(None, |channels| channels.rebase(sender.id, epoch, next_seq))
        }

        /// The first sequence number that the peer has not acknowledged: see
        /// [`Receiver::acknowledge`](crate::channels::Receiver::acknowledge).
        #[must_use]
        pub fn acknowledged(&self) -> u64 {
            let sender = self.sending();
            sender.with(|state, _| state.port(sender.id).map_or(0, |p| p.acknowledged))
        }

        /// Statistics of both halves; `None` after the channel has ended.
        #[must_use]
        pub fn stats(&self) -> Option<ChannelStats> {
            let sender = self.sending();
            sender.with(|state, _| state.channels().channel_stats(sender.id))
        }

        /// An identifier that is unique among the open channels of the connection.
        #[must_use]
        pub fn id(&self) -> ChannelId {
            self.sending().id
        }
    };
}

pub(super) use send_methods;
