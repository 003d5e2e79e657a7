//! What the story makes of real programs: names, protocols, the kernel's own view, findings and the overview.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};

use crate::harness::data::{lines, of_type};
use crate::harness::programs::script;
use crate::harness::{
    ENGINES, command, installed, live_and_again, run, scratch, servers, sockstrace, text, traced,
};

/// A program in python, and what its trace says.
fn told(options: &[&str], code: &str) -> String {
    let python = installed("python3");
    traced(options, &[text(&python), "-c", code]).1.text
}

/// A server of this test's own that says hello to whoever asks; then it closes, or reads on.
fn greeter(reads_on: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || greet(stream, reads_on));
        }
    });
    port
}

fn greet(mut stream: TcpStream, reads_on: bool) {
    let mut asked = [0; 4096];
    let count = stream.read(&mut asked).unwrap_or(0);
    if count > 0 {
        let _gone = stream.write_all(b"hello");
    }
    while reads_on && stream.read(&mut asked).unwrap_or(0) > 0 {}
}

#[test]
fn addresses_come_from_the_kernel_where_no_call_tells_them() {
    let port = greeter(false);
    let code = format!(
        "import socket
s = socket.create_connection(('127.0.0.1', {port})); own = s.getsockname()
t = socket.socket(); t.connect(('127.0.0.1', {port})); t.send(b'x'); t.recv(9); t.close()
print('other')"
    );
    let options = ["--overview", "--engine", "stop"];
    let trace = told(&options, &code);
    let ends = trace.matches("127.0.0.1:").count();
    assert!(ends >= 4, "{trace}");
    let row = trace
        .lines()
        .find(|line| line.trim_start().starts_with("2  127.0.0.1:"));
    let row = row.unwrap_or_else(|| panic!("no row of the second one: {trace}"));
    assert!(row.contains(&format!("→ 127.0.0.1:{port}")), "{row}");
}

#[test]
fn the_kernel_s_view_stands_below_each_call_and_agrees_with_ss() {
    let port = greeter(false);
    let code = format!(
        "import socket, subprocess
s = socket.create_connection(('127.0.0.1', {port})); s.send(b'x')
while s.recv(9): pass
print(subprocess.run(['ss', '-tinH', 'sport', '=', ':%d' % s.getsockname()[1]], capture_output=True, text=True).stdout)
s.recv(1); s.close()"
    );
    let python = installed("python3");
    let (outcome, trace) = traced(&["--kernel"], &[text(&python), "-c", &code]);
    let view = outcome.stdout.text();
    let trace = trace.text;
    assert!(trace.contains("ESTABLISHED, rtt "), "{trace}");
    assert!(trace.contains("CLOSE_WAIT, rtt "), "{trace}");
    assert!(view.contains("CLOSE-WAIT"), "{view}");
    let window = view
        .split("cwnd:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let window = format!(
        "window {}",
        window.unwrap_or_else(|| panic!("no window in {view}"))
    );
    let last = trace.lines().rfind(|line| line.contains("CLOSE_WAIT"));
    assert!(
        last.is_some_and(|line| line.contains(&window)),
        "{window}: {trace}"
    );
}

#[test]
fn what_the_kernel_said_is_recorded_and_told_again() {
    let port = greeter(false);
    let code = format!(
        "import socket
s = socket.create_connection(('127.0.0.1', {port})); s.send(b'x'); s.recv(2); s.close()"
    );
    let python = installed("python3");
    let program = [text(&python), "-c", &code];
    let [live, again] = live_and_again(&["--kernel", "--overview"], &program);
    assert_eq!(live, again);
    // Three of the five bytes were never read.
    assert!(live.contains("3 B never read"), "{live}");
    assert!(live.contains("closed-unread"), "{live}");
}

#[test]
fn looking_keeps_no_connection_open() {
    // The peer has to see the end when the program closes, not when the program ends.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let code = format!(
        "import socket, sys
s = socket.create_connection(('127.0.0.1', {port})); s.send(b'x'); s.close()
sys.stdin.read()"
    );
    let python = installed("python3");
    for engine in ENGINES {
        let folder = scratch();
        let trace = folder.path().join("trace");
        let mut tracing = sockstrace(
            &["--kernel", "--engine", engine, "-o", text(&trace)],
            &[text(&python), "-c", &code],
        );
        tracing.stdin(Stdio::piped());
        let mut child = tracing.spawn().expect("sockstrace");
        let (mut peer, _) = listener.accept().expect("the program");
        let mut all = Vec::new();
        peer.read_to_end(&mut all).expect("its end");
        assert_eq!(all, b"x");
        drop(child.stdin.take());
        assert!(child.wait().expect("its status").success());
    }
}

