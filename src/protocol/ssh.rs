//! SSH (RFC 4253): who speaks which version, and how they agree on keys, until all is encrypted.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest line of identification (section 4.2), and what a server may say before it.
const LINE: usize = 255;
/// The longest packet (section 6.1).
const PACKET: u32 = 35_000;
/// SSH_MSG_KEXINIT and SSH_MSG_NEWKEYS (section 12).
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
/// The cookie in a KEXINIT (section 7.1).
const COOKIE: usize = 16;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Ssh {
    client: State,
    server: State,
    secured: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Line,
    Packets,
    Encrypted,
}

/// Whether it begins as the identification does.
pub fn guess(bytes: &[u8]) -> Guess {
    match Guess::starts(bytes, b"SSH-2.0-", Guess::Either) {
        Guess::No => Guess::starts(bytes, b"SSH-1.", Guess::Either),
        guess => guess,
    }
}

impl Sniffer for Ssh {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let state = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        match *state {
            State::Line => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    if bytes.starts_with(b"SSH-") {
                        *state = State::Packets;
                        let kind = match from {
                            Side::Client => Kind::Request(0),
                            Side::Server => Kind::Answer(0),
                        };
                        let text = said.text(bytes[4..end].trim_ascii_end(), 4);
                        said.say(kind, text);
                    }
                    Step::Took(end as u64 + 1)
                }
                None if bytes.len() <= LINE => Step::More,
                None => Step::Lost,
            },
            State::Packets => {
                let [a, b, c, d, padding, kind, rest @ ..] = bytes else {
                    return Step::More;
                };
                let length = u32::from_be_bytes([*a, *b, *c, *d]);
                if !(2..=PACKET).contains(&length) || u32::from(*padding) >= length {
                    *state = State::Encrypted;
                    return Step::Took(bytes.len() as u64);
                }
                match *kind {
                    KEXINIT => match kex(rest) {
                        Some(text) => said.say(Kind::Note, text),
                        None if whole => return Step::More,
                        None => {}
                    },
                    NEWKEYS => {
                        *state = State::Encrypted;
                        if !self.secured {
                            self.secured = true;
                            let detail = super::Detail::Secured;
                            said.detail(Kind::Note, "from here on encrypted", detail);
                        }
                    }
                    _ => {}
                }
                Step::Took(u64::from(length) + 4)
            }
            State::Encrypted => Step::Took(bytes.len() as u64),
        }
    }
}

/// The first wish of each list that matters: key exchange, host key, cipher.
fn kex(packet: &[u8]) -> Option<String> {
    let mut rest = packet.get(COOKIE..)?;
    let mut first = Vec::new();
    for _list in 0..3 {
        let (length, names) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let names = names
            .get(..length.min(names.len()))
            .filter(|it| it.len() == length)?;
        let end = names.iter().position(|byte| *byte == b',');
        first.push(String::from_utf8_lossy(&names[..end.unwrap_or(length)]).into_owned());
        rest = &rest[4 + length..];
    }
    Some(format!("prefers {}", first.join(", ")))
}
