//! Job control in a real terminal: Ctrl-C, Ctrl-\, Ctrl-Z and fg, hanging up; and colours only where they belong.

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::harness::programs::program;
use crate::harness::terminal::Terminal;
use crate::harness::{ENGINES, binary, poll, scratch, text};

/// The command line of a traced program, its trace in a file.
fn line(engine: &str, trace: &str, program: &str) -> String {
    format!(
        "{} -v --engine {engine} -o {trace} -- {program}",
        text(&binary())
    )
}

/// The number that the counting program says when it is ready.
fn number(terminal: &Terminal) -> Pid {
    let screen = terminal.until_it("ready NUMBER", |screen| number_in(screen).is_some());
    Pid::from_raw(number_in(&screen).expect("a number"))
}

fn number_in(screen: &str) -> Option<i32> {
    screen
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("ready ")?.trim().parse().ok())
}

#[test]
fn control_c_arrives_once() {
    for engine in ENGINES {
        let (terminal, directory) = (Terminal::open(), scratch());
        let trace = directory.path().join("trace");
        terminal.line(&line(engine, text(&trace), text(&program("count_signals"))));
        let tracee = number(&terminal);
        terminal.key("C-c");
        terminal.until("got 02");
        terminal.key("C-\\");
        terminal.until("got 03");
        signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
        let screen = terminal.until_it("counts and a prompt", |screen| {
            screen.contains("signal 3: ") && screen.ends_with("ready>")
        });
        assert!(
            screen.contains("signal 2: 1\n") && screen.contains("signal 3: 1\n"),
            "{screen}"
        );
    }
}

#[test]
fn control_c_ends_the_program_and_us_by_the_same_signal() {
    for engine in ENGINES {
        let (terminal, directory) = (Terminal::open(), scratch());
        let trace = directory.path().join("trace");
        let inner = "bash -c 'echo now to sleep; exec sleep 1000'".replace("now to", "now\" \"to");
        // A shell gives up its loop only if what it ran was killed by SIGINT, not if that exited with 130.
        terminal.line(&format!(
            "for i in 1 2; do {}; done; echo not reached",
            line(engine, text(&trace), &inner)
        ));
        terminal.until("\nnow to sleep");
        poll(|| std::fs::read_to_string(&trace).is_ok().then_some(())).expect("a trace");
        terminal.key("C-c");
        terminal.line("echo status is $?");
        let screen = terminal.until("status is 130");
        assert_eq!(screen.matches("\nnow to sleep").count(), 1, "{screen}");
        assert!(!screen.contains("\nnot reached"), "{screen}");
        let text = std::fs::read_to_string(&trace).expect("a trace");
        assert!(
            text.contains("SIGINT"),
            "we stay to report how the program ended: {text}"
        );
    }
}

#[test]
fn control_z_and_fg() {
    for engine in ENGINES {
        let (terminal, directory) = (Terminal::open(), scratch());
        let trace = directory.path().join("trace");
        // Typed before the shell has handed the terminal over, a line is the shell's.
        terminal.line(&line(
            engine,
            text(&trace),
            "sh -c 'echo $((40 + 2)) is said; exec cat'",
        ));
        terminal.until("42 is said");
        terminal.line("before");
        terminal.until_it("an echo by cat", |screen| {
            screen.matches("before").count() == 2
        });
        for round in ["one", "two"] {
            terminal.key("C-z");
            terminal.until_it("Stopped and a prompt", |screen| {
                screen.contains("Stopped") && screen.ends_with("ready>")
            });
            terminal.line("clear; jobs; echo here is $((1 + 1))");
            terminal.until_it("a stopped job", |screen| {
                screen.contains("Stopped") && screen.contains("here is 2")
            });
            terminal.line("clear; fg");
            terminal.until_it("the command alone", |screen| screen.ends_with("exec cat'"));
            terminal.line(round);
            terminal.until_it("another echo by cat", |screen| {
                screen.matches(round).count() == 2
            });
        }
        terminal.key("C-d");
        terminal.until_it("a prompt", |screen| screen.ends_with("ready>"));
        terminal.line("echo status is $?");
        terminal.until("status is 0");
    }
}

#[test]
fn background_and_bg() {
    let (terminal, directory) = (Terminal::open(), scratch());
    let trace = directory.path().join("trace");
    terminal.line(&line("auto", text(&trace), text(&program("count_signals"))));
    let tracee = number(&terminal);
    terminal.key("C-z");
    terminal.until_it("Stopped and a prompt", |screen| {
        screen.contains("Stopped") && screen.ends_with("ready>")
    });
    terminal.line("bg");
    terminal.until_it("a prompt after bg", |screen| {
        screen.contains("[1]+ ") && screen.contains(" &\n") && screen.ends_with("ready>")
    });
    signal::kill(tracee, Signal::SIGUSR1).expect("a signal to a process of ours");
    terminal.until("got 10");
    signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
    terminal.until("signal 10: 1");
    terminal.line("");
    terminal.until("Done");
}

