//! Programs that look for any trace of the recorder in themselves: in registers and flags, around every shape of code, where signals find
//! them, in their map and their code, under filters of their own, and in what bad pointers give.

use crate::harness::alike::{Detail, agree_under, agree_with};
use crate::harness::programs::{program, static_program};
use crate::harness::{RECORDERS, text, unharmed_under};
use crate::recorder::counted::counts;
use crate::unnoticed::found_nothing;

/// Runs a program that does the same each time and says that nothing has changed: its traces, too, are the same.
#[track_caller]
fn finds_nothing(name: &str, arguments: &[&str]) {
    let program = program(name);
    let words = [&[text(&program)], arguments].concat();
    found_nothing(agree_under(&RECORDERS, Detail::Meanings, &words).0);
}

/// The same of one in which chance decides how often calls are made: it counts them.
#[track_caller]
fn finds_nothing_at_any_speed(name: &str, arguments: &[&str]) {
    for (outcome, _) in counts(name, arguments) {
        found_nothing(outcome);
    }
}

#[test]
fn around_code_of_every_shape() {
    finds_nothing("call_shapes", &[]);
    let program = static_program("call_shapes");
    found_nothing(agree_under(&RECORDERS, Detail::Meanings, &[program]).0);
}

#[test]
fn in_the_registers_that_the_kernel_changes() {
    finds_nothing("call_shapes", &["kernel"]);
}

#[test]
fn where_signals_find_code_of_every_shape() {
    finds_nothing_at_any_speed("call_shapes", &["signals"]);
}

#[test]
fn where_signals_find_busy_threads() {
    for what in ["look", "walk", "redirect", "step"] {
        finds_nothing_at_any_speed("signal_places", &[what]);
    }
}

#[test]
fn when_it_unmaps_what_is_not_its_own() {
    for what in ["memory", "code"] {
        let program = program("unmaps_ours");
        let (_, traces) = unharmed_under(&RECORDERS, &["-v"], &[text(&program), what]);
        for trace in traces {
            let writes = trace.to_string().matches(" write(3").count();
            assert_eq!(writes, 100, "after it unmapped {what}: {trace}");
        }
    }
}

#[test]
fn in_its_map_its_code_and_its_gs() {
    finds_nothing("own_text", &["map"]);
    finds_nothing_at_any_speed("own_text", &["write"]);
    finds_nothing_at_any_speed("own_text", &["gs"]);
}

#[test]
fn under_a_filter_of_its_own() {
    for answer in ["trap", "errno", "place"] {
        finds_nothing_at_any_speed("filter_traps", &[answer, "before"]);
        finds_nothing_at_any_speed("filter_traps", &[answer, "hot"]);
    }
}

#[test]
fn under_a_filter_that_kills_and_calls_that_are_dispatched() {
    finds_nothing_at_any_speed("filter_traps", &["kill", "before"]);
    finds_nothing_at_any_speed("filter_traps", &["kill", "hot"]);
    finds_nothing_at_any_speed("filter_traps", &["dispatch", "hot"]);
}

#[test]
fn in_what_bad_pointers_and_odd_lengths_give() {
    for kind in ["unix", "tcp"] {
        let program = program("bad_hot");
        let words = [text(&program), kind];
        let (outcome, trace) = agree_under(&RECORDERS, Detail::Meanings, &words);
        let output = outcome.exited(0).stdout.text();
        // One line for each: all times gave the same.
        let first = output
            .lines()
            .filter(|line| line.starts_with("read(b, NULL, 4)"));
        assert_eq!(first.count(), 1, "{output}");
        assert!(trace.calls.len() > 1500, "{trace}");
    }
}

#[test]
fn when_all_data_is_copied_and_its_vectors_are_looked_at() {
    let [shapes, hot] = ["call_shapes", "bad_hot"].map(program);
    let [shapes, hot] = [text(&shapes), text(&hot)];
    for words in [
        &[shapes][..],
        &[shapes, "kernel"],
        &[hot, "unix"],
        &[hot, "tcp"],
    ] {
        let more_than_a_record_holds = ["-s", "200000"];
        let (outcome, _) = agree_with(
            &RECORDERS,
            &more_than_a_record_holds,
            Detail::Meanings,
            words,
        );
        outcome.exited(0);
    }
}

#[test]
fn when_buffers_go_while_they_are_used() {
    for disposition in ["default", "handled", "blocked", "ignored"] {
        finds_nothing_at_any_speed("unmapped_buffers", &[disposition]);
    }
}
