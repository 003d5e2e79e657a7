//! Launching the program: fork, seize, filter, exec.
//!
//! The child waits until it is seized, installs the filter, makes one call that must stop, and becomes the program. That call is the
//! probe of what ptrace and seccomp can do here: containers and emulators answer differently.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use syscalls::Sysno;

use super::alarm::Mask;
use super::event::Status;
use super::filter::{Filter, RET_DATA};
use super::image::{Image, PROBE};
use super::memory::TraceeMemory;
use super::program::{LaunchError, Program};
use super::stopped::{Resume, Stop, Stopped, SyscallInfo, Waited, interrupt, seize, wait_for};
use super::{abi, procfs};
use crate::syscall::{self, Entry, Raw, enter};

/// The program at its first instruction.
#[derive(Debug)]
pub struct Launched {
    /// Stopped in the event of its execve.
    pub stopped: Stopped,
    /// Whether the filter is in force. If not, calls are stopped by PTRACE_SYSCALL.
    pub filtered: bool,
    /// Whether the program runs with no_new_privs (prctl(2)), since it could not have got the filter otherwise.
    pub no_new_privs: bool,
    /// The execve by which it began, where it is to be told.
    pub execve: Option<Entry>,
}

/// Starts the program, traced, with `filter` where one is wanted and can be installed. Its own execve is kept if `tells_execve`.
///
/// # Errors
/// In a line: what failed, on what, and what to do next.
pub fn launch(
    program: &Program,
    filter: Option<Filter>,
    mask: Mask,
    tells_execve: bool,
) -> Result<Launched, LaunchError> {
    let image = Image::new(program, filter, mask)?;
    let (go_read, go_write) = pipe()?;
    let (report_read, report_write) = pipe()?;
    // SAFETY: the child runs only async-signal-safe calls on what `image` holds, and never returns.
    let child = unsafe { libc::fork() };
    match Errno::result(child) {
        Err(errno) => Err(LaunchError::Own(format!(
            "cannot start another process: {}",
            errno.desc()
        ))),
        Ok(0) => image.become_program(
            go_read.as_raw_fd(),
            go_write.as_raw_fd(),
            report_write.as_raw_fd(),
        ),
        Ok(child) => {
            drop((go_read, report_write));
            // Interrupted while it waits, so that from then on each of its calls stops.
            let launched = seize(child)
                .and_then(|()| interrupt(child))
                .map_err(|errno| seize_error(child, errno))
                .and_then(|()| {
                    // SAFETY: one byte to a pipe that we own; the child waits for it.
                    unsafe { libc::write(go_write.as_raw_fd(), [1_u8].as_ptr().cast(), 1) };
                    until_exec(child, &program.argv[0], &report_read, tells_execve)
                });
            if launched.is_err() {
                // SAFETY: the number is our unreaped child's, or already gone.
                unsafe {
                    libc::kill(child, libc::SIGKILL);
                    libc::waitpid(child, ptr::null_mut(), libc::__WALL);
                }
            }
            launched
        }
    }
}

/// Sees the child through its preparations up to its execve.
fn until_exec(
    child: i32,
    name: &OsString,
    report: &OwnedFd,
    tells_execve: bool,
) -> Result<Launched, LaunchError> {
    let mut probed = false;
    let mut filtered = false;
    let mut no_new_privs = false;
    let mut execve = None;
    loop {
        match wait_for(child) {
            Waited::Stopped(stopped, Stop::Exec) if probed => {
                return Ok(Launched {
                    stopped,
                    filtered,
                    no_new_privs,
                    execve,
                });
            }
            Waited::Stopped(_, Stop::Exec) => {
                return Err(LaunchError::Own(
                    "ptrace works here, but calls do not stop (an emulator such as gVisor, qemu-user or Rosetta?): \
                     run on a Linux kernel"
                        .to_owned(),
                ));
            }
            Waited::Stopped(stopped, Stop::Syscall | Stop::Seccomp) => {
                match stopped.try_syscall_info() {
                    Ok(SyscallInfo::Entry { arch, raw, .. }) => {
                        probed |= arch == abi::AUDIT_ARCH && raw.args[1..3] == PROBE;
                        execve = tells_execve.then(|| entry_of(child, raw)).flatten();
                    }
                    Ok(SyscallInfo::Seccomp { raw, data, .. }) if data == RET_DATA => {
                        if raw.args[1..3] == PROBE {
                            filtered = true;
                            no_new_privs = raw.args[3] != 0;
                        }
                        execve = tells_execve.then(|| entry_of(child, raw)).flatten();
                    }
                    Err(Errno::EIO | Errno::EINVAL) => {
                        return Err(LaunchError::Own(
                            "this kernel does not know PTRACE_GET_SYSCALL_INFO: sockstrace needs Linux 5.3 or newer".to_owned(),
                        ));
                    }
                    Ok(_) | Err(_) => {}
                }
                // Once the filter has shown that it works, it stops what is of interest.
                let how = if filtered {
                    Resume::Free
                } else {
                    Resume::ToCall
                };
                stopped.resume(how, 0);
            }
            Waited::Stopped(stopped, Stop::Group(_)) => stopped.listen(),
            Waited::Stopped(stopped, Stop::Signal(signal)) => {
                stopped.resume(Resume::ToCall, signal)
            }
            Waited::Stopped(stopped, _) => stopped.resume(Resume::ToCall, 0),
            Waited::Ended(_, status) => return Err(exec_error(name, report, status)),
            Waited::Interrupted => {}
            Waited::Nothing => {
                return Err(LaunchError::Own(
                    "lost the program before it began".to_owned(),
                ));
            }
        }
    }
}

