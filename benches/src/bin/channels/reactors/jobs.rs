//! The jobs of a client of channels.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tickwire::channels::{ChannelId, ChannelSendError};
use tickwire::reactor::ConnId;

use super::client::{Desk, Job};
use crate::load::Load;
use crate::meter::{Meter, checked};
use crate::process::{anonymous_bytes, monotonic_ns};
use crate::work::{Found, Role, Work};
use crate::{BULK_MESSAGE_BYTES, TICK_BYTES};

/// Sends whatever goes through.
pub(super) struct Throughput {
    load: Load,
    channels: Vec<ChannelId>,
    /// Channels beside them that nobody reads.
    unread: usize,
    /// The messages of a turn, where they are sent as one run.
    run: Option<Vec<u8>>,
    /// The warm-up, then the run.
    times: [Duration; 2],
    pass: usize,
    started: Instant,
    server_pid: u32,
    meter: Option<Meter>,
    sends: bool,
}

/// Payload bytes sent in a call before what is there goes out: as many as the outbox takes.
const TURN_BYTES: usize = 32 * 1024;
/// Go on sending.
const GO_ON: u64 = 1;
/// A tick is due.
const TICK: u64 = 2;
/// Sooner is not possible.
const AT_ONCE: Duration = Duration::from_nanos(1);

impl Throughput {
    pub(super) fn new(
        load: Load,
        (runs, unread): (bool, usize),
        times: [Duration; 2],
        server_pid: u32,
    ) -> Throughput {
        Throughput {
            load,
            unread,
            run: runs.then(Vec::new),
            channels: Vec::new(),
            times,
            pass: 0,
            started: Instant::now(),
            server_pid,
            meter: None,
            sends: false,
        }
    }

    fn begin(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.sends = true;
        self.started = Instant::now();
        self.send(desk)
    }

