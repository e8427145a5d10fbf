//! Streams: cut anywhere, broken for good, and packets in an order that no end may send.

use super::{fixtures, old_fixtures, wire};
use tickwire_codecs::{
    DecodeError, Limits, Progress, StreamCodec,
    mqtt::{Mqtt5Stream, Mqtt311, Mqtt311Stream, MqttStream, SESSION_WITHOUT_CLIENT_ID, Version},
};

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

/// Packets that a client sends, in either version.
fn of_a_client(version: Version) -> Vec<u8> {
    match version {
        Version::V311 => b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c\x30\x04\x00\x01ax\xc0\x00\xe0\x00".to_vec(),
        Version::V5 => b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c\x30\x05\x00\x01a\x00x\xc0\x00\xe0\x00".to_vec(),
    }
}

/// Names of the packets that a stream gives, from two pieces.
fn names(stream: &mut MqttStream, pieces: [&[u8]; 2]) -> Result<Vec<&'static str>, DecodeError> {
    let mut names = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        loop {
            match stream.next(rest) {
                Progress::Item { consumed, item } => {
                    let (_, packet) = item;
                    names.push(packet.name());
                    rest = &rest[consumed..];
                }
                Progress::More { .. } => break,
                Progress::Failed(error) => return Err(error),
            }
        }
    }
    Ok(names)
}

#[test]
fn a_client_chooses_the_version_wherever_its_bytes_are_cut() {
    for version in [Version::V311, Version::V5] {
        let bytes = of_a_client(version);
        for cut in 0..=bytes.len() {
            let mut stream = MqttStream::from_client(Limits::DEVICE);
            assert_eq!(stream.version(), None);
            let read = names(&mut stream, [&bytes[..cut], &bytes[cut..]]);
            assert_eq!(
                read,
                Ok(vec!["CONNECT", "PUBLISH", "PINGREQ", "DISCONNECT"])
            );
            assert_eq!(stream.version(), Some(version));
            assert!(!stream.is_mid_packet());
        }
        let mut stream = MqttStream::from_client(Limits::DEVICE);
        assert_eq!(names(&mut stream, [&bytes[..3], b""]), Ok(vec![]));
        assert!(stream.is_mid_packet());
    }
}

#[test]
fn the_old_version_streams_as_the_new() {
    let packets = old_fixtures();
    let all = packets.concat();
    for cut in 0..=all.len() {
        let mut stream = Mqtt311Stream::new(Limits::DEVICE);
        let mut read = Vec::new();
        for mut rest in [&all[..cut], &all[cut..]] {
            while let Progress::Item { consumed, item } = stream.next(rest) {
                read.push(crate::common::encode::<Mqtt311>(&item));
                rest = &rest[consumed..];
            }
        }
        assert_eq!(read, packets);
        assert!(!stream.is_mid_packet());
    }
}

/// A refused packet leaves the stream refused, and the version as it was.
#[test]
fn a_refused_connect_does_not_choose_a_version() {
    let mut stream = MqttStream::from_client(Limits::DEVICE);
    let error = names(
        &mut stream,
        [b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00", b""],
    )
    .unwrap_err();
    let DecodeError::Wrong { what, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(what, SESSION_WITHOUT_CLIENT_ID);
    assert_eq!(stream.version(), None);
    assert_eq!(
        stream.next(&of_a_client(Version::V5)),
        Progress::Failed(error)
    );
}

/// The CONNACK of a server of the other version is a version error, whatever its code.
#[test]
fn an_answer_of_the_other_version_is_named() {
    let from = |version, bytes: &[u8]| {
        names(
            &mut MqttStream::from_server(version, Limits::DEVICE),
            [bytes, b""],
        )
    };
    for code in 0..=5 {
        let error = from(Version::V5, &[0x20, 2, 0, code]).unwrap_err();
        assert_eq!(
            error,
            DecodeError::Version {
                at: 1,
                want: 5,
                got: 4
            }
        );
        assert_eq!(
            error.to_string(),
            "byte 1: the message has version 4, this reader reads version 5"
        );
        assert_eq!(
            from(Version::V311, &[0x20, 2, 0, code]),
            Ok(vec!["CONNACK"])
        );
    }
    let error = from(Version::V311, &[0x20, 3, 0, 0x84, 0]).unwrap_err();
    assert_eq!(
        error,
        DecodeError::Version {
            at: 1,
            want: 4,
            got: 5
        }
    );
    // A packet that is not a CONNACK of the other version either is not a version error.
    for wrong in [
        &[0x20, 2, 0, 6][..],
        &[0x20, 2, 2, 0],
        &[0x20, 0],
        &[0x20, 1, 0],
    ] {
        let error = from(Version::V5, wrong).unwrap_err();
        assert!(
            !matches!(error, DecodeError::Version { .. }),
            "{wrong:02x?}: {error}"
        );
    }
    let error = from(Version::V311, &[0x20, 3, 0, 1, 0]).unwrap_err();
    assert_eq!(error, DecodeError::Trailing { at: 4, extra: 1 });
}

#[test]
fn the_version_is_read_from_the_first_bytes_of_a_connect() {
    for version in [Version::V311, Version::V5] {
        let bytes = of_a_client(version);
        for len in 0..9 {
            let read = Version::of_connect(&bytes[..len]);
            assert!(
                matches!(read, Err(DecodeError::Short { .. })),
                "{len}: {read:?}"
            );
        }
        assert_eq!(Version::of_connect(&bytes[..9]), Ok(version));
        assert_eq!(Version::of_connect(&bytes), Ok(version));
    }
    let read = |bytes: &[u8]| Version::of_connect(bytes).unwrap_err();
    assert_eq!(
        read(b"\x10\x0c\x00\x04MQTT\x06"),
        DecodeError::Version {
            at: 8,
            want: 5,
            got: 6
        }
    );
    assert_eq!(
        read(b"\x10\x0c\x00\x06MQIsdp\x03"),
        DecodeError::Version {
            at: 2,
            want: 5,
            got: 3
        }
    );
    assert_eq!(read(b"\x10\x0c\x00\x04HTTP\x04").at(), 2);
    assert_eq!(read(b"GET / HTTP/1.1").at(), 0);
}
