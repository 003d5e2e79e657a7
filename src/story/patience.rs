//! Patience: what is still waited for after 1, 10 and 60 s.

use super::choice::{selected, stage};
use super::conversation::{Link, Part, awaited};
use super::conversations::Conversations;
use super::{Awaited, Conversation, Importance, Meaning, Stage, Story, Told, What, Who, bytes};
use std::rc::Rc;

use syscalls::Sysno;

use crate::syscall::{Outcome, Role, table};
use crate::tracer::event::{CallEvent, Descriptor, Nanos, SocketId};

/// After how long something still waited for is said to be: 1, 10 and 60 s.
const PATIENCE: [Nanos; 3] = [1_000_000_000, 10_000_000_000, 60_000_000_000];
/// For how long the kernel's word that it has sent a SYN again is awaited, which says more: 300 ms.
const AGAIN: Nanos = 300_000_000;
/// From when on a poll that found nothing has waited, rather than looked: 100 ms.
const POLLED: Nanos = 100_000_000;
/// The same for a call that failed with EAGAIN, which then had a time limit (SO_RCVTIMEO, SO_SNDTIMEO): 5 ms.
const LIMITED: Nanos = 5_000_000;
/// MSG_DONTWAIT (include/linux/socket.h): this call never blocks.
const DONTWAIT: u64 = 0x40;

/// A program's patience that has run out.
pub struct Timeout {
    took: Nanos,
    /// The only conversation that was waited for, and whether for its handshake.
    of: Option<(Rc<Conversation>, Stage)>,
}

impl Timeout {
    /// Tells of the call as a timeout.
    pub fn say(self, told: &mut Told) {
        told.meaning = Some(Meaning::TimedOut(self.took));
        (told.took, told.folds) = (None, false);
        told.importance = Importance::Expected;
        if let Some((conversation, stage)) = self.of {
            told.conversation = Some(conversation);
            told.stage = Some(stage);
        }
    }
}

impl Story {
    /// Says what is still waited for; to be asked every now and then, about every 100 ms.
    pub fn tick(&mut self, now: Nanos) -> Vec<Told> {
        let mut said = Vec::new();
        let mut in_flight: Vec<i32> = self.waiting.keys().copied().collect();
        in_flight.sort_unstable();
        for tid in in_flight {
            let Some((event, reminded)) = self.waiting.get_mut(&tid) else {
                continue;
            };
            let elapsed = now.saturating_sub(event.start);
            let Some(conversation) = Self::subject(event).and_then(|id| self.conversations.get(id))
            else {
                continue;
            };
            let waits_for_peer = match awaited(event.call.row.role, bytes::direction(event)) {
                Awaited::Answer | Awaited::Room => true,
                Awaited::Data => conversation.part != Part::Accepted && !conversation.is_listener(),
                Awaited::Peer | Awaited::Other => false,
            };
            let connects = event.call.row.role == Role::Connect;
            let patience = if connects { AGAIN } else { 0 };
            if waits_for_peer && due(elapsed.saturating_sub(patience), reminded) {
                let stage = stage(event);
                let (conversation, who) = (
                    conversation.clone(),
                    self.processes.who(event.pid, event.tid),
                );
                if selected(&self.options, event) {
                    said.push(still_waiting(who, conversation, stage, now, elapsed));
                }
            }
        }
        let connects = self.tells_of(Sysno::connect);
        for conversation in self.conversations.iter_mut() {
            let Link::Connecting { since, pid, tid } = conversation.link else {
                continue;
            };
            let elapsed = now.saturating_sub(since);
            // A connect(2) that blocks is in flight, and was told of above.
            if peer_due(elapsed.saturating_sub(AGAIN), conversation) && connects {
                let who = self.processes.who(pid, tid);
                said.push(still_waiting(
                    who,
                    conversation.clone(),
                    Some(Stage::Connect),
                    now,
                    elapsed,
                ));
            }
        }
        said.extend(self.unanswered(now));
        said.sort_by_key(|told| {
            told.conversation
                .as_ref()
                .map(|conversation| conversation.seen)
        });
        self.set_apart(&mut said);
        self.release_streams(now, &mut said);
        self.resolved_quietly(now, &mut said);
        self.hide_others(&mut said);
        self.find(&mut said);
        said
    }

