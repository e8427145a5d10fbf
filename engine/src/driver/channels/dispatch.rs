//! Delivery of channel events to the callbacks of the handler.

use super::cx::ChannelCx;
use super::handler::{Accepted, Answer, ChannelHandler, Rejection};
use crate::session::channels::{ChannelId, ErrorCode, Event, OpenError, Opening};

/// Rounds of event delivery and sending in one turn of a connection. The connection continues after
/// the next write to its socket, so that its events do not delay other connections.
const ROUNDS_MAX: usize = 8;

/// Calls the callback of the event.
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
        // `dispatch` handles the other events.
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

/// Calls the handler if its answer was not valid.
fn report_refused<H: ChannelHandler>(
    handler: &mut H,
    conn: &mut H::Conn,
    cx: &mut ChannelCx<'_, '_>,
    channel: ChannelId,
    answered: Result<(), OpenError>,
) {
    if let Err(error @ OpenError::Options(_)) = answered {
        handler.answer_invalid(conn, cx, channel, error);
    }
}

/// After a callback: delivers the events that it caused, and moves queued output into the outbox.
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
        // If the outbox is full, `drained` is called when it has room again.
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
