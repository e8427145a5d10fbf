//! Codecs behind one object-safe face, for tools that pick the format at run time.

use crate::{Codec, DecodeError, Limits, ToJson, WireId};
use core::{fmt, marker::PhantomData};

/// A codec chosen at run time. For tools; the hot path names its codec as a type.
pub trait DynCodec {
    /// Short name of the format.
    fn name(&self) -> &'static str;
    /// The format.
    fn id(&self) -> WireId;
    /// The newest schema version known.
    fn version(&self) -> u16;
    /// Checks one message.
    ///
    /// # Errors
    /// What [`Codec::view`] says.
    fn check(&self, bytes: &[u8], limits: &Limits) -> Result<(), DecodeError>;
    /// Checks one message and writes it as one JSON value.
    ///
    /// # Errors
    /// [`ToolError`].
    fn to_json(
        &self,
        bytes: &[u8],
        limits: &Limits,
        out: &mut dyn fmt::Write,
    ) -> Result<(), ToolError>;
}

/// Why a tool could not show a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ToolError {
    /// The bytes are not a message.
    Decode(DecodeError),
    /// The writer failed.
    Write,
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Write => f.write_str("the output could not be written"),
        }
    }
}

impl core::error::Error for ToolError {}

impl From<DecodeError> for ToolError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<fmt::Error> for ToolError {
    fn from(_: fmt::Error) -> Self {
        Self::Write
    }
}

/// A [`Codec`] as a [`DynCodec`].
#[derive(Debug)]
pub struct Dyn<C> {
    name: &'static str,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> Dyn<C> {
    /// Gives the codec a name to be shown and chosen by.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            codec: PhantomData,
        }
    }
}

impl<C: Codec> DynCodec for Dyn<C>
where
    for<'a> C::View<'a>: ToJson,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn id(&self) -> WireId {
        C::ID
    }

    fn version(&self) -> u16 {
        C::VERSION
    }

    fn check(&self, bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
        C::view(bytes, limits).map(|_| ())
    }

    fn to_json(
        &self,
        bytes: &[u8],
        limits: &Limits,
        out: &mut dyn fmt::Write,
    ) -> Result<(), ToolError> {
        C::view(bytes, limits)?.to_json(out)?;
        Ok(())
    }
}
