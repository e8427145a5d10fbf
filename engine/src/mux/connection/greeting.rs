//! How a connection begins and ends, as the peer says: HELLO, with its limits, and GOAWAY.

use super::super::channel::Stage;
use super::super::error::{Code, Failure, Violation};
use super::super::event::Event;
use super::super::wire::{self, Hello};
use super::{Connection, Phase};

/// Bytes of the longest head of a message or run.
const HEAD_BYTES_MAX: usize = 32;
/// Bytes of the longest control frame: OPEN, with `metadata_bytes_max` of 4,000.
const CONTROL_BYTES_MAX: usize = 4000 + 128;

impl Connection {
    /// Bytes of the largest record that [`Self::poll_record`] may give.
    #[must_use]
    pub fn record_max(&self) -> usize {
        match &self.peer {
            Some(_) => self.peer_record_max,
            None => wire::HELLO_FRAME_BYTES_MAX + wire::GOAWAY_BYTES_MAX,
        }
    }

    /// Bytes that the layer below must take in one record: a fragment of the size that windows
    /// count on, or the longest control frame.
    #[must_use]
    pub fn record_least(&self) -> usize {
        let max = self.peer.map_or(0, |peer| peer.record_bytes_max);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        (max / 4 + HEAD_BYTES_MAX).max(CONTROL_BYTES_MAX).min(max)
    }

    /// The layer below takes records of at most so many bytes, whatever the peer takes: at least
    /// [`Self::record_least`], or nothing may go out.
    pub fn limit_records(&mut self, bytes: usize) {
        self.record_limit = bytes;
        self.peer_record_max = self.peer_record_max.min(bytes);
    }

    /// The peer's limits, records cut to what the layer below takes.
    pub(super) fn takes(&self) -> Option<Hello> {
        let record_bytes_max = self.peer_record_max as u64;
        self.peer.map(|peer| Hello {
            record_bytes_max,
            ..peer
        })
    }

    pub(super) fn handle_hello<'r>(
        &mut self,
        hello: wire::Hello,
    ) -> Result<Option<Event<'r>>, Violation> {
        if self.peer.is_some() {
            return Err(Violation::HelloTwice);
        }
        self.send.raise(hello.connection_limit);
        self.peer = Some(hello);
        let record_max = usize::try_from(hello.record_bytes_max).unwrap_or(0);
        self.peer_record_max = record_max.min(self.record_limit);
        self.peer_overhead = hello.overhead;
        self.ping.due = true;
        self.ping.next_at = self.now.after(self.ping_interval());
        // Sends that were refused for want of limits.
        for index in 0..self.slots.end() {
            self.announced(index);
            if let Some(channel) = self.slots.at_mut(index)
                && core::mem::take(&mut channel.send.wants_room)
            {
                self.writable.push_back(channel.id);
            }
        }
        Ok(Some(Event::Ready))
    }

    pub(super) fn handle_goaway<'r>(&mut self, goaway: &wire::GoAway<'r>) -> Option<Event<'r>> {
        let code = Code(goaway.code);
        let graceful = code == Code::NO_ERROR || code >= Code::APPLICATION;
        if !graceful {
            let failure = Failure::Peer(code);
            self.finish(failure);
            return self.last(Some(Event::Failed(failure)));
        }
        // What the peer has not seen, it will not: looked for where it has seen less than it said.
        let news = goaway.opens_seen < self.opens_sent.min(self.opens_seen_by_peer);
        self.opens_seen_by_peer = self.opens_seen_by_peer.min(goaway.opens_seen);
        for index in 0..if news { self.slots.end() } else { 0 } {
            let Some(channel) = self.slots.at_mut(index) else {
                continue;
            };
            if let Stage::Asked(number) = channel.stage
                && number > goaway.opens_seen
            {
                let (id, attached) = (channel.id, channel.attached);
                self.reject_own(index);
                if attached {
                    self.events.push_back(Event::Rejected {
                        channel: id,
                        code: Code::REFUSED,
                        unprocessed: true,
                        metadata: &[],
                    });
                }
            }
        }
        self.refuse_waiting(Code::REFUSED);
        if self.phase == Phase::Open {
            self.phase = Phase::Draining;
            self.drained_by = Some(Failure::Peer(code));
        }
        self.end_drain();
        Some(Event::Draining {
            code,
            reason: goaway.reason,
        })
    }
}
