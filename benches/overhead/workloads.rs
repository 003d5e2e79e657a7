//! The workloads: how each is run, what is taken from a run, and what sockstrace is to reach.

use crate::way::Way;

/// One workload.
#[derive(Debug)]
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, for a person.
    pub title: &'static str,
    /// How it is run.
    pub run: Run,
    /// How often in a row, where one run is too short to be measured; a sample is the mean.
    pub repeat: Count,
    /// The options of strace that ask of it what sockstrace tells.
    pub strace: &'static [&'static str],
    /// What sockstrace writes.
    pub trace: Trace,
    /// What is taken from each run: a row of the table each.
    pub measures: &'static [Measure],
}

/// What sockstrace writes of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Text, by `-o`.
    Text,
    /// All that was seen, by `--record`.
    Record,
    /// Lines of JSON, by `--json`.
    Json,
}

/// How a workload is run.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// A program of benches/workloads, and its arguments.
    Compiled(&'static str, &'static [Word]),
    /// An installed program, and its arguments.
    Installed(&'static str, &'static [Word]),
    /// redis-server, with an untraced redis-benchmark beside it: its test, and how many requests it makes.
    Redis(&'static str, Count),
    /// nginx, with an untraced wrk beside it that asks for so many seconds.
    Nginx(Count),
    /// Replays a record of `churn` with so many connections; what stands beside it as untraced is `jq -c .` of the same run's `--json`.
    Replay(Count),
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    /// As it stands here.
    Is(&'static str),
    /// How much to do.
    Count(Count),
    /// The path of an installed program.
    Program(&'static str),
    /// The port of a server of ours on 127.0.0.1.
    Port,
    /// The address of its page.
    Page,
}

/// How much to do: to measure, and only to see that it works (`--short`).
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// To measure.
    pub full: u32,
    /// To see that it works.
    pub short: u32,
}

/// What is taken from a run.
#[derive(Debug)]
pub struct Measure {
    /// The number.
    pub quantity: Quantity,
    /// What to reach, where the workload has a bar: all of these.
    pub targets: &'static [Target],
}

/// A number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// From the start of the command to its end, in nanoseconds.
    Whole,
    /// Nanoseconds for one operation, by the program's own clock.
    Own,
    /// Requests per second.
    Rate,
    /// The largest resident set of the tracer, in bytes.
    Resident,
    /// CPU time that the tracer spends in user mode for one call of the program, in nanoseconds.
    UserTime,
    /// The same of the thread that traces, without story and output.
    TracingTime,
}

impl Workload {
    /// Whether all that is taken from it says something of the tracer alone.
    pub fn is_tracers(&self) -> bool {
        self.measures
            .iter()
            .all(|measure| measure.quantity.is_tracers())
    }

    /// Whether something that is taken from it is held against this way.
    pub fn is_held_against(&self, way: Way) -> bool {
        let mut targets = self.measures.iter().flat_map(|measure| measure.targets);
        targets.any(|target| target.way() == Some(way))
    }
}

impl Quantity {
    /// Whether it says something of the tracer alone, so that there is nothing to compare it with.
    pub fn is_tracers(self) -> bool {
        use Quantity::{Resident, TracingTime, UserTime};
        matches!(self, Resident | UserTime | TracingTime)
    }
}

/// What to reach.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most so many times the median of this way.
    AtMost(f64, Way),
    /// At least so many times the median of this way, for what is better the larger it is.
    AtLeast(f64, Way),
    /// Below so much.
    Below(f64),
}

impl Target {
    /// The way that it compares with.
    pub fn way(self) -> Option<Way> {
        match self {
            Self::AtMost(_, way) | Self::AtLeast(_, way) => Some(way),
            Self::Below(_) => None,
        }
    }
}

const fn count(full: u32, short: u32) -> Count {
    Count { full, short }
}

const fn amount(full: u32, short: u32) -> Word {
    Word::Count(count(full, short))
}

const ONCE: Count = count(1, 1);

/// What is known of sockets, in strace's words.
const STRACE: &[&str] = &[
    "-f",
    "--seccomp-bpf",
    "-yy",
    "-e",
    "trace=network,read,write,close",
];

const fn of_untraced(most: f64) -> Target {
    Target::AtMost(most, Way::Untraced)
}

const fn of_strace(most: f64) -> Target {
    Target::AtMost(most, Way::Strace)
}

/// What a busy server is to keep of its requests per second.
const SERVED: Target = Target::AtLeast(0.85, Way::Untraced);

const fn whole(targets: &'static [Target]) -> Measure {
    Measure {
        quantity: Quantity::Whole,
        targets,
    }
}

const fn own(targets: &'static [Target]) -> Measure {
    Measure {
        quantity: Quantity::Own,
        targets,
    }
}

const fn rate(targets: &'static [Target]) -> Measure {
    Measure {
        quantity: Quantity::Rate,
        targets,
    }
}

