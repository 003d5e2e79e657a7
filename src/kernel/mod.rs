//! What the kernel itself says of a socket: both addresses, the state of its TCP, and what waits in its queues.
//!
//! [`look()`] asks by a copy of its descriptor, a [`Monitor`] without one; the facts are plain data, so that a recorded run has them again.

mod buffers;
mod hosts;
mod look;
mod monitor;
mod taken;
mod tcp;

pub use buffers::Buffers;
pub use hosts::Hosts;
pub use look::{Depth, look};
pub use monitor::{CONNECTIONS, LISTENING, Monitor, Seen, States, namespace};
pub use taken::{Taken, address_and_port};
pub use tcp::{STATES, SYN_SENT, Tcp};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Our end's address as getsockname(2) gives it: a struct sockaddr's bytes, empty where there is none.
    pub local: Vec<u8>,
    /// The other end's, as getpeername(2) gives it.
    pub peer: Vec<u8>,
    /// What TCP knows of the connection (tcp(7), TCP_INFO).
    pub tcp: Option<Tcp>,
    /// Bytes that have come in and were not received yet (SIOCINQ).
    pub unread: Option<u32>,
    /// Bytes that were sent and not acknowledged by the peer yet (SIOCOUTQ).
    pub unacknowledged: Option<u32>,
    /// What its buffers hold, and what there was no room for.
    pub buffers: Option<Buffers>,
    /// The inode of the socket at the other end, of a UNIX socket.
    pub other: Option<u64>,
    /// Who has the address that could not be bound.
    pub taken: Option<Taken>,
    /// The name that the process's hosts file has for the peer, and its arguments mention.
    pub host: Option<String>,
}

impl Facts {
    /// Whether the socket has a peer by now. Without more than addresses: getpeername(2) knows none before.
    pub fn is_connected(&self) -> bool {
        match &self.tcp {
            Some(tcp) => tcp.is_connected(),
            None => !self.peer.is_empty(),
        }
    }
}
