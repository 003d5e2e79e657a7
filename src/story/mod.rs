//! What a call means: which conversation it belongs to, which stage of it, and what to say of it. Pure.
//!
//! [`Story::tell`] takes the tracer's events in their order and gives back what there is to say; [`Story::tick`] says what is
//! still waited for, and [`Story::end`] what was left open.

pub mod bytes;
mod conversation;
mod conversations;
mod meaning;
mod processes;
#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
mod told;
mod trouble;

use std::collections::HashMap;

pub use conversation::{Conversation, Link, Part};
pub use meaning::{Awaited, Farewell, Fate, Meaning, Side};
pub use told::{Ending, Importance, Stage, Told, What, Who};

use crate::syscall::{Outcome, Role, Selection, SockAddr};
use crate::tracer::event::{
    CallEvent, Change, Descriptor, Event, Nanos, ProcessEvent, SocketId, Status,
};
use conversation::{Learned, awaited, interrupted};
use conversations::Conversations;
use processes::Processes;

/// What is told, and what only counted.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nothing folds (`-v`).
    pub verbose: bool,
    /// The calls to tell of (`-e`), all if nothing is said. The others still teach us.
    pub shown: Option<Selection>,
    /// Calls that were asked for by name (`-e`): they don't fold, and the engine's own are told too.
    pub named: Selection,
    /// Whether descendants of the program are told of (not with `--no-follow`).
    pub follow: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            verbose: false,
            shown: None,
            named: Selection::default(),
            follow: true,
        }
    }
}

/// After how long something still waited for is said to be: 1, 10 and 60 s.
const PATIENCE: [Nanos; 3] = [1_000_000_000, 10_000_000_000, 60_000_000_000];

/// The story of a trace. It remembers what is open and alive, nothing else.
#[derive(Debug, Default)]
pub struct Story {
    options: Options,
    conversations: Conversations,
    processes: Processes,
    /// Calls in flight, by thread, with how often it was said that they still are.
    waiting: HashMap<i32, (Box<CallEvent>, usize)>,
}

impl Story {
    /// A story that hasn't begun.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Takes the next event and says what there is to say, in the order of lines on a screen.
    pub fn tell(&mut self, event: Event) -> Vec<Told> {
        let mut said = match event {
            Event::Call(event) => self.call(event),
            Event::Waiting(event) => self.waits(event),
            Event::Process(event) => self.process(event),
            Event::Notice(notice) => vec![Told {
                who: None,
                what: What::Notice(notice),
                time: 0,
                conversation: None,
                stage: None,
                meaning: None,
                took: None,
                folds: false,
                importance: Importance::Ordinary,
            }],
        };
        if !self.options.follow {
            said.retain(|told| {
                told.who
                    .as_ref()
                    .is_none_or(|who| self.processes.is_first(who.pid))
            });
        }
        self.introduce(said)
    }

    /// Says what is still waited for; to be asked every now and then, about every 100 ms.
    pub fn tick(&mut self, now: Nanos) -> Vec<Told> {
        let mut said = Vec::new();
        let mut in_flight: Vec<i32> = self.waiting.keys().copied().collect();
        in_flight.sort_unstable();
        for tid in in_flight {
            let Some((event, reminded)) = self.waiting.get_mut(&tid) else {
                continue;
            };
            let elapsed = now.saturating_sub(event.start);
            let Some(conversation) = Self::subject(event).and_then(|id| self.conversations.get(id))
            else {
                continue;
            };
            let waits_for_peer = match awaited(event.call.row.role, bytes::direction(event)) {
                Awaited::Answer | Awaited::Room => true,
                Awaited::Data => conversation.part != Part::Accepted && !conversation.is_listener(),
                Awaited::Peer | Awaited::Other => false,
            };
            if waits_for_peer && due(elapsed, reminded) {
                let stage = stage(event);
                let (conversation, who) = (
                    conversation.clone(),
                    self.processes.who(event.pid, event.tid),
                );
                if selected(&self.options, event) {
                    said.push(still_waiting(who, conversation, stage, now, elapsed));
                }
            }
        }
        for conversation in self.conversations.iter_mut() {
            let Link::Connecting { since, pid, tid } = conversation.link else {
                continue;
            };
            let elapsed = now.saturating_sub(since);
            // A connect(2) that blocks is in flight, and was told of above.
            if due(elapsed, &mut conversation.reminded) {
                let who = self.processes.who(pid, tid);
                said.push(still_waiting(
                    who,
                    conversation.clone(),
                    Some(Stage::Connect),
                    now,
                    elapsed,
                ));
            }
        }
        said.extend(self.unanswered(now));
        said.sort_by_key(|told| {
            told.conversation
                .as_ref()
                .map(|conversation| conversation.number)
        });
        if !self.options.follow {
            said.retain(|told| {
                told.who
                    .as_ref()
                    .is_none_or(|who| self.processes.is_first(who.pid))
            });
        }
        said
    }

