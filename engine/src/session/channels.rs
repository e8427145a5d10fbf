//! Where messages and channels meet: records travel as binary messages.

use crate::conn::{Message, Outbox};
use crate::error::CloseCode;
use crate::time::Timestamp;

pub use crate::mux::*;

/// Bytes of records that may wait in an outbox: enough for one write after the other, and what a
/// message of high priority waits behind, beside what the kernel holds.
pub const AHEAD_BYTES_MAX: usize = 32 << 10;

/// Moves what the connection has to send into the outbox, as far as that is not full of it
/// already; [`Outbox::notify_below`] is asked for then. `true` if there is more.
///
/// Closes the outbox when the channels are over: the close code is 4000 and the code.
pub fn fill(connection: &mut Connection, outbox: &mut Outbox, now: Timestamp) -> bool {
    connection.limit_records(outbox.room_max());
    // Every turn takes a record, or leaves.
    while connection.wants_write() {
        let room = outbox.room();
        let full = outbox.queued_bytes() >= AHEAD_BYTES_MAX || room < connection.record_max();
        if full {
            connection.hold_back();
            outbox.notify_below(AHEAD_BYTES_MAX / 2);
            return !outbox.is_closing();
        }
        // There is room, and nobody else sends: what is refused is refused by a dead connection.
        let refused = match connection.poll_record(now) {
            Some(Record::Inline(bytes)) => outbox.send(bytes).is_err(),
            Some(Record::Shared(bytes)) => outbox.send_bytes(bytes).is_err(),
            None => break,
        };
        if refused {
            return false;
        }
    }
    if let Some(code) = connection.closing()
        && !outbox.is_closing()
    {
        // 4000 to 4999 may be sent, and there is no reason.
        let _ = outbox.close(CloseCode(code.close_code()), "");
    }
    false
}

/// What a message of the peer's is to the channels.
#[derive(Debug)]
pub enum Arrival<'r> {
    /// A record, to be taken with [`Connection::next`].
    Record(RecordReader<'r>),
    /// What ends the channels: text came.
    Event(Event<'static>),
    /// A control frame: nothing for the channels.
    Nothing,
}

/// Hands a message to the channels.
pub fn receive<'r>(
    connection: &mut Connection,
    message: Message<'r>,
    now: Timestamp,
) -> Arrival<'r> {
    match message {
        Message::Binary(record) => Arrival::Record(connection.receive(record, now)),
        Message::Text(_) | Message::Part(_) => connection
            .receive_foreign()
            .map_or(Arrival::Nothing, Arrival::Event),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Arrival::Nothing,
    }
}
