//! What a call on a socket teaches about its conversation: bytes, ends, and what it means.

use syscalls::Sysno;

use super::Conversation;
use super::bytes::{self, Direction, number};
use super::conversation::{Link, Part, port};
use super::meaning::{Meaning, Side};
use crate::syscall::{Role, SockAddr};
use crate::tracer::event::{CallEvent, Nanos};

/// What a call told about its conversation.
#[derive(Debug, Default)]
pub struct Learned {
    /// What the call means.
    pub meaning: Option<Meaning>,
    /// How long someone waited.
    pub took: Option<Nanos>,
    /// How long after the other side's turn the answer came.
    pub after: Option<Nanos>,
    /// A handshake that was under way has ended: begun when, and its errno if it failed.
    pub handshake: Option<(Nanos, Option<i32>)>,
}

/// A call shorter than this was no wait worth a word: 1 ms.
pub(super) const WAIT: Nanos = 1_000_000;
/// The same for an answer and for a handshake: 0.1 ms.
pub(super) const ANSWER: Nanos = 100_000;
/// SOL_SOCKET and SO_ERROR (include/uapi/asm-generic/socket.h).
const SO_ERROR: [u64; 2] = [1, 4];
/// MSG_FASTOPEN (include/linux/socket.h): such a send carries the SYN.
const FASTOPEN: u64 = 0x2000_0000;

impl Conversation {
    /// Takes in a finished call on it. `ready` says whether polling has reported anything to its process since the handshake began.
    pub(super) fn learn(&mut self, event: &CallEvent, ready: bool) -> Learned {
        let call = &event.call;
        if let Some(direction) = bytes::direction(event) {
            return match call.outcome.value() {
                Some(_) => self.carried(event, direction),
                None => self.failed_to_carry(event, direction),
            };
        }
        let done = call.outcome.value().is_some();
        match call.row.role {
            Role::Connect => self.connect(event),
            Role::Bind if done => self.bind(call.address()),
            Role::Listen if done => {
                if !matches!(self.part, Part::Listener(_)) {
                    self.part = Part::Listener(0);
                }
                self.backlog = Some(call.raw.args[1] as i32);
                Learned {
                    meaning: Some(Meaning::WaitingForPeers),
                    ..Learned::default()
                }
            }
            Role::Shutdown if done => self.shutdown(call.raw.args[1]),
            Role::Setup if done => self.asked_about(event, ready),
            _ => Learned::default(),
        }
    }

    fn bind(&mut self, address: Option<&SockAddr>) -> Learned {
        let Some(address) = address else {
            return Learned::default();
        };
        let meaning = match address {
            _ if port(address) == Some(0) => Some(Meaning::KernelPicksPort),
            address if is_wildcard(address) => Some(Meaning::EveryAddress),
            SockAddr::Inet { ip, .. } if ip.is_loopback() => Some(Meaning::ThisMachine),
            SockAddr::Inet6 { ip, .. } if ip.is_loopback() => Some(Meaning::ThisMachine),
            _ => None,
        };
        // Port 0 is a wish; getsockname will tell what became of it.
        self.local = if port(address) == Some(0) {
            None
        } else {
            Some(address.clone())
        };
        Learned {
            meaning,
            ..Learned::default()
        }
    }

    fn carried(&mut self, event: &CallEvent, direction: Direction) -> Learned {
        let call = &event.call;
        let count = bytes::moved(event);
        let mut learned = Learned {
            took: waited(event, WAIT),
            ..Learned::default()
        };
        let flags = bytes::flags(call);
        if count > 0 && flags & FASTOPEN == 0 {
            learned.handshake = self.end_handshake(None, event.end);
        }
        self.blocked = self.blocked.saturating_add(learned.took.unwrap_or(0));
        let some = u64::from(count > 0);
        match direction {
            Direction::Out => {
                self.out = self.out.saturating_add(count);
                self.sends += some;
            }
            Direction::In => {
                self.received = self.received.saturating_add(count);
                self.receives += some;
                if count > 0 {
                    self.first_byte.get_or_insert(event.end);
                }
            }
        }
        // After shutdown(2) a receive returns 0 without one.
        let datagram = self.is_datagram()
            && bytes::carries_datagram(call)
            && !(self.deaf && call.outcome.value() == Some(0));
        self.datagrams |= datagram;
        if datagram {
            bytes::each_datagram(event, |address, len| {
                self.exchanges.note(direction, address, len, event.end);
            });
        }
        if !matches!(self.link, Link::Connected)
            && let Some(address) = call.address()
        {
            self.peer = Some(address.clone());
        }
        if count > 0 || datagram {
            match direction {
                Direction::Out => self.silence.begins(event.end),
                Direction::In => self.silence.ends(),
            }
            // A server may greet first, and is the one that answers all the same.
            let asker = *self.asker.get_or_insert(match self.part {
                Part::Connector => Direction::Out,
                Part::Accepted => Direction::In,
                _ => direction,
            });
            if asker == direction {
                self.asked = Some(event.end);
            } else if let Some(asked) = self.asked.take() {
                let answered = event.end.saturating_sub(asked);
                learned.after = (answered >= ANSWER).then_some(answered);
            }
        }
        let asked = bytes::asked(call);
        match direction {
            Direction::Out if self.is_stream() && asked.is_some_and(|of| of > count) => {
                learned.meaning = asked.map(|of| Meaning::Part { done: count, of });
            }
            Direction::In if bytes::peeks(call) => learned.meaning = Some(Meaning::Peeked),
            // A receive after shutdown(SHUT_RD) returns 0 too.
            Direction::In if self.is_stream() && bytes::meets_end(call) && !self.deaf => {
                learned.meaning = Some(Meaning::PeerEnded);
                self.first.get_or_insert(Side::Peer);
                self.asked = None;
                self.silence.ends();
            }
            Direction::In => {
                learned.meaning = bytes::cut(call).map(|(of, to)| Meaning::Cut { of, to });
            }
            _ => {}
        }
        learned
    }

