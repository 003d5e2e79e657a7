//! The line of a call: what was captured of it, which is enough to decode it again, and beside that what the story says of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::message::MessageLine;
use super::{Bytes, Hex};
use crate::kernel::{Buffers, Facts, Taken, Tcp};
use crate::syscall::{Data, Entry, Limits, Outcome, Raw, Snapshot, SockAddr, row};
use crate::tracer::calling::Calling;
use crate::tracer::descriptors::Changes;
use crate::tracer::event::{CallEvent, Descriptor, Socket, SocketId};

/// The most data of one call that is captured, in bytes: a bound for what a hostile tracee can make us hold at once.
pub const DATA: usize = 128 << 20;

/// The most buffers of one call that are captured: as many as the kernel takes (UIO_MAXIOV, include/uapi/linux/uio.h).
pub const BUFFERS: usize = 1024;

/// The most items of another array.
pub const ITEMS: usize = 32;

/// A call that is over, or that has blocked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// Which call of the trace it is, from 1: what findings point to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub number: Option<u64>,
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The name of its program (comm).
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub process: Option<&'a str>,
    /// When it was entered, in ns since the trace began.
    #[serde(rename = "start_ns")]
    pub start: u64,
    /// When it came back, in ns since the trace began; of one that still blocks, when it was looked at.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// How long it took, in ns.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    #[serde(rename = "duration_ns")]
    pub duration: Option<u64>,
    /// Its name (syscalls(2)).
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub call: Option<&'a str>,
    /// Its number on x86_64.
    pub nr: u64,
    /// The descriptor that it is about.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub fd: Option<i32>,
    /// The number of the conversation that it belongs to; less than 0 where it is set apart, as the name service's are.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub conversation: Option<i64>,
    /// The other end of that, as it stands now: its address.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub peer_ip: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub peer_port: Option<u32>,
    /// Its name, of a UNIX socket.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub peer_path: Option<String>,
    /// The name by which the program came to it.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub peer_name: Option<&'a str>,
    /// The stage of that: create, bind, listen, accept, connect, send, receive or close.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub stage: Option<&'a str>,
    /// What it returned. Neither this nor an errno: it had not returned when its thread ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// The name of that (errno(3)).
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub error: Option<&'a str>,
    /// How much it matters: ordinary, expected (a failure as such things fail), error.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub importance: Option<&'a str>,
    /// Whether the text only counts it: set-up and polling that went well.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub folded: Option<bool>,
    /// What it means, in a word.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub meaning: Option<Cow<'a, str>>,
    /// How long someone waited for it, in ns: a handshake, a call that blocked.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    #[serde(rename = "waited_ns")]
    pub waited: Option<u64>,
    /// How long after the other side's latest turn this answer came, in ns.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    #[serde(rename = "after_ns")]
    pub after: Option<u64>,
    /// What was said in it, where the protocol is known.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageLine<'a>>,
    /// How many more messages there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_more: Option<u64>,
    /// The address that it gives or gets.
    #[serde(flatten, skip_deserializing)]
    pub address: Address<'a>,
    /// How many bytes it sent or received.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub bytes: Option<u64>,
    /// The data that it sent or received, where all that is shown of it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub data: Option<&'a str>,
    /// The same where it isn't.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub data_base64: Option<Bytes<'a>>,
    /// How long all of that data is, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub data_length: Option<u64>,
    /// Its arguments by their names in the manual page.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub args: Option<Json>,
    /// What the kernel said of its socket: before a close, after other calls.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelLine<'a>>,
    /// What it was decoded from.
    pub captured: CapturedLine<'a>,
}

/// A socket address, apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Address<'a> {
    /// AF_*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Cow<'a, str>>,
    /// Of AF_INET and AF_INET6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Of AF_INET, AF_INET6 and AF_VSOCK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// The name of a UNIX socket, an abstract one with `@` before it; bytes that are no UTF-8 are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<&SockAddr> for Address<'_> {
    fn from(address: &SockAddr) -> Self {
        let family = crate::syscall::names::socket::FAMILY.get(address.family().into());
        let family = match family {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(address.family().to_string()),
        };
        let (mut ip, mut port, mut path) = (None, None, None);
        match address {
            SockAddr::Inet { ip: its, port: at } => {
                (ip, port) = (Some(its.to_string()), Some((*at).into()));
            }
            SockAddr::Inet6 {
                ip: its, port: at, ..
            } => {
                (ip, port) = (Some(its.to_string()), Some((*at).into()));
            }
            SockAddr::Vsock { port: at, .. } => port = Some(*at),
            SockAddr::UnixPath(name) => path = Some(String::from_utf8_lossy(name).into_owned()),
            SockAddr::UnixAbstract(name) => {
                path = Some(format!("@{}", String::from_utf8_lossy(name)));
            }
            _ => {}
        }
        Self {
            family: Some(family),
            ip,
            port,
            path,
        }
    }
}