#[test]
fn trace_in_the_background_may_write_to_a_terminal_with_tostop() {
    // We ignore SIGTTOU: a background trace goes on writing; the program's own rules stay.
    let (terminal, directory) = (Terminal::open(), scratch());
    let finished = directory.path().join("finished");
    terminal.line("stty tostop");
    terminal.line(&format!(
        "{} -v -- sh -c '{} >/dev/null; echo ok >{}' &",
        text(&binary()),
        text(&program("vfork_exec")),
        text(&finished)
    ));
    poll(|| finished.exists().then_some(()))
        .unwrap_or_else(|| panic!("stopped in the background:\n{}", terminal.screen()));
    terminal.until("after exec");
}

#[test]
fn hanging_up_arrives_once() {
    for engine in ENGINES {
        // dash, unlike bash, leaves it to the kernel to hang up on its jobs.
        let (terminal, directory) = (Terminal::open(), scratch());
        let (trace, counts) = (
            directory.path().join("trace"),
            directory.path().join("counts"),
        );
        terminal.line("export PS1='ready> '; exec sh -i");
        terminal.until_it("a second prompt", |screen| {
            screen.matches("ready>").count() >= 2
        });
        let program = program("count_signals");
        terminal.line(&line(
            engine,
            text(&trace),
            &format!("{} {}", text(&program), text(&counts)),
        ));
        let tracee = number(&terminal);
        terminal.hang_up();
        // The program has nowhere to write to, but counts on until it is told to end.
        poll(|| {
            std::fs::read_to_string(&trace)
                .ok()
                .filter(|trace| trace.contains("SIGHUP"))
        })
        .unwrap_or_else(|| {
            panic!(
                "no SIGHUP in the trace: {:?}",
                std::fs::read_to_string(&trace)
            )
        });
        signal::kill(tracee, Signal::SIGUSR2).expect("a signal to a process of ours");
        let told = poll(|| {
            std::fs::read_to_string(&counts)
                .ok()
                .filter(|text| text.contains("signal 1: ") && text.ends_with('\n'))
        });
        assert_eq!(told.as_deref(), Some("signal 1: 1\n"));
    }
}

#[test]
fn colours_on_a_terminal_only() {
    let terminal = Terminal::open();
    terminal.line("clear");
    terminal.line(&format!(
        "{} -- {} 2>&1 >/dev/null",
        text(&binary()),
        text(&program("clone_untraced"))
    ));
    terminal.until_it("a trace and a prompt", |screen| {
        screen.contains("127.1.2.3:9") && screen.ends_with("ready>")
    });
    let coloured = terminal.colours();
    assert!(
        coloured
            .lines()
            .any(|line| line.contains("127.1.2.3:9") && line.contains('\x1b')),
        "{coloured}"
    );
    terminal.line("clear");
    terminal.line(&format!(
        "NO_COLOR=1 {} -- {} 2>&1 >/dev/null",
        text(&binary()),
        text(&program("clone_untraced"))
    ));
    terminal.until_it("a trace and a prompt", |screen| {
        screen.contains("127.1.2.3:9") && screen.ends_with("ready>")
    });
    let plain = terminal.colours();
    assert!(
        plain
            .lines()
            .any(|line| line.contains("127.1.2.3:9") && !line.contains('\x1b')),
        "{plain}"
    );
}

#[test]
fn program_alone_is_the_foreground_of_its_terminal() {
    // What a program can ask of its terminal is the same: it is one, it is ours, and its size is right.
    let terminal = Terminal::open();
    terminal.line("clear");
    let ask = "sh -c 'stty size; test -t 0 && test -t 1 && test -t 2 && echo all three'";
    terminal.line(&format!("{} -o /dev/null -- {ask}", text(&binary())));
    let screen = terminal.until("\nall three");
    assert!(
        screen.contains("50 200") || screen.contains("49 200"),
        "{screen}"
    );
}

#[test]
fn control_c_leaves_the_reader_of_the_trace_alone() {
    let (terminal, directory) = (Terminal::open(), scratch());
    let trace = directory.path().join("trace");
    terminal.line(&format!(
        "{} -o '|cat >{}' nc.openbsd -lU {}",
        text(&binary()),
        text(&trace),
        text(&directory.path().join("socket"))
    ));
    poll(|| {
        std::fs::read_to_string(&trace)
            .ok()
            .filter(|trace| trace.contains("listen("))
    })
    .expect("a server that waits");
    terminal.key("C-c");
    terminal.until_it("a prompt", |screen| screen.ends_with("ready>"));
    let end = poll(|| {
        std::fs::read_to_string(&trace)
            .ok()
            .filter(|trace| trace.contains("killed by SIGINT"))
    });
    assert!(end.is_some(), "{:?}", std::fs::read_to_string(&trace));
}
