//! Calls of ours in a tracee's name: by them its process gets a further filter.
//!
//! A thread at a call's exit has just run the instruction that makes calls: sent back to it with other registers it makes one of
//! ours, and so does a thread at a call's entry when that call is replaced. Each stop of the call comes to the event loop like any
//! other; after the last one the thread has its registers and signal mask back, and goes on with what it was about.

use super::abi::{self, Registers};
use super::calling::Calling;
use super::coverage::Scope;
use super::engine::Engine;
use super::filter::{Filter, addition};
use super::memory::TraceeMemory;
use super::places::{SCRATCH_SIZE, scratch};
use super::stopped::{Gone, Resume, Stop, Stopped, SyscallInfo};
use super::tracees::CallByCall;
use crate::syscall::{Memory, Raw};

/// A thread's way through our calls.
#[derive(Debug)]
pub struct Injection {
    /// What the new filter covers.
    scope: Scope,
    filter: Filter,
    /// What the thread had before, once it was asked.
    saved: Option<Saved>,
    call: Call,
    /// Where the thread reads the filter from; no other thread uses it meanwhile.
    place: Option<u64>,
    /// Whether that is a new one.
    mapped: bool,
    /// How the thread runs on to the next stop of our call.
    pub(super) how: Resume,
    then: Then,
}

impl Injection {
    /// Whether any other call of the process would do as well.
    fn can_wait(&self) -> bool {
        matches!(self.then, Then::GoOn(None))
    }
}

#[derive(Clone, Copy, Debug)]
struct Saved {
    registers: Registers,
    /// The blocked signals. Ours are all blocked until we are done, or a handler would run on our registers.
    mask: u64,
}

/// What the thread is calling for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// mmap(2), at an address of our choice or of the kernel's.
    Map { chosen: bool },
    /// seccomp(2), with the filter at this address.
    Install { address: u64 },
}

/// What comes after our calls.
#[derive(Debug)]
pub enum Then {
    /// The thread stood at its call's exit: it runs on, as soon as what is told of that call is on its way.
    GoOn(Option<Box<Calling>>),
    /// It stood at its call's entry, and has that call, of this architecture, still to make.
    Call(u32, Raw),
}

impl Engine {
    /// Adds a filter to those of the thread's process.
    pub(super) fn inject(
        &mut self,
        stopped: Stopped,
        scope: Scope,
        then: Then,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        let Some(process) = self.tracees.processes.get_mut(&thread.pid) else {
            return Ok(());
        };
        let place = process.places.pop();
        let filter = addition(&scope, !process.coverage.waits());
        // From here on what is told is safe, should the thread be killed.
        let injection = thread.injection.insert(Box::new(Injection {
            scope,
            filter,
            saved: None,
            call: Call::Map { chosen: true },
            place,
            mapped: false,
            how: Resume::ToCall,
            then,
        }));
        let registers = stopped.registers()?;
        let mut instruction = [0; abi::CALL.len()];
        let site = abi::call_site(&registers);
        if TraceeMemory::of(tid).read(site, &mut instruction) < instruction.len() {
            return self.give_up(stopped, "its memory cannot be read");
        }
        if instruction != abi::CALL {
            return self.elsewhere(stopped);
        }
        let mask = stopped.signal_mask()?;
        stopped.set_signal_mask(u64::MAX)?;
        injection.saved = Some(Saved { registers, mask });
        let at_entry = matches!(injection.then, Then::Call(..));
        match place {
            Some(address) => self.install(stopped, address, at_entry),
            None => self.map(stopped, true, at_entry),
        }
    }

