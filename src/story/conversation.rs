//! One socket's life: its ends, its bytes, and what its calls prove about it.

use super::apart::Standing;
use super::bytes::Direction;
use super::exchanges::Exchanges;
use super::meaning::{Awaited, Farewell, Fate, Side};
use super::names::Name;
use super::silence::Silence;
use crate::kernel::{Facts, Tcp};
use crate::protocol::Layers;
use crate::syscall::{Role, SockAddr};
use crate::tracer::event::{CallEvent, Nanos, Socket, SocketId};

/// A conversation: one socket from its creation, or from when it was first seen, to its last close.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its number: the n-th of the program's own that was seen, from 1; of those apart from -1 down; 0 where that is not decided yet.
    pub number: i64,
    /// Which one it is, of all in the order of their first sight; unlike the number, this never changes.
    pub seen: u64,
    /// Whose it is.
    pub standing: Standing,
    /// The process that made it, where that was seen.
    pub maker: Option<i32>,
    /// The other one that socketpair(2) made with it.
    pub other: Option<SocketId>,
    /// The socket at the other end of its connection, where that is the trace's too.
    pub(super) far_end: Option<SocketId>,
    /// The number of that, once it has one.
    pub far: Option<i64>,
    /// The listener by which it came, by its number.
    pub listener: Option<i64>,
    /// For how long it waited to be accepted, where the kernel was asked; it counts in steps of some ms.
    pub queued: Option<Nanos>,
    /// Of a listener: how many peers may wait, as listen(2) was told.
    pub backlog: Option<i32>,
    /// The processes that made calls on it; the first few.
    pub processes: Vec<i32>,
    /// The process that passed it on in a message, and whether another one has made a call on it since.
    pub(super) passed: Option<i32>,
    pub(super) arrived: bool,
    /// The name by which the program came to its peer.
    pub name: Option<Name>,
    /// The socket.
    pub socket: Socket,
    /// Our end, as bind, getsockname or the listener told it. The port may be known where the address is the wildcard.
    pub local: Option<SockAddr>,
    /// The other end; for datagrams the latest one.
    pub peer: Option<SockAddr>,
    /// What the kernel said of it last.
    pub kernel: Option<Box<Facts>>,
    /// Whom it talked to, where datagrams say so each.
    pub exchanges: Exchanges,
    /// Bytes sent.
    pub out: u64,
    /// Bytes received.
    pub received: u64,
    /// Calls that sent something.
    pub sends: u64,
    /// Calls that received something.
    pub receives: u64,
    /// How long calls that move data have waited in all, as far as it was a wait.
    pub blocked: Nanos,
    /// When it was connected, as far as the calls tell.
    pub connected: Option<Nanos>,
    /// When the first byte came in.
    pub first_byte: Option<Nanos>,
    /// Other tries for the same name at the same time, once this one has won.
    pub rivals: Vec<Rival>,
    /// The number of the one that won, where this one was given up for it.
    pub lost_to: Option<i64>,
    /// Whether a datagram went either way: it may have been empty.
    pub(super) datagrams: bool,
    /// When its making began, where that was seen.
    pub born: Option<Nanos>,
    /// What it is there for.
    pub part: Part,
    /// How far it is connected.
    pub link: Link,
    /// The protocols that it carries.
    pub layers: Layers,
    /// Those inside its TLS, where a library has said what is there in clear.
    pub(super) clear: Layers,
    /// Who closed first, so far.
    pub first: Option<Side>,
    /// The one who asks, as the other answers: who connected, or else who moved data first.
    pub(super) asker: Option<Direction>,
    /// When the asker's latest burst ended, until the first byte back.
    pub(super) asked: Option<Nanos>,
    /// Whether something is to come from the peer, and who waits for it.
    pub(super) silence: Silence,
    /// Whether shutdown(2) ended our receiving: an end of data is our own doing then.
    pub(super) deaf: bool,
}

