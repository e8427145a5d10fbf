//! Enums, sets, composites, headers and dimensions.

use super::Generation;
use super::fields::{Host, native, wire_prim, wire_value};
use super::names::Scope;
use super::text::describe;
use crate::ir::{Composite, Field, Role};

impl Generation<'_> {
    pub(super) fn types(&mut self) {
        for index in 0..self.schema.enums.len() {
            self.enumeration(index);
        }
        for index in 0..self.schema.sets.len() {
            self.set(index);
        }
        for index in 0..self.schema.composites.len() {
            self.composite(index);
        }
    }

    fn enumeration(&mut self, index: usize) {
        let item = &self.schema.enums[index];
        let names = self.names.enums[index].clone();
        let raw = &names.raw;
        self.out.doc(&format!(
            "{}. Holds any wire value, because a sender of a newer version may use new values.",
            describe(&item.name, None, 0, &item.description)
        ));
        self.derive_transparent();
        self.out
            .line(&format!("pub struct {raw}({});", wire_prim(item.prim)));
        self.out.blank();
        self.out.line(&format!("impl {raw} {{"));
        for (value, name) in item.values.iter().zip(&names.consts) {
            self.out.doc(&describe(
                &value.name,
                None,
                value.since,
                &value.description,
            ));
            self.out.line(&format!(
                "pub const {name}: Self = Self::new({});",
                value.value
            ));
        }
        self.raw_methods(item.prim, "raw", "The wire value.");
        self.known_method(index);
        self.out.line("}");
        self.out.blank();
        self.out
            .line(&format!("rt::debug_known!({raw}, \"{raw}\");"));
        self.known_enum(index);
    }

    /// The method of an enum that returns its named value.
    fn known_method(&mut self, index: usize) {
        let item = &self.schema.enums[index];
        let names = self.names.enums[index].clone();
        let known = &names.known;
        self.out
            .doc("The named value, if the schema has one for this wire value.");
        self.out
            .line(&format!("pub const fn known(self) -> Option<{known}> {{"));
        if item.values.is_empty() {
            self.out.line("None");
        } else {
            self.out.line("Some(match self.raw() {");
            for (value, variant) in item.values.iter().zip(&names.variants) {
                self.out
                    .line(&format!("{} => {known}::{variant},", value.value));
            }
            self.out.line("_ => return None,");
            self.out.line("})");
        }
        self.out.line("}");
    }

    /// The enum of named values, and its conversion to wire values.
    fn known_enum(&mut self, index: usize) {
        let item = &self.schema.enums[index];
        let names = self.names.enums[index].clone();
        let (raw, known) = (&names.raw, &names.known);
        self.out
            .doc(&format!("The values of [`{raw}`] in the schema."));
        self.out
            .line("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]");
        self.out.line(&format!("pub enum {known} {{"));
        for (value, variant) in item.values.iter().zip(&names.variants) {
            self.out.doc(&describe(
                &value.name,
                None,
                value.since,
                &value.description,
            ));
            self.out.line(&format!("{variant},"));
        }
        self.out.line("}");
        self.out.blank();
        self.out.line(&format!("impl From<{known}> for {raw} {{"));
        self.out
            .line(&format!("fn from(value: {known}) -> Self {{"));
        self.out.line("match value {");
        for (variant, name) in names.variants.iter().zip(&names.consts) {
            self.out
                .line(&format!("{known}::{variant} => Self::{name},"));
        }
        for _ in 0..3 {
            self.out.line("}");
        }
        self.out.blank();
    }

    fn derive_transparent(&mut self) {
        self.out.line(
            "#[derive(Clone, Copy, PartialEq, Eq, Hash, z::FromBytes, z::IntoBytes, z::KnownLayout, z::Immutable, z::Unaligned)]",
        );
        let path = format!("{}::zerocopy", self.codecs_path);
        self.out.line(&format!("#[zerocopy(crate = \"{path}\")]"));
        self.out.line("#[repr(transparent)]");
    }

    /// `new` and its inverse over the wire integer.
    fn raw_methods(&mut self, prim: crate::ir::Prim, inverse: &str, doc: &str) {
        let int = native(prim);
        self.out.doc("Any wire value.");
        self.out.line(&format!(
            "pub const fn new(raw: {int}) -> Self {{ Self({}) }}",
            wire_value(prim, "raw")
        ));
        self.out.doc(doc);
        let get = if prim.size() == 1 {
            "self.0"
        } else {
            "self.0.get()"
        };
        self.out.line(&format!(
            "pub const fn {inverse}(self) -> {int} {{ {get} }}"
        ));
    }

    fn set(&mut self, index: usize) {
        let item = &self.schema.sets[index];
        let names = self.names.sets[index].clone();
        let name = &names.name;
        self.out.doc(&format!(
            "{}. A set of flags; bits without a name are kept.",
            describe(&item.name, None, 0, &item.description)
        ));
        self.derive_transparent();
        self.out
            .line(&format!("pub struct {name}({});", wire_prim(item.prim)));
        self.out.blank();
        self.out.line(&format!("impl {name} {{"));
        self.out.doc("No flag.");
        self.out.line("pub const EMPTY: Self = Self::new(0);");
        for (choice, constant) in item.choices.iter().zip(&names.consts) {
            self.out.doc(&describe(
                &choice.name,
                None,
                choice.since,
                &choice.description,
            ));
            self.out.line(&format!(
                "pub const {constant}: Self = Self::new({:#x});",
                1u64 << choice.bit
            ));
        }
        self.raw_methods(item.prim, "bits", "All bits as on the wire.");
        self.out.doc("Whether every flag of `flags` is set.");
        self.out.line("pub const fn contains(self, flags: Self) -> bool { self.bits() & flags.bits() == flags.bits() }");
        self.out.doc("This set with the flags of `flags` added.");
        self.out.line("pub const fn with(self, flags: Self) -> Self { Self::new(self.bits() | flags.bits()) }");
        self.out.line("}");
        self.out.line(&format!(
            "rt::debug_set!({name}, \"{name}\", [{}]);",
            names.consts.join(", ")
        ));
        self.out.blank();
    }

    fn composite(&mut self, index: usize) {
        let item = &self.schema.composites[index];
        let name = self.names.composites[index].clone();
        let members: Vec<&Field> = item.members.iter().filter(|m| m.on_wire()).collect();
        let doc = describe(&item.name, None, 0, &item.description);
        self.wire_struct(
            &name,
            &format!("{doc}. {} bytes on the wire.", item.size),
            &members,
            true,
        );
        let mut scope = Scope::default();
        if !item.members.is_empty() {
            self.out.line(&format!("impl {name} {{"));
            let idents = scope.snakes(item.members.iter().map(|m| &m.name));
            self.accessors(&item.members, &idents, Host::Struct, item.size);
            self.setters(&item.members, &mut scope);
            self.exact_fields(&item.members, &idents, &mut scope, Host::Struct, item.size);
            self.exact_composite(item, &idents, &mut scope);
            self.out.line("}");
        }
        self.debug(&name, &scope);
        match item.role {
            Role::Header => self.header(index, &name),
            Role::Dimension => self.dimension(index, &name),
            Role::Value => {}
        }
    }

    /// `Debug` of a wire struct by the accessors named in `scope`.
    pub(super) fn debug(&mut self, name: &str, scope: &Scope) {
        let fields = scope.given().join(", ");
        self.out
            .line(&format!("rt::debug_view!({name}, {name}, [{fields}]);"));
        self.out.blank();
    }

    /// The other members of a struct `name` at their defaults where it has members or gaps beside the
    /// `named` ones.
    pub(super) fn rest(&self, composite: &Composite, named: usize, name: &str) -> String {
        let members: Vec<_> = composite.members.iter().filter(|m| m.on_wire()).collect();
        let bytes: usize = members.iter().map(|m| m.size).sum();
        if members.len() > named || bytes < composite.size {
            format!(", ..<{name} as Default>::default()")
        } else {
            String::new()
        }
    }
}

/// The name of a member in its wire struct.
pub(super) fn wire_ident(composite: &Composite, member: usize) -> String {
    let mut names = Scope::default();
    let mut ident = String::new();
    for field in composite
        .members
        .iter()
        .take(member + 1)
        .filter(|m| m.on_wire())
    {
        ident = names.snake(&field.name);
    }
    ident
}
