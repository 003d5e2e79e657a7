//! The trace as text: a line per call, in strace's grammar, with what it means.
//!
//! Set-up and polling that went well is only counted: the next line of the same thread says `+3 calls`, those between it and the line
//! before. It cannot be the line before that says so, since a line is written when its call ends, not when the next one begins.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

pub use super::settings::{Ends, Quiet, Settings};

use super::Output;
use super::escape::Escape;
use super::explain::Explain;
use super::glyphs::{ASCII, Glyphs, UNICODE};
use super::grammar::{self, Grammar};
use super::hexdump;
use super::layout::{self, Layout, Line, Paint, Span};
use super::lines;
use super::time::{Clock, duration, fixed, since_start};
use super::words;
use crate::story::bytes::{Direction, direction};
use crate::story::{Importance, Meaning, Stage, Told, What, Who};
use crate::syscall::{Outcome, Role};
use crate::tracer::event::{CallEvent, Change, Nanos, ProcessEvent};

/// Writes the story as text, each line by one write.
pub struct Text<W: Write> {
    out: W,
    settings: Settings,
    escape: Escape,
    glyphs: &'static Glyphs,
    layout: Layout,
    explain: Explain,
    /// The first process seen, and whether there were others (or it is wished): then each line says whose it is.
    first: Option<i32>,
    several: bool,
    /// Calls counted since each thread's last line.
    folded: HashMap<i32, u64>,
    /// The same of threads that are gone.
    folded_rest: u64,
    /// The entry of the call that a thread is shown to wait in.
    waiting: HashMap<i32, Nanos>,
    /// The thread of the last line, if that showed it waiting.
    last_waits: Option<i32>,
    /// The time in the line before, for `-r`.
    last: Option<Nanos>,
    /// The name of the first program.
    program: Arc<str>,
    /// Whether any line was written.
    wrote: bool,
}

impl<W: Write> Text<W> {
    /// Text to be written there. What is buffered is the writer's choice: none on a terminal, [`Output::flush`] when idle into a file.
    pub fn new(out: W, settings: Settings) -> Self {
        Self {
            out,
            escape: Escape {
                unicode: settings.unicode,
                hex: settings.hex,
            },
            glyphs: if settings.unicode { &UNICODE } else { &ASCII },
            layout: Layout::new(settings.colour, settings.width, settings.keep_data),
            explain: Explain::default(),
            first: None,
            several: settings.always_who,
            folded: HashMap::new(),
            folded_rest: 0,
            waiting: HashMap::new(),
            last_waits: None,
            last: None,
            program: "".into(),
            wrote: false,
            settings,
        }
    }

