//! `-e QUALIFIER=VALUES`, and the same as a long option, `--QUALIFIER=VALUES`: one row a qualifier.

use nix::libc;
use nix::sys::signal::Signal;

use super::options::{Message, Options, Status};
use super::{Refusal, Set};
use crate::syscall::Selection;

/// What a qualifier does with its values.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// It changes the options.
    Sets(fn(&mut Options, &str) -> Result<(), String>),
    /// It is how we always work.
    AlwaysOn,
    /// It is not there; this says what is.
    Refused(&'static str),
}

/// A qualifier of strace.
pub(super) struct Qualifier {
    /// How it is written after `-e`.
    pub names: &'static [&'static str],
    /// How it is written as a long option.
    pub long: &'static [&'static str],
    /// The values of the long option without any, where that is allowed.
    pub missing: Option<&'static str>,
    /// What it does.
    pub meaning: Meaning,
}

const TAMPERING: &str = "sockstrace only watches, it cannot change calls yet; strace can";

/// Every qualifier of strace, the default one first.
pub(super) const QUALIFIERS: &[Qualifier] = &[
    Qualifier {
        names: &["trace", "t"],
        long: &["trace"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.trace = Some(Selection::parse(values)?);
            Ok(())
        }),
    },
    Qualifier {
        names: &["status"],
        long: &["status"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.statuses = Set::parse(values, "status", status)?;
            Ok(())
        }),
    },
    Qualifier {
        names: &["signal", "signals", "s"],
        long: &["signal", "signals"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.signals = Some(Set::parse(values, "signal", signal)?);
            Ok(())
        }),
    },
    Qualifier {
        names: &["quiet", "silent", "silence", "q"],
        long: &["quiet", "silent", "silence"],
        missing: Some("attach,personality"),
        meaning: Meaning::Sets(|options, values| {
            options.quiet = Set::parse(values, "message", message)?;
            Ok(())
        }),
    },
    Qualifier {
        names: &["read", "reads", "r"],
        long: &["read"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.dump_read = Set::parse(values, "descriptor", descriptor)?;
            Ok(())
        }),
    },
    Qualifier {
        names: &["write", "writes", "w"],
        long: &["write"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.dump_write = Set::parse(values, "descriptor", descriptor)?;
            Ok(())
        }),
    },
    Qualifier {
        names: &["raw", "x"],
        long: &["raw"],
        missing: None,
        meaning: Meaning::Sets(|options, values| {
            options.raw = Some(Selection::parse(values)?);
            Ok(())
        }),
    },
    Qualifier {
        names: &["decode-fds", "decode-fd"],
        long: &["decode-fds"],
        missing: Some("path"),
        meaning: Meaning::AlwaysOn,
    },
    Qualifier {
        names: &["decode-pids", "decode-pid"],
        long: &["decode-pids"],
        missing: None,
        meaning: Meaning::AlwaysOn,
    },
    Qualifier {
        names: &["abbrev", "a"],
        long: &["abbrev"],
        missing: None,
        meaning: Meaning::Refused(
            "it cannot be chosen call by call; -v shows every structure in full",
        ),
    },
    Qualifier {
        names: &["verbose", "v"],
        long: &["verbose"],
        missing: None,
        meaning: Meaning::Refused(
            "structures are always decoded; -e raw=SET shows the arguments of SET as numbers",
        ),
    },
    Qualifier {
        names: &["trace-fds", "trace-fd", "fds", "fd"],
        long: &["trace-fds"],
        missing: None,
        meaning: Meaning::Refused("descriptors cannot be picked yet; -e trace=SET picks calls"),
    },
    Qualifier {
        names: &["fault"],
        long: &["fault"],
        missing: None,
        meaning: Meaning::Refused(TAMPERING),
    },
    Qualifier {
        names: &["inject"],
        long: &["inject"],
        missing: None,
        meaning: Meaning::Refused(TAMPERING),
    },
    Qualifier {
        names: &["kvm"],
        long: &["kvm"],
        missing: None,
        meaning: Meaning::Refused(
            "virtual machines make no socket calls that this could explain; strace has it",
        ),
    },
    Qualifier {
        names: &["namespace"],
        long: &["namespace"],
        missing: Some("new"),
        meaning: Meaning::Refused("namespaces are not shown; strace has it"),
    },
    Qualifier {
        names: &["secontext"],
        long: &["secontext"],
        missing: Some("none"),
        meaning: Meaning::Refused("security contexts are not shown; strace has it"),
    },
];

