//! The channel table, and the alias tables of both ends.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, BinaryHeap};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::{Index, IndexMut};

use super::channel::{Channel, ChannelId};

/// The index of an occupied slot, valid until the channel is removed. A frame or a call looks its
/// channel up once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key(u32);

#[derive(Debug)]
struct Slot {
    generation: u32,
    channel: Option<Box<Channel>>,
}

/// The channels, each in a slot that is reused after removal.
///
/// Every mutable access except [`Slots::fast`] and [`Slots::fast_at`] disables the channel's fast
/// path.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
}

impl Slots {
    /// Creates a channel in a free slot.
    pub(super) fn insert(&mut self, make: impl FnOnce(ChannelId) -> Channel) -> (Key, ChannelId) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                channel: None,
            });
            (self.slots.len() - 1) as u32
        });
        let mut id = ChannelId {
            index,
            generation: 0,
        };
        if let Some(slot) = self.slots.get_mut(index as usize) {
            id.generation = slot.generation;
            slot.channel = Some(Box::new(make(id)));
            self.live += 1;
        }
        (Key(index), id)
    }

    /// Frees the slot and invalidates its ids.
    pub(super) fn remove(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key.0 as usize)
            && slot.channel.take().is_some()
        {
            self.live -= 1;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(key.0);
        }
    }

    /// The slot of the channel with this id, if the id is valid.
    #[inline]
    pub(super) fn resolve(&self, id: ChannelId) -> Option<Key> {
        self.by_id(id).map(|_| Key(id.index))
    }

    /// As [`Self::resolve`], with the channel: one lookup instead of two, on the message path.
    #[inline]
    pub(super) fn find(&mut self, id: ChannelId) -> Option<(Key, &mut Channel)> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let channel = slot.channel.as_deref_mut()?;
        channel.disable_fast_path();
        Some((Key(id.index), channel))
    }

    /// As [`Self::find`], for the fast path, which stays enabled.
    #[inline]
    pub(super) fn fast(&mut self, id: ChannelId) -> Option<&mut Channel> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.channel.as_deref_mut()
    }

    /// As [`Self::fast`], by slot.
    #[inline]
    pub(super) fn fast_at(&mut self, key: Key) -> Option<&mut Channel> {
        self.slots.get_mut(key.0 as usize)?.channel.as_deref_mut()
    }

    /// Whether the application still holds the channel.
    pub(super) fn is_attached(&self, id: ChannelId) -> bool {
        self.by_id(id).is_some_and(|channel| channel.attached)
    }

    /// The channel at an index, if there is one: for queues whose channels may have been removed.
    #[inline]
    pub(super) fn key_at(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index as usize)?;
        slot.channel.as_ref().map(|_| Key(index))
    }

    /// The first channel at or after `index`, and the index after it: to visit all channels while
    /// they change.
    pub(super) fn next_from(&self, index: u32) -> Option<(Key, u32)> {
        let key = (index..self.slots.len() as u32).find_map(|i| self.key_at(i))?;
        Some((key, key.0 + 1))
    }

    #[inline]
    pub(super) fn by_id(&self, id: ChannelId) -> Option<&Channel> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.channel.as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.slots.iter().filter_map(|s| s.channel.as_deref())
    }

    /// The number of channels.
    pub(super) fn live(&self) -> usize {
        self.live
    }
}

impl Index<Key> for Slots {
    type Output = Channel;

    #[inline]
    fn index(&self, key: Key) -> &Channel {
        let slot = self.slots.get(key.0 as usize);
        match slot.and_then(|slot| slot.channel.as_deref()) {
            Some(channel) => channel,
            None => removed(),
        }
    }
}

impl IndexMut<Key> for Slots {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut Channel {
        let slot = self.slots.get_mut(key.0 as usize);
        match slot.and_then(|slot| slot.channel.as_deref_mut()) {
            Some(channel) => {
                channel.disable_fast_path();
                channel
            }
            None => removed(),
        }
    }
}

#[cold]
fn removed() -> ! {
    unreachable!("a key is not used after its channel is removed")
}

impl Key {
    #[inline]
    pub(super) fn index(self) -> u32 {
        self.0
    }
}

