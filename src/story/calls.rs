//! Calls: which conversation and stage each belongs to, what it teaches, and what to say of it.

use super::apart::may_be_apart;
use super::choice::{selected, stage, unhappy};
use super::conversation::{Link, Part, awaited, interrupted};
use super::handshake::handshake;
use super::learning::{ANSWER, Learned};
use super::talks::Words;
use super::{Ending, Farewell, Importance, Meaning, Name, Story, Told, What, Who, bytes};
use std::net::IpAddr;

use syscalls::Sysno;

use crate::protocol::{Detail, Source};
use crate::syscall::{Outcome, Role, errno};
use crate::tracer::event::{CallEvent, Descriptor, Nanos, SocketId};

impl Story {
    pub(super) fn call(&mut self, mut event: Box<CallEvent>, said: &mut Vec<Told>) {
        self.waiting.remove(&event.tid);
        self.processes.interrupt(
            event.tid,
            event.call.outcome.errno().is_some_and(interrupted),
        );
        let call = &event.call;
        if call.row.role == Role::Poll && call.outcome.value().is_some_and(|count| count > 0) {
            self.processes.polled(event.pid, event.end);
        }
        let subject = Self::subject(&event);
        self.meet(&event, subject);
        let words = self.hear(&mut event, subject);
        self.see_at_boundary(&event, subject);
        let call = &event.call;
        let timeout = self.timeout(&event, subject);
        self.take_facts(&event, subject);
        let mut learned = self.learn(&event, subject);
        self.look_for_other_end(&event, subject, &learned);
        self.name_peer(&event, subject, &words);

        self.race(&event, subject, &learned);
        let who = self.processes.who(event.pid, event.tid);
        let connects = self.tells_of(Sysno::connect);
        let mut after = Vec::new();
        if let Some((since, errno)) = learned.handshake.take()
            && let Some(conversation) = subject.and_then(|id| self.conversations.get(id))
        {
            let told = handshake(who.clone(), conversation, since, event.end, errno);
            // The answer to a question is told after it; data proves what came before it.
            let follows = matches!(call.row.role, Role::Setup | Role::Connect) || errno.is_some();
            let told = Some(told).filter(|_| connects);
            match follows {
                true => after.extend(told),
                false => said.extend(told),
            }
        }
        let conversation = subject.and_then(|id| self.conversations.get(id)).cloned();
        let (ended, rest) = self.release(&event, subject, &who);
        // The descriptor is gone even where close(2) fails, or its thread ends inside it.
        if event.call.row.role == Role::Close
            && (event.call.outcome.value().is_some() || ended.is_some())
        {
            learned.meaning = match ended {
                Some(farewell) => Some(Meaning::Farewell(farewell)),
                None if rest.len() > 1 => Some(Meaning::SeveralEnded(rest.len())),
                None => conversation.as_ref().map(|it| match it.passed {
                    Some(passer) if passer == event.pid => Meaning::HandedOn,
                    _ => Meaning::OpenElsewhere,
                }),
            };
        }
        if self.tells_of(Sysno::close) {
            after.extend(rest);
        }
        let chosen = selected(&self.options, &event);
        if chosen {
            let importance = match event.call.outcome {
                Outcome::Error(_) if errno::is_normal(&event.call) => Importance::Expected,
                Outcome::Error(_) => Importance::Error,
                _ => Importance::Ordinary,
            };
            let start = event.start;
            self.calls += 1;
            let said_nothing = words.messages.is_empty();
            let closed = said_nothing && self.stays_closed(&event, conversation.as_deref());
            let closed = closed.then_some(Meaning::StaysClosed);
            let mut told = Told {
                stage: stage(&event),
                meaning: learned.meaning.or_else(|| unhappy(&event)).or(closed),
                took: learned.took,
                after: words
                    .after
                    .filter(|after| *after >= ANSWER)
                    .or(learned.after),
                messages: words.messages,
                more: words.more,
                secret: words.secret,
                call: Some(self.calls),
                folds: self.options.folds(&event)
                    || self.is_ciphertext(&event, subject, said_nothing),
                importance,
                conversation,
                ..Told::new(What::Call(event), Some(who), start)
            };
            if let Some(timeout) = timeout {
                timeout.say(&mut told);
            }
            said.push(told);
        }
        said.extend(after);
    }

