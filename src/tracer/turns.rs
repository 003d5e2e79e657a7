//! Whose stop is dealt with next: every thread gets its turn, however busy the others are.
//!
//! waitpid(2) tells of the newest of all threads that have stopped, so that a busy one could keep the others waiting for ever. What it
//! tells is dealt with at once as long as it is somebody's first turn; before anybody's second, all that have stopped by then get theirs.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use super::stopped::{Waited, wait, wait_now};

/// How many stops are put in order before the first of them is dealt with.
const MOST: usize = 256;

/// Who has had a turn, and who waits for one.
#[derive(Debug, Default)]
pub struct Turns {
    served: FxHashSet<i32>,
    waiting: VecDeque<Waited>,
}

impl Turns {
    /// What is to be dealt with next; waits until there is something. `alone` says that there is one thread only.
    pub fn next(&mut self, alone: bool) -> Waited {
        if let Some(next) = self.waiting.pop_front() {
            return next;
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
        // Unless its number has been taken over by an execve: then it is gone.
        if !self.waits(&next) {
            self.line_up(next);
        }
        self.waiting.pop_front().unwrap_or(Waited::Interrupted)
    }

    fn is_first_turn(&mut self, waited: &Waited) -> bool {
        match waited {
            Waited::Stopped(stopped, _) => self.served.insert(stopped.tid()),
            _ => true,
        }
    }

    fn waits(&self, waited: &Waited) -> bool {
        let tid = |waited: &Waited| match waited {
            Waited::Stopped(stopped, _) => Some(stopped.tid()),
            _ => None,
        };
        tid(waited).is_some_and(|one| self.waiting.iter().any(|other| tid(other) == Some(one)))
    }

    fn line_up(&mut self, next: Waited) {
        if let Waited::Stopped(stopped, _) = &next {
            self.served.insert(stopped.tid());
        }
        self.waiting.push_back(next);
    }
}
