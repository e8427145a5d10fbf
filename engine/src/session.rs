//! [`Session`]: what a driver holds for each connection.

mod channel_session;
pub(crate) mod channels;
mod read;
mod write;

use alloc::sync::Arc;
use core::time::Duration;

use crate::agreed::Agreed;
use crate::buf::BufPool;
use crate::config::{Config, ConfigError};
use crate::conn::{Batch, Inbox, Keepalive, MaskKeys, Outbox, Transmit};
use crate::error::Failure;
use crate::role::Role;
use crate::time::{OptionalTimestamp, Timestamp};

pub use crate::error::End;
pub use read::{LINGER_BYTES_MAX, ReadSide, UNREAD_CONTROL_BYTES_MAX};
pub use write::WriteSide;

/// What the driver must do with the socket now: see [`Session::shutdown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Nothing: the connection is open, or waits for a write or for the peer.
    None,
    /// Shut down the sending half and continue reading. The Close of this endpoint is written;
    /// closing the socket with unread bytes in it would send a reset, which can destroy the Close
    /// at the peer.
    Write,
    /// Close the socket.
    Close,
}

/// Random bytes for the mask keys of a client and for the keep-alive. They must come from a
/// cryptographically secure generator, fresh for each connection (RFC 6455 section 10.3). A test
/// may use a fixed seed.
#[derive(Clone, Copy)]
pub struct Entropy(pub [u8; 32]);

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// One endpoint of an open WebSocket connection (RFC 6455), without a socket and without a clock.
///
/// A driver passes received bytes and the time in, and performs the I/O that the session asks for.
/// One turn of a driver:
///
/// 1. [`attach`](Self::attach) a buffer, read into [`space`](Self::space), and report the result
///    with [`handle_read`](Self::handle_read), [`handle_eof`](Self::handle_eof),
///    [`handle_read_error`](Self::handle_read_error) or
///    [`handle_read_would_block`](Self::handle_read_would_block).
/// 2. Until [`wants_read`](Self::wants_read): call [`receive`](Self::receive) and take all messages
///    of the [`Batch`] while sending into the [`Outbox`]. Call [`look_ahead`](Self::look_ahead)
///    before each batch. If it returns `true`, do 3 and 4 first, so that a Ping or Close is
///    answered before it is lent.
/// 3. [`queue_replies`](Self::queue_replies): queue the replies to control frames and update the
///    state of the connection.
/// 4. While [`wants_write`](Self::wants_write): write the slices of [`transmit`](Self::transmit),
///    and report the bytes written with [`handle_written`](Self::handle_written).
/// 5. Do what [`shutdown`](Self::shutdown) returns. [`detach`](Self::detach) buffers.
/// 6. At [`poll_timeout`](Self::poll_timeout): call [`handle_timeout`](Self::handle_timeout) and
///    continue with 4.
///
/// ```
/// use tickwire::sans_io::{BufPool, Entropy, Session};
/// use tickwire::{Message, Role, Config, Timestamp};
///
/// let (now, mut pool) = (Timestamp(0), BufPool::default());
/// let new = |role| Session::new(role, Config::default(), Entropy([7; 32]), &[], now);
/// let (mut client, mut server) = (new(Role::Client)?, new(Role::Server)?);
///
/// client.outbox().send(b"tick")?;
/// server.attach(&mut pool);
/// let mut sent = 0;
/// for slice in client.transmit() {
///     server.space()[sent..sent + slice.len()].copy_from_slice(slice);
///     sent += slice.len();
/// }
/// client.handle_written(sent, now);
/// server.handle_read(sent, now);
///
/// let (mut batch, _outbox) = server.receive();
/// assert_eq!(batch.next(), Some(Ok(Message::Binary(b"tick"))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    read: ReadSide,
    write: WriteSide,
}

// The memory of an idle connection, without the part of the driver. Buffers and the state of
// incomplete messages are allocated on demand.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Session>() <= 248);

