//! Signals that come to us, and stopping when the program stops.
//!
//! The program is in our process group, so what a terminal or `kill -- -GROUP` sends reaches it without us. What somebody sends to us
//! alone is meant for the program, and is passed on: once it is clear that the program did not get it by itself.

use std::collections::VecDeque;
use std::ptr;
use std::time::{Duration, Instant};

use super::alarm::{self, Received};
use super::procfs;

/// A signal to a group reaches its members one after the other; so long we wait for the program to get its own.
const GRACE: Duration = Duration::from_millis(40);

/// A delivery this long before ours may still be of the same sending.
const BEFORE: Duration = Duration::from_millis(500);

/// How many of the latest deliveries are remembered.
const REMEMBERED: usize = 32;

/// What came to us and to the program lately.
#[derive(Debug, Default)]
pub struct Signals {
    received: Vec<Received>,
    delivered: VecDeque<Received>,
    /// What came to us directly, by which a relayed one is known to be the same.
    direct: VecDeque<Received>,
}

impl Signals {
    /// We got a signal.
    pub fn received(&mut self, received: Received) {
        self.received.push(received);
        if !received.relayed {
            remember(&mut self.direct, received);
        }
    }

    /// The program is getting a signal.
    pub fn delivered(&mut self, signal: i32, sender: i32) {
        remember(
            &mut self.delivered,
            Received {
                signal,
                sender,
                relayed: false,
                at: Instant::now(),
            },
        );
    }

    /// Passes on what only we got, to `targets`: the program, or once it has ended what is left of it.
    pub fn pass_on(&mut self, targets: &[i32]) {
        let (due, later): (Vec<_>, Vec<_>) = self
            .received
            .drain(..)
            .partition(|one| one.at.elapsed() >= GRACE);
        self.received = later;
        for one in due {
            let same = |other: &Received| other.signal == one.signal && other.sender == one.sender;
            let twice = one.relayed
                && self
                    .direct
                    .iter()
                    .any(|direct| same(direct) && direct.at.elapsed() < BEFORE);
            if twice || self.reached(&one) {
                continue;
            }
            for pid in targets {
                if !procfs::signal_pending(*pid, one.signal) {
                    // SAFETY: a signal to a process that we trace and have not reaped, so the number is still its own.
                    unsafe { libc::kill(*pid, one.signal) };
                }
            }
        }
    }

    /// Whether the program got that signal from the same sender at about the same time.
    fn reached(&mut self, one: &Received) -> bool {
        let same = |other: &Received| {
            other.signal == one.signal
                && other.sender == one.sender
                && one.at.saturating_duration_since(other.at) < BEFORE
        };
        match self.delivered.iter().position(same) {
            Some(index) => self.delivered.remove(index).is_some(),
            None => false,
        }
    }
}

fn remember(latest: &mut VecDeque<Received>, one: Received) {
    if latest.len() == REMEMBERED {
        latest.pop_front();
    }
    latest.push_back(one);
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

    fn received(signal: i32, sender: i32) -> Received {
        Received {
            signal,
            sender,
            relayed: false,
            at: Instant::now() - GRACE,
        }
    }

    #[test]
    fn a_signal_to_the_group_is_not_passed_on() {
        let mut signals = Signals::default();
        signals.delivered(libc::SIGTERM, 77);
        assert!(signals.reached(&received(libc::SIGTERM, 77)));
        assert!(
            !signals.reached(&received(libc::SIGTERM, 77)),
            "each delivery answers for one"
        );
        signals.delivered(libc::SIGTERM, 78);
        assert!(
            !signals.reached(&received(libc::SIGTERM, 77)),
            "from somebody else"
        );
        assert!(
            !signals.reached(&received(libc::SIGHUP, 78)),
            "another signal"
        );
    }
}
