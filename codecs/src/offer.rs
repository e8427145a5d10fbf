//! Agreeing on a codec: what each end of a channel can speak, and the answer.
//!
//! ```text
//! offer    | form: u8 = 1 | 0 | versions: u16 u16 | max_depth: u16 |
//!          | wire: u32 | schema: u32 | max_msg: u32 | max_items: u32 | fingerprint: u64 |   32 bytes
//! answer   | form: u8 = 1 | reason: u8 | version: u16 | max_depth: u16 | count: u16 |
//!          | max_msg: u32 | max_items: u32 | offer * count |                    16 + 32 * count bytes
//! ```
//!
//! All numbers are little-endian. `reason` 0 is agreement, without offers; any other is a refusal,
//! followed by what the peer has (`design/codecs.md` section 6).
//!
//! ```
//! use tickwire_codecs::{Answer, Codec, Encode, Limits, Negotiation, Offer, Offering, WireId, family, negotiate};
//! let base = Offer::new(WireId::new(family::SBE, 1), Limits::FEED).schema(1);
//! let (old, new) = (base.versions(0, 6), base.versions(4, 9));
//! let mut wire = [0; 64];
//! let len = Encode::<Offering>::encode(&old, &mut wire)?;                  // into OPEN
//! let asked = Offering::view(&wire[..len], &Limits::DEVICE)?;
//! let have = [new];
//! let answer = negotiate(&have, &asked);
//! assert_eq!(answer.map(|agreed| agreed.version), Ok(6));
//! let len = Encode::<Negotiation>::encode(&answer, &mut wire)?;            // into the reply
//! assert!(matches!(Negotiation::view(&wire[..len], &Limits::DEVICE)?, Answer::Agreed(a) if a.version == 6));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::{
    Codec, DecodeError, Encode, EncodeError, Limits, WireId, encode_bytes, family,
    le::{U16, U32, U64},
    slice,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the layouts above.
const FORM: u8 = 1;

/// Most offers a refusal lists: an end that has more lists the first ones. 64 are 2 KiB.
pub const OFFERS_MAX: usize = 64;

/// One format an end of a channel can speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The format.
    pub wire: WireId,
    /// The schema's own id; 0 where the format has none.
    pub schema: u32,
    /// Oldest version this end reads and writes.
    pub version_min: u16,
    /// Newest version this end reads and writes.
    pub version_max: u16,
    /// What this end accepts.
    pub limits: Limits,
    /// [`fingerprint`] of the canonical schema at `version_max`; 0 where none is given. Mandatory
    /// for formats that cannot evolve ([`WireId::is_rigid`]).
    pub fingerprint: u64,
}

impl Offer {
    /// An offer of version 0 only, without schema id or fingerprint.
    #[must_use]
    pub const fn new(wire: WireId, limits: Limits) -> Self {
        Self {
            wire,
            schema: 0,
            version_min: 0,
            version_max: 0,
            limits,
            fingerprint: 0,
        }
    }

    /// The offer of a codec: its format, its version and nothing older.
    #[must_use]
    pub const fn of<C: Codec>(limits: Limits) -> Self {
        Self::new(C::ID, limits).versions(C::VERSION, C::VERSION)
    }

    /// With this schema id.
    #[must_use]
    pub const fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// With this range of versions, both ends included.
    #[must_use]
    pub const fn versions(mut self, min: u16, max: u16) -> Self {
        (self.version_min, self.version_max) = (min, max);
        self
    }

    /// With this fingerprint.
    #[must_use]
    pub const fn fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = fingerprint;
        self
    }
}

/// What both ends will speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// Version to write: the newest both know.
    pub version: u16,
    /// The tighter of both ends' limits.
    pub limits: Limits,
}

/// Why an offer was refused; the later ones were nearer to agreement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// The peer does not have the format.
    Wire = 1,
    /// It has the format, not the schema id.
    Schema = 2,
    /// It has the schema, in none of these versions.
    Version = 3,
    /// A format that cannot evolve was offered, or is held, without a fingerprint.
    FingerprintMissing = 4,
    /// Same id and version, another schema.
    Fingerprint = 5,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "the peer does not speak this format",
            Self::Schema => "the peer does not have this schema id",
            Self::Version => "the peer has none of these versions",
            Self::FingerprintMissing => "this format needs a schema fingerprint on both ends",
            Self::Fingerprint => "same id and version, but the schemas differ",
        })
    }
}

/// A refusal on the answering end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<'h> {
    /// Why.
    pub reason: Reason,
    /// What this end has.
    pub have: &'h [Offer],
}

