//! Limits: a message at the limit is delivered. A message above the limit is refused at the header
//! that exceeds it, before its payload arrives.

use harness::drive::{Driven, Mode, Take};
use harness::event::Event;
use harness::frames::{Frame, Length, op, peer};
use tickwire::{Config, Delivery, End, Failure, Limit, Role};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn each(run: impl Fn(Role, Delivery, Mode)) {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Parts] {
            for take in [Take::Lent, Take::Owned] {
                for recv_bytes in [4097, 65_536] {
                    let detach = true;
                    run(
                        role,
                        delivery,
                        Mode {
                            take,
                            detach,
                            recv_bytes,
                        },
                    );
                }
            }
        }
    }
}

fn config(delivery: Delivery, message: u64, frame: u64, fragments: u32) -> Config {
    Config::default()
        .delivery(delivery)
        .message_bytes_max(message)
        .frame_bytes_max(frame)
        .fragments_max(fragments)
}

fn refused(d: &mut Driven, limit: Limit, name: &str) {
    let failure = Failure::Limit(limit);
    assert_eq!(d.events().last(), Some(&Event::Fail(failure)), "{name}");
    assert_eq!(d.end(), Some(End::Failed(failure)), "{name}");
    let sent = d.sent();
    let told = matches!(sent.events.last(), Some(Event::Close(Some((1009, _)))));
    assert!(told, "{name}: the peer is told 1009");
}

#[test]
fn a_message_at_the_limit_is_delivered() {
    each(|role, delivery, mode| {
        for max in [1, 125, 126, 4096, 65_535, 65_536, 100_000] {
            let config = config(delivery, max as u64, 1 << 30, 100);
            let payload = vec![0x55; max];
            let mut d = Driven::new(role, &config, mode);
            d.push(&Frame::new(op::BIN, &payload).by(peer(role)));
            let (head, tail) = payload.split_at(max / 2);
            d.push(&Frame::new(op::BIN, head).more().by(peer(role)));
            d.push(&Frame::new(op::CONT, tail).more().by(peer(role)));
            d.push(&Frame::new(op::CONT, "").by(peer(role)));
            let one = Event::binary(&payload);
            assert!(d.events() == [one.clone(), one], "{max}, {mode:?}");
        }
    });
}

#[test]
fn a_message_above_the_limit_is_refused_at_its_header() {
    each(|role, delivery, mode| {
        for max in [1, 125, 126, 4096, 65_535, 65_536, 100_000] {
            let config = config(delivery, max, 1 << 30, 100);
            let len = max + 1;
            let head = Frame::new(op::BIN, "").length(announce(len));
            let head = header_of(head, len, peer(role));
            let limit = Limit::Message { len, max };
            let mut d = Driven::new(role, &config, mode);
            d.push(&head[..head.len() - 1]);
            assert_eq!(d.events(), [], "the header is not complete");
            d.push(&head[head.len() - 1..]);
            refused(&mut d, limit, "one frame");

            let mut d = Driven::new(role, &config, mode);
            let all = vec![0; max as usize];
            d.push(&Frame::new(op::BIN, all).more().by(peer(role)));
            d.push(&Frame::new(op::PING, "").by(peer(role)));
            d.push(&header_of(Frame::new(op::CONT, ""), 1, peer(role)));
            assert_eq!(d.events()[0], Event::Ping(vec![]));
            refused(&mut d, limit, "fragments");
        }
    });
}

/// The header of a frame of `len` bytes, without payload.
fn header_of(frame: Frame, len: u64, by: Role) -> Vec<u8> {
    let payload = vec![0; if len > 65_535 { 0 } else { len as usize }];
    let length = announce(len);
    let mut bytes = Frame {
        payload,
        length,
        ..frame
    }
    .by(by);
    let payload = if len > 65_535 { 0 } else { len as usize };
    bytes.truncate(bytes.len() - payload);
    bytes
}

fn announce(len: u64) -> Length {
    if len > 65_535 {
        Length::Announce(len)
    } else {
        Length::Shortest
    }
}

#[test]
fn huge_lengths_are_refused() {
    each(|role, delivery, mode| {
        for len in [60 << 20, 1 << 32, 1 << 62, i64::MAX as u64] {
            let config = config(delivery, 1 << 20, u64::MAX, 100);
            let mut d = Driven::new(role, &config, mode);
            d.push(&header_of(Frame::new(op::BIN, ""), len, peer(role)));
            refused(&mut d, Limit::Message { len, max: 1 << 20 }, "message");

            // Fragments whose sum would overflow.
            let mut d = Driven::new(role, &config, mode);
            d.push(&Frame::new(op::BIN, "x").more().by(peer(role)));
            d.push(&header_of(
                Frame::new(op::CONT, ""),
                i64::MAX as u64,
                peer(role),
            ));
            let len = i64::MAX as u64 + 1;
            refused(&mut d, Limit::Message { len, max: 1 << 20 }, "sum");
        }
    });
}

