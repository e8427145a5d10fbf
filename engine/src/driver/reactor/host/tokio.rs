//! The reactor as a task of a tokio runtime: the same handler, other people's event loop.

use std::boxed::Box;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::task::{unconstrained, yield_now};
use ::tokio::time::{Instant, Sleep, sleep_until};

use super::clock;
use super::error::Error;
use super::handler::{ConnId, Handler, Opened};
use super::options::{ReactorOptions, Wait};
use super::parts::Parts;
use super::pump::{ACCEPT_REST, ACCEPTS_PER_TURN_MAX, COMMANDS_PER_TURN_MAX, Core, Habits, Wire};
use super::remote::{Command, Commands, Outgoing, Remote, channel};
use super::trouble::Trouble;
use super::tune::TuneReport;
use crate::buf::BufPool;
use crate::time::Timestamp;

/// Turns in one poll of the task, after which other tasks of the runtime have theirs.
const TURNS_PER_POLL_MAX: usize = 16;

/// Sockets that are ready, and the task that serves them.
#[derive(Default)]
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
struct Bell {
    ready: Arc<Ready>,
    index: usize,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let mut list = self
                .ready
                .list
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            list.push(self.index);
            drop(list);
            self.ready.wake();
        }
    }
}

/// A socket of the runtime that rings its own bell.
struct Socket {
    stream: TcpStream,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Socket {
    fn poll<T>(
        &mut self,
        call: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        // What rings from here on is new.
        self.bell.rung.store(false, Ordering::Release);
        match call(
            Pin::new(&mut self.stream),
            &mut Context::from_waker(&self.waker),
        ) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Wire for Socket {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.poll(|stream, cx| {
            let mut buf = ReadBuf::new(space);
            stream
                .poll_read(cx, &mut buf)
                .map_ok(|()| buf.filled().len())
        })
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.poll(|stream, cx| match slices {
            [slice] => stream.poll_write(cx, slice),
            slices => stream.poll_write_vectored(cx, slices),
        })
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        match socket2::SockRef::from(&self.stream).shutdown(Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        match self.poll(|stream, cx| stream.poll_write_ready(cx)) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            result => result?,
        }
        match self.stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(self.stream.peer_addr().is_ok()),
        }
    }

    fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.stream.into_std()
    }

    fn short_calls_arm(&self) -> bool {
        // tokio notes who to wake only when it says Pending; after a short read it says so
        // without a system call.
        false
    }
}

struct Listening {
    socket: TcpListener,
    rests_until: Timestamp,
}

