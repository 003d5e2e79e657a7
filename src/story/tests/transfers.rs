//! What calls moved: bytes, datagrams, and what a result of 0 says.

use super::*;

const ERRQUEUE: u64 = 0x2000;

fn flagged(mut act: Act, flags: u64) -> Act {
    act.event.call.args[3].value = Value::Flags(&socket::MESSAGE, flags);
    act
}

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
    events.push(on(connect(3, inet([1, 2, 3, 4], 80))).done());
    events.extend(calls.into_iter().map(|act| on(act).done()));
    events.push(on(close(3)).releases(1).done());
    let told = tell(events).1;
    let farewell = farewells(&told).remove(0).1;
    (told[told.len() - 2].meaning.clone(), farewell)
}

fn of_stream(call: Act) -> (Option<Meaning>, Farewell) {
    told_of((libc::AF_INET, libc::SOCK_STREAM, 6), vec![call])
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
    assert!(!end(flagged(recvfrom(3, b"", 0, 9), ERRQUEUE)));
    assert!(!end(recvfrom(3, b"", 0, 0)));
}

#[test]
fn a_splice_that_does_not_block_is_more_than_a_look() {
    let (meaning, farewell) = of_stream(splice(2, 40));
    assert_eq!((meaning, farewell.received), (None, 40));
}
