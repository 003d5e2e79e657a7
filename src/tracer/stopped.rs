//! A stopped tracee is a value: only [`Stopped`] reads and changes a thread, and resuming consumes it.
//!
//! ptrace(2) works on stopped threads only, so what cannot be asked of a running one cannot be written. A thread may be killed
//! at any moment all the same; that is [`Gone`], an ordinary outcome: its end comes by [`wait`].

use std::ptr;

use nix::errno::Errno;

use super::abi::{self, Registers};
use super::alarm::names_sender;
use super::event::Status;
use crate::syscall::Raw;

/// The thread was killed while it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A thread in a ptrace-stop.
#[derive(Debug)]
#[must_use = "a stopped thread stands still until it is resumed"]
pub struct Stopped {
    tid: i32,
}

/// Why a thread stopped (ptrace(2), "Stopped states").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Entry or exit of a call; [`Stopped::syscall_info`] says which.
    Syscall,
    /// A seccomp filter answered SECCOMP_RET_TRACE.
    Seccomp,
    /// A signal is about to be delivered.
    Signal(i32),
    /// Group-stop by this signal.
    Group(i32),
    /// The first stop of a new thread, an interrupt, or the end of a group-stop.
    Trap,
    /// fork or vfork made a process; its number is the event message.
    Forked,
    /// clone made a thread or a process; its number is the event message.
    Cloned,
    /// execve succeeded; the former thread's number is the event message.
    Exec,
    /// Another event that we did not ask for.
    Other,
}

/// How the thread is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until the next event (PTRACE_CONT).
    Free,
    /// Until the next entry or exit of a call (PTRACE_SYSCALL).
    ToCall,
}

/// Requests of linux/ptrace.h that the libc crate does not have.
const PTRACE_GETSIGMASK: libc::c_uint = 0x420a;
const PTRACE_SETSIGMASK: libc::c_uint = 0x420b;

/// What a wait brought.
#[derive(Debug)]
pub enum Waited {
    /// A thread stopped.
    Stopped(Stopped, Stop),
    /// A thread is gone, reaped.
    Ended(i32, Status),
    /// A signal of ours interrupted the wait.
    Interrupted,
    /// There is nothing to wait for.
    Nothing,
}

/// Where in a call a thread stands (PTRACE_GET_SYSCALL_INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallInfo {
    /// Before the call.
    Entry {
        /// AUDIT_ARCH_* of the call, which may differ from the tracer's.
        arch: u32,
        /// Number and arguments.
        raw: Raw,
        /// The address of the instruction after the one that makes it.
        ip: u64,
    },
    /// Before the call, at the word of a seccomp filter.
    Seccomp {
        /// AUDIT_ARCH_* of the call.
        arch: u32,
        /// Number and arguments.
        raw: Raw,
        /// The address of the instruction after the one that makes it.
        ip: u64,
        /// SECCOMP_RET_DATA of the filter that asked for the stop.
        data: u32,
    },
    /// After the call.
    Exit {
        /// The result; an error's is negative.
        value: i64,
        /// Whether it is an error.
        error: bool,
        /// The address of the instruction after the one that made it.
        ip: u64,
    },
    /// Not at a call.
    None,
}

/// Asks ptrace with `address` and `data`; the requests used here return 0 or fail.
fn request(request: libc::c_uint, tid: i32, address: usize, data: usize) -> Result<i64, Errno> {
    // SAFETY: ptrace checks tid and both values itself; requests that write take a pointer to an object that the caller holds for long
    // enough, of the size given.
    let result = unsafe {
        libc::ptrace(
            request,
            tid,
            address as *mut libc::c_void,
            data as *mut libc::c_void,
        )
    };
    Errno::result(result)
}

/// Attaches to `tid` without stopping it (PTRACE_SEIZE), with all the options that following needs.
///
/// # Errors
/// As ptrace(2): EPERM where it is forbidden or traced already, ESRCH where it is gone, ENOSYS under emulators.
pub fn seize(tid: i32) -> Result<(), Errno> {
    const OPTIONS: i32 = libc::PTRACE_O_EXITKILL
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESECCOMP;
    request(libc::PTRACE_SEIZE, tid, 0, OPTIONS as usize).map(drop)
}

