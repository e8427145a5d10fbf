//! What must never hang: whatever the sizes, the windows, and the other channels.

use harness::channels::frames::{CREDIT, FLAG_BLOCKED};
use harness::channels::open::Wanted;
use harness::channels::{Sim, frames};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{ChannelConfig, ChannelId, Charge, Direction, Event, Unit};

use crate::channels_sim::number;
use crate::channels_sim_found::{config, opened, ready};

/// Window and record tiny.
fn tiny(window: u32) -> impl Fn(&mut ChannelConfig) {
    move |c| {
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
        c.channel_window_bytes = window;
        c.channel_window_bytes_max = window;
        c.frame_overhead_bytes = 16;
    }
}

/// The largest message that end 0 may send now: what `send` says.
fn message_max(sim: &mut Sim, link: usize) -> usize {
    let id = sim.links[link].ids[0].expect("open");
    match sim.ends[0].send(id, &vec![0; 1 << 20]) {
        Err(tickwire::channels::ChannelSendError::TooLarge { max, .. }) => max,
        other => panic!("{other:?}"),
    }
}

/// Sends what is left, as far as it is taken.
fn push(sim: &mut Sim, left: &mut [Vec<usize>], links: &[usize], rng: &mut Rng) {
    for (left, &link) in left.iter_mut().zip(links) {
        while let Some(&size) = left.last() {
            let before = sim.links[link].dirs[0].published.len();
            // Not as a run, and not given up.
            let how = [0, 1, 2, 3, 4][rng.below(5)];
            sim.send(0, link, how, size);
            if sim.links[link].dirs[0].published.len() == before {
                break;
            }
            left.pop();
        }
    }
}

/// I5, I6: no time passes, so that no timer can help.
#[test]
fn any_mix_of_sizes_goes_through_any_windows() {
    for seed in 0..u64::from(number("TICKWIRE_SEEDS", 60)) {
        let mut rng = Rng::new(seed);
        let windows = [1024, 1500, 4096, 70_000];
        let window = windows[rng.below(4)];
        let both = [(); 2].map(|()| config(tiny(window)));
        let mut sim = ready(both);
        let links: Vec<usize> = (0..1 + rng.below(12))
            .map(|n| {
                let unit = [Unit::Bytes, Unit::Messages][rng.below(2)];
                let wanted = Wanted {
                    unit,
                    priority: (n % 8) as u8,
                    ..Wanted::default()
                };
                opened(&mut sim, &wanted)
            })
            .collect();
        let mut left: Vec<Vec<usize>> = Vec::new();
        for &link in &links {
            let max = message_max(&mut sim, link);
            let sizes = |_| {
                if rng.one_in(3) {
                    max
                } else {
                    rng.below(max + 1)
                }
            };
            left.push((0..30).map(sizes).collect());
        }
        let steps = 30 * links.len() * 2 + 10;
        for _ in 0..steps {
            push(&mut sim, &mut left, &links, &mut rng);
            let before = sim.counts.messages;
            for _ in 0..1 + rng.below(4) {
                sim.poll(0);
                sim.deliver(0);
            }
            sim.drain_readers();
            let done = left.iter().all(Vec::is_empty);
            if done && sim.counts.messages == before {
                break;
            }
        }
        assert_eq!(sim.counts.messages, 30 * links.len() as u64, "seed {seed}");
        sim.quiesce();
    }
}

/// I5: channels with small messages do not take all the credit before a large one gets some.
#[test]
fn a_large_message_is_not_starved_by_small_ones() {
    for (priority, others) in [(3, 3), (7, 3), (3, 0)] {
        let wide = tiny(1 << 16);
        let mut sim = ready([config(&wide), config(&wide)]);
        sim.reads = true;
        let wanted = |priority| Wanted {
            priority,
            ..Wanted::default()
        };
        let small: Vec<usize> = (0..8).map(|_| opened(&mut sim, &wanted(others))).collect();
        let large = opened(&mut sim, &wanted(priority));
        let max = message_max(&mut sim, large);
        let fill = |sim: &mut Sim| {
            for &link in &small {
                for _ in 0..100 {
                    sim.send(0, link, 0, 40);
                }
            }
        };
        fill(&mut sim);
        sim.send(0, large, 0, max);
        for _ in 0..400 {
            // All credit is used at once, and what is sent comes a record at a time.
            fill(&mut sim);
            while sim.poll(0) {}
            sim.deliver(0);
            sim.poll(1);
            sim.deliver(1);
        }
        let passed = sim.counts.messages;
        let got = sim.links[large].dirs[0].delivered;
        assert_eq!(
            got, 1,
            "{priority}: {passed} small messages went before {max} bytes"
        );
    }
}

/// 256 channels of end 0, of which nobody reads the first.
struct Crowd {
    sim: Sim,
    senders: Vec<ChannelId>,
    /// The same channels at end 1, by index.
    readers: Vec<Option<usize>>,
    /// Messages that each has got.
    got: Vec<u64>,
    /// What holds the window of the first.
    kept: Vec<Charge>,
}

impl Crowd {
    fn new() -> Self {
        let mut sim = ready([config(|_| {}), config(|_| {})]);
        sim.eager = true;
        let wanted = Wanted {
            direction: Direction::OpenerSends,
            ..Wanted::default()
        };
        let (mut senders, mut readers) = (Vec::new(), vec![None; 256]);
        for n in 0..256 {
            let link = sim.open(0, &wanted).expect("a place");
            sim.flush();
            let [sender, reader] = sim.links[link].ids.map(|id| id.expect("open"));
            senders.push(sender);
            readers[reader.index()] = Some(n);
        }
        Self {
            sim,
            senders,
            readers,
            got: vec![0; 256],
            kept: Vec::new(),
        }
    }

