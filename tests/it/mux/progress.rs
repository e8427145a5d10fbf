//! Progress: no accepted message hangs, whatever the sizes and the windows.

use harness::channels::frames::{CREDIT, FLAG_BLOCKED};
use harness::channels::open::Wanted;
use harness::channels::{Sim, frames};
use harness::frames_mux::{Said, read};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ChannelSendError, Direction, Event, Mux, OpenOptions,
    Unit,
};

use super::simulation::{config, number, opened, ready};

/// A tiny window and a tiny record.
fn tiny(window: u32) -> impl Fn(&mut ChannelConfig) {
    move |c| {
        c.record_bytes_max = 1024;
        c.metadata_bytes_max = 64;
        c.channel_window_bytes = window;
        c.channel_window_bytes_max = window;
        c.frame_overhead_bytes = 16;
    }
}

/// The largest message that end 0 may send now, by the error of `send`.
fn message_max(sim: &mut Sim, link: usize) -> usize {
    let id = sim.links[link].ids[0].expect("open");
    match sim.ends[0].send(id, vec![0; 1 << 20]) {
        Err(tickwire::channels::ChannelSendError::TooLarge { max, .. }) => max,
        other => panic!("{other:?}"),
    }
}

/// Sends the remaining messages until one is refused.
fn push(sim: &mut Sim, left: &mut [Vec<usize>], links: &[usize], rng: &mut Rng) {
    for (left, &link) in left.iter_mut().zip(links) {
        while let Some(&size) = left.last() {
            let before = sim.links[link].dirs[0].published.len();
            // Not as a run, and without a dropped claim.
            let how = [0, 1, 2, 3, 4][rng.below(5)];
            sim.send(0, link, how, size);
            if sim.links[link].dirs[0].published.len() == before {
                break;
            }
            left.pop();
        }
    }
}

/// The clock stands still, so that no timer can help.
#[test]
fn messages_of_any_size_pass_any_window() {
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

/// Channels with small messages do not use all credit before a large message gets some.
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
            // All credit is used at once, and records arrive one at a time.
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

/// The window slides any number of times.
#[test]
fn a_window_slides_a_thousand_times() {
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
        // Bounds the memory of the model.
        if bytes(&sim) > 2 * 1000 * 1024 {
            break;
        }
    }
    sim.quiesce();
    assert!(bytes(&sim) > 2 * 1000 * 1024);
}

/// CREDIT can arrive twice, and late.
#[test]
fn repeated_and_late_credit_does_no_harm() {
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

/// A sender, a receiver, and the application of the receiver.
struct Two {
    sender: Mux,
    receiver: Mux,
    now: Timestamp,
    /// Messages that arrived, by channel of the receiver.
    got: Vec<(ChannelId, usize)>,
    accept: AcceptOptions,
    /// The next CREDIT is lost.
    loses: bool,
}

impl Two {
    fn new(config: &ChannelConfig) -> Self {
        let now = Timestamp(1);
        let new = || Mux::new(config.clone(), now).expect("limits that work");
        let mut two = Self {
            sender: new(),
            receiver: new(),
            now,
            got: Vec::new(),
            accept: AcceptOptions::new(),
            loses: false,
        };
        two.turn();
        two
    }

    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Open(opening) => {
                let accepted = self.receiver.accept(opening.channel, self.accept.clone());
                assert_eq!(accepted, Ok(()));
            }
            Event::Message(message) => {
                self.got.push((message.channel, message.data.len()));
                self.receiver.release(message.channel, message.charge);
            }
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }

    /// Carries records until both ends have nothing to send.
    fn turn(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(record) = self.sender.poll_record(self.now) {
                quiet = false;
                let record = record.as_slice().to_vec();
                let mut incoming = self.receiver.receive(&record, self.now);
                while let Some(event) = self.receiver.next(&mut incoming) {
                    self.note(event);
                }
            }
            while let Some(record) = self.receiver.poll_record(self.now) {
                quiet = false;
                let record = record.as_slice().to_vec();
                if self.is_lost(&record) {
                    continue;
                }
                let mut incoming = self.sender.receive(&record, self.now);
                while let Some(event) = self.sender.next(&mut incoming) {
                    assert!(!matches!(event, Event::Failed(_)), "{event:?}");
                }
            }
            while self.sender.poll_writable().is_some() {}
            if quiet {
                return;
            }
        }
    }

    /// Whether the record is the CREDIT to lose, which is alone in its record.
    fn is_lost(&mut self, record: &[u8]) -> bool {
        let lost = self.loses && matches!(read(record)[..], [Said::Credit { .. }]);
        self.loses &= !lost;
        lost
    }

    fn pass(&mut self, ms: u64) {
        self.now = Timestamp(self.now.0 + ms * 1_000_000);
        self.sender.handle_timeout(self.now);
        self.receiver.handle_timeout(self.now);
        while self.sender.poll_event().is_some() {}
        while let Some(event) = self.receiver.poll_event() {
            self.note(event);
        }
        self.turn();
    }
}

