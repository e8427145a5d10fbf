//! What changed between two versions of a schema, and whether old receivers survive it.
//!
//! Append-only (FIX SBE 1.0, section 5): fields go behind fields, groups behind groups, data behind
//! data, values and choices beside the old ones, each with the version that brought it.

mod shape;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use crate::ir::{Body, Data, Field, Group, Kind, Message, Schema};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether receivers of the old schema misread what senders of the new one write, or the reverse.
    pub breaking: bool,
    /// Where: `Message.group.field`, or the name of a type.
    pub part: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.breaking { "BREAKS" } else { "ok    " };
        write!(f, "{mark} {}: {}", self.part, self.what)
    }
}

/// Every change from `old` to `new`, in the order of the schema.
pub fn diff(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut differ = Differ {
        old,
        new,
        path: Vec::new(),
        changes: Vec::new(),
    };
    differ.schema();
    differ.changes
}

struct Differ<'s> {
    old: &'s Schema,
    new: &'s Schema,
    path: Vec<String>,
    changes: Vec<Change>,
}

impl<'s> Differ<'s> {
    fn note(&mut self, breaking: bool, part: &str, what: impl Into<String>) {
        let mut path = self.path.clone();
        if !part.is_empty() {
            path.push(part.to_owned());
        }
        self.changes.push(Change {
            breaking,
            part: path.join("."),
            what: what.into(),
        });
    }

    fn breaks(&mut self, part: &str, what: impl Into<String>) {
        self.note(true, part, what);
    }

    fn inside(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        self.path.push(name.to_owned());
        look(self);
        self.path.pop();
    }

    fn schema(&mut self) {
        let (old, new) = (self.old, self.new);
        if old.id != new.id {
            self.breaks("schema", format!("id was {}, is {}", old.id, new.id));
        }
        if old.byte_order != new.byte_order {
            self.breaks("schema", "byte order changed");
        }
        if new.version < old.version {
            self.breaks(
                "schema",
                format!("version went back from {} to {}", old.version, new.version),
            );
        }
        let header = |s: &Schema| {
            s.header_composite()
                .members
                .iter()
                .map(|m| (m.name.clone(), m.offset, m.size))
                .collect::<Vec<_>>()
        };
        if header(old) != header(new) {
            self.breaks(&new.header_composite().name, "message header changed");
        }
        self.enums();
        self.sets();
        for message in &old.messages {
            match new.messages.iter().find(|m| m.id == message.id) {
                Some(now) => self.message(message, now),
                None => self.breaks(&message.name, format!("message {} removed", message.id)),
            }
        }
        for message in new
            .messages
            .iter()
            .filter(|m| !old.messages.iter().any(|o| o.id == m.id))
        {
            self.added(&message.name, "message", message.since, old.version);
        }
        if self.changes.iter().any(|c| c.what.ends_with("added")) && new.version == old.version {
            self.breaks(
                "schema",
                format!(
                    "something was added, but the version is still {}",
                    new.version
                ),
            );
        }
    }

    /// A new part: fine with a version above the old schema's.
    fn added(&mut self, part: &str, kind: &str, since: u32, old_version: u32) {
        if since > old_version {
            self.note(false, part, format!("{kind} added"));
        } else {
            self.breaks(
                part,
                format!(
                    "{kind} added without sinceVersion above {old_version}: {since} given; added"
                ),
            );
        }
    }

    fn enums(&mut self) {
        for was in &self.old.enums {
            let Some(now) = self.new.enums.iter().find(|e| e.name == was.name) else {
                continue;
            };
            self.inside(&was.name, |d| {
                if was.prim != now.prim {
                    d.breaks(
                        "",
                        format!("encoding was {}, is {}", was.prim.name(), now.prim.name()),
                    );
                }
                for value in &was.values {
                    match now.values.iter().find(|v| v.name == value.name) {
                        Some(v) if v.value != value.value => {
                            d.breaks(
                                &value.name,
                                format!("value was {}, is {}", value.value, v.value),
                            );
                        }
                        Some(_) => {}
                        None => match now.values.iter().find(|v| v.value == value.value) {
                            Some(v) => d.note(false, &value.name, format!("renamed to {}", v.name)),
                            None => d.breaks(&value.name, format!("value {} removed", value.value)),
                        },
                    }
                }
                for v in &now.values {
                    if !was
                        .values
                        .iter()
                        .any(|o| o.value == v.value || o.name == v.name)
                    {
                        d.added(&v.name, "value", v.since, d.old.version);
                    }
                }
            });
        }
    }

