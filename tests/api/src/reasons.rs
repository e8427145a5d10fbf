//! Lists of what may be although it should not, each with a reason.

use std::collections::BTreeSet;

/// What is wrong with `list` where `found` is there: lines of the form `NAME, NAME: REASON`; `#`
/// begins a comment. `found` has each name with a text that says where it is.
#[must_use]
pub fn faults(found: &[(String, String)], list: &str) -> Vec<String> {
    let mut listed = BTreeSet::new();
    let mut faults = Vec::new();
    let lines = list.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
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
    for (name, place) in found {
        if !listed.remove(name.as_str()) {
            faults.push(format!("{name} is not listed: {place}"));
        }
    }
    faults.extend(
        listed
            .iter()
            .map(|name| format!("{name} is listed, and is not there")),
    );
    faults
}