/// What a socket is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing has told yet.
    Open,
    /// It waits for peers and has let in so many.
    Listener(u64),
    /// A listener made it.
    Accepted,
    /// It connects, or has connected, to its peer.
    Connector,
    /// socketpair(2) made it together with another one of the same program.
    Pair,
}

/// How far a socket is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not at all, or not that we saw.
    None,
    /// The kernel has been at it since then, by this thread's connect(2).
    Connecting {
        /// Entry of connect(2).
        since: Nanos,
        /// Its process.
        pid: i32,
        /// Its thread.
        tid: i32,
    },
    /// It is.
    Connected,
    /// The handshake failed.
    Failed,
}

/// Another try for the same name (RFC 8305), which did not win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Whom it tried.
    pub peer: SockAddr,
    /// How long before this one it was begun, in ns.
    pub before: Nanos,
    /// Why it failed, where it had by then.
    pub errno: Option<i32>,
}

/// How many of the processes that use it are remembered.
const PROCESSES: usize = 16;

impl Conversation {
    /// A conversation about which nothing is known but its socket.
    pub(super) fn new(seen: u64, socket: Socket) -> Self {
        Self {
            number: 0,
            seen,
            standing: Standing::Open,
            maker: None,
            other: None,
            far_end: None,
            far: None,
            listener: None,
            queued: None,
            backlog: None,
            processes: Vec::new(),
            passed: None,
            arrived: false,
            name: None,
            socket,
            local: None,
            peer: None,
            kernel: None,
            exchanges: Exchanges::default(),
            out: 0,
            received: 0,
            sends: 0,
            receives: 0,
            blocked: 0,
            connected: None,
            first_byte: None,
            rivals: Vec::new(),
            lost_to: None,
            datagrams: false,
            born: None,
            part: Part::Open,
            link: Link::None,
            layers: Layers::default(),
            clear: Layers::default(),
            first: None,
            asker: None,
            asked: None,
            silence: Silence::default(),
            deaf: false,
        }
    }

    /// Whether it is known to be a byte stream: only there is a receive of 0 bytes the end.
    pub fn is_stream(&self) -> bool {
        self.socket
            .kind
            .is_some_and(|(_, kind, _)| kind == libc::SOCK_STREAM)
    }

    /// Whether it is known to carry datagrams.
    pub fn is_datagram(&self) -> bool {
        self.socket
            .kind
            .is_some_and(|(_, kind, _)| kind == libc::SOCK_DGRAM)
    }

    /// Whether calls on it never block, as far as was seen.
    pub fn may_not_block(&self) -> bool {
        self.silence.nonblocking
    }

    /// Whether any data went either way.
    pub fn has_carried(&self) -> bool {
        self.out + self.received > 0 || self.datagrams
    }

    /// Whether it was made by a connection, so that it has two ends that close.
    pub(super) fn has_ends(&self) -> bool {
        let connected = self.link == Link::Connected || self.out + self.received > 0;
        let kind = self.socket.kind.map(|(_, kind, _)| kind);
        connected
            && self.part != Part::Pair
            && matches!(kind, Some(libc::SOCK_STREAM | libc::SOCK_SEQPACKET))
    }

    /// Whether it waits for peers.
    pub fn is_listener(&self) -> bool {
        matches!(self.part, Part::Listener(_))
    }

    /// Since when its peer is waited for, by one who polls it; nothing for servers, whose peers may take their time.
    pub(super) fn silent_since(&self) -> Option<Nanos> {
        match (self.part, self.link) {
            (_, Link::Connecting { since, .. }) => Some(since),
            (Part::Connector, _) => self.silence.since,
            (Part::Open, _) if self.asker == Some(Direction::Out) => self.silence.since,
            _ => None,
        }
    }

