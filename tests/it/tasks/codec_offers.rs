//! Codecs on channels: an offer in OPEN, an agreement in ACCEPT, a typed refusal in REJECT, with
//! every driver at either end.
#![expect(
    clippy::unwrap_used,
    reason = "a test that stops there says where and why"
)]
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use tickwire::channels::{
    self, AcceptOptions, Accepted, Channel, ChannelConfig, ChannelCx, ChannelError, ChannelFailure,
    ChannelHandler, ChannelId, ChannelSendError, ChannelSocket, ErrorCode, Multiplexed, OpenError,
    OpenOptions, Received, Rejection,
};
use tickwire::reactor::{ConnId, Ended, Opened};
use tickwire::{Listener, Stats};
use tickwire_codecs::{
    Answer, Limits, NO_COMMON_CODEC, OFFERS_MAX, Offer, Reason, WireId, family, negotiate_bytes,
};

use crate::reactor::channels_fixture::{drained, start};
use crate::reactor::fixture::{LONG, On, Running, calm, options};

/// The driver of an end.
#[derive(Clone, Copy, Debug)]
enum Shell {
    Tasks,
    Reactor(On),
}

const SHELLS: [Shell; 3] = [
    Shell::Tasks,
    Shell::Reactor(On::Mio),
    Shell::Reactor(On::Tokio),
];

fn sbe() -> Offer {
    let offer = Offer::new(WireId::new(family::SBE, 1), Limits::FEED);
    offer.schema(1).versions(1, 4).fingerprint(0xa)
}

fn rigid() -> Offer {
    Offer::new(WireId::new(family::BINCODE, 1), Limits::FEED).fingerprint(0xb)
}

/// The codecs of the acceptor: more than a refusal lists.
fn have() -> Vec<Offer> {
    let other = |n| Offer::new(WireId::new(family::PRIVATE, n), Limits::BULK);
    let more = (0..40).map(other);
    [sbe(), rigid()].into_iter().chain(more).collect()
}

/// Metadata of OPEN, and the result.
fn cases() -> Vec<(Vec<u8>, Result<u16, Reason>)> {
    let foreign = Offer::new(WireId::new(family::MSGPACK, 1), Limits::FEED);
    let offers = [
        (sbe().versions(2, 9).fingerprint(0xc), Ok(4)),
        (sbe().versions(0, 3).fingerprint(0xc), Ok(3)),
        (sbe(), Ok(4)),
        (rigid(), Ok(0)),
        (foreign, Err(Reason::Wire)),
        (sbe().schema(2), Err(Reason::Schema)),
        (sbe().versions(5, 9), Err(Reason::Version)),
        (sbe().versions(0, 0), Err(Reason::Version)),
        (sbe().fingerprint(0xd), Err(Reason::Fingerprint)),
        (rigid().fingerprint(0xd), Err(Reason::Fingerprint)),
        (rigid().fingerprint(0), Err(Reason::FingerprintMissing)),
    ];
    let bytes = |(offer, outcome): (Offer, _)| (offer.to_bytes().to_vec(), outcome);
    let unreadable = [b"".as_slice(), b"\0", &[2; 32]];
    let unreadable = unreadable.map(|bytes| (bytes.to_vec(), Err(Reason::Unreadable)));
    offers.into_iter().map(bytes).chain(unreadable).collect()
}

/// The result of an open: the metadata of ACCEPT, or the code and the metadata of REJECT.
type Told = Result<Vec<u8>, (ErrorCode, Vec<u8>)>;

/// Rejected without metadata.
const PLAIN: &[u8] = b"plain";
const PLAIN_CODE: ErrorCode = ErrorCode(99);

/// To be rejected with too much metadata, which is refused.
const HUGE: &[u8] = b"huge";

fn too_many() -> Vec<u8> {
    vec![7; ChannelConfig::default().metadata_bytes_max as usize + 1]
}

/// The channels that the opener opens, in order. The last two are [`HUGE`] and [`PLAIN`].
fn openings() -> Vec<OpenOptions> {
    let cases = cases().into_iter();
    let offers = cases.map(|(metadata, _)| OpenOptions::new("quotes").metadata(metadata));
    let others = [HUGE, PLAIN].map(OpenOptions::new);
    offers.chain(others).collect()
}

