//! The process of the server under test, seen from outside.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::plant::Plant;
use crate::{Driver, Fallible};

/// The server's process; ended with this value.
pub(crate) struct Server {
    child: Child,
    /// A line asks for its allocated bytes; the end of it ends the server.
    ask: Option<ChildStdin>,
    told: Lines<BufReader<ChildStdout>>,
    /// Ports of WebSockets and of channels.
    pub(crate) ports: (u16, u16),
}

impl Server {
    pub(crate) fn start(driver: Driver, plant: Option<Plant>) -> Fallible<Self> {
        let plant = plant.map_or("", Plant::word);
        let mut child = Command::new(env::current_exe()?)
            .args(["serve", driver.word(), plant])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take();
        let out = child.stdout.take().ok_or("no output")?;
        let mut told = BufReader::new(out).lines();
        let line = told.next().ok_or("no word")??;
        let mut ports = line.split(' ').skip(1).map(str::parse);
        let (Some(plain), Some(channels)) = (ports.next(), ports.next()) else {
            return Err(format!("the server said {line:?}").into());
        };
        Ok(Self {
            child,
            ask,
            told,
            ports: (plain?, channels?),
        })
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    pub(crate) fn files(&self) -> Fallible<usize> {
        Ok(fs::read_dir(self.file("fd"))?.count())
    }

    /// Bytes of memory that it has of the system.
    pub(crate) fn memory(&self) -> Fallible<u64> {
        let status = fs::read_to_string(self.file("status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse::<u64>()? << 10)
    }

    /// Bytes that it has allocated and not freed: what its allocator keeps for later is not of
    /// them, and so they come back to what they were.
    pub(crate) fn allocated(&mut self) -> Fallible<u64> {
        let ask = self.ask.as_mut().ok_or("it was told to end")?;
        ask.write_all(b"allocated\n")?;
        Ok(self.told.next().ok_or("no word")??.parse()?)
    }

    /// Tells it to end, and hears how it did.
    pub(crate) fn stop(mut self) -> Fallible<()> {
        drop(self.ask.take());
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the server ended with {status}").into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where `stop` was called.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
