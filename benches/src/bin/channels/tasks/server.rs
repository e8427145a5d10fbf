//! The server of every async peer: a task for each channel does what the channel's role says.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpListener;

use super::{Channel, Connection, Wire, runtime, spin};
use crate::announce;
use crate::cli::Serve;
use crate::sink::Sink;
use crate::work::{Role, SLOW_BYTES_PER_SECOND};

pub(super) fn run<W: Wire>(options: &Serve) -> Result<()> {
    runtime()?.block_on(async {
        if options.spin {
            tokio::spawn(spin());
        }
        let sink = Arc::new(Sink::new()?);
        let listener = TcpListener::bind(options.listen).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let mut connection = W::accept(stream).await?;
            let sink = Arc::clone(&sink);
            tokio::spawn(async move {
                while let Some(channel) = connection.next().await {
                    let sink = Arc::clone(&sink);
                    tokio::spawn(async move {
                        // A finished client drops everything, which is not an error.
                        let _ = serve(channel, &sink).await;
                    });
                }
            });
        }
    })
}

async fn serve(mut channel: impl Channel, sink: &Sink) -> Result<()> {
    match channel.role().await? {
        Role::Control => {
            while channel.receive(|question| sink.ask(question)).await? {
                sink.due().await;
                channel.put(&sink.ack(None)?).await?;
                channel.flush().await?;
            }
        }
        Role::Data => {
            let mut lane = 0;
            while channel.receive(|m| sink.data(&mut lane, m)).await? {
                sink.notify();
            }
        }
        Role::Tick => {
            while channel.receive(|message| sink.tick(message)).await? {
                sink.notify();
            }
        }
        Role::BulkFast => while channel.receive(|message| sink.bulk(message)).await? {},
        Role::BulkSlow => {
            let mut bytes = 0;
            let read = |bytes: &mut usize, message: &[u8]| {
                *bytes += message.len();
                sink.bulk(message);
            };
            while channel.receive(|message| read(&mut bytes, message)).await? {
                let rest = bytes as f64 / SLOW_BYTES_PER_SECOND as f64;
                bytes = 0;
                tokio::time::sleep(Duration::from_secs_f64(rest)).await;
            }
        }
        Role::BulkStalled => pending().await,
        Role::Life => {
            let mut lane = 0;
            while channel.receive(|m| sink.data(&mut lane, m)).await? {}
            channel.finish().await?;
            sink.notify();
        }
    }
    Ok(())
}
