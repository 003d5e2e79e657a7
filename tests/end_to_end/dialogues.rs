//! Dialogues with real servers and clients: what was said is told, and no secret of it.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::harness::servers::{self, Port};
use crate::harness::{
    Outcome, as_ordinary_user, command, installed, is_root, poll, run, scratch, sockstrace, text,
};

/// A mail server that takes whatever comes.
fn takes_mail(mut peer: TcpStream) {
    let mut lines = BufReader::new(peer.try_clone().expect("the same socket"));
    let mut answer = "220 mail.example ready";
    let mut letter = false;
    loop {
        let whole = format!("{answer}\r\n");
        if !answer.is_empty() && peer.write_all(whole.as_bytes()).is_err() {
            return;
        }
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let verb = line.trim_end();
        answer = match verb.split(' ').next().unwrap_or_default() {
            "." if letter => {
                letter = false;
                "250 2.0.0 taken"
            }
            _ if letter => "",
            "ehlo" | "EHLO" => "250-mail.example\r\n250 AUTH PLAIN LOGIN",
            "AUTH" | "auth" => "235 2.7.0 welcome",
            "data" | "DATA" => {
                letter = true;
                "354 go on"
            }
            "quit" | "QUIT" => "221 2.0.0 bye",
            _ => "250 2.1.0 fine",
        };
    }
}

/// Runs a program and gives what came of it, its trace as text and as data, and what a bare look at either finds.
fn told(options: &[&str], program: &[&str]) -> (Outcome, String, String) {
    let folder = scratch();
    let [trace, json] = ["trace", "json"].map(|name| folder.path().join(name));
    let data = format!("--json={}", text(&json));
    let mut all = vec![
        "--full-data",
        "--engine",
        "stop",
        "-s",
        "999",
        "-o",
        text(&trace),
        &data,
    ];
    all.extend(options);
    let outcome = run(sockstrace(&all, program));
    let [trace, json] = [trace, json].map(|file| std::fs::read_to_string(file).expect("a trace"));
    (outcome, trace, json)
}

#[track_caller]
fn says(trace: &str, words: &[&str]) {
    for words in words {
        assert!(trace.contains(words), "no {words}: {trace}");
    }
}

#[test]
fn of_mail_all_is_told_but_the_password() {
    let server = servers::tcp(takes_mail);
    let code = format!(
        "import smtplib
with smtplib.SMTP('127.0.0.1', {}) as mail:
    mail.login('me', 'tr0ub' + '4dor'); mail.sendmail('me@here.example', ['you@there.example'], 'Subject: hello\\n\\nhi')
print('sent')",
        server.port()
    );
    let python = installed("python3");
    // RFC 4616: the name and the password behind zeros, in base64.
    let secret = "AG1lAHRyMHViNGRvcg==";
    let program = [text(&python), "-c", &code];
    let (outcome, trace, json) = told(&[], &program);
    assert_eq!(outcome.exited(0).stdout.text(), "sent\n");
    says(
        &trace,
        &[
            "SMTP",
            "220",
            "SMTP ehlo ",
            "AUTH PLAIN",
            "235",
            "me@here.example",
            "you@there.example",
            "354",
            "250",
            "221",
        ],
    );
    for (kind, text) in [("text", &trace), ("JSON", &json)] {
        for hidden in [secret, "tr0ub4dor"] {
            assert!(!text.contains(hidden), "{hidden} is in the {kind}: {text}");
        }
    }
    let (_, trace, _) = told(&["--show-secrets"], &program);
    says(&trace, &[secret]);
}

