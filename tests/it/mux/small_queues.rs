//! Local channels with small queues, and the costs of their messages.

use harness::frames_mux::Said;
use tickwire::channels::{ChannelConfig, ChannelId, OpenOptions};

use super::scripted_peer::Scene;

/// The cost of a frame beside its payload, by HELLO of the peer.
pub(super) const OVERHEAD: u64 = 64;

/// The cost of a queued message beside its payload.
pub(super) const ENTRY: usize = 64;

/// The length of the largest message that the peer allows, in bytes.
pub(super) const MESSAGE_MAX: usize = 30_000;

pub(super) fn config() -> ChannelConfig {
    ChannelConfig::default()
        .channel_queue_bytes_max(10_000)
        .connection_queue_bytes_max(18_000)
        .shared_aliases(8)
}

/// A local channel that uses the same alias in both directions.
pub(super) fn ours(scene: &mut Scene, options: OpenOptions, alias: u32, limit: u64) -> ChannelId {
    let (channel, own) = scene.open_ours(options.alias(alias), alias.into(), limit);
    assert_eq!(own, u64::from(alias));
    channel
}

pub(super) fn queued(scene: &Scene) -> usize {
    scene.core.stats().queued_bytes
}

/// Messages and bytes sent, credit of the channel, bytes queued.
pub(super) fn accounts(scene: &Scene, channel: ChannelId) -> (u64, u64, u64, usize) {
    let all = scene.core.stats();
    let own = scene.core.channel_stats(channel).expect("open");
    let sent = (own.messages_out, own.bytes_out);
    assert_eq!((all.messages_out, all.bytes_out), sent, "it is alone");
    (sent.0, sent.1, own.send_window, all.queued_bytes)
}

pub(super) fn payloads_or_runs(said: &[Said]) -> usize {
    let data = said.iter().map(|said| match said {
        Said::Data { payload, .. } => payload.len(),
        Said::Run { bytes, .. } => bytes.len(),
        other => panic!("{other:?}"),
    });
    data.sum()
}
