//! How a connection begins and ends, as the peer says: HELLO and GOAWAY.

use super::super::channel::Stage;
use super::super::error::{Code, Failure, Violation};
use super::super::event::Event;
use super::super::wire;
use super::{Connection, Phase};

impl Connection {
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
            return Some(Event::Failed(failure));
        }
        // What the peer has not seen, it will not.
        for index in 0..self.slots.end() {
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
