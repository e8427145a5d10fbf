//! Newer senders with counts of groups and data in header and dimensions.

use tickwire_codecs::sbe::View;
use tickwire_codecs::{Codec, DecodeError, Limits};
use tickwire_sbe_tests::counted::*;

use crate::fixtures;

pub(crate) fn news() -> Vec<u8> {
    let link = |kind, address: &'static str| NewsLinksBuilder {
        root: NewsLinksEntry { kind },
        address: address.into(),
    };
    let news = NewsBuilder {
        root: NewsRoot { time: 9.into() },
        links: &[link(1, "a"), link(2, "bc")],
        codes: &[NewsCodesEntry { code: 7.into() }],
        title: "title".into(),
    };
    fixtures::encode::<News>(&news)
}

const HEADER: [u8; 12] = [0, 8, 0, 1, 0, 32, 0, 0, 0, 2, 0, 1];

#[test]
fn counts_are_filled_in() {
    let bytes = news();
    assert_eq!(bytes[..12], HEADER);
    #[rustfmt::skip]
    assert_eq!(bytes[12..], [
        0, 0, 0, 0, 0, 0, 0, 9,
        0, 1, 0, 2, 0, 0, 0, 1, // links: blockLength, numInGroup, numGroups, numVarDataFields
        1, 0, 1, b'a', 2, 0, 2, b'b', b'c',
        0, 2, 0, 1, 0, 0, 0, 0, 0, 7, // codes
        0, 5, b't', b'i', b't', b'l', b'e',
    ]);
}

/// The message as version 1 writes it: a group of a group and of data in each link, two groups behind
/// the codes, data behind the title.
fn newer() -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    (bytes[7], bytes[9], bytes[11]) = (1, 4, 2);
    #[rustfmt::skip]
    bytes.extend([
        0, 0, 0, 0, 0, 0, 0, 9,
        0, 1, 0, 2, 0, 1, 0, 2, // links: 1 group, 2 data
        1, 0, 2, 0, 1, 0, 0, 0, 1, 5, 5, 0, 1, b'x', 0, 1, b'a', 0, 0, // its group of one entry with data
        2, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2, b'b', b'c', 0, 1, 0xff, // its group is empty
        0, 2, 0, 1, 0, 0, 0, 0, 0, 7, // codes
        0, 3, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, // of a fixed size
        0, 0, 0, 2, 0, 1, 0, 0, // of groups alone: two entries, each with one group
        0, 1, 0, 1, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0,
        0, 5, b't', b'i', b't', b'l', b'e',
        0, 3, 1, 2, 3,
    ]);
    bytes
}

/// All messages, by name.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    vec![("News", news()), ("News, version 1", newer())]
}

#[test]
fn parts_that_came_later_are_stepped_over() {
    let bytes = newer();
    let (view, rest) = News::view_first(&bytes, &Limits::FEED).unwrap();
    assert_eq!(
        (rest, view.wire(), view.acting_version()),
        (&[][..], &bytes[..], 1)
    );
    let links: Vec<_> = view
        .links()
        .iter()
        .map(|l| (l.kind(), l.address().to_string()))
        .collect();
    assert_eq!(links, [(1, "a".to_owned()), (2, "bc".to_owned())]);
    assert_eq!(
        view.codes().iter().map(|c| c.code()).collect::<Vec<_>>(),
        [7]
    );
    assert!(view.title() == "title");
    // Nothing of it is missing or left over, so it is followed by the next one.
    let both = [newer(), news()].concat();
    assert_eq!(
        AnyMessage::views(&both, &Limits::FEED)
            .map(|m| m.map(|m| m.wire().len()))
            .collect::<Vec<_>>(),
        [Ok(newer().len()), Ok(news().len())]
    );
}

/// A sender with null counts, or with counts below those of the schema.
#[test]
fn counts_may_be_unknown() {
    for count in [[255, 255], [0, 0], [0, 2]] {
        let mut bytes = news();
        bytes[7] = 1;
        bytes[8..10].copy_from_slice(&count);
        assert!(News::view(&bytes, &Limits::FEED).unwrap().title() == "title");
    }
}

/// Entries of one size are a slice; those of a newer sender that have groups or data are none.
#[test]
fn fixed_entries_with_additional_groups_are_refused() {
    let mut bytes = news();
    bytes[7] = 1;
    let num_data_of_codes = 12 + 8 + 8 + 9 + 7;
    bytes[num_data_of_codes] = 1;
    assert!(matches!(
        News::view(&bytes, &Limits::FEED),
        Err(DecodeError::Wrong { at: 45, .. })
    ));
}

#[test]
fn what_is_stepped_over_is_bounded() {
    // More groups than bytes.
    let mut bytes = newer();
    bytes[8..10].copy_from_slice(&[0xff, 0xfe]);
    assert!(matches!(
        News::view(&bytes, &Limits::FEED),
        Err(DecodeError::Short { .. } | DecodeError::Limit { .. })
    ));
    // Groups in groups without end.
    let mut deep = HEADER.to_vec();
    (deep[7], deep[9]) = (1, 3);
    deep.extend([0; 8 + 16]);
    for _ in 0..100 {
        deep.extend([0, 0, 0, 1, 0, 1, 0, 0]);
    }
    deep.extend([0; 64]);
    assert!(matches!(
        News::view(&deep, &Limits::FEED),
        Err(DecodeError::Depth { max: 8, .. })
    ));
    let few = Limits {
        max_items: 1,
        ..Limits::FEED
    };
    assert!(matches!(
        News::view(&newer(), &few),
        Err(DecodeError::Limit { got: 2, max: 1, .. })
    ));
}
