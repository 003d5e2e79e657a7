//! The kernel's structures that stand behind more than one call, as layouts.

use super::names::{file, process};
use super::shape::Shape::{self, *};

/// A loff_t.
pub static LOFF: Shape = Signed(8);

/// struct timeval.
pub static TIMEVAL: Shape = Struct(&[("tv_sec", 0, Signed(8)), ("tv_usec", 8, Signed(8))]);

/// struct timespec.
pub static TIMESPEC: Shape = Struct(&[("tv_sec", 0, Signed(8)), ("tv_nsec", 8, Signed(8))]);

/// struct ucred (unix(7)).
pub static UCRED: Shape = Struct(&[
    ("pid", 0, Signed(4)),
    ("uid", 4, Unsigned(4)),
    ("gid", 8, Unsigned(4)),
]);

/// struct in_pktinfo (ip(7)).
pub static IN_PKTINFO: Shape = Struct(&[
    ("ipi_ifindex", 0, Signed(4)),
    ("ipi_spec_dst", 4, Ip),
    ("ipi_addr", 8, Ip),
]);

/// struct in6_pktinfo (ipv6(7)).
pub static IN6_PKTINFO: Shape = Struct(&[("ipi6_addr", 0, Ip6), ("ipi6_ifindex", 16, Signed(4))]);

/// struct flock (fcntl(2)).
pub static FLOCK: Shape = Struct(&[
    ("l_type", 0, Const(&file::LOCK, 2)),
    ("l_whence", 2, Const(&file::WHENCE, 2)),
    ("l_start", 8, Signed(8)),
    ("l_len", 16, Signed(8)),
    ("l_pid", 24, Signed(4)),
]);

/// struct f_owner_ex (F_SETOWN_EX).
pub static OWNER_EX: Shape = Struct(&[("type", 0, Const(&file::OWNER, 4)), ("pid", 4, Signed(4))]);

/// struct open_how (openat2(2)).
pub static OPEN_HOW: Shape = Struct(&[
    ("flags", 0, Flags(&file::OPEN, 8)),
    ("mode", 8, Octal),
    ("resolve", 16, Flags(&file::RESOLVE, 8)),
]);

/// struct clone_args (clone3(2)).
pub static CLONE_ARGS: Shape = Struct(&[
    ("flags", 0, Flags(&process::CLONE3, 8)),
    ("pidfd", 8, Pointer),
    ("child_tid", 16, Pointer),
    ("parent_tid", 24, Pointer),
    ("exit_signal", 32, Flags(&process::CLONE, 8)),
    ("stack", 40, Pointer),
    ("stack_size", 48, Hex(8)),
    ("tls", 56, Pointer),
    ("set_tid", 64, Pointer),
    ("set_tid_size", 72, Unsigned(8)),
    ("cgroup", 80, Unsigned(8)),
]);

/// The part of struct io_uring_params that says what the ring is (io_uring_setup(2)).
pub static RING_PARAMS: Shape = Struct(&[
    ("sq_entries", 0, Unsigned(4)),
    ("cq_entries", 4, Unsigned(4)),
    ("flags", 8, Flags(&file::RING_SETUP, 4)),
    ("sq_thread_cpu", 12, Unsigned(4)),
    ("sq_thread_idle", 16, Unsigned(4)),
    ("features", 20, Hex(4)),
    ("wq_fd", 24, Unsigned(4)),
]);
