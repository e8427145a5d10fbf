use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::sbe::{Tally, Text, View};
use tickwire_codecs::{
    Batch, Codec, DecodeError, Dyn, DynCodec, Encode, EncodeError, Held, Limits,
};
use tickwire_sbe_tests::features::*;

use crate::fixtures;

#[test]
fn every_field_comes_back() {
    let bytes = fixtures::everything();
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(view.acting_version(), 3);
    assert_eq!(view.wire(), bytes);
    // Groups and data first: the order of access does not matter.
    assert_eq!(view.payload(), [0, 159, 146, 150]);
    assert_eq!(
        (view.symbol(), view.comment(), view.added_text()),
        ("BTCUSDT".into(), "plain".into(), Some("added".into()))
    );
    assert_eq!(
        (
            view.a_char(),
            view.an_int8(),
            view.an_int16(),
            view.an_int32()
        ),
        (b'x', -8, -1616, -32_323_232)
    );
    assert_eq!(view.an_int64(), -6_464_646_464);
    assert_eq!(
        (
            view.a_uint8(),
            view.a_uint16(),
            view.a_uint32(),
            view.a_uint64()
        ),
        (200, 60_000, 4_000_000_000, u64::MAX)
    );
    assert_eq!((view.a_float(), view.a_double()), (1.5, -0.25));
    assert_eq!(
        (view.ticker().trimmed(), view.readings(), view.digest()),
        (b"TICK".as_slice(), [1, -2, 3], &[1, 2, 3, 255])
    );
    assert_eq!(
        (view.side().known(), view.state().and_then(State::known)),
        (Some(KnownSide::Ask), Some(KnownState::Halted))
    );
    assert_eq!(view.reason(), Reason::SELF);
    assert!(view.flags().contains(Flags::FIRST) && view.flags().contains(Flags::LAST));
    assert_eq!(view.wide_flags().bits(), 1 << 63);
    assert_eq!(
        (view.price().mantissa(), view.price().exponent()),
        (6_012_345, -8)
    );
    assert_eq!(
        (view.stop().mantissa(), view.stop().exponent()),
        (Some(-5), -2)
    );
    let device = view.device();
    assert_eq!(
        (
            device.serial(),
            device.mode(),
            device.quality(),
            device.flags()
        ),
        (513, Mode::BUSY, 99, Flags::LAST)
    );
    assert_eq!(
        (
            device.position().x(),
            device.position().y(),
            device.maker().trimmed()
        ),
        (0.5, -1.0, b"abc".as_slice())
    );
    assert_eq!(
        (
            view.count(),
            view.opt_int(),
            view.opt_float(),
            view.opt_side()
        ),
        (Some(8), Some(1), Some(2.0), Some(Side::BID))
    );
    assert_eq!(view.opt_ticker().and_then(|t| t.text()), Some("OPT"));
    assert_eq!(
        (view.added(), view.added_optional(), view.added_side()),
        (Some(22), Some(23), Some(Side::ASK))
    );
    assert_eq!(view.added_ticker().and_then(|t| t.text()), Some("NEW"));
    assert_eq!(view.added_device().map(|d| d.serial()), Some(0));
}

#[test]
fn every_group_comes_back() {
    let bytes = fixtures::everything();
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    let levels: Vec<_> = view
        .levels()
        .iter()
        .map(|l| (l.price(), l.quantity()))
        .collect();
    assert_eq!(levels, [(100, 1), (-100, 2)]);
    assert_eq!(view.levels().as_slice().map(<[_]>::len), Some(2));
    assert_eq!(view.levels().get(1).map(|l| l.price()), Some(-100));
    assert!(view.levels().get(2).is_none());
    let legs: Vec<_> = view
        .legs()
        .iter()
        .map(|l| (l.ratio(), l.side(), l.hedge(), l.rank()))
        .collect();
    assert_eq!(legs, [(3, Side::BID, Some(4), Some(5))]);
    let mut fills = view.fills().iter();
    assert_eq!(fills.len(), 2);
    let first = fills.next().unwrap();
    assert_eq!((first.id(), first.memo()), (1, "größe".into()));
    assert_eq!(
        first
            .parties()
            .iter()
            .map(|p| (p.role(), p.name()))
            .collect::<Vec<_>>(),
        [(7, Text::from("maker"))]
    );
    assert_eq!(
        first.notes().iter().map(|n| n.note()).collect::<Vec<_>>(),
        ["first", ""]
    );
    let second = fills.next().unwrap();
    assert_eq!(
        (second.id(), second.memo(), second.parties().len()),
        (2, "".into(), 0)
    );
    assert!(fills.next().is_none());
    assert_eq!(
        view.extras().iter().map(|e| e.key()).collect::<Vec<_>>(),
        [9]
    );
    assert_eq!(
        view.extra_notes()
            .iter()
            .map(|n| n.note())
            .collect::<Vec<_>>(),
        ["extra"]
    );
}

