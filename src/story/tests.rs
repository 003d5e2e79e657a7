//! What the story says of programs.

mod boundary;
mod finding;
mod lookups;
mod resolving;
mod stack;
mod transfers;

use std::collections::HashMap;

use proptest::prelude::*;
use syscalls::Sysno;

use super::scene::*;
use super::*;
use crate::syscall::names::{file, socket};
use crate::syscall::{Outcome, SockAddr, Value};

fn tell(events: Vec<Event>) -> (Story, Vec<Told>) {
    let mut story = Story::new(Options::default());
    let told = events
        .into_iter()
        .flat_map(|event| story.tell(event))
        // Findings have tests of their own.
        .filter(|told| !matches!(told.what, What::Found(_)))
        .collect();
    (story, told)
}

/// What is still waited for.
fn tick(story: &mut Story, now: u64) -> Vec<Told> {
    let mut told = story.tick(now);
    told.retain(|told| !matches!(told.what, What::Found(_)));
    told
}

fn farewells(told: &[Told]) -> Vec<(i64, Farewell)> {
    let farewell = |told: &Told| match &told.meaning {
        Some(Meaning::Farewell(farewell)) => {
            Some((told.conversation.as_ref()?.number, farewell.clone()))
        }
        _ => None,
    };
    told.iter().filter_map(farewell).collect()
}

#[test]
fn a_conversation_is_remembered_until_its_last_close() {
    let (story, told) = tell(client());
    assert_eq!(story.open(), 0);
    let expected = Farewell {
        out: REQUEST.len() as u64,
        received: 1591,
        first: Some(Side::Us),
        lived: Some(24_030_000),
        fate: Fate::Carried,
        peers: 0,
        kernel: None,
    };
    assert_eq!(farewells(&told), [(1, expected)]);
}

#[test]
fn who_closed_first_is_what_the_calls_prove() {
    let first = |calls: Vec<Act>| {
        let mut events = vec![
            makes(3, 1).done(),
            connect(3, inet([1, 2, 3, 4], 80)).on(3, 1).done(),
        ];
        events.extend(calls.into_iter().map(|act| act.on(3, 1).done()));
        events.push(close(3).on(3, 1).releases(1).done());
        farewells(&tell(events).1)[0].1.first
    };
    let shutdown = |how| {
        Act::new(
            Sysno::shutdown,
            vec![
                ("sockfd", Value::Fd(3)),
                ("how", Value::Const(&socket::SHUTDOWN, how)),
            ],
        )
    };
    let end = || recvfrom(3, b"", 0, 100);
    assert_eq!(first(vec![]), Some(Side::Us));
    assert_eq!(first(vec![end()]), Some(Side::Peer));
    // We had closed our direction before.
    assert_eq!(first(vec![shutdown(1), end()]), Some(Side::Us));
    assert_eq!(first(vec![end(), shutdown(1)]), Some(Side::Peer));
    // We had closed only theirs, so the end is of our making.
    assert_eq!(first(vec![shutdown(0), end()]), Some(Side::Us));
    assert_eq!(
        first(vec![recvfrom(3, b"", 0, 100).fails(libc::ECONNRESET)]),
        Some(Side::PeerByReset)
    );
    // Nothing was asked for, so nothing says that there was nothing.
    assert_eq!(first(vec![recvfrom(3, b"", 0, 0)]), Some(Side::Us));
}

#[test]
fn datagrams_listeners_and_the_unconnected_have_nobody_who_closed_first() {
    let udp = (libc::AF_INET, libc::SOCK_DGRAM, 17);
    let events = vec![
        makes_kind(3, 1, udp).done(),
        sendto(3, b"x").on_kind(3, 1, udp).done(),
        recvfrom(3, b"", 0, 100).on_kind(3, 1, udp).done(),
        close(3).on_kind(3, 1, udp).releases(1).done(),
        makes(3, 2).done(),
        listen(3).on(3, 2).done(),
        close(3).on(3, 2).releases(2).done(),
        makes(3, 3).done(),
        connect(3, inet([1, 2, 3, 4], 1))
            .on(3, 3)
            .fails(libc::ECONNREFUSED)
            .done(),
        close(3).on(3, 3).releases(3).done(),
    ];
    let said = farewells(&tell(events).1);
    let fates: Vec<_> = said
        .iter()
        .map(|(_, farewell)| (farewell.fate, farewell.first))
        .collect();
    assert_eq!(
        fates,
        [
            (Fate::Carried, None),
            (Fate::Listened(0), None),
            (Fate::NeverConnected, None)
        ]
    );
}

