//! RFC 6455 section 5: header, mask, UTF-8, close codes. No connection state, no clock, no I/O.

pub(crate) mod close;
pub(crate) mod header;
pub(crate) mod mask;
mod opcode;
pub(crate) mod utf8;

#[cfg(test)]
mod tests;

pub(crate) use opcode::Opcode;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// The longest reason of a Close: a control payload less its two bytes of code.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;
