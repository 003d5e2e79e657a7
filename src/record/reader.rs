//! Reads a trace back, line by line: what it says is checked, whoever wrote it.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::{fmt, mem};

use serde::Deserialize;

use super::library::LibraryLine;
use super::line::{
    ExitLine, HeaderLine, KernelMomentLine, NoticeLine, TickLine, ToldLine, VERSION,
};
use super::message::messages;
use super::{CallLine, ProcessLine, call};
use crate::protocol::Message;
use crate::tracer::calling::Calling;
use crate::tracer::event::{Event, LibraryEvent, Nanos};

/// The longest line that is read, in bytes: what a call can hold, in base64, and as much again for the rest.
const LONGEST: u64 = call::DATA as u64 * 2;

/// What a line says, as the tracer would.
#[derive(Debug)]
pub enum Item {
    /// A call that is over, and in a trace what was said in it, and how much more.
    Call(Box<Calling>, Vec<Message>, u64),
    /// A call that has blocked.
    Waiting(Box<Calling>),
    /// A function of a library, and in a trace what was said in it, and how much more.
    Library(Box<LibraryEvent>, Vec<Message>, u64),
    /// Anything else that happened.
    Event(Event),
    /// The story was asked what is still waited for.
    Tick(Nanos),
    /// The trace was over.
    End(Nanos),
}

impl Item {
    /// When it became known, in ns since the trace began, where it says so.
    pub fn time(&self) -> Option<Nanos> {
        match self {
            Self::Call(calling, ..) | Self::Waiting(calling) => Some(calling.end),
            Self::Library(event, ..) => Some(event.time),
            Self::Event(Event::Process(event)) => Some(event.time),
            Self::Event(Event::Kernel(event)) => Some(event.time),
            Self::Event(_) => None,
            Self::Tick(time) | Self::End(time) => Some(*time),
        }
    }
}

/// Why a trace cannot be read any further.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Reads lines that a [`Writer`](super::Writer) or `--json` wrote.
pub struct Reader<R> {
    from: R,
    text: Vec<u8>,
    line: u64,
}

