//! Calls of ours in a tracee's name.
//!
//! A thread at a call's exit has just run the instruction that makes calls: sent back to it with other registers it makes one of
//! ours, and so does a thread at a call's entry when that call is replaced. Each stop of the call comes to the event loop like any
//! other; after the last one the thread has its registers and signal mask back, and goes on with what it was about.

use super::abi::{self, Registers};
use super::calling::Calling;
use super::engine::Engine;
use super::install::Installing;
use super::memory::TraceeMemory;
use super::places;
use super::probe::probing::BY_KERNEL;
use super::probe::slots::Slots;
use super::recorder::set_up::SetUp;
use super::recorder::space::SpaceId;
use super::stopped::{Gone, Resume, Stop, Stopped, SyscallInfo};
use crate::syscall::{Memory, Raw};

/// A thread's way through our calls.
#[derive(Debug)]
pub struct Injection {
    /// What they are for.
    work: Work,
    /// What the thread had before, once it was asked.
    saved: Option<Saved>,
    /// Behind which instruction the thread makes our calls, where it does not stand there.
    from: Option<u64>,
    /// How the thread runs on to the next stop of our call.
    pub(super) how: Resume,
    then: Then,
}

/// What calls of ours are for.
#[derive(Debug)]
pub enum Work {
    /// A further filter.
    Filter(Installing),
    /// A recorder, or a site that is to use it.
    Recorder(SetUp),
    /// Memory for what breakpoints displace.
    Slots(Slots),
}

/// A call that we want to be made.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its number.
    pub number: libc::c_long,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Whether our own filter stops it, so that no stop is needed before that one.
    pub stops: bool,
}

