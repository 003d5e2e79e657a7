//! Which descriptors the seccomp filters of a process cover, and what the next filter should add.
//!
//! A filter cannot be taken back, costs every call on a descriptor a little, and installing one costs several stops. So a process that
//! has new sockets is first stopped at every call, as long as this costs less than a filter would, and sockets that come one after the
//! other share one. Threads that run freely meanwhile would miss what is new: where there are any, the filter comes at once.

use std::ops::RangeInclusive;

/// How many ranges of descriptors one filter may name.
pub const MOST_RANGES: usize = 32;

/// How many calls that turn out not to concern us are put up with before the first filter comes: it costs about as much. For each
/// further one, which every call is to run through, twice as many, up to [`MOST_DOUBLINGS`] times.
const PATIENCE: u32 = 4;

/// See [`PATIENCE`].
const MOST_DOUBLINGS: usize = 6;

/// How many for numbers that sockets have left.
const LONG_PATIENCE: u32 = 64;

/// From so many filters on, each one covers descriptors ahead of those that are there.
const EXACT: usize = 8;

/// What one filter covers.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Every call that could concern a socket, by its number.
    Everything,
    /// Calls on these descriptors.
    Members(Vec<RangeInclusive<u32>>),
}

/// What the filters of a process cover together.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The one that the program started with, and those that were added.
    filters: Vec<Scope>,
    everything: bool,
    /// Descriptors, in order, each range apart from the next.
    ranges: Vec<RangeInclusive<u32>>,
    /// Whether there may be sockets that no filter covers; then every call stops.
    open: bool,
    /// How many calls have stopped in vain since.
    idle: u32,
}

impl Coverage {
    /// Of the filter that a program starts with.
    pub fn of(start: Scope) -> Self {
        let mut coverage = Self {
            filters: Vec::new(),
            everything: false,
            ranges: Vec::new(),
            open: false,
            idle: 0,
        };
        coverage.added(start);
        coverage
    }

    /// Whether nothing remains to be added.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Whether calls on this descriptor stop.
    pub fn covers(&self, fd: i32) -> bool {
        let Ok(fd) = u32::try_from(fd) else {
            return false;
        };
        let after = self.ranges.partition_point(|range| *range.start() <= fd);
        self.everything
            || after
                .checked_sub(1)
                .is_some_and(|at| self.ranges[at].contains(&fd))
    }

    /// The descriptors up to `last` that are covered.
    pub fn covered(&self, last: u32) -> impl Iterator<Item = RangeInclusive<u32>> {
        let everything = self.everything.then_some(0..=last);
        let ranges = self.ranges.iter().filter(|_| !self.everything).cloned();
        everything.into_iter().chain(ranges)
    }

    /// Whether calls that hide their descriptors stop.
    pub fn waits(&self) -> bool {
        self.everything || !self.ranges.is_empty()
    }

    /// Whether every call has to stop, for want of a filter.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// There are new sockets that no filter covers.
    pub fn opened(&mut self) {
        self.open = true;
        self.idle = 0;
    }

    /// A call has stopped in vain; whether it is time for a filter.
    pub fn idled(&mut self) -> bool {
        self.idle += 1;
        self.open && self.idle >= PATIENCE << self.additions().min(MOST_DOUBLINGS)
    }

    /// Whether so many calls have stopped in vain that the filter should cover numbers that sockets have left, too.
    pub fn is_overdue(&self) -> bool {
        self.idle >= LONG_PATIENCE
    }

    /// The sockets that no filter covered are gone.
    pub fn settled(&mut self) {
        self.open = false;
    }

    /// The ranges that the next filter should name, so that these descriptors (in order) are covered.
    pub fn plan(&self, fds: impl IntoIterator<Item = i32>) -> Vec<RangeInclusive<u32>> {
        let mut ranges = Vec::new();
        for fd in fds {
            if !self.covers(fd)
                && let Ok(fd) = u32::try_from(fd)
            {
                join(&mut ranges, fd..=fd);
            }
        }
        // A program that comes back again and again gets half as much more than it has. (A file that comes to such a number later
        // stops in vain, which costs more than a hundred filters; but it may never come.)
        if self.additions() >= EXACT
            && let Some(last) = ranges.last_mut()
        {
            let ahead: u32 = self
                .ranges
                .iter()
                .map(|range| range.end() - range.start() + 1)
                .sum();
            *last = *last.start()..=last.end().saturating_add(ahead / 2);
        }
        while ranges.len() > MOST_RANGES {
            let gap = |at: &usize| ranges[at + 1].start() - ranges[*at].end();
            if let Some(at) = (0..ranges.len() - 1).min_by_key(gap) {
                ranges[at] = *ranges[at].start()..=*ranges[at + 1].end();
                ranges.remove(at + 1);
            }
        }
        ranges
    }

