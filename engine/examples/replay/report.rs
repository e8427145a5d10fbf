//! The table, and the same figures as JSON.

use std::fmt;
use std::time::Duration;

use tickwire_codecs::Decimal;

use crate::book::Top;
use crate::stats::{Calls, Summary, per_message};
use crate::tape::{Kind, Tape};

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

/// What the clients found out about the market, and what it cost.
struct Decoded<'a>(&'a Summary);

impl fmt::Display for Decoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0;
        let mut row = |what: &str, value: fmt::Arguments<'_>| writeln!(f, "  {what:<30}{value}");
        if let Some(cost) = s.cost {
            row(
                "decode, from memory",
                format_args!(
                    "{:>11.1} ns  per message: lengths and counts checked",
                    cost.view_ns
                ),
            )?;
            row(
                "decode and apply, from memory",
                format_args!(
                    "{:>11.1} ns  per message, best of {} passes",
                    cost.apply_ns, cost.passes
                ),
            )?;
        }
        let Some(market) = s.market else {
            return Ok(());
        };
        if let Some([bids, asks]) = s.levels {
            let levels = (bids + asks) as u64;
            row(
                "levels, by the JSON",
                format_args!(
                    "{:>14}  {bids} bids, {asks} asks: each checked",
                    Grouped(levels)
                ),
            )?;
        }
        match market.top {
            Some(top) => row("top of the book", format_args!("  {}", Quote(&top)))?,
            None => row("top of the book", format_args!("  none"))?,
        }
        if let Some(quote) = market.quote {
            row("last book ticker", format_args!("  {}", Quote(&quote)))?;
        }
        if let Some(trade) = market.trade {
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
            "driver {}, speed {}, {} connections; tape {}: {} messages in {:.1} s, played {}",
            s.driver,
            s.speed,
            s.connections,
            s.tape,
            Grouped(s.ticks as u64),
            s.tape_seconds,
            if s.rounds == 1 {
                "once".into()
            } else {
                format!("{} times", s.rounds)
            },
        )?;
        let mut row = |what: &str, value: fmt::Arguments<'_>| writeln!(f, "  {what:<30}{value}");
        row(
            "messages received, checked",
            format_args!("{:>14}", Grouped(s.messages)),
        )?;
        row("payload bytes", format_args!("{:>14}", Grouped(s.bytes)))?;
        row("seconds", format_args!("{:>14.2}", s.elapsed.as_secs_f64()))?;
        row(
            "messages per second",
            format_args!("{:>14}", Grouped(s.rate() as u64)),
        )?;
        let from = if s.open_loop {
            "latency from the tape's time"
        } else {
            "latency from queuing"
        };
        for (i, (name, latency)) in s.latency.rows().into_iter().enumerate() {
            let what = if i == 0 { from } else { "" };
            row(
                what,
                format_args!("{:>14}  {name}", Short(latency).to_string()),
            )?;
        }
        let steady = s.steady.messages;
        let calls = [s.steady.server, s.steady.clients];
        let all = calls.iter().map(|c| c.reads + c.writes).sum();
        row(
            "system calls per message",
            format_args!("{:>14}  read and write, both ends", Ratio(all, steady)),
        )?;
        for (name, calls) in ["server", "clients"].into_iter().zip(calls) {
            row(&format!("  {name}"), format_args!("{}", Of(calls, steady)))?;
        }
        row(
            "allocations per message",
            format_args!(
                "{:>14}  whole process, {} in all",
                Ratio(s.steady.allocations, steady),
                Grouped(s.steady.allocations)
            ),
        )?;
        row(
            "send queue found full",
            format_args!(
                "{:>14}  times; most bytes queued: {}",
                Grouped(s.refusals),
                Grouped(s.queued_bytes_most)
            ),
        )?;
        write!(f, "{}", Decoded(s))
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

/// The calls of one end, for each message.
struct Of(Calls, u64);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(calls, messages) = self;
        write!(
            f,
            "{:>14}  reads, {} writes",
            Ratio(calls.reads, *messages),
            Ratio(calls.writes, *messages)
        )?;
        match calls.waits {
            Some(waits) => write!(f, ", {} waits", Ratio(waits, *messages)),
            None => Ok(()),
        }
    }
}

