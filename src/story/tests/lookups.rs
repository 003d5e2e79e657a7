//! What one look-up may take: several servers, search domains, TCP.

use simple_dns::{RCODE, TYPE};

use super::resolving::{TCP, UDP, answers, asks, carries, resolver, shown, web};
use super::*;
use crate::protocol::Source;

/// The same in a stream, with its length before it.
pub(super) fn framed(mut act: Act) -> Act {
    let Value::Data(data) = &act.event.call.args[1].value else {
        panic!("no data")
    };
    let mut bytes = (data.len as u16).to_be_bytes().to_vec();
    bytes.extend(&data.bytes);
    act.event.call.raw.args[2] += 2;
    act = act.gives(bytes.len() as i64);
    carries(act, bytes)
}

/// An answer that did not fit into its datagram, but for these addresses.
pub(super) fn cut(fd: i32, id: u16, name: &str, addresses: &[[u8; 4]]) -> Act {
    let act = answers(fd, id, name, TYPE::A, addresses, RCODE::NoError);
    let Value::Data(data) = &act.event.call.args[1].value else {
        panic!("no data")
    };
    let mut bytes = data.bytes.clone();
    // TC (RFC 1035 section 4.1.1).
    bytes[2] |= 2;
    carries(act, bytes)
}

/// A resolver's stream at descriptor 3 as [`resolver`] has its datagrams.
fn by_stream(id: SocketId, at: u64, server: SockAddr, talk: Vec<Act>) -> Vec<Event> {
    let mut acts = vec![makes_kind(3, id, TCP), connect(3, server)];
    acts.extend(talk.into_iter().map(framed));
    acts.push(close(3).releases(id));
    let acts = acts.into_iter().enumerate();
    acts.map(|(step, act)| {
        let act = if step == 0 {
            act
        } else {
            act.on_kind(3, id, TCP)
        };
        act.at((at + step as u64) * MS, 1000).done()
    })
    .collect()
}

fn servers(told: &[Told]) -> Vec<(By, bool)> {
    let resolution = told.iter().find_map(|told| match &told.what {
        What::Resolved(it) => Some(it),
        _ => None,
    });
    let servers = &resolution.expect("one").servers;
    servers.iter().map(|it| (it.by, it.answered)).collect()
}

#[test]
fn a_cut_answer_is_asked_for_by_tcp() {
    let name = "example.com";
    let mut events = resolver(
        1,
        1,
        [10, 0, 0, 2],
        vec![asks(3, 7, name, TYPE::A), cut(3, 7, name, &[])],
    );
    let talk = || {
        let found = &[[192, 0, 2, 1]];
        vec![
            asks(3, 7, name, TYPE::A),
            answers(3, 7, name, TYPE::A, found, RCODE::NoError),
        ]
    };
    let after = |server| {
        let mut events = events.clone();
        events.extend(by_stream(2, 10, server, talk()));
        events.extend(web(3, 20, [192, 0, 2, 1]));
        tell(events).1
    };
    let told = after(inet([10, 0, 0, 2], 53));
    let used = ["1 socket", "1 connect example.com", "1 close example.com"];
    assert_eq!(shown(&told)[0], "0 example.com A Found 192.0.2.1");
    assert_eq!(shown(&told)[1..], used);
    assert_eq!(servers(&told), [(By::Udp, true), (By::Tcp, true)]);
    // What is no name server's port says nothing of a stream; that it was asked before does.
    let told = after(inet([10, 0, 0, 2], 5353));
    assert_eq!(shown(&told)[..2], ["0 example.com A Cut", "1 socket"]);
    // Nor does the answer have to be asked for again: what did fit in is used.
    events = resolver(
        1,
        1,
        [10, 0, 0, 2],
        vec![
            asks(3, 7, name, TYPE::A),
            cut(3, 7, name, &[[192, 0, 2, 1]]),
        ],
    );
    events.extend(web(3, 20, [192, 0, 2, 1]));
    let told = tell(events).1;
    assert_eq!(shown(&told)[0], "0 example.com A Cut 192.0.2.1");
    assert_eq!(shown(&told)[1..], used);
}

