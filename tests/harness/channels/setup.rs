//! ChannelConfig for simulations: narrow, so that every limit is met.

use tickwire::channels::ChannelConfig;

use crate::rng::Rng;

fn one_of<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.below(of.len())]
}

/// ChannelConfig of a random end; most windows take a few messages only.
#[must_use]
pub fn random(rng: &mut Rng) -> ChannelConfig {
    loop {
        let channels_max = one_of(rng, &[2, 3, 8]);
        let channel_window_bytes = one_of(rng, &[1024, 2500, 4096, 63 << 10, 64 << 10]);
        let channel_queue_bytes_max = one_of(rng, &[1024, 3000, 100_000]);
        let config = ChannelConfig::default()
            .record_bytes_max(one_of(rng, &[1024, 1500, 4096, 16 << 10]))
            .message_bytes_max(one_of(rng, &[300, 5000, 1 << 20]))
            .channels_max(channels_max)
            .pending_opens_max(one_of(rng, &[1, 2, 8]))
            .aliases_max(channels_max + one_of(rng, &[2, 8, 100]))
            .channel_window_bytes(channel_window_bytes)
            .channel_window_bytes_max(channel_window_bytes + one_of(rng, &[0, 1024, 100_000]))
            .channel_window_messages(one_of(rng, &[1, 2, 8, 20]))
            .frame_overhead_bytes(one_of(rng, &[16, 64, 200]))
            .auto_tune(rng.one_in(2))
            .window_growth_bytes_max(one_of(rng, &[0, 1000, 20_000, 16 << 20]))
            // Narrower than all channels ask for, in some.
            .receive_bytes_max([None, Some(u64::from(channel_window_bytes) * 2)][rng.below(2)])
            .metadata_bytes_max(64)
            .channel_queue_bytes_max(channel_queue_bytes_max)
            .connection_queue_bytes_max(channel_queue_bytes_max * one_of(rng, &[1, 2, 10]))
            .shared_aliases(one_of(rng, &[0, 1, 2]));
        if config.check().is_ok() {
            return config;
        }
    }
}
