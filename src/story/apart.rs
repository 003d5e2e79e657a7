//! Sockets that nobody asked about: those of the name service, and pairs that stay within one process. They are told apart from the
//! program's own by what is done with them, and until that is known what was done is held back.

use std::mem;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use syscalls::Sysno;

use super::resolution::Resolutions;
use super::{Conversation, Importance, Part, Stage, Story, Told, What, bytes};
use crate::protocol::{Detail, Kind, Message};
use crate::syscall::{Role, SockAddr};
use crate::tracer::event::{CallEvent, Nanos, Socket, SocketId};

/// How many calls on a socket are held back.
const HELD: usize = 24;
/// For how long after a call of the name service another one may belong to it: 5 s, a resolver's own patience (resolv.conf(5)).
pub(super) const RECENT: Nanos = 5_000_000_000;
/// How long nothing has to happen before what was resolved, or held back of a stream, is told without an occasion: 0.2 s.
pub(super) const QUIET: Nanos = 200_000_000;
/// Where name servers listen (RFC 1035 section 4.2).
const DOMAIN: u16 = 53;

/// The name service's cache (nscd(8)), and systemd-resolved.
const NAME_SERVICE: &[&[u8]] = &[
    b"/var/run/nscd/socket",
    b"/run/nscd/socket",
    b"/run/systemd/resolve/io.systemd.Resolve",
];

/// A question for all addresses of this machine (rtnetlink(7)): its type, and NLM_F_REQUEST | NLM_F_DUMP.
const GET_ADDRESSES: [u8; 4] = [22, 0, 1, 3];
/// Its length with what a resolver's has in it: a header, a family and nothing else.
const ADDRESS_DUMP: u64 = 20;

/// What is known of whose a socket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The program's own: it has a number.
    #[default]
    Own,
    /// Not decided yet.
    Open,
    /// Apart: of the name service, or without any use that can be seen from outside.
    Apart,
}

/// What is held back, and the questions to the name service.
#[derive(Debug, Default)]
pub struct Apart {
    held: FxHashMap<SocketId, Vec<Told>>,
    /// The stream that each thread has made last, where it is held back.
    streams: FxHashMap<i32, SocketId>,
    /// What was held back of sockets whose number another one has taken.
    late: Vec<Told>,
    pub(super) resolutions: Resolutions,
    /// When each process last did what resolvers do.
    recent: FxHashMap<i32, Nanos>,
}

/// Whether a socket that such a call has made may turn out to be apart.
pub fn may_be_apart(socket: &Socket, made_by: Role) -> bool {
    let Some((family, kind, protocol)) = socket.kind else {
        return false;
    };
    match (family, kind) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => true,
        // One that was let in is a server's.
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => made_by == Role::Create,
        (libc::AF_UNIX, _) => true,
        (libc::AF_NETLINK, _) => protocol == libc::NETLINK_ROUTE,
        _ => false,
    }
}

impl Story {
    /// Sets apart what nobody asked about, holds back what is not decided, and tells what the name service said.
    pub(super) fn set_apart(&mut self, said: &mut Vec<Told>) {
        self.hear_name_service(said);
        let own = |told: &Told| {
            told.conversation
                .as_ref()
                .is_none_or(|it| it.standing == Standing::Own)
                && !matches!(told.what, What::Process(_))
        };
        if !self.options.sets_apart() || (self.apart.is_idle() && said.iter().all(own)) {
            return;
        }
        let new = mem::replace(said, mem::take(&mut self.apart.late));
        for told in new {
            self.release_stream(&told, said);
            match told
                .conversation
                .as_ref()
                .map(|it| (it.socket.id, it.standing))
            {
                Some((id, Standing::Open | Standing::Apart)) => self.place(id, told, said),
                _ => {
                    self.occasion(&told, said);
                    said.push(told);
                }
            }
        }
    }

