//! The configuration of a connection with channels.

use core::time::Duration;

use super::credit::{Announced, MESSAGES_BEFORE_ACCEPT};
use super::open::Unit;
use crate::config::{ConfigError, MORE_THAN_ZERO, require, require_beside};

/// Limits and deadlines of a connection with channels. The first group is announced to the peer,
/// which must keep to it; the second is local.
///
/// Each setter sets one field. Functions that take a `ChannelConfig` check it as a whole and fail
/// with a [`ConfigError`] that names the field, its value and its bounds; [`ChannelConfig::check`]
/// does the same earlier. They also take an `Arc<ChannelConfig>`, so that connections can share one
/// value.
///
/// ```
/// use tickwire::channels::ChannelConfig;
///
/// let config = ChannelConfig::default()
///     .channel_window_bytes(256 * 1024)
///     .message_bytes_max(100_000);
/// assert!(config.check().is_ok());
/// assert!(config.aliases_max(0).check().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChannelConfig {
    /// Bytes of the largest record that the peer may send. It bounds how long a message of high
    /// priority waits for a record of low priority that is being sent. 1 KiB to 1 MiB; default
    /// 16,448: a message of 16 KiB with its header.
    pub record_bytes_max: u32,
    /// Bytes of the largest message on any channel that this end receives. Default 1 MiB. The
    /// window of a channel allows less by default: a message must fit the part of the window that
    /// is always free.
    ///
    /// | window | largest message | if credit counts messages |
    /// |--:|--:|--:|
    /// | 16 KiB ([`Self::untrusted_internet`]) | 12,033 bytes | 1,920 bytes |
    /// | 64 KiB (default) | 32,193 bytes | 8,000 bytes |
    /// | 256 KiB | 128,961 bytes | 32,192 bytes |
    /// | 1 MiB | 516,161 bytes | 128,960 bytes |
    ///
    /// The window is [`Self::channel_window_bytes`], with the default records and frame overhead;
    /// conflated channels count messages by default. Larger messages must be cut up, or the window
    /// and the largest message of a channel raised together, with
    /// [`AcceptOptions::window`](super::AcceptOptions::window) and
    /// [`AcceptOptions::message_bytes_max`](super::AcceptOptions::message_bytes_max), or the
    /// methods of the same names of [`OpenOptions`](super::OpenOptions), up to this limit.
    pub message_bytes_max: u32,
    /// Channels opened by the peer that may be open at once. Default 1,024.
    pub channels_max: u32,
    /// Channels opened by the peer that may wait for an answer at once. At most 2^20; default 64.
    pub pending_opens_max: u32,
    /// The peer's aliases must be below this. Each used alias takes four bytes of memory. At most
    /// 2^20; default 4,096.
    pub aliases_max: u32,
    /// Default receive window of a channel: bytes that the peer may have in flight and unread.
    /// Windows are not shared between channels. The window bounds the largest message: see the
    /// table at [`Self::message_bytes_max`]. Default 64 KiB.
    pub channel_window_bytes: u32,
    /// Bytes up to which auto-tuning may enlarge a channel's window, within
    /// [`Self::window_growth_bytes_max`]. Default 4 MiB.
    pub channel_window_bytes_max: u32,
    /// Default receive window of a channel whose credit counts messages. A small value keeps
    /// outdated messages at the sender, which can still conflate them. Default 8.
    pub channel_window_messages: u32,
    /// Bytes charged for each frame in addition to its payload: what a queued frame costs the
    /// receiver, so that empty messages are not free. 16 to 1,024; default 64.
    pub frame_overhead_bytes: u32,
    /// Time without a received record after which the connection fails; the smaller value of both
    /// ends applies. A PING is sent after a third of it. Default 30 s.
    pub idle_timeout: Duration,

    /// Enlarge windows where the round trip, not the reader, limits the sender. Default on.
    pub auto_tune: bool,
    /// Bytes by which auto-tuning may enlarge the windows of all channels together. A channel that
    /// no longer uses its growth returns it for other channels. Default 16 MiB.
    pub window_growth_bytes_max: u32,
    /// Upper limit, in bytes, of what all channels opened by the peer may make this end hold, if
    /// lower than what [`Self::receive_budget_bytes`] computes. A channel whose window does not fit
    /// is refused with [`ErrorCode::LIMIT`](super::ErrorCode::LIMIT). Default none.
    pub receive_bytes_max: Option<u64>,
    /// Bytes of topic and metadata together when a channel is opened, by either end, and bytes of
    /// the metadata in this end's answer. A channel of the peer with more is refused with
    /// [`ErrorCode::LIMIT`](super::ErrorCode::LIMIT); opening, accepting or rejecting with more
    /// fails with [`OpenError::Options`](super::OpenError). Default 1 KiB.
    pub metadata_bytes_max: u32,
    /// Time limit from one fragment of a message to the next. At the sender, 256 KiB of channels
    /// with higher priority may go first. A fragment shorter than a quarter of a record (or of the
    /// channel's largest message, if that is less) does not restart the time: senders make such
    /// fragments only as the last. Default 10 s.
    pub partial_timeout: Duration,
    /// Time for the channels to end after GOAWAY, and for the last record to be sent. Default 2 s.
    pub close_timeout: Duration,
    /// Bytes of a channel's send queue; one message is always accepted. Default 256 KiB.
    pub channel_queue_bytes_max: u32,
    /// Bytes of all send queues together; one message per channel is always accepted. Default 4
    /// MiB.
    pub connection_queue_bytes_max: u32,
    /// Aliases below this are assigned by the application, the same alias for a topic on every
    /// connection, so that a message encoded once can be sent on all of them. Default 0.
    pub shared_aliases: u32,
}

