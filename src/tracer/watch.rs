//! What becomes of sockets between calls, and of those whose threads never stand still together: the kernel's monitor is asked.
//!
//! An answer costs as much as the machine has sockets, so it is asked seldom, and for all that is wanted at once.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::calling::Calling;
use super::engine::Engine;
use super::event::{Event, KernelEvent, Nanos, Socket, SocketId};
use super::start::Asking;
use crate::kernel::{self, CONNECTIONS, Facts, LISTENING, Monitor, SYN_SENT};

/// How often it is asked about connections, and about listeners, at most.
const CONNECTIONS_EVERY: Nanos = 100_000_000;
const LISTENERS_EVERY: Nanos = 1_000_000_000;

/// How many times as long as the latest question took nothing is asked after it.
const REST: u32 = 50;

/// How often the owner of an address is asked for whatever that costs.
const OWNERS: u32 = 3;

/// How many sockets are watched at most, and of how many the ends are remembered.
const WATCHED: usize = 4096;
const REMEMBERED: usize = 1 << 16;

/// What a socket is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// The end of its handshake.
    Handshake,
    /// The peers that wait to be accepted.
    Queue,
    /// Its addresses, which nobody could ask for when it was connected.
    Ends,
    /// Every change of its state.
    States,
}

#[derive(Clone, Debug)]
struct Watched {
    pid: i32,
    tid: i32,
    family: i32,
    namespace: u64,
    what: Watching,
    /// Whether nobody could ask for its addresses yet.
    ends_unknown: bool,
    /// What was told of it last.
    told: Key,
}

/// What a person would want to know when it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    /// The state of TCP.
    state: u8,
    /// Of a handshake: how often the SYN was sent again.
    again: u8,
    /// Of a listener: whether its queue is full, how many segments it has dropped, and where each step is wished how many wait.
    full: bool,
    drops: u32,
    queued: u32,
}

/// What is watched.
#[derive(Debug, Default)]
pub struct Watch {
    sockets: FxHashMap<SocketId, Watched>,
    /// Our own network namespace, and its monitor; none where the kernel has none for us.
    here: OnceCell<Option<u64>>,
    own: OnceCell<Option<Rc<Monitor>>>,
    /// Both addresses of sockets whose threads never stand still together.
    ends: FxHashMap<SocketId, (u64, Vec<u8>, Vec<u8>)>,
    /// When the kernel may be asked again, and when it was asked about connections and about listeners last.
    rested: Nanos,
    /// How often it was asked who has an address.
    owners: u32,
    connections: Nanos,
    listeners: Nanos,
}

impl Watch {
    /// The monitor of a namespace in which that process is. Only our own one's is kept: a socket of ours would keep another network there
    /// when all who were in it are gone.
    fn monitor(&self, namespace: u64, pid: i32) -> Option<Rc<Monitor>> {
        let ours = || kernel::namespace(std::process::id() as i32);
        if *self.here.get_or_init(ours) == Some(namespace) {
            let own = || Monitor::of(pid).map(Rc::new);
            return self.own.get_or_init(own).clone();
        }
        // Who is gone may have left the number to another.
        let there = kernel::namespace(pid) == Some(namespace);
        there.then(|| Monitor::of(pid))?.map(Rc::new)
    }

    /// The facts about those of the sockets, sorted by their inodes, that are there.
    fn ask(&self, wanted: &[(SocketId, Watched)]) -> FxHashMap<SocketId, Facts> {
        let mut found = FxHashMap::default();
        let mut questions: Vec<(u64, i32, bool, i32)> = wanted
            .iter()
            .map(|(_, it)| (it.namespace, it.family, it.what == Watching::Queue, it.pid))
            .collect();
        questions.sort_unstable();
        questions.dedup_by_key(|it| (it.0, it.1, it.2));
        for (namespace, family, listens, pid) in questions {
            let states = if listens { LISTENING } else { CONNECTIONS };
            if let Some(monitor) = self.monitor(namespace, pid) {
                // What was said before it failed is true.
                let _partial = monitor.sockets(family, libc::IPPROTO_TCP, states, |seen| {
                    if wanted.binary_search_by_key(&seen.inode, |it| it.0).is_ok() {
                        found.insert(seen.inode, seen.facts);
                    }
                });
            }
        }
        found
    }

    /// What was told of a socket by a call needs not be told again.
    fn told(&mut self, id: SocketId, key: Key) {
        if let Some(watched) = self.sockets.get_mut(&id) {
            watched.told = key;
        }
    }

