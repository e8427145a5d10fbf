//! A chat server and client: a binary protocol of two messages over channels, and a demonstration
//! that checks it.
//!
//! ```sh
//! cargo run --release --example chat                       # a server and three guests, checked
//! cargo run --release --example chat -- serve 0.0.0.0:9001
//! cargo run --release --example chat -- join 127.0.0.1:9001 alice
//! ```
//!
//! A guest joins a room by opening a channel: the topic names the room, the metadata the guest.
//! Each channel has its own credit, so a guest who does not read delays no other guest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tickwire::Listener;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelSocket, IncomingChannel, OpenOptions,
};
use tokio::sync::{broadcast, mpsc};

type Fallible = Result<(), Box<dyn std::error::Error + Send + Sync>>;
/// Rooms by topic. A message sent to a room goes to all of its guests.
type Rooms = Arc<Mutex<HashMap<Vec<u8>, broadcast::Sender<Bytes>>>>;

/// Messages that a room keeps for a slow guest, who misses older ones.
const BACKLOG: usize = 256;

/// A message is one byte for its kind, one byte for the length of the name, the name, and the text.
const JOINED: u8 = 1;
const SAID: u8 = 2;

fn encode(kind: u8, name: &[u8], text: &[u8]) -> Bytes {
    let name = &name[..name.len().min(255)];
    let mut message = BytesMut::with_capacity(2 + name.len() + text.len());
    message.put_slice(&[kind, name.len() as u8]);
    message.put_slice(name);
    message.put_slice(text);
    message.freeze()
}

/// A message as a line of text; `None` if it does not follow the protocol.
fn decode(message: &[u8]) -> Option<String> {
    let (&[kind, len], rest) = message.split_first_chunk()?;
    let (name, text) = rest.split_at_checked(len.into())?;
    let (name, text) = (str::from_utf8(name).ok()?, str::from_utf8(text).ok()?);
    match kind {
        JOINED => Some(format!("* {name} is here")),
        SAID => Some(format!("{name}: {text}")),
        _ => None,
    }
}

async fn serve(listener: Listener) -> Fallible {
    let rooms = Rooms::default();
    loop {
        let (incoming, rooms) = (listener.accept().await?, Arc::clone(&rooms));
        tokio::spawn(async move {
            let session = ChannelSocket::accept_from(incoming, ChannelConfig::default()).await?;
            while let Some(offer) = session.accept().await {
                tokio::spawn(serve_guest(Arc::clone(&rooms), offer));
            }
            Fallible::Ok(())
        });
    }
}

/// Serves one guest in a room, until the guest leaves or the room closes.
async fn serve_guest(rooms: Rooms, offer: IncomingChannel) -> Fallible {
    let (topic, name) = (offer.topic().to_vec(), offer.metadata().to_vec());
    let (room, mut messages) = {
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, room| room.receiver_count() > 0); // remove empty rooms
        let room = rooms
            .entry(topic)
            .or_insert_with(|| broadcast::channel(BACKLOG).0);
        (room.clone(), room.subscribe())
    };
    let mut channel = offer.accept(AcceptOptions::new())?;
    room.send(encode(JOINED, &name, b""))?;
    loop {
        tokio::select! {
            text = channel.recv() => match text? {
                Some(text) => drop(room.send(encode(SAID, &name, &text))?),
                None => return Ok(channel.finish()?),
            },
            message = messages.recv() => match message {
                // Waits for credit on this guest's channel only.
                Ok(message) => channel.send_bytes(message).await?,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(closed) => return Err(closed.into()),
            },
        }
    }
}

async fn join(address: &str, name: &str) -> Fallible {
    let session = ChannelSocket::connect(&format!("ws://{address}/")).await?;
    let lobby = OpenOptions::new("lobby").metadata(name);
    let (mut sender, mut receiver) = session.open(lobby)?.split();
    // Reads standard input on a thread, which does not delay the end of the program.
    let (typed, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(Result::ok);
        lines.try_for_each(|line| typed.blocking_send(line))
    });
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            sender.send(line.as_bytes()).await?;
        }
        sender.finish() // the server finishes its half after the last line
    });
    while let Some(message) = receiver.recv().await? {
        println!("{}", decode(&message).unwrap_or_default());
    }
    Ok(())
}

/// Runs three guests, and checks that each receives every line once.
async fn demo() -> Fallible {
    let listener = Listener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(serve(listener));
    let names = ["alice", "bob", "carol"];
    let mut guests = Vec::new();
    for name in names {
        let session = ChannelSocket::connect(&url).await?;
        let mut channel = session.open(OpenOptions::new("lobby").metadata(name))?;
        channel.recv().await?.ok_or("the room closed")?; // the guest's own JOINED message
        guests.push(channel);
    }
    for (name, channel) in names.iter().zip(&mut guests) {
        let hello = format!("hello from {name}");
        channel.send(hello.as_bytes()).await?;
    }
    for (at, channel) in guests.iter_mut().enumerate() {
        let joined = names[at + 1..].iter().map(|n| format!("* {n} is here"));
        let said = names.iter().map(|n| format!("{n}: hello from {n}"));
        let mut expected: Vec<String> = joined.chain(said).collect();
        while !expected.is_empty() {
            let message = channel.recv().await?.ok_or("the room closed")?;
            let line = decode(&message).ok_or("a message does not follow the protocol")?;
            let found = expected.iter().position(|e| *e == line);
            expected.remove(found.ok_or_else(|| format!("unexpected line {line:?}"))?);
            println!("{:>5} receives | {line}", names[at]);
        }
    }
    println!("every guest received every line");
    Ok(())
}

#[tokio::main]
async fn main() -> Fallible {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => tokio::time::timeout(Duration::from_secs(20), demo()).await?,
        ["serve", address] => serve(Listener::bind(address).await?).await,
        ["join", address, name] => join(address, name).await,
        _ => Err("usage: chat [serve ADDRESS | join ADDRESS NAME]".into()),
    }
}
