//! When a process needs a further filter, and which: its sockets grow in number, or this is the last moment at which it can have one.

use std::ops::RangeInclusive;

use super::abi;
use super::calling::Calling;
use super::coverage::Scope;
use super::descriptors::{Descriptors, TableId};
use super::engine::Engine;
use super::event::{Event, Notice};
use super::inject::Then;
use super::memory::TraceeMemory;
use super::places;
use super::procfs;
use super::stopped::{Gone, Stopped, interrupt};
use super::tracees::{CallByCall, Process};
use crate::syscall::{Memory, Raw};

/// The errors by which the kernel says that a call is to be made once more (include/linux/errno.h).
const RESTARTS: RangeInclusive<i64> = -516..=-512;

/// Where calls are recorded, each filter covers so many times the descriptors that there are, and at least so many.
const AHEAD: u32 = 8;

/// See [`AHEAD`].
const MANY: u32 = 63;

/// Why a process can have no more filters.
const GIVES_UP: &str = "it gives privileges up";
/// See [`GIVES_UP`].
const MAPS: &str = "it has memory at addresses of ours";
/// See [`GIVES_UP`].
const SHARES: &str = "it shares its descriptors with another process";

impl Engine {
    /// A call with that result is over. Its thread runs on as soon as what is `told` of it is on its way; but its process may get a
    /// filter first.
    pub(super) fn go_on(
        &mut self,
        stopped: Stopped,
        told: Option<Box<Calling>>,
        value: i64,
    ) -> Result<(), Gone> {
        let tid = stopped.tid();
        // A signal waits in these cases, and the thread's mask may be a call's own (epoll_pwait): nothing may come between.
        let interrupted = RESTARTS.contains(&value) || value == -i64::from(libc::EINTR);
        let idle = told.is_none() && !interrupted;
        if self.wants_filter(tid, idle)
            && !interrupted
            && let Some(scope) = self.next_scope(tid)
        {
            return self.add_filter(stopped, scope, Then::GoOn(told));
        }
        self.tell_call(stopped, told);
        Ok(())
    }

    /// Runs a thread on, as soon as the call that it has made is on its way.
    pub(super) fn tell_call(&mut self, stopped: Stopped, told: Option<Box<Calling>>) {
        match told {
            Some(calling) => {
                let held = self.hold(stopped, 0);
                self.outbox.send_call(calling, Some(held));
            }
            None => self.resume(stopped, 0),
        }
    }

    /// Whether the thread's process should have a further filter now. `idle` says that a call stopped in vain.
    pub(super) fn wants_filter(&mut self, tid: i32, idle: bool) -> bool {
        let Some(thread) = self.tracees.threads.get(&tid) else {
            return false;
        };
        let (pid, table) = (thread.pid, thread.table);
        let Some(process) = self.tracees.processes.get_mut(&pid) else {
            return false;
        };
        let coverage = &process.coverage;
        let news = self.descriptors.take_fresh(table, |fd| coverage.covers(fd));
        if !self.filtered || !process.takes_filters() {
            return false;
        }
        let coverage = &mut process.coverage;
        // Where calls are recorded, stopping them all costs more than a filter.
        let recorded = self.recordings.contains_key(&process.space);
        if news {
            coverage.opened();
            return recorded || self.runs_freely_beside(pid, tid);
        }
        recorded && coverage.is_open() || idle && coverage.idled()
    }

    /// What the next filter of the process should cover; nothing where the sockets for which it was wanted are gone.
    pub(super) fn next_scope(&mut self, tid: i32) -> Option<Scope> {
        let pid = self.tracees.threads.get(&tid)?.pid;
        let process = self.tracees.processes.get(&pid)?;
        let recorded = self.recordings.contains_key(&process.space);
        let at_once = recorded || self.runs_freely_beside(pid, tid);
        let open = self.missing(tid, Descriptors::open)?;
        let mut all = self.missing(tid, Descriptors::open_or_former)?;
        let coverage = &mut self.process_of(tid)?.coverage;
        if recorded && let Some(last) = all.last_mut() {
            // Others will follow without a stop. A file that is covered costs little where calls are recorded.
            *last = *last.start()..=last.end().saturating_mul(AHEAD).max(MANY);
        }
        if all.is_empty() {
            coverage.settled();
            return None;
        }
        // The number of a closed socket is soon a file's, as a rule, and then of no interest any more.
        match at_once || coverage.is_overdue() {
            true => Some(Scope::Members(all)),
            false => (!open.is_empty()).then_some(Scope::Members(open)),
        }
    }

    /// A filter is in force in the thread's process. Others may have made sockets while it was being installed.
    pub(super) fn grown(&mut self, tid: i32, scope: Scope) {
        self.filters += 1;
        if let Some(process) = self.process_of(tid) {
            process.coverage.added(scope);
        }
        self.cover_recorded(tid);
        let missing = self.missing(tid, Descriptors::open_or_former);
        if missing.is_some_and(|missing| !missing.is_empty())
            && let Some(process) = self.process_of(tid)
        {
            process.coverage.opened();
        }
    }

