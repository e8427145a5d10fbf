//! `<message>`: blocks, groups and data, with every offset and length checked.

use std::collections::{HashMap, HashSet};

use super::attrs;
use super::header::{check_block, check_counts, check_fits, dimension};
use super::types::{Layout, Resolved, Types, is_var_data};
use crate::error::SchemaError;
use crate::ir::{Body, Data, Field, Group, Header, Kind, Message, Prim, Role};
use crate::xml::Elem;

/// Groups inside each other: each level is a level of recursion in every reader.
const GROUP_DEPTH_MAX: usize = 16;

pub(super) fn read(
    root: &Elem,
    types: &mut Types<'_>,
    header: Header,
    schema_version: u32,
) -> Result<Vec<Message>, SchemaError> {
    let mut messages: Vec<Message> = Vec::new();
    let mut by_id = HashMap::new();
    for elem in root.children.iter().filter(|c| c.name == "message") {
        let name = attrs::required(elem, "name")?.value.clone();
        let id = attrs::required_id(elem)?;
        if let Some(other) = by_id.insert(id, messages.len()) {
            let other: &Message = &messages[other];
            return Err(elem.error(
                format!("message `{name}` has the id {id} of `{}`", other.name),
                "a template id of its own",
            ));
        }
        check_fits(elem, "id", types, header, header.template_id, id)?;
        let since = attrs::since(elem, schema_version)?;
        let mut reader = Reader {
            types,
            schema_version,
        };
        let body = reader.body(elem, since, 0)?;
        let announced = (header.composite, header.block_length);
        check_block(elem, types, announced, body.block_length)?;
        check_counts(elem, types, header.composite, header.counts, body.counts())?;
        messages.push(Message {
            name,
            id,
            since,
            description: attrs::text(elem, "description"),
            body,
        });
    }
    Ok(messages)
}

struct Reader<'t, 'e> {
    types: &'t mut Types<'e>,
    schema_version: u32,
}

impl Reader<'_, '_> {
    /// What a message or group consists of; `since` is when the container came in.
    fn body(&mut self, elem: &Elem, since: u32, depth: usize) -> Result<Body, SchemaError> {
        let mut body = Body {
            block_length: 0,
            fields: Vec::new(),
            groups: Vec::new(),
            data: Vec::new(),
        };
        let (mut names, mut layout) = (HashSet::new(), Layout::default());
        for child in &elem.children {
            let name = attrs::required(child, "name")?;
            if !names.insert(&name.value) {
                return Err(name.pos.error(
                    format!("`{}` is declared twice", name.value),
                    "each name once",
                ));
            }
            match child.name.as_str() {
                "field" if body.is_fixed() => {
                    let field = self.field(child, since, &mut layout)?;
                    body.fields.push(field);
                }
                "group" if body.data.is_empty() => {
                    body.groups.push(self.group(child, since, depth + 1)?)
                }
                "data" => body.data.push(self.data(child, since)?),
                late @ ("field" | "group") => {
                    return Err(child.error(
                        format!("<{late}> `{}` behind groups or data", name.value),
                        "the order <field>, <group>, <data>, which is the order on the wire",
                    ));
                }
                other => {
                    let found = format!("<{other}> inside <{}>", elem.name);
                    return Err(child.error(found, "<field>, <group> or <data>"));
                }
            }
        }
        body.block_length = layout.end;
        if let Some(length) = attrs::size(elem, "blockLength")? {
            if length < body.block_length {
                let at = elem.attr("blockLength").map_or(&elem.pos, |a| &a.pos);
                return Err(at.error(
                    format!("`blockLength=\"{length}\"` is less than its fields take"),
                    format!("at least {}", body.block_length),
                ));
            }
            body.block_length = length;
        }
        Ok(body)
    }

