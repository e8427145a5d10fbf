//! Two endpoints, one fake clock, and between them a wire that splits, delays, stalls and cuts.

use std::collections::VecDeque;

use tickwire::sans_io::{BufPool, Entropy, Session, Shutdown};
use tickwire::{Config, End, Role, Timestamp};

use crate::drive::legal;
use crate::event::Transcript;
use crate::rng::Rng;

/// What a wire does to what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Nanoseconds that a byte travels, at least and at most. Order is kept.
    pub delay: (u64, u64),
    /// Bytes of one write that are taken, at most.
    pub write_max: usize,
    /// Bytes of one read, at most.
    pub read_max: usize,
    /// Bytes on the way, at most: what does not fit blocks its writer.
    pub capacity: usize,
    /// One write in so many stalls; never where it is zero.
    pub stall_one_in: usize,
    /// Nanoseconds that it stalls.
    pub stall: u64,
    /// The stream ends after so many bytes.
    pub cut_at: Option<u64>,
}

impl Faults {
    /// A fixed delay and nothing else.
    #[must_use]
    pub fn delay(ns: u64) -> Self {
        Self {
            delay: (ns, ns),
            write_max: usize::MAX,
            read_max: usize::MAX,
            capacity: 1 << 20,
            stall_one_in: 0,
            stall: 0,
            cut_at: None,
        }
    }

    /// Anything but an end.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let sizes = [1, 2, 7, 100, 3000, 1 << 20];
        let mut size = || sizes[rng.below(sizes.len())];
        let (write_max, read_max, capacity) = (size(), size(), size().max(10));
        let low = rng.u64() % 1_000_000;
        Self {
            delay: (low, low + rng.u64() % 1_000_000),
            write_max,
            read_max,
            capacity,
            stall_one_in: [0, 3, 20][rng.below(3)],
            stall: 1 + rng.u64() % 1_000_000,
            cut_at: None,
        }
    }
}

/// One direction.
#[derive(Debug)]
pub struct Pipe {
    faults: Faults,
    on_the_way: VecDeque<(u64, VecDeque<u8>)>,
    len: usize,
    /// The last byte's arrival: order is kept.
    last_due: u64,
    carried: u64,
    stalled_until: u64,
    /// When the end of the stream arrives.
    end_at: Option<u64>,
    /// Nobody reads any more; what comes is swallowed.
    deaf: bool,
}

impl Pipe {
    fn new(faults: Faults) -> Self {
        Self {
            faults,
            on_the_way: VecDeque::new(),
            len: 0,
            last_due: 0,
            carried: 0,
            stalled_until: 0,
            end_at: None,
            deaf: false,
        }
    }

    fn due(&mut self, now: u64, rng: &mut Rng) -> u64 {
        let (low, high) = self.faults.delay;
        let due = now + low + rng.u64() % (high - low + 1);
        self.last_due = self.last_due.max(due);
        self.last_due
    }

    /// Takes some of `bytes`, or nothing.
    fn write(&mut self, bytes: &[u8], now: u64, rng: &mut Rng) -> usize {
        if self.deaf && self.faults.cut_at.is_none() && self.end_at.is_none() {
            // A peer that vanished: the kernel takes what it has room for.
            let n = bytes.len().min(self.faults.capacity - self.len);
            self.len += n;
            return n;
        }
        if self.end_at.is_some() {
            return bytes.len(); // into the void
        }
        if now < self.stalled_until {
            return 0;
        }
        if self.faults.stall_one_in > 0 && rng.one_in(self.faults.stall_one_in) {
            self.stalled_until = now + self.faults.stall;
            return 0;
        }
        let room = self.faults.capacity - self.len;
        let most = bytes.len().min(room).min(self.faults.write_max);
        let mut n = if rng.one_in(2) {
            most
        } else {
            rng.below(most + 1).max(most.min(1))
        };
        let due = self.due(now, rng);
        if let Some(at) = self.faults.cut_at
            && self.carried + n as u64 >= at
        {
            n = (at - self.carried) as usize;
            self.end_at = Some(due);
        }
        if n > 0 {
            self.carried += n as u64;
            self.len += n;
            self.on_the_way
                .push_back((due, bytes[..n].iter().copied().collect()));
        }
        n
    }

    /// The writer shuts down.
    fn shut(&mut self, now: u64, rng: &mut Rng) {
        let due = self.due(now, rng);
        self.end_at.get_or_insert(due);
    }

    /// Bytes that have arrived; `None` at the end of the stream.
    fn read(&mut self, space: &mut [u8], now: u64, rng: &mut Rng) -> Option<usize> {
        let most = space.len().min(self.faults.read_max);
        let most = if rng.one_in(2) {
            most
        } else {
            1 + rng.below(most)
        };
        let mut n = 0;
        while n < most
            && let Some((due, chunk)) = self.on_the_way.front_mut()
            && *due <= now
        {
            match chunk.pop_front() {
                Some(byte) => {
                    space[n] = byte;
                    n += 1;
                }
                None => drop(self.on_the_way.pop_front()),
            }
        }
        self.len -= n;
        let empty = self.on_the_way.iter().all(|(_, chunk)| chunk.is_empty());
        if n == 0 && empty && self.end_at.is_some_and(|at| at <= now) {
            return None;
        }
        Some(n)
    }

    fn next_event(&self, now: u64) -> Option<u64> {
        let due = self
            .on_the_way
            .iter()
            .find(|(_, c)| !c.is_empty())
            .map(|(due, _)| *due);
        let stalled = Some(self.stalled_until);
        [due, stalled, self.end_at]
            .into_iter()
            .flatten()
            .filter(|&at| at > now)
            .min()
    }
}

