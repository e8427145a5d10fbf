//! Reactors: the connections of one handler, served by one thread or task.
//!
//! - `Core` holds the connections. It does not depend on mio or tokio: sockets are `Transport`s, and
//!   readiness and time are arguments.
//! - `EventLoop` adds the work that both reactors share: listeners, connects, commands.
//! - A `Host` adds the work that differs between mio and tokio: registering sockets, accepting.

mod calls;
mod event_loop;
#[cfg(test)]
pub(crate) mod fake;
mod host;
mod link;
mod opening;
mod slab;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

use std::boxed::Box;
use std::io;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use super::clock;
use super::error::Error;
use super::handler::{ConnId, Ended, Handler, Links as _};
use super::line::Readiness;
use super::options::ReactorOptions;
use super::parts::Parts;
use super::remote::{Command, Outgoing, Payload};
use super::socket::PeerAddr;
use super::transport::Transport;
use crate::buf::BufPool;
use crate::config::Config;
use crate::error::CloseCode;
use crate::handshake::{ClientHandshake, HeadLimits, ServerHandshake};
use crate::session::{Entropy, Session, Stats};
use crate::time::Timestamp;

use calls::Common;
pub use event_loop::ACCEPT_BACKOFF;
#[cfg(feature = "tokio")]
pub use host::TokioReactor;
#[cfg(feature = "mio")]
pub use host::{Reactor, Reactors, ReactorsOptions, Share};
use link::{Accepting, Connecting, Link, NEVER, Phase};
use slab::Slab;
pub(crate) use timers::DEADLINE_AHEAD_MAX;
use timers::TimerKind;

/// Reads of one connection in one turn, so that a busy connection does not delay the others. The
/// rest is read in the next turn, before any wait.
const READS_PER_TURN_MAX: usize = 4;

/// Size of a read during an opening handshake, in bytes.
const HEAD_READ_BYTES: usize = 4096;

/// The options of all connections of a reactor.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionOptions {
    pub(crate) config: Arc<Config>,
    pub(crate) limits: HeadLimits,
}

impl From<&ReactorOptions> for ConnectionOptions {
    fn from(options: &ReactorOptions) -> Self {
        Self {
            config: options.config.clone(),
            limits: options.head_limits,
        }
    }
}

/// The connections of one reactor and their handler.
pub(crate) struct Core<H: Handler, T> {
    pub(crate) handler: H,
    conns: Vec<Option<H::Conn>>,
    common: Common<T>,
    /// The read buffer of all opening handshakes.
    scratch: Box<[u8]>,
    pub(crate) options: ConnectionOptions,
    /// All connections were closed after a stop; the core waits for their end.
    stopping: bool,
    /// The time at which connections that are still closing are dropped.
    stop_at: Timestamp,
}

impl<H: Handler, T: Transport> Core<H, T> {
    pub(crate) fn new(handler: H, options: ConnectionOptions, pool: BufPool) -> Self {
        Self {
            handler,
            conns: Vec::new(),
            common: Common::new(Slab::new(pool)),
            scratch: vec![0; HEAD_READ_BYTES].into_boxed_slice(),
            options,
            stopping: false,
            stop_at: NEVER,
        }
    }

    /// Reserves an id for a connection, so that its socket can be registered before it is inserted.
    pub(crate) fn reserve(&mut self) -> ConnId {
        let id = self.common.slab.reserve();
        let index = id.index as usize;
        if self.conns.len() <= index {
            self.conns.resize_with(index + 1, || None);
        }
        id
    }

    /// Releases a reserved id that was not used.
    pub(crate) fn unreserve(&mut self, id: ConnId) {
        self.common.slab.release(id);
    }

    /// Inserts an accepted socket, before its opening handshake.
    pub(crate) fn insert_accepted(
        &mut self,
        id: ConnId,
        transport: T,
        peer: Option<PeerAddr>,
        now: Timestamp,
    ) {
        let phase = Phase::Accepting(Box::new(Accepting {
            peer,
            handshake: ServerHandshake::new(self.options.limits),
            received: Vec::new(),
            deadline: now.after(self.options.config.handshake_timeout),
        }));
        self.insert(id, Link::new(transport, phase), now);
    }

