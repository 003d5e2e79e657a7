//! strace's options that sockstrace has no flag of its own for: accepted because that is how it always works, or answered by
//! one line that says what there is instead. One row an option, so that nothing of strace's is ever given another meaning.

use clap::{Arg, ArgAction};

/// Whether an option takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Never.
    None,
    /// Always.
    Required,
    /// Its long form may, after `=`.
    Optional,
}

/// What we say to an option.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// It is how we always work.
    AlwaysOn,
    /// It is not there; this says what is.
    Refused(&'static str),
}

/// One option.
pub(super) struct Row {
    /// Its short form.
    pub short: Option<&'static str>,
    /// Its long forms.
    pub long: &'static [&'static str],
    /// Whether it takes a value.
    pub value: Value,
    /// What we say to it.
    pub answer: Answer,
}

const fn row(
    short: Option<&'static str>,
    long: &'static [&'static str],
    value: Value,
    answer: Answer,
) -> Row {
    Row {
        short,
        long,
        value,
        answer,
    }
}

use Answer::{AlwaysOn, Refused};

/// The options.
pub(super) const ROWS: &[Row] = &[
    row(
        Some("a"),
        &["columns"],
        Value::Required,
        Refused("columns line up by themselves, as wide as the terminal allows"),
    ),
    row(
        Some("b"),
        &["detach-on"],
        Value::Required,
        Refused("a traced process is never let go; --no-follow hides what the program starts"),
    ),
    row(
        Some("D"),
        &["daemonize", "daemonised", "daemonized"],
        Value::Optional,
        Refused(
            "sockstrace stays the program's parent; --no-wait ends with the program and leaves a tracer behind it",
        ),
    ),
    row(Some("F"), &[], Value::None, AlwaysOn),
    row(
        Some("i"),
        &["instruction-pointer"],
        Value::None,
        Refused("where in the program a call was made is not shown yet; strace shows it"),
    ),
    row(
        Some("I"),
        &["interruptible"],
        Value::Required,
        Refused("Ctrl-C and Ctrl-Z reach the program as if it were untraced"),
    ),
    row(
        Some("k"),
        &["stack-trace", "stack-traces"],
        Value::Optional,
        Refused("call stacks are not shown yet; strace shows them"),
    ),
    row(
        None,
        &["stack-trace-frame-limit"],
        Value::Required,
        Refused("call stacks are not shown yet; strace shows them"),
    ),
    row(None, &["kill-on-exit"], Value::None, AlwaysOn),
    row(
        Some("n"),
        &["syscall-number"],
        Value::None,
        Refused("calls are shown by name only"),
    ),
    row(
        Some("N"),
        &["arg-names"],
        Value::None,
        Refused("arguments stand in the order of the call's manual page, without names"),
    ),
    row(
        Some("O"),
        &["summary-syscall-overhead"],
        Value::Required,
        Refused("times are as measured, nothing is taken off them; -c shows them"),
    ),
    row(
        Some("p"),
        &["attach"],
        Value::Required,
        Refused(
            "attaching to a running process is not there yet; start the program under sockstrace",
        ),
    ),
    row(
        Some("P"),
        &["trace-path"],
        Value::Required,
        Refused("paths cannot be picked; --all-descriptors shows files with their paths"),
    ),
    row(
        Some("U"),
        &["summary-columns"],
        Value::Required,
        Refused("the table of -c always has the same columns: time, calls, errors, bytes"),
    ),
    row(Some("w"), &["summary-wall-clock"], Value::None, AlwaysOn),
    row(
        Some("X"),
        &["const-print-style"],
        Value::Required,
        Refused("constants are shown by name; -e raw=SET shows the arguments of SET as numbers"),
    ),
    row(Some("y"), &[], Value::None, AlwaysOn),
    row(Some("Y"), &[], Value::None, AlwaysOn),
    row(None, &["pidns-translation"], Value::None, AlwaysOn),
    row(None, &["seccomp-bpf"], Value::None, AlwaysOn),
    row(
        None,
        &["syscall-limit"],
        Value::Required,
        Refused("a traced process is never let go; -o '|head -n LINES' cuts the trace"),
    ),
    row(
        None,
        &["argv0"],
        Value::Required,
        Refused("let a shell do it: sockstrace bash -c 'exec -a NAME PROGRAM'"),
    ),
    row(
        None,
        &["tips"],
        Value::Optional,
        Refused("there are no tips; --demo ends with things to try"),
    ),
];

impl Row {
    /// What clap knows the option by.
    pub(super) fn id(&self) -> &'static str {
        self.long
            .first()
            .copied()
            .or(self.short)
            .unwrap_or_default()
    }

    /// How the option is written: `-p/--attach`.
    pub(super) fn written(&self) -> String {
        let short = self.short.map(|short| format!("-{short}"));
        let long = self.long.first().map(|long| format!("--{long}"));
        short.into_iter().chain(long).collect::<Vec<_>>().join("/")
    }

    /// The option for clap: read, but in no help.
    pub(super) fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.id()).hide(true);
        if let Some(short) = self.short {
            arg = arg.short(short.chars().next());
        }
        if let Some((first, others)) = self.long.split_first() {
            arg = arg.long(first).aliases(others);
        }
        match self.value {
            Value::None => arg.action(ArgAction::Count),
            Value::Required => arg.action(ArgAction::Append).allow_hyphen_values(true),
            Value::Optional => arg
                .action(ArgAction::Append)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(""),
        }
    }
}
