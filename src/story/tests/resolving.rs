//! Stage 0: what resolvers do is told as what it is for, and what nobody asked about takes no number.

use std::net::{IpAddr, Ipv4Addr};

use simple_dns::rdata::RData;
use simple_dns::{
    CLASS, Name as DnsName, Packet, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};

use super::*;
use crate::syscall::Data;

pub(super) const UDP: (i32, i32, i32) = (libc::AF_INET, libc::SOCK_DGRAM, 0);
pub(super) const TCP: (i32, i32, i32) = (libc::AF_INET, libc::SOCK_STREAM, 0);
const UNIX: (i32, i32, i32) = (libc::AF_UNIX, libc::SOCK_STREAM, 0);

pub(super) fn question(id: u16, name: &str, kind: TYPE) -> Packet<'_> {
    let mut packet = Packet::new_query(id);
    let name = DnsName::new(name).expect("a name");
    let kind = QTYPE::TYPE(kind);
    packet
        .questions
        .push(Question::new(name, kind, QCLASS::CLASS(CLASS::IN), false));
    packet
}

pub(super) fn asks(fd: i32, id: u16, name: &str, kind: TYPE) -> Act {
    let bytes = question(id, name, kind)
        .build_bytes_vec()
        .expect("a message");
    carries(sendto(fd, &bytes), bytes)
}

pub(super) fn answers(
    fd: i32,
    id: u16,
    name: &str,
    kind: TYPE,
    addresses: &[[u8; 4]],
    code: RCODE,
) -> Act {
    let mut packet = Packet::new_reply(id);
    packet.questions = question(id, name, kind).questions;
    *packet.rcode_mut() = code;
    for address in addresses {
        let record = RData::A(Ipv4Addr::from(*address).into());
        let name = DnsName::new(name).expect("a name");
        packet
            .answers
            .push(ResourceRecord::new(name, CLASS::IN, 60, record));
    }
    let bytes = packet.build_bytes_vec().expect("a message");
    carries(recvfrom(fd, &bytes, bytes.len() as u64, 2048), bytes)
}

/// An answer with an IPv6 address, 2001:db8::7.
pub(super) fn answers_six(fd: i32, id: u16, name: &str) -> Act {
    let mut packet = Packet::new_reply(id);
    packet.questions = question(id, name, TYPE::AAAA).questions;
    let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
    let name = DnsName::new(name).expect("a name");
    let record = RData::AAAA(address.into());
    packet
        .answers
        .push(ResourceRecord::new(name, CLASS::IN, 60, record));
    let bytes = packet.build_bytes_vec().expect("a message");
    carries(recvfrom(fd, &bytes, bytes.len() as u64, 2048), bytes)
}

pub(super) fn carries(mut act: Act, bytes: Vec<u8>) -> Act {
    let len = bytes.len() as u64;
    act.event.call.args[1].value = Value::Data(Data { bytes, len });
    act
}

/// A resolver's socket at descriptor 3, which asks and gets its answers, 1 ms each, from a time on.
pub(super) fn resolver(id: SocketId, at: u64, server: [u8; 4], talk: Vec<Act>) -> Vec<Event> {
    let mut acts = vec![
        makes_kind(3, id, UDP),
        connect(3, inet(server, 53)).on_kind(3, id, UDP),
    ];
    acts.extend(talk.into_iter().map(|act| act.on_kind(3, id, UDP)));
    acts.push(close(3).on_kind(3, id, UDP).releases(id));
    let acts = acts.into_iter().enumerate();
    acts.map(|(step, act)| act.at((at + step as u64) * MS, 1000).done())
        .collect()
}

