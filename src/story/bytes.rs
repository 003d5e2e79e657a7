//! How many bytes a call moved, and which way.

use syscalls::Sysno;

use crate::syscall::{Call, Role, SockAddr, Value};
use crate::tracer::event::{CallEvent, Descriptor, SocketId};

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the program to its peer.
    Out,
    /// From the peer to the program.
    In,
}

/// MSG_PEEK and MSG_ERRQUEUE (include/linux/socket.h): what such a receive returns stays in the queue, or is our own old data.
const NOT_TAKEN: u64 = 0x2 | 0x2000;

/// Which way the call moves data, if at all. splice(2) goes by the end at which the socket is.
pub fn direction(event: &CallEvent) -> Option<Direction> {
    let call = &event.call;
    if call.row.number == Sysno::splice && socket_behind(event, "fd_in").is_some() {
        return Some(Direction::In);
    }
    match call.row.role {
        Role::Send => Some(Direction::Out),
        Role::Receive => Some(Direction::In),
        _ => None,
    }
}

/// The socket behind the descriptor argument of that name.
pub fn socket_behind(event: &CallEvent, arg: &str) -> Option<SocketId> {
    let Some(Value::Fd(fd)) = event.call.arg(arg) else {
        return None;
    };
    socket_at(event, *fd)
}

/// The socket behind that descriptor.
pub fn socket_at(event: &CallEvent, wanted: i32) -> Option<SocketId> {
    event
        .descriptors
        .iter()
        .find_map(|(fd, descriptor)| match descriptor {
            Descriptor::Socket(socket) if *fd == wanted => Some(socket.id),
            _ => None,
        })
}

/// Bytes that the call moved for good: 0 where it failed, peeked, or moves none.
pub fn moved(event: &CallEvent) -> u64 {
    let call = &event.call;
    let (Some(direction), Some(value)) = (direction(event), call.outcome.value()) else {
        return 0;
    };
    if direction == Direction::In && message_flags(call) & NOT_TAKEN != 0 {
        return 0;
    }
    let value = u64::try_from(value).unwrap_or(0);
    match call.row.number {
        // These return a number of messages; each says its own length.
        Sysno::sendmmsg | Sysno::recvmmsg => messages(call, value),
        // With MSG_TRUNC the result is the datagram's length, of which no more than the buffer holds was delivered.
        _ => value.min(asked(call).unwrap_or(u64::MAX)),
    }
}

/// Whether a receive only looks (MSG_PEEK).
pub fn peeks(call: &Call) -> bool {
    message_flags(call) & 0x2 != 0
}

/// Whether a receive returned 0 for the end of a stream. So does one that asks for nothing, or for old errors; and splice(2) also
/// where nothing is there just now, or urgent data is next. recvmmsg(2) counts messages.
pub fn meets_end(call: &Call) -> bool {
    call.outcome.value() == Some(0)
        && !matches!(call.row.number, Sysno::splice | Sysno::recvmmsg)
        && message_flags(call) & NOT_TAKEN == 0
        && asked(call).is_none_or(|of| of > 0)
}

/// The length of a datagram and the room that it was cut to, where MSG_TRUNC (recv(2)) tells of both.
pub fn cut(call: &Call) -> Option<(u64, u64)> {
    let (len, room) = (u64::try_from(call.outcome.value()?).ok()?, asked(call)?);
    (call.row.role == Role::Receive && len > room).then_some((len, room))
}

/// Whether the call, on a socket for datagrams, took one or sent one, be it empty.
pub fn carries_datagram(call: &Call) -> bool {
    let Some(value) = call.outcome.value() else {
        return false;
    };
    match call.row.number {
        _ if message_flags(call) & NOT_TAKEN != 0 => false,
        Sysno::sendto | Sysno::sendmsg | Sysno::recvfrom | Sysno::recvmsg | Sysno::write => true,
        // The kernel doesn't pass these on to the socket where they ask for nothing.
        Sysno::read | Sysno::readv => asked(call).is_none_or(|of| of > 0),
        _ => value > 0,
    }
}

