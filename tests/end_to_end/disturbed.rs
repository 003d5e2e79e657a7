//! Nothing is lost while threads come into each other's way, and while a program is stopped, continued, killed or replaced at any moment.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::harness::alike::WHOLE;
use crate::harness::programs::program;
use crate::harness::{ENGINES, Job, Trace, run, scratch, sockstrace, text, unharmed};
use crate::signals::{child_of, state};

/// churn.c with these arguments, traced into a file.
fn churns(engine: &str, file: &Path, arguments: &[&str]) -> Command {
    let options = [&WHOLE[..], &["--engine", engine, "-o", text(file)]].concat();
    let mut command = sockstrace(&options, &[program("churn")]);
    command.args(arguments);
    command
}

/// What churn.c does again and again, as far as it concerns sockets.
const ROUND: [&str; 5] = ["socketpair", "write", "read", "close", "close"];

/// Fails the test unless each thread's calls, but for those of `except`, are rounds without a gap.
#[track_caller]
fn goes_round(trace: &Trace, except: Option<i32>) {
    let mut steps = HashMap::new();
    for call in trace.calls.iter().filter(|call| call.thread != except) {
        let step = steps.entry(call.thread).or_insert(0);
        assert_eq!(
            call.name,
            ROUND[*step % ROUND.len()],
            "call {step} of its thread: {}{trace}",
            call.line
        );
        *step += 1;
    }
}

#[test]
fn sockets_of_several_threads() {
    // Where threads come into each other's way is chance.
    for engine in ENGINES.into_iter().chain(["auto"; 8]) {
        let directory = scratch();
        let file = directory.path().join("trace");
        run(churns(engine, &file, &["4", "40"])).exited(9);
        goes_round(&Trace::read(&file).expect("a trace"), None);
    }
}

#[test]
fn another_program_begun_by_a_thread_while_others_use_sockets() {
    for engine in ENGINES {
        let directory = scratch();
        let file = directory.path().join("trace");
        let outcome = run(churns(engine, &file, &["4", "20", "exec"])).exited(9);
        assert_eq!(outcome.stdout.text(), ".".repeat(21), "--engine {engine}");
        let trace = Trace::read(&file).expect("a trace");
        trace.has("called by its thread");
        // The new program has the first thread's number, and makes one round.
        let last = trace.calls.iter().rev().take(ROUND.len()).rev();
        assert_eq!(
            last.map(|call| call.name.as_str()).collect::<Vec<_>>(),
            ROUND,
            "{trace}"
        );
        goes_round(&trace, trace.calls.last().and_then(|call| call.pid));
    }
}

/// A program that uses sockets in several threads, its trace, and the process that does it.
struct Churning {
    job: Job,
    directory: tempfile::TempDir,
    tracee: Pid,
}

impl Churning {
    fn start(engine: &str, dots: &str) -> Self {
        let directory = scratch();
        let file = directory.path().join("trace");
        let job = Job::start(churns(engine, &file, &["4", dots]));
        let tracee = Pid::from_raw(child_of(&job));
        Self {
            job,
            directory,
            tracee,
        }
    }

    /// Waits until the program has said so many dots.
    #[track_caller]
    fn until_dots(&self, count: usize) {
        self.job.until("progress", || {
            (self.job.stdout().0.len() >= count).then_some(())
        });
    }
}

#[test]
fn killed_at_any_moment() {
    for engine in ENGINES {
        for dots in [1, 2, 3, 5, 8, 13, 21] {
            let churning = Churning::start(engine, "1000000");
            churning.until_dots(dots);
            signal::kill(churning.tracee, Signal::SIGKILL).expect("a signal to a process of ours");
            let Churning { job, directory, .. } = churning;
            job.finish().killed_by(9);
            let trace = Trace::read(&directory.path().join("trace")).expect("a trace");
            goes_round(&trace, None);
            trace.has("killed by SIGKILL");
        }
    }
}

#[test]
fn first_sockets_disturbed_at_any_moment() {
    let (outcome, traces) = unharmed(&WHOLE, &[program("tormented")]);
    assert_eq!(outcome.exited(0).stdout.text(), "wrong: 0\n");
    for trace in traces {
        goes_round(&trace, None);
    }
}

#[test]
fn stopped_and_continued_at_any_moment() {
    for engine in ENGINES {
        let churning = Churning::start(engine, "200");
        for dots in 1..=100 {
            churning.until_dots(dots);
            signal::kill(churning.tracee, Signal::SIGSTOP).expect("a signal to a process of ours");
            // At once, or once we have stopped with it.
            if dots % 10 == 0 {
                churning.job.until("our own stop", || {
                    (state(churning.job.pid())?.0 == 'T').then_some(())
                });
            }
            // The group, since we stop where our program has.
            churning.job.signal_group(Signal::SIGCONT);
        }
        let Churning { job, directory, .. } = churning;
        job.finish().exited(9);
        goes_round(
            &Trace::read(&directory.path().join("trace")).expect("a trace"),
            None,
        );
    }
}
