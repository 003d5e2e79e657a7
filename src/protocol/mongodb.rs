//! MongoDB's wire protocol (mongodb.com/docs/manual/reference/mongodb-wire-protocol): commands and replies, by their BSON.

use std::collections::VecDeque;
use std::ops::Range;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The header: length, number, number that is answered, kind of message.
const HEADER: usize = 16;
/// The longest message (maxMessageSizeBytes).
const MESSAGE: usize = 48_000_000;
/// How much of a message is read.
const READ: usize = 1024;
/// How much of one that proves something is waited for.
const PROOF: usize = 8192;
/// How many commands may wait for their replies.
const WAITING: usize = 256;
/// How deep documents inside others are read.
const DEPTH: u8 = 4;
/// The longest name of a command that is believed.
const NAME: usize = 64;

// Kinds of messages that are read (opCode).
const REPLY: u32 = 1;
const QUERY: u32 = 2004;
const COMPRESSED: u32 = 2012;
const MSG: u32 = 2013;

// The flags of OP_MSG.
const CHECKSUM_PRESENT: u32 = 1;
const MORE_TO_COME: u32 = 1 << 1;
const EXHAUST_ALLOWED: u32 = 1 << 16;

// Types of BSON elements (bsonspec.org).
const DOUBLE: u8 = 1;
const STRING: u8 = 2;
const DOCUMENT: u8 = 3;
const ARRAY: u8 = 4;
const BINARY: u8 = 5;
const BOOLEAN: u8 = 8;
const INT32: u8 = 16;
const INT64: u8 = 18;

/// Elements whose value is a secret, or the proof of one.
const SECRET: &[&[u8]] = &[b"payload", b"pwd", b"key", b"nonce"];
/// Commands whose elements may be secret, and what a first command may hold in place of them.
const PROVING: &[&[u8]] = &[
    b"saslStart",
    b"saslContinue",
    b"authenticate",
    b"createUser",
    b"updateUser",
    b"speculativeAuthenticate",
    b"copydbsaslstart",
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct MongoDb {
    /// What was asked and not answered: its number, and whether the reply holds proofs.
    waiting: VecDeque<(u32, bool)>,
}

/// A message's header.
#[derive(Clone, Copy)]
struct Header {
    length: usize,
    number: u32,
    answers: u32,
    kind: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let length = usize::try_from(long(bytes, 0)?).ok()?;
        Some(Self {
            length,
            number: long(bytes, 4)?,
            answers: long(bytes, 8)?,
            kind: long(bytes, 12)?,
        })
    }

    fn is_sane(&self) -> bool {
        (HEADER + 5..=MESSAGE).contains(&self.length)
    }
}

/// Whether it begins as a command does.
pub fn guess(bytes: &[u8]) -> Guess {
    let length = long(bytes, 0).map(|length| length as usize);
    let begun = |at: usize, wanted: u32| {
        let there = bytes.get(at..).unwrap_or_default();
        Guess::starts(there, &wanted.to_le_bytes(), Guess::Client)
    };
    if length.is_some_and(|length| !(HEADER + 10..=MESSAGE).contains(&length)) {
        return Guess::No;
    }
    // Nobody is answered.
    match begun(8, 0) {
        Guess::Client => {}
        guess => return guess,
    }
    let (msg, query) = (begun(12, MSG), begun(12, QUERY));
    if [msg, query].contains(&Guess::Perhaps) {
        return Guess::Perhaps;
    }
    if [msg, query] == [Guess::No; 2] {
        return Guess::No;
    }
    let content = &bytes[HEADER..bytes.len().min(length.unwrap_or(0)).max(HEADER)];
    let fits = match (msg, query) {
        (Guess::Client, _) => long(content, 0).map(|flags| {
            let known = flags & !(CHECKSUM_PRESENT | MORE_TO_COME | EXHAUST_ALLOWED) == 0;
            let first = content.get(4).is_none_or(|kind| *kind == 0);
            (known && first).then_some(5)
        }),
        (_, Guess::Client) => {
            let name = content.get(4..).unwrap_or_default();
            let end = name.iter().take(NAME).position(|byte| *byte == 0);
            match end {
                Some(end) if name[..end].ends_with(b".$cmd") => Some(Some(4 + end + 1 + 8)),
                None if name.len() < NAME && name.iter().all(u8::is_ascii_graphic) => None,
                _ => Some(None),
            }
        }
        _ => Some(None),
    };
    match fits {
        None => Guess::Perhaps,
        Some(None) => Guess::No,
        Some(Some(at)) => {
            let document = content.get(at..).unwrap_or_default();
            let most = length.unwrap_or(0).saturating_sub(HEADER + at);
            opening(document, most)
        }
    }
}

