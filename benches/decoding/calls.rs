//! Calls made up of registers and memory, as the tracer finds them.

use std::fmt;

use sockstrace::syscall::{Call, Limits, Memory, Outcome, Raw, enter, finish, row};
use sockstrace::tracer::calling::Calling;
use sockstrace::tracer::event::{CallEvent, Descriptor, Event, Socket};
use syscalls::Sysno;

/// A call: its registers, its result, and what its pointers lead to.
pub struct Made {
    number: Sysno,
    args: &'static [u64],
    outcome: Outcome,
    memory: &'static [(u64, &'static [u8])],
}

/// A tracee's memory: pieces at their addresses.
pub struct Pieces(Vec<(u64, Vec<u8>)>);

impl Memory for Pieces {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let found = self.0.iter().find_map(|(start, bytes)| {
            bytes.get(usize::try_from(address.checked_sub(*start)?).ok()?..)
        });
        let bytes = found.unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        length
    }
}

impl Made {
    /// What its pointers lead to.
    pub fn memory(&self) -> Pieces {
        let pieces = self.memory.iter();
        Pieces(
            pieces
                .map(|(address, bytes)| (*address, bytes.to_vec()))
                .collect(),
        )
    }

    /// The decoded call: entry and exit.
    pub fn call(&self, memory: &Pieces) -> Call {
        let row = row(self.number as u64).expect("a call that has a row");
        let mut args = [0; 6];
        args[..self.args.len()].copy_from_slice(self.args);
        let number = self.number as u64;
        let entry = enter(row, Raw { number, args }, memory);
        finish(&entry, self.outcome, memory, Limits::default())
    }

    /// The call on its way to the output, on the one socket of [`CONVERSATION`].
    pub fn calling(&self, memory: &Pieces) -> Box<Calling> {
        let row = row(self.number as u64).expect("a call that has a row");
        let mut args = [0; 6];
        args[..self.args.len()].copy_from_slice(self.args);
        let number = self.number as u64;
        let mut calling = Calling::enter(None, row, Raw { number, args }, memory);
        calling.leave(1_050_000, self.outcome, memory, Limits::default());
        (calling.pid, calling.tid, calling.start) = (100, 100, 1_000_000);
        let sockets = &mut calling.changes.sockets;
        match self.number {
            Sysno::epoll_wait => {}
            Sysno::accept4 => sockets.extend([(SOCKET as i32, socket(4711)), (6, socket(4712))]),
            _ => sockets.push((SOCKET as i32, socket(4711))),
        }
        if self.number == Sysno::close {
            calling.changes.released.push(4711);
        }
        calling
    }

    /// The event of such a call on the one socket of [`CONVERSATION`].
    pub fn event(&self, call: Call) -> Event {
        let socket = Descriptor::Socket(socket(4711));
        let released = match self.number {
            Sysno::close => vec![4711],
            _ => Vec::new(),
        };
        Event::Call(Box::new(CallEvent {
            pid: 100,
            tid: 100,
            start: 1_000_000,
            end: 1_050_000,
            call,
            descriptors: vec![(SOCKET as i32, socket)],
            released,
            captured: None,
            kernel: None,
        }))
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number.name())
    }
}

const fn made(
    number: Sysno,
    args: &'static [u64],
    returned: i64,
    memory: &'static [(u64, &'static [u8])],
) -> Made {
    Made {
        number,
        args,
        outcome: Outcome::Value(returned),
        memory,
    }
}

const SOCKET: u64 = 5;

/// A stream socket of the internet.
fn socket(id: u64) -> Socket {
    Socket {
        id,
        kind: Some((libc::AF_INET, libc::SOCK_STREAM, 6)),
        inherited: false,
    }
}

// Where pointers lead to.
const A: u64 = 0x1000;
const B: u64 = 0x20_0000;
const C: u64 = 0x30_0000;
const D: u64 = 0x40_0000;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 1256\r\n\r\n";