    /// Requests without an answer whose answer a blocked poll or select waits for.
    fn unanswered(&mut self, now: Nanos) -> Vec<Told> {
        let mut said = Vec::new();
        for (event, _) in self
            .waiting
            .values()
            .filter(|(event, _)| event.call.row.role == Role::Poll)
        {
            for (_, descriptor) in &event.descriptors {
                let Descriptor::Socket(socket) = descriptor else {
                    continue;
                };
                let Some(conversation) = self.conversations.get_mut(socket.id) else {
                    continue;
                };
                let Some(asked) = conversation.asked else {
                    continue;
                };
                let elapsed = now.saturating_sub(asked);
                if conversation.part == Part::Connector
                    && conversation.link == Link::Connected
                    && due(elapsed, &mut conversation.reminded)
                {
                    let who = self.processes.who(event.pid, event.tid);
                    said.push(still_waiting(
                        who,
                        conversation.clone(),
                        Some(Stage::Receive),
                        now,
                        elapsed,
                    ));
                }
            }
        }
        said
    }

    /// The trace ends: says which conversations were left open. The story is empty afterwards.
    pub fn end(&mut self, now: Nanos) -> Vec<Told> {
        self.waiting.clear();
        let mut said = Vec::new();
        for mut conversation in self.conversations.drain() {
            let meaning = Some(Meaning::Farewell(conversation.farewell(now, true)));
            said.push(Told {
                what: What::Ended(Ending::StillOpen),
                who: None,
                time: now,
                conversation: Some(conversation),
                stage: Some(Stage::Close),
                meaning,
                took: None,
                folds: false,
                importance: Importance::Ordinary,
            });
        }
        if self.tells_of_closing() {
            said
        } else {
            Vec::new()
        }
    }

    /// How many conversations are remembered: those that are open.
    pub fn open(&self) -> usize {
        self.conversations.len()
    }

    fn call(&mut self, event: Box<CallEvent>) -> Vec<Told> {
        let call = &event.call;
        self.waiting.remove(&event.tid);
        self.processes
            .interrupt(event.tid, call.outcome.errno().is_some_and(interrupted));
        if call.row.role == Role::Poll && call.outcome.value().is_some_and(|count| count > 0) {
            self.processes.polled(event.pid, event.end);
        }
        let subject = Self::subject(&event);
        self.meet(&event, subject);
        let mut learned = self.learn(&event, subject);

        let who = self.processes.who(event.pid, event.tid);
        let mut after = Vec::new();
        let mut before = Vec::new();
        if let Some((since, errno)) = learned.handshake.take()
            && let Some(conversation) = subject.and_then(|id| self.conversations.get(id))
        {
            let told = handshake(who.clone(), conversation, since, event.end, errno);
            // The answer to a question is told after it; data proves what came before it.
            if call.row.role == Role::Setup || errno.is_some() {
                after.push(told)
            } else {
                before.push(told)
            }
        }
        let conversation = subject.and_then(|id| self.conversations.get(id)).cloned();
        let (ended, rest) = self.release(&event, subject, &who);
        if event.call.row.role == Role::Close && event.call.outcome.value().is_some() {
            learned.meaning = match ended {
                Some(farewell) => Some(Meaning::Farewell(farewell)),
                None if rest.len() > 1 => Some(Meaning::SeveralEnded(rest.len())),
                None => conversation.as_ref().map(|_| Meaning::OpenElsewhere),
            };
        }
        after.extend(rest);
        let chosen = selected(&self.options, &event);
        if !self.tells_of_closing() {
            after.retain(|told| !matches!(told.what, What::Ended(_)));
        }
        if chosen {
            let importance = match event.call.outcome {
                Outcome::Error(_) if trouble::is_normal(&event.call) => Importance::Expected,
                Outcome::Error(_) => Importance::Error,
                _ => Importance::Ordinary,
            };
            before.push(Told {
                time: event.start,
                stage: stage(&event),
                meaning: learned.meaning.or_else(|| unhappy(&event)),
                took: learned.took,
                folds: self.folds(&event),
                importance,
                who: Some(who),
                conversation,
                what: What::Call(event),
            });
        }
        before.extend(after);
        before
    }

