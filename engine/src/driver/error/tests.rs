use std::string::ToString;
use std::vec;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::channels::{DrainEnd, ErrorCode};
use crate::handshake::{ClientHandshake, ClientOptions, HeadLimits};

/// The error for a server's answer with this status and these header lines.
fn refused(status: u16, headers: &str) -> Error {
    let nonce = *b"the sample nonce";
    let mut handshake = ClientHandshake::new("venue.example", "/", &ClientOptions::new(), nonce)
        .expect("options fit");
    let answer = format!("HTTP/1.1 {status} No\r\n{headers}Content-Length: 0\r\n\r\n");
    let parsed = handshake.parse(answer.as_bytes(), &HeadLimits::default());
    parsed.expect_err("a refusal").into()
}

fn resolve() -> Error {
    Error::resolve("venue.example", io::Error::other("no such name"))
}

fn rejected_with(metadata: &'static [u8]) -> Error {
    let error = ChannelError::Rejected {
        code: ErrorCode::REFUSED,
        unprocessed: false,
        metadata: Bytes::from_static(metadata),
    };
    error.into()
}

fn rejected(code: ErrorCode, unprocessed: bool) -> Error {
    let metadata = Bytes::new();
    let error = ChannelError::Rejected {
        code,
        unprocessed,
        metadata,
    };
    error.into()
}

fn drained(by_peer: bool, code: ErrorCode) -> ChannelFailure {
    ChannelFailure::Drained {
        by_peer,
        code,
        end: DrainEnd::Incomplete,
    }
}

