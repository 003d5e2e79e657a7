//! Threads that find no room for their records while the output is behind: they wait where they are, until there is.

use super::layout::trampoline;
use crate::tracer::abi;
use crate::tracer::engine::Engine;
use crate::tracer::stopped::{Gone, Stop, Stopped, SyscallInfo, Waited};

impl Engine {
    /// Keeps a thread that has stopped because there is no room for its record, if none can be made. Gives back any other.
    pub(in crate::tracer) fn stall(&mut self, next: Waited) -> Option<Waited> {
        let Waited::Stopped(stopped, Stop::Seccomp) = next else {
            return Some(next);
        };
        match self.waits_for_room(&stopped) {
            Ok(Some(site)) => {
                self.stalled.push((stopped, site));
                None
            }
            _ => Some(Waited::Stopped(stopped, Stop::Seccomp)),
        }
    }

    /// The site of a thread that waits for room.
    fn waits_for_room(&self, stopped: &Stopped) -> Result<Option<u64>, Gone> {
        let tid = stopped.tid();
        let Some(id) = self.space_of(tid) else {
            return Ok(None);
        };
        let full = self
            .recordings
            .get(&id)
            .is_some_and(|recording| recording.is_full() && recording.slot_of(tid).is_some());
        let injected = self.tracees.threads.get(&tid);
        let injected = injected.is_none_or(|thread| thread.injection.is_some() || thread.entered);
        if !full || injected {
            return Ok(None);
        }
        let SyscallInfo::Seccomp { ip, .. } = stopped.syscall_info()? else {
            return Ok(None);
        };
        let space = self.spaces.get(&id);
        let place = space.and_then(|space| space.trampoline_at(ip));
        Ok(place
            .filter(|(_, start)| ip == start + trampoline::BACK as u64)
            .map(|(site, _)| site))
    }

    /// Lets them go back to their sites, where their calls are recorded now.
    pub(in crate::tracer) fn unstall(&mut self) {
        for (stopped, site) in std::mem::take(&mut self.stalled) {
            if let Ok(mut registers) = stopped.registers() {
                abi::make_again(&mut registers);
                registers.rip = site;
                let _gone: Result<(), Gone> = stopped.set_registers(&registers);
            }
            self.entered_nothing(stopped.tid());
            self.resume(stopped, 0);
        }
    }

    /// A thread is gone, or its number is another's.
    pub(in crate::tracer) fn forget_stalled(&mut self, tid: i32) {
        self.stalled.retain(|(stopped, _)| stopped.tid() != tid);
    }
}
