//! One binary for all formats. Cargo's dev-dependency of the crate on itself turns every format on.
#![cfg(test)]

mod bignums;
#[expect(clippy::mem_forget, reason = "wincode's derive forgets its own guards")]
mod bincode;
mod common;
mod documents;
mod edges;
mod envelopes;
mod independent;
mod instants;
mod itch;
mod model;
mod mqtt;
mod offer;
mod protobuf;
mod recorded;
mod stream;
mod strings;
mod telemetry;
mod unix_time;
mod values;
mod wire;
