//! The work of a reactor around its connections, the same on mio and tokio: it listens, accepts,
//! connects, adopts connections, and carries out commands.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use super::super::accept_fault::AcceptFault;
use super::super::clock;
use super::super::error::Error;
use super::super::handler::{ConnId, Handler};
use super::super::line::Readiness;
use super::super::options::ReactorOptions;
use super::super::parts::Parts;
use super::super::remote::{Command, Commands, Destination, Outgoing, Remote, RemoteError};
use super::super::socket::{ListeningSocket, PeerAddr, Socket};
use super::super::tune::TuneReport;
use super::host::Host;
use super::{ConnectionOptions, Core};
use crate::buf::BufPool;
use crate::time::Timestamp;

/// The pause of a listener after the operating system has failed an accept, for example because of
/// too many open files. An immediate retry would fail again and use the core in vain.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Connections accepted in one turn, so that many new connections do not delay the open
/// connections.
const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Commands carried out in one turn, for the same reason.
const COMMANDS_PER_TURN_MAX: usize = 1024;

/// The token of the first listener. Tokens of connections count up from zero, tokens of listeners
/// count down from here.
const LISTENERS: usize = usize::MAX - 1;

/// A listening socket of the reactor.
struct Listening<L> {
    socket: L,
    /// More connections may be in the backlog.
    ready: bool,
    /// No accept before this time.
    paused_until: Timestamp,
}

/// A reactor on a [`Host`].
pub(super) struct EventLoop<H: Handler, N: Host> {
    pub(super) core: Core<H, N::Transport>,
    pub(super) host: N,
    pub(super) options: ReactorOptions,
    pub(super) commands: Commands<H::Command>,
    pub(super) remote: Remote<H::Command>,
    /// The reactors among which accepted sockets are distributed, this reactor first. Empty if this
    /// reactor keeps all accepted sockets.
    pub(super) group: Vec<Remote<H::Command>>,
    listeners: Vec<Listening<N::Listener>>,
}

impl<H: Handler, N: Host> EventLoop<H, N> {
    pub(super) fn new(
        handler: H,
        host: N,
        options: ReactorOptions,
        (remote, commands): (Remote<H::Command>, Commands<H::Command>),
    ) -> Result<Self, Error> {
        options.check()?;
        let pool = BufPool::new(options.recv_buffer_bytes, BufPool::SEND_BYTES);
        Ok(Self {
            core: Core::new(handler, ConnectionOptions::from(&options), pool),
            host,
            options,
            commands,
            remote,
            group: Vec::new(),
            listeners: Vec::new(),
        })
    }

