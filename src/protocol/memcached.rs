//! memcached's text protocol (doc/protocol.txt of memcached): classic and meta commands, and the answers to them.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest key.
const KEY: usize = 250;
/// The longest line that is read: one may get many keys.
const LINE: usize = 8192;
/// The longest answer that is quoted.
const QUOTED: usize = 128;

/// The words of a command behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Keys.
    Keys,
    /// An expiry time, then keys.
    TouchedKeys,
    /// A key, flags, an expiry time and the length of the data that follows.
    Store,
    /// The same, and what the value was known to be.
    Swap,
    /// A key and a number.
    Number,
    /// A key, and perhaps a zero of old.
    Key,
    /// A key and flags.
    Meta,
    /// A key, the length of the data that follows, and flags.
    MetaStore,
    /// Whatever it takes, no key.
    Free,
}

/// Commands and their forms.
const COMMANDS: &[(&str, Form)] = &[
    ("get", Form::Keys),
    ("gets", Form::Keys),
    ("gat", Form::TouchedKeys),
    ("gats", Form::TouchedKeys),
    ("set", Form::Store),
    ("add", Form::Store),
    ("replace", Form::Store),
    ("append", Form::Store),
    ("prepend", Form::Store),
    ("cas", Form::Swap),
    ("delete", Form::Key),
    ("incr", Form::Number),
    ("decr", Form::Number),
    ("touch", Form::Number),
    ("mg", Form::Meta),
    ("md", Form::Meta),
    ("ma", Form::Meta),
    ("me", Form::Meta),
    ("ms", Form::MetaStore),
    ("mn", Form::Free),
    ("stats", Form::Free),
    ("version", Form::Free),
    ("verbosity", Form::Free),
    ("flush_all", Form::Free),
    ("quit", Form::Free),
];

/// Answers that are one line, or begin with these words.
const ANSWERS: &[&str] = &[
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "DELETED",
    "TOUCHED",
    "OK",
    "RESET",
    "VERSION",
    "ERROR",
    "CLIENT_ERROR",
    "SERVER_ERROR",
];

/// The meta answers of one line, in words.
const META: &[(&str, &str)] = &[
    ("HD", "done"),
    ("NS", "not stored"),
    ("EX", "changed meanwhile"),
    ("NF", "not found"),
    ("EN", "not found"),
    ("ME", "found"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Memcached {
    /// What has come of an answer that END ends.
    values: u64,
    bytes: u64,
    statistics: u64,
    /// Whether commands are under way that may stay without an answer: then nobody knows which one is answered, until MN.
    quiet: bool,
    /// Whether the server has said something that makes sense.
    answered: bool,
}

/// Whether it begins as a command of a form that hardly anything else has, or as an answer to one.
pub fn guess(bytes: &[u8]) -> Guess {
    let Some(line) = line(bytes) else {
        let shown = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut words = shown.split(|byte| *byte == b' ');
        let first = words.next().unwrap_or_default();
        let begun = |word: &str| match shown.len() == first.len() {
            true => word.as_bytes().starts_with(first),
            false => word.as_bytes() == first,
        };
        let known = COMMANDS.iter().any(|(word, _)| begun(word));
        let known = known
            || ["VALUE", "VERSION", "STORED"]
                .iter()
                .any(|word| begun(word));
        let text = shown
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        return match known && text && bytes.len() < LINE {
            true => Guess::Perhaps,
            false => Guess::No,
        };
    };
    let mut words = line.split(|byte| *byte == b' ');
    match words.next() {
        Some(b"VALUE") => match value(line) {
            Some(_) => Guess::Server,
            None => Guess::No,
        },
        Some(b"VERSION") => match words.next() {
            Some([b'0'..=b'9', b'.', b'0'..=b'9', ..]) => Guess::Server,
            _ => Guess::No,
        },
        Some(b"STORED") if line == b"STORED" => Guess::Server,
        // Others delete, quit and ask for a version in the same words.
        _ => match Command::read(line) {
            Some(command) if !matches!(command.form, Form::Free | Form::Key) => Guess::Client,
            _ => Guess::No,
        },
    }
}

impl Sniffer for Memcached {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some(line) = line(bytes) else {
            return match whole && bytes.len() < LINE {
                true => Step::More,
                false => Step::Lost,
            };
        };
        match from {
            Side::Client => self.command(line, said),
            Side::Server => self.answer(line, said),
        }
    }
}

/// A command whose words fit.
struct Command<'a> {
    form: Form,
    name: &'a [u8],
    key: Option<&'a [u8]>,
    keys: usize,
    /// The length of the data that follows.
    data: Option<u64>,
    /// Whether an answer comes for certain (false: none comes, or nobody knows).
    answered: bool,
}

