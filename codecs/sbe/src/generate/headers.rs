//! Message headers and dimensions: their accessors, and their encoding from the layout and the members that
//! the caller sets.

use super::Generation;
use super::fields::{by_ref, native, wire_prim, wire_value};
use super::names::own_members;
use super::setters::from_native;
use super::text::{describe, string};
use super::types::wire_ident;
use crate::ir::{Composite, Counts, Field, Kind, Presence, Prim};

impl Generation<'_> {
    /// Reads one unsigned member as `u32`.
    fn get(&self, composite: &Composite, member: usize) -> String {
        let place = format!("self.{}", wire_ident(composite, member));
        match prim(composite, member).size() {
            4 => format!("{place}.get()"),
            2 => format!("u32::from({place}.get())"),
            _ => format!("u32::from({place})"),
        }
    }

    /// `member: value` with a value of `u32` that is known to fit.
    fn put(composite: &Composite, member: usize, value: &str) -> String {
        let prim = prim(composite, member);
        let value = if prim.size() == 4 {
            value.to_owned()
        } else {
            format!("{value} as {}", native(prim))
        };
        format!(
            "{}: {}",
            wire_ident(composite, member),
            wire_value(prim, &value)
        )
    }

    /// The numbers of groups and data, where there are members for them.
    fn put_counts(composite: &Composite, counts: Counts, shape: &str) -> Vec<String> {
        [(counts.groups, "groups"), (counts.data, "data")]
            .into_iter()
            .filter_map(|(member, name)| {
                Some(Self::put(composite, member?, &format!("{shape}.{name}")))
            })
            .collect()
    }

    /// What the sender says of groups and data, where there are members for it; the null value says
    /// nothing.
    fn counts(&mut self, composite: &Composite, counts: Counts) {
        if counts == Counts::default() {
            return;
        }
        let said = [counts.groups, counts.data].map(|member| match member {
            Some(member) => {
                let max = native(prim(composite, member));
                let value = self.get(composite, member);
                format!("rt::some({value}, u32::from({max}::MAX))")
            }
            None => "None".to_owned(),
        });
        self.out.line(&format!(
            "#[inline] fn counts(&self) -> rt::Counts {{ rt::Counts::new({}) }}",
            said.join(", ")
        ));
    }

    pub(super) fn header(&mut self, index: usize, name: &str) {
        self.members(index, name);
        let composite = &self.schema.composites[index];
        let header = self.schema.header;
        let members = [
            ("block_length", header.block_length),
            ("template_id", header.template_id),
            ("schema_id", header.schema_id),
            ("version", header.version),
        ];
        self.out.line(&format!("impl rt::Header for {name} {{"));
        let mut parts = Vec::new();
        for (method, member) in members {
            self.out.line(&format!(
                "#[inline] fn {method}(&self) -> u32 {{ {} }}",
                self.get(composite, member)
            ));
            let shape = if method == "block_length" {
                "shape."
            } else {
                ""
            };
            parts.push(Self::put(
                composite,
                member,
                &format!("stamp.{shape}{method}"),
            ));
        }
        parts.extend(Self::put_counts(composite, header.counts, "stamp.shape"));
        self.counts(composite, header.counts);
        self.new_with_own(index, "stamp: &rt::Stamp", &parts);
        self.out.line("}");
        self.out.blank();
    }

    pub(super) fn dimension(&mut self, index: usize, name: &str) {
        self.members(index, name);
        let composite = &self.schema.composites[index];
        let Some(&dimension) = self.schema.dimension(index) else {
            return;
        };
        self.out.line(&format!("impl rt::Dimension for {name} {{"));
        let (block_length, count) = (dimension.block_length, dimension.num_in_group);
        for (method, member) in [("block_length", block_length), ("num_in_group", count)] {
            self.out.line(&format!(
                "#[inline] fn {method}(&self) -> u32 {{ {} }}",
                self.get(composite, member)
            ));
        }
        let prim = prim(composite, count);
        let fitted = format!(
            "{}::try_from(count).map_err(|_| rt::range(\"numInGroup\", count))?",
            native(prim)
        );
        let mut parts = vec![
            Self::put(composite, block_length, "shape.block_length"),
            format!(
                "{}: {}",
                wire_ident(composite, count),
                wire_value(prim, &fitted)
            ),
        ];
        parts.extend(Self::put_counts(composite, dimension.counts, "shape"));
        self.counts(composite, dimension.counts);
        self.new_with_own(index, "shape: &rt::Shape, count: usize", &parts);
        self.out.line("}");
        self.out.blank();
    }

    /// The type `Own`, and `new` from the `parts` of the layout and the members that the caller sets.
    fn new_with_own(&mut self, index: usize, params: &str, parts: &[String]) {
        let composite = &self.schema.composites[index];
        let rest = self.rest(composite, parts.len(), "Self");
        let made = format!("Self {{ {}{rest} }}", parts.join(", "));
        let own = self.names.own[index].clone().unwrap_or("()".into());
        self.out.line(&format!("type Own = {own};"));
        self.out.line(&format!(
            "#[inline] fn new({params}, own: &{own}) -> Result<Self, tw::EncodeError> {{"
        ));
        let members = own_members(self.schema, index);
        if members.is_empty() {
            self.out.line(&format!("Ok({made})"));
        } else {
            self.out.line(&format!("let mut made = {made};"));
            let mut names = super::names::Scope::default();
            for member in members {
                let field = &composite.members[member];
                let (place, ident) = (wire_ident(composite, member), names.snake(&field.name));
                let what = string(&format!("{}.{}", composite.name, field.name));
                let line = match self.set_call(field, &format!("made.{place}"), &what) {
                    Some((before, after)) => format!("{before}own.{ident}{after}?;"),
                    None => {
                        let given = format!("rt::given(own.{ident}, {what})?");
                        format!("made.{place} = {};", from_native(field.kind, &given))
                    }
                };
                self.out.line(&line);
            }
            self.out.line("Ok(made)");
        }
        self.out.line("}");
    }

    /// The struct of the members that the caller sets, if there are any.
    fn members(&mut self, index: usize, name: &str) {
        let Some(own) = self.names.own[index].clone() else {
            return;
        };
        let composite = &self.schema.composites[index];
        let mut names = super::names::Scope::default();
        let members: Vec<(&Field, String, usize)> = own_members(self.schema, index)
            .into_iter()
            .map(|at| {
                let field = &composite.members[at];
                (field, names.snake(&field.name), at)
            })
            .collect();
        self.out.doc(&format!("The members of [`{name}`] that the caller sets. Set every required member; an optional member that is not set is null."));
        self.out
            .line("#[derive(Clone, Copy, Debug, Default, PartialEq)]");
        self.out.line(&format!("pub struct {own} {{"));
        for (field, ident, _) in &members {
            self.out
                .doc(&describe(&field.name, None, 0, &field.description));
            let ty = self.owned_type(field.kind);
            self.out.line(&format!("pub {ident}: Option<{ty}>,"));
        }
        self.out.line("}");
        self.out.blank();
        // The names of the accessors depend on the order of all members.
        let mut accessors = super::names::Scope::default();
        let accessors = accessors.snakes(composite.members.iter().map(|m| &m.name));
        self.out.line(&format!("impl From<{name}> for {own} {{"));
        self.out.line(&format!("fn from(value: {name}) -> Self {{"));
        self.out.line("Self {");
        for (field, ident, at) in &members {
            let value = format!("value.{}()", accessors[*at]);
            let is_nullable = matches!(&field.presence, Presence::Optional(Some(null))
                if self.null_test(field.kind, null).is_some());
            let value = match (is_nullable, by_ref(field.kind)) {
                (true, true) => format!("{value}.copied()"),
                (true, false) => value,
                (false, true) => format!("Some(*{value})"),
                (false, false) => format!("Some({value})"),
            };
            self.out.line(&format!("{ident}: {value},"));
        }
        for _ in 0..3 {
            self.out.line("}");
        }
        self.out.blank();
    }

    /// The type of a member that the caller sets.
    pub(super) fn owned_type(&self, kind: Kind) -> String {
        match kind {
            Kind::Array(Prim::Char, n) => format!("tw::Chars<{n}>"),
            Kind::Array(Prim::Uint8, n) => format!("[{}; {n}]", wire_prim(Prim::Uint8)),
            kind => self.value_type(kind, ""),
        }
    }
}

/// The primitive of a member that the layout needs.
fn prim(composite: &Composite, member: usize) -> Prim {
    match composite.members[member].kind {
        Kind::Prim(prim) => prim,
        // Unreachable: the reader of schemas refuses other kinds.
        _ => Prim::Uint32,
    }
}