/// An OpenSSH server of this test's own on a port, with keys and settings in that folder.
fn sshd(folder: &Path, port: &Port) -> Child {
    for name in ["host", "client"] {
        let mut keygen = command(installed("ssh-keygen"));
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        run({
            keygen.arg(folder.join(name));
            keygen
        })
        .exited(0);
    }
    let at = |name: &str| text(&folder.join(name)).to_owned();
    let settings = format!(
        "ListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n",
        port.address(),
        at("host"),
        at("client.pub"),
    );
    std::fs::write(folder.join("settings"), settings).expect("a file");
    // Only root has a shell for certain; the folder is what its package makes where services are started.
    assert!(is_root(), "this test needs root");
    std::fs::create_dir_all("/run/sshd").expect("a folder for its privilege separation");
    let mut server = command(installed("sshd"));
    server.args(["-D", "-e", "-f"]).arg(folder.join("settings"));
    server
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    server.spawn().expect("a server")
}

#[test]
#[ignore = "needs root"]
fn of_ssh_the_versions_and_the_choice_are_told() {
    let folder = scratch();
    let port = Port::reserve();
    let mut server = sshd(folder.path(), &port);
    let address = port.address();
    poll(|| TcpStream::connect(&address).ok()).expect("it listens");
    let (host, port) = address.split_once(':').expect("a port");
    let key = folder.path().join("client");
    let ssh = installed("ssh");
    let known = format!("UserKnownHostsFile={}", text(&folder.path().join("known")));
    let program = [
        text(&ssh),
        "-F",
        "none",
        "-i",
        text(&key),
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        &known,
        "-p",
        port,
        host,
        "echo",
        "there",
    ];
    let (outcome, trace, _) = told(&["--overview"], &program);
    server.kill().expect("our own server");
    server.wait().expect("its status");
    assert_eq!(outcome.exited(0).stdout.text(), "there\n");
    says(&trace, &["SSH", "OpenSSH_", "curve25519", "ssh-ed25519"]);
}

/// A program of PostgreSQL's server, which lies outside of everybody's path.
fn of_postgresql(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found = versions
        .flatten()
        .map(|version| version.path().join("bin").join(name));
    found
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: install postgresql"))
}

#[test]
fn of_a_database_the_queries_are_told_but_the_password() {
    let folder = scratch();
    let port = Port::reserve();
    // Its server refuses to run as root.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("our own folder");
    let [data, secret] = ["data", "secret"].map(|name| folder.path().join(name));
    std::fs::write(&secret, "tr0ub4dor").expect("a file");
    std::fs::set_permissions(&secret, Permissions::from_mode(0o644)).expect("our own file");
    let mut initdb = as_ordinary_user(of_postgresql("initdb"));
    initdb.args(["--auth=password", "--username=me", "--no-sync", "--pgdata"]);
    initdb.arg(&data).arg("--pwfile").arg(&secret);
    run(initdb).exited(0);
    let address = port.address();
    let (host, number) = address.split_once(':').expect("a port");
    let mut server = as_ordinary_user(of_postgresql("postgres"));
    server
        .arg("-D")
        .arg(&data)
        .args(["-h", host, "-p", number, "-k", ""]);
    server
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut server = server.spawn().expect("a server");
    let psql = installed("psql");
    let url = format!("postgres://me:tr0ub4dor@{address}/postgres?sslmode=disable");
    let program = [
        text(&psql),
        "-Atc",
        "select 6 * 7 as answer",
        "-c",
        "select broken",
        &url,
    ];
    // Until it has begun, it refuses.
    let told = poll(|| {
        let (outcome, trace, json) = told(&["--overview"], &program);
        (trace.contains(" answer ") || trace.contains("6 * 7")).then_some((outcome, trace, json))
    });
    server.kill().expect("our own server");
    server.wait().expect("its status");
    let (outcome, trace, json) = told.expect("the server begins");
    assert_eq!(outcome.stdout.text(), "42\n");
    says(
        &trace,
        &[
            "PostgreSQL",
            "startup user=me",
            "password",
            "select 6 * 7 as answer",
            "select broken",
            "does not exist",
        ],
    );
    for (kind, text) in [("text", &trace), ("JSON", &json)] {
        let mut calls = text.lines().filter(|line| !line.contains("\"command\":"));
        assert!(
            !calls.any(|line| line.contains("tr0ub4dor")),
            "it is in the {kind}: {text}"
        );
    }
}
