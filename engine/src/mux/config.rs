//! Limits of a connection with channels, as one checked value.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use super::credit;
use super::open::Unit;

/// Limits and deadlines of a connection with channels. The first part is announced to the peer,
/// which must keep to it; the second is our own.
///
/// ```
/// use tickwire::channels::Config;
///
/// let settings = Config {
///     channel_window_bytes: 256 * 1024,
///     message_bytes_max: 100_000,
///     ..Config::default()
/// }
/// .build()?;
/// # Ok::<(), tickwire::channels::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Bytes of the largest record that the peer may send. Bounds how long a message of high
    /// priority waits for one of low priority that is on its way. 1 KiB to 1 MiB; default 16,448, a
    /// message of 16 KiB with its header.
    pub record_bytes_max: u32,
    /// Bytes of the largest message of any channel; each channel has a limit of its own below.
    /// Default 1 MiB.
    pub message_bytes_max: u32,
    /// Channels of the peer's that may be open at once. Default 1,024.
    pub channels_max: u32,
    /// Channels of the peer's that may wait for our answer at once. Default 64.
    pub pending_opens_max: u32,
    /// The peer's aliases are below this; four bytes of memory each, when used. At most 2^20;
    /// default 4,096.
    pub aliases_max: u32,
    /// Bytes that the peer may have in flight and unread on all channels together, beyond
    /// [`Self::reserve_bytes`] for each. Default 1 MiB.
    pub connection_window_bytes: u32,
    /// What auto-tuning may widen that to. Default 16 MiB.
    pub connection_window_bytes_max: u32,
    /// The same for one channel that does not say otherwise. Default 64 KiB.
    pub channel_window_bytes: u32,
    /// What auto-tuning may widen that to. Default 4 MiB.
    pub channel_window_bytes_max: u32,
    /// Messages that the peer may have in flight and unread on a channel that counts messages
    /// and does not say otherwise. Few, so that what is stale stays with the sender, who can
    /// still conflate it. Default 8.
    pub channel_window_messages: u32,
    /// Bytes charged for each frame beside its payload: what a queued frame costs the receiver,
    /// so that empty messages are not free. 16 to 1,024; default 64.
    pub frame_overhead_bytes: u32,
    /// Silence after which the connection is given up; the smaller of both ends' counts. A PING
    /// goes out after a third of it. Default 30 s.
    pub idle_timeout: Duration,

    /// Windows are widened where the round trip, not the reader, is what holds a sender back.
    /// Default on.
    pub auto_tune: bool,
    /// Bytes of each channel that do not count against the connection's window: what other
    /// channels cannot take from it. Up to [`Self::channels_max`] times this are held beyond
    /// [`Self::connection_window_bytes`]. Default 4 KiB.
    pub reserve_bytes: u32,
    /// Bytes of topic and metadata together of a channel that the peer opens. Default 1 KiB.
    pub metadata_bytes_max: u32,
    /// Time from one fragment of a message to the next, which a sender's channels of higher
    /// priority may hold back for 256 KiB of theirs. Fragments that are shorter than a quarter of
    /// a record, or of the channel's largest message where that is less, win no time: no sender
    /// makes such but the last. Default 10 s.
    pub partial_timeout: Duration,
    /// Time for the connection's channels to end after GOAWAY, and for the last record to leave.
    /// Default 2 s.
    pub close_timeout: Duration,
    /// Time for which the connection's window may be nearly used up (less than a quarter free, or
    /// than the largest message of any open channel costs) before the channel with the most unread
    /// bytes is stopped. Twice that is how long credit of the peer's is saved up for a message that
    /// smaller ones have passed, at most. Default 5 s.
    pub stall_timeout: Duration,
    /// Bytes that a channel keeps for sending, beyond one message. Default 256 KiB.
    pub channel_queue_bytes_max: u32,
    /// Bytes that all channels together keep for sending, beyond one message of each.
    /// Default 4 MiB.
    pub connection_queue_bytes_max: u32,
    /// Aliases below this are given to channels by the application, the same for a topic on
    /// every connection, so that a message encoded once goes out on all of them. Default none.
    pub shared_aliases: u32,
}

/// A message of 16 KiB with its header, whole.
const RECORD_BYTES_MAX: u32 = (16 << 10) + 64;

impl Default for Config {
    fn default() -> Self {
        Self {
            record_bytes_max: RECORD_BYTES_MAX,
            message_bytes_max: 1 << 20,
            channels_max: 1024,
            pending_opens_max: 64,
            aliases_max: 4096,
            connection_window_bytes: 1 << 20,
            connection_window_bytes_max: 16 << 20,
            channel_window_bytes: 64 << 10,
            channel_window_bytes_max: 4 << 20,
            channel_window_messages: 8,
            frame_overhead_bytes: 64,
            idle_timeout: Duration::from_secs(30),
            auto_tune: true,
            reserve_bytes: 4 << 10,
            metadata_bytes_max: 1 << 10,
            partial_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            stall_timeout: Duration::from_secs(5),
            channel_queue_bytes_max: 256 << 10,
            connection_queue_bytes_max: 4 << 20,
            shared_aliases: 0,
        }
    }
}

/// Bytes up to which a window may be set: windows of two ends add up without overflow.
const WINDOW_BYTES_MAX: u32 = 1 << 30;

