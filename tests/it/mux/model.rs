//! The design of the protocol, checked by exhaustive search: small models of credit, aliases and
//! wake-ups, with every state that they can reach, and the way on from each. The last test asks the
//! library for the rule that follows from the first model.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use tickwire::Timestamp;
use tickwire::channels::{ChannelConfig, Mux, OpenError, OpenOptions};

/// The largest number of states of a model. More is a mistake in the model.
const STATES_MAX: usize = 2_000_000;

/// The steps from a state: whether the step is progress, and the next state.
type Steps<S> = Vec<(bool, S)>;

/// All states that are reachable from one state.
struct Space<S> {
    steps: HashMap<S, Steps<S>>,
}

impl<S: Clone + Eq + Hash> Space<S> {
    fn search(first: S, next: impl Fn(&S) -> Steps<S>) -> Self {
        let mut steps = HashMap::new();
        let mut found = HashSet::from([first.clone()]);
        let mut queue = VecDeque::from([first]);
        while let Some(state) = queue.pop_front() {
            let out = next(&state);
            for (_, to) in &out {
                if found.insert(to.clone()) {
                    queue.push_back(to.clone());
                }
            }
            assert!(found.len() <= STATES_MAX, "a model without end");
            steps.insert(state, out);
        }
        Self { steps }
    }

    /// Whether progress can be reached from every state.
    fn is_live(&self) -> bool {
        let mut from: HashMap<&S, Vec<&S>> = HashMap::new();
        let mut good: HashSet<&S> = HashSet::new();
        for (state, out) in &self.steps {
            for (progress, to) in out {
                from.entry(to).or_default().push(state);
                if *progress {
                    good.insert(state);
                }
            }
        }
        let mut queue: VecDeque<&S> = good.iter().copied().collect();
        while let Some(state) = queue.pop_front() {
            for before in from.get(state).into_iter().flatten() {
                if good.insert(before) {
                    queue.push_back(before);
                }
            }
        }
        good.len() == self.steps.len()
    }

    fn any(&self, is: impl Fn(&S) -> bool) -> bool {
        self.steps.keys().any(is)
    }
}

/// Messages of 1 to `max` units through a window. The reader takes whole messages, and grants
/// credit when it has released `threshold` units.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Mixed {
    credit: u32,
    /// Units left of the message that is being sent.
    left: u32,
    /// Units on their way: whether each is the last of its message.
    way: VecDeque<bool>,
    part: u32,
    whole: u32,
    owed: u32,
    told: u32,
}

fn mixed_is_live(window: u32, threshold: u32, max: u32) -> bool {
    let first = Mixed {
        credit: window,
        left: 0,
        way: VecDeque::new(),
        part: 0,
        whole: 0,
        owed: 0,
        told: 0,
    };
    let next = |s: &Mixed| {
        let mut out = Vec::new();
        let mut step = |progress, change: &dyn Fn(&mut Mixed)| {
            let mut to = s.clone();
            change(&mut to);
            out.push((progress, to));
        };
        if s.left == 0 {
            for size in 1..=max {
                step(false, &|t| t.left = size);
            }
        } else if s.credit > 0 {
            step(false, &|t| {
                t.credit -= 1;
                t.left -= 1;
                t.way.push_back(t.left == 0);
            });
        }
        if let Some(&last) = s.way.front() {
            step(last, &|t| {
                t.way.pop_front();
                t.part += 1;
                if last {
                    t.whole += std::mem::take(&mut t.part);
                }
            });
        }
        if s.whole > 0 {
            step(false, &|t| t.owed += std::mem::take(&mut t.whole));
        }
        if s.owed >= threshold {
            step(false, &|t| t.told += std::mem::take(&mut t.owed));
        }
        if s.told > 0 {
            step(false, &|t| t.credit += std::mem::take(&mut t.told));
        }
        out
    };
    Space::search(first, next).is_live()
}

