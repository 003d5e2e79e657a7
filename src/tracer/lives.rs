//! How threads and processes begin, become other programs, are stopped and end.

use std::time::{Duration, Instant};

use super::abi;
use super::engine::Engine;
use super::event::{Change, Event, Notice, Status};
use super::outbox::Held;
use super::privilege;
use super::probe::frames::Frames;
use super::procfs;
use super::recorder::space::SpaceId;
use super::signals::{self, Watched};
use super::stopped::{Gone, Stopped};
use super::tracees::{CallByCall, Doing, Process};
use crate::syscall::Data;

/// How long what goes on beside a stopped program may keep us from stopping too.
const AT_LATEST: Duration = Duration::from_millis(300);

/// How many signals pass while events wait for the output.
const MOST_SIGNALS: u32 = 4096;

/// How long a thread that ended before we knew it is remembered; its number may come again.
const STILLBORN: Duration = Duration::from_secs(1);

/// How long a new thread waits for its maker's word before /proc is asked instead: the maker may have been killed.
const ORPHANED: Duration = Duration::from_millis(100);

impl Engine {
    /// A thread made another one.
    pub(super) fn child_made(&mut self, stopped: Stopped, cloned: bool) -> Result<(), Gone> {
        let parent = stopped.tid();
        let child = stopped.event_message()?;
        if !self.tracees.threads.contains_key(&child) {
            let flags = self
                .tracees
                .threads
                .get_mut(&parent)
                .and_then(|thread| thread.clone_flags.take());
            let flags = match flags {
                Some(flags) => flags,
                // The filter lets clone pass where it either makes a thread that shares its descriptors, or a process that does not.
                None if cloned && procfs::status_number(child, "Tgid") != Some(child) => {
                    (libc::CLONE_THREAD | libc::CLONE_FILES) as u64
                }
                None => 0,
            };
            if self.stillborn.remove(&child).is_some() {
                self.resume(stopped, 0);
                return Ok(());
            }
            let held = self.hold(stopped, 0);
            self.born(child, parent, flags, Some(held));
        } else {
            self.resume(stopped, 0);
        }
        match self.newborn.remove(&child) {
            Some((newborn, stop, _)) => self.stopped(newborn, stop),
            None => Ok(()),
        }
    }

    /// Books a new thread made by `parent` with these CLONE_* flags.
    fn born(&mut self, child: i32, parent: i32, flags: u64, held: Option<Held>) {
        let Some(maker) = self.tracees.threads.get(&parent) else {
            held.into_iter().for_each(Held::resume);
            return;
        };
        let (table, undo) = (maker.table, maker.undo);
        let is_thread = flags & libc::CLONE_THREAD as u64 != 0;
        let pid = if is_thread { maker.pid } else { child };
        let hidden = self.tracees.hidden(maker.pid) || (!is_thread && !self.config.follow);
        let shares = flags & libc::CLONE_FILES as u64 != 0;
        let process = self.tracees.processes.get(&maker.pid);
        let call_by_call = process.map_or(CallByCall::No, |process| process.call_by_call);
        let recount = !is_thread && process.is_some_and(|process| process.threads.len() > 1);
        // It has its maker's filters.
        let coverage =
            process.map_or_else(|| self.start.clone(), |process| process.coverage.clone());
        // What other threads did to it meanwhile may be booked here before, and done there after the copy was made.
        let resync = !shares && self.descriptors.is_shared(table);
        let table = if shares {
            self.descriptors.share(table)
        } else {
            self.descriptors.copy(table)
        };
        // What fork(2) and clone(2) make has its maker's name.
        let name = process.map_or_else(|| procfs::name(child), |process| process.name.clone());
        let space = process.map(|process| process.space);
        let space = match space {
            Some(space) if is_thread => space,
            Some(space) => self.space_of_child(space, parent, child),
            None => self.new_space(),
        };
        if shares && !is_thread {
            // What one of them does with the descriptors, the other's recorder would not know.
            self.switch_off(space);
            self.no_recorder(parent, "it shares its descriptors with another process");
        }
        self.tracees.add(child, pid, table, || {
            Process::named(name.clone(), hidden, coverage, space)
        });
        if let Some(thread) = self.tracees.threads.get_mut(&child) {
            thread.undo = undo;
            thread.resync = resync;
            thread.recount = recount;
        }
        if let Some(process) = self.tracees.processes.get_mut(&pid) {
            process.call_by_call = call_by_call;
        }
        self.tell(
            pid,
            child,
            Change::Started {
                parent: Some(parent),
                name,
                own: procfs::foreign_number(pid),
            },
            held,
        );
    }

