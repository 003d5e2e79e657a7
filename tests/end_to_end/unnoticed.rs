//! The program does not notice: registers, memory, signals, limits and whatever else it may look at are its own; and wherever it makes
//! its calls from, they are told.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use crate::harness::alike::{Detail, WHOLE, agree};
use crate::harness::programs::{i386_program, program, static_program};
use crate::harness::{ENGINES, Job, Outcome, Trace, scratch, sockstrace, text, unharmed};

/// Runs a program that looks for differences itself, and says that there are none.
#[track_caller]
fn finds_nothing(program: &[&str]) {
    found_nothing(agree(Detail::Meanings, program).0);
}

/// Fails the test unless a program says that it has found no differences.
#[track_caller]
pub fn found_nothing(outcome: Outcome) {
    let output = outcome.exited(0).stdout.text();
    assert!(output.ends_with("differences: 0\n"), "{output}");
}

#[test]
fn in_registers_and_below_the_stack() {
    finds_nothing(&[text(&program("unnoticed_registers"))]);
    finds_nothing(&[text(&static_program("unnoticed_registers"))]);
}

#[test]
fn in_memory() {
    for program in [
        program("unnoticed_memory"),
        static_program("unnoticed_memory"),
    ] {
        finds_nothing(&[text(&program)]);
        finds_nothing(&[text(&program), "stack"]);
    }
}

#[test]
fn in_signals() {
    // How often its timer comes is chance, and with it how many calls it makes.
    let (outcome, _) = unharmed(&["-v"], &[program("unnoticed_signals")]);
    found_nothing(outcome);
}

#[test]
fn when_it_confines_itself() {
    let program = program("own_filters");
    for how in ["prctl", "seccomp", "tsync", "thread"] {
        for when in ["before", "between"] {
            for what in ["allow", "errno", "trap", "trace", "kill", "strict"] {
                let command = [text(&program), how, when, what];
                let (outcome, trace) = agree(Detail::Calls, &command);
                outcome.exited(9);
                trace.find("write", "40, \"under the filter\"");
                trace.find("write", "40, \"in a child\"");
                trace.find("write", "40, \"in the other thread\"");
            }
        }
    }
}

#[test]
fn at_its_limits() {
    let program = program("limits");
    for limit in ["nofile", "as", "lock", "maps", "mdwe"] {
        let (outcome, trace) = agree(Detail::Meanings, &[text(&program), limit]);
        outcome.exited(0);
        trace.find("write", "\"in a child\"");
        trace.find("write", "\"still\"");
    }
}

#[test]
fn in_a_memory_that_two_processes_share() {
    let (outcome, trace) = agree(Detail::Meanings, &[program("vfork_sockets")]);
    outcome.exited(0);
    for (descriptor, text) in [
        (10, "after exec, what was there before"),
        (12, "in the parent"),
        (30, "with CLONE_VM"),
        (31, "with CLONE_VM and CLONE_FILES"),
        (31, "what the child made"),
        (30, "as vfork does"),
    ] {
        trace.find("write", &format!("{descriptor}, \"{text}\""));
    }
}

#[test]
fn i386_calls_beside_others() {
    let (outcome, trace) = agree(Detail::Meanings, &[program("i386_calls")]);
    // A kernel may have no such calls.
    if !outcome.stdout.text().contains("no i386 calls") {
        outcome.exited(7);
        trace.find("write", "\"x86_64 to i386\"");
    }
}

#[test]
fn programs_of_32_bits() {
    let (outcome, traces) = unharmed(&["-v"], &[i386_program("i386_program")]);
    assert_eq!(outcome.exited(7).stdout.text(), "all as it should be\n");
    for trace in traces {
        trace.has("is a 32-bit program");
    }
}

/// How many calls of that name succeeded, and gave `length` bytes where that matters.
fn successes(trace: &Trace, name: &str) -> usize {
    trace
        .named(name)
        .filter(|call| call.value().is_some_and(|value| value >= 0))
        .count()
}

/// The number that stands behind these words in what a program has said.
#[track_caller]
fn said(output: &str, words: &str) -> usize {
    let rest = output
        .split(words)
        .nth(1)
        .and_then(|rest| rest.split([',', '\n']).next());
    rest.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {words:?} in {output:?}"))
}

#[test]
fn thousands_of_sockets_with_files_among_them() {
    let program = program("many_sockets");
    let (outcome, trace) = agree(Detail::Calls, &[text(&program), "1500"]);
    let output = outcome.exited(0).stdout.text();
    assert_eq!(
        successes(&trace, "read"),
        said(&output, "reads "),
        "{output}"
    );
    assert_eq!(
        successes(&trace, "write"),
        said(&output, "writes "),
        "{output}"
    );
}

#[test]
fn threads_that_do_everything_at_once() {
    tells_as_many(&[text(&program("mixed_threads"))], 0);
}