/// Whether a document begins as a command's does: with a number or a string that has a name of letters.
fn opening(document: &[u8], most: usize) -> Guess {
    if long(document, 0).is_some_and(|length| !(8..=most).contains(&(length as usize))) {
        return Guess::No;
    }
    let Some((kind, name)) = document.get(4..).and_then(|it| it.split_first()) else {
        return Guess::Perhaps;
    };
    let end = name.iter().take(NAME).position(|byte| *byte == 0);
    let letters = name[..end.unwrap_or(name.len())]
        .iter()
        .all(u8::is_ascii_alphabetic);
    let known = [DOUBLE, STRING, DOCUMENT, BOOLEAN, INT32, INT64].contains(kind);
    match end {
        _ if !known || !letters => Guess::No,
        Some(0) => Guess::No,
        Some(_) => Guess::Client,
        None if name.len() < NAME => Guess::Perhaps,
        None => Guess::No,
    }
}

impl Sniffer for MongoDb {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some(header) = Header::read(bytes) else {
            return Step::More;
        };
        if !header.is_sane() {
            return Step::Lost;
        }
        let there = &bytes[..header.length.min(bytes.len())];
        let content = Content::find(header.kind, there);
        let proves = match from {
            Side::Client => content.document.clone().is_some_and(|document| {
                let first = Element::first(there, document);
                first.is_some_and(|first| PROVING.contains(&first.name))
            }),
            Side::Server => self.waiting.iter().any(|it| *it == (header.answers, true)),
        };
        let mut proof = false;
        if let Some(document) = content.document.clone() {
            hide(there, document, proves, DEPTH, &mut proof, said);
        }
        // Of a proof nothing stays unread, so that nothing of it stays unhidden.
        let enough = match proves || proof {
            true => header.length.min(PROOF),
            false => header.length.min(READ),
        };
        if whole && there.len() < enough {
            return Step::More;
        }
        let read = Content::find(header.kind, &there[..there.len().min(enough)]);
        match from {
            Side::Client => self.command(
                header,
                read,
                &there[..there.len().min(enough)],
                proof || proves,
                said,
            ),
            Side::Server => self.reply(header, read, &there[..there.len().min(enough)], said),
        }
        Step::Took(header.length as u64)
    }
}

impl MongoDb {
    fn command(
        &mut self,
        header: Header,
        content: Content,
        bytes: &[u8],
        proves: bool,
        said: &mut Said,
    ) {
        let text = match content.document {
            Some(document) => command(bytes, document, said),
            None if header.kind == COMPRESSED => Some("compressed command".to_owned()),
            None => None,
        };
        let Some(text) = text else {
            return;
        };
        if content.flags & MORE_TO_COME != 0 || self.waiting.len() >= WAITING {
            return said.say(Kind::Note, text);
        }
        self.waiting.push_back((header.number, proves));
        said.say(Kind::Request(header.number.into()), text);
    }

