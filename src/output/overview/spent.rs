//! Where the time went: stretches of time that were spent on something, so that what overlaps counts once.

use crate::tracer::event::Nanos;

/// How many stretches of one kind are remembered apart; more than that are drawn together where the gap is smallest.
const STRETCHES: usize = 2048;

/// What time is spent on, what comes first being counted where several overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Names are asked for.
    Resolve,
    /// Connections are made.
    Connect,
    /// They are secured.
    Tls,
    /// An answer is waited for.
    Wait,
    /// There is no room to send.
    Send,
}

/// All of them, with their words.
pub const USES: [(Use, &str); 5] = [
    (Use::Resolve, "resolve"),
    (Use::Connect, "connect"),
    (Use::Tls, "TLS"),
    (Use::Wait, "wait"),
    (Use::Send, "send"),
];

/// The time of a run.
#[derive(Debug, Default)]
pub struct Spent {
    /// For each use the stretches, in order, apart from each other.
    stretches: [Vec<(Nanos, Nanos)>; USES.len()],
}

impl Spent {
    /// Adds a stretch.
    pub fn add(&mut self, on: Use, start: Nanos, end: Nanos) {
        if end <= start {
            return;
        }
        let all = &mut self.stretches[on as usize];
        let first = all.partition_point(|it| it.1 < start);
        let last = all.partition_point(|it| it.0 <= end);
        let joined = all[first..last]
            .iter()
            .fold((start, end), |sum, it| (sum.0.min(it.0), sum.1.max(it.1)));
        all.splice(first..last, [joined]);
        if all.len() > STRETCHES {
            let gaps = all.windows(2).map(|two| two[1].0 - two[0].1);
            let at = gaps
                .enumerate()
                .min_by_key(|(_, gap)| *gap)
                .map_or(0, |(at, _)| at);
            all[at].1 = all[at + 1].1;
            all.remove(at + 1);
        }
    }

    /// How long each use took in all, up to `end`, and how long nothing of that was done.
    pub fn shares(&self, end: Nanos) -> ([Nanos; USES.len()], Nanos) {
        let mut shares = [0; USES.len()];
        // What is taken by the uses before, in order and apart.
        let mut taken: Vec<(Nanos, Nanos)> = Vec::new();
        for (share, stretches) in shares.iter_mut().zip(&self.stretches) {
            let before = length(&taken);
            taken = union(&taken, stretches);
            *share = length(&taken) - before;
        }
        (shares, end.saturating_sub(length(&taken)))
    }
}

fn length(stretches: &[(Nanos, Nanos)]) -> Nanos {
    stretches.iter().map(|(start, end)| end - start).sum()
}

fn union(one: &[(Nanos, Nanos)], other: &[(Nanos, Nanos)]) -> Vec<(Nanos, Nanos)> {
    let mut all = [one, other].concat();
    all.sort_unstable();
    let mut joined: Vec<(Nanos, Nanos)> = Vec::with_capacity(all.len());
    for (start, end) in all {
        match joined.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_overlaps_counts_once() {
        let mut spent = Spent::default();
        spent.add(Use::Wait, 10, 30);
        spent.add(Use::Wait, 20, 40);
        spent.add(Use::Connect, 5, 15);
        spent.add(Use::Wait, 50, 60);
        assert_eq!(spent.shares(100), ([0, 10, 0, 35, 0], 55));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn shares_are_those_of_each_moment(added in prop::collection::vec((0..5usize, 0..200u64, 0..60u64), 0..60)) {
            let mut spent = Spent::default();
            let mut moments = [None; 300];
            for (on, start, len) in &added {
                let on = USES[*on].0;
                spent.add(on, *start, start + len);
                for moment in &mut moments[*start as usize..(start + len) as usize] {
                    *moment = Some(moment.map_or(on as usize, |was: usize| was.min(on as usize)));
                }
            }
            let (shares, rest) = spent.shares(300);
            for (at, share) in shares.iter().enumerate() {
                let truth = moments.iter().filter(|moment| **moment == Some(at)).count();
                prop_assert_eq!(*share, truth as u64);
            }
            prop_assert_eq!(rest, moments.iter().filter(|moment| moment.is_none()).count() as u64);
        }
    }
}