#[test]
fn constants_are_not_on_the_wire() {
    let bytes = fixtures::everything();
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(
        (view.venue(), view.scale(), view.letter()),
        ("XTKW", -8, b'Z')
    );
    assert_eq!((view.fixed_side(), view.fixed_code()), (Side::ASK, 300));
    // 1+1+2+4+8 +1+2+4+8 +4+8 numbers, 6+12+4 arrays, 1+1+2 enums, 1+8 sets, 8+9 prices, 20 device,
    // 4+8+4+1+6 optional, then 2+4 +20+6+1 added.
    assert_eq!(
        Everything::BLOCK_LENGTH,
        43 + 22 + 4 + 9 + 17 + 20 + 23 + 33
    );
    assert_eq!(size_of::<Device>(), 20);
}

#[test]
fn defaults_are_null() {
    let message = EverythingBuilder::default();
    let bytes = fixtures::encode::<Everything>(&message);
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(
        (
            view.count(),
            view.opt_int(),
            view.opt_float(),
            view.opt_side()
        ),
        (None, None, None, None)
    );
    assert_eq!(
        (view.opt_ticker(), view.state(), view.stop().mantissa()),
        (None, None, None)
    );
    assert_eq!(
        (view.added(), view.added_optional(), view.added_side()),
        (Some(0), None, None)
    );
    assert_eq!(
        &bytes[8 + 43 + 22 + 4 + 9 + 17 + 20..][..4],
        [7, 0, 0, 0],
        "`nullValue` of the schema"
    );
}

#[test]
fn values_outside_the_schema_stay_raw() {
    let message = EverythingBuilder {
        root: EverythingRoot {
            side: Side::new(b'?'),
            flags: Flags::new(0x10),
            ..Default::default()
        },
        ..Default::default()
    };
    let bytes = fixtures::encode::<Everything>(&message);
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!((view.side().known(), view.side().raw()), (None, b'?'));
    assert_eq!(
        format!(
            "{:?} {:?} {:?}",
            view.side(),
            view.flags(),
            Side::from(KnownSide::Bid)
        ),
        "Side(63) Flags(0x10) Bid"
    );
}

/// The root as a builder wrote it, byte by byte at the places the schema gives.
#[test]
fn fields_are_at_their_schema_offsets() {
    let padded = PaddedRoot {
        early: 0x0403_0201.into(),
        late: 0x0807_0605_0403_0201.into(),
        ..Default::default()
    };
    let bytes = fixtures::encode::<Padded>(&padded);
    #[rustfmt::skip]
    assert_eq!(bytes, [
        24, 0, 3, 0, 77, 0, 3, 0, // blockLength, templateId, schemaId, version
        0, 0, 0, 0, 1, 2, 3, 4, // offset 4
        0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, // offset 12
        0, 0, 0, 0, // up to blockLength
    ]);
    assert_eq!(
        fixtures::encode::<Heartbeat>(&HeartbeatBuilder),
        [0, 0, 2, 0, 77, 0, 3, 0]
    );
    let everything = fixtures::everything();
    let legs = 8 + Everything::BLOCK_LENGTH as usize + 4 + 2 * 12;
    #[rustfmt::skip]
    assert_eq!(everything[legs..][..12], [
        8, 0, 0, 1, // blockLength u8, two bytes of gap, numInGroup u8 at offset 3
        3, 0, b'B', 4, 0, 5, 0, 0, // six bytes of fields, padded to blockLength="8"
    ]);
}

#[test]
fn parts_without_bytes_are_read() {
    let bytes = fixtures::hollow();
    #[rustfmt::skip]
    assert_eq!(bytes[8..], [
        3, 2, 9, // amount, preset
        0, 2, 0, 0, // presetSize: blockLength u8, numInGroup u16, default u8
        0, 0, 3, 0, 0, 0, 4, 0, // ticks, units
        1, 0, 1, 0, 7, 4, b'r', b'u', b'n', b'g', // rungs
        0, 0, 2, 0, 0, 0, 1, 0, 1, b'n', 0, 0, 0, 0, // pages and their notes
    ]);
    let view = Hollow::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!((view.amount(), view.preset().default()), (515, Some(9)));
    assert_eq!(view.unit().scale(), -2);
    assert_eq!(view.added_unit().map(|unit| unit.scale()), Some(-2));
    let scales: Vec<_> = view.marks().iter().map(|mark| mark.scale()).collect();
    assert_eq!(scales, [-8, -8]);
    assert_eq!((view.ticks().len(), view.ticks().iter().count()), (3, 3));
    let scales: Vec<_> = view.units().iter().map(|it| it.unit().scale()).collect();
    assert_eq!(scales, [-2; 4]);
    let rung = view.rungs().iter().next().unwrap();
    assert_eq!(
        (rung.rank(), rung.unit().scale(), rung.note()),
        (7, -2, "rung".into())
    );
    let notes = view.pages().iter().map(|page| page.notes());
    let notes: Vec<Vec<_>> = notes
        .map(|notes| notes.iter().map(|note| note.note()).collect())
        .collect();
    assert_eq!(notes, [vec![Some(Text::from("n"))], vec![]]);
    let void = fixtures::encode::<Void>(&VoidBuilder {
        note: "v".into(),
        ..Default::default()
    });
    let view = Void::view(&void, &Limits::FEED).unwrap();
    assert_eq!((view.unit().scale(), view.note()), (-2, "v".into()));
    assert_eq!(HollowRoot::default().preset.default(), None);
}

