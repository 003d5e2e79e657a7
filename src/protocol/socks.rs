//! SOCKS, version 5 (RFC 1928, RFC 1929) and version 4: to whom a proxy leads. What is inside is recognised anew.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step};

/// What a proxy of version 5 answers (RFC 1928 section 6), by its number.
const REPLIES: [&str; 9] = [
    "connected",
    "the proxy failed",
    "not allowed by its rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "timed out on the way",
    "command not supported",
    "kind of address not supported",
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Socks {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Methods are offered, or a request of version 4 is made.
    #[default]
    Offer,
    /// The server chooses one.
    Choice,
    /// User and password, and whether they are right.
    Login,
    LoggedIn,
    Request,
    Reply,
    Reply4,
}

/// Whether it begins as an offer of methods that ends where it says, or as a request of version 4.
pub fn guess(bytes: &[u8]) -> Guess {
    match bytes {
        [5] => Guess::Perhaps,
        [5, count @ 1..=10, methods @ ..] => match methods.len().cmp(&usize::from(*count)) {
            _ if methods.iter().any(|it| !matches!(it, 0..=9 | 0x80..)) => Guess::No,
            std::cmp::Ordering::Less => Guess::Perhaps,
            std::cmp::Ordering::Equal => Guess::Client,
            std::cmp::Ordering::Greater => Guess::No,
        },
        [4] => Guess::Perhaps,
        // The user's name ends with a NUL, and of version 4a a host's.
        [4, 1 | 2, rest @ ..] if rest.len() >= 7 && rest.ends_with(&[0]) => Guess::Client,
        [4, 1 | 2, rest @ ..] if rest.len() < 7 => Guess::Perhaps,
        _ => Guess::No,
    }
}

impl Sniffer for Socks {
    fn read(&mut self, from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        match (self.state, from, bytes) {
            (State::Offer, Side::Client, [5, count, methods @ ..]) => {
                let count = usize::from(*count);
                if methods.len() < count {
                    return Step::More;
                }
                self.state = State::Choice;
                Step::Took(2 + count as u64)
            }
            (State::Offer, Side::Client, [4, command, a, b, c, d, e, f, rest @ ..]) => {
                let port = u16::from_be_bytes([*a, *b]);
                let Some(user) = rest.iter().position(|byte| *byte == 0) else {
                    return Step::More;
                };
                let mut length = 8 + user as u64 + 1;
                let mut host = Ipv4Addr::new(*c, *d, *e, *f).to_string();
                if [*c, *d, *e] == [0; 3] && *f != 0 {
                    let name = &rest[user + 1..];
                    let Some(end) = name.iter().position(|byte| *byte == 0) else {
                        return Step::More;
                    };
                    host = String::from_utf8_lossy(&name[..end]).into_owned();
                    length += end as u64 + 1;
                }
                self.state = State::Reply4;
                ask(*command, host, port, said);
                Step::Took(length)
            }
            (State::Reply4, Side::Server, [0, code, rest @ ..]) => {
                if rest.len() < 6 {
                    return Step::More;
                }
                match *code {
                    90 => {
                        said.say(Kind::Answer(0), REPLIES[0]);
                        Step::Inside(8, None)
                    }
                    _ => {
                        said.fail(Kind::Answer(0), "refused or failed");
                        Step::Took(8)
                    }
                }
            }
            (State::Choice, Side::Server, [5, method, ..]) => {
                self.state = match method {
                    2 => State::Login,
                    0xFF => {
                        said.fail(Kind::Note, "no method of logging in is accepted");
                        return Step::Took(2);
                    }
                    _ => State::Request,
                };
                Step::Took(2)
            }
            (State::Login, Side::Client, [1, user, rest @ ..]) => {
                let user = usize::from(*user);
                let Some(password) = rest.get(user) else {
                    return Step::More;
                };
                let (start, length) = (2 + user + 1, usize::from(*password));
                if bytes.len() < start + length {
                    return Step::More;
                }
                said.hide(start..start + length);
                let name = String::from_utf8_lossy(&rest[..user]).into_owned();
                said.say(Kind::Note, format!("logs in as {name}"));
                self.state = State::LoggedIn;
                Step::Took((start + length) as u64)
            }
            (State::LoggedIn, Side::Server, [_, status, ..]) => {
                if *status != 0 {
                    said.fail(Kind::Note, "user or password is wrong");
                }
                self.state = State::Request;
                Step::Took(2)
            }
            (State::Request, Side::Client, [5, command, _, rest @ ..]) => match address(rest) {
                Some((host, port, length)) => {
                    self.state = State::Reply;
                    ask(*command, host, port, said);
                    Step::Took(3 + length as u64)
                }
                None => Step::More,
            },
            (State::Reply, Side::Server, [5, code, _, rest @ ..]) => match address(rest) {
                Some((.., length)) => {
                    let length = 3 + length as u64;
                    match REPLIES.get(usize::from(*code)) {
                        Some(words) if *code == 0 => {
                            said.say(Kind::Answer(0), *words);
                            Step::Inside(length, None)
                        }
                        words => {
                            said.fail(
                                Kind::Answer(0),
                                words.copied().unwrap_or("an unknown failure"),
                            );
                            Step::Took(length)
                        }
                    }
                }
                None => Step::More,
            },
            (_, _, bytes) if bytes.len() < 3 => Step::More,
            _ => Step::Lost,
        }
    }
}

fn ask(command: u8, host: String, port: u16, said: &mut Said) {
    let word = match command {
        1 => "connect to",
        2 => "wait for",
        _ => "send datagrams to",
    };
    let text = format!("{word} {host}:{port}");
    said.detail(Kind::Request(0), text, Detail::Name(host, Source::Proxy));
}

/// An address of a request or reply (RFC 1928 section 5), and how long it is; nothing where it isn't whole.
fn address(bytes: &[u8]) -> Option<(String, u16, usize)> {
    let (host, end) = match bytes {
        [1, a, b, c, d, ..] => (Ipv4Addr::new(*a, *b, *c, *d).to_string(), 5),
        [3, length, rest @ ..] => {
            let length = usize::from(*length);
            (
                String::from_utf8_lossy(rest.get(..length)?).into_owned(),
                2 + length,
            )
        }
        [4, rest @ ..] => (Ipv6Addr::from(*rest.first_chunk::<16>()?).to_string(), 17),
        _ => return None,
    };
    let port = bytes.get(end..end + 2)?;
    Some((host, u16::from_be_bytes([port[0], port[1]]), end + 2))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    pub fn dialogue() -> Dialogue {
        vec![
            out([5, 2, 0, 2]),
            back([5, 2]),
            out(b"\x01\x02me\x05hush!"),
            back([1, 0]),
            out(b"\x05\x01\0\x03\x08web.test\0\x50"),
            back([5, 0, 0, 1, 10, 0, 0, 1, 4, 0]),
            out("GET / HTTP/1.1\r\nHost: web.test\r\n\r\n"),
        ]
    }

    #[test]
    fn a_proxy_leads_on() {
        let dialogue = dialogue();
        assert_eq!(
            hear(&dialogue),
            [
                ". SOCKS logs in as me",
                "? SOCKS connect to web.test:80",
                "= SOCKS connected",
                "? HTTP GET /",
            ]
        );
        assert!(!shown(&dialogue).contains("hush"));
        let old = vec![
            out(b"\x04\x01\0\x50\0\0\0\x01me\0web.test\0"),
            back([0, 91, 0, 0, 0, 0, 0, 0]),
        ];
        assert_eq!(
            hear(&old),
            [
                "? SOCKS connect to web.test:80",
                "=! SOCKS refused or failed"
            ]
        );
    }
}
