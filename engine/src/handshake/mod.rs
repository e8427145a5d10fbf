//! The opening handshake (RFC 6455 section 4) over HTTP/1.1: the head of the peer in, a request, a
//! response or an error out.
//!
//! This module has no socket, no clock and no randomness. The caller passes all bytes received so
//! far and the nonce of the client, and sends the bytes that [`Request::accept`],
//! [`Refusal::encode`] or [`ClientHandshake::request`] return. Bytes after a head are not consumed:
//! the returned size of the head is the offset of the first frame.
//!
//! The result does not depend on how a head is split: an incomplete head gives `None`, or the error
//! that the complete head gives. [`HeadLimits`] bounds the bytes that are read. The caller bounds
//! the time.

mod accept;
mod client;
mod content;
mod date;
mod error;
mod fields;
mod from_http;
mod head;
mod origins;
mod refusal;
mod response;
mod server;
mod syntax;
mod uri;
mod url;

#[cfg(test)]
mod tests;

pub use crate::agreed::{Agreed, Extensions};
pub use accept::{Accept, accept_key};
pub use client::{ClientHandshake, ClientOptions};
pub use error::{HandshakeError, HandshakeUsage};
pub use head::HeadLimits;
pub use origins::Origins;
pub use refusal::Refusal;
pub use response::{Response, ResponseKind, RetryAfter};
pub use server::{Request, ServerHandshake};
pub use uri::UrlError;
pub use url::Url;
