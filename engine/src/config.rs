//! The limits and deadlines of a connection as one value, checked as a whole.

use core::fmt;
use core::time::Duration;

/// How messages are delivered to the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// Every message whole.
    #[default]
    Whole,
    /// Every message in parts, as they arrive: see [`Message::Part`](crate::Message). Parts are not
    /// assembled, so a message may exceed the memory.
    Parts,
}

/// When queued output is written to the socket. Without an explicit flush, a driver writes at most
/// once for each connection and turn, except for messages so large that they are written without a
/// copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// After every send: the lowest latency for a single message, at the cost of one system call
    /// for each. Exceptions are written at the end of the batch: messages queued in an
    /// [`Outbox`](crate::Outbox) that the tokio driver lends with a batch, and messages queued on
    /// another connection of a reactor.
    Now,
    /// When the batch of received messages is processed, or on an explicit flush: one system call
    /// for all messages sent in between.
    #[default]
    EndOfBatch,
    /// As `EndOfBatch`, and as soon as at least this many bytes are queued.
    Bytes(usize),
}

/// Limits and deadlines of a connection.
///
/// Setters change one value each. Whoever takes a `Config` checks it as a whole, and fails with a
/// [`ConfigError`] that names the field, its value and what it must be; [`Config::check`] does the
/// same earlier. Connections share
/// one value: whatever takes a `Config` takes an `Arc<Config>` too.
///
/// ```
/// use std::time::Duration;
/// use tickwire::Config;
///
/// let config = Config::default()
///     .message_bytes_max(64 * 1024)
///     .idle_timeout(Some(Duration::from_secs(90)));
/// assert_eq!(config.message_bytes_max, 65_536);
///
/// let error = config.close_timeout(Duration::ZERO).check().unwrap_err();
/// assert_eq!(error.to_string(), "Config::close_timeout is 0ns: it must be more than zero");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Largest payload of a received message, in bytes. A longer message fails the connection with
    /// close code 1009, at the frame header that exceeds the limit. Default 16 MiB.
    pub message_bytes_max: u64,
    /// Largest payload of a received frame, in bytes. Close code 1009. Default 16 MiB.
    pub frame_bytes_max: u64,
    /// Largest number of frames in a received message. Bounds the work that empty fragments can
    /// cause. Close code 1009. Default 131,072, enough for 4 MiB in fragments of 32 bytes.
    pub fragments_max: u32,
    /// Whether messages are delivered whole or in parts. Default whole.
    pub delivery: Delivery,
    /// Whether the session answers Pings by itself (RFC 6455 section 5.5.2). Default yes.
    pub auto_pong: bool,
    /// Largest number of bytes in the send queue, headers included. A full queue refuses messages.
    /// Default 1 MiB.
    pub send_queue_bytes_max: usize,
    /// When output is written. Default at the end of each batch.
    pub flush: Flush,
    /// Interval of keep-alive Pings, which measure the round-trip time and detect a lost peer.
    /// `None`: no Pings. Default 20 s, below the idle limit of common middleboxes.
    pub ping_interval: Option<Duration>,
    /// Longest time from a Ping to its Pong or to any other byte of the peer. A Ping that was
    /// queued behind other output can take twice as long, because the time counts from when it is
    /// written. A silent peer is therefore detected `ping_interval` plus `pong_timeout` after its
    /// last byte. Default 10 s.
    pub pong_timeout: Duration,
    /// Longest time without a byte from the peer. `None`: no limit. Default `None`.
    ///
    /// Every byte counts, Pongs too. With a [`Self::ping_interval`], a peer that answers Pings is
    /// therefore never idle, and a peer that does not is detected by [`Self::pong_timeout`]: set an
    /// idle limit only without Pings. To detect a peer that is alive and sends no messages, use a
    /// deadline of the application, for example `Cx::timer` on a reactor or `tokio::time::timeout`
    /// around a receive, which is cancel safe.
    pub idle_timeout: Option<Duration>,
    /// Longest time for the close handshake, from the queueing of the Close to the end of the
    /// stream. After a failure, which the application learns at once, this is the time for the peer
    /// to read the Close, while further input is dropped. Default 2 s.
    pub close_timeout: Duration,
    /// Longest time without progress in writing queued output. Default 10 s.
    pub write_timeout: Duration,
    /// Longest time for the opening handshake. On a reactor it counts from the accepted socket, or
    /// from the start of connecting. In tasks, reading the request and writing the response have
    /// this time each, and connecting is limited by `Connector::connect_timeout`. Default 10 s.
    pub handshake_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
            frame_bytes_max: 16 << 20,
            fragments_max: 1 << 17,
            delivery: Delivery::Whole,
            auto_pong: true,
            send_queue_bytes_max: 1 << 20,
            flush: Flush::EndOfBatch,
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(10),
            idle_timeout: None,
            close_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

