//! Document type declarations: accepted and ignored.
//!
//! Some venues write one (`<!DOCTYPE xml>`). A declaration could fetch files, expand entities (nested
//! entities to more text than memory), and add default attributes. So this module replaces the declaration
//! with blanks before parsing, and refuses declarations that would change the document.

use std::borrow::Cow;

/// Something in a document type declaration that would change the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Offset in bytes.
    pub(super) at: usize,
    /// The fault.
    pub(super) found: String,
    /// The expectation.
    pub(super) expected: &'static str,
}

/// The text with its document type declaration replaced by blanks, byte for byte.
///
/// Where this finds no declaration, or no end of it, the text is as it was: the parser takes no
/// declaration at all, so that it says what is wrong.
pub(super) fn blanked(text: &str) -> Result<Cow<'_, str>, Refused> {
    let Some(start) = start(text) else {
        return Ok(Cow::Borrowed(text));
    };
    let Some(end) = end(text, start)? else {
        return Ok(Cow::Borrowed(text));
    };
    let (before, rest) = text.split_at(start);
    let (declaration, behind) = rest.split_at(end - start);
    let blanks = declaration.bytes().map(|b| match b {
        b'\n' | b'\r' | b'\t' => char::from(b),
        _ => ' ',
    });
    Ok(Cow::Owned(
        [before, &blanks.collect::<String>(), behind].concat(),
    ))
}

/// Where `<!DOCTYPE` stands: behind white space, comments and processing instructions alone.
fn start(text: &str) -> Option<usize> {
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("<!DOCTYPE") {
            return Some(at);
        }
        at += markup(trimmed)?;
    }
}

/// The length of a comment or processing instruction at the start of `text`.
fn markup(text: &str) -> Option<usize> {
    let (open, close) = if text.starts_with("<!--") {
        (4, "-->")
    } else if text.starts_with("<?") {
        (2, "?>")
    } else {
        return None;
    };
    let length = text.get(open..)?.find(close)?;
    Some(open + length + close.len())
}

/// The offset behind the declaration that starts at `start`; `None` if it does not end.
fn end(text: &str, start: usize) -> Result<Option<usize>, Refused> {
    let mut at = start;
    // Inside `[...]`, and inside a declaration there.
    let (mut in_subset, mut in_declaration) = (false, false);
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        if in_subset && !in_declaration {
            refuse(rest, at)?;
            if let Some(length) = markup(rest) {
                at += length;
                continue;
            }
        }
        match first {
            '"' | '\'' if !in_subset || in_declaration => {
                let Some(length) = rest.get(1..).and_then(|r| r.find(first)) else {
                    return Ok(None);
                };
                at += length + 2;
                continue;
            }
            '[' if !in_subset => in_subset = true,
            ']' if in_subset && !in_declaration => in_subset = false,
            '<' if in_subset => in_declaration = true,
            '>' if in_declaration => in_declaration = false,
            '>' if !in_subset => return Ok(Some(at + 1)),
            _ => {}
        }
        at += first.len_utf8();
    }
    Ok(None)
}

/// Refuses a declaration at the start of `rest` that would change the document.
fn refuse(rest: &str, at: usize) -> Result<(), Refused> {
    let name = |rest: &str| -> String {
        let name = rest.trim_start().trim_start_matches('%').trim_start();
        name.chars()
            .take_while(|c| !c.is_whitespace() && *c != '>')
            .take(NAME_CHARS_MAX)
            .collect()
    };
    if let Some(rest) = rest.strip_prefix("<!ENTITY") {
        return Err(Refused {
            at,
            found: format!("the DOCTYPE declares the entity `{}`", name(rest)),
            expected: "a schema without entities: write the text in place of the entity",
        });
    }
    if let Some(rest) = rest.strip_prefix("<!ATTLIST") {
        return Err(Refused {
            at,
            found: format!("the DOCTYPE declares attributes of <{}>", name(rest)),
            expected: "every attribute at its element",
        });
    }
    if rest.starts_with('%') {
        return Err(Refused {
            at,
            found: "the DOCTYPE refers to a parameter entity".to_owned(),
            expected: "a schema without entities",
        });
    }
    Ok(())
}

/// Characters of a name in an error.
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_leaves_blanks() {
        let kept = [
            "",
            "<a/>",
            "<a><!DOCTYPE a></a>",
            "<!-- <!DOCTYPE a> --><a/>",
            "<?x <!DOCTYPE a> ?><a/>",
            "x<!DOCTYPE a>",
            "<!DOCTYPE a",
            "<!DOCTYPE a [",
            "<!DOCTYPE a []",
            "<!DOCTYPE a [<!-- ]>",
            "<!DOCTYPE a '>",
            "<!--<!DOCTYPE a>",
        ];
        for text in kept {
            assert_eq!(blanked(text).unwrap(), text);
        }
        let declarations = [
            "<!DOCTYPE xml>",
            "<!DOCTYPE a\n\tSYSTEM 'http://x/>[<!ENTITY'>",
            "<!DOCTYPE a PUBLIC \"-//]>//\" \"y\" [ ] >",
            "<!DOCTYPE größe [<!-- <!ENTITY b 'c'> ]> --> <?p ]> <!ENTITY ?>\n<!ELEMENT a (b, c)><!NOTATION n SYSTEM ']>'>]>",
        ];
        for declaration in declarations {
            for before in ["", "\u{feff}<?xml version='1.0'?> ", "<!-- c -->\n<?p?>"] {
                let text = format!("{before}{declaration}<a>ß</a>");
                let blank = blanked(&text).unwrap();
                assert_eq!(blank.len(), text.len());
                assert_eq!(blank.matches('\n').count(), text.matches('\n').count());
                let inside = blank.strip_prefix(before).unwrap();
                let inside = inside.strip_suffix("<a>ß</a>").unwrap();
                assert!(inside.trim().is_empty(), "{inside}");
            }
        }
    }

    #[test]
    fn what_would_change_the_document_is_refused() {
        let cases = [
            ("<!ENTITY lol 'x'>", "the DOCTYPE declares the entity `lol`"),
            (
                "<!ENTITY % p SYSTEM 'x'>",
                "the DOCTYPE declares the entity `p`",
            ),
            (
                "<!ATTLIST type presence CDATA 'optional'>",
                "the DOCTYPE declares attributes of <type>",
            ),
            ("%p;", "the DOCTYPE refers to a parameter entity"),
        ];
        for (declaration, found) in cases {
            let before = "<!DOCTYPE a SYSTEM '%p;' [<!ELEMENT a (%p;)> ";
            let refused = blanked(&format!("{before}{declaration}]><a/>")).unwrap_err();
            assert_eq!((refused.at, refused.found.as_str()), (before.len(), found));
        }
    }
}
