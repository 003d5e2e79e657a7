//! What a call means: which conversation it belongs to, which stage of it, and what to say of it. Pure.
//!
//! [`Story::tell`] takes the tracer's events in their order and gives back what there is to say; [`Story::tick`] says what is
//! still waited for, and [`Story::end`] what was left open.

mod apart;
mod boundary;
pub mod bytes;
mod calls;
#[cfg(test)]
pub(crate) mod chaos;
mod choice;
mod conversation;
mod conversations;
mod ends;
mod exchanges;
mod findings;
mod handshake;
mod learning;
mod lookups;
mod meaning;
mod names;
mod patience;
mod processes;
mod races;
mod resolution;
#[cfg(test)]
pub(crate) mod scene;
mod silence;
mod stack;
mod talks;
#[cfg(test)]
mod tests;
mod told;

use std::rc::Rc;

use rustc_hash::FxHashMap;

pub use apart::Standing;
pub use boundary::Clear;
pub use conversation::{Conversation, Link, Part, Rival};
pub use exchanges::{Exchange, Exchanges};
pub use findings::{Finding, Severity, kinds as finding_kinds};
pub use meaning::{Awaited, Farewell, Fate, Meaning, Side};
pub use names::Name;
pub use names::peer_ip;
pub use resolution::{By, Resolution, Server, Upshot};
pub use talks::Hearing;
pub use told::{Ending, Importance, Stage, Told, What, Who};

use syscalls::Sysno;

use crate::protocol::Message;
use crate::syscall::Selection;
use crate::tracer::event::{CallEvent, Change, Event, Nanos, ProcessEvent, SocketId, Status};
use apart::Apart;
use boundary::Boundary;
use bytes::Direction;
use conversations::Conversations;
use ends::Ends;
use findings::Findings;
use names::Names;
use processes::Processes;
use races::Races;
use talks::Talks;

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
    /// Whether calls that fold are shown all the same.
    pub shows_folded: bool,
    /// How what is said is listened to.
    pub hearing: Hearing,
    /// Whether every step is shown, so that the name service's are too.
    pub every_step: bool,
    /// Whether the C library's socket functions are shown (`--library`).
    pub every_function: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            verbose: false,
            shown: None,
            named: Selection::default(),
            follow: true,
            shows_folded: false,
            hearing: Hearing::default(),
            every_step: false,
            every_function: false,
        }
    }
}

/// Signals that end a program unless it sees to them, and that it gets for a reason that a person wants to know. Timers, children and
/// what programs use among themselves come in numbers, and matter only where they interrupt a call.
const ENDING: [i32; 13] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];

