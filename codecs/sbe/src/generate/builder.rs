//! What writes messages: wire structs where a message is only its block, else a builder.

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
        let by_struct = has_root && body.is_fixed();
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
            self.builder_struct(body, names, has_root);
        }
        let (len, puts) = self.parts(body, names, by_struct);
        let len = if len.is_empty() {
            "0".to_owned()
        } else {
            len.join(" + ")
        };
        let writer = if puts.is_empty() { "_" } else { "w" };
        self.out.line(&format!("impl rt::Put for {ty}{params} {{"));
        self.out.line(&format!(
            "#[inline] fn wire_len(&self) -> usize {{ {len} }}"
        ));
        self.out.line(&format!("#[inline] fn put(&self, {writer}: &mut rt::Writer<'_>) -> Result<(), tw::EncodeError> {{"));
        for put in puts {
            self.out.line(&put);
        }
        self.out.line("Ok(())");
        self.out.line("}");
        self.out.line("}");
        self.out.blank();
        if message.is_some() {
            let header = &self.names.composites[self.schema.header.composite];
            let line = format!(
                "rt::encode_builder!({}, {ty}{params}, {header}, SCHEMA_ID, SCHEMA_VERSION);",
                names.marker
            );
            self.out.line(&line);
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
                (true, _) => format!("w.zeros({n})?;"),
                (false, true) => format!("w.block(self, {n})?;"),
                (false, false) => format!("w.block(&self.root, {n})?;"),
            });
        }
        let idents = Self::builder_idents(body);
        for ((group, names), ident) in body.groups.iter().zip(&names.groups).zip(&idents) {
            let dimension = &self.names.composites[group.dimension];
            let n = group.body.block_length;
            if writes_rows(group) {
                len.push(format!(
                    "rt::rows_len::<{dimension}, {}>(self.{ident}, {n})",
                    names.root
                ));
                puts.push(format!("w.rows::<{dimension}, _>(self.{ident}, {n})?;"));
            } else {
                len.push(format!("rt::group_len::<{dimension}, _>(self.{ident})"));
                puts.push(format!("w.group::<{dimension}, _>(self.{ident}, {n})?;"));
            }
        }
        for (data, ident) in body.data.iter().zip(idents.iter().skip(body.groups.len())) {
            let bytes = if data.text {
                format!("self.{ident}.as_bytes()")
            } else {
                format!("self.{ident}")
            };
            len.push(format!(
                "rt::data_len::<{}>({bytes})",
                wire_prim(data.length)
            ));
            puts.push(format!("w.data::<{}>({bytes})?;", wire_prim(data.length)));
        }
        (len, puts)
    }

    fn builder_idents(body: &Body) -> Vec<String> {
        let mut scope = super::names::Scope::reserving(&["root", "w"]);
        let groups = body.groups.iter().map(|g| g.name.as_str());
        groups
            .chain(body.data.iter().map(|d| d.name.as_str()))
            .map(|n| scope.snake(n))
            .collect()
    }

    fn builder_struct(&mut self, body: &Body, names: &BodyNames, has_root: bool) {
        self.out
            .doc(&format!("What a `{}` is written from.", names.view));
        self.out.line("#[derive(Clone, Copy, Debug, Default)]");
        if body.is_fixed() {
            self.out.line(&format!("pub struct {};", names.builder));
            self.out.blank();
            return;
        }
        self.out
            .line(&format!("pub struct {}<'b> {{", names.builder));
        if has_root {
            self.out.doc("The fixed fields.");
            self.out.line(&format!("pub root: {},", names.root));
        }
        let idents = Self::builder_idents(body);
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
            self.out.line(&format!("pub {ident}: &'b [{entry}],"));
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

/// Groups written straight from their wire structs.
fn writes_rows(group: &Group) -> bool {
    is_rows(&group.body) || (group.body.is_fixed() && !Block::new(&group.body).fields.is_empty())
}

fn builder_data(data: &Data) -> &'static str {
    if data.text { "&'b str" } else { "&'b [u8]" }
}