impl Session {
    /// An endpoint after its opening handshake, which has `agreed` on these parameters. A [`Role`]
    /// is enough if there is no sub-protocol. `leftover` are the bytes that were received after the
    /// handshake: the first frames.
    ///
    /// # Errors
    /// [`ConfigError`] as from [`Config::check`].
    pub fn new(
        agreed: impl Into<Agreed>,
        config: impl Into<Arc<Config>>,
        entropy: Entropy,
        leftover: &[u8],
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let (agreed, config) = (agreed.into(), config.into());
        config.check()?;
        // Pings reveal the nonce to the peer, so it is generator output and not part of the seed.
        let mut keys = MaskKeys::new(entropy.0);
        let (high, low) = (keys.next(), keys.next());
        let nonce = u64::from(u32::from_be_bytes(high)) << 32 | u64::from(u32::from_be_bytes(low));
        let keys = (agreed.role() == Role::Client).then_some(keys);
        Ok(Self {
            read: {
                let inbox = Inbox::new(&agreed, config.clone(), leftover);
                ReadSide::new(agreed, inbox, Keepalive::new(&config, nonce, now))
            },
            write: WriteSide {
                outbox: Outbox::new(config, keys),
                stalled_since: OptionalTimestamp::NONE,
                end: None,
            },
        })
    }

    /// Queues bytes that must be written before any frame: the response of the opening handshake,
    /// or the unsent bytes of an earlier owner of the stream.
    #[must_use]
    pub fn with_unsent(mut self, unsent: bytes::Bytes) -> Self {
        self.write.outbox.prepend_unsent(unsent);
        self
    }

