//! The clients: each opens its channels, checks, decodes and times what comes on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tickwire::channels::{
    ChannelCx, ChannelFailure, ChannelHandler, ChannelId, Charge, ErrorCode, Received, Rejection,
};
use tickwire::reactor::{ConnId, Ended, Opened};
use tickwire::{Error, Stats};

use crate::args::Speed;
use crate::bulk::Receiving;
use crate::check::{Checker, Fault, Quotes};
use crate::feeds::{FEEDS, Stamp, TOPICS, Topic};
use crate::follow::Follower;
use crate::play::{Play, Progress};
use crate::stats::histogram;

/// All clients.
pub(crate) struct Clients {
    play: Arc<Play>,
    /// Latencies of the slow client, and of the others, nanoseconds.
    pub(crate) latency: [[Histogram<u64>; FEEDS]; 2],
    /// What came, by client and channel.
    pub(crate) tallies: Vec<[Tally; TOPICS]>,
    /// Files that came whole.
    pub(crate) files: u64,
}

/// What came on a channel.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    /// Messages that the server has replaced by newer ones.
    pub(crate) skipped: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    /// What was published so far.
    pub(crate) fn accounted(&self) -> u64 {
        self.messages + self.skipped
    }
}

/// One connection.
pub(crate) struct Client {
    index: usize,
    channels: [Option<ChannelId>; TOPICS],
    open: usize,
    tallies: [Tally; TOPICS],
    quotes: Quotes,
    trades: Checker,
    depth: Checker,
    file: Receiving,
    follower: Follower,
    /// At speed max: when the messages of a feed before this number were queued.
    queued: [Option<(u64, Instant)>; FEEDS],
    /// Of the slow client: what its rest is over for.
    unread: [Charge; FEEDS],
    rests: bool,
    fault: Option<Fault>,
}

/// What the slow client is slow with. It reads the others at once: they go on.
const SLOW_WITH: [Topic; 2] = [Topic::Bbo, Topic::Trades];

/// A timer of the slow client: its rest is over.
const RESTED: u64 = 0;

/// Why a client ends a connection on which something is wrong.
const WRONG: ErrorCode = ErrorCode::APPLICATION;

impl Clients {
    pub(crate) fn new(play: &Arc<Play>) -> crate::Result<Self> {
        let each = || -> crate::Result<_> { Ok([histogram()?, histogram()?, histogram()?]) };
        Ok(Self {
            play: play.clone(),
            latency: [each()?, each()?],
            tallies: vec![[Tally::default(); TOPICS]; play.lanes.len()],
            files: 0,
        })
    }

    fn time(&mut self, client: &mut Client, topic: Topic, number: u64, sent_ns: Option<u64>) {
        let play = &*self.play;
        let sent = match (sent_ns, play.speed) {
            (Some(sent_ns), _) => play.begin() + Duration::from_nanos(sent_ns),
            (None, Speed::Times(_)) => play.due_at(topic, number),
            (None, Speed::Max) => {
                let queued = &mut client.queued[topic.index()];
                if queued.is_none_or(|(before, _)| number >= before) {
                    *queued = play.queued_at(client.index, topic, number);
                }
                match *queued {
                    Some((_, at)) => at,
                    None => return,
                }
            }
        };
        let latency = Instant::now().saturating_duration_since(sent);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let group = usize::from(!play.is_slow(client.index));
        self.latency[group][topic.index()].saturating_record(nanos);
    }
}

impl Client {
    pub(crate) fn new(play: &Play, index: usize) -> Self {
        let checker = |feed| Checker::new(play.feeds().tape(feed).clone(), play.rounds);
        Self {
            index,
            channels: [None; TOPICS],
            open: 0,
            tallies: [Tally::default(); TOPICS],
            quotes: Quotes::new(play),
            trades: checker(Topic::Trades),
            depth: checker(Topic::Depth),
            file: Receiving::default(),
            follower: Follower::new(),
            queued: [None; FEEDS],
            unread: Default::default(),
            rests: false,
            fault: None,
        }
    }

