//! A process as the operating system sees it.

#[path = "../compare/process.rs"]
#[expect(dead_code, reason = "`compare` uses more of it")]
mod shared;

pub(crate) use shared::{
    CPU_CLOCK, Usage, anonymous_bytes, die_with_parent, pin, raise_open_files_limit,
};

use nix::time::{ClockId, clock_gettime};

/// A clock that all processes of a machine share, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        let (seconds, rest) = (time.tv_sec(), time.tv_nsec());
        u64::try_from(seconds).unwrap_or(0) * 1_000_000_000 + u64::try_from(rest).unwrap_or(0)
    })
}
