//! The library boundary: what programs ask of the resolver and what they say by TLS, seen without root, and without a change to them.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::data::{data, lines, of_type};
use crate::harness::network::Network;
use crate::harness::programs::{program, script, static_program, tls_program};
use crate::harness::servers::{self, Port};
use crate::harness::{
    command, installed, live_and_again, run, scratch, sockstrace, text, traced, unharmed,
    unharmed_under,
};

/// What passed in clear that way, in all conversations, in its order.
fn clear(lines: &[Value], way: &str) -> Vec<u8> {
    let all = of_type(lines, "clear");
    let mut bytes = Vec::new();
    for line in all.iter().filter(|line| line["way"] == way) {
        let piece = data(line);
        assert_eq!(line["bytes"].as_u64(), Some(piece.len() as u64), "{line}");
        bytes.extend(piece);
    }
    bytes
}

/// Traces a program into lines with all data.
#[track_caller]
fn data_of<P: AsRef<std::ffi::OsStr> + Debug>(options: &[&str], program: &[P]) -> Vec<Value> {
    let folder = scratch();
    let json = folder.path().join("json");
    let output = format!("--json={}", text(&json));
    let all = [options, &[&output, "--full-data"]].concat();
    let outcome = run(sockstrace(&all, program));
    assert_eq!(outcome.status.code(), Some(0), "{program:?}: {outcome:?}");
    lines(&json)
}

fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
    &answer[end.expect("an end of the headers") + 4..]
}

fn url(port: u16, path: &str) -> String {
    format!("https://127.0.0.1:{port}{path}")
}

#[test]
fn twenty_megabytes_each_way_are_told_byte_for_byte() {
    const SIZE: usize = 20_000_000;
    let (_server, port) = servers::tls();
    let folder = scratch();
    let [sent, got] = ["sent", "got"].map(|name| folder.path().join(name));
    let bytes: Vec<u8> = (0..SIZE).map(|at| ((at * at) >> 7) as u8).collect();
    fs::write(&sent, &bytes).expect("a file");
    let curl = installed("curl");
    let address = url(port, &format!("/bytes/{SIZE}"));
    let download = [text(&curl), "-sk", "-o", text(&got), &address];
    let lines = data_of(&[], &download);
    let told = clear(&lines, "in");
    assert!(body(&told) == fs::read(&got).expect("a body"));
    assert_eq!(body(&told).len(), SIZE);

    let address = url(port, "/");
    let from = format!("@{}", text(&sent));
    // What a form has may be a secret.
    let kind = "Content-Type: application/octet-stream";
    let upload = [
        text(&curl),
        "-sk",
        "-H",
        kind,
        "--data-binary",
        &from,
        &address,
    ];
    let told = clear(&data_of(&[], &upload), "out");
    assert!(body(&told) == bytes, "{} bytes", told.len());
}

/// Clients of every kind of library ask for the same: what they print is what the trace has, and their requests are understood.
#[test]
fn clients_of_many_libraries_are_told_in_clear() {
    let (_server, port) = servers::tls();
    let address = url(port, "/bytes/5000");
    let python = installed("python3");
    let urllib = format!(
        "import ssl, sys, urllib.request as u
sys.stdout.buffer.write(u.urlopen('{address}', context=ssl._create_unverified_context()).read())"
    );
    let node = format!(
        "require('https').get('{address}', {{rejectUnauthorized: false}}, it => it.pipe(process.stdout))"
    );
    let ruby = format!(
        "require 'net/http'; it = Net::HTTP.new('127.0.0.1', {port}); it.use_ssl = true; it.verify_mode = 0
print it.get('/bytes/5000').body"
    );
    let [curl, wget, node_js, ruby_rb] = ["curl", "wget", "node", "ruby"].map(installed);
    let programs: [&[&str]; 5] = [
        &[text(&curl), "-sk", &address],
        &[text(&wget), "-qO-", "--no-check-certificate", &address],
        &[text(&python), "-c", &urllib],
        &[text(&node_js), "-e", &node],
        &[text(&ruby_rb), "-e", &ruby],
    ];
    for program in programs {
        let folder = scratch();
        let json = folder.path().join("json");
        let output = format!("--json={}", text(&json));
        let outcome = run(sockstrace(&["--full-data", &output], program)).exited(0);
        let lines = lines(&json);
        assert_eq!(outcome.stdout.0.len(), 5000, "{program:?}");
        assert!(
            body(&clear(&lines, "in")) == outcome.stdout.0,
            "{program:?}"
        );
        let all = of_type(&lines, "clear");
        let said = |words: &str| {
            all.iter().any(|line| {
                let messages = line["messages"].as_array();
                messages.is_some_and(|it| it.iter().any(|it| it["text"] == words))
            })
        };
        assert!(said("GET /bytes/5000"), "{program:?}: {all:?}");
        assert!(
            said("200 OK application/octet-stream"),
            "{program:?}: {all:?}"
        );
        // Those that move the records themselves are found by what they received before.
        let moves = program[0] == text(&node_js);
        for line in all {
            assert!(
                line["conversation"].as_i64() > Some(0),
                "{program:?}: {line}"
            );
            assert_eq!(line["inferred"], moves, "{program:?}: {line}");
        }
    }
}

