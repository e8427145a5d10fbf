//! Negotiation: the table of outcomes, and its messages under damage.

use crate::common::{WIDE, encode, refuses_other_lengths};
use tickwire_codecs::{
    Agreed, Answer, Codec, DecodeError, Limits, Negotiation, OFFERS_MAX, Offer, Offering, Reason,
    Refusal, WireId, family, fingerprint, negotiate, negotiate_bytes,
};

const SBE: WireId = WireId::new(family::SBE, 1);

fn sbe(min: u16, max: u16) -> Offer {
    Offer::new(SBE, Limits::FEED).schema(1).versions(min, max)
}

fn reason(have: &[Offer], want: &Offer) -> Result<u16, Reason> {
    negotiate(have, want)
        .map(|agreed| agreed.version)
        .map_err(|refusal| refusal.reason)
}

#[test]
fn outcomes() {
    let rigid = |hash| Offer::new(WireId::new(family::WIRE, 3), Limits::FEED).fingerprint(hash);
    let (a, b) = (fingerprint(b"a"), fingerprint(b"b"));
    for (have, want, outcome) in [
        (vec![], sbe(0, 9), Err(Reason::Wire)),
        (vec![sbe(0, 9)], sbe(0, 9).schema(2), Err(Reason::Schema)),
        (vec![sbe(0, 9)], sbe(10, 12), Err(Reason::Version)),
        (vec![sbe(0, 9)], sbe(4, 6), Ok(6)),
        (vec![sbe(4, 6)], sbe(0, 9), Ok(6)),
        (vec![sbe(5, 5)], sbe(5, 5), Ok(5)),
        // The newest common version of several wins; order does not matter.
        (vec![sbe(0, 3), sbe(0, 7), sbe(0, 5)], sbe(0, 9), Ok(7)),
        // The reason nearest to agreement is given.
        (
            vec![sbe(0, 9).schema(2), sbe(20, 21)],
            sbe(0, 9),
            Err(Reason::Version),
        ),
        // Same id and version with another schema.
        (
            vec![sbe(0, 9).fingerprint(a)],
            sbe(0, 9).fingerprint(b),
            Err(Reason::Fingerprint),
        ),
        (
            vec![sbe(0, 9).fingerprint(a)],
            sbe(0, 9).fingerprint(a),
            Ok(9),
        ),
        (vec![sbe(0, 9).fingerprint(a)], sbe(0, 9), Ok(9)),
        // A newer version of a schema that evolves may have another fingerprint.
        (
            vec![sbe(0, 9).fingerprint(a)],
            sbe(0, 8).fingerprint(b),
            Ok(8),
        ),
        // Formats that cannot evolve: the fingerprint is mandatory, and equal.
        (vec![rigid(a)], rigid(a), Ok(0)),
        (vec![rigid(a)], rigid(b), Err(Reason::Fingerprint)),
        (
            vec![rigid(a).versions(0, 1)],
            rigid(b),
            Err(Reason::Fingerprint),
        ),
        (vec![rigid(a)], rigid(0), Err(Reason::FingerprintMissing)),
        (vec![rigid(0)], rigid(0), Err(Reason::FingerprintMissing)),
    ] {
        assert_eq!(reason(&have, &want), outcome, "{have:?} / {want:?}");
    }
}

#[test]
fn the_tighter_limits_hold() {
    let wide = Offer {
        limits: Limits {
            max_msg: 9,
            max_items: 1,
            max_depth: 7,
        },
        ..sbe(0, 1)
    };
    let other = Offer {
        limits: Limits {
            max_msg: 5,
            max_items: 4,
            max_depth: 8,
        },
        ..sbe(0, 1)
    };
    let agreed = negotiate(&[wide], &other).unwrap();
    assert_eq!(
        agreed.limits,
        Limits {
            max_msg: 5,
            max_items: 1,
            max_depth: 7
        }
    );
}

#[test]
fn an_offer_is_32_bytes_and_comes_back() {
    let offer = Offer {
        schema: 0x0102_0304,
        ..sbe(0x0a0b, 0x0c0d)
    }
    .fingerprint(0x1122_3344_5566_7788);
    let wire = encode::<Offering>(&offer);
    assert_eq!(
        wire,
        [
            1, 0, 0x0b, 0x0a, 0x0d, 0x0c, 8, 0, // form, reserved, versions, depth
            1, 0, 1, 0, 4, 3, 2, 1, // SBE format 1, schema
            0, 0, 1, 0, 0, 0x10, 0, 0, // 64 KiB, 4096
            0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        ]
    );
    assert_eq!(Offering::view(&wire, &WIDE), Ok(offer));
    refuses_other_lengths::<Offering>(&wire);
    for (at, value, what) in [
        (0, 2, "form of offer"),
        (1, 1, "reserved byte"),
        (3, 0xff, "version_min"),
    ] {
        let mut wrong = wire.clone();
        wrong[at] = value;
        assert!(
            matches!(Offering::view(&wrong, &WIDE), Err(DecodeError::Wrong { what: w, .. }) if w == what)
        );
    }
}

#[test]
fn answers_come_back_and_stand_damage() {
    let agreed = Ok(Agreed {
        version: 6,
        limits: Limits::FEED,
    });
    let have = [sbe(0, 6), sbe(7, 9).fingerprint(5)];
    let refused = Err(Refusal {
        reason: Reason::Version,
        have: &have,
    });
    for answer in [agreed, refused] {
        let wire = encode::<Negotiation>(&answer);
        match (Negotiation::view(&wire, &WIDE).unwrap(), answer) {
            (Answer::Agreed(read), Ok(sent)) => assert_eq!(read, sent),
            (Answer::Refused { reason, have }, Err(sent)) => {
                assert_eq!(reason, sent.reason);
                assert!(have.iter().eq(sent.have.iter().copied()));
            }
            (read, sent) => panic!("{sent:?} became {read:?}"),
        }
        refuses_other_lengths::<Negotiation>(&wire);
        let mut changed = wire.clone();
        for at in 0..wire.len() {
            for value in 0..=255 {
                changed[at] = value;
                if let Ok(Answer::Refused { have, .. }) = Negotiation::view(&changed, &WIDE) {
                    assert!(have.iter().len() == have.len() && have.iter().count() == have.len());
                }
            }
            changed[at] = wire[at];
        }
    }
}

