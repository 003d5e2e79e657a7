//! Descriptor tables: which descriptor of which process leads to which socket, and when a socket's last descriptor goes.
//!
//! Only sockets are kept: a descriptor that is not in its table is no socket. Tables are shared, copied and left as
//! clone(2), execve(2) and unshare(2) say; what changes them comes as [`Effect`]s.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Nanos, Socket, SocketId};
use crate::syscall::{Effect, Origin};
use rustc_hash::FxHashMap;

/// Names a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableId(u64);

#[derive(Clone, Copy, Debug)]
struct Slot {
    socket: Socket,
    cloexec: bool,
    /// When it had come there.
    since: Nanos,
}

#[derive(Debug, Default)]
struct Table {
    /// How many threads use it.
    owners: usize,
    slots: BTreeMap<i32, Slot>,
    /// Numbers that led to sockets and are free again, as far as we know: what uses them still is of interest.
    former: BTreeSet<i32>,
    /// Descriptors that sockets have come to since they were last asked for.
    fresh: Vec<i32>,
}

/// How many former sockets a table remembers.
const FORMER: usize = 256;

/// All tables, and how many descriptors lead to each socket.
#[derive(Debug, Default)]
pub struct Descriptors {
    tables: FxHashMap<TableId, Table>,
    references: FxHashMap<SocketId, (Socket, usize)>,
    /// Descriptors passed in messages (SCM_RIGHTS) that nobody has received yet.
    in_flight: FxHashMap<SocketId, usize>,
    next: u64,
    /// The end of the call that is being booked.
    pub now: Nanos,
}

/// What the kernel says that a descriptor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// This socket.
    Socket(SocketId),
    /// No socket, or nothing.
    Other,
    /// It does not let us know.
    Denied,
}

/// What [`Descriptors::book`] changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Sockets that descriptors led to before, or lead to now.
    pub sockets: Vec<(i32, Socket)>,
    /// Sockets whose last descriptor is gone.
    pub released: Vec<SocketId>,
    /// Whether the kernel refused to say what a descriptor leads to.
    pub denied: bool,
}

impl Changes {
    /// Forgets them, and keeps the room that they took.
    pub fn clear(&mut self) {
        self.sockets.clear();
        self.released.clear();
        self.denied = false;
    }
}

/// Where numbers of our own begin, for sockets whose inode the kernel does not tell; inodes have 32 bits.
const OWN_NUMBERS: SocketId = 1 << 63;

/// How many sockets may be on their way to another process. More are not followed.
const IN_FLIGHT: usize = 4096;

impl Descriptors {
    /// A new table with one owner, holding `sockets`: descriptor, socket, close-on-exec.
    pub fn create(&mut self, sockets: impl IntoIterator<Item = (i32, Socket, bool)>) -> TableId {
        let id = TableId(self.next);
        self.next += 1;
        self.tables.insert(
            id,
            Table {
                owners: 1,
                slots: BTreeMap::new(),
                former: BTreeSet::new(),
                fresh: Vec::new(),
            },
        );
        for (fd, socket, cloexec) in sockets {
            self.put(id, fd, (socket, cloexec), &mut Changes::default());
        }
        id
    }

    /// A new table of a process that had these sockets before it was traced: descriptor, inode, close-on-exec.
    pub fn create_inherited(&mut self, sockets: Vec<(i32, SocketId, bool)>) -> TableId {
        self.create(sockets.into_iter().map(|(fd, id, cloexec)| {
            let socket = Socket {
                id,
                kind: None,
                inherited: true,
            };
            (fd, socket, cloexec)
        }))
    }

    /// One more thread uses the table (CLONE_FILES).
    pub fn share(&mut self, id: TableId) -> TableId {
        if let Some(table) = self.tables.get_mut(&id) {
            table.owners += 1;
        }
        id
    }

    /// A table of its own for one more thread, with the same sockets (fork).
    pub fn copy(&mut self, id: TableId) -> TableId {
        let slots = self
            .tables
            .get(&id)
            .map(|table| table.slots.clone())
            .unwrap_or_default();
        self.create(
            slots
                .into_iter()
                .map(|(fd, slot)| (fd, slot.socket, slot.cloexec)),
        )
    }

    /// A thread leaves the table; with the last one all of its descriptors are closed. Returns the sockets that went with it.
    pub fn leave(&mut self, id: TableId) -> Vec<SocketId> {
        let mut changes = Changes::default();
        let Some(table) = self.tables.get_mut(&id) else {
            return changes.released;
        };
        table.owners -= 1;
        if table.owners == 0
            && let Some(table) = self.tables.remove(&id)
        {
            for slot in table.slots.values() {
                self.release(slot.socket, &mut changes);
            }
        }
        changes.released
    }

    /// Makes the table the thread's own (unshare(2), and execve(2) before it closes anything).
    pub fn unshare(&mut self, id: TableId) -> TableId {
        match self.tables.get(&id) {
            Some(table) if table.owners > 1 => {
                let own = self.copy(id);
                self.leave(id);
                own
            }
            _ => id,
        }
    }

