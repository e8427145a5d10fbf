//! Opening handshakes on a reactor, of clients and servers.

use std::boxed::Box;
use std::io;

use bytes::Bytes;

use super::super::clock;
use super::super::error::Error;
use super::super::handler::{ConnId, Ended, Handler, Opened};
use super::super::socket::PeerAddr;
use super::super::transport::{Read, Transport};
use super::super::verdict::Verdict;
use super::link::{Connecting, Link, Phase, Refusing};
use super::{Core, READS_PER_TURN_MAX};
use crate::error::Deadline;
use crate::handshake::{Refusal, Request};
use crate::session::{LINGER_BYTES_MAX, Session};
use crate::time::Timestamp;

impl<H: Handler, T: Transport> Core<H, T> {
    /// Advances a connection that is not open yet. `Some` if the connection has ended.
    pub(super) fn open(&mut self, id: ConnId, link: &mut Link<T>, now: Timestamp) -> Option<Ended> {
        let result = match &link.phase {
            Phase::Accepting(_) => self.accepting(id, link, now),
            Phase::Connecting(_) => self.connecting(id, link, now),
            Phase::Refusing(_) | Phase::Open(_) => Ok(()),
        };
        if let Err(error) = result {
            if let Phase::Connecting(connecting) = &link.phase {
                let error = connecting.failed(error);
                self.handler.connect_failed(connecting.token, error);
            }
            return Some(Ended::Stopped);
        }
        if matches!(link.phase, Phase::Refusing(_)) {
            return self.refusing(link);
        }
        None
    }

    fn accepting(&mut self, id: ConnId, link: &mut Link<T>, now: Timestamp) -> Result<(), Error> {
        while link.line.readable {
            let Phase::Accepting(accepting) = &mut link.phase else {
                break;
            };
            let Some(Read { n, .. }) = link.line.read(&mut self.scratch)? else {
                break;
            };
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let peer = accepting.peer;
            accepting.received.extend_from_slice(&self.scratch[..n]);
            match accepting.handshake.parse(&accepting.received) {
                Ok(None) => {}
                Ok(Some((request, used))) => {
                    let received = core::mem::take(&mut accepting.received);
                    let rest = received.get(used..).unwrap_or_default();
                    self.answer_request(id, link, (&request, peer), rest, now)?;
                }
                Err(error) => {
                    self.handler.rejected(peer, &error);
                    self.refuse(link, error.refusal(), now);
                }
            }
        }
        Ok(())
    }

    /// Asks the handler for a verdict on a request. `rest`: bytes that followed the request.
    fn answer_request(
        &mut self,
        id: ConnId,
        link: &mut Link<T>,
        (request, peer): (&Request, Option<PeerAddr>),
        rest: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        let config = self.options.config.clone();
        let (accept, admitted) = match self.handler.request(request, peer) {
            Verdict::Accept(accept, admitted) => (accept, admitted),
            Verdict::Refuse(refusal) => {
                self.refuse(link, refusal, now);
                return Ok(());
            }
        };
        let (answer, agreed) = match request.accept(&accept) {
            Ok(accepted) => accepted,
            Err(error) => {
                self.handler.rejected(peer, &error);
                self.refuse(link, error.refusal(), now);
                return Ok(());
            }
        };
        let session = Session::new(agreed, config, clock::entropy()?, rest, now)?
            .with_unsent(Bytes::from(answer));
        link.phase = Phase::Open(session);
        self.opened(id, link, (peer, 0, admitted), now);
        Ok(())
    }

