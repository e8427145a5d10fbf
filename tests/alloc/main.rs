//! What the core allocates, counted: nothing per message, little per connection, and never by
//! a number that the peer merely announced.

mod channels;

use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use harness::frames::{Frame, Length, op, peer};
use tickwire::sans_io::{BufPool, Entropy, Session};
use tickwire::{Config, Delivery, Message, OwnedMessage, PreparedMessage, Role, Timestamp};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const NOW: Timestamp = Timestamp(1);

fn config(delivery: Delivery) -> Config {
    Config::default()
        .delivery(delivery)
        .message_bytes_max(64 << 20)
        .frame_bytes_max(64 << 20)
}

fn session(role: Role, delivery: Delivery) -> Session {
    let entropy = Entropy([9; 32]);
    Session::new(role, config(delivery), entropy, &[], NOW).expect("limits that work")
}

fn read(session: &mut Session, pool: &mut BufPool, bytes: &[u8]) {
    session.attach(pool);
    session.space()[..bytes.len()].copy_from_slice(bytes);
    session.handle_read(bytes.len(), NOW);
}

fn write(session: &mut Session) -> usize {
    let mut written = 0;
    while session.wants_write() {
        let n = session.transmit().map(|s| black_box(s).len()).sum();
        session.handle_written(n, NOW);
        written += n;
    }
    written
}

/// 100 messages of 0 to 39 bytes, binary and text, as one read brings them.
fn hundred(by: Role) -> Vec<u8> {
    let kind = |i: usize| {
        if i.is_multiple_of(3) {
            op::TEXT
        } else {
            op::BIN
        }
    };
    let frame = |i: usize| Frame::new(kind(i), vec![b'x'; i % 40]).by(by);
    (0..100).flat_map(frame).collect()
}

#[test]
fn ten_thousand_messages_received_held_and_echoed() {
    for role in ROLES {
        for tail in [0, 3] {
            let mut pool = BufPool::default();
            let mut session = session(role, Delivery::Whole);
            let bytes = hundred(peer(role));
            // The read ends inside a frame, or not.
            let (rest, head) = bytes.split_at(bytes.len() - tail);
            let shifted = [head, rest].concat();
            let mut messages = 0;
            let mut turn = |bytes: &[u8]| {
                let mut held = [None; 128];
                read(&mut session, &mut pool, bytes);
                let (batch, outbox) = session.receive();
                let mut count = 0;
                for (slot, message) in held.iter_mut().zip(batch) {
                    *slot = Some(message.expect("right"));
                    count += 1;
                }
                for message in held.iter().flatten() {
                    match message {
                        Message::Binary(data) => outbox.send(data).expect("room"),
                        Message::Text(text) => outbox.send_text(text).expect("room"),
                        other => panic!("{other:?}"),
                    }
                }
                session.queue_replies(NOW);
                assert!(write(&mut session) > 0);
                session.detach(&mut pool);
                count
            };
            turn(rest);
            turn(&shifted);
            let counted = measure(|| {
                for _ in 0..100 {
                    messages += turn(&shifted);
                }
            });
            assert_eq!(messages, 10_000);
            assert_eq!(counted.count_total, 0, "{role:?}, {counted:?}");
        }
    }
}

#[test]
fn ten_thousand_messages_sent_in_every_way() {
    for role in ROLES {
        let mut pool = BufPool::default();
        let mut session = session(role, Delivery::Whole);
        let prepared = PreparedMessage::text("prepared once");
        let mut turn = || {
            session.attach(&mut pool);
            let out = session.outbox();
            for i in 0..25 {
                out.send(&[1; 30][..i]).expect("room");
                out.send_text("a line of text").expect("room");
                out.send_prepared(&prepared).expect("room");
                let mut claim = out.claim(40).expect("room");
                claim[..i].fill(7);
                claim.commit_len(i);
            }
            write(&mut session);
            session.detach(&mut pool);
        };
        turn();
        let counted = measure(|| (0..100).for_each(|_| turn()));
        assert_eq!(counted.count_total, 0, "{role:?}, {counted:?}");
    }
}

