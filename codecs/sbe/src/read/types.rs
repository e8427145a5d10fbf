//! `<types>`: enums, sets, composites and named types, resolved in the order they are needed.

use std::collections::{HashMap, HashSet};

use super::attrs::ARRAY_LENGTH_MAX;
use super::{attrs, values};
use crate::faults::{Fault, Faults};
use crate::ir::{
    Composite, Dimension, Enum, Field, Kind, Literal, Presence, Prim, Role, Set, TimeUnit,
};
use crate::xml::Elem;

/// Types inside each other, by reference or where they stand: each level costs stack frames here and
/// in whatever walks a value. Venues nest two.
const TYPE_DEPTH_MAX: usize = 64;
/// Values in one block or composite, those inside its composites included: constants and composites of
/// them take no bytes, so the size of a block does not bound what reading it gives.
const BLOCK_VALUES_MAX: usize = ARRAY_LENGTH_MAX;

/// A type as a field sees it: the presence is the type's own, which a field may override.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    /// The null value of optional fields of the type; `None` if the kind has no null value.
    pub(super) null: Option<Literal>,
    /// Attributes of the declaration.
    pub(super) notes: Notes,
}

/// Attributes that shape no byte; those of a field go before those of its type.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    description: String,
    semantic_type: String,
    time_unit: Option<TimeUnit>,
    other_unit: String,
    epoch: String,
}

impl Notes {
    fn of(elem: &Elem, faults: &mut Faults) -> Self {
        let (time_unit, other_unit) = match attrs::time_unit(elem) {
            None => (None, String::new()),
            Some((_, Ok(unit))) => (Some(unit), String::new()),
            Some((attr, Err(word))) => {
                let what = format!("`timeUnit=\"{word}\"` of <{}>", elem.name);
                faults.skip(&attr.pos, what);
                (None, word.to_owned())
            }
        };
        Self {
            description: attrs::text(elem, "description"),
            semantic_type: attrs::text(elem, "semanticType"),
            time_unit,
            other_unit,
            epoch: attrs::text(elem, "epoch"),
        }
    }

    /// With those of the field's type where the field itself has none.
    fn or(mut self, of_type: Self) -> Self {
        if self.description.is_empty() {
            // The type's first sentence; the rest of it is about the type and not about this field.
            let mut sentences = of_type.description.split_inclusive(". ");
            sentences
                .next()
                .unwrap_or_default()
                .trim_end()
                .clone_into(&mut self.description);
        }
        if self.semantic_type.is_empty() {
            self.semantic_type = of_type.semantic_type;
        }
        if self.epoch.is_empty() {
            self.epoch = of_type.epoch;
        }
        if self.time_unit.is_none() && self.other_unit.is_empty() {
            (self.time_unit, self.other_unit) = (of_type.time_unit, of_type.other_unit);
        }
        self
    }
}

/// The layout of a block or composite so far.
#[derive(Default)]
pub(super) struct Layout {
    /// Bytes up to the end of its last field.
    pub(super) end: usize,
    /// Values in it; see [`BLOCK_VALUES_MAX`].
    values: usize,
}

/// The declarations of a schema and what has been made of them so far.
pub(super) struct Types<'e> {
    declared: HashMap<&'e str, &'e Elem>,
    order: Vec<&'e Elem>,
    /// The type of a name; `None` if its declaration is invalid.
    resolved: HashMap<&'e str, Option<Resolved>>,
    /// Names being resolved, outermost first: a name seen twice contains itself.
    open: Vec<&'e str>,
    /// Declarations being read, by name or where they stand.
    depth: usize,
    /// Whether they were too many once.
    is_too_deep: bool,
    pub(super) schema_version: u32,
    pub(super) faults: Faults,
    /// Names of [`Types::enums`], [`Types::sets`] and [`Types::composites`].
    taken: [HashSet<String>; 3],
    /// Values in each of [`Types::composites`].
    counts: Vec<usize>,
    pub(super) enums: Vec<Enum>,
    pub(super) sets: Vec<Set>,
    pub(super) composites: Vec<Composite>,
    pub(super) dimensions: Vec<Dimension>,
}

