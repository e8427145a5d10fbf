//! Codec negotiation: an offer from each end of a channel, and the answer.
//!
//! ```text
//! offer    | form: u8 = 1 | 0 | versions: u16 u16 | max_depth: u16 |
//!          | wire: u32 | schema: u32 | max_msg: u32 | max_items: u32 | fingerprint: u64 |   32 bytes
//! answer   | form: u8 = 1 | reason: u8 | version: u16 | max_depth: u16 | count: u16 |
//!          | max_msg: u32 | max_items: u32 | offer * count |                    16 + 32 * count bytes
//! ```
//!
//! All numbers are little-endian. `reason` 0 is an agreement and has no offers. Any other `reason` is a
//! refusal; the offers of the refusing end follow.
//!
//! The opener sends an offer, the acceptor negotiates, and the opener reads the answer:
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

/// The largest number of offers in a refusal. An end with more offers lists the first 31. A refusal with 31
/// offers has 1,008 bytes and fits the 1 KiB of metadata of a channel's frames.
pub const OFFERS_MAX: usize = 31;

/// The length of an [`Offer`], in bytes.
pub const OFFER_BYTES: usize = size_of::<OfferWire>();

/// The length of an agreement, and of a refusal before its offers, in bytes.
pub const AGREED_BYTES: usize = size_of::<AnswerWire>();

/// The code of a channel rejection if the ends have no codec in common; the metadata is the [`Refusal`].
/// It is the first code of the range that channels leave to applications.
pub const NO_COMMON_CODEC: u32 = 16;

/// One format that an end of a channel supports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The format.
    pub wire: WireId,
    /// The id of the schema; 0 if the format has no schema ids.
    pub schema: u32,
    /// The oldest version that this end reads and writes. If it is above `version_max`, the two are
    /// exchanged.
    pub version_min: u16,
    /// The newest version that this end reads and writes.
    pub version_max: u16,
    /// The limits of this end for messages that it receives.
    pub limits: Limits,
    /// The [`fingerprint`] of the canonical schema of `version_max`; 0 if there is none. Required
    /// for formats that cannot evolve ([`WireId::is_rigid`]).
    pub fingerprint: u64,
}

impl Offer {
    /// An offer of version 0, without schema id and fingerprint.
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

    /// An offer of the format and the version of a codec.
    #[must_use]
    pub const fn of<C: Codec>(limits: Limits) -> Self {
        Self::new(C::ID, limits).versions(C::VERSION, C::VERSION)
    }

    /// Sets the schema id.
    #[must_use]
    pub const fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Sets the range of versions. Both bounds are included and may come in either order.
    #[must_use]
    pub const fn versions(mut self, min: u16, max: u16) -> Self {
        (self.version_min, self.version_max) = if min <= max { (min, max) } else { (max, min) };
        self
    }

    /// This offer with its versions in order. The fields are public, so a caller can exchange them, and
    /// readers refuse such a range.
    const fn ordered(self) -> Self {
        self.versions(self.version_min, self.version_max)
    }

    /// Sets the fingerprint.
    #[must_use]
    pub const fn fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// The encoded offer: the metadata of a channel open.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; OFFER_BYTES] {
        zerocopy::transmute!(OfferWire::new(self))
    }

    /// Reads an offer from the metadata of a channel open.
    ///
    /// # Errors
    /// [`DecodeError`] if `metadata` is not an offer.
    pub fn read(metadata: &[u8]) -> Result<Self, DecodeError> {
        slice::whole::<OfferWire>(metadata)?.read(0)
    }

    /// Reads the agreement from the metadata of the acceptance of a channel that was opened with this offer.
    ///
    /// # Errors
    /// [`DecodeError`] if `metadata` is not an agreement, or if the agreed version is outside the offer. The
    /// limits of the result never exceed the limits of the offer.
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

/// The result of a negotiation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The version to write: the newest version that both ends support.
    pub version: u16,
    /// The tighter of both ends' limits.
    pub limits: Limits,
}

impl Agreed {
    /// The encoded agreement: the metadata of a channel acceptance.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; AGREED_BYTES] {
        zerocopy::transmute!(AnswerWire::new(&Ok(*self), 0))
    }
}

/// The reason of a refusal. Up to [`Fingerprint`](Self::Fingerprint), a greater reason is nearer to an
/// agreement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// The peer does not support the format.
    Wire = 1,
    /// The peer supports the format, but not the schema id.
    Schema = 2,
    /// The peer has the schema, but none of the offered versions.
    Version = 3,
    /// The format cannot evolve, and an end did not give a fingerprint.
    FingerprintMissing = 4,
    /// The schemas differ, although their id and version are equal.
    Fingerprint = 5,
    /// The metadata is not an offer.
    Unreadable = 6,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "the peer does not support this format",
            Self::Schema => "the peer does not have this schema id",
            Self::Version => "the peer supports none of these versions",
            Self::FingerprintMissing => "this format requires a schema fingerprint from both ends",
            Self::Fingerprint => "the schemas differ, although id and version are equal",
            Self::Unreadable => {
                "the peer requires an offer of a codec, and the metadata is not an offer"
            }
        })
    }
}

/// A refusal, as the answering end makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<'h> {
    /// The reason.
    pub reason: Reason,
    /// The offers of this end.
    pub have: &'h [Offer],
}

impl Refusal<'_> {
    /// The encoded refusal: the metadata of a channel rejection with the code [`NO_COMMON_CODEC`], at most
    /// 1,008 bytes. Without an allocator, encode the refusal as a [`Negotiation`].
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

/// [`negotiate`] with an encoded offer: the metadata of a channel open.
///
/// # Errors
/// [`Refusal`], with [`Reason::Unreadable`] if `metadata` is not an offer.
pub fn negotiate_bytes<'h>(have: &'h [Offer], metadata: &[u8]) -> Result<Agreed, Refusal<'h>> {
    let reason = Reason::Unreadable;
    let want = Offer::read(metadata).map_err(|_| Refusal { reason, have })?;
    negotiate(have, &want)
}

/// Compares an offer with the offers of this end. The newest version that both ends support wins; among
/// equal versions the first offer of `have` wins.
///
/// # Errors
/// [`Refusal`] if no offer of `have` fits. Encode it as a [`Negotiation`], or with `to_vec`, and send it to
/// the peer.
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

/// The 64-bit FNV-1a hash of a canonical schema text, never 0. It detects schemas that differ by mistake.
/// It does not protect against deliberate collisions.
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
