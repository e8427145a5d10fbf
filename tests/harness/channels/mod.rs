//! Two ends with channels, one fake clock, and between them two queues of records: a simulator
//! that drives a `ChannelSession` at either end,
//! and a dumb model of what applications published that it checks after every step.

pub mod end;
pub mod frames;
pub mod model;
pub mod open;
pub mod ops;
mod quiet;
pub mod setup;
pub mod sim;
mod told;

pub use ops::Op;
pub use sim::Sim;
