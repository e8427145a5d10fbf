//! MessagePack and CBOR against a dumb model, and both readers against each other.

use crate::{
    common::{WIDE, poke},
    documents::{RFC8949, hex, msgpack_fixtures},
};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, Encode, EncodeError, Limits, UnixTime,
    cbor::Cbor,
    document::{Build, Format, Head, Node, Reader, Value, Writer},
    msgpack::Msgpack,
};

/// The dumb model: a document as a tree on the heap.
#[derive(Clone, PartialEq, Debug)]
enum Doc {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(u64),
    Str(String),
    RawStr(Vec<u8>),
    Bin(Vec<u8>),
    Time(UnixTime),
    Array(Vec<Doc>),
    Map(Vec<(Doc, Doc)>),
}

impl Build for Doc {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        match self {
            Self::Nil => out.nil(),
            Self::Bool(value) => out.bool(*value),
            Self::Int(value) => out.int(*value),
            Self::Uint(value) => out.uint(*value),
            Self::Float(bits) => out.f64(f64::from_bits(*bits)),
            Self::Str(value) => out.str(value),
            Self::RawStr(value) => out.str_bytes(value),
            Self::Bin(value) => out.bin(value),
            Self::Time(value) => out.time(*value),
            Self::Array(items) => {
                out.array(items.len() as u32)?;
                return items.iter().try_for_each(|item| item.build(out));
            }
            Self::Map(pairs) => {
                out.map(pairs.len() as u32)?;
                return pairs.iter().try_for_each(|(key, value)| {
                    key.build(out)?;
                    value.build(out)
                });
            }
        }
        .map(|_| ())
    }
}

fn read<F: Format>(node: Node<'_, F>) -> Doc {
    match node.value() {
        Value::Nil => Doc::Nil,
        Value::Bool(value) => Doc::Bool(value),
        Value::Uint(value) => i64::try_from(value).map_or(Doc::Uint(value), Doc::Int),
        Value::Nint(_) => Doc::Int(node.as_i64().unwrap()),
        Value::Float32(value) => Doc::Float(f64::from(value).to_bits()),
        Value::Float64(value) => Doc::Float(value.to_bits()),
        Value::Str(value) => Doc::Str(value.into()),
        Value::RawStr(value) => Doc::RawStr(value.into()),
        Value::Bin(value) => Doc::Bin(value.into()),
        Value::Ext(-1, _) | Value::Tag(0 | 1, _) => Doc::Time(node.as_time().unwrap()),
        Value::Array(items) => Doc::Array(items.map(read).collect()),
        Value::Map(pairs) => Doc::Map(pairs.map(|(key, value)| (read(key), read(value))).collect()),
        other => panic!("{other:?} is not in the model"),
    }
}

/// The same with a [`Reader`]. The model determines the next call.
fn take<F: Format>(document: &mut Reader<'_, F>, want: &Doc) -> Result<(), DecodeError> {
    match want {
        Doc::Nil => assert!(document.nil()?),
        Doc::Bool(value) => assert_eq!(document.bool()?, *value),
        Doc::Int(value) => assert_eq!(document.int()?, *value),
        Doc::Uint(value) => assert_eq!(document.uint()?, *value),
        Doc::Float(bits) => assert_eq!(document.f64()?.to_bits(), *bits),
        Doc::Str(value) => assert_eq!(document.str()?, value),
        Doc::RawStr(value) => assert_eq!(document.str_bytes()?, value),
        Doc::Bin(value) => assert_eq!(document.bin()?, value),
        Doc::Time(value) => assert_eq!(document.time()?, *value),
        Doc::Array(items) => {
            assert_eq!(document.array()? as usize, items.len());
            items.iter().try_for_each(|item| take(document, item))?;
        }
        Doc::Map(pairs) => {
            assert_eq!(document.map()? as usize, pairs.len());
            for (key, value) in pairs {
                take(document, key)?;
                take(document, value)?;
            }
        }
    }
    Ok(())
}

/// Calls every method on every position: whatever the bytes, each gives a value or an error.
fn drag<F: Format>(bytes: &[u8]) {
    let mut document = Reader::<F>::new(bytes, &WIDE).unwrap();
    loop {
        let at = document.at();
        // A wrong kind leaves the reader before the item.
        let _ = (
            document.clone().uint(),
            document.clone().int(),
            document.clone().f64(),
        );
        let _ = (
            document.clone().bool(),
            document.clone().str(),
            document.clone().bin(),
        );
        let _ = (
            document.clone().array(),
            document.clone().map(),
            document.clone().nil(),
        );
        let _ = (
            document.clone().time(),
            document.clone().time_lossy(),
            document.clone().int128(),
        );
        let _ = (
            document.clone().uint128(),
            document.clone().bignum(),
            document.clone().str_bytes(),
        );
        let _ = (document.clone().ext(), document.clone().tag());
        let skipped = document.clone().skip();
        let node = document.clone().node();
        assert_eq!(node.map(|_| ()), skipped);
        match document.head() {
            Ok(_) => assert!(document.at() > at),
            Err(error) => {
                assert_eq!(skipped, Err(error));
                assert!(error.at() as usize <= bytes.len());
                break;
            }
        }
    }
}