impl<'a> Command<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let words: Vec<&[u8]> = line.split(|it| *it == b' ').collect();
        // Programs may leave a space at the end.
        let words = match words.as_slice() {
            [words @ .., []] => words,
            words => words,
        };
        let (name, words) = words.split_first()?;
        let (_, form) = COMMANDS.iter().find(|(word, _)| word.as_bytes() == *name)?;
        let keys = matches!(form, Form::Keys | Form::TouchedKeys);
        let mut command = Self {
            form: *form,
            name,
            key: words.first().copied(),
            keys: 1,
            data: None,
            answered: keys || words.last() != Some(&&b"noreply"[..]),
        };
        let words = match command.answered {
            true => words,
            false => &words[..words.len() - 1],
        };
        let flags = |words: &[&[u8]]| {
            words
                .iter()
                .all(|flag| flag.first().is_some_and(u8::is_ascii_alphabetic))
        };
        let fits = match (form, words) {
            (Form::Keys, keys @ [_, ..]) => {
                command.keys = keys.len();
                keys.iter().all(|key| is_key(key))
            }
            (Form::TouchedKeys, [time, keys @ ..]) => {
                (command.key, command.keys) = (keys.first().copied(), keys.len());
                number(time).is_some() && !keys.is_empty() && keys.iter().all(|key| is_key(key))
            }
            (Form::Store, [key, flags, time, length])
            | (Form::Swap, [key, flags, time, length, _]) => {
                command.data = number(length);
                let time = time.strip_prefix(b"-").unwrap_or(time);
                is_key(key)
                    && number(flags).is_some()
                    && number(time).is_some()
                    && command.data.is_some()
                    && words.get(4).is_none_or(|unique| number(unique).is_some())
            }
            (Form::Number, [key, value]) => {
                is_key(key) && number(value.strip_prefix(b"-").unwrap_or(value)).is_some()
            }
            (Form::Key, [key] | [key, b"0"]) => is_key(key),
            (Form::Meta, [key, rest @ ..]) => {
                command.answered = !rest.iter().any(|flag| **flag == *b"q");
                is_key(key) && flags(rest)
            }
            (Form::MetaStore, [key, length, rest @ ..]) => {
                command.answered = !rest.iter().any(|flag| **flag == *b"q");
                // An S stood before the length at first.
                command.data = number(length.strip_prefix(b"S").unwrap_or(length));
                is_key(key) && command.data.is_some() && flags(rest)
            }
            (Form::Free, _) => {
                (command.key, command.keys) = (None, 0);
                command.answered &= *name != b"quit";
                true
            }
            _ => false,
        };
        fits.then_some(command)
    }
}

