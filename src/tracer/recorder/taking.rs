//! From records to events: each is booked and told as if its call had stopped.

use super::layout::{flag, record, slot, state};
use super::record::Record;
use super::recording::Early;
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
        let Some(one) = usize::try_from(record.slot)
            .ok()
            .and_then(|slot| recording.slots.get_mut(slot)?.as_mut())
        else {
            return;
        };
        let (tid, last) = (one.tid, one.last);
        let reported = one
            .reported
            .take()
            .filter(|(start, _)| *start == record.start);
        let early = one.early.take().filter(|early| early.start == record.start);
        let start = match reported {
            Some((_, start)) => start,
            None => self.tsc.nanos(record.start).max(last),
        };
        let end = self.tsc.nanos(record.end).max(start);
        one.last = end;
        self.book_record(
            tid,
            record,
            start,
            end,
            early,
            &record.before(),
            &record.after(),
        );
    }

    /// Books and tells a call that was recorded, or the record of which we have made.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record, its times, what it reads from"
    )]
    pub(super) fn book_record(
        &mut self,
        tid: i32,
        record: &Record,
        start: Nanos,
        end: Nanos,
        early: Option<Early>,
        before: &dyn Memory,
        after: &dyn Memory,
    ) {
        let Some(row) = syscall::row(record.raw.number) else {
            return;
        };
        let Some(thread) = self.tracees.threads.get(&tid) else {
            return;
        };
        let table = thread.table;
        if !self.relevant(tid, row, &record.raw) && early.is_none() {
            return;
        }
        self.recorded += 1;
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
            self.outbox.send_call(calling, None);
        }
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
        let (Some(record), Some(one)) = (Record::read(&bytes), one) else {
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
        let mut record = record;
        if how_far == state::CALLING {
            (record.outcome, record.end) = (Outcome::Unfinished, 0);
        }
        self.tell_record(tid, &record, one.reported, one.early, one.last);
        // What waited for it goes on.
        self.take_records();
    }

    /// Tells a call of which we know what the thread's slot says.
    pub(super) fn tell_record(
        &mut self,
        tid: i32,
        record: &Record,
        reported: Option<(u64, Nanos)>,
        early: Option<Early>,
        last: Nanos,
    ) {
        let start = match reported.filter(|(start, _)| *start == record.start) {
            Some((_, start)) => start,
            None => self.tsc.nanos(record.start).max(last),
        };
        let end = match record.end {
            0 => self.now().max(start),
            end => self.tsc.nanos(end).max(start),
        };
        let early = early.filter(|early| early.start == record.start);
        self.book_record(
            tid,
            record,
            start,
            end,
            early,
            &record.before(),
            &record.after(),
        );
    }

    /// Whether the code at our addresses is ours.
    pub(in crate::tracer) fn has_code(&self, tid: i32) -> bool {
        let space = self.space_of(tid).and_then(|id| self.spaces.get(&id));
        space.is_some_and(|space| space.has_code)
    }

    /// Whether a thread is amid writing down a call, and others after it that `tid` has made: what it does next comes after them.
    pub(in crate::tracer) fn is_held_up(&self, tid: i32) -> bool {
        let recording = self.space_of(tid).and_then(|id| self.recordings.get(&id));
        recording.is_some_and(|recording| recording.is_held_up(tid))
    }

    /// The address space of a thread.
    pub(in crate::tracer) fn space_of(&self, tid: i32) -> Option<SpaceId> {
        let pid = self.tracees.threads.get(&tid)?.pid;
        Some(self.tracees.processes.get(&pid)?.space)
    }
}
