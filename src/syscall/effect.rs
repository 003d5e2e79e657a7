//! What a call does to the descriptor table of its process.

use super::Call;

/// Where a new descriptor leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A new socket, as socket(2) says it: AF_*, SOCK_* without its flags, protocol.
    Socket {
        /// AF_*.
        domain: i32,
        /// SOCK_* without SOCK_NONBLOCK and SOCK_CLOEXEC.
        kind: i32,
        /// IPPROTO_* and others.
        protocol: i32,
    },
    /// A connection accepted from this listener: domain, type and protocol are the listener's.
    AcceptedFrom(i32),
    /// The same open file description as this descriptor of the same process.
    Same(i32),
    /// Received from elsewhere (SCM_RIGHTS, pidfd_getfd): only the kernel knows what it is.
    Elsewhere,
    /// A file, pipe or another thing that is no socket.
    File,
}

/// One change of a process's descriptor table. Only calls that succeeded have effects (a failed close has, as close(2) says: the
/// descriptor is gone in any case but EBADF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `fd` now leads to `origin`; what it led to before is released (dup2).
    Opens {
        /// The new descriptor.
        fd: i32,
        /// Where it leads.
        origin: Origin,
        /// Whether it is closed by execve.
        cloexec: bool,
    },
    /// `fd` is released.
    Closes {
        /// The descriptor.
        fd: i32,
    },
    /// All of `first..=last` are released.
    ClosesRange {
        /// The first descriptor.
        first: u32,
        /// The last one.
        last: u32,
    },
    /// The close-on-exec flag of all of `first..=last` is set or cleared.
    CloseOnExec {
        /// The first descriptor.
        first: u32,
        /// The last one.
        last: u32,
        /// Whether execve closes them.
        on: bool,
    },
    /// The thread has a table of its own from now on: unshare(CLONE_FILES), close_range(CLOSE_RANGE_UNSHARE). Comes first.
    UnsharesTable,
}

/// The changes that a finished call made, in their order.
pub fn effects(_call: &Call) -> Vec<Effect> {
    Vec::new()
}
