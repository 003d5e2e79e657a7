//! Signals from outside reach the program once and unchanged, whomever of us they were sent to.

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::harness::programs::program;
use crate::harness::{
    ENGINES, Job, Outcome, scratch, sockstrace, text, traced, unharmed, untraced,
};

/// The counting program under an engine, ready for signals; its trace is nobody's concern.
fn counting(engine: &str) -> Job {
    let path = program("count_signals");
    let job = Job::start(sockstrace(
        &["--engine", engine, "-o", "/dev/null"],
        &[text(&path)],
    ));
    job.until_stdout("ready ");
    job
}

/// The program that a job's process traces: its first child, older than any that serves the tracing.
pub fn child_of(job: &Job) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", job.pid());
    job.until("a child", || {
        std::fs::read_to_string(&children)
            .ok()?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })
}

/// The state letter of a process and whether signals wait for it.
pub fn state(pid: i32) -> Option<(char, bool)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let pending = ["SigPnd:", "ShdPnd:"]
        .iter()
        .any(|name| field(name).is_some_and(|mask| mask.bytes().any(|c| c != b'0')));
    Some((field("State:")?.chars().next()?, pending))
}

/// Waits until a process has taken its signals and sleeps again: what it does because of them is done.
#[track_caller]
fn until_quiet(job: &Job, pid: i32) {
    let mut quiet = 0;
    job.until("quiet", || {
        quiet = if state(pid) == Some(('S', false)) {
            quiet + 1
        } else {
            0
        };
        (quiet > 20).then_some(())
    });
}

/// Starts a program that counts signals, sends one as `send` does, and gives the counts that it reports.
#[track_caller]
fn counts(options: &[&str], program: &[&str], number: i32, send: impl Fn(&Job, Pid)) -> Outcome {
    let directory = scratch();
    let file = directory.path().join("trace");
    let mut all = options.to_vec();
    all.extend(["-o", text(&file)]);
    let job = Job::start(sockstrace(&all, program));
    job.until_stdout("ready ");
    let tracee = job.until("its number", || {
        let output = job.stdout().text();
        output
            .strip_prefix("ready ")?
            .split_once('\n')?
            .0
            .parse()
            .ok()
            .map(Pid::from_raw)
    });
    until_quiet(&job, job.pid());
    send(&job, tracee);
    job.until_stdout(&format!("got {number:02}"));
    // A second one, if we passed it on, would be on its way by now.
    until_quiet(&job, job.pid());
    until_quiet(&job, tracee.as_raw());
    signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
    job.finish()
}

#[track_caller]
fn arrives_once(send: impl Fn(&Job, Pid, Signal), signals: &[Signal]) {
    let path = program("count_signals");
    for engine in ENGINES {
        for &signal in signals {
            arrives_once_at(&["--engine", engine], &[text(&path)], &send, signal);
        }
    }
}

#[track_caller]
fn arrives_once_at(
    options: &[&str],
    program: &[&str],
    send: impl Fn(&Job, Pid, Signal),
    signal: Signal,
) {
    let number = signal as i32;
    let outcome = counts(options, program, number, |job, tracee| {
        send(job, tracee, signal);
    });
    let output = outcome.exited(0).stdout.text();
    assert!(
        output.ends_with(&format!("got {number:02}\nsignal {number}: 1\n")),
        "{signal} must arrive once at {program:?} with {options:?}:\n{output}"
    );
}

#[test]
fn sent_to_us_alone_is_passed_on() {
    arrives_once(
        |job, _, signal| job.signal(signal),
        &[Signal::SIGTERM, Signal::SIGHUP],
    );
}

#[test]
fn sent_to_the_group_arrives_once() {
    arrives_once(
        |job, _, signal| job.signal_group(signal),
        &[
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
        ],
    );
}

#[test]
fn sent_to_the_program_arrives_once() {
    arrives_once(
        |_, tracee, signal| signal::kill(tracee, signal).expect("a signal to a process of ours"),
        &[
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGWINCH,
        ],
    );
}

#[test]
fn programs_that_take_signals_without_a_handler_get_them_once() {
    let path = program("take_signals");
    for how in ["sigwait", "signalfd"] {
        for engine in ENGINES {
            for options in [
                &["--engine", engine][..],
                &["--engine", engine, "--no-wait"],
            ] {
                let program = [text(&path), how];
                let to_group = |job: &Job, _, signal| job.signal_group(signal);
                let to_us = |job: &Job, _, signal| job.signal(signal);
                arrives_once_at(options, &program, to_group, Signal::SIGTERM);
                arrives_once_at(options, &program, to_us, Signal::SIGTERM);
            }
        }
    }
}

