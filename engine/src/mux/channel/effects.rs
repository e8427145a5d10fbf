//! What a transition of a channel asks of its connection.

use core::ops::{BitOr, BitOrAssign};

/// What a transition of a channel leaves to do outside of the channel, one bit each. The
/// connection carries all of it out in one place: `Mux::apply`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "a transition is complete when its effects are carried out"]
pub(in crate::mux) struct Effects(u8);

impl Effects {
    pub(in crate::mux) const NONE: Self = Self(0);
    /// Control frames wait: the channel joins the control lane.
    pub(in crate::mux) const CONTROL: Self = Self(1);
    /// Messages or a FIN may go: the channel joins the schedule.
    pub(in crate::mux) const SCHEDULE: Self = Self(1 << 1);
    /// Nothing that is queued will be sent: the queue goes, and its bytes are not counted.
    pub(in crate::mux) const DISCARD: Self = Self(1 << 2);
    /// A message that is not whole will not be: its fragments go, and their credit is given back.
    pub(in crate::mux) const DROP_PARTIAL: Self = Self(1 << 3);
    /// What is set aside for the receiving half is counted anew.
    pub(in crate::mux) const RESERVE: Self = Self(1 << 4);
    /// Something waits for a deadline: the channels are looked through before long.
    pub(in crate::mux) const SWEEP: Self = Self(1 << 5);
    /// A half is over: the channel may be closed, and its place free.
    pub(in crate::mux) const CHECK_CLOSED: Self = Self(1 << 6);
    /// Our OPEN is answered: another one may go.
    pub(in crate::mux) const ANSWERED: Self = Self(1 << 7);

    #[inline]
    pub(in crate::mux) fn has(self, effect: Self) -> bool {
        self.0 & effect.0 != 0
    }

    #[inline]
    pub(in crate::mux) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// These effects where `condition` holds, else none.
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