    fn waits(&mut self, event: Box<CallEvent>) -> Vec<Told> {
        let subject = Self::subject(&event);
        self.meet(&event, subject);
        if let Some(conversation) = subject.and_then(|id| self.conversations.get_mut(id)) {
            conversation.expect(&event);
        }
        let told = Told {
            time: event.start,
            who: Some(self.processes.who(event.pid, event.tid)),
            conversation: subject.and_then(|id| self.conversations.get(id)).cloned(),
            stage: stage(&event),
            meaning: Some(Meaning::WaitsFor(awaited(
                event.call.row.role,
                bytes::direction(&event),
            ))),
            took: None,
            folds: self.folds(&event),
            importance: Importance::Ordinary,
            what: What::Waiting(event.clone()),
        };
        let chosen = selected(&self.options, &event);
        self.waiting.insert(event.tid, (event, 0));
        if chosen { vec![told] } else { Vec::new() }
    }

    fn process(&mut self, event: ProcessEvent) -> Vec<Told> {
        let ProcessEvent { pid, tid, time, .. } = event;
        let mut importance = Importance::Ordinary;
        let mut lost: (&[SocketId], Ending) = (&[], Ending::Exit);
        match &event.change {
            Change::Started { parent, name } => self.processes.started(pid, tid, *parent, name),
            Change::Executed {
                name,
                released,
                former,
                ..
            } => {
                self.waiting.retain(|_, (call, _)| call.pid != pid);
                if let Some(former) = former {
                    self.waiting.remove(former);
                }
                self.processes.executed(pid, name, time);
                lost = (released, Ending::Exec);
            }
            Change::Signal { .. } if self.processes.was_interrupted(tid) => {
                importance = Importance::Expected
            }
            Change::Ended {
                status,
                released,
                process,
            } => {
                self.waiting.remove(&tid);
                if *process && matches!(status, Status::Killed(..)) {
                    importance = Importance::Error;
                }
                lost = (released, Ending::Exit);
            }
            _ => {}
        }
        let who = self.processes.who(pid, tid);
        let mut said = Vec::new();
        for id in lost.0 {
            said.extend(self.lose(*id, lost.1, time, &who));
        }
        if !self.tells_of_closing() {
            said.clear();
        }
        if let Change::Ended { process, .. } = event.change {
            self.processes.ended(pid, tid, process);
        }
        said.push(Told {
            what: What::Process(event),
            who: Some(who),
            time,
            conversation: None,
            stage: None,
            meaning: None,
            took: None,
            folds: false,
            importance,
        });
        said
    }

    /// The socket that a call is about.
    fn subject(event: &CallEvent) -> Option<SocketId> {
        let call = &event.call;
        let sockets = || {
            event
                .descriptors
                .iter()
                .filter_map(|(_, descriptor)| match descriptor {
                    Descriptor::Socket(socket) => Some(socket.id),
                    Descriptor::File(_) => None,
                })
        };
        let made = call
            .outcome
            .value()
            .and_then(|value| i32::try_from(value).ok());
        match (call.row.role, made) {
            (Role::Create, Some(fd)) => bytes::socket_at(event, fd).or_else(|| sockets().next()),
            (Role::Accept, Some(fd)) => bytes::socket_at(event, fd),
            (Role::Poll, _) => {
                let mut sockets = sockets();
                let first = sockets.next();
                first.filter(|first| sockets.all(|other| other == *first))
            }
            _ => call
                .descriptor()
                .and_then(|fd| bytes::socket_at(event, fd))
                .or_else(|| bytes::socket_behind(event, "fd_in")),
        }
    }

    /// Meets the sockets of a call, the one that it is about first.
    fn meet(&mut self, event: &CallEvent, subject: Option<SocketId>) {
        let made = matches!(event.call.row.role, Role::Create | Role::Accept)
            && event.call.outcome.value().is_some();
        let listener = event.call.descriptor();
        let mut sockets: Vec<_> = Vec::new();
        for (fd, descriptor) in &event.descriptors {
            if let Descriptor::Socket(socket) = descriptor {
                let new = made && (event.call.row.role == Role::Create || Some(*fd) != listener);
                sockets.push((*socket, new));
            }
        }
        // A listener comes before whom it lets in.
        sockets.sort_by_key(|(socket, new)| (*new, Some(socket.id) != subject));
        for (socket, new) in sockets {
            self.conversations.meet(socket, event.start, new);
        }
    }

