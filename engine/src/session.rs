//! The composition root: what a driver holds for each connection.

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

/// What the driver must do with the socket now. See [`Session::shutdown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Nothing: the connection lives, or waits for a write, or for the peer.
    Not,
    /// Shut down its sending half and read on: our Close is out, and closing the whole socket
    /// now could destroy it at the peer together with what is still unread here.
    Half,
    /// Close it.
    Full,
}

/// The randomness that a connection needs, from the operating system or, in a test, from a
/// seed.
#[derive(Clone, Copy)]
pub struct Entropy(pub [u8; 32]);

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// One endpoint of an open WebSocket connection: RFC 6455 without a socket and without a clock.
///
/// A driver gives it bytes and the time, and does what it asks. One turn of a driver:
///
/// 1. [`attach`](Self::attach) a buffer, read into [`space`](Self::space), tell
///    [`handle_read`](Self::handle_read) how much came (or [`handle_eof`](Self::handle_eof),
///    [`handle_broken`](Self::handle_broken), [`handle_blocked`](Self::handle_blocked)).
/// 2. [`receive`](Self::receive): drain the [`Batch`] while sending into the [`Outbox`], until
///    [`wants_read`](Self::wants_read). Before each batch, [`look_ahead`](Self::look_ahead): where
///    it says so, 3 and 4 come first, so that Pings and a Close are answered before they are lent.
/// 3. [`settle`](Self::settle): replies to control frames are queued, the state moves on.
/// 4. While [`wants_write`](Self::wants_write): write the slices of
///    [`transmit`](Self::transmit), tell [`handle_written`](Self::handle_written) how much of
///    them went.
/// 5. Do what [`shutdown`](Self::shutdown) says; [`detach`](Self::detach) buffers.
/// 6. At [`poll_timeout`](Self::poll_timeout), call [`handle_timeout`](Self::handle_timeout)
///    and go on with 4.
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

// What an idle connection costs, beside its driver's share: buffers, and what belongs to a message
// that is half received or sent, are made when they are needed.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Session>() <= 248);

