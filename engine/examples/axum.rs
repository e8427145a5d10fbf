//! An axum server with two WebSocket routes, one for messages and one for channels, and a graceful
//! shutdown.
//!
//! ```text
//! cargo run --example axum --features axum
//! cargo run --example axum --features axum -- --listen 127.0.0.1:9001
//! ```
//!
//! Without an address the program runs a client of both routes and ends. With an address it serves
//! until Ctrl-C, then closes every connection with 1001.

use std::error::Error as StdError;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use lexopt::prelude::*;
use tickwire::axum::WebSocketUpgrade;
use tickwire::channels::{
    AcceptOptions, Channel, ChannelConfig, ChannelSocket, ErrorCode, OpenOptions,
};
use tickwire::handshake::Origins;
use tickwire::{CloseCode, Message};
use tokio::net::TcpListener;
use tokio::select;
use tokio::sync::watch;

type Fallible<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

/// Changes when the server shuts down. Every connection holds one: when the last is dropped, all
/// connections are closed.
type Shutdown = watch::Receiver<()>;

#[tokio::main]
async fn main() -> Fallible {
    let mut listen = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("listen") => listen = Some(args.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let demo = listen.is_none();
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let addr = listener.local_addr()?;
    println!("ws://{addr}/echo and ws://{addr}/channels");

    let (stop, on_shutdown) = watch::channel(());
    let router = Router::new()
        .route("/echo", any(echo))
        .route("/channels", any(channels))
        .with_state(on_shutdown);
    let shutdown = stop.clone();
    let until = async move {
        if demo {
            if let Err(error) = run_client(addr).await {
                eprintln!("{error}");
            }
        } else if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("{error}");
        }
        shutdown.send_replace(());
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(until)
        .await?;
    stop.closed().await; // axum does not wait for upgraded connections
    Ok(())
}

async fn echo(upgrade: WebSocketUpgrade, State(mut on_shutdown): State<Shutdown>) -> Response {
    let upgrade = upgrade.subprotocols(["echo.v1"]).origins(Origins::same()); // pages of this server, and clients that are not browsers
    upgrade.on_upgrade(async move |mut ws| {
        loop {
            select! {
                received = ws.recv_batch() => {
                    let Ok(Some((messages, outbox))) = received else { return };
                    for message in messages {
                        let queued = match message {
                            Message::Binary(payload) => outbox.send(payload),
                            Message::Text(text) => outbox.send_text(text),
                            _ => Ok(()),
                        };
                        if queued.is_err() {
                            return; // the send queue is full: the client does not read
                        }
                    }
                }
                _ = on_shutdown.changed() => break,
            }
        }
        let _ = ws
            .close(CloseCode::GOING_AWAY, "the server is shutting down")
            .await;
    })
}

async fn channels(upgrade: WebSocketUpgrade, State(mut on_shutdown): State<Shutdown>) -> Response {
    upgrade.on_upgrade_channels(ChannelConfig::default(), async move |socket| {
        loop {
            select! {
                incoming = socket.accept() => {
                    let Some(incoming) = incoming else { return };
                    if let Ok(channel) = incoming.accept(AcceptOptions::new()) {
                        tokio::spawn(echo_channel(channel));
                    }
                }
                _ = on_shutdown.changed() => break,
            }
        }
        socket.drain(ErrorCode::NO_ERROR);
        socket.closed().await;
    })
}

async fn echo_channel(mut channel: Channel) {
    while let Ok(Some(message)) = channel.recv().await {
        if channel.send(&message).await.is_err() {
            return;
        }
    }
    let _ = channel.finish();
}

/// Runs a client of both routes.
async fn run_client(addr: SocketAddr) -> Fallible {
    let mut ws = tickwire::connect(&format!("ws://{addr}/echo")).await?;
    ws.send_text("a message").await?;
    println!("/echo: {:?}", ws.recv().await?);
    ws.close(CloseCode::NORMAL, "").await?;

    let socket = ChannelSocket::connect(&format!("ws://{addr}/channels")).await?;
    for topic in ["orders", "quotes"] {
        let mut channel = socket.open(OpenOptions::new(topic))?;
        channel.send(topic.as_bytes()).await?;
        channel.finish()?;
        while let Some(message) = channel.recv().await? {
            println!("/channels: {}", String::from_utf8_lossy(&message));
        }
    }
    socket.drain(ErrorCode::NO_ERROR);
    socket.closed().await;
    Ok(())
}
