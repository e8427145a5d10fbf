//! Several reactors behind one port.

use std::io;
use std::iter;
use std::net::SocketAddr;
use std::string::String;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::{Reactor, Seed};
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

/// Options of [`Reactors`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReactorsOptions {
    /// Threads, at least one.
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
/// They serve until [`Self::stop`], also when this is dropped.
pub struct Reactors<C> {
    addr: SocketAddr,
    report: TuneReport,
    remotes: Vec<Remote<C>>,
    threads: Vec<JoinHandle<Result<(), Error>>>,
}

impl<C: Send + 'static> Reactors<C> {
    /// Starts the threads, and returns when all of them serve. Each makes its own handler with
    /// `handler(index)`, which therefore need not be `Send`.
    ///
    /// # Errors
    /// [`Error::Config`], an address that cannot be bound, no threads to be had, a core that a thread cannot be
    /// pinned to. Nothing is left running then.
    pub fn start<H, F>(
        addr: SocketAddr,
        options: &ReactorsOptions,
        handler: F,
    ) -> Result<Self, Error>
    where
        H: Handler<Command = C>,
        F: Fn(usize) -> H + Send + Sync + 'static,
    {
        options.each.config.check()?;
        let threads = options.threads.max(1);
        let reuse = options.share == Share::ReusePort && threads > 1;
        let tune = options.each.tune.clone().reuse_port(reuse);
        let (first, report) = tune.listen(addr)?;
        let addr = first.local_addr()?;
        let another = || reuse.then(|| tune.listen(addr)).transpose();
        let others = (1..threads).map(|_| Ok(another()?.map(|(listener, _)| listener)));
        let listeners = iter::once(Ok(Some(first))).chain(others);
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let seeds = (0..threads)
            .map(|_| Seed::new())
            .collect::<io::Result<Vec<_>>>()?;
        let remotes: Vec<Remote<C>> = seeds.iter().map(|seed| seed.remote.clone()).collect();
        let handler = Arc::new(handler);
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
            let (handler, tell) = (handler.clone(), tell.clone());
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
                reactor.run().map(drop)
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
        let nothing = || io::Error::other("a thread ended at once").into();
        error.and(ended).err().unwrap_or_else(nothing)
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

    /// Waits until all of them have ended.
    ///
    /// # Errors
    /// The first failure among them; a handler that panicked counts as one.
    pub fn join(self) -> Result<(), Error> {
        let mut result = Ok(());
        for thread in self.threads {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a handler panicked").into()));
            result = result.and(ended);
        }
        result
    }
}

impl<C> std::fmt::Debug for Reactors<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactors")
            .field("addr", &self.addr)
            .field("remotes", &self.remotes)
            .finish_non_exhaustive()
    }
}
