//! Times and sizes as people read them.

use std::fmt::Write;

use super::glyphs::Glyphs;
use super::number::{decimal, padded, signed};
use crate::tracer::event::Nanos;

/// What the first column says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Time since the trace began, in ms and s.
    #[default]
    SinceStart,
    /// The time of day, with so many digits after the second: 0 for `-t`, 6 for `-tt`.
    Day(u8),
    /// Seconds since 1970, with so many digits after them: 6 for `-ttt`.
    Epoch(u8),
}

const SECOND: Nanos = 1_000_000_000;

/// A time since the start, for a column: `  16.3ms`, `   7.312s `; the unit's first letters line up.
pub fn since_start(out: &mut String, time: Nanos) {
    let tenths = time.saturating_add(50_000) / 100_000;
    if tenths < 10_000 {
        padded(out, tenths / 10, 4, b' ');
        out.push('.');
        decimal(out, tenths % 10);
        out.push_str("ms");
        return;
    }
    // Milliseconds as long as the column holds them.
    let (seconds, millis) = (time / SECOND, time % SECOND / 1_000_000);
    padded(out, seconds, 2, b' ');
    out.push('.');
    match seconds {
        0..100 => padded(out, millis, 3, b'0'),
        100..1000 => padded(out, millis / 10, 2, b'0'),
        _ => decimal(out, millis / 100),
    }
    out.push_str("s ");
}

/// A duration in a few characters: `34µs`, `0.4ms`, `11.8ms`, `238ms`, `3.8s`, `252s`, `12min`, `3.1h`.
pub fn duration(out: &mut String, nanos: Nanos, glyphs: &Glyphs) {
    let tenths = |out: &mut String, unit: Nanos| {
        let tenths = nanos.saturating_add(unit / 20) / (unit / 10);
        decimal(out, tenths / 10);
        out.push('.');
        decimal(out, tenths % 10);
    };
    let unit = match nanos {
        0..95_000 => {
            decimal(out, (nanos + 500) / 1000);
            glyphs.micro
        }
        95_000..99_950_000 => {
            tenths(out, 1_000_000);
            "ms"
        }
        99_950_000..999_500_000 => {
            decimal(out, (nanos + 500_000) / 1_000_000);
            "ms"
        }
        999_500_000..59_950_000_000 => {
            tenths(out, SECOND);
            "s"
        }
        59_950_000_000..600_000_000_000 => {
            decimal(out, (nanos + SECOND / 2) / SECOND);
            "s"
        }
        600_000_000_000..7_200_000_000_000 => {
            decimal(out, nanos / (60 * SECOND));
            "min"
        }
        _ => {
            tenths(out, 3600 * SECOND);
            "h"
        }
    };
    out.push_str(unit);
}

/// A patience that has run out: `1s`, `10s`, `60s`.
pub fn whole_seconds(out: &mut String, nanos: Nanos) {
    decimal(out, nanos / SECOND);
    out.push('s');
}

/// Seconds with so many digits after the point, cut, not rounded: `0.000123`.
pub fn fixed(out: &mut String, nanos: Nanos, digits: u8) {
    decimal(out, nanos / SECOND);
    fraction(out, nanos % SECOND, digits);
}

/// What follows the seconds: nothing, or a point and so many digits.
fn fraction(out: &mut String, nanos: Nanos, digits: u8) {
    let digits = digits.min(9);
    if digits > 0 {
        out.push('.');
        let cut = nanos / 10u64.pow(9 - u32::from(digits));
        padded(out, cut, digits.into(), b'0');
    }
}

/// An amount of bytes: `75 B`, `1.6 kB`, `96 kB`, `4.1 MB`.
pub fn size(out: &mut String, bytes: u64) {
    if bytes < 1000 {
        decimal(out, bytes);
        out.push_str(" B");
        return;
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit < 5 {
        value /= 1000.0;
        unit += 1;
    }
    let unit = ["kB", "MB", "GB", "TB", "PB", "EB"][unit];
    let digits = usize::from(value < 9.95);
    write!(out, "{value:.digits$} {unit}").expect("a String takes all");
}

/// A moment of wall-clock time: seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Nanoseconds of the second, 0 to 999,999,999.
    pub nanos: u32,
}

