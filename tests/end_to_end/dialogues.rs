//! Real clients and real servers in their own words: mail, ssh, PostgreSQL, MQTT, memcached. Passwords stay untold.

use std::path::Path;

use base64::Engine;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::data::{lines, of_type};
use crate::harness::network::Network;
use crate::harness::programs::script;
use crate::harness::servers::{Port, start};
use crate::harness::{
    Job, Trace, as_ordinary_user, command, installed, is_root, run, scratch, text, traced,
};

const PASSWORD: &str = "hunter2-and-more";

/// The trace has all of these, one after the other.
#[track_caller]
fn in_turn(trace: &Trace, said: &[&str]) {
    let mut rest = trace.text.as_str();
    for words in said {
        let at = rest.find(words);
        let at = at.unwrap_or_else(|| panic!("no {words:?}, or not in its turn:{trace}"));
        rest = &rest[at + words.len()..];
    }
}

/// Nothing of this is in the trace, nor in that as data, but for its head, which has the command line.
#[track_caller]
fn untold(secrets: &[&str], trace: &Trace, json: &Path) {
    let mut told = vec![trace.text.clone()];
    for line in &lines(json)[1..] {
        strings(line, &mut told);
    }
    for secret in secrets {
        let found = told.iter().find(|text| text.contains(secret));
        assert!(found.is_none(), "{secret} in {found:?}:{trace}");
    }
}

/// All strings of a value, and what those are that hold bytes.
fn strings(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            all.push(text.clone());
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            all.extend(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, all)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, all)),
        _ => {}
    }
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn mail_is_told_without_its_password() {
    let [python, server] = [installed("python3"), script("mail.py")];
    let setup = format!(
        "ip address add 192.0.2.25/32 dev lo\nserve {} {} 192.0.2.25",
        text(&python),
        text(&server)
    );
    let code = format!(
        "import smtplib
with smtplib.SMTP('192.0.2.25') as mail:
    mail.login('alice', '{PASSWORD}')
    mail.sendmail('alice@example.org', ['bob@example.org', 'nobody@example.org'], 'Subject: hello\\r\\n\\r\\nhello\\r\\n')
with smtplib.SMTP('192.0.2.25') as mail:
    mail.ehlo(); mail.user, mail.password = 'alice', '{PASSWORD}'
    mail.auth('LOGIN', mail.auth_login, initial_response_ok=False)"
    );
    let network = Network::new(&setup);
    let json = network.at("json");
    let option = format!("--json={}", text(&json));
    let options = ["--findings=all", "-s", "4096", &option];
    let (outcome, trace) = network.traced(&options, &[text(&python), "-c", &code]);
    outcome.exited(0);
    in_turn(
        &trace,
        &[
            "SMTP 220 mail.example ESMTP",
            "SMTP ehlo ",
            "SMTP 250 mail.example, AUTH PLAIN LOGIN",
            "SMTP AUTH PLAIN ****",
            "SMTP 235 2.7.0 welcome",
            "SMTP mail FROM:<alice@example.org>",
            "SMTP rcpt TO:<bob@example.org>",
            "SMTP rcpt TO:<nobody@example.org>",
            "SMTP 550 5.1.1 no such mailbox",
            "SMTP data",
            "SMTP 354 go ahead",
            "SMTP the mail",
            "SMTP 250 2.0.0 taken",
            "SMTP QUIT",
            "SMTP 221 2.0.0 bye",
            "SMTP AUTH LOGIN",
            "SMTP credentials",
            "SMTP credentials",
            "SMTP 235 2.7.0 welcome",
            "warning  credentials-in-clear  A password, key or token went to 192.0.2.25:25 unencrypted.",
        ],
    );
    // As it is, and in base64, which looks otherwise where the name stands before it.
    untold(
        &[PASSWORD, "aHVudGVyMi1hbmQtbW9yZQ", "h1bnRlcjItYW5kLW1vcm"],
        &trace,
        &json,
    );
}

