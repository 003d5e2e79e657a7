//! One run: the tracer on this thread, story and output on another, a bounded queue between them.

use std::io::{self, IsTerminal, Write};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use crate::cli::{self, Options};
use crate::demo::{self, Servers};
use crate::destination::Place;
use crate::narrator::Narrator;
use crate::origin;
use crate::record::{self, HeaderLine};
use crate::recording::Recording;
use crate::report::{Holds, Written};
use crate::showing::{Places, Run};
use crate::story::{self, Story};
use crate::tracer::alarm::block_signals;
use crate::tracer::calling::Telling;
use crate::tracer::event::{Event, Nanos, Notice, Status};
use crate::tracer::outbox::{Inbox, queue};
use crate::tracer::{
    Asking, Clock, Config, Engine, Finished, LaunchError, Mechanism, Probed, Program, Trace, start,
};
use crate::{front, showing};

/// How often the story is asked what is still waited for.
const TICK: Duration = Duration::from_millis(100);

/// How many events that wait already are told before the clock is looked at again.
const UNTIMED: u32 = 64;

/// Why a run failed, by no fault of the program's.
#[derive(Debug)]
pub struct Failure {
    /// One line: what failed, on what, and what to do next.
    pub message: String,
    /// The exit status that says so: 125 to 127, as env(1) has them.
    pub status: i32,
}

impl Failure {
    /// A failure of our own.
    pub fn own(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: cli::FAILURE.into(),
        }
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        Self {
            message: error.to_string(),
            status: error.exit_status(),
        }
    }
}

/// Traces the program that the options name.
///
/// # Errors
/// What kept it from running, or its trace from being written while it succeeded.
pub fn run(options: Options) -> Result<Status, Failure> {
    trace(options, None)
}

/// Traces the demo's client against the demo's own servers, and says what to try next.
///
/// # Errors
/// As [`run`].
pub fn demo(mut options: Options) -> Result<Status, Failure> {
    let servers = Servers::bind()
        .map_err(|error| Failure::own(format!("the demo needs a socket on 127.0.0.1: {error}")))?;
    options.command = servers.client_command();
    let status = trace(options, Some(servers))?;
    let own_name = std::env::args()
        .next()
        .unwrap_or_else(|| "sockstrace".to_owned());
    let _closed = io::stderr().write_all(demo::farewell(&own_name, is_installed).as_bytes());
    Ok(status)
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn trace(options: Options, servers: Option<Servers>) -> Result<Status, Failure> {
    for warning in &options.warnings {
        complain(warning);
    }
    let lost = |what: &str, error: io::Error| Failure::own(format!("{what}: {error}"));
    let mut report = match options.wait {
        true => None,
        false => Some(
            front::split().map_err(|error| lost("cannot start a process for --no-wait", error))?,
        ),
    };
    let mask = block_signals();
    let text = Place::open(&options.destination, &[]).map_err(Failure::own)?;
    let keep_step = (options.text || options.json == Some(cli::Json::TextPlace))
        && text
            .descriptor()
            .is_some_and(|descriptor| descriptor.is_terminal());
    let explains = servers.is_some();
    let program = Program {
        argv: options.command.clone(),
        environment: options.environment.clone(),
        user: options.user.clone(),
    };
    let config = config(&options);
    let trace = start(&program, &config, mask)?;
    let debug_engine = options.debug_engine;
    let quiet = showing::is_quiet(&options);
    if debug_engine {
        complain(&format!("engine: {}", trace.mechanism()));
    }
    if let Some(servers) = servers {
        servers
            .serve()
            .map_err(|error| lost("cannot start the demo's servers", error))?;
    }
    let run = Run {
        header: header(&options, &trace, explains),
        began: trace.began,
    };
    let facts = showing::name_facts(&run);
    let json = showing::json_sink(&options, &facts, &[]).map_err(Failure::own)?;
    let recording = Recording::start(&options, &facts, &run.header).map_err(Failure::own)?;
    let (outbox, inbox) = queue(keep_step, trace.alarm.clone());
    let (clock, story) = (trace.clock(), showing::story(&options, explains));
    let inbox = inbox
        .telling(telling(&options, story.clone()))
        .tapped(recording.tap());
    let narrator = thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let shown = showing::outputs(
                &options,
                Places {
                    text,
                    json,
                    inputs: Vec::new(),
                },
                run,
            );
            let narrator = Narrator::new(Story::new(story), shown.outputs);
            let (failures, end) = narrate(inbox, narrator, &recording, clock);
            let mut written = Written::new(failures);
            written.finish_shared(shown.json, showing::holds(&options));
            let holds = match options.no_data {
                true => Holds::Sizes,
                false => Holds::Everything,
            };
            recording.end(end, &mut written, holds);
            written
        })
        .map_err(|error| lost("cannot start a thread", error))?;
    let (mut narrator, mut farewell) = (Some(narrator), None);
    let Finished {
        status,
        stops,
        calls,
        filters,
        recorded,
    } = Engine::new(trace, config, outbox).run(|status| {
        // On a thread of its own: the program's children are not to wait for the trace's reader.
        let (narrator, report) = (narrator.take(), report.take());
        farewell = Some(thread::spawn(move || {
            let written = narrator.map_or(Ok(()), |narrator| join(narrator, quiet));
            report.into_iter().for_each(|report| report.send(status));
            written
        }));
    });
    let written = match (narrator, farewell) {
        (Some(narrator), _) => join(narrator, quiet),
        (None, farewell) => farewell
            .and_then(|farewell| farewell.join().ok())
            .unwrap_or(Ok(())),
    };
    if debug_engine {
        let filters = match filters {
            1 => "1 filter".to_owned(),
            _ => format!("{filters} filters"),
        };
        let recorded = match recorded {
            0 => String::new(),
            _ => format!(" ({recorded} recorded)"),
        };
        complain(&format!(
            "engine: {stops} stops for {calls} calls told{recorded}, {filters} added"
        ));
    }
    match written {
        Err(failure) if status == Status::Exited(0) => Err(failure),
        Err(failure) => {
            complain(&failure.message);
            Ok(status)
        }
        Ok(()) => Ok(status),
    }
}