    pub(super) fn waits(&mut self, mut event: Box<CallEvent>, said: &mut Vec<Told>) {
        let subject = Self::subject(&event);
        self.meet(&event, subject);
        self.hear(&mut event, subject);
        if let Some(conversation) = subject.and_then(|id| self.conversations.get_mut(id)) {
            conversation.expect(&event);
        }
        let waits = awaited(event.call.row.role, bytes::direction(&event));
        let who = self.processes.who(event.pid, event.tid);
        let told = Told {
            conversation: subject.and_then(|id| self.conversations.get(id)).cloned(),
            stage: stage(&event),
            meaning: Some(Meaning::WaitsFor(waits)),
            folds: self.options.folds(&event),
            ..Told::new(What::Waiting(event.clone()), Some(who), event.start)
        };
        said.extend(Some(told).filter(|_| selected(&self.options, &event)));
        self.waiting.insert(event.tid, (event, 0));
    }

    /// The socket that a call is about.
    pub(super) fn subject(event: &CallEvent) -> Option<SocketId> {
        let call = &event.call;
        let sockets = || {
            event
                .descriptors
                .iter()
                .filter_map(|(_, descriptor)| match descriptor {
                    Descriptor::Socket(socket) => Some(socket.id),
                    Descriptor::File(_) => None,
                })
        };
        let made = call
            .outcome
            .value()
            .and_then(|value| i32::try_from(value).ok());
        match (call.row.role, made) {
            (Role::Create, Some(fd)) => bytes::socket_at(event, fd).or_else(|| sockets().next()),
            (Role::Accept, Some(fd)) => bytes::socket_at(event, fd),
            (Role::Poll, _) => {
                let mut sockets = sockets();
                let first = sockets.next();
                first.filter(|first| sockets.all(|other| other == *first))
            }
            _ => call
                .descriptor()
                .and_then(|fd| bytes::socket_at(event, fd))
                .or_else(|| bytes::socket_behind(event, "fd_in")),
        }
    }

    /// Meets the sockets of a call, the one that it is about first.
    fn meet(&mut self, event: &CallEvent, subject: Option<SocketId>) {
        let made = matches!(event.call.row.role, Role::Create | Role::Accept)
            && event.call.outcome.value().is_some();
        let listener = event.call.descriptor();
        // A listener comes before whom it lets in.
        for (news, subjects) in [(false, true), (false, false), (true, true), (true, false)] {
            if news && !made {
                break;
            }
            for (fd, descriptor) in &event.descriptors {
                let Descriptor::Socket(socket) = *descriptor else {
                    continue;
                };
                let new = made && (event.call.row.role == Role::Create || Some(*fd) != listener);
                let is_subject = Some(socket.id) == subject;
                if (new, is_subject) != (news, subjects) {
                    continue;
                }
                if new {
                    self.replace(socket.id);
                    self.talks.end(socket.id);
                }
                let open =
                    new && self.options.sets_apart() && may_be_apart(&socket, event.call.row.role);
                self.conversations.meet(socket, event.start, new, open);
                if (new || is_subject)
                    && let Some(conversation) = self.conversations.get_mut(socket.id)
                {
                    conversation.silence.note(event);
                    conversation.used_by(event.pid);
                }
            }
        }
        self.pass_on(event, subject);
    }

    /// Notes the sockets that a message takes to another process.
    fn pass_on(&mut self, event: &CallEvent, subject: Option<SocketId>) {
        let sends = event.call.row.role == Role::Send && event.call.outcome.value().is_some();
        if !sends || event.descriptors.len() < 2 {
            return;
        }
        for (_, descriptor) in &event.descriptors {
            if let Descriptor::Socket(socket) = descriptor
                && Some(socket.id) != subject
                && event.call.row.number != Sysno::splice
                && let Some(conversation) = self.conversations.open_mut(socket.id)
            {
                (conversation.passed, conversation.arrived) = (Some(event.pid), false);
            }
        }
    }

