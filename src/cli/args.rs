//! The flags, as clap reads them and as `--help`, the manual page and the shell completions list them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Args, Command, Parser, ValueHint, value_parser};

use super::help;
use super::options::{Engine, Findings, Kernel, Library, Precision, SortBy, Stamp, Strings, When};
use super::qualify::QUALIFIERS;
use super::strace;

/// Shows, live, every call that a program makes to the protocol stack, as the story of each connection.
#[derive(Parser)]
#[command(
    name = "sockstrace",
    version,
    override_usage = "sockstrace [OPTIONS] [--] PROGRAM [ARGS]...\n       sockstrace [OPTIONS] --demo\n       sockstrace [OPTIONS] --replay FILE",
    after_help = help::EXPRESSIONS,
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
pub(super) struct Arguments {
    /// The program to run, and its arguments: whatever follows PROGRAM is the program's
    #[arg(value_name = "PROGRAM [ARGS]", trailing_var_arg = true, hide_short_help = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,

    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub how: How,
    #[command(flatten)]
    pub times: Times,
    #[command(flatten)]
    pub destination: Destination,
    #[command(flatten)]
    pub program: Program,
    #[command(flatten)]
    pub advanced: Advanced,
    #[command(flatten)]
    pub other: Other,
}

#[derive(Args)]
#[command(next_help_heading = "What is shown")]
pub(super) struct What {
    /// Pick calls, statuses, signals and more; see "Expressions" below. May be repeated
    ///
    /// A call that is named this way is shown where it would otherwise be folded.
    /// Of several expressions with the same qualifier the last one counts.
    #[arg(short = 'e', value_name = "EXPR", allow_hyphen_values = true, action = ArgAction::Append)]
    pub expressions: Vec<String>,

    /// Show every call: nothing folded, hidden or abbreviated
    ///
    /// Set-up and polling calls that went well (fcntl, setsockopt, getsockname, poll, epoll_wait and so on) are otherwise
    /// counted as "+N calls" at the end of the line after them.
    #[arg(short = 'v', long)]
    pub no_abbrev: bool,

    /// Show files and pipes too, with their paths
    ///
    /// Otherwise a call on a descriptor is shown only where the descriptor leads to a socket.
    #[arg(long)]
    pub all_descriptors: bool,

    /// Show only calls that succeed
    ///
    /// The same as -e status=successful.
    #[arg(short = 'z', long = "successful-only")]
    pub successful: bool,

    /// Show only calls that fail
    ///
    /// The same as -e status=failed.
    #[arg(short = 'Z', long = "failed-only", alias = "failing-only")]
    pub failed: bool,

    /// Leave out messages about tracing; -qq: about ended processes too; -qqq: all messages
    ///
    /// The same as -e quiet=attach,personality, -e quiet=attach,personality,exit and -e quiet=all.
    #[arg(short = 'q', action = ArgAction::Count)]
    pub quiet_level: u8,

    /// Show a table of calls, errors, times and bytes in place of the trace
    ///
    /// Times are those that passed on the clock while the calls lasted.
    #[arg(short = 'c', long, conflicts_with = "summary")]
    pub summary_only: bool,

    /// Show the trace, and then that table
    #[arg(short = 'C', long)]
    pub summary: bool,

    /// Order that table by time, min-time, max-time, avg-time, calls, errors, bytes or name
    #[arg(
        short = 'S',
        long,
        value_name = "WHAT",
        value_enum,
        default_value_t = SortBy::Time,
        hide_possible_values = true
    )]
    pub summary_sort_by: SortBy,
}

#[derive(Args)]
#[command(next_help_heading = "How it is shown")]
pub(super) struct How {
    /// Show this many bytes of data
    ///
    /// The size that a call returns is always that of all its data.
    #[arg(short = 's', long, value_name = "BYTES", allow_hyphen_values = true, default_value_t = 48, value_parser = bytes)]
    pub string_limit: usize,

    /// Write strings in hex where they hold more than ASCII text; -xx: all strings
    ///
    /// Otherwise bytes that are no text are written as the C language does, by a letter or in octal.
    /// The long form is --strings-in-hex=none, =non-ascii-chars (hex in place of octal), =non-ascii (-x) or =all (-xx).
    #[arg(short = 'x', action = ArgAction::Count)]
    pub hex_strings: u8,

    /// As -x; OPTION is none, non-ascii-chars, non-ascii or all
    #[arg(long, hide = true, value_name = "OPTION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "all", value_parser = strings, conflicts_with = "hex_strings")]
    pub strings_in_hex: Option<Strings>,

    /// Dump all data in full, in hex and as text, below its call
    ///
    /// The same as -e read=all -e write=all. -s does not cut it; at most 1 MiB of a call is shown.
    #[arg(long)]
    pub hex: bool,

