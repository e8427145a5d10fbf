//! The runtime alone, with a hand-written header, dimension and entry.

use std::vec::Vec;

use super::*;
use crate::{Chars, DecodeError, EncodeError, Limits};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Size {
    block_length: U16,
    count: u8,
}

impl Dimension for Size {
    type Own = ();

    fn block_length(&self) -> u32 {
        u32::from(self.block_length.get())
    }

    fn num_in_group(&self) -> u32 {
        u32::from(self.count)
    }

    fn new(shape: &Shape, count: usize, (): &()) -> Result<Self, EncodeError> {
        let count_wire = u8::try_from(count).map_err(|_| range("numInGroup", count))?;
        Ok(Self {
            block_length: U16::new(shape.block_length as u16),
            count: count_wire,
        })
    }
}

/// An entry that is read one by one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Note<'a> {
    id: u8,
    text: Text<'a>,
}

impl<'a> Entry<'a> for Note<'a> {
    const BLOCK_BYTES_MIN: usize = 1;
    const FIXED: bool = false;

    fn read(cursor: &mut Cursor<'a>, scope: &Scope) -> Result<Self, DecodeError> {
        let (block, _) = cursor.block::<1>(scope.block_length)?;
        Ok(Self {
            id: at::<u8, 0, _>(block),
            text: cursor.text::<u8>()?,
        })
    }
}

std::thread_local! {
    /// Entries of [`Nothing`] read by this thread.
    static READS: core::cell::Cell<u32> = const { core::cell::Cell::new(0) };
}

/// An entry that takes no byte; of one size where `FIXED`.
#[derive(Clone, Copy, Debug)]
struct Nothing<const FIXED: bool>;

impl<'a, const FIXED: bool> Entry<'a> for Nothing<FIXED> {
    const BLOCK_BYTES_MIN: usize = 0;
    const FIXED: bool = FIXED;

    fn read(cursor: &mut Cursor<'a>, scope: &Scope) -> Result<Self, DecodeError> {
        READS.set(READS.get() + 1);
        cursor.block::<0>(scope.block_length)?;
        Ok(Self)
    }
}

const SCOPE: Scope = Scope {
    block_length: 0,
    version: 0,
    is_newer: false,
    counts: Counts::NONE,
    limits: Limits::DEVICE,
};

fn rows(bytes: &[u8]) -> Result<Rows<'_, U16, Size>, DecodeError> {
    Cursor::new(bytes).rows::<Size, U16>(&SCOPE, 1)
}

#[test]
fn rows_by_block_length() {
    type Case = (&'static [u8], Result<&'static [u16], DecodeError>);
    let cases: [Case; 8] = [
        (&[2, 0, 2, 1, 0, 2, 0], Ok(&[1, 2])),
        (&[3, 0, 2, 1, 0, 9, 2, 0, 9], Ok(&[1, 2])),
        (&[2, 0, 0], Ok(&[])),
        (&[0, 0, 0], Ok(&[])),
        (
            &[1, 0, 1, 7],
            Err(DecodeError::Wrong {
                at: 3,
                what: "blockLength",
                got: 1,
            }),
        ),
        (
            &[0, 0, 1],
            Err(DecodeError::Wrong {
                at: 3,
                what: "blockLength",
                got: 0,
            }),
        ),
        (
            &[2, 0, 2, 1, 0, 2],
            Err(DecodeError::Short {
                at: 3,
                need: 4,
                have: 3,
            }),
        ),
        (
            &[2, 0],
            Err(DecodeError::Short {
                at: 0,
                need: 3,
                have: 2,
            }),
        ),
    ];
    for (bytes, expected) in cases {
        let read = rows(bytes).map(|r| r.iter().map(|v| v.get()).collect::<Vec<_>>());
        assert_eq!(read, expected.map(<[u16]>::to_vec), "{bytes:?}");
    }
}

