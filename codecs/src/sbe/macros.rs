//! Macros for the impls of generated types.

/// `Debug` and JSON of the wire value of an enum: its name, or its number if it has no name.
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

/// `Debug` of a set: the names of its flags and all bits as a number. JSON of a set: the bits.
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

/// The functions of `ViewFirst` as inherent functions, so that users need not import the trait.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_first {
    ($codec:ident, $view:ident) => {
        impl $codec {
            /// Views the message at the front of `bytes`, and gives the bytes behind it: padding, or
            /// the next message. `Codec::view` refuses them. See `tickwire_codecs::sbe::ViewFirst`.
            ///
            /// # Errors
            /// Those of `Codec::view` but `DecodeError::Trailing`.
            #[inline]
            pub fn view_first<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> ::core::result::Result<($view<'a>, &'a [u8]), $crate::DecodeError> {
                <Self as $crate::sbe::ViewFirst>::view_first(bytes, limits)
            }

            /// Views the messages that stand one behind the other in `bytes`: see
            /// `tickwire_codecs::sbe::Messages`.
            #[inline]
            pub const fn views<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> $crate::sbe::Messages<'a, Self> {
                $crate::sbe::Messages::new(bytes, limits)
            }
        }
    };
}

/// The type of a message and the impls of its codec and view. Encoding a view copies its bytes.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_message {
    (
        $(#[$doc:meta])*
        $codec:ident($view:ident, $header:ident) = $id:literal,
        [$block:literal, $groups:literal, $data:literal], $schema:ident, $version:ident, $wire_id:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $codec;

        impl $codec {
            /// The template id.
            pub const TEMPLATE_ID: u32 = $id;
            /// The length of the root block in this version of the schema, in bytes.
            pub const BLOCK_LENGTH: u32 = $block;
        }

        impl $crate::sbe::Template for $codec {
            type Header = $header;
            const STAMP: $crate::sbe::Stamp = $crate::sbe::Stamp {
                shape: $crate::sbe::Shape::new($block, $groups, $data),
                template_id: $id,
                schema_id: $schema,
                version: $version,
            };
        }

        impl $crate::sbe::ViewFirst for $codec {
            const SCHEMA_ID: u32 = $schema;
            const HEADER_BYTES: usize = ::core::mem::size_of::<$header>();

            #[inline]
            fn view_first<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> ::core::result::Result<($view<'a>, &'a [u8]), $crate::DecodeError> {
                $crate::sbe::first::<$codec, $view<'a>>(bytes, limits)
            }
        }

        impl $crate::Codec for $codec {
            const ID: $crate::WireId = $wire_id;
            const VERSION: u16 = $version as u16;
            type View<'a> = $view<'a>;

            #[inline]
            fn view<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> ::core::result::Result<$view<'a>, $crate::DecodeError> {
                limits.check_msg(bytes.len())?;
                let (view, behind) = $crate::sbe::first::<$codec, $view<'a>>(bytes, limits)?;
                $crate::sbe::close(view.bytes.len(), behind, view.version, $version)?;
                ::core::result::Result::Ok($view { bytes, ..view })
            }
        }

        $crate::__sbe_first!($codec, $view);

        impl<'a> $crate::sbe::View<'a> for $view<'a> {
            type Header = $header;

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

/// All messages of a schema: the enum of their views, and the codec that chooses the view by the header.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_any_message {
    (
        $codec:ident, $message:ident, $header:ident, $schema:ident, $version:ident, $wire_id:ident,
        [$($marker:ident($view:ident),)*]
    ) => {
        /// Any message of this schema, and those it does not know: skip and count them, see
        /// `tickwire_codecs::sbe::Tally`.
        #[derive(Clone, Copy, Debug)]
        pub enum $message<'a> {
            $(
                #[doc = ::core::concat!("[`", ::core::stringify!($marker), "`].")]
                $marker($view<'a>),
            )*
            /// A message of an unknown template or another schema.
            Unknown($crate::sbe::Unknown<'a>),
        }

        impl<'a> $message<'a> {
            /// The whole message with its header.
            #[inline]
            pub fn wire(&self) -> &'a [u8] {
                match self {
                    $(Self::$marker(view) => view.bytes,)*
                    Self::Unknown(unknown) => unknown.bytes,
                }
            }

            /// The message header.
            #[inline]
            pub fn header(&self) -> $header {
                $crate::sbe::View::header(self)
            }

            /// The template id.
            #[inline]
            pub fn template_id(&self) -> u32 {
                $crate::sbe::Header::template_id(&self.header())
            }
        }

        impl<'a> $crate::sbe::View<'a> for $message<'a> {
            type Header = $header;

            #[inline]
            fn wire(&self) -> &'a [u8] {
                $message::wire(self)
            }

            #[inline]
            fn acting_version(&self) -> u32 {
                match self {
                    $(Self::$marker(view) => view.version,)*
                    Self::Unknown(unknown) => unknown.version,
                }
            }
        }

        impl $crate::ToJson for $message<'_> {
            fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                let known: ::core::option::Option<(&str, &dyn $crate::sbe::Show)> = match self {
                    $(Self::$marker(view) => {
                        ::core::option::Option::Some((::core::stringify!($marker), view))
                    })*
                    Self::Unknown(_) => ::core::option::Option::None,
                };
                $crate::sbe::message_to_json(self.template_id(), known, out)
            }
        }

        /// The codec of every message of this schema. Other messages give
        #[doc = ::core::concat!("[`", ::core::stringify!($message), "::Unknown`], not an error.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $codec;

        impl $codec {
            /// The message by its header alone.
            #[inline]
            fn unknown(
                bytes: &[u8],
            ) -> ::core::result::Result<$crate::sbe::Unknown<'_>, $crate::DecodeError> {
                let header = $crate::sbe::peek::<$header>(bytes)?;
                ::core::result::Result::Ok($crate::sbe::Unknown {
                    template_id: $crate::sbe::Header::template_id(header),
                    schema_id: $crate::sbe::Header::schema_id(header),
                    version: $crate::sbe::Header::version(header),
                    bytes,
                })
            }
        }

        impl $crate::Codec for $codec {
            const ID: $crate::WireId = $wire_id;
            const VERSION: u16 = $version as u16;
            type View<'a> = $message<'a>;

            fn view<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> ::core::result::Result<$message<'a>, $crate::DecodeError> {
                limits.check_msg(bytes.len())?;
                let unknown = Self::unknown(bytes)?;
                ::core::result::Result::Ok(match unknown.template_id {
                    _ if unknown.schema_id != $schema => $message::Unknown(unknown),
                    $($marker::TEMPLATE_ID => {
                        $message::$marker(<$marker as $crate::Codec>::view(bytes, limits)?)
                    })*
                    _ => $message::Unknown(unknown),
                })
            }
        }

        impl $crate::sbe::ViewFirst for $codec {
            const SCHEMA_ID: u32 = $schema;
            const HEADER_BYTES: usize = ::core::mem::size_of::<$header>();

            fn view_first<'a>(
                bytes: &'a [u8],
                limits: &$crate::Limits,
            ) -> ::core::result::Result<($message<'a>, &'a [u8]), $crate::DecodeError> {
                let unknown = Self::unknown(bytes)?;
                ::core::result::Result::Ok(match unknown.template_id {
                    _ if unknown.schema_id != $schema => ($message::Unknown(unknown), &[]),
                    $($marker::TEMPLATE_ID => {
                        let (view, behind) = $marker::view_first(bytes, limits)?;
                        ($message::$marker(view), behind)
                    })*
                    _ => ($message::Unknown(unknown), &[]),
                })
            }
        }

        $crate::__sbe_first!($codec, $message);
    };
}

