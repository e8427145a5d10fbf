//! From a tree of elements to the IR.

mod attrs;
#[cfg(test)]
mod bounds;
mod header;
mod messages;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::path::{Path, PathBuf};

use crate::error::SchemaError;
use crate::ir::{ByteOrder, Schema};
use crate::xml::{self, Elem};
use header::check_fits;
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
    let header = header::message_header(root, &mut types)?;
    check_fits(root, "id", &types, header, header.schema_id, id)?;
    check_fits(root, "version", &types, header, header.version, version)?;
    let messages = messages::read(root, &mut types, header, version)?;
    if messages.is_empty() {
        return Err(root.error("a schema without messages", "at least one <message>"));
    }
    Ok(Schema {
        package: attrs::text(root, "package"),
        id,
        version,
        semantic_version: attrs::text(root, "semanticVersion"),
        description: attrs::text(root, "description"),
        byte_order,
        header,
        dimensions: types.dimensions,
        enums: types.enums,
        sets: types.sets,
        composites: types.composites,
        messages,
        files,
    })
}
