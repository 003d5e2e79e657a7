//! A call on its way, from its entry stop to the output's thread: in one box, which another call then takes.

use std::fmt;

use super::descriptors::Changes;
use super::event::{CallEvent, Captured, Descriptor, Nanos, Socket, SocketId};
use crate::kernel::Facts;
use crate::syscall::{
    Call, Effect, Entry, Limits, Memory, Outcome, Raw, Row, Snapshot, Value, add_arguments,
    capture, enter, finish, hides_descriptors, named_descriptors,
};

/// The most descriptors that one call's event names.
const DESCRIPTORS: usize = 1024;

/// How many bytes a box that waits for another call may take beside itself.
const ROOM: usize = 4096;

/// What is known of a call, from its entry on. It is decoded where it is told, not where it is traced.
#[derive(Debug)]
pub struct Calling {
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// Registers and what only the entry can tell.
    pub entry: Entry,
    /// When it was entered.
    pub start: Nanos,
    /// When it came back.
    pub end: Nanos,
    /// How it came back.
    pub outcome: Outcome,
    /// How much of it is told.
    pub limits: Limits,
    /// What stood behind its pointers when it came back.
    pub snapshot: Snapshot,
    /// Whether it has been reported as waiting.
    pub reported: bool,
    /// Whether a recorder saw it: the recorder's set of descriptors is up to date by itself.
    pub recorded: bool,
    /// What the call's own descriptor was at its entry.
    pub subject: Option<(i32, Socket)>,
    /// What the call does to its process's descriptors; a place for working it out.
    pub effects: Vec<Effect>,
    /// What became of its sockets by that: what its descriptors lead to, or led to before it closed or replaced them.
    pub changes: Changes,
    /// What its descriptors are, or were, that are no sockets.
    pub files: Vec<(i32, Descriptor)>,
    /// What the kernel said of its socket: before a close, after other calls.
    pub kernel: Option<Box<Facts>>,
    /// Whether what stood behind its pointers was copied at its entry, since its exit cannot tell: execve.
    pub early: bool,
}

/// How calls are told.
pub struct Telling {
    /// Whether a call's arguments are needed.
    pub needed: Box<dyn Fn(&CallEvent) -> bool + Send>,
    /// How much is decoded of what was copied.
    pub limits: Limits,
    /// How much of the copies comes along, for outputs that are to be read back; nothing where there are none.
    pub captures: Option<Limits>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            needed: Box::new(|_| true),
            limits: Limits::ALL,
            captures: None,
        }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling")
            .field("limits", &self.limits)
            .field("captures", &self.captures)
            .finish_non_exhaustive()
    }
}

impl Calling {
    /// A call that begins.
    pub fn new(entry: Entry) -> Self {
        Self {
            pid: 0,
            tid: 0,
            entry,
            start: 0,
            end: 0,
            outcome: Outcome::Unfinished,
            limits: Limits::default(),
            snapshot: Snapshot::default(),
            reported: false,
            recorded: false,
            subject: None,
            effects: Vec::new(),
            changes: Changes::default(),
            files: Vec::new(),
            kernel: None,
            early: false,
        }
    }

    /// The same in the box of a call that is over, if there is one.
    pub fn enter(
        spare: Option<Box<Self>>,
        row: &'static Row,
        raw: Raw,
        memory: &dyn Memory,
    ) -> Box<Self> {
        let Some(mut calling) = spare else {
            return Box::new(Self::new(enter(row, raw, memory)));
        };
        calling.entry.renew(row, raw, memory);
        calling.begin();
        calling
    }

    /// Forgets all but the entry.
    pub(super) fn begin(&mut self) {
        self.outcome = Outcome::Unfinished;
        self.snapshot.clear();
        self.reported = false;
        self.recorded = false;
        self.subject = None;
        self.changes.clear();
        self.files.clear();
        self.kernel = None;
        self.early = false;
    }

    /// Whether it can go together with others.
    pub fn is_bundled(&self) -> bool {
        self.recorded && !self.early && self.files.is_empty() && self.is_lean()
    }

    /// The call is over: copies what it points to.
    pub fn leave(&mut self, end: Nanos, outcome: Outcome, memory: &dyn Memory, limits: Limits) {
        (self.end, self.outcome, self.limits) = (end, outcome, limits);
        if !self.early {
            capture(&self.entry, outcome, memory, limits, &mut self.snapshot);
        }
    }