    fn reply(&mut self, header: Header, content: Content, bytes: &[u8], said: &mut Said) {
        let at = self.waiting.iter().position(|it| it.0 == header.answers);
        // Further replies of a stream answer each other.
        let kind = match at.and_then(|at| self.waiting.remove(at)) {
            Some(_) => Kind::Answer(header.answers.into()),
            None => Kind::Note,
        };
        let size = || format!("{} B", header.length);
        let Some(document) = content.document else {
            return match header.kind {
                MSG | REPLY | COMPRESSED => said.say(kind, size()),
                _ => {}
            };
        };
        let reply = Reply::read(bytes, document, said);
        match reply {
            Reply {
                failed: true,
                error,
                code,
                ..
            } => {
                let words = [code, error.or(Some("failed".into()))];
                let words: Vec<String> = words.into_iter().flatten().collect();
                said.fail(kind, words.join(": "));
            }
            Reply {
                changed: Some(changed),
                ..
            } => said.say(kind, format!("{changed} documents")),
            _ => said.say(kind, size()),
        }
    }
}

/// Where a message's document lies.
struct Content {
    flags: u32,
    document: Option<Range<usize>>,
}

impl Content {
    fn find(kind: u32, bytes: &[u8]) -> Self {
        let flags = match kind {
            MSG => long(bytes, HEADER).unwrap_or(0),
            _ => 0,
        };
        let start = match kind {
            MSG => body(bytes),
            QUERY => {
                let name = bytes.get(HEADER + 4..).unwrap_or_default();
                let end = name.iter().position(|byte| *byte == 0);
                end.map(|end| HEADER + 4 + end + 1 + 8)
            }
            // Flags, cursor, where it starts and how many there are come first.
            REPLY => Some(HEADER + 20),
            _ => None,
        };
        let document = start.filter(|start| *start < bytes.len());
        Self {
            flags,
            document: document.map(|start| inside(bytes, start, bytes.len())),
        }
    }
}

/// Where the body of an OP_MSG begins: its section of kind 0, which need not be the first one.
fn body(bytes: &[u8]) -> Option<usize> {
    let mut at = HEADER + 4;
    loop {
        match bytes.get(at)? {
            0 => return Some(at + 1),
            1 => {
                let size = usize::try_from(long(bytes, at + 1)?).ok()?;
                at = at.checked_add(size.max(4))?.checked_add(1)?;
            }
            _ => return None,
        }
    }
}

/// The elements of a document that begins there, as far as they are there.
fn inside(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let length = long(bytes, start).map_or(0, |length| length as usize);
    let end = start.saturating_add(length.max(5) - 1).min(end);
    (start + 4).min(end)..end
}

/// A name and its value.
struct Element<'a> {
    kind: u8,
    name: &'a [u8],
    /// The value, as far as it is there.
    value: Range<usize>,
    /// Where the next one begins; nothing where that is not there.
    next: Option<usize>,
}

impl<'a> Element<'a> {
    /// The first element of those that lie there.
    fn first(bytes: &'a [u8], elements: Range<usize>) -> Option<Self> {
        let (kind, rest) = bytes.get(elements.clone())?.split_first()?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let start = elements.start + 1 + end + 1;
        let value = &bytes[start..elements.end];
        let prefixed = |more: usize| long(value, 0).and_then(|it| (it as usize).checked_add(more));
        let size = match *kind {
            DOUBLE | INT64 | 9 | 17 => Some(8),
            STRING | 13 | 14 => prefixed(4),
            DOCUMENT | ARRAY => prefixed(0).map(|size| size.max(5)),
            BINARY => prefixed(5),
            6 | 10 | 0x7F | 0xFF => Some(0),
            7 => Some(12),
            BOOLEAN => Some(1),
            // A regular expression: two texts, each with a NUL.
            11 => {
                let mut ends = value.iter().enumerate().filter(|(_, byte)| **byte == 0);
                ends.nth(1).map(|(at, _)| at + 1)
            }
            12 => prefixed(16),
            INT32 => Some(4),
            19 => Some(16),
            // Unknown: nobody knows where it ends.
            _ => None,
        };
        let next = size.and_then(|size| start.checked_add(size));
        let next = next.filter(|next| *next <= elements.end);
        Some(Self {
            kind: *kind,
            name: &rest[..end],
            value: start..next.unwrap_or(elements.end),
            next,
        })
    }

