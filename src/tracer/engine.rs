//! The event loop: one wait, and what each stop leads to.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::calling::Calling;
use super::coverage::Coverage;
use super::descriptors::Descriptors;
use super::event::{Change, Event, Nanos, Notice, ProcessEvent, SocketId, Status};
use super::filter::RET_DATA;
use super::outbox::{Held, Outbox};
use super::places;
use super::probe::symbols::Symbols;
use super::procfs;
use super::recorder::clear::Clearing;
use super::recorder::recording::{self, Recording};
use super::recorder::space::{Space, SpaceId};
use super::recorder::tsc::Tsc;
use super::signals::Signals;
use super::start::{Clock, Config, Trace};
use super::stopped::{Gone, Resume, Stop, Stopped, SyscallInfo, Waited};
use super::tracees::{CallByCall, Doing, Process, Tracees};
use super::turns::Turns;
use super::watch::Watch;
use crate::syscall::{Entry, NoMemory, Outcome};
use rustc_hash::{FxHashMap, FxHashSet};

/// A call in flight is reported once it has blocked for so long.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The tracer of one program and all that it starts.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    pub(super) tracees: Tracees,
    pub(super) descriptors: Descriptors,
    pub(super) outbox: Outbox,
    pub(super) watch: Watch,
    pub(super) main: i32,
    pub(super) filtered: bool,
    /// How many filters were added to the first one, in all processes.
    pub(super) filters: u64,
    /// What the start filter covers.
    pub(super) start: Coverage,
    /// Whether a process may install filters as long as it keeps its privilege only.
    pub(super) privileged: bool,
    /// Whether we are root.
    pub(super) root: bool,
    pub(super) signals: Signals,
    /// What processes have in memory, as far as we have changed it.
    pub(super) spaces: FxHashMap<SpaceId, Space>,
    /// The last of their names.
    pub(super) last_space: SpaceId,
    /// What is being recorded in them.
    pub(super) recordings: FxHashMap<SpaceId, Recording>,
    /// Whether anything is to be recorded.
    pub(super) records: bool,
    /// Whether anything can be here, once that was asked.
    pub(super) can_record: OnceCell<bool>,
    pub(super) tsc: Tsc,
    /// How many calls came by a recorder.
    pub(super) recorded: u64,
    /// What is known of the files of objects, by their first bytes.
    pub(super) files: FxHashMap<Box<[u8]>, Arc<Symbols>>,
    /// Programs that have nothing to probe, by the same.
    pub(super) plain: FxHashSet<Box<[u8]>>,
    /// Where in the kernel's own object an instruction makes calls, once somebody has looked.
    pub(super) vdso_call: Option<u64>,
    /// Threads that wait until others have left the recorder's code.
    pub(super) clearings: Vec<Clearing>,
    /// Threads that wait for room for their records, and their sites.
    pub(super) stalled: Vec<(Stopped, u64)>,
    /// How many signals have passed since events had to wait.
    pub(super) signals_passed: u32,
    /// Places for a record, and for the names of the spaces that are recorded.
    pub(super) record: Vec<u8>,
    pub(super) recorded_spaces: Vec<SpaceId>,
    /// New threads whose maker has not yet said that it made them, and since when they wait.
    pub(super) newborn: HashMap<i32, (Stopped, Stop, Instant)>,
    /// Threads that ended before their maker said that it made them.
    pub(super) stillborn: HashMap<i32, Instant>,
    alarm: Alarm,
    pub(super) clock: Clock,
    /// The program's end.
    ended: Option<(Status, Instant)>,
    /// The program's name, which outlives it.
    pub(super) main_name: String,
    said_whom_we_wait_for: bool,
    pub(super) stops: u64,
    /// How many stops there had been at the last tick.
    pub(super) stops_before: u64,
    /// The program is in a group-stop; by then at the latest we stop too.
    pub(super) stop_with_program_at: Option<Instant>,
    /// The signal that stopped the program.
    pub(super) stop_signal: i32,
    /// We were continued; if the program was not by then, it is by us.
    pub(super) continue_program_at: Option<Instant>,
}

/// How a run went.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// How the program itself ended.
    pub status: Status,
    /// How often its threads were stopped.
    pub stops: u64,
    /// How many calls were told.
    pub calls: u64,
    /// How many filters were added to the first one.
    pub filters: u64,
    /// How many of the calls were recorded without a stop.
    pub recorded: u64,
}

