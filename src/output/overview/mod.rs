//! The overview at the end of a run: who was talked to, how long what took, and where the time went.
//!
//! It remembers the conversations that are open, those that matter most in detail, and of the rest sums.

mod page;
mod spent;
mod spread;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Output;
use super::escape::Escape;
use super::glyphs::{ASCII, Glyphs, UNICODE};
use super::settings::Settings;
use crate::protocol::{Detail, Kind, Message};
use crate::story::bytes::{Direction, direction, moved};
use crate::story::{
    Conversation, Farewell, Fate, Importance, Link, Meaning, Part, Stage, Told, What,
};
use crate::syscall::SockAddr;
use crate::tracer::event::Nanos;
use spent::{Spent, Use};
use spread::Spread;

/// How many conversations are kept in detail; of more than a screenful only sums are shown.
const DETAILED: usize = 64;
/// How many peers and processes have sums of their own.
const SUMS: usize = 1024;
/// How many of the slowest requests and calls are kept.
const SLOWEST: usize = 5;
/// How many requests of one conversation may wait for their answers.
const WAITING: usize = 64;

/// Collects what is told, and writes the overview at the end.
pub struct Overview<W: Write> {
    out: W,
    settings: Settings,
    escape: Escape,
    glyphs: &'static Glyphs,
    open: FxHashMap<i64, Row>,
    /// The conversations that ended.
    closed: Vec<Row>,
    /// How many more there were.
    more: u64,
    peers: BTreeMap<String, Sum>,
    processes: BTreeMap<String, Sum>,
    all: Sum,
    names: Spread,
    failed_names: u64,
    requests: Vec<Request>,
    answered: u64,
    calls: Vec<SlowCall>,
    spent: Spent,
}

/// What is known of one conversation.
#[derive(Clone, Debug, Default)]
struct Row {
    number: i64,
    who: String,
    conversation: Option<Rc<Conversation>>,
    farewell: Option<Farewell>,
    connect: Option<Nanos>,
    tls: Option<Nanos>,
    tls_since: Option<Nanos>,
    /// From asking to the first byte back, of those who ask.
    waits: Spread,
    /// The same of those who are asked: how long the program took to answer.
    answers: Spread,
    errno: Option<i32>,
    waiting: VecDeque<(u64, String, Nanos)>,
    /// When the request that was answered last had been asked.
    answered: Option<Nanos>,
}

/// Sums over several conversations.
#[derive(Clone, Debug, Default)]
struct Sum {
    count: u64,
    protocol: &'static str,
    out: u64,
    received: u64,
    connects: Spread,
    tls: Spread,
    waits: Spread,
    failed: u64,
    open: u64,
    name: Option<Rc<str>>,
}

/// A request that was answered.
#[derive(Clone, Debug)]
struct Request {
    took: Nanos,
    /// When it was asked.
    since: Nanos,
    /// How long its answer lay in the receive buffer at least, where the kernel was asked.
    buffered: Nanos,
    /// How many bytes went by until the next request.
    size: u64,
    text: String,
    answer: String,
    of: String,
    number: i64,
    /// Whether the program answered it itself.
    ours: bool,
    failed: bool,
}

/// A call that took long.
#[derive(Clone, Debug)]
struct SlowCall {
    took: Nanos,
    name: &'static str,
    number: i64,
    who: String,
}

impl<W: Write> Overview<W> {
    /// An overview to be written there.
    pub fn new(out: W, settings: Settings) -> Self {
        Self {
            out,
            escape: Escape {
                unicode: settings.unicode,
                hex: settings.hex,
            },
            glyphs: if settings.unicode { &UNICODE } else { &ASCII },
            settings,
            open: FxHashMap::default(),
            closed: Vec::new(),
            more: 0,
            peers: BTreeMap::new(),
            processes: BTreeMap::new(),
            all: Sum::default(),
            names: Spread::default(),
            failed_names: 0,
            requests: Vec::new(),
            answered: 0,
            calls: Vec::new(),
            spent: Spent::default(),
        }
    }

