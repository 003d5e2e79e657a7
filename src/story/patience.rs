//! Patience: what is still waited for after 1, 10 and 60 s.

use super::calls::{selected, stage};
use super::conversation::{Link, Part, awaited};
use super::{Awaited, Conversation, Importance, Meaning, Stage, Story, Told, What, Who, bytes};
use crate::syscall::Role;
use crate::tracer::event::{Descriptor, Nanos};

/// After how long something still waited for is said to be: 1, 10 and 60 s.
const PATIENCE: [Nanos; 3] = [1_000_000_000, 10_000_000_000, 60_000_000_000];

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
            if waits_for_peer && due(elapsed, reminded) {
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
        for conversation in self.conversations.iter_mut() {
            let Link::Connecting { since, pid, tid } = conversation.link else {
                continue;
            };
            let elapsed = now.saturating_sub(since);
            // A connect(2) that blocks is in flight, and was told of above.
            if due(elapsed, &mut conversation.reminded) {
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
                .map(|conversation| conversation.number)
        });
        self.hide_others(&mut said);
        said
    }

    /// Requests without an answer whose answer a blocked poll or select waits for.
    fn unanswered(&mut self, now: Nanos) -> Vec<Told> {
        let mut said = Vec::new();
        for (event, _) in self
            .waiting
            .values()
            .filter(|(event, _)| event.call.row.role == Role::Poll)
        {
            for (_, descriptor) in &event.descriptors {
                let Descriptor::Socket(socket) = descriptor else {
                    continue;
                };
                let Some(conversation) = self.conversations.get_mut(socket.id) else {
                    continue;
                };
                let Some(asked) = conversation.unanswered_since() else {
                    continue;
                };
                let elapsed = now.saturating_sub(asked);
                if due(elapsed, &mut conversation.reminded) {
                    let who = self.processes.who(event.pid, event.tid);
                    said.push(still_waiting(
                        who,
                        conversation.clone(),
                        Some(Stage::Receive),
                        now,
                        elapsed,
                    ));
                }
            }
        }
        said
    }
}

/// Whether it is time to say once more that something is waited for.
fn due(elapsed: Nanos, reminded: &mut usize) -> bool {
    let passed = PATIENCE
        .iter()
        .take_while(|patience| elapsed >= **patience)
        .count();
    let due = passed > *reminded;
    *reminded = passed.max(*reminded);
    due
}

fn still_waiting(
    who: Who,
    conversation: Conversation,
    stage: Option<Stage>,
    now: Nanos,
    elapsed: Nanos,
) -> Told {
    let peer = conversation.peer.clone();
    Told {
        conversation: Some(conversation),
        stage,
        meaning: Some(Meaning::StillWaiting { peer, elapsed }),
        importance: Importance::Expected,
        ..Told::new(What::StillWaiting, Some(who), now)
    }
}
