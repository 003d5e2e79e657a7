//! Clients that people trace: what they print stays, and their conversation is told.

use std::path::Path;
use std::process::Command;

use crate::harness::servers::{self, Port};
use crate::harness::{
    ENGINES, Trace, command, installed, run, scratch, sockstrace, text, unharmed, untraced,
};

pub const BODY: &str = "a short page\n";

/// The line of the connection to this address must be there, and so must its end.
#[track_caller]
pub fn tells(trace: &Trace, address: &str) {
    let connect = trace.find("connect", address);
    assert!(
        connect.number.is_some(),
        "a conversation without a number: {}{trace}",
        connect.line
    );
    assert!(
        connect.line.contains("connect "),
        "no stage in {}{trace}",
        connect.line
    );
    // Closed by a call, or with the program's end.
    let stage = format!(" #{} close ", connect.number.unwrap_or_default());
    assert!(
        trace
            .text
            .lines()
            .any(|line| line.contains(&stage) && line.contains(" out, ") && line.contains(" in")),
        "no end of {address} that says what went out and in:{trace}"
    );
}

/// Runs a client of a page alone and under every engine.
#[track_caller]
pub fn fetches(client: &[&str], address: &str) {
    let (outcome, traces) = unharmed(&[], client);
    assert!(outcome.exited(0).stdout.text().ends_with(BODY));
    for trace in traces {
        tells(&trace, address);
        trace.has("GET /").has("200 OK");
    }
}

#[test]
fn curl() {
    let address = servers::http(BODY).to_string();
    fetches(
        &[
            text(&installed("curl")),
            "-s",
            &format!("http://{address}/"),
        ],
        &address,
    );
}

#[test]
fn curl_by_name() {
    let address = servers::http(BODY);
    let url = format!("http://localhost:{}/", address.port());
    let (outcome, traces) = unharmed(&[], &[text(&installed("curl")), "-s4", &url]);
    outcome.exited(0);
    for trace in traces {
        tells(&trace, &address.to_string());
    }
}

#[test]
fn curl_refused() {
    let port = Port::reserve();
    let (outcome, traces) = unharmed(
        &[],
        &[
            text(&installed("curl")),
            "-s",
            &format!("http://{}/", port.address()),
        ],
    );
    outcome.exited(7);
    for trace in traces {
        trace.find("connect", &port.address());
        trace.has("ECONNREFUSED");
    }
}

#[test]
fn wget() {
    let address = servers::http(BODY).to_string();
    fetches(
        &[
            text(&installed("wget")),
            "-q",
            "-O",
            "-",
            &format!("http://{address}/"),
        ],
        &address,
    );
}

#[test]
fn nc() {
    let address = servers::echo("welcome\n");
    let directory = scratch();
    let input = directory.path().join("input");
    std::fs::write(&input, "through nc\n").expect("a file of ours");
    let port = address.port().to_string();
    for engine in ENGINES {
        let file = directory.path().join(engine);
        let mut command = sockstrace(
            &["--engine", engine, "-o", text(&file)],
            &[text(&installed("nc.openbsd")), "-N", "127.0.0.1", &port],
        );
        command.stdin(std::fs::File::open(&input).expect("a file of ours"));
        assert_eq!(
            run(command).exited(0).stdout.text(),
            "welcome\nthrough nc\n"
        );
        let trace = Trace::read(&file).expect("a trace");
        tells(&trace, &address.to_string());
        trace.has("\"through nc\\n\"");
    }
}

/// A git repository that plain HTTP can serve, in a web root of its own.
pub fn repository(root: &Path) {
    let git = |arguments: &[&str]| {
        let mut command = git_command();
        command.arg("-C").arg(root).args(arguments);
        run(command).exited(0);
    };
    git(&["init", "-q", "--bare", "there.git"]);
    git(&["init", "-q", "work"]);
    std::fs::write(root.join("work/file"), "content\n").expect("a file of ours");
    git(&["-C", "work", "add", "file"]);
    git(&[
        "-C",
        "work",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "commit",
        "-q",
        "-m",
        "first",
    ]);
    git(&[
        "-C",
        "work",
        "push",
        "-q",
        "../there.git",
        "HEAD:refs/heads/main",
    ]);
    git(&["-C", "there.git", "symbolic-ref", "HEAD", "refs/heads/main"]);
    git(&["-C", "there.git", "update-server-info"]);
}

pub fn git_command() -> Command {
    let mut git = command(installed("git"));
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    git
}

