//! An address space, as far as we have changed it: its call sites, which of them lead to trampolines, and where those stand.
//!
//! Threads share one, and so do a vfork's two sides until the child runs a program; a fork's child has a copy.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::layout::trampoline;
use super::padding::LONG_JUMP;
use crate::tracer::abi;
use crate::tracer::event::Nanos;
use crate::tracer::nearby::{Nearby, REACH};
use crate::tracer::places::{PAGE, PASSING_PAGE};
use crate::tracer::probe::points::Points;

/// Names an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceId(pub u32);

/// A site is hot that has stopped so often within a second.
pub const HOT: u32 = 16;

/// How long a second is, in ns.
const WITHIN: Nanos = 1_000_000_000;

/// How many sites an address space may have that are worth to be remembered.
const MOST_SITES: usize = 4096;

/// How far from a program's heap we stay; it grows upwards.
const HEAP_ROOM: u64 = 1 << 30;

/// How often a site has stopped lately.
#[derive(Clone, Copy, Debug, Default)]
struct Heat {
    stops: u32,
    since: Nanos,
    postponed: u32,
    /// It cannot be patched.
    stays: bool,
}

/// A site that leads to a trampoline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The address of the instruction that made the call.
    pub site: u64,
    /// Where its short jump leads.
    pub padding: u64,
    /// What stood there.
    pub original: [u8; LONG_JUMP],
    /// Where that one's long jump leads.
    pub trampoline: u64,
}

impl Patch {
    /// Where a thread stands that has made its call in the trampoline.
    pub fn back(self) -> u64 {
        self.trampoline + trampoline::BACK as u64
    }
}

/// What we know of one.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// How many processes run in it.
    pub users: usize,
    /// Whether nothing is recorded in it any more.
    pub off: bool,
    /// Whether a thread is at work to change it: one at a time.
    pub changing: bool,
    /// Whether the code is there.
    pub has_code: bool,
    heat: FxHashMap<u64, Heat>,
    patches: FxHashMap<u64, Patch>,
    /// Trampolines and paddings, by their addresses: their sites.
    trampolines: FxHashMap<u64, u64>,
    paddings: FxHashMap<u64, u64>,
    /// Pages of trampolines.
    pages: Nearby<PAGE, { trampoline::SIZE }>,
    /// Breakpoints at functions of its libraries.
    pub points: Points,
}

/// A mapping of a process (/proc/PID/maps).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Its permissions: `r-xp`.
    pub permissions: [u8; 4],
    /// Whether it is the heap (brk(2)).
    pub heap: bool,
}

impl Space {
    /// One with a process in it.
    pub fn used() -> Self {
        Self {
            users: 1,
            ..Self::default()
        }
    }

    /// A copy, made by fork(2): the patches are there, the shared memory is not.
    pub fn copied(&self) -> Self {
        Self {
            users: 1,
            off: false,
            changing: false,
            heat: FxHashMap::default(),
            ..self.clone()
        }
    }

    /// A call at that site has stopped; whether it has done so often enough to be recorded. A `threshold` of 1 makes each one hot.
    pub fn stopped_at(&mut self, site: u64, now: Nanos, threshold: u32) -> bool {
        if self.off || self.heat.len() >= MOST_SITES && !self.heat.contains_key(&site) {
            return false;
        }
        let heat = self.heat.entry(site).or_default();
        if now.saturating_sub(heat.since) > WITHIN {
            (heat.since, heat.stops) = (now, 0);
        }
        heat.stops += 1;
        !heat.stays && heat.stops >= threshold
    }

    /// The site is left to stops.
    pub fn stays(&mut self, site: u64) {
        self.heat.entry(site).or_default().stays = true;
    }

    /// A site could not be patched because other threads ran; how often that has happened.
    pub fn postponed(&mut self, site: u64) -> u32 {
        let heat = self.heat.entry(site).or_default();
        heat.postponed += 1;
        heat.postponed
    }

    /// How many sites are recorded, and how many hot ones are not.
    pub fn count(&self) -> (usize, usize) {
        let stay = self.heat.values().filter(|heat| heat.stays).count();
        (self.patches.len(), stay)
    }