impl Memcached {
    fn command(&mut self, line: &[u8], said: &mut Said) -> Step {
        let Some(command) = Command::read(line) else {
            return Step::Lost;
        };
        let mut text = String::from_utf8_lossy(command.name).into_owned();
        if let Some(key) = command.key {
            text.push(' ');
            text.push_str(&String::from_utf8_lossy(key));
        }
        if command.keys > 1 {
            text.push_str(&format!(" and {} more", command.keys - 1));
        }
        let meta = matches!(command.form, Form::Meta | Form::MetaStore);
        self.quiet |= meta && !command.answered;
        let kind = match command.answered && (!self.quiet || command.name == b"mn") {
            true => Kind::Request(0),
            false => Kind::Note,
        };
        said.say(kind, text);
        let data = command.data.map_or(0, |length| length.saturating_add(2));
        Step::Took(data.saturating_add(line.len() as u64 + 2))
    }

    fn answer(&mut self, line: &[u8], said: &mut Said) -> Step {
        let answered = std::mem::replace(&mut self.answered, true);
        let took = line.len() as u64 + 2;
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if let Some(length) = value(line) {
            self.values += 1;
            self.bytes = self.bytes.saturating_add(length);
            return Step::Took(took.saturating_add(length).saturating_add(2));
        }
        let mut words = String::from_utf8_lossy(&line[..line.len().min(QUOTED)]).into_owned();
        let mut data = 0;
        let short = META.iter().find(|(known, _)| known.as_bytes() == word);
        match word {
            b"STAT" => {
                self.statistics += 1;
                return Step::Took(took);
            }
            b"END" => {
                words = match (self.values, self.statistics) {
                    (0, 0) => "not found".into(),
                    (0, count) => format!("{count} statistics"),
                    (1, _) => format!("{} B", self.bytes),
                    (count, _) => format!("{count} values, {} B", self.bytes),
                };
                (self.values, self.bytes, self.statistics) = (0, 0, 0);
            }
            b"VA" => {
                let length = line.split(|byte| *byte == b' ').nth(1).and_then(number);
                let Some(length) = length else {
                    return Step::Lost;
                };
                data = length.saturating_add(2);
                words = format!("{length} B");
            }
            // The end of the quiet ones: what comes now is for what comes then.
            b"MN" => {
                self.quiet = false;
                words = "all done".into();
            }
            _ if let Some((_, known)) = short => words = (*known).into(),
            _ if ANSWERS.iter().any(|known| known.as_bytes() == word) => {}
            // What is left by incr and decr.
            _ if number(line).is_some() => {}
            // A word like "get" opens other conversations too.
            _ if !answered => return Step::Wrong,
            _ => return Step::Lost,
        }
        let kind = if self.quiet {
            Kind::Note
        } else {
            Kind::Answer(0)
        };
        match word.ends_with(b"ERROR") {
            true => said.fail(kind, words),
            false => said.say(kind, words),
        }
        Step::Took(took.saturating_add(data))
    }
}

/// The length in `VALUE <key> <flags> <length> [<unique>]`.
fn value(line: &[u8]) -> Option<u64> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|byte| *byte == b' ');
    let (key, flags, length) = (words.next()?, words.next()?, words.next()?);
    let unique = words.next().is_none_or(|unique| number(unique).is_some());
    let fits = is_key(key) && number(flags).is_some() && unique && words.next().is_none();
    number(length).filter(|_| fits)
}

fn is_key(word: &[u8]) -> bool {
    (1..=KEY).contains(&word.len()) && word.iter().all(|byte| *byte > b' ' && *byte != 0x7F)
}

