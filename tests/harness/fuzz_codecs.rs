//! The bodies of the fuzz targets of `tickwire-codecs`. Each takes any bytes and panics where a
//! codec is wrong. What a view accepts is walked whole, written again, and read again.

use std::fmt::{Debug, Write as _};

use tickwire_codecs::cbor::Cbor;
use tickwire_codecs::document::{Format, Node, Reader, StringKind, Value};
use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::itch::{Itch50, ItchFile, MoldRequest, MoldUdp64, SoupBinTcp};
use tickwire_codecs::mqtt::{
    Mqtt5, Mqtt5Stream, Mqtt311, Mqtt311Stream, MqttFraming, MqttStream, Packet, Packet311, Version,
};
use tickwire_codecs::msgpack::Msgpack;
use tickwire_codecs::protobuf::{self, Protobuf};
use tickwire_codecs::telemetry::Telemetry;
use tickwire_codecs::{
    Answer, Batch, Codec, DecodeError, Encode, EncodeError, Framing, Limits, OFFERS_MAX, Offer,
    Progress, Reassembler, StreamCodec, ToJson, WireId, family, negotiate_bytes,
};

/// Longer inputs only take time: every limit that is met here is met below it.
pub(crate) const INPUT_BYTES_MAX: usize = 8192;

/// A view as JSON text: this walks every field of it.
pub(crate) fn json(view: &impl ToJson) -> String {
    let mut out = String::new();
    view.to_json(&mut out).expect("a String takes any text");
    out
}

/// An error points into the message and can be said.
pub(crate) fn check_error(error: DecodeError, len: usize) {
    assert!(error.at() as usize <= len, "{error} in {len} bytes");
    let mut text = String::new();
    write!(text, "{error} {error:?}").expect("a String takes any text");
}

/// Checks and walks one message; gives it as JSON where it was one.
fn look<C: Codec>(bytes: &[u8]) -> Option<String>
where
    for<'a> C::View<'a>: ToJson,
{
    let wide = C::view(bytes, &Limits::BULK);
    let narrow = C::view(bytes, &Limits::DEVICE);
    match (wide, narrow) {
        (Ok(view), Ok(same)) => {
            let text = json(&view);
            assert_eq!(text, json(&same), "limits change what is read");
            Some(text)
        }
        (Ok(view), Err(error)) => {
            assert!(
                matches!(error, DecodeError::Limit { .. } | DecodeError::Depth { .. }),
                "{error} where only limits differ"
            );
            check_error(error, bytes.len());
            Some(json(&view))
        }
        (Err(error), Err(other)) => {
            check_error(error, bytes.len());
            check_error(other, bytes.len());
            None
        }
        (Err(error), Ok(_)) => panic!("the wider limits refuse: {error}"),
    }
}

/// Writes a value in the room that it says it needs, and finds less refused.
pub(crate) fn write<C: Codec>(value: &impl Encode<C>) -> Vec<u8> {
    let len = value.encoded_len();
    let mut out = vec![0xAA; len + 1];
    assert_eq!(value.encode(&mut out), Ok(len), "its own length");
    assert_eq!(out.pop(), Some(0xAA), "wrote past its length");
    if let Some(short) = len.checked_sub(1) {
        let refused = value.encode(&mut vec![0; short]);
        assert!(
            matches!(refused, Err(EncodeError::Room { have, .. }) if have <= short),
            "{refused:?} with {short} of {len} bytes"
        );
    }
    out
}

/// As [`look`]; what was accepted is written again and reads the same, and once it is in the form
/// that is written, it does not change any more.
fn again<C: Codec>(bytes: &[u8]) -> bool
where
    for<'a> C::View<'a>: ToJson + Encode<C>,
{
    again_as::<C>(bytes, |view| json(&view))
}

