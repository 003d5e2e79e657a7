//! Getting a program to record its calls: when, and what a thread has to call so that the code and the memory are there.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::layout::{CODE_SIZE, MOST_DESCRIPTORS, SHARED};
use super::patching::{code_memory, is_patched};
use super::recording::{self, Recording};
use super::shared::Shared;
use super::space::{HOT, Space, SpaceId, free_page};
use super::{stub, tsc};
use crate::syscall::Raw;
use crate::tracer::Mechanism;
use crate::tracer::engine::Engine;
use crate::tracer::inject::{Then, Wanted, Work};
use crate::tracer::places::{PAGE, PASSING_PAGE};
use crate::tracer::procfs;
use crate::tracer::start::Asking;
use crate::tracer::stopped::{Gone, Stopped};
use crate::tracer::tracees::CallByCall;

/// How many address spaces are recorded at once: each takes some MiB of memory.
const MOST_RECORDED: usize = 256;

/// How often another place for trampolines is looked for.
const TRIES: usize = 4;

/// How often a site's other threads may be found running before it is patched in spite of them.
const PATIENCE: u32 = 8;

/// A thread's way to a recorded site.
#[derive(Debug)]
pub struct SetUp {
    site: u64,
    step: Step,
    /// Pages that could not be had for trampolines.
    refused: Vec<u64>,
    shared: Option<Shared>,
    why_not: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    /// mmap(2) of the code.
    Code,
    /// memfd_create(2).
    File,
    /// mmap(2) of the memory from this descriptor.
    Memory(i64),
    /// The ring a second time.
    Mirror(i64),
    /// close(2).
    Close,
    /// The same, for nothing.
    CloseAndGiveUp,
    /// madvise(2): a child does not get the memory.
    KeepFromChildren,
    /// mmap(2) of a page of trampolines.
    Trampolines(u64),
}

impl Engine {
    /// A call that can be recorded begins at a site where it stops. Whether that is to be changed now.
    pub(in crate::tracer) fn wants_recorder(&mut self, tid: i32, site: u64, raw: &Raw) -> bool {
        let threshold = match self.config.mechanism {
            Mechanism::Auto => HOT,
            Mechanism::Record => 1,
            _ => return false,
        };
        // Whoever asks the kernel after each call needs each to stop.
        if !self.records || self.config.kernel == Asking::Calls || !stub::records(raw.number) {
            return false;
        }
        let now = self.now();
        let Some(thread) = self.tracees.threads.get(&tid) else {
            return false;
        };
        let Some(process) = self.tracees.processes.get(&thread.pid) else {
            return false;
        };
        if process.call_by_call != CallByCall::No || process.hidden {
            return false;
        }
        let id = process.space;
        let (pid, table) = (thread.pid, thread.table);
        let Some(space) = self.spaces.get_mut(&id) else {
            return false;
        };
        if space.users > 1 || space.changing || !space.stopped_at(site, now, threshold) {
            return false;
        }
        let recorded = self.recordings.get(&id).map(|recording| recording.table);
        if recorded.is_none() && self.recordings.len() >= MOST_RECORDED {
            return false;
        }
        if recorded.is_some_and(|recorded| recorded != table) {
            return false;
        }
        // Asked as late as this, and once: most programs never come so far.
        let ask = || tsc::is_sound() && recording::is_possible();
        if !*self.can_record.get_or_init(ask) {
            self.records = false;
            self.remark("nothing can be recorded here".to_owned());
            return false;
        }
        let Some(space) = self.spaces.get(&id) else {
            return false;
        };
        if space.patch(site).is_some() && is_patched(tid, site) {
            return recorded.is_none();
        }
        self.finds_others_still(pid, tid, site)
    }

    /// Whether a site can be patched with regard to other threads, which may be about to run through it. (Where they do so while we
    /// write, they come to us by a trap: see `write_site`.)
    fn finds_others_still(&mut self, pid: i32, tid: i32, site: u64) -> bool {
        let Some(process) = self.tracees.processes.get(&pid) else {
            return false;
        };
        let others = process.threads.iter().filter(|other| **other != tid);
        let running: Vec<i32> = others
            .copied()
            .filter(|tid| procfs::is_running(*tid))
            .collect();
        if running.is_empty() {
            return true;
        }
        let traps = |tid: &i32| !procfs::forces(*tid, libc::SIGTRAP);
        let id = process.space;
        let Some(space) = self.spaces.get_mut(&id) else {
            return false;
        };
        space.postponed(site) >= PATIENCE && running.iter().all(traps)
    }

