//! Strings of MessagePack and CBOR: text that is not UTF-8, and strings in chunks.

use crate::{
    common::{WIDE, encode, json, mangle, torture},
    documents::hex,
};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, EncodeError, Limits,
    cbor::Cbor,
    document::{Format, Head, Node, Reader, StringKind, Value, Writer},
    msgpack::Msgpack,
};

/// Text that is not UTF-8 with its neighbours: `[0, "a" C3 28 "z", "b", {"k": <FF>}]`.
const RAW: [(&str, &str); 2] = [
    ("msgpack", "9400a461c3287aa16281a16ba1ff"),
    ("cbor", "84006461c3287a6162a1616b61ff"),
];

fn a_bad_string_leaves_the_document_readable_in<F>(wire: &str)
where
    for<'a> F: Format + Codec<View<'a> = Node<'a, F>>,
{
    let wire = hex(wire);
    let root = F::view(&wire, &WIDE).unwrap();
    let items: Vec<_> = root.items().unwrap().collect();
    assert_eq!(items[0].as_u64(), Some(0));
    assert!(matches!(items[1].value(), Value::RawStr(b"a\xc3(z")));
    assert_eq!(items[1].as_str(), None);
    assert_eq!(items[1].as_bin(), None);
    assert_eq!(items[1].str_bytes(), Some(&b"a\xc3(z"[..]));
    assert_eq!(items[2].as_str(), Some("b"));
    assert_eq!(items[2].str_bytes(), Some(&b"b"[..]));
    assert_eq!(
        items[3].member("k").and_then(Node::str_bytes),
        Some(&b"\xff"[..])
    );
    assert_eq!(json(&root), r#"[0,"61c3287a","b",{"k":"ff"}]"#);
    torture::<F>(&wire);

    // In one pass: the text is refused at its bad byte, and its bytes can then be taken.
    let mut document = Reader::<F>::new(&wire, &WIDE).unwrap();
    assert_eq!((document.array(), document.uint()), (Ok(4), Ok(0)));
    assert_eq!(document.str(), Err(DecodeError::Utf8 { at: 4 }));
    assert_eq!(document.clone().head(), Ok(Head::RawStr(b"a\xc3(z")));
    assert_eq!(document.str_bytes(), Ok(&b"a\xc3(z"[..]));
    assert_eq!(document.clone().str_bytes(), Ok(&b"b"[..]));
    assert_eq!(document.str(), Ok("b"));

    // Written by hand.
    let mut out = vec![0; wire.len()];
    let mut writer = Writer::<F>::new(&mut out);
    writer.array(4).unwrap().uint(0).unwrap();
    writer
        .str_bytes(b"a\xc3(z")
        .unwrap()
        .str_bytes(b"b")
        .unwrap();
    writer.map(1).unwrap().str("k").unwrap();
    writer.str_bytes(b"\xff").unwrap();
    assert_eq!(writer.finish(), Ok(wire.len()));
    assert_eq!(out, wire);
}

#[test]
fn a_bad_string_leaves_the_document_readable() {
    a_bad_string_leaves_the_document_readable_in::<Msgpack>(RAW[0].1);
    a_bad_string_leaves_the_document_readable_in::<Cbor>(RAW[1].1);
    // From one format to the other nothing is lost.
    let (msgpack, cbor) = (hex(RAW[0].1), hex(RAW[1].1));
    assert_eq!(
        encode::<Cbor>(&Msgpack::view(&msgpack, &WIDE).unwrap()),
        cbor
    );
    assert_eq!(
        encode::<Msgpack>(&Cbor::view(&cbor, &WIDE).unwrap()),
        msgpack
    );
}

/// A key is found by its text only; one that is no text is shown by its encoding.
#[test]
fn a_bad_string_is_a_key_too() {
    let wire = hex("82a1ff01a16102");
    let root = Msgpack::view(&wire, &WIDE).unwrap();
    assert_eq!(root.member("a").and_then(Node::as_u64), Some(2));
    assert!(root.member("\u{fffd}").is_none());
    assert_eq!(json(&root), r#"{"a1ff":1,"a":2}"#);
}

#[test]
fn every_length_of_a_bad_string_is_read_and_written() {
    for len in [1, 23, 24, 31, 32, 255, 256, 65_535, 65_536] {
        let text = vec![0x80; len];
        let mut wire = vec![0; len + 9];
        let mut out = Writer::<Msgpack>::new(&mut wire);
        out.str_bytes(&text).unwrap();
        let end = out.finish().unwrap();
        let read = Msgpack::view(&wire[..end], &WIDE).unwrap();
        assert_eq!(read.str_bytes(), Some(&text[..]));
        let mut out = Writer::<Cbor>::new(&mut wire);
        out.str_bytes(&text).unwrap();
        let end = out.finish().unwrap();
        let read = Cbor::view(&wire[..end], &WIDE).unwrap();
        assert_eq!(read.str_bytes(), Some(&text[..]));
    }
}

/// RFC 8949 section 3.2.3: the example of a string in chunks, text in chunks, and strings of no chunk.
#[test]
fn chunks_are_lent_one_by_one_and_copied_together() {
    let wire = hex("5f44aabbccdd43eeff99ff");
    let root = Cbor::view(&wire, &WIDE).unwrap();
    let Value::BinChunks(chunks) = root.value() else {
        panic!("{:?}", root.value())
    };
    assert_eq!(chunks.kind(), StringKind::Bytes);
    let pieces: Vec<_> = chunks.map(|chunk| chunk.as_bin().unwrap()).collect();
    assert_eq!(pieces, [&hex("aabbccdd")[..], &hex("eeff99")]);
    assert_eq!(root.as_bin(), None);
    let mut whole = [0xaa; 9];
    assert_eq!(chunks.copy_to(&mut whole), Ok(&hex("aabbccddeeff99")[..]));
    assert_eq!(whole[7..], [0xaa; 2]);
    assert_eq!(
        chunks.copy_to(&mut whole[..6]),
        Err(EncodeError::Room { need: 7, have: 6 })
    );
    assert_eq!(encode::<Cbor>(&root), hex("47aabbccddeeff99"));
    assert_eq!(encode::<Msgpack>(&root), hex("c407aabbccddeeff99"));
    mangle::<Cbor>(&wire);

    let wire = hex("7f65737472656160646d696e67ff");
    let root = Cbor::view(&wire, &WIDE).unwrap();
    let chunks = root.chunks().unwrap();
    assert_eq!((chunks.kind(), chunks.len_bytes()), (StringKind::Text, 9));
    assert!(
        chunks
            .map(|chunk| chunk.as_str().unwrap())
            .eq(["strea", "", "ming"])
    );
    assert_eq!(chunks.copy_str(&mut [0; 9]), Ok("streaming"));
    assert_eq!((root.as_str(), root.str_bytes()), (None, None));
    assert_eq!(encode::<Cbor>(&root), b"\x69streaming");
    mangle::<Cbor>(&wire);

    for (wire, kind) in [("5fff", StringKind::Bytes), ("7fff", StringKind::Text)] {
        let wire = hex(wire);
        let root = Cbor::view(&wire, &WIDE).unwrap();
        let mut chunks = root.chunks().unwrap();
        assert_eq!((chunks.kind(), chunks.len_bytes()), (kind, 0));
        assert_eq!(chunks.copy_to(&mut []), Ok(&b""[..]));
        assert_eq!(chunks.copy_str(&mut []).is_ok(), kind == StringKind::Text);
        assert!(chunks.next().is_none());
        assert_eq!(json(&root), "\"\"");
        mangle::<Cbor>(&wire);
    }
}

/// A string with a length is one piece, in both formats.
#[test]
fn a_whole_string_is_one_piece() {
    let wire = hex("93a161a1ffc40101");
    let root = Msgpack::view(&wire, &WIDE).unwrap();
    let pieces: Vec<_> = root
        .items()
        .unwrap()
        .map(|item| item.chunks().unwrap())
        .collect();
    let mut out = [0; 4];
    assert_eq!(pieces[0].copy_str(&mut out), Ok("a"));
    assert_eq!(pieces[1].copy_to(&mut out), Ok(&b"\xff"[..]));
    assert!(matches!(
        pieces[1].copy_str(&mut out),
        Err(EncodeError::Range { got: 0, .. })
    ));
    assert_eq!(pieces[2].kind(), StringKind::Bytes);
    assert!(pieces.iter().all(|pieces| pieces.count() == 1));
    assert!(Msgpack::view(&[1], &WIDE).unwrap().chunks().is_none());
}

/// RFC 8949 section 3.2.3: each chunk of text is UTF-8 of its own. `E6 B0 B4` is one character.
#[test]
fn a_character_cut_between_chunks_is_not_text() {
    let wire = hex("7f616162e6b061b4ff");
    let root = Cbor::view(&wire, &WIDE).unwrap();
    let chunks = root.chunks().unwrap();
    let valid: Vec<_> = chunks.map(|chunk| chunk.as_str().is_some()).collect();
    assert_eq!(valid, [true, false, false]);
    assert!(matches!(
        chunks.copy_str(&mut [0; 8]),
        Err(EncodeError::Range { got: 1, .. })
    ));
    assert_eq!(chunks.copy_to(&mut [0; 8]), Ok(&hex("61e6b0b4")[..]));
    assert_eq!(json(&root), "\"61e6b0b4\"");
    let whole = hex("7f616163e6b0b4ff");
    assert_eq!(json(&Cbor::view(&whole, &WIDE).unwrap()), "\"a水\"");
}

#[test]
fn a_member_is_found_by_a_key_in_chunks() {
    let wire = hex("a27f61616162ff017f616261ffff02"); // the second key is "b", FF
    let root = Cbor::view(&wire, &WIDE);
    assert!(root.is_ok(), "{root:?}");
    let root = root.unwrap();
    assert_eq!(root.member("ab").and_then(Node::as_u64), Some(1));
    for other in ["a", "b", "abc", "", "ba"] {
        assert!(root.member(other).is_none(), "{other}");
    }
    assert_eq!(json(&root), r#"{"ab":1,"7f616261ffff":2}"#);
    // Bytes without a chunk are no text without a chunk.
    let wire = hex("a27fff015fff02");
    let root = Cbor::view(&wire, &WIDE).unwrap();
    assert_eq!(root.member("").and_then(Node::as_u64), Some(1));
    assert_eq!(json(&root), r#"{"":1,"5fff":2}"#);
}

/// Chunks are items and their string is a level.
#[test]
fn chunks_count_against_the_limits() {
    let wire = hex("5f4101410241034104ff");
    let items = |max_items| Limits { max_items, ..WIDE };
    assert!(Cbor::view(&wire, &items(5)).is_ok());
    assert_eq!(
        Cbor::view(&wire, &items(4)).unwrap_err(),
        DecodeError::limit(7, "items", 5, 4)
    );
    let wire = hex("817f6161ff");
    let depth = |max_depth| Limits { max_depth, ..WIDE };
    assert!(Cbor::view(&wire, &depth(2)).is_ok());
    assert_eq!(
        Cbor::view(&wire, &depth(1)).unwrap_err(),
        DecodeError::Depth { at: 1, max: 1 }
    );
}

#[test]
fn a_reader_gives_chunks_as_a_node() {
    let wire = hex("827f6161ff00");
    let mut document = Reader::<Cbor>::new(&wire, &WIDE).unwrap();
    assert_eq!(document.array(), Ok(2));
    let wrong = |error| {
        matches!(
            error,
            Some(DecodeError::Wrong {
                at: 1,
                got: 0x7f,
                ..
            })
        )
    };
    assert!(wrong(document.str().err()));
    assert!(wrong(document.str_bytes().err()));
    assert!(wrong(document.bin().err()));
    assert_eq!(document.clone().head(), Ok(Head::StrChunks));
    let node = document.node().unwrap();
    assert_eq!(node.bytes(), hex("7f6161ff"));
    assert_eq!(node.chunks().unwrap().copy_str(&mut [0; 4]), Ok("a"));
    assert_eq!((document.uint(), document.finish()), (Ok(0), Ok(())));
}

#[test]
fn a_stray_chunk_kind_is_refused_where_it_stands() {
    for (wire, at, got) in [
        ("5f4101616161ff", 3, 0x61),
        ("7f61614101ff", 3, 0x41),
        ("5f5fffff", 1, 0x5f),
        ("7f6161c06161ff", 3, 0xc0),
        ("5f4101f6ff", 3, 0xf6),
    ] {
        assert_eq!(
            Cbor::view(&hex(wire), &WIDE).unwrap_err(),
            DecodeError::wrong(at, "chunk of a string", got)
        );
    }
}

/// A string of any bytes in chunks of any lengths.
fn chunked(kind: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = vec![kind << 5 | 31];
    for chunk in chunks {
        wire.extend([kind << 5 | 24, chunk.len() as u8]);
        wire.extend(chunk);
    }
    wire.push(0xff);
    wire
}

proptest! {
    #[test]
    fn chunks_join_to_the_original_bytes(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
        let whole = chunks.concat();
        for kind in [2, 3] {
            let wire = chunked(kind, &chunks);
            let root = Cbor::view(&wire, &WIDE).unwrap();
            let pieces = root.chunks().unwrap();
            let mut joined = vec![0; whole.len()];
            prop_assert_eq!(pieces.copy_to(&mut joined), Ok(&whole[..]));
            let valid = chunks.iter().all(|chunk| std::str::from_utf8(chunk).is_ok());
            prop_assert_eq!(pieces.is_utf8(), kind == 3 && valid);
            // The whole string has the same bytes, in both formats.
            let cbor = encode::<Cbor>(&root);
            let mut expected = vec![0; whole.len() + 9];
            let mut out = Writer::<Cbor>::new(&mut expected);
            match kind {
                2 => out.bin(&whole).unwrap(),
                _ => out.str_bytes(&whole).unwrap(),
            };
            let len = out.finish().unwrap();
            prop_assert_eq!(&cbor, &expected[..len]);
        }
    }
}
