//! What a program asks of the library that stands between it and the stack: names of the resolver, and TLS sessions that carry its words.

use std::net::IpAddr;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use syscalls::Sysno;

use super::bytes::Direction;
use super::resolution::Upshot;
use super::{Conversation, Importance, Meaning, Name, Resolution, Stage, Story, Told, What};
use crate::library::{Fact, Family, Function, Lookup, Said};
use crate::syscall::{Data, Role};
use crate::tracer::event::{CallEvent, LibraryEvent, Nanos, Phase, SocketId};

use super::names::ip;

/// How many sessions of all processes are remembered.
const SESSIONS: usize = 4096;

/// How many functions one thread can be in.
const NESTED: usize = 64;

/// How many facts of one session are told.
const FACTS: usize = 8;

/// Clear text that a TLS library took from its program, or gave to it.
#[derive(Clone, Debug)]
pub struct Clear {
    /// The function by which it went, at its end, without the text.
    pub event: LibraryEvent,
    /// Which way it went.
    pub way: Direction,
    /// The text.
    pub data: Data,
    /// Whether the conversation was found by what came before and after, not by a call that was made for it.
    pub inferred: bool,
}

/// A TLS session: an object of the library's in a process's memory.
#[derive(Debug, Default)]
struct Session {
    socket: Option<SocketId>,
    inferred: bool,
    /// What its functions have said of it: programs ask the same again and again.
    facts: Vec<Fact>,
}

/// A function that a thread is in.
#[derive(Debug)]
struct Open {
    start: Nanos,
    function: &'static Function,
    /// The session that it works on.
    session: Option<u64>,
    /// Whether it asks the resolver.
    looks_up: bool,
    /// How many calls its thread has made in it, and how long these took.
    calls: u32,
    inside: Nanos,
    /// Whether one of them is worth a line of its own.
    matters: bool,
    /// The conversation that one of them was about.
    conversation: Option<Rc<Conversation>>,
}

impl Open {
    /// What it did where it is one of the C library's socket functions, and on which socket.
    fn passed_on(self) -> Option<(Meaning, Rc<Conversation>)> {
        let conversation = self.conversation.filter(|_| self.matters)?;
        let passed = Meaning::PassedOn(self.calls, self.inside);
        (self.function.family == Family::Sockets).then_some((passed, conversation))
    }
}

/// All that is known of it.
#[derive(Debug, Default)]
pub struct Boundary {
    open: FxHashMap<i32, Vec<Open>>,
    sessions: FxHashMap<(i32, u64), Session>,
    /// The TLS conversation from which each thread has got bytes last.
    latest: FxHashMap<i32, SocketId>,
    /// Which sockets have a session.
    taken: FxHashMap<SocketId, (i32, u64)>,
    /// Processes of which it was said that their TLS stays closed.
    closed: FxHashSet<i32>,
}

impl Boundary {
    /// Whether the thread asks the resolver: the calls that it makes are the resolver's.
    pub fn looks_up(&self, tid: i32) -> bool {
        let open = self.open.get(&tid);
        open.is_some_and(|open| open.iter().any(|it| it.looks_up))
    }

    /// Whether what a conversation carries is known in clear.
    pub fn has_session(&self, socket: SocketId) -> bool {
        self.taken.contains_key(&socket)
    }

    /// A thread is gone.
    pub fn forget_thread(&mut self, tid: i32) {
        self.open.remove(&tid);
        self.latest.remove(&tid);
    }

    /// A process is gone, or has become another program.
    pub fn forget_process(&mut self, pid: i32) {
        self.sessions.retain(|(of, _), _| *of != pid);
        self.closed.remove(&pid);
        self.taken.retain(|_, (of, _)| *of != pid);
    }

    /// A socket is gone.
    pub fn forget_socket(&mut self, socket: SocketId) {
        if let Some(key) = self.taken.remove(&socket)
            && let Some(session) = self.sessions.get_mut(&key)
        {
            session.socket = None;
        }
    }

    /// A call has moved bytes of a socket: the session that its thread works on uses that one.
    fn see(&mut self, event: &CallEvent, socket: SocketId, tls: bool) {
        let tid = event.tid;
        let open = self.open.get(&tid).and_then(|open| open.last());
        match open.and_then(|open| open.session) {
            Some(session) => self.attach((event.pid, session), socket, false),
            None if tls && event.call.row.role == Role::Receive => {
                self.latest.insert(tid, socket);
            }
            None => {}
        }
    }

