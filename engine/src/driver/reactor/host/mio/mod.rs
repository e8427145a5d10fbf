//! The mio driver: a reactor that owns a thread.

mod group;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::clock;
use super::error::Error;
use super::handler::{ConnId, Handler, Opened};
use super::options::{ReactorOptions, Wait};
use super::parts::Parts;
use super::pump::{ACCEPT_REST, ACCEPTS_PER_TURN_MAX, COMMANDS_PER_TURN_MAX, Core, Habits};
use super::remote::{Command, Commands, Outgoing, Remote, RemoteError, channel};
use super::trouble::Trouble;
use super::tune::{TuneReport, pin_current_thread};
use crate::buf::BufPool;
use crate::time::Timestamp;

pub use group::{Reactors, ReactorsOptions, Share};
use wire::Socket;

const WAKER: Token = Token(usize::MAX);
/// Listeners have the tokens below this one, downwards; connections count up from zero.
const LISTENERS: usize = usize::MAX - 1;

/// A listening socket of the reactor.
struct Listening {
    socket: TcpListener,
    /// There may be more to accept.
    ready: bool,
    /// No accept before this.
    rests_until: Timestamp,
}

/// A thread's worth of WebSocket connections: listeners, accepted and outgoing connections,
/// timers and commands, all handed to one [`Handler`].
///
/// ```no_run
/// # use tickwire::{Cx, Handler, Message, Opened};
/// # struct Echo;
/// # impl Handler for Echo {
/// #     type Conn = ();
/// #     type Command = ();
/// #     fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}
/// #     fn message(&mut self, _: &mut (), _: &mut Cx<'_>, _: Message<'_>) {}
/// # }
/// use tickwire::{Reactor, ReactorOptions};
///
/// let mut reactor = Reactor::new(Echo, ReactorOptions::default())?;
/// let (addr, _report) = reactor.listen("127.0.0.1:9001".parse().unwrap())?;
/// println!("listening on {addr}");
/// reactor.run()?; // until stopped through reactor.remote() or the handler's hub
/// # Ok::<(), tickwire::Error>(())
/// ```
pub struct Reactor<H: Handler> {
    poll: Poll,
    /// The poll's, for sockets that leave it.
    registry: Rc<Registry>,
    core: Core<H, Socket>,
    listeners: Vec<Listening>,
    commands: Commands<H::Command>,
    remote: Remote<H::Command>,
    options: ReactorOptions,
    /// Reactors that accepted sockets are dealt out to, this one among them.
    dealt_to: Vec<Remote<H::Command>>,
}

/// What of a reactor can be made on another thread.
struct Seed<C> {
    poll: Poll,
    registry: Registry,
    commands: Commands<C>,
    remote: Remote<C>,
}

impl<C> Seed<C> {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        // A waker whose poll is gone has nobody to wake.
        let (remote, commands) = channel(move || drop(waker.wake()));
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            poll,
            registry,
            commands,
            remote,
        })
    }
}

impl<H: Handler> Reactor<H> {
    /// A reactor without connections, to be run on the thread that makes it.
    ///
    /// # Errors
    /// Where the operating system has no poll to give.
    pub fn new(handler: H, options: ReactorOptions) -> Result<Self, Error> {
        Ok(Self::from_seed(Seed::new()?, handler, options))
    }

    fn from_seed(seed: Seed<H::Command>, handler: H, options: ReactorOptions) -> Self {
        let habits = Habits {
            settings: options.settings.clone(),
            limits: options.head_limits,
        };
        let pool = BufPool::new(options.recv_buffer_bytes, BufPool::SEND_BYTES);
        Self {
            poll: seed.poll,
            registry: Rc::new(seed.registry),
            core: Core::new(handler, habits, pool),
            listeners: Vec::new(),
            commands: seed.commands,
            remote: seed.remote,
            options,
            dealt_to: Vec::new(),
        }
    }

