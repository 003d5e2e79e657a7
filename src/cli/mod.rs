//! The command line: arguments in, checked [`Options`] out, or one line that says what is wrong with them.

mod args;
mod help;
mod options;
mod qualify;
mod refusal;
mod set;
mod strace;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

pub use options::{
    Destination, Engine, Findings, Json, Kernel, Library, Message, Options, Overview, Precision,
    SortBy, Stamp, Status, Strings, Summary, Target, When,
};
pub use refusal::Refusal;
pub use set::Set;

use args::Arguments;

/// The exit status of our own failures, as env(1) and timeout(1) have it.
pub const FAILURE: u8 = 125;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Invocation {
    /// Trace a program.
    Run(Box<Options>),
    /// Show a trace again.
    Replay(Box<Options>),
    /// Trace the demo's client.
    Demo(Box<Options>),
    /// Be the demo's client.
    DemoClient {
        /// The UDP port of the name server on loopback.
        nameserver_port: u16,
        /// The TCP port of the HTTP server on loopback.
        http_port: u16,
    },
    /// Print this text on standard output, and succeed.
    Print(String),
}

/// The flags as the help, the manual page and the completions list them.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// strace's options that are no flags of ours, as a person writes them, each with our answer: none where it is always on.
pub fn strace_answers() -> Vec<(String, Option<&'static str>)> {
    let options = strace::ROWS.iter().map(|row| match row.answer {
        strace::Answer::AlwaysOn => (row.written(), None),
        strace::Answer::Refused(why) => (row.written(), Some(why)),
    });
    let qualifiers = qualify::QUALIFIERS.iter().filter_map(|qualifier| {
        let written = format!("-e {}", qualifier.names[0]);
        match qualifier.meaning {
            qualify::Meaning::Sets(_) => None,
            qualify::Meaning::AlwaysOn => Some((written, None)),
            qualify::Meaning::Refused(why) => Some((written, Some(why))),
        }
    });
    options.chain(qualifiers).collect()
}

/// Reads the command line, its first item being our own name.
pub fn parse<I, T>(line: I) -> Result<Invocation, Refusal>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = args::with_hidden(Arguments::command());
    let matches = command
        .try_get_matches_from_mut(line)
        .map_err(Refusal::from)?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(Refusal::from)?;
    let other = &arguments.other;
    if other.help_short {
        return Ok(Invocation::Print(help::SHORT.into()));
    }
    if other.help {
        return Ok(Invocation::Print(
            Arguments::command().render_help().to_string(),
        ));
    }
    if other.version {
        return Ok(Invocation::Print(Arguments::command().render_version()));
    }
    if let Some(ports) = matches.get_many::<u16>(args::DEMO_CLIENT)
        && let [nameserver_port, http_port] = *ports.copied().collect::<Vec<_>>()
    {
        return Ok(Invocation::DemoClient {
            nameserver_port,
            http_port,
        });
    }
    let demo = other.demo;
    refuse_foreign(&matches)?;
    let options = Box::new(resolve(arguments, &matches)?);
    if options.replay.is_some() {
        return match (demo, options.command.is_empty()) {
            (false, true) => Ok(Invocation::Replay(options)),
            _ => Err(Refusal::new("--replay shows a trace, and runs no program")),
        };
    }
    match (demo, options.command.is_empty()) {
        (true, true) => Ok(Invocation::Demo(options)),
        (true, false) => Err(Refusal::new(
            "--demo brings its own program, and takes none",
        )),
        (false, true) => Err(Refusal::final_word(
            "which program? sockstrace PROGRAM [ARGS]...; 'sockstrace --demo' shows how it looks, -h helps",
        )),
        (false, false) => Ok(Invocation::Run(options)),
    }
}

