//! A decoder that uses a schema at run time, without generated code: for tools and for comparisons in tests.

#[cfg(test)]
mod headers;
mod shown;
mod skip;
#[cfg(test)]
mod tests;
mod values;

use std::cell::OnceCell;
use std::fmt;

use crate::ir::{Body, Data, Field, Group, Prim, Schema};

/// The largest number of values in one message, including those in group entries, composites and arrays.
/// Constants and entries may have no bytes, so the length of a message does not bound the memory and the
/// output of a tool. Messages of venues have at most thousands of values.
pub const VALUES_MAX: usize = 1 << 22;

/// A decoded value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null, or absent because the version of the sender is older.
    Null,
    /// Integers.
    Int(i128),
    /// A single character, as its byte.
    Char(u8),
    /// Floating point.
    Float(f64),
    /// Text: UTF-8 data, and characters without trailing NULs and spaces.
    Text(String),
    /// Text of the schema that is not UTF-8.
    NotUtf8(Vec<u8>),
    /// Data without a character encoding.
    Bytes(Vec<u8>),
    /// A value of an enum: its name, if the schema has one, and its number.
    Enum(Option<String>, i128),
    /// The names of the flags that are set, and all bits.
    Set(Vec<String>, u64),
    /// Arrays and groups.
    List(Vec<Value>),
    /// A group with additional members in its dimension: those members, and the entries.
    Group(Vec<(String, Value)>, Vec<Value>),
    /// Composites, group entries and messages, in wire order.
    Record(Vec<(String, Value)>),
    /// A composite of `mantissa` and `exponent`: its decimal notation with `-exponent` places, and the
    /// composite.
    Decimal(String, Box<Value>),
    /// A date or time: its form of RFC 3339, and its number or composite.
    Time(String, Box<Value>),
}

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decoded {
    /// Name of the message; `None` for an unknown template or another schema.
    pub name: Option<String>,
    /// Template id of the header.
    pub template_id: u32,
    /// Schema id of the header.
    pub schema_id: u32,
    /// Schema version of the header.
    pub version: u32,
    /// The additional members of the header, as a record; most headers have none.
    pub header: Value,
    /// The fields of the message; empty for an unknown message.
    pub fields: Value,
    /// Bytes behind the last known part: padding, or parts of a newer sender.
    pub trailing: usize,
}

/// The error of bytes that are not a message of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DynamicError {
    /// Offset of the invalid part.
    pub at: usize,
    /// The path of the part in the schema.
    pub part: String,
    /// The fault.
    pub what: String,
    /// Whether the bytes end too early: with more bytes they may be a message.
    pub is_short: bool,
}

impl DynamicError {
    /// This error with `base` added to its offset: the error of a message at byte `base` of a larger buffer.
    pub fn behind(mut self, base: usize) -> Self {
        self.at += base;
        self
    }
}

/// A message header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawHeader {
    /// Bytes of the block behind the header.
    pub block_length: usize,
    /// Template id.
    pub template_id: u32,
    /// Schema id.
    pub schema_id: u32,
    /// Schema version of the sender.
    pub version: u32,
}

impl fmt::Display for DynamicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}: {}", self.at, self.part, self.what)
    }
}

impl std::error::Error for DynamicError {}

/// Decodes one message with its header.
///
/// # Errors
/// [`DynamicError`] if a length or count exceeds the bytes, if the message has more than [`VALUES_MAX`]
/// values, or if bytes follow a message of a known version.
pub fn decode(schema: &Schema, bytes: &[u8]) -> Result<Decoded, DynamicError> {
    let message = decode_first(schema, bytes)?;
    match &message.name {
        Some(name) if message.trailing > 0 && message.version <= schema.version => {
            Err(DynamicError {
                at: bytes.len() - message.trailing,
                part: name.clone(),
                what: format!(
                    "{} bytes follow a message of version {}",
                    message.trailing, message.version
                ),
                is_short: false,
            })
        }
        _ => Ok(message),
    }
}