    /// Use colours: auto (on a terminal), always or never
    ///
    /// With auto, NO_COLOR, CLICOLOR_FORCE and TERM=dumb are heeded; see ENVIRONMENT.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub color: When,

    /// Show below each call what the kernel says of its socket: TCP's state, queues, round-trip time, what was sent again
    ///
    /// Every call stops then, and what changes between calls is told too: states, and how many peers wait at a listener. Otherwise the
    /// kernel is asked where a connection begins and where it ends, about handshakes that go on, and once a second about listeners; with
    /// =never not even there. Of programs with several threads it may say less.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, value_enum, default_missing_value = "calls")]
    #[arg(hide_possible_values = true)]
    pub kernel: Option<Kernel>,

    /// Show the C library's socket functions around the calls that they make, and the time in between
    ///
    /// What a program asks of the resolver (getaddrinfo) is shown in any case, and so is what it says by a TLS library, in clear: by
    /// breakpoints in the libraries that it loads. With =never there are none.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, value_enum, default_missing_value = "calls")]
    #[arg(hide_possible_values = true)]
    pub library: Option<Library>,

    /// Leave TLS libraries alone: what passes by TLS stays closed
    #[arg(long)]
    pub no_tls: bool,

    /// Sum up at the end whom the program talked to, and where the time went; =only: show nothing else
    ///
    /// On a terminal that is done without being asked for, unless only some calls are shown.
    #[arg(long, value_name = "only", num_args = 0..=1, require_equals = true, default_missing_value = "also")]
    #[arg(value_parser = ["only", "also"], hide_possible_values = true)]
    pub overview: Option<String>,

    /// Sum up nothing at the end, on a terminal either
    #[arg(long, conflicts_with = "overview")]
    pub no_overview: bool,

    /// Say what a person should look at: error, all or none
    ///
    /// Otherwise errors are told where they happen, and at the end errors and warnings, five at most. With error there are errors only,
    /// with all also notes, and all of them at the end.
    #[arg(
        long,
        value_name = "WHICH",
        require_equals = true,
        value_enum,
        hide_possible_values = true
    )]
    pub findings: Option<Findings>,

    /// Say which process made the call even while there is only one
    #[arg(long)]
    pub always_show_pid: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Times")]
pub(super) struct Times {
    /// Begin lines with the time of day; -tt: with microseconds; -ttt: seconds since 1970
    ///
    /// Otherwise lines begin with the time since the program's start.
    /// The long form is --absolute-timestamps=FORMAT,PRECISION: none, time or unix, and s, ms, us or ns.
    #[arg(short = 't', action = ArgAction::Count)]
    pub clock: u8,

    /// As -t; FORMAT is none, time or unix, and a precision s, ms, us or ns after a comma
    #[arg(long, hide = true, alias = "timestamps", value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "time", value_parser = stamp, conflicts_with = "clock")]
    pub absolute_timestamps: Option<Stamp>,

    /// Begin lines with the time since the line before
    ///
    /// It runs from the beginning of one call that is shown to the beginning of the next one.
    /// The long form is --relative-timestamps=PRECISION: s, ms, us or ns.
    #[arg(short = 'r')]
    pub relative: bool,

    /// As -r, with a precision
    #[arg(long, hide = true, value_name = "PRECISION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "us", value_parser = precision)]
    pub relative_timestamps: Option<Precision>,

    /// Show the time spent in each call behind its result, <0.000123>
    ///
    /// It stands before the meaning, which doesn't repeat it then.
    /// The long form is --syscall-times=PRECISION: s, ms, us or ns.
    #[arg(short = 'T')]
    pub call_times: bool,

    /// As -T, with a precision
    #[arg(long, hide = true, value_name = "PRECISION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "us", value_parser = precision)]
    pub syscall_times: Option<Precision>,
}

#[derive(Args)]
#[command(next_help_heading = "Where it goes")]
pub(super) struct Destination {
    /// Write the trace to FILE, or to the input of '|COMMAND', in place of standard error
    ///
    /// COMMAND is run by the shell. '!COMMAND' means the same. A file that is named - would be mistaken for standard output,
    /// which is the program's, and is refused: write ./- for it.
    #[arg(short, long, value_name = "FILE|'|COMMAND'", allow_hyphen_values = true, value_hint = ValueHint::FilePath)]
    pub output: Option<OsString>,

    /// Append to FILE, in place of writing it anew
    #[arg(short = 'A', long)]
    pub output_append_mode: bool,

    /// Write each process's trace to its own FILE.PID; also -ff
    #[arg(long)]
    pub output_separately: bool,

