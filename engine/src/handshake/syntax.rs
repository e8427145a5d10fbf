//! The small grammars of RFC 9110 and RFC 9112 that a head is made of.

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

/// A method, header name or sub-protocol: one token character or more.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_tchar(b))
}

/// Visible ASCII, space and tab: what is safe in a header value that we send. Other bytes are
/// opaque to HTTP (RFC 9110 section 5.5), so two peers may read them differently.
pub(super) fn is_plain_value(text: &[u8]) -> bool {
    text.iter().all(|&b| matches!(b, b'\t' | b' '..=b'~'))
}

/// `1*DIGIT`; what is larger than a `u64` is the largest.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let step = |n: u64, digit: &u8| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, step))
}

/// `HTTP/1.1` as `(1, 1)`.
pub(super) fn http_version(text: &[u8]) -> Option<(u8, u8)> {
    match text.strip_prefix(b"HTTP/")? {
        [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => Some((major - b'0', minor - b'0')),
        _ => None,
    }
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), trimmed, empty ones left out.
/// A comma inside a quoted string does not separate.
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

/// The text before the first `at`, and the text after it if there is one.
pub(super) fn split_once(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match find(text, at) {
        Some(i) => (&text[..i], text.get(i + 1..)),
        None => (text, None),
    }
}

/// Where `wanted` first stands in `text`.
pub(super) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|&b| b == wanted)
}
