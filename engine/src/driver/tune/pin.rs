//! Pins threads to cores.

use std::{io, num::NonZero, thread};

#[cfg(any(target_os = "linux", target_os = "android"))]
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// Number of online cores of this machine, including cores that the calling thread may not run on.
///
/// On Linux this includes cores that `isolcpus` reserves for pinned threads, and does not change in
/// a thread that is itself pinned. Elsewhere it is
/// [`available_parallelism`](thread::available_parallelism). At least 1.
#[must_use]
pub fn cores() -> usize {
    online()
        .as_deref()
        .and_then(count_cores)
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// Pins the calling thread to one core, until the thread ends.
///
/// `core` is the system's number of the core, from 0 (Linux: `/sys/devices/system/cpu`). Offline
/// cores leave gaps in the numbers.
///
/// ```
/// # if cfg!(target_os = "linux") {
/// let error = tickwire::net::pin_current_thread(1_000_000).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// # }
/// ```
///
/// # Errors
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a core that does not exist, is offline, or is
/// outside the cpuset of this process; the text lists the online cores.
/// [`Unsupported`](io::ErrorKind::Unsupported) on systems other than Linux and Android.
pub fn pin_current_thread(core: usize) -> io::Result<()> {
    pin(core)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn pin(core: usize) -> io::Result<()> {
    use rustix::{
        io::Errno,
        thread::{CpuSet, sched_setaffinity},
    };
    if core >= CpuSet::MAX_CPU {
        return Err(no_such_core(core));
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| {
        if error == Errno::INVAL {
            no_such_core(core)
        } else {
            error.into()
        }
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn no_such_core(core: usize) -> io::Error {
    let online = online().unwrap_or_default();
    io::Error::new(
        io::ErrorKind::InvalidInput,
        std::format!(
            "core {core} does not exist, is offline, or is outside this process's cpuset; \
             online: {}",
            online.trim()
        ),
    )
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pin(_core: usize) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "threads can be pinned on Linux and Android only",
    ))
}

/// The kernel's list of online cores, in its format: `0-3,6`.
fn online() -> Option<std::string::String> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        std::fs::read_to_string(ONLINE).ok()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        None
    }
}

/// Number of cores in such a list; `None` if the text is not one.
pub(super) fn count_cores(list: &str) -> Option<usize> {
    let mut total = 0_usize;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        let count = last.checked_sub(first)?.checked_add(1)?;
        total = total.checked_add(count)?;
    }
    Some(total)
}
