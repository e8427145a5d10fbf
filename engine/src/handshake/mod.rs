//! The opening handshake, RFC 6455 section 4: a head in, a verdict out.
