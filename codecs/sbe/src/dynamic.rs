//! Decoding by the IR, without generated code: for tools, and as a second opinion in tests.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::ir::{Body, ByteOrder, Data, Field, Group, Kind, Literal, Presence, Prim, Schema};

/// Values of one message, those of all entries of its groups and those inside composites and arrays
/// included. Constants and entries may take no bytes at all, so this and not the message's length
/// bounds a tool's output and memory; venues send thousands at most.
pub const VALUES_MAX: usize = 1 << 22;

/// A value as the schema describes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null, or absent because the sender's version is older.
    Null,
    /// Integers.
    Int(i128),
    /// A single character, as its byte.
    Char(u8),
    /// Floating point.
    Float(f64),
    /// Text: UTF-8 data, and characters without trailing NULs and spaces.
    Text(String),
    /// Data without a character encoding.
    Bytes(Vec<u8>),
    /// A value of an enum by name, or its number where the schema has no name for it.
    Enum(Option<String>, i128),
    /// The names of the flags set, and all bits.
    Set(Vec<String>, u64),
    /// Arrays and groups.
    List(Vec<Value>),
    /// Composites, group entries and messages, in wire order.
    Record(Vec<(String, Value)>),
}

/// A message decoded by a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Name of the message; `None` for a template or schema that is not known.
    pub name: Option<String>,
    /// Template id by the header.
    pub template_id: u32,
    /// Schema id by the header.
    pub schema_id: u32,
    /// Version by the header.
    pub version: u32,
    /// Its fields; empty where it is not known.
    pub fields: Value,
    /// Bytes behind the last known part.
    pub trailing: usize,
}

/// Bytes that are no message of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicError {
    /// Offset of the part that failed.
    pub at: usize,
    /// The part, by its path in the schema.
    pub part: String,
    /// What is wrong with it.
    pub what: String,
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
/// [`DynamicError`] where a length or count goes beyond the bytes, where there are more than
/// [`VALUES_MAX`] values, and where bytes follow a message of a version that the schema knows.
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
            })
        }
        _ => Ok(message),
    }
}

/// Decodes the message at the start of `bytes`; what is behind it is [`Decoded::trailing`].
///
/// # Errors
/// As [`decode`], whatever is behind the message.
pub fn decode_first(schema: &Schema, bytes: &[u8]) -> Result<Decoded, DynamicError> {
    let header = schema.header_composite();
    let mut reader = Reader {
        schema,
        bytes,
        at: 0,
        version: 0,
        values_left: VALUES_MAX,
        path: Vec::new(),
    };
    let raw = reader.take(header.size, "header")?;
    let member = |index: usize| schema.unsigned_in(&header.members[index], raw);
    let (template_id, schema_id) = (
        member(schema.header.template_id),
        member(schema.header.schema_id),
    );
    reader.version = member(schema.header.version);
    let mut decoded = Decoded {
        name: None,
        template_id,
        schema_id,
        version: reader.version,
        fields: Value::Record(Vec::new()),
        trailing: 0,
    };
    if let Some(message) = schema
        .message(template_id)
        .filter(|_| schema_id == schema.id)
    {
        decoded.name = Some(message.name.clone());
        reader.path.push(message.name.clone());
        decoded.fields = reader.body(&message.body, member(schema.header.block_length) as usize)?;
        decoded.trailing = bytes.len() - reader.at;
    }
    Ok(decoded)
}

struct Reader<'r> {
    schema: &'r Schema,
    bytes: &'r [u8],
    at: usize,
    version: u32,
    /// Values that may still come; see [`VALUES_MAX`].
    values_left: usize,
    path: Vec<String>,
}

impl<'r> Reader<'r> {
    fn fail<T>(&self, part: &str, what: String) -> Result<T, DynamicError> {
        let mut path = self.path.clone();
        path.push(part.to_owned());
        Err(DynamicError {
            at: self.at,
            part: path.join("."),
            what,
        })
    }

