//! Connections that live too long, too shortly, or in the wrong process.

use rustc_hash::FxHashMap;

use super::{Found, Kind, Severity, place, span};
use crate::story::{Conversation, Ending, Farewell, Fate, Meaning, Part, Side, Told, What};
use crate::syscall::Role;
use crate::tracer::event::Nanos;

const LEAK: Kind = Kind {
    name: "descriptor-leak",
    severity: Severity::Warning,
    advice: "Each one takes a descriptor here and memory at both ends until the limit is reached (ulimit -n): close what is done with.",
};
const HALF_CLOSED: Kind = Kind {
    name: "close-wait",
    severity: Severity::Warning,
    advice: "The connection stays in CLOSE_WAIT until this side closes too: a read of 0 bytes is the moment for that.",
};
const MANY: Kind = Kind {
    name: "many-connections",
    severity: Severity::Warning,
    advice: "Each costs a round trip, a port in TIME_WAIT and, with TLS, a handshake: one that is kept could serve them all.",
};
const UNREAD: Kind = Kind {
    name: "closed-unread",
    severity: Severity::Warning,
    advice: "The kernel answers that with a reset, which may take away at the peer what it has not read yet either: read to the end before closing.",
};
const INHERITED: Kind = Kind {
    name: "inherited-socket",
    severity: Severity::Warning,
    advice: "As long as it has the socket, the peer sees no end of the connection and the port stays taken: SOCK_CLOEXEC keeps it from children.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[&LEAK, &HALF_CLOSED, &MANY, &INHERITED, &UNREAD];

/// How many connections left open to one peer are a leak.
const LEFT: u32 = 3;
/// How many short connections to one peer are many, and within which time.
const SHORT: u32 = 8;
const WITHIN: Nanos = 10_000_000_000;
/// What a short connection carries at most in requests: a few calls in each direction.
const LIVED: Nanos = 1_000_000_000;
/// With how many sends a connection may be called short.
const REQUESTS: u64 = 4;
/// For how long a side that was left may stay open: 1 s.
const LEISURE: Nanos = 1_000_000_000;
/// How many processes of one conversation are remembered.
const PROCESSES: usize = 64;
/// How many peers are counted.
const PEERS: usize = 1024;

/// Counts by peer.
#[derive(Debug, Default)]
pub struct Lifetime {
    left: FxHashMap<String, u32>,
    /// When the latest connection with a peer was made.
    latest: FxHashMap<String, Nanos>,
    short: FxHashMap<String, Short>,
    /// The processes that did anything with a conversation but close it, and when that was last.
    users: FxHashMap<i64, (Vec<i32>, Nanos)>,
    /// When the peer of a conversation was seen to have closed.
    closed: FxHashMap<i64, (Nanos, Option<u64>)>,
}

/// Short connections with one peer, one after the other.
#[derive(Debug, Default)]
struct Short {
    count: u32,
    since: Nanos,
    /// When the latest of them ended.
    ended: Nanos,
}

impl Lifetime {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        let Some(conversation) = told.conversation.as_ref().filter(|it| it.number > 0) else {
            return;
        };
        if let (What::Call(event), true) = (&told.what, self.users.len() < PEERS)
            && event.call.row.role != Role::Close
        {
            let (users, used) = self.users.entry(conversation.number).or_default();
            *used = event.end;
            if matches!(event.call.row.role, Role::Connect | Role::Accept)
                && let Some(key) = with(conversation)
                && (self.latest.len() < PEERS || self.latest.contains_key(&key))
            {
                self.latest.insert(key, event.end);
            }
            if users.len() < PROCESSES && !users.contains(&event.pid) {
                users.push(event.pid);
            }
        }
        match &told.meaning {
            Some(Meaning::PeerEnded) if self.closed.len() < PEERS => {
                let end = match &told.what {
                    What::Call(event) => event.end,
                    _ => told.time,
                };
                self.closed.insert(conversation.number, (end, told.call));
            }
            Some(Meaning::Farewell(farewell)) => {
                self.ends(told, farewell, found);
                self.closed.remove(&conversation.number);
                self.users.remove(&conversation.number);
            }
            _ => {}
        }
    }

    fn ends(&mut self, told: &Told, farewell: &Farewell, found: &mut Found) {
        let (Some(conversation), Some(peer)) = (
            &told.conversation,
            told.conversation.as_ref().and_then(|it| it.peer.as_ref()),
        ) else {
            return;
        };
        let end = match &told.what {
            What::Call(event) => event.end,
            _ => told.time,
        };
        let connector = conversation.part == Part::Connector && !conversation.is_datagram();
        let peer = place(peer);
        let at_exit = matches!(told.what, What::Ended(Ending::Exit | Ending::StillOpen));
        if let Some((since, call)) = self.closed.remove(&conversation.number) {
            let waited = end.saturating_sub(since);
            if waited >= LEISURE && conversation.first == Some(Side::Peer) {
                found.add(&HALF_CLOSED, peer.clone(), told, || {
                    format!(
                        "{} closed its side, and we did not for {}.",
                        super::peer(told),
                        span(waited)
                    )
                });
                found.prove(&call.into_iter().collect::<Vec<_>>());
            }
        }
        let unread = farewell.kernel.as_ref().and_then(|it| it.unread);
        if let (Some(unread @ 1..), false) = (unread, at_exit) {
            found.add(&UNREAD, peer.clone(), told, || {
                format!("{unread} bytes from {} were never read.", super::peer(told))
            });
        }
        let (users, used) = self.users.remove(&conversation.number).unwrap_or_default();
        let accepted = conversation.part == Part::Accepted;
        if at_exit
            && (connector || accepted)
            && farewell.fate != Fate::NeverConnected
            && self.left.len() < PEERS
        {
            let key = with(conversation).unwrap_or_else(|| peer.clone());
            // One that is used up to the end is no leak: another one was made, and this one done with.
            let done_with = self.latest.get(&key).is_none_or(|latest| used <= *latest);
            let count = self.left.entry(key.clone()).or_default();
            *count += u32::from(done_with);
            if done_with && *count >= LEFT {
                let seen = format!("{count} connections with {key} were never closed.");
                found.revise(&LEAK, key, told, seen);
            }
        }
        if let (true, Some(who), Some(maker)) = (at_exit, &told.who, conversation.maker)
            && who.pid != maker
            && !users.contains(&who.pid)
            && (connector || conversation.is_listener())
        {
            let name = &who.name;
            found.add(&INHERITED, format!("{name} {peer}"), told, || {
                format!("{name} had the socket to {} from its parent, without using it, until it ended.", super::peer(told))
            });
        }
        let short = farewell.lived.is_some_and(|lived| lived < LIVED)
            && farewell.fate == Fate::Carried
            && conversation.sends <= REQUESTS;
        if connector && short && (self.short.len() < PEERS || self.short.contains_key(&peer)) {
            let short = self.short.entry(peer.clone()).or_default();
            if end.saturating_sub(short.since) > WITHIN {
                (short.count, short.since) = (0, end);
            }
            // Those that were there at the same time could not have been one.
            short.count += u32::from(conversation.born >= Some(short.ended));
            short.ended = end;
            let count = short.count;
            if count >= SHORT {
                let name = super::peer(told);
                let seen = format!("{count} short connections went to {name} one after the other.");
                found.revise(&MANY, peer, told, seen);
            }
        }
    }
}

/// With whom a connection is: of those who come each has another port, so that their listener's address counts.
fn with(conversation: &Conversation) -> Option<String> {
    match (conversation.part, &conversation.local, &conversation.peer) {
        (Part::Accepted, Some(local), _) => Some(place(local)),
        (_, _, peer) => peer.as_ref().map(place),
    }
}