/// As [`again`], where `tell` says what is the same.
fn again_as<C: Codec>(bytes: &[u8], tell: impl Fn(C::View<'_>) -> String) -> bool
where
    for<'a> C::View<'a>: ToJson + Encode<C>,
{
    if look::<C>(bytes).is_none() {
        return false;
    }
    let read = |bytes: &[u8]| -> (String, Vec<u8>) {
        let view = C::view(bytes, &Limits::BULK).expect("read before");
        (tell(view), write::<C>(&view))
    };
    let (text, written) = read(bytes);
    let (told, same) = read(&written);
    assert_eq!(told, text, "written again, it reads otherwise");
    assert_eq!(same, written, "written twice, it is not the same");
    true
}

/// As [`again`], for formats in which a message's length follows from its bytes: one byte less or
/// more is refused.
fn delimited<C: Codec>(bytes: &[u8])
where
    for<'a> C::View<'a>: ToJson + Encode<C>,
{
    if again::<C>(bytes) {
        delimited_only::<C>(bytes);
    }
}

fn delimited_only<C: Codec>(bytes: &[u8]) {
    if let Some((_, shorter)) = bytes.split_last() {
        assert!(C::view(shorter, &Limits::BULK).is_err(), "a byte less");
    }
    let longer = [bytes, &[0]].concat();
    let error = C::view(&longer, &Limits::BULK).err();
    assert!(
        matches!(error, Some(DecodeError::Trailing { extra: 1, .. })),
        "a byte more: {error:?}"
    );
}

/// The messages of a buffer, whole and fed in pieces of `step` bytes.
fn framed<F: Framing + Copy + 'static>(framing: F, bytes: &[u8], step: usize) {
    let mut whole = Vec::new();
    let mut broken = false;
    for framed in Batch::new(bytes, framing, &Limits::FEED) {
        match framed {
            Ok(framed) => whole.push(framed.bytes.to_vec()),
            // The stream waits for the rest of the last one.
            Err(DecodeError::Short { .. }) => {}
            Err(error) => {
                check_error(error, bytes.len());
                broken = true;
            }
        }
    }
    let mut stream = Reassembler::new(framing, Limits::FEED);
    let mut pieces = Vec::new();
    let failed = feed(&mut stream, bytes, step, |item: &[u8]| {
        pieces.push(item.to_vec());
    });
    // A batch may be of 4096 messages, a stream goes on.
    let len = whole.len();
    assert!(pieces.len() >= len && pieces[..len] == whole, "in pieces");
    assert!(failed || !broken || pieces.len() > len, "broken in one");
}

/// Feeds a stream in pieces of `step` bytes; tells whether it failed.
fn feed<S: StreamCodec>(
    stream: &mut S,
    bytes: &[u8],
    step: usize,
    mut told: impl for<'a> FnMut(S::Item<'a>),
) -> bool {
    for piece in bytes.chunks(step.max(1)) {
        let mut rest = piece;
        // Ends: an item takes a byte or was complete before, and the next call takes a byte.
        loop {
            match stream.next(rest) {
                Progress::Item { consumed, item } => {
                    told(item);
                    rest = &rest[consumed..];
                }
                Progress::More { need } => {
                    assert!(need > 0, "waits for nothing");
                    break;
                }
                Progress::Failed(error) => {
                    let later = stream.next(b"more");
                    assert!(matches!(later, Progress::Failed(e) if e == error));
                    return true;
                }
            }
        }
    }
    false
}

/// ITCH 5.0: the first byte says what the rest is, a message, one of the two envelopes, or
/// messages in a file or a stream.
pub fn itch(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(INPUT_BYTES_MAX)];
    let step = usize::from(first >> 3) + 1;
    match first & 7 {
        0 | 1 => delimited::<Itch50>(bytes),
        2 => delimited::<MoldUdp64>(bytes),
        3 => delimited::<MoldRequest>(bytes),
        4 => drop(again::<SoupBinTcp>(bytes)),
        5 => framed(ItchFile, bytes, step),
        6 => framed(LengthField::u16(ByteOrder::Big), bytes, step),
        _ => framed(LengthField::u16(ByteOrder::Little), bytes, step),
    }
}

/// A telemetry batch.
pub fn telemetry(data: &[u8]) {
    delimited::<Telemetry>(&data[..data.len().min(INPUT_BYTES_MAX)]);
}

/// MessagePack where the first byte is even, CBOR where it is odd.
pub fn documents(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(INPUT_BYTES_MAX)];
    match first & 1 {
        0 => document::<Msgpack>(bytes),
        _ => document::<Cbor>(bytes),
    }
}

fn document<F>(bytes: &[u8])
where
    for<'a> F: Format + Codec<View<'a> = Node<'a, F>>,
{
    let tell = |node: Node<'_, F>| {
        let mut out = String::new();
        walk(node, &mut out);
        out
    };
    if again_as::<F>(bytes, tell) {
        delimited_only::<F>(bytes);
        in_one_pass(F::view(bytes, &Limits::BULK).expect("read before"));
    }
}

