//! Runs one hot path alone, for an instruction counter.
//!
//! ```text
//! hot list                 prints the paths and their units
//! hot PATH COUNT           runs PATH for COUNT units (rounded down to whole batches)
//! ```
//!
//! The cost of a unit comes from two runs with different counts: the difference in instructions
//! over the difference in units, so that start-up cancels. `tests/instructions.py` does this for
//! every path and compares with `benches/instructions.toml`.

mod codecs;
mod drivers;
mod mux;
mod session;

use std::process::ExitCode;

/// Messages of one read, write or record.
const BATCH: usize = 64;
/// Payload bytes of a message, unless the path has another size.
const PAYLOAD: usize = 32;

/// One path.
struct Path {
    name: &'static str,
    /// The unit that is counted.
    what: &'static str,
    /// Runs this many batches of [`BATCH`] units. Returns the units that arrived with the right
    /// content, or `None` if something was refused.
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
            eprintln!("hot {name}: {done:?} of {} units arrived", batches * BATCH);
            ExitCode::FAILURE
        }
    }
}