/// What the tracer needs to know.
fn config(options: &Options) -> Config {
    Config {
        mechanism: match options.engine {
            cli::Engine::Auto => Mechanism::Auto,
            cli::Engine::Stop => Mechanism::Stop,
            cli::Engine::Record => Mechanism::Record,
            cli::Engine::Number => Mechanism::Number,
            cli::Engine::Syscall => Mechanism::Syscall,
        },
        follow: options.follow,
        stay_for_children: options.wait,
        all_descriptors: options.all_descriptors,
        named: showing::named(options),
        refuse_io_uring: options.no_io_uring,
        limits: match (&options.record, options.no_data) {
            (Some(_), false) => record::LIMITS,
            _ => showing::limits(options),
        },
        kernel: match options.kernel {
            cli::Kernel::Ends => Asking::Ends,
            cli::Kernel::Calls => Asking::Calls,
            cli::Kernel::Never => Asking::Never,
        },
        probed: Probed {
            resolver: options.library != cli::Library::Never,
            tls: options.library != cli::Library::Never && !options.no_tls,
            sockets: options.library == cli::Library::Calls,
        },
        debug: options.debug_engine,
    }
}

/// How calls are told, for those outputs.
pub(crate) fn telling(options: &Options, story: story::Options) -> Telling {
    let captures = showing::json_limits(options);
    let shows = options.text || options.json.is_some();
    Telling {
        needed: match (shows, captures) {
            (false, _) => Box::new(|_| false),
            (true, Some(_)) => Box::new(|_| true),
            (true, None) => Box::new(move |event| story.need_arguments(event)),
        },
        limits: showing::limits(options),
        captures,
    }
}

/// What the trace is of.
fn header(options: &Options, trace: &Trace, explains: bool) -> HeaderLine<'static> {
    let wall = trace.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let command = options.command.iter();
    HeaderLine {
        version: record::VERSION,
        content: "record".into(),
        sockstrace: env!("CARGO_PKG_VERSION").into(),
        run: origin::run_id().into(),
        unix_seconds: wall.as_secs() as i64,
        unix_nanos: wall.subsec_nanos(),
        command: command.map(|word| word.to_string_lossy().into()).collect(),
        pid: Some(trace.pid),
        host: origin::host(),
        boot_id: origin::boot_id(),
        container: origin::container(),
        labels: options.labels.clone(),
        filters: options.filters.clone(),
        explains,
        part: None,
    }
}

/// Story and output, until the tracer has ended or nobody listens any more. Gives the outputs that are not complete, and when it ended.
fn narrate(
    mut inbox: Inbox,
    mut narrator: Narrator,
    recording: &Recording,
    clock: Clock,
) -> (Vec<(String, io::Error)>, Nanos) {
    let mut waits_since = 0;
    let mut in_a_row = 0;
    while narrator.is_heard() || recording.goes_on() {
        let mut event = inbox.next_now();
        in_a_row = match event {
            Some(_) => (in_a_row + 1) % UNTIMED,
            None => 0,
        };
        if event.is_none() {
            event = inbox.next_gathered();
        }
        if event.is_none() {
            narrator.flush();
            recording.flush();
            match inbox.next(TICK) {
                Ok(came) => event = came,
                Err(_closed) => break,
            }
        }
        if in_a_row == 0 {
            let now = clock.now();
            if now >= waits_since + TICK.as_nanos() as u64 {
                waits_since = now;
                recording.tick(now);
                narrator.tick(now);
                narrator.flush();
                recording.flush();
            }
        }
        if let Some(Event::Notice(Notice::Engine(text))) = &event {
            complain(&format!("engine: {text}"));
            inbox.done();
        } else if let Some(event) = event {
            let spare = if narrator.is_heard() {
                narrator.event(event)
            } else if let Event::Call(event) = event {
                Some(event)
            } else {
                None
            };
            spare.into_iter().for_each(|spare| inbox.reuse(spare));
            if inbox.in_step() {
                narrator.flush();
            }
            inbox.done();
        }
    }
    // Whoever waits for us need not wait for what is still to be written.
    drop(inbox);
    let now = clock.now();
    (narrator.end(now), now)
}

/// Waits for the output to end, and says what became of it.
fn join(narrator: JoinHandle<Written>, quiet: bool) -> Result<(), Failure> {
    match narrator.join() {
        Ok(written) => written.report(quiet),
        // The panic has said its own line.
        Err(_panic) => Err(Failure::own(
            "the trace ended early by a bug of ours; the program was not touched by it",
        )),
    }
}

/// A line of ours on standard error; where that is closed, nobody can be told.
pub(crate) fn complain(message: &str) {
    let _closed = writeln!(io::stderr(), "sockstrace: {message}");
}
