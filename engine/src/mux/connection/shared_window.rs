//! The window of all channels together: what may be sent on the connection, who waits for that,
//! and what the peer may send. In one place, and on its way out.

use alloc::collections::VecDeque;
use core::num::NonZeroU32;

use super::super::channel::{Channel, RecvState};
use super::super::config::Settings;
use super::super::credit::{self, PassingCredit, SendCredit};
use super::super::error::Code;
use super::super::open::Unit;
use super::super::slots::Key;
use super::super::wire::Hello;
use super::Connection;
use super::fragment::{run_least, single_charge, whole_charge};
use crate::time::Timestamp;

/// KiB charged that others may send while a channel waits for the connection's credit; then credit
/// is saved up for its message.
const STARVED_KIB_MAX: u32 = 64;

/// A count of bytes as one that may wrap, in few bytes: for distances. Odd, so never zero.
fn kibibytes(bytes: u64) -> u32 {
    (bytes >> 10) as u32 | 1
}

/// Credit of all channels together, both ways.
pub(super) struct SharedWindow {
    /// What we may send on all channels together.
    pub(super) send: SendCredit,
    /// Charge of what is left of begun messages, on all channels.
    pub(super) begun: u64,
    /// Channels whose next message waits for the connection's credit, longest first.
    pub(super) starved: VecDeque<Key>,
    /// With less credit of the connection's than this none of them can go: 0 where that is to be
    /// found out again.
    starved_least: u64,
    /// When so much is charged on the connection, it is looked whether one of them was passed over
    /// for long.
    look_at: u64,
    /// Since when credit is saved up for such a one, and nothing else is begun.
    saved_since: Option<Timestamp>,
    /// What the peer may send on all channels together.
    pub(super) recv: PassingCredit,
    /// What a message costs at most of those that were told the peer to be welcome, on channels
    /// that may have ended since the window was looked at.
    message_cost_max: u64,
    pub(super) credit_due: bool,
    pub(super) blocked_due: bool,
    pub(super) blocked_since: Option<Timestamp>,
    pub(super) blocked_told: bool,
    /// The peer has said that it waits for the connection's credit, and was told none since.
    pub(super) peer_waits: bool,
    /// Since when less than a quarter of the connection's window is free.
    low_since: Option<Timestamp>,
}

impl SharedWindow {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            send: SendCredit::new(0),
            begun: 0,
            starved: VecDeque::new(),
            starved_least: 0,
            look_at: 0,
            saved_since: None,
            recv: PassingCredit::new(u64::from(settings.connection_window_bytes)),
            message_cost_max: 0,
            credit_due: false,
            blocked_due: false,
            blocked_since: None,
            blocked_told: false,
            peer_waits: false,
            low_since: None,
        }
    }

    /// The connection's credit that is not spoken for.
    fn free(&self) -> u64 {
        self.send.available().saturating_sub(self.begun)
    }

    /// The same for what is not begun yet: none while it is saved up.
    pub(super) fn free_to_begin(&self) -> u64 {
        self.saved_since.map_or_else(|| self.free(), |_| 0)
    }

    /// What the next message of a channel that waits takes may be less now.
    pub(super) fn look_again(&mut self) {
        self.starved_least = 0;
    }

    /// Whether the connection's credit may cover the next message of a channel that waits for it.
    pub(super) fn may_wake(&self) -> bool {
        !self.starved.is_empty() && self.free() >= self.starved_least
    }

    /// Counts bytes as consumed on the connection.
    #[inline]
    pub(super) fn consume(&mut self, bytes: u64) {
        self.recv.consume(bytes);
        self.credit_due |= self.recv.is_due_of_rest() || self.peer_waits && self.recv.owed() > 0;
        if self.low_since.is_some() && !self.is_low() {
            self.low_since = None;
        }
    }

    /// Less than a quarter of the connection's window is free, or less than the largest message
    /// needs (rule R19).
    fn is_low(&self) -> bool {
        let least = (self.recv.window() / 4).max(self.message_cost_max);
        self.recv.backlog() > self.recv.window().saturating_sub(least)
    }

    /// Nobody waits for the connection's credit any more: who does next begins anew.
    pub(super) fn starved_are_gone(&mut self) {
        if self.starved.is_empty() {
            self.blocked_since = None;
            self.blocked_told = false;
            self.blocked_due = false;
            self.saved_since = None;
        }
    }
}

impl Connection {
    /// Credit of the connection's that the next message of the channel takes; none where the
    /// channel has nothing to wait for, and leaves the line.
    fn needs(&self, key: Key, peer: &Hello) -> u64 {
        let channel = &self.slots[key];
        let send = &channel.send;
        let Some(front) = send.queue.as_ref().and_then(|q| q.front()) else {
            return 0;
        };
        match (front.fresh || front.elem > 0, front.elem) {
            (false, _) => 0,
            (true, 0) => {
                let whole = whole_charge(front.rest, peer, send.fragment_min);
                single_charge(channel, &front, peer).unwrap_or(whole)
            }
            (true, elem) => {
                let least = run_least(&front, send.fragment_min, peer) as u64;
                least * u64::from(elem) + peer.overhead
            }
        }
    }

