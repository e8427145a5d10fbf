//! [`ChannelHandler`], the interface between a reactor and an application that uses channels.

use std::io;
use std::vec::Vec;

use super::super::error::Error;
use super::super::handler::{ConnId, Ended, Opened};
use super::super::socket::PeerAddr;
use super::super::tune::TuneReport;
use super::super::verdict::Verdict;
use super::cx::{ChannelCx, ChannelHub};
use crate::handshake::{HandshakeError, Request};
use crate::session::Stats;
use crate::session::channels::{
    AcceptOptions, ChannelFailure, ChannelId, Charge, Data, ErrorCode, OpenError, Opening,
    Received, Resumption, Run,
};

/// The answer to an open request of the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// Accept the channel.
    Accept(AcceptOptions),
    /// Reject the channel with this code. Its id is no longer valid.
    Reject(ErrorCode),
    /// As [`Answer::Reject`], with metadata of the application for the peer: see
    /// [`Channels::reject_with`](crate::channels::Channels::reject_with).
    RejectWith(ErrorCode, Vec<u8>),
    /// Answer later, or the callback has already answered, with
    /// [`Channels::accept`](crate::channels::Channels::accept) or
    /// [`Channels::reject`](crate::channels::Channels::reject). At most
    /// [`pending_opens_max`](crate::channels::ChannelConfig::pending_opens_max) open requests of a
    /// peer can wait for an answer.
    Later,
}

/// The peer's acceptance of a channel that this end opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Accepted<'a> {
    /// Metadata of the peer's application; often empty.
    pub metadata: &'a [u8],
    /// The position at which the peer's messages resume, if the channel was opened with resumption.
    pub resumption: Option<Resumption>,
    /// The sequence number of the first message that the peer requests from this end, if any.
    pub wants: Option<u64>,
}

/// The peer's rejection of a channel that this end opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rejection<'a> {
    /// The reason.
    pub code: ErrorCode,
    /// The peer did not process the open request: it is safe to open the channel on another
    /// connection.
    pub unprocessed: bool,
    /// Metadata of the peer's application; often empty.
    pub metadata: &'a [u8],
}

/// An application that uses channels on a reactor: the counterpart of
/// [`Handler`](crate::reactor::Handler) for connections that speak
/// [`tickwire.mux.v1`](crate::channels::SUBPROTOCOL). One value per thread owns the state of all
/// connections of the reactor. [`Multiplexed`](super::Multiplexed) turns it into a `Handler`, for
/// the mio reactor and the tokio reactor.
///
/// A callback must not block: its thread serves all connections. The reactor always reads on; only
/// the credit of each channel limits how much a peer sends.
///
/// # Credit
///
/// A message is borrowed until the callback returns. Its [`Charge`] reduces the windows of the peer
/// until it is [released](crate::channels::Channels::release). Release it in the callback if the
/// message has been consumed, or later, when its consumer has finished. A charge that is not
/// released reduces the windows until the channel is closed.
///
/// # The life of a channel
///
/// A channel has ended when both halves have ended: the peer's half by FIN, by ABORT or by a stop
/// of this end; the half of this end by [`finish`](crate::channels::Channels::finish),
/// [`reset`](crate::channels::Channels::reset) or a stop of the peer. When all callbacks for these
/// events were called, all queued messages sent and all charges released, [`ended`](Self::ended) is
/// called, and the id is no longer valid. No further call is needed. The defaults of
/// [`finished`](Self::finished) and [`aborted`](Self::aborted) also end the half of this end, so a
/// handler that does not implement them leaks no channel.
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
/// /// Sends every message back on its channel.
/// struct Echo;
///
/// /// Messages that full queues have refused, by channel. Their credit is not released, so the
/// /// peer's windows limit their size.
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
///         // If the peer does not read its echoes, the credit is not released.
///         match cx.send(received.channel, &received.data) {
///             Ok(()) => cx.release(received.channel, received.charge),
///             Err(ChannelSendError::WouldBlock) => {
///                 let waiting = refused.entry(received.channel).or_default();
///                 waiting.push_back(received.data.to_vec());
///             }
///             Err(_) => cx.close_channel(received.channel, tickwire::channels::ErrorCode::REFUSED),
///         }
///     }
/// #   fn close(&mut self, _: Refused, _: ConnId, _: tickwire::reactor::Ended, _: tickwire::channels::ChannelFailure, _: tickwire::Stats) {}
/// }
/// ```
#[expect(
    unused_variables,
    reason = "parameters that a default does not use keep their names for the documentation"
)]
pub trait ChannelHandler: Sized {
    /// The application's state of one connection.
    type Conn;
    /// The type of the commands that other threads send through a
    /// [`Remote`](crate::reactor::Remote).
    type Command: Send + 'static;
    /// A value that [`Self::request`] passes to [`Self::open`] for an accepted client; `()` for no
    /// value. As [`Handler::Admitted`](crate::reactor::Handler::Admitted).
    type Admitted;

    /// A client that offers the sub-protocol requests to open a connection. The default accepts.
    /// The verdict need not name the sub-protocol. The reactor itself refuses clients that do not
    /// offer the sub-protocol, with 400 and an explanation, and calls [`Self::rejected`].
    fn request(&mut self, request: &Request, peer: Option<PeerAddr>) -> Verdict<Self::Admitted> {
        Verdict::default()
    }

    /// A connection is open, and both ends speak the sub-protocol. Channels can be opened at once;
    /// sends fail with `WouldBlock` before [`Self::ready`].
    fn open(
        &mut self,
        cx: &mut ChannelCx<'_, '_>,
        opened: Opened<'_, Self::Admitted>,
    ) -> Self::Conn;