#[test]
fn death_by_every_signal() {
    let path = program("kill_self");
    let mut numbers: Vec<i32> = (1..32).chain([34, 50, 64]).collect();
    // Those that stop have a test of their own.
    numbers.retain(|number| {
        ![libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(number)
    });
    let directory = scratch();
    for number in numbers {
        use std::os::unix::process::ExitStatusExt;
        let command = [text(&path), &number.to_string()];
        let mut alone = crate::harness::command(&path);
        alone.arg(number.to_string()).current_dir(directory.path());
        let alone = crate::harness::run(alone);
        for engine in ENGINES {
            let mut command = sockstrace(&["--engine", engine, "-o", "/dev/null"], &command);
            command.current_dir(directory.path());
            let outcome = crate::harness::run(command);
            assert_eq!(outcome.stdout, alone.stdout, "signal {number}");
            assert_eq!(outcome.stderr, alone.stderr, "signal {number}");
            assert_eq!(
                (outcome.status.code(), outcome.status.signal()),
                (alone.status.code(), alone.status.signal()),
                "signal {number}"
            );
        }
    }
}

#[test]
fn one_core_dump_and_no_second() {
    use std::os::unix::process::ExitStatusExt;
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern")
        .expect("the kernel's core pattern");
    let path = program("kill_self");
    let dumps = |command: &[&str]| {
        let directory = scratch();
        let mut shell = crate::harness::command("sh");
        // %p in the pattern, or none: two dumps are two files only with numbers, so the file's owner is asked below too.
        shell
            .args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"])
            .args(command)
            .current_dir(directory.path());
        let outcome = crate::harness::run(shell);
        let files = std::fs::read_dir(directory.path())
            .expect("a directory of ours")
            .count();
        (outcome.status.signal(), outcome.status.core_dumped(), files)
    };
    let alone = dumps(&[text(&path), "11"]);
    let binary = crate::harness::binary();
    let traced = dumps(&[text(&binary), "-o", "/dev/null", "--", text(&path), "11"]);
    assert_eq!((alone.0, traced.0), (Some(11), Some(11)));
    assert!(
        !traced.1,
        "our own death left a core (pattern {})",
        pattern.trim()
    );
    assert_eq!(
        traced.2,
        alone.2,
        "core files with us and alone (pattern {})",
        pattern.trim()
    );
}

#[test]
fn killed_from_outside() {
    for engine in ENGINES {
        let job = counting(engine);
        signal::kill(Pid::from_raw(child_of(&job)), Signal::SIGKILL)
            .expect("a signal to a process of ours");
        job.finish().killed_by(9);
    }
}

#[test]
fn stops_as_seen_by_a_parent() {
    let (outcome, _) = unharmed(&[], &[program("stop_self")]);
    outcome.exited(0);
}

#[test]
fn first_process_stopped_by_itself_and_continued_by_its_child() {
    let (outcome, _) = unharmed(&[], &[program("stop_main")]);
    outcome.exited(0);
}

#[test]
fn poll_goes_on_after_a_stop() {
    let (outcome, traces) = unharmed(&["-v"], &[program("restarted_poll")]);
    outcome.exited(0);
    for trace in traces {
        // By which of its names it goes on is the kernel's business; how it ends is the user's.
        let ends: Vec<_> = trace
            .named("poll")
            .chain(trace.named("restart_syscall"))
            .filter(|call| call.result == "1")
            .collect();
        let [end] = ends[..] else {
            panic!("the poll ends once{trace}");
        };
        assert!(end.meaning.contains("fd=3, revents=POLLIN"), "{trace}");
        assert!(end.number.is_some(), "{trace}");
    }
}

#[test]
fn threads_that_are_being_made_stop_too() {
    let (outcome, _) = unharmed(&[], &[program("stop_while_cloning")]);
    assert_eq!(outcome.exited(0).stdout.text(), "ran on while stopped: 0\n");
}

#[test]
fn stopped_and_continued_from_outside() {
    for engine in ENGINES {
        let job = counting(engine);
        let tracee = Pid::from_raw(child_of(&job));
        signal::kill(tracee, Signal::SIGSTOP).expect("a signal to a process of ours");
        // A tracee's group-stop shows as t, an untraced process's as T.
        job.until("the stop", || {
            matches!(state(tracee.as_raw())?.0, 't' | 'T').then_some(())
        });
        signal::kill(tracee, Signal::SIGUSR1).expect("a signal to a process of ours");
        assert!(
            !job.stdout().text().contains("got"),
            "a stopped program handles no signal"
        );
        signal::kill(tracee, Signal::SIGCONT).expect("a signal to a process of ours");
        job.until_stdout("got 10");
        signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
        assert!(
            job.finish()
                .exited(0)
                .stdout
                .text()
                .ends_with("signal 10: 1\n")
        );
    }
}

#[test]
fn whole_group_stopped_and_continued() {
    for engine in ENGINES {
        let job = counting(engine);
        let tracee = Pid::from_raw(child_of(&job));
        job.signal_group(Signal::SIGTSTP);
        job.until("the stop of the program", || {
            matches!(state(tracee.as_raw())?.0, 't' | 'T').then_some(())
        });
        job.until("our own stop", || {
            (state(job.pid())?.0 == 'T').then_some(())
        });
        job.signal_group(Signal::SIGCONT);
        signal::kill(tracee, Signal::SIGUSR1).expect("a signal to a process of ours");
        job.until_stdout("got 10");
        signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
        job.finish().exited(0);
    }
}

#[test]
fn every_stop_is_reported_once_to_the_shell() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    for engine in ENGINES {
        let job = counting(engine);
        let tracee = Pid::from_raw(child_of(&job));
        // What the shell is told of its job.
        let news = || {
            let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG;
            waitpid(Pid::from_raw(job.pid()), Some(flags)).expect("a child of ours")
        };
        for round in 1..12 {
            job.signal_group(Signal::SIGTSTP);
            job.until("the stop", || {
                matches!(news(), WaitStatus::Stopped(..)).then_some(())
            });
            job.signal_group(Signal::SIGCONT);
            signal::kill(tracee, Signal::SIGUSR1).expect("a signal to a process of ours");
            job.until("an answer", || {
                (job.stdout().text().matches("got 10").count() == round).then_some(())
            });
            until_quiet(&job, job.pid());
            assert_eq!(
                news(),
                WaitStatus::StillAlive,
                "stopped again in round {round}, --engine {engine}"
            );
        }
        signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
        job.finish().exited(0);
    }
}

#[test]
fn death_is_in_the_trace() {
    let path = program("kill_self");
    let (outcome, trace) = traced(&[], &[text(&path), "15"]);
    outcome.killed_by(15);
    trace.has("SIGTERM");
    untraced(&[text(&path), "15"]).killed_by(15);
}