/// A message of 16 KiB with its header.
const RECORD_BYTES_MAX: u32 = (16 << 10) + 64;

impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            record_bytes_max: RECORD_BYTES_MAX,
            message_bytes_max: 1 << 20,
            channels_max: 1024,
            pending_opens_max: 64,
            aliases_max: 4096,
            channel_window_bytes: 64 << 10,
            channel_window_bytes_max: 4 << 20,
            channel_window_messages: 8,
            frame_overhead_bytes: 64,
            idle_timeout: Duration::from_secs(30),
            auto_tune: true,
            window_growth_bytes_max: 16 << 20,
            receive_bytes_max: None,
            metadata_bytes_max: 1 << 10,
            partial_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            channel_queue_bytes_max: 256 << 10,
            connection_queue_bytes_max: 4 << 20,
            shared_aliases: 0,
        }
    }
}

/// Largest window in bytes: the sum of two windows does not overflow.
const WINDOW_BYTES_MAX: u32 = 1 << 30;

impl ChannelConfig {
    /// Limits for unknown peers: 16 channels of 16 KiB, and at most 1.25 MiB of unread messages,
    /// whatever the peer does. Messages are at most 12,033 bytes on a channel with the default
    /// window, and 1,920 bytes if its credit counts messages.
    ///
    /// ```
    /// use tickwire::channels::ChannelConfig;
    ///
    /// let config = ChannelConfig::untrusted_internet();
    /// assert_eq!(config.receive_budget_bytes(), (16 * 16 + 1024) * 1024);
    /// ```
    #[must_use]
    pub fn untrusted_internet() -> Self {
        Self {
            channels_max: 16,
            pending_opens_max: 16,
            aliases_max: 64,
            channel_window_bytes: 16 << 10,
            channel_window_bytes_max: 1 << 20,
            window_growth_bytes_max: 1 << 20,
            channel_queue_bytes_max: 64 << 10,
            connection_queue_bytes_max: 1 << 20,
            ..Self::default()
        }
    }