    /// Finds the place of what was told of a socket that is not, or not yet, the program's own.
    fn place(&mut self, id: SocketId, mut told: Told, said: &mut Vec<Told>) {
        let was = told
            .conversation
            .as_ref()
            .map_or(Standing::Own, |it| it.standing);
        let now = self.conversations.get(id).map_or(was, |it| it.standing);
        if was == Standing::Open && now != Standing::Open {
            // What was told just before it, of the same moment, has decided it.
            self.mark(&mut told);
            if now == Standing::Own {
                self.occasion(&told, said);
            }
            said.push(told);
            return;
        }
        let standing = self.judge(&told);
        let held = self.apart.held.get(&id).map_or(0, Vec::len);
        if standing == Standing::Open && held < HELD {
            if let (Some(conversation), Some(who), 0) = (&told.conversation, &told.who, held)
                && is_inet_stream(conversation)
            {
                self.apart.streams.insert(who.tid, id);
            }
            self.apart.held.entry(id).or_default().push(told);
            return;
        }
        let standing = match standing {
            Standing::Open => Standing::Own,
            decided => decided,
        };
        if standing != was {
            self.decide(id, standing, said);
        }
        self.mark(&mut told);
        if standing == Standing::Own {
            self.occasion(&told, said);
        }
        said.push(told);
    }

    /// Another socket has the number of this one, whose end nobody saw.
    pub(super) fn replace(&mut self, id: SocketId) {
        if self.apart.held.contains_key(&id) {
            let mut late = Vec::new();
            self.decide(id, Standing::Apart, &mut late);
            self.apart.late.append(&mut late);
        }
    }

    /// It is decided: what was held back is told.
    fn decide(&mut self, id: SocketId, standing: Standing, said: &mut Vec<Told>) {
        let pair = self.conversations.get(id).and_then(|it| it.other);
        self.conversations.settle(id, standing);
        if let Some(other) = pair {
            self.conversations.settle(other, standing);
        }
        let mut held = self.apart.held.remove(&id).unwrap_or_default();
        if let Some(other) = pair {
            held.extend(self.apart.held.remove(&other).unwrap_or_default());
        }
        for mut told in held {
            self.mark(&mut told);
            if standing == Standing::Own {
                self.occasion(&told, said);
            }
            said.push(told);
        }
    }

    /// Gives what is told the number and standing that its conversation has now.
    fn mark(&mut self, told: &mut Told) {
        let Some(conversation) = &mut told.conversation else {
            return;
        };
        let Some(now) = self.conversations.get(conversation.socket.id) else {
            return;
        };
        let (number, standing) = (now.number, now.standing);
        if let Some(super::Meaning::Joined(one, other)) = &mut told.meaning {
            let pair = now.other.and_then(|it| self.conversations.get(it));
            (*one, *other) = (number, pair.map_or(0, |it| it.number));
        }
        if conversation.number != number || conversation.standing != standing {
            let conversation = Rc::make_mut(conversation);
            (conversation.number, conversation.standing) = (number, standing);
        }
        if standing != Standing::Apart {
            return;
        }
        if conversation.part != Part::Pair {
            if let What::Call(event) | What::Waiting(event) = &told.what {
                self.apart.recent.insert(event.pid, event.end);
            }
            told.stage = Some(Stage::Resolve);
        }
        // A peer that is waited for is worth a line, whoever waits; and why no names are told of is worth one.
        let mapped = |message: &Message| message.detail == Detail::Mapped;
        let stays = matches!(told.what, What::StillWaiting) || told.messages.iter().any(mapped);
        told.folds = !stays;
        told.importance = told.importance.min(Importance::Expected);
    }

