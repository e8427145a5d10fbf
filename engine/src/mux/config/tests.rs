use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;

/// Every field with values that cannot work, and what the error says of each.
#[test]
fn each_field_is_checked() {
    let config = ChannelConfig::default;
    // A new field does not compile before it is here.
    let ChannelConfig {
        record_bytes_max: _,
        message_bytes_max: _,
        channels_max: _,
        pending_opens_max: _,
        aliases_max: _,
        channel_window_bytes: _,
        channel_window_bytes_max: _,
        channel_window_messages: _,
        frame_overhead_bytes: _,
        idle_timeout: _,
        auto_tune: _, // both values work
        window_growth_bytes_max: _,
        receive_bytes_max: _,
        metadata_bytes_max: _,
        partial_timeout: _,
        close_timeout: _,
        channel_queue_bytes_max: _,
        connection_queue_bytes_max: _,
        shared_aliases: _,
    } = config();
    let seconds = Duration::from_secs;
    const OVER_2_20: u32 = (1 << 20) + 1;
    const OVER_2_30: u32 = (1 << 30) + 1;
    // Field, value and bounds.
    let rows: Vec<(ChannelConfig, &str, &str, &str)> = vec![
        (
            config().record_bytes_max(1023),
            "record_bytes_max",
            "1023",
            "1,024 to 1,048,576",
        ),
        (
            config().record_bytes_max(OVER_2_20),
            "record_bytes_max",
            "1048577",
            "1,024 to 1,048,576",
        ),
        (
            config().message_bytes_max(0),
            "message_bytes_max",
            "0",
            "1 to 2^30",
        ),
        (
            config().message_bytes_max(OVER_2_30),
            "message_bytes_max",
            "1073741825",
            "1 to 2^30",
        ),
        (config().channels_max(0), "channels_max", "0", "1 to 2^20"),
        (
            config().channels_max(OVER_2_20),
            "channels_max",
            "1048577",
            "1 to 2^20",
        ),
        (
            config().pending_opens_max(0),
            "pending_opens_max",
            "0",
            "1 to 2^20",
        ),
        (
            config().pending_opens_max(OVER_2_20),
            "pending_opens_max",
            "1048577",
            "1 to 2^20",
        ),
        (config().aliases_max(0), "aliases_max", "0", "1 to 2^20"),
        (
            config().aliases_max(OVER_2_20),
            "aliases_max",
            "1048577",
            "1 to 2^20",
        ),
        (
            config().aliases_max(1023),
            "aliases_max",
            "1023",
            "at least channels_max: each channel that the peer opens needs one (1024)",
        ),
        (
            config().channel_window_bytes(1023),
            "channel_window_bytes",
            "1023",
            "1,024 to 2^30",
        ),
        (
            config().channel_window_bytes(OVER_2_30),
            "channel_window_bytes",
            "1073741825",
            "1,024 to 2^30",
        ),
        (
            config()
                .channel_window_bytes(1024)
                .frame_overhead_bytes(1024),
            "channel_window_bytes",
            "1024",
            "wide enough for eight messages of a byte: widen it, or lower frame_overhead_bytes (1024)",
        ),
        (
            config().channel_window_bytes_max(65_535),
            "channel_window_bytes_max",
            "65535",
            "at most 2^30, and at least channel_window_bytes (65536)",
        ),
        (
            config().channel_window_bytes_max(OVER_2_30),
            "channel_window_bytes_max",
            "1073741825",
            "at most 2^30, and at least channel_window_bytes (65536)",
        ),
        (
            config().channel_window_messages(0),
            "channel_window_messages",
            "0",
            "1 to 2^20",
        ),
        (
            config().channel_window_messages(OVER_2_20),
            "channel_window_messages",
            "1048577",
            "1 to 2^20",
        ),
        (
            config().frame_overhead_bytes(15),
            "frame_overhead_bytes",
            "15",
            "16 to 1,024",
        ),
        (
            config().frame_overhead_bytes(1025),
            "frame_overhead_bytes",
            "1025",
            "16 to 1,024",
        ),
        (
            config().idle_timeout(Duration::from_millis(2999)),
            "idle_timeout",
            "2.999s",
            "3 s to 2^30 s: a third of it is the interval of PINGs, of which a peer takes one a second",
        ),
        (
            config().idle_timeout(seconds((1 << 30) + 1)),
            "idle_timeout",
            "1073741825s",
            "3 s to 2^30 s: a third of it is the interval of PINGs, of which a peer takes one a second",
        ),
        (
            config().window_growth_bytes_max(OVER_2_30),
            "window_growth_bytes_max",
            "1073741825",
            "at most 2^30",
        ),
        (
            config().metadata_bytes_max(0),
            "metadata_bytes_max",
            "0",
            "1 to 4,000",
        ),
        (
            config().metadata_bytes_max(4001),
            "metadata_bytes_max",
            "4001",
            "1 to 4,000",
        ),
        (
            config().record_bytes_max(1024).metadata_bytes_max(897),
            "metadata_bytes_max",
            "897",
            "so small that an OPEN fits one record: at least 128 below record_bytes_max (1024)",
        ),
        (
            config().partial_timeout(Duration::ZERO),
            "partial_timeout",
            "0ns",
            "more than zero",
        ),
        (
            config().close_timeout(Duration::ZERO),
            "close_timeout",
            "0ns",
            "more than zero",
        ),
        (
            config().channel_queue_bytes_max(1023),
            "channel_queue_bytes_max",
            "1023",
            "1,024 to 2^30",
        ),
        (
            config().channel_queue_bytes_max(OVER_2_30),
            "channel_queue_bytes_max",
            "1073741825",
            "1,024 to 2^30",
        ),
        (
            config().connection_queue_bytes_max(262_143),
            "connection_queue_bytes_max",
            "262143",
            "at most 2^30, and at least channel_queue_bytes_max (262144)",
        ),
        (
            config().connection_queue_bytes_max(OVER_2_30),
            "connection_queue_bytes_max",
            "1073741825",
            "at most 2^30, and at least channel_queue_bytes_max (262144)",
        ),
        (
            config().shared_aliases(OVER_2_20),
            "shared_aliases",
            "1048577",
            "at most 2^20",
        ),
    ];
    for (config, field, value, must_be) in rows {
        let said = std::format!("ChannelConfig::{field} is {value}: it must be {must_be}");
        let error = config.check().expect_err(&said);
        assert_eq!(error.to_string(), said);
    }
    let window = config().channel_bytes();
    let error = config().receive_bytes_max(Some(window - 1)).check();
    let said = std::format!(
        "ChannelConfig::receive_bytes_max is {}: it must be None, or at least what the window of one channel may bring ({window})",
        window - 1
    );
    assert_eq!(error.expect_err(&said).to_string(), said);
    assert_eq!(config().receive_bytes_max(Some(window)).check(), Ok(()));
    assert_eq!(config().auto_tune(false).check(), Ok(()));
}
