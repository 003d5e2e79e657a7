//! Where a program's threads meet our breakpoints: at its beginning, where its linker loads objects, where functions begin and return.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::displaced::{self, Displaced, LONGEST, displace, needs_no_slot};
use super::frames::{Frame, Frames};
use super::objects::{self, Object, word};
use super::points::{INT3, Point, Points, Purpose};
use super::slots::Slots;
use super::symbols::{self, Symbols};
use crate::library::{self, Family, Function, Said};
use crate::syscall::{Memory, Noting, Snapshot};
use crate::tracer::abi::{self, Registers};
use crate::tracer::engine::Engine;
use crate::tracer::event::{Event, LibraryEvent, Phase};
use crate::tracer::inject::{Then, Work};
use crate::tracer::memory::TraceeMemory;
use crate::tracer::procfs;
use crate::tracer::recorder::patching::code_memory;
use crate::tracer::recorder::space::{Mapping, Space};
use crate::tracer::stopped::{Gone, Stopped};
use crate::tracer::tracees::CallByCall;

/// SI_KERNEL (sigaction(2)): what int3's SIGTRAP says of its origin.
pub const BY_KERNEL: i32 = 0x80;

/// The first bytes of an object by which its file is known again: its headers, and as a rule its build id.
const KNOWN_BY: usize = 1024;

/// Which functions are probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The resolver's.
    pub resolver: bool,
    /// TLS libraries'.
    pub tls: bool,
    /// The C library's socket functions.
    pub sockets: bool,
}

impl Probed {
    /// Whether there are any.
    pub fn any(self) -> bool {
        self.resolver || self.tls || self.sockets
    }

    fn wants(self, family: Family) -> bool {
        match family {
            Family::Resolver | Family::Cares => self.resolver,
            Family::OpenSsl | Family::GnuTls | Family::Nss => self.tls,
            Family::Sockets => self.sockets,
        }
    }
}

/// What became of a breakpoint that was to be set.
enum Placed {
    Stands,
    NoRoom,
    Cannot,
}

