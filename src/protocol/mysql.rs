//! MySQL's and MariaDB's protocol: greeting, login, commands, and what the server says of them.
//!
//! The sections are those of "MySQL Client/Server Protocol" in the server's own documentation.

use std::collections::VecDeque;
use std::ops::Range;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// A packet's header: its length and its number in the exchange.
const HEADER: usize = 4;
/// How much of a packet must be there before it is told: of a login more than of a query.
const LOGIN: usize = 4096;
const COMMAND: usize = 512;
/// How much of a query is told.
const QUERY: usize = 200;
/// How many commands may wait for their answers, and how many prepared statements are remembered.
const WAITING: usize = 256;
const STATEMENTS: usize = 64;
/// The lengths that a greeting may have, and an error in its place.
const GREETING: Range<usize> = 30..512;
const REFUSAL: Range<usize> = 8..512;

// What a server answers with (Generic Response Packets).
const OK: u8 = 0;
const MORE_LOGIN: u8 = 1;
const VERSION_10: u8 = 10;
const LOCAL_FILE: u8 = 0xFB;
const EOF: u8 = 0xFE;
const ERR: u8 = 0xFF;

// What the client can (Capabilities Flags).
const CONNECT_WITH_DATABASE: u32 = 1 << 3;
const COMPRESS: u32 = 1 << 5;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const LONG_LOGIN: u32 = 1 << 21;
const ZSTD: u32 = 1 << 26;

/// The length of a packet that asks for TLS: a login's beginning.
const SSL_REQUEST: usize = 32;

// Commands (Command Phase) that have more to tell than their name.
const QUIT: u8 = 0x01;
const INIT_DB: u8 = 0x02;
const TEXT_QUERY: u8 = 0x03;
const CHANGE_USER: u8 = 0x11;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;

/// What answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing.
    None,
    /// OK or an error; whatever else it is, it has a form of its own.
    Plain,
    /// The same, or rows.
    Rows,
    /// The number of a prepared statement.
    Prepared,
    /// The dialogue of a login.
    Login,
}

/// Commands by their number.
const COMMANDS: &[(u8, &str, Answer)] = &[
    (QUIT, "goodbye", Answer::None),
    (INIT_DB, "use", Answer::Plain),
    (TEXT_QUERY, "query", Answer::Rows),
    (0x04, "field list", Answer::Plain),
    (0x05, "create database", Answer::Plain),
    (0x06, "drop database", Answer::Plain),
    (0x07, "refresh", Answer::Plain),
    (0x08, "shutdown", Answer::Plain),
    (0x09, "statistics", Answer::Plain),
    (0x0A, "process list", Answer::Rows),
    (0x0C, "kill", Answer::Plain),
    (0x0D, "debug", Answer::Plain),
    (0x0E, "ping", Answer::Plain),
    (CHANGE_USER, "change user", Answer::Login),
    (0x12, "binary log", Answer::Plain),
    (0x15, "register replica", Answer::Plain),
    (PREPARE, "prepare", Answer::Prepared),
    (EXECUTE, "execute", Answer::Rows),
    (0x18, "parameter's data", Answer::None),
    (0x19, "close statement", Answer::None),
    (0x1A, "reset statement", Answer::Plain),
    (0x1B, "set option", Answer::Plain),
    (0x1C, "fetch", Answer::Plain),
    (0x1E, "binary log", Answer::Plain),
    (0x1F, "reset connection", Answer::Plain),
];

/// How queries begin, where tracing began later.
const VERBS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "SET", "SHOW", "BEGIN", "START", "COMMIT",
    "ROLLBACK", "WITH", "CALL",
];

/// Words in a query behind which what is quoted is a secret.
const SECRETS: &[&str] = &["identified", "password"];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Mysql {
    phase: Phase,
    /// What the client said it can.
    abilities: u32,
    /// What was asked and not answered yet.
    waiting: VecDeque<Waiting>,
    /// Prepared statements, by the number that the server gave them.
    statements: VecDeque<(u32, String)>,
    /// Whether nobody knows what each side's next packet belongs to.
    client_strays: bool,
    server_strays: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody has spoken.
    #[default]
    Start,
    /// The server has greeted.
    Greeted,
    /// The client logs in.
    Login,
    /// Commands and answers.
    Commands,
    /// Everything is compressed.
    Closed,
}