#[test]
fn the_screen_shows_requests_and_folds_what_is_encrypted() {
    let (_server, port) = servers::tls();
    let address = url(port, "/bytes/5");
    let curl = installed("curl");
    let secret = "Authorization: Bearer hunter2-and-more";
    let program = [text(&curl), "-sk", "-H", secret, &address];
    let (_, trace) = traced(&["--overview"], &program);
    let request = trace
        .text
        .lines()
        .find(|line| line.contains("TLS  SSL_write("));
    let request = request.unwrap_or_else(|| panic!("no request in {trace}"));
    assert!(request.contains("#1 send ") && request.contains("HTTP GET /bytes/5"));
    assert!(trace.text.contains("HTTP 200 OK"), "{trace}");
    assert!(!trace.text.contains("hunter2"), "{trace}");
    // The handshake stays, what is encrypted afterwards does not.
    let sent = trace.text.lines().filter(|line| line.contains("sendto("));
    assert_eq!(sent.count(), 2, "{trace}");
    let row = |line: &&str| line.contains("1  127.0.0.1:");
    let row = trace.text.lines().rfind(row);
    assert!(row.is_some_and(|row| row.contains("TLS HTTP")), "{trace}");

    let json = data_of(&[], &program);
    for line in &json[1..] {
        assert!(!line.to_string().contains("hunter2"), "{line}");
        let captured = line["memory"].as_array();
        for piece in captured.into_iter().flatten() {
            let bytes = crate::harness::data::base64(&piece["bytes"]);
            assert!(
                !String::from_utf8_lossy(&bytes).contains("hunter2"),
                "{line}"
            );
        }
    }

    for option in ["--no-tls", "--library=never"] {
        let (_, trace) = traced(&[option], &program);
        assert!(!trace.text.contains("SSL_"), "{option}: {trace}");
        let lines = data_of(&[option], &program);
        assert!(of_type(&lines, "clear").is_empty());
    }
    // Whoever chooses calls gets those.
    let (_, trace) = traced(&["-e", "connect,close"], &program);
    assert!(!trace.text.contains("SSL_"), "{trace}");
    let (_, trace) = traced(&["-e", "sendto"], &program);
    assert!(
        trace.text.contains("SSL_write(") && !trace.text.contains("SSL_read("),
        "{trace}"
    );
    let (_, trace) = traced(&["--no-data"], &program);
    assert!(
        !trace.text.contains("hunter2") && trace.text.contains("SSL_write("),
        "{trace}"
    );
}

#[test]
fn a_record_tells_the_same_again() {
    let (_server, port) = servers::tls();
    let (curl, address) = (installed("curl"), url(port, "/bytes/100000"));
    let program = [text(&curl), "-sk", "-o", "/dev/null", &address];
    let [live, again] = live_and_again(&["--overview", "--engine", "stop"], &program);
    assert!(live.contains("TLS  SSL_read("), "{live}");
    assert_eq!(live, again);
}

