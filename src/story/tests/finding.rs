//! Each finding by a program that provokes it, and by one that comes near and must stay silent.

use std::collections::BTreeSet;

use super::resolving::{answers, asks, resolver};
use super::stack;
use super::*;
use crate::story::finding_kinds;
use crate::syscall::Data;
use simple_dns::{RCODE, TYPE};

const V6: (i32, i32, i32) = (libc::AF_INET6, libc::SOCK_STREAM, 6);
const UNIX: (i32, i32, i32) = (libc::AF_UNIX, libc::SOCK_STREAM, 0);
const DGRAM: (i32, i32, i32) = (libc::AF_INET, libc::SOCK_DGRAM, 17);

fn peer() -> SockAddr {
    inet([192, 0, 2, 9], 80)
}

/// The names of what is found in a program, at its end and on the way; the story is asked what is waited for at those times.
fn found(events: Vec<Event>, ticks: &[u64]) -> BTreeSet<&'static str> {
    let mut story = Story::new(Options::default());
    let mut told: Vec<_> = events
        .into_iter()
        .flat_map(|event| story.tell(event))
        .collect();
    for tick in ticks {
        told.extend(story.tick(*tick * MS));
    }
    told.extend(story.end(100_000 * MS));
    let found: BTreeSet<_> = told
        .iter()
        .filter_map(|told| match &told.what {
            What::Found(finding) => Some(finding.kind.name),
            _ => None,
        })
        .collect();
    let last = told.iter().find_map(|told| match &told.what {
        What::AllFound(all) => Some(all.iter().map(|it| it.kind.name).collect::<BTreeSet<_>>()),
        _ => None,
    });
    assert_eq!(last.unwrap_or_default(), found);
    found
}

fn on(acts: Vec<Act>, id: SocketId) -> Vec<Event> {
    let acts = acts.into_iter().enumerate();
    acts.map(|(step, act)| {
        let act = act.on(3, id);
        let (start, end) = (act.event.start, act.event.end);
        match (start, end) {
            (0, 0) => act.at(step as u64 * MS, 1000).done(),
            _ => act.done(),
        }
    })
    .collect()
}

/// A handshake at descriptor 3 that goes on without its program.
fn connecting() -> Vec<Event> {
    let connect = connect(3, peer()).on(3, 1).fails(libc::EINPROGRESS);
    vec![makes(3, 1).done(), connect.at(MS, 1000).done()]
}

/// A connection at descriptor 3 to a peer, with those calls on it, closed at the end.
fn connection(id: SocketId, to: SockAddr, acts: Vec<Act>) -> Vec<Event> {
    let mut all = vec![makes(3, id), connect(3, to)];
    all.extend(acts);
    let mut events = on(all, id);
    events.push(close(3).on(3, id).releases(id).at(90_000 * MS, 1000).done());
    events
}

fn closed_at(mut events: Vec<Event>, id: SocketId, at: u64) -> Vec<Event> {
    events.pop();
    events.push(close(3).on(3, id).releases(id).at(at * MS, 1000).done());
    events
}

fn nodelay() -> Act {
    let mut act = setsockopt(3);
    act.event.call.raw.args[1..3].copy_from_slice(&[6, 1]);
    act
}

fn whole(mut act: Act, bytes: &[u8]) -> Act {
    let data = Data {
        bytes: bytes.to_vec(),
        len: bytes.len() as u64,
    };
    act.event.call.args[1].value = Value::Data(data);
    act
}

fn get(times: usize, answer: impl Fn(usize) -> u64) -> Vec<Act> {
    let mut at = 10;
    let mut acts = Vec::new();
    for time in 0..times {
        acts.push(sendto(3, b"ask").at(at * MS, 1000));
        at += answer(time);
        acts.push(recvfrom(3, b"say", 3, 100).at(at * MS, 1000));
        at += 1;
    }
    acts
}