#[test]
fn messages_never_hang_if_and_only_if_they_fit_the_window_less_the_threshold() {
    let mut hang = 0;
    for window in 2..7 {
        for threshold in 1..=window {
            for max in 1..=window {
                let live = mixed_is_live(window, threshold, max);
                assert_eq!(
                    live,
                    max <= window - threshold + 1,
                    "{window} {threshold} {max}"
                );
                hang += u32::from(!live);
            }
        }
    }
    // The values of linkerd's issue 1013, which hang, and the nearest that do not.
    assert!(!mixed_is_live(6, 3, 5) && mixed_is_live(6, 3, 4) && hang > 20);
}

/// A channel whose window grows from a budget and is given back. Counts are relative to the
/// consumed units, so that the search ends. Each frame costs one unit.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Half {
    /// At the sender: its limit, and what it has sent.
    limit: u32,
    charged: u32,
    /// On the way to the receiver: data, or a RETURN with its total.
    way: VecDeque<Option<u32>>,
    /// At the receiver: the limit that it granted, and what has arrived and is unread.
    told: u32,
    unread: u32,
    window: u32,
    /// On the way to the sender: a limit, or NARROW.
    back: VecDeque<Option<u32>>,
}

/// The initial window of each channel.
const FIRST: u32 = 2;

impl Half {
    fn new() -> Self {
        Self {
            limit: FIRST,
            charged: 0,
            way: VecDeque::new(),
            told: FIRST,
            unread: 0,
            window: FIRST,
            back: VecDeque::new(),
        }
    }

    /// Consumes so many units more.
    fn consume(&mut self, n: u32) {
        self.limit -= n;
        self.charged -= n;
        self.told -= n;
        self.unread -= n;
        self.way.iter_mut().flatten().for_each(|total| *total -= n);
        self.back.iter_mut().flatten().for_each(|limit| *limit -= n);
    }

    /// A frame arrives. Returns whether it was data.
    fn arrive(&mut self) -> bool {
        let Some(frame) = self.way.pop_front() else {
            return false;
        };
        let Some(total) = frame else {
            self.unread += 1;
            assert!(self.unread <= self.told, "more than was told");
            return true;
        };
        let unused = total - self.unread;
        assert!(total + FIRST <= self.told, "a RETURN out of range");
        self.unread = total;
        self.window -= unused;
        self.consume(unused);
        false
    }

    fn hear(&mut self) {
        match self.back.pop_front() {
            Some(Some(limit)) => self.limit = self.limit.max(limit),
            Some(None) if self.limit - self.charged > FIRST => {
                self.charged = self.limit - FIRST;
                self.way.push_back(Some(self.charged));
            }
            _ => {}
        }
    }
}

/// The steps of one of two channels. `others` is the window of the other.
fn half_steps(half: &Half, others: u32, budget: Option<u32>, reads: bool) -> Steps<Half> {
    let mut out = Vec::new();
    let mut step = |change: &dyn Fn(&mut Half) -> bool| {
        let mut to = half.clone();
        let progress = change(&mut to);
        out.push((progress, to));
    };
    if half.charged < half.limit {
        step(&|t| {
            t.charged += 1;
            t.way.push_back(None);
            false
        });
    }
    if !half.way.is_empty() {
        step(&Half::arrive);
    }
    if !half.back.is_empty() {
        step(&|t| {
            t.hear();
            false
        });
    }
    if reads && half.unread > 0 {
        step(&|t| {
            t.consume(1);
            false
        });
    }
    let spare = budget.map_or(1, |budget| budget - others - half.window);
    for growth in 0..=spare.min(6 - half.window) {
        if half.window > half.told {
            step(&|t| {
                t.window += growth;
                t.told = t.window;
                t.back.push_back(Some(t.told));
                false
            });
        }
    }
    if half.window > FIRST && half.unread == 0 && !half.back.contains(&None) {
        step(&|t| {
            t.back.push_back(None);
            false
        });
    }
    out
}

