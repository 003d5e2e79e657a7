//! WebSocket (RFC 6455), once HTTP has been left for it: messages, pings, and how it closes.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step, secret};

/// How many characters of a text are told, and how many bytes they take at most.
const QUOTED: usize = 40;
const QUOTED_BYTES: usize = 4 * QUOTED;
/// The longest frame that controls (section 5.5).
const CONTROL: u64 = 125;

// The bits and kinds in a frame's first byte (section 5.2).
const FIN: u8 = 0x80;
/// The first reserved bit: the message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Why a connection closes (section 7.4.1, and what was registered since), and whether in order.
const CODES: &[(u16, &str, bool)] = &[
    (1000, "normal", true),
    (1001, "going away", true),
    (1002, "protocol error", false),
    (1003, "unsupported data", false),
    (1007, "inconsistent data", false),
    (1008, "policy violation", false),
    (1009, "message too big", false),
    (1010, "an extension is missing", false),
    (1011, "internal error", false),
    (1012, "service restarts", false),
    (1013, "try again later", false),
    (1014, "bad gateway", false),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct WebSocket {}

/// Never: what comes first is HTTP.
pub fn guess(_bytes: &[u8]) -> Guess {
    Guess::No
}

/// A frame's header.
struct Header {
    first: u8,
    /// The payload's length, and where it begins.
    length: u64,
    start: usize,
    mask: Option<[u8; 4]>,
}

impl Header {
    /// The header at the beginning; nothing where more bytes are needed.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (length, start) = match second & 0x7F {
            126 => {
                let (length, _) = rest.split_first_chunk::<2>()?;
                (u64::from(u16::from_be_bytes(*length)), 4)
            }
            127 => {
                let (length, _) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*length), 10)
            }
            short => (u64::from(short), 2),
        };
        let mask = match second & 0x80 {
            0 => None,
            _ => Some(*bytes.get(start..)?.split_first_chunk::<4>()?.0),
        };
        Some(Self {
            first: *first,
            length,
            start: start + mask.map_or(0, |mask| mask.len()),
            mask,
        })
    }

    fn kind(&self) -> u8 {
        self.first & 0xF
    }

    fn controls(&self) -> bool {
        self.kind() >= CLOSE
    }

    fn makes_sense(&self, from: Side) -> bool {
        let known = matches!(self.kind(), CONTINUATION..=BINARY | CLOSE..=PONG);
        // Clients mask, servers never do (section 5.1).
        let masked = self.mask.is_some() == (from == Side::Client);
        let compact = !self.controls()
            || (self.length <= CONTROL && self.first & FIN != 0 && self.first & COMPRESSED == 0);
        known && masked && compact && self.first & RESERVED == 0 && self.length >> 63 == 0
    }

    /// The payload, as far as it is there and told, without its mask.
    fn payload(&self, bytes: &[u8]) -> Vec<u8> {
        let there = bytes.get(self.start..).unwrap_or_default();
        let told = usize::try_from(self.told()).unwrap_or(0).min(there.len());
        let mask = self.mask.unwrap_or_default().into_iter().cycle();
        there[..told].iter().zip(mask).map(|(a, b)| a ^ b).collect()
    }

    /// How much of the payload matters.
    fn told(&self) -> u64 {
        match self.kind() {
            CLOSE => self.length,
            TEXT if self.first & COMPRESSED == 0 => self.length.min(QUOTED_BYTES as u64),
            _ => 0,
        }
    }
}

impl Sniffer for WebSocket {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some(header) = Header::read(bytes) else {
            return Step::More;
        };
        if !header.makes_sense(from) {
            return Step::Lost;
        }
        let payload = header.payload(bytes);
        if whole && (payload.len() as u64) < header.told() {
            return Step::More;
        }
        match header.kind() {
            PING => said.say(Kind::Note, "ping"),
            PONG => said.say(Kind::Note, "pong"),
            CLOSE => close(&payload, said),
            _ => said.say(Kind::Note, message(&header, &payload)),
        }
        Step::Took((header.start as u64).saturating_add(header.length))
    }
}