    /// The program knows itself that the handshake is over; between which addresses, we may not.
    fn handshake_is_over(&mut self, id: SocketId, connected: bool) {
        if let Entry::Occupied(mut watched) = self.sockets.entry(id)
            && watched.get().what == Watching::Handshake
        {
            match connected && watched.get().ends_unknown && !self.ends.contains_key(&id) {
                true => watched.get_mut().what = Watching::Ends,
                false => drop(watched.remove()),
            }
        }
    }
}

impl Key {
    fn of(facts: &Facts, each_step: bool) -> Self {
        let tcp = facts.tcp.unwrap_or_default();
        let listens = tcp.listens();
        let drops = facts.buffers.map_or(0, |it| it.drops);
        Self {
            state: tcp.state,
            again: if tcp.connects() { tcp.retransmits } else { 0 },
            full: listens && tcp.unacked > tcp.sacked,
            drops: if listens { drops } else { 0 },
            queued: if listens && each_step { tcp.unacked } else { 0 },
        }
    }

    /// Whether a listener's peers suffer, or where each step is wished wait.
    fn is_news_of_listener(&self) -> bool {
        self.full || self.drops > 0 || self.queued > 0
    }
}

impl Engine {
    /// Watches a socket from now on, as far as that is wished.
    pub(super) fn watch(&mut self, tid: i32, socket: &Socket, what: Watching) {
        let what = match (self.config.kernel, what) {
            (Asking::Never, _) => return,
            (Asking::Calls, Watching::Ends) => Watching::States,
            (_, what) => what,
        };
        let Some(pid) = self.tracees.threads.get(&tid).map(|it| it.pid) else {
            return;
        };
        if !is_tcp(socket) || self.tracees.hidden(pid) || self.watch.sockets.len() >= WATCHED {
            return;
        }
        let Some(namespace) = kernel::namespace(pid) else {
            return;
        };
        let family = socket.kind.map_or(0, |it| it.0);
        let mut told = Key::default();
        if what == Watching::Handshake {
            told.state = SYN_SENT;
        }
        self.watch.sockets.insert(
            socket.id,
            Watched {
                pid,
                tid,
                family,
                namespace,
                what,
                ends_unknown: self
                    .watch
                    .sockets
                    .get(&socket.id)
                    .is_some_and(|it| it.what == Watching::Ends),
                told,
            },
        );
    }

    /// A call on a socket is over, after which the kernel said that of it, if it was asked.
    pub(super) fn watched_call(&mut self, id: SocketId, calling: &Calling, goes_on: bool) {
        if self.watch.sockets.is_empty() {
            return;
        }
        if !goes_on {
            let connected = calling.outcome.value().is_some();
            self.watch.handshake_is_over(id, connected);
        }
        let facts = calling.kernel.as_deref();
        if let Some(facts) = facts.filter(|facts| facts.tcp.is_some()) {
            let key = self.key(facts);
            self.watch.told(id, key);
        }
    }

    fn key(&self, facts: &Facts) -> Key {
        Key::of(facts, self.config.kernel == Asking::Calls)
    }

    /// Asks about what is watched, when it is time to.
    pub(super) fn look_around(&mut self) {
        let now = self.now();
        let watch = &mut self.watch;
        if watch.sockets.is_empty() || now < watch.rested || self.outbox.full() {
            return;
        }
        let connections = now >= watch.connections + CONNECTIONS_EVERY;
        let every = match self.config.kernel {
            Asking::Calls => CONNECTIONS_EVERY,
            Asking::Ends | Asking::Never => LISTENERS_EVERY,
        };
        let listeners = now >= watch.listeners + every;
        let descriptors = &self.descriptors;
        watch.sockets.retain(|id, _| descriptors.is_open(*id));
        if watch.ends.len() > REMEMBERED / 2 {
            watch.ends.retain(|id, _| descriptors.is_open(*id));
        }
        let due = |what| match what {
            Watching::Queue => listeners,
            Watching::Ends => true,
            Watching::Handshake | Watching::States => connections,
        };
        let wanted = watch.sockets.iter().filter(|(_, it)| due(it.what));
        let mut wanted: Vec<_> = wanted.map(|(id, it)| (*id, it.clone())).collect();
        if wanted.is_empty() {
            return;
        }
        wanted.sort_unstable_by_key(|it| it.0);
        if connections {
            watch.connections = now;
        }
        if listeners {
            watch.listeners = now;
        }
        let mut found = self.ask_monitor(&wanted);
        for (id, watched) in wanted {
            match found.remove(&id) {
                Some(facts) => self.tell_change(id, &watched, facts),
                // It is closed, or was never opened: calls tell the rest.
                None => {
                    self.watch.sockets.remove(&id);
                }
            }
        }
    }

