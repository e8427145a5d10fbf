use tickwire::reactor::Calls;

use super::*;
use crate::client::Tally;
use crate::cost::Cost;
use crate::follow::Trade;
use crate::play::Market;
use crate::stats::{BulkRate, Percentiles};

fn row(group: Group, topic: Topic) -> Row {
    Row {
        clients: 3,
        tally: Tally {
            messages: 12_345,
            skipped: 678,
            bytes: 1_234_567,
        },
        latency: (topic != Topic::Bulk).then_some(Percentiles {
            count: 12_345,
            p50: Duration::from_micros(90),
            p99: Duration::from_micros(1_250),
            p999: Duration::from_millis(20),
            max: Duration::from_secs(2),
        }),
        ..Row::new(group, topic)
    }
}

fn phase(with_bulk: bool) -> Phase {
    let topics = Topic::ALL.into_iter().take(if with_bulk { 4 } else { 3 });
    Phase {
        elapsed: Duration::from_millis(500),
        rows: topics.map(|topic| row(Group::Others, topic)).collect(),
        bulk: with_bulk.then_some(BulkRate {
            file_bytes: 64 << 20,
            files: 4,
            bytes: 256 << 20,
            elapsed: Duration::from_secs(2),
        }),
        steady: Steady {
            messages: 3_000,
            allocations: 3,
            server: Calls {
                waits: 600,
                reads: 0,
                writes: 1_500,
            },
            clients: Calls {
                waits: 300,
                reads: 1_500,
                writes: 0,
            },
        },
        refusals: [0, 0, 0, 7],
        queued_bytes_most: 65_536,
    }
}

fn summary() -> Summary {
    Summary {
        driver: Driver::Mio,
        speed: "10".into(),
        connections: 4,
        tape: "a \"b\"\\c\n".into(),
        tape_seconds: 1.5,
        ticks: 1_000,
        symbols: 1,
        rounds: 1,
        open_loop: true,
        phases: vec![phase(false), phase(true)],
        market: Market {
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
        },
        levels: [1_000, 1_005],
        cost: Cost {
            view_ns: 8.25,
            apply_ns: 51.0,
            passes: 12,
        },
    }
}

#[test]
fn the_table_has_every_figure() {
    let table = Table(&summary()).to_string();
    for expected in [
        "driver mio, speed 10, 4 connections",
        "1,000 messages of 1 symbol in 1.5 s, played once",
        "latency from the tape's time    messages    skipped       p50",
        "  without bulk\n    bbo       others                12,345        678     90 us",
        "  with bulk\n    bbo       others ",
        "90 us   1.25 ms  20.00 ms    2.00 s\n",
        "    bulk      others                12,345        678\n",
        "128.0 MiB/s in 2.00 s: 4 files of 67,108,864 bytes, each checked",
        "  without bulk     with bulk\n",
        "0.50          0.50  s\n",
        "74,070        74,070  all clients",
        "system calls per message             1.0000        1.0000  read and write, both",
        "server waits                       0.2000        0.2000  \n",
        "allocations per message              0.0010        0.0010  whole process\n",
        "queue of bulk found full                  7             7  times",
        "       8.2 ns  per message: lengths and counts checked\n",
        "      51.0 ns  per message, best of 12 passes\n",
        " 2,005  1000 bids, 1005 asks: each checked\n",
        "  bid 61837.63 x 3.70, ask 61837.6401 x 5\n",
        "  61837 x 0.001\n",
    ] {
        assert!(table.contains(expected), "{expected:?} is not in\n{table}");
    }
    assert!(!table.contains("queue of bbo"), "{table}");
    let mut closed = Summary {
        driver: Driver::Tokio,
        open_loop: false,
        market: Market::default(),
        ..summary()
    };
    closed.phases.pop();
    closed.phases[0].steady = Steady::default();
    let table = Table(&closed).to_string();
    assert!(table.contains("latency from queuing"), "{table}");
    assert!(table.contains("            -  of which not all"), "{table}");
    assert!(!table.contains("with bulk"), "{table}");
}

#[test]
fn json_is_quoted_and_nested_as_it_should_be() {
    let json = json(&summary(), true);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["tape"], "a \"b\"\\c\n");
    assert_eq!(value["correct"], true);
    let with_bulk = &value["phases"][1];
    assert_eq!(with_bulk["channels"][0]["channel"], "bbo");
    assert_eq!(with_bulk["channels"][0]["clients"], "others");
    assert_eq!(with_bulk["channels"][0]["skipped"], 678);
    assert_eq!(with_bulk["channels"][0]["latency_us"]["p99"], 1250.0);
    assert_eq!(
        with_bulk["channels"][3]["latency_us"],
        serde_json::Value::Null
    );
    assert_eq!(with_bulk["bulk"]["mib_per_second"], 128.0);
    assert_eq!(with_bulk["queue_full"]["bulk"], 7);
    assert_eq!(with_bulk["steady"]["clients"]["reads_per_message"], 0.5);
    assert_eq!(value["phases"][0]["bulk"], serde_json::Value::Null);
    assert_eq!(value["decode_and_apply_ns"], 51.0);
    assert_eq!(value["book_top"][1][0], "61837.6401");
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