    /// Channels that waited for the connection's credit take turns again, if it covers their
    /// next message. Gives the one that most was sent over the head of, if that is much: it goes
    /// first, whatever its class, in a record that has room for whatever it is. Until then nothing
    /// else is begun, or small messages might take all credit for ever.
    pub(super) fn wake_starved(&mut self, peer: &Hello) -> Option<Key> {
        self.window.starved_are_gone();
        let charged = self.window.send.charged();
        let waits = !self.window.starved.is_empty();
        if !self.window.may_wake() && (!waits || charged < self.window.look_at) {
            return None;
        }
        self.window.look_at = charged + (u64::from(STARVED_KIB_MAX) << 10);
        let first = self.passed_over();
        let free = self.window.free();
        if let Some(key) = first {
            let needs = self.needs(key, peer);
            if needs > free {
                // Nothing that is sent makes the peer tell more.
                self.ask_for_credit();
            }
            if needs > free || !self.outgoing.is_empty() {
                self.window.saved_since.get_or_insert(self.now);
                self.window.starved_least = needs;
                return None;
            }
        }
        self.window.saved_since = None;
        self.window.starved_least = u64::MAX;
        // The last one to be put back is the first to go.
        for _ in 0..self.window.starved.len() {
            let Some(key) = self.window.starved.pop_back() else {
                break;
            };
            let needs = self.needs(key, peer);
            if needs > free {
                self.window.starved_least = self.window.starved_least.min(needs);
                self.window.starved.push_front(key);
                continue;
            }
            let channel = &mut self.slots[key];
            channel.send.starved = false;
            channel.send.in_schedule = true;
            if first != Some(key) {
                self.outgoing.schedule_first(channel.priority, key);
            }
        }
        self.window.starved_are_gone();
        first
    }

    /// The channel that waits for the connection's credit while others have sent most, if that is
    /// much.
    fn passed_over(&self) -> Option<Key> {
        let charged = kibibytes(self.window.send.charged());
        let over = |&key: &Key| {
            let at = self.slots[key].send.starved_at?;
            Some((charged.wrapping_sub(at.get()), key))
        };
        // Of two that wait for as long, the one that is first in line.
        let all = self.window.starved.iter().rev().filter_map(over);
        let (over, key) = all.max_by_key(|&(over, _)| over)?;
        (over >= STARVED_KIB_MAX).then_some(key)
    }

    /// Tells the peer, once at this limit, that the connection's credit is waited for.
    pub(super) fn ask_for_credit(&mut self) {
        if !self.window.blocked_told {
            self.window.blocked_told = true;
            self.window.blocked_due = true;
            self.totals.count_blocked();
        }
    }

    /// Credit was saved up for too long: the others may send as much again before that.
    fn stop_saving(&mut self) {
        let at = NonZeroU32::new(kibibytes(self.window.send.charged()));
        for &key in &self.window.starved {
            self.slots[key].send.starved_at = at;
        }
        self.window.saved_since = None;
        self.window.starved_least = 0;
    }

    /// A channel that has ended waits for the connection's credit no more, and what was set aside
    /// for its begun message is free.
    pub(super) fn leave_window(&mut self, key: Key) {
        let send = &mut self.slots[key].send;
        self.window.begun -= core::mem::take(&mut send.begun_charge);
        if core::mem::take(&mut send.starved) {
            self.window.starved.retain(|&waits| waits != key);
            self.window.starved_least = 0; // it may be whom credit was saved up for
        }
    }

    pub(super) fn starve(&mut self, key: Key, peer: &Hello) {
        if self.window.starved.is_empty() {
            self.window.starved_least = u64::MAX;
            self.window.look_at = self.window.send.charged() + (u64::from(STARVED_KIB_MAX) << 10);
        }
        if self.window.saved_since.is_none() {
            self.window.starved_least = self.window.starved_least.min(self.needs(key, peer));
        }
        let send = &mut self.slots[key].send;
        send.starved = true;
        send.deficit = 0;
        if send.starved_at.is_none() {
            send.starved_at = NonZeroU32::new(kibibytes(self.window.send.charged()));
        }
        self.window.starved.push_back(key);
        self.window.blocked_since.get_or_insert(self.now);
        self.liveness.sweep_soon(self.now);
    }

    /// No room is kept for messages of channels that have ended: found out while the window is
    /// looked at, for only then does it matter.
    fn forget_message_costs(&mut self) {
        if self.window.low_since.is_some() {
            let receives = |c: &&Channel| c.recv.state == RecvState::Receiving;
            let costs = self.slots.iter().filter(receives);
            let largest = costs.map(|c| c.recv.message_cost).max();
            self.window.message_cost_max = largest.unwrap_or(0).into();
        }
    }

    /// From when on it is low, it is looked at from time to time.
    pub(super) fn look_whether_low(&mut self) {
        if self.window.low_since.is_none() && self.window.is_low() {
            self.window.low_since = Some(self.now);
            self.liveness.sweep_soon(self.now);
        }
    }