    /// What execve does: the table becomes the thread's own, close-on-exec descriptors are closed.
    pub fn exec(&mut self, id: TableId) -> (TableId, Vec<SocketId>) {
        let id = self.unshare(id);
        let mut changes = Changes::default();
        if let Some(table) = self.tables.get_mut(&id) {
            let closed: Vec<Slot> = table
                .slots
                .values()
                .filter(|slot| slot.cloexec)
                .copied()
                .collect();
            table.slots.retain(|_, slot| !slot.cloexec);
            for slot in closed {
                self.release(slot.socket, &mut changes);
            }
        }
        (id, changes.released)
    }

    /// The socket behind a descriptor.
    pub fn socket(&self, id: TableId, fd: i32) -> Option<Socket> {
        self.tables.get(&id)?.slots.get(&fd).map(|slot| slot.socket)
    }

    /// Whether the descriptor came to lead to a socket later than that.
    pub fn came_after(&self, id: TableId, fd: i32, then: Nanos) -> bool {
        let slot = self.tables.get(&id).and_then(|table| table.slots.get(&fd));
        slot.is_some_and(|slot| slot.since > then)
    }

    /// Whether the number led to a socket and, as far as we know, has led to nothing since.
    pub fn was_socket(&self, id: TableId, fd: i32) -> bool {
        self.tables
            .get(&id)
            .is_some_and(|table| table.former.contains(&fd))
    }

    /// The number leads to something that is no socket.
    pub fn is_no_socket(&mut self, id: TableId, fd: i32) {
        if let Some(table) = self.tables.get_mut(&id) {
            table.former.remove(&fd);
        }
    }

    /// Whether sockets have come to descriptors, since this was last asked, that are not `known`.
    pub fn take_fresh(&mut self, id: TableId, known: impl Fn(i32) -> bool) -> bool {
        let table = self.tables.get_mut(&id);
        table.is_some_and(|table| {
            let unknown = table.fresh.iter().any(|fd| !known(*fd));
            table.fresh.clear();
            unknown
        })
    }

    /// The descriptors of a table that lead to sockets.
    pub fn open(&self, id: TableId) -> Vec<i32> {
        let table = self.tables.get(&id);
        table.map_or_else(Vec::new, |table| table.slots.keys().copied().collect())
    }

    /// Those that lead to sockets, or did.
    pub fn open_or_former(&self, id: TableId) -> Vec<i32> {
        let mut all = self.open(id);
        all.extend(
            self.tables
                .get(&id)
                .into_iter()
                .flat_map(|table| &table.former),
        );
        all
    }

    /// Whether the table holds any socket.
    pub fn any(&self, id: TableId) -> bool {
        self.tables
            .get(&id)
            .is_some_and(|table| !table.slots.is_empty())
    }

    /// Applies what a call did. `look` asks the kernel which socket a descriptor leads to now; it is asked only for what the
    /// tables cannot tell, and for new descriptors of a table that several threads use, where another may have closed it since.
    pub fn apply(
        &mut self,
        id: TableId,
        effects: &[Effect],
        look: &dyn Fn(i32) -> Look,
    ) -> Changes {
        let mut changes = Changes::default();
        self.book(id, effects, look, &mut changes);
        changes
    }

    /// [`Self::apply`] that adds what it changed to `changes`.
    pub fn book(
        &mut self,
        id: TableId,
        effects: &[Effect],
        look: &dyn Fn(i32) -> Look,
        changes: &mut Changes,
    ) {
        for effect in effects {
            match *effect {
                Effect::Opens {
                    fd,
                    origin,
                    cloexec,
                } => {
                    match self.led_to(id, fd, origin, look, changes) {
                        Some(socket) => self.put(id, fd, (socket, cloexec), changes),
                        None => self.close(id, fd, changes),
                    }
                    if let (Origin::Elsewhere, Some(socket)) = (origin, self.socket(id, fd)) {
                        self.arrived(socket, changes);
                    }
                }
                Effect::Closes { fd } => self.close(id, fd, changes),
                Effect::ClosesRange { first, last } => {
                    for fd in self.range(id, first, last) {
                        // Another thread may have been given the number since.
                        let taken = self.is_shared(id)
                            && self
                                .socket(id, fd)
                                .is_some_and(|socket| look(fd) == Look::Socket(socket.id));
                        if !taken {
                            self.close(id, fd, changes);
                        }
                    }
                }
                Effect::CloseOnExec { first, last, on } => {
                    for fd in self.range(id, first, last) {
                        if let Some(slot) = self
                            .tables
                            .get_mut(&id)
                            .and_then(|table| table.slots.get_mut(&fd))
                        {
                            slot.cloexec = on;
                            changes.sockets.push((fd, slot.socket));
                        }
                    }
                }
                Effect::Passes { fd } => {
                    if let Some(socket) = self.socket(id, fd)
                        && self.in_flight.len() < IN_FLIGHT
                    {
                        *self.in_flight.entry(socket.id).or_default() += 1;
                        self.refer(socket);
                    }
                }
                // The thread's own affair: see `unshare`.
                Effect::UnsharesTable => {}
            }
        }
    }