    /// Takes in what was told of a conversation.
    fn talk(&mut self, told: &Told, conversation: &Rc<Conversation>) {
        let end = match &told.what {
            What::Call(event) => event.end,
            _ => told.time,
        };
        let row = self.open.entry(conversation.number).or_default();
        if row.number == 0 {
            row.number = conversation.number;
            if let Some(who) = &told.who {
                row.who = self.escape.name(who.name.as_bytes());
            }
        }
        if told.stage == Some(Stage::Connect) && !conversation.is_datagram() {
            match (&told.what, told.took) {
                (What::Connected | What::Call(_), Some(took))
                    if told.importance != Importance::Error =>
                {
                    row.connect.get_or_insert(took);
                    self.spent.add(Use::Connect, end.saturating_sub(took), end);
                }
                (What::NotConnected(errno), took) => {
                    row.errno = Some(*errno);
                    self.spent
                        .add(Use::Connect, end.saturating_sub(took.unwrap_or(0)), end);
                }
                (What::Call(event), _) if told.importance == Importance::Error => {
                    row.errno = event.call.outcome.errno();
                    self.spent.add(Use::Connect, event.start, end);
                }
                _ => {}
            }
        }
        let asked = conversation.part == Part::Accepted;
        if let Some(after) = told.after {
            match asked {
                true => row.answers.add(after),
                false => {
                    row.waits.add(after);
                    self.spent.add(Use::Wait, end.saturating_sub(after), end);
                }
            }
        }
        let queued = conversation.queued.filter(|it| *it > 0);
        if let (Some(Stage::Accept), Some(listener), Some(queued)) =
            (told.stage, conversation.listener, queued)
            && let Some(listener) = self.open.get_mut(&listener)
        {
            listener.waits.add(queued);
        }
        let row = self.open.entry(conversation.number).or_default();
        if told.stage == Some(Stage::Send)
            && let (What::Call(event), Some(_)) = (&told.what, told.took)
        {
            self.spent.add(Use::Send, event.start, end);
        }
        for message in &told.messages {
            if let Some(request) = row.message(message, end) {
                self.answered += 1;
                let request = Request {
                    number: conversation.number,
                    of: page::server(conversation, self.escape),
                    ours: asked,
                    buffered: buffered(told),
                    ..request
                };
                row.answered = Some(request.since);
                keep(&mut self.requests, request, |it| it.took);
            }
        }
        let answers = if asked { Direction::Out } else { Direction::In };
        if let (What::Call(event), Some(since)) = (&told.what, row.answered)
            && direction(event) == Some(answers)
            && let Some(request) = self
                .requests
                .iter_mut()
                .find(|it| (it.number, it.since) == (conversation.number, since))
        {
            request.size += moved(event);
        }
        if told.messages.iter().any(|it| it.detail == Detail::Secured)
            && let (Some(tls), Some(since)) = (row.tls, row.tls_since.take())
        {
            self.spent.add(Use::Tls, since, since + tls);
        }
        if let Some(Meaning::Farewell(farewell)) = &told.meaning {
            // A handshake that never ended took all that time.
            if let Link::Connecting { since, .. } = conversation.link {
                self.spent.add(Use::Connect, since, end);
            }
            self.leave(conversation, farewell);
        }
    }

    /// A conversation is over, or left open.
    fn leave(&mut self, conversation: &Rc<Conversation>, farewell: &Farewell) {
        let Some(mut row) = self.open.remove(&conversation.number) else {
            return;
        };
        if farewell.fate == Fate::Unused {
            return;
        }
        row.conversation = Some(Rc::clone(conversation));
        row.farewell = Some(farewell.clone());
        row.waiting = VecDeque::new();
        let process = row.who.clone();
        let peer = page::peer(conversation, self.escape);
        self.all.add(&row, conversation, farewell);
        for (sums, key) in [(&mut self.peers, peer), (&mut self.processes, process)] {
            if sums.len() < SUMS || sums.contains_key(&key) {
                sums.entry(key)
                    .or_default()
                    .add(&row, conversation, farewell);
            }
        }
        self.closed.push(row);
        if self.closed.len() > 2 * DETAILED {
            self.closed
                .sort_by_key(|row| std::cmp::Reverse(row.weight()));
            self.more += (self.closed.len() - DETAILED) as u64;
            self.closed.truncate(DETAILED);
        }
    }
}

