//! From registers and memory to a [`Call`].

mod message;
mod payload;
mod pointer;
mod poll;
mod set_up;

use std::cell::OnceCell;

use super::names::socket;
use super::table::Kind;
use super::{Arg, Call, Memory, Outcome, Raw, Row, Value, command, option};

/// How much is read of what a call points to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of payload in all (every iovec of one call together); structures and addresses are bounded by their own sizes.
    pub data: usize,
    /// Items of an array: iovecs, messages, pollfds, epoll events.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data: 48,
            items: 32,
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
    /// What was behind an argument before the call, by its index.
    kept: Vec<(usize, Kept)>,
}

/// What is kept of an argument.
#[derive(Clone, Debug)]
enum Kept {
    /// Its bytes, as many as could be read.
    Bytes(Vec<u8>),
    /// What it says, where its memory may be gone later.
    Value(Value),
}

/// Keeps what only the entry can tell: lengths that are values and results (accept, getsockname, recvmsg …), fd_sets.
/// Reads nothing for a call that has none.
pub fn enter(row: &'static Row, raw: Raw, memory: &dyn Memory) -> Entry {
    let mut kept = Vec::new();
    for (index, (_, kind)) in row.args.iter().enumerate() {
        let address = raw.args[index];
        if address == 0 {
            continue;
        }
        let bytes = match kind {
            Kind::Length => 4,
            Kind::ReceivedMessage => message::HEADER,
            Kind::ReceivedMessages { count } => message::kept(raw.args[*count]),
            Kind::FdSet => poll::set_size(raw.args[0]),
            Kind::Before(shape) | Kind::Changing(shape) => shape.size(),
            Kind::PathBefore => {
                kept.push((index, Kept::Value(pointer::path(memory, address))));
                continue;
            }
            Kind::StringsBefore => {
                kept.push((index, Kept::Value(pointer::strings(memory, address))));
                continue;
            }
            _ => continue,
        };
        kept.push((index, Kept::Bytes(pointer::bytes(memory, address, bytes))));
    }
    Entry { row, raw, kept }
}

/// Decodes a call whose outcome is known ([`Outcome::Unfinished`]: what its entry alone can say, for one that blocks).
pub fn finish(entry: &Entry, outcome: Outcome, memory: &dyn Memory, limits: Limits) -> Call {
    let mut decoder = Decoder {
        entry,
        outcome,
        memory,
        limits,
        data: limits.data,
        control: message::CONTROL,
        length: OnceCell::new(),
    };
    let mut args = Vec::with_capacity(entry.row.args.len());
    for (index, (name, kind)) in entry.row.args.iter().enumerate() {
        if let Some(value) = decoder.arg(index, kind) {
            args.push(Arg { name, value });
        }
    }
    Call {
        row: entry.row,
        raw: entry.raw,
        args,
        outcome,
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
    length: OnceCell<Vec<u8>>,
}

impl Decoder<'_> {
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
                self.vector(raw, self.raw(count), self.transferred(), payload::Way::Sent)
            }
            Kind::ReceivedVector { count } => self.vector(
                raw,
                self.raw(count),
                self.transferred(),
                payload::Way::Received,
            ),
            Kind::SentMessage => self.message(index, payload::Way::Sent),
            Kind::ReceivedMessage => self.message(index, payload::Way::Received),
            Kind::SentMessages { count } => {
                self.messages(index, self.raw(count) as u32, payload::Way::Sent)
            }
            Kind::ReceivedMessages { count } => {
                self.messages(index, self.raw(count) as u32, payload::Way::Received)
            }
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
            Kind::PollFds { count } => self.poll_fds(raw, self.raw(count) as u32),
            Kind::FdSet => self.fd_set(index),
            Kind::EpollEvent => self.epoll_event(raw),
            Kind::EpollEvents => self.epoll_events(raw),
            Kind::SignalSet => self.signal_set(raw),
            Kind::SignalSetAndSize => self.signal_set_and_size(raw),
            Kind::At(shape) => self.at(raw, shape, shape.size()),
            Kind::Sized(shape, size) => {
                self.at(raw, shape, shape.size().min(self.raw(size) as usize))
            }
            Kind::Before(shape) => self.shown(raw, shape, self.kept(index)),
            Kind::Changing(shape) => self.changing(index, shape),
            Kind::Path => pointer::path(self.memory, raw),
            Kind::PathBefore | Kind::StringsBefore => self.kept_value(index),
        })
    }

    /// The register of an argument.
    fn raw(&self, index: usize) -> u64 {
        self.entry.raw.args[index]
    }

    /// The register of an argument that is an int.
    fn int(&self, index: usize) -> i32 {
        self.raw(index) as i32
    }

    /// The bytes that were behind an argument before the call; none where it had none.
    fn kept(&self, index: usize) -> &[u8] {
        match self.entry.kept.iter().find(|(at, _)| *at == index) {
            Some((_, Kept::Bytes(bytes))) => bytes,
            _ => &[],
        }
    }

    /// What an argument said before the call.
    fn kept_value(&self, index: usize) -> Value {
        match self.entry.kept.iter().find(|(at, _)| *at == index) {
            Some((_, Kept::Value(value))) => value.clone(),
            _ => Value::Pointer(self.raw(index)),
        }
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
