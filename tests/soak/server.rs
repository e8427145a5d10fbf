//! The server under test, in a process of its own: what it holds is its own.

use std::alloc::System;
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tickwire::channels::{
    AcceptOptions, Answer, ChannelConfig, ChannelCx, ChannelHandler, ChannelId, ChannelSendError,
    Charge, ErrorCode, Multiplexed, Opening, Received,
};
use tickwire::reactor::{Cx, Handler, Opened, Reactor, ReactorOptions, Remote, TokioReactor};
use tickwire::{Config, Kind, Message};

use crate::plant::{Plant, Planted};
use crate::{Driver, Fallible};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Longest message that is taken.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Sends every message back.
struct Echo {
    planted: Planted,
}

/// The message that the full queue refused; nothing is read until it is sent.
type Refused = Option<(Kind, Vec<u8>)>;

impl Handler for Echo {
    type Conn = Refused;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _cx: &mut Cx<'_>, _opened: Opened<'_>) -> Refused {
        self.planted.opened();
        None
    }

    fn message(&mut self, refused: &mut Refused, cx: &mut Cx<'_>, message: Message<'_>) {
        if let Message::Binary(payload) = message {
            match self.planted.copies() {
                0 => return,
                2 => drop(cx.send(payload)),
                _ => {}
            }
        }
        let (kind, payload, sent) = match message {
            Message::Binary(payload) => (Kind::Binary, payload, cx.send(payload)),
            Message::Text(text) => (Kind::Text, text.as_bytes(), cx.outbox().send_text(text)),
            _ => return,
        };
        if let Err(tickwire::SendError::QueueFull { .. }) = sent {
            *refused = Some((kind, payload.to_vec()));
            cx.pause();
        }
    }

    fn drained(&mut self, refused: &mut Refused, cx: &mut Cx<'_>) {
        if let Some((kind, payload)) = refused.take() {
            let sent = match kind {
                Kind::Binary => cx.outbox().send(&payload),
                Kind::Text => cx
                    .outbox()
                    .send_text(std::str::from_utf8(&payload).unwrap_or_default()),
            };
            if let Err(tickwire::SendError::QueueFull { .. }) = sent {
                *refused = Some((kind, payload));
                return; // it is told again
            }
        }
        cx.resume();
    }
}

/// Sends every message back on its channel, and takes credit off the peer until it is sent.
struct ChannelEcho {
    planted: Planted,
}

/// What waits on a channel, and whether it is to be finished behind it.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Vec<u8>, Charge)>,
    finishing: bool,
}

type Channels = HashMap<ChannelId, Waiting>;

fn flush(waiting: &mut Channels, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
    let Some(on) = waiting.get_mut(&channel) else {
        return;
    };
    while let Some((payload, charge)) = on.messages.front_mut() {
        match cx.send(channel, payload) {
            Ok(()) => cx.release(channel, charge.take()),
            Err(ChannelSendError::WouldBlock) => return,
            Err(_) => {
                cx.close_channel(channel, ErrorCode::REFUSED);
                waiting.remove(&channel);
                return;
            }
        }
        on.messages.pop_front();
    }
    if on.finishing {
        // A connection that is over has finished it already.
        let _ = cx.finish(channel);
    }
}

impl ChannelHandler for ChannelEcho {
    type Conn = Channels;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _cx: &mut ChannelCx<'_, '_>, _opened: Opened<'_>) -> Channels {
        self.planted.opened();
        Channels::new()
    }

    fn channel(
        &mut self,
        waiting: &mut Channels,
        _cx: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        waiting.insert(opening.channel, Waiting::default());
        Answer::Accept(AcceptOptions::new())
    }

    fn message(
        &mut self,
        waiting: &mut Channels,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    ) {
        let on = waiting.entry(received.channel).or_default();
        match self.planted.copies() {
            0 => return cx.release(received.channel, received.charge),
            2 => on
                .messages
                .push_back((received.data.to_vec(), Charge::default())),
            _ => {}
        }
        on.messages
            .push_back((received.data.to_vec(), received.charge));
        flush(waiting, cx, received.channel);
    }

    fn writable(&mut self, waiting: &mut Channels, cx: &mut ChannelCx<'_, '_>, id: ChannelId) {
        flush(waiting, cx, id);
    }

    fn finished(&mut self, waiting: &mut Channels, cx: &mut ChannelCx<'_, '_>, id: ChannelId) {
        waiting.entry(id).or_default().finishing = true;
        flush(waiting, cx, id);
    }

    fn ended(&mut self, waiting: &mut Channels, _cx: &mut ChannelCx<'_, '_>, id: ChannelId) {
        waiting.remove(&id);
    }
}

/// Deadlines short enough that every one is met in a minute, and long enough for a busy machine.
fn options() -> Fallible<ReactorOptions> {
    let config = Config::default()
        .message_bytes_max(MESSAGE_BYTES_MAX)
        .frame_bytes_max(MESSAGE_BYTES_MAX)
        .send_queue_bytes_max(2 << 20)
        .ping_interval(Some(Duration::from_secs(4)))
        .pong_timeout(Duration::from_secs(15))
        .write_timeout(Duration::from_secs(15))
        .handshake_timeout(Duration::from_secs(15));
    Ok(ReactorOptions::default().config(config))
}

/// A reactor on a thread of its own: where it listens, and how it is stopped.
type Started = (SocketAddr, Remote<()>, JoinHandle<Fallible<()>>);

fn start<H: Handler<Command = ()> + Send + 'static>(
    driver: Driver,
    handler: H,
) -> Fallible<Started> {
    let any: SocketAddr = ([0, 0, 0, 0], 0).into();
    let options = options()?;
    let (tell, told) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || match driver {
        Driver::Mio => {
            let mut reactor = Reactor::new(handler, options)?;
            tell.send((reactor.listen(any)?.0, reactor.remote()))?;
            reactor.run()?;
            Ok(())
        }
        Driver::Tokio => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                let mut reactor = TokioReactor::new(handler, options)?;
                tell.send((reactor.listen(any)?.0, reactor.remote()))?;
                reactor.run().await?;
                Ok(())
            }),
    });
    match told.recv() {
        Ok((addr, remote)) => Ok((addr, remote, thread)),
        Err(_) => match thread.join() {
            Ok(Err(e)) => Err(e),
            _ => Err("a reactor that does not begin".into()),
        },
    }
}

/// Bytes that are allocated and not freed.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Serves WebSockets on one port and channels on another, until its input ends; each line of it is
/// answered with what is allocated.
pub(crate) fn serve(driver: Driver, plant: Plant) -> Fallible<()> {
    let planted = Planted::new(plant);
    let plain = start(driver, Echo { planted })?;
    let limits = ChannelConfig::default().idle_timeout(Duration::from_secs(20));
    let planted = Planted::new(plant);
    let channels = start(
        driver,
        Multiplexed::new(ChannelEcho { planted }, limits).expect("limits that work"),
    )?;
    println!("listening {} {}", plain.0.port(), channels.0.port());
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", allocated());
        std::io::stdout().flush()?;
    }
    for (_, remote, thread) in [plain, channels] {
        let _ = remote.stop(); // one that has ended needs none, and its error is below
        thread.join().map_err(|_| "a reactor panicked")??;
    }
    Ok(())
}
