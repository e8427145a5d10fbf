//! What must hold when nothing is on its way any more and all is read.

use tickwire::channels::{ErrorCode, Unit};

use super::open::Wanted;
use super::sim::Sim;

/// Turns in which every reader reads all; more is a hang.
const TURNS_MAX: usize = 200_000;

/// What a place in a queue is counted for.
const ENTRY_BYTES: usize = 64;

impl Sim {
    /// The readers read until nothing comes any more; no time passes.
    pub fn drain_readers(&mut self) {
        for _ in 0..TURNS_MAX {
            let before = self.counts.messages;
            self.flush();
            let mut read = false;
            for link in 0..self.links.len() {
                for end in 0..2 {
                    read |= !self.links[link].dirs[1 - end].parked.is_empty();
                    self.release_all(end, link);
                }
            }
            for end in 0..2 {
                self.hear(end);
            }
            self.check();
            if !read && before == self.counts.messages && !self.busy() {
                return;
            }
        }
        panic!("readers read for ever");
    }

    fn busy(&self) -> bool {
        self.ends.iter().any(|e| e.session.wants_write())
            || self.pipes.iter().any(|p| !p.is_empty())
    }

    /// Everything is read and everything is answered: nothing is missing, nothing is held.
    pub fn quiesce(&mut self) {
        self.drain_readers();
        for link in 0..self.links.len() {
            let end = 1 - self.links[link].opener;
            if !self.links[link].answered {
                self.accept(end, link, tickwire::channels::AcceptOptions::new());
            }
        }
        self.drain_readers();
        self.check_quiet();
        // Nor is anything missing that only a timer would bring.
        self.pass(1_500_000_000);
        let before = self.counts.messages;
        self.drain_readers();
        assert_eq!(
            self.counts.messages, before,
            "R20: a message that waited for a timer"
        );
        self.check_quiet();
    }

    fn check_quiet(&self) {
        for sender in 0..2 {
            let r = self.ends[1 - sender].stats();
            assert_eq!(
                r.held_bytes, 0,
                "R11: held, though all is read: {:#?}",
                self.ends
            );
            for number in 0..self.links.len() {
                self.check_link_quiet(number, sender);
            }
        }
    }

    fn check_link_quiet(&self, number: usize, sender: usize) {
        let link = &self.links[number];
        let dir = &link.dirs[sender];
        let stats = |end: usize| link.ids[end].and_then(|id| self.ends[end].channel_stats(id));
        let (s, r) = (stats(sender), stats(1 - sender));
        if let Some(r) = &r {
            assert_eq!(r.held_bytes, 0, "R11: link {number}");
        }
        let (Some(s), Some(r)) = (s, r) else { return };
        if !link.accepted || !link.sends(sender) || dir.cut {
            return;
        }
        let cores = (self.ends[sender].stats(), self.ends[1 - sender].stats());
        let why = format_args!("{s:?} {r:?} {cores:?} {:?}", self.config);
        assert_eq!(
            s.queued_bytes, 0,
            "link {number} waits, though all is read: {why}"
        );
        // Channels that wait for a place, or for an answer, may fill what all queues hold.
        let cap = self.config[sender].connection_queue_bytes_max as usize;
        let queued = cores.0.queued_bytes;
        if let Some(len) = dir.waits {
            let full = queued > cap / 4 * 3 || queued + len + ENTRY_BYTES > cap;
            assert!(full, "link {number}: nobody says that there is room: {why}");
        }
        dir.check_complete(r.skipped_in, s.skipped_out - r.skipped_in);
        if dir.ended {
            let all = s.skipped_out == r.skipped_in || dir.rebases() > 0;
            assert!(all, "FIN tells what was skipped");
        } else {
            assert_eq!(s.send_window, r.receive_window, "link {number}: both agree");
            let (window, part) = match r.receive_window_max {
                w if w >= 64 << 10 => (w, 2),
                w => (w, 4),
            };
            let slack = (window / part).max(1);
            assert!(r.receive_window + slack > window, "R21: link {number}");
            if link.unit == Unit::Bytes {
                assert!(r.receive_window <= window);
            }
        }
    }

    /// All channels end: none is left, and the connection is as new.
    pub fn end_all(&mut self) {
        // What waited for a place is offered when there is one, and let go of in turn.
        while self.links.iter().any(|l| l.ids != [None; 2]) {
            for link in 0..self.links.len() {
                for end in 0..2 {
                    self.close_channel(end, link, ErrorCode(21));
                }
            }
            self.drain_readers();
        }
        for end in 0..2 {
            let stats = self.ends[end].stats();
            assert_eq!(stats.channels, 0, "a channel that stays");
            assert_eq!(stats.receive_reserved_bytes, 0, "nothing is reserved");
        }
        self.check_quiet();
        // Aliases and places are free again. What is opened is used, or it would be an attack.
        self.eager = true;
        let before = self.counts.messages;
        let mut expected = 0;
        for end in 0..2 {
            for _ in 0..self.config[1 - end].channels_max {
                if let Some(link) = self.open(end, &Wanted::default()) {
                    self.drain_readers();
                    if self.links[link].accepted {
                        self.send(end, link, 0, 1);
                        expected += 1;
                    }
                }
            }
        }
        self.drain_readers();
        assert_eq!(self.counts.messages, before + expected);
        assert!(expected >= 2, "no alias is free: {self:#?}");
    }
}
