//! Random frames encoded and decoded, cut and changed anywhere; random bytes.

use super::*;

/// The length that the `_len` functions and constants promise for `frame`.
fn promised(frame: &Frame<'_>, len: bool) -> core::ops::RangeInclusive<usize> {
    let exactly = |len: usize| len..=len;
    match frame {
        Frame::Data(d) => {
            let payload = d.payload.len();
            let head = data_head_len(d.alias, len.then_some(payload), d.skip);
            exactly(head + payload)
        }
        Frame::Run(r) => {
            let head = run_head_len(r.alias, r.elem, len.then_some(r.count), r.skip);
            exactly(head + r.bytes.len())
        }
        Frame::Credit(_) => 2..=CREDIT_BYTES_MAX,
        Frame::Open(open) => exactly(open_len(open)),
        Frame::Accept(accept) => exactly(accept_len(accept)),
        Frame::Reject { metadata, .. } => 3..=reject_len(metadata),
        Frame::Reset(_) => 3..=RESET_BYTES_MAX,
        Frame::Seq { .. } => 4..=SEQ_BYTES_MAX,
        Frame::Ping { .. } => exactly(PING_BYTES),
        Frame::GoAway(_) => 4..=GOAWAY_BYTES_MAX,
        Frame::Hello(_) => 2..=HELLO_FRAME_BYTES_MAX,
        Frame::Ext { kind, body, .. } => exactly(ext_len(*kind, body)),
    }
}

#[test]
fn a_frame_survives_encoding_and_decoding() {
    let mut rng = Rng(2);
    let pool = Pool::new(&mut rng);
    for round in 0..24_000 {
        let frame = frame(round % KINDS, &mut rng, &pool);
        for len in [true, false] {
            let record = encoded(&frame, len);
            assert_eq!(parse_one(&record), Ok(frame), "round {round}");
            assert!(promised(&frame, len).contains(&record.len()), "{frame:?}");
        }
    }
}

/// Whatever is in the buffer and however much room it has, the same bytes are appended.
#[test]
fn encoding_appends_the_same_bytes_anywhere() {
    let mut rng = Rng(3);
    let pool = Pool::new(&mut rng);
    for round in 0..3_000 {
        let frame = frame(round % KINDS, &mut rng, &pool);
        let bytes = encoded(&frame, true);
        let before = rng.below(20);
        for spare in [0, bytes.len(), bytes.len() + 7, bytes.len() + 100] {
            let mut out = Vec::with_capacity(before + spare);
            out.resize(before, 0xee);
            put(&mut out, &frame, true);
            assert_eq!(out[..before], vec![0xee; before]);
            assert_eq!(out[before..], bytes, "{frame:?}");
        }
    }
}

#[test]
fn a_record_of_many_frames_survives_encoding_and_decoding() {
    let mut rng = Rng(4);
    let pool = Pool::new(&mut rng);
    for round in 0..600 {
        let count = 1 + rng.below(30);
        let frames: Vec<_> = (0..count)
            // Half of them DATA, as it is on the wire.
            .map(|_| frame(rng.below(KINDS * 2) % (KINDS + 1) % KINDS, &mut rng, &pool))
            .collect();
        let mut record = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            put_pad(&mut record, rng.below(64) * rng.below(2));
            put(&mut record, frame, i + 1 < count || rng.flip());
        }
        assert_eq!(parse(&record), Ok(frames.clone()), "round {round}");
        // The fast path reads the same frames.
        let mut cursor = Frames::new(&record);
        let mut both = Vec::new();
        loop {
            while let Some((data, behind)) = cursor.message() {
                cursor = behind;
                both.push(Frame::Data(data));
            }
            match cursor.next() {
                Some(frame) => both.push(frame.expect("legal")),
                None => break,
            }
        }
        assert_eq!(both, frames, "round {round}");
    }
}

/// Cut short, a frame is an error; a DATA without LEN is a shorter DATA once its header is whole,
/// and a RUN without LEN a shorter RUN where an element ends.
#[test]
fn every_truncation_is_an_error() {
    let mut rng = Rng(5);
    let pool = Pool::new(&mut rng);
    for round in 0..1_200 {
        let frame = frame(round % KINDS, &mut rng, &pool);
        for len in [true, false] {
            let record = encoded(&frame, len);
            for cut in 1..record.len() {
                let got = parse_one(&record[..cut]);
                match (frame, len) {
                    (Frame::Data(d), false) => {
                        let head = record.len() - d.payload.len();
                        let expected = (cut >= head).then(|| {
                            let payload = &d.payload[..cut - head];
                            Frame::Data(Data { payload, ..d })
                        });
                        assert_eq!(got.ok(), expected, "{frame:?} to {cut}");
                    }
                    (Frame::Run(r), false) => {
                        let head = record.len() - r.bytes.len();
                        let left = cut.saturating_sub(head);
                        let whole = left > 0 && left.is_multiple_of(r.elem as usize);
                        let expected = whole.then(|| {
                            let count = left as u32 / r.elem;
                            let bytes = &r.bytes[..left];
                            Frame::Run(Run { count, bytes, ..r })
                        });
                        assert_eq!(got.ok(), expected, "{frame:?} to {cut}");
                    }
                    _ => assert_eq!(got, Err(WireError::Truncated), "{frame:?} to {cut}"),
                }
            }
        }
    }
}

