//! SOCKS, versions 5 (RFC 1928, RFC 1929) and 4 with 4A: to whom a proxy is to connect, and whether it did.

use std::cmp::Ordering;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step};

/// The longest user id or host in version 4, which leaves the bound open.
const WORD: usize = 255;

// Versions: of the protocol, and of the login inside (RFC 1929 section 2).
const V5: u8 = 5;
const V4: u8 = 4;
const LOGIN: u8 = 1;

// Ways to log in (RFC 1928 section 3).
const NO_LOGIN: u8 = 0;
const GSSAPI: u8 = 1;
const PASSWORD: u8 = 2;
const NONE_ACCEPTED: u8 = 0xFF;

// Kinds of addresses (section 5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What may be asked for (section 4), by its number.
const COMMANDS: &[(u8, &str)] = &[(1, "CONNECT"), (2, "BIND"), (3, "UDP ASSOCIATE")];
const CONNECT: u8 = 1;

/// Replies (section 6), by their number.
const REPLIES: &[&str] = &[
    "succeeded",
    "the proxy failed",
    "not allowed by the rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address type not supported",
];

/// Replies of version 4, by their number.
const OLD_REPLIES: &[(u8, &str)] = &[
    (90, "succeeded"),
    (91, "rejected or failed"),
    (92, "rejected: no identd there"),
    (93, "rejected: identd reports another user"),
];
const OLD_SUCCESS: u8 = 90;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Socks {
    /// Whether the client has told how it may log in.
    begun: bool,
    /// The way that the server chose.
    way: Option<u8>,
    /// Whether a login waits for the server's word.
    logs_in: bool,
    /// The version and the command of the request.
    asked: Option<(u8, u8)>,
}

/// Whether it begins as a client does, and is no byte longer.
pub fn guess(bytes: &[u8]) -> Guess {
    let known = |way: &u8| matches!(way, 0..=3 | 5..=9 | 0x80..=0xFE);
    match bytes {
        [V5] | [V4] | [V4, 1 | 2] => Guess::Perhaps,
        [V5, count @ 1..=0xFF, ways @ ..] if ways.iter().all(known) => {
            match ways.len().cmp(&usize::from(*count)) {
                Ordering::Less => Guess::Perhaps,
                Ordering::Equal => Guess::Client,
                Ordering::Greater => Guess::No,
            }
        }
        [V4, 1 | 2, ..] => match old_request(bytes) {
            Ok(Some((_, _, end))) if end == bytes.len() => Guess::Client,
            Ok(None) => Guess::Perhaps,
            _ => Guess::No,
        },
        _ => Guess::No,
    }
}

impl Sniffer for Socks {
    fn read(&mut self, from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        let step = match (from, bytes) {
            (Side::Client, [V4, ..]) if !self.begun => self.old_request(bytes, said),
            (Side::Client, [V5, ..]) if !self.begun => self.ways(bytes, said),
            (Side::Client, [LOGIN, ..]) if self.way == Some(PASSWORD) => self.login(bytes, said),
            (Side::Client, [V5, ..]) if self.asked.is_none() => self.request(bytes, said),
            (Side::Server, [0, ..]) if self.asked.is_some_and(|it| it.0 == V4) => {
                self.old_reply(bytes, said)
            }
            (Side::Server, [V5, ..]) if self.way.is_none() => self.choice(bytes, said),
            (Side::Server, [LOGIN, ..]) if self.logs_in => self.login_reply(bytes, said),
            (Side::Server, [V5, ..]) if self.asked.is_some() => self.reply(bytes, said),
            _ => Some(Step::Wrong),
        };
        step.unwrap_or(Step::More)
    }
}

/// Each returns nothing where more bytes are needed.
impl Socks {
    /// How the client may log in (section 3).
    fn ways(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let count = usize::from(*bytes.get(1)?);
        let ways = bytes.get(2..2 + count)?;
        self.begun = true;
        let known = |way: &u8| match *way {
            NO_LOGIN => Some("without login"),
            GSSAPI => Some("with GSSAPI"),
            PASSWORD => Some("with user and password"),
            _ => None,
        };
        let ways: Vec<_> = ways.iter().filter_map(known).collect();
        said.say(Kind::Request(0), format!("offers: {}", ways.join(", ")));
        Some(Step::Took(2 + count as u64))
    }

