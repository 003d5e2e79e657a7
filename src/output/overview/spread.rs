//! How durations are spread: count, median, percentiles and the worst, in bounded memory.

use std::collections::BTreeMap;

use crate::tracer::event::Nanos;

/// Bits that are kept of a duration beside its order of magnitude: what is told of the middle is true to 1/32.
const BITS: u32 = 5;

/// A distribution of durations.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The longest, in ns.
    pub worst: Nanos,
    /// Their sum, in ns.
    pub sum: Nanos,
    /// How many lie in each range of lengths; at most 64 ranges for each bit kept.
    ranges: BTreeMap<u16, u64>,
}

impl Spread {
    /// Adds a duration.
    pub fn add(&mut self, took: Nanos) {
        self.count += 1;
        self.worst = self.worst.max(took);
        self.sum = self.sum.saturating_add(took);
        *self.ranges.entry(range(took)).or_default() += 1;
    }

    /// Adds those of another one.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.worst = self.worst.max(other.worst);
        self.sum = self.sum.saturating_add(other.sum);
        for (range, count) in &other.ranges {
            *self.ranges.entry(*range).or_default() += count;
        }
    }

    /// The duration that so many percent don't exceed; 0 where there is none.
    pub fn percentile(&self, percent: u64) -> Nanos {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut passed = 0;
        for (range, count) in &self.ranges {
            passed += count;
            if passed >= wanted {
                return longest(*range).min(self.worst);
            }
        }
        self.worst
    }
}

/// The range that a duration lies in: its highest bits, and where they stand.
fn range(took: Nanos) -> u16 {
    let shift = (Nanos::BITS - took.leading_zeros()).saturating_sub(BITS + 1);
    ((shift << (BITS + 1)) as u16) + (took >> shift) as u16
}

/// The longest duration of a range.
fn longest(range: u16) -> Nanos {
    let shift = range >> (BITS + 1);
    let bits = Nanos::from(range & ((1 << (BITS + 1)) - 1));
    ((u128::from(bits) + 1) << shift)
        .saturating_sub(1)
        .min(u128::from(Nanos::MAX)) as Nanos
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn percentiles_are_near_the_truth(mut all in prop::collection::vec(any::<Nanos>(), 1..200), percent in 1..=100u64) {
            let mut spread = Spread::default();
            all.iter().for_each(|took| spread.add(*took));
            all.sort_unstable();
            let rank = (all.len() as u64 * percent).div_ceil(100).max(1) as usize;
            let truth = all[rank - 1];
            let told = spread.percentile(percent);
            prop_assert!(told >= truth && told - truth <= truth / 32 + 1, "{told} for {truth}");
            prop_assert_eq!(spread.worst, *all.last().unwrap());
        }
    }
}
