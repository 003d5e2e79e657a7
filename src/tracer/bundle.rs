//! Recorded calls on their way together: all that is known of them stands side by side, so that either thread goes through it from
//! front to back. Boxes of their own would lie about in memory, and each would have to be fetched from the other thread's cache.

use super::calling::Calling;
use super::descriptors::Changes;
use super::event::{Nanos, Socket, SocketId};
use crate::syscall::{Extent, Limits, NoMemory, Outcome, Raw, Row, Snapshot, enter};

/// How many calls go together.
const CALLS: usize = 64;

/// Calls in the order in which they are told.
#[derive(Debug, Default)]
pub struct Bundle {
    calls: Vec<Bundled>,
    /// What stood behind their pointers: of each before the call, then after it.
    copies: Snapshot,
    sockets: Vec<(i32, Socket)>,
    released: Vec<SocketId>,
    /// How far it has been told.
    told: Place,
}

/// A place in a bundle.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    calls: usize,
    copies: Extent,
    sockets: usize,
    released: usize,
}

/// A call, and how much of the bundle's lists is its own.
#[derive(Clone, Copy, Debug)]
struct Bundled {
    pid: i32,
    tid: i32,
    row: &'static Row,
    raw: Raw,
    start: Nanos,
    end: Nanos,
    outcome: Outcome,
    limits: Limits,
    before: Extent,
    after: Extent,
    sockets: usize,
    released: usize,
}

impl Bundle {
    /// Adds a call that is over.
    pub fn add(&mut self, calling: &Calling) {
        let Changes {
            sockets, released, ..
        } = &calling.changes;
        self.calls.push(Bundled {
            pid: calling.pid,
            tid: calling.tid,
            row: calling.entry.row,
            raw: calling.entry.raw,
            start: calling.start,
            end: calling.end,
            outcome: calling.outcome,
            limits: calling.limits,
            before: self.copies.append(calling.entry.before()),
            after: self.copies.append(&calling.snapshot),
            sockets: sockets.len(),
            released: released.len(),
        });
        self.sockets.extend_from_slice(sockets);
        self.released.extend_from_slice(released);
    }

    /// The next call that has not been told, in a box that is kept for that.
    pub fn next<'a>(&mut self, room: &'a mut Option<Box<Calling>>) -> Option<&'a mut Calling> {
        let told = self.told;
        let one = self.calls.get(told.calls)?;
        let calling =
            room.get_or_insert_with(|| Box::new(Calling::new(enter(one.row, one.raw, &NoMemory))));
        calling.begin();
        (calling.pid, calling.tid) = (one.pid, one.tid);
        (calling.start, calling.end) = (one.start, one.end);
        (calling.outcome, calling.limits) = (one.outcome, one.limits);
        let after = told.copies + one.before;
        let end = after + one.after;
        let before = self.copies.part(told.copies, after);
        calling.entry.become_of(one.row, one.raw, before);
        calling.snapshot.become_copy(self.copies.part(after, end));
        let (sockets, released) = (told.sockets + one.sockets, told.released + one.released);
        let changes = &mut calling.changes;
        changes
            .sockets
            .extend_from_slice(&self.sockets[told.sockets..sockets]);
        changes
            .released
            .extend_from_slice(&self.released[told.released..released]);
        self.told = Place {
            calls: told.calls + 1,
            copies: end,
            sockets,
            released,
        };
        Some(calling)
    }

    /// Whether it has no call.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether it should be on its way.
    pub fn is_full(&self) -> bool {
        self.calls.len() >= CALLS
    }

    /// Whether all of its calls have been told.
    pub fn is_told(&self) -> bool {
        self.told.calls == self.calls.len()
    }

    /// How many calls it has.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Forgets them, and keeps the room that they took.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.copies.clear();
        self.sockets.clear();
        self.released.clear();
        self.told = Place::default();
    }

    /// How many bytes it takes beside itself.
    pub fn room(&self) -> usize {
        self.copies.room()
            + self.calls.capacity() * size_of::<Bundled>()
            + self.sockets.capacity() * size_of::<(i32, Socket)>()
            + self.released.capacity() * size_of::<SocketId>()
    }
}
