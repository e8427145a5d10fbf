//! `<message>`: blocks, groups and data, with every offset and length checked.

use std::collections::{HashMap, HashSet};

use super::attrs;
use super::header::{self, check_block, check_counts, check_fits};
use super::types::{Layout, Resolved, Types, is_var_data};
use crate::faults::Fault;
use crate::ir::{Body, Data, Dimension, Field, Group, Header, Kind, Message, Prim, Role};
use crate::xml::Elem;

/// Groups inside each other: each level is a level of recursion in every reader.
const GROUP_DEPTH_MAX: usize = 16;

/// The messages that are not at fault; without a header, they are read for their faults.
pub(super) fn read(root: &Elem, types: &mut Types<'_>, header: Option<Header>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut names = HashMap::new();
    let elems = root.children.iter().filter(|c| c.name == "message");
    for elem in elems {
        let read = message(elem, types, header, &mut names);
        messages.extend(types.faults.keep(read));
    }
    if messages.is_empty() && types.faults.is_empty() {
        let none = root.error("a schema without messages", "at least one <message>");
        types.faults.add(none);
    }
    messages
}

/// `names`: those of the messages before, by id.
fn message<'e>(
    elem: &'e Elem,
    types: &mut Types<'_>,
    header: Option<Header>,
    names: &mut HashMap<u32, &'e str>,
) -> Result<Message, Fault> {
    let name = &attrs::required(elem, "name")?.value;
    let id = attrs::required_id(elem)?;
    if let Some(other) = names.insert(id, name) {
        let fault = elem.error(
            format!("message `{name}` has the id {id} of `{other}`"),
            "a template id of its own",
        );
        types.faults.add(fault);
    }
    let since = attrs::since(elem, types.schema_version)?;
    let body = Reader { types }.body(elem, since, 0)?;
    if let Some(header) = header {
        check_fits(elem, "id", types, header, header.template_id, id)?;
        let announced = (header.composite, header.block_length);
        check_block(elem, types, announced, body.block_length)?;
        check_counts(elem, types, header.composite, header.counts, body.counts())?;
    }
    Ok(Message {
        name: name.clone(),
        id,
        since,
        description: attrs::text(elem, "description"),
        body,
    })
}

/// The parts of a message or group, in their order on the wire.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Kinds {
    Fields,
    Groups,
    Data,
}

struct Reader<'t, 'e> {
    types: &'t mut Types<'e>,
}

impl Reader<'_, '_> {
    /// What a message or group consists of; `since` is when the container came in.
    fn body(&mut self, elem: &Elem, since: u32, depth: usize) -> Result<Body, Fault> {
        let mut body = Body {
            block_length: 0,
            fields: Vec::new(),
            groups: Vec::new(),
            data: Vec::new(),
        };
        let (mut names, mut layout) = (HashSet::new(), Layout::default());
        let (mut is_whole, mut reached) = (true, Kinds::Fields);
        for child in &elem.children {
            if let Some(name) = child.attr("name")
                && !names.insert(&name.value)
            {
                let found = format!("`{}` is declared twice", name.value);
                self.types
                    .faults
                    .add(name.pos.error(found, "each name once"));
            }
            let so_far = (&mut layout, &mut reached);
            let read = self.part(elem, child, (since, depth), so_far, &mut body);
            is_whole &= self.types.faults.keep(read).is_some();
        }
        if !is_whole {
            return Err(Fault::Said);
        }
        body.block_length = layout.end;
        if let Some(length) = attrs::size(elem, "blockLength")? {
            if length < body.block_length {
                let at = elem.attr("blockLength").map_or(&elem.pos, |a| &a.pos);
                return Err(at.error(
                    format!("`blockLength=\"{length}\"` is less than the length of its fields"),
                    format!("at least {}", body.block_length),
                ));
            }
            body.block_length = length;
        }
        Ok(body)
    }

    /// One child of a message or group, into its place in `body`.
    fn part(
        &mut self,
        elem: &Elem,
        child: &Elem,
        (since, depth): (u32, usize),
        (layout, reached): (&mut Layout, &mut Kinds),
        body: &mut Body,
    ) -> Result<(), Fault> {
        let name = attrs::required(child, "name")?;
        let wrong = |place: &str, expected: &str| {
            let found = format!("<{}> {place}", child.name);
            Err(child.error(found, expected))
        };
        let kind = match child.name.as_str() {
            "field" => Kinds::Fields,
            "group" => Kinds::Groups,
            "data" => Kinds::Data,
            _ => {
                return wrong(
                    &format!("inside <{}>", elem.name),
                    "<field>, <group> or <data>",
                );
            }
        };
        if kind < *reached {
            return wrong(
                &format!("`{}` behind groups or data", name.value),
                "the order <field>, <group>, <data>, which is the order on the wire",
            );
        }
        *reached = kind;
        match kind {
            Kinds::Fields => body.fields.push(self.field(child, since, layout)?),
            Kinds::Groups => body.groups.push(self.group(child, since, depth + 1)?),
            Kinds::Data => body.data.push(self.data(child, since)?),
        }
        Ok(())
    }

    fn field(
        &mut self,
        elem: &Elem,
        container_since: u32,
        layout: &mut Layout,
    ) -> Result<Field, Fault> {
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
        field.since = newer(
            attrs::since(elem, self.types.schema_version)?,
            container_since,
        );
        Ok(field)
    }

    fn group(&mut self, elem: &Elem, container_since: u32, depth: usize) -> Result<Group, Fault> {
        if depth > GROUP_DEPTH_MAX {
            return Err(elem.error(
                "groups nested too deeply",
                format!("at most {GROUP_DEPTH_MAX} levels"),
            ));
        }
        let dimension = self.dimension(elem);
        let dimension = self.types.faults.keep(dimension);
        let since = attrs::since(elem, self.types.schema_version)?;
        // Whatever its dimension, what is in it has faults of its own.
        let body = self.body(elem, since.max(container_since), depth)?;
        let dimension = dimension.ok_or(Fault::Said)?;
        let composite = dimension.composite;
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

    /// What stands before the entries of a group.
    fn dimension(&mut self, elem: &Elem) -> Result<Dimension, Fault> {
        let attr = elem.attr("dimensionType");
        let name = attr.map_or("groupSizeEncoding", |a| a.value.trim());
        let at = attr.map_or(&elem.pos, |a| &a.pos);
        let Some(declared) = self
            .types
            .declaration(name)
            .filter(|e| e.name == "composite" && !is_var_data(e))
        else {
            let group = attrs::text(elem, "name");
            let fault = at.error(
                format!("no composite `{name}` for the size of group `{group}`"),
                "a composite of blockLength and numInGroup",
            );
            return Err(self.types.missing(name, fault));
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
        header::dimension(self.types, composite, declared)
    }

    fn data(&mut self, elem: &Elem, container_since: u32) -> Result<Data, Fault> {
        let type_name = attrs::required(elem, "type")?;
        let Some(declared) = self
            .types
            .declaration(type_name.value.trim())
            .filter(|e| is_var_data(e))
        else {
            let fault = type_name.pos.error(
                format!("no variable data composite `{}`", type_name.value),
                "a composite of `length` and `varData`",
            );
            return Err(self.types.missing(type_name.value.trim(), fault));
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
            since: newer(
                attrs::since(elem, self.types.schema_version)?,
                container_since,
            ),
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
