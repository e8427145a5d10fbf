//! The 23 messages, in the order of the specification (sections 4.1 to 4.10).

use super::{
    Authenticity, BreakerLevel, CrossType, EventCode, FinancialStatus, Flag, HaltAction, Head,
    ImbalanceDirection, InterestFlag, IpoReleaseQualifier, IssueClassification, Itch50, LuldTier,
    MarketCategory, MarketCode, MarketMakerMode, ParticipantState, Price4, Price8, RegShoAction,
    Side, TradingState,
};
use crate::{
    Chars, Code, Codec, DecodeError, Encode, EncodeError, Limits, ToJson, WireId,
    be::{U32, U64},
    encode_bytes, family,
    json::Object,
    slice,
};
use core::fmt;

messages! {
    /// Begin and end of the day's phases.
    SystemEvent = b'S', 12 {
        /// The event.
        event: Code<EventCode>,
    }
    /// A security of the day, with its locate number and static data.
    StockDirectory = b'R', 39 {
        /// Symbol.
        stock: Chars<8>,
        /// Listing market.
        market_category: Code<MarketCategory>,
        /// Financial status of the issuer.
        financial_status: Code<FinancialStatus>,
        /// Shares in a round lot.
        round_lot_size: U32,
        /// Whether only round lots trade.
        round_lots_only: Code<Flag>,
        /// Kind of security.
        issue_classification: Code<IssueClassification>,
        /// Subtype of the security: a two-letter code of the specification.
        issue_sub_type: Chars<2>,
        /// Live or test.
        authenticity: Code<Authenticity>,
        /// Whether it is a Reg SHO threshold security.
        short_sale_threshold: Code<Flag>,
        /// Whether it was set up for an IPO.
        ipo: Code<Flag>,
        /// Tier of the limit-up limit-down plan.
        luld_tier: Code<LuldTier>,
        /// Whether it is an exchange traded product.
        etp: Code<Flag>,
        /// Leverage of the exchange traded product, rounded to an integer.
        etp_leverage: U32,
        /// Whether the product is inverse.
        inverse: Code<Flag>,
    }
    /// Trading state of a security changed.
    TradingAction = b'H', 25 {
        /// Symbol.
        stock: Chars<8>,
        /// The new state.
        state: Code<TradingState>,
        /// Reserved.
        reserved: u8,
        /// Reason: a four-letter code of the specification.
        reason: Chars<4>,
    }
    /// Short sale restriction of a security.
    RegSho = b'Y', 20 {
        /// Symbol.
        stock: Chars<8>,
        /// The restriction.
        action: Code<RegShoAction>,
    }
    /// Position of a market participant in a security.
    ParticipantPosition = b'L', 26 {
        /// Participant.
        mpid: Chars<4>,
        /// Symbol.
        stock: Chars<8>,
        /// Whether it is a primary market maker.
        primary: Code<Flag>,
        /// Its mode.
        mode: Code<MarketMakerMode>,
        /// Its state.
        state: Code<ParticipantState>,
    }
    /// Decline levels of the market-wide circuit breaker.
    BreakerDecline = b'V', 35 {
        /// Value of level 1.
        level1: Price8,
        /// Value of level 2.
        level2: Price8,
        /// Value of level 3.
        level3: Price8,
    }
    /// The market-wide circuit breaker was hit.
    BreakerStatus = b'W', 12 {
        /// The level.
        level: Code<BreakerLevel>,
    }
    /// Quotation period of an IPO.
    IpoQuotingPeriod = b'K', 28 {
        /// Symbol.
        stock: Chars<8>,
        /// When quotation is released, in seconds since midnight.
        release_time_s: U32,
        /// State of the release.
        qualifier: Code<IpoReleaseQualifier>,
        /// Price of the IPO.
        price: Price4,
    }
    /// Auction collar of a security paused by limit-up limit-down.
    AuctionCollar = b'J', 35 {
        /// Symbol.
        stock: Chars<8>,
        /// Reference price of the collar.
        reference: Price4,
        /// Upper collar price.
        upper: Price4,
        /// Lower collar price.
        lower: Price4,
        /// How many times the auction was extended.
        extension: U32,
    }
    /// Operational halt on one market.
    OperationalHalt = b'h', 21 {
        /// Symbol.
        stock: Chars<8>,
        /// The market.
        market: Code<MarketCode>,
        /// Halt or end of halt.
        action: Code<HaltAction>,
    }
    /// A new order without attribution.
    AddOrder = b'A', 36 {
        /// The order.
        order_reference: U64,
        /// Side.
        side: Code<Side>,
        /// Shares.
        shares: U32,
        /// Symbol.
        stock: Chars<8>,
        /// Limit price.
        price: Price4,
    }
    /// A new order of a named participant.
    AddOrderMpid = b'F', 40 {
        /// The order.
        order_reference: U64,
        /// Side.
        side: Code<Side>,
        /// Shares.
        shares: U32,
        /// Symbol.
        stock: Chars<8>,
        /// Limit price.
        price: Price4,
        /// Participant.
        attribution: Chars<4>,
    }
    /// Part of an order was executed at its own price.
    OrderExecuted = b'E', 31 {
        /// The order.
        order_reference: U64,
        /// Shares executed.
        shares: U32,
        /// The match.
        match_number: U64,
    }
    /// Part of an order was executed at another price.
    OrderExecutedPrice = b'C', 36 {
        /// The order.
        order_reference: U64,
        /// Shares executed.
        shares: U32,
        /// The match.
        match_number: U64,
        /// Whether to count it in volume.
        printable: Code<Flag>,
        /// Price of the execution.
        price: Price4,
    }
    /// Part of an order was cancelled.
    OrderCancel = b'X', 23 {
        /// The order.
        order_reference: U64,
        /// Cancelled shares.
        shares: U32,
    }
    /// The whole rest of an order was cancelled.
    OrderDelete = b'D', 19 {
        /// The order.
        order_reference: U64,
    }
    /// An order was replaced by another; side and symbol stay.
    OrderReplace = b'U', 35 {
        /// The replaced order.
        original_reference: U64,
        /// The new order.
        order_reference: U64,
        /// Shares of the new order.
        shares: U32,
        /// Price of the new order.
        price: Price4,
    }
    /// Execution against an order that was not displayed.
    Trade = b'P', 44 {
        /// The resting order; 0 since 2010.
        order_reference: U64,
        /// Side of the resting order; always buy since 2014.
        side: Code<Side>,
        /// Shares.
        shares: U32,
        /// Symbol.
        stock: Chars<8>,
        /// Price.
        price: Price4,
        /// The match.
        match_number: U64,
    }
    /// Result of a cross.
    CrossTrade = b'Q', 40 {
        /// Shares.
        shares: U64,
        /// Symbol.
        stock: Chars<8>,
        /// Price.
        price: Price4,
        /// The match.
        match_number: U64,
        /// Kind of cross.
        cross_type: Code<CrossType>,
    }
    /// An execution was broken.
    BrokenTrade = b'B', 19 {
        /// The match that is void.
        match_number: U64,
    }
    /// Net order imbalance before a cross.
    OrderImbalance = b'I', 50 {
        /// Shares that would be paired at the current reference price.
        paired_shares: U64,
        /// Shares not paired.
        imbalance_shares: U64,
        /// Side of the imbalance.
        direction: Code<ImbalanceDirection>,
        /// Symbol.
        stock: Chars<8>,
        /// Clearing price of cross orders alone.
        far_price: Price4,
        /// Clearing price of cross and continuous orders.
        near_price: Price4,
        /// Price at which the imbalance is calculated.
        reference_price: Price4,
        /// Kind of cross.
        cross_type: Code<CrossType>,
        /// Band of the deviation from the reference price: `L`, `1` to `9`, `A` to `C`, or space.
        price_variation: u8,
    }
    /// Retail interest at the inside.
    RetailInterest = b'N', 20 {
        /// Symbol.
        stock: Chars<8>,
        /// Which sides.
        interest: Code<InterestFlag>,
    }
    /// Price discovery of a direct listing with capital raise.
    DirectListing = b'O', 48 {
        /// Symbol.
        stock: Chars<8>,
        /// Whether the security may be released for trading.
        open_eligible: Code<Flag>,
        /// Lowest allowed price: 20 % below the registration range.
        minimum_price: Price4,
        /// Highest allowed price: 80 % above the registration range.
        maximum_price: Price4,
        /// Near execution price.
        near_price: Price4,
        /// Time of the near execution price, in nanoseconds since midnight.
        near_time_ns: U64,
        /// Lower bound of the 10 % range around the near price.
        lower_collar: Price4,
        /// Upper bound of the 10 % range around the near price.
        upper_collar: Price4,
    }
}
