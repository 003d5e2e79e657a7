//! What the kernel says between calls and beside them: handshakes, queues, other ends, exchanges of datagrams.

use super::finding::Programs;
use super::*;
use crate::kernel::{Buffers, Facts, SYN_SENT, Taken};

const DGRAM: (i32, i32, i32) = (libc::AF_INET, libc::SOCK_DGRAM, 17);
const UNIX: (i32, i32, i32) = (libc::AF_UNIX, libc::SOCK_STREAM, 0);
/// The states' numbers.
const ESTABLISHED: u8 = 1;
const TIME_WAIT: u8 = 6;
const LISTEN: u8 = 10;

fn here() -> SockAddr {
    inet([10, 0, 0, 7], 41234)
}

fn there() -> SockAddr {
    inet([192, 0, 2, 9], 80)
}

fn connecting() -> Vec<Event> {
    let connect = connect(3, there()).on(3, 1).fails(libc::EINPROGRESS);
    vec![makes(3, 1).done(), connect.at(MS, 9).done()]
}

fn syn_again(times: u8) -> Facts {
    let mut facts = in_state(SYN_SENT, here(), there());
    if let Some(tcp) = &mut facts.tcp {
        (tcp.retransmits, tcp.total_retrans) = (times, times.into());
    }
    facts
}

fn what(told: &[Told]) -> Vec<&'static str> {
    let word = |told: &Told| match &told.what {
        What::Call(_) => "call",
        What::Connected => "connected",
        What::StillWaiting => "still waiting",
        What::Kernel(..) => "kernel",
        _ => "other",
    };
    told.iter().map(word).collect()
}

#[test]
fn a_handshake_ends_when_the_kernel_says_so() {
    let mut events = connecting();
    let mut facts = in_state(ESTABLISHED, here(), there());
    facts.tcp.as_mut().unwrap().rtt_us = 12_000;
    events.push(kernel(1, 101 * MS, facts.clone()));
    // What the program learns later is no news, nor is what the kernel says twice.
    events.push(so_error(3, 0).on(3, 1).at(150 * MS, 9).done());
    events.push(kernel(1, 201 * MS, facts));
    let (_, told) = tell(events);
    assert_eq!(
        what(&told),
        ["call", "call", "kernel", "connected", "call", "kernel"]
    );
    // The handshake was the first round trip, whenever we looked.
    assert_eq!(told[3].took, Some(12 * MS));
    let conversation = told[3].conversation.as_ref().unwrap();
    assert_eq!(conversation.local, Some(here()));
    assert_eq!(conversation.connected, Some(13 * MS));
}

#[test]
fn a_handshake_that_is_over_before_its_call_is_told_at_once() {
    let addresses = Facts {
        tcp: None,
        ..in_state(ESTABLISHED, here(), there())
    };
    let calls = |facts| {
        let connect = connect(3, there()).on(3, 1).fails(libc::EINPROGRESS);
        let events = vec![makes(3, 1).done(), connect.at(MS, 9).knowing(facts).done()];
        what(&tell(events).1)
    };
    assert_eq!(calls(addresses.clone()), ["call", "call", "connected"]);
    let unnamed = Facts {
        peer: Vec::new(),
        ..addresses
    };
    assert_eq!(calls(unnamed), ["call", "call"]);
}

#[test]
fn each_syn_is_told_while_a_handshake_hangs() {
    let blocks = || {
        let call = connect(3, there()).on(3, 1).at(MS, 100 * MS).waiting();
        vec![makes(3, 1).done(), call]
    };
    for begin in [connecting(), blocks()] {
        let mut story = Story::new(Options::default());
        begin.into_iter().for_each(|event| drop(story.tell(event)));
        let mut said = Vec::new();
        for (time, again) in [(1050, 1), (3050, 2)] {
            said.extend(story.tell(kernel(1, time * MS, syn_again(again))));
            // Since that was told there is nothing to add.
            said.extend(story.tick((time + 260) * MS));
        }
        said.retain(|told| matches!(told.what, What::StillWaiting));
        let syns = said.iter().map(|told| match told.meaning {
            Some(Meaning::StillWaiting { syns, elapsed, .. }) => (syns, elapsed / MS),
            _ => (None, 0),
        });
        assert_eq!(syns.collect::<Vec<_>>(), [(Some(2), 1049), (Some(3), 3049)]);
        // What failed leaves no trace of that in the kernel.
        story.tell(
            close(3)
                .on(3, 1)
                .at(4000 * MS, 9)
                .knowing(in_state(7, here(), there()))
                .done(),
        );
    }
}

