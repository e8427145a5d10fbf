//! Crates of others whose types a public signature names: a breaking release of one of them is a
//! breaking release of ours.

use std::collections::BTreeMap;

/// Crates that come with the compiler, and keywords that paths begin with.
const OWN: [&str; 4] = ["alloc", "core", "std", "crate"];

/// The foreign crates of a list, each with the first line that names it. `own` begins the names of
/// crates that are released together with this one.
#[must_use]
pub fn crates<'l>(lines: &'l [String], own: &str) -> BTreeMap<&'l str, &'l str> {
    let mut found = BTreeMap::new();
    for line in lines {
        for path in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':') {
            let Some((root, _)) = path.split_once("::") else {
                continue;
            };
            let is_crate = root.starts_with(|c: char| c.is_ascii_lowercase());
            if is_crate && !OWN.contains(&root) && !root.starts_with(own) {
                found.entry(root).or_insert(line.as_str());
            }
        }
    }
    found
}
