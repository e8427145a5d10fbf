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

/// What is wrong with the list of names that may be there more than once: lines of the form
/// `NAME, NAME: REASON`; `#` begins a comment.
pub fn faults(repeated: &[Repeated], list: &str) -> Vec<String> {
    let mut listed = BTreeSet::new();
    let mut faults = Vec::new();
    for line in list
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.split_once(':') {
            Some((names, reason)) if !reason.trim().is_empty() => {
                for name in names.split(',').map(str::trim) {
                    if !listed.insert(name) {
                        faults.push(format!("{name} is listed twice"));
                    }
                }
            }
            _ => faults.push(format!("{line:?} is not of the form `NAME, NAME: REASON`")),
        }
    }
    for Repeated {
        last,
        paths,
        meanings,
    } in repeated
    {
        if !listed.remove(last.as_str()) {
            let what = if *meanings == 1 {
                "one item"
            } else {
                "several items"
            };
            faults.push(format!(
                "{last} is not listed, and names {what} at {}",
                paths.join(", ")
            ));
        }
    }
    faults.extend(
        listed
            .iter()
            .map(|name| format!("{name} is listed, and is there at most once")),
    );
    faults
}
