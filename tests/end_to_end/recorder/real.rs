//! Real programs, each with the recorder and without: the same output, and the same calls on each of its connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::clients::{git_command, repository};
use crate::harness::alike::{Order, Sequences, WHOLE, assert_same_connections, connections};
use crate::harness::programs::{go_program, java_classes, script};
use crate::harness::servers::{self, Port};
use crate::harness::{
    Job, RECORDERS, Trace, as_ordinary_user, binary, command, if_installed, install, installed,
    run, scratch, sockstrace, text, unharmed_under,
};
use crate::servers::nginx_configuration;

/// Without the recorder, and with it from the first call on.
const COMPARED: [&str; 2] = [RECORDERS[0], RECORDERS[1]];

/// Fails the test unless both traces tell the same of each connection.
#[track_caller]
fn same_connections(order: Order, traces: &[Trace]) {
    let [one, other] = traces else {
        panic!("{} traces", traces.len())
    };
    assert_same_connections(order, (COMPARED[0], one), (COMPARED[1], other));
}

/// Runs a program alone and both ways.
#[track_caller]
fn does_the_same(order: Order, program: &[&str]) -> Trace {
    let (outcome, mut traces) = unharmed_under(&COMPARED, &WHOLE, program);
    outcome.exited(0);
    same_connections(order, &traces);
    traces.remove(0)
}

/// A server that is traced both ways while `use_it` talks to it, and that `end` then ends.
#[track_caller]
fn serves_the_same(
    start: impl Fn(&str, &Path) -> Job,
    use_it: impl Fn(),
    end: impl Fn(&Job),
) -> Vec<Trace> {
    let traces = COMPARED.map(|engine| {
        let directory = scratch();
        let file = directory.path().join("trace");
        let job = start(engine, &file);
        use_it();
        end(&job);
        job.finish().exited(0);
        Trace::read(&file).expect("a trace")
    });
    traces.into()
}

/// What sockstrace is called with for a trace of everything in a file.
fn options<'a>(engine: &'a str, file: &'a Path) -> Vec<&'a str> {
    [&["--engine", engine, "-o", text(file)], &WHOLE[..]].concat()
}

#[test]
fn curl_and_wget() {
    let address = servers::http("a short page\n");
    let url = format!("http://{address}/");
    let curl = installed("curl");
    let mut words = vec![text(&curl), "-s"];
    words.extend([url.as_str(); 20]);
    let trace = does_the_same(Order::Kept, &words);
    let address = address.to_string();
    let connects = trace.named("connect");
    let connects = connects.filter(|call| call.arguments.contains(&address));
    assert_eq!(connects.count(), 20, "{trace}");
    let wget = installed("wget");
    let mut words = vec![text(&wget), "-qO-"];
    words.extend([url.as_str(); 20]);
    does_the_same(Order::Kept, &words);
}

