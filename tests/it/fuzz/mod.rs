//! The fuzz targets without a fuzzer: their committed seeds replayed, and their bodies with
//! bytes of a random generator. A test belongs here if the body of a fuzz target checks the result.

mod random_inputs;
mod seeds;
