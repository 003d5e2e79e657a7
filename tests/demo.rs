//! The demo from end to end, and on its known calls what the options of showing do.

use std::process::{Command, Stdio};

struct Shown {
    stdout: String,
    trace: String,
    status: Option<i32>,
}

fn demo(flags: &str) -> Shown {
    let output = Command::new(env!("CARGO_BIN_EXE_sockstrace"))
        .args(flags.split_whitespace())
        .arg("--demo")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Shown {
        stdout: String::from_utf8(output.stdout).unwrap(),
        trace: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

/// The trace without the sentences that explain it and what is said after it.
fn calls(flags: &str) -> Vec<String> {
    let trace = demo(flags).trace;
    let (trace, _) = trace.split_once("That was a whole connection").unwrap();
    let told = trace
        .lines()
        .filter(|line| !line.trim_start().starts_with('│'));
    told.map(str::to_owned).collect()
}

#[test]
fn it_shows_a_connection_from_name_to_close() {
    let shown = demo("");
    assert_eq!(shown.status, Some(0), "{}", shown.trace);
    assert_eq!(shown.stdout.lines().count(), 1, "{}", shown.stdout);
    let mut rest = shown.trace.as_str();
    for next in [
        "socket(AF_INET, SOCK_DGRAM",
        "127.0.0.1",
        "sendto(",
        "sockstrace",
        "recvfrom(",
        "close(",
        "socket(AF_INET, SOCK_STREAM",
        "connect(",
        "write(",
        "GET / HTTP/1.1",
        "read(",
        "HTTP/1.1 200 OK",
        ", 4096) = 0",
        "close(",
        "closed first by the peer",
        "That was a whole connection",
    ] {
        let at = rest.find(next);
        let at = at.unwrap_or_else(|| panic!("{next} does not follow in:\n{}", shown.trace));
        rest = &rest[at + next.len()..];
    }
    assert!(
        shown.trace.contains('│'),
        "nothing is explained:\n{}",
        shown.trace
    );
}

#[test]
fn its_bytes_are_those_of_the_calls() {
    let lines = calls("");
    let result = |name: &str| {
        let line = lines
            .iter()
            .find(|line| line.contains(&format!(" {name}(")))
            .unwrap();
        let (_, result) = line.rsplit_once(") = ").unwrap();
        result.split_whitespace().next().unwrap().to_owned()
    };
    let totals = format!("{} B out, {} B in", result("write"), result("read"));
    assert!(
        lines.iter().any(|line| line.contains(&totals)),
        "{totals} in {lines:#?}"
    );
}

#[test]
fn without_a_utf8_locale_it_is_ascii() {
    let output = Command::new(env!("CARGO_BIN_EXE_sockstrace"))
        .args(["--demo"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(
        output.stderr.is_ascii(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn only_some_calls_outcomes_and_processes() {
    assert!(
        calls("-e socket")
            .iter()
            .all(|line| line.contains(" socket("))
    );
    assert_eq!(calls("-e socket").len(), 2);
    let failed = calls("-Z");
    assert!(
        failed.is_empty(),
        "the demo has no failed call: {failed:#?}"
    );
    let successful = calls("-z");
    assert!(successful.iter().any(|line| line.contains(" connect(")));
    let labelled = calls("--always-show-pid");
    assert!(
        labelled.iter().all(|line| line.contains("sockstrace[")),
        "{labelled:#?}"
    );
    assert!(!calls("").iter().any(|line| line.contains("sockstrace[")));
}

#[test]
fn arguments_as_numbers() {
    let lines = calls("-e raw=connect");
    let raw: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(" connect(0x3, 0x7f"))
        .collect();
    assert_eq!(raw.len(), 2, "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("socket(AF_INET")),
        "{lines:#?}"
    );
}

#[test]
fn messages_are_left_out_by_kind() {
    let has = |flags: &str, text: &str| calls(flags).iter().any(|line| line.contains(text));
    assert!(has("-v", "+++ begins") && has("-v", "+++ exited with 0"));
    assert!(!has("-v -q", "+++ begins") && has("-v -q", "+++ exited with 0"));
    assert!(!has("-v -qq", "+++"));
    assert!(has("-v -e quiet=exit", "+++ begins") && !has("-v -e quiet=exit", "+++ exited"));
}

#[test]
fn the_table_has_the_order_that_was_asked_for() {
    let lines = calls("-c -S name");
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let at = |name: &str| names.iter().position(|known| *known == name);
    assert!(
        at("close").is_some() && at("close") < at("connect") && at("connect") < at("socket"),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("connect(")),
        "-c shows no calls: {lines:#?}"
    );
    assert!(calls("-C").iter().any(|line| line.contains("connect(")));
}

#[test]
fn data_as_text_hex_and_dump() {
    let has = |flags: &str, text: &str| calls(flags).iter().any(|line| line.contains(text));
    assert!(has("-s 3", r#""GET"…"#) && has("-s 0", r#"write(3, ""…"#));
    assert!(has("-xx -s 3", r"\x47\x45\x54"));
    assert!(has(
        "--hex",
        "47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a"
    ));
    assert!(has("-e write=3", "47 45 54") && !has("-e write=4", "47 45 54"));
}
