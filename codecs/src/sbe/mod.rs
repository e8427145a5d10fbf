//! What generated Simple Binary Encoding code runs on: one checked cursor, repeating groups, a writer.
//!
//! `tickwire-sbe` turns an XML schema into modules that call this; nothing here knows a schema.
//!
//! ```text
//! message  | header | root block: blockLength bytes | groups | variable data |
//! group    | dimension: blockLength, numInGroup | numInGroup entries |
//! entry    | block: blockLength bytes | nested groups | variable data |
//! data     | length: u8, u16 or u32 | bytes |
//! ```
//!
//! How versions are met (FIX SBE 1.0, section 5): the wire's `blockLength` places what follows a
//! block, so longer blocks of newer senders are stepped over; fields, groups and data that came with
//! a later version than the wire's are absent. Groups and data that a newer sender added are stepped over
//! where its header says how many there are ([`Counts`]).
//!
//! Bytes behind the last known part: [`Codec::view`](crate::Codec::view) refuses them unless the sender's
//! version is newer than ours, [`ViewFirst::view_first`] gives them to the caller, [`Padded`] leaves them
//! out, and [`Messages`] reads the next message from them.
//!
//! Text is bytes with a check that the caller asks for ([`Text`]).
//!
//! Work per message is bounded by its length: a group of fixed entries is one multiplication and one
//! comparison, and so is one whose entries take no byte (the sender's version may be older than all
//! parts of an entry, and its block empty). Walking a message is bounded by its length and, for the
//! entries that take no byte, by `max_items` of them in all its groups together.

mod cursor;
mod exact;
mod first;
mod group;
mod macros;
mod show;
mod skip;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod wire;
mod writer;

#[doc(hidden)]
pub use crate::{
    __sbe_any_message as any_message, __sbe_debug_known as debug_known,
    __sbe_debug_set as debug_set, __sbe_debug_view as debug_view, __sbe_default as default,
    __sbe_encode_builder as encode_builder, __sbe_first as first_functions,
    __sbe_message as message, __sbe_put as put,
};
pub use cursor::{Cursor, Scope, close, open, peek};
pub use exact::ValueError;
#[doc(hidden)]
pub use exact::{count, count_in, decimal, instant, mantissa, parts, timestamp, timestamp_in};
pub use first::{HeaderLength, Messages, Padded, Parts, Template, ViewFirst, first};
pub use group::{Entry, Group, GroupIter, Rows, RowsIter};
#[doc(hidden)]
pub use show::{Show, Visit, Visitor, debug, known_to_json, message_to_json, to_json};
pub use skip::{Counts, SkipData, skip_one_data, untold_data};
pub use tally::{Tally, Unknown};
pub use text::Text;
pub use wire::{
    Dimension, Header, Length, View, Wire, added, added_ref, at, bytes, chars, range, some,
    some_chars, some_composite, some_f32, some_f64,
};
pub use writer::{
    GroupOf, Put, Shape, Stamp, Writer, data_len, given, group_len, message_len, rows_len, set,
    write_message,
};
