//! syslog (RFC 5424, RFC 3164): what programs report, with facility and severity; in streams as RFC 6587 frames it.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// How much of a message is read.
const READ: usize = 1024;
/// The longest message that is believed where its length stands before it (RFC 6587 section 3.4.1), in digits.
const LENGTH_DIGITS: usize = 5;
/// `Mmm dd hh:mm:ss` (RFC 3164 section 4.1.2).
const TIMESTAMP: usize = 15;
/// The least severity that is no failure: warning.
const WARNING: u8 = 4;

/// Facilities (RFC 5424 section 6.2.1), by the names of syslog.h.
const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// Severities, the worst first.
const SEVERITIES: &[&str] = &[
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

const MONTHS: &[&[u8]] = &[
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Listens to one conversation.
#[derive(Debug)]
pub struct Syslog {
    stream: bool,
}

impl Syslog {
    /// With a length before each message or a line feed behind it.
    pub fn in_stream() -> Self {
        Self { stream: true }
    }

    /// A message a datagram.
    pub fn in_datagrams() -> Self {
        Self { stream: false }
    }
}

/// Whether a datagram is a message: a priority, and nothing but text behind it. Not everyone who logs gives a time.
pub fn guess(bytes: &[u8]) -> Guess {
    let Part::Is(_, length) = priority(bytes) else {
        return Guess::No;
    };
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let text = &text[length.min(text.len())..];
    // What is cut may end within a character.
    let readable = match std::str::from_utf8(text) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x1B".contains(byte);
    match readable && !text.is_empty() && !text.iter().any(control) {
        true => Guess::Client,
        false => Guess::No,
    }
}

/// Whether it begins as a message with its time does: in a stream, a priority alone may be anything.
pub fn guess_stream(bytes: &[u8]) -> Guess {
    let start = match framed(bytes) {
        Part::Is(_, start) => start,
        Part::Cut => return Guess::Perhaps,
        Part::Not => 0,
    };
    let message = &bytes[start..];
    match priority(message) {
        Part::Is(_, length) => match timestamp(&message[length..]) {
            Part::Is(..) => Guess::Client,
            Part::Cut => Guess::Perhaps,
            Part::Not => Guess::No,
        },
        Part::Cut => Guess::Perhaps,
        Part::Not => Guess::No,
    }
}

/// What stands at the beginning: a number, and how many bytes it takes.
enum Part {
    Is(usize, usize),
    Cut,
    Not,
}

/// Decimal digits up to `end`, without zeros before them.
fn digits(bytes: &[u8], most: usize, end: u8) -> Part {
    let count = bytes.iter().take(most).take_while(|it| it.is_ascii_digit());
    let count = count.count();
    match (bytes.get(count), &bytes[..count]) {
        (_, [b'0', _, ..]) => Part::Not,
        (None, _) if count <= most => Part::Cut,
        (Some(byte), [_, ..]) if *byte == end => {
            let number = bytes[..count]
                .iter()
                .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
            Part::Is(number, count + 1)
        }
        _ => Part::Not,
    }
}

/// `<PRI>` (RFC 5424 section 6.2.1).
fn priority(bytes: &[u8]) -> Part {
    match bytes {
        [] => Part::Cut,
        [b'<', rest @ ..] => match digits(rest, 3, b'>') {
            Part::Is(number, length) if number < FACILITIES.len() * 8 => {
                Part::Is(number, length + 1)
            }
            Part::Is(..) => Part::Not,
            other => other,
        },
        _ => Part::Not,
    }
}

/// The length before a message, which begins with its priority.
fn framed(bytes: &[u8]) -> Part {
    let part = match bytes.first() {
        Some(b'1'..=b'9') => digits(bytes, LENGTH_DIGITS, b' '),
        _ => Part::Not,
    };
    match part {
        Part::Is(_, start) => match bytes.get(start) {
            Some(b'<') => part,
            Some(_) => Part::Not,
            None => Part::Cut,
        },
        part => part,
    }
}

/// The version and the year of RFC 5424, or the time of RFC 3164, whose length it gives.
fn timestamp(bytes: &[u8]) -> Part {
    let fits = |pattern: &[u8]| {
        bytes
            .iter()
            .zip(pattern)
            .all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'_' => byte.is_ascii_digit() || *byte == b' ',
                b'A' => byte.is_ascii_alphabetic(),
                _ => byte == wanted,
            })
    };
    let part = |length: usize| match bytes.len() < length {
        true => Part::Cut,
        false => Part::Is(0, length),
    };
    if fits(b"1 0000-00-00T00:00:00") {
        return part(21);
    }
    if fits(b"1 - ") {
        return part(4);
    }
    let month = MONTHS.iter().any(|month| {
        let common = bytes.len().min(month.len());
        bytes[..common] == month[..common]
    });
    match month && fits(b"AAA _0 00:00:00 ") {
        true => part(TIMESTAMP + 1),
        false => Part::Not,
    }
}

