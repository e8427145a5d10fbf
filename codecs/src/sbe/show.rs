//! `Debug` and JSON of generated types, from one list of their fields.

use core::fmt::{self, Write};

use super::group::{Entry, Group, Rows};
use super::wire::Wire;
use crate::ToJson;
use crate::json::{self, Object};

/// A value with `Debug` and JSON.
#[doc(hidden)]
pub trait Show: fmt::Debug + ToJson {}

impl<T: fmt::Debug + ToJson + ?Sized> Show for T {}

/// The receiver of the names and values of a [`Visit`].
#[doc(hidden)]
pub type Visitor<'v> = dyn FnMut(&[(&str, &dyn Show)]) -> fmt::Result + 'v;

/// A generated type with a list of its fields. The output omits the `r#` of a raw identifier.
#[doc(hidden)]
pub trait Visit {
    /// Calls `visitor` once with all names and values.
    fn visit(&self, visitor: &mut Visitor<'_>) -> fmt::Result;
}

fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// `Debug` of a generated type.
#[doc(hidden)]
pub fn debug(value: &dyn Visit, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    value.visit(&mut |fields| {
        let mut debug = f.debug_struct(name);
        for (field, value) in fields {
            debug.field(plain(field), value);
        }
        debug.finish()
    })
}

/// JSON of a generated type.
#[doc(hidden)]
pub fn to_json(value: &dyn Visit, out: &mut dyn Write) -> fmt::Result {
    value.visit(&mut |fields| {
        let mut object = Object::begin(out)?;
        for (field, value) in fields {
            value.to_json(object.member(plain(field))?)?;
        }
        object.end()
    })
}

/// JSON of a message: `{"template":1,"name":"Car","fields":{...}}`; without fields if the template is
/// unknown.
#[doc(hidden)]
pub fn message_to_json(
    template_id: u32,
    known: Option<(&str, &dyn Show)>,
    out: &mut dyn Write,
) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("template", &template_id)?;
    if let Some((name, fields)) = known {
        object.field("name", name)?;
        fields.to_json(object.member("fields")?)?;
    }
    object.end()
}

/// A value of an enum by name, or its number.
#[doc(hidden)]
pub fn known_to_json(
    known: Option<&dyn fmt::Debug>,
    raw: &dyn ToJson,
    out: &mut dyn Write,
) -> fmt::Result {
    match known {
        Some(name) => write!(out, "\"{name:?}\""),
        None => raw.to_json(out),
    }
}

impl<E: Wire + ToJson, D> ToJson for Rows<'_, E, D> {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        json::array(out, self.iter())
    }
}

impl<'a, V: Entry<'a> + ToJson, D> ToJson for Group<'a, V, D> {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        json::array(out, self.iter())
    }
}
