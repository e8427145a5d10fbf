//! The fast path of most messages, chosen by one comparison.
//!
//! A message takes the fast path if its half is active, nothing is queued before it, and it is not
//! too large. One number per half holds all of this: the size below which a message takes the fast
//! path. It is zero until a message has taken the slow path, and becomes zero at every mutable
//! access to the channel (see [`Slots`](super::super::slots::Slots)). So code that changes a
//! channel needs no care for the fast path.

use super::super::credit::Charge;
use super::super::wire::{MessageHead, SHORT_BYTES, VARINT_MAX};
use super::{Channel, RecvState, SendState};
use crate::time::Timestamp;

/// The state of a channel's fast path.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::mux) struct FastPath {
    /// Messages shorter than this may be written directly into the open record, with `head`.
    send_below: u32,
    /// Messages shorter than this are received on the fast path.
    recv_below: u32,
    head: MessageHead,
}

impl Channel {
    /// Disables the fast path: the channel is about to change.
    #[inline]
    pub(in crate::mux) fn disable_fast_path(&mut self) {
        self.fast.send_below = 0;
        self.fast.recv_below = 0;
    }

    /// Enables the fast path for sending, if the channel allows it, after a message was written
    /// directly into the open record.
    pub(in crate::mux) fn enable_fast_send(&mut self) {
        let send = &self.send;
        if let Some(alias) = self.local_alias
            && self.used
            && send.state == SendState::Sending
            && send.is_idle()
            && send.skip == 0
            && self.pending.is_empty()
        {
            self.fast.head = MessageHead::new(alias);
            self.fast.send_below = send.message_max.saturating_add(1).min(SHORT_BYTES);
        }
    }

    /// Enables the fast path for receiving, before a whole message is received; whether the channel
    /// allows it.
    pub(in crate::mux) fn enable_fast_receive(&mut self) -> bool {
        let recv = &self.recv;
        // Each message costs at least one unit, so no more than this arrive before the next slow
        // path.
        let messages_max = recv.credit.limit() - recv.credit.charged();
        let allowed = self.attached
            && recv.state == RecvState::Receiving
            && recv.partial.is_none()
            && recv.numbers.next().saturating_add(messages_max) < VARINT_MAX;
        if allowed {
            self.used = true;
            self.fast.recv_below = recv.message_max.saturating_add(1);
        }
        allowed
    }

    /// The head of a message of `len` bytes, if it takes the fast path.
    #[inline]
    pub(in crate::mux) fn fast_head(&self, len: usize) -> Option<MessageHead> {
        (len < self.fast.send_below as usize).then_some(self.fast.head)
    }

    /// Spends the credit of a message of `len` bytes and counts it. `None`, with nothing changed,
    /// if the credit does not suffice.
    #[inline]
    pub(in crate::mux) fn send_fast(&mut self, len: usize, overhead: u64) -> Option<()> {
        let units = self.unit.cost(len as u64 + overhead, 1);
        let send = &mut self.send;
        send.credit.spend(units).ok()?;
        send.numbers.count(1);
        send.bytes += len as u64;
        Some(())
    }

    /// Charges and counts a whole message of `len` bytes without a skip; returns its number and
    /// charge. `None`, with nothing changed, if it needs the slow path or exceeds the credit.
    #[inline]
    pub(in crate::mux) fn receive_fast(
        &mut self,
        len: usize,
        overhead: u64,
        now: Timestamp,
    ) -> Option<(u64, Charge)> {
        if len >= self.fast.recv_below as usize {
            return None;
        }
        let bytes = len as u64 + overhead;
        let units = self.unit.cost(bytes, 1);
        let recv = &mut self.recv;
        recv.credit.charge(units).ok()?;
        let seq = recv.numbers.next();
        recv.numbers.count(1);
        recv.last_received = now;
        recv.add_held(bytes);
        recv.bytes += len as u64;
        Some((seq, Charge::new(bytes, units)))
    }

