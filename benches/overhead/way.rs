//! The ways of running a workload: who traces it.

use std::fmt;

/// Who traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nobody.
    Untraced,
    /// strace.
    Strace,
    /// sockstrace, without its recorder. Only workloads that are held against it run so.
    Stop,
    /// sockstrace.
    Sockstrace,
}

impl Way {
    /// All, in the order of turns.
    pub const ALL: [Self; 4] = [Self::Untraced, Self::Strace, Self::Stop, Self::Sockstrace];
    /// Those that have a column of their own in tables.
    pub const COLUMNS: [Self; 3] = [Self::Untraced, Self::Strace, Self::Sockstrace];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untraced => "untraced",
            Self::Strace => "strace",
            Self::Stop => "--engine stop",
            Self::Sockstrace => "sockstrace",
        })
    }
}
