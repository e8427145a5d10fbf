//! Lines of source, and escaped schema text for doc comments.

use std::fmt::Write as _;

/// Source code, written line by line.
#[derive(Default)]
pub(super) struct Source {
    text: String,
    indent: usize,
}

impl Source {
    /// Adds a line. A line that ends in `{` increases the indentation; a line that begins with `}` decreases
    /// it.
    pub(super) fn line(&mut self, line: &str) {
        if line.starts_with('}') {
            self.indent = self.indent.saturating_sub(1);
        }
        for _ in 0..self.indent {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
        if line.ends_with('{') {
            self.indent += 1;
        }
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A doc comment of one line.
    pub(super) fn doc(&mut self, text: &str) {
        self.line(&format!("/// {text}"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// `name`, id and description of a part, for its doc comment.
pub(super) fn describe(name: &str, id: Option<u32>, since: u32, description: &str) -> String {
    let mut text = format!("`{}`", code(name));
    if let Some(id) = id {
        let _ = write!(text, " ({id})");
    }
    if since > 0 {
        let _ = write!(text, ", since version {since}");
    }
    if !description.trim().is_empty() {
        let _ = write!(text, ": {}", prose(description));
    }
    text
}

/// A name between backquotes.
pub(super) fn code(name: &str) -> String {
    name.chars().filter(|c| visible(*c) && *c != '`').collect()
}

/// Free text of a schema on one line, without markup of Markdown, HTML or rustdoc.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars().filter(|c| visible(*c)) {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                // Without the colon, rustdoc reports web addresses as bare links.
                '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | ':' | '!' | '+' | '-' => {
                    out.push('\\');
                    out.push(c);
                }
                _ => out.push(c),
            }
        }
    }
    out
}

/// Control and direction characters can disguise source code.
fn visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A string literal.
pub(super) fn string(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_cannot_leave_its_comment() {
        assert_eq!(prose("a\n\t b"), "a b");
        assert_eq!(
            prose("[x](y) `z` <b> */ //"),
            "\\[x\\](y) \\`z\\` &lt;b&gt; \\*/ //"
        );
        assert_eq!(prose("https://x"), "https\\://x");
        assert_eq!(prose("\u{202e}abc\u{7}"), "abc");
        assert_eq!(string("a\"b\\\n"), "\"a\\\"b\\\\\\n\"");
        assert_eq!(
            describe("px", Some(4), 2, "the price"),
            "`px` (4), since version 2: the price"
        );
    }
}