/// Errors of every variant: the transient errors, then the other errors.
fn table() -> (Vec<Error>, Vec<Error>) {
    let app = ErrorCode::APPLICATION;
    let mut yes: Vec<Error> = vec![
        resolve(),
        Error::no_address("venue.example"),
        Error::connect("127.0.0.1:1", io::ErrorKind::ConnectionRefused.into()),
        Error::Timeout(Deadline::Connect),
        Deadline::Handshake.into(),
        Deadline::Pong.into(),
        Deadline::Idle.into(),
        Deadline::Close.into(),
        Deadline::Write.into(),
        Failure::Eof.into(),
        Failure::Io.into(),
        SendError::QueueFull { queued: 9, max: 9 }.into(),
        ChannelFailure::Peer(ErrorCode::NO_ERROR).into(),
        ChannelFailure::Idle.into(),
        ChannelFailure::Lost(None).into(),
        ChannelSendError::WouldBlock.into(),
        ChannelSendError::Stopped(ErrorCode::CALM).into(),
        ChannelSendError::Closed(ChannelFailure::Lost(None)).into(),
        OpenError::TooMany { max: 32 }.into(),
        OpenError::PeerLimit.into(),
        OpenError::Draining(ErrorCode::NO_ERROR).into(),
        ChannelSendError::Rejected(ErrorCode::CALM).into(),
        drained(true, ErrorCode::NO_ERROR).into(),
        OpenError::Closed(ChannelFailure::Lost(None)).into(),
        rejected(ErrorCode::LIMIT, false),
        rejected(app, true),
        ChannelError::Aborted(ErrorCode::INTERNAL).into(),
        ChannelError::Evicted(ErrorCode::TIMEOUT).into(),
        ChannelError::Failed(ChannelFailure::Lost(None)).into(),
        RemoteError::Full.into(),
        TimersFull.into(),
    ];
    use io::ErrorKind as K;
    for kind in [
        K::ConnectionRefused,
        K::ConnectionReset,
        K::ConnectionAborted,
        K::NotConnected,
        K::BrokenPipe,
        K::UnexpectedEof,
        K::TimedOut,
        K::HostUnreachable,
        K::NetworkUnreachable,
        K::NetworkDown,
        K::Interrupted,
        K::WouldBlock,
        K::OutOfMemory,
        K::ResourceBusy,
        K::NotFound,
    ] {
        yes.push(io::Error::from(kind).into());
    }
    if cfg!(unix) {
        const EMFILE: i32 = 24;
        let full = || io::Error::from_raw_os_error(EMFILE);
        yes.push(full().into());
        yes.push(Error::connect("127.0.0.1:1", full()));
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 520, 599] {
        yes.push(refused(status, ""));
    }
    for code in [
        ErrorCode::LIMIT,
        ErrorCode::CALM,
        ErrorCode::STALLED,
        ErrorCode::REFUSED,
        ErrorCode::TIMEOUT,
        ErrorCode::INTERNAL,
    ] {
        yes.push(ChannelFailure::Peer(code).into());
    }

    let mut no: Vec<Error> = vec![
        UrlError::Scheme.into(),
        Error::Tls {
            host: "venue.example".into(),
        },
        Error::NoReader,
        crate::Config::default()
            .fragments_max(0)
            .check()
            .expect_err("no fragments")
            .into(),
        Violation::ReservedBits.into(),
        Limit::Fragments { max: 1 }.into(),
        SendError::Closed.into(),
        SendError::TooLarge { len: 2, max: 1 }.into(),
        SendError::ControlTooLong { len: 126, max: 125 }.into(),
        SendError::InvalidCloseCode(1005).into(),
        SendError::MessageOpen.into(),
        SendError::InvalidUtf8 { at: 0 }.into(),
        ChannelViolation::BeforeHello.into(),
        WireError::Truncated.into(),
        ChannelFailure::Local(ErrorCode::INTERNAL).into(),
        ChannelSendError::TooLarge { len: 2, max: 1 }.into(),
        ChannelSendError::Finished.into(),
        ChannelSendError::Stopped(app).into(),
        ChannelSendError::Closed(ChannelFailure::Local(ErrorCode::PROTOCOL)).into(),
        ChannelSendError::UnknownChannel.into(),
        ChannelSendError::WrongMode.into(),
        ChannelSendError::BadRun.into(),
        OpenError::Options(
            crate::Config::default()
                .fragments_max(0)
                .check()
                .expect_err("no fragments"),
        )
        .into(),
        OpenError::Draining(app).into(),
        ChannelSendError::WrongDirection.into(),
        ChannelSendError::Rejected(app).into(),
        drained(true, app).into(),
        drained(false, ErrorCode::NO_ERROR).into(),
        OpenError::Closed(ChannelFailure::Peer(app)).into(),
        OpenError::UnknownChannel.into(),
        rejected(app, false),
        ChannelError::Aborted(app).into(),
        ChannelError::Evicted(ErrorCode::PROTOCOL).into(),
        ChannelError::NotReceiving.into(),
        RemoteError::Stopped.into(),
        RemoteError::Close(SendError::InvalidCloseCode(1005)).into(),
        TimerError::Token.into(),
        StartError::NotAgreed(None).into(),
        Error::NotUnited,
        #[cfg(feature = "hyper")]
        Error::OtherStream,
    ];
    for kind in [
        K::PermissionDenied,
        K::AddrInUse,
        K::AddrNotAvailable,
        K::InvalidInput,
        K::InvalidData,
        K::Unsupported,
        K::Other,
    ] {
        no.push(io::Error::from(kind).into());
    }
    for status in [300, 301, 400, 401, 403, 404, 407, 426, 501, 505] {
        no.push(refused(status, ""));
    }
    for code in [
        ErrorCode::PROTOCOL,
        ErrorCode::FLOW,
        ErrorCode::SIZE,
        ErrorCode(16),
        ErrorCode(u32::MAX),
    ] {
        no.push(ChannelFailure::Peer(code).into());
    }
    no.extend(handshake_errors().into_iter().map(Error::from));
    (yes, no)
}

/// Every handshake error except a refusal by the server.
fn handshake_errors() -> Vec<HandshakeError> {
    use HandshakeError as E;
    vec![
        E::HeadTooLarge { max: 1 },
        E::TargetTooLong { max: 1 },
        E::TooManyHeaders { max: 1 },
        E::BareLf,
        E::ObsoleteFolding,
        E::HeaderName,
        E::HeaderValue,
        E::StartLine,
        E::Method,
        E::MethodUnknown,
        E::HeadMethod(E::Upgrade.into()),
        E::Http2,
        E::HttpVersion,
        E::Target,
        E::MissingHeader("Host"),
        E::DuplicateHeader("Host"),
        E::Host,
        E::Body,
        E::Upgrade,
        E::Connection,
        E::Version,
        E::Key,
        E::Origin,
        E::Subprotocol,
        E::AcceptMismatch,
        E::SubprotocolNotRequested,
        E::SubprotocolNeeded(vec!["a".into()]),
        E::OriginNotAllowed("https://a.example".into()),
        E::ExtensionNotRequested,
        HandshakeUsage::Target.into(),
    ]
}

