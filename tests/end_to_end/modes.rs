//! The engines agree: whichever way calls are made to stop, a program does the same, and the trace of it is the same, call by call.

use crate::harness::alike::{Detail, assert_alike};
use crate::harness::programs::program;
use crate::harness::{ENGINES, Trace, text, unharmed};

/// Runs a program alone and under every engine: its output must not differ, nor the engines' traces from one another.
#[track_caller]
fn agree(detail: Detail, program: &[&str]) -> Trace {
    let (_, traces) = unharmed(&["-v", "--always-show-pid"], program);
    let mut traces = ENGINES.iter().zip(traces);
    let (first, one) = traces.next().expect("an engine");
    assert!(!one.calls.is_empty(), "{program:?} makes calls{one}");
    for (engine, other) in traces {
        assert_alike(detail, (first, &one), (engine, &other));
    }
    one
}

#[test]
fn on_programs_of_one_thread() {
    for name in [
        "bad_pointers",
        "close_range_refused",
        "dup_over",
        "iovecs",
        "privileges",
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
        "killed_in_call",
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

#[test]
fn on_whatever_can_be_done_with_descriptors() {
    let program = program("random_descriptors");
    for seed in 1..=12 {
        let trace = agree(
            Detail::Meanings,
            &[text(&program), &seed.to_string(), "250"],
        );
        assert!(trace.calls.len() > 200, "seed {seed}{trace}");
    }
}
