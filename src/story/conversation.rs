//! One socket's life: its ends, its bytes, and what its calls prove about it.

use syscalls::Sysno;

use super::apart::Standing;
use super::bytes::{self, Direction, number};
use super::exchanges::Exchanges;
use super::meaning::{Awaited, Farewell, Fate, Meaning, Side};
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
    /// The process that passed it on in a message, until another one makes a call on it.
    pub(super) passed: Option<i32>,
    /// The name by which the program came to its peer.
    pub name: Option<Name>,
    /// The socket.
    pub socket: Socket,
    /// Our end, as bind, getsockname or the listener told it. The port may be known where the address is the wildcard.
    pub local: Option<SockAddr>,
    /// The other end; for datagrams the latest one.
    pub peer: Option<SockAddr>,
    /// What the kernel said of it last.
    pub kernel: Option<Facts>,
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
    datagrams: bool,
    /// When its making began, where that was seen.
    pub born: Option<Nanos>,
    /// What it is there for.
    pub part: Part,
    /// How far it is connected.
    pub link: Link,
    /// The protocols that it carries.
    pub layers: Layers,
    /// Who closed first, so far.
    pub first: Option<Side>,
    /// The one who asks, as the other answers: who connected, or else who moved data first.
    asker: Option<Direction>,
    /// When the asker's latest burst ended, until the first byte back.
    asked: Option<Nanos>,
    /// Whether something is to come from the peer, and who waits for it.
    pub(super) silence: Silence,
    /// Whether shutdown(2) ended our receiving: an end of data is our own doing then.
    deaf: bool,
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

/// What a call told about its conversation.
#[derive(Debug, Default)]
pub struct Learned {
    /// What the call means.
    pub meaning: Option<Meaning>,
    /// How long someone waited.
    pub took: Option<Nanos>,
    /// How long after the other side's turn the answer came.
    pub after: Option<Nanos>,
    /// A handshake that was under way has ended: begun when, and its errno if it failed.
    pub handshake: Option<(Nanos, Option<i32>)>,
}

