//! What became of the files that a run wrote, for the person who started it.

use std::fmt;
use std::io;

use crate::destination::{self, Sink};
use crate::output::time::size;
use crate::session::{Failure, complain};
use crate::showing::Shared;

/// How much of what a program sent and received a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// All of it.
    Everything,
    /// The first bytes of each call's.
    First(usize),
    /// Nothing but its size.
    Sizes,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("it holds all data that was sent and received"),
            Self::First(bytes) => {
                write!(f, "it holds up to {bytes} bytes of the data of each call")
            }
            Self::Sizes => f.write_str("it holds no data"),
        }
    }
}

/// What was written, and what could not be.
#[derive(Debug, Default)]
pub struct Written {
    /// The places where something is missing, and why.
    pub failures: Vec<(String, io::Error)>,
    /// What is to be said of the others.
    lines: Vec<String>,
}

impl Written {
    /// Those failures, and nothing else yet.
    pub fn new(failures: Vec<(String, io::Error)>) -> Self {
        Self {
            failures,
            lines: Vec::new(),
        }
    }

    /// Ends what goes to a sink.
    pub fn finish(&mut self, sink: Sink, holds: Holds) {
        let name = sink.name().to_owned();
        let failed = self.failures.iter().any(|(known, _)| *known == name);
        match sink.finish() {
            Ok(files) => self
                .lines
                .extend(files.iter().map(|file| line(file, holds))),
            Err(_) if failed => {}
            // Whoever read it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => self.failures.push((name, error)),
        }
    }

    /// The same with one that outputs have shared, once they are gone.
    pub fn finish_shared(&mut self, sink: Option<Shared<Sink>>, holds: Holds) {
        if let Some(sink) = sink.and_then(Shared::into_inner) {
            self.finish(sink, holds);
        }
    }

    /// Says what was written, unless that is to be left out.
    ///
    /// # Errors
    /// Something was not.
    pub fn report(self, quiet: bool) -> Result<(), Failure> {
        let lines = self.lines.iter().filter(|_| !quiet);
        lines.for_each(|line| complain(line));
        if self.failures.is_empty() {
            return Ok(());
        }
        let failures = self.failures.iter();
        let told: Vec<String> = failures
            .map(|(name, error)| format!("the trace in {name} is not complete: {error}"))
            .collect();
        Err(Failure::own(told.join("; ")))
    }
}

fn line(file: &destination::Written, holds: Holds) -> String {
    let mut long = String::new();
    size(&mut long, file.bytes);
    format!("wrote {} ({long}); {holds}", file.name)
}
