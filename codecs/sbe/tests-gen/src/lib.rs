//! Modules generated from the schemas of `codecs/sbe`, for its tests and benchmarks.
#![forbid(unsafe_code)]

/// Every feature of SBE that schemas in use have, at version 3.
pub mod features {
    include!(concat!(env!("OUT_DIR"), "/features.rs"));
}

/// The same schema two versions earlier.
pub mod features_v1 {
    include!(concat!(env!("OUT_DIR"), "/features_v1.rs"));
}

/// Big-endian, with a header and dimensions of unusual widths.
pub mod big {
    include!(concat!(env!("OUT_DIR"), "/big.rs"));
}

/// The market data schema of this project.
pub mod tick {
    include!(concat!(env!("OUT_DIR"), "/tick.rs"));
}