#[test]
fn two_ends_find_each_other() {
    let peer = || inet([127, 0, 0, 1], 51022);
    let server = || inet([127, 0, 0, 1], 80);
    let far = |told: &[Told], number| {
        let mut all = told.iter().rev().filter_map(|it| it.conversation.as_ref());
        all.find(|it| it.number == number).and_then(|it| it.far)
    };
    let connected = connect(3, server()).on(3, 1).at(MS, 9);
    let connected = connected.knowing(in_state(ESTABLISHED, peer(), server()));
    let accepted = accept(4, peer()).on(4, 2).on(5, 3).gives(5).at(2 * MS, 9);
    let accepted = accepted.knowing(in_state(ESTABLISHED, server(), peer()));
    let (_, told) = tell(vec![
        makes(3, 1).done(),
        makes(4, 2).done(),
        connected.done(),
        accepted.done(),
        sendto(3, b"x").on(3, 1).at(3 * MS, 9).done(),
        sendto(5, b"x").on(5, 3).at(3 * MS, 9).done(),
    ]);
    assert_eq!((far(&told, 1), far(&told, 3)), (Some(3), Some(1)));
    // A UNIX socket's kernel knows the other one by its inode.
    let accepted = accept(4, SockAddr::UnixUnnamed).on_kind(4, 2, UNIX);
    let accepted = accepted.on_kind(5, 3, UNIX).gives(5).at(2 * MS, 9);
    let other = Facts {
        other: Some(1),
        ..Facts::default()
    };
    let path = SockAddr::UnixPath(b"/run/s".to_vec());
    let (_, told) = tell(vec![
        makes_kind(3, 1, UNIX).done(),
        makes_kind(4, 2, UNIX).done(),
        listen(4).on_kind(4, 2, UNIX).done(),
        connect(3, path).on_kind(3, 1, UNIX).at(MS, 9).done(),
        accepted.knowing(other).done(),
        sendto(5, b"x").on_kind(5, 3, UNIX).at(3 * MS, 9).done(),
        sendto(3, b"x").on_kind(3, 1, UNIX).at(3 * MS, 9).done(),
    ]);
    let numbers: Vec<_> = told
        .iter()
        .filter_map(|it| it.conversation.as_ref())
        .filter(|it| it.far.is_some())
        .map(|it| (it.socket.id, it.far))
        .collect();
    assert!(numbers.iter().any(|it| it.0 == 1), "{numbers:?}");
    assert!(numbers.iter().any(|it| it.0 == 3), "{numbers:?}");
}

#[test]
fn datagrams_are_told_by_whom_they_went_to() {
    let one = inet([192, 0, 2, 1], 53);
    let other = inet([192, 0, 2, 2], 53);
    let to = |fd, peer: &SockAddr, bytes: &[u8]| {
        let mut act = sendto(fd, bytes).on_kind(fd, 1, DGRAM);
        act.event.call.args[4].value = address(peer.clone());
        act.done()
    };
    let from = |fd, peer: &SockAddr, bytes: &[u8]| {
        let mut act = recvfrom(fd, bytes, bytes.len() as u64, 512).on_kind(fd, 1, DGRAM);
        act.event.call.args[4].value = address(peer.clone());
        act.done()
    };
    let (_, told) = tell(vec![
        makes_kind(3, 1, DGRAM).done(),
        to(3, &one, b"to one"),
        to(3, &other, b"and two"),
        from(3, &one, b"yes"),
        close(3).on_kind(3, 1, DGRAM).releases(1).done(),
    ]);
    let last = told.last().and_then(|it| it.conversation.clone()).unwrap();
    let all = last.exchanges.several().iter();
    let all: Vec<_> = all
        .map(|it| (it.peer.clone(), it.out, it.received, it.sends, it.receives))
        .collect();
    assert_eq!(all, [(one, 6, 3, 1, 1), (other, 7, 0, 1, 0)]);
    assert_eq!(farewells(&told)[0].1.peers, 2);
}