#[test]
fn a_reader_stays_before_a_refused_item() {
    let wire = hex("93a161c0ff");
    let mut document = Reader::<Msgpack>::new(&wire, &Limits::DEVICE).unwrap();
    assert!(matches!(
        document.int(),
        Err(DecodeError::Wrong {
            at: 0,
            got: 0x93,
            ..
        })
    ));
    assert_eq!(document.array(), Ok(3));
    assert!(matches!(
        document.uint(),
        Err(DecodeError::Wrong {
            at: 1,
            got: 0xa1,
            ..
        })
    ));
    assert_eq!((document.nil(), document.str()), (Ok(false), Ok("a")));
    assert_eq!(document.nil(), Ok(true));
    assert!(matches!(
        document.uint(),
        Err(DecodeError::Wrong {
            at: 4,
            got: 0xff,
            ..
        })
    ));
    assert_eq!(
        document.clone().finish(),
        Err(DecodeError::Trailing { at: 4, extra: 1 })
    );
    assert_eq!(document.head(), Ok(Head::Nint(0)));
    assert_eq!(document.at(), 5);
    assert_eq!(
        document.int(),
        Err(DecodeError::Short {
            at: 5,
            need: 1,
            have: 0
        })
    );
    assert_eq!(document.finish(), Ok(()));
}

#[test]
fn a_reader_keeps_the_limits() {
    let wire = hex("9300c0c0");
    let few = Limits {
        max_items: 3,
        ..Limits::DEVICE
    };
    let mut document = Reader::<Msgpack>::new(&wire, &few).unwrap();
    assert_eq!(document.array(), Ok(3));
    assert_eq!((document.uint(), document.nil()), (Ok(0), Ok(true)));
    assert_eq!(
        document.nil(),
        Err(DecodeError::Limit {
            at: 3,
            what: "items",
            got: 4,
            max: 3
        })
    );
    assert!(Reader::<Cbor>::new(&wire, &Limits { max_msg: 3, ..few }).is_err());
    // A count above what the bytes can hold is refused at once.
    let mut document = Reader::<Cbor>::new(&[0x98, 200, 0], &Limits::DEVICE).unwrap();
    assert_eq!(
        document.array(),
        Err(DecodeError::Short {
            at: 2,
            need: 200,
            have: 1
        })
    );
    let mut document = Reader::<Cbor>::new(&[0x9f, 0xff], &Limits::DEVICE).unwrap();
    assert!(matches!(
        document.array(),
        Err(DecodeError::Wrong {
            at: 0,
            got: 0x9f,
            ..
        })
    ));
    let mut document = Reader::<Cbor>::new(&[0x9f, 0x80, 0xff, 0xf6], &Limits::DEVICE).unwrap();
    assert_eq!((document.skip(), document.nil()), (Ok(()), Ok(true)));
    // Leaves count too, and an item of its own is held to the limits.
    assert!(
        Cbor::view(
            &[0],
            &Limits {
                max_items: 0,
                ..few
            }
        )
        .is_err()
    );
}

/// Instants that both formats have a form for, and libraries a date: whole microseconds of the years 1
/// to 9999.
fn times() -> impl Strategy<Value = UnixTime> {
    let micros = prop_oneof![Just(0u32), 0..1_000_000u32];
    let seconds = prop_oneof![
        -62_135_596_800..=253_402_300_799i64,
        0..1i64 << 32,
        0..1i64 << 35
    ];
    (seconds, micros).prop_map(|(seconds, micros)| {
        UnixTime::from_parts(seconds, micros * 1000).expect("less than a second")
    })
}

fn docs() -> impl Strategy<Value = Doc> {
    let leaf = prop_oneof![
        Just(Doc::Nil),
        any::<bool>().prop_map(Doc::Bool),
        any::<i64>().prop_map(Doc::Int),
        (-300..300i64).prop_map(Doc::Int),
        (u64::MAX / 2 + 1..=u64::MAX).prop_map(Doc::Uint),
        any::<f64>()
            .prop_filter("NaN is made canonical", |f| !f.is_nan())
            .prop_map(|f| Doc::Float(f.to_bits())),
        any::<i16>().prop_map(|i| Doc::Float((f64::from(i) / 4.0).to_bits())),
        ".{0,40}".prop_map(Doc::Str),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Doc::Bin),
        prop::collection::vec(any::<u8>(), 1..40)
            .prop_filter("text", |bytes| std::str::from_utf8(bytes).is_err())
            .prop_map(Doc::RawStr),
        times().prop_map(Doc::Time),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Doc::Array),
            prop::collection::vec((inner.clone(), inner), 0..18).prop_map(Doc::Map),
        ]
    })
}

/// Documents the model's strategy makes, the same ones in every run.
fn generated<F: Format>() -> impl Iterator<Item = Vec<u8>> {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    (0..300).map(move |_| encode_once::<F>(&docs().new_tree(&mut runner).unwrap().current()))
}

