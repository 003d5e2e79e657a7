//! What a program has loaded: looked at when its linker is done, and whenever that says that it has loaded something.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::objects::{self, Object};
use super::placing::Placed;
use super::points::{INT3, Points, Purpose};
use super::symbols::{self, Symbols};
use crate::library::Family;
use crate::syscall::Memory;
use crate::tracer::abi::{self, Registers};
use crate::tracer::engine::Engine;
use crate::tracer::memory::TraceeMemory;
use crate::tracer::procfs;
use crate::tracer::recorder::patching::code_memory;
use crate::tracer::stopped::{Gone, Stopped};

/// How many files are remembered.
const MOST_FILES: usize = 4096;

/// The first bytes of an object by which its file is known again: its headers, and as a rule its build id.
pub(super) const KNOWN_BY: usize = 1024;

/// Which functions are probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The resolver's.
    pub resolver: bool,
    /// TLS libraries'.
    pub tls: bool,
    /// The C library's socket functions.
    pub sockets: bool,
}

impl Probed {
    /// Whether there are any.
    pub fn any(self) -> bool {
        self.resolver || self.tls || self.sockets
    }

    fn wants(self, family: Family) -> bool {
        match family {
            Family::Resolver | Family::Cares => self.resolver,
            Family::OpenSsl | Family::GnuTls | Family::Nss => self.tls,
            Family::Sockets => self.sockets,
        }
    }
}

impl Engine {
    /// A process has become a program, which begins with these registers: it is to stop once its linker is done.
    pub(in crate::tracer) fn watch_beginning(&mut self, tid: i32, registers: &Registers) {
        let probed = self.config.probed;
        if !probed.any() || abi::is_32_bit(registers) {
            return;
        }
        let memory = TraceeMemory::of(tid);
        let Some(start) = objects::start(&memory, registers.rsp) else {
            return;
        };
        let header = memory.bytes(start.header(), KNOWN_BY);
        // The linker gives a program the same objects again, unless it is told otherwise.
        if self.plain.contains(&header[..]) && !start.swayed {
            return;
        }
        let program = self.known_program(tid, &header);
        let functions = &program.functions;
        if start.linker == 0 && !functions.iter().any(|(_, it)| probed.wants(it.family)) {
            return;
        }
        let mut original = [0];
        // What forces a signal through a disposition changes that for good.
        if procfs::forces(tid, libc::SIGTRAP) {
            return;
        }
        let set = memory.read(start.entry, &mut original) == 1
            && original != [INT3]
            && code_memory(tid).is_some_and(|code| code.write_all_at(&[INT3], start.entry).is_ok());
        if let Some(points) = self.points_mut(tid)
            && set
        {
            points.start = Some(start);
            points.entry = Some(original[0]);
            points.program = Some(program);
        }
    }

    /// Looks through the objects that are loaded, and sets breakpoints where there are functions to probe. Gives the thread back where
    /// that is done; else it is mapping memory first, and comes to the same breakpoint once more.
    pub(super) fn look_at_objects(
        &mut self,
        stopped: Stopped,
        registers: &Registers,
    ) -> Result<Option<Stopped>, Gone> {
        let tid = stopped.tid();
        let memory = TraceeMemory::of(tid);
        let Some(start) = self.points(tid).and_then(|it| it.start) else {
            return Ok(Some(stopped));
        };
        let program = objects::program(&memory, &start);
        let mut called = None;
        if let Some(program) = program.filter(|_| start.linker != 0)
            && let Some(address) = objects::rendezvous_address(&memory, program)
            && let Some(rendezvous) = objects::rendezvous(&memory, address)
            && rendezvous.consistent
        {
            called = Some(rendezvous.called);
            let loaded = objects::objects(&memory, rendezvous.first);
            self.forget_unloaded(tid, &loaded);
            for object in loaded {
                let is_program = object == program;
                let header = if is_program {
                    start.header()
                } else {
                    object.base
                };
                self.know_object(tid, &memory, object, header);
            }
        }
        let base = program.map_or(0, |it| it.base);
        let mut wanted = self.wanted_points(tid, base);
        let loads = |points: &Points| points.objects.values().any(|it| it.loads);
        if (!wanted.is_empty() || self.points(tid).is_some_and(loads))
            && let Some(called) = called
        {
            let linker = Purpose {
                linker: true,
                ..Purpose::default()
            };
            wanted.push((called, linker));
        }
        for (site, purpose) in wanted {
            if matches!(self.place(tid, site, purpose), Placed::NoRoom) && self.may_map(tid) {
                self.map_slots(stopped, registers, site)?;
                return Ok(None);
            }
        }
        Ok(Some(stopped))
    }

