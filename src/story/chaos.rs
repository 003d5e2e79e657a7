//! Programs that make no sense, for properties: any calls in any order, with any results, reported late, cut off anywhere.

use proptest::collection::vec;
use proptest::prelude::*;
use syscalls::Sysno;

use super::scene::*;
use crate::syscall::names::socket;
use crate::syscall::{Data, SockAddr, Value};
use crate::tracer::event::{Change, Event, Nanos, Notice, Status};

/// Up to 60 events of three processes and five threads, with few descriptors and sockets, so that they meet.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 0..60)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![12 => call(), 2 => change(), 1 => notice(), 2 => stack()]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..60),
        ".{0,20}".prop_map(String::into_bytes),
        Just(b"\x1b]0;title\x07\xe2\x80\xae\xc2\x9b31m".to_vec()),
    ]
}

fn address() -> impl Strategy<Value = SockAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| inet(ip, port)),
        (any::<[u8; 16]>(), any::<u16>(), any::<u32>()).prop_map(|(ip, port, scope)| {
            SockAddr::Inet6 {
                ip: ip.into(),
                port,
                flowinfo: 0,
                scope,
            }
        }),
        bytes().prop_map(SockAddr::UnixPath),
        bytes().prop_map(SockAddr::UnixAbstract),
        Just(SockAddr::UnixUnnamed),
        (0..2u32, any::<u32>()).prop_map(|(pid, groups)| SockAddr::Netlink { pid, groups }),
        (0..50u16, bytes()).prop_map(|(family, bytes)| SockAddr::Other { family, bytes }),
    ]
}

fn time() -> impl Strategy<Value = (Nanos, Nanos)> {
    (
        prop_oneof![0..200_000 * MS, any::<u64>()],
        prop_oneof![0..3000 * MS, any::<u64>()],
    )
        .prop_map(|(start, took)| (start, took.min(u64::MAX - start)))
}

fn value(depth: u32) -> BoxedStrategy<Value> {
    let data = (bytes(), any::<u64>()).prop_map(|(bytes, more)| {
        let len = (bytes.len() as u64).saturating_add(more % 3);
        Data { bytes, len }
    });
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Fd),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Unsigned),
        any::<u64>().prop_map(Value::Octal),
        any::<u64>().prop_map(Value::Pointer),
        any::<u64>().prop_map(|bits| Value::Flags(&socket::MESSAGE, bits)),
        any::<u64>().prop_map(|number| Value::Const(&socket::FAMILY, number)),
        (data, any::<bool>()).prop_map(|(data, text)| if text {
            Value::Text(data)
        } else {
            Value::Data(data)
        }),
        address().prop_map(|address| Value::Address(Box::new(address))),
    ];
    leaf.prop_recursive(depth, 12, 3, |inner| {
        let field = prop_oneof![
            Just("msg_iov"),
            Just("msg_name"),
            Just("iov_base"),
            Just("iov_len"),
            Just("fd"),
            Just("revents")
        ];
        prop_oneof![
            (vec(inner.clone(), 0..3), any::<bool>())
                .prop_map(|(items, more)| Value::List { items, more }),
            vec((field, inner.clone()), 0..4).prop_map(Value::Struct),
            (inner.clone(), inner.clone())
                .prop_map(|(before, after)| Value::Changed(Box::new(before), Box::new(after))),
            inner.prop_map(|inner| Value::Wrapped("htons", Box::new(inner))),
        ]
    })
    .boxed()
}

