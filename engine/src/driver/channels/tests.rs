//! Tests of channels on a reactor, with a fake clock and fake sockets.

mod behaviours;

use std::boxed::Box;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use std::vec::Vec;

use super::super::handler::{ConnId, Opened};
use super::super::reactor::fake;
use super::super::remote::Command;
use super::super::timers_full::TIMERS_MAX;
use super::{Answer, ChannelCx, ChannelHandler, ChannelHub, Multiplexed, Rejection};
use crate::role::Role;
use crate::session::channels::{
    AcceptOptions, ChannelConfig, ChannelFailure, ChannelId, Charge, ErrorCode, Event, Mux,
    OpenOptions, Opening, Received, SUBPROTOCOL,
};
use crate::time::Timestamp;

type OnMessage = Box<dyn FnMut(&mut ChannelCx<'_, '_>, ChannelId)>;

/// A callback of the handler.
#[derive(PartialEq, Eq, Debug)]
enum Seen {
    Channel(ChannelId),
    Refused(ChannelId),
    Message(Vec<u8>),
    Ended(ChannelId),
    Failed(ConnId, ChannelFailure),
}

/// Keeps all messages unreleased, records its callbacks, and runs the closures of a test.
struct App {
    answer: Answer,
    on_message: OnMessage,
    kept: Vec<(ChannelId, Charge)>,
    seen: Vec<Seen>,
}

impl ChannelHandler for App {
    type Conn = ();
    type Command = Box<dyn FnOnce(&mut ChannelHub<'_, '_>) + Send>;
    type Admitted = ();

    fn open(&mut self, _: &mut ChannelCx<'_, '_>, _: Opened<'_>) {}

    fn channel(&mut self, _: &mut (), _: &mut ChannelCx<'_, '_>, opening: Opening<'_>) -> Answer {
        self.seen.push(Seen::Channel(opening.channel));
        self.answer.clone()
    }

    fn refused(
        &mut self,
        _: &mut (),
        _: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        _: Rejection<'_>,
    ) {
        self.seen.push(Seen::Refused(channel));
    }

    fn message(&mut self, _: &mut (), cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        self.seen.push(Seen::Message(received.data.to_vec()));
        self.kept.push((received.channel, received.charge));
        (self.on_message)(cx, received.channel);
    }

    fn ended(&mut self, _: &mut (), _: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.seen.push(Seen::Ended(channel));
    }

    fn failed(&mut self, _: &mut (), cx: &mut ChannelCx<'_, '_>, failure: ChannelFailure) {
        self.seen.push(Seen::Failed(cx.id(), failure));
    }

    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, command: Self::Command) {
        command(hub);
    }
}

/// A server with one connection, and the client of that connection.
struct Rig {
    below: fake::Rig<Multiplexed<App>>,
    peer: Mux,
    /// Messages that the peer has not released.
    unread: Vec<(ChannelId, Charge)>,
    config: ChannelConfig,
}

impl Deref for Rig {
    type Target = fake::Rig<Multiplexed<App>>;

    fn deref(&self) -> &Self::Target {
        &self.below
    }
}

impl DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.below
    }
}

impl Rig {
    fn new(config: ChannelConfig, answer: Answer) -> Self {
        let below = crate::Config::default().ping_interval(None);
        let app = App {
            answer,
            on_message: Box::new(|_, _| {}),
            kept: Vec::new(),
            seen: Vec::new(),
        };
        let handler = Multiplexed::new(app, config.clone()).unwrap();
        let below = fake::Rig::empty(handler, below, 32 << 10);
        let mut rig = Self {
            peer: Mux::new(config.clone(), below.now).unwrap(),
            below,
            unread: Vec::new(),
            config,
        };
        rig.open();
        rig
    }

    /// Opens a connection with the id `id`; the peer has not sent its HELLO yet.
    fn open(&mut self) {
        self.below.open(Role::Server, Some(SUBPROTOCOL));
        self.peer = Mux::new(self.config.clone(), self.now).unwrap();
    }

    fn app(&mut self) -> &mut App {
        self.core.handler.handler()
    }

