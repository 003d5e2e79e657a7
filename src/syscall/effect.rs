//! What a call does to the descriptor table of its process.

use syscalls::Sysno;

use super::calls::CLOEXEC;
use super::table::CloseOnExec;
use super::{Call, Outcome, Value, control};

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
    /// The open file description behind `fd` is in a message now (SCM_RIGHTS), and lives on until somebody receives it.
    Passes {
        /// The sender's descriptor.
        fd: i32,
    },
    /// The thread has a table of its own from now on: unshare(CLONE_FILES), close_range(CLOSE_RANGE_UNSHARE). Comes first.
    UnsharesTable,
}

/// The changes that a finished call made, in their order.
pub fn effects(call: &Call) -> Vec<Effect> {
    let mut effects = Vec::new();
    add_effects(call, &mut effects);
    effects
}

/// Adds them to `effects`.
pub fn add_effects(call: &Call, effects: &mut Vec<Effect>) {
    let args = &call.raw.args;
    let number = call.row.number;
    // close(2): whatever it says, the descriptor is gone, unless there was none.
    if number == Sysno::close {
        let gone = !matches!(
            call.outcome,
            Outcome::Error(libc::EBADF) | Outcome::Unfinished
        );
        effects.extend(gone.then_some(Effect::Closes { fd: args[0] as i32 }));
        return;
    }
    let Some(value) = call.outcome.value() else {
        return;
    };
    let result = value as i32;
    let cloexec = call.row.opens.is_some_and(|flag| starts_with(flag, call));
    let opens = |fd, origin| Effect::Opens {
        fd,
        origin,
        cloexec,
    };
    match number {
        Sysno::socket => effects.push(opens(result, socket(args))),
        Sysno::socketpair => effects.extend(stored(call).map(|fd| opens(fd, socket(args)))),
        Sysno::accept | Sysno::accept4 => {
            effects.push(opens(result, Origin::AcceptedFrom(args[0] as i32)))
        }
        // dup2 onto itself does nothing, not even to the flag.
        Sysno::dup2 if args[0] as i32 == result => {}
        Sysno::dup | Sysno::dup2 | Sysno::dup3 => {
            effects.push(opens(result, Origin::Same(args[0] as i32)))
        }
        Sysno::pidfd_getfd => effects.push(opens(result, Origin::Elsewhere)),
        Sysno::close_range => close_range(args[0] as u32, args[1] as u32, args[2] as u32, effects),
        Sysno::fcntl => effects.extend(fcntl(args, result)),
        Sysno::ioctl => effects.extend(ioctl(args, result)),
        Sysno::recvmsg | Sysno::recvmmsg => received(call, effects),
        Sysno::sendmsg | Sysno::sendmmsg => {
            effects.extend(passed(call).map(|passed| Effect::Passes { fd: passed.fd }))
        }
        Sysno::getsockopt => peer_pidfd(call, effects),
        Sysno::unshare if args[0] & libc::CLONE_FILES as u64 != 0 => {
            effects.push(Effect::UnsharesTable)
        }
        // It changes the mask of a signalfd that is there already.
        Sysno::signalfd | Sysno::signalfd4 if args[0] as i32 != -1 => {}
        Sysno::pipe | Sysno::pipe2 => {
            effects.extend(stored(call).map(|fd| opens(fd, Origin::File)))
        }
        _ if call.row.opens.is_some() => effects.push(opens(result, Origin::File)),
        _ => {}
    }
}

/// Whether the descriptors that a call makes start with the close-on-exec flag.
fn starts_with(flag: CloseOnExec, call: &Call) -> bool {
    match flag {
        CloseOnExec::Never => false,
        CloseOnExec::Always => true,
        CloseOnExec::Bit(index, bit) => call.raw.args[index] & bit != 0,
        CloseOnExec::Field(index) => {
            let flags = call
                .args
                .get(index)
                .and_then(|arg| arg.value.field("flags"));
            matches!(flags, Some(Value::Flags(_, bits)) if bits & CLOEXEC != 0)
        }
    }
}