    /// Releases a message, if no new limit is due then. `false`: nothing changed.
    #[inline]
    pub(in crate::mux) fn release_fast(&mut self, charge: &Charge) -> bool {
        if self.fast.recv_below == 0 {
            return false;
        }
        let recv = &mut self.recv;
        if !recv.credit.consume_below_due(u64::from(charge.units)) {
            return false;
        }
        recv.sub_held(charge.bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::open::Unit;
    use super::super::super::slots::Slots;
    use super::super::{ChannelSettings, RecvHalf, SendHalf, SendLimits, Stage, Window};
    use super::*;

    const NOW: Timestamp = Timestamp(1);

    fn channel(id: super::super::ChannelId) -> Channel {
        let settings = ChannelSettings {
            priority: 0,
            unit: Unit::Bytes,
            conflate: false,
            ttl: None,
            resume_asked: false,
        };
        let limits = SendLimits {
            limit: 10_000,
            message_max: 99,
            fragment_min: 1,
        };
        let window = Window {
            units: 10_000,
            message_max: 99,
            unit_bytes: 1,
        };
        let halves = (SendHalf::new(true, limits), RecvHalf::new(true, window));
        let mut channel = Channel::new((id, Stage::Open, Some(0)), settings, halves, NOW);
        channel.local_alias = Some(5);
        channel
    }

    fn takes_fast_path(channel: &mut Channel, len: usize) -> [bool; 2] {
        let received = channel.receive_fast(len, 16, NOW);
        [channel.fast_head(len).is_some(), received.is_some()]
    }

    #[test]
    fn mutable_access_disables_the_fast_path() {
        let mut slots = Slots::default();
        let (key, id) = slots.insert(channel);
        let enable = |slots: &mut Slots| {
            let channel = slots.fast(id).expect("there");
            assert!(channel.enable_fast_receive());
            channel.enable_fast_send();
            assert_eq!(takes_fast_path(channel, 99), [true; 2]);
            assert_eq!(takes_fast_path(channel, 100), [false; 2], "too large");
        };
        assert_eq!(
            takes_fast_path(slots.fast_at(key).expect("there"), 0),
            [false; 2]
        );
        enable(&mut slots);
        let _ = &mut slots[key];
        assert_eq!(
            takes_fast_path(slots.fast(id).expect("there"), 0),
            [false; 2]
        );
        enable(&mut slots);
        let _ = slots.find(id);
        assert_eq!(
            takes_fast_path(slots.fast(id).expect("there"), 0),
            [false; 2]
        );
    }

    #[test]
    fn any_unusual_state_disables_the_fast_path() {
        type Change = fn(&mut Channel);
        let sends: [(&str, Change); 5] = [
            ("no alias", |c| c.local_alias = None),
            ("ending", |c| c.send.state = SendState::Finishing),
            ("queued", |c| c.send.queue().push(b"waits", 0, NOW)),
            ("lost", |c| c.send.skipped(1)),
            ("control", |c| c.pending.set(super::super::Pending::SEQ)),
        ];
        let receives: [(&str, Change); 4] = [
            ("closed", |c| c.attached = false),
            ("ended", |c| c.recv.state = RecvState::Finished),
            ("partial message", |c| {
                let first = (b"first".as_slice(), 0, true);
                assert!(c.recv.assemble(first, Charge::default(), 99, NOW).is_none());
            }),
            ("last number", |c| {
                c.recv.numbers.continue_at(VARINT_MAX - 10_000)
            }),
        ];
        let changes = sends.map(|c| (c, [false, true])).into_iter();
        for ((what, change), expected) in changes.chain(receives.map(|c| (c, [true, false]))) {
            let mut slots = Slots::default();
            let (key, _) = slots.insert(channel);
            let channel = slots.fast_at(key).expect("there");
            channel.used = true;
            change(channel);
            channel.enable_fast_receive();
            channel.enable_fast_send();
            assert_eq!(takes_fast_path(channel, 1), expected, "{what}");
        }
    }

    /// Messages without credit, and releases that make a limit due, change nothing.
    #[test]
    fn a_refused_fast_path_changes_nothing() {
        let mut slots = Slots::default();
        let (key, _) = slots.insert(channel);
        let channel = slots.fast_at(key).expect("there");
        assert!(channel.enable_fast_receive());
        assert!(channel.receive_fast(1, 10_000, NOW).is_none());
        assert_eq!((channel.recv.numbers.next(), channel.recv.held), (0, 0));
        assert!(channel.send_fast(1, 10_000).is_none());
        assert_eq!(channel.send.numbers.next(), 0);
        let (_, charge) = channel.receive_fast(1, 9_000, NOW).expect("covered");
        assert!(!channel.release_fast(&charge), "a limit is due then");
        assert_eq!(channel.recv.credit.backlog(), 9_001);
        assert_eq!(channel.recv.held, 9_001);
    }
}
