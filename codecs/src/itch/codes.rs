//! The one-byte codes of ITCH 5.0. A [`Code`](crate::Code) also holds bytes outside these lists.

use crate::Known;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $value:ident = $byte:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $value,)+ }

        impl Known for $name {
            #[inline]
            fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$value),)+
                    _ => None,
                }
            }

            #[inline]
            fn to_byte(self) -> u8 {
                match self { $(Self::$value => $byte,)+ }
            }
        }
    )+};
}

codes! {
    /// Side of an order.
    Side {
        /// Buy.
        Buy = b'B',
        /// Sell.
        Sell = b'S',
    }
    /// Yes, no, or not available.
    Flag {
        /// Yes.
        Yes = b'Y',
        /// No.
        No = b'N',
        /// Not available or not applicable.
        NotAvailable = b' ',
    }
    /// The event of a system event message.
    EventCode {
        /// First message of the day.
        StartOfMessages = b'O',
        /// Nasdaq is open for order entry.
        StartOfSystemHours = b'S',
        /// Market hours have begun.
        StartOfMarketHours = b'Q',
        /// Market hours have ended.
        EndOfMarketHours = b'M',
        /// Nasdaq accepts no more orders.
        EndOfSystemHours = b'E',
        /// Last message of the day.
        EndOfMessages = b'C',
    }
    /// Listing market of a security.
    MarketCategory {
        /// Nasdaq Global Select Market.
        NasdaqGlobalSelect = b'Q',
        /// Nasdaq Global Market.
        NasdaqGlobal = b'G',
        /// Nasdaq Capital Market.
        NasdaqCapital = b'S',
        /// New York Stock Exchange.
        Nyse = b'N',
        /// NYSE American.
        NyseAmerican = b'A',
        /// NYSE Arca.
        NyseArca = b'P',
        /// BATS Z Exchange.
        Bats = b'Z',
        /// Investors' Exchange.
        Iex = b'V',
        /// Not available.
        NotAvailable = b' ',
    }
    /// Financial status of a Nasdaq-listed issuer.
    FinancialStatus {
        /// Deficient.
        Deficient = b'D',
        /// Delinquent.
        Delinquent = b'E',
        /// Bankrupt.
        Bankrupt = b'Q',
        /// Suspended.
        Suspended = b'S',
        /// Deficient and bankrupt.
        DeficientBankrupt = b'G',
        /// Deficient and delinquent.
        DeficientDelinquent = b'H',
        /// Delinquent and bankrupt.
        DelinquentBankrupt = b'J',
        /// Deficient, delinquent and bankrupt.
        DeficientDelinquentBankrupt = b'K',
        /// Creations or redemptions of an exchange traded product are suspended.
        CreationsSuspended = b'C',
        /// Normal.
        Normal = b'N',
        /// Not available: the issue is not Nasdaq-listed.
        NotAvailable = b' ',
    }
    /// Kind of security.
    IssueClassification {
        /// American depositary share.
        AmericanDepositaryShare = b'A',
        /// Bond.
        Bond = b'B',
        /// Common stock.
        CommonStock = b'C',
        /// Depository receipt.
        DepositoryReceipt = b'F',
        /// Rule 144A issue.
        Rule144a = b'I',
        /// Limited partnership.
        LimitedPartnership = b'L',
        /// Notes.
        Notes = b'N',
        /// Ordinary share.
        OrdinaryShare = b'O',
        /// Preferred stock.
        PreferredStock = b'P',
        /// Other securities.
        Other = b'Q',
        /// Right.
        Right = b'R',
        /// Shares of beneficial interest.
        BeneficialInterest = b'S',
        /// Convertible debenture.
        ConvertibleDebenture = b'T',
        /// Unit.
        Unit = b'U',
        /// Units of beneficial interest.
        UnitsBeneficialInterest = b'V',
        /// Warrant.
        Warrant = b'W',
    }
    /// Whether a security is live or a test.
    Authenticity {
        /// Live, in production.
        Live = b'P',
        /// Test.
        Test = b'T',
    }
    /// Price band tier of the limit-up limit-down plan.
    LuldTier {
        /// Tier 1.
        Tier1 = b'1',
        /// Tier 2.
        Tier2 = b'2',
        /// Not applicable.
        NotApplicable = b' ',
    }
    /// Trading state of a security on Nasdaq.
    TradingState {
        /// Halted across all US markets.
        Halted = b'H',
        /// Paused across all US markets.
        Paused = b'P',
        /// Quotation only.
        QuotationOnly = b'Q',
        /// Trading.
        Trading = b'T',
    }
    /// Short sale price test restriction.
    RegShoAction {
        /// No price test in place.
        None = b'0',
        /// In effect since an intra-day price drop.
        IntradayDrop = b'1',
        /// Remains in effect.
        Remains = b'2',
    }
    /// Mode of a market maker.
    MarketMakerMode {
        /// Normal.
        Normal = b'N',
        /// Passive.
        Passive = b'P',
        /// Syndicate.
        Syndicate = b'S',
        /// Pre-syndicate.
        PreSyndicate = b'R',
        /// Penalty.
        Penalty = b'L',
    }
    /// Registration state of a market participant in an issue.
    ParticipantState {
        /// Active.
        Active = b'A',
        /// Excused or withdrawn.
        Excused = b'E',
        /// Withdrawn.
        Withdrawn = b'W',
        /// Suspended.
        Suspended = b'S',
        /// Deleted.
        Deleted = b'D',
    }
    /// Level of the market-wide circuit breaker.
    BreakerLevel {
        /// Level 1.
        Level1 = b'1',
        /// Level 2.
        Level2 = b'2',
        /// Level 3.
        Level3 = b'3',
    }
    /// State of an IPO quotation release.
    IpoReleaseQualifier {
        /// Anticipated.
        Anticipated = b'A',
        /// Cancelled or postponed.
        Cancelled = b'C',
    }
    /// Market of an operational halt.
    MarketCode {
        /// Nasdaq.
        Nasdaq = b'Q',
        /// BX.
        Bx = b'B',
        /// PSX.
        Psx = b'X',
    }
    /// Operational halt or its end.
    HaltAction {
        /// Halted on the market of the message.
        Halted = b'H',
        /// The halt is lifted.
        Resumed = b'T',
    }
    /// Kind of cross.
    CrossType {
        /// Nasdaq opening cross.
        Opening = b'O',
        /// Nasdaq closing cross.
        Closing = b'C',
        /// Cross for IPO and halted or paused securities.
        IpoOrHalt = b'H',
        /// Nasdaq cross network: intra-day and post-close.
        Intraday = b'I',
        /// Extended trading close.
        ExtendedClose = b'A',
    }
    /// Side of an order imbalance.
    ImbalanceDirection {
        /// Buy imbalance.
        Buy = b'B',
        /// Sell imbalance.
        Sell = b'S',
        /// No imbalance.
        None = b'N',
        /// Insufficient orders to calculate.
        Insufficient = b'O',
        /// Paused.
        Paused = b'P',
    }
    /// Retail interest at the inside.
    InterestFlag {
        /// On the bid side.
        Buy = b'B',
        /// On the offer side.
        Sell = b'S',
        /// On both sides.
        Both = b'A',
        /// None.
        None = b'N',
    }
}