/// Whether an option was given, rather than left to its default.
fn written(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Answers the first of strace's options that we do not have.
fn refuse_foreign(matches: &ArgMatches) -> Result<(), Refusal> {
    let given = |row: &&strace::Row| written(matches, row.id());
    match strace::ROWS
        .iter()
        .find(|row| matches!(row.answer, strace::Answer::Refused(_)) && given(row))
    {
        Some(
            row @ strace::Row {
                answer: strace::Answer::Refused(why),
                ..
            },
        ) => Err(Refusal::final_word(format!("{}: {why}", row.written()))),
        _ => Ok(()),
    }
}

/// Checks the flags against each other and gives them their types.
fn resolve(arguments: Arguments, matches: &ArgMatches) -> Result<Options, Refusal> {
    let Arguments {
        command,
        what,
        how,
        times,
        destination,
        program,
        advanced,
        other,
    } = arguments;
    let per_process = destination.output_separately || program.follow > 1;
    let summary = match (what.summary_only, what.summary) {
        (true, _) => Summary::Only,
        (_, true) => Summary::Also,
        _ => Summary::None,
    };
    if per_process && summary != Summary::None {
        return Err(Refusal::new(
            "the table of -c and -C counts all processes together and cannot be had with -ff",
        ));
    }
    let overview = match how.overview.as_deref() {
        Some("only") => Overview::Only,
        Some(_) => Overview::Always,
        None if how.no_overview => Overview::Never,
        None => Overview::Auto,
    };
    let wished = matches!(overview, Overview::Only | Overview::Always);
    if wished && (per_process || summary == Summary::Only) {
        return Err(Refusal::new(
            "the overview is of all processes and the whole story, and cannot be had with -ff or -c",
        ));
    }
    let mut warnings = Vec::new();
    if summary == Summary::None && written(matches, "summary_sort_by") {
        warnings.push("-S has no effect without -c or -C".into());
    }
    if destination.output.is_none() {
        if destination.output_append_mode {
            warnings.push("-A has no effect without -o".into());
        }
        if per_process {
            warnings.push("-ff has no effect on files without -o".into());
        }
    }
    let dumps = how.hex && !destination.no_data;
    let everything = || if dumps { Set::all() } else { Set::none() };
    if other.replay.is_some() && destination.record.is_some() {
        return Err(Refusal::new(
            "--replay has nothing to record: the trace is there already",
        ));
    }
    let json = match destination.json {
        Some(file) if file.is_empty() => Some(Json::TextPlace),
        Some(file) => Some(Json::Target(target("--json", &file)?)),
        None => None,
    };
    let record = match &destination.record {
        Some(file) => Some(target("--record", file)?),
        None => None,
    };
    if let (Some(Json::Target(json)), Some(record)) = (&json, &record)
        && json == record
        && matches!(json, Target::File(_))
    {
        return Err(Refusal::new(
            "--json and --record cannot write to one and the same file",
        ));
    }
    let to_file = record.is_some() || matches!(json, Some(Json::Target(_)));
    if !to_file && destination.rotate.is_some() {
        warnings.push("--rotate has no effect without --json=FILE or --record=FILE".into());
    }
    if json.is_none() && !destination.json_types.is_empty() {
        warnings.push("--json-types has no effect without --json".into());
    }
    if json.is_none() && destination.full_data {
        warnings.push("--full-data has no effect without --json; --record has all data".into());
    }
    if json.is_none() && record.is_none() && !destination.label.is_empty() {
        warnings.push("--label has no effect without --json or --record".into());
    }
    if json == Some(Json::TextPlace) && (per_process || summary != Summary::None || wished) {
        return Err(Refusal::new(
            "--json without a file takes the text's place, and cannot be had with -ff, -c, -C or --overview; --json=FILE can",
        ));
    }
    let filters = filters(matches);
    // With a file for the data, text is written only where it was asked for.
    let text = json != Some(Json::TextPlace)
        && (destination.output.is_some() || summary != Summary::None || !to_file);
    let mut options = Options {
        command,
        replay: other.replay,
        json,
        json_types: (!destination.json_types.is_empty())
            .then(|| destination.json_types.into_iter().collect()),
        record,
        full_data: destination.full_data,
        no_data: destination.no_data,
        show_secrets: destination.show_secrets,
        rotate: destination.rotate,
        labels: destination.label.into_iter().collect(),
        filters,
        text,
        environment: program
            .env
            .iter()
            .map(|variable| split_variable(variable))
            .collect(),
        user: program.user,
        follow: !program.no_follow,
        wait: !program.no_wait,
        destination: resolve_destination(
            destination.output,
            destination.output_append_mode,
            per_process,
        )?,
        trace: None,
        raw: None,
        statuses: Set::all(),
        signals: None,
        quiet: quiet(what.quiet_level),
        dump_read: everything(),
        dump_write: everything(),
        string_limit: if destination.no_data {
            0
        } else {
            how.string_limit
        },
        keep_data: written(matches, "string_limit"),
        strings: how.strings_in_hex.unwrap_or(match how.hex_strings {
            0 => Strings::Octal,
            1 => Strings::NonAsciiInHex,
            _ => Strings::Hex,
        }),
        stamp: times.absolute_timestamps.unwrap_or(match times.clock {
            0 => Stamp::Elapsed,
            1 => Stamp::TimeOfDay(Precision::Seconds),
            2 => Stamp::TimeOfDay(Precision::Micros),
            _ => Stamp::Unix(Precision::Micros),
        }),
        relative: times
            .relative_timestamps
            .or(times.relative.then_some(Precision::Micros)),
        call_times: times
            .syscall_times
            .or(times.call_times.then_some(Precision::Micros)),
        verbose: what.no_abbrev,
        all_descriptors: what.all_descriptors,
        always_show_pid: how.always_show_pid,
        summary,
        overview,
        findings: how.findings,
        kernel: how.kernel.unwrap_or_default(),
        library: how.library.unwrap_or_default(),
        no_tls: how.no_tls,
        summary_sort: what.summary_sort_by,
        color: how.color,
        no_io_uring: program.no_io_uring,
        engine: advanced.engine,
        debug_engine: advanced.debug_engine,
        warnings,
    };
    qualify(&mut options, matches)?;
    Ok(options)
}

/// Carries out `-e`, the qualifiers' long forms, -z and -Z in the order in which they were written: the last one wins.
fn qualify(options: &mut Options, matches: &ArgMatches) -> Result<(), Refusal> {
    let mut steps: Vec<(usize, Option<&qualify::Qualifier>, String)> = Vec::new();
    let values = |id: &str| {
        let values = matches
            .get_many::<String>(id)
            .into_iter()
            .flatten()
            .cloned();
        matches
            .indices_of(id)
            .into_iter()
            .flatten()
            .zip(values)
            .collect::<Vec<_>>()
    };
    steps.extend(
        values("expressions")
            .into_iter()
            .map(|(index, value)| (index, None, value)),
    );
    for qualifier in qualify::QUALIFIERS {
        steps.extend(
            values(qualifier.long[0])
                .into_iter()
                .map(|(index, value)| (index, Some(qualifier), value)),
        );
    }
    for (id, expression) in [
        ("successful", "status=successful"),
        ("failed", "status=failed"),
    ] {
        let index = matches.index_of(id).filter(|_| written(matches, id));
        steps.extend(index.map(|index| (index, None, expression.to_owned())));
    }
    steps.sort_by_key(|(index, ..)| *index);
    steps
        .iter()
        .try_for_each(|(_, qualifier, value)| match qualifier {
            Some(qualifier) => qualifier.apply(options, &format!("--{}", qualifier.long[0]), value),
            None => qualify::apply(options, value),
        })
}

/// The options that leave something out, for the header of a trace.
fn filters(matches: &ArgMatches) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut values = |id: &str, prefix: &str| {
        let values = matches.get_many::<String>(id).into_iter().flatten();
        let indices = matches.indices_of(id).into_iter().flatten();
        found.extend(
            indices
                .zip(values)
                .map(|(at, value)| (at, format!("{prefix}{value}"))),
        );
    };
    values("expressions", "-e ");
    for qualifier in qualify::QUALIFIERS {
        values(qualifier.long[0], &format!("--{}=", qualifier.long[0]));
    }
    for id in ["successful", "failed", "no_follow", "no_data"] {
        if let Some(at) = matches.index_of(id).filter(|_| written(matches, id)) {
            let flag = match id {
                "successful" => "-z",
                "failed" => "-Z",
                "no_follow" => "--no-follow",
                _ => "--no-data",
            };
            found.push((at, flag.to_owned()));
        }
    }
    found.sort();
    found.into_iter().map(|(_, filter)| filter).collect()
}