    /// The breakpoints that the functions of the known objects take. What is only there to be called is of no interest where nobody
    /// calls it: every program has the C library's resolver.
    fn wanted_points(&self, tid: i32, base: u64) -> Vec<(u64, Purpose)> {
        let probed = self.config.probed;
        let Some(points) = self.points(tid) else {
            return Vec::new();
        };
        let asked = |family: Family| {
            let mut all = points.objects.values();
            family.is_tls() || all.any(|symbols| symbols.asks.contains(&family))
        };
        let program = points.program.iter().map(|symbols| (base, symbols));
        let objects = points.objects.iter();
        let all = objects
            .map(|(object, symbols)| (object.base, symbols))
            .chain(program.clone());
        let mut wanted = Vec::new();
        for (base, symbols) in all {
            let own = program.clone().any(|(_, it)| Arc::ptr_eq(it, symbols));
            for (address, function) in &symbols.functions {
                let site = base.wrapping_add(*address);
                let family = function.family;
                if probed.wants(family) && (own || asked(family)) {
                    let purpose = Purpose {
                        function: Some(function),
                        ..Purpose::default()
                    };
                    wanted.push((site, purpose));
                }
            }
        }
        wanted.sort_unstable_by_key(|(site, _)| *site);
        wanted
    }

    /// Learns what is in an object whose file begins at `header`, if it has not been looked at.
    fn know_object(&mut self, tid: i32, memory: &TraceeMemory, object: Object, header: u64) {
        if self
            .points(tid)
            .is_none_or(|it| it.objects.contains_key(&object))
        {
            return;
        }
        let symbols = match self.known(memory, header) {
            Ok(symbols) => symbols,
            Err(key) => {
                let symbols = Arc::new(symbols::dynamic(memory, object));
                if let Some(key) = key {
                    self.remember(key, &symbols);
                }
                symbols
            }
        };
        if let Some(points) = self.points_mut(tid) {
            points.objects.insert(object, symbols);
        }
    }

    /// What is known of the file that is mapped there; else by what it will be known again.
    fn known(&self, memory: &TraceeMemory, header: u64) -> Result<Arc<Symbols>, Option<Box<[u8]>>> {
        let bytes = memory.bytes(header, KNOWN_BY);
        if !bytes.starts_with(b"\x7fELF") {
            return Err(None);
        }
        match self.files.get(&bytes[..]) {
            Some(symbols) => Ok(Arc::clone(symbols)),
            None => Err(Some(bytes.into())),
        }
    }

    /// What a program's file says of its own functions.
    fn known_program(&mut self, tid: i32, header: &[u8]) -> Arc<Symbols> {
        // What its table says is kept apart from what it says when it is loaded.
        let key = [header, &[0]].concat();
        if let Some(known) = self.files.get(&key[..]) {
            return Arc::clone(known);
        }
        let path = PathBuf::from(format!("/proc/{tid}/exe"));
        let symbols = Arc::new(symbols::of_file(&path));
        self.remember(key.into(), &symbols);
        symbols
    }

    /// Notes what is known of a file.
    fn remember(&mut self, key: Box<[u8]>, symbols: &Arc<Symbols>) {
        if self.files.len() >= MOST_FILES {
            self.files.clear();
            self.plain.clear();
        }
        self.files.insert(key, Arc::clone(symbols));
    }

    /// Forgets what was in objects that are gone.
    fn forget_unloaded(&mut self, tid: i32, loaded: &[Object]) {
        let Some(points) = self.points(tid) else {
            return;
        };
        let gone: Vec<Object> = points
            .objects
            .keys()
            .filter(|it| !loaded.contains(it))
            .copied()
            .collect();
        if gone.is_empty() {
            return;
        }
        let maps = procfs::mappings(tid);
        let Some(points) = self.points_mut(tid) else {
            return;
        };
        for object in gone {
            points.objects.remove(&object);
        }
        // Where nothing is mapped any more, nothing of ours is.
        points.forget_outside(&maps);
    }
}
