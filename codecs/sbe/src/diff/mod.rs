//! The changes between two versions of a schema, and their compatibility.
//!
//! A compatible change is append-only (FIX SBE 1.0, section 5): new fields behind fields, groups behind
//! groups, data behind data, and new values and choices, each with its `sinceVersion`. Names, and ids except
//! those of messages, are not on the wire, so a program may change them.

mod pairs;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::fmt;

use crate::ir::{Body, Data, Field, Group, Kind, Message, Presence, Schema};
use pairs::{Key, Pairs, pair};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Whether a receiver of one version misreads messages of the other version.
    pub breaking: bool,
    /// The changed part: `Message.group.field`, or the name of a type.
    pub part: String,
    /// The change.
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
        compared: HashMap::new(),
        breaking: 0,
        has_added: false,
        changes: Vec::new(),
    };
    differ.schema();
    differ.changes
}

struct Differ<'s> {
    old: &'s Schema,
    new: &'s Schema,
    path: Vec<String>,
    /// Pairs of named types that were compared, and whether nothing in them breaks.
    compared: HashMap<(Kind, Kind), bool>,
    /// Breaking changes among [`Differ::changes`].
    breaking: usize,
    /// Whether the part is new.
    has_added: bool,
    changes: Vec<Change>,
}

impl<'s> Differ<'s> {
    fn note(&mut self, breaking: bool, part: &str, what: impl Into<String>) {
        let mut path = self.path.clone();
        if !part.is_empty() {
            path.push(part.to_owned());
        }
        self.breaking += usize::from(breaking);
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
        let header = |s: &Schema| Kind::Composite(s.header.composite);
        self.kind("header", header(old), header(new));
        let Pairs { places, added } = pair(&old.messages, &new.messages, |m| Key {
            id: Some(m.id),
            name: &m.name,
            is_new: m.since > old.version,
        });
        for (message, place) in old.messages.iter().zip(places) {
            match place {
                Some(at) => self.message(message, &new.messages[at]),
                None => self.breaks(&message.name, format!("message {} removed", message.id)),
            }
        }
        for message in added.into_iter().map(|at| &new.messages[at]) {
            // Old receivers skip a template that they do not know.
            self.appended(&message.name, "message", message.since);
        }
        if self.has_added && new.version == old.version {
            let version = new.version;
            let what = format!("something was added, but the version is still {version}");
            self.note(false, "schema", what);
        }
    }

    /// A new part that old receivers read wrongly without a version above the old schema's, and new
    /// receivers miss in what old senders write.
    fn added(&mut self, part: &str, kind: &str, since: u32) {
        self.has_added = true;
        let old = self.old.version;
        if since > old {
            self.note(false, part, format!("{kind} added"));
        } else {
            let what = format!("{kind} added without sinceVersion above {old}: {since} given");
            self.breaks(part, what);
        }
    }

    /// A new part that nobody reads wrongly, whatever version it names.
    fn appended(&mut self, part: &str, kind: &str, since: u32) {
        self.has_added = true;
        let old = self.old.version;
        let version = if since > old {
            String::new()
        } else {
            format!(", without sinceVersion above {old}")
        };
        self.note(false, part, format!("{kind} added{version}"));
    }

    fn moved(&mut self, part: &str, was: usize, now: usize) {
        self.breaks(part, format!("moved from offset {was} to {now}"));
    }

    /// A version that the old schema's senders are below makes new receivers skip what is there.
    fn since(&mut self, part: &str, was: u32, now: u32) {
        if was != now {
            let what = format!("sinceVersion was {was}, is {now}");
            self.note(now > self.old.version, part, what);
        }
    }

    fn message(&mut self, was: &'s Message, now: &'s Message) {
        if was.name != now.name {
            self.note(false, &was.name, format!("renamed to {}", now.name));
        }
        if was.id != now.id {
            let what = format!("template id was {}, is {}", was.id, now.id);
            self.breaks(&now.name, what);
        }
        self.since(&now.name, was.since, now.since);
        self.inside(&now.name, |d| d.body(&was.body, &now.body));
    }

    fn body(&mut self, was: &'s Body, now: &'s Body) {
        // Padding is nobody's: a block without it still holds what old receivers read there.
        let fields_end = was.fields.iter().map(|f| f.offset + f.size).max();
        if now.block_length < was.block_length {
            let (a, b) = (was.block_length, now.block_length);
            let breaking = b < fields_end.unwrap_or(0);
            self.note(breaking, "", format!("block shrank from {a} to {b} bytes"));
        }
        let old = self.old.version;
        let Pairs { places, added } = pair(&was.fields, &now.fields, |f| Key {
            id: f.id,
            name: &f.name,
            is_new: f.since > old,
        });
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
        let overlaps =
            |f: &&Field| f.offset < field.offset + field.size && field.offset < f.offset + f.size;
        if !field.on_wire() {
            self.note(false, &field.name, "constant added");
        } else if let Some(old) = was.fields.iter().find(overlaps) {
            self.has_added = true;
            let what = format!("field added where `{}` was", old.name);
            self.breaks(&field.name, what);
        } else {
            self.added(&field.name, "field", field.since);
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
            self.moved(&now.name, was.offset, now.offset);
        }
        self.kind(&now.name, was.kind, now.kind);
        self.meaning(was, now);
        // The null value of a composite is its first member's, and compared there.
        let by_member = |p: &Presence| matches!(p, Presence::Optional(_));
        let is_composite = matches!(was.kind, Kind::Composite(_));
        if !(is_composite && by_member(&was.presence) && by_member(&now.presence)) {
            self.presence(&now.name, &was.presence, &now.presence);
        }
        self.since(&now.name, was.since, now.since);
    }

    fn groups(&mut self, was: &'s Body, now: &'s Body) {
        let old = self.old.version;
        let Pairs { places, added } = pair(&was.groups, &now.groups, |g| Key {
            id: Some(g.id),
            name: &g.name,
            is_new: g.since > old,
        });
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
            self.added(&group.name, "group", group.since);
            if !was.data.is_empty() {
                self.breaks(
                    &group.name,
                    "stands before data that old receivers read next",
                );
            }
        }
    }

    fn group(&mut self, was: &'s Group, now: &'s Group) {
        if was.name != now.name {
            self.note(false, &was.name, format!("renamed to {}", now.name));
        }
        let dimension = |g: &Group| Kind::Composite(g.dimension);
        self.kind(&now.name, dimension(was), dimension(now));
        self.since(&now.name, was.since, now.since);
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
        let old = self.old.version;
        let Pairs { places, added } = pair(was, now, |d| Key {
            id: Some(d.id),
            name: &d.name,
            is_new: d.since > old,
        });
        for (index, (data, place)) in was.iter().zip(places).enumerate() {
            match place {
                Some(at) => {
                    if at != index {
                        self.breaks(&data.name, format!("data moved from place {index} to {at}"));
                    }
                    self.one_data(data, &now[at]);
                }
                None => self.breaks(&data.name, "data removed"),
            }
        }
        for data in added.into_iter().map(|at| &now[at]) {
            self.added(&data.name, "data", data.since);
        }
    }

    fn one_data(&mut self, was: &Data, now: &Data) {
        if was.name != now.name {
            self.note(false, &was.name, format!("renamed to {}", now.name));
        }
        if was.length != now.length {
            let (a, b) = (was.length.name(), now.length.name());
            self.breaks(&now.name, format!("length was {a}, is {b}"));
        }
        if was.text != now.text {
            self.breaks(&now.name, "character encoding changed");
        }
        self.since(&now.name, was.since, now.since);
    }
}
