//! Programs made up for tests: events as the tracer would hand them over.

use std::net::Ipv4Addr;

use syscalls::Sysno;

use crate::kernel::{Facts, Tcp};
use crate::syscall::names::{poll, socket};
use crate::syscall::{Arg, Call, Data, Outcome, Raw, SockAddr, Value, option, table};
use crate::tracer::event::{
    CallEvent, Change, Descriptor, Event, KernelEvent, Nanos, ProcessEvent, Socket, SocketId,
    Status,
};

pub const MS: Nanos = 1_000_000;

pub fn inet(ip: [u8; 4], port: u16) -> SockAddr {
    SockAddr::Inet {
        ip: Ipv4Addr::from(ip),
        port,
    }
}

/// A call in the making.
pub struct Act {
    pub event: CallEvent,
}

impl Act {
    /// A call of process and thread 100, at 0 ms, that returns 0.
    pub fn new(number: Sysno, args: Vec<(&'static str, Value)>) -> Self {
        let mut raw = Raw {
            number: number.id() as u64,
            args: [0; 6],
        };
        for (slot, (_, value)) in raw.args.iter_mut().zip(&args) {
            *slot = super::bytes::number(value).unwrap_or(0x7ffc_0000_1000);
        }
        let args = args
            .into_iter()
            .map(|(name, value)| Arg { name, value })
            .collect();
        let call = Call {
            row: table::row(number.id() as u64).expect("a scene's call has a row"),
            raw,
            args,
            outcome: Outcome::Value(0),
        };
        let event = CallEvent {
            pid: 100,
            tid: 100,
            start: 0,
            end: 0,
            call,
            descriptors: Vec::new(),
            released: Vec::new(),
            captured: None,
            kernel: None,
        };
        Self { event }
    }

    pub fn at(mut self, start: Nanos, took: Nanos) -> Self {
        (self.event.start, self.event.end) = (start, start + took);
        self
    }

    pub fn by(mut self, pid: i32, tid: i32) -> Self {
        (self.event.pid, self.event.tid) = (pid, tid);
        self
    }

    pub fn gives(mut self, value: i64) -> Self {
        self.event.call.outcome = Outcome::Value(value);
        self
    }

    pub fn fails(mut self, errno: i32) -> Self {
        self.event.call.outcome = Outcome::Error(errno);
        self
    }

    /// The descriptor is a stream socket of the internet.
    pub fn on(self, fd: i32, id: SocketId) -> Self {
        self.on_kind(fd, id, (libc::AF_INET, libc::SOCK_STREAM, 6))
    }

    pub fn on_kind(mut self, fd: i32, id: SocketId, kind: (i32, i32, i32)) -> Self {
        self.event.descriptors.push((
            fd,
            Descriptor::Socket(Socket {
                id,
                kind: Some(kind),
                inherited: false,
            }),
        ));
        self
    }

    pub fn releases(mut self, id: SocketId) -> Self {
        self.event.released.push(id);
        self
    }

    /// It is a send or a receive of one buffer, with these flags.
    pub fn flagged(mut self, flags: u64) -> Self {
        self.event.call.args[3].value = Value::Flags(&socket::MESSAGE, flags);
        self.event.call.raw.args[3] = flags;
        self
    }

    /// The kernel said that of its socket.
    pub fn knowing(mut self, facts: Facts) -> Self {
        self.event.kernel = Some(Box::new(facts));
        self
    }

    /// It is over.
    pub fn done(self) -> Event {
        Event::Call(Box::new(self.event))
    }

    /// It has blocked.
    pub fn waiting(mut self) -> Event {
        self.event.call.outcome = Outcome::Unfinished;
        Event::Waiting(Box::new(self.event))
    }
}

/// What the kernel says of a connection between those addresses, or of a listener, in that state by its number.
pub fn in_state(state: u8, local: SockAddr, peer: SockAddr) -> Facts {
    let tcp = Tcp {
        state,
        ..Tcp::default()
    };
    Facts {
        local: raw(&local),
        peer: raw(&peer),
        tcp: Some(tcp),
        ..Facts::default()
    }
}

/// The struct sockaddr of an IPv4 address.
fn raw(address: &SockAddr) -> Vec<u8> {
    let SockAddr::Inet { ip, port } = address else {
        return Vec::new();
    };
    let mut bytes = (libc::AF_INET as u16).to_ne_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend(ip.octets());
    bytes.extend([0; 8]);
    bytes
}

/// The kernel says something of a socket between calls.
pub fn kernel(id: SocketId, time: Nanos, facts: Facts) -> Event {
    Event::Kernel(Box::new(KernelEvent {
        pid: 100,
        tid: 100,
        time,
        socket: id,
        facts,
    }))
}

pub fn data(bytes: &[u8], len: u64) -> Value {
    Value::Data(Data {
        bytes: bytes[..bytes.len().min(48)].to_vec(),
        len,
    })
}

pub fn address(address: SockAddr) -> Value {
    Value::Address(Box::new(address))
}

fn length(before: i64, after: i64) -> Value {
    Value::Changed(Box::new(Value::Int(before)), Box::new(Value::Int(after)))
}

pub fn makes(fd: i64, id: SocketId) -> Act {
    makes_kind(fd, id, (libc::AF_INET, libc::SOCK_STREAM, 6))
}

pub fn makes_kind(fd: i64, id: SocketId, kind: (i32, i32, i32)) -> Act {
    let args = vec![
        ("domain", Value::Const(&socket::FAMILY, kind.0 as u64)),
        ("type", Value::Flags(&socket::TYPE, kind.1 as u64)),
        (
            "protocol",
            Value::Const(&socket::INTERNET_PROTOCOL, kind.2 as u64),
        ),
    ];
    Act::new(Sysno::socket, args)
        .gives(fd)
        .on_kind(fd as i32, id, kind)
}

fn with_address(number: Sysno, fd: i32, name: SockAddr) -> Act {
    Act::new(
        number,
        vec![
            ("sockfd", Value::Fd(fd)),
            ("addr", address(name)),
            ("addrlen", Value::Int(16)),
        ],
    )
}

pub fn connect(fd: i32, to: SockAddr) -> Act {
    with_address(Sysno::connect, fd, to)
}

pub fn bind(fd: i32, to: SockAddr) -> Act {
    with_address(Sysno::bind, fd, to)
}

pub fn listen(fd: i32) -> Act {
    Act::new(
        Sysno::listen,
        vec![("sockfd", Value::Fd(fd)), ("backlog", Value::Int(511))],
    )
}

pub fn accept(fd: i32, from: SockAddr) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("addr", address(from)),
        ("addrlen", length(128, 16)),
        ("flags", Value::Flags(&socket::TYPE, 0x800)),
    ];
    Act::new(Sysno::accept4, args)
}