    /// The same for a process that waits in epoll_wait(2), which doesn't say for what. A datagram may want no answer (syslog), so it has
    /// to be in an epoll set.
    pub(super) fn silent_for(&self, process: i32) -> Option<Nanos> {
        let known = self.silence.user == process && self.part == Part::Connector;
        let expects = self.silence.watched || !self.is_datagram();
        self.silent_since().filter(|_| known && expects)
    }

    /// Takes in a call on it that has blocked: whom connect(2) is waiting for.
    pub(super) fn expect(&mut self, event: &CallEvent) {
        if event.call.row.role == Role::Connect && self.link == Link::None {
            self.peer = event.call.address().cloned();
            self.part = Part::Connector;
        }
    }

    /// Takes in what the kernel said: the addresses are those that no call tells.
    pub(super) fn take_facts(&mut self, facts: &Facts) {
        let address = |bytes: &[u8]| SockAddr::parse(bytes).filter(|it| port(it) != Some(0));
        if let Some(local) = address(&facts.local) {
            self.local = Some(local);
        }
        if self.peer.is_none() {
            self.peer = address(&facts.peer);
        }
        let known = self.kernel.get_or_insert_default();
        // A handshake that has failed leaves nothing behind; how often it was tried is worth keeping.
        let failed =
            |tcp: &Tcp| tcp.state() == "CLOSE" && known.tcp.is_some_and(|it| it.connects());
        known.tcp = facts.tcp.filter(|it| !failed(it)).or(known.tcp);
        known.buffers = facts.buffers.or(known.buffers);
        known.unread = facts.unread;
        known.unacknowledged = facts.unacknowledged;
    }

    /// Notes who uses it.
    pub(super) fn used_by(&mut self, pid: i32) {
        self.arrived |= self.passed.is_some_and(|passer| passer != pid);
        if self.processes.len() < PROCESSES && !self.processes.contains(&pid) {
            self.processes.push(pid);
        }
    }

    /// What is to be said at its end, `open` if that is only the end of the trace.
    pub(super) fn farewell(&mut self, now: Nanos, open: bool) -> Farewell {
        let fate = match self.part {
            _ if open && self.passed.is_some() && !self.arrived => Fate::HandedOn,
            _ if open => Fate::Open,
            Part::Listener(count) => Fate::Listened(count),
            _ if !self.has_carried() && self.link != Link::Connected && self.lost_to.is_some() => {
                Fate::Lost(self.lost_to.unwrap_or_default())
            }
            _ if self.has_carried() => Fate::Carried,
            _ if matches!(self.link, Link::Failed | Link::Connecting { .. }) => {
                Fate::NeverConnected
            }
            _ if self.has_ends() => Fate::Carried,
            _ => Fate::Unused,
        };
        let first =
            (fate == Fate::Carried && self.has_ends()).then(|| *self.first.get_or_insert(Side::Us));
        let lived = self.born.map(|born| now.saturating_sub(born));
        Farewell {
            out: self.out,
            received: self.received,
            first,
            lived,
            fate,
            peers: self.exchanges.several().len(),
            kernel: self.kernel.clone(),
        }
    }
}

/// What a blocked call of that role waits for.
pub fn awaited(role: Role, direction: Option<Direction>) -> Awaited {
    match (role, direction) {
        (Role::Connect, _) => Awaited::Answer,
        (Role::Accept, _) => Awaited::Peer,
        (_, Some(Direction::In)) => Awaited::Data,
        (_, Some(Direction::Out)) => Awaited::Room,
        _ => Awaited::Other,
    }
}

/// Whether a signal ended the call: EINTR, and the kernel's restart codes (include/linux/errno.h), which it turns into a restart or EINTR.
pub fn interrupted(errno: i32) -> bool {
    errno == libc::EINTR || matches!(errno, 512..=514 | 516)
}

pub(super) fn port(address: &SockAddr) -> Option<u16> {
    match address {
        SockAddr::Inet { port, .. } | SockAddr::Inet6 { port, .. } => Some(*port),
        _ => None,
    }
}
