//! Slow readers: a channel that nobody reads stalls no other channel.

use harness::channels::Sim;
use harness::channels::open::Wanted;
use harness::frames_mux::{Put, Said};
use harness::rng::Rng;
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ChannelSendError, Charge, Direction, ErrorCode, Event,
    Mux, OpenOptions,
};

use super::scripted_peer::{Scene, Told, UPLINK, failed};
use super::simulation::{config, number, ready};

/// A sender, and a receiver whose application reads only the channel that was opened last.
struct Readers {
    sender: Mux,
    receiver: Mux,
    unread: Vec<ChannelId>,
    live: ChannelId,
    /// The channel that is read, at the receiver.
    read: Option<ChannelId>,
    kept: Vec<(ChannelId, Charge)>,
    came: Vec<usize>,
}

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

    /// Carries the records of the receiver. Returns whether there were any.
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

    /// Carries records until both ends have nothing to send.
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

    /// Sends on the unread channels until nothing more is sent or accepted.
    fn flood(&mut self, len: usize) {
        for turn in 0.. {
            assert!(turn < 1000, "it goes on for ever");
            let before = self.sender.stats().messages_out;
            for n in 0..self.unread.len() {
                let id = self.unread[n];
                let max = self.message_max(id);
                while self.sender.send(id, vec![1; len.min(max)]) == Ok(()) {}
            }
            self.carry();
            if self.sender.stats().messages_out == before {
                return;
            }
        }
    }

    fn message_max(&mut self, id: ChannelId) -> usize {
        match self.sender.send(id, vec![1; 1 << 20]) {
            Err(ChannelSendError::TooLarge { max, .. }) => max,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message on the channel that is read. It must arrive in the next records, in no more
    /// of them than its bytes need.
    fn send_live(&mut self, len: usize, record_max: usize) {
        self.came.clear();
        assert_eq!(self.sender.send(self.live, vec![7; len]), Ok(()));
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
        assert!(
            stats.held_bytes <= stats.receive_reserved_bytes,
            "{stats:?}"
        );
        assert!(
            stats.receive_reserved_bytes <= stats.receive_budget_bytes,
            "{stats:?}"
        );
        assert_eq!(stats.evicted, 0);
    }
}

/// The clock stands still, so that no timer can help.
const NOW: Timestamp = Timestamp(1_000);

/// A message that its credit covers is sent at once, whatever the windows, the message sizes and
/// the number of unread channels. `TICKWIRE_SEEDS` sets the number of cases.
#[test]
fn a_message_within_its_credit_does_not_wait_for_other_readers() {
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

/// With the default configuration, all channels that may be open are open, and nobody reads any but
/// one.
#[test]
fn one_channel_is_read_while_all_others_are_unread() {
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
    // A waiting message arrives when its own reader reads.
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

/// Messages without credit fill the queue limit of the connection. A message with credit is still
/// accepted, one at a time, and is in the next record.
#[test]
fn a_full_connection_queue_takes_one_message_of_each_channel() {
    let config = ChannelConfig::default().connection_queue_bytes_max(256 << 10);
    let mut readers = Readers::new(&config, 50);
    readers.flood(1000);
    let stats = readers.sender.stats();
    assert!(stats.queued_bytes > 250 << 10, "it is full: {stats:?}");
    for round in 0..200 {
        readers.sender.handle_backpressure(); // so that it must wait in its queue
        readers.send_live(1000, 16 << 10);
        readers.sender.handle_backpressure();
        assert_eq!(readers.sender.send(readers.live, b"one"), Ok(()), "{round}");
        let second = readers.sender.send(readers.live, b"two");
        assert_eq!(second, Err(ChannelSendError::WouldBlock), "{round}");
        readers.carry();
        assert_eq!(readers.came.last(), Some(&3));
    }
}

/// An unread channel delays no other channel, and holds no more than its window.
#[test]
fn a_stalled_channel_does_not_delay_a_busy_one() {
    let mut scene = Scene::new();
    let stalled = scene.opened_as(0, UPLINK, 0);
    scene.opened_as(1, UPLINK, 0);
    scene.reads = false;
    for _ in 0..6 {
        scene.put(Put::new().data(0, 0, &[1; 10_000]));
    }
    scene.reads = true;
    let (mut own, mut used) = (64 << 10, 0);
    for _ in 0..10_000 {
        let told = scene.put(Put::new().data(0, 1, &[2; 1000]));
        assert!(
            matches!(told[..], [Told::Message { .. }]),
            "at once: {told:?}"
        );
        used += 1064;
        for said in scene.said() {
            match said {
                Said::Credit {
                    flags: 0,
                    alias: 1,
                    limit,
                    ..
                } => own = limit,
                other => panic!("{other:?}"),
            }
        }
        // The sender always has at least half a window, and never waits for the clock.
        assert!(own >= used + (32 << 10) - 1064);
    }
    let stats = scene.core.channel_stats(stalled).expect("open");
    assert!(stats.held_bytes <= 64 << 10, "{stats:?}");
    let told = scene.put(Put::new().data(0, 0, &[1; 10_000]));
    assert_eq!(failed(&told), Some(ErrorCode::FLOW));
}

/// 256 channels of end 0, of which nobody reads the first.
struct Crowd {
    sim: Sim,
    senders: Vec<ChannelId>,
    /// The same channels at end 1, by index.
    readers: Vec<Option<usize>>,
    /// Received messages by channel.
    got: Vec<u64>,
    /// The charges of the first channel.
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

    /// Queues more than the 4,096 bytes of a turn on each channel.
    fn fill(&mut self) {
        let core = &mut self.sim.ends[0];
        while core.send(self.senders[0], [7; 40]).is_ok() {}
        for &id in &self.senders[1..] {
            let queued = core.channel_stats(id).expect("open").queued_messages;
            for _ in queued..60 {
                assert_eq!(core.send(id, [1; 40]), Ok(()));
            }
        }
    }

    /// Carries all records. Every reader but the first releases its messages.
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

/// One channel is full and never read, and 255 others are. Each of them gets its share, and none
/// goes without for two turns. `TICKWIRE_MESSAGES` sets the number of messages.
#[test]
fn one_stalled_channel_does_not_delay_255_others() {
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
    // A turn of 4,096 bytes is 40 messages. A channel that waits for credit loses a part of its
    // turn.
    assert!(
        most - least <= 80 + least / 100,
        "from {least} to {most} messages"
    );
    assert_eq!(crowd.sim.ends[1].stats().evicted, 0);
    // A window of 65,536 bytes; each message costs 40 + 64.
    assert_eq!((crowd.got[0], crowd.kept.len()), (0, 65_536 / 104));
}