#[test]
fn an_answer_of_no_error_proves_a_connection_only_after_polling_said_something() {
    let begin = || {
        vec![
            makes(3, 1).done(),
            connect(3, inet([1, 2, 3, 4], 80))
                .on(3, 1)
                .fails(libc::EINPROGRESS)
                .at(MS, 9)
                .done(),
        ]
    };
    let connected = |events: Vec<Event>| {
        tell(events)
            .1
            .iter()
            .filter(|told| matches!(told.what, What::Connected))
            .count()
    };

    let mut hasty = begin();
    hasty.push(so_error(3, 0).on(3, 1).at(2 * MS, 9).done());
    assert_eq!(connected(hasty), 0);

    let mut patient = begin();
    patient.push(polls(3, 4).on(3, 1).at(2 * MS, MS).done());
    patient.push(so_error(3, 0).on(3, 1).at(4 * MS, 9).done());
    patient.push(sendto(3, b"x").on(3, 1).at(5 * MS, 9).done());
    assert_eq!(connected(patient), 1);

    let mut first_byte = begin();
    first_byte.push(sendto(3, b"").on(3, 1).at(5 * MS, 9).done());
    assert_eq!(connected(first_byte.clone()), 0);
    first_byte.push(sendto(3, b"x").on(3, 1).at(6 * MS, 9).done());
    assert_eq!(connected(first_byte), 1);
}

#[test]
fn a_call_that_ends_after_the_close_it_overlapped_makes_no_new_conversation() {
    let late = recvfrom(3, b"late", 4, 100)
        .on(3, 1)
        .by(100, 101)
        .at(MS, 9 * MS)
        .done();
    let reused = makes(3, 2).at(20 * MS, 9).done();
    let used = connect(3, inet([192, 0, 2, 1], 80)).on(3, 2);
    let (story, told) = tell(vec![
        makes(3, 1).done(),
        close(3).on(3, 1).releases(1).at(5 * MS, 9).done(),
        late,
        reused,
        used.at(21 * MS, 9).done(),
    ]);
    let numbers: Vec<_> = told
        .iter()
        .map(|told| told.conversation.as_ref().unwrap().number)
        .collect();
    assert_eq!(numbers, [1, 1, 1, 2, 2]);
    assert_eq!(story.open(), 1);
}

#[test]
fn a_socket_on_its_way_between_processes_lives_on() {
    let (story, told) = tell(vec![
        makes(3, 1).done(),
        close(3).on(3, 1).releases(1).at(5 * MS, 9).done(),
        sendto(4, b"x").on(4, 1).by(200, 200).at(9 * MS, 9).done(),
    ]);
    assert_eq!(
        told.last().unwrap().conversation.as_ref().unwrap().number,
        1
    );
    assert_eq!(story.open(), 1);
}

#[test]
fn the_time_until_an_answer_is_the_asker_s() {
    let after = |events| {
        tell(events)
            .1
            .iter()
            .map(|told| {
                // The calls themselves took no time.
                assert!(told.took.is_none_or(|took| took == 0));
                told.after
            })
            .collect::<Vec<_>>()
    };
    let asks = vec![
        makes(3, 1).done(),
        sendto(3, b"a").on(3, 1).at(MS, 0).done(),
        sendto(3, b"b").on(3, 1).at(2 * MS, 0).done(),
        recvfrom(3, b"c", 1, 9).on(3, 1).at(5 * MS, 0).done(),
        recvfrom(3, b"d", 1, 9).on(3, 1).at(9 * MS, 0).done(),
    ];
    assert_eq!(after(asks), [None, None, None, Some(3 * MS), None]);
    let answers = vec![
        makes(3, 1).done(),
        recvfrom(3, b"a", 1, 9).on(3, 1).at(MS, 0).done(),
        sendto(3, b"b").on(3, 1).at(4 * MS, 0).done(),
        recvfrom(3, b"c", 1, 9).on(3, 1).at(90 * MS, 0).done(),
    ];
    assert_eq!(after(answers), [None, None, Some(3 * MS), None]);
    let mut greeted = connected(3, 1);
    greeted.push(recvfrom(3, b"220", 3, 9).on(3, 1).at(MS, 0).done());
    greeted.push(sendto(3, b"EHLO").on(3, 1).at(5 * MS, 0).done());
    greeted.push(recvfrom(3, b"250", 3, 9).on(3, 1).at(7 * MS, 0).done());
    assert_eq!(after(greeted)[2..], [None, None, Some(2 * MS)]);
}

