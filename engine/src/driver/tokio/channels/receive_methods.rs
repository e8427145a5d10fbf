//! The receive methods of a channel and of its receive half, written once for both.

/// The methods of a type with a method `receiving`, which returns its
/// [`Receiver`](super::receiver::Receiver).
macro_rules! receive_methods {
    () => {
        /// The next message, owned. `None` after the peer has finished its half and all messages
        /// were received.
        ///
        /// The messages of a run are returned one by one; their credit goes back to the peer with
        /// the last one.
        ///
        /// Cancel safe: a message is taken when the future is ready, and not before.
        ///
        /// # Errors
        /// [`ChannelError`], after all messages received before it; every later call returns the
        /// same. After [`ChannelError::Evicted`] the messages that waited are dropped.
        pub async fn recv(
            &mut self,
        ) -> Result<Option<super::message::ChannelMessage>, ChannelError> {
            let receiver = self.receiving();
            std::future::poll_fn(|cx| receiver.poll_recv(cx)).await
        }

        /// The next message, without waiting.
        ///
        /// # Errors
        /// As [`Self::recv`]. `Ok(None)` means that no message waits now, or that the peer has
        /// finished.
        pub fn try_recv(&mut self) -> Result<Option<super::message::ChannelMessage>, ChannelError> {
            match self
                .receiving()
                .poll_recv(&mut std::task::Context::from_waker(std::task::Waker::noop()))
            {
                std::task::Poll::Ready(received) => received,
                std::task::Poll::Pending => Ok(None),
            }
        }

        /// All waiting messages, borrowed: one lock and no allocation for any number of messages.
        /// `None` after the peer has finished its half and all messages were received. The credit
        /// of all of them goes back to the peer when the batch is dropped.
        ///
        /// Cancel safe: messages are taken when the future is ready, and not before.
        ///
        /// ```
        /// use tickwire::channels::{BatchItem, ChannelError, Receiver};
        ///
        /// # async fn run(receiver: &mut Receiver) -> Result<(), ChannelError> {
        /// while let Some(batch) = receiver.recv_batch().await? {
        ///     for item in &batch {
        ///         match item {
        ///             BatchItem::Message(message) => drop(message.seq),
        ///             BatchItem::Run(run) => drop(run.messages().len()),
        ///         }
        ///     }
        /// }
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        /// As [`Self::recv`].
        pub async fn recv_batch(
            &mut self,
        ) -> Result<Option<super::batch::ChannelBatch<'_>>, ChannelError> {
            let receiver = self.receiving();
            std::future::poll_fn(|cx| receiver.poll_batch(cx)).await
        }

        /// Stops receiving: sends STOP with `code` to the peer's sender, and drops the messages
        /// that wait.
        pub fn stop(&mut self, code: ErrorCode) {
            self.receiving().stop_half(code);
        }

        /// Acknowledges every message below `seq` to the peer's sender, which then need not keep
        /// them for a resumption. Also possible after the sender has finished, as long as the send
        /// half of this end is open; on a one-way channel the end of the only half ends this, too.
        pub fn acknowledge(&mut self, seq: u64) {
            let receiver = self.receiving();
            receiver.with(|state, after| {
                state.channels_mut().acknowledge(receiver.id, seq);
                state.wake_driver(after);
            });
        }
    };
}

pub(super) use receive_methods;