/// The execve that the child is about to make: when it is over, its arguments are gone with the old program.
fn entry_of(child: i32, raw: Raw) -> Option<Entry> {
    let row = syscall::row(raw.number).filter(|row| row.number == Sysno::execve)?;
    Some(enter(row, raw, &TraceeMemory::of(child)))
}

fn exec_error(name: &OsString, report: &OwnedFd, status: Status) -> LaunchError {
    let mut bytes = [0_u8; 4];
    // SAFETY: reads at most four bytes into an array of four; every writer is gone, so it cannot block.
    let count = unsafe { libc::read(report.as_raw_fd(), bytes.as_mut_ptr().cast(), 4) };
    let name = name.to_string_lossy();
    if count != 4 {
        return LaunchError::Own(format!("{name} ended before it began ({status:?})"));
    }
    let number = i32::from_ne_bytes(bytes);
    let errno = Errno::from_raw(number.abs());
    if number < 0 {
        return LaunchError::Own(format!(
            "cannot become the user asked for by -u: {} (only root can)",
            errno.desc()
        ));
    }
    match errno {
        Errno::ENOENT if name.contains('/') && std::path::Path::new(&*name).exists() => {
            LaunchError::NotFound(format!(
                "{name}: its interpreter (the first line of a script, or the dynamic loader) was not found"
            ))
        }
        Errno::ENOENT if name.contains('/') => {
            LaunchError::NotFound(format!("{name}: no such file"))
        }
        Errno::ENOENT => LaunchError::NotFound(format!("{name}: no such program in PATH")),
        Errno::EACCES => {
            LaunchError::NotExecutable(format!("{name}: not executable (permission denied)"))
        }
        errno => LaunchError::NotExecutable(format!("{name}: cannot be run: {}", errno.desc())),
    }
}

fn seize_error(child: i32, errno: Errno) -> LaunchError {
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let tracer = procfs::status_number(child, "TracerPid").filter(|tracer| *tracer != 0);
    let confined =
        procfs::status_number(std::process::id() as i32, "Seccomp").is_some_and(|mode| mode != 0);
    LaunchError::Own(match errno {
        _ if tracer.is_some() => format!(
            "ptrace is refused: process {} traces us already (a debugger or strace?), and a process has one tracer only",
            tracer.unwrap_or_default()
        ),
        Errno::EPERM if yama.trim() == "3" => {
            "ptrace is switched off on this system (Yama): an administrator sets kernel.yama.ptrace_scope to 2 or less and reboots"
                .to_owned()
        }
        Errno::EPERM if confined => "ptrace is refused by a seccomp profile, as containers have it: allow it there \
                                     (docker, podman: --cap-add SYS_PTRACE)"
            .to_owned(),
        Errno::ENOSYS | Errno::EIO | Errno::EINVAL => {
            "ptrace is not offered here (an emulator such as qemu-user?): run on a Linux kernel".to_owned()
        }
        errno => format!("ptrace is refused: {}; does a security module or a container forbid it?", errno.desc()),
    })
}

fn pipe() -> Result<(OwnedFd, OwnedFd), LaunchError> {
    let mut ends = [0; 2];
    // SAFETY: pipe2 writes two descriptors into the array, which are ours from then on.
    unsafe {
        Errno::result(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))
            .map_err(|errno| LaunchError::Own(format!("cannot make a pipe: {}", errno.desc())))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}