fn uplink(topic: &str) -> OpenOptions {
    OpenOptions::new(topic).direction(Direction::OpenerSends)
}

/// 1 KiB to 512 KiB, with equal shares of small and large ones.
fn window(rng: &mut Rng) -> u32 {
    let most = 1 << (10 + rng.below(10));
    1024 + rng.below(most) as u32
}

/// The largest message that `send` accepts arrives without help of the clock, whatever the windows.
#[test]
fn the_largest_accepted_message_never_hangs() {
    let mut largest = 0;
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let config = ChannelConfig::default()
            .record_bytes_max(1200 << rng.below(9))
            .channel_window_bytes(window(&mut rng))
            .channel_window_bytes_max(1 << 30)
            .frame_overhead_bytes([16, 64, 300, 1024][rng.below(4)])
            .metadata_bytes_max(100)
            .auto_tune(rng.one_in(2));
        if config.check().is_err() {
            continue; // not even a byte would fit
        }
        let mut two = Two::new(&config);
        let unit = [Unit::Bytes, Unit::Messages][rng.below(2)];
        if rng.one_in(2) {
            // ACCEPT grants a wider window.
            let window = match unit {
                Unit::Bytes => config.channel_window_bytes * (1 + rng.below(5) as u32),
                Unit::Messages => 8 + rng.below(100) as u32,
            };
            two.accept = AcceptOptions::new().window(window.min(1 << 30));
        }
        let channel = two.sender.open(uplink("x").unit(unit)).expect("opened");
        two.turn();
        let max = match two.sender.send(channel, vec![0; 1 << 22]) {
            Err(ChannelSendError::TooLarge { max, .. }) => max,
            other => panic!("{other:?}"),
        };
        largest = largest.max(max);
        let mut sent = 1;
        for _ in 0..30 {
            let len = [max, rng.below(max + 1), max, max / 2][rng.below(4)];
            two.got.clear();
            assert_eq!(two.sender.send(channel, vec![0; len]), Ok(()));
            sent += 1;
            two.turn();
            let got: Vec<_> = two.got.iter().map(|g| g.1).collect();
            assert_eq!(got, [len], "seed {seed}, of {max}: {config:?}");
        }
        assert!(sent > 30);
    }
    assert!(largest > 100_000, "{largest}");
}

/// A lost CREDIT is repeated within a second. The stall is counted once.
#[test]
fn a_lost_credit_is_repeated_within_a_second() {
    let config = ChannelConfig::default().auto_tune(false);
    let mut two = Two::new(&config);
    let channel = two.sender.open(uplink("x")).expect("opened");
    two.turn();
    // No PING is due, so that CREDIT is alone in its record.
    two.loses = true;
    let mut sent = 0;
    loop {
        two.sender.send(channel, [7; 1000]).expect("queued");
        two.turn();
        if two.got.len() == sent {
            break;
        }
        sent += 1;
        assert!(sent < 1000, "none was lost");
    }
    assert!(!two.loses, "one was lost");
    let mut waited = 0;
    while two.got.len() == sent {
        two.pass(50);
        waited += 50;
        assert!(waited <= 1000, "{:?}", two.sender);
    }
    assert!(waited >= 500, "it is not said at once");
    assert_eq!(two.sender.stats().blocked, 1);
    let stats = two.sender.channel_stats(channel).expect("open");
    assert_eq!(stats.blocked_since, None);
    let peer_blocked = two
        .receiver
        .channels()
        .filter_map(|id| two.receiver.channel_stats(id));
    let peer_blocked: u32 = peer_blocked.map(|s| s.peer_blocked).sum();
    assert_eq!(peer_blocked, 1);
    for _ in 0..500 {
        two.sender.send(channel, [7; 1000]).expect("queued");
        two.turn();
    }
    assert_eq!(two.got.len(), sent + 501);
    assert_eq!(two.sender.stats().blocked, 1);
}
