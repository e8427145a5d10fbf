//! Attributes and their errors: position, fault and expectation.

use crate::faults::Fault;
use crate::ir::{Literal, Prim, TimeUnit};
use crate::xml::{Attr, Elem, Pos};

/// Elements of a fixed array; more is a mistake in the schema, and sizes stay far from overflow.
pub(super) const ARRAY_LENGTH_MAX: usize = 1 << 16;

/// Letters at the start of a unit of time that tell it from the others.
const UNIT_LETTERS: usize = 4;

pub(super) fn required<'e>(elem: &'e Elem, name: &str) -> Result<&'e Attr, Fault> {
    elem.attr(name)
        .filter(|a| !a.value.trim().is_empty())
        .ok_or_else(|| {
            elem.error(
                format!("<{}> has no attribute `{name}`", elem.name),
                format!("`{name}=\"...\"`"),
            )
        })
}

pub(super) fn text(elem: &Elem, name: &str) -> String {
    elem.attr(name)
        .map(|a| a.value.split_whitespace().collect::<Vec<_>>().join(" "))
        .unwrap_or_default()
}

/// A non-negative number of at most `max`, or `None` if the attribute is absent.
pub(super) fn number(elem: &Elem, name: &str, max: u64) -> Result<Option<u64>, Fault> {
    let Some(attr) = elem.attr(name) else {
        return Ok(None);
    };
    match attr.value.trim().parse::<u64>() {
        Ok(n) if n <= max => Ok(Some(n)),
        _ => Err(attr.pos.error(
            format!("`{name}=\"{}\"` on <{}>", attr.value, elem.name),
            format!("a whole number from 0 to {max}"),
        )),
    }
}

pub(super) fn size(elem: &Elem, name: &str) -> Result<Option<usize>, Fault> {
    Ok(number(elem, name, ARRAY_LENGTH_MAX as u64)?.and_then(|n| usize::try_from(n).ok()))
}

pub(super) fn id(elem: &Elem, name: &str) -> Result<Option<u32>, Fault> {
    Ok(number(elem, name, u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok()))
}

pub(super) fn required_id(elem: &Elem) -> Result<u32, Fault> {
    required(elem, "id")?;
    Ok(id(elem, "id")?.unwrap_or_default())
}

/// `sinceVersion`, 0 where absent; not above the schema's own version.
pub(super) fn since(elem: &Elem, schema_version: u32) -> Result<u32, Fault> {
    let since = id(elem, "sinceVersion")?.unwrap_or(0);
    match elem.attr("sinceVersion") {
        Some(attr) if since > schema_version => Err(attr.pos.error(
            format!("`sinceVersion=\"{since}\"` on <{}>", elem.name),
            format!("at most the schema's version, {schema_version}"),
        )),
        _ => Ok(since),
    }
}

/// A number or character of type `prim`.
pub(super) fn literal(pos: &Pos, what: &str, raw: &str, prim: Prim) -> Result<Literal, Fault> {
    let value = trimmed(raw, prim);
    let wrong = |expected: String| Err(pos.error(format!("{what} is `{value}`"), expected));
    match (prim, prim.range()) {
        (Prim::Char, _) => match value.as_bytes() {
            [one] => Ok(Literal::Int(i128::from(*one))),
            _ => wrong("one ASCII character".into()),
        },
        (_, Some((min, max))) => match value.parse::<i128>() {
            Ok(n) if (min..=max).contains(&n) => Ok(Literal::Int(n)),
            _ => wrong(format!(
                "a whole number from {min} to {max} ({})",
                prim.name()
            )),
        },
        (_, None) => {
            // As precise as the wire: what is read from there is compared to it.
            let (number, max) = match prim {
                Prim::Float => (
                    value.parse::<f32>().map(f64::from),
                    format!("{:e}", f32::MAX),
                ),
                _ => (value.parse::<f64>(), format!("{:e}", f64::MAX)),
            };
            // `inf` and `NaN` are spelled out; a number that has digits is finite.
            let has_digits = value.bytes().any(|b| b.is_ascii_digit());
            match number {
                Ok(n) if n.is_finite() || !has_digits => Ok(Literal::Float(n)),
                _ => wrong(format!("a number of at most {max} ({})", prim.name())),
            }
        }
    }
}

/// Without the white space around it; but a space alone is a character.
pub(super) fn trimmed(raw: &str, prim: Prim) -> &str {
    if prim == Prim::Char && raw == " " {
        raw
    } else {
        raw.trim()
    }
}

/// `presence`, checked for spelling.
pub(super) fn presence(elem: &Elem) -> Result<Option<&str>, Fault> {
    let Some(attr) = elem.attr("presence") else {
        return Ok(None);
    };
    match attr.value.trim() {
        p @ ("required" | "optional" | "constant") => Ok(Some(p)),
        other => Err(attr.pos.error(
            format!("`presence=\"{other}\"` on <{}>", elem.name),
            "`required`, `optional` or `constant`",
        )),
    }
}

/// `timeUnit`, or its word where that is for none of the standard's units. Public schemas misspell them
/// behind their first letters, as in `nanossecond` and `milliseconds`.
pub(super) fn time_unit(elem: &Elem) -> Option<(&Attr, Result<TimeUnit, &str>)> {
    let attr = elem.attr("timeUnit")?;
    let word = attr.value.trim();
    let starts = |unit: &TimeUnit| {
        let first = unit.name().get(..UNIT_LETTERS).unwrap_or_default();
        let head = word.get(..UNIT_LETTERS).unwrap_or_default();
        head.eq_ignore_ascii_case(first)
    };
    Some((attr, TimeUnit::ALL.into_iter().find(starts).ok_or(word)))
}
