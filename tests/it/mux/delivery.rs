//! Delivery: an accepted message arrives whole, in order, and before the end of its channel.

use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ErrorCode, Event, Mux, OpenOptions,
};

const NOW: Timestamp = Timestamp(1);

fn pair(config: ChannelConfig) -> (Mux, Mux) {
    let config: ChannelConfig = config;
    (
        Mux::new(config.clone(), NOW).expect("limits that work"),
        Mux::new(config, NOW).expect("limits that work"),
    )
}

/// Carries all records of `from` to `to`; `each` gets every event.
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

/// Accepts every opened channel.
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

/// A receiver grants no credit before the last fragment of a message, so a message is begun only if
/// credit covers all of it. Fragments of many messages take turns, and all messages arrive.
#[test]
fn fragments_of_many_messages_do_not_deadlock() {
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
    // One record at a time, so that the channels take turns inside their messages.
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

/// A refused message is not sent. An accepted message arrives in order, whatever the credit.
#[test]
fn a_refused_message_is_not_sent_and_an_accepted_one_arrives() {
    let (mut client, mut server) = pair(
        ChannelConfig::default()
            .channel_window_bytes(2048)
            .channel_window_bytes_max(2048)
            .channel_queue_bytes_max(1024),
    );
    let id = open(&mut client, &mut server, 1)[0];
    let (mut taken, mut refused, mut came) = (0_u32, 0, 0_u32);
    for turn in 0..20_000 {
        match client.send(id, taken.to_le_bytes()) {
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

/// All data arrives before FIN, whatever the length of the message.
#[test]
fn fin_arrives_after_the_last_message() {
    for len in [0, 1, 100, 4096, 20_000, 26_000] {
        let (mut client, mut server) = pair(
            ChannelConfig::default()
                .record_bytes_max(1024)
                .metadata_bytes_max(64),
        );
        let id = open(&mut client, &mut server, 1)[0];
        client.send(id, vec![9; len]).expect("room");
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
        client.close_channel(id, ErrorCode::NO_ERROR);
    }
}
