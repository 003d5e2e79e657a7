//! What the command line wishes to see, as outputs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::{self, Message, Options, Set, SortBy, Stamp, Status, Strings};
use crate::destination::{self, FileIdentity, NameFacts, Place, Sink};
use crate::output::findings::{Findings, Level};
use crate::output::json::{self, JsonLines, Rolls};
use crate::output::overview::Overview;
use crate::output::per_process::PerProcess;
use crate::output::several::Several;
use crate::output::summary::{Sort, Summary};
use crate::output::text::{Ends, Quiet, Settings, Text};
use crate::output::time::{Clock, Wall};
use crate::output::{Descriptors, Hex};
use crate::protocol::LOOKED_AT;
use crate::record::{self, HeaderLine};
use crate::report::Holds;
use crate::story::{self, Hearing};
use crate::syscall::{Limits, Selection};
use crate::terminal::Abilities;

/// The most bytes that are copied for a dump of a call's data.
const DUMPED: usize = 1 << 20;

/// How much of each call is to be told: the most that an output shows, or as much as tells what is said.
pub fn limits(options: &Options) -> Limits {
    let json = json_limits(options);
    let shown = text_data(options).max(json.map_or(0, |json| json.data));
    Limits {
        data: match options.no_data {
            true => 0,
            false => shown.max(LOOKED_AT),
        },
        buffers: json.map_or(Limits::default().buffers, |json| json.buffers),
        ..Limits::default()
    }
}

/// How many bytes of a call's data the text shows at most.
fn text_data(options: &Options) -> usize {
    let dumps = !options.dump_read.is_empty() || !options.dump_write.is_empty();
    match (options.no_data, dumps) {
        (true, _) => 0,
        (false, true) => options.string_limit.max(DUMPED),
        (false, false) => options.string_limit,
    }
}

/// How much of each call the trace as data holds.
pub fn json_limits(options: &Options) -> Option<Limits> {
    options.json.as_ref()?;
    Some(Limits {
        data: match (options.no_data, options.full_data) {
            (true, _) => 0,
            (false, true) => record::DATA,
            (false, false) => options.string_limit,
        },
        buffers: match options.full_data {
            true => record::LIMITS.buffers,
            false => Limits::default().buffers,
        },
        ..Limits::default()
    })
}

/// Where the outputs of a run write.
pub struct Places {
    /// The text's place.
    pub text: Place,
    /// That of the trace as data, where it has one of its own.
    pub json: Option<Sink>,
    /// What is being read.
    pub inputs: Vec<FileIdentity>,
}

/// What the outputs have to know of a run.
#[derive(Clone)]
pub struct Run {
    /// The first line of the trace as data.
    pub header: HeaderLine<'static>,
    /// When it began.
    pub began: SystemTime,
}

/// The outputs of a run.
pub struct Shown {
    /// All of them.
    pub outputs: Several,
    /// The sink of the trace as data, which is to be finished behind them.
    pub json: Option<Shared<Sink>>,
}

/// Makes the outputs of a run.
pub fn outputs(options: &Options, places: Places, run: Run) -> Shown {
    let Places { text, json, inputs } = places;
    let json = json.map(Shared::new);
    let mut outputs = Several::default();
    if options.text {
        show_text(options, text, inputs, &run, &mut outputs);
    } else if options.json != Some(cli::Json::TextPlace) {
        let settings = settings(options, &text, run.began, false);
        let name = destination::name(&options.destination);
        let sums_up = sums_up(options, &text);
        add_end(
            options,
            &Shared::new(text),
            settings,
            (sums_up, false),
            &name,
            &mut outputs,
        );
    } else if options.json == Some(cli::Json::TextPlace) {
        let name = destination::name(&options.destination);
        outputs.add(name, JsonLines::new(text, json_settings(options, &run)));
    }
    if let Some(sink) = &json {
        let name = sink.0.borrow().name().to_owned();
        outputs.add(
            name,
            JsonLines::new(sink.clone(), json_settings(options, &run)),
        );
    }
    Shown { outputs, json }
}

