//! What calls moved: bytes, datagrams, and what a result of 0 says.

use super::*;

const UDP: (i32, i32, i32) = (libc::AF_INET, libc::SOCK_DGRAM, 17);
const PEEK: u64 = 0x2;
const TRUNC: u64 = 0x20;
const ERRQUEUE: u64 = 0x2000;

fn splice(flags: u64, count: i64) -> Act {
    let args = vec![
        ("fd_in", Value::Fd(3)),
        ("off_in", Value::Pointer(0)),
        ("fd_out", Value::Fd(9)),
        ("off_out", Value::Pointer(0)),
        ("len", Value::Unsigned(65536)),
        ("flags", Value::Flags(&file::SPLICE, flags)),
    ];
    Act::new(Sysno::splice, args).gives(count)
}

/// What is told of one call on a socket of this kind, which is then closed, and its farewell.
fn told_of(kind: (i32, i32, i32), calls: Vec<Act>) -> (Option<Meaning>, Farewell) {
    let mut events = vec![makes_kind(3, 1, kind).done()];
    let on = |act: Act| act.on_kind(3, 1, kind);
    if kind != UDP {
        events.push(on(connect(3, inet([1, 2, 3, 4], 80))).done());
    }
    events.extend(calls.into_iter().map(|act| on(act).done()));
    events.push(on(close(3)).releases(1).done());
    let told = tell(events).1;
    let farewell = farewells(&told).remove(0).1;
    (told[told.len() - 2].meaning.clone(), farewell)
}

fn of_stream(call: Act) -> (Option<Meaning>, Farewell) {
    told_of((libc::AF_INET, libc::SOCK_STREAM, 6), vec![call])
}

fn of_datagrams(call: Act) -> (Option<Meaning>, Farewell) {
    told_of(UDP, vec![call])
}

#[test]
fn only_some_results_of_0_are_the_end() {
    let end = |call| {
        let (meaning, farewell) = of_stream(call);
        let end = meaning == Some(Meaning::PeerEnded);
        assert_eq!(end, farewell.first == Some(Side::Peer));
        end
    };
    assert!(end(recvfrom(3, b"", 0, 9)));
    // Urgent data may be next, or nothing there (splice(2)).
    assert!(!end(splice(0, 0)));
    // A notice of MSG_ZEROCOPY has no bytes.
    assert!(!end(recvfrom(3, b"", 0, 9).flagged(ERRQUEUE)));
    assert!(!end(recvfrom(3, b"", 0, 0)));
}

#[test]
fn a_splice_that_does_not_block_is_more_than_a_look() {
    let (meaning, farewell) = of_stream(splice(2, 40));
    assert_eq!((meaning, farewell.received), (None, 40));
}

#[test]
fn of_a_datagram_cut_short_only_what_was_delivered_counts() {
    let cut = |of, to| Some(Meaning::Cut { of, to });
    let long = || recvfrom(3, b"0123456789", 3000, 10).flagged(TRUNC);
    let (meaning, farewell) = of_datagrams(long());
    assert_eq!((meaning, farewell.received), (cut(3000, 10), 10));

    let (meaning, farewell) = of_datagrams(long().flagged(TRUNC | PEEK));
    assert_eq!((meaning, farewell.received), (Some(Meaning::Peeked), 0));
    assert_eq!(farewell.fate, Fate::Unused);

    let (meaning, farewell) = of_datagrams(recvfrom(3, b"0123", 4, 10).flagged(TRUNC));
    assert_eq!((meaning, farewell.received), (None, 4));

    // Its length alone was asked for, and it is gone.
    let (meaning, farewell) = of_datagrams(recvfrom(3, b"", 3000, 0).flagged(TRUNC));
    assert_eq!((meaning, farewell.received), (cut(3000, 0), 0));
    assert_eq!(farewell.fate, Fate::Carried);

    // A stream leaves the bytes out of the buffer, but they have come in (tcp(7)).
    let (meaning, farewell) = of_stream(recvfrom(3, b"", 10, 10).flagged(TRUNC));
    assert_eq!((meaning, farewell.received), (None, 10));
}