#[test]
fn names_protocols_and_findings_are_data_too() {
    let folder = scratch();
    let json = folder.path().join("trace.ndjson");
    let address = servers::http("a page\n");
    let url = format!("http://localhost:{}/?token=hush", address.port());
    let option = format!("--json={}", text(&json));
    run(sockstrace(
        &[option.as_str()],
        &[text(&installed("curl")), "-s", &url],
    ))
    .exited(0);
    let all = lines(&json);
    let messages: Vec<_> = of_type(&all, "call")
        .iter()
        .filter_map(|call| call["messages"].as_array().cloned())
        .flatten()
        .collect();
    let find = |kind: &str| {
        let found = messages.iter().find(|message| message["kind"] == kind);
        found
            .unwrap_or_else(|| panic!("no {kind} in {messages:#?}"))
            .clone()
    };
    assert_eq!(find("request")["text"], "GET /?token=****");
    assert_eq!(find("request")["name"], "localhost");
    assert!(
        find("answer")["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("200 "))
    );
    let conversations = of_type(&all, "conversation");
    let web = conversations
        .iter()
        .find(|it| it["peer_port"] == address.port());
    let web = web.expect("a conversation with the server");
    assert_eq!(web["protocols"], serde_json::json!(["HTTP"]));
    // What the program was called with is no data that was sent.
    let sent = of_type(&all, "call");
    assert!(!sent.iter().any(|call| call.to_string().contains("hush")));

    let refused = folder.path().join("refused.ndjson");
    let option = format!("--json={}", text(&refused));
    let code = "import socket
s = socket.socket(); s.bind(('127.0.0.1', 0))
t = socket.socket(); t.connect_ex(s.getsockname())";
    run(sockstrace(
        &[option.as_str()],
        &[text(&installed("python3")), "-c", code],
    ))
    .exited(0);
    let all = lines(&refused);
    let finding = of_type(&all, "finding")[0].clone();
    assert_eq!(finding["name"], "connect-refused");
    let number = finding["calls"][0].as_u64().expect("a call");
    let call = of_type(&all, "call")
        .into_iter()
        .find(|call| call["number"] == number)
        .cloned();
    assert_eq!(
        call.expect("the call that proves it")["error"],
        "ECONNREFUSED"
    );
}

/// What is found in programs that do it, and in those that nearly do.
#[test]
fn programs_provoke_findings_and_near_misses_do_not() {
    let port = greeter(true);
    let connect = format!("socket.create_connection(('127.0.0.1', {port}))");
    let programs = [
        ("descriptor-leak", format!("all = [{connect} for _ in range(4)]; os._exit(0)"), format!("[{connect}.close() for _ in range(4)]")),
        ("many-connections", format!("[({connect}.send(b'x')) for _ in range(9)]"), format!("s = {connect}; [s.send(b'x') for _ in range(9)]")),
        ("double-close", format!("s = {connect}; fd = s.detach(); os.close(fd)\ntry: os.close(fd)\nexcept OSError: pass"), format!("s = {connect}; os.close(s.detach())")),
        ("use-after-close", format!("s = {connect}; fd = s.fileno(); s.close()\ntry: os.write(fd, b'x')\nexcept OSError: pass"), format!("s = {connect}; os.write(s.fileno(), b'x'); s.close()")),
        ("address-in-use", "a = socket.socket(); a.bind(('127.0.0.1', 0)); a.listen(); b = socket.socket()\ntry: b.bind(a.getsockname())\nexcept OSError: pass".into(), "a = socket.socket(); a.bind(('127.0.0.1', 0)); a.listen()".into()),
        ("spinning", format!("s = {connect}; s.setblocking(False)\nfor _ in range(2000):\n try: s.recv(1)\n except BlockingIOError: pass"), format!("s = {connect}; s.setblocking(False)\nfor _ in range(20):\n try: s.recv(1)\n except BlockingIOError: pass")),
        ("tiny-calls", format!("s = {connect}; [s.send(b'x') for _ in range(500)]; s.close()"), format!("s = {connect}; [s.send(b'x' * 100) for _ in range(500)]; s.close()")),
        ("inherited-socket", format!("s = {connect}; s.set_inheritable(True); p = subprocess.Popen(['cat'], stdin=subprocess.PIPE, close_fds=False); s.close(); p.stdin.close(); p.wait()"), format!("s = {connect}; p = subprocess.Popen(['cat'], stdin=subprocess.PIPE); s.close(); p.stdin.close(); p.wait()")),
        ("datagram-cut", "a = socket.socket(type=socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0)); a.sendto(b'x' * 100, a.getsockname()); a.recv(3, socket.MSG_TRUNC)".into(), "a = socket.socket(type=socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0)); a.sendto(b'xxx', a.getsockname()); a.recv(3, socket.MSG_TRUNC)".into()),
        ("listens-everywhere", "s = socket.socket(); s.bind(('', 0)); s.listen()".into(), "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()".into()),
    ];
    for (name, provokes, misses) in programs {
        for (code, found) in [(provokes, true), (misses, false)] {
            let code = format!("import os, socket, subprocess\n{code}");
            let trace = told(&["--findings=all"], &code);
            assert_eq!(trace.contains(name), found, "{name} in {code}: {trace}");
        }
    }
}

#[test]
fn a_failing_name_is_one_line_with_its_reason() {
    let code = "import socket
try: socket.getaddrinfo('no-such-name.invalid', 80)
except OSError: pass";
    let trace = told(&["--engine", "stop"], code);
    // Whether a name server can be reached from here or not: what was asked is told in one line, its sockets are not.
    if trace.contains("resolve  ") {
        assert!(trace.contains("(\"no-such-name.invalid\""), "{trace}");
        assert_eq!(trace.matches(" create ").count(), 0, "{trace}");
    }
    let verbose = told(&["-v", "--engine", "stop"], code);
    assert!(
        verbose.matches("socket(").count() > trace.matches("socket(").count(),
        "{verbose}"
    );
}

#[test]
fn an_answer_that_is_cut_and_asked_for_by_tcp_is_one_line() {
    let port = servers::dns_by_tcp("known.example").port().to_string();
    let dig = installed("dig");
    let dig = [text(&dig), "@127.0.0.1", "-p", &port, "+noedns"];
    for (more, by) in [("+noall", " by UDP, then by TCP "), ("+ignore", " by UDP ")] {
        let trace = traced(&[], &[&dig[..], &[more, "known.example"]].concat())
            .1
            .text;
        let upshot = match more {
            "+ignore" => "answer too long for UDP (TC)",
            _ => "192.0.2.7",
        };
        let line = trace.lines().find(|line| line.contains(" resolve "));
        let line = line.unwrap_or_else(|| panic!("no name: {trace}"));
        for words in [upshot, by] {
            assert!(line.contains(words), "no {words}: {trace}");
        }
        assert!(!trace.contains(" connect "), "{trace}");
    }
}

/// c-ares, by which node asks where it is told to ask for a type of record.
#[test]
fn names_that_node_asks_for_by_itself_are_one_line_each() {
    let address = servers::dns_by_tcp("known.example");
    let code = format!(
        "const dns = require('dns'); dns.setServers(['{address}']);
        dns.resolve4('known.example', () => dns.resolve4('unknown.example', () => {{}}))"
    );
    let node = installed("node");
    let trace = traced(&[], &[text(&node), "-e", &code]).1.text;
    let lines: Vec<_> = trace
        .lines()
        .filter(|line| line.contains(" resolve "))
        .collect();
    let [known, unknown] = lines[..] else {
        panic!("{trace}")
    };
    assert!(
        known.contains("known.example A") && known.contains("192.0.2.7"),
        "{trace}"
    );
    assert!(unknown.contains("no such name (NXDOMAIN)"), "{trace}");
    assert!(known.contains("by UDP, then by TCP"), "{trace}");
    assert!(!trace.contains(" connect "), "{trace}");
}

/// A server that speaks TLS by the certificate of the tests, one request a connection, and the process that it is.
fn secured(versions: &str) -> (u16, Child) {
    let certificate = script("certificate.pem");
    let folder = certificate.parent().expect("a folder");
    let code = format!(
        "import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('certificate.pem', 'key.pem')
context.maximum_version = ssl.TLSVersion.{versions}
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    try:
        with context.wrap_socket(peer, server_side=True) as talk:
            talk.recv(4096)
            talk.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n')
    except OSError:
        peer.close()"
    );
    let mut server = command(installed("python3"));
    server.args(["-c", &code]).current_dir(folder);
    let mut server = server.stdout(Stdio::piped()).spawn().expect("a server");
    let mut line = String::new();
    let stdout = server.stdout.as_mut().expect("its output");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("its port");
    (line.trim().parse().expect("a port"), server)
}

#[test]
fn of_tls_the_handshake_is_understood() {
    let certificate = script("certificate.pem");
    for (versions, chosen) in [
        ("TLSv1_3", "ServerHello 1.3 "),
        ("TLSv1_2", "ServerHello 1.2 "),
    ] {
        let (port, mut server) = secured(versions);
        let host = format!("shop.example:{port}:127.0.0.1");
        let url = format!("https://shop.example:{port}/");
        let curl = installed("curl");
        let fetch = |more: &[&str]| {
            let program = [&[text(&curl), "-s", "--resolve", &host, &url], more].concat();
            traced(&["--overview"], &program)
        };
        let (outcome, trace) = fetch(&["--cacert", text(&certificate)]);
        let trace = trace.text;
        outcome.exited(0);
        for words in [
            "TLS ClientHello shop.example, up to 1.3",
            chosen,
            "TLS handshake done",
        ] {
            assert!(trace.contains(words), "no {words}: {trace}");
        }
        let row = trace
            .lines()
            .find(|line| line.contains(" shop.example ") && line.contains(" TLS "));
        assert!(row.is_some_and(|row| row.contains("closed")), "{trace}");

        let (outcome, trace) = fetch(&[]);
        // 60: the certificate is nobody's that curl knows.
        outcome.exited(60);
        let trace = trace.text;
        // Of TLS 1.3 the alert travels encrypted.
        if versions == "TLSv1_2" {
            assert!(
                trace.contains("TLS alert: nobody trusted has signed"),
                "{trace}"
            );
            assert!(trace.contains("finding  tls-alert  "), "{trace}");
        }
        server.kill().expect("our own server");
        server.wait().expect("its status");
    }
}
