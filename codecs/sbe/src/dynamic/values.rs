//! The values of fields and members, by their kinds.

use super::{RawHeader, Value, shown};
use crate::ir::{ByteOrder, Composite, Field, Kind, Literal, Presence, Prim, Schema};

impl Schema {
    /// The message header at the start of `bytes`; `None` if they are fewer than it has.
    pub fn read_header(&self, bytes: &[u8]) -> Option<RawHeader> {
        let raw = bytes.get(..self.header_composite().size)?;
        Some(self.header_in(raw))
    }

    /// The message header that `raw` is.
    pub(super) fn header_in(&self, raw: &[u8]) -> RawHeader {
        let members = &self.header_composite().members;
        let member = |index: usize| self.unsigned_in(&members[index], raw);
        RawHeader {
            block_length: member(self.header.block_length) as usize,
            template_id: member(self.header.template_id),
            schema_id: member(self.header.schema_id),
            version: member(self.header.version),
        }
    }

    /// The members of a composite but for those that `is_left_out` names, by index.
    pub(super) fn members_in(
        &self,
        composite: &Composite,
        is_left_out: impl Fn(usize) -> bool,
        bytes: &[u8],
    ) -> Vec<(String, Value)> {
        let members = composite.members.iter().enumerate();
        members
            .filter(|(index, _)| !is_left_out(*index))
            .map(|(_, member)| (member.name.clone(), self.value_in(member, bytes)))
            .collect()
    }

    /// A length, count or id: an unsigned member of the composite at the start of `bytes`, a number
    /// even where its type is optional and the number its null value.
    pub(super) fn unsigned_in(&self, member: &Field, bytes: &[u8]) -> u32 {
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
    pub(super) fn value(&self, field: &Field, bytes: &[u8]) -> Value {
        match &field.presence {
            Presence::Constant(constant) => return self.constant(field.kind, constant),
            Presence::Optional(Some(null)) if self.is_null(field.kind, null, bytes) => {
                return Value::Null;
            }
            _ => {}
        }
        let value = self.plain_value(field.kind, bytes);
        shown::shown(self, field, value)
    }

    fn plain_value(&self, kind: Kind, bytes: &[u8]) -> Value {
        match kind {
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

    pub(super) fn is_null(&self, kind: Kind, null: &Literal, bytes: &[u8]) -> bool {
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

    pub(super) fn integer(&self, prim: Prim, bytes: &[u8]) -> i128 {
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
