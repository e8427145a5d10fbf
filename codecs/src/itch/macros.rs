//! A macro that generates the structs, the enum of views and the dispatch by type from one table.

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $len:literal {
        $($(#[$fdoc:meta])* $field:ident: $type:ty,)*
    })+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, PartialEq, Eq, Debug,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout,
                zerocopy::Immutable, zerocopy::Unaligned,
            )]
            #[repr(C)]
            pub struct $name {
                /// Type, security, tracking number, time.
                pub head: Head,
                $($(#[$fdoc])* pub $field: $type,)*
            }

            // The length of the message in the specification.
            const _: () = assert!(size_of::<$name>() == $len);

            impl $name {
                /// The type's byte on the wire.
                pub const KIND: u8 = $kind;
            }

            impl Encode<Itch50> for $name {
                #[inline]
                fn encoded_len(&self) -> usize {
                    size_of::<Self>()
                }

                #[inline]
                fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
                    let len = encode_bytes(zerocopy::IntoBytes::as_bytes(self), out)?;
                    if let Some(kind) = out.first_mut() {
                        *kind = Self::KIND;
                    }
                    Ok(len)
                }
            }

            impl ToJson for $name {
                fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                    let mut object = Object::begin(out)?;
                    object.field("type", stringify!($name))?;
                    self.head.members(&mut object)?;
                    $(object.field(stringify!($field), &self.$field)?;)*
                    object.end()
                }
            }
        )+

        /// One checked message: its length is the length of its type.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Message<'a> {
            $($(#[$doc])* $name(&'a $name),)+
        }

        impl<'a> Message<'a> {
            /// The fields of every message.
            #[inline]
            #[must_use]
            pub fn head(&self) -> &'a Head {
                match self { $(Self::$name(message) => &message.head,)+ }
            }

            /// The bytes of the message in memory. In a struct that a program built, the type is that of its
            /// head: 0 after [`Head::new`]. Encoding writes the type of the message.
            #[must_use]
            pub fn bytes(&self) -> &'a [u8] {
                match self { $(Self::$name(message) => zerocopy::IntoBytes::as_bytes(*message),)+ }
            }
        }

        /// The length of messages of the type `kind`, in bytes; `None` if there is no such type.
        #[inline]
        #[must_use]
        pub const fn message_len(kind: u8) -> Option<usize> {
            match kind {
                $($kind => Some($len),)+
                _ => None,
            }
        }

        /// The bytes of all types, in the order of the specification.
        pub const KINDS: [u8; 23] = [$($kind),+];

        impl Codec for Itch50 {
            const ID: WireId = WireId::new(family::ITCH, 0x0500);
            const VERSION: u16 = 0x0500;
            type View<'a> = Message<'a>;

            #[inline]
            fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Message<'a>, DecodeError> {
                limits.check_msg(bytes.len())?;
                match bytes.first() {
                    $(Some(&$kind) => slice::whole(bytes).map(Message::$name),)+
                    Some(&kind) => Err(DecodeError::wrong(0, "ITCH message type", kind.into())),
                    None => Err(DecodeError::short(0, 1, 0)),
                }
            }
        }

        impl Encode<Itch50> for Message<'_> {
            #[inline]
            fn encoded_len(&self) -> usize {
                match self { $(Self::$name(message) => message.encoded_len(),)+ }
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
                match self { $(Self::$name(message) => message.encode(out),)+ }
            }
        }

        impl ToJson for Message<'_> {
            fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                match self { $(Self::$name(message) => message.to_json(out),)+ }
            }
        }
    };
}