    fn call(&mut self, told: &Told, event: &CallEvent) -> String {
        let ends = self.settings.ends;
        let shown = match event.call.outcome {
            Outcome::Value(_) => ends.successful,
            Outcome::Error(_) => ends.failed,
            Outcome::Unfinished => ends.unfinished,
        };
        if !shown {
            return String::new();
        }
        let asked_for = !ends.successful;
        if told.folds && !asked_for {
            *self.folded.entry(event.tid).or_default() += 1;
            return String::new();
        }
        let resumed = self
            .waiting
            .remove(&event.tid)
            .is_some_and(|start| start == event.start);
        let follows = self.last_waits == Some(event.tid);
        let succeeded = matches!(event.call.outcome, Outcome::Value(_));
        let connected = resumed && succeeded && told.stage == Some(Stage::Connect);
        let own = event.end.saturating_sub(event.start);
        let timed_out = matches!(told.meaning, Some(Meaning::TimedOut(_)));
        // That the peer is still waited for was said meanwhile.
        let goes_on = resumed || (timed_out && event.call.row.role == Role::Poll);
        let time = if goes_on { event.end } else { told.time };
        // The time after the other side's turn has the call's own in it; -T shows that anyway.
        let took = told
            .took
            .or(Some(own).filter(|_| resumed && !timed_out))
            .filter(|_| told.after.is_none())
            .filter(|took| *took != own || self.settings.durations.is_none());
        let result_paint = match told.importance {
            Importance::Error => Paint::Error,
            Importance::Ordinary | Importance::Expected => Paint::Plain,
        };
        // The meaning says it in better words, and nothing has gone wrong.
        let brief = !self.settings.verbose
            && told.importance == Importance::Expected
            && told.meaning.is_some();
        let spent = self
            .settings
            .durations
            .map(|digits| format!(" <{}>", fixed(own, digits)));
        let glyphs = self.glyphs;
        let grammar = self.grammar(event);
        let text = |cap: Option<usize>| -> Vec<Span> {
            let grammar = Grammar { cap, ..grammar };
            let mut spans = Vec::new();
            if goes_on {
                spans.push((format!("{} ", glyphs.hook), Paint::Plain));
            }
            if connected && let Some(conversation) = &told.conversation {
                let ends = words::connection(
                    conversation.local.as_ref(),
                    conversation.peer.as_ref(),
                    grammar.escape,
                    glyphs,
                );
                spans.push((format!("connected {ends}").trim_end().into(), Paint::Plain));
            } else {
                let fills = matches!(
                    event.call.row.role,
                    Role::Receive | Role::Accept | Role::Setup | Role::Poll
                );
                if !resumed || !follows || fills {
                    spans.push((format!("{} ", grammar.call(event)), Paint::Plain));
                }
                spans.push((
                    layout::unbroken(&grammar.outcome(event, brief)),
                    result_paint,
                ));
            }
            spans.extend(spent.iter().map(|spent| (spent.clone(), Paint::Dim)));
            spans
        };
        let meaning = told
            .meaning
            .as_ref()
            .filter(|meaning| !(connected && matches!(meaning, Meaning::Connection { .. })));
        let mut out = self.line(told, time, &text, meaning, took);
        out += &self.dump(event);
        out
    }

    fn waits(&mut self, told: &Told, event: &CallEvent) -> String {
        if told.folds || self.settings.ends != Ends::default() {
            return String::new();
        }
        self.waiting.insert(event.tid, event.start);
        let grammar = self.grammar(event);
        let cut = self.glyphs.cut;
        let text = |cap| {
            vec![(
                format!("{} {cut}", Grammar { cap, ..grammar }.waiting(event)),
                Paint::Plain,
            )]
        };
        let line = self.line(told, told.time, &text, told.meaning.as_ref(), None);
        self.last_waits = Some(event.tid);
        line
    }

    /// What goes on from an earlier line.
    fn goes_on(&mut self, told: &Told, words: String, paint: Paint) -> String {
        let text = format!("{} {words}", self.glyphs.hook);
        let meaning = told
            .meaning
            .as_ref()
            .filter(|meaning| !matches!(meaning, Meaning::Connection { .. }));
        self.line(
            told,
            told.time,
            &|_| vec![(text.clone(), paint)],
            meaning,
            told.took,
        )
    }

    fn process(&mut self, told: &Told, event: &ProcessEvent) -> String {
        let text = lines::process(event, told, &self.settings, self.escape);
        let paint = if told.importance == Importance::Error {
            Paint::Error
        } else {
            Paint::Dim
        };
        let line = text.map(|text| {
            self.line(
                told,
                told.time,
                &|_| vec![(text.clone(), paint)],
                None,
                None,
            )
        });
        if let Change::Ended { .. } = event.change {
            self.folded_rest += self.folded.remove(&event.tid).unwrap_or(0);
            self.waiting.remove(&event.tid);
        }
        if let Change::Executed {
            former: Some(former),
            ..
        } = event.change
        {
            self.folded_rest += self.folded.remove(&former).unwrap_or(0);
            self.waiting.remove(&former);
        }
        line.unwrap_or_default()
    }

