//! The trace as data (`--json`): a line of JSON for each thing told, with what it was decoded from. The lines stand in [`crate::record`].

mod lines;
mod values;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::rc::Rc;

use super::Output;
use super::settings::Ends;
use crate::record::{
    Address, Bytes, CallLine, ClearLine, ConversationLine, ExitLine, FindingLine, HeaderLine,
    KernelLine, KernelMomentLine, LibraryLine, Line, MessageLine, MomentLine, NameLine, NoticeLine,
    ProcessLine, ProgramEnd, Writer, inode,
};
use crate::story::bytes::{direction, moved};
use crate::story::{Finding, Meaning, Told, What};
use crate::syscall::{Outcome, errno};
use crate::tracer::event::{CallEvent, Change, LibraryEvent, Nanos};
use lines::{clear_line, conversation_line, name_line};
use values::{arguments, importance, meaning, payload_of};

/// A place that may go on in another file.
pub trait Rolls: Write {
    /// Goes on in another file where it is time for one: then that needs a header.
    ///
    /// # Errors
    /// The file cannot be made.
    fn roll(&mut self) -> io::Result<bool>;
}

/// What is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first line.
    pub header: HeaderLine<'static>,
    /// How many bytes of a call's data are written.
    pub data: usize,
    /// The calls that are shown, by their end (`-z`, `-Z`, `-e status=`).
    pub ends: Ends,
    /// The signals that are shown; all, where nothing is said.
    pub signals: Option<BTreeSet<i32>>,
    /// Whether findings are written.
    pub findings: bool,
    /// The types of lines that are written beside the header (`--json-types`); all, where nothing is said.
    pub types: Option<BTreeSet<String>>,
}

/// Writes lines of JSON.
pub struct JsonLines<W> {
    writer: Writer<W>,
    settings: Settings,
    run: Rc<str>,
    begun: bool,
    part: u32,
    program: ProgramEnd,
}

impl<W: Rolls> JsonLines<W> {
    /// Lines to be written there.
    pub fn new(out: W, settings: Settings) -> Self {
        Self {
            writer: Writer::new(out),
            run: Rc::from(&*settings.header.run),
            settings,
            begun: false,
            part: 0,
            program: ProgramEnd::default(),
        }
    }

    fn wants(&self, kind: &str) -> bool {
        let types = self.settings.types.as_ref();
        types.is_none_or(|types| types.contains(kind))
    }

    /// Writes a line of that type if it is wanted; all but the first go on in another file where that is due.
    fn write<'a>(
        &mut self,
        kind: &str,
        line: impl FnOnce(Option<&'a str>) -> Line<'a>,
        run: &'a str,
    ) -> io::Result<()> {
        if !self.wants(kind) {
            return Ok(());
        }
        self.begin()?;
        self.writer.write(&line(Some(run)))
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.begun {
            if !self.writer.place().roll()? {
                return Ok(());
            }
            self.part += 1;
            self.settings.header.part = Some(self.part);
        }
        self.begun = true;
        self.writer.header(&self.settings.header)
    }

    fn call(&mut self, told: &Told, event: &CallEvent, kind: &str, run: &str) -> io::Result<()> {
        let ends = self.settings.ends;
        let shown = match event.call.outcome {
            _ if kind == "waiting" => true,
            Outcome::Value(_) => ends.successful,
            Outcome::Error(_) => ends.failed,
            Outcome::Unfinished => ends.unfinished,
        };
        if !shown {
            return Ok(());
        }
        let call = &event.call;
        let moves = direction(event).is_some();
        let payload = if moves { call.payload() } else { Vec::new() };
        let bytes = payload_of(&payload, self.settings.data);
        let text = std::str::from_utf8(&bytes);
        let length = payload.iter().map(|piece| piece.len).sum::<u64>();
        let has_data = !payload.is_empty();
        let conversation = told.conversation.as_deref();
        let peer = conversation.and_then(|it| it.peer.as_ref());
        let peer = peer.map(Address::from).unwrap_or_default();
        let line = CallLine {
            number: told.call.filter(|_| kind == "call"),
            peer_ip: peer.ip,
            peer_port: peer.port,
            peer_path: peer.path,
            process: told.who.as_ref().map(|who| &*who.name),
            duration: Some(event.end.saturating_sub(event.start)),
            call: Some(call.name()),
            fd: call.descriptor(),
            conversation: conversation.map(|it| it.number).filter(|it| *it != 0),
            peer_name: conversation
                .and_then(|it| it.name.as_ref())
                .map(|it| &*it.text),
            stage: told.stage.map(|stage| stage.word()),
            error: call.outcome.errno().and_then(errno::name),
            importance: Some(importance(told)),
            folded: told.folds.then_some(true),
            meaning: told.meaning.as_ref().map(meaning),
            waited: told.took,
            after: told.after,
            messages: told.messages.iter().map(MessageLine::of).collect(),
            messages_more: Some(told.more).filter(|more| *more > 0),
            address: call.address().map(Address::from).unwrap_or_default(),
            bytes: (moves && call.outcome.value().is_some()).then(|| moved(event)),
            data: text.ok().filter(|_| has_data),
            data_base64: text.is_err().then(|| Bytes(bytes.as_slice().into())),
            data_length: has_data.then_some(length),
            args: Some(arguments(&call.args)),
            ..CallLine::told(event)
        };
        let tag = if kind == "call" {
            Line::Call
        } else {
            Line::Waiting
        };
        self.write(kind, |run| tag(Box::new(CallLine { run, ..line })), run)
    }

