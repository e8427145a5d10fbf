//! Opening handshakes on a reactor, both sides.

use std::boxed::Box;
use std::io;

use bytes::Bytes;

use super::super::clock;
use super::super::error::Error;
use super::super::handler::{ConnId, Cx, Ended, Handler, Hub, Opened, Verdict};
use super::link::{Connecting, Link, Phase, Refusing};
use super::turn::read;
use super::wire::Wire;
use super::{Core, READS_PER_TURN_MAX, io_ended};
use crate::error::Deadline;
use crate::handshake::{Refusal, Request};
use crate::role::Role;
use crate::session::{LINGER_BYTES_MAX, Session};
use crate::time::Timestamp;

impl<H: Handler, W: Wire> Core<H, W> {
    /// Moves a connection that is not open yet. `Some` when it is gone.
    pub(super) fn open(&mut self, id: ConnId, link: &mut Link<W>, now: Timestamp) -> Option<Ended> {
        let result = match &link.phase {
            Phase::Accepting(_) => self.accepting(id, link, now),
            Phase::Connecting(_) => self.connecting(id, link, now),
            Phase::Refusing(_) | Phase::Open(_) => Ok(()),
        };
        if let Err(error) = result {
            if let Phase::Connecting(connecting) = &link.phase {
                let error = connecting.failed(error);
                self.handler.connect_failed(link.token, error);
            }
            return Some(Ended::Stopped);
        }
        if matches!(link.phase, Phase::Refusing(_)) {
            return self.refusing(link);
        }
        None
    }