const fn reported(quantity: Quantity) -> Measure {
    Measure {
        quantity,
        targets: &[],
    }
}

/// What a shell is to run: each of three programs as often as argument 1 says.
const SCRIPT: &[Word] = &script(
    r#"n=$1; while [ "$n" -gt 0 ]; do "$2"; "$3" x >/dev/null; "$4" /dev/null; n=$((n-1)); done"#,
);

/// The same, after bash has held a socket at 3.
const SCRIPT_AFTER_A_SOCKET: &[Word] = &script(
    r#"exec 3<>"/dev/tcp/127.0.0.1/$5"
    # Long enough for a tracer to have prepared itself for calls on it.
    n=100; while [ "$n" -gt 0 ] && [ -e / ]; do n=$((n-1)); done; exec 3>&-
    n=$1; while [ "$n" -gt 0 ]; do "$2"; "$3" x >/dev/null; "$4" /dev/null; n=$((n-1)); done"#,
);

const fn script(text: &'static str) -> [Word; 8] {
    [
        Word::Is("-c"),
        Word::Is(text),
        Word::Is("script"),
        amount(100, 5),
        Word::Program("true"),
        Word::Program("echo"),
        Word::Program("cat"),
        Word::Port,
    ]
}

/// What most workloads have in common.
const USUAL: Workload = Workload {
    name: "",
    title: "",
    run: Run::Installed("true", &[]),
    repeat: ONCE,
    strace: STRACE,
    trace: Trace::Text,
    measures: &[],
};

