use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;

/// Options with one invalid value each, and the text of the error.
fn broken() -> Vec<(ReactorOptions, &'static str)> {
    let options = ReactorOptions::default;
    let heads = HeadLimits::default();
    // A new field does not compile before it is here.
    let ReactorOptions {
        config: _,
        head_limits: _,
        tune: _,
        wait: _, // refused on tokio only
        core: _, // refused on tokio, and where the thread is pinned
        recv_buffer_bytes: _,
        events_max: _,
    } = options();
    vec![
        (
            options().config(Config::default().fragments_max(0)),
            "Config::fragments_max is 0: it must be 1 or more",
        ),
        (
            options().head_limits(HeadLimits {
                head_bytes_max: 0,
                ..heads
            }),
            "HeadLimits::head_bytes_max is 0: it must be 1 or more",
        ),
        (
            options().head_limits(HeadLimits {
                headers_max: 0,
                ..heads
            }),
            "HeadLimits::headers_max is 0: it must be 1 or more",
        ),
        (
            options().tune(Tune::new().backlog(0)),
            "Tune::backlog is 0: it must be 1 to 2,147,483,647",
        ),
        (
            options().tune(Tune::new().backlog(1 << 31)),
            "Tune::backlog is 2147483648: it must be 1 to 2,147,483,647",
        ),
        (
            options().recv_buffer_bytes(4095),
            "ReactorOptions::recv_buffer_bytes is 4095: it must be 4,096 to 2^30",
        ),
        (
            options().recv_buffer_bytes((1 << 30) + 1),
            "ReactorOptions::recv_buffer_bytes is 1073741825: it must be 4,096 to 2^30",
        ),
        (
            options().events_max(0),
            "ReactorOptions::events_max is 0: it must be 1 to 2^20",
        ),
        (
            options().events_max((1 << 20) + 1),
            "ReactorOptions::events_max is 1048577: it must be 1 to 2^20",
        ),
    ]
}

#[test]
fn each_field_is_checked() {
    for (options, expected) in broken() {
        assert_eq!(options.check().expect_err(expected).to_string(), expected);
    }
    assert_eq!(ReactorOptions::default().check(), Ok(()));
}

#[cfg(feature = "tokio")]
#[test]
fn a_reactor_on_tokio_refuses_thread_options() {
    let options = ReactorOptions::default;
    let pin = "None on tokio: pin the threads of the runtime with net::pin_current_thread";
    let park = "Park on tokio, where the runtime waits";
    for (options, field, value, must_be) in [
        (options().wait(Wait::Spin), "wait", "Spin", park),
        (
            options().wait(Wait::SpinThenPark(Duration::ZERO)),
            "wait",
            "SpinThenPark",
            park,
        ),
        (options().core(Some(3)), "core", "3", pin),
    ] {
        assert_eq!(options.check(), Ok(()));
        let expected = std::format!("ReactorOptions::{field} is {value}: it must be {must_be}");
        let error = options.check_for_runtime().expect_err(&expected);
        assert_eq!(error.to_string(), expected);
    }
}

#[cfg(feature = "mio")]
#[test]
fn each_field_of_a_group_is_checked() {
    use crate::driver::{ReactorsOptions, Share};

    let options = ReactorsOptions::default;
    // A new field does not compile before it is here.
    let ReactorsOptions {
        threads: _,
        first_core: _,
        share: _, // both values are valid
        each: _,
        ..
    } = options();
    const THREADS: &str = "1 to 1,024: use at most net::cores()";
    let rows = [
        (
            options().threads(0),
            std::format!("ReactorsOptions::threads is 0: it must be {THREADS}"),
        ),
        (
            options().threads(1025),
            std::format!("ReactorsOptions::threads is 1025: it must be {THREADS}"),
        ),
        (
            options().threads(2).first_core(Some(usize::MAX)),
            std::format!(
                "ReactorsOptions::first_core is {}: it must be the number of a core that is followed by enough cores for all threads (2)",
                usize::MAX
            ),
        ),
    ];
    for (options, expected) in rows {
        assert_eq!(options.check().expect_err(&expected).to_string(), expected);
    }
    for (each, expected) in broken() {
        let error = options().each(each).check();
        assert_eq!(error.expect_err(expected).to_string(), expected);
    }
    assert_eq!(options().share(Share::HandOff).check(), Ok(()));
}
