//! Patching a site: its two bytes become a jump to padding near, which holds the jump to its trampoline; and taking that back.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use super::padding::{self, LONG_JUMP};
use super::space::{Patch, Space, patchable};
use crate::syscall::Memory;
use crate::tracer::abi::CALL;
use crate::tracer::engine::Engine;
use crate::tracer::memory::TraceeMemory;
use crate::tracer::procfs;

/// How much code around a site is looked at, each way.
const AROUND: u64 = padding::SIGHT;

/// The instruction that traps.
const INT3: [u8; 1] = [0xcc];

impl Engine {
    /// Takes all patches back: the program is to find its own code, and its own addresses in its calls.
    pub(in crate::tracer) fn unpatch(&mut self, tid: i32, why: &str) {
        self.no_recorder(tid, why);
        let Some(space) = self.space_mut(tid) else {
            return;
        };
        let sites: Vec<u64> = space.patches().map(|patch| patch.site).collect();
        for site in sites {
            if is_patched(tid, site)
                && let Some(memory) = code_memory(tid)
            {
                write_site(&memory, site, CALL);
            }
        }
    }

    /// Turns the site into a jump to its trampoline. Nothing where it is done, else why it cannot be.
    pub(super) fn patch(
        &mut self,
        tid: i32,
        site: u64,
        trampoline: u64,
    ) -> Result<(), &'static str> {
        let (padding, original) = self.padding_near(tid, site)?;
        let patch = Patch {
            site,
            padding,
            original,
            trampoline,
        };
        let far = "its trampoline is out of reach";
        let long = padding::long_jump(padding, trampoline).ok_or(far)?;
        let short = padding::short_jump(site, padding).ok_or(far)?;
        let memory = code_memory(tid).ok_or("its code cannot be written")?;
        let written = memory
            .write_all_at(&Space::trampoline_code(patch), trampoline)
            .and_then(|()| memory.write_all_at(&long, padding));
        written.map_err(|_| "its code cannot be written")?;
        if let Some(space) = self.space_mut(tid) {
            space.add(patch);
        }
        match write_site(&memory, site, short) {
            true => Ok(()),
            false => Err("its code cannot be written"),
        }
    }

    /// Padding that a site reaches, and what stands there.
    fn padding_near(
        &mut self,
        tid: i32,
        site: u64,
    ) -> Result<(u64, [u8; LONG_JUMP]), &'static str> {
        if !padding::is_atomic(site) {
            return Err("its two bytes cannot be changed at once");
        }
        let maps = procfs::mappings(tid);
        let map = patchable(&maps, site).ok_or("its code is not private, or can be written")?;
        let range = map.range.clone();
        let start = site.saturating_sub(AROUND).max(range.start);
        let end = (site + AROUND).min(range.end);
        let mut code = vec![0; (end - start) as usize];
        if TraceeMemory::of(tid).read(start, &mut code) < code.len() {
            return Err("its code cannot be read");
        }
        let space = self.space_mut(tid).ok_or("it is gone")?;
        space.forget(site);
        let instruction = code.get((site - start) as usize..).unwrap_or(&[]);
        if !instruction.starts_with(&CALL) {
            return Err("it makes calls by an unknown instruction");
        }
        // What it was before us.
        for patch in space.patches() {
            overwrite(&mut code, start, patch.padding, &patch.original);
            overwrite(&mut code, start, patch.site, &CALL);
        }
        space.points.without(&mut code, start);
        if !padding::is_instruction(&code, start, site) {
            return Err("its instruction has a prefix, or is part of another");
        }
        let none = "no padding is in reach";
        let at = padding::find(&code, start, site, |at| space.claims(at)).ok_or(none)?;
        let original = code.get((at - start) as usize..);
        let original = original.and_then(|bytes| bytes.first_chunk());
        Ok((at, *original.ok_or(none)?))
    }
}

/// Puts bytes to their address in code that begins at `start`, as far as they lie in it.
fn overwrite(code: &mut [u8], start: u64, address: u64, bytes: &[u8]) {
    for (at, byte) in (address..).zip(bytes) {
        let place = at
            .checked_sub(start)
            .and_then(|at| code.get_mut(at as usize));
        place.into_iter().for_each(|place| *place = *byte);
    }
}

/// A tracee's memory as only its tracer can write it: what the program itself may not write, too.
pub(in crate::tracer) fn code_memory(tid: i32) -> Option<File> {
    let path = format!("/proc/{tid}/mem");
    OpenOptions::new().write(true).open(path).ok()
}

/// Whether a jump of ours stands at the site.
pub(super) fn is_patched(tid: i32, site: u64) -> bool {
    let mut bytes = [0; 1];
    TraceeMemory::of(tid).read(site, &mut bytes) == 1 && bytes[0] == 0xeb
}

/// Changes a site's two bytes. Whoever runs through it meanwhile meets int3, and comes to us by SIGTRAP.
pub(super) fn write_site(memory: &File, site: u64, bytes: [u8; 2]) -> bool {
    let steps = [(0, INT3), (1, [bytes[1]]), (0, [bytes[0]])];
    steps
        .iter()
        .all(|(at, byte)| memory.write_all_at(byte, site + at).is_ok())
}

/// Takes int3 away from a site where it still stands.
pub(super) fn repair(tid: i32, patch: Patch, off: bool) {
    let mut byte = [0];
    if TraceeMemory::of(tid).read(patch.site, &mut byte) == 1
        && byte == INT3
        && let Some(short) = padding::short_jump(patch.site, patch.padding)
        && let Some(memory) = code_memory(tid)
    {
        write_site(&memory, patch.site, if off { CALL } else { short });
    }
}
