//! `Stream` and `Sink` of the futures crates.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::Error;
use super::reader::Reader;
use super::receiving::Receiving;
use super::sending::put_owned;
use super::websocket::WebSocket;
use super::writer::Writer;
use crate::conn::OwnedMessage;
use crate::error::CloseCode;

type Received = Result<Option<OwnedMessage>, Error>;

/// The next item of a stream: it yields a failure once, and then ends.
fn item(receiving: &mut Receiving, received: Received) -> Option<Result<OwnedMessage, Error>> {
    if receiving.stream_ended {
        return None;
    }
    let item = received.transpose();
    receiving.stream_ended = !matches!(item, Some(Ok(_)));
    item
}

/// [`WebSocket::recv`] as a stream. A failure is the last item. Use the `Stream` and the `Sink` of
/// one `WebSocket` in one task: each poll replaces the waker of the poll before. For two tasks,
/// [`WebSocket::split`] it.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let received = ready!(this.poll_recv(cx));
        Poll::Ready(item(&mut this.receiving, received))
    }
}

/// [`Reader::recv`] as a stream. A failure is the last item.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Reader<S> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let received = ready!(this.poll_recv(cx));
        Poll::Ready(item(&mut this.receiving, received))
    }
}

/// Sends messages of the type that the `Stream` yields. Ready while at least half of the send queue
/// is free. A larger message may be refused with [`SendError::QueueFull`](crate::SendError): use
/// [`WebSocket::send_owned`], which waits. A Close without a code is sent with code 1000. Closing
/// the sink is [`WebSocket::close`] with code 1000.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<OwnedMessage> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        if !this.sending.is_backlogged() {
            return Poll::Ready(Ok(()));
        }
        match this.poll_flush(cx, &mut false) {
            Poll::Pending if !this.sending.is_backlogged() => Poll::Ready(Ok(())),
            flushed => flushed,
        }
    }

    fn start_send(self: Pin<&mut Self>, mut message: OwnedMessage) -> Result<(), Error> {
        let sending = &mut self.get_mut().sending;
        put_owned(sending.outbox(), &mut message).map_err(|e| sending.refusal(e))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        WebSocket::poll_flush(self.get_mut(), cx, &mut false)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.outbox().close(CloseCode::NORMAL, "")?;
        WebSocket::poll_close(this, cx)
    }
}

/// Sends messages of the type that the `Stream` yields; holds one message that waits for room in
/// the queue. A Close without a code is sent with code 1000. Closing the sink is [`Writer::close`]
/// with code 1000.
impl<S: AsyncWrite + Unpin> Sink<OwnedMessage> for Writer<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_pending(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        let pending = &mut self.get_mut().pending;
        if pending.is_some() {
            let rule = "a Sink takes one message after each poll_ready";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, rule).into());
        }
        *pending = Some(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Writer::poll_flush(self.get_mut(), cx, &mut false)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Writer::poll_close(self.get_mut(), cx, CloseCode::NORMAL, "")
    }
}
