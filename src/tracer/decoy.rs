//! Tells a signal that was sent to our whole process group from one that was sent to us alone.
//!
//! The kernel does not say it (sigaction(2)), and the program cannot be asked: it may take its signals by sigwait(3) or signalfd(2),
//! unseen. So a second process of ours stands in the group and does nothing but note which signals come to it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

use nix::errno::Errno;

use super::{alarm, procfs};

/// The noting process, which ends with the thread that started it.
#[derive(Debug)]
pub struct Decoy {
    pid: i32,
    /// What it noted: three numbers each.
    notes: File,
}

/// A signal that came to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub signal: i32,
    /// Who sent it; 0 for the kernel.
    pub sender: i32,
    /// When, as [`alarm::now`] tells.
    pub at: i64,
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
                pid => {
                    libc::close(ends[1]);
                    let notes = File::from_raw_fd(ends[0]);
                    Ok(Self { pid, notes })
                }
            }
        }
    }

    /// Whether it has noted all that has come to it: nothing is pending, and it sleeps until something comes.
    pub fn is_settled(&self, signal: i32) -> bool {
        !procfs::signal_pending(self.pid, signal) && procfs::is_asleep(self.pid)
    }

    /// What has come to the group since the last time.
    pub fn notes(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut bytes = [0; 16];
        while self.notes.read_exact(&mut bytes).is_ok() {
            let (words, _) = bytes.as_chunks::<4>();
            let at = [words[2], words[3]].concat();
            notes.push(Note {
                signal: i32::from_ne_bytes(words[0]),
                sender: i32::from_ne_bytes(words[1]),
                at: i64::from_ne_bytes(at.try_into().unwrap_or_default()),
            });
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
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&signal.to_ne_bytes());
            bytes[4..8].copy_from_slice(&sender.to_ne_bytes());
            bytes[8..].copy_from_slice(&alarm::now().to_ne_bytes());
            libc::write(0, bytes.as_ptr().cast(), bytes.len());
        }
        libc::_exit(0)
    }
}