/// What a session takes beyond the buffers that a thread's pool holds anyway.
fn beyond_the_pool(role: Role, delivery: Delivery, bytes: &[u8]) -> AllocationInfo {
    let mut pool = BufPool::default();
    let mut other = session(role, delivery);
    other.attach(&mut pool);
    other.detach(&mut pool);
    let mut session = session(role, delivery);
    let counted = measure(|| {
        read(&mut session, &mut pool, bytes);
        let (mut batch, _) = session.receive();
        let none = batch.all(|m| matches!(m, Ok(Message::Part(p)) if p.data.is_empty()));
        assert!(none, "nothing has come");
        session.queue_replies(NOW);
        session.detach(&mut pool);
    });
    assert_eq!(session.end(), None, "it waits for more");
    counted
}

/// What a peer costs that stops behind a header: a small buffer with its cursors, and what is known
/// of a message in fragments.
const BEGUN_BYTES_MAX: u64 = 4096 + 128;

#[test]
fn a_header_that_announces_sixty_mebibytes() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Parts] {
            for opcode in [op::BIN, op::TEXT] {
                let frame = Frame::new(opcode, "").length(Length::Announce(60 << 20));
                let header = frame.by(peer(role));
                for len in 1..=header.len() {
                    let counted = beyond_the_pool(role, delivery, &header[..len]);
                    assert!(
                        counted.bytes_max <= BEGUN_BYTES_MAX,
                        "{len} bytes: {counted:?}"
                    );
                }
                let fragment = Frame::new(opcode, "").more().by(peer(role));
                let frame = Frame::new(op::CONT, "").length(Length::Announce(60 << 20));
                let header = frame.by(peer(role));
                let counted = beyond_the_pool(role, delivery, &[fragment, header].concat());
                assert!(
                    counted.bytes_max <= BEGUN_BYTES_MAX,
                    "second frame: {counted:?}"
                );
            }
        }
    }
}

#[test]
fn memory_follows_what_came_and_shrinks_when_it_is_delivered() {
    for role in ROLES {
        let mut pool = BufPool::default();
        let mut s = session(role, Delivery::Whole);
        let bytes = Frame::new(op::BIN, vec![5; 8 << 20]).by(peer(role));
        let mut delivered = 0;
        let counted = measure(|| {
            for (i, chunk) in bytes.chunks(BufPool::RECV_BYTES / 2).enumerate() {
                let held = measure(|| {
                    read(&mut s, &mut pool, chunk);
                    let (batch, _) = s.receive();
                    delivered += batch.filter(|m| m.is_ok()).count();
                    s.detach(&mut pool);
                });
                let came = (i + 1) * BufPool::RECV_BYTES / 2;
                let max = 3 * came as u64 + 200_000;
                assert!(held.bytes_max <= max, "{came} came, {held:?}");
            }
        });
        assert_eq!(delivered, 1);
        // The pool's buffers stay with the thread.
        let pooled = (BufPool::RECV_BYTES + BufPool::SEND_BYTES + 8192) as i64;
        assert!(counted.bytes_current <= pooled, "{counted:?}");
    }
}

#[test]
fn parts_are_not_assembled() {
    let mut pool = BufPool::default();
    let mut s = session(Role::Server, Delivery::Parts);
    let bytes = Frame::new(op::BIN, vec![5; 8 << 20]).by(Role::Client);
    let mut came = 0;
    let counted = measure(|| {
        for chunk in bytes.chunks(BufPool::RECV_BYTES) {
            read(&mut s, &mut pool, chunk);
            let (batch, _) = s.receive();
            came += batch
                .flatten()
                .filter_map(|m| m.data())
                .map(<[u8]>::len)
                .sum::<usize>();
            s.detach(&mut pool);
        }
    });
    assert_eq!(came, 8 << 20);
    let pooled = (BufPool::RECV_BYTES + BufPool::SEND_BYTES + 8192) as u64;
    assert!(counted.bytes_max <= pooled, "{counted:?}");
}

