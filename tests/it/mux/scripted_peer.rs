//! A scripted peer: the test writes the frames of the peer by hand, and reads the frames of the
//! core.

use std::time::Duration;

use harness::frames_mux::{Put, Said, hello, profile, read};
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelFailure, ChannelId, Charge, ErrorCode, Event, Mode, Mux,
    OpenOptions,
};

/// An event with owned contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Ready,
    Open(ChannelId),
    Accepted(ChannelId),
    Rejected(ChannelId, ErrorCode),
    Message {
        channel: ChannelId,
        data: Vec<u8>,
        seq: u64,
        skipped: u64,
    },
    Run {
        channel: ChannelId,
        count: usize,
        seq: u64,
        skipped: u64,
    },
    Rebased(ChannelId, u64, u64),
    Acked(ChannelId, u64),
    Finished(ChannelId),
    Aborted(ChannelId, ErrorCode),
    Stopped(ChannelId, ErrorCode),
    Evicted(ChannelId, ErrorCode),
    Draining(ErrorCode),
    Failed(ChannelFailure),
}

/// The core under test, with the application above it and the records below it.
pub(crate) struct Scene {
    pub(crate) core: Mux,
    pub(crate) now: Timestamp,
    /// The application releases messages at once; otherwise their charges stay in `kept`.
    pub(crate) reads: bool,
    pub(crate) kept: Vec<(ChannelId, Charge)>,
    /// The application accepts every channel; otherwise channels wait for an answer.
    pub(crate) accepts: bool,
}

impl Scene {
    /// A core before both HELLOs.
    pub(crate) fn silent(config: ChannelConfig) -> Self {
        let now = Timestamp(1_000_000_000);
        Self {
            core: Mux::new(config, now).expect("limits that work"),
            now,
            reads: true,
            kept: Vec::new(),
            accepts: true,
        }
    }

    /// A core after both HELLOs. The HELLO of the peer is the default with these changes.
    pub(crate) fn greeted(config: ChannelConfig, peer: &[(u64, u64)]) -> Self {
        let mut scene = Self::silent(config);
        assert_eq!(scene.put(hello(peer)), [Told::Ready]);
        assert!(matches!(scene.said()[..], [Said::Hello(_), Said::Ping(1)]));
        scene.put(Put::new().pong(1));
        scene
    }

    /// As [`Self::greeted`], with defaults only.
    pub(crate) fn new() -> Self {
        Self::greeted(ChannelConfig::default(), &[])
    }

    fn note(&mut self, event: Event<'_>) -> Told {
        match event {
            Event::Ready => Told::Ready,
            Event::Open(opening) => {
                if self.accepts {
                    let accepted = self.core.accept(opening.channel, AcceptOptions::new());
                    assert_eq!(accepted, Ok(()));
                }
                Told::Open(opening.channel)
            }
            Event::Accepted { channel, .. } => Told::Accepted(channel),
            Event::Rejected { channel, code, .. } => Told::Rejected(channel, code),
            Event::Message(message) => {
                let told = Told::Message {
                    channel: message.channel,
                    data: message.data.to_vec(),
                    seq: message.seq,
                    skipped: message.skipped,
                };
                self.keep(message.channel, message.charge);
                told
            }
            Event::Run(run) => {
                let told = Told::Run {
                    channel: run.channel,
                    count: run.count(),
                    seq: run.seq,
                    skipped: run.skipped,
                };
                self.keep(run.channel, run.charge);
                told
            }
            Event::Rebased {
                channel,
                epoch,
                next_seq,
            } => Told::Rebased(channel, epoch, next_seq),
            Event::Acked { channel, seq } => Told::Acked(channel, seq),
            Event::Finished { channel } => Told::Finished(channel),
            Event::Aborted { channel, code } => Told::Aborted(channel, code),
            Event::Stopped { channel, code } => Told::Stopped(channel, code),
            Event::Evicted { channel, code } => Told::Evicted(channel, code),
            Event::Draining { code, .. } => Told::Draining(code),
            Event::Failed(failure) => Told::Failed(failure),
            other => panic!("not known here: {other:?}"),
        }
    }

    fn keep(&mut self, channel: ChannelId, charge: Charge) {
        if self.reads {
            self.core.release(channel, charge);
        } else {
            self.kept.push((channel, charge));
        }
    }

    /// The application releases everything in `kept`.
    pub(crate) fn catch_up(&mut self) {
        for (channel, charge) in self.kept.drain(..) {
            self.core.release(channel, charge);
        }
    }

    /// Receives a record of the peer, and returns the events.
    pub(crate) fn put(&mut self, record: Put) -> Vec<Told> {
        self.put_raw(&record.0)
    }

    pub(crate) fn put_raw(&mut self, record: &[u8]) -> Vec<Told> {
        let mut told = Vec::new();
        let mut incoming = self.core.receive(record, self.now);
        while let Some(event) = self.core.next(&mut incoming) {
            told.push(self.note(event));
        }
        told.extend(self.events());
        told
    }

    /// Events without a record.
    pub(crate) fn events(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(event) = self.core.poll_event() {
            told.push(self.note(event));
        }
        told
    }

    /// All records that the core has to send.
    pub(crate) fn records(&mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while let Some(record) = self.core.poll_record(self.now) {
            records.push(record.as_slice().to_vec());
            assert!(records.len() < 1_000_000, "it never ends");
        }
        assert!(!self.core.wants_write(), "it wants to write, and does not");
        while self.core.poll_writable().is_some() {}
        records
    }

