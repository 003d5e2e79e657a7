//! Root, a root that lacks the capability, and an ordinary user: tracing works for each, with the privileges that each can keep.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::alike::{Detail, agree};
use crate::harness::programs::program;
use crate::harness::{
    ENGINES, Trace, as_ordinary_user, binary, command, install, installed, is_root, run, scratch,
    text,
};

/// A place where an ordinary user can read the binary and a program, and write a trace.
struct Place {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    fn with(name: &str) -> Self {
        let directory = scratch();
        let copy = |from: &Path, name: &str| {
            let to = directory.path().join(name);
            install(from, &to, "755");
            to
        };
        copy(&binary(), "sockstrace");
        let program = copy(&program(name), name);
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777))
            .expect("a directory of ours");
        Self { directory, program }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `sockstrace OPTIONS -o trace PROGRAM` as an ordinary user, whoever we are.
    fn as_ordinary_user(&self, options: &[&str], program: &[&str]) -> Command {
        let mut line = as_ordinary_user(self.at("sockstrace"));
        line.args(options)
            .arg("-o")
            .arg(self.at("trace"))
            .arg("--")
            .args(program)
            .current_dir(self.directory.path());
        line
    }

    /// Ends a command line that names our copy of sockstrace: the program here, its trace in `trace`.
    fn traced_by(&self, line: &mut Command, engine: &str) {
        line.args(["--engine", engine, "-o", text(&self.at("trace"))])
            .arg(&self.program);
    }

    fn trace(&self) -> Trace {
        Trace::read(&self.at("trace")).expect("a trace")
    }
}

#[test]
fn ordinary_user() {
    for name in [
        "fork_in_thread",
        "vfork_exec",
        "threads",
        "pass_rights",
        "killed_in_call",
        "clone_untraced",
        "interrupted_accept",
    ] {
        for engine in ENGINES {
            let place = Place::with(name);
            let alone = run(command(&place.program));
            let outcome =
                run(place.as_ordinary_user(&["-v", "--engine", engine], &[text(&place.program)]));
            assert_eq!(
                outcome, alone,
                "{name} under --engine {engine} (left) and alone (right)"
            );
            let trace = place.trace();
            assert!(
                trace
                    .named("socket")
                    .chain(trace.named("socketpair"))
                    .count()
                    > 0,
                "{trace}"
            );
        }
    }
}

#[test]
fn programs_that_may_not_be_looked_into() {
    for engine in ENGINES {
        let place = Place::with("undumpable");
        let alone = run(command(&place.program)).exited(0);
        let outcome =
            run(place.as_ordinary_user(&["-v", "--engine", engine], &[text(&place.program)]));
        let trace = place.trace();
        assert_eq!(outcome.status, alone.status, "{trace}");
        assert_eq!(outcome.stdout, alone.stdout, "{trace}");
        let told: Vec<_> = trace
            .calls
            .iter()
            .map(|call| (call.name.as_str(), call.result.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("socket", "3"),
                ("connect", "0"),
                ("write", "6"),
                ("close", "0")
            ],
            "--engine {engine}{trace}"
        );
        let said = outcome.stderr.text() + &trace.text;
        assert_eq!(said.matches("may not be looked into").count(), 1, "{said}");
    }
}

#[test]
fn programs_that_close_themselves_to_all_eyes_later() {
    for engine in ENGINES {
        let place = Place::with("undumpable_later");
        let alone = run(command(&place.program)).exited(0);
        let outcome =
            run(place.as_ordinary_user(&["-v", "--engine", engine], &[text(&place.program)]));
        let trace = place.trace();
        assert_eq!(outcome.status, alone.status, "{trace}");
        assert_eq!(outcome.stdout, alone.stdout, "{trace}");
        let told = trace.named("read").chain(trace.named("write")).count();
        let made = outcome.stdout.text();
        assert!(
            made.ends_with(&format!("calls: {told}\n")),
            "{told} told, {made}--engine {engine}{trace}"
        );
    }
}

