//! The figures as one JSON object.

use std::time::Duration;

use tickwire::reactor::Calls;

use crate::feeds::Topic;
use crate::stats::{Group, Phase, Row, Summary, per_message};

const NULL: &str = "null";

/// All of the table.
pub(crate) fn json(s: &Summary, right: bool) -> String {
    let top = s.market.top.map_or(NULL.into(), |top| {
        let numbers = [top.bid, top.bid_quantity, top.ask, top.ask_quantity];
        let [bid, bid_quantity, ask, ask_quantity] = numbers.map(|n| quoted(&n.to_string()));
        format!("[[{bid},{bid_quantity}],[{ask},{ask_quantity}]]")
    });
    let phases: Vec<String> = s.phases.iter().map(phase).collect();
    format!(
        concat!(
            r#"{{"driver":{},"speed":{},"connections":{},"tape":{},"tape_seconds":{:.6},"#,
            r#""tape_messages":{},"symbols":{},"rounds":{},"correct":{},"latency_from":{},"#,
            r#""phases":[{}],"decode_ns":{:.2},"decode_and_apply_ns":{:.2},"book_levels":{:?},"#,
            r#""book_top":{}}}"#,
        ),
        quoted(&s.driver.to_string()),
        quoted(&s.speed),
        s.connections,
        quoted(&s.tape),
        s.tape_seconds,
        s.ticks,
        s.symbols,
        s.rounds,
        right,
        quoted(if s.open_loop { "tape time" } else { "queuing" }),
        phases.join(","),
        s.cost.view_ns,
        s.cost.apply_ns,
        s.levels,
        top,
    )
}

fn phase(p: &Phase) -> String {
    let ratio = |n| per_message(n, p.steady.messages).map_or(NULL.into(), |r| format!("{r:.6}"));
    let calls = |c: Calls| {
        format!(
            r#"{{"reads_per_message":{},"writes_per_message":{},"waits_per_message":{}}}"#,
            ratio(c.reads),
            ratio(c.writes),
            ratio(c.waits),
        )
    };
    let bulk = p.bulk.map_or(NULL.into(), |bulk| {
        format!(
            r#"{{"file_bytes":{},"files":{},"bytes":{},"seconds":{:.6},"mib_per_second":{:.1}}}"#,
            bulk.file_bytes,
            bulk.files,
            bulk.bytes,
            bulk.elapsed.as_secs_f64(),
            bulk.mib_per_second(),
        )
    });
    let refusals = Topic::ALL.map(|t| format!("{}:{}", quoted(t.name()), p.refusals[t.index()]));
    let rows: Vec<String> = p.rows.iter().map(row).collect();
    format!(
        concat!(
            r#"{{"with_bulk":{},"seconds":{:.6},"messages_per_second":{:.1},"channels":[{}],"#,
            r#""bulk":{},"steady":{{"messages":{},"allocations":{},"allocations_per_message":{},"#,
            r#""server":{},"clients":{}}},"queue_full":{{{}}},"queued_bytes_most":{}}}"#,
        ),
        p.bulk.is_some(),
        p.elapsed.as_secs_f64(),
        p.rate(),
        rows.join(","),
        bulk,
        p.steady.messages,
        p.steady.allocations,
        ratio(p.steady.allocations),
        calls(p.steady.server),
        calls(p.steady.clients),
        refusals.join(","),
        p.queued_bytes_most,
    )
}

fn row(row: &Row) -> String {
    let micros = |d: Duration| format!("{:.3}", d.as_secs_f64() * 1e6);
    let latency = row.latency.map_or(NULL.into(), |l| {
        let figures = l
            .rows()
            .map(|(name, d)| format!("{}:{}", quoted(name), micros(d)));
        format!(r#"{{"count":{},{}}}"#, l.count, figures.join(","))
    });
    let clients = match row.group {
        Group::All => "all",
        Group::Slow => "slow",
        Group::Others => "others",
    };
    format!(
        r#"{{"channel":{},"clients":{},"messages":{},"skipped":{},"payload_bytes":{},"latency_us":{}}}"#,
        quoted(row.topic.name()),
        quoted(clients),
        row.tally.messages,
        row.tally.skipped,
        row.tally.bytes,
        latency,
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