/// Whether an independent decoder's value can be compared: not where a map has a key twice or one
/// that Python cannot hash.
fn comparable<F: Format>(node: Node<'_, F>) -> bool {
    match node.value() {
        Value::Array(mut items) => items.all(comparable),
        Value::Map(entries) => {
            let keys: Option<Vec<&str>> = entries.map(|(key, _)| key.as_str()).collect();
            let mut keys = keys.unwrap_or_else(|| vec!["", ""]);
            keys.sort_unstable();
            let twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
            !twice && entries.into_iter().all(|(_, value)| comparable(value))
        }
        // cbor2 has no form for text that is not UTF-8, and dates of the years 1 to 9999 only.
        Value::RawStr(_) => !F::TAGS,
        Value::StrChunks(chunks) => chunks.is_utf8(),
        Value::Tag(0..=3, _) | Value::Ext(-1, _) => {
            node.as_i128().is_some() || node.as_time().is_some_and(is_date)
        }
        Value::Tag(..) => false,
        _ => true,
    }
}

fn is_date(time: UnixTime) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&time.seconds())
}

/// Values that an independent encoder must write with the same bytes.
pub(crate) fn written<F: Format>() -> Vec<Vec<u8>> {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let whole = |time: UnixTime| match F::TAGS {
        // cbor2 writes fractions with other digits, or as a float.
        true => UnixTime::from_seconds(time.seconds()),
        false => time,
    };
    let times = (0..300).map(|_| times().new_tree(&mut runner).unwrap().current());
    let edges = [0, 1 << 32, 1 << 34].into_iter().flat_map(|edge: i64| {
        [-1, 0, 1].map(|by| UnixTime::from_parts(edge + by, 1_000).expect("microseconds"))
    });
    let mut all: Vec<_> = times
        .chain(edges)
        .map(|time| encode_once::<F>(&Doc::Time(whole(time))))
        .collect();
    if F::TAGS {
        let integers = (0..128).flat_map(|bits| [i128::MAX >> bits, i128::MIN >> bits]);
        all.extend(integers.map(|value| encode_once::<F>(&Int128(value))));
    }
    all
}

struct Int128(i128);

impl Build for Int128 {
    fn build<F: Format>(&self, out: &mut Writer<'_, F>) -> Result<(), EncodeError> {
        out.int128(self.0).map(drop)
    }
}

/// CBOR for independent decoders: the RFC's vectors and generated documents.
pub(crate) fn cbor_samples() -> Vec<Vec<u8>> {
    let vectors = RFC8949.iter().map(|(wire, ..)| hex(wire));
    let all = vectors.chain(generated::<Cbor>());
    all.filter(|wire| comparable(Cbor::view(wire, &WIDE).unwrap()))
        .collect()
}

/// MessagePack for independent decoders.
pub(crate) fn msgpack_samples() -> Vec<Vec<u8>> {
    let all = msgpack_fixtures().into_iter().chain(generated::<Msgpack>());
    all.filter(|wire| comparable(Msgpack::view(wire, &WIDE).unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn documents_come_back_from_both_formats(doc in docs()) {
        let msgpack = encode_once::<Msgpack>(&doc);
        let view = Msgpack::view(&msgpack, &WIDE).unwrap();
        prop_assert_eq!(&read(view), &doc);
        prop_assert_eq!(view.bytes(), &msgpack[..]);
        let cbor = encode_once::<Cbor>(&doc);
        prop_assert_eq!(&read(Cbor::view(&cbor, &WIDE).unwrap()), &doc);
        let mut reader = Reader::<Msgpack>::new(&msgpack, &WIDE).unwrap();
        prop_assert_eq!(take(&mut reader, &doc).and_then(|()| reader.finish()), Ok(()));
        let mut reader = Reader::<Cbor>::new(&cbor, &WIDE).unwrap();
        prop_assert_eq!(take(&mut reader, &doc).and_then(|()| reader.finish()), Ok(()));
        // From one format to the other, view to bytes.
        prop_assert_eq!(encode_once::<Cbor>(&view), cbor);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        poke::<Msgpack>(&bytes);
        poke::<Cbor>(&bytes);
        drag::<Msgpack>(&bytes);
        drag::<Cbor>(&bytes);
    }

    #[test]
    fn damaged_documents_never_panic(
        doc in docs(), at in any::<prop::sample::Index>(), value in any::<u8>(),
    ) {
        let mut wire = encode_once::<Msgpack>(&doc);
        let at_byte = at.index(wire.len());
        wire[at_byte] = value;
        poke::<Msgpack>(&wire);
        let mut wire = encode_once::<Cbor>(&doc);
        let at_byte = at.index(wire.len());
        wire[at_byte] = value;
        poke::<Cbor>(&wire);
    }
}

fn encode_once<F: Format>(value: &impl Build) -> Vec<u8> {
    let mut wire = vec![0; Encode::<F>::encoded_len(value)];
    assert_eq!(Encode::<F>::encode(value, &mut wire), Ok(wire.len()));
    wire
}
