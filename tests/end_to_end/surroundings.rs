//! What a program inherits is what it would have inherited without us: signals, descriptors, limits, environment, name, status.

use std::path::Path;
use std::process::Command;

use crate::harness::programs::program;
use crate::harness::{ENGINES, binary, command, run, scratch, text};

/// Runs `surroundings` from a shell that has prepared them by `preparation` (which ends in `"$@"`): alone, and under each engine.
/// The program's answer must be the same.
#[track_caller]
fn same(preparation: &str) -> String {
    let directory = scratch();
    let answer = directory.path().join("answer");
    let surroundings = program("surroundings");
    let shell = |command_line: &[&str]| -> Command {
        let mut shell = command("bash");
        shell
            .args(["-c", &format!("{preparation}; exit $?"), "bash"])
            .args(command_line);
        shell.env("ANSWER", &answer).current_dir(directory.path());
        shell
    };
    let answer_of = |command: Command, status: Option<i32>| {
        let _ = std::fs::remove_file(&answer);
        let outcome = run(command);
        assert_eq!(outcome.status.code(), status.or(Some(0)), "{outcome:#?}");
        let answer = std::fs::read_to_string(&answer)
            .unwrap_or_else(|error| panic!("no answer ({error}): {outcome:#?}"));
        // The shell's own idea: in `_` it names what it has run.
        answer
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("environment: _="))
            .collect::<String>()
    };
    let alone = answer_of(shell(&[text(&surroundings)]), None);
    let (binary, trace) = (binary(), directory.path().join("trace"));
    for engine in ENGINES {
        let traced = answer_of(
            shell(&[
                text(&binary),
                "--engine",
                engine,
                "-o",
                text(&trace),
                "--",
                text(&surroundings),
            ]),
            None,
        );
        assert_eq!(
            traced, alone,
            "under --engine {engine} (left) and alone (right)"
        );
        assert!(Path::new(&trace).exists());
    }
    alone
}

#[test]
fn plain() {
    let answer = same("\"$@\"");
    assert!(
        answer.contains("descriptors: 0/") && answer.contains("environment: PATH="),
        "{answer}"
    );
}

#[test]
fn signal_dispositions() {
    assert!(
        same("trap '' PIPE INT QUIT HUP USR1 CHLD TSTP TTOU; \"$@\"").contains("signal 13 ignored")
    );
    assert!(!same("env --default-signal=PIPE \"$@\"").contains("signal 13 ignored"));
    same("env --ignore-signal \"$@\"");
}

#[test]
fn blocked_signals() {
    let answer = same(
        "env --block-signal=TERM --block-signal=PIPE --block-signal=USR1 --block-signal=CHLD \"$@\"",
    );
    assert!(
        answer.contains("signal 15 blocked") && answer.contains("signal 17 blocked"),
        "{answer}"
    );
    same("env --block-signal \"$@\"");
}

#[test]
fn closed_standard_descriptors() {
    assert!(!same("\"$@\" <&-").contains(" 0/"));
    same("\"$@\" >&-");
    same("\"$@\" 2>&-");
    same("\"$@\" <&- >&-");
    assert!(same("\"$@\" <&- >&- 2>&-").starts_with("descriptors:\n"));
}

#[test]
fn open_descriptors() {
    let answer = same("\"$@\" 3</dev/null 5>/dev/null 17<>/dev/null 200</dev/null");
    for descriptor in [" 3/0/", " 5/0/", " 17/0/", " 200/0/"] {
        assert!(answer.contains(descriptor), "{answer}");
    }
}

#[test]
fn mask_directory_limits_and_priority() {
    let answer = same(
        "umask 027; mkdir -p below; cd below; ulimit -n 200; ulimit -c 0; ulimit -t 500; ulimit -s 4096; nice -n 5 \"$@\"",
    );
    assert!(
        answer.contains("umask 27,") && answer.contains("below, nice 5"),
        "{answer}"
    );
    assert!(answer.contains("limit 7: 200 200"), "{answer}");
}

#[test]
fn soft_limit_of_descriptors_is_the_programs_own() {
    assert!(same("ulimit -S -n 100; \"$@\"").contains("limit 7: 100 "));
}

