//! What resolvers ask and are told: taken in wherever it is said, and told as what it was for.

use super::apart::{QUIET, RECENT};
use super::resolution::{By, Heard};
use super::{
    Conversation, Direction, Importance, Name, Resolution, Stage, Story, Told, What, bytes,
};
use crate::protocol::{Detail, Kind};
use crate::syscall::{Role, SockAddr};
use crate::tracer::event::{Change, Nanos};

impl Story {
    /// Takes what the name service was asked and said, whoever is told of it.
    pub(super) fn hear_name_service(&mut self, said: &[Told]) {
        for told in said {
            let (What::Call(event), Some(conversation)) = (&told.what, &told.conversation) else {
                continue;
            };
            let heard = Heard {
                pid: event.pid,
                tid: event.tid,
                socket: conversation.socket.id,
                server: conversation.peer.as_ref(),
                by: way(conversation),
                time: event.end,
            };
            let direction = bytes::direction(event);
            for message in &told.messages {
                let (Detail::Lookup(lookup), Some(direction)) = (&message.detail, direction) else {
                    continue;
                };
                // One who answers questions is no resolver.
                let resolves = match message.kind {
                    Kind::Request(_) => direction == Direction::Out,
                    _ => direction == Direction::In,
                };
                if !resolves {
                    continue;
                }
                let named = self.apart.resolutions.hear(heard, lookup);
                if let Some((name, addresses)) = named {
                    let name = Name {
                        text: name.as_str().into(),
                        source: heard.by.source(),
                    };
                    for address in addresses {
                        self.names
                            .learn(event.pid, address.to_canonical(), name.clone());
                    }
                }
            }
            if event.call.row.role == Role::Close && !event.released.is_empty() {
                if heard.by == By::Tcp && !conversation.has_carried() {
                    self.apart.resolutions.cannot_ask(heard);
                }
                self.apart.resolutions.give_up(heard.socket, heard.time);
            }
        }
    }

    /// Tells what was resolved, before the next thing that its process does, or at its end.
    pub(super) fn occasion(&mut self, told: &Told, said: &mut Vec<Told>) {
        if self.apart.resolutions.is_empty() {
            return;
        }
        let Some(who) = &told.who else {
            return;
        };
        let ends = match &told.what {
            What::Process(event) => match &event.change {
                Change::Ended { process, .. } => Some(*process),
                Change::Executed { .. } => Some(true),
                _ => return,
            },
            _ if told.folds => return,
            _ => None,
        };
        let boundary = &self.boundary;
        let taken = self.apart.resolutions.take(|it| match ends {
            // It is told when its function returns.
            None if boundary.looks_up(it.tid) => false,
            Some(process) => it.tid == who.tid || (process && it.pid == who.pid),
            None if it.tid == who.tid => it.is_left(),
            None => it.pid == who.pid && it.is_over(),
        });
        for mut resolution in taken {
            if ends.is_some() {
                resolution.ends(told.time);
            }
            let mut resolved = self.resolved(resolution);
            // A process that has just ended has no name any more.
            if let (Some(it), true) = (&mut resolved.who, ends.is_some()) {
                it.name = who.name.clone();
            }
            said.push(resolved);
        }
    }

    /// Tells what was resolved some time ago; to be asked every now and then.
    pub(super) fn resolved_quietly(&mut self, now: Nanos, said: &mut Vec<Told>) {
        if !self.options.sets_apart() {
            drop(self.apart.resolutions.take(|it| it.is_left()));
            return;
        }
        let boundary = &self.boundary;
        let taken = self.apart.resolutions.take(|it| {
            if boundary.looks_up(it.tid) {
                return false;
            }
            let quiet = now.saturating_sub(it.end);
            (it.is_over() && quiet >= QUIET) || (it.is_left() && quiet >= RECENT)
        });
        for mut resolution in taken {
            resolution.told = Some(now);
            said.push(self.resolved(resolution));
        }
    }

    pub(super) fn resolved(&self, resolution: Resolution) -> Told {
        let who = self.processes.who(resolution.pid, resolution.tid);
        let importance = match resolution.failed() {
            true => Importance::Error,
            false => Importance::Ordinary,
        };
        let start = resolution.start;
        Told {
            stage: Some(Stage::Resolve),
            took: Some(resolution.end.saturating_sub(start)),
            importance,
            ..Told::new(What::Resolved(Box::new(resolution)), Some(who), start)
        }
    }
}

fn way(conversation: &Conversation) -> By {
    match &conversation.peer {
        Some(SockAddr::Inet { ip, .. }) if ip.is_multicast() => By::Multicast,
        Some(SockAddr::Inet6 { ip, .. }) if ip.is_multicast() => By::Multicast,
        Some(SockAddr::Inet { .. } | SockAddr::Inet6 { .. }) if conversation.is_stream() => By::Tcp,
        Some(SockAddr::UnixPath(_)) => match conversation.layers.names().next() {
            Some("nscd") => By::Nscd,
            _ => By::Resolved,
        },
        _ => By::Udp,
    }
}
