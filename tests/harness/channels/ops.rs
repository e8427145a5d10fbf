//! What applications and the transport may do, in any order.

use bytes::Bytes;
use tickwire::channels::{
    AcceptOptions, ChannelId, ChannelSendError, ErrorCode, Mode, SharedFrame, Unit,
};

use super::model::NAME_BYTES;
use super::sim::Sim;

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Records of an end's are taken by the transport.
    Poll(u8),
    /// Records arrive.
    Deliver(u8, u8),
    /// The transport of an end takes nothing, or takes all again.
    Block(u8),
    /// Milliseconds pass.
    Pass(u8),
    /// A channel is opened; the number seeds its options.
    Open(u8, u32),
    /// A channel is accepted or rejected.
    Answer(u8, u8, u8),
    /// A message, or some: which channel, how, and of what size.
    Send(u8, u8, u8, u16),
    /// FIN.
    Finish(u8, u8),
    /// A half is given up.
    Reset(u8, u8),
    /// The peer's half is stopped.
    Stop(u8, u8),
    /// The application lets go.
    LetGo(u8, u8),
    /// The application has read one message, or all.
    Release(u8, u8, u8),
    /// The application has stored what came.
    Acknowledge(u8, u8),
    /// The sender counts anew.
    Rebase(u8, u8, u16),
    /// A round trip is measured.
    Ping(u8),
}

/// A message that says of itself what it is, as far as it has room.
#[must_use]
pub fn payload(link: usize, key: u64, n: usize, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + NAME_BYTES);
    bytes.extend_from_slice(&(n as u32).to_le_bytes());
    bytes.extend_from_slice(&(link as u32).to_le_bytes());
    bytes.extend_from_slice(&(key as u32).to_le_bytes());
    bytes.extend((NAME_BYTES..len).map(|i| (i * 7 + n) as u8));
    bytes.truncate(len);
    bytes
}

impl Sim {
    /// Does one thing, and checks what must hold after it.
    pub fn apply(&mut self, op: Op) {
        self.act(op);
        for end in 0..2 {
            self.hear(end);
        }
        self.check();
    }

    fn act(&mut self, op: Op) {
        let end = |e: u8| usize::from(e & 1);
        match op {
            Op::Poll(e) => {
                self.poll(end(e));
            }
            Op::Deliver(e, n) => {
                for _ in 0..=n % 8 {
                    self.deliver(end(e));
                }
            }
            Op::Block(e) => {
                self.blocked[end(e)] ^= true;
            }
            Op::Pass(ms) => {
                self.pass(u64::from(ms) * 1_000_000);
                // No transport is stuck for so long that the connection is given up.
                if self.now - self.flushed > 2_000_000_000 {
                    self.flush();
                }
            }
            Op::Open(e, seed) => self.open_random(end(e), seed),
            Op::Answer(e, which, how) => self.answer(end(e), which, how),
            Op::Send(e, which, how, size) => {
                if let Some(link) = self.pick(end(e), which) {
                    self.send(end(e), link, how, usize::from(size));
                }
            }
            Op::Finish(e, which) => {
                if let Some(link) = self.pick(end(e), which) {
                    self.finish(end(e), link);
                }
            }
            Op::Reset(e, which) => self.cut_half(end(e), which, true),
            Op::Stop(e, which) => self.cut_half(end(e), which, false),
            Op::LetGo(e, which) => {
                if let Some(link) = self.pick(end(e), which) {
                    self.close_channel(end(e), link, ErrorCode(17));
                }
            }
            Op::Release(e, which, how) => {
                if let Some(link) = self.pick(end(e), which) {
                    self.read(end(e), link, how);
                }
            }
            Op::Acknowledge(e, which) => {
                if let Some(link) = self.pick(end(e), which)
                    && let Some(id) = self.links[link].ids[end(e)]
                {
                    let seq = self.links[link].dirs[1 - end(e)].delivered;
                    self.ends[end(e)].acknowledge(id, seq);
                }
            }
            Op::Rebase(e, which, seq) => self.rebase(end(e), which, seq.into()),
            Op::Ping(e) => self.ends[end(e)].ping(),
        }
    }

