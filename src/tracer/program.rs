//! What to run, and why it could not be run.

use std::ffi::OsString;
use std::fmt;

/// What to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program's name or path, and its arguments.
    pub argv: Vec<OsString>,
    /// Changes of its environment (`-E`): a variable with its value, or none to remove it.
    pub environment: Vec<(OsString, Option<OsString>)>,
    /// The user to run it as (`-u`); only root may.
    pub user: Option<String>,
}

/// Why nothing could be traced.
#[derive(Debug)]
pub enum LaunchError {
    /// No such program.
    NotFound(String),
    /// The program is there but cannot be run.
    NotExecutable(String),
    /// Something of ours failed.
    Own(String),
}

impl LaunchError {
    /// The exit status, as env(1) and timeout(1) have it.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(_) => 126,
            Self::Own(_) => 125,
        }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotFound(text) | Self::NotExecutable(text) | Self::Own(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for LaunchError {}