impl Engine {
    /// Takes over the launched program.
    pub fn new(trace: Trace, config: Config, outbox: Outbox) -> Self {
        let clock = trace.clock();
        let records = trace.filtered
            && config.mechanism.records()
            && !config.all_descriptors
            && recording::sizes(config.limits).is_some();
        let mut engine = Self {
            config,
            spaces: FxHashMap::default(),
            last_space: SpaceId(0),
            recordings: FxHashMap::default(),
            records,
            can_record: OnceCell::new(),
            tsc: Tsc::start(clock),
            recorded: 0,
            files: FxHashMap::default(),
            plain: FxHashSet::default(),
            vdso_call: None,
            clearings: Vec::new(),
            stalled: Vec::new(),
            signals_passed: 0,
            record: Vec::new(),
            recorded_spaces: Vec::new(),
            tracees: Tracees::default(),
            descriptors: Descriptors::default(),
            outbox,
            watch: Watch::default(),
            main: trace.pid,
            filtered: trace.filtered,
            filters: 0,
            start: trace.coverage,
            privileged: trace.privileged,
            root: nix::unistd::geteuid().is_root(),
            signals: Signals::new(trace.decoy),
            newborn: HashMap::new(),
            stillborn: HashMap::new(),
            alarm: trace.alarm,
            clock,
            ended: None,
            main_name: String::new(),
            said_whom_we_wait_for: false,
            stops: 0,
            stops_before: 0,
            stop_with_program_at: None,
            stop_signal: libc::SIGSTOP,
            continue_program_at: None,
        };
        engine.begin(trace.stopped, trace.execve, trace.inherited);
        engine
    }

    /// The program's first moment: its descriptors are what it inherited.
    fn begin(
        &mut self,
        stopped: Stopped,
        execve: Option<Entry>,
        inherited: Vec<(i32, SocketId, bool)>,
    ) {
        let pid = self.main;
        let table = self.descriptors.create_inherited(inherited);
        let name = procfs::name(pid);
        let space = self.new_space();
        let mut process = Process::named(name.clone(), false, self.start.clone(), space);
        // Beyond root nobody keeps a privilege through execve.
        if self.privileged && !self.root && !self.start.is_everything() {
            process.call_by_call = CallByCall::ForGood;
        }
        self.tracees.add(pid, pid, table, || process);
        if let Some(thread) = self.tracees.threads.get_mut(&pid) {
            thread.begun = true;
        }
        let started = Change::Started {
            parent: None,
            name,
            own: procfs::foreign_number(pid),
        };
        self.tell(pid, pid, started, None);
        if let Some(entry) = execve {
            let mut calling = Box::new(Calling::new(entry));
            (calling.pid, calling.tid) = (pid, pid);
            let outcome = Outcome::Value(0);
            calling.leave(self.now(), outcome, &NoMemory, self.config.limits);
            self.outbox.send_call(calling, None);
        }
        self.executed(stopped);
    }

    /// Runs until the last tracee is gone. With [`Config::stay_for_children`] off, the trace ends with the program itself: the queue
    /// is closed and `left_behind` called once, and what runs on is the program's children, unseen.
    pub fn run(mut self, left_behind: impl FnOnce(Status)) -> Finished {
        let mut left_behind = (!self.config.stay_for_children).then_some(left_behind);
        let mut turns = Turns::default();
        while !(self.tracees.threads.is_empty() && self.newborn.is_empty()) {
            let alone = self.tracees.threads.len() + self.newborn.len() == 1;
            let processes = &self.tracees.processes;
            let leads_others = |tid| {
                processes
                    .get(&tid)
                    .is_some_and(|process| process.threads.len() > 1)
            };
            let mut next = turns.next(alone, leads_others);
            if self.outbox.flooded() {
                match self.stall(next) {
                    Some(other) => next = other,
                    None => continue,
                }
            }
            self.take_records();
            if !self.recordings.is_empty() {
                match self.in_its_time(next, &mut turns) {
                    Some(now) => next = now,
                    None => continue,
                }
            }
            match next {
                Waited::Stopped(stopped, stop) => {
                    self.stops += 1;
                    // A thread that was killed meanwhile says so by a later wait.
                    let _gone: Result<(), Gone> = self.stopped(stopped, stop);
                }
                Waited::Ended(tid, status) => self.thread_ended(tid, status),
                Waited::Interrupted => {}
                Waited::Nothing => break,
            }
            // Looked at each time: where stops never cease, no wait is ever interrupted.
            if self.alarm.is_ringing() {
                self.awake();
            }
            if let Some((status, _)) = self.ended
                && !self.outbox.full()
                && let Some(left_behind) = left_behind.take()
            {
                self.outbox.close();
                left_behind(status);
            }
        }
        // From here on nobody needs us, and whoever is tired of waiting for the output may end it.
        self.alarm.end_by_signals();
        self.outbox.finish();
        let status = self.ended.map_or(Status::Exited(125), |(status, _)| status);
        Finished {
            status,
            stops: self.stops,
            calls: self.outbox.calls(),
            filters: self.filters,
            recorded: self.recorded,
        }
    }

