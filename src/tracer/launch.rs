//! Launching the program: fork, seize, filter, exec.
//!
//! The child waits until it is seized, installs the filter, makes one call that must stop, and becomes the program. That call is the
//! probe of what ptrace and seccomp can do here: containers and emulators answer differently.

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::{env, ptr};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User};

use super::alarm::Mask;
use super::event::Status;
use super::filter::{Filter, RET_DATA};
use super::stopped::{Resume, Stop, Stopped, SyscallInfo, Waited, interrupt, seize, wait_for};
use super::{abi, inherited, procfs};

/// What to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program's name or path, and its arguments.
    pub argv: Vec<OsString>,
    /// Changes of its environment (`-E`): a variable with its value, or none to remove it.
    pub environment: Vec<(OsString, Option<OsString>)>,
    /// The user to run it as (`-u`); only root may.
    pub user: Option<String>,
}

/// Why nothing could be traced.
#[derive(Debug)]
pub enum LaunchError {
    /// No such program.
    NotFound(String),
    /// The program is there but cannot be run.
    NotExecutable(String),
    /// Something of ours failed.
    Own(String),
}

impl LaunchError {
    /// The exit status, as env(1) and timeout(1) have it.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(_) => 126,
            Self::Own(_) => 125,
        }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotFound(text) | Self::NotExecutable(text) | Self::Own(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for LaunchError {}

/// The program at its first instruction.
#[derive(Debug)]
pub struct Launched {
    /// Stopped in the event of its execve.
    pub stopped: Stopped,
    /// Whether the filter is in force. If not, calls are stopped by PTRACE_SYSCALL.
    pub filtered: bool,
}

/// The marks of the probing call: close(-1) with these in arguments that close does not have.
const PROBE: [u64; 2] = [0x736f_636b, 0x7374_7261];

/// What the child needs, made before the fork: after it, it allocates nothing.
struct Image {
    files: Vec<CString>,
    environment: Vec<CString>,
    argv: Pointers,
    /// For a file that is neither a binary nor begins with `#!`: /bin/sh, the file (set by the child), its arguments.
    shell_argv: Pointers,
    variables: Pointers,
    filter: Option<Filter>,
    mask: Mask,
    ids: Option<(Uid, Gid, Vec<Gid>)>,
    /// Where in `environment` our own number stands for the program's: which entry, and at which byte.
    own_number: Vec<(usize, usize)>,
}

/// An array of pointers to strings that ends with NULL, as execve(2) wants it, and the strings.
struct Pointers {
    places: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl Pointers {
    fn to(strings: Vec<CString>) -> Self {
        let places = strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([ptr::null()])
            .collect();
        Self {
            places,
            _strings: strings,
        }
    }
}

/// Starts the program, traced, with `filter` where one is wanted and can be installed.
///
/// # Errors
/// In a line: what failed, on what, and what to do next.
pub fn launch(
    program: &Program,
    filter: Option<Filter>,
    mask: Mask,
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
                    until_exec(child, &program.argv[0], &report_read)
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
fn until_exec(child: i32, name: &OsString, report: &OwnedFd) -> Result<Launched, LaunchError> {
    let mut probed = false;
    let mut filtered = false;
    loop {
        match wait_for(child) {
            Waited::Stopped(stopped, Stop::Exec) if probed => {
                return Ok(Launched { stopped, filtered });
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
                    Ok(SyscallInfo::Entry { arch, raw }) => {
                        probed |= arch == abi::AUDIT_ARCH && raw.args[1..3] == PROBE;
                    }
                    Ok(SyscallInfo::Seccomp { raw, data, .. }) => {
                        filtered |= data == RET_DATA && raw.args[1..3] == PROBE;
                    }
                    Err(Errno::EIO | Errno::EINVAL) => {
                        return Err(LaunchError::Own(
                            "this kernel does not know PTRACE_GET_SYSCALL_INFO: sockstrace needs Linux 5.3 or newer".to_owned(),
                        ));
                    }
                    Ok(_) | Err(_) => {}
                }
                stopped.resume(Resume::ToCall, 0);
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

/// The files to try for a program's name, in order, as execvp(3) does.
fn candidates(name: &OsString) -> Vec<OsString> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.clone()];
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/bin:/usr/bin".into());
    env::split_paths(&path)
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder
            }
        })
        .map(|folder| folder.join(name).into_os_string())
        .collect()
}

impl Image {
    fn new(program: &Program, filter: Option<Filter>, mask: Mask) -> Result<Self, LaunchError> {
        let string = |text: Vec<u8>| {
            CString::new(text).map_err(|_| {
                LaunchError::Own("an argument or variable holds a NUL byte".to_owned())
            })
        };
        let name = program.argv.first().filter(|name| !name.is_empty());
        let name =
            name.ok_or_else(|| LaunchError::NotFound("the program's name is empty".to_owned()))?;
        let files = candidates(name)
            .into_iter()
            .map(|file| string(file.into_vec()))
            .collect::<Result<_, _>>()?;
        let argv: Vec<CString> = program
            .argv
            .iter()
            .map(|argument| string(argument.clone().into_vec()))
            .collect::<Result<_, _>>()?;
        let shell_argv = [c"/bin/sh".to_owned(), CString::default()]
            .into_iter()
            .chain(argv[1..].iter().cloned())
            .collect();

        let mut variables: Vec<(OsString, OsString)> = env::vars_os().collect();
        for (name, value) in &program.environment {
            variables.retain(|(known, _)| known != name);
            variables.extend(value.clone().map(|value| (name.clone(), value)));
        }
        let own = std::process::id().to_string();
        let mut environment = Vec::with_capacity(variables.len());
        let mut own_number = Vec::new();
        for (index, (name, value)) in variables.into_iter().enumerate() {
            let names_us = (name == "LISTEN_PID" || name == "WATCHDOG_PID") && value == *own;
            let mut entry = name.into_vec();
            entry.push(b'=');
            if names_us {
                // Room for any number; the child writes its own. sd_listen_fds(3) compares it with getpid.
                own_number.push((index, entry.len()));
                entry.extend_from_slice(b"0000000000");
            } else {
                entry.extend(value.into_vec());
            }
            environment.push(string(entry)?);
        }
        let ids = program.user.as_deref().map(lookup_user).transpose()?;
        let variables = Pointers {
            places: environment
                .iter()
                .map(|entry: &CString| entry.as_ptr())
                .chain([ptr::null()])
                .collect(),
            _strings: Vec::new(),
        };
        Ok(Self {
            files,
            environment,
            argv: Pointers::to(argv),
            shell_argv: Pointers::to(shell_argv),
            variables,
            filter,
            mask,
            ids,
            own_number,
        })
    }

    /// The child's side. Returns never: it is the program, or it is gone.
    fn become_program(mut self, go: i32, go_write: i32, report: i32) -> ! {
        // SAFETY: only async-signal-safe calls, on objects made before the fork; every pointer array ends with NULL.
        unsafe {
            libc::close(go_write);
            let mut byte = 0_u8;
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(125);
            }
            restore_signals();
            if let Some(filter) = &self.filter
                && filter.install() == Err(Errno::EACCES)
                && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            {
                // What fails here shows by the probe: calls are then stopped one by one.
                let _ = filter.install();
            }
            libc::syscall(libc::SYS_close, -1, PROBE[0], PROBE[1]);
            if let Some((uid, gid, groups)) = &self.ids {
                let failed = libc::setgroups(groups.len(), groups.as_ptr().cast()) != 0
                    || libc::setgid(gid.as_raw()) != 0
                    || libc::setuid(uid.as_raw()) != 0;
                if failed {
                    give_up(report, -Errno::last_raw());
                }
            }
            for fd in 0..3 {
                if inherited::closed(fd) {
                    libc::close(fd as i32);
                }
            }
            self.write_own_number();
            self.exec(report)
        }
    }

    fn write_own_number(&mut self) {
        // SAFETY: getpid cannot fail.
        let mut number = unsafe { libc::getpid() };
        let mut digits = [0_u8; 10];
        let mut first = digits.len();
        while number > 0 && first > 0 {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        let digits = &digits[first..];
        for (index, offset) in &self.own_number {
            let place = self.environment[*index].as_ptr().cast_mut().cast::<u8>();
            // SAFETY: `new` left room for ten digits at that offset of a string that this process alone holds.
            unsafe {
                ptr::copy_nonoverlapping(digits.as_ptr(), place.add(*offset), digits.len());
                *place.add(*offset + digits.len()) = 0;
            }
        }
    }

    /// Tries each file as execvp(3) does: one that may not be run does not hide a later one that may, and a script without a
    /// first line is given to the shell.
    ///
    /// # Safety
    /// Only in the child.
    unsafe fn exec(&mut self, report: i32) -> ! {
        let mut found = Errno::ENOENT as i32;
        // SAFETY: arrays of pointers that end with NULL, to strings that live until execve.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
            for file in &self.files {
                libc::execve(
                    file.as_ptr(),
                    self.argv.places.as_ptr(),
                    self.variables.places.as_ptr(),
                );
                match Errno::last() {
                    Errno::ENOEXEC => {
                        self.shell_argv.places[1] = file.as_ptr();
                        let argv = self.shell_argv.places.as_ptr();
                        libc::execve(c"/bin/sh".as_ptr(), argv, self.variables.places.as_ptr());
                        found = Errno::ENOEXEC as i32;
                        break;
                    }
                    Errno::EACCES => found = Errno::EACCES as i32,
                    Errno::ENOENT | Errno::ENOTDIR => {}
                    errno => {
                        found = errno as i32;
                        break;
                    }
                }
            }
            give_up(report, found)
        }
    }
}