impl Row {
    /// Takes in a message; gives the request that it answers.
    fn message(&mut self, message: &Message, now: Nanos) -> Option<Request> {
        match message.kind {
            Kind::Request(key) => {
                if message.protocol == "TLS" {
                    self.tls_since.get_or_insert(now);
                }
                self.answered = None;
                if self.waiting.len() < WAITING {
                    let text = format!("{} {}", message.protocol, message.text);
                    self.waiting.push_back((key, text, now));
                }
                None
            }
            Kind::Answer(key) => {
                let at = self.waiting.iter().position(|it| it.0 == key)?;
                let (_, text, since) = self.waiting.remove(at)?;
                Some(Request {
                    took: now.saturating_sub(since),
                    since,
                    buffered: 0,
                    size: 0,
                    text,
                    answer: message.text.clone(),
                    of: String::new(),
                    number: self.number,
                    ours: false,
                    failed: message.failed,
                })
            }
            Kind::Note => {
                if let (Detail::Secured, Some(since), None) =
                    (&message.detail, self.tls_since, self.tls)
                {
                    self.tls = Some(now.saturating_sub(since));
                }
                None
            }
        }
    }

    fn failed(&self) -> bool {
        self.farewell
            .as_ref()
            .is_some_and(|it| it.fate == Fate::NeverConnected)
    }

    /// How much it matters: what failed first, then what took long, then what carried much.
    fn weight(&self) -> (bool, Nanos, u64) {
        let carried = self.farewell.as_ref().map_or(0, |it| it.out + it.received);
        let took = self.waits.sum.saturating_add(self.connect.unwrap_or(0));
        (self.failed(), took, carried)
    }
}

impl Sum {
    fn add(&mut self, row: &Row, conversation: &Conversation, farewell: &Farewell) {
        self.count += 1;
        self.out = self.out.saturating_add(farewell.out);
        self.received = self.received.saturating_add(farewell.received);
        if let Some(name) = conversation.layers.names().last() {
            self.protocol = name;
        }
        if let Some(name) = &conversation.name {
            self.name.get_or_insert_with(|| name.text.clone());
        }
        if let Some(took) = row.connect {
            self.connects.add(took);
        }
        if let Some(took) = row.tls {
            self.tls.add(took);
        }
        self.waits.join(&row.waits);
        self.waits.join(&row.answers);
        self.failed += u64::from(row.failed());
        self.open += u64::from(farewell.fate == Fate::Open);
    }
}

/// How long what a call received had lain in the receive buffer, at least.
fn buffered(told: &Told) -> Nanos {
    let What::Call(event) = &told.what else {
        return 0;
    };
    let tcp = event.kernel.as_ref().and_then(|it| it.tcp);
    let receives = direction(event) == Some(Direction::In);
    match tcp.filter(|_| receives) {
        Some(tcp) => Nanos::from(tcp.last_data_recv_ms) * 1_000_000,
        None => 0,
    }
}

/// Keeps the longest of them.
fn keep<T>(all: &mut Vec<T>, one: T, took: impl Fn(&T) -> Nanos) {
    let at = all.partition_point(|it| took(it) >= took(&one));
    if at < SLOWEST {
        all.insert(at, one);
        all.truncate(SLOWEST);
    }
}

impl<W: Write> Output for Overview<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        if let What::Resolved(resolution) = &told.what {
            self.names
                .add(resolution.end.saturating_sub(resolution.start));
            self.failed_names += u64::from(resolution.failed());
            self.spent
                .add(Use::Resolve, resolution.start, resolution.end);
        }
        let Some(conversation) = told.conversation.as_ref().filter(|it| it.number > 0) else {
            return Ok(());
        };
        self.talk(told, conversation);
        if let (What::Call(event), Some(stage)) = (&told.what, told.stage) {
            let took = event.end.saturating_sub(event.start);
            let slow = took >= 1_000_000 && stage != Stage::Accept;
            if slow
                && self
                    .calls
                    .last()
                    .is_none_or(|it| it.took < took || self.calls.len() < SLOWEST)
            {
                let call = SlowCall {
                    took,
                    name: event.call.name(),
                    number: conversation.number,
                    who: told
                        .who
                        .as_ref()
                        .map_or_else(String::new, |who| self.escape.name(who.name.as_bytes())),
                };
                keep(&mut self.calls, call, |it| it.took);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, end: Nanos) -> io::Result<()> {
        let text = page::write(self, end);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}
