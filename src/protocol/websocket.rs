//! WebSocket (RFC 6455), entered by an upgrade of HTTP: messages with their kind and size, short texts as they are.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest text that is quoted.
const QUOTED: usize = 40;

/// What a close says (section 7.4.1), by its number.
const CLOSES: &[(u16, &str)] = &[
    (1000, "normal"),
    (1001, "going away"),
    (1002, "protocol error"),
    (1003, "unsupported data"),
    (1007, "bad text"),
    (1008, "against the rules"),
    (1009, "too big"),
    (1010, "extension missing"),
    (1011, "server error"),
    (1012, "service restarts"),
    (1013, "try again later"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct WebSocket;

/// Nothing tells it by itself: only an upgrade leads here.
pub fn guess(_bytes: &[u8]) -> Guess {
    Guess::No
}

impl Sniffer for WebSocket {
    fn read(&mut self, _from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let [first, second, rest @ ..] = bytes else {
            return Step::More;
        };
        // Bits that are reserved, but the first for compression (RFC 7692), and kinds that do not exist.
        if first & 0x30 != 0 || matches!(first & 15, 3..=7 | 11..) {
            return Step::Lost;
        }
        let (length, after) = match (second & 127, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8)
            }
            (126 | 127, _) => return Step::More,
            (length, _) => (u64::from(length), 0),
        };
        let masked = second & 128 != 0;
        let mask = if masked { 4 } else { 0 };
        let Some(content) = rest.get(after + mask..) else {
            return Step::More;
        };
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(QUOTED);
        if content.len() < wanted && whole {
            return Step::More;
        }
        let mut shown = content[..content.len().min(wanted)].to_vec();
        if masked {
            let key = &rest[after..after + 4];
            shown
                .iter_mut()
                .zip(key.iter().cycle())
                .for_each(|(byte, key)| *byte ^= key);
        }
        let size = format!("{length} B");
        let compressed = first & 0x40 != 0;
        match first & 15 {
            1 if length <= QUOTED as u64 && !compressed => {
                said.say(
                    Kind::Note,
                    format!("text {}", String::from_utf8_lossy(&shown)),
                );
            }
            1 => said.say(Kind::Note, format!("text {size}")),
            2 => said.say(Kind::Note, format!("binary {size}")),
            8 => {
                let code = shown.first_chunk().map(|code| u16::from_be_bytes(*code));
                let words = CLOSES.iter().find(|(known, _)| Some(*known) == code);
                let text = match (code, words) {
                    (Some(code), Some((_, words))) => format!("close {code} {words}"),
                    (Some(code), None) => format!("close {code}"),
                    (None, _) => "close".into(),
                };
                match code.is_none_or(|code| matches!(code, 1000 | 1001)) {
                    true => said.say(Kind::Note, text),
                    false => said.fail(Kind::Note, text),
                }
            }
            9 => said.say(Kind::Request(0), "ping"),
            10 => said.say(Kind::Answer(0), "pong"),
            _ => {}
        }
        let header = 2 + after + mask;
        Step::Took((header as u64).saturating_add(length))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out};

    pub fn dialogue() -> Dialogue {
        vec![
            out(
                "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
            ),
            back("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
            out([&[0x81, 0x82, 1, 2, 3, 4][..], &[b'h' ^ 1, b'i' ^ 2]].concat()),
            back([&[0x82, 126, 1, 0][..], &[7; 256], &[0x89, 0]].concat()),
            out([0x8A, 0x80, 0, 0, 0, 0]),
            back([0x88, 2, 3, 0xEB]),
        ]
    }

    #[test]
    fn frames_after_the_upgrade() {
        let dialogue = dialogue();
        assert_eq!(
            hear(&dialogue),
            [
                "? HTTP GET /chat",
                "= HTTP 101 Switching Protocols",
                ". WebSocket text hi",
                ". WebSocket binary 256 B",
                "? WebSocket ping",
                "= WebSocket pong",
                ".! WebSocket close 1003 unsupported data",
            ]
        );
    }
}
