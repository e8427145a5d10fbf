//! Entry points that take a configuration, and what each says of one that cannot work.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tickwire::channels::{
    ChannelConfig, ChannelSession, ChannelSocket, Multiplexed, Mux, SUBPROTOCOL, StartError,
};
use tickwire::handshake::{Accept, HeadLimits};
use tickwire::net::Tune;
use tickwire::reactor::{
    Outgoing, Reactor, ReactorOptions, Reactors, ReactorsOptions, TokioReactor,
};
use tickwire::sans_io::{Entropy, Session};
use tickwire::{
    Config, ConfigError, Connector, Delivery, Error, Incoming, Listener, Parts, Role, Timestamp,
    WebSocket,
};

use super::channels_fixture;
use super::fixture::{App, Event, LONG, On, Running, calm, options};

fn broken() -> Config {
    Config::default().fragments_max(0)
}

fn broken_channels() -> ChannelConfig {
    ChannelConfig::default().channels_max(0)
}

fn no_heads() -> HeadLimits {
    HeadLimits::default().head_bytes_max(0)
}

fn no_backlog() -> Tune {
    Tune::new().backlog(0)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("in time") })
}

/// The error is of this field.
#[track_caller]
fn names<T>(result: Result<T, impl Into<Error>>, field: &str) {
    match result.map(drop).map_err(Into::into) {
        Err(Error::Config(error)) => assert_eq!(error.field(), field, "{error}"),
        other => panic!("{other:?}, and not {field}"),
    }
}

/// An address that nobody listens on.
fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

#[test]
fn connecting_checks_the_config_first() {
    let to = nowhere();
    let url = format!("ws://{to}/");
    for (connector, field) in [
        (Connector::new().config(broken()), "Config::fragments_max"),
        (
            Connector::new().limits(no_heads()),
            "HeadLimits::head_bytes_max",
        ),
        (
            Connector::new().connect_timeout(Duration::ZERO),
            "Connector::connect_timeout",
        ),
    ] {
        run(async {
            names(connector.connect(&url).await, field);
            names(connector.connect_to(to, &url).await, field);
            let (stream, _peer) = tokio::io::duplex(1024);
            names(connector.connect_over(stream, &url).await, field);
        });
    }
}

#[test]
fn connecting_with_channels_checks_both_configs_first() {
    let url = format!("ws://{}/", nowhere());
    let channels = ChannelConfig::default;
    let below = |config| Connector::new().config(config);
    let parts = Config::default().delivery(Delivery::Parts);
    let small = |bytes| Config::default().send_queue_bytes_max(bytes);
    for (connector, config, field) in [
        (
            Connector::new(),
            broken_channels(),
            "ChannelConfig::channels_max",
        ),
        (below(broken()), channels(), "Config::fragments_max"),
        (below(parts), channels(), "Config::delivery"),
        (
            below(Config::default().message_bytes_max(1000)),
            channels(),
            "Config::message_bytes_max",
        ),
        (
            below(Config::default().frame_bytes_max(1000)),
            channels(),
            "Config::frame_bytes_max",
        ),
        (
            below(small(100_000)),
            channels(),
            "Config::send_queue_bytes_max",
        ),
    ] {
        run(async {
            names(
                ChannelSocket::connect_with(&connector, &url, config).await,
                field,
            )
        });
    }
}

#[test]
fn listening_checks_the_config_first() {
    for (builder, field) in [
        (
            Listener::builder().config(broken()),
            "Config::fragments_max",
        ),
        (
            Listener::builder().limits(no_heads()),
            "HeadLimits::head_bytes_max",
        ),
        (Listener::builder().tune(no_backlog()), "Tune::backlog"),
    ] {
        run(async {
            names(builder.clone().bind("127.0.0.1:0").await, field);
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            names(builder.from_std(listener), field);
        });
    }
}

