//! The dumb model: what one end published on a channel, and what of it the other end got.

use std::collections::BTreeMap;

use tickwire::channels::{Charge, Mode};

/// Bytes that name a message of a model: what is shorter may be like another.
pub const NAME_BYTES: usize = 12;

/// A message that a send took.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When, in nanoseconds.
    pub at: u64,
    /// On a conflated channel.
    pub key: u64,
}

/// Where the sender has begun to count anew.
#[derive(Clone, Copy, Debug)]
struct Base {
    from: usize,
    epoch: u64,
    seq: u64,
}

/// One direction of a channel.
#[derive(Debug)]
pub struct Dir {
    mode: Mode,
    /// All that was taken, in order.
    pub published: Vec<Published>,
    bases: Vec<Base>,
    base: usize,
    /// Index of the next message that may come.
    next: usize,
    /// Messages that came.
    pub delivered: u64,
    /// Messages that were told to be replaced or dropped.
    pub skipped: u64,
    /// By key: the last version that came, and the newest that was published.
    seen: BTreeMap<u64, (Option<usize>, usize)>,
    /// The sender has asked for FIN.
    pub finishing: bool,
    /// Either end has ended it before its time.
    pub cut: bool,
    /// The receiver was told of the end.
    pub ended: bool,
    /// A send of so many bytes was refused for want of room, and nobody has said that there is
    /// some.
    pub waits: Option<usize>,
    /// Charges that the receiver has not released.
    pub parked: Vec<Charge>,
}

impl Dir {
    /// A direction on which nothing was sent.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            published: Vec::new(),
            bases: Vec::new(),
            base: 0,
            next: 0,
            delivered: 0,
            skipped: 0,
            seen: BTreeMap::new(),
            finishing: false,
            cut: false,
            ended: false,
            waits: None,
            parked: Vec::new(),
        }
    }

    /// A send has taken `bytes`.
    pub fn publish(&mut self, key: u64, bytes: Vec<u8>, at: u64) {
        let version = self.published.len();
        self.seen.entry(key).or_insert((None, version)).1 = version;
        self.published.push(Published { bytes, at, key });
    }

    /// The sender counts anew from here.
    pub fn rebase(&mut self, epoch: u64, seq: u64) {
        let from = self.published.len();
        // One that the core has not told yet is told no more.
        self.bases.push(Base { from, epoch, seq });
    }

    /// How often the sender has counted anew: what it had not told till then is told so.
    #[must_use]
    pub fn rebases(&self) -> u64 {
        self.bases.len() as u64
    }

    /// The receiver was told so.
    pub fn rebased(&mut self, epoch: u64, seq: u64) {
        let all = self.mode == Mode::Reliable;
        let told = |b: &Base| (b.epoch, b.seq) == (epoch, seq);
        let new = self.bases.iter().skip(self.base).position(told);
        self.base += new.expect("a base that the sender has set") + 1;
        let from = self.bases[self.base - 1].from;
        assert!(self.next <= from && (!all || self.next == from), "lost");
        self.next = from;
    }

    /// A message came.
    pub fn deliver(&mut self, bytes: &[u8], seq: u64, skipped: u64, now: u64) {
        assert!(!self.ended, "a message after the end");
        self.delivered += 1;
        self.skipped += skipped;
        match self.mode {
            Mode::Conflated => return self.deliver_newest(bytes),
            Mode::Reliable => assert_eq!(skipped, 0, "loss on a reliable channel"),
            Mode::Ttl(ttl) => {
                let until = self.next + skipped as usize;
                for lost in &self.published[self.next..until] {
                    let old = now - lost.at > ttl.as_nanos() as u64;
                    assert!(old, "dropped before its time");
                }
            }
        }
        let index = self.next + skipped as usize;
        let published = self.published.get(index).expect("more than was published");
        assert!(published.bytes == bytes, "message {index} is another");
        let (from, first) = match self.base.checked_sub(1) {
            Some(base) => (self.bases[base].from, self.bases[base].seq),
            None => (0, 0),
        };
        assert_eq!(seq, first + (index - from) as u64, "its number");
        self.next = index + 1;
    }

    /// Of every key, later versions only.
    fn deliver_newest(&mut self, bytes: &[u8]) {
        let name = |p: &Published| p.bytes == bytes;
        let version = self.published.iter().rposition(name);
        let version = version.expect("nobody published that");
        if bytes.len() < NAME_BYTES {
            return; // it may be any of those
        }
        let key = self.published[version].key;
        let (last, _) = self.seen.get_mut(&key).expect("a key that was published");
        assert!(last.is_none_or(|l| l < version), "went back");
        *last = Some(version);
    }

    /// FIN came.
    pub fn finished(&mut self) {
        assert!(self.finishing, "FIN that nobody sent");
        assert!(!self.ended, "a second end");
        self.ended = true;
        if self.mode == Mode::Reliable {
            assert_eq!(self.next, self.published.len(), "FIN before the last");
        }
    }

    /// Nothing is on its way any more, and the receiver has read all: nothing may be missing.
    ///
    /// `skipped` is what the receiver's statistics say of replaced and dropped messages, those
    /// before a FIN included; `untold` what the sender has yet to tell with its next frame.
    pub fn check_complete(&self, skipped: u64, untold: u64) {
        if self.cut {
            return;
        }
        let published = self.published.len() as u64;
        if self.bases.is_empty() || self.mode == Mode::Reliable {
            let told = self.delivered + skipped + untold;
            assert_eq!(told, published, "delivered and skipped are all");
        }
        if self.finishing {
            assert!(self.ended, "FIN is missing");
        }
        if self.mode == Mode::Conflated {
            for (key, (last, newest)) in &self.seen {
                let bytes = |version: usize| &self.published[version].bytes;
                let same = last.is_some_and(|l| bytes(l) == bytes(*newest));
                let short = bytes(*newest).len() < NAME_BYTES;
                assert!(same || short, "the newest of key {key} is missing");
            }
        }
    }
}
