//! The reactor as a task of a tokio runtime: the same handler, other people's event loop.

use std::boxed::Box;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::event_loop::EventLoop;
use super::Host;
use crate::driver::clock;
use crate::driver::error::Error;
use crate::driver::handler::{ConnId, Handler};
use crate::driver::line::Readiness;
use crate::driver::options::ReactorOptions;
use crate::driver::parts::Parts;
use crate::driver::remote::{Outgoing, Remote, channel};
use crate::driver::socket::{ListeningSocket, PeerAddr, Socket};
use crate::driver::transport::{Read, Transport};
use crate::driver::tune::{Tune, TuneReport};
use crate::time::Timestamp;

/// Turns in one poll of the task, after which other tasks of the runtime have theirs.
const TURNS_PER_POLL_MAX: usize = 16;

/// Sockets that are ready, and the task that serves them.
#[derive(Default, Debug)]
struct Ready {
    list: Mutex<Vec<usize>>,
    task: Mutex<Option<Waker>>,
}

impl Ready {
    fn wake(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Notes who is to be woken. Look at the list after this, not before.
    fn register(&self, waker: &Waker) {
        let task = || self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task().as_ref().is_some_and(|task| task.will_wake(waker)) {
            return;
        }
        // Cloned and dropped without the lock: what a waker owns may wake this task.
        let waker = waker.clone();
        let replaced = task().replace(waker);
        drop(replaced);
    }

    fn take(&self, into: &mut Vec<usize>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        into.append(&mut list);
    }
}

/// Puts one socket on the list.
#[derive(Debug)]
struct SocketWaker {
    ready: Arc<Ready>,
    token: usize,
    /// It is on the list.
    listed: AtomicBool,
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            let mut list = self
                .ready
                .list
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            list.push(self.token);
            drop(list);
            self.ready.wake();
        }
    }
}

/// The same call on either kind of socket.
macro_rules! either {
    ($kind:ident, $of:expr, $socket:ident => $call:expr) => {
        match $of {
            $kind::Tcp($socket) => $call,
            #[cfg(unix)]
            $kind::Unix($socket) => $call,
        }
    };
}

/// A connection's socket.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A listening socket.
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, PeerAddr)>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (Stream::Tcp(stream), PeerAddr::Inet(peer))),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), PeerAddr::Unix)),
        }
    }
}

/// A socket that puts itself on the list when it is ready.
#[derive(Debug)]
struct Listed<S> {
    socket: S,
    lister: Arc<SocketWaker>,
    waker: Waker,
}

impl<S> Listed<S> {
    fn new(socket: S, ready: &Arc<Ready>, token: usize) -> Self {
        let lister = Arc::new(SocketWaker {
            ready: Arc::clone(ready),
            token,
            listed: AtomicBool::new(false),
        });
        Self {
            socket,
            waker: Waker::from(Arc::clone(&lister)),
            lister,
        }
    }

