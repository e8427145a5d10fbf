//! Several reactors behind one port.

use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::string::String;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::{Reactor, Seed};
use crate::config::{ConfigError, require, require_beside};
use crate::driver::error::Error;
use crate::driver::handler::Handler;
use crate::driver::options::ReactorOptions;
use crate::driver::remote::{Remote, RemoteError};
use crate::driver::tune::{TuneReport, pin_current_thread};

/// How connections come to the threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Share {
    /// Every thread has a listening socket on the same port, and the kernel picks one for each
    /// connection by a hash: no hand-over, but uneven where connections are few.
    #[default]
    ReusePort,
    /// The first thread accepts, and each connection goes to the thread that has the fewest.
    HandOff,
}

/// Threads of a group: more than one for each core are of no use.
const THREADS_MAX: usize = 1024;

/// Options of [`Reactors`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReactorsOptions {
    /// Threads: 1 to 1,024. [`cores`](crate::net::cores) counts the cores of this machine.
    pub threads: usize,
    /// Pin thread `i` to core `first + i`; `None` leaves that to the operating system.
    pub first_core: Option<usize>,
    /// How connections come to the threads.
    pub share: Share,
    /// Options of each. `core` and `tune.reuse_port` are set from the above.
    pub each: ReactorOptions,
}

setters!(ReactorsOptions {
    threads: usize,
    first_core: Option<usize>,
    share: Share,
    each: ReactorOptions,
});

impl ReactorsOptions {
    /// Checks the values, those of [`each`](Self::each) included.
    ///
    /// # Errors
    /// [`ConfigError`] names the field, its value, and what the value must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        require(
            (1..=THREADS_MAX).contains(&self.threads),
            "ReactorsOptions::threads",
            self.threads,
            "1 to 1,024: set as many as cores shall serve, of which net::cores() has the number",
        )?;
        let first = self.first_core.unwrap_or_default();
        require_beside(
            first.checked_add(self.threads).is_some(),
            "ReactorsOptions::first_core",
            first,
            "the number of a core, with as many after it as threads",
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

/// Reactors on threads of their own, behind one port.
///
/// They serve until [`Self::stop`], also when this is dropped. `C` is the command of their handlers,
/// `T` what [`Self::join`] gives of each: the handler itself, or what [`Self::start_with`] makes of it.
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
/// // Until something calls reactors.stop(), or the hub of each.
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
    /// Starts the threads, and returns when all of them serve. Each makes its own handler with
    /// `handler(index)`; [`Self::join`] gives the handlers back.
    ///
    /// # Errors
    /// [`Error::Config`], an address that cannot be bound, no threads to be had, a core that a thread cannot be
    /// pinned to. Nothing is left running then.
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
    /// As [`Reactors::start`], for handlers that need not be `Send`: when a reactor has ended, its
    /// thread makes of the handler what [`Self::join`] gives, with `end(handler)`.
    ///
    /// # Errors
    /// As there.
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
        let seeds = (0..threads)
            .map(|_| Seed::new())
            .collect::<io::Result<Vec<_>>>()?;
        let remotes: Vec<Remote<C>> = seeds.iter().map(|seed| seed.remote.clone()).collect();
        let (handler, end) = (Arc::new(handler), Arc::new(end));
        let mut group = Self {
            addr,
            report,
            remotes,
            threads: Vec::new(),
        };
        let (tell, told) = channel();
        for (index, (seed, listener)) in seeds.into_iter().zip(listeners).enumerate() {
            let mut each = options.each.clone();
            each.core = None; // it is pinned before its handler is made
            let core = options.first_core.map(|first| first + index);
            let deals = options.share == Share::HandOff && index == 0 && threads > 1;
            let dealt_to = if deals {
                group.remotes.clone()
            } else {
                Vec::new()
            };
            let (handler, end, tell) = (handler.clone(), end.clone(), tell.clone());
            let name: String = std::format!("tickwire-{index}");
            let thread = thread::Builder::new().name(name).spawn(move || {
                let begin = || -> Result<_, Error> {
                    core.map_or(Ok(()), pin_current_thread)?;
                    let mut reactor = Reactor::from_seed(seed, handler(index), each)?;
                    reactor.inner.dealt_to = dealt_to;
                    if let Some(listener) = listener {
                        reactor.listen_on(listener)?;
                    }
                    Ok(reactor)
                };
                let reactor = begin()?;
                let _ = tell.send(()); // somebody waits for it
                drop(tell);
                reactor.run().map(|handler| end(handler))
            });
            match thread {
                Ok(thread) => group.threads.push(thread),
                Err(e) => return Err(group.given_up(Err(e.into()))),
            }
        }
        drop(tell);
        // Ends with the last thread that has begun, or failed to.
        if told.iter().count() < threads {
            return Err(group.given_up(Ok(())));
        }
        Ok(group)
    }

    /// Ends those that run; the error is the first one among them, if there was none before.
    fn given_up(self, error: Result<(), Error>) -> Error {
        let _ = self.stop(); // queues of threads that have just begun have room
        let ended = self.join();
        let nothing = || io::Error::other("the thread of a reactor ended before it served").into();
        error.and(ended.map(drop)).err().unwrap_or_else(nothing)
    }

    /// The address that all of them serve.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What the platform refused of the listener's options.
    pub fn report(&self) -> &TuneReport {
        &self.report
    }

    /// A handle to each.
    #[must_use]
    pub fn remotes(&self) -> &[Remote<C>] {
        &self.remotes
    }

    /// Stops all of them; [`Self::join`] waits.
    ///
    /// # Errors
    /// [`RemoteError::Full`] where one takes no command now; one that has ended is no error.
    pub fn stop(&self) -> Result<(), RemoteError> {
        let full = self
            .remotes
            .iter()
            .filter(|r| r.stop() == Err(RemoteError::Full))
            .count();
        if full > 0 {
            Err(RemoteError::Full)
        } else {
            Ok(())
        }
    }

    /// Waits until all of them have ended, and gives what became of their handlers, in the order of
    /// the threads.
    ///
    /// # Errors
    /// The first failure among them; a handler that panicked counts as one. The handlers of the
    /// others are dropped then.
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

const PANICKED: &str = "a handler panicked on the thread of its reactor: the panic's message is on the standard error of this process";

impl<C, T> std::fmt::Debug for Reactors<C, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactors")
            .field("addr", &self.addr)
            .field("remotes", &self.remotes)
            .finish_non_exhaustive()
    }
}