/// How many of the processes that use it are remembered.
const PROCESSES: usize = 16;
/// A call shorter than this was no wait worth a word: 1 ms.
const WAIT: Nanos = 1_000_000;
/// The same for an answer and for a handshake: 0.1 ms.
pub(super) const ANSWER: Nanos = 100_000;
/// SOL_SOCKET and SO_ERROR (include/uapi/asm-generic/socket.h).
const SO_ERROR: [u64; 2] = [1, 4];
/// MSG_FASTOPEN (include/linux/socket.h): such a send carries the SYN.
const FASTOPEN: u64 = 0x2000_0000;

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
    fn has_ends(&self) -> bool {
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

    /// How often the kernel has sent a SYN in a handshake that goes on, as far as it was asked.
    pub(super) fn syns(&self) -> Option<u32> {
        let tcp = self.kernel.as_ref()?.tcp?;
        let again = tcp.total_retrans.max(tcp.retransmits.into());
        tcp.connects().then_some(again + 1)
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
        if self.passed.is_some_and(|passer| passer != pid) {
            self.passed = None;
        }
        if self.processes.len() < PROCESSES && !self.processes.contains(&pid) {
            self.processes.push(pid);
        }
    }

    /// Takes in a finished call on it. `ready` says whether polling has reported anything to its process since the handshake began.
    pub(super) fn learn(&mut self, event: &CallEvent, ready: bool) -> Learned {
        let call = &event.call;
        if let Some(direction) = bytes::direction(event) {
            return match call.outcome.value() {
                Some(_) => self.carried(event, direction),
                None => self.failed_to_carry(event, direction),
            };
        }
        let done = call.outcome.value().is_some();
        match call.row.role {
            Role::Connect => self.connect(event),
            Role::Bind if done => self.bind(call.address()),
            Role::Listen if done => {
                if !matches!(self.part, Part::Listener(_)) {
                    self.part = Part::Listener(0);
                }
                self.backlog = Some(call.raw.args[1] as i32);
                Learned {
                    meaning: Some(Meaning::WaitingForPeers),
                    ..Learned::default()
                }
            }
            Role::Shutdown if done => self.shutdown(call.raw.args[1]),
            Role::Setup if done => self.asked_about(event, ready),
            _ => Learned::default(),
        }
    }

    fn bind(&mut self, address: Option<&SockAddr>) -> Learned {
        let Some(address) = address else {
            return Learned::default();
        };
        let meaning = match address {
            _ if port(address) == Some(0) => Some(Meaning::KernelPicksPort),
            address if is_wildcard(address) => Some(Meaning::EveryAddress),
            SockAddr::Inet { ip, .. } if ip.is_loopback() => Some(Meaning::ThisMachine),
            SockAddr::Inet6 { ip, .. } if ip.is_loopback() => Some(Meaning::ThisMachine),
            _ => None,
        };
        // Port 0 is a wish; getsockname will tell what became of it.
        self.local = if port(address) == Some(0) {
            None
        } else {
            Some(address.clone())
        };
        Learned {
            meaning,
            ..Learned::default()
        }
    }

    fn connect(&mut self, event: &CallEvent) -> Learned {
        let call = &event.call;
        let mut learned = Learned::default();
        if let Some(SockAddr::Other { family: 0, .. }) = call.address() {
            if call.outcome.value().is_some() {
                (self.peer, self.link) = (None, Link::None);
                learned.meaning = Some(Meaning::ForgetsPeer);
            }
            return learned;
        }
        let since = match self.link {
            Link::Connecting { since, .. } => Some(since),
            _ => None,
        };
        let unset = since.is_none();
        if unset && self.link != Link::Connected {
            self.peer = call.address().cloned();
            self.part = Part::Connector;
        }
        match call.outcome.errno() {
            None if call.outcome.value().is_none() => {}
            None => {
                self.link = Link::Connected;
                if !self.is_datagram() {
                    self.silence.begins(event.end);
                }
                if self.is_datagram() {
                    self.peer = call.address().cloned();
                    learned.meaning = Some(Meaning::SetsPeer);
                } else if let Some(since) = since {
                    learned.took = Some(event.end - since.min(event.end));
                } else {
                    learned.took = waited(event, if self.is_inet() { 0 } else { ANSWER });
                }
            }
            Some(libc::EISCONN) => {
                learned.handshake = self.end_handshake(None, event.end);
            }
            Some(libc::EINPROGRESS | libc::EALREADY) => {
                self.begin_handshake(event, unset);
                // On the way to a socket of this machine it is over before the call is.
                if event.kernel.as_ref().is_some_and(|it| it.is_connected()) {
                    learned.handshake = self.end_handshake(None, event.end);
                }
            }
            // The kernel goes on with the handshake when a signal ends connect(2).
            Some(errno) if interrupted(errno) => self.begin_handshake(event, unset),
            Some(_) => {
                learned.took = match since {
                    Some(since) => Some(event.end - since.min(event.end)),
                    None => waited(event, WAIT),
                };
                if self.link != Link::Connected {
                    self.link = Link::Failed;
                }
            }
        }
        learned
    }

    fn begin_handshake(&mut self, event: &CallEvent, unset: bool) {
        if unset && self.link != Link::Connected {
            self.link = Link::Connecting {
                since: event.start,
                pid: event.pid,
                tid: event.tid,
            };
            self.silence.ends();
        }
    }

    fn is_inet(&self) -> bool {
        matches!(
            self.peer,
            Some(SockAddr::Inet { .. } | SockAddr::Inet6 { .. })
        )
    }

    /// Ends a handshake that was under way.
    fn end_handshake(&mut self, errno: Option<i32>, now: Nanos) -> Option<(Nanos, Option<i32>)> {
        let Link::Connecting { since, .. } = self.link else {
            return None;
        };
        self.link = if errno.is_some() {
            Link::Failed
        } else {
            self.silence.begins(now);
            Link::Connected
        };
        Some((since, errno))
    }

    /// The kernel says that the handshake had succeeded by then.
    pub(super) fn kernel_connected(&mut self, when: Nanos) {
        self.end_handshake(None, when);
    }

    fn carried(&mut self, event: &CallEvent, direction: Direction) -> Learned {
        let call = &event.call;
        let count = bytes::moved(event);
        let mut learned = Learned {
            took: waited(event, WAIT),
            ..Learned::default()
        };
        let flags = bytes::flags(call);
        if count > 0 && flags & FASTOPEN == 0 {
            learned.handshake = self.end_handshake(None, event.end);
        }
        self.blocked = self.blocked.saturating_add(learned.took.unwrap_or(0));
        let some = u64::from(count > 0);
        match direction {
            Direction::Out => {
                self.out = self.out.saturating_add(count);
                self.sends += some;
            }
            Direction::In => {
                self.received = self.received.saturating_add(count);
                self.receives += some;
                if count > 0 {
                    self.first_byte.get_or_insert(event.end);
                }
            }
        }
        // After shutdown(2) a receive returns 0 without one.
        let datagram = self.is_datagram()
            && bytes::carries_datagram(call)
            && !(self.deaf && call.outcome.value() == Some(0));
        self.datagrams |= datagram;
        if datagram {
            bytes::each_datagram(event, |address, len| {
                self.exchanges.note(direction, address, len, event.end);
            });
        }
        if !matches!(self.link, Link::Connected)
            && let Some(address) = call.address()
        {
            self.peer = Some(address.clone());
        }
        if count > 0 || datagram {
            match direction {
                Direction::Out => self.silence.begins(event.end),
                Direction::In => self.silence.ends(),
            }
            // A server may greet first, and is the one that answers all the same.
            let asker = *self.asker.get_or_insert(match self.part {
                Part::Connector => Direction::Out,
                Part::Accepted => Direction::In,
                _ => direction,
            });
            if asker == direction {
                self.asked = Some(event.end);
            } else if let Some(asked) = self.asked.take() {
                let answered = event.end.saturating_sub(asked);
                learned.after = (answered >= ANSWER).then_some(answered);
            }
        }
        let asked = bytes::asked(call);
        match direction {
            Direction::Out if self.is_stream() && asked.is_some_and(|of| of > count) => {
                learned.meaning = asked.map(|of| Meaning::Part { done: count, of });
            }
            Direction::In if bytes::peeks(call) => learned.meaning = Some(Meaning::Peeked),
            // A receive after shutdown(SHUT_RD) returns 0 too.
            Direction::In if self.is_stream() && bytes::meets_end(call) && !self.deaf => {
                learned.meaning = Some(Meaning::PeerEnded);
                self.first.get_or_insert(Side::Peer);
                self.asked = None;
                self.silence.ends();
            }
            Direction::In => {
                learned.meaning = bytes::cut(call).map(|(of, to)| Meaning::Cut { of, to });
            }
            _ => {}
        }
        learned
    }

    fn failed_to_carry(&mut self, event: &CallEvent, direction: Direction) -> Learned {
        let mut learned = Learned {
            took: waited(event, WAIT),
            ..Learned::default()
        };
        match event.call.outcome.errno() {
            Some(libc::ECONNRESET) => {
                self.first.get_or_insert(Side::PeerByReset);
                self.silence.ends();
            }
            Some(libc::EPIPE) if direction == Direction::Out && self.link != Link::Failed => {
                self.first.get_or_insert(Side::Peer);
            }
            Some(libc::ECONNREFUSED | libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH)
                if self
                    .end_handshake(event.call.outcome.errno(), event.end)
                    .is_some() =>
            {
                learned.took = None;
            }
            _ => {}
        }
        learned
    }

    fn shutdown(&mut self, how: u64) -> Learned {
        if how != libc::SHUT_RD as u64 && self.has_ends() {
            self.first.get_or_insert(Side::Us);
        }
        self.deaf |= how != libc::SHUT_WR as u64;
        let meaning = match how as i32 {
            libc::SHUT_RD => Meaning::ShutReceive,
            libc::SHUT_WR => Meaning::ShutSend,
            _ => Meaning::ShutBoth,
        };
        Learned {
            meaning: Some(meaning),
            ..Learned::default()
        }
    }

    /// The questions whose answers tell us something.
    fn asked_about(&mut self, event: &CallEvent, ready: bool) -> Learned {
        let call = &event.call;
        let mut learned = Learned::default();
        match call.row.number {
            Sysno::getsockname => {
                // After a failed handshake the kernel has forgotten all but the port.
                let known = self.local.as_ref().and_then(port);
                if let Some(address) = call.address()
                    && !(is_wildcard(address) && known.is_some() && known == port(address))
                {
                    self.local = Some(address.clone());
                }
            }
            Sysno::getpeername => {
                self.peer = call.address().cloned().or(self.peer.take());
                learned.handshake = self.end_handshake(None, event.end);
            }
            Sysno::getsockopt if call.raw.args[1..3] == SO_ERROR => {
                match call.arg("optval").and_then(number) {
                    // No error is also the answer while the handshake is still under way: it counts once polling has reported something.
                    Some(0) if ready => learned.handshake = self.end_handshake(None, event.end),
                    Some(errno @ 1..4096) => {
                        learned.handshake = self.end_handshake(Some(errno as i32), event.end);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        learned
    }

    /// A peer came by a listener at that address: what it says about the new conversation.
    pub(super) fn accepted_at(&mut self, local: Option<SockAddr>, event: &CallEvent) -> Meaning {
        self.part = Part::Accepted;
        self.link = Link::Connected;
        self.born = Some(event.end);
        // The kernel knows by which of its addresses the peer came; a listener may be at all of them.
        self.local = self.local.take().or(local);
        self.peer = event.call.address().cloned().or(self.peer.take());
        let tcp = event.kernel.as_ref().and_then(|it| it.tcp);
        // Nothing can have been sent yet: the kernel counts from the handshake's end.
        self.queued = tcp.map(|tcp| Nanos::from(tcp.last_data_sent_ms) * 1_000_000);
        Meaning::Accepted {
            local: self.local.clone(),
            peer: self.peer.clone(),
        }
    }

    /// What is to be said at its end, `open` if that is only the end of the trace.
    pub(super) fn farewell(&mut self, now: Nanos, open: bool) -> Farewell {
        let fate = match self.part {
            _ if open && self.passed.is_some() => Fate::HandedOn,
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

fn port(address: &SockAddr) -> Option<u16> {
    match address {
        SockAddr::Inet { port, .. } | SockAddr::Inet6 { port, .. } => Some(*port),
        _ => None,
    }
}

fn is_wildcard(address: &SockAddr) -> bool {
    match address {
        SockAddr::Inet { ip, .. } => ip.is_unspecified(),
        SockAddr::Inet6 { ip, .. } => ip.is_unspecified(),
        _ => false,
    }
}

fn waited(event: &CallEvent, least: Nanos) -> Option<Nanos> {
    let took = event.end.saturating_sub(event.start);
    (took >= least).then_some(took)
}
