//! What the tests and the fuzz targets of tickwire share: a naive model of RFC 6455, a builder
//! of right and wrong frames, a faulty wire, and drivers that write down what happens.

pub mod channels;
pub mod corpus;
pub mod drive;
pub mod event;
pub mod frames;
pub mod frames_mux;
pub mod fuzz;
pub mod fuzz_mux;
pub mod oracle;
pub mod outbox;
pub mod rng;
pub mod streams;
pub mod wire;
