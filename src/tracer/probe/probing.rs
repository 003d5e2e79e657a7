//! Where a program's threads meet our breakpoints: at its beginning, where its linker loads objects, where functions begin and return.

use std::os::unix::fs::FileExt;

use super::displaced::{self, Displaced};
use super::frames::{Frame, Frames};
use super::looking::KNOWN_BY;
use super::placing::Placed;
use super::points::{INT3, Points, Purpose};
use crate::library::{self, Function};
use crate::syscall::{Memory, Noting, Snapshot};
use crate::tracer::abi::Registers;
use crate::tracer::engine::Engine;
use crate::tracer::event::{Event, LibraryEvent, Phase};
use crate::tracer::memory::TraceeMemory;
use crate::tracer::recorder::patching::code_memory;
use crate::tracer::stopped::{Gone, Stopped};

/// SI_KERNEL (sigaction(2)): what int3's SIGTRAP says of its origin.
pub const BY_KERNEL: i32 = 0x80;

impl Engine {
    /// A thread has met a breakpoint, as far as SIGTRAP tells; gives it back where that is none of ours. `code` is its si_code.
    pub(in crate::tracer) fn trapped(
        &mut self,
        stopped: Stopped,
        code: i32,
    ) -> Result<Option<Stopped>, Gone> {
        let tid = stopped.tid();
        if code != BY_KERNEL || self.points(tid).is_none_or(Points::is_empty) {
            return Ok(Some(stopped));
        }
        let mut registers = stopped.registers()?;
        let site = registers.rip.wrapping_sub(1);
        let Some(points) = self.points(tid) else {
            return Ok(Some(stopped));
        };
        let begins = points.entry.is_some() && points.start.is_some_and(|it| it.entry == site);
        let purpose = points.get(site).map(|point| point.purpose.clone());
        let was = points.was(site);
        if !begins && purpose.is_none() {
            let mut now = [INT3];
            if was && TraceeMemory::of(tid).read(site, &mut now) == 1 && now != [INT3] {
                registers.rip = site;
                stopped.set_registers(&registers)?;
                self.resume(stopped, 0);
                return Ok(None);
            }
            return Ok(Some(stopped));
        }
        self.keep_trap_blocked(&stopped)?;
        if begins {
            return self.begins(stopped, registers).map(|()| None);
        }
        let purpose = purpose.unwrap_or_default();
        if purpose.linker {
            return self.linked(stopped, registers, site).map(|()| None);
        }
        if self.passes_again(tid, site, registers.rsp) {
            self.pass(&stopped, registers, site)?;
            self.resume(stopped, 0);
            return Ok(None);
        }
        if purpose.returns
            && let Some((returned, died)) =
                self.frames(tid).and_then(|it| it.pop(site, registers.rsp))
        {
            return self
                .returned(stopped, registers, site, returned, died)
                .map(|()| None);
        }
        match purpose.function {
            Some(function) => self.entered_function(stopped, registers, site, function)?,
            None => self.in_vain(stopped, registers, site)?,
        }
        Ok(None)
    }