    fn library(&mut self, event: &LibraryEvent, told: &Told, run: &str) -> io::Result<()> {
        let conversation = told.conversation.as_deref();
        let line = LibraryLine {
            conversation: conversation.map(|it| it.number).filter(|it| *it != 0),
            meaning: told.meaning.as_ref().map(meaning),
            messages: told.messages.iter().map(MessageLine::of).collect(),
            messages_more: Some(told.more).filter(|more| *more > 0),
            ..LibraryLine::from(event)
        };
        let line = |run| Line::Library(Box::new(LibraryLine { run, ..line }));
        self.write("library", line, run)
    }

    fn moment(&mut self, told: &Told, kind: &str, errno: Option<i32>, run: &str) -> io::Result<()> {
        let peer = told.conversation.as_ref().and_then(|it| it.peer.as_ref());
        let waited = match &told.meaning {
            Some(Meaning::StillWaiting { elapsed, .. }) => Some(*elapsed),
            _ => told.took,
        };
        let line = MomentLine {
            run: None,
            time: told.time,
            pid: told.who.as_ref().map(|who| who.pid),
            tid: told.who.as_ref().map(|who| who.tid),
            conversation: told
                .conversation
                .as_ref()
                .map(|it| it.number)
                .filter(|it| *it != 0),
            errno,
            error: errno.and_then(errno::name),
            waited,
            address: peer.map(Address::from).unwrap_or_default(),
        };
        let tag = if kind == "connected" {
            Line::Connected
        } else {
            Line::StillWaiting
        };
        self.write(kind, |run| tag(MomentLine { run, ..line }), run)
    }

    fn finding(&mut self, finding: &Finding, run: &str) -> io::Result<()> {
        if !self.settings.findings {
            return Ok(());
        }
        let line = FindingLine {
            run: None,
            time: finding.time,
            name: finding.kind.name,
            severity: finding.kind.severity.word(),
            seen: &finding.seen,
            advice: finding.kind.advice,
            calls: &finding.calls,
            conversation: finding.conversation,
            pid: finding.pid,
            count: finding.count,
        };
        let line = |run| Line::Finding(Box::new(FindingLine { run, ..line }));
        self.write("finding", line, run)
    }

    fn show_line(&mut self, told: &Told, run: &str) -> io::Result<()> {
        match &told.what {
            What::Call(event) => self.call(told, event, "call", run)?,
            What::Waiting(event) => self.call(told, event, "waiting", run)?,
            What::StillWaiting => self.moment(told, "still-waiting", None, run)?,
            What::Connected => self.moment(told, "connected", None, run)?,
            What::NotConnected(errno) => self.moment(told, "connected", Some(*errno), run)?,
            What::Kernel(_, facts) => {
                let who = told.who.as_ref();
                let conversation = told.conversation.as_ref();
                let line = KernelMomentLine {
                    run: None,
                    time: told.time,
                    pid: who.map_or(0, |who| who.pid),
                    tid: who.map_or(0, |who| who.tid),
                    conversation: conversation.map(|it| it.number).filter(|it| *it != 0),
                    inode: conversation.map_or(0, |it| inode(it.socket.id)),
                    kernel: KernelLine::of(facts),
                };
                let line = |run| Line::Kernel(Box::new(KernelMomentLine { run, ..line }));
                self.write("kernel", line, run)?;
            }
            What::Process(event) => {
                self.program.see(event);
                let hidden = match (&event.change, &self.settings.signals) {
                    (Change::Signal { signal, .. }, Some(shown)) => !shown.contains(signal),
                    _ => false,
                };
                if !hidden {
                    let line = ProcessLine::from(&**event);
                    let line = |run| Line::Process(Box::new(ProcessLine { run, ..line }));
                    self.write("process", line, run)?;
                }
            }
            What::Notice(notice) => {
                if let Some(line) = NoticeLine::of(notice) {
                    let line = |run| Line::Notice(NoticeLine { run, ..line });
                    self.write("notice", line, run)?;
                }
            }
            What::Function(event) => self.library(event, told, run)?,
            What::Clear(clear) => {
                self.library(&clear.event, told, run)?;
                let bytes = payload_of(&[&clear.data], self.settings.data);
                let line = clear_line(told, clear, &bytes);
                let line = |run| Line::Clear(Box::new(ClearLine { run, ..line }));
                self.write("clear", line, run)?;
            }
            What::Resolved(resolution) => {
                if let Some((event, _)) = resolution.library.as_deref() {
                    self.library(event, told, run)?;
                }
                let line = name_line(told, resolution);
                let line = |run| Line::Name(Box::new(NameLine { run, ..line }));
                self.write("name", line, run)?;
            }
            What::Found(finding) => self.finding(finding, run)?,
            What::AllFound(all) => {
                // Those that were found again and again: how often.
                for finding in all.iter().filter(|it| it.count > 1 || it.revised) {
                    self.finding(finding, run)?;
                }
            }
            // The conversation's own line says it.
            What::Ended(_) | What::Runs(_) => {}
        }
        if let (Some(conversation), Some(Meaning::Farewell(farewell))) =
            (&told.conversation, &told.meaning)
        {
            let line = conversation_line(told, conversation, farewell);
            let line = |run| Line::Conversation(Box::new(ConversationLine { run, ..line }));
            self.write("conversation", line, run)?;
        }
        Ok(())
    }
}

impl<W: Rolls> Output for JsonLines<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        let run = Rc::clone(&self.run);
        self.show_line(told, &run)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begin()?;
        }
        self.writer.place().flush()
    }

    fn finish(&mut self, end: Nanos) -> io::Result<()> {
        let run = Rc::clone(&self.run);
        // As the header, it is there whatever types are: without it a trace was cut off.
        self.begin()?;
        self.writer.exit(ExitLine {
            run: Some(&run),
            ..self.program.exit_line(end)
        })?;
        self.flush()
    }
}
