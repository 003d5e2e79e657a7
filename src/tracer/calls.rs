//! A call from its entry stop to its exit stop.

use super::abi;
use super::calling::Calling;
use super::descriptors::{Look, TableId};
use super::engine::Engine;
use super::event::{Descriptor, Event, Nanos, Notice, Socket};
use super::growth::{sets_filter, tells_addresses};
use super::inject::Then;
use super::memory::TraceeMemory;
use super::procfs;
use super::stopped::{Gone, Stopped};
use super::tracees::{CallByCall, Doing};
use crate::kernel::Depth;
use crate::syscall::{
    self, Call, Data, Effect, Entry, Memory, NoMemory, Origin, Outcome, Raw, Role, Row, add_effects,
};

/// The result of a call that restart_syscall(2) takes up again (include/linux/errno.h).
pub(super) const ERESTART_RESTARTBLOCK: i64 = 516;

impl Engine {
    /// A call begins, made by the instruction before `ip`.
    pub(super) fn call_arrives(
        &mut self,
        stopped: Stopped,
        arch: u32,
        raw: Raw,
        ip: u64,
    ) -> Result<(), Gone> {
        if self.records && arch == abi::AUDIT_ARCH {
            return match self.entered_from_ours(stopped, ip, arch, raw)? {
                Some(stopped) => self.call_entered(stopped, arch, raw),
                None => Ok(()),
            };
        }
        self.call_entered(stopped, arch, raw)
    }

    /// A call begins that is to be seen by its stops.
    pub(super) fn call_entered(
        &mut self,
        stopped: Stopped,
        arch: u32,
        raw: Raw,
    ) -> Result<(), Gone> {
        if arch == abi::AUDIT_ARCH && self.records && tells_addresses(&raw) {
            let Some(cleared) = self.clear_code(stopped, arch, raw) else {
                return Ok(());
            };
            return self.call_goes_on(cleared, arch, raw);
        }
        self.call_goes_on(stopped, arch, raw)
    }

    /// The same, when nobody is in code of ours that must not be there.
    pub(super) fn call_goes_on(
        &mut self,
        stopped: Stopped,
        arch: u32,
        raw: Raw,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        if arch == abi::AUDIT_ARCH {
            let then = Then::Call(arch, raw);
            if let Some(why) = self.last_chance(tid, &raw) {
                return self.take_last_chance(stopped, why, then);
            }
            if let Some(scope) = self.covers_target(tid, &raw) {
                return self.add_filter(stopped, scope, then);
            }
        }
        let interrupted = self.new_call(tid);
        match raw.number as libc::c_long {
            libc::SYS_arch_prctl if self.records => {
                self.leave_thread_base(&stopped, raw.args[0])?
            }
            libc::SYS_rt_sigaction if raw.args[0] as i32 == libc::SIGTRAP => {
                self.watch_traps(tid, raw.args[1]);
            }
            libc::SYS_rt_sigaction if self.records => self.watch_faults(tid, raw.args[1]),
            _ => {}
        }
        let row = if arch == abi::AUDIT_ARCH {
            self.watch_mappings(tid, &raw);
            self.note_sandbox(tid, &raw);
            syscall::row(raw.number)
        } else {
            None
        };
        if let Some(entry) = interrupted
            && raw.number == libc::SYS_restart_syscall as u64
        {
            let calling = self.calling(tid, entry);
            self.set_doing(tid, calling);
            self.resume(stopped, 0);
            return Ok(());
        }
        self.child_call_entered(&stopped, arch, raw)?;
        let Some(row) = row else {
            self.resume(stopped, 0);
            return Ok(());
        };
        if row.role == Role::IoUring && self.config.refuse_io_uring {
            stopped.skip_call()?;
        }
        if self.relevant(tid, row, &raw) {
            let calling = self.call_begins(tid, row, raw);
            self.set_doing(tid, calling);
        }
        self.resume(stopped, 0);
        Ok(())
    }