#[test]
fn a_stream_is_the_program_s_own_unless_it_asks_a_name_server() {
    let server = || inet([10, 0, 0, 2], 53);
    let plain = |talk: Vec<Act>| {
        let mut events = vec![makes_kind(3, 1, TCP), connect(3, server())];
        events.extend(talk);
        events.push(close(3).releases(1));
        let events = events.into_iter().enumerate().map(|(step, act)| {
            let act = if step == 0 {
                act
            } else {
                act.on_kind(3, 1, TCP)
            };
            act.at(step as u64 * MS, 1000).done()
        });
        shown(&tell(events.collect()).1)
    };
    assert_eq!(
        plain(vec![sendto(3, b"hello")]),
        ["1 socket", "1 connect", "1 sendto", "1 close"]
    );
    assert_eq!(plain(vec![]), ["1 socket", "1 connect", "1 close"]);
    let question = framed(asks(3, 7, "example.com", TYPE::A));
    let answer = framed(answers(3, 7, "example.com", TYPE::A, &[], RCODE::NoError));
    // That is told later, as one line.
    assert!(plain(vec![question, answer]).is_empty());
}

#[test]
fn a_stream_is_held_back_until_its_thread_does_something_else() {
    let mut story = Story::new(Options::default());
    let mut step = |act: Act, at: u64| shown(&story.tell(act.at(at * MS, 1000).done()));
    assert!(step(makes(3, 1), 1).is_empty());
    assert_eq!(step(makes(4, 2), 2), ["1 socket"]);
    assert_eq!(
        step(connect(4, inet([192, 0, 2, 1], 80)).on(4, 2), 3),
        ["2 socket", "2 connect"]
    );
    assert!(step(makes(5, 3), 4).is_empty());
    assert!(shown(&tick(&mut story, 100 * MS)).is_empty());
    assert_eq!(shown(&tick(&mut story, 300 * MS)), ["3 socket"]);
}

#[test]
fn a_server_that_cannot_be_reached_by_tcp() {
    let name = "example.com";
    let talk = vec![asks(3, 7, name, TYPE::A), cut(3, 7, name, &[])];
    let mut events = resolver(1, 1, [10, 0, 0, 2], talk);
    let refused = connect(3, inet([10, 0, 0, 2], 53)).on_kind(3, 2, TCP);
    let end = close(3).on_kind(3, 2, TCP).releases(2);
    events.extend([
        makes_kind(3, 2, TCP).at(10 * MS, 1000).done(),
        refused.fails(libc::ECONNREFUSED).at(11 * MS, 1000).done(),
        end.at(12 * MS, 1000).done(),
    ]);
    let told = told_in_the_end(events);
    assert_eq!(shown(&told), ["0 example.com A Cut"]);
    assert_eq!(servers(&told), [(By::Udp, true), (By::Tcp, false)]);
}

/// As musl does it: after a while the same socket asks once more.
#[test]
fn a_server_that_refuses_is_asked_again_in_one_story() {
    let name = "example.com";
    let refuses = || answers(3, 7, name, TYPE::A, &[], RCODE::ServerFailure);
    let question = || asks(3, 7, name, TYPE::A);
    let talk = vec![question(), refuses(), question(), refuses()];
    let mut story = Story::new(Options::default());
    let mut told = Vec::new();
    for (step, event) in resolver(1, 1, [10, 0, 0, 2], talk).into_iter().enumerate() {
        told.extend(story.tell(event));
        if step == 3 {
            told.extend(tick(&mut story, 1000 * MS));
            assert!(shown(&told).is_empty());
        }
    }
    told.extend(tick(&mut story, 2000 * MS));
    assert_eq!(shown(&told), ["0 example.com A Refused(\"SERVFAIL\")"]);
    assert_eq!(resolution(&told).servers[0].times, 2);
}

#[test]
fn numbers_of_streams_that_are_apart_are_given_anew() {
    let server = || inet([10, 0, 0, 2], 53);
    let on = |act: Act, id: u64, at: u64| act.on_kind(2 + id as i32, id, TCP).at(at * MS, 1000);
    let question = |fd| framed(asks(fd, 7, "example.com", TYPE::A));
    let mut events = vec![
        makes_kind(3, 1, TCP).at(MS, 1000).done(),
        on(connect(3, server()), 1, 2).done(),
        makes_kind(4, 2, TCP).at(3 * MS, 1000).done(),
        on(connect(4, server()), 2, 4).done(),
        on(question(3), 1, 5).done(),
        on(question(4), 2, 6).done(),
    ];
    events.extend(web(3, 20, [192, 0, 2, 1]));
    let lines = shown(&tell(events).1);
    assert_eq!(lines, ["1 socket", "1 connect", "1 close"]);
}