    /// Inserts a socket whose connect is in progress.
    pub(crate) fn insert_connecting(
        &mut self,
        id: ConnId,
        transport: T,
        peer: PeerAddr,
        token: u64,
        opening: (ClientHandshake, Arc<Config>),
        now: Timestamp,
    ) {
        let (handshake, config) = opening;
        let phase = Phase::Connecting(Box::new(Connecting {
            peer,
            token,
            handshake,
            connected: false,
            sent: 0,
            received: Vec::new(),
            deadline: now.after(config.handshake_timeout),
            limits: self.options.limits,
            config,
        }));
        self.insert(id, Link::new(transport, phase), now);
    }

    /// Inserts a connection whose opening handshake is done.
    pub(crate) fn insert_open(
        &mut self,
        id: ConnId,
        transport: T,
        session: Session,
        (peer, token): (Option<PeerAddr>, u64),
        now: Timestamp,
    ) {
        let link = Link::new(transport, Phase::Open(session));
        let mut link = Box::new(link);
        self.opened(id, &mut link, (peer, token, None), now);
        self.serve(id, link, now);
    }

    /// The opening handshake and the config of an outgoing connection.
    pub(crate) fn opening(
        &self,
        outgoing: &Outgoing,
    ) -> Result<(ClientHandshake, Arc<Config>), Error> {
        let Entropy(random) = clock::entropy()?;
        let nonce = random.first_chunk::<16>().copied().unwrap_or_default();
        let (host, target) = (outgoing.url.authority(), outgoing.url.target());
        let handshake = ClientHandshake::new(host, target, &outgoing.options, nonce)?;
        let config = outgoing
            .config
            .clone()
            .unwrap_or_else(|| self.options.config.clone());
        config.check()?;
        Ok((handshake, config))
    }

    /// A session that continues an adopted connection.
    pub(crate) fn session_of<S>(
        &self,
        parts: Parts<S>,
        now: Timestamp,
    ) -> Result<(S, Session), Error> {
        let config = self.options.config.clone();
        Ok(parts.into_session(config, clock::entropy()?, now)?)
    }

    fn insert(&mut self, id: ConnId, link: Link<T>, now: Timestamp) {
        self.serve(id, Box::new(link), now);
    }

    /// The socket of the connection at `index` is ready. Spurious readiness is harmless.
    pub(crate) fn ready(&mut self, index: usize, readiness: Readiness, now: Timestamp) {
        let Some(id) = self.common.slab.id(index) else {
            return;
        };
        let Some(mut link) = self.common.slab.take(id) else {
            return;
        };
        link.line.note(readiness);
        self.serve(id, link, now);
    }

    /// Serves a connection that was taken out of the slab, then puts it back or ends it.
    fn serve(&mut self, id: ConnId, mut link: Box<Link<T>>, now: Timestamp) {
        link.flow.queued = false;
        match self.advance(id, &mut link, now) {
            Some(ended) => self.remove(id, link, ended),
            None if link.flow.detach && !link.is_closing() => self.detach(id, *link),
            None => {
                if core::mem::take(&mut link.flow.detach) {
                    // A closing connection is not detached: deliver its remaining messages here.
                    link.flow.paused = false;
                    link.flow.again = true;
                }
                if let Some(at) = link.deadline()
                    && at < link.armed
                {
                    let at = at.min(now.after(DEADLINE_AHEAD_MAX));
                    link.armed = at;
                    self.common.slab.timers.deadline(at, id);
                }
                let again = core::mem::take(&mut link.flow.again);
                if (again || link.should_read()) && !link.flow.queued {
                    link.flow.queued = true;
                    self.common.slab.again.push(id);
                }
                self.common.slab.put(id, link);
            }
        }
    }

    /// Ends a connection because the reactor stops.
    fn remove_stopped(&mut self, id: ConnId, link: Box<Link<T>>) {
        if let Phase::Connecting(connecting) = &link.phase {
            self.handler.connect_failed(connecting.token, stopping());
        }
        self.remove(id, link, Ended::Stopped);
    }

