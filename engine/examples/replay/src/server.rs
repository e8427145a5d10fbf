//! The server: publishes the tape, and the file, to every client.
//!
//! Each channel has a cursor of its own. A quote replaces the one of its symbol that waits. What
//! a full queue refuses of a reliable channel stays on the tape until [`ChannelHandler::writable`]
//! says that there is room: a slow reader holds up its channel and nothing else, what the server
//! keeps for it is bounded by `channel_queue_bytes_max`, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use tickwire::Stats;
use tickwire::channels::{
    Answer, ChannelCx, ChannelFailure, ChannelHandler, ChannelHub, ChannelId, ChannelSendError,
    Channels, DrainEnd, ErrorCode, Opening, Received,
};
use tickwire::reactor::{ConnId, Ended, Opened};

use crate::args::Speed;
use crate::check::Fault;
use crate::feeds::{Stamp, TOPICS, Topic};
use crate::play::{MARK_MESSAGES, Play};

/// Publishes to all clients.
pub(crate) struct Publisher {
    play: Arc<Play>,
    /// A command is on its way already.
    woken: Arc<AtomicBool>,
    /// Hears of each client that has opened all of its channels.
    opened: Sender<()>,
    subscribers: Vec<Subscriber>,
    /// A stamp and a quote.
    scratch: Vec<u8>,
    /// A full queue refused a message, which was then sent later.
    pub(crate) refusals: [u64; TOPICS],
    /// Most bytes that waited for one client.
    pub(crate) queued_bytes_most: usize,
    /// By client and channel.
    pub(crate) published: Vec<[u64; TOPICS]>,
}

/// One connection.
struct Subscriber {
    id: ConnId,
    client: Option<usize>,
    outlets: [Outlet; TOPICS],
}

/// One channel's way through what is published on it.
#[derive(Clone, Copy, Default)]
struct Outlet {
    channel: Option<ChannelId>,
    /// The next message.
    next: u64,
    /// Everything is sent, or nothing more is taken.
    over: bool,
}

impl Publisher {
    pub(crate) fn new(play: &Arc<Play>, woken: &Arc<AtomicBool>, opened: Sender<()>) -> Self {
        Self {
            play: play.clone(),
            woken: woken.clone(),
            opened,
            subscribers: Vec::new(),
            scratch: Vec::with_capacity(1024),
            refusals: [0; TOPICS],
            queued_bytes_most: 0,
            published: vec![[0; TOPICS]; play.lanes.len()],
        }
    }

    /// Sends what is due, as far as it is taken.
    fn publish(&mut self, index: usize, channels: &mut Channels) {
        if !self.play.has_begun() {
            return;
        }
        let play = self.play.clone();
        // Where nothing is due at a time, quotes follow what the others have reached.
        for topic in [Topic::Trades, Topic::Depth, Topic::Bbo] {
            self.publish_feed(&play, index, topic, channels);
        }
        self.publish_bulk(&play, index, channels);
    }

    fn publish_feed(&mut self, play: &Play, index: usize, feed: Topic, channels: &mut Channels) {
        let Some(subscriber) = self.subscribers.get_mut(index) else {
            return;
        };
        let until_ns = subscriber.reached_ns(play, feed);
        let outlet = &mut subscriber.outlets[feed.index()];
        let (Some(channel), Some(client)) = (outlet.channel, subscriber.client) else {
            return;
        };
        let (first, due) = (outlet.next, play.due(feed));
        while !outlet.over && outlet.next < due {
            let number = outlet.next;
            if until_ns.is_some_and(|until| play.feeds().at_ns(feed, number) > until) {
                break;
            }
            let sent = match play.feeds().frame(feed, number) {
                Some(frame) => channels.send_shared(channel, frame),
                None => {
                    let symbol = put_quote(play, number, &mut self.scratch);
                    channels.send_keyed(channel, symbol, &self.scratch)
                }
            };
            match sent {
                Ok(()) => outlet.next += 1,
                Err(ChannelSendError::WouldBlock) => {
                    self.refusals[feed.index()] += 1;
                    let queued = channels.stats().queued_bytes;
                    self.queued_bytes_most = self.queued_bytes_most.max(queued);
                    break;
                }
                // The client says why.
                Err(_) => outlet.over = true,
            }
            if play.speed == Speed::Max && outlet.next.is_multiple_of(MARK_MESSAGES) {
                play.mark(client, feed, outlet.next);
            }
        }
        if play.speed == Speed::Max && feed != Topic::Bbo && outlet.next > first {
            play.mark(client, feed, outlet.next);
        }
        self.published[client][feed.index()] = outlet.next;
        if !outlet.over && outlet.next == play.total(feed) {
            outlet.over = true;
            // Refused only where the channel has ended already.
            let _ = channels.finish(channel);
        }
    }

    /// The file, again and again, as long as the connection's market data goes on.
    fn publish_bulk(&mut self, play: &Play, index: usize, channels: &mut Channels) {
        let Some(subscriber) = self.subscribers.get_mut(index) else {
            return;
        };
        let market_is_over = Topic::FEEDS
            .into_iter()
            .all(|feed| subscriber.outlets[feed.index()].over);
        let outlet = &mut subscriber.outlets[Topic::Bulk.index()];
        let (Some(channel), Some(client), Some(file)) =
            (outlet.channel, subscriber.client, play.bulk())
        else {
            return;
        };
        while !outlet.over {
            let whole = outlet.next > 0 && outlet.next.is_multiple_of(file.chunks());
            if whole && market_is_over {
                outlet.over = true;
                // Refused only where the channel has ended already.
                let _ = channels.finish(channel);
                break;
            }
            match channels.send_bytes(channel, file.chunk(outlet.next)) {
                Ok(()) => outlet.next += 1,
                Err((ChannelSendError::WouldBlock, _)) => {
                    self.refusals[Topic::Bulk.index()] += 1;
                    break;
                }
                Err(_) => outlet.over = true,
            }
        }
        self.published[client][Topic::Bulk.index()] = outlet.next;
    }
}