    /// Write the trace as lines of JSON, to FILE, or in place of the text
    ///
    /// FILE may be '|COMMAND'. With a FILE that ends in .zst or .gz it is compressed. %h stands for the host's name, %p for the program's
    /// process and %t for the time. Then no text is written, unless -o says where. A trace can be shown again by --replay.
    #[arg(long, value_name = "FILE|'|COMMAND'", num_args = 0..=1, require_equals = true, default_missing_value = "", value_hint = ValueHint::FilePath)]
    pub json: Option<OsString>,

    /// Write only lines of these types, as in --json-types=call,process,exit
    ///
    /// Types are call, waiting, process, notice, connected, still-waiting and conversation. The header and the last line, exit, are always there.
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = PossibleValuesParser::new(TYPES))]
    #[arg(hide_possible_values = true, action = ArgAction::Set)]
    pub json_types: Vec<String>,

    /// Record all that is seen, with all data, to FILE for --replay
    ///
    /// FILE may be '|COMMAND', and have %h, %p and %t in it, as with --json. It is compressed (zstd), and holds whatever the program
    /// sent and received. Then no text is written, unless -o says where.
    #[arg(long, value_name = "FILE|'|COMMAND'", require_equals = true, value_hint = ValueHint::FilePath)]
    pub record: Option<OsString>,

    /// Write to --json all data, not as much as -s says
    #[arg(long, conflicts_with = "no_data")]
    pub full_data: bool,

    /// Keep what is sent and received out of every output; sizes remain
    #[arg(long)]
    pub no_data: bool,

    /// Show passwords, cookies, tokens and keys, which are masked otherwise
    ///
    /// Masked is what a known protocol carries as a secret: Authorization, Cookie and keys in HTTP, passwords and tokens in URLs and
    /// forms, and what programs log in with. --record keeps all as it was.
    #[arg(long)]
    pub show_secrets: bool,

    /// Begin another file when one has reached SIZE, such as 100M
    ///
    /// For --json and --record: trace.ndjson, then trace.1.ndjson, trace.2.ndjson and so on. SIZE is in bytes, or with K, M or G in units
    /// of 1024.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rotate: Option<u64>,

    /// Put KEY=VALUE into the header of --json and --record; may be repeated
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, value_parser = label)]
    pub label: Vec<(String, String)>,
}

/// The types of lines that `--json-types` knows.
const TYPES: [&str; 13] = [
    "call",
    "waiting",
    "process",
    "notice",
    "connected",
    "still-waiting",
    "kernel",
    "library",
    "clear",
    "conversation",
    "name",
    "finding",
    "exit",
];

#[derive(Args)]
#[command(next_help_heading = "The program")]
pub(super) struct Program {
    /// Follow the processes that the program starts (always on); -ff: with -o, a file for each
    ///
    /// With -ff, each process's trace goes to FILE.PID. It cannot be had with -c, -C or -o '|COMMAND'.
    #[arg(short, long = "follow-forks", action = ArgAction::Count)]
    pub follow: u8,

    /// Show only the program's own process, not those that it starts
    ///
    /// They are traced all the same, since a filtered process cannot be let go, but not shown.
    #[arg(long, conflicts_with = "follow")]
    pub no_follow: bool,

    /// Run the program with VAR set, or without VAR; may be repeated
    #[arg(short = 'E', long, value_name = "VAR[=VAL]", allow_hyphen_values = true, action = ArgAction::Append, value_parser = variable())]
    pub env: Vec<OsString>,

    /// Run the program as USER, with that user's groups; only root may
    ///
    /// sockstrace itself keeps its privilege, so that setuid programs run as they do untraced.
    #[arg(short, long, value_name = "USER", allow_hyphen_values = true, value_hint = ValueHint::Username)]
    pub user: Option<String>,

    /// End when the program ends, even where processes that it started still run
    ///
    /// Otherwise sockstrace stays until the last of them is gone, and says whom it waits for. With this option it ends with the
    /// program's status, and a tracer stays behind in the background, so that their calls go on.
    #[arg(long)]
    pub no_wait: bool,

    /// Let io_uring_setup fail with ENOSYS, so that the program makes calls that can be seen
    ///
    /// Work that a program hands over through io_uring(7) makes no calls, and no tracer of calls can see it. Most programs that
    /// use it fall back to ordinary calls when it is not there.
    #[arg(long)]
    pub no_io_uring: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Advanced")]
pub(super) struct Advanced {
    /// How calls are seen: auto, stop (no recorder), record, number (by kind), syscall (slowest)
    ///
    /// With stop, seccomp filters stop the calls that make sockets and those on the descriptors that lead to sockets; each program gets
    /// further filters as its sockets come. Calls on files run at nearly full speed. auto does the same, and lets the places in the
    /// program that make such calls often record them without a stop; record does so with every place from its first call on. With number, one filter stops all calls that
    /// sockets and files have in common. syscall stops every call (PTRACE_SYSCALL); it works where filters are not allowed. auto falls
    /// back to the others where it must, as --debug-engine tells. The trace is the same.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Engine::Auto)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub engine: Engine,