#[test]
#[ignore = "needs root"]
fn ssh_says_who_it_is_and_then_nothing_more() {
    assert!(is_root(), "this test needs root");
    let [ssh, keygen, server] = ["ssh", "ssh-keygen", "sshd"].map(installed);
    // A root of its own, which may log in, whoever that is here; the real /run may have no folder for it.
    let setup = format!(
        "printf 'root:x:0:0::/:/bin/sh\\nsshd:x:999:65534::/run/sshd:/usr/sbin/nologin\\n' | etc passwd
echo 'root:*:1::::::' | etc shadow
for key in host client; do {keygen} -q -t ed25519 -N '' -C '' -f $key; done
mount -t tmpfs none /run && mkdir /run/sshd
{server} -D -f /dev/null -h $PWD/host -E $PWD/log -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile=$PWD/client.pub \
-o StrictModes=no -o PermitRootLogin=yes -o UsePAM=no -o PidFile=none & servers=\"$servers $!\"
until [ -n \"$(ss -ltnH 'sport = :22')\" ]; do kill -0 $!; done",
        keygen = text(&keygen),
        server = text(&server),
    );
    let program: Vec<_> = [text(&ssh), "-F", "none", "-i", "client"]
        .into_iter()
        .chain(["-o", "StrictHostKeyChecking=no"])
        .chain(["-o", "UserKnownHostsFile=/dev/null"])
        .chain(["root@127.0.0.1", "echo hello from afar"])
        .collect();
    let network = Network::new(&setup);
    let (outcome, trace) = network.traced(&["--overview", "-s", "4096"], &program);
    assert_eq!(outcome.exited(0).stdout.text(), "hello from afar\n");
    in_turn(
        &trace,
        &[
            "connect(3, 127.0.0.1:22) = 0",
            "SSH 2.0-OpenSSH_",
            "SSH 2.0-OpenSSH_",
            "SSH prefers ",
            "SSH prefers ",
            "SSH from here on encrypted",
            "closed by us",
        ],
    );
    trace.lacks("hello from afar");
}

/// A PostgreSQL server that asks for the password in clear by TCP, and for none by its UNIX socket.
fn postgres(folder: &Path, port: &Port) -> Job {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    let programs = versions
        .max()
        .unwrap_or_else(|| panic!("PostgreSQL is not installed: tests/run installs it"));
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).expect("a file of ours");
    if is_root() {
        // It does not run as root.
        for file in [folder, &password] {
            std::os::unix::fs::chown(file, Some(65534), Some(65534)).expect("a file of ours");
        }
    }
    let cluster = folder.join("cluster");
    let mut initdb = as_ordinary_user(programs.join("initdb"));
    initdb
        .args(["-U", "shop", "--auth-local=trust", "--auth-host=password"])
        .args(["--no-sync", "--pwfile", text(&password), "-D"])
        .arg(&cluster)
        .current_dir(folder);
    run(initdb).exited(0);
    let mut server = as_ordinary_user(programs.join("postgres"));
    server
        .arg("-D")
        .arg(&cluster)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
        .args(["-c", &format!("port={}", port.number)])
        .args(["-c", &format!("unix_socket_directories={}", text(folder))])
        .current_dir(folder);
    start(server, port)
}

#[test]
fn psql_by_tcp_and_by_a_unix_socket() {
    let folder = scratch();
    let port = Port::reserve();
    let server = postgres(folder.path(), &port);
    let json = folder.path().join("json");
    let data = format!("--json={}", text(&json));
    let password = format!("PGPASSWORD={PASSWORD}");
    let options = ["--overview", "-s", "4096", "-E", &password, &data];
    let number = port.number.to_string();
    let psql = installed("psql");
    let ask = |host| {
        let to = [text(&psql), "-X", "-w", "-h", host, "-p", &number];
        let what = ["-U", "shop", "-d", "postgres", "-Atc", "select 6 * 7"];
        [&to[..], &what[..], &["-c", "select nonsense"]].concat()
    };
    let (outcome, trace) = traced(&options, &ask("127.0.0.1"));
    assert_eq!(outcome.exited(1).stdout.text(), "42\n");
    let query = [
        "PostgreSQL select 6 * 7",
        "PostgreSQL SELECT 1",
        "PostgreSQL select nonsense",
        "PostgreSQL ERROR 42703: column \"nonsense\" does not exist",
        "PostgreSQL goodbye",
    ];
    in_turn(
        &trace,
        &[
            "PostgreSQL may we use TLS?",
            "PostgreSQL no encryption",
            "PostgreSQL startup user=shop database=postgres",
            "PostgreSQL password",
            "PostgreSQL accepted",
        ],
    );
    in_turn(&trace, &query);
    untold(&[PASSWORD], &trace, &json);
    let all = lines(&json);
    let conversations = of_type(&all, "conversation");
    let with_server = |it: &&&Value| it["peer_port"] == port.number;
    let found = conversations.iter().find(with_server);
    assert_eq!(
        found.expect("one with the server")["protocols"],
        json!(["PostgreSQL"])
    );

    let (outcome, trace) = traced(&["--overview"], &ask(text(folder.path())));
    assert_eq!(outcome.exited(1).stdout.text(), "42\n");
    trace.find("connect", ".s.PGSQL.");
    in_turn(
        &trace,
        &["PostgreSQL startup user=shop", "PostgreSQL accepted"],
    );
    in_turn(&trace, &query);
    // Killed, it would leave shared memory behind.
    server.signal(Signal::SIGINT);
    server.finish().exited(0);
}

