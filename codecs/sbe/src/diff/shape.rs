//! Whether two types are the same bytes with the same meaning.

use std::collections::BTreeMap;

use super::Differ;
use crate::ir::{Composite, Enum, Kind, Literal, Presence, Schema, Set};

impl Differ<'_> {
    /// Whether the old and the new type can be exchanged for each other. Enums and sets of one name
    /// are compared value by value where they are declared; only their encoding counts here.
    pub(super) fn same_shape(&self, was: Kind, now: Kind) -> bool {
        let (old, new) = (self.old, self.new);
        match (was, now) {
            (Kind::Enum(a), Kind::Enum(b)) => self.same_enum(&old.enums[a], &new.enums[b]),
            (Kind::Set(a), Kind::Set(b)) => self.same_set(&old.sets[a], &new.sets[b]),
            (Kind::Composite(a), Kind::Composite(b)) => {
                self.same_members(&old.composites[a], &new.composites[b])
            }
            // A number that gets names, or loses them.
            (Kind::Prim(prim), Kind::Enum(i)) => prim == new.enums[i].prim,
            (Kind::Enum(i), Kind::Prim(prim)) => prim == old.enums[i].prim,
            (Kind::Prim(prim), Kind::Set(i)) => prim == new.sets[i].prim,
            (Kind::Set(i), Kind::Prim(prim)) => prim == old.sets[i].prim,
            (was, now) => was == now,
        }
    }

    fn same_enum(&self, was: &Enum, now: &Enum) -> bool {
        let key = |name: &str, value| (name.to_owned(), value);
        let values = |e: &Enum| {
            e.values
                .iter()
                .map(|v| (key(&v.name, v.value), v.since))
                .collect()
        };
        was.prim == now.prim && (was.name == now.name || self.grew(values(was), values(now)))
    }

    fn same_set(&self, was: &Set, now: &Set) -> bool {
        let key = |name: &str, bit| (name.to_owned(), bit);
        let bits = |s: &Set| {
            s.choices
                .iter()
                .map(|c| (key(&c.name, c.bit), c.since))
                .collect()
        };
        was.prim == now.prim && (was.name == now.name || self.grew(bits(was), bits(now)))
    }

    /// Whether everything old is there, and everything else came with a version above the old one.
    fn grew<T: Ord>(&self, was: BTreeMap<T, u32>, now: BTreeMap<T, u32>) -> bool {
        was.keys().all(|key| now.contains_key(key))
            && now
                .iter()
                .all(|(key, since)| was.contains_key(key) || *since > self.old.version)
    }

    fn same_members(&self, was: &Composite, now: &Composite) -> bool {
        was.members.len() == now.members.len()
            && was.members.iter().zip(&now.members).all(|(a, b)| {
                (&a.name, a.offset) == (&b.name, b.offset)
                    && self.same_shape(a.kind, b.kind)
                    && self.same_presence(&a.presence, &b.presence)
            })
    }

    /// Whether null values and constants are the same on the wire; what a value of an enum is called
    /// is compared where the enum is.
    pub(super) fn same_presence(&self, was: &Presence, now: &Presence) -> bool {
        match (was, now) {
            (Presence::Required, Presence::Required)
            | (Presence::Optional(None), Presence::Optional(None)) => true,
            (Presence::Optional(Some(a)), Presence::Optional(Some(b)))
            | (Presence::Constant(a), Presence::Constant(b)) => {
                same_literal(&on_wire(self.old, a), &on_wire(self.new, b))
            }
            _ => false,
        }
    }
}

/// A literal without reference to its schema.
fn on_wire(schema: &Schema, literal: &Literal) -> Literal {
    match *literal {
        Literal::EnumValue(e, v) => Literal::Int(schema.enums[e].values[v].value),
        _ => literal.clone(),
    }
}

/// NaN is the null value of floats and not equal to itself.
fn same_literal(a: &Literal, b: &Literal) -> bool {
    match (a, b) {
        (Literal::Float(a), Literal::Float(b)) => a.to_bits() == b.to_bits() || a == b,
        _ => a == b,
    }
}