#[test]
fn a_refusal_lists_at_most_its_bound() {
    let have = vec![sbe(0, 1); OFFERS_MAX + 5];
    let answer = Err(Refusal {
        reason: Reason::Version,
        have: &have,
    });
    let wire = encode::<Negotiation>(&answer);
    let Answer::Refused { have, .. } = Negotiation::view(&wire, &WIDE).unwrap() else {
        panic!("not a refusal")
    };
    assert_eq!((have.len(), have.is_empty()), (OFFERS_MAX, false));
}

/// The short ways give the bytes that the codecs give.
#[test]
fn as_metadata() {
    let want = sbe(2, 6).fingerprint(7);
    assert_eq!(want.to_bytes().to_vec(), encode::<Offering>(&want));
    assert_eq!(Offer::read(&want.to_bytes()), Ok(want));
    for have in [vec![sbe(0, 4)], vec![sbe(7, 9); OFFERS_MAX + 5], vec![]] {
        let answer = negotiate_bytes(&have, &want.to_bytes());
        assert_eq!(answer, negotiate(&have, &want));
        let bytes = match answer {
            Ok(agreed) => agreed.to_bytes().to_vec(),
            Err(refusal) => refusal.to_vec(),
        };
        assert_eq!(bytes, encode::<Negotiation>(&answer));
        assert!(bytes.len() <= 1024, "it fits the metadata of a channel");
        match (Answer::read(&bytes).unwrap(), answer) {
            (Answer::Agreed(read), Ok(agreed)) => {
                assert_eq!(read, agreed);
                assert_eq!(want.agreed(&bytes), Ok(agreed));
            }
            (Answer::Refused { reason, have: read }, Err(refusal)) => {
                assert_eq!(reason, refusal.reason);
                assert!(read.iter().eq(have.iter().take(OFFERS_MAX).copied()));
                assert!(want.agreed(&bytes).is_err(), "a refusal agrees on nothing");
            }
            (read, answer) => panic!("{read:?} for {answer:?}"),
        }
    }
}

/// A range of versions is the same range from either end, and a list with one reads back whole.
#[test]
fn versions_may_be_given_from_either_end() {
    let turned = Offer {
        version_min: 9,
        version_max: 4,
        ..sbe(0, 0)
    };
    assert_eq!(sbe(9, 4), sbe(4, 9));
    assert_eq!(Offer::read(&turned.to_bytes()), Ok(sbe(4, 9)));
    assert_eq!(encode::<Offering>(&turned), turned.to_bytes());
    assert_eq!(turned.to_string(), sbe(4, 9).to_string());
    let refusal = negotiate(&[turned], &sbe(1, 3)).unwrap_err().to_vec();
    let Ok(Answer::Refused { reason, have }) = Answer::read(&refusal) else {
        panic!("a refusal that its reader refuses: {refusal:02x?}")
    };
    assert_eq!(reason, Reason::Version);
    assert!(have.iter().eq([sbe(4, 9)]));
    assert_eq!(self::reason(&[turned], &sbe(0, 6)), Ok(6));
    assert_eq!(self::reason(&[sbe(0, 6)], &turned), Ok(6));
    let agreed = Agreed {
        version: 6,
        limits: Limits::FEED,
    };
    assert_eq!(turned.agreed(&agreed.to_bytes()), Ok(agreed));
}

#[test]
fn bytes_that_are_not_an_offer_get_a_refusal_with_the_offers() {
    let have = [sbe(0, 4)];
    let mut bytes = sbe(0, 4).to_bytes().to_vec();
    bytes[0] += 1;
    for metadata in [
        &b""[..],
        b"GET /",
        &bytes,
        &[bytes.clone(), vec![0]].concat(),
    ] {
        let refusal = negotiate_bytes(&have, metadata).unwrap_err();
        let reason = Reason::Unreadable;
        assert_eq!(
            refusal,
            Refusal {
                reason,
                have: &have
            }
        );
        let bytes = refusal.to_vec();
        let read = Answer::read(&bytes).unwrap();
        assert!(
            matches!(read, Answer::Refused { reason: Reason::Unreadable, have } if have.len() == 1)
        );
    }
}

/// A peer cannot choose a version outside the offer.
#[test]
fn agreements_are_held_to_the_offer() {
    let want = sbe(2, 6);
    let agreed = |version, limits| Agreed { version, limits }.to_bytes();
    for version in [0, 1, 7, u16::MAX] {
        assert_eq!(
            want.agreed(&agreed(version, Limits::FEED)),
            Err(DecodeError::wrong(2, "agreed version", version.into()))
        );
    }
    let read = want.agreed(&agreed(2, Limits::BULK)).unwrap();
    assert_eq!((read.version, read.limits), (2, Limits::FEED));
    assert!(want.agreed(b"").is_err());
}

#[test]
fn an_offer_for_people() {
    let bare = Offer::new(SBE, Limits::FEED);
    assert_eq!(bare.to_string(), "format 1:0x0001, version 0");
    assert_eq!(
        sbe(1, 2).fingerprint(0xab).to_string(),
        "format 1:0x0001, schema 1, versions 1 to 2, fingerprint 0x00000000000000ab"
    );
}
