//! Two connections and what is between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tickwire::Timestamp;
use tickwire::channels::{
    ChannelConfig, ChannelId, Charge, Direction, ErrorCode, HalfState, Mode, Unit,
};

use super::end::End;
use super::frames::{self, CREDIT, Frame, HELLO, RESET};
use super::model::Dir;

/// A channel, as both applications know it.
#[derive(Debug)]
pub struct Link {
    /// The end that opened it.
    pub opener: usize,
    /// Its id at either end, while the application has it.
    pub ids: [Option<ChannelId>; 2],
    /// What its options were.
    pub mode: Mode,
    /// See [`Self::mode`].
    pub unit: Unit,
    /// See [`Self::mode`].
    pub direction: Direction,
    /// See [`Self::mode`].
    pub priority: u8,
    /// The alias that either end has chosen.
    pub aliases: [Option<u32>; 2],
    /// The acceptor has answered.
    pub answered: bool,
    /// The opener was told so.
    pub accepted: bool,
    /// Bytes of the window that each end's application has granted beyond the default.
    pub granted: [u64; 2],
    /// What each end publishes.
    pub dirs: [Dir; 2],
}

impl Link {
    /// Whether the channel lets this end send.
    #[must_use]
    pub fn sends(&self, end: usize) -> bool {
        match self.direction {
            Direction::Both => true,
            Direction::OpenerSends => end == self.opener,
            Direction::AcceptorSends => end != self.opener,
        }
    }

    /// Neither end gets all that was published.
    pub fn cut(&mut self) {
        for dir in &mut self.dirs {
            dir.cut |= !dir.ended;
            dir.waits = None;
        }
    }
}

/// What was counted.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Records that were sent.
    pub records: u64,
    /// Messages that came.
    pub messages: u64,
    /// Sends that were refused for want of room.
    pub refused: u64,
    /// Channels whose message did not end in time.
    pub evicted: u64,
    /// CREDITs that asked for what is not used, and that gave it back.
    pub narrowed: u64,
    /// See [`Self::narrowed`].
    pub returned: u64,
}

/// Two ends, two queues of records, one clock.
#[derive(Debug)]
pub struct Sim {
    /// Both ends.
    pub ends: [End; 2],
    /// Their config.
    pub config: [ChannelConfig; 2],
    /// What end 0, and end 1, has sent and the other has not received.
    pub pipes: [VecDeque<Vec<u8>>; 2],
    /// The transport takes nothing of this end's.
    pub blocked: [bool; 2],
    /// The fake clock, in nanoseconds.
    pub now: u64,
    /// What each end was told of it.
    pub told: [u64; 2],
    /// The channels, those that are over included.
    pub links: Vec<Link>,
    pub(super) by_id: BTreeMap<(usize, ChannelId), usize>,
    /// Channels that an end was told to have ended.
    ended: BTreeSet<(usize, usize)>,
    ready: [bool; 2],
    spoke: [bool; 2],
    pub(super) flushed: u64,
    /// For reports.
    pub counts: Counts,
    /// Channels are answered as soon as they are offered.
    pub eager: bool,
    /// Charges are released as soon as a message comes.
    pub reads: bool,
}

impl Sim {
    /// Two ends that have not spoken yet.
    #[must_use]
    pub fn new(config: [ChannelConfig; 2]) -> Self {
        let now = 1_000;
        let end = |s| End::new(s, Timestamp(now));
        Self {
            ends: [end(&config[0]), end(&config[1])],
            config,
            pipes: [VecDeque::new(), VecDeque::new()],
            blocked: [false; 2],
            now,
            told: [now; 2],
            links: Vec::new(),
            by_id: BTreeMap::new(),
            ended: BTreeSet::new(),
            ready: [false; 2],
            spoke: [false; 2],
            flushed: now,
            counts: Counts::default(),
            eager: false,
            reads: false,
        }
    }

    /// Takes records of this end's, if it has any and the transport takes them.
    pub fn poll(&mut self, end: usize) -> bool {
        let now = Timestamp(self.now);
        if self.blocked[end] {
            self.ends[end].block(now);
            return false;
        }
        if !self.ends[end].session.wants_write() {
            return false;
        }
        self.told[end] = self.now;
        let records = self.ends[end].poll_records(now);
        if records.is_empty() {
            // What waited was of no use any more; but that is known then.
            let spins = self.ends[end].session.wants_write();
            let core = &self.ends[end];
            assert!(
                !spins,
                "it wants to write for ever, and has nothing: {core:#?}"
            );
        }
        let any = !records.is_empty();
        for record in records {
            self.check_record(end, &record);
            self.counts.records += 1;
            self.pipes[end].push_back(record);
        }
        self.hear(end);
        any
    }