    /// Whether the call is to be seen to its end: for itself, or for what it does to the descriptor table.
    pub(super) fn relevant(&self, tid: i32, row: &Row, raw: &Raw) -> bool {
        let Some(thread) = self.tracees.threads.get(&tid) else {
            return false;
        };
        match row.role {
            Role::Engine => self.selected(row) || raw.number == libc::SYS_unshare as u64,
            Role::File => self.config.all_descriptors || self.selected(row),
            _ if row.is_network() || self.config.all_descriptors => true,
            Role::Create | Role::Duplicate | Role::IoUring => true,
            _ if unshares(raw) => true,
            _ => {
                let mut descriptors = row.descriptor_arguments().peekable();
                if descriptors.peek().is_none() || row.role == Role::Poll {
                    return self.descriptors.any(thread.table);
                }
                descriptors.any(|index| {
                    let fd = raw.args[index] as i32;
                    self.descriptors.socket(thread.table, fd).is_some()
                        || self.descriptors.was_socket(thread.table, fd)
                })
            }
        }
    }

    /// Whether `-e` names the call.
    fn selected(&self, row: &Row) -> bool {
        self.config.named.contains(row.number as u64)
    }

    /// A new call ends what was known of the one before; returns the one that a signal interrupted.
    fn new_call(&mut self, tid: i32) -> Option<Entry> {
        let thread = self.tracees.threads.get_mut(&tid)?;
        thread.clone_flags = None;
        thread.interrupted.take()
    }

    /// Notes that the call gives the process a filter of its own, if it succeeds.
    fn note_sandbox(&mut self, tid: i32, raw: &Raw) {
        if sets_filter(raw)
            && let Some(thread) = self.tracees.threads.get_mut(&tid)
        {
            thread.sandboxes = true;
        }
    }