    /// The patch of a site.
    pub fn patch(&self, site: u64) -> Option<Patch> {
        self.patches.get(&site).copied()
    }

    /// All of them.
    pub fn patches(&self) -> impl Iterator<Item = Patch> {
        self.patches.values().copied()
    }

    /// Whether five bytes from there on are a long jump of ours already, or overlap one.
    pub fn claims(&self, padding: u64) -> bool {
        (padding.saturating_sub(4)..=padding + 4).any(|at| self.paddings.contains_key(&at))
    }

    /// The site whose long jump stands at an address.
    pub fn padded_at(&self, address: u64) -> Option<u64> {
        self.paddings.get(&address).copied()
    }

    /// The site and the trampoline that an address lies in.
    pub fn trampoline_at(&self, address: u64) -> Option<(u64, u64)> {
        let start = address & !(trampoline::SIZE as u64 - 1);
        Some((*self.trampolines.get(&start)?, start))
    }

    /// A free trampoline in reach of a site.
    pub fn room_near(&self, site: u64) -> Option<u64> {
        self.pages.room_near(site)
    }

    /// A new page of trampolines.
    pub fn add_page(&mut self, page: u64) {
        self.pages.add(page);
    }

    /// Books a patch. What the site had before is forgotten: other code has come there.
    pub fn add(&mut self, patch: Patch) {
        self.forget(patch.site);
        self.trampolines.insert(patch.trampoline, patch.site);
        self.paddings.insert(patch.padding, patch.site);
        self.pages.take(patch.trampoline);
        self.patches.insert(patch.site, patch);
    }

    /// Forgets a patch that is no longer there. Its trampoline may still be run through.
    pub fn forget(&mut self, site: u64) {
        if let Some(patch) = self.patches.remove(&site) {
            self.paddings.remove(&patch.padding);
        }
    }

    /// What stands in a trampoline.
    pub fn trampoline_code(patch: Patch) -> [u8; trampoline::SIZE] {
        let mut code = [0xcc; trampoline::SIZE];
        // lea rcx, [rip - 7]: its own address.
        code[..7].copy_from_slice(&[0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff]);
        // jmp [rip + 19]: through the address at the end.
        code[7..13].copy_from_slice(&[0xff, 0x25, (trampoline::ENTRY - 13) as u8, 0, 0, 0]);
        code[trampoline::STOP..trampoline::BACK].copy_from_slice(&abi::CALL);
        // To the instruction after the site, with its address in rcx, as the call leaves it there: lea rcx, then jmp.
        let after = patch.site + abi::CALL.len() as u64;
        let mut at = trampoline::BACK;
        for instruction in [&[0x48, 0x8d, 0x0d][..], &[0xe9]] {
            code[at..at + instruction.len()].copy_from_slice(instruction);
            at += instruction.len();
            let from = patch.trampoline + at as u64 + 4;
            code[at..at + 4].copy_from_slice(&(after.wrapping_sub(from) as u32).to_le_bytes());
            at += 4;
        }
        code[trampoline::ENTRY..][..8].copy_from_slice(&PASSING_PAGE.to_le_bytes());
        code
    }
}

/// The mapping at an address, if code there can be changed for this process alone, and is not being written by it.
pub fn patchable(maps: &[Mapping], address: u64) -> Option<&Mapping> {
    maps.iter()
        .find(|map| map.range.contains(&address))
        .filter(|map| map.permissions == *b"r-xp")
}

