//! Test vectors of `tickwire.mux.v1`: what `docs/protocol/vectors.json` says, and what its bytes
//! say by `docs/protocol.md`. Written from that document and not from the engine.

mod decode;
mod endings;
pub mod exchange;
mod exchanges;
mod frame;
mod invalid;
mod json;
mod numbers;
mod records;
mod violations;

pub use decode::{Rule, decode};
pub use exchange::{Exchange, Step};
pub use exchanges::exchanges;
pub use frame::{Frame, Kind, Opt, Parameter, encode};
pub use invalid::{Invalid, invalid};
pub use json::{Json, hex, unhex};
pub use records::{Record, records, varints};
pub use violations::violations;

/// A list of frames, as vectors have it.
#[must_use]
pub fn frames_json(frames: &[Frame]) -> Json {
    frames.iter().map(Frame::json).collect::<Vec<_>>().into()
}

/// The whole file: an entry on each line, a step of an exchange on each.
#[must_use]
pub fn vectors() -> String {
    let entries = |entries: Vec<Json>| {
        let lines: Vec<String> = entries.iter().map(|e| format!("    {e}")).collect();
        lines.join(",\n")
    };
    let exchanges = exchanges().into_iter().chain(violations());
    let exchanges: Vec<String> = exchanges.map(|e| e.text()).collect();
    let head = "{\n  \"protocol\": \"tickwire.mux.v1\",\n  \"specification\": \"docs/protocol.md\"";
    format!(
        "{head},\n  \"varints\": [\n{}\n  ],\n  \"records\": [\n{}\n  ],\n  \"invalid\": [\n{}\n  ],\n  \"exchanges\": [\n{}\n  ]\n}}\n",
        entries(varints()),
        entries(records().iter().map(Record::json).collect()),
        entries(invalid().iter().map(Invalid::json).collect()),
        exchanges.join(",\n"),
    )
}
