//! Signals that come to us, and stopping when the program stops.
//!
//! The program is in our process group, so what a terminal or `kill -- -GROUP` sends reaches it without us. What somebody sends to us
//! alone is meant for the program, and is passed on: once it is clear that the program did not get it by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use std::{fs, ptr};

use super::alarm::Received;
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
}

impl Signals {
    /// We got a signal.
    pub fn received(&mut self, received: Received) {
        self.received.push(received);
    }

    /// The program is getting a signal.
    pub fn delivered(&mut self, signal: i32, sender: i32) {
        if self.delivered.len() == REMEMBERED {
            self.delivered.pop_front();
        }
        self.delivered.push_back(Received {
            signal,
            sender,
            at: Instant::now(),
        });
    }

    /// Passes on what only we got, to `targets`: the program, or once it has ended what is left of it.
    pub fn pass_on(&mut self, targets: &[i32]) {
        let (due, later): (Vec<_>, Vec<_>) = self
            .received
            .drain(..)
            .partition(|one| one.at.elapsed() >= GRACE);
        self.received = later;
        for one in due {
            if self.reached(&one) {
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

/// Keeps us from being stopped for writing to a terminal from the background.
pub fn outlive_the_terminal() {
    // SAFETY: a valid signal and disposition; the program's own was restored at its launch.
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
}

/// Stops us, so that the shell sees its job stopped, until the job is continued. `switches` is [`procfs::switches`] of the
/// program when its group-stop began.
///
/// SIGCONT may come to the program alone, or have come already: a guard process then continues us too.
pub fn stop_with_program(program: i32, switches: Option<i32>) {
    // SAFETY: getpgid and getpgrp only ask.
    let same_group = unsafe { libc::getpgid(program) == libc::getpgrp() };
    if !same_group {
        return;
    }
    // SAFETY: the child runs `guard`, which never returns, and allocates only small strings; we go on only when it runs.
    unsafe {
        let us = libc::getpid();
        let guard = libc::fork();
        if guard == 0 {
            guard_us(us, program, switches);
        }
        if guard > 0 {
            libc::kill(us, libc::SIGSTOP);
            // Continued.
            libc::kill(guard, libc::SIGKILL);
            libc::waitpid(guard, ptr::null_mut(), libc::__WALL);
        }
    }
}

/// Continues `us` when the stopped program begins to stir: a traced thread that gets SIGCONT runs a moment, to tell its tracer.
fn guard_us(us: i32, program: i32, switches: Option<i32>) -> ! {
    // SAFETY: prctl, getppid, kill and _exit take plain numbers; nanosleep's pointer is valid.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        while libc::getppid() == us {
            if fs::exists(format!("/proc/{program}")).unwrap_or(false)
                && procfs::switches(program) == switches
            {
                let moment = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 20_000_000,
                };
                libc::nanosleep(&raw const moment, ptr::null_mut());
                continue;
            }
            libc::kill(us, libc::SIGCONT);
            break;
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
