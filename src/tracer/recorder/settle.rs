//! Threads that stop amid our code: whoever looks at them next, a signal's handler above all, is to find them at their own site, as if
//! the call was about to be made, or had just been made.

use super::layout::{CODE_SIZE, FLAGS_SHIFT, flag, flags, record, slot, state, trampoline};
use super::layout::{IS_BEFORE, SHARED, SLOTS_END};
use super::patching::repair;
use super::record::{Pieces, Record, outcome};
use super::recording::Recording;
use super::space::SpaceId;
use super::stub::{self, labels};
use crate::syscall::{MESSAGE_HEADER, Memory, Raw};
use crate::tracer::abi::{self, Registers};
use crate::tracer::calls::ERESTART_RESTARTBLOCK;
use crate::tracer::engine::Engine;
use crate::tracer::inject::Then;
use crate::tracer::memory::TraceeMemory;
use crate::tracer::places::{PAGE, PASSING_PAGE};
use crate::tracer::procfs;
use crate::tracer::stopped::{Gone, Stopped};

/// The length of the instruction that makes calls.
const CALL: u64 = abi::CALL.len() as u64;

/// Signals of faults. Where a thread blocks or ignores them, the kernel makes them deadly.
pub(in crate::tracer) const FAULTS: [i32; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// TRAP_TRACE (sigaction(2)): a program steps through itself.
const TRAP_TRACE: i32 = 2;

impl Engine {
    /// Moves a thread that a signal finds in our code to its own site. Returns whether the signal was an affair of ours, and is not to
    /// be delivered. `code` is its si_code.
    pub(in crate::tracer) fn settle(
        &mut self,
        stopped: &Stopped,
        signal: i32,
        code: i32,
    ) -> Result<bool, Gone> {
        let tid = stopped.tid();
        let Some(id) = self.space_of(tid) else {
            return Ok(false);
        };
        let Some(space) = self.spaces.get(&id).filter(|space| space.has_code) else {
            return Ok(false);
        };
        let mut registers = stopped.registers()?;
        let rip = registers.rip;
        let by_kernel = code > 0;
        if signal == libc::SIGTRAP
            && by_kernel
            && let Some(patch) = space.patch(rip.wrapping_sub(1))
        {
            // It came while the site was being written, or is a child made meanwhile.
            repair(tid, patch, space.off);
            registers.rip = patch.site;
            return stopped.set_registers(&registers).map(|()| true);
        }
        if let Some(site) = space.padded_at(rip) {
            registers.rip = site;
        } else if let Some((site, start)) = space.trampoline_at(rip) {
            match rip - start < trampoline::BACK as u64 {
                true => registers.rip = site,
                false => return_to(&mut registers, site),
            }
        } else if let Some(offset) = rip.checked_sub(PASSING_PAGE).filter(|at| *at < CODE_SIZE) {
            let faults = by_kernel && FAULTS.contains(&signal);
            if faults && let Some(on) = handled_fault(offset as u32) {
                registers.rip = PASSING_PAGE + u64::from(on);
                return stopped.set_registers(&registers).map(|()| true);
            }
            self.settle_in_code(tid, id, offset as u32, &mut registers);
            if faults {
                self.unpatch(tid, "it has changed memory of ours");
                return stopped.set_registers(&registers).map(|()| true);
            }
        } else {
            return Ok(false);
        }
        if signal == libc::SIGSYS {
            stopped.set_call_address(registers.rip)?;
        }
        if signal == libc::SIGTRAP && code == TRAP_TRACE {
            self.unpatch(tid, "it steps through its own code");
        }
        stopped.set_registers(&registers).map(|()| false)
    }

    /// A thread that stops for long leaves no record half written: all that come after it wait for it.
    pub(in crate::tracer) fn settle_writer(&mut self, stopped: &Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        let at = labels();
        let Some(id) = self
            .space_of(tid)
            .filter(|id| self.recordings.contains_key(id))
        else {
            return Ok(());
        };
        let mut registers = stopped.registers()?;
        let offset = registers.rip.wrapping_sub(PASSING_PAGE);
        if !(u64::from(at.back)..u64::from(at.restored)).contains(&offset) {
            return Ok(());
        }
        self.settle_in_code(tid, id, offset as u32, &mut registers);
        stopped.set_registers(&registers)
    }

    fn settle_in_code(&mut self, tid: i32, id: SpaceId, offset: u32, registers: &mut Registers) {
        let at = labels();
        let early = offset < at.sited || (at.divert..at.diverted).contains(&offset);
        let slot = self
            .recordings
            .get(&id)
            .and_then(|recording| recording.slot_of(tid));
        let Some((recording, index)) = self.recordings.get(&id).zip(slot).filter(|_| !early) else {
            self.settle_on_the_way(id, offset, registers);
            return;
        };
        let field = |field| recording.shared.slot_field(index, field);
        let number = field(slot::RECORD + record::NUMBER);
        let args: [u64; 6] = std::array::from_fn(|at| field(slot::RECORD + record::ARGS + at * 8));
        let space = self.spaces.get(&id);
        let packed = field(slot::SITE);
        let Some((site, _)) = space.and_then(|space| space.trampoline_at(unpack(packed))) else {
            return;
        };
        let value = field(slot::RECORD + record::VALUE);
        if (at.ready..=at.call).contains(&offset) {
            // The call has not been made.
            registers.rax = number;
            registers.rdx = args[2];
            if stub::traits(number) & flag::CLOSES != 0 {
                recording.set_socket(args[0] as i32, true);
            }
            recording.shared.set_state(index, state::IDLE);
            restore_flags(registers, packed);
            registers.rip = site;
        } else if (at.called..at.restored).contains(&offset) {
            let value = if offset == at.called {
                registers.rax
            } else {
                value
            };
            if offset > at.back {
                registers.r11 = field(slot::FLAGS);
            }
            self.finish_record(tid, id, index, offset, value, registers.rdx);
            if offset != at.called {
                restore(registers, args, value);
            }
            restore_flags_from_r11(registers, packed);
            return_to(registers, site);
            let _later = self.wants_filter(tid, false);
        } else if (at.passed..at.bad).contains(&offset) {
            if offset > at.passing {
                registers.r11 = field(slot::FLAGS);
            }
            restore_flags_from_r11(registers, packed);
            return_to(registers, site);
        } else if (at.notify..at.rows()).contains(&offset) || u64::from(offset) >= PAGE {
            registers.r11 = field(slot::FLAGS);
            restore(registers, args, value);
            restore_flags_from_r11(registers, packed);
            return_to(registers, site);
            let _later = self.wants_filter(tid, false);
        } else {
            if offset >= at.passed {
                registers.rax = number;
                registers.orig_rax = u64::MAX;
            }
            restore_flags(registers, packed);
            registers.rip = site;
        }
    }

    /// A thread that has not come to its slot, or has left it behind.
    fn settle_on_the_way(&mut self, id: SpaceId, offset: u32, registers: &mut Registers) {
        let at = labels();
        let (rax, r11) = (registers.rax, registers.r11);
        let mut trampoline = registers.rcx;
        if (at.putting_aside..at.packing).contains(&offset) {
            registers.rax = r11;
        } else if (at.packing + 1..at.packed).contains(&offset) {
            restore_flags(registers, r11);
        } else if (at.packed..at.sited).contains(&offset)
            || (at.divert..at.unpacked).contains(&offset)
        {
            trampoline = unpack(r11);
            restore_flags(registers, r11);
        } else if offset == at.unpacked {
            restore_flags(registers, r11 << FLAGS_SHIFT);
        } else if (at.unpacked + 1..at.flags_restored).contains(&offset) {
            registers.rax = r11;
            // Where overflow was, it is being made anew.
            let overflow = u64::from(rax as u8 == 1 || rax as u8 > 127);
            restore_flags(registers, (rax & 0xff00 | overflow) << FLAGS_SHIFT);
        }
        let space = self.spaces.get(&id);
        if let Some((site, _)) = space.and_then(|space| space.trampoline_at(trampoline)) {
            registers.rip = site;
        }
    }

    /// A call was made whose record is not complete yet: that is done in the thread's name.
    fn finish_record(
        &mut self,
        tid: i32,
        id: SpaceId,
        index: usize,
        offset: u32,
        value: u64,
        rdx: u64,
    ) {
        let at = labels();
        let Some(recording) = self.recordings.get_mut(&id) else {
            return;
        };
        let how_far = recording.shared.state(index);
        let bytes = recording.in_slot(index);
        let position = match how_far {
            state::RESERVED => Some(recording.shared.slot_field(index, slot::POSITION)),
            state::RESERVING if offset >= at.reserved => Some(rdx),
            _ => None,
        };
        if let Some(position) = position {
            recording.complete(position, &bytes);
            recording.shared.set_state(index, state::IDLE);
            self.take_records();
            return;
        }
        if how_far == state::IDLE {
            return;
        }
        let before = kept(recording, index);
        recording.shared.set_state(index, state::IDLE);
        let Some(one) = recording.slots[index].as_mut() else {
            return;
        };
        let known = one.take_known();
        let Some(mut record) = Record::read(&bytes) else {
            return;
        };
        if how_far == state::RESERVING {
            self.tell_record(known, &record, &record.before(), &record.after());
            return;
        }
        record.outcome = outcome(value as i64);
        record.inode = 0;
        if how_far == state::CALLING {
            record.end = 0;
        }
        if stub::traits(record.raw.number) & flag::OPENS != 0
            && let Some(fd) = record.outcome.value()
        {
            recording.set_socket(fd as i32, true);
        }
        let number = record.raw.number;
        let before = Pieces::of(&before, true);
        if value as i64 == -ERESTART_RESTARTBLOCK
            && let Some(row) = crate::syscall::row(number)
            && let Some(thread) = self.tracees.threads.get_mut(&tid)
        {
            thread.interrupted = Some(crate::syscall::enter(row, record.raw, &before));
        }
        self.tell_record(known, &record, &before, &TraceeMemory::of(tid));
    }

    /// A call is about to be made, or to be let pass, by our code or one of its trampolines; gives back what goes the usual way.
    pub(in crate::tracer) fn entered_from_ours(
        &mut self,
        stopped: Stopped,
        ip: u64,
        arch: u32,
        raw: Raw,
    ) -> Result<Option<Stopped>, Gone> {
        let tid = stopped.tid();
        let offset = match self.has_code(tid) {
            true => ip.wrapping_sub(PASSING_PAGE),
            false => u64::MAX,
        };
        if offset < PAGE {
            // It tells of this one itself.
            self.resume(stopped, 0);
            return Ok(None);
        }
        if offset < CODE_SIZE {
            self.notified(stopped, arch, raw)?;
            return Ok(None);
        }
        let site = match self.space_of(tid).and_then(|id| {
            let (site, _) = self.spaces.get(&id)?.trampoline_at(ip)?;
            Some((id, site))
        }) {
            Some((id, site)) => {
                if self.give_slot(&stopped, id)? {
                    return Ok(Some(stopped));
                }
                site
            }
            None => ip.wrapping_sub(CALL),
        };
        if self.wants_recorder(tid, site, &raw) {
            // As long as a filter is missing, every call stops all the same.
            let open = self.process_of(tid).is_some_and(|it| it.coverage.is_open());
            if open && let Some(scope) = self.next_scope(tid) {
                self.add_filter(stopped, scope, Then::Call(arch, raw))?;
                return Ok(None);
            }
            self.set_recorder_up(stopped, site, arch, raw)?;
            return Ok(None);
        }
        Ok(Some(stopped))
    }

    /// Gives a thread a slot, if it has none, so that its next calls are recorded. Whether there is a recorder at all.
    fn give_slot(&mut self, stopped: &Stopped, id: SpaceId) -> Result<bool, Gone> {
        let tid = stopped.tid();
        let table = self.tracees.threads.get(&tid).map(|thread| thread.table);
        let Some(recording) = self.recordings.get_mut(&id) else {
            return Ok(false);
        };
        if !recording.is_on() || table != Some(recording.table) {
            return Ok(true);
        }
        let now = stopped.thread_base()?;
        let mine = recording.slot_of(tid).map(|index| recording.address(index));
        if mine == Some(now) || now != 0 && !is_slot(now) {
            // It has one, and stops for another reason; or the register is the program's.
            return Ok(true);
        }
        let careful = FAULTS.iter().any(|signal| procfs::forces(tid, *signal));
        if let Some(index) = recording.assign(tid, careful) {
            stopped.set_thread_base(recording.address(index))?;
        }
        Ok(true)
    }

    /// A new thread has its maker's registers; and a child its maker's memory, but for the part that is shared with us.
    pub(in crate::tracer) fn give_own_slot(&mut self, stopped: &Stopped) -> Result<(), Gone> {
        if self.recordings.is_empty() || !is_slot(stopped.thread_base()?) {
            return Ok(());
        }
        stopped.set_thread_base(0)?;
        match self.space_of(stopped.tid()) {
            Some(id) => self.give_slot(stopped, id).map(drop),
            None => Ok(()),
        }
    }

    /// The program changes what it does about faults.
    pub(in crate::tracer) fn watch_faults(&self, tid: i32, action: u64) {
        let mut handler = [0; 8];
        let read = TraceeMemory::of(tid).read(action, &mut handler);
        let ignores = read == handler.len() && usize::from_ne_bytes(handler) == libc::SIG_IGN;
        let recording = self.space_of(tid).and_then(|id| self.recordings.get(&id));
        if let Some(recording) = recording.filter(|_| ignores) {
            recording.be_careful();
        }
    }

    /// The program uses for itself the register by which we know its threads.
    pub(in crate::tracer) fn leave_thread_base(
        &mut self,
        stopped: &Stopped,
        command: u64,
    ) -> Result<(), Gone> {
        if [abi::ARCH_SET_GS, abi::ARCH_GET_GS].contains(&(command as u32)) {
            self.no_recorder(stopped.tid(), "it uses the gs register");
            if is_slot(stopped.thread_base()?) {
                stopped.set_thread_base(0)?;
            }
        }
        Ok(())
    }

    /// The thread no longer shares its descriptors with those that record.
    pub(in crate::tracer) fn take_slot(&mut self, stopped: &Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        let recording = self
            .space_of(tid)
            .and_then(|id| self.recordings.get_mut(&id));
        if let Some(recording) = recording
            && let Some(index) = recording.slot_of(tid)
        {
            recording.slots[index] = None;
            stopped.set_thread_base(0)?;
        }
        Ok(())
    }

    /// A call that was recorded has made a socket that no filter covers.
    fn notified(&mut self, stopped: Stopped, arch: u32, raw: Raw) -> Result<(), Gone> {
        let tid = stopped.tid();
        if self.wants_filter(tid, false)
            && let Some(scope) = self.next_scope(tid)
        {
            return self.add_filter(stopped, scope, Then::Call(arch, raw));
        }
        let mut registers = stopped.registers()?;
        if let Some(id) = self.space_of(tid)
            && let Some(recording) = self.recordings.get(&id)
            && let Some(index) = recording.slot_of(tid)
            && let Some(space) = self.spaces.get(&id)
        {
            let field = |field| recording.shared.slot_field(index, field);
            let packed = field(slot::SITE);
            if let Some((site, _)) = space.trampoline_at(unpack(packed)) {
                return_to(&mut registers, site);
            }
            registers.r11 = field(slot::FLAGS);
            restore_flags_from_r11(&mut registers, packed);
            registers.rax = field(slot::RECORD + record::VALUE);
            // The call that brought it here is not made.
            registers.orig_rax = u64::MAX;
            stopped.set_registers(&registers)?;
        }
        self.entered_nothing(tid);
        self.resume(stopped, 0);
        Ok(())
    }
}

/// Whether that is where a thread of a recording has its slot.
fn is_slot(address: u64) -> bool {
    (SHARED..SHARED + SLOTS_END).contains(&address)
}

/// Where the code goes on after a fault that it reckons with.
fn handled_fault(offset: u32) -> Option<u32> {
    let at = labels();
    if offset == at.copying {
        Some(at.faulted)
    } else if offset == at.loading {
        Some(at.next)
    } else if [
        at.looking_at_length,
        at.looking_at_offset,
        at.looking_at_vector,
    ]
    .contains(&offset)
        || (at.looking_at_message..at.looked_at_message).contains(&offset)
    {
        Some(at.divert_sited)
    } else {
        None
    }
}

/// The address in a word with flags.
fn unpack(packed: u64) -> u64 {
    packed & ((1 << FLAGS_SHIFT) - 1)
}

/// The flags that a word holds, in the places that they have in their register.
fn flags_of(packed: u64) -> u64 {
    let (overflow, status) = (packed >> FLAGS_SHIFT & 1, packed >> (FLAGS_SHIFT + 8));
    status & flags::STATUS | (overflow * flags::OVERFLOW)
}

/// Gives a thread the flags that it came with.
fn restore_flags(registers: &mut Registers, packed: u64) {
    let others = registers.eflags & !(flags::STATUS | flags::OVERFLOW);
    registers.eflags = others | flags_of(packed);
}

/// The same after its call, which left the others of them in r11.
fn restore_flags_from_r11(registers: &mut Registers, packed: u64) {
    let direction = registers.r11 & flags::DIRECTION;
    registers.eflags = registers.eflags & !flags::DIRECTION | direction;
    restore_flags(registers, packed);
    registers.r11 = registers.eflags;
}

/// Lets a thread stand where it has just made its call.
fn return_to(registers: &mut Registers, site: u64) {
    registers.rip = site + CALL;
    registers.rcx = registers.rip;
}

/// Gives a thread what its call leaves untouched, and the result.
fn restore(registers: &mut Registers, args: [u64; 6], value: u64) {
    for (index, arg) in args.into_iter().enumerate() {
        abi::set_argument(registers, index, arg);
    }
    registers.rax = value;
    // No call is being made that a signal could restart.
    registers.orig_rax = u64::MAX;
}

/// What stood behind a call's pointers before it, as pieces of a record.
fn kept(recording: &Recording, index: usize) -> Vec<u8> {
    let field = |field| recording.shared.slot_field(index, field);
    let number = field(slot::RECORD + record::NUMBER);
    let argument = |at: usize| field(slot::RECORD + record::ARGS + at * 8);
    let mut pieces = Vec::new();
    let mut piece = |address: u64, bytes: &[u8]| {
        pieces.extend(address.to_ne_bytes());
        pieces.extend((bytes.len() as u64 | IS_BEFORE).to_ne_bytes());
        pieces.extend(bytes);
        pieces.resize(pieces.len().next_multiple_of(8), 0);
    };
    let flags = stub::traits(number);
    if flags & flag::LENGTH != 0 {
        let length = field(slot::BEFORE) as u32;
        piece(
            argument(stub::length_argument(number)),
            &length.to_ne_bytes(),
        );
    }
    if flags & flag::OFFSET != 0 {
        let offset = field(slot::BEFORE);
        piece(
            argument(stub::length_argument(number)),
            &offset.to_ne_bytes(),
        );
    }
    if flags & flag::MESSAGE != 0 {
        let mut header = [0; MESSAGE_HEADER];
        let start = recording.shared.slot(index) + slot::KEPT;
        recording.shared.copy(start, &mut header);
        piece(argument(1), &header);
    }
    pieces
}
