//! A server with one version of the schema.

use tickwire::Listener;
use tickwire::channels::{AcceptOptions, ChannelConfig, ChannelSocket, ErrorCode, IncomingChannel};
use tickwire_codecs::{Encode, EncodeError, NO_COMMON_CODEC, Offer, negotiate_bytes};

use super::{Fallible, Quote, v1, v2};

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) has: Offer,
}

/// Writes a quote as the server's version of the schema has it.
type Write = fn(&Quote, &mut Vec<u8>) -> Result<(), EncodeError>;

/// What every client is sent. Where version 1 is at either end, there is no time.
pub(crate) fn quotes(timed: bool) -> Vec<Quote> {
    let quote = |(symbol, bid, ask)| Quote {
        symbol: String::from(symbol),
        bid,
        ask,
        venue_time: timed.then_some(1_790_000_000_000_000 + bid),
    };
    [
        ("EURUSD", 117_312, 117_314),
        ("USDJPY", 14_770_100, 14_770_300),
    ]
    .map(quote)
    .to_vec()
}

pub(crate) async fn start(write: Write, has: Offer) -> Fallible<Server> {
    let listener = Listener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            tokio::spawn(async move {
                let session =
                    ChannelSocket::accept_from(incoming, ChannelConfig::default()).await?;
                while let Some(incoming) = session.accept().await {
                    tokio::spawn(serve(incoming, write, has));
                }
                Fallible::Ok(())
            });
        }
    });
    Ok(Server { url, has })
}

async fn serve(incoming: IncomingChannel, write: Write, has: Offer) -> Fallible<()> {
    let agreed = match negotiate_bytes(&[has], incoming.metadata()) {
        Ok(agreed) => agreed,
        Err(refusal) => {
            return Ok(incoming.reject_with(ErrorCode(NO_COMMON_CODEC), &refusal.to_vec())?);
        }
    };
    let mut channel = incoming.accept(AcceptOptions::new().metadata(agreed.to_bytes()))?;
    // The newest version for all of them: SBE appends fields, and a reader of an older version
    // steps over those it does not know. With a format that cannot, write `agreed.version`.
    let mut message = Vec::new();
    for quote in quotes(true) {
        write(&quote, &mut message)?;
        channel.send(&message).await?;
    }
    channel.finish()?;
    // The channel is dropped when the client has finished, too.
    while channel.recv().await?.is_some() {}
    Ok(())
}

pub(crate) fn write_v1(quote: &Quote, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let message = v1::QuoteBuilder {
        root: v1::QuoteRoot {
            bid: quote.bid.into(),
            ask: quote.ask.into(),
        },
        symbol: quote.symbol.as_str().into(),
    };
    out.resize(Encode::<v1::Quote>::encoded_len(&message), 0);
    Encode::<v1::Quote>::encode(&message, out).map(drop)
}

pub(crate) fn write_v2(quote: &Quote, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let message = v2::QuoteBuilder {
        root: v2::QuoteRoot {
            bid: quote.bid.into(),
            ask: quote.ask.into(),
            venue_time: quote.venue_time.unwrap_or(0).into(),
        },
        symbol: quote.symbol.as_str().into(),
    };
    out.resize(Encode::<v2::Quote>::encoded_len(&message), 0);
    Encode::<v2::Quote>::encode(&message, out).map(drop)
}