/// Every workload, in the order of the table.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "file-loop",
        title: "file loop beside a socket, one byte a call",
        run: Run::Compiled(
            "file_loop",
            &[Word::Is("1"), amount(300, 5), Word::Is("0"), Word::Is("0")],
        ),
        measures: &[own(&[of_untraced(1.6)])],
        ..USUAL
    },
    Workload {
        name: "file-loop-64k",
        title: "file loop beside a socket, 64 KiB a call",
        run: Run::Compiled(
            "file_loop",
            &[
                Word::Is("65536"),
                amount(300, 5),
                Word::Is("0"),
                Word::Is("0"),
            ],
        ),
        measures: &[own(&[of_untraced(1.1)])],
        ..USUAL
    },
    Workload {
        name: "sockets-held",
        title: "2,000 sockets held, then the 64 KiB file loop",
        run: Run::Compiled(
            "file_loop",
            &[
                Word::Is("65536"),
                amount(300, 5),
                amount(2000, 20),
                Word::Is("0"),
            ],
        ),
        measures: &[own(&[of_untraced(1.15)])],
        ..USUAL
    },
    Workload {
        name: "file-loop-thread",
        title: "file loop beside a socket and a sleeping thread, one byte a call",
        run: Run::Compiled(
            "file_loop",
            &[Word::Is("1"), amount(300, 5), Word::Is("0"), Word::Is("1")],
        ),
        measures: &[reported(Quantity::Own)],
        ..USUAL
    },
    Workload {
        name: "compute",
        title: "two computing threads beside a third that chats through a socketpair",
        run: Run::Compiled("compute", &[amount(100, 1)]),
        measures: &[reported(Quantity::Own)],
        ..USUAL
    },
    Workload {
        name: "script",
        title: "shell script of 300 short programs, no sockets",
        run: Run::Installed("sh", SCRIPT),
        measures: &[whole(&[of_untraced(1.3)])],
        ..USUAL
    },
    Workload {
        name: "script-socket",
        title: "the same script after its shell once held a socket at 3",
        run: Run::Installed("bash", SCRIPT_AFTER_A_SOCKET),
        measures: &[whole(&[of_untraced(3.0)])],
        ..USUAL
    },
    Workload {
        name: "stale",
        title: "300,000 reads of a file at a number where a socket was",
        run: Run::Compiled("stale", &[amount(300_000, 200)]),
        measures: &[own(&[of_untraced(1.8)])],
        ..USUAL
    },
    Workload {
        name: "fork-exec",
        title: "100 × fork, exec, wait",
        run: Run::Compiled("fork_exec", &[amount(100, 5), Word::Program("true")]),
        measures: &[whole(&[of_strace(0.9)])],
        ..USUAL
    },
    Workload {
        name: "churn",
        title: "2,000 × socket, connect, accept, send, recv, 2 × close",
        run: Run::Compiled("churn", &[amount(2000, 20), Word::Is("1")]),
        measures: &[whole(&[of_untraced(2.5), of_strace(0.1)])],
        ..USUAL
    },
    Workload {
        name: "bulk",
        title: "1 GiB over TCP in 64 KiB writes, two processes",
        run: Run::Compiled("bulk", &[amount(1024, 4)]),
        measures: &[whole(&[of_untraced(1.3)])],
        ..USUAL
    },
    Workload {
        name: "threads",
        title: "4 threads × 20,000 round trips through a socketpair each",
        run: Run::Compiled("threads", &[Word::Is("4"), amount(20_000, 100)]),
        measures: &[whole(&[of_untraced(2.5), of_strace(0.1)])],
        ..USUAL
    },
    Workload {
        name: "round-trips",
        title: "10,000 round trips of one byte over TCP, two processes",
        run: Run::Compiled("round_trips", &[amount(10_000, 100)]),
        measures: &[whole(&[of_untraced(1.3), of_strace(1.0 / 3.0)])],
        ..USUAL
    },
    Workload {
        name: "redis-set",
        title: "redis-server, SET from 50 clients",
        run: Run::Redis("set", count(50_000, 500)),
        measures: &[rate(&[SERVED, Target::AtLeast(10.0, Way::Strace)])],
        ..USUAL
    },
    Workload {
        name: "redis-get",
        title: "redis-server, GET from 50 clients",
        run: Run::Redis("get", count(50_000, 500)),
        measures: &[rate(&[SERVED, Target::AtLeast(10.0, Way::Strace)])],
        ..USUAL
    },
    Workload {
        name: "nginx",
        title: "nginx, a page of 1 KiB over 50 connections that stay open",
        run: Run::Nginx(count(3, 1)),
        // It answers by writev and sendfile, of which sockstrace tells, too.
        strace: &[
            "-f",
            "--seccomp-bpf",
            "-yy",
            "-e",
            "trace=network,read,write,close,writev,sendfile",
        ],
        measures: &[rate(&[SERVED])],
        ..USUAL
    },
    Workload {
        name: "below",
        title: "4 connections with 2 messages each: no place makes more than 8 calls",
        run: Run::Compiled("churn", &[Word::Is("4"), Word::Is("2")]),
        repeat: count(50, 2),
        // No slower: two hundredths are chance in runs as short as these.
        measures: &[whole(&[Target::AtMost(1.02, Way::Stop)])],
        ..USUAL
    },
    Workload {
        name: "start-up",
        title: "true (strace -f true)",
        run: Run::Installed("true", &[]),
        repeat: count(20, 2),
        strace: &["-f"],
        measures: &[whole(&[of_strace(1.0)])],
        ..USUAL
    },
    Workload {
        name: "curl",
        title: "curl of a small page on this machine",
        run: Run::Installed(
            "curl",
            &[
                Word::Is("-q"),
                Word::Is("-s"),
                Word::Is("-f"),
                Word::Is("--noproxy"),
                Word::Is("*"),
                Word::Is("-o"),
                Word::Is("/dev/null"),
                Word::Page,
            ],
        ),
        repeat: count(5, 1),
        measures: &[reported(Quantity::Whole)],
        ..USUAL
    },
    Workload {
        name: "round-trips-record",
        title: "the 10,000 round trips of above, with --record",
        run: Run::Compiled("round_trips", &[amount(10_000, 100)]),
        trace: Trace::Record,
        measures: &[reported(Quantity::Whole)],
        ..USUAL
    },
    Workload {
        name: "bulk-record",
        title: "1 GiB over TCP in 64 KiB writes, with --record: all of it is kept",
        run: Run::Compiled("bulk", &[amount(1024, 4)]),
        trace: Trace::Record,
        measures: &[reported(Quantity::Whole)],
        ..USUAL
    },
    Workload {
        name: "redis-record",
        title: "redis-server, SET from 50 clients, with --record",
        run: Run::Redis("set", count(50_000, 500)),
        trace: Trace::Record,
        measures: &[reported(Quantity::Rate)],
        ..USUAL
    },
    Workload {
        name: "redis-json",
        title: "redis-server, SET from 50 clients, with --json=FILE",
        run: Run::Redis("set", count(50_000, 500)),
        trace: Trace::Json,
        measures: &[reported(Quantity::Rate)],
        ..USUAL
    },
    Workload {
        name: "nginx-record",
        title: "nginx, a page of 1 KiB over 50 connections that stay open, with --record",
        run: Run::Nginx(count(3, 1)),
        trace: Trace::Record,
        measures: &[reported(Quantity::Rate)],
        ..USUAL
    },
    Workload {
        name: "replay",
        title: "--replay of 110,000 calls; for untraced, jq -c . of the same run's --json",
        run: Run::Replay(count(10_000, 20)),
        measures: &[whole(&[of_untraced(1.0)])],
        ..USUAL
    },
    Workload {
        name: "memory",
        title: "1,100,000 calls on 100,000 connections, text to a file",
        run: Run::Compiled("churn", &[amount(100_000, 200), Word::Is("3")]),
        measures: &[
            Measure {
                quantity: Quantity::Resident,
                targets: &[Target::Below((24 << 20) as f64)],
            },
            Measure {
                quantity: Quantity::UserTime,
                targets: &[Target::Below(1000.0)],
            },
            reported(Quantity::TracingTime),
        ],
        ..USUAL
    },
];
