//! The schedule of sending: strict priority classes with a floor, deficit round robin within a
//! class.

use alloc::collections::VecDeque;

/// The number of priorities.
pub(super) const CLASSES: usize = 8;

/// Charged bytes that a channel may send in a turn.
pub(super) const QUANTUM_BYTES: i32 = 4 << 10;

/// Charged bytes of higher classes after which a waiting lower class gets one turn.
const FLOOR_BYTES: i64 = 64 << 10;

/// The channels with something to send, by class, in order of their turns.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    classes: [VecDeque<u32>; CLASSES],
    /// One bit for each class that is not empty.
    waiting: u8,
    /// Charged bytes sent while a lower class waited.
    passed_over: i64,
    /// The class that had the last floor turn: the next lower waiting class has the next.
    last_floor_class: u8,
    /// The class of the current floor turn, until it has sent something: a turn that a full record
    /// ends does not count.
    turn_by_floor: Option<u8>,
}

impl Schedule {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Adds a channel to the end of its class.
    pub(super) fn push(&mut self, class: u8, slot: u32) {
        let class = class & 7;
        if let Some(queue) = self.classes.get_mut(usize::from(class)) {
            queue.push_back(slot);
            self.waiting |= 1 << class;
        }
    }

    /// Puts a channel back to the front of its class: the record was full.
    pub(super) fn push_front(&mut self, class: u8, slot: u32) {
        let class = class & 7;
        if let Some(queue) = self.classes.get_mut(usize::from(class)) {
            queue.push_front(slot);
            self.waiting |= 1 << class;
        }
    }

    /// Removes a waiting channel: its slot may be reused.
    pub(super) fn remove(&mut self, class: u8, slot: u32) {
        let class = class & 7;
        if let Some(queue) = self.classes.get_mut(usize::from(class)) {
            queue.retain(|&waiting| waiting != slot);
            if queue.is_empty() {
                self.waiting &= !(1 << class);
            }
        }
    }

    /// Takes the channel whose turn it is.
    pub(super) fn pop(&mut self) -> Option<u32> {
        if self.waiting == 0 {
            return None;
        }
        let top = self.waiting.trailing_zeros() as u8;
        let lower = self.waiting & !(1 << top);
        self.turn_by_floor = None;
        let class = if lower != 0 && self.passed_over >= FLOOR_BYTES {
            let below =
                lower & (u8::MAX.checked_shl(u32::from(self.last_floor_class) + 1)).unwrap_or(0);
            let class = if below == 0 { lower } else { below }.trailing_zeros() as u8;
            self.turn_by_floor = Some(class);
            class
        } else {
            top
        };
        let queue = self.classes.get_mut(usize::from(class))?;
        let slot = queue.pop_front();
        if queue.is_empty() {
            self.waiting &= !(1 << class);
        }
        slot
    }

    /// Charges a class for what one of its channels sent.
    pub(super) fn charge(&mut self, class: u8, charge: u64) {
        if self
            .turn_by_floor
            .take_if(|floor| *floor == class)
            .is_some()
        {
            self.last_floor_class = class;
            self.passed_over = 0;
            return;
        }
        let below = self.waiting & u8::MAX.checked_shl(u32::from(class & 7) + 1).unwrap_or(0);
        if below == 0 {
            self.passed_over = 0;
        } else {
            self.passed_over = self.passed_over.saturating_add(charge as i64);
        }
    }
}

#[cfg(test)]
mod tests;
