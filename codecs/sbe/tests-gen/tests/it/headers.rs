//! Headers and dimensions with members of their own: what a builder fills in, what it asks for, what a
//! view gives.

use proptest::prelude::*;
use tickwire_codecs::sbe::{GroupOf, Header, View};
use tickwire_codecs::{Chars, Codec, DecodeError, Encode, EncodeError, Limits};
use tickwire_sbe_tests::headers::*;

use crate::fixtures;

/// Every member that a caller gives.
pub(crate) fn members() -> FrameHeaderMembers {
    FrameHeaderMembers {
        frame_length: Some(0x0102),
        source: Some(Source::BACKUP),
        sequence: Some(7),
        phase: Some(Phase::OPEN),
        marks: Some(Marks::LAST),
        place: Some(Place {
            rack: 3.into(),
            slot: -4,
        }),
        venue: Some(Chars::nul_padded("XTKW").unwrap()),
        reserved: Some([9, 8]),
        lanes: Some([-1, 2]),
        tag: Some(Chars::nul_padded("ab").unwrap()),
        load: Some(0.5),
        r#type: Some(-7),
    }
}

fn tagged(channel: u16) -> TaggedMembers {
    TaggedMembers {
        channel: Some(channel),
        source: None,
    }
}

pub(crate) fn book() -> Vec<u8> {
    let parties = [BookTradesPartiesBuilder {
        root: BookTradesPartiesEntry { role: 5 },
        name: "maker".into(),
    }];
    let book = BookBuilder {
        header: members(),
        root: BookRoot {
            time: 11.into(),
            depth: 2,
        },
        levels: &[BookLevelsEntry { price: 12.into() }],
        orders: GroupOf {
            dimension: TaggedMembers {
                source: Some(1),
                ..tagged(300)
            },
            entries: &[BookOrdersEntry { id: 13.into() }; 2],
        },
        trades: GroupOf {
            dimension: tagged(301),
            entries: &[BookTradesBuilder {
                root: BookTradesEntry { id: 14.into() },
                parties: &parties,
                memo: "memo".into(),
                link: "".into(),
            }],
        },
        header_2: &[BookHeaderEntry { key: 15 }],
        symbol: "S".into(),
    };
    fixtures::encode::<Book>(&book)
}

/// All messages, by name.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let header = members();
    let tick = TickBuilder {
        header: FrameHeaderMembers {
            sequence: None,
            phase: None,
            tag: None,
            load: None,
            ..header
        },
        root: TickRoot { price: 1.into() },
    };
    vec![
        ("Beat", fixtures::encode::<Beat>(&BeatBuilder { header })),
        ("Tick", fixtures::encode::<Tick>(&tick)),
        ("Book", book()),
    ]
}

/// The header as the schema lays it out, byte by byte.
#[test]
fn members_are_at_their_schema_offsets() {
    let bytes = book();
    #[rustfmt::skip]
    let header = [
        2, 1, 2, 2, 7, 0, 0, 0, 0, 0, 0, 0, // frameLength, version, source, sequence
        0x70, 0x11, 1, 0, 1, 1, 0, 0x80, // templateId 70000, phase, numVarDataFields, marks
        3, 0, 0xfc, 31, b'X', b'T', b'K', b'W', // place, schemaId, venue
        9, 8, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, // reserved, lanes
        b'a', b'b', 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, // tag, load, a gap
        9, 0, 4, 0, 0xf9, // blockLength, numGroups, type
    ];
    assert_eq!(bytes[..header.len()], header);
    assert_eq!(size_of::<FrameHeader>(), header.len());
    #[rustfmt::skip]
    let body = [
        11, 0, 0, 0, 0, 0, 0, 0, 2, // time, depth
        1, 0, 4, 0, 0, 12, 0, 0, 0, // levels: numInGroup, blockLength, numGroups, numVarDataFields
        2, 0, 0x2c, 1, 0, 0, 0, 0, 2, 1, 13, 0, 13, 0, // orders: blockLength, channel, numVarDataFields, numInGroup, source
        2, 0, 0x2d, 1, 2, 0, 0, 0, 1, 255, 14, 0, // trades
        1, 0, 1, 0, 1, 5, 5, b'm', b'a', b'k', b'e', b'r', // parties
        4, b'm', b'e', b'm', b'o', 0, // memo, link
        1, 0, 1, 0, 0, 15, // header
        1, b'S', // symbol
    ];
    assert_eq!(bytes[header.len()..], body);
}