    fn topic(&self, channel: ChannelId) -> Option<Topic> {
        let mut topics = Topic::ALL.into_iter();
        topics.find(|topic| self.channels[topic.index()] == Some(channel))
    }

    /// Checks a message, and decodes it where it lies in the receive buffer. Of a feed's message
    /// gives the number and, where it says so, when it was sent.
    #[inline]
    pub(crate) fn take(
        &mut self,
        play: &Play,
        topic: Topic,
        received: &Received<'_>,
    ) -> Result<Option<(u64, Option<u64>)>, Fault> {
        let payload: &[u8] = &received.data;
        let tally = &mut self.tallies[topic.index()];
        tally.skipped += received.skipped;
        let expected = tally.accounted();
        if received.seq != expected || received.skipped > 0 && topic != Topic::Bbo {
            return Err(Fault::Sequence {
                topic,
                expected,
                seq: received.seq,
                skipped: received.skipped,
            });
        }
        tally.messages += 1;
        tally.bytes += payload.len() as u64;
        let checker = match topic {
            Topic::Bbo => {
                let (stamp, quote) = Stamp::split(payload).ok_or(Fault::NoStamp)?;
                self.quotes.message(play, stamp.number, quote)?;
                let followed = self.follower.message(quote);
                followed.map_err(|what| Fault::Book {
                    topic,
                    message: stamp.number,
                    what,
                })?;
                return Ok(Some((stamp.number, Some(stamp.sent_ns))));
            }
            Topic::Trades => &mut self.trades,
            Topic::Depth => &mut self.depth,
            Topic::Bulk => {
                let file = play.bulk().ok_or_else(|| Fault::Bulk("unasked".into()))?;
                self.file.message(file, payload).map_err(Fault::Bulk)?;
                return Ok(None);
            }
        };
        let Some(message) = checker.message(payload)? else {
            return Ok(None);
        };
        let mut followed = self.follower.message(payload);
        let len = play.feeds().tape(topic).len() as u64;
        if followed.is_ok() && (message + 1).is_multiple_of(len) {
            followed = play.material.expected.check(&self.follower, topic);
        }
        followed.map_err(|what| Fault::Book {
            topic,
            message,
            what,
        })?;
        Ok(Some((message, None)))
    }

    /// A channel has ended: nothing may be missing. Files that came whole.
    pub(crate) fn finish(&mut self, play: &Play, topic: Topic) -> Result<u64, Fault> {
        match topic {
            Topic::Bbo => {
                let tally = &self.tallies[topic.index()];
                let published = play.total(topic);
                if tally.accounted() != published {
                    return Err(Fault::Unaccounted {
                        topic,
                        published,
                        messages: tally.messages,
                        skipped: tally.skipped,
                    });
                }
                self.quotes.finish(play)?;
                let checked = play.material.expected.check(&self.follower, topic);
                let message = published;
                checked.map_err(|what| Fault::Book {
                    topic,
                    message,
                    what,
                })?;
            }
            Topic::Trades => self.trades.finish()?,
            Topic::Depth => self.depth.finish()?,
            Topic::Bulk => return self.file.finish().map_err(Fault::Bulk),
        }
        Ok(0)
    }

    fn progress(&self) -> Progress {
        let feeds = &self.tallies[..FEEDS];
        Progress {
            accounted: feeds.iter().map(Tally::accounted).sum(),
            received: self.tallies.iter().map(|tally| tally.messages).sum(),
            bulk_bytes: self.tallies[Topic::Bulk.index()].bytes,
        }
    }

    /// Something is wrong: the connection is over, and with it the run.
    fn fail(&mut self, cx: &mut ChannelCx<'_, '_>, fault: Fault) {
        self.fault.get_or_insert(fault);
        cx.abort(WRONG);
    }