#[test]
fn is_transient_of_each_error() {
    let (yes, no) = table();
    for error in yes {
        assert!(error.is_transient(), "{error:?}");
    }
    for error in no {
        assert!(!error.is_transient(), "{error:?}");
    }
}

/// A report of the whole chain, as of anyhow, prints each text once.
#[test]
fn no_text_contains_the_text_of_its_source() {
    let (yes, no) = table();
    let mut errors: Vec<std::boxed::Box<dyn std::error::Error>> = Vec::new();
    errors.extend(yes.into_iter().chain(no).map(Into::into));
    errors.extend(handshake_errors().into_iter().map(Into::into));
    errors.push(Failure::Violation(Violation::ReservedBits).into());
    errors.push(ChannelFailure::Violation(ChannelViolation::Wire(WireError::Truncated)).into());
    errors.push(ChannelError::Failed(ChannelFailure::Lost(None)).into());
    errors.push(RemoteError::Close(SendError::Closed).into());
    errors.push(TimerError::Full(TimersFull).into());
    errors.push(io::Error::other(with_context("a call failed", io::Error::other("why"))).into());
    for error in &errors {
        let mut error: &dyn std::error::Error = &**error;
        while let Some(source) = error.source() {
            assert!(
                !error.to_string().contains(&source.to_string()),
                "{error:?}"
            );
            error = source;
        }
    }
}

/// The code stays available where the text has the failed operation.
#[test]
fn the_code_of_the_operating_system() {
    let os = || io::Error::from_raw_os_error(104);
    assert_eq!(Error::Io(os()).raw_os_error(), Some(104));
    assert_eq!(
        Error::connect("127.0.0.1:1", os()).raw_os_error(),
        Some(104)
    );
    assert_eq!(
        Error::resolve("venue.example", os()).raw_os_error(),
        Some(104)
    );
    assert_eq!(resolve().raw_os_error(), None);
    assert_eq!(Error::NoReader.raw_os_error(), None);
}

/// A server that asks for another attempt gets one.
#[test]
fn an_error_with_a_wait_is_transient() {
    for status in (300..=599).filter(|status| *status != 304) {
        let error = refused(status, "");
        let expected =
            matches!(status, 408 | 425 | 429) || status >= 500 && !matches!(status, 501 | 505);
        assert_eq!(error.is_transient(), expected, "{status}");
        for value in ["1", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"] {
            let error = refused(status, &format!("Retry-After: {value}\r\n"));
            assert_eq!(error.retry_after().is_some(), value != "soon", "{status}");
            assert_eq!(
                error.is_transient(),
                expected || value != "soon",
                "{status}"
            );
        }
    }
}

#[test]
fn is_transient_of_each_end() {
    let by_peer = |code| End::Closed {
        code,
        by_peer: true,
    };
    let transient = [
        CloseCode::GOING_AWAY,
        CloseCode::INTERNAL,
        CloseCode::SERVICE_RESTART,
        CloseCode::TRY_AGAIN_LATER,
        CloseCode::BAD_GATEWAY,
    ];
    for code in (0..=u16::MAX).map(CloseCode).filter(|c| c.is_sendable()) {
        assert_eq!(
            by_peer(Some(code)).is_transient(),
            transient.contains(&code),
            "{code}"
        );
        let by_this_end = End::Closed {
            code: Some(code),
            by_peer: false,
        };
        assert!(!by_this_end.is_transient(), "{code}");
    }
    for (end, expected) in [
        (by_peer(None), true),
        (End::Failed(Failure::Eof), true),
        (End::Failed(Failure::Io), true),
        (End::Failed(Failure::Deadline(Deadline::Idle)), true),
        (End::Failed(Violation::ReservedBits.into()), false),
        (End::Failed(Limit::Fragments { max: 1 }.into()), false),
        (by_peer(Some(CloseCode::TRY_AGAIN_LATER)), true),
        (by_peer(Some(CloseCode::NORMAL)), false),
    ] {
        assert_eq!(end.is_transient(), expected, "{end}");
        let error = Error::from(end);
        assert_eq!(
            (error.is_transient(), error.to_string()),
            (expected, end.to_string())
        );
        let ended = Ended::Session(end);
        assert_eq!(ended.to_string(), end.to_string());
        assert_eq!(Error::from(ended).to_string(), end.to_string());
    }
    let reset = || Ended::Io(io::ErrorKind::ConnectionReset.into());
    assert_eq!(reset().to_string(), Error::from(reset()).to_string());
    assert!(Error::from(reset()).is_transient());
    assert!(!Error::from(Ended::Stopped).is_transient());
}

