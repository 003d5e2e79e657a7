//! socket to close, and plain reading and writing.

use super::*;
use Outcome::{Error, Unfinished, Value as Returned};

#[test]
fn sockets_are_made_with_family_type_and_protocol_by_name() {
    let tracee = Tracee::default();
    let socket =
        |domain, kind, protocol| tracee.show(Sysno::socket, &[domain, kind, protocol], Returned(3));
    assert_eq!(
        socket(2, 0o2000001, 6),
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP)"
    );
    assert_eq!(
        socket(10, 0o2004002, 0),
        "socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_IP)"
    );
    assert_eq!(
        socket(16, 3, 0),
        "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)"
    );
    assert_eq!(socket(1, 5, 0), "socket(AF_UNIX, SOCK_SEQPACKET, 0)");
    assert_eq!(
        socket(17, 3, 0x0300),
        "socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))"
    );
    assert_eq!(
        socket(2, 1, 262),
        "socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)"
    );
    assert_eq!(socket(99, 7, 1), "socket(0x63 /* AF_??? */, 0x7, 1)");
    // The upper halves of registers that hold an int mean nothing.
    assert_eq!(
        socket(2 | 9 << 32, 1, 6 | 9 << 32),
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)"
    );

    let pair = |outcome| tracee.show(Sysno::socketpair, &[1, 1, 0, 0x100], outcome);
    tracee.put(0x100, words(&[3, 4]));
    assert_eq!(
        pair(Returned(0)),
        "socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4])"
    );
    assert_eq!(
        pair(Error(libc::EMFILE)),
        "socketpair(AF_UNIX, SOCK_STREAM, 0, 0x100)"
    );
}

#[test]
fn addresses_handed_over_are_as_long_as_the_call_says() {
    let tracee = Tracee::default();
    tracee.put(0x100, inet([127, 0, 0, 1], 80));
    let connect =
        |address, len: i64| tracee.show(Sysno::connect, &[3, address, len as u64], Unfinished);
    assert_eq!(
        connect(0x100, 16),
        "connect(3, Inet { ip: 127.0.0.1, port: 80 }, 16)"
    );
    assert!(connect(0x100, 15).starts_with("connect(3, Other { family: 2, bytes: [0, 80, 127"));
    for none in [0, 1, -1, i64::MIN] {
        assert!(
            connect(0x100, none).starts_with("connect(3, 0x100, "),
            "{none}"
        );
    }
    // The kernel takes at most 128 bytes; there are only 16 to be read.
    assert_eq!(connect(0x100, 65535), "connect(3, 0x100, 65535)");
    assert_eq!(connect(0xdead, 16), "connect(3, 0xdead, 16)");
    assert_eq!(connect(0, 16), "connect(3, NULL, 16)");

    let long = [inet([127, 0, 0, 1], 80), vec![0; 65535]].concat();
    tracee.put(0x100, long);
    for len in [127, 128, 65535] {
        assert!(connect(0x100, len).starts_with("connect(3, Inet { ip: 127.0.0.1, port: 80 }, "));
    }
}