    fn learn(&mut self, event: &CallEvent, subject: Option<SocketId>) -> Learned {
        let Some(id) = subject else {
            return Learned::default();
        };
        let made = event.call.outcome.value().is_some();
        match event.call.row.role {
            Role::Create if made => Learned {
                meaning: self.created(event, id),
                ..Learned::default()
            },
            Role::Accept if made => {
                let listener = event
                    .call
                    .descriptor()
                    .and_then(|fd| bytes::socket_at(event, fd))
                    .filter(|it| *it != id);
                let listener = listener.and_then(|it| {
                    let listener = self.conversations.get_mut(it)?;
                    listener.part = match listener.part {
                        Part::Listener(count) => Part::Listener(count + 1),
                        _ => Part::Listener(1),
                    };
                    Some(listener.clone())
                });
                let meaning = self
                    .conversations
                    .get_mut(id)
                    .map(|it| it.accepted_from(listener.as_ref(), event));
                Learned {
                    meaning,
                    ..Learned::default()
                }
            }
            _ => {
                let Some(conversation) = self.conversations.get_mut(id) else {
                    return Learned::default();
                };
                let ready = match conversation.link {
                    Link::Connecting { since, .. } => self.processes.ready_since(event.pid, since),
                    _ => false,
                };
                conversation.learn(event, ready)
            }
        }
    }

    /// Notes the beginning of what socket(2) or socketpair(2) made.
    fn created(&mut self, event: &CallEvent, subject: SocketId) -> Option<Meaning> {
        let mut numbers = Vec::new();
        let pair = event.call.name() == "socketpair";
        for (_, descriptor) in &event.descriptors {
            let Descriptor::Socket(socket) = descriptor else {
                continue;
            };
            if let Some(conversation) = self.conversations.get_mut(socket.id)
                && (pair || socket.id == subject)
            {
                conversation.born = Some(event.start);
                if pair {
                    (conversation.part, conversation.link) = (Part::Connector, Link::Connected);
                }
                numbers.push(conversation.number);
            }
        }
        match numbers[..] {
            [one, other] if pair => Some(Meaning::Joined(one, other)),
            _ => None,
        }
    }

    /// Takes leave of the sockets that a call released: what to say of its own, and a line for each of the others.
    fn release(
        &mut self,
        event: &CallEvent,
        subject: Option<SocketId>,
        who: &Who,
    ) -> (Option<Farewell>, Vec<Told>) {
        let (mut own, mut others) = (None, Vec::new());
        let closes = event.call.row.role == Role::Close && event.call.name() == "close";
        for id in &event.released {
            if closes && Some(*id) == subject {
                own = self
                    .conversations
                    .remove(*id, event.end)
                    .map(|farewell| farewell.1);
            } else {
                others.extend(self.lose(*id, Ending::Call(event.call.name()), event.end, who));
            }
        }
        (own, others)
    }

    fn lose(&mut self, id: SocketId, way: Ending, now: Nanos, who: &Who) -> Option<Told> {
        let (conversation, farewell) = self.conversations.remove(id, now)?;
        Some(Told {
            what: What::Ended(way),
            who: Some(who.clone()),
            time: now,
            conversation: Some(conversation),
            stage: Some(Stage::Close),
            meaning: Some(Meaning::Farewell(farewell)),
            took: None,
            folds: false,
            importance: Importance::Ordinary,
        })
    }

    /// Puts "this one started that one" before the first line of a process under a new program.
    fn introduce(&mut self, said: Vec<Told>) -> Vec<Told> {
        let mut all = Vec::with_capacity(said.len());
        for told in said {
            if let (What::Call(_) | What::Waiting(_), false, Some(who)) =
                (&told.what, told.folds, &told.who)
                && let Some((parent, time)) = self.processes.news(who.pid)
            {
                all.push(Told {
                    what: What::Runs(who.clone()),
                    who: Some(parent),
                    time,
                    conversation: None,
                    stage: None,
                    meaning: None,
                    took: None,
                    folds: false,
                    importance: Importance::Expected,
                });
            }
            all.push(told);
        }
        all
    }

