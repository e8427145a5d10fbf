//! How a connection begins: HELLO of both ends, with what each takes.

use super::super::error::ChannelViolation;
use super::super::event::Event;
use super::super::wire::{self, Hello};
use super::Mux;

/// Bytes of the longest head of a message or run.
const HEAD_BYTES_MAX: usize = 32;
/// Bytes of the longest control frame: OPEN, with `metadata_bytes_max` of 4,000.
const CONTROL_BYTES_MAX: usize = 4000 + 128;

impl Mux {
    /// Bytes of the largest record that [`Self::poll_record`] may give.
    #[must_use]
    pub fn record_max(&self) -> usize {
        self.outgoing.record_max()
    }

    /// Bytes that the layer below must take in one record: a fragment of the size that windows
    /// count on, or the longest control frame.
    #[must_use]
    pub fn record_min(&self) -> usize {
        let max = self.peer.map_or(0, |peer| peer.record_bytes_max);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        (max / 4 + HEAD_BYTES_MAX).max(CONTROL_BYTES_MAX).min(max)
    }

    /// The layer below takes records of at most so many bytes, whatever the peer takes: at least
    /// [`Self::record_min`], or nothing may go out.
    pub fn limit_records(&mut self, bytes: usize) {
        self.outgoing.limit_records(bytes);
    }

    /// The peer's limits, records cut to what the layer below takes.
    pub(super) fn takes(&self) -> Option<Hello> {
        let record_bytes_max = self.outgoing.record_max() as u64;
        self.peer.map(|peer| Hello {
            record_bytes_max,
            ..peer
        })
    }

    /// HELLO of this end.
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
        // What the peer takes is known: of channels that wait to be opened, and for sends that
        // were refused for want of that.
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
