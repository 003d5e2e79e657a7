//! The lines of a trace other than those of calls and processes. Within a version fields are added, never renamed or taken away.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{Address, KernelLine, inode, socket_id};
use super::{CallLine, ClearLine, LibraryLine, ProcessLine};
use crate::tracer::event::{KernelEvent, Notice};

/// The version of the lines.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line<'a> {
    /// The first line.
    Header(Box<HeaderLine<'a>>),
    /// A call is over.
    Call(Box<CallLine<'a>>),
    /// A call has blocked for a while, and still does.
    Waiting(Box<CallLine<'a>>),
    /// Something became of a process or thread.
    Process(Box<ProcessLine<'a>>),
    /// Something about the tracing itself.
    Notice(NoticeLine<'a>),
    /// A handshake that connect(2) had left to the kernel has ended.
    Connected(MomentLine<'a>),
    /// An answer is still waited for.
    StillWaiting(MomentLine<'a>),
    /// The kernel knows something new of a socket between calls.
    Kernel(Box<KernelMomentLine<'a>>),
    /// A function of a library has begun, or is over.
    Library(Box<LibraryLine<'a>>),
    /// Clear text went into a TLS library, or came out of it.
    Clear(Box<ClearLine<'a>>),
    /// A name was asked for.
    Name(Box<NameLine<'a>>),
    /// A conversation is over, or the trace is and left it open.
    Conversation(Box<ConversationLine<'a>>),
    /// Something was found that a person should look at; at the end once more where it was found again and again.
    Finding(Box<FindingLine<'a>>),
    /// In a record: the story was asked what is still waited for.
    Tick(TickLine),
    /// The trace is over.
    Exit(ExitLine<'a>),
}

/// What the trace is of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeaderLine<'a> {
    /// The version of the lines.
    pub version: u32,
    /// What the lines are: a record (what the tracer saw) or a trace (what the story tells).
    #[serde(default)]
    pub content: Cow<'a, str>,
    /// The version of sockstrace that wrote them.
    #[serde(default)]
    pub sockstrace: Cow<'a, str>,
    /// This run, unlike any other.
    #[serde(default)]
    pub run: Cow<'a, str>,
    /// When the trace began: seconds since 1970-01-01 UTC.
    #[serde(default)]
    pub unix_seconds: i64,
    /// And nanoseconds.
    #[serde(default)]
    pub unix_nanos: u32,
    /// The program and its arguments; what is no UTF-8 is replaced.
    #[serde(default)]
    pub command: Vec<String>,
    /// The program's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The machine's name (uname(2)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The machine's present boot (/proc/sys/kernel/random/boot_id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The container, where the control group's name tells one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What `--label` says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The options that leave something out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Whether stages are explained, as in `--demo`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explains: bool,
    /// Which file of several it is, by `--rotate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
}

impl HeaderLine<'_> {
    /// The same, apart from the line that it was read from.
    pub fn into_owned(self) -> HeaderLine<'static> {
        HeaderLine {
            content: self.content.into_owned().into(),
            sockstrace: self.sockstrace.into_owned().into(),
            run: self.run.into_owned().into(),
            ..self
        }
    }
}

/// Something about the tracing itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoticeLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// What: io-uring, privilege-lost, waiting-for or text.
    pub notice: Cow<'a, str>,
    /// io-uring, privilege-lost: the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// io-uring: when, in ns since the trace began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "time_ns")]
    pub time: Option<u64>,
    /// io-uring: whether `--no-io-uring` refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<bool>,
    /// privilege-lost: the program's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Cow<'a, str>>,
    /// waiting-for: the program's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Cow<'a, str>>,
    /// waiting-for: who is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildLine<'a>>,
    /// text: the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
}

/// A process that is waited for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChildLine<'a> {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// A moment of a conversation that is no call.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MomentLine<'a> {
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// When, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<i32>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<i64>,
    /// Why the handshake failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// The name of that (errno(3)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// How long it took, or has taken so far, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "waited_ns")]
    pub waited: Option<u64>,
    /// The other end's.
    #[serde(flatten)]
    pub address: Address<'a>,
}

/// What the kernel said of a socket that nobody made a call on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelMomentLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// When, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// The process that has it.
    pub pid: i32,
    /// The thread that made the latest call on it, as far as that is known.
    pub tid: i32,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub conversation: Option<i64>,
    /// The socket's inode.
    pub inode: i64,
    /// What was said.
    #[serde(borrow)]
    pub kernel: KernelLine<'a>,
}

impl<'a> From<&'a KernelEvent> for KernelMomentLine<'a> {
    fn from(event: &'a KernelEvent) -> Self {
        Self {
            run: None,
            time: event.time,
            pid: event.pid,
            tid: event.tid,
            conversation: None,
            inode: inode(event.socket),
            kernel: KernelLine::of(&event.facts),
        }
    }
}

impl KernelMomentLine<'_> {
    /// What the tracer told.
    pub fn event(&self) -> KernelEvent {
        KernelEvent {
            pid: self.pid,
            tid: self.tid,
            time: self.time,
            socket: socket_id(self.inode),
            facts: self.kernel.facts(),
        }
    }
}

/// A conversation at its end.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConversationLine<'a> {
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// Its number in the trace; less than 0 where it is set apart, as the name service's are.
    pub conversation: i64,
    /// The process that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The name of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<&'a str>,
    /// The socket's inode.
    pub inode: i64,
    /// AF_*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<&'a str>,
    /// SOCK_*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'a str>,
    /// What it was there for: connector, listener, accepted, pair or open.
    pub part: &'a str,
    /// Our end's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_ip: Option<String>,
    /// Our end's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u32>,
    /// Our end's name, of a UNIX socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_path: Option<String>,
    /// The peer's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_ip: Option<String>,
    /// The peer's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u32>,
    /// The peer's name, of a UNIX socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_path: Option<String>,
    /// The name by which the program came to the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_name: Option<&'a str>,
    /// How that is known: dns, mdns, sni, host, proxy or hosts (the hosts file has it, and the program's arguments mention it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_name_source: Option<&'a str>,
    /// The protocols that it carried, the outermost first, where they were recognised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<&'a str>,
    /// When it was made, in ns since the trace began, where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "start_ns")]
    pub start: Option<u64>,
    /// When it ended, or the trace did, in ns since the trace began.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// When it was connected, in ns since the trace began, as far as the calls tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "connected_ns")]
    pub connected: Option<u64>,
    /// When the first byte came in, in ns since the trace began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "first_byte_ns")]
    pub first_byte: Option<u64>,
    /// How long calls that move data have waited in all, in ns.
    #[serde(rename = "blocked_ns")]
    pub blocked: u64,
    /// Calls that sent something.
    pub sends: u64,
    /// Calls that received something.
    pub receives: u64,
    /// The conversation that won, where this try for the same name was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_to: Option<i64>,
    /// The conversation at its other end, where that is the trace's too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_end: Option<i64>,
    /// The listener by which it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<i64>,
    /// For how long it waited to be accepted, in ns, where the kernel was asked; it counts in steps of some ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "queued_ns")]
    pub queued: Option<u64>,
    /// Of a listener: how many peers may wait, as listen(2) was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<i32>,
    /// The processes that made calls on it; the first few.
    #[serde(default, skip_serializing_if = "<[i32]>::is_empty")]
    pub processes: &'a [i32],
    /// Whom it talked to, where datagrams went to several addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerLine<'a>>,
    /// How many datagrams went to or came from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers_more: Option<u64>,
    /// How many packets it has dropped, where the kernel was asked: datagrams, or a listener's peers, that there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u32>,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Its round-trip time at the end, in µs, where the kernel was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// How many segments were sent again, where the kernel was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resent_segments: Option<u32>,
    /// Bytes that had come in and were never received, where the kernel was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// How it ended: closed, exit (its last process did), exec (closed by it), left-open.
    pub ended: &'a str,
    /// Who closed first, where the calls prove it: us, peer, or reset (the peer, by a reset).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_first: Option<&'a str>,
    /// What it came to: carried, listened, lost (another try for the same name won), never-connected, unused, handed-on (to a process
    /// that is not traced) or open.
    pub fate: &'a str,
    /// Of a listener: how many peers it let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
}

/// One of those whom a socket for datagrams talked to.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerLine<'a> {
    /// Its address.
    #[serde(flatten)]
    pub address: Address<'a>,
    /// Bytes sent to it.
    pub sent: u64,
    /// Bytes that came from it.
    pub received: u64,
    /// Datagrams sent to it.
    pub sends: u64,
    /// Datagrams that came from it.
    pub receives: u64,
    /// When the first datagram went either way, in ns since the trace began.
    #[serde(rename = "first_ns")]
    pub first: u64,
    /// When the last one did.
    #[serde(rename = "last_ns")]
    pub last: u64,
}

/// A name that a process asked for, with all questions and answers.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameLine<'a> {
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// When the first question was asked, in ns since the trace began.
    #[serde(rename = "start_ns")]
    pub start: u64,
    /// When the last answer came, or the last question was given up, in ns since the trace began.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// The process that asked.
    pub pid: i32,
    /// The thread that asked first.
    pub tid: i32,
    /// The name of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<&'a str>,
    /// The name.
    pub name: &'a str,
    /// The library's function that the program asked, where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<&'a str>,
    /// The service that it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name that the answer says is the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// How the function failed: the constant's name (EAI_NONAME).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// Longer names that were tried too, with search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<&'a str>,
    /// What was asked: A, AAAA and other types of records.
    pub asked: Vec<&'a str>,
    /// The addresses that it has.
    pub addresses: Vec<String>,
    /// How many records of other types came.
    pub records: u64,
    /// What came of it: found, cut (too long for UDP, and not asked for by TCP), nothing, no-such-name, no-answer, or the server's code.
    pub outcome: &'a str,
    /// How it is known: dns, mdns, nscd, or library, where the resolver answered without asking anybody that we saw.
    pub source: &'a str,
    /// Who was asked.
    pub servers: Vec<ServerLine<'a>>,
    /// When it was told, in ns since the trace began, where that was by no occasion but after a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "told_ns")]
    pub told: Option<u64>,
}

/// Of a name's line what a replay has a use for: when it was told, if that was by no occasion but after a while.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ToldLine {
    /// When, in ns since the trace began.
    #[serde(default, rename = "told_ns")]
    pub told: Option<u64>,
}

/// A name server that was asked.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerLine<'a> {
    /// Its address.
    #[serde(flatten)]
    pub address: Address<'a>,
    /// How it was asked: udp, tcp, multicast, resolved or nscd.
    pub by: &'a str,
    /// How often it was asked the same.
    pub times: u32,
    /// Whether it answered.
    pub answered: bool,
}

