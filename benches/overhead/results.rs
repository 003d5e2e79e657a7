//! What came of a workload: its samples, and how they compare with what is to be reached.

use crate::statistics::{self, Ratio, median};
use crate::way::Way;
use crate::workloads::{Measure, Quantity, Target, Workload};

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// What ran.
    pub workload: &'static Workload,
    /// What was taken of each run.
    pub measure: &'static Measure,
    samples: [Vec<f64>; Way::ALL.len()],
}

impl Row {
    /// A row without samples.
    pub fn new(workload: &'static Workload, measure: &'static Measure) -> Self {
        Self {
            workload,
            measure,
            samples: Default::default(),
        }
    }

    /// Takes the next sample.
    pub fn add(&mut self, way: Way, sample: f64) {
        self.samples[way as usize].push(sample);
    }

    /// The samples of this way, one a round.
    pub fn samples(&self, way: Way) -> &[f64] {
        &self.samples[way as usize]
    }

    /// The best of them.
    pub fn best(&self, way: Way) -> Option<f64> {
        match self.measure.quantity {
            Quantity::Rate => statistics::maximum(self.samples(way)),
            _ => statistics::minimum(self.samples(way)),
        }
    }

    /// How many times sockstrace takes what this way takes.
    pub fn ratio(&self, way: Way) -> Option<Ratio> {
        statistics::ratio(self.samples(Way::Sockstrace), self.samples(way))
    }

    /// Whether it reaches a target by the medians; nothing where there is nothing to compare with.
    pub fn reached(&self, target: Target) -> Option<bool> {
        let ratio = |way| Some(self.ratio(way)?.of_medians);
        Some(match target {
            Target::AtMost(most, way) => ratio(way)? <= most,
            Target::AtLeast(least, way) => ratio(way)? >= least,
            Target::Below(most) => median(self.samples(Way::Sockstrace))? < most,
        })
    }
}
