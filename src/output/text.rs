//! The trace as text: a line per call, in strace's grammar, with what it means.
//!
//! Set-up and polling that went well is only counted: the next line of the same thread says `+3 calls`, those between it and the line
//! before. It cannot be the line before that says so, since a line is written when its call ends, not when the next one begins.

use std::cell::Cell;
use std::io::{self, Write};
use std::mem;
use std::rc::Rc;

use rustc_hash::FxHashMap;

pub use super::settings::{Ends, Quiet, Settings};

use super::Output;
use super::escape::Escape;
use super::explain::Explain;
use super::glyphs::{ASCII, Glyphs, UNICODE};
use super::grammar::{self, Grammar};
use super::hexdump;
use super::layout::{Layout, Line, Paint, Spans, columns};
use super::lines;
use super::number::{decimal, signed};
use super::remarks::Wording;
use super::time::{Clock, fixed, since_start};
use super::words;
use crate::story::bytes::{Direction, direction};
use crate::story::{Clear, Importance, Meaning, Resolution, Stage, Told, What, Who};
use crate::syscall::{Outcome, Role};
use crate::tracer::event::{CallEvent, Change, LibraryEvent, Nanos, ProcessEvent};

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
    folded: FxHashMap<i32, u64>,
    /// The same of threads that are gone.
    folded_rest: u64,
    /// The entry of the call that a thread is shown to wait in.
    waiting: FxHashMap<i32, Nanos>,
    /// The thread of the last line, if that showed it waiting.
    last_waits: Option<i32>,
    /// The time in the line before, for `-r`.
    last: Option<Nanos>,
    /// The name of the first program.
    program: Rc<str>,
    /// Whether any line was written.
    wrote: bool,
    /// Room for the lines of what is told.
    lines: String,
    /// Room for what stands beside a call.
    beside: Beside,
}