/// What a reader takes as a value, the node gives too. The reader takes no strings in chunks.
fn in_one_pass<F: Format>(node: Node<'_, F>) {
    let reader = Reader::<F>::new(node.bytes(), &Limits::BULK).expect("read before");
    assert_eq!(reader.clone().node(), Ok(node));
    if let Ok(time) = reader.clone().time() {
        assert_eq!(node.as_time(), Some(time));
    }
    if let Ok(time) = reader.clone().time_lossy() {
        assert_eq!(node.as_time_lossy(), Some(time));
    }
    if let Ok(number) = reader.clone().int128() {
        assert_eq!(node.as_i128(), Some(number));
    }
    if let Ok(number) = reader.clone().uint128() {
        assert_eq!(node.as_u128(), Some(number));
    }
    if let Ok(number) = reader.clone().bignum() {
        assert_eq!(node.as_bignum(), Some(number));
    }
    if let Some(chunks) = node.chunks() {
        let mut whole = vec![0; chunks.len_bytes()];
        let text = chunks.copy_str(&mut whole).map(str::to_owned);
        assert_eq!(text.is_ok(), chunks.is_utf8());
        let bytes = chunks.copy_to(&mut whole).expect("room for its own length");
        assert!(text.is_err() || text.as_deref().map(str::as_bytes) == Ok(bytes));
    }
}

/// A document as text. JSON shows a key that is no text by its bytes, which change when it is
/// written in its shortest form.
fn walk<F: Format>(node: Node<'_, F>, out: &mut String) {
    match node.value() {
        Value::Array(items) => {
            out.push('[');
            items.for_each(|item| walk(item, out));
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (key, value) in entries {
                walk(key, out);
                out.push(':');
                walk(value, out);
            }
            out.push('}');
        }
        // Chunks are written joined: pieces that are no text each may be text together.
        Value::Str(_) | Value::RawStr(_) | Value::StrChunks(_) => {
            let chunks = node.chunks().expect("a string");
            let mut whole = vec![0; chunks.len_bytes()];
            let bytes = chunks.copy_to(&mut whole).expect("room for its own length");
            write!(out, "{:?}", bytes.escape_ascii().to_string()).expect("a String takes any text");
        }
        // A bignum may be written as a plain integer.
        Value::Tag(2 | 3, inner)
            if inner
                .chunks()
                .is_some_and(|n| n.kind() == StringKind::Bytes) =>
        {
            node.to_json(out).expect("a String takes any text");
        }
        Value::Tag(tag, inner) => {
            write!(out, "{tag}(").expect("a String takes any text");
            walk(inner, out);
            out.push(')');
        }
        // A float may be written in fewer bytes, and is then shown with fewer digits.
        Value::Float32(_) | Value::Float64(_) => match node.as_f64() {
            Some(value) => write!(out, "{value:?}").expect("a String takes any text"),
            None => panic!("a float that is none"),
        },
        _ => node.to_json(out).expect("a String takes any text"),
    }
    out.push(' ');
}

/// MQTT, read as both versions: the first byte says in which pieces the stream behind it comes; its
/// packets, read as messages, must be those that the stream tells, and what an end may send is among
/// them.
pub fn mqtt(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(INPUT_BYTES_MAX)];
    let step = usize::from(first);
    delimited::<Mqtt5>(bytes);
    delimited::<Mqtt311>(bytes);
    framed(MqttFraming, bytes, step);
    let told = mqtt_stream(|| Mqtt5Stream::new(Limits::FEED), bytes, step);
    let told_old = mqtt_stream(|| Mqtt311Stream::new(Limits::FEED), bytes, step);
    let singly = |version| {
        let framed = Batch::new(bytes, MqttFraming, &Limits::FEED).flatten();
        framed
            .map_while(|framed| Packet::read(version, framed.bytes, &Limits::FEED).ok())
            .collect::<Vec<_>>()
    };
    let new: Vec<_> = singly(Version::V5)
        .iter()
        .map(|it| format!("{it:?}"))
        .collect();
    let old = singly(Version::V311);
    let old: Vec<_> = old
        .iter()
        .map(|it| format!("{:?}", Packet311(*it)))
        .collect();
    // A batch may be of 4096 messages, a stream goes on.
    assert_eq!(told[..new.len()], new, "singly");
    assert_eq!(told_old[..old.len()], old, "singly");
    mqtt_stream(|| MqttStream::from_client(Limits::FEED), bytes, step);
    for version in [Version::V311, Version::V5] {
        mqtt_stream(
            || MqttStream::from_server(version, Limits::FEED),
            bytes,
            step,
        );
    }
    if let Err(error) = Version::of_connect(bytes) {
        check_error(error, bytes.len());
    }
}

