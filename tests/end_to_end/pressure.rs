//! Under pressure: threads that never rest, and a reader of the trace that is slow.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::programs::program;
use crate::harness::{ENGINES, Job, Trace, run, scratch, sockstrace, text};

/// How soon a signal must have reached a program that is busy.
const SOON: Duration = Duration::from_secs(5);

/// Sends SIGTERM to us alone, and expects the program to take it soon.
#[track_caller]
fn reaches_it_soon(job: &Job, engine: &str) {
    let sent = Instant::now();
    job.signal(Signal::SIGTERM);
    job.until_stdout("got 15\n");
    let took = sent.elapsed();
    assert!(took < SOON, "SIGTERM took {took:?} under --engine {engine}");
}

#[test]
fn busy_threads_take_turns() {
    let program = program("busy_threads");
    for engine in ENGINES {
        let directory = scratch();
        let file = directory.path().join("trace");
        let job = Job::start(sockstrace(
            &["-v", "--engine", engine, "-o", text(&file)],
            &[text(&program), "20000"],
        ));
        job.until_stdout("ready\n");
        reaches_it_soon(&job, engine);
        let output = job.finish().exited(0).stdout.text();
        let numbers: Vec<usize> = output
            .rsplit_once("calls ")
            .into_iter()
            .flat_map(|(_, calls)| calls.split_whitespace())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [least, most, total] = numbers[..] else {
            panic!("no counts in {output:?}");
        };
        assert!(
            most <= 20 * least,
            "one thread made {least} calls, another {most}, under --engine {engine}"
        );
        // And each of their calls is told.
        let trace = std::fs::read_to_string(&file).expect("a trace");
        let told = trace.matches(" sendto(").count();
        assert_eq!(told, total, "calls told and made under --engine {engine}");
    }
}

#[test]
fn nothing_is_lost_while_the_reader_of_the_trace_is_slow() {
    const CHILDREN: usize = 2000;
    let program = program("many_forks");
    for engine in ENGINES {
        let directory = scratch();
        let file = directory.path().join("trace");
        // What sleeps is the slow reader itself: by its first read the program has long filled whatever lies between.
        let reader = format!("|sleep 1; cat >'{}'", text(&file));
        run(sockstrace(
            &["-v", "--engine", engine, "-o", &reader],
            &[text(&program), &CHILDREN.to_string()],
        ))
        .exited(5);
        let trace = Trace::read(&file).expect("a trace");
        let count = |what: &str| trace.text.matches(what).count();
        assert_eq!(
            count("+++ begins, started by"),
            CHILDREN,
            "--engine {engine}"
        );
        assert_eq!(
            count("+++ exited with 0 +++"),
            CHILDREN,
            "--engine {engine}"
        );
        assert_eq!(trace.named("socket").count(), CHILDREN, "--engine {engine}");
        assert_eq!(trace.named("close").count(), CHILDREN, "--engine {engine}");
        let last = trace.text.lines().last().unwrap_or_default();
        assert!(
            last.ends_with("+++ exited with 5 +++"),
            "the last line is {last:?}, --engine {engine}"
        );
    }
}