    /// The thread does not stand behind the instruction that makes calls. rt_sigreturn(2) leaves it wherever a signal came: another
    /// call will do, unless this very one has made a socket.
    fn elsewhere(&mut self, stopped: Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        match self
            .injection(tid)
            .is_some_and(|injection| injection.can_wait())
        {
            true => self.leave(stopped),
            false => self.give_up(stopped, "it makes calls by an unknown instruction"),
        }
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
            Some(value) => self.made(stopped, value)?,
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
    pub(super) fn injection_cut_off(&mut self, injection: Injection) {
        if let Then::GoOn(Some(calling)) = injection.then {
            self.outbox.send_call(calling, None);
        }
    }

    fn injection(&mut self, tid: i32) -> Option<&mut Injection> {
        self.tracees.threads.get_mut(&tid)?.injection.as_deref_mut()
    }

    /// One of our calls is over.
    fn made(&mut self, stopped: Stopped, value: i64) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(injection) = self.injection(tid) else {
            return Ok(());
        };
        match injection.call {
            Call::Map { .. } if value > 0 => {
                let address = value as u64;
                injection.mapped = true;
                injection.place = Some(address);
                self.install(stopped, address, false)
            }
            // The program has something there.
            Call::Map { chosen: true } if value == -i64::from(libc::EEXIST) => {
                self.map(stopped, false, false)
            }
            Call::Map { .. } => self.give_up(stopped, "there is no memory for a filter"),
            Call::Install { .. } if value == 0 => {
                let scope = std::mem::replace(&mut injection.scope, Scope::Everything);
                self.grown(tid, scope);
                self.leave(stopped)
            }
            Call::Install { .. } => self.give_up(stopped, "the kernel refuses a further filter"),
        }
    }

    fn map(&mut self, stopped: Stopped, chosen: bool, at_entry: bool) -> Result<(), Gone> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let (address, flags) = match chosen {
            true => (scratch(stopped.tid()), flags | libc::MAP_FIXED_NOREPLACE),
            false => (0, flags),
        };
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let arguments = [address, SCRATCH_SIZE, protection, flags as u64, u64::MAX, 0];
        let call = Call::Map { chosen };
        self.call(stopped, call, libc::SYS_mmap, arguments, at_entry)
    }

    fn install(&mut self, stopped: Stopped, address: u64, at_entry: bool) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(injection) = self.injection(tid) else {
            return Ok(());
        };
        let image = injection.filter.image(address);
        if !TraceeMemory::of(tid).write(address, &image) {
            if injection.mapped {
                return self.give_up(stopped, "the program's memory cannot be written");
            }
            // A program may unmap what it does not know.
            injection.place = None;
            return self.map(stopped, true, at_entry);
        }
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        let arguments = [
            libc::SECCOMP_SET_MODE_FILTER.into(),
            flags,
            address,
            0,
            0,
            0,
        ];
        let call = Call::Install { address };
        self.call(stopped, call, libc::SYS_seccomp, arguments, at_entry)
    }

    /// Makes the thread call this.
    fn call(
        &mut self,
        stopped: Stopped,
        call: Call,
        number: libc::c_long,
        arguments: [u64; 6],
        at_entry: bool,
    ) -> Result<(), Gone> {
        let Some(injection) = self.injection(stopped.tid()) else {
            return Ok(());
        };
        let Some(Saved { mut registers, .. }) = injection.saved else {
            return Ok(());
        };
        injection.call = call;
        if at_entry {
            abi::replace_call(&mut registers, number, arguments);
            injection.how = Resume::ToCall;
        } else {
            abi::make_call(&mut registers, number, arguments);
            // Those that our own filter stops need no stop before that one.
            injection.how = match call {
                Call::Map { chosen: false } => Resume::ToCall,
                _ => Resume::Free,
            };
        }
        let how = injection.how;
        stopped.set_registers(&registers)?;
        stopped.resume(how, 0);
        Ok(())
    }

    /// The thread's process cannot be given a further filter: from now on each of its calls stops.
    fn give_up(&mut self, stopped: Stopped, why: &str) -> Result<(), Gone> {
        self.go_call_by_call(stopped.tid(), CallByCall::ForGood, why);
        self.leave(stopped)
    }

    /// Our calls are over: the thread gets back what it had, and goes on.
    fn leave(&mut self, stopped: Stopped) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        let Some(injection) = thread.injection.take() else {
            return Ok(());
        };
        if let (Some(place), Some(process)) =
            (injection.place, self.tracees.processes.get_mut(&thread.pid))
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
        }
        restored
    }
}
