//! From registers and memory to a [`Call`].

mod capture;
mod message;
mod payload;
mod pointer;
mod poll;
mod set_up;

use std::borrow::Cow;
use std::cell::OnceCell;

pub use capture::{capture, hides_descriptors, named_descriptors};
pub use message::HEADER as MESSAGE_HEADER;
use payload::Way;

use super::memory::Piece;
use super::names::socket;
use super::shape::Shape;
use super::table::Kind;
use super::{Arg, Call, Memory, Outcome, Raw, Row, Snapshot, Value, command, option};

/// How much is read of what a call points to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of payload in all (every iovec of one call together); structures and addresses are bounded by their own sizes.
    pub data: usize,
    /// Items of an array: pollfds, epoll events, descriptors.
    pub items: usize,
    /// Buffers of a vector of them, and messages: without them their data cannot be read.
    pub buffers: usize,
}

impl Limits {
    /// All that is there.
    pub const ALL: Self = Self {
        data: usize::MAX,
        items: usize::MAX,
        buffers: usize::MAX,
    };

    /// Those that are tighter.
    pub fn within(self, other: Self) -> Self {
        Self {
            data: self.data.min(other.data),
            items: self.items.min(other.items),
            buffers: self.buffers.min(other.buffers),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data: 48,
            items: 32,
            buffers: 32,
        }
    }
}

/// A call at its entry, with what the kernel may overwrite before its exit.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the call is.
    pub row: &'static Row,
    /// The registers.
    pub raw: Raw,
    /// What stood behind its pointers before the call, as far as only that can tell.
    before: Snapshot,
}

/// Keeps what only the entry can tell: lengths that are values and results (accept, getsockname, recvmsg …), fd_sets.
/// Reads nothing for a call that has none.
pub fn enter(row: &'static Row, raw: Raw, memory: &dyn Memory) -> Entry {
    let mut entry = Entry {
        row,
        raw,
        before: Snapshot::default(),
    };
    entry.renew(row, raw, memory);
    entry
}

impl Entry {
    /// [`enter`] in the room of a call that is over.
    pub fn renew(&mut self, row: &'static Row, raw: Raw, memory: &dyn Memory) {
        (self.row, self.raw) = (row, raw);
        self.before.clear();
        capture::keep(self, memory);
    }

    /// The entry of a call of which this was kept.
    pub fn of(row: &'static Row, raw: Raw, before: Snapshot) -> Self {
        Self { row, raw, before }
    }

    /// What stood behind its pointers before the call.
    pub fn before(&self) -> &Snapshot {
        &self.before
    }

    /// Becomes another call, of which that much was kept.
    pub fn become_of(&mut self, row: &'static Row, raw: Raw, before: (&[u8], &[Piece])) {
        (self.row, self.raw) = (row, raw);
        self.before.become_copy(before);
    }

    /// The call without its arguments: what its registers and its outcome say.
    pub fn bare(&self, outcome: Outcome) -> Call {
        Call {
            row: self.row,
            raw: self.raw,
            args: Vec::new(),
            outcome,
        }
    }

    /// How many bytes of ours it takes beside itself.
    pub fn room(&self) -> usize {
        self.before.room()
    }
}

/// Decodes a call whose outcome is known ([`Outcome::Unfinished`]: what its entry alone can say, for one that blocks).
pub fn finish(entry: &Entry, outcome: Outcome, memory: &dyn Memory, limits: Limits) -> Call {
    let mut call = entry.bare(outcome);
    add_arguments(&mut call, entry, memory, limits);
    call
}

/// Decodes the arguments of a call that is [bare](Entry::bare).
pub fn add_arguments(call: &mut Call, entry: &Entry, memory: &dyn Memory, limits: Limits) {
    let mut decoder = Decoder::new(entry, call.outcome, memory, limits);
    call.args.reserve(entry.row.args.len());
    for (index, (name, kind)) in entry.row.args.iter().enumerate() {
        if let Some(value) = decoder.arg(index, kind) {
            call.args.push(Arg { name, value });
        }
    }
}

/// One call being decoded, and how much of it may still be read.
struct Decoder<'a> {
    entry: &'a Entry,
    outcome: Outcome,
    memory: &'a dyn Memory,
    limits: Limits,
    /// Bytes of payload.
    data: usize,
    /// Bytes of control messages.
    control: usize,
    /// The length that the call gave back, once it was read.
    length: OnceCell<Cow<'a, [u8]>>,
}

impl<'a> Decoder<'a> {
    fn new(entry: &'a Entry, outcome: Outcome, memory: &'a dyn Memory, limits: Limits) -> Self {
        Self {
            entry,
            outcome,
            memory,
            limits,
            data: limits.data,
            control: message::CONTROL,
            length: OnceCell::new(),
        }
    }