/// One endpoint and its socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The connection.
    pub session: Session,
    pool: BufPool,
    /// What its application was told.
    pub told: Transcript,
    /// What it wrote.
    pub sent: Vec<u8>,
    role: Role,
    eof: bool,
    half: bool,
    /// When it closed its socket.
    pub closed: Option<u64>,
    /// When its session knew its end.
    pub ended: Option<(u64, End)>,
    /// It takes no turns any more, and says nothing.
    pub vanished: bool,
}

/// The client is 0, the server 1; pipe 0 carries what the client sends.
#[derive(Debug)]
pub struct Pair {
    /// Both endpoints.
    pub ends: [Endpoint; 2],
    pipes: [Pipe; 2],
    /// The fake clock, in nanoseconds.
    pub now: u64,
    rng: Rng,
}

/// Turns of one run; more is an endless loop.
const TURNS_MAX: usize = 2_000_000;

impl Pair {
    /// Two open endpoints.
    #[must_use]
    pub fn new(seed: u64, config: [&Config; 2], faults: [Faults; 2]) -> Self {
        let now = 1_000;
        let end = |role, config: &Config, seed| Endpoint {
            session: Session::new(
                role,
                config.clone(),
                Entropy([seed; 32]),
                &[],
                Timestamp(now),
            )
            .expect("limits that work"),
            pool: BufPool::new(4097, 4097),
            told: Transcript::default(),
            sent: Vec::new(),
            role,
            eof: false,
            half: false,
            closed: None,
            ended: None,
            vanished: false,
        };
        Self {
            ends: [
                end(Role::Client, config[0], 1),
                end(Role::Server, config[1], 2),
            ],
            pipes: faults.map(Pipe::new),
            now,
            rng: Rng::new(seed),
        }
    }

    /// The endpoint is gone without a word: nothing comes of it, and what is sent to it piles up.
    pub fn vanish(&mut self, i: usize) {
        self.ends[i].vanished = true;
        self.pipes[1 - i].deaf = true;
        self.pipes[1 - i].len = 0;
        self.pipes[1 - i].on_the_way.clear();
        self.pipes[i].on_the_way.clear();
    }

    /// The end of the stream that endpoint `i` has shut down does not arrive.
    pub fn hold_end(&mut self, i: usize) {
        self.pipes[i].end_at = None;
    }

    /// Lets everything happen up to and at `until`.
    pub fn run_until(&mut self, until: u64) {
        for _ in 0..TURNS_MAX {
            let first = self.rng.below(2);
            let mut busy = self.turn(first);
            busy |= self.turn(1 - first);
            if busy {
                continue;
            }
            match self.next_event() {
                Some(at) if at <= until => self.now = at,
                _ => {
                    self.now = self.now.max(until);
                    return;
                }
            }
        }
        panic!("turns without end at {}", self.now);
    }

    fn next_event(&self) -> Option<u64> {
        let ends = self
            .ends
            .iter()
            .filter(|e| !e.vanished && e.closed.is_none());
        let timeouts = ends.filter_map(|e| e.session.poll_timeout()).map(|t| t.0);
        let pipes = self.pipes.iter().filter_map(|p| p.next_event(self.now));
        timeouts.chain(pipes).min()
    }

    /// One turn of a driver. Whether anything happened.
    pub fn turn(&mut self, i: usize) -> bool {
        let now = Timestamp(self.now);
        let (end, rng) = (&mut self.ends[i], &mut self.rng);
        if end.vanished || end.closed.is_some() {
            return false;
        }
        let mut busy = false;
        end.session.attach(&mut end.pool);
        if !end.eof {
            match self.pipes[1 - i].read(end.session.space(), now.0, rng) {
                Some(0) => {}
                Some(n) => {
                    end.session.handle_read(n, now);
                    busy = true;
                }
                None => {
                    end.eof = true;
                    end.session.handle_eof();
                    busy = true;
                }
            }
        }
        while !end.session.wants_read() {
            let (batch, _) = end.session.receive();
            batch.for_each(|m| end.told.lent(m));
        }
        end.session.queue_replies(now);
        if end.session.poll_timeout().is_some_and(|at| at <= now) {
            end.session.handle_timeout(now);
            let again = end.session.poll_timeout().is_some_and(|at| at <= now);
            assert!(!again, "a timeout that stays due");
            busy = true;
        }
        busy |= Self::write(end, &mut self.pipes[i], now, rng);
        if let Some(how) = end.session.end() {
            end.ended.get_or_insert((now.0, how));
        }
        match end.session.shutdown() {
            Shutdown::None => {}
            Shutdown::Write if end.half => {}
            Shutdown::Write => {
                end.half = true;
                self.pipes[i].shut(now.0, rng);
                busy = true;
            }
            Shutdown::Close => {
                end.closed = Some(now.0);
                self.pipes[i].shut(now.0, rng);
                busy = true;
            }
        }
        if rng.one_in(2) {
            end.session.detach(&mut end.pool);
        }
        busy
    }

    fn write(end: &mut Endpoint, pipe: &mut Pipe, now: Timestamp, rng: &mut Rng) -> bool {
        if !end.session.wants_write() {
            return false;
        }
        let mut offered = Vec::new();
        end.session
            .transmit()
            .for_each(|s| offered.extend_from_slice(s));
        assert!(!offered.is_empty(), "wants to write nothing");
        let n = pipe.write(&offered, now.0, rng);
        end.sent.extend_from_slice(&offered[..n]);
        end.session.handle_written(n, now);
        n > 0
    }

    /// What endpoint `i` wrote was legal. It may end inside a frame.
    pub fn check_legal(&self, i: usize) {
        let _ = legal(self.ends[i].role, &self.ends[i].sent);
    }
}
