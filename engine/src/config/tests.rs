use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;

/// Every field with values that cannot work, and what the error says of each.
#[test]
fn each_field_is_checked() {
    let config = Config::default;
    // A new field does not compile before it is here.
    let Config {
        message_bytes_max: _,
        frame_bytes_max: _,
        fragments_max: _,
        delivery: _,  // both values work
        auto_pong: _, // both values work
        send_queue_bytes_max: _,
        flush: _,
        ping_interval: _,
        pong_timeout: _,
        idle_timeout: _,
        close_timeout: _,
        write_timeout: _,
        handshake_timeout: _,
    } = config();
    let zero = Duration::ZERO;
    let rows: Vec<(Config, &str)> = vec![
        (
            config().message_bytes_max(0),
            "Config::message_bytes_max is 0: it must be 1 or more",
        ),
        (
            config().message_bytes_max(u64::MAX),
            "Config::message_bytes_max is 18446744073709551615: it must be so small that a message fits in memory, unless Config::delivery is Parts",
        ),
        (
            config().frame_bytes_max(0),
            "Config::frame_bytes_max is 0: it must be 1 or more",
        ),
        (
            config().fragments_max(0),
            "Config::fragments_max is 0: it must be 1 or more",
        ),
        (
            config().send_queue_bytes_max(1023),
            "Config::send_queue_bytes_max is 1023: it must be 1,024 or more",
        ),
        (
            config().send_queue_bytes_max(isize::MAX as usize / 2),
            "it must be so small that the queue fits in memory",
        ),
        (
            config().flush(Flush::Bytes(0)),
            "Config::flush is Bytes(0): it must be Bytes(1) or more, or Now to write after every send",
        ),
        (
            config().ping_interval(Some(zero)),
            "Config::ping_interval is 0ns: it must be more than zero, or None to send no Pings",
        ),
        (
            config().idle_timeout(Some(zero)),
            "Config::idle_timeout is 0ns: it must be more than zero, or None to wait for ever",
        ),
        (
            config().pong_timeout(zero),
            "Config::pong_timeout is 0ns: it must be more than zero",
        ),
        (
            config().close_timeout(zero),
            "Config::close_timeout is 0ns: it must be more than zero",
        ),
        (
            config().write_timeout(zero),
            "Config::write_timeout is 0ns: it must be more than zero",
        ),
        (
            config().handshake_timeout(zero),
            "Config::handshake_timeout is 0ns: it must be more than zero",
        ),
    ];
    for (config, said) in rows {
        let error = config.check().expect_err(said);
        assert!(error.to_string().ends_with(said), "{error}");
        assert!(error.to_string().starts_with(error.field()), "{error}");
    }
    let largest = config()
        .message_bytes_max(u64::MAX)
        .delivery(Delivery::Parts);
    assert_eq!(largest.check(), Ok(()));
    let small = config()
        .message_bytes_max(1)
        .frame_bytes_max(1)
        .fragments_max(1)
        .send_queue_bytes_max(1024)
        .flush(Flush::Bytes(1))
        .ping_interval(None)
        .auto_pong(false);
    assert_eq!(small.check(), Ok(()));
}
