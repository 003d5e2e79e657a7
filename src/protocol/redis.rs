//! Redis' protocol RESP, versions 2 and 3: commands and replies.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest line that gives a type and a length, or a simple string.
const LINE: usize = 512;
/// The longest argument that is quoted.
const QUOTED: usize = 64;
/// The most elements of one command that are walked through.
const ARGUMENTS: u64 = 1 << 20;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Redis {
    /// How many elements of the reply are still to come: replies hold others.
    open: u64,
}

/// Whether it begins as a command, or as a reply that nothing else looks like.
pub fn guess(bytes: &[u8]) -> Guess {
    let Some(line) = line(bytes) else {
        return match bytes {
            [b'*'] => Guess::Perhaps,
            [b'*', digits @ ..] if digits.len() < 8 && digits.iter().all(u8::is_ascii_digit) => {
                Guess::Perhaps
            }
            _ => Guess::No,
        };
    };
    let after = &bytes[line.len() + 2..];
    match line {
        [b'*', b'1'..=b'9', ..] if number(line).is_some() => match after {
            [b'$', b'0'..=b'9', ..] => Guess::Client,
            [] | [b'$'] => Guess::Perhaps,
            _ => Guess::No,
        },
        b"+OK" | b"+PONG" | b"+QUEUED" if after.is_empty() => Guess::Server,
        [b'$', digits @ ..] if !digits.is_empty() && after.ends_with(b"\r\n") => {
            let length = number(line).and_then(|length| usize::try_from(length).ok());
            match length.is_some_and(|length| after.len() == length + 2) {
                true => Guess::Server,
                false => Guess::No,
            }
        }
        _ => Guess::No,
    }
}

impl Sniffer for Redis {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        match from {
            Side::Client => command(bytes, whole, said),
            Side::Server => self.reply(bytes, whole, said),
        }
    }
}

/// An array of strings: the command and what it is about.
fn command(bytes: &[u8], whole: bool, said: &mut Said) -> Step {
    let Some(first) = line(bytes) else {
        return if bytes.len() < LINE {
            Step::More
        } else {
            Step::Lost
        };
    };
    if first.first() != Some(&b'*') {
        // Typed by hand, a line is a command too.
        let text = said.text(&first[..first.len().min(QUOTED)], 0);
        said.say(Kind::Request(0), text);
        return Step::Took(first.len() as u64 + 2);
    }
    let count = match number(first) {
        Some(count) if (1..=ARGUMENTS as i64).contains(&count) => count as u64,
        _ => return Step::Lost,
    };
    let mut at = first.len() + 2;
    let mut arguments: Vec<(usize, &[u8])> = Vec::new();
    let (mut walked, mut cut) = (0, false);
    let end = loop {
        if walked == count {
            break Some(at as u64);
        }
        let Some(header) = bytes.get(at..).and_then(line) else {
            break None;
        };
        let length = match (header.first(), number(header)) {
            (Some(b'$'), Some(length @ 0..)) => length as u64,
            _ => return Step::Lost,
        };
        let start = at + header.len() + 2;
        let there = bytes.len().saturating_sub(start) as u64;
        let shown = usize::try_from(length.min(there)).unwrap_or(0);
        if arguments.len() < 8 {
            arguments.push((start, bytes.get(start..start + shown).unwrap_or_default()));
        }
        if whole && there < length.min(LINE as u64) {
            cut = true;
            break None;
        }
        walked += 1;
        let next = (start as u64).saturating_add(length).saturating_add(2);
        if next > bytes.len() as u64 {
            // The last argument may reach beyond what is there.
            break (walked == count).then_some(next);
        }
        at = next as usize;
    };
    let word = |index: usize| {
        arguments
            .get(index)
            .map(|(_, word)| word.to_ascii_uppercase())
    };
    let secret_from = match (word(0).as_deref(), word(1).as_deref()) {
        (Some(b"AUTH"), _) => 1,
        (Some(b"HELLO"), _) if word(2).as_deref() == Some(b"AUTH") => 4,
        (Some(b"CONFIG"), Some(b"SET"))
            if word(2).is_some_and(|name| name.ends_with(b"PASS") || name.ends_with(b"AUTH")) =>
        {
            3
        }
        (Some(b"ACL"), Some(b"SETUSER")) => 3,
        _ => usize::MAX,
    };
    for (start, argument) in arguments.iter().skip(secret_from) {
        said.hide(*start..start + argument.len());
    }
    if cut || (end.is_none() && whole) {
        return Step::More;
    }
    let mut text = String::new();
    for (start, argument) in arguments.iter().take(2) {
        if !text.is_empty() {
            text.push(' ');
        }
        let cut = &argument[..argument.len().min(QUOTED)];
        text.push_str(&said.text(cut, *start));
    }
    said.say(Kind::Request(0), text);
    end.map_or(Step::Lost, Step::Took)
}

impl Redis {
    fn reply(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some(line) = line(bytes) else {
            let more = whole && bytes.len() < LINE;
            return if more { Step::More } else { self.lose() };
        };
        let (Some(kind), value) = (line.first(), number(line)) else {
            return self.lose();
        };
        let first = self.open == 0;
        let mut len = line.len() as u64 + 2;
        let text = String::from_utf8_lossy(&line[1..]).into_owned();
        let (words, failed, inside) = match (kind, value) {
            (b'+', _) => (text, false, 0),
            (b'-', _) => (text, true, 0),
            (b':', Some(number)) => (number.to_string(), false, 0),
            (b'_', _) | (b'$' | b'*', Some(-1)) => ("nil".into(), false, 0),
            (b'#', _) => (
                (if text == "t" { "true" } else { "false" }).into(),
                false,
                0,
            ),
            (b',' | b'(', _) => (text, false, 0),
            (b'$' | b'=' | b'!', Some(length @ 0..)) => {
                len = len.saturating_add(length as u64).saturating_add(2);
                (format!("{length} B"), *kind == b'!', 0)
            }
            (b'*' | b'~' | b'>', Some(count @ 0..)) => {
                (format!("{count} elements"), false, count as u64)
            }
            (b'%' | b'|', Some(count @ 0..)) => (
                format!("{count} pairs"),
                false,
                (count as u64).saturating_mul(2),
            ),
            _ => return self.lose(),
        };
        if first {
            let message = match kind {
                b'>' => Kind::Note,
                _ => Kind::Answer(0),
            };
            match failed {
                true => said.fail(message, words),
                false => said.say(message, words),
            }
            self.open = inside;
        } else {
            self.open = (self.open - 1).saturating_add(inside);
        }
        Step::Took(len)
    }

    fn lose(&mut self) -> Step {
        self.open = 0;
        Step::Lost
    }
}

/// The first line, without its end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(LINE).position(|byte| *byte == b'\r')?;
    (bytes.get(end + 1) == Some(&b'\n')).then(|| &bytes[..end])
}

/// The number behind the type.
fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line.get(1..)?).ok()?.parse().ok()
}