    /// One of the channels that the end's application has.
    fn pick(&self, end: usize, which: u8) -> Option<usize> {
        let has = |link: &&usize| self.links[**link].ids[end].is_some();
        let all: Vec<usize> = (0..self.links.len()).collect();
        let mine: Vec<usize> = all.iter().filter(has).copied().collect();
        mine.get(usize::from(which) % mine.len().max(1)).copied()
    }

    fn answer(&mut self, end: usize, which: u8, how: u8) {
        let offered = |l: &usize| {
            let l = &self.links[*l];
            l.opener != end && l.ids[end].is_some() && !l.answered
        };
        let all: Vec<usize> = (0..self.links.len()).filter(offered).collect();
        let Some(&link) = all.get(usize::from(which) % all.len().max(1)) else {
            return;
        };
        if how.is_multiple_of(8) {
            let Some(id) = self.links[link].ids[end].take() else {
                return;
            };
            self.links[link].cut();
            self.links[link].dirs[1 - end].parked.clear();
            self.by_id.remove(&(end, id));
            self.ends[end].reject(id, ErrorCode(18));
            return;
        }
        let mut options = AcceptOptions::new();
        // Beyond the default, which alone is reserved.
        let mut granted = 0;
        if how % 8 > 4 {
            let window = match self.links[link].unit {
                Unit::Messages => 8 + u32::from(how),
                Unit::Bytes => self.config[end].channel_window_bytes + 300 * u32::from(how),
            };
            options = options.window(window);
            granted = match self.links[link].unit {
                // A message of 4,000 bytes in fragments of 256, of 200 bytes more each, at most.
                Unit::Messages => u64::from(window) * 8000,
                Unit::Bytes => 300 * u64::from(how),
            };
        }
        if how % 8 == 7 {
            options = options.message_bytes_max(4000);
        }
        if how.is_multiple_of(3) {
            options = options.alias(u32::from(how) % 2);
            self.links[link].aliases[end] = Some(u32::from(how) % 2);
        }
        // What the options ask for may not be possible.
        let taken = self.accept(end, link, options);
        if taken {
            self.links[link].granted[end] = granted;
        } else {
            self.accept(end, link, AcceptOptions::new());
        }
    }

    /// Sends something.
    pub fn send(&mut self, end: usize, link: usize, how: u8, size: usize) {
        let Some(id) = self.links[link].ids[end] else {
            return;
        };
        let n = self.links[link].dirs[end].published.len();
        if self.links[link].mode == Mode::Conflated {
            let key = if how.is_multiple_of(4) {
                0
            } else {
                u64::from(how % 16)
            };
            let bytes = payload(
                link,
                key,
                n,
                size.max(if how < 200 { NAME_BYTES } else { 0 }),
            );
            let sent = if key == 0 {
                self.ends[end].send(id, &bytes)
            } else {
                self.ends[end].send_keyed(id, key, &bytes)
            };
            self.sent(end, link, key, sent, vec![bytes]);
            let wrong = self.ends[end].claim(id, 1).map(drop);
            assert!(wrong.is_err());
            return;
        }
        if how % 8 == 6 {
            let (elem, count) = (1 + size % 100, 1 + size / 100);
            let each = |i| payload(link, 0, n + i, elem);
            let messages: Vec<Vec<u8>> = (0..count.min(50)).map(each).collect();
            let sent = self.ends[end].send_run_bytes(id, elem, &messages.concat());
            self.sent(end, link, 0, sent, messages);
            return;
        }
        let bytes = payload(link, 0, n, size);
        let sent = self.send_one(end, link, id, how, &bytes);
        if how % 8 != 5 || sent.is_err() {
            self.sent(end, link, 0, sent, vec![bytes]);
        }
    }

