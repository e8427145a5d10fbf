//! Simple Binary Encoding: XML schema to Rust views.
//!
//! A venue publishes a schema; this crate turns it into a module whose views read messages straight
//! out of the receive buffer and whose builders write them straight into the send buffer. It runs in
//! a build script ([`Generator`]) or as the command `tickwire-sbe` (`gen`, `dump`, `diff`). The
//! generated module needs `tickwire-codecs` with its feature `sbe`, and nothing of this crate.
//!
//! ```text
//! schema.xml --xml--> elements --read--> ir::Schema --generate--> module.rs
//!                                            |-- dynamic: bytes to values, for tools
//!                                            |-- diff: is the new version append-only?
//!                                            `-- fingerprint: the same schema at both ends?
//! ```
//!
//! # In a build script
//!
//! ```toml
//! [dependencies]
//! tickwire-codecs = { version = "0.1", features = ["sbe"] }
//! [build-dependencies]
//! tickwire-sbe = { version = "0.1", default-features = false }
//! ```
//!
//! ```no_run
//! // build.rs
//! use tickwire_sbe::{GenerateError, Generator};
//!
//! fn main() -> Result<(), GenerateError> {
//!     Generator::new().schema("schemas/tick.xml").out("tick.rs").generate()?;
//!     Ok(())
//! }
//! ```
//!
//! ```ignore
//! // src/lib.rs
//! pub mod tick {
//!     include!(concat!(env!("OUT_DIR"), "/tick.rs"));
//! }
//!
//! use tickwire_codecs::{Codec, Encode, Limits};
//! use tick::{AnyMessage, BestBidOffer, Message};
//!
//! match AnyMessage::view(bytes, &Limits::FEED)? {
//!     Message::BestBidOffer(quote) => book.set(quote.bid_price(), quote.ask_price()),
//!     Message::Unknown(message) => tally.unknown(&message, tick::SCHEMA_ID),
//!     _ => {}
//! }
//! ```
//!
//! # What a module holds
//!
//! | schema | Rust |
//! |---|---|
//! | message `Car` | `Car` (a `Codec`), `CarView`, `CarRoot` (the fixed fields as `#[repr(C)]`), `CarBuilder` |
//! | group `fuelFigures` of `Car` | `CarFuelFiguresEntry`, and `..View` and `..Builder` where entries vary in size |
//! | enum `Side` | `Side`, any wire value, and `KnownSide` from `Side::known()` |
//! | set, composite | a struct of their name |
//! | header or dimension `frameHeader` with members of its own | `FrameHeader`, and `FrameHeaderMembers`, what a builder is given of it |
//! | the whole | `AnyMessage` (a `Codec`) with views `Message`, `SCHEMA_ID`, `SCHEMA_VERSION`, `FINGERPRINT` |
//!
//! A view has found and checked everything when `view` returns: accessors do not fail, and their order
//! does not matter. `Option` stands for fields that are `presence="optional"` or came with a version
//! above 0: `None` is null, or a sender older than the field. A composite is null where its first
//! member on the wire is; sets and arrays of numbers are never null, though their field be optional.
//! Constants are accessors that read no bytes. Groups and data that an older sender does not know are
//! empty or `None`. Where the schema has a name that generated code has too, the schema's comes first, and
//! the other gets a number.
//!
//! Everything is in one inner module whose lints are off, so that a crate of any strictness includes it
//! without a warning, whatever part of it the crate uses.
//!
//! # Padding, and several messages
//!
//! | a buffer is | is read by |
//! |---|---|
//! | one message and nothing else | `Car::view`, `AnyMessage::view`: bytes behind it are `DecodeError::Trailing` |
//! | one message with padding behind it | `Car::view_first(bytes, &limits)`: the view, and the bytes behind it |
//! | the same, for whatever takes a codec (`Batch`, `Held`, `Dyn`) | the codec `sbe::Padded<AnyMessage>` |
//! | messages one behind the other | `AnyMessage::views(bytes, &limits)`: an iterator |
//! | messages that begin at multiples of 8 bytes | `AnyMessage::views(bytes, &limits).aligned_to(8)` |
//! | messages with a length in front of each | `Batch` with a `framing::LengthField`, and `.views::<Padded<AnyMessage>>()` |
//! | messages whose header has their length | `Batch` with `sbe::HeaderLength`, and the same |
//!
//! Where several messages stand one behind the other without lengths, each is needed to find the next one:
//! an unknown template or another schema is the last, with all bytes that are left, and so is an error.
//! Zeros up to the end of the buffer are padding.
//!
//! # Headers and dimensions
//!
//! The composites before messages and groups may have members beside those of the layout: frame lengths,
//! sequence numbers, flags. `view.header()` (of the trait `sbe::View`) and `group.dimension()` give them.
//! A builder fills in the layout: `blockLength`, `templateId`, `schemaId`, `version`, `numInGroup`, and
//! `numGroups` and `numVarDataFields` where there are such. All other members are given in a field of the
//! builder, `header`, and in the `dimension` of a group (`sbe::GroupOf`). One that is required and not
//! set is refused by name (`EncodeError::Missing`) and never written as 0; one that is optional and not
//! set is null. `FrameHeaderMembers::from(view.header())` takes over those of a message that was read.
//!
//! A view goes by `numGroups` and `numVarDataFields` only where the sender's version is newer than the
//! schema: the groups that came later stand before the data, and are stepped over. That takes one
//! dimension for all groups of the schema and one type of length for all data; where a schema has several
//! the message is refused, since it cannot be told which of them the part has. So is a group of fixed
//! entries that got groups or data.
//!
//! # Values
//!
//! | schema | accessor beside the wire's own value |
//! |---|---|
//! | composite of `mantissa` and `exponent` | `.decimal()`; back by `Price::from_decimal(..)?` |
//! | composite of `time` and `unit` (a constant, an enum, a number) | `.timestamp()`; back by `from_timestamp` |
//! | integer of `semanticType="UTCTimestamp"`, or without one and with a `timeUnit` | `.sent_timestamp()`; back by `set_sent_timestamp(..)?` |
//! | integer of `semanticType="Qty"` | `.size_decimal()`; back by `set_size_decimal(..)?` |
//!
//! Decimals are `tickwire_codecs::Decimal` and instants `tickwire_codecs::UnixTime`; nothing goes through
//! a float. An instant without a unit is in nanoseconds (SBE 1.0, "Date and time encoding"). A time of the
//! day, a time of another `epoch` than Unix's and one in a unit that is none of the standard's have the
//! wire's own value alone; a unit that is misspelled behind its first four letters is still that unit. Where the
//! wire can hold more than these types, 64-bit mantissas without a sign or units that are none, the
//! accessor gives a `Result`. The way back refuses what the wire's form would lose
//! (`EncodeError::Inexact`).
//!
//! Text, data with a character encoding of ASCII or UTF-8, is `sbe::Text`: bytes, with a checked
//! `text()`. A byte that is no text does not refuse the message, and `Debug` and JSON show it escaped.
//! Data of other encodings is bytes.
//!
//! # Writing
//!
//! Messages that consist of their fixed fields alone are written from their `Root`, all others from their
//! `Builder`. Everything is written in the schema's own version.
//!
//! The fields of a `Root` are the wire's own: a null value in an optional one is none, which is also its
//! default. `set_price(Some(value))?` takes values and refuses the null value (`EncodeError::Null`), which
//! would be read back as none. A required field has no null value: every number in it is a value, and is
//! read back as it was written. `minValue` and `maxValue` are enforced neither in reading nor in writing:
//! a venue's value outside of them is still its value.
//!
//! # What it takes
//!
//! The namespace of the root element, whatever it is, FIX's own and none, under any prefix; XInclude of
//! whole files, each with a root and a namespace of its own; attributes of other vocabularies anywhere and
//! their elements where none of the schema's could stand, which are skipped; a DOCTYPE, which is not
//! acted upon; missing `blockLength` and `dimensionType`; headers, dimensions and lengths of 8, 16 and 32
//! bits at any offset; constants by text and by `valueRef`; null values by default and by `nullValue` of
//! the field or of its type; composites with offsets, nested types and `ref`; `sinceVersion` of messages,
//! fields, groups, data, values and choices; both byte orders.
//!
//! Message headers and dimensions of groups may have members of any kind and in any order beside those
//! that the layout needs: numbers, arrays, constants, enums, sets and composites. `blockLength`,
//! `templateId`, `schemaId`, `version` and `numInGroup`, and where they are declared `numGroups` and
//! `numVarDataFields`, are `uint8`, `uint16` or `uint32` on the wire; of any other type they are refused by
//! name. They are numbers even where their type is optional and the number its null value, but for
//! the two counts, whose null value stands for no number: see [`ir::Counts`].
//!
//! It does not take: entities and attributes that a DOCTYPE declares; elements of another vocabulary where
//! one of the schema's is expected; a schema without messages; numbers of 64 bits in headers, dimensions
//! and lengths, a message header that is the dimension of a group too, constants that are arrays of
//! numbers, `nullValue` of anything but a single number, character or enum, XInclude of parts
//! (`xpointer`). `deprecated` is not enforced; `sinceVersion` of a type or of a composite's member must be
//! a version of the schema, and says nothing more: a composite is read whole.
//! [`SchemaErrors`] has all faults, each with file, line and column, what stands there and what was
//! expected; what fails only because another part does is not among them.
//!
//! Source of the rules: FIX Simple Binary Encoding, technical standard 1.0.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "cli")]
pub mod capture;
mod diff;
pub mod dynamic;
mod error;
mod faults;
mod fingerprint;
mod generate;
mod generator;
pub mod ir;
mod meaning;
mod read;
mod render;
mod xml;

pub use diff::{Change, diff};
pub use error::{Position, SchemaError, SchemaErrors, SchemaWarning};
pub use generate::rust_source;
pub use generator::{GenerateError, Generated, Generator};
pub use ir::Schema;