impl Wanted {
    /// mmap(2) of private memory of ours, nowhere else than there.
    pub fn map(address: u64, len: u64, protection: i32) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        Self {
            number: libc::SYS_mmap,
            arguments: [address, len, protection as u64, flags as u64, u64::MAX, 0],
            stops: false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Saved {
    registers: Registers,
    /// The blocked signals. Ours are all blocked until we are done, or a handler would run on our registers.
    mask: u64,
}

/// What comes after our calls.
#[derive(Debug)]
pub enum Then {
    /// The thread stood at its call's exit: it runs on, as soon as what is told of that call is on its way.
    GoOn(Option<Box<Calling>>),
    /// It stood at its call's entry, and has that call, of this architecture, still to make.
    Call(u32, Raw),
    /// It stood behind a breakpoint of ours, and meets it as if for the first time.
    Trapped,
}

impl Engine {
    /// Makes the thread do that work.
    pub(super) fn inject(&mut self, stopped: Stopped, work: Work, then: Then) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        let at_entry = matches!(then, Then::Call(..));
        // From here on what is told is safe, should the thread be killed.
        thread.injection = Some(Box::new(Injection {
            work,
            saved: None,
            from: None,
            how: Resume::ToCall,
            then,
        }));
        let mut registers = stopped.registers()?;
        let mut instruction = [0; abi::CALL.len()];
        let site = abi::call_site(&registers);
        if TraceeMemory::of(tid).read(site, &mut instruction) < instruction.len() {
            return self.give_up(stopped, "its memory cannot be read");
        }
        if instruction != abi::CALL {
            // The site has been changed since the thread made its call there; its trampoline has the instruction, and leads back.
            let back = self
                .space_of(tid)
                .and_then(|id| self.spaces.get(&id)?.patch(site))
                .map(|patch| patch.back());
            match back {
                Some(back) => registers.rip = back,
                None => return self.elsewhere(stopped),
            }
        }
        let Some(injection) = self.injection(tid) else {
            return Ok(());
        };
        let mask = stopped.signal_mask()?;
        stopped.set_signal_mask(u64::MAX)?;
        injection.saved = Some(Saved { registers, mask });
        self.step(stopped, None, at_entry)
    }

    /// Makes a thread that stands anywhere in its program do that work, by the instruction at `site`; then it has these registers again.
    pub(super) fn inject_at(
        &mut self,
        stopped: Stopped,
        registers: &Registers,
        site: u64,
        work: Work,
        then: Then,
    ) -> Result<(), Gone> {
        let mask = stopped.signal_mask()?;
        let Some(thread) = self.tracees.threads.get_mut(&stopped.tid()) else {
            return Ok(());
        };
        thread.injection = Some(Box::new(Injection {
            work,
            saved: Some(Saved {
                registers: *registers,
                mask,
            }),
            from: Some(site + abi::CALL.len() as u64),
            how: Resume::ToCall,
            then,
        }));
        stopped.set_signal_mask(u64::MAX)?;
        self.step(stopped, None, false)
    }

    /// The thread does not stand behind the instruction that makes calls. rt_sigreturn(2) leaves it wherever a signal came: another
    /// call will do, unless this very one has made a socket.
    fn elsewhere(&mut self, stopped: Stopped) -> Result<(), Gone> {
        let injection = self.injection(stopped.tid());
        match injection.is_some_and(|injection| matches!(injection.then, Then::GoOn(None))) {
            true => self.leave(stopped),
            false => self.give_up(stopped, "it makes calls by an unknown instruction"),
        }
    }

    /// None of our calls can be made.
    fn give_up(&mut self, stopped: Stopped, why: &str) -> Result<(), Gone> {
        let tid = stopped.tid();
        match self.injection(tid).map(|injection| &injection.work) {
            Some(Work::Filter(_)) => self.no_more_filters(tid, why),
            Some(Work::Recorder(_)) => self.no_recorder(tid, why),
            Some(Work::Slots(_)) | None => {}
        }
        self.leave(stopped)
    }

    /// A thread that makes our calls has stopped; gives back what is none of ours.
    pub(super) fn injected_stop(
        &mut self,
        stopped: Stopped,
        stop: Stop,
    ) -> Result<Option<Stopped>, Gone> {
        let value = match stop {
            Stop::Seccomp => None,
            Stop::Syscall => match stopped.syscall_info()? {
                SyscallInfo::Exit { value, .. } => Some(value),
                _ => None,
            },
            _ => return Ok(Some(stopped)),
        };
        match value {
            Some(value) => self.step(stopped, Some(value), false)?,
            None => {
                if let Some(injection) = self.injection(stopped.tid()) {
                    injection.how = Resume::ToCall;
                }
                stopped.resume(Resume::ToCall, 0);
            }
        }
        Ok(None)
    }

    /// A thread ends amid our calls: what it did before is told all the same.
    pub(super) fn injection_cut_off(&mut self, injection: Injection, space: Option<SpaceId>) {
        if matches!(injection.work, Work::Recorder(_)) {
            self.set_up_ended(space);
        }
        if let Then::GoOn(Some(calling)) = injection.then {
            self.outbox.send_call(calling, None);
        }
    }

    fn injection(&mut self, tid: i32) -> Option<&mut Box<Injection>> {
        self.tracees.threads.get_mut(&tid)?.injection.as_mut()
    }

    /// One of our calls is over with that result, or none was made yet: makes the next one, if there is any.
    fn step(&mut self, stopped: Stopped, value: Option<i64>, at_entry: bool) -> Result<(), Gone> {
        let tid = stopped.tid();
        let thread = self.tracees.threads.get_mut(&tid);
        let Some(mut injection) = thread.and_then(|thread| thread.injection.take()) else {
            return Ok(());
        };
        let wanted = match &mut injection.work {
            Work::Filter(work) => work.next(self, tid, value),
            Work::Recorder(work) => work.next(self, &stopped, value),
            Work::Slots(work) => work.next(self, tid, value),
        };
        let call = wanted.zip(injection.saved);
        if let Some((wanted, saved)) = call {
            let passes = places::is_passing(saved.registers.rip);
            injection.how = match wanted.stops && !at_entry && !passes {
                true => Resume::Free,
                false => Resume::ToCall,
            };
        }
        let (how, from) = (injection.how, injection.from);
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            thread.injection = Some(injection);
        }
        let Some((wanted, Saved { mut registers, .. })) = call else {
            return self.leave(stopped);
        };
        registers.rip = from.unwrap_or(registers.rip);
        match at_entry {
            true => abi::replace_call(&mut registers, wanted.number, wanted.arguments),
            false => abi::make_call(&mut registers, wanted.number, wanted.arguments),
        }
        stopped.set_registers(&registers)?;
        stopped.resume(how, 0);
        Ok(())
    }

    /// Our calls are over: the thread gets back what it had, and goes on.
    fn leave(&mut self, stopped: Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        let space = self.space_of(tid);
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        let Some(injection) = thread.injection.take() else {
            return Ok(());
        };
        if matches!(injection.work, Work::Recorder(_)) {
            self.set_up_ended(space);
        }
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        if let Work::Filter(work) = &injection.work
            && let (Some(place), Some(process)) =
                (work.place(), self.tracees.processes.get_mut(&thread.pid))
        {
            process.places.push(place);
        }
        let again = matches!(injection.then, Then::Call(..));
        let untouched = injection.saved.is_none();
        let restored = injection.saved.map_or(Ok(()), |saved| {
            let mut registers = saved.registers;
            if again {
                abi::make_again(&mut registers);
            }
            stopped.set_signal_mask(saved.mask)?;
            stopped.set_registers(&registers)
        });
        if again && !untouched {
            // It comes to its entry once more, as if for the first time.
            thread.entered = false;
        }
        match injection.then {
            Then::GoOn(told) => self.tell_call(stopped, told),
            // Nothing has been done to it yet.
            Then::Call(arch, raw) if untouched => return self.call_entered(stopped, arch, raw),
            Then::Call(..) => self.resume(stopped, 0),
            Then::Trapped => {
                restored?;
                if let Some(foreign) = self.trapped(stopped, BY_KERNEL)? {
                    self.resume(foreign, 0);
                }
                return Ok(());
            }
        }
        restored
    }
}
