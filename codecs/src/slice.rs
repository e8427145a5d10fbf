//! Typed parts of a slice. Only this module turns bytes into wire structs.
//!
//! A wire struct is `#[repr(C)]` with alignment 1 and no invalid bit patterns, so the length is the only
//! check.

use crate::DecodeError;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Reads a `T` at offset `at` of `bytes`.
///
/// # Errors
/// [`DecodeError::Short`] at `at`.
#[inline]
pub fn part<T>(bytes: &[u8], at: usize) -> Result<&T, DecodeError>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let rest = bytes.get(at..).unwrap_or_default();
    match T::ref_from_prefix(rest) {
        Ok((value, _)) => Ok(value),
        Err(_) => Err(DecodeError::short(at, size_of::<T>(), rest.len())),
    }
}

/// Reads `bytes` as exactly one `T`.
///
/// # Errors
/// [`DecodeError::Short`] if `bytes` are shorter than `T`, or [`DecodeError::Trailing`] if they are longer.
#[inline]
pub fn whole<T>(bytes: &[u8]) -> Result<&T, DecodeError>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    match T::ref_from_bytes(bytes) {
        Ok(value) => Ok(value),
        Err(_) if bytes.len() < size_of::<T>() => {
            Err(DecodeError::short(0, size_of::<T>(), bytes.len()))
        }
        Err(_) => Err(DecodeError::trailing(
            size_of::<T>(),
            bytes.len() - size_of::<T>(),
        )),
    }
}

/// Reads `count` adjacent entries of `T` from offset `at`. Check `count` against the limits first.
///
/// # Errors
/// [`DecodeError::Short`] at `at`.
#[inline]
pub fn entries<T>(bytes: &[u8], at: usize, count: usize) -> Result<&[T], DecodeError>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let rest = bytes.get(at..).unwrap_or_default();
    match <[T]>::ref_from_prefix_with_elems(rest, count) {
        Ok((values, _)) => Ok(values),
        Err(_) => Err(DecodeError::short(
            at,
            count.saturating_mul(size_of::<T>()),
            rest.len(),
        )),
    }
}

/// The `len` bytes at offset `at`.
///
/// # Errors
/// [`DecodeError::Short`] at `at`.
#[inline]
pub fn span(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], DecodeError> {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.get(..len)
        .ok_or_else(|| DecodeError::short(at, len, rest.len()))
}

/// The `len` bytes at offset `at` as text.
///
/// # Errors
/// [`DecodeError::Short`] at `at`, or [`DecodeError::Utf8`] at the first invalid byte.
#[inline]
pub fn text(bytes: &[u8], at: usize, len: usize) -> Result<&str, DecodeError> {
    let span = span(bytes, at, len)?;
    core::str::from_utf8(span).map_err(|error| DecodeError::Utf8 {
        at: crate::error::offset(at + error.valid_up_to()),
    })
}
