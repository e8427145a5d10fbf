//! Schema files as one tree, with resolved XIncludes and positions, without foreign markup.

mod doctype;
#[cfg(test)]
mod tests;

use std::fs::File as OsFile;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Position, SchemaError};
use crate::faults::{Fault, Faults};

/// The namespaces of the FIX Trading Community for SBE, from the release candidates to the release. A schema
/// may mix them, and its files may use other namespaces.
const FIX_NAMESPACES: [&str; 2] = [
    "http://fixprotocol.io/",
    "http://www.fixprotocol.org/ns/simple/",
];
/// The elements with children of SBE. Inside other elements, elements of other vocabularies are notes.
const CONTAINERS: [&str; 7] = [
    "messageSchema",
    "types",
    "composite",
    "enum",
    "set",
    "message",
    "group",
];
const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";

/// Bytes of one schema file. The largest in public use is under 1 MB.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files read for one schema, and their bytes: files that include files many times over multiply.
/// Venues publish a handful.
const FILES_MAX: usize = 256;
const FILES_BYTES_MAX: usize = 64 << 20;
/// Files inside each other by XInclude; more is a cycle or a mistake.
const INCLUDE_DEPTH_MAX: usize = 8;
/// Elements inside each other: groups nest, and each level costs a stack frame here.
const ELEMENT_DEPTH_MAX: usize = 64;

/// The attributes of SBE 1.0 and of its release candidates.
const ATTRIBUTES: [&str; 26] = [
    "blockLength",
    "byteOrder",
    "characterEncoding",
    "deprecated",
    "description",
    "dimensionType",
    "encodingType",
    "epoch",
    "headerType",
    "id",
    "length",
    "maxValue",
    "minValue",
    "name",
    "nullValue",
    "offset",
    "package",
    "presence",
    "primitiveType",
    "semanticType",
    "semanticVersion",
    "sinceVersion",
    "timeUnit",
    "type",
    "valueRef",
    "version",
];

/// Whether an element of that name declares types, so that without it some are missing.
pub(crate) fn declares_types(name: &str) -> bool {
    ["types", "type", "composite", "enum", "set"].contains(&name)
}

/// A place in a file. Line and column are counted where an error needs them, and only there: a
/// minified schema is one long line.
#[derive(Clone, Debug)]
pub(crate) struct Pos {
    file: Rc<File>,
    /// In bytes from the start.
    offset: usize,
}

/// The common data of all positions in a file.
#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn at(self: &Rc<Self>, offset: usize) -> Pos {
        Pos {
            file: self.clone(),
            offset,
        }
    }
}

impl Pos {
    pub(crate) fn error(&self, found: impl Into<String>, expected: impl Into<String>) -> Fault {
        Fault::At(self.clone(), found.into(), expected.into())
    }

    /// Whether both are the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.file, &other.file) && self.offset == other.offset
    }

    pub(crate) fn position(&self) -> Position {
        let before = self.file.text.get(..self.offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            file: self.file.path.clone(),
            line: clip(before.matches('\n').count() + 1),
            column: clip(line.chars().count() + 1),
        }
    }
}

/// An attribute of the schema's own vocabulary; attributes of other namespaces are not kept.
#[derive(Clone, Debug)]
pub(crate) struct Attr {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) pos: Pos,
}

/// An element of the schema's own vocabulary, named without prefix.
#[derive(Clone, Debug)]
pub(crate) struct Elem {
    pub(crate) name: String,
    pub(crate) attrs: Vec<Attr>,
    pub(crate) text: String,
    pub(crate) children: Vec<Elem>,
    pub(crate) pos: Pos,
}

impl Elem {
    pub(crate) fn attr(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|a| a.name == name)
    }

    pub(crate) fn error(&self, found: impl Into<String>, expected: impl Into<String>) -> Fault {
        self.pos.error(found, expected)
    }
}

/// Reads `path` and everything it includes; gives the tree and every file read. What is left out of the
/// tree has its fault in `faults`.
///
/// A relative `href` is looked up beside the including file, then in `base`.
pub(crate) fn load(
    path: &Path,
    base: Option<&Path>,
    faults: &mut Faults,
) -> Option<(Elem, Vec<PathBuf>)> {
    let at = Position {
        file: path.to_path_buf(),
        line: 1,
        column: 1,
    };
    let text = read(path).map_err(|e| SchemaError::new(at, e, "a readable schema file").into());
    parse(faults.keep(text)?, path, base, faults)
}

