//! 48-bit unsigned integers: nanoseconds since midnight in ITCH, room for 78 hours.

use crate::ToJson;
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

macro_rules! u48 {
    ($name:ident, $order:literal, $from:ident, $to:ident, $low:literal) => {
        #[doc = concat!("An unsigned 48-bit integer, ", $order, ".")]
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
            Unaligned,
        )]
        #[repr(transparent)]
        pub struct $name([u8; 6]);

        impl $name {
            /// Largest value.
            pub const MAX: u64 = (1 << 48) - 1;

            /// `None` above [`MAX`](Self::MAX).
            #[must_use]
            pub const fn new(value: u64) -> Option<Self> {
                if value > Self::MAX {
                    return None;
                }
                let bytes = value.$to();
                let mut kept = [0; 6];
                let mut index = 0;
                while index < 6 {
                    kept[index] = bytes[$low + index];
                    index += 1;
                }
                Some(Self(kept))
            }

            /// The value.
            #[inline]
            #[must_use]
            pub const fn value(self) -> u64 {
                let [a, b, c, d, e, f] = self.0;
                u48!(@value $from a b c d e f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.value().fmt(f)
            }
        }

        impl ToJson for $name {
            fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                self.value().to_json(out)
            }
        }
    };
    (@value from_be_bytes $($b:ident)*) => { u64::from_be_bytes([0, 0, $($b),*]) };
    (@value from_le_bytes $($b:ident)*) => { u64::from_le_bytes([$($b),*, 0, 0]) };
}

u48!(
    U48Be,
    "most significant byte first",
    from_be_bytes,
    to_be_bytes,
    2
);
u48!(
    U48Le,
    "least significant byte first",
    from_le_bytes,
    to_le_bytes,
    0
);
