//! Field types with their own error, which suggests a type.

use syn::{Error, Result, Type, spanned::Spanned};

/// Refuses common types that cannot be part of a fixed layout. The compiler refuses all other types, because
/// they do not implement `Wire`.
pub(crate) fn check(ty: &Type) -> Result<()> {
    let path = match ty {
        Type::Path(path) => &path.path,
        Type::Array(array) => return check(&array.elem),
        Type::Reference(_) | Type::Slice(_) | Type::Ptr(_) => {
            return Err(Error::new(
                ty.span(),
                "a fixed layout holds its bytes itself: use an array or tickwire_codecs::Chars<N>; for \
                 variable length use a schema (SBE), MessagePack or CBOR",
            ));
        }
        _ => return Ok(()),
    };
    let Some(last) = path.segments.last() else {
        return Ok(());
    };
    // `le::U32` and the like are capitalised; a bare lower-case name is the built-in type.
    let name = last.ident.to_string();
    let message = match name.as_str() {
        "u16" | "u32" | "u64" | "i16" | "i32" | "i64" | "f32" | "f64" => {
            let wire = name.to_uppercase();
            format!(
                "`{name}` has the machine's byte order and alignment: write \
                 tickwire_codecs::le::{wire} (or be::{wire})"
            )
        }
        "u128" | "i128" => {
            format!("`{name}` has the machine's byte order and alignment: write [u8; 16]")
        }
        "usize" | "isize" => {
            format!("the size of `{name}` depends on the machine: write tickwire_codecs::le::U64")
        }
        "bool" | "char" => format!(
            "not every bit pattern is a `{name}`: write u8, or tickwire_codecs::Code<E> of an enum"
        ),
        "String" | "Vec" | "Option" | "Box" => format!(
            "`{name}` has no fixed layout: use an array, tickwire_codecs::Chars<N> or a value that \
             means none; for variable length use a schema (SBE), MessagePack or CBOR"
        ),
        _ => return Ok(()),
    };
    Err(Error::new(ty.span(), message))
}
