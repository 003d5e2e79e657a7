//! Which two conversations are the two ends of one connection, where both are the trace's: a program that talks to itself, a client
//! and a server that one script starts.

use rustc_hash::FxHashMap;

use super::conversation::{Link, Part};
use super::{Conversation, Story};
use crate::syscall::SockAddr;
use crate::tracer::event::SocketId;

/// How many connections are remembered by their addresses.
const ENDS: usize = 1 << 16;

/// The connections of TCP that are open, by our address and the peer's.
#[derive(Debug, Default)]
pub struct Ends {
    known: FxHashMap<(SockAddr, SockAddr), SocketId>,
}

impl Ends {
    /// It is over.
    pub fn forget(&mut self, conversation: &Conversation) {
        let key = key(conversation);
        if let Some(key) = key
            && self.known.get(&key) == Some(&conversation.socket.id)
        {
            self.known.remove(&key);
        }
    }
}

/// Both addresses of a connection that can have its other end here.
fn key(conversation: &Conversation) -> Option<(SockAddr, SockAddr)> {
    let connected = conversation.link == Link::Connected && conversation.is_stream();
    let (Some(local), Some(peer), true) = (&conversation.local, &conversation.peer, connected)
    else {
        return None;
    };
    let inet =
        |address: &SockAddr| matches!(address, SockAddr::Inet { .. } | SockAddr::Inet6 { .. });
    (inet(local) && inet(peer)).then(|| (plain(local), plain(peer)))
}

/// The address without what the two ends need not say alike.
fn plain(address: &SockAddr) -> SockAddr {
    match address {
        SockAddr::Inet6 { ip, port, .. } => match ip.to_ipv4_mapped() {
            Some(ip) => SockAddr::Inet { ip, port: *port },
            None => SockAddr::Inet6 {
                ip: *ip,
                port: *port,
                flowinfo: 0,
                scope: 0,
            },
        },
        other => other.clone(),
    }
}

impl Story {
    /// Looks whether the other end of a connection that has just come about is known; `other` is what the kernel says of that.
    pub(super) fn meet_other_end(&mut self, id: SocketId, other: Option<SocketId>) {
        let Some(conversation) = self.conversations.get(id) else {
            return;
        };
        if conversation.far_end.is_some() || conversation.part == Part::Pair {
            return;
        }
        let mut other = other;
        if let Some((local, peer)) = key(conversation) {
            let turned = (peer, local);
            other = other.or(self.ends.known.get(&turned).copied());
            let (peer, local) = turned;
            let key = (local, peer);
            // Two networks may have the same addresses: which of them it is nobody knows then.
            let twice = self.ends.known.get(&key).is_some_and(|known| *known != id);
            if twice {
                self.ends.known.remove(&key);
                return;
            }
            if self.ends.known.len() < ENDS {
                self.ends.known.insert(key, id);
            }
        }
        let Some(other) = other.filter(|other| *other != id) else {
            return;
        };
        for (end, far) in [(id, other), (other, id)] {
            let number = self.conversations.get(far).map(|it| it.number);
            if let (Some(number), Some(conversation)) = (number, self.conversations.get_mut(end)) {
                conversation.far_end = Some(far);
                conversation.far = Some(number).filter(|it| *it > 0);
            }
        }
    }
}
