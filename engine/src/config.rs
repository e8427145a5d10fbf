//! One value that holds every limit and deadline of a connection, checked as a whole.

use core::fmt;
use core::time::Duration;

/// How messages reach the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// Every message in one piece.
    #[default]
    Whole,
    /// Every message in the pieces in which it arrives, as [`Message::Part`](crate::Message):
    /// nothing is assembled, so a message may be larger than memory.
    Parts,
}

/// When queued output is written to the socket. A driver never writes more than once per
/// connection and turn unless told to, but for what is so large that it is not copied first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// After every send: the lowest latency for a lone message, one system call for each. What is
    /// queued in an [`Outbox`](crate::Outbox) lent beside a batch of the tokio driver, or in that
    /// of another connection of a reactor, still goes out at the end of the batch.
    Now,
    /// When the batch of received messages has been handled, or on an explicit flush: one
    /// system call for all that was sent meanwhile.
    #[default]
    EndOfBatch,
    /// As `EndOfBatch`, and also as soon as this many bytes wait.
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
    /// Payload bytes of one received message. A longer one is refused with 1009 at the header
    /// that makes it too long. Default 16 MiB.
    pub message_bytes_max: u64,
    /// Payload bytes of one received frame. Default 16 MiB.
    pub frame_bytes_max: u64,
    /// Frames of one received message: bounds the work that empty fragments can cause.
    /// Default 131,072, which lets 4 MiB come in pieces of 64 bytes.
    pub fragments_max: u32,
    /// Whole messages, or parts as they arrive. Default whole.
    pub delivery: Delivery,
    /// Whether Pings are answered without the application's doing. Default yes.
    pub auto_pong: bool,
    /// Bytes that may wait to be sent; a full queue refuses. Default 1 MiB.
    pub send_queue_bytes_max: usize,
    /// When output is written. Default at the end of each batch.
    pub flush: Flush,
    /// How often a Ping measures the round trip and proves that the peer is there. `None`:
    /// never. Default 20 s, below the idle limit of common middleboxes.
    pub ping_interval: Option<Duration>,
    /// How long after a Ping its Pong, or at least some byte, must have come. Default 10 s. Up to
    /// twice as long where the Ping had to wait for other output: it counts from when it is out.
    /// The application is told then, `ping_interval` and this after the last byte.
    pub pong_timeout: Duration,
    /// How long the peer may send nothing at all. `None`: for ever. Default none.
    pub idle_timeout: Option<Duration>,
    /// How long the closing handshake may take, from when our Close is queued to the end of the
    /// stream. Default 2 s. Where the connection has failed, the application knows before: it is the
    /// time in which the peer may read our Close, and in which what it still sends is read away.
    pub close_timeout: Duration,
    /// How long the peer may take none of our waiting output. Default 10 s.
    pub write_timeout: Duration,
    /// How long the opening handshake may take. On a reactor it counts from when the socket was
    /// accepted, or from when connecting began; in tasks reading the request and writing the answer
    /// have it each, and connecting has `Connector::connect_timeout`. Default 10 s.
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

/// Bytes below which a send queue could not hold the largest control frames.
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
/// [`ChannelConfig`](crate::channels::ChannelConfig) or the options of a reactor. The text says
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
