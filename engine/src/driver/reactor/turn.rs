//! A turn of an open connection.

use std::io;

use super::super::handler::{Calls, ConnId, Cx, Ended, Flow, Handler, Hub};
use super::link::{Link, Phase};
use super::wire::Wire;
use super::{Core, READS_PER_TURN_MAX, io_ended};
use crate::error::Failure;
use crate::session::{End, Session, Shutdown, WriteSide};
use crate::time::Timestamp;

impl<H: Handler, W: Wire> Core<H, W> {
    /// Lets the connection do all it can now. `Some` when it is gone.
    pub(super) fn advance(
        &mut self,
        id: ConnId,
        link: &mut Link<W>,
        now: Timestamp,
    ) -> Option<Ended> {
        if !matches!(link.phase, Phase::Open(_))
            && let Some(ended) = self.open(id, link, now)
        {
            return Some(ended);
        }
        if !matches!(link.phase, Phase::Open(_)) {
            return None;
        }
        match self.turn(id, link, now) {
            Ok(ended) => ended,
            Err(error) => Some(match &mut link.phase {
                // A reset after the closing handshake, or after our own verdict, tells nothing
                // new: the session knows the first cause.
                Phase::Open(session) => {
                    link.flow.error.get_or_insert(error);
                    session.handle_broken();
                    session.settle(now);
                    ended(session, &mut link.flow)
                }
                _ => io_ended(error),
            }),
        }
    }

    fn turn(
        &mut self,
        id: ConnId,
        link: &mut Link<W>,
        now: Timestamp,
    ) -> io::Result<Option<Ended>> {
        let Link {
            wire,
            flow,
            phase: Phase::Open(session),
            half_closed,
            told,
            ..
        } = link
        else {
            return Ok(None);
        };
        if let Some(silence) = flow.take_pause(now) {
            session.pardon(silence);
        }
        if !flow.paused && !session.wants_read() {
            self.deliver(id, session, wire, flow, now);
        }
        self.read_on(id, session, wire, flow, now)?;
        // A Close may have been queued from elsewhere: its deadline begins.
        session.settle(now);
        write_out(session.halves().1, wire, flow, &mut self.calls, now);
        if session.halves().1.take_drained() {
            self.call(id, session, wire, flow, now, H::drained);
            session.settle(now);
            write_out(session.halves().1, wire, flow, &mut self.calls, now);
            // Refused again and written at once: the socket has nothing to announce then.
            flow.again = true;
        }
        if !flow.readable && !flow.paused {
            session.handle_blocked();
        }
        match session.shutdown() {
            Shutdown::Not => {}
            Shutdown::Half => {
                if !core::mem::replace(half_closed, true) {
                    wire.shut_down_write()?;
                }
            }
            // Dead through a fault of writing alone: the peer's last messages, perhaps its Close,
            // are still to be read, also after a pause.
            Shutdown::Full if session.end().is_none() => session.settle(now),
            Shutdown::Full => return Ok(Some(ended(session, flow))),
        }
        if session.has_failed() && !core::mem::replace(told, true) {
            // The handler need not wait while the peer is told, and the socket closed.
            self.tell(id, ended(session, flow));
        }
        session.detach(&mut self.slab.pool);
        Ok(None)
    }

    /// Reads what there is, as much as one turn allows, and hands it over.
    fn read_on(
        &mut self,
        id: ConnId,
        session: &mut Session,
        wire: &mut W,
        flow: &mut Flow,
        now: Timestamp,
    ) -> io::Result<()> {
        let mut reads = 0;
        while flow.readable && !flow.paused && reads < READS_PER_TURN_MAX {
            reads += 1;
            session.attach(&mut self.slab.pool);
            let space = session.space();
            self.calls.reads += 1;
            match read(wire, flow, space)? {
                None => break,
                Some(0) => {
                    // The end of its stream ends the connection: a peer that only sends no more
                    // gets as many answers as the socket takes now, and what is over may break
                    // off inside a frame.
                    let _ = flush(session.halves().1, wire, flow, &mut self.calls, now);
                    session.handle_eof();
                }
                Some(n) => {
                    session.handle_read(n, now);
                    self.deliver(id, session, wire, flow, now);
                }
            }
            session.settle(now);
        }
        Ok(())
    }

    /// The connection has ended: the handler is told, once.
    pub(super) fn tell(&mut self, id: ConnId, ended: Ended) {
        let conn = self.conns.get_mut(id.index as usize).and_then(Option::take);
        if let Some(conn) = conn {
            self.handler.close(conn, id, ended);
        }
    }