    /// The linker is done: the program begins.
    fn begins(&mut self, stopped: Stopped, mut registers: Registers) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(stopped) = self.look_at_objects(stopped, &registers)? else {
            return Ok(());
        };
        let points = self.points(tid);
        let start = points.filter(|it| it.has_none()).and_then(|it| it.start);
        if let Some(start) = start.filter(|it| !it.swayed) {
            let header = TraceeMemory::of(tid)
                .bytes(start.header(), KNOWN_BY)
                .into_owned();
            self.plain.insert(header.into());
        }
        if let Some(points) = self.points_mut(tid)
            && let (Some(start), Some(original)) = (points.start, points.entry.take())
        {
            if let Some(code) = code_memory(tid) {
                let _unwritten = code.write_all_at(&[original], start.entry);
            }
            registers.rip = start.entry;
        }
        stopped.set_registers(&registers)?;
        self.resume(stopped, 0);
        Ok(())
    }

    /// The linker is about to change its list, or has changed it.
    fn linked(&mut self, stopped: Stopped, registers: Registers, site: u64) -> Result<(), Gone> {
        let Some(stopped) = self.look_at_objects(stopped, &registers)? else {
            return Ok(());
        };
        self.pass(&stopped, registers, site)?;
        self.resume(stopped, 0);
        Ok(())
    }

    /// A function begins.
    fn entered_function(
        &mut self,
        stopped: Stopped,
        registers: Registers,
        site: u64,
        function: &'static Function,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let memory = TraceeMemory::of(tid);
        let limit = self.config.limits.data;
        let noting = Noting::new(&memory);
        let invocation = library::enter(function, arguments(&registers), &noting, limit);
        let before = noting.into_snapshot();
        let aside = function.does.says_all_at_entry();
        let back = memory.word(registers.rsp).filter(|_| !aside);
        if let Some(back) = back {
            let purpose = Purpose {
                returns: true,
                ..Purpose::default()
            };
            let place = self.place(tid, back, purpose);
            if matches!(place, Placed::NoRoom) && self.may_map(tid) {
                return self.map_slots(stopped, &registers, back);
            }
        }
        let now = self.now();
        let mut events = Vec::new();
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            let pid = thread.pid;
            let event = |start, phase, invocation, before| LibraryEvent {
                pid,
                tid,
                start,
                time: now,
                phase,
                invocation,
                limit,
                before,
                memory: Snapshot::default(),
            };
            if aside {
                events.push(event(now, Phase::Aside, invocation, before));
            } else if let Some(back) = back {
                let frame = Frame {
                    back,
                    stack: registers.rsp.wrapping_add(8),
                    start: now,
                    invocation,
                    before: before.clone(),
                };
                let begun = event(now, Phase::Begins, frame.invocation.clone(), before);
                for dead in thread.frames.push(frame) {
                    events.push(event(dead.start, Phase::Lost, dead.invocation, dead.before));
                }
                events.push(begun);
            }
        }
        self.pass(&stopped, registers, site)?;
        self.tell_library(stopped, events);
        Ok(())
    }

    /// A function has returned, and those that `died` with it never will.
    fn returned(
        &mut self,
        stopped: Stopped,
        registers: Registers,
        site: u64,
        returned: Vec<Frame>,
        died: Vec<Frame>,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let memory = TraceeMemory::of(tid);
        let (now, limit) = (self.now(), self.config.limits.data);
        let pid = self.tracees.threads.get(&tid).map_or(tid, |it| it.pid);
        let event = |frame: Frame, phase, memory| LibraryEvent {
            pid,
            tid,
            start: frame.start,
            time: now,
            phase,
            invocation: frame.invocation,
            limit,
            before: frame.before,
            memory,
        };
        let mut events: Vec<LibraryEvent> = died
            .into_iter()
            .map(|it| event(it, Phase::Lost, Snapshot::default()))
            .collect();
        for mut frame in returned {
            let noting = Noting::new(&memory);
            let value = registers.rax as i64;
            library::leave(&mut frame.invocation, value, &noting, limit);
            events.push(event(frame, Phase::Ends, noting.into_snapshot()));
        }
        self.pass(&stopped, registers, site)?;
        self.tell_library(stopped, events);
        Ok(())
    }

    /// A breakpoint at a return that nobody has waited for: as long as that is so, it is taken away.
    fn in_vain(
        &mut self,
        stopped: Stopped,
        mut registers: Registers,
        site: u64,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let space = self.space_of(tid);
        let awaited = self.tracees.threads.values().any(|thread| {
            let process = self.tracees.processes.get(&thread.pid);
            process.map(|it| it.space) == space && thread.frames.awaits(site)
        });
        if awaited {
            self.pass(&stopped, registers, site)?;
        } else {
            self.take_away(tid, site);
            registers.rip = site;
            stopped.set_registers(&registers)?;
        }
        self.resume(stopped, 0);
        Ok(())
    }

    fn tell_library(&mut self, stopped: Stopped, events: Vec<LibraryEvent>) {
        let hidden = self
            .pid_of(stopped.tid())
            .is_none_or(|it| self.tracees.hidden(it));
        let mut held = Some(self.hold(stopped, 0));
        if !hidden {
            let last = events.len().saturating_sub(1);
            for (at, event) in events.into_iter().enumerate() {
                let held = if at == last { held.take() } else { None };
                self.outbox.send(Event::Library(Box::new(event)), held);
            }
        }
        held.into_iter().for_each(|held| held.resume());
    }

    /// The thread goes on behind a breakpoint, as if that was not there.
    fn pass(&mut self, stopped: &Stopped, mut registers: Registers, site: u64) -> Result<(), Gone> {
        let tid = stopped.tid();
        let displaced = self.points(tid).and_then(|it| it.get(site));
        match displaced.map(|point| point.displaced.clone()) {
            Some(Displaced::Slot { slot, .. }) => registers.rip = slot,
            Some(Displaced::Call { call, next }) => {
                let memory = TraceeMemory::of(tid);
                let called = displaced::call(&call, &mut registers, &memory)
                    .filter(|()| memory.write(registers.rsp, &next.to_ne_bytes()));
                if called.is_none() {
                    // It fails as it would have failed.
                    registers = stopped.registers()?;
                    self.take_away(tid, site);
                    registers.rip = site;
                }
            }
            None => registers.rip = site,
        }
        stopped.set_registers(&registers)
    }

    /// A signal is about to be delivered: whoever looks at the thread is to find it in the program, not in a slot of ours.
    pub(in crate::tracer) fn settle_in_slot(&mut self, stopped: &Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        if self.points(tid).is_none_or(Points::is_empty) {
            return Ok(());
        }
        let mut registers = stopped.registers()?;
        let Some(place) = self.points(tid).and_then(|it| it.place_of(registers.rip)) else {
            return Ok(());
        };
        registers.rip = place;
        let again = self.points(tid).is_some_and(|it| it.get(place).is_some());
        if again && let Some(frames) = self.frames(tid) {
            frames.again = Some((place, registers.rsp));
        }
        stopped.set_registers(&registers)
    }

    /// Whether the thread comes to a breakpoint again that it had met before a signal came.
    fn passes_again(&mut self, tid: i32, site: u64, stack: u64) -> bool {
        let Some(frames) = self.frames(tid) else {
            return false;
        };
        let again = frames.again == Some((site, stack));
        if again {
            frames.again = None;
        }
        again
    }

    /// A trap that was blocked is made deadly by the kernel, and unblocked (force_sig in kernel/signal.c). Nobody blocks all signals but
    /// this one, so where that is what we see, it was blocked too.
    fn keep_trap_blocked(&self, stopped: &Stopped) -> Result<(), Gone> {
        const TRAP: u64 = 1 << (libc::SIGTRAP - 1);
        const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
        const CLASSIC: u64 = (1 << 31) - 1;
        let mask = stopped.signal_mask()?;
        if mask & TRAP == 0 && mask | TRAP | UNBLOCKABLE | !CLASSIC == u64::MAX {
            stopped.set_signal_mask(mask | TRAP)?;
        }
        Ok(())
    }

    pub(super) fn frames(&mut self, tid: i32) -> Option<&mut Frames> {
        Some(&mut self.tracees.threads.get_mut(&tid)?.frames)
    }

    pub(super) fn pid_of(&self, tid: i32) -> Option<i32> {
        Some(self.tracees.threads.get(&tid)?.pid)
    }
}

/// The registers that hold a function's first arguments.
fn arguments(registers: &Registers) -> library::Arguments {
    [
        registers.rdi,
        registers.rsi,
        registers.rdx,
        registers.rcx,
        registers.r8,
        registers.r9,
    ]
}
