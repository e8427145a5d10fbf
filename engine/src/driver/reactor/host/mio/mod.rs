//! The reactor on mio, which runs on its own thread.

mod group;
mod transport;

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::super::event_loop::EventLoop;
use super::Host;
use crate::driver::clock;
use crate::driver::error::Error;
use crate::driver::handler::{ConnId, Handler};
use crate::driver::line::Readiness;
use crate::driver::options::{ReactorOptions, Wait};
use crate::driver::parts::Parts;
use crate::driver::remote::{Commands, Outgoing, Remote, channel};
use crate::driver::socket::{ListeningSocket, PeerAddr, Socket};
use crate::driver::tune::{Tune, TuneReport, pin_current_thread};
use crate::time::Timestamp;

pub use group::{Reactors, ReactorsOptions, Share};
use transport::{Listener, Registered, Stream};

/// The token of the waker, which no connection or listener has.
const WAKER: Token = Token(usize::MAX);

/// A mio poll.
struct MioHost {
    poll: Poll,
    /// The registry of `poll`, shared with the sockets, which deregister themselves.
    registry: Rc<Registry>,
}

impl Host for MioHost {
    type Transport = Registered;
    type Stream = Stream;
    type Listener = Listener;

    fn stream(socket: Socket) -> io::Result<Stream> {
        Ok(socket.into())
    }

    fn into_socket(stream: Stream) -> io::Result<Socket> {
        Ok(stream.into())
    }

    fn tune(stream: &Stream, tune: &Tune) -> io::Result<TuneReport> {
        stream.tune(tune)
    }

    fn register(&mut self, mut stream: Stream, token: usize) -> io::Result<Registered> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry
            .register(stream.source(), Token(token), interest)?;
        Ok(Registered {
            stream,
            registry: self.registry.clone(),
        })
    }

    fn listen(&mut self, listener: ListeningSocket, token: usize) -> io::Result<Listener> {
        let mut listener = Listener::from(listener);
        self.registry
            .register(listener.source(), Token(token), Interest::READABLE)?;
        Ok(listener)
    }

    fn accept(&mut self, listener: &mut Listener) -> io::Result<(Stream, PeerAddr)> {
        listener.accept()
    }
}

/// A reactor on its own thread, on mio: listeners, accepted and outgoing connections, timers and
/// commands of one [`Handler`].
///
/// ```no_run
/// # use tickwire::reactor::{Cx, Handler, Opened};
/// # use tickwire::Message;
/// # struct Echo;
/// # impl Handler for Echo {
/// #     type Conn = ();
/// #     type Command = ();
/// #     type Admitted = ();
/// #     fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}
/// #     fn message(&mut self, _: &mut (), _: &mut Cx<'_>, _: Message<'_>) {}
/// # }
/// use tickwire::reactor::{Reactor, ReactorOptions};
///
/// let mut reactor = Reactor::new(Echo, ReactorOptions::default())?;
/// let (addr, _report) = reactor.listen("127.0.0.1:9001".parse().unwrap())?;
/// println!("listening on {addr}");
/// reactor.run()?; // until Remote::stop or Hub::stop
/// # Ok::<(), tickwire::Error>(())
/// ```
pub struct Reactor<H: Handler> {
    inner: EventLoop<H, MioHost>,
}

/// The parts of a reactor that are made before its thread starts.
struct Prepared<C> {
    poll: Poll,
    registry: Registry,
    commands: Commands<C>,
    remote: Remote<C>,
}

impl<C> Prepared<C> {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        // An error means that the poll is closed: there is nothing to wake.
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
    /// Makes a reactor without connections. It runs on the thread that makes it.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the operating system cannot create a poll.
    pub fn new(handler: H, options: ReactorOptions) -> Result<Self, Error> {
        Self::from_prepared(Prepared::new()?, handler, options)
    }

    fn from_prepared(
        prepared: Prepared<H::Command>,
        handler: H,
        options: ReactorOptions,
    ) -> Result<Self, Error> {
        let host = MioHost {
            poll: prepared.poll,
            registry: Rc::new(prepared.registry),
        };
        Ok(Self {
            inner: EventLoop::new(handler, host, options, (prepared.remote, prepared.commands))?,
        })
    }

