//! A turn of an open connection.

use std::io;

use super::super::handler::{Calls, ConnId, Ended, Flow, Handler};
use super::super::line::Line;
use super::super::transport::{Read, Transport};
use super::link::{Link, Phase};
use super::{Core, READS_PER_TURN_MAX};
use crate::error::Failure;
use crate::session::{End, Session, Shutdown, WriteSide};
use crate::time::Timestamp;

impl<H: Handler, T: Transport> Core<H, T> {
    /// Lets the connection do all it can now. `Some` when it is gone.
    pub(super) fn advance(
        &mut self,
        id: ConnId,
        link: &mut Link<T>,
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
                    link.line.error.get_or_insert(error);
                    session.handle_read_error();
                    session.queue_replies(now);
                    ended(session, &mut link.line)
                }
                _ => Ended::Io(error),
            }),
        }
    }

    fn turn(
        &mut self,
        id: ConnId,
        link: &mut Link<T>,
        now: Timestamp,
    ) -> io::Result<Option<Ended>> {
        let Link {
            line,
            flow,
            phase: Phase::Open(session),
            ..
        } = link
        else {
            return Ok(None);
        };
        if let Some(silence) = flow.take_pause(now) {
            session.extend_deadlines(silence);
        }
        if !flow.paused && !session.wants_read() {
            self.deliver(id, session, line, flow, now);
        }
        self.read_on(id, session, line, flow, now)?;
        // A Close may have been queued from elsewhere: its deadline begins.
        session.queue_replies(now);
        write_out(session.halves().1, line, &mut self.common.calls, now);
        if session.halves().1.take_drained() {
            self.call(id, session, line, flow, now, H::drained);
            session.queue_replies(now);
            write_out(session.halves().1, line, &mut self.common.calls, now);
            // Refused again and written at once: the socket has nothing to announce then.
            flow.again = true;
        }
        if !line.readable && !flow.paused {
            session.handle_read_would_block();
        }
        match session.shutdown() {
            Shutdown::None => {}
            Shutdown::Write => line.shut_down_write()?,
            // Dead through a fault of writing alone: the peer's last messages, perhaps its Close,
            // are still to be read, also after a pause.
            Shutdown::Close if session.end().is_none() => session.queue_replies(now),
            Shutdown::Close => return Ok(Some(ended(session, line))),
        }
        if session.has_failed() && !core::mem::replace(&mut flow.close_called, true) {
            // The handler need not wait while the peer is told, and the socket closed.
            self.tell(id, ended(session, line));
        }
        session.detach(&mut self.common.slab.pool);
        Ok(None)
    }

    /// Reads what there is, as much as one turn allows, and hands it over.
    fn read_on(
        &mut self,
        id: ConnId,
        session: &mut Session,
        line: &mut Line<T>,
        flow: &mut Flow,
        now: Timestamp,
    ) -> io::Result<()> {
        let mut reads = 0;
        while line.readable && !flow.paused && reads < READS_PER_TURN_MAX {
            reads += 1;
            session.attach(&mut self.common.slab.pool);
            let space = session.space();
            self.common.calls.reads += 1;
            match line.read(space)? {
                None => break,
                Some(Read { n: 0, .. }) => {
                    // The end of its stream ends the connection: a peer that only sends no more
                    // gets as many answers as the socket takes now, and what is over may break
                    // off inside a frame.
                    let _ = flush(session.halves().1, line, &mut self.common.calls, now);
                    session.handle_eof();
                }
                Some(Read { n, .. }) => {
                    session.handle_read(n, now);
                    self.deliver(id, session, line, flow, now);
                }
            }
            session.queue_replies(now);
        }
        Ok(())
    }

    /// Hands over the messages that were received, and settles. That they cannot be answered
    /// while that goes on is told when all have been handed over.
    fn deliver(
        &mut self,
        id: ConnId,
        session: &mut Session,
        line: &mut Line<T>,
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
        let (read, mut cx) = self.common.cx(id, session, line, flow, now);
        let mut given = false;
        loop {
            if read.look_ahead() {
                // The answers to a Ping or Close are out before it is handed over, and behind
                // what the messages before were answered with.
                if core::mem::take(&mut given) {
                    self.handler.batch_end(conn, &mut cx);
                }
                read.queue_replies(cx.write, now);
                write_out(cx.write, cx.line, cx.hub.calls, now);
            }
            let mut batch = read.batch();
            while !cx.flow.paused
                && let Some(Ok(message)) = batch.next()
            {
                given = true;
                self.handler.message(conn, &mut cx, message);
                if cx.write.outbox().wants_flush() {
                    write_out(cx.write, cx.line, cx.hub.calls, now);
                }
            }
            if cx.flow.paused || read.wants_read() {
                break;
            }
        }
        self.handler.batch_end(conn, &mut cx);
        session.queue_replies(now);
    }
}

/// How a connection ended from which nothing more is expected: as its session says, with what
/// the socket failed with.
fn ended<T>(session: &Session, line: &mut Line<T>) -> Ended {
    match session.end() {
        Some(end) if end != End::Failed(Failure::Io) => Ended::Session(end),
        _ => {
            let unknown = || io::ErrorKind::NotConnected.into();
            Ended::Io(line.error.take().unwrap_or_else(unknown))
        }
    }
}

/// Writes what waits. Where that fails nothing is written any more, and the reads go on until
/// they say so, for no event will.
fn write_out(
    write: &mut WriteSide,
    line: &mut Line<dyn Transport>,
    calls: &mut Calls,
    now: Timestamp,
) {
    if let Err(error) = flush(write, line, calls, now) {
        write.fail(Failure::Io);
        line.fail(error);
    }
}

/// Writes what waits: once, unless it is more slices than one call takes.
fn flush(
    write: &mut WriteSide,
    line: &mut Line<dyn Transport>,
    calls: &mut Calls,
    now: Timestamp,
) -> io::Result<()> {
    while !line.blocked && write.wants_write() {
        calls.writes += 1;
        let n = line.write(&mut write.transmit())?;
        write.handle_written(n, now);
    }
    Ok(())
}
