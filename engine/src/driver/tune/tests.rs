use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    string::ToString,
    time::Duration,
    vec::Vec,
};

use super::{pin::count_cores, *};

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A connected stream, and the two sockets that keep it connected.
fn stream() -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind(loopback()).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far, listener)
}

fn refusals(report: &TuneReport) -> Vec<(TuneOption, ErrorKind)> {
    report
        .refused
        .iter()
        .map(|refused| (refused.option, refused.error.kind()))
        .collect()
}

#[track_caller]
fn assert_refused(tune: &Tune, option: TuneOption, kind: ErrorKind) {
    let (near, _far, _listener) = stream();
    assert_eq!(refusals(&tune.apply(&near)), [(option, kind)], "{tune:?}");
}

#[test]
fn nodelay_can_be_turned_on_and_off() {
    let (near, _far, _listener) = stream();
    for on in [true, false, true] {
        assert!(Tune::new().nodelay(on).apply(&near).is_complete());
        assert_eq!(Tune::read_back(&near).nodelay, Some(on));
        assert_eq!(near.nodelay().unwrap(), on, "std reads another value");
    }
}

#[test]
fn buffers_are_granted_or_refused() {
    let (near, _far, _listener) = stream();
    let (recv, send) = (48 * 1024, 24 * 1024);
    let tune = Tune::new().recv_buffer_bytes(recv).send_buffer_bytes(send);
    assert!(tune.apply(&near).is_complete());
    let tuned = Tune::read_back(&near);
    let factor = if cfg!(target_os = "linux") { 2 } else { 1 };
    assert_eq!(tuned.recv_buffer_bytes, Some(recv * factor));
    assert_eq!(tuned.send_buffer_bytes, Some(send * factor));
}

#[test]
fn invalid_buffer_sizes_are_refused() {
    for bytes in [0, i32::MAX as usize + 1, usize::MAX] {
        assert_refused(
            &Tune::new().recv_buffer_bytes(bytes),
            TuneOption::RecvBuffer,
            ErrorKind::InvalidInput,
        );
        assert_refused(
            &Tune::new().send_buffer_bytes(bytes),
            TuneOption::SendBuffer,
            ErrorKind::InvalidInput,
        );
    }
}

/// Linux halves this size before it doubles it, whatever the cap is.
#[cfg(target_os = "linux")]
#[test]
fn a_buffer_reduced_by_the_cap_is_reported() {
    let bytes = i32::MAX as usize;
    assert_refused(
        &Tune::new().recv_buffer_bytes(bytes),
        TuneOption::RecvBuffer,
        ErrorKind::QuotaExceeded,
    );
    assert_refused(
        &Tune::new().send_buffer_bytes(bytes),
        TuneOption::SendBuffer,
        ErrorKind::QuotaExceeded,
    );
}

#[cfg(unix)]
#[test]
fn keepalive_is_set_and_rounded_up() {
    let (near, _far, _listener) = stream();
    assert_eq!(Tune::read_back(&near).keepalive, None);
    let asked = KeepaliveTune {
        idle: Duration::from_millis(30_001),
        interval: Duration::from_millis(1),
        retries: 3,
    };
    assert!(Tune::new().keepalive(asked).apply(&near).is_complete());
    let expected = KeepaliveTune {
        idle: Duration::from_secs(31),
        interval: Duration::from_secs(1),
        retries: 3,
    };
    assert_eq!(Tune::read_back(&near).keepalive, Some(expected));
}