/// What is shown: the lines that fold left out, each with its number, what it is and its name.
pub(super) fn shown(told: &[Told]) -> Vec<String> {
    let shown = told.iter().filter(|told| !told.folds);
    let lines = shown.map(|told| {
        let conversation = told.conversation.as_ref();
        let number = conversation.map_or(0, |it| it.number);
        let name = conversation
            .and_then(|it| it.name.as_ref())
            .map_or("", |it| &*it.text);
        let what = match &told.what {
            What::Call(event) => event.call.name().to_owned(),
            What::Resolved(it) => {
                let addresses: Vec<_> = it.addresses.iter().map(ToString::to_string).collect();
                let asked: Vec<_> = it.asked.iter().map(|it| it.word()).collect();
                format!(
                    "{} {} {:?} {}",
                    it.name,
                    asked.join("+"),
                    it.upshot,
                    addresses.join(" ")
                )
            }
            What::Process(_) | What::Found(_) | What::AllFound(_) => "process".into(),
            other => format!("{other:?}"),
        };
        format!("{number} {what} {name}").trim().to_owned()
    });
    lines.filter(|line| line != "0 process").collect()
}

pub(super) fn web(id: SocketId, at: u64, address: [u8; 4]) -> Vec<Event> {
    vec![
        makes(4, id).at(at * MS, 1000).done(),
        connect(4, inet(address, 80))
            .on(4, id)
            .at((at + 1) * MS, 1000)
            .done(),
        close(4)
            .on(4, id)
            .releases(id)
            .at((at + 2) * MS, 1000)
            .done(),
    ]
}

#[test]
fn a_name_is_asked_for_and_used() {
    let talk = vec![
        asks(3, 7, "example.com", TYPE::A),
        asks(3, 8, "example.com", TYPE::AAAA),
        answers(
            3,
            7,
            "example.com",
            TYPE::A,
            &[[192, 0, 2, 1], [192, 0, 2, 2]],
            RCODE::NoError,
        ),
        answers(3, 8, "example.com", TYPE::AAAA, &[], RCODE::NoError),
    ];
    let mut events = vec![started(100, None, "curl", 0)];
    events.extend(resolver(1, 1, [10, 0, 0, 2], talk));
    // Looks whether the address can be reached: connects and sends nothing.
    events.push(makes_kind(3, 2, UDP).at(10 * MS, 1000).done());
    events.push(
        connect(3, inet([192, 0, 2, 1], 80))
            .on_kind(3, 2, UDP)
            .at(11 * MS, 1000)
            .done(),
    );
    events.push(
        close(3)
            .on_kind(3, 2, UDP)
            .releases(2)
            .at(12 * MS, 1000)
            .done(),
    );
    events.extend(web(3, 20, [192, 0, 2, 2]));
    let (_, told) = tell(events);
    assert_eq!(
        shown(&told),
        [
            "0 example.com A+AAAA Found 192.0.2.1 192.0.2.2",
            "1 socket",
            "1 connect example.com",
            "1 close example.com",
        ]
    );
    let resolution = told.iter().find_map(|told| match &told.what {
        What::Resolved(it) => Some(it.clone()),
        _ => None,
    });
    let resolution = resolution.expect("one");
    assert_eq!(resolution.addresses[0], IpAddr::from([192, 0, 2, 1]));
    let [server] = &resolution.servers[..] else {
        panic!("{:?}", resolution.servers)
    };
    assert_eq!(
        (server.times, server.answered, server.by),
        (1, true, By::Udp)
    );
    assert_eq!(server.address, Some(inet([10, 0, 0, 2], 53)));
    let took = told
        .iter()
        .find(|told| matches!(told.what, What::Resolved(_)));
    assert_eq!(took.and_then(|told| told.took), Some(3 * MS));
    // What is folded is told all the same, under numbers of its own.
    let apart: Vec<_> = told
        .iter()
        .filter_map(|told| Some(told.conversation.as_ref()?.number))
        .collect();
    assert!(
        apart.contains(&-1) && apart.contains(&-2) && !apart.contains(&0),
        "{apart:?}"
    );
}

