//! Best bid and offer, trades and depth of one instrument, generated from
//! `codecs/sbe/schemas/tick.xml`: prices and quantities are mantissas that share one exponent per
//! message, as in the market data that spot venues publish.
//!
//! ```
//! use tickwire_codecs::{Codec, DecodeError, Encode, Limits};
//! use tickwire_tick::{AnyMessage, BestBidOffer, BestBidOfferBuilder, BestBidOfferRoot, Message};
//!
//! let sent = BestBidOfferBuilder {
//!     root: BestBidOfferRoot {
//!         price_exponent: -2,
//!         bid_price: 6_183_763.into(),
//!         ask_price: 6_183_764.into(),
//!         ..Default::default()
//!     },
//!     symbol: "BTCUSDT".into(),
//! };
//! let mut bytes = vec![0; Encode::<BestBidOffer>::encoded_len(&sent)];
//! sent.encode(&mut bytes).expect("it has room");
//! match AnyMessage::view(&bytes, &Limits::FEED)? {
//!     Message::BestBidOffer(quote) => assert_eq!(quote.ask_price() - quote.bid_price(), 1),
//!     other => unreachable!("{other:?}"),
//! }
//! # Ok::<(), DecodeError>(())
//! ```
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/tick.rs"));
