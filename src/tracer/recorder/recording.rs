//! What is being recorded in one address space: the ring's contents in their order, and which thread has which slot.

use super::layout::{self, COVERED, FORMER, SHARED, SOCKETS, header, record, slot, state};
use super::shared::{Shared, Sizes};
use crate::syscall::Limits;
use crate::tracer::descriptors::{Changes, TableId};
use crate::tracer::event::{Nanos, Socket};

/// The smallest ring.
const RING: usize = 1 << 21;

/// How many slots a ring of [`RING`] bytes is for, of the smallest kind.
const SLOTS: usize = 128;

/// The largest slot: for calls with as much data as programs hand over or ask for at once, be it in turns.
const LARGEST_SLOT: usize = 1 << 17;

/// What of a slot is not payload.
const BESIDE_DATA: usize = slot::RECORD + record::PIECES + layout::PIECES_BESIDE_DATA;

/// How many items of an array the pieces of a record leave room for.
const ITEMS: usize = 32;

/// How many bytes of payload a record has room for, where that is less than what is to be told: then calls with more stop.
pub fn longest(limits: Limits) -> Option<usize> {
    let room = LARGEST_SLOT - BESIDE_DATA;
    (limits.data > room).then_some(room)
}

/// How large the parts must be for that much to be told of each call; nothing where records have no room for so many items.
pub fn sizes(limits: Limits) -> Option<Sizes> {
    let data = longest(limits).unwrap_or(limits.data);
    let slot = (BESIDE_DATA + data).next_power_of_two();
    (limits.items <= ITEMS).then(|| {
        let ring = (slot * 4 * SLOTS).clamp(RING, 8 * RING);
        Sizes {
            slots: (ring / 4 / slot).min(SLOTS),
            slot,
            ring,
        }
    })
}

/// Whether the processor and the kernel let the recorder's code ask for its thread's base (FSGSBASE, Linux 5.9; AT_HWCAP2 in
/// getauxval(3)), and nobody filters the calls that set it up.
pub fn is_possible() -> bool {
    const HWCAP2_FSGSBASE: libc::c_ulong = 2;
    // SAFETY: only asks.
    let has_base = unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE != 0;
    has_base && super::trial::passes()
}

/// A close of a recorded thread that has been booked before its record came.
#[derive(Debug)]
pub struct Early {
    /// The time stamp counter before the call.
    pub start: u64,
    /// What it was.
    pub socket: Option<(i32, Socket)>,
    /// What it changed.
    pub changes: Changes,
}

/// The use of a slot.
#[derive(Debug)]
pub struct Use {
    /// The thread.
    pub tid: i32,
    /// The call in flight that has been told as waiting: the counter before it, and that time as it was told.
    pub reported: Option<(u64, Nanos)>,
    /// The close in flight that has been booked.
    pub early: Option<Early>,
    /// When its last call came back.
    pub last: Nanos,
}

/// What was known of a call before its record came.
#[derive(Debug)]
pub struct Known {
    /// The thread.
    pub tid: i32,
    reported: Option<(u64, Nanos)>,
    early: Option<Early>,
    last: Nanos,
}

impl Use {
    /// What is known of the call in flight, which is over.
    pub fn take_known(&mut self) -> Known {
        Known {
            tid: self.tid,
            reported: self.reported.take(),
            early: self.early.take(),
            last: self.last,
        }
    }
}

impl Known {
    /// When the call that began at that counter did so, as it was told where it was; else never before the thread's last one was over.
    pub fn start(&self, counter: u64, nanos: impl Fn(u64) -> Nanos) -> Nanos {
        match self.reported {
            Some((known, start)) if known == counter => start,
            _ => nanos(counter).max(self.last),
        }
    }

    /// The close that was booked before, if that is the call that began at that counter.
    pub fn early(self, counter: u64) -> Option<Early> {
        self.early.filter(|early| early.start == counter)
    }
}

/// What is being recorded.
#[derive(Debug)]
pub struct Recording {
    /// The memory.
    pub shared: Shared,
    /// The table of all threads that record.
    pub table: TableId,
    /// Who has which slot.
    pub slots: Vec<Option<Use>>,
    /// How many bytes may wait in the ring for a call to be recorded still.
    limit: u64,
    secret: u64,
    /// How much has been taken.
    head: u64,
    /// How many threads have ended when they may have reserved a record that nobody will complete.
    holes: usize,
}

