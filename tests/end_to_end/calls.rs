//! Single calls at their worst: bad pointers, absurd lengths, signals in the middle. The program gets what the kernel gives it.

use crate::harness::programs::program;
use crate::harness::{Trace, unharmed};

#[track_caller]
fn every_engine(name: &str) -> Vec<Trace> {
    let (outcome, traces) = unharmed(&["-v"], &[program(name)]);
    outcome.exited(0);
    traces
}

#[test]
fn bad_pointers() {
    for trace in every_engine("bad_pointers") {
        // Every failure is in the trace, with the pointer as strace shows it.
        assert!(
            trace
                .calls
                .iter()
                .filter(|call| call.result == "-1 EFAULT")
                .count()
                > 100,
            "{trace}"
        );
        trace.find("bind", "0x8, 16");
        trace.find("sendto", "0xffffffffffffffff, 8");
        assert_eq!(
            trace.find("connect", "NULL, 16").result,
            "-1 EFAULT",
            "{trace}"
        );
    }
}

#[test]
fn negative_and_huge_lengths() {
    for trace in every_engine("bad_lengths") {
        assert!(
            trace
                .named("sendto")
                .any(|call| call.result == "-1 EMSGSIZE"),
            "{trace}"
        );
        // No line is as long as a length claims to be.
        let longest = trace.text.lines().map(str::len).max();
        assert!(
            longest.is_some_and(|length| length < 4096),
            "a line of {longest:?} bytes{trace}"
        );
    }
}

#[test]
fn thousand_and_twenty_four_iovecs() {
    for trace in every_engine("iovecs") {
        for name in ["writev", "readv", "sendmsg", "recvmsg"] {
            assert_eq!(
                trace.named(name).next().and_then(|call| call.value()),
                Some(2048),
                "{name}{trace}"
            );
        }
        assert!(
            trace.named("writev").any(|call| call.result == "-1 EINVAL"),
            "{trace}"
        );
        assert!(
            trace
                .named("sendmsg")
                .any(|call| call.result == "-1 EMSGSIZE"),
            "{trace}"
        );
    }
}

#[test]
fn socket_addresses_of_every_length() {
    for trace in every_engine("sockaddr_lengths") {
        // 9 families, 15 lengths, three calls that take an address on two sockets and one that takes two.
        for (name, count) in [
            ("connect", 270),
            ("bind", 270),
            ("sendto", 135),
            ("getsockname", 135),
        ] {
            assert_eq!(trace.named(name).count(), count, "{name}{trace}");
        }
    }
}

#[test]
fn signals_interrupt_a_blocking_accept() {
    for trace in every_engine("interrupted_accept") {
        // As strace shows them: what the kernel does next depends on SA_RESTART, what the program gets is in its output.
        let accepts: Vec<_> = trace.named("accept").collect();
        assert_eq!(
            accepts.first().map(|call| call.result.as_str()),
            Some("? ERESTARTSYS"),
            "{trace}"
        );
        assert!(
            accepts
                .last()
                .and_then(|call| call.value())
                .is_some_and(|fd| fd > 2),
            "{trace}"
        );
        assert!(
            trace
                .named("poll")
                .any(|call| call.result == "? ERESTART_RESTARTBLOCK"),
            "{trace}"
        );
    }
}

#[test]
fn data_is_cut_at_its_limit_and_never_beyond_what_was_transferred() {
    let program = program("iovecs");
    for limit in ["4", "1000"] {
        let (_, trace) = crate::harness::traced(&["-s", limit, "-e", "trace=writev"], &[&program]);
        let line = &trace.named("writev").next().expect("a writev").line;
        let quoted: usize = line.split('"').skip(1).step_by(2).map(str::len).sum();
        assert!(
            quoted <= limit.parse().expect("a number"),
            "{quoted} bytes are shown of {limit}: {line}"
        );
        assert!(quoted >= 4, "{line}");
    }
}

#[test]
fn nothing_of_the_program_reaches_the_screen_unescaped() {
    let python = crate::harness::installed("python3");
    let code = "import socket; a, b = socket.socketpair(); a.send(bytes(range(256))); b.recv(999)
try: socket.socket(socket.AF_UNIX).connect('/no\\x1b[31m\\x07\\x9b/such\\n')
except OSError: pass";
    let (outcome, trace) = crate::harness::traced(
        &["-v", "-s", "300"],
        &[python.to_str().expect("a path in UTF-8"), "-c", code],
    );
    outcome.exited(0);
    assert!(
        !trace.text.chars().any(|c| c.is_control() && c != '\n'),
        "{trace:}"
    );
    trace.find("sendto", r"\33");
    trace.find("connect", "such");
}

#[test]
fn uses_after_close_are_told_and_files_are_not() {
    for trace in every_engine("use_after_close") {
        let told: Vec<_> = trace
            .calls
            .iter()
            .map(|call| (call.name.as_str(), call.result.as_str()))
            .filter(|(name, _)| *name != "socket")
            .collect();
        let expected = [
            ("close", "0"),
            ("write", "-1 EBADF"),
            ("read", "-1 EBADF"),
            ("close", "-1 EBADF"),
        ];
        assert_eq!(told, expected, "{trace}");
    }
}
