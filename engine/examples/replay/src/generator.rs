//! A tape of the same shape as a recorded one, for machines that have no recording: JSON, as it is
//! recorded, in which a book can be kept.
//!
//! The constants were measured of 346 s of BTCUSDT, spot, on 8 August 2024: three streams of one
//! WebSocket session, with the times at which they were received. [`generate`] draws from them;
//! a test holds the result against them, and against the recording where that is present. Sizes
//! are those of the JSON; transcoded to SBE, both tapes shrink alike, as the same test shows.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;

use crate::tape::Tape;

/// Length of the recording.
pub(crate) const SECONDS: usize = 346;

/// Depth messages come on time: one in each of these.
const DEPTH_INTERVAL_NS: u64 = 100_000_000;

/// Quantiles: a probability, and the value that this part of all values is not above. Between
/// two of them values are drawn as if their logarithms were evenly spread.
type Quantiles = [(f64, f64)];

/// Messages in one second.
const PER_SECOND: &Quantiles = &[
    (0.0, 10.0),
    (0.05, 25.0),
    (0.1, 30.0),
    (0.2, 39.0),
    (0.3, 48.0),
    (0.4, 57.0),
    (0.5, 70.0),
    (0.6, 89.0),
    (0.7, 125.0),
    (0.8, 178.0),
    (0.9, 259.0),
    (0.95, 332.0),
    (0.99, 672.0),
    (1.0, 1362.0),
];

/// Messages that come together: less than 0.3 ms from one to the next.
const CLUSTER: &Quantiles = &[
    (0.0, 1.0),
    (0.73, 1.0),
    (0.78, 2.0),
    (0.85, 2.0),
    (0.9, 3.0),
    (0.95, 6.0),
    (0.98, 9.0),
    (0.99, 12.0),
    (0.995, 16.0),
    (0.999, 38.0),
    (1.0, 114.0),
];

/// Nanoseconds from one message of a cluster to the next.
const GAP_INSIDE_NS: &Quantiles = &[
    (0.0, 300.0),
    (0.1, 500.0),
    (0.25, 700.0),
    (0.5, 1_100.0),
    (0.75, 2_000.0),
    (0.9, 4_100.0),
    (0.95, 26_700.0),
    (0.97, 111_300.0),
    (1.0, 299_700.0),
];

/// Microseconds from one cluster to the next.
const GAP_BETWEEN_US: &Quantiles = &[
    (0.0, 300.0),
    (0.05, 606.0),
    (0.1, 843.0),
    (0.2, 1_079.0),
    (0.3, 1_370.0),
    (0.4, 2_185.0),
    (0.5, 3_279.0),
    (0.6, 6_741.0),
    (0.7, 13_628.0),
    (0.8, 26_752.0),
    (0.9, 52_589.0),
    (0.95, 77_569.0),
    (1.0, 100_242.0),
];

/// What of a gap between clusters does not depend on how busy the second is.
const GAP_SHORT_US: f64 = 606.0;

/// Bytes of a depth message.
const DEPTH_BYTES: &Quantiles = &[
    (0.0, 168.0),
    (0.01, 200.0),
    (0.1, 327.0),
    (0.25, 425.0),
    (0.5, 647.0),
    (0.75, 1_127.0),
    (0.9, 2_375.0),
    (0.95, 4_391.0),
    (0.99, 12_647.0),
    (0.999, 23_719.0),
    (1.0, 34_571.0),
];

/// Most messages within one millisecond; they are in the busiest second.
const BURST_MESSAGES: usize = 161;

/// Messages of a cluster from which all of its gaps are short.
const DENSE_MESSAGES_MIN: usize = 20;

/// Messages before the snapshot: it is asked for when the streams have begun.
const SNAPSHOT_AFTER: usize = 7;

/// The busiest second comes early, so that a short run has it.
const BUSIEST_SECOND: usize = 7;

/// Chance that a trade comes after a book ticker, and the other way round: trades are 25.8 % of
/// the two, in runs of 3 on average.
const TO_TRADE: f64 = 0.115;
const TO_BOOK_TICKER: f64 = 0.33;

/// splitmix64: one state of 64 bits, any seed is good.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn draw(&mut self, quantiles: &Quantiles) -> f64 {
        at(quantiles, self.unit())
    }
}

/// The value at `probability`.
fn at(quantiles: &Quantiles, probability: f64) -> f64 {
    for pair in quantiles.windows(2) {
        let [(p0, v0), (p1, v1)] = [pair[0], pair[1]];
        if probability <= p1 {
            let part = (probability - p0) / (p1 - p0);
            return v0 * (v1 / v0).powf(part);
        }
    }
    quantiles.last().map_or(0.0, |&(_, v)| v)
}

