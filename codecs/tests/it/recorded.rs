//! The recorded data, whole, with totals that add up.

use crate::common::recorded;
use flate2::read::GzDecoder;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Read,
};
use tickwire_codecs::{
    Batch, Codec, Decimal, DecodeError, Encode, Limits,
    be::{U32, U64},
    itch::{Itch50, ItchFile, Message},
    telemetry::{Telemetry, Value, Values, Writer},
};

/// Messages per type.
type Counts = BTreeMap<char, usize>;

/// Decodes a file, checks that every message writes back to its own bytes, and counts.
fn count(file: &[u8]) -> (Counts, usize, Option<DecodeError>) {
    let (mut counts, mut bytes) = (Counts::new(), 0);
    for framed in Batch::new(file, ItchFile, &Limits::BULK) {
        let framed = match framed {
            Ok(framed) => framed,
            Err(error) => return (counts, bytes, Some(error)),
        };
        let view = Itch50::view(framed.bytes, &Limits::FEED).unwrap();
        let mut again = vec![0; view.encoded_len()];
        view.encode(&mut again).unwrap();
        assert_eq!(again, framed.bytes);
        *counts.entry(char::from(view.head().kind())).or_default() += 1;
        bytes += 2 + framed.bytes.len();
    }
    (counts, bytes, None)
}

#[test]
fn the_head_of_a_nasdaq_day() {
    let Some(path) = recorded("nasdaq/itch50_head.bin") else {
        return;
    };
    let file = fs::read(path).unwrap();
    let (counts, bytes, error) = count(&file);
    // 98 directory entries, a system event, a halt state and a short sale state; then the cut.
    assert_eq!(
        counts,
        Counts::from([('R', 98), ('S', 1), ('H', 1), ('Y', 1)])
    );
    assert_eq!(counts.values().sum::<usize>(), 101);
    let Some(DecodeError::Short { at, need, have }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(at as usize, bytes);
    assert_eq!(u64::from(at) + have, file.len() as u64);
    assert_eq!(need, 2 + 39, "the cut message is a directory entry");
    println!(
        "itch50_head.bin: {counts:?}, {bytes} of {} bytes, then {error:?}",
        file.len()
    );
    let symbols: Vec<_> = Batch::new(&file, ItchFile, &Limits::BULK)
        .views::<Itch50>()
        .filter_map(|view| match view {
            Ok(Message::StockDirectory(entry)) => entry.stock.text(),
            _ => None,
        })
        .collect();
    assert_eq!(symbols.len(), 98);
    assert!(
        symbols.is_sorted(),
        "the directory is in alphabetical order"
    );
}

/// Open orders, and the totals of their shares.
#[derive(Default)]
struct Book {
    open: HashMap<u64, u64>,
    added: u64,
    gone: u64,
    /// Orders named that were never added.
    unknown: u64,
    /// Executed or cancelled shares above the open shares.
    excess: u64,
}

impl Book {
    fn add(&mut self, order: U64, shares: U32) {
        self.added += u64::from(shares.get());
        let old = self.open.insert(order.get(), shares.get().into());
        assert_eq!(old, None, "order {order} was open");
    }

    /// Takes shares off an order; all that is left without a number.
    fn take(&mut self, order: U64, shares: Option<U32>) {
        let Some(open) = self.open.get_mut(&order.get()) else {
            self.unknown += 1;
            return;
        };
        let asked = shares.map_or(*open, |shares| shares.get().into());
        let taken = asked.min(*open);
        self.excess += asked - taken;
        self.gone += taken;
        *open -= taken;
        if *open == 0 {
            self.open.remove(&order.get());
        }
    }

    fn apply(&mut self, message: &Message<'_>) {
        match message {
            Message::AddOrder(m) => self.add(m.order_reference, m.shares),
            Message::AddOrderMpid(m) => self.add(m.order_reference, m.shares),
            Message::OrderReplace(m) => {
                self.take(m.original_reference, None);
                self.add(m.order_reference, m.shares);
            }
            Message::OrderExecuted(m) => self.take(m.order_reference, Some(m.shares)),
            Message::OrderExecutedPrice(m) => self.take(m.order_reference, Some(m.shares)),
            Message::OrderCancel(m) => self.take(m.order_reference, Some(m.shares)),
            Message::OrderDelete(m) => self.take(m.order_reference, None),
            _ => {}
        }
    }
}

#[test]
fn the_artificial_nasdaq_day() {
    let Some(path) = recorded("nasdaq/itch50_artificial.gz") else {
        return;
    };
    let mut file = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap())
        .read_to_end(&mut file)
        .unwrap();
    let (counts, bytes, error) = count(&file);
    assert_eq!((error, bytes), (None, file.len()));
    assert_eq!(counts.values().sum::<usize>(), 12_012);
    println!("itch50_artificial: {counts:?}, all {bytes} bytes");
    let mut book = Book::default();
    for view in Batch::new(&file, ItchFile, &Limits::BULK).views::<Itch50>() {
        book.apply(&view.unwrap());
    }
    let open: u64 = book.open.values().sum();
    let Book {
        added,
        gone,
        unknown,
        excess,
        ..
    } = book;
    println!("  shares added {added} = gone {gone} + open {open}; {unknown} unknown orders");
    assert_eq!((added, gone, open), (723_389, 333_115, 723_389 - 333_115));
    // The generator of this file names 117 orders it never added; it never takes more than is open.
    assert_eq!((unknown, excess), (117, 0));
}