    /// Those descriptors that no filter of the process covers, as a filter would name them.
    fn missing(
        &self,
        tid: i32,
        of: fn(&Descriptors, TableId) -> Vec<i32>,
    ) -> Option<Vec<RangeInclusive<u32>>> {
        let pid = self.tracees.threads.get(&tid)?.pid;
        let process = self.tracees.processes.get(&pid)?;
        let threads = process.threads.iter();
        let tables = threads.filter_map(|tid| Some(self.tracees.threads.get(tid)?.table));
        let mut fds: Vec<i32> = Vec::new();
        let mut seen = Vec::new();
        for table in tables {
            if !seen.contains(&table) {
                seen.push(table);
                fds.extend(of(&self.descriptors, table));
            }
        }
        fds.sort_unstable();
        Some(process.coverage.plan(fds))
    }

    /// Whether another thread of the process runs past calls that no filter stops, and would miss those on a new socket.
    fn runs_freely_beside(&self, pid: i32, tid: i32) -> bool {
        let process = self.tracees.processes.get(&pid);
        process.is_some_and(|process| {
            let others = process.threads.iter().filter(|other| **other != tid);
            others
                .filter_map(|other| self.tracees.threads.get(other))
                .any(|other| other.free)
        })
    }

    /// Why the call that begins takes away the means of installing filters where they are needed, if it does: after it the process may
    /// have a filter of its own, no privilege, or share its descriptors with another process, whose filters are not its own.
    pub(super) fn last_chance(&self, tid: i32, raw: &Raw) -> Option<&'static str> {
        let thread = self.tracees.threads.get(&tid)?;
        let process = self.tracees.processes.get(&thread.pid)?;
        if !self.filtered || !process.takes_filters() {
            return None;
        }
        // Not 0, and not -1, which leaves the number as it is.
        let other_user = |number: u64| ![0, u32::MAX].contains(&(number as u32));
        let (is_last, why) = match raw.number as libc::c_long {
            libc::SYS_seccomp | libc::SYS_prctl => (sets_filter(raw), "it makes a filter itself"),
            libc::SYS_setuid => (other_user(raw.args[0]), GIVES_UP),
            libc::SYS_setreuid | libc::SYS_setresuid => (other_user(raw.args[1]), GIVES_UP),
            libc::SYS_capset => (true, GIVES_UP),
            libc::SYS_clone => (shares_only_descriptors(raw.args[0]), SHARES),
            libc::SYS_clone3 => {
                let mut flags = [0; 8];
                let read = TraceeMemory::of(tid).read(raw.args[0], &mut flags);
                let flags = u64::from_ne_bytes(flags);
                (read == 8 && shares_only_descriptors(flags), SHARES)
            }
            _ => return None,
        };
        (is_last && (why != GIVES_UP || self.privileged)).then_some(why)
    }

    /// A process that has its last chance gets a filter by which all calls stop that could concern a socket; then its thread makes the
    /// call that it was about to make.
    pub(super) fn take_last_chance(
        &mut self,
        stopped: Stopped,
        why: &str,
        then: Then,
    ) -> Result<(), Gone> {
        let text = format!("goes on as with --engine number: {why}");
        self.remark_on(stopped.tid(), &text);
        self.add_filter(stopped, Scope::Everything, then)
    }

    /// Whatever the thread's process does from the page that our filters let pass would go unseen: once it maps something there,
    /// each of its calls stops.
    pub(super) fn watch_mappings(&mut self, tid: i32, raw: &Raw) {
        if self.filtered && places::maps_near_page(raw) {
            self.go_call_by_call(tid, CallByCall::UntilExec, MAPS);
        }
    }

    /// The same of a program whose file brings such a mapping with it.
    pub(super) fn watch_image(&mut self, pid: i32) {
        let mapped = || TraceeMemory::of(pid).read(places::PASSING_PAGE, &mut [0]) != 0;
        if self.filtered && mapped() {
            self.go_call_by_call(pid, CallByCall::UntilExec, MAPS);
        }
    }

    /// Before a call that puts a socket where a descriptor of another kind is: which filter must be there by then, since other threads
    /// may be using that number without a stop.
    pub(super) fn covers_target(&self, tid: i32, raw: &Raw) -> Option<Scope> {
        let number = raw.number as libc::c_long;
        if ![libc::SYS_dup2, libc::SYS_dup3].contains(&number) {
            return None;
        }
        let thread = self.tracees.threads.get(&tid)?;
        let process = self.tracees.processes.get(&thread.pid)?;
        let (from, to) = (raw.args[0] as i32, raw.args[1] as i32);
        let will_run = process.threads.len() > 1 && !process.coverage.is_open();
        let wanted = self.filtered
            && process.takes_filters()
            && !process.coverage.covers(to)
            && self.descriptors.socket(thread.table, from).is_some()
            && (will_run || self.runs_freely_beside(thread.pid, tid));
        (wanted && to >= 0).then(|| Scope::Members(vec![to as u32..=to as u32]))
    }

    /// From now on every call of the thread's process stops.
    pub(super) fn go_call_by_call(&mut self, tid: i32, how: CallByCall, why: &str) {
        let pid = self
            .tracees
            .threads
            .get(&tid)
            .map_or(0, |thread| thread.pid);
        let Some(process) = self.tracees.processes.get_mut(&pid) else {
            return;
        };
        let before = std::mem::replace(&mut process.call_by_call, how);
        if before != CallByCall::No {
            if before == CallByCall::ForGood {
                process.call_by_call = before;
            }
            return;
        }
        let space = process.space;
        let others: Vec<i32> = process.threads.iter().copied().collect();
        self.remark_on(tid, &format!("goes on as with --engine syscall: {why}"));
        if let Some(recording) = self.recordings.get(&space) {
            recording.end();
        }
        // Those that run past calls would miss what concerns them now.
        for other in others {
            if let Some(thread) = self.tracees.threads.get_mut(&other)
                && other != tid
                && thread.free
            {
                thread.nudged = interrupt(other).is_ok();
            }
        }
    }

    /// Undoes what our interruption did to a thread: most calls go on by themselves, but some have come back with EINTR, as they do
    /// for a signal (signal(7)), and are made once more where there is none.
    pub(super) fn unnudge(&mut self, stopped: &Stopped) -> Result<(), Gone> {
        let thread = self.tracees.threads.get_mut(&stopped.tid());
        if thread.is_none_or(|thread| !std::mem::take(&mut thread.nudged)) {
            return Ok(());
        }
        let mut registers = stopped.registers()?;
        if abi::was_interrupted(&registers) && !procfs::any_signal_pending(stopped.tid()) {
            abi::make_again(&mut registers);
            stopped.set_registers(&registers)?;
        }
        Ok(())
    }

    /// Which filters a new process has: another thread of its maker may have installed one just after it was made.
    pub(super) fn recount_filters(&mut self, tid: i32) {
        let before = procfs::status_number(std::process::id() as i32, "Seccomp_filters");
        let now = procfs::status_number(tid, "Seccomp_filters");
        let Some(process) = self.process_of(tid) else {
            return;
        };
        // Of the program's filters the first is the start filter. Where the kernel does not count (before 5.9), only that is sure.
        let additions = before.zip(now).map_or(0, |(before, now)| now - before - 1);
        process.coverage = process
            .coverage
            .first(usize::try_from(additions).unwrap_or(0));
    }

    /// The process of a thread.
    pub(super) fn process_of(&mut self, tid: i32) -> Option<&mut Process> {
        let pid = self.tracees.threads.get(&tid)?.pid;
        self.tracees.processes.get_mut(&pid)
    }

    /// [`Self::remark`] on the thread's process.
    pub(super) fn remark_on(&mut self, tid: i32, what: &str) {
        let thread = self.tracees.threads.get(&tid);
        let process = thread.and_then(|thread| {
            let process = self.tracees.processes.get(&thread.pid)?;
            Some(format!("{}[{}] {what}", process.name, thread.pid))
        });
        process.into_iter().for_each(|text| self.remark(text));
    }

    /// Says how calls are made to stop, to those who asked for it.
    pub(super) fn remark(&mut self, text: String) {
        if self.config.debug {
            self.outbox.send(Event::Notice(Notice::Engine(text)), None);
        }
    }
}