/// Two channels: A, which nobody reads, and B.
fn two_windows(budget: Option<u32>) -> Space<(Half, Half)> {
    Space::search((Half::new(), Half::new()), |(a, b)| {
        let of_a = half_steps(a, b.window, budget, false).into_iter();
        let of_b = half_steps(b, a.window, budget, true).into_iter();
        let of_a = of_a.map(|(_, to)| (false, (to, b.clone())));
        of_a.chain(of_b.map(|(progress, to)| (progress, (a.clone(), to))))
            .collect()
    })
}

#[test]
fn windows_from_a_budget_bound_memory_and_do_not_block_other_channels() {
    for budget in [4, 5, 6] {
        let space = two_windows(Some(budget));
        assert!(space.is_live(), "B waits for A's reader: {budget}");
        let held = |(a, b): &(Half, Half)| a.unread + b.unread > budget;
        let granted = |(a, b): &(Half, Half)| a.window + b.window > budget;
        assert!(!space.any(held) && !space.any(granted));
        let all = |(a, b): &(Half, Half)| a.unread == FIRST && b.unread == budget - FIRST;
        assert!(space.any(all), "B can have all that may grow: {budget}");
        let back = |(_, b): &(Half, Half)| b.way.iter().flatten().next().is_some();
        assert_eq!(space.any(back), budget > 4, "what has grown is given back");
    }
    // Growth without a budget exceeds the bound.
    let unbacked = two_windows(None);
    assert!(unbacked.any(|(a, b)| a.unread + b.unread > 6));
}

/// A receiver with two places. `cumulative`: it announces a total; else the places that are free
/// now.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Places {
    credit: i32,
    sent: i32,
    way: i32,
    held: i32,
    eaten: i32,
    told: VecDeque<i32>,
    over: bool,
}

fn overflows(cumulative: bool) -> bool {
    const PLACES: i32 = 2;
    let first = Places {
        credit: PLACES,
        sent: 0,
        way: 0,
        held: 0,
        eaten: 0,
        told: VecDeque::new(),
        over: false,
    };
    let next = |s: &Places| {
        let mut out = Vec::new();
        if s.over || s.sent >= 6 {
            return out;
        }
        let mut step = |change: &dyn Fn(&mut Places)| {
            let mut to = s.clone();
            change(&mut to);
            out.push((false, to));
        };
        if s.credit > 0 {
            step(&|t| (t.credit, t.sent, t.way) = (t.credit - 1, t.sent + 1, t.way + 1));
        }
        if s.way > 0 {
            step(&|t| {
                t.way -= 1;
                t.over = t.held + 1 > PLACES;
                t.held = (t.held + 1).min(PLACES);
            });
        }
        if s.held > 0 {
            step(&|t| {
                (t.held, t.eaten) = (t.held - 1, t.eaten + 1);
                let told = if cumulative {
                    t.eaten + PLACES
                } else {
                    PLACES - t.held
                };
                t.told.push_back(told);
            });
        }
        if !s.told.is_empty() {
            step(&|t| {
                let told = t.told.pop_front().unwrap_or_default();
                t.credit = if cumulative {
                    t.credit.max(told - t.sent)
                } else {
                    told
                };
            });
        }
        out
    };
    Space::search(first, next).any(|s| s.over)
}

#[test]
fn cumulative_limits_do_not_overflow_and_free_counts_do() {
    assert!(overflows(false), "a sender that is told what is free now");
    assert!(!overflows(true), "a sender that is told a total");
}

/// A task reads its credit and registers to be woken, while another one adds credit and wakes the
/// registered task. `again`: the task reads the credit once more after it has registered.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Waiter {
    at: usize,
    adder: usize,
    credit: bool,
    registered: bool,
    woken: bool,
    /// The task has found credit, and does not wait.
    served: bool,
}

