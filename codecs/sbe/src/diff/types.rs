//! Changes of the types of fields: enums, sets and composites, by value and by member.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Differ;
use super::pairs::{Key, pair};
use crate::ir::{Choice, Composite, Enum, EnumValue, Field, Kind, Literal, Presence, Schema, Set};

/// Name, number and `sinceVersion` of a value of an enum or a choice of a set.
type Named<'n> = (&'n str, i128, u32);

impl Differ<'_> {
    /// Compares the types of a field or member that is at the same place in both schemas; `part` names it.
    /// Changes inside a named type are listed once, under the name of the type.
    pub(super) fn kind(&mut self, part: &str, was: Kind, now: Kind) {
        let (a, b) = (type_name(self.old, was), type_name(self.new, now));
        let (old, new) = (self.old, self.new);
        let mut is_same = true;
        let same_class = match (was, now) {
            (Kind::Enum(i), Kind::Enum(j)) => {
                is_same = self.once(was, now, |d| d.enumeration(&old.enums[i], &new.enums[j]));
                true
            }
            (Kind::Set(i), Kind::Set(j)) => {
                is_same = self.once(was, now, |d| d.set(&old.sets[i], &new.sets[j]));
                true
            }
            (Kind::Composite(i), Kind::Composite(j)) => {
                let (was_is, now_is) = (&old.composites[i], &new.composites[j]);
                is_same = self.once(was, now, |d| d.composite(was_is, now_is));
                true
            }
            // A number that gets names, or loses them.
            (Kind::Prim(prim), Kind::Enum(i)) => prim == new.enums[i].prim,
            (Kind::Enum(i), Kind::Prim(prim)) => prim == old.enums[i].prim,
            (Kind::Prim(prim), Kind::Set(i)) => prim == new.sets[i].prim,
            (Kind::Set(i), Kind::Prim(prim)) => prim == old.sets[i].prim,
            (was, now) => was == now,
        };
        if !same_class {
            self.breaks(part, format!("type was {a}, is {b}"));
        } else if a != b && is_same {
            self.note(
                false,
                part,
                format!("type was {a}, is {b}, with the same bytes"),
            );
        } else if a != b {
            self.note(false, part, format!("type was {a}, is {b}"));
        }
    }

    /// Compares two named types the first time that they meet; gives whether nothing in them breaks.
    fn once(&mut self, was: Kind, now: Kind, compare: impl FnOnce(&mut Self)) -> bool {
        if let Some(is_same) = self.compared.get(&(was, now)) {
            return *is_same;
        }
        let name = type_name(self.new, now);
        let path = std::mem::replace(&mut self.path, vec![name]);
        let before = self.breaking;
        compare(self);
        let is_same = before == self.breaking;
        self.path = path;
        self.compared.insert((was, now), is_same);
        is_same
    }

    fn enumeration<'n>(&mut self, was: &'n Enum, now: &'n Enum) {
        if was.prim != now.prim {
            let (a, b) = (was.prim.name(), now.prim.name());
            self.breaks("", format!("encoding was {a}, is {b}"));
        }
        let values = |v: &'n EnumValue| (v.name.as_str(), v.value, v.since);
        let (was, now): (Vec<_>, Vec<_>) = (
            was.values.iter().map(values).collect(),
            now.values.iter().map(values).collect(),
        );
        self.named(["value", "value"], &was, &now);
    }

    fn set<'n>(&mut self, was: &'n Set, now: &'n Set) {
        if was.prim != now.prim {
            let (a, b) = (was.prim.name(), now.prim.name());
            self.breaks("", format!("encoding was {a}, is {b}"));
        }
        let choices = |c: &'n Choice| (c.name.as_str(), c.bit.into(), c.since);
        let (was, now): (Vec<_>, Vec<_>) = (
            was.choices.iter().map(choices).collect(),
            now.choices.iter().map(choices).collect(),
        );
        self.named(["bit", "choice"], &was, &now);
    }

    /// Compares names that stand for numbers; the words are for a number and for the whole. A new number is
    /// no danger: a receiver that does not know it has the number all the same.
    fn named(&mut self, [what, one]: [&str; 2], was: &[Named<'_>], now: &[Named<'_>]) {
        let numbers = |all: &[Named<'_>]| -> HashSet<i128> { all.iter().map(|n| n.1).collect() };
        let names =
            |all: &[Named<'_>]| -> HashSet<String> { all.iter().map(|n| n.0.to_owned()).collect() };
        let new_names: HashMap<&str, i128> = now.iter().map(|n| (n.0, n.1)).collect();
        let new_numbers: HashMap<i128, (&str, u32)> =
            now.iter().map(|n| (n.1, (n.0, n.2))).collect();
        for (name, number, _) in was {
            match (new_names.get(name), new_numbers.get(number)) {
                (Some(is), _) if is == number => {}
                (Some(is), _) => self.breaks(name, format!("{what} was {number}, is {is}")),
                (None, Some((other, since))) if *since > self.old.version => {
                    self.breaks(
                        name,
                        format!("{what} {number} removed, and given to {other}"),
                    );
                }
                (None, Some((other, _))) => self.note(false, name, format!("renamed to {other}")),
                (None, None) => self.breaks(name, format!("{what} {number} removed")),
            }
        }
        let (old_names, old_numbers) = (names(was), numbers(was));
        for (name, number, since) in now {
            if !old_names.contains(*name) && !old_numbers.contains(number) {
                self.appended(name, one, *since);
            }
        }
    }

    /// Compares composites member by member: the types of fields, headers and dimensions.
    pub(super) fn composite(&mut self, was: &Composite, now: &Composite) {
        let named = pair(&was.members, &now.members, |m| Key {
            id: None,
            name: &m.name,
            is_new: false,
        });
        let mut left: BTreeMap<usize, &Field> = named
            .added
            .iter()
            .map(|at| (*at, &now.members[*at]))
            .collect();
        let by_offset: HashMap<usize, usize> = left.iter().map(|(at, m)| (m.offset, *at)).collect();
        for (member, place) in was.members.iter().zip(named.places) {
            if let Some(at) = place {
                self.member(member, &now.members[at]);
                continue;
            }
            // A member under another name at the same place, with the same bytes.
            let at = by_offset.get(&member.offset);
            let renamed = at.filter(|at| left.get(at).is_some_and(|m| self.same_kind(member, m)));
            match renamed.and_then(|at| left.remove(at)) {
                Some(other) => {
                    self.note(false, &member.name, format!("renamed to {}", other.name));
                    self.presence(&other.name, &member.presence, &other.presence);
                }
                None => self.breaks(&member.name, "member removed"),
            }
        }
        for member in left.into_values() {
            if member.on_wire() {
                self.breaks(&member.name, "member added: composites do not grow");
            } else {
                self.note(false, &member.name, "constant added");
            }
        }
    }

    fn member(&mut self, was: &Field, now: &Field) {
        if was.on_wire() != now.on_wire() {
            self.breaks(&now.name, "constant on one side only");
            return;
        }
        if was.on_wire() && was.offset != now.offset {
            self.moved(&now.name, was.offset, now.offset);
        }
        self.kind(&now.name, was.kind, now.kind);
        self.meaning(was, now);
        self.presence(&now.name, &was.presence, &now.presence);
    }

    /// Compares what a number counts: the bytes are the same, and a receiver takes them for another time.
    pub(super) fn meaning(&mut self, was: &Field, now: &Field) {
        let part = &now.name;
        match (was.unit_word(), now.unit_word()) {
            (Some(a), Some(b)) if a != b => self.breaks(part, format!("time unit was {a}, is {b}")),
            (None, Some(b)) => self.note(false, part, format!("time unit is {b} now")),
            (Some(a), None) => {
                let what = format!("time unit was {a}, and is absent now");
                self.note(false, part, what);
            }
            _ => {}
        }
        let (a, b) = (&was.semantic_type, &now.semantic_type);
        // Adding or removing the attribute changes nothing.
        if a != b && !a.is_empty() && !b.is_empty() {
            let breaking = was.is_called_time() || now.is_called_time();
            self.note(breaking, part, format!("semanticType was {a}, is {b}"));
        }
        let (a, b) = (was.epoch_word(), now.epoch_word());
        if a != b {
            self.breaks(part, format!("epoch was {a}, is {b}"));
        }
    }

    /// Whether two members can be one under two names.
    fn same_kind(&self, was: &Field, now: &Field) -> bool {
        was.on_wire() == now.on_wire()
            && was.size == now.size
            && type_name(self.old, was.kind) == type_name(self.new, now.kind)
    }

    /// Compares null values and constants, as they are on the wire; what a value of an enum is called is
    /// compared where the enum is.
    pub(super) fn presence(&mut self, part: &str, was: &Presence, now: &Presence) {
        let word = |p: &Presence| match p {
            Presence::Required => "required",
            Presence::Optional(_) => "optional",
            Presence::Constant(_) => "constant",
        };
        let (a, b) = (word(was), word(now));
        if a != b {
            return self.breaks(part, format!("presence was {a}, is {b}"));
        }
        let (what, was, now) = match (was, now) {
            (Presence::Optional(Some(was)), Presence::Optional(Some(now))) => {
                ("null value", was, now)
            }
            (Presence::Constant(was), Presence::Constant(now)) => ("constant", was, now),
            // With a null value on one side only, the types differ.
            _ => return,
        };
        let (was, now) = (on_wire(self.old, was), on_wire(self.new, now));
        if !same_literal(&was, &now) {
            self.breaks(
                part,
                format!("{what} was {}, is {}", shown(&was), shown(&now)),
            );
        }
    }
}

pub(super) fn type_name(schema: &Schema, kind: Kind) -> String {
    match kind {
        Kind::Prim(p) => p.name().into(),
        Kind::Array(p, n) => format!("{}[{n}]", p.name()),
        Kind::Enum(i) => schema.enums[i].name.clone(),
        Kind::Set(i) => schema.sets[i].name.clone(),
        Kind::Composite(i) => schema.composites[i].name.clone(),
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

fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Int(n) => n.to_string(),
        Literal::Float(n) => n.to_string(),
        Literal::Text(text) => format!("\"{}\"", text.escape_ascii()),
        // `on_wire` leaves none.
        Literal::EnumValue(..) => String::new(),
    }
}
