//! The lines of functions of libraries: what was captured of one at its beginning and end, and what passed by it in clear.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::bytes::{Bytes, Hex};
use super::call::{PieceLine, pieces, snapshot};
use super::message::MessageLine;
use crate::library::{self, function};
use crate::tracer::event::{LibraryEvent, Phase};

/// A function of a library at its beginning or end, with what it is decoded from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LibraryLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// When it began, in ns since the trace began.
    #[serde(rename = "start_ns")]
    pub start: u64,
    /// When this was, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// Its symbol.
    pub function: Cow<'a, str>,
    /// How far it is: begins, ends, lost (it will never return), aside (nobody waits for its end).
    pub phase: Cow<'a, str>,
    /// The six argument registers.
    pub registers: [Hex; 6],
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<i64>,
    /// How many bytes of clear text were captured at most.
    pub data: usize,
    /// What stood behind its pointers when it began.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<PieceLine<'a>>,
    /// When it was over.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<PieceLine<'a>>,
    /// The conversation that it was about.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub conversation: Option<i64>,
    /// What it means, in a word.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub meaning: Option<Cow<'a, str>>,
    /// What was said in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageLine<'a>>,
    /// Messages that there was no room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_more: Option<u64>,
}

/// The words of the phases.
const PHASES: [(Phase, &str); 4] = [
    (Phase::Begins, "begins"),
    (Phase::Ends, "ends"),
    (Phase::Lost, "lost"),
    (Phase::Aside, "aside"),
];

impl<'a> From<&'a LibraryEvent> for LibraryLine<'a> {
    fn from(event: &'a LibraryEvent) -> Self {
        let word = PHASES.iter().find(|(phase, _)| *phase == event.phase);
        Self {
            pid: event.pid,
            tid: event.tid,
            start: event.start,
            time: event.time,
            function: event.invocation.function.name.into(),
            phase: word.map_or("", |(_, word)| word).into(),
            registers: event.invocation.raw.map(Hex),
            result: event.invocation.value,
            data: event.limit,
            before: pieces(&event.before),
            memory: pieces(&event.memory),
            ..Self::default()
        }
    }
}

impl LibraryLine<'_> {
    /// What the tracer told; nothing where the function or phase is not known here.
    pub fn event(&self) -> Option<LibraryEvent> {
        let (phase, _) = *PHASES.iter().find(|(_, word)| *word == self.phase)?;
        let function = function(self.function.as_bytes())?;
        let raw = self.registers.map(|register| register.0);
        let (before, memory) = (snapshot(&self.before), snapshot(&self.memory));
        let mut invocation = library::enter(function, raw, &before, self.data);
        if let Some(value) = self.result {
            library::leave(&mut invocation, value, &memory, self.data);
        }
        Some(LibraryEvent {
            pid: self.pid,
            tid: self.tid,
            start: self.start,
            time: self.time,
            phase,
            invocation,
            limit: self.data,
            before,
            memory,
        })
    }
}

/// Clear text that a TLS library took from its program, or gave to it.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClearLine<'a> {
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// When the function began, in ns since the trace began.
    #[serde(rename = "start_ns")]
    pub start: u64,
    /// When it returned, in ns since the trace began.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The name of its program (comm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<&'a str>,
    /// The conversation that carries it; nothing where that could not be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<i64>,
    /// The name by which the program came to its peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_name: Option<&'a str>,
    /// Whether the conversation was found by what came just before, not by a call made inside the function.
    pub inferred: bool,
    /// The function.
    pub function: &'a str,
    /// What it returned.
    pub result: i64,
    /// Which way the text went: out or in.
    pub way: &'a str,
    /// How many bytes it is.
    pub bytes: u64,
    /// The text, as far as it is shown, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a str>,
    /// The same where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<Bytes<'a>>,
    /// How long after its request this answer came, in ns.
    #[serde(rename = "after_ns", skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// What was said in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageLine<'a>>,
}