#[test]
fn git_clone_over_http() {
    let directory = scratch();
    let root = directory.path();
    repository(root);
    let (_server, port) = servers::files(root);
    for engine in ENGINES {
        let file = root.join(format!("trace-{engine}"));
        let clone = root.join(format!("clone-{engine}"));
        let mut git = sockstrace(
            &["--engine", engine, "-o", text(&file)],
            &[
                text(&installed("git")),
                "clone",
                "-q",
                &format!("http://127.0.0.1:{port}/there.git"),
                text(&clone),
            ],
        );
        git.envs(
            git_command()
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        run(git).exited(0);
        assert_eq!(
            std::fs::read_to_string(clone.join("file")).expect("the cloned file"),
            "content\n"
        );
        let trace = Trace::read(&file).expect("a trace");
        let connect = trace.find("connect", &format!("127.0.0.1:{port}"));
        assert!(
            connect.line.contains("git-remote-http["),
            "who connects: {}",
            connect.line
        );
        trace.has("GET /there.git/info/refs");
    }
}

#[test]
fn dig() {
    let address = servers::dns("known.example");
    let at = format!("@{}", address.ip());
    let port = address.port().to_string();
    let dig = installed("dig");
    let ask = |name| {
        [
            text(&dig).to_owned(),
            at.clone(),
            "-p".into(),
            port.clone(),
            "+short".into(),
            "+noedns".into(),
            "+nocookie".into(),
            name,
            "A".into(),
        ]
    };
    let (outcome, traces) = unharmed(&[], &ask("known.example".to_owned()));
    assert_eq!(outcome.exited(0).stdout.text(), "192.0.2.7\n");
    for trace in traces {
        trace.has(&address.to_string()).has("known");
    }
    let (outcome, _) = unharmed(&[], &ask("unknown.example".to_owned()));
    assert_eq!(outcome.exited(0).stdout.text(), "");
}

#[test]
fn ssh_to_a_closed_port() {
    let port = Port::reserve();
    let ssh = installed("ssh");
    let number = port.number.to_string();
    let command = [
        text(&ssh),
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-p",
        &number,
        "127.0.0.1",
        "true",
    ];
    let (outcome, traces) = unharmed(&[], &command);
    assert!(
        outcome
            .exited(255)
            .stderr
            .text()
            .contains("Connection refused")
    );
    for trace in traces {
        assert_eq!(
            trace.find("connect", &port.address()).result,
            "-1 ECONNREFUSED",
            "{trace}"
        );
    }
}

#[test]
fn ssh_to_a_server_too_old() {
    let address = servers::greeter("SSH-1.0-old\r\n");
    let ssh = installed("ssh");
    let port = address.port().to_string();
    let command = [
        text(&ssh),
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-p",
        &port,
        "127.0.0.1",
        "true",
    ];
    let (outcome, traces) = unharmed(&[], &command);
    assert!(
        outcome
            .exited(255)
            .stderr
            .text()
            .contains("versions differ")
    );
    for trace in traces {
        trace.find("connect", &address.to_string());
        trace.has("SSH-2.0-OpenSSH");
        // It reads the other's greeting byte by byte.
        let greeting: String = trace
            .named("read")
            .filter(|call| call.result == "1")
            .filter_map(|call| call.arguments.split('"').nth(1))
            .collect();
        assert!(greeting.starts_with("SSH-1.0-old"), "{greeting}{trace}");
    }
}

#[test]
fn redis_cli() {
    let port = Port::reserve();
    let directory = scratch();
    let mut redis = command(installed("redis-server"));
    redis.args(servers::redis_arguments(&port.number.to_string()));
    redis.current_dir(directory.path());
    let _server = servers::start(redis, &port);
    let number = port.number.to_string();
    let client = installed("redis-cli");
    let (outcome, traces) = unharmed(
        &[],
        &[text(&client), "-p", &number, "SET", "the-key", "the-value"],
    );
    assert_eq!(outcome.exited(0).stdout.text(), "OK\n");
    for trace in traces {
        trace.find("connect", &port.address());
        trace.has("the-key").has("+OK");
    }
}

#[test]
fn shell_pipeline() {
    let address = servers::http(BODY).to_string();
    let line = format!("curl -s http://{address}/ | cat; exit 5");
    let (outcome, traces) = unharmed(&[], &[text(&installed("sh")), "-c", &line]);
    assert_eq!(outcome.exited(5).stdout.text(), BODY);
    for trace in traces {
        tells(&trace, &address);
        assert!(
            trace.find("connect", &address).line.contains("curl["),
            "{trace}"
        );
        // The pipe between the two is no socket.
        trace.lacks("cat[");
    }
}

#[test]
fn untraced_helper_sees_what_we_think() {
    // The tests' own servers answer as they should: what fails above then fails for its own reasons.
    let address = servers::http(BODY).to_string();
    assert_eq!(
        untraced(&[
            text(&installed("curl")),
            "-s",
            &format!("http://{address}/")
        ])
        .exited(0)
        .stdout
        .text(),
        BODY
    );
}