    pub(super) fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        let (listener, report) = self.options.tune.listen(addr)?;
        Ok((self.listen_on(listener)?, report))
    }

    pub(super) fn listen_on(
        &mut self,
        listener: std::net::TcpListener,
    ) -> Result<SocketAddr, Error> {
        let addr = listener.local_addr()?;
        self.add_listener(ListeningSocket::Tcp(listener))?;
        Ok(addr)
    }

    pub(super) fn add_listener(&mut self, listener: ListeningSocket) -> Result<(), Error> {
        let token = LISTENERS - self.listeners.len();
        self.listeners.push(Listening {
            socket: self.host.listen(listener, token)?,
            ready: true,
            paused_until: Timestamp(0),
        });
        Ok(())
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    pub(super) fn connect(&mut self, outgoing: &Outgoing) -> Result<ConnId, Error> {
        let now = clock::now();
        let opening = self.core.opening(outgoing)?;
        let (socket, peer) = self.start_connect(&outgoing.destination)?;
        let (id, transport) = self.register(N::stream(socket)?)?;
        self.core
            .insert_connecting(id, transport, peer, outgoing.token, opening, now);
        Ok(id)
    }

    /// Makes a socket and starts its non-blocking connect.
    fn start_connect(&mut self, destination: &Destination) -> Result<(Socket, PeerAddr), Error> {
        match destination {
            Destination::Inet(addr) => {
                let peer = PeerAddr::Inet(*addr);
                let (socket, report) = self.options.tune.socket_for_connect(*addr)?;
                if !report.is_complete() {
                    self.core.handler.tune_refused(Some(peer), &report);
                }
                match socket.connect(&(*addr).into()) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
                    result => result.map_err(|e| Error::connect(addr, e))?,
                }
                Ok((Socket::Tcp(socket.into()), peer))
            }
            #[cfg(unix)]
            Destination::Unix(path) => {
                let socket =
                    socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                let addr = socket2::SockAddr::unix(path)?;
                let connected = socket.connect(&addr);
                connected.map_err(|e| Error::connect(path.display(), e))?;
                let socket = std::os::fd::OwnedFd::from(socket);
                Ok((Socket::Unix(socket.into()), PeerAddr::Unix))
            }
        }
    }

    pub(super) fn adopt(&mut self, parts: Parts<Socket>, token: u64) -> Result<ConnId, Error> {
        let now = clock::now();
        let (stream, session) = self.core.session_of(parts, now)?;
        stream.set_nonblocking()?;
        let peer = stream.peer_addr().ok();
        let (id, transport) = self.register(N::stream(stream)?)?;
        self.core
            .insert_open(id, transport, session, (peer, token), now);
        Ok(id)
    }

    fn register(&mut self, stream: N::Stream) -> io::Result<(ConnId, N::Transport)> {
        let id = self.core.reserve();
        match self.host.register(stream, id.index as usize) {
            Ok(transport) => Ok((id, transport)),
            Err(e) => {
                self.core.unreserve(id);
                Err(e)
            }
        }
    }

    /// The connection or listener with this token is ready. Spurious readiness is harmless.
    #[inline]
    pub(super) fn ready(&mut self, token: usize, readiness: Readiness, now: Timestamp) {
        if token > LISTENERS - self.listeners.len() {
            if let Some(listening) = self.listeners.get_mut(LISTENERS - token) {
                listening.ready = true;
            }
        } else {
            self.core.ready(token, readiness, now);
        }
    }

    /// Completes a turn, after [`Self::ready`] was called for all ready sockets: accepts, carries
    /// out commands, and serves queued connections. Returns whether there was work. If `timeouts`
    /// is false, deadlines that have passed are left for a later turn.
    pub(super) fn turn(&mut self, timeouts: bool, now: Timestamp) -> bool {
        let mut busy = false;
        for index in 0..self.listeners.len() {
            busy |= self.accept(index, now);
        }
        for _ in 0..COMMANDS_PER_TURN_MAX {
            if !self.next_command(now) {
                break;
            }
            busy = true;
        }
        if self.core.has_queued() {
            self.core.run_queued(now);
            busy = true;
        }
        if timeouts {
            self.core.timeouts(now);
        }
        if self.core.is_stopping() {
            self.commands.refuse_more();
            self.listeners.clear(); // the operating system refuses new connections from now on
        }
        busy
    }

    /// Accepts the connections in the backlog of a listener.
    fn accept(&mut self, index: usize, now: Timestamp) -> bool {
        let (mut accepted, mut failed) = (0, 0);
        while let Some(listening) = self.listeners.get_mut(index)
            && listening.ready
            && listening.paused_until <= now
            && accepted < ACCEPTS_PER_TURN_MAX
            && !self.core.is_stopping()
        {
            match self.host.accept(&mut listening.socket) {
                Ok((stream, peer)) => {
                    accepted += 1;
                    let kept = self.distribute(stream, peer);
                    let adopted = kept.and_then(|stream| match stream {
                        Some(stream) => self.adopt_accepted(stream, peer, now),
                        None => Ok(()),
                    });
                    if let Err(e) = adopted {
                        self.core.handler.accept_failed(e);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => listening.ready = false,
                // A failure of one connection: accept the next one. Many in a row are not the fault
                // of single connections, so the listener pauses.
                Err(e)
                    if AcceptFault::of(&e) == AcceptFault::Connection
                        && failed < ACCEPTS_PER_TURN_MAX =>
                {
                    failed += 1;
                }
                Err(e) => {
                    listening.paused_until = now.after(ACCEPT_BACKOFF);
                    self.core.handler.accept_failed(e);
                }
            }
        }
        accepted > 0
    }

    /// Passes an accepted socket to the reactor with the fewest connections. Returns the socket if
    /// this reactor keeps it.
    fn distribute(
        &mut self,
        mut stream: N::Stream,
        peer: PeerAddr,
    ) -> io::Result<Option<N::Stream>> {
        loop {
            let fewest = self
                .group
                .iter()
                .enumerate()
                .min_by_key(|(_, remote)| remote.connections());
            match fewest {
                None => return Ok(Some(stream)),
                Some((0, own)) => {
                    own.count_accepted();
                    self.commands.take_counted();
                    return Ok(Some(stream));
                }
                Some((index, other)) => match other.accepted(N::into_socket(stream)?, peer) {
                    Ok(()) => return Ok(None),
                    Err((e, back)) => {
                        stream = N::stream(back)?;
                        // A reactor that is stopping, or has ended, leaves the group. If the queue of a reactor is
                        // full, this reactor keeps the socket.
                        match e {
                            RemoteError::Stopped => drop(self.group.remove(index)),
                            _ => return Ok(Some(stream)),
                        }
                    }
                },
            }
        }
    }

    fn adopt_accepted(
        &mut self,
        stream: N::Stream,
        peer: PeerAddr,
        now: Timestamp,
    ) -> io::Result<()> {
        let report = N::tune(&stream, &self.options.tune)?;
        if !report.is_complete() {
            self.core.handler.tune_refused(Some(peer), &report);
        }
        let (id, transport) = self.register(stream)?;
        self.core.insert_accepted(id, transport, Some(peer), now);
        Ok(())
    }

    /// Carries out the next command, or begins a stop that was requested after all commands in the
    /// queue. Returns false if there is neither.
    fn next_command(&mut self, now: Timestamp) -> bool {
        // Read before the queue: the last command was accepted before the flag was set.
        let stop = self.commands.signal.stop_requested();
        if let Some(command) = self.commands.pop() {
            self.carry_out(command, now);
            return true;
        }
        let begins = stop && !self.core.is_stopping();
        if begins {
            self.core.stop();
        }
        begins
    }

    fn carry_out(&mut self, command: Command<H::Command>, now: Timestamp) {
        let Some(command) = self.core.refuse_if_stopping(command) else {
            return;
        };
        match command {
            Command::Connect(outgoing) => {
                if let Err(error) = self.connect(&outgoing) {
                    self.core.handler.connect_failed(outgoing.token, error);
                }
            }
            Command::Accepted(socket, peer) => {
                // The application may pass a blocking socket.
                let stream = socket.set_nonblocking().and_then(|()| N::stream(socket));
                let adopted = stream.and_then(|stream| self.adopt_accepted(stream, peer, now));
                if let Err(e) = adopted {
                    self.core.handler.accept_failed(e);
                }
            }
            Command::Adopt(adopted) => {
                let (parts, token) = *adopted;
                if let Err(e) = self.adopt(parts, token) {
                    self.core.handler.connect_failed(token, e);
                }
            }
            other => self.core.carry_out(other, now),
        }
    }

    /// The time of the next deadline of a connection, or of the end of a listener's pause.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let listeners = self.listeners.iter();
        let pauses = listeners.filter(|l| l.ready).map(|l| l.paused_until);
        self.core.next_timeout().into_iter().chain(pauses).min()
    }

    /// Publishes the number of connections to other threads.
    pub(super) fn publish_connections(&self) {
        self.commands.publish_connections(self.core.connections());
    }

    /// Prepares a wait: from now on, a command or a stop wakes the reactor. Returns true if there was
    /// one, and it was carried out; then do not wait, because there may be work.
    pub(super) fn park(&mut self, now: Timestamp) -> bool {
        self.publish_connections();
        self.commands.signal.park();
        self.next_command(now)
    }

    /// Handles the commands that are left in the queue, and returns the handler.
    pub(super) fn end(mut self) -> H {
        for command in self.commands.close() {
            self.core.carry_out_at_end(command, clock::now());
        }
        self.core.handler
    }
}
