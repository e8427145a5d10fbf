//! Generated code against hand-written bytes, the dynamic decoder, other versions and hostile input.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agree;
mod big;
mod evolution;
mod features;
mod fixtures;
mod hostile;
mod nulls;
mod tick;