/// Whether the call gives its process a seccomp filter, if it succeeds. The kernel looks at the lower half of these arguments only.
pub(super) fn sets_filter(raw: &Raw) -> bool {
    let first = raw.args[0] as u32;
    match raw.number as libc::c_long {
        libc::SYS_seccomp => first <= libc::SECCOMP_SET_MODE_FILTER,
        libc::SYS_prctl => first == libc::PR_SET_SECCOMP as u32,
        _ => false,
    }
}

/// PR_SET_SYSCALL_USER_DISPATCH of prctl(2).
pub(super) const DISPATCH: u32 = 59;

/// Whether after the call the program may learn where in its memory it makes its calls (or can no longer read the time stamp counter):
/// filters may ask, and SIGSYS tells.
pub(super) fn tells_addresses(raw: &Raw) -> bool {
    let first = raw.args[0] as u32;
    let asks = [DISPATCH, libc::PR_SET_TSC as u32].contains(&first);
    sets_filter(raw) || raw.number == libc::SYS_prctl as u64 && asks
}

/// Whether a child with these CLONE_* flags is a process of its own with its maker's descriptors.
fn shares_only_descriptors(flags: u64) -> bool {
    let both = (libc::CLONE_FILES | libc::CLONE_THREAD) as u64;
    flags & both == libc::CLONE_FILES as u64
}