/// struct sockaddr_in of 127.0.0.1:8080.
const ADDRESS: &[u8] = &[2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

/// struct msghdr: a name, one iovec, control messages.
const HEADER: &[[u8; 8]] = &longs([B, 16, C, 1, D, 24, 0]);
/// struct iovec of 64 bytes behind the header itself: any readable place will do.
const IOVEC: &[[u8; 8]] = &longs([A, 56]);
/// SCM_RIGHTS with two descriptors (cmsg(3)).
const CONTROL: &[[u8; 8]] = &longs([24, 1 | 1 << 32, 7 | 8 << 32]);

/// Three struct pollfd: descriptor, events, revents.
const POLLED: &[[u8; 8]] = &longs([5 | 1 << 32 | 1 << 48, 6 | 5 << 32, 7 | 1 << 32]);

/// Little-endian numbers of 8 bytes.
const fn longs<const COUNT: usize>(numbers: [u64; COUNT]) -> [[u8; 8]; COUNT] {
    let mut bytes = [[0; 8]; COUNT];
    let mut at = 0;
    while at < COUNT {
        bytes[at] = numbers[at].to_le_bytes();
        at += 1;
    }
    bytes
}

/// A client's whole connection, each call on descriptor 5.
pub const CONVERSATION: &[Made] = &[
    made(
        Sysno::socket,
        &[libc::AF_INET as u64, libc::SOCK_STREAM as u64, 6],
        SOCKET as i64,
        &[],
    ),
    made(Sysno::connect, &[SOCKET, A, 16], 0, &[(A, ADDRESS)]),
    made(
        Sysno::sendto,
        &[SOCKET, A, REQUEST.len() as u64, 0x4000],
        REQUEST.len() as i64,
        &[(A, REQUEST)],
    ),
    made(
        Sysno::recvfrom,
        &[SOCKET, A, 102_400],
        ANSWER.len() as i64,
        &[(A, ANSWER)],
    ),
    made(Sysno::close, &[SOCKET], 0, &[]),
];

/// What servers do most.
pub const SERVER: &[Made] = &[
    made(
        Sysno::sendto,
        &[SOCKET, A, 5, 0x4000],
        5,
        &[(A, b"+OK\r\n")],
    ),
    made(
        Sysno::recvfrom,
        &[SOCKET, A, 102_400],
        ANSWER.len() as i64,
        &[(A, ANSWER)],
    ),
    made(Sysno::write, &[SOCKET, A, 1], 1, &[(A, b"x")]),
    made(
        Sysno::epoll_wait,
        &[7, A, 64, 1000],
        1,
        &[(A, &[1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])],
    ),
    made(
        Sysno::accept4,
        &[SOCKET, A, B, libc::SOCK_CLOEXEC as u64],
        6,
        &[(A, ADDRESS), (B, &[16, 0, 0, 0])],
    ),
    made(Sysno::close, &[SOCKET], 0, &[]),
];

/// Every kind of work that decoders have.
pub const CALLS: &[Made] = &[
    made(Sysno::close, &[SOCKET], 0, &[]),
    made(Sysno::read, &[SOCKET, A, 1], 1, &[(A, b"x")]),
    made(Sysno::write, &[SOCKET, A, 65536], 65536, &[(A, ANSWER)]),
    made(Sysno::connect, &[SOCKET, A, 16], 0, &[(A, ADDRESS)]),
    made(
        Sysno::accept4,
        &[SOCKET, A, B, libc::SOCK_CLOEXEC as u64],
        6,
        &[(A, ADDRESS), (B, &[16, 0, 0, 0])],
    ),
    made(
        Sysno::recvfrom,
        &[SOCKET, A, 102_400, 0, C, D],
        ANSWER.len() as i64,
        &[(A, ANSWER), (C, ADDRESS), (D, &[16, 0, 0, 0])],
    ),
    made(
        Sysno::recvmsg,
        &[SOCKET, A, 0],
        56,
        &[
            (A, HEADER.as_flattened()),
            (B, ADDRESS),
            (C, IOVEC.as_flattened()),
            (D, CONTROL.as_flattened()),
        ],
    ),
    made(
        Sysno::setsockopt,
        &[SOCKET, 6, libc::TCP_NODELAY as u64, A, 4],
        0,
        &[(A, &[1, 0, 0, 0])],
    ),
    made(
        Sysno::fcntl,
        &[SOCKET, libc::F_SETFL as u64, libc::O_NONBLOCK as u64],
        0,
        &[],
    ),
    made(Sysno::poll, &[A, 3, 1000], 1, &[(A, POLLED.as_flattened())]),
    made(
        Sysno::epoll_wait,
        &[7, A, 64, 1000],
        1,
        &[(A, &[1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])],
    ),
];
