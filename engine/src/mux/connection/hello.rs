//! HELLO of both ends: the limits that each announces.

use super::super::error::ChannelViolation;
use super::super::event::Event;
use super::super::wire::{self, Hello};
use super::Mux;

/// Bytes of the longest head of a message or run.
const HEAD_BYTES_MAX: usize = 32;
/// Bytes of the longest control frame: OPEN, with `metadata_bytes_max` of 4,000.
const CONTROL_BYTES_MAX: usize = 4000 + 128;

impl Mux {
    /// Bytes of the largest record that [`Self::poll_record`] can return.
    #[must_use]
    pub fn record_max(&self) -> usize {
        self.outgoing.record_max()
    }

    /// Record size, in bytes, that the layer below must accept: a minimum fragment, or the longest
    /// control frame.
    #[must_use]
    pub fn record_min(&self) -> usize {
        let max = self.peer.map_or(0, |peer| peer.record_bytes_max);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        (max / 4 + HEAD_BYTES_MAX).max(CONTROL_BYTES_MAX).min(max)
    }

    /// Limits records to `bytes`, for a layer below that accepts less than the peer: at least
    /// [`Self::record_min`], or sending may get stuck.
    pub fn limit_records(&mut self, bytes: usize) {
        self.outgoing.limit_records(bytes);
    }

    /// The peer's limits, with the record size that the layer below accepts, too.
    pub(super) fn peer_limits(&self) -> Option<Hello> {
        let record_bytes_max = self.outgoing.record_max() as u64;
        self.peer.map(|peer| Hello {
            record_bytes_max,
            ..peer
        })
    }

    /// The HELLO of this end.
    pub(super) fn local_hello(&self) -> Hello {
        let config = &self.config;
        Hello {
            record_bytes_max: config.record_bytes_max.into(),
            message_bytes_max: config.message_bytes_max.into(),
            channels_max: config.channels_max.into(),
            pending_opens_max: config.pending_opens_max.into(),
            aliases_max: config.aliases_max.into(),
            channel_limit: config.channel_window_bytes.into(),
            overhead: config.frame_overhead_bytes.into(),
            idle_timeout_ms: u64::try_from(config.idle_timeout.as_millis()).unwrap_or(u64::MAX),
            features: wire::FEATURE_CONFLATE
                | wire::FEATURE_RUN
                | wire::FEATURE_RESUME
                | wire::FEATURE_MSGS,
        }
    }

    pub(super) fn handle_hello<'r>(
        &mut self,
        hello: wire::Hello,
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        if self.peer.is_some() {
            return Err(ChannelViolation::HelloTwice);
        }
        self.peer = Some(hello);
        self.outgoing.start(&hello);
        self.liveness.start(&hello, self.now);
        self.opens.start(&hello);
        // The peer's limits are known now: applies them to channels that wait for OPEN, and wakes
        // senders that were refused before.
        let mut at = 0;
        while let Some((key, next)) = self.slots.next_from(at) {
            at = next;
            let limits = self.opens.initial_limits(self.slots[key].unit);
            let channel = &mut self.slots[key];
            channel.send.announce(limits);
            if core::mem::take(&mut channel.send.wants_room) {
                self.outgoing.now_writable(channel.id);
            }
        }
        Ok(Some(Event::Ready))
    }
}