impl Engine {
    /// A process has become a program, which begins with these registers: it is to stop once its linker is done.
    pub(in crate::tracer) fn watch_beginning(&mut self, tid: i32, registers: &Registers) {
        let probed = self.config.probed;
        if !probed.any() || abi::is_32_bit(registers) {
            return;
        }
        let memory = TraceeMemory::of(tid);
        let Some(start) = objects::start(&memory, registers.rsp) else {
            return;
        };
        let header = memory.bytes(start.header(), KNOWN_BY);
        // The linker gives a program the same objects again, unless it is told otherwise.
        if self.plain.contains(&header[..]) && !start.swayed {
            return;
        }
        let program = self.known_program(tid, &header);
        let functions = &program.functions;
        if start.linker == 0 && !functions.iter().any(|(_, it)| probed.wants(it.family)) {
            return;
        }
        let mut original = [0];
        // What forces a signal through a disposition changes that for good.
        if procfs::forces(tid, libc::SIGTRAP) {
            return;
        }
        let set = memory.read(start.entry, &mut original) == 1
            && original != [INT3]
            && code_memory(tid).is_some_and(|code| code.write_all_at(&[INT3], start.entry).is_ok());
        if let Some(points) = self.points_mut(tid)
            && set
        {
            points.start = Some(start);
            points.entry = Some(original[0]);
            points.program = Some(program);
        }
    }

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
            && let Some((frame, dead)) = self.frames(tid).and_then(|it| it.pop(site, registers.rsp))
        {
            return self
                .returned(stopped, registers, site, frame, dead)
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
        let back = word(&memory, registers.rsp).filter(|_| !aside);
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
                let wanted = invocation.said != Said::Nothing
                    && (function.does != library::Does::Certificate
                        || thread.frames.is_in_handshake());
                events.extend(wanted.then(|| event(now, Phase::Aside, invocation, before)));
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
        frame: Vec<Frame>,
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
        for mut frame in frame {
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
            if let Some(original) = self.points_mut(tid).and_then(|it| it.remove(site))
                && let Some(code) = code_memory(tid)
            {
                let _unwritten = code.write_all_at(&[original], site);
            }
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

    /// The program is about to change what it does about the signal that breakpoints raise: where it ignores that, each would change its
    /// mind.
    pub(in crate::tracer) fn watch_traps(&mut self, tid: i32, action: u64) {
        let handler = word(&TraceeMemory::of(tid), action);
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

    fn take_away(&mut self, tid: i32, site: u64) {
        if let Some(original) = self.points_mut(tid).and_then(|it| it.remove(site))
            && let Some(code) = code_memory(tid)
        {
            let _unwritten = code.write_all_at(&[original], site);
        }
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

    /// Looks through the objects that are loaded, and sets breakpoints where there are functions to probe. Gives the thread back where
    /// that is done; else it is mapping memory first, and comes to the same breakpoint once more.
    fn look_at_objects(
        &mut self,
        stopped: Stopped,
        registers: &Registers,
    ) -> Result<Option<Stopped>, Gone> {
        let tid = stopped.tid();
        let memory = TraceeMemory::of(tid);
        let Some(start) = self.points(tid).and_then(|it| it.start) else {
            return Ok(Some(stopped));
        };
        let program = objects::program(&memory, &start);
        let mut called = None;
        if let Some(program) = program.filter(|_| start.linker != 0)
            && let Some(address) = objects::rendezvous_address(&memory, program)
            && let Some(rendezvous) = objects::rendezvous(&memory, address)
            && rendezvous.consistent
        {
            called = Some(rendezvous.called);
            let loaded = objects::objects(&memory, rendezvous.first);
            self.forget_unloaded(tid, &loaded);
            for object in loaded {
                let is_program = object == program;
                let header = if is_program {
                    start.header()
                } else {
                    object.base
                };
                self.know_object(tid, &memory, object, header);
            }
        }
        let base = program.map_or(0, |it| it.base);
        let mut wanted = self.wanted_points(tid, base);
        let loads = |points: &Points| points.objects.values().any(|it| it.loads);
        if (!wanted.is_empty() || self.points(tid).is_some_and(loads))
            && let Some(called) = called
        {
            let linker = Purpose {
                linker: true,
                ..Purpose::default()
            };
            wanted.push((called, linker));
        }
        for (site, purpose) in wanted {
            if matches!(self.place(tid, site, purpose), Placed::NoRoom) && self.may_map(tid) {
                self.map_slots(stopped, registers, site)?;
                return Ok(None);
            }
        }
        Ok(Some(stopped))
    }

    /// The breakpoints that the functions of the known objects take. What is only there to be called is of no interest where nobody
    /// calls it: every program has the C library's resolver.
    fn wanted_points(&self, tid: i32, base: u64) -> Vec<(u64, Purpose)> {
        let probed = self.config.probed;
        let Some(points) = self.points(tid) else {
            return Vec::new();
        };
        let asked = |family: Family| {
            let mut all = points.objects.values();
            family.is_tls() || all.any(|symbols| symbols.asks.contains(&family))
        };
        let program = points.program.iter().map(|symbols| (base, symbols));
        let objects = points.objects.iter();
        let all = objects
            .map(|(object, symbols)| (object.base, symbols))
            .chain(program.clone());
        let mut wanted = Vec::new();
        for (base, symbols) in all {
            let own = program.clone().any(|(_, it)| Arc::ptr_eq(it, symbols));
            for (address, function) in &symbols.functions {
                let site = base.wrapping_add(*address);
                let family = function.family;
                if probed.wants(family) && (own || asked(family)) {
                    let purpose = Purpose {
                        function: Some(function),
                        ..Purpose::default()
                    };
                    wanted.push((site, purpose));
                }
            }
        }
        wanted.sort_unstable_by_key(|(site, _)| *site);
        wanted
    }

    /// Sets a breakpoint, if none stands there.
    fn place(&mut self, tid: i32, site: u64, purpose: Purpose) -> Placed {
        let Some(points) = self.points_mut(tid).filter(|it| !it.off) else {
            return Placed::Cannot;
        };
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

    /// Whether a thread can be made to map memory now.
    fn may_map(&self, tid: i32) -> bool {
        let process = self
            .pid_of(tid)
            .and_then(|it| self.tracees.processes.get(&it));
        let sandboxed = process.is_none_or(|it| it.call_by_call == CallByCall::ForGood);
        let full = self.points(tid).is_none_or(|it| it.full);
        !(full || sandboxed && self.filtered)
    }

    /// Makes the thread map memory for slots near an address; then it comes to the same breakpoint once more.
    fn map_slots(
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

    /// Learns what is in an object whose file begins at `header`, if it has not been looked at.
    fn know_object(&mut self, tid: i32, memory: &TraceeMemory, object: Object, header: u64) {
        if self
            .points(tid)
            .is_none_or(|it| it.objects.contains_key(&object))
        {
            return;
        }
        let symbols = match self.known(memory, header) {
            Ok(symbols) => symbols,
            Err(key) => {
                let symbols = Arc::new(symbols::dynamic(memory, object));
                if let Some(key) = key {
                    self.files.insert(key, Arc::clone(&symbols));
                }
                symbols
            }
        };
        if let Some(points) = self.points_mut(tid) {
            points.objects.insert(object, symbols);
        }
    }

    /// What is known of the file that is mapped there; else by what it will be known again.
    fn known(&self, memory: &TraceeMemory, header: u64) -> Result<Arc<Symbols>, Option<Box<[u8]>>> {
        let bytes = memory.bytes(header, KNOWN_BY);
        if !bytes.starts_with(b"\x7fELF") {
            return Err(None);
        }
        match self.files.get(&bytes[..]) {
            Some(symbols) => Ok(Arc::clone(symbols)),
            None => Err(Some(bytes.into())),
        }
    }

    /// What a program's file says of its own functions.
    fn known_program(&mut self, tid: i32, header: &[u8]) -> Arc<Symbols> {
        // What its table says is kept apart from what it says when it is loaded.
        let key = [header, &[0]].concat();
        if let Some(known) = self.files.get(&key[..]) {
            return Arc::clone(known);
        }
        let path = PathBuf::from(format!("/proc/{tid}/exe"));
        let symbols = Arc::new(symbols::of_file(&path));
        self.files.insert(key.into(), Arc::clone(&symbols));
        symbols
    }

    /// Forgets what was in objects that are gone.
    fn forget_unloaded(&mut self, tid: i32, loaded: &[Object]) {
        let Some(points) = self.points(tid) else {
            return;
        };
        let gone: Vec<Object> = points
            .objects
            .keys()
            .filter(|it| !loaded.contains(it))
            .copied()
            .collect();
        if gone.is_empty() {
            return;
        }
        let maps: Vec<Mapping> = procfs::mappings(tid);
        let Some(points) = self.points_mut(tid) else {
            return;
        };
        for object in gone {
            points.objects.remove(&object);
        }
        // Where nothing is mapped any more, nothing of ours is.
        points.forget_outside(&maps);
    }

    pub(in crate::tracer) fn points(&self, tid: i32) -> Option<&Points> {
        let id = self.space_of(tid)?;
        Some(&self.spaces.get(&id)?.points)
    }

    pub(in crate::tracer) fn points_mut(&mut self, tid: i32) -> Option<&mut Points> {
        let id = self.space_of(tid)?;
        self.spaces
            .get_mut(&id)
            .map(|space: &mut Space| &mut space.points)
    }

    fn frames(&mut self, tid: i32) -> Option<&mut Frames> {
        Some(&mut self.tracees.threads.get_mut(&tid)?.frames)
    }

    fn pid_of(&self, tid: i32) -> Option<i32> {
        Some(self.tracees.threads.get(&tid)?.pid)
    }
}

fn written(code: &File, byte: u8, site: u64) -> Placed {
    match code.write_all_at(&[byte], site) {
        Ok(()) => Placed::Stands,
        Err(_) => Placed::Cannot,
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
