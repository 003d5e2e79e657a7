//! A network of the test's own, with delay, loss and an address that is nobody's: what the trace says of it is so.

use crate::harness::programs::script;
use crate::harness::{Outcome, binary, command, installed, is_root, run, scratch, text};

/// What a program in python printed and what its trace says, behind a link that delays each packet by 20 ms and loses every n-th with
/// data.
fn told(lost: u32, options: &[&str], code: &str) -> (String, String) {
    let python = installed("python3");
    let (outcome, trace) = traced(
        lost,
        "nameserver 127.0.0.1",
        options,
        &[text(&python), "-c", code],
    );
    (outcome.exited(0).stdout.text(), trace)
}

/// The same of any program, which finds those lines in its resolv.conf(5).
fn traced(lost: u32, resolver: &str, options: &[&str], program: &[&str]) -> (Outcome, String) {
    let folder = scratch();
    let file = folder.path().join("trace");
    let [unshare, python] = ["unshare", "python3"].map(installed);
    let mut network = command(unshare);
    assert!(is_root(), "this test needs root");
    network.arg("-nm").arg(&python).arg(script("network.py"));
    network.args(["20", &lost.to_string(), resolver]);
    network.arg(binary()).args(options).arg("-o").arg(&file);
    network.args(program);
    let outcome = run(network);
    let trace = std::fs::read_to_string(&file).expect("a trace");
    (outcome, trace)
}

/// What follows those words, up to the next space or comma.
#[track_caller]
fn after<'a>(text: &'a str, words: &str) -> &'a str {
    let (_, rest) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words}: {text}"));
    rest.split([' ', ',', '\n']).next().unwrap_or_default()
}

/// Milliseconds, as a trace or ss(8) has them.
#[track_caller]
fn millis(text: &str) -> f64 {
    let number = text.trim_end_matches("ms");
    number.parse().unwrap_or_else(|_| panic!("no time: {text}"))
}

const CLIENT: &str = "import socket, subprocess
peer = socket.create_connection(('10.77.0.2', 80))
def ask(count):
    peer.sendall(b'%d' % count)
    while count: count -= len(peer.recv(min(count, 4096)))
";
const ASKS_SS: &str = "
print(subprocess.run(['ss', '-tinH', 'dst', '10.77.0.2'], capture_output=True, text=True).stdout)
peer.close()";

#[test]
#[ignore = "needs root"]
fn of_a_slow_link_the_trace_says_what_ss_says() {
    let code = format!("{CLIENT}ask(10); ask(3){ASKS_SS}");
    let (ss, trace) = told(0, &["--kernel", "--overview"], &code);
    let before = trace.split("runs ss").next().unwrap_or_default();
    let last = before
        .lines()
        .rfind(|line| line.contains("ESTABLISHED, rtt "));
    let last = last.unwrap_or_else(|| panic!("no round-trip time: {trace}"));
    let told = millis(after(last, "ESTABLISHED, rtt "));
    let kernel = millis(after(&ss, " rtt:").split('/').next().unwrap_or_default());
    assert!(
        (told - kernel).abs() < 0.1,
        "{told} and {kernel}: {ss}{trace}"
    );
    assert!((40.0..200.0).contains(&told), "{trace}");
    assert_eq!(after(last, "window "), after(&ss, "cwnd:"), "{ss}{last}");
    let close = trace.lines().find(|line| line.contains("closed by us"));
    let close = close.unwrap_or_else(|| panic!("no close: {trace}"));
    assert!(millis(after(close, ", rtt ")) >= 40.0, "{close}");
    // A handshake is one round trip, and so is an answer.
    let row = trace.lines().find(|line| line.contains(" → 10.77.0.2:80 "));
    let row = row.unwrap_or_else(|| panic!("no row: {trace}"));
    let connect = row.split_whitespace().find(|word| word.ends_with("ms"));
    assert!(millis(connect.unwrap_or_default()) >= 40.0, "{row}");
    let answer = trace.lines().find(|line| line.contains("after "));
    let answer = answer.unwrap_or_else(|| panic!("no answer: {trace}"));
    assert!(millis(after(answer, "after ")) >= 40.0, "{answer}");
}