    fn attach(&mut self, key: (i32, u64), socket: SocketId, inferred: bool) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        if session.socket == Some(socket) && (session.inferred == inferred || inferred) {
            return;
        }
        (session.socket, session.inferred) = (Some(socket), inferred);
        self.taken.insert(socket, key);
    }
}

impl Story {
    /// Takes what a function of a library said.
    pub(super) fn library(&mut self, event: LibraryEvent, said: &mut Vec<Told>) {
        let tid = event.tid;
        let function = event.invocation.function;
        match event.phase {
            Phase::Begins => {
                self.function_begins(&event);
                self.aside_function(event, said);
            }
            Phase::Ends | Phase::Lost => {
                let open = self.boundary.open.entry(tid).or_default();
                let at = open
                    .iter()
                    .rposition(|it| it.start == event.start && it.function == function);
                let left = at.map(|at| open.remove(at));
                if open.is_empty() && self.options.every_function {
                    let passed = left.and_then(Open::passed_on);
                    if let (Phase::Ends, Some((meaning, conversation))) = (event.phase, passed) {
                        self.boundary.open.remove(&tid);
                        let who = self.processes.who(event.pid, tid);
                        let took = event.time.saturating_sub(event.start);
                        let time = event.time;
                        return said.push(Told {
                            meaning: Some(meaning),
                            took: Some(took),
                            conversation: Some(conversation),
                            ..Told::new(What::Function(Box::new(event)), Some(who), time)
                        });
                    }
                }
                let session = match &event.invocation.said {
                    Said::Tls(tls) => Some(tls.session),
                    _ => None,
                };
                // One that was jumped out of may still stand here: what works on another session is not called by it.
                let nested = open.iter().any(|it| {
                    it.function.family == function.family && it.looks_up
                        || it.session.is_some() && it.session == session
                });
                if open.is_empty() {
                    self.boundary.open.remove(&tid);
                }
                if event.phase == Phase::Ends && !nested {
                    return self.function_ends(event, said);
                }
                self.aside_function(event, said);
            }
            Phase::Aside => {
                if let Said::Tls(tls) = &event.invocation.said
                    && tls.fact == Some(Fact::Freed)
                {
                    self.session_freed((event.pid, tls.session));
                }
                self.aside_function(event, said);
            }
        }
    }

    /// A function of which there is nothing more to say than that it was there.
    fn aside_function(&self, event: LibraryEvent, said: &mut Vec<Told>) {
        let who = self.processes.who(event.pid, event.tid);
        let time = event.time;
        said.push(Told {
            folds: true,
            ..Told::new(What::Function(Box::new(event)), Some(who), time)
        });
    }

    fn function_begins(&mut self, event: &LibraryEvent) {
        let (session, looks_up) = match &event.invocation.said {
            Said::Tls(tls) => (Some(tls.session).filter(|it| *it != 0), false),
            Said::Lookup(_) => (None, true),
            Said::Nothing => (None, false),
        };
        if let Some(session) = session {
            let key = (event.pid, session);
            if self.boundary.sessions.len() < SESSIONS {
                self.boundary.sessions.entry(key).or_default();
            }
            self.infer(event.pid, event.tid, session);
        }
        let open = self.boundary.open.entry(event.tid).or_default();
        if open.len() >= NESTED {
            open.remove(0);
        }
        open.push(Open {
            start: event.start,
            function: event.invocation.function,
            session,
            looks_up,
            calls: 0,
            inside: 0,
            matters: false,
            conversation: None,
        });
    }

    /// Programs that move the bytes themselves feed a session right after they have received something.
    fn infer(&mut self, pid: i32, tid: i32, session: u64) {
        let key = (pid, session);
        let boundary = &self.boundary;
        let known = boundary
            .sessions
            .get(&key)
            .is_none_or(|it| it.socket.is_some());
        if let Some(latest) = boundary.latest.get(&tid).copied()
            && !known
            && !boundary.taken.contains_key(&latest)
            && self.conversations.get(latest).is_some()
        {
            self.boundary.attach(key, latest, true);
        }
    }

    fn function_ends(&mut self, event: LibraryEvent, said: &mut Vec<Told>) {
        match &event.invocation.said {
            Said::Lookup(lookup) => {
                let lookup = lookup.clone();
                self.looked_up(event, *lookup, said);
            }
            Said::Tls(_) => self.session_says(event, said),
            Said::Nothing => self.aside_function(event, said),
        }
    }