/// What was captured of a call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapturedLine<'a> {
    /// The six argument registers.
    pub registers: [Hex; 6],
    /// How many bytes of data were captured at most.
    pub data: usize,
    /// How many items of an array were captured at most.
    pub items: usize,
    /// How many buffers of a vector were captured at most, and messages.
    pub buffers: usize,
    /// What stood behind its pointers before the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<PieceLine<'a>>,
    /// What stood behind its pointers when it was over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<PieceLine<'a>>,
    /// The sockets that its descriptors lead to, or led to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketLine>,
    /// What its other descriptors are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileLine<'a>>,
    /// The sockets whose last descriptor went with it, by their inodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<i64>,
}

/// A piece of a tracee's memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PieceLine<'a> {
    /// Where it stood.
    pub address: Hex,
    /// How many bytes were asked for, where fewer could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<usize>,
    /// Those that could be read.
    pub bytes: Bytes<'a>,
}

/// A descriptor that leads to a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SocketLine {
    /// The descriptor.
    pub fd: i32,
    /// The socket's inode; below 0 for one whose inode the kernel did not tell.
    pub inode: i64,
    /// AF_*, SOCK_* and protocol, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<(i32, i32, i32)>,
    /// Whether the program had it from its start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inherited: bool,
}

/// A descriptor that leads to something else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileLine<'a> {
    /// The descriptor.
    pub fd: i32,
    /// What /proc/PID/fd says of it.
    pub file: Bytes<'a>,
    /// How long that is, where `file` is only its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// What the kernel said of a socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelLine<'a> {
    /// Our end's address, as the kernel writes it (struct sockaddr).
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub local: Option<Bytes<'a>>,
    /// The other end's.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Bytes<'a>>,
    /// Bytes that had come in and were not received yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// Bytes that were sent and not acknowledged yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacknowledged: Option<u32>,
    /// The state of TCP, by its name.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub state: Option<&'a str>,
    /// What TCP knew of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// What its buffers held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers: Option<Buffers>,
    /// The inode of the socket at the other end, of a UNIX socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_inode: Option<i64>,
    /// Who has the address that could not be bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    /// The name that the process's hosts file has for the peer, and its arguments mention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Cow<'a, str>>,
}

impl<'a> KernelLine<'a> {
    /// The line of facts.
    pub fn of(facts: &'a Facts) -> Self {
        let address = |bytes: &'a [u8]| (!bytes.is_empty()).then(|| Bytes(bytes.into()));
        Self {
            local: address(&facts.local),
            peer: address(&facts.peer),
            unread: facts.unread,
            unacknowledged: facts.unacknowledged,
            state: facts.tcp.as_ref().map(Tcp::state),
            tcp: facts.tcp,
            buffers: facts.buffers,
            other_inode: facts.other.map(inode),
            taken: facts.taken.clone(),
            host: facts.host.as_deref().map(Cow::Borrowed),
        }
    }

    /// The facts of a line.
    pub fn facts(&self) -> Facts {
        let address =
            |bytes: &Option<Bytes<'_>>| bytes.as_ref().map_or_else(Vec::new, |it| it.0.to_vec());
        Facts {
            local: address(&self.local),
            peer: address(&self.peer),
            tcp: self.tcp,
            unread: self.unread,
            unacknowledged: self.unacknowledged,
            buffers: self.buffers,
            other: self.other_inode.map(socket_id),
            taken: self.taken.clone(),
            host: self.host.as_deref().map(str::to_owned),
        }
    }
}

/// Inodes are numbers of 32 bits; the tracer's own numbers for sockets without one have the highest bit of 64 set, and become -1, -2 …
pub fn inode(id: SocketId) -> i64 {
    match i64::try_from(id) {
        Ok(inode) => inode,
        Err(_) => -1 - ((id & (u64::MAX >> 1)) as i64),
    }
}

/// The reverse.
pub fn socket_id(inode: i64) -> SocketId {
    match SocketId::try_from(inode) {
        Ok(id) => id,
        Err(_) => (-1 - inode) as u64 | 1 << 63,
    }
}

/// All of that.
pub const LIMITS: Limits = Limits {
    data: DATA,
    items: ITEMS,
    buffers: BUFFERS,
};

pub(super) fn pieces(snapshot: &Snapshot) -> Vec<PieceLine<'_>> {
    let pieces = snapshot.pieces();
    pieces
        .map(|(address, wanted, bytes)| PieceLine {
            address: Hex(address),
            wanted: (wanted != bytes.len()).then_some(wanted),
            bytes: Bytes(bytes.into()),
        })
        .collect()
}

pub(super) fn snapshot(pieces: &[PieceLine<'_>]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for piece in pieces {
        snapshot.add(piece.address.0, piece.wanted.unwrap_or(0), &piece.bytes.0);
    }
    snapshot
}

fn socket(fd: i32, socket: &Socket) -> SocketLine {
    SocketLine {
        fd,
        inode: inode(socket.id),
        kind: socket.kind,
        inherited: socket.inherited,
    }
}

