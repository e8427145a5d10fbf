//! A generator for Simple Binary Encoding (SBE): from an XML schema to Rust views and builders.
//!
//! A venue publishes a schema. This crate generates a Rust module from the schema: its views read messages
//! in the receive buffer, and its builders write messages into the send buffer. The generator runs in a
//! build script ([`Generator`]) or as the command `tickwire-sbe` (`gen`, `dump`, `diff`). The generated
//! module depends on `tickwire-codecs` with its feature `sbe`, and not on this crate.
//!
//! ```text
//! schema.xml --xml--> elements --read--> ir::Schema --generate--> module.rs
//!                                            |-- dynamic: bytes to values, for tools
//!                                            |-- diff: the changes between two versions
//!                                            `-- fingerprint: a hash to compare the schemas of two ends
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
//! # Content of a module
//!
//! | schema | Rust |
//! |---|---|
//! | message `Car` | `Car` (a `Codec`), `CarView`, `CarRoot` (the fixed fields as `#[repr(C)]`), `CarBuilder` |
//! | group `fuelFigures` of `Car` | `CarFuelFiguresEntry`, and `..View` and `..Builder` if entries vary in size |
//! | enum `Side` | `Side`, which holds any wire value, and `KnownSide`, the result of `Side::known()` |
//! | set, composite | a struct of the same name |
//! | header or dimension `frameHeader` with additional members | `FrameHeader`, and `FrameHeaderMembers`: the members that a builder takes |
//! | the whole schema | `AnyMessage` (a `Codec`) with the enum of views `Message`, `SCHEMA_ID`, `SCHEMA_VERSION`, `FINGERPRINT` |
//!
//! `view` checks the whole message, so accessors cannot fail and a program may call them in any order. An
//! accessor returns an `Option` if its field is `presence="optional"` or newer than version 0: `None` means
//! null, or a sender whose version is older than the field. A composite is null if its first member on the
//! wire is null. Sets and arrays of numbers are never null, even in an optional field. Accessors of constants
//! read no bytes. Groups and data that are newer than the version of the sender are empty or `None`. If a
//! name of the schema collides with a name of the generator, the name of the generator gets a number.
//!
//! The generated code is in an inner module that allows all lints: a library or program that denies
//! warnings compiles with the module, even if it uses only a part of it.
//!
//! # Padding, and several messages
//!
//! | content of a buffer | function |
//! |---|---|
//! | one message | `Car::view`, `AnyMessage::view`: bytes behind the message are `DecodeError::Trailing` |
//! | one message and padding | `Car::view_first(bytes, &limits)`: returns the view and the bytes behind the message |
//! | one message and padding, for types that take a codec (`Batch`, `Held`, `Dyn`) | the codec `sbe::Padded<AnyMessage>` |
//! | adjacent messages | `AnyMessage::views(bytes, &limits)`: an iterator |
//! | messages at multiples of 8 bytes | `AnyMessage::views(bytes, &limits).aligned_to(8)` |
//! | messages behind length fields | `Batch` with a `framing::LengthField`, and `.views::<Padded<AnyMessage>>()` |
//! | messages with their length in the message header | `Batch` with `sbe::HeaderLength`, and `.views::<Padded<AnyMessage>>()` |
//!
//! Without lengths, the end of a message is the start of the next message. So a message of an unknown
//! template or of another schema is the last item, with all remaining bytes, and an error is the last item
//! too. Zeros up to the end of the buffer are padding.
//!
//! # Headers and dimensions
//!
//! Message headers and dimensions of groups may have additional members, such as frame lengths, sequence
//! numbers and flags. `view.header()` (of the trait `sbe::View`) and `group.dimension()` return them. A
//! builder writes `blockLength`, `templateId`, `schemaId`, `version`, `numInGroup`, and, if they exist,
//! `numGroups` and `numVarDataFields`. A program sets all other members: in the field `header` of the
//! builder, and in the `dimension` of a group (`sbe::GroupOf`). A builder refuses a required member that is
//! not set (`EncodeError::Missing`, with its name). An optional member that is not set is null.
//! `FrameHeaderMembers::from(view.header())` copies the members of a received message.
//!
//! A view uses `numGroups` and `numVarDataFields` only if the version of the sender is newer than the
//! schema: the additional groups stand before the data, and the view skips them. This requires that all
//! groups of the schema have the same dimension and all data the same type of length. Otherwise the view
//! refuses the message, because the layout of the additional parts is unknown. It also refuses additional
//! groups or data in a group of fixed entries.
//!
//! # Values
//!
//! | schema | accessor, beside the accessor of the raw value |
//! |---|---|
//! | composite of `mantissa` and `exponent` | `.decimal()`; reverse: `Price::from_decimal(..)?` |
//! | composite of `time` and `unit` (a constant, an enum, a number) | `.timestamp()`; reverse: `from_timestamp` |
//! | integer of `semanticType="UTCTimestamp"`, or without `semanticType` and with a `timeUnit` | `.sent_timestamp()`; reverse: `set_sent_timestamp(..)?` |
//! | integer of `semanticType="Qty"` | `.size_decimal()`; reverse: `set_size_decimal(..)?` |
//!
//! Decimals are `tickwire_codecs::Decimal` and instants are `tickwire_codecs::UnixTime`; no conversion uses
//! floats. The default unit of an instant is the nanosecond (SBE 1.0, "Date and time encoding"). Times of
//! day, times of another `epoch` than Unix, and times of a unit outside the standard have only the accessor
//! of the raw value. The generator accepts a misspelled unit if its first four letters are correct. If the
//! wire can hold more than these types, such as unsigned 64-bit mantissas or unknown units, the accessor
//! returns a `Result`. The reverse conversion refuses a value that the field cannot hold exactly
//! (`EncodeError::Inexact`).
//!
//! Text (data with the character encoding ASCII or UTF-8) is `sbe::Text`: bytes, with a checked `text()`. An
//! invalid byte does not make the message unreadable; `Debug` and JSON escape it. Data of other encodings is
//! bytes.
//!
//! # Writing
//!
//! A message that consists of its fixed fields is encoded from its `Root`. All other messages are encoded
//! from their `Builder`. The version of a written message is the version of the schema.
//!
//! The fields of a `Root` are raw wire values. The null value in an optional field means no value, and is the
//! default. `set_price(Some(value))?` refuses the null value (`EncodeError::Null`), because a reader would
//! read it as `None`. A required field has no null value. Neither views nor builders enforce `minValue` and
//! `maxValue`.
//!
//! # Supported schemas
//!
//! The generator supports: every namespace of the root element, and none, with any prefix; XInclude of whole
//! files, each with its own root and namespace; attributes of other vocabularies anywhere, and elements of
//! other vocabularies where SBE defines no element (it skips both); a DOCTYPE (it ignores it); missing
//! `blockLength` and `dimensionType`; headers, dimensions and lengths of 8, 16 and 32 bits at any offset;
//! constants by text and by `valueRef`; default null values, and the `nullValue` of a field or of its type;
//! composites with offsets, nested types and `ref`; `sinceVersion` of messages, fields, groups, data, values
//! and choices; both byte orders.
//!
//! Message headers and dimensions may have additional members of any kind, in any order: numbers, arrays,
//! constants, enums, sets and composites. `blockLength`, `templateId`, `schemaId`, `version`, `numInGroup`,
//! `numGroups` and `numVarDataFields` must be `uint8`, `uint16` or `uint32`. Their null values are ordinary
//! numbers, except for the two counts, where the null value means an unknown number: see [`ir::Counts`].
//!
//! The generator refuses: entities and attributes that a DOCTYPE declares; elements of another vocabulary
//! where SBE defines an element; a schema without messages; numbers of 64 bits in headers, dimensions and
//! lengths; a composite that is both the message header and a dimension; constants that are arrays of
//! numbers; a `nullValue` of other types than a single number, character or enum; XInclude of parts
//! (`xpointer`).
//!
//! `deprecated` has no effect. `sinceVersion` of a type or of a member of a composite must not exceed the
//! version of the schema, and has no other effect: a composite is read whole. [`SchemaErrors`] lists all
//! faults of a schema, each with file, line, column and expectation. Faults that are a consequence of
//! another fault are not listed.
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
