//! strace's whole list of options against our answers.

use std::process::Command;

use sockstrace::cli::{Destination, Invocation};

use super::{options, parse, refusal, words};

/// strace's options of 6.2 and later, where the installed strace may be older.
const NEWER: &[&str] = &[
    "--argv0=NAME",
    "--kill-on-exit",
    "--trace-fds=3",
    "-e trace-fds=3",
    "--stack-trace",
    "--stack-trace=source",
    "-kk",
    "--stack-trace-frame-limit=9",
    "--syscall-limit=9",
    "--always-show-pid",
    "-N",
    "--arg-names",
    "--namespace=new",
    "--kvm=vcpu+",
    "--color=auto",
    "--decode-fds=eventfd",
    "--secontext",
    "--secontext=full",
    "--pidns-translation",
    "--daemonised",
    "--timestamps",
    "--silence=exit",
    "--silent=exit",
    "--failing-only",
    "-F",
    "-e decode-pid=comm",
    "-e decode-fd=all",
];

/// A value that strace would take for the placeholder that its help prints.
fn example(placeholder: &str) -> &str {
    match placeholder {
        "FORMAT" => "abbrev",
        "STRSIZE" => "32",
        "PRECISION" | "[=PRECISION]" => "us",
        _ if placeholder.contains("precision") => "unix,us",
        "SET" => "all",
        "SORTBY" => "avg-time",
        other => other,
    }
}

/// Every option that strace's help lists at the beginning of a line, with a value where it shows one.
fn listed_by_strace() -> Vec<String> {
    let help = Command::new("strace")
        .arg("-h")
        .output()
        .expect("strace is needed; tests/run installs it")
        .stdout;
    let mut found = Vec::new();
    for line in String::from_utf8(help)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("  -") || line.starts_with("   -"))
    {
        // The explanation stands after two spaces, or on the next line.
        let written = line.trim_start().split("  ").next().unwrap();
        for option in written
            .split(", ")
            .map(str::trim)
            .filter(|option| option.starts_with('-'))
        {
            let option = option.trim_end_matches(',');
            let option = match option.split_once(['[', ' ', '=']) {
                Some(("--follow-forks", _)) => "--follow-forks".into(),
                Some((name @ "-e", rest)) => {
                    let (qualifier, value) = rest.split_once('=').unwrap_or(("trace", "SET"));
                    format!(
                        "{name} {qualifier}={}",
                        if value.starts_with("[!]") {
                            "all"
                        } else {
                            example(value)
                        }
                    )
                }
                Some((name, rest)) if name.starts_with("--") => {
                    let value = rest.trim_start_matches('=').trim_end_matches(']');
                    format!(
                        "{name}={}",
                        if value.starts_with("[!]") {
                            "all"
                        } else {
                            example(value)
                        }
                    )
                }
                Some((name, rest)) => format!("{name} {}", example(rest)),
                None => option.to_owned(),
            };
            found.push(option);
        }
    }
    found
}

#[test]
fn every_option_of_strace_is_known() {
    let listed = listed_by_strace();
    assert!(
        listed.len() > 80,
        "only {} options found in strace -h: {listed:?}",
        listed.len()
    );
    for option in listed
        .iter()
        .map(String::as_str)
        .chain(NEWER.iter().copied())
    {
        let mut arguments = words(option);
        arguments.push("true");
        match parse(&arguments) {
            Ok(Invocation::Run(options)) => {
                assert_eq!(options.command, ["true"], "{option} took the program")
            }
            Ok(Invocation::Print(_)) => assert!(
                ["-h", "--help", "-V", "--version"].contains(&option),
                "{option}"
            ),
            Ok(other) => panic!("{option}: {other:?}"),
            Err(refusal) => {
                let text = refusal.to_string();
                assert!(
                    !text.contains("unknown option") && !text.contains("invalid"),
                    "{option}: {text}"
                );
                assert!(text.starts_with('-'), "{option} is not named: {text}");
                assert!(!text.contains('\n') && text.len() < 140, "{option}: {text}");
            }
        }
    }
}

#[test]
fn repeating_an_option_is_no_mistake() {
    let repeated = options(&words(
        "-v -v -z -z -o a -o b -s 1 -s 2 --no-wait --no-wait x",
    ));
    assert_eq!(repeated.string_limit, 2);
    assert_eq!(
        repeated.destination,
        Destination::File {
            path: "b".into(),
            append: false,
            per_process: false
        }
    );
}

#[test]
fn long_options_may_be_cut_short_as_getopt_allows() {
    assert!(options(&["--no-abb", "--all-desc", "x"]).verbose);
    assert!(refusal(&["--att", "1", "x"]).contains("attaching"));
}

#[test]
fn what_is_always_on_is_accepted_and_what_is_missing_is_refused() {
    for line in [
        "-f",
        "-ff",
        "-y",
        "-yy",
        "-Y",
        "-F",
        "-w",
        "--seccomp-bpf",
        "--kill-on-exit",
        "--decode-fds",
        "-e decode-fds=all",
    ] {
        let mut arguments = words(line);
        arguments.push("x");
        assert_eq!(options(&arguments).command, ["x"], "{line}");
    }
    for (line, says) in [
        ("-p 1", "-p/--attach: attaching"),
        ("--attach=1", "-p/--attach: attaching"),
        ("-k", "call stacks"),
        ("-DDD", "stays the program's parent"),
        (
            "-e inject=connect:error=EIO",
            "-e inject: sockstrace only watches",
        ),
        ("--fault=connect", "--fault: sockstrace only watches"),
        ("-P /etc/hosts", "--all-descriptors"),
        ("-X raw", "-e raw=SET"),
        ("-e verbose=none", "-e raw=SET"),
        ("-e abbrev=none", "-v shows"),
    ] {
        let mut arguments = words(line);
        arguments.push("x");
        let text = refusal(&arguments);
        assert!(text.contains(says), "{line}: {text}");
    }
}
