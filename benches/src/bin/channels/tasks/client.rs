//! The client of every async peer.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::yield_now;

use super::{Channel, Connection, SETTLE_TIME, Wire, runtime};
use crate::cli::Drive;
use crate::load::Load;
use crate::meter::{Meter, checked};
use crate::process::{anonymous_bytes, monotonic_ns};
use crate::work::{Ack, Role, Sample, Work};
use crate::{BULK_MESSAGE_BYTES, TICK_BYTES, report};

type ChannelOf<W> = <<W as Wire>::Connection as Connection>::Channel;

pub(super) fn run<W: Wire>(options: &Drive) -> Result<()> {
    let sample = runtime()?.block_on(async {
        let pid = options.server_pid;
        let urgent = matches!(options.work()?, Work::Latency { .. });
        let connection = W::connect(options.server, urgent).await?;
        let control = Control::<W>::open(&connection).await?;
        match options.work()? {
            Work::Throughput {
                channels,
                bytes,
                burst,
                unread,
                warm_up_ms,
                run_ms,
            } => {
                for _ in 0..unread {
                    let channel = connection.open(Role::BulkStalled).await?;
                    tokio::spawn(saturate::<W>(channel));
                }
                let times = [warm_up_ms, run_ms].map(Duration::from_millis);
                let load = Load::new(bytes, channels, burst);
                throughput::<W>(&connection, control, load, times, pid).await
            }
            Work::Latency {
                bulk,
                bulk_channels,
                ticks_per_second,
                run_ms,
            } => {
                let ticks = u64::from(ticks_per_second) * run_ms / 1000;
                let every = 1_000_000_000 / u64::from(ticks_per_second.max(1));
                for role in bulk.into_iter().flat_map(|r| [r].repeat(bulk_channels)) {
                    tokio::spawn(saturate::<W>(connection.open(role).await?));
                }
                latency::<W>(&connection, control, (ticks, every), pid).await
            }
            Work::Opens { in_flight, run_ms } => {
                let duration = Duration::from_millis(run_ms);
                opens::<W>(&connection, control, in_flight, duration, pid).await
            }
            Work::Idle {
                connections,
                channels,
            } => idle::<W>(options, connection, control, connections, channels).await,
        }
    })?;
    report(&sample)
}

/// The control channel, which asks for the server's counts.
struct Control<W: Wire>(ChannelOf<W>);

impl<W: Wire> Control<W> {
    async fn open(connection: &W::Connection) -> Result<Control<W>> {
        Ok(Control(connection.open(Role::Control).await?))
    }

    /// The server's counts, as soon as `count` messages have arrived.
    async fn ask(&mut self, count: u64, digest: Option<u64>) -> Result<Ack> {
        self.0.put(&count.to_le_bytes()).await?;
        self.0.flush().await?;
        let mut answer = Vec::new();
        while answer.is_empty() {
            let came = self.0.receive(|m| answer = m.to_vec()).await?;
            ensure!(came, "the server has ended the control channel");
        }
        checked(&answer, count, digest)
    }
}

async fn throughput<W: Wire>(
    connection: &W::Connection,
    mut control: Control<W>,
    mut load: Load,
    [warm_up, run]: [Duration; 2],
    server_pid: u32,
) -> Result<Sample> {
    let mut channels = Vec::new();
    for _ in 0..load.channels() {
        let mut channel = connection.open(Role::Data).await?;
        channel.flush().await?; // a yamux stream does not exist at the peer before its first byte
        channels.push(channel);
    }
    pass::<W>(&mut channels, &mut load, warm_up).await?;
    let ack = control.ask(load.count, Some(load.digest)).await?;
    let mut meter = Meter::begin(server_pid, ack, None)?;
    pass::<W>(&mut channels, &mut load, run).await?;
    let ack = control.ask(load.count, Some(load.digest)).await?;
    meter.end(ack, None)
}

/// Sends for `duration`.
async fn pass<W: Wire>(
    channels: &mut [ChannelOf<W>],
    load: &mut Load,
    duration: Duration,
) -> Result<()> {
    let started = Instant::now();
    let mut unyielded = 0;
    loop {
        let channel = channels.get_mut(load.lane()).context("a lane")?;
        for _ in 0..load.share() {
            channel.put(load.peek()).await?;
            unyielded += load.peek().len();
            load.sent();
        }
        channel.flush().await?;
        if unyielded >= W::YIELD_BYTES {
            unyielded = 0;
            yield_now().await;
        }
        if load.reads_clock() && started.elapsed() >= duration {
            return Ok(());
        }
    }
}

