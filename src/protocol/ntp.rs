//! NTP, versions 3 and 4 (RFC 5905): who asks for the time, and how good a clock answers.

use std::net::Ipv4Addr;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// A packet without extensions (section 7.3), in bytes.
const PACKET: usize = 48;
/// Codes that authenticate a packet, by MD5 and by SHA-1, with their keys' number.
const CODES: &[usize] = &[20, 24];
/// The shortest extension field (RFC 7822 section 3).
const EXTENSION: usize = 16;
/// The longest distance to a clock that is believed, in seconds.
const DISTANCE: u16 = 32;
/// The stratum of a clock that is not set (section 7.3).
const UNSYNCHRONIZED: u8 = 16;
/// The leap indicator of the same.
const ALARM: u8 = 3;

// Modes (section 7.3).
const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// Why a server does not answer (section 7.4), by its kiss code.
const KISSES: &[(&[u8], &str)] = &[
    (b"ACST", "it belongs to an anycast server"),
    (b"AUTH", "authentication failed"),
    (b"AUTO", "autokey failed"),
    (b"BCST", "it belongs to a broadcast server"),
    (b"CRYP", "cryptography failed"),
    (b"DENY", "access denied"),
    (b"DROP", "it lost its peer"),
    (b"INIT", "it is not set yet"),
    (b"MCST", "it belongs to a multicast server"),
    (b"NKEY", "no such key"),
    (b"NTSN", "the cookie is not accepted"),
    (b"RATE", "asked too often"),
    (b"RMOT", "changed from afar"),
    (b"RSTR", "access denied by its rules"),
    (b"STEP", "its clock was stepped"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Ntp;

/// A packet, as far as it matters.
struct Packet {
    leap: u8,
    version: u8,
    mode: u8,
    stratum: u8,
    reference: [u8; 4],
    origin: u64,
    receive: u64,
    transmit: u64,
}

impl Packet {
    /// Reads what is a packet for certain: one of a client or a server, with fields that can be.
    fn read(bytes: &[u8]) -> Option<Self> {
        let packet = bytes.first_chunk::<PACKET>()?;
        let [first, stratum, poll, precision, ..] = *packet;
        let long = |at: usize| {
            let bytes = packet.get(at..)?.first_chunk()?;
            Some(u64::from_be_bytes(*bytes))
        };
        let short = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let it = Self {
            leap: first >> 6,
            version: first >> 3 & 7,
            mode: first & 7,
            stratum,
            reference: *packet[12..].first_chunk()?,
            origin: long(24)?,
            receive: long(32)?,
            transmit: long(40)?,
        };
        // What is signed in the packet: powers of two, in seconds.
        let (poll, precision) = (i8::from_be_bytes([poll]), i8::from_be_bytes([precision]));
        let sane = matches!(it.version, 3 | 4)
            && stratum <= UNSYNCHRONIZED
            && (-8..=17).contains(&poll)
            && (-32..=32).contains(&precision)
            && short(4) < DISTANCE
            && short(8) < DISTANCE
            && is_tail(&bytes[PACKET..]);
        let role = match it.mode {
            // The least that is sent as a question: the first byte and zeros, or those and the time.
            CLIENT => it.leap == 0 || it.leap == ALARM,
            // It repeats the question's time and gives its own, of receiving and answering, close to each other.
            SERVER => {
                let apart = (it.transmit >> 32).abs_diff(it.receive >> 32);
                it.transmit != 0 && it.receive != 0 && apart < 1 << 8
            }
            _ => false,
        };
        (sane && role).then_some(it)
    }
}

/// Whether what follows the fields can follow them: extension fields (RFC 7822), or a code that authenticates.
fn is_tail(mut bytes: &[u8]) -> bool {
    loop {
        let left = bytes.len();
        if left == 0 || CODES.contains(&left) {
            return true;
        }
        let [_, _, a, b, ..] = bytes else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([*a, *b]));
        if length < EXTENSION || length % 4 != 0 || length > left {
            return false;
        }
        bytes = &bytes[length..];
    }
}

/// Whether a datagram is a packet, by all of its fields.
pub fn guess(bytes: &[u8]) -> Guess {
    match Packet::read(bytes) {
        Some(packet) if packet.mode == CLIENT => Guess::Client,
        Some(_) => Guess::Server,
        None => Guess::No,
    }
}

impl Sniffer for Ntp {
    fn read(&mut self, _from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        let Some(packet) = Packet::read(bytes) else {
            return Step::Lost;
        };
        if packet.mode == CLIENT {
            let text = format!("what time is it? (version {})", packet.version);
            said.say(Kind::Request(packet.transmit), text);
        } else {
            answer(&packet, said);
        }
        Step::Took(bytes.len() as u64)
    }
}

fn answer(packet: &Packet, said: &mut Said) {
    let kind = Kind::Answer(packet.origin);
    let letters = || {
        let letters = packet.reference.iter().take_while(|byte| **byte != 0);
        let letters: String = letters.map(|byte| char::from(*byte)).collect();
        letters.trim_end().to_owned()
    };
    match packet.stratum {
        0 => {
            let known = KISSES.iter().find(|(code, _)| *code == packet.reference);
            let text = match known {
                Some((_, words)) => format!("no time: {words} ({})", letters()),
                None => format!("no time: {}", letters()),
            };
            said.fail(kind, text);
        }
        UNSYNCHRONIZED => said.fail(kind, "no time: its clock is not set"),
        _ if packet.leap == ALARM => said.fail(kind, "no time: its clock is not set"),
        1 => said.say(kind, format!("stratum 1, reference {}", letters())),
        // An address, or of version 6 of IP a part of its digest.
        stratum => {
            let reference = Ipv4Addr::from(packet.reference);
            said.say(kind, format!("stratum {stratum}, reference {reference}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Carrier;
    use crate::protocol::tests::{back, hear_by, out};

    /// A question of systemd-timesyncd: version 4, its time in the last field.
    fn question() -> Vec<u8> {
        let mut bytes = vec![0; PACKET];
        bytes[0] = 0x23;
        bytes[40..].copy_from_slice(&[0xEB, 1, 2, 3, 4, 5, 6, 7]);
        bytes
    }

    /// The answer of a server of that stratum and reference.
    fn response(stratum: u8, reference: &[u8; 4]) -> Vec<u8> {
        let mut bytes = vec![0x24, stratum, 3, 0xE9, 0, 0, 0x0C, 0x1A, 0, 0, 3, 0x2F];
        bytes.extend(reference);
        bytes.extend([0xEB, 1, 2, 0, 0, 0, 0, 0]);
        bytes.extend(&question()[40..]);
        bytes.extend([0xEB, 1, 2, 3, 8, 0, 0, 0]);
        bytes.extend([0xEB, 1, 2, 3, 9, 0, 0, 0]);
        bytes
    }

    #[test]
    fn questions_and_answers() {
        let mut unset = response(2, &[192, 0, 2, 1]);
        unset[0] |= ALARM << 6;
        let heard = hear_by(
            Carrier::Datagram,
            &[
                out(question()),
                back(response(2, &[192, 0, 2, 1])),
                back(response(1, b"GPS\0")),
                back(response(0, b"RATE")),
                back(response(16, b"\0\0\0\0")),
                back(unset),
                // What a line of Python asks.
                out([b"\x1B", &[0; 47][..]].concat()),
                back(b"\x24"),
            ],
        );
        assert_eq!(
            heard,
            [
                "? NTP what time is it? (version 4)",
                "= NTP stratum 2, reference 192.0.2.1",
                "= NTP stratum 1, reference GPS",
                "=! NTP no time: asked too often (RATE)",
                "=! NTP no time: its clock is not set",
                "=! NTP no time: its clock is not set",
                "? NTP what time is it? (version 3)",
            ]
        );
    }

    #[test]
    fn answers_repeat_the_number_of_their_question() {
        let mut said = Said::default();
        Ntp.read(Side::Client, &question(), true, &mut said);
        Ntp.read(Side::Server, &response(1, b"PPS\0"), true, &mut said);
        let kinds: Vec<Kind> = said.messages.iter().map(|it| it.kind).collect();
        let number = 0xEB01_0203_0405_0607;
        assert_eq!(kinds, [Kind::Request(number), Kind::Answer(number)]);
    }

    #[test]
    fn other_datagrams_are_not_its() {
        let sizes = |more: &[u8]| guess(&[&question(), more].concat());
        assert_eq!(guess(&question()[..47]), Guess::No);
        assert_eq!(sizes(&[0]), Guess::No);
        assert_eq!(sizes(&[1; 20]), Guess::Client);
        assert_eq!(sizes(&[1; 28]), Guess::No);
        // A unique identifier of NTS (RFC 8915 section 5.3), and what is longer than what is there.
        let unique = [&[1, 4, 0, 36][..], &[7; 32]].concat();
        assert_eq!(sizes(&unique), Guess::Client);
        assert_eq!(sizes(&unique[..32]), Guess::No);
        for (at, byte) in [
            (0, 0x13), // Version 2.
            (0, 0x63), // A leap second, of a client.
            (0, 0x26), // A mode that is not read.
            (1, 17),   // The stratum.
            (2, 18),   // The poll interval.
            (3, 0x80), // The precision.
            (4, 1),    // The distance.
            (8, 0xFF),
        ] {
            let mut bytes = question();
            bytes[at] = byte;
            assert_eq!(guess(&bytes), Guess::No, "{at} {byte}");
        }
        let mut late = response(1, b"GPS\0");
        late[34] ^= 1;
        assert_eq!(guess(&late), Guess::No);
    }
}