#[derive(Debug)]
struct Waiting {
    answer: Answer,
    text: String,
}

/// What a login says.
struct Names<'a> {
    user: &'a [u8],
    /// Where the proof of the password stands.
    proof: Range<usize>,
    database: Option<&'a [u8]>,
}

/// Whether it begins as a server does, or with a query where tracing began later.
pub fn guess(bytes: &[u8]) -> Guess {
    let [low, high, 0, 0, kind, content @ ..] = bytes else {
        let begins = match bytes {
            [] => false,
            [_, high, ..] if *high > 1 => false,
            [_, _, rest @ ..] => rest.iter().all(|byte| *byte == 0),
            [_] => true,
        };
        return if begins { Guess::Perhaps } else { Guess::No };
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let missing = (length + HEADER).checked_sub(bytes.len());
    match *kind {
        VERSION_10 if GREETING.contains(&length) && missing.is_some() => {
            let version = content.split(|byte| *byte == 0).next().unwrap_or_default();
            let fits = version.first().is_none_or(u8::is_ascii_digit)
                && version.iter().all(u8::is_ascii_graphic);
            match (fits, version.len() < content.len()) {
                (true, true) if !version.is_empty() => Guess::Server,
                (true, false) => Guess::Perhaps,
                _ => Guess::No,
            }
        }
        // Instead of a greeting, a server may say why it has none: too many connections, host not allowed.
        ERR if REFUSAL.contains(&length) && missing.is_some() => match content {
            [low, high, words @ ..] => {
                let code = u16::from_le_bytes([*low, *high]);
                let words =
                    !words.is_empty() && words.iter().all(|byte| (b' '..0x7F).contains(byte));
                match (1000..2000).contains(&code) && words {
                    true if missing == Some(0) => Guess::Server,
                    true => Guess::Perhaps,
                    false => Guess::No,
                }
            }
            _ => Guess::Perhaps,
        },
        TEXT_QUERY if missing.is_some() => {
            let text = content.strip_prefix(&[0, 1]).unwrap_or(content);
            let starts = VERBS.iter().any(|verb| {
                text.get(..verb.len())
                    .is_some_and(|word| word.eq_ignore_ascii_case(verb.as_bytes()))
            });
            match (starts, missing) {
                (true, Some(0)) => Guess::Client,
                (true, _) => Guess::Perhaps,
                (false, Some(1..)) if content.len() < 8 => Guess::Perhaps,
                _ => Guess::No,
            }
        }
        _ => Guess::No,
    }
}

impl Sniffer for Mysql {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if self.phase == Phase::Closed {
            return Step::Took(bytes.len() as u64);
        }
        let [a, b, c, number, content @ ..] = bytes else {
            return Step::More;
        };
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let content = &content[..content.len().min(length)];
        let login = matches!(self.phase, Phase::Greeted | Phase::Login);
        let needed = length.min(if login { LOGIN } else { COMMAND });
        if content.len() < needed && whole {
            // What is there is shown now, whatever comes of it.
            match (from, content.first()) {
                (Side::Client, _) if login => said.hide(HEADER..bytes.len()),
                (Side::Client, Some(&CHANGE_USER)) => said.hide(HEADER..bytes.len()),
                (Side::Client, _) => hide_passwords(content, HEADER, said),
                _ => {}
            }
            return Step::More;
        }
        let whole_length = (HEADER + length) as u64;
        let known = match from {
            Side::Client => self.client(*number, content, length, said),
            Side::Server => self.server(*number, content, said),
        };
        match known {
            Some(Step::Inside(_, inner)) => Step::Inside(whole_length, inner),
            Some(step) => step,
            None => Step::Took(whole_length),
        }
    }

    fn lose(&mut self, from: Side) {
        match from {
            Side::Client => self.client_strays = true,
            Side::Server => self.server_strays = true,
        }
    }
}