#[test]
fn what_is_still_waited_for_is_said_thrice() {
    let mut story = Story::new(Options::default());
    let web = inet([1, 2, 3, 4], 80);
    for event in [
        makes(3, 1).done(),
        connect(3, web.clone())
            .on(3, 1)
            .fails(libc::EINPROGRESS)
            .at(0, 9)
            .done(),
    ] {
        story.tell(event);
    }
    let said: Vec<_> = (0..700)
        .flat_map(|tenths| tick(&mut story, tenths * 100 * MS))
        .map(|told| told.meaning)
        .collect();
    let still = |seconds: u64| {
        Some(Meaning::StillWaiting {
            peer: Some(web.clone()),
            elapsed: (seconds * 1000 + 300) * MS,
            syns: None,
        })
    };
    assert_eq!(said, [still(1), still(10), still(60)]);
}

#[test]
fn a_server_s_idle_peers_and_listeners_are_not_waited_for() {
    let mut story = Story::new(Options::default());
    let peer = || inet([1, 2, 3, 4], 5);
    for event in [
        makes(3, 1).done(),
        listen(3).on(3, 1).done(),
        accept(3, peer()).on(3, 1).on(4, 2).gives(4).done(),
        receiving(4, 100).on(4, 2).by(100, 101).waiting(),
        accept(3, peer()).on(3, 1).by(100, 102).waiting(),
    ] {
        story.tell(event);
    }
    assert!(tick(&mut story, 90_000 * MS).is_empty());
}

#[test]
fn polling_for_an_answer_is_waiting_for_it() {
    let mut story = Story::new(Options::default());
    for event in [
        makes(3, 1).done(),
        connect(3, inet([1, 2, 3, 4], 5)).on(3, 1).done(),
        sendto(3, b"?").on(3, 1).at(500 * MS, 0).done(),
        polls(3, 0).on(3, 1).at(600 * MS, MS).waiting(),
    ] {
        story.tell(event);
    }
    assert!(tick(&mut story, 1_400 * MS).is_empty());
    assert_eq!(tick(&mut story, 1_500 * MS).len(), 1);
}

/// epoll_wait(2), which names no socket.
fn epolls(count: i64) -> Act {
    let args = vec![
        ("epfd", Value::Fd(9)),
        ("events", Value::Pointer(0x7ffc_0000_1000)),
        ("maxevents", Value::Int(64)),
        ("timeout", Value::Int(-1)),
    ];
    Act::new(Sysno::epoll_wait, args).gives(count)
}

fn connected(fd: i32, id: u64) -> Vec<Event> {
    vec![
        makes(fd.into(), id).done(),
        connect(fd, inet([1, 2, 3, 4], 80)).on(fd, id).done(),
    ]
}

/// At which tenths of a second something is said to be waited for, and of which conversation.
fn reminders(events: Vec<Event>) -> Vec<(u64, i64)> {
    reminders_with(Options::default(), events)
}

fn reminders_with(options: Options, events: Vec<Event>) -> Vec<(u64, i64)> {
    let mut story = Story::new(options);
    for event in events {
        story.tell(event);
    }
    let mut said = Vec::new();
    for tenth in 0..700 {
        let told = tick(&mut story, tenth * 100 * MS);
        said.extend(
            told.iter()
                .map(|told| (tenth, told.conversation.as_ref().unwrap().number)),
        );
    }
    said
}

#[test]
fn whoever_sits_in_epoll_wait_waits_for_what_was_asked() {
    let mut events = connected(3, 1);
    events.push(sendto(3, b"?").on(3, 1).at(500 * MS, 0).done());
    events.push(epolls(0).at(600 * MS, MS).waiting());
    assert_eq!(reminders(events), [(15, 1), (105, 1), (605, 1)]);

    // Who asked for other calls alone is not told.
    for (calls, lines) in [("connect,close", 0), ("epoll_wait", 3), ("read", 3)] {
        let mut events = connected(3, 1);
        events.push(epolls(0).waiting());
        let options = Options {
            shown: Selection::parse(calls).ok(),
            ..Options::default()
        };
        assert_eq!(reminders_with(options, events).len(), lines, "{calls}");
    }

    // Another process's wait is not for this one.
    let mut events = connected(3, 1);
    events.push(sendto(3, b"?").on(3, 1).at(500 * MS, 0).done());
    events.push(epolls(0).by(200, 200).at(600 * MS, MS).waiting());
    assert_eq!(reminders(events), []);

    // It has its answer.
    let mut events = connected(3, 1);
    events.push(sendto(3, b"?").on(3, 1).at(500 * MS, 0).done());
    events.push(recvfrom(3, b"!", 1, 9).on(3, 1).at(550 * MS, 0).done());
    events.push(epolls(0).at(600 * MS, MS).waiting());
    assert_eq!(reminders(events), []);
}

