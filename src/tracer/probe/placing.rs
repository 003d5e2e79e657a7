//! Setting breakpoints, with the memory that this takes, and taking them away.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::displaced::{self, LONGEST, displace, needs_no_slot};
use super::points::{INT3, Point, Points, Purpose};
use super::probing::BY_KERNEL;
use super::slots::Slots;
use crate::syscall::Memory;
use crate::tracer::abi::{self, Registers};
use crate::tracer::engine::Engine;
use crate::tracer::inject::{Then, Work};
use crate::tracer::memory::TraceeMemory;
use crate::tracer::recorder::patching::code_memory;
use crate::tracer::stopped::{Gone, Stopped};
use crate::tracer::tracees::CallByCall;

/// What became of a breakpoint that was to be set.
pub enum Placed {
    Stands,
    NoRoom,
    Cannot,
}

impl Engine {
    /// Sets a breakpoint, if none stands there.
    pub(super) fn place(&mut self, tid: i32, site: u64, purpose: Purpose) -> Placed {
        let Some(points) = self.points_mut(tid).filter(|it| !it.off) else {
            return Placed::Cannot;
        };
        if points.get(site).is_none() && points.are_many() {
            return Placed::Cannot;
        }
        if let Some(point) = points.get_mut(site) {
            point.purpose.returns |= purpose.returns;
            point.purpose.linker |= purpose.linker;
            point.purpose.function = point.purpose.function.or(purpose.function);
            return Placed::Stands;
        }
        let mut bytes = [0; LONGEST];
        let read = TraceeMemory::of(tid).read(site, &mut bytes);
        let bytes = &mut bytes[..read];
        points.without(bytes, site);
        let Some(instruction) = displaced::instruction(bytes, site) else {
            return Placed::Cannot;
        };
        let Some(code) = code_memory(tid) else {
            return Placed::Cannot;
        };
        if points.put_back(site) {
            return written(&code, INT3, site);
        }
        let slot = match points.room_near(site) {
            Some(slot) => slot,
            None if needs_no_slot(&instruction) => 0,
            None => return Placed::NoRoom,
        };
        let Some((displaced, made)) = displace(instruction, slot) else {
            return Placed::Cannot;
        };
        if !made.is_empty() && code.write_all_at(&made, slot).is_err() {
            return Placed::Cannot;
        }
        points.add(
            site,
            Point {
                original: bytes[0],
                purpose,
                displaced,
            },
        );
        written(&code, INT3, site)
    }

    pub(super) fn take_away(&mut self, tid: i32, site: u64) {
        if let Some(original) = self.points_mut(tid).and_then(|it| it.remove(site))
            && let Some(code) = code_memory(tid)
        {
            let _unwritten = code.write_all_at(&[original], site);
        }
    }

    /// Whether a thread can be made to map memory now.
    pub(super) fn may_map(&self, tid: i32) -> bool {
        let process = self
            .pid_of(tid)
            .and_then(|it| self.tracees.processes.get(&it));
        let sandboxed = process.is_none_or(|it| it.call_by_call == CallByCall::ForGood);
        let full = self.points(tid).is_none_or(|it| it.full);
        !(full || sandboxed && self.filtered)
    }

    /// Makes the thread map memory for slots near an address; then it comes to the same breakpoint once more.
    pub(super) fn map_slots(
        &mut self,
        stopped: Stopped,
        registers: &Registers,
        near: u64,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let vdso = self
            .points(tid)
            .and_then(|it| it.start)
            .map_or(0, |it| it.vdso);
        let Some(site) = self.call_site(tid, vdso) else {
            if let Some(points) = self.points_mut(tid) {
                points.full = true;
            }
            self.remark_on(tid, "has no instruction by which we could map memory: functions of libraries are not shown");
            let _ours = self.trapped(stopped, BY_KERNEL)?;
            return Ok(());
        };
        let work = Work::Slots(Slots::near(near));
        self.inject_at(stopped, registers, site, work, Then::Trapped)
    }

    /// An instruction of the kernel's own object that makes calls.
    fn call_site(&mut self, tid: i32, vdso: u64) -> Option<u64> {
        const LEN: usize = 16 << 10;
        if vdso == 0 {
            return None;
        }
        if self.vdso_call.is_none() {
            let memory = TraceeMemory::of(tid);
            let code = memory.bytes(vdso, LEN);
            let at = code
                .windows(abi::CALL.len())
                .rposition(|it| it == abi::CALL);
            self.vdso_call = at.map(|at| at as u64);
        }
        Some(vdso + self.vdso_call?)
    }

    /// The program is about to change what it does about the signal that breakpoints raise: where it ignores that, each would change its
    /// mind.
    pub(in crate::tracer) fn watch_traps(&mut self, tid: i32, action: u64) {
        let handler = TraceeMemory::of(tid).word(action);
        let ignores = handler == Some(libc::SIG_IGN as u64);
        if !ignores || self.points(tid).is_none_or(Points::is_empty) {
            return;
        }
        let sites = self.points(tid).map_or_else(Vec::new, Points::sites);
        for site in sites {
            self.take_away(tid, site);
        }
        if let Some(points) = self.points_mut(tid) {
            points.off = true;
        }
        self.remark_on(tid, "ignores SIGTRAP: functions of libraries are not shown");
    }

    pub(in crate::tracer) fn points(&self, tid: i32) -> Option<&Points> {
        let id = self.space_of(tid)?;
        Some(&self.spaces.get(&id)?.points)
    }

    pub(in crate::tracer) fn points_mut(&mut self, tid: i32) -> Option<&mut Points> {
        let id = self.space_of(tid)?;
        self.spaces.get_mut(&id).map(|space| &mut space.points)
    }
}

fn written(code: &File, byte: u8, site: u64) -> Placed {
    match code.write_all_at(&[byte], site) {
        Ok(()) => Placed::Stands,
        Err(_) => Placed::Cannot,
    }
}
