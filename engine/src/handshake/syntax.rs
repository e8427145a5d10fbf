//! Grammar rules of RFC 9110 and RFC 9112 that heads consist of.

/// Token characters (RFC 9110 section 5.6.2).
const fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether `text` is a token: a method, field name or sub-protocol.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_tchar(b))
}

/// Whether `text` consists of visible ASCII, space and tab, which is what this crate sends in
/// header values. Other bytes are opaque in HTTP (RFC 9110 section 5.5), so two recipients may read
/// them differently.
pub(super) fn is_plain_value(text: &[u8]) -> bool {
    text.iter().all(|&b| matches!(b, b'\t' | b' '..=b'~'))
}

/// `1*DIGIT`. Values above `u64::MAX` saturate.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let step = |n: u64, digit: &u8| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, step))
}

/// The HTTP version: `(1, 1)` for `HTTP/1.1`.
pub(super) fn http_version(text: &[u8]) -> Option<(u8, u8)> {
    match text.strip_prefix(b"HTTP/")? {
        [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => Some((major - b'0', minor - b'0')),
        _ => None,
    }
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), trimmed, without empty ones. A
/// comma in a quoted string does not separate.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |&b| {
            if b == b'"' && !escaped {
                quoted = !quoted;
            }
            escaped = quoted && !escaped && b == b'\\';
            b == b',' && !quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// The text before the first `at`, and the text after it, if `at` occurs.
pub(super) fn split_once(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match find(text, at) {
        Some(i) => (&text[..i], text.get(i + 1..)),
        None => (text, None),
    }
}

/// The offset of the first `wanted` in `text`.
pub(super) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|&b| b == wanted)
}
