//! The two bincode wire formats, under limits.
//!
//! | type | format | known as | integers |
//! |---|---|---|---|
//! | [`Fix`] | `bincode-fix` | bincode 1; bincode 2 `legacy()` | fixed width |
//! | [`Var`] | `bincode-var` | bincode 2 `standard()` | 1 to 9 bytes |
//!
//! Messages of these formats do not describe their layout, and types cannot evolve: both ends need the same
//! type. So a type of a channel has a fingerprint ([`Message`]). Use another format for market data and
//! control messages.
//!
//! Every decoding call takes [`Limits`] and refuses bytes behind the message. Beside `max_msg`, there is a
//! memory limit for the elements of each collection: four times `max_msg`, rounded up to 64 KiB, 1 MiB,
//! 16 MiB or 64 MiB. The decoder refuses a larger collection before it allocates memory for it. The memory of
//! a whole value depends on its type: an element has at least one byte on the wire, so the value takes about
//! the length of the message times the size of the largest element. With `Option<[u64; 513]>`, whose `None`
//! is one byte, 64 KiB on the wire become 256 MiB in memory. For untrusted input, use elements of about the
//! same size in memory and on the wire.
//!
//! `max_items` and `max_depth` have no effect, because bincode does not support such limits. So do not decode
//! recursive types (only `max_msg` bounds their depth, and the stack may overflow) or collections of
//! zero-sized types (their length has no limit).
//!
//! ```
//! use bincode::{Decode, Encode}; // version =2.0.1
//! use tickwire_codecs::{Limits, bincode::{Engine, Fix}};
//! #[derive(Encode, Decode, PartialEq, Debug)]
//! struct Fill { order: u64, shares: u32, venue: String }
//! let fill = Fill { order: 7, shares: 100, venue: "XNAS".into() };
//! let mut wire = [0; 64];
//! let len = Fix::encode(&fill, &mut wire)?;
//! assert_eq!(len, Fix::encoded_len(&fill)?);
//! assert_eq!(Fix::decode::<Fill>(&wire[..len], &Limits::DEVICE)?, fill);
//! assert!(Fix::decode::<Fill>(&wire[..len + 1], &Limits::DEVICE).is_err());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod budget;
mod read;
#[cfg(feature = "wincode")]
pub mod wincode;

use crate::{Codec, DecodeError, Encode, EncodeError, Limits, WireId, family};
use ::bincode::{
    config::{Configuration, Fixint, Limit, LittleEndian, Varint},
    de::{BorrowDecode, BorrowDecoder, Decode, DecoderImpl},
    enc::{self, write::SizeWriter},
};
use budget::Budget;
use core::marker::PhantomData;
use read::{Cursor, map_decode};

/// `bincode-fix`: integers have their full width.
#[derive(Clone, Copy, Debug)]
pub enum Fix {}

/// `bincode-var`: integers take as few bytes as they need.
#[derive(Clone, Copy, Debug)]
pub enum Var {}

mod sealed {
    use bincode::config::Config;

    /// The configurations of one format: without a limit, for encoding, and with each step.
    pub trait Format: 'static {
        const FORMAT: u16;
        type Open: Config + Default;
        type Limit64K: Config + Default;
        type Limit1M: Config + Default;
        type Limit16M: Config + Default;
        type Limit64M: Config + Default;
    }
}

macro_rules! format {
    ($name:ident, $int:ty, $format:literal) => {
        impl sealed::Format for $name {
            const FORMAT: u16 = $format;
            type Open = Configuration<LittleEndian, $int>;
            type Limit64K = Configuration<LittleEndian, $int, Limit<{ 64 << 10 }>>;
            type Limit1M = Configuration<LittleEndian, $int, Limit<{ 1 << 20 }>>;
            type Limit16M = Configuration<LittleEndian, $int, Limit<{ 16 << 20 }>>;
            type Limit64M = Configuration<LittleEndian, $int, Limit<{ 64 << 20 }>>;
        }

        impl Engine for $name {}
    };
}
format!(Fix, Fixint, 1);
format!(Var, Varint, 2);

/// Decodes and encodes values of one of the two formats with the `bincode` crate.
pub trait Engine: sealed::Format {
    /// Reads one value that owns its data.
    ///
    /// # Errors
    /// [`DecodeError`] at the offset that the engine reached; [`DecodeError::Trailing`] if bytes remain.
    fn decode<T: Decode<()>>(bytes: &[u8], limits: &Limits) -> Result<T, DecodeError> {
        limits.check_msg(bytes.len())?;
        match Budget::of(limits) {
            Budget::K64 => run::<Self::Limit64K, _>(bytes, Budget::K64, |d| T::decode(d)),
            Budget::M1 => run::<Self::Limit1M, _>(bytes, Budget::M1, |d| T::decode(d)),
            Budget::M16 => run::<Self::Limit16M, _>(bytes, Budget::M16, |d| T::decode(d)),
            Budget::M64 => run::<Self::Limit64M, _>(bytes, Budget::M64, |d| T::decode(d)),
        }
    }

