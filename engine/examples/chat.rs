//! A chat in a hundred lines: a binary sub-protocol of two messages, over channels.
//!
//! ```sh
//! cargo run --release --example chat                      # a server and three clients, checked
//! cargo run --release --example chat -- serve 0.0.0.0:9001
//! cargo run --release --example chat -- join ws://127.0.0.1:9001/ alice
//! ```
//!
//! Joining a room is opening a channel: its topic names the room, its metadata the guest. Each
//! channel has its own credit, so a guest who does not read stalls nobody but himself.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use tickwire::Listener;
use tickwire::channels::{AcceptOptions, Code, IncomingChannel, OpenOptions, Session, Settings};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::broadcast;

/// The sub-protocol: a byte that says what it is, the name's length, the name, and the text.
const JOINED: u8 = 1;
const SAID: u8 = 2;
/// What a room keeps for a guest who is slow to read; he misses what is older.
const BACKLOG: usize = 256;

type Rooms = Arc<Mutex<HashMap<Vec<u8>, broadcast::Sender<Bytes>>>>;

fn encode(kind: u8, name: &[u8], text: &[u8]) -> Bytes {
    let name = &name[..name.len().min(255)];
    let mut message = BytesMut::with_capacity(2 + name.len() + text.len());
    message.put_slice(&[kind, name.len() as u8]);
    message.put_slice(name);
    message.put_slice(text);
    message.freeze()
}

/// What a message says, for people; `None` if it is not of this protocol.
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

/// A guest in a room, until the channel ends.
async fn attend(rooms: Rooms, offer: IncomingChannel) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (room, name) = (offer.topic().to_vec(), offer.metadata().to_vec());
    let everybody = {
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(room);
        room.or_insert_with(|| broadcast::channel(BACKLOG).0)
            .clone()
    };
    let mut heard = everybody.subscribe();
    let (mut sender, mut receiver) = offer.accept(AcceptOptions::new())?.split();
    tokio::spawn(async move {
        // `send` waits for this guest's credit; the others have channels of their own.
        while let Ok(message) = heard.recv().await {
            if sender.send_bytes(message).await.is_err() {
                return;
            }
        }
    });
    let _ = everybody.send(encode(JOINED, &name, b""));
    while let Some(text) = receiver.recv().await? {
        let _ = everybody.send(encode(SAID, &name, &text));
    }
    Ok(())
}

async fn serve(listener: Listener) -> Result<(), Box<dyn Error>> {
    let rooms = Rooms::default();
    loop {
        let (incoming, rooms) = (listener.accept().await?, Arc::clone(&rooms));
        tokio::spawn(async move {
            let session = Session::accept_from(incoming, Settings::default()).await?;
            while let Some(offer) = session.accept().await {
                tokio::spawn(attend(Arc::clone(&rooms), offer));
            }
            Ok::<(), tickwire::Error>(())
        });
    }
}

async fn join(url: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let session = Session::connect(url).await?;
    let lobby = OpenOptions::new("lobby").metadata(name);
    let (mut sender, mut receiver) = session.open(lobby)?.split();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => sender.send(line.as_bytes()).await?,
                None => {
                    session.drain(Code::NO_ERROR);
                    return Ok(());
                }
            },
            message = receiver.recv() => match message? {
                Some(message) => println!("{}", decode(&message).unwrap_or_default()),
                None => return Ok(()),
            },
        }
    }
}

/// Three guests, each of whom must hear all three.
async fn demo() -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(async move { serve(listener).await.map_err(|e| e.to_string()) });
    let mut guests = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let session = Session::connect(&url).await?;
        let mut channel = session.open(OpenOptions::new("lobby").metadata(name))?;
        channel.recv().await?.ok_or("the room closed")?; // that we are here
        guests.push((name, channel));
    }
    for (name, channel) in &mut guests {
        channel
            .send(format!("hello from {name}").as_bytes())
            .await?;
    }
    for (name, channel) in &mut guests {
        let mut hellos = 0;
        while hellos < 3 {
            let message = channel.recv().await?.ok_or("the room closed")?;
            let line = decode(&message).ok_or("not of this protocol")?;
            hellos += u32::from(line.contains(": hello from "));
            println!("{name:>5} hears | {line}");
        }
    }
    println!("every guest heard all three");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => demo().await,
        ["serve", address] => serve(Listener::bind(address).await?).await,
        ["join", url, name] => join(url, name).await,
        _ => Err("usage: chat [serve ADDRESS | join URL NAME]".into()),
    }
}
