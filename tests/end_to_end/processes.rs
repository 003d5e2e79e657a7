//! Threads, forks, execs and descriptor tables: everything that the program starts is followed, and nothing of it is disturbed.

use crate::harness::programs::program;
use crate::harness::{Trace, run, scratch, servers, sockstrace, text, traced, unharmed, untraced};

/// Runs a program of ours alone and under every engine, with `-v`; it must exit with this status.
#[track_caller]
fn every_engine(name: &str, status: i32) -> Vec<Trace> {
    let (outcome, traces) = unharmed(&["-v"], &[program(name)]);
    outcome.exited(status);
    traces
}

#[test]
fn hundred_threads() {
    for trace in every_engine("threads", 0) {
        for name in ["socket", "bind", "getsockname", "sendto", "close"] {
            assert_eq!(
                trace
                    .named(name)
                    .filter(|call| call.value().is_some_and(|value| value >= 0))
                    .count(),
                100,
                "{name}{trace}"
            );
        }
        for thread in 0..100 {
            trace.find("sendto", &format!("\"thread {thread}\\0"));
        }
    }
}

#[test]
fn fork_inside_a_thread() {
    for trace in every_engine("fork_in_thread", 0) {
        trace.find("write", "\"from the child\", 14");
        trace.find("read", "\"from the child\"");
    }
}

#[test]
fn fork_after_a_thread() {
    // The status is the parent's, though the child ends last.
    for trace in every_engine("fork_after_thread", 7) {
        let sent = trace.find("write", "6, \"still open\", 10");
        assert_eq!(sent.result, "10", "{trace}");
        let closes: Vec<_> = trace
            .named("close")
            .filter(|call| call.number == sent.number)
            .collect();
        let [by_child, by_parent] = closes[..] else {
            panic!("the child's close and the parent's{trace}");
        };
        assert!(
            by_child.pid != by_parent.pid && by_parent.pid == sent.pid,
            "{trace}"
        );
        assert!(!by_child.meaning.contains("lived"), "{trace}");
        assert!(by_parent.meaning.contains("10 B out"), "{trace}");
        let child = by_child.pid.unwrap_or_default();
        for line in [
            format!("[{child}]               +++ begins, started by"),
            format!("[{child}]               +++ exited with 3 +++"),
        ] {
            trace.has(&line);
        }
        assert_eq!(
            trace.text.matches("exited with 7 +++").count(),
            1,
            "{trace}"
        );
    }
}

#[test]
fn vfork_and_exec() {
    for trace in every_engine("vfork_exec", 0) {
        trace.find("write", "\"after exec\", 10");
        assert_eq!(trace.find("close", "3").result, "0", "{trace}");
    }
}

#[test]
fn exec_from_a_thread_while_others_are_in_recv() {
    for trace in every_engine("exec_from_thread", 7) {
        assert_eq!(trace.find("connect", "127.0.0.1:9").result, "0", "{trace}");
        // The calls that ended with their threads are not lost either.
        trace.find("recvfrom", "");
    }
}

#[test]
fn killed_in_the_middle_of_a_call() {
    for trace in every_engine("killed_in_call", 0) {
        trace.find("recvfrom", "");
        trace.find("accept", "");
    }
}

#[test]
fn own_child_cannot_be_traced() {
    // Alone it may, under any tracer it may not: the only program here whose output differs.
    untraced(&[program("traces_child")]).exited(0);
    for engine in crate::harness::ENGINES {
        let (outcome, trace) = traced(&["--engine", engine], &[program("traces_child")]);
        let outcome = outcome.exited(0);
        assert_eq!(
            outcome.stdout.text(),
            "PTRACE_TRACEME: EPERM\nchild exited with 0\nPTRACE_SEIZE: EPERM\nchild killed by signal 9\nclose: ok\n"
        );
        trace.find("socket", "AF_INET");
    }
}

#[test]
fn clone_untraced_children_are_seen() {
    let (outcome, traces) = unharmed(&["-v"], &[program("clone_untraced")]);
    let has_clone3 = !outcome.exited(0).stdout.text().contains("clone3: ENOSYS");
    for trace in traces {
        trace.find("connect", "127.1.2.3:9");
        if has_clone3 {
            trace.find("connect", "127.1.2.4:9");
        }
    }
}

#[test]
fn clone_untraced_in_memory_that_is_read_only() {
    for trace in every_engine("clone_read_only", 0) {
        assert_eq!(trace.find("connect", "127.1.2.5:9").result, "0", "{trace}");
        trace.has("exited with 13");
    }
}

