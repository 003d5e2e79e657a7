//! Programs of one kind and another, on terminals and in files.

use super::*;
use crate::syscall::Outcome;

#[test]
fn a_client_in_a_file() {
    assert_snapshot!(screen(client(), file()));
}

#[test]
fn a_client_on_a_wide_terminal() {
    assert_snapshot!(screen(client(), wide(160)));
}

#[test]
fn a_client_on_an_ordinary_terminal() {
    assert_snapshot!(screen(client(), wide(100)));
}

#[test]
fn a_client_on_a_narrow_terminal() {
    assert_snapshot!(screen(client(), wide(60)));
}

#[test]
fn a_client_in_ascii() {
    assert_snapshot!(screen(
        client(),
        Settings {
            unicode: false,
            ..wide(100)
        }
    ));
}

#[test]
fn a_client_in_colour() {
    let text = screen(
        client().into_iter().map(Step::from).chain(failing()),
        Settings {
            colour: true,
            ..wide(120)
        },
    );
    assert_snapshot!(text.replace('\u{1b}', "␛"));
}

#[test]
fn a_client_with_every_call() {
    assert_snapshot!(screen(
        client(),
        Settings {
            verbose: true,
            ..file()
        }
    ));
}

#[test]
fn a_client_explained() {
    assert_snapshot!(screen(
        client(),
        Settings {
            explain: true,
            ..wide(100)
        }
    ));
}

#[test]
fn a_name_asked_by_datagram_is_explained() {
    let udp = (libc::AF_INET, libc::SOCK_DGRAM, 17);
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04demo\x04test\0\0\x01\0\x01";
    let events = [
        makes_kind(3, 1, udp).at(MS, 9000).done(),
        connect(3, inet([127, 0, 0, 1], 5353))
            .on_kind(3, 1, udp)
            .at(2 * MS, 9000)
            .done(),
        sendto(3, query).on_kind(3, 1, udp).at(3 * MS, 9000).done(),
        recvfrom(3, b"\x12\x34\x81\x80", 43, 512)
            .on_kind(3, 1, udp)
            .at(4 * MS, 9000)
            .done(),
        close(3)
            .on_kind(3, 1, udp)
            .releases(1)
            .at(5 * MS, 9000)
            .done(),
    ];
    assert_snapshot!(screen(
        events,
        Settings {
            explain: true,
            ..wide(100)
        }
    ));
}

#[test]
fn a_server() {
    assert_snapshot!(screen(server(), file()));
}

#[test]
fn a_connect_that_hangs() {
    assert_snapshot!(screen(hanging(), file()));
}

#[test]
fn a_connect_that_fails() {
    assert_snapshot!(screen(failing(), file()));
}

#[test]
fn several_processes() {
    assert_snapshot!(screen(several(), file()));
}

#[test]
fn several_processes_with_all_that_happens() {
    assert_snapshot!(screen(
        several(),
        Settings {
            verbose: true,
            ..file()
        }
    ));
}

#[test]
fn only_the_program_itself() {
    assert_snapshot!(screen_of(
        server(),
        Options {
            follow: false,
            ..Options::default()
        },
        file()
    ));
}

#[test]
fn conversations_that_end_without_a_close() {
    let dup2 = vec![("oldfd", Value::Fd(3)), ("newfd", Value::Fd(4))];
    let range = vec![
        ("first", Value::Unsigned(5)),
        ("last", Value::Unsigned(9)),
        ("flags", Value::Flags(&file::CLOSE_RANGE, 0)),
    ];
    let mut exec = executed(100, "next", 9 * MS);
    if let Event::Process(event) = &mut exec
        && let Change::Executed { released, .. } = &mut event.change
    {
        released.push(3);
    }
    let steps = [
        started(100, None, "daemon", 0).into(),
        makes(3, 3).at(MS, 9000).done().into(),
        makes(4, 4).at(MS, 9000).done().into(),
        makes(5, 5).at(MS, 9000).done().into(),
        makes(6, 6).at(MS, 9000).done().into(),
        makes(7, 7).at(MS, 9000).done().into(),
        close(9).on(9, 7).at(2 * MS, 9000).done().into(),
        Act::new(Sysno::dup2, dup2)
            .gives(4)
            .on(3, 3)
            .on(4, 4)
            .releases(4)
            .at(3 * MS, 9000)
            .done()
            .into(),
        Act::new(Sysno::close_range, range)
            .on(5, 5)
            .on(6, 6)
            .releases(5)
            .releases(6)
            .at(4 * MS, 9000)
            .done()
            .into(),
        exec.into(),
        Step::End(12 * MS),
    ];
    assert_snapshot!(screen(steps, file()));
}