/// The story of a trace. It remembers what is open and alive, nothing else.
#[derive(Debug, Default)]
pub struct Story {
    options: Options,
    conversations: Conversations,
    talks: Talks,
    names: Names,
    apart: Apart,
    boundary: Boundary,
    findings: Findings,
    races: Races,
    ends: Ends,
    /// How many calls were told.
    calls: u64,
    processes: Processes,
    /// Calls in flight, by thread, with how often it was said that they still are.
    waiting: FxHashMap<i32, (Box<CallEvent>, usize)>,
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
        let mut said = Vec::new();
        self.tell_into(event, &mut said);
        said
    }

    /// What was said in the next call is known already ([`Hearing::recalls`]): these messages, and so many more.
    pub fn recall(&mut self, messages: Vec<Message>, more: u64) {
        self.talks.remember(messages, more);
    }

    /// The same into an empty list, so that a call needs no list of its own.
    pub fn tell_into(&mut self, event: Event, said: &mut Vec<Told>) {
        match event {
            Event::Call(event) => self.call(event, said),
            Event::Waiting(event) => self.waits(event, said),
            Event::Process(event) => self.process(event, said),
            Event::Kernel(event) => self.stack(*event, said),
            Event::Library(event) => self.library(*event, said),
            Event::Notice(notice) => said.push(Told::new(What::Notice(Box::new(notice)), None, 0)),
        }
        self.set_apart(said);
        self.hide_others(said);
        self.find(said);
        self.introduce(said);
    }

    /// Adds what is found behind what proves it.
    fn find(&mut self, said: &mut Vec<Told>) {
        let mut at = 0;
        while let Some(told) = said.get(at) {
            at += 1;
            let found = self.findings.see(told).iter();
            let (who, time) = (told.who.clone(), told.time);
            let found: Vec<_> = found
                .map(|it| Told::new(What::Found(Box::new(it.clone())), who.clone(), time))
                .collect();
            if !found.is_empty() {
                let count = found.len();
                said.splice(at..at, found);
                at += count;
            }
        }
    }

    /// The trace ends: says which conversations were left open. The story is empty afterwards.
    pub fn end(&mut self, now: Nanos) -> Vec<Told> {
        self.waiting.clear();
        self.talks = Talks::default();
        let mut said = Vec::new();
        self.release_all(&mut said);
        let released = said.len();
        for mut conversation in self.conversations.drain() {
            let farewell = Rc::make_mut(&mut conversation).farewell(now, true);
            let meaning = Some(Meaning::Farewell(farewell));
            let folds = conversation.standing == Standing::Apart;
            said.push(Told {
                folds,
                conversation: Some(conversation),
                stage: Some(Stage::Close),
                meaning,
                ..Told::new(What::Ended(Ending::StillOpen), None, now)
            });
        }
        if !self.tells_of(Sysno::close) {
            said.truncate(released);
        }
        self.find(&mut said);
        let all = self.findings.all();
        if !all.is_empty() {
            said.push(Told::new(What::AllFound(all), None, now));
        }
        said
    }

    /// How many conversations are remembered: those that are open.
    pub fn open(&self) -> usize {
        self.conversations.len()
    }

    /// How many processes and threads are remembered: those that live.
    pub fn alive(&self) -> usize {
        self.processes.len()
    }

    fn process(&mut self, event: ProcessEvent, said: &mut Vec<Told>) {
        let ProcessEvent { pid, tid, time, .. } = event;
        let mut importance = Importance::Ordinary;
        let mut lost: (&[SocketId], Ending) = (&[], Ending::Exit);
        match &event.change {
            Change::Started { parent, name, own } => {
                self.processes.started(pid, tid, *parent, name);
                self.processes.knows_itself_as(pid, *own);
                if let (true, Some(parent)) = (pid == tid, parent) {
                    self.shares(self.processes.of(*parent), said);
                }
            }
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
                self.sessions_gone(pid);
                self.boundary.forget_thread(tid);
                lost = (released, Ending::Exec);
            }
            Change::Signal { signal, .. }
                if ENDING.contains(signal) || self.processes.was_interrupted(tid) =>
            {
                importance = Importance::Expected
            }
            Change::Ended {
                status,
                released,
                process,
            } => {
                self.waiting.remove(&tid);
                self.boundary.forget_thread(tid);
                if *process && matches!(status, Status::Killed(..)) {
                    importance = Importance::Error;
                }
                lost = (released, Ending::Exit);
            }
            _ => {}
        }
        let who = self.processes.who(pid, tid);
        let closes = self.tells_of(Sysno::close);
        for id in lost.0 {
            let told = self.lose(*id, lost.1, time, &who);
            said.extend(told.filter(|_| closes));
        }
        if let Change::Ended { process, .. } = event.change {
            self.processes.ended(pid, tid, process);
            if process {
                self.forget_apart(pid);
                self.sessions_gone(pid);
            }
        }
        said.push(Told {
            importance,
            ..Told::new(What::Process(Box::new(event)), Some(who), time)
        });
    }

    fn lose(&mut self, id: SocketId, way: Ending, now: Nanos, who: &Who) -> Option<Told> {
        let (conversation, farewell) = self.conversations.remove(id, now)?;
        self.talks.end(id);
        self.boundary.forget_socket(id);
        self.ends.forget(&conversation);
        Some(Told {
            conversation: Some(conversation),
            stage: Some(Stage::Close),
            meaning: Some(Meaning::Farewell(farewell)),
            ..Told::new(What::Ended(way), Some(who.clone()), now)
        })
    }

    /// Puts "this one started that one" before the first line of a process under a new program.
    fn introduce(&mut self, said: &mut Vec<Told>) {
        let mut at = 0;
        while let Some(told) = said.get(at) {
            if let (What::Call(_) | What::Waiting(_), false, Some(who)) =
                (&told.what, told.folds, &told.who)
                && let Some((parent, time)) = self.processes.news(who.pid)
            {
                let runs = Told {
                    importance: Importance::Expected,
                    ..Told::new(What::Runs(who.clone()), Some(parent), time)
                };
                said.insert(at, runs);
                at += 1;
            }
            at += 1;
        }
    }

    /// With `--no-follow`, leaves out what isn't the program's own.
    fn hide_others(&self, said: &mut Vec<Told>) {
        if !self.options.follow {
            said.retain(|told| {
                told.who
                    .as_ref()
                    .is_none_or(|who| self.processes.is_first(who.pid))
            });
        }
    }

    /// Whether lines that stand for such a call are told.
    fn tells_of(&self, call: Sysno) -> bool {
        self.options
            .shown
            .as_ref()
            .is_none_or(|shown| shown.contains(call as u64))
    }
}
