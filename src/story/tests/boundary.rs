//! What passes at the library boundary: whose a session is, what folds, and what a resolver's function holds.

use super::*;
use crate::library::{self, Lookup, Said, Tls};
use crate::protocol::Source;
use crate::story::bytes::Direction;
use crate::syscall::{Data, Snapshot};
use crate::tracer::event::{LibraryEvent, Phase};

/// A function of thread 100 at a moment of its life.
fn of(name: &str, phase: Phase, start: Nanos, time: Nanos, said: Said) -> Event {
    let invocation = library::Invocation {
        function: library::function(name.as_bytes()).expect("a function that is probed"),
        raw: [0; 6],
        args: Vec::new(),
        value: (phase == Phase::Ends).then_some(0),
        said,
    };
    Event::Library(Box::new(LibraryEvent {
        pid: 100,
        tid: 100,
        start,
        time,
        phase,
        invocation,
        limit: 1000,
        before: Snapshot::default(),
        memory: Snapshot::default(),
    }))
}

fn tls(name: &str, session: u64, text: Option<&[u8]>) -> Said {
    let function = library::function(name.as_bytes()).expect("a function that is probed");
    let text = text.map(|bytes| Data {
        bytes: bytes.to_vec(),
        len: bytes.len() as u64,
    });
    Said::Tls(Box::new(Tls {
        session,
        does: function.does,
        text,
        fact: None,
    }))
}

/// A function of a session from its beginning to its end, with what its thread calls meanwhile.
fn during(name: &str, session: u64, at: Nanos, calls: Vec<Act>, text: Option<&[u8]>) -> Vec<Event> {
    let mut all = vec![of(name, Phase::Begins, at, at, tls(name, session, None))];
    let acts = calls.into_iter();
    all.extend(acts.map(|act| act.on(3, 7).at(at + MS, MS).done()));
    let end = at + 3 * MS;
    all.push(of(name, Phase::Ends, at, end, tls(name, session, text)));
    all
}

const HELLO: &[u8] = b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03";
const CIPHERTEXT: &[u8] = b"\x17\x03\x03\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const GET: &[u8] =
    b"GET /f.txt HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer abcdef\r\n\r\n";

fn connected() -> Vec<Event> {
    vec![
        started(100, None, "curl", 0),
        makes(3, 7).at(MS, MS).done(),
        connect(3, inet([192, 0, 2, 7], 443))
            .on(3, 7)
            .at(2 * MS, MS)
            .done(),
    ]
}

/// The same, and a request by session 0x77.
fn asked_in_session() -> Vec<Event> {
    let mut events = connected();
    events.extend(during(
        "SSL_connect",
        0x77,
        10 * MS,
        vec![sendto(3, HELLO)],
        None,
    ));
    events.extend(during(
        "SSL_write",
        0x77,
        20 * MS,
        vec![sendto(3, CIPHERTEXT)],
        Some(GET),
    ));
    events
}

fn told(events: Vec<Event>) -> Vec<Told> {
    let mut story = Story::new(Options::default());
    let mut all: Vec<Told> = events.into_iter().flat_map(|it| story.tell(it)).collect();
    all.extend(story.end(1000 * MS));
    all
}

