//! Runs sockstrace and what it traces, with a time limit, and never leaves anything running.

pub mod alike;
pub mod data;
pub mod network;
pub mod programs;
pub mod servers;
pub mod terminal;
pub mod trace;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use trace::Trace;

/// How long anything may take before it counts as hanging: generous, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Every way in which the engine can see calls; what a program does and what the trace says must not depend on it.
pub const ENGINES: [&str; 4] = ["stop", "record", "number", "syscall"];

/// The ways that have to do with the recorder: without it, with it from the first call on, and with it for what turns out to be hot.
pub const RECORDERS: [&str; 3] = ["stop", "record", "auto"];

/// Where sockstrace, the C programs' sources and the tests' own files are, when they are not where cargo has put them
/// (tests/run copies them for another user).
fn place() -> Option<PathBuf> {
    std::env::var_os("SOCKSTRACE_TEST_PLACE").map(PathBuf::from)
}

/// The binary under test.
pub fn binary() -> PathBuf {
    place().map_or_else(
        || env!("CARGO_BIN_EXE_sockstrace").into(),
        |place| place.join("sockstrace"),
    )
}

/// A directory of a test's own, gone with it.
pub fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("sockstrace-test-")
        .tempdir()
        .expect("a temporary directory")
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The path of an installed program; one that is missing fails the test by name.
pub fn installed(name: &str) -> PathBuf {
    if_installed(name).unwrap_or_else(|| {
        panic!("{name} is not installed: tests/run installs what the tests trace")
    })
}

/// The path of a program that tests/run does not install, if it is there; a line says that it is not.
pub fn if_installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are where an ordinary user's PATH does not lead.
    let files: Vec<_> = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .filter(|file| {
            nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok() && file.is_file()
        })
        .collect();
    // A version manager's script of that name makes calls of its own before it becomes the program.
    let found = files
        .iter()
        .find(|file| !is_shell_script(file))
        .or(files.first())
        .cloned();
    if found.is_none() {
        eprintln!("{name} is not installed");
    }
    found
}

fn is_shell_script(file: &Path) -> bool {
    let mut start = [0; 64];
    let read = File::open(file).and_then(|mut file| file.read(&mut start));
    let mut lines = start[..read.unwrap_or(0)].split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    first.starts_with(b"#!") && first.ends_with(b"sh")
}

/// A command with the environment that all tests share: UTF-8, no colours wished for or forbidden, no proxies.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm-256color");
    for name in [
        "NO_COLOR",
        "COLUMNS",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    // Whatever leaked into the tests from outside ends here: programs must see the descriptor numbers that they expect.
    // SAFETY: close_range is a plain system call; it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| {
            match libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    command
}

/// A command as an ordinary user (nobody), whoever we are.
pub fn as_ordinary_user(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return command(program);
    }
    let mut setpriv = command(installed("setpriv"));
    setpriv
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
        ])
        .arg(program.as_ref());
    setpriv
}

/// `sockstrace OPTIONS -- PROGRAM`.
pub fn sockstrace<O: AsRef<OsStr>, P: AsRef<OsStr>>(options: &[O], program: &[P]) -> Command {
    let mut command = command(binary());
    command.args(options).arg("--").args(program);
    command
}

/// What a command has left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Bytes,
    /// Its standard error.
    pub stderr: Bytes,
}

/// Bytes that show as text when a test fails.
#[derive(PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{}\n", self.text())
    }
}

impl Bytes {
    /// As text, whatever it holds.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Outcome {
    /// Fails the test unless the command exited with this status.
    #[track_caller]
    pub fn exited(self, status: i32) -> Self {
        assert_eq!(self.status.code(), Some(status), "exit status of {self:#?}");
        self
    }

    /// Fails the test unless this signal killed the command.
    #[track_caller]
    pub fn killed_by(self, signal: i32) -> Self {
        assert_eq!(
            self.status.signal(),
            Some(signal),
            "death by signal {signal} of {self:#?}"
        );
        self
    }
}

/// A command that runs in a process group of its own, its output kept in files (so that a child that lives on holds no
/// pipe that we wait for). Dropping it kills the whole group.
pub struct Job {
    child: Child,
    what: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

impl Job {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let stdout = tempfile::tempfile().expect("a temporary file");
        let stderr = tempfile::tempfile().expect("a temporary file");
        command
            .stdout(stdout.try_clone().expect("a descriptor"))
            .stderr(stderr.try_clone().expect("a descriptor"));
        Self::start_with(command, stdout, stderr)
    }

    /// Starts it with its output where the command says; only what goes into these files is kept.
    pub fn start_with(mut command: Command, stdout: File, stderr: File) -> Self {
        command.process_group(0);
        let what = format!("{command:?}");
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        Self {
            child,
            what,
            stdout,
            stderr,
            started: Instant::now(),
        }
    }