/// Each returns a step where it is not the one over the packet.
impl Mysql {
    fn client(
        &mut self,
        number: u8,
        content: &[u8],
        length: usize,
        said: &mut Said,
    ) -> Option<Step> {
        match self.phase {
            Phase::Greeted if number > 0 => return self.login(content, length, said),
            Phase::Login if number > 0 => {
                said.hide(HEADER..HEADER + content.len());
                said.say(Kind::Note, "password or proof of one");
                return None;
            }
            _ => {}
        }
        // Only the first packet of an exchange is a command: what follows is a long one's rest, or a file.
        if number > 0 {
            return self.client_strays.then_some(Step::Lost);
        }
        let Some((command, rest)) = content.split_first() else {
            return Some(Step::Lost);
        };
        let row = COMMANDS.iter().find(|(known, ..)| known == command);
        let Some((_, words, answer)) = row else {
            return Some(Step::Lost);
        };
        self.phase = Phase::Commands;
        self.client_strays = false;
        if self.server_strays {
            self.waiting.clear();
        }
        let at = HEADER + 1;
        let text = match *command {
            TEXT_QUERY => query(rest, at, said),
            PREPARE | INIT_DB => format!("{words} {}", query(rest, at, said)),
            EXECUTE => self.execution(rest),
            CHANGE_USER => {
                said.hide(at..at + rest.len());
                self.phase = Phase::Login;
                (*words).to_owned()
            }
            _ => (*words).to_owned(),
        };
        if *answer == Answer::None {
            if *command == QUIT {
                said.say(Kind::Note, text);
            }
            return None;
        }
        if self.waiting.len() < WAITING {
            said.say(Kind::Request(0), text.clone());
            self.waiting.push_back(Waiting {
                answer: *answer,
                text,
            });
        }
        None
    }