#[test]
fn a_flood_of_pings_that_nobody_reads_the_pongs_of() {
    for role in ROLES {
        let mut pool = BufPool::default();
        let mut s = session(role, Delivery::Whole);
        let burst: Vec<u8> = (0..100_u8)
            .flat_map(|i| Frame::new(op::PING, [i; 125]).by(peer(role)))
            .collect();
        let mut turn = || {
            read(&mut s, &mut pool, &burst);
            let (batch, _) = s.receive();
            assert_eq!(batch.count(), 100);
            s.queue_replies(NOW);
            let offered: usize = s.transmit().map(<[u8]>::len).sum();
            assert!(offered > 0);
            s.handle_written(0, NOW);
            s.detach(&mut pool);
        };
        turn();
        turn();
        let counted = measure(|| (0..1000).for_each(|_| turn()));
        assert!(counted.bytes_current.abs() <= 4096, "{role:?}, {counted:?}");
        assert!(counted.bytes_max <= 16 * 1024, "{role:?}, {counted:?}");
    }
}

#[test]
fn a_kept_small_message_costs_its_own_size() {
    let mut pool = BufPool::default();
    let s = session(Role::Server, Delivery::Whole);
    let (mut read, write) = s.split();
    let bytes: Vec<u8> = (0..1000_u32)
        .flat_map(|i| Frame::new(op::BIN, [i as u8; 32]).by(Role::Client))
        .collect();
    read.attach(&mut pool);
    read.space()[..bytes.len()].copy_from_slice(&bytes);
    read.handle_read(bytes.len(), NOW);
    let mut kept: Vec<OwnedMessage> = Vec::with_capacity(1000);
    let counted = measure(|| {
        while let Some(message) = read.next_owned() {
            kept.push(message.expect("right"));
        }
    });
    assert_eq!(kept.len(), 1000);
    assert!(counted.bytes_current <= 1000 * 96, "{counted:?}");
    drop(write);
}

/// Nor the memory in which a larger one was put together before it and lent.
#[test]
fn a_kept_small_message_does_not_keep_the_assembly() {
    let pieces = |part: &[u8]| {
        let first = Frame::new(op::BIN, part).more().by(Role::Client);
        [first, Frame::new(op::CONT, part).by(Role::Client)].concat()
    };
    let bytes = [pieces(&[7; 20_000]), pieces(b"tick")].concat();
    let mut kept = None;
    let info = measure(|| {
        let mut pool = BufPool::default();
        let mut session = session(Role::Server, Delivery::Whole);
        read(&mut session, &mut pool, &bytes);
        let lent = session.receive().0.next().expect("whole").expect("legal");
        assert_eq!(lent.data().map(<[u8]>::len), Some(40_000));
        kept = session.halves().0.next_owned();
    });
    assert!(info.bytes_current < 1000, "{info:?} for {kept:?}");
}

#[test]
fn a_large_owned_message_is_not_copied() {
    let mut pool = BufPool::default();
    let (mut read, _write) = session(Role::Server, Delivery::Whole).split();
    let bytes = Frame::new(op::BIN, vec![8; 60_000]).by(Role::Client);
    read.attach(&mut pool);
    read.space()[..bytes.len()].copy_from_slice(&bytes);
    read.handle_read(bytes.len(), NOW);
    let mut message = None;
    let counted = measure(|| message = read.next_owned());
    assert_eq!(
        message,
        Some(Ok(OwnedMessage::Binary(vec![8; 60_000].into())))
    );
    assert!(counted.bytes_total <= 64, "{counted:?}");
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    for role in ROLES {
        let mut pool = BufPool::default();
        session(role, Delivery::Whole).attach(&mut pool);
        let config = config(Delivery::Whole);
        let bytes = hundred(peer(role));
        let mut idle = None;
        // Everything that one connection leaves behind when it has talked and is silent.
        let mut warm = BufPool::default();
        let make = |pool: &mut BufPool| {
            let mut s = Session::new(role, config.clone(), Entropy([1; 32]), &[], NOW)
                .expect("limits that work");
            read(&mut s, pool, &bytes);
            let (batch, out) = s.receive();
            assert_eq!(batch.count(), 100);
            out.send(b"x").expect("room");
            out.ping(b"x").expect("room");
            s.queue_replies(NOW);
            write(&mut s);
            s.detach(pool);
            s
        };
        drop(make(&mut warm));
        let counted = measure(|| idle = Some(make(&mut warm)));
        assert!(counted.bytes_current <= 512, "{role:?}, {counted:?}");
        assert!(size_of::<Session>() <= 640, "{}", size_of::<Session>());
    }
}
