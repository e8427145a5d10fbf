//! Between two ends: no channel waits for another channel's reader, and windows that come and go
//! leave both in agreement.

use harness::channels::open::Wanted;
use harness::channels::{Op, Sim};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ChannelSendError, Charge, Direction, Event, Mux,
    OpenOptions,
};

use super::channels_sim::number;
use super::channels_sim_found::{config, opened, ready};

/// A sender and a receiver whose application reads no channel but the one that was opened last.
struct Readers {
    sender: Mux,
    receiver: Mux,
    unread: Vec<ChannelId>,
    live: ChannelId,
    /// The live channel, at the receiver.
    read: Option<ChannelId>,
    kept: Vec<(ChannelId, Charge)>,
    came: Vec<usize>,
}

/// No time passes, so that no timer can help.
const NOW: Timestamp = Timestamp(1_000);

impl Readers {
    fn new(config: &ChannelConfig, unread: usize) -> Self {
        let new = || Mux::new(config.clone(), NOW).expect("limits that work");
        let (mut sender, receiver) = (new(), new());
        let uplink = |topic: &str| OpenOptions::new(topic).direction(Direction::OpenerSends);
        let mut open = |options| sender.open(options).expect("a place");
        let channels = (0..unread).map(|_| open(uplink("unread"))).collect();
        let live = open(uplink("live").priority(0));
        let mut readers = Self {
            sender,
            receiver,
            unread: channels,
            live,
            read: None,
            kept: Vec::new(),
            came: Vec::new(),
        };
        readers.carry();
        readers
    }

    fn receive(&mut self, record: &[u8]) {
        let mut records = self.receiver.receive(record, NOW);
        while let Some(event) = self.receiver.next(&mut records) {
            match event {
                Event::Open(opening) => {
                    if opening.topic == b"live" {
                        self.read = Some(opening.channel);
                    }
                    let accepted = self.receiver.accept(opening.channel, AcceptOptions::new());
                    assert_eq!(accepted, Ok(()));
                }
                Event::Message(message) if Some(message.channel) == self.read => {
                    self.came.push(message.data.len());
                    self.receiver.release(message.channel, message.charge);
                }
                Event::Message(message) => self.kept.push((message.channel, message.charge)),
                Event::Ready => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// What the receiver has to say.
    fn answer(&mut self) -> bool {
        let mut said = false;
        while let Some(record) = self.receiver.poll_record(NOW) {
            said = true;
            let record = record.as_slice().to_vec();
            let mut records = self.sender.receive(&record, NOW);
            while let Some(event) = self.sender.next(&mut records) {
                assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            }
        }
        while self.sender.poll_writable().is_some() {}
        said
    }

    /// Everything that can be said is said.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(record) = self.sender.poll_record(NOW) {
                quiet = false;
                let record = record.as_slice().to_vec();
                self.receive(&record);
            }
            if !self.answer() && quiet {
                return;
            }
        }
    }

    /// The unread channels are sent on until nothing more goes, and nothing more is taken.
    fn flood(&mut self, len: usize) {
        for turn in 0.. {
            assert!(turn < 1000, "it goes on for ever");
            let before = self.sender.stats().messages_out;
            for n in 0..self.unread.len() {
                let id = self.unread[n];
                let max = self.message_max(id);
                while self.sender.send(id, &vec![1; len.min(max)]) == Ok(()) {}
            }
            self.carry();
            if self.sender.stats().messages_out == before {
                return;
            }
        }
    }

    fn message_max(&mut self, id: ChannelId) -> usize {
        match self.sender.send(id, &vec![1; 1 << 20]) {
            Err(ChannelSendError::TooLarge { max, .. }) => max,
            other => panic!("{other:?}"),
        }
    }

    /// A message on the live channel, which is in the very next records: there are no more of them
    /// than its bytes fill.
    fn send_live(&mut self, len: usize, record_max: usize) {
        self.came.clear();
        assert_eq!(self.sender.send(self.live, &vec![7; len]), Ok(()));
        for _ in 0..=len / (record_max * 3 / 4) {
            let record = self.sender.poll_record(NOW).expect("it waits for nobody");
            let record = record.as_slice().to_vec();
            self.receive(&record);
            if !self.came.is_empty() {
                break;
            }
        }
        assert_eq!(self.came, [len]);
        self.answer();
    }

