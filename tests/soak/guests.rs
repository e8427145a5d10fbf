//! Peers that keep to the rules: what they send must come back once, in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harness::rng::Rng;
use tickwire::channels::{ChannelConfig, ChannelSocket, ErrorCode, OpenOptions};
use tickwire::{CloseCode, Config, Connector, OwnedMessage, WebSocket};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::{Fallible, Tally, add};

/// The largest message of a WebSocket: its length takes eight bytes.
const LARGEST: usize = 70_000;
/// The largest of a channel: what a window of 64 KiB takes, over several records.
const CHANNELS_LARGEST: usize = 30_000;

/// Bytes of message `n` of a guest: numbered, and of every way to write a length.
fn payload(guest: u64, n: u64, largest: usize) -> Vec<u8> {
    let sizes = [16, 40, 125, 126, 1000, 4000, 16, 40, 200, largest];
    let mut rng = Rng::new(guest ^ n << 32);
    let mut bytes = [guest.to_le_bytes(), n.to_le_bytes()].concat();
    let len = sizes[rng.below(sizes.len())];
    bytes.extend(rng.bytes(len - 16));
    bytes
}

/// Messages of one batch: sent together, then awaited.
const BATCH: u64 = 8;

/// What is sent comes back in this, or it is lost: as long as a machine may be busy.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);

async fn in_time<T, E: Into<crate::Error>>(
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Fallible<T> {
    match timeout(COMES_BACK_WITHIN, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(format!("{what} never came back").into()),
    }
}

/// The next message, or the Close. Pings come all the time, also where nothing else does.
async fn past_pings(
    ws: &mut WebSocket<TcpStream>,
) -> Result<Option<OwnedMessage>, tickwire::Error> {
    loop {
        match ws.recv().await? {
            Some(OwnedMessage::Ping(_) | OwnedMessage::Pong(_)) => {}
            other => return Ok(other),
        }
    }
}

fn pause(rng: &mut Rng, tally: &Tally) -> Duration {
    Duration::from_millis(200 + rng.below(800) as u64).mul_f64(tally.pace)
}

fn connector() -> Fallible<Connector> {
    let config = Config::default()
        // The machine may be busy: only a server that is gone is one.
        .handshake_timeout(Duration::from_secs(30))
        .pong_timeout(Duration::from_secs(30))
        .write_timeout(Duration::from_secs(30))
        .close_timeout(Duration::from_secs(30));
    Ok(Connector::new()
        .config(config)
        .connect_timeout(Duration::from_secs(30)))
}

/// One WebSocket: some batches, then the closing handshake.
pub(crate) async fn plain(addr: SocketAddr, tally: &Arc<Tally>, seed: u64) -> Fallible<()> {
    let mut rng = Rng::new(seed);
    let mut ws = connector()?.connect(&format!("ws://{addr}/")).await?;
    let mut next = 0;
    for _ in 0..1 + rng.below(12) {
        for n in next..next + BATCH {
            ws.feed(&payload(seed, n, LARGEST)).await?;
        }
        ws.flush().await?;
        let end = next + BATCH;
        while next < end {
            match in_time("a message", past_pings(&mut ws)).await? {
                Some(OwnedMessage::Binary(data)) => {
                    if data[..] != payload(seed, next, LARGEST)[..] {
                        return Err(wrong("WebSocket", seed, next, &data).into());
                    }
                    next += 1;
                    add(&tally.echoed, 1);
                }
                other => return Err(format!("at message {next}: {other:?}").into()),
            }
        }
        sleep(pause(&mut rng, tally)).await;
    }
    // Receiving until the end, where `close` drops what comes: nothing may come any more.
    ws.outbox().close(CloseCode::NORMAL, "")?;
    while let Some(message) = in_time("a Close", past_pings(&mut ws)).await? {
        if let OwnedMessage::Binary(data) = message {
            return Err(wrong("WebSocket", seed, next, &data).into());
        }
    }
    add(&tally.plain, 1);
    Ok(())
}

/// One connection with some channels, each with some batches.
pub(crate) async fn channels(addr: SocketAddr, tally: &Arc<Tally>, seed: u64) -> Fallible<()> {
    let mut rng = Rng::new(seed);
    let url = format!("ws://{addr}/");
    let session =
        ChannelSocket::connect_with(&connector()?, &url, ChannelConfig::default()).await?;
    for round in 0..1 + rng.below(4) as u64 {
        let mut open = Vec::new();
        for n in 0..1 + rng.below(3) as u64 {
            let guest = seed ^ (round * 8 + n) << 48;
            open.push((guest, session.open(OpenOptions::new(n.to_string()))?));
        }
        for first in (0..BATCH * 3).step_by(BATCH as usize) {
            for (guest, channel) in &mut open {
                for n in first..first + BATCH {
                    let data = payload(*guest, n, CHANNELS_LARGEST);
                    in_time("credit", channel.send(&data)).await?;
                }
            }
            for (guest, channel) in &mut open {
                for n in first..first + BATCH {
                    let data = in_time("a message", channel.recv()).await?;
                    let data = data.ok_or("the channel ended early")?;
                    if data.seq() != n || data[..] != payload(*guest, n, CHANNELS_LARGEST)[..] {
                        return Err(wrong("channel", *guest, n, &data).into());
                    }
                    add(&tally.echoed, 1);
                }
            }
            sleep(pause(&mut rng, tally)).await;
        }
        for (_, mut channel) in open {
            channel.finish()?;
            if let Some(more) = in_time("the end", channel.recv()).await? {
                return Err(wrong("channel", seed, more.seq(), &more).into());
            }
        }
    }
    session.drain(ErrorCode::NO_ERROR);
    in_time("the end", async {
        session.closed().await;
        Ok::<_, crate::Error>(())
    })
    .await?;
    add(&tally.channels, 1);
    Ok(())
}

fn wrong(what: &str, guest: u64, n: u64, data: &[u8]) -> String {
    let head = &data[..data.len().min(16)];
    format!(
        "{what}: message {n} of {guest:x} came back as {} bytes, {head:02x?}",
        data.len()
    )
}