    fn sets(&mut self) {
        for was in &self.old.sets {
            let Some(now) = self.new.sets.iter().find(|s| s.name == was.name) else {
                continue;
            };
            self.inside(&was.name, |d| {
                if was.prim != now.prim {
                    d.breaks(
                        "",
                        format!("encoding was {}, is {}", was.prim.name(), now.prim.name()),
                    );
                }
                for choice in &was.choices {
                    match now.choices.iter().find(|c| c.name == choice.name) {
                        Some(c) if c.bit != choice.bit => d.breaks(
                            &choice.name,
                            format!("bit was {}, is {}", choice.bit, c.bit),
                        ),
                        Some(_) => {}
                        None => match now.choices.iter().find(|c| c.bit == choice.bit) {
                            Some(c) => {
                                d.note(false, &choice.name, format!("renamed to {}", c.name))
                            }
                            None => d.breaks(&choice.name, format!("bit {} removed", choice.bit)),
                        },
                    }
                }
                for c in &now.choices {
                    if !was
                        .choices
                        .iter()
                        .any(|o| o.bit == c.bit || o.name == c.name)
                    {
                        d.added(&c.name, "choice", c.since, d.old.version);
                    }
                }
            });
        }
    }

    fn message(&mut self, was: &'s Message, now: &'s Message) {
        if was.name != now.name {
            self.note(false, &was.name, format!("renamed to {}", now.name));
        }
        self.inside(&now.name, |d| d.body(&was.body, &now.body));
    }

    fn body(&mut self, was: &'s Body, now: &'s Body) {
        if now.block_length < was.block_length {
            self.breaks(
                "",
                format!(
                    "block shrank from {} to {} bytes",
                    was.block_length, now.block_length
                ),
            );
        }
        let (places, added) = pair(&was.fields, &now.fields, |f| (f.id, &f.name));
        for (field, place) in was.fields.iter().zip(places) {
            match place {
                Some(at) => self.field(field, &now.fields[at]),
                None => self.breaks(&field.name, "field removed"),
            }
        }
        for at in added {
            self.added_field(was, &now.fields[at]);
        }
        self.groups(was, now);
        self.data(&was.data, &now.data);
    }

    fn added_field(&mut self, was: &Body, field: &Field) {
        // Padding may be filled: old senders name a version below the field's.
        let end = was
            .fields
            .iter()
            .map(|f| f.offset + f.size)
            .max()
            .unwrap_or(0);
        if field.on_wire() && field.offset < end {
            self.breaks(
                &field.name,
                format!("field before the end of the old ones, {end}, added"),
            );
        } else if field.on_wire() {
            self.added(&field.name, "field", field.since, self.old.version);
        } else {
            self.note(false, &field.name, "constant added");
        }
    }

    fn field(&mut self, was: &Field, now: &Field) {
        if was.name != now.name {
            self.note(false, &was.name, format!("renamed to {}", now.name));
        }
        if was.on_wire() != now.on_wire() {
            self.breaks(&now.name, "constant on one side only");
            return;
        }
        if was.on_wire() && was.offset != now.offset {
            self.breaks(
                &now.name,
                format!("moved from offset {} to {}", was.offset, now.offset),
            );
        }
        let (a, b) = (type_name(self.old, was.kind), type_name(self.new, now.kind));
        if was.size != now.size || !self.same_shape(was.kind, now.kind) {
            self.breaks(&now.name, format!("type was {a}, is {b}"));
        } else if a != b {
            self.note(
                false,
                &now.name,
                format!("type was {a}, is {b}, with the same bytes"),
            );
        }
        if !self.same_presence(&was.presence, &now.presence) {
            self.breaks(&now.name, "presence, null value or constant changed");
        }
        if was.since != now.since {
            self.breaks(
                &now.name,
                format!("sinceVersion was {}, is {}", was.since, now.since),
            );
        }
    }