    /// Tells of a socket where something has changed.
    fn tell_change(&mut self, id: SocketId, before: &Watched, facts: Facts) {
        let news = self.key(&facts);
        let ends = before.what == Watching::Ends;
        if news == before.told && !ends {
            return;
        }
        let handshake = before.what == Watching::Handshake && news.state != SYN_SENT;
        if handshake || ends {
            self.watch.sockets.remove(&id);
            if self.config.kernel == Asking::Calls {
                let states = Watched {
                    what: Watching::States,
                    ..before.clone()
                };
                self.watch.sockets.insert(id, states);
            }
        }
        self.watch.told(id, news);
        if ends || handshake {
            self.remember_ends(before.tid, id, &facts);
        }
        // Of a listener without trouble there is nothing to tell.
        let first = before.told == Key::default();
        if first && before.what == Watching::Queue && !news.is_news_of_listener() {
            return;
        }
        let event = KernelEvent {
            pid: before.pid,
            tid: before.tid,
            time: self.now(),
            socket: id,
            facts,
        };
        self.outbox.send(Event::Kernel(Box::new(event)), None);
    }

    fn ask_monitor(&mut self, wanted: &[(SocketId, Watched)]) -> FxHashMap<SocketId, Facts> {
        let began = Instant::now();
        let found = self.watch.ask(wanted);
        self.rest(began);
        found
    }

    /// Nothing more is asked for a while, after a question that was begun then.
    fn rest(&mut self, began: Instant) {
        let rest = began.elapsed() * REST;
        self.watch.rested = self.now() + rest.as_nanos() as Nanos;
    }

    /// Notes between which addresses a connection is, so that it can be asked about again.
    pub(super) fn remember_ends(&mut self, tid: i32, id: SocketId, facts: &Facts) {
        let namespace = kernel::namespace(tid);
        if let (Some(namespace), true) = (namespace, self.watch.ends.len() < REMEMBERED) {
            let ends = (namespace, facts.local.clone(), facts.peer.clone());
            self.watch.ends.insert(id, ends);
        }
    }

    /// Asks about a connection that has just been made, while others who could close it run on; if that would cost too much now, later.
    pub(super) fn ask_monitor_now(
        &mut self,
        tid: i32,
        socket: &Socket,
        what: Watching,
    ) -> Option<Facts> {
        self.watch(tid, socket, what);
        if self.now() < self.watch.rested {
            return None;
        }
        let watched = self.watch.sockets.get(&socket.id)?.clone();
        let wanted = [(socket.id, watched)];
        let facts = self.ask_monitor(&wanted).remove(&socket.id)?;
        if what == Watching::Ends {
            self.remember_ends(tid, socket.id, &facts);
            if self.config.kernel != Asking::Calls {
                self.watch.sockets.remove(&socket.id);
            }
        }
        let key = self.key(&facts);
        self.watch.told(socket.id, key);
        Some(facts)
    }

    /// Asks who has an address that could not be bound.
    pub(super) fn ask_for_owner(&mut self, tid: i32, socket: &Socket, at: &[u8]) -> Option<Facts> {
        let protocol = match socket.kind? {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, _) => libc::IPPROTO_TCP,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, _) => libc::IPPROTO_UDP,
            _ => return None,
        };
        // Who looks for a port that is free finds many that are not.
        self.watch.owners += 1;
        if self.watch.owners > OWNERS && self.now() < self.watch.rested {
            return None;
        }
        let namespace = kernel::namespace(tid)?;
        let monitor = self.watch.monitor(namespace, tid)?;
        let began = Instant::now();
        let taken = monitor.who_has(at, protocol, socket.id);
        self.rest(began);
        taken.map(|taken| Facts {
            taken: Some(taken),
            ..Facts::default()
        })
    }

    /// Asks who is at the other end of a UNIX socket, if that is traced.
    pub(super) fn ask_for_other_end(&mut self, tid: i32, socket: &Socket) -> Option<Facts> {
        let namespace = kernel::namespace(tid)?;
        let other = self.watch.monitor(namespace, tid)?.unix_peer(socket.id)?;
        self.descriptors.is_open(other).then(|| Facts {
            other: Some(other),
            ..Facts::default()
        })
    }

    /// Asks about a connection that is known, while others who could close it run on.
    pub(super) fn ask_monitor_again(&mut self, tid: i32, id: SocketId) -> Option<Facts> {
        let (namespace, local, peer) = self.watch.ends.get(&id)?.clone();
        let monitor = self.watch.monitor(namespace, tid)?;
        let seen = monitor.connection(&local, &peer)?;
        (seen.inode == id).then_some(seen.facts)
    }
}

/// Whether it is known to be of TCP.
fn is_tcp(socket: &Socket) -> bool {
    matches!(
        socket.kind,
        Some((
            libc::AF_INET | libc::AF_INET6,
            libc::SOCK_STREAM,
            0 | libc::IPPROTO_TCP
        ))
    )
}
