//! One encoded message per template, with every group and every data filled.

use tickwire_codecs::sbe::GroupOf;
use tickwire_codecs::{Chars, Encode};
use tickwire_sbe_tests::{big, features, features_v1, tick};

pub(crate) fn encode<C: tickwire_codecs::Codec>(value: &impl Encode<C>) -> Vec<u8> {
    let mut out = vec![0xee; value.encoded_len()];
    assert_eq!(
        value.encode(&mut out),
        Ok(out.len()),
        "encoded_len is exact"
    );
    out
}

pub(crate) fn root() -> features::EverythingRoot {
    use features::*;
    EverythingRoot {
        a_char: b'x',
        an_int8: -8,
        an_int16: (-1616).into(),
        an_int32: (-32_323_232).into(),
        an_int64: (-6_464_646_464).into(),
        a_uint8: 200,
        a_uint16: 60_000.into(),
        a_uint32: 4_000_000_000.into(),
        a_uint64: u64::MAX.into(),
        a_float: 1.5.into(),
        a_double: (-0.25).into(),
        ticker: Chars::nul_padded("TICK").unwrap(),
        readings: [1.into(), (-2).into(), 3.into()],
        digest: [1, 2, 3, 255],
        side: Side::ASK,
        state: State::HALTED,
        reason: Reason::SELF,
        flags: Flags::FIRST.with(Flags::LAST),
        wide_flags: WideFlags::HIGH,
        price: Price {
            mantissa: 6_012_345.into(),
        },
        stop: PriceNull {
            mantissa: (-5).into(),
            exponent: -2,
        },
        device: Device {
            serial: 513.into(),
            mode: Mode::BUSY,
            quality: 99,
            flags: Flags::LAST,
            position: Position {
                x: 0.5.into(),
                y: (-1.0).into(),
            },
            maker: Chars::nul_padded("abc").unwrap(),
            ..Device::default()
        },
        count: 8.into(),
        opt_int: 1.into(),
        opt_float: 2.0.into(),
        opt_side: Side::BID,
        opt_ticker: Chars::nul_padded("OPT").unwrap(),
        added: 22.into(),
        added_optional: 23.into(),
        added_device: Device::default(),
        added_ticker: Chars::nul_padded("NEW").unwrap(),
        added_side: Side::ASK,
    }
}

pub(crate) fn everything() -> Vec<u8> {
    use features::*;
    let parties = [EverythingFillsPartiesBuilder {
        root: EverythingFillsPartiesEntry { role: 7 },
        name: "maker".into(),
    }];
    let notes = [
        EverythingFillsNotesBuilder {
            note: "first".into(),
        },
        EverythingFillsNotesBuilder { note: "".into() },
    ];
    let message = EverythingBuilder {
        root: root(),
        levels: &[
            EverythingLevelsEntry {
                price: 100.into(),
                quantity: 1.into(),
            },
            EverythingLevelsEntry {
                price: (-100).into(),
                quantity: 2.into(),
            },
        ],
        legs: &[EverythingLegsEntry {
            ratio: 3.into(),
            side: Side::BID,
            hedge: 4.into(),
            rank: 5,
        }],
        fills: &[
            EverythingFillsBuilder {
                root: EverythingFillsEntry { id: 1.into() },
                parties: &parties,
                notes: &notes,
                memo: "größe".into(),
            },
            EverythingFillsBuilder {
                root: EverythingFillsEntry { id: 2.into() },
                ..Default::default()
            },
        ],
        extras: &[EverythingExtrasEntry { key: 9.into() }],
        extra_notes: &[EverythingExtraNotesBuilder {
            note: "extra".into(),
        }],
        symbol: "BTCUSDT".into(),
        comment: "plain".into(),
        payload: &[0, 159, 146, 150],
        added_text: "added".into(),
    };
    encode::<Everything>(&message)
}

pub(crate) fn everything_v1() -> Vec<u8> {
    use features_v1::*;
    let message = EverythingBuilder {
        root: EverythingRoot {
            a_uint8: 17,
            side: Side::BID,
            ..Default::default()
        },
        levels: &[EverythingLevelsEntry {
            price: 5.into(),
            quantity: 6.into(),
        }],
        legs: &[
            EverythingLegsEntry {
                ratio: 7.into(),
                side: Side::ASK,
            },
            EverythingLegsEntry {
                ratio: 8.into(),
                side: Side::BID,
            },
        ],
        fills: &[EverythingFillsBuilder {
            root: EverythingFillsEntry { id: 3.into() },
            memo: "old".into(),
            ..Default::default()
        }],
        symbol: "OLD".into(),
        comment: "".into(),
        payload: b"p",
    };
    encode::<Everything>(&message)
}

