//! The half that the peer sends on.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::credit::{Charge, RecvCredit};
use super::super::error::{ChannelViolation, ErrorCode};
use super::super::wire::VARINT_MAX;
use super::numbers::Numbers;
use crate::time::Timestamp;

/// Where the receiving half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) enum RecvState {
    /// The direction leaves this half out.
    None,
    Receiving,
    /// RESET(STOP) is sent, or waits to be: what still comes is charged and dropped.
    Stopping(ErrorCode),
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

/// What of the connection's receive budget is set aside for a half.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct Reservation {
    /// Bytes that the peer can still make us hold, those held included.
    pub(in crate::mux) bytes: u32,
    /// The half may receive.
    pub(in crate::mux) receiving: bool,
}

/// [`Reservation`] in four bytes, for a place that is used up to the byte.
#[derive(Clone, Copy, Default, Debug)]
struct PackedReservation(u32);

impl PackedReservation {
    /// Windows are at most 2^30 bytes: the highest bit is free.
    const RECEIVING: u32 = 1 << 31;

    fn new(reservation: Reservation) -> Self {
        debug_assert!(
            reservation.bytes < Self::RECEIVING,
            "windows are at most 2^30 bytes"
        );
        let receiving = if reservation.receiving {
            Self::RECEIVING
        } else {
            0
        };
        Self(reservation.bytes | receiving)
    }

    fn get(self) -> Reservation {
        Reservation {
            bytes: self.0 & !Self::RECEIVING,
            receiving: self.0 & Self::RECEIVING != 0,
        }
    }
}

/// The window of a half, as it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) struct Window {
    /// In the channel's unit.
    pub(in crate::mux) units: u64,
    /// Bytes of the largest message.
    pub(in crate::mux) message_max: u32,
    /// Bytes that a unit may bring; all of them at most 2^30.
    pub(in crate::mux) unit_bytes: u32,
}

/// What we receive.
#[derive(Debug)]
pub(in crate::mux) struct RecvHalf {
    pub(in crate::mux) state: RecvState,
    pub(in crate::mux) credit: RecvCredit,
    pub(in crate::mux) message_max: u32,
    /// Bytes that a unit of the window may bring: 1, or the cost of the largest message.
    unit_bytes: u32,
    /// What is set aside for the half now.
    reservation: PackedReservation,
    /// When data came last.
    pub(in crate::mux) last_received: Timestamp,
    /// Bytes charged and not released by the application: windows are below 2^31 bytes.
    pub(in crate::mux) held: u32,
    /// The largest that `held` was when it became less.
    held_max: u32,
    /// Of the messages that came.
    pub(in crate::mux) numbers: Numbers,
    pub(in crate::mux) skipped_total: u64,
    pub(in crate::mux) partial: Option<Box<Partial>>,
    /// The application's acknowledgement, to go with the next CREDIT.
    pub(in crate::mux) ack: Option<u64>,
    pub(in crate::mux) bytes: u64,
    /// CREDIT(BLOCKED) of the peer's.
    pub(in crate::mux) blocked_received: u32,
}

impl RecvHalf {
    pub(in crate::mux) fn new(receives: bool, window: Window) -> Self {
        Self {
            state: if receives {
                RecvState::Receiving
            } else {
                RecvState::None
            },
            credit: RecvCredit::new(if receives { window.units } else { 0 }),
            message_max: window.message_max,
            unit_bytes: window.unit_bytes,
            reservation: PackedReservation::default(),
            last_received: Timestamp(0),
            held: 0,
            held_max: 0,
            numbers: Numbers::default(),
            skipped_total: 0,
            partial: None,
            ack: None,
            bytes: 0,
            blocked_received: 0,
        }
    }

    /// The application grants another window than the one that the channel began with.
    pub(in crate::mux) fn set_initial_window(&mut self, window: Window) {
        self.credit.set_initial_window(window.units);
        self.message_max = window.message_max;
        self.unit_bytes = window.unit_bytes;
    }