/// Something that a person should look at.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FindingLine<'a> {
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// When it was found, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// Its name, which stays.
    pub name: &'a str,
    /// How much it matters: error, warning or note.
    pub severity: &'a str,
    /// What was seen.
    pub seen: &'a str,
    /// Why it matters, and what to try.
    pub advice: &'a str,
    /// The calls that prove it, by their numbers; the first few.
    pub calls: &'a [u64],
    /// The conversation that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<i64>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How often it was found.
    pub count: u64,
}

/// The story was asked what is still waited for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TickLine {
    /// When, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
}

/// The trace is over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExitLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// When, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// The program's exit status, where no signal killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// The signal that killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl<'a> NoticeLine<'a> {
    /// The line of a notice; none for what is said of the engine, which is no part of a trace.
    pub fn of(notice: &'a Notice) -> Option<Self> {
        Some(match notice {
            Notice::IoUring { pid, time, refused } => Self {
                notice: "io-uring".into(),
                pid: Some(*pid),
                time: Some(*time),
                refused: Some(*refused),
                ..Self::default()
            },
            Notice::PrivilegeLost { pid, path } => Self {
                notice: "privilege-lost".into(),
                pid: Some(*pid),
                path: Some(path.into()),
                ..Self::default()
            },
            Notice::WaitingFor { program, children } => Self {
                notice: "waiting-for".into(),
                program: Some(program.into()),
                children: children
                    .iter()
                    .map(|(pid, name)| ChildLine {
                        pid: *pid,
                        name: name.into(),
                    })
                    .collect(),
                ..Self::default()
            },
            Notice::Text(text) => Self {
                notice: "text".into(),
                text: Some(text.into()),
                ..Self::default()
            },
            Notice::Engine(_) => return None,
        })
    }

    /// The notice; nothing where this version does not know it.
    pub fn notice(self) -> Option<Notice> {
        let owned = |text: Option<Cow<'_, str>>| text.unwrap_or_default().into_owned();
        Some(match &*self.notice {
            "io-uring" => Notice::IoUring {
                pid: self.pid?,
                time: self.time.unwrap_or(0),
                refused: self.refused.unwrap_or(false),
            },
            "privilege-lost" => Notice::PrivilegeLost {
                pid: self.pid?,
                path: owned(self.path),
            },
            "waiting-for" => Notice::WaitingFor {
                program: owned(self.program),
                children: self
                    .children
                    .into_iter()
                    .map(|child| (child.pid, child.name.into_owned()))
                    .collect(),
            },
            "text" => Notice::Text(owned(self.text)),
            _ => return None,
        })
    }
}
