//! From the processor's time stamp counter to the trace's clock.

use std::fs;

use crate::tracer::Clock;
use crate::tracer::event::Nanos;

/// What the kernel keeps time by.
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// The counter, held against the clock: since the trace began, and lately.
#[derive(Clone, Copy, Debug)]
pub struct Tsc {
    first: (u64, Nanos),
    latest: (u64, Nanos),
}

/// The counter now.
fn counter() -> u64 {
    // SAFETY: every x86_64 processor has the instruction; where it is forbidden, nobody asks (see `is_sound`).
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// The counter and the clock at one moment.
fn both(clock: Clock) -> (u64, Nanos) {
    // The try that was interrupted least.
    let tries = (0..4).map(|_| {
        let before = counter();
        let now = clock.now();
        let after = counter();
        (after.wrapping_sub(before), before, now)
    });
    let (between, before, now) = tries.min().unwrap_or_default();
    (before + between / 2, now)
}

/// Whether the counter runs evenly and alike on all processors, as far as the kernel trusts it, and may be read.
pub fn is_sound() -> bool {
    /// See prctl(2).
    const PR_GET_TSC: i32 = 25;
    const PR_TSC_ENABLE: i32 = 1;
    let mut mode = 0;
    // SAFETY: writes an int where the pointer leads.
    let asked = unsafe { libc::prctl(PR_GET_TSC, &raw mut mode) };
    asked == 0
        && mode == PR_TSC_ENABLE
        && fs::read_to_string(CLOCK_SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

impl Tsc {
    /// From now on.
    pub fn start(clock: Clock) -> Self {
        let now = both(clock);
        Self {
            first: now,
            latest: now,
        }
    }

    /// Holds it against the clock once more.
    pub fn adjust(&mut self, clock: Clock) {
        self.latest = both(clock);
    }

    /// What the clock showed when the counter stood there.
    pub fn nanos(&self, counter: u64) -> Nanos {
        let (ticks, nanos) = (
            self.latest.0.wrapping_sub(self.first.0),
            self.latest.1.saturating_sub(self.first.1),
        );
        let since = counter.wrapping_sub(self.latest.0) as i64;
        let rate = nanos as f64 / ticks.max(1) as f64;
        self.latest
            .1
            .saturating_add_signed((since as f64 * rate) as i64)
    }
}