    fn connecting(&mut self, id: ConnId, link: &mut Link<T>, now: Timestamp) -> Result<(), Error> {
        let Link {
            line,
            phase: Phase::Connecting(connecting),
            ..
        } = link
        else {
            return Ok(());
        };
        if !connecting.connected {
            let connected = line.connected();
            connecting.connected = connected.map_err(|e| Error::connect(connecting.peer, e))?;
            // Without a connection there is nothing to read: wait for the next event.
            line.readable = connecting.connected;
        }
        if !connecting.connected || line.blocked {
            return Ok(());
        }
        let request = connecting.handshake.request();
        if !line.write_all(request, &mut connecting.sent)? {
            return Ok(());
        }
        while line.readable {
            let Some(Read { n, .. }) = line.read(&mut self.scratch)? else {
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
                config,
                peer,
                token,
                ..
            } = &mut **connecting;
            let (peer, token) = (Some(*peer), *token);
            let Some((response, used)) = handshake.parse(received, limits)? else {
                continue;
            };
            let rest = received.get(used..).unwrap_or_default();
            let entropy = clock::entropy()?;
            let session = Session::new(response.agreed(), config.clone(), entropy, rest, now)?;
            link.phase = Phase::Open(session);
            self.opened(id, link, (peer, token, None), now);
            break;
        }
        Ok(())
    }

    /// Calls [`Handler::open`].
    pub(super) fn opened(
        &mut self,
        id: ConnId,
        link: &mut Link<T>,
        (peer, token, admitted): (Option<PeerAddr>, u64, Option<H::Admitted>),
        now: Timestamp,
    ) {
        let Link {
            line,
            flow,
            phase: Phase::Open(session),
            ..
        } = link
        else {
            return;
        };
        session.attach(&mut self.common.slab.pool);
        let (read, mut cx) = self.common.cx(id, session, line, flow, now);
        let opened = Opened {
            agreed: read.agreed(),
            peer,
            admitted,
            token,
        };
        let conn = self.handler.open(&mut cx, opened);
        if let Some(slot) = self.conns.get_mut(id.index as usize) {
            *slot = Some(conn);
        }
    }

    /// Begins to refuse the connection.
    fn refuse(&mut self, link: &mut Link<T>, refusal: Refusal, now: Timestamp) {
        let (answer, checked) = clock::dated(refusal);
        if let Err(error) = checked {
            let peer = match &link.phase {
                Phase::Accepting(accepting) => accepting.peer,
                _ => None,
            };
            self.handler.rejected(peer, &error);
        }
        link.phase = Phase::Refusing(Box::new(Refusing {
            answer,
            sent: 0,
            drain_bytes: LINGER_BYTES_MAX as usize,
            deadline: now.after(self.options.config.close_timeout),
        }));
    }

    /// Writes the refusal, then reads and discards until the client closes. An immediate close with
    /// unread input would reset the connection, and the client could lose the answer.
    fn refusing(&mut self, link: &mut Link<T>) -> Option<Ended> {
        let Link {
            line,
            phase: Phase::Refusing(refusing),
            ..
        } = link
        else {
            return None;
        };
        match line.write_all(&refusing.answer, &mut refusing.sent) {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = line.shut_down_write() {
                    return Some(Ended::Io(error));
                }
            }
            Err(_) => return Some(Ended::Stopped),
        }
        for _ in 0..READS_PER_TURN_MAX {
            match line.read(&mut self.scratch) {
                Ok(Some(Read { n: 0, .. })) => return Some(Ended::Stopped),
                Ok(Some(Read { n, .. })) => match refusing.drain_bytes.checked_sub(n) {
                    Some(left) => refusing.drain_bytes = left,
                    None => return Some(Ended::Stopped), // the client keeps sending
                },
                Ok(None) => break,
                Err(error) => return Some(Ended::Io(error)),
            }
        }
        None
    }

    /// Handles a deadline that may have passed. `Some` if the connection has ended.
    pub(super) fn deadline(&mut self, link: &mut Link<T>, now: Timestamp) -> Option<Ended> {
        // The deadline has moved to a later time, for example by a pause.
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
                self.handler.connect_failed(connecting.token, error);
                return Some(Ended::Stopped);
            }
            // The connection never opened: there is no callback.
            Phase::Refusing(_) => return Some(Ended::Stopped),
        }
        None
    }
}

impl Connecting {
    /// The cause of a failed handshake. If the head of a refusal was received, the refusal is the
    /// cause, even if its content was cut off.
    fn failed(&self, error: Error) -> Error {
        match error {
            Error::Io(_) | Error::Timeout(_) => self
                .handshake
                .partial_refusal()
                .map_or(error, Error::Handshake),
            error => error,
        }
    }
}
