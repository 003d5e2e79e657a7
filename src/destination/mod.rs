//! Where the trace goes: standard error, a file, or another program's standard input.

mod codec;
mod command;
mod pattern;
mod sink;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;

use nix::unistd::{AccessFlags, access};

pub use codec::{Codec, FileIdentity, open_input};
pub use pattern::NameFacts;
pub use sink::{Sink, Written};

use crate::cli;
use command::Consumer;

/// How many bytes of a trace are written to a file at once, where there are as many.
const BUFFER: usize = 1 << 16;

/// An open place for a trace.
#[derive(Debug)]
pub enum Place {
    /// Standard error, shared with the program.
    StandardError(io::Stderr),
    /// A file.
    File(BufWriter<File>),
    /// The standard input of a command, which is waited for at the end.
    Command(BufWriter<ChildStdin>, Consumer),
    /// Files of each process's own, which are opened one by one (`-ff`): nothing is written here.
    Separate,
}

impl Place {
    /// Opens the place that the command line names. Of the files of `-ff`, which [`file()`] opens, only the folder is looked for.
    ///
    /// # Errors
    /// One line that says what could not be opened, and why: it may be one of the `inputs`, which must not be lost.
    pub fn open(destination: &cli::Destination, inputs: &[FileIdentity]) -> Result<Self, String> {
        match destination {
            cli::Destination::StandardError => Ok(Self::StandardError(io::stderr())),
            cli::Destination::File {
                path,
                per_process: true,
                ..
            } => folder(path).map(|()| Self::Separate),
            cli::Destination::File {
                path, append: true, ..
            } => open(path, true, inputs).map(Self::File),
            cli::Destination::File { path, .. } => new_file(path, inputs).map(Self::File),
            cli::Destination::Command(command) => {
                command::start(command).map(|(input, consumer)| Self::Command(input, consumer))
            }
        }
    }

    /// Its descriptor, to ask whether it is a terminal.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::StandardError(stderr) => Some(stderr.as_fd()),
            Self::File(file) => Some(file.get_ref().as_fd()),
            Self::Command(..) | Self::Separate => None,
        }
    }
}

/// Opens a file for a trace, readable by its owner only: a trace can hold what others must not see. None of the `inputs` is touched.
///
/// # Errors
/// One line that says which file, and why.
pub fn file(path: &Path, append: bool, inputs: &[FileIdentity]) -> Result<BufWriter<File>, String> {
    match append {
        true => open(path, append, inputs),
        false => new_file(path, inputs),
    }
}

/// The same, emptied, unless it is one of the `inputs`.
fn new_file(path: &Path, inputs: &[FileIdentity]) -> Result<BufWriter<File>, String> {
    let file = open(path, false, inputs)?;
    // What is no file that could be emptied (a pipe, a device) need not be.
    if is_regular(file.get_ref())
        && let Err(error) = file.get_ref().set_len(0)
    {
        return Err(cannot_write(path, error));
    }
    Ok(file)
}

/// Whether it is neither a pipe nor a device.
fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|about| about.is_file())
}

fn open(path: &Path, append: bool, inputs: &[FileIdentity]) -> Result<BufWriter<File>, String> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .mode(0o600)
        .append(append)
        .truncate(false);
    let file = options
        .open(path)
        .map_err(|error| cannot_write(path, error))?;
    match FileIdentity::of(&file) {
        Ok(identity) if inputs.contains(&identity) => Err(format!(
            "cannot write the trace to {}: it is the trace that is being read",
            path.display()
        )),
        _ => Ok(BufWriter::with_capacity(BUFFER, file)),
    }
}

/// The place that the command line names, for messages.
pub fn name(destination: &cli::Destination) -> String {
    match destination {
        cli::Destination::StandardError => "standard error".to_owned(),
        cli::Destination::File { path, .. } => path.display().to_string(),
        cli::Destination::Command(command) => command.display().to_string(),
    }
}

/// Whether files can be made where such a path leads.
fn folder(path: &Path) -> Result<(), String> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| cannot_write(path, error.into()))
}

fn cannot_write(path: &Path, error: io::Error) -> String {
    format!("cannot write the trace to {}: {error}", path.display())
}

/// The name of a process's own file (`-ff`).
pub fn per_process(path: &Path, pid: i32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{pid}"));
    name.into()
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::StandardError(stderr) => stderr.write(bytes),
            Self::File(file) => file.write(bytes),
            Self::Command(input, _) => input.write(bytes),
            Self::Separate => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::StandardError(stderr) => stderr.flush(),
            Self::File(file) => file.flush(),
            Self::Command(input, _) => input.flush(),
            Self::Separate => Ok(()),
        }
    }
}