/// Answers an offer with what this end has. Where several fit, the first one in `have` with the
/// newest version wins.
///
/// # Errors
/// [`Refusal`], to be encoded as a [`Negotiation`] answer.
pub fn negotiate<'h>(have: &'h [Offer], want: &Offer) -> Result<Agreed, Refusal<'h>> {
    let mut best: Result<Agreed, Reason> = Err(Reason::Wire);
    for own in have {
        best = match (best, compare(own, want)) {
            (Ok(a), Ok(b)) => Ok(if b.version > a.version { b } else { a }),
            (Ok(a), Err(_)) => Ok(a),
            (Err(_), Ok(b)) => Ok(b),
            (Err(a), Err(b)) => Err(a.max(b)),
        };
    }
    best.map_err(|reason| Refusal { reason, have })
}

fn compare(own: &Offer, want: &Offer) -> Result<Agreed, Reason> {
    if own.wire != want.wire {
        return Err(Reason::Wire);
    }
    if own.schema != want.schema {
        return Err(Reason::Schema);
    }
    let version = own.version_max.min(want.version_max);
    if version < own.version_min.max(want.version_min) {
        return Err(Reason::Version);
    }
    let given = own.fingerprint != 0 && want.fingerprint != 0;
    if own.wire.is_rigid() && !given {
        return Err(Reason::FingerprintMissing);
    }
    // A schema that evolves has another fingerprint in another version; only the same version must
    // have the same one.
    let comparable = own.wire.is_rigid() || own.version_max == want.version_max;
    if given && comparable && own.fingerprint != want.fingerprint {
        return Err(Reason::Fingerprint);
    }
    Ok(Agreed {
        version,
        limits: Limits {
            max_msg: own.limits.max_msg.min(want.limits.max_msg),
            max_items: own.limits.max_items.min(want.limits.max_items),
            max_depth: own.limits.max_depth.min(want.limits.max_depth),
        },
    })
}

/// 64-bit FNV-1a of a canonical schema text, never 0. It tells schemas apart that differ by mistake;
/// it is no defence against someone who makes two collide.
///
/// ```
/// const QUOTE: u64 = tickwire_codecs::fingerprint(b"Quote{bid:i64,ask:i64}");
/// assert_ne!(QUOTE, tickwire_codecs::fingerprint(b"Quote{ask:i64,bid:i64}"));
/// ```
#[must_use]
pub const fn fingerprint(canonical: &[u8]) -> u64 {
    match mix(0xcbf2_9ce4_8422_2325, canonical) {
        0 => 1,
        hash => hash,
    }
}

/// Continues an FNV-1a hash.
pub(crate) const fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = tail;
    }
    hash
}

/// An offer's 32 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Debug)]
#[repr(C)]
pub(crate) struct OfferWire {
    form: u8,
    reserved: u8,
    version_min: U16,
    version_max: U16,
    max_depth: U16,
    wire: U32,
    schema: U32,
    max_msg: U32,
    max_items: U32,
    fingerprint: U64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct AnswerWire {
    form: u8,
    reason: u8,
    version: U16,
    max_depth: U16,
    count: U16,
    max_msg: U32,
    max_items: U32,
}

const _: () = assert!(size_of::<OfferWire>() == 32 && size_of::<AnswerWire>() == 16);

impl OfferWire {
    fn new(offer: &Offer) -> Self {
        Self {
            form: FORM,
            reserved: 0,
            version_min: offer.version_min.into(),
            version_max: offer.version_max.into(),
            max_depth: offer.limits.max_depth.into(),
            wire: offer.wire.0.into(),
            schema: offer.schema.into(),
            max_msg: offer.limits.max_msg.into(),
            max_items: offer.limits.max_items.into(),
            fingerprint: offer.fingerprint.into(),
        }
    }

    /// The offer; `at` is where it lies, for errors.
    fn read(&self, at: usize) -> Result<Offer, DecodeError> {
        if self.form != FORM {
            return Err(DecodeError::wrong(at, "form of offer", self.form.into()));
        }
        if self.reserved != 0 {
            return Err(DecodeError::wrong(
                at + 1,
                "reserved byte",
                self.reserved.into(),
            ));
        }
        if self.version_min > self.version_max {
            return Err(DecodeError::wrong(
                at + 2,
                "version_min",
                self.version_min.get().into(),
            ));
        }
        Ok(self.trusted())
    }

    fn trusted(&self) -> Offer {
        Offer {
            wire: WireId(self.wire.get()),
            schema: self.schema.get(),
            version_min: self.version_min.get(),
            version_max: self.version_max.get(),
            limits: Limits {
                max_msg: self.max_msg.get(),
                max_items: self.max_items.get(),
                max_depth: self.max_depth.get(),
            },
            fingerprint: self.fingerprint.get(),
        }
    }
}

/// The codec of an [`Offer`].
#[derive(Clone, Copy, Debug)]
pub enum Offering {}

impl Codec for Offering {
    const ID: WireId = WireId::new(family::NEGOTIATION, 1);
    const VERSION: u16 = FORM as u16;
    type View<'a> = Offer;