    /// Which of these ways the server wants.
    fn choice(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let way = *bytes.get(1)?;
        if !self.begun {
            return Some(Step::Wrong);
        }
        self.way = Some(way);
        let kind = Kind::Answer(0);
        match way {
            NO_LOGIN => said.say(kind, "without login"),
            GSSAPI => said.say(kind, "wants GSSAPI"),
            PASSWORD => said.say(kind, "wants user and password"),
            NONE_ACCEPTED => said.fail(kind, "accepts none of these"),
            _ => said.say(kind, format!("wants method {way}")),
        }
        Some(match way {
            NO_LOGIN | PASSWORD | NONE_ACCEPTED => Step::Took(2),
            // What follows has a form of its own.
            _ => Step::Inside(2, None),
        })
    }

    /// User and password (RFC 1929 section 2).
    fn login(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        // While it is not all there, its secrets are none the less.
        said.hide(1..bytes.len());
        let user = usize::from(*bytes.get(1)?);
        let password = usize::from(*bytes.get(2 + user)?);
        let end = 3 + user + password;
        bytes.get(..end)?;
        self.logs_in = true;
        said.say(Kind::Request(0), "user and password");
        Some(Step::Took(end as u64))
    }

    fn login_reply(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let status = *bytes.get(1)?;
        self.logs_in = false;
        match status {
            0 => said.say(Kind::Answer(0), "accepted"),
            _ => said.fail(Kind::Answer(0), "not accepted"),
        }
        Some(Step::Took(2))
    }

    /// To whom (section 4).
    fn request(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let command = *bytes.get(1)?;
        let (host, port, end) = match address(bytes) {
            Ok(found) => found?,
            Err(Unknown) => return Some(Step::Wrong),
        };
        Some(self.ask((V5, command), &host, port, end, said))
    }

    /// The same in version 4.
    fn old_request(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let command = *bytes.get(1)?;
        let (host, port, end) = match old_request(bytes) {
            Ok(found) => found?,
            Err(Unknown) => return Some(Step::Wrong),
        };
        self.begun = true;
        Some(self.ask((V4, command), &host, port, end, said))
    }

    fn ask(&mut self, asked: (u8, u8), host: &str, port: u16, end: usize, said: &mut Said) -> Step {
        let row = COMMANDS.iter().find(|(known, _)| *known == asked.1);
        let Some((command, words)) = row else {
            return Step::Wrong;
        };
        self.asked = Some(asked);
        let detail = match *command {
            CONNECT => Detail::Name(host.to_ascii_lowercase(), Source::Proxy),
            _ => Detail::None,
        };
        let shown = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        said.detail(Kind::Request(0), format!("{words} {shown}:{port}"), detail);
        Step::Took(end as u64)
    }

    /// Whether it worked (section 6).
    fn reply(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let reply = usize::from(*bytes.get(1)?);
        let (.., end) = match address(bytes) {
            Ok(found) => found?,
            Err(Unknown) => return Some(Step::Wrong),
        };
        let words = REPLIES.get(reply).copied().unwrap_or("failed");
        Some(self.answer(reply == 0, words, end, said))
    }

    fn old_reply(&mut self, bytes: &[u8], said: &mut Said) -> Option<Step> {
        let reply = *bytes.get(..8)?.get(1)?;
        let row = OLD_REPLIES.iter().find(|(known, _)| *known == reply);
        Some(match row {
            Some((_, words)) => self.answer(reply == OLD_SUCCESS, words, 8, said),
            None => Step::Wrong,
        })
    }

    fn answer(&mut self, worked: bool, words: &str, end: usize, said: &mut Said) -> Step {
        match worked {
            true => said.say(Kind::Answer(0), words),
            false => said.fail(Kind::Answer(0), words),
        }
        let through = self.asked.is_some_and(|it| it.1 == CONNECT);
        match worked && through {
            true => Step::Inside(end as u64, None),
            false => Step::Took(end as u64),
        }
    }
}

/// Bytes that make no sense.
struct Unknown;

/// A host, a port and where they end; nothing where more bytes are needed.
type Found = Result<Option<(String, u16, usize)>, Unknown>;

/// The address in a request or reply: what stands behind version, command and a zero.
fn address(bytes: &[u8]) -> Found {
    let [_, _, reserved, kind, rest @ ..] = bytes else {
        return Ok(None);
    };
    let length = match (*kind, rest) {
        (IPV4, _) => 4,
        (IPV6, _) => 16,
        (NAME, []) => return Ok(None),
        (NAME, [length, ..]) => 1 + usize::from(*length),
        _ => return Err(Unknown),
    };
    if *reserved != 0 {
        return Err(Unknown);
    }
    let Some((host, [high, low, ..])) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    let host = match *host {
        [a, b, c, d] if *kind == IPV4 => Ipv4Addr::new(a, b, c, d).to_string(),
        [_, ref name @ ..] if *kind == NAME => String::from_utf8_lossy(name).into_owned(),
        _ => match <[u8; 16]>::try_from(host) {
            Ok(bytes) => Ipv6Addr::from(bytes).to_string(),
            Err(_) => return Err(Unknown),
        },
    };
    Ok(Some((
        host,
        u16::from_be_bytes([*high, *low]),
        4 + length + 2,
    )))
}

