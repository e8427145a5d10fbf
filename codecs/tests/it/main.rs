//! One binary for all formats. Cargo's dev-dependency of the crate on itself turns every format on.

mod bincode;
mod common;
mod documents;
mod envelopes;
mod independent;
mod itch;
mod offer;
mod recorded;
mod stream;
mod telemetry;
mod values;
mod wire;