pub fn getsockname(fd: i32, is: SockAddr) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("addr", address(is)),
        ("addrlen", length(128, 16)),
    ];
    Act::new(Sysno::getsockname, args)
}

/// The name of a socket option of SOL_SOCKET.
fn option_name(number: u64) -> Value {
    let level = option::level(1).expect("SOL_SOCKET has options");
    Value::Const(&level.names, number)
}

pub fn setsockopt(fd: i32) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("level", Value::Const(&option::LEVEL, 1)),
        ("optname", option_name(9)),
        (
            "optval",
            Value::List {
                items: vec![Value::Int(1)],
                more: false,
            },
        ),
        ("optlen", Value::Int(4)),
    ];
    Act::new(Sysno::setsockopt, args)
}

pub fn so_error(fd: i32, errno: i64) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("level", Value::Const(&option::LEVEL, 1)),
        ("optname", option_name(4)),
        (
            "optval",
            Value::List {
                items: vec![Value::Int(errno)],
                more: false,
            },
        ),
        ("optlen", length(4, 4)),
    ];
    Act::new(Sysno::getsockopt, args)
}

pub fn polls(fd: i32, revents: u64) -> Act {
    let item = Value::Struct(vec![
        ("fd", Value::Fd(fd)),
        ("events", Value::Flags(&poll::POLL, 5)),
        ("revents", Value::Flags(&poll::POLL, revents)),
    ]);
    let fds = Value::List {
        items: vec![item],
        more: false,
    };
    let args = vec![
        ("fds", fds),
        ("nfds", Value::Unsigned(1)),
        ("timeout", Value::Int(1000)),
    ];
    Act::new(Sysno::poll, args).gives(i64::from(revents != 0))
}

pub fn sendto(fd: i32, bytes: &[u8]) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("buf", data(bytes, bytes.len() as u64)),
        ("len", Value::Unsigned(bytes.len() as u64)),
        ("flags", Value::Flags(&socket::MESSAGE, 0)),
        ("dest_addr", Value::Pointer(0)),
        ("addrlen", Value::Int(0)),
    ];
    Act::new(Sysno::sendto, args).gives(bytes.len() as i64)
}

pub fn recvfrom(fd: i32, bytes: &[u8], count: u64, size: u64) -> Act {
    let args = vec![
        ("sockfd", Value::Fd(fd)),
        ("buf", data(bytes, count)),
        ("len", Value::Unsigned(size)),
        ("flags", Value::Flags(&socket::MESSAGE, 0)),
        ("src_addr", Value::Pointer(0)),
        ("addrlen", Value::Pointer(0)),
    ];
    Act::new(Sysno::recvfrom, args).gives(count as i64)
}

