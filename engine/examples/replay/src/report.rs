//! The table, and the same figures as JSON.

use std::fmt;
use std::time::Duration;

use tickwire_codecs::Decimal;

use crate::args::Driver;
use crate::book::Top;
use crate::feeds::Topic;
use crate::stats::{Group, Phase, Row, Steady, Summary, per_message};
use crate::tape::{Kind, Tape};

mod json;

pub(crate) use json::json;

/// A number with its thousands apart.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Digits and commas of the largest number.
        const LEN: usize = 26;
        let mut text = [0; LEN];
        let (mut at, mut left, mut digits) = (LEN, self.0, 0);
        loop {
            if digits > 0 && digits % 3 == 0 {
                at -= 1;
                text[at] = b',';
            }
            at -= 1;
            text[at] = b'0' + (left % 10) as u8;
            left /= 10;
            digits += 1;
            if left == 0 {
                break;
            }
        }
        f.pad(str::from_utf8(&text[at..]).unwrap_or_default())
    }
}

/// A time in the unit that suits it.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_secs_f64() * 1e6;
        if micros < 1e3 {
            write!(f, "{micros:.0} us")
        } else if micros < 1e6 {
            write!(f, "{:.2} ms", micros / 1e3)
        } else {
            write!(f, "{:.2} s", micros / 1e6)
        }
    }
}

/// What a tape is made of, in a line.
pub(crate) struct Shape<'a>(pub(crate) &'a Tape);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tape = self.0;
        for kind in Kind::ALL {
            match tape.count(kind) {
                0 => {}
                n => write!(f, "{} {kind}, ", Grouped(n as u64))?,
            }
        }
        write!(
            f,
            "{} bytes in {:.1} s; median gap {}, most in 1 s {}, in 1 ms {}",
            Grouped(tape.payload_bytes() as u64),
            tape.duration().as_secs_f64(),
            Short(tape.median_gap()),
            Grouped(tape.burst(Duration::from_secs(1)) as u64),
            tape.burst(Duration::from_millis(1)),
        )
    }
}

/// What is sent in place of the JSON.
pub(crate) struct Transcoded<'a>(pub(crate) &'a Tape, pub(crate) usize);

impl fmt::Display for Transcoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tape, json_bytes) = self;
        let bytes = tape.payload_bytes();
        write!(
            f,
            "SBE, schema {} version {}, transcoded from the JSON on load: {} bytes, {:.1} % of it",
            tickwire_tick::PACKAGE,
            tickwire_tick::SCHEMA_VERSION,
            Grouped(bytes as u64),
            bytes as f64 * 100.0 / (*json_bytes).max(1) as f64,
        )
    }
}

/// A number without zeros at its end, two decimals at least.
struct Trimmed(Decimal);

impl fmt::Display for Trimmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shorter = (self.0.exponent..=-2)
            .rev()
            .find_map(|e| self.0.rescaled(e));
        shorter.unwrap_or(self.0).fmt(f)
    }
}

/// The best bid and the best ask.
pub(crate) struct Quote<'a>(pub(crate) &'a Top);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = self.0;
        write!(
            f,
            "bid {} x {}, ask {} x {}",
            Trimmed(top.bid),
            Trimmed(top.bid_quantity),
            Trimmed(top.ask),
            Trimmed(top.ask_quantity),
        )
    }
}

/// The channels of all phases.
struct Channels<'a>(&'a Summary);

impl fmt::Display for Channels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.0.open_loop {
            "latency from the tape's time"
        } else {
            "latency from queuing"
        };
        let [p50, p99, p999, max] = ["p50", "p99", "p99.9", "max"];
        let head = format!("{p50:>9} {p99:>9} {p999:>9} {max:>9}");
        writeln!(
            f,
            "  {from:<29} {:>10} {:>10} {head}",
            "messages", "skipped"
        )?;
        for phase in &self.0.phases {
            let bulk = if phase.bulk.is_some() {
                "with"
            } else {
                "without"
            };
            writeln!(f, "  {bulk} bulk")?;
            for row in &phase.rows {
                writeln!(f, "    {}", Line(row))?;
            }
        }
        for (phase, bulk) in self.0.phases.iter().filter_map(|p| Some((p, p.bulk?))) {
            writeln!(
                f,
                "  {:<29} {:>10} MiB/s in {:.2} s: {} files of {} bytes, each checked",
                "bulk",
                format!("{:.1}", bulk.mib_per_second()),
                bulk.elapsed.max(phase.elapsed).as_secs_f64(),
                Grouped(bulk.files),
                Grouped(bulk.file_bytes),
            )?;
        }
        Ok(())
    }
}

/// A channel of a phase.
struct Line<'a>(&'a Row);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(row) = self;
        let whose = match row.group {
            Group::All => "",
            Group::Slow => "slow client",
            Group::Others => "others",
        };
        write!(
            f,
            "{:<9} {whose:<17} {:>10} {:>10}",
            row.topic,
            Grouped(row.tally.messages),
            Grouped(row.tally.skipped),
        )?;
        if let Some(latency) = row.latency {
            for (_, latency) in latency.rows() {
                write!(f, " {:>9}", Short(latency).to_string())?;
            }
        }
        Ok(())
    }
}

