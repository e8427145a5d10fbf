//! Schema names as Rust identifiers: valid, unique in their scope, and the same on every run.

use std::collections::{HashMap, HashSet};

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

use crate::ir::{Body, Role, Schema};

/// Names that generated code uses, and the names of the prelude.
const TYPES_TAKEN: [&str; 21] = [
    "AnyMessage",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Eq",
    "Err",
    "From",
    "Message",
    "None",
    "Ok",
    "Option",
    "PartialEq",
    "Result",
    "Self",
    "Some",
    "String",
    "Unknown",
    "Vec",
    "Box",
    "Into",
];

/// All keywords, including reserved ones (Rust reference, edition 2024).
const KEYWORDS: [&str; 53] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "Self", "static", "struct", "super", "trait", "true", "try", "type",
    "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_",
];

/// Keywords that cannot be raw identifiers.
const NEVER_RAW: [&str; 5] = ["crate", "self", "Self", "super", "_"];

/// The names of one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    taken: HashSet<String>,
    /// For each name in use, the first number that may be free behind it.
    next: HashMap<String, u32>,
    given: Vec<String>,
}

impl Scope {
    pub(super) fn reserving(names: &[&str]) -> Self {
        Self {
            taken: names.iter().map(|n| (*n).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// `wanted`, or `wanted` with the first free number behind it.
    fn unique(&mut self, wanted: String) -> String {
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let is_camel = wanted.chars().next().is_some_and(char::is_uppercase);
        let between = if is_camel { "" } else { "_" };
        let n = self.next.entry(wanted.clone()).or_insert(2);
        loop {
            let name = format!("{wanted}{between}{n}");
            *n += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    pub(super) fn camel(&mut self, name: &str) -> String {
        let name = legal(&clean(name).to_upper_camel_case(), "T");
        self.unique(name)
    }

    pub(super) fn snake(&mut self, name: &str) -> String {
        let name = legal(&clean(name).to_snake_case(), "f_");
        let free = self.unique(name);
        let ident = if NEVER_RAW.contains(&free.as_str()) {
            self.unique(format!("{free}_"))
        } else if KEYWORDS.contains(&free.as_str()) {
            format!("r#{free}")
        } else {
            free
        };
        self.given.push(ident.clone());
        ident
    }

    /// [`snake`](Self::snake) of each.
    pub(super) fn snakes<'n>(&mut self, names: impl Iterator<Item = &'n String>) -> Vec<String> {
        names.map(|name| self.snake(name)).collect()
    }

    /// [`snake`](Self::snake) for a name of the generator. Names of the schema come first. The name is not in
    /// [`given`](Self::given).
    pub(super) fn beside(&mut self, name: &str) -> String {
        let ident = self.snake(name);
        self.given.pop();
        ident
    }

    /// All names of [`snake`](Self::snake), in order.
    pub(super) fn given(&self) -> &[String] {
        &self.given
    }

    pub(super) fn shouty(&mut self, name: &str) -> String {
        let name = legal(&clean(name).to_shouty_snake_case(), "V_");
        self.unique(name)
    }
}

/// XML names may contain `-`, `.` and letters of any script; generated identifiers are ASCII.
fn clean(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                ' '
            }
        })
        .collect()
}

fn legal(name: &str, prefix: &str) -> String {
    match name.bytes().next() {
        Some(b) if !b.is_ascii_digit() => name.to_owned(),
        _ => format!("{prefix}{name}"),
    }
}

/// Names of the types generated for a message or group entry.
#[derive(Clone, Debug)]
pub(super) struct BodyNames {
    /// The type of the message; entries have no such type.
    pub(super) marker: String,
    pub(super) view: String,
    /// The written block.
    pub(super) root: String,
    pub(super) builder: String,
    pub(super) groups: Vec<BodyNames>,
}

/// Names of all types of a schema, and of what is inside enums and sets.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) enums: Vec<EnumNames>,
    pub(super) sets: Vec<SetNames>,
    pub(super) composites: Vec<String>,
    /// For each composite the struct of the members that the caller sets, if there are any.
    pub(super) own: Vec<Option<String>>,
    pub(super) messages: Vec<BodyNames>,
}