/// What stands beside a call.
#[derive(Default)]
struct Beside {
    time: String,
    who: String,
    remarks: Spans,
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
            folded: FxHashMap::default(),
            folded_rest: 0,
            waiting: FxHashMap::default(),
            last_waits: None,
            last: None,
            program: "".into(),
            wrote: false,
            lines: String::new(),
            beside: Beside::default(),
            settings,
        }
    }

    fn call(&mut self, out: &mut String, told: &Told, event: &CallEvent) {
        let ends = self.settings.ends;
        let shown = match event.call.outcome {
            Outcome::Value(_) => ends.successful,
            Outcome::Error(_) => ends.failed,
            Outcome::Unfinished => ends.unfinished,
        };
        if !shown {
            return;
        }
        let asked_for = !ends.successful;
        if told.folds && !asked_for {
            *self.folded.entry(event.tid).or_default() += 1;
            return;
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
        let durations = self.settings.durations;
        let glyphs = self.glyphs;
        let left = Cell::new(0);
        let grammar = self.grammar(told, event, &left);
        let fills = matches!(
            event.call.row.role,
            Role::Receive | Role::Accept | Role::Setup | Role::Poll
        );
        let text = |cap: Option<usize>, text: &mut Spans| {
            let grammar = Grammar { cap, ..grammar };
            if goes_on {
                text.add(Paint::Plain, |out| {
                    out.push_str(glyphs.hook);
                    out.push(' ');
                });
            }
            if connected && told.conversation.is_some() {
                let conversation = told.conversation.as_deref();
                text.add(Paint::Plain, |out| {
                    words::connected(out, conversation, grammar.escape, glyphs);
                });
            } else {
                if !resumed || !follows || fills {
                    text.add(Paint::Plain, |out| {
                        grammar.call(out, event);
                        out.push(' ');
                    });
                }
                text.add_unbroken(result_paint, |out| grammar.outcome(out, event, brief));
            }
            if let Some(digits) = durations {
                text.add(Paint::Dim, |out| {
                    out.push_str(" <");
                    fixed(out, own, digits);
                    out.push('>');
                });
            }
        };
        let meaning = told
            .meaning
            .as_ref()
            .filter(|meaning| !(connected && matches!(meaning, Meaning::Connection { .. })));
        self.line(out, told, time, &text, meaning, took);
        if let (true, Some(facts)) = (self.settings.kernel, &event.kernel) {
            let mut words = String::new();
            let receives = event.call.row.role == Role::Receive;
            words::kernel::view(&mut words, facts, receives, glyphs);
            if !words.is_empty() {
                self.layout.below(out, &words);
            }
        }
        self.dump(out, event);
    }

    fn waits(&mut self, out: &mut String, told: &Told, event: &CallEvent) {
        if told.folds || self.settings.ends != Ends::default() {
            return;
        }
        self.waiting.insert(event.tid, event.start);
        let left = Cell::new(0);
        let grammar = self.grammar(told, event, &left);
        let cut = self.glyphs.cut;
        let text = |cap: Option<usize>, text: &mut Spans| {
            text.add(Paint::Plain, |out| {
                Grammar { cap, ..grammar }.waiting(out, event);
                out.push(' ');
                out.push_str(cut);
            });
        };
        self.line(out, told, told.time, &text, told.meaning.as_ref(), None);
        self.last_waits = Some(event.tid);
    }

    /// What goes on from an earlier line.
    fn goes_on(
        &mut self,
        out: &mut String,
        told: &Told,
        paint: Paint,
        words: impl Fn(&mut String),
    ) {
        let hook = self.glyphs.hook;
        let text = |_cap: Option<usize>, text: &mut Spans| {
            text.add(paint, |out| {
                out.push_str(hook);
                out.push(' ');
                words(out);
            });
        };
        let meaning = told
            .meaning
            .as_ref()
            .filter(|meaning| !matches!(meaning, Meaning::Connection { .. }));
        self.line(out, told, told.time, &text, meaning, told.took);
    }

    /// Something that is no call.
    fn aside(
        &mut self,
        out: &mut String,
        told: &Told,
        text: &str,
        paint: Paint,
        meaning: Option<&Meaning>,
    ) {
        let text = |_cap: Option<usize>, spans: &mut Spans| {
            spans.add(paint, |out| out.push_str(text));
        };
        self.line(out, told, told.time, &text, meaning, None);
    }

    /// A function of the C library that is over.
    fn function(&mut self, out: &mut String, told: &Told, event: &LibraryEvent) {
        let (hook, function) = (self.glyphs.hook, event.invocation.function);
        let text = |_cap: Option<usize>, text: &mut Spans| {
            text.add(Paint::Dim, |out| {
                if function.family.is_tls() {
                    out.push_str("TLS  ");
                    out.push_str(function.name);
                    out.push_str("() = ");
                } else {
                    out.push_str(hook);
                    out.push_str(" the C library's ");
                    out.push_str(function.name);
                    out.push_str("() returns ");
                }
                signed(out, event.invocation.value.unwrap_or(0));
            });
        };
        self.line(
            out,
            told,
            told.time,
            &text,
            told.meaning.as_ref(),
            told.took,
        );
    }

    /// What passed in clear.
    fn clear(&mut self, out: &mut String, told: &Told, clear: &Clear) {
        if !self.settings.ends.successful {
            return;
        }
        let left = Cell::new(0);
        let grammar = self.plain_grammar(told, &left);
        let text = |cap: Option<usize>, text: &mut Spans| {
            text.add(Paint::Plain, |out| {
                Grammar { cap, ..grammar }.clear(out, clear);
            });
            text.add_unbroken(Paint::Plain, |out| {
                out.push_str("= ");
                signed(out, clear.event.invocation.value.unwrap_or(0));
            });
        };
        self.line(out, told, told.time, &text, None, told.took);
    }

    /// A name that was asked for.
    fn resolved(&mut self, out: &mut String, told: &Told, resolution: &Resolution) {
        let ends = self.settings.ends;
        if !(if resolution.failed() {
            ends.failed
        } else {
            ends.successful
        }) {
            return;
        }
        let (escape, to) = (self.escape, self.glyphs.to);
        let paint = match told.importance {
            Importance::Error => Paint::Error,
            Importance::Ordinary | Importance::Expected => Paint::Plain,
        };
        if told.folds {
            return;
        }
        let left = Cell::new(0);
        let grammar = self.plain_grammar(told, &left);
        let text = |cap: Option<usize>, spans: &mut Spans| {
            spans.add(Paint::Plain, |out| {
                match resolution.library.as_deref() {
                    Some((event, _)) => {
                        let invocation = &event.invocation;
                        let function = invocation.function.name;
                        Grammar { cap, ..grammar }.invocation(out, function, &invocation.args);
                    }
                    None => words::names::wished(out, resolution, escape),
                }
                out.push(' ');
                out.push_str(to);
                out.push(' ');
            });
            spans.add(paint, |out| words::names::finding(out, resolution, escape));
        };
        self.line(out, told, told.time, &text, None, told.took);
    }

    fn process(&mut self, out: &mut String, told: &Told, event: &ProcessEvent) {
        let paint = match told.importance {
            Importance::Error => Paint::Error,
            Importance::Ordinary | Importance::Expected => Paint::Dim,
        };
        if let Some(text) = lines::process(event, told, &self.settings, self.escape) {
            self.aside(out, told, &text, paint, None);
        }
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
    }

    /// Lays out a line with its columns.
    fn line(
        &mut self,
        out: &mut String,
        told: &Told,
        time: Nanos,
        text: &dyn Fn(Option<usize>, &mut Spans),
        meaning: Option<&Meaning>,
        took: Option<Nanos>,
    ) {
        self.last_waits = None;
        let mut beside = mem::take(&mut self.beside);
        beside.time.clear();
        self.clock(&mut beside.time, time);
        beside.who.clear();
        if let Some(who) = told.who.as_ref().filter(|_| self.several) {
            self.label(&mut beside.who, who);
        }
        beside.remarks.clear();
        self.remarks(&mut beside.remarks, told, meaning, took);
        let number = told.conversation.as_ref();
        let line = Line {
            time: &beside.time,
            who: self.several.then_some(&beside.who),
            number: number
                .and_then(|it| u64::try_from(it.number).ok())
                .filter(|it| *it > 0),
            stage: told.stage.map_or("", Stage::word),
            text,
            remarks: &beside.remarks,
        };
        self.layout.line(out, &line);
        self.beside = beside;
    }

    /// What a line means, what else there is to say of it, and how many calls were folded before it.
    fn remarks(
        &mut self,
        remarks: &mut Spans,
        told: &Told,
        meaning: Option<&Meaning>,
        took: Option<Nanos>,
    ) {
        let wording = Wording {
            escape: self.escape,
            glyphs: self.glyphs,
            durations: self.settings.durations.is_some(),
        };
        wording.write(remarks, told, meaning, took);
        let who = told.who.as_ref();
        let counted = who.and_then(|who| self.folded.remove(&who.tid));
        if let Some(count) = counted.filter(|count| *count > 0) {
            remarks.add(Paint::Dim, |out| counted_calls(out, count));
        }
    }

    fn dump(&self, out: &mut String, event: &CallEvent) {
        let set = match direction(event) {
            Some(Direction::In) => &self.settings.dump_read,
            Some(Direction::Out) => &self.settings.dump_write,
            None => return,
        };
        if event.call.outcome.value().is_none()
            || !event.call.descriptor().is_some_and(|fd| set.contains(fd))
        {
            return;
        }
        for line in hexdump::dump(&event.call.payload()) {
            out.push_str(&line);
            out.push('\n');
        }
    }

    fn grammar<'a>(&self, told: &'a Told, event: &CallEvent, left: &'a Cell<usize>) -> Grammar<'a> {
        let raw = self.settings.raw.contains(event.call.raw.number);
        Grammar {
            raw,
            ..self.plain_grammar(told, left)
        }
    }

    fn plain_grammar<'a>(&self, told: &'a Told, left: &'a Cell<usize>) -> Grammar<'a> {
        let conversation = told.conversation.as_deref();
        Grammar {
            named: conversation.and_then(|it| Some((it.peer.as_ref()?, &*it.name.as_ref()?.text))),
            raw: false,
            escape: self.escape,
            glyphs: self.glyphs,
            verbose: self.settings.verbose,
            data: self.settings.data,
            left,
            cap: None,
        }
    }

    /// `curl[4121]`, and with `-v` the thread: `curl[4121:4125]`.
    fn label(&self, out: &mut String, who: &Who) {
        let start = out.len();
        self.escape.bare(out, who.name.as_bytes());
        let name = &out[start..];
        // Fifteen bytes at most (PR_SET_NAME(2const)), but each may take four columns.
        if columns(name) > 16 {
            let most = name.char_indices().nth(12).map_or(name.len(), |(at, _)| at);
            out.truncate(start + most);
            out.push_str(self.glyphs.cut);
        }
        out.push('[');
        signed(out, who.pid.into());
        if self.settings.verbose && who.pid != who.tid {
            out.push(':');
            signed(out, who.tid.into());
        }
        out.push(']');
    }

    fn clock(&mut self, out: &mut String, time: Nanos) {
        let wall = self.settings.wall_start.plus(time);
        let before = self.last.replace(time).unwrap_or(time);
        let Some(digits) = self.settings.relative else {
            return match self.settings.clock {
                Clock::SinceStart => since_start(out, time),
                Clock::Day(digits) => wall.day(out, digits, self.settings.zone),
                Clock::Epoch(digits) => wall.epoch(out, digits),
            };
        };
        // A line may be older than the one before it: threads overlap, and lines come when calls end.
        let mut relative = String::from(if time < before { "-" } else { "" });
        fixed(&mut relative, time.abs_diff(before), digits);
        let relative = format!("{relative:>13}");
        match self.settings.clock {
            Clock::SinceStart => return out.push_str(&relative),
            Clock::Day(digits) => wall.day(out, digits, self.settings.zone),
            Clock::Epoch(digits) => wall.epoch(out, digits),
        }
        out.push_str(" (+");
        out.push_str(&relative);
        out.push(')');
    }

    /// Writes a line outside of the columns.
    fn plain_line(&mut self, text: &str, paint: Paint) -> io::Result<()> {
        let mut line = String::new();
        self.layout.plain(&mut line, text, paint);
        self.out.write_all(line.as_bytes())
    }

    /// Notes whose lines there are.
    fn meet(&mut self, who: &Who) {
        let first = *self.first.get_or_insert(who.pid);
        if self.program.is_empty() && who.pid == first {
            self.program = who.name.clone();
        }
        self.several |= who.pid != first || (self.settings.verbose && who.tid != who.pid);
    }

    fn lines(&mut self, out: &mut String, told: &Told) {
        let (escape, glyphs) = (self.escape, self.glyphs);
        match &told.what {
            What::Connected | What::NotConnected(_) | What::Ended(_) if told.folds => {}
            What::Call(event) => self.call(out, told, event),
            What::Waiting(event) => self.waits(out, told, event),
            What::StillWaiting | What::NotConnected(_) if !self.settings.ends.failed => {}
            What::Connected | What::Ended(_) if !self.settings.ends.successful => {}
            What::StillWaiting => {
                let conversation = told.conversation.as_deref();
                self.goes_on(out, told, Paint::Plain, |out| {
                    words::still_waiting(out, conversation, escape);
                });
            }
            What::Connected => {
                let conversation = told.conversation.as_deref();
                self.goes_on(out, told, Paint::Plain, |out| {
                    words::connected(out, conversation, escape, glyphs);
                });
            }
            What::NotConnected(errno) => self.goes_on(out, told, Paint::Error, |out| {
                out.push_str("not connected: ");
                grammar::failure(out, *errno);
            }),
            What::Kernel(before, facts) => {
                if self.settings.kernel && !told.folds {
                    self.goes_on(out, told, Paint::Dim, |out| {
                        words::kernel::changed(out, *before, facts, glyphs);
                    });
                }
            }
            What::Ended(ending) => {
                let text = words::ending(*ending);
                self.aside(out, told, &text, Paint::Dim, told.meaning.as_ref());
            }
            What::Clear(clear) => self.clear(out, told, clear),
            What::Resolved(resolution) => self.resolved(out, told, resolution),
            What::Function(event) if !told.folds => self.function(out, told, event),
            What::Function(_) | What::Found(_) | What::AllFound(_) => {}
            What::Runs(_) if self.settings.verbose || self.settings.quiet.beginnings => {}
            What::Runs(whom) => {
                let mut text = String::from("runs ");
                self.label(&mut text, whom);
                if let Some(own) = whom.own {
                    text.push_str(", process ");
                    signed(&mut text, own.into());
                    text.push_str(" to itself");
                }
                self.aside(out, told, &text, Paint::Dim, None);
            }
            What::Process(event) => self.process(out, told, event),
            What::Notice(notice) => {
                if let Some(text) = lines::notice(notice, self.settings.quiet, self.escape) {
                    self.layout.plain(out, &text, Paint::Plain);
                }
            }
        }
    }
}

