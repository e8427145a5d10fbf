//! The event loop of the mio peers: one thread, one poller, one receive buffer.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use anyhow::{Result, bail};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

use super::{ServeOptions, announce, runtime};

/// Size of the receive buffer: one read takes a whole window of the largest case (4 x 64 KiB).
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
/// Events taken from one poll; the next poll returns the others.
const EVENTS_MAX: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

/// One connection's protocol.
pub(super) trait Session {
    /// Handles the bytes of one read and writes the answers.
    fn input(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()>;
    /// Writes what is left of an earlier write.
    fn flush(&mut self, stream: &mut TcpStream) -> Result<()>;
    /// Whether output waits for the socket. Nothing is read in the meantime.
    fn is_blocked(&self) -> bool;
}

struct Connection<S> {
    stream: TcpStream,
    session: S,
    /// The poller is edge-triggered: an event sets this, a read that does not fill the buffer
    /// clears it.
    is_readable: bool,
    /// The peer has closed: reads go on to the end even after a short read.
    is_closing: bool,
}

/// Accepts without end and runs a `session()` on each connection.
pub(super) fn run<S: Session>(options: ServeOptions, session: impl Fn() -> S) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut listener = TcpListener::bind(options.listen)?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    announce(listener.local_addr()?)?;

    let mut connections: Vec<Option<Connection<S>>> = Vec::new();
    let mut buffer = vec![0; RECEIVE_BUFFER_BYTES];
    let timeout = options.spin.then_some(Duration::ZERO);
    loop {
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept_all(&listener, poll.registry(), &mut connections, &session)?;
                continue;
            }
            let Some(slot) = connections.get_mut(event.token().0) else {
                continue;
            };
            let Some(connection) = slot else { continue };
            match connection.turn(event, &mut buffer) {
                Ok(true) => {}
                // Dropping the stream closes it and removes it from the poller.
                Ok(false) => *slot = None,
                Err(error) => {
                    runtime::report(&error);
                    *slot = None;
                }
            }
        }
    }
}

/// Accepts every waiting connection into the first free slot. The index of the slot is the token.
fn accept_all<S>(
    listener: &TcpListener,
    registry: &Registry,
    connections: &mut Vec<Option<Connection<S>>>,
    session: &impl Fn() -> S,
) -> Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => bail!("accept: {error}"),
        };
        stream.set_nodelay(true)?;
        let index = connections
            .iter()
            .position(Option::is_none)
            .unwrap_or(connections.len());
        registry.register(
            &mut stream,
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let connection = Connection {
            stream,
            session: session(),
            is_readable: false,
            is_closing: false,
        };
        if index == connections.len() {
            connections.push(Some(connection));
        } else {
            connections[index] = Some(connection);
        }
    }
}

impl<S: Session> Connection<S> {
    /// Does what an event allows: finishes the blocked write, then reads and answers. `false` at
    /// the end of the connection.
    fn turn(&mut self, event: &Event, buffer: &mut [u8]) -> Result<bool> {
        self.is_readable |= event.is_readable();
        self.is_closing |= event.is_read_closed();
        if self.session.is_blocked() {
            self.session.flush(&mut self.stream)?;
        }
        while self.is_readable && !self.session.is_blocked() {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.is_readable = n == buffer.len() || self.is_closing;
                    self.session.input(&mut self.stream, &buffer[..n])?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
