//! The threads and processes that we trace, and what each is doing.

use std::collections::HashSet;

use super::calling::Calling;
use super::coverage::Coverage;
use super::descriptors::TableId;
use super::inject::Injection;
use super::probe::frames::Frames;
use super::recorder::space::SpaceId;
use crate::kernel::Hosts;
use crate::syscall::Entry;
use rustc_hash::FxHashMap;

/// What a thread is doing, as far as the tracer cares.
#[derive(Debug, Default)]
pub enum Doing {
    /// Running, or in a call that nobody wants to see.
    #[default]
    Nothing,
    /// In a call that is of interest, from entry to exit.
    Calling(Box<Calling>),
}

/// A change of a child-making call's flags, to be undone when the call is over.
#[derive(Clone, Copy, Debug)]
pub enum Undo {
    /// clone(2): the flags stand in an argument.
    Argument {
        /// Which, as [`abi::set_argument`](super::abi::set_argument) counts.
        index: usize,
        /// The flags as the program wrote them.
        flags: u64,
    },
    /// clone3(2): the flags stand in memory.
    Memory {
        /// The address of struct clone_args.
        address: u64,
        /// The flags as the program wrote them.
        flags: u64,
    },
}

/// One traced thread.
#[derive(Debug)]
pub struct Thread {
    /// The process (thread group).
    pub pid: i32,
    /// Its descriptors.
    pub table: TableId,
    /// What it does.
    pub doing: Doing,
    /// CLONE_* of the child-making call that it is in, where that call stopped.
    pub clone_flags: Option<u64>,
    /// What is to be undone after that call.
    pub undo: Option<Undo>,
    /// In a group-stop: how often it had run when that began.
    pub asleep_since: Option<i32>,
    /// Whether its present call has had its entry stop.
    pub entered: bool,
    /// Whether it is about to give its process a seccomp filter of its own.
    pub sandboxes: bool,
    /// The call that a signal interrupted and that restart_syscall(2) takes up again.
    pub interrupted: Option<Entry>,
    /// Whether its table was copied while another thread could change it, and is to be compared with the kernel's.
    pub resync: bool,
    /// Whether its process was made while another thread could give its maker's a filter, and its filters are to be counted.
    pub recount: bool,
    /// Whether it has been seen running: a new thread's first stop is not one of the program's own.
    pub begun: bool,
    /// Whether it was last let run to the next event, past calls that the filters let pass.
    pub free: bool,
    /// Whether we have interrupted it, so that its calls stop from then on.
    pub nudged: bool,
    /// Calls of ours that it is making.
    pub injection: Option<Box<Injection>>,
    /// The probed functions that it is in.
    pub frames: Frames,
}

/// Whether every call of a process stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallByCall {
    /// Filters pick those that do.
    #[default]
    No,
    /// Until it becomes another program: the reason lies in its memory.
    UntilExec,
    /// For good: it has a filter of its own, and the calls that this refuses stop for us only so, or it can have none of ours.
    ForGood,
}

/// One traced process.
#[derive(Debug)]
pub struct Process {
    /// Its name, for labels and messages.
    pub name: String,
    /// Its live threads.
    pub threads: HashSet<i32>,
    /// Whether its events are kept to ourselves (`--no-follow`).
    pub hidden: bool,
    /// Whether it is in a group-stop.
    pub stopped: bool,
    /// Whether every call of it stops, for want of a filter that could say which.
    pub call_by_call: CallByCall,
    /// Whether it was said that the kernel lets nobody look into it.
    pub opaque: bool,
    /// Whether it uses io_uring, which has been said.
    pub uses_io_uring: bool,
    /// The names of its hosts file that concern it, once it has connected to anybody.
    pub hosts: Option<Hosts>,
    /// Its memory.
    pub space: SpaceId,
    /// What its filters stop.
    pub coverage: Coverage,
    /// Places in its memory from which its threads read new filters, those that none is using.
    pub places: Vec<u64>,
}

impl Process {
    /// Whether further filters can tell more of its calls apart, and anybody wants to see them.
    pub fn takes_filters(&self) -> bool {
        self.call_by_call == CallByCall::No && !self.hidden && !self.coverage.is_everything()
    }

    /// A process of that name, with no thread yet.
    pub fn named(name: String, hidden: bool, coverage: Coverage, space: SpaceId) -> Self {
        Self {
            space,
            name,
            threads: HashSet::new(),
            hidden,
            stopped: false,
            call_by_call: CallByCall::No,
            opaque: false,
            uses_io_uring: false,
            hosts: None,
            coverage,
            places: Vec::new(),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Tracees {
    /// By thread number.
    pub threads: FxHashMap<i32, Thread>,
    /// By process number.
    pub processes: FxHashMap<i32, Process>,
}

impl Tracees {
    /// Adds a thread, and its process where it is the first of it.
    pub fn add(&mut self, tid: i32, pid: i32, table: TableId, process: impl FnOnce() -> Process) {
        self.processes
            .entry(pid)
            .or_insert_with(process)
            .threads
            .insert(tid);
        let thread = Thread {
            pid,
            table,
            doing: Doing::Nothing,
            clone_flags: None,
            undo: None,
            asleep_since: None,
            entered: false,
            sandboxes: false,
            interrupted: None,
            resync: false,
            recount: false,
            begun: false,
            free: false,
            nudged: false,
            injection: None,
            frames: Frames::default(),
        };
        self.threads.insert(tid, thread);
    }

    /// Removes a thread; whether it was the last one of its process, which then is removed too.
    pub fn remove(&mut self, tid: i32) -> Option<(Thread, bool)> {
        let thread = self.threads.remove(&tid)?;
        let last = self.processes.get_mut(&thread.pid).is_some_and(|process| {
            process.threads.remove(&tid);
            process.threads.is_empty()
        });
        Some((thread, last))
    }

    /// Whether a process's events are to be kept back.
    pub fn hidden(&self, pid: i32) -> bool {
        self.processes
            .get(&pid)
            .is_some_and(|process| process.hidden)
    }
}
