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
//! followed by what the peer has.
//!
//! One call at each end, and one where the answer comes:
//!
//! ```
//! use tickwire_codecs::{Answer, Limits, Offer, Reason, WireId, family, negotiate_bytes};
//! let base = Offer::new(WireId::new(family::SBE, 1), Limits::FEED).schema(1);
//! let (old, have) = (base.versions(0, 6), [base.versions(4, 9)]);
//!
//! let metadata = old.to_bytes();                                  // the opener, into OPEN
//! let agreed = negotiate_bytes(&have, &metadata).unwrap();        // the acceptor
//! let metadata = agreed.to_bytes();                               // into ACCEPT
//! assert_eq!(old.agreed(&metadata)?.version, 6);                  // the opener
//!
//! let ancient = base.versions(0, 3);
//! let refusal = negotiate_bytes(&have, &ancient.to_bytes()).unwrap_err();
//! let metadata = refusal.to_vec();                                // into REJECT
//! let Answer::Refused { reason, have } = Answer::read(&metadata)? else { unreachable!() };
//! assert_eq!((reason, have.iter().next()), (Reason::Version, Some(base.versions(4, 9))));
//! # Ok::<(), tickwire_codecs::DecodeError>(())
//! ```

mod wire;

use crate::{Codec, DecodeError, Limits, WireId, slice};
use core::fmt;
pub use wire::{Answer, Negotiation, Offering, Offers};
use wire::{AnswerWire, OfferWire};

/// Most offers a refusal lists: an end that has more lists the first ones. With 31 it is 1,008
/// bytes, and fits the 1 KiB of metadata that a channel's frames carry.
pub const OFFERS_MAX: usize = 31;

/// Bytes of an [`Offer`].
pub const OFFER_BYTES: usize = size_of::<OfferWire>();

/// Bytes of an answer that agrees; of one that refuses, before the offers that it lists.
pub const AGREED_BYTES: usize = size_of::<AnswerWire>();

/// The code that a channel is rejected with where its ends have no codec in common; the metadata
/// is the [`Refusal`] then. The first of the codes that channels leave to applications.
pub const NO_COMMON_CODEC: u32 = 16;

/// One format an end of a channel can speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The format.
    pub wire: WireId,
    /// The schema's own id; 0 where the format has none.
    pub schema: u32,
    /// Oldest version this end reads and writes. Where it is above `version_max`, the two are taken
    /// for each other.
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

    /// With this range of versions, both ends included, in either order.
    #[must_use]
    pub const fn versions(mut self, min: u16, max: u16) -> Self {
        (self.version_min, self.version_max) = if min <= max { (min, max) } else { (max, min) };
        self
    }

    /// With its versions in order: the fields are public, and a range from its newer end would be
    /// refused by whoever reads it.
    const fn ordered(self) -> Self {
        self.versions(self.version_min, self.version_max)
    }

    /// With this fingerprint.
    #[must_use]
    pub const fn fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// As it travels: the metadata to open a channel with.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; OFFER_BYTES] {
        zerocopy::transmute!(OfferWire::new(self))
    }

    /// From the metadata that a channel was opened with.
    ///
    /// # Errors
    /// [`DecodeError`] where it is no offer.
    pub fn read(metadata: &[u8]) -> Result<Self, DecodeError> {
        slice::whole::<OfferWire>(metadata)?.read(0)
    }

    /// What was agreed on, from the metadata that a channel with this offer was accepted with.
    ///
    /// # Errors
    /// [`DecodeError`] where it is no agreement, or one on a version that was not offered. The
    /// limits are never wider than what was offered.
    pub fn agreed(&self, metadata: &[u8]) -> Result<Agreed, DecodeError> {
        let agreed = match Answer::read(metadata)? {
            Answer::Agreed(agreed) => agreed,
            Answer::Refused { reason, .. } => {
                return Err(DecodeError::wrong(1, "reason of agreement", reason as u64));
            }
        };
        let own = self.ordered();
        if agreed.version < own.version_min || agreed.version > own.version_max {
            return Err(DecodeError::wrong(
                2,
                "agreed version",
                agreed.version.into(),
            ));
        }
        Ok(Agreed {
            limits: tighter(&agreed.limits, &self.limits),
            ..agreed
        })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, format) = (self.wire.family(), self.wire.format());
        write!(f, "format {family}:{format:#06x}")?;
        if self.schema != 0 {
            write!(f, ", schema {}", self.schema)?;
        }
        let own = self.ordered();
        match own.version_max {
            max if max == own.version_min => write!(f, ", version {max}")?,
            max => write!(f, ", versions {} to {max}", own.version_min)?,
        }
        if self.fingerprint != 0 {
            write!(f, ", fingerprint {:#018x}", self.fingerprint)?;
        }
        Ok(())
    }
}

fn tighter(a: &Limits, b: &Limits) -> Limits {
    Limits {
        max_msg: a.max_msg.min(b.max_msg),
        max_items: a.max_items.min(b.max_items),
        max_depth: a.max_depth.min(b.max_depth),
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

impl Agreed {
    /// As it travels: the metadata to accept a channel with.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; AGREED_BYTES] {
        zerocopy::transmute!(AnswerWire::new(&Ok(*self), 0))
    }
}

/// Why an offer was refused; up to [`Fingerprint`](Self::Fingerprint), the later ones were nearer
/// to agreement.
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
    /// What came is no offer.
    Unreadable = 6,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "the peer does not speak this format",
            Self::Schema => "the peer does not have this schema id",
            Self::Version => "the peer has none of these versions",
            Self::FingerprintMissing => "this format needs a schema fingerprint on both ends",
            Self::Fingerprint => "same id and version, but the schemas differ",
            Self::Unreadable => "the peer needs an offer, and got something else",
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

impl Refusal<'_> {
    /// As it travels: the metadata to reject a channel with, beside [`NO_COMMON_CODEC`]. At most
    /// 1,008 bytes. Without an allocator, encode it as a [`Negotiation`].
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let offers = self.have.iter().take(OFFERS_MAX);
        let head = AnswerWire::new(&Err(*self), offers.len());
        let mut out = alloc::vec::Vec::with_capacity(AGREED_BYTES + offers.len() * OFFER_BYTES);
        out.extend_from_slice(zerocopy::IntoBytes::as_bytes(&head));
        for offer in offers {
            out.extend_from_slice(&offer.to_bytes());
        }
        out
    }
}

/// As [`negotiate`], with the offer as it came: the metadata that a channel was opened with.
///
/// # Errors
/// [`Refusal`]; with [`Reason::Unreadable`] where that is no offer.
pub fn negotiate_bytes<'h>(have: &'h [Offer], metadata: &[u8]) -> Result<Agreed, Refusal<'h>> {
    let reason = Reason::Unreadable;
    let want = Offer::read(metadata).map_err(|_| Refusal { reason, have })?;
    negotiate(have, &want)
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
    let (own, want) = (own.ordered(), want.ordered());
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
        limits: tighter(&own.limits, &want.limits),
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