/// A program that says how many reads and writes on sockets it made: all of them must be told, under every engine.
#[track_caller]
fn tells_as_many(program: &[&str], status: i32) {
    let (outcome, traces) = unharmed(&["-v"], program);
    let output = outcome.exited(status).stdout.text();
    let made = match output.contains("calls: ") {
        true => said(&output, "calls: "),
        false => said(&output, "reads ") + said(&output, "writes "),
    };
    for (engine, trace) in ENGINES.iter().zip(traces) {
        let told = trace.named("read").chain(trace.named("write")).count();
        assert_eq!(
            told, made,
            "calls told and made by {program:?} under --engine {engine}"
        );
    }
}

#[test]
fn sockets_handed_over_without_a_call() {
    let program = program("spinning");
    for who in ["process", "1", "3"] {
        tells_as_many(&[text(&program), who], 0);
    }
}

#[test]
fn hundreds_of_programs_one_after_the_other() {
    tells_as_many(&[text(&program("generations")), "80"], 5);
}

#[test]
fn sockets_that_come_from_other_processes() {
    let (outcome, trace) = agree(Detail::Meanings, &[program("passing")]);
    let output = outcome.exited(0).stdout.text();
    for words in [
        "one of three",
        "another of three",
        "its copy",
        "in a child of the receiver",
        "by pidfd_getfd",
    ] {
        // Where it may not take it, it says so, and nothing of it can be told.
        if output.contains(words) {
            trace.find("write", &format!("\"{words}\""));
            trace.find("read", &format!("\"{words}\""));
        }
    }
}

#[test]
fn sockets_that_were_there_from_the_start() {
    for engine in ENGINES {
        let directory = scratch();
        let file = directory.path().join("trace");
        let pair = || UnixStream::pair().expect("a pair of sockets");
        let ((mut to_0, its_0), (mut from_1, its_1), (mut at_5, its_5)) = (pair(), pair(), pair());
        let mut command = sockstrace(
            &["-v", "--engine", engine, "-o", text(&file)],
            &[program("plain_io")],
        );
        let fifth = its_5.as_raw_fd();
        // SAFETY: dup2 is a plain system call.
        unsafe {
            command.pre_exec(move || match libc::dup2(fifth, 5) {
                5 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        command.stdin(OwnedFd::from(its_0));
        command.stdout(OwnedFd::from(its_1));
        let own = || tempfile::tempfile().expect("a temporary file");
        let errors = own();
        command.stderr(errors.try_clone().expect("a descriptor"));
        to_0.write_all(b"in by 0").expect("room");
        at_5.write_all(b"in by 5").expect("room");
        let job = Job::start_with(command, own(), errors);
        let expect = |stream: &mut UnixStream, words: &str| {
            let mut bytes = vec![0; words.len()];
            stream
                .read_exact(&mut bytes)
                .expect("what the program sends on");
            assert_eq!(String::from_utf8_lossy(&bytes), words, "--engine {engine}");
        };
        expect(&mut from_1, "in by 0");
        expect(&mut at_5, "in by 5");
        at_5.write_all(b"in by its copy").expect("room");
        expect(&mut at_5, "in by its copy");
        to_0.write_all(b"in by the child").expect("room");
        expect(&mut from_1, "in by the child");
        job.finish().exited(0);
        let trace = Trace::read(&file).expect("a trace");
        for (input, output, words) in [
            (0, 1, "in by 0"),
            (5, 5, "in by 5"),
            (0, 1, "in by the child"),
        ] {
            assert_eq!(
                trace.find("read", &format!("\"{words}\"")).descriptor(),
                Some(input),
                "{trace}"
            );
            assert_eq!(
                trace.find("write", &format!("\"{words}\"")).descriptor(),
                Some(output),
                "{trace}"
            );
        }
        assert_eq!(trace.named("read").count(), 4, "--engine {engine}{trace}");
        assert_eq!(trace.named("write").count(), 4, "--engine {engine}{trace}");
    }
}

#[test]
fn wherever_its_code_is() {
    let (outcome, traces) = unharmed(&WHOLE, &[program("far_mappings")]);
    outcome.exited(0);
    for (engine, trace) in ENGINES.iter().zip(traces) {
        // Each process says at its end how many writes came before.
        let mut made = std::collections::HashMap::new();
        let mut ends = 0;
        for call in trace.named("write") {
            let count = made.entry(call.pid).or_insert(0);
            match call.arguments.split_once("\"that were ") {
                None => *count += 1,
                Some((_, rest)) => {
                    let claimed: i32 = rest
                        .split('"')
                        .next()
                        .and_then(|n| n.parse().ok())
                        .expect("a number");
                    assert_eq!(*count, claimed, "--engine {engine}{trace}");
                    *count = 0;
                    ends += 1;
                }
            }
        }
        // Itself, the one with pages all over, four of its kind with a child each.
        assert_eq!(ends, 10, "--engine {engine}{trace}");
    }
}
