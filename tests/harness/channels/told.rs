//! What the core tells the applications, against the model.

use tickwire::channels::{AcceptOptions, ChannelId, Charge, Event, Opening};

use super::sim::Sim;

impl Sim {
    fn known(&self, end: usize, id: ChannelId) -> usize {
        self.link_of(end, id)
            .expect("an event of a channel that the application does not have")
    }

    pub(super) fn event(&mut self, end: usize, event: Event<'_>) {
        if let Some(id) = channel_of(&event) {
            let known = self.link_of(end, id).is_some();
            assert!(known, "the application does not have it: {event:?}");
        }
        match event {
            Event::Ready => self.became_ready(end),
            Event::Open(opening) => self.offered(end, &opening),
            Event::Accepted { channel, .. } => {
                let link = self.known(end, channel);
                let link = &mut self.links[link];
                assert!(link.opener == end && link.answered && !link.accepted);
                link.accepted = true;
            }
            Event::Rejected { channel, .. } => {
                let link = self.known(end, channel);
                let link = &mut self.links[link];
                assert!(!link.accepted, "rejected after all");
                link.cut();
                link.dirs[1 - end].ended = true;
            }
            Event::Message(m) => {
                let charge = m.charge;
                self.message(end, m.channel, &m.data, m.seq, m.skipped);
                self.park(end, m.channel, charge);
            }
            Event::Run(run) => {
                for (n, message) in run.iter().enumerate() {
                    let skipped = if n == 0 { run.skipped } else { 0 };
                    let seq = run.seq + n as u64;
                    self.message(end, run.channel, message, seq, skipped);
                }
                self.park(end, run.channel, run.charge);
            }
            Event::Rebased {
                channel,
                epoch,
                next_seq,
            } => {
                let link = self.known(end, channel);
                self.links[link].dirs[1 - end].rebased(epoch, next_seq);
            }
            Event::Acked { channel, seq } => {
                let link = self.known(end, channel);
                assert!(seq <= self.links[link].dirs[end].published.len() as u64);
            }
            other => self.event_of_end(end, other),
        }
    }

    /// What tells that a half is over, or nearly so.
    fn event_of_end(&mut self, end: usize, event: Event<'_>) {
        match event {
            Event::Finished { channel } => {
                let link = self.known(end, channel);
                self.links[link].dirs[1 - end].finished();
            }
            Event::Aborted { channel, code } => {
                let link = self.known(end, channel);
                let dir = &mut self.links[link].dirs[1 - end];
                assert!(
                    dir.cut && !dir.ended,
                    "end {end}, link {link}: an end that nobody asked for: {code}"
                );
                dir.ended = true;
            }
            Event::Stopped { channel, code } => {
                let link = self.known(end, channel);
                let dir = &mut self.links[link].dirs[end];
                assert!(dir.cut, "stopped by nobody: {code}");
                dir.waits = None;
            }
            Event::Evicted { channel, .. } => {
                let link = self.known(end, channel);
                let dir = &mut self.links[link].dirs[1 - end];
                dir.cut |= !dir.ended;
                self.counts.evicted += 1;
                self.release_all(end, link);
            }
            other => panic!("end {end}: {other:?}"),
        }
    }

    fn message(&mut self, end: usize, id: ChannelId, bytes: &[u8], seq: u64, skipped: u64) {
        let link = self.known(end, id);
        self.counts.messages += 1;
        self.links[link].dirs[1 - end].deliver(bytes, seq, skipped, self.now);
    }

    fn park(&mut self, end: usize, id: ChannelId, charge: Charge) {
        let link = self.known(end, id);
        if self.reads {
            self.release(end, link, charge);
        } else {
            self.links[link].dirs[1 - end].parked.push(charge);
        }
    }

    fn offered(&mut self, end: usize, opening: &Opening<'_>) {
        let number = opening.topic.try_into().expect("the topic is a number");
        let index = u32::from_le_bytes(number) as usize;
        let link = &mut self.links[index];
        assert!(link.opener != end && link.ids[end].is_none());
        assert_eq!(opening.direction, link.direction);
        assert_eq!((opening.mode, opening.unit), (link.mode, link.unit));
        assert_eq!(opening.priority, link.priority);
        link.ids[end] = Some(opening.channel);
        let before = self.by_id.insert((end, opening.channel), index);
        assert_eq!(before, None, "an id that is in use");
        if self.eager {
            self.accept(end, index, AcceptOptions::new());
        }
    }

    /// Takes a channel.
    pub fn accept(&mut self, end: usize, link: usize, options: AcceptOptions) -> bool {
        let Some(id) = self.links[link].ids[end] else {
            return false;
        };
        let taken = self.ends[end].accept(id, options).is_ok();
        self.links[link].answered |= taken;
        taken
    }
}

/// The channel of which an event tells, but for one that is new.
fn channel_of(event: &Event<'_>) -> Option<ChannelId> {
    match *event {
        Event::Message(ref m) => Some(m.channel),
        Event::Run(ref run) => Some(run.channel),
        Event::Accepted { channel, .. }
        | Event::Rejected { channel, .. }
        | Event::Rebased { channel, .. }
        | Event::Acked { channel, .. }
        | Event::Finished { channel }
        | Event::Aborted { channel, .. }
        | Event::Stopped { channel, .. }
        | Event::Evicted { channel, .. } => Some(channel),
        _ => None,
    }
}
