//! The open conversations, and the few that closed last.

use std::collections::{HashMap, VecDeque};

use super::Conversation;
use super::meaning::Farewell;
use crate::tracer::event::{Nanos, Socket, SocketId};

/// How many closed conversations are kept for calls that began before the close and are reported after it.
const LATE: usize = 256;

/// Every conversation that is open, numbered in order of first sight.
#[derive(Debug, Default)]
pub struct Conversations {
    open: HashMap<SocketId, Conversation>,
    /// The latest that closed, with when they did. A call in another thread may end after the close that it overlapped.
    closed: VecDeque<(Nanos, Conversation)>,
    count: u64,
}

impl Conversations {
    /// Meets a socket in a call that began at `start`; `new` if this call has made it.
    pub fn meet(&mut self, socket: Socket, start: Nanos, new: bool) {
        if let Some(known) = self.open.get_mut(&socket.id)
            && !new
        {
            if known.socket.kind.is_none() {
                known.socket.kind = socket.kind;
            }
            return;
        }
        if !new
            && let Some(at) = self
                .closed
                .iter()
                .position(|(_, conversation)| conversation.socket.id == socket.id)
        {
            // It was on its way to another process (SCM_RIGHTS) when nobody had it: it lives on.
            if self.closed[at].0 < start
                && let Some((_, conversation)) = self.closed.remove(at)
            {
                self.open.insert(socket.id, conversation);
            }
            return;
        }
        self.count += 1;
        self.closed
            .retain(|(_, conversation)| conversation.socket.id != socket.id);
        self.open
            .insert(socket.id, Conversation::new(self.count, socket));
    }

    /// The conversation of a socket, one that closed just now included.
    pub fn get(&self, id: SocketId) -> Option<&Conversation> {
        let closed = || {
            self.closed
                .iter()
                .map(|(_, conversation)| conversation)
                .find(|it| it.socket.id == id)
        };
        self.open.get(&id).or_else(closed)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: SocketId) -> Option<&mut Conversation> {
        match self.open.get_mut(&id) {
            None => self
                .closed
                .iter_mut()
                .map(|(_, conversation)| conversation)
                .find(|it| it.socket.id == id),
            found => found,
        }
    }

    /// Takes leave of an open one.
    pub fn remove(&mut self, id: SocketId, now: Nanos) -> Option<(Conversation, Farewell)> {
        let mut conversation = self.open.remove(&id)?;
        let farewell = conversation.farewell(now, false);
        if self.closed.len() == LATE {
            self.closed.pop_front();
        }
        self.closed.push_back((now, conversation.clone()));
        Some((conversation, farewell))
    }

    /// The open ones, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conversation> {
        self.open.values_mut()
    }

    /// Takes all open ones out, by number.
    pub fn drain(&mut self) -> Vec<Conversation> {
        let mut all: Vec<_> = self
            .open
            .drain()
            .map(|(_, conversation)| conversation)
            .collect();
        all.sort_unstable_by_key(|conversation| conversation.number);
        all
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }
}
