//! The decision about a request.

use crate::handshake::{Accept, Refusal};

/// The application's answer to an opening handshake, with an optional value for [`Handler::open`](crate::reactor::Handler::open).
///
/// ```
/// use tickwire::handshake::{Accept, Refusal};
/// use tickwire::reactor::Verdict;
///
/// struct User(u64);
///
/// // Accept, without a value.
/// let verdict: Verdict<User> = Verdict::default();
/// // Accept, and pass the user to `open`.
/// let verdict = Verdict::admit(User(17));
/// // The same with a sub-protocol.
/// let verdict = Verdict::from(Accept::new().subprotocol("ticks.v1")).with(User(17));
/// // Refuse with 403.
/// let verdict: Verdict<User> = Refusal::forbidden().into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict<T = ()> {
    /// Open the connection: answer 101, with the sub-protocol and headers of the [`Accept`]. The
    /// value is passed to [`Handler::open`](crate::reactor::Handler::open) as [`Opened::admitted`](crate::reactor::Opened::admitted).
    Accept(Accept, Option<T>),
    /// Answer with this status, and close the connection.
    Refuse(Refusal),
}

impl<T> Verdict<T> {
    /// Accepts without a sub-protocol, and passes `value` to [`Handler::open`](crate::reactor::Handler::open).
    #[must_use]
    pub fn admit(value: T) -> Self {
        Self::Accept(Accept::new(), Some(value))
    }

    /// Adds `value` for [`Handler::open`](crate::reactor::Handler::open) to [`Self::Accept`]. Does not change [`Self::Refuse`].
    #[must_use]
    pub fn with(self, value: T) -> Self {
        match self {
            Self::Accept(accept, _) => Self::Accept(accept, Some(value)),
            refuse => refuse,
        }
    }
}

impl<T> Default for Verdict<T> {
    fn default() -> Self {
        Accept::new().into()
    }
}

impl<T> From<Accept> for Verdict<T> {
    fn from(accept: Accept) -> Self {
        Self::Accept(accept, None)
    }
}

impl<T> From<Refusal> for Verdict<T> {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}
