//! Aliases and counts of open channels, and OPENs and REJECTs that wait.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::channel::SendLimits;
use super::super::open::Unit;
use super::super::slots::{Key, LocalAliases, PeerAlias, PeerAliases};
use super::super::wire::Hello;
use super::bucket::Bucket;
use crate::time::Timestamp;

/// Rate limit of wasted channels, which the peer opens and ends unused or before they are answered:
/// ten a second, a burst of a hundred.
const WASTE_INTERVAL: Duration = Duration::from_millis(100);
const WASTE_BURST: u32 = 100;

/// OPENs of both ends and their aliases. Nothing else writes these fields.
pub(super) struct Opens {
    peer_aliases: PeerAliases,
    local_aliases: LocalAliases,
    /// Channels opened by the peer, and by this end, that are not closed; those of them without an
    /// answer.
    peer_open: u32,
    peer_unanswered: u32,
    local_open: u32,
    local_unanswered: u32,
    /// OPENs of the peer that this end processed.
    seen: u64,
    sent: u64,
    /// OPENs of this end that the peer has processed at most, by its GOAWAY.
    seen_by_peer: u64,
    /// Slots of channels whose OPEN waits for the peer's limits.
    waiting: VecDeque<u32>,
    /// Aliases of OPENs without room here: REJECT is pending.
    rejects: VecDeque<u32>,
    wasted: Bucket,
    /// Initial send limits of channels that count bytes, and of those that count messages; zero
    /// before the peer's HELLO.
    bytes_limits: SendLimits,
    messages_limits: SendLimits,
}

impl Opens {
    pub(super) fn new(shared_aliases: u32) -> Self {
        Self {
            peer_aliases: PeerAliases::default(),
            local_aliases: LocalAliases::new(shared_aliases),
            peer_open: 0,
            peer_unanswered: 0,
            local_open: 0,
            local_unanswered: 0,
            seen: 0,
            sent: 0,
            seen_by_peer: u64::MAX,
            waiting: VecDeque::new(),
            rejects: VecDeque::new(),
            wasted: Bucket::default(),
            bytes_limits: SendLimits::default(),
            messages_limits: SendLimits::default(),
        }
    }

    /// Applies the peer's HELLO.
    pub(super) fn start(&mut self, peer: &Hello) {
        self.bytes_limits = peer.initial_limits(Unit::Bytes);
        self.messages_limits = peer.initial_limits(Unit::Messages);
    }

    /// The initial send limits of a channel, before OPEN or ACCEPT of the peer sets others.
    pub(super) fn initial_limits(&self, unit: Unit) -> SendLimits {
        match unit {
            Unit::Bytes => self.bytes_limits,
            Unit::Messages => self.messages_limits,
        }
    }

    // ---- channels opened by the peer

    /// The state of one of the peer's aliases.
    #[inline]
    pub(super) fn at(&self, alias: u32) -> PeerAlias {
        self.peer_aliases.at(alias)
    }

    /// As [`PeerAliases::fast_at`].
    #[inline]
    pub(super) fn fast_at(&self, alias: u32) -> Option<Key> {
        self.peer_aliases.fast_at(alias)
    }

    /// Binds the peer's alias to the channel.
    pub(super) fn bind_peer(&mut self, alias: u32, key: Key) {
        self.peer_aliases.set(alias, PeerAlias::Bound(key));
    }

    /// Unbinds the peer's alias.
    pub(super) fn close_peer(&mut self, alias: u32, rejected: bool) {
        let to = if rejected {
            PeerAlias::Rejected
        } else {
            PeerAlias::Closed
        };
        self.peer_aliases.set(alias, to);
    }

    /// Unbinds all of the peer's aliases: nothing more is received.
    pub(super) fn close_all(&mut self) {
        self.peer_aliases.clear();
    }