#[test]
fn a_wider_terminal_never_shows_less() {
    let shown = |width| {
        let text = screen(client(), wide(width));
        let line = text
            .lines()
            .find(|line| line.contains("recvfrom(5"))
            .unwrap();
        let quoted = line.split('"').nth(1).unwrap_or_default();
        (quoted.len(), line.to_owned())
    };
    let mut before = 0;
    // Below that the meaning leaves the line, which then has more room for data.
    for width in 110..260 {
        let (now, line) = shown(width);
        assert!(now >= before, "{width} columns show less: {line}");
        before = now;
    }
    assert_eq!(before, shown(1000).0);
}

#[test]
fn several_processes_on_a_narrow_terminal() {
    let mut steps = several();
    let kind = (libc::AF_INET, libc::SOCK_STREAM | 0x80800, 6);
    let close = close(6).on(6, 9).by(201, 201).releases(9).at(8 * MS, 9);
    steps.insert(
        6,
        makes_kind(6, 9, kind)
            .by(201, 201)
            .at(7 * MS, 9)
            .done()
            .into(),
    );
    steps.insert(7, close.done().into());
    let text = screen(steps, wide(60));
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest.unwrap() <= 60, "{text}");
    for name in [
        "SOCK_STREAM",
        "SOCK_NONBLOCK",
        "SOCK_CLOEXEC",
        "IPPROTO_TCP",
    ] {
        assert!(text.contains(name), "{name} is whole in {text}");
    }
    assert_snapshot!(text);
}

#[test]
fn columns_of_a_file_stay_where_they_are() {
    let sockets = (1..=12).map(|id| makes(3, id).at(id * MS, 9).done());
    let columns: BTreeSet<_> = screen(sockets, file())
        .lines()
        .map(|line| line.find("create"))
        .collect();
    assert_eq!(columns.len(), 1);
}

#[test]
fn datagrams_that_are_cut_or_empty() {
    let udp = (libc::AF_INET, libc::SOCK_DGRAM, 17);
    let mut long = recvfrom(3, b"0123456789", 3000, 10);
    long.event.call.args[1].value = data(b"0123456789", 10);
    long = long.flagged(0x20);
    let close = |id| close(3).on_kind(3, id, udp).releases(id);
    let text = screen(
        [
            makes_kind(3, 1, udp).done(),
            long.on_kind(3, 1, udp).done(),
            close(1).at(MS, 9000).done(),
            makes_kind(3, 2, udp).done(),
            recvfrom(3, b"", 0, 10).on_kind(3, 2, udp).done(),
            close(2).at(MS, 9000).done(),
        ],
        file(),
    );
    for words in [
        "= 3000",
        "datagram of 3.0 kB, cut to 10 B",
        "0 B out, 10 B in, lived",
        "0 B out, 0 B in, lived",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn only_the_end_is_explained_as_the_end() {
    let shown = |act: Act| {
        let events = [
            makes(3, 1).done(),
            connect(3, inet([127, 0, 0, 1], 80)).on(3, 1).done(),
            act.on(3, 1).done(),
        ];
        let settings = Settings {
            explain: true,
            ..file()
        };
        screen(events, settings)
    };
    let splice = vec![("fd_in", Value::Fd(3)), ("off_in", Value::Pointer(0))];
    assert!(shown(recvfrom(3, b"", 0, 10)).contains("It is the end"));
    for nothing in [Act::new(Sysno::splice, splice), recvfrom(3, b"", 0, 0)] {
        let text = shown(nothing);
        assert!(!text.contains("the end"), "{text}");
        assert!(!text.contains("closed"), "{text}");
    }
}

#[test]
fn a_close_cut_off_tells_what_an_ordinary_one_tells() {
    let mut close = close(3).on(3, 1).releases(1).at(2 * MS, 9000);
    close.event.call.outcome = Outcome::Unfinished;
    let text = screen(
        [
            makes(3, 1).done(),
            connect(3, inet([127, 0, 0, 1], 80)).on(3, 1).done(),
            sendto(3, b"abc").on(3, 1).done(),
            close.done(),
        ],
        file(),
    );
    let line = text.lines().last().unwrap();
    assert!(line.contains("close(3) = ?"), "{line}");
    assert!(line.contains("3 B out, 0 B in, closed by us"), "{line}");
}