    /// Whether a call is only counted: set-up and polling that went well, and asking for what hasn't come yet.
    fn folds(&self, event: &CallEvent) -> bool {
        let call = &event.call;
        if self.options.verbose || self.options.named.contains(call.row.number.id() as u64) {
            return false;
        }
        match (call.row.role, call.outcome) {
            (Role::Setup | Role::Poll | Role::Duplicate, Outcome::Error(errno)) => {
                matches!(errno, 512..=516)
            }
            (Role::Setup | Role::Poll | Role::Duplicate, _) => true,
            (Role::Receive | Role::Accept, Outcome::Error(errno)) => errno == libc::EAGAIN,
            _ => false,
        }
    }

    fn tells_of_closing(&self) -> bool {
        let close = syscalls::Sysno::close as u64;
        self.options
            .shown
            .as_ref()
            .is_none_or(|shown| shown.contains(close))
    }
}

/// Whether the options let a call be told of.
fn selected(options: &Options, event: &CallEvent) -> bool {
    let number = event.call.row.number.id() as u64;
    let shown = options
        .shown
        .as_ref()
        .is_none_or(|shown| shown.contains(number));
    shown && (event.call.row.role != Role::Engine || options.named.contains(number))
}

/// The stage of its conversation that a call belongs to; none for what is no socket.
fn stage(event: &CallEvent) -> Option<Stage> {
    let file = |fd| {
        event
            .descriptors
            .iter()
            .any(|(at, what)| *at == fd && matches!(what, Descriptor::File(_)))
    };
    if event.call.name() != "splice" && event.call.descriptor().is_some_and(file) {
        return None;
    }
    if let Some(direction) = bytes::direction(event) {
        return Some(if direction == bytes::Direction::Out {
            Stage::Send
        } else {
            Stage::Receive
        });
    }
    Some(match event.call.row.role {
        Role::Create => Stage::Create,
        Role::Bind => Stage::Bind,
        Role::Listen => Stage::Listen,
        Role::Accept => Stage::Accept,
        Role::Connect => Stage::Connect,
        Role::Send => Stage::Send,
        Role::Receive => Stage::Receive,
        Role::Shutdown | Role::Close => Stage::Close,
        _ => return None,
    })
}

/// What there is to say of a call that did not go well.
fn unhappy(event: &CallEvent) -> Option<Meaning> {
    match event.call.outcome {
        Outcome::Value(_) => None,
        Outcome::Error(errno) if interrupted(errno) => Some(Meaning::Interrupted),
        Outcome::Error(errno) => trouble::meaning(errno, event.call.row.role).map(Meaning::Trouble),
        Outcome::Unfinished => Some(Meaning::GivenUp),
    }
}

/// The end of a handshake that connect(2) had left to the kernel.
fn handshake(
    who: Who,
    conversation: &Conversation,
    since: Nanos,
    now: Nanos,
    errno: Option<i32>,
) -> Told {
    let (what, meaning, importance) = match errno {
        Some(errno) => (
            What::NotConnected(errno),
            trouble::meaning(errno, Role::Connect).map(Meaning::Trouble),
            Importance::Error,
        ),
        None => (
            What::Connected,
            Some(connection(conversation)),
            Importance::Ordinary,
        ),
    };
    Told {
        what,
        who: Some(who),
        time: now,
        conversation: Some(conversation.clone()),
        stage: Some(Stage::Connect),
        meaning,
        took: Some(now.saturating_sub(since)),
        folds: false,
        importance,
    }
}

fn connection(conversation: &Conversation) -> Meaning {
    Meaning::Connection {
        local: conversation.local.clone(),
        peer: conversation.peer.clone(),
    }
}

/// Whether it is time to say once more that something is waited for.
fn due(elapsed: Nanos, reminded: &mut usize) -> bool {
    let passed = PATIENCE
        .iter()
        .take_while(|patience| elapsed >= **patience)
        .count();
    let due = passed > *reminded;
    *reminded = passed.max(*reminded);
    due
}

fn still_waiting(
    who: Who,
    conversation: Conversation,
    stage: Option<Stage>,
    now: Nanos,
    elapsed: Nanos,
) -> Told {
    let peer: Option<SockAddr> = conversation.peer.clone();
    Told {
        what: What::StillWaiting,
        who: Some(who),
        time: now,
        conversation: Some(conversation),
        stage,
        meaning: Some(Meaning::StillWaiting { peer, elapsed }),
        took: None,
        folds: false,
        importance: Importance::Expected,
    }
}