/// A tape of [`SECONDS`], the same for the same seed.
///
/// # Errors
/// None that this generator is known to cause.
pub(crate) fn generate(seed: u64) -> Result<Tape, String> {
    let mut random = Random(seed);
    let mut tape = Tape::default();
    let mut market = Market::new(&mut random);
    let mut payload = Vec::new();
    let mut trade = false;
    for (second, count) in counts(&mut random).into_iter().enumerate() {
        let begin_ns = second as u64 * 1_000_000_000;
        let depths = 1_000_000_000 / DEPTH_INTERVAL_NS;
        let burst = (second == BUSIEST_SECOND).then_some(BURST_MESSAGES);
        let others = times(&mut random, count.saturating_sub(depths as usize), burst);
        let mut due: Vec<(u64, bool)> = (0..depths)
            .map(|i| (i * DEPTH_INTERVAL_NS, true))
            .chain(others.into_iter().map(|ns| (ns, false)))
            .collect();
        due.sort_unstable();
        for (ns, depth) in due {
            payload.clear();
            if tape.len() == SNAPSHOT_AFTER {
                market.snapshot(&mut payload);
                tape.push(begin_ns + ns, &payload)?;
                payload.clear();
            }
            if depth {
                market.depth(&mut payload, &mut random);
            } else {
                trade = random.chance(if trade {
                    1.0 - TO_BOOK_TICKER
                } else {
                    TO_TRADE
                });
                if trade {
                    market.trade(&mut payload, &mut random);
                } else {
                    market.book_ticker(&mut payload, &mut random);
                }
            }
            tape.push(begin_ns + ns, &payload)?;
        }
    }
    Ok(tape)
}

/// Messages of each second: every part of the distribution once, in a random order.
fn counts(random: &mut Random) -> Vec<usize> {
    let mut counts: Vec<usize> = (0..SECONDS)
        .map(|i| at(PER_SECOND, i as f64 / (SECONDS - 1) as f64).round() as usize)
        .collect();
    let busiest = counts.pop().unwrap_or_default();
    for i in (1..counts.len()).rev() {
        counts.swap(i, random.below(i + 1));
    }
    counts.insert(BUSIEST_SECOND, busiest);
    counts
}

/// When `count` messages of one second come, in nanoseconds: clusters, with gaps that
/// together fill the second.
fn times(random: &mut Random, count: usize, burst: Option<usize>) -> Vec<u64> {
    let mut clusters = Vec::new();
    let mut left = count;
    if let Some(burst) = burst {
        clusters.push(burst.min(left));
        left -= burst.min(left);
    }
    while left > 0 {
        let size = (random.draw(CLUSTER).round() as usize).min(left);
        clusters.push(size);
        left -= size;
    }
    let gaps: Vec<f64> = clusters
        .iter()
        .map(|_| random.draw(GAP_BETWEEN_US))
        .collect();
    // Busy seconds have fewer long gaps; their short ones are as long as any.
    let short: f64 = gaps.iter().map(|gap| gap.min(GAP_SHORT_US)).sum();
    let long: f64 = gaps.iter().map(|gap| (gap - GAP_SHORT_US).max(0.0)).sum();
    let scale = (1e6 - short).max(0.0) / long.max(1.0);
    let mut times = Vec::with_capacity(count);
    let mut begin_us = 0.0;
    for (size, gap_us) in clusters.into_iter().zip(gaps) {
        let mut ns = begin_us * 1e3;
        for _ in 0..size {
            times.push((ns as u64).min(999_999_999));
            let gap = random.draw(GAP_INSIDE_NS);
            ns += if size < DENSE_MESSAGES_MIN {
                gap
            } else {
                gap.min(4_100.0)
            };
        }
        begin_us += gap_us.min(GAP_SHORT_US) + (gap_us - GAP_SHORT_US).max(0.0) * scale;
    }
    times
}

/// Levels of each side in the beginning: more than the snapshot has, as in a real book.
const BOOK_LEVELS: u64 = 1_200;

/// Levels of each side in the snapshot.
const SNAPSHOT_LEVELS: usize = 1_000;

/// Most cents from one level to the next.
const LEVEL_CENTS_MAX: usize = 60;

/// Most cents by which the price moves from one book ticker to the next.
const STEP_CENTS_MAX: u64 = 9;

/// Chance that a change of a level removes it; whether it was there or not.
const REMOVED: f64 = 0.5;

/// An order book and counters that move as messages are made. The book ticker shows its top; the
/// depth messages tell what changed, as a client must see it: absolute quantities, numbers of
/// changes without a gap, and the top of the last book ticker.
struct Market {
    /// The best bid in cents; the best ask is one above.
    price: u64,
    /// What is offered at both.
    best: [usize; 2],
    /// Changes so far: what numbers and times are counted from.
    update: u64,
    /// The last change that a depth message told.
    told: u64,
    /// As the last depth message left them: quantities by price.
    bids: BTreeMap<u64, usize>,
    asks: BTreeMap<u64, usize>,
}

impl Market {
    fn new(random: &mut Random) -> Self {
        let mut market = Self {
            price: 6_183_763,
            best: [378_826, 154_698],
            update: 50_093_239_202,
            told: 50_093_239_202,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        };
        let mut away = 0;
        for _ in 0..BOOK_LEVELS {
            for (side, price) in [
                (&mut market.bids, market.price - away),
                (&mut market.asks, market.price + 1 + away),
            ] {
                side.insert(price, 1 + random.below(900_000));
            }
            away += 1 + random.below(LEVEL_CENTS_MAX) as u64;
        }
        market.bids.insert(market.price, market.best[0]);
        market.asks.insert(market.price + 1, market.best[1]);
        market
    }