    /// Upper bound, in bytes, of the peer's unread messages that this end can hold on all channels
    /// opened by the peer, frame overhead included: the sum of all granted windows and of their
    /// growth.
    ///
    /// ```text
    /// channels_max * channel_window_bytes + window_growth_bytes_max      80 MiB by default
    /// ```
    ///
    /// Where the default window grants more than eight messages
    /// ([`Self::channel_window_messages`]), their largest size counts if it is more than the window
    /// in bytes. [`Self::receive_bytes_max`] lowers the sum. Windows that the application grants
    /// beyond the defaults, in [`OpenOptions`](super::OpenOptions) and
    /// [`AcceptOptions`](super::AcceptOptions), are not included.
    #[must_use]
    pub fn receive_budget_bytes(&self) -> u64 {
        let channels = u64::from(self.channels_max) * self.channel_bytes();
        let all = channels + u64::from(self.window_growth_bytes_max);
        self.receive_bytes_max.map_or(all, |max| max.min(all))
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`ConfigError`] names the field, its value, and what the value must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_sizes()?;
        self.check_windows()?;
        self.check_times()?;
        self.check_queues()
    }

    /// Records, messages, channels.
    fn check_sizes(&self) -> Result<(), ConfigError> {
        for (field, value, bounds, must_be) in [
            (
                "ChannelConfig::record_bytes_max",
                self.record_bytes_max,
                1 << 10..=1 << 20,
                "1,024 to 1,048,576",
            ),
            (
                "ChannelConfig::message_bytes_max",
                self.message_bytes_max,
                1..=1 << 30,
                "1 to 2^30",
            ),
            (
                "ChannelConfig::channels_max",
                self.channels_max,
                1..=1 << 20,
                "1 to 2^20",
            ),
            (
                "ChannelConfig::pending_opens_max",
                self.pending_opens_max,
                1..=1 << 20,
                "1 to 2^20",
            ),
            (
                "ChannelConfig::aliases_max",
                self.aliases_max,
                1..=1 << 20,
                "1 to 2^20",
            ),
            (
                "ChannelConfig::shared_aliases",
                self.shared_aliases,
                0..=1 << 20,
                "at most 2^20",
            ),
            (
                "ChannelConfig::frame_overhead_bytes",
                self.frame_overhead_bytes,
                16..=1024,
                "16 to 1,024",
            ),
            (
                "ChannelConfig::metadata_bytes_max",
                self.metadata_bytes_max,
                1..=4000,
                "1 to 4,000",
            ),
        ] {
            require(bounds.contains(&value), field, value, must_be)?;
        }
        require_beside(
            self.aliases_max >= self.channels_max,
            "ChannelConfig::aliases_max",
            self.aliases_max,
            "at least channels_max: each channel that the peer opens needs one",
            self.channels_max,
        )?;
        require_beside(
            self.metadata_bytes_max + 128 <= self.record_bytes_max,
            "ChannelConfig::metadata_bytes_max",
            self.metadata_bytes_max,
            "so small that an OPEN fits one record: at least 128 below record_bytes_max",
            self.record_bytes_max,
        )
    }

    /// Windows.
    fn check_windows(&self) -> Result<(), ConfigError> {
        require(
            (1024..=WINDOW_BYTES_MAX).contains(&self.channel_window_bytes),
            "ChannelConfig::channel_window_bytes",
            self.channel_window_bytes,
            "1,024 to 2^30",
        )?;
        require_beside(
            (self.channel_window_bytes..=WINDOW_BYTES_MAX).contains(&self.channel_window_bytes_max),
            "ChannelConfig::channel_window_bytes_max",
            self.channel_window_bytes_max,
            "at most 2^30, and at least channel_window_bytes",
            self.channel_window_bytes,
        )?;
        let announced = self.announced();
        let largest = announced.message_max().and(announced.counted_message_max());
        require_beside(
            largest.is_some(),
            "ChannelConfig::channel_window_bytes",
            self.channel_window_bytes,
            "wide enough for eight messages of a byte: widen it, or lower frame_overhead_bytes",
            self.frame_overhead_bytes,
        )?;
        require(
            (1..=1 << 20).contains(&self.channel_window_messages),
            "ChannelConfig::channel_window_messages",
            self.channel_window_messages,
            "1 to 2^20",
        )?;
        require(
            self.window_growth_bytes_max <= WINDOW_BYTES_MAX,
            "ChannelConfig::window_growth_bytes_max",
            self.window_growth_bytes_max,
            "at most 2^30",
        )?;
        let window = self.channel_bytes();
        let max = self.receive_bytes_max.unwrap_or(window);
        require_beside(
            max >= window,
            "ChannelConfig::receive_bytes_max",
            max,
            "None, or at least what the window of one channel may bring",
            window,
        )
    }

    /// Deadlines.
    fn check_times(&self) -> Result<(), ConfigError> {
        let bounds = Duration::from_secs(3)..=Duration::from_secs(1 << 30);
        require(
            bounds.contains(&self.idle_timeout),
            "ChannelConfig::idle_timeout",
            self.idle_timeout,
            "3 s to 2^30 s: a third of it is the interval of PINGs, of which a peer takes one a second",
        )?;
        for (field, time) in [
            ("ChannelConfig::partial_timeout", self.partial_timeout),
            ("ChannelConfig::close_timeout", self.close_timeout),
        ] {
            require(!time.is_zero(), field, time, MORE_THAN_ZERO)?;
        }
        Ok(())
    }

    /// Queues.
    fn check_queues(&self) -> Result<(), ConfigError> {
        require(
            (1024..=WINDOW_BYTES_MAX).contains(&self.channel_queue_bytes_max),
            "ChannelConfig::channel_queue_bytes_max",
            self.channel_queue_bytes_max,
            "1,024 to 2^30",
        )?;
        require_beside(
            (self.channel_queue_bytes_max..=WINDOW_BYTES_MAX)
                .contains(&self.connection_queue_bytes_max),
            "ChannelConfig::connection_queue_bytes_max",
            self.connection_queue_bytes_max,
            "at most 2^30, and at least channel_queue_bytes_max",
            self.channel_queue_bytes_max,
        )
    }

    /// The announced values, from which both ends compute message sizes.
    pub(super) fn announced(&self) -> Announced {
        Announced {
            window: self.channel_window_bytes.into(),
            overhead: self.frame_overhead_bytes.into(),
            record: self.record_bytes_max.into(),
        }
    }

    /// Bytes of the largest message on a channel with the default window.
    fn default_message_max(&self, unit: Unit) -> u32 {
        let max = self.announced().default_message_max(unit);
        max.min(self.message_bytes_max)
    }

    /// The largest cost in bytes of one unit of a channel's window: 1, or, where messages are
    /// counted, a message of `message_max` cut into the most fragments.
    pub(super) fn unit_bytes(&self, unit: Unit, message_max: u32) -> u64 {
        match unit {
            Unit::Bytes => 1,
            Unit::Messages => self.announced().cost(message_max.into()),
        }
    }

    /// The largest number of bytes that the window of a channel accepted with the defaults can
    /// bring. Where it counts messages, the opener may send eight before the answer.
    fn default_window_bytes(&self, unit: Unit) -> u64 {
        let messages = u64::from(self.channel_window_messages).max(MESSAGES_BEFORE_ACCEPT);
        let window = unit.cost(self.channel_window_bytes.into(), messages);
        window * self.unit_bytes(unit, self.default_message_max(unit))
    }

    /// The defaults of a channel of this unit.
    pub(super) fn defaults(&self, unit: Unit) -> Defaults {
        let message_max = self.default_message_max(unit);
        Defaults {
            message_max,
            // Eight of them make a window, which is at most 2^30 bytes.
            unit_bytes: self.unit_bytes(unit, message_max) as u32,
            window_bytes: self.default_window_bytes(unit),
        }
    }

    /// The largest number of bytes that the default window of any channel can bring.
    pub(super) fn channel_bytes(&self) -> u64 {
        let by_messages = self.default_window_bytes(Unit::Messages);
        by_messages.max(self.channel_window_bytes.into())
    }
}

/// The defaults of channels of one unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Defaults {
    /// Bytes of the largest message.
    pub(super) message_max: u32,
    /// The largest cost in bytes of a unit of the window.
    pub(super) unit_bytes: u32,
    /// The largest number of bytes that the window can bring when the channel is accepted.
    pub(super) window_bytes: u64,
}

setters!(ChannelConfig {
    record_bytes_max: u32,
    message_bytes_max: u32,
    channels_max: u32,
    pending_opens_max: u32,
    aliases_max: u32,
    channel_window_bytes: u32,
    channel_window_bytes_max: u32,
    channel_window_messages: u32,
    frame_overhead_bytes: u32,
    idle_timeout: Duration,
    auto_tune: bool,
    window_growth_bytes_max: u32,
    receive_bytes_max: Option<u64>,
    metadata_bytes_max: u32,
    partial_timeout: Duration,
    close_timeout: Duration,
    channel_queue_bytes_max: u32,
    connection_queue_bytes_max: u32,
    shared_aliases: u32,
});

#[cfg(test)]
mod tests;