    fn groups(&mut self, was: &'s Body, now: &'s Body) {
        let (places, added) = pair(&was.groups, &now.groups, |g| (Some(g.id), &g.name));
        for (index, (group, place)) in was.groups.iter().zip(places).enumerate() {
            match place {
                Some(at) => {
                    if at != index {
                        self.breaks(
                            &group.name,
                            format!("group moved from place {index} to {at}"),
                        );
                    }
                    self.group(group, &now.groups[at]);
                }
                None => self.breaks(&group.name, "group removed"),
            }
        }
        for group in added.into_iter().map(|at| &now.groups[at]) {
            self.added(&group.name, "group", group.since, self.old.version);
            if !was.data.is_empty() {
                self.breaks(
                    &group.name,
                    "stands before data that old receivers read next",
                );
            }
        }
    }

    fn group(&mut self, was: &'s Group, now: &'s Group) {
        let dimension = |s: &Schema, i: usize| {
            s.composites[i]
                .members
                .iter()
                .map(|m| (m.name.clone(), m.offset, m.size))
                .collect::<Vec<_>>()
        };
        if dimension(self.old, was.dimension) != dimension(self.new, now.dimension) {
            self.breaks(&now.name, "dimension changed");
        }
        if was.since != now.since {
            self.breaks(
                &now.name,
                format!("sinceVersion was {}, is {}", was.since, now.since),
            );
        }
        let nested = |b: &Body| b.groups.len() + b.data.len();
        if nested(&now.body) > nested(&was.body) {
            self.breaks(
                &now.name,
                "groups or data inside entries: old receivers cannot step over them",
            );
        }
        self.inside(&now.name, |d| d.body(&was.body, &now.body));
    }

    fn data(&mut self, was: &[Data], now: &[Data]) {
        let (places, added) = pair(was, now, |d| (Some(d.id), &d.name));
        for (index, (data, place)) in was.iter().zip(places).enumerate() {
            match place {
                Some(at) => {
                    if at != index {
                        self.breaks(&data.name, format!("data moved from place {index} to {at}"));
                    }
                    if now[at].length != data.length {
                        self.breaks(
                            &data.name,
                            format!(
                                "length was {}, is {}",
                                data.length.name(),
                                now[at].length.name()
                            ),
                        );
                    }
                    if now[at].text != data.text {
                        self.breaks(&data.name, "character encoding changed");
                    }
                    if now[at].since != data.since {
                        self.breaks(
                            &data.name,
                            format!("sinceVersion was {}, is {}", data.since, now[at].since),
                        );
                    }
                }
                None => self.breaks(&data.name, "data removed"),
            }
        }
        for data in added.into_iter().map(|at| &now[at]) {
            self.added(&data.name, "data", data.since, self.old.version);
        }
    }
}

/// Where each old part is now, and the new parts that are no old one's.
///
/// A part is the one of its id, or, where either has none, of its name. Ids that a schema gives
/// twice are told apart by name.
fn pair<T>(
    was: &[T],
    now: &[T],
    key: impl Fn(&T) -> (Option<u32>, &String),
) -> (Vec<Option<usize>>, Vec<usize>) {
    let place = |part: &T| {
        let (id, name) = key(part);
        let found = |other: &T| match (id, key(other)) {
            (Some(id), (Some(other), _)) => id == other,
            (_, (_, other)) => other == name,
        };
        let named = now
            .iter()
            .position(|other| found(other) && key(other).1 == name);
        named.or_else(|| now.iter().position(found))
    };
    let places: Vec<_> = was.iter().map(place).collect();
    let kept: HashSet<_> = places.iter().flatten().copied().collect();
    let added = (0..now.len()).filter(|at| !kept.contains(at)).collect();
    (places, added)
}

fn type_name(schema: &Schema, kind: Kind) -> String {
    match kind {
        Kind::Prim(p) => p.name().into(),
        Kind::Array(p, n) => format!("{}[{n}]", p.name()),
        Kind::Enum(i) => schema.enums[i].name.clone(),
        Kind::Set(i) => schema.sets[i].name.clone(),
        Kind::Composite(i) => schema.composites[i].name.clone(),
    }
}