    /// The client's first packet (Protocol::HandshakeResponse, Protocol::SSLRequest).
    fn login(&mut self, content: &[u8], length: usize, said: &mut Said) -> Option<Step> {
        let Some((abilities, _)) = content.split_first_chunk::<4>() else {
            return Some(Step::Lost);
        };
        self.abilities = u32::from_le_bytes(*abilities);
        if self.abilities & SSL != 0 && length == SSL_REQUEST {
            said.say(Kind::Note, "goes on with TLS");
            return Some(Step::Inside(0, Some("TLS")));
        }
        self.phase = Phase::Login;
        let mut text = String::from("login");
        let names = self.names(content).unwrap_or(Names {
            user: &[],
            proof: 0..content.len(),
            database: None,
        });
        said.hide(HEADER + names.proof.start..HEADER + names.proof.end);
        for (name, value) in [("user", Some(names.user)), ("database", names.database)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                text.push_str(&format!(" {name}={}", String::from_utf8_lossy(value)));
            }
        }
        said.say(Kind::Request(0), text);
        self.waiting.push_back(Waiting {
            answer: Answer::Login,
            text: String::new(),
        });
        None
    }

    /// Whom a login names, and how it proves it.
    fn names<'a>(&self, content: &'a [u8]) -> Option<Names<'a>> {
        let can = |ability: u32| self.abilities & ability != 0;
        if !can(PROTOCOL_41) {
            return None;
        }
        let user = until_nul(content.get(SSL_REQUEST..)?)?;
        let start = SSL_REQUEST + user.len() + 1;
        let rest = content.get(start..)?;
        let (length, end) = match () {
            () if can(LONG_LOGIN) => {
                let (length, read) = integer(rest)?;
                (read, read.checked_add(usize::try_from(length).ok()?)?)
            }
            () if can(SECURE_CONNECTION) => (1, 1 + usize::from(*rest.first()?)),
            () => (0, until_nul(rest)?.len() + 1),
        };
        let after = rest.get(end..)?;
        let database = can(CONNECT_WITH_DATABASE).then(|| until_nul(after));
        Some(Names {
            user,
            proof: start + length..start + end,
            database: database.flatten(),
        })
    }

    fn execution(&self, rest: &[u8]) -> String {
        let Some((number, _)) = rest.split_first_chunk::<4>() else {
            return "execute".into();
        };
        let number = u32::from_le_bytes(*number);
        let known = self.statements.iter().find(|it| it.0 == number);
        match known {
            Some((_, text)) => format!("execute {text}"),
            None => format!("execute statement {number}"),
        }
    }

    fn server(&mut self, number: u8, content: &[u8], said: &mut Said) -> Option<Step> {
        let (Some(first), login) = (content.first(), self.phase != Phase::Commands) else {
            return None;
        };
        if self.server_strays && !login {
            if number != 1 || self.waiting.is_empty() {
                return Some(Step::Lost);
            }
            self.server_strays = false;
        }
        match (*first, login) {
            (ERR, _) if login || number == 1 || is_error(content) => {
                // What goes wrong amid the rows was answered already.
                let kind = match login || (number == 1 && !self.waiting.is_empty()) {
                    true => Kind::Answer(0),
                    false => Kind::Note,
                };
                if kind != Kind::Note {
                    self.waiting.pop_front();
                }
                said.fail(kind, failure(content));
            }
            (VERSION_10, true) if number == 0 && self.phase == Phase::Start => {
                self.phase = Phase::Greeted;
                let version = until_nul(&content[1..]).unwrap_or_default();
                let version = String::from_utf8_lossy(version);
                // So old clients take MariaDB for a MySQL that can replicate.
                let version = version.strip_prefix("5.5.5-").unwrap_or(&version);
                said.say(Kind::Note, format!("greeting of version {version}"));
            }
            (OK, true) => {
                self.waiting.pop_front();
                self.phase = match self.abilities & (COMPRESS | ZSTD) {
                    0 => Phase::Commands,
                    _ => Phase::Closed,
                };
                said.say(Kind::Answer(0), "accepted");
                if self.phase == Phase::Closed {
                    said.say(Kind::Note, "from here on compressed");
                }
            }
            (EOF, true) => {
                let name = until_nul(&content[1..]).unwrap_or(&content[1..]);
                let name = String::from_utf8_lossy(name).into_owned();
                said.say(Kind::Note, format!("wants another proof: {name}"));
            }
            (MORE_LOGIN, true) => match content[1..] {
                [3] => said.say(Kind::Note, "proof accepted"),
                [4] => said.say(Kind::Note, "wants the password itself"),
                _ => {}
            },
            (_, true) => return Some(Step::Lost),
            (first, false) if number == 1 => {
                if let Some(asked) = self.waiting.pop_front() {
                    let text = self.answer(first, content, asked);
                    said.say(Kind::Answer(0), text);
                }
            }
            _ => {}
        }
        None
    }

    fn answer(&mut self, first: u8, content: &[u8], asked: Waiting) -> String {
        match (asked.answer, first) {
            (Answer::Prepared, OK) => {
                let Some(&[a, b, c, d, _, _, low, high]) = content.get(1..9) else {
                    return "prepared".into();
                };
                let number = u32::from_le_bytes([a, b, c, d]);
                let text = asked.text.strip_prefix("prepare ").unwrap_or(&asked.text);
                self.statements.retain(|it| it.0 != number);
                self.statements.truncate(STATEMENTS - 1);
                self.statements.push_front((number, text.to_owned()));
                match u16::from_le_bytes([low, high]) {
                    0 => format!("prepared as {number}"),
                    1 => format!("prepared as {number}, 1 parameter"),
                    count => format!("prepared as {number}, {count} parameters"),
                }
            }
            (_, OK) => success(content),
            (Answer::Rows, LOCAL_FILE) => {
                let name = &content[1..content.len().min(1 + QUERY)];
                format!("wants the file {}", String::from_utf8_lossy(name))
            }
            (Answer::Rows, _) => match integer(content) {
                Some((1, _)) => "1 column".into(),
                Some((count, _)) => format!("{count} columns"),
                None => "an answer".into(),
            },
            (_, EOF) => "OK".into(),
            _ => "an answer".into(),
        }
    }
}

/// Whether it is an error amid rows: none of them begins like one.
fn is_error(content: &[u8]) -> bool {
    matches!(content, [ERR, _, _, b'#', ..])
}

/// An OK packet: how many rows were changed, and under which number one was inserted.
fn success(content: &[u8]) -> String {
    let changed = integer(&content[1..]);
    let inserted = changed.and_then(|(_, read)| integer(content.get(1 + read..)?));
    let mut text = String::from("OK");
    match changed.map_or(0, |it| it.0) {
        0 => {}
        1 => text.push_str(", 1 row"),
        count => text.push_str(&format!(", {count} rows")),
    }
    if let Some((number @ 1.., _)) = inserted {
        text.push_str(&format!(", number {number}"));
    }
    text
}