    fn check_memory(&self) {
        let stats = self.receiver.stats();
        assert!(stats.held_bytes <= stats.receive_aside_bytes, "{stats:?}");
        assert!(
            stats.receive_aside_bytes <= stats.receive_budget_bytes,
            "{stats:?}"
        );
        assert_eq!(stats.evicted, 0);
    }
}

/// Whatever the windows, the sizes of messages, and the number of channels that nobody reads.
/// `TICKWIRE_SEEDS` sets how many are tried.
#[test]
fn a_message_within_its_credit_waits_for_no_other_reader() {
    for seed in 0..u64::from(number("TICKWIRE_SEEDS", 40)) {
        let mut rng = Rng::new(seed ^ 0xC4ED17);
        let unread = [0, 1, 17, 100, rng.below(1000), 1000][rng.below(6)];
        let record_max = [1024, 4096, 16_448][rng.below(3)];
        let config = ChannelConfig::default()
            .channels_max(unread as u32 + 1)
            .pending_opens_max(2000)
            .record_bytes_max(record_max)
            .metadata_bytes_max(64)
            .channel_window_bytes([2048, 5000, 16 << 10, 60_000, 64 << 10][rng.below(5)])
            .window_growth_bytes_max([0, 10_000, 16 << 20][rng.below(3)])
            .frame_overhead_bytes([16, 64][rng.below(2)])
            .channel_queue_bytes_max([1024, 256 << 10][rng.below(2)])
            .connection_queue_bytes_max([256 << 10, 4 << 20][rng.below(2)])
            .auto_tune(rng.one_in(2));
        let mut readers = Readers::new(&config, unread);
        let stats = |readers: &Readers| readers.sender.channel_stats(readers.live).expect("open");
        let max = readers.message_max(readers.live);
        for round in 0..20 {
            if round % 5 == 0 {
                readers.flood(1 + rng.below(3000));
            }
            let window = stats(&readers).send_window;
            let len = [1 + rng.below(max), max, 40][rng.below(3)];
            let fragments = len as u64 * 4 / u64::from(record_max) + 8;
            let cost = len as u64 + u64::from(config.frame_overhead_bytes) * fragments;
            assert!(
                cost <= window + u64::from(config.channel_window_bytes) / 2,
                "the largest message is always covered: {seed}"
            );
            readers.send_live(len, record_max as usize);
            readers.check_memory();
        }
    }
}

/// R18: every channel that may be open is, at default config; nobody reads any but one.
#[test]
fn t18_all_channels_but_one_are_unread() {
    let config = ChannelConfig::default();
    let mut readers = Readers::new(&config, config.channels_max as usize - 1);
    readers.flood(8000);
    readers.flood(100);
    let held = readers.receiver.stats().held_bytes;
    assert!(held > 60 << 20, "{held}: their windows are full");
    for round in 0..1000 {
        let len = [64, 16_000, 32_193][round % 3];
        readers.send_live(len, config.record_bytes_max as usize);
    }
    readers.check_memory();
    // What waited comes when its own reader reads.
    let (channel, first) = (readers.unread[0], readers.kept[0].0);
    let window = |readers: &Readers| {
        readers
            .sender
            .channel_stats(channel)
            .map(|s| s.messages_out)
    };
    let before = window(&readers);
    for (id, charge) in std::mem::take(&mut readers.kept) {
        if id == first {
            readers.receiver.release(id, charge);
        }
    }
    readers.carry();
    assert!(window(&readers) > before);
}

/// Messages that nobody's credit covers fill the queue that all channels share for sending: one
/// whose credit does is still taken, one at a time, and goes with the next record.
#[test]
fn a_full_queue_of_all_takes_a_message_of_each() {
    let config = ChannelConfig::default().connection_queue_bytes_max(256 << 10);
    let mut readers = Readers::new(&config, 50);
    readers.flood(1000);
    let stats = readers.sender.stats();
    assert!(stats.queued_bytes > 250 << 10, "it is full: {stats:?}");
    for round in 0..200 {
        readers.sender.hold_back(); // so that it must wait in its queue
        readers.send_live(1000, 16 << 10);
        readers.sender.hold_back();
        assert_eq!(readers.sender.send(readers.live, b"one"), Ok(()), "{round}");
        let second = readers.sender.send(readers.live, b"two");
        assert_eq!(second, Err(ChannelSendError::WouldBlock), "{round}");
        readers.carry();
        assert_eq!(readers.came.last(), Some(&3));
    }
}

