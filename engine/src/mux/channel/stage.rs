//! The opening stage of a channel, and its pending control frames.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::error::ErrorCode;
use super::super::open::{AcceptOptions, OpenOptions};
use super::super::wire;

/// The opening stage of a channel.
#[derive(Clone, Debug)]
pub(in crate::mux) enum Stage {
    /// This end's OPEN is pending.
    OpenPending(Box<OpenOptions>),
    /// This end's OPEN, with this number, is sent.
    OpenSent(u64),
    /// The peer's OPEN is received; the application has not answered.
    OpenReceived,
    /// This end's ACCEPT is pending.
    AcceptPending(Box<AcceptOptions>),
    /// The channel is accepted.
    Open,
    /// This end's REJECT is pending.
    RejectPending(ErrorCode, Vec<u8>),
    /// One end rejected the channel.
    Rejected,
}

/// Pending control frames: one bit each, so that none is queued twice (rule R3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct Pending(u8);

impl Pending {
    /// OPEN, ACCEPT or REJECT, depending on the stage.
    pub(in crate::mux) const OPENING: u8 = 1;
    pub(in crate::mux) const CREDIT: u8 = 2;
    /// CREDIT with BLOCKED.
    pub(in crate::mux) const BLOCKED: u8 = 4;
    pub(in crate::mux) const STOP: u8 = 8;
    pub(in crate::mux) const ABORT: u8 = 16;
    pub(in crate::mux) const SEQ: u8 = 32;
    /// CREDIT with NARROW.
    pub(in crate::mux) const NARROW: u8 = 64;
    /// CREDIT with RETURN.
    pub(in crate::mux) const RETURN: u8 = 128;

    pub(in crate::mux) fn set(&mut self, bit: u8) {
        self.0 |= bit;
    }

    pub(in crate::mux) fn unset(&mut self, bit: u8) {
        self.0 &= !bit;
    }

    pub(in crate::mux) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(in crate::mux) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Largest number of bytes of the pending frames, without OPEN, ACCEPT and REJECT.
    pub(in crate::mux) fn bytes_max(self) -> usize {
        let of = |bit: u8, bytes: usize| if self.has(bit) { bytes } else { 0 };
        of(Self::SEQ, wire::SEQ_BYTES_MAX)
            + of(Self::CREDIT, wire::CREDIT_BYTES_MAX)
            + of(Self::BLOCKED, wire::CREDIT_BYTES_MAX)
            + of(Self::NARROW, wire::CREDIT_BYTES_MAX)
            + of(Self::RETURN, wire::CREDIT_BYTES_MAX)
            + of(Self::ABORT, wire::RESET_BYTES_MAX)
            + of(Self::STOP, wire::RESET_BYTES_MAX)
    }

    pub(in crate::mux) fn clear(&mut self) {
        self.0 = 0;
    }
}