impl<'e> Types<'e> {
    pub(super) fn new(root: &'e Elem, schema_version: u32, faults: Faults) -> Self {
        let mut types = Self {
            declared: HashMap::new(),
            order: Vec::new(),
            resolved: HashMap::new(),
            open: Vec::new(),
            depth: 0,
            is_too_deep: false,
            schema_version,
            faults,
            taken: Default::default(),
            counts: Vec::new(),
            enums: Vec::new(),
            sets: Vec::new(),
            composites: Vec::new(),
            dimensions: Vec::new(),
        };
        let declared = root.children.iter().filter(|c| c.name == "types");
        for elem in declared.flat_map(|t| &t.children) {
            let read = types.add(elem);
            types.faults.keep(read);
        }
        types
    }

    /// Adds a declaration that is not read yet.
    fn add(&mut self, elem: &'e Elem) -> Result<(), Fault> {
        let name = attrs::required(elem, "name");
        if !["type", "composite", "enum", "set"].contains(&elem.name.as_str()) {
            match name {
                Ok(name) => drop(self.resolved.insert(&name.value, None)),
                Err(_) => self.faults.is_incomplete = true,
            }
            return Err(elem.error(
                format!("<{}> inside <types>", elem.name),
                "<type>, <composite>, <enum> or <set>",
            ));
        }
        let name = name.inspect_err(|_| self.faults.is_incomplete = true)?;
        if self.declared.contains_key(name.value.as_str()) {
            return Err(name.pos.error(
                format!("type `{}` is declared twice", name.value),
                "each name once",
            ));
        }
        self.declared.insert(&name.value, elem);
        self.order.push(elem);
        Ok(())
    }

    /// Resolves everything declared, so that a fault in an unused type is found too.
    pub(super) fn resolve_all(&mut self) {
        for elem in self.order.clone() {
            if !is_var_data(elem)
                && let Some(name) = elem.attr("name")
            {
                let resolved = self.resolve(&name.value, elem, "type");
                self.faults.keep(resolved);
            }
        }
    }

    /// The fault of something that is not declared; none if its declaration may be what is missing.
    pub(super) fn missing(&self, name: &str, fault: Fault) -> Fault {
        let is_at_fault = matches!(self.resolved.get(name), Some(None));
        if self.faults.is_incomplete || is_at_fault {
            Fault::Said
        } else {
            fault
        }
    }