#[test]
fn a_server_that_should_speak_first_is_waited_for() {
    for wait in [
        polls(3, 0).on(3, 1).waiting(),
        receiving(3, 100).on(3, 1).waiting(),
        epolls(0).waiting(),
    ] {
        let mut events = connected(3, 1);
        events.push(wait);
        assert_eq!(reminders(events), [(10, 1), (100, 1), (600, 1)]);
    }
    // And after its greeting, when it is its turn again.
    let mut events = connected(3, 1);
    events.push(recvfrom(3, b"220", 3, 9).on(3, 1).at(MS, 0).done());
    events.push(sendto(3, b"EHLO").on(3, 1).at(200 * MS, 0).done());
    events.push(polls(3, 0).on(3, 1).at(200 * MS, 0).waiting());
    assert_eq!(reminders(events), [(12, 1), (102, 1), (602, 1)]);
}

/// A server with an idle peer: neither it nor the listener is waited for.
fn serving() -> Vec<Event> {
    let peer = inet([1, 2, 3, 4], 5);
    vec![
        makes(3, 1).done(),
        listen(3).on(3, 1).done(),
        accept(3, peer).on(3, 1).on(4, 2).gives(4).done(),
        recvfrom(4, b"?", 1, 9).on(4, 2).done(),
        sendto(4, b"!").on(4, 2).done(),
    ]
}

#[test]
fn an_idle_server_is_quiet_however_it_waits() {
    let both = || polls(3, 0).on(3, 1).on(4, 2);
    for wait in [both(), epolls(0), polls(4, 0).on(4, 2)] {
        let mut events = serving();
        events.push(wait.waiting());
        assert_eq!(reminders(events), []);
    }
    for wait in [both(), epolls(0)] {
        let mut events = serving();
        events.push(wait.at(MS, 3000 * MS).done());
        assert!(tell(events).1.last().unwrap().folds);
    }
    // What goes to syslog wants no answer.
    let log = (libc::AF_UNIX, libc::SOCK_DGRAM, 0);
    let mut events = serving();
    events.push(makes_kind(5, 3, log).done());
    let to = SockAddr::UnixPath(b"/dev/log".to_vec());
    events.push(connect(5, to).on_kind(5, 3, log).done());
    events.push(sendto(5, b"<6>up").on_kind(5, 3, log).done());
    events.push(epolls(0).waiting());
    assert_eq!(reminders(events), []);
}

#[test]
fn a_poll_that_waited_in_vain_is_told_as_a_timeout() {
    for poll in [polls(3, 0).on(3, 1), epolls(0)] {
        let mut events = connected(3, 1);
        events.push(poll.at(MS, 3000 * MS).done());
        let told = tell(events).1.pop().unwrap();
        assert!(!told.folds);
        assert_eq!(told.meaning, Some(Meaning::TimedOut(3000 * MS)));
        assert_eq!(told.stage, Some(Stage::Receive));
        assert_eq!(told.conversation.unwrap().number, 1);
    }
    // A look is no wait, and a program that polls in a loop says the same only so often.
    let mut events = connected(3, 1);
    for (time, took) in [
        (1, 50),
        (100, 1000),
        (1200, 1000),
        (2300, 1000),
        (3400, 2000),
    ] {
        events.push(polls(3, 0).on(3, 1).at(time * MS, took * MS).done());
    }
    let folds: Vec<_> = tell(events).1[2..].iter().map(|told| told.folds).collect();
    assert_eq!(folds, [true, false, true, true, false]);
}

