//! Messages and group entries: views that find every part once.

use super::Generation;
use super::fields::{Host, wire_prim};
use super::names::{BodyNames, Scope};
use super::text::describe;
use crate::ir::{Body, Data, Field, Group, Message};

/// Fields and locals of a view that parts of the schema must not be called.
const VIEW_TAKEN: [&str; 6] = ["bytes", "version", "root", "tail", "c", "s"];

/// What the generator knows about a block: which struct reads it and which writes it.
pub(super) struct Block<'b> {
    /// Fields on the wire.
    pub(super) fields: Vec<&'b Field>,
    /// End of the fields that every version has.
    pub(super) base_end: usize,
    /// Whether fields came later.
    pub(super) grown: bool,
}

impl<'b> Block<'b> {
    pub(super) fn new(body: &'b Body) -> Self {
        let fields: Vec<_> = body.fields.iter().filter(|f| f.on_wire()).collect();
        let first_added = fields.iter().position(|f| f.since > 0);
        let base = fields
            .get(..first_added.unwrap_or(fields.len()))
            .unwrap_or_default();
        Self {
            base_end: base.last().map_or(0, |f| f.offset + f.size),
            grown: first_added.is_some(),
            fields,
        }
    }

    /// Whether the view of an entry has nothing to hold: its lifetime needs a field all the same.
    fn is_nothing(&self, body: &Body) -> bool {
        self.base_end == 0 && !self.grown && body.is_fixed()
    }
}

/// Groups whose entries are one wire struct: no view type is needed for them.
pub(super) fn is_rows(body: &Body) -> bool {
    let block = Block::new(body);
    body.is_fixed() && !block.grown && block.base_end > 0
}

