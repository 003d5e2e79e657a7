//! From records to events: each is booked and told as if its call had stopped.

use super::layout::{flag, record, slot, state};
use super::record::Record;
use super::recording::{Early, Known};
use super::space::SpaceId;
use super::stub;
use crate::syscall::{self, Effect, Entry, Memory, Outcome, enter};
use crate::tracer::calling::Calling;
use crate::tracer::descriptors::{Changes, Look, TableId};
use crate::tracer::engine::{Engine, PATIENCE};
use crate::tracer::event::Nanos;
use crate::tracer::memory::TraceeMemory;
use crate::tracer::procfs;

impl Engine {
    /// Takes what has been recorded, everywhere.
    pub(in crate::tracer) fn take_records(&mut self) {
        if self.recordings.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.record);
        let mut spaces = std::mem::take(&mut self.recorded_spaces);
        spaces.clear();
        spaces.extend(self.recordings.keys());
        for space in &spaces {
            // What comes meanwhile is for the next time: threads that never rest are not to keep us from all others.
            let end = self
                .recordings
                .get(space)
                .map_or(0, |one| one.shared.tail());
            while let Some(recording) = self.recordings.get_mut(space)
                && recording.next(end, &mut bytes)
            {
                if let Some(record) = Record::read(&bytes) {
                    self.recorded(*space, &record);
                }
            }
        }
        (self.record, self.recorded_spaces) = (bytes, spaces);
    }

    /// One record.
    fn recorded(&mut self, space: SpaceId, record: &Record) {
        let Some(recording) = self.recordings.get_mut(&space) else {
            return;
        };
        let Some(index) = usize::try_from(record.slot).ok() else {
            return;
        };
        let Some(one) = recording.slots.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let known = one.take_known();
        let end = self.tell_record(known, record, &record.before(), &record.after());
        let slots = self.recordings.get_mut(&space).map(|it| &mut it.slots);
        if let Some(Some(one)) = slots.and_then(|slots| slots.get_mut(index)) {
            one.last = end;
        }
    }

    /// Books and tells a call that was recorded, or the record of which we have made; gives when it was over. One that ends at 0 does now.
    pub(super) fn tell_record(
        &mut self,
        known: Known,
        record: &Record,
        before: &dyn Memory,
        after: &dyn Memory,
    ) -> Nanos {
        let tid = known.tid;
        let start = known.start(record.start, |counter| self.tsc.nanos(counter));
        let end = match record.end {
            0 => self.now(),
            end => self.tsc.nanos(end),
        };
        let end = end.max(start);
        let early = known.early(record.start);
        let Some(row) = syscall::row(record.raw.number) else {
            return end;
        };
        let Some(thread) = self.tracees.threads.get(&tid) else {
            return end;
        };
        let table = thread.table;
        if !self.relevant(tid, row, &record.raw) && early.is_none() {
            return end;
        }
        let spare = self.outbox.spare();
        let mut calling = Calling::enter(spare, row, record.raw, before);
        calling.start = start;
        calling.recorded = true;
        match early {
            Some(early) => {
                calling.subject = early.socket;
                calling.changes = early.changes;
            }
            None => {
                calling.subject = calling.entry.row.descriptor.and_then(|index| {
                    let fd = record.raw.args[usize::from(index)] as i32;
                    Some((fd, self.descriptors.socket(table, fd)?))
                });
                if record.raw.number == libc::SYS_close as u64 {
                    self.book_recorded_close(table, record, start, &mut calling);
                }
            }
        }
        let look = |fd| match record.outcome {
            Outcome::Value(value) if value == i64::from(fd) && record.inode != 0 => {
                Look::Socket(record.inode)
            }
            _ => procfs::look(tid, fd),
        };
        if let Some(calling) = self.finished(tid, calling, end, record.outcome, after, &look) {
            self.recorded += 1;
            self.outbox.send_call(calling, None);
        }
        end
    }

    /// A close, after which the number may have been taken by another thread whose record came first.
    fn book_recorded_close(
        &mut self,
        table: TableId,
        record: &Record,
        start: Nanos,
        calling: &mut Calling,
    ) {
        let fd = record.raw.args[0] as i32;
        if self.descriptors.came_after(table, fd, start) {
            calling.subject = None;
            return;
        }
        let look = |_| Look::Other;
        self.descriptors
            .book(table, &[Effect::Closes { fd }], &look, &mut calling.changes);
    }

    /// New descriptors are about to be booked that lead to sockets still, as far as the table knows: some thread is amid closing them.
    pub(in crate::tracer) fn book_closes_in_flight(&mut self, table: TableId, effects: &[Effect]) {
        for effect in effects {
            let Effect::Opens { fd, .. } = *effect else {
                continue;
            };
            let Some(socket) = self.descriptors.socket(table, fd) else {
                continue;
            };
            for recording in self.recordings.values_mut() {
                if recording.table != table {
                    continue;
                }
                let shared = &recording.shared;
                let field = |index, field| shared.slot_field(index, slot::RECORD + field);
                let closing = recording.in_flight().find_map(|(index, one)| {
                    let closes = stub::traits(field(index, record::NUMBER)) & flag::CLOSES != 0
                        && field(index, record::ARGS) as i32 == fd
                        && one.early.is_none();
                    closes.then(|| (index, field(index, record::START)))
                });
                if let Some((index, start)) = closing
                    && let Some(one) = &mut recording.slots[index]
                {
                    let mut changes = Changes::default();
                    let look = |_| Look::Other;
                    self.descriptors
                        .book(table, &[Effect::Closes { fd }], &look, &mut changes);
                    one.early = Some(Early {
                        start,
                        socket: Some((fd, socket)),
                        changes,
                    });
                    break;
                }
            }
        }
    }

    /// Tells the recorders of a table what its descriptors lead to now.
    pub(in crate::tracer) fn tell_recorders(&self, table: TableId, changes: &Changes) {
        for recording in self.recordings.values() {
            if recording.table == table {
                for (fd, _) in &changes.sockets {
                    let is_socket = self.descriptors.socket(table, *fd).is_some();
                    recording.set_socket(*fd, is_socket);
                }
            }
        }
    }

    /// The recorded calls that have blocked for a while, as far as they have not been told: thread, start, and the call as it began.
    pub(in crate::tracer) fn recorded_waiting(&mut self, now: Nanos) -> Vec<(i32, Nanos, Entry)> {
        let mut waiting = Vec::new();
        let tsc = self.tsc;
        for recording in self.recordings.values_mut() {
            let due: Vec<(usize, u64, Nanos)> = recording
                .in_flight()
                .filter(|(index, _)| recording.shared.state(*index) == state::CALLING)
                .filter_map(|(index, one)| {
                    let start = recording
                        .shared
                        .slot_field(index, slot::RECORD + record::START);
                    let began = tsc.nanos(start).max(one.last);
                    let known = one.reported.is_some_and(|(known, _)| known == start);
                    let long = u128::from(now.saturating_sub(began)) >= PATIENCE.as_nanos();
                    (!known && long).then_some((index, start, began))
                })
                .collect();
            for (index, start, began) in due {
                let bytes = recording.in_slot(index);
                let still = recording.shared.state(index) == state::CALLING;
                let Some(one) = recording.slots[index].as_mut().filter(|_| still) else {
                    continue;
                };
                if let Some(record) = Record::read(&bytes).filter(|record| record.start == start)
                    && let Some(row) = syscall::row(record.raw.number)
                {
                    one.reported = Some((start, began));
                    let entry = enter(row, record.raw, &TraceeMemory::of(one.tid));
                    waiting.push((one.tid, began, entry));
                }
            }
        }
        waiting
    }

    /// A thread is gone, or is another program's now: what it had begun is told as cut off, what it had made as it is.
    pub(in crate::tracer) fn recorder_cut_off(&mut self, tid: i32) {
        let Some(space) = self.space_of(tid) else {
            return;
        };
        let Some(recording) = self.recordings.get_mut(&space) else {
            return;
        };
        let Some(index) = recording.slot_of(tid) else {
            return;
        };
        let how_far = recording.shared.state(index);
        let bytes = recording.in_slot(index);
        let one = recording.slots[index].take();
        recording.shared.set_state(index, state::IDLE);
        let (Some(mut record), Some(mut one)) = (Record::read(&bytes), one) else {
            return;
        };
        match how_far {
            state::IDLE => return,
            state::RESERVED => {
                // It may have been put there already, or be half there.
                let position = recording.shared.slot_field(index, slot::POSITION);
                recording.complete(position, &bytes);
                recording.slots[index] = Some(one);
                self.take_records();
                if let Some(recording) = self.recordings.get_mut(&space) {
                    recording.slots[index] = None;
                }
                return;
            }
            state::RESERVING => recording.expect_hole(),
            _ => {}
        }
        if how_far == state::CALLING {
            (record.outcome, record.end) = (Outcome::Unfinished, 0);
        }
        self.tell_record(one.take_known(), &record, &record.before(), &record.after());
        // What waited for it goes on.
        self.take_records();
    }

    /// Whether the code at our addresses is ours.
    pub(in crate::tracer) fn has_code(&self, tid: i32) -> bool {
        let space = self.space_of(tid).and_then(|id| self.spaces.get(&id));
        space.is_some_and(|space| space.has_code)
    }

    /// Whether a thread is amid writing down a call, and others after it that `tid` has made: what it does next comes after them.
    pub(in crate::tracer) fn is_held_up(&self, tid: i32, lives_on: bool) -> bool {
        let recording = self.space_of(tid).and_then(|id| self.recordings.get(&id));
        recording.is_some_and(|recording| recording.is_held_up(tid, lives_on))
    }

    /// When a thread's turn is among several that have ended amid their records: in the order of the ring, so that what stands behind a
    /// record which is missing is taken before those who made it are forgotten.
    pub(in crate::tracer) fn recorder_turn(&self, tid: i32) -> (u8, u64) {
        let recording = self.space_of(tid).and_then(|id| self.recordings.get(&id));
        let its = recording.and_then(|recording| Some((recording, recording.slot_of(tid)?)));
        let Some((recording, index)) = its else {
            return (2, 0);
        };
        match recording.shared.state(index) {
            state::RESERVED => (0, recording.shared.slot_field(index, slot::POSITION)),
            state::RESERVING => (1, 0),
            _ => (2, 0),
        }
    }

    /// The address space of a thread.
    pub(in crate::tracer) fn space_of(&self, tid: i32) -> Option<SpaceId> {
        let pid = self.tracees.threads.get(&tid)?.pid;
        Some(self.tracees.processes.get(&pid)?.space)
    }
}