    /// The socket that a new descriptor leads to.
    fn led_to(
        &mut self,
        id: TableId,
        fd: i32,
        origin: Origin,
        look: &dyn Fn(i32) -> Look,
        changes: &mut Changes,
    ) -> Option<Socket> {
        let kind = match origin {
            Origin::File => return None,
            Origin::Same(from) => {
                let known = self.socket(id, from)?;
                return match self.is_shared(id).then(|| look(fd)) {
                    Some(Look::Socket(now)) if now != known.id => Some(self.known(now)),
                    Some(Look::Other) => None,
                    _ => Some(known),
                };
            }
            Origin::Elsewhere => None,
            Origin::Socket {
                domain,
                kind,
                protocol,
            } => Some((domain, kind, protocol)),
            Origin::AcceptedFrom(listener) => {
                self.socket(id, listener).and_then(|socket| socket.kind)
            }
        };
        let made = |id| Socket {
            id,
            kind,
            inherited: false,
        };
        match (look(fd), origin) {
            (Look::Socket(id), Origin::Elsewhere) => Some(self.known(id)),
            (Look::Socket(id), _) => Some(made(id)),
            (Look::Other, _) => None,
            (Look::Denied, origin) => {
                changes.denied = true;
                // It is a socket all the same, unless it came from elsewhere.
                (origin != Origin::Elsewhere).then(|| {
                    self.next += 1;
                    made(OWN_NUMBERS | self.next)
                })
            }
        }
    }

    /// Makes a table what the kernel says that it is: `sockets` as for [`Self::create`].
    pub fn resync(&mut self, id: TableId, sockets: Vec<(i32, SocketId, bool)>) {
        let mut changes = Changes::default();
        for fd in self.range(id, 0, u32::MAX) {
            if !sockets.iter().any(|(open, ..)| *open == fd) {
                self.close(id, fd, &mut changes);
            }
        }
        for (fd, socket, cloexec) in sockets {
            if self.socket(id, fd).is_none_or(|known| known.id != socket) {
                let socket = self.known(socket);
                self.put(id, fd, (socket, cloexec), &mut changes);
            }
        }
    }

    /// Whether any descriptor of any process leads to the socket.
    pub fn is_open(&self, id: SocketId) -> bool {
        self.references.contains_key(&id)
    }

    /// Whether several threads use the table.
    pub fn is_shared(&self, id: TableId) -> bool {
        self.tables.get(&id).is_some_and(|table| table.owners > 1)
    }

    /// A socket that was passed in a message has been received: its descriptor has taken the message's place.
    fn arrived(&mut self, socket: Socket, changes: &mut Changes) {
        if let Some(count) = self.in_flight.get_mut(&socket.id) {
            *count -= 1;
            if *count == 0 {
                self.in_flight.remove(&socket.id);
            }
            self.release(socket, changes);
        }
    }

    fn refer(&mut self, socket: Socket) {
        self.references.entry(socket.id).or_insert((socket, 0)).1 += 1;
    }

    /// The open descriptors of a table within a range.
    fn range(&self, id: TableId, first: u32, last: u32) -> Vec<i32> {
        let within = |fd: &i32| u32::try_from(*fd).is_ok_and(|fd| (first..=last).contains(&fd));
        self.tables
            .get(&id)
            .map(|table| table.slots.keys().copied().filter(within).collect())
            .unwrap_or_default()
    }

    /// The socket of that inode as some table knows it already.
    fn known(&self, id: SocketId) -> Socket {
        self.references.get(&id).map_or(
            Socket {
                id,
                kind: None,
                inherited: false,
            },
            |(socket, _)| *socket,
        )
    }

    fn put(&mut self, id: TableId, fd: i32, what: (Socket, bool), changes: &mut Changes) {
        let slot = Slot {
            socket: what.0,
            cloexec: what.1,
            since: self.now,
        };
        // The new reference comes first: dup2 of a descriptor onto another of the same socket releases nothing.
        self.refer(slot.socket);
        let Some(table) = self.tables.get_mut(&id) else {
            return;
        };
        table.former.remove(&fd);
        table.fresh.push(fd);
        if let Some(before) = table.slots.insert(fd, slot) {
            changes.sockets.push((fd, before.socket));
            self.release(before.socket, changes);
        }
        changes.sockets.push((fd, slot.socket));
    }

    fn close(&mut self, id: TableId, fd: i32, changes: &mut Changes) {
        let Some(table) = self.tables.get_mut(&id) else {
            return;
        };
        if let Some(slot) = table.slots.remove(&fd) {
            if table.former.len() < FORMER {
                table.former.insert(fd);
            }
            changes.sockets.push((fd, slot.socket));
            self.release(slot.socket, changes);
        }
    }

    fn release(&mut self, socket: Socket, changes: &mut Changes) {
        if let Some((_, count)) = self.references.get_mut(&socket.id) {
            *count -= 1;
            if *count == 0 {
                self.references.remove(&socket.id);
                changes.released.push(socket.id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
