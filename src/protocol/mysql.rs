//! MySQL's and MariaDB's protocol: greeting, logging in, commands and what the server says of them.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// How much of a query is told.
const QUERY: usize = 200;
/// How many bytes of a packet are needed to tell what it is.
const ENOUGH: usize = 300;

// Capabilities of a client (include/mysql/com).
const CONNECT_WITH_DB: u32 = 8;
const SSL: u32 = 0x800;
const SECURE_CONNECTION: u32 = 0x8000;
const LENENC_AUTH: u32 = 0x20_0000;

/// Commands, by their number: the word, and whether a text follows.
const COMMANDS: &[(u8, &str, bool)] = &[
    (1, "quit", false),
    (2, "use", true),
    (3, "", true),
    (4, "fields of", true),
    (8, "shutdown", false),
    (9, "statistics", false),
    (12, "kill", false),
    (14, "ping", false),
    (17, "change user", false),
    (18, "binlog dump", false),
    (22, "prepare", true),
    (23, "execute a prepared statement", false),
    (24, "long data", false),
    (25, "close a prepared statement", false),
    (26, "reset a prepared statement", false),
    (28, "fetch", false),
    (31, "reset connection", false),
];

/// Commands without an answer: quit, long data and closing a statement.
const SILENT: [u8; 3] = [1, 24, 25];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Mysql {
    state: State,
    /// Whether the answer to the latest command has begun.
    answered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Greeting,
    LogIn,
    /// Proofs of the password go to and fro.
    Proof,
    Commands,
}

/// Whether it begins as a server's greeting: a packet numbered 0, protocol 10, and a version that is text.
pub fn guess(bytes: &[u8]) -> Guess {
    match bytes {
        [length, 0, 0, 0, 10, version @ ..] if *length > 40 => {
            let digits = version.first().is_none_or(u8::is_ascii_digit);
            let end = version.iter().position(|byte| *byte == 0);
            let text = version[..end.unwrap_or(version.len())]
                .iter()
                .all(u8::is_ascii_graphic);
            match (digits && text, end) {
                (true, Some(_)) => Guess::Server,
                (true, None) if version.len() < 60 => Guess::Perhaps,
                _ => Guess::No,
            }
        }
        [length, 0, 0, 0] | [length, 0, 0] | [length, 0] | [length] if *length > 40 => {
            Guess::Perhaps
        }
        _ => Guess::No,
    }
}

impl Sniffer for Mysql {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let [a, b, c, number, content @ ..] = bytes else {
            return Step::More;
        };
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let there = &content[..content.len().min(length)];
        if there.len() < length.min(ENOUGH) && whole {
            return Step::More;
        }
        let step = Step::Took(4 + length as u64);
        match (self.state, from) {
            (State::Greeting, Side::Server) => {
                let version = text(there.get(1..).unwrap_or_default());
                said.say(Kind::Note, format!("server {version}"));
                self.state = State::LogIn;
            }
            (State::LogIn, Side::Client) => {
                let Some(flags) = there.first_chunk().map(|flags| u32::from_le_bytes(*flags))
                else {
                    return Step::Lost;
                };
                // A packet of nothing but flags asks for TLS.
                if length == 32 && flags & SSL != 0 {
                    said.say(Kind::Note, "goes on with TLS");
                    return Step::Inside(4 + length as u64, Some("TLS"));
                }
                log_in(flags, there, said);
                self.state = State::Proof;
            }
            (State::Proof, Side::Client) => said.hide(4..4 + there.len()),
            (State::Proof, Side::Server) => match there.first() {
                Some(0) => {
                    self.state = State::Commands;
                    said.say(Kind::Answer(0), "accepted");
                }
                Some(0xFF) => said.fail(Kind::Answer(0), failure(there)),
                _ => {}
            },
            (State::Commands, Side::Client) => {
                // What follows a command's first packet, and what is loaded from a file, is no command.
                if let (0, Some((code, rest))) = (*number, there.split_first()) {
                    self.command(*code, rest, said);
                }
            }
            (State::Commands, Side::Server) if !self.answered => {
                self.answered = true;
                match there.first() {
                    Some(0) => said.say(Kind::Answer(0), "OK"),
                    Some(0xFF) => said.fail(Kind::Answer(0), failure(there)),
                    Some(0xFB) => said.say(Kind::Note, "wants the file"),
                    Some(0xFE) if length < 9 => said.say(Kind::Answer(0), "end"),
                    Some(columns) => {
                        let plural = if *columns == 1 { "" } else { "s" };
                        said.say(Kind::Answer(0), format!("rows of {columns} column{plural}"));
                    }
                    None => {}
                }
            }
            _ => {}
        }
        step
    }
}