    /// The limits of the peer are known. Sends are possible from now on.
    fn ready(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>) {}

    /// The peer opens a channel. The default rejects with [`ErrorCode::REFUSED`]. Messages can
    /// arrive before the answer; sends on the channel wait for the answer.
    fn channel(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        Answer::Reject(ErrorCode::REFUSED)
    }

    /// The options of an [`Answer::Accept`], or the metadata of an [`Answer::RejectWith`], are not
    /// valid; `error` gives the reason. The channel still waits for an answer. The default rejects it
    /// with [`ErrorCode::INTERNAL`].
    fn answer_invalid(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        error: OpenError,
    ) {
        cx.reject(channel, ErrorCode::INTERNAL);
    }

    /// The peer has accepted a channel that this end opened.
    fn accepted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        accepted: Accepted<'_>,
    ) {
    }

    /// The peer has rejected a channel that this end opened. [`Self::ended`] follows.
    fn refused(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        refused: Rejection<'_>,
    ) {
    }

    /// A message was received. It is borrowed until the call returns. The handler must release its
    /// charge, in this call or later.
    fn message(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    );

    /// A run was received: several messages of one size. The default passes each message to
    /// [`Self::message`]; the last message has the charge of the whole run, the others have an empty
    /// charge. The default stops after a call that closes the channel or aborts all channels of
    /// the connection.
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
                break; // the rest of the run has no receiver
            }
        }
    }

    /// The peer has finished its half of the channel: no message follows. The default also finishes
    /// the half of this end.
    fn finished(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        // Fails only if this half has ended already.
        let _ = cx.finish(channel);
    }

    /// The peer has aborted its half of the channel: its messages are incomplete. The default also
    /// resets the half of this end.
    fn aborted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
        cx.reset(channel, code);
    }

    /// The peer has stopped receiving on the channel. Queued messages of this end are dropped.
    fn stopped(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
    }

    /// This end has stopped receiving on the channel, because the peer did not complete a message in
    /// time ([`ErrorCode::TIMEOUT`]). Drop the messages of the channel that are kept, and release
    /// their charges.
    fn evicted(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        code: ErrorCode,
    ) {
    }

    /// The peer has acknowledged all messages with sequence numbers below `seq`.
    fn acked(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        seq: u64,
    ) {
    }

    /// The peer has restarted its sequence numbers: the next message has number `next_seq` in
    /// `epoch`.
    fn rebased(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        epoch: u64,
        next_seq: u64,
    ) {
    }

    /// A send on the channel failed with `WouldBlock` before, and can now succeed.
    fn writable(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {}

    /// Both halves of the channel have ended, and all charges are released. Drop the state that is
    /// kept for the channel: its id is not valid after this call. Not called for a channel that the
    /// handler has closed or rejected, and not when the connection ends.
    fn ended(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {}

    /// The peer accepts no new channels. Open channels continue.
    fn draining(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        code: ErrorCode,
        reason: &str,
    ) {
    }

    /// All messages of one read were delivered, or all messages before a WebSocket Ping or Close.
    /// Queued output is written after this call.
    fn batch_end(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>) {}

    /// A timer set by [`ChannelCx::timer`] is due.
    fn timer(&mut self, conn: &mut Self::Conn, cx: &mut ChannelCx<'_, '_>, token: u64) {}

    /// All channels have ended. The connection is closed next, with 4000 + code, or with 1001 if the
    /// reactor is stopping. Not called if the connection was lost first. [`Self::close`] follows in
    /// every case.
    fn failed(
        &mut self,
        conn: &mut Self::Conn,
        cx: &mut ChannelCx<'_, '_>,
        failure: ChannelFailure,
    ) {
    }

    /// The connection and all its channels have ended. Called once for every `open`, at the time of
    /// [`Handler::close`](crate::reactor::Handler::close).
    ///
    /// `ended` says how the connection ended. `failure` says how the channels ended:
    /// [`ChannelFailure::Drained`] after a drain, or after a stop of the reactor at either end;
    /// [`ChannelFailure::Lost`] if the connection ended before the channels. `stats` are the final
    /// counts of [`ChannelCx::session_stats`].
    fn close(
        &mut self,
        conn: Self::Conn,
        id: ConnId,
        ended: Ended,
        failure: ChannelFailure,
        stats: Stats,
    ) {
    }

    /// An outgoing or adopted connection did not become usable.
    ///
    /// [`HandshakeError::SubprotocolNotAgreed`]: an outgoing connection opened, but the server did
    /// not choose the sub-protocol. The connection is closed with 1002.
    /// [`HandshakeUsage::SubprotocolNotAgreed`](crate::handshake::HandshakeUsage): the handshake
    /// result of an adopted connection does not name the sub-protocol. The connection is closed
    /// with 1002.
    fn connect_failed(&mut self, token: u64, error: Error) {}

    /// A command that another thread sent with [`Remote::command`](crate::reactor::Remote::command).
    /// The [`ChannelHub`] reaches the channels, the statistics and the timers of every connection,
    /// but not its [`Self::Conn`]:
    /// [`Handler::command`](crate::reactor::Handler::command) says what to do instead.
    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, command: Self::Command) {}

    /// As [`Handler::rejected`](crate::reactor::Handler::rejected); also called for clients that do
    /// not offer the sub-protocol.
    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {}

    /// As [`Handler::tune_refused`](crate::reactor::Handler::tune_refused).
    fn tune_refused(&mut self, peer: Option<PeerAddr>, report: &TuneReport) {}

    /// As [`Handler::accept_failed`](crate::reactor::Handler::accept_failed).
    fn accept_failed(&mut self, error: io::Error) {}
}