    fn field(
        &mut self,
        elem: &Elem,
        container_since: u32,
        layout: &mut Layout,
    ) -> Result<Field, SchemaError> {
        let type_name = attrs::required(elem, "type")?.value.trim().to_owned();
        let resolved = self.types.resolve(&type_name, elem, "type")?;
        let presence = self.types.presence(elem, &resolved)?;
        let mut field = self.types.place(
            elem,
            Resolved {
                presence,
                ..resolved
            },
            layout,
        )?;
        field.since = newer(attrs::since(elem, self.schema_version)?, container_since);
        Ok(field)
    }

    fn group(
        &mut self,
        elem: &Elem,
        container_since: u32,
        depth: usize,
    ) -> Result<Group, SchemaError> {
        if depth > GROUP_DEPTH_MAX {
            return Err(elem.error(
                "groups nested too deeply",
                format!("at most {GROUP_DEPTH_MAX} levels"),
            ));
        }
        let name = elem
            .attr("dimensionType")
            .map_or("groupSizeEncoding", |a| a.value.trim());
        let at = elem.attr("dimensionType").map_or(&elem.pos, |a| &a.pos);
        let Some(declared) = self
            .types
            .declaration(name)
            .filter(|e| e.name == "composite" && !is_var_data(e))
        else {
            return Err(at.error(
                format!(
                    "no composite `{name}` for the size of group `{}`",
                    attrs::text(elem, "name")
                ),
                "a composite of blockLength and numInGroup",
            ));
        };
        let Kind::Composite(composite) = self.types.resolve(name, elem, "dimensionType")?.kind
        else {
            return Err(at.error(
                format!("`{name}` has no fixed size"),
                "a composite of blockLength and numInGroup",
            ));
        };
        if self.types.composites[composite].role == Role::Header {
            return Err(at.error(
                format!("`{name}` is the message header"),
                "a composite of its own for the size of a group",
            ));
        }
        let dimension = dimension(self.types, composite, declared)?;
        let since = attrs::since(elem, self.schema_version)?;
        let body = self.body(elem, since.max(container_since), depth)?;
        let announced = (composite, dimension.block_length);
        check_block(elem, self.types, announced, body.block_length)?;
        check_counts(elem, self.types, composite, dimension.counts, body.counts())?;
        Ok(Group {
            name: attrs::required(elem, "name")?.value.clone(),
            id: attrs::required_id(elem)?,
            since: newer(since, container_since),
            description: attrs::text(elem, "description"),
            dimension: composite,
            body,
        })
    }

    fn data(&mut self, elem: &Elem, container_since: u32) -> Result<Data, SchemaError> {
        let type_name = attrs::required(elem, "type")?;
        let Some(declared) = self
            .types
            .declaration(type_name.value.trim())
            .filter(|e| is_var_data(e))
        else {
            return Err(type_name.pos.error(
                format!("no variable data composite `{}`", type_name.value),
                "a composite of `length` and `varData`",
            ));
        };
        let [length, bytes] = declared.children.as_slice() else {
            return Err(declared.error(
                "variable data of other members",
                "exactly `length` and `varData`",
            ));
        };
        let prim = match Prim::parse(attrs::required(length, "primitiveType")?.value.trim()) {
            Some(p @ (Prim::Uint8 | Prim::Uint16 | Prim::Uint32))
                if attrs::text(length, "name") == "length" =>
            {
                p
            }
            _ => {
                return Err(length.error(
                    "the length of variable data",
                    "`length` of uint8, uint16 or uint32",
                ));
            }
        };
        let encoding = attrs::text(bytes, "characterEncoding").to_ascii_uppercase();
        Ok(Data {
            name: attrs::required(elem, "name")?.value.clone(),
            id: attrs::required_id(elem)?,
            since: newer(attrs::since(elem, self.schema_version)?, container_since),
            description: attrs::text(elem, "description"),
            length: prim,
            text: matches!(encoding.as_str(), "UTF-8" | "UTF8" | "ASCII" | "US-ASCII"),
        })
    }
}

/// A member as old as its container is always there when the container is.
fn newer(since: u32, container_since: u32) -> u32 {
    if since > container_since { since } else { 0 }
}
