//! Classifies errors of `accept`.

use std::io;

/// What has failed in a failed `accept`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AcceptFault {
    /// The one connection: accept the next.
    Connection,
    /// The system is out of a resource, which may pass: wait, then accept again.
    System,
    /// The listening socket itself: no later accept can succeed.
    Listener,
}

impl AcceptFault {
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{
            ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
            NetworkUnreachable, OutOfMemory, TimedOut,
        };
        // A firewall returns EPERM. EACCES, which has the same kind, is a missing permission of the
        // process.
        const EPERM: i32 = 1;
        // ENFILE, EMFILE and ENOBUFS have no `ErrorKind`. Linux, BSD and macOS use the same numbers
        // for the first two.
        const ENFILE: i32 = 23;
        const EMFILE: i32 = 24;
        const ENOBUFS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
            105
        } else {
            55
        };
        // ENONET, EPROTO, ENOPROTOOPT, EHOSTDOWN: errors of the connection without an `ErrorKind`.
        const CONNECTION_ERRORS: [i32; 4] = [64, 71, 92, 112];
        match (error.kind(), error.raw_os_error()) {
            // Errors that accept(2) says to treat like EAGAIN.
            (
                ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted | NetworkDown
                | NetworkUnreachable | TimedOut,
                _,
            ) => Self::Connection,
            (_, Some(EPERM)) if cfg!(unix) => Self::Connection,
            (_, Some(code))
                if cfg!(any(target_os = "linux", target_os = "android"))
                    && CONNECTION_ERRORS.contains(&code) =>
            {
                Self::Connection
            }
            (OutOfMemory, _) => Self::System,
            (_, Some(ENFILE | EMFILE | ENOBUFS)) if cfg!(unix) => Self::System,
            _ => Self::Listener,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_classified() {
        for (code, expected) in [
            (libc_code::ECONNABORTED, AcceptFault::Connection),
            (libc_code::EPROTO, AcceptFault::Connection),
            (libc_code::EHOSTDOWN, AcceptFault::Connection),
            (libc_code::EPERM, AcceptFault::Connection),
            (libc_code::EACCES, AcceptFault::Listener),
            (libc_code::EMFILE, AcceptFault::System),
            (libc_code::ENFILE, AcceptFault::System),
            (libc_code::ENOBUFS, AcceptFault::System),
            (libc_code::ENOMEM, AcceptFault::System),
            (libc_code::EBADF, AcceptFault::Listener),
            (libc_code::EINVAL, AcceptFault::Listener),
        ] {
            if cfg!(target_os = "linux") {
                let error = io::Error::from_raw_os_error(code);
                assert_eq!(AcceptFault::of(&error), expected, "{error}");
            }
        }
    }

    /// The numbers of Linux.
    mod libc_code {
        pub(super) const EPERM: i32 = 1;
        pub(super) const EBADF: i32 = 9;
        pub(super) const EACCES: i32 = 13;
        pub(super) const ENOMEM: i32 = 12;
        pub(super) const EINVAL: i32 = 22;
        pub(super) const ENFILE: i32 = 23;
        pub(super) const EMFILE: i32 = 24;
        pub(super) const EPROTO: i32 = 71;
        pub(super) const ECONNABORTED: i32 = 103;
        pub(super) const ENOBUFS: i32 = 105;
        pub(super) const EHOSTDOWN: i32 = 112;
    }
}
