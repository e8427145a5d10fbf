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
//! | the whole | `AnyMessage` (a `Codec`) with views `Message`, `SCHEMA_ID`, `SCHEMA_VERSION`, `FINGERPRINT` |
//!
//! A view has found and checked everything when `view` returns: accessors do not fail, and their order
//! does not matter. `Option` stands for fields that are `presence="optional"` or came with a version
//! above 0: `None` is null, or a sender older than the field. A composite is null where its first
//! member on the wire is; sets and arrays of numbers are never null, though their field be optional.
//! Constants are accessors that read no bytes. Groups and data that an older sender does not know are
//! empty or `None`.
//!
//! Messages that consist of their fixed fields alone are written from their `Root`; optional fields
//! default to null. Everything is written in the schema's own version.
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
//! (`xpointer`). `minValue`, `maxValue` and `deprecated` are not enforced; `sinceVersion` of a type or of
//! a composite's member must be a version of the schema, and says nothing more: a composite is read whole.
//! [`SchemaErrors`] has all faults, each with file, line and column, what stands there and what was
//! expected; what fails only because another part does is not among them.
//!
//! Source of the rules: FIX Simple Binary Encoding, technical standard 1.0.

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
mod read;
mod render;
mod xml;

pub use diff::{Change, diff};
pub use error::{Position, SchemaError, SchemaErrors, SchemaWarning};
pub use generate::rust_source;
pub use generator::{GenerateError, Generated, Generator};
pub use ir::Schema;
