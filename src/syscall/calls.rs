//! The calls that sockstrace knows: one row a call. A new call is a new row here.
//!
//! Names of arguments are those of the manual pages; the order is by what the calls do.

use syscalls::Sysno;

use super::command;
use super::names::{file, poll, process, socket};
use super::structures::{CLONE_ARGS, LOFF, OPEN_HOW, RING_PARAMS, TIMESPEC, TIMEVAL};
use super::table::CloseOnExec::{Always, Bit, Field, Never};
use super::table::Kind::*;
use super::table::Role::{
    Accept, Bind, Close, Connect, Create, Duplicate, Engine, File, IoUring, Listen, Poll, Receive,
    Send, Setup, Shutdown,
};
use super::table::class::{DESC, FILE, MEMORY, NETWORK, PROCESS, SIGNAL};
use super::table::{Row, call};

/// O_CLOEXEC, and with the same value SOCK_, EPOLL_, EFD_, TFD_, SFD_, IN_ and OPEN_TREE_CLOEXEC.
pub(super) const CLOEXEC: u64 = 0o2000000;

/// Every call.
#[rustfmt::skip]
pub(super) static CALLS: &[Row] = &[
    // The life of a socket.
    call(Sysno::socket, Create, NETWORK).opens(Bit(1, CLOEXEC))
        .takes(&[("domain", Const(&socket::FAMILY)), ("type", Flags(&socket::TYPE)), ("protocol", Protocol)]),
    call(Sysno::socketpair, Create, NETWORK).opens(Bit(1, CLOEXEC))
        .takes(&[("domain", Const(&socket::FAMILY)), ("type", Flags(&socket::TYPE)), ("protocol", Protocol), ("sv", Pair)]),
    call(Sysno::bind, Bind, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("addr", Address { len: 2 }), ("addrlen", Int)]),
    call(Sysno::listen, Listen, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("backlog", Int)]),
    call(Sysno::accept, Accept, NETWORK).on(0).opens(Never)
        .takes(&[("sockfd", Fd), ("addr", AddressBack { len: 2 }), ("addrlen", Length)]),
    call(Sysno::accept4, Accept, NETWORK).on(0).opens(Bit(3, CLOEXEC))
        .takes(&[("sockfd", Fd), ("addr", AddressBack { len: 2 }), ("addrlen", Length), ("flags", Flags(&socket::TYPE))]),
    call(Sysno::connect, Connect, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("addr", Address { len: 2 }), ("addrlen", Int)]),
    call(Sysno::shutdown, Shutdown, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("how", Const(&socket::SHUTDOWN))]),
    call(Sysno::close, Close, DESC).on(0)
        .takes(&[("fd", Fd)]),
    call(Sysno::close_range, Close, DESC)
        .takes(&[("first", Uint), ("last", Uint), ("flags", Flags(&file::CLOSE_RANGE))]),

    // Sending.
    call(Sysno::write, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("buf", Sent { len: 2 }), ("count", Size)]),
    call(Sysno::pwrite64, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("buf", Sent { len: 2 }), ("count", Size), ("offset", Long)]),
    call(Sysno::writev, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", SentVector { count: 2 }), ("iovcnt", Size)]),
    call(Sysno::pwritev, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", SentVector { count: 2 }), ("iovcnt", Size), ("offset", Long)]),
    // The offset's upper half is unused where a register holds it whole.
    call(Sysno::pwritev2, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", SentVector { count: 2 }), ("iovcnt", Size), ("offset", Long), ("pos_h", Size), ("flags", Flags(&file::READ_WRITE))]),
    call(Sysno::sendto, Send, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("buf", Sent { len: 2 }), ("len", Size), ("flags", Flags(&socket::MESSAGE)), ("dest_addr", Address { len: 5 }), ("addrlen", Int)]),
    call(Sysno::sendmsg, Send, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("msg", SentMessage), ("flags", Flags(&socket::MESSAGE))]),
    call(Sysno::sendmmsg, Send, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("msgvec", SentMessages { count: 2 }), ("vlen", Uint), ("flags", Flags(&socket::MESSAGE))]),
    call(Sysno::sendfile, Send, DESC | NETWORK).on(0).from(1)
        .takes(&[("out_fd", Fd), ("in_fd", Fd), ("offset", Changing(&LOFF)), ("count", Size)]),
    call(Sysno::splice, Send, DESC).on(2).from(0)
        .takes(&[("fd_in", Fd), ("off_in", Changing(&LOFF)), ("fd_out", Fd), ("off_out", Changing(&LOFF)), ("len", Size), ("flags", Flags(&file::SPLICE))]),
    call(Sysno::tee, Send, DESC).on(1).from(0)
        .takes(&[("fd_in", Fd), ("fd_out", Fd), ("len", Size), ("flags", Flags(&file::SPLICE))]),
    call(Sysno::vmsplice, Send, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", SentVector { count: 2 }), ("nr_segs", Size), ("flags", Flags(&file::SPLICE))]),
    call(Sysno::copy_file_range, Send, DESC).on(2).from(0)
        .takes(&[("fd_in", Fd), ("off_in", Changing(&LOFF)), ("fd_out", Fd), ("off_out", Changing(&LOFF)), ("size", Size), ("flags", Uint)]),

    // Receiving.
    call(Sysno::read, Receive, DESC).on(0)
        .takes(&[("fd", Fd), ("buf", Received { len: 2 }), ("count", Size)]),
    call(Sysno::pread64, Receive, DESC).on(0)
        .takes(&[("fd", Fd), ("buf", Received { len: 2 }), ("count", Size), ("offset", Long)]),
    call(Sysno::readv, Receive, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", ReceivedVector { count: 2 }), ("iovcnt", Size)]),
    call(Sysno::preadv, Receive, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", ReceivedVector { count: 2 }), ("iovcnt", Size), ("offset", Long)]),
    call(Sysno::preadv2, Receive, DESC).on(0)
        .takes(&[("fd", Fd), ("iov", ReceivedVector { count: 2 }), ("iovcnt", Size), ("offset", Long), ("pos_h", Size), ("flags", Flags(&file::READ_WRITE))]),
    call(Sysno::recvfrom, Receive, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("buf", Received { len: 2 }), ("len", Size), ("flags", Flags(&socket::MESSAGE)), ("src_addr", AddressBack { len: 5 }), ("addrlen", Length)]),
    call(Sysno::recvmsg, Receive, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("msg", ReceivedMessage), ("flags", Flags(&socket::MESSAGE))]),
    call(Sysno::recvmmsg, Receive, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("msgvec", ReceivedMessages { count: 2 }), ("vlen", Uint), ("flags", Flags(&socket::MESSAGE)), ("timeout", Before(&TIMESPEC))]),

    // Set-up and questions.
    call(Sysno::getsockname, Setup, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("addr", AddressBack { len: 2 }), ("addrlen", Length)]),
    call(Sysno::getpeername, Setup, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("addr", AddressBack { len: 2 }), ("addrlen", Length)]),
    call(Sysno::setsockopt, Setup, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("level", OptionLevel), ("optname", OptionName), ("optval", OptionGiven), ("optlen", Int)]),
    call(Sysno::getsockopt, Setup, NETWORK).on(0)
        .takes(&[("sockfd", Fd), ("level", OptionLevel), ("optname", OptionName), ("optval", OptionTaken), ("optlen", Length)]),
    call(Sysno::fcntl, Setup, DESC).on(0)
        .takes(&[("fd", Fd), ("op", Const(&command::FCNTL.names)), ("arg", CommandArgument)]),
    call(Sysno::ioctl, Setup, DESC).on(0)
        .takes(&[("fd", Fd), ("op", Const(&command::IOCTL.names)), ("argp", RequestArgument)]),

    // Duplicates.
    call(Sysno::dup, Duplicate, DESC).on(0).opens(Never)
        .takes(&[("oldfd", Fd)]),
    call(Sysno::dup2, Duplicate, DESC).on(0).opens(Never)
        .takes(&[("oldfd", Fd), ("newfd", Fd)]),
    call(Sysno::dup3, Duplicate, DESC).on(0).opens(Bit(2, CLOEXEC))
        .takes(&[("oldfd", Fd), ("newfd", Fd), ("flags", Flags(&file::DESCRIPTOR))]),
    call(Sysno::pidfd_getfd, Duplicate, DESC).opens(Always)
        .takes(&[("pidfd", Fd), ("targetfd", Int), ("flags", Uint)]),

    // Waiting for several.
    call(Sysno::poll, Poll, DESC)
        .takes(&[("fds", PollFds { count: 1 }), ("nfds", Uint), ("timeout", Int)]),
    call(Sysno::ppoll, Poll, DESC)
        .takes(&[("fds", PollFds { count: 1 }), ("nfds", Uint), ("tmo_p", Before(&TIMESPEC)), ("sigmask", SignalSet), ("sigsetsize", Size)]),
    call(Sysno::select, Poll, DESC)
        .takes(&[("nfds", Int), ("readfds", FdSet), ("writefds", FdSet), ("exceptfds", FdSet), ("timeout", Before(&TIMEVAL))]),
    call(Sysno::pselect6, Poll, DESC)
        .takes(&[("nfds", Int), ("readfds", FdSet), ("writefds", FdSet), ("exceptfds", FdSet), ("timeout", Before(&TIMESPEC)), ("sigmask", SignalSetAndSize)]),
    call(Sysno::epoll_create, Poll, DESC).opens(Never)
        .takes(&[("size", Int)]),
    call(Sysno::epoll_create1, Poll, DESC).opens(Bit(0, CLOEXEC))
        .takes(&[("flags", Flags(&poll::CREATE))]),
    call(Sysno::epoll_ctl, Poll, DESC).on(2)
        .takes(&[("epfd", Fd), ("op", Const(&poll::CONTROL)), ("fd", Fd), ("event", EpollEvent)]),
    call(Sysno::epoll_wait, Poll, DESC)
        .takes(&[("epfd", Fd), ("events", EpollEvents), ("maxevents", Int), ("timeout", Int)]),
    call(Sysno::epoll_pwait, Poll, DESC)
        .takes(&[("epfd", Fd), ("events", EpollEvents), ("maxevents", Int), ("timeout", Int), ("sigmask", SignalSet), ("sigsetsize", Size)]),
    call(Sysno::epoll_pwait2, Poll, DESC)
        .takes(&[("epfd", Fd), ("events", EpollEvents), ("maxevents", Int), ("timeout", At(&TIMESPEC)), ("sigmask", SignalSet), ("sigsetsize", Size)]),

    // Rings.
    call(Sysno::io_uring_setup, IoUring, DESC).opens(Always)
        .takes(&[("entries", Uint), ("p", At(&RING_PARAMS))]),
    call(Sysno::io_uring_enter, File, DESC | SIGNAL).on(0)
        .takes(&[("fd", Fd), ("to_submit", Uint), ("min_complete", Uint), ("flags", Flags(&file::RING_ENTER)), ("sig", Pointer), ("sz", Size)]),
    call(Sysno::io_uring_register, File, DESC | MEMORY).on(0)
        .takes(&[("fd", Fd), ("opcode", Const(&file::RING_REGISTER)), ("arg", Pointer), ("nr_args", Uint)]),

    // Descriptors that are no sockets.
    call(Sysno::open, File, DESC | FILE).opens(Bit(1, CLOEXEC))
        .takes(&[("pathname", Path), ("flags", Flags(&file::OPEN)), ("mode", CreationMode { flags: 1 })]),
    call(Sysno::openat, File, DESC | FILE).opens(Bit(2, CLOEXEC))
        .takes(&[("dirfd", Fd), ("pathname", Path), ("flags", Flags(&file::OPEN)), ("mode", CreationMode { flags: 2 })]),
    call(Sysno::openat2, File, DESC | FILE).opens(Field(2))
        .takes(&[("dirfd", Fd), ("pathname", Path), ("how", Sized(&OPEN_HOW, 3)), ("size", Size)]),
    call(Sysno::creat, File, DESC | FILE).opens(Never)
        .takes(&[("pathname", Path), ("mode", Mode)]),
    call(Sysno::open_by_handle_at, File, DESC).opens(Bit(2, CLOEXEC))
        .takes(&[("mount_fd", Fd), ("handle", Pointer), ("flags", Flags(&file::OPEN))]),
    call(Sysno::pipe, File, DESC).opens(Never)
        .takes(&[("pipefd", Pair)]),
    call(Sysno::pipe2, File, DESC).opens(Bit(1, CLOEXEC))
        .takes(&[("pipefd", Pair), ("flags", Flags(&file::DESCRIPTOR))]),
    call(Sysno::eventfd, File, DESC).opens(Never)
        .takes(&[("initval", Uint)]),
    call(Sysno::eventfd2, File, DESC).opens(Bit(1, CLOEXEC))
        .takes(&[("initval", Uint), ("flags", Flags(&file::EVENT))]),
    call(Sysno::timerfd_create, File, DESC).opens(Bit(1, CLOEXEC))
        .takes(&[("clockid", Const(&file::CLOCK)), ("flags", Flags(&file::TIMER))]),
    call(Sysno::signalfd, File, DESC | SIGNAL).opens(Never)
        .takes(&[("fd", Fd), ("mask", SignalSet), ("sizemask", Size)]),
    call(Sysno::signalfd4, File, DESC | SIGNAL).opens(Bit(3, CLOEXEC))
        .takes(&[("fd", Fd), ("mask", SignalSet), ("sizemask", Size), ("flags", Flags(&file::SIGNAL))]),
    call(Sysno::memfd_create, File, DESC).opens(Bit(1, 1))
        .takes(&[("name", Path), ("flags", Flags(&file::MEMFD))]),
    call(Sysno::memfd_secret, File, DESC).opens(Bit(0, CLOEXEC))
        .takes(&[("flags", Flags(&file::DESCRIPTOR))]),
    call(Sysno::inotify_init, File, DESC).opens(Never),
    call(Sysno::inotify_init1, File, DESC).opens(Bit(0, CLOEXEC))
        .takes(&[("flags", Flags(&file::INOTIFY))]),
    call(Sysno::fanotify_init, File, DESC).opens(Bit(0, 1))
        .takes(&[("flags", Flags(&file::FANOTIFY)), ("event_f_flags", Flags(&file::OPEN))]),
    call(Sysno::userfaultfd, File, DESC).opens(Bit(0, CLOEXEC))
        .takes(&[("flags", Flags(&file::DESCRIPTOR))]),
    call(Sysno::perf_event_open, File, DESC).opens(Bit(4, 8))
        .takes(&[("attr", Pointer), ("pid", Int), ("cpu", Int), ("group_fd", Fd), ("flags", Size)]),
    call(Sysno::pidfd_open, File, DESC).opens(Always)
        .takes(&[("pid", Int), ("flags", Flags(&file::DESCRIPTOR))]),
    call(Sysno::mq_open, File, DESC).opens(Always)
        .takes(&[("name", Path), ("oflag", Flags(&file::OPEN)), ("mode", CreationMode { flags: 1 }), ("attr", Pointer)]),

    // What the engine itself must see.
    call(Sysno::clone, Engine, PROCESS)
        .takes(&[("flags", Flags(&process::CLONE)), ("stack", Pointer), ("parent_tid", Pointer), ("child_tid", Pointer), ("tls", Pointer)]),
    call(Sysno::clone3, Engine, PROCESS)
        .takes(&[("cl_args", Sized(&CLONE_ARGS, 1)), ("size", Size)]),
    call(Sysno::fork, Engine, PROCESS),
    call(Sysno::vfork, Engine, PROCESS),
    call(Sysno::unshare, Engine, 0)
        .takes(&[("flags", Flags(&process::CLONE3))]),
    call(Sysno::execve, Engine, FILE | PROCESS)
        .takes(&[("pathname", PathBefore), ("argv", StringsBefore), ("envp", Pointer)]),
    call(Sysno::execveat, Engine, DESC | FILE | PROCESS)
        .takes(&[("dirfd", Fd), ("pathname", PathBefore), ("argv", StringsBefore), ("envp", Pointer), ("flags", Flags(&process::EXEC_AT))]),
];
