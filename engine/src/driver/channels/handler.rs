//! What an application of channels is to a reactor.

use std::io;
use std::vec::Vec;

use super::super::error::Error;
use super::super::handler::{ConnId, Ended, Opened, Verdict};
use super::super::socket::PeerAddr;
use super::super::tune::TuneReport;
use super::cx::{ChannelCx, ChannelHub};
use crate::handshake::{HandshakeError, Request};
use crate::session::channels::{
    AcceptOptions, ChannelFailure, ChannelId, Charge, Data, ErrorCode, OpenError, Opening,
    Received, Resumption, Run,
};

/// The answer to a channel that the peer opens.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// It is taken.
    Accept(AcceptOptions),
    /// It is not, for this reason. The id is of no use any more.
    Reject(ErrorCode),
    /// As [`Answer::Reject`], and says why in bytes of the application's: see
    /// [`Channels::reject_with`](crate::channels::Channels::reject_with).
    RejectWith(ErrorCode, Vec<u8>),
    /// It is answered later, or was answered in the call, with
    /// [`Channels::accept`](crate::channels::Channels::accept) or
    /// [`Channels::reject`](crate::channels::Channels::reject). The peer may have
    /// [`pending_opens_max`](crate::channels::ChannelConfig::pending_opens_max) channels waiting.
    Later,
}

/// The peer's answer to a channel of ours that it takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Accepted<'a> {
    /// Bytes of the acceptor's application.
    pub metadata: &'a [u8],
    /// Where the peer's messages go on, if the channel asked for that.
    pub resumption: Option<Resumption>,
    /// The first message that the peer wants of ours, if it says so.
    pub wants: Option<u64>,
}

/// The peer's answer to a channel of ours that it does not take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rejection<'a> {
    /// Why.
    pub code: ErrorCode,
    /// The peer never looked at it: it is safe to open it on another connection.
    pub unprocessed: bool,
    /// Why, in bytes of the acceptor's application; often none.
    pub metadata: &'a [u8],
}

/// An application of channels on a reactor: the [`Handler`](crate::reactor::Handler) of connections that
/// speak [`tickwire.mux.v1`](crate::channels::SUBPROTOCOL). One value per thread owns the state
/// of all of its connections; [`Multiplexed`](super::Multiplexed) makes a `Handler` of it, for
/// the mio reactor and for the one on tokio.
///
/// No call may block: the thread serves all connections. Reading goes on whatever a call does;
/// what holds a peer back is credit, channel by channel.
///
/// # Credit
///
/// A message is lent until the call returns, and takes room of the windows that the peer was
/// granted until its [`Charge`] is [released](crate::channels::Channels::release): at once if it has been
/// consumed, or later, when whoever it was handed to is done with it. What is never released is
/// missing to the peer until the channel is let go.
///
/// # The life of a channel
///
/// A channel has ended when both halves are over: the peer's by its FIN or ABORT or by our stop,
/// ours by [`finish`](crate::channels::Channels::finish), [`reset`](crate::channels::Channels::reset) or the peer's
/// stop. When the handler was told, what was queued is sent and everything is released,
/// [`ended`](Self::ended) is called and the id is of no use any more: nothing needs to be let go
/// of by hand. The defaults of [`finished`](Self::finished) and [`aborted`](Self::aborted) end
/// our half too, so that a handler that does not know of them leaks nothing.
/// [`close_channel`](crate::channels::Channels::close_channel) ends a channel at any time.
///
/// ```
/// use std::collections::{HashMap, VecDeque};
///
/// use tickwire::reactor::{ConnId, Opened};
/// use tickwire::channels::{
///     AcceptOptions, Answer, ChannelCx, ChannelHandler, ChannelId, Opening, Received, ChannelSendError,
/// };
///
/// /// Sends every message back on the channel it came on.
/// struct Echo;
///
/// /// What full queues have refused, by channel: with its credit, so that it stays little.
/// type Refused = HashMap<ChannelId, VecDeque<Vec<u8>>>;
///
/// impl ChannelHandler for Echo {
///     type Conn = Refused;
///     type Command = ();
///     type Admitted = ();
///
///     fn open(&mut self, _cx: &mut ChannelCx<'_, '_>, _opened: Opened<'_>) -> Refused {
///         Refused::new()
///     }
///
///     fn channel(
///         &mut self,
///         _conn: &mut Refused,
///         _cx: &mut ChannelCx<'_, '_>,
///         _opening: Opening<'_>,
///     ) -> Answer {
///         Answer::Accept(AcceptOptions::new())
///     }
///
///     fn message(
///         &mut self,
///         refused: &mut Refused,
///         cx: &mut ChannelCx<'_, '_>,
///         received: Received<'_>,
///     ) {
///         // Where the peer does not take its echoes, it is not told to send more.
///         match cx.send(received.channel, &received.data) {
///             Ok(()) => cx.release(received.channel, received.charge),
///             Err(ChannelSendError::WouldBlock) => {
///                 let waiting = refused.entry(received.channel).or_default();
///                 waiting.push_back(received.data.to_vec());
///             }
///             Err(_) => cx.close_channel(received.channel, tickwire::channels::ErrorCode::REFUSED),
///         }
///     }
/// #   fn close(&mut self, _: Refused, _: ConnId, _: tickwire::reactor::Ended, _: tickwire::channels::ChannelFailure) {}
/// }
/// ```
#[expect(
    unused_variables,
    reason = "what a default does not need keeps the name that it is documented by"
)]
pub trait ChannelHandler: Sized {
    /// What the application keeps for each connection.
    type Conn;
    /// What other threads tell the application through a [`Remote`](crate::reactor::Remote).
    type Command: Send + 'static;
    /// What [`Self::request`] tells [`Self::open`] of a client that it accepts; `()` for nothing.
    /// As [`Handler::Admitted`](crate::reactor::Handler::Admitted).
    type Admitted;