    /// `bytes` more of a channel are held, `held` in all: beyond its reserve they count against
    /// the connection's window, up to it they do not.
    pub(super) fn hold(&mut self, held: u64, bytes: u64) {
        let counted = held
            .saturating_sub(u64::from(self.settings.reserve_bytes))
            .min(bytes);
        self.window.consume(bytes - counted);
        if counted > 0 {
            self.look_whether_low();
        } else if self.window.low_since.is_none() && !self.window.peer_waits {
            self.window.recv.watch(self.window.credit_due);
        }
    }

    /// Room is kept for messages of so many bytes (rule R19), while the channel receives; gives
    /// what one costs.
    pub(super) fn welcome(&mut self, unit: Unit, window: u64, message_max: u32) -> u32 {
        let settings = &self.settings;
        let window = match unit {
            Unit::Bytes => window,
            Unit::Messages => settings.connection_window_bytes.into(),
        };
        let fragment = credit::fragment_min(
            window,
            settings.connection_window_bytes.into(),
            settings.record_bytes_max.into(),
        );
        let overhead = settings.frame_overhead_bytes.into();
        let cost = credit::message_charge(message_max.into(), overhead, fragment);
        self.window.message_cost_max = self.window.message_cost_max.max(cost);
        self.look_whether_low();
        u32::try_from(cost).unwrap_or(u32::MAX) // windows, which cover it, are below 2^31
    }

    /// The limit of the connection's to tell; it counts as told.
    pub(super) fn announce_window(&mut self) -> u64 {
        self.window.credit_due = false;
        if self.settings.auto_tune
            && let Some(rtt) = self.liveness.rtt_min()
        {
            let max = self.settings.connection_window_bytes_max.into();
            self.window.recv.tune(self.now, rtt, max);
        }
        self.window.peer_waits = false;
        self.window.recv.announce()
    }

    /// CREDIT of the connection.
    pub(super) fn handle_connection_credit(&mut self, blocked: bool, limit: u64) {
        let window = &mut self.window;
        if blocked {
            // As on a channel: what it was told it may never have seen.
            window.credit_due |= window.recv.owed() > 0 || window.recv.limit() > limit;
            window.peer_waits = true;
            self.look_whether_low();
        } else if window.send.raise(limit) {
            // Who finds it too little begins to wait anew.
            window.blocked_since = (!window.starved.is_empty()).then_some(self.now);
            window.blocked_told = false;
        }
    }

    /// Looks at who waits for the connection's credit. Whether it is to be looked at again.
    pub(super) fn sweep_starved(&mut self) -> bool {
        let now = self.now;
        self.window.starved_are_gone();
        let waits = self.window.blocked_since.is_some();
        if let Some(since) = self.window.blocked_since
            && now >= since.after(super::BLOCKED_AFTER)
        {
            self.ask_for_credit();
        }
        // Twice the time in which a receiver stops who holds that of others (rule R19).
        let saved_max = self.settings.stall_timeout.saturating_mul(2);
        let saved = self.window.saved_since.map(|since| since.after(saved_max));
        if saved.is_some_and(|until| now >= until) {
            self.stop_saving();
        }
        waits
    }

    /// Looks at who holds the connection's window. Whether it is to be looked at again.
    pub(super) fn sweep_window(&mut self) -> bool {
        let now = self.now;
        self.forget_message_costs();
        if !self.window.is_low() {
            self.window.low_since = None; // a window that was widened may be what ended it
        }
        let Some(since) = self.window.low_since else {
            return false;
        };
        if now >= since.after(self.settings.stall_timeout) {
            self.window.low_since = None;
            self.evict_largest();
            if self.window.is_low() {
                self.window.low_since = Some(now);
            }
        }
        true
    }

    /// Stops the channel that holds most of the connection's window (rule R19). One whose peer
    /// has ended is not stopped; but its application is told, once, to drop what it keeps.
    fn evict_largest(&mut self) {
        let largest = self
            .slots
            .iter()
            .filter(|c| !c.recv.evicted && !c.is_stopping())
            .max_by_key(|c| c.recv.held)
            .filter(|c| c.recv.held > u64::from(self.settings.reserve_bytes))
            .map(|c| c.id);
        if let Some(key) = largest.and_then(|id| self.slots.resolve(id)) {
            let effects = self.evict(key, Code::STALLED);
            self.apply(key, effects);
        }
    }

    /// For statistics: what may be sent and since when that is waited for; what counts against the
    /// window that we grant, and that window.
    pub(in crate::mux) fn window_stats(&self) -> (u64, Option<Timestamp>, u64, u64) {
        let SharedWindow { send, recv, .. } = &self.window;
        let since = self.window.blocked_since;
        (send.available(), since, recv.backlog(), recv.window())
    }

    /// What a channel holds no more is given back, as far as it passes its reserve.
    #[inline]
    pub(super) fn unhold(&mut self, before: u64, bytes: u64) {
        let reserve = u64::from(self.settings.reserve_bytes);
        if before > reserve {
            let stays = before.saturating_sub(bytes).max(reserve);
            self.window.consume(before - stays);
        }
    }
}