/// A message, or a part of one (section 5.4).
fn message(header: &Header, payload: &[u8]) -> String {
    let kind = match header.kind() {
        TEXT => "text",
        BINARY => "binary",
        _ => "continued",
    };
    let mut text = format!("{kind} {} B", header.length);
    if header.first & COMPRESSED != 0 {
        text.push_str(", compressed");
    }
    match (header.first & FIN != 0, header.kind()) {
        (true, CONTINUATION) => text.push_str(", the end"),
        (false, TEXT | BINARY) => text.push_str(", more follows"),
        _ => {}
    }
    // Who reads only the data doesn't see through the mask: nor may the words betray a secret.
    if !payload.is_empty() && !secret::is_mentioned(payload) {
        let words = String::from_utf8_lossy(payload);
        let quoted: String = words.chars().take(QUOTED).collect();
        let cut = quoted.len() < words.len() || (payload.len() as u64) < header.length;
        let more = if cut { "…" } else { "" };
        text.push_str(&format!(": {quoted}{more}"));
    }
    text
}

/// The end: a code and a reason, both of which may be missing (section 5.5.1).
fn close(payload: &[u8], said: &mut Said) {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return said.say(Kind::Note, "close");
    };
    let code = u16::from_be_bytes(*code);
    let row = CODES.iter().find(|(known, ..)| *known == code);
    let mut text = format!("close {code}");
    if let Some((_, words, _)) = row {
        text.push_str(&format!(" {words}"));
    }
    if !reason.is_empty() && !secret::is_mentioned(reason) {
        text.push_str(&format!(": {}", String::from_utf8_lossy(reason)));
    }
    // What the codes from 3000 on mean, only the programs know.
    match row.map_or(code >= 3000, |(.., in_order)| *in_order) {
        true => said.say(Kind::Note, text),
        false => said.fail(Kind::Note, text),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out};

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        bytes
    }

    /// How HTTP is left (RFC 6455 section 1.2).
    fn upgrade() -> Dialogue {
        vec![
            out(
                "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            ),
            back(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            ),
        ]
    }

    pub(in crate::protocol) fn dialogue() -> Dialogue {
        let long = [&[0x81, 126, 1, 0][..], &[b'x'; 256]].concat();
        let mut dialogue = upgrade();
        dialogue.extend([
            // The examples of section 5.7, among them two fragments.
            back(b"\x81\x05Hello"),
            out(masked(0x81, b"Hello")),
            back(b"\x01\x03Hel\x80\x02lo"),
            back(b"\x89\x05Hello"),
            out(masked(0x8A, b"Hello")),
            back([&long[..], b"\x82\x05\x01\x02\x03\x04\x05"].concat()),
            out(masked(0x81, br#"{"token":"hush"}"#)),
            back(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
            out(masked(0x88, b"\x03\xe8")),
            back(b"\x88\x06\x03\xf3oops"),
        ]);
        dialogue
    }

    #[test]
    fn messages_and_the_end() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? HTTP GET /chat",
                "= HTTP 101 Switching Protocols",
                ". WebSocket text 5 B: Hello",
                ". WebSocket text 5 B: Hello",
                ". WebSocket text 3 B, more follows: Hel",
                ". WebSocket continued 2 B, the end",
                ". WebSocket ping",
                ". WebSocket pong",
                ". WebSocket text 256 B: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…",
                ". WebSocket binary 5 B",
                ". WebSocket text 16 B",
                ". WebSocket text 7 B, compressed",
                ". WebSocket close 1000 normal",
                ".! WebSocket close 1011 internal error: oops",
            ]
        );
    }

    #[test]
    fn what_no_peer_sends_says_nothing() {
        for bytes in [
            &b"\x81\x05Hello"[..],
            b"\x83\x80\0\0\0\0",
            b"\xa1\x80\0\0\0\0",
            b"\x09\x80\0\0\0\0",
            b"\x89\xfe\0\x7e\0\0\0\0",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        ] {
            let mut dialogue = upgrade();
            dialogue.push(out(bytes));
            assert_eq!(hear(&dialogue).len(), 2, "{bytes:?}");
        }
    }
}
