//! What text looks like: the command line's wishes, as plain values.

use std::collections::BTreeSet;

use super::Hex;
use super::hexdump::Descriptors;
use super::time::{Clock, Wall};
use crate::syscall::Selection;

/// What text looks like. The default is that of a file: no colours, no width.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to colour.
    pub colour: bool,
    /// Whether the locale is UTF-8; pure ASCII otherwise.
    pub unicode: bool,
    /// The terminal's columns; a file has none, and nothing is wrapped or shortened in it.
    pub width: Option<usize>,
    /// How many bytes of a payload are quoted at most (`-s`), whatever was copied for dumps.
    pub data: usize,
    /// Whether data keeps its length even where a line gets too long for the terminal (`-s` was given).
    pub keep_data: bool,
    /// What the first column says (`-t`, `-tt`, `-ttt`).
    pub clock: Clock,
    /// The time since the line before, with so many digits after the second (`-r`: 6); beside the clock, where that is not the default.
    pub relative: Option<u8>,
    /// The time spent in each call, with so many digits after the second (`-T`: 6).
    pub durations: Option<u8>,
    /// When the trace began.
    pub wall_start: Wall,
    /// Seconds east of UTC for the time of day; nothing for the local time zone.
    pub zone: Option<i64>,
    /// Which strings are written in base 16 (`-x`, `-xx`).
    pub hex: Hex,
    /// Descriptors whose incoming data is dumped (`--hex`, `-e read=`).
    pub dump_read: Descriptors,
    /// Descriptors whose outgoing data is dumped (`--hex`, `-e write=`).
    pub dump_write: Descriptors,
    /// Whether every argument, process and signal is shown (`-v`).
    pub verbose: bool,
    /// The calls whose arguments are written as numbers (`-e raw=`).
    pub raw: Selection,
    /// Whether lines say whose they are even while there is one process.
    pub always_who: bool,
    /// The calls that are shown, by their end (`-z`, `-Z`, `-e status=`).
    pub ends: Ends,
    /// The messages that are left out (`-q`, `-e quiet=`).
    pub quiet: Quiet,
    /// The signals to show; nothing for those that matter, and all with `verbose`.
    pub signals: Option<BTreeSet<i32>>,
    /// Whether what the kernel says of a socket is shown below its calls.
    pub kernel: bool,
    /// Whether a sentence explains each stage when it first comes.
    pub explain: bool,
    /// Whether to say at the end that the program made no calls on sockets, where there was nothing to show and nothing was left out.
    pub says_nothing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            colour: false,
            kernel: false,
            unicode: true,
            width: None,
            data: 48,
            keep_data: false,
            clock: Clock::SinceStart,
            relative: None,
            durations: None,
            wall_start: Wall::default(),
            zone: None,
            hex: Hex::No,
            dump_read: Descriptors::None,
            dump_write: Descriptors::None,
            verbose: false,
            raw: Selection::default(),
            always_who: false,
            ends: Ends::default(),
            quiet: Quiet::default(),
            signals: None,
            explain: false,
            says_nothing: false,
        }
    }
}

/// Kinds of messages that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Who begins, what it runs, and for whom we wait.
    pub beginnings: bool,
    /// Who ended, and how.
    pub endings: bool,
    /// Which thread's execve ended the others.
    pub thread_execve: bool,
    /// All others: notices about the tracing itself.
    pub notices: bool,
}

/// How a call that is shown may have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Without an error.
    pub successful: bool,
    /// With an error.
    pub failed: bool,
    /// Not at all: its thread was gone first.
    pub unfinished: bool,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            successful: true,
            failed: true,
            unfinished: true,
        }
    }
}
