//! Programs that count their own calls, byte by byte and descriptor by descriptor: the trace must come to the same.

use std::collections::{BTreeMap, HashSet};

use crate::harness::alike::WHOLE;
use crate::harness::programs::{library, program};
use crate::harness::{Outcome, RECORDERS, Trace, text, traced, untraced};

/// What is counted of the calls of one name on one descriptor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// How many a program began; the kernel may do what a thread never learns of, where it ends meanwhile.
    begun: i64,
    /// How many came back.
    done: i64,
    /// Their results, where they succeeded.
    sum: i64,
    /// How many failed with which error.
    errors: BTreeMap<String, i64>,
}

type Tallies = BTreeMap<(String, i32), Tally>;

/// What the program says that it did (tests/programs/counting.h).
fn counted(output: &str) -> Tallies {
    let mut tallies = Tallies::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["counted", name, fd, begun, done, sum, errors @ ..] = &words[..] else {
            continue;
        };
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{line:?}"));
        let tally = Tally {
            begun: number(begun),
            done: number(done),
            sum: number(sum),
            errors: errors
                .chunks(2)
                .map(|pair| (pair[0].to_owned(), number(pair[1])))
                .collect(),
        };
        tallies.insert(((*name).to_owned(), number(fd) as i32), tally);
    }
    assert!(!tallies.is_empty(), "no counts in {output:?}");
    tallies
}

/// What a signal does to a call that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signals {
    /// The kernel makes the call again: its program never learns of it.
    Restart,
    /// The program gets EINTR. Where a stop shows the call's end, that is not decided yet: if another thread takes the signal, or it was
    /// none but an interruption by us, the kernel makes the call again.
    Interrupt,
}

/// What the trace says of calls of the names that the program counts.
fn told(trace: &Trace, signals: Signals, ours: &Tallies) -> Tallies {
    let names: HashSet<&str> = ours.keys().map(|(name, _)| name.as_str()).collect();
    let mut tallies = Tallies::new();
    for call in &trace.calls {
        if !names.contains(call.name.as_str()) {
            continue;
        }
        let error = match call.result.split_once(' ') {
            Some(("?", _)) if signals == Signals::Restart => continue,
            Some(("?", _)) => Some("EINTR"),
            Some((_, error)) => Some(error),
            None if call.result == "?" => continue,
            None => None,
        };
        let without = ["socket", "socketpair"].contains(&call.name.as_str());
        let fd = call.descriptor().filter(|_| !without).unwrap_or(-1);
        let tally = tallies.entry((call.name.clone(), fd)).or_default();
        tally.begun += 1;
        tally.done += 1;
        match error {
            Some(error) => *tally.errors.entry(error.to_owned()).or_default() += 1,
            None => tally.sum += call.value().unwrap_or_else(|| panic!("{}", call.line)),
        }
    }
    tallies
}

/// Fails the test unless the trace tells what the program counted: exactly, but for calls from which no thread came back.
#[track_caller]
fn assert_told(engine: &str, counted: &Tallies, trace: &Trace, signals: Signals) {
    let mut told = told(trace, signals, counted);
    for (what, ours) in counted {
        let mut theirs = told.remove(what).unwrap_or_default();
        if signals == Signals::Interrupt {
            let count = |tally: &Tally| tally.errors.get("EINTR").copied().unwrap_or(0);
            let again = count(&theirs) - count(ours);
            assert!(
                again >= 0,
                "{what:?} under --engine {engine}: EINTR {} times, told {again} times less{trace}",
                count(ours)
            );
            theirs.done -= again;
            if again > 0 {
                theirs.errors.insert("EINTR".to_owned(), count(ours));
                theirs.errors.retain(|_, count| *count > 0);
            }
        }
        let all = (theirs.done, theirs.sum, &theirs.errors) == (ours.done, ours.sum, &ours.errors);
        let between =
            ours.done <= theirs.done && theirs.done <= ours.begun && ours.sum <= theirs.sum;
        assert!(
            all || (ours.begun > ours.done && between),
            "{what:?} under --engine {engine}: the program counted {ours:?}, the trace tells {theirs:?}{trace}"
        );
    }
    assert!(
        told.is_empty(),
        "under --engine {engine} the trace tells what was not done: {told:?}{trace}"
    );
}