    /// Polls the socket once; pending is `WouldBlock`.
    fn poll<T>(
        &mut self,
        call: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        // What wakes from here on is new.
        self.lister.listed.store(false, Ordering::Release);
        match call(&mut self.socket, &mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Transport for Listed<Stream> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read> {
        self.poll(|stream, cx| {
            let mut buf = ReadBuf::new(space);
            either!(Stream, stream, stream => Pin::new(stream).poll_read(cx, &mut buf))
                .map_ok(|()| Read::untimed(buf.filled().len()))
        })
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.poll(|stream, cx| match slices {
            [slice] => either!(Stream, stream, stream => Pin::new(stream).poll_write(cx, slice)),
            slices => {
                either!(Stream, stream, stream => Pin::new(stream).poll_write_vectored(cx, slices))
            }
        })
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        let socket = either!(Stream, &self.socket, stream => SockRef::from(stream));
        match socket.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        let ready =
            self.poll(|stream, cx| either!(Stream, stream, stream => stream.poll_write_ready(cx)));
        match ready {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            result => result?,
        }
        match either!(Stream, &self.socket, stream => stream.take_error())? {
            Some(error) => Err(error),
            None => Ok(either!(Stream, &self.socket, stream => stream.peer_addr().is_ok())),
        }
    }

    fn short_calls_arm(&self) -> bool {
        // tokio notes who to wake only when it says Pending; after a short read it says so
        // without a system call.
        false
    }

    fn into_socket(self) -> io::Result<Socket> {
        TokioHost::into_socket(self.socket)
    }
}

/// The runtime that the task is polled by.
struct TokioHost {
    ready: Arc<Ready>,
}

impl Host for TokioHost {
    type Transport = Listed<Stream>;
    type Stream = Stream;
    type Listener = Listed<Listener>;

    fn stream(socket: Socket) -> io::Result<Stream> {
        match socket {
            Socket::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            #[cfg(unix)]
            Socket::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }

    fn into_socket(stream: Stream) -> io::Result<Socket> {
        either!(Stream, stream, stream => stream.into_std().map(Socket::from))
    }

    fn tune(stream: &Stream, tune: &Tune) -> io::Result<TuneReport> {
        match stream {
            Stream::Tcp(stream) => Ok(tune.apply_or_fail(stream)?),
            #[cfg(unix)]
            Stream::Unix(_) => Ok(TuneReport::default()),
        }
    }

    fn register(&mut self, stream: Stream, token: usize) -> io::Result<Listed<Stream>> {
        Ok(Listed::new(stream, &self.ready, token))
    }

    fn listen(&mut self, listener: ListeningSocket, token: usize) -> io::Result<Listed<Listener>> {
        let listener = match listener {
            ListeningSocket::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            #[cfg(unix)]
            ListeningSocket::Unix(listener) => Listener::Unix(UnixListener::from_std(listener)?),
        };
        Ok(Listed::new(listener, &self.ready, token))
    }

    fn accept(&mut self, listener: &mut Listed<Listener>) -> io::Result<(Stream, PeerAddr)> {
        listener.poll(|listener, cx| listener.poll_accept(cx))
    }
}

/// A [`Handler`]'s connections, served by one task of a tokio runtime.
///
/// Give each core a current-thread runtime with one of these, or spawn one or several on a
/// multi-thread runtime, if the handler is `Send`. Within a task no locks are taken for the
/// connections' sake: they are served one after the other, as on the mio reactor.
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
/// use tickwire::reactor::{ReactorOptions, TokioReactor};
///
/// # async fn serve() -> Result<(), tickwire::Error> {
/// let mut reactor = TokioReactor::new(Echo, ReactorOptions::default())?;
/// let (addr, _report) = reactor.listen("127.0.0.1:9001".parse().unwrap())?;
/// println!("listening on {addr}");
/// reactor.run().await?;
/// # Ok(())
/// # }
/// ```
pub struct TokioReactor<H: Handler> {
    inner: EventLoop<H, TokioHost>,
    /// The list that is being served.
    serving: Vec<usize>,
    timer: Option<Pin<Box<Sleep>>>,
    timer_at: Option<Timestamp>,
    /// A deadline has passed, and the runtime has been asked since to look at the sockets: what
    /// came in time is heard before a connection is judged.
    looked: bool,
}

impl<H: Handler> TokioReactor<H> {
    /// A reactor without connections.
    ///
    /// # Errors
    /// [`Error::Config`], also for options that only a thread of one's own can have: `wait`, `core`.
    pub fn new(handler: H, options: ReactorOptions) -> Result<Self, Error> {
        options.check_for_runtime()?;
        let ready = Arc::new(Ready::default());
        let waker = ready.clone();
        let (remote, commands) = channel(move || waker.wake());
        let host = TokioHost { ready };
        Ok(Self {
            inner: EventLoop::new(handler, host, options, (remote, commands))?,
            serving: Vec::new(),
            timer: None,
            timer_at: None,
            looked: false,
        })
    }

    /// Accepts connections on `addr`; port 0 takes a free one. Gives the address, and what the
    /// platform refused of the [`Tune`]. Must be called in the runtime.
    ///
    /// # Errors
    /// An address that cannot be bound: the text says what to do.
    pub fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        self.inner.listen(addr)
    }

    /// Accepts connections on a listener made elsewhere, which must be non-blocking. Must be
    /// called in the runtime.
    ///
    /// # Errors
    /// Where it cannot be polled.
    pub fn listen_on(&mut self, listener: std::net::TcpListener) -> Result<SocketAddr, Error> {
        self.inner.listen_on(listener)
    }

    /// Accepts connections on a Unix socket at `path`. [`Tune`] does not apply to it. The file
    /// stays when the reactor has ended: remove it before the next one listens. Must be called in
    /// the runtime.
    ///
    /// # Errors
    /// A path that cannot be bound: the text says what to do.
    #[cfg(unix)]
    pub fn listen_unix(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.inner
            .add_listener(ListeningSocket::bind_unix(path.as_ref())?)
    }

    /// Opens a connection. What becomes of it is told to the handler: `open` or
    /// `connect_failed`. Must be called in the runtime.
    ///
    /// # Errors
    /// Where it fails at once.
    pub fn connect(&mut self, outgoing: &Outgoing) -> Result<ConnId, Error> {
        self.inner.connect(outgoing)
    }

    /// Takes over a connection that is open already. Must be called in the runtime.
    ///
    /// # Errors
    /// Where the socket cannot be polled.
    pub fn adopt<S: Into<Socket>>(&mut self, parts: Parts<S>, token: u64) -> Result<ConnId, Error> {
        self.inner.adopt(parts.map_stream(S::into), token)
    }

    /// A handle for other tasks and threads.
    #[must_use]
    pub fn remote(&self) -> Remote<H::Command> {
        self.inner.remote.clone()
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.inner.core.handler
    }

    /// Serves until it is stopped, and gives the handler back. Dropping the future drops all
    /// connections, and the commands that wait.
    ///
    /// # Errors
    /// Reserved: none today.
    pub async fn run(mut self) -> Result<H, Error> {
        // Fairness among connections and towards other tasks is our own affair, by the limits
        // per turn and per poll.
        unconstrained(poll_fn(|cx| self.poll(cx))).await;
        Ok(self.inner.end())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.host.ready.register(cx.waker());
        self.inner.core.count_wait();
        self.inner.commands.signal.unpark();
        for _ in 0..TURNS_PER_POLL_MAX {
            let now = clock::now();
            let busy = self.turn(now);
            if self.inner.core.is_stopped() {
                return Poll::Ready(());
            }
            if self.inner.core.next_timeout().is_some_and(|at| at <= now) {
                self.looked = true;
                // Woken when the runtime has polled its sockets.
                return pin!(yield_now()).poll(cx);
            }
            if busy || self.inner.park(now) {
                continue;
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Handles what is there. Whether there was anything.
    fn turn(&mut self, now: Timestamp) -> bool {
        self.inner.host.ready.take(&mut self.serving);
        let told = !self.serving.is_empty();
        let readiness = Readiness {
            readable: true,
            writable: true,
            ending: false,
        };
        let mut serving = core::mem::take(&mut self.serving);
        for token in serving.drain(..) {
            self.inner.ready(token, readiness, now);
        }
        self.serving = serving;
        let timeouts = core::mem::take(&mut self.looked);
        self.inner.turn(timeouts, now) || told || self.inner.core.has_more()
    }

    /// Waits for the next deadline, if there is one.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.inner.next_timeout() else {
            return Poll::Pending;
        };
        // The runtime counts in milliseconds, and would sleep for one.
        if next <= clock::now() {
            return Poll::Ready(());
        }
        let deadline = Instant::from_std(clock::instant(next));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if self.timer_at.replace(next) != Some(next) {
            timer.as_mut().reset(deadline);
        }
        let due = timer.as_mut().poll(cx);
        if due.is_ready() {
            self.timer_at = None;
        }
        due
    }
}

impl<H: Handler> std::fmt::Debug for TokioReactor<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokioReactor")
            .field("connections", &self.inner.core.connections())
            .field("listeners", &self.inner.listeners())
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
