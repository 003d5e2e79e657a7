//! What a person sees without asking for more: the story, folded; what hangs while it hangs; the demo.

use crate::harness::programs::program;
use crate::harness::{
    ENGINES, Job, Trace, binary, command, installed, run, scratch, servers, sockstrace, text,
    traced,
};

#[test]
fn default_screen_of_a_c_client() {
    let (outcome, trace) = traced(&[], &[program("sequence")]);
    outcome.exited(0);
    // Set-up that went well is folded and counted; with -v it is there.
    assert_eq!(trace.named("setsockopt").count(), 0, "{trace}");
    assert!(
        trace.text.contains(" calls") || trace.text.contains(" call"),
        "nothing says what was folded{trace}"
    );
    let (_, trace) = traced(&["-v"], &[program("sequence")]);
    trace.find("setsockopt", "SO_REUSEADDR");
    trace.find("setsockopt", "TCP_NODELAY");
    trace.lacks("+1 call").lacks("+2 calls");
}

#[test]
fn hanging_connection_is_visible_while_it_hangs() {
    let address = servers::silent();
    let directory = scratch();
    let file = directory.path().join("trace");
    let code = format!(
        "import socket; s = socket.create_connection(('127.0.0.1', {})); s.recv(10)",
        address.port()
    );
    let job = Job::start(sockstrace(
        &["-o", text(&file)],
        &[text(&installed("python3")), "-c", &code],
    ));
    job.until("the recv that hangs, in the trace", || {
        Trace::read(&file)
            .ok()?
            .waiting
            .iter()
            .any(|call| call.name == "recvfrom")
            .then_some(())
    });
    job.signal(nix::sys::signal::Signal::SIGTERM);
    job.finish().killed_by(15);
}

#[test]
fn demo_shows_a_whole_connection() {
    for engine in ENGINES {
        let mut demo = command(binary());
        demo.args(["--engine", engine, "--demo"]);
        let outcome = run(demo).exited(0);
        let all = outcome.stdout.text() + &outcome.stderr.text();
        let trace = Trace::parse(&all);
        // The look-up by UDP, then the connection: every stage in its order.
        let stages = |number: u32| -> Vec<&str> {
            let mut stages: Vec<&str> = trace
                .text
                .lines()
                .filter_map(|line| {
                    line.split_once(&format!(" #{number} "))?
                        .1
                        .split_whitespace()
                        .next()
                })
                .collect();
            stages.dedup();
            stages
        };
        for number in [1, 2] {
            assert_eq!(
                stages(number),
                ["create", "connect", "send", "receive", "close"],
                "{trace}"
            );
        }
        // The numbers are those of the calls: what was sent and received adds up at the close.
        let sum = |name: &str| -> i64 {
            trace
                .named(name)
                .filter(|call| call.number == Some(2))
                .filter_map(|call| call.value())
                .sum()
        };
        trace.has(&format!(
            "{} B out, {} B in, closed first by the peer",
            sum("write"),
            sum("read")
        ));
        trace.has("sockstrace.example");
    }
}

#[test]
fn sockets_from_before_are_known() {
    // As under socket activation: descriptor 3 is there from the start.
    let server = servers::echo("welcome\n");
    let directory = scratch();
    for engine in ENGINES {
        let file = directory.path().join(engine);
        let mut shell = command("bash");
        let program =
            "import os; os.write(3, b'by descriptor three'); print(os.read(3, 8).decode(), end='')";
        shell.args([
            "-c",
            &format!("exec 3<>/dev/tcp/127.0.0.1/{}; \"$@\"", server.port()),
            "bash",
            text(&binary()),
        ]);
        shell.args([
            "--engine",
            engine,
            "-o",
            text(&file),
            text(&installed("python3")),
            "-c",
            program,
        ]);
        assert_eq!(run(shell).exited(0).stdout.text(), "welcome\n");
        let trace = Trace::read(&file).expect("a trace");
        assert_eq!(
            trace.find("write", "3, \"by descriptor three\"").value(),
            Some(19),
            "{trace}"
        );
        trace.find("read", "\"welcome\\n\"");
    }
}

#[test]
fn whoever_waits_in_epoll_is_seen_to_wait_and_to_give_up() {
    let port = servers::silent().port();
    let code = format!(
        "import select, socket\n\
         s = socket.create_connection(('127.0.0.1', {port})); s.sendall(b'?')\n\
         e = select.epoll(); e.register(s, select.EPOLLIN); e.poll(1.3)\n\
         s.settimeout(0.2)\n\
         try: s.recv(1)\n\
         except TimeoutError: pass\n\
         s.settimeout(None)\n\
         s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(8) + (150_000).to_bytes(8, 'little'))\n\
         try: s.recv(1)\n\
         except BlockingIOError: pass"
    );
    for engine in ENGINES {
        let python = [text(&installed("python3")), "-c", &code].map(str::to_owned);
        let (outcome, trace) = traced(&["--engine", engine], &python);
        outcome.exited(0);
        trace.has(&format!("still waiting for 127.0.0.1:{port}"));
        let wait = trace.find("epoll_wait", "");
        assert!(wait.meaning.starts_with("timed out after 1."), "{trace}");
        let limited = trace.find("recvfrom", "");
        assert!(limited.result.contains("EAGAIN"), "{trace}");
        assert!(limited.meaning.contains("timed out after 1"), "{trace}");
    }
}

#[test]
fn program_without_sockets_is_said_to_be_one() {
    let said = |options: &[&str]| run(sockstrace(options, &["true"])).exited(0).stderr.text();
    assert_eq!(said(&[]), "sockstrace: true made no calls on sockets\n");
    for filter in [
        &["-e", "connect"][..],
        &["-z"],
        &["-q"],
        &["-e", "signal=none"],
        &["--no-follow"],
    ] {
        assert_eq!(said(filter), "", "{filter:?}");
    }
    assert!(!said(&["-c"]).contains("no calls"));
}

#[test]
fn what_starts_processes_is_shown_where_it_is_named() {
    for names in ["execve,fork,vfork,clone,clone3", "%process"] {
        let (outcome, trace) = traced(&["-e", names], &["sh", "-c", "/bin/true; exit 0"]);
        outcome.exited(0);
        assert_eq!(trace.find("execve", "/bin/true").value(), Some(0));
        let makers = ["fork", "vfork", "clone", "clone3"];
        let made = makers.iter().flat_map(|name| trace.named(name)).count();
        assert_eq!(made, 1, "{trace}");
    }
}
