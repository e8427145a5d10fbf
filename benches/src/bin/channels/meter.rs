//! The cost of one part of a run, at both ends.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::allocations::Allocations;
use crate::process::Usage;
use crate::work::{Ack, Counted, Sample};

/// Begins and ends at an answer of the control channel: the server sleeps then.
#[derive(Debug)]
pub(crate) struct Meter {
    server_pid: u32,
    started: Instant,
    server: Usage,
    client: Usage,
    calls: Option<Counted>,
    ack: Ack,
    allocations: Allocations,
}

impl Meter {
    pub(crate) fn begin(server_pid: u32, ack: Ack, calls: Option<Counted>) -> Result<Meter> {
        Ok(Meter {
            server_pid,
            server: Usage::of(server_pid)?,
            client: Usage::of(std::process::id())?,
            calls,
            ack,
            started: Instant::now(),
            allocations: Allocations::start(),
        })
    }

    pub(crate) fn end(&mut self, ack: Ack, calls: Option<Counted>) -> Result<Sample> {
        let client_allocations = self.allocations.lap();
        let elapsed = self.started.elapsed();
        let server = Usage::of(self.server_pid)?.since(self.server);
        let client = Usage::of(std::process::id())?.since(self.client);
        let since = |now: Option<Counted>, then: Option<Counted>| Some(now?.since(then?));
        Ok(Sample {
            messages: ack.count - self.ack.count,
            elapsed_ns: u64::try_from(elapsed.as_nanos())?,
            server_cpu_ns: server.cpu_ns,
            client_cpu_ns: client.cpu_ns,
            server_waited_ns: server.wait_ns,
            client_waited_ns: client.wait_ns,
            server_calls: since(ack.calls, self.ack.calls),
            client_calls: since(calls, self.calls),
            server_allocations: ack.allocations,
            client_allocations,
            ticks: ack.ticks,
            bulk_bytes: ack.bulk_bytes - self.ack.bulk_bytes,
            ..Sample::default()
        })
    }
}

/// Parses the server's answer and checks that the server has received what was sent.
pub(crate) fn checked(answer: &[u8], count: u64, digest: Option<u64>) -> Result<Ack> {
    let ack: Ack =
        serde_json::from_slice(answer).context("the answer of the server is not valid")?;
    ensure!(
        ack.count == count,
        "WRONG: {} messages arrived of {count}",
        ack.count
    );
    if let Some(digest) = digest {
        ensure!(ack.digest == digest, "WRONG: bytes or order differ");
    }
    Ok(ack)
}
