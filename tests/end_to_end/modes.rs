//! The engines agree: whichever way calls are made to stop, a program does the same, and the trace of it is the same, call by call.

use crate::harness::alike::{Detail, WHOLE, agree, asks_again, assert_alike};
use crate::harness::programs::program;
use crate::harness::{ENGINES, Trace, command, installed, run, scratch, servers, text, unharmed};

#[test]
fn on_programs_of_one_thread() {
    for name in [
        "bad_pointers",
        "close_range_refused",
        "dup_over",
        "iovecs",
        "sequence",
        "undumpable",
        "uring",
        "use_after_close",
    ] {
        agree(Detail::Meanings, &[text(&program(name))]);
    }
    // Their lengths go beyond what they have written: what stands there is chance.
    for name in ["bad_lengths", "sockaddr_lengths"] {
        agree(Detail::Names, &[text(&program(name))]);
    }
}

#[test]
fn on_programs_that_become_others_or_wait_for_their_children() {
    for name in [
        "clone_read_only",
        "clone_untraced",
        "cloexec",
        "close_ranges",
        "fork_in_thread",
        "many_forks",
        "vfork_exec",
    ] {
        agree(Detail::Meanings, &[text(&program(name))]);
    }
}

#[test]
fn on_processes_that_run_side_by_side() {
    for name in [
        "clone_files",
        "exec_from_thread",
        "fork_after_thread",
        "interrupted_accept",
        "pass_and_close",
        "pass_rights",
    ] {
        agree(Detail::Calls, &[text(&program(name))]);
    }
}

#[test]
fn on_threads_that_share_descriptors() {
    agree(Detail::Names, &[text(&program("threads"))]);
}

/// A real program, which polls.
#[track_caller]
fn agree_but_for_polling(program: &[&str]) {
    let (outcome, mut traces) = unharmed(&WHOLE, program);
    outcome.exited(0);
    for trace in &mut traces {
        trace.calls.retain(|call| !asks_again(call));
        assert!(trace.calls.len() > 3, "{program:?} makes calls{trace}");
    }
    for (engine, other) in ENGINES.iter().zip(&traces).skip(1) {
        assert_alike(Detail::Names, (ENGINES[0], &traces[0]), (engine, other));
    }
}

#[test]
fn on_real_programs() {
    let address = servers::http("a short page\n");
    let url = format!("http://{address}/");
    let (host, port) = ("127.0.0.1", address.port());
    let python = format!(
        "import urllib.request as r; print(r.urlopen('{url}').read()); print(open('/proc/self/comm').read())"
    );
    let bash = format!(
        "exec 5<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&5; cat <&5; read x </proc/self/comm; exec 5>&-"
    );
    let nc = installed("nc.openbsd");
    let nc = text(&nc);
    let nc = format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | {nc} {host} {port}");
    let node = format!("fetch('{url}').then(r => r.text()).then(console.log)");
    agree_but_for_polling(&[text(&installed("curl")), "-s", &url]);
    agree_but_for_polling(&[text(&installed("wget")), "-qO-", &url]);
    agree_but_for_polling(&[text(&installed("python3")), "-c", &python]);
    agree_but_for_polling(&[text(&installed("bash")), "-c", &bash]);
    agree_but_for_polling(&[text(&installed("sh")), "-c", &nc]);
    agree_but_for_polling(&[text(&installed("node")), "-e", &node]);
}

/// What strace must tell of it too: calls that only sockets take, and those that other descriptors take as well.
const OF_SOCKETS: &str = "socket,socketpair,bind,listen,connect,accept,accept4,shutdown,getsockname,getsockopt,setsockopt,sendto,\
                          sendmsg,recvfrom,recvmsg";
const OF_DESCRIPTORS: &str = "read,readv,pread64,write,writev,pwrite64,close,dup,dup2,dup3,fcntl,ioctl,sendfile,splice,tee,poll,ppoll,\
                              epoll_ctl";

/// strace's trace of the calls that concern sockets, as -yy shows them.
#[track_caller]
fn by_strace(program: &[&str]) -> Trace {
    let directory = scratch();
    let file = directory.path().join("strace");
    let calls = format!("trace={OF_SOCKETS},{OF_DESCRIPTORS}");
    let mut strace = command(installed("strace"));
    strace.args(["-f", "-yy", "-o", text(&file), "-e", &calls]);
    run({
        strace.args(program);
        strace
    });
    let mut trace = Trace::read(&file).expect("strace's trace");
    trace.calls.retain(|call| {
        let kinds = ["<UNIX", "<TCP", "<UDP", "<socket:"];
        OF_SOCKETS.split(',').any(|name| name == call.name)
            || kinds.iter().any(|kind| call.line.contains(kind))
    });
    trace
}

#[test]
fn on_whatever_can_be_done_with_descriptors() {
    let program = program("random_descriptors");
    // More of them by hand, for an hour of doubt.
    let seeds = std::env::var("SOCKSTRACE_TEST_SEEDS").ok();
    for seed in 1..=seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(8) {
        let command = [text(&program), &seed.to_string(), "250"];
        let (_, mut ours) = agree(Detail::Meanings, &command);
        assert!(ours.calls.len() > 200, "seed {seed}{ours}");
        if seed > 3 {
            continue; // strace -yy takes its time
        }
        // A file that has come where a socket was is none, and what is closed is nothing any more, though we tell that too.
        ours.calls.retain(|call| {
            let named = |names: &str| names.split(',').any(|name| name == call.name);
            named(OF_SOCKETS) || (named(OF_DESCRIPTORS) && call.result != "-1 EBADF")
        });
        let mut theirs = by_strace(&command);
        theirs.calls.retain(|call| {
            OF_SOCKETS.split(',').any(|name| name == call.name) || call.result != "-1 EBADF"
        });
        assert_alike(Detail::Names, (ENGINES[0], &ours), ("strace", &theirs));
    }
}