    fn step(&mut self, random: &mut Random) {
        self.update += 1 + random.below(9) as u64;
    }

    fn book_ticker(&mut self, into: &mut Vec<u8>, random: &mut Random) {
        self.step(random);
        // Stays far from both ends of five digits, so that sizes stay as well.
        let up = random.below(2 * STEP_CENTS_MAX as usize + 1) as u64;
        self.price = (self.price + up - STEP_CENTS_MAX).clamp(2_000_000, 9_000_000);
        self.best = [1 + random.below(900_000), 1 + random.below(900_000)];
        put(
            into,
            format_args!(
                r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{},"s":"BTCUSDT","b":"{}","B":"{}","a":"{}","A":"{}"}}}}"#,
                self.update,
                Price(self.price),
                Quantity(self.best[0]),
                Price(self.price + 1),
                Quantity(self.best[1]),
            ),
        );
    }

    fn trade(&mut self, into: &mut Vec<u8>, random: &mut Random) {
        self.step(random);
        put(
            into,
            format_args!(
                r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{},"s":"BTCUSDT","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}}}"#,
                1_673_068_016_141 + self.update,
                self.update / 14,
                Price(self.price),
                Quantity(1 + random.below(90_000)),
                1_673_068_016_139 + self.update,
                random.chance(0.5),
            ),
        );
    }

    fn depth(&mut self, into: &mut Vec<u8>, random: &mut Random) {
        self.step(random);
        let bytes = random.draw(DEPTH_BYTES) as usize;
        let first = self.told + 1;
        self.told = self.update;
        put(
            into,
            format_args!(
                r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{},"s":"BTCUSDT","U":{first},"u":{},"b":["#,
                1_673_068_016_141 + self.update,
                self.update,
            ),
        );
        let levels = bytes.saturating_sub(into.len() + 10) / LEVEL_BYTES;
        let below = |away| self.price - away;
        let crossed = self.bids.split_off(&(self.price + 1));
        let bids = changes(
            &mut self.bids,
            &crossed,
            self.best[0],
            levels / 2,
            below,
            random,
        );
        write_levels(into, bids);
        put(into, format_args!(r#"],"a":["#));
        let above = |away| self.price + 1 + away;
        let uncrossed = self.asks.split_off(&(self.price + 1));
        let crossed = std::mem::replace(&mut self.asks, uncrossed);
        let levels = levels - levels / 2;
        let asks = changes(
            &mut self.asks,
            &crossed,
            self.best[1],
            levels,
            above,
            random,
        );
        write_levels(into, asks);
        put(into, format_args!("]}}}}"));
    }

    /// The book as the last depth message left it, under a number between that message's and the
    /// next one's.
    fn snapshot(&self, into: &mut Vec<u8>) {
        put(
            into,
            format_args!(r#"{{"lastUpdateId":{},"bids":["#, self.update),
        );
        let level = |(&price, &quantity): (&u64, &usize)| (price, quantity);
        write_levels(
            into,
            self.bids.iter().rev().take(SNAPSHOT_LEVELS).map(level),
        );
        put(into, format_args!(r#"],"asks":["#));
        write_levels(into, self.asks.iter().take(SNAPSHOT_LEVELS).map(level));
        put(into, format_args!("]}}"));
    }
}

/// Changes of one side, made and told: those that the price has passed are gone, the best one is
/// `best`, and others behind it change, to about `levels` in all.
fn changes(
    side: &mut BTreeMap<u64, usize>,
    crossed: &BTreeMap<u64, usize>,
    best: usize,
    levels: usize,
    price: impl Fn(u64) -> u64,
    random: &mut Random,
) -> Vec<(u64, usize)> {
    let mut changes = vec![(price(0), best)];
    changes.extend(crossed.keys().map(|&price| (price, 0)));
    let mut away = 0;
    while changes.len() < levels {
        away += 1 + random.below(LEVEL_CENTS_MAX) as u64;
        let quantity = if random.chance(REMOVED) {
            0
        } else {
            1 + random.below(900_000)
        };
        changes.push((price(away), quantity));
    }
    for &(price, quantity) in &changes {
        if quantity == 0 {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
    changes
}

fn write_levels(into: &mut Vec<u8>, levels: impl IntoIterator<Item = (u64, usize)>) {
    for (place, (price, quantity)) in levels.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        put(
            into,
            format_args!(r#"{comma}["{}","{}"]"#, Price(price), Quantity(quantity)),
        );
    }
}

/// Bytes of `["61837.64000000","1.54698000"],`.
const LEVEL_BYTES: usize = 32;

fn put(into: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = into.write_fmt(text);
}

/// Cents, as `61837.64000000`.
struct Price(u64);

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}000000", self.0 / 100, self.0 % 100)
    }
}

/// Hundred thousandths below ten, as `1.54698000`.
struct Quantity(usize);

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:05}000", self.0 / 100_000, self.0 % 100_000)
    }
}