    /// Reads one value that borrows text and bytes from the message.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    fn decode_borrowed<'a, T: BorrowDecode<'a, ()>>(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<T, DecodeError> {
        limits.check_msg(bytes.len())?;
        match Budget::of(limits) {
            Budget::K64 => run::<Self::Limit64K, _>(bytes, Budget::K64, |d| T::borrow_decode(d)),
            Budget::M1 => run::<Self::Limit1M, _>(bytes, Budget::M1, |d| T::borrow_decode(d)),
            Budget::M16 => run::<Self::Limit16M, _>(bytes, Budget::M16, |d| T::borrow_decode(d)),
            Budget::M64 => run::<Self::Limit64M, _>(bytes, Budget::M64, |d| T::borrow_decode(d)),
        }
    }

    /// The exact length of the encoded value, in bytes.
    ///
    /// # Errors
    /// [`EncodeError::Order`] if the type's own encoding fails.
    fn encoded_len<T: enc::Encode>(value: &T) -> Result<usize, EncodeError> {
        let mut size = SizeWriter::default();
        ::bincode::encode_into_writer(value, &mut size, Self::Open::default())
            .map_err(|_| EncodeError::Order { what: OWN_ENCODING })?;
        Ok(size.bytes_written)
    }

    /// Writes the value at the start of `out` and returns its length.
    ///
    /// # Errors
    /// [`EncodeError::Room`], with the length needed; [`EncodeError::Order`] if the type's own
    /// encoding fails.
    fn encode<T: enc::Encode>(value: &T, out: &mut [u8]) -> Result<usize, EncodeError> {
        let have = out.len();
        match ::bincode::encode_into_slice(value, out, Self::Open::default()) {
            Ok(len) => Ok(len),
            Err(::bincode::error::EncodeError::UnexpectedEnd) => Err(EncodeError::Room {
                need: Self::encoded_len(value)?,
                have,
            }),
            Err(_) => Err(EncodeError::Order { what: OWN_ENCODING }),
        }
    }
}

const OWN_ENCODING: &str = "a value whose own Encode succeeds";

fn run<'a, C, T>(
    bytes: &'a [u8],
    budget: Budget,
    decode: impl FnOnce(&mut DecoderImpl<Cursor<'a>, C, ()>) -> Result<T, ::bincode::error::DecodeError>,
) -> Result<T, DecodeError>
where
    C: ::bincode::config::Config + Default,
{
    let mut decoder = DecoderImpl::new(Cursor::new(bytes), C::default(), ());
    let result = decode(&mut decoder);
    let at = decoder.borrow_reader().at();
    match result {
        Ok(value) if at == bytes.len() => Ok(value),
        Ok(_) => Err(DecodeError::trailing(at, bytes.len() - at)),
        Err(error) => Err(map_decode(&error, at, bytes.len(), budget.bytes())),
    }
}

/// A type of bincode messages. Its view borrows from the message; for types that own their data use
/// [`Engine::decode`].
pub trait Message: 'static {
    /// The [`fingerprint`](crate::fingerprint) of the definition of the type. If the definition changes,
    /// change the fingerprint too: bincode cannot detect a difference.
    const FINGERPRINT: u64;
    /// The message; text and bytes borrow the frame.
    type Value<'a>: BorrowDecode<'a, ()> + enc::Encode + Copy;
}

/// The codec of messages `T` in format `W`, [`Fix`] or [`Var`].
#[derive(Debug)]
pub struct Bincode<W, T>(PhantomData<fn() -> (W, T)>);

impl<W: Engine, T: Message> Codec for Bincode<W, T> {
    const ID: WireId = WireId::new(family::BINCODE, W::FORMAT);
    const VERSION: u16 = 0;
    type View<'a> = T::Value<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Self::View<'a>, DecodeError> {
        W::decode_borrowed(bytes, limits)
    }
}

/// A value as a message of [`Bincode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<V>(pub V);

impl<W: Engine, T: Message, V: enc::Encode> Encode<Bincode<W, T>> for Payload<V> {
    /// 0 if the encoding of the type fails; `encode` returns the error.
    fn encoded_len(&self) -> usize {
        W::encoded_len(&self.0).unwrap_or(0)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        W::encode(&self.0, out)
    }
}
