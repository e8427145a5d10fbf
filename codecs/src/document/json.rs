//! Documents as JSON text.

use super::{Chunks, Format, Node, Value};
use crate::{ToJson, json};
use core::fmt;

impl<F: Format> ToJson for Node<'_, F> {
    /// The depth is at most [`DEPTH_LEVELS_MAX`](crate::DEPTH_LEVELS_MAX): the reader has checked the
    /// document.
    ///
    /// Items without a JSON equivalent:
    ///
    /// * Bytes, extensions and text that is not UTF-8 become strings of hexadecimal digits. A string in
    ///   chunks becomes one string.
    /// * An instant becomes a string in the form of [`UnixTime`](crate::UnixTime).
    /// * A bignum becomes a number with all its digits. A bignum beyond 128 bits becomes the string
    ///   `"0x..."`, or `"-1-0x..."` if it is negative.
    /// * Other tags are omitted and their items remain. Undefined, infinities and NaN become `null`. A
    ///   simple value becomes its number.
    /// * A key that is not text becomes the hexadecimal digits of its encoding: the key 1 of CBOR is `"01"`.
    ///   (JSON inside a string would double in length at each level of nested keys.) Two keys of a map may
    ///   get the same name.
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.value() {
            Value::Nil | Value::Undefined => out.write_str("null"),
            Value::Bool(value) => value.to_json(out),
            Value::Uint(value) => value.to_json(out),
            Value::Nint(value) => write!(out, "{}", -1 - i128::from(value)),
            Value::Float32(value) => value.to_json(out),
            Value::Float64(value) => value.to_json(out),
            Value::Str(value) => value.to_json(out),
            Value::RawStr(value) | Value::Bin(value) => json::hex(out, value),
            Value::StrChunks(chunks) | Value::BinChunks(chunks) => string(chunks, out),
            Value::Array(items) => json::array(out, items),
            Value::Ext(_, value) => match self.as_time() {
                Some(time) => time.to_json(out),
                None => json::hex(out, value),
            },
            Value::Tag(_, inner) => tagged(*self, inner, out),
            Value::Simple(value) => value.to_json(out),
            Value::Map(entries) => {
                out.write_char('{')?;
                for (index, (key, value)) in entries.enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    match key.chunks() {
                        Some(chunks) if chunks.is_utf8() => string(chunks, out)?,
                        _ => json::hex(out, key.bytes())?,
                    }
                    out.write_char(':')?;
                    value.to_json(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

/// A string in one piece or in chunks.
fn string<F: Format>(chunks: Chunks<'_, F>, out: &mut dyn fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    if chunks.is_utf8() {
        for text in chunks.filter_map(Node::as_str) {
            text.chars().try_for_each(|c| json::escaped(out, c))?;
        }
    } else {
        hex_digits(chunks.contents().flatten(), out)?;
    }
    out.write_char('"')
}

fn hex_digits<'a>(
    mut bytes: impl Iterator<Item = &'a u8>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    bytes.try_for_each(|byte| write!(out, "{byte:02x}"))
}

fn tagged<F: Format>(
    node: Node<'_, F>,
    inner: Node<'_, F>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    if let Some(time) = node.as_time() {
        return time.to_json(out);
    }
    if let Some(number) = node.as_i128() {
        return write!(out, "{number}");
    }
    if let Some(number) = node.as_u128() {
        return write!(out, "{number}");
    }
    match node.bignum_chunks() {
        Some((negative, chunks)) => {
            out.write_str(if negative { "\"-1-0x" } else { "\"0x" })?;
            let bytes = chunks.contents().flatten();
            hex_digits(bytes.skip_while(|byte| **byte == 0), out)?;
            out.write_char('"')
        }
        None => inner.to_json(out),
    }
}