/// Decodes the message at the start of `bytes`. [`Decoded::trailing`] counts the bytes behind it.
///
/// # Errors
/// The errors of [`decode`], except for bytes behind the message.
pub fn decode_first(schema: &Schema, bytes: &[u8]) -> Result<Decoded, DynamicError> {
    let header = schema.header_composite();
    let mut reader = Reader {
        schema,
        bytes,
        at: 0,
        version: 0,
        values_left: VALUES_MAX,
        path: Vec::new(),
        data_length: OnceCell::new(),
    };
    let raw = reader.take(header.size, "header")?;
    let read = schema.header_in(raw);
    reader.version = read.version;
    let mut decoded = Decoded {
        name: None,
        template_id: read.template_id,
        schema_id: read.schema_id,
        version: read.version,
        header: Value::Record(schema.members_in(
            header,
            |index| schema.header.is_length_or_id(index),
            raw,
        )),
        fields: Value::Record(Vec::new()),
        trailing: 0,
    };
    if let Some(message) = schema
        .message(read.template_id)
        .filter(|_| read.schema_id == schema.id)
    {
        decoded.name = Some(message.name.clone());
        reader.path.push(message.name.clone());
        let counted = reader.counted(schema.header.composite, schema.header.counts, raw);
        decoded.fields = reader.body(&message.body, read.block_length, counted)?;
        decoded.trailing = bytes.len() - reader.at;
    }
    Ok(decoded)
}

/// How many groups and data a sender says are behind a block; `None` if it says nothing.
#[derive(Clone, Copy, Default)]
struct Counted {
    groups: Option<u32>,
    data: Option<u32>,
}

struct Reader<'r> {
    schema: &'r Schema,
    bytes: &'r [u8],
    at: usize,
    version: u32,
    /// Values that may still come; see [`VALUES_MAX`].
    values_left: usize,
    path: Vec<String>,
    /// See [`Reader::data_length`].
    data_length: OnceCell<Option<Prim>>,
}

impl<'r> Reader<'r> {
    fn fail<T>(&self, part: &str, what: String) -> Result<T, DynamicError> {
        let mut path = self.path.clone();
        path.push(part.to_owned());
        Err(DynamicError {
            at: self.at,
            part: path.join("."),
            what,
            is_short: false,
        })
    }

    fn fail_short<T>(&self, part: &str, what: String) -> Result<T, DynamicError> {
        self.fail(part, what).map_err(|error| DynamicError {
            is_short: true,
            ..error
        })
    }