#[test]
fn reading_a_request_checks_the_config_first() {
    run(async {
        let incoming = || Incoming::new(tokio::io::duplex(1024).0);
        names(
            incoming().config(broken()).request().await,
            "Config::fragments_max",
        );
        names(
            incoming().config(broken()).accept().await,
            "Config::fragments_max",
        );
        names(
            incoming().limits(no_heads()).request().await,
            "HeadLimits::head_bytes_max",
        );
    });
}

#[test]
fn accepting_a_request_checks_the_config_first() {
    run(async {
        for with in [false, true] {
            let (ours, theirs) = tokio::io::duplex(4096);
            let client = tokio::spawn(async move {
                let _ = Connector::new().connect_over(ours, "ws://h/").await;
            });
            let upgrade = Incoming::new(theirs).request().await.expect("a request");
            let upgrade = upgrade.config(broken());
            let accepted = if with {
                upgrade.accept_with(&Accept::new()).await
            } else {
                upgrade.accept().await
            };
            names(accepted, "Config::fragments_max");
            client.await.expect("no panic");
        }
    });
}

/// A client that offers the channels, and the request as the server sees it.
async fn offered() -> (
    tokio::task::JoinHandle<()>,
    Incoming<tokio::io::DuplexStream>,
) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let client = tokio::spawn(async move {
        let options = tickwire::handshake::ClientOptions::new();
        let options = options.subprotocol(SUBPROTOCOL).expect("a token");
        let connector = Connector::new().options(options);
        // The server may refuse it.
        if let Ok(mut socket) = connector.connect_over(ours, "ws://h/").await {
            let _ = socket.recv().await;
        }
    });
    (client, Incoming::new(theirs))
}

#[test]
fn accepting_channels_checks_their_config() {
    run(async {
        let (client, incoming) = offered().await;
        names(
            ChannelSocket::accept_from(incoming, broken_channels()).await,
            "ChannelConfig::channels_max",
        );
        client.await.expect("no panic");

        let (client, incoming) = offered().await;
        let upgrade = incoming.request().await.expect("a request");
        names(
            ChannelSocket::accept_upgrade(upgrade, &Accept::new(), broken_channels()).await,
            "ChannelConfig::channels_max",
        );
        client.await.expect("no panic");

        let (client, incoming) = offered().await;
        let upgrade = incoming.request().await.expect("a request");
        let accept = Accept::new().subprotocol(SUBPROTOCOL);
        let socket = upgrade.accept_with(&accept).await.expect("a connection");
        names(
            ChannelSocket::start(socket, broken_channels()),
            "ChannelConfig::channels_max",
        );
        client.await.expect("no panic");
    });
}

#[test]
fn taking_a_connection_over_checks_the_config() {
    run(async {
        let parts = Parts::new(tokio::io::duplex(64).0, Role::Server);
        names(
            WebSocket::from_parts(parts, broken()),
            "Config::fragments_max",
        );
    });
}

#[test]
fn a_session_checks_its_config() {
    let entropy = Entropy([0; 32]);
    let session = Session::new(Role::Server, broken(), entropy, &[], Timestamp(0));
    names(session, "Config::fragments_max");
}