    /// OPENs of the peer that this end processed.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn peer_open(&self) -> u32 {
        self.peer_open
    }

    pub(super) fn peer_unanswered(&self) -> u32 {
        self.peer_unanswered
    }

    /// Counts a processed OPEN of the peer.
    pub(super) fn count_seen(&mut self) {
        self.seen += 1;
    }

    /// An OPEN of the peer created a channel.
    pub(super) fn open_received(&mut self, alias: u32, key: Key) {
        self.bind_peer(alias, key);
        self.peer_open += 1;
        self.peer_unanswered += 1;
    }

    /// The answer to an OPEN of the peer is encoded.
    pub(super) fn answered_peer(&mut self) {
        self.peer_unanswered -= 1;
    }

    /// Queues REJECT for an OPEN without room here. `false` if `waiting_max` are pending already.
    pub(super) fn queue_reject(&mut self, alias: u32, waiting_max: usize) -> bool {
        if self.rejects.len() >= waiting_max {
            return false;
        }
        self.close_peer(alias, true);
        self.rejects.push_back(alias);
        true
    }

    pub(super) fn next_reject(&mut self) -> Option<u32> {
        self.rejects.pop_front()
    }

    #[inline]
    pub(super) fn rejects_pending(&self) -> bool {
        !self.rejects.is_empty()
    }

    /// Counts a wasted channel. `false` if the peer exceeds the rate limit.
    pub(super) fn wasted(&mut self, now: Timestamp) -> bool {
        self.wasted.take(now, WASTE_INTERVAL, WASTE_BURST)
    }

    // ---- channels opened by this end

    /// The channel of a local alias.
    pub(super) fn local(&self, alias: u32) -> Option<Key> {
        self.local_aliases.at(alias)
    }

    /// Whether an alias chosen by the application is in use.
    pub(super) fn is_chosen(&self, alias: u32) -> bool {
        self.local_aliases.is_chosen(alias)
    }

    pub(super) fn choose(&mut self, alias: u32) {
        self.local_aliases.choose(alias);
    }

    /// Takes a local alias: the chosen one, or the lowest free one.
    pub(super) fn take_alias(&mut self, chosen: Option<u32>, peer: &Hello) -> Option<u32> {
        let max = u32::try_from(peer.aliases_max).unwrap_or(u32::MAX);
        match chosen {
            Some(alias) => (alias < max).then_some(alias),
            None => self.local_aliases.take(max),
        }
    }

    pub(super) fn free_alias(&mut self, alias: u32) {
        self.local_aliases.free_alias(alias);
    }

    /// Binds the local alias to the channel.
    pub(super) fn bind_local(&mut self, alias: u32, key: Key) {
        self.local_aliases.bind(alias, key);
    }

    /// An OPEN of this end is encoded. Returns its number.
    pub(super) fn opened(&mut self, alias: u32, key: Key) -> u64 {
        self.bind_local(alias, key);
        self.sent += 1;
        self.local_open += 1;
        self.local_unanswered += 1;
        self.sent
    }

    /// The peer answered an OPEN of this end.
    pub(super) fn answered_local(&mut self) {
        self.local_unanswered -= 1;
    }

    /// Whether the peer's limits allow another OPEN, after `ahead` more.
    pub(super) fn may_open_after(&self, ahead: u64, peer: &Hello) -> bool {
        u64::from(self.local_open) + ahead < peer.channels_max
            && u64::from(self.local_unanswered) + ahead < peer.pending_opens_max
    }

    /// Queues an OPEN that the peer's limits do not allow yet.
    pub(super) fn wait(&mut self, key: Key) {
        self.waiting.push_back(key.index());
    }

    /// The slot of the channel whose OPEN waits longest.
    pub(super) fn next_waiting(&mut self) -> Option<u32> {
        self.waiting.pop_front()
    }

    pub(super) fn leave_waiting(&mut self, key: Key) {
        self.waiting.retain(|&index| index != key.index());
    }

    pub(super) fn clear_waiting(&mut self) {
        self.waiting.clear();
    }

    /// The peer has processed `opens_seen` OPENs of this end and will process no more. Returns
    /// whether this newly excludes any sent OPEN.
    pub(super) fn limit_seen(&mut self, opens_seen: u64) -> bool {
        let excludes = opens_seen < self.sent.min(self.seen_by_peer);
        self.seen_by_peer = self.seen_by_peer.min(opens_seen);
        excludes
    }

    // ---- both

    /// Counts a closed channel.
    pub(super) fn count_closed(&mut self, is_local: bool) {
        if is_local {
            self.local_open -= 1;
        } else {
            self.peer_open -= 1;
        }
    }

    /// Whether no channel is open and no OPEN waits.
    pub(super) fn is_idle(&self) -> bool {
        self.local_open == 0 && self.peer_open == 0 && self.waiting.is_empty()
    }
}