    /// Marks the connection as ended under an earlier owner of the stream. The session reports
    /// `end`, accepts and lends no message, and closes the stream when the bytes of
    /// [`Self::with_unsent`] are written. Call it after `with_unsent`.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.read.restore_end(&mut self.write, end);
        self
    }

    /// Takes buffers from the pool for reading and writing.
    #[inline]
    pub fn attach(&mut self, pool: &mut BufPool) {
        self.read.attach(pool);
        self.write.attach(pool);
    }

    /// Returns buffers to the pool, except memory that incomplete frames and unwritten bytes need.
    #[inline]
    pub fn detach(&mut self, pool: &mut BufPool) {
        self.read.detach(pool);
        self.write.detach(pool);
    }

    /// The space for the next read. Empty without [`Self::attach`].
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        self.read.space()
    }

    /// A read filled the first `n` bytes of [`Self::space`].
    #[inline]
    pub fn handle_read(&mut self, n: usize, now: Timestamp) {
        self.read.handle_read(n, now);
    }

    /// The stream has ended. Without a Close before it, the connection ends with [`Failure::Eof`].
    pub fn handle_eof(&mut self) {
        self.read.handle_eof();
    }

    /// A read failed: the stream is lost in both directions. Without a Close before it, the
    /// connection ends with [`Failure::Io`], or with an earlier failure of a write.
    pub fn handle_read_error(&mut self) {
        self.read.handle_read_error();
        self.write.fail(Failure::Io);
    }

    /// As [`ReadSide::handle_read_would_block`].
    pub fn handle_read_would_block(&mut self) -> bool {
        self.read.handle_read_would_block(&mut self.write)
    }

    /// As [`ReadSide::look_ahead`].
    #[inline]
    pub fn look_ahead(&mut self) -> bool {
        self.read.look_ahead()
    }

    /// The received messages, and the outbox to send from while they are borrowed.
    #[inline]
    pub fn receive(&mut self) -> (Batch<'_>, &mut Outbox) {
        (self.read.batch(), &mut self.write.outbox)
    }

    /// Both halves, to drive each on its own.
    #[inline]
    pub fn halves(&mut self) -> (&mut ReadSide, &mut WriteSide) {
        (&mut self.read, &mut self.write)
    }

    /// Whether all received bytes are processed, so that only a read can bring a message.
    #[inline]
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.read.wants_read()
    }

    /// Applies the received control frames and failures to the sending half: queues Pongs and the
    /// Close, and decides the end of the connection.
    #[inline]
    pub fn queue_replies(&mut self, now: Timestamp) {
        self.read.queue_replies(&mut self.write, now);
    }

    /// The sending half, to queue messages.
    #[inline]
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.write.outbox
    }

    /// Whether there are bytes to write.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.write.wants_write()
    }

    /// The slices to write, in order. Write them and call [`Self::handle_written`] before the
    /// outbox is used again: a Pong that is queued in between may be inserted among them.
    #[inline]
    pub fn transmit(&mut self) -> Transmit<'_> {
        self.write.transmit()
    }

    /// The socket accepted the first `n` bytes of [`Self::transmit`]; 0 if the write would block.
    #[inline]
    pub fn handle_written(&mut self, n: usize, now: Timestamp) {
        self.write.handle_written(n, now);
    }

    /// Call this before [`Self::handle_written`] with zero if the stream may have buffered the
    /// first `n` bytes of the first slice of [`Self::transmit`], although the write would block.
    /// Such a stream must be offered the same bytes again and reports them later; some TLS
    /// libraries behave like this, because they encrypt before they write. No control frame is
    /// inserted before these bytes.
    pub fn handle_buffered(&mut self, n: usize) {
        self.write.handle_buffered(n);
    }

    /// The time of the next [`Self::handle_timeout`]. `None` if no deadline is set.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.read.poll_timeout(self.write.deadline())
    }

    /// Queues a Ping that is due, or ends a connection whose deadline has passed. An early call has
    /// no effect.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.read.handle_timeout(&mut self.write, now);
    }

    /// What the driver must do with the socket now.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.read.shutdown(&self.write)
    }

    /// How the connection ended; `None` while it has not. Does not change once it is `Some`. The
    /// driver may still have to write and to close the socket: see [`Self::shutdown`].
    ///
    /// After a failed write the connection ends when all bytes that the peer sent before are
    /// received, because a Close may be among them.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.read.end()
    }

    /// As [`ReadSide::has_failed`].
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.read.has_failed()
    }

    /// The parameters that the opening handshake agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        self.read.agreed()
    }

    /// The role of this endpoint.
    #[must_use]
    pub fn role(&self) -> Role {
        self.agreed().role()
    }

    /// The last round-trip time measured by a Ping of the keep-alive. `None` before the first. If
    /// the Ping was queued behind other output, the value can include up to `pong_timeout` of that
    /// wait.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.read.rtt()
    }

    /// Counters of messages and payload bytes in both directions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (received, sent) = (self.read.stats(), self.write.stats());
        Stats {
            messages_out: sent.messages_out,
            bytes_out: sent.bytes_out,
            ..received
        }
    }

    /// As [`ReadSide::extend_deadlines`].
    pub fn extend_deadlines(&mut self, pause: Duration) {
        self.read.extend_deadlines(pause);
    }

    /// Splits the session into its halves, for two tasks.
    #[must_use]
    pub fn split(self) -> (ReadSide, WriteSide) {
        (self.read, self.write)
    }

    /// Joins the two halves of one session.
    #[must_use]
    pub fn join(read: ReadSide, write: WriteSide) -> Self {
        Self { read, write }
    }

    /// Ends the session and returns all remaining bytes: the received bytes that were not
    /// delivered, as wire bytes, and the queued bytes that were not written.
    ///
    /// Parts of a message that [`Delivery::Parts`](crate::Delivery) has already delivered are not
    /// returned: the next owner sees the rest as a message of its own. Hand over between messages,
    /// or use [`Delivery::Whole`](crate::Delivery).
    ///
    /// The next owner does not know of a message that is open in [`Outbox::send_part`], nor of a
    /// Close that was queued or sent. Hand over after the last part is queued, and not when
    /// [`Outbox::is_closing`]. A Ping that was answered and not lent is answered once more.
    #[must_use]
    pub fn into_parts(self) -> (alloc::vec::Vec<u8>, alloc::vec::Vec<u8>) {
        (self.read.into_unread(), self.write.outbox.into_unsent())
    }
}

/// Counters of data messages and their payload bytes since the connection opened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Data messages received.
    pub messages_in: u64,
    /// Payload bytes of the data messages received.
    pub bytes_in: u64,
    /// Data messages queued for sending.
    pub messages_out: u64,
    /// Payload bytes of the data messages queued for sending.
    pub bytes_out: u64,
}
