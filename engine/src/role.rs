/// The role of this endpoint. A client masks its frames and a server does not (RFC 6455 section
/// 5.1); each fails the connection if the peer does otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The endpoint that opened the connection.
    Client,
    /// The endpoint that accepted the connection.
    Server,
}
