//! The task of the runtime, on tokio's clock and over a pipe.
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

/// Bytes of the pipe each way: less than an outbox may hold.
const PIPE_BYTES: usize = 16 << 10;

#[derive(Default)]
struct Told {
    outcome: Option<Outcome>,
    /// To be sent by who has the channel.
    send: usize,
}

pub(super) struct Task {
    runtime: Runtime,
    /// Kept open.
    session: Option<ChannelSocket>,
    stream: DuplexStream,
    told: Arc<Mutex<Told>>,
    ours: Vec<Channel>,
    written: Vec<u8>,
    jammed: bool,
}

async fn echo(mut channel: Channel, told: Arc<Mutex<Told>>) {
    loop {
        let count = std::mem::take(&mut told.lock().unwrap().send);
        for _ in 0..count {
            channel.try_send([1; 1000]).unwrap();
        }
        match channel.try_recv() {
            Ok(Some(message)) => channel.send(&message).await.unwrap(),
            // Polls, for it is told to send from elsewhere; the end shows in `recv`.
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
        let told: Arc<Mutex<Told>> = Arc::default();
        let session = {
            let _inside = runtime.enter();
            ChannelSocket::start(ws, start.channels)
        };
        let session = match session {
            Ok(session) => Some(session),
            Err(error) => {
                told.lock().unwrap().outcome = Some(Outcome::Refused(error.to_string()));
                None
            }
        };
        if let Some(session) = session.clone() {
            let told = Arc::clone(&told);
            runtime.spawn(async move {
                while let Some(offer) = session.accept().await {
                    let channel = offer.accept(AcceptOptions::new()).unwrap();
                    tokio::spawn(echo(channel, Arc::clone(&told)));
                }
                let failure = session.closed().await;
                told.lock().unwrap().outcome = Some(Outcome::Ended(failure));
            });
        }
        let mut task = Self {
            runtime,
            session,
            stream: far,
            told,
            ours: Vec::new(),
            written: Vec::new(),
            jammed: false,
        };
        task.settle();
        task
    }

    /// Lets every task run until none has anything to do, and takes what is written.
    fn settle(&mut self) {
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
            Act::Open => self.ours.extend(session.open(OpenOptions::new("ours"))),
            Act::Send(count) => self.told.lock().unwrap().send = count,
        }
        // Else nothing runs before the peer looks.
        if matches!(act, Act::Send(_)) {
            self.settle();
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        for some in bytes.chunks(PIPE_BYTES / 2) {
            let stream = &mut self.stream;
            // One that is closed takes nothing any more.
            let _ = self.runtime.block_on(async {
                tokio::time::timeout(Duration::ZERO, stream.write_all(some)).await
            });
            self.settle();
        }
    }

    fn eof(&mut self) {
        let stream = &mut self.stream;
        let _ = self.runtime.block_on(stream.shutdown());
        self.settle();
    }

    fn written(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.written)
    }

    fn jam(&mut self) {
        self.jammed = true;
    }

    fn pass(&mut self, time: Duration) {
        self.settle();
        // Not a sleep: whoever has a channel looks again and again, so that the clock stands.
        self.runtime.block_on(tokio::time::advance(time));
        self.settle();
    }

    fn outcome(&mut self) -> Option<Outcome> {
        self.settle();
        self.told.lock().unwrap().outcome.clone()
    }
}
