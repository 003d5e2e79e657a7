//! The open conversations, and the few that closed last.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Conversation;
use super::apart::{Standing, is_inet_stream};
use super::meaning::Farewell;
use crate::tracer::event::{Nanos, Socket, SocketId};

/// How many closed conversations are kept for calls that began before the close and are reported after it.
const LATE: usize = 256;

/// Every conversation that is open, numbered in order of first sight. What was told of one keeps it as it was then.
#[derive(Debug, Default)]
pub struct Conversations {
    open: FxHashMap<SocketId, Rc<Conversation>>,
    /// The latest that closed. A call in another thread may end after the close that it overlapped.
    closed: VecDeque<Closed>,
    /// How many there were.
    seen: u64,
    /// How many of the program's own have a number, and how many of those apart.
    count: i64,
    apart: i64,
    /// Numbers of streams that turned out to be apart, while later ones are in use.
    free: BTreeSet<i64>,
}

#[derive(Debug)]
struct Closed {
    id: SocketId,
    when: Nanos,
    conversation: Rc<Conversation>,
}

impl Conversations {
    /// Meets a socket in a call that began at `start`; `new` if this call has made it, `open` if it is not decided whose it is. A stream
    /// has its number all the same, since most are the program's own.
    pub fn meet(&mut self, socket: Socket, start: Nanos, new: bool, open: bool) {
        if let Some(known) = self.open.get_mut(&socket.id)
            && !new
        {
            if known.socket.kind.is_none() && socket.kind.is_some() {
                Rc::make_mut(known).socket.kind = socket.kind;
            }
            return;
        }
        if !new && let Some(at) = self.closed.iter().position(|it| it.id == socket.id) {
            // It was on its way to another process (SCM_RIGHTS) when nobody had it: it lives on.
            if self.closed[at].when < start
                && let Some(Closed { conversation, .. }) = self.closed.remove(at)
            {
                self.open.insert(socket.id, conversation);
            }
            return;
        }
        self.closed.retain(|it| it.id != socket.id);
        self.seen += 1;
        let mut conversation = Conversation::new(self.seen, socket);
        if open && is_inet_stream(&conversation) {
            self.count += 1;
            conversation.number = self.count;
        }
        self.open.insert(socket.id, Rc::new(conversation));
        if !open {
            self.settle(socket.id, Standing::Own);
        }
    }

    /// It is decided whose a socket is: it gets its number.
    pub fn settle(&mut self, id: SocketId, standing: Standing) {
        let (count, apart) = (self.count, self.apart);
        let Some(conversation) = self.get_mut(id).filter(|it| it.standing != standing) else {
            return;
        };
        conversation.standing = standing;
        let given = conversation.number;
        match standing {
            Standing::Own if given > 0 => {}
            Standing::Own => {
                let (number, far) = (count + 1, conversation.far_end);
                conversation.number = number;
                self.count = number;
                if let Some(far) = far.and_then(|far| self.get_mut(far)) {
                    far.far = Some(number);
                }
            }
            Standing::Apart => {
                conversation.number = -apart - 1;
                self.apart += 1;
                // The latest numbers are given anew; behind an earlier one others have theirs.
                self.free.extend((given > 0).then_some(given));
                while self.free.remove(&self.count) {
                    self.count -= 1;
                }
            }
            Standing::Open => {}
        }
    }

    /// The conversation of a socket, one that closed just now included.
    pub fn get(&self, id: SocketId) -> Option<&Rc<Conversation>> {
        let closed = || {
            let found = self.closed.iter().find(|it| it.id == id);
            found.map(|it| &it.conversation)
        };
        self.open.get(&id).or_else(closed)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: SocketId) -> Option<&mut Conversation> {
        let found = match self.open.get_mut(&id) {
            None => {
                let closed = self.closed.iter_mut().find(|it| it.id == id);
                closed.map(|it| &mut it.conversation)
            }
            found => found,
        };
        found.map(Rc::make_mut)
    }

    /// The conversation of a socket, to change it, if it is open.
    pub fn open_mut(&mut self, id: SocketId) -> Option<&mut Conversation> {
        self.open.get_mut(&id).map(Rc::make_mut)
    }

    /// Takes leave of an open one.
    pub fn remove(&mut self, id: SocketId, now: Nanos) -> Option<(Rc<Conversation>, Farewell)> {
        let mut conversation = self.open.remove(&id)?;
        let farewell = Rc::make_mut(&mut conversation).farewell(now, false);
        if self.closed.len() == LATE {
            self.closed.pop_front();
        }
        self.closed.push_back(Closed {
            id,
            when: now,
            conversation: Rc::clone(&conversation),
        });
        Some((conversation, farewell))
    }

    /// The open ones, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Rc<Conversation>> {
        self.open.values_mut()
    }

    /// Takes all open ones out, by number.
    pub fn drain(&mut self) -> Vec<Rc<Conversation>> {
        let mut all: Vec<_> = self
            .open
            .drain()
            .map(|(_, conversation)| conversation)
            .collect();
        all.sort_unstable_by_key(|conversation| conversation.seen);
        all
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }
}
