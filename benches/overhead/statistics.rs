//! Medians and ratios of samples that were taken in turns.

/// The median: of an even number, the mean of the two in the middle. Nothing of nothing.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The smallest.
pub fn minimum(samples: &[f64]) -> Option<f64> {
    samples.iter().copied().min_by(f64::total_cmp)
}

/// The largest.
pub fn maximum(samples: &[f64]) -> Option<f64> {
    samples.iter().copied().max_by(f64::total_cmp)
}

/// How many times `b` is in `a`.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// Of the two medians.
    pub of_medians: f64,
    /// The median of the ratios of each round: what slows a whole round down is not in it.
    pub of_rounds: f64,
}

/// How many times `b` is in `a`, whose samples were taken in the same rounds.
pub fn ratio(a: &[f64], b: &[f64]) -> Option<Ratio> {
    let rounds: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / b).collect();
    Some(Ratio {
        of_medians: median(a)? / median(b)?,
        of_rounds: median(&rounds)?,
    })
}