/// As [`load`] for text in memory; `path` names it in errors and is where includes are relative to.
pub(crate) fn parse(
    text: String,
    path: &Path,
    base: Option<&Path>,
    faults: &mut Faults,
) -> Option<(Elem, Vec<PathBuf>)> {
    let mut loader = Loader {
        base,
        open: Vec::new(),
        namespaces: Vec::new(),
        files: Vec::new(),
        bytes: 0,
        faults,
    };
    let root = loader.document(text, path);
    let files = loader.files;
    Some((faults.keep(root)?, files))
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
    // A device or a pipe may have no end, and opening it may block.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    // The length of a file in its metadata may be wrong.
    let mut bytes = Vec::new();
    let mut file = OsFile::open(path)
        .map_err(unreadable)?
        .take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        format!("is not UTF-8 at byte {at}: convert the file to UTF-8")
    })
}

struct Loader<'l> {
    base: Option<&'l Path>,
    /// The files being read, outermost first.
    open: Vec<PathBuf>,
    /// The namespaces of their roots.
    namespaces: Vec<Option<String>>,
    /// Every file read.
    files: Vec<PathBuf>,
    /// Bytes of all of them.
    bytes: usize,
    faults: &'l mut Faults,
}

impl Loader<'_> {
    fn document(&mut self, text: String, path: &Path) -> Result<Elem, Fault> {
        let path = path.to_path_buf();
        let file = Rc::new(File { path, text });
        let options = roxmltree::ParsingOptions {
            nodes_limit: 4_000_000,
            ..Default::default()
        };
        let text =
            doctype::blanked(&file.text).map_err(|r| file.at(r.at).error(r.found, r.expected))?;
        let doc = roxmltree::Document::parse_with_options(&text, options).map_err(|e| {
            let at = Position {
                file: file.path.clone(),
                line: e.pos().row,
                column: e.pos().col,
            };
            let found = format!("XML error: {}", without_position(&e.to_string()));
            Fault::Whole(SchemaError::new(at, found, "well-formed XML"))
        })?;
        self.open.push(file.path.clone());
        self.files.push(file.path.clone());
        self.bytes += file.text.len();
        // The root is of the schema's vocabulary, whatever that is called.
        let root = doc.root_element();
        let namespace = root.tag_name().namespace().map(str::to_owned);
        self.namespaces.push(namespace);
        let elem = self.element(&file, root, 0);
        self.namespaces.pop();
        self.open.pop();
        elem
    }

    fn element(
        &mut self,
        file: &Rc<File>,
        node: roxmltree::Node<'_, '_>,
        depth: usize,
    ) -> Result<Elem, Fault> {
        let pos = file.at(node.range().start);
        if depth > ELEMENT_DEPTH_MAX {
            return Err(pos.error(
                format!("elements nest more than {ELEMENT_DEPTH_MAX} deep"),
                "groups nested less deeply",
            ));
        }
        let element = node.tag_name().name();
        let attrs: Vec<Attr> = node
            .attributes()
            .filter(|a| self.is_own(a.namespace()))
            .map(|a| Attr {
                name: a.name().to_owned(),
                value: a.value().to_owned(),
                pos: file.at(a.range().start),
            })
            .collect();
        for attr in &attrs {
            if !ATTRIBUTES.contains(&attr.name.as_str()) {
                let what = format!("the attribute `{}` of <{element}>", attr.name);
                self.faults.skip(&attr.pos, what);
            }
        }
        let text: String = node
            .children()
            .filter(|c| c.is_text())
            .filter_map(|c| c.text())
            .collect();
        let mut children = Vec::new();
        for child in node.children().filter(|c| c.is_element()) {
            let tag = child.tag_name();
            let read = match tag.namespace() {
                Some(XINCLUDE) if tag.name() == "include" => self.include(file, child),
                namespace if self.is_own(namespace) => {
                    self.element(file, child, depth + 1).map(|e| vec![e])
                }
                namespace if CONTAINERS.contains(&node.tag_name().name()) => {
                    Err(self.foreign(file, child, namespace.unwrap_or_default()))
                }
                namespace => {
                    let (name, namespace) = (tag.name(), namespace.unwrap_or_default());
                    let what = format!("<{name}> under the namespace `{namespace}`");
                    self.faults.skip(&file.at(child.range().start), what);
                    Ok(Vec::new())
                }
            };
            match read {
                Ok(read) => children.extend(read),
                Err(fault) => {
                    let is_include = tag.namespace() == Some(XINCLUDE);
                    self.faults.is_incomplete |= is_include || declares_types(tag.name());
                    self.faults.add(fault);
                }
            }
        }
        Ok(Elem {
            name: node.tag_name().name().to_owned(),
            attrs,
            text,
            children,
            pos,
        })
    }

    /// Whether a name is of the schema's vocabulary: under no namespace, under that of the file's root
    /// or of the roots that include it, or under one of FIX's.
    fn is_own(&self, namespace: Option<&str>) -> bool {
        namespace.is_none_or(|name| {
            FIX_NAMESPACES.iter().any(|fix| name.starts_with(fix))
                || self.namespaces.iter().flatten().any(|own| own == name)
        })
    }

    /// An element of another vocabulary where one of the schema's is expected. Were it skipped, a
    /// message under a mistaken prefix would be missing without a word.
    fn foreign(&self, file: &Rc<File>, node: roxmltree::Node<'_, '_>, namespace: &str) -> Fault {
        let name = node.tag_name().name();
        let name = match node.lookup_prefix(namespace) {
            Some(prefix) => format!("{prefix}:{name}"),
            None => name.to_owned(),
        };
        let own = match self.namespaces.last() {
            Some(Some(own)) => format!("under the namespace of the schema, `{own}`, or under none"),
            _ => "under no namespace, as the schema is".to_owned(),
        };
        file.at(node.range().start).error(
            format!("<{name}> under the namespace `{namespace}`"),
            format!("elements {own}"),
        )
    }

    /// The elements of an `xi:include`: the included root, or the children of an included schema.
    fn include(
        &mut self,
        file: &Rc<File>,
        node: roxmltree::Node<'_, '_>,
    ) -> Result<Vec<Elem>, Fault> {
        let pos = file.at(node.range().start);
        let Some(href) = node.attribute("href").filter(|h| !h.is_empty()) else {
            return Err(pos.error("an include without `href`", "`href` naming a schema file"));
        };
        if let Some(a) = node
            .attributes()
            .find(|a| a.name() == "xpointer" || (a.name() == "parse" && a.value() != "xml"))
        {
            return Err(file.at(a.range().start).error(
                format!("`{}=\"{}\"` is not supported", a.name(), a.value()),
                "an include of a whole XML file",
            ));
        }
        if self.open.len() >= INCLUDE_DEPTH_MAX {
            return Err(pos.error(
                format!("includes nest more than {INCLUDE_DEPTH_MAX} deep"),
                "a schema without a cycle",
            ));
        }
        if self.files.len() == FILES_MAX {
            return Err(pos.error(
                format!("more than {FILES_MAX} files"),
                "a schema of fewer includes",
            ));
        }
        let beside = file.path.parent().unwrap_or(Path::new("")).join(href);
        let (path, text) = match (read(&beside), self.base.map(|b| b.join(href))) {
            (Ok(text), _) => (beside, text),
            (Err(first), None) => {
                return Err(pos.error(
                    format!("`{href}` {first}"),
                    format!("a file at {}", beside.display()),
                ));
            }
            (Err(_), Some(other)) => match read(&other) {
                Ok(text) => (other, text),
                Err(e) => {
                    return Err(pos.error(
                        format!("`{href}` {e}"),
                        format!("a file at {} or {}", beside.display(), other.display()),
                    ));
                }
            },
        };
        if self.bytes + text.len() > FILES_BYTES_MAX {
            return Err(pos.error(
                format!("more than {FILES_BYTES_MAX} bytes of files"),
                "a schema of fewer or smaller includes",
            ));
        }
        if self.open.contains(&path) {
            return Err(pos.error(
                format!("`{href}` includes itself"),
                "a schema without a cycle",
            ));
        }
        let root = self.document(text, &path)?;
        Ok(if root.name == "messageSchema" {
            root.children
        } else {
            vec![root]
        })
    }
}

/// Removes the ` at row:col` at the end of the message of the parser; the error has the position already.
fn without_position(message: &str) -> &str {
    match message.rfind(" at ") {
        Some(i)
            if message[i + 4..]
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b':') =>
        {
            &message[..i]
        }
        _ => message,
    }
}
