//! One path and one meaning for each name.

use std::collections::{BTreeMap, BTreeSet};

use crate::surface::Name;

/// A last path segment that several items have, or one item at several paths.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeated {
    /// `Batch`
    pub last: String,
    /// Where it is, sorted.
    pub paths: Vec<String>,
    /// How many different items are behind the paths. 1: one item at two paths.
    pub meanings: usize,
}

impl Repeated {
    /// Where the name is, in words.
    #[must_use]
    pub fn place(&self) -> String {
        let what = if self.meanings == 1 {
            "one item"
        } else {
            "several items"
        };
        format!("{what} at {}", self.paths.join(", "))
    }
}

/// The names that are there more than once, over all crates.
pub fn repeated(names: &[Name]) -> Vec<Repeated> {
    let mut by_last: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for name in names {
        by_last.entry(name.last()).or_default().push(name);
    }
    by_last
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(last, names)| {
            let items: BTreeSet<_> = names.iter().map(|name| (name.root(), name.item)).collect();
            Repeated {
                last: last.to_owned(),
                paths: names.iter().map(|name| name.path.clone()).collect(),
                meanings: items.len(),
            }
        })
        .collect()
}
