//! The wire format of `tickwire.mux.v1`, as `docs/protocol.md` specifies it: decodes records into
//! frames, and encodes frames. This layer knows no channel, no credit and no clock: a frame is
//! complete and legal, or it is a [`WireError`]; whether it is allowed in the current state is
//! checked above.
//!
//! A record is 1..n whole frames. Numbers are little-endian; `tv` is a prefix varint.
//!
//! ```text
//! byte0 = flags (high nibble) | type (low nibble)
//! 0 PAD    00
//! 1 DATA   b0 alias:tv [len:tv if LEN] [skip:tv if SKIP] payload
//! 2 RUN    b0 alias:tv elem:tv [count:tv if LEN] [skip:tv if SKIP] elem * count bytes
//! 3 CREDIT b0 alias:tv total:tv [ack:tv if ACK]      at most one of NARROW, BLOCKED, RETURN
//! 4 OPEN   b0 alias:tv profile:u8 mode:u8 limit:tv max_msg:tv options_len:tv options
//! 5 ACCEPT b0 peer_alias:tv alias:tv limit:tv max_msg:tv options_len:tv options
//! 6 REJECT b0 peer_alias:tv code:tv [len:tv metadata if INFO]
//! 7 RESET  b0 alias:tv code:tv
//! 8 SEQ    b0 alias:tv epoch:tv next_seq:tv
//! 9 PING   b0 value:u64
//! A GOAWAY b0 opens_seen:tv code:tv reason_len:u8 reason
//! B HELLO  b0 len:tv {id:tv len:tv value}*
//! F EXT    b0 kind:tv len:tv body
//! ```
//!
//! Rule R10: a whole frame is validated before any of it is returned. Announced lengths are never
//! allocated: payloads and options are slices of the record.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod decode;
mod encode;
mod error;
mod frame;
mod hello;
mod options;
mod reader;
mod varint;

#[cfg(test)]
mod tests;

pub(crate) use decode::Frames;
pub(crate) use encode::{
    CREDIT_BYTES_MAX, GOAWAY_BYTES_MAX, MessageHead, OPENING_HEAD_BYTES_MAX, PING_BYTES,
    REJECT_BYTES_MAX, RESET_BYTES_MAX, SEQ_BYTES_MAX, SHORT_BYTES, accept_len, data_head_len,
    open_len, put_accept, put_credit, put_data_head, put_goaway, put_open, put_ping, put_reject,
    put_reset, put_run_head, put_seq, reject_len,
};
pub use error::WireError;
pub use frame::Direction;
pub(crate) use frame::{
    ALIAS_MAX, Accept, Credit, CreditKind, Data, Frame, GoAway, Open, Profile, Reset, Run,
};
pub(crate) use hello::{
    FEATURE_CONFLATE, FEATURE_MSGS, FEATURE_RESUME, FEATURE_RUN, HELLO_FRAME_BYTES_MAX, Hello,
    put_hello,
};
pub(crate) use options::{Answer, Options};
pub(crate) use varint::VARINT_MAX;

/// Used by tests only.
#[cfg(test)]
pub(crate) use {
    encode::{ext_len, put_ext, put_pad, run_head_len},
    frame::{GOAWAY_REASON_BYTES_MAX, PAD_RUN_MAX},
    hello::{FEATURE_ALIGN, FEATURES, HELLO_BYTES_MAX, OVERHEAD_BYTES_MAX, RECORD_BYTES_MAX},
    options::OPTIONS_BYTES_MAX,
    varint::{put_varint, varint, varint_len},
};