fn call() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        Just((libc::AF_INET, libc::SOCK_STREAM, 6)),
        Just((libc::AF_INET, libc::SOCK_DGRAM, 17)),
        Just((libc::AF_UNIX, libc::SOCK_STREAM, 0)),
    ];
    let what = (
        0..18u8,
        3..7i32,
        0..5u64,
        kind,
        bytes(),
        0..200u64,
        address(),
        value(3),
    );
    let how = (
        0..4i32,
        time(),
        0..10u8,
        any::<bool>(),
        proptest::option::weighted(0.3, 0..5u64),
    );
    (what, how).prop_map(|(what, how)| {
        let (which, fd, id, kind, bytes, count, address, value) = what;
        let (thread, (start, took), outcome, known, released) = how;
        let mut act = match which {
            0 => makes_kind(fd.into(), id, kind),
            1 => connect(fd, address),
            2 => bind(fd, address),
            3 => listen(fd),
            4 => accept(fd, address)
                .on_kind(fd + 10, id + 10, kind)
                .gives(i64::from(fd) + 10),
            5 | 6 => sendto(fd, &bytes),
            7 | 8 => recvfrom(fd, &bytes, count, 4096),
            9 => so_error(fd, i64::from(outcome)),
            10 => polls(fd, count & 5),
            11 => getsockname(fd, address),
            12 => Act::new(
                Sysno::shutdown,
                vec![
                    ("sockfd", Value::Fd(fd)),
                    ("how", Value::Const(&socket::SHUTDOWN, count % 4)),
                ],
            ),
            13 => Act::new(
                Sysno::dup2,
                vec![("oldfd", Value::Fd(fd)), ("newfd", Value::Fd(fd + 1))],
            )
            .gives(i64::from(fd) + 1),
            14 => Act::new(
                Sysno::sendmsg,
                vec![("sockfd", Value::Fd(fd)), ("msg", value)],
            )
            .gives(count as i64),
            15 => Act::new(
                Sysno::recvmmsg,
                vec![("sockfd", Value::Fd(fd)), ("msgvec", value)],
            )
            .gives(count as i64),
            16 => Act::new(Sysno::clone, vec![("flags", value)]),
            _ => close(fd),
        };
        if known && which != 0 {
            act = act.on_kind(fd, id, kind);
        }
        if let Some(id) = released {
            act = act.releases(id);
        }
        let pid = 100 + thread % 2;
        act = act.by(pid, pid + thread).at(start, took);
        match outcome {
            0 => return act.waiting(),
            1 => act = act.fails(libc::EINPROGRESS),
            2 => act = act.fails(512),
            3 => {
                act = act.fails(i32::from(
                    bytes.first().copied().unwrap_or(libc::EAGAIN as u8),
                ))
            }
            _ => {}
        }
        act.done()
    })
}

fn change() -> impl Strategy<Value = Event> {
    let name = "\\PC{0,15}|[\\x00-\\x1f\u{202e}]{1,4}";
    (
        0..7u8,
        0..4i32,
        time(),
        name,
        bytes(),
        vec(0..5u64, 0..2),
        any::<bool>(),
    )
        .prop_map(
            |(which, thread, (time, _), name, bytes, released, process)| {
                let pid = 100 + thread % 2;
                let path = Data {
                    len: bytes.len() as u64,
                    bytes,
                };
                let change = match which {
                    0 => Change::Started {
                        parent: (thread > 0).then_some(100),
                        name,
                        own: (thread > 1).then_some(1),
                    },
                    1 => Change::Executed {
                        name,
                        path,
                        released,
                        former: process.then_some(pid + thread),
                    },
                    2 => Change::Signal {
                        signal: i32::from(name.len() as u8) * 4,
                        code: thread - 2,
                        sender: Some(pid),
                    },
                    3 => Change::Stopped {
                        signal: libc::SIGTSTP,
                    },
                    4 => Change::Continued,
                    5 => Change::Ended {
                        status: Status::Exited(1),
                        released,
                        process,
                    },
                    _ => Change::Ended {
                        status: Status::Killed(libc::SIGSEGV, true),
                        released,
                        process,
                    },
                };
                self::process(pid, pid + thread, time, change)
            },
        )
}

fn stack() -> impl Strategy<Value = Event> {
    (0..5u64, time(), any::<u8>(), 0..9u32, address(), address()).prop_map(
        |(id, (time, _), state, count, local, peer)| {
            let mut facts = in_state(state, local, peer);
            if let Some(tcp) = &mut facts.tcp {
                (tcp.retransmits, tcp.unacked, tcp.rtt_us) = (state % 5, count, count << 20);
            }
            facts.other = Some(u64::from(count));
            kernel(id, time, facts)
        },
    )
}

fn notice() -> impl Strategy<Value = Event> {
    "\\PC{0,15}|[\\x00-\\x1f\u{202e}]{1,4}".prop_map(|text| Event::Notice(Notice::Text(text)))
}
