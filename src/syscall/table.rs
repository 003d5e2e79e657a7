//! What a row says of a call. The rows themselves stand in `calls.rs`.

use syscalls::Sysno;

use super::Names;
use super::calls::CALLS;
use super::shape::Shape;

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
    /// io_uring_setup. (Its relatives work on the ring's descriptor, which is no socket: they are [`Role::File`].)
    IoUring,
    /// clone, clone3, unshare and others that the engine itself must see; never shown unless named in `-e`.
    Engine,
}

/// How an argument is read. A number in braces is the index of another argument that it depends on.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A descriptor.
    Fd,
    /// An int.
    Int,
    /// A long or an off_t.
    Long,
    /// An unsigned int.
    Uint,
    /// A size_t or an unsigned long.
    Size,
    /// A mode_t.
    Mode,
    /// The mode_t of open(2), which is there only where the flags (of that argument) make a file.
    CreationMode {
        /// The flags.
        flags: usize,
    },
    /// An address whose content is not read.
    Pointer,
    /// A named constant.
    Const(&'static Names),
    /// Named bits.
    Flags(&'static Names),
    /// A protocol of the family in argument 0.
    Protocol,
    /// A socket address handed over, as long as argument `len` says.
    Address {
        /// The length.
        len: usize,
    },
    /// A socket address given back, at most as long as the length behind argument `len` said, and as it says after the call.
    AddressBack {
        /// The pointer to the length.
        len: usize,
    },
    /// A pointer to a length that is a value before the call and a result after it.
    Length,
    /// Bytes handed over, as many as argument `len` says.
    Sent {
        /// The length.
        len: usize,
    },
    /// A buffer of that length which the call fills.
    Received {
        /// The length.
        len: usize,
    },
    /// Iovecs handed over.
    SentVector {
        /// How many.
        count: usize,
    },
    /// Iovecs that the call fills.
    ReceivedVector {
        /// How many.
        count: usize,
    },
    /// A msghdr handed over.
    SentMessage,
    /// A msghdr that the call fills.
    ReceivedMessage,
    /// An array of mmsghdr handed over.
    SentMessages {
        /// How many.
        count: usize,
    },
    /// An array of mmsghdr that the call fills.
    ReceivedMessages {
        /// How many.
        count: usize,
    },
    /// Two new descriptors.
    Pair,
    /// A level of socket options.
    OptionLevel,
    /// The name of a socket option of the level in argument 1.
    OptionName,
    /// Its value, handed over: as long as argument 4 says.
    OptionGiven,
    /// Its value, given back: as long as the length behind argument 4 says.
    OptionTaken,
    /// What the command of fcntl in argument 1 takes; left out where it takes nothing.
    CommandArgument,
    /// What the request of ioctl in argument 1 takes; left out where it takes nothing.
    RequestArgument,
    /// An array of pollfd.
    PollFds {
        /// How many.
        count: usize,
    },
    /// A set of descriptors below the number in argument 0.
    FdSet,
    /// One epoll_event, with the operation of epoll_ctl in argument 1.
    EpollEvent,
    /// An array of epoll_event that the call fills, as many as it returns.
    EpollEvents,
    /// A signal mask.
    SignalSet,
    /// What pselect6 takes last: a pointer to a signal mask, and its size.
    SignalSetAndSize,
    /// A pointer to a structure.
    At(&'static Shape),
    /// A pointer to a structure that the kernel may overwrite: what it said before the call.
    Before(&'static Shape),
    /// A pointer to a structure that the call changes: before, and after.
    Changing(&'static Shape),
    /// A pointer to a structure whose size stands in argument `size`.
    Sized(&'static Shape, usize),
    /// A path.
    Path,
    /// A path, read before the call: after an execve its memory is gone.
    PathBefore,
    /// An array of strings that ends with NULL, read before the call.
    StringsBefore,
}

/// Whether a new descriptor is closed by execve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseOnExec {
    /// It never starts with the flag.
    Never,
    /// It always does.
    Always,
    /// It does where argument `0` has bit `1` set.
    Bit(usize, u64),
    /// It does where the field "flags" of the structure behind that argument has O_CLOEXEC.
    Field(usize),
}

/// One call. A row's fields are its facts; it is written as `call(…).on(…).takes(…)`.
#[derive(Debug)]
pub struct Row {
    /// Its number, and through it its name.
    pub number: Sysno,
    /// What it does.
    pub role: Role,
    /// Which argument is the descriptor that the call is about. Such a call is of interest only where that descriptor is a socket.
    pub descriptor: Option<u8>,
    /// For a call that moves bytes between two descriptors (sendfile, splice): which argument is the one they come from, `descriptor`
    /// being the one they go to. It is of interest where either is a socket.
    pub source: Option<u8>,
    /// Whether it returns (or, with [`Kind::Pair`], stores) new descriptors, and with which flag.
    pub opens: Option<CloseOnExec>,
    /// The classes of strace's `-e trace=%class` that it belongs to, as bits of [`class`].
    pub classes: u8,
    /// Its arguments: name in the manual page, and how each is read.
    pub args: &'static [(&'static str, Kind)],
}

/// strace's classes of calls, as bits.
pub mod class {
    /// `%network`, `%net`.
    pub const NETWORK: u8 = 1;
    /// `%desc`.
    pub const DESC: u8 = 2;
    /// `%file`.
    pub const FILE: u8 = 4;
    /// `%process`.
    pub const PROCESS: u8 = 8;
    /// `%signal`.
    pub const SIGNAL: u8 = 16;
    /// `%memory`.
    pub const MEMORY: u8 = 32;
}

/// A row without descriptor and arguments.
pub(super) const fn call(number: Sysno, role: Role, classes: u8) -> Row {
    Row {
        number,
        role,
        descriptor: None,
        source: None,
        opens: None,
        classes,
        args: &[],
    }
}

impl Row {
    /// The call's name, as in syscalls(2).
    pub fn name(&self) -> &'static str {
        self.number.name()
    }

    /// Which arguments are descriptors (dup2 has two).
    pub fn descriptor_arguments(&self) -> impl Iterator<Item = usize> + '_ {
        let kinds = self.args.iter().enumerate();
        kinds
            .filter(|(_, (_, kind))| matches!(kind, Kind::Fd))
            .map(|(index, _)| index)
    }

    /// Whether only sockets can make this call. (sendfile is one of strace's network calls, but moves files too.)
    pub fn is_network(&self) -> bool {
        self.classes & class::NETWORK != 0 && self.classes & class::DESC == 0
    }

    /// Whether it waits for descriptors that its arguments do not name: epoll_wait and its relatives.
    pub fn is_opaque_wait(&self) -> bool {
        self.args
            .iter()
            .any(|(_, kind)| matches!(kind, Kind::EpollEvents))
    }

    /// The descriptor that it is about.
    pub(super) const fn on(mut self, descriptor: u8) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// The descriptor that its bytes come from.
    pub(super) const fn from(mut self, source: u8) -> Self {
        self.source = Some(source);
        self
    }

    /// It makes descriptors.
    pub(super) const fn opens(mut self, cloexec: CloseOnExec) -> Self {
        self.opens = Some(cloexec);
        self
    }

    /// Its arguments.
    pub(super) const fn takes(mut self, args: &'static [(&'static str, Kind)]) -> Self {
        self.args = args;
        self
    }
}