    /// Makes the site record its calls; then the call that the thread is about to make is made.
    pub(in crate::tracer) fn set_recorder_up(
        &mut self,
        stopped: Stopped,
        site: u64,
        arch: u32,
        raw: Raw,
    ) -> Result<(), Gone> {
        if let Some(space) = self.space_mut(stopped.tid()) {
            space.changing = true;
        }
        let work = SetUp {
            site,
            step: Step::Start,
            refused: Vec::new(),
            shared: None,
            why_not: "",
        };
        self.inject(stopped, Work::Recorder(work), Then::Call(arch, raw))
    }

    /// Nothing is recorded in the thread's process, from now on.
    pub(in crate::tracer) fn no_recorder(&mut self, tid: i32, why: &str) {
        let Some(id) = self.space_of(tid) else { return };
        if self.switch_off(id) {
            self.remark_on(tid, &format!("has no recorder: {why}"));
        }
    }

    /// Nothing is recorded in an address space from now on; whether that is news.
    pub(in crate::tracer) fn switch_off(&mut self, id: SpaceId) -> bool {
        if let Some(recording) = self.recordings.get(&id) {
            recording.end();
        }
        let space = self.spaces.get_mut(&id);
        space.is_some_and(|space| !std::mem::replace(&mut space.off, true))
    }

    /// A thread has left that work, done or not.
    pub(in crate::tracer) fn set_up_ended(&mut self, space: Option<SpaceId>) {
        if let Some(space) = space.and_then(|id| self.spaces.get_mut(&id)) {
            space.changing = false;
        }
    }

    pub(super) fn space_mut(&mut self, tid: i32) -> Option<&mut Space> {
        let id = self.space_of(tid)?;
        self.spaces.get_mut(&id)
    }

    /// The memory is there: from now on threads may have slots.
    fn begin_recording(&mut self, tid: i32, shared: Shared) -> Option<()> {
        let id = self.space_of(tid)?;
        let thread = self.tracees.threads.get(&tid)?;
        let table = thread.table;
        let pid = procfs::own_number(thread.pid)?;
        self.tsc.adjust(self.clock);
        let recording = Recording::new(shared, table, self.config.limits, random(), pid);
        for fd in self.descriptors.open_or_former(table) {
            recording.set_socket(fd, self.descriptors.socket(table, fd).is_some());
        }
        self.recordings.insert(id, recording);
        self.cover_recorded(tid);
        self.remark_on(tid, "records calls from now on");
        Some(())
    }

    /// A filter covers more than before.
    pub(in crate::tracer) fn cover_recorded(&self, tid: i32) {
        let thread = self.tracees.threads.get(&tid);
        let process = thread.and_then(|thread| self.tracees.processes.get(&thread.pid));
        if let Some(process) = process
            && let Some(recording) = self.recordings.get(&process.space)
        {
            let covered = process.coverage.covered(MOST_DESCRIPTORS - 1);
            covered.for_each(|range| recording.cover(range));
        }
    }
}

