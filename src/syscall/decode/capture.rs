//! What decoding a call reads of its tracee's memory: copied while the tracee stands still, by one read for each level of pointers.

use super::message::{self, ELEMENT, HEADER};
use super::payload::{Way, buffers};
use super::pointer::{self, PATH, address_len};
use super::set_up::option_len;
use super::{Decoder, Entry, Limits, poll};
use crate::syscall::command::{FCNTL, IOCTL};
use crate::syscall::table::{CloseOnExec, Kind};
use crate::syscall::{Memory, NoMemory, Outcome, Snapshot};

/// How deep pointers lead: a msghdr, its vector, its data.
const LEVELS: u8 = 3;

/// Copies all that [`finish`](super::finish) will read of a call, so that it can be decoded when the tracee runs on.
pub fn capture(
    entry: &Entry,
    outcome: Outcome,
    memory: &dyn Memory,
    limits: Limits,
    into: &mut Snapshot,
) {
    into.clear();
    for level in 1..=LEVELS {
        let mut decoder = Decoder::new(entry, outcome, &NoMemory, limits);
        for (index, (_, kind)) in entry.row.args.iter().enumerate() {
            match level {
                1 => into.want(decoder.raw(index), decoder.behind(index, kind)),
                _ => decoder.want_deeper(level, index, kind, into),
            }
        }
        if !into.fill(memory) {
            break;
        }
    }
}

/// Copies what only the entry can tell.
pub fn keep(entry: &mut Entry, memory: &dyn Memory) {
    let (row, raw) = (entry.row, entry.raw);
    let mut into = std::mem::take(&mut entry.before);
    for index in 0..row.args.len() {
        into.want(raw.args[index], kept(entry, index));
    }
    // Only strings lead on: an array of them, and the rest of a long one.
    for level in 2..=LEVELS {
        if !into.fill(memory) {
            break;
        }
        for ((_, kind), address) in row.args.iter().zip(raw.args) {
            match kind {
                Kind::PathBefore if level == 2 => want_rest(address, &mut into),
                Kind::StringsBefore => {
                    let mut array = [0; pointer::ARRAY];
                    let read = into.read(address, &mut array);
                    for string in pointer::in_array(&array[..read]) {
                        match level {
                            2 => into.want(string, PATH),
                            _ => want_rest(string, &mut into),
                        }
                    }
                }
                _ => {}
            }
        }
    }
    into.fill(memory);
    entry.before = into;
}

/// How many bytes are kept of what an argument points to before the call.
pub fn kept(entry: &Entry, index: usize) -> usize {
    let args = &entry.raw.args;
    match entry.row.args[index].1 {
        Kind::Length => 4,
        Kind::ReceivedMessage => HEADER,
        Kind::ReceivedMessages { count } => message::kept(args[count]),
        Kind::FdSet => poll::set_size(args[0]),
        Kind::Before(shape) | Kind::Changing(shape) => shape.size(),
        Kind::PathBefore => PATH,
        Kind::StringsBefore => pointer::ARRAY,
        _ => 0,
    }
}

/// Asks for the rest of a path whose beginning has been read.
fn want_rest(address: u64, into: &mut Snapshot) {
    if let Some((address, len)) = pointer::rest_of_path(address, into.copied(address, PATH)) {
        into.want(address, len);
    }
}

