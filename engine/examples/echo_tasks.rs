//! An echo server: an accept loop, and one task for each connection.
//!
//! ```text
//! cargo run --example echo_tasks -- --listen 127.0.0.1:9001
//! ```
//!
//! On SIGTERM the server closes every connection with 1001 and exits with status 0.

use std::error::Error as StdError;

use lexopt::prelude::*;
use tickwire::{CloseCode, Config, Error, Incoming, Listener, Message};
use tokio::net::TcpStream;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let mut listen = String::from("127.0.0.1:9001");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("listen") => listen = args.value()?.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let config = Config::default().send_queue_bytes_max(64 << 20);
    let builder = Listener::builder().config(config);
    let listener = builder.bind(listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening {}", listener.local_addr()?);

    let (shutdown, on_shutdown) = watch::channel(());
    let mut tasks = JoinSet::new();
    loop {
        select! {
            incoming = listener.accept() => {
                tasks.spawn(echo(incoming?, on_shutdown.clone()));
            }
            Some(ended) = tasks.join_next() => {
                if let Ok(Err(e)) = ended {
                    eprintln!("{e}"); // one connection has failed; the others continue
                }
            }
            _ = terminate.recv() => break,
        }
    }
    shutdown.send(())?;
    tasks.join_all().await;
    Ok(())
}

async fn echo(
    incoming: Incoming<TcpStream>,
    mut on_shutdown: watch::Receiver<()>,
) -> Result<(), Error> {
    let mut ws = select! {
        ws = incoming.accept() => ws?,
        _ = on_shutdown.changed() => return Ok(()),
    };
    loop {
        select! {
            received = ws.recv_batch() => {
                let Some((messages, outbox)) = received? else {
                    return Ok(()); // a clean close
                };
                for message in messages {
                    match message {
                        Message::Binary(data) => outbox.send(data)?,
                        Message::Text(text) => outbox.send_text(text)?,
                        _ => {}
                    }
                }
            }
            _ = on_shutdown.changed() => break,
        }
    }
    ws.close(CloseCode::GOING_AWAY, "the server is shutting down")
        .await
}