impl Wall {
    /// The moment so much later.
    pub fn plus(self, later: Nanos) -> Self {
        let nanos = u64::from(self.nanos) + later % SECOND;
        let seconds = self
            .seconds
            .saturating_add((later / SECOND + nanos / SECOND) as i64);
        Self {
            seconds,
            nanos: (nanos % SECOND) as u32,
        }
    }

    /// `1700000000.123456`.
    pub fn epoch(self, out: &mut String, digits: u8) {
        signed(out, self.seconds);
        fraction(out, self.nanos.into(), digits);
    }

    /// `12:34:56.123456`, that many seconds east of UTC, or by the local time zone.
    pub fn day(self, out: &mut String, digits: u8, zone: Option<i64>) {
        let zone = zone.unwrap_or_else(|| offset(self.seconds));
        let of_day = self.seconds.saturating_add(zone).rem_euclid(86400) as u64;
        padded(out, of_day / 3600, 2, b'0');
        out.push(':');
        padded(out, of_day / 60 % 60, 2, b'0');
        out.push(':');
        padded(out, of_day % 60, 2, b'0');
        fraction(out, self.nanos.into(), digits);
    }
}

/// How many seconds east of UTC the local time zone is at that moment.
fn offset(seconds: i64) -> i64 {
    // SAFETY: struct tm is plain numbers and a pointer, for which all zeros are valid.
    let mut broken: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers lead to values that live through the call, which keeps neither.
    let found = unsafe { libc::localtime_r(&seconds, &mut broken) };
    if found.is_null() { 0 } else { broken.tm_gmtoff }
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::{ASCII, UNICODE};
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn durations_are_short() {
        for (nanos, expected) in [
            (0, "0µs"),
            (34_400, "34µs"),
            (95_000, "0.1ms"),
            (1_149_999, "1.1ms"),
            (11_800_000, "11.8ms"),
            (99_949_999, "99.9ms"),
            (99_950_000, "100ms"),
            (999_499_999, "999ms"),
            (999_500_000, "1.0s"),
            (3_800_000_000, "3.8s"),
            (59_949_999_999, "59.9s"),
            (252_000_000_000, "252s"),
            (720_000_000_000, "12min"),
            (11_160_000_000_000, "3.1h"),
        ] {
            assert_eq!(written(|out| duration(out, nanos, &UNICODE)), expected);
        }
        assert_eq!(written(|out| duration(out, 34_400, &ASCII)), "34us");
    }

    #[test]
    fn the_column_lines_up() {
        for (nanos, expected) in [
            (0, "   0.0ms"),
            (16_300_000, "  16.3ms"),
            (999_949_999, " 999.9ms"),
            (999_950_000, "  0.999s "),
            (7_312_000_000, "  7.312s "),
            (123_456_000_000, " 123.45s "),
            (1_234_567_000_000, "1234.5s "),
        ] {
            assert_eq!(
                written(|out| since_start(out, nanos)),
                expected.trim_start().to_string().as_str().pad(8)
            );
        }
    }

    trait Pad {
        fn pad(&self, width: usize) -> String;
    }

    impl Pad for str {
        fn pad(&self, width: usize) -> String {
            format!("{self:>width$}")
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1591, "1.6 kB"),
            (9949, "9.9 kB"),
            (9950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (4_100_000, "4.1 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(written(|out| size(out, bytes)), expected);
        }
    }

    #[test]
    fn wall_clock() {
        let wall = Wall {
            seconds: 1_700_000_000,
            nanos: 999_999_999,
        }
        .plus(1_000_001);
        assert_eq!(
            wall,
            Wall {
                seconds: 1_700_000_001,
                nanos: 1_000_000
            }
        );
        assert_eq!(written(|out| wall.epoch(out, 6)), "1700000001.001000");
        assert_eq!(written(|out| wall.epoch(out, 0)), "1700000001");
        assert_eq!(written(|out| wall.day(out, 0, Some(0))), "22:13:21");
        assert_eq!(
            written(|out| wall.day(out, 6, Some(3600))),
            "23:13:21.001000"
        );
        assert_eq!(
            written(|out| wall.day(out, 3, Some(-23 * 3600))),
            "23:13:21.001"
        );
        assert!((-50_000..=50_000).contains(&offset(0)));
    }
}