impl Decoder<'_> {
    /// How many bytes are read at most of what an argument points to.
    fn behind(&self, index: usize, kind: &Kind) -> usize {
        let payload = |len: u64| usize::try_from(len).unwrap_or(usize::MAX).min(self.data);
        let if_done = |len: usize| if self.succeeded() { len } else { 0 };
        match *kind {
            Kind::Address { len } => address_len(self.int(len).into()),
            Kind::AddressBack { len } => self.length_before(len).map_or(0, address_len),
            Kind::Length => if_done(4),
            Kind::Sent { len } => payload(self.sent_len(self.raw(len))),
            Kind::Received { len } => payload(self.transferred().unwrap_or(0).min(self.raw(len))),
            Kind::SentVector { count } | Kind::ReceivedVector { count } => {
                self.vector_len(self.raw(count))
            }
            Kind::SentMessage | Kind::ReceivedMessage => HEADER,
            Kind::SentMessages { count } | Kind::ReceivedMessages { count } => {
                self.messages_len(count)
            }
            Kind::Pair => pointer::PAIR,
            Kind::OptionGiven => option_len(self.int(4).into()),
            Kind::OptionTaken => self.length_before(4).map_or(0, option_len),
            Kind::CommandArgument | Kind::RequestArgument => self
                .behind_command(self.command(kind))
                .map_or(0, |shape| shape.size()),
            Kind::PollFds { count } => self.poll_fds_len(count),
            Kind::FdSet => if_done(self.kept(index).len()),
            Kind::EpollEvent => self.epoll_event_len(),
            Kind::EpollEvents => self.epoll_events_len(),
            Kind::SignalSet => poll::MASK,
            Kind::SignalSetAndSize => poll::MASK_AND_SIZE,
            Kind::At(shape) => shape.size(),
            Kind::Sized(shape, size) => self.sized(shape, size),
            Kind::Changing(shape) => if_done(shape.size()),
            Kind::Path => PATH,
            Kind::Fd
            | Kind::Int
            | Kind::Long
            | Kind::Uint
            | Kind::Size
            | Kind::Mode
            | Kind::CreationMode { .. }
            | Kind::Pointer
            | Kind::Const(_)
            | Kind::Flags(_)
            | Kind::Protocol
            | Kind::OptionLevel
            | Kind::OptionName
            | Kind::Before(_)
            | Kind::PathBefore
            | Kind::StringsBefore => 0,
        }
    }

    /// Asks for what the pointers lead to that the level before has found behind an argument.
    fn want_deeper(&mut self, level: u8, index: usize, kind: &Kind, into: &mut Snapshot) {
        let (raw, transferred) = (self.raw(index), self.transferred());
        match (*kind, level) {
            (Kind::SentMessage, _) => self.want_message(level, index, Way::Sent, into),
            (Kind::ReceivedMessage, _) => self.want_message(level, index, Way::Received, into),
            (Kind::SentMessages { count }, _) => {
                self.want_messages(level, index, count, Way::Sent, into)
            }
            (Kind::ReceivedMessages { count }, _) => {
                self.want_messages(level, index, count, Way::Received, into)
            }
            (Kind::SentVector { count }, 2) => {
                into.follow(raw, self.vector_len(self.raw(count)), |vector| {
                    self.wanted_of(buffers(vector, transferred, Way::Sent))
                })
            }
            (Kind::ReceivedVector { count }, 2) => {
                into.follow(raw, self.vector_len(self.raw(count)), |vector| {
                    self.wanted_of(buffers(vector, transferred, Way::Received))
                })
            }
            (Kind::SignalSetAndSize, 2) => into.follow(raw, poll::MASK_AND_SIZE, |set| {
                poll::mask_in(set)
                    .map(|mask| (mask, poll::MASK))
                    .into_iter()
            }),
            (Kind::Path, 2) => want_rest(raw, into),
            _ => {}
        }
    }
}

/// Whether descriptors stand behind the call's pointers, so that its registers alone do not tell what it does to them.
pub fn hides_descriptors(
    entry: &Entry,
    outcome: Outcome,
    memory: &dyn Memory,
    limits: Limits,
) -> bool {
    let decoder = Decoder::new(entry, outcome, memory, limits);
    let hides = |(index, (_, kind)): (usize, &(_, Kind))| match *kind {
        Kind::Pair => decoder.succeeded(),
        Kind::FdSet => true,
        Kind::SentMessage | Kind::ReceivedMessage => {
            decoder.any_control(decoder.raw(index), HEADER, HEADER)
        }
        Kind::SentMessages { count } | Kind::ReceivedMessages { count } => {
            decoder.any_control(decoder.raw(index), decoder.messages_len(count), ELEMENT)
        }
        Kind::OptionGiven | Kind::OptionTaken => decoder.option_shape().holds_descriptor(),
        Kind::CommandArgument | Kind::RequestArgument => decoder
            .command(kind)
            .is_some_and(|argument| argument.holds_descriptor()),
        Kind::At(shape) | Kind::Before(shape) | Kind::Changing(shape) | Kind::Sized(shape, _) => {
            shape.holds_descriptor() || entry.row.opens == Some(CloseOnExec::Field(index))
        }
        _ => false,
    };
    entry.row.args.iter().enumerate().any(hides)
}

/// The descriptors that the arguments of a call name which [hides](hides_descriptors) none.
pub fn named_descriptors(
    entry: &Entry,
    outcome: Outcome,
    memory: &dyn Memory,
    limits: Limits,
    mut found: impl FnMut(i32),
) {
    let decoder = Decoder::new(entry, outcome, memory, limits);
    for (index, (_, kind)) in entry.row.args.iter().enumerate() {
        match *kind {
            Kind::Fd => found(decoder.int(index)),
            Kind::PollFds { count } => {
                let bytes = memory.bytes(decoder.raw(index), decoder.poll_fds_len(count));
                decoder.poll_fds_in(&bytes).for_each(|(fd, ..)| found(fd));
            }
            _ => {}
        }
    }
}

impl Decoder<'_> {
    /// What the command of fcntl, or the request of ioctl, takes.
    fn command(&self, kind: &Kind) -> Option<crate::syscall::command::Argument> {
        let commands = match kind {
            Kind::CommandArgument => &FCNTL,
            _ => &IOCTL,
        };
        commands.argument(self.int(1) as u32)
    }
}