    fn seen(&mut self) -> Vec<Seen> {
        core::mem::take(&mut self.app().seen)
    }

    /// Carries out `jobs` in one turn.
    fn command<const N: usize>(&mut self, jobs: [<App as ChannelHandler>::Command; N]) {
        for job in jobs {
            let now = self.now;
            self.core.carry_out(Command::User(job), now);
        }
        self.serve();
    }

    /// Passes records both ways until neither end has more to send.
    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(record) = self.peer.poll_record(self.below.now) {
                quiet = false;
                frame(
                    &mut self.below.pipe.borrow_mut().incoming,
                    record.as_slice(),
                );
            }
            self.readable();
            let written = core::mem::take(&mut self.pipe.borrow_mut().written);
            let mut rest = &written[..];
            while let [0x82, short, after @ ..] = rest {
                quiet = false;
                let (len, at) = match short {
                    126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), 2),
                    &len => (usize::from(len), 0),
                };
                let record;
                (record, rest) = after[at..].split_at(len);
                let mut incoming = self.peer.receive(record, self.below.now);
                while let Some(event) = self.peer.next(&mut incoming) {
                    match event {
                        Event::Message(m) => self.unread.push((m.channel, m.charge)),
                        Event::Failed(failure) => panic!("{failure}"),
                        _ => {}
                    }
                }
            }
            assert!(rest.is_empty(), "something else than a record");
            if quiet {
                return;
            }
        }
    }

    /// The peer opens a channel. Returns the ids of the channel at the peer and at this end.
    fn offered(&mut self) -> (ChannelId, ChannelId) {
        let at_peer = self.peer.open(OpenOptions::new("ticks")).unwrap();
        self.exchange();
        match self.seen()[..] {
            [Seen::Channel(local)] => (at_peer, local),
            ref other => panic!("{other:?}"),
        }
    }
}

/// A client's binary message, masked with zeros.
fn frame(pipe: &mut Vec<u8>, record: &[u8]) {
    match u8::try_from(record.len()) {
        Ok(len) if len < 126 => pipe.extend_from_slice(&[0x82, 0x80 | len]),
        _ => {
            pipe.extend_from_slice(&[0x82, 0x80 | 126]);
            pipe.extend_from_slice(&(record.len() as u16).to_be_bytes());
        }
    }
    pipe.extend_from_slice(&[0; 4]);
    pipe.extend_from_slice(record);
}

