//! Names of files with `%h`, `%p` and `%t` in them, so that many runs on many hosts can write to one folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::codec::Codec;

/// What stands for them.
#[derive(Clone, Debug)]
pub struct NameFacts {
    /// `%h`: the machine's name.
    pub host: String,
    /// `%p`: the program's process.
    pub pid: i32,
    /// `%t`: when the trace began, shown in UTC as 20261126T093412Z.
    pub time: SystemTime,
}

/// The name of a file: `%%` is a percent sign, and any other letter after one stays as it is.
pub fn expand(pattern: &Path, facts: &NameFacts) -> PathBuf {
    let mut name = Vec::new();
    let mut rest = pattern.as_os_str().as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = match rest {
            [b'%', b'h', behind @ ..] => {
                let host: String = facts.host.chars().map(in_name).collect();
                name.extend(host.into_bytes());
                behind
            }
            [b'%', b'p', behind @ ..] => {
                name.extend(facts.pid.to_string().into_bytes());
                behind
            }
            [b'%', b't', behind @ ..] => {
                name.extend(moment(facts.time).into_bytes());
                behind
            }
            [b'%', b'%', behind @ ..] => {
                name.push(b'%');
                behind
            }
            _ => {
                name.push(*byte);
                behind
            }
        };
    }
    OsString::from_vec(name).into()
}

/// Ends of names that say what is in a file, beside those of its compression.
const CONTENTS: [&str; 5] = ["json", "jsonl", "log", "ndjson", "txt"];

/// The name of another file beside it: `trace.ndjson.zst` becomes `trace.1.ndjson.zst`.
pub fn part(path: &Path, part: u32) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    // Other points are the name's own, as in that of a host.
    let mut stem = Path::new(name);
    while says_what_is_in_it(stem)
        && let Some(shorter) = stem.file_stem()
    {
        stem = Path::new(shorter);
    }
    let (stem, ends) = name.as_bytes().split_at(stem.as_os_str().len());
    let number = format!(".{part}");
    path.with_file_name(OsString::from_vec([stem, number.as_bytes(), ends].concat()))
}

fn says_what_is_in_it(name: &Path) -> bool {
    let holds = |end: &OsStr| CONTENTS.iter().any(|known| end.eq_ignore_ascii_case(known));
    Codec::of(name) != Codec::Plain || name.extension().is_some_and(holds)
}

/// A machine may have any name; it is not to lead to another folder.
fn in_name(letter: char) -> char {
    match letter {
        '/' => '_',
        letter if letter.is_control() => '_',
        letter => letter,
    }
}

/// A moment in UTC, by the calendar of RFC 3339.
fn moment(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Year, month and day of so many days after 1970-01-01. Counted from a first of March, a year's months have fixed lengths up to its end.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (cycle, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (cycle * 400 + year + later, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_say_where_who_and_when() {
        let facts = NameFacts {
            host: "web/1\n\u{85}é".into(),
            pid: 4121,
            time: UNIX_EPOCH + Duration::from_secs(951_782_400),
        };
        for (pattern, expected) in [
            ("trace", "trace"),
            (
                "a/%h-%p-%t.ndjson",
                "a/web_1__é-4121-20000229T000000Z.ndjson",
            ),
            ("100%%p %x %", "100%p %x %"),
        ] {
            assert_eq!(expand(Path::new(pattern), &facts), Path::new(expected));
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (68_169_599, "19720228T235959Z"),
            (68_169_600, "19720229T000000Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (1_795_688_052, "20261126T101412Z"),
            (1_798_761_599, "20261231T235959Z"),
        ] {
            assert_eq!(moment(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn parts_keep_their_extensions() {
        for (path, expected) in [
            ("t/trace.ndjson.zst", "t/trace.2.ndjson.zst"),
            ("trace", "trace.2"),
            (".trace.gz", ".trace.2.gz"),
            (".gz", ".gz.2"),
            ("run.ZST", "run.2.ZST"),
            // A host's name has points of its own, and so may any other.
            ("db.example.com-7.json.gz", "db.example.com-7.2.json.gz"),
            ("v1.2/run-1.5.zst", "v1.2/run-1.5.2.zst"),
            ("db.example.com", "db.example.com.2"),
        ] {
            assert_eq!(part(Path::new(path), 2), Path::new(expected));
        }
    }
}