/// Makes it a datagram to, or from, that server.
fn with(mut act: Act, server: [u8; 4]) -> Act {
    act.event.call.args[4].value = address(inet(server, 53));
    act
}

fn resolution(told: &[Told]) -> &Resolution {
    let mut all = told.iter().filter_map(|told| match &told.what {
        What::Resolved(it) => Some(&**it),
        _ => None,
    });
    let first = all.next().expect("one");
    assert!(all.next().is_none());
    first
}

fn told_in_the_end(events: Vec<Event>) -> Vec<Told> {
    let (mut story, mut told) = tell(events);
    told.extend(story.end(10_000 * MS));
    told
}

/// As musl does it: one socket asks all servers at once, and the first answer is taken.
#[test]
fn servers_that_are_asked_at_once_are_not_waited_for() {
    let name = "example.com";
    let (first, second) = ([10, 0, 0, 2], [10, 0, 0, 3]);
    let answer = || {
        let found = &[[192, 0, 2, 1]];
        answers(3, 7, name, TYPE::A, found, RCODE::NoError)
    };
    let in_vain = |late: u64| {
        let acts = [
            (makes_kind(3, 1, UDP), 1),
            (with(asks(3, 7, name, TYPE::A), first), 2),
            (with(asks(3, 7, name, TYPE::A), second), 3 + late),
            (with(answer(), first), 4 + late),
            (close(3).releases(1), 5 + late),
        ];
        let events = acts.into_iter().map(|(act, at)| {
            let act = if at == 1 { act } else { act.on_kind(3, 1, UDP) };
            act.at(at * MS, 1000).done()
        });
        let told = told_in_the_end(events.collect());
        let resolution = resolution(&told);
        let servers = resolution.servers.iter();
        servers
            .map(|it| (it.answered, resolution.waited_in_vain(it)))
            .collect::<Vec<_>>()
    };
    // Who answered is who sent the answer, not who was asked last.
    assert_eq!(in_vain(0), [(true, false), (false, false)]);
    assert_eq!(in_vain(1000), [(true, false), (false, true)]);
}

#[test]
fn one_search_domain_after_the_other_is_one_story() {
    let tries = |names: &[(&'static str, RCODE)]| {
        let mut events = Vec::new();
        for (at, (name, code)) in names.iter().enumerate() {
            let found = &[[192, 0, 2, 1]][..usize::from(*code == RCODE::NoError)];
            let talk = vec![
                asks(3, 7, name, TYPE::A),
                answers(3, 7, name, TYPE::A, found, *code),
            ];
            events.extend(resolver(
                1 + at as u64,
                1 + 10 * at as u64,
                [10, 0, 0, 2],
                talk,
            ));
        }
        told_in_the_end(events)
    };
    let (no, yes) = (RCODE::NameError, RCODE::NoError);
    // The name that was wished is never asked for by itself.
    let told = tries(&[("shop.lan", no), ("shop.corp.example", yes)]);
    assert_eq!(resolution(&told).name, "shop.corp.example");
    assert_eq!(resolution(&told).tried, ["shop.lan"]);
    assert!(!resolution(&told).failed());
    // It comes last.
    let told = tries(&[("shop.lan", no), ("shop.corp.example", no), ("shop", no)]);
    assert_eq!(resolution(&told).name, "shop");
    assert_eq!(resolution(&told).tried, ["shop.lan", "shop.corp.example"]);
    assert!(resolution(&told).failed());
    // Names of two hosts, and one that was found.
    for [one, other] in [
        [("a.example", no), ("b.example", no)],
        [("a.example", yes), ("a.test", yes)],
    ] {
        assert_eq!(shown(&tries(&[one, other])).len(), 2);
    }
}

/// glibc looks at each address of a name with one socket, and lets go of it by AF_UNSPEC in between.
#[test]
fn a_look_at_many_addresses_is_the_name_service_s() {
    let name = "example.com";
    let found: Vec<_> = (1..=60).map(|last| [192, 0, 2, last]).collect();
    let talk = vec![
        asks(3, 7, name, TYPE::A),
        answers(3, 7, name, TYPE::A, &found, RCODE::NoError),
    ];
    let mut events = resolver(1, 1, [10, 0, 0, 2], talk);
    events.push(makes_kind(3, 2, UDP).at(10 * MS, 1000).done());
    for (at, ip) in found.iter().enumerate() {
        let nobody = SockAddr::Other {
            family: 0,
            bytes: Vec::new(),
        };
        for to in [inet(*ip, 80), nobody] {
            let act = connect(3, to).on_kind(3, 2, UDP);
            events.push(act.at((11 + at as u64) * MS, 1000).done());
        }
    }
    let end = close(3).on_kind(3, 2, UDP).releases(2);
    events.push(end.at(100 * MS, 1000).done());
    events.extend(web(3, 110, [192, 0, 2, 1]));
    let lines = shown(&tell(events).1);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[1], "1 socket");
}