fn accepting() -> Answer {
    Answer::Accept(AcceptOptions::new())
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

const HOUR: u64 = 3600;

/// Deadlines of ended and of open connections do not count for [`TIMERS_MAX`].
#[test]
fn deadlines_of_channels_do_not_count_as_application_timers() {
    let config = ChannelConfig::default().idle_timeout(Duration::from_secs(HOUR));
    let mut rig = Rig::new(config, accepting());
    let mut rounds = 0;
    for round in 1..=20 {
        rounds = round;
        rig.pass(at(61 * round));
        rig.pipe.borrow_mut().end = Some(Ok(0));
        rig.readable();
        assert_eq!(rig.core.connections(), 0);
        rig.id = rig.core.reserve();
        rig.open();
    }
    rig.app().on_message = Box::new(|cx, _| {
        for token in 0..TIMERS_MAX as u64 {
            let set = cx.timer(Duration::from_secs(HOUR * 24), token);
            assert!(set.is_ok(), "{set:?} at {token}");
        }
        assert!(cx.timer(Duration::ZERO, 0).is_err(), "the limit is reached");
    });
    let (at_peer, _) = rig.offered();
    rig.peer.send(at_peer, b"go").unwrap();
    rig.exchange();

    // The deadlines of the channels still work at the limit.
    let first = rig.id;
    rig.id = rig.core.reserve();
    let second = rig.id;
    rig.open();
    rig.seen();
    rig.pass(at(61 * rounds + HOUR - 1));
    assert_eq!(rig.seen(), []);
    rig.pass(at(61 * rounds + HOUR));
    let seen = rig.seen();
    for id in [first, second] {
        assert!(
            seen.contains(&Seen::Failed(id, ChannelFailure::Idle)),
            "{seen:?}"
        );
    }
}

/// The timers of an ended connection are dropped within a minute.
#[test]
fn channel_timers_of_ended_connections_are_dropped() {
    let config = ChannelConfig::default().idle_timeout(Duration::from_secs(HOUR));
    let mut rig = Rig::new(config, accepting());
    rig.pipe.borrow_mut().end = Some(Ok(0));
    rig.readable();
    assert_eq!(rig.core.connections(), 0);
    rig.pass(at(60));
    assert_eq!(rig.core.next_timeout(), None);
}

/// The handler closes the channel, or aborts all channels, in the middle of a run.
#[test]
fn delivery_of_a_run_stops_when_its_channel_is_closed() {
    let close_channel: OnMessage = Box::new(|cx, channel| cx.close_channel(channel, ErrorCode(7)));
    let reject: OnMessage = Box::new(|cx, channel| cx.reject(channel, ErrorCode(7)));
    let abort: OnMessage = Box::new(|cx, _| cx.abort(ErrorCode::INTERNAL));
    let cases = [
        (accepting(), close_channel),
        (Answer::Later, reject),
        (accepting(), abort),
    ];
    for (answer, on_message) in cases {
        let mut rig = Rig::new(ChannelConfig::default(), answer.clone());
        let (at_peer, _) = rig.offered();
        rig.app().on_message = on_message;
        rig.peer.send_run_bytes(at_peer, 2, b"aabbcc").unwrap();
        while let Some(record) = rig.peer.poll_record(rig.below.now) {
            frame(&mut rig.below.pipe.borrow_mut().incoming, record.as_slice());
        }
        rig.readable();
        let mut messages = rig.seen();
        messages.retain(|seen| matches!(seen, Seen::Message(_)));
        assert_eq!(messages, [Seen::Message(b"aa".to_vec())], "{answer:?}");
        // The rest of the run does not count for the window of the connection.
        let id = rig.id;
        rig.command([Box::new(move |hub| {
            let channels = hub.channels(id).unwrap();
            assert!(channels.failure().is_some() || channels.stats().held_bytes == 0);
        })]);
    }
}

/// The peer resets a channel that waits for its answer, and that has an unreleased message.
#[test]
fn a_rejected_channel_has_no_further_callbacks() {
    for with_reason in [false, true] {
        let mut rig = Rig::new(ChannelConfig::default(), Answer::Later);
        let (at_peer, local) = rig.offered();
        rig.peer.send(at_peer, b"early").unwrap();
        rig.exchange();
        rig.peer.reset(at_peer, ErrorCode(5));
        rig.peer.stop(at_peer, ErrorCode(5));
        rig.exchange();
        assert_eq!(rig.seen(), [Seen::Message(b"early".to_vec())]);
        let id = rig.id;
        rig.command([Box::new(move |hub| {
            let channels = hub.channels(id).unwrap();
            if with_reason {
                channels.reject_with(local, ErrorCode(6), b"no").unwrap();
            } else {
                channels.reject(local, ErrorCode(6));
            }
        })]);
        rig.exchange();
        assert_eq!(rig.seen(), []);
    }
}

/// A reject after an accept has no effect: the channel still gets its `ended` callback.
#[test]
fn a_reject_after_an_accept_has_no_effect() {
    let mut rig = Rig::new(ChannelConfig::default(), accepting());
    let (at_peer, local) = rig.offered();
    rig.peer.send(at_peer, b"kept").unwrap();
    rig.peer.finish_sending(at_peer).unwrap();
    rig.exchange();
    assert_eq!(rig.seen(), [Seen::Message(b"kept".to_vec())]);
    let id = rig.id;
    let kept = core::mem::take(&mut rig.app().kept);
    rig.command([
        Box::new(move |hub| hub.channels(id).unwrap().reject(local, ErrorCode(6))),
        Box::new(move |hub| {
            let channels = hub.channels(id).unwrap();
            kept.into_iter()
                .for_each(|(of, charge)| channels.release(of, charge));
        }),
    ]);
    assert_eq!(rig.seen(), [Seen::Ended(local)]);
}

/// A queued event is dropped with its channel.
#[test]
fn a_queued_event_is_dropped_with_its_channel() {
    for reject in [false, true] {
        let mut rig = Rig::new(ChannelConfig::default(), accepting());
        let id = rig.id;
        // Opened before the HELLO of the peer, so that the channel is not announced.
        rig.command([
            Box::new(move |hub| {
                let channels = hub.channels(id).unwrap();
                channels.open(OpenOptions::new("local")).unwrap();
                channels.drain(ErrorCode::NO_ERROR, "");
            }),
            Box::new(move |hub| {
                let channels = hub.channels(id).unwrap();
                let local = channels.ids().next().unwrap();
                if reject {
                    channels.reject(local, ErrorCode(6));
                } else {
                    channels.close_channel(local, ErrorCode(6));
                }
            }),
        ]);
        let seen = rig.seen();
        assert!(
            !seen.iter().any(|s| matches!(s, Seen::Refused(_))),
            "{seen:?}"
        );
    }
}

/// Many more channels than one round checks for their end.
const CHANNELS: usize = 1000;

/// A server with [`CHANNELS`] channels, each of which has ended except for one unreleased message.
fn ended_but_unreleased() -> Rig {
    let mut rig = Rig::new(ChannelConfig::default(), accepting());
    for _ in 0..CHANNELS {
        let (at_peer, _) = rig.offered();
        rig.peer.send(at_peer, b"x").unwrap();
        rig.peer.finish_sending(at_peer).unwrap();
        rig.exchange();
        assert_eq!(rig.seen(), [Seen::Message(b"x".to_vec())]);
    }
    rig
}

/// `ended` is called at the release of a channel's last message, whatever other channels keep.
#[test]
fn a_release_ends_its_channel_at_once() {
    let mut rig = ended_but_unreleased();
    let mut kept = core::mem::take(&mut rig.app().kept);
    let mut left = CHANNELS;
    // Single channels, then every second channel, then the rest.
    for alone in [900, 3, 0, 998, 500] {
        left -= 1;
        release(&mut rig, [kept.remove(alone.min(left))].into());
    }
    let (odd, even): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(of, _)| of.index() % 2 > 0);
    release(&mut rig, odd);
    release(&mut rig, even);
}