fn show_text(
    options: &Options,
    place: Place,
    inputs: Vec<FileIdentity>,
    run: &Run,
    outputs: &mut Several,
) {
    let settings = settings(options, &place, run.began, run.header.explains);
    let name = destination::name(&options.destination);
    if let cli::Destination::File {
        path,
        append,
        per_process: true,
    } = &options.destination
    {
        let (path, append) = (path.clone(), *append);
        let each = PerProcess::new(move |pid, again| {
            let path = destination::per_process(&path, pid);
            let file =
                destination::file(&path, append || again, &inputs).map_err(io::Error::other)?;
            Ok(Box::new(Text::new(file, settings.clone())))
        });
        outputs.add(name, each);
        return;
    }
    let sums_up = sums_up(options, &place);
    let place = Shared::new(place);
    if options.summary != cli::Summary::Only && options.overview != cli::Overview::Only {
        outputs.add(name.clone(), Text::new(place.clone(), settings.clone()));
    }
    let lines = options.overview != cli::Overview::Only;
    if options.summary != cli::Summary::Only {
        add_end(options, &place, settings, (sums_up, lines), &name, outputs);
    }
    if options.summary != cli::Summary::None {
        outputs.add(name, Summary::new(place, sort(options.summary_sort)));
    }
}

/// Adds what stands at the end of the text, and findings among its lines if there are `lines`.
fn add_end(
    options: &Options,
    place: &Shared<Place>,
    settings: Settings,
    (sums_up, lines): (bool, bool),
    name: &str,
    outputs: &mut Several,
) {
    let level = match options.findings {
        None => Some(Level::Usual),
        Some(cli::Findings::Error) => Some(Level::Errors),
        Some(cli::Findings::All) => Some(Level::All),
        Some(cli::Findings::None) => None,
    };
    // Of a choice of calls the rest of the story is not known, and whoever wants no messages wants none of these.
    let whole = ends(options) == Ends::default() && !is_quiet(options);
    let findings = level
        .filter(|_| whole)
        .map(|level| Findings::new(place.clone(), &settings, level, lines));
    if sums_up {
        outputs.add(name, Overview::new(place.clone(), settings));
    }
    if let Some(findings) = findings {
        outputs.add(name, findings);
    }
}

/// Whether the end sums up what was talked about: on a terminal where nothing that it would sum up is left out.
fn sums_up(options: &Options, place: &Place) -> bool {
    match options.overview {
        cli::Overview::Never => false,
        cli::Overview::Always | cli::Overview::Only => true,
        cli::Overview::Auto => {
            options.trace.is_none()
                && options.summary == cli::Summary::None
                && ends(options) == Ends::default()
                && place.descriptor().is_some_and(|it| it.is_terminal())
        }
    }
}

fn json_settings(options: &Options, run: &Run) -> json::Settings {
    json::Settings {
        header: HeaderLine {
            content: "trace".into(),
            ..run.header.clone()
        },
        data: json_limits(options).map_or(0, |limits| limits.data),
        ends: ends(options),
        signals: signals(options),
        types: options.json_types.clone(),
        findings: options.findings != Some(cli::Findings::None),
    }
}

/// The calls asked for by name; `!x` asks for none, it only leaves x out.
pub fn named(options: &Options) -> Selection {
    options
        .trace
        .clone()
        .filter(|selection| !selection.is_negated())
        .unwrap_or_default()
}

/// What the story tells; `explains` where its steps are explained.
pub fn story(options: &Options, explains: bool) -> story::Options {
    story::Options {
        verbose: options.verbose,
        shown: options.trace.clone(),
        named: named(options),
        follow: options.follow,
        shows_folded: !options.statuses.contains(&Status::Successful),
        hearing: Hearing {
            looks_at: limits(options).data,
            shows_secrets: options.show_secrets,
            ..Hearing::default()
        },
        every_step: explains,
        every_function: options.library == cli::Library::Calls,
    }
}

/// What stands for `%h`, `%p` and `%t` in the names of files.
pub fn name_facts(run: &Run) -> NameFacts {
    NameFacts {
        host: run.header.host.clone().unwrap_or_default(),
        pid: run.header.pid.unwrap_or_default(),
        time: run.began,
    }
}

/// Opens the place of the trace as data, where it has one of its own.
///
/// # Errors
/// One line that says what could not be opened, and why.
pub fn json_sink(
    options: &Options,
    facts: &NameFacts,
    inputs: &[FileIdentity],
) -> Result<Option<Sink>, String> {
    match &options.json {
        Some(cli::Json::Target(target)) => {
            Sink::open(target, facts, None, options.rotate, inputs).map(Some)
        }
        _ => Ok(None),
    }
}

/// How much of what was sent and received the trace as data holds, for its owner to know.
pub fn holds(options: &Options) -> Holds {
    match json_limits(options).map_or(0, |limits| limits.data) {
        0 => Holds::Sizes,
        record::DATA.. => Holds::Everything,
        some => Holds::First(some),
    }
}

fn ends(options: &Options) -> Ends {
    Ends {
        successful: options.statuses.contains(&Status::Successful),
        failed: options.statuses.contains(&Status::Failed),
        unfinished: options.statuses.contains(&Status::Unfinished),
    }
}

