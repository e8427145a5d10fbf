//! What a crate shows, out of the JSON that rustdoc writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use public_api::PublicItem;
use public_api::tokens::Token;

use crate::Failure;

/// The format of rustdoc's JSON that the lists are made of: that of Rust 1.95. Another format may
/// render the same surface in other lines.
pub const FORMAT: u64 = 57;

/// Traits that a type has without being told so. Listed is only what lacks one of those that users
/// meet: a type that stops being `Send` gets a line.
const AUTO_TRAITS: [&str; 3] = [
    "core::marker::Send",
    "core::marker::Sync",
    "core::marker::Unpin",
];

/// An item of a module: what a user writes in `use`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// `tickwire::channels::Batch`
    pub path: String,
    /// `struct`, `fn`, ...
    pub kind: String,
    /// What the path leads to, unique in its crate: the same at both paths of a name that has two.
    pub item: u32,
}

impl Name {
    /// `Batch`
    pub fn last(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// `tickwire`
    pub fn root(&self) -> &str {
        self.path.split("::").next().unwrap_or(&self.path)
    }
}

/// All that a crate shows.
#[derive(Debug)]
pub struct Surface {
    /// One public item each, in the order of the list: what belongs to a type follows it.
    pub lines: Vec<String>,
    /// The items of modules, sorted by path.
    pub names: Vec<Name>,
}

impl Surface {
    /// Reads the JSON at `file`.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let found =
            format_of(&text).ok_or_else(|| format!("{}: no rustdoc JSON", file.display()))?;
        if found != FORMAT {
            return Err(Failure::Format(found));
        }
        let api = public_api::Builder::from_rustdoc_json(file)
            .omit_blanket_impls(true)
            .build()
            .map_err(|e| format!("{}: {e}", file.display()))?;
        let items: Vec<&PublicItem> = api.items().collect();
        Ok(Self {
            lines: lines(&items),
            names: names(&items),
        })
    }

    /// The list as it is checked in.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

/// `format_version` is the last field that rustdoc writes.
fn format_of(json: &str) -> Option<u64> {
    let (_, behind) = json.rsplit_once("\"format_version\":")?;
    let digits = behind.trim_start();
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn lines(items: &[&PublicItem]) -> Vec<String> {
    // Methods of an implementation of a trait are the trait's: its own line says all of them.
    let of_traits: BTreeSet<u32> = items
        .iter()
        .filter(|item| is_of_trait(&item.to_string()))
        .map(|item| item.id().0)
        .collect();
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for item in items {
        let line = item.to_string();
        let inherited = item
            .parent_id()
            .is_some_and(|parent| of_traits.contains(&parent.0))
            && !line.starts_with("pub type ");
        // An implementation for a type with the trait's parameter public too comes twice.
        if !inherited && is_listed(&line) && seen.insert((item.id().0, line.clone())) {
            lines.push(line);
        }
    }
    lines
}

/// Whether the line is the implementation of a trait.
fn is_of_trait(line: &str) -> bool {
    line.starts_with("impl") && trait_of(line).is_some()
}

/// The trait that a line of `impl .. Trait for Type` implements, `!` in front where it does not.
fn trait_of(line: &str) -> Option<&str> {
    let (head, _) = line.split_once(" for ")?;
    let start = head.rfind(' ')? + 1;
    Some(&head[start..])
}

fn is_listed(line: &str) -> bool {
    let Some(name) = line.starts_with("impl").then(|| trait_of(line)).flatten() else {
        return true;
    };
    match name.strip_prefix('!') {
        Some(lacking) => AUTO_TRAITS.contains(&lacking),
        None => {
            !AUTO_TRAITS.contains(&name)
                && !name.starts_with("core::panic::unwind_safe::")
                && !["Freeze", "StructuralPartialEq", "UnsafeUnpin"]
                    .iter()
                    .any(|hidden| name.strip_prefix("core::marker::") == Some(hidden))
        }
    }
}

fn names(items: &[&PublicItem]) -> Vec<Name> {
    let mut found: BTreeMap<String, Name> = BTreeMap::new();
    for item in items {
        if let Some((kind, path)) = path_of(item) {
            found.insert(
                path.clone(),
                Name {
                    path,
                    kind,
                    item: item.id().0,
                },
            );
        }
    }
    let modules: BTreeSet<String> = found
        .values()
        .filter(|name| name.kind == "mod")
        .map(|name| name.path.clone())
        .collect();
    found
        .into_values()
        .filter(|name| {
            name.path
                .rsplit_once("::")
                .is_some_and(|(parent, _)| modules.contains(parent))
        })
        .collect()
}

/// What an item is, and its path; nothing for implementations.
fn path_of(item: &PublicItem) -> Option<(String, String)> {
    let mut tokens = item
        .tokens()
        .skip_while(|token| !matches!(token, Token::Kind(_)));
    let kind = tokens.next()?.text().to_owned();
    let path: String = tokens
        .skip_while(|token| matches!(token, Token::Whitespace))
        .take_while(|token| match token {
            Token::Symbol(symbol) => symbol == "::",
            Token::Identifier(_) | Token::Type(_) | Token::Function(_) => true,
            _ => false,
        })
        .map(Token::text)
        .collect();
    (kind != "impl").then_some((kind, path))
}
