//! What the tests and the fuzz targets of tickwire share: a naive model of RFC 6455, a builder
//! of right and wrong frames, a faulty wire, and drivers that write down what happens.

pub mod channels;
pub mod corpus;
pub mod drive;
pub mod event;
pub mod frames;
pub mod frames_mux;
pub mod fuzz;
#[cfg(feature = "codecs")]
#[expect(clippy::mem_forget, reason = "wincode's derive forgets its own guards")]
pub mod fuzz_bincode;
#[cfg(feature = "codecs")]
pub mod fuzz_codecs;
pub mod fuzz_mux;
#[cfg(feature = "codecs")]
pub mod fuzz_round_trip;
#[cfg(feature = "codecs")]
pub mod fuzz_sbe;
pub mod oracle;
pub mod outbox;
pub mod protocol;
pub mod rng;
pub mod streams;
#[cfg(feature = "rivals")]
pub mod votes;
pub mod wire;

/// The programs of the guides compile. Programs with both ends run: they bind a free port and end.
#[cfg(all(doctest, feature = "tokio", feature = "mio", feature = "axum"))]
mod guides {
    #[doc = include_str!("../../docs/guides/axum.md")]
    struct Axum;
    #[doc = include_str!("../../docs/guides/channels.md")]
    struct Channels;
    #[doc = include_str!("../../docs/guides/device-gateway.md")]
    struct DeviceGateway;
    #[doc = include_str!("../../docs/guides/fan-out.md")]
    struct FanOut;
    #[doc = include_str!("../../docs/guides/venue-client.md")]
    struct VenueClient;
}
