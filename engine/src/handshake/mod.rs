//! The opening handshake, RFC 6455 section 4: a head in, a verdict out.
//!
//! Nothing here knows of sockets, clocks or entropy: the caller brings the bytes received so far
//! and the client's nonce, and sends what [`Request::accept`], [`Refusal::encode`] or
//! [`ClientHandshake::request`] hand out. Bytes after a head are never touched: `consumed` tells
//! where the first frame begins.
//!
//! One verdict per head, however it is cut: a head that is not complete gives `None`, or the very
//! error that the complete head gives. The bytes read are bounded by [`HeadLimits`], the time is
//! bounded by whoever owns a clock.

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
