//! PostgreSQL's protocol, version 3: start-up, queries of both kinds, and what the server says of them.

use std::collections::VecDeque;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest start-up packet (src/include/libpq/pqcomm.h).
const STARTUP: u32 = 10_000;
/// The longest message that is believed: 1 GiB, the server's own bound.
const MESSAGE: u32 = 1 << 30;
/// How much of a query is told.
const QUERY: usize = 200;
/// How many statements may wait for their answers.
const WAITING: usize = 256;

// The codes in place of a version (the same header).
const VERSION_3: u32 = 3;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Postgres {
    /// Whether the client has begun to send messages, each of which has a type.
    started: bool,
    /// Whether the server is to answer in one byte whether it encrypts.
    encryption_asked: bool,
    /// The text of the latest statement that was prepared.
    prepared: String,
    /// What was asked and not answered: whether for each an answer was told.
    waiting: VecDeque<()>,
}

/// Whether it begins as a client does, or with a query where tracing began later.
pub fn guess(bytes: &[u8]) -> Guess {
    match bytes {
        [0, 0, _, _, rest @ ..] if rest.len() >= 4 => {
            let length = u32::from_be_bytes([0, 0, bytes[2], bytes[3]]);
            let code = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
            let known = match code {
                SSL | GSS => length == 8,
                CANCEL => (16..=STARTUP).contains(&length),
                _ => {
                    code >> 16 == VERSION_3 && code & 0xFFFF < 16 && (9..=STARTUP).contains(&length)
                }
            };
            if known { Guess::Client } else { Guess::No }
        }
        [0] | [0, 0] | [0, 0, _] => Guess::Perhaps,
        [0, 0, _, _, 0 | 4, ..] | [0, 0, _, _] => Guess::Perhaps,
        [b'Q', a, b, c, d, text @ .., 0] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let printable = text
                .iter()
                .all(|byte| *byte >= 0x20 || byte.is_ascii_whitespace());
            match length == text.len() + 5 && printable && !text.is_empty() {
                true => Guess::Client,
                false => Guess::No,
            }
        }
        _ => Guess::No,
    }
}

impl Sniffer for Postgres {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if from == Side::Client && !self.started && bytes.first() == Some(&0) {
            return self.startup(bytes, whole, said);
        }
        if from == Side::Server && self.encryption_asked {
            self.encryption_asked = false;
            match bytes[0] {
                b'S' => {
                    said.say(Kind::Answer(0), "yes, with TLS");
                    return Step::Inside(1, Some("TLS"));
                }
                b'G' => {
                    said.say(Kind::Answer(0), "yes, with GSSAPI");
                    return Step::Wrong;
                }
                b'N' => {
                    said.say(Kind::Answer(0), "no encryption");
                    return Step::Took(1);
                }
                _ => {}
            }
        }
        let [kind, a, b, c, d, content @ ..] = bytes else {
            return Step::More;
        };
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        if !(4..=MESSAGE).contains(&length) || !kind.is_ascii_alphanumeric() {
            return Step::Lost;
        }
        let step = Step::Took(u64::from(length) + 1);
        let there = content.len().min(length as usize - 4);
        let complete = there == length as usize - 4;
        if (*kind, from) == (b'p', Side::Client) {
            said.say(Kind::Note, "password or proof of one");
            return Step::Secret(u64::from(length) + 1);
        }
        // Of what is told only the first bytes matter.
        if !complete && whole && there < QUERY {
            return Step::More;
        }
        match from {
            Side::Client => self.request(*kind, &content[..there], said),
            Side::Server => self.answer(*kind, &content[..there], said),
        }
        step
    }
}

impl Postgres {
    fn startup(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some((header, rest)) = bytes.split_first_chunk::<8>() else {
            return Step::More;
        };
        let [a, b, c, d, e, f, g, h] = *header;
        let (length, code) = (
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
        );
        if !(8..=STARTUP).contains(&length) {
            return Step::Lost;
        }
        let there = rest.len().min(length as usize - 8);
        if there < length as usize - 8 && whole {
            return Step::More;
        }
        match code {
            SSL | GSS => {
                self.encryption_asked = true;
                let text = if code == SSL {
                    "may we use TLS?"
                } else {
                    "may we use GSSAPI?"
                };
                said.say(Kind::Request(0), text);
            }
            CANCEL => said.say(Kind::Note, "cancels a query of another connection"),
            _ if code >> 16 == VERSION_3 => {
                self.started = true;
                let mut text = String::from("startup");
                let mut fields = rest[..there].split(|byte| *byte == 0);
                while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
                    if matches!(name, b"user" | b"database" | b"application_name") {
                        let [name, value] = [name, value].map(String::from_utf8_lossy);
                        text.push_str(&format!(" {name}={value}"));
                    }
                }
                self.ask(text, said);
            }
            _ => return Step::Lost,
        }
        Step::Took(length.into())
    }

    fn ask(&mut self, text: String, said: &mut Said) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back(());
            said.say(Kind::Request(0), text);
        }
    }

    fn request(&mut self, kind: u8, content: &[u8], said: &mut Said) {
        self.started = true;
        match kind {
            b'Q' => self.ask(query(content, said), said),
            // A statement's name, then its text.
            b'P' => {
                let end = content.iter().position(|byte| *byte == 0);
                let text = end
                    .and_then(|end| content.get(end + 1..))
                    .unwrap_or_default();
                self.prepared = query(text, said);
            }
            b'E' => {
                let text = match self.prepared.is_empty() {
                    true => "executes a prepared statement".to_owned(),
                    false => self.prepared.clone(),
                };
                self.ask(text, said);
            }
            b'X' => said.say(Kind::Note, "goodbye"),
            _ => {}
        }
    }

    fn answer(&mut self, kind: u8, content: &[u8], said: &mut Said) {
        let text = match kind {
            // The tag of a command that is complete.
            b'C' => query(content, said),
            b'I' => "nothing asked".into(),
            b'E' => {
                self.waiting.pop_front();
                return said.fail(Kind::Answer(0), failure(content));
            }
            b'N' => return said.say(Kind::Note, failure(content)),
            b'R' => match content {
                [0, 0, 0, 0] => "accepted".into(),
                [0, 0, 0, 3] => {
                    return said.say(Kind::Note, "wants a password, in clear");
                }
                [0, 0, 0, 5, ..] => return said.say(Kind::Note, "wants a password, as MD5"),
                [0, 0, 0, 10, ..] => {
                    return said.say(Kind::Note, "wants a proof of the password (SCRAM)");
                }
                _ => return,
            },
            b'A' => return said.say(Kind::Note, "notification"),
            _ => return,
        };
        if self.waiting.pop_front().is_some() {
            said.say(Kind::Answer(0), text);
        }
    }
}

/// A text up to its NUL, its white space made single.
fn query(bytes: &[u8], said: &Said) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = said.text(&bytes[..end.unwrap_or(bytes.len()).min(QUERY)], 0);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Severity and message of an ErrorResponse or NoticeResponse: fields, each a letter and a text.
fn failure(content: &[u8]) -> String {
    let fields = content.split(|byte| *byte == 0);
    let find = |letter: u8| {
        let mut fields = fields.clone();
        let field = fields.find_map(|field| field.strip_prefix(&[letter]));
        String::from_utf8_lossy(field.unwrap_or_default()).into_owned()
    };
    let (severity, code, message) = (find(b'S'), find(b'C'), find(b'M'));
    format!("{severity} {code}: {message}")
}
