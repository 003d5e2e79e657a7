//! The breakpoints of an address space: where they stand, what for, and what they stand in the place of.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::displaced::{Displaced, LONGEST, SLOT};
use super::objects::{Object, Start};
use super::symbols::Symbols;
use crate::library::Function;
use crate::tracer::nearby::Nearby;
use crate::tracer::places::PAGE;
use crate::tracer::recorder::space::Mapping;

/// The instruction that traps: int3.
pub const INT3: u8 = 0xcc;

/// How many bytes of slots are mapped at once.
pub const SLOTS: u64 = 4 * PAGE;

/// How many breakpoints an address space may have.
const MOST: usize = 4096;

/// What a breakpoint is for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// A function begins here.
    pub function: Option<&'static Function>,
    /// The linker changes its list here.
    pub linker: bool,
    /// A function returns to here.
    pub returns: bool,
}

/// A breakpoint.
#[derive(Clone, Debug)]
pub struct Point {
    /// The byte that it stands in the place of.
    pub original: u8,
    /// What it is for.
    pub purpose: Purpose,
    /// How the instruction that begins with that byte is made up for.
    pub displaced: Displaced,
}

/// All of an address space.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// What the kernel told the program, once it has begun.
    pub start: Option<Start>,
    /// The first byte of the program, as long as a breakpoint stands there.
    pub entry: Option<u8>,
    /// The program's own functions, of an executable that says them in its file only.
    pub program: Option<Arc<Symbols>>,
    /// The objects that have been looked at.
    pub objects: HashMap<Object, Arc<Symbols>>,
    points: FxHashMap<u64, Point>,
    /// Memory for slots.
    room: Nearby<SLOTS, SLOT>,
    /// The sites of those that are taken.
    slots: FxHashMap<u64, u64>,
    /// Those that were taken away: a thread may just have met one, and it may come back.
    gone: FxHashMap<u64, Point>,
    /// Places for slots that could not be had.
    pub refused: Vec<u64>,
    /// Whether no more can be had.
    pub full: bool,
    /// Whether breakpoints would do harm here.
    pub off: bool,
}

impl Points {
    /// The breakpoint at an address.
    pub fn get(&self, site: u64) -> Option<&Point> {
        self.points.get(&site)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, site: u64) -> Option<&mut Point> {
        self.points.get_mut(&site)
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.entry.is_none()
    }

    /// Whether none stands anywhere but at the program's beginning.
    pub fn has_none(&self) -> bool {
        self.points.is_empty()
    }

    /// Whether there are as many as there may be.
    pub fn are_many(&self) -> bool {
        self.points.len() + self.gone.len() >= MOST
    }

    /// Puts back, in a copy of memory that begins at `start`, what breakpoints stand in the place of.
    pub fn without(&self, bytes: &mut [u8], start: u64) {
        if bytes.len() <= 2 * LONGEST {
            for (at, byte) in (start..).zip(bytes) {
                if let Some(point) = self.points.get(&at) {
                    *byte = point.original;
                }
            }
            return;
        }
        for (site, point) in &self.points {
            let place = site.checked_sub(start).map(|at| at as usize);
            if let Some(byte) = place.and_then(|at| bytes.get_mut(at)) {
                *byte = point.original;
            }
        }
    }

    /// A free slot in reach of an address.
    pub fn room_near(&self, site: u64) -> Option<u64> {
        self.room.room_near(site)
    }

    /// Memory for slots is there.
    pub fn add_page(&mut self, page: u64) {
        self.room.add(page);
    }

    /// Books a breakpoint.
    pub fn add(&mut self, site: u64, point: Point) {
        if let Displaced::Slot { slot, .. } = point.displaced {
            self.slots.insert(slot, site);
            self.room.take(slot);
        }
        self.points.insert(site, point);
    }

    /// Whether a breakpoint has stood at an address.
    pub fn was(&self, site: u64) -> bool {
        self.gone.contains_key(&site)
    }

    /// Takes a breakpoint away.
    pub fn remove(&mut self, site: u64) -> Option<u8> {
        let point = self.points.remove(&site)?;
        let original = point.original;
        self.gone.insert(site, point);
        Some(original)
    }

    /// All sites.
    pub fn sites(&self) -> Vec<u64> {
        self.points.keys().copied().collect()
    }

    /// One that was taken away stands there again.
    pub fn put_back(&mut self, site: u64) -> bool {
        match self.gone.remove(&site) {
            Some(point) => self.points.insert(site, point).is_none(),
            None => false,
        }
    }

    /// Forgets all where nothing is mapped any more.
    pub fn forget_outside(&mut self, maps: &[Mapping]) {
        let there = |site: &u64| maps.iter().any(|map| map.range.contains(site));
        self.points.retain(|site, _| there(site));
        self.gone.retain(|site, _| there(site));
        self.slots.retain(|_, site| there(site));
    }

    /// Where in the program a thread stands that is in a slot.
    pub fn place_of(&self, rip: u64) -> Option<u64> {
        let slot = self.room.piece_at(rip)?;
        let site = *self.slots.get(&slot)?;
        let point = self.points.get(&site).or_else(|| self.gone.get(&site))?;
        match &point.displaced {
            Displaced::Slot { over, next, .. } if rip >= *over => Some(*next),
            _ if rip == slot => Some(site),
            _ => None,
        }
    }
}
