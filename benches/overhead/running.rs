//! Runs a workload untraced, under strace and under sockstrace in turns.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::measure::{self, Measured};
use crate::results::Row;
use crate::way::Way;
use crate::workloads::{Count, Quantity, Run, Trace, Word, Workload};
use crate::{Arguments, build, nginx, redis, web};

/// What is the same for all workloads.
#[derive(Debug)]
pub struct Setup {
    /// Whether only to see that it works.
    pub short: bool,
    /// How many rounds count.
    pub rounds: u32,
    /// The sockstrace that is measured.
    pub sockstrace: PathBuf,
    /// What its `--engine` is told.
    pub engine: Option<String>,
    /// strace, where it is installed.
    pub strace: Option<PathBuf>,
    /// Where traces go.
    directory: TempDir,
    /// The port of our web server, once it runs.
    port: OnceCell<u16>,
}

impl Setup {
    /// Looks around.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        measure::end_together();
        // Commands run elsewhere, so a path from here would lead nowhere.
        let sockstrace = arguments
            .sockstrace
            .canonicalize()
            .map_err(|error| format!("{}: {error}", arguments.sockstrace.display()))?;
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .map_err(|error| format!("a temporary directory: {error}"))?;
        Ok(Self {
            short: arguments.short,
            rounds: if arguments.short { 1 } else { arguments.rounds },
            sockstrace,
            engine: arguments.engine.clone(),
            strace: installed("strace"),
            directory,
            port: OnceCell::new(),
        })
    }

    /// What a reader of the table should know: a line for each program that is missing and leaves a gap in it.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let short = "--short: sizes are tiny, and these times say nothing".to_owned();
        let missing = [
            ("cc", "the workloads in C are left out"),
            ("strace", "its column is left out"),
            ("redis-server", "its rows are left out"),
            ("redis-benchmark", "the rows of redis-server are left out"),
            ("nginx", "its row is left out"),
            ("wrk", "the row of nginx is left out"),
            ("curl", "its row is left out"),
            ("jq", "the row of a replay is left out"),
            ("bash", "the row of a script after a socket is left out"),
        ]
        .into_iter()
        .filter(|(program, _)| installed(program).is_none())
        .map(|(program, so)| format!("{program} is not installed: {so}"));
        self.short.then_some(short).into_iter().chain(missing)
    }

    /// Runs a workload in turns; no rows where a program that it needs is missing.
    pub fn run(&self, workload: &'static Workload) -> Result<Vec<Row>, String> {
        let Some(ready) = self.prepare(&workload.run)? else {
            return Ok(Vec::new());
        };
        let ways: Vec<Way> = Way::ALL
            .into_iter()
            .filter(|way| *way != Way::Strace || self.strace.is_some())
            .filter(|way| *way != Way::Strace || !matches!(workload.run, Run::Replay(_)))
            .filter(|way| *way == Way::Sockstrace || !workload.is_tracers())
            .filter(|way| *way != Way::Stop || workload.is_held_against(*way))
            .collect();
        let mut rows: Vec<Row> = workload
            .measures
            .iter()
            .map(|measure| Row::new(workload, measure))
            .collect();
        // What the tracer needs for itself varies little, and its workload is long.
        let (warm_up, rounds) = match self.short || workload.is_tracers() {
            true => (0, 1),
            false => (1, self.rounds),
        };
        for round in 0..warm_up + rounds {
            for way in &ways {
                let failed = |message| format!("{way}: {message}");
                let sample = self.sample(workload, &ready, *way).map_err(failed)?;
                for (row, number) in rows.iter_mut().zip(sample) {
                    if round >= warm_up {
                        row.add(*way, number);
                    }
                }
            }
        }
        Ok(rows)
    }

    /// What comes of a workload in one round: a number for each of its measures.
    fn sample(&self, workload: &Workload, ready: &Ready, way: Way) -> Result<Vec<f64>, String> {
        let mut sums = vec![0.0; workload.measures.len()];
        let repeat = self.amount(workload.repeat);
        for _ in 0..repeat {
            let outcome = self.run_once(workload, ready, way)?;
            for (sum, measure) in sums.iter_mut().zip(workload.measures) {
                *sum += outcome
                    .number(measure.quantity)
                    .ok_or("the program does not report what it did")?;
            }
        }
        Ok(sums.iter().map(|sum| sum / f64::from(repeat)).collect())
    }

    fn run_once(&self, workload: &Workload, ready: &Ready, way: Way) -> Result<Outcome, String> {
        match ready {
            Ready::Program(program, arguments) => {
                measure::run(self.command(workload, way, program, arguments)).map(Outcome::Measured)
            }
            Ready::Replay { jq, record, json } => {
                let mut command = match way {
                    Way::Untraced => Command::new(jq),
                    _ => Command::new(&self.sockstrace),
                };
                match way {
                    Way::Untraced => command.arg("-c").arg(".").arg(json),
                    _ => command
                        .arg("--replay")
                        .arg(record)
                        .arg("-o")
                        .arg("replayed"),
                };
                command.current_dir(self.directory.path());
                measure::run(command).map(Outcome::Measured)
            }
            Ready::Redis {
                server,
                client,
                test,
                requests,
            } => {
                let start = |arguments: &[OsString]| self.command(workload, way, server, arguments);
                redis::rate(start, client, test, *requests).map(Outcome::Rate)
            }
            Ready::Nginx {
                server,
                client,
                seconds,
            } => {
                let start = |arguments: &[OsString]| self.command(workload, way, server, arguments);
                nginx::rate(start, client, *seconds).map(Outcome::Rate)
            }
        }
    }

    /// Finds or builds what a workload needs; nothing where a program is missing.
    fn prepare(&self, run: &Run) -> Result<Option<Ready>, String> {
        let (program, words) = match *run {
            Run::Redis(test, requests) => {
                let programs = installed("redis-server").zip(installed("redis-benchmark"));
                return Ok(programs.map(|(server, client)| Ready::Redis {
                    server,
                    client,
                    test,
                    requests: self.amount(requests),
                }));
            }
            Run::Nginx(seconds) => {
                let programs = installed("nginx").zip(installed("wrk"));
                return Ok(programs.map(|(server, client)| Ready::Nginx {
                    server,
                    client,
                    seconds: self.amount(seconds),
                }));
            }
            Run::Replay(connections) => {
                let programs = installed("cc").zip(installed("jq"));
                let Some((cc, jq)) = programs else {
                    return Ok(None);
                };
                let [record, json] =
                    ["record", "json"].map(|name| self.directory.path().join(name));
                let mut traced = Command::new(&self.sockstrace);
                traced
                    .arg(format!("--record={}", record.display()))
                    .arg(format!("--json={}", json.display()))
                    .arg(build::compiled(&cc, "churn")?)
                    .arg(self.amount(connections).to_string())
                    .arg("3");
                measure::run(traced)?;
                return Ok(Some(Ready::Replay { jq, record, json }));
            }
            Run::Installed(name, words) => (installed(name), words),
            Run::Compiled(name, words) => match installed("cc") {
                Some(cc) => (Some(build::compiled(&cc, name)?), words),
                None => (None, words),
            },
        };
        let Some(program) = program else {
            return Ok(None);
        };
        let arguments: Result<_, _> = words.iter().map(|word| self.argument(word)).collect();
        Ok(Some(Ready::Program(program, arguments?)))
    }

    /// The command line that runs a program this way.
    fn command(
        &self,
        workload: &Workload,
        way: Way,
        program: &Path,
        arguments: &[OsString],
    ) -> Command {
        let trace = self.directory.path().join("trace");
        // A trace that is not there yet: none has to be cut off, and none waits to be written to the disk.
        let _none = std::fs::remove_file(&trace);
        let mut command = match (way, &self.strace) {
            (Way::Strace, Some(strace)) => {
                let mut command = Command::new(strace);
                command.args(workload.strace).arg("-o").arg(trace);
                command.arg("--").arg(program);
                command
            }
            (Way::Stop | Way::Sockstrace, _) => {
                let mut command = Command::new(&self.sockstrace);
                let engine = match way {
                    Way::Stop => Some("stop"),
                    _ => self.engine.as_deref(),
                };
                if let Some(engine) = engine {
                    command.args(["--engine", engine]);
                }
                let trace = trace.display();
                command.arg(match workload.trace {
                    Trace::Text => format!("--output={trace}"),
                    Trace::Record => format!("--record={trace}"),
                    Trace::Json => format!("--json={trace}"),
                });
                command.arg("--").arg(program);
                command
            }
            (Way::Untraced | Way::Strace, _) => Command::new(program),
        };
        command.args(arguments).current_dir(self.directory.path());
        command
    }

    fn argument(&self, word: &Word) -> Result<OsString, String> {
        Ok(match word {
            Word::Is(text) => text.into(),
            Word::Count(count) => self.amount(*count).to_string().into(),
            Word::Program(name) => installed(name)
                .ok_or_else(|| format!("{name} is not installed"))?
                .into(),
            Word::Port => self.port()?.to_string().into(),
            Word::Page => format!("http://127.0.0.1:{}/", self.port()?).into(),
        })
    }

    fn port(&self) -> Result<u16, String> {
        if let Some(port) = self.port.get() {
            return Ok(*port);
        }
        let port = web::serve().map_err(|error| format!("a server on 127.0.0.1: {error}"))?;
        Ok(*self.port.get_or_init(|| port))
    }

    fn amount(&self, count: Count) -> u32 {
        if self.short { count.short } else { count.full }
    }
}