    fn set_doing(&mut self, tid: i32, calling: Box<Calling>) {
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            thread.doing = Doing::Calling(calling);
        }
    }

    fn call_begins(&mut self, tid: i32, row: &'static Row, raw: Raw) -> Box<Calling> {
        let spare = self.outbox.spare();
        self.booked(tid, Calling::enter(spare, row, raw, &TraceeMemory::of(tid)))
    }

    fn calling(&mut self, tid: i32, entry: Entry) -> Box<Calling> {
        self.booked(tid, Box::new(Calling::new(entry)))
    }

    /// Notes of a call that begins what its exit cannot tell.
    fn booked(&mut self, tid: i32, mut calling: Box<Calling>) -> Box<Calling> {
        let memory = TraceeMemory::of(tid);
        let (row, raw) = (calling.entry.row, calling.entry.raw);
        calling.start = self.now();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return calling;
        };
        if let Some(index) = row.descriptor {
            let fd = raw.args[usize::from(index)] as i32;
            calling.subject = self
                .descriptors
                .socket(thread.table, fd)
                .map(|socket| (fd, socket));
            if self.config.all_descriptors && row.role == Role::Close && calling.subject.is_none() {
                calling.files.extend(file(tid, fd));
            }
        }
        match row.role {
            // The descriptor is free from the moment when the kernel begins, and another thread may get its number before this one's
            // call is over: so the table forgets it now.
            Role::Close if raw.number == libc::SYS_close as u64 => {
                let closes = Effect::Closes {
                    fd: raw.args[0] as i32,
                };
                let table = thread.table;
                if let Some((fd, socket)) = calling.subject {
                    calling.kernel = self.ask_kernel(tid, fd, &socket, Depth::End, Role::Close);
                }
                let look = |_| Look::Other;
                self.descriptors
                    .book(table, &[closes], &look, &mut calling.changes);
                self.tell_recorders(table, &calling.changes);
            }
            // Its arguments are gone with the old program when it is over.
            Role::Engine => {
                calling.copy_early(&memory, self.config.limits);
            }
            _ => {}
        }
        calling
    }

    /// A call is over.
    pub(super) fn call_left(
        &mut self,
        stopped: Stopped,
        value: i64,
        error: bool,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        let doing = self.child_call_left(&stopped)?;
        let mut sandboxed = false;
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            thread.entered = false;
            sandboxed = std::mem::take(&mut thread.sandboxes) && !error;
            if error
                && value == -ERESTART_RESTARTBLOCK
                && let Doing::Calling(calling) = &doing
            {
                thread.interrupted = Some(calling.entry.clone());
            }
        }
        if sandboxed {
            self.go_call_by_call(tid, CallByCall::ForGood, "it has a filter of its own");
        }
        let Doing::Calling(calling) = doing else {
            return self.go_on(stopped, None, value);
        };
        let outcome = if error {
            Outcome::Error(-value as i32)
        } else {
            Outcome::Value(value)
        };
        let table = self.tracees.threads.get(&tid).map(|thread| thread.table);
        let (end, memory) = (self.now(), TraceeMemory::of(tid));
        let look = |fd| procfs::look(tid, fd);
        let told = self.finished(tid, calling, end, outcome, &memory, &look);
        if self.tracees.threads.get(&tid).map(|thread| thread.table) != table {
            self.take_slot(&stopped)?;
        }
        match told {
            Some(mut calling) => {
                self.ask_kernel_after(&mut calling);
                if calling.entry.row.role == Role::IoUring {
                    self.notice_io_uring(&calling);
                }
                self.go_on(stopped, Some(calling), value)
            }
            None => self.go_on(stopped, None, value),
        }
    }

    /// A thread's call ended with the thread.
    pub(super) fn call_cut_off(&mut self, tid: i32, calling: Box<Calling>) {
        let (end, outcome) = (self.now(), Outcome::Unfinished);
        let look = |fd| procfs::look(tid, fd);
        if let Some(calling) = self.finished(tid, calling, end, outcome, &NoMemory, &look) {
            self.outbox.send_call(calling, None);
        }
    }

    /// Books what the call did, and copies what there is to tell of it where it is wanted. `look` asks which socket a descriptor leads
    /// to.
    pub(super) fn finished(
        &mut self,
        tid: i32,
        mut calling: Box<Calling>,
        end: Nanos,
        outcome: Outcome,
        memory: &dyn Memory,
        look: &dyn Fn(i32) -> Look,
    ) -> Option<Box<Calling>> {
        calling.leave(end, outcome, memory, self.config.limits);
        self.descriptors.now = end;
        let call = calling.outline();
        let thread = self.tracees.threads.get_mut(&tid)?;
        let pid = thread.pid;
        (calling.pid, calling.tid) = (pid, tid);
        if call.raw.number != libc::SYS_close as u64 {
            let Calling {
                effects, changes, ..
            } = &mut *calling;
            effects.clear();
            add_effects(&call, effects);
            if effects.contains(&Effect::UnsharesTable) {
                thread.table = self.descriptors.unshare(thread.table);
            }
            let table = thread.table;
            if !self.recordings.is_empty() {
                self.book_closes_in_flight(table, effects);
            }
            self.descriptors.book(table, effects, look, changes);
            if !calling.recorded {
                self.tell_recorders(table, &calling.changes);
            }
        }
        let table = self.tracees.threads.get(&tid)?.table;
        if calling.changes.denied {
            self.say_opaque(pid);
        }
        let mut sockets = std::mem::take(&mut calling.changes.sockets);
        sockets.extend(calling.subject);
        self.meet_unknown(tid, &call, &mut sockets);
        calling.each_descriptor(&call, |fd| {
            if !sockets.iter().any(|(known, _)| *known == fd) {
                let socket = self.descriptors.socket(table, fd);
                sockets.extend(socket.map(|socket| (fd, socket)));
            }
        });
        sockets.dedup();
        let wanted = self.wanted(pid, &call, !sockets.is_empty());
        calling.changes.sockets = sockets;
        if !wanted && !self.used_after_close(table, &call) {
            self.outbox.reuse(calling);
            return None;
        }
        if self.config.all_descriptors {
            self.note_files(&call, &mut calling);
        }
        Some(calling)
    }

    /// Notes what those of a call's descriptors are that are no sockets.
    fn note_files(&self, call: &Call, calling: &mut Calling) {
        let mut fds = Vec::new();
        calling.each_descriptor(call, |fd| fds.push(fd));
        let made = call.outcome.value().filter(|_| call.row.role == Role::File);
        fds.extend(made.map(|fd| fd as i32));
        for fd in fds {
            let socket = calling
                .changes
                .sockets
                .iter()
                .any(|(known, _)| *known == fd);
            if !socket && !calling.files.iter().any(|(known, _)| *known == fd) {
                calling.files.extend(file(calling.tid, fd));
            }
        }
    }

    /// A call that only sockets can make succeeded on a descriptor that the table does not know: it came by a way that no call shows
    /// (io_uring, a process outside the trace), so the kernel is asked.
    fn meet_unknown(&mut self, tid: i32, call: &Call, sockets: &mut Vec<(i32, Socket)>) {
        let Some(fd) = call.descriptor() else { return };
        let known = sockets.iter().any(|(known, _)| *known == fd);
        if known || !call.row.is_network() || call.outcome.value().is_none() {
            return;
        }
        if let Some(thread) = self.tracees.threads.get(&tid) {
            let opens = Effect::Opens {
                fd,
                origin: Origin::Elsewhere,
                cloexec: false,
            };
            let table = thread.table;
            let changes = self
                .descriptors
                .apply(table, &[opens], &|fd| procfs::look(tid, fd));
            self.tell_recorders(table, &changes);
            sockets.extend(changes.sockets);
        }
    }

    /// Whether the call is to be told.
    pub(super) fn wanted(&self, pid: i32, call: &Call, socket: bool) -> bool {
        if self.tracees.hidden(pid) {
            return false;
        }
        match call.row.role {
            Role::Engine => self.selected(call.row),
            Role::Create | Role::IoUring => true,
            Role::File => self.config.all_descriptors || self.selected(call.row),
            // epoll_wait and epoll_create name no socket; the others name theirs.
            Role::Poll => {
                socket
                    || self.config.all_descriptors
                    || call.row.is_opaque_wait()
                    || call.row.opens.is_some()
            }
            // close_range names none either.
            _ if call.row.descriptor_arguments().next().is_none() => true,
            _ => socket || self.config.all_descriptors || call.row.is_network(),
        }
    }

    /// Whether the call was made on a socket's number after that was closed, and nothing else had come in its place.
    fn used_after_close(&mut self, table: TableId, call: &Call) -> bool {
        let Some(fd) = call.descriptor() else {
            return false;
        };
        if !self.descriptors.was_socket(table, fd) {
            return false;
        }
        let recording = self.recordings.values().find(|one| one.table == table);
        if recording.is_some_and(|recording| !recording.was_socket(fd)) {
            // Calls on what came in its place have passed.
            self.descriptors.is_no_socket(table, fd);
            return false;
        }
        let closed = call.outcome == Outcome::Error(libc::EBADF);
        if !closed && call.outcome != Outcome::Unfinished {
            self.descriptors.is_no_socket(table, fd);
        }
        closed
    }

    /// Says, once a process, that the kernel does not let us look into it.
    pub(super) fn say_opaque(&mut self, pid: i32) {
        if self.tracees.hidden(pid) {
            return;
        }
        if let Some(process) = self.tracees.processes.get_mut(&pid)
            && !std::mem::replace(&mut process.opaque, true)
        {
            let text = format!(
                "{}[{pid}] may not be looked into: the kernel keeps its memory and descriptors from ordinary users (its file is not \
                 readable, or it asked for that), so addresses and data stay unknown; root sees them",
                process.name
            );
            self.outbox.send(Event::Notice(Notice::Text(text)), None);
        }
    }

    fn notice_io_uring(&mut self, calling: &Calling) {
        let refused = self.config.refuse_io_uring;
        let Some(process) = self.tracees.processes.get_mut(&calling.pid) else {
            return;
        };
        let news = !std::mem::replace(&mut process.uses_io_uring, true);
        if news && (refused || calling.outcome.value().is_some()) {
            let notice = Notice::IoUring {
                pid: calling.pid,
                time: calling.end,
                refused,
            };
            self.outbox.send(Event::Notice(notice), None);
        }
    }
}

/// Whether a close_range(2) gives its thread a table of its own.
fn unshares(raw: &Raw) -> bool {
    raw.number == libc::SYS_close_range as u64
        && raw.args[2] as u32 & libc::CLOSE_RANGE_UNSHARE != 0
}

/// What a descriptor that is no socket leads to.
fn file(tid: i32, fd: i32) -> Option<(i32, Descriptor)> {
    let bytes = procfs::descriptor(tid, fd)?;
    let len = bytes.len() as u64;
    Some((fd, Descriptor::File(Data { bytes, len })))
}