impl Recording {
    /// Prepares the memory. `pid` is the process's number in its own namespace.
    pub fn new(shared: Shared, table: TableId, limits: Limits, secret: u64, pid: i32) -> Self {
        let sizes = shared.sizes();
        shared.store(header::SECRET, secret);
        shared.store(header::RING, SHARED + sizes.before_ring() as u64);
        shared.store(header::MASK, sizes.ring as u64 - 1);
        let longest = longest(limits);
        shared.store(header::DATA, longest.unwrap_or(limits.data) as u64);
        shared.store(header::LONGEST, longest.unwrap_or(0) as u64);
        shared.store(header::ITEMS, limits.items as u64);
        shared.store(header::PID, pid as u64);
        // Whoever has seen that there is room may still add a record.
        let margin = sizes.slots * sizes.slot;
        shared.store(header::ON, 1);
        let limit = (sizes.ring - margin) as u64;
        shared.store(header::LIMIT, limit);
        Self {
            shared,
            table,
            slots: std::iter::repeat_with(|| None).take(sizes.slots).collect(),
            limit,
            secret,
            head: 0,
            holes: 0,
        }
    }

    /// From now on nothing is recorded.
    pub fn end(&self) {
        self.shared.store(header::ON, 0);
    }

    /// Whether calls are recorded.
    pub fn is_on(&self) -> bool {
        self.shared.load(header::ON) != 0
    }

    /// Whether calls stop because there is no room for their records.
    pub fn is_full(&self) -> bool {
        let waiting = self.shared.tail().wrapping_sub(self.head);
        self.is_on() && waiting > self.limit
    }

    /// Whether a descriptor leads to a socket.
    pub fn set_socket(&self, fd: i32, is_socket: bool) {
        self.shared.put_in_set(SOCKETS, fd, is_socket);
        self.shared.put_in_set(FORMER, fd, !is_socket);
    }

    /// Whether it led to one, and has led to nothing since.
    pub fn was_socket(&self, fd: i32) -> bool {
        self.shared.is_in_set(FORMER, fd)
    }

    /// A filter covers these descriptors now.
    pub fn cover(&self, fds: impl Iterator<Item = u32>) {
        fds.take_while(|fd| *fd < layout::MOST_DESCRIPTORS)
            .for_each(|fd| self.shared.put_in_set(COVERED, fd as i32, true));
    }

    /// The slot of a thread.
    pub fn slot_of(&self, tid: i32) -> Option<usize> {
        let is_its = |one: &Option<Use>| one.as_ref().is_some_and(|one| one.tid == tid);
        self.slots.iter().position(is_its)
    }

    /// Gives a thread a slot, if one is free: its number. A `careful` one lets the kernel copy what calls point to.
    pub fn assign(&mut self, tid: i32, careful: bool) -> Option<usize> {
        let index = match self.slot_of(tid) {
            Some(index) => index,
            None => self.slots.iter().position(Option::is_none)?,
        };
        self.slots[index] = Some(Use {
            tid,
            reported: None,
            early: None,
            last: 0,
        });
        self.shared.set_state(index, state::IDLE);
        let number = self.shared.slot(index) + slot::RECORD + record::SLOT;
        self.shared.store(number, index as u64);
        let place = self.shared.slot(index) + slot::CAREFUL;
        self.shared.store(place, careful.into());
        Some(index)
    }

    /// From now on all threads are careful: the program ignores the signals of faults.
    pub fn be_careful(&self) {
        for index in 0..self.slots.len() {
            if self.slots[index].is_some() {
                let place = self.shared.slot(index) + slot::CAREFUL;
                self.shared.store(place, 1);
            }
        }
    }

    /// A slot's address in the program.
    pub fn address(&self, index: usize) -> u64 {
        SHARED + self.shared.slot(index) as u64
    }

    /// A thread has ended amid reserving a record: where its record would be, there may never be one.
    pub fn expect_hole(&mut self) {
        self.holes += 1;
    }

    /// Copies the next record before that position into `bytes`; nothing where there is none, or the next one is not complete.
    pub fn next(&mut self, end: u64, bytes: &mut Vec<u8>) -> bool {
        loop {
            let waiting = self.shared.tail().wrapping_sub(self.head);
            if waiting == 0 || end.wrapping_sub(self.head) as i64 <= 0 {
                return false;
            }
            if waiting > self.shared.sizes().ring as u64 || !waiting.is_multiple_of(8) {
                // Nonsense, which only the program itself can have written.
                self.skip(waiting);
                return false;
            }
            let place = self.shared.in_ring(self.head);
            if self.shared.load(place) != self.head ^ self.secret {
                if self.holes == 0 || self.is_being_completed() {
                    return false;
                }
                self.skip(8);
                continue;
            }
            let mut size = [0; 8];
            self.shared
                .copy_from_ring(self.head.wrapping_add(record::SIZE as u64), &mut size);
            let size = u64::from_ne_bytes(size);
            let longest = self.shared.sizes().slot.min(waiting as usize) as u64;
            if !(record::PIECES as u64..=longest).contains(&size) || !size.is_multiple_of(8) {
                self.skip(8);
                self.holes = self.holes.max(1);
                continue;
            }
            bytes.resize(size as usize, 0);
            self.shared.copy_from_ring(self.head, bytes);
            self.skip(size);
            return true;
        }
    }

