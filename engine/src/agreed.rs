//! What an opening handshake has agreed on.

use alloc::boxed::Box;

use crate::role::Role;

/// What the two ends of a connection have agreed on before its first frame: which end this is,
/// the sub-protocol, the extensions.
///
/// Whoever ends an opening handshake makes one: [`Request::accept`](crate::handshake::Request::accept) for a
/// server, [`Response::agreed`](crate::handshake::Response::agreed) for a client, and the application for a
/// stream whose handshake another library has done. The [`Session`](crate::sans_io::Session) keeps it for
/// the life of the connection, and it goes with the [`Parts`](crate::Parts) to the next owner.
///
/// Without a sub-protocol a [`Role`] says all of it, and is taken in its place.
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
    /// No sub-protocol, no extensions.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            subprotocol: None,
            role,
            extensions: Extensions {},
        }
    }

    /// With this sub-protocol (RFC 6455 section 1.9). Not checked: both ends have named it.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<Box<str>>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Which end of the connection this is.
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

    /// The extensions.
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

/// The extensions of a connection with their parameters (RFC 6455 section 9). There are none yet:
/// none is offered, and a client's offers are declined.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Extensions {}