/// A place for data: a file, or `|COMMAND`.
fn target(option: &str, place: &OsStr) -> Result<Target, Refusal> {
    match place.as_bytes() {
        [] => Err(Refusal::new(format!(
            "{option} needs the name of a file, or '|COMMAND'"
        ))),
        b"-" => Err(Refusal::final_word(format!(
            "{option}=-: standard output is the program's; {option}=./- is a file, and {option}='|cat' goes there all the same"
        ))),
        [b'|' | b'!', command @ ..] if command.trim_ascii().is_empty() => {
            Err(Refusal::new(format!("{option}='|COMMAND' needs a command")))
        }
        [b'|' | b'!', command @ ..] => Ok(Target::Command(OsStr::from_bytes(command).into())),
        _ => Ok(Target::File(place.into())),
    }
}

fn quiet(level: u8) -> Set<Message> {
    match level {
        0 => Set::none(),
        1 => Set::of(vec![Message::Attach, Message::Personality]),
        2 => Set::of(vec![Message::Attach, Message::Personality, Message::Exit]),
        _ => Set::all(),
    }
}

fn resolve_destination(
    output: Option<OsString>,
    append: bool,
    per_process: bool,
) -> Result<Destination, Refusal> {
    let Some(output) = output else {
        return Ok(Destination::StandardError);
    };
    match output.as_bytes() {
        [] => Err(Refusal::new("-o needs the name of a file, or '|COMMAND'")),
        b"-" => Err(Refusal::final_word(
            "-o -: standard output is the program's; without -o the trace goes to standard error, -o ./- is a file",
        )),
        [b'|' | b'!', command @ ..] => {
            if command.trim_ascii().is_empty() {
                return Err(Refusal::new("-o '|COMMAND' needs a command"));
            }
            if per_process {
                return Err(Refusal::new(
                    "-ff writes a file for each process and cannot be had with -o '|COMMAND'",
                ));
            }
            Ok(Destination::Command(OsStr::from_bytes(command).into()))
        }
        _ => Ok(Destination::File {
            path: output.into(),
            append,
            per_process,
        }),
    }
}

fn split_variable(variable: &OsStr) -> (OsString, Option<OsString>) {
    let bytes = variable.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (
            OsString::from_vec(bytes[..at].into()),
            Some(OsString::from_vec(bytes[at + 1..].into())),
        ),
        None => (variable.into(), None),
    }
}
