//! Telling the handler, and doing what came of it.

use super::cx::ChannelCx;
use super::handler::{Accepted, Answer, ChannelHandler, Rejection};
use crate::error::CloseCode;
use crate::session::channels::{ChannelId, Code, Event, OpenError, Opening};

/// Rounds of telling the handler and sending what it answers, before the connection's turn is
/// over: it gets another one when the socket was written to.
const ROUNDS_MAX: usize = 8;

/// Channels that have not sent everything yet and are looked at in one round, so that a thousand
/// that wait for their peer do not cost every batch.
const WAITING_LOOKED_AT_MAX: usize = 64;

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
        Event::Ready => ready(handler, conn, cx),
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
            cx.note_end(channel);
        }
        Event::Finished { channel } => {
            handler.finished(conn, cx, channel);
            cx.note_end(channel);
        }
        Event::Aborted { channel, code } => {
            handler.aborted(conn, cx, channel, code);
            cx.note_end(channel);
        }
        Event::Stopped { channel, code } => {
            handler.stopped(conn, cx, channel, code);
            cx.note_end(channel);
        }
        Event::Evicted { channel, code } => {
            handler.evicted(conn, cx, channel, code);
            cx.note_end(channel);
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

/// The peer's limits have come: a fragment of the size that goes with them must have a place in
/// the outbox, or nothing would ever go out.
fn ready<H: ChannelHandler>(handler: &mut H, conn: &mut H::Conn, cx: &mut ChannelCx<'_, '_>) {
    let outbox = cx.cx.outbox();
    let room = outbox.room() + outbox.queued_bytes();
    if !outbox.is_closing() && room < cx.channels.core.record_least() {
        // Nor has GOAWAY: the Close says it alone. The code may be sent, and the reason is short.
        let code = CloseCode(Code::INTERNAL.close_code());
        let _ = outbox.close(
            code,
            "send_queue_bytes_max has no room for the peer's records",
        );
        cx.abort(Code::INTERNAL);
        return;
    }
    handler.ready(conn, cx);
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
            told_if_wrong(handler, conn, cx, channel, accepted);
        }
        Answer::Reject(code) => cx.reject(channel, code),
        Answer::RejectWith(code, metadata) => {
            let rejected = cx.reject_with(channel, code, &metadata);
            told_if_wrong(handler, conn, cx, channel, rejected);
        }
        Answer::Later => {}
    }
}

/// The handler's answer was refused: it is asked for another one.
fn told_if_wrong<H: ChannelHandler>(
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
pub(super) fn settle<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
) {
    let mut done = false;
    for _ in 0..ROUNDS_MAX {
        while let Some(event) = cx.poll_event() {
            dispatch(handler, conn, cx, event);
        }
        while let Some(channel) = cx.poll_writable() {
            handler.writable(conn, cx, channel);
        }
        // Where the outbox takes no more, it tells when it does.
        let full = cx.fill() || cx.cx.outbox().is_closing();
        let_go_of_ended(handler, conn, cx);
        done = !cx.has_news() && (full || !cx.core.wants_write());
        if done {
            break;
        }
    }
    if !done {
        cx.cx.outbox().notify_below(usize::MAX);
    }
    cx.rest();
}

/// Lets go of channels that have ended: all of them, but for those behind too many that have
/// not.
fn let_go_of_ended<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
) {
    let mut waiting = 0;
    for _ in 0..cx.ending.len() {
        let Some(channel) = cx.ending.pop_front() else {
            break;
        };
        if !cx.is_marked(channel) {
            continue; // let go of by the handler
        }
        if cx.has_ended(channel) {
            end(handler, conn, cx, channel);
            continue;
        }
        if cx.is_held(channel) {
            continue;
        }
        cx.ending.push_back(channel);
        waiting += 1;
        if waiting == WAITING_LOOKED_AT_MAX {
            break;
        }
    }
}

fn end<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    channel: ChannelId,
) {
    handler.ended(conn, cx, channel);
    cx.let_go(channel, Code::NO_ERROR);
}