#[test]
fn a_socket_that_is_passed_on_lives_with_another() {
    let passed = sendto(4, b"x").on(4, 2).on(3, 1);
    let ends = |events: Vec<Event>| {
        let mut story = Story::new(Options::default());
        let mut told: Vec<_> = events.into_iter().flat_map(|it| story.tell(it)).collect();
        told.extend(story.end(9 * MS));
        let closes = told.iter().filter(|it| it.stage == Some(Stage::Close));
        closes
            .filter_map(|it| it.meaning.clone())
            .collect::<Vec<_>>()
    };
    let begin = vec![makes(3, 1).done(), makes(4, 2).done(), passed.done()];
    let mut gone = begin.clone();
    gone.push(close(3).on(3, 1).done());
    let meanings = ends(gone);
    assert_eq!(meanings[0], Meaning::HandedOn);
    assert!(
        matches!(&meanings[1], Meaning::Farewell(it) if it.fate == Fate::HandedOn),
        "{meanings:?}"
    );
    // Another traced process has it.
    let mut came = begin;
    came.push(sendto(7, b"x").on(7, 1).by(200, 200).done());
    came.push(close(3).on(3, 1).done());
    let meanings = ends(came);
    assert_eq!(meanings[0], Meaning::HandedOn);
    assert!(
        matches!(&meanings[1], Meaning::Farewell(it) if it.fate == Fate::Open),
        "{meanings:?}"
    );
}

/// Findings that need the kernel's word, each with a program that provokes it and one that comes near.
pub fn findings() -> Vec<Programs> {
    let listening = |full: bool| {
        let mut facts = in_state(LISTEN, there(), inet([0; 4], 0));
        if let Some(tcp) = &mut facts.tcp {
            (tcp.unacked, tcp.sacked) = (if full { 6 } else { 5 }, 5);
        }
        vec![
            makes(3, 1).done(),
            bind(3, there()).on(3, 1).done(),
            listen(3).on(3, 1).done(),
            kernel(1, MS, facts),
        ]
    };
    let accepted = |waited| {
        let mut facts = in_state(ESTABLISHED, there(), here());
        facts.tcp.as_mut().unwrap().last_data_sent_ms = waited;
        let mut events = listening(false);
        let accept = accept(3, here()).on(3, 1).on(4, 2).gives(4);
        events.push(accept.knowing(facts).done());
        events
    };
    let taken = |state| {
        let facts = Facts {
            taken: Some(Taken {
                state,
                nobody: state == TIME_WAIT,
                ..Taken::default()
            }),
            ..Facts::default()
        };
        let bind = bind(3, there()).on(3, 1).fails(libc::EADDRINUSE);
        vec![makes(3, 1).done(), bind.knowing(facts).done()]
    };
    let dropped = |drops| {
        let facts = Facts {
            buffers: Some(Buffers {
                drops,
                ..Buffers::default()
            }),
            ..Facts::default()
        };
        let close = close(3).on_kind(3, 1, DGRAM).releases(1);
        vec![
            makes_kind(3, 1, DGRAM).done(),
            bind(3, there()).on_kind(3, 1, DGRAM).done(),
            recvfrom(3, b"x", 1, 9).on_kind(3, 1, DGRAM).done(),
            close.knowing(facts).done(),
        ]
    };
    let again = |total_retrans| {
        let mut facts = in_state(ESTABLISHED, here(), there());
        facts.tcp.as_mut().unwrap().total_retrans = total_retrans;
        let close = close(3).on(3, 1).releases(1).at(9 * MS, 9);
        vec![
            makes(3, 1).done(),
            connect(3, there()).on(3, 1).done(),
            sendto(3, b"x").on(3, 1).done(),
            close.knowing(facts).done(),
        ]
    };
    vec![
        (
            "accept-queue-full",
            listening(true),
            listening(false),
            vec![],
        ),
        ("slow-accept", accepted(300), accepted(30), vec![]),
        (
            "address-in-time-wait",
            taken(TIME_WAIT),
            taken(LISTEN),
            vec![],
        ),
        ("segments-lost", again(5), again(2), vec![]),
        ("datagrams-dropped", dropped(3), dropped(0), vec![]),
    ]
}
