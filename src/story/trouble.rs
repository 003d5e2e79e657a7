//! Failures in plain words, and which of them are normal.

use crate::syscall::{Call, Role};

/// What the errno means for such a call, in words for people who don't know errnos.
pub fn meaning(errno: i32, role: Role) -> Option<&'static str> {
    Some(match (errno, role) {
        (libc::ECONNREFUSED, Role::Connect) => "nothing listens there",
        (libc::ECONNREFUSED, _) => "the peer refused: nothing listens there",
        (libc::ETIMEDOUT, Role::Connect) => "no answer at all",
        (libc::ETIMEDOUT, _) => "the peer stopped answering",
        (libc::EHOSTUNREACH, _) => "no way to that host",
        (libc::ENETUNREACH, _) => "no route to that network",
        (libc::EADDRINUSE, _) => "another socket has that address",
        (libc::EADDRNOTAVAIL, _) => "this machine has no such address",
        (libc::EACCES, Role::Bind) => "ports below 1024 need a privilege",
        (libc::ECONNRESET, _) => "the peer broke the connection off",
        (libc::EPIPE, _) => "the peer has closed: nobody reads this",
        (libc::EAGAIN, Role::Accept) => "no peer yet",
        (libc::EAGAIN, Role::Receive) => "nothing has come yet",
        (libc::EAGAIN, Role::Send) => "no room yet: the peer reads too slowly",
        (libc::EBADF, _) => "no such descriptor",
        (libc::EMFILE, _) => "too many open descriptors",
        _ => return None,
    })
}

/// Whether such a failure belongs to ordinary work.
pub fn is_normal(call: &Call) -> bool {
    let Some(errno) = call.outcome.errno() else {
        return false;
    };
    super::conversation::interrupted(errno)
        || matches!(
            errno,
            libc::EAGAIN | libc::EINPROGRESS | libc::EALREADY | libc::EISCONN
        )
        || (errno == libc::ENOTCONN && matches!(call.row.role, Role::Setup | Role::Shutdown))
}
