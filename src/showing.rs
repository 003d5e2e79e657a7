//! What the command line wishes to see, as outputs.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::{self, Message, Options, Set, SortBy, Stamp, Status, Strings};
use crate::destination::{self, Place};
use crate::output::per_process::PerProcess;
use crate::output::several::Several;
use crate::output::summary::{Sort, Summary};
use crate::output::text::{Ends, Quiet, Settings, Text};
use crate::output::time::{Clock, Wall};
use crate::output::{Descriptors, Hex, Output};
use crate::terminal::Abilities;

/// The most bytes that are copied for a dump of a call's data.
const DUMPED: usize = 1 << 20;

/// How many bytes of each call's data the tracer is to copy.
pub fn bytes_wanted(options: &Options) -> usize {
    let dumps = !options.dump_read.is_empty() || !options.dump_write.is_empty();
    if dumps {
        options.string_limit.max(DUMPED)
    } else {
        options.string_limit
    }
}

/// Makes the outputs of a run that began at `began` and is to be written to `place`. With `explain`, a sentence follows each stage.
pub fn output(
    options: &Options,
    place: Place,
    began: SystemTime,
    explain: bool,
) -> Box<dyn Output> {
    let settings = settings(options, &place, began, explain);
    if let cli::Destination::File {
        path,
        append,
        per_process: true,
    } = &options.destination
    {
        let (path, append) = (path.clone(), *append);
        return Box::new(PerProcess::new(move |pid, again| {
            let path = destination::per_process(&path, pid);
            let file = destination::file(&path, append || again).map_err(io::Error::other)?;
            Ok(Box::new(Text::new(file, settings.clone())))
        }));
    }
    let place = Shared(Rc::new(RefCell::new(place)));
    let mut outputs: Vec<Box<dyn Output>> = Vec::new();
    if options.summary != cli::Summary::Only {
        outputs.push(Box::new(Text::new(place.clone(), settings)));
    }
    if options.summary != cli::Summary::None {
        outputs.push(Box::new(Summary::new(place, sort(options.summary_sort))));
    }
    Box::new(Several(outputs))
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
        ends: Ends {
            successful: options.statuses.contains(&Status::Successful),
            failed: options.statuses.contains(&Status::Failed),
            unfinished: options.statuses.contains(&Status::Unfinished),
        },
        quiet: quiet(&options.quiet),
        signals: options.signals.as_ref().map(|set| {
            // All that there are (signal(7)).
            (1..=64).filter(|signal| set.contains(signal)).collect()
        }),
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

/// One place for several outputs.
#[derive(Clone)]
struct Shared(Rc<RefCell<Place>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}