/// A request of version 4: port, address, user id, and where the address is none (0.0.0.x), the host's name (4A).
fn old_request(bytes: &[u8]) -> Found {
    let [_, _, high, low, a, b, c, d, rest @ ..] = bytes else {
        return Ok(None);
    };
    let word = |from: usize| {
        let rest = rest.get(from..).unwrap_or_default();
        let end = rest.iter().take(WORD + 1).position(|byte| *byte == 0);
        let word = &rest[..end.unwrap_or(rest.len().min(WORD + 1))];
        match word.iter().all(u8::is_ascii_graphic) && word.len() <= WORD {
            true => Ok(end.map(|_| word)),
            false => Err(Unknown),
        }
    };
    let Some(user) = word(0)? else {
        return Ok(None);
    };
    let port = u16::from_be_bytes([*high, *low]);
    let mut end = 8 + user.len() + 1;
    let host = match (*a, *b, *c, *d) {
        (0, 0, 0, 1..) => {
            let Some(host) = word(user.len() + 1)? else {
                return Ok(None);
            };
            end += host.len() + 1;
            String::from_utf8_lossy(host).into_owned()
        }
        (0, ..) => return Err(Unknown),
        (a, b, c, d) => Ipv4Addr::new(a, b, c, d).to_string(),
    };
    match port != 0 && !host.is_empty() {
        true => Ok(Some((host, port, end))),
        false => Err(Unknown),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    /// As curl does with --proxy socks5h://me:hush@proxy.
    pub(in crate::protocol) fn dialogue() -> Dialogue {
        vec![
            out([5, 2, 0, 2]),
            back([5, 2]),
            out(b"\x01\x02me\x04hush"),
            back([1, 0]),
            out(b"\x05\x01\0\x03\x0bExample.com\0\x50"),
            back([5, 0, 0, 1, 10, 0, 0, 1, 0x9C, 0x40]),
            out("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        ]
    }

    #[test]
    fn through_a_proxy_with_a_login() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? SOCKS offers: without login, with user and password",
                "= SOCKS wants user and password",
                "? SOCKS user and password",
                "= SOCKS accepted",
                "? SOCKS CONNECT Example.com:80",
                "= SOCKS succeeded",
                "? HTTP GET /",
            ]
        );
        let shown = shown(&dialogue());
        assert!(
            !shown.contains("hush") && !shown.contains("me\x04"),
            "{shown}"
        );
    }

    #[test]
    fn what_does_not_work() {
        let heard = hear(&[
            out([5, 1, 0]),
            back([5, 0]),
            out([
                5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xBB,
            ]),
            back([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]),
        ]);
        assert_eq!(
            heard[2..],
            ["? SOCKS CONNECT [::1]:443", "=! SOCKS connection refused"]
        );
        assert_eq!(
            hear(&[out([5, 1, 0]), back([5, 0xFF])])[1],
            "=! SOCKS accepts none of these"
        );
        let heard = hear(&[
            out(b"\x04\x01\0\x50\0\0\0\x01me\0example.com\0"),
            back([0, 91, 0, 0, 0, 0, 0, 0]),
        ]);
        assert_eq!(
            heard,
            [
                "? SOCKS CONNECT example.com:80",
                "=! SOCKS rejected or failed"
            ]
        );
    }

    #[test]
    fn only_what_is_certain_is_recognised() {
        for (bytes, expected) in [
            (&b"\x05"[..], Guess::Perhaps),
            (b"\x05\x02\0", Guess::Perhaps),
            (b"\x05\x01\0", Guess::Client),
            (b"\x05\x01\0\0", Guess::No),
            (b"\x05\0", Guess::No),
            (b"\x05\x01\x20", Guess::No),
            (b"\x04\x01\0\x50\x7f\0\0\x01", Guess::Perhaps),
            (b"\x04\x01\0\x50\x7f\0\0\x01\0", Guess::Client),
            (b"\x04\x01\0\x50\x7f\0\0\x01\0x", Guess::No),
            (b"\x04\x01\0\x50\x7f\0\0\x01\x01", Guess::No),
        ] {
            assert_eq!(guess(bytes), expected, "{bytes:?}");
        }
        // A client that looked like one, but whose server says something else.
        assert_eq!(
            hear(&[out([5, 1, 0]), back("hello"), back([5, 0])]).len(),
            1
        );
    }
}
