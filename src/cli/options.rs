//! What the command line asks for, checked and typed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::Set;
use crate::syscall::Selection;

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program and its arguments. Empty for `--demo` alone.
    pub command: Vec<OsString>,
    /// `-E`: environment variables in the order given: set, or removed where there is no value.
    pub environment: Vec<(OsString, Option<OsString>)>,
    /// `-u`: run the program as this user: a name, a number, or UID:GID.
    pub user: Option<String>,
    /// Whether to show processes that the program starts (`--no-follow` turns it off).
    pub follow: bool,
    /// Whether to stay until the program's last child is gone (`--no-wait` turns it off).
    pub wait: bool,
    /// Where the trace goes.
    pub destination: Destination,
    /// `--replay`: the trace to show again, in place of a program's.
    pub replay: Option<PathBuf>,
    /// `--json`: whether the trace is to be had as data, and where.
    pub json: Option<Json>,
    /// `--json-types`: the types of lines that it has beside its header; all where nothing is said.
    pub json_types: Option<BTreeSet<String>>,
    /// `--record`: where what the tracer sees is to be recorded.
    pub record: Option<Target>,
    /// `--full-data`: all data goes to `--json`, not only as much as `-s` says.
    pub full_data: bool,
    /// `--no-data`: no data is read, shown or written.
    pub no_data: bool,
    /// `--show-secrets`: secrets are not masked.
    pub show_secrets: bool,
    /// `--rotate`: how long a file of data may get, in bytes.
    pub rotate: Option<u64>,
    /// `--label`: what is to stand in the header.
    pub labels: BTreeMap<String, String>,
    /// Whether text is written.
    pub text: bool,
    /// The options that leave something out, as a person would write them.
    pub filters: Vec<String>,
    /// `-e trace=`: the calls to show, unfolded; nothing where the choice is ours.
    pub trace: Option<Selection>,
    /// `-e raw=`: the calls whose arguments are shown as numbers.
    pub raw: Option<Selection>,
    /// `-e status=`, `-z`, `-Z`: the outcomes to show.
    pub statuses: Set<Status>,
    /// `-e signal=`: the signals to show, by number; nothing where the choice is ours.
    pub signals: Option<Set<i32>>,
    /// `-q`, `-e quiet=`: messages that are left out.
    pub quiet: Set<Message>,
    /// `-e read=`, `--hex`: descriptors whose received data is dumped in full.
    pub dump_read: Set<i32>,
    /// `-e write=`, `--hex`: descriptors whose sent data is dumped in full.
    pub dump_write: Set<i32>,
    /// `-s`: how many bytes of data to show.
    pub string_limit: usize,
    /// Whether `-s` was given: data then keeps that length, however narrow the terminal is.
    pub keep_data: bool,
    /// `-x`, `-xx`: how bytes are written in strings.
    pub strings: Strings,
    /// `-t`: the time before each line.
    pub stamp: Stamp,
    /// `-r`: also show the time since the line before, from beginning to beginning, this precise.
    pub relative: Option<Precision>,
    /// `-T`: show the time spent in each call as strace does, this precise.
    pub call_times: Option<Precision>,
    /// `-v`: nothing folded, hidden or abbreviated.
    pub verbose: bool,
    /// `--all-descriptors`: files and pipes too.
    pub all_descriptors: bool,
    /// `--always-show-pid`: say who even while there is one process.
    pub always_show_pid: bool,
    /// `-c`, `-C`: the table per call.
    pub summary: Summary,
    /// `--kernel`: when the kernel is asked for its own view of a socket.
    pub kernel: Kernel,
    /// `--library`: which functions of libraries are shown.
    pub library: Library,
    /// `--no-tls`: whether TLS libraries are left alone.
    pub no_tls: bool,
    /// `--findings`: which findings are told.
    pub findings: Option<Findings>,
    /// `--overview`, `--no-overview`: whether the end sums up what was talked about.
    pub overview: Overview,
    /// `-S`: what the table's lines are ordered by.
    pub summary_sort: SortBy,
    /// `--color`.
    pub color: When,
    /// `--no-io-uring`: io_uring_setup(2) answers ENOSYS.
    pub no_io_uring: bool,
    /// `--engine`: how calls are stopped.
    pub engine: Engine,
    /// `--debug-engine`: what the engine does, on standard error.
    pub debug_engine: bool,
    /// What was asked for and has no effect in this combination: a line each, without the program's name.
    pub warnings: Vec<String>,
}