    /// A client that offers the sub-protocol asks to open a connection. The answer need not name
    /// the sub-protocol. Accepts by default. Clients that do not offer it are refused with 400
    /// and told why, and [`Self::rejected`] is called.
    fn request(&mut self, request: &Request, peer: Option<PeerAddr>) -> Verdict<Self::Admitted> {
        Verdict::default()
    }

    /// A connection is open, and both ends speak the sub-protocol. Channels may be opened at
    /// once; messages are refused with `WouldBlock` before [`Self::ready`].
    fn open(
        &mut self,
        cx: &mut ChannelCx<'_, '_>,
        opened: Opened<'_, Self::Admitted>,
    ) -> Self::Conn;

    /// The peer's limits are known: what is sent from now on is sent or queued.
    fn ready(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>) {}

    /// The peer opens a channel. Messages may come before it is answered; sends on it wait for
    /// the answer. Rejects with [`ErrorCode::REFUSED`] by default.
    fn channel(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        Answer::Reject(ErrorCode::REFUSED)
    }

    /// The options of an [`Answer::Accept`], or the bytes of an [`Answer::RejectWith`], cannot
    /// work; `error` says why. The channel still waits for an answer. By default it is rejected with [`ErrorCode::INTERNAL`].
    fn unanswered(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        error: OpenError,
    ) {
        cx.reject(channel, ErrorCode::INTERNAL);
    }