    /// The channel is over, and should not be.
    fn lost(
        &mut self,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        what: &str,
        code: ErrorCode,
    ) {
        let name = self.topic(channel).map_or("unknown", Topic::name);
        let why = format!("channel {name} was {what}: {code}");
        self.fail(cx, Fault::Channel(why));
    }
}

impl ChannelHandler for Clients {
    type Conn = Client;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, cx: &mut ChannelCx<'_, '_>, opened: Opened<'_>) -> Client {
        let mut client = Client::new(&self.play, opened.token as usize);
        for topic in self.play.topics() {
            match cx.open(topic.open(client.index)) {
                Ok(channel) => {
                    client.channels[topic.index()] = Some(channel);
                    client.open += 1;
                }
                Err(e) => client.fail(cx, Fault::Channel(format!("{topic}: {e}"))),
            }
        }
        client
    }

    fn message(&mut self, client: &mut Client, cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        let channel = received.channel;
        if let Some(topic) = client.topic(channel)
            && client.fault.is_none()
        {
            match client.take(&self.play, topic, &received) {
                Ok(Some((number, sent_ns))) => self.time(client, topic, number, sent_ns),
                Ok(None) => {}
                Err(fault) => client.fail(cx, fault),
            }
            if self.play.is_slow(client.index) && SLOW_WITH.contains(&topic) {
                return client.unread[topic.index()].merge(received.charge);
            }
        }
        cx.release(channel, received.charge);
    }

    fn batch_end(&mut self, client: &mut Client, cx: &mut ChannelCx<'_, '_>) {
        self.play.clients.set(cx.hub().calls());
        self.play.progress(client.index, client.progress());
        if client.index == 0 {
            self.play.show(&client.follower);
        }
        let unread = client.unread.iter().any(|charge| charge.bytes() > 0);
        if let Some(rest) = self.play.slow
            && unread
            && !client.rests
        {
            match cx.timer(rest, RESTED) {
                Ok(()) => client.rests = true,
                // Without a timer the rest would have no end.
                Err(e) => client.fail(cx, Fault::Channel(e.to_string())),
            }
        }
    }

    fn timer(&mut self, client: &mut Client, cx: &mut ChannelCx<'_, '_>, _token: u64) {
        client.rests = false;
        for (channel, charge) in client.channels.into_iter().zip(&mut client.unread) {
            if let Some(channel) = channel {
                cx.release(channel, charge.take());
            }
        }
    }

    fn refused(
        &mut self,
        client: &mut Client,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        refused: Rejection<'_>,
    ) {
        client.lost(cx, channel, "refused", refused.code);
    }

    fn finished(&mut self, client: &mut Client, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        let Some(topic) = client.topic(channel) else {
            return;
        };
        match client.finish(&self.play, topic) {
            Ok(files) => self.files += files,
            Err(fault) => client.fail(cx, fault),
        }
    }

    fn aborted(
        &mut self,
        client: &mut Client,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        client.lost(cx, channel, "aborted", code);
    }

    fn evicted(
        &mut self,
        client: &mut Client,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        client.lost(cx, channel, "evicted", code);
    }

    fn ended(&mut self, client: &mut Client, cx: &mut ChannelCx<'_, '_>, _: ChannelId) {
        client.open -= 1;
        if client.open == 0 {
            cx.drain(ErrorCode::NO_ERROR, "the tape is over");
        }
    }

    fn close(
        &mut self,
        client: Client,
        _: ConnId,
        ended: Ended,
        failure: ChannelFailure,
        _: Stats,
    ) {
        let index = client.index;
        self.play.progress(index, client.progress());
        if let Some(tallies) = self.tallies.get_mut(index) {
            *tallies = client.tallies;
        }
        let result = match client.fault {
            Some(fault) => Err(fault),
            None if client.open > 0 => Err(Fault::Channel(format!(
                "{} channels were open when the connection ended: {failure}, {ended:?}",
                client.open
            ))),
            None => Ok(()),
        };
        self.play.finish(index, result);
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        let fault = Fault::Channel(format!("it could not connect: {error}"));
        self.play.finish(token as usize, Err(fault));
    }
}