impl Generation<'_> {
    pub(super) fn message(&mut self, message: &Message, names: &BodyNames) {
        let doc = describe(
            &message.name,
            Some(message.id),
            message.since,
            &message.description,
        );
        let block = Block::new(&message.body);
        if !block.fields.is_empty() {
            self.wire_struct(
                &names.root,
                &format!("Fixed fields of {doc}"),
                &block.fields,
                false,
            );
        }
        self.out.doc(&format!("The message {doc}"));
        self.out.line("#[derive(Clone, Copy, Debug)]");
        self.out.line(&format!("pub struct {};", names.marker));
        self.out.blank();
        self.out.line(&format!("impl {} {{", names.marker));
        self.out.doc("Which message it is.");
        self.out
            .line(&format!("pub const TEMPLATE_ID: u32 = {};", message.id));
        self.out
            .doc("Bytes of the block of fixed fields as this schema's version writes it.");
        self.out.line(&format!(
            "pub const BLOCK_LENGTH: u32 = {};",
            message.body.block_length
        ));
        self.out.line("}");
        self.out.blank();
        self.view_struct(
            &message.body,
            names,
            &format!("A checked [`{}`].", names.marker),
            true,
        );
        self.codec(message, names);
        self.view_impl(&message.body, names);
        self.builder(&message.body, names, Some(message));
        self.group_types(&message.body, names, 1);
    }

    /// The types of the groups in a body; `depth` is 1 for the groups of a message.
    fn group_types(&mut self, body: &Body, names: &BodyNames, depth: usize) {
        for (group, names) in body.groups.iter().zip(&names.groups) {
            self.group(group, names, depth);
        }
    }

    fn group(&mut self, group: &Group, names: &BodyNames, depth: usize) {
        let doc = describe(&group.name, Some(group.id), group.since, &group.description);
        let block = Block::new(&group.body);
        if !block.fields.is_empty() {
            let doc = format!("Fixed fields of an entry of {doc}");
            self.wire_struct(&names.root, &doc, &block.fields, is_rows(&group.body));
        }
        if is_rows(&group.body) {
            self.out.line(&format!("impl {} {{", names.root));
            let mut scope = Scope::default();
            self.accessors(&group.body.fields, &mut scope, Host::Struct, usize::MAX);
            self.out.line("}");
            self.debug(&names.root, &scope);
            return;
        }
        self.view_struct(
            &group.body,
            names,
            &format!("A checked entry of {doc}"),
            false,
        );
        self.entry(&group.body, names, depth + 1);
        self.view_impl(&group.body, names);
        self.builder(&group.body, names, None);
        self.group_types(&group.body, names, depth + 1);
    }

    /// Names of groups and data as fields of the view, in wire order.
    pub(super) fn part_idents(body: &Body) -> Vec<String> {
        let mut scope = Scope::reserving(&VIEW_TAKEN);
        let groups = body.groups.iter().map(|g| g.name.as_str());
        groups
            .chain(body.data.iter().map(|d| d.name.as_str()))
            .map(|n| scope.snake(n))
            .collect()
    }

    /// The type of a group in a view.
    fn group_type(&self, group: &Group, names: &BodyNames) -> String {
        if is_rows(&group.body) {
            format!("rt::Rows<'a, {}>", names.root)
        } else {
            format!("rt::Group<'a, {}<'a>>", names.view)
        }
    }

    fn data_type(data: &Data) -> String {
        let plain = if data.text { "&'a str" } else { "&'a [u8]" };
        if data.since > 0 {
            format!("Option<{plain}>")
        } else {
            plain.into()
        }
    }

    fn view_struct(&mut self, body: &Body, names: &BodyNames, doc: &str, is_message: bool) {
        let block = Block::new(body);
        self.out.doc(doc);
        self.out.line("#[derive(Clone, Copy)]");
        self.out.line(&format!("pub struct {}<'a> {{", names.view));
        if is_message {
            self.out.line("bytes: &'a [u8],");
        }
        if is_message || block.grown {
            self.out.line("version: u32,");
        }
        if block.base_end > 0 {
            self.out
                .line(&format!("root: &'a [u8; {}],", block.base_end));
        }
        if block.grown {
            self.out.line("tail: &'a [u8],");
        }
        if !is_message && block.is_nothing(body) {
            self.out
                .line("nothing: ::core::marker::PhantomData<&'a ()>,");
        }
        let idents = Self::part_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            self.out
                .line(&format!("{ident}: {},", self.group_type(group, names)));
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            self.out
                .line(&format!("{ident}: {},", Self::data_type(data)));
        }
        self.out.line("}");
        self.out.blank();
    }

    /// The statements that read block, groups and data, and the list of the view's fields.
    fn reads(&mut self, body: &Body, names: &BodyNames, depth: usize) -> Vec<String> {
        let block = Block::new(body);
        let mut fields = Vec::new();
        if block.base_end > 0 {
            fields.push("root".to_owned());
        }
        if block.grown {
            fields.push("tail".into());
        }
        let root = if block.base_end > 0 { "root" } else { "_" };
        let tail = if block.grown { "tail" } else { "_" };
        self.out.line(&format!(
            "let ({root}, {tail}) = c.block::<{}>(s.block_length)?;",
            block.base_end
        ));
        let idents = Self::part_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            let dimension = &self.names.composites[group.dimension];
            let (method, entry, none) = if is_rows(&group.body) {
                ("rows", names.root.clone(), "rt::Rows::EMPTY")
            } else {
                (
                    "group",
                    format!("{}<'_>", names.view),
                    "rt::Group::empty(&s)",
                )
            };
            let read = format!("c.{method}::<{dimension}, {entry}>(&s, {depth})?");
            self.out.line(&format!(
                "let {ident} = {};",
                since(group.since, &read, none)
            ));
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            let method = if data.text { "text" } else { "data" };
            let read = format!("c.{method}::<{}>()?", wire_prim(data.length));
            let read = if data.since > 0 {
                since(data.since, &format!("Some({read})"), "None")
            } else {
                read
            };
            self.out.line(&format!("let {ident} = {read};"));
        }
        fields.extend(idents);
        fields
    }

    fn codec(&mut self, message: &Message, names: &BodyNames) {
        let header = self.names.composites[self.schema.header.composite].clone();
        self.out
            .line(&format!("impl tw::Codec for {} {{", names.marker));
        self.out.line("const ID: tw::WireId = WIRE_ID;");
        self.out.line("const VERSION: u16 = SCHEMA_VERSION as u16;");
        self.out
            .line(&format!("type View<'a> = {}<'a>;", names.view));
        self.out.line("#[inline]");
        self.out.line(&format!(
            "fn view<'a>(bytes: &'a [u8], limits: &tw::Limits) -> Result<{}<'a>, tw::DecodeError> {{",
            names.view
        ));
        self.out.line(&format!(
            "let (mut c, s) = rt::open::<{header}>(bytes, limits, SCHEMA_ID, {})?;",
            message.id
        ));
        let fields = self.reads(&message.body, names, 1).join(", ");
        self.out.line("rt::close(&c, s.version, SCHEMA_VERSION)?;");
        self.out.line(&format!(
            "Ok({} {{ bytes, version: s.version, {fields} }})",
            names.view
        ));
        self.out.line("}");
        self.out.line("}");
        self.out.line(&format!(
            "rt::message_view!({}, {});",
            names.marker, names.view
        ));
        self.out.blank();
    }

    fn entry(&mut self, body: &Body, names: &BodyNames, depth: usize) {
        let block = Block::new(body);
        self.out
            .line(&format!("impl<'a> rt::Entry<'a> for {}<'a> {{", names.view));
        self.out.line(&format!(
            "const BLOCK_BYTES_MIN: usize = {};",
            block.base_end
        ));
        self.out
            .line(&format!("const FIXED: bool = {};", body.is_fixed()));
        self.out.line("#[inline]");
        self.out.line(
            "fn read(c: &mut rt::Cursor<'a>, s: &rt::Scope) -> Result<Self, tw::DecodeError> {",
        );
        self.out.line("let s = *s;");
        let mut fields = self.reads(body, names, depth);
        if block.grown {
            fields.push("version: s.version".into());
        }
        if block.is_nothing(body) {
            fields.push("nothing: ::core::marker::PhantomData".into());
        }
        self.out
            .line(&format!("Ok(Self {{ {} }})", fields.join(", ")));
        self.out.line("}");
        self.out.line("}");
        self.out.blank();
    }

    /// Accessors of fields, groups and data.
    fn view_impl(&mut self, body: &Body, names: &BodyNames) {
        if body.fields.is_empty() && body.is_fixed() {
            self.out
                .line(&format!("rt::debug_view!({0}, {0}<'_>, []);", names.view));
            self.out.blank();
            return;
        }
        let base_end = Block::new(body).base_end;
        self.out.line(&format!("impl<'a> {}<'a> {{", names.view));
        let mut scope = Scope::default();
        self.accessors(&body.fields, &mut scope, Host::View, base_end);
        let idents = Self::part_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            self.out.doc(&describe(
                &group.name,
                Some(group.id),
                group.since,
                &group.description,
            ));
            let (name, ty) = (scope.snake(&group.name), self.group_type(group, names));
            self.out.line(&format!(
                "#[inline] pub fn {name}(&self) -> {ty} {{ self.{ident} }}"
            ));
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            self.out.doc(&describe(
                &data.name,
                Some(data.id),
                data.since,
                &data.description,
            ));
            let name = scope.snake(&data.name);
            self.out.line(&format!(
                "#[inline] pub fn {name}(&self) -> {} {{ self.{ident} }}",
                Self::data_type(data)
            ));
        }
        self.out.line("}");
        self.out.line(&format!(
            "rt::debug_view!({0}, {0}<'_>, [{1}]);",
            names.view,
            scope.given().join(", ")
        ));
        self.out.blank();
    }
}

/// A part that is there from a version on.
fn since(version: u32, read: &str, none: &str) -> String {
    if version > 0 {
        format!("if s.version >= {version} {{ {read} }} else {{ {none} }}")
    } else {
        read.to_owned()
    }
}
