//! What the command line can wish for.

use super::*;
use crate::output::text::{Ends, Quiet};

#[test]
fn data_that_was_asked_for_is_wrapped_not_shortened() {
    assert_snapshot!(screen(
        client(),
        Settings {
            keep_data: true,
            ..wide(60)
        }
    ));
}

#[test]
fn clocks() {
    let calls = || {
        vec![
            makes(3, 1).at(MS, 123_456).done(),
            close(3).on(3, 1).releases(1).at(1500 * MS, 9000).done(),
        ]
    };
    let with = |settings: Settings| screen(calls(), settings);
    let screens = [
        with(Settings {
            clock: Clock::Day(0),
            ..file()
        }),
        with(Settings {
            clock: Clock::Day(6),
            ..file()
        }),
        with(Settings {
            clock: Clock::Epoch(6),
            ..file()
        }),
        with(Settings {
            relative: Some(6),
            ..file()
        }),
        with(Settings {
            relative: Some(6),
            clock: Clock::Day(0),
            ..file()
        }),
        with(Settings {
            durations: Some(6),
            ..file()
        }),
    ];
    assert_snapshot!(screens.join("\n"));
}

#[test]
fn strings_in_hex() {
    let calls = || {
        [
            sendto(3, b"plain").on(3, 1).done(),
            sendto(3, b"caf\xc3\xa9\n\x01").on(3, 1).at(MS, 9).done(),
        ]
    };
    let with = |hex| screen(calls(), Settings { hex, ..file() });
    assert_snapshot!(
        [Hex::No, Hex::Characters, Hex::Strings, Hex::All]
            .map(with)
            .join("\n")
    );
}

#[test]
fn dumps() {
    let calls = [
        sendto(3, &REQUEST[..20]).on(3, 1).done(),
        recvfrom(3, ANSWER, 1591, 4096).on(3, 1).at(MS, 9).done(),
        sendto(4, b"not asked for").on(4, 2).at(2 * MS, 9).done(),
    ];
    let all = Settings {
        dump_read: Descriptors::All,
        dump_write: Descriptors::Only(BTreeSet::from([3])),
        ..file()
    };
    assert_snapshot!(screen(calls, all));
}

#[test]
fn a_table_of_calls() {
    let table = |sort| {
        let mut out = Vec::new();
        play(
            client().into_iter().map(Step::from).chain(failing()),
            Options::default(),
            &mut Summary::new(&mut out, sort),
        );
        String::from_utf8(out).unwrap()
    };
    assert_snapshot!([table(Sort::Time), table(Sort::Name)].join("\n"));
}

#[test]
fn only_what_failed_and_only_what_went_well() {
    let scene = || client().into_iter().map(Step::from).chain(hanging());
    let failed = screen(
        scene(),
        Settings {
            ends: Ends {
                successful: false,
                failed: true,
                unfinished: false,
            },
            ..file()
        },
    );
    let well = screen(
        scene(),
        Settings {
            ends: Ends {
                successful: true,
                failed: false,
                unfinished: false,
            },
            ..file()
        },
    );
    assert_snapshot!([failed, well].join("\n"));
}

#[test]
fn a_call_asked_for_by_name_does_not_fold_and_others_are_not_told() {
    let named = Selection::parse("setsockopt,connect").unwrap();
    let options = Options {
        shown: Some(named.clone()),
        named,
        ..Options::default()
    };
    assert_snapshot!(screen_of(client(), options, file()));
}

#[test]
fn notices() {
    let all = || {
        [
            Notice::IoUring {
                pid: 7,
                time: 0,
                refused: false,
            },
            Notice::IoUring {
                pid: 7,
                time: 0,
                refused: true,
            },
            Notice::PrivilegeLost {
                pid: 7,
                path: "/usr/bin/ping\u{1b}[2J".into(),
            },
            Notice::WaitingFor {
                program: "sh".into(),
                children: vec![(12, "sleep".into()), (13, "nc".into())],
            },
            Notice::Text("attached to gunicorn[812]".into()),
        ]
        .map(Event::Notice)
    };
    let some = Quiet {
        beginnings: true,
        endings: true,
        ..Quiet::default()
    };
    let screens = [
        Quiet::default(),
        some,
        Quiet {
            notices: true,
            ..some
        },
    ]
    .map(|quiet| screen(all(), Settings { quiet, ..file() }));
    assert_snapshot!(screens.join("--\n"));
}