/// What the phases cost, side by side.
struct Costs<'a>(&'a Summary);

impl Costs<'_> {
    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        value: impl Fn(&Phase) -> String,
        unit: &str,
    ) -> fmt::Result {
        write!(f, "  {what:<29}")?;
        for phase in &self.0.phases {
            write!(f, " {:>13}", value(phase))?;
        }
        writeln!(f, "  {unit}")
    }
}

impl fmt::Display for Costs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["without bulk", "with bulk"]
            .into_iter()
            .zip(&self.0.phases);
        let heads: Vec<_> = heads.map(|(head, _)| format!("{head:>13}")).collect();
        writeln!(f, "  {:<29} {}", "", heads.join(" "))?;
        let seconds = |p: &Phase| format!("{:.2}", p.elapsed.as_secs_f64());
        self.row(f, "tape played in", seconds, "s")?;
        let rate = |p: &Phase| Grouped(p.rate() as u64).to_string();
        self.row(
            f,
            "market messages per second",
            rate,
            "all clients together",
        )?;
        let per = |n: fn(&Steady) -> u64| {
            move |p: &Phase| Ratio(n(&p.steady), p.steady.messages).to_string()
        };
        // A reactor on tokio asks the runtime, which knows without a system call of some sockets
        // that there is nothing to read.
        let (what, of) = match self.0.driver {
            Driver::Mio => ("system calls per message", "read and write, both ends"),
            Driver::Tokio => (
                "calls of tokio per message",
                "of which not all are system calls",
            ),
        };
        let calls =
            |s: &Steady| s.server.reads + s.server.writes + s.clients.reads + s.clients.writes;
        self.row(f, what, per(calls), of)?;
        self.row(f, "  server writes", per(|s| s.server.writes), "")?;
        self.row(f, "  server reads", per(|s| s.server.reads), "credit")?;
        self.row(f, "  server waits", per(|s| s.server.waits), "")?;
        self.row(f, "  client reads", per(|s| s.clients.reads), "")?;
        self.row(f, "  client writes", per(|s| s.clients.writes), "credit")?;
        self.row(f, "  client waits", per(|s| s.clients.waits), "")?;
        let process = "whole process";
        self.row(
            f,
            "allocations per message",
            per(|s| s.allocations),
            process,
        )?;
        let count = |p: &Phase| Grouped(p.steady.allocations).to_string();
        self.row(f, "  in all", count, "in the steady part of the phase")?;
        for topic in Topic::ALL {
            let refusals = move |p: &Phase| Grouped(p.refusals[topic.index()]).to_string();
            if self.0.phases.iter().any(|p| p.refusals[topic.index()] > 0) {
                let what = format!("queue of {topic} found full");
                self.row(f, &what, refusals, "times; sent later")?;
            }
        }
        Ok(())
    }
}

/// What the clients found out about the market, and what it cost.
struct Decoded<'a>(&'a Summary);

impl fmt::Display for Decoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0;
        let mut row = |what: &str, value: fmt::Arguments<'_>| writeln!(f, "  {what:<30}{value}");
        row(
            "decode, from memory",
            format_args!(
                "{:>10.1} ns  per message: lengths and counts checked",
                s.cost.view_ns
            ),
        )?;
        row(
            "decode and apply, from memory",
            format_args!(
                "{:>10.1} ns  per message, best of {} passes",
                s.cost.apply_ns, s.cost.passes
            ),
        )?;
        let [bids, asks] = s.levels;
        row(
            "levels, by the JSON",
            format_args!(
                "{:>13}  {bids} bids, {asks} asks: each checked",
                Grouped((bids + asks) as u64)
            ),
        )?;
        match s.market.top {
            Some(top) => row("top of the book", format_args!("  {}", Quote(&top)))?,
            None => row("top of the book", format_args!("  none"))?,
        }
        if let Some(quote) = s.market.quote {
            row("last book ticker", format_args!("  {}", Quote(&quote)))?;
        }
        if let Some(trade) = s.market.trade {
            row(
                "last trade",
                format_args!("  {} x {}", Trimmed(trade.price), Trimmed(trade.quantity)),
            )?;
        }
        Ok(())
    }
}

/// The table that ends a run.
pub(crate) struct Table<'a>(pub(crate) &'a Summary);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0;
        writeln!(
            f,
            "driver {}, speed {}, {} connections; tape {}: {} messages of {} symbol{} in {:.1} s, played {}",
            s.driver,
            s.speed,
            s.connections,
            s.tape,
            Grouped(s.ticks as u64),
            s.symbols,
            if s.symbols == 1 { "" } else { "s" },
            s.tape_seconds,
            if s.rounds == 1 {
                "once".into()
            } else {
                format!("{} times", s.rounds)
            },
        )?;
        write!(f, "{}{}{}", Channels(s), Costs(s), Decoded(s))
    }
}

/// The first, for each of the second.
struct Ratio(u64, u64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match per_message(self.0, self.1) {
            Some(ratio) => f.pad(&format!("{ratio:.4}")),
            None => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests;