    fn check_record(&mut self, end: usize, record: &[u8]) {
        let max = self.config[1 - end].record_bytes_max as usize;
        assert!(record.len() <= max, "R13: {} of {max}", record.len());
        let list = frames::frames(record);
        let first = list.first().expect("a record of PAD only");
        assert_eq!(first.kind == HELLO, !self.spoke[end], "HELLO is the first");
        self.spoke[end] = true;
        if !self.ready[end] {
            let early = list
                .iter()
                .find(|f| !matches!(f.kind, HELLO | frames::GOAWAY));
            assert_eq!(early, None, "before the peer's HELLO");
        }
        let credits = |flag: u8| {
            let is = |f: &&frames::Frame| f.kind == CREDIT && f.flags & flag != 0;
            list.iter().filter(is).count() as u64
        };
        self.counts.narrowed += credits(frames::FLAG_NARROW);
        self.counts.returned += credits(frames::FLAG_RETURN);
        // R3: nothing is said twice in a record.
        let mut said: Vec<(u8, u8, u64)> = Vec::new();
        for frame in list.iter().filter(|f| f.is_control()) {
            let what = (frame.kind, frame.flags, frame.alias);
            let again = matches!(frame.kind, CREDIT | RESET) && said.contains(&what);
            // An alias is used again only after the life that it had before.
            let reborn = said
                .iter()
                .any(|&(kind, ..)| kind == frames::OPEN || kind == frames::ACCEPT);
            assert!(!again || reborn, "said twice: {what:?}");
            said.push(what);
        }
    }

    /// Hands a record to the end that it was sent to.
    pub fn deliver(&mut self, from: usize) -> bool {
        let Some(record) = self.pipes[from].pop_front() else {
            return false;
        };
        self.receive(1 - from, &record);
        true
    }

    /// The end receives a record.
    pub fn receive(&mut self, end: usize, record: &[u8]) {
        self.told[end] = self.now;
        let mut incoming = self.ends[end].receive(record, Timestamp(self.now));
        while let Some(event) = self.ends[end].next(&mut incoming) {
            self.event(end, event);
        }
        self.hear(end);
    }

    /// What happened without a record, who may send again, and which channels have ended.
    pub fn hear(&mut self, end: usize) {
        while let Some(event) = self.ends[end].session.poll_event() {
            self.event(end, event);
        }
        while let Some(id) = self.ends[end].session.poll_writable() {
            if let Some(&link) = self.by_id.get(&(end, id)) {
                self.links[link].dirs[end].waits = None;
            }
        }
        assert!(!self.ends[end].session.has_events(), "all is told");
        self.ends[end].session.begin_ended_round();
        while let Some(id) = self.ends[end].session.poll_ended() {
            let known = self.link_of(end, id);
            let link = known.expect("the application has it");
            assert!(self.ended.insert((end, link)), "it has ended twice");
            let stats = self.ends[end].channel_stats(id).expect("it has a place");
            assert_eq!((stats.held_bytes, stats.queued_bytes), (0, 0));
            let over = |half| !matches!(half, HalfState::Open | HalfState::Opening);
            assert!(over(stats.sending) && over(stats.receiving), "{stats:?}");
        }
    }

    pub(super) fn became_ready(&mut self, end: usize) {
        assert!(!self.ready[end], "ready twice");
        self.ready[end] = true;
    }

