//! The filters that grow with a program's sockets: they spare what they can, and lose nothing where they cannot be had.

use crate::harness::programs::program;
use crate::harness::{ENGINES, Outcome, Trace, run, scratch, sockstrace, text};

/// Runs a program under an engine with `--debug-engine`.
#[track_caller]
fn debugged(engine: &str, words: &[&str]) -> (Outcome, Trace) {
    let directory = scratch();
    let file = directory.path().join("trace");
    let options = ["-v", "-d", "--engine", engine, "-o", text(&file)];
    let outcome = run(sockstrace(&options, words)).exited(0);
    (outcome, Trace::read(&file).expect("a trace"))
}

/// How many stops there were, and how many filters were added.
#[track_caller]
fn counts(outcome: &Outcome) -> (u64, u64) {
    let said = outcome.stderr.text();
    let numbers = said
        .lines()
        .find(|line| line.contains(" stops for "))
        .map(|line| {
            let words = line.split_whitespace();
            words
                .filter_map(|word| word.parse().ok())
                .collect::<Vec<u64>>()
        });
    match numbers.as_deref() {
        Some([stops, _, filters]) => (*stops, *filters),
        _ => panic!("no counts in {said:?}"),
    }
}

#[test]
fn files_run_freely_beside_sockets() {
    let program = program("file_loop");
    for (sockets, most_stops, filters) in [("2", 100, 1..=1), ("2000", 4000, 1..=1)] {
        let (outcome, trace) = debugged("stop", &[text(&program), sockets]);
        let (stops, added) = counts(&outcome);
        assert!(stops < most_stops, "{stops} stops with {sockets} sockets");
        assert!(
            filters.contains(&added),
            "{added} filters for {sockets} sockets"
        );
        trace.has("\"all\", 3) = 3");
        trace.has("\"all\", 8) = 3");
    }
}

#[test]
fn a_few_filters_do_for_thousands_of_sockets_of_a_program_with_threads() {
    let words = [
        text(&program("file_loop")).to_owned(),
        "2000".to_owned(),
        "threads".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (outcome, trace) = debugged("stop", &words);
    let (_, filters) = counts(&outcome);
    assert!((1..=32).contains(&filters), "{filters} filters");
    trace.has("\"all\", 3) = 3");
    trace.has("\"all\", 8) = 3");
}

#[test]
fn without_memory_for_a_filter_every_call_stops() {
    let program = program("no_memory");
    for engine in ENGINES {
        let (outcome, trace) = debugged(engine, &[text(&program)]);
        let output = outcome.stdout.text();
        assert_eq!(
            output, "begins\nepoll_wait: 1 ok\nwrite: 5\nread: 5\n",
            "under --engine {engine}"
        );
        trace.has("\"hello\", 5) = 5");
        trace.has("\"hello\", 8) = 5");
        let said = outcome.stderr.text();
        let fell_back = said.contains("goes on as with --engine syscall: there is no memory");
        let grows = ["stop", "record"].contains(&engine);
        assert_eq!(fell_back, grows, "{trace}");
    }
}

#[test]
fn code_at_the_addresses_that_filters_let_pass_is_seen_too() {
    let program = program("from_afar");
    let place = format!("{:x}", sockstrace::tracer::places::PASSING_PAGE);
    for engine in ENGINES {
        for words in [
            &[text(&program), &place][..],
            &[text(&program), &place, "before"],
        ] {
            let (outcome, trace) = debugged(engine, words);
            assert_eq!(outcome.stdout.text(), "from afar\n");
            trace.has("\"from afar\", 9) = 9");
        }
    }
}

#[test]
fn signals_do_not_keep_a_program_from_its_filter() {
    let program = program("often_interrupted");
    let (outcome, trace) = debugged("stop", &[text(&program)]);
    let (stops, filters) = counts(&outcome);
    assert!(
        stops < 1000 && filters == 1,
        "{stops} stops, {filters} filters"
    );
    trace.has("\"still\", 5) = 5");
}

#[test]
fn a_socket_is_seen_at_once_where_other_threads_use_its_number() {
    let program = program("dup_beneath");
    for engine in ENGINES {
        let (outcome, trace) = debugged(engine, &[text(&program)]);
        let told = trace.text.lines();
        let told = told.filter(|line| line.contains("\"x\", 1)") && line.contains(" = 1"));
        let told = told.count();
        let came: usize = outcome.stdout.text().trim().parse().expect("a number");
        // What had stopped before dup2 was over was a call on a file then.
        assert!(
            told <= came && came <= told + 3,
            "{told} of {came} told under --engine {engine}{trace}"
        );
    }
}

#[test]
fn threads_that_part_their_descriptors_without_sockets_are_known_apart() {
    let program = program("own_tables");
    for engine in ENGINES {
        let (outcome, trace) = debugged(engine, &[text(&program)]);
        assert_eq!(outcome.stdout.text(), "file 3\nsocket 3\n");
        trace.has("\"to a socket\", 11) = 11").lacks("to a file");
    }
}

#[test]
fn nothing_is_called_in_the_name_of_a_program_with_a_filter_of_its_own() {
    let program = program("upper_halves");
    for engine in ENGINES {
        let (outcome, trace) = debugged(engine, &[text(&program)]);
        assert_eq!(outcome.stdout.text(), "lives\n", "under --engine {engine}");
        trace.has("\"lives\", 5) = 5");
    }
}