    /// What is to be made of a socket, by what was told of it last.
    fn judge(&self, told: &Told) -> Standing {
        let Some(conversation) = &told.conversation else {
            return Standing::Own;
        };
        let was = conversation.standing;
        let tid = told.who.as_ref().map_or(0, |it| it.tid);
        if was == Standing::Open && self.boundary.looks_up(tid) {
            return Standing::Apart;
        }
        let event = match &told.what {
            What::Call(event) => event,
            What::Waiting(event)
                if event.call.row.role == Role::Connect && self.asks_by_stream(conversation) =>
            {
                return was;
            }
            What::StillWaiting if was == Standing::Open => return self.unused(conversation, told),
            What::Waiting(_) if was == Standing::Open => return Standing::Own,
            // Its last descriptor went with its process.
            What::Ended(_) if was == Standing::Open => {
                return self.unused(conversation, told);
            }
            _ => return was,
        };
        let done = event.call.outcome.value().is_some();
        let role = event.call.row.role;
        if conversation.part == Part::Pair {
            return match conversation.maker {
                Some(maker) if maker != event.pid => Standing::Own,
                _ if role == Role::Create => Standing::Open,
                _ => Standing::Apart,
            };
        }
        if was == Standing::Apart {
            return was;
        }
        let family = conversation.socket.kind.map_or(0, |it| it.0);
        match (role, family) {
            (Role::Close, _) if !conversation.has_carried() => self.unused(conversation, told),
            (Role::Create | Role::Setup | Role::Poll | Role::Duplicate, _) => Standing::Open,
            (Role::Connect, libc::AF_UNIX) => match event.call.address() {
                Some(SockAddr::UnixPath(path)) if NAME_SERVICE.contains(&&path[..]) => {
                    Standing::Apart
                }
                _ => Standing::Own,
            },
            (Role::Connect, libc::AF_INET | libc::AF_INET6) if !conversation.is_stream() => {
                match event.call.address() {
                    // One address after the other is looked at so, and their number has no bound.
                    Some(SockAddr::Other { family: 0, .. })
                        if !conversation.has_carried() && self.resolves(told) =>
                    {
                        Standing::Apart
                    }
                    _ => Standing::Open,
                }
            }
            (Role::Connect, _) if self.asks_by_stream(conversation) => Standing::Open,
            (Role::Bind, libc::AF_NETLINK) => Standing::Open,
            (Role::Bind, libc::AF_INET | libc::AF_INET6) if done && picks_port(event) => {
                Standing::Open
            }
            (Role::Send, libc::AF_NETLINK) if asks_for_addresses(event) => Standing::Apart,
            (Role::Send, libc::AF_INET | libc::AF_INET6) => match &told.messages[..] {
                messages if messages.iter().any(asks) => Standing::Apart,
                [] if done
                    && bytes::moved(event) == 0
                    && event.call.row.number == Sysno::sendmmsg =>
                {
                    Standing::Open
                }
                // The length of a question goes before it.
                [] if conversation.out <= 2 && self.asks_by_stream(conversation) => Standing::Open,
                _ => Standing::Own,
            },
            _ => Standing::Own,
        }
    }

    /// Whether the one who is told of has just done what resolvers do.
    fn resolves(&self, told: &Told) -> bool {
        let pid = told.who.as_ref().map(|it| it.pid);
        let then = pid.and_then(|pid| self.apart.recent.get(&pid));
        then.is_some_and(|then| told.time.saturating_sub(*then) < RECENT)
    }

    /// Whether a stream leads to a name server, as far as its address tells.
    fn asks_by_stream(&self, conversation: &Conversation) -> bool {
        is_inet_stream(conversation)
            && match &conversation.peer {
                Some(
                    SockAddr::Inet { port: DOMAIN, .. } | SockAddr::Inet6 { port: DOMAIN, .. },
                ) => true,
                Some(peer) => self.apart.resolutions.asks(peer),
                None => false,
            }
    }

    /// What a socket was that carried nothing: a resolver's look whether an address can be reached (RFC 6724), or no use at all.
    fn unused(&self, conversation: &Conversation, told: &Told) -> Standing {
        let apart = match is_inet_stream(conversation) {
            true => self.asks_by_stream(conversation) && self.resolves(told),
            false => conversation.peer.is_none() || self.resolves(told),
        };
        match apart {
            true => Standing::Apart,
            false => Standing::Own,
        }
    }

