//! Decoded messages as JSON or as indented text.

use std::fmt::{self, Write};

use crate::dynamic::{Decoded, Value};

impl Decoded {
    /// Writes one JSON object on one line:
    /// `{"template":12,"schema":1,"version":9,"name":"...","fields":{...}}`, with `"header":{...}` if the
    /// header has additional members, and with `"trailing":N` if N bytes follow.
    ///
    /// An enum is its name, or its number if the schema has no name. A set is a list of names. Decimals and
    /// times are strings, so that a reader does not lose digits. Data without a character encoding is a
    /// hexadecimal string. In text that is not UTF-8 an invalid byte is `\\xff` and a backslash is `\\\\`.
    /// A group with additional members in its dimension is `{"dimension":{...},"entries":[...]}`.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            "{{\"template\":{},\"schema\":{},\"version\":{}",
            self.template_id, self.schema_id, self.version
        )?;
        if let Some(name) = &self.name {
            out.write_str(",\"name\":")?;
            json_string(name, out)?;
            if matches!(&self.header, Value::Record(members) if !members.is_empty()) {
                out.write_str(",\"header\":")?;
                json(&self.header, out)?;
            }
            out.write_str(",\"fields\":")?;
            json(&self.fields, out)?;
        }
        if self.trailing > 0 {
            write!(out, ",\"trailing\":{}", self.trailing)?;
        }
        out.write_str("}")
    }

    /// Writes one line for the message, then one line for each field, indented by depth.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("unknown message");
        writeln!(
            out,
            "{name} (template {}, schema {}, version {})",
            self.template_id, self.schema_id, self.version
        )?;
        if let Value::Record(members) = &self.header
            && !members.is_empty()
        {
            writeln!(out, "  (header)")?;
            text_fields(members, 2, out)?;
        }
        if let Value::Record(fields) = &self.fields {
            text_fields(fields, 1, out)?;
        }
        if self.trailing > 0 {
            let trailing = self.trailing;
            writeln!(out, "  + {trailing} bytes behind its last known part")?;
        }
        Ok(())
    }
}

fn json(value: &Value, out: &mut impl Write) -> fmt::Result {
    match value {
        Value::Null => out.write_str("null"),
        Value::Int(n) => write!(out, "{n}"),
        Value::Char(byte) if byte.is_ascii_graphic() => {
            json_string(&char::from(*byte).to_string(), out)
        }
        Value::Char(byte) => write!(out, "{byte}"),
        Value::Float(n) if n.is_finite() => write!(out, "{n:?}"),
        Value::Float(_) => out.write_str("null"),
        Value::Text(text) | Value::Decimal(text, _) | Value::Time(text, _) => {
            json_string(text, out)
        }
        Value::NotUtf8(bytes) => json_string(&escaped(bytes), out),
        Value::Bytes(bytes) => write!(out, "\"{}\"", Hex(bytes)),
        Value::Enum(Some(name), _) => json_string(name, out),
        Value::Enum(None, n) => write!(out, "{n}"),
        Value::Set(names, _) => list(names, out, |name, out| json_string(name, out)),
        Value::List(values) => list(values, out, json),
        Value::Group(dimension, entries) => {
            out.write_str("{\"dimension\":")?;
            json_object(dimension, out)?;
            out.write_str(",\"entries\":")?;
            list(entries, out, json)?;
            out.write_str("}")
        }
        Value::Record(fields) => json_object(fields, out),
    }
}

fn json_object(fields: &[(String, Value)], out: &mut impl Write) -> fmt::Result {
    out.write_str("{")?;
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.write_str(",")?;
        }
        json_string(name, out)?;
        out.write_str(":")?;
        json(value, out)?;
    }
    out.write_str("}")
}

/// What is UTF-8 as it is, and every other byte as `\xff`; a backslash is `\\`, so that nothing is lost.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn list<T, W: Write>(
    items: &[T],
    out: &mut W,
    each: impl Fn(&T, &mut W) -> fmt::Result,
) -> fmt::Result {
    out.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_str(",")?;
        }
        each(item, out)?;
    }
    out.write_str("]")
}

/// RFC 8259, section 7.
fn json_string(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_str("\"")
}

struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn text_fields(fields: &[(String, Value)], depth: usize, out: &mut impl Write) -> fmt::Result {
    let pad = "  ".repeat(depth);
    for (name, value) in fields {
        match value {
            Value::Record(inner) => {
                writeln!(out, "{pad}{name}:")?;
                text_fields(inner, depth + 1, out)?;
            }
            Value::Group(dimension, entries) => {
                text_entries(name, entries, depth, out)?;
                writeln!(out, "{pad}  (dimension)")?;
                text_fields(dimension, depth + 2, out)?;
            }
            Value::List(entries) if entries.iter().any(|e| matches!(e, Value::Record(_))) => {
                text_entries(name, entries, depth, out)?;
            }
            Value::Decimal(text, _) | Value::Time(text, _) => writeln!(out, "{pad}{name}: {text}")?,
            Value::NotUtf8(bytes) => {
                writeln!(out, "{pad}{name}: \"{}\" (not UTF-8)", escaped(bytes))?
            }
            Value::Enum(Some(known), n) => writeln!(out, "{pad}{name}: {known} ({n})")?,
            Value::Enum(None, n) => writeln!(out, "{pad}{name}: {n} (not in the schema)")?,
            Value::Set(names, bits) => writeln!(out, "{pad}{name}: {bits:#x} {}", names.join(" "))?,
            Value::Text(text) => writeln!(out, "{pad}{name}: {text:?}")?,
            Value::Null => writeln!(out, "{pad}{name}: -")?,
            other => {
                write!(out, "{pad}{name}: ")?;
                json(other, out)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

fn text_entries(name: &str, entries: &[Value], depth: usize, out: &mut impl Write) -> fmt::Result {
    let pad = "  ".repeat(depth);
    writeln!(out, "{pad}{name}: {} entries", entries.len())?;
    for (index, entry) in entries.iter().enumerate() {
        writeln!(out, "{pad}  [{index}]")?;
        if let Value::Record(inner) = entry {
            text_fields(inner, depth + 2, out)?;
        }
    }
    Ok(())
}