fn number(word: &[u8]) -> Option<u64> {
    let digits = word.first().is_some_and(u8::is_ascii_digit);
    std::str::from_utf8(word)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

/// The first line, without its end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(LINE).position(|byte| *byte == b'\r')?;
    (bytes.get(end + 1) == Some(&b'\n')).then(|| &bytes[..end])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out};

    /// Classic and meta commands as pymemcache sends them.
    pub fn dialogue() -> Dialogue {
        vec![
            out("set user:1 0 300 9\r\nget it\r\n\r\r\n"),
            back("STORED\r\n"),
            out("get user:1\r\n"),
            back("VALUE user:1 0 9\r\nEND\r\n1234\r\nEND\r\n"),
            out("gets a b c\r\nget none\r\n"),
            back("VALUE a 0 1 7\r\nx\r\nVALUE c 0 2 8\r\nyy\r\nEND\r\nEND\r\n"),
            out("set quiet 0 0 1 noreply\r\nz\r\nincr n 5\r\n"),
            back("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"),
            out("incr m 5\r\ndelete user:1\r\nbogus\r\n"),
            back("15\r\nNOT_FOUND\r\nERROR\r\n"),
            out("ms foo 2 T90\r\nhi\r\nmg foo t v\r\nmd foo\r\nmg foo v\r\n"),
            back("HD\r\nVA 2 t90\r\nhi\r\nHD\r\nEN\r\n"),
            out("mg a v q\r\nmg b v q\r\nmn\r\n"),
            back("VA 1\r\nb\r\nMN\r\n"),
            out("stats\r\n"),
            back("STAT pid 1\r\nSTAT uptime 2\r\nEND\r\n"),
            out("version\r\nquit\r\n"),
            back("VERSION 1.6.21\r\n"),
        ]
    }

    #[test]
    fn commands_and_answers() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? memcached set user:1",
                "= memcached STORED",
                "? memcached get user:1",
                "= memcached 9 B",
                "? memcached gets a and 2 more",
                "? memcached get none",
                "= memcached 2 values, 3 B",
                "= memcached not found",
                ". memcached set quiet",
                "? memcached incr n",
                "=! memcached CLIENT_ERROR cannot increment or decrement non-numeric value",
                "? memcached incr m",
                "? memcached delete user:1",
                "= memcached 15",
                "= memcached NOT_FOUND",
                "=! memcached ERROR",
                "? memcached ms foo",
                "? memcached mg foo",
                "? memcached md foo",
                "? memcached mg foo",
                "= memcached done",
                "= memcached 2 B",
                "= memcached done",
                "= memcached not found",
                ". memcached mg a",
                ". memcached mg b",
                "? memcached mn",
                ". memcached 1 B",
                "= memcached all done",
                "? memcached stats",
                "= memcached 2 statistics",
                "? memcached version",
                ". memcached quit",
                "= memcached VERSION 1.6.21",
            ]
        );
    }

    #[test]
    fn other_words_are_not_its() {
        for (bytes, expected) in [
            (&b"get\r\n"[..], Guess::No),
            (b"get \r\n", Guess::No),
            (b"get a\tb\r\n", Guess::No),
            (b"get a\n", Guess::No),
            (b"GET a\r\n", Guess::No),
            (b"getting a\r\n", Guess::No),
            (b"set a b\r\n", Guess::No),
            (b"set a 0 0\r\n", Guess::No),
            (b"set a 0 0 x\r\n", Guess::No),
            (b"delete 5\r\n", Guess::No),
            (b"touch 5\r\n", Guess::No),
            (b"version\r\n", Guess::No),
            (b"quit\r\n", Guess::No),
            (b"VALUE a b c\r\n", Guess::No),
            (b"VERSION latest\r\n", Guess::No),
            (b"STORED there\r\n", Guess::No),
            (b"mg\r\n", Guess::No),
            (b"mg key 7\r\n", Guess::No),
            (b"se", Guess::Perhaps),
            (b"set a 0", Guess::Perhaps),
            (b"gat 60 a\r\n", Guess::Client),
            (b"cas a 1 2 3 99\r\nabc\r\n", Guess::Client),
            (b"VALUE a 0 1\r\nx\r\nEND\r\n", Guess::Server),
        ] {
            assert_eq!(guess(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_answered_otherwise_is_something_else() {
        let heard = hear(&[
            out("get k\r\n"),
            back("$1\r\nv\r\n"),
            out("get k\r\n"),
            back("$1\r\nv\r\n"),
        ]);
        assert_eq!(heard, ["? memcached get k"]);
    }
}