/// The figures as one JSON object.
pub(crate) fn json(s: &Summary, right: bool) -> String {
    let micros = |d: Duration| format!("{:.3}", d.as_secs_f64() * 1e6);
    let ratio = |n| per_message(n, s.steady.messages).map_or("null".into(), |r| format!("{r:.6}"));
    let calls = |c: Calls| {
        format!(
            r#"{{"reads_per_message":{},"writes_per_message":{},"waits_per_message":{}}}"#,
            ratio(c.reads),
            ratio(c.writes),
            c.waits.map_or("null".into(), ratio),
        )
    };
    let latency = s.latency;
    let cost = s.cost.map_or(["null".into(), "null".into()], |cost| {
        [cost.view_ns, cost.apply_ns].map(|ns| format!("{ns:.2}"))
    });
    let levels = s
        .levels
        .map_or("null".into(), |levels| format!("{levels:?}"));
    let top = s.market.and_then(|market| market.top);
    let top = top.map_or("null".into(), |top| {
        let numbers = [top.bid, top.bid_quantity, top.ask, top.ask_quantity];
        let [bid, bid_quantity, ask, ask_quantity] = numbers.map(|n| quoted(&n.to_string()));
        format!("[[{bid},{bid_quantity}],[{ask},{ask_quantity}]]")
    });
    format!(
        concat!(
            r#"{{"driver":{},"speed":{},"connections":{},"tape":{},"tape_seconds":{:.6},"#,
            r#""tape_messages":{},"rounds":{},"correct":{},"messages":{},"payload_bytes":{},"#,
            r#""seconds":{:.6},"messages_per_second":{:.1},"latency_from":{},"#,
            r#""latency_us":{{"count":{},"p50":{},"p99":{},"p99.9":{},"max":{}}},"#,
            r#""steady":{{"messages":{},"allocations":{},"allocations_per_message":{},"#,
            r#""server":{},"clients":{}}},"send_queue_full":{},"queued_bytes_most":{},"#,
            r#""decode_ns":{},"decode_and_apply_ns":{},"book_levels":{},"book_top":{}}}"#,
        ),
        quoted(&s.driver),
        quoted(&s.speed),
        s.connections,
        quoted(&s.tape),
        s.tape_seconds,
        s.ticks,
        s.rounds,
        right,
        s.messages,
        s.bytes,
        s.elapsed.as_secs_f64(),
        s.rate(),
        quoted(if s.open_loop { "tape time" } else { "queuing" }),
        latency.count,
        micros(latency.p50),
        micros(latency.p99),
        micros(latency.p999),
        micros(latency.max),
        s.steady.messages,
        s.steady.allocations,
        ratio(s.steady.allocations),
        calls(s.steady.server),
        calls(s.steady.clients),
        s.refusals,
        s.queued_bytes_most,
        cost[0],
        cost[1],
        levels,
        top,
    )
}

/// A JSON string (RFC 8259 section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Cost;
    use crate::follow::Trade;
    use crate::play::Market;
    use crate::stats::{Percentiles, Steady};

    fn summary() -> Summary {
        Summary {
            driver: "mio".into(),
            speed: "10".into(),
            connections: 4,
            tape: "a \"b\"\\c\n".into(),
            tape_seconds: 1.5,
            ticks: 1_000,
            rounds: 1,
            messages: 4_000,
            bytes: 1_234_567,
            elapsed: Duration::from_millis(500),
            open_loop: true,
            latency: Percentiles {
                count: 4_000,
                p50: Duration::from_micros(90),
                p99: Duration::from_micros(1_250),
                p999: Duration::from_millis(20),
                max: Duration::from_secs(2),
            },
            steady: Steady {
                messages: 3_000,
                allocations: 3,
                server: Calls {
                    waits: Some(600),
                    reads: 0,
                    writes: 1_500,
                },
                clients: Calls {
                    waits: None,
                    reads: 1_500,
                    writes: 0,
                },
            },
            refusals: 7,
            queued_bytes_most: 65_536,
            market: Some(Market {
                top: Some(Top {
                    bid: Decimal::new(6_183_763_000_000, -8),
                    bid_quantity: Decimal::new(370_000_000, -8),
                    ask: Decimal::new(618_376_401, -4),
                    ask_quantity: Decimal::new(5, 0),
                }),
                quote: None,
                trade: Some(Trade {
                    id: 9,
                    price: Decimal::new(61_837, 0),
                    quantity: Decimal::new(100, -5),
                }),
            }),
            levels: Some([1_000, 1_005]),
            cost: Some(Cost {
                view_ns: 8.25,
                apply_ns: 51.0,
                passes: 12,
            }),
        }
    }

    #[test]
    fn the_table_has_every_figure() {
        let table = Table(&summary()).to_string();
        for expected in [
            "driver mio, speed 10, 4 connections",
            "1,000 messages in 1.5 s, played once",
            " 4,000\n",
            " 1,234,567\n",
            " 8,000\n",
            "latency from the tape's time           90 us  p50",
            "1.25 ms  p99\n",
            "20.00 ms  p99.9",
            "2.00 s  max",
            "1.0000  read and write, both ends",
            "0.0000  reads, 0.5000 writes, 0.2000 waits",
            "0.5000  reads, 0.0000 writes\n",
            "0.0010  whole process, 3 in all",
            "7  times; most bytes queued: 65,536",
            "        8.2 ns  per message: lengths and counts checked\n",
            "       51.0 ns  per message, best of 12 passes\n",
            " 2,005  1000 bids, 1005 asks: each checked\n",
            "  bid 61837.63 x 3.70, ask 61837.6401 x 5\n",
            "  61837 x 0.001\n",
        ] {
            assert!(table.contains(expected), "{expected:?} is not in\n{table}");
        }
        let closed = Summary {
            open_loop: false,
            steady: Steady::default(),
            market: None,
            cost: None,
            ..summary()
        };
        let table = Table(&closed).to_string();
        assert!(table.contains("latency from queuing"), "{table}");
        assert!(table.contains("-  read and write"), "{table}");
        assert!(!table.contains("top of the book"), "{table}");
        assert!(!table.contains("from memory"), "{table}");
    }

    #[test]
    fn json_is_quoted_and_nested_as_it_should_be() {
        let json = json(&summary(), true);
        assert!(json.contains(r#""tape":"a \"b\"\\c\u000a""#), "{json}");
        assert!(
            json.contains(r#""p99":1250.000,"p99.9":20000.000"#),
            "{json}"
        );
        assert!(json.contains(r#""clients":{"reads_per_message":0.500000"#));
        assert!(json.contains(r#""waits_per_message":null"#));
        assert!(
            json.contains(
                r#""decode_and_apply_ns":51.00,"book_levels":[1000, 1005],"book_top":[["61837.63000000","3.70000000"],["61837.6401","5"]]}"#
            ),
            "{json}"
        );
        let [open, close] = ["{", "}"].map(|brace| json.matches(brace).count());
        assert_eq!(open, close);
    }

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Grouped(n).to_string(), text);
        }
    }
}