impl Subscriber {
    /// At speed max, all is due at once: quotes would all be conflated into the last of them. They
    /// go on as the reliable feeds do, as far as the one that is furthest. `None`: no limit.
    fn reached_ns(&self, play: &Play, feed: Topic) -> Option<u64> {
        if feed != Topic::Bbo || play.speed != Speed::Max {
            return None;
        }
        let others = [Topic::Trades, Topic::Depth];
        let outlet = |feed: Topic| &self.outlets[feed.index()];
        if others.into_iter().all(|feed| outlet(feed).over) {
            return None;
        }
        let reached = others.map(|feed| match outlet(feed) {
            Outlet { over: true, .. } | Outlet { next: 0, .. } => 0,
            Outlet { next, .. } => play.feeds().at_ns(feed, next - 1),
        });
        reached.into_iter().max()
    }
}

/// A quote behind its stamp. Gives the key.
fn put_quote(play: &Play, number: u64, into: &mut Vec<u8>) -> u64 {
    let (quote, symbol) = play.feeds().quote(number);
    let sent_ns = match play.speed {
        Speed::Times(_) => play.due_ns(Topic::Bbo, number),
        Speed::Max => play.now_ns(),
    };
    into.clear();
    Stamp { number, sent_ns }.put(into);
    into.extend_from_slice(quote);
    symbol as u64
}

impl ChannelHandler for Publisher {
    /// The place of its subscriber.
    type Conn = usize;
    /// Something is due.
    type Command = ();
    type Admitted = ();

    fn open(&mut self, cx: &mut ChannelCx<'_, '_>, _opened: Opened<'_>) -> usize {
        self.subscribers.push(Subscriber {
            id: cx.id(),
            client: None,
            outlets: Default::default(),
        });
        self.subscribers.len() - 1
    }

    fn channel(
        &mut self,
        index: &mut usize,
        _cx: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        let client = opening.metadata.try_into().map(u64::from_le_bytes);
        let client = client.map_or(usize::MAX, |client| client as usize);
        let topic = Topic::named(opening.topic);
        let topic = topic.filter(|topic| self.play.topics().any(|open| open == *topic));
        let known = client < self.play.lanes.len();
        let (Some(topic), Some(subscriber)) = (topic, self.subscribers.get_mut(*index)) else {
            return Answer::Reject(ErrorCode::REFUSED);
        };
        let outlet = &mut subscriber.outlets[topic.index()];
        if !known || outlet.channel.is_some() {
            return Answer::Reject(ErrorCode::REFUSED);
        }
        subscriber.client = Some(client);
        outlet.channel = Some(opening.channel);
        let outlets = &subscriber.outlets;
        if (self.play.topics()).all(|topic| outlets[topic.index()].channel.is_some()) {
            let _ = self.opened.send(()); // nobody waits when the run has failed
        }
        Answer::Accept(topic.accept())
    }

    /// Clients send nothing.
    fn message(&mut self, _: &mut usize, cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        cx.release(received.channel, received.charge);
    }

    fn writable(&mut self, index: &mut usize, cx: &mut ChannelCx<'_, '_>, _: ChannelId) {
        self.play.server.set(cx.hub().calls());
        self.publish(*index, cx);
    }

    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, (): ()) {
        // Before looking: what becomes due later wakes again.
        self.woken.store(false, Ordering::Release);
        self.play.server.set(hub.calls());
        for index in 0..self.subscribers.len() {
            if let Some(channels) = hub.channels(self.subscribers[index].id) {
                self.publish(index, channels);
            }
        }
    }

    /// What was sent and what was replaced must be all that was published.
    fn ended(&mut self, index: &mut usize, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        let Some(subscriber) = self.subscribers.get(*index) else {
            return;
        };
        let topics = Topic::ALL.into_iter();
        let topic = { topics }.find(|t| subscriber.outlets[t.index()].channel == Some(channel));
        let (Some(topic), Some(client)) = (topic, subscriber.client) else {
            return;
        };
        let published = subscriber.outlets[topic.index()].next;
        let (sent, skipped) = cx
            .channel_stats(channel)
            .map_or((0, 0), |stats| (stats.messages_out, stats.skipped_out));
        if sent + skipped != published {
            let fault = Fault::Unaccounted {
                topic,
                published,
                messages: sent,
                skipped,
            };
            self.play.wrong(client, fault);
        }
    }

    fn close(&mut self, index: usize, _: ConnId, ended: Ended, failure: ChannelFailure, _: Stats) {
        let client = self.subscribers.get(index).and_then(|s| s.client);
        let drained = matches!(
            failure,
            ChannelFailure::Drained {
                code: ErrorCode::NO_ERROR,
                end: DrainEnd::Complete,
                ..
            }
        );
        // Where the run has failed already, it is known why.
        if !drained && !self.play.is_stopped() {
            eprintln!("replay: server: client {client:?}: {failure}, {ended:?}");
        }
    }

    fn accept_failed(&mut self, error: std::io::Error) {
        eprintln!("replay: server: cannot accept: {error}");
    }
}
