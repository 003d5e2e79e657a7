//! What a socket's buffers hold: the part of SO_MEMINFO (include/uapi/linux/sock_diag.h) that a person can use.

use serde::{Deserialize, Serialize};

/// The buffers of a socket, in bytes as the kernel accounts for them: data and what surrounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Buffers {
    /// What the receive buffer holds.
    pub received: u32,
    /// What it may hold.
    pub receive_limit: u32,
    /// What the send buffer holds.
    pub sent: u32,
    /// What it may hold.
    pub send_limit: u32,
    /// How many packets the socket has dropped so far: datagrams without room in the receive buffer; of a listener, connections that
    /// its queue had no room for.
    pub drops: u32,
}

impl Buffers {
    /// From the bytes of SO_MEMINFO, nine numbers; before Linux 4.6 there is no count of drops.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = bytes.get(at * 4..at * 4 + 4)?.try_into().ok()?;
            Some(u32::from_ne_bytes(bytes))
        };
        Some(Self {
            received: number(0)?,
            receive_limit: number(1)?,
            sent: number(2)?,
            send_limit: number(3)?,
            drops: number(8).unwrap_or(0),
        })
    }
}