#[test]
fn errors_that_return_a_value_convert() {
    fn convert<E: Into<Error>>(error: E) -> Error {
        error.into()
    }
    let message = Bytes::from_static(b"tick");
    let error = convert((SendError::Closed, message.clone()));
    assert!(matches!(error, Error::Send(SendError::Closed)));
    let error = convert((ChannelSendError::BadRun, message.clone()));
    assert!(matches!(
        error,
        Error::ChannelSend(ChannelSendError::BadRun)
    ));
    let error = convert((RemoteError::Full, message));
    assert!(matches!(error, Error::Remote(RemoteError::Full)));
    // A failure of all channels converts into one variant, whichever call reports it.
    let error = convert(ChannelError::Failed(ChannelFailure::Lost(None)));
    assert!(matches!(
        error,
        Error::ChannelsFailed(ChannelFailure::Lost(_))
    ));
}

#[test]
fn retry_after_of_seconds_and_dates() {
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let after = |headers: &str| refused(503, headers).retry_after();
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(after(""), None);
    assert_eq!(after("Retry-After: soon\r\n"), None);
    assert_eq!(after("Retry-After: 0\r\n"), seconds(0));
    assert_eq!(after("Retry-After: 120\r\n"), seconds(120));
    // At most a day.
    let longest = seconds(24 * 60 * 60);
    assert_eq!(after("Retry-After: 86401\r\n"), longest);
    assert_eq!(after("Retry-After: 99999999999999999999999\r\n"), longest);
    // A date in `Retry-After` is compared with the `Date` of the answer.
    let at = |at| after(&format!("{DATE}Retry-After: {at}\r\n"));
    assert_eq!(at("Sun, 06 Nov 1994 08:50:00 GMT"), seconds(23));
    assert_eq!(at("Sun, 06 Nov 1994 08:00:00 GMT"), seconds(0));
    assert_eq!(at("Fri, 31 Dec 1999 23:59:59 GMT"), longest);
    // Without a `Date`, it is compared with the local time.
    let from_now = |at| after(&format!("Retry-After: {at}\r\n"));
    assert_eq!(from_now("Sun, 06 Nov 1994 08:50:00 GMT"), seconds(0));
    assert_eq!(from_now("Fri, 31 Dec 9999 23:59:59 GMT"), longest);
    // Other errors have no wait.
    assert_eq!(Error::from(Failure::Eof).retry_after(), None);
    assert_eq!(refused(429, "Retry-After: 1\r\n").retry_after(), seconds(1));
}

/// Every error text fits in a log: one line, no full stop, at least three words.
/// `cargo test ... texts -- --nocapture` prints the table.
#[test]
fn texts_are_single_log_lines() {
    let (yes, no) = table();
    for error in yes.into_iter().chain(no) {
        let text = error.to_string();
        let kind = if error.is_transient() {
            "transient"
        } else {
            "permanent"
        };
        std::println!("| {kind} | {text} |");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        assert!(text.split(' ').count() >= 3, "{text}");
    }
}

