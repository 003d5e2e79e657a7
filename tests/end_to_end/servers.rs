//! Servers that are traced while clients talk to them: listening, accepting, answering, and going down by a signal.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::servers::{self, Port};
use crate::harness::{
    ENGINES, Job, Trace, command, installed, scratch, sockstrace, text, untraced,
};

/// The server's story: who listens where, and an accept from loopback with a conversation of its own.
#[track_caller]
fn serves(trace: &Trace, address: &str) {
    assert_eq!(trace.find("bind", address).result, "0", "{trace}");
    assert!(
        trace.named("listen").any(|call| call.result == "0"),
        "{trace}"
    );
    let listener = trace.find("bind", address).number;
    let accepted = trace
        .calls
        .iter()
        .filter(|call| call.name.starts_with("accept") && call.value().is_some_and(|fd| fd >= 0))
        .collect::<Vec<_>>();
    assert!(!accepted.is_empty(), "nobody was accepted{trace}");
    for call in accepted {
        assert!(
            call.arguments.contains("127.0.0.1:"),
            "no peer in {}",
            call.line
        );
        assert!(
            call.number.is_some() && call.number != listener,
            "an accepted connection is a conversation of its own: {}",
            call.line
        );
    }
}

#[test]
fn redis_server() {
    let client = installed("redis-cli");
    for engine in ENGINES {
        let (port, directory) = (Port::reserve(), scratch());
        let file = directory.path().join("trace");
        let number = port.number.to_string();
        let mut redis = sockstrace(
            &["--engine", engine, "-o", text(&file)],
            &[text(&installed("redis-server"))],
        );
        redis.args(servers::redis_arguments(&number));
        redis.current_dir(directory.path());
        let job = servers::start(redis, &port);
        for (command, answer) in [("SET", "OK"), ("GET", "the value")] {
            let mut arguments = vec![text(&client), "-p", &number, command, "the:key"];
            arguments.extend((command == "SET").then_some("the value"));
            assert_eq!(untraced(&arguments).exited(0).stdout.text().trim(), answer);
        }
        untraced(&[text(&client), "-p", &number, "SHUTDOWN", "NOSAVE"]);
        job.finish().exited(0);
        let trace = Trace::read(&file).expect("a trace");
        serves(&trace, &port.address());
        trace.has("the:key").has("the value").has("+OK");
    }
}

/// The configuration of an nginx with two workers, in a directory of its own.
pub fn nginx_configuration(root: &Path, port: &Port) -> std::path::PathBuf {
    let file = root.join("nginx.conf");
    let path = text(root);
    let user = if crate::harness::is_root() {
        "user nobody nogroup;"
    } else {
        ""
    };
    let text = format!(
        "{user} daemon off; worker_processes 2; pid {path}/pid; error_log {path}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
    server {{
        listen 127.0.0.1:{};
        location / {{ return 200 'from nginx\\n'; }}
        location /file {{ root {path}; sendfile on; }}
    }}
}}",
        port.number
    );
    std::fs::write(&file, text).expect("a file of ours");
    file
}

#[test]
fn nginx() {
    use std::os::unix::fs::PermissionsExt;
    let curl = installed("curl");
    for engine in ENGINES {
        let (port, directory) = (Port::reserve(), scratch());
        let root = directory.path();
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755))
            .expect("a directory of ours");
        std::fs::write(root.join("file"), "x".repeat(100_000)).expect("a file of ours");
        let configuration = nginx_configuration(root, &port);
        let trace_file = root.join("trace");
        let nginx = sockstrace(
            &["--engine", engine, "-o", text(&trace_file)],
            &[
                text(&installed("nginx")),
                "-p",
                text(root),
                "-c",
                text(&configuration),
            ],
        );
        let job = servers::start(nginx, &port);
        // Several clients at once.
        let clients: Vec<Job> = (0..6)
            .map(|_| {
                let mut client = command(&curl);
                client.args(["-s", &format!("http://{}/", port.address())]);
                Job::start(client)
            })
            .collect();
        for client in clients {
            assert_eq!(client.finish().exited(0).stdout.text(), "from nginx\n");
        }
        let whole = untraced(&[
            text(&curl),
            "-s",
            &format!("http://{}/file", port.address()),
        ])
        .exited(0);
        assert_eq!(whole.stdout.0.len(), 100_000);
        // Sent to sockstrace alone, it is passed on, and nginx goes down in order.
        job.signal(Signal::SIGTERM);
        job.finish().exited(0);
        let trace = Trace::read(&trace_file).expect("a trace");
        serves(&trace, &port.address());
        trace.has("GET / HTTP/1.1").has("200 OK").has("nginx[");
        assert!(
            trace
                .named("sendfile")
                .any(|call| call.value().is_some_and(|sent| sent > 0)),
            "{trace}"
        );
    }
}

#[test]
fn python_http_server() {
    let curl = installed("curl");
    for engine in ENGINES {
        let directory = scratch();
        std::fs::write(directory.path().join("page"), "from python\n").expect("a file of ours");
        let file = directory.path().join("trace");
        let mut python = sockstrace(
            &["--engine", engine, "-o", text(&file)],
            &[
                text(&installed("python3")),
                "-u",
                "-m",
                "http.server",
                "0",
                "--bind",
                "127.0.0.1",
            ],
        );
        python.current_dir(directory.path());
        let job = Job::start(python);
        let port = servers::announced_port(&job);
        let url = format!("http://127.0.0.1:{port}/page");
        assert_eq!(
            untraced(&[text(&curl), "-s", &url]).exited(0).stdout.text(),
            "from python\n"
        );
        // As Ctrl-C in a terminal: to the whole group, once.
        job.signal_group(Signal::SIGINT);
        let outcome = job.finish().exited(0);
        assert!(
            outcome
                .stdout
                .text()
                .contains("Keyboard interrupt received, exiting."),
            "{outcome:#?}"
        );
        let trace = Trace::read(&file).expect("a trace");
        assert_eq!(trace.find("bind", "127.0.0.1:0").result, "0", "{trace}");
        trace
            .has("GET /page")
            .has("200 OK")
            .has(&format!("127.0.0.1:{port}"));
    }
}

#[test]
fn server_that_is_killed_is_reported() {
    let directory = scratch();
    let file = directory.path().join("trace");
    let python = installed("python3");
    let arguments = [
        text(&python),
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
    ];
    let mut command = sockstrace(&["-o", text(&file)], &arguments);
    command.current_dir(directory.path());
    let job = Job::start(command);
    job.until_stdout(" port ");
    // The tracer is killed: what it launched goes with it, and nothing is left behind stopped.
    let tracee = crate::signals::child_of(&job);
    job.signal(Signal::SIGKILL);
    job.finish().killed_by(9);
    crate::harness::poll(|| (!Path::new(&format!("/proc/{tracee}")).exists()).then_some(()))
        .unwrap_or_else(|| panic!("process {tracee} has outlived its tracer"));
}