#[test]
fn servers_are_told_in_clear_too() {
    let folder = scratch();
    let (port, json) = (Port::reserve(), folder.path().join("json"));
    let root = folder.path();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(script);
    let configuration = root.join("nginx.conf");
    let body = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error;
events {{}}
http {{ access_log off; client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3; uwsgi_temp_path {0}/4;
scgi_temp_path {0}/5; server {{ listen {1} ssl; ssl_certificate {2}; ssl_certificate_key {3};
location / {{ return 200 'from nginx'; }} }} }}",
        text(root),
        port.address(),
        text(&certificate),
        text(&key)
    );
    fs::write(&configuration, body).expect("a file");
    let output = format!("--json={}", text(&json));
    let nginx = sockstrace(
        &["--full-data", &output],
        &[text(&installed("nginx")), "-c", text(&configuration)],
    );
    let server = servers::start(nginx, &port);
    let mut curl = command(installed("curl"));
    curl.args(["-sk", &format!("https://{}/who", port.address())]);
    assert_eq!(run(curl).exited(0).stdout.text(), "from nginx");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.finish();
    let lines = lines(&json);
    let asked = String::from_utf8(clear(&lines, "in")).expect("text");
    assert!(asked.starts_with("GET /who HTTP/1.1\r\n"), "{asked}");
    let answer = String::from_utf8(clear(&lines, "out")).expect("text");
    assert!(answer.ends_with("\r\n\r\nfrom nginx"), "{answer}");
}

#[test]
fn odd_things_amid_functions_of_libraries_do_no_harm() {
    let (_server, port) = servers::tls();
    let port = port.to_string();
    let (alone, traces) = unharmed(
        &["--findings=none"],
        &[text(&tls_program("tls_odd")), &port],
    );
    assert!(alone.exited(0).stdout.text().contains("jumped out"));
    for trace in traces {
        for size in ["1000", "2000", "3000"] {
            let request = format!("HTTP GET /bytes/{size}");
            assert!(trace.text.contains(&request), "{request}: {trace}");
        }
    }
    let (alone, traces) = unharmed(&[], &[text(&tls_program("tls_threads")), &port]);
    alone.exited(0);
    for trace in traces {
        assert_eq!(trace.text.matches("HTTP GET /bytes/").count(), 32 * 20);
        assert_eq!(trace.text.matches("HTTP 200 OK").count(), 32 * 20);
    }
}

#[test]
fn signals_amid_functions_of_libraries_are_taken_and_nothing_is_told_twice() {
    let (_server, port) = servers::tls();
    let program = tls_program("tls_storm");
    let engines = ["auto", "syscall"];
    let (alone, _) = unharmed_under(&engines, &[], &[text(&program), &port.to_string()]);
    assert_eq!(alone.exited(0).stdout.text(), "3840 bytes, many signals\n");
    let lines = data_of(&[], &[text(&program), &port.to_string()]);
    let of = |phase: &str| {
        let all = of_type(&lines, "library");
        let mut starts: Vec<u64> = all
            .iter()
            .filter(|it| it["function"] == "SSL_read" && it["phase"] == phase)
            .map(|it| it["start_ns"].as_u64().expect("a time"))
            .collect();
        starts.sort_unstable();
        starts
    };
    let begun = of("begins");
    assert_eq!(begun, of("ends"));
    assert!(begun.len() >= 120, "{}", begun.len());
    let got = clear(&lines, "in").len() as u64;
    assert!(got > 3840);
}

/// A program without a linker is looked through where its file says what is in it, and left alone where that was stripped.
#[test]
fn a_program_that_is_linked_statically_is_probed_by_its_own_symbols() {
    let program = static_program("static_names");
    let (alone, traces) = unharmed(&["-e", "trace=all"], &[&program]);
    alone.exited(0);
    assert!(!traces.is_empty());
    let resolved = |program: &Path| {
        let lines = data_of(&[], &[program]);
        let names = of_type(&lines, "name").into_iter();
        names.filter(|it| it["function"] == "getaddrinfo").count()
    };
    assert_eq!(resolved(&program), 3);
    let folder = scratch();
    let stripped = folder.path().join("stripped");
    let mut strip = command(installed("strip"));
    strip.args(["-o", text(&stripped), text(&program)]);
    run(strip).exited(0);
    let (alone, _) = unharmed(&[], &[&stripped]);
    alone.exited(0);
    assert_eq!(resolved(&stripped), 0);
}

#[test]
fn libraries_that_come_and_go_do_no_harm() {
    let (alone, _) = unharmed(&[], &[program("dl_loop")]);
    assert_eq!(alone.exited(0).stdout.text(), "50 times\n");
    let lines = data_of(&[], &[program("dl_loop")]);
    let ends = of_type(&lines, "library");
    let read = |line: &&&Value| line["function"] == "SSL_read" && line["phase"] == "ends";
    assert_eq!(ends.iter().filter(read).count(), 50);
}

