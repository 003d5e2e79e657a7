//! One run: the tracer on this thread, story and output on another, a bounded queue between them.

use std::io::{self, IsTerminal, Write};
use std::mem;

use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cli::{self, Options};
use crate::demo::{self, Servers};
use crate::destination::Place;
use crate::output::Output;
use crate::story::{self, Story, What};
use crate::syscall::{Limits, Selection};
use crate::tracer::alarm::block_signals;
use crate::tracer::event::{Event, Notice, Status};
use crate::tracer::outbox::{Inbox, queue};
use crate::tracer::{Clock, Config, Engine, Finished, LaunchError, Mechanism, Program, start};
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
    fn own(message: impl Into<String>) -> Self {
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
    let place = Place::open(&options.destination).map_err(Failure::own)?;
    let keep_step = place
        .descriptor()
        .is_some_and(|descriptor| descriptor.is_terminal());
    let explain = servers.is_some();
    let program = Program {
        argv: options.command.clone(),
        environment: options.environment.clone(),
        user: options.user.clone(),
    };
    let config = config(&options);
    let trace = start(&program, &config, mask)?;
    let debug_engine = options.debug_engine;
    if debug_engine {
        complain(&format!("engine: {}", trace.mechanism()));
    }
    if let Some(servers) = servers {
        servers
            .serve()
            .map_err(|error| lost("cannot start the demo's servers", error))?;
    }
    let (outbox, inbox) = queue(keep_step, trace.alarm.clone());
    let (clock, began) = (trace.clock(), trace.began);
    let told = story_options(&options);
    let inbox = inbox.needing({
        let told = told.clone();
        move |event| told.need_arguments(event)
    });
    let name = place_name(&options.destination);
    let narrator = thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let story = Story::new(told);
            let output = showing::output(&options, place, began, explain);
            narrate(inbox, story, output, clock)
        })
        .map_err(|error| lost("cannot start a thread", error))?;
    let (mut narrator, mut farewell) = (Some((narrator, name)), None);
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
            let written = narrator.map_or(Ok(()), |(narrator, name)| join(narrator, &name));
            report.into_iter().for_each(|report| report.send(status));
            written
        }));
    });
    let written = match (narrator, farewell) {
        (Some((narrator, name)), _) => join(narrator, &name),
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
        _ => Ok(status),
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
        named: named(options),
        refuse_io_uring: options.no_io_uring,
        limits: Limits {
            data: showing::bytes_wanted(options),
            ..Limits::default()
        },
        debug: options.debug_engine,
    }
}

/// The calls asked for by name; `!x` asks for none, it only leaves x out.
fn named(options: &Options) -> Selection {
    options
        .trace
        .clone()
        .filter(|selection| !selection.is_negated())
        .unwrap_or_default()
}

fn story_options(options: &Options) -> story::Options {
    story::Options {
        verbose: options.verbose,
        shown: options.trace.clone(),
        named: named(options),
        follow: options.follow,
        shows_folded: !options.statuses.contains(&cli::Status::Successful),
    }
}

/// Story and output, until the tracer has ended or the output fails.
fn narrate(
    mut inbox: Inbox,
    mut story: Story,
    mut output: Box<dyn Output>,
    clock: Clock,
) -> io::Result<()> {
    let mut waits_since = 0;
    let mut said = Vec::new();
    let mut in_a_row = 0;
    loop {
        let mut event = inbox.next_now();
        in_a_row = match event {
            Some(_) => (in_a_row + 1) % UNTIMED,
            None => 0,
        };
        if event.is_none() {
            event = inbox.next_gathered();
        }
        if event.is_none() {
            output.flush()?;
            match inbox.next(TICK) {
                Ok(came) => event = came,
                Err(_closed) => break,
            }
        }
        if in_a_row == 0 {
            let now = clock.now();
            if now >= waits_since + TICK.as_nanos() as u64 {
                waits_since = now;
                for told in story.tick(now) {
                    output.show(&told)?;
                }
                output.flush()?;
            }
        }
        if let Some(Event::Notice(Notice::Engine(text))) = &event {
            complain(&format!("engine: {text}"));
            inbox.done();
        } else if let Some(event) = event {
            story.tell_into(event, &mut said);
            for told in &mut said {
                output.show(told)?;
                if let What::Call(event) = mem::replace(&mut told.what, What::Connected) {
                    inbox.reuse(event);
                }
            }
            said.clear();
            if inbox.in_step() {
                output.flush()?;
            }
            inbox.done();
        }
    }
    for told in story.end(clock.now()) {
        output.show(&told)?;
    }
    output.finish()
}

/// Waits for the output to end, and says what became of it.
fn join(narrator: JoinHandle<io::Result<()>>, name: &str) -> Result<(), Failure> {
    match narrator.join() {
        Ok(Ok(())) => Ok(()),
        // Whoever read the trace has seen enough.
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Ok(Err(error)) => Err(Failure::own(format!(
            "the trace in {name} is not complete: {error}"
        ))),
        // The panic has said its own line.
        Err(_panic) => Err(Failure::own(
            "the trace ended early by a bug of ours; the program was not touched by it",
        )),
    }
}

fn place_name(destination: &cli::Destination) -> String {
    match destination {
        cli::Destination::StandardError => "standard error".to_owned(),
        cli::Destination::File { path, .. } => path.display().to_string(),
        cli::Destination::Command(command) => command.display().to_string(),
    }
}

/// A line of ours on standard error; where that is closed, nobody can be told.
fn complain(message: &str) {
    let _closed = writeln!(io::stderr(), "sockstrace: {message}");
}