    /// Drops an ended connection, and calls the handler.
    fn remove(&mut self, id: ConnId, mut link: Box<Link<T>>, ended: Ended) {
        let mut stats = Stats::default();
        if let Phase::Open(session) = &mut link.phase {
            stats = session.stats();
            session.detach(&mut self.common.slab.pool);
        }
        drop(link);
        self.common.slab.release(id);
        self.call_close(id, ended, stats);
    }

    /// Removes the connection, and passes it to the application.
    fn detach(&mut self, id: ConnId, link: Link<T>) {
        let Link { line, phase, .. } = link;
        let conn = self.conns.get_mut(id.index as usize).and_then(Option::take);
        self.common.slab.release(id);
        let (Some(conn), Phase::Open(session)) = (conn, phase) else {
            return;
        };
        match line.into_socket() {
            Ok(stream) => {
                let parts = Parts::of_session(stream, session);
                self.handler.detached(conn, id, parts);
            }
            Err(error) => {
                let ended = Ended::Io(error);
                self.handler.close(conn, id, ended, session.stats());
            }
        }
    }

    /// Counts a wait of the mio host, or a poll of the tokio host.
    pub(crate) fn count_wait(&mut self) {
        self.common.calls.waits += 1;
    }

    /// Whether [`Self::run_queued`] has work.
    pub(crate) fn has_queued(&self) -> bool {
        !self.common.slab.again.is_empty() || self.common.stop && !self.stopping
    }

    /// Does the work that no readiness event announces: queued output, remaining reads, a stop.
    pub(crate) fn run_queued(&mut self, now: Timestamp) {
        if self.common.stop && !self.stopping {
            self.close_all(now);
        }
        // Two lists alternate: a connection that is queued meanwhile is served by the next call.
        let spare = core::mem::take(&mut self.common.slab.spare);
        let mut again = core::mem::replace(&mut self.common.slab.again, spare);
        for id in again.drain(..) {
            if let Some(link) = self.common.slab.take(id) {
                self.serve(id, link, now);
            }
        }
        self.common.slab.spare = again;
    }

    /// The time at which [`Self::timeouts`] has work.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let stop = (self.stop_at != NEVER).then_some(self.stop_at);
        [self.common.slab.timers.next(), stop]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles the timers and deadlines that are due.
    pub(crate) fn timeouts(&mut self, now: Timestamp) {
        while let Some((at, id, kind)) = self.common.slab.timers.pop_due(now) {
            let Some(mut link) = self.common.slab.take(id) else {
                continue;
            };
            match kind {
                TimerKind::User(token) | TimerKind::Layer(token) => {
                    self.user_timer(id, &mut link, token, now);
                }
                // An outdated entry: the connection has a newer entry.
                TimerKind::Deadline if link.armed != at => {
                    self.common.slab.put(id, link);
                    continue;
                }
                TimerKind::Deadline => {
                    link.armed = NEVER;
                    // Read and write before the deadline is checked: under load, the readiness
                    // events of this socket can be behind many others.
                    link.line.note(Readiness {
                        readable: true,
                        writable: true,
                        ending: false,
                    });
                    let ended = self.advance(id, &mut link, now);
                    if let Some(ended) = ended.or_else(|| self.deadline(&mut link, now)) {
                        self.remove(id, link, ended);
                        continue;
                    }
                }
            }
            self.serve(id, link, now);
        }
        if now >= self.stop_at {
            let ids: Vec<_> = self.common.slab.ids().collect();
            for id in ids {
                if let Some(link) = self.common.slab.take(id) {
                    self.remove_stopped(id, link);
                }
            }
        }
    }