/// A [`Handler`]'s connections, served by one task of a tokio runtime.
///
/// Give each core a current-thread runtime with one of these, or spawn one or several on a
/// multi-thread runtime, if the handler is `Send`. Within a task no locks are taken for the
/// connections' sake: they are served one after the other, as on the mio reactor.
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
/// use tickwire::{ReactorOptions, TokioReactor};
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
    core: Core<H, Socket>,
    listeners: Vec<Listening>,
    commands: Commands<H::Command>,
    remote: Remote<H::Command>,
    options: ReactorOptions,
    ready: Arc<Ready>,
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
    /// Options that only a thread of one's own can have: `wait`, `core`.
    pub fn new(handler: H, options: ReactorOptions) -> Result<Self, Error> {
        if options.wait != Wait::Park || options.core.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "wait and core are the runtime's affair: leave them, and pin its threads yourself",
            )
            .into());
        }
        let ready = Arc::new(Ready::default());
        let waker = ready.clone();
        let (remote, commands) = channel(move || waker.wake());
        let habits = Habits {
            settings: options.settings.clone(),
            limits: options.head_limits,
        };
        let pool = BufPool::new(options.recv_buffer_bytes, BufPool::SEND_BYTES);
        Ok(Self {
            core: Core::new(handler, habits, pool),
            listeners: Vec::new(),
            commands,
            remote,
            options,
            ready,
            serving: Vec::new(),
            timer: None,
            timer_at: None,
            looked: false,
        })
    }

    /// Accepts connections on `addr`; port 0 takes a free one. Gives the address, and what the
    /// platform refused of the [`Tune`](crate::Tune). Must be called in the runtime.
    ///
    /// # Errors
    /// An address that cannot be bound: the text says what to do.
    pub fn listen(&mut self, addr: SocketAddr) -> Result<(SocketAddr, TuneReport), Error> {
        let (listener, report) = self.options.tune.listen(addr)?;
        let socket = TcpListener::from_std(listener)?;
        let addr = socket.local_addr()?;
        self.listeners.push(Listening {
            socket,
            rests_until: Timestamp(0),
        });
        Ok((addr, report))
    }

    /// Opens a connection. What becomes of it is told to the handler: `open` or
    /// `connect_failed`. Must be called in the runtime.
    ///
    /// # Errors
    /// Where it fails at once.
    pub fn connect(&mut self, outgoing: &Outgoing) -> Result<ConnId, Error> {
        let now = clock::now();
        let opening = self.core.opening(outgoing)?;
        let stream = self.core.start_connect(&self.options.tune, outgoing.addr)?;
        let (id, wire) = self.register(TcpStream::from_std(stream)?);
        self.core
            .insert_connecting(id, wire, outgoing.addr, outgoing.token, opening, now);
        Ok(id)
    }

    /// Takes over a connection that is open already. Must be called in the runtime.
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
        let (id, wire) = self.register(TcpStream::from_std(stream)?);
        let opened = Opened {
            role,
            peer,
            subprotocol: subprotocol.as_deref(),
            token,
        };
        self.core.insert_open(id, wire, session, opened, now);
        Ok(id)
    }

    /// A handle for other tasks and threads.
    #[must_use]
    pub fn remote(&self) -> Remote<H::Command> {
        self.remote.clone()
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.core.handler
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
        for command in self.commands.close() {
            self.core.answer(command, clock::now());
        }
        Ok(self.core.handler)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.register(cx.waker());
        self.core.calls.waits += 1;
        self.commands.signal.unpark();
        for _ in 0..TURNS_PER_POLL_MAX {
            let now = clock::now();
            let busy = self.turn(cx, now);
            if self.core.is_stopped() {
                return Poll::Ready(());
            }
            if self.core.next_timeout().is_some_and(|at| at <= now) {
                self.looked = true;
                // Woken when the runtime has polled its sockets.
                return pin!(yield_now()).poll(cx);
            }
            if busy {
                continue;
            }
            self.commands.tell_connections(self.core.connections());
            self.commands.signal.park();
            if let Some(command) = self.commands.pop() {
                self.carry_out(command, now);
                continue;
            }
            if self.poll_timer(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Handles what is there. Whether there was anything.
    fn turn(&mut self, cx: &mut Context<'_>, now: Timestamp) -> bool {
        self.ready.take(&mut self.serving);
        let mut busy = !self.serving.is_empty();
        let mut serving = core::mem::take(&mut self.serving);
        for index in serving.drain(..) {
            self.core.ready(index, (true, true, false), now);
        }
        self.serving = serving;
        for index in 0..self.listeners.len() {
            busy |= self.accept(index, cx, now);
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
        if core::mem::take(&mut self.looked) {
            self.core.timeouts(now);
        }
        if self.core.is_stopping() {
            self.listeners.clear(); // who comes now is refused by the operating system
        }
        busy || self.core.has_more()
    }

    fn accept(&mut self, index: usize, cx: &mut Context<'_>, now: Timestamp) -> bool {
        let (mut accepted, mut denied) = (0, 0);
        while let Some(listening) = self.listeners.get_mut(index)
            && listening.rests_until <= now
            && accepted < ACCEPTS_PER_TURN_MAX
            && !self.core.is_stopping()
        {
            match listening.socket.poll_accept(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok((stream, peer))) => {
                    accepted += 1;
                    if let Err(e) = self.adopt_accepted(stream, peer, now) {
                        self.core.handler.accept_failed(e);
                    }
                }
                // A few are of their connections; of very many the next is like the last.
                Poll::Ready(Err(e))
                    if Trouble::of(&e) == Trouble::Peer && denied < ACCEPTS_PER_TURN_MAX =>
                {
                    denied += 1;
                }
                Poll::Ready(Err(e)) => {
                    listening.rests_until = now.after(ACCEPT_REST);
                    self.core.handler.accept_failed(e);
                }
            }
        }
        accepted > 0
    }

    fn adopt_accepted(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        now: Timestamp,
    ) -> io::Result<()> {
        let report = self.options.tune.apply_or_fail(&stream)?;
        if !report.is_complete() {
            self.core.handler.untuned(Some(peer), &report);
        }
        let (id, wire) = self.register(stream);
        self.core.insert_accepted(id, wire, Some(peer), now);
        Ok(())
    }

    fn register(&mut self, stream: TcpStream) -> (ConnId, Socket) {
        let id = self.core.reserve();
        let index = id.index as usize;
        let bell = Arc::new(Bell {
            ready: self.ready.clone(),
            index,
            rung: AtomicBool::new(false),
        });
        (
            id,
            Socket {
                stream,
                waker: Waker::from(bell.clone()),
                bell,
            },
        )
    }

    fn carry_out(&mut self, command: Command<H::Command>, now: Timestamp) {
        let Some(command) = self.core.turn_away(command) else {
            return;
        };
        match command {
            Command::Connect(outgoing) => {
                if let Err(error) = self.connect(&outgoing) {
                    self.core.handler.connect_failed(outgoing.token, error);
                }
            }
            Command::Accepted(stream, peer) => {
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| TcpStream::from_std(stream));
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

    /// Waits for the next deadline, if there is one. `now` is the time of the turn: what has
    /// become due since then was not looked at.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<()> {
        let rests = self
            .listeners
            .iter()
            .map(|l| l.rests_until)
            .filter(|at| *at > now);
        let Some(next) = self.core.next_timeout().into_iter().chain(rests).min() else {
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
            .field("connections", &self.core.connections())
            .field("listeners", &self.listeners.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