#[test]
fn every_family_is_read() {
    let parse = |bytes: &[u8]| SockAddr::parse(bytes).map(|address| format!("{address:?}"));
    let ip6 = |tail: &[u8]| {
        [
            &[
                10, 0, 0, 80, 0, 0, 0, 5, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            ],
            tail,
        ]
        .concat()
    };
    let cases: &[(&[u8], &str)] = &[
        (
            &ip6(&[2, 0, 0, 0]),
            "Inet6 { ip: fe80::1, port: 80, flowinfo: 5, scope: 2 }",
        ),
        (
            &ip6(&[]),
            "Inet6 { ip: fe80::1, port: 80, flowinfo: 5, scope: 0 }",
        ),
        (&[1, 0], "UnixUnnamed"),
        (b"\x01\0/run/a\0bc", "UnixPath([47, 114, 117, 110, 47, 97])"),
        (b"\x01\0/run/a", "UnixPath([47, 114, 117, 110, 47, 97])"),
        (b"\x01\0\0a\0b", "UnixAbstract([97, 0, 98])"),
        (b"\x01\0\0", "UnixAbstract([])"),
        (
            &[16, 0, 0, 0, 1, 2, 0, 0, 4, 0, 0, 0],
            "Netlink { pid: 513, groups: 4 }",
        ),
        (
            &[17, 0, 8, 6, 2, 0, 0, 0, 1, 0, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0],
            "Packet { protocol: 2054, ifindex: 2, hatype: 1, pkttype: 4, address: [1, 2, 3, 4, 5, 6] }",
        ),
        (
            &[17, 0, 8, 6, 2, 0, 0, 0, 1, 0, 4, 255, 1, 2],
            "Packet { protocol: 2054, ifindex: 2, hatype: 1, pkttype: 4, address: [1, 2] }",
        ),
        (
            &[40, 0, 0, 0, 0, 4, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            "Vsock { cid: 2, port: 1024 }",
        ),
        (&[0, 0, 1, 2], "Other { family: 0, bytes: [1, 2] }"),
        (&[31, 0, 7], "Other { family: 31, bytes: [7] }"),
        (&[16, 0, 0], "Other { family: 16, bytes: [0] }"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(parse(bytes).as_deref(), Some(*expected));
        assert_eq!(
            SockAddr::parse(bytes).expect("an address").family(),
            u16::from(bytes[0])
        );
    }
    assert_eq!(parse(&[2]), None);
    assert_eq!(parse(&[]), None);
}

#[test]
fn lengths_are_values_before_and_results_after() {
    let tracee = Tracee::default();
    let accept = |before: i32, after: i32, outcome| {
        tracee.put(0x100, [0; 16]).put(0x200, words(&[before]));
        let kernel = |tracee: &Tracee| {
            tracee
                .put(0x100, inet([10, 0, 0, 1], 5000))
                .put(0x200, words(&[after]));
        };
        show_call(&tracee.call(
            Sysno::accept4,
            &[3, 0x100, 0x200, 0o2000000],
            kernel,
            outcome,
        ))
    };
    let peer = "Inet { ip: 10.0.0.1, port: 5000 }";
    assert_eq!(
        accept(128, 16, Returned(4)),
        format!("accept4(3, {peer}, [128 => 16], SOCK_CLOEXEC)")
    );
    assert_eq!(
        accept(16, 16, Returned(4)),
        format!("accept4(3, {peer}, [16], SOCK_CLOEXEC)")
    );
    // The buffer was too small: the kernel wrote 8 bytes and said how many there were.
    assert_eq!(
        accept(8, 16, Returned(4)),
        "accept4(3, Other { family: 2, bytes: [19, 136, 10, 0, 0, 1] }, [8 => 16], SOCK_CLOEXEC)"
    );
    assert_eq!(
        accept(128, 128, Error(libc::EAGAIN)),
        "accept4(3, 0x100, [128], SOCK_CLOEXEC)"
    );
    assert_eq!(
        accept(128, 16, Unfinished),
        "accept4(3, 0x100, [128], SOCK_CLOEXEC)"
    );
    for garbage in [-1, i32::MIN, 0, 1] {
        assert!(accept(garbage, garbage, Returned(4)).starts_with("accept4(3, 0x100, ["));
        assert!(accept(128, garbage, Returned(4)).starts_with("accept4(3, 0x100, [128 => "));
    }
    assert_eq!(
        tracee.show(Sysno::accept, &[3, 0, 0], Returned(4)),
        "accept(3, NULL, NULL)"
    );
    assert_eq!(
        tracee.show(Sysno::accept, &[3, 0x100, 0xbad0], Error(libc::EFAULT)),
        "accept(3, 0x100, 0xbad0)"
    );
    let unnamed = Tracee::default();
    unnamed.put(0x100, [1, 0]).put(0x200, words(&[110]));
    let named = unnamed.call(
        Sysno::getsockname,
        &[3, 0x100, 0x200],
        |tracee| {
            tracee.put(0x200, words(&[2]));
        },
        Returned(0),
    );
    assert_eq!(show_call(&named), "getsockname(3, UnixUnnamed, [110 => 2])");
    assert_eq!(named.address(), Some(&SockAddr::UnixUnnamed));
}

#[test]
fn data_is_what_was_transferred() {
    let tracee = Tracee::default();
    let long = "0123456789".repeat(10);
    tracee.put(0x100, &long);
    let write = |len: u64, outcome| tracee.show(Sysno::write, &[1, 0x100, len], outcome);
    assert_eq!(write(5, Returned(5)), r#"write(1, "01234", 5)"#);
    assert_eq!(
        write(5, Returned(2)),
        r#"write(1, "01"…, 5)"#.replace('…', "")
    );
    assert_eq!(write(5, Error(libc::EAGAIN)), r#"write(1, "01234", 5)"#);
    assert_eq!(write(5, Unfinished), r#"write(1, "01234", 5)"#);
    assert_eq!(
        write(100, Returned(100)),
        format!(r#"write(1, "{}"…, 100)"#, &long[..48])
    );
    assert_eq!(write(0, Returned(0)), r#"write(1, "", 0)"#);
    assert_eq!(
        write(u64::MAX, Error(libc::EFAULT)),
        format!(r#"write(1, "{}"…, {})"#, &long[..48], u64::MAX)
    );

    let read = |len: u64, outcome| tracee.show(Sysno::read, &[1, 0x100, len], outcome);
    assert_eq!(read(100, Returned(3)), r#"read(1, "012", 100)"#);
    assert_eq!(read(100, Returned(0)), r#"read(1, "", 100)"#);
    assert_eq!(read(100, Error(libc::EAGAIN)), "read(1, 0x100, 100)");
    assert_eq!(read(100, Unfinished), "read(1, 0x100, 100)");

    // MSG_TRUNC: more than the buffer could hold.
    let truncated = tracee.call(
        Sysno::recvfrom,
        &[1, 0x100, 4, 0x20, 0, 0],
        |_| {},
        Returned(900),
    );
    assert_eq!(
        show_call(&truncated),
        r#"recvfrom(1, "0123", 4, MSG_TRUNC, NULL, NULL)"#
    );
    assert_eq!(
        truncated.payload(),
        [&Data {
            bytes: b"0123".to_vec(),
            len: 4
        }]
    );
    let offset = tracee.show(Sysno::pread64, &[1, 0x100, 4, 1 << 40], Returned(4));
    assert_eq!(offset, r#"pread64(1, "0123", 4, 1099511627776)"#);
}

#[test]
fn pointers_that_lead_nowhere_are_shown_as_they_are() {
    let tracee = Tracee::default();
    assert_eq!(
        tracee.show(Sysno::write, &[1, 0xdead, 5], Error(libc::EFAULT)),
        "write(1, 0xdead, 5)"
    );
    assert_eq!(
        tracee.show(Sysno::write, &[1, 0, 5], Error(libc::EFAULT)),
        "write(1, NULL, 5)"
    );
    tracee.put(0x100, "abc");
    // The page ends inside the buffer.
    let call = tracee.call(Sysno::write, &[1, 0x100, 8], |_| {}, Error(libc::EFAULT));
    assert_eq!(
        call.payload(),
        [&Data {
            bytes: b"abc".to_vec(),
            len: 8
        }]
    );
}

#[test]
fn memory_is_taken_for_what_is_there() {
    let tracee = Tracee::default();
    tracee.put(0x100, [7; 100_000]);
    let entry = tracee.enter(Sysno::write, &[1, 0x100, u64::MAX]);
    let call = tracee.finish(
        &entry,
        Error(libc::EFAULT),
        Limits {
            data: usize::MAX,
            ..Limits::default()
        },
    );
    assert_eq!(
        call.payload(),
        [&Data {
            bytes: vec![7; 100_000],
            len: u64::MAX
        }]
    );
    assert!(call.payload()[0].bytes.capacity() < 1 << 18);
}

#[test]
fn a_plain_transfer_reads_memory_once() {
    let tracee = Tracee::default();
    tracee.put(0x100, [7; 4096]);
    for (sysno, args) in [
        (Sysno::read, &[1, 0x100, 4096][..]),
        (Sysno::write, &[1, 0x100, 4096]),
        (Sysno::sendto, &[1, 0x100, 4096, 0, 0, 0]),
        (Sysno::recvfrom, &[1, 0x100, 4096, 0, 0, 0]),
    ] {
        let entry = tracee.enter(sysno, args);
        assert_eq!(tracee.reads(), (0, 0), "{sysno}: the entry reads nothing");
        tracee.finish(&entry, Returned(4096), Limits::default());
        assert_eq!(tracee.reads(), (1, 48), "{sysno}");
        tracee.finish(
            &entry,
            Returned(4096),
            Limits {
                data: 0,
                ..Limits::default()
            },
        );
        assert_eq!(tracee.reads(), (0, 0), "{sysno}");
    }
    let entry = tracee
        .put(0x200, words(&[16]))
        .enter(Sysno::recvfrom, &[1, 0x100, 4096, 0, 0x100, 0x200]);
    assert_eq!(tracee.reads(), (1, 4));
    tracee.gathers();
    tracee.finish(&entry, Returned(4096), Limits::default());
    assert_eq!(tracee.reads(), (3, 48 + 4 + 16), "data, length, address");
    assert_eq!(tracee.gathers(), 1, "all three at once");
    for sysno in [
        Sysno::close,
        Sysno::socket,
        Sysno::connect,
        Sysno::bind,
        Sysno::sendmsg,
        Sysno::setsockopt,
        Sysno::poll,
    ] {
        tracee.enter(sysno, &[0x100; 6]);
        assert_eq!(tracee.reads(), (0, 0), "{sysno}: the entry reads nothing");
    }
}

#[test]
fn vectors_share_one_limit_and_end_where_the_transfer_ended() {
    let tracee = Tracee::default();
    tracee.put(0x100, longs(&[0x1000, 30, 0x2000, 30, 0, 0, 0x3000, 10]));
    tracee
        .put(0x1000, [b'a'; 30])
        .put(0x2000, [b'b'; 30])
        .put(0x3000, [b'c'; 10]);
    let (a, b, c) = ("a".repeat(30), "b".repeat(18), "c");
    let iovec = |base: &str, len| format!("{{iov_base={base}, iov_len={len}}}");
    let writev = |outcome| tracee.show(Sysno::writev, &[1, 0x100, 4], outcome);
    assert_eq!(
        writev(Returned(70)),
        format!(
            "writev(1, [{}, {}, {}, {}], 4)",
            iovec(&format!("{a:?}"), 30),
            iovec(&format!("{b:?}…"), 30),
            iovec("NULL", 0),
            iovec("\"\"…", 10)
        )
    );
    let part = writev(Returned(31));
    assert!(
        part.contains(&iovec("\"b\"", 30))
            && part.contains(&iovec("\"\"", 10))
            && !part.contains(c),
        "{part}"
    );
    assert_eq!(
        writev(Error(libc::EAGAIN)),
        writev(Returned(70)),
        "what failed is shown as it was offered"
    );

    let readv = |outcome| tracee.show(Sysno::readv, &[1, 0x100, 4], outcome);
    assert!(readv(Returned(2)).contains(&iovec("\"aa\"", 30)));
    assert!(readv(Unfinished).contains(&iovec("0x1000", 30)));
    assert!(readv(Error(libc::EAGAIN)).contains(&iovec("0x1000", 30)));
    // More iovecs than can be read, or than the limit allows.
    assert!(
        tracee
            .show(Sysno::writev, &[1, 0x100, 5], Returned(70))
            .ends_with(", …], 5)")
    );
    assert_eq!(
        tracee.show(Sysno::writev, &[1, 0xbad, 4], Error(libc::EFAULT)),
        "writev(1, 0xbad, 4)"
    );
    assert_eq!(
        tracee.show(Sysno::writev, &[1, 0x100, 0], Returned(0)),
        "writev(1, [], 0)"
    );
    tracee.put(0x4000, longs(&[0x1000, 1].repeat(1024)));
    for count in [1024, u64::MAX] {
        let call = tracee.call(Sysno::writev, &[1, 0x4000, count], |_| {}, Returned(1024));
        assert_eq!(call.payload().len(), 32);
        assert_eq!(
            call.payload()
                .iter()
                .map(|data| data.bytes.len())
                .sum::<usize>(),
            32
        );
    }
}
