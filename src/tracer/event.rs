//! What leaves the tracer: one stream of events.
//!
//! A call's event comes when the call is over, so events are ordered by end; `start` and `end` are the call's own times.

use crate::kernel::Facts;
use crate::library::Invocation;
use crate::syscall::{Call, Data, Limits, Snapshot};

/// Nanoseconds since the trace began, by CLOCK_MONOTONIC.
pub type Nanos = u64;

/// A socket is known by its inode in sockfs (the number in `socket:[N]` of /proc/PID/fd), the same behind every descriptor of it.
pub type SocketId = u64;

/// Something that happened in the program.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call is over (or its thread ended inside it).
    Call(Box<CallEvent>),
    /// A call has blocked for a while and still does; its [`Event::Call`] with the same `tid` and `start` follows when it is over.
    Waiting(Box<CallEvent>),
    /// A process or thread began, became another program, got a signal, stopped or ended.
    Process(ProcessEvent),
    /// What the kernel knows of a socket has changed between calls.
    Kernel(Box<KernelEvent>),
    /// A function of a library has begun, or is over.
    Library(Box<LibraryEvent>),
    /// Something about the tracing itself that a person should know.
    Notice(Notice),
}

/// What the kernel said of a socket that nobody made a call on.
#[derive(Clone, Debug)]
pub struct KernelEvent {
    /// The process that has it.
    pub pid: i32,
    /// Its thread that made the latest call on it, as far as that is known.
    pub tid: i32,
    /// When.
    pub time: Nanos,
    /// The socket.
    pub socket: SocketId,
    /// What was said.
    pub facts: Facts,
}

/// A function of a library at its beginning or end. The calls that its thread makes in between are made for it.
#[derive(Clone, Debug)]
pub struct LibraryEvent {
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// When it began.
    pub start: Nanos,
    /// When this was.
    pub time: Nanos,
    /// Which of both it is.
    pub phase: Phase,
    /// The function, what it was called with, and what it gave.
    pub invocation: Invocation,
    /// How many bytes of clear text were copied at most.
    pub limit: usize,
    /// What it was decoded from: when it began, and when it was over.
    pub before: Snapshot,
    /// See `before`.
    pub memory: Snapshot,
}

/// How far a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It begins.
    Begins,
    /// It has returned.
    Ends,
    /// It will never return: something has jumped out of it.
    Lost,
    /// It said all that matters when it began; nobody waits for its end.
    Aside,
}

/// A call, with whose it is, when it was, and what its descriptors are.
#[derive(Clone, Debug)]
pub struct CallEvent {
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// When the call was entered.
    pub start: Nanos,
    /// When it came back; for one that is still waiting, now.
    pub end: Nanos,
    /// What was called.
    pub call: Call,
    /// What each descriptor among the arguments and results is; those that are not known to the tracer are missing. What a closed or
    /// replaced descriptor was before is here too.
    pub descriptors: Vec<(i32, Descriptor)>,
    /// The sockets whose last descriptor in all traced processes went with this call.
    pub released: Vec<SocketId>,
    /// What the kernel said of the call's socket, where it was asked: before a close, after other calls.
    pub kernel: Option<Box<Facts>>,
    /// What the call was decoded from, where that was asked for.
    pub captured: Option<Box<Captured>>,
}

/// What stood behind the pointers of a call.
#[derive(Clone, Debug)]
pub struct Captured {
    /// How much was copied at most.
    pub limits: Limits,
    /// Before the call, what only its entry can tell.
    pub before: Snapshot,
    /// When it was over.
    pub memory: Snapshot,
}

/// What a descriptor leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// A socket.
    Socket(Socket),
    /// Anything else, by what /proc/PID/fd says of it: a path, `pipe:[N]`, `anon_inode:[eventpoll]`. Only with `--all-descriptors`.
    File(Data),
}

/// What is known of a socket from its making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket {
    /// Its identity.
    pub id: SocketId,
    /// AF_*, SOCK_* and protocol; nothing for a socket that was there before we were, or came from elsewhere, and could not be asked.
    pub kind: Option<(i32, i32, i32)>,
    /// Whether the program had it from its start, from whoever started it.
    pub inherited: bool,
}

/// A process or thread at a turn of its life.
#[derive(Clone, Debug)]
pub struct ProcessEvent {
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// When.
    pub time: Nanos,
    /// What.
    pub change: Change,
}

/// What became of a process or thread.
#[derive(Clone, Debug)]
pub enum Change {
    /// It was started by thread `parent` (none for the program itself); a thread where `pid` differs from `tid`.
    Started {
        /// The thread that made it.
        parent: Option<i32>,
        /// Its name in /proc/PID/comm, for labels.
        name: String,
        /// The number by which it knows itself, where its PID namespace is not ours (pid_namespaces(7)).
        own: Option<i32>,
    },
    /// It became another program by execve; all its other threads are gone, its descriptors marked close-on-exec are closed.
    Executed {
        /// Its new name in /proc/PID/comm.
        name: String,
        /// The file, as /proc/PID/exe has it.
        path: Data,
        /// The sockets whose last descriptor went with it.
        released: Vec<SocketId>,
        /// The thread that called execve, where it was not the leader: it has the leader's number now.
        former: Option<i32>,
    },
    /// A signal is about to be delivered.
    Signal {
        /// Its number, 1 to 64.
        signal: i32,
        /// si_code (sigaction(2)).
        code: i32,
        /// si_pid where the signal came from a process (code SI_USER, SI_QUEUE or SI_TKILL, or SIGCHLD).
        sender: Option<i32>,
    },
    /// A stopping signal has stopped the process (group-stop).
    Stopped {
        /// SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU.
        signal: i32,
    },
    /// SIGCONT has ended the stop.
    Continued,
    /// The thread is gone; with the last of its process the descriptors went too.
    Ended {
        /// How. Of a process whose threads end one by one, each says its own.
        status: Status,
        /// The sockets whose last descriptor went with it.
        released: Vec<SocketId>,
        /// Whether the whole process is gone.
        process: bool,
    },
}

/// How a process ended, as wait(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this status, 0 to 255.
    Exited(i32),
    /// This signal killed it; whether it left a core dump.
    Killed(i32, bool),
}

/// Something about the tracing itself.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The process set up an io_uring: socket work through it makes no calls and cannot be seen.
    IoUring {
        /// The process.
        pid: i32,
        /// When.
        time: Nanos,
        /// Whether `--no-io-uring` refused it.
        refused: bool,
    },
    /// A setuid, setgid or capability-bearing program runs without its privilege, since the tracer has none.
    PrivilegeLost {
        /// The process.
        pid: i32,
        /// The program's file.
        path: String,
    },
    /// The program has ended and these of its children still run: number and name.
    WaitingFor {
        /// The program's own name.
        program: String,
        /// Its remaining descendants.
        children: Vec<(i32, String)>,
    },
    /// How calls are made to stop from now on, for those who asked (`--debug-engine`); already worded.
    Engine(String),
    /// Anything else worth a line; already worded.
    Text(String),
}
