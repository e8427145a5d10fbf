//! A process as the operating system sees it: cores, limits, CPU time, memory.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// The clocks, for the report. Both count nanoseconds in the scheduler, not timer ticks.
pub(crate) const CPU_CLOCK: &str = "server: clock_getcpuclockid(pid), user + system of all threads, ns; client: CLOCK_THREAD_CPUTIME_ID, ns";

/// Pins the calling thread, and every thread that it starts later, to one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores
        .set(core)
        .with_context(|| format!("an affinity mask cannot hold core {core}"))?;
    sched_setaffinity(Pid::from_raw(0), &cores).with_context(|| {
        format!("cannot run on core {core}; pass --server-core and --client-core that exist")
    })
}

/// Ends this process when its parent ends, for whatever reason.
pub(crate) fn die_with_parent() -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("cannot ask for the parent's death signal")
}

/// Raises the soft limit of open files to the hard one and returns it.
pub(crate) fn raise_open_files_limit() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// CPU time of the calling thread, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> Result<u64> {
    clock_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Time in which the calling thread was runnable but had no core, in nanoseconds.
pub(crate) fn thread_wait_ns() -> u64 {
    wait_ns(Path::new("/proc/thread-self/schedstat"))
}

/// The second field of a `schedstat` file; 0 on a kernel without scheduler statistics.
fn wait_ns(schedstat: &Path) -> u64 {
    let text = fs::read_to_string(schedstat).unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .and_then(|ns| ns.parse().ok())
        .unwrap_or(0)
}

fn clock_ns(clock: ClockId) -> Result<u64> {
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}

/// What a process has used since it started. The difference of two readings is the cost of a pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system CPU time of all threads, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Time spent runnable but without a core, in nanoseconds: load of other processes.
    pub(crate) wait_ns: u64,
    /// Voluntary context switches: how often the process slept.
    pub(crate) voluntary_switches: u64,
}

impl Usage {
    /// Usage of process `pid` so far; exact while the process sleeps.
    pub(crate) fn of(pid: u32) -> Result<Usage> {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?))
            .with_context(|| format!("process {pid} has no CPU clock: has the server ended?"))?;
        let mut usage = Usage {
            cpu_ns: clock_ns(clock)?,
            ..Usage::default()
        };
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            // A thread that ends between the listing and the reading is not counted.
            let Ok(status) = fs::read_to_string(task.join("status")) else {
                continue;
            };
            usage.wait_ns += wait_ns(&task.join("schedstat"));
            usage.voluntary_switches += field(&status, "voluntary_ctxt_switches:");
        }
        Ok(usage)
    }

    /// What the process used between `earlier` and this reading.
    pub(crate) fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            wait_ns: self.wait_ns.saturating_sub(earlier.wait_ns),
            voluntary_switches: self
                .voluntary_switches
                .saturating_sub(earlier.voluntary_switches),
        }
    }
}

/// Anonymous resident memory of process `pid` in bytes: heap and stacks, not mapped files.
pub(crate) fn anonymous_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(field(&text, "Anonymous:") * 1024)
}

/// The number behind `name` at the start of a line; 0 if there is none.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