    fn take(&mut self, len: usize, part: &str) -> Result<&'r [u8], DynamicError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            return self.fail_short(
                part,
                format!("{len} bytes needed, {} available", rest.len()),
            );
        };
        self.at += len;
        Ok(taken)
    }

    fn body(
        &mut self,
        body: &Body,
        block_length: usize,
        counted: Counted,
    ) -> Result<Value, DynamicError> {
        let block = self.take(block_length, "block")?;
        let mut record = Vec::new();
        let mut is_behind_added = false;
        for field in &body.fields {
            let value = self.field(field, block, is_behind_added)?;
            is_behind_added |= field.on_wire() && field.since > 0;
            self.count(&field.name, value.count())?;
            record.push((field.name.clone(), value));
        }
        for group in &body.groups {
            let value = if self.version < group.since {
                Value::List(Vec::new())
            } else {
                self.group(group)?
            };
            record.push((group.name.clone(), value));
        }
        self.skip_groups(counted.groups, body.groups.len())?;
        for data in &body.data {
            let value = if self.version < data.since {
                Value::Null
            } else {
                self.data(data)?
            };
            self.count(&data.name, 1)?;
            record.push((data.name.clone(), value));
        }
        self.skip_data(counted.data, body.data.len())?;
        Ok(Value::Record(record))
    }

    /// Takes `values` off those that may still come.
    fn count(&mut self, part: &str, values: usize) -> Result<(), DynamicError> {
        match self.values_left.checked_sub(values) {
            Some(left) => {
                self.values_left = left;
                Ok(())
            }
            None => self.fail(
                part,
                format!("more than {VALUES_MAX} values in one message"),
            ),
        }
    }

    /// `is_behind_added`: a field before it came later, so that older blocks may end before this one.
    fn field(
        &self,
        field: &Field,
        block: &[u8],
        is_behind_added: bool,
    ) -> Result<Value, DynamicError> {
        // A constant is none of the block's bytes, and the same in every version.
        if !field.on_wire() || field.size == 0 && field.since == 0 {
            return Ok(self.schema.value(field, &[]));
        }
        match block.get(field.offset..field.offset + field.size) {
            Some(_) if self.version < field.since => Ok(Value::Null),
            Some(bytes) => Ok(self.schema.value(field, bytes)),
            None if field.since > 0 || is_behind_added => Ok(Value::Null),
            None => self.fail(
                &field.name,
                format!("ends behind its block of {} bytes", block.len()),
            ),
        }
    }

    fn group(&mut self, group: &Group) -> Result<Value, DynamicError> {
        let schema = self.schema;
        let composite = &schema.composites[group.dimension];
        let Some(dimension) = schema.dimension(group.dimension) else {
            return self.fail(&group.name, "has no dimension".into());
        };
        let raw = self.take(composite.size, &group.name)?;
        let member = |index: usize| schema.unsigned_in(&composite.members[index], raw);
        let block_length = member(dimension.block_length) as usize;
        let count = member(dimension.num_in_group) as usize;
        let counted = self.counted(group.dimension, dimension.counts, raw);
        let left = self.bytes.len() - self.at;
        if count.saturating_mul(block_length) > left {
            return self.fail_short(
                &group.name,
                format!(
                    "{count} entries of {block_length} bytes exceed the {left} bytes available"
                ),
            );
        }
        self.count(&group.name, count)?;
        let mut entries = Vec::new();
        self.path.push(group.name.clone());
        for _ in 0..count {
            entries.push(self.body(&group.body, block_length, counted)?);
        }
        self.path.pop();
        let is_length = |i| [dimension.block_length, dimension.num_in_group].contains(&i);
        let others = schema.members_in(composite, is_length, raw);
        self.count(&group.name, others.iter().map(|(_, v)| v.count()).sum())?;
        Ok(if others.is_empty() {
            Value::List(entries)
        } else {
            Value::Group(others, entries)
        })
    }

    fn data(&mut self, data: &Data) -> Result<Value, DynamicError> {
        let bytes = self.sized(data.length, &data.name)?;
        Ok(match (data.text, std::str::from_utf8(bytes)) {
            (true, Ok(text)) => Value::Text(text.to_owned()),
            (true, Err(_)) => Value::NotUtf8(bytes.to_vec()),
            (false, _) => Value::Bytes(bytes.to_vec()),
        })
    }

    /// A length and as many bytes.
    fn sized(&mut self, length: Prim, part: &str) -> Result<&'r [u8], DynamicError> {
        let raw = self.take(length.size(), part)?;
        let length = usize::try_from(self.schema.integer(length, raw)).unwrap_or(usize::MAX);
        self.take(length, part)
    }
}

impl Value {
    /// A field of a record by its name in the schema.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Record(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            Self::Decimal(_, value) | Self::Time(_, value) => value.field(name),
            _ => None,
        }
    }

    /// How many values it is: itself and those in it.
    fn count(&self) -> usize {
        let of_fields =
            |fields: &[(String, Value)]| -> usize { fields.iter().map(|(_, v)| v.count()).sum() };
        1 + match self {
            Self::List(values) => values.iter().map(Self::count).sum(),
            Self::Group(dimension, entries) => {
                of_fields(dimension) + entries.iter().map(Self::count).sum::<usize>()
            }
            Self::Record(fields) => of_fields(fields),
            Self::Decimal(_, value) | Self::Time(_, value) => value.count() - 1,
            _ => 0,
        }
    }

    /// The entries of a list or group; empty for anything else.
    pub fn entries(&self) -> &[Value] {
        match self {
            Self::List(entries) | Self::Group(_, entries) => entries,
            _ => &[],
        }
    }

    /// The number of an integer, character, enum, set or time.
    pub fn int(&self) -> Option<i128> {
        match self {
            Self::Int(n) | Self::Enum(_, n) => Some(*n),
            Self::Set(_, bits) => Some(i128::from(*bits)),
            Self::Char(byte) => Some(i128::from(*byte)),
            Self::Time(_, value) => value.int(),
            _ => None,
        }
    }
}
