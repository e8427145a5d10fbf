//! [`Multiplexed`], which turns a [`ChannelHandler`] into a [`Handler`].

use std::boxed::Box;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::super::error::Error;
use super::super::handler::{ConnId, Cx, Ended, Handler, Hub, Opened};
use super::super::socket::PeerAddr;
use super::super::tune::TuneReport;
use super::super::verdict::Verdict;
use super::cx::{ChannelCx, ChannelHub};
use super::dispatch::{dispatch, finish_call};
use super::handler::ChannelHandler;
use super::not_started;
use super::table::{Entry, Table};
use crate::config::ConfigError;
use crate::conn::Message;
use crate::error::{End, Failure};
use crate::handshake::{HandshakeError, Request};
use crate::role::Role;
use crate::session::Stats;
use crate::session::channels::{ChannelConfig, ChannelSession, SUBPROTOCOL};

/// The timer token that is reserved for the deadlines of the channels.
/// [`ChannelCx::timer`](super::ChannelCx::timer) refuses it.
pub const TIMER_TOKEN: u64 = u64::MAX;

/// Turns a [`ChannelHandler`] into a [`Handler`], for the mio reactor and the tokio reactor.
///
/// The sub-protocol, [`SUBPROTOCOL`](crate::channels::SUBPROTOCOL), is required on every connection:
///
/// - A client that does not offer it is refused with 400.
/// - An outgoing connection must offer it
///   ([`Outgoing::channels`](crate::reactor::Outgoing::channels)). If the server does not choose it,
///   the connection is closed with 1002, and [`ChannelHandler::connect_failed`] is called.
/// - The same holds for an adopted connection whose handshake result does not name it
///   ([`Agreed::with_subprotocol`](crate::handshake::Agreed::with_subprotocol)).
///
/// The limits of the WebSocket ([`Config`](crate::Config)) must allow messages of the size of a
/// record: [`ChannelSession::check`] checks this before the first connection. A connection with
/// lower limits is closed with 1011, and `connect_failed` is called with [`Error::Config`]. The
/// channels send their own Pings, so `ping_interval` of the `Config` can be `None`.
///
/// Do not use [`Remote::send`](crate::reactor::Remote::send): its message is not a record, and ends
/// the connection. Send a command instead.
///
/// ```no_run
/// use tickwire::channels::{ChannelCx, ChannelHandler, Multiplexed, Received, ChannelConfig};
/// use tickwire::reactor::{Opened, ReactorOptions, TokioReactor};
///
/// struct Sink;
///
/// impl ChannelHandler for Sink {
///     type Conn = ();
///     type Command = ();
///     type Admitted = ();
///
///     fn open(&mut self, _cx: &mut ChannelCx<'_, '_>, _opened: Opened<'_>) {}
///
///     fn message(&mut self, _conn: &mut (), cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
///         println!("{} bytes", received.data.len());
///         cx.release(received.channel, received.charge);
///     }
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let handler = Multiplexed::new(Sink, ChannelConfig::default())?;
/// let mut reactor = TokioReactor::new(handler, ReactorOptions::default())?;
/// reactor.listen("127.0.0.1:9001".parse()?)?;
/// reactor.run().await?;
/// # Ok(())
/// # }
/// ```
pub struct Multiplexed<H> {
    handler: H,
    config: Arc<ChannelConfig>,
    table: Table,
}

impl<H: ChannelHandler> Multiplexed<H> {
    /// Makes a handler whose connections all have the limits of `config`.
    ///
    /// # Errors
    /// [`ConfigError`], as [`ChannelConfig::check`].
    pub fn new(handler: H, config: impl Into<Arc<ChannelConfig>>) -> Result<Self, ConfigError> {
        let config = config.into();
        config.check()?;
        Ok(Self {
            handler,
            config,
            table: Table::default(),
        })
    }

    /// The [`ChannelHandler`].
    pub fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Returns the [`ChannelHandler`], for use when the reactor has ended.
    #[must_use]
    pub fn into_inner(self) -> H {
        self.handler
    }

    /// Calls the handler for a connection, then delivers the resulting events and moves queued
    /// output to the outboxes.
    fn serve(
        &mut self,
        slot: &mut MultiplexedConn<H::Conn>,
        cx: &mut Cx<'_>,
        call: impl FnOnce(&mut H, &mut H::Conn, &mut ChannelCx<'_, '_>),
    ) {
        let Self { handler, table, .. } = self;
        let (Some(conn), Some(mut entry)) = (&mut slot.0, table.take(cx.id())) else {
            return;
        };
        entry.session.channels_mut().set_time(cx.now());
        let mut channel_cx = ChannelCx {
            entry: &mut entry,
            table,
            cx,
        };
        call(handler, conn, &mut channel_cx);
        finish_call(handler, conn, &mut channel_cx);
        table.put(entry);
        table.serve_others(cx.hub());
    }
}

/// The state of a connection in a [`Multiplexed`]: that of the [`ChannelHandler`], or nothing if
/// the peer does not speak the sub-protocol.
pub struct MultiplexedConn<C>(Option<C>);

impl<C: fmt::Debug> fmt::Debug for MultiplexedConn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MultiplexedConn").field(&self.0).finish()
    }
}

