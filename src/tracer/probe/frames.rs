//! The functions that a thread is in: each is known again by where it returns to, and by the stack pointer at that moment.

use crate::library::Invocation;
use crate::syscall::Snapshot;
use crate::tracer::event::Nanos;

/// How many a thread can be in.
const MOST: usize = 64;

/// How far apart two frames of one stack may be for the outer one to prove that the inner one is dead (longjmp(3), an exception).
/// Threads may have many stacks (coroutines), so what lies further away proves nothing.
const ONE_STACK: u64 = 16 << 10;

/// A function that has begun.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where it returns to.
    pub back: u64,
    /// The stack pointer then.
    pub stack: u64,
    /// When it began.
    pub start: Nanos,
    /// What it was called with.
    pub invocation: Invocation,
    /// What that was decoded from.
    pub before: Snapshot,
}

/// All of a thread.
#[derive(Debug, Default)]
pub struct Frames {
    open: Vec<Frame>,
    /// A breakpoint, and the stack pointer there, that the thread has met and comes to again, since a signal's handler runs first.
    pub again: Option<(u64, u64)>,
}

impl Frames {
    /// A function begins; gives those that have ended without returning.
    pub fn push(&mut self, frame: Frame) -> Vec<Frame> {
        let new = &frame;
        let dead = |it: &mut Frame| {
            let nested = new.stack.wrapping_sub(it.stack) < ONE_STACK;
            // One that ends by jumping to another shares its return.
            let shares = it.stack == new.stack
                && it.back == new.back
                && it.invocation.function != new.invocation.function;
            nested && !shares
        };
        let mut died: Vec<Frame> = self.open.extract_if(.., dead).collect();
        if self.open.len() == MOST {
            died.push(self.open.remove(0));
        }
        self.open.push(frame);
        died
    }

    /// Somebody has come to where a function returns, with that stack pointer: those that have returned by that, the inner one first,
    /// and those that died before.
    pub fn pop(&mut self, back: u64, stack: u64) -> Option<(Vec<Frame>, Vec<Frame>)> {
        let returns = |it: &mut Frame| it.back == back && it.stack == stack;
        let mut returned: Vec<Frame> = self.open.extract_if(.., returns).collect();
        if returned.is_empty() {
            return None;
        }
        returned.reverse();
        let dead = |it: &mut Frame| stack.wrapping_sub(it.stack) < ONE_STACK;
        let died = self.open.extract_if(.., dead).collect();
        Some((returned, died))
    }

    /// Whether a function is to return to there.
    pub fn awaits(&self, back: u64) -> bool {
        self.open.iter().any(|it| it.back == back)
    }
}
