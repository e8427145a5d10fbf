//! Generated code against hand-written bytes, the dynamic decoder, other versions and hostile input.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agree;
mod big;
mod counted;
mod evolution;
mod features;
mod first;
mod fixtures;
mod headers;
mod hostile;
mod names;
mod nulls;
mod text;
mod tick;
mod values;
