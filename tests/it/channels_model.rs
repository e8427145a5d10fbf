//! The design of the channels, searched state by state: small models of credit, of aliases and of
//! wake-ups, every state that they can reach, and from each of them the way on. The rules that
//! come of it are then asked of the library itself. (Design page `mux.md`, M1 to M5.)

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use tickwire::Timestamp;
use tickwire::channels::{Config, Connection, OpenError, OpenOptions};

/// States that a model may have; more is a mistake in the model.
const STATES_MAX: usize = 2_000_000;

/// What can happen in a state: whether it is progress, and what follows.
type Steps<S> = Vec<(bool, S)>;

/// All that is reached from a state.
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

/// M1: messages of 1 to `max` units through a window; the reader takes whole messages, and
/// credit is told when `threshold` is owed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Mixed {
    credit: u32,
    /// Units left of the message that is being sent.
    left: u32,
    /// On the way: whether each unit is the last of its message.
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
fn messages_do_not_hang_just_when_they_fit_what_is_sure_to_be_returned() {
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
    // linkerd's (issue 1013), and the nearest that does not.
    assert!(!mixed_is_live(6, 3, 5) && mixed_is_live(6, 3, 4) && hang > 20);
}

/// M2: one window for two channels; the reader of A never reads, that of B does.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shared {
    credit: u32,
    a: u32,
    b: u32,
    /// On the way: whether each frame is of A.
    way: VecDeque<bool>,
    unread_a: u32,
    unread_b: u32,
    owed: u32,
    owed_b: u32,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    window: u32,
    channel_a: u32,
    channel_b: u32,
    reserve: u32,
    cost: u32,
    threshold: u32,
}

/// Whether B always gets on, and the most that the receiver holds.
fn shared(shape: Shape) -> (bool, u32) {
    let Shape { cost, reserve, .. } = shape;
    let over = move |held: u32| held.saturating_sub(reserve);
    let first = Shared {
        credit: shape.window,
        a: shape.channel_a,
        b: shape.channel_b,
        way: VecDeque::new(),
        unread_a: 0,
        unread_b: 0,
        owed: 0,
        owed_b: 0,
    };
    let next = move |s: &Shared| {
        let mut out = Vec::new();
        let mut step = |progress, change: &dyn Fn(&mut Shared)| {
            let mut to = s.clone();
            change(&mut to);
            out.push((progress, to));
        };
        if s.credit >= cost && s.a >= cost {
            step(false, &|t| {
                t.credit -= cost;
                t.a -= cost;
                t.way.push_back(true);
            });
        }
        if s.credit >= cost && s.b >= cost {
            step(true, &|t| {
                t.credit -= cost;
                t.b -= cost;
                t.way.push_back(false);
            });
        }
        if let Some(&of_a) = s.way.front() {
            step(false, &|t| {
                t.way.pop_front();
                let unread = if of_a {
                    &mut t.unread_a
                } else {
                    &mut t.unread_b
                };
                let counted = over(*unread + cost) - over(*unread);
                *unread += cost;
                t.owed += cost - counted;
            });
        }
        if s.unread_b >= cost {
            step(false, &|t| {
                t.owed += over(t.unread_b) - over(t.unread_b - cost);
                t.unread_b -= cost;
                t.owed_b += cost;
            });
        }
        if s.owed >= shape.threshold {
            step(false, &|t| t.credit += std::mem::take(&mut t.owed));
        }
        if s.owed_b > 0 {
            step(false, &|t| t.b += std::mem::take(&mut t.owed_b));
        }
        out
    };
    let space = Space::search(first, next);
    let held = space.steps.keys().map(|s| s.unread_a + s.unread_b).max();
    (space.is_live(), held.unwrap_or(0))
}