fn cleared(all: &[Told]) -> Vec<(&Told, &Clear)> {
    let clear = |told: &'_ Told| matches!(told.what, What::Clear(_));
    all.iter()
        .filter(|it| clear(it))
        .filter_map(|it| match &it.what {
            What::Clear(clear) => Some((it, &**clear)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_session_is_the_one_of_the_socket_that_its_functions_use() {
    let mut events = asked_in_session();
    let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    let read = vec![recvfrom(3, CIPHERTEXT, CIPHERTEXT.len() as u64, 1000)];
    events.extend(during("SSL_read", 0x77, 30 * MS, read, Some(answer)));
    // Nothing is read for what the library has already.
    events.extend(during("SSL_read", 0x77, 40 * MS, vec![], Some(b"hello")));
    let all = told(events);
    let clear = cleared(&all);
    let ways: Vec<_> = clear.iter().map(|(_, it)| it.way).collect();
    assert_eq!(ways, [Direction::Out, Direction::In, Direction::In]);
    for (told, clear) in &clear {
        assert_eq!(told.conversation.as_ref().map(|it| it.number), Some(1));
        assert!(!clear.inferred && !told.folds);
    }
    assert_eq!(clear[0].0.messages[0].text, "GET /f.txt");
    assert_eq!(clear[1].0.after, Some(10 * MS));
    // Secrets are masked where they stand.
    let masked = String::from_utf8_lossy(&clear[0].1.data.bytes).into_owned();
    assert!(
        masked.starts_with("GET /f.txt") && !masked.contains("abcdef"),
        "{masked}"
    );
    // What is encrypted folds.
    let sent = all.iter().filter_map(|it| match &it.what {
        What::Call(event) if event.call.name() == "sendto" => Some(it.folds),
        _ => None,
    });
    assert!(sent.clone().count() == 2 && sent.skip(1).all(|folds| folds));
}

#[test]
fn functions_that_call_each_other_tell_once() {
    let mut events = connected();
    let name = "gnutls_record_send";
    events.push(of(
        name,
        Phase::Begins,
        20 * MS,
        20 * MS,
        tls(name, 9, None),
    ));
    events.extend(during(
        "gnutls_record_send2",
        9,
        21 * MS,
        vec![sendto(3, CIPHERTEXT)],
        Some(GET),
    ));
    events.push(of(
        name,
        Phase::Ends,
        20 * MS,
        30 * MS,
        tls(name, 9, Some(GET)),
    ));
    let all = told(events);
    let clear = cleared(&all);
    assert_eq!(clear.len(), 1);
    assert_eq!(clear[0].1.event.invocation.function.name, name);
    assert_eq!(
        clear[0].0.conversation.as_ref().map(|it| it.number),
        Some(1)
    );
}

#[test]
fn a_session_that_makes_no_calls_is_found_by_what_came_before_or_not_at_all() {
    let mut events = connected();
    events.push(sendto(3, HELLO).on(3, 7).at(5 * MS, MS).done());
    let read = recvfrom(3, CIPHERTEXT, CIPHERTEXT.len() as u64, 1000);
    events.push(read.on(3, 7).at(6 * MS, MS).done());
    events.extend(during("SSL_read", 0x77, 10 * MS, vec![], Some(b"hello")));
    // Another one of the same thread: nothing tells what carries it.
    events.extend(during("SSL_read", 0x88, 20 * MS, vec![], Some(b"hello")));
    let all = told(events);
    let clear = cleared(&all);
    assert!(clear[0].1.inferred && clear[0].0.conversation.is_some());
    assert!(!clear[1].1.inferred && clear[1].0.conversation.is_none());
}

#[test]
fn what_stays_closed_is_said_once() {
    let mut events = connected();
    events.push(sendto(3, HELLO).on(3, 7).at(5 * MS, MS).done());
    for at in 6..9 {
        events.push(sendto(3, CIPHERTEXT).on(3, 7).at(at * MS, MS).done());
    }
    let closed = |events: Vec<Event>| {
        let all = told(events);
        let closed = |it: &&Told| matches!(it.meaning, Some(Meaning::StaysClosed));
        all.iter().filter(closed).count()
    };
    assert_eq!(closed(events), 1);
    assert_eq!(closed(asked_in_session()), 0);
}

#[test]
fn a_look_up_holds_what_its_resolver_does_and_gives_names() {
    let name = |bytes: &[u8]| Data {
        bytes: bytes.to_vec(),
        len: bytes.len() as u64,
    };
    let asked = Lookup {
        name: Some(name(b"shop.test")),
        ..Lookup::default()
    };
    let answered = Lookup {
        addresses: vec![inet([192, 0, 2, 7], 80)],
        ..asked.clone()
    };
    let function = "getaddrinfo";
    let said = |lookup: &Lookup| Said::Lookup(Box::new(lookup.clone()));
    let kind = (libc::AF_INET, libc::SOCK_DGRAM, 17);
    let events = vec![
        started(100, None, "curl", 0),
        of(function, Phase::Begins, MS, MS, said(&asked)),
        // Whatever socket it makes is its own affair.
        makes_kind(3, 6, kind).at(2 * MS, MS).done(),
        close(3)
            .on_kind(3, 6, kind)
            .releases(6)
            .at(4 * MS, MS)
            .done(),
        of(function, Phase::Ends, MS, 6 * MS, said(&answered)),
        makes(3, 7).at(7 * MS, MS).done(),
        connect(3, inet([192, 0, 2, 7], 80))
            .on(3, 7)
            .at(8 * MS, MS)
            .done(),
    ];
    let all = told(events);
    let resolved: Vec<_> = all
        .iter()
        .filter_map(|it| match &it.what {
            What::Resolved(resolution) => Some((it, resolution)),
            _ => None,
        })
        .collect();
    let [(line, resolution)] = resolved[..] else {
        panic!("one look-up: {resolved:?}");
    };
    assert_eq!((line.time, line.took), (MS, Some(5 * MS)));
    assert_eq!(resolution.name, "shop.test");
    assert_eq!(resolution.source(), Source::Library);
    let last = all.iter().rev().find_map(|it| it.conversation.as_ref());
    let conversation = last.expect("a conversation");
    assert_eq!(conversation.number, 1);
    let name = conversation.name.as_ref().expect("a name");
    assert_eq!((&*name.text, name.source), ("shop.test", Source::Library));
    // Nothing of the resolver's has a line.
    let shown = all.iter().filter(|it| !it.folds && it.time < 6 * MS);
    assert!(
        shown.clone().all(|it| !matches!(it.what, What::Call(_))),
        "{all:?}"
    );
}