    fn send(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        let mut sent = 0;
        while self.sends {
            let channel = self.channels[self.load.lane()];
            let bytes = match &mut self.run {
                Some(run) => put_run(desk, channel, &mut self.load, run)?,
                None => put_one(desk, channel, &mut self.load)?,
            };
            if bytes == 0 {
                return Ok(()); // it is told when to go on
            }
            sent += bytes;
            if self.load.looks_at_clock() && self.started.elapsed() >= self.times[self.pass] {
                self.sends = false;
                return desk.ask(self.load.count);
            }
            if sent >= TURN_BYTES {
                desk.cx.timer(AT_ONCE, GO_ON)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The next message; gives its bytes, or 0 where it is refused for now.
fn put_one(desk: &mut Desk<'_, '_, '_>, channel: ChannelId, load: &mut Load) -> Result<usize> {
    let message = load.peek();
    let bytes = message.len();
    if !desk.send(channel, message)? {
        return Ok(0);
    }
    load.sent();
    Ok(bytes)
}

/// Whatever a channel that nobody reads takes; it is told when to go on.
fn fill(desk: &mut Desk<'_, '_, '_>, channel: ChannelId) -> Result<()> {
    while desk.send(channel, &[0x55; BULK_MESSAGE_BYTES])? {}
    Ok(())
}

/// The messages of a turn; gives their bytes, or 0 where they are refused for now.
fn put_run(
    desk: &mut Desk<'_, '_, '_>,
    channel: ChannelId,
    load: &mut Load,
    run: &mut Vec<u8>,
) -> Result<usize> {
    run.clear();
    for at in 0..load.share() {
        run.extend_from_slice(load.upcoming(at));
    }
    match desk.cx.send_run(channel, load.peek().len(), run) {
        Err(ChannelSendError::WouldBlock) => return Ok(0),
        sent => sent?,
    }
    for _ in 0..load.share() {
        load.sent();
    }
    Ok(run.len())
}

impl Job for Throughput {
    fn ready(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        for _ in 0..self.load.channels() {
            self.channels.push(desk.open(Role::Data)?);
        }
        for _ in 0..self.unread {
            let channel = desk.open(Role::BulkStalled)?;
            fill(desk, channel)?;
        }
        self.begin(desk)
    }

    fn answered(&mut self, desk: &mut Desk<'_, '_, '_>, answer: &[u8]) -> Result<Option<Found>> {
        let ack = checked(answer, self.load.count, Some(self.load.digest))?;
        let calls = Some(desk.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.pass = 1;
        self.begin(desk)?;
        Ok(None)
    }

    fn writable(&mut self, desk: &mut Desk<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        if self.channels[self.load.lane()] == channel {
            self.send(desk)?;
        } else if !self.channels.contains(&channel) {
            fill(desk, channel)?;
        }
        Ok(())
    }

    fn timer(&mut self, desk: &mut Desk<'_, '_, '_>, _: u64) -> Result<Option<Found>> {
        self.send(desk)?;
        Ok(None)
    }
}

/// Sends ticks when they are due, beside channels that always have something to send.
pub(super) struct Latency {
    role: Option<Role>,
    bulk_channels: usize,
    tick: Option<ChannelId>,
    /// Those that were not refused, and go on.
    bulk: Vec<ChannelId>,
    /// Those of the warm-up, then all.
    parts: [u64; 2],
    part: usize,
    sent: u64,
    started_ns: u64,
    every_ns: u64,
    server_pid: u32,
    meter: Option<Meter>,
}

impl Latency {
    pub(super) fn new(work: Work, server_pid: u32) -> Latency {
        let (role, bulk_channels, rate, run_ms) = match work {
            Work::Latency {
                bulk,
                bulk_channels,
                ticks_per_second,
                run_ms,
            } => {
                let rate = u64::from(ticks_per_second.max(1));
                (bulk, bulk_channels, rate, run_ms)
            }
            _ => (None, 0, 1, 0),
        };
        let ticks = rate * run_ms / 1000;
        Latency {
            role,
            bulk_channels,
            tick: None,
            bulk: Vec::new(),
            parts: [ticks / 4, ticks / 4 + ticks],
            part: 0,
            sent: 0,
            started_ns: monotonic_ns(),
            every_ns: 1_000_000_000 / rate,
            server_pid,
            meter: None,
        }
    }

    fn ticks(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        let Some(channel) = self.tick else {
            return Ok(());
        };
        let mut message = [0; TICK_BYTES];
        while self.sent < self.parts[self.part] {
            let due = self.started_ns + self.sent * self.every_ns;
            let now = monotonic_ns();
            if now < due {
                desk.cx.timer(Duration::from_nanos(due - now), TICK)?;
                return Ok(());
            }
            message[..8].copy_from_slice(&due.to_le_bytes());
            if !desk.send(channel, &message)? {
                return Ok(()); // it is told when to go on, and this tick's delay counts
            }
            self.sent += 1;
        }
        desk.ask(self.sent)
    }

    fn saturate(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        let message = [0x55; BULK_MESSAGE_BYTES];
        for channel in std::mem::take(&mut self.bulk) {
            let mut taken = true;
            for _ in 0..TURN_BYTES / BULK_MESSAGE_BYTES {
                taken = taken && desk.send(channel, &message)?;
            }
            if taken {
                self.bulk.push(channel); // else it is told when to go on
            }
        }
        if !self.bulk.is_empty() {
            desk.cx.timer(AT_ONCE, GO_ON)?;
        }
        Ok(())
    }
}

impl Job for Latency {
    fn ready(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.tick = Some(desk.open(Role::Tick)?);
        for role in self
            .role
            .into_iter()
            .flat_map(|r| [r].repeat(self.bulk_channels))
        {
            self.bulk.push(desk.open(role)?);
        }
        self.started_ns = monotonic_ns();
        self.saturate(desk)?;
        self.ticks(desk)
    }

    fn answered(&mut self, desk: &mut Desk<'_, '_, '_>, answer: &[u8]) -> Result<Option<Found>> {
        let ack = checked(answer, self.sent, None)?;
        let calls = Some(desk.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.part = 1;
        self.started_ns = monotonic_ns() - self.sent * self.every_ns;
        self.ticks(desk)?;
        Ok(None)
    }

    fn writable(&mut self, desk: &mut Desk<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        if Some(channel) == self.tick {
            return self.ticks(desk);
        }
        self.bulk.push(channel);
        self.saturate(desk)
    }

    fn timer(&mut self, desk: &mut Desk<'_, '_, '_>, token: u64) -> Result<Option<Found>> {
        match token {
            TICK => self.ticks(desk)?,
            _ => self.saturate(desk)?,
        }
        Ok(None)
    }
}

/// Opens channels, uses each for one message, and ends it.
pub(super) struct Opens {
    in_flight: usize,
    run: Duration,
    started: Instant,
    /// The warm-up, then the run.
    parts: u32,
    lives: u64,
    open: usize,
    server_pid: u32,
    meter: Option<Meter>,
}

impl Opens {
    pub(super) fn new(in_flight: usize, run: Duration, server_pid: u32) -> Opens {
        Opens {
            in_flight,
            run,
            started: Instant::now(),
            parts: 4,
            lives: 0,
            open: 0,
            server_pid,
            meter: None,
        }
    }

    fn open(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        let channel = desk.open(Role::Life)?;
        if !desk.send(channel, &[7; TICK_BYTES])? {
            bail!("a new channel takes nothing");
        }
        desk.cx.finish(channel)?;
        self.open += 1;
        Ok(())
    }

    fn begin(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.started = Instant::now();
        (0..self.in_flight).try_for_each(|_| self.open(desk))
    }
}

impl Job for Opens {
    fn ready(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.begin(desk)
    }

    fn ended(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.open -= 1;
        self.lives += 1;
        if self.started.elapsed() < self.run / self.parts {
            self.open(desk)?;
        } else if self.open == 0 {
            desk.ask(self.lives)?;
        }
        Ok(())
    }

    fn answered(&mut self, desk: &mut Desk<'_, '_, '_>, answer: &[u8]) -> Result<Option<Found>> {
        let ack = checked(answer, self.lives, None)?;
        let calls = Some(desk.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.parts = 1;
        self.begin(desk)?;
        Ok(None)
    }
}

/// Opens many channels, sends one message on each, and rests.
pub(super) struct Idle {
    connections: Vec<ConnId>,
    expected: usize,
    channels: usize,
    server_pid: u32,
    /// Connections whose control channel was answered.
    answered: usize,
    sent: u64,
    before: Option<[u64; 2]>,
}

impl Idle {
    pub(super) fn new(connections: usize, channels: usize, server_pid: u32) -> Idle {
        Idle {
            connections: Vec::new(),
            expected: connections,
            channels,
            server_pid,
            answered: 0,
            sent: 0,
            before: None,
        }
    }

    fn memory(&self) -> Result<[u64; 2]> {
        let own = anonymous_bytes(std::process::id())?;
        Ok([anonymous_bytes(self.server_pid)?, own])
    }

    /// The channels of one connection, each with its message.
    fn fill(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        for _ in 0..self.channels {
            let channel = desk.open(Role::Data)?;
            if !desk.send(channel, &[7; TICK_BYTES])? {
                bail!("a new channel takes nothing");
            }
            self.sent += 1;
        }
        Ok(())
    }
}

/// Time for things to calm down before memory is looked at.
const CALM: Duration = Duration::from_millis(1000);
const FILL: u64 = 3;
const LOOK: u64 = 4;

impl Job for Idle {
    fn ready(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        self.connections.push(desk.cx.id());
        desk.ask(0)
    }

    fn answered(&mut self, desk: &mut Desk<'_, '_, '_>, answer: &[u8]) -> Result<Option<Found>> {
        if self.before.is_some() {
            checked(answer, self.sent, None)?;
            desk.cx.timer(CALM, LOOK)?;
            return Ok(None);
        }
        self.answered += 1;
        // Every connection fills itself when all are there and calm.
        desk.cx.timer(CALM, FILL)?;
        Ok(None)
    }

    fn timer(&mut self, desk: &mut Desk<'_, '_, '_>, token: u64) -> Result<Option<Found>> {
        if token == FILL {
            if self.answered != self.expected {
                bail!("connections were slower than expected");
            }
            if self.before.is_none() {
                self.before = Some(self.memory()?);
            }
            self.fill(desk)?;
            if self.sent == (self.expected * self.channels) as u64 {
                desk.ask(self.sent)?;
            }
            return Ok(None);
        }
        let after = self.memory()?;
        let before = self.before.unwrap_or_default();
        let grown = |at: usize| {
            Ok::<_, anyhow::Error>(i64::try_from(after[at])? - i64::try_from(before[at])?)
        };
        Ok(Some(Found {
            messages: self.sent,
            server_bytes: grown(0)?,
            client_bytes: grown(1)?,
            ..Found::default()
        }))
    }
}
