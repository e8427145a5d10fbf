//! Two lists side by side.

use std::fmt::Write;

/// The lines that only one of two lists has, `-` for those of `listed` and `+` for those of `found`,
/// in the order of the lists; `None` where the lists are the same.
pub fn difference(listed: &str, found: &str) -> Option<String> {
    let (old, new): (Vec<_>, Vec<_>) = (listed.lines().collect(), found.lines().collect());
    if old == new {
        return None;
    }
    let mut text = String::new();
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        match (old.get(a), new.get(b)) {
            (Some(x), Some(y)) if x == y => (a, b) = (a + 1, b + 1),
            // Whichever of the two comes again sooner was only moved apart by the other.
            (Some(x), y) if y.is_none_or(|y| distance(&old[a..], y) <= distance(&new[b..], x)) => {
                _ = writeln!(text, "- {x}");
                a += 1;
            }
            (_, Some(y)) => {
                _ = writeln!(text, "+ {y}");
                b += 1;
            }
            (_, None) => break,
        }
    }
    Some(text)
}

/// How far `line` is from the begin of `lines`.
fn distance(lines: &[&str], line: &str) -> usize {
    lines
        .iter()
        .position(|&other| other == line)
        .unwrap_or(usize::MAX)
}