    /// All elements of those that lie there.
    fn all(bytes: &'a [u8], elements: Range<usize>) -> impl Iterator<Item = Self> {
        let mut at = Some(elements.start);
        std::iter::from_fn(move || {
            let element = Self::first(bytes, at?..elements.end)?;
            at = element.next;
            Some(element)
        })
    }

    /// Its text, if it is one.
    fn text(&self, bytes: &[u8], said: &Said) -> Option<String> {
        let text = bytes.get(self.value.start + 4..self.value.end)?;
        let text = text.strip_suffix(b"\0").unwrap_or(text);
        (self.kind == STRING).then(|| said.text(text, self.value.start + 4))
    }

    /// Its number, if it is a whole one.
    fn number(&self, bytes: &[u8]) -> Option<i64> {
        let value = bytes.get(self.value.clone())?;
        match self.kind {
            DOUBLE => {
                let number = f64::from_le_bytes(value.try_into().ok()?);
                // Beyond the bounds it becomes the nearest one: these are counts.
                Some(number as i64)
            }
            INT32 => Some(i32::from_le_bytes(value.try_into().ok()?).into()),
            INT64 => Some(i64::from_le_bytes(value.try_into().ok()?)),
            BOOLEAN => value.first().map(|byte| i64::from(*byte != 0)),
            _ => None,
        }
    }

    /// The elements inside it, if it has any.
    fn elements(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let holds = matches!(self.kind, DOCUMENT | ARRAY) && !self.value.is_empty();
        holds.then(|| inside(bytes, self.value.start, self.value.end))
    }
}

/// Hides the values of secret elements, also those of documents inside; `found` says whether there was one.
fn hide(
    bytes: &[u8],
    document: Range<usize>,
    proves: bool,
    depth: u8,
    found: &mut bool,
    said: &mut Said,
) {
    for element in Element::all(bytes, document) {
        let secret = SECRET.contains(&element.name) && element.kind != INT32;
        if proves && secret {
            *found = true;
            said.hide(element.value.clone());
        } else if let Some(elements) = element.elements(bytes).filter(|_| depth > 0) {
            let proves = proves || PROVING.contains(&element.name);
            hide(bytes, elements, proves, depth - 1, found, said);
        }
    }
}

/// The command's name and what it is about.
fn command(bytes: &[u8], document: Range<usize>, said: &Said) -> Option<String> {
    let first = Element::first(bytes, document.clone())?;
    let name = String::from_utf8_lossy(&first.name[..first.name.len().min(NAME)]).into_owned();
    // More of a cursor is asked for by the cursor's number: the collection comes after it.
    let about = first.text(bytes, said).or_else(|| {
        let mut elements = Element::all(bytes, document);
        elements
            .find(|element| first.name == b"getMore" && element.name == b"collection")
            .and_then(|element| element.text(bytes, said))
    });
    Some(match about {
        Some(about) => format!("{name} {about}"),
        None => name,
    })
}

/// What matters of a reply.
#[derive(Default)]
struct Reply {
    failed: bool,
    error: Option<String>,
    code: Option<String>,
    /// How many documents were changed, or counted.
    changed: Option<i64>,
}