/// What socket and socketpair make.
fn socket(args: &[u64; 6]) -> Origin {
    let kind = args[1] as i32 & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    Origin::Socket {
        domain: args[0] as i32,
        kind,
        protocol: args[2] as i32,
    }
}

/// The descriptors that the call stored.
fn stored(call: &Call) -> impl Iterator<Item = i32> {
    let items = call.args.iter().flat_map(|arg| arg.value.items());
    items.filter_map(|item| match item {
        Value::Fd(fd) => Some(*fd),
        _ => None,
    })
}

fn close_range(first: u32, last: u32, flags: u32, effects: &mut Vec<Effect>) {
    if flags & libc::CLOSE_RANGE_UNSHARE != 0 {
        effects.push(Effect::UnsharesTable);
    }
    effects.push(match flags & libc::CLOSE_RANGE_CLOEXEC {
        0 => Effect::ClosesRange { first, last },
        _ => Effect::CloseOnExec {
            first,
            last,
            on: true,
        },
    });
}

fn fcntl(args: &[u64; 6], result: i32) -> Option<Effect> {
    let fd = args[0] as i32;
    let opens = |cloexec| Effect::Opens {
        fd: result,
        origin: Origin::Same(fd),
        cloexec,
    };
    match args[1] as i32 {
        libc::F_DUPFD => Some(opens(false)),
        libc::F_DUPFD_CLOEXEC => Some(opens(true)),
        libc::F_SETFD => Some(flag(fd, args[2] as i32 & libc::FD_CLOEXEC != 0)),
        _ => None,
    }
}

fn ioctl(args: &[u64; 6], result: i32) -> Option<Effect> {
    let fd = args[0] as i32;
    match u64::from(args[1] as u32) {
        FIOCLEX => Some(flag(fd, true)),
        FIONCLEX => Some(flag(fd, false)),
        // The file of a UNIX socket's path (unix(7)), and the network namespace of a socket.
        SIOCUNIXFILE | SIOCGSKNS => Some(Effect::Opens {
            fd: result,
            origin: Origin::File,
            cloexec: true,
        }),
        _ => None,
    }
}

/// The close-on-exec flag of one descriptor.
fn flag(fd: i32, on: bool) -> Effect {
    Effect::CloseOnExec {
        first: fd as u32,
        last: fd as u32,
        on,
    }
}

/// The descriptors that came with messages.
fn received(call: &Call, effects: &mut Vec<Effect>) {
    let flags = if call.row.number == Sysno::recvmsg {
        call.raw.args[2]
    } else {
        call.raw.args[3]
    };
    let cloexec = flags & libc::MSG_CMSG_CLOEXEC as u64 != 0;
    effects.extend(passed(call).map(|passed| match passed.pidfd {
        false => Effect::Opens {
            fd: passed.fd,
            origin: Origin::Elsewhere,
            cloexec,
        },
        true => Effect::Opens {
            fd: passed.fd,
            origin: Origin::File,
            cloexec: true,
        },
    }));
}

/// The descriptors in the control messages of a call.
fn passed(call: &Call) -> impl Iterator<Item = control::Descriptor> {
    let argument = call.args.get(1).map(|arg| &arg.value);
    let several = argument
        .into_iter()
        .flat_map(|argument| argument.items())
        .filter_map(|message| message.field("msg_hdr"));
    argument
        .into_iter()
        .chain(several)
        .filter_map(|header| header.field("msg_control"))
        .flat_map(control::descriptors)
}

/// SO_PEERPIDFD gives a new descriptor for the peer's process.
fn peer_pidfd(call: &Call, effects: &mut Vec<Effect>) {
    if call.raw.args[1] as i32 == libc::SOL_SOCKET && call.raw.args[2] as u32 == SO_PEERPIDFD {
        effects.extend(stored(call).map(|fd| Effect::Opens {
            fd,
            origin: Origin::File,
            cloexec: true,
        }));
    }
}

const FIONCLEX: u64 = libc::FIONCLEX;
const FIOCLEX: u64 = libc::FIOCLEX;
const SIOCGSKNS: u64 = 0x894c;
const SIOCUNIXFILE: u64 = 0x89e0;
const SO_PEERPIDFD: u32 = 77;