    /// Lets time pass, and tells both ends when something is due.
    pub fn pass(&mut self, nanos: u64) {
        let until = self.now + nanos;
        // Each turn serves a deadline; there are a few in any span.
        for _ in 0..10_000 {
            let due = |e: &End| e.session.poll_timeout().map(|t| t.0);
            let next = self.ends.iter().filter_map(due).min();
            let Some(at) = next.filter(|&at| at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            for end in 0..2 {
                self.told[end] = self.now;
                self.ends[end].handle_timeout(Timestamp(self.now));
                self.hear(end);
            }
        }
        panic!("a timeout that stays due at {}", self.now);
    }

    /// Both transports take all, and all is delivered, until nothing more comes of it.
    pub fn flush(&mut self) {
        self.blocked = [false; 2];
        self.flushed = self.now;
        for _ in 0..1_000_000 {
            let mut busy = false;
            for end in 0..2 {
                busy |= self.poll(end);
                busy |= self.deliver(end);
            }
            if !busy {
                return;
            }
        }
        panic!("records without end");
    }

    /// The link's index, if the end's application has the channel.
    #[must_use]
    pub fn link_of(&self, end: usize, id: ChannelId) -> Option<usize> {
        self.by_id.get(&(end, id)).copied()
    }

    /// Gives back credit.
    pub fn release(&mut self, end: usize, link: usize, charge: Charge) {
        if let Some(id) = self.links[link].ids[end] {
            self.ends[end].release(id, charge);
        }
    }

    /// Gives back all the credit that the end holds of a channel.
    pub fn release_all(&mut self, end: usize, link: usize) {
        for charge in std::mem::take(&mut self.links[link].dirs[1 - end].parked) {
            self.release(end, link, charge);
        }
    }

    /// The end's application lets go of a channel.
    pub fn close_channel(&mut self, end: usize, link: usize, code: ErrorCode) {
        let Some(id) = self.links[link].ids[end].take() else {
            return;
        };
        self.links[link].cut();
        let parked = std::mem::take(&mut self.links[link].dirs[1 - end].parked);
        self.by_id.remove(&(end, id));
        self.ends[end].close_channel(id, code);
        let before = self.ends[end].stats();
        for charge in parked {
            self.ends[end].release(id, charge);
        }
        let late = "what is released after the application let go counts for nothing";
        assert_eq!(before, self.ends[end].stats(), "{late}");
        self.hear(end);
    }

    /// Checks what holds at every step.
    pub fn check(&self) {
        for sender in 0..2 {
            self.check_memory(sender);
            for link in &self.links {
                self.check_link(link, sender);
            }
        }
    }

    /// R7 and R19: what the end has to send, and what it receives.
    fn check_memory(&self, end: usize) {
        let (core, config) = (&self.ends[end], &self.config[end]);
        let stats = core.stats();
        let (mut held, mut queued) = (0, 0);
        for id in core.ids() {
            let c = core.channel_stats(id).expect("it has a place");
            held += c.held_bytes;
            queued += c.queued_bytes;
            let one = c.queued_messages <= 1;
            let cap = config.channel_queue_bytes_max as usize;
            assert!(
                one || c.queued_bytes <= cap,
                "R7: {} queued",
                c.queued_bytes
            );
        }
        assert_eq!(held, stats.held_bytes, "what all channels hold");
        self.check_reserved(end);
        assert_eq!(queued, stats.queued_bytes, "what all queues hold");
        let cap = config.connection_queue_bytes_max as usize;
        // One message of each is always taken.
        let more: usize = core
            .ids()
            .filter_map(|id| core.channel_stats(id))
            .filter(|c| c.queued_messages > 1)
            .map(|c| c.queued_bytes)
            .sum();
        assert!(more <= cap, "R7: {more} of {queued} queued in all");
    }

    /// R19: every grant is backed. What is reserved covers what the peer can make the end hold, and
    /// never exceeds the budget; what the application granted beyond the defaults comes on top.
    fn check_reserved(&self, end: usize) {
        let (core, config) = (&self.ends[end], &self.config[end]);
        let stats = core.stats();
        let (reserved, budget) = (stats.receive_reserved_bytes, stats.receive_budget_bytes);
        assert_eq!(budget, config.receive_budget_bytes());
        assert!(reserved <= budget, "R19: {reserved} reserved of {budget}");
        let mut least = 0;
        for link in self.links.iter().filter(|l| l.opener != end) {
            let Some(c) = link.ids[end].and_then(|id| core.channel_stats(id)) else {
                continue;
            };
            let over = matches!(c.receiving, HalfState::Finished | HalfState::Aborted);
            if c.receiving == HalfState::None {
                assert_eq!(c.held_bytes, 0);
            } else if over || c.receiving == HalfState::Ending {
                least += c.held_bytes;
            } else if link.unit == Unit::Bytes {
                let window = c.receive_window_max;
                assert!(c.held_bytes + c.receive_window <= window);
                least += window;
            } else {
                least += c.held_bytes;
            }
        }
        let granted: u64 = self.links.iter().map(|l| l.granted[end]).sum();
        assert!(
            least <= reserved + granted,
            "{least} of {reserved} and {granted}"
        );
    }

    /// R56 and R21 of one direction.
    fn check_link(&self, link: &Link, sender: usize) {
        let receiver = 1 - sender;
        let Some(r) = link.ids[receiver].and_then(|id| self.ends[receiver].channel_stats(id))
        else {
            return;
        };
        let parked: u64 = link.dirs[sender]
            .parked
            .iter()
            .map(|c| u64::from(c.bytes()))
            .sum();
        assert!(
            parked <= r.held_bytes,
            "{parked} parked, {} held",
            r.held_bytes
        );
        if link.unit == Unit::Bytes && r.receiving != HalfState::None {
            let all = r.receive_window + r.held_bytes;
            assert!(
                all <= r.receive_window_max,
                "R21: {all} of {}",
                r.receive_window_max
            );
        }
        let Some(s) = link.ids[sender].and_then(|id| self.ends[sender].channel_stats(id)) else {
            return;
        };
        if link.sends(sender) && s.sending != HalfState::None {
            assert!(
                s.send_window <= r.receive_window,
                "R56: {} may be sent, {} are taken",
                s.send_window,
                r.receive_window
            );
        }
        let (told, lost) = (r.skipped_in, s.skipped_out);
        assert!(
            told <= lost,
            "{told} told to be skipped, {lost} were: {s:?} {r:?}"
        );
    }

    /// A record loses the frames for which `lose` says so.
    pub fn lose(&mut self, from: usize, lose: impl FnMut(&Frame) -> bool) {
        if let Some(record) = self.pipes[from].pop_front() {
            let left = frames::without(&record, lose);
            if !left.is_empty() {
                self.pipes[from].push_front(left);
            }
        }
    }
}
