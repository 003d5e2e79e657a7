//! What was measured on.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::running::{Setup, installed};

/// The machine and the programs, each as a name and what it is.
#[derive(Debug)]
pub struct Machine(pub Vec<(&'static str, String)>);

impl Machine {
    /// This one.
    pub fn this(setup: &Setup) -> Self {
        let version = |program: &str, option| first_line(&installed(program)?, option);
        let facts = [
            ("processor", processor()),
            ("kernel", read("/proc/sys/kernel/osrelease")),
            ("load", load()),
            ("sockstrace", first_line(&setup.sockstrace, "--version")),
            ("strace", version("strace", "--version")),
            ("redis", version("redis-server", "--version")),
            ("nginx", version("nginx", "-v")),
        ];
        let known = facts
            .into_iter()
            .filter_map(|(name, fact)| Some((name, fact?)));
        Self(known.collect())
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(name, fact)| writeln!(f, "{name:<10} {fact}"))
    }
}

fn processor() -> Option<String> {
    let cores = std::thread::available_parallelism().ok()?;
    let info = read("/proc/cpuinfo")?;
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("of an unknown model", |(_, model)| model);
    Some(format!("{cores} × {model}"))
}

/// How busy the machine was before we began: what others do to it is in every time.
fn load() -> Option<String> {
    let average = read("/proc/loadavg")?;
    let minute = average.split_whitespace().next()?;
    Some(format!("{minute} in the minute before"))
}

fn first_line(program: &Path, option: &str) -> Option<String> {
    let output = Command::new(program).arg(option).output().ok()?;
    // nginx says it on standard error.
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said);
    // How Redis was built is of no interest.
    Some(text.lines().next()?.split(" sha=").next()?.to_owned())
}

fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim_end().to_owned())
}