#[test]
fn channels_check_their_config() {
    const FIELD: &str = "ChannelConfig::channels_max";
    names(Mux::new(broken_channels(), Timestamp(0)), FIELD);
    names(
        ChannelSession::check(&broken_channels(), &Config::default()),
        FIELD,
    );
    names(
        ChannelSession::check(&ChannelConfig::default(), &broken()),
        "Config::fragments_max",
    );
    names(
        Multiplexed::new(channels_fixture::App::new().0, broken_channels()),
        FIELD,
    );
    let entropy = Entropy([0; 32]);
    let session = Session::new(Role::Server, Config::default(), entropy, &[], Timestamp(0));
    let mut session = session.expect("a config that works");
    let outbox = session.outbox();
    let started = ChannelSession::start(broken_channels(), Some(SUBPROTOCOL), outbox, Timestamp(0));
    let error: ConfigError = match started.map(drop).expect_err("a config that cannot work") {
        StartError::Config(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(error.field(), FIELD);
}

/// Options of a reactor of which one cannot work, and its field.
fn broken_options() -> [(ReactorOptions, &'static str); 5] {
    let options = ReactorOptions::default;
    [
        (options().config(broken()), "Config::fragments_max"),
        (
            options().head_limits(no_heads()),
            "HeadLimits::head_bytes_max",
        ),
        (options().tune(no_backlog()), "Tune::backlog"),
        (
            options().recv_buffer_bytes(0),
            "ReactorOptions::recv_buffer_bytes",
        ),
        (options().events_max(0), "ReactorOptions::events_max"),
    ]
}

#[test]
fn a_reactor_checks_its_options() {
    for (options, field) in broken_options() {
        names(Reactor::new(App::new().0, options), field);
    }
}

#[test]
fn a_reactor_on_a_runtime_checks_its_options() {
    for (options, field) in broken_options() {
        names(TokioReactor::new(App::new().0, options), field);
    }
    let pinned = ReactorOptions::default().core(Some(0));
    names(
        TokioReactor::new(App::new().0, pinned),
        "ReactorOptions::core",
    );
}

#[test]
fn a_group_of_reactors_checks_its_options() {
    let start = |options: ReactorsOptions| {
        let addr = "127.0.0.1:0".parse().expect("an address");
        Reactors::start(addr, &options, |_| App::new().0)
    };
    let options = ReactorsOptions::default;
    names(start(options().threads(0)), "ReactorsOptions::threads");
    names(
        start(options().first_core(Some(usize::MAX))),
        "ReactorsOptions::first_core",
    );
    for (each, field) in broken_options() {
        names(start(options().each(each)), field);
    }
}

#[test]
fn a_connection_of_a_reactor_checks_its_config() {
    for on in [On::Mio, On::Tokio] {
        let (app, events) = App::new();
        let client = Running::start(on, app, options(calm()));
        let to = nowhere();
        let outgoing = Outgoing::at(to, &format!("ws://{to}/")).expect("a URL");
        client.connect_with(outgoing.token(7).config(broken()));
        let error = events.find(|event| match event {
            Event::ConnectFailed(7, error) => Some(error),
            _ => None,
        });
        names(Err::<(), _>(error), "Config::fragments_max");
        client.stop();
    }
}

/// The scheme is refused before the name is looked up; a name that is not found is named.
#[test]
fn urls_of_outgoing_connections() {
    // RFC 6761: this name is never resolved.
    const HOST: &str = "nowhere.invalid";
    for error in [
        Outgoing::to(&format!("wss://{HOST}/")),
        Outgoing::at(nowhere(), &format!("wss://{HOST}/")),
    ]
    .map(|outgoing| outgoing.map(drop).expect_err("no TLS"))
    {
        assert!(matches!(&error, Error::Tls { host } if host == HOST));
        assert!(error.to_string().contains(HOST), "{error}");
    }
    let by_reactor = Outgoing::to(&format!("ws://{HOST}/")).map(drop);
    let by_task = run(async { tickwire::connect(&format!("ws://{HOST}/")).await.map(drop) });
    for result in [by_reactor, by_task] {
        let error = result.expect_err("no such name");
        assert!(matches!(&error, Error::Resolve { host, .. } if host == HOST));
        assert!(error.to_string().contains(HOST), "{error}");
        assert!(error.is_transient());
    }
}

/// Whoever reads a log learns where the connection was to go.
#[test]
fn a_failed_connection_names_its_address() {
    for on in [On::Mio, On::Tokio] {
        let (app, events) = App::new();
        let client = Running::start(on, app, options(calm()));
        let to = nowhere();
        client.connect(to, 7);
        let error = events.find(|event| match event {
            Event::ConnectFailed(7, error) => Some(error),
            _ => None,
        });
        assert!(error.to_string().contains(&to.to_string()), "{error}");
        assert!(error.is_transient(), "{error}");
        client.stop();
    }
}