async fn latency<W: Wire>(
    connection: &W::Connection,
    mut control: Control<W>,
    (ticks, every_ns): (u64, u64),
    server_pid: u32,
) -> Result<Sample> {
    let mut channel = connection.open(Role::Tick).await?;
    let mut tick = [0; TICK_BYTES];
    let mut meter = None;
    // The first part is the warm-up.
    for part in [ticks / 4, ticks] {
        let started = monotonic_ns();
        for due in (0..part).map(|i| started + i * every_ns) {
            while monotonic_ns() < due {
                yield_now().await;
            }
            tick[..8].copy_from_slice(&due.to_le_bytes());
            channel.put(&tick).await?;
            channel.flush().await?;
        }
        let count = if part == ticks {
            ticks + ticks / 4
        } else {
            part
        };
        let ack = control.ask(count, None).await?;
        match &mut meter {
            None => meter = Some(Meter::begin(server_pid, ack, None)?),
            Some(meter) => return meter.end(ack, None),
        }
    }
    anyhow::bail!("no ticks")
}

/// Sends without end.
async fn saturate<W: Wire>(mut channel: ChannelOf<W>) -> Result<()> {
    let message = [0x55; BULK_MESSAGE_BYTES];
    let mut unyielded = 0;
    loop {
        channel.put(&message).await?;
        channel.flush().await?;
        unyielded += message.len();
        if unyielded >= W::YIELD_BYTES {
            unyielded = 0;
            yield_now().await;
        }
    }
}

async fn opens<W: Wire>(
    connection: &W::Connection,
    mut control: Control<W>,
    in_flight: usize,
    duration: Duration,
    server_pid: u32,
) -> Result<Sample> {
    let mut lives = 0;
    let mut meter = None;
    for part in [duration / 4, duration] {
        let started = Instant::now();
        let tasks: Vec<_> = (0..in_flight)
            .map(|_| {
                let connection = connection.clone();
                tokio::spawn(async move {
                    let mut lives = 0;
                    while started.elapsed() < part {
                        live(connection.open(Role::Life).await?).await?;
                        lives += 1;
                    }
                    anyhow::Ok(lives)
                })
            })
            .collect();
        for task in tasks {
            lives += task.await??;
        }
        let ack = control.ask(lives, None).await?;
        match &mut meter {
            None => meter = Some(Meter::begin(server_pid, ack, None)?),
            Some(meter) => return meter.end(ack, None),
        }
    }
    anyhow::bail!("no time")
}

/// Sends one message, finishes, and waits for the server to finish.
async fn live(mut channel: impl Channel) -> Result<()> {
    channel.put(&[7; TICK_BYTES]).await?;
    channel.finish().await?;
    while channel.receive(|_| {}).await? {}
    Ok(())
}

async fn idle<W: Wire>(
    options: &Drive,
    first: W::Connection,
    mut control: Control<W>,
    connections: usize,
    channels: usize,
) -> Result<Sample> {
    let mut open = vec![first];
    let mut controls = Vec::new();
    while open.len() < connections {
        let connection = W::connect(options.server, false).await?;
        let mut control = Control::<W>::open(&connection).await?;
        control.ask(0, None).await?;
        open.push(connection);
        controls.push(control);
    }
    control.ask(0, None).await?;
    tokio::time::sleep(SETTLE_TIME).await;
    let memory =
        || Ok::<_, anyhow::Error>([options.server_pid, std::process::id()].map(anonymous_bytes));
    let before = memory()?;
    let mut held = Vec::new();
    for connection in &open {
        for _ in 0..channels {
            let mut channel = connection.open(Role::Data).await?;
            channel.put(&[7; TICK_BYTES]).await?;
            channel.flush().await?;
            held.push(channel);
        }
        let count = held.len() as u64;
        control.ask(count, None).await?;
    }
    tokio::time::sleep(SETTLE_TIME).await;
    let after = memory()?;
    let ack = control.ask(held.len() as u64, None).await?;
    let mut grown = [0; 2];
    for ((grown, before), after) in grown.iter_mut().zip(before).zip(after) {
        *grown = i64::try_from(after?)? - i64::try_from(before?)?;
    }
    Ok(Sample {
        messages: ack.count,
        server_bytes: grown[0],
        client_bytes: grown[1],
        ..Sample::default()
    })
}
