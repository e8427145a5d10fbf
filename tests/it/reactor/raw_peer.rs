//! The other end of a connection, without this library.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use harness::frames::{Frame, op};
use tickwire::Role;

use super::fixture::LONG;

/// A peer that writes and reads bytes.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    role: Role,
    /// Received bytes that are not parsed yet.
    buffer: Vec<u8>,
    at: usize,
}

/// A frame, or the end of the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Got {
    Frame {
        fin: bool,
        opcode: u8,
        payload: Vec<u8>,
    },
    Eof,
    Reset,
}

impl Got {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self::Frame {
            fin: true,
            opcode,
            payload: payload.as_ref().to_vec(),
        }
    }

    /// The code of a Close frame.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self {
            Self::Frame {
                opcode: op::CLOSE,
                payload,
                ..
            } => payload.first_chunk().map(|b| u16::from_be_bytes(*b)),
            _ => None,
        }
    }
}

/// A request that gets a 101.
pub(crate) const REQUEST: &str = "GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

impl Peer {
    pub(crate) fn over(stream: TcpStream, role: Role) -> Self {
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        stream.set_write_timeout(Some(LONG)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            role,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// A TCP connection before any byte.
    pub(crate) fn dial(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).expect("a server"), Role::Client)
    }

    /// An open connection to a server.
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let mut peer = Self::dial(addr);
        peer.write(REQUEST.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }

    /// The server end of a connection that the reactor opens.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("a client");
        let mut peer = Self::over(stream, Role::Server);
        let head = peer.head();
        let key = head
            .lines()
            .find_map(|l| l.strip_prefix("Sec-WebSocket-Key: "))
            .expect("a key");
        let accept = tickwire::handshake::accept_key(key.as_bytes());
        peer.write(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .as_bytes(),
        );
        peer
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a peer that reads");
    }

    pub(crate) fn send(&mut self, frame: Frame) {
        let bytes = frame.by(self.role);
        self.write(&bytes);
    }

    pub(crate) fn binary(&mut self, payload: impl AsRef<[u8]>) {
        self.send(Frame::new(op::BIN, payload));
    }

    /// Ends the sending direction.
    pub(crate) fn shut(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open end");
    }

    fn fill(&mut self) -> Result<(), Got> {
        self.buffer.drain(..std::mem::take(&mut self.at));
        let mut space = vec![0; 1 << 16];
        match self.stream.read(&mut space) {
            Ok(0) => Err(Got::Eof),
            Ok(n) => {
                self.buffer.extend_from_slice(&space[..n]);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Err(Got::Reset),
            Err(e) => panic!("nothing came: {e}"),
        }
    }

    /// An HTTP head.
    pub(crate) fn head(&mut self) -> String {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(rest[..end + 4].to_vec()).expect("text");
                self.at += end + 4;
                return head;
            }
            self.fill().expect("a head");
        }
    }

    /// All frames up to the end of the stream.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Got) {
        loop {
            if let Err(end) = self.fill() {
                return (std::mem::take(&mut self.buffer), end);
            }
        }
    }

    pub(crate) fn next(&mut self) -> Got {
        loop {
            if let Some((got, len)) = parse(&self.buffer[self.at..]) {
                self.at += len;
                return got;
            }
            if let Err(end) = self.fill() {
                return end;
            }
        }
    }

    /// The next message. A control frame before it fails the test.
    pub(crate) fn message(&mut self) -> Vec<u8> {
        match self.next() {
            Got::Frame {
                fin: true,
                opcode: op::BIN | op::TEXT,
                payload,
            } => payload,
            other => panic!("no message but {other:?}"),
        }
    }

    /// Answers a Close and waits for the end of the stream, as a client does.
    pub(crate) fn finish(&mut self) -> Got {
        self.send(Frame::close(1000, b""));
        loop {
            match self.next() {
                Got::Frame { .. } => {}
                end => return end,
            }
        }
    }
}

/// The first frame, unmasked, and its encoded length.
fn parse(bytes: &[u8]) -> Option<(Got, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (&second, rest) = rest.split_first()?;
    let (len, rest) = match second & 0x7f {
        126 => (
            u64::from(u16::from_be_bytes(*rest.first_chunk()?)),
            &rest[2..],
        ),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), &rest[8..]),
        n => (u64::from(n), rest),
    };
    let (key, rest) = match second & 0x80 {
        0 => ([0; 4], rest),
        _ => (*rest.first_chunk::<4>()?, &rest[4..]),
    };
    let payload = rest.get(..len as usize)?;
    let payload: Vec<u8> = payload
        .iter()
        .zip(key.iter().cycle())
        .map(|(b, k)| b ^ k)
        .collect();
    let used = bytes.len() - rest.len() + payload.len();
    Some((
        Got::Frame {
            fin: first & 0x80 != 0,
            opcode: first & 15,
            payload,
        },
        used,
    ))
}