    /// Say how calls are stopped, and how many stops and filters that took
    #[arg(short = 'd', long, alias = "debug")]
    pub debug_engine: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Help")]
pub(super) struct Other {
    /// Show a whole connection, from name to close, with an explanation; needs no network
    #[arg(long)]
    pub demo: bool,

    /// Show again the trace that --record or --json wrote to FILE
    ///
    /// Every option of how and what to show works as in a run. A trace of --json has as much data as was written.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub replay: Option<PathBuf>,

    /// Show the most used options
    #[arg(short)]
    pub help_short: bool,

    /// Show all options
    #[arg(long, conflicts_with = "help_short")]
    pub help: bool,

    /// Show the version
    #[arg(short = 'V', long)]
    pub version: bool,
}

/// The hidden flag that makes a process the demo's client: NAMESERVER_PORT HTTP_PORT.
pub(super) const DEMO_CLIENT: &str = "demo-client";

/// The command line with what no help lists: strace's other options, and the demo's client.
pub(super) fn with_hidden(command: Command) -> Command {
    let qualifiers = QUALIFIERS.iter().map(|qualifier| {
        let (first, others) = qualifier
            .long
            .split_first()
            .expect("every qualifier has a long option");
        let arg = Arg::new(*first)
            .long(first)
            .aliases(others)
            .hide(true)
            .action(ArgAction::Append);
        match qualifier.missing {
            Some(missing) => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(missing),
            None => arg.allow_hyphen_values(true),
        }
    });
    let client = Arg::new(DEMO_CLIENT)
        .long(DEMO_CLIENT)
        .hide(true)
        .num_args(2)
        .value_parser(value_parser!(u16));
    command
        .args(qualifiers)
        .args(strace::ROWS.iter().map(strace::Row::arg))
        .arg(client)
}

fn bytes(text: &str) -> Result<usize, String> {
    // More than a call can ever hand over (MAX_RW_COUNT, read(2)) would be of no use.
    const MAX: usize = 0x7fff_f000;
    let count: usize = text
        .parse()
        .map_err(|_| format!("a number from 0 to {MAX} is needed"))?;
    if count > MAX {
        Err(format!("{MAX} is the most"))
    } else {
        Ok(count)
    }
}

/// A number of bytes: 4096, 64K, 100M, 2G.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes() {
        [.., b'K' | b'k'] => (&text[..text.len() - 1], 1 << 10),
        [.., b'M' | b'm'] => (&text[..text.len() - 1], 1 << 20),
        [.., b'G' | b'g'] => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number = digits.parse().ok();
    number
        .and_then(|number: u64| number.checked_mul(unit))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "a number of bytes is needed, or one with K, M or G: 100M".into())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label has a key and a value: KEY=VALUE".into()),
    }
}

fn strings(text: &str) -> Result<Strings, String> {
    Ok(match text {
        "none" => Strings::Octal,
        "non-ascii-chars" => Strings::HexEscapes,
        "non-ascii" => Strings::NonAsciiInHex,
        "all" => Strings::Hex,
        _ => return Err("it is one of none, non-ascii-chars, non-ascii, all".into()),
    })
}

fn precision(text: &str) -> Result<Precision, String> {
    Precision::parse(text).ok_or_else(|| "it is one of s, ms, us, ns".into())
}

/// Reads strace's `[[format:]FORMAT[,[precision:]PRECISION]]`, in either order.
fn stamp(text: &str) -> Result<Stamp, String> {
    let (mut format, mut precision) = ("time", Precision::Seconds);
    for word in text.split(',') {
        let bare = word
            .strip_prefix("precision:")
            .or_else(|| word.strip_prefix("format:"))
            .unwrap_or(word);
        match (bare, Precision::parse(bare)) {
            ("none" | "time" | "unix", _) if !word.starts_with("precision:") => format = bare,
            (_, Some(known)) if !word.starts_with("format:") => precision = known,
            _ => return Err("it is none, time or unix, and s, ms, us or ns after a comma".into()),
        }
    }
    Ok(match format {
        "time" => Stamp::TimeOfDay(precision),
        "unix" => Stamp::Unix(precision),
        _ => Stamp::Elapsed,
    })
}

/// A variable's name is what the value parser can check; bytes that are no UTF-8 pass.
fn variable() -> impl clap::builder::TypedValueParser<Value = OsString> {
    use clap::builder::TypedValueParser;
    use std::os::unix::ffi::OsStrExt;
    clap::builder::OsStringValueParser::new().try_map(|text| match text.as_bytes() {
        [] | [b'=', ..] => Err("a variable has a name: VAR=VALUE, or VAR to remove it"),
        _ => Ok(text),
    })
}