impl Reply {
    fn read(bytes: &[u8], document: Range<usize>, said: &Said) -> Self {
        let mut reply = Self::default();
        for element in Element::all(bytes, document) {
            match element.name {
                b"ok" => reply.failed |= element.number(bytes) == Some(0),
                b"n" => reply.changed = element.number(bytes),
                b"errmsg" | b"$err" => reply.error = element.text(bytes, said),
                b"codeName" => reply.code = element.text(bytes, said),
                // Some of the documents were not written: the first one's error tells why.
                b"writeErrors" => {
                    let first = element.elements(bytes);
                    let first = first.and_then(|it| Element::first(bytes, it));
                    let elements = first.and_then(|first| first.elements(bytes));
                    for element in elements.into_iter().flat_map(|it| Element::all(bytes, it)) {
                        if element.name == b"errmsg" {
                            reply.failed = true;
                            reply.error = element.text(bytes, said);
                        }
                    }
                }
                _ => {}
            }
        }
        reply
    }
}

/// The 32-bit number that stands there.
fn long(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn string(name: &str, text: &str) -> Vec<u8> {
        let mut bytes = [&[STRING][..], name.as_bytes(), b"\0"].concat();
        bytes.extend((text.len() as u32 + 1).to_le_bytes());
        bytes.extend([text.as_bytes(), b"\0"].concat());
        bytes
    }

    fn int(name: &str, number: i32) -> Vec<u8> {
        [&[INT32][..], name.as_bytes(), b"\0", &number.to_le_bytes()].concat()
    }

    fn double(name: &str, number: f64) -> Vec<u8> {
        [&[DOUBLE][..], name.as_bytes(), b"\0", &number.to_le_bytes()].concat()
    }

    fn binary(name: &str, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_le_bytes();
        [&[BINARY][..], name.as_bytes(), b"\0", &length, b"\0", data].concat()
    }

    fn nested(kind: u8, name: &str, elements: &[Vec<u8>]) -> Vec<u8> {
        [&[kind][..], name.as_bytes(), b"\0", &document(elements)].concat()
    }

    fn document(elements: &[Vec<u8>]) -> Vec<u8> {
        let elements = elements.concat();
        let length = (elements.len() as u32 + 5).to_le_bytes();
        [&length[..], &elements, b"\0"].concat()
    }

    fn message(number: u32, answers: u32, kind: u32, content: &[u8]) -> Vec<u8> {
        let length = (HEADER + content.len()) as u32;
        let header = [length, number, answers, kind]
            .map(u32::to_le_bytes)
            .concat();
        [&header[..], content].concat()
    }

    fn msg(number: u32, answers: u32, flags: u32, elements: &[Vec<u8>]) -> Vec<u8> {
        let content = [&flags.to_le_bytes()[..], b"\0", &document(elements)].concat();
        message(number, answers, MSG, &content)
    }

    fn hello() -> Vec<u8> {
        let proof = [
            int("saslStart", 1),
            string("mechanism", "SCRAM-SHA-256"),
            binary("payload", b"n,,n=alice,r=abcdef"),
        ];
        let elements = [
            int("ismaster", 1),
            nested(DOCUMENT, "speculativeAuthenticate", &proof),
        ];
        let head = b"\0\0\0\0admin.$cmd\0\0\0\0\0\xFF\xFF\xFF\xFF";
        message(1, 0, QUERY, &[&head[..], &document(&elements)].concat())
    }

    /// What a driver and a server say to each other.
    pub fn dialogue() -> Dialogue {
        let reply = [&[0; 20][..], &document(&[double("ok", 1.0)])].concat();
        let documents = [
            b"\x01",
            &[0x1Au8, 0, 0, 0][..],
            b"documents\0",
            &document(&[int("_", 1)]),
        ];
        let mut insert = msg(5, 0, 0, &[string("insert", "users"), string("$db", "shop")]);
        insert.extend(documents.concat());
        insert[0] = insert.len() as u8;
        vec![
            out(hello()),
            back(message(90, 1, REPLY, &reply)),
            out(msg(
                2,
                0,
                0,
                &[int("saslContinue", 1), binary("payload", b"c=biws,p=proof")],
            )),
            back(msg(
                91,
                2,
                0,
                &[
                    double("ok", 0.0),
                    string("errmsg", "Authentication failed."),
                    int("code", 18),
                    string("codeName", "AuthenticationFailed"),
                ],
            )),
            out(msg(
                3,
                0,
                0,
                &[
                    string("find", "users"),
                    nested(DOCUMENT, "filter", &[]),
                    string("$db", "shop"),
                ],
            )),
            back(msg(
                92,
                3,
                0,
                &[
                    nested(DOCUMENT, "cursor", &[string("data", &"x".repeat(3000))]),
                    double("ok", 1.0),
                ],
            )),
            out(msg(
                4,
                0,
                0,
                &[
                    [&[INT64][..], b"getMore\0", &7u64.to_le_bytes()].concat(),
                    string("collection", "users"),
                ],
            )),
            back(msg(93, 4, 0, &[double("ok", 1.0)])),
            out(insert),
            back(msg(
                94,
                5,
                0,
                &[
                    int("n", 0),
                    nested(
                        ARRAY,
                        "writeErrors",
                        &[nested(
                            DOCUMENT,
                            "0",
                            &[int("index", 0), string("errmsg", "E11000 duplicate key")],
                        )],
                    ),
                    double("ok", 1.0),
                ],
            )),
            out(msg(6, 0, MORE_TO_COME, &[string("delete", "users")])),
            out(msg(7, 0, 0, &[string("update", "users")])),
            back(msg(
                95,
                7,
                0,
                &[int("n", 3), int("nModified", 2), double("ok", 1.0)],
            )),
        ]
    }

    #[test]
    fn replies_find_their_commands() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? MongoDB ismaster",
                "= MongoDB 53 B",
                "? MongoDB saslContinue",
                "=! MongoDB AuthenticationFailed: Authentication failed.",
                "? MongoDB find users",
                "= MongoDB 3062 B",
                "? MongoDB getMore users",
                "= MongoDB 38 B",
                "? MongoDB insert users",
                "=! MongoDB E11000 duplicate key",
                ". MongoDB delete users",
                "? MongoDB update users",
                "= MongoDB 3 documents",
            ]
        );
        let shown = shown(&dialogue());
        assert!(
            !shown.contains("alice") && !shown.contains("p=proof"),
            "{shown}"
        );
        assert!(shown.contains("SCRAM-SHA-256"));
    }

    #[test]
    fn proofs_are_hidden_in_pieces() {
        let mut whole = hello();
        let rest = whole.split_off(whole.len() - 10);
        let shown = shown(&[out(whole), out(rest)]);
        assert!(!shown.contains("n=al") && !shown.contains("def"), "{shown}");
    }

    #[test]
    fn a_header_that_is_cut_in_its_kind_is_not_its_unless_it_may_be() {
        for len in 0..=HEADER {
            let mut header = hello()[..len].to_vec();
            assert_ne!(guess(&header), Guess::No, "{len} bytes");
            if len > 12 {
                header[12] = 0x0d;
                assert_eq!(guess(&header), Guess::No, "{len} bytes");
            }
        }
    }

    #[test]
    fn other_headers_are_not_its() {
        let good = msg(3, 0, 0, &[string("find", "users")]);
        assert_eq!(guess(&good), Guess::Client);
        assert_eq!(guess(&hello()), Guess::Client);
        for end in 0..30 {
            assert_eq!(guess(&good[..end]), Guess::Perhaps, "{end}");
            assert_eq!(guess(&hello()[..end]), Guess::Perhaps, "{end}");
        }
        for (at, byte) in [
            (0, 20),    // The length.
            (3, 3),     // The same.
            (8, 1),     // Whom it answers.
            (12, 0xD8), // The kind.
            (16, 4),    // Flags.
            (18, 2),    // The same.
            (20, 1),    // The section.
            (21, 200),  // The document's length.
            (25, 99),   // The element's type.
            (26, b'$'), // Its name.
            (26, 0),
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(guess(&bytes), Guess::No, "{at}");
        }
    }
}
