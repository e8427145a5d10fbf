//! Limits of tickwire, and of the rivals where they have the same limits.

use tickwire::channels::ChannelConfig;

/// Channels of a connection, with a margin.
pub(crate) const CHANNELS_MAX: u32 = 8192;
/// Largest windows that tickwire grows to by default, for one channel and for all. The rivals have
/// these windows from the start.
pub(crate) const CHANNEL_WINDOW_BYTES: u32 = 4 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The defaults, except for the number of channels.
pub(crate) fn channels() -> ChannelConfig {
    ChannelConfig::default()
        .channels_max(CHANNELS_MAX)
        .aliases_max(CHANNELS_MAX)
        .pending_opens_max(CHANNELS_MAX)
}
