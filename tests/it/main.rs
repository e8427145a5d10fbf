//! Tests of tickwire through its public surface, in one binary, filed by subject: `ws`, `mux`,
//! `reactor` and `tasks` test the layers, `protocol` tests `docs/protocol.md` and its vectors, `fuzz` replays what the fuzz targets know, `architecture`
//! and `security` check the repository itself.

mod architecture;
mod fuzz;
mod mux;
mod protocol;
mod reactor;
mod security;
mod tasks;
mod ws;
