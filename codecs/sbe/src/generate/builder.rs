//! Encoders of messages: wire structs for messages without groups and data, builders for all others.

use super::Generation;
use super::body::{Block, is_rows};
use super::fields::wire_prim;
use super::names::BodyNames;
use super::text::describe;
use crate::ir::{Body, Data, Group, Message};

impl Generation<'_> {
    /// The builder of a message (`Some`) or of the entries of a group.
    pub(super) fn builder(&mut self, body: &Body, names: &BodyNames, message: Option<&Message>) {
        let block = Block::new(body);
        let has_root = !block.fields.is_empty();
        // A field for the members of the header that the caller sets.
        let has_header = message.is_some() && self.has_header();
        let by_struct = has_root && body.is_fixed() && !has_header;
        if by_struct && message.is_none() {
            return;
        }
        let (ty, params) = if by_struct {
            (names.root.clone(), "")
        } else {
            (
                names.builder.clone(),
                if body.is_fixed() { "" } else { "<'_>" },
            )
        };
        if !by_struct {
            self.builder_struct(body, names, has_root, has_header);
        }
        let (len, puts) = self.parts(body, names, by_struct);
        let len = if len.is_empty() {
            "0".to_owned()
        } else {
            len.join(" + ")
        };
        self.out
            .line(&format!("rt::put!({ty}{params}, s, {len}, w, {{"));
        for put in puts {
            self.out.line(&format!("{put};"));
        }
        self.out.line("});");
        if message.is_some() {
            let header = if has_header { ", header" } else { "" };
            self.out.line(&format!(
                "rt::encode_builder!({}, {ty}{params}{header});",
                names.marker
            ));
            self.out.blank();
        }
    }

    /// The summands of the length and the statements that write, in wire order.
    fn parts(&self, body: &Body, names: &BodyNames, by_struct: bool) -> (Vec<String>, Vec<String>) {
        let (mut len, mut puts) = (Vec::new(), Vec::new());
        if body.block_length > 0 {
            let n = body.block_length;
            len.push(n.to_string());
            puts.push(match (Block::new(body).fields.is_empty(), by_struct) {
                (true, _) => format!("w.zeros({n})"),
                (false, true) => format!("w.block(s, {n})"),
                (false, false) => format!("w.block(&s.root, {n})"),
            });
        }
        let idents = self.builder_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            let dimension = &self.names.composites[group.dimension];
            let (entries, own) = if self.names.own[group.dimension].is_some() {
                (
                    format!("s.{ident}.entries"),
                    format!("&s.{ident}.dimension"),
                )
            } else {
                (format!("s.{ident}"), "&()".to_owned())
            };
            let n = group.body.block_length;
            let (groups, data) = group.body.counts();
            let method = if writes_rows(group) {
                len.push(format!(
                    "rt::rows_len::<{dimension}, {}>({entries}, {n})",
                    names.root
                ));
                "rows"
            } else {
                len.push(format!("rt::group_len::<{dimension}, _>({entries})"));
                "group"
            };
            puts.push(format!("w.{method}::<{dimension}, _>({entries}, rt::Shape::new({n}, {groups}, {data}), {own})"));
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            let bytes = if data.text {
                format!("s.{ident}.bytes()")
            } else {
                format!("s.{ident}")
            };
            len.push(format!(
                "rt::data_len::<{}>({bytes})",
                wire_prim(data.length)
            ));
            puts.push(format!("w.data::<{}>({bytes})", wire_prim(data.length)));
        }
        (len, puts)
    }

    /// Whether the header has members that the caller sets.
    fn has_header(&self) -> bool {
        self.names.own[self.schema.header.composite].is_some()
    }

    fn builder_idents(&self, body: &Body) -> Vec<String> {
        let taken: &[_] = if self.has_header() {
            &["root", "w", "header"]
        } else {
            &["root", "w"]
        };
        let mut scope = super::names::Scope::reserving(taken);
        let groups = body.groups.iter().map(|g| g.name.as_str());
        groups
            .chain(body.data.iter().map(|d| d.name.as_str()))
            .map(|n| scope.snake(n))
            .collect()
    }

    fn builder_struct(&mut self, body: &Body, names: &BodyNames, has_root: bool, has_header: bool) {
        self.out.doc(&format!("The builder of a `{}`.", names.view));
        self.out.line("#[derive(Clone, Copy, Debug, Default)]");
        if body.is_fixed() && !has_header {
            self.out.line(&format!("pub struct {};", names.builder));
            self.out.blank();
            return;
        }
        let lifetime = if body.is_fixed() { "" } else { "<'b>" };
        self.out
            .line(&format!("pub struct {}{lifetime} {{", names.builder));
        let own = &self.names.own[self.schema.header.composite];
        if let Some(own) = own.as_ref().filter(|_| has_header) {
            let line = format!("pub header: {own},");
            self.out
                .doc("The members of the header that the caller sets.");
            self.out.line(&line);
        }
        if has_root {
            self.out.doc("The fixed fields.");
            self.out.line(&format!("pub root: {},", names.root));
        }
        let idents = self.builder_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            self.out.doc(&describe(
                &group.name,
                Some(group.id),
                group.since,
                &group.description,
            ));
            let entry = if writes_rows(group) {
                names.root.clone()
            } else if group.body.is_fixed() {
                names.builder.clone()
            } else {
                format!("{}<'b>", names.builder)
            };
            let ty = match &self.names.own[group.dimension] {
                Some(own) => format!("rt::GroupOf<'b, {entry}, {own}>"),
                None => format!("&'b [{entry}]"),
            };
            self.out.line(&format!("pub {ident}: {ty},"));
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            self.out.doc(&describe(
                &data.name,
                Some(data.id),
                data.since,
                &data.description,
            ));
            self.out
                .line(&format!("pub {ident}: {},", builder_data(data)));
        }
        self.out.line("}");
        self.out.blank();
    }
}

/// Groups that are written from their wire structs.
fn writes_rows(group: &Group) -> bool {
    is_rows(&group.body) || (group.body.is_fixed() && !Block::new(&group.body).fields.is_empty())
}

fn builder_data(data: &Data) -> &'static str {
    if data.text {
        "rt::Text<'b>"
    } else {
        "&'b [u8]"
    }
}