fn check(mut told: Vec<Told>, huge: ErrorCode, who: &str) {
    let plain = told.pop();
    assert_eq!(plain, Some(Err((PLAIN_CODE, Vec::new()))), "{who}");
    assert_eq!(told.pop(), Some(Err((huge, Vec::new()))), "{who}");
    assert_eq!(told.len(), cases().len(), "{who}");
    for (told, (asked, outcome)) in told.into_iter().zip(cases()) {
        match (told, outcome) {
            (Ok(metadata), Ok(version)) => {
                let offer = Offer::read(&asked).unwrap();
                let agreed = offer.agreed(&metadata).unwrap();
                assert_eq!((agreed.version, agreed.limits), (version, Limits::FEED));
            }
            (Err((code, metadata)), Err(expected)) => {
                assert_eq!(code, ErrorCode(NO_COMMON_CODEC), "{who}: {expected:?}");
                let Answer::Refused { reason, have: list } = Answer::read(&metadata).unwrap()
                else {
                    panic!("{who}: a refusal that agrees");
                };
                assert_eq!(reason, expected, "{who}");
                assert!(list.iter().eq(have().into_iter().take(OFFERS_MAX)));
            }
            (told, outcome) => panic!("{who}: {told:?}, not {outcome:?}"),
        }
    }
}

/// An acceptor that serves as long as the returned value lives, or one connection.
fn acceptor(shell: Shell) -> (SocketAddr, Box<dyn Send>) {
    let Shell::Reactor(on) = shell else {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || run(serve(tell)));
        return (told.recv().unwrap(), Box::new(()));
    };
    let have = have();
    let (node, log) = start(on, ChannelConfig::default(), move |app| {
        let mut later = false;
        app.on_channel = Box::new(move |_, cx, opening| {
            if opening.topic == PLAIN {
                return channels::Answer::Reject(PLAIN_CODE);
            }
            if opening.topic == HUGE {
                let refused = cx.reject_with(opening.channel, PLAIN_CODE, &too_many());
                assert!(matches!(refused, Err(OpenError::Options(_))), "{refused:?}");
                return channels::Answer::RejectWith(PLAIN_CODE, too_many());
            }
            let refusal = match negotiate_bytes(&have, opening.metadata) {
                Ok(agreed) => {
                    let options = AcceptOptions::new().metadata(agreed.to_bytes());
                    return channels::Answer::Accept(options);
                }
                Err(refusal) => refusal.to_vec(),
            };
            // Both ways to reject, in turn.
            later = !later;
            if later {
                cx.reject_with(opening.channel, ErrorCode(NO_COMMON_CODEC), &refusal)
                    .unwrap();
                return channels::Answer::Later;
            }
            channels::Answer::RejectWith(ErrorCode(NO_COMMON_CODEC), refusal)
        });
    });
    (node.addr, Box::new((node, log)))
}

async fn serve(tell: mpsc::Sender<SocketAddr>) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    tell.send(listener.local_addr().unwrap()).unwrap();
    let incoming = listener.accept().await.unwrap();
    let session = ChannelSocket::accept_from(incoming, ChannelConfig::default());
    let session = session.await.unwrap();
    let (have, mut held) = (have(), Vec::new());
    while let Some(incoming) = session.accept().await {
        if incoming.topic() == PLAIN {
            incoming.reject(PLAIN_CODE);
            continue;
        }
        if incoming.topic() == HUGE {
            let refused = incoming.reject_with(PLAIN_CODE, &too_many());
            assert!(matches!(refused, Err(OpenError::Options(_))), "{refused:?}");
            continue;
        }
        match negotiate_bytes(&have, incoming.metadata()) {
            Ok(agreed) => {
                let options = AcceptOptions::new().metadata(agreed.to_bytes());
                held.push(incoming.accept(options).unwrap());
            }
            Err(refusal) => incoming
                .reject_with(ErrorCode(NO_COMMON_CODEC), &refusal.to_vec())
                .unwrap(),
        }
    }
    drop(held);
    session.closed().await;
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("in time") })
}

