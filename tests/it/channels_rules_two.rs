//! Rules that take two ends of the core, and a wire that may lose a frame: T19, T20 and T30 of
//! the design page `mux.md`, section 2.

use harness::frames_mux::{Said, flag, read};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelId, Charge, Code, Config, Connection, Direction, Event, OpenOptions,
    SendError, Unit,
};

/// A sender, a receiver, and what the receiver's application does.
struct Two {
    sender: Connection,
    receiver: Connection,
    now: Timestamp,
    /// Topics of channels that nobody reads begin with this.
    stalled: Vec<ChannelId>,
    kept: Vec<(ChannelId, Charge)>,
    /// Messages that came, by the receiver's channel index.
    got: Vec<(ChannelId, usize)>,
    accept: AcceptOptions,
    /// The next CREDIT of a channel, or of the connection, is lost.
    loses: Option<bool>,
}

impl Two {
    fn new(config: &Config) -> Self {
        let now = Timestamp(1);
        let new = || Connection::new(config.clone().build().expect("valid"), now);
        let mut two = Self {
            sender: new(),
            receiver: new(),
            now,
            stalled: Vec::new(),
            kept: Vec::new(),
            got: Vec::new(),
            accept: AcceptOptions::new(),
            loses: None,
        };
        two.turn();
        two
    }

    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Open(opening) => {
                if opening.topic.starts_with(b"stalled") {
                    self.stalled.push(opening.channel);
                }
                let accepted = self.receiver.accept(opening.channel, self.accept.clone());
                assert_eq!(accepted, Ok(()));
            }
            Event::Message(message) => {
                self.got.push((message.channel, message.data.len()));
                if self.stalled.contains(&message.channel) {
                    self.kept.push((message.channel, message.charge));
                } else {
                    self.receiver.release(message.channel, message.charge);
                }
            }
            Event::Evicted { channel, code } => {
                assert_eq!(code, Code::STALLED);
                assert!(self.stalled.contains(&channel), "it reads, and is evicted");
                let (own, rest) = self.kept.drain(..).partition(|&(id, _)| id == channel);
                self.kept = rest;
                let own: Vec<(ChannelId, Charge)> = own;
                for (_, charge) in own {
                    self.receiver.release(channel, charge);
                }
            }
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }

    /// Everything that can be said without the clock is said.
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

    /// Whether the record is the CREDIT that is to be lost; nothing else is in it then.
    fn is_lost(&mut self, record: &[u8]) -> bool {
        let Some(connection) = self.loses else {
            return false;
        };
        let of_connection = |flags: u8| flags & flag::CONN != 0;
        let said = read(record);
        let [Said::Credit { flags, .. }] = said[..] else {
            return false;
        };
        let lost = of_connection(flags) == connection;
        if lost {
            self.loses = None;
        }
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

/// R19: with all but one stalled, the one goes on: by itself, or after the time that a stall may
/// last, for each that holds up the others.
#[test]
fn t19_all_but_one_are_stalled() {
    let mut evicted = 0;
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let config = Config {
            connection_window_bytes: [64, 128, 300, 1024][rng.below(4)] << 10,
            channel_window_bytes: [4, 16, 64][rng.below(3)] << 10,
            reserve_bytes: [0, 512, 4096][rng.below(3)],
            auto_tune: rng.one_in(2),
            ..Config::default()
        };
        let mut two = Two::new(&config);
        let channels = 2 + rng.below(40);
        let stalled: Vec<_> = (0..channels)
            .map(|_| two.sender.open(uplink("stalled")).expect("opened"))
            .collect();
        let runs = two.sender.open(uplink("runs")).expect("opened");
        two.turn();
        for round in 0..60 {
            for &id in &stalled {
                let len = 1 + rng.below(2000);
                // A channel that was stopped refuses.
                let _ = two.sender.send(id, &vec![0; len]);
            }
            let len = 1 + rng.below(2500);
            two.got.clear();
            assert_eq!(two.sender.send(runs, &vec![1; len]), Ok(()), "{seed}");
            two.turn();
            let arrived = |two: &Two| two.got.iter().any(|(id, _)| !two.stalled.contains(id));
            let mut waited = 0;
            while !arrived(&two) {
                two.pass(250);
                waited += 250;
                assert!(
                    waited <= 6000 * channels as u64,
                    "seed {seed}, round {round}: {two_sender:?}",
                    two_sender = two.sender
                );
            }
        }
        let stats = two.receiver.stats();
        evicted += stats.evicted;
        assert!(stats.held_bytes <= stats.receive_window_max);
    }
    assert!(evicted > 0, "some of them hold up the others");
}

