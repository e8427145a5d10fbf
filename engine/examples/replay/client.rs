//! One client: checks, decodes and times what comes. The same on both drivers.

use std::sync::Arc;
use std::time::Instant;

use tickwire::Message;

use crate::args::Speed;
use crate::check::{Checker, Fault};
use crate::follow::Follower;
use crate::play::{Play, lock};

pub(crate) struct Client {
    play: Arc<Play>,
    index: usize,
    checker: Checker,
    /// The market as this client knows it; `None` where the payloads are not decoded.
    follower: Option<Follower>,
    bytes: u64,
    /// At speed max: when the messages before this number were queued.
    queued: Option<(u64, Instant)>,
    /// Latencies of this batch, nanoseconds.
    latencies: Vec<u64>,
    fault: Option<Fault>,
}

/// Latencies that are noted before they are put into the histogram, which all clients share.
const LATENCIES_HELD: usize = 256;

impl Client {
    pub(crate) fn new(play: &Arc<Play>, index: usize) -> Self {
        Self {
            play: play.clone(),
            index,
            checker: Checker::new(play.tape.clone(), play.rounds),
            follower: play.expected.is_some().then(Follower::new),
            bytes: 0,
            queued: None,
            latencies: Vec::with_capacity(LATENCIES_HELD),
            fault: None,
        }
    }

    /// Takes a message; `false` when something is wrong and no more are needed.
    #[inline]
    pub(crate) fn message(&mut self, message: Message<'_>) -> bool {
        if self.fault.is_some() {
            return false;
        }
        let checked = match message {
            Message::Binary(payload) => {
                self.bytes += payload.len() as u64;
                self.take(payload)
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return true,
            _ => Err(Fault::NotBinary {
                message: self.checker.received(),
            }),
        };
        match checked {
            Ok(Some(number)) => self.time(number),
            Ok(None) => {}
            Err(fault) => {
                self.fault = Some(fault);
                return false;
            }
        }
        true
    }

    /// Checks a message, and decodes it where it lies in the receive buffer.
    #[inline]
    fn take(&mut self, payload: &[u8]) -> Result<Option<u64>, Fault> {
        let taken = self.checker.message(payload)?;
        if let (Some(message), Some(follower), Some(expected)) =
            (taken, &mut self.follower, &self.play.expected)
        {
            let len = self.play.tape.len() as u64;
            if message.is_multiple_of(len) {
                follower.restart();
            }
            let mut followed = follower.message(payload);
            if followed.is_ok() && (message + 1).is_multiple_of(len) {
                followed = expected.check(follower);
            }
            followed.map_err(|what| Fault::Book { message, what })?;
        }
        Ok(taken)
    }

    fn time(&mut self, number: u64) {
        let due = match self.play.speed {
            Speed::Times(_) => self.play.due_at(number),
            Speed::Max => {
                if self.queued.is_none_or(|(before, _)| number >= before) {
                    self.queued = self.play.queued_at(self.index, number);
                }
                match self.queued {
                    Some((_, at)) => at,
                    None => return,
                }
            }
        };
        let latency = Instant::now().saturating_duration_since(due);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.push(nanos);
        if self.latencies.len() >= LATENCIES_HELD {
            self.record();
        }
    }

    fn record(&mut self) {
        let mut latency = lock(&self.play.latency);
        for nanos in self.latencies.drain(..) {
            latency.saturating_record(nanos);
        }
    }

    /// All messages of one read have been taken.
    pub(crate) fn batch_end(&mut self) {
        self.record();
        self.play
            .progress(self.index, self.checker.received(), self.bytes);
        if self.index == 0
            && let Some(follower) = &self.follower
        {
            self.play.show(follower);
        }
    }

    /// The connection is over; `why`, if it was not closed as it should.
    pub(crate) fn finish(mut self, why: Option<String>) {
        self.batch_end();
        let result = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.checker.finish(why.as_deref()),
        };
        if result.is_err() {
            self.play.stop();
        }
        self.play.finish(self.index, result);
    }
}