    /// Accepts connections on `addr`; port 0 takes a free one. Gives the address, and what the
    /// platform refused of the [`Tune`](crate::Tune).
    ///
    /// # Errors
    /// An address that cannot be bound: the text says what to do.
    pub fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        let (listener, report) = self.options.tune.listen(addr)?;
        Ok((self.listen_on(listener)?, report))
    }

    /// Accepts connections on a listener made elsewhere, which must be non-blocking.
    ///
    /// # Errors
    /// Where it cannot be polled.
    pub fn listen_on(&mut self, listener: std::net::TcpListener) -> Result<SocketAddr, Error> {
        let mut socket = TcpListener::from_std(listener);
        let addr = socket.local_addr()?;
        let token = Token(LISTENERS - self.listeners.len());
        self.poll
            .registry()
            .register(&mut socket, token, Interest::READABLE)?;
        self.listeners.push(Listening {
            socket,
            ready: true,
            rests_until: Timestamp(0),
        });
        Ok(addr)
    }

    /// Opens a connection. What becomes of it is told to the handler: `open` or
    /// `connect_failed`.
    ///
    /// # Errors
    /// Where it fails at once.
    pub fn connect(&mut self, outgoing: Outgoing) -> Result<ConnId, Error> {
        let now = clock::now();
        let opening = self.core.opening(&outgoing)?;
        let stream = self.core.start_connect(&self.options.tune, outgoing.addr)?;
        let stream = mio::net::TcpStream::from_std(stream);
        let (id, wire) = self.register(stream)?;
        self.core
            .insert_connecting(id, wire, outgoing.addr, outgoing.token, opening, now);
        Ok(id)
    }

    /// A handle for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote<H::Command> {
        self.remote.clone()
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.core.handler
    }

    /// Serves until it is stopped, and gives the handler back.
    ///
    /// # Errors
    /// Where the poll itself fails, or the thread cannot be pinned to its core.
    pub fn run(mut self) -> Result<H, Error> {
        if let Some(core) = self.options.core {
            pin_current_thread(core)?;
        }
        let mut events = Events::with_capacity(self.options.events_max.max(1));
        let mut busy_at = clock::now();
        while !self.core.is_stopped() {
            let timeout = self.timeout(busy_at);
            self.wait(&mut events, timeout)?;
            let now = clock::now();
            if self.turn(&events, now) {
                busy_at = now;
            }
        }
        for command in self.commands.close() {
            self.core.answer(command, clock::now());
        }
        Ok(self.core.handler)
    }

    /// How long the next wait may take; `None` for ever.
    fn timeout(&self, busy_at: Timestamp) -> Option<Duration> {
        if self.core.has_more() || self.options.wait == Wait::Spin {
            return Some(Duration::ZERO);
        }
        let now = clock::now();
        if self
            .listeners
            .iter()
            .any(|l| l.ready && l.rests_until <= now)
        {
            return Some(Duration::ZERO);
        }
        if let Wait::SpinThenPark(spin) = self.options.wait
            && now.since(busy_at) < spin
        {
            return Some(Duration::ZERO);
        }
        let rests = self
            .listeners
            .iter()
            .filter(|l| l.ready)
            .map(|l| l.rests_until);
        let next = self.core.next_timeout().into_iter().chain(rests).min();
        next.map(|at| at.since(now))
    }

    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Error> {
        let parks = timeout != Some(Duration::ZERO);
        let mut timeout = timeout;
        self.commands.tell_connections(self.core.connections());
        if parks {
            self.commands.signal.park();
            if let Some(command) = self.commands.pop() {
                self.carry_out(command, clock::now());
                timeout = Some(Duration::ZERO);
            }
        }
        self.core.calls.waits += 1;
        let polled = self.poll.poll(events, timeout);
        if parks {
            self.commands.signal.unpark();
        }
        match polled {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => Ok(result?),
        }
    }

    /// Handles what is there. Whether there was anything.
    fn turn(&mut self, events: &Events, now: Timestamp) -> bool {
        for event in events {
            match event.token() {
                WAKER => {}
                Token(t) if t > LISTENERS - self.listeners.len() => {
                    if let Some(listening) = self.listeners.get_mut(LISTENERS - t) {
                        listening.ready = true;
                    }
                }
                Token(index) => {
                    let ending = event.is_read_closed() || event.is_error();
                    let readable = event.is_readable() || ending;
                    let writable = event.is_writable() || event.is_write_closed();
                    self.core.ready(index, (readable, writable, ending), now);
                }
            }
        }
        let mut busy = !events.is_empty();
        for index in 0..self.listeners.len() {
            busy |= self.accept(index, now);
        }
        for _ in 0..COMMANDS_PER_TURN_MAX {
            let Some(command) = self.commands.pop() else {
                break;
            };
            self.carry_out(command, now);
            busy = true;
        }
        if self.core.has_more() {
            self.core.more(now);
            busy = true;
        }
        self.core.timeouts(now);
        if self.core.is_stopping() {
            self.listeners.clear(); // who comes now is refused by the operating system
        }
        busy
    }

    /// Accepts what waits on a listener.
    fn accept(&mut self, index: usize, now: Timestamp) -> bool {
        let (mut accepted, mut denied) = (0, 0);
        while let Some(listening) = self.listeners.get_mut(index)
            && listening.ready
            && listening.rests_until <= now
            && accepted < ACCEPTS_PER_TURN_MAX
            && !self.core.is_stopping()
        {
            match listening.socket.accept() {
                Ok((stream, peer)) => {
                    accepted += 1;
                    if let Some(stream) = self.deal(stream, peer)
                        && let Err(e) = self.adopt_accepted(stream, peer, now)
                    {
                        self.core.handler.accept_failed(e);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => listening.ready = false,
                // A few are of their connections; of very many the next is like the last.
                Err(e) if Trouble::of(&e) == Trouble::Peer && denied < ACCEPTS_PER_TURN_MAX => {
                    denied += 1;
                }
                Err(e) => {
                    listening.rests_until = now.after(ACCEPT_REST);
                    self.core.handler.accept_failed(e);
                }
            }
        }
        accepted > 0
    }

    /// Gives an accepted socket to the reactor with the fewest connections; `None` if that is
    /// another one.
    fn deal(
        &mut self,
        mut stream: mio::net::TcpStream,
        peer: SocketAddr,
    ) -> Option<mio::net::TcpStream> {
        loop {
            let fewest = self
                .dealt_to
                .iter()
                .enumerate()
                .min_by_key(|(_, remote)| remote.connections());
            match fewest {
                None => return Some(stream),
                Some((0, own)) => {
                    own.count_own();
                    self.commands.know_one_more();
                    return Some(stream);
                }
                Some((index, other)) => match other.accepted(stream.into(), peer) {
                    Ok(()) => return None,
                    Err((e, back)) => {
                        stream = mio::net::TcpStream::from_std(back);
                        // One that has ended gets nothing any more, and one that is behind
                        // nothing for now.
                        match e {
                            RemoteError::Stopped => drop(self.dealt_to.remove(index)),
                            _ => return Some(stream),
                        }
                    }
                },
            }
        }
    }

    fn adopt_accepted(
        &mut self,
        stream: mio::net::TcpStream,
        peer: SocketAddr,
        now: Timestamp,
    ) -> io::Result<()> {
        let report = self.options.tune.apply_or_fail(&stream)?;
        if !report.is_complete() {
            self.core.handler.untuned(Some(peer), &report);
        }
        let (id, wire) = self.register(stream)?;
        self.core.insert_accepted(id, wire, Some(peer), now);
        Ok(())
    }

    fn register(&mut self, mut stream: mio::net::TcpStream) -> io::Result<(ConnId, Socket)> {
        let id = self.core.reserve();
        let token = Token(id.index as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(e) = self.poll.registry().register(&mut stream, token, interest) {
            self.core.abandon(id);
            return Err(e);
        }
        Ok((
            id,
            Socket {
                stream,
                registry: self.registry.clone(),
            },
        ))
    }

    fn carry_out(&mut self, command: Command<H::Command>, now: Timestamp) {
        let Some(command) = self.core.turn_away(command) else {
            return;
        };
        match command {
            Command::Connect(outgoing) => {
                let token = outgoing.token;
                if let Err(error) = self.connect(*outgoing) {
                    self.core.handler.connect_failed(token, error);
                }
            }
            Command::Accepted(stream, peer) => {
                // It may come from anywhere.
                let adopted = stream.set_nonblocking(true).and_then(|()| {
                    let stream = mio::net::TcpStream::from_std(stream);
                    self.adopt_accepted(stream, peer, now)
                });
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

    /// Takes over a connection that is open already.
    ///
    /// # Errors
    /// Where the socket cannot be polled.
    pub fn adopt(
        &mut self,
        parts: Parts<std::net::TcpStream>,
        token: u64,
    ) -> Result<ConnId, Error> {
        let now = clock::now();
        let session = self.core.session_of(&parts, now)?;
        let Parts {
            stream,
            role,
            subprotocol,
            ..
        } = parts;
        stream.set_nonblocking(true)?;
        let peer = stream.peer_addr().ok();
        let (id, wire) = self.register(mio::net::TcpStream::from_std(stream))?;
        let opened = Opened {
            role,
            peer,
            subprotocol: subprotocol.as_deref(),
            token,
        };
        self.core.insert_open(id, wire, session, opened, now);
        Ok(id)
    }
}

impl<H: Handler> std::fmt::Debug for Reactor<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor")
            .field("connections", &self.core.connections())
            .field("listeners", &self.listeners.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
