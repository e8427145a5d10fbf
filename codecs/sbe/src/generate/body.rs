//! The views of messages and group entries.

use super::Generation;
use super::fields::{Host, wire_prim};
use super::names::{BodyNames, Scope};
use super::text::describe;
use crate::ir::{Body, Counts, Data, Field, Group, Message};

/// Names of fields and locals of a view, which no part of the schema may get.
const VIEW_TAKEN: [&str; 6] = ["bytes", "version", "root", "tail", "c", "s"];

/// A block: the structs that read and write it.
pub(super) struct Block<'b> {
    /// Fields on the wire.
    pub(super) fields: Vec<&'b Field>,
    /// The end of the fields of all versions.
    pub(super) base_end: usize,
    /// Whether later versions added fields.
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

    /// Whether the view of an entry has no fields; its lifetime needs a field then.
    fn is_nothing(&self, body: &Body) -> bool {
        self.base_end == 0 && !self.grown && body.is_fixed()
    }
}

/// Groups with entries of one wire struct. They need no view type.
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
            self.setters_alone(&message.body.fields, &names.root);
        }
        let (groups, data) = message.body.counts();
        self.out.line("rt::message! {");
        self.out.doc(&format!("The message {doc}"));
        self.out.line(&format!(
            "{}({}, {}) = {}, [{}, {groups}, {data}], SCHEMA_ID, SCHEMA_VERSION, WIRE_ID",
            names.marker,
            names.view,
            self.names.composites[self.schema.header.composite],
            message.id,
            message.body.block_length,
        ));
        self.out.line("}");
        self.view_struct(
            &message.body,
            names,
            &format!("A checked [`{}`].", names.marker),
            true,
        );
        self.parts_of_message(&message.body, names);
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
            let fields = &group.body.fields;
            let idents = scope.snakes(fields.iter().map(|f| &f.name));
            self.accessors(fields, &idents, Host::Struct, usize::MAX);
            self.setters(fields, &mut scope);
            self.exact_fields(fields, &idents, &mut scope, Host::Struct, usize::MAX);
            self.out.line("}");
            self.debug(&names.root, &scope);
            return;
        }
        if !block.fields.is_empty() {
            self.setters_alone(&group.body.fields, &names.root);
        }
        self.view_struct(
            &group.body,
            names,
            &format!("A checked entry of {doc}"),
            false,
        );
        let dimension = self.schema.dimension(group.dimension);
        let counts = dimension.map_or(Counts::default(), |d| d.counts);
        self.entry(&group.body, names, depth + 1, counts);
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
        let dimension = &self.names.composites[group.dimension];
        if is_rows(&group.body) {
            format!("rt::Rows<'a, {}, {dimension}>", names.root)
        } else {
            format!("rt::Group<'a, {}<'a>, {dimension}>", names.view)
        }
    }

    fn data_type(data: &Data) -> String {
        let plain = if data.text {
            "rt::Text<'a>"
        } else {
            "&'a [u8]"
        };
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
    fn reads(
        &mut self,
        body: &Body,
        names: &BodyNames,
        depth: usize,
        counts: Counts,
    ) -> Vec<String> {
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
                    "rt::Group::empty(s)",
                )
            };
            let read = format!("c.{method}::<{dimension}, {entry}>(s, {depth})?");
            self.out.line(&format!(
                "let {ident} = {};",
                since(group.since, &read, none)
            ));
        }
        if counts.groups.is_some() {
            self.skip_groups(body.groups.len(), depth);
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
        if counts.data.is_some() {
            let line = format!("c.skip_data(s, {}, {})?;", body.data.len(), self.skip_data);
            self.out.line(&line);
        }
        fields.extend(idents);
        fields
    }

    /// Steps over groups that came later. They stand before the data, and which dimension they have is
    /// only known where the schema has no choice.
    fn skip_groups(&mut self, known: usize, depth: usize) {
        let line = match self.schema.dimensions.as_slice() {
            [only] => format!(
                "c.skip_groups::<{}>(s, {known}, {depth}, {})?;",
                self.names.composites[only.composite], self.skip_data
            ),
            _ => format!("c.no_more_groups(s, {known})?;"),
        };
        self.out.line(&line);
    }

    /// The function that reads the view of a message.
    fn parts_of_message(&mut self, body: &Body, names: &BodyNames) {
        self.out
            .line(&format!("impl<'a> rt::Parts<'a> for {}<'a> {{", names.view));
        self.out.line("#[inline]");
        self.out.line("fn read(bytes: &'a [u8], c: &mut rt::Cursor<'a>, s: &rt::Scope) -> Result<Self, tw::DecodeError> {");
        let counts = self.schema.header.counts;
        let fields = self.reads(body, names, 1, counts).join(", ");
        self.out.line(&format!(
            "Ok(Self {{ bytes: c.passed(bytes), version: s.version, {fields} }})"
        ));
        self.out.line("}");
        self.out.line("}");
        self.out.blank();
    }

    fn entry(&mut self, body: &Body, names: &BodyNames, depth: usize, counts: Counts) {
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
        let mut fields = self.reads(body, names, depth, counts);
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
        let of_fields = scope.snakes(body.fields.iter().map(|f| &f.name));
        let parts = body.groups.iter().map(|g| &g.name);
        let of_parts = scope.snakes(parts.chain(body.data.iter().map(|d| &d.name)));
        self.accessors(&body.fields, &of_fields, Host::View, base_end);
        let idents = Self::part_idents(body);
        let groups = body.groups.iter().zip(&names.groups);
        for (((group, names), ident), name) in groups.zip(&idents).zip(&of_parts) {
            self.out.doc(&describe(
                &group.name,
                Some(group.id),
                group.since,
                &group.description,
            ));
            let ty = self.group_type(group, names);
            self.out.line(&format!(
                "#[inline] pub fn {name}(&self) -> {ty} {{ self.{ident} }}"
            ));
        }
        let data = idents.iter().zip(&of_parts).skip(body.groups.len());
        for (data, (ident, name)) in body.data.iter().zip(data) {
            self.out.doc(&describe(
                &data.name,
                Some(data.id),
                data.since,
                &data.description,
            ));
            self.out.line(&format!(
                "#[inline] pub fn {name}(&self) -> {} {{ self.{ident} }}",
                Self::data_type(data)
            ));
        }
        self.exact_fields(&body.fields, &of_fields, &mut scope, Host::View, base_end);
        self.out.line("}");
        self.out.line(&format!(
            "rt::debug_view!({0}, {0}<'_>, [{1}]);",
            names.view,
            scope.given().join(", ")
        ));
        self.out.blank();
    }
}

/// A part that exists since a version.
fn since(version: u32, read: &str, none: &str) -> String {
    if version > 0 {
        format!("if s.version >= {version} {{ {read} }} else {{ {none} }}")
    } else {
        read.to_owned()
    }
}
