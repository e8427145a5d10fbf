//! Many channels at once, and channels that go on after their connection: what must never hang,
//! starve or be lost.

use std::collections::BTreeMap;

use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, Direction, ErrorCode, Event, Mux, OpenOptions, Resume,
    Resumption,
};

const NOW: Timestamp = Timestamp(1);

fn pair(config: ChannelConfig) -> (Mux, Mux) {
    let config: ChannelConfig = config;
    (
        Mux::new(config.clone(), NOW).expect("limits that work"),
        Mux::new(config, NOW).expect("limits that work"),
    )
}

/// Everything that `from` has to say, to `to`; `each` is told of every event.
fn carry(from: &mut Mux, to: &mut Mux, mut each: impl FnMut(&mut Mux, Event<'_>)) {
    while from.wants_write()
        && let Some(record) = from.poll_record(NOW)
    {
        let mut incoming = to.receive(record.as_slice(), NOW);
        while let Some(event) = to.next(&mut incoming) {
            each(to, event);
        }
    }
}

/// Accepts what is opened.
fn accept(to: &mut Mux, event: Event<'_>) {
    match event {
        Event::Open(opening) => to
            .accept(opening.channel, AcceptOptions::new())
            .expect("it waits for an answer"),
        Event::Failed(failure) => panic!("{failure}"),
        _ => {}
    }
}

/// `count` channels, open at both ends.
fn open(client: &mut Mux, server: &mut Mux, count: usize) -> Vec<ChannelId> {
    let ids = (0..count)
        .map(|_| client.open(OpenOptions::new("x")).expect("room"))
        .collect();
    while client.wants_write() || server.wants_write() {
        carry(client, server, accept);
        carry(server, client, accept);
    }
    ids
}

/// A reader of whole messages gives no credit back before the last fragment, so a message is begun
/// only when all of it is covered. Fragments of many messages take turns, and all become whole.
#[test]
fn fragments_of_many_messages_never_lock_each_other() {
    let (mut client, mut server) = pair(
        ChannelConfig::default()
            .record_bytes_max(4096)
            .connection_queue_bytes_max(16 << 20),
    );
    let ids = open(&mut client, &mut server, 64);
    let message = vec![7; 30_000];
    let mut came = 0;
    for _ in 0..5 {
        for &id in &ids {
            client.send(id, &message).expect("the queue has room");
        }
    }
    // A record at a time, so that the channels take turns inside their messages.
    let mut idle = 0;
    while came < 64 * 5 && idle < 10 {
        idle += 1;
        carry(&mut client, &mut server, |server, event| {
            if let Event::Message(message) = event {
                assert_eq!(message.data.len(), 30_000);
                came += 1;
                idle = 0;
                server.release(message.channel, message.charge);
            }
        });
        carry(&mut server, &mut client, accept);
    }
    assert_eq!(came, 64 * 5);
    assert_eq!(server.stats().held_bytes, 0);
}

/// One channel whose reader never reads, beside 255 whose readers do: each of these gets all of
/// its messages, in fair turns, and the stalled one holds no more than its window.
/// `TICKWIRE_MESSAGES` sets how many messages there are in all.
#[test]
fn one_stalled_channel_beside_255() {
    let total = std::env::var("TICKWIRE_MESSAGES").ok();
    let total: usize = total.and_then(|n| n.parse().ok()).unwrap_or(300_000);
    let each = total / 255;
    let (mut client, mut server) = pair(ChannelConfig::default());
    let ids = open(&mut client, &mut server, 256);
    let mut sent = vec![0_usize; 256];
    let mut got: BTreeMap<ChannelId, usize> = BTreeMap::new();
    let mut stalled = None;
    let mut held = Vec::new();
    let mut done = 0;
    while done < 255 {
        for (at, &id) in ids.iter().enumerate() {
            let limit = if at == 0 { usize::MAX } else { each };
            for _ in 0..8 {
                if sent[at] < limit && client.send(id, &[at as u8; 40]).is_ok() {
                    sent[at] += 1;
                }
            }
        }
        carry(&mut client, &mut server, |server, event| {
            let Event::Message(message) = event else {
                return;
            };
            if message.data[0] == 0 {
                stalled = Some(message.channel);
                held.push(message.charge);
                return;
            }
            let count = got.entry(message.channel).or_default();
            *count += 1;
            done += usize::from(*count == each);
            server.release(message.channel, message.charge);
        });
        carry(&mut server, &mut client, accept);
        while client.poll_writable().is_some() {}
        // Fair: nobody is more than a window ahead of anybody.
        let (least, most) = (got.values().min(), got.values().max());
        if let (Some(least), Some(most)) = (least, most)
            && got.len() == 255
        {
            assert!(most - least <= 64 << 10, "{least} to {most}");
        }
    }
    assert!(got.values().all(|&count| count == each), "all of them");
    let stalled = stalled.expect("it got what its window takes");
    let stats = server.channel_stats(stalled).expect("it is open");
    assert!(stats.held_bytes <= 64 << 10 && stats.receive_window < 104);
    assert_eq!(server.stats().evicted, 0, "it does not hold up the others");
}

/// What a publisher keeps, and where the subscriber is.
struct Feed {
    epoch: u64,
    published: Vec<u64>,
    /// Messages that the publisher has thrown away.
    lost: usize,
}

/// A connection that is killed after `records` of the publisher's: the subscriber's next number.
fn session(feed: &Feed, at: Resume, records: usize, got: &mut Vec<u64>, gaps: &mut u64) -> Resume {
    let (mut subscriber, mut publisher) = pair(ChannelConfig::default());
    let options = OpenOptions::new("trades")
        .direction(Direction::AcceptorSends)
        .resume(at);
    subscriber.open(options).expect("room");
    let (mut next, mut channel) = (at, None);
    let (mut sent, mut delivered) = (0, 0);
    loop {
        carry(&mut subscriber, &mut publisher, |publisher, event| {
            let Event::Open(opening) = event else { return };
            let asked = opening.resume.expect("it resumes");
            let known = asked.epoch == feed.epoch && asked.next_seq >= feed.lost as u64;
            let (from, answer) = if known {
                let from = asked.next_seq;
                (from, Resumption::Replay { from })
            } else {
                let (epoch, seq) = (feed.epoch, feed.lost as u64);
                (seq, Resumption::Fresh { epoch, seq })
            };
            let options = AcceptOptions::new().resumption(answer);
            publisher.accept(opening.channel, options).expect("offered");
            channel = Some((opening.channel, from as usize));
        });
        if let Some((id, from)) = channel {
            for value in feed.published.iter().skip(from + sent).take(3) {
                publisher.send(id, &value.to_le_bytes()).expect("room");
                sent += 1;
            }
        }
        let Some(record) = publisher.poll_record(NOW) else {
            let over = channel.is_some_and(|(_, from)| from + sent == feed.published.len());
            if over {
                return next;
            }
            continue;
        };
        if delivered == records {
            return next; // killed: what is on its way is gone
        }
        delivered += 1;
        let mut incoming = subscriber.receive(record.as_slice(), NOW);
        while let Some(event) = subscriber.next(&mut incoming) {
            match event {
                Event::Accepted {
                    resumption: Some(Resumption::Fresh { epoch, seq }),
                    ..
                } => {
                    *gaps += seq.saturating_sub(next.next_seq);
                    next = Resume {
                        epoch,
                        next_seq: seq,
                    };
                }
                Event::Accepted { resumption, .. } => {
                    let from = next.next_seq;
                    assert_eq!(resumption, Some(Resumption::Replay { from }));
                }
                Event::Message(message) => {
                    assert_eq!(message.seq, next.next_seq, "none is lost, none comes twice");
                    next.next_seq += 1;
                    let value = message.data[..].try_into().expect("eight bytes");
                    got.push(u64::from_le_bytes(value));
                    subscriber.release(message.channel, message.charge);
                }
                _ => {}
            }
        }
    }
}

/// T26: a connection may die after any record; what comes on the next ones, and the gaps that are
/// told, are all that was published. No credit and no id survives: every connection is new.
#[test]
fn t26_killed_after_every_record_and_resumed() {
    for records in 0..12 {
        for lost in [0, 7] {
            let mut feed = Feed {
                epoch: 3,
                published: (0..20).map(|n| n * 11).collect(),
                lost: 0,
            };
            let (mut got, mut gaps) = (Vec::new(), 0);
            let start = Resume {
                epoch: 3,
                next_seq: 0,
            };
            let next = session(&feed, start, records, &mut got, &mut gaps);
            assert_eq!(next.next_seq as usize, got.len());
            // The publisher fails over, and what is older is gone.
            feed.lost = lost;
            feed.epoch += u64::from(lost > 0);
            let next = session(&feed, next, 4, &mut got, &mut gaps);
            let next = session(&feed, next, usize::MAX, &mut got, &mut gaps);
            assert_eq!(next.next_seq, 20);
            let mut unique = got.clone();
            unique.dedup();
            let again = got.len() - unique.len();
            if lost == 0 {
                assert_eq!(got, feed.published);
                assert_eq!((gaps, again), (0, 0));
            } else {
                // Another epoch counts its own: what was read before may come again, and is told.
                assert_eq!(*got.last().expect("some"), 209);
            }
        }
    }
}

/// T22: what is refused is not taken, and what is taken comes, in order, whatever the credit.
#[test]
fn t22_refused_is_refused_whole() {
    let (mut client, mut server) = pair(
        ChannelConfig::default()
            .channel_window_bytes(2048)
            .channel_window_bytes_max(2048)
            .channel_queue_bytes_max(1024),
    );
    let id = open(&mut client, &mut server, 1)[0];
    let (mut taken, mut refused, mut came) = (0_u32, 0, 0_u32);
    for turn in 0..20_000 {
        match client.send(id, &taken.to_le_bytes()) {
            Ok(()) => taken += 1,
            Err(error) => {
                assert_eq!(error, tickwire::channels::ChannelSendError::WouldBlock);
                refused += 1;
            }
        }
        if turn % 7 == 0 {
            carry(&mut client, &mut server, |server, event| {
                let Event::Message(message) = event else {
                    return;
                };
                assert_eq!(message.data[..], came.to_le_bytes());
                assert_eq!((message.seq, message.skipped), (u64::from(came), 0));
                came += 1;
                server.release(message.channel, message.charge);
            });
        }
        if turn % 31 == 0 {
            carry(&mut server, &mut client, accept);
        }
    }
    while taken > came {
        carry(&mut server, &mut client, accept);
        carry(&mut client, &mut server, |server, event| {
            let Event::Message(message) = event else {
                return;
            };
            came += 1;
            server.release(message.channel, message.charge);
        });
    }
    assert!(
        refused > 0 && taken > 1000,
        "{taken} taken, {refused} refused"
    );
}

/// T17: every byte before FIN comes, then the end, however large the message was.
#[test]
fn t17_fin_comes_behind_the_data() {
    for len in [0, 1, 100, 4096, 20_000, 26_000] {
        let (mut client, mut server) = pair(
            ChannelConfig::default()
                .record_bytes_max(1024)
                .metadata_bytes_max(64),
        );
        let id = open(&mut client, &mut server, 1)[0];
        client.send(id, &vec![9; len]).expect("room");
        client.finish_sending(id).expect("open");
        let mut told = Vec::new();
        for _ in 0..10 {
            carry(&mut client, &mut server, |server, event| match event {
                Event::Message(message) => {
                    told.push(message.data.len());
                    server.release(message.channel, message.charge);
                }
                Event::Finished { .. } => told.push(usize::MAX),
                Event::Aborted { code, .. } => panic!("{code}"),
                _ => {}
            });
            carry(&mut server, &mut client, accept);
        }
        assert_eq!(told, [len, usize::MAX]);
        client.let_go(id, ErrorCode::NO_ERROR);
    }
}
