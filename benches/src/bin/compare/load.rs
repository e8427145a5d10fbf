//! The closed-loop load: every connection keeps `window` messages in flight.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::cli::Case;
use crate::server::{Server, Target};
use crate::tape::{Reader, Tape};
use crate::{process, wire};

/// When no echo arrives for this long, the server has lost a message or hangs.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Size of one read: a whole window of the largest case (4 x 64 KiB).
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
/// Events taken from one poll; the next poll returns the others.
const EVENTS_MAX: usize = 1024;
/// Frames between the starting places of two connections on the tape; prime, so that few
/// connections share a place.
const START_STRIDE_FRAMES: u64 = 17;

/// A connected, upgraded, blocking stream.
pub(crate) fn connect(server: &Server) -> Result<std::net::TcpStream> {
    let target = server.target;
    connect_to(server)
        .with_context(|| format!("cannot connect to {} at {}", target.name(), server.addr))
}

fn connect_to(server: &Server) -> Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(server.addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL_TIMEOUT))?;
    stream.set_write_timeout(Some(STALL_TIMEOUT))?;
    if server.target.speaks_websocket() {
        wire::upgrade(&mut stream, &server.addr.to_string())?;
    }
    Ok(stream)
}

/// Where connection `index` of a load starts on the tape.
pub(crate) fn first_frame(index: usize) -> u64 {
    index as u64 * START_STRIDE_FRAMES
}

/// Result of one timed pass. Every counted message was compared byte for byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub(crate) messages: u64,
    /// From the first message sent to the last echo read, in nanoseconds.
    pub(crate) elapsed_ns: u64,
    /// CPU time of the client's thread, in nanoseconds.
    pub(crate) client_cpu_ns: u64,
}

/// The connections of one case to one server. Between passes they are idle and have nothing in
/// flight.
pub(crate) struct Load {
    target: Target,
    poll: Poll,
    events: Events,
    tape: Tape,
    links: Vec<Link>,
    window: usize,
    buffer: Vec<u8>,
}

impl Load {
    pub(crate) fn connect(server: &Server, case: Case) -> Result<Load> {
        let poll = Poll::new()?;
        let tape = Tape::new(case, case.window, !server.target.speaks_websocket());
        let mut links = Vec::with_capacity(case.connections);
        for index in 0..case.connections {
            let mut link = Link::new(connect(server)?, &tape, first_frame(index))?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut link.stream, Token(index), interest)?;
            links.push(link);
        }
        Ok(Load {
            target: server.target,
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            tape,
            links,
            window: case.window,
            buffer: vec![0; RECEIVE_BUFFER_BYTES],
        })
    }

    /// Resets all connections: an orderly close of thousands would leave their ports in TIME_WAIT.
    pub(crate) fn reset(self) -> Result<()> {
        for link in &self.links {
            socket2::SockRef::from(&link.stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Loads the server for `duration`, then waits for the last echo.
    pub(crate) fn pass(&mut self, duration: Duration) -> Result<Pass> {
        let name = self.target.name();
        self.run(duration)
            .with_context(|| format!("load on {name}"))
    }

    fn run(&mut self, duration: Duration) -> Result<Pass> {
        let cpu_before = process::thread_cpu_ns()?;
        let started = Instant::now();
        let mut messages = 0;
        for link in &mut self.links {
            link.send(&self.tape, self.window)?;
        }
        let mut in_flight = self.links.len() * self.window;
        while in_flight > 0 {
            match self.poll.poll(&mut self.events, Some(STALL_TIMEOUT)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            ensure!(
                !self.events.is_empty(),
                "no echo for {STALL_TIMEOUT:?} with {in_flight} messages in flight"
            );
            let more = started.elapsed() < duration;
            for event in &self.events {
                let link = &mut self.links[event.token().0];
                if event.is_readable() {
                    let echoed = link.receive(&self.tape, &mut self.buffer)?;
                    messages += echoed as u64;
                    if more {
                        link.send(&self.tape, echoed)?;
                    } else {
                        in_flight -= echoed;
                    }
                }
                if event.is_writable() && link.queued_frames > 0 {
                    link.send(&self.tape, 0)?;
                }
            }
        }
        Ok(Pass {
            messages,
            elapsed_ns: nanoseconds(started.elapsed()),
            client_cpu_ns: process::thread_cpu_ns()? - cpu_before,
        })
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One connection: its place on the sent tape and on the echoed tape.
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    reader: Reader,
    /// Index of the first frame that is not completely sent.
    next_frame: u64,
    /// Bytes of that frame which are sent.
    sent_bytes: usize,
    /// Frames that are queued and not completely sent.
    queued_frames: usize,
}

impl Link {
    /// Takes over a connected stream and makes it non-blocking.
    pub(crate) fn new(stream: std::net::TcpStream, tape: &Tape, first: u64) -> Result<Link> {
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Link {
            stream,
            reader: tape.reader(first),
            next_frame: first,
            sent_bytes: 0,
            queued_frames: 0,
        })
    }

    /// Queues `frames` more frames and writes what the socket accepts.
    pub(crate) fn send(&mut self, tape: &Tape, frames: usize) -> Result<()> {
        self.queued_frames += frames;
        while self.queued_frames > 0 {
            let burst = self.queued_frames.min(tape.burst_frames());
            let bytes = &tape.burst(self.next_frame, burst)[self.sent_bytes..];
            match self.stream.write(bytes) {
                Ok(n) => {
                    ensure!(n > 0, "the socket accepts no more bytes");
                    let sent = self.sent_bytes + n;
                    let whole = sent / tape.sent_frame_bytes();
                    self.sent_bytes = sent % tape.sent_frame_bytes();
                    self.next_frame += whole as u64;
                    self.queued_frames -= whole;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads and checks what has arrived; returns the number of completed messages.
    pub(crate) fn receive(&mut self, tape: &Tape, buffer: &mut [u8]) -> Result<usize> {
        let mut messages = 0;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(n) => {
                    messages += self.reader.read(tape, &buffer[..n])?;
                    if n < buffer.len() {
                        return Ok(messages);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