/// Opens all channels on one connection, and returns their results in order.
fn opener(shell: Shell, to: SocketAddr) -> Vec<Told> {
    match shell {
        Shell::Tasks => run(open_from_a_task(to)),
        Shell::Reactor(on) => open_on_a_reactor(on, to),
    }
}

async fn open_from_a_task(to: SocketAddr) -> Vec<Told> {
    let session = ChannelSocket::connect(&format!("ws://{to}/"))
        .await
        .unwrap();
    let open = |options| session.open(options).unwrap();
    let mut channels: Vec<Channel> = openings().into_iter().map(open).collect();
    let mut told = Vec::new();
    for channel in &mut channels {
        let error = match channel.accepted().await {
            Ok(acceptance) => {
                told.push(Ok(acceptance.metadata));
                continue;
            }
            Err(error) => error,
        };
        // The result is the same however often it is read.
        assert_eq!(channel.accepted().await, Err(error.clone()));
        assert_eq!(channel.recv().await.unwrap_err(), error);
        let ChannelError::Rejected {
            code,
            unprocessed: false,
            metadata,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(
            channel.send(b"x").await,
            Err(ChannelSendError::Rejected(code))
        );
        told.push(Err((code, metadata.to_vec())));
    }
    drop(channels);
    session.drain(ErrorCode::NO_ERROR);
    assert_eq!(session.closed().await, drained(false));
    told
}

/// Opens all channels when it connects, and reports their results.
struct Opener(mpsc::Sender<(ChannelId, Told)>);

impl ChannelHandler for Opener {
    type Conn = ();
    type Command = ();
    type Admitted = ();

    fn open(&mut self, cx: &mut ChannelCx<'_, '_>, _: Opened<'_>) {
        for (index, options) in openings().into_iter().enumerate() {
            assert_eq!(cx.open(options).unwrap().index(), index);
        }
    }

    fn accepted(
        &mut self,
        (): &mut (),
        _: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        accepted: Accepted<'_>,
    ) {
        let metadata = accepted.metadata.to_vec();
        self.0.send((channel, Ok(metadata))).unwrap();
    }

    fn refused(
        &mut self,
        (): &mut (),
        _: &mut ChannelCx<'_, '_>,
        channel: ChannelId,
        refused: Rejection<'_>,
    ) {
        assert!(!refused.unprocessed);
        let refused = (refused.code, refused.metadata.to_vec());
        self.0.send((channel, Err(refused))).unwrap();
    }

    fn message(&mut self, (): &mut (), _: &mut ChannelCx<'_, '_>, _: Received<'_>) {}

    fn close(&mut self, (): (), _: ConnId, _: Ended, _: ChannelFailure, _: Stats) {}
}

fn open_on_a_reactor(on: On, to: SocketAddr) -> Vec<Told> {
    let (tell, told) = mpsc::channel();
    let handler =
        Multiplexed::new(Opener(tell), ChannelConfig::default()).expect("limits that work");
    let node = Running::start(on, handler, options(calm()));
    let outgoing = tickwire::reactor::Outgoing::at(to, &format!("ws://{to}/")).unwrap();
    node.remote.connect(outgoing.channels()).unwrap();
    let next = |_| told.recv_timeout(LONG).expect("an answer");
    let mut all: Vec<_> = openings().iter().map(next).collect();
    all.sort_by_key(|(channel, _)| channel.index());
    all.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn every_driver_negotiates_codecs() {
    for (accepting, opening) in SHELLS.iter().flat_map(|a| SHELLS.map(|o| (*a, o))) {
        let (addr, serving) = acceptor(accepting);
        let told = opener(opening, addr);
        let huge = match accepting {
            Shell::Tasks => ErrorCode::REFUSED,
            Shell::Reactor(_) => ErrorCode::INTERNAL,
        };
        check(told, huge, &format!("{opening:?} to {accepting:?}"));
        drop(serving);
    }
}