#[test]
fn masks_and_traps_stay_the_programs_own() {
    let (alone, _) = unharmed(&[], &[program("own_traps")]);
    let said = alone.exited(0).stdout.text();
    assert_eq!(said, "20 traps, the handler is there\nignored: still\n");
    let (alone, _) = unharmed(&[], &[program("names_threads")]);
    assert_eq!(
        alone.exited(0).stdout.text(),
        "2000 answers, signals came\n"
    );
    let lines = data_of(&[], &[program("names_threads")]);
    let ends = of_type(&lines, "library");
    let over = ends.iter().filter(|line| line["phase"] == "ends");
    assert_eq!(over.count(), 2000);
}

/// What the resolver answered is known where nothing was asked of anybody: the hosts file.
#[test]
#[ignore = "needs root, or a user namespace"]
fn names_that_no_call_carries_are_known() {
    let network = Network::with_resolver(
        "nameserver 127.0.0.1",
        "echo 127.0.0.1 shop.test > /etc/hosts",
    );
    let json = network.at("json");
    let code = "import socket
server = socket.create_server(('127.0.0.1', 0))
at = server.getsockname()[1]
print(socket.getaddrinfo('shop.test', at, 0, socket.SOCK_STREAM)[0][4][0])
name = socket.getaddrinfo('shop.' + 'test', at)[0][4]
socket.create_connection(name)";
    let output = format!("--json={}", text(&json));
    let python = installed("python3");
    let (outcome, trace) = network.traced(&[&output], &[text(&python), "-c", code]);
    outcome.exited(0);
    assert!(
        trace.text.contains("getaddrinfo(\"shop.test\", "),
        "{trace}"
    );
    assert!(
        trace
            .text
            .contains("→ 127.0.0.1  known here: no server was asked"),
        "{trace}"
    );
    let lines = lines(&json);
    let names = of_type(&lines, "name");
    assert_eq!(names[0]["function"], "getaddrinfo");
    assert_eq!(names[0]["name"], "shop.test");
    assert_eq!(names[0]["source"], "library");
    let calls = of_type(&lines, "call");
    let connects = |line: &&&Value| line["call"] == "connect" && line["peer_port"].is_u64();
    let connect = calls.iter().rfind(connects);
    assert_eq!(
        connect.expect("a connect")["peer_name"],
        "shop.test",
        "{trace}"
    );
}

#[test]
fn what_a_program_asks_of_the_resolver_is_told_as_it_asked() {
    let python = installed("python3");
    let code = "import socket
for ask in (lambda: socket.getaddrinfo('localhost', 'no-such-service'), lambda: socket.gethostbyname('localhost'),
            lambda: socket.getnameinfo(('127.0.0.1', 80), 0)):
    try: ask()
    except OSError: pass";
    let (_, trace) = traced(&[], &[text(&python), "-c", code]);
    let resolved: Vec<&str> = trace
        .text
        .lines()
        .filter(|line| line.contains(" resolve "))
        .collect();
    assert!(
        resolved[0]
            .contains("getaddrinfo(\"localhost\", \"no-such-service\", AF_UNSPEC) → EAI_SERVICE"),
        "{trace}"
    );
    assert!(
        resolved[1].contains("\"localhost\"") && resolved[1].contains("→ 127.0.0.1"),
        "{trace}"
    );
    assert!(
        resolved[2].contains("getnameinfo(127.0.0.1:80) → localhost"),
        "{trace}"
    );
}

#[test]
fn records_that_a_program_moves_itself_are_found_by_what_came_before() {
    let (_server, port) = servers::tls();
    let (python, client) = (installed("python3"), script("tls_memory.py"));
    let program = [text(&python), text(&client), &port.to_string(), "100000"];
    let (alone, _) = unharmed(&[], &program);
    alone.exited(0);
    let lines = data_of(&[], &program);
    assert_eq!(body(&clear(&lines, "in")).len(), 100_000);
    let all = of_type(&lines, "clear");
    assert!(
        all.iter()
            .all(|it| it["inferred"] == true && it["conversation"].is_i64()),
        "{all:?}"
    );
}
