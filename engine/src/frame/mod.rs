//! Frames of RFC 6455 section 5: header, masking, UTF-8, Close body. No connection state, no clock,
//! no I/O.

pub(crate) mod close;
pub(crate) mod header;
pub(crate) mod mask;
mod opcode;
pub(crate) mod utf8;

#[cfg(test)]
mod tests;

pub(crate) use opcode::Opcode;

/// Largest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Largest reason of a Close frame, in bytes of UTF-8: a control payload without the two bytes of
/// the close code (RFC 6455 section 5.5.1).
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;