/// Smallest send queue, in bytes: it has space for the largest control frames.
const SEND_QUEUE_BYTES_MIN: usize = 1024;

/// Bytes from which nothing fits in memory.
const MEMORY_BYTES_MAX: usize = isize::MAX as usize / 2;

impl Config {
    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`ConfigError`] names the field, its value, and what the value must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let max = self.message_bytes_max;
        require(max > 0, "Config::message_bytes_max", max, "1 or more")?;
        require(
            self.delivery == Delivery::Parts
                || usize::try_from(max).is_ok_and(|max| max < MEMORY_BYTES_MAX),
            "Config::message_bytes_max",
            max,
            "so small that a message fits in memory, unless Config::delivery is Parts",
        )?;
        require(
            self.frame_bytes_max > 0,
            "Config::frame_bytes_max",
            self.frame_bytes_max,
            "1 or more",
        )?;
        require(
            self.fragments_max > 0,
            "Config::fragments_max",
            self.fragments_max,
            "1 or more",
        )?;
        require(
            self.send_queue_bytes_max >= SEND_QUEUE_BYTES_MIN,
            "Config::send_queue_bytes_max",
            self.send_queue_bytes_max,
            "1,024 or more",
        )?;
        require(
            self.send_queue_bytes_max < MEMORY_BYTES_MAX,
            "Config::send_queue_bytes_max",
            self.send_queue_bytes_max,
            "so small that the queue fits in memory",
        )?;
        require(
            self.flush != Flush::Bytes(0),
            "Config::flush",
            "Bytes(0)",
            "Bytes(1) or more, or Now to write after every send",
        )?;
        require(
            self.ping_interval != Some(Duration::ZERO),
            "Config::ping_interval",
            Duration::ZERO,
            "more than zero, or None to send no Pings",
        )?;
        require(
            self.idle_timeout != Some(Duration::ZERO),
            "Config::idle_timeout",
            Duration::ZERO,
            "more than zero, or None to wait for ever",
        )?;
        for (field, time) in [
            ("Config::pong_timeout", self.pong_timeout),
            ("Config::close_timeout", self.close_timeout),
            ("Config::write_timeout", self.write_timeout),
            ("Config::handshake_timeout", self.handshake_timeout),
        ] {
            require(!time.is_zero(), field, time, MORE_THAN_ZERO)?;
        }
        Ok(())
    }
}

setters!(Config {
    message_bytes_max: u64,
    frame_bytes_max: u64,
    fragments_max: u32,
    delivery: Delivery,
    auto_pong: bool,
    send_queue_bytes_max: usize,
    flush: Flush,
    ping_interval: Option<Duration>,
    pong_timeout: Duration,
    idle_timeout: Option<Duration>,
    close_timeout: Duration,
    write_timeout: Duration,
    handshake_timeout: Duration,
});

/// A field of a configuration has a value that cannot work: of [`Config`],
/// [`ChannelConfig`](crate::channels::ChannelConfig), the options of a reactor, or the options to
/// open or accept a channel. The text says
/// which field of which type, what its value is, and what the value must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigError {
    field: &'static str,
    value: Value,
    must_be: &'static str,
    /// The value of the other field that `must_be` names last.
    other: Option<Value>,
}

impl ConfigError {
    /// The field, with its type: `Config::close_timeout`, say.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            must_be,
            other,
        } = self;
        write!(f, "{field} is {value}: it must be {must_be}")?;
        match other {
            Some(other) => write!(f, " ({other})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for ConfigError {}

/// What most deadlines must be.
pub(crate) const MORE_THAN_ZERO: &str = "more than zero";

/// The value of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Number(u64),
    Time(Duration),
    Text(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => write!(f, "{time:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

/// An error of `field`, unless the rule `holds` that its value is `must_be`.
pub(crate) fn require(
    holds: bool,
    field: &'static str,
    value: impl Into<Value>,
    must_be: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError {
        field,
        value: value.into(),
        must_be,
        other: None,
    })
}

/// As [`require`], for a rule that compares with the value of another field, which `must_be` names
/// last.
pub(crate) fn require_beside(
    holds: bool,
    field: &'static str,
    value: impl Into<Value>,
    must_be: &'static str,
    other: impl Into<Value>,
) -> Result<(), ConfigError> {
    require(holds, field, value, must_be).map_err(|error| ConfigError {
        other: Some(other.into()),
        ..error
    })
}

#[cfg(test)]
mod tests;