    /// Its process number, and that of its group.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid()), signal).expect("a signal to a process of ours");
    }

    /// Sends a signal to its whole group.
    pub fn signal_group(&self, signal: Signal) {
        signal::killpg(Pid::from_raw(self.pid()), signal).expect("a signal to a group of ours");
    }

    /// What has been written to standard output so far.
    pub fn stdout(&self) -> Bytes {
        content(&self.stdout)
    }

    /// What has been written to standard error so far.
    pub fn stderr(&self) -> Bytes {
        content(&self.stderr)
    }

    /// Waits until standard output holds this text.
    #[track_caller]
    pub fn until_stdout(&self, marker: &str) {
        self.until(&format!("{marker:?} on standard output"), || {
            self.stdout().text().contains(marker).then_some(())
        });
    }

    /// Waits for something, and fails with the job's output when it does not come.
    #[track_caller]
    pub fn until<T>(&self, what: &str, check: impl FnMut() -> Option<T>) -> T {
        match poll(check) {
            Some(value) => value,
            None => panic!(
                "{}: waited in vain for {what}\nstandard output: {:?}standard error: {:?}",
                self.what,
                self.stdout(),
                self.stderr()
            ),
        }
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Waits for its end; one that hangs fails the test with its screen.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(
                self.started.elapsed() < PATIENCE,
                "{} hangs\n{}\nstandard output: {:?}standard error: {:?}",
                self.what,
                states(self.pid()),
                self.stdout(),
                self.stderr()
            );
            pause();
        };
        Outcome {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // The group cannot be another's: its leader is a child that nobody has waited for.
            let _ = signal::killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

fn content(mut file: &File) -> Bytes {
    // The offset is shared with the processes that write: a descriptor of its own keeps both apart.
    use std::os::fd::AsRawFd;
    let mut bytes = Vec::new();
    match File::open(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Ok(mut own) => own.read_to_end(&mut bytes).map(drop),
        Err(_) => file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map(drop),
    }
    .expect("a file of ours");
    Bytes(bytes)
}

/// What every process of a group is doing, for the report of one that hangs.
fn states(group: i32) -> String {
    let mut states = String::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else {
            continue;
        };
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        if fields.get(2) == Some(&group.to_string().as_str()) {
            let wchan = std::fs::read_to_string(process.path().join("wchan")).unwrap_or_default();
            states += &format!(
                "{} in {wchan}\n",
                stat.split(" 0 ").next().unwrap_or_default()
            );
        }
    }
    states
}

fn pause() {
    std::thread::sleep(Duration::from_millis(3));
}

/// Asks again and again until there is an answer, or patience ends.
pub fn poll<T>(mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        pause();
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: Command) -> Outcome {
    Job::start(command).finish()
}

/// Copies a file that will be executed. Another process does it: had we the file open for writing, a child that another test
/// starts in that moment would have it too, and nobody can execute a file that somebody may write (ETXTBSY).
pub fn install(from: &Path, to: &Path, mode: &str) {
    let mut install = command("install");
    install.args(["-m", mode]).arg(from).arg(to);
    run(install).exited(0);
}

/// Runs a program without us.
#[track_caller]
pub fn untraced<P: AsRef<OsStr>>(program: &[P]) -> Outcome {
    let mut command = command(&program[0]);
    command.args(&program[1..]);
    run(command)
}

/// Runs a program under sockstrace with `-o FILE`: what it left behind, and the trace.
#[track_caller]
pub fn traced<P: AsRef<OsStr>>(options: &[&str], program: &[P]) -> (Outcome, Trace) {
    let directory = scratch();
    let file = directory.path().join("trace");
    let mut all: Vec<&OsStr> = vec!["-o".as_ref(), file.as_ref()];
    all.extend(options.iter().map(OsStr::new));
    let outcome = run(sockstrace(&all, program));
    let trace =
        Trace::read(&file).unwrap_or_else(|error| panic!("no trace ({error}) beside {outcome:#?}"));
    (outcome, trace)
}

/// Runs a program alone and under every engine: its output and status must be the same, byte for byte. Gives the traces.
#[track_caller]
pub fn unharmed<P: AsRef<OsStr>>(options: &[&str], program: &[P]) -> (Outcome, Vec<Trace>) {
    unharmed_under(&ENGINES, options, program)
}

/// The same under some engines only.
#[track_caller]
pub fn unharmed_under<P: AsRef<OsStr>>(
    engines: &[&str],
    options: &[&str],
    program: &[P],
) -> (Outcome, Vec<Trace>) {
    let alone = untraced(program);
    let traces = engines
        .iter()
        .map(|engine| {
            let mut all = vec!["--engine", engine];
            all.extend(options);
            let (outcome, trace) = traced(&all, program);
            assert_eq!(
                outcome, alone,
                "under --engine {engine} (left) and alone (right); the trace: {trace}"
            );
            trace
        })
        .collect();
    (alone, traces)
}

/// The trace of a program, and what a replay of its record makes of it by the same options.
#[track_caller]
pub fn live_and_again<P: AsRef<OsStr>>(options: &[&str], program: &[P]) -> [String; 2] {
    let folder = scratch();
    let [record, live, again] = ["record", "live", "again"].map(|name| folder.path().join(name));
    let recording = format!("--record={}", text(&record));
    let first = [options, &["-o", text(&live), &recording]].concat();
    run(sockstrace(&first, program)).exited(0);
    let mut replay = command(binary());
    replay.args(options).args(["-o", text(&again), "--replay"]);
    replay.arg(&record);
    run(replay).exited(0);
    [live, again].map(|file| std::fs::read_to_string(file).expect("a trace"))
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