/// A finding's programs.
pub type Programs = (&'static str, Vec<Event>, Vec<Event>, Vec<u64>);

/// The name, a program that provokes it, one that nearly does, and when the story is asked what is waited for.
fn programs() -> Vec<Programs> {
    let web = |id, acts| connection(id, peer(), acts);
    let refuse = |errno| {
        vec![
            makes(3, 1).on(3, 1).done(),
            connect(3, peer()).on(3, 1).fails(errno).at(MS, MS).done(),
        ]
    };
    let unix = |errno: i32, path: &[u8]| {
        let connect = connect(3, SockAddr::UnixPath(path.to_vec())).on_kind(3, 1, UNIX);
        vec![
            makes_kind(3, 1, UNIX).done(),
            connect.fails(errno).at(MS, 1000).done(),
        ]
    };
    let v6 = || SockAddr::Inet6 {
        ip: "2001:db8::7".parse().unwrap(),
        port: 80,
        flowinfo: 0,
        scope: 0,
    };
    let six = |errno| {
        vec![
            makes_kind(3, 1, V6).done(),
            connect(3, v6())
                .on_kind(3, 1, V6)
                .fails(errno)
                .at(MS, 1000)
                .done(),
        ]
    };
    let hang = |ends| {
        let mut events = connecting();
        if ends {
            events.push(polls(3, 4).on(3, 1).at(2 * MS, 1000).done());
            events.push(so_error(3, 0).on(3, 1).at(3 * MS, 1000).done());
        }
        events
    };
    let name = |talk: Vec<Act>| resolver(7, 1, [10, 0, 0, 2], talk);
    let nx = |code| {
        name(vec![
            asks(3, 1, "a.example", TYPE::A),
            answers(3, 1, "a.example", TYPE::A, &[], code),
        ])
    };
    let good = || {
        vec![
            asks(3, 1, "a.example", TYPE::A),
            answers(
                3,
                1,
                "a.example",
                TYPE::A,
                &[[192, 0, 2, 9]],
                RCODE::NoError,
            ),
        ]
    };
    let too_long = |cut: bool| {
        let answer = match cut {
            true => super::lookups::cut(3, 1, "a.example", &[]),
            false => answers(3, 1, "a.example", TYPE::A, &[], RCODE::NoError),
        };
        let talk = vec![asks(3, 1, "a.example", TYPE::A), answer];
        resolver(7, 1, [10, 0, 0, 2], talk)
    };
    let slow = |took: u64| {
        let mut events = resolver(7, 1, [10, 0, 0, 2], good());
        if let Event::Call(call) = &mut events[3] {
            (call.start, call.end) = (3 * MS, took * MS);
        }
        events
    };
    let second = |ask: bool| {
        let mut events = Vec::new();
        if ask {
            events.extend(resolver(
                6,
                1,
                [10, 0, 0, 1],
                vec![asks(3, 1, "a.example", TYPE::A)],
            ));
        }
        events.extend(resolver(7, 20, [10, 0, 0, 2], good()));
        events
    };
    let searched = |long| {
        let mut talk = vec![];
        if long {
            talk.push(asks(3, 9, "a.example.lan", TYPE::A));
            talk.push(answers(
                3,
                9,
                "a.example.lan",
                TYPE::A,
                &[],
                RCODE::NameError,
            ));
        }
        talk.extend(good());
        resolver(7, 1, [10, 0, 0, 2], talk)
    };
    let again = |times: u64| {
        (0..times)
            .flat_map(|time| {
                let mut events = resolver(10 + time, 100 * time + 1, [10, 0, 0, 2], good());
                events.push(makes(9, 50 + time).at((100 * time + 50) * MS, 1000).done());
                events
            })
            .collect::<Vec<_>>()
    };
    let six_first = |errno: i32, took: u64, then: u64| {
        let mut events = resolver(7, 1, [10, 0, 0, 2], {
            let mut talk = good();
            talk.push(asks(3, 2, "a.example", TYPE::AAAA));
            talk
        });
        // The name of the IPv6 address is learned as well.
        let mut aaaa = resolver(
            8,
            10,
            [10, 0, 0, 2],
            vec![
                asks(3, 3, "a.example", TYPE::AAAA),
                super::resolving::answers_six(3, 3, "a.example"),
            ],
        );
        events.append(&mut aaaa);
        events.push(makes_kind(3, 1, V6).at(20 * MS, 1000).done());
        events.push(
            connect(3, v6())
                .on_kind(3, 1, V6)
                .fails(errno)
                .at(21 * MS, took * MS)
                .done(),
        );
        events.extend(web(2, vec![]).into_iter().map(|event| later(event, then)));
        events
    };
    let bound = |errno| {
        let bind = bind(3, inet([127, 0, 0, 1], 8080)).on(3, 1);
        vec![
            makes(3, 1).done(),
            if errno == 0 { bind } else { bind.fails(errno) }
                .at(MS, 1000)
                .done(),
        ]
    };
    let listening = |ip| {
        vec![
            makes(3, 1).done(),
            bind(3, inet(ip, 8080)).on(3, 1).at(MS, 1000).done(),
            listen(3).on(3, 1).at(2 * MS, 1000).done(),
        ]
    };
    let left = |count: u64| {
        let mut events = vec![started(100, None, "leaky", 0)];
        for id in 1..=count {
            events.push(makes(3, id).at(id * MS, 1000).done());
            events.push(connect(3, peer()).on(3, id).at(id * MS + 2000, 1000).done());
        }
        events.push(exited(100, 0, (1..=count).collect(), 60 * MS));
        events
    };
    let abandoned = |for_ms: u64| closed_at(web(1, vec![recvfrom(3, b"", 0, 100)]), 1, 2 + for_ms);
    let many = |count: u64| {
        (1..=count)
            .flat_map(|id| {
                let events = web(id, vec![sendto(3, b"x")])
                    .into_iter()
                    .map(|event| later(event, id * 50));
                let mut events: Vec<_> = events.collect();
                events.pop();
                events.push(
                    close(3)
                        .on(3, id)
                        .releases(id)
                        .at((id * 50 + 20) * MS, 1000)
                        .done(),
                );
                events
            })
            .collect::<Vec<_>>()
    };
    let inherits = |user: i32| {
        vec![
            started(100, None, "server", 0),
            makes(3, 1).at(MS, 1000).done(),
            connect(3, peer()).on(3, 1).at(2 * MS, 1000).done(),
            started(200, Some(100), "child", 3 * MS),
            executed(200, "sleep", 4 * MS),
            sendto(3, b"x")
                .on(3, 1)
                .by(user, user)
                .at(5 * MS, 1000)
                .done(),
            close(3).on(3, 1).by(100, 100).at(6 * MS, 1000).done(),
            exited(200, 0, vec![1], 7 * MS),
        ]
    };
    let stall = |after: u64, option: bool| {
        let mut acts = vec![];
        if option {
            acts.push(nodelay());
        }
        acts.push(sendto(3, b"head").at(5 * MS, 1000));
        acts.push(sendto(3, b"body").at(6 * MS, 1000));
        acts.push(recvfrom(3, b"answer", 6, 100).at((6 + after) * MS, 1000));
        web(1, acts)
    };
    let bytes = |len: usize, count| {
        let piece = vec![b'x'; len];
        web(
            1,
            (0..count)
                .map(|at| sendto(3, &piece).at((5 + at) * MS, 1000))
                .collect(),
        )
    };
    let vain = |count: u64| {
        web(
            1,
            (0..count)
                .map(|at| {
                    recvfrom(3, b"", 0, 9)
                        .fails(libc::EAGAIN)
                        .at(5 * MS + at * 1000, 500)
                })
                .collect(),
        )
    };
    let silent = |option: bool| {
        let mut events = web(1, vec![]);
        events.pop();
        if option {
            let mut act = setsockopt(3).on(3, 1).at(3 * MS, 1000);
            act.event.call.raw.args[1..3].copy_from_slice(&[1, 20]);
            events.push(act.done());
        }
        events.push(receiving(3, 100).on(3, 1).at(4 * MS, 1000).waiting());
        events
    };
    let late = |last: u64| web(1, get(40, |time| if time == 35 { last } else { 2 }));
    let ebadf = |act: Act| vec![act.fails(libc::EBADF).done()];
    let pipe = |errno| web(1, vec![sendto(3, b"x").fails(errno)]);
    let fits = |errno| {
        vec![
            makes(3, 1).done(),
            connect(3, peer()).on(3, 1).fails(errno).at(MS, 1000).done(),
        ]
    };
    let cut = |len: u64, size| {
        vec![
            makes_kind(3, 1, DGRAM).done(),
            recvfrom(3, b"abc", len, size)
                .flagged(0x20)
                .on_kind(3, 1, DGRAM)
                .at(MS, 1000)
                .done(),
        ]
    };
    let short = |rest: bool| {
        let mut acts = vec![sendto(3, &[b'x'; 40]).gives(10)];
        if rest {
            acts.push(sendto(3, &[b'x'; 30]));
        }
        web(1, acts)
    };
    let clear = |to: SockAddr, secret: bool| {
        let field: &[u8] = if secret {
            b"Authorization: Basic aGk6aGk=\r\n"
        } else {
            b"Accept: */*\r\n"
        };
        let request = [b"GET / HTTP/1.1\r\nHost: a\r\n", field, b"\r\n"].concat();
        connection(1, to, vec![whole(sendto(3, &request), &request)])
    };
    let alert = |number: u8| {
        let hello = include_bytes!("client_hello.bin");
        let alert = [21, 3, 3, 0, 2, if number == 0 { 1 } else { 2 }, number];
        web(
            1,
            vec![
                whole(sendto(3, hello), hello),
                whole(recvfrom(3, &alert, 7, 100), &alert),
            ],
        )
    };
    let unread = |bytes| {
        let mut events = web(1, vec![sendto(3, b"x")]);
        if let Some(Event::Call(call)) = events.last_mut() {
            call.kernel = Some(Box::new(crate::kernel::Facts {
                unread: Some(bytes),
                ..Default::default()
            }));
        }
        events
    };
    let waited = |ends: bool| {
        let mut events = web(1, vec![]);
        let close = events.pop();
        let wait = receiving(3, 100).on(3, 1).by(100, 101);
        events.push(wait.at(4 * MS, 1000).waiting());
        if ends {
            let data = recvfrom(3, b"x", 1, 100).on(3, 1).by(100, 101);
            events.push(data.at(4 * MS, MS).done());
        }
        events.extend(close);
        events
    };
    let none = Vec::new;
    let mut all = vec![
        (
            "connect-refused",
            refuse(libc::ECONNREFUSED),
            refuse(libc::EINPROGRESS),
            none(),
        ),
        (
            "connect-no-server",
            unix(libc::ENOENT, b"/run/x.sock"),
            unix(libc::ENOENT, b"/var/run/nscd/socket"),
            none(),
        ),
        (
            "connect-unreachable",
            refuse(libc::ENETUNREACH),
            six(libc::ENETUNREACH),
            none(),
        ),
        (
            "no-ipv6",
            six(libc::ENETUNREACH),
            refuse(libc::ENETUNREACH),
            none(),
        ),
        (
            "connect-no-answer",
            hang(false),
            hang(true),
            vec![500, 1500],
        ),
        (
            "ipv6-first",
            six_first(libc::ETIMEDOUT, 800, 5000),
            six_first(libc::ETIMEDOUT, 20, 5000),
            none(),
        ),
        // Given up for IPv4 before anything had come of it.
        (
            "ipv6-first",
            six_first(libc::EINPROGRESS, 0, 120),
            six_first(libc::EINPROGRESS, 0, 40),
            none(),
        ),
        (
            "byte-order",
            connection(1, inet([192, 0, 2, 9], 20480), none_acts()),
            connection(1, inet([192, 0, 2, 9], 20481), none_acts()),
            none(),
        ),
        ("address-in-use", bound(libc::EADDRINUSE), bound(0), none()),
        (
            "listens-everywhere",
            listening([0, 0, 0, 0]),
            listening([127, 0, 0, 1]),
            none(),
        ),
        (
            "name-not-found",
            nx(RCODE::NameError),
            nx(RCODE::NoError),
            none(),
        ),
        (
            "name-server-silent",
            name(vec![asks(3, 1, "a.example", TYPE::A)]),
            name(good()),
            none(),
        ),
        (
            "name-server-refuses",
            nx(RCODE::ServerFailure),
            nx(RCODE::NameError),
            none(),
        ),
        ("answer-too-long", too_long(true), too_long(false), none()),
        ("resolver-slow", slow(900), slow(300), none()),
        ("second-name-server", second(true), second(false), none()),
        ("search-domains", searched(true), searched(false), none()),
        ("same-name-again", again(6), again(3), none()),
        ("descriptor-leak", left(3), left(2), none()),
        ("close-wait", abandoned(2000), abandoned(20), none()),
        ("many-connections", many(8), many(5), none()),
        ("inherited-socket", inherits(100), inherits(200), none()),
        ("closed-unread", unread(5), unread(0), none()),
        (
            "nagle-delayed-ack",
            stall(40, false),
            stall(40, true),
            none(),
        ),
        ("tiny-calls", bytes(1, 300), bytes(100, 300), none()),
        ("spinning", vain(600), vain(100), none()),
        (
            "no-timeout",
            silent(false),
            silent(true),
            vec![1100, 10_100],
        ),
        ("slow-answer", late(2500), late(20), none()),
        (
            "use-after-close",
            ebadf(sendto(5, b"x")),
            ebadf(sendto(-1, b"x")),
            none(),
        ),
        ("double-close", ebadf(close(5)), ebadf(close(1)), none()),
        ("closed-while-waited", waited(false), waited(true), none()),
        ("broken-pipe", pipe(libc::EPIPE), pipe(libc::EAGAIN), none()),
        (
            "wrong-address",
            fits(libc::EAFNOSUPPORT),
            fits(libc::ECONNREFUSED),
            none(),
        ),
        ("datagram-cut", cut(100, 3), cut(3, 100), none()),
        ("short-write", short(false), short(true), none()),
        (
            "credentials-in-clear",
            clear(peer(), true),
            clear(inet([127, 0, 0, 1], 80), true),
            none(),
        ),
        (
            "credentials-in-clear",
            clear(peer(), true),
            clear(peer(), false),
            none(),
        ),
        ("tls-alert", alert(40), alert(0), none()),
    ];
    all.extend(stack::findings());
    all
}

fn none_acts() -> Vec<Act> {
    Vec::new()
}

fn later(event: Event, by: u64) -> Event {
    match event {
        Event::Call(mut call) => {
            (call.start, call.end) = (call.start + by * MS, call.end + by * MS);
            Event::Call(call)
        }
        other => other,
    }
}

#[test]
fn each_is_provoked_and_missed_by_a_little() {
    for (name, provokes, misses, ticks) in programs() {
        let provoked = found(provokes, &ticks);
        assert!(provoked.contains(name), "{name} is not among {provoked:?}");
        let missed = found(misses, &ticks);
        assert!(!missed.contains(name), "{name} is among {missed:?}");
    }
}

#[test]
fn every_kind_has_its_programs_and_a_name_of_its_own() {
    let tried: BTreeSet<_> = programs().iter().map(|it| it.0).collect();
    let known: BTreeSet<_> = finding_kinds().map(|kind| kind.name).collect();
    assert_eq!(tried, known);
    assert_eq!(finding_kinds().count(), known.len());
}

#[test]
fn ordinary_programs_are_left_alone() {
    for events in [client(), server()] {
        let found = found(events, &[]);
        // Whether a port is open to all is worth a note.
        assert!(
            found
                .iter()
                .all(|name| *name == "listens-everywhere" || *name == "credentials"),
            "{found:?}"
        );
    }
}

#[test]
fn an_answer_that_comes_late_corrects_what_was_found() {
    let mut story = Story::new(Options::default());
    let mut told: Vec<_> = connecting()
        .into_iter()
        .flat_map(|event| story.tell(event))
        .collect();
    told.extend(story.tick(1500 * MS));
    let events = [
        polls(3, 4).on(3, 1).at(2000 * MS, 1000).done(),
        so_error(3, 0).on(3, 1).at(2001 * MS, 1000).done(),
    ];
    told.extend(events.into_iter().flat_map(|event| story.tell(event)));
    told.extend(story.end(3000 * MS));
    let all = told.iter().find_map(|told| match &told.what {
        What::AllFound(all) => Some(all.clone()),
        _ => None,
    });
    let [finding] = &all.expect("what was found")[..] else {
        panic!("not one finding in {told:?}")
    };
    assert_eq!(finding.kind.name, "connect-no-answer");
    assert_eq!(finding.seen, "192.0.2.9:80 answered only after 2.0 s.");
    assert!(finding.revised);
}