/// What nscd is asked, and says: numbers in the machine's order, then bytes.
fn nscd(numbers: &[i32], rest: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<_> = numbers.iter().flat_map(|it| it.to_ne_bytes()).collect();
    bytes.extend(rest);
    bytes
}

/// A question to nscd by a socket of its own, and the answer in pieces.
fn by_nscd(id: SocketId, at: u64, question: Vec<u8>, answer: &[Vec<u8>]) -> Vec<Event> {
    let path = SockAddr::UnixPath(b"/var/run/nscd/socket".to_vec());
    let unix = (libc::AF_UNIX, libc::SOCK_STREAM, 0);
    let mut acts = vec![
        makes_kind(3, id, unix),
        connect(3, path).on_kind(3, id, unix),
        carries(sendto(3, &question), question).on_kind(3, id, unix),
    ];
    acts.extend(answer.iter().map(|piece| {
        let act = recvfrom(3, piece, piece.len() as u64, 2048);
        carries(act, piece.clone()).on_kind(3, id, unix)
    }));
    acts.push(close(3).on_kind(3, id, unix).releases(id));
    let acts = acts.into_iter().enumerate();
    acts.map(|(step, act)| act.at((at + step as u64) * MS, 1000).done())
        .collect()
}

#[test]
fn a_name_that_nscd_knows() {
    let hosts = nscd(&[2, 13, 6], b"hosts\0");
    let cache = [b"hosts\0\0\0\x01\0\0\0\0\0".to_vec()];
    let mut events = by_nscd(1, 1, hosts, &cache);
    let question = nscd(&[2, 14, 12], b"example.com\0");
    let answer = [
        nscd(&[2, 1, 1, 4, 0, 0], &[]),
        vec![192, 0, 2, 1, libc::AF_INET as u8],
    ];
    events.extend(by_nscd(2, 10, question, &answer));
    events.extend(web(3, 20, [192, 0, 2, 1]));
    let (_, told) = tell(events);
    assert_eq!(
        shown(&told),
        [
            // From there on names may be found without a call.
            "-1 recvfrom",
            "0 example.com addresses Found 192.0.2.1",
            "1 socket",
            "1 connect example.com",
            "1 close example.com",
        ]
    );
    assert_eq!(servers(&told), [(By::Nscd, true)]);
    assert_eq!(resolution(&told).source(), Source::Nscd);
}

#[test]
fn what_nscd_does_not_serve_is_asked_of_a_name_server() {
    let name = "example.com";
    let question = nscd(&[2, 14, 12], b"example.com\0");
    let mut events = by_nscd(1, 1, question, &[nscd(&[2, -1, 0, 0, 0, 0], &[])]);
    let found = &[[192, 0, 2, 1]];
    let talk = vec![
        asks(3, 7, name, TYPE::A),
        answers(3, 7, name, TYPE::A, found, RCODE::NoError),
    ];
    events.extend(resolver(2, 10, [10, 0, 0, 2], talk));
    let told = told_in_the_end(events);
    assert_eq!(shown(&told), ["0 example.com addresses+A Found 192.0.2.1"]);
    assert_eq!(servers(&told), [(By::Nscd, true), (By::Udp, true)]);
    assert_eq!(resolution(&told).source(), Source::Dns);
}