impl Session {
    /// An endpoint whose opening handshake is done and has `agreed` on this (a [`Role`] alone,
    /// where there is nothing else); `leftover` are the bytes that came glued to it.
    ///
    /// # Errors
    /// [`ConfigError`], as [`Config::check`].
    pub fn new(
        agreed: impl Into<Agreed>,
        config: impl Into<Arc<Config>>,
        entropy: Entropy,
        leftover: &[u8],
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let (agreed, config) = (agreed.into(), config.into());
        config.check()?;
        // Pings show the nonce to the peer: never a part of the seed itself.
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
                stalled: OptionalTimestamp::NONE,
                end: None,
            },
        })
    }

    /// The same endpoint, with bytes that must go out before anything else: an answer to the
    /// opening handshake, or what an earlier owner of the stream left unsent.
    #[must_use]
    pub fn with_unsent(mut self, unsent: bytes::Bytes) -> Self {
        self.write.outbox.resume(unsent);
        self
    }

    /// The same endpoint of a connection that has ended under an earlier owner: it tells that end,
    /// takes and gives no message, and closes the stream when [`Self::with_unsent`], which comes
    /// before this, is out.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.read.resume_end(&mut self.write, end);
        self
    }

    /// Takes buffers from the pool to read into and write from.
    #[inline]
    pub fn attach(&mut self, pool: &mut BufPool) {
        self.read.attach(pool);
        self.write.attach(pool);
    }

    /// Gives buffers back, but for what half-received and unsent bytes need.
    #[inline]
    pub fn detach(&mut self, pool: &mut BufPool) {
        self.read.detach(pool);
        self.write.detach(pool);
    }

    /// Where the next read goes; empty without [`Self::attach`].
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        self.read.space()
    }

    /// A read brought `n` bytes into [`Self::space`].
    #[inline]
    pub fn handle_read(&mut self, n: usize, now: Timestamp) {
        self.read.handle_read(n, now);
    }

    /// The peer will send nothing more. Without a Close before it, that is [`Failure::Eof`].
    pub fn handle_eof(&mut self) {
        self.read.handle_eof();
    }

    /// Reading failed: the peer will send nothing more, and gets nothing more. Without a Close
    /// before it, that is [`Failure::Io`], or what writing had failed with before.
    pub fn handle_broken(&mut self) {
        self.read.handle_broken();
        self.write.fail(Failure::Io);
    }

    /// As [`ReadSide::handle_blocked`].
    pub fn handle_blocked(&mut self) -> bool {
        self.read.handle_blocked(&mut self.write)
    }

    /// As [`ReadSide::look_ahead`].
    #[inline]
    pub fn look_ahead(&mut self) -> bool {
        self.read.look_ahead()
    }

    /// The messages received, and the outbox to answer them with.
    #[inline]
    pub fn receive(&mut self) -> (Batch<'_>, &mut Outbox) {
        (self.read.batch(), &mut self.write.outbox)
    }

    /// Both halves, each to be driven on its own.
    #[inline]
    pub fn halves(&mut self) -> (&mut ReadSide, &mut WriteSide) {
        (&mut self.read, &mut self.write)
    }

    /// Whether all that was received has been drained, so that only a read helps.
    #[inline]
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.read.wants_read()
    }

    /// Lets what was received act on what is to be sent: Pongs, the answer to a Close, the end.
    #[inline]
    pub fn settle(&mut self, now: Timestamp) {
        self.read.settle(&mut self.write, now);
    }

    /// The sending half.
    #[inline]
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.write.outbox
    }

    /// Whether there is anything to write.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.write.wants_write()
    }

    /// The slices to write, in order. Write, and call [`Self::handle_written`], before the
    /// outbox is used again: a Pong that is queued in between may take its place among them.
    #[inline]
    pub fn transmit(&mut self) -> Transmit<'_> {
        self.write.transmit()
    }

    /// The socket took `n` bytes of [`Self::transmit`]; zero when it would block.
    #[inline]
    pub fn handle_written(&mut self, n: usize, now: Timestamp) {
        self.write.handle_written(n, now);
    }

    /// Before [`Self::handle_written`] with zero: the stream would block, and has perhaps taken in
    /// the first `n` bytes of the first slice of [`Self::transmit`], so that it has to be offered
    /// these again, and counts them later. Some TLS libraries do so: they encrypt, then write. No
    /// control frame is put before these bytes.
    pub fn handle_kept(&mut self, n: usize) {
        self.write.handle_kept(n);
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.read.poll_timeout(self.write.deadline())
    }

    /// Sends a due Ping, or ends a connection whose deadline passed. Calling early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.read.handle_timeout(&mut self.write, now);
    }

    /// What to do with the socket.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.read.shutdown(&self.write)
    }

    /// How the connection ended, once that is known: it does not change any more. The socket may
    /// still have to be flushed and closed: [`Self::shutdown`] says so.
    ///
    /// That sending has failed ends the connection when all has been received that the peer had
    /// sent before, perhaps its Close.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.read.end()
    }

    /// As [`ReadSide::has_failed`].
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.read.has_failed()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        self.read.agreed()
    }

    /// Which end this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.agreed().role()
    }

    /// The last round trip measured by a Ping of the keepalive. Where that had to wait for other
    /// output, up to `pong_timeout` of the wait may be in it.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.read.rtt()
    }

    /// Messages and payload bytes in both directions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (received, sent) = (self.read.stats(), self.write.stats());
        Stats {
            messages_out: sent.messages_out,
            bytes_out: sent.bytes_out,
            ..received
        }
    }

    /// As [`ReadSide::pardon`].
    pub fn pardon(&mut self, silence: Duration) {
        self.read.pardon(silence);
    }

    /// Takes the halves apart, for two tasks.
    #[must_use]
    pub fn split(self) -> (ReadSide, WriteSide) {
        (self.read, self.write)
    }

    /// Puts the halves of one connection together again.
    #[must_use]
    pub fn join(read: ReadSide, write: WriteSide) -> Self {
        Self { read, write }
    }

    /// Ends the endpoint and gives back every byte: what was received and not delivered, as
    /// wire bytes, and what was queued and not written.
    ///
    /// The parts of a message that [`Delivery::Parts`](crate::Delivery) has delivered already
    /// are gone: whoever goes on sees the rest as a message of its own. Hand over between
    /// messages, or under [`Delivery::Whole`](crate::Delivery).
    ///
    /// The same goes for sending: whoever goes on does not know of a message that was begun with
    /// [`Outbox::send_part`], nor of a Close that was queued or sent. Hand over when the last part
    /// is queued, and not where [`Outbox::is_closing`]. A Ping that was answered before it was lent
    /// is answered once more.
    #[must_use]
    pub fn into_parts(self) -> (alloc::vec::Vec<u8>, alloc::vec::Vec<u8>) {
        (self.read.into_unread(), self.write.outbox.into_unsent())
    }
}

/// Data messages, and their payload bytes, since the connection opened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Messages received.
    pub messages_in: u64,
    /// Payload bytes of the messages received.
    pub bytes_in: u64,
    /// Messages queued for sending.
    pub messages_out: u64,
    /// Payload bytes queued for sending.
    pub bytes_out: u64,
}