    /// The peer takes a channel of ours.
    fn accepted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        accepted: Accepted<'_>,
    ) {
    }

    /// The peer does not take a channel of ours; [`Self::ended`] follows.
    fn refused(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        refused: Rejection<'_>,
    ) {
    }

    /// A message came. It is lent until the call returns; its charge is the handler's to release.
    fn message(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    );

    /// Messages of one size came together. By default each of them is given to
    /// [`Self::message`]: the last with the charge of all, the others with none, so that the
    /// credit of a run comes back when all of it has been consumed. Where one of those calls lets
    /// go of the channel, or aborts the connection's channels, it is the last.
    fn run(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, run: Run<'_>) {
        let last = run.count().saturating_sub(1);
        let mut charge = run.charge;
        let elements = run.bytes.chunks_exact(run.elem.max(1));
        for (at, element) in elements.enumerate() {
            let received = Received {
                channel: run.channel,
                data: Data::Lent(element),
                seq: run.seq + at as u64,
                skipped: if at == 0 { run.skipped } else { 0 },
                charge: if at == last {
                    charge.take()
                } else {
                    Charge::default()
                },
            };
            self.message(conn, cx, received);
            if cx.was_aborted() || !cx.is_attached(run.channel) {
                break; // the rest is nobody's any more
            }
        }
    }

    /// The peer has sent all it wanted to. By default our half is finished, too.
    fn finished(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        // Refused only where there is nothing to finish any more.
        let _ = cx.finish(channel);
    }

    /// The peer gives up sending: what came before is incomplete. By default our half is given
    /// up, too.
    fn aborted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        cx.reset(channel, code);
    }

    /// The peer takes no more of ours; what was queued is dropped.
    fn stopped(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
    }

    /// We take no more from a channel whose message was not finished in time ([`ErrorCode::TIMEOUT`]).
    /// Drop what is kept of it, and release it.
    fn evicted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
    }

    /// The peer has what we sent, up to but without the message `seq`.
    fn acked(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        seq: u64,
    ) {
    }

    /// The peer counts its messages anew: the next one is `next_seq` of `epoch`.
    fn rebased(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) {
    }

    /// A send on the channel had been refused with `WouldBlock`, and may now succeed.
    fn writable(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {}

    /// Both halves are over and everything is released: drop what is kept of the channel. The
    /// id is of no use after this call. Not called for channels that the handler has let go of
    /// or rejected, nor when the connection ends.
    fn ended(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {}

    /// The peer takes no new channels; the open ones go on.
    fn draining(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        code: ErrorCode,
        reason: &str,
    ) {
    }

    /// All messages of one read have been handed over, or those before a Ping or Close of the
    /// WebSocket's; what was sent goes out after this.
    fn batch_end(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>) {}

    /// A timer set by [`ChannelCx::timer`] is due.
    fn timer(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, token: u64) {}

    /// All channels are over, and the connection is about to be closed with 4000 + code, or with 1001
    /// where the reactor stops. Not
    /// called where the connection was lost first; [`Self::close`] is in every case.
    fn failed(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        failure: ChannelFailure,
    ) {
    }

    /// The connection has ended, in one way or the other, and with it all channels. Called once
    /// for every `open`, as early as [`Handler::close`](crate::reactor::Handler::close). `failure` is how the channels ended: [`ChannelFailure::Drained`] after a drain, and where a
    /// reactor stops, of this end or of the peer's; [`ChannelFailure::Lost`] if the connection ended
    /// under them. `ended` is how the connection did.
    fn close(&mut self, conn: Self::Conn, id: ConnId, ended: Ended, failure: ChannelFailure) {}

    /// A connection of our own did not open; with [`HandshakeError::SubprotocolNotAgreed`] it did,
    /// but without the sub-protocol, and is closed with 1002. So is an adopted connection that does
    /// not name it in what was agreed on, told with
    /// [`HandshakeUsage::SubprotocolNotAgreed`](crate::handshake::HandshakeUsage).
    fn connect_failed(&mut self, token: u64, error: Error) {}

    /// Another thread has something to say.
    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, command: Self::Command) {}

    /// As [`Handler::rejected`](crate::reactor::Handler::rejected); also for clients that do not offer the
    /// sub-protocol.
    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {}

    /// As [`Handler::untuned`](crate::reactor::Handler::untuned).
    fn untuned(&mut self, peer: Option<PeerAddr>, report: &TuneReport) {}

    /// As [`Handler::accept_failed`](crate::reactor::Handler::accept_failed).
    fn accept_failed(&mut self, error: io::Error) {}
}