#[derive(Clone, Debug)]
pub(super) struct EnumNames {
    pub(super) raw: String,
    pub(super) known: String,
    pub(super) consts: Vec<String>,
    pub(super) variants: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct SetNames {
    pub(super) name: String,
    pub(super) consts: Vec<String>,
}

impl Names {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut scope = Scope::reserving(&TYPES_TAKEN);
        // Messages come first: users write their names.
        let messages = schema
            .messages
            .iter()
            .map(|m| body(&mut scope, &m.name, &m.body, false))
            .collect();
        let enums = schema
            .enums
            .iter()
            .map(|e| {
                let (mut consts, mut variants) = (Scope::default(), Scope::reserving(&["Self"]));
                EnumNames {
                    raw: scope.camel(&e.name),
                    known: scope.camel(&format!("Known {}", e.name)),
                    consts: e.values.iter().map(|v| consts.shouty(&v.name)).collect(),
                    variants: e.values.iter().map(|v| variants.camel(&v.name)).collect(),
                }
            })
            .collect();
        let sets = schema
            .sets
            .iter()
            .map(|s| {
                let mut consts = Scope::reserving(&["EMPTY"]);
                SetNames {
                    name: scope.camel(&s.name),
                    consts: s.choices.iter().map(|c| consts.shouty(&c.name)).collect(),
                }
            })
            .collect();
        let composites = schema
            .composites
            .iter()
            .map(|c| scope.camel(&c.name))
            .collect();
        let own = (0..schema.composites.len())
            .map(|index| {
                let composite = &schema.composites[index];
                let has_own = !own_members(schema, index).is_empty();
                has_own.then(|| scope.camel(&format!("{} Members", composite.name)))
            })
            .collect();
        Self {
            enums,
            sets,
            composites,
            own,
            messages,
        }
    }
}

/// The members of a header or dimension that the caller of a builder sets: members on the wire that neither
/// the layout nor the schema determines. Empty for other composites.
pub(super) fn own_members(schema: &Schema, index: usize) -> Vec<usize> {
    let is_own = |member: usize| match schema.composites[index].role {
        Role::Header => !schema.header.is_layout(member),
        Role::Dimension => schema
            .dimension(index)
            .is_some_and(|dimension| !dimension.is_layout(member)),
        Role::Value => false,
    };
    let members = schema.composites[index].members.iter().enumerate();
    members
        .filter(|(at, member)| member.size > 0 && is_own(*at))
        .map(|(at, _)| at)
        .collect()
}

fn body(scope: &mut Scope, name: &str, body_: &Body, is_group: bool) -> BodyNames {
    let marker = if is_group {
        name.to_owned()
    } else {
        scope.camel(name)
    };
    BodyNames {
        view: scope.camel(&format!("{marker} View")),
        root: scope.camel(&format!(
            "{marker} {}",
            if is_group { "Entry" } else { "Root" }
        )),
        builder: scope.camel(&format!("{marker} Builder")),
        groups: body_
            .groups
            .iter()
            .map(|g| {
                body(
                    scope,
                    &format!("{marker} {}", clean(&g.name).to_upper_camel_case()),
                    &g.body,
                    true,
                )
            })
            .collect(),
        marker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_and_unique() {
        let mut scope = Scope::default();
        let cases = [
            ("priceExponent", "price_exponent"),
            ("MDEntryPx", "md_entry_px"),
            ("type", "r#type"),
            ("Type", "type_2"),
            ("self", "self_"),
            ("crate", "crate_"),
            ("1stLeg", "f_1st_leg"),
            ("a-b.c", "a_b_c"),
            ("größe", "gr_e"),
            ("\u{4ef7}", "f_"),
            ("gen", "r#gen"),
        ];
        for (schema, rust) in cases {
            assert_eq!(scope.snake(schema), rust, "{schema}");
        }
        let mut types = Scope::reserving(&TYPES_TAKEN);
        assert_eq!(types.camel("option"), "Option2");
        assert_eq!(types.camel("Self"), "Self2");
        assert_eq!(types.camel("PRICE9"), "Price9");
        assert_eq!(types.camel("price9"), "Price92");
        assert_eq!(types.camel("9lives"), "T9lives");
        assert_eq!(types.shouty("NonRepresentable"), "NON_REPRESENTABLE");
    }
}