/// What a channel has grown by and does not use is asked for when another one wants to grow, and
/// that one grows by it. The first does not notice but by the width of its window.
#[test]
fn what_a_channel_does_not_use_is_anothers_to_grow_by() {
    let both = [(); 2].map(|()| {
        config(|c| {
            c.auto_tune = true;
            c.channels_max = 2;
            c.window_growth_bytes_max = 256 << 10;
            c.channel_window_bytes_max = 1 << 20;
        })
    });
    let mut sim = ready(both);
    sim.reads = true;
    let links = [(); 2].map(|()| opened(&mut sim, &Wanted::default()));
    sim.ends[1].ping();
    sim.flush();
    let window = |sim: &Sim, n: usize| {
        let id = sim.links[links[n]].ids[1].expect("open");
        let stats = sim.ends[1].channel_stats(id).expect("open");
        stats.receive_window_max
    };
    let busy = |sim: &mut Sim, n: usize| {
        for _ in 0..60 {
            sim.send(0, links[n], 0, 20_000);
            sim.flush();
            sim.check();
        }
    };
    busy(&mut sim, 0);
    let wide = window(&sim, 0);
    assert!(wide >= 180 << 10, "{wide}");
    busy(&mut sim, 1);
    let little = window(&sim, 1);
    assert!(little < wide, "{little}");
    assert_eq!(sim.counts.narrowed, 0, "the first may be in use");
    sim.pass(1_500_000_000);
    sim.flush();
    busy(&mut sim, 1);
    assert!(sim.counts.narrowed >= 1 && sim.counts.returned >= 1);
    assert_eq!(window(&sim, 0), 64 << 10);
    assert!(window(&sim, 1) > little);
    // Both go on, and the first grows again when it is its turn.
    sim.pass(1_500_000_000);
    busy(&mut sim, 0);
    sim.quiesce();
    sim.end_all();
}

/// Random histories in which windows grow, and are given back: the ends agree whatever crosses what.
#[test]
fn windows_that_come_and_go_leave_the_ends_in_agreement() {
    let (mut narrowed, mut returned) = (0, 0);
    let seeds = u64::from(number("TICKWIRE_SEEDS", 60));
    for seed in 0..seeds {
        let mut rng = Rng::new(seed ^ 0x6209);
        let window = [2048, 4096, 9000, 64 << 10][rng.below(4)];
        let both = [(); 2].map(|()| {
            config(|c| {
                c.auto_tune = true;
                c.channels_max = 4;
                c.channel_window_bytes = window;
                c.channel_window_bytes_max = 256 << 10;
                c.window_growth_bytes_max = [2000, 30_000, 200_000][rng.below(3)];
            })
        });
        let mut sim = ready(both);
        let links = [(); 4].map(|()| opened(&mut sim, &Wanted::default()));
        for end in 0..2 {
            sim.ends[end].ping();
        }
        sim.flush();
        for step in 0..600 {
            let end = rng.below(2);
            // One is busy for a while, then another.
            let link = links[(step / 100 + rng.below(10) / 9) % 4];
            match rng.below(12) {
                0..5 => {
                    for _ in 0..rng.below(6) {
                        let len = rng.below(window as usize / 3);
                        sim.send(end, link, rng.below(5) as u8, len);
                    }
                }
                5..8 => sim.release_all(end, link),
                8 => sim.apply(Op::Deliver(end as u8, rng.below(8) as u8)),
                9 => sim.apply(Op::Poll(end as u8)),
                10 => sim.flush(),
                // Time stands still otherwise: what is read is read within two round trips.
                _ if rng.one_in(3) => {
                    sim.pass(1_100_000_000);
                    sim.flush();
                }
                _ => {}
            }
            for end in 0..2 {
                sim.hear(end);
            }
            sim.check();
        }
        (narrowed, returned) = (
            narrowed + sim.counts.narrowed,
            returned + sim.counts.returned,
        );
        sim.quiesce();
        sim.end_all();
    }
    // Enough of them to say something.
    assert!(
        narrowed >= seeds / 6 && returned >= seeds / 6,
        "{narrowed} {returned}"
    );
}