    /// Hands over the messages that were received, and settles. That they cannot be answered
    /// while that goes on is told when all have been handed over.
    fn deliver(
        &mut self,
        id: ConnId,
        session: &mut Session,
        wire: &mut W,
        flow: &mut Flow,
        now: Timestamp,
    ) {
        let Some(conn) = self
            .conns
            .get_mut(id.index as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        let received = (session.stats(), session.rtt());
        let (read, write) = session.halves();
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
        let mut given = false;
        loop {
            if read.look_ahead() {
                // The answers to a Ping or Close are out before it is handed over, and behind
                // what the messages before were answered with.
                if core::mem::take(&mut given) {
                    self.handler.batch_end(conn, &mut cx);
                }
                read.settle(cx.write, now);
                write_out(cx.write, cx.wire, cx.flow, cx.hub.calls, now);
            }
            let mut batch = read.batch();
            while !cx.flow.paused
                && let Some(Ok(message)) = batch.next()
            {
                given = true;
                self.handler.message(conn, &mut cx, message);
                if cx.write.outbox().wants_flush() {
                    write_out(cx.write, cx.wire, cx.flow, cx.hub.calls, now);
                }
            }
            if cx.flow.paused || read.wants_read() {
                break;
            }
        }
        self.handler.batch_end(conn, &mut cx);
        session.settle(now);
    }

    /// Calls the handler about an open connection.
    pub(super) fn call(
        &mut self,
        id: ConnId,
        session: &mut Session,
        wire: &mut W,
        flow: &mut Flow,
        now: Timestamp,
        call: impl FnOnce(&mut H, &mut H::Conn, &mut Cx<'_>),
    ) {
        let Some(conn) = self
            .conns
            .get_mut(id.index as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        let received = (session.stats(), session.rtt());
        let (_, write) = session.halves();
        write.attach(&mut self.slab.pool);
        let hub = Hub {
            links: &mut self.slab,
            now,
            stop: &mut self.stop,
            calls: &mut self.calls,
        };
        call(
            &mut self.handler,
            conn,
            &mut Cx {
                id,
                write,
                wire,
                flow,
                received,
                hub,
            },
        );
    }

    pub(super) fn user_timer(
        &mut self,
        id: ConnId,
        link: &mut Link<W>,
        token: u64,
        now: Timestamp,
    ) {
        if let Phase::Open(session) = &mut link.phase {
            let (wire, flow) = (&mut link.wire, &mut link.flow);
            self.call(id, session, wire, flow, now, |h, conn, cx| {
                h.timer(conn, cx, token)
            });
            session.settle(now);
        }
    }
}

/// Reads once; notes what that says about the socket. `None`: nothing there.
pub(super) fn read<W: Wire>(
    wire: &mut W,
    flow: &mut Flow,
    space: &mut [u8],
) -> io::Result<Option<usize>> {
    loop {
        match wire.read(space) {
            Ok(n) => {
                if n == 0 || n < space.len() && wire.short_calls_arm() && !flow.ending {
                    flow.readable = false;
                }
                return Ok(Some(n));
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                flow.readable = false;
                return Ok(None);
            }
            Err(e) => return Err(e),
        }
    }
}

/// How a connection ended from which nothing more is expected: as its session says, with what
/// the socket failed with.
fn ended(session: &Session, flow: &mut Flow) -> Ended {
    match session.end() {
        Some(end) if end != End::Failed(Failure::Io) => Ended::Session(end),
        _ => {
            let unknown = || io::ErrorKind::NotConnected.into();
            io_ended(flow.error.take().unwrap_or_else(unknown))
        }
    }
}

/// Writes what waits. Where that fails nothing is written any more, and the reads go on until
/// they say so, for no event will.
pub(super) fn write_out(
    write: &mut WriteSide,
    wire: &mut dyn Wire,
    flow: &mut Flow,
    calls: &mut Calls,
    now: Timestamp,
) {
    if let Err(error) = flush(write, wire, flow, calls, now) {
        write.fail(Failure::Io);
        flow.error.get_or_insert(error);
        flow.readable = true;
        flow.ending = true;
    }
}

/// Writes what waits: once, unless it is more slices than one call takes.
fn flush(
    write: &mut WriteSide,
    wire: &mut dyn Wire,
    flow: &mut Flow,
    calls: &mut Calls,
    now: Timestamp,
) -> io::Result<()> {
    while !flow.blocked && write.wants_write() {
        calls.writes += 1;
        let mut given = 0;
        let mut slices = write.transmit().inspect(|slice| given += slice.len());
        match wire.write_slices(&mut slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                write.handle_written(n, now);
                // Where a short write does not arm the socket, another one does.
                flow.blocked = n < given && wire.short_calls_arm();
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                write.handle_written(0, now);
                flow.blocked = true;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