    /// Accepts connections on `addr`; port 0 selects a free port. Returns the bound address, and a
    /// report of the options of the [`Tune`] that the platform refused.
    ///
    /// # Errors
    /// [`Error::Io`] if the address cannot be bound.
    pub fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        self.inner.listen(addr)
    }

    /// Accepts connections on an existing listener, which must be non-blocking.
    ///
    /// # Errors
    /// [`Error::Io`] if the listener cannot be registered.
    pub fn listen_on(&mut self, listener: std::net::TcpListener) -> Result<SocketAddr, Error> {
        self.inner.listen_on(listener)
    }

    /// Accepts connections on a Unix socket at `path`. [`Tune`] does not apply to Unix sockets. The
    /// file remains when the reactor has ended: remove it before the next `listen_unix`.
    ///
    /// # Errors
    /// [`Error::Io`] if the path cannot be bound.
    #[cfg(unix)]
    pub fn listen_unix(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.inner
            .add_listener(ListeningSocket::bind_unix(path.as_ref())?)
    }

    /// Opens an outgoing connection. The reactor calls `open` or `connect_failed` of the handler
    /// with the result.
    ///
    /// # Errors
    /// The connect fails at once; the handler is not called.
    pub fn connect(&mut self, outgoing: &Outgoing) -> Result<ConnId, Error> {
        self.inner.connect(outgoing)
    }

    /// Adopts an open connection.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket cannot be registered; [`Error::Config`] if the session cannot be
    /// made.
    pub fn adopt<S: Into<Socket>>(&mut self, parts: Parts<S>, token: u64) -> Result<ConnId, Error> {
        self.inner.adopt(parts.map_stream(S::into), token)
    }

    /// A handle to this reactor for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote<H::Command> {
        self.inner.remote.clone()
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.inner.core.handler
    }

    /// Serves the connections until the reactor is stopped, and returns the handler.
    ///
    /// # Errors
    /// [`Error::Io`] if the poll fails, or if the thread cannot be pinned to its core.
    pub fn run(mut self) -> Result<H, Error> {
        let options = &self.inner.options;
        if let Some(core) = options.core {
            pin_current_thread(core)?;
        }
        let mut events = Events::with_capacity(options.events_max);
        let mut busy_at = clock::now();
        while !self.inner.core.is_stopped() {
            let timeout = self.timeout(busy_at);
            self.wait(&mut events, timeout)?;
            let now = clock::now();
            if self.turn(&events, now) {
                busy_at = now;
            }
        }
        Ok(self.inner.end())
    }

    /// The timeout of the next wait; `None` for no limit.
    fn timeout(&self, busy_at: Timestamp) -> Option<Duration> {
        let wait = self.inner.options.wait;
        if self.inner.core.has_queued() || wait == Wait::Spin {
            return Some(Duration::ZERO);
        }
        let now = clock::now();
        if let Wait::SpinThenPark(spin) = wait
            && now.since(busy_at) < spin
        {
            return Some(Duration::ZERO);
        }
        self.inner.next_timeout().map(|at| at.since(now))
    }

    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Error> {
        let parks = timeout != Some(Duration::ZERO);
        let mut timeout = timeout;
        if !parks {
            self.inner.publish_connections();
        } else if self.inner.park(clock::now()) {
            timeout = Some(Duration::ZERO);
        }
        self.inner.core.count_wait();
        let polled = self.inner.host.poll.poll(events, timeout);
        if parks {
            self.inner.commands.signal.unpark();
        }
        match polled {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => Ok(result?),
        }
    }

    /// Serves the ready sockets. Returns whether there was work.
    fn turn(&mut self, events: &Events, now: Timestamp) -> bool {
        for event in events {
            if event.token() == WAKER {
                continue;
            }
            let ending = event.is_read_closed() || event.is_error();
            let readiness = Readiness {
                readable: event.is_readable() || ending,
                writable: event.is_writable() || event.is_write_closed(),
                ending,
            };
            self.inner.ready(event.token().0, readiness, now);
        }
        self.inner.turn(true, now) || !events.is_empty()
    }
}

impl<H: Handler> std::fmt::Debug for Reactor<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor")
            .field("connections", &self.inner.core.connections())
            .field("listeners", &self.inner.listeners())
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
