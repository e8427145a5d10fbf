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

/// Headers and dimensions that count groups and data; big-endian.
pub mod counted {
    include!(concat!(env!("OUT_DIR"), "/counted.rs"));
}

/// Headers and dimensions with members of every kind.
pub mod headers {
    include!(concat!(env!("OUT_DIR"), "/headers.rs"));
}

/// Names that generated code and its runtime have too.
pub mod names {
    include!(concat!(env!("OUT_DIR"), "/names.rs"));
}

/// Two messages of a few bytes.
pub mod padded {
    include!(concat!(env!("OUT_DIR"), "/padded.rs"));
}

/// Decimals and instants in every shape.
pub mod values {
    include!(concat!(env!("OUT_DIR"), "/values.rs"));
}

/// The market data schema of this project.
pub mod tick {
    include!(concat!(env!("OUT_DIR"), "/tick.rs"));
}