/// `Debug` and JSON of a view: the names of its fields and the values of their accessors.
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
            /// Optional fields have their null values, all other fields are zero.
            #[inline]
            fn default() -> Self {
                Self { $($field: $value),* }
            }
        }
    };
}

/// The length and the encoding of a builder of a message or of a group entry. The parts use the names `$this`
/// and `$writer`.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_put {
    ($builder:ty, $this:ident, $len:expr, $writer:ident, {$($put:expr;)*}) => {
        impl $crate::sbe::Put for $builder {
            #[inline]
            fn wire_len(&self) -> usize {
                let $this = self;
                $len
            }

            #[inline]
            fn put(
                &self,
                $writer: &mut $crate::sbe::Writer<'_>,
            ) -> ::core::result::Result<(), $crate::EncodeError> {
                let $this = self;
                $($put?;)*
                ::core::result::Result::Ok(())
            }
        }
    };
}

/// A message is encoded behind its header. If the header has additional members, the builder has a field for
/// them.
#[doc(hidden)]
#[macro_export]
macro_rules! __sbe_encode_builder {
    ($codec:ident, $builder:ty $(, $header:ident)?) => {
        impl $crate::Encode<$codec> for $builder {
            #[inline]
            fn encoded_len(&self) -> usize {
                $crate::sbe::message_len::<$codec>(self)
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) -> ::core::result::Result<usize, $crate::EncodeError> {
                let own = ();
                $(let own = self.$header;)?
                $crate::sbe::write_message::<$codec>(out, self, &own)
            }
        }
    };
}
