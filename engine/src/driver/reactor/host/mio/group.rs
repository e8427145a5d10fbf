//! Several reactors on one port.

use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::string::String;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::{Prepared, Reactor};
use crate::config::{ConfigError, require, require_beside};
use crate::driver::error::Error;
use crate::driver::handler::Handler;
use crate::driver::options::ReactorOptions;
use crate::driver::remote::Remote;
use crate::driver::tune::{TuneReport, pin_current_thread};

/// How accepted connections are distributed among the threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Share {
    /// Every thread has a listening socket on the same port (`SO_REUSEPORT`), and the kernel
    /// selects one for each connection by a hash. Connections are not passed between threads, but
    /// a small number of connections is distributed unevenly.
    #[default]
    ReusePort,
    /// The first thread accepts, and passes each connection to the thread with the fewest
    /// connections.
    HandOff,
}

/// The maximum number of threads of a group: more than one per core is of no use.
const THREADS_MAX: usize = 1024;

/// Options of [`Reactors`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReactorsOptions {
    /// Number of threads: 1 to 1,024. Default 1. [`cores`](crate::net::cores) returns the number of
    /// cores of this machine.
    pub threads: usize,
    /// Pins thread `i` to core `first_core + i`. Default `None`: threads are not pinned.
    pub first_core: Option<usize>,
    /// How accepted connections are distributed among the threads. Default
    /// [`Share::ReusePort`].
    pub share: Share,
    /// Options of each reactor. `core` and `tune.reuse_port` are overwritten according to the other
    /// fields.
    pub each: ReactorOptions,
}

setters!(ReactorsOptions {
    threads: usize,
    first_core: Option<usize>,
    share: Share,
    each: ReactorOptions,
});

impl ReactorsOptions {
    /// Checks the values, including those of [`each`](Self::each).
    ///
    /// # Errors
    /// [`ConfigError`] names the field, its value, and what the value must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        require(
            (1..=THREADS_MAX).contains(&self.threads),
            "ReactorsOptions::threads",
            self.threads,
            "1 to 1,024: use at most net::cores()",
        )?;
        let first = self.first_core.unwrap_or_default();
        require_beside(
            first.checked_add(self.threads).is_some(),
            "ReactorsOptions::first_core",
            first,
            "the number of a core that is followed by enough cores for all threads",
            self.threads,
        )?;
        self.each.check()
    }
}

impl Default for ReactorsOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            first_core: None,
            share: Share::default(),
            each: ReactorOptions::default(),
        }
    }
}

/// A group of reactors on one port, each on its own thread.
///
/// The reactors serve until [`Self::stop`], even if this value is dropped. `C` is the command type
/// of the handlers. `T` is the result of each thread, which [`Self::join`] returns: the handler, or
/// the value that the `end` function of [`Self::start_with`] makes from it.
///
/// ```no_run
/// # use tickwire::reactor::{Cx, Handler, Opened};
/// # use tickwire::Message;
/// use tickwire::reactor::{Reactors, ReactorsOptions};
///
/// #[derive(Default)]
/// struct Counter {
///     messages: u64,
/// }
///
/// impl Handler for Counter {
///     type Conn = ();
///     type Command = ();
///     type Admitted = ();
///
///     fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}
///
///     fn message(&mut self, _: &mut (), _: &mut Cx<'_>, _: Message<'_>) {
///         self.messages += 1;
///     }
/// }
///
/// let options = ReactorsOptions::default().threads(tickwire::net::cores());
/// let addr = "127.0.0.1:9001".parse().unwrap();
/// let reactors = Reactors::start(addr, &options, |_thread| Counter::default())?;
/// // Waits until Remote::stop or Hub::stop was called for every reactor.
/// let counters = reactors.join()?;
/// println!("{} messages", counters.iter().map(|c| c.messages).sum::<u64>());
/// # Ok::<(), tickwire::Error>(())
/// ```
pub struct Reactors<C, T> {
    addr: SocketAddr,
    report: TuneReport,
    remotes: Vec<Remote<C>>,
    threads: Vec<JoinHandle<Result<T, Error>>>,
}

impl<C: Send + 'static, H: Handler<Command = C> + Send + 'static> Reactors<C, H> {
    /// Starts the threads, and returns when all reactors serve. Each thread makes its own handler
    /// with `handler(index)`. [`Self::join`] returns the handlers.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Io`] if the address cannot be bound, a thread cannot be started,
    /// or a thread cannot be pinned to its core. After an error no thread is running.
    pub fn start<F>(addr: SocketAddr, options: &ReactorsOptions, handler: F) -> Result<Self, Error>
    where
        F: Fn(usize) -> H + Send + Sync + 'static,
    {
        Self::start_with(addr, options, handler, |handler| handler)
    }
}

