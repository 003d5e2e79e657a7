//! D-Bus (dbus.freedesktop.org/doc/dbus-specification): who connects, method calls and what becomes of them, signals.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest line while both sides make themselves known.
const LINE: usize = 2048;
/// What a message has before the fields of its header.
const FIXED: usize = 16;
/// The longest message, and the longest fields of a header.
const MESSAGE: u64 = 128 << 20;
const FIELDS: u32 = 64 << 20;
/// How much of a header, and of an error's text, is read.
const READ: usize = 2048;
const ERROR_TEXT: usize = 200;
/// The longest name.
const NAME: usize = 255;

// Types of messages.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// The flag of a call that wants no answer.
const NO_REPLY_EXPECTED: u8 = 1;

// The fields of a header that are read.
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// The number of what comes from the server's side begins here: each side counts by itself, in 32 bits.
const SERVERS: u64 = 1 << 32;

/// The mechanism whose words prove that one can read a secret.
const COOKIE: &[u8] = b"DBUS_COOKIE_SHA1";

/// What the client says before messages, and whether it is answered.
const CLIENT: &[(&[u8], bool)] = &[
    (b"AUTH", true),
    (b"CANCEL", true),
    (b"BEGIN", false),
    (b"DATA", true),
    (b"ERROR", true),
    (b"NEGOTIATE_UNIX_FD", true),
];

/// What the server says, and whether it means that something has failed.
const SERVER: &[(&[u8], bool)] = &[
    (b"REJECTED", true),
    (b"OK", false),
    (b"DATA", false),
    (b"ERROR", true),
    (b"AGREE_UNIX_FD", false),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct DBus {
    /// Whether the client has said BEGIN: then messages follow, from the server too once it has said its last line.
    begun: bool,
    /// Whether what is said to prove an identity is secret.
    secret: bool,
}

/// Whether it begins as a client does: with a NUL, and how it wants to make itself known.
pub fn guess(bytes: &[u8]) -> Guess {
    match Guess::starts(bytes, b"\0AUTH", Guess::Client) {
        Guess::Client => match bytes.get(5) {
            Some(b' ' | b'\r') => Guess::Client,
            Some(_) => Guess::No,
            None => Guess::Perhaps,
        },
        guess => guess,
    }
}

impl Sniffer for DBus {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        match (from, self.begun, bytes[0]) {
            (Side::Client, false, 0) => Step::Took(1),
            (Side::Client, false, _) => self.line(from, bytes, whole, said),
            // No line of the server's begins as a message does.
            (Side::Server, _, b'A'..=b'Z') if bytes[0] != b'B' => {
                self.line(from, bytes, whole, said)
            }
            (_, true, _) => message(from, bytes, whole, said),
            _ => Step::Lost,
        }
    }
}

impl DBus {
    /// A line of what is said before messages ("Authentication Protocol").
    fn line(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let end = bytes.iter().take(LINE).position(|byte| *byte == b'\n');
        let text = bytes[..end.unwrap_or(bytes.len().min(LINE))].trim_ascii_end();
        let mut words = text.splitn(3, |byte| *byte == b' ');
        let (verb, mechanism) = (words.next().unwrap_or_default(), words.next());
        let proof = words.next().unwrap_or_default();
        let start = verb.len() + 1;
        match (verb, mechanism) {
            (b"AUTH", Some(mechanism)) => {
                self.secret = mechanism == COOKIE;
                if self.secret {
                    said.hide(start + mechanism.len() + 1..text.len());
                }
            }
            (b"DATA", Some(_)) if self.secret => said.hide(start..text.len()),
            _ => {}
        }
        let Some(end) = end else {
            return match whole && bytes.len() < LINE {
                true => Step::More,
                false => Step::Lost,
            };
        };
        // Who it is, in the digits of its letters' codes.
        let id = decoded(proof).filter(|_| verb == b"AUTH" && !self.secret);
        let words = match id {
            Some(id) => {
                let until = text.len() - proof.len();
                said.text(&text[..until], 0) + &id
            }
            None => said.text(text, 0),
        };
        let known = match from {
            Side::Client => CLIENT.iter().find(|(known, _)| *known == verb),
            Side::Server => SERVER.iter().find(|(known, _)| *known == verb),
        };
        match (from, known) {
            (_, None) => return Step::Lost,
            (Side::Client, Some((_, true))) => said.say(Kind::Request(0), words),
            (Side::Client, Some((_, false))) => said.say(Kind::Note, words),
            (Side::Server, Some((_, true))) => said.fail(Kind::Answer(0), words),
            (Side::Server, Some((_, false))) => said.say(Kind::Answer(0), words),
        }
        self.begun |= verb == b"BEGIN";
        Step::Took(end as u64 + 1)
    }
}