    fn failed_to_carry(&mut self, event: &CallEvent, direction: Direction) -> Learned {
        let mut learned = Learned {
            took: waited(event, WAIT),
            ..Learned::default()
        };
        match event.call.outcome.errno() {
            Some(libc::ECONNRESET) => {
                self.first.get_or_insert(Side::PeerByReset);
                self.silence.ends();
            }
            Some(libc::EPIPE) if direction == Direction::Out && self.link != Link::Failed => {
                self.first.get_or_insert(Side::Peer);
            }
            Some(libc::ECONNREFUSED | libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH)
                if self
                    .end_handshake(event.call.outcome.errno(), event.end)
                    .is_some() =>
            {
                learned.took = None;
            }
            _ => {}
        }
        learned
    }

    fn shutdown(&mut self, how: u64) -> Learned {
        if how != libc::SHUT_RD as u64 && self.has_ends() {
            self.first.get_or_insert(Side::Us);
        }
        self.deaf |= how != libc::SHUT_WR as u64;
        let meaning = match how as i32 {
            libc::SHUT_RD => Meaning::ShutReceive,
            libc::SHUT_WR => Meaning::ShutSend,
            _ => Meaning::ShutBoth,
        };
        Learned {
            meaning: Some(meaning),
            ..Learned::default()
        }
    }

    /// The questions whose answers tell us something.
    fn asked_about(&mut self, event: &CallEvent, ready: bool) -> Learned {
        let call = &event.call;
        let mut learned = Learned::default();
        match call.row.number {
            Sysno::getsockname => {
                // After a failed handshake the kernel has forgotten all but the port.
                let known = self.local.as_ref().and_then(port);
                if let Some(address) = call.address()
                    && !(is_wildcard(address) && known.is_some() && known == port(address))
                {
                    self.local = Some(address.clone());
                }
            }
            Sysno::getpeername => {
                self.peer = call.address().cloned().or(self.peer.take());
                learned.handshake = self.end_handshake(None, event.end);
            }
            Sysno::getsockopt if call.raw.args[1..3] == SO_ERROR => {
                match call.arg("optval").and_then(number) {
                    // No error is also the answer while the handshake is still under way: it counts once polling has reported something.
                    Some(0) if ready => learned.handshake = self.end_handshake(None, event.end),
                    Some(errno @ 1..4096) => {
                        learned.handshake = self.end_handshake(Some(errno as i32), event.end);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        learned
    }

    /// A peer came by a listener at that address: what it says about the new conversation.
    pub(super) fn accepted_at(&mut self, local: Option<SockAddr>, event: &CallEvent) -> Meaning {
        self.part = Part::Accepted;
        self.link = Link::Connected;
        self.born = Some(event.end);
        // The kernel knows by which of its addresses the peer came; a listener may be at all of them.
        self.local = self.local.take().or(local);
        self.peer = event.call.address().cloned().or(self.peer.take());
        let tcp = event.kernel.as_ref().and_then(|it| it.tcp);
        // Nothing can have been sent yet: the kernel counts from the handshake's end.
        self.queued = tcp.map(|tcp| Nanos::from(tcp.last_data_sent_ms) * 1_000_000);
        Meaning::Accepted {
            local: self.local.clone(),
            peer: self.peer.clone(),
        }
    }
}

fn is_wildcard(address: &SockAddr) -> bool {
    match address {
        SockAddr::Inet { ip, .. } => ip.is_unspecified(),
        SockAddr::Inet6 { ip, .. } => ip.is_unspecified(),
        _ => false,
    }
}

pub(super) fn waited(event: &CallEvent, least: Nanos) -> Option<Nanos> {
    let took = event.end.saturating_sub(event.start);
    (took >= least).then_some(took)
}