    /// More than a turn's share of 4,096 bytes waits on each.
    fn fill(&mut self) {
        let core = &mut self.sim.ends[0];
        while core.send(self.senders[0], &[7; 40]).is_ok() {}
        for &id in &self.senders[1..] {
            let queued = core.channel_stats(id).expect("open").queued_messages;
            for _ in queued..60 {
                assert_eq!(core.send(id, &[1; 40]), Ok(()));
            }
        }
    }

    /// All that may go goes, and all but the first read it.
    fn turn(&mut self) {
        let now = Timestamp(self.sim.now);
        let [sender, reader] = &mut self.sim.ends;
        while let Some(record) = sender.poll_record(now) {
            let mut incoming = reader.receive(&record, now);
            while let Some(event) = reader.next(&mut incoming) {
                let Event::Message(m) = event else {
                    panic!("{event:?}");
                };
                let n = self.readers[m.channel.index()].expect("one of them");
                if n == 0 {
                    self.kept.push(m.charge);
                } else {
                    self.got[n] += 1;
                    reader.release(m.channel, m.charge);
                }
            }
        }
        while let Some(record) = reader.poll_record(now) {
            let mut incoming = sender.receive(&record, now);
            while sender.next(&mut incoming).is_some() {}
        }
        while sender.session.poll_writable().is_some() {}
    }
}

/// T19 in counts: one channel is full and never read, 255 others run. Every one of them gets
/// its share, and none goes without for two turns. `TICKWIRE_MESSAGES` sets how many go.
#[test]
fn one_stalled_channel_beside_255_that_run() {
    let total = u64::from(number("TICKWIRE_MESSAGES", 300_000));
    let mut crowd = Crowd::new();
    let mut turns = vec![0; 256];
    while crowd.got.iter().sum::<u64>() < total {
        crowd.fill();
        let before = crowd.got.clone();
        crowd.turn();
        for (n, turns) in turns.iter_mut().enumerate().skip(1) {
            let none = crowd.got[n] == before[n];
            *turns = if none { *turns + 1 } else { 0 };
            assert!(*turns < 2, "{n} had nothing in two turns");
        }
    }
    let others = &crowd.got[1..];
    let (least, most) = (others.iter().min(), others.iter().max());
    let (least, most) = (*least.expect("255"), *most.expect("255"));
    // A turn's share, 4,096 bytes, is 40 messages; who has to wait for credit in one loses some.
    assert!(
        most - least <= 80 + least / 100,
        "from {least} to {most} messages"
    );
    // 65,536 bytes of window, each message for 40 + 64.
    assert_eq!((crowd.got[0], crowd.kept.len()), (0, 65_536 / 104));
}

/// T21: the window slides for ever.
#[test]
fn a_thousand_windows_pass() {
    let mut sim = ready([config(tiny(1024)), config(tiny(1024))]);
    sim.reads = true;
    let links = [(); 2].map(|()| opened(&mut sim, &Wanted::default()));
    let bytes = |sim: &Sim| sim.ends[1].stats().bytes_in;
    for n in 0..1_000_000 {
        for link in links {
            sim.send(0, link, 0, n % 500);
        }
        if n % 4 == 0 {
            sim.flush();
        }
        // The model need not remember for ever.
        if bytes(&sim) > 2 * 1000 * 1024 {
            break;
        }
    }
    sim.quiesce();
    assert!(bytes(&sim) > 2 * 1000 * 1024);
}

/// T30: a CREDIT that is lost is told again, within a second, because the sender says that it is
/// stuck.
#[test]
fn a_credit_that_is_lost_is_told_again() {
    let mut sim = ready([config(tiny(2048)), config(tiny(2048))]);
    let link = opened(&mut sim, &Wanted::default());
    for _ in 0..3 {
        sim.send(0, link, 0, 600);
    }
    while sim.poll(0) {
        while sim.deliver(0) {}
    }
    assert_eq!(sim.links[link].dirs[0].delivered, 3);
    sim.release_all(1, link);
    assert!(sim.poll(1));
    let mut lost = 0;
    sim.lose(1, |f| {
        let drop = f.kind == CREDIT;
        lost += u32::from(drop);
        drop
    });
    assert_eq!(lost, 1, "the CREDIT");
    sim.send(0, link, 0, 600);
    sim.flush();
    assert_eq!(sim.links[link].dirs[0].delivered, 3, "it is stuck");
    sim.pass(1_000_000_000);
    sim.flush();
    assert_eq!(sim.links[link].dirs[0].delivered, 4, "it has recovered");
    assert_eq!(sim.ends[0].stats().stalls, 1);
    sim.quiesce();
}

/// I14: a CREDIT may come twice, and late.
#[test]
fn credits_may_be_repeated() {
    let mut sim = ready([config(tiny(1500)), config(tiny(1500))]);
    let link = opened(&mut sim, &Wanted::default());
    let mut told: Vec<Vec<u8>> = Vec::new();
    for n in 0..2000 {
        sim.send(0, link, 0, n % 700);
        sim.poll(0);
        sim.deliver(0);
        sim.release_all(1, link);
        while sim.poll(1) {}
        for record in &sim.pipes[1] {
            told.push(frames::without(record, |f| {
                f.kind != CREDIT || f.flags & FLAG_BLOCKED != 0
            }));
        }
        while sim.deliver(1) {}
        for back in [1, 2, 10] {
            if let Some(again) = told.len().checked_sub(back).map(|at| told[at].clone()) {
                sim.receive(0, &again);
            }
        }
        sim.check();
    }
    sim.quiesce();
    assert!(told.iter().filter(|r| !r.is_empty()).count() > 100);
}
