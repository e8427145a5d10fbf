//! Which channels are open, and under which aliases; which wait to be, and what that may cost.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::channel::SendLimits;
use super::super::open::Unit;
use super::super::slots::{Key, LocalAliases, PeerAlias, PeerAliases};
use super::super::wire::Hello;
use super::bucket::Bucket;
use crate::time::Timestamp;

/// Channels that the peer opens and resets, unused or before they are answered: ten a second, a
/// hundred at once.
const WASTE_INTERVAL: Duration = Duration::from_millis(100);
const WASTE_BURST: u32 = 100;

/// OPENs of both ends and their aliases. Nothing else writes these fields.
pub(super) struct Opens {
    peer_aliases: PeerAliases,
    local_aliases: LocalAliases,
    /// Channels of the peer's, and of ours, that are not closed; those not answered.
    peer_open: u32,
    peer_unanswered: u32,
    local_open: u32,
    local_unanswered: u32,
    /// OPENs of the peer's that were looked at.
    seen: u64,
    sent: u64,
    /// Of ours, the peer, which takes no more, has seen no more than these.
    seen_by_peer: u64,
    /// Channels of ours that the peer's limits keep waiting.
    waiting: VecDeque<u32>,
    /// Aliases of channels that we had no place for.
    rejects: VecDeque<u32>,
    wasted: Bucket,
    /// What the peer takes on any channel of bytes, and of messages, before it says more; nothing
    /// before its HELLO.
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

    /// The peer's HELLO has come.
    pub(super) fn start(&mut self, peer: &Hello) {
        self.bytes_limits = peer.initial_limits(Unit::Bytes);
        self.messages_limits = peer.initial_limits(Unit::Messages);
    }

    /// What the peer takes on a channel before it says more.
    pub(super) fn initial_limits(&self, unit: Unit) -> SendLimits {
        match unit {
            Unit::Bytes => self.bytes_limits,
            Unit::Messages => self.messages_limits,
        }
    }

    // ---- the peer's channels

    /// What an alias of the peer's stands for.
    #[inline]
    pub(super) fn at(&self, alias: u32) -> PeerAlias {
        self.peer_aliases.at(alias)
    }

    /// As [`PeerAliases::fast_at`].
    #[inline]
    pub(super) fn fast_at(&self, alias: u32) -> Option<Key> {
        self.peer_aliases.fast_at(alias)
    }

    /// The peer sends on the channel under this alias.
    pub(super) fn bind_peer(&mut self, alias: u32, key: Key) {
        self.peer_aliases.set(alias, PeerAlias::Bound(key));
    }

    /// The peer's alias stands for no channel any more.
    pub(super) fn close_peer(&mut self, alias: u32, rejected: bool) {
        let to = if rejected {
            PeerAlias::Rejected
        } else {
            PeerAlias::Closed
        };
        self.peer_aliases.set(alias, to);
    }

    /// Nothing is taken under any alias from now on.
    pub(super) fn close_all(&mut self) {
        self.peer_aliases.clear();
    }

    /// OPENs of the peer's that were looked at.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn peer_open(&self) -> u32 {
        self.peer_open
    }

    pub(super) fn peer_unanswered(&self) -> u32 {
        self.peer_unanswered
    }

    /// An OPEN of the peer's is looked at.
    pub(super) fn count_seen(&mut self) {
        self.seen += 1;
    }

    /// An OPEN of the peer's has made a channel.
    pub(super) fn open_received(&mut self, alias: u32, key: Key) {
        self.bind_peer(alias, key);
        self.peer_open += 1;
        self.peer_unanswered += 1;
    }

    /// Our answer to an OPEN of the peer's is encoded.
    pub(super) fn answered_peer(&mut self) {
        self.peer_unanswered -= 1;
    }

    /// There is no place for the channel of an OPEN: REJECT goes out. `false` if as many as may
    /// be wait already.
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

    /// The peer has opened a channel for nothing. `false` if it does so too often.
    pub(super) fn wasted(&mut self, now: Timestamp) -> bool {
        self.wasted.take(now, WASTE_INTERVAL, WASTE_BURST)
    }

    // ---- channels of ours

    /// The channel that an alias of ours stands for.
    pub(super) fn local(&self, alias: u32) -> Option<Key> {
        self.local_aliases.at(alias)
    }

    /// Whether an alias that the application chooses is in use.
    pub(super) fn is_chosen(&self, alias: u32) -> bool {
        self.local_aliases.is_chosen(alias)
    }

    pub(super) fn choose(&mut self, alias: u32) {
        self.local_aliases.choose(alias);
    }

    /// An alias of ours: the one that was chosen, or the lowest free one.
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

    /// Our ACCEPT names this alias for the channel.
    pub(super) fn bind_local(&mut self, alias: u32, key: Key) {
        self.local_aliases.bind(alias, key);
    }

    /// Our OPEN is encoded: its number.
    pub(super) fn opened(&mut self, alias: u32, key: Key) -> u64 {
        self.bind_local(alias, key);
        self.sent += 1;
        self.local_open += 1;
        self.local_unanswered += 1;
        self.sent
    }

    /// The peer has answered an OPEN of ours.
    pub(super) fn answered_local(&mut self) {
        self.local_unanswered -= 1;
    }

    /// Whether the peer's limits allow another OPEN.
    pub(super) fn may_open(&self, peer: &Hello) -> bool {
        u64::from(self.local_open) < peer.channels_max
            && u64::from(self.local_unanswered) < peer.pending_opens_max
    }

    /// The peer's limits keep an OPEN waiting.
    pub(super) fn wait(&mut self, key: Key) {
        self.waiting.push_back(key.index());
    }

    /// The place of the channel whose OPEN waits longest.
    pub(super) fn next_waiting(&mut self) -> Option<u32> {
        self.waiting.pop_front()
    }

    pub(super) fn leave_waiting(&mut self, key: Key) {
        self.waiting.retain(|&index| index != key.index());
    }

    pub(super) fn clear_waiting(&mut self) {
        self.waiting.clear();
    }

    /// The peer has seen so many OPENs of ours, and will look at no more. Whether that says of any
    /// OPEN that it was not looked at.
    pub(super) fn limit_seen(&mut self, opens_seen: u64) -> bool {
        let news = opens_seen < self.sent.min(self.seen_by_peer);
        self.seen_by_peer = self.seen_by_peer.min(opens_seen);
        news
    }

    // ---- both

    /// A channel that was counted is closed.
    pub(super) fn count_closed(&mut self, is_local: bool) {
        if is_local {
            self.local_open -= 1;
        } else {
            self.peer_open -= 1;
        }
    }

    /// No channel is open, and none waits to be.
    pub(super) fn is_idle(&self) -> bool {
        self.local_open == 0 && self.peer_open == 0 && self.waiting.is_empty()
    }
}