/// A text of digits in hexadecimal, where it is one that can be read.
fn decoded(digits: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(digits).ok()?;
    let bytes = (0..digits.len()).step_by(2).map(|at| {
        let byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        byte.is_ascii_graphic().then_some(char::from(byte))
    });
    bytes
        .collect::<Option<String>>()
        .filter(|text| !text.is_empty() && text.len() <= NAME)
}

/// A message ("Message Format").
fn message(from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
    let little = match bytes[0] {
        b'l' => true,
        b'B' => false,
        _ => return Step::Lost,
    };
    let Some([_, kind, flags, version, ..]) = bytes.first_chunk::<FIXED>() else {
        return Step::More;
    };
    let mut reader = Reader {
        bytes,
        at: 4,
        little,
    };
    let (Some(body), Some(serial), Some(fields)) = (reader.long(), reader.long(), reader.long())
    else {
        return Step::More;
    };
    if *version != 1 || !(METHOD_CALL..=SIGNAL).contains(kind) || fields > FIELDS || serial == 0 {
        return Step::Lost;
    }
    let header = (FIXED as u64 + u64::from(fields)).next_multiple_of(8);
    let total = header + u64::from(body);
    if total > MESSAGE {
        return Step::Lost;
    }
    // An error's text stands at the beginning of its body.
    let text = if *kind == ERROR {
        4 + ERROR_TEXT as u64
    } else {
        0
    };
    let enough = (header + text).min(total).min(READ as u64) as usize;
    if whole && bytes.len() < enough {
        return Step::More;
    }
    let bytes = &bytes[..bytes.len().min(enough)];
    let end = bytes.len().min(FIXED + fields as usize);
    let fields = Fields::read(&bytes[..end], little);
    let header = header as usize;
    let (serial, replies) = (u64::from(serial), u64::from(fields.replies));
    let (own, others) = match from {
        Side::Client => (serial, SERVERS + replies),
        Side::Server => (SERVERS + serial, replies),
    };
    match *kind {
        METHOD_CALL => {
            let mut words = fields.method();
            let to = fields.destination.filter(|to| *to != fields.interface);
            if let Some(to) = to {
                words.push_str(" → ");
                words.push_str(to);
            }
            let kind = match flags & NO_REPLY_EXPECTED {
                0 => Kind::Request(own),
                _ => Kind::Note,
            };
            said.say(kind, words);
        }
        METHOD_RETURN => said.say(Kind::Answer(others), format!("{body} B")),
        ERROR => {
            let mut words = fields.error.to_owned();
            let text = match fields.signature {
                [b's', ..] => string(bytes, header, little),
                _ => None,
            };
            if let Some(text) = text {
                words.push_str(": ");
                words.push_str(&said.text(text, 0));
            }
            said.fail(Kind::Answer(others), words);
        }
        _ => said.say(Kind::Note, format!("signal {}", fields.method())),
    }
    Step::Took(total)
}

/// The string that stands there, or the beginning of it.
fn string(bytes: &[u8], at: usize, little: bool) -> Option<&[u8]> {
    let mut reader = Reader { bytes, at, little };
    let length = (reader.long()? as usize).min(ERROR_TEXT);
    let rest = bytes.get(reader.at..)?;
    Some(&rest[..rest.len().min(length)])
}

/// What matters of a header's fields.
#[derive(Default)]
struct Fields<'a> {
    interface: &'a str,
    member: &'a str,
    error: &'a str,
    destination: Option<&'a str>,
    signature: &'a [u8],
    replies: u32,
}

