//! What a line of the story means, as facts: wording is the output's business.

use crate::kernel::Facts;
use crate::syscall::{Data, SockAddr};
use crate::tracer::event::Nanos;

/// What something means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A failure in plain words.
    Trouble(&'static str),
    /// A function of the C library has passed on what was asked of it, by so many calls, which took so long.
    PassedOn(u32, Nanos),
    /// The protocol that both ends of a TLS session agreed on (ALPN, RFC 7301), the peer's choice and thus not safe to print.
    Agreed(Data),
    /// What the library says of the peer's certificate: its code, 0 where all is well, and what that means.
    Verified(i64, Option<&'static str>),
    /// The TLS session goes on from an earlier one.
    Resumed,
    /// What its process says by TLS from now on is encrypted, and nobody has told us what it is.
    StaysClosed,
    /// connect(2) of a datagram socket: only the peer is noted.
    SetsPeer,
    /// connect(2) with AF_UNSPEC: the peer is forgotten.
    ForgetsPeer,
    /// Bound to the wildcard address.
    EveryAddress,
    /// Bound to a loopback address.
    ThisMachine,
    /// Bound to port 0.
    KernelPicksPort,
    /// listen(2): from now on peers may come.
    WaitingForPeers,
    /// A listener let a peer in.
    Accepted {
        /// Our end, where it is known; a wildcard address where only its port is.
        local: Option<SockAddr>,
        /// The peer's.
        peer: Option<SockAddr>,
    },
    /// socketpair(2) made these two conversations, each the other's peer.
    Joined(i64, i64),
    /// Fewer bytes than asked for went out.
    Part {
        /// Bytes taken.
        done: u64,
        /// Bytes offered.
        of: u64,
    },
    /// MSG_TRUNC: a datagram was longer than the buffer, and the rest of it is gone.
    Cut {
        /// Its length in bytes.
        of: u64,
        /// Bytes delivered.
        to: u64,
    },
    /// MSG_PEEK: the bytes stay where they are, for the next receive.
    Peeked,
    /// A receive returned 0 on a stream: the peer has closed its direction.
    PeerEnded,
    /// shutdown(2) ended sending.
    ShutSend,
    /// shutdown(2) ended receiving.
    ShutReceive,
    /// shutdown(2) ended both.
    ShutBoth,
    /// A connection is there, with the two ends as far as they are known.
    Connection {
        /// Our end.
        local: Option<SockAddr>,
        /// The peer's.
        peer: Option<SockAddr>,
    },
    /// The conversation is over.
    Farewell(Farewell),
    /// close(2) took one descriptor of several.
    OpenElsewhere,
    /// It is on its way to another process (SCM_RIGHTS), and gone here.
    HandedOn,
    /// close_range(2) and others: so many conversations ended.
    SeveralEnded(usize),
    /// What a blocked call waits for.
    WaitsFor(Awaited),
    /// What is still waited for, and since when.
    StillWaiting {
        /// Who should answer.
        peer: Option<SockAddr>,
        /// How long so far.
        elapsed: Nanos,
        /// How often a SYN was sent to it, where the kernel was asked.
        syns: Option<u32>,
    },
    /// Nothing came for as long as the program wished to wait, which was so long.
    TimedOut(Nanos),
    /// A signal came in the middle.
    Interrupted,
    /// The thread ended inside the call.
    GivenUp,
}

/// What a blocked call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The peer's answer to a handshake.
    Answer,
    /// A peer that connects.
    Peer,
    /// Data.
    Data,
    /// Room in the send buffer.
    Room,
    /// Something else.
    Other,
}

/// What is said of a conversation at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Bytes sent.
    pub out: u64,
    /// Bytes received.
    pub received: u64,
    /// Who closed first, as far as the calls prove it.
    pub first: Option<Side>,
    /// How long it lived, where its beginning was seen.
    pub lived: Option<Nanos>,
    /// What became of it.
    pub fate: Fate,
    /// With how many peers it exchanged datagrams, where those were several.
    pub peers: usize,
    /// What the kernel said of it last.
    pub kernel: Option<Box<Facts>>,
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The traced program.
    Us,
    /// The other end, in order.
    Peer,
    /// The other end, by a reset.
    PeerByReset,
}

/// What a conversation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It could carry data.
    Carried,
    /// Another try for the same name won, by its number.
    Lost(i64),
    /// It was a listener, and let so many peers in.
    Listened(u64),
    /// Its handshake failed, or hadn't ended.
    NeverConnected,
    /// Nothing was done with it.
    Unused,
    /// Another process, which is not traced, has it now.
    HandedOn,
    /// It is still open.
    Open,
}