    /// A session is done with.
    fn session_freed(&mut self, key: (i32, u64)) {
        if let Some(session) = self.boundary.sessions.remove(&key)
            && let Some(socket) = session.socket
        {
            self.boundary.taken.remove(&socket);
        }
        self.talks.end_session(key);
    }

    /// A process is gone, or has become another program: so are its sessions.
    pub(super) fn sessions_gone(&mut self, pid: i32) {
        self.boundary.forget_process(pid);
        self.talks.end_sessions(pid);
    }

    /// A function of a session is over: the program has given clear text to its library, or got some, or has learned something.
    fn session_says(&mut self, mut event: LibraryEvent, said: &mut Vec<Told>) {
        let Said::Tls(tls) = &mut event.invocation.said else {
            return;
        };
        let session = tls.session;
        let way = match (tls.does.writes(), tls.does.reads()) {
            (true, _) => Some(Direction::Out),
            (_, true) => Some(Direction::In),
            _ => None,
        };
        let (Some(way), Some(mut data)) = (way, tls.text.take()) else {
            let fact = tls.fact.take();
            return self.session_fact(event, session, fact, said);
        };
        let (pid, tid) = (event.pid, event.tid);
        // It has come by what was received just before.
        self.infer(pid, tid, session);
        let key = (pid, session);
        let session = self.boundary.sessions.get(&key);
        let (socket, inferred) = session.map_or((None, false), |it| (it.socket, it.inferred));
        let conversation = socket.and_then(|id| self.conversations.get_mut(id));
        let words = self.talks.hear_clear(
            key,
            conversation,
            (way, &mut data),
            &mut event.memory,
            event.time,
            self.options.hearing,
        );
        let start = event.start;
        let chosen = match way {
            Direction::Out => [Sysno::write, Sysno::sendto],
            Direction::In => [Sysno::read, Sysno::recvfrom],
        };
        if !chosen.iter().any(|call| self.tells_of(*call)) {
            return self.aside_function(event, said);
        }
        let clear = Clear {
            event,
            way,
            data,
            inferred,
        };
        let who = self.processes.who(pid, tid);
        let conversation = socket.and_then(|id| self.conversations.get(id)).cloned();
        said.push(Told {
            stage: Some(match way {
                Direction::Out => Stage::Send,
                Direction::In => Stage::Receive,
            }),
            after: words.after,
            messages: words.messages,
            more: words.more,
            conversation,
            ..Told::new(What::Clear(Box::new(clear)), Some(who), start)
        });
    }

    /// A function has said something of a session: it is told when it is news.
    fn session_fact(
        &mut self,
        event: LibraryEvent,
        session: u64,
        fact: Option<Fact>,
        said: &mut Vec<Told>,
    ) {
        let key = (event.pid, session);
        let meaning = match &fact {
            Some(Fact::Protocol(name)) => Some(Meaning::Agreed(name.clone())),
            Some(Fact::Verified(code, words)) => Some(Meaning::Verified(*code, *words)),
            Some(Fact::Resumed(true)) => Some(Meaning::Resumed),
            _ => None,
        };
        let known = self.boundary.sessions.get_mut(&key);
        let (Some(fact), Some(meaning), Some(known)) = (fact, meaning, known) else {
            return self.aside_function(event, said);
        };
        let chosen = self.options.shown.is_none();
        if !chosen || known.facts.contains(&fact) || known.facts.len() >= FACTS {
            return self.aside_function(event, said);
        }
        let bad = matches!(fact, Fact::Verified(code, _) if code != 0);
        known.facts.push(fact);
        let socket = known.socket;
        let who = self.processes.who(event.pid, event.tid);
        let time = event.time;
        said.push(Told {
            meaning: Some(meaning),
            // What becomes of that is the program's affair.
            importance: if bad {
                Importance::Expected
            } else {
                Importance::Ordinary
            },
            conversation: socket.and_then(|id| self.conversations.get(id)).cloned(),
            ..Told::new(What::Function(Box::new(event)), Some(who), time)
        });
    }

