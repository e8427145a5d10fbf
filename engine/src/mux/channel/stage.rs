//! How far a channel is, and what it has to say.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::error::ErrorCode;
use super::super::open::{AcceptOptions, OpenOptions};
use super::super::wire;

/// How far the opening of a channel is.
#[derive(Clone, Debug)]
pub(in crate::mux) enum Stage {
    /// Our OPEN waits to be encoded.
    OpenPending(Box<OpenOptions>),
    /// Our OPEN, the nth, is out.
    OpenSent(u64),
    /// The peer's OPEN waits for the application's answer.
    OpenReceived,
    /// Our ACCEPT waits to be encoded.
    AcceptPending(Box<AcceptOptions>),
    /// Both ends have aliases.
    Open,
    /// Our REJECT waits to be encoded.
    RejectPending(ErrorCode, Vec<u8>),
    /// The peer, or we, did not want it.
    Rejected,
}

/// Control frames that wait to be encoded: one bit each, so that none queues twice (rule R3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct Pending(u8);

impl Pending {
    /// OPEN, ACCEPT or REJECT, as the stage says.
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

    /// Bytes of the frames that wait, at most, without what opens or answers.
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