/// Releases messages, and checks that exactly their channels end, once, without input from the peer.
#[track_caller]
fn release(rig: &mut Rig, kept: Vec<(ChannelId, Charge)>) {
    let id = rig.id;
    let mut expected: Vec<_> = kept.iter().map(|&(of, _)| of).collect();
    rig.command([Box::new(move |hub| {
        let channels = hub.channels(id).unwrap();
        for (of, charge) in kept {
            channels.release(of, charge);
        }
    })]);
    let ended = rig.seen().into_iter().map(|seen| match seen {
        Seen::Ended(channel) => channel,
        other => panic!("{other:?}"),
    });
    let mut ended: Vec<_> = ended.collect();
    ended.sort();
    expected.sort();
    assert_eq!(ended, expected);
}

/// `ended` is called when the credit of the peer allows the last send, whatever other channels keep.
#[test]
fn credit_for_the_last_message_ends_its_channel_at_once() {
    let mut rig = ended_but_unreleased();
    let (at_peer, local) = rig.offered();
    rig.app().on_message = Box::new(|cx, channel| {
        for _ in 0..4 {
            cx.send(channel, [7; 20_000]).unwrap(); // in sum more than a window
        }
    });
    rig.peer.send(at_peer, b"go").unwrap();
    rig.peer.finish_sending(at_peer).unwrap();
    rig.exchange();
    assert_eq!(rig.seen(), [Seen::Message(b"go".to_vec())]);
    let go = rig.app().kept.pop();
    let id = rig.id;
    rig.command([Box::new(move |hub| {
        let (channel, charge) = go.unwrap();
        hub.channels(id).unwrap().release(channel, charge);
    })]);
    assert_eq!(rig.seen(), [], "messages are queued");
    for (channel, charge) in core::mem::take(&mut rig.unread) {
        rig.peer.release(channel, charge);
    }
    rig.exchange();
    assert_eq!(rig.seen(), [Seen::Ended(local)]);
}