/// Stops a seized thread soon (PTRACE_INTERRUPT): it shows as [`Stop::Trap`].
///
/// # Errors
/// ESRCH where it is gone.
pub fn interrupt(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// Waits until any tracee of this thread stops or ends, or until a signal comes.
pub fn wait() -> Waited {
    // Other threads' children (a pager, say) are not ours to reap.
    wait_with(-1, libc::__WALL | libc::__WNOTHREAD)
}

/// [`wait`] without waiting: [`Waited::Nothing`] where nothing has happened yet.
pub fn wait_now() -> Waited {
    wait_with(-1, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG)
}

/// [`wait`] for one thread: only while it is the only one.
pub fn wait_for(tid: i32) -> Waited {
    wait_with(tid, libc::__WALL)
}

/// [`wait_now`] for one thread.
pub fn wait_for_now(tid: i32) -> Waited {
    wait_with(tid, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG)
}

fn wait_with(tid: i32, flags: i32) -> Waited {
    let mut status = 0;
    // SAFETY: status is a valid place for an int.
    let tid = unsafe { libc::waitpid(tid, &raw mut status, flags) };
    match Errno::result(tid) {
        Ok(0) => Waited::Nothing,
        Ok(tid) => decode(tid, status),
        Err(Errno::EINTR) => Waited::Interrupted,
        Err(_) => Waited::Nothing,
    }
}

fn decode(tid: i32, status: i32) -> Waited {
    if libc::WIFEXITED(status) {
        return Waited::Ended(tid, Status::Exited(libc::WEXITSTATUS(status)));
    }
    if libc::WIFSIGNALED(status) {
        return Waited::Ended(
            tid,
            Status::Killed(libc::WTERMSIG(status), libc::WCOREDUMP(status)),
        );
    }
    let signal = libc::WSTOPSIG(status);
    let stop = match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Stop::Syscall,
        0 => Stop::Signal(signal),
        libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Stop::Trap,
        libc::PTRACE_EVENT_STOP => Stop::Group(signal),
        libc::PTRACE_EVENT_SECCOMP => Stop::Seccomp,
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => Stop::Forked,
        libc::PTRACE_EVENT_CLONE => Stop::Cloned,
        libc::PTRACE_EVENT_EXEC => Stop::Exec,
        _ => Stop::Other,
    };
    Waited::Stopped(Stopped { tid }, stop)
}

impl Stopped {
    /// The thread.
    pub fn tid(&self) -> i32 {
        self.tid
    }

    fn ask(&self, what: libc::c_uint, address: usize, data: usize) -> Result<i64, Gone> {
        request(what, self.tid, address, data).map_err(|_| Gone)
    }

    /// Runs the thread on, delivering `signal` where that is not 0.
    pub fn resume(self, how: Resume, signal: i32) {
        let what = match how {
            Resume::Free => libc::PTRACE_CONT,
            Resume::ToCall => libc::PTRACE_SYSCALL,
        };
        // A thread that is gone meanwhile says so by wait.
        let _ = self.ask(what, 0, signal as usize);
    }

    /// Leaves the thread in its group-stop, where SIGCONT reaches it (PTRACE_LISTEN).
    pub fn listen(self) {
        let _ = self.ask(libc::PTRACE_LISTEN, 0, 0);
    }

    /// The event's message: a child's number, or the former thread of an execve.
    pub fn event_message(&self) -> Result<i32, Gone> {
        let mut message: libc::c_ulong = 0;
        self.ask(libc::PTRACE_GETEVENTMSG, 0, &raw mut message as usize)?;
        Ok(message as i32)
    }

    /// Where the signal that is about to be delivered comes from: si_code (sigaction(2)), and the process that sent it, or whose end
    /// or stop SIGCHLD tells.
    pub fn signal_origin(&self) -> Result<(i32, Option<i32>), Gone> {
        // SAFETY: siginfo_t is plain numbers; all zero is one of its values.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        self.ask(libc::PTRACE_GETSIGINFO, 0, &raw mut info as usize)?;
        let from_process = names_sender(info.si_code) || info.si_signo == libc::SIGCHLD;
        // SAFETY: these have si_pid in the place where it is read.
        let sender = from_process.then(|| unsafe { info.si_pid() });
        Ok((info.si_code, sender))
    }

    /// The address in the register that user mode leaves to us ([`abi::THREAD_BASE`]).
    pub fn thread_base(&self) -> Result<u64, Gone> {
        let mut base: libc::c_ulong = 0;
        // As a system call (unlike the C library's function) it writes the word to where `data` points.
        // SAFETY: a place for a word; ptrace checks the rest itself.
        let result = unsafe {
            libc::syscall(
                libc::SYS_ptrace,
                libc::PTRACE_PEEKUSER,
                self.tid,
                abi::THREAD_BASE,
                &raw mut base,
            )
        };
        Errno::result(result).map_err(|_| Gone)?;
        Ok(base)
    }

