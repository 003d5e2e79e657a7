//! The trace as data (`--json`): a line of JSON for each thing told, with what it was decoded from. The lines stand in [`crate::record`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use super::Output;
use super::settings::Ends;
use crate::protocol::Asked;
use crate::record::{
    Address, Bytes, CallLine, ConversationLine, ExitLine, FindingLine, HeaderLine, Line,
    MessageLine, MomentLine, NameLine, NoticeLine, ProcessLine, ProgramEnd, ServerLine, Writer,
    inode,
};
use crate::story::bytes::{direction, moved};
use crate::story::{
    By, Conversation, Ending, Farewell, Fate, Finding, Meaning, Part, Resolution, Server, Side,
    Told, Upshot, What,
};
use crate::syscall::names::socket::{FAMILY, TYPE};
use crate::syscall::{Arg, Outcome, Value, errno};
use crate::tracer::event::{CallEvent, Change, Nanos};

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
            What::Resolved(resolution) => {
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

fn importance(told: &Told) -> &'static str {
    match told.importance {
        crate::story::Importance::Ordinary => "ordinary",
        crate::story::Importance::Expected => "expected",
        crate::story::Importance::Error => "error",
    }
}

/// The first bytes of all data of a call.
fn payload_of(payload: &[&crate::syscall::Data], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in payload {
        let room = most.saturating_sub(bytes.len());
        bytes.extend_from_slice(&piece.bytes[..piece.bytes.len().min(room)]);
        if piece.len > piece.bytes.len() as u64 {
            break;
        }
    }
    // A character that the cut goes through is left out, so that text stays text.
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
        && bytes.len() == most
    {
        bytes.truncate(error.valid_up_to());
    }
    bytes
}

/// The arguments by their names.
fn arguments(args: &[Arg]) -> Json {
    let args = args.iter();
    Json::Object(
        args.map(|arg| (arg.name.to_owned(), value(&arg.value)))
            .collect(),
    )
}