impl Sniffer for Syslog {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if from == Side::Server {
            return Step::Lost;
        }
        if !self.stream {
            message(bytes, said);
            return Step::Took(bytes.len() as u64);
        }
        match framed(bytes) {
            Part::Is(length, start) => {
                let there = &bytes[start..bytes.len().min(start + length)];
                if whole && there.len() < length.min(READ) {
                    return Step::More;
                }
                message(&there[..there.len().min(READ)], said);
                Step::Took((start + length) as u64)
            }
            Part::Cut => Step::More,
            Part::Not => {
                // What logs to its own machine ends messages with NUL.
                let end = bytes.iter().position(|byte| b"\n\0".contains(byte));
                let text = &bytes[..end.unwrap_or(bytes.len())];
                match end {
                    None if whole => return Step::More,
                    _ => message(&text[..text.len().min(READ)], said),
                }
                end.map_or(Step::Lost, |end| Step::Took(end as u64 + 1))
            }
        }
    }
}

fn message(bytes: &[u8], said: &mut Said) {
    let Part::Is(priority, start) = priority(bytes) else {
        return;
    };
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let text = text.get(start..).unwrap_or_default();
    let text = match (timestamp(text), text) {
        (Part::Is(..), [b'1', b' ', ..]) => newer(&text[2..], said),
        (Part::Is(_, length), _) => said.text(&text[length..], start),
        _ => said.text(text, start),
    };
    let facility = FACILITIES.get(priority / 8).unwrap_or(&"?");
    let severity = SEVERITIES[priority % 8];
    let words = format!("{facility}.{severity} {}", text.trim());
    let words = words.trim_end();
    match priority % 8 < usize::from(WARNING) {
        true => said.fail(Kind::Note, words),
        false => said.say(Kind::Note, words),
    }
}

/// Who says what (RFC 5424 section 6): time, host, program, process and kind of message, then data with a structure, then text.
fn newer(bytes: &[u8], said: &Said) -> String {
    let mut words = bytes.splitn(6, |byte| *byte == b' ');
    let program = words.nth(2).unwrap_or_default();
    let rest = words.nth(2).unwrap_or_default();
    let text = match rest {
        [b'[', ..] => {
            let end = structure(rest);
            rest.get(end..).unwrap_or_default()
        }
        _ => rest.strip_prefix(b"-").unwrap_or_default(),
    };
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    match program {
        b"-" | b"" => said.text(text, 0),
        _ => format!("{}: {}", said.text(program, 0), said.text(text, 0)),
    }
}

/// How long the data with a structure is: elements in brackets, whose values may hold escaped ones (section 6.3).
fn structure(bytes: &[u8]) -> usize {
    let (mut quoted, mut at) = (false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted && bytes.get(at + 1) != Some(&b'[') => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::Carrier;
    use crate::protocol::tests::{Dialogue, hear, hear_by, out};

    /// What logger sends with TCP, then with the length before each message.
    pub fn dialogue() -> Dialogue {
        vec![
            out(
                "<13>1 2026-01-02T03:04:05.678901+00:00 host me - - [timeQuality tzKnown=\"1\" x=\"\\\"]\"][b] all is well\n<11>Jan  2 03:04:05 host me[7]: not so well\n",
            ),
            out(
                "53 <34>1 2026-01-02T03:04:05Z host su 7 ID47 - it failed<14>Oct 11 22:14:15 me: 9\n",
            ),
        ]
    }

    #[test]
    fn streams_of_both_framings() {
        assert_eq!(
            hear(&dialogue()),
            [
                ". syslog user.notice me: all is well",
                ".! syslog user.err host me[7]: not so well",
                ".! syslog auth.crit su: it failed",
                ". syslog user.info me: 9",
            ]
        );
    }

    #[test]
    fn datagrams_as_programs_send_them() {
        let heard = hear_by(
            Carrier::Datagram,
            &[
                // The C library's syslog, Python's SysLogHandler, RFC 5424's first two examples.
                out("<13>Oct 11 22:14:15 app[123]: hello"),
                out("<14>a message\0"),
                out(
                    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{FEFF}'su root' failed on /dev/pts/8",
                ),
                out(
                    "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
                ),
                out("<0>1 - - - - - -"),
                out("no message"),
            ],
        );
        assert_eq!(
            heard,
            [
                ". syslog user.notice app[123]: hello",
                ". syslog user.info a message",
                ".! syslog auth.crit su: 'su root' failed on /dev/pts/8",
                ". syslog local4.notice myproc: %% It's time to make the do-nuts.",
                ".! syslog kern.emerg",
            ]
        );
    }

    #[test]
    fn other_bytes_are_not_its() {
        for bytes in [
            &b"<>hello"[..],
            b"<192>hello",
            b"<013>hello",
            b"<1234>hello",
            b"<13>",
            b"<13>\0",
            b"<13>a\x01b",
            b"<13>a\xFFb",
            b"<a>hello",
            b"13>hello",
        ] {
            assert_eq!(guess(bytes), Guess::No, "{bytes:?}");
            assert_ne!(guess_stream(bytes), Guess::Client, "{bytes:?}");
        }
        for bytes in [
            &b"<13>hello"[..],
            b"<13>Oct 11 22:14",
            b"<13>Okt 11 22:14:15 ",
            b"<13>2 2026-01-02T03:04:05Z",
            b"220 host ready\r\n",
            b"<html>",
        ] {
            assert_ne!(guess_stream(bytes), Guess::Client, "{bytes:?}");
        }
        assert_eq!(guess_stream(b"<13>Oct 1"), Guess::Perhaps);
        assert_eq!(guess_stream(b"12 <1"), Guess::Perhaps);
        assert_eq!(guess_stream(b"220 h"), Guess::No);
    }
}