impl<'a> Fields<'a> {
    /// Reads them as far as they are there: an array of codes, each with a variant ("Header Fields").
    fn read(bytes: &'a [u8], little: bool) -> Self {
        let mut fields = Self::default();
        let mut reader = Reader {
            bytes,
            at: FIXED,
            little,
        };
        while let Some((code, value)) = reader.field() {
            match (code, value) {
                (INTERFACE, Value::Text(text)) => fields.interface = text,
                (MEMBER, Value::Text(text)) => fields.member = text,
                (ERROR_NAME, Value::Text(text)) => fields.error = text,
                (DESTINATION, Value::Text(text)) => fields.destination = Some(text),
                (SIGNATURE, Value::Signature(text)) => fields.signature = text,
                (REPLY_SERIAL, Value::Number(number)) => fields.replies = number,
                _ => {}
            }
        }
        fields
    }

    /// The method or signal with its interface, which a call may lack.
    fn method(&self) -> String {
        match self.interface {
            "" => self.member.to_owned(),
            interface => format!("{interface}.{}", self.member),
        }
    }
}

enum Value<'a> {
    Text(&'a str),
    Signature(&'a [u8]),
    Number(u32),
}

/// Reads values, each where its alignment puts it ("Marshaling").
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn long(&mut self) -> Option<u32> {
        self.at = self.at.next_multiple_of(4);
        let bytes = *self.take(4)?.first_chunk()?;
        Some(match self.little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = *self.take(1)?.first()?;
        let text = self.take(length.into())?;
        self.take(1)?;
        Some(text)
    }

    fn field(&mut self) -> Option<(u8, Value<'a>)> {
        self.at = self.at.next_multiple_of(8);
        let code = *self.take(1)?.first()?;
        let value = match self.signature()? {
            b"s" | b"o" => {
                let length = self.long()? as usize;
                let text = self.take(length)?;
                self.take(1)?;
                Value::Text(std::str::from_utf8(text).ok()?)
            }
            b"g" => Value::Signature(self.signature()?),
            b"u" => Value::Number(self.long()?),
            // Of another type there is none yet.
            _ => return None,
        };
        Some((code, value))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    enum Field {
        S(u8, &'static str),
        O(&'static str),
        U(u8, u32),
        G(&'static str),
    }
    use Field::*;

    fn message(
        order: u8,
        kind: u8,
        flags: u8,
        serial: u32,
        fields: &[Field],
        body: &[u8],
    ) -> Vec<u8> {
        let long = |number: usize| match order {
            b'l' => (number as u32).to_le_bytes(),
            _ => (number as u32).to_be_bytes(),
        };
        let mut array: Vec<u8> = Vec::new();
        for field in fields {
            array.resize(array.len().next_multiple_of(8), 0);
            let text = |code: u8, kind: u8, text: &str| {
                [
                    &[code, 1, kind, 0][..],
                    &long(text.len()),
                    text.as_bytes(),
                    b"\0",
                ]
                .concat()
            };
            array.extend(match field {
                S(code, value) => text(*code, b's', value),
                O(path) => text(1, b'o', path),
                U(code, number) => [&[*code, 1, b'u', 0][..], &long(*number as usize)].concat(),
                G(value) => [
                    &[8, 1, b'g', 0, value.len() as u8][..],
                    value.as_bytes(),
                    b"\0",
                ]
                .concat(),
            });
        }
        let mut bytes = vec![order, kind, flags, 1];
        bytes.extend(long(body.len()));
        bytes.extend(long(serial as usize));
        bytes.extend(long(array.len()));
        bytes.extend(array);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(body);
        bytes
    }

    const BUS: &str = "org.freedesktop.DBus";

    fn hello(order: u8) -> Vec<u8> {
        let fields = [
            O("/org/freedesktop/DBus"),
            S(3, "Hello"),
            S(2, BUS),
            S(6, BUS),
        ];
        message(order, METHOD_CALL, 0, 1, &fields, b"")
    }

    /// What a program of libdbus and the bus say to each other.
    pub fn dialogue() -> Dialogue {
        let get = [
            O("/org/freedesktop/hostname1"),
            S(2, "org.freedesktop.DBus.Properties"),
            S(3, "Get"),
            S(6, "org.freedesktop.hostname1"),
            G("ss"),
        ];
        let acquired = [
            O("/org/freedesktop/DBus"),
            S(2, BUS),
            S(3, "NameAcquired"),
            G("s"),
        ];
        let failed = [
            S(4, "org.freedesktop.DBus.Error.ServiceUnknown"),
            U(5, 2),
            G("s"),
        ];
        let asked = [O("/me"), S(3, "Ping"), S(6, ":1.42")];
        vec![
            out("\0AUTH EXTERNAL 31303030\r\n"),
            back("OK 1234deadbeef\r\n"),
            out("NEGOTIATE_UNIX_FD\r\n"),
            back("AGREE_UNIX_FD\r\n"),
            out([b"BEGIN\r\n", &hello(b'l')[..]].concat()),
            back(message(
                b'l',
                METHOD_RETURN,
                1,
                1,
                &[U(5, 1), G("s")],
                b"\x05\0\0\0:1.42\0",
            )),
            back(message(b'l', SIGNAL, 1, 2, &acquired, b"\x05\0\0\0:1.42\0")),
            out(message(b'l', METHOD_CALL, 0, 2, &get, &[7; 3000])),
            back(message(b'l', ERROR, 1, 3, &failed, b"\x05\0\0\0Oops.\0")),
            back(message(b'B', METHOD_CALL, 0, 1, &asked, b"")),
            out(message(b'l', METHOD_RETURN, 1, 3, &[U(5, 1)], b"")),
            out(message(b'l', METHOD_CALL, 1, 4, &asked, b"")),
        ]
    }

    #[test]
    fn calls_and_what_becomes_of_them() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? D-Bus AUTH EXTERNAL 1000",
                "= D-Bus OK 1234deadbeef",
                "? D-Bus NEGOTIATE_UNIX_FD",
                "= D-Bus AGREE_UNIX_FD",
                ". D-Bus BEGIN",
                "? D-Bus org.freedesktop.DBus.Hello",
                "= D-Bus 10 B",
                ". D-Bus signal org.freedesktop.DBus.NameAcquired",
                "? D-Bus org.freedesktop.DBus.Properties.Get → org.freedesktop.hostname1",
                "=! D-Bus org.freedesktop.DBus.Error.ServiceUnknown: Oops.",
                "? D-Bus Ping → :1.42",
                "= D-Bus 0 B",
                ". D-Bus Ping → :1.42",
            ]
        );
    }

    #[test]
    fn all_at_once_and_the_other_byte_order() {
        // As sd-bus does it.
        let opening = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
        let heard = hear(&[
            out([&opening[..], &hello(b'B')].concat()),
            back("DATA\r\nOK 1234deadbeef\r\nAGREE_UNIX_FD\r\n"),
            back(message(b'B', METHOD_RETURN, 1, 1, &[U(5, 1)], b"")),
        ]);
        assert_eq!(
            heard,
            [
                "? D-Bus AUTH EXTERNAL",
                "? D-Bus DATA",
                "? D-Bus NEGOTIATE_UNIX_FD",
                ". D-Bus BEGIN",
                "? D-Bus org.freedesktop.DBus.Hello",
                "= D-Bus DATA",
                "= D-Bus OK 1234deadbeef",
                "= D-Bus AGREE_UNIX_FD",
                "= D-Bus 0 B",
            ]
        );
    }

    #[test]
    fn cookies_are_hidden() {
        let dialogue = [
            out("\0"),
            out("AUTH DBUS_COOKIE_SHA1 616c696365\r\n"),
            back("DATA 6f7267\r\n"),
            out("DATA 7365"),
            out("63726574\r\n"),
            back("REJECTED EXTERNAL ANONYMOUS\r\n"),
        ];
        let shown = shown(&dialogue);
        for secret in ["616c696365", "6f7267", "7365", "63726574"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert_eq!(
            hear(&dialogue),
            [
                "? D-Bus AUTH DBUS_COOKIE_SHA1 **********",
                "= D-Bus DATA ******",
                "? D-Bus DATA ************",
                "=! D-Bus REJECTED EXTERNAL ANONYMOUS",
            ]
        );
    }

    #[test]
    fn other_bytes_are_not_its() {
        for bytes in [
            &b"AUTH EXTERNAL\r\n"[..],
            b"\0AUTHOR",
            b"\0auth ",
            b"\0\0AUTH",
            b"\0B",
        ] {
            assert_eq!(guess(bytes), Guess::No, "{bytes:?}");
        }
        assert_eq!(guess(b"\0"), Guess::Perhaps);
        assert_eq!(guess(b"\0AUTH"), Guess::Perhaps);
        assert_eq!(guess(b"\0AUTH\r\n"), Guess::Client);
    }
}