    /// Has what a call moved understood.
    fn hear(&mut self, event: &mut CallEvent, subject: Option<SocketId>) -> Words {
        match subject.and_then(|id| self.conversations.open_mut(id)) {
            Some(conversation) => self.talks.hear(conversation, event, self.options.hearing),
            None => Words::default(),
        }
    }

    /// Follows the race that a connection may be part of: where one is there, its rivals are known.
    fn race(&mut self, event: &CallEvent, subject: Option<SocketId>, learned: &Learned) {
        let (role, outcome) = (event.call.row.role, event.call.outcome);
        if role != Role::Connect && learned.handshake.is_none() {
            return;
        }
        let Some(id) = subject else {
            return;
        };
        let Some(conversation) = self
            .conversations
            .get_mut(id)
            .filter(|it| !it.is_datagram())
        else {
            return;
        };
        let errno = match (&learned.handshake, outcome) {
            (Some((_, errno)), _) => *errno,
            (None, Outcome::Error(errno)) => Some(errno),
            (None, _) => None,
        };
        // That it is connected already tells of a try that began before.
        let begins = role == Role::Connect && outcome.errno() != Some(libc::EISCONN);
        if let (true, Some(name), Some(peer)) = (begins, &conversation.name, &conversation.peer) {
            self.races
                .begins(event.pid, &name.text, id, peer, event.start);
        }
        self.race_ends(event.pid, id, errno, event.end);
    }

