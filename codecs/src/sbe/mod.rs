//! The runtime of generated Simple Binary Encoding (SBE) code: a checked cursor, repeating groups, a writer.
//!
//! The crate `tickwire-sbe` generates a module from an XML schema. The generated module calls this runtime.
//!
//! ```text
//! message  | header | root block: blockLength bytes | groups | variable data |
//! group    | dimension: blockLength, numInGroup | numInGroup entries |
//! entry    | block: blockLength bytes | nested groups | variable data |
//! data     | length: u8, u16 or u32 | bytes |
//! ```
//!
//! Schema versions (FIX SBE 1.0, section 5): the `blockLength` on the wire gives the end of a block, so a
//! reader skips the additional fields of a newer sender. Fields, groups and data that are newer than the
//! version of the sender are absent. A reader skips the additional groups and data of a newer sender if the
//! header has their number ([`Counts`]).
//!
//! Bytes behind the last known part: [`Codec::view`](crate::Codec::view) refuses them unless the version of
//! the sender is newer than the schema; [`ViewFirst::view_first`] returns them; [`Padded`] ignores them; and
//! [`Messages`] reads the next message from them.
//!
//! Text is unchecked bytes; [`Text::text`] checks them.
//!
//! The length of a message bounds the work of its view: a group of fixed entries costs one multiplication and
//! one comparison. Entries may have no bytes, if the version of the sender is older than all their fields:
//! `max_items` bounds the number of such entries in all groups together.

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