    /// The resolver has answered its program.
    fn looked_up(&mut self, event: LibraryEvent, mut lookup: Lookup, said: &mut Vec<Told>) {
        let (pid, tid) = (event.pid, event.tid);
        let mut heard = self.apart.resolutions.take(|it| it.tid == tid);
        let mut resolution = match heard.is_empty() {
            false => heard.remove(0),
            true => Resolution::by_library(pid, tid, event.start),
        };
        for other in heard {
            resolution.absorb(other);
        }
        let name = lookup.name.as_ref();
        let text = name.map(|it| String::from_utf8_lossy(&it.bytes).into_owned());
        let addresses: Vec<IpAddr> = lookup.addresses.iter().filter_map(ip).collect();
        let text = text.unwrap_or_default();
        // An address in place of a name needs no resolver.
        let literal = |text: &str| text.parse::<IpAddr>().is_ok();
        let plain = text.is_empty() || literal(text.trim_end_matches('.'));
        if !plain && lookup.error.is_none() {
            let name = Name {
                text: text.as_str().into(),
                source: resolution.source(),
            };
            for address in &addresses {
                self.names.learn(pid, address.to_canonical(), name.clone());
            }
        }
        if !text.is_empty() {
            let found = std::mem::replace(&mut resolution.name, text);
            // What was asked in its stead: with a search domain, say.
            let other = !found.is_empty() && !found.eq_ignore_ascii_case(&resolution.name);
            if other && lookup.error.is_none() {
                let len = found.len() as u64;
                let bytes = found.into_bytes();
                lookup.canonical.get_or_insert(Data { bytes, len });
            }
        }
        if lookup.error.is_none() && !addresses.is_empty() {
            (resolution.addresses, resolution.upshot) = (addresses, Upshot::Found);
        } else if lookup.error.is_some() && resolution.upshot == Upshot::Found {
            resolution.upshot = Upshot::Nothing;
        } else if lookup.error.is_none() && resolution.upshot == Upshot::NoAnswer {
            resolution.upshot = Upshot::Found;
        }
        (resolution.start, resolution.end) = (event.start, event.time);
        let failed = lookup.error.is_some();
        // Whoever chooses calls has not chosen this.
        let chosen = self.options.shown.is_none();
        if !chosen || (!self.options.sets_apart() && plain) {
            return self.aside_function(event, said);
        }
        resolution.library = Some(Box::new((event, lookup)));
        let mut told = self.resolved(resolution);
        told.folds = plain && !failed && !self.options.verbose;
        if failed {
            told.importance = Importance::Error;
        }
        said.push(told);
    }

    /// Whether a call is the first by which its process moves what TLS has encrypted, and no library was seen to do that. It is said
    /// once.
    pub(super) fn stays_closed(
        &mut self,
        event: &CallEvent,
        conversation: Option<&Conversation>,
    ) -> bool {
        let Some(conversation) = conversation else {
            return false;
        };
        let pid = event.pid;
        let moves = matches!(event.call.row.role, Role::Send | Role::Receive)
            && event.call.outcome.value().is_some_and(|it| it > 0);
        let only_tls = conversation.layers.names().eq(["TLS"]);
        let told = self.boundary.closed.contains(&pid);
        if !(moves && only_tls) || told || self.boundary.has_session(conversation.socket.id) {
            return false;
        }
        let known = self.boundary.sessions.keys().any(|(of, _)| *of == pid);
        !known && self.boundary.closed.insert(pid)
    }

    /// Whether a call moves what is told in clear: it folds.
    pub(super) fn is_ciphertext(
        &self,
        event: &CallEvent,
        subject: Option<SocketId>,
        says_nothing: bool,
    ) -> bool {
        !self.options.verbose
            && says_nothing
            && matches!(event.call.row.role, Role::Send | Role::Receive)
            && event.call.outcome.value().is_some_and(|it| it > 0)
            && !self.options.named.contains(event.call.raw.number)
            && subject.is_some_and(|id| self.boundary.has_session(id))
    }

    /// Takes a call as what a library's function may have made.
    pub(super) fn see_at_boundary(&mut self, event: &CallEvent, subject: Option<SocketId>) {
        let moves = matches!(event.call.row.role, Role::Send | Role::Receive);
        if let Some(open) = self
            .boundary
            .open
            .get_mut(&event.tid)
            .and_then(|it| it.last_mut())
        {
            open.calls += 1;
            open.inside += event.end.saturating_sub(event.start);
            open.matters |= self.options.verbose || !self.options.folds(event);
            let conversation = subject.and_then(|id| self.conversations.get(id));
            open.conversation = conversation.cloned().or(open.conversation.take());
        }
        if let Some(id) = subject.filter(|_| moves)
            && let Some(conversation) = self.conversations.get(id)
        {
            let moved = event.call.outcome.value().is_some_and(|it| it > 0);
            let tls = moved && conversation.layers.names().next() == Some("TLS");
            self.boundary.see(event, id, tls);
        }
    }
}

/// A function that asked the resolver, at its end, and what it was answered.
pub type Answered = (LibraryEvent, Lookup);