fn file(fd: i32, file: &Data) -> FileLine<'_> {
    FileLine {
        fd,
        file: Bytes(file.bytes.as_slice().into()),
        length: (file.len != file.bytes.len() as u64).then_some(file.len),
    }
}

impl<'a> CapturedLine<'a> {
    fn new(raw: Raw, limits: Limits, before: &'a Snapshot, memory: &'a Snapshot) -> Self {
        Self {
            registers: raw.args.map(Hex),
            data: limits.data,
            items: limits.items,
            buffers: limits.buffers,
            before: pieces(before),
            memory: pieces(memory),
            ..Self::default()
        }
    }
}

impl<'a> CallLine<'a> {
    /// The line of a call as the tracer sent it.
    pub fn of(calling: &'a Calling) -> Self {
        let Calling { entry, changes, .. } = calling;
        let mut captured =
            CapturedLine::new(entry.raw, calling.limits, entry.before(), &calling.snapshot);
        let sockets = changes.sockets.iter();
        captured
            .sockets
            .extend(sockets.map(|(fd, its)| socket(*fd, its)));
        captured
            .released
            .extend(changes.released.iter().map(|id| inode(*id)));
        for (fd, descriptor) in &calling.files {
            if let Descriptor::File(its) = descriptor {
                captured.files.push(file(*fd, its));
            }
        }
        Self {
            pid: calling.pid,
            tid: calling.tid,
            start: calling.start,
            end: calling.end,
            nr: entry.raw.number,
            result: calling.outcome.value(),
            errno: calling.outcome.errno(),
            kernel: calling.kernel.as_deref().map(KernelLine::of),
            captured,
            ..Self::default()
        }
    }

    /// The line of a call as it was told; one without [`CallEvent::captured`] cannot be decoded again.
    pub fn told(event: &'a CallEvent) -> Self {
        let raw = event.call.raw;
        let mut captured = match event.captured.as_deref() {
            Some(captured) => {
                CapturedLine::new(raw, captured.limits, &captured.before, &captured.memory)
            }
            None => CapturedLine {
                registers: raw.args.map(Hex),
                ..CapturedLine::default()
            },
        };
        for (fd, descriptor) in &event.descriptors {
            match descriptor {
                Descriptor::Socket(its) => captured.sockets.push(socket(*fd, its)),
                Descriptor::File(its) => captured.files.push(file(*fd, its)),
            }
        }
        captured
            .released
            .extend(event.released.iter().map(|id| inode(*id)));
        Self {
            pid: event.pid,
            tid: event.tid,
            start: event.start,
            end: event.end,
            nr: raw.number,
            result: event.call.outcome.value(),
            errno: event.call.outcome.errno(),
            kernel: event.kernel.as_deref().map(KernelLine::of),
            captured,
            ..Self::default()
        }
    }

    /// The call as the tracer sent it; nothing for one that this version does not know.
    pub fn calling(&self) -> Option<Box<Calling>> {
        let captured = &self.captured;
        let raw = Raw {
            number: self.nr,
            args: captured.registers.map(|register| register.0),
        };
        let mut calling = Calling::new(Entry::of(row(self.nr)?, raw, snapshot(&captured.before)));
        (calling.pid, calling.tid) = (self.pid, self.tid);
        (calling.start, calling.end) = (self.start, self.end);
        calling.outcome = match (self.result, self.errno) {
            (_, Some(errno)) => Outcome::Error(errno),
            (Some(value), None) => Outcome::Value(value),
            (None, None) => Outcome::Unfinished,
        };
        let limits = Limits {
            data: captured.data,
            items: captured.items,
            buffers: captured.buffers,
        };
        calling.limits = limits.within(LIMITS);
        calling.snapshot = snapshot(&captured.memory);
        calling.kernel = self.kernel.as_ref().map(|it| Box::new(it.facts()));
        calling.changes = Changes {
            sockets: captured.sockets.iter().map(SocketLine::socket).collect(),
            released: captured.released.iter().copied().map(socket_id).collect(),
            denied: false,
        };
        let files = captured.files.iter().map(|file| {
            let bytes = file.file.0.to_vec();
            let len = file.length.unwrap_or(bytes.len() as u64);
            (file.fd, Descriptor::File(Data { bytes, len }))
        });
        calling.files.extend(files);
        Some(Box::new(calling))
    }
}

impl SocketLine {
    fn socket(&self) -> (i32, Socket) {
        let socket = Socket {
            id: socket_id(self.inode),
            kind: self.kind,
            inherited: self.inherited,
        };
        (self.fd, socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_has_a_number_that_json_can_hold() {
        for id in [0, 1, u32::MAX.into(), 1 << 63, (1 << 63) + 7] {
            let number = inode(id);
            assert!(number.unsigned_abs() < 1 << 53, "{number}");
            assert_eq!(socket_id(number), id);
        }
        // Whatever a file says is some socket.
        assert_eq!(socket_id(i64::MIN), u64::MAX);
    }
}