/// A value: numbers as numbers, constants and flags by their names, addresses of memory in base 16.
fn value(value_of: &Value) -> Json {
    match value_of {
        Value::Fd(fd) => json!(fd),
        Value::Int(number) => json!(number),
        Value::Unsigned(number) => json!(number),
        Value::Hex(number) | Value::Pointer(number) => json!(format!("{number:#x}")),
        Value::Octal(number) => json!(format!("{number:#o}")),
        Value::Const(names, number) => match names.get(*number) {
            Some(name) => json!(name),
            None => json!(number.to_string()),
        },
        Value::Flags(names, bits) => {
            let (known, rest) = names.flags(*bits);
            let rest = (rest != 0 || known.is_empty()).then(|| format!("{rest:#x}"));
            let mut text = known.join("|");
            if let Some(rest) = rest {
                if !text.is_empty() {
                    text.push('|');
                }
                text.push_str(&rest);
            }
            json!(text)
        }
        Value::Address(address) => {
            serde_json::to_value(Address::from(&**address)).unwrap_or_default()
        }
        // The bytes stand in `data`.
        Value::Data(data) => json!({ "length": data.len }),
        Value::Text(data) => json!(String::from_utf8_lossy(&data.bytes)),
        Value::List { items, .. } => items.iter().map(value).collect(),
        Value::Struct(fields) => fields
            .iter()
            .map(|(name, field)| ((*name).to_owned(), value(field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Changed(before, after) => json!({ "before": value(before), "after": value(after) }),
        Value::Wrapped(_, inner) => value(inner),
    }
}

/// What something means, in a word; what has gone wrong, in words.
fn meaning(meaning: &Meaning) -> Cow<'static, str> {
    Cow::Borrowed(match meaning {
        Meaning::Trouble(words) => words,
        Meaning::SetsPeer => "sets-peer",
        Meaning::ForgetsPeer => "forgets-peer",
        Meaning::EveryAddress => "every-address",
        Meaning::ThisMachine => "this-machine",
        Meaning::KernelPicksPort => "kernel-picks-port",
        Meaning::WaitingForPeers => "waiting-for-peers",
        Meaning::Accepted { .. } => "accepted",
        Meaning::Joined(..) => "joined",
        Meaning::Part { .. } => "part",
        Meaning::Cut { .. } => "cut",
        Meaning::Peeked => "peeked",
        Meaning::PeerEnded => "peer-ended",
        Meaning::ShutSend => "shut-send",
        Meaning::ShutReceive => "shut-receive",
        Meaning::ShutBoth => "shut-both",
        Meaning::Connection { .. } => "connection",
        Meaning::Farewell(_) => "farewell",
        Meaning::OpenElsewhere => "open-elsewhere",
        Meaning::SeveralEnded(_) => "several-ended",
        Meaning::WaitsFor(_) => "waits",
        Meaning::StillWaiting { .. } => "still-waiting",
        Meaning::TimedOut(_) => "timed-out",
        Meaning::Interrupted => "interrupted",
        Meaning::GivenUp => "given-up",
    })
}

fn name_line<'a>(told: &'a Told, resolution: &'a Resolution) -> NameLine<'a> {
    NameLine {
        run: None,
        start: resolution.start,
        end: resolution.end,
        pid: resolution.pid,
        tid: resolution.tid,
        process: told.who.as_ref().map(|who| &*who.name),
        name: &resolution.name,
        tried: resolution.tried.iter().map(String::as_str).collect(),
        asked: resolution.asked.iter().map(Asked::word).collect(),
        addresses: resolution
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect(),
        records: resolution.records as u64,
        outcome: match resolution.upshot {
            Upshot::NoAnswer => "no-answer",
            Upshot::Found => "found",
            Upshot::Cut => "cut",
            Upshot::Nothing => "nothing",
            Upshot::NoSuchName => "no-such-name",
            Upshot::Refused(code) => code,
        },
        source: resolution.source().word(),
        servers: resolution.servers.iter().map(server_line).collect(),
        told: resolution.told,
    }
}

fn server_line(server: &Server) -> ServerLine<'_> {
    ServerLine {
        address: server
            .address
            .as_ref()
            .map(Address::from)
            .unwrap_or_default(),
        by: match server.by {
            By::Udp => "udp",
            By::Tcp => "tcp",
            By::Multicast => "multicast",
            By::Resolved => "resolved",
            By::Nscd => "nscd",
        },
        times: server.times,
        answered: server.answered,
    }
}

fn conversation_line<'a>(
    told: &'a Told,
    conversation: &'a Conversation,
    farewell: &Farewell,
) -> ConversationLine<'a> {
    let local = conversation
        .local
        .as_ref()
        .map(Address::from)
        .unwrap_or_default();
    let peer = conversation
        .peer
        .as_ref()
        .map(Address::from)
        .unwrap_or_default();
    let kind = conversation.socket.kind;
    let kernel = farewell.kernel.as_ref();
    let tcp = kernel.and_then(|it| it.tcp);
    let (fate, accepted) = match farewell.fate {
        Fate::Carried => ("carried", None),
        Fate::Listened(peers) => ("listened", Some(peers)),
        Fate::NeverConnected => ("never-connected", None),
        Fate::Lost(_) => ("lost", None),
        Fate::Unused => ("unused", None),
        Fate::Open => ("open", None),
    };
    ConversationLine {
        run: None,
        conversation: conversation.number,
        pid: told.who.as_ref().map(|who| who.pid),
        process: told.who.as_ref().map(|who| &*who.name),
        inode: inode(conversation.socket.id),
        family: kind.and_then(|(family, ..)| FAMILY.get(family as u64)),
        kind: kind.and_then(|(_, kind, _)| TYPE.get(kind as u64)),
        part: match conversation.part {
            Part::Open => "open",
            Part::Listener(_) => "listener",
            Part::Accepted => "accepted",
            Part::Connector => "connector",
            Part::Pair => "pair",
        },
        local_ip: local.ip,
        local_port: local.port,
        local_path: local.path,
        peer_ip: peer.ip,
        peer_port: peer.port,
        peer_path: peer.path,
        peer_name: conversation.name.as_ref().map(|it| &*it.text),
        peer_name_source: conversation.name.as_ref().map(|it| it.source.word()),
        sends: conversation.sends,
        receives: conversation.receives,
        blocked: conversation.blocked,
        connected: conversation.connected,
        first_byte: conversation.first_byte,
        lost_to: conversation.lost_to,
        rtt_us: tcp.map(|it| it.rtt_us).filter(|rtt| *rtt > 0),
        resent_segments: tcp.map(|it| it.total_retrans),
        unread: kernel.and_then(|it| it.unread),
        protocols: conversation.layers.names().collect(),
        start: conversation.born,
        end: match &told.what {
            What::Call(event) => event.end,
            _ => told.time,
        },
        sent: farewell.out,
        received: farewell.received,
        ended: match &told.what {
            What::Ended(Ending::Exit) => "exit",
            What::Ended(Ending::Exec) => "exec",
            What::Ended(Ending::StillOpen) => "left-open",
            _ => "closed",
        },
        closed_first: farewell.first.map(|side| match side {
            Side::Us => "us",
            Side::Peer => "peer",
            Side::PeerByReset => "reset",
        }),
        fate,
        accepted,
    }
}
