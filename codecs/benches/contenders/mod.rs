//! The same messages in every format, of a seeded generator or of the recording, and one decoding function per
//! format that reads every field. Shared by the benchmark and by the test that counts allocations.

mod formats;
mod recorded;
mod tape;
mod views;

pub use formats::contenders;
pub use recorded::recorded;
pub use tape::{Kind, Tape, tape};
pub use views::{add_order, add_order_total, add_orders, readings, telemetry};

/// One format on one kind of message.
pub struct Contender {
    /// Format and engine.
    pub name: &'static str,
    /// Kind of message.
    pub kind: Kind,
    /// The messages' bytes.
    pub wires: Vec<Vec<u8>>,
    /// Decodes one message whole and adds up its fields; panics on bytes that are no message.
    pub decode: fn(&[u8]) -> u64,
}
