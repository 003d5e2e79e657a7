//! What goes wrong is said in one line and with the right status, and never harms the program.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::programs::program;
use crate::harness::{
    Outcome, Trace, binary, command, install, is_root, run, scratch, sockstrace, text, untraced,
};

/// Fails the test unless standard error is one line of ours with these words.
#[track_caller]
fn one_line(outcome: &Outcome, words: &[&str]) {
    let error = outcome.stderr.text();
    assert_eq!(error.lines().count(), 1, "one line, not {error:?}");
    assert!(error.starts_with("sockstrace: "), "{error}");
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error:?}");
    }
}

#[test]
fn program_that_does_not_exist() {
    for name in [
        "no-such-program-anywhere",
        "/no/such/program",
        "./no-such-program",
    ] {
        let outcome = run(sockstrace::<&str, _>(&[], &[name])).exited(127);
        one_line(&outcome, &[name]);
    }
}

#[test]
fn program_that_cannot_be_executed() {
    let directory = scratch();
    let file = directory.path().join("plain-file");
    std::fs::write(&file, "just text\n").expect("a file of ours");
    one_line(
        &run(sockstrace::<&str, _>(&[], &[text(&file)])).exited(126),
        &["plain-file"],
    );
    one_line(
        &run(sockstrace::<&str, _>(&[], &[text(directory.path())])).exited(126),
        &[text(directory.path())],
    );
    // Executable, but nothing that the kernel can run: an ELF header with nothing behind it.
    std::fs::write(&file, b"\x7fELF\x02\x01\x01").expect("a file of ours");
    let plain = file;
    let file = directory.path().join("header");
    install(&plain, &file, "755");
    let like_env = untraced(&["env", text(&file)]);
    let ours = run(sockstrace::<&str, _>(&[], &[text(&file)]));
    assert_eq!(
        ours.status.code(),
        like_env.status.code(),
        "{ours:#?}{like_env:#?}"
    );
}

#[test]
fn script_without_a_first_line_runs_as_env_would() {
    let directory = scratch();
    let (source, file) = (
        directory.path().join("source"),
        directory.path().join("script"),
    );
    std::fs::write(&source, "echo \"from the script: $1\"; exit 6\n").expect("a file of ours");
    install(&source, &file, "755");
    let like_env = untraced(&["env", text(&file), "word"]).exited(6);
    let ours = run(sockstrace(&["-o", "/dev/null"], &[text(&file), "word"]));
    assert_eq!(ours, like_env);
}

#[test]
fn no_program_at_all() {
    let outcome = run(command(binary()));
    assert_eq!(outcome.status.code(), Some(125), "{outcome:#?}");
    assert!(!outcome.stderr.0.is_empty());
}

#[test]
fn output_file_that_cannot_be_made() {
    let directory = scratch();
    let touched = directory.path().join("touched");
    let outcome = run(sockstrace(
        &["-o", "/no/such/directory/trace"],
        &["touch", text(&touched)],
    ))
    .exited(125);
    one_line(&outcome, &["/no/such/directory/trace"]);
    let each = ["-ff", "-o", "/no/such/directory/trace"];
    let outcome = run(sockstrace(&each, &["touch", text(&touched)])).exited(125);
    one_line(&outcome, &["/no/such/directory/trace"]);
    assert!(
        !Path::new(&touched).exists(),
        "the program must not run when its trace cannot be written"
    );
    let outcome = run(sockstrace(&["-o", text(directory.path())], &["true"])).exited(125);
    one_line(&outcome, &[text(directory.path())]);
}

#[test]
fn full_disk() {
    let program = program("threads");
    let alone = untraced(&[&program]);
    let outcome = run(sockstrace(&["-o", "/dev/full", "-v"], &[&program]));
    assert_eq!(outcome.stdout, alone.stdout, "{outcome:#?}");
    one_line(&outcome, &["/dev/full"]);
    // The program was well, the trace that was asked for is not there: that is our failure.
    outcome.exited(125);
}