#[test]
fn search_domains_and_a_dead_server_are_one_story() {
    let name = "shop.corp.example";
    let long = "shop.corp.example.lan";
    let mut events = resolver(
        1,
        1,
        [10, 0, 0, 2],
        vec![asks(3, 1, name, TYPE::A), asks(3, 1, name, TYPE::A)],
    );
    let nx = |id, name| answers(3, id, name, TYPE::A, &[], RCODE::NameError);
    events.extend(resolver(
        2,
        10,
        [10, 0, 0, 3],
        vec![asks(3, 1, name, TYPE::A), nx(1, name)],
    ));
    events.extend(resolver(
        3,
        20,
        [10, 0, 0, 3],
        vec![asks(3, 2, long, TYPE::A), nx(2, long)],
    ));
    let mut story = Story::new(Options::default());
    let mut told: Vec<_> = events
        .into_iter()
        .flat_map(|event| story.tell(event))
        .collect();
    assert!(shown(&told).is_empty());
    told.extend(tick(&mut story, 30 * MS));
    assert!(shown(&told).is_empty(), "another question may follow");
    told.extend(tick(&mut story, 300 * MS));
    assert_eq!(shown(&told), ["0 shop.corp.example A NoSuchName"]);
    let What::Resolved(resolution) = &told.last().expect("one").what else {
        panic!("{told:?}")
    };
    assert_eq!(resolution.tried, [long]);
    let servers: Vec<_> = resolution
        .servers
        .iter()
        .map(|it| (it.times, it.answered))
        .collect();
    assert_eq!(servers, [(2, false), (1, true)]);
    assert_eq!(
        told.last().map(|told| told.importance),
        Some(Importance::Error)
    );
    let rest = story.end(MS);
    assert!(
        rest.iter()
            .all(|told| matches!(told.what, What::AllFound(_))),
        "{rest:?}"
    );
}

#[test]
fn every_call_is_numbered_where_every_call_is_shown() {
    let verbose = Options {
        verbose: true,
        ..Options::default()
    };
    let mut story = Story::new(verbose);
    let talk = vec![
        asks(3, 7, "example.com", TYPE::A),
        answers(
            3,
            7,
            "example.com",
            TYPE::A,
            &[[192, 0, 2, 1]],
            RCODE::NoError,
        ),
    ];
    let mut events = resolver(1, 1, [10, 0, 0, 2], talk);
    events.extend(web(2, 10, [192, 0, 2, 1]));
    let told: Vec<_> = events
        .into_iter()
        .flat_map(|event| story.tell(event))
        .collect();
    let lines = shown(&told);
    assert_eq!(lines[..2], ["1 socket", "1 connect"]);
    assert_eq!(
        lines[5..],
        ["2 socket", "2 connect example.com", "2 close example.com"]
    );
}

#[test]
fn datagrams_that_are_no_questions_are_the_program_s_own() {
    let events = resolver(
        1,
        1,
        [10, 0, 0, 2],
        vec![carries(sendto(3, b"hello"), b"hello".to_vec())],
    );
    let (_, told) = tell(events);
    assert_eq!(
        shown(&told),
        ["1 socket", "1 connect", "1 sendto", "1 close"]
    );
    // Nor is one who only wishes to know by which of its addresses it would go.
    let (_, told) = tell(resolver(1, 1, [10, 0, 0, 2], vec![]));
    assert_eq!(shown(&told), ["1 socket", "1 connect", "1 close"]);
}

fn pair(at: u64) -> Event {
    let fds = Value::List {
        items: vec![Value::Fd(5), Value::Fd(6)],
        more: false,
    };
    let args = vec![
        ("domain", Value::Int(1)),
        ("type", Value::Int(1)),
        ("protocol", Value::Int(0)),
        ("sv", fds),
    ];
    let act = Act::new(Sysno::socketpair, args)
        .on_kind(5, 1, UNIX)
        .on_kind(6, 2, UNIX);
    act.at(at * MS, 1000).done()
}