    fn take(&mut self, len: usize, part: &str) -> Result<&'r [u8], DynamicError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            return self.fail(part, format!("needs {len} bytes, {} are left", rest.len()));
        };
        self.at += len;
        Ok(taken)
    }

    fn body(&mut self, body: &Body, block_length: usize) -> Result<Value, DynamicError> {
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
        for data in &body.data {
            let value = if self.version < data.since {
                Value::Null
            } else {
                self.data(data)?
            };
            self.count(&data.name, 1)?;
            record.push((data.name.clone(), value));
        }
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
        let dimension = &self.schema.composites[group.dimension];
        let raw = self.take(dimension.size, &group.name)?;
        let member = |wanted: &str| {
            let field = dimension.members.iter().find(|m| m.name == wanted);
            field.map_or(0, |f| self.schema.unsigned_in(f, raw) as usize)
        };
        let (block_length, count) = (member("blockLength"), member("numInGroup"));
        let left = self.bytes.len() - self.at;
        if count.saturating_mul(block_length) > left {
            return self.fail(
                &group.name,
                format!("{count} entries of {block_length} bytes, {left} bytes are left"),
            );
        }
        self.count(&group.name, count)?;
        let mut entries = Vec::new();
        self.path.push(group.name.clone());
        for _ in 0..count {
            entries.push(self.body(&group.body, block_length)?);
        }
        self.path.pop();
        Ok(Value::List(entries))
    }

    fn data(&mut self, data: &Data) -> Result<Value, DynamicError> {
        let raw = self.take(data.length.size(), &data.name)?;
        let length =
            usize::try_from(integer(raw, false, self.schema.byte_order)).unwrap_or(usize::MAX);
        let bytes = self.take(length, &data.name)?;
        Ok(match (data.text, std::str::from_utf8(bytes)) {
            (true, Ok(text)) => Value::Text(text.to_owned()),
            (true, Err(e)) => {
                self.at -= length - e.valid_up_to();
                return self.fail(&data.name, "is not UTF-8".into());
            }
            (false, _) => Value::Bytes(bytes.to_vec()),
        })
    }
}

impl Schema {
    /// A length, count or id: an unsigned member of the composite at the start of `bytes`, a number
    /// even where its type is optional and the number its null value.
    fn unsigned_in(&self, member: &Field, bytes: &[u8]) -> u32 {
        match member.kind {
            Kind::Prim(prim) => {
                let n = self.integer(prim, bytes.get(member.offset..).unwrap_or_default());
                u32::try_from(n).unwrap_or(u32::MAX)
            }
            _ => 0,
        }
    }

    /// The value of a member of the composite at the start of `bytes`.
    fn value_in(&self, member: &Field, bytes: &[u8]) -> Value {
        self.value(member, bytes.get(member.offset..).unwrap_or_default())
    }

    /// The value of a field whose bytes begin at the start of `bytes`.
    fn value(&self, field: &Field, bytes: &[u8]) -> Value {
        match &field.presence {
            Presence::Constant(constant) => return self.constant(field.kind, constant),
            Presence::Optional(Some(null)) if self.is_null(field.kind, null, bytes) => {
                return Value::Null;
            }
            _ => {}
        }
        match field.kind {
            Kind::Prim(prim) => self.number(prim, bytes),
            Kind::Array(Prim::Char, n) => text(bytes.get(..n).unwrap_or_default()),
            Kind::Array(prim, n) => Value::List(
                bytes
                    .chunks_exact(prim.size())
                    .take(n)
                    .map(|b| self.number(prim, b))
                    .collect(),
            ),
            Kind::Enum(index) => {
                let item = &self.enums[index];
                let raw = self.integer(item.prim, bytes);
                let name = item
                    .values
                    .iter()
                    .find(|v| v.value == raw)
                    .map(|v| v.name.clone());
                Value::Enum(name, raw)
            }
            Kind::Set(index) => {
                let item = &self.sets[index];
                let bits = self.integer(item.prim, bytes) as u64;
                let set = item.choices.iter().filter(|c| bits >> c.bit & 1 == 1);
                Value::Set(set.map(|c| c.name.clone()).collect(), bits)
            }
            Kind::Composite(index) => {
                let members = self.composites[index].members.iter();
                let value = |m: &Field| self.value_in(m, bytes);
                Value::Record(members.map(|m| (m.name.clone(), value(m))).collect())
            }
        }
    }

