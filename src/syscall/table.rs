//! The calls that sockstrace knows: one row a call.

use syscalls::Sysno;

/// What a call does to the connection that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// socket, socketpair.
    Create,
    /// bind.
    Bind,
    /// listen.
    Listen,
    /// accept, accept4.
    Accept,
    /// connect.
    Connect,
    /// write, send and their relatives, sendfile and splice out of another descriptor included.
    Send,
    /// read, recv and their relatives.
    Receive,
    /// shutdown.
    Shutdown,
    /// close, close_range.
    Close,
    /// dup, dup2, dup3, pidfd_getfd, and fcntl(F_DUPFD).
    Duplicate,
    /// Set-up and questions: setsockopt, getsockopt, getsockname, getpeername, fcntl, ioctl.
    Setup,
    /// poll, select, epoll and their relatives.
    Poll,
    /// open, pipe and others that make descriptors which are no sockets (`--all-descriptors`).
    File,
    /// io_uring_setup.
    IoUring,
    /// clone, clone3, unshare and others that the engine itself must see; never shown unless named in `-e`.
    Engine,
}

/// One call.
#[derive(Debug)]
pub struct Row {
    /// Its number, and through it its name.
    pub number: Sysno,
    /// What it does.
    pub role: Role,
    /// Which argument is the descriptor that the call is about. Such a call is of interest only where that descriptor is a socket.
    pub descriptor: Option<u8>,
}

impl Row {
    /// The call's name, as in syscalls(2).
    pub fn name(&self) -> &'static str {
        self.number.name()
    }
}

/// The row of a call by its number on this architecture.
pub fn row(_number: u64) -> Option<&'static Row> {
    None
}

/// Every row.
pub fn rows() -> &'static [Row] {
    &[]
}

impl Row {
    /// Whether only sockets can make this call.
    pub fn is_network(&self) -> bool {
        false
    }
    /// Which arguments are descriptors.
    pub fn descriptor_arguments(&self) -> impl Iterator<Item = usize> {
        self.descriptor.into_iter().map(usize::from)
    }
    /// Whether it waits for descriptors that its arguments do not name: epoll_wait and its relatives.
    pub fn is_opaque_wait(&self) -> bool {
        false
    }
}
