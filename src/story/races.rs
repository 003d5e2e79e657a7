//! Races for a connection (happy eyeballs, RFC 8305): tries of several addresses of one name at the same time, of which one wins.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::conversation::Rival;
use crate::syscall::SockAddr;
use crate::tracer::event::{Nanos, SocketId};

/// For how long a try belongs to the same race: 10 s.
const RACE: Nanos = 10_000_000_000;
/// How many names and how many tries of each are remembered.
const NAMES: usize = 1024;
const TRIES: usize = 16;

/// The tries that have not been decided, by process and name.
#[derive(Debug, Default)]
pub struct Races {
    races: FxHashMap<(i32, Rc<str>), Vec<Try>>,
}

#[derive(Debug)]
struct Try {
    socket: SocketId,
    peer: SockAddr,
    since: Nanos,
    errno: Option<i32>,
}

impl Races {
    /// A process begins to connect a socket to an address of that name.
    pub fn begins(
        &mut self,
        pid: i32,
        name: &Rc<str>,
        socket: SocketId,
        peer: &SockAddr,
        now: Nanos,
    ) {
        let key = (pid, Rc::clone(name));
        if self.races.len() >= NAMES && !self.races.contains_key(&key) {
            return;
        }
        let tries = self.races.entry(key).or_default();
        tries.retain(|it| now.saturating_sub(it.since) < RACE && it.socket != socket);
        if tries.len() < TRIES {
            tries.push(Try {
                socket,
                peer: peer.clone(),
                since: now,
                errno: None,
            });
        }
    }

    /// One of the tries has failed.
    pub fn fails(&mut self, pid: i32, name: &Rc<str>, socket: SocketId, errno: i32) {
        let tries = self.races.get_mut(&(pid, Rc::clone(name)));
        if let Some(it) = tries.into_iter().flatten().find(|it| it.socket == socket) {
            it.errno = Some(errno);
        }
    }

    /// One of them has won: the others, and which of their sockets are still connecting.
    pub fn wins(
        &mut self,
        pid: i32,
        name: &Rc<str>,
        socket: SocketId,
    ) -> (Vec<Rival>, Vec<SocketId>) {
        let tries = self
            .races
            .remove(&(pid, Rc::clone(name)))
            .unwrap_or_default();
        let own = tries
            .iter()
            .find(|it| it.socket == socket)
            .map(|it| it.since);
        let Some(own) = own else {
            return (Vec::new(), Vec::new());
        };
        let others = || tries.iter().filter(|it| it.socket != socket);
        let rivals = others().map(|it| Rival {
            peer: it.peer.clone(),
            before: own.saturating_sub(it.since),
            errno: it.errno,
        });
        let open = others().filter(|it| it.errno.is_none()).map(|it| it.socket);
        (rivals.collect(), open.collect())
    }
}