/// An ERR packet: its number, the state of SQL unless the client is not known yet, and the message.
fn failure(content: &[u8]) -> String {
    let Some((code, rest)) = content[1..].split_first_chunk::<2>() else {
        return "error".into();
    };
    let mut text = format!("ERROR {}", u16::from_le_bytes(*code));
    let message = match rest {
        [b'#', a, b, c, d, e, message @ ..] => {
            let state = String::from_utf8_lossy(&[*a, *b, *c, *d, *e]).into_owned();
            text.push_str(&format!(" ({state})"));
            message
        }
        message => message,
    };
    text.push_str(": ");
    text.push_str(&String::from_utf8_lossy(message));
    text
}

/// A query's text, its white space made single; it stands at `at`.
fn query(bytes: &[u8], at: usize, said: &mut Said) -> String {
    // Attributes may come first, mostly none, in one set.
    let start = if bytes.starts_with(&[0, 1]) { 2 } else { 0 };
    let (text, at) = (&bytes[start..], at + start);
    if text.first().is_some_and(|byte| *byte < b'\t') {
        return "query with attributes".into();
    }
    hide_passwords(text, at, said);
    let text = said.text(&text[..text.len().min(QUERY)], at);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hides what is quoted behind words that stand for passwords.
fn hide_passwords(text: &[u8], at: usize, said: &mut Said) {
    let mentions = SECRETS.iter().filter_map(|word| {
        let mut windows = text.windows(word.len());
        windows.position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    });
    let Some(mut place) = mentions.min() else {
        return;
    };
    let quote = |from: usize, wanted: &[u8]| {
        let rest = text.get(from..)?;
        rest.iter()
            .position(|byte| wanted.contains(byte))
            .map(|it| from + it)
    };
    while let Some(start) = quote(place, b"'\"") {
        let end = quote(start + 1, &[text[start]]).unwrap_or(text.len());
        said.hide(at + start + 1..at + end);
        place = end + 1;
    }
}

/// A length-encoded integer, and how many bytes it takes.
fn integer(bytes: &[u8]) -> Option<(u64, usize)> {
    let (first, rest) = bytes.split_first()?;
    let width = match first {
        ..=0xFA => return Some((u64::from(*first), 1)),
        0xFC => 2,
        0xFD => 3,
        0xFE => 8,
        _ => return None,
    };
    let mut number = [0; 8];
    number[..width].copy_from_slice(rest.get(..width)?);
    Some((u64::from_le_bytes(number), 1 + width))
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(&bytes[..end])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn packet(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
        let content = content.as_ref();
        let mut bytes = (content.len() as u32).to_le_bytes();
        bytes[3] = number;
        [&bytes[..], content].concat()
    }

    /// As a server of version 8 greets.
    fn greeting() -> Vec<u8> {
        let mut content = b"\x0a8.0.36\0\x08\0\0\0\x1a\x2b\x3c\x4d\x5e\x6f\x70\x01\0".to_vec();
        content.extend(b"\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0");
        content.extend(b"abcdefghijkl\0caching_sha2_password\0");
        packet(0, content)
    }

    fn login(abilities: u32) -> Vec<u8> {
        let mut content = abilities.to_le_bytes().to_vec();
        content.extend([0, 0, 0, 1, 255]);
        content.extend([0; 23]);
        content.extend(b"me\0\x05proofshop\0caching_sha2_password\0");
        packet(1, content)
    }

    const USUAL: u32 = CONNECT_WITH_DATABASE | PROTOCOL_41 | SECURE_CONNECTION | LONG_LOGIN;

    pub(in crate::protocol) fn dialogue() -> Dialogue {
        let mut prepare = b"\x16insert into t values (?)".to_vec();
        prepare.push(b' ');
        let columns = [
            packet(1, [2]),
            packet(
                2,
                b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0",
            ),
            packet(
                3,
                b"\x03def\0\0\0\x01b\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0",
            ),
            packet(4, b"\x011\x012"),
            packet(5, b"\xfe\0\0\x02\0"),
        ];
        vec![
            back(greeting()),
            out(login(USUAL)),
            back(packet(2, b"\x01\x04")),
            out(packet(3, b"hunter2\0")),
            back(packet(4, b"\0\0\0\x02\0\0\0")),
            out(packet(0, b"\x03select 1,\n  2")),
            back(columns.concat()),
            out(packet(0, b"\x03\0\x01update t set a = 1")),
            back(packet(1, b"\0\x03\x00\x02\0\0\0")),
            out(packet(0, prepare)),
            back(packet(1, b"\0\x07\0\0\0\0\0\x01\0\0\0\0")),
            out(packet(0, b"\x17\x07\0\0\0\0\x01\0\0\0")),
            back(packet(1, b"\0\x01\x2a\x02\0\0\0")),
            out(packet(0, b"\x03create user x identified by 'open sesame'")),
            back(packet(1, b"\xff\x7a\x04#42S02Table 'shop.x' doesn't exist")),
            out(packet(0, b"\x02other")),
            back(packet(1, b"\0\0\0\x02\0\0\0")),
            out(packet(0, b"\x0e")),
            back(packet(1, b"\0\0\0\x02\0\0\0")),
            out(packet(0, b"\x01")),
        ]
    }

    #[test]
    fn login_commands_and_answers() {
        assert_eq!(
            hear(&dialogue()),
            [
                ". MySQL greeting of version 8.0.36",
                "? MySQL login user=me database=shop",
                ". MySQL wants the password itself",
                ". MySQL password or proof of one",
                "= MySQL accepted",
                "? MySQL select 1, 2",
                "= MySQL 2 columns",
                "? MySQL update t set a = 1",
                "= MySQL OK, 3 rows",
                "? MySQL prepare insert into t values (?)",
                "= MySQL prepared as 7, 1 parameter",
                "? MySQL execute insert into t values (?)",
                "= MySQL OK, 1 row, number 42",
                "? MySQL create user x identified by '***********'",
                "=! MySQL ERROR 1146 (42S02): Table 'shop.x' doesn't exist",
                "? MySQL use other",
                "= MySQL OK",
                "? MySQL ping",
                "= MySQL OK",
                ". MySQL goodbye",
            ]
        );
        let shown = shown(&dialogue());
        for secret in ["proof", "hunter2", "sesame"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn what_is_inside_tls_and_compression_stays_closed() {
        let request = &login(USUAL | SSL)[HEADER..HEADER + SSL_REQUEST];
        let heard = hear(&[
            back(greeting()),
            out(packet(1, request)),
            out(packet(2, b"\x03select 1")),
        ]);
        assert_eq!(heard[1..], [". MySQL goes on with TLS"]);
        let heard = hear(&[
            back(greeting()),
            out(login(USUAL | COMPRESS)),
            back(packet(2, b"\0\0\0\x02\0\0\0")),
            out(packet(0, b"\x03select 1")),
        ]);
        assert_eq!(
            heard[2..],
            ["= MySQL accepted", ". MySQL from here on compressed"]
        );
    }

    #[test]
    fn servers_that_refuse_and_connections_that_began_earlier() {
        let refused = packet(0, b"\xff\x10\x04Too many connections");
        assert_eq!(
            hear(&[back(refused)]),
            ["=! MySQL ERROR 1040: Too many connections"]
        );
        let heard = hear(&[
            out(packet(0, b"\x03commit")),
            back(packet(1, b"\0\0\0\x02\0\0\0")),
            out(packet(0, b"\x17\x09\0\0\0\0\x01\0\0\0")),
            back(packet(1, b"\xff\xdb\x04#HY000Unknown statement")),
        ]);
        assert_eq!(
            heard,
            [
                "? MySQL commit",
                "= MySQL OK",
                "? MySQL execute statement 9",
                "=! MySQL ERROR 1243 (HY000): Unknown statement",
            ]
        );
    }

    #[test]
    fn only_what_is_certain_is_recognised() {
        let greeting = greeting();
        for (bytes, expected) in [
            (&greeting[..4], Guess::Perhaps),
            (&greeting[..8], Guess::Perhaps),
            (&greeting, Guess::Server),
            (&[&greeting[..], b"x"].concat(), Guess::No),
            (&packet(0, b"\x03select 1"), Guess::Client),
            (&packet(0, b"\x03sing a song"), Guess::No),
            (
                &packet(0, b"\x0ahello, world, hello, world, hello"),
                Guess::No,
            ),
        ] {
            assert_eq!(guess(bytes), expected, "{bytes:?}");
        }
    }
}
