//! A client with one version of the schema, or with another schema.

use std::fmt;

use tickwire::channels::{ChannelError, ChannelSocket, ErrorCode, OpenOptions};
use tickwire_codecs::{Answer, Codec, DecodeError, Limits, NO_COMMON_CODEC, Offer, Reason};

use super::{Fallible, v1, v2};

/// A quote as this program's own code knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Quote {
    pub(crate) symbol: String,
    /// Prices are in units of 10^-5.
    pub(crate) bid: i64,
    pub(crate) ask: i64,
    /// Microseconds since 1970 UTC; not there before version 2.
    pub(crate) venue_time: Option<i64>,
}

/// Reads a message through a view of the client's version of the schema.
type Read = fn(&[u8], &Limits) -> Result<Quote, DecodeError>;

/// What came of an offer.
pub(crate) enum Outcome {
    /// The version that was agreed on, and what was read.
    Quotes(u16, Vec<Quote>),
    /// Why not, and what the server has instead.
    Refused(Reason, Vec<Offer>),
}

pub(crate) async fn ask(url: &str, offer: &Offer, read: Read) -> Fallible<Outcome> {
    let session = ChannelSocket::connect(url).await?;
    let mut channel = session.open(OpenOptions::new("quotes").metadata(offer.to_bytes()))?;
    let agreed = match channel.accepted().await {
        Ok(accepted) => offer.agreed(&accepted.metadata)?,
        Err(ChannelError::Rejected {
            code: ErrorCode(NO_COMMON_CODEC),
            metadata,
            ..
        }) => {
            return match Answer::read(&metadata)? {
                Answer::Refused { reason, have } => {
                    Ok(Outcome::Refused(reason, have.iter().collect()))
                }
                Answer::Agreed(_) => Err("a refusal that agrees".into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let mut quotes = Vec::new();
    while let Some(message) = channel.recv().await? {
        quotes.push(read(&message, &agreed.limits)?);
    }
    channel.finish()?;
    Ok(Outcome::Quotes(agreed.version, quotes))
}

pub(crate) fn read_v1(message: &[u8], limits: &Limits) -> Result<Quote, DecodeError> {
    let view = v1::Quote::view(message, limits)?;
    Ok(Quote {
        symbol: view.symbol().to_string(),
        bid: view.bid(),
        ask: view.ask(),
        venue_time: None, // this version knows of none
    })
}

pub(crate) fn read_v2(message: &[u8], limits: &Limits) -> Result<Quote, DecodeError> {
    let view = v2::Quote::view(message, limits)?;
    Ok(Quote {
        symbol: view.symbol().to_string(),
        bid: view.bid(),
        ask: view.ask(),
        venue_time: view.venue_time(),
    })
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes(version, quotes) => {
                write!(f, "agreed on version {version}")?;
                for quote in quotes {
                    let Quote {
                        symbol,
                        bid,
                        ask,
                        venue_time,
                    } = quote;
                    write!(f, "\n    {symbol} {bid} / {ask}, venue time {venue_time:?}")?;
                }
                Ok(())
            }
            Self::Refused(reason, have) => {
                write!(f, "refused: {reason}; it has")?;
                have.iter().try_for_each(|offer| write!(f, "\n    {offer}"))
            }
        }
    }
}
