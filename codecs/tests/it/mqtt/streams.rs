//! Streams: cut anywhere, broken for good, and packets in an order that no end may send.

use super::{fixtures, wire};
use tickwire_codecs::{DecodeError, Limits, Progress, StreamCodec, mqtt::Mqtt5Stream};

/// Everything the stream gives, each packet written again.
pub(super) fn run(stream: &mut Mqtt5Stream, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut packets = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match stream.next(rest) {
                Progress::Item { consumed, item } => {
                    packets.push(wire(&item));
                    rest = &rest[consumed..];
                }
                Progress::More { .. } => break,
                Progress::Failed(error) => return Err(error),
            }
        }
    }
    Ok(packets)
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_packets() {
    let packets = fixtures();
    let all = packets.concat();
    for cut in 0..=all.len() {
        let mut stream = Mqtt5Stream::new(Limits::DEVICE);
        assert_eq!(
            run(&mut stream, &[&all[..cut], &all[cut..]]),
            Ok(packets.clone())
        );
        assert!(!stream.is_mid_packet());
    }
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(
        run(&mut Mqtt5Stream::new(Limits::DEVICE), &bytes),
        Ok(packets)
    );
}

#[test]
fn a_broken_stream_stays_broken() {
    let mut stream = Mqtt5Stream::new(Limits::DEVICE);
    let error = run(&mut stream, &[b"\xc0\x00\xc1\x00"]).unwrap_err();
    assert_eq!(run(&mut stream, &[b"\xc0\x00"]), Err(error));
    let mut stream = Mqtt5Stream::new(Limits::DEVICE);
    let error = run(&mut stream, &[b"\x30\xff\xff\x7f"]).unwrap_err();
    assert!(matches!(error, DecodeError::Limit { .. }), "{error:?}");
}
