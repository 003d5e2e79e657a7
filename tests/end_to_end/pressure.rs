//! Under pressure: threads that never rest, and a reader of the trace that is slow or does not read at all.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::path::Path;
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

/// How many calls of a stage ended. Not by their names: one that takes long on a busy machine has a line before its end, too, and may
/// end without its name (`⤷ = 1`).
fn ended(trace: &str, stage: &str) -> usize {
    let ended = |line: &&str| line.contains(stage) && line.contains(" = ");
    trace.lines().filter(ended).count()
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
        // Whose turn it is where nobody stops, the kernel alone says.
        assert!(
            engine == "record" || most <= 20 * least,
            "one thread made {least} calls, another {most}, under --engine {engine}"
        );
        // And each of their calls is told.
        let trace = std::fs::read_to_string(&file).expect("a trace");
        let told = ended(&trace, " send ");
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
        for stage in [" create ", " close "] {
            let ended = ended(&trace.text, stage);
            assert_eq!(ended, CHILDREN, "{stage} under --engine {engine}");
        }
        let last = trace.text.lines().last().unwrap_or_default();
        assert!(
            last.ends_with("+++ exited with 5 +++"),
            "the last line is {last:?}, --engine {engine}"
        );
    }
}

/// How often each thread of a process has left the processor: numbers that stand still while it does nothing.
fn switches(pid: i32) -> Option<HashMap<String, String>> {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .ok()?
        .map(|task| {
            let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let (name, rest) = (
                status.lines().find(|line| line.starts_with("Pid:"))?,
                &status,
            );
            let counts = rest.split_once("voluntary_ctxt_switches")?.1;
            Some((name.to_owned(), counts.to_owned()))
        })
        .collect()
}

#[test]
fn signals_end_a_program_whose_trace_nobody_reads() {
    let program = program("busy_threads");
    for engine in ENGINES {
        let directory = scratch();
        let (fifo, file) = (
            directory.path().join("fifo"),
            directory.path().join("trace"),
        );
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO of ours");
        // The reader waits for a line, or for the end of all writers: of this one.
        let gate = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&fifo)
            .expect("a FIFO of ours");
        let reader = format!(
            "|trap '' INT TERM; read line <'{}'; cat >'{}'",
            text(&fifo),
            text(&file)
        );
        let mut job = Job::start(sockstrace(
            &["-v", "--engine", engine, "-o", &reader],
            // It takes SIGUSR1, and is killed by SIGTERM.
            &[text(&program), "1", "10"],
        ));
        job.until_stdout("ready\n");
        let tracee = child_named(&job, "busy_threads");
        // The program stands still once all room between it and the reader is full.
        let (mut before, mut still) = (None, 0);
        job.until("a program that stands still", || {
            let now = switches(tracee);
            still = if now == before { still + 1 } else { 0 };
            before = now;
            (still > 50).then_some(())
        });
        let sent = Instant::now();
        job.signal(Signal::SIGTERM);
        job.until("the program's end", || {
            (!Path::new(&format!("/proc/{tracee}")).exists()).then_some(())
        });
        assert!(sent.elapsed() < SOON, "{:?}", sent.elapsed());
        assert!(!job.ended(), "the trace has not been read yet");
        drop(gate);
        job.finish().killed_by(15);
        let trace = Trace::read(&file).expect("a trace");
        let last = trace.text.lines().last().unwrap_or_default();
        assert!(
            last.contains("+++ killed by SIGTERM"),
            "the last line is {last:?}, --engine {engine}"
        );
    }
}

/// The child of a job's process that bears this name: processes of our own stand beside it.
#[track_caller]
fn child_named(job: &Job, name: &str) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", job.pid());
    job.until(name, || {
        std::fs::read_to_string(&children)
            .ok()?
            .split_whitespace()
            .find(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|comm| comm.starts_with(name))
            })?
            .parse()
            .ok()
    })
}
