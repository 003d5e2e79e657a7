//! Runs one command and says what it took.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// How long a command may take: none comes near it unless it hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a command took.
#[derive(Debug)]
pub struct Measured {
    /// From before its start to its end.
    pub whole: Duration,
    /// Its standard output.
    pub stdout: String,
    /// CPU time in user mode of its process alone, all threads.
    pub user: Duration,
    /// The same of its first thread.
    pub user_of_first: Duration,
    /// The largest resident set in bytes: its own, unless what it ran or what ran it was larger.
    pub resident: u64,
}

/// A command that runs, in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub struct Running {
    child: Child,
    what: String,
    began: Instant,
    stdout: File,
    stderr: File,
    over: bool,
}

/// The group that runs, for [`end_with_us`]; of several, the first.
static GROUP: AtomicI32 = AtomicI32::new(0);
const ORDER: Ordering = Ordering::Relaxed;

/// Sees to it that Ctrl-C leaves nothing running.
pub fn end_together() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler makes system calls only.
        unsafe { signal::signal(signal, SigHandler::Handler(end_with_us)) }
            .expect("a handler for a signal that can be caught");
    }
}

extern "C" fn end_with_us(signal: i32) {
    let group = GROUP.load(ORDER);
    // SAFETY: plain system calls.
    unsafe {
        if group > 0 {
            libc::killpg(group, libc::SIGKILL);
        }
        libc::_exit(128 + signal);
    }
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let what = command.get_program().to_string_lossy().into_owned();
        let failed = |error: io::Error| format!("{what}: {error}");
        // Files: unlike a pipe, they never keep a command waiting.
        let stdout = tempfile::tempfile().map_err(failed)?;
        let stderr = tempfile::tempfile().map_err(failed)?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?)
            .process_group(0);
        let began = Instant::now();
        let child = command.spawn().map_err(failed)?;
        let _others = GROUP.compare_exchange(0, child.id() as i32, ORDER, ORDER);
        Ok(Self {
            child,
            what,
            began,
            stdout,
            stderr,
            over: false,
        })
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        content(&self.stdout)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.wait(Duration::ZERO).unwrap_or(true)
    }

    /// Waits for its end, and says what it took; an error unless it succeeded.
    pub fn finish(mut self) -> Result<Measured, String> {
        let ended = self.wait(PATIENCE);
        let whole = self.began.elapsed();
        match ended {
            Ok(true) => {}
            Ok(false) => return Err(format!("{} hangs", self.what)),
            Err(error) => return Err(format!("{}: {error}", self.what)),
        }
        // Its times stand in /proc as long as nobody has waited for it, and without those of its children.
        let pid = self.child.id();
        let user = user_time(&format!("/proc/{pid}/stat"));
        let user_of_first = user_time(&format!("/proc/{pid}/task/{pid}/stat"));
        let (status, resident) = self
            .reap()
            .map_err(|error| format!("{}: {error}", self.what))?;
        if !status.success() {
            return Err(format!("{}: {status}; {}", self.what, self.complaint()));
        }
        Ok(Measured {
            whole,
            stdout: self.stdout(),
            user: user.unwrap_or_default(),
            user_of_first: user_of_first.unwrap_or_default(),
            resident,
        })
    }

    /// Waits so long at most for its end, and says whether that has come.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        // SAFETY: pidfd_open takes numbers and gives a descriptor, which is ours alone; the child has not been waited for.
        let descriptor = unsafe {
            match libc::syscall(libc::SYS_pidfd_open, self.child.id(), 0) {
                -1 => return Err(io::Error::last_os_error()),
                descriptor => OwnedFd::from_raw_fd(descriptor as i32),
            }
        };
        let mut ready = libc::pollfd {
            fd: descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&raw mut ready, 1, patience.as_millis() as i32) } {
            -1 => Err(io::Error::last_os_error()),
            count => Ok(count == 1),
        }
    }

    /// Its status and its largest resident set in bytes.
    fn reap(&mut self) -> io::Result<(ExitStatus, u64)> {
        let (mut status, pid) = (0, self.child.id() as i32);
        // SAFETY: all zeroes is a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: two valid places; the child is ours and has not been waited for.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid {
            return Err(io::Error::last_os_error());
        }
        self.over = true;
        let _others = GROUP.compare_exchange(pid, 0, ORDER, ORDER);
        // getrusage(2): ru_maxrss is in kilobytes of 1024.
        Ok((ExitStatus::from_raw(status), usage.ru_maxrss as u64 * 1024))
    }

    /// The last line on standard error.
    fn complaint(&self) -> String {
        let text = content(&self.stderr);
        text.lines().last().unwrap_or("it says nothing").to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            // The group cannot be another's: nobody has waited for its leader.
            let _gone = signal::killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
            let _gone = self.reap();
        }
    }
}

/// By a descriptor of our own, since the offset is shared with the command.
fn content(file: &File) -> String {
    let own = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mut bytes = Vec::new();
    let _unread = own.and_then(|mut own| own.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a command to its end.
pub fn run(command: Command) -> Result<Measured, String> {
    Running::start(command)?.finish()
}

/// Field 14 of /proc/PID/stat: clock ticks spent in user mode (proc_pid_stat(5)).
fn user_time(path: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(path).ok()?;
    // The command's name, field 2, may hold anything but ends at the last parenthesis.
    let ticks: u64 = stat
        .rsplit(')')
        .next()?
        .split_whitespace()
        .nth(11)?
        .parse()
        .ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    Some(Duration::from_nanos(
        ticks * 1_000_000_000 / per_second as u64,
    ))
}