#[test]
fn a_pair_is_told_of_once_another_process_has_it() {
    let inside = vec![
        pair(1),
        sendto(5, b"wake")
            .on_kind(5, 1, UNIX)
            .at(2 * MS, 1000)
            .done(),
        recvfrom(6, b"wake", 4, 4)
            .on_kind(6, 2, UNIX)
            .at(3 * MS, 1000)
            .done(),
        close(5)
            .on_kind(5, 1, UNIX)
            .releases(1)
            .at(4 * MS, 1000)
            .done(),
        close(6)
            .on_kind(6, 2, UNIX)
            .releases(2)
            .at(5 * MS, 1000)
            .done(),
    ];
    assert!(shown(&tell(inside).1).is_empty());
    let between = vec![
        started(100, None, "parent", 0),
        pair(1),
        started(200, Some(100), "child", 2 * MS),
        sendto(5, b"hello")
            .on_kind(5, 1, UNIX)
            .at(3 * MS, 1000)
            .done(),
        recvfrom(6, b"hello", 5, 5)
            .on_kind(6, 2, UNIX)
            .by(200, 200)
            .at(4 * MS, 1000)
            .done(),
    ];
    let (_, told) = tell(between);
    assert_eq!(shown(&told), ["1 socketpair", "1 sendto", "2 recvfrom"]);
    let joined = told.iter().find_map(|told| told.meaning.clone());
    assert_eq!(joined, Some(Meaning::Joined(1, 2)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done with sockets of the name service's kinds: each call is told once, in the end.
    #[test]
    fn nothing_is_held_back_for_good(steps in prop::collection::vec((0..10u8, 0..4u64), 0..60)) {
        let mut story = Story::new(Options::default());
        let mut calls = 0;
        let mut told = Vec::new();
        for (time, (step, which)) in steps.into_iter().enumerate() {
            let (id, fd) = (which + 1, which as i32 + 3);
            let kind = [UDP, UDP, UNIX, TCP][which as usize];
            let act = match step {
                0 => makes_kind(fd.into(), id, kind),
                1 => connect(fd, inet([10, 0, 0, 2], 53)).on_kind(fd, id, kind),
                2 => asks(fd, 7, "example.com", TYPE::A).on_kind(fd, id, kind),
                3 => answers(fd, 7, "example.com", TYPE::A, &[[192, 0, 2, 1]], RCODE::NoError).on_kind(fd, id, kind),
                4 => sendto(fd, b"hello").on_kind(fd, id, kind),
                5 => setsockopt(fd).on_kind(fd, id, kind),
                6 => super::lookups::framed(asks(fd, 7, "example.com", TYPE::A)).on_kind(fd, id, kind),
                7 => connect(fd, inet([10, 0, 0, 2], 80)).on_kind(fd, id, kind),
                8 => connect(fd, SockAddr::UnixPath(b"/run/nscd/socket".to_vec())).on_kind(fd, id, kind),
                _ => close(fd).on_kind(fd, id, kind).releases(id),
            };
            calls += 1;
            told.extend(story.tell(act.at(time as u64 * MS, 1000).done()));
        }
        told.extend(story.end(100 * MS));
        let mentioned = told.iter().filter(|told| matches!(told.what, What::Call(_))).count();
        prop_assert_eq!(mentioned, calls);
        prop_assert!(told.iter().all(|told| told.conversation.as_ref().is_none_or(|it| it.number != 0)));
    }
}

/// Two tries for one name: the first goes on without an answer, the second one connects.
#[test]
fn tries_for_one_name_are_a_race() {
    let talk = vec![
        asks(3, 7, "example.com", TYPE::A),
        answers(
            3,
            7,
            "example.com",
            TYPE::A,
            &[[192, 0, 2, 1], [192, 0, 2, 2]],
            RCODE::NoError,
        ),
    ];
    let mut events = resolver(1, 1, [10, 0, 0, 2], talk);
    let first = || inet([192, 0, 2, 1], 80);
    events.extend([
        makes(4, 2).at(10 * MS, 1000).done(),
        connect(4, first())
            .on(4, 2)
            .fails(libc::EINPROGRESS)
            .at(11 * MS, 1000)
            .done(),
        makes(5, 3).at(210 * MS, 1000).done(),
        connect(5, inet([192, 0, 2, 2], 80))
            .on(5, 3)
            .at(211 * MS, MS)
            .done(),
        close(4).on(4, 2).releases(2).at(220 * MS, 1000).done(),
    ]);
    let (_, told) = tell(events);
    let winner = told
        .iter()
        .rev()
        .find_map(|told| told.conversation.clone().filter(|it| it.number == 2));
    let rival = Rival {
        peer: first(),
        before: 200 * MS,
        errno: None,
    };
    assert_eq!(winner.expect("the second one").rivals, [rival]);
    let (number, farewell) = farewells(&told).pop().expect("the first one's end");
    assert_eq!((number, farewell.fate), (1, Fate::Lost(2)));
}