/// The numbers that can have a row.
const NUMBERS: usize = 512;

/// Where each number's row stands in [`CALLS`], plus one.
static INDEX: [u8; NUMBERS] = {
    let mut index = [0; NUMBERS];
    let mut at = 0;
    while at < CALLS.len() {
        index[CALLS[at].number as usize] = at as u8 + 1;
        at += 1;
    }
    assert!(CALLS.len() < u8::MAX as usize);
    index
};

/// The row of a call by its number on this architecture.
pub fn row(number: u64) -> Option<&'static Row> {
    let at = *INDEX.get(usize::try_from(number).ok()?)?;
    CALLS.get(usize::from(at).checked_sub(1)?)
}

/// Every row.
pub fn rows() -> &'static [Row] {
    CALLS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_number_and_says_what_can_be() {
        for known in rows() {
            let found = row(known.number as u64).expect("a row for its number");
            assert_eq!(
                found.number,
                known.number,
                "{} stands there twice",
                known.name()
            );
            assert!(known.args.len() <= 6);
            for index in [known.descriptor, known.source].into_iter().flatten() {
                let (_, kind) = known.args[usize::from(index)];
                assert!(
                    matches!(kind, Kind::Fd),
                    "{}: argument {index} is no descriptor",
                    known.name()
                );
            }
        }
        assert!(row(Sysno::getpid as u64).is_none());
        assert!(row(u64::MAX).is_none());
        assert!(row(512).is_none());
    }
}
