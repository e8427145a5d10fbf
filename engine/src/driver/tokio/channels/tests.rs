//! Two sessions, a pipe between them, and tokio's clock.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::task::yield_now;

use super::*;
use crate::channels::{
    AcceptOptions, Code, Config, Direction, Failure, Mode, OpenError, OpenOptions, SUBPROTOCOL,
    SendError, Settings,
};
use crate::{Parts, Role, WebSocket};

mod talk;

/// Bytes of pipe each way: little, so that the driver meets a full one.
const PIPE_BYTES: usize = 4096;

fn socket<S>(stream: S, role: Role, subprotocol: Option<&str>) -> WebSocket<S> {
    let parts = Parts {
        subprotocol: subprotocol.map(Into::into),
        ..Parts::new(stream, role)
    };
    WebSocket::from_parts(parts, crate::Settings::default()).unwrap()
}

fn session<S>(stream: S, role: Role, settings: &Settings) -> Session
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Session::start(socket(stream, role, Some(SUBPROTOCOL)), settings.clone()).unwrap()
}

fn settings(change: impl FnOnce(&mut Config)) -> Settings {
    let mut config = Config::default();
    change(&mut config);
    config.build().unwrap()
}

/// A client and a server.
fn pair(change: impl FnOnce(&mut Config)) -> (Session, Session) {
    let settings = settings(change);
    let (a, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &settings);
    (client, session(b, Role::Server, &settings))
}

/// A channel of the client's, accepted: the client's end and the server's.
async fn open(client: &Session, server: &Session, options: OpenOptions) -> (Channel, Channel) {
    let mut ours = client.open(options).unwrap();
    let offer = server.accept().await.unwrap();
    let theirs = offer.accept(AcceptOptions::new()).unwrap();
    ours.accepted().await.unwrap();
    (ours, theirs)
}