    /// Carries out a command that needs no new socket.
    pub(crate) fn carry_out(&mut self, command: Command<H::Command>, now: Timestamp) {
        match command {
            Command::User(command) => {
                let mut hub = self.common.hub(now);
                self.handler.command(&mut hub, command);
            }
            Command::Send(id, payload) => self.send(id, payload),
            Command::Close(id, code, reason) => {
                if let Some(outbox) = self.common.slab.outbox(id) {
                    let closed = outbox.close(code, &reason);
                    debug_assert!(closed.is_ok(), "checked on the caller's thread");
                }
            }
            Command::Connect(_) | Command::Adopt(_) | Command::Accepted(..) => {
                debug_assert!(false, "carried out by the event loop");
            }
        }
    }

    /// Begins the stop of the reactor: the next [`Self::run_queued`] closes the connections.
    pub(crate) fn stop(&mut self) {
        self.common.stop = true;
    }

    /// Fails a command that opens a connection, if the reactor is stopping. Returns other commands.
    pub(crate) fn refuse_if_stopping(
        &mut self,
        command: Command<H::Command>,
    ) -> Option<Command<H::Command>> {
        match command {
            command if !self.common.stop => return Some(command),
            Command::Connect(outgoing) => {
                self.handler.connect_failed(outgoing.token, stopping());
            }
            Command::Adopt(adopted) => self.handler.connect_failed(adopted.1, stopping()),
            // The drop closes the socket, as the end of the listener closes those in its backlog.
            Command::Accepted(..) => {}
            command => return Some(command),
        }
        None
    }

    /// Handles a command that was left in the queue when the reactor ended.
    pub(crate) fn carry_out_at_end(&mut self, command: Command<H::Command>, now: Timestamp) {
        if let Some(command) = self.refuse_if_stopping(command) {
            self.carry_out(command, now);
        }
    }

    fn send(&mut self, id: ConnId, payload: Payload) {
        let (bytes, refused) = match (self.common.slab.outbox(id), payload) {
            (None, Payload::Binary(bytes)) => (bytes, None),
            (None, Payload::Text(text)) => (text.into_bytes(), None),
            (None, Payload::Prepared(message)) => (message.to_bytes(), None),
            (Some(outbox), Payload::Binary(bytes)) => match outbox.send_bytes(bytes) {
                Ok(()) => return,
                Err((e, bytes)) => (bytes, Some(e)),
            },
            (Some(outbox), Payload::Text(text)) => match outbox.send_text_bytes(text) {
                Ok(()) => return,
                Err((e, text)) => (text.into_bytes(), Some(e)),
            },
            (Some(outbox), Payload::Prepared(message)) => match outbox.send_prepared(&message) {
                Ok(()) => return,
                Err(e) => (message.to_bytes(), Some(e)),
            },
        };
        self.handler.undelivered(id, bytes, refused);
    }

    /// A stop was requested: the reactor accepts and opens no more connections.
    pub(crate) fn is_stopping(&self) -> bool {
        self.common.stop
    }

    /// The stop is complete: all connections have ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping && self.common.slab.open() == 0
    }

    pub(crate) fn connections(&self) -> usize {
        self.common.slab.open()
    }

    /// Closes every open connection with 1001, and drops connections that are not open yet.
    fn close_all(&mut self, now: Timestamp) {
        self.stopping = true;
        self.stop_at = now.after(self.options.config.close_timeout);
        let ids: Vec<_> = self.common.slab.ids().collect();
        for id in ids {
            let Some(mut link) = self.common.slab.take(id) else {
                continue;
            };
            let Link {
                line, flow, phase, ..
            } = &mut *link;
            let Phase::Open(session) = phase else {
                self.remove_stopped(id, link);
                continue;
            };
            if !session.outbox().is_closing() {
                self.call(id, session, line, flow, now, H::stopping);
            }
            let closed = session.outbox().close(CloseCode::GOING_AWAY, "");
            debug_assert!(closed.is_ok(), "1001 without a reason can be sent");
            session.queue_replies(now);
            link.flow.paused = false;
            self.serve(id, link, now);
        }
    }
}

/// The error of connections that a stopping reactor does not open. Not
/// [transient](Error::is_transient): this reactor will not open a connection later.
pub(crate) fn stopping() -> Error {
    io::Error::other("the reactor is stopping: connect on another one").into()
}
