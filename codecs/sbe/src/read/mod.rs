//! From a tree of elements to the IR.

mod attrs;
#[cfg(test)]
mod bounds;
mod messages;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::path::{Path, PathBuf};

use crate::error::SchemaError;
use crate::ir::{ByteOrder, Header, Kind, Prim, Role, Schema};
use crate::xml::{self, Elem};
use types::Types;

impl Schema {
    /// Reads a schema file and the files it includes.
    ///
    /// A relative XInclude is looked up beside the including file, then in `include_base`.
    ///
    /// # Errors
    /// The first fault found, with file, line and column.
    pub fn read(path: &Path, include_base: Option<&Path>) -> Result<Self, SchemaError> {
        let (root, files) = xml::load(path, include_base)?;
        schema(&root, files)
    }

    /// Reads a schema from memory; `path` names it in errors and is where includes are relative to.
    ///
    /// # Errors
    /// As [`Schema::read`].
    ///
    /// ```
    /// let xml = r#"<messageSchema id="1" version="0"><types/></messageSchema>"#;
    /// let error = tickwire_sbe::Schema::parse(xml, "tick.xml".as_ref(), None).unwrap_err();
    /// assert_eq!(error.to_string(),
    ///     "tick.xml:1:1: no composite `messageHeader`; expected a composite of blockLength, templateId, schemaId and version");
    /// ```
    pub fn parse(
        text: &str,
        path: &Path,
        include_base: Option<&Path>,
    ) -> Result<Self, SchemaError> {
        let (root, files) = xml::parse(text.to_owned(), path, include_base)?;
        schema(&root, files)
    }
}

fn schema(root: &Elem, files: Vec<PathBuf>) -> Result<Schema, SchemaError> {
    if root.name != "messageSchema" {
        return Err(root.error(format!("root element <{}>", root.name), "<messageSchema>"));
    }
    if let Some(other) = root
        .children
        .iter()
        .find(|c| !["types", "message"].contains(&c.name.as_str()))
    {
        return Err(other.error(
            format!("<{}> inside <messageSchema>", other.name),
            "<types> or <message>",
        ));
    }
    let id = attrs::required_id(root)?;
    let version = attrs::id(root, "version")?.unwrap_or(0);
    let byte_order = match root.attr("byteOrder").map(|a| (a, a.value.trim())) {
        None | Some((_, "littleEndian")) => ByteOrder::Little,
        Some((_, "bigEndian")) => ByteOrder::Big,
        Some((attr, other)) => {
            return Err(attr.pos.error(
                format!("`byteOrder=\"{other}\"`"),
                "`littleEndian` or `bigEndian`",
            ));
        }
    };
    let mut types = Types::new(root, version)?;
    types.resolve_all()?;
    let header = header(root, &mut types)?;
    check_fits(root, "id", &types, header, header.schema_id, id)?;
    check_fits(root, "version", &types, header, header.version, version)?;
    let messages = messages::read(root, &mut types, header, version)?;
    Ok(Schema {
        package: attrs::text(root, "package"),
        id,
        version,
        semantic_version: attrs::text(root, "semanticVersion"),
        description: attrs::text(root, "description"),
        byte_order,
        header,
        enums: types.enums,
        sets: types.sets,
        composites: types.composites,
        messages,
        files,
    })
}

/// The message header and its four members, of any unsigned width up to 32 bits.
fn header(root: &Elem, types: &mut Types<'_>) -> Result<Header, SchemaError> {
    let name = root
        .attr("headerType")
        .map_or("messageHeader", |a| a.value.trim());
    let Some(elem) = types.declaration(name).filter(|e| e.name == "composite") else {
        return Err(root.error(
            format!("no composite `{name}`"),
            "a composite of blockLength, templateId, schemaId and version",
        ));
    };
    let Kind::Composite(composite) = types.resolve(name, elem, "name")?.kind else {
        return Err(elem.error(
            format!("`{name}` has no fixed size"),
            "a composite of four integers",
        ));
    };
    let member = |wanted: &str| unsigned_member(types, composite, wanted, elem);
    let header = Header {
        composite,
        block_length: member("blockLength")?,
        template_id: member("templateId")?,
        schema_id: member("schemaId")?,
        version: member("version")?,
    };
    types.composites[composite].role = Role::Header;
    Ok(header)
}

/// The index of an unsigned member of at most 32 bits.
fn unsigned_member(
    types: &Types<'_>,
    composite: usize,
    wanted: &str,
    elem: &Elem,
) -> Result<usize, SchemaError> {
    let members = &types.composites[composite].members;
    let Some(index) = members.iter().position(|m| m.name == wanted) else {
        return Err(elem.error(
            format!(
                "composite `{}` has no member `{wanted}`",
                types.composites[composite].name
            ),
            format!("a member `{wanted}` of type uint8, uint16 or uint32"),
        ));
    };
    match members[index].kind {
        Kind::Prim(Prim::Uint8 | Prim::Uint16 | Prim::Uint32) if members[index].on_wire() => {
            Ok(index)
        }
        _ => Err(elem.error(
            format!(
                "member `{wanted}` of composite `{}` has another type",
                types.composites[composite].name
            ),
            "uint8, uint16 or uint32",
        )),
    }
}

/// A number of the schema has to fit the header member that carries it.
fn check_fits(
    elem: &Elem,
    attr: &str,
    types: &Types<'_>,
    header: Header,
    member: usize,
    value: u32,
) -> Result<(), SchemaError> {
    let bits = types.size_of(types.composites[header.composite].members[member].kind) * 8;
    if bits < 32 && value >> bits != 0 {
        let at = elem.attr(attr).map_or(&elem.pos, |a| &a.pos);
        return Err(at.error(
            format!("`{attr}=\"{value}\"` on <{}>", elem.name),
            format!(
                "at most {}, what the message header can carry",
                (1u64 << bits) - 1
            ),
        ));
    }
    Ok(())
}
