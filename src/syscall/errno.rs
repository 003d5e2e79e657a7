//! Errors: their names, what they mean in plain words, and which of them are ordinary.

use std::sync::LazyLock;

use syscalls::Errno;

use super::{Call, Names, Role, SockAddr};

/// The kernel's own codes that a tracer sees where a signal interrupted a call (include/linux/errno.h).
const RESTART: [(u64, &str); 4] = [
    (512, "ERESTARTSYS"),
    (513, "ERESTARTNOINTR"),
    (514, "ERESTARTNOHAND"),
    (516, "ERESTART_RESTARTBLOCK"),
];

/// Every name, as a table of constants.
pub fn names() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let known = (1..512).filter_map(|number| Some((number as u64, Errno::new(number).name()?)));
        Names::new("E???", known.chain(RESTART).collect::<Vec<_>>().leak())
    });
    &NAMES
}

/// The name of an errno, the kernel's restart codes included.
pub fn name(errno: i32) -> Option<&'static str> {
    names().get(u64::try_from(errno).ok()?)
}

/// What an errno means to the person who reads the trace, for a call of that role. Empty where that is no more than strerror(3) says.
pub fn meaning(errno: i32, role: Role) -> &'static str {
    let of = |wanted| {
        MEANINGS
            .iter()
            .find(|(of, number, _)| *of == wanted && *number == errno)
            .map(|(.., words)| *words)
    };
    of(Some(role)).or_else(|| of(None)).unwrap_or_default()
}

/// Why a call failed, in words that say more than the system's own, which stand beside the error's name anyway; otherwise empty.
pub fn reason(call: &Call) -> &'static str {
    let Some(errno) = call.outcome.errno() else {
        return "";
    };
    let [family, kind, protocol, ..] = call.raw.args;
    // The type's own bits (SOCK_TYPE_MASK in include/linux/net.h).
    let datagram = kind & 0xf == libc::SOCK_DGRAM as u64;
    let privileged = matches!((kind & 0xf) as i32, libc::SOCK_RAW | SOCK_PACKET)
        || family == libc::AF_PACKET as u64;
    let echo = protocol == libc::IPPROTO_ICMP as u64 || protocol == libc::IPPROTO_ICMPV6 as u64;
    match (call.row.role, errno) {
        (Role::Create, libc::EACCES | libc::EPERM) if datagram && echo => {
            "not allowed: this process is in no group of net.ipv4.ping_group_range"
        }
        (Role::Create, libc::EACCES | libc::EPERM) if !privileged => "",
        (role, _) => meaning(errno, role),
    }
}

/// SOCK_PACKET (include/linux/net.h), the old way to packets.
const SOCK_PACKET: i32 = 10;

/// Whether a failed call is an ordinary step on the way rather than something gone wrong.
pub fn is_normal(call: &Call) -> bool {
    let Some(errno) = call.outcome.errno() else {
        return false;
    };
    match errno {
        // "Not yet", and "again, please": no program that uses them is surprised.
        libc::EAGAIN | libc::EINPROGRESS | libc::EALREADY | libc::EINTR | 512..=516 => true,
        // connect once more, to ask whether the first has worked.
        libc::EISCONN => call.row.role == Role::Connect,
        // getpeername is how programs ask whether a socket is connected; shutdown after the peer has gone is a farewell.
        libc::ENOTCONN => call.name() == "getpeername" || call.row.role == Role::Shutdown,
        // Is it a terminal?
        libc::ENOTTY => call.name() == "ioctl",
        // The C library's name service asks a daemon that most machines don't run.
        libc::ENOENT | libc::ECONNREFUSED => is_optional(call.address()),
        // Programs add a descriptor without asking whether it is in the set already.
        libc::EEXIST => call.name() == "epoll_ctl",
        _ => false,
    }
}

