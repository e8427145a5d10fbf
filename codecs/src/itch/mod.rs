//! Nasdaq TotalView-ITCH 5.0: all 23 messages as views, the file framing, and the two envelopes of the
//! feed.
//!
//! Source: "Nasdaq TotalView-ITCH 5.0", Nasdaq, sections 4 and 5; numbers are big-endian, text is
//! ASCII padded with spaces on the right. Times are nanoseconds since midnight, Eastern time.
//!
//! ```
//! use tickwire_codecs::{Codec, Encode, Limits, itch::{AddOrder, Head, Itch50, Message, Price4, Side}};
//! let add = AddOrder {
//!     head: Head::new(7, 0, 34_200_000_000_000).unwrap(),
//!     order_reference: 1001.into(),
//!     side: Side::Buy.into(),
//!     shares: 300.into(),
//!     stock: tickwire_codecs::Chars::spaced("AAPL").unwrap(),
//!     price: Price4::new(1_234_500),
//! };
//! let mut wire = [0; 36];
//! assert_eq!(Encode::<Itch50>::encode(&add, &mut wire), Ok(36));
//! let Message::AddOrder(view) = Itch50::view(&wire, &Limits::FEED)? else { panic!() };
//! assert_eq!(view.price.decimal().to_string(), "123.4500");
//! # Ok::<(), tickwire_codecs::DecodeError>(())
//! ```

mod codes;
mod field;
mod framing;
#[macro_use]
mod macros;
mod message;
mod mold;
mod soup;

pub use codes::*;
pub use field::{Digits, Head, Price4, Price8};
pub use framing::ItchFile;
pub use message::*;
pub use mold::{MoldHeader, MoldMessages, MoldPacket, MoldRequest, MoldUdp64, MoldWriter};
pub use soup::{
    HeartbeatTimeout, LoginAccepted, LoginRequest, RejectReason, SoupBinTcp, SoupPacket,
};

/// The codec of ITCH 5.0: one message without an envelope.
#[derive(Clone, Copy, Debug)]
pub enum Itch50 {}