    fn view(bytes: &[u8], limits: &Limits) -> Result<Offer, DecodeError> {
        limits.check_msg(bytes.len())?;
        slice::whole::<OfferWire>(bytes)?.read(0)
    }
}

impl Encode<Offering> for Offer {
    fn encoded_len(&self) -> usize {
        size_of::<OfferWire>()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        encode_bytes(OfferWire::new(self).as_bytes(), out)
    }
}

/// The codec of the answer to an [`Offer`].
#[derive(Clone, Copy, Debug)]
pub enum Negotiation {}

/// An answer as the offering end reads it.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Both speak this.
    Agreed(Agreed),
    /// The peer refused, and lists what it has.
    Refused {
        /// Why.
        reason: Reason,
        /// What the peer has.
        have: Offers<'a>,
    },
}

/// The offers listed in a refusal; checked.
#[derive(Clone, Copy, Debug)]
pub struct Offers<'a>(&'a [OfferWire]);

impl<'a> Offers<'a> {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the peer has nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The offers, in the peer's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Offer> + use<'a> {
        self.0.iter().map(OfferWire::trusted)
    }
}

impl Codec for Negotiation {
    const ID: WireId = WireId::new(family::NEGOTIATION, 2);
    const VERSION: u16 = FORM as u16;
    type View<'a> = Answer<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Answer<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let head = slice::part::<AnswerWire>(bytes, 0)?;
        if head.form != FORM {
            return Err(DecodeError::wrong(0, "form of answer", head.form.into()));
        }
        let reason = match head.reason {
            0 => None,
            1 => Some(Reason::Wire),
            2 => Some(Reason::Schema),
            3 => Some(Reason::Version),
            4 => Some(Reason::FingerprintMissing),
            5 => Some(Reason::Fingerprint),
            other => return Err(DecodeError::wrong(1, "reason", other.into())),
        };
        let count = usize::from(head.count.get());
        if count > OFFERS_MAX || (reason.is_none() && count > 0) {
            return Err(DecodeError::wrong(6, "count of offers", count as u64));
        }
        limits.check_items(6, count as u64)?;
        let at = size_of::<AnswerWire>();
        let have = slice::entries::<OfferWire>(bytes, at, count)?;
        let end = at + size_of_val(have);
        if end < bytes.len() {
            return Err(DecodeError::trailing(end, bytes.len() - end));
        }
        for (index, offer) in have.iter().enumerate() {
            offer.read(at + index * size_of::<OfferWire>())?;
        }
        Ok(match reason {
            Some(reason) => Answer::Refused {
                reason,
                have: Offers(have),
            },
            None => Answer::Agreed(Agreed {
                version: head.version.get(),
                limits: Limits {
                    max_msg: head.max_msg.get(),
                    max_items: head.max_items.get(),
                    max_depth: head.max_depth.get(),
                },
            }),
        })
    }
}

/// What [`negotiate`] gave, as it travels back.
impl Encode<Negotiation> for Result<Agreed, Refusal<'_>> {
    fn encoded_len(&self) -> usize {
        let count = self
            .as_ref()
            .err()
            .map_or(0, |refusal| refusal.have.len().min(OFFERS_MAX));
        size_of::<AnswerWire>() + count * size_of::<OfferWire>()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let (need, have) = (self.encoded_len(), out.len());
        let room = EncodeError::Room { need, have };
        let limits = self.map_or(
            Limits {
                max_msg: 0,
                max_items: 0,
                max_depth: 0,
            },
            |a| a.limits,
        );
        let offers = self.map_or_else(|refusal| refusal.have, |_| &[]);
        let offers = offers.get(..OFFERS_MAX).unwrap_or(offers);
        let head = AnswerWire {
            form: FORM,
            reason: self.map_or_else(|refusal| refusal.reason as u8, |_| 0),
            version: self.map_or(0, |agreed| agreed.version).into(),
            max_depth: limits.max_depth.into(),
            count: (offers.len() as u16).into(),
            max_msg: limits.max_msg.into(),
            max_items: limits.max_items.into(),
        };
        let (place, mut rest) = out
            .get_mut(..need)
            .and_then(|out| out.split_at_mut_checked(size_of::<AnswerWire>()))
            .ok_or(room)?;
        place.copy_from_slice(head.as_bytes());
        for offer in offers {
            let len = encode_bytes(OfferWire::new(offer).as_bytes(), rest)?;
            rest = rest.get_mut(len..).unwrap_or_default();
        }
        Ok(need)
    }
}