pub(crate) fn keywords() -> Vec<u8> {
    use features::*;
    let message = TypeBuilder {
        root: TypeRoot {
            self_: 1,
            self_2: 2,
            r#type: 3,
            version: 4,
            f_1st_leg: 5,
            crate_: 6,
        },
        root_2: &[TypeRootEntry { r#match: 7 }],
        bytes: &[TypeBytesBuilder { tail: "t".into() }],
        c: "c".into(),
        s: "s".into(),
    };
    encode::<Type>(&message)
}

/// Groups of entries that take no byte, beside one of entries that do.
pub(crate) fn hollow() -> Vec<u8> {
    use features::*;
    let notes = [HollowPagesNotesBuilder { note: "n".into() }];
    let message = HollowBuilder {
        root: HollowRoot {
            amount: 515.into(),
            preset: Preset { default: 9 },
            ..Default::default()
        },
        marks: GroupOf {
            dimension: PresetSizeMembers { default: Some(0) },
            entries: &[HollowMarksBuilder; 2],
        },
        ticks: &[HollowTicksBuilder; 3],
        units: &[HollowUnitsEntry::default(); 4],
        rungs: &[HollowRungsBuilder {
            root: HollowRungsEntry {
                rank: 7,
                ..Default::default()
            },
            note: "rung".into(),
        }],
        pages: &[
            HollowPagesBuilder { notes: &notes },
            HollowPagesBuilder { notes: &[] },
        ],
    };
    encode::<Hollow>(&message)
}

fn decimal(mantissa: i64) -> features::Decimal {
    features::Decimal {
        mantissa: mantissa.into(),
        exponent: -2,
    }
}

/// No field null; the last of two rows is.
pub(crate) fn nulls() -> Vec<u8> {
    use features::*;
    let message = NullsBuilder {
        root: NullsRoot {
            price: decimal(0),
            bound: Bound {
                limit: decimal(-1),
                side: Side::ASK,
                ..Default::default()
            },
            span: Span { from: 0.5.into() },
            label: Label {
                text: Chars::nul_padded("x").unwrap(),
            },
            leaning: Leaning {
                side: ZeroSide::UP,
                lots: 0.into(),
            },
            stop: PriceNull {
                mantissa: 3.into(),
                exponent: 1,
            },
            seven: 255,
            zero: 255,
            zero_side: ZeroSide::UP,
            tenth: 0.2.into(),
            added_price: decimal(i64::MAX),
        },
        rows: &[
            NullsRowsEntry { price: decimal(7) },
            NullsRowsEntry::default(),
        ],
    };
    encode::<Nulls>(&message)
}

/// All messages of `features`, by name.
pub(crate) fn features() -> Vec<(&'static str, Vec<u8>)> {
    use features::*;
    vec![
        ("Everything", everything()),
        ("Everything, version 1", everything_v1()),
        ("Heartbeat", encode::<Heartbeat>(&HeartbeatBuilder)),
        (
            "Padded",
            encode::<Padded>(&PaddedRoot {
                early: 1.into(),
                late: 2.into(),
                ..Default::default()
            }),
        ),
        ("type", keywords()),
        (
            "Added",
            encode::<Added>(&AddedRoot {
                value: 1.into(),
                later: 2.into(),
            }),
        ),
        ("Hollow", hollow()),
        (
            "Void",
            encode::<Void>(&VoidBuilder {
                note: "v".into(),
                ..Default::default()
            }),
        ),
        ("Nulls", nulls()),
        (
            "Nulls, of nothing",
            encode::<Nulls>(&NullsBuilder::default()),
        ),
        ("Behind", encode::<Behind>(&BehindRoot::default())),
    ]
}

pub(crate) fn big() -> Vec<u8> {
    use big::*;
    let message = SampleBuilder {
        header: WideHeaderMembers { sender: Some(0) },
        root: SampleRoot {
            time: 0x0102_0304_0506_0708.into(),
            value: 1.0.into(),
        },
        points: &[SamplePointsEntry {
            x: (-2).into(),
            y: 3.into(),
        }],
        raw: &[0xab],
    };
    encode::<Sample>(&message)
}

/// All messages of `tick`, by name; depth has 18 levels a side.
pub(crate) fn tick() -> Vec<(&'static str, Vec<u8>)> {
    use tick::*;
    let level = |i: i64| DepthDiffBidsEntry {
        price: (6_100_000 - i).into(),
        quantity: (i * 3).into(),
    };
    let bids: Vec<_> = (0..18).map(level).collect();
    let asks: Vec<_> = (0..18)
        .map(|i| DepthDiffAsksEntry {
            price: (6_100_001 + i).into(),
            quantity: i.into(),
        })
        .collect();
    let snapshot_bids = [DepthSnapshotBidsEntry {
        price: 1.into(),
        quantity: 2.into(),
    }];
    vec![
        (
            "BestBidOffer",
            encode::<BestBidOffer>(&BestBidOfferBuilder {
                root: BestBidOfferRoot {
                    event_time: 1_723_075_200_000_000.into(),
                    update_id: 7.into(),
                    price_exponent: -2,
                    quantity_exponent: -5,
                    bid_price: 6_100_000.into(),
                    bid_quantity: 120_000.into(),
                    ask_price: 6_100_001.into(),
                    ask_quantity: 80_000.into(),
                },
                symbol: "BTCUSDT".into(),
            }),
        ),
        (
            "Trades",
            encode::<Trades>(&TradesBuilder {
                root: TradesRoot {
                    event_time: 1.into(),
                    transact_time: 2.into(),
                    price_exponent: -2,
                    quantity_exponent: -5,
                },
                trades: &[TradesTradesEntry {
                    id: 1.into(),
                    price: 2.into(),
                    quantity: 3.into(),
                    aggressor: Aggressor::SELLER,
                }],
                symbol: "BTCUSDT".into(),
            }),
        ),
        (
            "DepthSnapshot",
            encode::<DepthSnapshot>(&DepthSnapshotBuilder {
                bids: &snapshot_bids,
                symbol: "BTCUSDT".into(),
                ..Default::default()
            }),
        ),
        (
            "DepthDiff",
            encode::<DepthDiff>(&DepthDiffBuilder {
                root: DepthDiffRoot {
                    event_time: 1_723_075_200_000_000.into(),
                    first_update_id: 8.into(),
                    last_update_id: 40.into(),
                    price_exponent: -2,
                    quantity_exponent: -5,
                },
                bids: &bids,
                asks: &asks,
                symbol: "BTCUSDT".into(),
            }),
        ),
    ]
}