    /// Copies what it points to at its entry, in place of when it is over.
    pub fn copy_early(&mut self, memory: &dyn Memory, limits: Limits) {
        let outcome = Outcome::Unfinished;
        capture(&self.entry, outcome, memory, limits, &mut self.snapshot);
        self.early = true;
    }

    /// The call as far as its effects go: without its arguments, unless they tell of descriptors that no register names.
    pub fn outline(&self) -> Call {
        let (entry, outcome, memory) = (&self.entry, self.outcome, &self.snapshot);
        match hides_descriptors(entry, outcome, memory, self.limits) {
            true => finish(entry, outcome, memory, self.limits),
            false => entry.bare(outcome),
        }
    }

    /// Each descriptor that the call names, as its outline and its registers tell.
    pub fn each_descriptor(&self, outline: &Call, mut found: impl FnMut(i32)) {
        let mut left = DESCRIPTORS;
        let mut found = |fd| {
            if fd >= 0 && left > 0 {
                left -= 1;
                found(fd);
            }
        };
        if outline.args.is_empty() {
            let (outcome, limits) = (self.outcome, self.limits);
            named_descriptors(&self.entry, outcome, &self.snapshot, limits, found);
        } else {
            descriptors_of(outline, &mut found);
        }
    }

    /// The call, decoded where its arguments are `needed`, in the box of one that was told.
    pub fn tell(&mut self, spare: Option<Box<CallEvent>>, telling: &Telling) -> Box<CallEvent> {
        let mut event = spare.unwrap_or_else(|| {
            Box::new(CallEvent {
                pid: 0,
                tid: 0,
                start: 0,
                end: 0,
                call: self.entry.bare(self.outcome),
                descriptors: Vec::new(),
                released: Vec::new(),
                captured: None,
                kernel: None,
            })
        });
        (event.pid, event.tid) = (self.pid, self.tid);
        (event.start, event.end) = (self.start, self.end);
        let sockets = self.changes.sockets.iter();
        let sockets = sockets.map(|(fd, socket)| (*fd, Descriptor::Socket(*socket)));
        event.descriptors.clear();
        event
            .descriptors
            .extend(sockets.chain(self.files.drain(..)));
        event.released.clone_from(&self.changes.released);
        let call = &mut event.call;
        (call.row, call.raw) = (self.entry.row, self.entry.raw);
        call.outcome = self.outcome;
        call.args.clear();
        if (telling.needed)(&event) {
            let (call, limits) = (&mut event.call, self.limits.within(telling.limits));
            add_arguments(call, &self.entry, &self.snapshot, limits);
        }
        event.kernel.clone_from(&self.kernel);
        event.captured = telling.captures.map(|limits| self.captured(limits));
        event
    }

    /// The copies, as far as decoding within these limits needs them.
    fn captured(&self, limits: Limits) -> Box<Captured> {
        let limits = self.limits.within(limits);
        let mut memory = Snapshot::default();
        capture(
            &self.entry,
            self.outcome,
            &self.snapshot,
            limits,
            &mut memory,
        );
        Box::new(Captured {
            limits,
            before: self.entry.before().clone(),
            memory,
        })
    }

    /// How many bytes of ours it takes beside itself.
    pub fn room(&self) -> usize {
        self.entry.room()
            + self.snapshot.room()
            + self.changes.sockets.capacity() * size_of::<(i32, Socket)>()
            + self.changes.released.capacity() * size_of::<SocketId>()
    }

    /// Whether the box is worth to be kept for another call: not where this one took much room.
    pub fn is_lean(&self) -> bool {
        self.room() <= ROOM
    }
}

/// Each descriptor among the arguments of a decoded call.
pub fn descriptors_of(call: &Call, found: &mut dyn FnMut(i32)) {
    fn collect(value: &Value, found: &mut dyn FnMut(i32)) {
        match value {
            Value::Fd(fd) => found(*fd),
            Value::List { items, .. } => items.iter().for_each(|item| collect(item, found)),
            Value::Struct(fields) => fields.iter().for_each(|(_, value)| collect(value, found)),
            Value::Changed(before, after) => {
                collect(before, found);
                collect(after, found);
            }
            Value::Wrapped(_, inner) => collect(inner, found),
            _ => {}
        }
    }
    call.args.iter().for_each(|arg| collect(&arg.value, found));
}
