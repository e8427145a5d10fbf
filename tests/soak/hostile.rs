//! Peers that break, stop, dribble, and lie. Where the server owes an end, they wait for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harness::frames::{Frame, Length, op};
use harness::frames_mux::{Put, flag, hello};
use harness::rng::Rng;
use socket2::SockRef;
use tickwire::Role;
use tickwire::channels::SUBPROTOCOL;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::{Fallible, Tally, add};

/// The longest of the server's deadlines, an interval of Pings and all, and as much for a busy
/// machine.
const SERVER_ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A socket and what a hostile peer does with it.
struct Peer {
    stream: TcpStream,
    rng: Rng,
}

impl Peer {
    async fn dial(addr: SocketAddr, seed: u64) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        let rng = Rng::new(seed);
        Ok(Self { stream, rng })
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads away what comes; tells when the server has ended it.
    async fn gone(&mut self) {
        let mut sink = vec![0; 16 << 10];
        loop {
            if self.stream.readable().await.is_err() {
                return;
            }
            match self.stream.try_read(&mut sink) {
                Ok(0) => return,
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }

    /// The server has to end it.
    async fn owed(&mut self, what: &str) -> Fallible<()> {
        match timeout(SERVER_ENDS_WITHIN, self.gone()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("{what}: the server keeps it for ever").into()),
        }
    }

    async fn shake_hands(&mut self, channels: bool) -> Fallible<()> {
        let offer = match channels {
            true => format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"),
            false => String::new(),
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: soak\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
        );
        self.write(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.readable().await?;
            let mut byte = [0];
            match self.stream.try_read(&mut byte) {
                Ok(0) => return Err("the server left in the handshake".into()),
                Ok(_) => head.push(byte[0]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.into()),
            }
        }
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&head).into_owned().into()),
        }
    }

    /// Ends it as a crash or a cut cable does.
    fn reset(self) {
        // Where the system does not do this, it ends like any other.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    fn binary(payload: &[u8]) -> Vec<u8> {
        Frame::new(op::BIN, payload).by(Role::Client)
    }

    fn garbage(&mut self) -> Vec<u8> {
        let len = 1 + self.rng.below(3000);
        self.rng.bytes(len)
    }
}

/// What a hostile peer does to the port of WebSockets.
pub(crate) const PLAIN: u64 = 8;
/// And what to that of channels.
pub(crate) const CHANNELS: u64 = 4;

/// Does one thing, by its number.
pub(crate) async fn plain(addr: SocketAddr, tally: &Arc<Tally>, seed: u64) -> Fallible<()> {
    let mut peer = Peer::dial(addr, seed).await?;
    let what = seed % PLAIN;
    match what {
        0 => {
            // Instead of a request; many servers wait here for the end of a line.
            let garbage = peer.garbage();
            let _ = peer.write(&garbage).await;
            peer.owed("garbage for a request").await?;
        }
        1 => dribble(&mut peer).await?,
        _ => {
            peer.shake_hands(false).await?;
            shaken(peer, what).await?;
        }
    }
    add(&tally.hostile, 1);
    Ok(())
}

/// A request, a byte at a time, for as long as the server takes it.
async fn dribble(peer: &mut Peer) -> Fallible<()> {
    let slow = async {
        for byte in b"GET / HTTP/1.1\r\nHost: soak\r\nX-Slow: ".iter().cycle() {
            sleep(Duration::from_millis(250)).await;
            if peer.write(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    timeout(SERVER_ENDS_WITHIN, slow)
        .await
        .map_err(|_| "a request that dribbles: the server takes it for ever".into())
}

async fn shaken(mut peer: Peer, what: u64) -> Fallible<()> {
    match what {
        2 => {
            // Cut in the middle of a frame, behind one that is whole.
            let mut frames = Peer::binary(b"whole");
            let half = Peer::binary(&[7; 5000]);
            let cut = peer.rng.below(half.len());
            frames.extend(&half[..cut]);
            peer.write(&frames).await?;
            peer.reset();
        }
        3 => {
            let garbage = peer.garbage();
            let _ = peer.write(&garbage).await;
            let _ = peer.write(&[0xFF; 32]).await;
            // Garbage may be a header that waits for its payload: Pings find that.
            peer.owed("garbage for frames").await?;
        }
        4 => {
            // Half open: it takes what comes, and says nothing, not even a Pong.
            peer.owed("half open").await?;
        }
        5 => {
            // Asks for much, and never reads it.
            let ask = Peer::binary(&[9; 60_000]);
            let asking = async { while peer.write(&ask).await.is_ok() {} };
            let ended = timeout(SERVER_ENDS_WITHIN, asking).await;
            ended.map_err(|_| "a peer that does not read: the server keeps it for ever")?;
        }
        6 => {
            let header = Frame::new(op::BIN, b"").length(Length::Announce(1 << 20));
            peer.write(&header.by(Role::Client)).await?;
            peer.owed("a header without its payload").await?;
        }
        _ => {
            // Half closed.
            SockRef::from(&peer.stream).shutdown(std::net::Shutdown::Write)?;
            peer.owed("half closed").await?;
        }
    }
    Ok(())
}

/// Does one thing to the port of channels, by its number.
pub(crate) async fn channels(addr: SocketAddr, tally: &Arc<Tally>, seed: u64) -> Fallible<()> {
    let mut peer = Peer::dial(addr, seed).await?;
    peer.shake_hands(true).await?;
    let greeting = hello(&[]).pong(1);
    match seed % CHANNELS {
        0 => {
            // Half a channel, cut.
            let record = greeting.open(0, 0, 30_000, 5000, &[]).data(0, 0, b"tick");
            peer.write(&Peer::binary(&record.0)).await?;
            let half = Peer::binary(&Put::new().data(flag::MORE, 0, &[5; 4000]).0);
            let cut = peer.rng.below(half.len());
            peer.write(&half[..cut]).await?;
            peer.reset();
        }
        1 => {
            let garbage = peer.garbage();
            peer.write(&Peer::binary(&greeting.raw(&garbage).0)).await?;
            peer.owed("garbage for a record").await?;
        }
        2 => {
            // Opens and resets in a loop, until it is too much.
            peer.write(&Peer::binary(&greeting.0)).await?;
            for _ in 0..200 {
                let put = Put::new().open(0, 0, 60_000, 9, &[]);
                let record = put.reset(flag::ABORT | flag::STOP, 0, 8);
                if peer.write(&Peer::binary(&record.0)).await.is_err() {
                    break;
                }
            }
            peer.owed("channels opened and reset in a loop").await?;
        }
        _ => {
            // Never says HELLO.
            peer.owed("no HELLO").await?;
        }
    }
    add(&tally.hostile, 1);
    Ok(())
}