/// Whether an address is one that programs only try: nscd's socket and its relatives.
fn is_optional(address: Option<&SockAddr>) -> bool {
    const TRIED: [&[u8]; 6] = [
        b"/var/run/nscd/socket",
        b"/run/nscd/socket",
        b"/var/lib/sss/pipes/nss",
        b"/run/systemd/resolve/io.systemd.Resolve",
        b"/run/systemd/userdb/io.systemd.DynamicUser",
        b"/var/run/.nscd_socket",
    ];
    matches!(address, Some(SockAddr::UnixPath(path)) if TRIED.contains(&path.as_slice()))
}

/// What errors mean: for a role where it is said, otherwise for every call.
#[rustfmt::skip]
const MEANINGS: &[(Option<Role>, i32, &str)] = &[
    (Some(Role::Connect), libc::ECONNREFUSED, "nobody listens there: the machine answered with a refusal"),
    (Some(Role::Connect), libc::EINPROGRESS, "the handshake goes on without us"),
    (Some(Role::Connect), libc::EALREADY, "the earlier connect is still under way"),
    (Some(Role::Connect), libc::EISCONN, "already connected"),
    (Some(Role::Connect), libc::ETIMEDOUT, "no answer at all: a firewall that drops, a host that is down, or a wrong route"),
    (Some(Role::Connect), libc::EAGAIN, "the listener's queue is full, or no local port is free"),
    (Some(Role::Connect), libc::ENOENT, "no such socket file: its server does not run"),
    (Some(Role::Connect), libc::EADDRNOTAVAIL, "no local port is free, or the address cannot be reached from here"),
    (Some(Role::Connect), libc::EADDRINUSE, "a connection between these two addresses is there already"),
    (Some(Role::Connect), libc::EACCES, "not allowed: a firewall rule, a broadcast address, or the socket file's permissions"),
    (Some(Role::Connect), libc::EPERM, "not allowed: a firewall rule forbids it"),
    (Some(Role::Connect), libc::EPROTOTYPE, "the socket there is of another type"),
    (Some(Role::Connect), libc::ECONNRESET, "the peer broke the connection off during the handshake"),
    (Some(Role::Connect), libc::EAFNOSUPPORT, "the address is of another family than the socket"),
    (Some(Role::Bind), libc::EADDRINUSE, "another socket has this address already"),
    (Some(Role::Bind), libc::EADDRNOTAVAIL, "this machine has no such address"),
    (Some(Role::Bind), libc::EACCES, "not allowed: ports below 1024 need a privilege"),
    (Some(Role::Bind), libc::EINVAL, "the socket has an address already, or this one is malformed"),
    (Some(Role::Bind), libc::ENOENT, "a directory on the path does not exist"),
    (Some(Role::Listen), libc::EADDRINUSE, "another socket listens there already"),
    (Some(Role::Listen), libc::EOPNOTSUPP, "this type of socket cannot listen"),
    (Some(Role::Listen), libc::EINVAL, "the socket is connected, so it cannot listen"),
    (Some(Role::Accept), libc::EAGAIN, "nobody waits to be accepted yet"),
    (Some(Role::Accept), libc::ECONNABORTED, "the peer gave up before it was accepted"),
    (Some(Role::Accept), libc::EINVAL, "the socket does not listen"),
    (Some(Role::Accept), libc::EOPNOTSUPP, "this type of socket cannot accept"),
    (Some(Role::Accept), libc::EMFILE, "the process has no descriptor left: the peer must wait"),
    (Some(Role::Receive), libc::EAGAIN, "nothing there yet; would block"),
    (Some(Role::Receive), libc::ECONNREFUSED, "nobody listens there: an earlier datagram was refused"),
    (Some(Role::Receive), libc::ECONNRESET, "the peer broke the connection off (RST)"),
    (Some(Role::Receive), libc::ETIMEDOUT, "the peer no longer answers: the connection is given up"),
    (Some(Role::Send), libc::EAGAIN, "no room yet: the peer is slow; would block"),
    (Some(Role::Send), libc::EPIPE, "the peer has closed: nothing can be sent any more"),
    (Some(Role::Send), libc::ECONNRESET, "the peer broke the connection off (RST)"),
    (Some(Role::Send), libc::ECONNREFUSED, "nobody listens there: an earlier datagram was refused"),
    (Some(Role::Send), libc::EMSGSIZE, "longer than one datagram can be"),
    (Some(Role::Send), libc::EDESTADDRREQ, "no destination was given and the socket has no peer"),
    (Some(Role::Send), libc::ENOBUFS, "the interface's queue is full"),
    (Some(Role::Send), libc::EACCES, "not allowed: a broadcast address without SO_BROADCAST, or a firewall rule"),
    (Some(Role::Send), libc::EPERM, "not allowed: a firewall rule forbids it"),
    (Some(Role::Send), libc::ETIMEDOUT, "the peer no longer answers: the connection is given up"),
    (Some(Role::Send), libc::ENOENT, "no such socket file: its server does not run"),
    (Some(Role::Create), libc::EAFNOSUPPORT, "this machine does not speak that family"),
    (Some(Role::Create), libc::EPROTONOSUPPORT, "this family has no such protocol"),
    (Some(Role::Create), libc::ESOCKTNOSUPPORT, "this family has no such type of socket"),
    (Some(Role::Create), libc::EACCES, "not allowed: raw and packet sockets need a privilege"),
    (Some(Role::Create), libc::EPERM, "not allowed: raw and packet sockets need a privilege"),
    (Some(Role::IoUring), libc::ENOSYS, "no io_uring here: programs then use ordinary calls"),
    (Some(Role::IoUring), libc::EPERM, "not allowed: kernel.io_uring_disabled or a sandbox forbids it"),
    (Some(Role::Setup), libc::ENOPROTOOPT, "this socket has no such option"),
    (Some(Role::Setup), libc::ENOTTY, "not a terminal, and no such request for a socket"),
    (Some(Role::Setup), libc::ENODEV, "no such network interface"),
    (Some(Role::Poll), libc::EEXIST, "already in the set"),
    (Some(Role::Poll), libc::ENOENT, "not in the set"),
    (Some(Role::Poll), libc::EPERM, "this kind of file cannot be waited for"),
    (Some(Role::Shutdown), libc::ENOTCONN, "there is no connection any more"),
    (None, libc::EAGAIN, "not now; would block"),
    (None, libc::EINTR, "a signal interrupted it"),
    (None, 512, "a signal interrupted it; it starts again if the handler allows"),
    (None, 513, "a signal interrupted it; it starts again"),
    (None, 514, "a signal interrupted it; it starts again if there is no handler"),
    (None, 516, "a signal interrupted it; it goes on where it was"),
    (None, libc::EBADF, "no such descriptor: never opened, or closed already"),
    (None, libc::EFAULT, "a pointer leads nowhere"),
    (None, libc::EMFILE, "the process has no descriptor left (ulimit -n)"),
    (None, libc::ENFILE, "the machine has no file left to open"),
    (None, libc::EPIPE, "the other end is closed"),
    (None, libc::ECONNRESET, "the peer broke the connection off (RST)"),
    (None, libc::ECONNREFUSED, "nobody listens there"),
    (None, libc::ECONNABORTED, "the connection was broken off"),
    (None, libc::ETIMEDOUT, "no answer in time"),
    (None, libc::EHOSTUNREACH, "no way to that host: it is down, or a router or firewall says no"),
    (None, libc::ENETUNREACH, "no route to that network from here"),
    (None, libc::ENETDOWN, "the network interface is down"),
    (None, libc::EADDRNOTAVAIL, "this machine has no such address"),
    (None, libc::EOPNOTSUPP, "this socket cannot do that"),
    (None, libc::ENOPROTOOPT, "no such option"),
    (None, libc::ENOSYS, "this kernel has no such call, or a sandbox forbids it"),
];
