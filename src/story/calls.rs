//! Calls: which conversation and stage each belongs to, what it teaches, and what to say of it.

use super::apart::may_be_apart;
use super::conversation::{ANSWER, Learned, Link, Part, awaited, interrupted};
use super::patience::may_time_out;
use super::talks::Words;
use super::{
    Conversation, Ending, Farewell, Importance, Meaning, Name, Options, Stage, Story, Told, What,
    Who, bytes,
};
use std::net::IpAddr;
use std::rc::Rc;

use syscalls::Sysno;

use crate::protocol::Detail;
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
        let call = &event.call;
        let timeout = self.timeout(&event, subject);
        self.take_facts(&event, subject);
        let mut learned = self.learn(&event, subject);
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
            let follows = call.row.role == Role::Setup || errno.is_some();
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
                None => conversation.as_ref().map(|_| Meaning::OpenElsewhere),
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
            let mut told = Told {
                stage: stage(&event),
                meaning: learned.meaning.or_else(|| unhappy(&event)),
                took: learned.took,
                after: words
                    .after
                    .filter(|after| *after >= ANSWER)
                    .or(learned.after),
                messages: words.messages,
                more: words.more,
                secret: words.secret,
                call: Some(self.calls),
                folds: self.options.folds(&event),
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
                }
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
        let number = conversation.number;
        if errno.is_none() && conversation.link == Link::Connected {
            conversation.connected.get_or_insert(event.end);
        }
        let (Some(name), Some(peer)) = (&conversation.name, &conversation.peer) else {
            return;
        };
        let (pid, name) = (event.pid, name.text.clone());
        if role == Role::Connect && learned.handshake.is_none() {
            self.races.begins(pid, &name, id, peer, event.start);
        }
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
                let listener = listener.and_then(|it| {
                    let listener = self.conversations.get_mut(it)?;
                    listener.part = match listener.part {
                        Part::Listener(count) => Part::Listener(count + 1),
                        _ => Part::Listener(1),
                    };
                    listener.local.clone()
                });
                let meaning = self
                    .conversations
                    .get_mut(id)
                    .map(|it| it.accepted_at(listener, event));
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
                own = self
                    .conversations
                    .remove(*id, event.end)
                    .map(|farewell| farewell.1);
                self.talks.end(*id);
            } else {
                others.extend(self.lose(*id, Ending::Call(event.call.name()), event.end, who));
            }
        }
        (own, others)
    }
}

impl Options {
    /// Whether sockets that nobody asked about are set apart.
    pub(super) fn sets_apart(&self) -> bool {
        !(self.verbose || self.every_step || self.shows_folded || self.shown.is_some())
    }

    /// Whether a call's arguments are needed: what is only counted needs none, unless they teach something.
    pub fn need_arguments(&self, event: &CallEvent) -> bool {
        let call = &event.call;
        let teaches_nothing = match (call.row.role, call.outcome) {
            (Role::Poll, Outcome::Value(_)) => call.row.number != Sysno::epoll_ctl,
            (Role::Receive | Role::Accept, Outcome::Error(libc::EAGAIN)) => true,
            _ => false,
        };
        self.shows_folded || !teaches_nothing || may_time_out(event) || !self.folds(event)
    }

    /// Whether a call is only counted: set-up and polling that went well, and asking for what hasn't come yet.
    pub(super) fn folds(&self, event: &CallEvent) -> bool {
        let call = &event.call;
        if self.verbose || self.named.contains(call.row.number.id() as u64) {
            return false;
        }
        match (call.row.role, call.outcome) {
            // A question that is answered by an error, a poll that a signal ends.
            (Role::Setup | Role::Poll | Role::Duplicate, Outcome::Error(_)) => {
                errno::is_normal(call)
            }
            (Role::Setup | Role::Poll | Role::Duplicate, _) => true,
            (Role::Receive | Role::Accept, Outcome::Error(errno)) => errno == libc::EAGAIN,
            _ => false,
        }
    }
}

/// Whether the options let a call be told of.
pub(super) fn selected(options: &Options, event: &CallEvent) -> bool {
    let number = event.call.row.number.id() as u64;
    let shown = options
        .shown
        .as_ref()
        .is_none_or(|shown| shown.contains(number));
    shown && (event.call.row.role != Role::Engine || options.named.contains(number))
}

/// The stage of its conversation that a call belongs to; none for what is no socket.
pub(super) fn stage(event: &CallEvent) -> Option<Stage> {
    let file = |fd| {
        event
            .descriptors
            .iter()
            .any(|(at, what)| *at == fd && matches!(what, Descriptor::File(_)))
    };
    if event.call.row.number != Sysno::splice && event.call.descriptor().is_some_and(file) {
        return None;
    }
    if let Some(direction) = bytes::direction(event) {
        return Some(if direction == bytes::Direction::Out {
            Stage::Send
        } else {
            Stage::Receive
        });
    }
    Some(match event.call.row.role {
        Role::Create => Stage::Create,
        Role::Bind => Stage::Bind,
        Role::Listen => Stage::Listen,
        Role::Accept => Stage::Accept,
        Role::Connect => Stage::Connect,
        Role::Send => Stage::Send,
        Role::Receive => Stage::Receive,
        Role::Shutdown | Role::Close => Stage::Close,
        _ => return None,
    })
}

/// What there is to say of a call that did not go well.
fn unhappy(event: &CallEvent) -> Option<Meaning> {
    match event.call.outcome {
        Outcome::Value(_) => None,
        Outcome::Error(errno) if interrupted(errno) => Some(Meaning::Interrupted),
        Outcome::Error(_) => {
            let words = errno::reason(&event.call);
            (!words.is_empty()).then_some(Meaning::Trouble(words))
        }
        Outcome::Unfinished => Some(Meaning::GivenUp),
    }
}

/// The end of a handshake that connect(2) had left to the kernel.
fn handshake(
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