#[test]
fn again_after_a_block_is_a_timeout() {
    let last = |calls: Vec<Act>| {
        let mut events = vec![makes(3, 1).done()];
        events.extend(calls.into_iter().map(|act| act.on(3, 1).done()));
        let told = tell(events).1.pop().unwrap();
        (told.folds, told.meaning)
    };
    let again = |took| recvfrom(3, b"", 0, 9).fails(libc::EAGAIN).at(MS, took);
    let timeout = (false, Some(Meaning::TimedOut(2000 * MS)));
    assert_eq!(last(vec![again(2000 * MS)]), timeout);
    let send = sendto(3, b"x").fails(libc::EAGAIN).at(MS, 2000 * MS);
    assert_eq!(last(vec![send]), timeout);
    assert!(last(vec![again(MS)]).0);
    // Such a call never blocks, however long the machine was busy with others.
    let look = again(2000 * MS).flagged(0x40);
    assert!(last(vec![look]).0);
    let flags = Act::new(
        Sysno::fcntl,
        vec![
            ("fd", Value::Fd(3)),
            ("cmd", Value::Int(libc::F_SETFL.into())),
            ("arg", Value::Hex(libc::O_NONBLOCK as u64)),
        ],
    );
    assert!(last(vec![flags, again(2000 * MS)]).0);
}

#[test]
fn messages_count_their_own_bytes_and_a_look_counts_none() {
    let message = |len| {
        Value::Struct(vec![
            ("msg_hdr", Value::Struct(vec![])),
            ("msg_len", Value::Unsigned(len)),
        ])
    };
    let items = vec![message(5), message(7), message(100)];
    let several = Act::new(
        Sysno::sendmmsg,
        vec![
            ("sockfd", Value::Fd(3)),
            ("msgvec", Value::List { items, more: false }),
        ],
    );
    let look = recvfrom(3, b"abc", 3, 9).on(3, 1).flagged(0x2);
    let mut splice = Act::new(
        Sysno::splice,
        vec![
            ("fd_in", Value::Fd(3)),
            ("off_in", Value::Pointer(0)),
            ("fd_out", Value::Fd(9)),
        ],
    );
    splice = splice.on(3, 1).gives(40);
    let (_, told) = tell(vec![
        makes(3, 1).done(),
        several.gives(2).on(3, 1).done(),
        look.done(),
        splice.done(),
    ]);
    let conversation = told.last().unwrap().conversation.clone().unwrap();
    assert_eq!((conversation.out, conversation.received), (12, 40));
    assert_eq!(told[2].meaning, Some(Meaning::Peeked));
    assert_eq!(told[3].stage, Some(Stage::Receive));
}

#[test]
fn only_calls_that_went_well_fold() {
    let used = || connect(3, inet([192, 0, 2, 1], 80)).on(3, 1).done();
    let folds = |act: Act| tell(vec![used(), act.on(3, 1).done()]).1[1].folds;
    assert!(folds(setsockopt(3)));
    assert!(folds(polls(3, 1)));
    assert!(!folds(setsockopt(3).fails(libc::ENOPROTOOPT)));
    // Asking whether something has come, and being told no.
    assert!(folds(recvfrom(3, b"", 0, 9).fails(libc::EAGAIN)));
    assert!(!folds(sendto(3, b"x").fails(libc::EAGAIN)));
    assert!(!folds(recvfrom(3, b"", 0, 9).fails(libc::ECONNRESET)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any calls, in any order: nothing panics, every byte belongs to one conversation, and only what is open is remembered.
    #[test]
    fn bytes_of_conversations_are_those_of_their_calls(events in chaos::events(), verbose: bool) {
        let mut story = Story::new(Options { verbose, ..Options::default() });
        let mut of_calls = 0u64;
        let mut of_conversations = HashMap::new();
        let mut told = Vec::new();
        for event in events {
            if let Event::Call(call) = &event
                && Story::subject(call).is_some()
                && call.call.row.role != crate::syscall::Role::Engine
            {
                of_calls += bytes::moved(call);
            }
            told.extend(story.tell(event));
            tick(&mut story, 5_000_000_000);
        }
        prop_assert!(story.open() <= 15);
        told.extend(story.end(u64::MAX));
        for told in told {
            let Some(conversation) = told.conversation else {
                continue;
            };
            prop_assert!(conversation.number != 0);
            of_conversations.insert(conversation.seen, conversation.out + conversation.received);
        }
        prop_assert_eq!(of_calls, of_conversations.values().sum::<u64>());
        prop_assert_eq!(story.open(), 0);
    }
}