#[test]
fn git() {
    let directory = scratch();
    let root = directory.path();
    repository(root);
    let (_server, port) = servers::files(root);
    let traces = COMPARED.map(|engine| {
        let (file, clone) = (root.join(format!("trace-{engine}")), root.join(engine));
        let url = format!("http://127.0.0.1:{port}/there.git");
        let program = ["git", "clone", "-q", &url, text(&clone)];
        let mut git = sockstrace(&options(engine, &file), &program);
        git.envs(
            git_command()
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        run(git).exited(0);
        let cloned = std::fs::read_to_string(clone.join("file"));
        assert_eq!(cloned.expect("the cloned file"), "content\n");
        Trace::read(&file).expect("a trace")
    });
    same_connections(Order::Kept, &traces);
}

#[test]
fn python() {
    // Not what finds a Python first.
    let python = command(installed("python3"));
    let mut ask = python;
    ask.args(["-c", "import sys; print(sys.executable, end='')"]);
    let python = run(ask).exited(0).stdout.text();
    for (how, order) in [("threads", Order::Any), ("asyncio", Order::Kept)] {
        does_the_same(order, &[&python, text(&script("web.py")), how]);
    }
}

#[test]
fn node() {
    does_the_same(
        Order::Kept,
        &[text(&installed("node")), text(&script("web.js"))],
    );
}

#[test]
fn go() {
    does_the_same(Order::Any, &[text(&go_program("web"))]);
}

#[test]
fn perl_and_ruby() {
    for (name, source, order) in [
        ("perl", "web.pl", Order::Kept),
        ("ruby", "web.rb", Order::Any),
    ] {
        if let Some(interpreter) = if_installed(name) {
            does_the_same(order, &[text(&interpreter), text(&script(source))]);
        }
    }
}

#[test]
fn java() {
    let (Some(java), Some(javac)) = (if_installed("java"), if_installed("javac")) else {
        return;
    };
    let classes = java_classes(&javac, "Web");
    let words = [text(&java), "-Xshare:auto", "-cp", text(&classes), "Web"];
    does_the_same(Order::Any, &words);
}

/// A client that asks for a page time and again on one connection.
fn keep_asking(port: u16, times: usize, page: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let request = format!("GET {page} HTTP/1.1\r\nHost: here\r\n\r\n");
    let mut first = None;
    for _ in 0..times {
        stream.write_all(request.as_bytes()).expect("room");
        let mut answer = Vec::new();
        // All answers have the same length, and the first one says which.
        let length = *first.get_or_insert_with(|| {
            let mut byte = [0];
            while !answer.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).expect("a head");
                answer.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&answer).into_owned();
            let length = head.split("Content-Length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
            answer.len() + length.expect("a length")
        });
        let read = answer.len();
        answer.resize(length, 0);
        stream.read_exact(&mut answer[read..]).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    }
}

#[test]
fn nginx() {
    use std::os::unix::fs::PermissionsExt;
    let (port, directory) = (Port::reserve(), scratch());
    let root = directory.path();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755))
        .expect("a directory of ours");
    std::fs::write(root.join("file"), "x".repeat(3000)).expect("a file of ours");
    let configuration = nginx_configuration(root, &port);
    let (nginx, root) = (installed("nginx"), text(root));
    let words = [text(&nginx), "-p", root, "-c", text(&configuration)];
    let traces = serves_the_same(
        |engine, file| servers::start(sockstrace(&options(engine, file), &words), &port),
        || {
            std::thread::scope(|scope| {
                for page in ["/", "/file", "/"] {
                    scope.spawn(|| keep_asking(port.number, 100, page));
                }
            });
        },
        |job| job.signal(Signal::SIGTERM),
    );
    // Which worker takes a connection is chance, and with it what its listener and its channel to the other one are used for; what it
    // does with a connection is not.
    let accepted = traces.each_accepted();
    assert_eq!(accepted[0].len(), 4, "{}", traces[0]);
    assert_eq!(accepted[0], accepted[1], "{}{}", traces[0], traces[1]);
}

/// What traces of servers are compared by.
trait Accepted {
    /// The connections that began with an accept, of each trace.
    fn each_accepted(&self) -> Vec<Sequences>;
}

impl Accepted for Vec<Trace> {
    fn each_accepted(&self) -> Vec<Sequences> {
        let accepted = |steps: &Vec<String>| steps[0].starts_with("accept");
        let of = |trace| {
            connections(Order::Kept, trace)
                .into_iter()
                .filter(accepted)
                .collect()
        };
        self.iter().map(of).collect()
    }
}

/// A redis-server, alone or traced.
fn redis(line: Option<(&str, &Path)>, directory: &Path, port: &Port) -> Job {
    let server = installed("redis-server");
    let mut redis = match line {
        Some((engine, file)) => sockstrace(&options(engine, file), &[&server]),
        None => command(&server),
    };
    let number = port.number.to_string();
    redis.args(servers::redis_arguments(&number));
    redis.current_dir(directory);
    servers::start(redis, port)
}

/// What asks a redis-server 2000 times, by so many connections at a time.
fn benchmark<'a>(port: &'a str, clients: &'a str) -> Vec<&'a str> {
    vec![
        "redis-benchmark",
        "-p",
        port,
        "-n",
        "2000",
        "-c",
        clients,
        "-q",
        "-t",
        "set",
    ]
}

