//! Times and sizes as people read them.

use super::glyphs::Glyphs;
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
pub fn since_start(time: Nanos) -> String {
    let tenths = time.saturating_add(50_000) / 100_000;
    if tenths < 10_000 {
        return format!("{:>4}.{}ms", tenths / 10, tenths % 10);
    }
    // Milliseconds as long as the column holds them.
    let (seconds, millis) = (time / SECOND, time % SECOND / 1_000_000);
    match seconds {
        0..100 => format!("{seconds:>2}.{millis:03}s "),
        100..1000 => format!("{seconds}.{:02}s ", millis / 10),
        _ => format!("{seconds}.{}s ", millis / 100),
    }
}

/// A duration in a few characters: `34µs`, `0.4ms`, `11.8ms`, `238ms`, `3.8s`, `252s`, `12min`, `3.1h`.
pub fn duration(nanos: Nanos, glyphs: &Glyphs) -> String {
    let tenths = |unit: Nanos| {
        let tenths = nanos.saturating_add(unit / 20) / (unit / 10);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match nanos {
        0..95_000 => format!("{}{}", (nanos + 500) / 1000, glyphs.micro),
        95_000..99_950_000 => format!("{}ms", tenths(1_000_000)),
        99_950_000..999_500_000 => format!("{}ms", (nanos + 500_000) / 1_000_000),
        999_500_000..59_950_000_000 => format!("{}s", tenths(SECOND)),
        59_950_000_000..600_000_000_000 => format!("{}s", (nanos + SECOND / 2) / SECOND),
        600_000_000_000..7_200_000_000_000 => format!("{}min", nanos / (60 * SECOND)),
        _ => format!("{}h", tenths(3600 * SECOND)),
    }
}

/// A patience that has run out: `1s`, `10s`, `60s`.
pub fn whole_seconds(nanos: Nanos) -> String {
    format!("{}s", nanos / SECOND)
}

/// Seconds with so many digits after the point, cut, not rounded: `0.000123`.
pub fn fixed(nanos: Nanos, digits: u8) -> String {
    let digits = usize::from(digits.min(9));
    if digits == 0 {
        return (nanos / SECOND).to_string();
    }
    let fraction = format!("{:09}", nanos % SECOND);
    format!("{}.{}", nanos / SECOND, &fraction[..digits])
}

/// An amount of bytes: `75 B`, `1.6 kB`, `96 kB`, `4.1 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit < 5 {
        value /= 1000.0;
        unit += 1;
    }
    let unit = ["kB", "MB", "GB", "TB", "PB", "EB"][unit];
    if value < 9.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
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
    pub fn epoch(self, digits: u8) -> String {
        let fraction = fixed(self.nanos.into(), digits);
        format!("{}{}", self.seconds, &fraction[1..])
    }

    /// `12:34:56.123456`, that many seconds east of UTC, or by the local time zone.
    pub fn day(self, digits: u8, zone: Option<i64>) -> String {
        let zone = zone.unwrap_or_else(|| offset(self.seconds));
        let of_day = self.seconds.saturating_add(zone).rem_euclid(86400);
        let fraction = fixed(self.nanos.into(), digits);
        format!(
            "{:02}:{:02}:{:02}{}",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60,
            &fraction[1..]
        )
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
            assert_eq!(duration(nanos, &UNICODE), expected);
        }
        assert_eq!(duration(34_400, &ASCII), "34us");
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
                since_start(nanos),
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
            assert_eq!(size(bytes), expected);
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
        assert_eq!(wall.epoch(6), "1700000001.001000");
        assert_eq!(wall.epoch(0), "1700000001");
        assert_eq!(wall.day(0, Some(0)), "22:13:21");
        assert_eq!(wall.day(6, Some(3600)), "23:13:21.001000");
        assert_eq!(wall.day(3, Some(-23 * 3600)), "23:13:21.001");
        assert!((-50_000..=50_000).contains(&offset(0)));
    }
}