impl Mysql {
    fn command(&mut self, code: u8, rest: &[u8], said: &mut Said) {
        let Some((_, word, follows)) = COMMANDS.iter().find(|(known, ..)| *known == code) else {
            return;
        };
        let mut words = (*word).to_owned();
        if *follows {
            let rest = said.text(&rest[..rest.len().min(QUERY)], 5);
            words.push(' ');
            words.push_str(&rest.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        self.answered = false;
        let kind = match SILENT.contains(&code) {
            true => Kind::Note,
            false => Kind::Request(0),
        };
        said.say(kind, words.trim());
    }
}

/// Flags, longest packet, character set, 23 bytes of nothing, the user, a proof of the password and the database.
fn log_in(flags: u32, content: &[u8], said: &mut Said) {
    let rest = content.get(32..).unwrap_or_default();
    let user = text(rest);
    let at = (user.len() + 1).min(rest.len());
    let proof = &rest[at..];
    let length = match proof.first() {
        Some(length) if flags & (LENENC_AUTH | SECURE_CONNECTION) != 0 => 1 + usize::from(*length),
        _ => proof
            .iter()
            .position(|byte| *byte == 0)
            .map_or(0, |end| end + 1),
    };
    let length = length.min(proof.len());
    let start = 4 + 32 + at;
    said.hide(start..start + length);
    let mut words = format!("log in as {user}");
    if flags & CONNECT_WITH_DB != 0 {
        words.push_str(&format!(" to {}", text(&proof[length..])));
    }
    said.say(Kind::Request(0), words);
}

/// An error's number and message.
fn failure(content: &[u8]) -> String {
    let code = content
        .get(1..3)
        .map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let rest = content.get(3..).unwrap_or_default();
    // A state of five characters may stand before it.
    let rest = match rest {
        [b'#', _, _, _, _, _, rest @ ..] => rest,
        rest => rest,
    };
    format!(
        "error {code}: {}",
        String::from_utf8_lossy(&rest[..rest.len().min(QUERY)])
    )
}

fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end.min(QUERY)]).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn packet(number: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_le_bytes();
        [&length[..3], &[number], content].concat()
    }

    pub fn dialogue() -> Dialogue {
        let greeting = [&b"\x0a8.0.36\0"[..], &[7; 60]].concat();
        let flags = (super::SECURE_CONNECTION | super::CONNECT_WITH_DB).to_le_bytes();
        let login = [
            &flags[..],
            &[0; 28],
            b"shop\0\x05proof",
            b"orders\0native\0",
        ]
        .concat();
        let error = [&[0xFF, 0x28, 0x04][..], b"#42000You have an error"].concat();
        vec![
            back(packet(0, &greeting)),
            out(packet(1, &login)),
            back(packet(2, &[0, 0, 0, 2, 0, 0, 0])),
            out(packet(0, b"\x03select\n 1")),
            back([packet(1, &[1]), packet(2, b"def..."), packet(3, b"\x011")].concat()),
            out(packet(0, b"\x0e")),
            back(packet(1, &[0, 0, 0, 2, 0, 0, 0])),
            out(packet(0, b"\x03selec 1")),
            back(packet(1, &error)),
            out(packet(0, b"\x01")),
        ]
    }

    #[test]
    fn from_the_greeting_to_an_error() {
        let dialogue = dialogue();
        assert_eq!(
            hear(&dialogue),
            [
                ". MySQL server 8.0.36",
                "? MySQL log in as shop to orders",
                "= MySQL accepted",
                "? MySQL select 1",
                "= MySQL rows of 1 column",
                "? MySQL ping",
                "= MySQL OK",
                "? MySQL selec 1",
                "=! MySQL error 1064: You have an error",
                ". MySQL quit",
            ]
        );
        assert!(!shown(&dialogue).contains("proof"));
    }
}
