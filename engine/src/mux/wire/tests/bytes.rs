//! The wire, byte for byte.

use super::*;

fn data(alias: u32, payload: &[u8]) -> Frame<'_> {
    Frame::Data(Data {
        alias,
        more: false,
        fin: false,
        skip: 0,
        payload,
    })
}

/// Three examples: a tick alone, in a batch, and in a RUN of twenty.
#[test]
fn heads_of_a_tick() {
    let ticks: Vec<u8> = (0..800).map(|i| i as u8).collect();
    let tick = data(5, &ticks[..40]);
    let run = Frame::Run(Run {
        alias: 5,
        elem: 40,
        count: 20,
        skip: 0,
        bytes: &ticks,
    });
    let rows: &[(Frame<'_>, bool, &[u8])] = &[
        (tick, false, &[0x01, 0x14]),
        (tick, true, &[0x11, 0x14, 0xA0]),
        (run, false, &[0x02, 0x14, 0xA0]),
    ];
    for (frame, len, head) in rows {
        let record = encoded(frame, *len);
        assert_eq!(&record[..head.len()], *head);
        assert_eq!(parse_one(&record), Ok(*frame));
        let payload = match frame {
            Frame::Data(d) => d.payload,
            Frame::Run(r) => r.bytes,
            _ => unreachable!("only data"),
        };
        assert_eq!(&record[head.len()..], payload);
    }
}

const OPTIONS: Options<'static> = Options {
    ttl_ms: Some(250),
    resume: Some((7, 64)),
    topic: b"BTC",
    metadata: b"m",
    answer: None,
    wants: None,
};