#[test]
fn views_give_their_header_and_dimensions() {
    let bytes = book();
    let view = Book::view(&bytes, &Limits::FEED).unwrap();
    // The group called `header` does not hide the header of the message.
    assert_eq!(
        view.header().iter().map(|e| e.key()).collect::<Vec<_>>(),
        [15]
    );
    let header = View::header(&view);
    assert_eq!(FrameHeaderMembers::from(header), members());
    assert_eq!((header.num_groups(), header.num_var_data_fields()), (4, 1));
    assert_eq!(
        (Header::template_id(&header), header.protocol()),
        (70_000, "TW")
    );
    let orders = view.orders();
    let dimension = orders.dimension().unwrap();
    assert_eq!(
        (
            dimension.channel(),
            dimension.source(),
            dimension.num_var_data_fields()
        ),
        (300, Some(1), 0)
    );
    let trades = view.trades();
    let dimension = *trades.dimension().unwrap();
    assert_eq!(
        (dimension.source(), dimension.num_var_data_fields()),
        (None, 2)
    );
    assert_eq!(TaggedMembers::from(dimension), tagged(301));
    let trade = trades.iter().next().unwrap();
    let parties = trade.parties();
    let counted = parties.dimension().unwrap();
    assert_eq!(
        (counted.num_groups(), counted.num_var_data_fields()),
        (0, 1)
    );
    // A group that an older sender does not know has no dimension.
    let mut older = book();
    older[2] = 1;
    older.drain(older.len() - 8..older.len() - 2);
    let view = Book::view(&older, &Limits::FEED).unwrap();
    assert!(view.header().dimension().is_none() && view.header().is_empty());

    let Ok(message) = AnyMessage::view(&bytes, &Limits::FEED) else {
        panic!("a book");
    };
    assert_eq!(FrameHeaderMembers::from(message.header()), members());
    let mut unknown = bytes;
    unknown[12] = 99;
    let message = AnyMessage::view(&unknown, &Limits::FEED).unwrap();
    assert!(matches!(message, Message::Unknown(_)));
    assert_eq!(
        (message.template_id(), message.header().sequence()),
        (0x1_1163, Some(7))
    );
}

fn written(header: FrameHeaderMembers) -> Result<usize, EncodeError> {
    BeatBuilder { header }.encode(&mut [0; 64])
}