    /// Sets it.
    pub fn set_thread_base(&self, address: u64) -> Result<(), Gone> {
        self.ask(libc::PTRACE_POKEUSER, abi::THREAD_BASE, address as usize)
            .map(drop)
    }

    /// Changes where a filter's SIGSYS that is about to be delivered says that its call was made (si_call_addr, sigaction(2)).
    pub fn set_call_address(&self, address: u64) -> Result<(), Gone> {
        /// struct siginfo of asm-generic/siginfo.h: after three ints and padding.
        const CALL_ADDRESS: usize = 16;
        let mut info = [0_u8; size_of::<libc::siginfo_t>()];
        self.ask(libc::PTRACE_GETSIGINFO, 0, info.as_mut_ptr() as usize)?;
        info[CALL_ADDRESS..][..8].copy_from_slice(&address.to_ne_bytes());
        self.ask(libc::PTRACE_SETSIGINFO, 0, info.as_ptr() as usize)
            .map(drop)
    }

    /// All registers.
    pub fn registers(&self) -> Result<Registers, Gone> {
        // SAFETY: user_regs_struct is plain numbers; all zero is one of its values.
        let mut registers: Registers = unsafe { std::mem::zeroed() };
        self.ask(libc::PTRACE_GETREGS, 0, &raw mut registers as usize)?;
        Ok(registers)
    }

    /// Sets all registers.
    pub fn set_registers(&self, registers: &Registers) -> Result<(), Gone> {
        self.ask(libc::PTRACE_SETREGS, 0, ptr::from_ref(registers) as usize)
            .map(drop)
    }

    /// The signals that the thread blocks, one bit each (PTRACE_GETSIGMASK).
    pub fn signal_mask(&self) -> Result<u64, Gone> {
        let mut mask = 0_u64;
        self.ask(
            PTRACE_GETSIGMASK,
            size_of_val(&mask),
            &raw mut mask as usize,
        )?;
        Ok(mask)
    }

    /// Sets them (PTRACE_SETSIGMASK).
    pub fn set_signal_mask(&self, mask: u64) -> Result<(), Gone> {
        let place = ptr::from_ref(&mask) as usize;
        self.ask(PTRACE_SETSIGMASK, size_of_val(&mask), place)
            .map(drop)
    }

    /// Keeps the kernel from making the call that the thread is about to make: it returns ENOSYS.
    pub fn skip_call(&self) -> Result<(), Gone> {
        let mut registers = self.registers()?;
        abi::skip_call(&mut registers);
        self.set_registers(&registers)
    }

    /// Where in a call the thread stands.
    pub fn syscall_info(&self) -> Result<SyscallInfo, Gone> {
        self.try_syscall_info().map_err(|_| Gone)
    }

    /// [`Self::syscall_info`] with its error, by which a kernel before 5.3 is told apart (EIO).
    pub fn try_syscall_info(&self) -> Result<SyscallInfo, Errno> {
        // SAFETY: ptrace_syscall_info is plain numbers; all zero is one of its values.
        let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
        request(
            libc::PTRACE_GET_SYSCALL_INFO,
            self.tid,
            size_of_val(&info),
            &raw mut info as usize,
        )?;
        // SAFETY: op says which member of the union the kernel wrote, and each is plain numbers.
        Ok(unsafe {
            match info.op {
                libc::PTRACE_SYSCALL_INFO_ENTRY => {
                    let entry = info.u.entry;
                    SyscallInfo::Entry {
                        arch: info.arch,
                        raw: Raw {
                            number: entry.nr,
                            args: entry.args,
                        },
                        ip: info.instruction_pointer,
                    }
                }
                libc::PTRACE_SYSCALL_INFO_SECCOMP => {
                    let call = info.u.seccomp;
                    let raw = Raw {
                        number: call.nr,
                        args: call.args,
                    };
                    SyscallInfo::Seccomp {
                        arch: info.arch,
                        raw,
                        ip: info.instruction_pointer,
                        data: call.ret_data,
                    }
                }
                libc::PTRACE_SYSCALL_INFO_EXIT => {
                    let exit = info.u.exit;
                    SyscallInfo::Exit {
                        value: exit.sval,
                        error: exit.is_error != 0,
                        ip: info.instruction_pointer,
                    }
                }
                _ => SyscallInfo::None,
            }
        })
    }
}
