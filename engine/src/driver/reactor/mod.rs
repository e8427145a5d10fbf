//! Reactors: a handler's connections, served by one thread or task.
//!
//! `Core` is the connections; it knows neither epoll nor tokio: sockets are `Transport`s, readiness
//! and time are told. `EventLoop` adds what every reactor does around it: listeners, connects,
//! commands. A `Host` adds what mio and tokio do each in their own way: registering sockets,
//! accepting, waiting.

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
use crate::session::{Entropy, Session};
use crate::time::Timestamp;

use calls::Common;
pub use event_loop::ACCEPT_REST;
#[cfg(feature = "tokio")]
pub use host::TokioReactor;
#[cfg(feature = "mio")]
pub use host::{Reactor, Reactors, ReactorsOptions, Share};
use link::{Accepting, Connecting, Link, NEVER, Phase};
use slab::Slab;
use timers::Alarm;
pub(crate) use timers::DEADLINE_AHEAD_MAX;

/// Reads of one connection in one turn, so that a flood on one does not keep the others
/// waiting. What is left is read in the next turn, before any wait.
const READS_PER_TURN_MAX: usize = 4;

/// Bytes read at once of an opening handshake.
const HEAD_READ_BYTES: usize = 4096;

/// What the connections of a reactor have in common.
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
    scratch: Box<[u8]>,
    pub(crate) options: ConnectionOptions,
    /// The stop has been carried out: connections are being closed.
    stopping: bool,
    /// When the connections that are still closing are dropped.
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

    /// An id for a connection that is inserted next, so that its socket can be registered.
    pub(crate) fn reserve(&mut self) -> ConnId {
        let id = self.common.slab.reserve();
        let index = id.index as usize;
        if self.conns.len() <= index {
            self.conns.resize_with(index + 1, || None);
        }
        id
    }

    /// The id was not used after all.
    pub(crate) fn abandon(&mut self, id: ConnId) {
        self.common.slab.release(id);
    }

    /// An accepted socket, before its opening handshake.
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

    /// A socket on its way to be connected.
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

    /// A stream whose opening handshake is done already.
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

    /// The opening handshake of a connection of our own, and the config it will have.
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

    /// A session that goes on where another owner of the stream stopped.
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

    /// The socket at `index` is ready. Spurious readiness is harmless.
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

    /// Serves a connection that was taken out, then puts it back or ends it.
    fn serve(&mut self, id: ConnId, mut link: Box<Link<T>>, now: Timestamp) {
        link.flow.queued = false;
        match self.advance(id, &mut link, now) {
            Some(ended) => self.gone(id, link, ended),
            None if link.flow.detach && !link.is_closing() => self.detach(id, *link),
            None => {
                if core::mem::take(&mut link.flow.detach) {
                    // It stays, and what was left for the next owner is delivered here.
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
                if (again || link.is_read()) && !link.flow.queued {
                    link.flow.queued = true;
                    self.common.slab.again.push(id);
                }
                self.common.slab.put(id, link);
            }
        }
    }

    /// The reactor stops before the connection has ended.
    fn stopped(&mut self, id: ConnId, link: Box<Link<T>>) {
        if let Phase::Connecting(connecting) = &link.phase {
            self.handler.connect_failed(connecting.token, stopping());
        }
        self.gone(id, link, Ended::Stopped);
    }

    fn gone(&mut self, id: ConnId, mut link: Box<Link<T>>, ended: Ended) {
        if let Phase::Open(session) = &mut link.phase {
            session.detach(&mut self.common.slab.pool);
        }
        drop(link);
        self.common.slab.release(id);
        self.tell(id, ended);
    }

    /// Gives the connection to the application.
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
            Err(error) => self.handler.close(conn, id, Ended::Io(error)),
        }
    }

    /// The host is about to wait, or was polled.
    pub(crate) fn count_wait(&mut self) {
        self.common.calls.waits += 1;
    }

    /// Whether there is work that no event will announce.
    pub(crate) fn has_more(&self) -> bool {
        !self.common.slab.again.is_empty() || self.common.stop && !self.stopping
    }

    /// Does what no event announces: queued output, reads left over, the stop.
    pub(crate) fn more(&mut self, now: Timestamp) {
        if self.common.stop && !self.stopping {
            self.close_all(now);
        }
        // Two lists take turns: what is queued meanwhile is for the next call.
        let spare = core::mem::take(&mut self.common.slab.spare);
        let mut again = core::mem::replace(&mut self.common.slab.again, spare);
        for id in again.drain(..) {
            if let Some(link) = self.common.slab.take(id) {
                self.serve(id, link, now);
            }
        }
        self.common.slab.spare = again;
    }

    /// When [`Self::timeouts`] is due.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let stop = (self.stop_at != NEVER).then_some(self.stop_at);
        [self.common.slab.timers.next(), stop]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles what is due.
    pub(crate) fn timeouts(&mut self, now: Timestamp) {
        while let Some((at, id, alarm)) = self.common.slab.timers.pop_due(now) {
            let Some(mut link) = self.common.slab.take(id) else {
                continue;
            };
            match alarm {
                Alarm::User(token) | Alarm::Layer(token) => {
                    self.user_timer(id, &mut link, token, now);
                }
                // An older entry: the one in force comes later.
                Alarm::Deadline if link.armed != at => {
                    self.common.slab.put(id, link);
                    continue;
                }
                Alarm::Deadline => {
                    link.armed = NEVER;
                    // What has come by now counts, and what the socket takes: under load, the
                    // events that say so may be behind many others.
                    link.line.note(Readiness {
                        readable: true,
                        writable: true,
                        ending: false,
                    });
                    let ended = self.advance(id, &mut link, now);
                    if let Some(ended) = ended.or_else(|| self.deadline(&mut link, now)) {
                        self.gone(id, link, ended);
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
                    self.stopped(id, link);
                }
            }
        }
    }

    /// Does what another thread asked for, if that needs no new socket.
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
            Command::Stop => self.common.stop = true,
            Command::Connect(_) | Command::Adopt(_) | Command::Accepted(..) => {
                debug_assert!(false, "the event loop's own");
            }
        }
    }

    /// A reactor that stops opens nothing any more: such commands are answered here.
    pub(crate) fn turn_away(
        &mut self,
        command: Command<H::Command>,
    ) -> Option<Command<H::Command>> {
        match command {
            command if !self.common.stop => return Some(command),
            Command::Connect(outgoing) => {
                self.handler.connect_failed(outgoing.token, stopping());
            }
            Command::Adopt(adopted) => self.handler.connect_failed(adopted.1, stopping()),
            // Closed by being dropped, as it would have been in the listener's queue.
            Command::Accepted(..) => {}
            command => return Some(command),
        }
        None
    }

    /// Answers a command that came when the reactor had ended.
    pub(crate) fn answer(&mut self, command: Command<H::Command>, now: Timestamp) {
        if let Some(command) = self.turn_away(command) {
            self.carry_out(command, now);
        }
    }

    fn send(&mut self, id: ConnId, payload: Payload) {
        let (bytes, refused) = match (self.common.slab.outbox(id), payload) {
            (None, Payload::Binary(bytes)) => (bytes, None),
            (None, Payload::Prepared(message)) => (message.to_bytes(), None),
            (Some(outbox), Payload::Binary(bytes)) => match outbox.send_bytes(bytes) {
                Ok(()) => return,
                Err((e, bytes)) => (bytes, Some(e)),
            },
            (Some(outbox), Payload::Prepared(message)) => match outbox.send_prepared(&message) {
                Ok(()) => return,
                Err(e) => (message.to_bytes(), Some(e)),
            },
        };
        self.handler.undelivered(id, bytes, refused);
    }

    /// No more connections are taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.common.stop
    }

    /// The stop is over: every connection is gone.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping && self.common.slab.open() == 0
    }

    pub(crate) fn connections(&self) -> usize {
        self.common.slab.open()
    }

    /// Closes every connection with 1001, and drops those that are not open yet.
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
                self.stopped(id, link);
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

/// Why a reactor opens nothing any more. Not [transient](Error::is_transient): this reactor will not
/// open a connection later.
pub(crate) fn stopping() -> Error {
    io::Error::other("the reactor is stopping: connect on another one").into()
}
