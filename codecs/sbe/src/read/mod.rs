//! From a tree of elements to the IR.

#[cfg(test)]
mod all_faults;
mod attrs;
#[cfg(test)]
mod bounds;
mod enums;
mod header;
mod messages;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::path::{Path, PathBuf};

use crate::error::SchemaErrors;
use crate::faults::{Fault, Faults};
use crate::ir::{ByteOrder, Schema};
use crate::xml::{self, Elem};
use header::check_fits;
use types::Types;

impl Schema {
    /// Reads a schema file and the files it includes.
    ///
    /// A relative XInclude is in the folder of the including file, or else in `include_base`.
    ///
    /// # Errors
    /// [`SchemaErrors`]: all faults, each with file, line and column.
    pub fn read(path: &Path, include_base: Option<&Path>) -> Result<Self, SchemaErrors> {
        let mut faults = Faults::default();
        let read = xml::load(path, include_base, &mut faults);
        schema(path, read, faults)
    }

    /// Reads a schema from memory. `path` is its name in errors, and the base of its includes.
    ///
    /// # Errors
    /// The errors of [`Schema::read`].
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
    ) -> Result<Self, SchemaErrors> {
        let mut faults = Faults::default();
        let read = xml::parse(text.to_owned(), path, include_base, &mut faults);
        schema(path, read, faults)
    }
}

/// The schema of a tree, where nothing was at fault.
fn schema(
    path: &Path,
    read: Option<(Elem, Vec<PathBuf>)>,
    mut faults: Faults,
) -> Result<Schema, SchemaErrors> {
    let schema = read.and_then(|(root, files)| of_root(&root, files, &mut faults));
    match (faults.into_errors(), schema) {
        (None, Some(schema)) => Ok(schema),
        (Some(errors), _) => Err(errors),
        // What is left out has a fault.
        (None, None) => Err(SchemaErrors::nothing_read(path)),
    }
}

/// Continues behind every fault to find all faults. The result is valid only without faults.
fn of_root(root: &Elem, files: Vec<PathBuf>, faults: &mut Faults) -> Option<Schema> {
    if root.name != "messageSchema" {
        let found = format!("root element <{}>", root.name);
        faults.add(root.error(found, "<messageSchema>"));
        return None;
    }
    let others = root
        .children
        .iter()
        .filter(|c| !["types", "message"].contains(&c.name.as_str()));
    for other in others {
        let found = format!("<{}> inside <messageSchema>", other.name);
        faults.add(other.error(found, "<types> or <message>"));
        let mut names = other.children.iter().map(|c| &c.name).chain([&other.name]);
        faults.is_incomplete |= names.any(|name| xml::declares_types(name));
    }
    let id = faults.keep(attrs::required_id(root));
    let version = faults
        .keep(attrs::id(root, "version"))
        .map(Option::unwrap_or_default);
    let byte_order = faults.keep(byte_order(root));
    // Without a version, none is above it.
    let mut types = Types::new(root, version.unwrap_or(u32::MAX), std::mem::take(faults));
    types.resolve_all();
    let header = header::message_header(root, &mut types);
    let header = types.faults.keep(header);
    if let (Some(header), Some(id)) = (header, id) {
        let fits = check_fits(root, "id", &types, header, header.schema_id, id);
        types.faults.keep(fits);
    }
    if let (Some(header), Some(version)) = (header, version) {
        let fits = check_fits(root, "version", &types, header, header.version, version);
        types.faults.keep(fits);
    }
    let messages = messages::read(root, &mut types, header);
    *faults = types.faults;
    Some(Schema {
        package: attrs::text(root, "package"),
        id: id?,
        version: version?,
        semantic_version: attrs::text(root, "semanticVersion"),
        description: attrs::text(root, "description"),
        byte_order: byte_order?,
        header: header?,
        dimensions: types.dimensions,
        enums: types.enums,
        sets: types.sets,
        composites: types.composites,
        messages,
        warnings: faults.warnings(),
        files,
    })
}

fn byte_order(root: &Elem) -> Result<ByteOrder, Fault> {
    match root.attr("byteOrder").map(|a| (a, a.value.trim())) {
        None | Some((_, "littleEndian")) => Ok(ByteOrder::Little),
        Some((_, "bigEndian")) => Ok(ByteOrder::Big),
        Some((attr, other)) => Err(attr.pos.error(
            format!("`byteOrder=\"{other}\"`"),
            "`littleEndian` or `bigEndian`",
        )),
    }
}