/// A text says what happened, at which end, and what to do.
#[test]
fn texts_contain_cause_and_remedy() {
    for (error, expected) in [
        (
            Error::no_address("venue.example"),
            "cannot resolve the host venue.example: the name has no address; check the URL, and the DNS configuration of this machine",
        ),
        (
            Error::Tls {
                host: "venue.example".into(),
            },
            "the URL of venue.example is wss://, and TLS is not built in: connect and encrypt the stream yourself, then use connect_over(stream, url)",
        ),
        (
            Deadline::Pong.into(),
            "the peer answered no Ping within Config::pong_timeout: the peer hangs, or the network is down; connect again",
        ),
        (
            Failure::Eof.into(),
            "the stream ended without a Close frame: the peer or a network device between cut the connection",
        ),
        (
            Violation::ReservedOpcode(3).into(),
            "the peer broke a rule of RFC 6455: opcodes 3-7 and 11-15 are reserved (0x3); correct the peer",
        ),
        (
            Limit::Message { len: 9, max: 8 }.into(),
            "the peer sent a message of at least 9 bytes; Config::message_bytes_max is 8; raise the limit if messages of this size are expected",
        ),
        (
            SendError::Closed.into(),
            "not sent: the connection is closing or closed: open a new connection to send more",
        ),
        (
            RemoteError::Full.into(),
            "the reactor did not accept the command: its queue is full (8192 commands); try again later",
        ),
        (
            HandshakeUsage::Status(200).into(),
            "wrong call: status 200 cannot refuse a handshake: use 300-303 or 305-599",
        ),
        (
            refused(503, ""),
            "opening handshake failed: the server refused: 503 No",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

/// As [`texts_contain_cause_and_remedy`], for channels. Advice is given once, and none to the end that
/// ended the channels.
#[test]
fn texts_of_channels_contain_cause_and_remedy() {
    let app = ErrorCode::APPLICATION;
    for (error, expected) in [
        (
            ChannelFailure::Peer(ErrorCode::REFUSED).into(),
            "the peer ended the channels of the connection with REFUSED",
        ),
        (
            ChannelFailure::Local(ErrorCode::INTERNAL).into(),
            "this end ended the channels of the connection with INTERNAL",
        ),
        (
            ChannelViolation::BadCounter.into(),
            "the peer broke a rule of tickwire.mux.v1: a limit, epoch or sequence number must not go back or past its maximum; look for the fault at the peer",
        ),
        (
            ChannelSendError::Finished.into(),
            "not sent on the channel: this end has finished or reset its half of the channel: open another channel to send more",
        ),
        (
            ChannelError::NotReceiving.into(),
            "this end stopped receiving on the channel, or the channel's direction has no receive half at this end",
        ),
        (
            rejected(ErrorCode::REFUSED, true),
            "the peer rejected the channel with REFUSED and never looked at it: open it on another connection",
        ),
        (
            ChannelSendError::WrongDirection.into(),
            "not sent on the channel: only the peer sends on this channel: open a channel with another OpenOptions::direction",
        ),
        (
            ChannelSendError::Rejected(app).into(),
            "not sent on the channel: the channel was rejected with code 16: open another channel",
        ),
        (
            ChannelSendError::Closed(drained(true, app)).into(),
            "not sent on the channel: the connection has ended: the peer ended the connection while channels were still open (code 16); open the channel on another connection",
        ),
        (
            OpenError::Closed(drained(false, ErrorCode::NO_ERROR)).into(),
            "channel not opened: the connection has ended: this end ended the connection while channels were still open (NO_ERROR)",
        ),
        (
            drained(true, ErrorCode::NO_ERROR).into(),
            "the peer ended the connection while channels were still open (NO_ERROR); connect again",
        ),
        (
            drained(false, ErrorCode::NO_ERROR).into(),
            "this end ended the connection while channels were still open (NO_ERROR)",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

/// The text of a rejection contains its metadata, if that is text.
#[test]
fn texts_of_rejections_contain_their_reason() {
    for (error, expected) in [
        (
            rejected_with(b"no such book\x0a\"a\""),
            "the peer rejected the channel with REFUSED: no such book\\n\"a\"",
        ),
        (
            rejected_with(b"\x01\x02"),
            "the peer rejected the channel with REFUSED",
        ),
        (
            rejected_with(&[b'a'; 600]),
            &format!(
                "the peer rejected the channel with REFUSED: {}...",
                "a".repeat(512)
            ),
        ),
        (
            ChannelError::Aborted(ErrorCode::NO_ERROR).into(),
            "the peer gave up sending on the channel with NO_ERROR: a sender was dropped without finish, or its program ended; what was received before is incomplete",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}