#[test]
fn environment_is_untouched() {
    let answer = same(
        "export EMPTY= ODD=$'a\\nb\\x01' LISTEN_PID=1 LISTEN_FDS=1 WATCHDOG_PID=1 RUST_BACKTRACE=full; \"$@\"",
    );
    assert!(
        answer.contains("environment: LISTEN_PID=1\n")
            && answer.contains("environment: WATCHDOG_PID=1\n"),
        "{answer}"
    );
    let answer = same("env -i ANSWER=\"$ANSWER\" ONLY=this \"$@\"");
    assert_eq!(answer.matches("environment: ").count(), 2, "{answer}");
}

#[test]
fn entries_that_are_no_variables_come_through() {
    let program = program("odd_environment");
    let with_odd_entries = |command_line: &[&str]| {
        let mut command = command(&program);
        command.args(command_line);
        run(command).exited(0)
    };
    let alone = with_odd_entries(&[text(&program)]);
    let lines: Vec<_> = alone.stdout.text().lines().map(str::to_owned).collect();
    for entry in [
        "no_equals_sign",
        "=starts with it",
        "",
        "TWICE=one",
        "TWICE=two",
    ] {
        assert!(lines.iter().any(|line| line == entry), "{alone:#?}");
    }
    let binary = binary();
    for engine in ENGINES {
        let traced = with_odd_entries(&[
            text(&binary),
            "--engine",
            engine,
            "-o",
            "/dev/null",
            text(&program),
        ]);
        assert_eq!(traced, alone, "--engine {engine}");
    }
}

#[test]
fn service_manager_numbers_that_name_us_name_the_program() {
    let binary = binary();
    for engine in ENGINES {
        for name in ["LISTEN_PID", "WATCHDOG_PID"] {
            let mut shell = command("sh");
            // exec keeps the number: the variable names sockstrace itself, as a service manager would have it.
            shell.args([
                "-c",
                &format!("{name}=$$ exec \"$@\""),
                "sh",
                text(&binary),
                "--engine",
                engine,
                "-o",
                "/dev/null",
            ]);
            shell.args(["sh", "-c", &format!("echo ${name} $$")]);
            let output = run(shell).exited(0).stdout.text();
            let (named, own) = output.trim().split_once(' ').expect("two numbers");
            assert_eq!(named, own, "{name} must name the program");
        }
    }
}

#[test]
fn name_of_the_program_is_what_was_typed() {
    // Found in PATH, argv[0] stays the short name.
    let directory = scratch();
    std::os::unix::fs::symlink(program("surroundings"), directory.path().join("short-name"))
        .expect("a link of ours");
    let mut command = command(binary());
    let path = format!(
        "{}:{}",
        text(directory.path()),
        std::env::var("PATH").unwrap_or_default()
    );
    command
        .args(["-o", "/dev/null", "short-name"])
        .env("PATH", path);
    let output = run(command).exited(0).stdout.text();
    assert!(output.contains("argv[0]: short-name\n"), "{output}");
}

#[test]
fn every_exit_status() {
    for status in 0..256 {
        let engine = ENGINES[status % ENGINES.len()];
        let mut command = command(binary());
        command.args([
            "--engine",
            engine,
            "-o",
            "/dev/null",
            "sh",
            "-c",
            &format!("exit {status}"),
        ]);
        run(command).exited(status as i32);
    }
}

#[test]
fn arguments_reach_the_program_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd: [&OsStr; 7] = [
        "-o".as_ref(),
        "--".as_ref(),
        "--version".as_ref(),
        "".as_ref(),
        "a b".as_ref(),
        OsStr::from_bytes(b"\xff\xfe"),
        "-h".as_ref(),
    ];
    let mut alone = command("printf");
    alone.arg("[%s]\\n").args(odd);
    let mut traced = command(binary());
    traced
        .args(["-o", "/dev/null", "printf", "[%s]\\n"])
        .args(odd);
    // The shell's builtin and the program differ in nothing that matters here; both runs use the program.
    assert_eq!(run(traced), run(alone));
}

#[test]
fn standard_input_is_the_programs() {
    let directory = scratch();
    let file = directory.path().join("input");
    std::fs::write(&file, "one line\nanother\n").expect("a file of ours");
    for engine in ENGINES {
        let mut command = command(binary());
        command
            .args(["--engine", engine, "-o", "/dev/null", "cat"])
            .stdin(std::fs::File::open(&file).expect("a file of ours"));
        assert_eq!(run(command).exited(0).stdout.text(), "one line\nanother\n");
    }
}
