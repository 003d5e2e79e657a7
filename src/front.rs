//! `--no-wait`: the process that the caller waits for, in front of the tracer.
//!
//! A tracer cannot leave while there are tracees (what our seccomp filter stops would fail), so the tracer is a child from the start,
//! and the process in front of it ends with the program while the tracer stays for the program's children.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use nix::errno::Errno;

use crate::ending::end_like;
use crate::tracer::event::Status;
use crate::tracer::{alarm, signals};

/// The tracer's side: to tell the front how the program ended.
#[derive(Debug)]
pub struct Report {
    pipe: File,
}

/// Splits this process: the front waits and never returns; what returns is the tracer.
///
/// # Errors
/// Where there is no pipe or no process to be had.
pub fn split() -> io::Result<Report> {
    let mut ends = [0; 2];
    // SAFETY: pipe2 writes two descriptors, which are ours alone; fork is called while there is one thread.
    let (mut read, write, child) = unsafe {
        Errno::result(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        (
            File::from_raw_fd(ends[0]),
            File::from_raw_fd(ends[1]),
            Errno::result(libc::fork())?,
        )
    };
    if child == 0 {
        return Ok(Report { pipe: write });
    }
    drop(write);
    wait_in_front(child, &mut read)
}

/// Waits for the tracer's report; signals sent to the front alone go to the tracer, and the front stops when the tracer stops.
fn wait_in_front(tracer: i32, report: &mut File) -> ! {
    alarm::block_signals();
    let signals = alarm::signal_descriptor(&[libc::SIGCHLD]);
    loop {
        let mut ready = [
            libc::pollfd {
                fd: report.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            },
            libc::pollfd {
                fd: signals,
                events: libc::POLLIN,
                revents: 0,
            },
        ];
        // SAFETY: two valid pollfds.
        unsafe { libc::poll(ready.as_mut_ptr(), 2, -1) };
        if ready[0].revents != 0 {
            let mut bytes = [0; 8];
            // A tracer that ended without a report has said why; its status is ours.
            match report.read_exact(&mut bytes) {
                Ok(()) => end_like(decode(bytes)),
                Err(_) => end_like(wait_for(tracer, 0).unwrap_or(Status::Exited(125))),
            }
        }
        if ready[1].revents != 0 {
            let (signal, sender) = alarm::read_signal(signals);
            match signal {
                libc::SIGCHLD => follow_stop(tracer),
                0 => {}
                // With the first sender's number, by which the tracer knows a signal that reached it directly too.
                _ => alarm::relay(tracer, signal, sender),
            }
        }
    }
}

/// Stops like the tracer, if it has stopped, and continues it when we are continued.
fn follow_stop(tracer: i32) {
    let mut status = 0;
    // SAFETY: status is a valid place; the tracer is our child.
    unsafe {
        let stopped = libc::waitpid(tracer, &raw mut status, libc::WNOHANG | libc::WUNTRACED)
            == tracer
            && libc::WIFSTOPPED(status);
        if stopped {
            signals::stop_by(libc::WSTOPSIG(status));
            libc::kill(tracer, libc::SIGCONT);
        }
    }
}

fn wait_for(pid: i32, flags: i32) -> Option<Status> {
    let mut status = 0;
    // SAFETY: status is a valid place.
    let result = unsafe { libc::waitpid(pid, &raw mut status, flags) };
    if result != pid {
        return None;
    }
    if libc::WIFSIGNALED(status) {
        return Some(Status::Killed(libc::WTERMSIG(status), false));
    }
    Some(Status::Exited(libc::WEXITSTATUS(status)))
}

impl Report {
    /// Tells the front how the program ended, and lets go of the standard descriptors, which somebody may be waiting to see closed.
    pub fn send(mut self, status: Status) {
        let _gone_if_it_fails = self.pipe.write_all(&encode(status));
        if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
            for fd in 0..3 {
                // SAFETY: dup2 onto standard descriptors, which nothing uses any more.
                unsafe { libc::dup2(null.as_raw_fd(), fd) };
            }
        }
    }
}

fn encode(status: Status) -> [u8; 8] {
    let (kind, number) = match status {
        Status::Exited(code) => (0_u32, code),
        Status::Killed(signal, _) => (1, signal),
    };
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&kind.to_ne_bytes());
    bytes[4..].copy_from_slice(&number.to_ne_bytes());
    bytes
}

fn decode(bytes: [u8; 8]) -> Status {
    let number = i32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    if bytes[..4] == 0_u32.to_ne_bytes() {
        Status::Exited(number)
    } else {
        Status::Killed(number, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_crosses_the_pipe() {
        for status in [
            Status::Exited(0),
            Status::Exited(255),
            Status::Killed(9, false),
        ] {
            assert_eq!(decode(encode(status)), status);
        }
    }
}