/// The same at its entry, when nothing has come yet.
pub fn receiving(fd: i32, size: u64) -> Act {
    let mut act = recvfrom(fd, b"", 0, size);
    act.event.call.args[1].value = Value::Pointer(0x7ffc_0000_1000);
    act
}

pub fn close(fd: i32) -> Act {
    Act::new(Sysno::close, vec![("fd", Value::Fd(fd))])
}

pub fn process(pid: i32, tid: i32, time: Nanos, change: Change) -> Event {
    Event::Process(ProcessEvent {
        pid,
        tid,
        time,
        change,
    })
}

pub fn started(pid: i32, parent: Option<i32>, name: &str, time: Nanos) -> Event {
    process(
        pid,
        pid,
        time,
        Change::Started {
            parent,
            name: name.into(),
            own: None,
        },
    )
}

pub fn executed(pid: i32, name: &str, time: Nanos) -> Event {
    let path = format!("/usr/bin/{name}").into_bytes();
    let path = Data {
        len: path.len() as u64,
        bytes: path,
    };
    process(
        pid,
        pid,
        time,
        Change::Executed {
            name: name.into(),
            path,
            released: vec![],
            former: None,
        },
    )
}

pub fn exited(pid: i32, status: i32, released: Vec<SocketId>, time: Nanos) -> Event {
    process(
        pid,
        pid,
        time,
        Change::Ended {
            status: Status::Exited(status),
            released,
            process: true,
        },
    )
}

pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*";
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n";

/// A client as curl is one: a handshake left to the kernel, a request, an answer, closed first by us.
pub fn client() -> Vec<Event> {
    let web = || inet([93, 184, 216, 34], 80);
    vec![
        started(100, None, "curl", 0),
        makes(5, 7).at(4_400_000, 20_000).done(),
        setsockopt(5).on(5, 7).at(4_410_000, 1000).done(),
        setsockopt(5).on(5, 7).at(4_420_000, 1000).done(),
        setsockopt(5).on(5, 7).at(4_430_000, 1000).done(),
        connect(5, web())
            .on(5, 7)
            .fails(libc::EINPROGRESS)
            .at(4_500_000, 60_000)
            .done(),
        polls(5, 0).on(5, 7).at(4_600_000, 1000).done(),
        getsockname(5, inet([10, 0, 0, 7], 41234))
            .on(5, 7)
            .at(4_700_000, 1000)
            .done(),
        polls(5, 4).on(5, 7).at(4_800_000, 11 * MS).done(),
        so_error(5, 0).on(5, 7).at(16_299_000, 1000).done(),
        sendto(5, REQUEST).on(5, 7).at(16_400_000, 50_000).done(),
        polls(5, 1).on(5, 7).at(16_500_000, 11 * MS).done(),
        recvfrom(5, ANSWER, 1591, 102_400)
            .on(5, 7)
            .at(28_100_000, 20_000)
            .done(),
        close(5).on(5, 7).releases(7).at(28_400_000, 30_000).done(),
        polls(0, 0).at(28_500_000, 1000).done(),
        exited(100, 0, vec![], 30 * MS),
    ]
}

/// A server that listens, and answers one peer, who closes first.
pub fn server() -> Vec<Event> {
    let peer = || inet([127, 0, 0, 1], 51022);
    vec![
        started(70, None, "nginx", 0),
        makes(6, 1).by(70, 70).at(2_100_000, 9000).done(),
        setsockopt(6).on(6, 1).by(70, 70).at(2_150_000, 1000).done(),
        bind(6, inet([0, 0, 0, 0], 8080))
            .on(6, 1)
            .by(70, 70)
            .at(2_200_000, 9000)
            .done(),
        listen(6).on(6, 1).by(70, 70).at(2_300_000, 9000).done(),
        started(71, Some(70), "nginx", 3 * MS),
        accept(6, peer())
            .on(6, 1)
            .on(3, 2)
            .gives(3)
            .by(71, 71)
            .at(3800 * MS, 9000)
            .done(),
        recvfrom(
            3,
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
            78,
            1024,
        )
        .on(3, 2)
        .by(71, 71)
        .at(3801 * MS, 9000)
        .done(),
        sendto(3, b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n")
            .on(3, 2)
            .by(71, 71)
            .at(3801 * MS + 300_000, 9000)
            .done(),
        recvfrom(3, b"", 0, 1024)
            .on(3, 2)
            .by(71, 71)
            .at(3802 * MS, 9000)
            .done(),
        close(3)
            .on(3, 2)
            .releases(2)
            .by(71, 71)
            .at(3803 * MS, 9000)
            .done(),
        recvfrom(6, b"", 0, 1024)
            .on(6, 1)
            .fails(libc::ENOTCONN)
            .by(71, 71)
            .at(3804 * MS, 9000)
            .done(),
        exited(71, 0, vec![], 3805 * MS),
        exited(70, 0, vec![1], 3806 * MS),
    ]
}