    /// Counts anew what is to be set reservation: the window while data may come, then what the
    /// application holds still. Of the first window only `counted` bytes: what the application has
    /// granted beyond them is its own affair. At least as much while the half receives as the
    /// answer that is yet to come grants, if `offered`. What was set aside, and what is.
    pub(in crate::mux) fn update_reservation(
        &mut self,
        counted: u64,
        offered: bool,
    ) -> (Reservation, Reservation) {
        let receiving = self.state == RecvState::Receiving;
        let unit = u64::from(self.unit_bytes);
        let bytes = match receiving {
            true if offered => counted.max(self.credit.outstanding_max() * unit),
            true => self.credit.outstanding_max() * unit,
            false => self.held.into(),
        };
        let granted = (self.credit.initial() * unit).saturating_sub(counted);
        let now = Reservation {
            // Windows are at most 2^30 bytes, and grow to that.
            bytes: bytes.saturating_sub(granted) as u32,
            receiving,
        };
        (self.replace_reservation(now), now)
    }

    fn replace_reservation(&mut self, now: Reservation) -> Reservation {
        core::mem::replace(&mut self.reservation, PackedReservation::new(now)).get()
    }

    /// What is set aside for a half that is forgotten.
    pub(in crate::mux) fn clear_reservation(&mut self) -> Reservation {
        self.replace_reservation(Reservation::default())
    }

    /// The window has grown, and is not used: the peer has sent nothing for `idle`, and all is read.
    pub(in crate::mux) fn is_wide_and_idle(&self, idle: Duration, now: Timestamp) -> bool {
        self.state == RecvState::Receiving
            && self.credit.has_grown()
            && self.credit.backlog() == 0
            && now >= self.last_received.after(idle)
    }

    /// Whether a fragment that costs `bytes` makes its message cost more than a message may, where
    /// messages are counted and any fragment would do.
    pub(in crate::mux) fn costs_too_much(&self, bytes: u64) -> bool {
        let begun = self.partial.as_ref().map_or(0, |p| p.charge.bytes());
        u64::from(begun) + bytes > u64::from(self.unit_bytes)
    }

    /// Whether data may come in this state.
    pub(in crate::mux) fn takes_data(&self, alias: u32) -> Result<(), ChannelViolation> {
        match self.state {
            RecvState::Receiving | RecvState::Stopping(_) => Ok(()),
            RecvState::None => Err(ChannelViolation::WrongDirection(alias)),
            RecvState::Finished | RecvState::Aborted => Err(ChannelViolation::DataAfterEnd(alias)),
        }
    }

    /// The number that the next message has behind `skip` lost ones.
    pub(in crate::mux) fn number_behind(&self, skip: u64) -> Result<u64, ChannelViolation> {
        let seq = self.numbers.next().saturating_add(skip);
        if seq >= VARINT_MAX {
            return Err(ChannelViolation::BadCounter);
        }
        Ok(seq)
    }

    /// Counts messages that came: `len` bytes, behind `skip` lost messages.
    #[inline]
    pub(in crate::mux) fn count(&mut self, skip: u64, messages: u64, len: usize) {
        self.numbers.skip(skip);
        self.skipped_total = self.skipped_total.saturating_add(skip);
        self.numbers.count(messages);
        self.bytes += len as u64;
    }

    /// `bytes` more are held by the application.
    #[inline]
    pub(in crate::mux) fn add_held(&mut self, bytes: u64) {
        self.held += bytes as u32;
    }

    /// `bytes` are held no more.
    #[inline]
    pub(in crate::mux) fn sub_held(&mut self, bytes: u32) {
        // The most is held before a part of it goes.
        if self.held > self.held_max {
            self.held_max = self.held;
        }
        self.held = self.held.saturating_sub(bytes);
    }

    /// The most that has been held at once.
    pub(in crate::mux) fn held_max(&self) -> u32 {
        self.held_max.max(self.held)
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
    pub(in crate::mux) fn partial_until(&self, timeout: Duration) -> Option<Timestamp> {
        self.partial.as_ref().map(|p| p.since.after(timeout))
    }
}
