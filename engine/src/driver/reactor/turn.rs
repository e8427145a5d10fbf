//! One turn of an open connection: read, deliver, write.

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
    /// Does all work of the connection that is possible now. `Some` if the connection has ended.
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
                // The session keeps the first cause: a reset after the closing handshake, or after a
                // failure, changes nothing.
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
        if let Some(pause) = flow.take_pause(now) {
            session.extend_deadlines(pause);
        }
        if !flow.paused && !session.wants_read() {
            self.deliver(id, session, line, flow, now);
        }
        self.read(id, session, line, flow, now)?;
        // Another connection's callback may have queued a Close, whose deadline begins now.
        session.queue_replies(now);
        write_out(session.halves().1, line, &mut self.common.calls, now);
        if session.halves().1.take_drained() {
            self.call(id, session, line, flow, now, H::drained);
            session.queue_replies(now);
            write_out(session.halves().1, line, &mut self.common.calls, now);
            // If the queue was filled and written again, no readiness event follows.
            flow.again = true;
        }
        if !line.readable && !flow.paused {
            session.handle_read_would_block();
        }
        match session.shutdown() {
            Shutdown::None => {}
            Shutdown::Write => line.shut_down_write()?,
            // Only writing has failed: the last messages of the peer, and perhaps its Close, are
            // still read, also after a pause.
            Shutdown::Close if session.end().is_none() => session.queue_replies(now),
            Shutdown::Close => return Ok(Some(ended(session, line))),
        }
        if session.has_failed() && !core::mem::replace(&mut flow.close_called, true) {
            // The handler does not wait for the Close to be written and the socket to be closed.
            self.call_close(id, ended(session, line), session.stats());
        }
        session.detach(&mut self.common.slab.pool);
        Ok(None)
    }

    /// Reads from the socket, up to the limit of one turn, and delivers the messages.
    fn read(
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
                    // The end of the peer's stream ends the connection. A peer that has only shut
                    // down its sending half still gets the output that the socket accepts now,
                    // which may end inside a frame.
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

    /// Delivers the received messages to the handler, and calls `batch_end`.
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
        let mut delivered = false;
        loop {
            if read.look_ahead() {
                // The answer to a Ping or Close is written before that message is delivered, and
                // after the output of the earlier messages.
                if core::mem::take(&mut delivered) {
                    self.handler.batch_end(conn, &mut cx);
                }
                read.queue_replies(cx.write, now);
                write_out(cx.write, cx.line, cx.hub.calls, now);
            }
            let mut batch = read.batch();
            while !cx.flow.paused
                && let Some(Ok(message)) = batch.next()
            {
                delivered = true;
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

/// How a connection ended: the result of its session, or the error of its socket.
fn ended<T>(session: &Session, line: &mut Line<T>) -> Ended {
    match session.end() {
        Some(end) if end != End::Failed(Failure::Io) => Ended::Session(end),
        _ => {
            let unknown = || io::ErrorKind::NotConnected.into();
            Ended::Io(line.error.take().unwrap_or_else(unknown))
        }
    }
}

/// Writes queued output. If a write fails, nothing more is written; reads continue until the end of
/// the input, without further readiness events.
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

/// Writes queued output: one call, or more if there are more slices than one call accepts.
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