/// A line whose type is all that is of interest yet.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header; what follows is [`Self::next`]'s.
    ///
    /// # Errors
    /// It is no trace, or one of a version that is newer than this program.
    pub fn new(from: R) -> Result<(Self, HeaderLine<'static>), Unreadable> {
        let mut reader = Self {
            from,
            text: Vec::new(),
            line: 0,
        };
        if !reader.read()? {
            reader.line = 1;
            return Err(reader.unreadable("it is empty"));
        }
        if reader.kind()? != "header" {
            return Err(reader.unreadable("it is no trace: the first line has to be its header"));
        }
        let header: HeaderLine<'_> = reader.parse()?;
        if header.version != VERSION {
            let why = format!(
                "the trace has version {} and was written by sockstrace {}; this one reads version {VERSION}",
                header.version,
                header.sockstrace.escape_debug()
            );
            return Err(reader.unreadable(why));
        }
        let header = header.into_owned();
        Ok((reader, header))
    }

    /// The next line that a replay has a use for; none at the end.
    ///
    /// # Errors
    /// The line is cut off or damaged.
    #[expect(clippy::should_implement_trait, reason = "an error ends it")]
    pub fn next(&mut self) -> Result<Option<Item>, Unreadable> {
        while self.read()? {
            let item = match &*self.kind()? {
                "call" => {
                    let mut line = self.call()?;
                    let said = messages(mem::take(&mut line.messages));
                    let more = line.messages_more.unwrap_or(0);
                    line.calling()
                        .map(|calling| Item::Call(calling, said, more))
                }
                "waiting" => self.call()?.calling().map(Item::Waiting),
                "name" => self.parse::<ToldLine>()?.told.map(Item::Tick),
                "process" => {
                    let line: ProcessLine<'_> = self.parse()?;
                    self.check_number(line.pid, line.tid)?;
                    line.event().map(|event| Item::Event(Event::Process(event)))
                }
                "kernel" => {
                    let line: KernelMomentLine<'_> = self.parse()?;
                    self.check_number(line.pid, line.tid)?;
                    Some(Item::Event(Event::Kernel(Box::new(line.event()))))
                }
                "library" => {
                    let line: LibraryLine<'_> = self.parse()?;
                    self.check_number(line.pid, line.tid)?;
                    let event = line.event();
                    let more = line.messages_more.unwrap_or(0);
                    let said = messages(line.messages);
                    event.map(|event| Item::Library(Box::new(event), said, more))
                }
                "notice" => {
                    let notice = self.parse::<NoticeLine<'_>>()?.notice();
                    notice.map(|notice| Item::Event(Event::Notice(notice)))
                }
                // What is still waited for was said when the story was asked.
                "tick" | "still-waiting" => Some(Item::Tick(self.parse::<TickLine>()?.time)),
                "exit" => Some(Item::End(self.parse::<ExitLine<'_>>()?.time)),
                // What the story says it will say again; what a later version adds is not for us.
                _ => None,
            };
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// How many lines have been read.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads a line; whether there was one.
    fn read(&mut self) -> Result<bool, Unreadable> {
        self.text.clear();
        self.line += 1;
        let mut limited = (&mut self.from).take(LONGEST);
        let failed = limited.read_until(b'\n', &mut self.text).err();
        match (failed, self.text.last()) {
            (Some(error), _) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.unreadable("the file ends in the middle of its compressed data"))
            }
            (Some(error), _) => Err(self.unreadable(error.to_string())),
            (None, None) => {
                self.line -= 1;
                Ok(false)
            }
            (None, Some(b'\n')) => Ok(true),
            (None, Some(_)) if self.text.len() as u64 == LONGEST => {
                Err(self.unreadable(format!("it is longer than {LONGEST} bytes")))
            }
            // A last line without its end may still be whole.
            (None, Some(_))
                if serde_json::from_slice::<serde::de::IgnoredAny>(&self.text).is_ok() =>
            {
                Ok(true)
            }
            (None, Some(_)) => Err(self.unreadable("the file ends in the middle of it")),
        }
    }

    fn kind(&self) -> Result<Cow<'_, str>, Unreadable> {
        // As it is written: all of the line need not be looked at for it.
        let first = self.text.strip_prefix(b"{\"type\":\"").and_then(|rest| {
            let end = rest.iter().take(32).position(|byte| *byte == b'"')?;
            std::str::from_utf8(&rest[..end]).ok()
        });
        match first {
            Some(kind) if !kind.contains('\\') => Ok(kind.into()),
            _ => self.parse::<Typed<'_>>().map(|typed| typed.kind),
        }
    }

    fn call(&self) -> Result<CallLine<'_>, Unreadable> {
        let line: CallLine<'_> = self.parse()?;
        self.check_number(line.pid, line.tid)?;
        Ok(line)
    }

    /// Whoever keeps notes on processes keeps no more of them than there can be (PID_MAX_LIMIT, include/linux/threads.h).
    fn check_number(&self, pid: i32, tid: i32) -> Result<(), Unreadable> {
        const MOST: i32 = 1 << 22;
        match [pid, tid].iter().find(|id| !(0..=MOST).contains(*id)) {
            Some(id) => Err(self.unreadable(format!("no process has the number {id}"))),
            None => Ok(()),
        }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Unreadable> {
        serde_json::from_slice(&self.text).map_err(|error| {
            let why = match error.classify() {
                serde_json::error::Category::Data => format!("it says what no trace says: {error}"),
                _ => format!("it is no JSON: {error}"),
            };
            // Where in the line, since which line is said already.
            self.unreadable(why.replace("at line 1 column", "at column"))
        })
    }

    /// That what was read last cannot be used, and why.
    pub fn unreadable(&self, why: impl Into<String>) -> Unreadable {
        Unreadable {
            line: self.line,
            why: why.into(),
        }
    }
}