/// The state of one of the peer's aliases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PeerAlias {
    /// Never opened.
    Unused,
    /// Bound to this channel.
    Bound(Key),
    /// A tombstone: late CREDIT and RESET are ignored, data is a violation.
    Closed,
    /// The channel was rejected: data that the peer sent before it received the REJECT is dropped
    /// (rule R64).
    Rejected,
}

/// The peer's aliases: an array, because aliases are dense, so that no key chosen by the peer is
/// hashed (rule R31).
#[derive(Debug, Default)]
pub(super) struct PeerAliases {
    /// By alias: the index of a channel, or one of the constants below.
    table: Vec<u32>,
}

// Values that are never the index of a channel: the number of aliases bounds that of channels.
const UNUSED: u32 = u32::MAX;
const CLOSED: u32 = u32::MAX - 1;
const REJECTED: u32 = u32::MAX - 2;

impl PeerAliases {
    #[inline]
    pub(super) fn at(&self, alias: u32) -> PeerAlias {
        match self.table.get(alias as usize).copied().unwrap_or(UNUSED) {
            UNUSED => PeerAlias::Unused,
            CLOSED => PeerAlias::Closed,
            REJECTED => PeerAlias::Rejected,
            index => PeerAlias::Bound(Key(index)),
        }
    }

    /// The channel at an alias, for [`Slots::fast_at`], which finds no channel at the constants.
    #[inline]
    pub(super) fn fast_at(&self, alias: u32) -> Option<Key> {
        self.table.get(alias as usize).copied().map(Key)
    }

    /// Unbinds all aliases: nothing more is received.
    pub(super) fn clear(&mut self) {
        self.table = Vec::new();
    }

    /// Sets the state of `alias`, which is below the announced limit.
    pub(super) fn set(&mut self, alias: u32, to: PeerAlias) {
        let place = alias as usize;
        if self.table.len() <= place {
            self.table.resize(place + 1, UNUSED);
        }
        if let Some(entry) = self.table.get_mut(place) {
            *entry = match to {
                PeerAlias::Unused => UNUSED,
                PeerAlias::Closed => CLOSED,
                PeerAlias::Rejected => REJECTED,
                PeerAlias::Bound(key) => key.0,
            };
        }
    }
}

/// The local aliases. The lowest free one is taken, because short aliases need one byte.
#[derive(Debug)]
pub(super) struct LocalAliases {
    /// Aliases below this are chosen by the application.
    shared: u32,
    next: u32,
    free: BinaryHeap<Reverse<u32>>,
    /// Chosen aliases that are in use.
    chosen: BTreeSet<u32>,
    /// By alias, the index of its channel + 1.
    table: Vec<u32>,
}

impl LocalAliases {
    pub(super) fn new(shared: u32) -> Self {
        Self {
            shared,
            next: shared,
            free: BinaryHeap::new(),
            chosen: BTreeSet::new(),
            table: Vec::new(),
        }
    }

    /// Takes a free alias below `max`, if there is one.
    pub(super) fn take(&mut self, max: u32) -> Option<u32> {
        if let Some(&Reverse(alias)) = self.free.peek() {
            if alias >= max {
                return None;
            }
            self.free.pop();
            return Some(alias);
        }
        if self.next >= max {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// Whether the chosen `alias` is in use.
    pub(super) fn is_chosen(&self, alias: u32) -> bool {
        self.chosen.contains(&alias)
    }

    pub(super) fn choose(&mut self, alias: u32) {
        self.chosen.insert(alias);
    }

    /// Binds the alias to the channel.
    pub(super) fn bind(&mut self, alias: u32, key: Key) {
        let place = alias as usize;
        if self.table.len() <= place {
            self.table.resize(place + 1, 0);
        }
        if let Some(entry) = self.table.get_mut(place) {
            *entry = key.0.saturating_add(1);
        }
    }

    /// The channel that has the alias.
    pub(super) fn at(&self, alias: u32) -> Option<Key> {
        self.table.get(alias as usize)?.checked_sub(1).map(Key)
    }

    pub(super) fn free_alias(&mut self, alias: u32) {
        if let Some(entry) = self.table.get_mut(alias as usize) {
            *entry = 0;
        }
        if alias < self.shared {
            self.chosen.remove(&alias);
        } else {
            self.free.push(Reverse(alias));
        }
    }
}