/// `+1 call`, `+3 calls`.
fn counted_calls(out: &mut String, count: u64) {
    out.push('+');
    decimal(out, count);
    out.push_str(if count == 1 { " call" } else { " calls" });
}

impl<W: Write> Output for Text<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        if let Some(who) = &told.who {
            self.meet(who);
        }
        let mut lines = mem::take(&mut self.lines);
        lines.clear();
        self.lines(&mut lines, told);
        if self.settings.explain
            && !lines.is_empty()
            && let Some(sentence) = self.explain.sentence(told, self.escape)
        {
            self.layout.sentence(&mut lines, self.glyphs.bar, &sentence);
        }
        let written = match lines.is_empty() {
            true => Ok(()),
            false => {
                self.wrote = true;
                self.out.write_all(lines.as_bytes())
            }
        };
        self.lines = lines;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _end: Nanos) -> io::Result<()> {
        let rest = self.folded_rest + self.folded.drain().map(|(_, count)| count).sum::<u64>();
        if rest > 0 && self.settings.ends.successful {
            self.folded_rest = 0;
            let mut text = " ".repeat(10);
            counted_calls(&mut text, rest);
            text.push_str(" of set-up and polling after that (-v shows all)");
            self.plain_line(&text, Paint::Dim)?;
        } else if !self.wrote && self.settings.says_nothing {
            let name = self.escape.name(self.program.as_bytes());
            let text = format!("sockstrace: {name} made no calls on sockets");
            self.plain_line(&text, Paint::Plain)?;
        }
        self.wrote = true;
        self.out.flush()
    }
}
