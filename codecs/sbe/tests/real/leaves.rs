//! Leaves of a message in wire order, as text, from the `Debug` of generated views and from the
//! values of the dynamic decoder: equal lists mean that both read the same.

use tickwire_sbe::dynamic::Value;

/// Leaves of `{:?}`: names of fields, structs and `Some` go, what they hold stays.
pub(crate) fn of_debug(text: &str) -> Vec<String> {
    let mut leaves = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = closing_quote(rest);
            leaves.push(unescape(&rest[1..end]));
            rest = &rest[end + 1..];
        } else if c.is_alphanumeric() || matches!(c, '_' | '-' | '#') {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '#' | '+')))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let is_name = after.starts_with(": ") || after.starts_with(" {") || after.starts_with('(')
                // A view without any field.
                || word.ends_with("View");
            if !is_name {
                leaves.push(normal(word));
            }
            rest = after;
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    leaves
}

/// Leaves of a dynamic value, in the same spelling.
pub(crate) fn of_value(value: &Value) -> Vec<String> {
    let mut leaves = Vec::new();
    collect(value, &mut leaves);
    leaves
}

fn collect(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Null => leaves.push("none".into()),
        Value::Int(n) | Value::Enum(None, n) => leaves.push(n.to_string()),
        Value::Char(byte) => leaves.push(byte.to_string()),
        Value::Float(n) => leaves.push(float(*n)),
        Value::Text(text) => leaves.push(text.clone()),
        // As `unescape` reads the escapes of the view.
        Value::NotUtf8(bytes) => leaves.push(bytes.iter().map(|b| char::from(*b)).collect()),
        Value::Bytes(bytes) => leaves.extend(bytes.iter().map(u8::to_string)),
        Value::Enum(Some(name), _) => leaves.push(normal(name)),
        Value::Set(names, bits) => {
            leaves.push(bits.to_string());
            leaves.extend(names.iter().map(|n| normal(n)));
        }
        Value::Group(_, values) | Value::List(values) => {
            values.iter().for_each(|v| collect(v, leaves))
        }
        Value::Record(fields) => fields.iter().for_each(|(_, v)| collect(v, leaves)),
        Value::Decimal(_, value) | Value::Time(_, value) => collect(value, leaves),
    }
}

/// Numbers by value, names without case and underscores.
fn normal(word: &str) -> String {
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).map_or_else(|_| word.to_owned(), |n| n.to_string());
    }
    if word.parse::<i128>().is_ok() {
        return word.to_owned();
    }
    // `Self` cannot be a variant, so the generator numbers it.
    if word == "Self2" {
        return "self".into();
    }
    match word.parse::<f64>() {
        Ok(n) => float(n),
        Err(_) => word
            .chars()
            .filter(|c| *c != '_')
            .flat_map(char::to_lowercase)
            .collect(),
    }
}

/// As `float` holds it: a `double` printed by `Debug` and read again loses nothing by this.
fn float(n: f64) -> String {
    format!("{:?}", n as f32)
}

fn closing_quote(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// What `Debug` of text writes, read back; `\xff` of raw characters becomes that byte's number.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&hex, 16).map_or('?', char::from));
            }
            Some('u') => {
                let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                out.push(
                    u32::from_str_radix(&hex, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .unwrap_or('?'),
                );
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
