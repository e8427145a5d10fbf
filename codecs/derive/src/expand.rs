//! The implementations.

use crate::fields;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitInt, Result, Token, Type,
    ext::IdentExt, punctuated::Punctuated, spanned::Spanned,
};

/// The arguments of `#[wire(..)]`.
#[derive(Default)]
struct Options {
    id: Option<u16>,
    version: Option<u16>,
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let name = &input.ident;
    let options = options(&input.attrs)?;
    check_repr(&input.attrs, name)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a wire layout cannot be generic: its fingerprint is one number; write one struct per layout",
        ));
    }
    let named = named_fields(&input.data, name)?;
    for field in named {
        fields::check(&field.ty)?;
    }
    let names: Vec<String> = named
        .iter()
        .flat_map(|field| &field.ident)
        .map(|ident| ident.unraw().to_string())
        .collect();
    // The error for a type without `Wire` is at the type; names are those of this expansion, also if
    // the type's tokens came into a macro from outside.
    let place = |ty: &Type| Span::call_site().located_at(ty.span());
    let hashes = named.iter().map(|field| {
        let ty = &field.ty;
        quote_spanned!(place(ty)=> <#ty as ::tickwire_codecs::Wire>::FINGERPRINT)
    });
    // With `Wire`, so that the compiler reports such a type once and not again for its missing JSON.
    let members = named.iter().zip(&names).map(|(field, name)| {
        let (ident, ty) = (&field.ident, &field.ty);
        quote_spanned!(place(ty)=>
            <#ty as ::tickwire_codecs::Wire>::member(&self.#ident, #name, &mut object)?;
        )
    });
    let codec = codec(name, &options);
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire_codecs::Wire for #name {
            const FINGERPRINT: u64 =
                ::tickwire_codecs::layout_fingerprint(&[#((#names, #hashes)),*]);
        }

        #[automatically_derived]
        impl ::tickwire_codecs::ToJson for #name {
            fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                let mut object = ::tickwire_codecs::json::Object::begin(out)?;
                #(#members)*
                object.end()
            }
        }

        #codec
    })
}

/// The named fields of a struct.
fn named_fields<'a>(data: &'a Data, name: &Ident) -> Result<&'a Punctuated<Field, Token![,]>> {
    let refused = match data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) if !named.named.is_empty() => return Ok(&named.named),
            _ => "a wire layout needs named fields: the names are part of its fingerprint",
        },
        Data::Enum(_) => {
            "an enum is not a wire layout, because not every byte is one of its values: use a field \
             of type tickwire_codecs::Code<E> and implement tickwire_codecs::Known for the enum"
        }
        Data::Union(_) => "a union is not a wire layout: use a struct",
    };
    Err(Error::new(name.span(), refused))
}

fn codec(name: &Ident, options: &Options) -> TokenStream {
    let Some(id) = options.id else {
        return TokenStream::new();
    };
    let version = options.version.unwrap_or(0);
    quote! {
        #[automatically_derived]
        impl ::tickwire_codecs::Codec for #name {
            const ID: ::tickwire_codecs::WireId =
                ::tickwire_codecs::WireId::new(::tickwire_codecs::family::WIRE, #id);
            const VERSION: u16 = #version;
            type View<'a> = &'a Self;

            #[inline]
            fn view<'a>(
                bytes: &'a [u8],
                limits: &::tickwire_codecs::Limits,
            ) -> ::core::result::Result<&'a Self, ::tickwire_codecs::DecodeError> {
                limits.check_msg(bytes.len())?;
                ::tickwire_codecs::slice::whole(bytes)
            }
        }

        #[automatically_derived]
        impl ::tickwire_codecs::Encode<#name> for #name {
            #[inline]
            fn encoded_len(&self) -> usize {
                ::core::mem::size_of::<Self>()
            }

            #[inline]
            fn encode(
                &self,
                out: &mut [u8],
            ) -> ::core::result::Result<usize, ::tickwire_codecs::EncodeError> {
                ::tickwire_codecs::encode_bytes(
                    ::tickwire_codecs::zerocopy::IntoBytes::as_bytes(self),
                    out,
                )
            }
        }
    }
}

fn options(attrs: &[Attribute]) -> Result<Options> {
    let mut options = Options::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("wire")) {
        attr.parse_nested_meta(|meta| {
            let slot = if meta.path.is_ident("id") {
                &mut options.id
            } else if meta.path.is_ident("version") {
                &mut options.version
            } else {
                return Err(meta.error("`wire` takes `id = <u16>` and `version = <u16>`"));
            };
            if slot.is_some() {
                return Err(meta.error("given twice"));
            }
            let number: LitInt = meta.value()?.parse()?;
            let value = number
                .base10_parse()
                .map_err(|_| Error::new(number.span(), "`id` and `version` are u16: 0 to 65535"))?;
            *slot = Some(value);
            Ok(())
        })?;
        if options.version.is_some() && options.id.is_none() {
            return Err(Error::new(
                attr.span(),
                "`version` belongs to a message: add `id = <u16>`, or leave `version` out of a part",
            ));
        }
    }
    Ok(options)
}

fn check_repr(attrs: &[Attribute], name: &Ident) -> Result<()> {
    let mut is_c = false;
    let mut packed: Option<Span> = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        attr.parse_nested_meta(|meta| {
            is_c |= meta.path.is_ident("C");
            if meta.path.is_ident("packed") {
                packed = Some(meta.path.span());
            }
            if meta.path.is_ident("align") {
                return Err(meta.error(
                    "a wire layout has alignment 1, so that it can lie at any offset: remove `align`",
                ));
            }
            // The width in packed(2).
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<LitInt>()?;
            }
            Ok(())
        })?;
    }
    if let Some(span) = packed {
        return Err(Error::new(
            span,
            "remove `packed`: with fields of tickwire_codecs::le and ::be nothing needs packing, and \
             fields can be borrowed",
        ));
    }
    if !is_c {
        return Err(Error::new(
            name.span(),
            "a wire layout needs a fixed order of fields: add #[repr(C)]",
        ));
    }
    Ok(())
}