    /// Whether what comes next is waited for: another thread than this one is about to complete it. A thread that lives on, and has stopped amid a
    /// record of its own, waits for nobody: who completes it in its name may be all that the others wait for.
    pub fn is_held_up(&self, tid: i32, lives_on: bool) -> bool {
        let next = self.shared.in_ring(self.head);
        if self.shared.tail() == self.head || self.shared.load(next) == self.head ^ self.secret {
            return false;
        }
        let mut waits = false;
        for (index, one) in self.in_flight() {
            let how_far = self.shared.state(index);
            let position = self.shared.slot_field(index, slot::POSITION);
            match how_far {
                state::RESERVING | state::RESERVED if one.tid == tid && lives_on => return false,
                _ if one.tid == tid => {}
                state::RESERVING => waits = true,
                state::RESERVED => waits |= position == self.head,
                _ => {}
            }
        }
        waits
    }

    /// Whether a living thread has reserved a record, or is about to, that is not there yet.
    fn is_being_completed(&self) -> bool {
        let slots = self.slots.iter().enumerate();
        let mut used = slots.filter(|(_, one)| one.is_some());
        used.any(|(index, _)| self.shared.state(index) >= state::RESERVING)
    }

    fn skip(&mut self, bytes: u64) {
        self.head = self.head.wrapping_add(bytes);
        self.shared.store(header::HEAD, self.head);
    }

    /// The record that a thread has in its slot, as far as it is made.
    pub fn in_slot(&self, index: usize) -> Vec<u8> {
        let start = self.shared.slot(index) + slot::RECORD;
        let mut head = vec![0; record::PIECES];
        self.shared.copy(start, &mut head);
        let made = self.shared.state(index) >= state::RESERVING;
        let size = self.shared.load(start + record::SIZE) as usize;
        let most = self.shared.sizes().slot - slot::RECORD;
        if made && (record::PIECES..=most).contains(&size) && size.is_multiple_of(8) {
            head.resize(size, 0);
            self.shared.copy(start, &mut head);
        }
        head
    }

    /// Puts a thread's record where it was reserved, in its name.
    pub fn complete(&self, position: u64, bytes: &[u8]) {
        self.shared
            .put_into_ring(position, bytes, position ^ self.secret);
    }

    /// Slots whose thread is in a call: their numbers.
    pub fn in_flight(&self) -> impl Iterator<Item = (usize, &Use)> {
        let slots = self.slots.iter().enumerate();
        let used = slots.filter_map(|(index, one)| Some((index, one.as_ref()?)));
        used.filter(|(index, _)| self.shared.state(*index) != state::IDLE)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;
    use crate::tracer::descriptors::Descriptors;

    #[test]
    fn writers_that_have_stopped_do_not_wait_for_each_other() {
        let limits = Limits::default();
        let file = memfd_create("recording", MFdFlags::MFD_ALLOW_SEALING).expect("a file");
        let sizes = sizes(limits).expect("room for few items");
        let shared = Shared::map(&File::from(file), sizes).expect("memory");
        let table = Descriptors::default().create([]);
        let mut recording = Recording::new(shared, table, limits, 77, 1);
        let slots = [10, 20, 30].map(|tid| recording.assign(tid, false).expect("a slot"));
        // Nothing is on its way.
        assert!(
            [10, 20, 30]
                .iter()
                .all(|tid| !recording.is_held_up(*tid, true))
        );
        // One is about to reserve its record, or has done so; one has reserved the first, and neither is there yet.
        recording.shared.set_state(slots[0], state::RESERVING);
        recording.shared.set_state(slots[1], state::RESERVED);
        recording.shared.store(header::TAIL, 256);
        assert!(!recording.is_held_up(10, true) && !recording.is_held_up(20, true));
        assert!(recording.is_held_up(30, true), "it has nothing to complete");
        // A record that is there holds nobody up.
        recording.complete(0, &[0; 256]);
        assert!(!recording.is_held_up(30, true));
    }
}
