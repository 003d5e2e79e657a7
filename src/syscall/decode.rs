//! From registers and memory to a [`Call`].

use super::{Call, Memory, Outcome, Raw, Row};

/// How much is read of what a call points to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of payload in all (every iovec of one call together); structures and addresses are bounded by their own sizes.
    pub data: usize,
    /// Items of an array: iovecs, messages, pollfds, epoll events.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data: 48,
            items: 32,
        }
    }
}

/// A call at its entry, with what the kernel may overwrite before its exit.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the call is.
    pub row: &'static Row,
    /// The registers.
    pub raw: Raw,
}

/// Keeps what only the entry can tell: lengths that are values and results (accept, getsockname, recvmsg …), fd_sets.
/// Reads nothing for a call that has none.
pub fn enter(row: &'static Row, raw: Raw, _memory: &dyn Memory) -> Entry {
    Entry { row, raw }
}

/// Decodes a call whose outcome is known ([`Outcome::Unfinished`]: what its entry alone can say, for one that blocks).
pub fn finish(entry: &Entry, outcome: Outcome, _memory: &dyn Memory, _limits: Limits) -> Call {
    Call {
        row: entry.row,
        raw: entry.raw,
        args: Vec::new(),
        outcome,
    }
}