/// What a stream tells, whole and in pieces.
fn mqtt_stream<S: StreamCodec>(stream: impl Fn() -> S, bytes: &[u8], step: usize) -> Vec<String>
where
    for<'a> S::Item<'a>: Debug,
{
    let tell = |step: usize| {
        let mut told = Vec::new();
        let failed = feed(&mut stream(), bytes, step, |packet| {
            told.push(format!("{packet:?}"));
        });
        (told, failed)
    };
    let whole = tell(bytes.len());
    assert_eq!(tell(step), whole, "in pieces");
    whole.0
}

/// One field of each kind, and itself.
#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(int32, tag = "1")]
    a: i32,
    #[prost(string, tag = "2")]
    b: String,
    #[prost(message, optional, boxed, tag = "3")]
    c: Option<Box<Sample>>,
    #[prost(bytes = "vec", tag = "4")]
    d: Vec<u8>,
    #[prost(sint64, repeated, tag = "6")]
    f: Vec<i64>,
    #[prost(fixed64, tag = "7")]
    wide: u64,
    #[prost(float, tag = "8")]
    short: f32,
    #[prost(btree_map = "string, uint32", tag = "9")]
    map: std::collections::BTreeMap<String, u32>,
}

impl protobuf::Message for Sample {
    const FORMAT: u16 = 9;
}

/// A protobuf message: our own fields, and the value that prost makes of them.
pub fn protobuf(data: &[u8]) {
    let bytes = &data[..data.len().min(INPUT_BYTES_MAX)];
    again::<Protobuf<Sample>>(bytes);
    let Ok(view) = Protobuf::<Sample>::view(bytes, &Limits::BULK) else {
        return;
    };
    let Ok(value) = view.decode() else {
        return;
    };
    let written = write::<Protobuf<Sample>>(&protobuf::Payload(value));
    let view = Protobuf::<Sample>::view(&written, &Limits::BULK).expect("what prost wrote");
    let same = view.decode().expect("what prost wrote");
    // By bytes: a float that is no number is not equal to itself.
    assert_eq!(write::<Protobuf<Sample>>(&protobuf::Payload(same)), written);
}

/// What one end of the negotiation has.
fn shelf() -> [Offer; 3] {
    let sbe = Offer::new(WireId::new(family::SBE, 1), Limits::FEED);
    let rigid = Offer::new(WireId::new(family::WIRE, 3), Limits::DEVICE);
    [
        sbe.schema(1).versions(2, 5).fingerprint(7),
        sbe.schema(2).versions(0, 0),
        rigid.fingerprint(9),
    ]
}

/// Bytes as the metadata of an OPEN, an ACCEPT and a REJECT.
pub fn offer(data: &[u8]) {
    let have = shelf();
    if let Ok(offer) = Offer::read(data) {
        assert_eq!(offer.to_bytes()[..], *data, "an offer written again");
        assert!(!offer.to_string().is_empty());
    }
    match negotiate_bytes(&have, data) {
        Ok(agreed) => {
            let offer = Offer::read(data).expect("agreed on");
            let told = offer.agreed(&agreed.to_bytes());
            assert_eq!(told, Ok(agreed), "what was agreed on");
            assert!(agreed.limits.max_msg <= offer.limits.max_msg);
        }
        Err(refusal) => {
            let wire = refusal.to_vec();
            let Ok(Answer::Refused { reason, have: told }) = Answer::read(&wire) else {
                panic!("a refusal that cannot be read: {wire:02x?}");
            };
            assert_eq!(reason, refusal.reason);
            assert!(told.iter().eq(have.iter().copied()));
        }
    }
    for offer in &have {
        if let Ok(agreed) = offer.agreed(data) {
            assert!((offer.version_min..=offer.version_max).contains(&agreed.version));
            assert!(agreed.limits.max_msg <= offer.limits.max_msg);
            assert!(agreed.limits.max_items <= offer.limits.max_items);
            assert!(agreed.limits.max_depth <= offer.limits.max_depth);
        }
    }
    match Answer::read(data) {
        Ok(Answer::Refused { have, .. }) => {
            assert!(have.len() <= OFFERS_MAX);
            for offer in have.iter() {
                assert!(Offer::read(&offer.to_bytes()).is_ok(), "{offer}");
            }
        }
        Ok(Answer::Agreed(_)) => {}
        Err(error) => check_error(error, data.len()),
    }
}
