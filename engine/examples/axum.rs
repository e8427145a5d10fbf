//! WebSocket routes in an axum server: messages on one, channels on the other, and an orderly end.
//!
//! ```text
//! cargo run --example axum --features axum
//! cargo run --example axum --features axum -- --listen 127.0.0.1:9001
//! ```
//!
//! Without an address the program is its own client: it talks to both routes and ends. With one it serves
//! until Ctrl-C, and closes every connection with 1001 then.

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

/// Changes when the server stops. Every connection has one; when the last one is dropped, all are closed.
type Stop = watch::Receiver<()>;

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
    let alone = listen.is_none();
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let addr = listener.local_addr()?;
    println!("ws://{addr}/echo and ws://{addr}/channels");

    let (stop, stopped) = watch::channel(());
    let router = Router::new()
        .route("/echo", any(echo))
        .route("/channels", any(channels))
        .with_state(stopped);
    let tell = stop.clone();
    let until = async move {
        if alone {
            if let Err(error) = talk(addr).await {
                eprintln!("{error}");
            }
        } else if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("{error}");
        }
        tell.send_replace(());
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(until)
        .await?;
    stop.closed().await; // axum does not wait for connections that were upgraded
    Ok(())
}

async fn echo(upgrade: WebSocketUpgrade, State(mut stop): State<Stop>) -> Response {
    let upgrade = upgrade.subprotocols(["echo.v1"]).origins(Origins::same()); // pages of this server, and clients that are no browser
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
                            return; // the client sends more than it reads
                        }
                    }
                }
                _ = stop.changed() => break,
            }
        }
        let _ = ws.close(CloseCode::GOING_AWAY, "the server stops").await;
    })
}

async fn channels(upgrade: WebSocketUpgrade, State(mut stop): State<Stop>) -> Response {
    upgrade.on_upgrade_channels(ChannelConfig::default(), async move |socket| {
        loop {
            select! {
                incoming = socket.accept() => {
                    let Some(incoming) = incoming else { return };
                    if let Ok(channel) = incoming.accept(AcceptOptions::new()) {
                        tokio::spawn(echo_channel(channel));
                    }
                }
                _ = stop.changed() => break,
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

/// A client of both routes.
async fn talk(addr: SocketAddr) -> Fallible {
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