    fn accepting(&mut self, id: ConnId, link: &mut Link<W>, now: Timestamp) -> Result<(), Error> {
        while link.flow.readable {
            let Phase::Accepting(accepting) = &mut link.phase else {
                break;
            };
            let Some(n) = read(&mut link.wire, &mut link.flow, &mut self.scratch)? else {
                break;
            };
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            accepting.received.extend_from_slice(&self.scratch[..n]);
            match accepting.handshake.parse(&accepting.received) {
                Ok(None) => {}
                Ok(Some((request, used))) => {
                    let received = core::mem::take(&mut accepting.received);
                    let glued = received.get(used..).unwrap_or_default();
                    self.judge(id, link, &request, glued, now)?;
                }
                Err(error) => {
                    self.handler.rejected(link.peer, &error);
                    self.refuse(link, error.refusal(), now);
                }
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        id: ConnId,
        link: &mut Link<W>,
        request: &Request,
        glued: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        let settings = self.habits.settings.clone();
        let accept = match self.handler.request(request, link.peer) {
            Verdict::Accept(accept) => accept,
            Verdict::Refuse(refusal) => {
                self.refuse(link, refusal, now);
                return Ok(());
            }
        };
        let answer = match request.accept(&accept) {
            Ok(answer) => answer,
            Err(error) => {
                self.handler.rejected(link.peer, &error);
                self.refuse(link, error.refusal(), now);
                return Ok(());
            }
        };
        let session = Session::new(Role::Server, settings, clock::entropy()?, glued, now)
            .with_unsent(Bytes::from(answer));
        link.phase = Phase::Open(session);
        link.subprotocol = accept.chosen_subprotocol().map(Box::from);
        let opened = Opened {
            role: Role::Server,
            peer: link.peer,
            subprotocol: accept.chosen_subprotocol(),
            token: link.token,
        };
        self.opened(id, link, opened, now);
        Ok(())
    }

    fn connecting(&mut self, id: ConnId, link: &mut Link<W>, now: Timestamp) -> Result<(), Error> {
        let Link {
            wire,
            flow,
            phase: Phase::Connecting(connecting),
            ..
        } = link
        else {
            return Ok(());
        };
        if !connecting.connected {
            connecting.connected = wire.connected()?;
            // What is not connected has nothing to read, and is not asked again before an event.
            flow.readable = connecting.connected;
        }
        if !connecting.connected || flow.blocked {
            return Ok(());
        }
        let request = connecting.handshake.request();
        if !Link::write_head(wire, flow, request, &mut connecting.sent)? {
            return Ok(());
        }
        while flow.readable {
            let Some(n) = read(wire, flow, &mut self.scratch)? else {
                break;
            };
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            connecting.received.extend_from_slice(&self.scratch[..n]);
            let Connecting {
                handshake,
                received,
                limits,
                settings,
                ..
            } = &mut **connecting;
            let Some((response, used)) = handshake.parse(received, limits)? else {
                continue;
            };
            let glued = received.get(used..).unwrap_or_default();
            let entropy = clock::entropy()?;
            let session = Session::new(Role::Client, settings.clone(), entropy, glued, now);
            link.phase = Phase::Open(session);
            link.subprotocol = response.subprotocol().map(Box::from);
            let opened = Opened {
                role: Role::Client,
                peer: link.peer,
                subprotocol: response.subprotocol(),
                token: link.token,
            };
            self.opened(id, link, opened, now);
            break;
        }
        Ok(())
    }

    /// Tells the handler of an open connection, and what came glued to its handshake.
    pub(super) fn opened(
        &mut self,
        id: ConnId,
        link: &mut Link<W>,
        opened: Opened<'_>,
        now: Timestamp,
    ) {
        let Link {
            wire,
            flow,
            phase: Phase::Open(session),
            ..
        } = link
        else {
            return;
        };
        session.attach(&mut self.slab.pool);
        let received = (session.stats(), None);
        let (_, write) = session.halves();
        let hub = Hub {
            links: &mut self.slab,
            now,
            stop: &mut self.stop,
            calls: &mut self.calls,
        };
        let mut cx = Cx {
            id,
            write,
            wire,
            flow,
            received,
            hub,
        };
        let conn = self.handler.open(&mut cx, opened);
        if let Some(slot) = self.conns.get_mut(id.index as usize) {
            *slot = Some(conn);
        }
    }

    /// From here on the connection only says no.
    fn refuse(&mut self, link: &mut Link<W>, refusal: Refusal, now: Timestamp) {
        let (answer, checked) = clock::dated(refusal);
        if let Err(error) = checked {
            self.handler.rejected(link.peer, &error);
        }
        link.phase = Phase::Refusing(Box::new(Refusing {
            answer,
            sent: 0,
            drain_bytes: LINGER_BYTES_MAX as usize,
            deadline: now.after(self.habits.settings.close_timeout),
        }));
    }

    /// Writes the refusal, then waits for the client to go: closing at once could destroy the
    /// answer at the client together with what it is still sending.
    fn refusing(&mut self, link: &mut Link<W>) -> Option<Ended> {
        let Link {
            wire,
            flow,
            phase: Phase::Refusing(refusing),
            half_closed,
            ..
        } = link
        else {
            return None;
        };
        if !flow.blocked {
            match Link::write_head(wire, flow, &refusing.answer, &mut refusing.sent) {
                Ok(false) => {}
                Ok(true) if *half_closed => {}
                Ok(true) => {
                    *half_closed = true;
                    if let Err(error) = wire.shut_down_write() {
                        return Some(io_ended(error));
                    }
                }
                Err(_) => return Some(Ended::Stopped),
            }
        }
        for _ in 0..READS_PER_TURN_MAX {
            match read(wire, flow, &mut self.scratch) {
                Ok(Some(0)) => return Some(Ended::Stopped),
                Ok(Some(n)) => match refusing.drain_bytes.checked_sub(n) {
                    Some(left) => refusing.drain_bytes = left,
                    None => return Some(Ended::Stopped), // it does not listen
                },
                Ok(None) => break,
                Err(error) => return Some(io_ended(error)),
            }
        }
        None
    }

    /// A deadline passed. `Some` when the connection is gone.
    pub(super) fn deadline(&mut self, link: &mut Link<W>, now: Timestamp) -> Option<Ended> {
        // A pause has moved it out.
        if link.deadline().is_none_or(|at| now < at) {
            return None;
        }
        match &mut link.phase {
            Phase::Open(session) => session.handle_timeout(now),
            Phase::Accepting(_) => {
                self.refuse(link, Refusal::request_timeout(), now);
            }
            Phase::Connecting(connecting) => {
                let error = connecting.failed(Error::Timeout(Deadline::Handshake));
                self.handler.connect_failed(link.token, error);
                return Some(Ended::Stopped);
            }
            // It was never open: nobody is told.
            Phase::Refusing(_) => return Some(Ended::Stopped),
        }
        None
    }
}

impl Connecting {
    /// Why the handshake failed: an answer that refuses says more than how its content was cut
    /// short.
    fn failed(&self, error: Error) -> Error {
        match error {
            Error::Io(_) | Error::Timeout(_) => {
                self.handshake.cut_short().map_or(error, Error::Handshake)
            }
            error => error,
        }
    }
}