/// 1 KiB to 512 KiB, small ones as often as large ones.
fn window(rng: &mut Rng) -> u32 {
    let most = 1 << (10 + rng.below(10));
    1024 + rng.below(most) as u32
}

/// R20: whatever the windows, the largest message that is taken goes through without the clock.
#[test]
fn t20_no_message_that_is_taken_hangs() {
    let mut largest = 0;
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let config = Config {
            record_bytes_max: 1200 << rng.below(9),
            connection_window_bytes: window(&mut rng),
            connection_window_bytes_max: 1 << 30,
            channel_window_bytes: window(&mut rng),
            channel_window_bytes_max: 1 << 30,
            frame_overhead_bytes: [16, 64, 300, 1024][rng.below(4)],
            reserve_bytes: [0, 512, 1024][rng.below(3)],
            metadata_bytes_max: 100,
            auto_tune: rng.one_in(2),
            ..Config::default()
        };
        if config.clone().build().is_err() {
            continue; // not even a byte would fit
        }
        let mut two = Two::new(&config);
        if rng.one_in(2) {
            // A wider window in the answer.
            let window = config.channel_window_bytes * (1 + rng.below(5) as u32);
            two.accept = AcceptOptions::new().window(window.min(1 << 30));
        }
        let unit = [Unit::Bytes, Unit::Messages][rng.below(2)];
        let channel = two.sender.open(uplink("x").unit(unit)).expect("opened");
        two.turn();
        let max = match two.sender.send(channel, &vec![0; 1 << 22]) {
            Err(SendError::TooLarge { max, .. }) => max,
            other => panic!("{other:?}"),
        };
        largest = largest.max(max);
        let mut sent = 1;
        for _ in 0..30 {
            let len = [max, rng.below(max + 1), max, max / 2][rng.below(4)];
            two.got.clear();
            assert_eq!(two.sender.send(channel, &vec![0; len]), Ok(()));
            sent += 1;
            two.turn();
            let got: Vec<_> = two.got.iter().map(|g| g.1).collect();
            assert_eq!(got, [len], "seed {seed}, of {max}: {config:?}");
        }
        assert!(sent > 30);
    }
    assert!(largest > 100_000, "{largest}");
}

/// R29: a CREDIT that is lost is said again within a second, and the stall is counted once.
#[test]
fn t30_a_lost_credit_is_said_again() {
    for connection in [false, true] {
        let config = Config {
            auto_tune: false,
            reserve_bytes: 0,
            channel_window_bytes: if connection { 1 << 20 } else { 64 << 10 },
            connection_window_bytes: if connection { 64 << 10 } else { 1 << 20 },
            ..Config::default()
        };
        let mut two = Two::new(&config);
        let channel = two.sender.open(uplink("x")).expect("opened");
        two.turn();
        // Nobody pings for now, so that CREDIT stands alone.
        two.loses = Some(connection);
        let mut sent = 0;
        loop {
            two.sender.send(channel, &[7; 1000]).expect("queued");
            two.turn();
            if two.got.len() == sent {
                break;
            }
            sent += 1;
            assert!(sent < 1000, "none was lost");
        }
        assert_eq!(two.loses, None, "one was lost");
        let mut waited = 0;
        while two.got.len() == sent {
            two.pass(50);
            waited += 50;
            assert!(waited <= 1000, "connection: {connection}, {:?}", two.sender);
        }
        assert!(waited >= 500, "it is not said at once");
        assert_eq!(two.sender.stats().stalls, 1);
        let stats = two.sender.channel_stats(channel).expect("open");
        assert_eq!(stats.stalled_since, None);
        let peer_stalls = two
            .receiver
            .channels()
            .filter_map(|id| two.receiver.channel_stats(id));
        let peer_stalls: u32 = peer_stalls.map(|s| s.peer_stalls).sum();
        assert_eq!(peer_stalls, u32::from(!connection));
        for _ in 0..500 {
            two.sender.send(channel, &[7; 1000]).expect("queued");
            two.turn();
        }
        assert_eq!(two.got.len(), sent + 501);
        assert_eq!(two.sender.stats().stalls, 1);
    }
}
