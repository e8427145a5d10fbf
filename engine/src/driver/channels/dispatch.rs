//! Events as calls of the handler, and what comes of these.

use super::cx::ChannelCx;
use super::handler::{Accepted, Answer, ChannelHandler, Rejection};
use crate::session::channels::{ChannelId, ErrorCode, Event, OpenError, Opening};

/// Rounds of telling the handler and sending what it answers, before the connection's turn is
/// over: it gets another one when the socket was written to.
const ROUNDS_MAX: usize = 8;

/// Tells the handler what happened.
#[inline]
pub(super) fn dispatch<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    event: Event<'_>,
) {
    match event {
        Event::Message(received) => handler.message(conn, cx, received),
        Event::Run(run) => handler.run(conn, cx, run),
        event => dispatch_other(handler, conn, cx, event),
    }
}

fn dispatch_other<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    event: Event<'_>,
) {
    match event {
        Event::Ready => handler.ready(conn, cx),
        Event::Open(opening) => answer(handler, conn, cx, opening),
        Event::Accepted {
            channel,
            metadata,
            resumption,
            wants,
        } => {
            let accepted = Accepted {
                metadata,
                resumption,
                wants,
            };
            handler.accepted(conn, cx, channel, accepted);
        }
        Event::Rejected {
            channel,
            code,
            unprocessed,
            metadata,
        } => {
            let refused = Rejection {
                code,
                unprocessed,
                metadata,
            };
            handler.refused(conn, cx, channel, refused);
        }
        Event::Finished { channel } => {
            handler.finished(conn, cx, channel);
        }
        Event::Aborted { channel, code } => {
            handler.aborted(conn, cx, channel, code);
        }
        Event::Stopped { channel, code } => {
            handler.stopped(conn, cx, channel, code);
        }
        Event::Evicted { channel, code } => {
            handler.evicted(conn, cx, channel, code);
        }
        Event::Acked { channel, seq } => handler.acked(conn, cx, channel, seq),
        Event::Rebased {
            channel,
            epoch,
            next_seq,
        } => handler.rebased(conn, cx, channel, epoch, next_seq),
        Event::Draining { code, reason } => handler.draining(conn, cx, code, reason),
        Event::Failed(failure) => handler.failed(conn, cx, failure),
        // Told by `dispatch`.
        _ => {}
    }
}

fn answer<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    opening: Opening<'_>,
) {
    let channel = opening.channel;
    match handler.channel(conn, cx, opening) {
        Answer::Accept(options) => {
            let accepted = cx.accept(channel, options);
            report_refused(handler, conn, cx, channel, accepted);
        }
        Answer::Reject(code) => cx.reject(channel, code),
        Answer::RejectWith(code, metadata) => {
            let rejected = cx.reject_with(channel, code, &metadata);
            report_refused(handler, conn, cx, channel, rejected);
        }
        Answer::Later => {}
    }
}

/// The handler's answer was refused: it is asked for another one.
fn report_refused<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    channel: ChannelId,
    answered: Result<(), OpenError>,
) {
    if let Err(error @ OpenError::Options(_)) = answered {
        handler.unanswered(conn, cx, channel, error);
    }
}

/// After a call: tells what came of it, and moves what there is to send into the outbox.
pub(super) fn finish_call<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
) {
    let mut done = false;
    for _ in 0..ROUNDS_MAX {
        while let Some(event) = cx.entry.session.poll_event() {
            dispatch(handler, conn, cx, event);
        }
        while let Some(channel) = cx.entry.session.poll_writable() {
            handler.writable(conn, cx, channel);
        }
        // Where the outbox takes no more, it tells when it does.
        let full = cx.fill() || cx.cx.outbox().is_closing();
        cx.entry.session.begin_ended_round();
        while let Some(channel) = cx.entry.session.poll_ended() {
            handler.ended(conn, cx, channel);
            cx.close_channel(channel, ErrorCode::NO_ERROR);
        }
        let session = &mut cx.entry.session;
        done = !session.has_events() && (full || !session.wants_write());
        if done {
            break;
        }
    }
    if !done {
        cx.cx.outbox().notify_below(usize::MAX);
    }
    cx.arm();
}