#[test]
fn reader_of_the_trace_that_goes_away() {
    let program = program("threads");
    let alone = untraced(&[&program]);
    let outcome = run(sockstrace(
        &["-o", "|head -n 1 >/dev/null", "-v"],
        &[&program],
    ));
    assert_eq!(
        (&outcome.stdout, outcome.status),
        (&alone.stdout, alone.status),
        "{outcome:#?}"
    );
    // Whoever reads decides when to stop: that is no error. At most one line may say so.
    assert!(outcome.stderr.text().lines().count() <= 1, "{outcome:#?}");
    // The same where the trace goes to standard error.
    let mut shell = command("bash");
    shell.args([
        "-c",
        "{ \"$@\" 2>&1 >&3 | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}; } 3>&1",
        "bash",
    ]);
    shell.args([text(&binary()), "-v", "--", text(&program)]);
    let outcome = run(shell);
    assert_eq!(
        (&outcome.stdout, outcome.status),
        (&alone.stdout, alone.status),
        "{outcome:#?}"
    );
}

#[test]
fn command_that_reads_the_trace_is_waited_for() {
    let directory = scratch();
    let file = directory.path().join("copy");
    let outcome = run(sockstrace(
        &[
            "-v",
            "-o",
            &format!("|cat >'{}'; echo end >>'{0}'", text(&file)),
        ],
        &[program("vfork_exec")],
    ));
    assert_eq!(outcome.exited(0), untraced(&[program("vfork_exec")]));
    let trace = Trace::read(&file).expect("a trace");
    trace.find("write", "\"after exec\"");
    assert!(trace.text.ends_with("end\n"), "{trace}");
}

#[test]
fn closed_standard_error_harms_nobody() {
    let directory = scratch();
    let file = directory.path().join("first-file");
    // The program's first file becomes descriptor 2: nothing of ours may land in it.
    let script = format!(
        "exec \"$0\" -v -- python3 -c \"import os, socket
fd = os.open('{}', os.O_WRONLY | os.O_CREAT)
a, b = socket.socketpair()
a.send(b'x')
os.write(fd, b'from the program')\" 2>&-",
        text(&file)
    );
    let mut shell = command("sh");
    shell.args(["-c", &script, text(&binary())]);
    run(shell).exited(0);
    assert_eq!(
        std::fs::read_to_string(&file).expect("the program's file"),
        "from the program"
    );
}

#[test]
fn trace_file_is_ours_alone() {
    let directory = scratch();
    let file = directory.path().join("trace");
    run(sockstrace(&["-o", text(&file)], &["true"])).exited(0);
    let mode = std::fs::metadata(&file)
        .expect("a trace")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn tracing_that_is_forbidden_is_explained() {
    // Under a tracer, nobody else may trace: strace runs us, and we follow nothing that it follows.
    let directory = scratch();
    let log = directory.path().join("strace");
    let mut strace = command(crate::harness::installed("strace"));
    strace.args([
        "-f",
        "-o",
        text(&log),
        text(&binary()),
        "-o",
        "/dev/null",
        "echo",
        "from the program",
    ]);
    let outcome = run(strace);
    assert_eq!(outcome.status.code(), Some(125), "{outcome:#?}");
    one_line(&outcome, &["trace"]);
    assert!(
        !outcome.stdout.text().contains("from the program"),
        "{outcome:#?}"
    );
}

#[test]
fn unreadable_program_is_still_run() {
    // Executable but not readable: runs alone, so it runs with us.
    let directory = scratch();
    let file = directory.path().join("program");
    install(&program("privileges"), &file, "111");
    let alone = untraced(&[&file]).exited(0);
    let outcome = run(sockstrace(&["-o", "/dev/null"], &[&file]));
    if is_root() {
        assert_eq!(outcome, alone);
    } else {
        // no_new_privs is the price of the filter.
        assert_eq!(
            outcome.exited(0).stdout.text(),
            "effective user as real, no_new_privs 1\n"
        );
    }
}