    /// Lays out a line with its columns.
    fn line(
        &mut self,
        told: &Told,
        time: Nanos,
        text: &dyn Fn(Option<usize>) -> Vec<Span>,
        meaning: Option<&Meaning>,
        took: Option<Nanos>,
    ) -> String {
        self.last_waits = None;
        let counted = told
            .who
            .as_ref()
            .and_then(|who| self.folded.remove(&who.tid))
            .filter(|count| *count > 0);
        let paint = if told.importance == Importance::Error {
            Paint::Error
        } else {
            Paint::Dim
        };
        let mut remarks = Vec::new();
        let meaning = meaning.map(|meaning| match meaning {
            Meaning::TimedOut(_) if self.settings.durations.is_some() => "timed out".into(),
            meaning => words::meaning(meaning, self.escape, self.glyphs),
        });
        remarks.extend(meaning.map(|words| (words, paint)));
        remarks.extend(took.map(|took| (duration(took, self.glyphs), Paint::Dim)));
        remarks.extend(told.after.map(|after| {
            (
                format!("after {}", duration(after, self.glyphs)),
                Paint::Dim,
            )
        }));
        remarks.extend(counted.map(|count| (format!("+{}", calls(count)), Paint::Dim)));
        let line = Line {
            time: self.clock(time),
            who: told
                .who
                .as_ref()
                .filter(|_| self.several)
                .map(|who| self.label(who))
                .or(self.several.then(String::new)),
            number: told
                .conversation
                .as_ref()
                .map(|conversation| conversation.number),
            stage: told.stage.map_or("", Stage::word),
            text,
            remarks,
        };
        self.layout.line(line)
    }

