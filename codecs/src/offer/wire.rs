//! Offers and answers as bytes.

use super::{AGREED_BYTES, Agreed, OFFER_BYTES, OFFERS_MAX, Offer, Reason, Refusal};
use crate::{
    Codec, DecodeError, Encode, EncodeError, Limits, WireId, encode_bytes, family,
    le::{U16, U32, U64},
    slice,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the layouts.
const FORM: u8 = 1;

/// The limits of a refusal.
const NO_LIMITS: Limits = Limits {
    max_msg: 0,
    max_items: 0,
    max_depth: 0,
};

/// The limits of an answer.
const ANSWER_LIMITS: Limits = Limits {
    max_msg: (AGREED_BYTES + OFFERS_MAX * OFFER_BYTES) as u32,
    max_items: OFFERS_MAX as u32,
    max_depth: 0,
};

/// The layout of an offer: 32 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Debug)]
#[repr(C)]
pub(super) struct OfferWire {
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
pub(super) struct AnswerWire {
    form: u8,
    reason: u8,
    version: U16,
    max_depth: U16,
    count: U16,
    max_msg: U32,
    max_items: U32,
}

const _: () = assert!(OFFER_BYTES == 32 && AGREED_BYTES == 16 && ANSWER_LIMITS.max_msg <= 1024);

impl AnswerWire {
    /// The head of an answer with `count` offers.
    pub(super) fn new(answer: &Result<Agreed, Refusal<'_>>, count: usize) -> Self {
        let (reason, version, limits) = match answer {
            Ok(agreed) => (0, agreed.version, agreed.limits),
            Err(refusal) => (refusal.reason as u8, 0, NO_LIMITS),
        };
        Self {
            form: FORM,
            reason,
            version: version.into(),
            max_depth: limits.max_depth.into(),
            count: (count as u16).into(),
            max_msg: limits.max_msg.into(),
            max_items: limits.max_items.into(),
        }
    }
}

impl OfferWire {
    pub(super) fn new(offer: &Offer) -> Self {
        let offer = offer.ordered();
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

    /// Reads the offer; `at` is its offset, for errors.
    pub(super) fn read(&self, at: usize) -> Result<Offer, DecodeError> {
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

/// An answer, as the offering end reads it.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// The ends agree.
    Agreed(Agreed),
    /// The peer refuses and lists its offers.
    Refused {
        /// The reason.
        reason: Reason,
        /// The offers of the peer.
        have: Offers<'a>,
    },
}

impl<'a> Answer<'a> {
    /// Reads an answer from the metadata of a channel acceptance or rejection.
    ///
    /// # Errors
    /// [`DecodeError`] if `metadata` is not an answer: the peer does not negotiate codecs.
    pub fn read(metadata: &'a [u8]) -> Result<Self, DecodeError> {
        Negotiation::view(metadata, &ANSWER_LIMITS)
    }
}

/// The checked offers of a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Offers<'a>(&'a [OfferWire]);

impl<'a> Offers<'a> {
    /// The number of offers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the refusal lists no offers.
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
            6 => Some(Reason::Unreadable),
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

/// The result of [`negotiate`](crate::negotiate), encoded as the answer.
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
        let offers = self.map_or_else(|refusal| refusal.have, |_| &[]);
        let offers = offers.get(..OFFERS_MAX).unwrap_or(offers);
        let head = AnswerWire::new(self, offers.len());
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
