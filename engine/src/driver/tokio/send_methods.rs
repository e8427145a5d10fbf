//! The sends of a connection and of its writing half, once for both.

/// The methods of a type with `poll_put` and `poll_flush`, whose stream is written by `put`.
macro_rules! send_methods {
    () => {
        /// Sends a binary message: waits while the queue is full, queues, and writes as
        /// [`Config::flush`](crate::Config) says, where `EndOfBatch` means now. Text goes out by
        /// [`send_text`](Self::send_text).
        ///
        /// It does not wait for a slow peer beyond that: what the socket has not taken goes out
        /// with a later call on this connection, so keep receiving, or
        /// [`flush`](Self::flush). A wait is ended by `write_timeout` without progress.
        ///
        /// # Errors
        /// [`Error::Send`] where the message can never be sent, or the connection is closed, by the
        /// peer too; [`Error::Failed`], [`Error::Io`] where it has failed; [`Error::NoReader`] of a
        /// writer whose reader is gone.
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

        /// Sends a binary message, sharing `payload` instead of copying it if it is large. See
        /// [`Self::send`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn send_bytes(&mut self, payload: bytes::Bytes) -> Result<(), Error> {
            let mut waiting = payload;
            self.queue(true, |outbox| {
                super::sending::put_bytes(outbox, &mut waiting)
            })
            .await
        }

        /// Sends a message as it was received, or made of text or bytes, sharing a large payload.
        /// See [`Self::send`]. A Close begins the closing handshake, with 1000 if it has no code, and
        /// is not waited for.
        ///
        /// ```
        /// use tickwire::{Error, OwnedMessage, WebSocket};
        /// use tokio::net::TcpStream;
        ///
        /// # async fn run(ws: &mut WebSocket<TcpStream>) -> Result<(), Error> {
        /// while let Some(message) = ws.recv().await? {
        ///     if message.data().is_some() {
        ///         ws.send_owned(message).await?; // back as it came
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
            let mut waiting = message.into();
            self.queue(true, |outbox| {
                super::sending::put_owned(outbox, &mut waiting)
            })
            .await
        }

        /// Sends a message encoded before, for many connections. See [`Self::send`].
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

        /// Sends the next part of a message; `last` ends it. See [`Outbox::send_part`].
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

        /// Queues a binary message as [`Self::send`] does, and leaves writing it to a later call:
        /// many small messages, one system call.
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

        /// Sends a Ping of the application's own, ahead of messages; its Pong is received as a
        /// message.
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.ping(payload)).await
        }

        /// Sends a Pong, ahead of messages: see [`Outbox::pong`].
        ///
        /// # Errors
        /// As [`Self::send`].
        pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
            self.queue(true, |outbox| outbox.pong(payload)).await
        }

        /// Waits until everything queued is written. At most `write_timeout` without progress, and
        /// as long for a stream that buffers to get rid of what it holds.
        ///
        /// # Errors
        /// [`Error::Failed`], [`Error::Io`] where the connection has failed.
        pub async fn flush(&mut self) -> Result<(), Error> {
            let mut fresh = true;
            std::future::poll_fn(|cx| self.poll_flush(cx, &mut fresh)).await
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