#[test]
fn shared_descriptor_table_without_threads() {
    for trace in every_engine("clone_files", 0) {
        assert_eq!(
            trace.find("write", "7, \"shared table\", 12").result,
            "12",
            "{trace}"
        );
        assert_eq!(trace.find("close", "7").result, "0", "{trace}");
        assert_eq!(
            trace.find("write", "8, \"after unshare\", 13").result,
            "-1 EPIPE",
            "{trace}"
        );
        // Pipes are no sockets.
        trace.lacks("\"!\"");
    }
}

#[test]
fn close_range_of_every_kind() {
    for trace in every_engine("close_ranges", 0) {
        let ranges: Vec<_> = trace
            .named("close_range")
            .map(|call| call.result.as_str())
            .collect();
        assert_eq!(ranges, ["0", "-1 EINVAL", "0", "0"], "{trace}");
    }
}

#[test]
fn close_range_that_fails_closes_nothing() {
    for trace in every_engine("close_range_refused", 0) {
        assert_eq!(
            trace
                .named("close_range")
                .next()
                .expect("a close_range")
                .result,
            "-1 EINVAL",
            "{trace}"
        );
        trace.find("write", "3, \"not closed\", 10");
        trace.find("read", "4, \"not closed\"");
        let closed: Vec<_> = trace.named("close").map(|call| call.descriptor()).collect();
        assert_eq!(closed, [Some(3), Some(4)], "{trace}");
    }
}

#[test]
fn dup_over_sockets_and_files() {
    for trace in every_engine("dup_over", 0) {
        for (descriptor, text) in [
            (3, "socket as 3"),
            (20, "socket as 20"),
            (20, "by 20 alone"),
            (4, "in its place"),
        ] {
            assert_eq!(
                trace.find("write", &format!("\"{text}\"")).descriptor(),
                Some(descriptor),
                "{trace}"
            );
        }
        trace.lacks("into the file").lacks("file as 3");
    }
}

#[test]
fn all_descriptors_shows_files_too() {
    let (_, trace) = traced(&["-v", "--all-descriptors"], &[program("dup_over")]);
    assert_eq!(
        trace.find("write", "\"into the file\"").value(),
        Some(13),
        "{trace}"
    );
    trace.find("write", "\"file as 3\"");
    trace.find("write", "\"socket as 3\"");
    trace.has("/dev/null");
}

#[test]
fn sockets_passed_to_another_process() {
    for trace in every_engine("pass_rights", 0) {
        assert_eq!(
            trace
                .find("write", "\"by the passed one\", 17")
                .descriptor(),
            Some(10),
            "{trace}"
        );
        trace.find("sendmsg", "SCM_RIGHTS");
        trace.find("close", "10");
        // The five files that the child opened first are none of ours.
        trace.find("recvmsg", "SCM_RIGHTS");
    }
}

#[test]
fn socket_closed_by_its_sender_before_it_is_received() {
    for trace in every_engine("pass_and_close", 0) {
        let by_sender = trace.find("write", "8, \"by the sender, \"");
        let by_receiver = trace.find("write", "7, \"by the receiver\"");
        assert!(by_sender.number.is_some(), "{trace}");
        assert_eq!(by_receiver.number, by_sender.number, "{trace}");
        let closes: Vec<_> = trace
            .named("close")
            .filter(|call| call.number == by_sender.number)
            .collect();
        let [first, last] = closes[..] else {
            panic!("the sender's close and the receiver's{trace}");
        };
        assert_eq!(
            (first.pid, last.pid),
            (by_sender.pid, by_receiver.pid),
            "{trace}"
        );
        assert!(!first.meaning.contains("lived"), "{trace}");
        assert!(
            last.meaning.contains("30 B out") && last.meaning.contains("lived"),
            "{trace}"
        );
    }
}

#[test]
fn close_on_exec() {
    for trace in every_engine("cloexec", 0) {
        assert_eq!(
            trace.find("write", "3, \"kept over exec\", 14").result,
            "14",
            "{trace}"
        );
        trace.lacks("into the file");
    }
}

#[test]
fn filters_of_the_programs_own() {
    for filter in ["errno", "strict"] {
        let (outcome, traces) = unharmed(
            &["-v"],
            &[
                program("own_filter").to_str().expect("a path in UTF-8"),
                filter,
            ],
        );
        outcome.exited(9);
        for trace in traces {
            assert_eq!(
                trace.find("write", "\"filtered\", 8").result,
                "8",
                "{trace}"
            );
            assert_eq!(trace.find("read", "\"filtered\"").result, "8", "{trace}");
            if filter == "errno" {
                // What the program's own filter refuses never reaches the kernel's calls, and is told all the same.
                for (name, result) in [("getpeername", "-1 EACCES"), ("socket", "-1 EMFILE")] {
                    let refused = trace.named(name).filter(|call| call.result == result);
                    assert_eq!(refused.count(), 1, "{name}{trace}");
                }
            }
        }
    }
}

