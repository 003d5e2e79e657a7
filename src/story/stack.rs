//! What the kernel says between calls: handshakes that end, or don't, while the program does something else.

use super::conversation::Link;
use super::handshake::handshake;
use super::patience::{passed, still_waiting};
use super::{Importance, Stage, Story, Told, What};
use crate::syscall::Role;
use crate::tracer::event::{KernelEvent, Nanos};

use syscalls::Sysno;

impl Story {
    /// Takes in what the kernel says of a socket that nobody made a call on.
    pub(super) fn stack(&mut self, event: KernelEvent, said: &mut Vec<Told>) {
        let KernelEvent {
            pid,
            tid,
            time,
            socket,
            facts,
        } = event;
        let Some(conversation) = self.conversations.open_mut(socket) else {
            return;
        };
        let who = self.processes.who(pid, tid);
        let before = conversation.kernel.as_ref().and_then(|it| it.tcp);
        let before = before.map_or(0, |tcp| tcp.state);
        conversation.take_facts(&facts);
        let tcp = facts.tcp.unwrap_or_default();
        let mut more = None;
        match conversation.link {
            // Between which addresses it is may be news.
            Link::Connected => self.meet_other_end(socket, facts.other),
            Link::Connecting { since, .. } if tcp.is_connected() => {
                // The first round trip was the handshake's own.
                let rtt = Nanos::from(tcp.rtt_us) * 1000;
                let end = match (tcp.total_retrans, rtt) {
                    (0, 1..) => time.min(since.saturating_add(rtt)),
                    _ => time,
                };
                conversation.end_handshake(None, end);
                self.meet_other_end(socket, facts.other);
                self.race_ends(pid, socket, None, end);
                if let Some(conversation) = self.conversations.get(socket) {
                    let told = handshake(who.clone(), conversation, since, end, None);
                    more = Some(Told { time, ..told });
                }
            }
            Link::Connecting { since, .. } if tcp.retransmits > 0 => {
                let elapsed = time.saturating_sub(since);
                conversation.silence.reminded = passed(elapsed).max(conversation.silence.reminded);
                let conversation = self.conversations.get(socket).cloned();
                more = conversation
                    .map(|it| still_waiting(who.clone(), it, Some(Stage::Connect), time, elapsed));
            }
            // connect(2) blocks, so the call itself is still on its way.
            Link::None if tcp.retransmits > 0 => {
                let waiting = self.waiting.get_mut(&tid);
                let waiting = waiting.filter(|(call, _)| call.call.row.role == Role::Connect);
                if let (Some((call, reminded)), Some(conversation)) =
                    (waiting, self.conversations.get(socket))
                {
                    let elapsed = time.saturating_sub(call.start);
                    *reminded = passed(elapsed).max(*reminded);
                    let conversation = conversation.clone();
                    let stage = Some(Stage::Connect);
                    more = Some(still_waiting(
                        who.clone(),
                        conversation,
                        stage,
                        time,
                        elapsed,
                    ));
                }
            }
            _ => {}
        }
        said.push(Told {
            conversation: self.conversations.get(socket).cloned(),
            importance: Importance::Expected,
            ..Told::new(What::Kernel(before, Box::new(facts)), Some(who), time)
        });
        said.extend(more.filter(|_| self.tells_of(Sysno::connect)));
    }
}
