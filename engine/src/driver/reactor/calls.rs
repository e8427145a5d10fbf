//! Calls of the handler for a connection.

use super::super::handler::{Calls, ConnId, Cx, Ended, Flow, Handler, Hub};
use super::super::line::Line;
use super::super::transport::Transport;
use super::Core;
use super::link::{Link, Phase};
use super::slab::Slab;
use crate::session::{ReadSide, Session, Stats};
use crate::time::Timestamp;

/// The state of a reactor that every callback can use, beside its own connection.
pub(super) struct Common<T> {
    pub(super) slab: Slab<T>,
    /// A stop was requested.
    pub(super) stop: bool,
    pub(super) calls: Calls,
}

impl<T: Transport> Common<T> {
    pub(super) fn new(slab: Slab<T>) -> Self {
        Self {
            slab,
            stop: false,
            calls: Calls::default(),
        }
    }

    pub(super) fn hub(&mut self, now: Timestamp) -> Hub<'_> {
        Hub {
            links: &mut self.slab,
            now,
            stop: &mut self.stop,
            calls: &mut self.calls,
            current: None,
        }
    }

    /// The context of a callback for an open connection, and the receiving half of the connection.
    #[inline]
    pub(super) fn cx<'a>(
        &'a mut self,
        id: ConnId,
        session: &'a mut Session,
        line: &'a mut Line<T>,
        flow: &'a mut Flow,
        now: Timestamp,
    ) -> (&'a mut ReadSide, Cx<'a>) {
        let received = (session.stats(), session.rtt());
        let (read, write) = session.halves();
        let mut hub = self.hub(now);
        hub.current = Some((id, received.0));
        let cx = Cx {
            id,
            write,
            line,
            flow,
            received,
            hub,
        };
        (read, cx)
    }
}

impl<H: Handler, T: Transport> Core<H, T> {
    /// Calls the handler for an open connection.
    pub(super) fn call(
        &mut self,
        id: ConnId,
        session: &mut Session,
        line: &mut Line<T>,
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
        session.halves().1.attach(&mut self.common.slab.pool);
        let (_, mut cx) = self.common.cx(id, session, line, flow, now);
        call(&mut self.handler, conn, &mut cx);
    }

    pub(super) fn user_timer(
        &mut self,
        id: ConnId,
        link: &mut Link<T>,
        token: u64,
        now: Timestamp,
    ) {
        if let Phase::Open(session) = &mut link.phase {
            let (line, flow) = (&mut link.line, &mut link.flow);
            self.call(id, session, line, flow, now, |h, conn, cx| {
                h.timer(conn, cx, token)
            });
            session.queue_replies(now);
        }
    }

    /// Calls [`Handler::close`] for an ended connection, once.
    pub(super) fn call_close(&mut self, id: ConnId, ended: Ended, stats: Stats) {
        let conn = self.conns.get_mut(id.index as usize).and_then(Option::take);
        if let Some(conn) = conn {
            self.handler.close(conn, id, ended, stats);
        }
    }
}