#[test]
fn seccomp_mode_1() {
    // Mode 1 cannot follow a filter, so only the engine without one leaves room for it.
    let path = program("own_filter");
    let command = [path.to_str().expect("a path in UTF-8"), "mode1"];
    let alone = untraced(&command).exited(9);
    let (outcome, trace) = traced(&["-v", "--engine", "syscall"], &command);
    assert_eq!(outcome, alone, "{trace}");
    trace.find("write", "\"filtered\", 8");
}

#[test]
fn io_uring_is_announced_once() {
    for trace in every_engine("uring", 0) {
        // A kernel without io_uring, or one that forbids it, has nothing to announce.
        let works = untraced(&[program("uring")])
            .stdout
            .text()
            .starts_with("io_uring_setup: ok");
        let notices = trace
            .text
            .lines()
            .filter(|line| line.contains("io_uring") && !line.contains("io_uring_setup("))
            .count();
        assert_eq!(notices, usize::from(works), "{trace}");
    }
}

#[test]
fn no_io_uring_answers_enosys() {
    for engine in crate::harness::ENGINES {
        let (outcome, trace) = traced(&["--engine", engine, "--no-io-uring"], &[program("uring")]);
        assert_eq!(
            outcome.exited(0).stdout.text(),
            "io_uring_setup: ENOSYS\nio_uring_setup: ENOSYS\nwith a bad pointer: ENOSYS\nclose: ok\n",
            "{trace}"
        );
        trace.has("io_uring");
    }
}

#[test]
fn no_follow_hides_children_and_harms_none() {
    for engine in crate::harness::ENGINES {
        let alone = untraced(&[program("fork_in_thread")]);
        let (outcome, trace) = traced(
            &["-v", "--engine", engine, "--no-follow"],
            &[program("fork_in_thread")],
        );
        assert_eq!(outcome, alone, "{trace}");
        trace.lacks("from the child");
    }
}

#[test]
fn processes_are_told_apart() {
    let trace = &every_engine("pass_rights", 0)[0];
    let by_parent = trace.find("sendmsg", "SCM_RIGHTS");
    let by_child = trace.find("write", "\"by the passed one\"");
    assert!(
        by_child.pid.is_some() && by_child.pid != by_parent.pid,
        "{trace}"
    );
    by_child
        .line
        .find("pass_rights")
        .unwrap_or_else(|| panic!("no name in {:?}", by_child.line));
}

#[test]
fn trace_on_standard_error_by_default() {
    let outcome = run(sockstrace(&["-v"], &[program("vfork_exec")])).exited(0);
    assert_eq!(outcome.stdout, untraced(&[program("vfork_exec")]).stdout);
    Trace::parse(&outcome.stderr.text()).find("write", "\"after exec\", 10");
}

#[test]
fn each_process_has_a_file_of_its_own_and_nothing_else_is_written() {
    let directory = scratch();
    let (file, url) = (
        directory.path().join("trace"),
        format!("http://{}/", servers::http("a page")),
    );
    std::fs::write(&file, "somebody's own\n").expect("a file of ours");
    // A line that is nobody's comes once the shell has ended before its first child, which waits for it: after the process whose file
    // was made last is gone.
    let script = "(while :; do for file in \"$0\".*; do while read -r line; do case $line in
        *'still running'*) exit ;; esac; done < \"$file\"; done; done) & curl -s -o /dev/null \"$1\"";
    let program = ["sh", "-c", script, text(&file), &url];
    run(sockstrace(&["-ff", "-o", text(&file)], &program)).exited(0);
    let files = std::fs::read_dir(directory.path()).expect("a folder of ours");
    let mut traces: Vec<(String, String)> = files
        .map(|entry| entry.expect("its entry").path())
        .map(|path| (text(&path).to_owned(), std::fs::read_to_string(&path)))
        .map(|(path, text)| (path, text.expect("text")))
        .collect();
    traces.sort();
    assert_eq!(
        traces[0],
        (text(&file).to_owned(), "somebody's own\n".to_owned())
    );
    let of_curl = traces
        .iter()
        .find(|(_, text)| text.contains("\"GET / HTTP"));
    let (_, of_curl) = of_curl.unwrap_or_else(|| panic!("curl's calls are lost: {traces:#?}"));
    assert!(of_curl.contains(" connect "), "{of_curl}");
    let anywhere = |words| traces.iter().any(|(_, text)| text.contains(words));
    assert!(anywhere("still running: sh["), "{traces:#?}");
}
