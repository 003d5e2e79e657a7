//! A command that reads a trace on its standard input.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A command that is waited for when it is dropped. Its input has to be dropped before: it waits for the end of that.
#[derive(Debug)]
pub struct Consumer {
    child: Child,
}

/// Has the shell run a command.
///
/// # Errors
/// One line that says which command, and why not.
pub fn start(command: &OsStr) -> Result<(BufWriter<ChildStdin>, Consumer), String> {
    let cannot = |error: io::Error| format!("cannot run {}: {error}", command.display());
    // Ctrl-C is for the program: whoever reads the trace is to see its end.
    let mut script = OsString::from("trap '' INT QUIT\n");
    script.push(command);
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(script)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let input = child.stdin.take();
    let input = input.ok_or_else(|| cannot(io::ErrorKind::BrokenPipe.into()))?;
    Ok((BufWriter::new(input), Consumer { child }))
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // How it ended, the tracer may know: it waits for whichever child of ours ends.
        let _reaped_elsewhere = self.child.wait();
    }
}
