//! Null values and constants.

use super::attrs;
use super::types::{Resolved, Types};
use crate::faults::Fault;
use crate::ir::{Kind, Literal, Presence, Prim};
use crate::xml::{Attr, Elem};

/// The null value of a kind where the schema names none. Sets and arrays of numbers have none; that
/// of an enum or a composite is of its declaration.
pub(super) fn default_null(kind: Kind) -> Option<Literal> {
    match kind {
        Kind::Prim(prim) => Some(prim.null()),
        Kind::Array(Prim::Char, n) => Some(Literal::Text(vec![0; n])),
        Kind::Array(..) | Kind::Enum(_) | Kind::Set(_) | Kind::Composite(_) => None,
    }
}

/// Refuses `nullValue` where its type is no single value.
pub(super) fn refuse_null(elem: &Elem) -> Result<(), Fault> {
    match elem.attr("nullValue") {
        Some(attr) => Err(attr.pos.error(
            format!("`nullValue` on <{}> of another type", elem.name),
            "`nullValue` on a number, a character or an enum alone",
        )),
        None => Ok(()),
    }
}

/// The error for a `nullValue` that nothing would be compared to.
pub(super) fn unused_null(elem: &Elem, attr: &Attr) -> Fault {
    attr.pos.error(
        format!("`nullValue` on <{}>, which is not optional", elem.name),
        "`presence=\"optional\"` beside it",
    )
}

impl Types<'_> {
    /// `nullValue` of an element whose type is `kind`, else `inherited`.
    pub(super) fn null_value(
        &self,
        elem: &Elem,
        kind: Kind,
        inherited: Option<Literal>,
    ) -> Result<Option<Literal>, Fault> {
        let Some(attr) = elem.attr("nullValue") else {
            return Ok(inherited);
        };
        let prim = match kind {
            Kind::Prim(prim) => prim,
            Kind::Enum(i) => self.enums[i].prim,
            Kind::Array(..) | Kind::Set(_) | Kind::Composite(_) => {
                return refuse_null(elem).map(|()| None);
            }
        };
        attrs::literal(&attr.pos, "`nullValue`", &attr.value, prim).map(Some)
    }

    /// The presence of a field: its own, else that of its type.
    pub(super) fn presence(&mut self, elem: &Elem, resolved: &Resolved) -> Result<Presence, Fault> {
        let null = self.null_value(elem, resolved.kind, resolved.null.clone())?;
        let presence = match (attrs::presence(elem)?, &resolved.presence) {
            (_, Presence::Constant(_)) | (None, Presence::Required) => resolved.presence.clone(),
            (Some("required"), _) => Presence::Required,
            (None | Some("optional"), _) => Presence::Optional(null),
            _ => Presence::Constant(self.constant(elem, resolved.kind, None)?),
        };
        match elem.attr("nullValue") {
            Some(attr) if !matches!(presence, Presence::Optional(_)) => {
                Err(unused_null(elem, attr))
            }
            _ => Ok(presence),
        }
    }

    /// The value of a constant: `valueRef="Enum.Value"` or the text of the element.
    pub(super) fn constant(
        &mut self,
        elem: &Elem,
        kind: Kind,
        length: Option<usize>,
    ) -> Result<Literal, Fault> {
        if let Some(attr) = elem.attr("valueRef") {
            let (e, v) = self.value_ref(elem)?;
            let value = self.enums[e].values[v].value;
            return match kind {
                Kind::Enum(own) if own == e => Ok(Literal::EnumValue(e, v)),
                Kind::Prim(p)
                    if p.range()
                        .is_some_and(|(min, max)| (min..=max).contains(&value)) =>
                {
                    Ok(Literal::Int(value))
                }
                _ => Err(attr.pos.error(
                    format!(
                        "`valueRef=\"{}\"` does not fit the type of the field",
                        attr.value
                    ),
                    "a value of the field's own enum, or of a number that holds it",
                )),
            };
        }
        let text = match kind {
            Kind::Prim(prim) => attrs::trimmed(&elem.text, prim),
            _ => elem.text.trim(),
        };
        if text.is_empty() {
            return Err(elem.error(
                format!("constant <{}> without a value", elem.name),
                "`valueRef=\"Enum.Value\"` or the value as text",
            ));
        }
        match (kind, length) {
            (Kind::Prim(Prim::Char), None) if text.len() > 1 => {
                Ok(Literal::Text(text.as_bytes().to_vec()))
            }
            (Kind::Array(Prim::Char, n), _) if text.len() <= n => {
                Ok(Literal::Text(text.as_bytes().to_vec()))
            }
            (Kind::Prim(prim), _) => attrs::literal(&elem.pos, "the constant", text, prim),
            (Kind::Enum(e), _) => match self.enums[e].values.iter().position(|v| v.name == text) {
                Some(v) => Ok(Literal::EnumValue(e, v)),
                None => Err(elem.error(
                    format!("`{text}` is no value of its enum"),
                    "the name of a valid value",
                )),
            },
            _ => Err(elem.error(
                format!("`{text}` as a constant of this type"),
                "a number, a character, or text of at most `length` bytes",
            )),
        }
    }

    fn value_ref(&mut self, elem: &Elem) -> Result<(usize, usize), Fault> {
        let attr = attrs::required(elem, "valueRef")?;
        let wrong = |found: String, expected: &str| Err(attr.pos.error(found, expected));
        let Some((enum_name, value)) = attr.value.trim().split_once('.') else {
            return wrong(format!("`valueRef=\"{}\"`", attr.value), "`Enum.Value`");
        };
        let Kind::Enum(index) = self.resolve(enum_name, elem, "valueRef")?.kind else {
            return wrong(format!("`{enum_name}` is not an enum"), "`Enum.Value`");
        };
        match self.enums[index]
            .values
            .iter()
            .position(|v| v.name == value)
        {
            Some(v) => Ok((index, v)),
            None => {
                let names: Vec<_> = self.enums[index]
                    .values
                    .iter()
                    .map(|v| v.name.as_str())
                    .collect();
                wrong(
                    format!("enum `{enum_name}` has no value `{value}`"),
                    &format!("one of {}", names.join(", ")),
                )
            }
        }
    }
}