/// Microseconds since the epoch of `YYYY-MM-DD hh:mm:ss`, read as UTC.
fn time_us(text: &str) -> u64 {
    let part = |from: usize, len: usize| text[from..from + len].parse::<i64>().unwrap();
    let (year, month, day) = (part(0, 4), part(5, 2), part(8, 2));
    // Days from civil, with the year starting in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + part(11, 2) * 3_600 + part(14, 2) * 60 + part(17, 2);
    seconds as u64 * 1_000_000
}

/// Sends all readings in batches of 4 KiB with a tick of one second; gives what came out and the
/// bytes and batches it took.
fn through(readings: &[(u64, Value)], values: Values) -> (Vec<(u64, Value)>, usize, usize) {
    let (mut out, mut bytes, mut batches) = (Vec::new(), 0, 0);
    let mut rest = readings;
    while let Some(&(base_us, _)) = rest.first() {
        let mut wire = [0; 4096];
        let mut batch = Writer::begin(&mut wire, base_us, 1_000_000, values).unwrap();
        let taken = rest
            .iter()
            .take_while(|(time, value)| batch.push(7, *time, *value).is_ok());
        let count = taken.count();
        assert!(count > 0, "a batch that takes nothing");
        let len = batch.finish();
        let view = Telemetry::view(&wire[..len], &Limits::DEVICE).unwrap();
        assert_eq!(view.readings().len(), count);
        out.extend(
            view.readings()
                .map(|reading| (reading.time_us, reading.value)),
        );
        (bytes, batches) = (bytes + len, batches + 1);
        rest = &rest[count..];
    }
    (out, bytes, batches)
}

#[test]
fn a_machines_temperature_through_telemetry() {
    assert_eq!(time_us("1970-01-01 00:00:00"), 0);
    assert_eq!(time_us("2013-12-02 21:15:00"), 1_386_018_900_000_000);
    let Some(path) = recorded("iot/machine_temperature.csv") else {
        return;
    };
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<(u64, &str)> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split_once(',')
                .map(|(time, value)| (time_us(time), value))
                .unwrap()
        })
        .collect();
    assert_eq!(rows.len(), 22_695);
    // As floats: every reading is the nearest f32 of its text.
    let floats: Vec<_> = rows
        .iter()
        .map(|(time, value)| (*time, Value::Float(value.parse().unwrap())))
        .collect();
    let (out, bytes, batches) = through(&floats, Values::Float);
    assert_eq!(out, floats);
    let sum: f64 = out
        .iter()
        .map(|(_, v)| {
            if let Value::Float(v) = v {
                f64::from(*v)
            } else {
                0.0
            }
        })
        .sum();
    let exact: f64 = rows
        .iter()
        .map(|(_, value)| value.parse::<f64>().unwrap())
        .sum();
    assert!((sum - exact).abs() < 22_695.0 * 4e-6, "{sum} / {exact}");
    println!(
        "machine_temperature.csv: {} readings in {batches} batches, {bytes} bytes ({:.2} a reading)",
        out.len(),
        bytes as f64 / out.len() as f64
    );
    // As decimals of a millionth: exact once rounded, and the sum is exact.
    let millionths: Vec<i64> = rows
        .iter()
        .map(|(_, value)| (value.parse::<f64>().unwrap() * 1e6).round() as i64)
        .collect();
    let decimals: Vec<_> = rows
        .iter()
        .zip(&millionths)
        .map(|((time, _), value)| (*time, Value::Decimal(Decimal::new(*value, -6))))
        .collect();
    let (out, _, _) = through(&decimals, Values::Decimal { exponent: -6 });
    let sum: i64 = out
        .iter()
        .map(|(_, v)| {
            if let Value::Decimal(v) = v {
                v.mantissa
            } else {
                0
            }
        })
        .sum();
    assert_eq!(sum, millionths.iter().sum::<i64>());
    assert_eq!(out, decimals);
}