    fn send_one(
        &mut self,
        end: usize,
        link: usize,
        id: ChannelId,
        how: u8,
        bytes: &[u8],
    ) -> Result<(), ChannelSendError> {
        let core = &mut self.ends[end];
        match how % 8 {
            2 => core
                .send_bytes(id, Bytes::copy_from_slice(bytes))
                .map_err(|(e, _)| e),
            3 => core.claim(id, bytes.len()).map(|mut claim| {
                claim.copy_from_slice(bytes);
                claim.commit();
            }),
            4 => {
                let alias = self.links[link].aliases[end].unwrap_or(0);
                let frame = SharedFrame::new(alias, bytes).expect("a low alias");
                core.send_shared(id, &frame)
            }
            // Not committed: nothing is sent.
            5 => core
                .claim(id, bytes.len())
                .map(|mut claim| claim.fill(0xEE)),
            _ => core.send(id, bytes),
        }
    }

    /// What came of a send, against the model.
    fn sent(
        &mut self,
        end: usize,
        number: usize,
        key: u64,
        sent: Result<(), ChannelSendError>,
        messages: Vec<Vec<u8>>,
    ) {
        let at = self.told[end];
        let link = &mut self.links[number];
        let (sends, dir) = (link.sends(end), &mut link.dirs[end]);
        match sent {
            Ok(()) => {
                assert!(sends && !dir.finishing, "an end that does not send");
                for message in messages {
                    dir.publish(key, message, at);
                }
            }
            Err(ChannelSendError::WouldBlock) => {
                dir.waits = Some(messages.iter().map(Vec::len).sum());
                self.counts.refused += 1;
            }
            Err(ChannelSendError::TooLarge { len, max }) => assert!(len > max),
            Err(ChannelSendError::WrongDirection) => assert!(!sends, "an end that sends"),
            Err(ChannelSendError::Finished) => assert!(dir.finishing || dir.cut),
            Err(ChannelSendError::Stopped(_) | ChannelSendError::Rejected(_)) => {
                assert!(dir.cut || dir.finishing || !sends, "stopped by nobody");
            }
            Err(other) => panic!("end {end}, link {number}: {other}"),
        }
    }

    fn finish(&mut self, end: usize, link: usize) {
        let sends = self.links[link].sends(end);
        if let Some(id) = self.links[link].ids[end] {
            let dir = &mut self.links[link].dirs[end];
            dir.finishing |= sends && !dir.cut;
            dir.waits = None;
            let done = self.ends[end].finish(id);
            assert_eq!(done, Ok(()));
        }
    }

    fn cut_half(&mut self, end: usize, which: u8, own: bool) {
        let Some(link) = self.pick(end, which) else {
            return;
        };
        let sender = if own { end } else { 1 - end };
        let dir = &mut self.links[link].dirs[sender];
        dir.cut |= !dir.ended;
        dir.waits = None;
        if let Some(id) = self.links[link].ids[end] {
            if own {
                self.ends[end].reset(id, ErrorCode(19));
            } else {
                self.ends[end].stop(id, ErrorCode(20));
                // Its end is not told any more.
                self.links[link].dirs[sender].ended = true;
            }
        }
    }

    fn read(&mut self, end: usize, link: usize, how: u8) {
        let parked = &mut self.links[link].dirs[1 - end].parked;
        if how.is_multiple_of(3) {
            // Out of order, and two at once.
            let at = usize::from(how) % parked.len().max(1);
            if at < parked.len() {
                let mut charge = parked.swap_remove(at);
                if let Some(other) = parked.pop() {
                    charge.merge(other);
                }
                self.release(end, link, charge);
            }
            return;
        }
        self.release_all(end, link);
    }

    fn rebase(&mut self, end: usize, which: u8, seq: u64) {
        let Some(link) = self.pick(end, which) else {
            return;
        };
        if self.links[link].mode == Mode::Conflated {
            return;
        }
        // Two that begin at the same number are told apart: the first may never be told.
        let epoch = self.links[link].dirs[end].rebases();
        if let Some(id) = self.links[link].ids[end]
            && self.ends[end].rebase(id, epoch, seq).is_ok()
        {
            self.links[link].dirs[end].rebase(epoch, seq);
        }
    }
}