type Layouts = Vec<(Frame<'static>, Vec<u8>)>;

#[rustfmt::skip]
fn layouts_of_channels() -> Layouts {
    let profile = Profile {
        priority: 3,
        direction: Direction::AcceptorSends,
        messages: true,
        conflate: true,
        resumable: false,
    };
    let credit = Credit { alias: 64, kind: CreditKind::Grant, total: 1, ack: Some(2) };
    let narrow = Credit { kind: CreditKind::Narrow, ack: None, ..credit };
    vec![
        (
            Frame::Data(Data { alias: 64, more: true, fin: false, skip: 3, payload: b"xy" }),
            vec![0xB1, 0x01, 0x01, 2 << 2, 3 << 2, b'x', b'y'],
        ),
        (
            Frame::Data(Data { alias: 1, more: false, fin: true, skip: 0, payload: b"" }),
            vec![0x51, 4, 0],
        ),
        (
            Frame::Run(Run { alias: 1, elem: 2, count: 2, skip: 5, bytes: b"abcd" }),
            vec![0x92, 1 << 2, 2 << 2, 2 << 2, 5 << 2, b'a', b'b', b'c', b'd'],
        ),
        (Frame::Credit(credit), vec![0x43, 0x01, 0x01, 4, 8]),
        (Frame::Credit(narrow), vec![0x13, 0x01, 0x01, 4]),
        (
            Frame::Credit(Credit { kind: CreditKind::Blocked, ..credit }),
            vec![0x63, 0x01, 0x01, 4, 8],
        ),
        (
            Frame::Credit(Credit { alias: 1, kind: CreditKind::Return, ..narrow }),
            vec![0x83, 4, 4],
        ),
        (
            Frame::Open(Open { alias: 2, profile, align: 6, limit: 9, max_msg: 10, options: OPTIONS }),
            vec![
                0x04, 8, 0b0111_0011, 6, 36, 40, 17 << 2,
                1 << 2, 2 << 2, 0xE9, 0x03, // ttl 250
                2 << 2, 3 << 2, 28, 0x01, 0x01, // resume 7, 64
                3 << 2, 3 << 2, b'B', b'T', b'C',
                4 << 2, 4, b'm',
            ],
        ),
        (
            Frame::Accept(Accept {
                peer_alias: 2,
                alias: 3,
                limit: 1,
                max_msg: 0,
                options: Options {
                    answer: Some(Answer::Fresh { epoch: 1, seq: 2 }),
                    wants: Some(3),
                    ..Options::default()
                },
            }),
            vec![0x05, 8, 12, 4, 0, 7 << 2, 7 << 2, 2 << 2, 4, 8, 8 << 2, 1 << 2, 12],
        ),
    ]
}

#[rustfmt::skip]
fn layouts_of_control() -> Layouts {
    vec![
        (
            Frame::Reject {
                peer_alias: 2,
                code: 7,
                metadata: &[],
            },
            vec![0x06, 8, 28],
        ),
        (
            Frame::Reject {
                peer_alias: 2,
                code: 7,
                metadata: b"no",
            },
            vec![0x16, 8, 28, 8, b'n', b'o'],
        ),
        (
            Frame::Reset(Reset { alias: 2, code: 6, abort: true, stop: true }),
            vec![0x37, 8, 24],
        ),
        (
            Frame::Reset(Reset { alias: 2, code: 6, abort: false, stop: true }),
            vec![0x27, 8, 24],
        ),
        (Frame::Seq { alias: 2, epoch: 3, next_seq: 64 }, vec![0x08, 8, 12, 0x01, 0x01]),
        (
            Frame::Ping { value: 0x0807_0605_0403_0201, pong: false },
            vec![0x09, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
        (
            Frame::Ping { value: u64::MAX, pong: true },
            vec![0x19, 255, 255, 255, 255, 255, 255, 255, 255],
        ),
        (
            Frame::GoAway(GoAway { opens_seen: 3, code: 5, reason: "calm" }),
            vec![0x0A, 12, 20, 4, b'c', b'a', b'l', b'm'],
        ),
        (
            Frame::Ext { kind: 9, ignorable: true, body: b"?" },
            vec![0x1F, 36, 4, b'?'],
        ),
        (Frame::Ext { kind: 9, ignorable: false, body: b"" }, vec![0x0F, 36, 0]),
    ]
}

#[test]
fn every_frame_has_its_bytes() {
    for (frame, bytes) in [layouts_of_channels(), layouts_of_control()].concat() {
        assert_eq!(encoded(&frame, true), bytes, "{frame:?}");
        assert_eq!(parse_one(&bytes), Ok(frame));
    }
}

#[test]
#[rustfmt::skip]
fn hello_has_its_bytes() {
    let bytes = [
        0x0B, 41 << 2,
        1 << 2, 8, 0x00, 0x40, // record 16 KiB
        2 << 2, 12, 0x00, 0x00, 0x10, // message 1 MiB
        3 << 2, 8, 0x00, 0x04, // 1,024 channels
        4 << 2, 4, 64,
        5 << 2, 8, 0x00, 0x10, // 4,096 aliases
        7 << 2, 12, 0x00, 0x00, 0x01, // 64 KiB on a channel
        8 << 2, 4, 64,
        9 << 2, 8, 0x30, 0x75, // 30 s
        10 << 2, 4, 31,
    ];
    let grease = [0xED, 0xA8, 12, 0x3E, 0x1C, 0x17];
    let mut record = bytes.to_vec();
    record.extend(grease);
    let hello = Frame::Hello(Hello::default());
    let len = bytes.len() - 2 + grease.len();
    assert_eq!(len, 41);
    assert_eq!(encoded(&hello, true), record);
    assert_eq!(parse_one(&record), Ok(hello));
    // An empty HELLO, or one with unknown parameters only, has the defaults.
    assert_eq!(parse_one(&[0x0B, 0]), Ok(hello));
    assert_eq!(parse_one(&[0x0B, 24, 0xED, 0xA8, 12, 1, 2, 3]), Ok(hello));
    // An unknown id may be repeated, and its value as long or short as it likes.
    assert_eq!(parse_one(&[0x0B, 16, 0xFC, 0, 0xFC, 0]), Ok(hello));
    let mut long = vec![0x0B, 13 << 2, 0xFC, 0, 0xFC, 9 << 2];
    long.extend([7; 9]);
    assert_eq!(parse_one(&long), Ok(hello));
    let mut long = vec![0x0B, 12 << 2, 0xFC, 0, 0xFC, 9 << 2];
    long.extend([7; 8]);
    assert_eq!(parse_one(&long), Err(WireError::ParameterTruncated));
}

#[test]
fn unknown_features_are_ignored() {
    let mut record = vec![0x0B, 10 << 2, 10 << 2, 8 << 2];
    record.extend([0xF1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    let Ok(Frame::Hello(hello)) = parse_one(&record) else {
        panic!("a HELLO");
    };
    assert_eq!(hello.features, FEATURE_CONFLATE | FEATURE_ALIGN);
}

#[test]
fn unknown_options_are_ignored_even_repeated() {
    let mut record = vec![0x05, 4, 4, 0, 0, 9 << 2];
    record.extend([9 << 2, 0, 8 << 2, 4, 12, 9 << 2, 4, 0xee, 0]);
    record[5] = ((record.len() - 6) as u8) << 2;
    // The last byte is an id without a length.
    assert_eq!(parse_one(&record), Err(WireError::OptionTruncated));
    record.pop();
    record[5] = ((record.len() - 6) as u8) << 2;
    let Ok(Frame::Accept(accept)) = parse_one(&record) else {
        panic!("an ACCEPT");
    };
    let expected = Options {
        wants: Some(3),
        ..Options::default()
    };
    assert_eq!(accept.options, expected);
}

#[test]
fn the_profile_is_one_byte_and_back() {
    for byte in 0..=255_u8 {
        match Profile::from_byte(byte) {
            Ok(profile) => assert_eq!(profile.to_byte(), byte),
            Err(error) => {
                assert_eq!((byte >> 3) & 3, 3);
                assert_eq!(error, WireError::ReservedDirection);
            }
        }
    }
    assert!(Profile::from_byte(0b0001_1000).is_err());
}

/// A longer form than needed is legal wherever a number stands.
#[test]
fn long_forms_are_legal() {
    let forms = |v: u8| {
        let v = v << 2;
        [
            vec![v],
            vec![v | 1, 0],
            vec![v | 2, 0, 0, 0],
            vec![v | 3, 0, 0, 0, 0, 0, 0, 0],
        ]
    };
    for alias in forms(5) {
        for len in forms(2) {
            for payload in [&b"ab"[..], b"abcdefghijklmnop"] {
                let mut batch = [&[0x11], &alias[..], &len, &payload[..2]].concat();
                assert_eq!(parse_one(&batch), Ok(data(5, &payload[..2])));
                // With bytes after it, the whole header can be loaded as one word.
                batch.extend([0x01, 0x14]);
                batch.extend(payload);
                assert_eq!(
                    parse(&batch),
                    Ok(vec![data(5, &payload[..2]), data(5, payload)])
                );
                let alone = [&[0x01], &alias[..], payload].concat();
                assert_eq!(parse_one(&alone), Ok(data(5, payload)));
            }
        }
    }
}

/// Headers of every length, up to and beyond what one word holds.
#[test]
fn every_length_of_a_header() {
    let bytes: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
    for alias in [0, 63, 64, 16_383, 16_384, ALIAS_MAX - 1] {
        for len in [0, 1, 63, 64, 8_192, 16_383, 16_384, 70_000] {
            for skip in [0, 1, 64, 16_384, 1 << 30] {
                let payload = &bytes[..len];
                let frame = Frame::Data(Data {
                    alias,
                    more: false,
                    fin: true,
                    skip,
                    payload,
                });
                let mut record = encoded(&frame, true);
                let head_len = data_head_len(alias, Some(len), skip);
                assert_eq!(record.len(), head_len + len);
                put(&mut record, &frame, false);
                assert_eq!(parse(&record), Ok(vec![frame, frame]));
            }
        }
    }
}

#[test]
fn pad_is_skipped() {
    assert_eq!(parse(&[]), Ok(vec![]));
    for count in [1, 2, PAD_RUN_MAX] {
        let mut record = Vec::new();
        put_pad(&mut record, count);
        assert_eq!(record, vec![0; count]);
        assert_eq!(parse(&record), Ok(vec![]));
        let ping = Frame::Ping {
            value: 0,
            pong: false,
        };
        // As many before it, and as many behind it again: the zeros of its value do not count.
        put(&mut record, &ping, true);
        put_pad(&mut record, count);
        put(&mut record, &data(5, b"tick"), true);
        put_pad(&mut record, count);
        assert_eq!(parse(&record), Ok(vec![ping, data(5, b"tick")]));
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let reason = "€".repeat(42);
    let go_away = Frame::GoAway(GoAway {
        opens_seen: 0,
        code: 0,
        reason: &reason,
    });
    let record = encoded(&go_away, true);
    let Ok(Frame::GoAway(read)) = parse_one(&record) else {
        panic!("a GOAWAY");
    };
    assert_eq!(read.reason, "€".repeat(41));
    let reason = "a€".repeat(40);
    let go_away = Frame::GoAway(GoAway {
        opens_seen: 0,
        code: 0,
        reason: &reason,
    });
    let record = encoded(&go_away, true);
    let Ok(Frame::GoAway(read)) = parse_one(&record) else {
        panic!("a GOAWAY");
    };
    assert_eq!(read.reason, &reason[..121]);
}

#[test]
fn the_longest_frames_have_the_length_of_their_constants() {
    let (alias, code, max) = (ALIAS_MAX - 1, u32::MAX, VARINT_MAX);
    let credit = Credit {
        alias,
        kind: CreditKind::Return,
        total: max,
        ack: Some(max),
    };
    let reset = Reset {
        alias,
        code,
        abort: true,
        stop: true,
    };
    let reason = "r".repeat(GOAWAY_REASON_BYTES_MAX);
    let go_away = GoAway {
        opens_seen: max,
        code,
        reason: &reason,
    };
    let hello = Hello {
        record_bytes_max: RECORD_BYTES_MAX,
        message_bytes_max: max,
        channels_max: 1 << 20,
        pending_opens_max: 1 << 20,
        aliases_max: 1 << 20,
        channel_limit: max,
        overhead: OVERHEAD_BYTES_MAX,
        idle_timeout_ms: max,
        features: FEATURES,
    };
    let rows = [
        (Frame::Credit(credit), CREDIT_BYTES_MAX),
        (Frame::Reset(reset), RESET_BYTES_MAX),
        (
            Frame::Reject {
                peer_alias: alias,
                code,
                metadata: &[],
            },
            REJECT_BYTES_MAX,
        ),
        (
            Frame::Seq {
                alias,
                epoch: max,
                next_seq: max,
            },
            SEQ_BYTES_MAX,
        ),
        (
            Frame::Ping {
                value: 0,
                pong: true,
            },
            PING_BYTES,
        ),
        (Frame::GoAway(go_away), GOAWAY_BYTES_MAX),
    ];
    for (frame, len) in rows {
        let record = encoded(&frame, true);
        assert_eq!(record.len(), len, "{frame:?}");
        assert_eq!(parse_one(&record), Ok(frame));
    }
    let record = encoded(&Frame::Hello(hello), true);
    assert!(record.len() <= HELLO_FRAME_BYTES_MAX);
    assert!(record.len() <= HELLO_BYTES_MAX);
    assert_eq!(parse_one(&record), Ok(Frame::Hello(hello)));
}
