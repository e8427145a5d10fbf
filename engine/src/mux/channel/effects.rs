//! Effects of a channel's transition outside of the channel.

use core::ops::{BitOr, BitOrAssign};

/// What a transition of a channel leaves to its connection, one bit each. `Mux::apply` carries all
/// of it out.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "a transition is complete when its effects are carried out"]
pub(in crate::mux) struct Effects(u8);

impl Effects {
    pub(in crate::mux) const NONE: Self = Self(0);
    /// Control frames are pending: add the channel to the control queue.
    pub(in crate::mux) const CONTROL: Self = Self(1);
    /// Messages or FIN can be sent: add the channel to the schedule.
    pub(in crate::mux) const SCHEDULE: Self = Self(1 << 1);
    /// Drop the queue and subtract its bytes from the total.
    pub(in crate::mux) const DISCARD: Self = Self(1 << 2);
    /// Drop the partial message and return its credit.
    pub(in crate::mux) const DROP_PARTIAL: Self = Self(1 << 3);
    /// Recompute the reservation of the receiving half.
    pub(in crate::mux) const RESERVE: Self = Self(1 << 4);
    /// The channel has a deadline: schedule a sweep.
    pub(in crate::mux) const SWEEP: Self = Self(1 << 5);
    /// A half may have ended: check whether the channel is closed and its slot free.
    pub(in crate::mux) const CHECK_CLOSED: Self = Self(1 << 6);
    /// The peer answered an OPEN: another one may be sent.
    pub(in crate::mux) const ANSWERED: Self = Self(1 << 7);

    #[inline]
    pub(in crate::mux) fn has(self, effect: Self) -> bool {
        self.0 & effect.0 != 0
    }

    #[inline]
    pub(in crate::mux) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// These effects if `condition` holds, else none.
    #[inline]
    pub(in crate::mux) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }
}

impl BitOr for Effects {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Effects {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