/// Each required member in turn: none has a default.
#[test]
fn what_is_not_set_is_refused_by_name() {
    let m = members();
    assert_eq!(written(m), Ok(size_of::<FrameHeader>()));
    let without = |take: fn(&mut FrameHeaderMembers)| {
        let mut header = members();
        take(&mut header);
        header
    };
    let missing = [
        (
            "frameHeader.frameLength",
            without(|h| h.frame_length = None),
        ),
        ("frameHeader.source", without(|h| h.source = None)),
        ("frameHeader.marks", without(|h| h.marks = None)),
        ("frameHeader.place", without(|h| h.place = None)),
        ("frameHeader.venue", without(|h| h.venue = None)),
        ("frameHeader.reserved", without(|h| h.reserved = None)),
        ("frameHeader.lanes", without(|h| h.lanes = None)),
        ("frameHeader.type", without(|h| h.r#type = None)),
        ("frameHeader.frameLength", FrameHeaderMembers::default()),
    ];
    for (what, header) in missing {
        assert_eq!(written(header), Err(EncodeError::Missing { what }));
    }
    // An empty group has its dimension on the wire too.
    let book = BookBuilder {
        header: m,
        ..Default::default()
    };
    let what = "tagged.channel";
    let mut out = vec![0; book.encoded_len()];
    assert_eq!(book.encode(&mut out), Err(EncodeError::Missing { what }));
    assert_eq!(
        EncodeError::Missing { what }.to_string(),
        "tagged.channel is not set and has no default: set it"
    );
}

/// Each optional member in turn: not set it is null, and given the null value it is refused.
#[test]
fn optional_members_are_null_or_a_value() {
    let with = |give: fn(&mut FrameHeaderMembers)| {
        let mut header = members();
        give(&mut header);
        header
    };
    let null = [
        ("frameHeader.sequence", with(|h| h.sequence = Some(0))),
        (
            "frameHeader.phase",
            with(|h| h.phase = Some(Phase::new(255))),
        ),
        (
            "frameHeader.tag",
            with(|h| h.tag = Some(Chars::new([0; 2]))),
        ),
        ("frameHeader.load", with(|h| h.load = Some(f32::NAN))),
    ];
    for (what, header) in null {
        assert_eq!(written(header), Err(EncodeError::Null { what }));
    }
    let (_, tick) = messages().remove(1);
    let header = View::header(&Tick::view(&tick, &Limits::FEED).unwrap());
    assert_eq!(
        (
            header.sequence(),
            header.phase(),
            header.tag(),
            header.load()
        ),
        (None, None, None, None)
    );
}

/// What a message of our version says of its groups and data is what the version says: encoders that
/// know nothing of counts leave anything there.
#[test]
fn counts_of_a_known_version_are_not_relied_on() {
    let whole = book();
    let want = format!("{:?}", Book::view(&whole, &Limits::FEED).unwrap());
    let (num_data, num_groups) = (17, 52);
    for at in [num_data, num_groups] {
        for count in [0, 1, 200, 255] {
            let mut bytes = whole.clone();
            bytes[at] = count;
            let view = Book::view(&bytes, &Limits::FEED).unwrap();
            assert_eq!(format!("{view:?}"), want);
        }
    }
    // Of a newer version they are: which dimension an unknown group has cannot be told here.
    let mut bytes = whole;
    (bytes[2], bytes[num_groups]) = (3, 5);
    assert!(matches!(
        Book::view(&bytes, &Limits::FEED),
        Err(DecodeError::Wrong {
            what: "numGroups",
            got: 5,
            ..
        })
    ));
}

fn frame_members() -> impl Strategy<Value = FrameHeaderMembers> {
    let numbers = any::<(u16, u8, u16, u16, i8, [u8; 2], [i32; 2], i8)>();
    let optional = (
        prop::option::of(1..u64::MAX),
        prop::option::of(0u8..255),
        prop::option::of(1u8..=255),
        prop::option::of(-1e9f32..1e9),
    );
    (numbers, any::<[u8; 4]>(), optional).prop_map(|(n, venue, optional)| FrameHeaderMembers {
        frame_length: Some(n.0),
        source: Some(Source::new(n.1)),
        sequence: optional.0,
        phase: optional.1.map(Phase::new),
        marks: Some(Marks::new(n.2)),
        place: Some(Place {
            rack: n.3.into(),
            slot: n.4,
        }),
        venue: Some(Chars::new(venue)),
        reserved: Some(n.5),
        lanes: Some(n.6),
        tag: optional.2.map(|b| Chars::new([b, 0])),
        load: optional.3,
        r#type: Some(n.7),
    })
}

proptest! {
    /// Builder, view, builder, view: header, dimensions and all parts.
    #[test]
    fn what_is_written_is_read_and_written_again(
        header in frame_members(),
        root in any::<(u64, u8)>(),
        levels in prop::collection::vec(any::<i32>(), 0..20),
        orders in prop::collection::vec(any::<u16>(), 0..20),
        own in (any::<u16>(), prop::option::of(0u8..255)),
        symbol in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let levels: Vec<_> = levels.iter().map(|p| BookLevelsEntry { price: (*p).into() }).collect();
        let orders: Vec<_> = orders.iter().map(|id| BookOrdersEntry { id: (*id).into() }).collect();
        let dimension = TaggedMembers { channel: Some(own.0), source: own.1 };
        let first = BookBuilder {
            header,
            root: BookRoot { time: root.0.into(), depth: root.1 },
            levels: &levels,
            orders: GroupOf { dimension, entries: &orders },
            trades: GroupOf { dimension, entries: &[] },
            header_2: &[],
            symbol: symbol.as_slice().into(),
        };
        let bytes = fixtures::encode::<Book>(&first);
        let view = Book::view(&bytes, &Limits::FEED).unwrap();
        let mut again = BookBuilder {
            header: View::header(&view).into(),
            root: BookRoot { time: view.time().into(), ..Default::default() },
            levels: view.levels().as_slice().unwrap(),
            orders: GroupOf {
                dimension: (*view.orders().dimension().unwrap()).into(),
                entries: view.orders().as_slice().unwrap(),
            },
            trades: GroupOf { dimension: (*view.trades().dimension().unwrap()).into(), entries: &[] },
            header_2: view.header().as_slice().unwrap(),
            symbol: view.symbol(),
        };
        again.root.set_depth(view.depth()).unwrap();
        prop_assert_eq!(&fixtures::encode::<Book>(&again), &bytes);
        prop_assert_eq!(view.symbol().bytes(), symbol);
        prop_assert_eq!(view.depth(), Some(root.1).filter(|d| *d != 255));
        prop_assert_eq!(again.header, header);
        prop_assert_eq!(again.orders.dimension, dimension);
    }
}
