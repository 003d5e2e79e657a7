//! Getting all threads of a program out of our code, before it makes the kernel ask where its calls come from.

use crate::syscall::Raw;
use crate::tracer::engine::Engine;
use crate::tracer::stopped::{Gone, Stopped, interrupt};
use crate::tracer::tracees::Doing;

/// A thread that waits until others have left our code.
#[derive(Debug)]
pub struct Clearing {
    stopped: Stopped,
    arch: u32,
    raw: Raw,
    /// Those that have not been seen since.
    others: Vec<i32>,
}

impl Engine {
    /// Takes the patches back, and has every thread stop once that could be in our code still. Gives the thread back where there is
    /// none; else it goes on when the last of them has stopped.
    pub(in crate::tracer) fn clear_code(
        &mut self,
        stopped: Stopped,
        arch: u32,
        raw: Raw,
    ) -> Option<Stopped> {
        let tid = stopped.tid();
        let recording = self.space_of(tid).and_then(|id| self.recordings.get(&id));
        let others = recording.map_or_else(Vec::new, |recording| {
            let users = recording.slots.iter().flatten();
            users
                .map(|user| user.tid)
                .filter(|user| *user != tid)
                .collect()
        });
        self.unpatch(tid, "it asks the kernel about its calls");
        let mut clearing = Clearing {
            stopped,
            arch,
            raw,
            others: Vec::new(),
        };
        for other in others {
            // Who is in a call that stopped is not in our code.
            if let Some(thread) = self.tracees.threads.get_mut(&other)
                && matches!(thread.doing, Doing::Nothing)
                && interrupt(other).is_ok()
            {
                thread.nudged = true;
                clearing.others.push(other);
            }
        }
        if clearing.others.is_empty() {
            return Some(clearing.stopped);
        }
        self.clearings.push(clearing);
        None
    }

    /// Whether somebody waits for that thread to leave our code.
    pub(in crate::tracer) fn is_to_leave(&self, tid: i32) -> bool {
        self.clearings.iter().any(|one| one.others.contains(&tid))
    }

    /// It has left our code, or is gone: any stop ends the one that was asked for (PTRACE_INTERRUPT, ptrace(2)).
    pub(in crate::tracer) fn has_left(&mut self, tid: i32) -> Result<(), Gone> {
        self.clearings.retain(|one| one.stopped.tid() != tid);
        for one in &mut self.clearings {
            one.others.retain(|other| *other != tid);
        }
        while let Some(at) = self.clearings.iter().position(|one| one.others.is_empty()) {
            let done = self.clearings.swap_remove(at);
            self.call_goes_on(done.stopped, done.arch, done.raw)?;
        }
        Ok(())
    }
}
