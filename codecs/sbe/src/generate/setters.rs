//! Setters of optional fields. They refuse the null value.

use super::Generation;
use super::fields::{by_ref, places, wire_prim};
use super::names::Scope;
use super::text::{code, string};
use crate::ir::{Field, Kind, Presence};

impl Generation<'_> {
    /// The setters of a struct without accessors, if it has any.
    pub(super) fn setters_alone(&mut self, fields: &[Field], name: &str) {
        if !fields.iter().any(|f| self.has_setter(f)) {
            return;
        }
        self.out.line(&format!("impl {name} {{"));
        let mut scope = Scope::default();
        self.setters(fields, &mut scope);
        self.exact_setters(fields, &mut scope);
        self.out.line("}");
        self.out.blank();
    }

    fn has_setter(&self, field: &Field) -> bool {
        self.set_call(field, "", "").is_some() || Self::has_exact_setter(field)
    }

    /// One setter for each optional field that has a null value, named in `scope`.
    pub(super) fn setters(&mut self, fields: &[Field], scope: &mut Scope) {
        for (field, place) in fields.iter().zip(places(fields)) {
            let what = string(&field.name);
            let Some((before, after)) = self.set_call(field, &format!("self.{place}"), &what)
            else {
                continue;
            };
            let ident = scope.beside(&format!("set {}", field.name));
            self.out.doc(&format!(
                "Sets `{}`, or none. Refuses the null value.",
                code(&field.name)
            ));
            let ty = self.owned_type(field.kind);
            self.out.line(&format!("#[inline] pub fn {ident}(&mut self, value: Option<{ty}>) -> Result<(), tw::EncodeError> {{ {before}value{after} }}"));
        }
    }

    /// The call that sets an optional field at `place`: what stands before and behind the value. `None`
    /// if the field has no null value.
    pub(super) fn set_call(
        &self,
        field: &Field,
        place: &str,
        what: &str,
    ) -> Option<(String, String)> {
        let Presence::Optional(Some(null)) = &field.presence else {
            return None;
        };
        let (test, arg) = self.null_test(field.kind, null)?;
        let is_lent = by_ref(field.kind);
        let lent = if is_lent { "&" } else { "" };
        let wire = match field.kind {
            _ if is_lent => ".copied()".to_owned(),
            Kind::Prim(p) if p.size() > 1 => format!(".map({}::new)", wire_prim(p)),
            _ => String::new(),
        };
        Some((
            format!("rt::set(&mut {place}, "),
            format!(
                ", {}, {what}, |v| rt::{test}({lent}v{arg}){wire})",
                self.default_wire(field)
            ),
        ))
    }
}

/// The conversion from the value of an accessor to the wire value.
pub(super) fn from_native(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Prim(p) if p.size() > 1 => format!("{}::new({value})", wire_prim(p)),
        Kind::Array(p, _) if p.size() > 1 => format!("{value}.map({}::new)", wire_prim(p)),
        _ => value.to_owned(),
    }
}
