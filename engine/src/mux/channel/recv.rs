//! The half that the peer sends on.

use alloc::boxed::Box;

use bytes::{Bytes, BytesMut};

use super::super::credit::{Charge, RecvCredit};
use super::super::error::{Code, Violation};
use super::super::wire::VARINT_MAX;
use crate::time::Timestamp;

/// Where the receiving half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) enum RecvState {
    /// The direction leaves this half out.
    None,
    Receiving,
    /// RESET(STOP) is sent, or waits to be: what still comes is charged and given back.
    Stopping(Code),
    Finished,
    Aborted,
}

impl RecvState {
    pub(in crate::mux) fn is_terminal(self) -> bool {
        matches!(self, Self::None | Self::Finished | Self::Aborted)
    }
}

/// A message of which more fragments are to come.
#[derive(Debug)]
pub(in crate::mux) struct Partial {
    pub(in crate::mux) bytes: BytesMut,
    pub(in crate::mux) charge: Charge,
    skipped: u64,
    /// When the last fragment came that was not too short to count, or the first.
    since: Timestamp,
}

/// What we receive.
#[derive(Debug)]
pub(in crate::mux) struct RecvHalf {
    pub(in crate::mux) state: RecvState,
    pub(in crate::mux) credit: RecvCredit,
    pub(in crate::mux) message_max: u32,
    /// What such a message costs at most of the connection's credit.
    pub(in crate::mux) message_cost: u32,
    /// Bytes charged of the connection and not released, in part covered by the reserve.
    pub(in crate::mux) held: u64,
    /// The largest that `held` has been.
    pub(in crate::mux) held_max: u64,
    pub(in crate::mux) epoch: u64,
    /// Number of the next message to come.
    pub(in crate::mux) next_seq: u64,
    pub(in crate::mux) skipped_total: u64,
    pub(in crate::mux) partial: Option<Box<Partial>>,
    /// The application's acknowledgement, to go with the next CREDIT.
    pub(in crate::mux) ack: Option<u64>,
    pub(in crate::mux) messages: u64,
    pub(in crate::mux) bytes: u64,
    /// CREDIT(BLOCKED) of the peer's.
    pub(in crate::mux) blocked_told: u32,
    /// The application was told to drop what it keeps of it.
    pub(in crate::mux) evicted: bool,
}

impl RecvHalf {
    pub(in crate::mux) fn new(receives: bool, window: u64, message_max: u32) -> Self {
        Self {
            state: if receives {
                RecvState::Receiving
            } else {
                RecvState::None
            },
            credit: RecvCredit::new(if receives { window } else { 0 }),
            message_max,
            message_cost: 0,
            held: 0,
            held_max: 0,
            epoch: 0,
            next_seq: 0,
            skipped_total: 0,
            partial: None,
            ack: None,
            messages: 0,
            bytes: 0,
            blocked_told: 0,
            evicted: false,
        }
    }

    /// Whether data may come in this state.
    pub(in crate::mux) fn takes_data(&self, alias: u32) -> Result<(), Violation> {
        match self.state {
            RecvState::Receiving | RecvState::Stopping(_) => Ok(()),
            RecvState::None => Err(Violation::WrongDirection(alias)),
            RecvState::Finished | RecvState::Aborted => Err(Violation::DataAfterEnd(alias)),
        }
    }

    /// The number that the next message has behind `skip` lost ones.
    pub(in crate::mux) fn number_behind(&self, skip: u64) -> Result<u64, Violation> {
        let seq = self.next_seq.saturating_add(skip);
        if seq >= VARINT_MAX {
            return Err(Violation::BadCounter);
        }
        Ok(seq)
    }

    /// Counts messages that came: `len` bytes, behind `skip` lost messages.
    #[inline]
    pub(in crate::mux) fn count(&mut self, next_seq: u64, skip: u64, messages: u64, len: usize) {
        self.next_seq = next_seq;
        self.skipped_total = self.skipped_total.saturating_add(skip);
        self.messages += messages;
        self.bytes += len as u64;
    }

    /// `bytes` more are held by the application: all that is held then.
    #[inline]
    pub(in crate::mux) fn hold(&mut self, bytes: u64) -> u64 {
        self.held += bytes;
        self.held_max = self.held_max.max(self.held);
        self.held
    }

    /// Adds a fragment to the message that is not whole yet; the message, its lost predecessors
    /// and its charge, if `more` says that this fragment is the last one. `record_max` is what a
    /// sender may put into one record.
    pub(in crate::mux) fn assemble(
        &mut self,
        (payload, skip, more): (&[u8], u64, bool),
        charge: Charge,
        record_max: u32,
        now: Timestamp,
    ) -> Option<(Bytes, u64, Charge)> {
        // No sender makes a shorter one but the last: a quarter of a record, or of a window, in
        // either of which a message fits.
        let fragment_min = record_max.min(self.message_max) / 4;
        let partial = self.partial.get_or_insert_with(|| {
            Box::new(Partial {
                bytes: BytesMut::new(),
                charge: Charge::default(),
                skipped: 0,
                since: now,
            })
        });
        partial.bytes.extend_from_slice(payload);
        partial.charge.merge(charge);
        partial.skipped += skip;
        if payload.len() >= fragment_min as usize {
            partial.since = now; // the sender's other channels may be what the next one waits for
        }
        if more {
            return None;
        }
        let mut partial = self.partial.take()?;
        let bytes = core::mem::take(&mut partial.bytes).freeze();
        Some((bytes, partial.skipped, partial.charge.take()))
    }

    /// When the message that is not whole is given up, if there is one.
    pub(in crate::mux) fn partial_until(&self, timeout: core::time::Duration) -> Option<Timestamp> {
        self.partial.as_ref().map(|p| p.since.after(timeout))
    }
}