/// Whether a rule holds, and what it says.
type Check = (bool, &'static str);

impl Config {
    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`ConfigError`] names the field and what it must be.
    pub fn build(self) -> Result<Settings, ConfigError> {
        let mut checks = self
            .sizes()
            .chain(self.windows())
            .chain(self.times_and_queues());
        match checks.find(|(holds, _)| !holds) {
            Some((_, what)) => Err(ConfigError(what)),
            None => Ok(Settings(Arc::new(self))),
        }
    }

    /// Records, messages, channels.
    fn sizes(&self) -> impl Iterator<Item = Check> + use<> {
        [
            (
                (1 << 10..=1 << 20).contains(&self.record_bytes_max),
                "record_bytes_max must be 1,024 to 1,048,576",
            ),
            (
                (1..=1 << 30).contains(&self.message_bytes_max),
                "message_bytes_max must be 1 to 2^30",
            ),
            (
                (1..=1 << 20).contains(&self.channels_max),
                "channels_max must be 1 to 2^20",
            ),
            (
                self.pending_opens_max >= 1,
                "pending_opens_max must be at least 1",
            ),
            (
                (1..=1 << 20).contains(&self.aliases_max),
                "aliases_max must be 1 to 2^20",
            ),
            (
                self.aliases_max >= self.channels_max,
                "aliases_max must not be below channels_max: each channel of the peer's takes one",
            ),
            (
                (16..=1024).contains(&self.frame_overhead_bytes),
                "frame_overhead_bytes must be 16 to 1,024",
            ),
            (
                self.idle_timeout >= Duration::from_secs(3),
                "idle_timeout must be at least 3 s: a third of it is the interval of PINGs, of which a peer takes one a second",
            ),
        ]
        .into_iter()
    }

    /// Windows.
    fn windows(&self) -> impl Iterator<Item = Check> + use<> {
        let window = |w: u32| (1024..=WINDOW_BYTES_MAX).contains(&w);
        let largest = credit::message_max(
            self.channel_window_bytes,
            self.connection_window_bytes,
            self.frame_overhead_bytes,
            self.record_bytes_max,
        );
        [
            (
                window(self.connection_window_bytes),
                "connection_window_bytes must be 1,024 to 2^30",
            ),
            (
                window(self.channel_window_bytes),
                "channel_window_bytes must be 1,024 to 2^30",
            ),
            (
                (self.connection_window_bytes..=WINDOW_BYTES_MAX)
                    .contains(&self.connection_window_bytes_max),
                "connection_window_bytes_max must be from connection_window_bytes to 2^30",
            ),
            (
                (self.channel_window_bytes..=WINDOW_BYTES_MAX)
                    .contains(&self.channel_window_bytes_max),
                "channel_window_bytes_max must be from channel_window_bytes to 2^30",
            ),
            (
                largest.is_some(),
                "channel_window_bytes and connection_window_bytes must have room for a message: widen them, or lower frame_overhead_bytes",
            ),
            (
                (1..=1 << 20).contains(&self.channel_window_messages),
                "channel_window_messages must be 1 to 2^20",
            ),
            (
                self.reserve_bytes <= self.channel_window_bytes,
                "reserve_bytes must not be above channel_window_bytes",
            ),
        ]
        .into_iter()
    }

    /// Deadlines and queues.
    fn times_and_queues(&self) -> impl Iterator<Item = Check> + use<> {
        [
            (
                self.idle_timeout <= Duration::from_secs(1 << 30),
                "idle_timeout must be at most 2^30 s",
            ),
            (
                (1..=4000).contains(&self.metadata_bytes_max),
                "metadata_bytes_max must be 1 to 4,000",
            ),
            (
                self.metadata_bytes_max + 128 <= self.record_bytes_max,
                "metadata_bytes_max must leave 128 bytes of record_bytes_max: an OPEN fits one record",
            ),
            (
                !self.partial_timeout.is_zero(),
                "partial_timeout must not be zero",
            ),
            (
                !self.close_timeout.is_zero(),
                "close_timeout must not be zero",
            ),
            (
                !self.stall_timeout.is_zero(),
                "stall_timeout must not be zero",
            ),
            (
                (1024..=WINDOW_BYTES_MAX).contains(&self.channel_queue_bytes_max),
                "channel_queue_bytes_max must be 1,024 to 2^30",
            ),
            (
                (self.channel_queue_bytes_max..=WINDOW_BYTES_MAX)
                    .contains(&self.connection_queue_bytes_max),
                "connection_queue_bytes_max must be from channel_queue_bytes_max to 2^30",
            ),
            (
                self.shared_aliases <= 1 << 20,
                "shared_aliases must be at most 2^20",
            ),
        ]
        .into_iter()
    }

    /// Bytes of the largest message that a channel with the default window takes.
    pub(super) fn default_message_max(&self, unit: Unit) -> u32 {
        let max = |window| {
            credit::message_max(
                window,
                self.connection_window_bytes,
                self.frame_overhead_bytes,
                self.record_bytes_max,
            )
        };
        credit::default_message_max(
            unit,
            max,
            self.channel_window_bytes,
            self.connection_window_bytes,
        )
        .min(self.message_bytes_max)
    }
}

/// A [`Config`] that has been checked, shared by all connections that use it.
#[derive(Clone, Debug)]
pub struct Settings(Arc<Config>);

impl Deref for Settings {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self(Arc::new(Config::default()))
    }
}

/// A field of [`Config`] has a value that cannot work. Says which and what it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigError(&'static str);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for ConfigError {}
