//! Senders and receivers of different versions.

use tickwire_codecs::sbe::View;
use tickwire_codecs::{Codec, DecodeError, Limits};
use tickwire_sbe_tests::{features, features_v1};

use crate::fixtures;

#[test]
fn fields_of_later_versions_are_absent_from_older_senders() {
    let bytes = fixtures::everything_v1();
    let view = features::Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(view.acting_version(), 1);
    assert_eq!(
        (view.a_uint8(), view.side(), view.symbol(), view.payload()),
        (17, features::Side::BID, "OLD".into(), b"p".as_slice())
    );
    assert_eq!(
        (
            view.added(),
            view.added_optional(),
            view.added_text(),
            view.added_ticker()
        ),
        (None, None, None, None)
    );
    assert!(
        view.added_device().is_none() && view.extras().is_empty() && view.extra_notes().is_empty()
    );
    let legs: Vec<_> = view
        .legs()
        .iter()
        .map(|l| (l.ratio(), l.hedge(), l.rank()))
        .collect();
    assert_eq!(legs, [(7, None, None), (8, None, None)]);
    assert_eq!(
        view.fills().iter().map(|f| f.memo()).collect::<Vec<_>>(),
        ["old"]
    );
}

#[test]
fn newer_senders_are_stepped_over() {
    // Version 1 reads version 3 up to the groups that it does not know: those would stand before the
    // data, which is why SBE appends groups only where there is no data. Without them it reads all.
    let message = features::EverythingBuilder {
        root: fixtures::root(),
        levels: &[features::EverythingLevelsEntry {
            price: 4.into(),
            quantity: 5.into(),
        }],
        legs: &[features::EverythingLegsEntry {
            ratio: 6.into(),
            hedge: 1.into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut bytes = fixtures::encode::<features::Everything>(&message);
    let empty_groups = 2 * 4;
    let data = 1 + 2 + 4 + 1;
    let groups_at = bytes.len() - data - empty_groups;
    bytes.drain(groups_at..groups_at + empty_groups);
    let view = features_v1::Everything::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(
        (view.acting_version(), view.a_uint16(), view.opt_int()),
        (3, 60_000, Some(1))
    );
    assert_eq!(
        view.levels().iter().map(|l| l.price()).collect::<Vec<_>>(),
        [4]
    );
    let legs = view.legs();
    assert!(legs.as_slice().is_none(), "entries are longer than ours");
    assert_eq!(
        (
            legs.len(),
            legs.get(0).map(|l| l.ratio()),
            legs.iter().map(|l| l.ratio()).sum::<i16>()
        ),
        (1, Some(6), 6)
    );
    // The same bytes under our own version would be one byte too many: the added text.
    bytes[6] = 1;
    assert!(matches!(
        features_v1::Everything::view(&bytes, &Limits::FEED),
        Err(DecodeError::Trailing { extra: 1, .. })
    ));
}

#[test]
fn versions_and_blocks_both_count() {
    let whole = fixtures::everything();
    // A sender of version 2 with the block of version 3: the fields of version 3 stay absent.
    let mut bytes = whole.clone();
    bytes[6] = 2;
    assert!(matches!(
        features::Everything::view(&bytes, &Limits::FEED),
        Err(DecodeError::Trailing { .. }
            | DecodeError::Short { .. }
            | DecodeError::Utf8 { .. }
            | DecodeError::Limit { .. })
    ));
    let added = features::AddedRoot {
        value: 1.into(),
        later: 2.into(),
    };
    let mut bytes = fixtures::encode::<features::Added>(&added);
    assert_eq!(
        features::Added::view(&bytes, &Limits::FEED)
            .unwrap()
            .later(),
        Some(2)
    );
    bytes[6] = 2;
    let view = features::Added::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!((view.value(), view.later()), (1, None));
    // Version 3 with the block of version 2.
    bytes[6] = 3;
    bytes[0] = 4;
    bytes.truncate(12);
    let view = features::Added::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!((view.value(), view.later()), (1, None));
    bytes[0] = 3;
    bytes.truncate(11);
    let wrong = DecodeError::Wrong {
        at: 8,
        what: "blockLength",
        got: 3,
    };
    assert_eq!(
        features::Added::view(&bytes, &Limits::FEED).map(|_| ()),
        Err(wrong)
    );
}

#[test]
fn fingerprints_differ_between_versions() {
    assert_ne!(features::FINGERPRINT, features_v1::FINGERPRINT);
    assert_eq!(features::WIRE_ID, features_v1::WIRE_ID);
    assert_eq!(
        (
            features::Everything::VERSION,
            features_v1::Everything::VERSION
        ),
        (3, 1)
    );
}
