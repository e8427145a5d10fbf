//! The receives of a channel and of its receiving half, once for both.

/// The methods of a type with `receiving`, which gives its [`Receiver`](super::receiver::Receiver).
macro_rules! receive_methods {
    () => {
        /// The next message, owned. `None` when the peer has finished and all was read.
        ///
        /// Messages of a run come one by one; their credit goes back with the last.
        ///
        /// Cancel safe: a message is taken when this is ready, and not before.
        ///
        /// # Errors
        /// [`ChannelError`], after all messages that came before; the same every time. What was
        /// evicted is not delivered.
        pub async fn recv(
            &mut self,
        ) -> Result<Option<super::message::ChannelMessage>, ChannelError> {
            let receiver = self.receiving();
            std::future::poll_fn(|cx| receiver.poll_recv(cx)).await
        }

        /// The next message, if there is one: never waits.
        ///
        /// # Errors
        /// As [`Self::recv`]. `Ok(None)` says only that nothing waits now.
        pub fn try_recv(&mut self) -> Result<Option<super::message::ChannelMessage>, ChannelError> {
            match self
                .receiving()
                .poll_recv(&mut std::task::Context::from_waker(std::task::Waker::noop()))
            {
                std::task::Poll::Ready(received) => received,
                std::task::Poll::Pending => Ok(None),
            }
        }

        /// Everything that waits, lent: one lock and no allocation however many messages there are.
        /// `None` when the peer has finished and all was read. The credit of all of it goes back
        /// when the batch is dropped.
        ///
        /// Cancel safe: messages are taken when this is ready, and not before.
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

        /// Takes no more, and tells the peer's sender so with `code`. What waits is dropped.
        pub fn stop(&mut self, code: ErrorCode) {
            self.receiving().stop_half(code);
        }

        /// Tells the peer's sender that every message below `seq` is safe here, so that it need not
        /// keep it for a resumption. After the sender's end as well, while our own half goes on: what
        /// ends a channel in one direction ends this, too.
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