#[test]
#[ignore = "needs root"]
fn what_is_lost_is_sent_again_and_counted() {
    // Zeros before a number change nothing.
    let code = format!("{CLIENT}peer.sendall(b'0' * 300000); ask(10){ASKS_SS}");
    let (ss, trace) = told(20, &["--engine", "stop"], &code);
    let sent_again: u32 = after(&ss, "retrans:0/").parse().expect("a number");
    assert!(sent_again > 0, "{ss}");
    let words = match sent_again {
        1 => ", 1 segment sent again".to_owned(),
        count => format!(", {count} segments sent again"),
    };
    assert!(trace.contains(&words), "no {words}: {trace}");
}

#[test]
#[ignore = "needs root"]
fn who_is_nobody_answers_nothing() {
    let code = "import socket
try: socket.create_connection(('10.77.1.9', 80))
except TimeoutError: print('timed out')";
    let (printed, trace) = told(0, &["--overview"], code);
    assert_eq!(printed, "timed out\n");
    for words in [
        "⤷ still waiting for 10.77.1.9:80",
        "nothing for 1s, SYN sent twice",
        "connect(3, 10.77.1.9:80) = -1 ETIMEDOUT",
        "never connected, lived 3.",
        ", SYN sent twice",
        "error    connect-no-answer  10.77.1.9:80 answered nothing at all, for 3.",
        "never connected: ETIMEDOUT",
    ] {
        assert!(trace.contains(words), "no {words}: {trace}");
    }
}

/// What the trace of getent(1) says of a name, by those lines of resolv.conf(5).
fn asked(resolver: &str, name: &str, status: i32) -> String {
    let getent = installed("getent");
    let program = [text(&getent), "ahosts", name];
    let options = ["--findings=all", "--overview"];
    let (outcome, trace) = traced(0, resolver, &options, &program);
    outcome.exited(status);
    trace
}

#[track_caller]
fn says(trace: &str, words: &[&str]) {
    for words in words {
        assert!(trace.contains(words), "no {words}: {trace}");
    }
}

#[test]
#[ignore = "needs root"]
fn names_are_told_by_who_answered_and_what_was_tried() {
    let second = "nameserver 127.0.0.2/nameserver 127.0.0.1/options timeout:1 attempts:1";
    says(
        &asked(second, "far.test", 0),
        &[
            "resolve  far.test A, AAAA → 10.77.0.2 ",
            "asked 127.0.0.2 in vain, 127.0.0.1 by UDP",
            "second-name-server",
        ],
    );
    let searches = "nameserver 127.0.0.1/search a.test b.test";
    says(
        &asked(searches, "far", 0),
        &[
            "resolve  far.b.test ",
            "→ 10.77.0.2 ",
            "tried far.a.test too",
            "search-domains",
        ],
    );
    says(
        &asked("nameserver 127.0.0.1", "nobody.test", 2),
        &[
            "resolve  nobody.test ",
            "→ no such name (NXDOMAIN)",
            "name-not-found",
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn races_of_both_families_are_told_as_such() {
    let [python, node, curl] = ["python3", "node", "curl"].map(installed);
    let asyncio = "import asyncio
async def talk():
    read, write = await asyncio.open_connection('both.test', 80, happy_eyeballs_delay=0.1)
    write.write(b'3'); print(await read.readexactly(3)); write.close(); await write.wait_closed()
asyncio.run(talk())";
    let net =
        "const peer = require('net').connect({ host: 'both.test', port: 80, autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: 100, lookup: (name, options, answer) =>
            require('dns').lookup(name, { ...options, all: true, order: 'ipv6first' }, answer) });
        peer.on('connect', () => peer.write('3')).on('data', () => peer.destroy());";
    // What the peer says is no HTTP; it was reached all the same.
    let telnet = [text(&curl), "-sm1", "telnet://both.test:80"];
    let programs: [(&[&str], &str); 3] = [
        (&[text(&python), "-c", asyncio], "given up: #2 was faster"),
        // It gives up one before it tries another.
        (&[text(&node), "-e", net], "never connected"),
        (&telnet, "given up: #2 was faster"),
    ];
    for (program, end) in programs {
        let options = ["--overview", "--engine", "stop"];
        let (_, trace) = traced(0, "nameserver 127.0.0.1", &options, program);
        says(
            &trace,
            &[
                "resolve  both.test A, AAAA → ",
                "10.77.0.2:80 both.test",
                "won against [fd77:1::9]:80",
                "ipv6-first",
                end,
            ],
        );
    }
}