/// A workload that can be run.
enum Ready {
    /// A program and its arguments.
    Program(PathBuf, Vec<OsString>),
    /// A trace, recorded and as data, and who reads the latter.
    Replay {
        jq: PathBuf,
        record: PathBuf,
        json: PathBuf,
    },
    /// redis-server and its client.
    Redis {
        server: PathBuf,
        client: PathBuf,
        test: &'static str,
        requests: u32,
    },
    /// nginx and its client.
    Nginx {
        server: PathBuf,
        client: PathBuf,
        seconds: u32,
    },
}

/// What came of one run.
enum Outcome {
    Measured(Measured),
    Rate(f64),
}

impl Outcome {
    /// A number of it; nothing where the program did not say it.
    fn number(&self, quantity: Quantity) -> Option<f64> {
        let measured = match (self, quantity) {
            (Self::Rate(rate), Quantity::Rate) => return Some(*rate),
            (Self::Measured(measured), _) => measured,
            _ => return None,
        };
        // Programs of ours report nanoseconds and operations.
        let reported = |index| {
            let mut words = measured.stdout.split_whitespace();
            words.nth(index)?.parse::<f64>().ok()
        };
        let of_each = |nanoseconds: f64| Some(nanoseconds / reported(1)?);
        match quantity {
            Quantity::Whole => Some(measured.whole.as_nanos() as f64),
            Quantity::Own => of_each(reported(0)?),
            Quantity::Resident => Some(measured.resident as f64),
            Quantity::UserTime => of_each(measured.user.as_nanos() as f64),
            Quantity::TracingTime => of_each(measured.user_of_first.as_nanos() as f64),
            Quantity::Rate => None,
        }
    }
}

/// The path of an installed program.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are where an ordinary user's PATH does not lead.
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}
