//! Installing a further filter: which calls a thread has to make so that its process gets it.

use super::coverage::Scope;
use super::engine::Engine;
use super::filter::{Filter, addition};
use super::inject::{Then, Wanted, Work};
use super::memory::TraceeMemory;
use super::places::{SCRATCH_SIZE, scratch};
use super::stopped::{Gone, Stopped};
use super::tracees::CallByCall;

/// A filter on its way.
#[derive(Debug)]
pub struct Installing {
    /// What it covers.
    scope: Scope,
    filter: Filter,
    call: Call,
    /// Where the thread reads it from; no other thread uses it meanwhile.
    place: Option<u64>,
    /// Whether that is a new one.
    mapped: bool,
}

/// What the thread is calling for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// mmap(2), at an address of our choice or of the kernel's.
    Map { chosen: bool },
    /// seccomp(2).
    Install,
}

impl Engine {
    /// Adds a filter to those of the thread's process.
    pub(super) fn add_filter(
        &mut self,
        stopped: Stopped,
        scope: Scope,
        then: Then,
    ) -> Result<(), Gone> {
        let Some(process) = self.process_of(stopped.tid()) else {
            return Ok(());
        };
        let work = Installing {
            filter: addition(&scope, !process.coverage.waits()),
            scope,
            call: Call::Map { chosen: true },
            place: process.places.pop(),
            mapped: false,
        };
        self.inject(stopped, Work::Filter(work), then)
    }

    /// The thread's process cannot be given a further filter: from now on each of its calls stops.
    pub(super) fn no_more_filters(&mut self, tid: i32, why: &str) {
        self.go_call_by_call(tid, CallByCall::ForGood, why);
    }
}

impl Installing {
    /// Where another filter can be read from afterwards.
    pub(super) fn place(&self) -> Option<u64> {
        self.place
    }

    /// The next call, after one that gave that result.
    pub(super) fn next(
        &mut self,
        engine: &mut Engine,
        tid: i32,
        value: Option<i64>,
    ) -> Option<Wanted> {
        let give_up = |engine: &mut Engine, why| {
            engine.no_more_filters(tid, why);
            None
        };
        let written = match (value, self.call, self.place) {
            (None, _, Some(address)) => Some(address),
            (None, _, None) => return Some(self.map(tid, true)),
            (Some(address @ 1..), Call::Map { .. }, _) => {
                self.mapped = true;
                self.place = Some(address as u64);
                Some(address as u64)
            }
            (Some(0), Call::Install, _) => {
                let scope = std::mem::replace(&mut self.scope, Scope::Everything);
                engine.grown(tid, scope);
                None
            }
            (Some(_), Call::Install, _) => {
                return give_up(engine, "the kernel refuses a further filter");
            }
            // The program has something there.
            (Some(error), Call::Map { chosen: true }, _) if error == -i64::from(libc::EEXIST) => {
                return Some(self.map(tid, false));
            }
            (Some(_), Call::Map { .. }, _) => {
                return give_up(engine, "there is no memory for a filter");
            }
        };
        let address = written?;
        let image = self.filter.image(address);
        if TraceeMemory::of(tid).write(address, &image) {
            return Some(self.install(address));
        }
        if self.mapped {
            return give_up(engine, "the program's memory cannot be written");
        }
        // A program may unmap what it does not know.
        self.place = None;
        Some(self.map(tid, true))
    }

    fn map(&mut self, tid: i32, chosen: bool) -> Wanted {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let (address, flags) = match chosen {
            true => (scratch(tid), flags | libc::MAP_FIXED_NOREPLACE),
            false => (0, flags),
        };
        self.call = Call::Map { chosen };
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        Wanted {
            number: libc::SYS_mmap,
            arguments: [address, SCRATCH_SIZE, protection, flags as u64, u64::MAX, 0],
            stops: chosen,
        }
    }

    fn install(&mut self, address: u64) -> Wanted {
        self.call = Call::Install;
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        Wanted {
            number: libc::SYS_seccomp,
            arguments: [
                libc::SECCOMP_SET_MODE_FILTER.into(),
                flags,
                address,
                0,
                0,
                0,
            ],
            stops: true,
        }
    }
}
