//! A command that reads a trace on its standard input.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The standard input of a command, which is waited for at the end.
#[derive(Debug)]
pub struct Piped {
    input: Option<BufWriter<ChildStdin>>,
    child: Child,
}

impl Piped {
    /// Has the shell run a command.
    ///
    /// # Errors
    /// One line that says which command, and why not.
    pub fn start(command: &OsStr) -> Result<Self, String> {
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
        Ok(Self { input, child })
    }

    /// The command sees the end of its input; it may still have something to write, which is waited for.
    ///
    /// # Errors
    /// Not all of the trace was taken, or the command failed.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(mut input) = self.input.take() {
            input.flush()?;
        }
        match self.child.wait() {
            Ok(status) if !status.success() => {
                Err(io::Error::other(format!("the command failed ({status})")))
            }
            // Somebody else may have waited for it.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Write for Piped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.input {
            Some(input) => input.flush(),
            None => Ok(()),
        }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        drop(self.input.take());
        let _reaped_elsewhere = self.child.wait();
    }
}