fn loses_a_wake(again: bool) -> bool {
    let end = if again { 3 } else { 2 };
    let first = Waiter {
        at: 0,
        adder: 0,
        credit: false,
        registered: false,
        woken: false,
        served: false,
    };
    let next = |s: &Waiter| {
        let mut out = Vec::new();
        if !s.served && s.at < end {
            let mut to = s.clone();
            match s.at {
                1 => to.registered = true,
                _ => to.served = s.credit,
            }
            to.at += 1;
            out.push((false, to));
        }
        if s.adder < 2 {
            let mut to = s.clone();
            match s.adder {
                0 => to.credit = true,
                _ => to.woken = s.registered,
            }
            to.adder += 1;
            out.push((false, to));
        }
        out
    };
    let space = Space::search(first, next);
    space.any(|s| s.at == end && s.adder == 2 && !s.served && !s.woken)
}

#[test]
fn a_wake_up_is_lost_unless_credit_is_read_again_after_registering() {
    assert!(loses_a_wake(false));
    assert!(!loses_a_wake(true));
}

/// An alias is opened, reset and opened again, while each OPEN is answered once.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Reuse {
    life: u8,
    alive: bool,
    unanswered: u8,
    opens: VecDeque<u8>,
    answers: VecDeque<u8>,
    mistaken: bool,
}

fn answers_are_mistaken(waits: bool) -> bool {
    let first = Reuse {
        life: 0,
        alive: false,
        unanswered: 0,
        opens: VecDeque::new(),
        answers: VecDeque::new(),
        mistaken: false,
    };
    let next = |s: &Reuse| {
        let mut out = Vec::new();
        let mut step = |change: &dyn Fn(&mut Reuse)| {
            let mut to = s.clone();
            change(&mut to);
            out.push((false, to));
        };
        if !s.alive && s.life < 3 && (!waits || s.unanswered == 0) {
            step(&|t| {
                (t.life, t.alive, t.unanswered) = (t.life + 1, true, t.unanswered + 1);
                t.opens.push_back(t.life);
            });
        }
        if s.alive {
            step(&|t| t.alive = false);
        }
        if !s.opens.is_empty() {
            step(&|t| {
                let open = t.opens.pop_front();
                t.answers.extend(open);
            });
        }
        if let Some(&answered) = s.answers.front() {
            step(&|t| {
                t.answers.pop_front();
                t.unanswered -= 1;
                t.mistaken |= t.alive && answered != t.life;
            });
        }
        out
    };
    Space::search(first, next).any(|s| s.mistaken)
}

#[test]
fn an_alias_is_reused_only_after_its_answer() {
    assert!(answers_are_mistaken(false));
    assert!(!answers_are_mistaken(true));
}

/// The rule of the first model with the costs of the library: the largest message for a window, in
/// bytes.
pub(crate) fn message_max(window: u64, overhead: u64, record: u64) -> u64 {
    let sure = |w: u64| {
        let threshold = if w >= 64 << 10 { w / 2 } else { w / 4 };
        w - threshold.max(1) + 1
    };
    let room = sure(window);
    let fragment = (record / 4).min(window / 4).max(1);
    let charge = |len: u64| len + overhead * (len.div_ceil(fragment) + 1);
    (0..=room)
        .rev()
        .find(|&len| charge(len) <= room)
        .unwrap_or(0)
}

/// OPEN can ask for the largest message that can never hang, and for no larger one.
#[test]
fn open_allows_exactly_the_message_sizes_that_cannot_hang() {
    for window in [1024_u32, 1500, 4096, 30_000, 65_535, 65_536, 100_000] {
        for (overhead, record) in [(16, 1024), (64, 16 << 10), (200, 4096)] {
            let config = ChannelConfig::default()
                .record_bytes_max(record)
                .channel_window_bytes(8192)
                .frame_overhead_bytes(overhead)
                .metadata_bytes_max(64);
            let mut core = Mux::new(config, Timestamp(0)).expect("limits that work");
            let max = message_max(window.into(), overhead.into(), record.into()) as u32;
            let mut open = |max| {
                let options = OpenOptions::new("t").window(window);
                core.open(options.message_bytes_max(max))
            };
            let what = (window, overhead, record);
            assert!(open(max).is_ok(), "{max} of {what:?}");
            let more = open(max + 1);
            assert!(
                matches!(more, Err(OpenError::Options(_))),
                "{max} of {what:?}"
            );
        }
    }
}