    /// The address space of a process that a thread in `space` has made.
    fn space_of_child(&mut self, space: SpaceId, parent: i32, child: i32) -> SpaceId {
        let Some(known) = self.spaces.get_mut(&space) else {
            return self.new_space();
        };
        // vfork(2), and clone(2) with CLONE_VM.
        if procfs::share_memory(parent, child) {
            known.users += 1;
            return space;
        }
        let copied = known.copied();
        self.add_space(copied)
    }

    /// A new thread's first stop: what was changed in its maker's call is undone in its copy.
    pub(super) fn first_stop(&mut self, stopped: &Stopped) {
        let tid = stopped.tid();
        let _gone: Result<(), Gone> = self.give_own_slot(stopped);
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            thread.begun = true;
            if std::mem::take(&mut thread.resync) {
                let table = thread.table;
                self.descriptors.resync(table, procfs::sockets(tid));
            }
            if std::mem::take(&mut thread.recount) {
                self.recount_filters(tid);
            }
        }
        let undo = self
            .tracees
            .threads
            .get_mut(&tid)
            .map(|thread| thread.undo.take());
        if let Some(undo) = undo.flatten() {
            let _gone: Result<(), Gone> = undo.apply(stopped);
        }
        // Nobody runs beside a new process: its first calls stop, should a socket of its have no filter.
        let _never_at_once = self.wants_filter(tid, false);
    }

    /// Books new threads whose maker died before it could say that it made them.
    pub(super) fn adopt_orphans(&mut self) {
        self.stillborn
            .retain(|_, since| since.elapsed() < STILLBORN);
        let due: Vec<i32> = self
            .newborn
            .iter()
            .filter(|(_, (_, _, since))| since.elapsed() > ORPHANED)
            .map(|(tid, _)| *tid)
            .collect();
        for tid in due {
            let Some((stopped, stop, _)) = self.newborn.remove(&tid) else {
                continue;
            };
            let pid = procfs::status_number(tid, "Tgid").unwrap_or(tid);
            let sibling = self
                .tracees
                .processes
                .get(&pid)
                .and_then(|process| process.threads.iter().next().copied());
            if let Some(sibling) = sibling {
                self.born(
                    tid,
                    sibling,
                    (libc::CLONE_THREAD | libc::CLONE_FILES) as u64,
                    None,
                );
            } else {
                let table = self.descriptors.create_inherited(procfs::sockets(tid));
                let name = procfs::name(tid);
                let hidden = !self.config.follow;
                // Nobody says what filters it has.
                let space = self.new_space();
                let mut process = Process::named(name.clone(), hidden, self.start.clone(), space);
                process.call_by_call = CallByCall::ForGood;
                self.tracees.add(tid, pid, table, || process);
                let own = procfs::foreign_number(pid);
                let started = Change::Started {
                    parent: None,
                    name,
                    own,
                };
                self.tell(pid, tid, started, None);
            }
            let _gone: Result<(), Gone> = self.stopped(stopped, stop);
        }
    }

    /// A thread became another program: it is the leader now, and its process's only thread.
    pub(super) fn executed(&mut self, stopped: Stopped) {
        let pid = stopped.tid();
        let former = stopped.event_message().ok().filter(|former| *former != pid);
        // What the others were writing down is over with them, and may keep back what this thread has.
        let caller = former.unwrap_or(pid);
        let process = self.tracees.processes.get(&pid);
        let mut others: Vec<i32> = process.map_or_else(Vec::new, |process| {
            let others = process.threads.iter().filter(|tid| **tid != caller);
            others.copied().collect()
        });
        others.sort_by_key(|tid| self.recorder_turn(*tid));
        for other in others {
            self.recorder_cut_off(other);
        }
        if let Some(former) = former
            && let Some(mut thread) = self.tracees.threads.remove(&former)
        {
            // The old leader is gone without a word of its own; the thread took its number.
            self.outbox.forget(pid);
            self.forget_stalled(pid);
            for gone in [pid, former] {
                let _gone: Result<(), Gone> = self.has_left(gone);
            }
            let leader = self.tracees.threads.get_mut(&pid);
            if let Some(Doing::Calling(calling)) =
                leader.map(|leader| std::mem::take(&mut leader.doing))
            {
                self.call_cut_off(pid, calling);
            }
            if let Some(leader) = self.tracees.threads.remove(&pid) {
                if let Some(injection) = leader.injection {
                    let space = self
                        .tracees
                        .processes
                        .get(&pid)
                        .map(|process| process.space);
                    self.injection_cut_off(*injection, space);
                }
                self.descriptors.leave(leader.table);
            }
            thread.begun = true;
            thread.clone_flags = None;
            thread.interrupted = None;
            thread.nudged = false;
            self.tracees.threads.insert(pid, thread);
            if let Some(process) = self.tracees.processes.get_mut(&pid) {
                process.threads.remove(&former);
                process.threads.insert(pid);
            }
        }
        let Some(thread) = self.tracees.threads.get_mut(&pid) else {
            self.resume(stopped, 0);
            return;
        };
        thread.frames = Frames::default();
        let (table, released) = self.descriptors.exec(thread.table);
        thread.table = table;
        let space = self.new_space();
        if let Some(process) = self.tracees.processes.get_mut(&pid) {
            let before = std::mem::replace(&mut process.space, space);
            self.leave_space(before);
        }
        let name = procfs::name(pid);
        if let Some(process) = self.tracees.processes.get_mut(&pid) {
            process.name.clone_from(&name);
            process.uses_io_uring = false;
            process.hosts = None;
            process.places.clear();
            if process.call_by_call == CallByCall::UntilExec {
                process.call_by_call = CallByCall::No;
                // Its sockets have come unnoticed by the filters.
                process.coverage.opened();
            }
        }
        self.watch_image(pid);
        if pid == self.main {
            self.main_name.clone_from(&name);
        }
        let bytes = procfs::executable(pid);
        if bytes.is_empty() {
            self.say_opaque(pid);
        }
        let registers = stopped.registers();
        if let Ok(registers) = &registers {
            self.watch_beginning(pid, registers);
        }
        if registers.is_ok_and(|registers| abi::is_32_bit(&registers)) && !self.tracees.hidden(pid)
        {
            let text = format!(
                "{name}[{pid}] is a 32-bit program: its calls are not decoded, and not shown"
            );
            self.outbox.send(Event::Notice(Notice::Text(text)), None);
        }
        // Where the tracer is privileged, so is what it traces.
        let may_lose = !(self.privileged && self.root);
        if may_lose && privilege::lost(pid) && !self.tracees.hidden(pid) {
            let path = String::from_utf8_lossy(&bytes).into_owned();
            self.outbox
                .send(Event::Notice(Notice::PrivilegeLost { pid, path }), None);
        }
        let path = Data {
            len: bytes.len() as u64,
            bytes,
        };
        let held = self.hold(stopped, 0);
        self.tell(
            pid,
            pid,
            Change::Executed {
                name,
                path,
                released,
                former,
            },
            Some(held),
        );
    }

    /// A thread is gone.
    pub(super) fn thread_ended(&mut self, tid: i32, status: Status) {
        self.newborn.remove(&tid);
        self.forget_stalled(tid);
        let _gone: Result<(), Gone> = self.has_left(tid);
        self.recorder_cut_off(tid);
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            self.stillborn.insert(tid, Instant::now());
            return;
        };
        if let Doing::Calling(calling) = std::mem::take(&mut thread.doing) {
            self.call_cut_off(tid, calling);
        }
        let space = self.space_of(tid);
        let Some((mut thread, process)) = self.tracees.remove(tid) else {
            return;
        };
        if let Some(injection) = thread.injection.take() {
            self.injection_cut_off(*injection, space);
        }
        let released = self.descriptors.leave(thread.table);
        self.tell(
            thread.pid,
            tid,
            Change::Ended {
                status,
                released,
                process,
            },
            None,
        );
        if process {
            if let Some(process) = self.tracees.processes.remove(&thread.pid) {
                self.leave_space(process.space);
            }
            if thread.pid == self.main {
                self.main_ended(status);
            }
        }
    }

    /// A signal is about to be delivered: it passes, once and unchanged.
    pub(super) fn signal(&mut self, stopped: Stopped, pid: i32, signal: i32) -> Result<(), Gone> {
        let (code, sender) = stopped.signal_origin()?;
        let tid = stopped.tid();
        self.settle_in_slot(&stopped)?;
        if self.settle(&stopped, signal, code)? {
            self.resume(stopped, 0);
            return Ok(());
        }
        let held = self.hold(stopped, signal);
        // It may be meant to end a program whose trace nobody reads: that does not wait for a reader. (A flood of them does.)
        let full = self.outbox.full();
        self.signals_passed = if full { self.signals_passed + 1 } else { 0 };
        let held = match full && self.signals_passed <= MOST_SIGNALS {
            true => {
                held.resume();
                None
            }
            false => Some(held),
        };
        self.tell(
            pid,
            tid,
            Change::Signal {
                signal,
                code,
                sender,
            },
            held,
        );
        Ok(())
    }

    /// A stopping signal stops the process; the thread stays where SIGCONT reaches it.
    pub(super) fn group_stop(&mut self, stopped: Stopped, pid: i32, signal: i32) {
        let tid = stopped.tid();
        let first = self
            .tracees
            .processes
            .get_mut(&pid)
            .is_some_and(|process| !std::mem::replace(&mut process.stopped, true));
        if first {
            self.tell(pid, tid, Change::Stopped { signal }, None);
        }
        // A stop is reported before the thread has left its CPU, which counts as one more switch; a ptrace request waits for that.
        let _ = stopped.event_message();
        if let Some(thread) = self.tracees.threads.get_mut(&tid) {
            thread.asleep_since = procfs::switches(tid);
        }
        stopped.listen();
        if tid == self.main {
            self.stop_with_program_at = Some(Instant::now() + AT_LATEST);
            self.continue_program_at = None;
            self.stop_signal = signal;
        }
    }

    /// Stops us when the program has stopped, so that the shell sees its job stopped: when all is quiet, so that whatever stops with
    /// the program has been seen to it, or at the latest after a while, since its children may go on.
    pub(super) fn stop_with_program(&mut self) {
        let now = Instant::now();
        let quiet = std::mem::replace(&mut self.stops_before, self.stops) == self.stops;
        if self.continue_program_at.is_some_and(|at| now >= at) {
            self.continue_program_at = None;
            signals::send(self.main, libc::SIGCONT);
        }
        let Some(at_latest) = self.stop_with_program_at else {
            return;
        };
        if !(quiet || now >= at_latest) || !signals::same_job(self.main) {
            return;
        }
        let threads: Vec<Watched> = self
            .tracees
            .threads
            .iter()
            .map(|(tid, thread)| Watched {
                tid: *tid,
                asleep_since: thread.asleep_since,
            })
            .collect();
        let continued =
            signals::stop_ourselves(self.stop_signal, &threads, !self.config.stay_for_children);
        let later = Instant::now() + AT_LATEST;
        if continued {
            // Whoever continues the job continues the program too; what comes to us alone is meant for it.
            self.stop_with_program_at = None;
            self.continue_program_at = Some(later);
        } else {
            self.stop_with_program_at = Some(later);
        }
    }

    /// The group-stop is over.
    pub(super) fn group_stop_over(&mut self, pid: i32, tid: i32) {
        if tid == self.main {
            self.stop_with_program_at = None;
            self.continue_program_at = None;
        }
        let over = self
            .tracees
            .processes
            .get_mut(&pid)
            .is_some_and(|process| std::mem::take(&mut process.stopped));
        if over {
            self.tell(pid, tid, Change::Continued, None);
        }
    }
}
