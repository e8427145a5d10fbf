//! Resumption: a connection is cut after any record, and its channels continue on the next one.
//! Every published message arrives once, or the gap is reported. A record that is cut inside never
//! arrives (`ws/pair.rs` cuts at every byte), so a cut is always between two records.

use std::collections::VecDeque;

use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Data, Direction, Event, Mux, OpenOptions, Opening,
    Resume, Resumption,
};

const NOW: Timestamp = Timestamp(1000);

/// An event of a channel, owned.
#[derive(Debug)]
enum Told {
    Offered(ChannelId, Option<Resume>),
    Accepted(Option<Resumption>, Option<u64>),
    Message(u64, Vec<u8>),
    Rebased(u64, u64),
    Acked(u64),
}

/// Two ends of one connection, which is cut after `left` records in each direction.
struct Life {
    cores: [Mux; 2],
    left: [usize; 2],
}

impl Life {
    fn new(left: [usize; 2]) -> Self {
        let core = || Mux::new(ChannelConfig::default(), NOW).expect("limits that work");
        Self {
            cores: [core(), core()],
            left,
        }
    }

    /// Carries one record of this end, if it has one. `None` if the connection is cut.
    fn carry(&mut self, from: usize) -> Option<Vec<Told>> {
        let Some(record) = self.cores[from].poll_record(NOW) else {
            return Some(Vec::new());
        };
        let record = record.as_slice().to_vec();
        self.left[from] = self.left[from].checked_sub(1)?;
        let core = &mut self.cores[1 - from];
        let mut told = Vec::new();
        let mut incoming = core.receive(&record, NOW);
        while let Some(event) = core.next(&mut incoming) {
            match event {
                Event::Open(Opening {
                    channel, resume, ..
                }) => told.push(Told::Offered(channel, resume)),
                Event::Accepted {
                    resumption, wants, ..
                } => told.push(Told::Accepted(resumption, wants)),
                Event::Message(m) => {
                    assert_eq!(m.skipped, 0);
                    let (Data::Lent(bytes), charge) = (m.data, m.charge) else {
                        panic!("these are short");
                    };
                    told.push(Told::Message(m.seq, bytes.to_vec()));
                    core.release(m.channel, charge);
                }
                Event::Rebased {
                    epoch, next_seq, ..
                } => told.push(Told::Rebased(epoch, next_seq)),
                Event::Acked { seq, .. } => told.push(Told::Acked(seq)),
                Event::Ready => {}
                other => panic!("{other:?}"),
            }
        }
        Some(told)
    }
}

fn name(epoch: u64, seq: u64) -> Vec<u8> {
    [epoch.to_le_bytes(), seq.to_le_bytes()].concat()
}

/// How many messages the publisher keeps.
const RING: usize = 12;

/// Publishes one message in every turn, connected or not.
#[derive(Default)]
struct Publisher {
    epoch: u64,
    next_seq: u64,
    ring: VecDeque<u64>,
    all: Vec<(u64, u64)>,
    answers: Vec<Resumption>,
}

impl Publisher {
    fn publish(&mut self) -> u64 {
        let seq = self.next_seq;
        self.all.push((self.epoch, seq));
        self.next_seq += 1;
        self.ring.push_back(seq);
        if self.ring.len() > RING {
            self.ring.pop_front();
        }
        seq
    }

    /// The publisher has lost its numbers, and begins a new epoch.
    fn restart(&mut self) {
        (self.epoch, self.next_seq) = (self.epoch + 1, 100);
        self.ring.clear();
    }

    /// Where a subscriber continues, and the messages that it gets again.
    fn answer(&mut self, resume: Resume) -> (Resumption, Vec<u64>) {
        let first = self.ring.front().copied().unwrap_or(self.next_seq);
        let answer = if resume.epoch != self.epoch {
            Resumption::Fresh {
                epoch: self.epoch,
                seq: first,
            }
        } else if resume.next_seq >= first {
            Resumption::Replay {
                from: resume.next_seq,
            }
        } else {
            Resumption::Snapshot { seq: self.next_seq }
        };
        self.answers.push(answer);
        let from = match answer {
            Resumption::Replay { from } => from,
            Resumption::Snapshot { seq } | Resumption::Fresh { seq, .. } => seq,
        };
        let again = self.ring.iter().copied().filter(|&seq| seq >= from);
        (answer, again.collect())
    }
}

