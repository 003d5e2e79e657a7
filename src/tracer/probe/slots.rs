//! Memory for slots near what they are for, mapped by a thread in its program's name.

use super::points::SLOTS;
use crate::tracer::engine::Engine;
use crate::tracer::inject::Wanted;
use crate::tracer::procfs;
use crate::tracer::recorder::space::free_page;

/// How many places are tried.
const TRIES: usize = 4;

/// A thread's way to it.
#[derive(Debug)]
pub struct Slots {
    near: u64,
    asked: Option<u64>,
}

impl Slots {
    /// Near that address.
    pub fn near(near: u64) -> Self {
        Self { near, asked: None }
    }

    /// The next call, after one that gave that result.
    pub(in crate::tracer) fn next(
        &mut self,
        engine: &mut Engine,
        tid: i32,
        value: Option<i64>,
    ) -> Option<Wanted> {
        if let (Some(asked), Some(value)) = (self.asked, value) {
            let points = engine.points_mut(tid)?;
            if value as u64 == asked {
                points.add_page(asked);
                return None;
            }
            points.refused.push(asked);
            if points.refused.len() >= TRIES {
                points.full = true;
                return None;
            }
        }
        let maps = procfs::mappings(tid);
        let points = engine.points_mut(tid)?;
        let Some(page) = free_page(&maps, self.near, SLOTS, &points.refused) else {
            points.full = true;
            return None;
        };
        self.asked = Some(page);
        Some(Wanted::map(page, SLOTS, libc::PROT_READ | libc::PROT_EXEC))
    }
}