#[test]
fn messages_cut_short_count_what_their_buffers_hold() {
    let iovec = Value::Struct(vec![
        ("iov_base", data(b"0123456789", 10)),
        ("iov_len", Value::Unsigned(10)),
    ]);
    let vector = Value::List {
        items: vec![iovec],
        more: false,
    };
    let header = Value::Struct(vec![("msg_iov", vector)]);
    let flags = || ("flags", Value::Flags(&socket::MESSAGE, TRUNC));

    let args = vec![("sockfd", Value::Fd(3)), ("msg", header.clone()), flags()];
    let (meaning, farewell) = of_datagrams(Act::new(Sysno::recvmsg, args).gives(3000));
    assert_eq!(meaning, Some(Meaning::Cut { of: 3000, to: 10 }));
    assert_eq!(farewell.received, 10);

    let message = |len| {
        let len = ("msg_len", Value::Unsigned(len));
        Value::Struct(vec![("msg_hdr", header.clone()), len])
    };
    let items = vec![message(3000), message(7)];
    let args = vec![
        ("sockfd", Value::Fd(3)),
        ("msgvec", Value::List { items, more: false }),
        ("vlen", Value::Unsigned(2)),
        flags(),
    ];
    let (_, farewell) = of_datagrams(Act::new(Sysno::recvmmsg, args).gives(2));
    assert_eq!(farewell.received, 17);
}

#[test]
fn an_empty_datagram_is_something() {
    let fate = |calls| told_of(UDP, calls).1.fate;
    let empty = || recvfrom(3, b"", 0, 9);
    let read = |size| {
        let args = vec![
            ("fd", Value::Fd(3)),
            ("buf", Value::Pointer(0x7ffc_0000_1000)),
            ("count", Value::Unsigned(size)),
        ];
        Act::new(Sysno::read, args)
    };
    assert_eq!(fate(vec![empty()]), Fate::Carried);
    assert_eq!(fate(vec![sendto(3, b"")]), Fate::Carried);
    assert_eq!(fate(vec![read(9)]), Fate::Carried);
    // These brought nothing: read(2) for nothing, a look, a failure, and a receive after shutdown(2).
    assert_eq!(fate(vec![read(0)]), Fate::Unused);
    assert_eq!(fate(vec![empty().flagged(PEEK)]), Fate::Unused);
    assert_eq!(fate(vec![empty().fails(libc::EAGAIN)]), Fate::Unused);
    let shutdown = Act::new(
        Sysno::shutdown,
        vec![
            ("sockfd", Value::Fd(3)),
            ("how", Value::Const(&socket::SHUTDOWN, 0)),
        ],
    );
    assert_eq!(fate(vec![shutdown, empty()]), Fate::Unused);
}

#[test]
fn an_empty_datagram_asks_and_answers() {
    let on = |act: Act| act.on_kind(3, 1, UDP);
    let asks = || {
        vec![
            makes_kind(3, 1, UDP).done(),
            on(connect(3, inet([1, 2, 3, 4], 37))).done(),
            on(sendto(3, b"")).at(500 * MS, 0).done(),
        ]
    };
    let waits = || on(polls(3, 0)).at(600 * MS, MS).waiting();
    let mut events = asks();
    events.push(waits());
    assert_eq!(reminders(events), [(15, 1), (105, 1), (605, 1)]);
    let mut events = asks();
    events.push(on(recvfrom(3, b"", 0, 9)).at(550 * MS, 0).done());
    assert_eq!(tell(events.clone()).1.pop().unwrap().after, Some(50 * MS));
    events.push(waits());
    assert_eq!(reminders(events), []);
}

#[test]
fn a_close_that_was_cut_off_or_failed_tells_what_the_others_tell() {
    for outcome in [Outcome::Unfinished, Outcome::Error(libc::EINTR)] {
        let mut events = connected(3, 1);
        events.push(sendto(3, b"abc").on(3, 1).done());
        let mut close = close(3).on(3, 1).releases(1);
        close.event.call.outcome = outcome;
        events.push(close.done());
        let (story, told) = tell(events);
        assert_eq!(story.open(), 0);
        let said = farewells(&told);
        assert_eq!(said.len(), 1, "{outcome:?}");
        assert_eq!((said[0].1.out, said[0].1.fate), (3, Fate::Carried));
    }
    // Another descriptor still leads to it.
    let mut events = connected(3, 1);
    let mut close = close(3).on(3, 1);
    close.event.call.outcome = Outcome::Unfinished;
    events.push(close.done());
    let last = tell(events).1.pop().unwrap();
    assert_eq!(last.meaning, Some(Meaning::GivenUp));
}
