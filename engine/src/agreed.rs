//! The parameters that an opening handshake has agreed on.

use alloc::boxed::Box;

use crate::role::Role;

/// The parameters that both endpoints have agreed on before the first frame: the role of this
/// endpoint, the sub-protocol and the extensions.
///
/// [`Request::accept`](crate::handshake::Request::accept) returns it for a server, and
/// [`Response::agreed`](crate::handshake::Response::agreed) for a client. An application creates it
/// for a stream whose handshake another library has performed. The
/// [`Session`](crate::sans_io::Session) keeps it, and [`Parts`](crate::Parts) carry it to the next
/// owner of the stream.
///
/// A [`Role`] converts into an `Agreed` without a sub-protocol, and is accepted in its place.
///
/// ```
/// use tickwire::handshake::Agreed;
/// use tickwire::Role;
///
/// let agreed = Agreed::new(Role::Server).with_subprotocol("ticks.v1");
/// assert_eq!(agreed.subprotocol(), Some("ticks.v1"));
/// assert_eq!(agreed.extensions(), &Default::default());
/// assert_eq!(Agreed::from(Role::Client).role(), Role::Client);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    subprotocol: Option<Box<str>>,
    role: Role,
    extensions: Extensions,
}

impl Agreed {
    /// An endpoint with this role, without a sub-protocol and without extensions.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            subprotocol: None,
            role,
            extensions: Extensions {},
        }
    }

    /// Sets the sub-protocol (RFC 6455 section 1.9). It is not checked, because both endpoints have
    /// named it.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<Box<str>>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// The role of this endpoint.
    #[inline]
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The sub-protocol, if one was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The agreed extensions.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}

impl From<Role> for Agreed {
    fn from(role: Role) -> Self {
        Self::new(role)
    }
}

/// The extensions of a connection with their parameters (RFC 6455 section 9). None is supported
/// yet: a client offers none, and a server declines all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Extensions {}
