//! The command line: strace's options against our answers, the program's own arguments untouched, one line for every mistake.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::Command;

use sockstrace::cli::{
    self, Destination, Engine, Invocation, Message, Options, Precision, Refusal, SortBy, Stamp,
    Status, Strings, Summary, When,
};

mod strace;

fn parse<T: AsRef<OsStr>>(arguments: &[T]) -> Result<Invocation, Refusal> {
    let own = OsString::from("sockstrace");
    cli::parse(
        std::iter::once(own).chain(
            arguments
                .iter()
                .map(|argument| argument.as_ref().to_owned()),
        ),
    )
}

fn options(arguments: &[&str]) -> Options {
    match parse(arguments) {
        Ok(Invocation::Run(options)) => *options,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn refusal(arguments: &[&str]) -> String {
    match parse(arguments) {
        Err(refusal) => refusal.to_string(),
        Ok(other) => panic!("{arguments:?} was accepted: {other:?}"),
    }
}

/// Splits a command line at its spaces.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn whatever_follows_the_program_is_the_programs() {
    for line in [
        "ls -la --color",
        "ls --help",
        "curl -s -o /dev/null -v http://h/",
        "ls -- -l",
        "env -- --",
        "a -e x=1 --demo",
        "ls -h",
    ] {
        assert_eq!(options(&words(line)).command, words(line), "{line}");
    }
}

#[test]
fn two_dashes_end_our_options() {
    assert_eq!(options(&["--", "-odd", "-v"]).command, ["-odd", "-v"]);
    assert_eq!(
        options(&["-v", "--", "ls", "--", "-l"]).command,
        ["ls", "--", "-l"]
    );
}

#[test]
fn bytes_that_are_no_text_reach_the_program() {
    let odd = OsStr::from_bytes(b"\xff\xfe");
    let Ok(Invocation::Run(options)) = parse(&[OsStr::new("-o"), odd, odd, odd]) else {
        panic!()
    };
    assert_eq!(options.command, [odd, odd]);
    assert_eq!(
        options.destination,
        Destination::File {
            path: PathBuf::from(odd),
            append: false,
            per_process: false
        }
    );
}

#[test]
fn plain_defaults() {
    let options = options(&["true"]);
    assert_eq!(options.destination, Destination::StandardError);
    assert_eq!(options.string_limit, 48);
    assert_eq!((options.follow, options.wait), (true, true));
    assert_eq!(
        (options.stamp, options.relative, options.call_times),
        (Stamp::Elapsed, None, None)
    );
    assert_eq!(
        (options.strings, options.summary),
        (Strings::Octal, Summary::None)
    );
    assert_eq!((options.color, options.engine), (When::Auto, Engine::Auto));
    assert!(options.trace.is_none() && options.raw.is_none());
    assert!(options.signals.is_none() && options.statuses.contains(&Status::Failed));
    assert!(
        options.quiet.is_empty() && options.dump_read.is_empty() && options.dump_write.is_empty()
    );
    assert!(
        options.warnings.is_empty() && options.environment.is_empty() && options.user.is_none()
    );
}

#[test]
fn letters_join_as_in_strace() {
    let joined = options(&["-fyyttTvs99", "-etrace=all", "-ofile", "true"]);
    assert_eq!(joined.stamp, Stamp::TimeOfDay(Precision::Micros));
    assert_eq!(joined.call_times, Some(Precision::Micros));
    assert_eq!(joined.string_limit, 99);
    assert!(joined.verbose && joined.trace.is_some());
    assert_eq!(
        joined.destination,
        Destination::File {
            path: "file".into(),
            append: false,
            per_process: false
        }
    );
}

#[test]
fn times() {
    assert_eq!(
        options(&["-t", "x"]).stamp,
        Stamp::TimeOfDay(Precision::Seconds)
    );
    assert_eq!(
        options(&["-ttt", "x"]).stamp,
        Stamp::Unix(Precision::Micros)
    );
    assert_eq!(
        options(&["--absolute-timestamps", "x"]).stamp,
        Stamp::TimeOfDay(Precision::Seconds)
    );
    assert_eq!(
        options(&["--timestamps=unix,ms", "x"]).stamp,
        Stamp::Unix(Precision::Millis)
    );
    assert_eq!(
        options(&["--timestamps=precision:ns,format:time", "x"]).stamp,
        Stamp::TimeOfDay(Precision::Nanos)
    );
    assert_eq!(options(&["--timestamps=none", "x"]).stamp, Stamp::Elapsed);
    assert_eq!(options(&["-rT", "x"]).relative, Some(Precision::Micros));
    assert_eq!(
        options(&["--relative-timestamps=s", "x"]).relative,
        Some(Precision::Seconds)
    );
    assert_eq!(
        options(&["--syscall-times=ns", "x"]).call_times,
        Some(Precision::Nanos)
    );
    assert!(refusal(&["--syscall-times=h", "x"]).contains("s, ms, us, ns"));
    assert!(refusal(&["--timestamps=format:us", "x"]).starts_with("--absolute-timestamps"));
}

#[test]
fn strings() {
    assert_eq!(options(&["-x", "x"]).strings, Strings::NonAsciiInHex);
    assert_eq!(options(&["-xx", "x"]).strings, Strings::Hex);
    assert_eq!(options(&["--strings-in-hex", "x"]).strings, Strings::Hex);
    assert_eq!(
        options(&["--strings-in-hex=non-ascii-chars", "x"]).strings,
        Strings::HexEscapes
    );
    assert_eq!(options(&["-s", "0", "x"]).string_limit, 0);
    for bad in ["-1", "many", "99999999999", "0x10", ""] {
        assert!(
            refusal(&["-s", bad, "x"]).starts_with("--string-limit cannot be "),
            "{bad}"
        );
    }
}

#[test]
fn destinations() {
    let file = |append, per_process| Destination::File {
        path: "f".into(),
        append,
        per_process,
    };
    assert_eq!(options(&["-o", "f", "x"]).destination, file(false, false));
    assert_eq!(
        options(&["--output=f", "-A", "x"]).destination,
        file(true, false)
    );
    assert_eq!(
        options(&["-ff", "-o", "f", "x"]).destination,
        file(false, true)
    );
    assert_eq!(
        options(&["-f", "--output-separately", "-o", "f", "x"]).destination,
        file(false, true)
    );
    assert_eq!(
        options(&["-o", "|tee f", "x"]).destination,
        Destination::Command("tee f".into())
    );
    assert_eq!(
        options(&["-o!tee f", "x"]).destination,
        Destination::Command("tee f".into())
    );
    assert_eq!(
        options(&["-o", "./-", "x"]).destination,
        Destination::File {
            path: "./-".into(),
            append: false,
            per_process: false
        }
    );
    assert!(refusal(&["-o", "-", "x"]).contains("standard output is the program's"));
    assert!(refusal(&["-o", "|", "x"]).contains("needs a command"));
    assert!(refusal(&["-o", "", "x"]).contains("name of a file"));
    assert!(refusal(&["-ff", "-o", "|cat", "x"]).contains("-ff"));
    assert!(refusal(&["-ff", "-c", "x"]).contains("-ff"));
    assert_eq!(options(&["-A", "x"]).warnings.len(), 1);
    assert_eq!(options(&["-ff", "x"]).warnings.len(), 1);
}

#[test]
fn the_program_s_surroundings() {
    let set = options(&[
        "-E",
        "A=b=c",
        "-E",
        "D",
        "--env=E=",
        "-u",
        "nobody",
        "--no-follow",
        "--no-wait",
        "--no-io-uring",
        "x",
    ]);
    let expected = [("A", Some("b=c")), ("D", None), ("E", Some(""))];
    let expected = expected.map(|(name, value)| (OsString::from(name), value.map(OsString::from)));
    assert_eq!(set.environment, expected);
    assert_eq!(set.user.as_deref(), Some("nobody"));
    assert_eq!(
        (set.follow, set.wait, set.no_io_uring),
        (false, false, true)
    );
    assert!(refusal(&["-E", "=b", "x"]).contains("a variable has a name"));
    assert!(refusal(&["-f", "--no-follow", "x"]).contains("--no-follow"));
}

#[test]
fn the_last_choice_of_statuses_wins() {
    let succeeds = |line: &str| options(&words(line)).statuses.contains(&Status::Successful);
    assert!(succeeds("-z x") && !succeeds("-Z x"));
    assert!(succeeds("-Z -z x") && !succeeds("-z -Z x"));
    assert!(succeeds("-Z -e status=!failed x") && !succeeds("-e status=all -Z x"));
    assert!(!succeeds("--status=failed,unfinished x"));
    assert!(!options(&["-z", "x"]).statuses.contains(&Status::Unfinished));
}

#[test]
fn the_table_s_order() {
    assert_eq!(options(&["-c", "x"]).summary_sort, SortBy::Time);
    for (word, order) in [
        ("avg-time", SortBy::AvgTime),
        ("longest", SortBy::MaxTime),
        ("count", SortBy::Calls),
        ("bytes", SortBy::Bytes),
    ] {
        let set = options(&["-C", "-S", word, "x"]);
        assert_eq!((set.summary_sort, set.warnings.len()), (order, 0), "{word}");
    }
    assert_eq!(options(&["-S", "calls", "x"]).warnings.len(), 1);
    assert!(refusal(&["-c", "-S", "mood", "x"]).contains("it is one of time, min-time"));
}

#[test]
fn signals_and_messages() {
    let set = options(&["-e", "signal=!io,SIGTERM", "-qq", "x"]);
    let signals = set.signals.as_ref().unwrap();
    assert!(signals.contains(&2) && !signals.contains(&15) && !signals.contains(&29));
    assert!(
        set.quiet.contains(&Message::Exit)
            && set.quiet.contains(&Message::Attach)
            && !set.quiet.contains(&Message::ThreadExecve)
    );
    assert!(
        options(&["-qqqq", "x"])
            .quiet
            .contains(&Message::ThreadExecve)
    );
    assert!(!options(&["--quiet", "x"]).quiet.contains(&Message::Exit));
    assert!(
        options(&["-e", "q=exit", "x"])
            .quiet
            .contains(&Message::Exit)
    );
    assert!(options(&["-e", "s=none", "x"]).signals.unwrap().is_empty());
}

#[test]
fn dumps() {
    let set = options(&["-e", "read=3,5", "--write=!4", "x"]);
    assert!(set.dump_read.contains(&3) && !set.dump_read.contains(&4));
    assert!(set.dump_write.contains(&3) && !set.dump_write.contains(&4));
    assert!(options(&["--hex", "x"]).dump_read.contains(&1000));
    assert!(refusal(&["-e", "read=-1", "x"]).contains("invalid descriptor '-1'"));
}

#[test]
fn demo() {
    assert!(matches!(parse(&["--demo"]), Ok(Invocation::Demo(_))));
    let Ok(Invocation::Demo(set)) = parse(&["--demo", "-v", "--color", "never"]) else {
        panic!()
    };
    assert!(set.verbose && set.color == When::Never);
    assert!(refusal(&["--demo", "ls"]).contains("brings its own program"));
    let client = parse(&["--demo-client", "5353", "8080"]);
    assert!(matches!(
        client,
        Ok(Invocation::DemoClient {
            nameserver_port: 5353,
            http_port: 8080
        })
    ));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (flag, begins) in [
        ("-h", "sockstrace runs"),
        ("--help", "Shows"),
        ("-V", "sockstrace 0."),
        ("--version", "sockstrace 0."),
    ] {
        let Ok(Invocation::Print(text)) = parse(&[flag]) else {
            panic!("{flag}")
        };
        assert!(
            text.starts_with(begins) && text.ends_with('\n'),
            "{flag}: {text}"
        );
    }
}

#[test]
fn every_mistake_is_one_line_that_says_what_to_do() {
    for (line, says) in [
        ("", "which program?"),
        ("--bogus ls", "unknown option '--bogus'"),
        ("--all-descriptor-s ls", "is '--all-descriptors' meant?"),
        ("-J ls", "unknown option '-J'"),
        (
            "--all-descriptors=yes ls",
            "--all-descriptors takes no value",
        ),
        ("--color blue ls", "cannot be 'blue'"),
        ("--engine steam ls", "cannot be 'steam'"),
        ("-o", "needs a value"),
        ("-c -C ls", "--summary"),
        ("-s x ls", "cannot be 'x'"),
        ("-e status=odd ls", "-e status: invalid status 'odd'"),
        ("-e signal=SIGODD ls", "-e signal: invalid signal 'SIGODD'"),
        ("--quiet=odd ls", "--quiet: invalid message 'odd'"),
    ] {
        let text = refusal(&words(line));
        assert!(text.contains(says), "{line}: {text}");
        assert!(!text.contains('\n') && text.len() < 160, "{line}: {text}");
        assert!(text.contains("sockstrace"), "{line}: no hint in {text}");
    }
}

#[test]
fn control_characters_of_an_argument_are_escaped() {
    for arguments in [
        ["--\x1b[31m", "ls"],
        ["-e", "signal=\x1b[31m"],
        ["--color", "\x1b[31m"],
    ] {
        let text = refusal(&arguments);
        assert!(
            text.chars().all(|character| !character.is_control()),
            "{text:?}"
        );
    }
}

#[test]
fn odd_values_are_answered_and_never_panic() {
    let flags = cli::command()
        .get_opts()
        .flat_map(|option| {
            let short = option.get_short().map(|short| format!("-{short}"));
            let long = option.get_long().map(|long| format!("--{long}"));
            short.into_iter().chain(long).collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    assert!(flags.len() > 40, "{flags:?}");
    let qualifiers = [
        "trace=", "status=", "signal=", "quiet=", "read=", "write=", "raw=",
    ];
    let flags = flags
        .into_iter()
        .chain(qualifiers.map(|qualifier| format!("-e{qualifier}")));
    for flag in flags {
        for value in [
            b"".as_slice(),
            b"=",
            b"!",
            b"!!,",
            b",,",
            b"\xff\xfe",
            b"\x1b[2J",
            b"-1",
            b"99999999999999999999",
            "π".as_bytes(),
        ] {
            let joined = OsString::from_vec([flag.as_bytes(), value].concat());
            let apart = [OsString::from(&flag), OsString::from_vec(value.to_vec())];
            for line in [vec![joined], apart.to_vec()] {
                let line: Vec<_> = line.into_iter().chain([OsString::from("x")]).collect();
                if let Err(refusal) = parse(&line) {
                    let text = refusal.to_string();
                    assert!(
                        text.chars().all(|character| !character.is_control()),
                        "{line:?}: {text:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_mistake_ends_the_binary_with_125_and_one_line() {
    for arguments in [&[][..], &["--bogus"], &["-p", "1"], &["-o", "-", "true"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sockstrace"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(said.starts_with("sockstrace: "), "{said}");
        assert_eq!(said.matches('\n').count(), 1, "{said}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_sockstrace"))
        .arg("-h")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty() && !output.stdout.is_empty());
}