    /// The value of one argument; nothing where the call has no such argument this time.
    fn arg(&mut self, index: usize, kind: &Kind) -> Option<Value> {
        let raw = self.raw(index);
        Some(match *kind {
            Kind::Fd => Value::Fd(raw as i32),
            Kind::Int => Value::Int((raw as i32).into()),
            Kind::Long => Value::Int(raw as i64),
            Kind::Uint => Value::Unsigned((raw as u32).into()),
            Kind::Size => Value::Unsigned(raw),
            Kind::Mode => Value::Octal((raw as u32).into()),
            Kind::CreationMode { flags } => {
                let makes = [libc::O_CREAT, libc::O_TMPFILE]
                    .iter()
                    .any(|flag| self.int(flags) & flag == *flag);
                return makes.then_some(Value::Octal((raw as u32).into()));
            }
            Kind::Pointer => Value::Pointer(raw),
            Kind::Const(names) => Value::Const(names, (raw as u32).into()),
            Kind::Flags(names) => Value::Flags(names, (raw as u32).into()),
            Kind::Protocol => match socket::protocols(self.int(0)) {
                Some(names) => Value::Const(names, (raw as u32).into()),
                None => Value::Int((raw as i32).into()),
            },
            Kind::Address { len } => self.address(raw, self.int(len).into()),
            Kind::AddressBack { len } => self.address_back(raw, len),
            Kind::Length => self.length(index),
            Kind::Sent { len } => self.sent(raw, self.raw(len)),
            Kind::Received { len } => self.received(raw, self.raw(len)),
            Kind::SentVector { count } => {
                self.vector(raw, self.raw(count), self.transferred(), Way::Sent)
            }
            Kind::ReceivedVector { count } => {
                self.vector(raw, self.raw(count), self.transferred(), Way::Received)
            }
            Kind::SentMessage => self.message(index, Way::Sent),
            Kind::ReceivedMessage => self.message(index, Way::Received),
            Kind::SentMessages { count } => self.messages(index, count, Way::Sent),
            Kind::ReceivedMessages { count } => self.messages(index, count, Way::Received),
            Kind::Pair => self.pair(raw),
            Kind::OptionLevel => Value::Const(&option::LEVEL, (raw as u32).into()),
            Kind::OptionName => match option::level(self.int(1)) {
                Some(level) => Value::Const(&level.names, (raw as u32).into()),
                None => Value::Int((raw as i32).into()),
            },
            Kind::OptionGiven => self.option(raw, self.int(4).into()),
            Kind::OptionTaken => self.option_taken(raw),
            Kind::CommandArgument => return self.command_argument(&command::FCNTL),
            Kind::RequestArgument => return self.command_argument(&command::IOCTL),
            Kind::PollFds { count } => self.poll_fds(raw, count),
            Kind::FdSet => self.fd_set(index),
            Kind::EpollEvent => self.epoll_event(raw),
            Kind::EpollEvents => self.epoll_events(raw),
            Kind::SignalSet => self.signal_set(raw),
            Kind::SignalSetAndSize => self.signal_set_and_size(raw),
            Kind::At(shape) => self.at(raw, shape, shape.size()),
            Kind::Sized(shape, size) => self.at(raw, shape, self.sized(shape, size)),
            Kind::Before(shape) => self.shown(raw, shape, self.kept(index)),
            Kind::Changing(shape) => self.changing(index, shape),
            Kind::Path => pointer::path(self.memory, raw),
            Kind::PathBefore => pointer::path(&self.entry.before, raw),
            Kind::StringsBefore => pointer::strings(&self.entry.before, raw),
        })
    }

    /// The register of an argument.
    fn raw(&self, index: usize) -> u64 {
        self.entry.raw.args[index]
    }

    /// How much of a structure is there, whose size stands in that argument.
    fn sized(&self, shape: &Shape, size: usize) -> usize {
        shape.size().min(self.raw(size) as usize)
    }

    /// The register of an argument that is an int.
    fn int(&self, index: usize) -> i32 {
        self.raw(index) as i32
    }

    /// The bytes that were behind an argument before the call; none where it had none.
    fn kept(&self, index: usize) -> &'a [u8] {
        self.entry
            .before
            .copied(self.raw(index), capture::kept(self.entry, index))
    }

    /// Whether the call succeeded.
    fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Value(_))
    }

    /// The returned number of bytes, messages or descriptors, where the call succeeded.
    fn transferred(&self) -> Option<u64> {
        self.outcome
            .value()
            .map(|value| u64::try_from(value).unwrap_or(0))
    }
}