    /// Peers from whom something is to come, and that a blocked poll, select or epoll_wait waits for.
    fn unanswered(&mut self, now: Nanos) -> Vec<Told> {
        let mut said = Vec::new();
        let mut polls: Vec<_> = self.waiting.values().map(|(event, _)| event).collect();
        // A call that blocks on the conversation itself was told of as that.
        let blocked: Vec<_> = polls
            .iter()
            .filter(|event| event.call.row.role != Role::Poll)
            .filter_map(|event| Self::subject(event))
            .collect();
        let receives = table::rows()
            .iter()
            .any(|row| row.role == Role::Receive && self.tells_of(row.number));
        polls.retain(|event| {
            event.call.row.role == Role::Poll && (receives || selected(&self.options, event))
        });
        polls.sort_by_key(|event| (event.start, event.tid));
        for event in polls {
            let mut awaited = waited_for(&mut self.conversations, event);
            awaited.retain(|(conversation, _)| !blocked.contains(&conversation.socket.id));
            for (conversation, since) in awaited {
                let elapsed = now.saturating_sub(since);
                // What connects is told of as that.
                let connects = matches!(conversation.link, Link::Connecting { .. });
                if !connects && peer_due(elapsed, conversation) {
                    let who = self.processes.who(event.pid, event.tid);
                    let stage = Some(Stage::Receive);
                    said.push(still_waiting(
                        who,
                        conversation.clone(),
                        stage,
                        now,
                        elapsed,
                    ));
                }
            }
        }
        said
    }

    /// Whether the call, which is over, is one that waited for a peer as long as the program wished, in vain. A program that polls in a
    /// loop is told of when it has waited twice as long as the last time.
    pub(super) fn timeout(
        &mut self,
        event: &CallEvent,
        subject: Option<SocketId>,
    ) -> Option<Timeout> {
        let took = event.end.saturating_sub(event.start);
        let call = &event.call;
        match (call.row.role, call.outcome) {
            (Role::Poll, Outcome::Value(0)) if took >= POLLED => {
                let mut awaited = waited_for(&mut self.conversations, event);
                awaited.retain(|(conversation, _)| took / 2 >= conversation.silence.timed_out);
                for (conversation, _) in &mut awaited {
                    Rc::make_mut(conversation).silence.timed_out = took;
                }
                let of = match &awaited[..] {
                    [] => return None,
                    [(one, _)] if matches!(one.link, Link::Connecting { .. }) => {
                        Some((Rc::clone(one), Stage::Connect))
                    }
                    [(one, _)] => Some((Rc::clone(one), Stage::Receive)),
                    _ => None,
                };
                Some(Timeout { took, of })
            }
            (
                Role::Receive | Role::Send | Role::Accept | Role::Connect,
                Outcome::Error(libc::EAGAIN),
            )
            | (Role::Connect, Outcome::Error(libc::EINPROGRESS)) => {
                let flags = bytes::flags(call);
                let conversation = subject.and_then(|id| self.conversations.get(id))?;
                let limited =
                    !conversation.silence.nonblocking && (flags & DONTWAIT == 0) && took >= LIMITED;
                limited.then_some(Timeout { took, of: None })
            }
            _ => None,
        }
    }
}

/// Whether a call waited so long that it may be told of as a timeout.
pub fn may_time_out(event: &CallEvent) -> bool {
    event.end.saturating_sub(event.start) >= LIMITED.min(POLLED)
}

/// The conversations whose peers a poll waits for, and since when: those that it names, or for epoll_wait(2) those of its process.
fn waited_for<'a>(
    conversations: &'a mut Conversations,
    event: &CallEvent,
) -> Vec<(&'a mut Rc<Conversation>, Nanos)> {
    let opaque = event.call.row.is_opaque_wait();
    let named = |id| {
        event.descriptors.iter().any(
            |(_, descriptor)| matches!(descriptor, Descriptor::Socket(socket) if socket.id == id),
        )
    };
    let mut found: Vec<_> = conversations
        .iter_mut()
        .filter_map(|conversation| {
            let since = if opaque {
                conversation.silent_for(event.pid)
            } else if named(conversation.socket.id) {
                conversation.silent_since()
            } else {
                None
            };
            Some((conversation, since?))
        })
        .collect();
    found.sort_by_key(|(conversation, _)| conversation.seen);
    found
}

/// Whether it is time to say once more that a call still waits.
fn due(elapsed: Nanos, reminded: &mut usize) -> bool {
    let passed = passed(elapsed);
    let due = passed > *reminded;
    *reminded = passed.max(*reminded);
    due
}

/// The same of a conversation's peer.
fn peer_due(elapsed: Nanos, conversation: &mut Rc<Conversation>) -> bool {
    let mut reminded = conversation.silence.reminded;
    let due = due(elapsed, &mut reminded);
    if due {
        Rc::make_mut(conversation).silence.reminded = reminded;
    }
    due
}

/// How many of the times in [`PATIENCE`] have passed.
pub(super) fn passed(elapsed: Nanos) -> usize {
    let passed = PATIENCE.iter().take_while(|patience| elapsed >= **patience);
    passed.count()
}

pub(super) fn still_waiting(
    who: Who,
    conversation: Rc<Conversation>,
    stage: Option<Stage>,
    now: Nanos,
    elapsed: Nanos,
) -> Told {
    let peer = conversation.peer.clone();
    let syns = conversation.syns();
    Told {
        conversation: Some(conversation),
        stage,
        meaning: Some(Meaning::StillWaiting {
            peer,
            elapsed,
            syns,
        }),
        importance: Importance::Expected,
        ..Told::new(What::StillWaiting, Some(who), now)
    }
}
