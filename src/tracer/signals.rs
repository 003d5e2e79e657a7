//! Signals that come to us, and stopping when the program stops.
//!
//! The program is in our process group, so what a terminal or `kill -- -GROUP` sends reaches it without us. What somebody sends to us
//! alone is meant for the program, and is passed on.

use std::collections::VecDeque;
use std::ptr;

use super::alarm::{self, Received};
use super::decoy::{Decoy, Note};
use super::procfs;

/// A signal to a group reaches its members one after the other; so long we wait for the decoy to get its own.
const GRACE: i64 = 40_000_000;

/// Notes this much apart, in ns, are of two sendings.
const APART: i64 = 500_000_000;

/// How many of the latest notes are remembered.
const REMEMBERED: usize = 32;

/// What came to us lately, and what came to the group.
#[derive(Debug)]
pub struct Signals {
    /// None where no process could be had: then nothing is passed on, rather than twice.
    decoy: Option<Decoy>,
    received: Vec<Received>,
    /// What came to our group.
    group: VecDeque<Note>,
}

impl Signals {
    /// With the decoy that notes what comes to our group.
    pub fn new(decoy: Option<Decoy>) -> Self {
        Self {
            decoy,
            received: Vec::new(),
            group: VecDeque::new(),
        }
    }

    /// We got a signal.
    pub fn received(&mut self, received: Received) {
        self.received.push(received);
    }

    /// Passes on what only we got, to `targets`: the program, or once it has ended what is left of it. Returns whether there was any.
    pub fn pass_on(&mut self, targets: &[i32]) -> bool {
        let Some(decoy) = &mut self.decoy else {
            return false;
        };
        let now = alarm::now();
        let ready = |one: &Received| now - one.at >= GRACE && decoy.is_settled(one.signal);
        let (due, later): (Vec<_>, Vec<_>) = self.received.drain(..).partition(ready);
        self.received = later;
        for note in decoy.notes() {
            if self.group.len() == REMEMBERED {
                self.group.pop_front();
            }
            self.group.push_back(note);
        }
        let mut any = false;
        for one in due {
            if !self.came_to_the_group(&one) {
                any = true;
                for pid in targets {
                    send(*pid, one.signal);
                }
            }
        }
        any
    }

    /// Whether our group got that signal from the same sender at about the same time. A relayed one had come to the process in front
    /// of us, which is in the group too, so one note answers for it and for our own.
    fn came_to_the_group(&self, one: &Received) -> bool {
        self.group.iter().any(|note| {
            note.signal == one.signal
                && note.sender == one.sender
                && (note.at - one.at).abs() < APART
        })
    }
}

/// Sends a signal to a process that we trace.
pub fn send(pid: i32, signal: i32) {
    // SAFETY: we have not reaped the process, so the number is still its own; one that is gone is an error without effect.
    unsafe { libc::kill(pid, signal) };
}

/// Keeps us from being stopped for writing to a terminal from the background.
pub fn outlive_the_terminal() {
    // SAFETY: a valid signal and disposition; the program's own was restored at its launch.
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
}

/// A thread as it was when we last looked, for the guard to see whether it waits for us.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// The thread.
    pub tid: i32,
    /// In a group-stop: [`procfs::switches`] when that began. SIGCONT makes it run a moment, to tell its tracer.
    pub asleep_since: Option<i32>,
}

impl Watched {
    /// Whether its tracer has something to do.
    fn calls(&self) -> bool {
        match self.asleep_since {
            Some(_) => procfs::switches(self.tid) != self.asleep_since,
            None => procfs::in_ptrace_stop(self.tid),
        }
    }
}

/// Stops us, so that the shell sees its job stopped, until the job is continued, or until one of `threads` needs its tracer: SIGCONT
/// may come to the program alone, and its children may be running. A guard process watches them. Whoever waits `in_front` of us is
/// continued with us. Returns whether it was somebody else than the guard who continued us.
pub fn stop_ourselves(signal: i32, threads: &[Watched], in_front: bool) -> bool {
    // SAFETY: the child runs `guard`, which never returns, and uses memory that is its own copy; we go on only when it runs.
    unsafe {
        let us = libc::getpid();
        let guard = libc::fork();
        if guard == 0 {
            guard_us(us, threads);
        }
        if guard > 0 {
            stop_by(signal);
            // Continued.
            libc::kill(guard, libc::SIGKILL);
            let mut status = 0;
            libc::waitpid(guard, &raw mut status, libc::__WALL);
            if in_front {
                libc::kill(libc::getppid(), libc::SIGCONT);
            }
            // A guard that has done its work has exited.
            return libc::WIFSIGNALED(status);
        }
    }
    false
}

/// Stops this process by a stopping signal, which the shell then tells its user. Returns when it is continued.
pub fn stop_by(signal: i32) {
    // SAFETY: a signal to this thread, for which it is unblocked meanwhile; its disposition is the default one, for SIGTTOU too.
    unsafe {
        let before = libc::signal(libc::SIGTTOU, libc::SIG_DFL);
        let set = alarm::set_of(&[signal]);
        let mut mask = set;
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, &raw mut mask);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, ptr::null_mut());
        libc::signal(libc::SIGTTOU, before);
    }
}

/// Whether the program is in our job: then the shell that stops it is the one that waits for us.
pub fn same_job(program: i32) -> bool {
    // SAFETY: both only ask.
    unsafe { libc::getpgid(program) == libc::getpgrp() }
}

/// Continues `us` when one of `threads` needs us.
fn guard_us(us: i32, threads: &[Watched]) -> ! {
    // SAFETY: prctl, getppid, kill and _exit take plain numbers; nanosleep's pointer is valid.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        while libc::getppid() == us {
            // Before we have stopped, SIGCONT would be lost, and nobody left to send another.
            if threads.iter().any(Watched::calls) && procfs::in_group_stop(us) {
                libc::kill(us, libc::SIGCONT);
                break;
            }
            let moment = libc::timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            libc::nanosleep(&raw const moment, ptr::null_mut());
        }
        libc::_exit(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_to_the_group_is_known_by_signal_sender_and_time() {
        let mut signals = Signals::new(None);
        let (signal, sender, at) = (libc::SIGTERM, 77, 1_000_000_000);
        signals.group.push_back(Note { signal, sender, at });
        let came = |signal, sender, at| signals.came_to_the_group(&Received { signal, sender, at });
        assert!(came(libc::SIGTERM, 77, at) && came(libc::SIGTERM, 77, at + APART / 2));
        assert!(!came(libc::SIGTERM, 78, at));
        assert!(!came(libc::SIGHUP, 77, at));
        assert!(!came(libc::SIGTERM, 77, at + APART));
    }
}
