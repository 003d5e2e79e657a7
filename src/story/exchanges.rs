//! Whom a socket for datagrams talks to, where that is more than one: what went each way, by address.

use super::bytes::Direction;
use crate::syscall::SockAddr;
use crate::tracer::event::Nanos;

/// How many addresses of one socket are told apart.
const PEERS: usize = 32;

/// What went to one address, and came from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The other end.
    pub peer: SockAddr,
    /// Bytes sent.
    pub out: u64,
    /// Bytes received.
    pub received: u64,
    /// Datagrams sent.
    pub sends: u64,
    /// Datagrams received.
    pub receives: u64,
    /// When the first datagram went either way, and the last one.
    pub first: Nanos,
    /// See `first`.
    pub last: Nanos,
}

/// The exchanges of one socket, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Exchanges {
    all: Vec<Exchange>,
    /// Datagrams with addresses that there was no room for.
    more: u64,
}

impl Exchanges {
    /// A datagram went that way.
    pub(super) fn note(&mut self, direction: Direction, peer: &SockAddr, bytes: u64, now: Nanos) {
        let known = self.all.iter_mut().position(|it| it.peer == *peer);
        let at = match known {
            Some(at) => at,
            None if self.all.len() < PEERS => {
                self.all.push(Exchange {
                    peer: peer.clone(),
                    out: 0,
                    received: 0,
                    sends: 0,
                    receives: 0,
                    first: now,
                    last: now,
                });
                self.all.len() - 1
            }
            None => {
                self.more += 1;
                return;
            }
        };
        let exchange = &mut self.all[at];
        exchange.last = now;
        let (sum, count) = match direction {
            Direction::Out => (&mut exchange.out, &mut exchange.sends),
            Direction::In => (&mut exchange.received, &mut exchange.receives),
        };
        *sum = sum.saturating_add(bytes);
        *count += 1;
    }

    /// Each of them, where there are several.
    pub fn several(&self) -> &[Exchange] {
        match self.all.len() {
            0 | 1 => &[],
            _ => &self.all,
        }
    }

    /// How many datagrams went to or came from others.
    pub fn more(&self) -> u64 {
        self.more
    }
}
