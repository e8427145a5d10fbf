//! The API for async tasks, over real sockets. A test belongs here if it awaits.

mod channels;
mod codec_offers;
mod http_servers;
