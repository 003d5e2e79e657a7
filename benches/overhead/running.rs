//! Runs a workload untraced, under strace and under sockstrace in turns.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::measure::{self, Measured};
use crate::results::Row;
use crate::workloads::{Count, Quantity, Run, Word, Workload};
use crate::{Arguments, build, redis, web};

/// Who traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nobody.
    Untraced,
    /// strace.
    Strace,
    /// sockstrace.
    Sockstrace,
}

impl Way {
    /// All, in the order of turns.
    pub const ALL: [Self; 3] = [Self::Untraced, Self::Strace, Self::Sockstrace];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untraced => "untraced",
            Self::Strace => "strace",
            Self::Sockstrace => "sockstrace",
        })
    }
}

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
        let directory =
            tempfile::tempdir().map_err(|error| format!("a temporary directory: {error}"))?;
        Ok(Self {
            short: arguments.short,
            rounds: if arguments.short { 1 } else { arguments.rounds },
            sockstrace: arguments.sockstrace.clone(),
            engine: arguments.engine.clone(),
            strace: installed("strace"),
            directory,
            port: OnceCell::new(),
        })
    }

    /// A line for each program that is missing and leaves a gap in the table.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        [
            ("cc", "the workloads in C are left out"),
            ("strace", "its column is left out"),
            ("redis-server", "its row is left out"),
            ("redis-benchmark", "the row of redis-server is left out"),
            ("curl", "its row is left out"),
            ("bash", "the row of a script after a socket is left out"),
        ]
        .into_iter()
        .filter(|(program, _)| installed(program).is_none())
        .map(|(program, so)| format!("{program} is not installed: {so}"))
    }

    /// Runs a workload in turns; no rows where a program that it needs is missing.
    pub fn run(&self, workload: &'static Workload) -> Result<Vec<Row>, String> {
        let Some(mut runner) = self.runner(&workload.run)? else {
            return Ok(Vec::new());
        };
        let ways: Vec<Way> = Way::ALL
            .into_iter()
            .filter(|way| *way != Way::Strace || self.strace.is_some())
            .filter(|way| *way == Way::Sockstrace || !workload.is_tracers())
            .collect();
        let mut rows: Vec<Row> = workload
            .measures
            .iter()
            .map(|measure| Row::new(workload, measure))
            .collect();
        // What the tracer needs for itself varies little, and its workload is long.
        let (warm_up, rounds) = match (self.short, workload.is_tracers()) {
            (true, _) | (_, true) => (0, 1),
            _ => (1, self.rounds),
        };
        let repeat = self.amount(workload.repeat);
        for round in 0..warm_up + rounds {
            for way in &ways {
                let mut sums = vec![0.0; rows.len()];
                for _ in 0..repeat {
                    let sample = runner(self, workload, *way)
                        .map_err(|message| format!("{way}: {message}"))?;
                    for (sum, row) in sums.iter_mut().zip(&rows) {
                        *sum += sample
                            .get(row.measure.quantity)
                            .ok_or_else(|| format!("{way}: it reports nothing"))?;
                    }
                }
                for (sum, row) in sums.iter().zip(&mut rows) {
                    if round >= warm_up {
                        row.add(*way, sum / f64::from(repeat));
                    }
                }
            }
        }
        Ok(rows)
    }

    /// How a workload is run once; nothing where a program is missing.
    fn runner(&self, run: &Run) -> Result<Option<Runner>, String> {
        let (program, words) = match *run {
            Run::Redis(requests) => {
                let (Some(server), Some(client)) =
                    (installed("redis-server"), installed("redis-benchmark"))
                else {
                    return Ok(None);
                };
                let requests = self.amount(requests);
                return Ok(Some(Box::new(move |setup, workload, way| {
                    let start = |arguments: &[OsString]| {
                        setup.command(workload, way, server.as_os_str(), arguments)
                    };
                    redis::rate(start, &client, setup.directory.path(), requests).map(Sample::Rate)
                })));
            }
            Run::Installed(name, words) => (installed(name), words),
            Run::Compiled(name, words) => match installed("cc") {
                Some(cc) => (Some(build::compiled(&cc, name)?), words),
                None => (None, words),
            },
        };
        let arguments = words.iter().map(|word| self.argument(word));
        let (Some(program), arguments) = (program, arguments.collect::<Result<Vec<_>, _>>()?)
        else {
            return Ok(None);
        };
        Ok(Some(Box::new(move |setup, workload, way| {
            let command = setup.command(workload, way, program.as_os_str(), &arguments);
            measure::run(command).map(Sample::Process)
        })))
    }

    /// The command line that runs a program this way.
    fn command(
        &self,
        workload: &Workload,
        way: Way,
        program: &std::ffi::OsStr,
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
            (Way::Sockstrace, _) => {
                let mut command = Command::new(&self.sockstrace);
                if let Some(engine) = &self.engine {
                    command.args(["--engine", engine]);
                }
                command.arg("-o").arg(trace).arg("--").arg(program);
                command
            }
            (Way::Untraced | Way::Strace, _) => Command::new(program),
        };
        command.args(arguments);
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

type Runner = Box<dyn FnMut(&Setup, &Workload, Way) -> Result<Sample, String>>;

/// What came of one run.
enum Sample {
    Process(Measured),
    Rate(f64),
}

impl Sample {
    /// A number of it; nothing where the program did not say it.
    fn get(&self, quantity: Quantity) -> Option<f64> {
        let measured = match (self, quantity) {
            (Self::Rate(rate), Quantity::Rate) => return Some(*rate),
            (Self::Process(measured), _) => measured,
            _ => return None,
        };
        let operations = || measured.numbers.get(1).map(|number| *number as f64);
        let each = |nanoseconds: f64| Some(nanoseconds / operations()?);
        match quantity {
            Quantity::Whole => Some(measured.whole.as_nanos() as f64),
            Quantity::Own => each(measured.numbers[..].first().copied()? as f64),
            Quantity::Resident => Some(measured.resident as f64),
            Quantity::UserTime => each(measured.user.as_nanos() as f64),
            Quantity::TracingTime => each(measured.user_of_first.as_nanos() as f64),
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