#[test]
fn reserves_let_others_get_on_and_bound_what_is_held() {
    let (mut shapes, mut live) = (0, 0);
    for window in [4, 6] {
        for channel_a in 2..window + 3 {
            for reserve in 0..3 {
                for (threshold, cost) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)] {
                    let shape = Shape {
                        window,
                        channel_a,
                        channel_b: 4,
                        reserve,
                        cost,
                        threshold,
                    };
                    let (on, held) = shared(shape);
                    // Rule R19: what A can hold leaves room for a frame.
                    let taken = threshold - 1 + channel_a.saturating_sub(reserve);
                    let sure = window.saturating_sub(taken) >= cost;
                    assert!(on || !sure, "{shape:?}");
                    assert!(held <= 2 * reserve + window, "{shape:?}: {held} held");
                    shapes += 1;
                    live += u32::from(on);
                }
            }
        }
    }
    // Neither side of the rule is empty.
    assert!(live > shapes / 4 && live < shapes, "{live} of {shapes}");
}

/// M3: a receiver with two places. `cumulative`: it tells a total; else what is free now.
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
fn totals_cannot_be_misread_and_what_is_free_now_can() {
    assert!(overflows(false), "a sender that is told what is free now");
    assert!(!overflows(true), "a sender that is told a total");
}

/// M4: who waits for credit reads it and registers, while credit is added and who is registered
/// is woken. `again`: it reads once more after it has registered.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Waiter {
    at: usize,
    adder: usize,
    credit: bool,
    registered: bool,
    woken: bool,
    /// It has found credit, and does not wait.
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
fn a_wake_is_lost_unless_one_looks_again_after_registering() {
    assert!(loses_a_wake(false));
    assert!(!loses_a_wake(true));
}

/// M5: an alias that is opened, reset and opened again, while each OPEN is answered once.
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
fn an_alias_is_used_again_only_after_its_answer() {
    assert!(answers_are_mistaken(false));
    assert!(!answers_are_mistaken(true));
}

/// The rule of M1 with the library's costs: the largest message with any window, in whole bytes.
pub(crate) fn message_max(window: u64, connection: u64, overhead: u64, record: u64) -> u64 {
    let sure = |w: u64| {
        let threshold = if w >= 64 << 10 { w / 2 } else { w / 4 };
        w - threshold.max(1) + 1
    };
    let room = sure(window).min(sure(connection));
    let fragment = (record / 4).min(window / 4).min(connection / 4).max(1);
    let charge = |len: u64| len + overhead * (len.div_ceil(fragment) + 1);
    (0..=room)
        .rev()
        .find(|&len| charge(len) <= room)
        .unwrap_or(0)
}

/// Rule R20 at the library's door: an OPEN may ask for just as large a message as can never hang.
#[test]
fn a_channel_takes_just_the_messages_that_cannot_hang() {
    let windows = [1024_u32, 1500, 4096, 30_000, 65_535, 65_536, 100_000];
    for connection in windows {
        for window in windows {
            for (overhead, record) in [(16, 1024), (64, 16 << 10), (200, 4096)] {
                let config = Config {
                    record_bytes_max: record,
                    connection_window_bytes: connection,
                    connection_window_bytes_max: connection,
                    channel_window_bytes: 1024,
                    reserve_bytes: 0,
                    frame_overhead_bytes: overhead,
                    metadata_bytes_max: 64,
                    ..Config::default()
                };
                let settings = config.build().expect("valid");
                let mut core = Connection::new(settings, Timestamp(0));
                let max = message_max(
                    window.into(),
                    connection.into(),
                    overhead.into(),
                    record.into(),
                ) as u32;
                let mut open = |max| {
                    let options = OpenOptions::new("t").window(window);
                    core.open(options.message_bytes_max(max))
                };
                let what = (window, connection, overhead, record);
                assert!(open(max).is_ok(), "{max} of {what:?}");
                let more = open(max + 1);
                assert!(
                    matches!(more, Err(OpenError::Options(_))),
                    "{max} of {what:?}"
                );
            }
        }
    }
}