#[test]
fn mosquitto_publishes_and_subscribes() {
    let folder = scratch();
    let port = Port::reserve();
    let configuration = folder.path().join("conf");
    let listener = format!("listener {} 127.0.0.1\nallow_anonymous true\n", port.number);
    std::fs::write(&configuration, listener).expect("a file of ours");
    let mut server = command(installed("mosquitto"));
    server.arg("-c").arg(&configuration);
    let _server = start(server, &port);
    let number = port.number.to_string();
    let json = folder.path().join("json");
    let data = format!("--json={}", text(&json));
    let by = |program: &Path, more: &[&str]| {
        let to = [text(program), "-h", "127.0.0.1", "-p", &number];
        let who = ["-u", "alice", "-P", PASSWORD];
        let program = [&to[..], &who[..], more].concat();
        traced(&["-s", "4096", &data], &program)
    };
    let publish = ["-t", "kitchen/lamp", "-m", "on", "-q", "1", "-r"];
    let (outcome, trace) = by(&installed("mosquitto_pub"), &publish);
    outcome.exited(0);
    in_turn(
        &trace,
        &[
            "MQTT CONNECT user=alice",
            "MQTT accepted",
            "MQTT PUBLISH kitchen/lamp, 2 B",
            "MQTT received",
            "MQTT DISCONNECT",
        ],
    );
    untold(&[PASSWORD], &trace, &json);
    // What was published is kept for those who come later.
    let subscribe = ["-t", "kitchen/#", "-C", "1"];
    let (outcome, trace) = by(&installed("mosquitto_sub"), &subscribe);
    assert_eq!(outcome.exited(0).stdout.text(), "on\n");
    in_turn(
        &trace,
        &[
            "MQTT CONNECT user=alice",
            "MQTT accepted",
            "MQTT SUBSCRIBE kitchen/#",
            "MQTT granted",
            "MQTT PUBLISH kitchen/lamp, 2 B",
            "MQTT DISCONNECT",
        ],
    );
    untold(&[PASSWORD], &trace, &json);
}

#[test]
fn memcached_keeps_and_gives() {
    let port = Port::reserve();
    let number = port.number.to_string();
    let mut server = as_ordinary_user(installed("memcached"));
    server.args(["-l", "127.0.0.1", "-U", "0", "-p", &number]);
    let _server = start(server, &port);
    let code = format!(
        "import socket
s = socket.create_connection(('127.0.0.1', {number})); replies = s.makefile('rb')
for asked, count in ('set lamp 0 60 2\\r\\non\\r\\n', 1), ('get lamp\\r\\n', 3), ('get door\\r\\n', 1), ('incr lamp 1\\r\\n', 1):
    s.sendall(asked.encode())
    for _ in range(count): print(replies.readline())
s.sendall(b'quit\\r\\n')"
    );
    let (outcome, trace) = traced(&["--overview"], &[text(&installed("python3")), "-c", &code]);
    assert!(outcome.exited(0).stdout.text().contains("b'on\\r\\n'"));
    in_turn(
        &trace,
        &[
            "memcached set lamp",
            "memcached STORED",
            "memcached get lamp",
            "memcached 2 B",
            "memcached get door",
            "memcached not found",
            "memcached incr lamp",
            "memcached CLIENT_ERROR cannot increment",
            "memcached quit",
        ],
    );
}