impl SetUp {
    /// The next call, after one that gave that result.
    pub(in crate::tracer) fn next(
        &mut self,
        engine: &mut Engine,
        stopped: &Stopped,
        value: Option<i64>,
    ) -> Option<Wanted> {
        let tid = stopped.tid();
        let value = value.unwrap_or(0);
        match self.step {
            Step::Start => {
                let id = engine.space_of(tid)?;
                let space = engine.spaces.get(&id)?;
                if engine.recordings.contains_key(&id) {
                    return self.reach_site(engine, tid);
                }
                match space.has_code {
                    true => Some(self.file()),
                    false => Some(self.map(
                        Step::Code,
                        PASSING_PAGE,
                        CODE_SIZE,
                        libc::PROT_READ | libc::PROT_EXEC,
                    )),
                }
            }
            Step::Code => {
                if value as u64 != PASSING_PAGE {
                    return self.give_up(engine, tid, "there is no place for its code");
                }
                let whole = recording::longest(engine.config.limits).is_some();
                let image = stub::image(whole);
                let memory = code_memory(tid)
                    .and_then(|memory| memory.write_all_at(&image, PASSING_PAGE).ok());
                if memory.is_none() {
                    return self.give_up(engine, tid, "its code cannot be written");
                }
                engine.space_mut(tid)?.has_code = true;
                Some(self.file())
            }
            Step::File => {
                if value < 0 {
                    return self.give_up(engine, tid, "it can have no descriptor for the memory");
                }
                let path = format!("/proc/{tid}/fd/{value}");
                let sizes = recording::sizes(engine.config.limits);
                let file = OpenOptions::new().read(true).write(true).open(path);
                let shared = file.and_then(|file| {
                    let sizes = sizes.ok_or(std::io::ErrorKind::InvalidInput)?;
                    Shared::map(&file, sizes)
                });
                match shared {
                    Ok(shared) => {
                        self.step = Step::Memory(value);
                        let len = shared.sizes().whole() as u64;
                        self.shared = Some(shared);
                        Some(view(SHARED, len, value, 0))
                    }
                    Err(_) => Some(self.close(value, Some("its memory cannot be shared"))),
                }
            }
            Step::Memory(fd) => {
                let sizes = self.shared.as_ref()?.sizes();
                if value as u64 != SHARED {
                    return Some(self.close(fd, Some("there is no place for the memory")));
                }
                self.step = Step::Mirror(fd);
                let (start, ring) = (sizes.before_ring() as u64, sizes.ring as u64);
                Some(view(SHARED + sizes.whole() as u64, ring, fd, start))
            }
            Step::Mirror(fd) => {
                let ok = value > 0;
                Some(self.close(fd, (!ok).then_some("there is no place for the memory")))
            }
            Step::CloseAndGiveUp => self.give_up(engine, tid, self.why_not),
            Step::Close => {
                let sizes = self.shared.as_ref()?.sizes();
                self.step = Step::KeepFromChildren;
                let len = (sizes.whole() + sizes.ring) as u64;
                let advice = libc::MADV_DONTFORK as u64;
                Some(Wanted {
                    number: libc::SYS_madvise,
                    arguments: [SHARED, len, advice, 0, 0, 0],
                    stops: false,
                })
            }
            Step::KeepFromChildren => {
                if value != 0 {
                    return self.give_up(engine, tid, "its children would share the memory");
                }
                let shared = self.shared.take()?;
                if engine.begin_recording(tid, shared).is_none() {
                    return self.give_up(engine, tid, "it is gone");
                }
                self.reach_site(engine, tid)
            }
            Step::Trampolines(page) => {
                if value as u64 == page {
                    engine.space_mut(tid)?.add_page(page);
                } else {
                    self.refused.push(page);
                }
                self.reach_site(engine, tid)
            }
        }
    }

    /// All is there but the site's own way.
    fn reach_site(&mut self, engine: &mut Engine, tid: i32) -> Option<Wanted> {
        let site = self.site;
        let space = engine.space_mut(tid)?;
        if space.patch(site).is_some() && is_patched(tid, site) {
            return None;
        }
        let stays = |engine: &mut Engine, why: &str| {
            engine.space_mut(tid)?.stays(site);
            let pid = engine.tracees.threads.get(&tid)?.pid;
            engine.remark(format!("calls of {pid} at {site:#x} go on stopping: {why}"));
            None
        };
        if let Some(trampoline) = space.room_near(site) {
            return match engine.patch(tid, site, trampoline) {
                Ok(()) => None,
                Err(why) => stays(engine, why),
            };
        }
        let maps = procfs::mappings(tid);
        match free_page(&maps, site, PAGE, &self.refused) {
            Some(page) if self.refused.len() < TRIES => {
                let protection = libc::PROT_READ | libc::PROT_EXEC;
                Some(self.map(Step::Trampolines(page), page, PAGE, protection))
            }
            _ => stays(engine, "no place for a trampoline is in reach"),
        }
    }

    fn give_up(&mut self, engine: &mut Engine, tid: i32, why: &str) -> Option<Wanted> {
        engine.no_recorder(tid, why);
        None
    }

    /// Private memory of ours.
    fn map(&mut self, step: Step, address: u64, len: u64, protection: i32) -> Wanted {
        self.step = step;
        Wanted::map(address, len, protection)
    }

    fn file(&mut self) -> Wanted {
        self.step = Step::File;
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // Whoever looks into the program's map should find whose it is.
        let name = PASSING_PAGE + stub::NAME;
        Wanted {
            number: libc::SYS_memfd_create,
            arguments: [name, flags.into(), 0, 0, 0, 0],
            stops: false,
        }
    }

    fn close(&mut self, fd: i64, why_not: Option<&'static str>) -> Wanted {
        self.step = match why_not {
            Some(_) => Step::CloseAndGiveUp,
            None => Step::Close,
        };
        self.why_not = why_not.unwrap_or_default();
        Wanted {
            number: libc::SYS_close,
            arguments: [fd as u64, 0, 0, 0, 0, 0],
            stops: false,
        }
    }
}

/// A view of the memory.
fn view(address: u64, len: u64, fd: i64, start: u64) -> Wanted {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE) as u64;
    Wanted {
        number: libc::SYS_mmap,
        arguments: [address, len, protection, flags, fd as u64, start],
        stops: false,
    }
}

/// A number that nobody outside can guess.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: a buffer of the size given. Without the call (before Linux 3.17) it stays zero, which is as good as no secret.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u64::from_ne_bytes(bytes)
}

impl SpaceId {
    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
