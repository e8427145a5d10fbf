//! Rules that take two ends of the core, and a wire that may lose a frame: T20 and T30 of
//! the design page `mux.md`, section 2.

use harness::frames_mux::{Said, read};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ChannelSendError, Direction, Event, Mux, OpenOptions,
    Unit,
};

/// A sender, a receiver, and what the receiver's application does.
struct Two {
    sender: Mux,
    receiver: Mux,
    now: Timestamp,
    /// Messages that came, by the receiver's channel index.
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
            // A wider window in the answer.
            let window = match unit {
                Unit::Bytes => config.channel_window_bytes * (1 + rng.below(5) as u32),
                Unit::Messages => 8 + rng.below(100) as u32,
            };
            two.accept = AcceptOptions::new().window(window.min(1 << 30));
        }
        let channel = two.sender.open(uplink("x").unit(unit)).expect("opened");
        two.turn();
        let max = match two.sender.send(channel, &vec![0; 1 << 22]) {
            Err(ChannelSendError::TooLarge { max, .. }) => max,
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
    let config = ChannelConfig::default().auto_tune(false);
    let mut two = Two::new(&config);
    let channel = two.sender.open(uplink("x")).expect("opened");
    two.turn();
    // Nobody pings for now, so that CREDIT stands alone.
    two.loses = true;
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
    assert!(!two.loses, "one was lost");
    let mut waited = 0;
    while two.got.len() == sent {
        two.pass(50);
        waited += 50;
        assert!(waited <= 1000, "{:?}", two.sender);
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
    assert_eq!(peer_stalls, 1);
    for _ in 0..500 {
        two.sender.send(channel, &[7; 1000]).expect("queued");
        two.turn();
    }
    assert_eq!(two.got.len(), sent + 501);
    assert_eq!(two.sender.stats().stalls, 1);
}