    /// A name for an address space with one process.
    pub(super) fn new_space(&mut self) -> SpaceId {
        self.add_space(Space::used())
    }

    /// The same for one that is known already.
    pub(super) fn add_space(&mut self, space: Space) -> SpaceId {
        self.last_space = self.last_space.next();
        self.spaces.insert(self.last_space, space);
        self.last_space
    }

    /// A process has left its address space.
    pub(super) fn leave_space(&mut self, id: SpaceId) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.users -= 1;
            if space.users == 0 {
                self.spaces.remove(&id);
                self.recordings.remove(&id);
            }
        }
    }

    /// What has happened, unless calls that were recorded before are on their way still.
    fn in_its_time(&mut self, next: Waited, turns: &mut Turns) -> Option<Waited> {
        let tid = match &next {
            Waited::Stopped(stopped, _) => stopped.tid(),
            Waited::Ended(tid, _) => *tid,
            Waited::Interrupted | Waited::Nothing => return Some(next),
        };
        let lives_on = matches!(next, Waited::Stopped(_, Stop::Signal(..)));
        if self.is_held_up(tid, lives_on) {
            return turns.put_off(next);
        }
        turns.went_on();
        Some(next)
    }

    pub(super) fn stopped(&mut self, stopped: Stopped, stop: Stop) -> Result<(), Gone> {
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            self.newborn.insert(tid, (stopped, stop, Instant::now()));
            return Ok(());
        };
        let pid = thread.pid;
        thread.asleep_since = None;
        let injected = thread.injection.is_some();
        let stopped = match injected {
            true => match self.injected_stop(stopped, stop)? {
                Some(stopped) => stopped,
                None => return Ok(()),
            },
            false => stopped,
        };
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        if !thread.begun {
            self.first_stop(&stopped);
            if stop == Stop::Trap {
                self.resume(stopped, 0);
                return Ok(());
            }
        }
        if self.is_to_leave(tid) {
            if stop == Stop::Trap {
                self.settle(&stopped, 0, 0)?;
            }
            self.has_left(tid)?;
        }
        match stop {
            Stop::Seccomp => match stopped.syscall_info()? {
                SyscallInfo::Seccomp { data, .. } if data != RET_DATA => {
                    self.foreign_stop(stopped)?
                }
                // Where every call stops, its entry stop came before this one.
                SyscallInfo::Seccomp { arch, raw, ip, .. } if !self.entered(tid, false) => {
                    self.call_arrives(stopped, arch, raw, ip)?
                }
                _ => self.resume(stopped, 0),
            },
            Stop::Syscall => match stopped.syscall_info()? {
                SyscallInfo::Entry { arch, raw, ip } => {
                    self.entered(tid, true);
                    self.call_arrives(stopped, arch, raw, ip)?
                }
                // A call of the recorder's, which tells of it itself.
                SyscallInfo::Exit { ip, value, .. }
                    if places::is_passing(ip) && self.has_code(tid) =>
                {
                    self.entered_nothing(tid);
                    self.go_on(stopped, None, value)?
                }
                SyscallInfo::Exit { value, error, .. } => self.call_left(stopped, value, error)?,
                _ => self.resume(stopped, 0),
            },
            Stop::Signal(libc::SIGTRAP) => {
                let (code, _) = stopped.signal_origin()?;
                if let Some(stopped) = self.trapped(stopped, code)? {
                    self.signal(stopped, pid, libc::SIGTRAP)?;
                }
            }
            Stop::Signal(signal) => self.signal(stopped, pid, signal)?,
            Stop::Group(signal) => {
                self.settle_writer(&stopped)?;
                self.group_stop(stopped, pid, signal)
            }
            Stop::Trap => {
                self.settle_writer(&stopped)?;
                self.group_stop_over(pid, tid);
                self.unnudge(&stopped)?;
                self.resume(stopped, 0);
            }
            Stop::Forked => self.child_made(stopped, false)?,
            Stop::Cloned => self.child_made(stopped, true)?,
            Stop::Exec => self.executed(stopped),
            Stop::Other => self.resume(stopped, 0),
        }
        Ok(())
    }

    /// The thread is not in a call that concerns us.
    pub(super) fn entered_nothing(&mut self, tid: i32) {
        self.entered(tid, false);
    }

    /// Whether the thread's present call has had its entry stop; notes that it has it now.
    fn entered(&mut self, tid: i32, now: bool) -> bool {
        self.tracees
            .threads
            .get_mut(&tid)
            .is_some_and(|thread| std::mem::replace(&mut thread.entered, now))
    }

    /// A filter of the program's own asks for a tracer's word. Without one the call answers ENOSYS (seccomp(2)), so it does here.
    fn foreign_stop(&mut self, stopped: Stopped) -> Result<(), Gone> {
        stopped.skip_call()?;
        self.resume(stopped, 0);
        Ok(())
    }

    /// Something other than a tracee ended the wait.
    fn awake(&mut self) {
        self.alarm.acknowledge();
        if !self.recordings.is_empty() {
            self.tsc.adjust(self.clock);
            // As long as nobody reads, the rings fill up and their threads wait.
            if !self.outbox.full() {
                self.take_records();
                self.unstall();
            }
        }
        self.outbox.advance();
        let received = self.alarm.received();
        let mut signalled = !received.is_empty();
        received
            .into_iter()
            .for_each(|one| self.signals.received(one));
        let targets = match self.ended {
            None => vec![self.main],
            Some(_) => self.tracees.processes.keys().copied().collect(),
        };
        signalled |= self.signals.pass_on(&targets);
        if signalled {
            // A thread that waits for the output could not take the signal.
            self.outbox.release();
            self.take_records();
            self.unstall();
        }
        self.adopt_orphans();
        self.report_waiting();
        self.look_around();
        self.stop_with_program();
        if let Some((_, at)) = self.ended
            && at.elapsed() > PATIENCE
            && !self.said_whom_we_wait_for
            && self.config.stay_for_children
        {
            self.say_whom_we_wait_for();
        }
    }

    fn say_whom_we_wait_for(&mut self) {
        self.said_whom_we_wait_for = true;
        let mut children: Vec<(i32, String)> = self
            .tracees
            .processes
            .iter()
            .map(|(pid, process)| (*pid, process.name.clone()))
            .collect();
        children.sort_unstable();
        if !children.is_empty() {
            self.outbox.send(
                Event::Notice(Notice::WaitingFor {
                    program: self.main_name.clone(),
                    children,
                }),
                None,
            );
        }
    }

    /// The program itself has ended.
    pub(super) fn main_ended(&mut self, status: Status) {
        self.ended = Some((status, Instant::now()));
        self.stop_with_program_at = None;
        self.continue_program_at = None;
    }

    /// Nanoseconds since the trace began.
    pub(super) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// How a thread runs on: to the end of its call where that is wanted, else to the next event.
    pub(super) fn how(&mut self, tid: i32) -> Resume {
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Resume::Free;
        };
        if let Some(injection) = &thread.injection {
            return injection.how;
        }
        let process = self.tracees.processes.get(&thread.pid);
        let to_call = matches!(thread.doing, Doing::Calling(_))
            || thread.undo.is_some()
            || thread.clone_flags.is_some()
            || thread.sandboxes
            || process.is_some_and(|process| {
                process.call_by_call != CallByCall::No || process.coverage.is_open()
            });
        thread.free = self.filtered && !to_call;
        // Let run at its entry, the call has no exit stop that would say so.
        thread.entered &= !thread.free;
        match thread.free {
            true => Resume::Free,
            false => Resume::ToCall,
        }
    }

    /// Runs a thread on.
    pub(super) fn resume(&mut self, stopped: Stopped, signal: i32) {
        let how = self.how(stopped.tid());
        stopped.resume(how, signal);
    }

    /// A thread that runs on once its event is on its way.
    pub(super) fn hold(&mut self, stopped: Stopped, signal: i32) -> Held {
        let how = self.how(stopped.tid());
        Held {
            stopped,
            how,
            signal,
        }
    }

    /// Sends what became of a process, unless it is hidden.
    pub(super) fn tell(&mut self, pid: i32, tid: i32, change: Change, held: Option<Held>) {
        if self.tracees.hidden(pid) {
            if let Some(held) = held {
                held.resume();
            }
            return;
        }
        let event = ProcessEvent {
            pid,
            tid,
            time: self.now(),
            change,
        };
        self.outbox.send(Event::Process(event), held);
    }
}
