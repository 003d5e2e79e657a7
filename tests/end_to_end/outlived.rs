//! Children that live longer than the program: waited for by name, or left to finish in peace.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::programs::program;
use crate::harness::{ENGINES, Job, Trace, poll, scratch, sockstrace, text};

struct Child {
    directory: tempfile::TempDir,
    fifo: PathBuf,
    result: PathBuf,
    trace: PathBuf,
}

impl Child {
    fn new() -> Self {
        let directory = scratch();
        let at = |name| directory.path().join(name);
        let (fifo, result, trace) = (at("fifo"), at("result"), at("trace"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO of ours");
        Self {
            directory,
            fifo,
            result,
            trace,
        }
    }

    fn start(&self, options: &[&str]) -> Job {
        let mut all = options.to_vec();
        all.extend(["-v", "-o", text(&self.trace)]);
        let program = program("outlive");
        Job::start(sockstrace(
            &all,
            &[text(&program), text(&self.fifo), text(&self.result)],
        ))
    }

    /// Lets the child go on; opening waits until it reads.
    fn release(&self) {
        OpenOptions::new()
            .write(true)
            .open(&self.fifo)
            .and_then(|mut fifo| fifo.write_all(b"!"))
            .expect("a FIFO of ours");
    }

    fn finished(&self) {
        let result = poll(|| {
            std::fs::read_to_string(&self.result)
                .ok()
                .filter(|text| text.ends_with('\n'))
        });
        assert_eq!(
            result.as_deref(),
            Some("! outlived\n"),
            "what the child wrote"
        );
    }
}

#[test]
fn waited_for_and_named() {
    for engine in ENGINES {
        let child = Child::new();
        let job = child.start(&["--engine", engine]);
        // Said where a person looks while we wait: on standard error or in the trace.
        job.until("the word that we wait for outlive", || {
            let said =
                job.stderr().text() + &std::fs::read_to_string(&child.trace).unwrap_or_default();
            said.lines()
                .any(|line| line.contains("outlive") && line.to_lowercase().contains("wait"))
                .then_some(())
        });
        child.release();
        let outcome = job.finish().exited(3);
        assert_eq!(outcome.stdout.text(), "the program ends\n");
        child.finished();
        let trace = Trace::read(&child.trace).expect("a trace");
        trace.find("write", "\"outlived\", 8");
        drop(child.directory);
    }
}

#[test]
fn no_wait_leaves_them_alive() {
    for engine in ENGINES {
        let child = Child::new();
        let job = child.start(&["--engine", engine, "--no-wait"]);
        // It ends while the child still waits for its byte.
        let outcome = job.finish().exited(3);
        assert_eq!(outcome.stdout.text(), "the program ends\n");
        assert!(!Path::new(&child.result).exists());
        child.release();
        child.finished();
    }
}

#[test]
fn daemons_are_seen_through() {
    // A daemon: two forks, a session of its own, closed descriptors.
    let directory = scratch();
    let (result, trace) = (
        directory.path().join("result"),
        directory.path().join("trace"),
    );
    let script = format!(
        "(setsid sh -c 'exec <&- >&- 2>&-; {} && echo done >{}' &) ; exit 4",
        text(&program("vfork_exec")),
        text(&result)
    );
    let job = Job::start(sockstrace(
        &["-v", "-o", text(&trace)],
        &["sh", "-c", &script],
    ));
    job.finish().exited(4);
    assert!(
        Path::new(&result).exists(),
        "we end only when the daemon has"
    );
    Trace::read(&trace)
        .expect("a trace")
        .find("write", "\"after exec\"");
}
