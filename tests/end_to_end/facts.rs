//! The trace says what the kernel says: getsockname, /proc/net/tcp and ss; and it says what strace says of the same program.

use std::collections::HashMap;

use crate::harness::programs::program;
use crate::harness::trace::Call;
use crate::harness::{
    Job, Trace, command, installed, run, scratch, servers, sockstrace, text, traced,
};

#[test]
fn addresses_are_those_of_the_kernel() {
    let server = servers::silent();
    let directory = scratch();
    let file = directory.path().join("trace");
    // Connects, says its own name and the inode, and waits to be told to end.
    let code = format!(
        "import socket, os, sys
s = socket.create_connection(('127.0.0.1', {})); s.send(b'hello')
print(s.getsockname()[1], os.fstat(s.fileno()).st_ino, s.fileno(), flush=True); s.recv(1)",
        server.port()
    );
    let job = Job::start(sockstrace(
        &["-v", "-o", text(&file)],
        &[text(&installed("python3")), "-c", &code],
    ));
    let (port, inode, descriptor) = job.until("the program's own words", || {
        let output = job.stdout().text();
        let mut words = output.strip_suffix('\n')?.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, words.next()?))
    });

    // /proc/net/tcp: that inode has these two ends, in state 1 (established).
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let row: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|row| row.get(9) == Some(&inode.as_str()))
        .expect("the inode in /proc/net/tcp");
    let port_of =
        |end: &str| u16::from_str_radix(end.rsplit(':').next().unwrap_or_default(), 16).ok();
    assert_eq!(
        (port_of(row[1]), port_of(row[2]), row[3]),
        (port.parse().ok(), Some(server.port()), "01")
    );
    // ss says the same.
    let mut ss = command(installed("ss"));
    ss.args(["-tnH", "state", "established", &format!("sport = :{port}")]);
    let ss = run(ss).exited(0).stdout.text();
    assert!(
        ss.contains(&format!("127.0.0.1:{port}")) && ss.contains(&server.to_string()),
        "{ss}"
    );

    // And so does the trace, while all this is so.
    let trace = job.until("recv in the trace", || {
        Trace::read(&file)
            .ok()
            .filter(|trace| trace.text.contains("recvfrom("))
    });
    let connect = trace.find("connect", &server.to_string());
    assert_eq!(
        connect.descriptor().map(|fd| fd.to_string()),
        Some(descriptor),
        "{trace}"
    );
    trace.has(&format!("127.0.0.1:{port}"));
    job.signal(nix::sys::signal::Signal::SIGTERM);
    job.finish().killed_by(15);
}

#[test]
fn accepted_peers_are_those_that_connected() {
    let (_, trace) = traced(&["-v"], &[program("sequence")]);
    let listener = trace.named("getsockname").next().expect("a getsockname");
    let listening = addresses(&listener.arguments);
    let connected = addresses(&trace.find("connect", "127.0.0.1").arguments);
    assert_eq!(connected, listening, "{trace}");
    let peer = addresses(&trace.named("accept4").next().expect("an accept4").arguments);
    assert!(
        trace
            .text
            .contains(&format!("{} ← {}", connected[0], peer[0])),
        "the connection's two ends are told{trace}"
    );
}

/// One call as both tracers tell it.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    name: String,
    descriptor: Option<i32>,
    result: String,
    addresses: Vec<String>,
}

/// Every address and port in the arguments, in one form: `127.0.0.1:80`, `[::1]:80`.
fn addresses(arguments: &str) -> Vec<String> {
    let mut found = Vec::new();
    // strace: {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}
    for part in arguments.split("_port=htons(").skip(1) {
        let port = part.split(')').next().unwrap_or_default();
        let quoted = part.split('"').nth(1).unwrap_or_default();
        found.push(if quoted.contains(':') {
            format!("[{quoted}]:{port}")
        } else {
            format!("{quoted}:{port}")
        });
    }
    if !found.is_empty() {
        return found;
    }
    // Ours: 127.0.0.1:80 as a word of its own.
    let end = |c: char| matches!(c, ' ' | ',' | '{' | '}' | '=') || c == '"';
    found.extend(
        arguments
            .split(end)
            .filter(|word| word.parse::<std::net::SocketAddr>().is_ok())
            .map(str::to_owned),
    );
    found
}

/// The calls in comparable form: ports that the kernel chose are numbered in the order in which they appear. (In a program of
/// hundreds of sockets the kernel gives the same one twice, or not: there, `many`, it only counts that it is one.)
fn facts(trace: &Trace, many: bool) -> Vec<Fact> {
    let mut ports: HashMap<String, usize> = HashMap::new();
    let mut number = |address: String| {
        let (ip, port) = address.rsplit_once(':').unwrap_or((&address, "0"));
        let next = if many { 1 } else { ports.len() + 1 };
        let port = match port {
            "0" => 0,
            _ => *ports.entry(port.to_owned()).or_insert(next),
        };
        format!("{ip}:port {port}")
    };
    trace
        .calls
        .iter()
        .map(|call| Fact {
            name: call.name.clone(),
            descriptor: call.descriptor(),
            // strace -yy writes what a returned descriptor is behind it.
            result: call.result.split('<').next().unwrap_or_default().to_owned(),
            addresses: addresses(&call.arguments)
                .into_iter()
                .map(&mut number)
                .collect(),
        })
        .collect()
}