/// Where the trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    StandardError,
    /// A file.
    File {
        /// Its path, or with `per_process` what stands before `.PID`.
        path: PathBuf,
        /// `-A`: after what it holds already.
        append: bool,
        /// `-ff`: a file for each process, named `path.PID`.
        per_process: bool,
    },
    /// The standard input of this command, run by the shell.
    Command(OsString),
}

/// Where the trace goes as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// Where text would go.
    TextPlace,
    /// There.
    Target(Target),
}

/// A place for data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file; its name may have `%h`, `%p` and `%t` in it.
    File(PathBuf),
    /// The standard input of this command, run by the shell.
    Command(OsString),
}

/// How a call came back, as `-e status=` counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Without an error.
    Successful,
    /// With an error.
    Failed,
    /// Not at all: its thread was gone first.
    Unfinished,
    /// It did, but what it returned could not be read.
    Unavailable,
    /// The process was let go before it did.
    Detached,
}

/// A kind of message that `-q` and `-e quiet=` leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A process joined or left the trace, and other news of the tracing itself.
    Attach,
    /// A process ended.
    Exit,
    /// A path was resolved (strace's `-P`; sockstrace has no such message).
    PathResolution,
    /// A process changed its ABI (sockstrace has no such message).
    Personality,
    /// A thread was replaced by another thread's execve.
    ThreadExecve,
}

/// How a byte that is no plain text is written in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    /// By C escapes, in base 8 where there is no letter for it.
    Octal,
    /// By C escapes, in base 16 where there is no letter for it.
    HexEscapes,
    /// All of a string in base 16 when one byte of it is no ASCII text (`-x`).
    NonAsciiInHex,
    /// All strings in base 16 (`-xx`).
    Hex,
}

/// The time before each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Since the program began, in the unit that fits.
    Elapsed,
    /// The wall clock's time of day.
    TimeOfDay(Precision),
    /// Seconds since 1970-01-01 UTC.
    Unix(Precision),
}

/// How precisely a time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// Three places.
    Millis,
    /// Six places.
    Micros,
    /// Nine places.
    Nanos,
}

/// `--overview`, `--no-overview`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overview {
    /// On a terminal.
    #[default]
    Auto,
    /// Wherever the text goes.
    Always,
    /// And no line of the trace before it.
    Only,
    /// Never.
    Never,
}

/// `--library`: which functions of libraries are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Library {
    /// The resolver's, and TLS libraries'.
    #[default]
    #[value(skip)]
    Names,
    /// The C library's socket functions too.
    Calls,
    /// None: no breakpoint is set.
    Never,
}

/// `--kernel`: when the kernel is asked about a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kernel {
    /// Where a connection begins and ends.
    #[default]
    Ends,
    /// After every call.
    Calls,
    /// Never.
    Never,
}

/// `--findings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Findings {
    /// Errors.
    Error,
    /// Notes too, and all of them.
    All,
    /// None.
    None,
}

/// The table of calls, errors, times and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// No table.
    None,
    /// The table in place of the trace (`-c`).
    Only,
    /// The table after the trace (`-C`).
    Also,
}

/// What the lines of the table are ordered by: numbers descending, names ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Time in all.
    #[value(aliases = ["time-percent", "time-total", "total-time"])]
    Time,
    /// The shortest call.
    #[value(aliases = ["shortest", "time-min"])]
    MinTime,
    /// The longest call.
    #[value(aliases = ["longest", "time-max"])]
    MaxTime,
    /// Time per call.
    #[value(alias = "time-avg")]
    AvgTime,
    /// How many.
    #[value(alias = "count")]
    Calls,
    /// How many failed.
    #[value(alias = "error")]
    Errors,
    /// Bytes sent and received.
    Bytes,
    /// The call's name; also where strace is told not to sort.
    #[value(aliases = ["syscall", "syscall-name", "nothing", "none"])]
    Name,
}

/// When to do something that depends on whether a person looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where the output is a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the program's calls are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The best that works here.
    Auto,
    /// Filters that grow with the sockets, and no recorder.
    Stop,
    /// The recorder for every call that it can take, from the first one on.
    Record,
    /// A seccomp filter that picks calls by their number.
    Number,
    /// PTRACE_SYSCALL: every call stops.
    Syscall,
}

impl Precision {
    /// How many digits stand after the point.
    pub fn digits(self) -> usize {
        match self {
            Self::Seconds => 0,
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }

    /// Reads strace's word for it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "s" => Self::Seconds,
            "ms" => Self::Millis,
            "us" => Self::Micros,
            "ns" => Self::Nanos,
            _ => return None,
        })
    }
}
