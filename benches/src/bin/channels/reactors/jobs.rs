//! The jobs of a client of channels.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tickwire::channels::{ChannelId, ChannelSendError};
use tickwire::reactor::ConnId;

use super::client::{ClientCx, Job};
use crate::load::Load;
use crate::meter::{Meter, checked};
use crate::process::{anonymous_bytes, monotonic_ns};
use crate::work::{Role, Sample, Work};
use crate::{BULK_MESSAGE_BYTES, TICK_BYTES};

/// Sends as many messages as possible.
pub(super) struct Throughput {
    load: Load,
    channels: Vec<ChannelId>,
    /// Further channels that nobody reads.
    unread: usize,
    /// Buffer for the messages of a turn that are sent as one RUN.
    run: Option<Vec<u8>>,
    /// The warm-up, then the run.
    times: [Duration; 2],
    pass: usize,
    started: Instant,
    server_pid: u32,
    meter: Option<Meter>,
    sends: bool,
}

/// Payload bytes sent in one call: as many as the outbox holds.
const TURN_BYTES: usize = 32 * 1024;
/// Timer token: continue to send.
const GO_ON: u64 = 1;
/// Timer token: a tick is due.
const TICK: u64 = 2;
/// The shortest timer.
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

    fn begin(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.sends = true;
        self.started = Instant::now();
        self.send(ctx)
    }

    fn send(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        let mut sent = 0;
        while self.sends {
            let channel = self.channels[self.load.lane()];
            let bytes = match &mut self.run {
                Some(run) => put_run(ctx, channel, &mut self.load, run)?,
                None => put_one(ctx, channel, &mut self.load)?,
            };
            if bytes == 0 {
                return Ok(()); // `writable` is called later
            }
            sent += bytes;
            if self.load.reads_clock() && self.started.elapsed() >= self.times[self.pass] {
                self.sends = false;
                return ctx.ask(self.load.count);
            }
            if sent >= TURN_BYTES {
                ctx.cx.timer(AT_ONCE, GO_ON)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Sends the next message; returns its bytes, or 0 if the queue is full.
fn put_one(ctx: &mut ClientCx<'_, '_, '_>, channel: ChannelId, load: &mut Load) -> Result<usize> {
    let message = load.peek();
    let bytes = message.len();
    if !ctx.send(channel, message)? {
        return Ok(0);
    }
    load.sent();
    Ok(bytes)
}

/// Fills a channel that nobody reads.
fn fill(ctx: &mut ClientCx<'_, '_, '_>, channel: ChannelId) -> Result<()> {
    while ctx.send(channel, &[0x55; BULK_MESSAGE_BYTES])? {}
    Ok(())
}

/// Sends the messages of a turn; returns their bytes, or 0 if the queue is full.
fn put_run(
    ctx: &mut ClientCx<'_, '_, '_>,
    channel: ChannelId,
    load: &mut Load,
    run: &mut Vec<u8>,
) -> Result<usize> {
    run.clear();
    for at in 0..load.share() {
        run.extend_from_slice(load.upcoming(at));
    }
    match ctx.cx.send_run_bytes(channel, load.peek().len(), run) {
        Err(ChannelSendError::WouldBlock) => return Ok(0),
        sent => sent?,
    }
    for _ in 0..load.share() {
        load.sent();
    }
    Ok(run.len())
}

impl Job for Throughput {
    fn ready(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        for _ in 0..self.load.channels() {
            self.channels.push(ctx.open(Role::Data)?);
        }
        for _ in 0..self.unread {
            let channel = ctx.open(Role::BulkStalled)?;
            fill(ctx, channel)?;
        }
        self.begin(ctx)
    }

    fn answered(
        &mut self,
        ctx: &mut ClientCx<'_, '_, '_>,
        answer: &[u8],
    ) -> Result<Option<Sample>> {
        let ack = checked(answer, self.load.count, Some(self.load.digest))?;
        let calls = Some(ctx.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.pass = 1;
        self.begin(ctx)?;
        Ok(None)
    }

    fn writable(&mut self, ctx: &mut ClientCx<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        if self.channels[self.load.lane()] == channel {
            self.send(ctx)?;
        } else if !self.channels.contains(&channel) {
            fill(ctx, channel)?;
        }
        Ok(())
    }

    fn timer(&mut self, ctx: &mut ClientCx<'_, '_, '_>, _: u64) -> Result<Option<Sample>> {
        self.send(ctx)?;
        Ok(None)
    }
}

/// Sends ticks when they are due, beside channels that send without end.
pub(super) struct Latency {
    role: Option<Role>,
    bulk_channels: usize,
    tick: Option<ChannelId>,
    /// Bulk channels whose queues are not full.
    bulk: Vec<ChannelId>,
    /// Ticks of the warm-up, then of the run.
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

    fn ticks(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        let Some(channel) = self.tick else {
            return Ok(());
        };
        let mut message = [0; TICK_BYTES];
        while self.sent < self.parts[self.part] {
            let due = self.started_ns + self.sent * self.every_ns;
            let now = monotonic_ns();
            if now < due {
                ctx.cx.timer(Duration::from_nanos(due - now), TICK)?;
                return Ok(());
            }
            message[..8].copy_from_slice(&due.to_le_bytes());
            if !ctx.send(channel, &message)? {
                return Ok(()); // `writable` is called later; the wait counts as delay of this tick
            }
            self.sent += 1;
        }
        ctx.ask(self.sent)
    }

    fn saturate(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        let message = [0x55; BULK_MESSAGE_BYTES];
        for channel in std::mem::take(&mut self.bulk) {
            let mut taken = true;
            for _ in 0..TURN_BYTES / BULK_MESSAGE_BYTES {
                taken = taken && ctx.send(channel, &message)?;
            }
            if taken {
                self.bulk.push(channel); // otherwise `writable` is called later
            }
        }
        if !self.bulk.is_empty() {
            ctx.cx.timer(AT_ONCE, GO_ON)?;
        }
        Ok(())
    }
}

impl Job for Latency {
    fn ready(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.tick = Some(ctx.open(Role::Tick)?);
        for role in self
            .role
            .into_iter()
            .flat_map(|r| [r].repeat(self.bulk_channels))
        {
            self.bulk.push(ctx.open(role)?);
        }
        self.started_ns = monotonic_ns();
        self.saturate(ctx)?;
        self.ticks(ctx)
    }

    fn answered(
        &mut self,
        ctx: &mut ClientCx<'_, '_, '_>,
        answer: &[u8],
    ) -> Result<Option<Sample>> {
        let ack = checked(answer, self.sent, None)?;
        let calls = Some(ctx.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.part = 1;
        self.started_ns = monotonic_ns() - self.sent * self.every_ns;
        self.ticks(ctx)?;
        Ok(None)
    }

    fn writable(&mut self, ctx: &mut ClientCx<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        if Some(channel) == self.tick {
            return self.ticks(ctx);
        }
        self.bulk.push(channel);
        self.saturate(ctx)
    }

    fn timer(&mut self, ctx: &mut ClientCx<'_, '_, '_>, token: u64) -> Result<Option<Sample>> {
        match token {
            TICK => self.ticks(ctx)?,
            _ => self.saturate(ctx)?,
        }
        Ok(None)
    }
}

/// Opens channels, sends one message on each, and finishes it.
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

    fn open(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        let channel = ctx.open(Role::Life)?;
        if !ctx.send(channel, &[7; TICK_BYTES])? {
            bail!("a new channel refused its first message");
        }
        ctx.cx.finish(channel)?;
        self.open += 1;
        Ok(())
    }

    fn begin(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.started = Instant::now();
        (0..self.in_flight).try_for_each(|_| self.open(ctx))
    }
}

impl Job for Opens {
    fn ready(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.begin(ctx)
    }

    fn ended(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.open -= 1;
        self.lives += 1;
        if self.started.elapsed() < self.run / self.parts {
            self.open(ctx)?;
        } else if self.open == 0 {
            ctx.ask(self.lives)?;
        }
        Ok(())
    }

    fn answered(
        &mut self,
        ctx: &mut ClientCx<'_, '_, '_>,
        answer: &[u8],
    ) -> Result<Option<Sample>> {
        let ack = checked(answer, self.lives, None)?;
        let calls = Some(ctx.cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            return meter.end(ack, calls).map(Some);
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.parts = 1;
        self.begin(ctx)?;
        Ok(None)
    }
}

/// Opens many channels, sends one message on each, and then stays idle.
pub(super) struct Idle {
    connections: Vec<ConnId>,
    expected: usize,
    channels: usize,
    server_pid: u32,
    /// Connections whose control channel has been answered.
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

    /// Opens the channels of one connection and sends one message on each.
    fn fill(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        for _ in 0..self.channels {
            let channel = ctx.open(Role::Data)?;
            if !ctx.send(channel, &[7; TICK_BYTES])? {
                bail!("a new channel refused its first message");
            }
            self.sent += 1;
        }
        Ok(())
    }
}

/// Time to settle before memory is read.
const SETTLE_TIME: Duration = Duration::from_millis(1000);
const FILL: u64 = 3;
const READ_MEMORY: u64 = 4;

impl Job for Idle {
    fn ready(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        self.connections.push(ctx.cx.id());
        ctx.ask(0)
    }

    fn answered(
        &mut self,
        ctx: &mut ClientCx<'_, '_, '_>,
        answer: &[u8],
    ) -> Result<Option<Sample>> {
        if self.before.is_some() {
            checked(answer, self.sent, None)?;
            ctx.cx.timer(SETTLE_TIME, READ_MEMORY)?;
            return Ok(None);
        }
        self.answered += 1;
        // Channels are opened when all connections are open and have settled.
        ctx.cx.timer(SETTLE_TIME, FILL)?;
        Ok(None)
    }

    fn timer(&mut self, ctx: &mut ClientCx<'_, '_, '_>, token: u64) -> Result<Option<Sample>> {
        if token == FILL {
            if self.answered != self.expected {
                bail!("not all connections were open in time");
            }
            if self.before.is_none() {
                self.before = Some(self.memory()?);
            }
            self.fill(ctx)?;
            if self.sent == (self.expected * self.channels) as u64 {
                ctx.ask(self.sent)?;
            }
            return Ok(None);
        }
        let after = self.memory()?;
        let before = self.before.unwrap_or_default();
        let grown = |at: usize| {
            Ok::<_, anyhow::Error>(i64::try_from(after[at])? - i64::try_from(before[at])?)
        };
        Ok(Some(Sample {
            messages: self.sent,
            server_bytes: grown(0)?,
            client_bytes: grown(1)?,
            ..Sample::default()
        }))
    }
}