    /// A thread does something else than connecting the stream that it has made: that is no resolver's.
    fn release_stream(&mut self, told: &Told, said: &mut Vec<Told>) {
        let Some(who) = told.who.as_ref().filter(|_| !told.folds) else {
            return;
        };
        let of = told.conversation.as_ref().map(|it| it.socket.id);
        if let Some(id) = self.apart.streams.get(&who.tid).copied()
            && Some(id) != of
        {
            self.apart.streams.remove(&who.tid);
            self.release_unconnected(id, said);
        }
    }

    /// The same after a while, in which no resolver would be idle.
    pub(super) fn release_streams(&mut self, now: Nanos, said: &mut Vec<Told>) {
        let (held, mut idle) = (&self.apart.held, Vec::new());
        self.apart.streams.retain(|_, id| {
            let first = held.get(id).and_then(|held| held.first());
            let waits = first.is_some_and(|told| now.saturating_sub(told.time) < QUIET);
            if first.is_some() && !waits {
                idle.push(*id);
            }
            waits
        });
        idle.sort_unstable();
        for id in idle {
            self.release_unconnected(id, said);
        }
    }

    fn release_unconnected(&mut self, id: SocketId, said: &mut Vec<Told>) {
        let conversation = self.conversations.get(id);
        if conversation.is_some_and(|it| it.standing == Standing::Open && !self.asks_by_stream(it))
        {
            self.decide(id, Standing::Own, said);
        }
    }

    /// Tells all that is held back: the trace is over.
    pub(super) fn release_all(&mut self, said: &mut Vec<Told>) {
        let mut held: Vec<_> = self.apart.held.keys().copied().collect();
        held.sort_unstable();
        for id in held {
            let standing = match self.conversations.get(id) {
                Some(it) if it.peer.is_some() || it.number > 0 => Standing::Own,
                _ => Standing::Apart,
            };
            self.decide(id, standing, said);
        }
        for resolution in self.apart.resolutions.take(|_| true) {
            if self.options.sets_apart() {
                said.push(self.resolved(resolution));
            }
        }
    }

    /// A process has made another one, which has its descriptors too: a pair may lead from one to the other.
    pub(super) fn shares(&mut self, parent: i32, said: &mut Vec<Told>) {
        let mut pairs: Vec<_> = self
            .apart
            .held
            .iter()
            .filter_map(|(id, held)| {
                let conversation = held.first()?.conversation.as_ref()?;
                let own = conversation.part == Part::Pair && conversation.maker == Some(parent);
                own.then_some(*id)
            })
            .collect();
        pairs.sort_unstable();
        for id in pairs {
            self.decide(id, Standing::Own, said);
        }
    }

    /// Forgets a process.
    pub(super) fn forget_apart(&mut self, pid: i32) {
        self.apart.recent.remove(&pid);
        self.names.forget(pid);
    }
}

impl Apart {
    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.late.is_empty() && self.resolutions.is_empty()
    }
}

/// Whether it is a byte stream of the internet's.
pub fn is_inet_stream(conversation: &Conversation) -> bool {
    matches!(
        conversation.socket.kind,
        Some((libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, _))
    )
}

fn asks(message: &Message) -> bool {
    matches!(message.detail, Detail::Lookup(_)) && matches!(message.kind, Kind::Request(_))
}

fn picks_port(event: &CallEvent) -> bool {
    matches!(
        event.call.address(),
        Some(SockAddr::Inet { port: 0, .. } | SockAddr::Inet6 { port: 0, .. })
    )
}

fn asks_for_addresses(event: &CallEvent) -> bool {
    bytes::moved(event) == ADDRESS_DUMP
        && event
            .call
            .payload()
            .first()
            .is_some_and(|data| data.bytes.get(4..8) == Some(&GET_ADDRESSES))
}
