//! The send methods of a connection and of its writer, written once for both.

/// The methods of a type that has `put` and `poll_flush`.
macro_rules! send_methods {
    () => {
        /// Sends a binary message. Waits while the queue is full, then queues, then writes as
        /// [`Config::flush`](crate::Config) says; `EndOfBatch` means at once. Send text with
        /// [`send_text`](Self::send_text).
        ///
        /// It does not wait until the peer has taken the message: bytes that the socket does not
        /// accept are written by a later call on this connection, so keep receiving, or
        /// [`flush`](Self::flush). It waits for room at most `write_timeout` without progress.
        ///
        /// # Errors
        /// [`Error::Send`] if the message can never be sent, or the connection is closed, by either
        /// end; [`Error::Failed`], [`Error::Io`] if the connection has failed; [`Error::NoReader`]
        /// from a writer whose reader is dropped.
        pub async fn send(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), Error> {
            self.put(true, |write, io, cx, now| {
                super::sending::put_binary(payload.as_ref(), write, io, cx, now)
            })
            .await
        }

        /// Sends a text message. See [`Self::send`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_text(&mut self, text: &str) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.send_text(text)).await
        }

        /// Sends a binary message. A large `payload` is shared instead of copied. See
        /// [`Self::send`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), Error> {
            let mut unsent = payload;
            self.queue(true, |outbox| {
                super::sending::put_bytes(outbox, &mut unsent)
            })
            .await
        }

        /// Sends a message of any kind: one that was received, or one made of text or bytes. A
        /// large payload is shared instead of copied. See [`Self::send`]. A Close begins the
        /// closing handshake, with code 1000 if it has none, and this does not wait for the
        /// handshake to end.
        ///
        /// ```
        /// use tickwire::{Error, OwnedMessage, WebSocket};
        /// use tokio::net::TcpStream;
        ///
        /// # async fn run(ws: &mut WebSocket<TcpStream>) -> Result<(), Error> {
        /// while let Some(message) = ws.recv().await? {
        ///     if message.data().is_some() {
        ///         ws.send_owned(message).await?; // an echo
        ///     }
        /// }
        /// ws.send_owned("text").await?;
        /// ws.send_owned(vec![1, 2, 3]).await
        /// # }
        /// ```
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_owned(
            &mut self,
            message: impl Into<crate::conn::OwnedMessage>,
        ) -> Result<(), Error> {
            let mut unsent = message.into();
            self.queue(true, |outbox| {
                super::sending::put_owned(outbox, &mut unsent)
            })
            .await
        }

        /// Sends a message that was encoded once for many connections. See [`Self::send`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_prepared(
            &mut self,
            message: &crate::conn::PreparedMessage,
        ) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.send_prepared(message))
                .await
        }

        /// Sends the next part of a message; `last` marks the final part. See
        /// [`Outbox::send_part`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_part(
            &mut self,
            kind: crate::conn::Kind,
            data: &[u8],
            last: bool,
        ) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.send_part(kind, data, last))
                .await
        }

        /// Queues a binary message like [`Self::send`], and leaves the writing to a later call: so
        /// many small messages take one system call.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn feed(
            &mut self,
            payload: impl crate::payload::BinaryPayload,
        ) -> Result<(), Error> {
            self.queue(false, |outbox| outbox.send(payload.as_ref()))
                .await
        }

        /// Sends a Ping with the application's payload, ahead of queued messages. The Pong is
        /// received as a message.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.ping(payload)).await
        }

        /// Sends a Pong, ahead of queued messages: see [`Outbox::pong`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.pong(payload)).await
        }

        /// Waits until everything queued is written, and then flushed if the stream buffers. Each
        /// of the two waits at most `write_timeout` without progress.
        ///
        /// # Errors
        /// [`Error::Failed`], [`Error::Io`] if the connection has failed.
        pub async fn flush(&mut self) -> Result<(), Error> {
            let mut new_call = true;
            std::future::poll_fn(|cx| self.poll_flush(cx, &mut new_call)).await
        }

        async fn queue(
            &mut self,
            flush: bool,
            mut put: impl FnMut(&mut Outbox) -> Result<(), crate::error::SendError>,
        ) -> Result<(), Error> {
            self.put(flush, |write, _, _, _| put(write.outbox())).await
        }
    };
}

pub(super) use send_methods;
