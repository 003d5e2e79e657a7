//! Whose stop is dealt with next: every thread gets its turn, however busy the others are.
//!
//! waitpid(2) tells of the newest of all threads that have stopped, so that a busy one could keep the others waiting for ever. What it
//! tells is dealt with at once as long as it is somebody's first turn; before anybody's second, all that have stopped by then get theirs.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use super::stopped::{Waited, wait, wait_for_now, wait_now};

/// How many stops are put in order before the first of them is dealt with.
const MOST: usize = 256;

/// Who has had a turn, and who waits for one.
#[derive(Debug, Default)]
pub struct Turns {
    served: FxHashSet<i32>,
    waiting: VecDeque<Waited>,
    /// Those whose time has not come, and since when that has been so without a break.
    later: VecDeque<Waited>,
    put_off: Option<Instant>,
}

/// How long somebody is put off at most. Whoever is waited for needs a processor, on a busy machine.
const AT_MOST: Duration = Duration::from_secs(2);

/// How long at a time.
const A_MOMENT: Duration = Duration::from_micros(50);

impl Turns {
    /// What is to be dealt with next; waits until there is something. `alone` says that there is one thread only, `is_taken_over` whose
    /// number another thread may have taken over by an execve while it waited for its turn: then that execve is what counts.
    pub fn next(&mut self, alone: bool, is_taken_over: impl Fn(i32) -> bool) -> Waited {
        if self.waiting.is_empty() && !self.later.is_empty() {
            while let other @ (Waited::Stopped(..) | Waited::Ended(..)) = wait_now() {
                self.line_up(other);
            }
            if self.waiting.is_empty() {
                thread::sleep(A_MOMENT);
            }
            for one in std::mem::take(&mut self.later) {
                // Unless something later has become of it: it was killed.
                if !self.waits(&one) {
                    self.waiting.push_back(one);
                }
            }
        }
        if let Some(next) = self.waiting.pop_front() {
            let later = match &next {
                Waited::Stopped(stopped, _) if is_taken_over(stopped.tid()) => {
                    wait_for_now(stopped.tid())
                }
                _ => Waited::Nothing,
            };
            return match later {
                Waited::Nothing | Waited::Interrupted => next,
                later => later,
            };
        }
        let next = wait();
        if alone || self.is_first_turn(&next) {
            return next;
        }
        self.served.clear();
        while self.waiting.len() < MOST {
            match wait_now() {
                Waited::Nothing | Waited::Interrupted => break,
                other => self.line_up(other),
            }
        }
        // Unless it has been killed since, or its number has been taken over by an execve.
        if !self.waits(&next) {
            self.line_up(next);
        }
        self.waiting.pop_front().unwrap_or(Waited::Interrupted)
    }

    /// Puts off what was given out last, until others have had their turn; gives it back where that has been so for too long.
    pub fn put_off(&mut self, waited: Waited) -> Option<Waited> {
        let since = *self.put_off.get_or_insert_with(Instant::now);
        if since.elapsed() > AT_MOST {
            self.put_off = None;
            return Some(waited);
        }
        self.later.push_back(waited);
        None
    }

    /// What was given out last needs not be put off.
    pub fn went_on(&mut self) {
        self.put_off = None;
    }

    fn is_first_turn(&mut self, waited: &Waited) -> bool {
        match waited {
            Waited::Stopped(stopped, _) => self.served.insert(stopped.tid()),
            _ => true,
        }
    }

    /// Whether something later of the same thread has been lined up.
    fn waits(&self, waited: &Waited) -> bool {
        let one = tid_of(waited);
        one.is_some() && self.waiting.iter().any(|other| tid_of(other) == one)
    }

    /// Whoever has stopped is heard of again only when it was killed, or when another thread has taken its number over by an execve: then
    /// what was to be said of the old one no longer counts, and would let the new one run on from a stop that nobody has seen.
    fn line_up(&mut self, next: Waited) {
        let tid = tid_of(&next);
        self.waiting
            .retain(|other| tid.is_none() || tid_of(other) != tid);
        if let Waited::Stopped(stopped, _) = &next {
            self.served.insert(stopped.tid());
        }
        self.waiting.push_back(next);
    }
}

/// The thread that it is about.
fn tid_of(waited: &Waited) -> Option<i32> {
    match waited {
        Waited::Stopped(stopped, _) => Some(stopped.tid()),
        Waited::Ended(tid, _) => Some(*tid),
        Waited::Interrupted | Waited::Nothing => None,
    }
}