#[test]
fn a_frame_above_the_frame_limit_is_refused() {
    each(|role, delivery, mode| {
        let config = config(delivery, 1 << 20, 1000, 100);
        let mut d = Driven::new(role, &config, mode);
        let full = vec![1; 1000];
        d.push(&Frame::new(op::BIN, &full).more().by(peer(role)));
        d.push(&Frame::new(op::CONT, &full).by(peer(role)));
        assert_eq!(d.events(), [Event::binary(&[1; 2000])]);
        d.push(&header_of(Frame::new(op::TEXT, ""), 1001, peer(role)));
        refused(
            &mut d,
            Limit::Frame {
                len: 1001,
                max: 1000,
            },
            "frame",
        );
    });
}

#[test]
fn too_many_fragments_are_refused() {
    each(|role, delivery, mode| {
        let config = config(delivery, 1 << 20, 1 << 20, 3);
        let mut d = Driven::new(role, &config, mode);
        let by = peer(role);
        for _ in 0..2 {
            d.push(&Frame::new(op::BIN, "a").more().by(by));
            d.push(&Frame::new(op::CONT, "").more().by(by));
            d.push(&Frame::new(op::PING, "not a fragment").by(by));
            d.push(&Frame::new(op::CONT, "c").by(by));
        }
        let ping = Event::Ping(b"not a fragment".to_vec());
        let ac = Event::binary(b"ac");
        assert_eq!(d.events(), [ping.clone(), ac.clone(), ping, ac]);
        d.push(&Frame::new(op::BIN, "").more().by(by));
        d.push(&Frame::new(op::CONT, "").more().by(by));
        d.push(&Frame::new(op::CONT, "").more().by(by));
        assert_eq!(d.end(), None);
        d.push(&Frame::new(op::CONT, "").by(by));
        refused(&mut d, Limit::Fragments { max: 3 }, "four fragments");
    });
}

#[test]
fn a_limit_of_one_fragment_allows_a_frame_in_any_pieces() {
    each(|role, delivery, mode| {
        let config = config(delivery, 1 << 20, 1 << 20, 1);
        let bytes = Frame::new(op::BIN, vec![9; 70_000]).by(peer(role));
        let mut d = Driven::new(role, &config, mode);
        for chunk in bytes.chunks(999) {
            d.push(chunk);
        }
        assert!(d.events() == [Event::binary(&vec![9; 70_000])]);
        d.push(&Frame::new(op::BIN, "").more().by(peer(role)));
        d.push(&Frame::new(op::CONT, "").by(peer(role)));
        refused(&mut d, Limit::Fragments { max: 1 }, "two fragments");
    });
}

/// A flood of Pings while the socket accepts nothing: one Pong is sent, for the newest Ping.
#[test]
fn the_newest_of_many_pings_is_answered() {
    for role in ROLES {
        let config = config(Delivery::Whole, 1 << 20, 1 << 20, 100);
        let mut session = tickwire::sans_io::Session::new(
            role,
            config,
            tickwire::sans_io::Entropy([1; 32]),
            &[],
            tickwire::Timestamp(0),
        )
        .unwrap();
        let mut pool = tickwire::sans_io::BufPool::default();
        let now = tickwire::Timestamp(1);
        for i in 0..10_000_u32 {
            let ping = Frame::new(op::PING, i.to_be_bytes()).by(peer(role));
            session.attach(&mut pool);
            session.space()[..ping.len()].copy_from_slice(&ping);
            session.handle_read(ping.len(), now);
            let (batch, _) = session.receive();
            assert_eq!(batch.count(), 1);
            session.queue_replies(now);
            // The socket would block: no byte of the output is sent.
            let offered: usize = session.transmit().map(<[u8]>::len).sum();
            assert!(offered <= 4 + 2 + 4, "{offered} bytes wait");
            session.handle_written(0, now);
            session.detach(&mut pool);
        }
        let mut sent = Vec::new();
        session.transmit().for_each(|s| sent.extend_from_slice(s));
        let said = harness::drive::legal(role, &sent).events;
        assert_eq!(said, [Event::Pong(9999_u32.to_be_bytes().to_vec())]);
    }
}
