//! The receiving half.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::credit::{Charge, RecvCredit};
use super::super::error::{ChannelViolation, ErrorCode};
use super::super::wire::VARINT_MAX;
use super::numbers::Numbers;
use crate::time::Timestamp;

/// The state of the receiving half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) enum RecvState {
    /// The direction excludes this half.
    None,
    Receiving,
    /// RESET(STOP) is sent or pending: received data is charged and dropped.
    Stopping(ErrorCode),
    Finished,
    Aborted,
}

impl RecvState {
    pub(in crate::mux) fn is_terminal(self) -> bool {
        matches!(self, Self::None | Self::Finished | Self::Aborted)
    }
}

/// A message with missing fragments.
#[derive(Debug)]
pub(in crate::mux) struct Partial {
    pub(in crate::mux) bytes: BytesMut,
    pub(in crate::mux) charge: Charge,
    skipped: u64,
    /// When the last fragment of at least the minimum size was received, or the first fragment.
    since: Timestamp,
}

/// The part of the connection's receive budget that is reserved for a half.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::mux) struct Reservation {
    /// Bytes that the peer can make this end hold, held bytes included.
    pub(in crate::mux) bytes: u32,
    /// The half is receiving.
    pub(in crate::mux) receiving: bool,
}

/// [`Reservation`] in four bytes, to keep channels small.
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

/// The initial window of a half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mux) struct Window {
    /// In the channel's unit.
    pub(in crate::mux) units: u64,
    /// Bytes of the largest message.
    pub(in crate::mux) message_max: u32,
    /// The largest cost in bytes of a unit; at most 2^30 for the whole window.
    pub(in crate::mux) unit_bytes: u32,
}

/// The receiving half of a channel.
#[derive(Debug)]
pub(in crate::mux) struct RecvHalf {
    pub(in crate::mux) state: RecvState,
    pub(in crate::mux) credit: RecvCredit,
    pub(in crate::mux) message_max: u32,
    /// The largest cost in bytes of a unit of the window: 1, or the cost of the largest message.
    unit_bytes: u32,
    /// The reserved part of the receive budget.
    reservation: PackedReservation,
    /// When data was last received.
    pub(in crate::mux) last_received: Timestamp,
    /// Bytes charged and not released by the application; windows are below 2^31 bytes.
    pub(in crate::mux) held: u32,
    /// The maximum of `held`, updated when `held` decreases.
    held_max: u32,
    /// Numbers of the received messages.
    pub(in crate::mux) numbers: Numbers,
    pub(in crate::mux) skipped_total: u64,
    pub(in crate::mux) partial: Option<Box<Partial>>,
    /// The application's acknowledgement, to go with the next CREDIT.
    pub(in crate::mux) ack: Option<u64>,
    pub(in crate::mux) bytes: u64,
    /// CREDIT(BLOCKED) frames received.
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

    /// Replaces the initial window by the one that the application grants.
    pub(in crate::mux) fn set_initial_window(&mut self, window: Window) {
        self.credit.set_initial_window(window.units);
        self.message_max = window.message_max;
        self.unit_bytes = window.unit_bytes;
    }

    /// Recomputes the reservation: the window while the half receives, then the held bytes. Of the
    /// initial window only `counted` bytes are reserved; the application granted the rest beyond
    /// the defaults. If the channel is `offered` and not answered, at least `counted` bytes are
    /// reserved. Returns the old and the new reservation.
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
            // Windows are, and grow to, at most 2^30 bytes.
            bytes: bytes.saturating_sub(granted) as u32,
            receiving,
        };
        (self.replace_reservation(now), now)
    }

    fn replace_reservation(&mut self, now: Reservation) -> Reservation {
        core::mem::replace(&mut self.reservation, PackedReservation::new(now)).get()
    }

    /// Clears the reservation and returns it.
    pub(in crate::mux) fn clear_reservation(&mut self) -> Reservation {
        self.replace_reservation(Reservation::default())
    }

    /// Whether the window has grown and is unused: no data for `idle`, and everything is released.
    pub(in crate::mux) fn is_wide_and_idle(&self, idle: Duration, now: Timestamp) -> bool {
        self.state == RecvState::Receiving
            && self.credit.has_grown()
            && self.credit.backlog() == 0
            && now >= self.last_received.after(idle)
    }

    /// Whether a fragment that costs `bytes` raises the cost of its message above the largest,
    /// where messages are counted and do not bound it.
    pub(in crate::mux) fn costs_too_much(&self, bytes: u64) -> bool {
        let received = self.partial.as_ref().map_or(0, |p| p.charge.bytes());
        u64::from(received) + bytes > u64::from(self.unit_bytes)
    }

    /// Checks that data may be received in this state.
    pub(in crate::mux) fn takes_data(&self, alias: u32) -> Result<(), ChannelViolation> {
        match self.state {
            RecvState::Receiving | RecvState::Stopping(_) => Ok(()),
            RecvState::None => Err(ChannelViolation::WrongDirection(alias)),
            RecvState::Finished | RecvState::Aborted => Err(ChannelViolation::DataAfterEnd(alias)),
        }
    }

    /// The number of the next message after `skip` lost ones.
    pub(in crate::mux) fn number_behind(&self, skip: u64) -> Result<u64, ChannelViolation> {
        let seq = self.numbers.next().saturating_add(skip);
        if seq >= VARINT_MAX {
            return Err(ChannelViolation::BadCounter);
        }
        Ok(seq)
    }

    /// Counts received messages of `len` bytes, after `skip` lost ones.
    #[inline]
    pub(in crate::mux) fn count(&mut self, skip: u64, messages: u64, len: usize) {
        self.numbers.skip(skip);
        self.skipped_total = self.skipped_total.saturating_add(skip);
        self.numbers.count(messages);
        self.bytes += len as u64;
    }

    /// Adds to the bytes that the application holds.
    #[inline]
    pub(in crate::mux) fn add_held(&mut self, bytes: u64) {
        self.held += bytes as u32;
    }

    /// Subtracts from the bytes that the application holds.
    #[inline]
    pub(in crate::mux) fn sub_held(&mut self, bytes: u32) {
        // `held` is at a maximum when it decreases.
        if self.held > self.held_max {
            self.held_max = self.held;
        }
        self.held = self.held.saturating_sub(bytes);
    }

    /// The maximum of `held`.
    pub(in crate::mux) fn held_max(&self) -> u32 {
        self.held_max.max(self.held)
    }

    /// Adds a fragment to the partial message. Unless `more` fragments follow, returns the message,
    /// the messages lost before it, and its charge. `record_max` is the largest record that the
    /// sender may use.
    pub(in crate::mux) fn assemble(
        &mut self,
        (payload, skip, more): (&[u8], u64, bool),
        charge: Charge,
        record_max: u32,
        now: Timestamp,
    ) -> Option<(Bytes, u64, Charge)> {
        // Only the last fragment may be shorter: a quarter of a record, or of the largest message,
        // whichever is less.
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
            partial.since = now; // other channels of the sender may go before the next fragment
        }
        if more {
            return None;
        }
        let mut partial = self.partial.take()?;
        let bytes = core::mem::take(&mut partial.bytes).freeze();
        Some((bytes, partial.skipped, partial.charge.take()))
    }

    /// The deadline of the partial message, if there is one.
    pub(in crate::mux) fn partial_until(&self, timeout: Duration) -> Option<Timestamp> {
        self.partial.as_ref().map(|p| p.since.after(timeout))
    }
}
