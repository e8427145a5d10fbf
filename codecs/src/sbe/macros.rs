//! Impls that are the same for every generated type; generated code calls these by name.

/// `Debug` and JSON of an enum's wire value: its name, or the number where it has none.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_debug_known {
    ($raw:ident, $name:literal) => {
        impl ::core::fmt::Debug for $raw {
            #[inline]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self.known() {
                    Some(known) => ::core::fmt::Debug::fmt(&known, f),
                    None => ::core::write!(f, "{}({})", $name, self.raw()),
                }
            }
        }

        impl $crate::ToJson for $raw {
            #[inline]
            fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                let known = self.known();
                let known = known.as_ref().map(|k| k as &dyn ::core::fmt::Debug);
                $crate::sbe::known_to_json(known, &self.raw(), out)
            }
        }
    };
}

/// `Debug` of a set, and its bits as JSON: the names of its flags, and all bits as a number.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_debug_set {
    ($set:ident, $name:literal, [$($flag:ident),*]) => {
        impl ::core::fmt::Debug for $set {
            #[inline]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(f, "{}({:#x}", $name, self.bits())?;
                $(if self.contains(Self::$flag) {
                    ::core::write!(f, " {}", ::core::stringify!($flag))?;
                })*
                f.write_str(")")
            }
        }

        impl $crate::ToJson for $set {
            #[inline]
            fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                $crate::ToJson::to_json(&self.bits(), out)
            }
        }
    };
}

/// What all views of messages do the same: name their bytes and version, and are written by copying
/// the bytes they were read from.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_message_view {
    ($codec:ident, $view:ident) => {
        impl<'a> $crate::sbe::View<'a> for $view<'a> {
            #[inline]
            fn wire(&self) -> &'a [u8] {
                self.bytes
            }

            #[inline]
            fn acting_version(&self) -> u32 {
                self.version
            }
        }

        impl $crate::Encode<$codec> for $view<'_> {
            #[inline]
            fn encoded_len(&self) -> usize {
                self.bytes.len()
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) -> ::core::result::Result<usize, $crate::EncodeError> {
                $crate::encode_bytes(self.bytes, out)
            }
        }
    };
}

/// `Debug` and JSON of a view: its fields by name, as their accessors give them.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_debug_view {
    ($view:ident, $ty:ty, [$($field:ident),*]) => {
        impl $crate::sbe::Visit for $ty {
            #[inline]
            fn visit(
                &self,
                visitor: &mut $crate::sbe::Visitor<'_>,
            ) -> ::core::fmt::Result {
                visitor(&[$((::core::stringify!($field), &self.$field())),*])
            }
        }

        impl ::core::fmt::Debug for $ty {
            #[inline]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::sbe::debug(self, ::core::stringify!($view), f)
            }
        }

        impl $crate::ToJson for $ty {
            #[inline]
            fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                $crate::sbe::to_json(self, out)
            }
        }
    };
}

/// `Default` of a wire struct.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_default {
    ($name:ident, {$($field:ident: $value:expr),* $(,)?}) => {
        impl ::core::default::Default for $name {
            /// Optional fields at their null values, everything else zero.
            #[inline]
            fn default() -> Self {
                Self { $($field: $value),* }
            }
        }
    };
}

/// A builder is written behind the header of its message.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_encode_builder {
    ($codec:ident, $builder:ty, $header:ident, $schema:ident, $version:ident) => {
        impl $crate::Encode<$codec> for $builder {
            #[inline]
            fn encoded_len(&self) -> usize {
                $crate::sbe::message_len::<$header>(self)
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) -> ::core::result::Result<usize, $crate::EncodeError> {
                let stamp = $crate::sbe::Stamp {
                    block_length: $codec::BLOCK_LENGTH,
                    template_id: $codec::TEMPLATE_ID,
                    schema_id: $schema,
                    version: $version,
                };
                $crate::sbe::write_message::<$header>(out, self, stamp)
            }
        }
    };
}