    /// The frames of all records that the core has to send.
    pub(crate) fn said(&mut self) -> Vec<Said> {
        self.records().iter().flat_map(|r| read(r)).collect()
    }

    /// The message bytes in the next record, by alias.
    pub(crate) fn next_record(&mut self) -> [usize; 8] {
        let mut bytes = [0; 8];
        let record = self.core.poll_record(self.now).expect("there is more");
        for said in read(record.as_slice()) {
            if let Said::Data { alias, payload, .. } = said {
                bytes[alias as usize] += payload.len();
            }
        }
        while self.core.poll_writable().is_some() {}
        bytes
    }

    /// Reads the CREDIT of a channel into `own`. The core must send nothing else.
    pub(crate) fn take_limits(&mut self, own: &mut u64) {
        for said in self.said() {
            match said {
                Said::Credit {
                    flags: 0, limit, ..
                } => *own = limit,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Advances the clock, and handles every timeout on the way.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<Told> {
        let end = self.now.after(time);
        let mut told = Vec::new();
        for turn in 0.. {
            assert!(turn < 100_000, "timeouts without end");
            let at = self.core.poll_timeout().map(|at| at.max(self.now));
            let Some(at) = at.filter(|&at| at <= end) else {
                break;
            };
            // One nanosecond later, so that a timeout that does not move is found.
            self.now = Timestamp(at.0 + 1);
            self.core.handle_timeout(self.now);
            told.extend(self.events());
        }
        self.now = self.now.max(end);
        self.core.handle_timeout(self.now);
        told.extend(self.events());
        told
    }

    /// The peer opens a channel with this record, which causes no other event.
    #[track_caller]
    pub(crate) fn offered(&mut self, open: Put) -> ChannelId {
        let told = self.put(open);
        let [Told::Open(channel)] = told[..] else {
            panic!("{told:?}")
        };
        channel
    }

    /// The peer opens a channel of both directions with `alias`, and the application accepts it.
    pub(crate) fn opened(&mut self, alias: u64, limit: u64) -> ChannelId {
        self.opened_as(alias, 0, limit)
    }

    /// The same with a profile.
    pub(crate) fn opened_as(&mut self, alias: u64, profile: u8, limit: u64) -> ChannelId {
        let channel = self.offered(Put::new().open(alias, profile, limit, 30_000, &[]));
        let said = self.said();
        assert!(matches!(said[..], [Said::Accept { .. }]), "{said:?}");
        channel
    }

    /// The application opens a channel, and the peer accepts it with `alias`.
    pub(crate) fn open_ours(
        &mut self,
        options: OpenOptions,
        alias: u64,
        limit: u64,
    ) -> (ChannelId, u64) {
        let channel = self.core.open(options).expect("opened");
        let said = self.said();
        let [Said::Open { alias: own, .. }] = said[..] else {
            panic!("{said:?}")
        };
        let told = self.put(Put::new().accept(own, alias, limit, 30_000, &[]));
        assert_eq!(told, [Told::Accepted(channel)]);
        (channel, own)
    }

    /// The code with which the connection ended: in GOAWAY, and as the close code.
    pub(crate) fn end(&mut self) -> Option<ErrorCode> {
        let goaway = self.said().into_iter().find_map(|said| match said {
            Said::GoAway { code, .. } => Some(ErrorCode(code as u32)),
            _ => None,
        });
        assert_eq!(
            goaway,
            self.core.closing(),
            "GOAWAY tells what the close code is"
        );
        goaway
    }
}

/// A configuration in which the application can choose eight aliases.
pub(crate) fn shared_aliases() -> ChannelConfig {
    ChannelConfig::default().shared_aliases(8)
}

/// The profile of a channel of the peer on which only the peer sends.
pub(crate) const UPLINK: u8 = profile::OPENER_SENDS;
/// The profile of a channel of the peer on which only the core sends.
pub(crate) const DOWNLINK: u8 = profile::ACCEPTOR_SENDS;

/// The code of the failure among these events.
pub(crate) fn failed(told: &[Told]) -> Option<ErrorCode> {
    told.iter().find_map(|t| match t {
        Told::Failed(failure) => Some(failure.code()),
        _ => None,
    })
}

/// Milliseconds.
pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Much more credit than any test uses.
pub(crate) const AMPLE: u64 = 1 << 40;

/// A local channel to which the peer grants 70 bytes, and no more.
pub(crate) fn stuck(scene: &mut Scene, alias: u64, mode: Mode) -> ChannelId {
    scene
        .open_ours(OpenOptions::new("c").mode(mode), alias, 70)
        .0
}

/// The payloads of frames that are all DATA.
pub(crate) fn payloads(said: &[Said]) -> Vec<&[u8]> {
    let data = said.iter().map(|said| match said {
        Said::Data { payload, .. } => payload.as_slice(),
        other => panic!("{other:?}"),
    });
    data.collect()
}

/// Alias, skipped messages and length of each of these frames, which are all DATA.
pub(crate) fn data(said: &[Said]) -> Vec<(u64, u64, usize)> {
    let data = said.iter().map(|said| match said {
        Said::Data {
            alias,
            skip,
            payload,
            ..
        } => (*alias, *skip, payload.len()),
        other => panic!("{other:?}"),
    });
    data.collect()
}
