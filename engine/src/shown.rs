//! Text of the peer in error texts: one line, without what cannot be printed.

use alloc::string::String;

/// The maximum number of the peer's bytes in an error text: enough for a sentence or a small JSON
/// object, and short enough for one line of a log.
const SHOWN_BYTES_MAX: usize = 512;

/// The first [`SHOWN_BYTES_MAX`] bytes as one line of text. Invalid UTF-8 is replaced, and
/// unprintable characters are escaped.
pub(crate) fn shown(text: &[u8]) -> String {
    let text = text.trim_ascii();
    let (shown, rest) = text
        .split_at_checked(SHOWN_BYTES_MAX)
        .unwrap_or((text, &[]));
    let mut line = String::new();
    let mut chunks = shown.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        push_printable(&mut line, chunk.valid());
        // The cut at the end may lie inside a character.
        let is_last = chunks.peek().is_none() && !rest.is_empty();
        let cut = is_last && is_incomplete(chunk.invalid());
        if !chunk.invalid().is_empty() && !cut {
            line.push(char::REPLACEMENT_CHARACTER);
        }
    }
    if !rest.is_empty() {
        line.push_str("...");
    }
    line
}

/// Appends `text`, with what cannot be printed escaped: an error must not control the terminal or
/// break the line of a log.
pub(crate) fn push_printable(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => line.push(c),
            c => line.extend(c.escape_debug()),
        }
    }
}

/// Whether `bytes` are the beginning of a character.
fn is_incomplete(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}