/// The signals asked for, of all that there are (signal(7)).
fn signals(options: &Options) -> Option<BTreeSet<i32>> {
    let set = options.signals.as_ref()?;
    Some((1..=64).filter(|signal| set.contains(signal)).collect())
}

fn settings(options: &Options, place: &Place, began: SystemTime, explain: bool) -> Settings {
    let abilities = Abilities::of(place.descriptor(), options.color);
    let wall = began.duration_since(UNIX_EPOCH).unwrap_or_default();
    Settings {
        colour: abilities.colours,
        unicode: abilities.unicode,
        width: abilities.width,
        clock: match options.stamp {
            Stamp::Elapsed => Clock::SinceStart,
            Stamp::TimeOfDay(precision) => Clock::Day(precision.digits() as u8),
            Stamp::Unix(precision) => Clock::Epoch(precision.digits() as u8),
        },
        relative: options.relative.map(|precision| precision.digits() as u8),
        durations: options.call_times.map(|precision| precision.digits() as u8),
        wall_start: Wall {
            seconds: wall.as_secs() as i64,
            nanos: wall.subsec_nanos(),
        },
        hex: match options.strings {
            Strings::Octal => Hex::No,
            Strings::HexEscapes => Hex::Characters,
            Strings::NonAsciiInHex => Hex::Strings,
            Strings::Hex => Hex::All,
        },
        dump_read: descriptors(&options.dump_read),
        dump_write: descriptors(&options.dump_write),
        verbose: options.verbose,
        data: options.string_limit,
        keep_data: options.keep_data,
        raw: options.raw.clone().unwrap_or_default(),
        always_who: options.always_show_pid,
        ends: ends(options),
        quiet: quiet(&options.quiet),
        signals: signals(options),
        kernel: options.kernel == cli::Kernel::Calls,
        explain,
        says_nothing: shows_all(options),
        zone: None,
    }
}

/// Whether everything is shown, so that no line means no call.
fn shows_all(options: &Options) -> bool {
    let statuses = [Status::Successful, Status::Failed, Status::Unfinished];
    let separate =
        matches!(&options.destination, cli::Destination::File { per_process, .. } if *per_process);
    options.trace.is_none()
        && options.signals.is_none()
        && options.follow
        && !separate
        && quiet(&options.quiet) == Quiet::default()
        && statuses
            .iter()
            .all(|status| options.statuses.contains(status))
}

/// Whether all messages are to be left out (`-qqq`).
pub fn is_quiet(options: &Options) -> bool {
    quiet(&options.quiet).notices
}

/// The messages to leave out; of notices only when all else is left out too (`-qqq`).
fn quiet(set: &Set<Message>) -> Quiet {
    let all = [
        Message::Attach,
        Message::Exit,
        Message::PathResolution,
        Message::Personality,
        Message::ThreadExecve,
    ];
    Quiet {
        beginnings: set.contains(&Message::Attach),
        endings: set.contains(&Message::Exit),
        thread_execve: set.contains(&Message::ThreadExecve),
        notices: all.iter().all(|message| set.contains(message)),
    }
}

fn sort(by: SortBy) -> Sort {
    match by {
        SortBy::Time => Sort::Time,
        SortBy::MinTime => Sort::Min,
        SortBy::MaxTime => Sort::Max,
        SortBy::AvgTime => Sort::Average,
        SortBy::Calls => Sort::Calls,
        SortBy::Errors => Sort::Errors,
        SortBy::Bytes => Sort::Bytes,
        SortBy::Name => Sort::Name,
    }
}

fn descriptors(set: &Set<i32>) -> Descriptors {
    match set.parts() {
        ([], false) => Descriptors::None,
        ([], true) => Descriptors::All,
        (named, false) => Descriptors::Only(named.iter().copied().collect()),
        (named, true) => Descriptors::AllBut(named.iter().copied().collect()),
    }
}

/// One place for several outputs, or for one and whoever ends it.
pub struct Shared<P>(Rc<RefCell<P>>);

impl<P> Shared<P> {
    fn new(place: P) -> Self {
        Self(Rc::new(RefCell::new(place)))
    }

    /// The place, once nobody else has it.
    pub fn into_inner(self) -> Option<P> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl<P> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P: Write> Write for Shared<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

impl Rolls for Shared<Sink> {
    fn roll(&mut self) -> io::Result<bool> {
        self.0.borrow_mut().rotate_if_due()
    }
}

impl Rolls for Place {
    fn roll(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}