/// Carries out one expression as it stands after `-e`. One without a known qualifier names calls.
pub(super) fn apply(options: &mut Options, expression: &str) -> Result<(), Refusal> {
    let qualified = expression.split_once('=').and_then(|(name, values)| {
        let qualifier = QUALIFIERS
            .iter()
            .find(|qualifier| qualifier.names.contains(&name))?;
        Some((qualifier, format!("-e {name}"), values))
    });
    let (qualifier, written, values) =
        qualified.unwrap_or((&QUALIFIERS[0], "-e".into(), expression));
    qualifier.apply(options, &written, values)
}

impl Qualifier {
    /// Carries it out; `written` is how the user wrote it.
    pub(super) fn apply(
        &self,
        options: &mut Options,
        written: &str,
        values: &str,
    ) -> Result<(), Refusal> {
        match self.meaning {
            Meaning::Sets(set) => {
                set(options, values).map_err(|why| Refusal::new(format!("{written}: {why}")))
            }
            Meaning::AlwaysOn => Ok(()),
            Meaning::Refused(why) => Err(Refusal::final_word(format!("{written}: {why}"))),
        }
    }
}

fn status(word: &str) -> Option<Status> {
    Some(match word {
        "successful" => Status::Successful,
        "failed" => Status::Failed,
        "unfinished" => Status::Unfinished,
        "unavailable" => Status::Unavailable,
        "detached" => Status::Detached,
        _ => return None,
    })
}

fn message(word: &str) -> Option<Message> {
    Some(match word {
        "attach" => Message::Attach,
        "exit" | "exits" => Message::Exit,
        "path-resolution" | "path-resolve" | "path-resolved" => Message::PathResolution,
        "personality" => Message::Personality,
        "thread-execve" | "thread-exec" | "superseded" => Message::ThreadExecve,
        _ => return None,
    })
}

fn descriptor(word: &str) -> Option<i32> {
    word.parse().ok().filter(|fd| *fd >= 0)
}

/// A signal's number by number or name: `15`, `SIGTERM`, `term`, `RTMIN+3`, `SIGRT_3` (strace's name of the latter).
fn signal(word: &str) -> Option<i32> {
    // The kernel's SIGRTMIN (signal(7)); the C library's is higher by those that it keeps for itself.
    const RTMIN: i32 = 32;
    const RTMAX: i32 = 64;
    if let Ok(number) = word.parse() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name
        .strip_prefix("RT_")
        .or_else(|| name.strip_prefix("RTMIN+"))
    {
        let offset: i32 = offset.parse().ok()?;
        return (0..=RTMAX - RTMIN)
            .contains(&offset)
            .then(|| RTMIN + offset);
    }
    match name {
        "RTMIN" => Some(RTMIN),
        "RTMAX" => Some(RTMAX),
        "CLD" => Some(libc::SIGCHLD),
        "POLL" => Some(libc::SIGPOLL),
        "IOT" => Some(libc::SIGIOT),
        _ => format!("SIG{name}")
            .parse::<Signal>()
            .ok()
            .map(|signal| signal as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_any_of_their_names() {
        for (word, number) in [
            ("SIGINT", 2),
            ("int", 2),
            ("9", 9),
            ("io", 29),
            ("SIGPOLL", 29),
            ("rt_1", 33),
            ("RTMIN+1", 33),
        ] {
            assert_eq!(signal(word), Some(number), "{word}");
        }
        for word in ["", "0", "65", "-1", "SIGFOO", "SIG", "RT_33", "RTMIN+-1"] {
            assert_eq!(signal(word), None, "{word}");
        }
    }

    #[test]
    fn every_qualifier_has_one_row() {
        let mut names: Vec<_> = QUALIFIERS
            .iter()
            .flat_map(|qualifier| qualifier.names)
            .collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
