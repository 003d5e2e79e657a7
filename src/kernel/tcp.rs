//! What TCP knows of a connection: the part of struct tcp_info (include/uapi/linux/tcp.h) that a person can use.

use serde::{Deserialize, Serialize};

/// The states (include/net/tcp_states.h), by their number; 0 is none.
pub const STATES: [&str; 13] = [
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
];

/// Those that are told apart by their numbers.
pub const SYN_SENT: u8 = 2;
pub(super) const SYN_RECV: u8 = 3;
pub(super) const TIME_WAIT: u8 = 6;
pub(super) const CLOSE_WAIT: u8 = 8;
pub(super) const LAST_ACK: u8 = 9;
pub(super) const LISTEN: u8 = 10;
pub(super) const CLOSING: u8 = 11;

/// A connection as TCP sees it. Fields that the kernel is too old for are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tcp {
    /// The state, by its number in [`STATES`].
    pub state: u8,
    /// How often the oldest segment was sent again so far.
    pub retransmits: u8,
    /// How many segments are not acknowledged; of a listener, how many connections wait to be accepted.
    pub unacked: u32,
    /// How many segments count as lost.
    pub lost: u32,
    /// How long ago the latest data was sent, or the connection made, in ms.
    #[serde(default)]
    pub last_data_sent_ms: u32,
    /// How long ago the latest data came in, in ms.
    pub last_data_recv_ms: u32,
    /// The smoothed round-trip time, in µs.
    pub rtt_us: u32,
    /// How much it varies, in µs.
    pub rttvar_us: u32,
    /// The congestion window, in segments; of a listener, its backlog is in `lost`'s neighbour, `sacked`.
    pub cwnd: u32,
    /// Of a listener: how many connections may wait at most.
    pub sacked: u32,
    /// How many segments were sent again in all.
    pub total_retrans: u32,
    /// Bytes that the peer has acknowledged.
    pub bytes_acked: u64,
    /// Bytes that have come in.
    pub bytes_received: u64,
    /// The shortest round-trip time, in µs.
    pub min_rtt_us: u32,
    /// How fast data got through lately, in bytes a second.
    pub delivery_rate: u64,
}

impl Tcp {
    /// From the bytes of a struct tcp_info, of which older kernels give fewer.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let byte = |at: usize| bytes.get(at).copied();
        let word = |at: usize| {
            bytes
                .get(at..at + 4)
                .map_or(0, |it| u32::from_ne_bytes([it[0], it[1], it[2], it[3]]))
        };
        let long = |at: usize| {
            bytes
                .get(at..at + 8)
                .map_or(0, |it| it.try_into().map_or(0, u64::from_ne_bytes))
        };
        Some(Self {
            state: byte(0).filter(|state| usize::from(*state) < STATES.len())?,
            retransmits: byte(2)?,
            unacked: word(24),
            sacked: word(28),
            lost: word(32),
            last_data_sent_ms: word(44),
            last_data_recv_ms: word(52),
            rtt_us: word(68),
            rttvar_us: word(72),
            cwnd: word(80),
            total_retrans: word(100),
            bytes_acked: long(120),
            bytes_received: long(128),
            min_rtt_us: word(148),
            delivery_rate: long(160),
        })
    }

    /// Whether its handshake goes on.
    pub fn connects(&self) -> bool {
        self.state == SYN_SENT
    }

    /// Whether it waits for peers.
    pub fn listens(&self) -> bool {
        self.state == LISTEN
    }

    /// Whether its handshake has succeeded.
    pub fn is_connected(&self) -> bool {
        // From ESTABLISHED on, without the states of those that never were.
        matches!(self.state, 1 | 4 | 5 | 8 | 9 | 11)
    }

    /// The state's name.
    pub fn state(&self) -> &'static str {
        STATES.get(usize::from(self.state)).copied().unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_the_kernel_gives() {
        let mut bytes = [0; 240];
        (bytes[0], bytes[2]) = (2, 3);
        bytes[68..72].copy_from_slice(&1500u32.to_ne_bytes());
        bytes[160..168].copy_from_slice(&7u64.to_ne_bytes());
        let tcp = Tcp::from_bytes(&bytes).unwrap();
        assert_eq!(
            (tcp.state(), tcp.retransmits, tcp.rtt_us, tcp.delivery_rate),
            ("SYN_SENT", 3, 1500, 7)
        );
        let old = Tcp::from_bytes(&bytes[..104]).unwrap();
        assert_eq!((old.rtt_us, old.delivery_rate), (1500, 0));
        assert_eq!(Tcp::from_bytes(&[99; 240]), None);
        assert_eq!(Tcp::from_bytes(&[]), None);
    }
}
