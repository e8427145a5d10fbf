//! Codecs as trait objects, for tools that choose the format at run time.

use crate::{Codec, DecodeError, Limits, ToJson, WireId};
use core::{fmt, marker::PhantomData};

/// A codec as a trait object, for tools that choose the format at run time. On the hot path use
/// [`Codec`], which has no dynamic dispatch.
pub trait DynCodec {
    /// Short name of the format.
    fn name(&self) -> &'static str;
    /// The format.
    fn id(&self) -> WireId;
    /// [`Codec::VERSION`].
    fn version(&self) -> u16;
    /// Checks one message.
    ///
    /// # Errors
    /// The errors of [`Codec::view`].
    fn check(&self, bytes: &[u8], limits: &Limits) -> Result<(), DecodeError>;
    /// Checks one message and writes it as one JSON value.
    ///
    /// # Errors
    /// [`ToolError::Decode`] if `bytes` are not a message; [`ToolError::Write`] if `out` fails.
    fn to_json(
        &self,
        bytes: &[u8],
        limits: &Limits,
        out: &mut dyn fmt::Write,
    ) -> Result<(), ToolError>;
}

/// The error of [`DynCodec::to_json`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ToolError {
    /// The bytes are not a message.
    Decode(DecodeError),
    /// The output failed.
    Write,
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Write => f.write_str("writing the output failed: check its destination"),
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
    /// The codec `C` under `name`, which tools show to their users.
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
