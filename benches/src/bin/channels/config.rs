//! Limits of ours, and of the rivals where they have such.

use anyhow::Result;
use tickwire::channels::ChannelConfig;

/// Channels of a connection, with some to spare.
pub(crate) const CHANNELS_MAX: u32 = 8192;
/// What our windows may be widened to by default, one and all together, which is what the rivals get
/// at once.
pub(crate) const CHANNEL_WINDOW_BYTES: u32 = 4 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The defaults, but for the number of channels.
pub(crate) fn channels() -> Result<ChannelConfig> {
    let config = ChannelConfig::default()
        .channels_max(CHANNELS_MAX)
        .aliases_max(CHANNELS_MAX)
        .pending_opens_max(CHANNELS_MAX);
    Ok(config)
}
