//! What the kernel itself says of a socket: both addresses, the state of its TCP, and what waits in its queues.
//!
//! [`look()`] asks; the facts are plain data, so that a recorded run has them again.

mod look;
mod tcp;

pub use look::{Depth, look};
pub use tcp::{STATES, Tcp};

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
}
