//! How a trace begins: what is wanted of it, and the program up to its first instruction.

use std::time::{Instant, SystemTime};

use super::alarm::{Alarm, Mask};
use super::coverage::{Coverage, Scope};
use super::decoy::Decoy;
use super::event::{Nanos, SocketId};
use super::filter::{self, Wishes};
use super::launch::launch;
use super::probe::looking::Probed;
use super::procfs;
use super::program::{LaunchError, Program};
use super::stopped::Stopped;
use crate::syscall::{Entry, Limits, Selection};

/// How calls are made to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// The best that works here: seccomp filters that grow with the sockets of each process, and a recorder for what is hot.
    #[default]
    Auto,
    /// The filters alone.
    Stop,
    /// The filters, and a recorder for every call that it can take, from the first one on.
    Record,
    /// One seccomp filter picks them by number.
    Number,
    /// Every call stops (PTRACE_SYSCALL).
    Syscall,
}

impl Mechanism {
    /// Whether filters grow with the sockets.
    pub(super) fn grows(self) -> bool {
        matches!(self, Self::Auto | Self::Stop | Self::Record)
    }

    /// Whether calls may be recorded.
    pub(super) fn records(self) -> bool {
        matches!(self, Self::Auto | Self::Record)
    }
}

/// When the kernel is asked about a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// Where a connection begins and ends.
    #[default]
    Ends,
    /// After every call.
    Calls,
    /// Never.
    Never,
}

/// What to trace.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How calls are made to stop.
    pub mechanism: Mechanism,
    /// Whether the program's children are shown (they are traced in any case).
    pub follow: bool,
    /// Whether the trace goes on until the last child has ended.
    pub stay_for_children: bool,
    /// Whether files and pipes are shown too.
    pub all_descriptors: bool,
    /// Calls asked for by name (`-e trace=`), which are told even where they have nothing to do with sockets.
    pub named: Selection,
    /// Whether io_uring_setup answers ENOSYS.
    pub refuse_io_uring: bool,
    /// How much is read of what calls point to.
    pub limits: Limits,
    /// When the kernel is asked about a socket.
    pub kernel: Asking,
    /// Which functions of libraries are probed.
    pub probed: Probed,
    /// Whether it is told how calls are made to stop.
    pub debug: bool,
}

/// A program that is about to begin.
#[derive(Debug)]
pub struct Trace {
    /// The program's process.
    pub pid: i32,
    /// Wakes the tracer; the output's end of the queue needs it.
    pub alarm: Alarm,
    /// When the trace began, by the wall clock; events count from here.
    pub began: SystemTime,
    /// Whether a seccomp filter is in force.
    pub filtered: bool,
    pub(super) stopped: Stopped,
    start: Instant,
    pub(super) decoy: Option<Decoy>,
    pub(super) execve: Option<Entry>,
    /// What the start filter covers.
    pub(super) coverage: Coverage,
    /// Whether the program may install filters as long as it keeps its privilege only.
    pub(super) privileged: bool,
    /// The sockets that it inherits.
    pub(super) inherited: Vec<(i32, SocketId, bool)>,
}

/// Tells the time of a trace.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Nanoseconds since the trace began.
    pub fn now(self) -> Nanos {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Trace {
    /// How calls are made to stop, in words.
    pub fn mechanism(&self) -> &'static str {
        match (self.filtered, self.coverage.is_everything()) {
            (true, false) => "seccomp filters stop calls on sockets, and grow with them",
            (true, true) => "a seccomp filter stops calls by their number",
            (false, _) => "every call stops (PTRACE_SYSCALL)",
        }
    }

    /// The clock by which its events are timed.
    pub fn clock(&self) -> Clock {
        Clock { start: self.start }
    }
}

/// Launches the program, up to its first instruction. To be called by the thread that is then to run the [`Engine`](super::Engine), after
/// [`block_signals`](super::alarm::block_signals), whose `mask` becomes the program's.
///
/// # Errors
/// In a line: what failed, on what, and what to do next.
pub fn start(program: &Program, config: &Config, mask: Mask) -> Result<Trace, LaunchError> {
    let mut inherited = procfs::sockets(std::process::id() as i32);
    inherited.retain(|(_, _, closes_on_exec)| !closes_on_exec);
    // Who begins as another user has lost the privilege to install more filters when it begins.
    let grows = config.mechanism.grows() && !config.all_descriptors && program.user.is_none();
    let mut descriptors: Vec<i32> = inherited.iter().map(|(fd, ..)| *fd).collect();
    descriptors.sort_unstable();
    let covered = match grows {
        true => Scope::Members(Coverage::of(Scope::Members(Vec::new())).plan(descriptors)),
        false => Scope::Everything,
    };
    let filter = (config.mechanism != Mechanism::Syscall).then(|| {
        let wishes = Wishes {
            all_descriptors: config.all_descriptors,
            named: &config.named,
        };
        filter::start(&covered, wishes)
    });
    let tells_execve = config.named.contains(libc::SYS_execve as u64);
    let launched = launch(program, filter, mask, tells_execve)?;
    if config.mechanism == Mechanism::Number && !launched.filtered {
        return Err(LaunchError::Own(
            "no seccomp filter can be installed here; --engine auto or syscall works without one"
                .to_owned(),
        ));
    }
    let alarm = Alarm::start()
        .map_err(|error| LaunchError::Own(format!("cannot start a thread: {error}")))?;
    super::signals::outlive_the_terminal();
    Ok(Trace {
        pid: launched.stopped.tid(),
        alarm,
        began: SystemTime::now(),
        filtered: launched.filtered,
        stopped: launched.stopped,
        decoy: Decoy::start().ok(),
        execve: launched.execve,
        coverage: Coverage::of(covered),
        privileged: !launched.no_new_privs,
        inherited,
        start: Instant::now(),
    })
}
