//! The memory limit of the elements of a decoded collection.

use crate::Limits;

/// The limit is a type parameter of the engines, so there are four steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// 64 KiB.
    K64,
    /// 1 MiB.
    M1,
    /// 16 MiB.
    M16,
    /// 64 MiB.
    M64,
}

impl Budget {
    /// In-memory values are wider than wire values: padding, varints, headers of String and Vec.
    const WIDER: u64 = 4;

    pub(super) const fn of(limits: &Limits) -> Self {
        let bytes = limits.max_msg as u64 * Self::WIDER;
        if bytes <= Self::K64.bytes() {
            Self::K64
        } else if bytes <= Self::M1.bytes() {
            Self::M1
        } else if bytes <= Self::M16.bytes() {
            Self::M16
        } else {
            Self::M64
        }
    }

    pub(super) const fn bytes(self) -> u64 {
        match self {
            Self::K64 => 64 << 10,
            Self::M1 => 1 << 20,
            Self::M16 => 16 << 20,
            Self::M64 => 64 << 20,
        }
    }
}