    /// One more filter is in force.
    pub fn added(&mut self, filter: Scope) {
        match &filter {
            Scope::Everything => self.everything = true,
            Scope::Members(members) => {
                let mut all: Vec<_> = self
                    .ranges
                    .drain(..)
                    .chain(members.iter().cloned())
                    .collect();
                all.sort_unstable_by_key(|range| *range.start());
                for range in all {
                    join(&mut self.ranges, range);
                }
            }
        }
        self.filters.push(filter);
        self.settled();
    }

    /// How many filters were added to the first one.
    pub fn additions(&self) -> usize {
        self.filters.len() - 1
    }

    /// What the first filter and so many additions cover: a child may have been made before the last ones were there.
    pub fn first(&self, additions: usize) -> Self {
        let mut filters = self
            .filters
            .iter()
            .take(additions.saturating_add(1))
            .cloned();
        let start = filters.next().unwrap_or(Scope::Members(Vec::new()));
        let mut coverage = Self::of(start);
        filters.for_each(|filter| coverage.added(filter));
        coverage.open = self.open;
        coverage
    }
}

/// Adds a range behind the others, or to the last one where it touches that.
fn join(ranges: &mut Vec<RangeInclusive<u32>>, range: RangeInclusive<u32>) {
    match ranges.last_mut() {
        Some(last) if *range.start() <= last.end().saturating_add(1) => {
            *last = *last.start()..=*last.end().max(range.end());
        }
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn empty() -> Coverage {
        Coverage::of(Scope::Members(Vec::new()))
    }

    #[test]
    fn a_few_sockets_are_covered_exactly() {
        let mut coverage = empty();
        assert!(!coverage.covers(3) && !coverage.waits());
        let plan = coverage.plan([3, 4, 7]);
        assert_eq!(plan, [3..=4, 7..=7]);
        coverage.added(Scope::Members(plan));
        assert!(coverage.waits());
        let covered: Vec<i32> = (-1..20).filter(|fd| coverage.covers(*fd)).collect();
        assert_eq!(covered, [3, 4, 7]);
        let plan = coverage.plan([3, 5, 7]);
        assert_eq!(plan, [5..=5], "only what is missing");
        coverage.added(Scope::Members(plan));
        assert_eq!(coverage.ranges, [3..=5, 7..=7]);
    }

    #[test]
    fn thousands_of_sockets_take_few_filters() {
        let mut coverage = empty();
        for fd in 3..2003 {
            if !coverage.covers(fd) {
                let plan = coverage.plan([fd]);
                coverage.added(Scope::Members(plan));
            }
        }
        assert!(coverage.additions() <= 24, "{}", coverage.additions());
        // Those that come at once take one, and nothing more than them.
        let mut coverage = empty();
        coverage.added(Scope::Members(coverage.plan(3..2003)));
        assert_eq!(coverage.ranges, [3..=2002]);
    }

    #[test]
    fn every_call_stops_until_a_filter_is_worth_it() {
        let mut coverage = empty();
        assert!(!coverage.idled() && !coverage.is_open());
        coverage.opened();
        assert!(coverage.is_open());
        assert!((0..3).all(|_| !coverage.idled()));
        assert!(coverage.idled());
        coverage.added(Scope::Members(vec![3..=3]));
        assert!(!coverage.is_open() && !coverage.idled());
    }

    #[test]
    fn a_child_has_the_filters_that_were_there_when_it_was_made() {
        let mut coverage = Coverage::of(Scope::Members(vec![0..=0]));
        coverage.added(Scope::Members(vec![3..=3]));
        coverage.added(Scope::Members(vec![9..=9]));
        let child = coverage.first(1);
        assert!(child.covers(0) && child.covers(3) && !child.covers(9));
        assert!(coverage.first(2).covers(9) && coverage.first(99).covers(9));
        let none = coverage.first(0);
        assert!(none.covers(0) && !none.covers(3));
        coverage.added(Scope::Everything);
        assert!(coverage.first(3).covers(7) && !coverage.first(2).covers(7));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_is_covered(steps in prop::collection::vec(prop::collection::btree_set(0_i32..3000, 1..80), 1..12)) {
            let mut coverage = empty();
            for fds in steps {
                let plan = coverage.plan(fds.iter().copied());
                prop_assert!(plan.len() <= MOST_RANGES);
                prop_assert!(plan.windows(2).all(|pair| pair[0].end() < pair[1].start()));
                coverage.added(Scope::Members(plan));
                prop_assert!(fds.iter().all(|fd| coverage.covers(*fd)));
                prop_assert!(coverage.ranges.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()));
            }
        }
    }
}