/// Fails the test unless the trace tells that as many bytes came out of a pair of sockets as went in, where the program says so: also in
/// calls from which their thread did not come back.
#[track_caller]
fn assert_conserved(engine: &str, output: &str, told: &Tallies, trace: &Trace) {
    for line in output.lines() {
        let Some(pair) = line.strip_prefix("conserved ") else {
            continue;
        };
        let sum = |fd: &str, names: [&str; 4]| {
            let fd = fd.parse().unwrap_or_else(|_| panic!("{line:?}"));
            let tallies = names.map(|name| told.get(&(name.to_owned(), fd)));
            tallies.iter().flatten().map(|tally| tally.sum).sum::<i64>()
        };
        let (from, to) = pair.split_once(' ').expect("two descriptors");
        let sent = sum(from, ["write", "writev", "sendto", "sendmsg"]);
        let received = sum(to, ["read", "readv", "recvfrom", "recvmsg"]);
        assert_eq!(sent, received, "{line} under --engine {engine}{trace}");
    }
}

/// What a program says beside its counts.
fn said(output: &str) -> String {
    let lines = output.lines().filter(|line| !line.starts_with("counted "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A program counts its calls, alone and under each engine; what it said under each, and its trace, which must tell the same.
#[track_caller]
fn counts_like(signals: Signals, words: &[&str]) -> Vec<(Outcome, Trace)> {
    let alone = untraced(words).exited(0).stdout.text();
    assert!(!counted(&alone).is_empty());
    let each = RECORDERS.iter().map(|engine| {
        let options = [&["--engine", engine][..], &WHOLE].concat();
        let (outcome, trace) = traced(&options, words);
        assert_eq!(
            outcome.status.code(),
            Some(0),
            "--engine {engine} {words:?}: {outcome:#?}"
        );
        let output = outcome.stdout.text();
        assert_eq!(said(&output), said(&alone), "--engine {engine}{trace}");
        let counted = counted(&output);
        assert_told(engine, &counted, &trace, signals);
        assert_conserved(engine, &output, &told(&trace, signals, &counted), &trace);
        (outcome, trace)
    });
    each.collect()
}

/// The same of one of tests/programs with these arguments.
#[track_caller]
pub fn counts(name: &str, arguments: &[&str]) -> Vec<(Outcome, Trace)> {
    let program = program(name);
    let words = [&[text(&program)], arguments].concat();
    counts_like(Signals::Restart, &words)
}

#[test]
fn threads_on_pairs() {
    counts("counted_threads", &["pairs"]);
}

#[test]
fn threads_on_connections() {
    counts("counted_threads", &["tcp"]);
}

#[test]
fn threads_that_live_for_a_few_calls() {
    counts("counted_threads", &["short"]);
}

#[test]
fn signals_a_thousand_times_a_second() {
    counts("counted_signals", &["restart", "thread"]);
    counts("counted_signals", &["restart", "process"]);
}

#[test]
fn signals_that_interrupt_calls() {
    for timer in ["thread", "process"] {
        let program = program("counted_signals");
        counts_like(Signals::Interrupt, &[text(&program), "interrupt", timer]);
    }
}

#[test]
fn calls_that_handlers_jump_out_of() {
    counts("counted_signals", &["restart", "abandon"]);
}

#[test]
fn children_of_a_busy_parent() {
    for how in ["fork", "vfork", "spawn", "memory"] {
        for (_, trace) in counts("counted_forks", &[how]) {
            trace.lacks("FILE");
        }
    }
}

#[test]
fn threads_that_are_cancelled() {
    counts("counted_cancels", &["deferred"]);
    counts("counted_cancels", &["asynchronous"]);
}

#[test]
fn processes_that_end_amid_calls() {
    for how in ["exit", "kill", "exec", "last"] {
        counts("counted_ends", &[how]);
    }
}

#[test]
fn code_that_comes_and_goes() {
    let (one, other) = (
        library("site", "-DSYSCALL_AT=0"),
        library("site", "-DSYSCALL_AT=3"),
    );
    for (_, trace) in counts("counted_code", &["libraries", text(&one), text(&other)]) {
        assert_eq!(trace.named("write").count(), 16 * 40, "{trace}");
    }
    counts("counted_code", &["rewritten"]);
}

#[test]
fn code_that_lies_in_files_or_has_two_addresses() {
    for (how, same) in [("mapped", 4), ("doubled", 0)] {
        for (outcome, _) in counts("counted_code", &[how]) {
            let output = outcome.stdout.text();
            assert!(!output.contains("changed"), "{output}");
            assert_eq!(output.matches("is as it was").count(), same, "{output}");
        }
    }
}

#[test]
fn numbers_that_are_sockets_and_files_in_turns() {
    never_a_files_bytes(&["handed", "raced"]);
}

#[test]
fn numbers_that_are_passed_on_and_closed() {
    never_a_files_bytes(&["rights", "closed"]);
}

#[track_caller]
fn never_a_files_bytes(ways: &[&str]) {
    for how in ways {
        for (_, trace) in counts("counted_numbers", &[how]) {
            trace.lacks("FILE");
        }
    }
}

#[test]
fn coroutines_that_change_their_threads() {
    counts("coroutines", &[]);
}
