//! Tells a signal that was sent to our whole process group from one that was sent to us alone.
//!
//! The kernel does not say it (sigaction(2)), and the program cannot be asked: it may take its signals by sigwait(3) or signalfd(2),
//! unseen. So a second process of ours stands in the group and does nothing but note which signals come to it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

use nix::errno::Errno;

use super::alarm;

/// The noting process, which ends with the thread that started it.
#[derive(Debug)]
pub struct Decoy {
    /// What it noted: signal and sender, a pair of numbers each.
    notes: File,
}

impl Decoy {
    /// Starts the process, in our group. The watched signals are blocked in the calling thread.
    ///
    /// # Errors
    /// Where there is no pipe or no process to be had.
    pub fn start() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: pipe2 writes two descriptors, of which each process keeps one; the child only makes async-signal-safe calls.
        unsafe {
            Errno::result(libc::pipe2(
                ends.as_mut_ptr(),
                libc::O_CLOEXEC | libc::O_NONBLOCK,
            ))?;
            let us = libc::getpid();
            match Errno::result(libc::fork())? {
                0 => note_signals(us, ends[1]),
                _ => {
                    libc::close(ends[1]);
                    Ok(Self {
                        notes: File::from_raw_fd(ends[0]),
                    })
                }
            }
        }
    }

    /// What has come to the group since the last time: signal and sender.
    pub fn notes(&mut self) -> Vec<(i32, i32)> {
        let mut notes = Vec::new();
        let mut bytes = [0; 8];
        while self.notes.read_exact(&mut bytes).is_ok() {
            let number = |at: usize| {
                i32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
            };
            notes.push((number(0), number(4)));
        }
        notes
    }
}

/// The process's whole life.
fn note_signals(us: i32, notes: i32) -> ! {
    // SAFETY: plain calls on numbers and valid buffers. Of our descriptors it keeps the pipe alone, so that it holds nothing open.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::dup2(notes, 0);
        libc::syscall(libc::SYS_close_range, 1, u32::MAX, 0);
        while libc::getppid() == us {
            let (signal, sender) = alarm::take_signal();
            let bytes = [signal.to_ne_bytes(), sender.to_ne_bytes()];
            libc::write(0, bytes.as_ptr().cast(), size_of_val(&bytes));
        }
        libc::_exit(0)
    }
}
