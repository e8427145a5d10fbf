//! Generated code against hand-written bytes, the dynamic decoder, other versions and hostile input.

mod agree;
mod big;
mod evolution;
mod features;
mod fixtures;
mod hostile;
mod tick;
