//! What conversations say: has each call's data understood, pairs answers with their requests, and masks secrets.

use std::collections::VecDeque;
use std::mem;

use rustc_hash::FxHashMap;

use super::bytes::{self, Direction};
use super::{Conversation, Part};
use crate::protocol::{Carrier, Kind, LOOKED_AT, Message, Said, Side, Talk, Way, mask};
use crate::syscall::{Data, Outcome, Snapshot};
use crate::tracer::event::{CallEvent, Nanos, SocketId};

/// How many requests of one conversation may wait for their answers.
const WAITING: usize = 256;

/// How many TLS sessions are listened to at a time.
const SESSIONS: usize = 4096;

/// The talks of all open conversations.
#[derive(Debug, Default)]
pub struct Talks {
    talks: FxHashMap<SocketId, Heard>,
    /// Those inside TLS sessions, by process and session.
    sessions: FxHashMap<(i32, u64), Heard>,
    /// What was said in the next call.
    recalled: Words,
}

/// One conversation's.
#[derive(Debug)]
struct Heard {
    talk: Talk,
    waiting: VecDeque<Waiting>,
    /// What a blocked send offers, which was shown while it waited: the thread, and what was said.
    early: Option<(i32, Said)>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Waiting {
    key: u64,
    since: Nanos,
}

/// What one call said.
#[derive(Debug, Default)]
pub struct Words {
    /// Its messages.
    pub messages: Vec<Message>,
    /// How many more there were.
    pub more: u64,
    /// Whether a secret was among what was said.
    pub secret: bool,
    /// How long after its request the last answer among them came.
    pub after: Option<Nanos>,
}

/// How talks are listened to.
#[derive(Clone, Copy, Debug)]
pub struct Hearing {
    /// How many bytes of one call are looked at.
    pub looks_at: usize,
    /// Whether secrets stay as they are.
    pub shows_secrets: bool,
    /// Whether what was said is known already ([`super::Story::recall`]): data is not looked at then.
    pub recalls: bool,
}

impl Default for Hearing {
    fn default() -> Self {
        Self {
            looks_at: LOOKED_AT,
            shows_secrets: false,
            recalls: false,
        }
    }
}

impl Talks {
    /// Takes what a call moved, notes what that tells of the conversation, and masks the secrets in it.
    pub fn hear(
        &mut self,
        conversation: &mut Conversation,
        event: &mut CallEvent,
        hearing: Hearing,
    ) -> Words {
        let recalled = mem::take(&mut self.recalled);
        let (Some(direction), moved) = (bytes::direction(event), bytes::moved(event)) else {
            return Words::default();
        };
        if hearing.recalls {
            return self.recall(conversation, event, recalled);
        }
        let early = match self.talks.get_mut(&conversation.socket.id) {
            Some(Heard { early, .. }) if early.as_ref().is_some_and(|it| it.0 == event.tid) => {
                early.take()
            }
            _ => None,
        };
        if let Some((_, said)) = early {
            return self.heard_early(conversation, event, said);
        }
        let waits = event.call.outcome == Outcome::Unfinished;
        let moved = match waits {
            true => event.call.payload().iter().map(|data| data.len).sum(),
            false => moved,
        };
        if moved == 0 || (waits && direction == Direction::In) {
            return Words::default();
        }
        let id = conversation.socket.id;
        let heard = match self.talks.get_mut(&id) {
            Some(heard) => heard,
            None => {
                let Some(carrier) = carrier(conversation) else {
                    return Words::default();
                };
                let heard = Heard::new(carrier, side(conversation));
                self.talks.entry(id).or_insert(heard)
            }
        };
        if heard.talk.is_unknown() {
            return Words::default();
        }
        let said = heard.listen(direction, &event.call.payload(), moved, hearing);
        conversation.layers = heard.talk.layers();
        for name in conversation.clear.names() {
            conversation.layers.add(name);
        }
        let after = heard.pair(&said.messages, event.end);
        hide(event, &said);
        if waits {
            heard.early = Some((event.tid, said));
            return Words::default();
        }
        Words {
            secret: said.has_secret(),
            messages: said.messages,
            more: said.more,
            after,
        }
    }

    /// What was said in the next call, where that is known.
    pub fn remember(&mut self, messages: Vec<Message>, more: u64) {
        self.recalled = Words {
            messages,
            more,
            ..Words::default()
        };
    }

    /// Takes what is known to have been said in a call.
    fn recall(
        &mut self,
        conversation: &mut Conversation,
        event: &CallEvent,
        mut words: Words,
    ) -> Words {
        if words.messages.is_empty() {
            return words;
        }
        for message in &words.messages {
            conversation.layers.add(message.protocol);
        }
        let heard = self
            .talks
            .entry(conversation.socket.id)
            .or_insert_with(|| Heard::new(Carrier::Stream, None));
        words.after = heard.pair(&words.messages, event.end);
        words
    }

    /// A send that has blocked is over: what was said of it then is told now.
    fn heard_early(
        &mut self,
        conversation: &Conversation,
        event: &mut CallEvent,
        said: Said,
    ) -> Words {
        hide(event, &said);
        let moved = bytes::moved(event);
        let offered: u64 = event.call.payload().iter().map(|data| data.len).sum();
        let heard = self.talks.get_mut(&conversation.socket.id);
        if let Some(heard) = heard
            && moved < offered
        {
            heard.talk.lose(Way::Out);
        }
        match moved {
            0 => Words::default(),
            _ => Words {
                secret: said.has_secret(),
                messages: said.messages,
                more: said.more,
                after: None,
            },
        }
    }

