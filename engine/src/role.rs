/// Which end of the connection this endpoint is. A client masks what it sends (RFC 6455
/// section 5.3), a server does not; each refuses a peer that does otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}