/// Gives SIGPIPE and SIGTTOU back as they were inherited.
///
/// # Safety
/// Only in the child.
unsafe fn restore_signals() {
    // SAFETY: valid signal numbers and dispositions; signal(2) is async-signal-safe.
    unsafe {
        libc::signal(
            libc::SIGPIPE,
            if inherited::pipe_ignored() {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            },
        );
        libc::signal(
            libc::SIGTTOU,
            if inherited::background_writes_ignored() {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            },
        );
    }
}

/// Tells the parent why, and ends.
///
/// # Safety
/// Only in the child.
unsafe fn give_up(report: i32, errno: i32) -> ! {
    // SAFETY: four bytes from an array of four to a pipe that has room.
    unsafe {
        libc::write(report, errno.to_ne_bytes().as_ptr().cast(), 4);
        libc::_exit(125)
    }
}

/// Whom `-u` means: a name, a number, or UID:GID.
fn lookup_user(text: &str) -> Result<(Uid, Gid, Vec<Gid>), LaunchError> {
    let failed = |reason: &str| LaunchError::Own(format!("-u {text}: {reason}"));
    if !Uid::effective().is_root() {
        return Err(failed("only root can run a program as another user"));
    }
    if let Some((uid, gid)) = text.split_once(':') {
        let number = |text: &str| {
            text.parse::<u32>()
                .map_err(|_| failed("UID:GID are two numbers"))
        };
        let (uid, gid) = (Uid::from_raw(number(uid)?), Gid::from_raw(number(gid)?));
        return Ok((uid, gid, vec![gid]));
    }
    let by_name = User::from_name(text).map_err(|errno| failed(errno.desc()))?;
    let user = match (by_name, text.parse()) {
        (Some(user), _) => user,
        (None, Ok(number)) => User::from_uid(Uid::from_raw(number))
            .map_err(|errno| failed(errno.desc()))?
            .ok_or_else(|| failed("no user has this number; UID:GID needs none"))?,
        (None, Err(_)) => return Err(failed("no such user; see getent passwd")),
    };
    let name = CString::new(user.name.as_str()).map_err(|_| failed("no such user"))?;
    let groups =
        nix::unistd::getgrouplist(&name, user.gid).map_err(|errno| failed(errno.desc()))?;
    Ok((user.uid, user.gid, groups))
}