impl<H: fmt::Debug> fmt::Debug for Multiplexed<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multiplexed")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

impl<H: ChannelHandler> Handler for Multiplexed<H> {
    type Conn = MultiplexedConn<H::Conn>;
    type Command = H::Command;
    type Admitted = H::Admitted;

    fn request(&mut self, request: &Request, peer: Option<PeerAddr>) -> Verdict<H::Admitted> {
        if let Err(error) = request.require_subprotocol([SUBPROTOCOL]) {
            self.handler.rejected(peer, &error);
            return Verdict::Refuse(error.refusal());
        }
        match self.handler.request(request, peer) {
            Verdict::Accept(accept, admitted) => {
                Verdict::Accept(accept.subprotocol(SUBPROTOCOL), admitted)
            }
            refused => refused,
        }
    }

    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        opened: Opened<'_, H::Admitted>,
    ) -> MultiplexedConn<H::Conn> {
        let Self {
            handler,
            config,
            table,
        } = self;
        let (id, now) = (cx.id(), cx.now());
        let started = ChannelSession::start(config.clone(), opened.subprotocol(), cx.outbox(), now);
        let session = match started {
            Ok(session) => session,
            Err(error) => {
                let error = match opened.role() {
                    Role::Client => not_started(error),
                    // An adopted connection: a client without the sub-protocol was refused before.
                    Role::Server => error.into(),
                };
                handler.connect_failed(opened.token, error);
                return MultiplexedConn(None);
            }
        };
        let mut entry = Box::new(Entry::new(id, session));
        table.open += 1;
        let mut channel_cx = ChannelCx {
            entry: &mut entry,
            table,
            cx,
        };
        let mut conn = handler.open(&mut channel_cx, opened);
        finish_call(handler, &mut conn, &mut channel_cx);
        table.insert(entry);
        table.serve_others(cx.hub());
        MultiplexedConn(Some(conn))
    }

    fn message(
        &mut self,
        slot: &mut MultiplexedConn<H::Conn>,
        cx: &mut Cx<'_>,
        message: Message<'_>,
    ) {
        let Self { handler, table, .. } = self;
        let (Some(conn), Some(mut entry)) = (&mut slot.0, table.take(cx.id())) else {
            return;
        };
        table.received += message.data().map_or(0, <[u8]>::len);
        // A text message is a violation: its event is delivered at the end of the batch.
        if let Some(mut record) = entry.session.receive(message, cx.now()) {
            let mut channel_cx = ChannelCx {
                entry: &mut entry,
                table,
                cx,
            };
            while let Some(event) = channel_cx.entry.session.next(&mut record) {
                dispatch(handler, conn, &mut channel_cx, event);
                channel_cx.fill_record();
            }
        }
        table.put(entry);
        if table.is_due() {
            table.serve_others(cx.hub());
        }
    }

    fn batch_end(&mut self, slot: &mut MultiplexedConn<H::Conn>, cx: &mut Cx<'_>) {
        self.serve(slot, cx, H::batch_end);
    }

    fn drained(&mut self, slot: &mut MultiplexedConn<H::Conn>, cx: &mut Cx<'_>) {
        self.serve(slot, cx, |_, _, cx| {
            cx.fill();
        });
    }

    fn timer(&mut self, slot: &mut MultiplexedConn<H::Conn>, cx: &mut Cx<'_>, token: u64) {
        if token != TIMER_TOKEN {
            return self.serve(slot, cx, |handler, conn, cx| handler.timer(conn, cx, token));
        }
        self.serve(slot, cx, |_, _, cx| {
            let now = cx.now();
            cx.entry.timer_fired(now);
            cx.entry.session.handle_timeout(cx.cx.write, now);
        });
    }

    fn stopping(&mut self, slot: &mut MultiplexedConn<H::Conn>, cx: &mut Cx<'_>) {
        self.serve(slot, cx, |_, _, cx| {
            cx.entry.session.channels_mut().go_away()
        });
    }

    fn close(&mut self, slot: MultiplexedConn<H::Conn>, id: ConnId, ended: Ended, stats: Stats) {
        let entry = self.table.take(id);
        self.table.open -= usize::from(entry.is_some());
        if let (Some(conn), Some(mut entry)) = (slot.0, entry) {
            let below = match &ended {
                Ended::Session(end) => Some(*end),
                Ended::Io(_) => Some(End::Failed(Failure::Io)),
                Ended::Stopped => None,
            };
            let failure = entry.session.handle_lost(below);
            self.handler.close(conn, id, ended, failure, stats);
        }
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        self.handler.connect_failed(token, error);
    }

    fn command(&mut self, hub: &mut Hub<'_>, command: H::Command) {
        let Self { handler, table, .. } = self;
        let mut channel_hub = ChannelHub {
            hub,
            table,
            current: None,
        };
        handler.command(&mut channel_hub, command);
        table.serve_others(hub);
    }

    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {
        self.handler.rejected(peer, error);
    }

    fn tune_refused(&mut self, peer: Option<PeerAddr>, report: &TuneReport) {
        self.handler.tune_refused(peer, report);
    }

    fn accept_failed(&mut self, error: io::Error) {
        self.handler.accept_failed(error);
    }
}
