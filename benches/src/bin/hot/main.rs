//! The hot paths, each alone, for an instruction counter.
//!
//! ```text
//! hot list                 what is counted, and in what unit
//! hot PATH COUNT           walks PATH for COUNT units (rounded down to whole batches)
//! ```
//!
//! Two runs with different counts give the cost of a unit: their difference in instructions over
//! their difference in units, so that start-up cancels. `tests/instructions.py` does that for every
//! path and compares with `benches/instructions.toml`.

mod codecs;
mod drivers;
mod mux;
mod session;

use std::process::ExitCode;

/// Messages of one read, write or record.
const BATCH: usize = 64;
/// Payload bytes of a message, where the path does not say another size.
const PAYLOAD: usize = 32;

/// One path.
struct Path {
    name: &'static str,
    /// What one unit is.
    what: &'static str,
    /// Walks so many batches of [`BATCH`] units; the units that arrived with the right content,
    /// or `None` if something was refused.
    walk: fn(usize) -> Option<usize>,
}

/// All paths, in the order of the table.
fn paths() -> impl Iterator<Item = &'static Path> {
    [session::PATHS, drivers::PATHS, mux::PATHS, codecs::PATHS]
        .into_iter()
        .flatten()
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    if name == "list" {
        for path in paths() {
            println!("{}\t{}", path.name, path.what);
        }
        return ExitCode::SUCCESS;
    }
    let (Some(path), Some(count)) = (
        paths().find(|path| path.name == name),
        args.next().and_then(|count| count.parse::<usize>().ok()),
    ) else {
        eprintln!("usage: hot list | hot PATH COUNT");
        return ExitCode::from(2);
    };
    let batches = count / BATCH;
    match (path.walk)(batches) {
        Some(done) if done == batches * BATCH => ExitCode::SUCCESS,
        done => {
            eprintln!("hot {name}: {done:?} of {} came", batches * BATCH);
            ExitCode::FAILURE
        }
    }
}