/// Free pages, `len` bytes of them, near a site: where the kernel would put the next mapping below it, or else far above it. Never where the heap would
/// grow soon.
pub fn free_page(maps: &[Mapping], site: u64, len: u64, taken: &[u64]) -> Option<u64> {
    const LOWEST: u64 = 1 << 20;
    let reach = site.saturating_sub(REACH).max(LOWEST)..site.saturating_add(REACH);
    let heap = maps.iter().find(|map| map.heap);
    let ends = maps.iter().map(|map| map.range.end);
    let starts = maps.iter().map(|map| map.range.start);
    // Each gap, by its two ends.
    let gaps = [0].into_iter().chain(ends).zip(starts.chain([1 << 47]));
    let mut pages: Vec<u64> = gaps
        .filter_map(|(start, end)| {
            let grows_here = heap.is_some_and(|heap| heap.range.end == start);
            let start = if grows_here { start + HEAP_ROOM } else { start };
            let (start, end) = (start.max(reach.start), end.min(reach.end));
            // Not adjacent to what is there, should that grow downwards.
            let len = len + PAGE;
            (start + len < end).then(|| (end - len) & !(PAGE - 1))
        })
        .filter(|page| !taken.contains(page))
        .collect();
    pages.sort_by_key(|page| (*page > site, page.abs_diff(site)));
    pages.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(range: Range<u64>, heap: bool) -> Mapping {
        Mapping {
            range,
            permissions: *b"r-xp",
            heap,
        }
    }

    #[test]
    fn a_site_becomes_hot_within_a_second_or_not_at_all() {
        let mut space = Space::used();
        for now in 1..HOT {
            assert!(!space.stopped_at(7, now.into(), HOT));
        }
        assert!(space.stopped_at(7, HOT.into(), HOT));
        for at in 0..100 {
            assert!(!space.stopped_at(9, at * WITHIN / 8, HOT), "too seldom");
        }
        assert!(space.stopped_at(11, 0, 1));
        space.stays(11);
        assert!(!space.stopped_at(11, 0, 1));
        assert_eq!(space.count(), (0, 1));
    }

    #[test]
    fn trampolines_are_found_by_any_address_in_them() {
        let mut space = Space::used();
        space.add_page(0x10000);
        let trampoline = space.room_near(0x20000).expect("room");
        let patch = Patch {
            site: 0x20000,
            padding: 0x20020,
            original: [0x90; LONG_JUMP],
            trampoline,
        };
        space.add(patch);
        assert_ne!(space.room_near(0x20000), Some(trampoline));
        assert_eq!(space.room_near(0x20000 + REACH), None, "out of reach");
        let within = trampoline + trampoline::BACK as u64;
        assert_eq!(space.trampoline_at(within), Some((patch.site, trampoline)));
        assert_eq!(space.trampoline_at(trampoline + 64), None);
        assert!(space.claims(0x20024) && space.claims(0x2001c) && !space.claims(0x20025));
        assert_eq!(space.padded_at(0x20020), Some(patch.site));
        let copy = space.copied();
        assert_eq!(copy.patch(patch.site), Some(patch));
        space.forget(patch.site);
        assert_eq!(space.patch(patch.site), None);
        assert!(space.trampoline_at(within).is_some());
    }

    #[test]
    fn a_page_is_found_near_the_site_and_away_from_the_heap() {
        let page = |maps: &[Mapping], site| free_page(maps, site, PAGE, &[]);
        // A program at a fixed address, its heap behind it.
        let maps = [
            mapping(0x40_0000..0x50_0000, false),
            mapping(0x60_0000..0x70_0000, true),
        ];
        assert_eq!(page(&maps, 0x41_0000), Some(0x3f_e000));
        // With nothing below it.
        let maps = [
            mapping(0x10_0000..0x50_0000, false),
            mapping(0x60_0000..0x70_0000, true),
        ];
        let found = page(&maps, 0x41_0000).expect("a page");
        assert!(
            found == 0x5f_e000 || found > 0x70_0000 + HEAP_ROOM,
            "{found:#x}"
        );
        // Libraries: below them the kernel maps what comes next.
        let maps = [
            mapping(0x7f00_0000_0000..0x7f00_0010_0000, false),
            mapping(0x7f00_0010_0000..0x7f00_0020_0000, false),
        ];
        assert_eq!(page(&maps, 0x7f00_0011_0000), Some(0x7eff_ffff_e000));
        assert_eq!(
            free_page(&maps, 0x7f00_0011_0000, PAGE, &[0x7eff_ffff_e000])
                .map(|page| page > 0x7f00_0020_0000),
            Some(true)
        );
    }
}