/// Options and HELLO whose length was made to fit what is left of them.
#[test]
fn truncated_options_are_legal_or_an_error() {
    let mut rng = Rng(6);
    let pool = Pool::new(&mut rng);
    let mut legal = 0;
    let mut illegal = 0;
    for _ in 0..300 {
        let all = options(&mut rng, &pool, true);
        let accept = Accept {
            peer_alias: 1,
            alias: 2,
            limit: 3,
            max_msg: 4,
            options: all,
        };
        let record = encoded(&Frame::Accept(accept), true);
        let body = &record[record.len() - all.encoded_len()..];
        let head = [0x05, 4, 8, 12, 16];
        for cut in 0..body.len() {
            let mut record = head.to_vec();
            put_varint(&mut record, cut as u64);
            record.extend(&body[..cut]);
            match parse_one(&record) {
                Ok(Frame::Accept(a)) => {
                    legal += 1;
                    assert!(a.options.encoded_len() <= cut);
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    illegal += 1;
                    assert_eq!(error, WireError::OptionTruncated);
                }
            }
        }
    }
    assert!(legal > 100 && illegal > 100, "{legal} {illegal}");
}

/// Reads a record to its end: it ends, and every frame of it can be sent again as itself.
fn decode_and_encode_again(record: &[u8]) -> bool {
    let mut out = Vec::new();
    let mut frames = Frames::new(record);
    let mut count = 0;
    let legal = loop {
        match frames.next() {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => {
                out.clear();
                put(&mut out, &frame, true);
                assert_eq!(parse_one(&out), Ok(frame), "{record:02x?}");
                // A second round trip changes nothing.
                let mut again = Vec::new();
                put(&mut again, &parse_one(&out).expect("legal"), true);
                assert_eq!(again, out, "{record:02x?}");
            }
        }
        count += 1;
        assert!(count <= record.len(), "every frame has a byte at least");
    };
    assert_eq!(frames.next(), None);
    legal
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = Rng(7);
    let (mut legal, mut illegal) = (0, 0);
    for _ in 0..60_000 {
        let len = rng.below(60);
        let mut record = rng.bytes(len);
        // Small numbers reach deeper.
        if rng.flip() {
            record.iter_mut().for_each(|b| *b &= 0x3F);
        }
        if decode_and_encode_again(&record) {
            legal += 1;
        } else {
            illegal += 1;
        }
    }
    assert!(legal > 1_000 && illegal > 1_000, "{legal} {illegal}");
}

#[test]
fn flipped_bytes_do_no_harm() {
    let mut rng = Rng(8);
    let pool = Pool::new(&mut rng);
    for round in 0..600 {
        let mut record = Vec::new();
        put(&mut record, &frame(round % KINDS, &mut rng, &pool), true);
        put(&mut record, &frame(0, &mut rng, &pool), true);
        assert!(decode_and_encode_again(&record));
        for at in 0..record.len().min(200) {
            let was = record[at];
            for with in [1 << rng.below(8), 0xff, rng.u64() as u8] {
                record[at] ^= with;
                decode_and_encode_again(&record);
                record[at] = was;
            }
        }
    }
}

/// The fast path and the full decoder agree on every two bytes and any tail.
#[test]
fn the_fast_path_and_the_full_decoder_agree() {
    let mut rng = Rng(9);
    let (mut short_ones, mut all) = (0, 0);
    // Not 0, which is PAD.
    for first in 1..=255_u8 {
        for second in 0..=255_u8 {
            for tail in [0, 3, 6, 7, 12] {
                let mut record = vec![first, second];
                record.extend(rng.bytes(tail));
                let data = |record| match Frames::new(record).next() {
                    Some(Ok(Frame::Data(data))) => Some(data),
                    _ => None,
                };
                // With too little behind it to be loaded as one word, and the whole header read
                // number by number: a DATA of the same bytes behind a PAD.
                let mut behind = vec![0];
                behind.extend(&record);
                let thorough = data(&behind);
                assert_eq!(data(&record), thorough, "{record:02x?}");
                if let Some((short, _)) = Frames::new(&record).message() {
                    assert_eq!(Some(short), thorough, "{record:02x?}");
                    short_ones += 1;
                }
                all += u32::from(thorough.is_some());
            }
        }
    }
    // The others are too near the end of the record, or have FIN, MORE or a SKIP.
    assert!(
        short_ones > 300 && all > 2 * short_ones,
        "{short_ones} {all}"
    );
}