    fn constant(&self, kind: Kind, constant: &Literal) -> Value {
        match constant {
            Literal::Int(n) if kind == Kind::Prim(Prim::Char) => Value::Char(*n as u8),
            Literal::Int(n) => Value::Int(*n),
            Literal::Float(n) => Value::Float(*n),
            Literal::Text(bytes) => text(bytes),
            Literal::EnumValue(e, v) => {
                let value = &self.enums[*e].values[*v];
                Value::Enum(Some(value.name.clone()), value.value)
            }
        }
    }

    fn is_null(&self, kind: Kind, null: &Literal, bytes: &[u8]) -> bool {
        match (kind, null) {
            (Kind::Prim(p), Literal::Int(n)) => self.integer(p, bytes) == *n,
            (Kind::Enum(i), Literal::Int(n)) => self.integer(self.enums[i].prim, bytes) == *n,
            (Kind::Prim(p), Literal::Float(null)) => match self.number(p, bytes) {
                Value::Float(n) => n == *null || (n.is_nan() && null.is_nan()),
                _ => false,
            },
            (Kind::Array(_, n), Literal::Text(_)) => {
                bytes.get(..n).unwrap_or_default().iter().all(|b| *b == 0)
            }
            (Kind::Composite(i), null) => self.composites[i].first().is_some_and(|(_, first)| {
                let bytes = bytes.get(first.offset..).unwrap_or_default();
                self.is_null(first.kind, null, bytes)
            }),
            _ => false,
        }
    }

    fn integer(&self, prim: Prim, bytes: &[u8]) -> i128 {
        let signed = prim.range().is_some_and(|(min, _)| min < 0);
        integer(
            bytes.get(..prim.size()).unwrap_or_default(),
            signed,
            self.byte_order,
        )
    }

    fn number(&self, prim: Prim, bytes: &[u8]) -> Value {
        let bits = self.integer(prim, bytes);
        match prim {
            Prim::Float => Value::Float(f64::from(f32::from_bits(bits as u32))),
            Prim::Double => Value::Float(f64::from_bits(bits as u64)),
            Prim::Char => Value::Char(bits as u8),
            _ => Value::Int(bits),
        }
    }
}

fn integer(bytes: &[u8], signed: bool, order: ByteOrder) -> i128 {
    let fold = |n: i128, b: &u8| (n << 8) | i128::from(*b);
    let value = match order {
        ByteOrder::Big => bytes.iter().fold(0, fold),
        ByteOrder::Little => bytes.iter().rev().fold(0, fold),
    };
    let bits = bytes.len() * 8;
    if signed && bits > 0 && value >> (bits - 1) & 1 == 1 {
        value - (1 << bits)
    } else {
        value
    }
}

fn text(bytes: &[u8]) -> Value {
    let end = bytes
        .iter()
        .rposition(|b| !matches!(b, 0 | b' '))
        .map_or(0, |i| i + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    Value::Text(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // SBE's `char` is a byte of an 8-bit character set; ISO 8859-1 loses none of them.
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    })
}

impl Value {
    /// A field of a record by its name in the schema.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Record(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// How many values it is: itself and those in it.
    fn count(&self) -> usize {
        1 + match self {
            Self::List(values) => values.iter().map(Self::count).sum(),
            Self::Record(fields) => fields.iter().map(|(_, value)| value.count()).sum(),
            _ => 0,
        }
    }

    /// The entries of a list; empty for anything else.
    pub fn entries(&self) -> &[Value] {
        match self {
            Self::List(entries) => entries,
            _ => &[],
        }
    }

    /// The number of an integer, character, enum or set.
    pub fn int(&self) -> Option<i128> {
        match self {
            Self::Int(n) | Self::Enum(_, n) => Some(*n),
            Self::Set(_, bits) => Some(i128::from(*bits)),
            Self::Char(byte) => Some(i128::from(*byte)),
            _ => None,
        }
    }
}
