//! The questions of docs/queries.md: each is asked of traces that are made here, and once of a folder of a thousand hosts.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fmt::Write;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The blocks of one kind in docs/queries.md, in their order.
fn blocks(kind: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/queries.md");
    let text = std::fs::read_to_string(path).expect("docs/queries.md");
    let begin = format!("```{kind}\n");
    let blocks = text.split(&begin).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// The Python that has the package duckdb.
fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    if own.exists() { own } else { "python3".into() }
}

/// Runs statements in a folder; each's rows, as text.
#[track_caller]
fn ask(folder: &Path, statements: &[String]) -> Vec<Vec<String>> {
    // Where a statement takes long, its progress would stand among the rows.
    const ASK: &str = "import duckdb, json, sys
duckdb.sql('SET enable_progress_bar = false')
for statement in json.load(sys.stdin):
    rows = duckdb.sql(statement).fetchall()
    print(json.dumps([' '.join(str(value) for value in row) for row in rows]))";
    let questions = folder.join("questions.json");
    std::fs::write(&questions, serde_json::to_vec(statements).expect("JSON")).expect("room");
    let output = Command::new(python())
        .args(["-c", ASK])
        .current_dir(folder)
        .stdin(std::fs::File::open(&questions).expect("a file of ours"))
        .output()
        .expect("python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the package duckdb is needed, which tests/run installs, and every statement has to work: {said}"
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("rows"))
        .collect()
}

/// The path of python3 itself: what PATH gives can be a version manager's script, which makes calls of its own.
fn python3() -> String {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable, end='')"])
        .output()
        .expect("python3");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Some real traces, compressed or not, in `traces`; the port of the server that they talk to.
fn traces(folder: &Path) -> u16 {
    std::fs::create_dir(folder.join("traces")).expect("a folder");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0; 64];
            while let Ok(1..) = stream.read(&mut byte) {}
        }
    });
    let talk = format!(
        "import os, socket, subprocess, sys
s = socket.create_connection(('127.0.0.1', {port}))
for n in range(20): s.send(b'tiny')
s.shutdown(socket.SHUT_WR)
s.recv(10)
try: socket.create_connection(('127.0.0.1', 1))
except OSError: pass
subprocess.run(['true'])
a, b = socket.socketpair(); a.send(b'\\xff\\x00'); b.recv(5)
os.kill(os.getpid(), 0)
if len(sys.argv) > 1: os._exit(3)"
    );
    let python3 = python3();
    for (name, leaves) in [
        ("a.ndjson", false),
        ("b.ndjson.zst", true),
        ("c.ndjson.gz", false),
    ] {
        let mut sockstrace = Command::new(env!("CARGO_BIN_EXE_sockstrace"));
        sockstrace
            .arg(format!("--json=traces/{name}"))
            .args(["--", &python3, "-c", &talk])
            .args(leaves.then_some("leave"))
            .current_dir(folder);
        let status = sockstrace.status().expect("sockstrace");
        assert_eq!(status.code(), Some(if leaves { 3 } else { 0 }));
    }
    port
}

#[test]
fn every_question_has_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = traces(folder.path());
    let statements = blocks("sql");
    assert_eq!(statements.len(), 10);
    let answers = ask(folder.path(), &statements);
    let address = format!("127.0.0.1 {port}");
    for (number, words) in [
        (1, format!("{address} None 3 240")),
        (2, format!("connect {address}")),
        (3, address.clone()),
        (4, format!("python3 {address} None exit 1")),
        (5, "ECONNREFUSED".into()),
        (6, " send ".into()),
        (7, " 20 4.0".into()),
        (8, " true ".into()),
        (9, format!("{address} 1 3 240")),
        (10, address),
    ] {
        let rows = &answers[number - 1];
        assert!(
            rows.iter().any(|row| row.contains(&words)),
            "question {number}: no {words:?} in {rows:#?}"
        );
    }
}

#[test]
fn jq_answers_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = traces(folder.path());
    let lines = blocks("jq");
    assert_eq!(lines.len(), 3);
    for (line, words) in lines
        .iter()
        .zip([&format!("127.0.0.1:{port}\t80\t0"), "", "tiny"])
    {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(folder.path())
            .output()
            .expect("a shell");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{line}: {output:?}"
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(words), "no {words:?} by {line}: {text}");
    }
}

/// A thousand hosts, each with a run of its own: what one real run looked like, with other names, numbers and times.
#[test]
fn a_thousand_hosts_are_one_statement() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = traces(folder.path());
    let one = std::fs::read_to_string(folder.path().join("traces/a.ndjson")).expect("a trace");
    let header: serde_json::Value =
        serde_json::from_str(one.lines().next().expect("a line")).expect("JSON");
    let [run, host] = ["run", "host"].map(|field| header[field].to_string());
    let traces = folder.path().join("traces");
    std::fs::remove_dir_all(&traces).expect("a folder of ours");
    std::fs::create_dir(&traces).expect("a folder");
    for number in 0..1000 {
        let mut other = one.replace(&run, &format!("\"run-{number}\""));
        other = other.replacen(&host, &format!("\"host-{number}\""), 1);
        // Odd ones talk to another port, one of them to a port of its own.
        let to = match number {
            777 => 7,
            odd if odd % 2 == 1 => 5432,
            _ => port,
        };
        other = other.replace(
            &format!("\"peer_port\":{port}"),
            &format!("\"peer_port\":{to}"),
        );
        std::fs::write(traces.join(format!("{number}.ndjson")), other).expect("room");
    }
    let statements = blocks("sql");
    let mut said = String::new();
    for (number, rows) in ask(folder.path(), &statements).iter().enumerate() {
        writeln!(said, "{}: {rows:?}", number + 1).expect("a String takes all");
    }
    assert!(
        said.contains(&format!(
            "\"127.0.0.1 {port} 500 500 40000 0\", \"127.0.0.1 5432 499 499 39920 0\""
        )),
        "{said}"
    );
    assert!(said.contains("10: [\"host-777 127.0.0.1 7 "), "{said}");
}