/// Receives messages, and records the gaps.
#[derive(Default)]
struct Subscriber {
    at: Option<Resume>,
    got: Vec<(u64, u64)>,
    /// Epoch, first missing number, first number after the gap.
    gaps: Vec<(u64, u64, u64)>,
}

impl Subscriber {
    fn moved(&mut self, to: Resume) {
        if let Some(at) = self.at {
            if at.epoch == to.epoch {
                self.gaps.push((at.epoch, at.next_seq, to.next_seq));
            } else {
                self.gaps.push((at.epoch, at.next_seq, u64::MAX));
                self.gaps.push((to.epoch, 0, to.next_seq));
            }
        } else {
            self.gaps.push((to.epoch, 0, to.next_seq));
        }
        self.at = Some(to);
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Accepted(Some(Resumption::Replay { from }), None) => {
                assert_eq!(self.at.map(|at| at.next_seq), Some(from));
            }
            Told::Accepted(Some(Resumption::Snapshot { seq }), None) => {
                let epoch = self.at.expect("it has asked").epoch;
                self.moved(Resume {
                    epoch,
                    next_seq: seq,
                });
            }
            Told::Accepted(Some(Resumption::Fresh { epoch, seq }), None) => {
                self.moved(Resume {
                    epoch,
                    next_seq: seq,
                });
            }
            Told::Accepted(None, None) => assert_eq!(self.at, None),
            Told::Rebased(epoch, next_seq) => self.moved(Resume { epoch, next_seq }),
            Told::Message(seq, bytes) => {
                let at = self.at.as_mut().expect("it knows where it is");
                assert_eq!((seq, bytes), (at.next_seq, name(at.epoch, seq)));
                self.got.push((at.epoch, seq));
                at.next_seq += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// One connection, cut after some records. Returns whether it was cut.
fn subscribe(
    publisher: &mut Publisher,
    subscriber: &mut Subscriber,
    left: [usize; 2],
    turns: usize,
) -> bool {
    let mut life = Life::new(left);
    let options = OpenOptions::new("ticks").direction(Direction::AcceptorSends);
    let options = match subscriber.at {
        Some(at) => options.resume(at),
        None => options.resumable(),
    };
    assert!(life.cores[0].open(options).is_ok());
    let mut channel = None;
    for turn in 0..turns {
        let Some(told) = life.carry(0) else {
            return true;
        };
        for told in told {
            let Told::Offered(id, resume) = told else {
                panic!("{told:?}");
            };
            let core = &mut life.cores[1];
            channel = Some(id);
            let Some(resume) = resume else {
                assert_eq!(core.accept(id, AcceptOptions::new()), Ok(()));
                let rebased = core.rebase(id, publisher.epoch, publisher.next_seq);
                assert_eq!(rebased, Ok(()));
                continue;
            };
            let (answer, again) = publisher.answer(resume);
            let options = AcceptOptions::new().resumption(answer);
            assert_eq!(core.accept(id, options), Ok(()));
            for seq in again {
                assert_eq!(core.send(id, name(publisher.epoch, seq)), Ok(()));
            }
        }
        // The last turns only carry the records on their way.
        if turn + 5 < turns {
            let seq = publisher.publish();
            if let Some(id) = channel {
                let sent = life.cores[1].send(id, name(publisher.epoch, seq));
                assert_eq!(sent, Ok(()));
            }
        }
        match life.carry(1) {
            Some(told) => told.into_iter().for_each(|told| subscriber.hear(told)),
            None => return true,
        }
    }
    false
}

#[test]
fn every_message_arrives_once_or_its_gap_is_reported() {
    let mut answers = [0; 3];
    let mut cuts = 0;
    for down in 0..25 {
        for up in [1, 2, 3, 5, 100] {
            for (away, restarts) in [(0, false), (3, false), (20, false), (2, true)] {
                let (mut publisher, mut subscriber) = <(Publisher, Subscriber)>::default();
                // Before anybody subscribes.
                let _ = [(); 3].map(|()| publisher.publish());
                for left in [[up, down], [100, down % 7], [100, 100]] {
                    let cut = subscribe(&mut publisher, &mut subscriber, left, 30);
                    cuts += u32::from(cut);
                    for _ in 0..away {
                        publisher.publish();
                    }
                    if restarts {
                        publisher.restart();
                    }
                }
                assert!(!subscribe(&mut publisher, &mut subscriber, [100; 2], 30));
                for of in &publisher.answers {
                    answers[match of {
                        Resumption::Replay { .. } => 0,
                        Resumption::Snapshot { .. } => 1,
                        Resumption::Fresh { .. } => 2,
                    }] += 1;
                }
                for &(epoch, seq) in &publisher.all {
                    let got = subscriber
                        .got
                        .iter()
                        .filter(|&&g| g == (epoch, seq))
                        .count();
                    let gap =
                        |&&(e, from, to): &&(u64, u64, u64)| e == epoch && from <= seq && seq < to;
                    // An epoch that the subscriber never heard of cannot be reported.
                    let heard = subscriber.gaps.iter().any(|g| g.0 == epoch)
                        || subscriber.got.iter().any(|g| g.0 == epoch);
                    let gaps = subscriber.gaps.iter().filter(gap).count();
                    let what = (epoch, seq, down, up, away, restarts);
                    assert!(
                        !heard || got + gaps == 1,
                        "{what:?}: {got} times, {gaps} gaps"
                    );
                }
            }
        }
    }
    assert!(answers.iter().all(|&n| n > 50), "{answers:?}");
    assert!(cuts > 500, "{cuts}");
}

/// A device that keeps unacknowledged messages, and a server that stores all messages.
#[derive(Default)]
struct Uplink {
    published: u64,
    /// The number of the first message that the device still has.
    kept: u64,
    stored: Vec<u64>,
}

impl Uplink {
    /// One connection, cut after some records.
    fn connect(&mut self, left: [usize; 2], turns: usize) {
        let mut life = Life::new(left);
        let options = OpenOptions::new("meter")
            .direction(Direction::OpenerSends)
            .resume(Resume {
                epoch: 0,
                next_seq: self.kept,
            });
        let id = life.cores[0].open(options).expect("a place");
        let mut sent = None;
        for turn in 0..turns {
            if turn + 8 < turns {
                self.published += 1;
            }
            if let Some(next) = &mut sent {
                while *next < self.published {
                    assert_eq!(life.cores[0].send(id, name(0, *next)), Ok(()));
                    *next += 1;
                }
            }
            let Some(told) = life.carry(0) else { return };
            for told in told {
                self.serve(&mut life.cores[1], told);
            }
            let Some(told) = life.carry(1) else { return };
            for told in told {
                match told {
                    Told::Accepted(None, Some(wants)) => {
                        assert!(wants >= self.kept, "what it has given up is wanted");
                        assert_eq!(life.cores[0].rebase(id, 0, wants), Ok(()));
                        sent = Some(wants);
                    }
                    Told::Acked(seq) => {
                        assert!(seq <= self.stored.len() as u64);
                        self.kept = self.kept.max(seq);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn serve(&mut self, core: &mut Mux, told: Told) {
        match told {
            Told::Offered(id, Some(_)) => {
                let options = AcceptOptions::new().wants(self.stored.len() as u64);
                assert_eq!(core.accept(id, options), Ok(()));
            }
            Told::Rebased(0, next_seq) => assert_eq!(next_seq, self.stored.len() as u64),
            Told::Message(seq, bytes) => {
                assert_eq!((seq, bytes), (self.stored.len() as u64, name(0, seq)));
                self.stored.push(seq);
                if seq % 3 == 2 {
                    let id = core.channels().next().expect("the one");
                    core.acknowledge(id, seq + 1);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn only_messages_that_were_not_stored_are_sent_again() {
    let mut kept = 0;
    for up in 0..30 {
        for down in [1, 2, 3, 6, 10, 100] {
            let mut uplink = Uplink::default();
            for left in [[up, down], [100, up % 5], [up % 11, 100], [100, 100]] {
                uplink.connect(left, 30);
            }
            let all: Vec<u64> = (0..uplink.published).collect();
            assert_eq!(uplink.stored, all, "cut after {up} and {down} records");
            kept += u64::from(uplink.kept + 3 > uplink.published);
        }
    }
    // The last acknowledgement always arrives.
    assert_eq!(kept, 180);
}