#[test]
fn redis_server() {
    let directory = scratch();
    let port = Port::reserve();
    let number = port.number.to_string();
    let cli = installed("redis-cli");
    let traces = serves_the_same(
        |engine, file| redis(Some((engine, file)), directory.path(), &port),
        || {
            let mut client = command("redis-benchmark");
            client.args(&benchmark(&number, "1")[1..]);
            run(client).exited(0);
        },
        |_| {
            let mut end = command(&cli);
            end.args(["-p", &number, "SHUTDOWN", "NOSAVE"]);
            run(end);
        },
    );
    let accepted = traces.each_accepted();
    assert_eq!(accepted[0], accepted[1], "{}{}", traces[0], traces[1]);
}

/// How many bytes went each way in all connections together.
fn sums(trace: &Trace) -> (i64, i64) {
    let sum = |direction: &str| {
        let steps = connections(Order::Kept, trace).into_iter().flatten();
        let bytes = steps.filter_map(|step| {
            let bytes = step.strip_prefix(direction)?.strip_suffix(" B")?;
            bytes.trim().parse::<i64>().ok()
        });
        bytes.sum::<i64>()
    };
    (sum("send"), sum("receive"))
}

#[test]
fn redis_benchmark() {
    let directory = scratch();
    let port = Port::reserve();
    let number = port.number.to_string();
    let _server = redis(None, directory.path(), &port);
    let traces = COMPARED.map(|engine| {
        let file = directory.path().join(engine);
        let client = sockstrace(&options(engine, &file), &benchmark(&number, "8"));
        run(client).exited(0);
        Trace::read(&file).expect("a trace")
    });
    // Which of its connections it uses how often is chance, in all it is not.
    let (one, other) = (sums(&traces[0]), sums(&traces[1]));
    assert_eq!(one, other, "{}{}", traces[0], traces[1]);
    // SET key:__rand_int__ xxx and OK.
    assert!(one.0 >= 2000 * 40 && one.1 >= 2000 * 5, "{one:?}");
}

#[test]
fn postgres() {
    use std::os::unix::fs::PermissionsExt;
    let [Some(initdb), Some(postgres), Some(psql)] =
        ["initdb", "postgres", "psql"].map(if_installed)
    else {
        return;
    };
    let (port, directory) = (Port::reserve(), scratch());
    // It refuses to run as root.
    let root = directory.path();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o777))
        .expect("a directory of ours");
    let tracer = root.join("sockstrace");
    install(&binary(), &tracer, "755");
    let (data, number) = (root.join("data"), port.number.to_string());
    let mut begin = as_ordinary_user(&initdb);
    begin.args(["-D", text(&data), "-U", "postgres"]);
    begin.args(["-N", "-A", "trust", "--no-locale"]);
    begin.current_dir(root);
    run(begin).exited(0);
    let mut words = vec![text(&postgres), "-D", text(&data)];
    words.extend(["-k", text(root), "-p", &number]);
    // Nothing that it does by itself from time to time.
    for setting in [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "autovacuum=off",
        "max_logical_replication_workers=0",
    ] {
        words.extend(["-c", setting]);
    }
    let mut ask = vec![text(&psql), "-h", "127.0.0.1", "-p", &number];
    ask.extend(["-U", "postgres", "-d", "postgres", "-AtX"]);
    for _ in 0..40 {
        ask.extend(["-c", "select sum(n) from generate_series(1, 100) as n"]);
    }
    let traces = COMPARED.map(|engine| {
        let (ours, theirs) = (root.join(format!("{engine}-psql")), root.join(engine));
        let mut line = as_ordinary_user(&tracer);
        line.args(options(engine, &theirs)).arg("--").args(&words);
        line.current_dir(root);
        let server = Job::start(line);
        server.until("a server", || {
            let said = server.stderr().text();
            said.contains("ready to accept connections").then_some(())
        });
        let client = run(sockstrace(&options(engine, &ours), &ask)).exited(0);
        assert_eq!(client.stdout.text(), "5050\n".repeat(40));
        server.signal(Signal::SIGINT);
        server.finish().exited(0);
        [ours, theirs].map(|file| Trace::read(&file).expect("a trace"))
    });
    let [one, other] = traces;
    for (left, right) in one.iter().zip(&other) {
        assert_same_connections(Order::Kept, (COMPARED[0], left), (COMPARED[1], right));
    }
}