/// The MSG_* flags of a receive. Other calls that receive have flags of their own: SPLICE_F_NONBLOCK is the bit of MSG_PEEK.
fn message_flags(call: &Call) -> u64 {
    match call.row.number {
        Sysno::recvfrom | Sysno::recvmsg | Sysno::recvmmsg => flags(call),
        _ => 0,
    }
}

/// The flags that a call was made with, an int; 0 where it takes none.
pub fn flags(call: &Call) -> u64 {
    let index = call.row.args.iter().position(|(name, _)| *name == "flags");
    index.map_or(0, |index| (call.raw.args[index] as u32).into())
}

/// The first `count` messages of a call that has several.
fn first_messages(call: &Call, count: u64) -> &[Value] {
    let mut values = call.args.iter().map(|arg| &arg.value);
    match values.find(|value| matches!(value, Value::List { .. })) {
        Some(Value::List { items, .. }) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            &items[..items.len().min(count)]
        }
        _ => &[],
    }
}

/// The sum of `msg_len` of the first `count` messages, each as far as its buffers, where they are known, could hold it.
fn messages(call: &Call, count: u64) -> u64 {
    let lengths = first_messages(call, count).iter().filter_map(|item| {
        let room = field(item, "msg_hdr")
            .and_then(|header| vectors(field(header, "msg_iov")?))
            .unwrap_or(u64::MAX);
        Some(number(field(item, "msg_len")?)?.min(room))
    });
    lengths.fold(0, u64::saturating_add)
}

/// Each datagram that a call moved to or from an address, with its length in bytes.
pub fn each_datagram(event: &CallEvent, mut each: impl FnMut(&SockAddr, u64)) {
    let call = &event.call;
    if !matches!(call.row.number, Sysno::sendmmsg | Sysno::recvmmsg) {
        if let Some(address) = call.address() {
            each(address, moved(event));
        }
        return;
    }
    let count = call.outcome.value().unwrap_or(0);
    for item in first_messages(call, u64::try_from(count).unwrap_or(0)) {
        let name = field(item, "msg_hdr").and_then(|header| field(header, "msg_name"));
        let len = field(item, "msg_len").and_then(number).unwrap_or(0);
        if let Some(address) = name.and_then(address_of) {
            each(address, len);
        }
    }
}

fn address_of(value: &Value) -> Option<&SockAddr> {
    match value {
        Value::Address(address) => Some(address),
        Value::Changed(_, after) => address_of(after),
        _ => None,
    }
}

/// The field of that name.
pub fn field<'a>(value: &'a Value, wanted: &str) -> Option<&'a Value> {
    match value {
        Value::Struct(fields) => fields
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value),
        _ => None,
    }
}

/// The number that a value comes down to: of `[7]`, `[128 => 7]` and `htons(7)` too.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Fd(n) => Some(*n as u64),
        Value::Int(n) => Some(*n as u64),
        Value::Unsigned(n)
        | Value::Hex(n)
        | Value::Octal(n)
        | Value::Const(_, n)
        | Value::Flags(_, n) => Some(*n),
        Value::List { items, more: false } if items.len() == 1 => number(&items[0]),
        Value::Changed(_, after) => number(after),
        Value::Wrapped(_, inner) => number(inner),
        _ => None,
    }
}

/// How many bytes the program asked to move, where a plain size says so.
pub fn asked(call: &Call) -> Option<u64> {
    match call.row.number {
        Sysno::read
        | Sysno::write
        | Sysno::recvfrom
        | Sysno::sendto
        | Sysno::pread64
        | Sysno::pwrite64 => Some(call.raw.args[2]),
        Sysno::readv
        | Sysno::writev
        | Sysno::preadv
        | Sysno::pwritev
        | Sysno::preadv2
        | Sysno::pwritev2 => vectors(call.arg("iov")?),
        Sysno::sendmsg | Sysno::recvmsg => vectors(field(call.arg("msg")?, "msg_iov")?),
        _ => None,
    }
}

/// The sum of the lengths of iovecs, where all of them were read.
fn vectors(value: &Value) -> Option<u64> {
    let Value::List { items, more: false } = value else {
        return None;
    };
    items
        .iter()
        .map(|item| field(item, "iov_len").and_then(number))
        .try_fold(0u64, |sum, len| Some(sum.saturating_add(len?)))
}
