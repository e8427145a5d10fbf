//! Names of a schema that generated code and its runtime have too: the schema's come first.

use tickwire_codecs::sbe::{GroupOf, View};
use tickwire_codecs::{Codec, Decimal as Number, Limits, UnixTime};
use tickwire_sbe_tests::names::*;

use crate::fixtures;

fn header() -> MessageHeaderMembers2 {
    MessageHeaderMembers2 {
        header: Some(1),
        self_: Some(2),
    }
}

fn dimension() -> GroupSizeEncodingMembers {
    GroupSizeEncodingMembers {
        entries: Some(3),
        made: None,
    }
}

pub(crate) fn message() -> Vec<u8> {
    let mut root = HeaderRoot {
        header: 1,
        text: Text { text: 2 },
        view_first: 3,
        views: 4,
        rest: 5,
        wire: 6,
        acting_version: 7,
        dimension: 8,
        when_timestamp: 9,
        set_opt_opt: Result2::OK,
        value: Decimal::from_decimal(Number::new(10, -1)).unwrap(),
        flags: Iterator::CONTAINS,
        from_decimal: MessageHeaderMembers { own: 11 },
        ..Default::default()
    };
    root.set_opt(Some(12)).unwrap();
    root.set_set_opt(Some(13)).unwrap();
    root.set_when_timestamp(UnixTime::from_micros(1)).unwrap();
    root.set_qty_decimal(Number::new(14, 0)).unwrap();
    let mut entry = HeaderQtyDecimalEntry {
        set_v_timestamp: 15,
        ..Default::default()
    };
    entry.set_v_timestamp_2(Some(16)).unwrap();
    entry.set_v_timestamp_3(UnixTime::from_micros(2)).unwrap();
    let message = HeaderBuilder {
        header: header(),
        root,
        qty_decimal: GroupOf {
            dimension: dimension(),
            entries: &[entry],
        },
        own: GroupOf {
            dimension: dimension(),
            entries: &[HeaderOwnBuilder {
                root: HeaderOwnEntry { m: 17 },
                e: "e".into(),
            }],
        },
        root_2: "root".into(),
        this: "this".into(),
        w_2: "w".into(),
        s: "s".into(),
    };
    fixtures::encode::<Header>(&message)
}

#[test]
fn names_of_the_schema_come_first() {
    let bytes = message();
    let view = Header::view(&bytes, &Limits::FEED).unwrap();
    let numbers = [
        view.header(),
        view.text().text(),
        view.view_first(),
        view.views(),
        view.rest(),
        view.wire(),
        view.acting_version(),
        view.dimension(),
        view.when_timestamp(),
    ];
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!((Iterator::EMPTY.bits(), Iterator::EMPTY2.bits()), (0, 2));
    assert_eq!(view.from_decimal().own(), 11);
    assert_eq!(
        (view.opt(), view.set_opt(), view.set_opt_opt()),
        (Some(12), Some(13), Result2::OK)
    );
    assert_eq!(
        (view.when_timestamp_2(), view.qty_decimal_2()),
        (UnixTime::from_micros(1), Number::new(14, 0))
    );
    assert_eq!(view.value().decimal(), Number::new(1, 0));
    let entry = view.qty_decimal().get(0).unwrap();
    assert_eq!(
        (entry.set_v_timestamp(), entry.v_timestamp()),
        (15, Some(16))
    );
    assert_eq!(entry.v_timestamp_2(), UnixTime::from_micros(2));
    assert!(view.root() == "root" && view.this() == "this" && view.w() == "w" && view.s() == "s");
    // What a name of the schema hides is reached by its trait.
    assert_eq!(
        (View::wire(&view), View::acting_version(&view)),
        (&bytes[..], 0)
    );
    assert_eq!(MessageHeaderMembers2::from(View::header(&view)), header());
    assert_eq!(view.own().dimension().map(|d| d.entries()), Some(3));
    let (again, rest) = Header::view_first(&bytes, &Limits::FEED).unwrap();
    assert_eq!((again.header(), rest.len()), (1, 0));
    let own = OwnBuilder {
        header: header(),
        root: OwnRoot { header: 9 },
    };
    let own = fixtures::encode::<Own>(&own);
    assert_eq!(Own::view(&own, &Limits::FEED).unwrap().header(), 9);
}