const CALLS: &str = "socket,socketpair,bind,listen,accept,accept4,connect,getsockname,getpeername,sendto,sendmsg,recvfrom,recvmsg,read,\
                     readv,write,writev,shutdown,setsockopt,getsockopt,close,dup,ioctl";

/// Those among them that other descriptors take too.
const GENERAL: [&str; 7] = ["read", "readv", "write", "writev", "close", "dup", "ioctl"];

/// Whether strace's call is one that we tell: any that only sockets take, and the others on what -yy shows to be a socket.
fn concerns_sockets(call: &Call) -> bool {
    let first = call.arguments.split([',', ' ']).next().unwrap_or_default();
    let kind = first.split_once('<').map(|(_, kind)| kind);
    !GENERAL.contains(&call.name.as_str())
        || kind.is_some_and(|kind| {
            ["TCP", "UDP", "UNIX", "socket:"]
                .iter()
                .any(|name| kind.starts_with(name))
        })
}

#[test]
fn same_calls_as_strace() {
    for name in [
        "sequence",
        "bad_pointers",
        "bad_lengths",
        "sockaddr_lengths",
        "iovecs",
        "dup_over",
        "cloexec",
    ] {
        let directory = scratch();
        let file = directory.path().join("strace");
        let program = program(name);
        let mut strace = command(installed("strace"));
        strace.args([
            "-f",
            "-yy",
            "-o",
            text(&file),
            "-e",
            &format!("trace={CALLS}"),
            text(&program),
        ]);
        run(strace).exited(0);
        let mut theirs = Trace::read(&file).expect("strace's trace");
        theirs.calls.retain(concerns_sockets);
        let many = name != "sequence";
        let theirs = facts(&theirs, many);
        assert!(theirs.len() > 3, "strace has seen {name}: {theirs:?}");
        for engine in crate::harness::ENGINES {
            let (_, mut ours) = traced(&["-v", "--engine", engine, "-e", CALLS], &[&program]);
            // Uses of a socket's number after its close are told by us alone.
            ours.calls.retain(|call| {
                CALLS.split(',').any(|name| name == call.name)
                    && !(GENERAL.contains(&call.name.as_str()) && call.result == "-1 EBADF")
            });
            let told = facts(&ours, many);
            for (at, (our, their)) in told.iter().zip(&theirs).enumerate() {
                assert_eq!(
                    our, their,
                    "call {at} of {name} by us (left) and by strace (right), --engine {engine}: {}",
                    ours.calls[at].line
                );
            }
            assert_eq!(
                told.len(),
                theirs.len(),
                "calls of {name} by us and by strace, --engine {engine}{ours}"
            );
        }
    }
}

#[test]
fn same_count_of_calls_as_strace_with_threads() {
    let directory = scratch();
    let file = directory.path().join("strace");
    let program = program("threads");
    let mut strace = command(installed("strace"));
    strace.args([
        "-f",
        "-o",
        text(&file),
        "-e",
        "trace=socket,bind,getsockname,sendto,recvfrom",
        text(&program),
    ]);
    run(strace).exited(0);
    let theirs = std::fs::read_to_string(&file).expect("strace's trace");
    let (_, ours) = traced(&["-v"], &[&program]);
    for name in ["socket", "bind", "getsockname", "sendto", "recvfrom"] {
        let finished = ours.named(name).count();
        // A call that strace had to cut in two counts once, where it is resumed.
        let whole = theirs
            .lines()
            .filter(|line| line.contains(&format!(" {name}(")) && !line.contains("<unfinished"))
            .count();
        let resumed = theirs
            .lines()
            .filter(|line| line.contains(&format!("<... {name} resumed")))
            .count();
        assert_eq!(finished, whole + resumed, "{name}{ours}");
    }
}

#[test]
fn times_and_sizes_are_those_of_the_calls() {
    // A call that takes a known time: recv with a timeout of 0.3 s.
    let code = "import socket
a, b = socket.socketpair(); a.settimeout(None)
import struct
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 300000))
try: a.recv(1)
except BlockingIOError: print('timed out')";
    let (outcome, trace) = traced(&["-v", "-T"], &[text(&installed("python3")), "-c", code]);
    assert_eq!(outcome.exited(0).stdout.text(), "timed out\n");
    let line = &trace
        .named("recvfrom")
        .find(|call| call.result == "-1 EAGAIN")
        .expect("the recv that timed out")
        .line;
    // strace's -T: <0.300123> behind the result.
    let took: f64 = line
        .rsplit('<')
        .next()
        .and_then(|rest| rest.split_once('>')?.0.parse().ok())
        .unwrap_or_else(|| panic!("no time in {line:?}"));
    assert!((0.29..10.0).contains(&took), "{line}");
}