#[test]
fn every_kind_of_value() {
    let value = |value| [("arg", value)];
    let text = |bytes: &[u8]| {
        Value::Text(Data {
            bytes: bytes.to_vec(),
            len: bytes.len() as u64,
        })
    };
    let iov = |bytes: &[u8], len| {
        Value::Struct(vec![
            ("iov_base", data(bytes, bytes.len() as u64)),
            ("iov_len", Value::Unsigned(len)),
        ])
    };
    let message = |name| {
        Value::Struct(vec![
            ("msg_name", name),
            (
                "msg_namelen",
                Value::Changed(Box::new(Value::Int(128)), Box::new(Value::Int(16))),
            ),
            (
                "msg_iov",
                Value::List {
                    items: vec![iov(b"ab", 2), iov(b"c", 1)],
                    more: false,
                },
            ),
            ("msg_iovlen", Value::Unsigned(2)),
            ("msg_control", Value::Pointer(0)),
            ("msg_controllen", Value::Unsigned(0)),
            ("msg_flags", Value::Flags(&socket::MESSAGE, 0)),
        ])
    };
    let values = [
        Value::Fd(libc::AT_FDCWD),
        Value::Int(-1),
        Value::Octal(0o644),
        Value::Hex(255),
        Value::Pointer(0),
        Value::Pointer(0x7ffc_1234_5678),
        Value::Const(&socket::FAMILY, 2),
        Value::Const(&socket::FAMILY, 0x1fff),
        Value::Flags(&poll::POLL, 0),
        Value::Flags(&poll::POLL, 0x5 | 0x4_0000),
        Value::Flags(&poll::POLL, 0x4_0000),
        text(b"/tmp/x\ny"),
        data(b"cut", 9),
        Value::Address(Box::new(SockAddr::UnixAbstract(b"\0\x1b[m".to_vec()))),
        Value::List {
            items: vec![Value::Fd(1), Value::Fd(2)],
            more: true,
        },
        Value::Changed(Box::new(Value::Int(128)), Box::new(Value::Int(16))),
        Value::Wrapped("htons", Box::new(Value::Unsigned(80))),
        message(Value::Pointer(0)),
        message(Value::Address(Box::new(inet([1, 2, 3, 4], 53)))),
        Value::List {
            items: vec![Value::Struct(vec![
                ("msg_hdr", message(Value::Pointer(0))),
                ("msg_len", Value::Unsigned(3)),
            ])],
            more: false,
        },
    ];
    let calls = |settings: Settings| {
        screen(
            values
                .iter()
                .map(|it| Act::new(Sysno::listen, value(it.clone()).into()).done()),
            settings,
        )
    };
    assert_snapshot!(
        [
            calls(file()),
            calls(Settings {
                verbose: true,
                ..file()
            })
        ]
        .join("\n")
    );
}

#[test]
fn files_show_their_paths() {
    let path = Descriptor::File(Data {
        bytes: b"/etc/ho\x1bsts".to_vec(),
        len: 11,
    });
    let mut act = close(3);
    act.event.descriptors.push((3, path));
    assert_eq!(
        screen([act.done()], file()),
        "   0.0ms               close(3</etc/ho\\33sts>) = 0\n"
    );
}

#[test]
fn no_line_says_a_time_twice() {
    let steps = || {
        vec![
            started(100, None, "nc", 0),
            makes(3, 1).at(MS, 9000).done(),
            connect(3, inet([10, 0, 0, 1], 7))
                .on(3, 1)
                .at(2 * MS, 30 * MS)
                .done(),
            polls(3, 0).on(3, 1).at(40 * MS, 3000 * MS).done(),
            sendto(3, b"?").on(3, 1).at(3100 * MS, 9000).done(),
            recvfrom(3, b"!", 1, 9)
                .on(3, 1)
                .at(4000 * MS, 20 * MS)
                .done(),
            recvfrom(3, b"!", 1, 9)
                .on(3, 1)
                .at(4100 * MS, 20 * MS)
                .done(),
        ]
    };
    let durations = Settings {
        durations: Some(6),
        ..file()
    };
    assert_snapshot!([screen(steps(), file()), screen(steps(), durations)].join("\n"));
}

#[test]
fn a_program_without_sockets_is_said_to_be_one_where_all_is_shown() {
    let quiet = || {
        let mut run = vec![started(100, None, "tr\u{1b}ue", 0)];
        run.push(exited(100, 0, vec![], MS));
        run
    };
    let all = || Settings {
        says_nothing: true,
        ..file()
    };
    assert_eq!(
        screen(quiet(), all()),
        "sockstrace: tr\\33ue made no calls on sockets\n"
    );
    assert_eq!(screen(quiet(), file()), "");
    assert!(!screen(client(), all()).contains("made no calls"));
    // Even calls that are only counted are calls.
    let counted = || vec![started(100, None, "x", 0), setsockopt(3).on(3, 1).done()];
    assert!(!screen(counted(), all()).contains("made no calls"));
}
