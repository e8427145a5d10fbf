//! The task of a tokio runtime, with the paused clock of tokio and a pipe.
#![cfg(feature = "tokio")]

use std::string::ToString;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::{Act, Outcome, Start, Subject};
use crate::agreed::Agreed;
use crate::channels::{AcceptOptions, Channel, ChannelSocket, OpenOptions};
use crate::{Parts, Role, WebSocket};

/// Capacity of the pipe in each direction, in bytes: less than the capacity of an outbox.
const PIPE_BYTES: usize = 16 << 10;

/// The state that the test and its tasks share.
#[derive(Default)]
struct Shared {
    outcome: Option<Outcome>,
    /// Number of messages that the task of the channel must send.
    send: usize,
}

pub(super) struct Task {
    runtime: Runtime,
    session: Option<ChannelSocket>,
    stream: DuplexStream,
    shared: Arc<Mutex<Shared>>,
    /// Channels that this end opened, kept open.
    opened: Vec<Channel>,
    written: Vec<u8>,
    jammed: bool,
}

async fn echo(mut channel: Channel, shared: Arc<Mutex<Shared>>) {
    loop {
        let count = std::mem::take(&mut shared.lock().unwrap().send);
        for _ in 0..count {
            channel.try_send([1; 1000]).unwrap();
        }
        match channel.try_recv() {
            Ok(Some(message)) => channel.send(&message).await.unwrap(),
            // Polls without waiting, because `send` can change; `recv` returns the end.
            Ok(None) => match tokio::time::timeout(Duration::ZERO, channel.recv()).await {
                Ok(Ok(Some(message))) => channel.send(&message).await.unwrap(),
                Ok(_) => break,
                Err(_) => yield_now().await,
            },
            Err(_) => return,
        }
    }
    let _ = channel.finish();
}

impl Task {
    pub(super) fn new(start: Start) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (near, far) = duplex(PIPE_BYTES);
        let mut agreed = Agreed::new(Role::Server);
        if let Some(subprotocol) = start.subprotocol {
            agreed = agreed.with_subprotocol(subprotocol);
        }
        let parts = Parts::new(near, agreed);
        let ws = WebSocket::from_parts(parts, start.below).unwrap();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let session = {
            let _inside = runtime.enter();
            ChannelSocket::start(ws, start.channels)
        };
        let session = match session {
            Ok(session) => Some(session),
            Err(error) => {
                shared.lock().unwrap().outcome = Some(Outcome::Refused(error.to_string()));
                None
            }
        };
        if let Some(session) = session.clone() {
            let shared = Arc::clone(&shared);
            runtime.spawn(async move {
                while let Some(offer) = session.accept().await {
                    let channel = offer.accept(AcceptOptions::new()).unwrap();
                    tokio::spawn(echo(channel, Arc::clone(&shared)));
                }
                let failure = session.closed().await;
                shared.lock().unwrap().outcome = Some(Outcome::Ended(failure));
            });
        }
        let mut task = Self {
            runtime,
            session,
            stream: far,
            shared,
            opened: Vec::new(),
            written: Vec::new(),
            jammed: false,
        };
        task.run_tasks();
        task
    }

    /// Runs all tasks until they are idle, and reads the output.
    fn run_tasks(&mut self) {
        let Self {
            runtime,
            stream,
            written,
            jammed,
            ..
        } = self;
        runtime.block_on(async {
            for _ in 0..100 {
                for _ in 0..20 {
                    yield_now().await;
                }
                if *jammed {
                    continue;
                }
                let mut some = [0; PIPE_BYTES];
                tokio::select! {
                    biased;
                    read = stream.read(&mut some) => {
                        let n = read.unwrap();
                        written.extend_from_slice(&some[..n]);
                        if n == 0 {
                            return;
                        }
                    }
                    () = std::future::ready(()) => {}
                }
            }
        });
    }
}

impl Subject for Task {
    fn act(&mut self, act: Act) {
        let session = self.session.as_ref().unwrap();
        match act {
            Act::Abort(code) => session.abort(code),
            Act::Drain(code) => session.drain(code),
            Act::GoAway => session.go_away(),
            Act::Open => self.opened.extend(session.open(OpenOptions::new("local"))),
            Act::Send(count) => self.shared.lock().unwrap().send = count,
        }
        // The task of the channel must send before the next act.
        if matches!(act, Act::Send(_)) {
            self.run_tasks();
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        for some in bytes.chunks(PIPE_BYTES / 2) {
            let stream = &mut self.stream;
            // Fails if the stream is closed.
            let _ = self.runtime.block_on(async {
                tokio::time::timeout(Duration::ZERO, stream.write_all(some)).await
            });
            self.run_tasks();
        }
    }

    fn eof(&mut self) {
        let stream = &mut self.stream;
        let _ = self.runtime.block_on(stream.shutdown());
        self.run_tasks();
    }

    fn written(&mut self) -> Vec<u8> {
        self.run_tasks();
        std::mem::take(&mut self.written)
    }

    fn jam(&mut self) {
        self.jammed = true;
    }

    fn pass(&mut self, time: Duration) {
        self.run_tasks();
        // Not a sleep: the task of a channel polls without end, so a paused clock would not advance.
        self.runtime.block_on(tokio::time::advance(time));
        self.run_tasks();
    }

    fn outcome(&mut self) -> Option<Outcome> {
        self.run_tasks();
        self.shared.lock().unwrap().outcome.clone()
    }
}