    fn dump(&self, event: &CallEvent) -> String {
        let set = match direction(event) {
            Some(Direction::In) => &self.settings.dump_read,
            Some(Direction::Out) => &self.settings.dump_write,
            None => return String::new(),
        };
        if event.call.outcome.value().is_none()
            || !event.call.descriptor().is_some_and(|fd| set.contains(fd))
        {
            return String::new();
        }
        hexdump::dump(&event.call.payload())
            .iter()
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn grammar(&self, event: &CallEvent) -> Grammar {
        Grammar {
            raw: self.settings.raw.contains(event.call.raw.number),
            escape: self.escape,
            glyphs: self.glyphs,
            verbose: self.settings.verbose,
            data: self.settings.data,
            cap: None,
        }
    }

    /// `curl[4121]`, and with `-v` the thread: `curl[4121:4125]`.
    fn label(&self, who: &Who) -> String {
        let mut name = self.escape.bare(who.name.as_bytes());
        // Fifteen bytes at most (PR_SET_NAME(2const)), but each may take four columns.
        if name.width() > 16 {
            name = name.chars().take(12).collect::<String>() + self.glyphs.cut;
        }
        if self.settings.verbose && who.pid != who.tid {
            format!("{name}[{}:{}]", who.pid, who.tid)
        } else {
            format!("{name}[{}]", who.pid)
        }
    }

    fn clock(&mut self, time: Nanos) -> String {
        let wall = self.settings.wall_start.plus(time);
        let clock = match self.settings.clock {
            Clock::SinceStart => None,
            Clock::Day(digits) => Some(wall.day(digits, self.settings.zone)),
            Clock::Epoch(digits) => Some(wall.epoch(digits)),
        };
        let before = self.last.replace(time).unwrap_or(time);
        let relative = self.settings.relative.map(|digits| {
            // A line may be older than the one before it: threads overlap, and lines come when calls end.
            let (sign, apart) = if time < before {
                ("-", before - time)
            } else {
                ("", time - before)
            };
            format!("{:>13}", format!("{sign}{}", fixed(apart, digits)))
        });
        match (clock, relative) {
            (None, None) => since_start(time),
            (Some(clock), None) => clock,
            (None, Some(relative)) => relative,
            (Some(clock), Some(relative)) => format!("{clock} (+{relative})"),
        }
    }

    /// Notes whose lines there are.
    fn meet(&mut self, who: &Who) {
        let first = *self.first.get_or_insert(who.pid);
        if self.program.is_empty() && who.pid == first {
            self.program = who.name.clone();
        }
        self.several |= who.pid != first || (self.settings.verbose && who.tid != who.pid);
    }

    fn lines(&mut self, told: &Told) -> String {
        match &told.what {
            What::Call(event) => self.call(told, event),
            What::Waiting(event) => self.waits(told, event),
            What::StillWaiting if !self.settings.ends.failed => String::new(),
            What::StillWaiting => {
                let peer = match &told.meaning {
                    Some(Meaning::StillWaiting { peer, .. }) => peer.as_ref(),
                    _ => None,
                };
                self.goes_on(told, words::still_waiting(peer, self.escape), Paint::Plain)
            }
            What::Connected | What::Ended(_) if !self.settings.ends.successful => String::new(),
            What::Connected => {
                let ends = told.conversation.as_ref().map(|conversation| {
                    words::connection(
                        conversation.local.as_ref(),
                        conversation.peer.as_ref(),
                        self.escape,
                        self.glyphs,
                    )
                });
                self.goes_on(
                    told,
                    format!("connected {}", ends.unwrap_or_default())
                        .trim_end()
                        .into(),
                    Paint::Plain,
                )
            }
            What::NotConnected(_) if !self.settings.ends.failed => String::new(),
            What::NotConnected(errno) => self.goes_on(
                told,
                format!("not connected: {}", grammar::failure(*errno)),
                Paint::Error,
            ),
            What::Ended(ending) => {
                let text = words::ending(*ending);
                self.line(
                    told,
                    told.time,
                    &|_| vec![(text.clone(), Paint::Dim)],
                    told.meaning.as_ref(),
                    None,
                )
            }
            What::Runs(_) if self.settings.verbose || self.settings.quiet.beginnings => {
                String::new()
            }
            What::Runs(whom) => {
                let text = format!("runs {}", self.label(whom));
                self.line(
                    told,
                    told.time,
                    &|_| vec![(text.clone(), Paint::Dim)],
                    None,
                    None,
                )
            }
            What::Process(event) => self.process(told, event),
            What::Notice(notice) => match lines::notice(notice, self.settings.quiet, self.escape) {
                Some(text) => self.layout.plain(&text, Paint::Plain),
                None => String::new(),
            },
        }
    }
}

fn calls(count: u64) -> String {
    if count == 1 {
        "1 call".into()
    } else {
        format!("{count} calls")
    }
}

impl<W: Write> Output for Text<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        if let Some(who) = &told.who {
            self.meet(who);
        }
        let mut text = self.lines(told);
        if self.settings.explain
            && !text.is_empty()
            && let Some(sentence) = self.explain.sentence(told, self.escape)
        {
            text += &self.layout.sentence(self.glyphs.bar, &sentence);
        }
        if text.is_empty() {
            Ok(())
        } else {
            self.wrote = true;
            self.out.write_all(text.as_bytes())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        let rest = self.folded_rest + self.folded.drain().map(|(_, count)| count).sum::<u64>();
        if rest > 0 && self.settings.ends.successful {
            self.folded_rest = 0;
            let text = format!(
                "+{} of set-up and polling after that (-v shows all)",
                calls(rest)
            );
            let text = self
                .layout
                .plain(&format!("{}{text}", " ".repeat(10)), Paint::Dim);
            self.out.write_all(text.as_bytes())?;
        } else if !self.wrote && self.settings.says_nothing {
            let name = self.escape.bare(self.program.as_bytes());
            let text = format!("sockstrace: {name} made no calls on sockets");
            let text = self.layout.plain(&text, Paint::Plain);
            self.out.write_all(text.as_bytes())?;
        }
        self.wrote = true;
        self.out.flush()
    }
}