/// The address, and a listener for each thread that has one: all threads where they share the port
/// by `SO_REUSEPORT`, otherwise the first.
fn listeners(
    addr: SocketAddr,
    options: &ReactorsOptions,
) -> Result<(SocketAddr, TuneReport, Vec<Option<TcpListener>>), Error> {
    let threads = options.threads;
    let reuse = options.share == Share::ReusePort && threads > 1;
    let tune = options.each.tune.clone().reuse_port(reuse);
    let (first, report) = tune.listen(addr)?;
    let addr = first.local_addr()?;
    let another = || reuse.then(|| tune.listen(addr)).transpose();
    let others = (1..threads).map(|_| Ok(another()?.map(|(listener, _)| listener)));
    let listeners = iter::once(Ok(Some(first))).chain(others);
    Ok((addr, report, listeners.collect::<io::Result<_>>()?))
}

impl<C: Send + 'static, T: Send + 'static> Reactors<C, T> {
    /// As [`Reactors::start`], for handlers that are not `Send`. When a reactor has ended, its
    /// thread converts the handler with `end(handler)`. [`Self::join`] returns the results.
    ///
    /// # Errors
    /// As [`Reactors::start`].
    pub fn start_with<H, F, E>(
        addr: SocketAddr,
        options: &ReactorsOptions,
        handler: F,
        end: E,
    ) -> Result<Self, Error>
    where
        H: Handler<Command = C>,
        F: Fn(usize) -> H + Send + Sync + 'static,
        E: Fn(H) -> T + Send + Sync + 'static,
    {
        options.check()?;
        let threads = options.threads;
        let (addr, report, listeners) = listeners(addr, options)?;
        let prepared = (0..threads)
            .map(|_| Prepared::new())
            .collect::<io::Result<Vec<_>>>()?;
        let remotes: Vec<Remote<C>> = prepared.iter().map(|p| p.remote.clone()).collect();
        let (handler, end) = (Arc::new(handler), Arc::new(end));
        let mut group = Self {
            addr,
            report,
            remotes,
            threads: Vec::new(),
        };
        let (started_sender, started) = channel();
        for (index, (prepared, listener)) in prepared.into_iter().zip(listeners).enumerate() {
            let mut each = options.each.clone();
            each.core = None; // the thread is pinned before its handler is made
            let core = options.first_core.map(|first| first + index);
            let distributes = options.share == Share::HandOff && index == 0 && threads > 1;
            let receivers = if distributes {
                group.remotes.clone()
            } else {
                Vec::new()
            };
            let (handler, end) = (handler.clone(), end.clone());
            let started_sender = started_sender.clone();
            let name: String = std::format!("tickwire-{index}");
            let thread = thread::Builder::new().name(name).spawn(move || {
                let begin = || -> Result<_, Error> {
                    core.map_or(Ok(()), pin_current_thread)?;
                    let mut reactor = Reactor::from_prepared(prepared, handler(index), each)?;
                    reactor.inner.group = receivers;
                    if let Some(listener) = listener {
                        reactor.listen_on(listener)?;
                    }
                    Ok(reactor)
                };
                let reactor = begin()?;
                let _ = started_sender.send(()); // `start_with` holds the receiver
                drop(started_sender);
                reactor.run().map(|handler| end(handler))
            });
            match thread {
                Ok(thread) => group.threads.push(thread),
                Err(e) => return Err(group.abort_start(Err(e.into()))),
            }
        }
        drop(started_sender);
        // The iterator ends when every thread has started or failed.
        if started.iter().count() < threads {
            return Err(group.abort_start(Ok(())));
        }
        Ok(group)
    }

    /// Stops the threads that run, and returns `error`, or else the first error of a thread.
    fn abort_start(self, error: Result<(), Error>) -> Error {
        self.stop();
        let ended = self.join();
        let nothing = || io::Error::other("the thread of a reactor ended before it served").into();
        error.and(ended.map(drop)).err().unwrap_or_else(nothing)
    }

    /// The address of all listeners.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The options of the listener that the platform refused.
    pub fn report(&self) -> &TuneReport {
        &self.report
    }

    /// A handle to each reactor, in the order of the threads.
    #[must_use]
    pub fn remotes(&self) -> &[Remote<C>] {
        &self.remotes
    }

    /// Stops all reactors, as [`Remote::stop`], without waiting for their end: see [`Self::join`].
    pub fn stop(&self) {
        for remote in &self.remotes {
            let _ = remote.stop(); // fails only for a reactor that has ended
        }
    }

    /// Waits until all reactors have ended, and returns the result of each, in the order of the
    /// threads.
    ///
    /// # Errors
    /// The first error of a reactor; [`Error::Io`] if a handler has panicked. The results of the
    /// other reactors are dropped.
    pub fn join(self) -> Result<Vec<T>, Error> {
        let threads = self.threads.into_iter();
        let ended: Vec<_> = threads
            .map(|thread| {
                let panicked = |_| Err(io::Error::other(PANICKED).into());
                thread.join().unwrap_or_else(panicked)
            })
            .collect();
        ended.into_iter().collect()
    }
}

const PANICKED: &str = "a handler panicked on the thread of its reactor: see the message of the panic on the standard error output of this process";

impl<C, T> std::fmt::Debug for Reactors<C, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactors")
            .field("addr", &self.addr)
            .field("remotes", &self.remotes)
            .finish_non_exhaustive()
    }
}