#[cfg(target_os = "linux")]
#[test]
fn the_report_names_the_refused_keepalive_parameter() {
    let day = Duration::from_secs(86_400);
    let good = KeepaliveTune::default();
    let cases = [
        (
            KeepaliveTune { idle: day, ..good },
            TuneOption::KeepaliveIdle,
        ),
        (
            KeepaliveTune {
                idle: Duration::ZERO,
                ..good
            },
            TuneOption::KeepaliveIdle,
        ),
        (
            KeepaliveTune {
                interval: day,
                ..good
            },
            TuneOption::KeepaliveInterval,
        ),
        (
            KeepaliveTune { retries: 0, ..good },
            TuneOption::KeepaliveRetries,
        ),
        (
            KeepaliveTune {
                retries: 128,
                ..good
            },
            TuneOption::KeepaliveRetries,
        ),
        (
            KeepaliveTune {
                retries: u32::MAX,
                ..good
            },
            TuneOption::KeepaliveRetries,
        ),
    ];
    for (keepalive, option) in cases {
        assert_refused(
            &Tune::new().keepalive(keepalive),
            option,
            ErrorKind::InvalidInput,
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn linux_options_are_set_and_read_back() {
    let (near, _far, _listener) = stream();
    let tune = Tune::new()
        .notsent_lowat_bytes(12_345)
        .user_timeout(Duration::from_micros(1_500_500))
        .busy_poll_micros(0);
    let report = tune.apply(&near);
    assert!(report.is_complete(), "{report}");
    let tuned = Tune::read_back(&near);
    assert_eq!(tuned.notsent_lowat_bytes, Some(12_345));
    assert_eq!(tuned.user_timeout, Some(Duration::from_millis(1_501)));
    assert_eq!(tuned.busy_poll_micros, Some(0));
}

/// An unconnected socket, so that no segment changes the state behind the options.
#[cfg(target_os = "linux")]
#[test]
fn quickack_and_incoming_cpu_are_set() {
    let (socket, _) = Tune::new().socket_for_connect(loopback()).unwrap();
    assert_eq!(Tune::read_back(&socket).incoming_cpu, None);
    assert!(Tune::new().incoming_cpu(1).apply(&socket).is_complete());
    assert_eq!(Tune::read_back(&socket).incoming_cpu, Some(1));
    for on in [false, true] {
        assert!(Tune::new().quickack(on).apply(&socket).is_complete());
        assert_eq!(Tune::read_back(&socket).quickack, Some(on));
    }
}

/// A higher value needs a privilege that the test process may lack: then the refusal must be
/// reported.
#[cfg(target_os = "linux")]
#[test]
fn busy_poll_is_set_or_reported() {
    let (near, _far, _listener) = stream();
    let micros = 1_000_000;
    let report = Tune::new().busy_poll_micros(micros).apply(&near);
    let in_force = Tune::read_back(&near).busy_poll_micros;
    match refusals(&report).as_slice() {
        [] => assert_eq!(in_force, Some(micros)),
        [(TuneOption::BusyPoll, ErrorKind::PermissionDenied)] => assert_ne!(in_force, Some(micros)),
        // The kernel was built without this option.
        [(TuneOption::BusyPoll, _)] => assert_eq!(in_force, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_above_a_c_int_are_refused() {
    let beyond = i32::MAX as u32 + 1;
    for value in [beyond, u32::MAX] {
        assert_refused(
            &Tune::new().notsent_lowat_bytes(value),
            TuneOption::NotsentLowat,
            ErrorKind::InvalidInput,
        );
        assert_refused(
            &Tune::new().busy_poll_micros(value),
            TuneOption::BusyPoll,
            ErrorKind::InvalidInput,
        );
        assert_refused(
            &Tune::new().incoming_cpu(value),
            TuneOption::IncomingCpu,
            ErrorKind::InvalidInput,
        );
    }
    for timeout in [
        Duration::ZERO,
        Duration::from_millis(beyond.into()),
        Duration::MAX,
    ] {
        assert_refused(
            &Tune::new().user_timeout(timeout),
            TuneOption::UserTimeout,
            ErrorKind::InvalidInput,
        );
    }
}

#[cfg(not(target_os = "linux"))]
#[test]
fn what_the_platform_lacks_is_reported() {
    assert_refused(
        &Tune::new().busy_poll_micros(1),
        TuneOption::BusyPoll,
        ErrorKind::Unsupported,
    );
}

/// A socket without TCP: the kernel refuses TCP options.
#[cfg(unix)]
#[test]
fn a_refusal_of_the_kernel_is_reported() {
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let report = Tune::new().apply(&near);
    assert_eq!(report.refused.len(), 1, "{report}");
    assert_eq!(report.refused[0].option, TuneOption::Nodelay);
    assert!(report.refused[0].error.raw_os_error().is_some());
}

#[test]
fn strict_turns_a_report_into_an_error() {
    let (near, _far, _listener) = stream();
    let bad = Tune::new().recv_buffer_bytes(0).send_buffer_bytes(0);
    assert!(!bad.is_strict());
    let report = bad.apply_or_fail(&near).unwrap();
    assert_eq!(report.refused.len(), 2);
    assert_eq!(report.into_result().unwrap_err().refused().len(), 2);

    let bad = bad.strict(true);
    assert!(bad.is_strict());
    assert_eq!(bad.apply_or_fail(&near).unwrap_err().refused().len(), 2);
    for error in [
        bad.listen(loopback()).unwrap_err(),
        bad.socket_for_connect(loopback()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<TuneError>());
        assert_eq!(inner.unwrap().refused().len(), 2);
    }

    let good = Tune::new().strict(true);
    assert!(good.apply_or_fail(&near).unwrap().is_complete());
    assert!(good.apply(&near).into_result().is_ok());
}

#[test]
fn a_report_prints_one_line_for_each_refusal() {
    let (near, _far, _listener) = stream();
    assert_eq!(Tune::new().apply(&near).to_string(), "");
    let report = Tune::new()
        .recv_buffer_bytes(0)
        .user_timeout(Duration::ZERO)
        .send_buffer_bytes(0)
        .apply(&near);
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, name) in lines.iter().zip(["SO_RCVBUF", "SO_SNDBUF", "USER_TIMEOUT"]) {
        assert!(line.contains(name) && line.contains("refused: "), "{line}");
    }
    assert_eq!(report.into_result().unwrap_err().to_string(), text);
}

#[test]
fn a_listener_accepts_without_blocking() {
    let (listener, report) = Tune::new().listen(loopback()).unwrap();
    assert!(report.is_complete(), "{report}");
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[cfg(unix)]
#[test]
fn two_listeners_share_a_port_only_with_reuse_port() {
    let shared = Tune::new().reuse_port(true);
    let (first, report) = shared.listen(loopback()).unwrap();
    assert!(report.is_complete(), "{report}");
    let addr = first.local_addr().unwrap();
    let (second, _) = shared.listen(addr).unwrap();
    assert_eq!(second.local_addr().unwrap(), addr);
    assert_eq!(Tune::read_back(&second).reuse_port, Some(true));
    assert_eq!(Tune::read_back(&second).reuse_address, Some(true));

    let error = Tune::new().listen(addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    assert!(error.to_string().contains("set reuse_port"), "{error}");
}

#[test]
fn a_port_in_use_is_named() {
    let (first, _) = Tune::new().reuse_address(false).listen(loopback()).unwrap();
    let addr = first.local_addr().unwrap();
    for tune in [Tune::new(), Tune::new().reuse_port(true)] {
        let error = tune.listen(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    }
}

#[test]
fn an_invalid_backlog_is_an_error() {
    for backlog in [0, i32::MAX as u32 + 1, u32::MAX] {
        let error = Tune::new().backlog(backlog).listen(loopback()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(Tune::new().backlog(1).listen(loopback()).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn a_backlog_above_the_cap_is_reported() {
    let cap = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let cap: u32 = cap.trim().parse().unwrap();
    let (_, at) = Tune::new().backlog(cap).listen(loopback()).unwrap();
    assert!(at.is_complete(), "{at}");
    if cap < i32::MAX as u32 {
        let (_, above) = Tune::new().backlog(cap + 1).listen(loopback()).unwrap();
        assert_eq!(
            refusals(&above),
            [(TuneOption::Backlog, ErrorKind::QuotaExceeded)]
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn accepted_streams_inherit_the_buffers() {
    let tune = Tune::new()
        .recv_buffer_bytes(32 * 1024)
        .send_buffer_bytes(32 * 1024);
    let (listener, _) = tune.listen(loopback()).unwrap();
    listener.set_nonblocking(false).unwrap();
    let _near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let tuned = Tune::read_back(&far);
    assert_eq!(tuned.recv_buffer_bytes, Some(64 * 1024));
    assert_eq!(tuned.send_buffer_bytes, Some(64 * 1024));
}

/// Every preset is set completely on a default Linux, and a byte travels in both directions.
#[test]
fn presets_are_complete_and_carry_data() {
    for tune in [
        Tune::default(),
        Tune::low_latency(),
        Tune::throughput(),
        Tune::many_connections(),
    ] {
        let (listener, _) = tune.listen(loopback()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let addr = listener.local_addr().unwrap();
        let (socket, report) = tune.socket_for_connect(addr).unwrap();
        if cfg!(target_os = "linux") {
            assert!(report.is_complete(), "{report}");
        }
        // Blocking from here on: loopback connects without an accept, and reads wait.
        socket.set_nonblocking(false).unwrap();
        socket.connect(&addr.into()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        far.set_nonblocking(false).unwrap();
        far.write_all(b"x").unwrap();
        let mut near = TcpStream::from(socket);
        let mut byte = [0];
        near.read_exact(&mut byte).unwrap();
        near.write_all(&byte).unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }
}

#[cfg(unix)]
#[test]
fn a_socket_for_connect_does_not_block() {
    let (socket, _) = Tune::new().socket_for_connect(loopback()).unwrap();
    assert!(socket.nonblocking().unwrap());
}

#[test]
fn lists_of_cores() {
    let cases = [
        ("0\n", Some(1)),
        ("0-1\n", Some(2)),
        ("0-3,6,8-9", Some(7)),
        ("", None),
        ("0-", None),
        ("3-1", None),
        ("a", None),
        ("0-18446744073709551615", None),
    ];
    for (list, count) in cases {
        assert_eq!(count_cores(list), count, "{list:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pinning_affects_one_thread_only() {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let before = sched_getaffinity(None).unwrap();
    let core = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|&core| before.is_set(core))
        .unwrap();
    let online = cores();
    let inside = std::thread::spawn(move || {
        pin_current_thread(core).unwrap();
        assert_eq!(cores(), online, "a pinned thread counts all cores");
        sched_getaffinity(None).unwrap()
    });
    let inside = inside.join().unwrap();
    assert!(inside.is_set(core));
    assert_eq!(inside.count(), 1);
    assert_eq!(sched_getaffinity(None).unwrap(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_core_that_does_not_exist_is_named() {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let before = sched_getaffinity(None).unwrap();
    for core in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
        let error = pin_current_thread(core).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.contains(&std::format!("core {core} ")), "{text}");
    }
    assert_eq!(sched_getaffinity(None).unwrap(), before);
    assert!(cores() >= 1);
}
