//! How a connection comes about: connect(2), a handshake that goes on without the program, and how it ends.

use std::rc::Rc;

use super::conversation::{Link, Part, interrupted};
use super::learning::{ANSWER, Learned, WAIT, waited};
use super::{Conversation, Importance, Meaning, Stage, Told, What, Who};
use crate::syscall::{Role, SockAddr, errno};
use crate::tracer::event::{CallEvent, Nanos};

impl Conversation {
    /// How often the kernel has sent a SYN in a handshake that goes on, as far as it was asked.
    pub(super) fn syns(&self) -> Option<u32> {
        let tcp = self.kernel.as_ref()?.tcp?;
        let again = tcp.total_retrans.max(tcp.retransmits.into());
        tcp.connects().then_some(again.saturating_add(1))
    }

    pub(super) fn connect(&mut self, event: &CallEvent) -> Learned {
        let call = &event.call;
        let mut learned = Learned::default();
        if let Some(SockAddr::Other { family: 0, .. }) = call.address() {
            if call.outcome.value().is_some() {
                (self.peer, self.link) = (None, Link::None);
                learned.meaning = Some(Meaning::ForgetsPeer);
            }
            return learned;
        }
        let since = match self.link {
            Link::Connecting { since, .. } => Some(since),
            _ => None,
        };
        let unset = since.is_none();
        if unset && self.link != Link::Connected {
            self.peer = call.address().cloned();
            self.part = Part::Connector;
        }
        match call.outcome.errno() {
            None if call.outcome.value().is_none() => {}
            None => {
                self.link = Link::Connected;
                if !self.is_datagram() {
                    self.silence.begins(event.end);
                }
                if self.is_datagram() {
                    self.peer = call.address().cloned();
                    learned.meaning = Some(Meaning::SetsPeer);
                } else if let Some(since) = since {
                    learned.took = Some(event.end - since.min(event.end));
                } else {
                    learned.took = waited(event, if self.is_inet() { 0 } else { ANSWER });
                }
            }
            Some(libc::EISCONN) => {
                learned.handshake = self.end_handshake(None, event.end);
            }
            Some(libc::EINPROGRESS | libc::EALREADY) => {
                self.begin_handshake(event, unset);
                // On the way to a socket of this machine it is over before the call is.
                if event.kernel.as_ref().is_some_and(|it| it.is_connected()) {
                    learned.handshake = self.end_handshake(None, event.end);
                }
            }
            // The kernel goes on with the handshake when a signal ends connect(2).
            Some(errno) if interrupted(errno) => self.begin_handshake(event, unset),
            Some(_) => {
                learned.took = match since {
                    Some(since) => Some(event.end - since.min(event.end)),
                    None => waited(event, WAIT),
                };
                if self.link != Link::Connected {
                    self.link = Link::Failed;
                }
            }
        }
        learned
    }

    fn begin_handshake(&mut self, event: &CallEvent, unset: bool) {
        if unset && self.link != Link::Connected {
            self.link = Link::Connecting {
                since: event.start,
                pid: event.pid,
                tid: event.tid,
            };
            self.silence.ends();
        }
    }

    fn is_inet(&self) -> bool {
        matches!(
            self.peer,
            Some(SockAddr::Inet { .. } | SockAddr::Inet6 { .. })
        )
    }

    /// Ends a handshake that was under way.
    pub(super) fn end_handshake(
        &mut self,
        errno: Option<i32>,
        now: Nanos,
    ) -> Option<(Nanos, Option<i32>)> {
        let Link::Connecting { since, .. } = self.link else {
            return None;
        };
        self.link = if errno.is_some() {
            Link::Failed
        } else {
            self.silence.begins(now);
            Link::Connected
        };
        Some((since, errno))
    }
}

/// The end of a handshake that connect(2) had left to the kernel.
pub(super) fn handshake(
    who: Who,
    conversation: &Rc<Conversation>,
    since: Nanos,
    now: Nanos,
    errno: Option<i32>,
) -> Told {
    let (what, meaning, importance) = match errno {
        Some(errno) => {
            let words = errno::meaning(errno, Role::Connect);
            let meaning = (!words.is_empty()).then_some(Meaning::Trouble(words));
            (What::NotConnected(errno), meaning, Importance::Error)
        }
        None => (
            What::Connected,
            Some(connection(conversation)),
            Importance::Ordinary,
        ),
    };
    Told {
        conversation: Some(Rc::clone(conversation)),
        stage: Some(Stage::Connect),
        meaning,
        took: Some(now.saturating_sub(since)),
        importance,
        ..Told::new(what, Some(who), now)
    }
}

fn connection(conversation: &Conversation) -> Meaning {
    Meaning::Connection {
        local: conversation.local.clone(),
        peer: conversation.peer.clone(),
    }
}