#[test]
fn rows_agree_however_they_are_read() {
    for bytes in [
        &[2, 0, 3, 1, 0, 2, 0, 3, 0][..],
        &[4, 0, 3, 1, 0, 9, 9, 2, 0, 9, 9, 3, 0, 9, 9],
    ] {
        let rows = rows(bytes).unwrap();
        assert_eq!(
            (rows.len(), rows.is_empty(), rows.iter().len()),
            (3, false, 3)
        );
        let one_by_one: Vec<_> = (0..4)
            .filter_map(|i| rows.get(i))
            .map(|v| v.get())
            .collect();
        assert_eq!(one_by_one, [1, 2, 3]);
        assert!(rows.get(3).is_none() && rows.get(usize::MAX).is_none());
        assert_eq!(rows.iter().fold(0, |sum, v| sum + v.get()), 6);
        assert_eq!(rows.into_iter().map(|v| v.get()).max(), Some(3));
        assert_eq!(rows.as_slice().is_some(), bytes[0] == 2);
    }
    assert!(Rows::<'_, U16, Size>::EMPTY.is_empty());
}

#[test]
fn groups_are_checked_when_read_and_then_walked() {
    let bytes = [1, 0, 2, 7, 2, b'h', b'i', 8, 0];
    let mut cursor = Cursor::new(&bytes);
    let group = cursor.group::<Size, Note<'_>>(&SCOPE, 1).unwrap();
    assert_eq!(cursor.at(), bytes.len());
    let notes: Vec<_> = group.iter().collect();
    assert_eq!(
        notes,
        [
            Note {
                id: 7,
                text: "hi".into()
            },
            Note {
                id: 8,
                text: "".into()
            }
        ]
    );
    assert_eq!(
        (
            group.len(),
            group.iter().len(),
            Group::<'_, Note<'_>, Size>::empty(&SCOPE).len()
        ),
        (2, 2, 0)
    );
    for len in 0..bytes.len() {
        let short = Cursor::new(&bytes[..len]).group::<Size, Note<'_>>(&SCOPE, 1);
        assert!(
            matches!(short, Err(DecodeError::Short { .. })),
            "cut to {len}"
        );
    }
    // One byte that is no text does not cost the entry.
    let no_text = [1, 0, 1, 7, 2, b'h', 0xff];
    let group = Cursor::new(&no_text).group::<Size, Note<'_>>(&SCOPE, 1);
    let note = group.unwrap().iter().next().unwrap();
    assert_eq!(note.text.bytes(), b"h\xff");
    assert_eq!(note.text.text().map_err(|e| e.valid_up_to()), Err(1));
    let no_block = [0, 0, 1, 0];
    let read = Cursor::new(&no_block).group::<Size, Note<'_>>(&SCOPE, 1);
    assert_eq!(
        read.map(|g| g.len()),
        Err(DecodeError::Wrong {
            at: 3,
            what: "blockLength",
            got: 0
        })
    );
}

#[test]
fn bounds_are_held() {
    let few = Scope {
        limits: Limits {
            max_items: 1,
            ..Limits::DEVICE
        },
        ..SCOPE
    };
    let read = Cursor::new(&[2, 0, 2, 0, 0, 0, 0]).rows::<Size, U16>(&few, 1);
    assert!(matches!(
        read,
        Err(DecodeError::Limit {
            at: 3,
            got: 2,
            max: 1,
            ..
        })
    ));
    let read = Cursor::new(&[2, 0, 0]).rows::<Size, U16>(&SCOPE, 5);
    assert!(matches!(read, Err(DecodeError::Depth { at: 0, max: 4 })));
    let long = [0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(
        Cursor::new(&long).data::<U32>(),
        Err(DecodeError::Short {
            at: 4,
            need: 0xffff_ffff,
            have: 1
        })
    );
}

#[test]
fn added_fields_need_version_and_bytes() {
    let tail = [1, 0, 2, 0];
    let read = |at, version| added::<U16>(&tail, at, version, 3).map(|v| v.get());
    assert_eq!(
        (read(0, 3), read(2, 4), read(0, 2), read(3, 3), read(9, 3)),
        (Some(1), Some(2), None, None, None)
    );
    assert_eq!(read(usize::MAX, 3), None);
    assert_eq!(chars::<2, 1, _>(b"abcd"), &Chars::new(*b"bc"));
    assert_eq!(some_chars(&Chars::new([0; 3])), None);
    assert_eq!(
        (some(7, 7), some(8, 7), some_f32(f32::NAN), some_f64(0.0)),
        (None, Some(8), None, Some(0.0))
    );
    let pair = |first: u8| some_composite((first, 1), |(first, _)| *first != 9);
    assert_eq!((pair(8), pair(9)), (Some((8, 1)), None));
}

#[test]
fn the_writer_keeps_to_its_room() {
    let mut out = [0xee; 8];
    let mut writer = Writer::new(&mut out, 6).unwrap();
    writer
        .rows::<Size, U16>(&[U16::new(5)], Shape::new(3, 0, 0), &())
        .unwrap();
    assert_eq!(writer.written(), 6);
    assert_eq!(
        writer.bytes(&[1]),
        Err(EncodeError::Room { need: 7, have: 6 })
    );
    assert_eq!(out, [3, 0, 1, 5, 0, 0, 0xee, 0xee]);
    assert_eq!(
        Writer::new(&mut [0; 3], 4).map(|_| ()),
        Err(EncodeError::Room { need: 4, have: 3 })
    );
    let mut out = [0; 300];
    let mut writer = Writer::new(&mut out, 300).unwrap();
    let long = [0; 256];
    assert_eq!(
        writer.data::<u8>(&long),
        Err(EncodeError::Range {
            what: "variable data bytes",
            got: 256
        })
    );
}

#[test]
fn sizes_of_views_stay_small() {
    // A view of a message holds one of these per group.
    assert!(size_of::<Rows<'_, U16, Size>>() <= 32);
    assert!(size_of::<Group<'_, Note<'_>, Size>>() <= 72);
}

#[test]
fn entries_without_bytes_take_no_work_and_are_bounded_in_all() {
    without_bytes::<true>(0);
    without_bytes::<false>(1);
}

/// `reads` is how many entries of a group are read to check it.
fn without_bytes<const FIXED: bool>(reads: u32) {
    let bytes = [0, 0, 255].repeat(3);
    let mut cursor = Cursor::new(&bytes);
    let mut next = || {
        READS.set(0);
        let group = cursor.group::<Size, Nothing<FIXED>>(&SCOPE, 1);
        (group, READS.get())
    };
    for _ in 0..2 {
        let (group, read) = next();
        let group = group.unwrap();
        assert_eq!((read, group.len(), group.iter().count()), (reads, 255, 255));
    }
    // `Limits::DEVICE` has 512 items.
    assert_eq!(
        next().0.map(|group| group.len()),
        Err(DecodeError::Limit {
            at: 9,
            what: "items",
            got: 765,
            max: 512
        })
    );
}
