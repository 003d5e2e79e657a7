//! Where the trace goes: standard error, a file, or another program's standard input.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::unistd::{AccessFlags, access};

use crate::cli;

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
    Command(Option<BufWriter<ChildStdin>>, Child),
    /// Files of each process's own, which are opened one by one (`-ff`): nothing is written here.
    Separate,
}

impl Place {
    /// Opens the place that the command line names. Of the files of `-ff`, which [`file()`] opens, only the folder is looked for.
    ///
    /// # Errors
    /// One line that says what could not be opened, and why.
    pub fn open(destination: &cli::Destination) -> Result<Self, String> {
        match destination {
            cli::Destination::StandardError => Ok(Self::StandardError(io::stderr())),
            cli::Destination::File {
                path,
                per_process: true,
                ..
            } => folder(path).map(|()| Self::Separate),
            cli::Destination::File { path, append, .. } => file(path, *append).map(Self::File),
            cli::Destination::Command(command) => Self::command(command),
        }
    }

    fn command(command: &OsString) -> Result<Self, String> {
        // Ctrl-C is for the program: whoever reads the trace is to see its end.
        let mut script = OsString::from("trap '' INT QUIT\n");
        script.push(command);
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(script)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", command.display()))?;
        let input = child.stdin.take().map(BufWriter::new);
        Ok(Self::Command(input, child))
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

/// Opens a file for a trace, readable by its owner only: a trace can hold what others must not see.
///
/// # Errors
/// One line that says which file, and why.
pub fn file(path: &Path, append: bool) -> Result<BufWriter<File>, String> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .mode(0o600)
        .append(append)
        .truncate(!append);
    options
        .open(path)
        .map(|file| BufWriter::with_capacity(BUFFER, file))
        .map_err(|error| cannot_write(path, error))
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
            Self::Command(Some(input), _) => input.write(bytes),
            Self::Command(None, _) => Err(io::ErrorKind::BrokenPipe.into()),
            Self::Separate => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::StandardError(stderr) => stderr.flush(),
            Self::File(file) => file.flush(),
            Self::Command(Some(input), _) => input.flush(),
            Self::Command(None, _) | Self::Separate => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Command(input, child) = self {
            // The command sees the end of its input, and may still have something to write.
            drop(input.take());
            let _reaped_elsewhere = child.wait();
        }
    }
}
