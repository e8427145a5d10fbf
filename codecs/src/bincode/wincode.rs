//! The two formats with the `wincode` crate. It is faster, and requires types that derive its `SchemaRead`
//! and `SchemaWrite`.
//!
//! The rules of the [parent module](super) apply.
//!
//! ```
//! use tickwire_codecs::{Limits, bincode::wincode::{fix, var}};
//! let value = ("ok".to_string(), 300_u32);
//! let mut wire = [0; 16];
//! assert_eq!(fix::encode(&value, &mut wire)?, 8 + 2 + 4);
//! assert_eq!(fix::decode::<(String, u32)>(&wire[..14], &Limits::DEVICE)?, value);
//! assert_eq!(var::encode(&value, &mut wire)?, 1 + 2 + 3);
//! assert_eq!(var::decode::<(String, u32)>(&wire[..6], &Limits::DEVICE)?, value);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use super::budget::Budget;
use crate::{DecodeError, EncodeError, Limits};
use ::wincode::{
    SchemaRead, SchemaWrite,
    config::{self, Configuration, PREALLOCATION_SIZE_LIMIT_DISABLED},
    error::{ReadError, WriteError},
    int_encoding::{FixInt, LittleEndian, VarInt},
    io,
    len::BincodeLen,
};

/// A configuration whose collections take at most `BYTES` of memory each.
type Bounded<I, const BYTES: usize> = Configuration<true, BYTES, BincodeLen, LittleEndian, I, u32>;

macro_rules! engine {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        pub mod $name {
            use super::*;

            type Limit64K = Bounded<$int, { 64 << 10 }>;
            type Limit1M = Bounded<$int, { 1 << 20 }>;
            type Limit16M = Bounded<$int, { 16 << 20 }>;
            type Limit64M = Bounded<$int, { 64 << 20 }>;
            type Open = Bounded<$int, PREALLOCATION_SIZE_LIMIT_DISABLED>;

            mod sealed {
                pub trait Sealed {}
            }

            /// A type that can be decoded: every type that derives `SchemaRead`.
            pub trait Read<'a>: sealed::Sealed + Sized {
                #[doc(hidden)]
                fn read(bytes: &mut &'a [u8], budget: Budget) -> Result<Self, ReadError>;
            }

            impl<T> sealed::Sealed for T {}

            impl<'a, T> Read<'a> for T
            where
                T: SchemaRead<'a, Limit64K, Dst = T>
                    + SchemaRead<'a, Limit1M, Dst = T>
                    + SchemaRead<'a, Limit16M, Dst = T>
                    + SchemaRead<'a, Limit64M, Dst = T>,
            {
                #[inline]
                fn read(bytes: &mut &'a [u8], budget: Budget) -> Result<Self, ReadError> {
                    match budget {
                        Budget::K64 => <T as SchemaRead<'a, Limit64K>>::get(bytes),
                        Budget::M1 => <T as SchemaRead<'a, Limit1M>>::get(bytes),
                        Budget::M16 => <T as SchemaRead<'a, Limit16M>>::get(bytes),
                        Budget::M64 => <T as SchemaRead<'a, Limit64M>>::get(bytes),
                    }
                }
            }

            /// A type that can be encoded: every type that derives `SchemaWrite`.
            pub trait Write: SchemaWrite<Open, Src = Self> {}

            impl<T: SchemaWrite<Open, Src = T> + ?Sized> Write for T {}

            /// Reads one value, which may borrow text and bytes from the message.
            ///
            /// # Errors
            /// [`DecodeError`] at the offset that the engine reached; [`DecodeError::Trailing`] if bytes
            /// remain.
            #[inline]
            pub fn decode<'a, T: Read<'a>>(
                bytes: &'a [u8],
                limits: &Limits,
            ) -> Result<T, DecodeError> {
                limits.check_msg(bytes.len())?;
                let mut rest = bytes;
                let result = T::read(&mut rest, Budget::of(limits));
                match result {
                    Ok(value) if rest.is_empty() => Ok(value),
                    Ok(_) => Err(DecodeError::trailing(bytes.len() - rest.len(), rest.len())),
                    Err(error) => Err(map_read(&error, bytes.len() - rest.len(), rest.len())),
                }
            }

            /// The exact length of the encoded value, in bytes.
            ///
            /// # Errors
            /// [`EncodeError::Order`] if the type's own encoding fails.
            pub fn encoded_len<T: Write + ?Sized>(value: &T) -> Result<usize, EncodeError> {
                config::serialized_size(value, Open::new())
                    .map(|len| len as usize)
                    .map_err(|_| EncodeError::Order { what: super::super::OWN_ENCODING })
            }

            /// Writes the value at the start of `out` and returns its length.
            ///
            /// # Errors
            /// [`EncodeError::Room`], with the length needed; [`EncodeError::Order`] if the
            /// type's own encoding fails.
            pub fn encode<T: Write + ?Sized>(
                value: &T,
                out: &mut [u8],
            ) -> Result<usize, EncodeError> {
                let have = out.len();
                let mut rest = out;
                match config::serialize_into(&mut rest, value, Open::new()) {
                    Ok(()) => Ok(have - rest.len()),
                    Err(WriteError::Io(_)) => {
                        Err(EncodeError::Room { need: encoded_len(value)?, have })
                    }
                    Err(_) => Err(EncodeError::Order { what: super::super::OWN_ENCODING }),
                }
            }
        }
    };
}

engine! {
    /// `bincode-fix` with wincode.
    fix, FixInt
}
engine! {
    /// `bincode-var` with wincode.
    var, VarInt
}

#[cold]
fn map_read(refusal: &ReadError, at: usize, have: usize) -> DecodeError {
    let wrong = |what, got| DecodeError::wrong(at, what, got);
    match *refusal {
        ReadError::Io(io::ReadError::ReadSizeLimit(need)) => DecodeError::short(at, need, have),
        ReadError::Io(_) => DecodeError::short(at, have.saturating_add(1), have),
        ReadError::PreallocationSizeLimit { needed, limit } => {
            DecodeError::limit(at, "bytes of memory", needed as u64, limit as u64)
        }
        ReadError::InvalidUtf8Encoding(_) => DecodeError::Utf8 {
            at: crate::error::offset(at),
        },
        ReadError::InvalidUtf8Code(value) => wrong("char", value.into()),
        ReadError::InvalidCharLead(byte) => wrong("char", byte.into()),
        ReadError::InvalidTagEncoding(tag) => wrong("enum variant", tag as u64),
        ReadError::InvalidBoolEncoding(byte) => wrong("bool", byte.into()),
        ReadError::LengthEncodingOverflow(_) => wrong("length", u64::MAX),
        _ => wrong("value", 0),
    }
}