    pub(super) fn declaration(&self, name: &str) -> Option<&'e Elem> {
        self.declared.get(name).copied()
    }

    /// The type called `name`, declared or primitive; `user` and its attribute `attr` name the place.
    pub(super) fn resolve(
        &mut self,
        name: &str,
        user: &Elem,
        attr: &str,
    ) -> Result<Resolved, Fault> {
        if let Some(done) = self.resolved.get(name) {
            return done.clone().ok_or(Fault::Said);
        }
        let Some((&name, &elem)) = self.declared.get_key_value(name) else {
            let at = user.attr(attr).map_or(&user.pos, |a| &a.pos);
            let unknown = || {
                at.error(
                    format!("unknown type `{name}`"),
                    "a type declared in <types> or a primitive type such as `int64`",
                )
            };
            return match Prim::parse(name) {
                Some(prim) => Ok(plain(Kind::Prim(prim), Some(prim.null()))),
                None => Err(self.missing(name, unknown())),
            };
        };
        if self.open.contains(&name) {
            return Err(elem.error(
                format!("type `{name}` contains itself"),
                "a type of fixed size",
            ));
        }
        self.open.push(name);
        let done = self.declare(elem);
        self.open.pop();
        let done = self.faults.keep(done);
        self.resolved.insert(name, done.clone());
        done.ok_or(Fault::Said)
    }

    fn declare(&mut self, elem: &'e Elem) -> Result<Resolved, Fault> {
        attrs::since(elem, self.schema_version)?;
        if self.depth == TYPE_DEPTH_MAX {
            // Of a chain of types, every 64th is too deep: it is one fault.
            if std::mem::replace(&mut self.is_too_deep, true) {
                return Err(Fault::Said);
            }
            return Err(elem.error(
                format!("types within types more than {TYPE_DEPTH_MAX} deep"),
                "types nested less deeply",
            ));
        }
        self.depth += 1;
        let done = match elem.name.as_str() {
            "enum" => self.enumeration(elem),
            "set" => self.set(elem),
            "composite" => self.composite(elem),
            _ => self.simple(elem),
        };
        self.depth -= 1;
        done.map(|done| Resolved {
            notes: Notes::of(elem, &mut self.faults),
            ..done
        })
    }

    /// `<type>`: a primitive, an array or a constant.
    fn simple(&mut self, elem: &Elem) -> Result<Resolved, Fault> {
        let attr = attrs::required(elem, "primitiveType")?;
        let prim = Prim::parse(attr.value.trim()).ok_or_else(|| {
            let names = Prim::ALL.map(Prim::name).join(", ");
            attr.pos.error(
                format!("unknown primitive type `{}`", attr.value),
                format!("one of {names}"),
            )
        })?;
        let length = attrs::size(elem, "length")?;
        let mut kind = match length {
            None | Some(1) => Kind::Prim(prim),
            Some(0) => {
                return Err(elem.error(
                    "`length=\"0\"` outside of variable data",
                    "a length of at least 1",
                ));
            }
            Some(n) => Kind::Array(prim, n),
        };
        let null = self.null_value(elem, kind, values::default_null(kind))?;
        let presence = match attrs::presence(elem)? {
            None | Some("required") => Presence::Required,
            Some("optional") => Presence::Optional(null.clone()),
            _ => {
                let constant = self.constant(elem, kind, length)?;
                if let Literal::Text(text) = &constant {
                    kind = Kind::Array(Prim::Char, text.len());
                }
                Presence::Constant(constant)
            }
        };
        match elem.attr("nullValue") {
            Some(attr) if matches!(presence, Presence::Constant(_)) => {
                Err(values::unused_null(elem, attr))
            }
            _ => Ok(Resolved {
                kind,
                presence,
                null,
                notes: Notes::default(),
            }),
        }
    }

    fn composite(&mut self, elem: &'e Elem) -> Result<Resolved, Fault> {
        if is_var_data(elem) {
            return Err(elem.error("variable data used as a value", "a composite of fixed size"));
        }
        values::refuse_null(elem)?;
        let mut members: Vec<Field> = Vec::new();
        let (mut names, mut layout) = (HashSet::new(), Layout::default());
        // The first member on the wire tells (SBE 1.0, "Null value of a composite type").
        let (mut null, mut is_first, mut is_whole) = (None, true, true);
        for child in &elem.children {
            let read = self.composite_member(child, &mut names, &mut layout);
            let Some((member, null_of_member)) = self.faults.keep(read) else {
                is_whole = false;
                continue;
            };
            if member.size > 0 && core::mem::take(&mut is_first) {
                null = null_of_member;
            }
            members.push(member);
        }
        if !is_whole {
            return Err(Fault::Said);
        }
        let name = self.unique_name(elem, 2)?;
        let description = attrs::text(elem, "description");
        self.composites.push(Composite {
            name,
            description,
            size: layout.end,
            members,
            semantic_type: attrs::text(elem, "semanticType"),
            epoch: attrs::text(elem, "epoch"),
            role: Role::Value,
        });
        self.counts.push(layout.values);
        Ok(plain(Kind::Composite(self.composites.len() - 1), null))
    }

    /// A member, and its null value.
    fn composite_member(
        &mut self,
        child: &'e Elem,
        names: &mut HashSet<&'e str>,
        layout: &mut Layout,
    ) -> Result<(Field, Option<Literal>), Fault> {
        let name = attrs::required(child, "name")?;
        let resolved = match child.name.as_str() {
            "ref" => {
                values::refuse_null(child)?;
                self.resolve(attrs::required(child, "type")?.value.trim(), child, "type")?
            }
            "type" | "composite" | "enum" | "set" => self.declare(child)?,
            other => {
                return Err(child.error(
                    format!("<{other}> inside <composite>"),
                    "<type>, <ref>, <composite>, <enum> or <set>",
                ));
            }
        };
        let null = resolved.null.clone();
        let member = self.place(child, resolved, layout)?;
        if !names.insert(&name.value) {
            return Err(name.pos.error(
                format!("member `{}` is declared twice", name.value),
                "each name once",
            ));
        }
        Ok((member, null))
    }

    /// A field or member at its `offset`, or right behind what is before it; adds it to `layout`.
    pub(super) fn place(
        &mut self,
        elem: &Elem,
        resolved: Resolved,
        layout: &mut Layout,
    ) -> Result<Field, Fault> {
        let constant = matches!(resolved.presence, Presence::Constant(_));
        let size = if constant {
            0
        } else {
            self.size_of(resolved.kind)
        };
        let offset = match attrs::size(elem, "offset")? {
            Some(offset) if offset < layout.end && !constant => {
                let at = elem.attr("offset").map_or(&elem.pos, |a| &a.pos);
                return Err(at.error(
                    format!("`offset=\"{offset}\"` overlaps the field before it"),
                    format!("an offset of at least {}", layout.end),
                ));
            }
            Some(offset) => offset,
            None => layout.end,
        };
        if !constant {
            layout.end = offset + size;
        }
        if layout.end > ARRAY_LENGTH_MAX {
            return Err(elem.error(
                format!("fixed fields of {} bytes", layout.end),
                format!("at most {ARRAY_LENGTH_MAX} bytes"),
            ));
        }
        layout.values += 1;
        if let Kind::Composite(i) = resolved.kind {
            layout.values += self.counts[i];
        }
        if layout.values > BLOCK_VALUES_MAX {
            return Err(elem.error(
                format!("{} values in one block", layout.values),
                format!("at most {BLOCK_VALUES_MAX}"),
            ));
        }
        let notes = Notes::of(elem, &mut self.faults).or(resolved.notes);
        Ok(Field {
            name: attrs::required(elem, "name")?.value.clone(),
            id: attrs::id(elem, "id")?,
            since: 0,
            description: notes.description,
            offset,
            size,
            kind: resolved.kind,
            presence: resolved.presence,
            semantic_type: notes.semantic_type,
            time_unit: notes.time_unit,
            other_unit: notes.other_unit,
            epoch: notes.epoch,
        })
    }

    pub(super) fn size_of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Prim(p) => p.size(),
            Kind::Array(p, n) => p.size() * n,
            Kind::Enum(i) => self.enums[i].prim.size(),
            Kind::Set(i) => self.sets[i].prim.size(),
            Kind::Composite(i) => self.composites[i].size,
        }
    }

    /// The declared name, unique in its list of [`Types::taken`]; types declared inside a composite
    /// are `Outer.Inner` where `Inner` is taken.
    pub(super) fn unique_name(&mut self, elem: &Elem, list: usize) -> Result<String, Fault> {
        let name = attrs::required(elem, "name")?.value.clone();
        let top_level = self.open.last().is_some_and(|n| *n == name);
        let declared_elsewhere = !top_level && self.declared.contains_key(name.as_str());
        let taken = &mut self.taken[list];
        let name = match self.open.last() {
            Some(outer) if declared_elsewhere || taken.contains(&name) => format!("{outer}.{name}"),
            _ => name,
        };
        taken.insert(name.clone());
        Ok(name)
    }
}

/// Whether a composite is the length and bytes of variable data.
pub(super) fn is_var_data(elem: &Elem) -> bool {
    elem.name == "composite"
        && elem
            .children
            .iter()
            .any(|c| c.attr("name").is_some_and(|a| a.value == "varData"))
}

pub(super) fn plain(kind: Kind, null: Option<Literal>) -> Resolved {
    Resolved {
        kind,
        presence: Presence::Required,
        null,
        notes: Notes::default(),
    }
}
