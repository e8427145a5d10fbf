//! Violations of the wire format.

use core::{error, fmt};

/// A rule of the `tickwire.mux.v1` wire format that a record breaks.
///
/// Each ends the connection (rule R2); [`rule`](Self::rule) is the text for logs and for the peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WireError {
    /// A frame reaches past the end of its record.
    Truncated,
    /// Types 0xC to 0xE are reserved.
    ReservedType,
    /// A flag that the frame type does not define.
    UnknownFlags,
    /// More than 63 bytes of PAD in a row.
    TooMuchPad,
    /// An alias of 2^20 or more.
    AliasTooLarge,
    /// An error code of 2^32 or more.
    CodeTooLarge,
    /// DATA with both FIN and MORE.
    FinWithMore,
    /// SKIP of zero messages.
    SkipZero,
    /// RUN with elements of zero bytes.
    RunElementEmpty,
    /// RUN of zero elements.
    RunEmpty,
    /// RUN without LEN, where the rest of the record is not a whole number of elements.
    RunNotWhole,
    /// RUN with an element size or a count of 2^32 or more.
    RunTooLarge,
    /// CREDIT with more than one of NARROW, BLOCKED and RETURN.
    CreditOfTwoKinds,
    /// RESET with neither ABORT nor STOP.
    ResetOfNothing,
    /// Direction 3 of OPEN is reserved.
    ReservedDirection,
    /// The high nibble of the mode of OPEN must be zero.
    ReservedMode,
    /// Alignment of more than 2^6 bytes.
    AlignTooLarge,
    /// More than 4,096 bytes of options.
    OptionsTooLong,
    /// An option reaches past the end of the options.
    OptionTruncated,
    /// An option whose value does not have the length of its id.
    OptionMalformed,
    /// The same option twice.
    OptionTwice,
    /// More than one of REPLAY, SNAPSHOT and FRESH.
    TwoAnswers,
    /// WANTS in an OPEN.
    WantsInOpen,
    /// More than 123 bytes of reason.
    ReasonTooLong,
    /// A reason that is not UTF-8.
    ReasonNotUtf8,
    /// More than 1,024 bytes of HELLO.
    HelloTooLong,
    /// A parameter reaches past the end of its HELLO.
    ParameterTruncated,
    /// A parameter whose value has zero or more than 8 bytes.
    ParameterMalformed,
    /// The same parameter twice.
    ParameterTwice,
    /// A parameter outside its bounds.
    ParameterOutOfBounds,
}

impl WireError {
    /// The rule as text, at most 123 bytes: it fits GOAWAY and a close frame.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Truncated => "a frame must end within its record",
            Self::ReservedType => "frame types 0xC to 0xE are reserved",
            Self::UnknownFlags => "a frame must carry only flags of its type",
            Self::TooMuchPad => "at most 63 bytes of PAD may follow each other",
            Self::AliasTooLarge => "an alias must be below 2^20",
            Self::CodeTooLarge => "an error code must be below 2^32",
            Self::FinWithMore => "DATA must not have both FIN and MORE",
            Self::SkipZero => "SKIP must count at least one message",
            Self::RunElementEmpty => "an element of a RUN must have at least one byte",
            Self::RunEmpty => "a RUN must have at least one element",
            Self::RunNotWhole => "a RUN without LEN must end the record with a whole element",
            Self::RunTooLarge => "element size and count of a RUN must be below 2^32",
            Self::CreditOfTwoKinds => "CREDIT must have at most one of NARROW, BLOCKED and RETURN",
            Self::ResetOfNothing => "RESET must have ABORT, STOP or both",
            Self::ReservedDirection => "direction 3 of OPEN is reserved",
            Self::ReservedMode => "the high four bits of the mode of OPEN must be zero",
            Self::AlignTooLarge => "the alignment exponent of OPEN must be at most 6",
            Self::OptionsTooLong => "options must be at most 4096 bytes",
            Self::OptionTruncated => "an option must end within the options of its frame",
            Self::OptionMalformed => "the value of an option must be as long as its id says",
            Self::OptionTwice => "an option must not be repeated",
            Self::TwoAnswers => "REPLAY, SNAPSHOT and FRESH exclude each other",
            Self::WantsInOpen => "WANTS is an option of ACCEPT, not of OPEN",
            Self::ReasonTooLong => "the reason of GOAWAY must be at most 123 bytes",
            Self::ReasonNotUtf8 => "the reason of GOAWAY must be UTF-8",
            Self::HelloTooLong => "HELLO must be at most 1024 bytes",
            Self::ParameterTruncated => "a parameter must end within its HELLO",
            Self::ParameterMalformed => "the value of a parameter of HELLO must be 1 to 8 bytes",
            Self::ParameterTwice => "a parameter of HELLO must not be repeated",
            Self::ParameterOutOfBounds => "a parameter of HELLO must be within its bounds",
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

impl error::Error for WireError {}
