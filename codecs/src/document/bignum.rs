//! Integers of more than 64 bits: CBOR's tags 2 and 3 (RFC 8949 section 3.4.3).

/// Tag of an integer of 0 or more.
pub(super) const POSITIVE: u64 = 2;
/// Tag of a negative integer.
pub(super) const NEGATIVE: u64 = 3;

/// An integer of any size: bytes with a sign.
///
/// ```
/// use tickwire_codecs::document::Bignum;
/// let number = Bignum::new(true, &[0, 0, 1, 0]);
/// assert_eq!(number.magnitude(), [1, 0]); // -1 - 256
/// assert_eq!(number.to_i128(), Some(-257));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bignum<'a> {
    negative: bool,
    magnitude: &'a [u8],
}

impl<'a> Bignum<'a> {
    /// The number `n`, or `-1 - n` if `negative`. The bytes of `n` are most significant first. Leading zeros
    /// do not count, so equal numbers compare equal.
    #[must_use]
    pub fn new(negative: bool, n: &'a [u8]) -> Self {
        let zeros = n.iter().take_while(|&&byte| byte == 0).count();
        Self {
            negative,
            magnitude: n.get(zeros..).unwrap_or_default(),
        }
    }

    /// Whether the number is below 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// The bytes of `n`, most significant first and without leading zeros: the number is `n`, or `-1 - n`
    /// if it is negative. Empty for `n` = 0.
    #[must_use]
    pub const fn magnitude(self) -> &'a [u8] {
        self.magnitude
    }

    /// The number; `None` if the type cannot hold it.
    #[must_use]
    pub fn to_i128(self) -> Option<i128> {
        to_i128(self.negative, self.magnitude)
    }

    /// The number; `None` if the type cannot hold it.
    #[must_use]
    pub fn to_u128(self) -> Option<u128> {
        match self.negative {
            true => None,
            false => to_u128(self.magnitude),
        }
    }
}

/// Bytes, most significant first, as a number.
pub(super) fn to_u128<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> Option<u128> {
    bytes.into_iter().try_fold(0u128, |value, &byte| {
        let shifted = value.checked_mul(256)?;
        Some(shifted | u128::from(byte))
    })
}

/// The same with a sign: `n`, or `-1 - n`.
pub(super) fn to_i128<'a>(negative: bool, bytes: impl IntoIterator<Item = &'a u8>) -> Option<i128> {
    let n = i128::try_from(to_u128(bytes)?).ok()?;
    Some(if negative { -1 - n } else { n })
}