#[test]
fn keywords_are_fields() {
    let bytes = fixtures::keywords();
    let view = Type::view(&bytes, &Limits::FEED).unwrap();
    let numbers = (
        view.self_(),
        view.self_2(),
        view.r#type(),
        view.version(),
        view.f_1st_leg(),
        view.crate_(),
    );
    assert_eq!(numbers, (1, 2, 3, 4, 5, 6));
    assert_eq!(
        view.root().iter().map(|e| e.r#match()).collect::<Vec<_>>(),
        [7]
    );
    assert_eq!(
        view.bytes().iter().map(|e| e.tail()).collect::<Vec<_>>(),
        ["t"]
    );
    assert_eq!(
        (view.c(), view.s(), view.acting_version()),
        ("c".into(), "s".into(), 3)
    );
}

#[test]
fn views_are_written_as_they_were_read() {
    for (name, bytes) in fixtures::features() {
        let Ok(message) = AnyMessage::view(&bytes, &Limits::FEED) else {
            panic!("{name}")
        };
        assert_eq!(message.wire(), bytes, "{name}");
        assert!(!matches!(message, Message::Unknown(_)), "{name}");
    }
    let bytes = fixtures::everything();
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(fixtures::encode::<Everything>(&view), bytes);
}

#[test]
fn view_to_builder_to_bytes() {
    let bytes = fixtures::everything();
    let view = Everything::view(&bytes, &Limits::FEED).unwrap();
    let parts: Vec<_> = view
        .fills()
        .iter()
        .map(|fill| {
            let parties: Vec<_> = fill
                .parties()
                .iter()
                .map(|p| EverythingFillsPartiesBuilder {
                    root: EverythingFillsPartiesEntry { role: p.role() },
                    name: p.name(),
                })
                .collect();
            let notes: Vec<_> = fill
                .notes()
                .iter()
                .map(|n| EverythingFillsNotesBuilder { note: n.note() })
                .collect();
            (fill, parties, notes)
        })
        .collect();
    let fills: Vec<_> = parts
        .iter()
        .map(|(fill, parties, notes)| EverythingFillsBuilder {
            root: EverythingFillsEntry {
                id: fill.id().into(),
            },
            parties,
            notes,
            memo: fill.memo(),
        })
        .collect();
    let legs: Vec<_> = view
        .legs()
        .iter()
        .map(|l| EverythingLegsEntry {
            ratio: l.ratio().into(),
            side: l.side(),
            hedge: l.hedge().unwrap().into(),
            rank: l.rank().unwrap(),
        })
        .collect();
    let again = EverythingBuilder {
        root: fixtures::root(),
        levels: view.levels().as_slice().unwrap(),
        legs: &legs,
        fills: &fills,
        extras: view.extras().as_slice().unwrap(),
        extra_notes: &view
            .extra_notes()
            .iter()
            .map(|n| EverythingExtraNotesBuilder { note: n.note() })
            .collect::<Vec<_>>(),
        symbol: view.symbol(),
        comment: view.comment(),
        payload: view.payload(),
        added_text: view.added_text().unwrap(),
    };
    assert_eq!(fixtures::encode::<Everything>(&again), bytes);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let legs = vec![EverythingLegsEntry::default(); 256];
    let message = EverythingBuilder {
        legs: &legs,
        ..Default::default()
    };
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(
        message.encode(&mut out),
        Err(EncodeError::Range {
            what: "numInGroup",
            got: 256
        })
    );
    let long = "x".repeat(256);
    let message = EverythingBuilder {
        symbol: long.as_str().into(),
        ..Default::default()
    };
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(
        message.encode(&mut out),
        Err(EncodeError::Range {
            what: "variable data bytes",
            got: 256
        })
    );
    let need = EverythingBuilder::default().encoded_len();
    for have in 0..need {
        let short = EverythingBuilder::default().encode(&mut vec![0; have]);
        assert_eq!(short, Err(EncodeError::Room { need, have }));
    }
}

#[test]
fn wrong_messages_are_refused_by_name() {
    let bytes = fixtures::everything();
    let wrong = |what, got| Err(DecodeError::Wrong { at: 0, what, got });
    assert_eq!(
        Heartbeat::view(&bytes, &Limits::FEED).map(|_| ()),
        wrong("templateId", 1)
    );
    let mut other = bytes.clone();
    other[4] = 78;
    assert_eq!(
        Everything::view(&other, &Limits::FEED).map(|_| ()),
        wrong("schemaId", 78)
    );
    let mut longer = bytes.clone();
    longer.push(0);
    let trailing = DecodeError::Trailing {
        at: bytes.len() as u32,
        extra: 1,
    };
    assert_eq!(
        Everything::view(&longer, &Limits::FEED).map(|_| ()),
        Err(trailing)
    );
    let few = Limits {
        max_items: 1,
        ..Limits::FEED
    };
    assert!(matches!(
        Everything::view(&bytes, &few),
        Err(DecodeError::Limit { got: 2, max: 1, .. })
    ));
    let flat = Limits {
        max_depth: 1,
        ..Limits::FEED
    };
    assert!(matches!(
        Everything::view(&bytes, &flat),
        Err(DecodeError::Depth { max: 1, .. })
    ));
    let tiny = Limits {
        max_msg: 10,
        ..Limits::FEED
    };
    assert!(matches!(
        Everything::view(&bytes, &tiny),
        Err(DecodeError::Limit { max: 10, .. })
    ));
}

#[test]
fn unknown_templates_are_skipped_and_counted() {
    let mut tally = Tally::default();
    let mut unknown = fixtures::everything();
    unknown[2] = 99;
    let mut foreign = fixtures::everything();
    foreign[4] = 1;
    let mut messages: Vec<_> = fixtures::features()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    messages.extend([unknown, foreign, vec![1, 2, 3]]);
    for bytes in &messages {
        match AnyMessage::view(bytes, &Limits::FEED) {
            Ok(Message::Unknown(message)) => tally.unknown(&message, SCHEMA_ID),
            Ok(_) => tally.known(),
            Err(error) => tally.refused(&error),
        }
    }
    assert_eq!((tally.known, tally.unknown_templates), (11, 1));
    assert_eq!((tally.other_schemas, tally.refused), (1, 1));
}

#[test]
fn views_work_with_held_messages_and_batches() {
    let mut stream = Vec::new();
    for (_, bytes) in fixtures::features() {
        stream.extend((bytes.len() as u16).to_le_bytes());
        stream.extend(bytes);
    }
    let batch = Batch::new(&stream, LengthField::u16(ByteOrder::Little), &Limits::FEED)
        .views::<AnyMessage>();
    let ids: Vec<_> = batch
        .map(|m| m.map(|m| m.template_id()))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(ids, [1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9]);
    let held = Held::<Everything>::new(fixtures::everything().into(), &Limits::FEED).unwrap();
    let symbol = std::thread::spawn(move || held.view().map(|v| v.symbol().to_string()));
    assert_eq!(symbol.join().unwrap(), Ok("BTCUSDT".to_owned()));
}

#[test]
fn tools_show_messages_as_json() {
    let tool: &dyn DynCodec = &Dyn::<AnyMessage>::new("features");
    assert_eq!(
        (tool.name(), tool.version(), tool.id()),
        ("features", 3, WIRE_ID)
    );
    let mut json = String::new();
    tool.to_json(&fixtures::keywords(), &Limits::FEED, &mut json)
        .unwrap();
    assert_eq!(
        json,
        r#"{"template":4,"name":"Type","fields":{"self_":1,"self_2":2,"type":3,"version":4,"f_1st_leg":5,"crate_":6,"root":[{"match":7}],"bytes":[{"tail":"t"}],"c":"c","s":"s"}}"#
    );
    json.clear();
    tool.to_json(&fixtures::everything(), &Limits::FEED, &mut json)
        .unwrap();
    for part in [
        r#""side":"Ask","state":"Halted""#,
        r#""flags":129"#,
        r#""price":{"mantissa":6012345,"exponent":-8}"#,
        r#""count":8"#,
        r#""parties":[{"role":7,"name":"maker"}]"#,
        r#""ticker":"TICK","readings":[1,-2,3]"#,
    ] {
        assert!(json.contains(part), "{part}\n{json}");
    }
    assert!(
        tool.check(&fixtures::everything()[..20], &Limits::FEED)
            .is_err()
    );
}