    /// A try has succeeded, or failed, by then, or goes on.
    pub(super) fn race_ends(&mut self, pid: i32, id: SocketId, errno: Option<i32>, now: Nanos) {
        let Some(conversation) = self.conversations.get_mut(id) else {
            return;
        };
        let number = conversation.number;
        if errno.is_none() && conversation.link == Link::Connected {
            conversation.connected.get_or_insert(now);
        }
        let Some(name) = conversation.name.as_ref().map(|it| it.text.clone()) else {
            return;
        };
        match errno {
            Some(errno) if conversation.link == Link::Failed => {
                self.races.fails(pid, &name, id, errno)
            }
            None if conversation.link == Link::Connected => {
                let (rivals, open) = self.races.wins(pid, &name, id);
                conversation.rivals = rivals;
                for other in open {
                    if let Some(other) = self.conversations.get_mut(other) {
                        other.lost_to = Some(number);
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes in what the kernel said of the call's socket.
    fn take_facts(&mut self, event: &CallEvent, subject: Option<SocketId>) {
        if let Some(facts) = &event.kernel
            && let Some(conversation) = subject.and_then(|id| self.conversations.get_mut(id))
        {
            conversation.take_facts(facts);
        }
    }

    /// Once it is connected, looks for the other end.
    fn look_for_other_end(
        &mut self,
        event: &CallEvent,
        subject: Option<SocketId>,
        learned: &Learned,
    ) {
        let news = match event.call.row.role {
            Role::Connect | Role::Accept => true,
            Role::Setup => event.call.row.number == Sysno::getsockname,
            _ => learned.handshake.is_some() || event.kernel.is_some(),
        };
        if let (Some(id), true) = (subject, news) {
            let other = event.kernel.as_ref().and_then(|it| it.other);
            self.meet_other_end(id, other);
        }
    }

    /// Notes by what name the program came to its peer.
    fn name_peer(&mut self, event: &CallEvent, subject: Option<SocketId>, words: &Words) {
        let said = words
            .messages
            .iter()
            .find_map(|message| match &message.detail {
                // An address is no name.
                Detail::Name(name, source) if name.parse::<IpAddr>().is_err() => {
                    Some((name, *source))
                }
                _ => None,
            });
        if event.call.row.role != Role::Connect && said.is_none() {
            return;
        }
        let Some(conversation) = subject.and_then(|id| self.conversations.get_mut(id)) else {
            return;
        };
        let mut process = Some(event.pid);
        while let (Some(pid), Some(peer), None) = (process, &conversation.peer, &conversation.name)
        {
            conversation.name = self.names.find(pid, peer).cloned();
            process = self.processes.parent(pid).filter(|parent| *parent != pid);
        }
        let host = event.kernel.as_ref().and_then(|it| it.host.as_deref());
        if let (Some(host), None) = (host, &conversation.name) {
            conversation.name = Some(Name {
                text: host.into(),
                source: Source::Hosts,
            });
        }
        // A server is called by that name, which tells nothing of who calls.
        if let (Some((name, source)), None, true) = (
            said,
            &conversation.name,
            conversation.part != Part::Accepted,
        ) {
            let text = name.as_str().into();
            conversation.name = Some(Name { text, source });
        }
    }

    fn learn(&mut self, event: &CallEvent, subject: Option<SocketId>) -> Learned {
        let Some(id) = subject else {
            return Learned::default();
        };
        let made = event.call.outcome.value().is_some();
        match event.call.row.role {
            Role::Create if made => Learned {
                meaning: self.created(event, id),
                ..Learned::default()
            },
            Role::Accept if made => {
                let listener = event
                    .call
                    .descriptor()
                    .and_then(|fd| bytes::socket_at(event, fd))
                    .filter(|it| *it != id);
                let mut number = None;
                let listener = listener.and_then(|it| {
                    let listener = self.conversations.get_mut(it)?;
                    number = Some(listener.number);
                    listener.part = match listener.part {
                        Part::Listener(count) => Part::Listener(count + 1),
                        _ => Part::Listener(1),
                    };
                    listener.local.clone()
                });
                let meaning = self.conversations.get_mut(id).map(|it| {
                    it.listener = number;
                    it.accepted_at(listener, event)
                });
                Learned {
                    meaning,
                    ..Learned::default()
                }
            }
            _ => {
                let Some(conversation) = self.conversations.get_mut(id) else {
                    return Learned::default();
                };
                let ready = match conversation.link {
                    Link::Connecting { since, .. } => self.processes.ready_since(event.pid, since),
                    _ => false,
                };
                conversation.learn(event, ready)
            }
        }
    }

    /// Notes the beginning of what socket(2) or socketpair(2) made.
    fn created(&mut self, event: &CallEvent, subject: SocketId) -> Option<Meaning> {
        let (mut numbers, mut ids) = (Vec::new(), Vec::new());
        let pair = event.call.row.number == Sysno::socketpair;
        for (_, descriptor) in &event.descriptors {
            let Descriptor::Socket(socket) = descriptor else {
                continue;
            };
            if let Some(conversation) = self.conversations.get_mut(socket.id)
                && (pair || socket.id == subject)
            {
                conversation.born = Some(event.start);
                conversation.maker = Some(event.pid);
                ids.push(socket.id);
                if pair {
                    (conversation.part, conversation.link) = (Part::Pair, Link::Connected);
                }
                numbers.push(conversation.number);
            }
        }
        if let [one, other] = ids[..] {
            for (end, far) in [(one, other), (other, one)] {
                if let Some(conversation) = self.conversations.get_mut(end) {
                    conversation.other = Some(far);
                }
            }
        }
        match numbers[..] {
            [one, other] if pair => Some(Meaning::Joined(one, other)),
            _ => None,
        }
    }

    /// Takes leave of the sockets that a call released: what to say of its own, and a line for each of the others.
    fn release(
        &mut self,
        event: &CallEvent,
        subject: Option<SocketId>,
        who: &Who,
    ) -> (Option<Farewell>, Vec<Told>) {
        let (mut own, mut others) = (None, Vec::new());
        let closes = event.call.row.role == Role::Close && event.call.row.number == Sysno::close;
        for id in &event.released {
            if closes && Some(*id) == subject {
                if let Some((conversation, farewell)) = self.conversations.remove(*id, event.end) {
                    self.ends.forget(&conversation);
                    own = Some(farewell);
                }
                self.talks.end(*id);
                self.boundary.forget_socket(*id);
            } else {
                others.extend(self.lose(*id, Ending::Call(event.call.name()), event.end, who));
            }
        }
        (own, others)
    }
}
