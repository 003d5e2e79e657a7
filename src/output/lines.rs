//! Lines that are no calls: processes, signals and notices, in strace's spirit.

use nix::sys::signal::Signal;

use super::escape::Escape;
use crate::story::{Importance, Told};
use crate::syscall::Data;
use crate::tracer::event::{Change, Notice, ProcessEvent, Status};

use super::settings::{Quiet, Settings};

/// What became of a process, if that is to be shown.
pub fn process(
    event: &ProcessEvent,
    told: &Told,
    settings: &Settings,
    escape: Escape,
) -> Option<String> {
    let matters = told.importance != Importance::Ordinary;
    let begins = settings.verbose && !settings.quiet.beginnings;
    let ends = !settings.quiet.endings;
    match &event.change {
        Change::Started { parent, own, .. } if begins => {
            let itself = own.map_or_else(String::new, |own| format!(", process {own} to itself"));
            Some(match parent {
                _ if event.pid != event.tid => format!("+++ thread {} begins +++", event.tid),
                Some(parent) => format!("+++ begins, started by {parent}{itself} +++"),
                None => format!("+++ begins{itself} +++"),
            })
        }
        Change::Executed { path, former, .. } if begins => {
            let former = former.filter(|_| !settings.quiet.thread_execve);
            let former = former.map(|former| format!(", called by its thread {former}"));
            Some(format!(
                "+++ runs {}{} +++",
                quoted(path, escape),
                former.unwrap_or_default()
            ))
        }
        Change::Signal {
            signal,
            code,
            sender,
        } => {
            let shown = match &settings.signals {
                Some(set) => set.contains(signal),
                None => settings.verbose || matters,
            };
            let sender = sender
                .map(|sender| format!(", si_pid={sender}"))
                .unwrap_or_default();
            let name = signal_name(*signal);
            let code = code_name(*signal, *code);
            shown.then(|| format!("--- {name} {{si_signo={name}, si_code={code}{sender}}} ---"))
        }
        Change::Stopped { signal } if settings.verbose => {
            Some(format!("--- stopped by {} ---", signal_name(*signal)))
        }
        Change::Continued if settings.verbose => Some("--- continued ---".into()),
        Change::Ended {
            status: Status::Exited(status),
            ..
        } if ends && settings.verbose => Some(format!("+++ exited with {status} +++")),
        Change::Ended {
            status: Status::Killed(signal, core),
            ..
        } if ends && (settings.verbose || matters) => {
            let core = if *core { " (core dumped)" } else { "" };
            Some(format!("+++ killed by {}{core} +++", signal_name(*signal)))
        }
        _ => None,
    }
}

/// A notice's line, if it is to be shown.
pub fn notice(notice: &Notice, quiet: Quiet, escape: Escape) -> Option<String> {
    let bare = |text: &str| escape.name(text.as_bytes());
    let (left_out, text) = match notice {
        Notice::IoUring {
            pid,
            refused: false,
            ..
        } => (
            quiet.notices,
            format!(
                "process {pid} uses io_uring: what it sends and receives that way makes no calls and is not shown (--no-io-uring prevents it)"
            ),
        ),
        Notice::IoUring {
            pid, refused: true, ..
        } => (
            quiet.notices,
            format!("process {pid} asked for an io_uring and was refused, as --no-io-uring says"),
        ),
        Notice::PrivilegeLost { pid, path } => (
            quiet.notices,
            format!(
                "{} (process {pid}) runs without the privilege of its file, since it is traced without ours: run sockstrace as root",
                bare(path)
            ),
        ),
        Notice::WaitingFor { program, children } => {
            let children: Vec<_> = children
                .iter()
                .map(|(pid, name)| format!("{}[{pid}]", bare(name)))
                .collect();
            (
                quiet.beginnings,
                format!(
                    "{} has ended; still running: {} (--no-wait would end here)",
                    bare(program),
                    children.join(", ")
                ),
            )
        }
        Notice::Engine(text) | Notice::Text(text) => (quiet.notices, bare(text)),
    };
    (!left_out).then(|| format!("sockstrace: {text}"))
}

fn quoted(data: &Data, escape: Escape) -> String {
    let mut out = String::new();
    escape.quoted(&mut out, &data.bytes, data.len > data.bytes.len() as u64);
    out
}

/// SIGSEGV, SIGRT_2.
fn signal_name(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(known) => known.as_str().into(),
        Err(_) if signal >= 32 => format!("SIGRT_{}", signal - 32),
        Err(_) => signal.to_string(),
    }
}

/// si_code by name (include/uapi/asm-generic/siginfo.h).
fn code_name(signal: i32, code: i32) -> String {
    let name = match (signal, code) {
        (_, 0) => "SI_USER",
        (_, 0x80) => "SI_KERNEL",
        (_, -1) => "SI_QUEUE",
        (_, -2) => "SI_TIMER",
        (_, -3) => "SI_MESGQ",
        (_, -4) => "SI_ASYNCIO",
        (_, -5) => "SI_SIGIO",
        (_, -6) => "SI_TKILL",
        (libc::SIGCHLD, 1) => "CLD_EXITED",
        (libc::SIGCHLD, 2) => "CLD_KILLED",
        (libc::SIGCHLD, 3) => "CLD_DUMPED",
        (libc::SIGCHLD, 4) => "CLD_TRAPPED",
        (libc::SIGCHLD, 5) => "CLD_STOPPED",
        (libc::SIGCHLD, 6) => "CLD_CONTINUED",
        (libc::SIGSEGV, 1) => "SEGV_MAPERR",
        (libc::SIGSEGV, 2) => "SEGV_ACCERR",
        (libc::SIGBUS, 1) => "BUS_ADRALN",
        (libc::SIGBUS, 2) => "BUS_ADRERR",
        (libc::SIGILL, 2) => "ILL_ILLOPN",
        (libc::SIGFPE, 1) => "FPE_INTDIV",
        (libc::SIGIO, 1) => "POLL_IN",
        (libc::SIGIO, 2) => "POLL_OUT",
        (libc::SIGIO, 6) => "POLL_HUP",
        _ => return format!("{code:#x}"),
    };
    name.into()
}