#[test]
fn ordinary_user_without_a_filter_keeps_new_privileges_possible() {
    // no_new_privs is set for the filter only.
    let place = Place::with("privileges");
    let outcome =
        run(place.as_ordinary_user(&["--engine", "syscall"], &[text(&place.program)])).exited(0);
    assert_eq!(
        outcome.stdout.text(),
        "effective user as real, no_new_privs 0\n"
    );
}

#[test]
fn setuid_programs_run_unprivileged_and_we_say_so() {
    // Every system has one of these.
    let setuid = ["su", "mount", "passwd", "newgrp"]
        .into_iter()
        .flat_map(|name| ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(name)))
        .find(|file| {
            std::fs::metadata(file)
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o4000 != 0)
        })
        .expect("a setuid program among su, mount, passwd and newgrp");
    let place = Place::with("privileges");
    let outcome = run(place.as_ordinary_user(&[], &[text(&setuid), "--help"]));
    let said = outcome.stderr.text() + &place.trace().text;
    let line = said
        .lines()
        .find(|line| line.contains(text(&setuid)) && line.contains("privilege"));
    assert!(
        line.is_some(),
        "no line says that {} runs without its privilege:\n{said}",
        setuid.display()
    );
}

#[test]
#[ignore = "needs root with CAP_SYS_PTRACE and CAP_SYS_ADMIN"]
fn root_keeps_new_privileges_possible() {
    assert!(is_root(), "this test needs root");
    for engine in ENGINES {
        let place = Place::with("privileges");
        let mut command = command(place.at("sockstrace"));
        place.traced_by(&mut command, engine);
        // With CAP_SYS_ADMIN, as root outside of a container has it, the filter needs no no_new_privs.
        assert_eq!(
            run(command).exited(0).stdout.text(),
            "effective user as real, no_new_privs 0\n",
            "--engine {engine}"
        );
    }
}

#[test]
#[ignore = "needs root with CAP_SYS_PTRACE and CAP_SYS_ADMIN"]
fn root_runs_setuid_programs_with_their_privilege() {
    assert!(is_root(), "this test needs root");
    let place = Place::with("privileges");
    std::os::unix::fs::chown(&place.program, Some(65534), Some(65534)).expect("a file of ours");
    std::fs::set_permissions(&place.program, std::fs::Permissions::from_mode(0o4755))
        .expect("a file of ours");
    let alone = run(command(&place.program)).exited(0);
    assert!(
        alone.stdout.text().starts_with("effective user other"),
        "{alone:#?}"
    );
    for engine in ENGINES {
        let mut command = command(place.at("sockstrace"));
        place.traced_by(&mut command, engine);
        assert_eq!(run(command), alone, "--engine {engine}");
        place.trace().find("socket", "AF_INET");
    }
}

#[test]
#[ignore = "needs root with CAP_SYS_PTRACE and CAP_SYS_ADMIN"]
fn root_without_the_capability_is_an_ordinary_user() {
    assert!(is_root(), "this test needs root");
    for (engine, no_new_privs) in [("stop", 1), ("record", 1), ("number", 1), ("syscall", 0)] {
        let place = Place::with("privileges");
        let mut command = command(installed("setpriv"));
        command
            .args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
            .arg(place.at("sockstrace"));
        place.traced_by(&mut command, engine);
        let expected = format!("effective user as real, no_new_privs {no_new_privs}\n");
        assert_eq!(
            run(command).exited(0).stdout.text(),
            expected,
            "--engine {engine}"
        );
        place.trace().find("socket", "AF_INET");
    }
}

#[test]
#[ignore = "needs root with CAP_SYS_PTRACE and CAP_SYS_ADMIN"]
fn servers_that_give_their_privileges_away() {
    assert!(is_root(), "this test needs root");
    let program = program("drops_privileges");
    for what in ["user", "caps", "both", "thread"] {
        for sockets in ["before", "only after"] {
            let (outcome, trace) = agree(Detail::Meanings, &[text(&program), what, sockets]);
            let output = outcome.exited(0).stdout.text();
            assert!(output.contains("no_new_privs 0"), "{output}");
            for words in [
                "without them",
                "again",
                "in a child",
                "after exec",
                "at last",
            ] {
                trace.find("write", &format!("\"{words}\""));
                trace.find("read", &format!("\"{words}\""));
            }
        }
    }
}