    /// Takes clear text that went into a TLS session or came out of it, by a function that is `captured` too, and masks the secrets in
    /// both.
    pub fn hear_clear(
        &mut self,
        session: (i32, u64),
        conversation: Option<&mut Conversation>,
        (way, data): (Direction, &mut Data),
        captured: &mut Snapshot,
        now: Nanos,
        hearing: Hearing,
    ) -> Words {
        let recalled = mem::take(&mut self.recalled);
        if self.sessions.len() >= SESSIONS && !self.sessions.contains_key(&session) {
            return Words::default();
        }
        let side = conversation.as_deref().and_then(side);
        let heard = self
            .sessions
            .entry(session)
            .or_insert_with(|| Heard::new(Carrier::Stream, side));
        if hearing.recalls {
            let mut words = recalled;
            if let Some(conversation) = conversation {
                for message in &words.messages {
                    conversation.clear.add(message.protocol);
                    conversation.layers.add(message.protocol);
                }
            }
            words.after = heard.pair(&words.messages, now);
            return words;
        }
        if heard.talk.is_unknown() {
            return Words::default();
        }
        let said = heard.listen(way, &[data], data.len, hearing);
        if let Some(conversation) = conversation {
            for name in heard.talk.layers().names() {
                conversation.clear.add(name);
                conversation.layers.add(name);
            }
        }
        let after = heard.pair(&said.messages, now);
        if let Some(plain) = hide_in(data, 0, &said) {
            captured.replace(&plain, &data.bytes);
        }
        Words {
            secret: false,
            messages: said.messages,
            more: said.more,
            after,
        }
    }

    /// A TLS session is over.
    pub fn end_session(&mut self, session: (i32, u64)) {
        self.sessions.remove(&session);
    }

    /// All of a process's are over.
    pub fn end_sessions(&mut self, pid: i32) {
        self.sessions.retain(|(of, _), _| *of != pid);
    }

    /// A conversation is over.
    pub fn end(&mut self, id: SocketId) {
        self.talks.remove(&id);
    }
}

impl Heard {
    /// One of which nothing was heard yet.
    fn new(carrier: Carrier, side: Option<Side>) -> Self {
        Self {
            talk: Talk::new(carrier, side),
            waiting: VecDeque::new(),
            early: None,
        }
    }

    /// What those bytes say.
    fn listen(&mut self, way: Direction, data: &[&Data], moved: u64, hearing: Hearing) -> Said {
        let way = match way {
            Direction::Out => Way::Out,
            Direction::In => Way::In,
        };
        let mut said = Said::new(hearing.shows_secrets);
        self.talk
            .take(way, data, moved, hearing.looks_at, &mut said);
        said
    }

    /// Notes requests, and finds those that are answered: how long the last of them waited.
    fn pair(&mut self, messages: &[Message], now: Nanos) -> Option<Nanos> {
        let mut after = None;
        for message in messages {
            match message.kind {
                Kind::Request(key) if self.waiting.len() < WAITING => {
                    self.waiting.push_back(Waiting { key, since: now });
                }
                Kind::Answer(key) => {
                    let at = self.waiting.iter().position(|it| it.key == key);
                    let request = at.and_then(|at| self.waiting.remove(at));
                    after = request.map(|it| now.saturating_sub(it.since)).or(after);
                }
                _ => {}
            }
        }
        after
    }
}

/// Whose role the program has in a conversation, as far as its calls tell.
fn side(conversation: &Conversation) -> Option<Side> {
    match conversation.part {
        Part::Connector => Some(Side::Client),
        Part::Accepted => Some(Side::Server),
        _ => None,
    }
}

/// What carries the conversation's bytes; nothing where no protocol is looked for.
fn carrier(conversation: &Conversation) -> Option<Carrier> {
    let (family, kind, protocol) = conversation.socket.kind?;
    match (family, kind) {
        (libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX, libc::SOCK_STREAM) => {
            Some(Carrier::Stream)
        }
        (libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX, libc::SOCK_DGRAM) => {
            Some(Carrier::Datagram)
        }
        (libc::AF_NETLINK, _) if protocol == libc::NETLINK_ROUTE => Some(Carrier::Netlink),
        _ => None,
    }
}

/// Masks secrets wherever the event holds them.
fn hide(event: &mut CallEvent, said: &Said) {
    if said.secrets.is_empty() {
        return;
    }
    let mut at = 0;
    let captured = &mut event.captured;
    event.call.change_payload(&mut |data| {
        let end = at + data.bytes.len();
        if let (Some(plain), Some(captured)) = (hide_in(data, at, said), captured.as_deref_mut()) {
            captured.before.replace(&plain, &data.bytes);
            captured.memory.replace(&plain, &data.bytes);
        }
        at = end;
    });
}

/// Masks what of the secrets lies in a piece of data that stands at `at`; gives what that was before, where there was any.
fn hide_in(data: &mut Data, at: usize, said: &Said) -> Option<Vec<u8>> {
    let end = at + data.bytes.len();
    let any = said.secrets.iter().any(|it| it.start < end && it.end > at);
    any.then(|| {
        let plain = data.bytes.clone();
        for secret in &said.secrets {
            mask(&mut data.bytes, at, secret);
        }
        plain
    })
}
