//! MQTT, versions 3.1.1 and 5 (OASIS): who connects, what is published and subscribed to, and how it is acknowledged.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// How much of a packet is read; of a CONNECT, everything that is this long.
const READ: usize = 512;
const CONNECT_READ: usize = 8192;
/// The longest topic or name that is quoted.
const QUOTED: usize = 100;
/// How many topics of one packet are told.
const TOPICS: usize = 4;

// Types of packets (section 2.1.2 of both).
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
const UNSUBSCRIBE: u8 = 10;
const UNSUBACK: u8 = 11;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;
const AUTH: u8 = 15;

// The flags of a CONNECT (section 3.1.2.3).
const RESERVED: u8 = 1;
const WILL: u8 = 1 << 2;
const WILL_QOS: u8 = 3 << 3;
const WILL_RETAIN: u8 = 1 << 5;
const PASSWORD: u8 = 1 << 6;
const USER: u8 = 1 << 7;

/// The number of a server's own requests begins here: each side counts by itself, in 16 bits.
const SERVERS: u64 = 1 << 16;

/// How a version 3 server refuses (section 3.2.2.3 of version 3.1.1).
const REFUSALS: &[(u8, &str)] = &[
    (1, "this version is not supported"),
    (2, "the client identifier is not allowed"),
    (3, "the server is unavailable"),
    (4, "bad user name or password"),
    (5, "not authorized"),
];

/// Reason codes of version 5 (section 2.4) that tell of a failure.
const REASONS: &[(u8, &str)] = &[
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x83, "implementation specific error"),
    (0x84, "this version is not supported"),
    (0x85, "the client identifier is not valid"),
    (0x86, "bad user name or password"),
    (0x87, "not authorized"),
    (0x88, "the server is unavailable"),
    (0x89, "the server is busy"),
    (0x8A, "banned"),
    (0x8B, "the server shuts down"),
    (0x8C, "bad authentication method"),
    (0x8D, "nothing came in time (keep alive)"),
    (0x8E, "another connection took over the session"),
    (0x8F, "the topic filter is invalid"),
    (0x90, "the topic name is invalid"),
    (0x91, "the packet identifier is in use"),
    (0x92, "the packet identifier is unknown"),
    (0x93, "too many packets at once"),
    (0x94, "the topic alias is invalid"),
    (0x95, "the packet is too large"),
    (0x96, "too many messages"),
    (0x97, "a quota is exceeded"),
    (0x98, "an administrative action"),
    (0x99, "the payload's format is invalid"),
    (0x9A, "retaining is not supported"),
    (0x9B, "this quality of service is not supported"),
    (0x9C, "use another server"),
    (0x9D, "the server has moved"),
    (0x9E, "shared subscriptions are not supported"),
    (0x9F, "too many connections"),
    (0xA0, "the connection's time is over"),
    (0xA1, "subscription identifiers are not supported"),
    (0xA2, "wildcards are not supported"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Mqtt {
    /// Whether it is version 5, whose packets have properties.
    fifth: bool,
}

/// Whether it begins as a CONNECT does (section 3.1).
pub fn guess(bytes: &[u8]) -> Guess {
    let rest = match bytes {
        [CONNECT_BYTE, rest @ ..] => rest,
        [] => return Guess::Perhaps,
        _ => return Guess::No,
    };
    let (length, content) = match varint(rest) {
        Number::Is(length, taken) => (length, &rest[taken..]),
        Number::Cut => return Guess::Perhaps,
        Number::Wrong => return Guess::No,
    };
    // Name, version, flags, the time to keep alive and an empty client identifier.
    if length < 12 {
        return Guess::No;
    }
    for (start, version) in [(&b"\0\x04MQTT"[..], &[4, 5][..]), (b"\0\x06MQIsdp", &[3])] {
        match Guess::starts(content, start, Guess::Client) {
            Guess::No => continue,
            Guess::Client => {}
            guess => return guess,
        }
        return match content[start.len()..] {
            [level, ..] if !version.contains(&level) => Guess::No,
            [level, flags, ..] => match are_sane(level, flags) {
                true => Guess::Client,
                false => Guess::No,
            },
            _ => Guess::Perhaps,
        };
    }
    Guess::No
}

/// A CONNECT's first byte: its type, and flags that are zero.
const CONNECT_BYTE: u8 = CONNECT << 4;

fn are_sane(level: u8, flags: u8) -> bool {
    let will = flags & WILL != 0 || flags & (WILL_QOS | WILL_RETAIN) == 0;
    // A password without a user came with version 5 (section 3.1.2.9).
    let password = level == 5 || flags & PASSWORD == 0 || flags & USER != 0;
    flags & RESERVED == 0 && flags & WILL_QOS != WILL_QOS && will && password
}

impl Sniffer for Mqtt {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let first = bytes[0];
        let (length, start) = match varint(&bytes[1..]) {
            Number::Is(length, taken) => (length as usize, 1 + taken),
            Number::Cut => return Step::More,
            Number::Wrong => return Step::Lost,
        };
        let (kind, flags) = (first >> 4, first & 15);
        if !fits(kind, flags) {
            return Step::Lost;
        }
        let there = bytes.len().min(start + length);
        let content = &bytes[start..there];
        let mut packet = Packet {
            bytes: content,
            at: start,
        };
        // What is secret is hidden as it comes.
        match kind {
            CONNECT => hide(packet, said),
            AUTH => said.hide(start..there),
            _ => {}
        }
        let enough = length.min(match kind {
            CONNECT | AUTH => CONNECT_READ,
            _ => READ,
        });
        if whole && content.len() < enough {
            return Step::More;
        }
        packet.bytes = &content[..content.len().min(enough)];
        self.packet(from, kind, flags, packet, length, said);
        Step::Took((start + length) as u64)
    }
}

impl Mqtt {
    fn packet(
        &mut self,
        from: Side,
        kind: u8,
        flags: u8,
        mut packet: Packet<'_>,
        length: usize,
        said: &mut Said,
    ) -> Option<()> {
        match kind {
            CONNECT => {
                let connect = Connect::read(&mut packet)?;
                self.fifth = connect.version == 5;
                let mut text = String::from("CONNECT");
                // Without a name of its own it gets one from the server.
                if !connect.client.bytes.is_empty() {
                    text.push_str(&format!(" {}", connect.client.text(said)));
                }
                if let Some(user) = connect.user {
                    text.push_str(&format!(" user={}", user.text(said)));
                }
                said.say(Kind::Request(0), text);
            }
            CONNACK => {
                let (_session, code) = (packet.byte()?, packet.byte()?);
                match code {
                    0 => said.say(Kind::Answer(0), "accepted"),
                    _ => said.fail(Kind::Answer(0), reason(code)),
                }
            }
            PUBLISH => {
                let topic = packet.text()?;
                let quality = flags >> 1 & 3;
                let id = match quality {
                    0 => None,
                    _ => Some(packet.word()?),
                };
                let start = topic.bytes.len() + 2 + if id.is_some() { 2 } else { 0 };
                let properties = if self.fifth { packet.properties()? } else { 0 };
                let size = length.saturating_sub(start + properties);
                let topic = match topic.bytes {
                    // Version 5 has numbers for those that were named before (section 3.3.2.3.4).
                    [] => "to an alias".into(),
                    _ => topic.text(said),
                };
                let kind = match id {
                    Some(id) => Kind::Request(number(from, id)),
                    None => Kind::Note,
                };
                said.say(kind, format!("PUBLISH {topic}, {size} B"));
            }
            SUBSCRIBE | UNSUBSCRIBE => {
                let id = packet.word()?;
                if self.fifth {
                    packet.properties()?;
                }
                let (mut topics, mut count) = (Vec::new(), 0);
                while let Some(topic) = packet.text() {
                    if topics.len() < TOPICS {
                        topics.push(topic.text(said));
                    }
                    count += 1;
                    if kind == SUBSCRIBE {
                        packet.byte();
                    }
                }
                let more = match count > TOPICS {
                    true => ", …",
                    false => "",
                };
                let name = if kind == SUBSCRIBE {
                    "SUBSCRIBE"
                } else {
                    "UNSUBSCRIBE"
                };
                let text = format!("{name} {}{more}", topics.join(", "));
                said.say(Kind::Request(number(from, id)), text);
            }
            SUBACK | UNSUBACK => {
                let id = Kind::Answer(number(from.other(), packet.word()?));
                if self.fifth {
                    packet.properties()?;
                }
                let failed = packet.bytes.iter().find(|code| **code >= 0x80);
                match (failed, packet.bytes.first()) {
                    (Some(code), _) => said.fail(id, reason(*code)),
                    (None, Some(quality)) if kind == SUBACK => {
                        said.say(id, format!("granted, quality of service {quality}"));
                    }
                    _ => said.say(id, "done"),
                }
            }
            PUBACK | PUBREC | PUBCOMP => {
                let id = Kind::Answer(number(from.other(), packet.word()?));
                match packet.byte().filter(|code| *code >= 0x80) {
                    Some(code) => said.fail(id, reason(code)),
                    // It goes on with PUBREL and PUBCOMP.
                    None if kind == PUBREC => {}
                    None => said.say(id, "received"),
                }
            }
            DISCONNECT => match packet.byte().filter(|code| *code >= 0x80) {
                Some(code) => said.fail(Kind::Note, format!("DISCONNECT: {}", reason(code))),
                None => said.say(Kind::Note, "DISCONNECT"),
            },
            AUTH => said.say(Kind::Note, "AUTH"),
            _ => {}
        }
        Some(())
    }
}

/// Whether a packet has that type and flags (section 2.1.3).
fn fits(kind: u8, flags: u8) -> bool {
    match kind {
        PUBLISH => flags & 6 != 6,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => flags == 2,
        CONNECT | CONNACK | PUBACK | PUBREC | PUBCOMP | SUBACK | UNSUBACK | PINGREQ | PINGRESP
        | DISCONNECT | AUTH => flags == 0,
        _ => false,
    }
}

/// The number of a request that one side has made.
fn number(from: Side, id: u16) -> u64 {
    match from {
        Side::Client => id.into(),
        Side::Server => SERVERS + u64::from(id),
    }
}

fn reason(code: u8) -> String {
    let rows = if code < 0x80 { REFUSALS } else { REASONS };
    match rows.iter().find(|(known, _)| *known == code) {
        Some((_, words)) => (*words).to_owned(),
        None => format!("reason {code:#04x}"),
    }
}

/// What a CONNECT says of the client.
struct Connect<'a> {
    version: u8,
    client: Text<'a>,
    user: Option<Text<'a>>,
}

impl<'a> Connect<'a> {
    /// Reads it up to the user's name; what is left of the packet is the password.
    fn read(packet: &mut Packet<'a>) -> Option<Self> {
        packet.text()?;
        let (version, flags) = (packet.byte()?, packet.byte()?);
        packet.word()?;
        if version == 5 {
            packet.properties()?;
        }
        let client = packet.text()?;
        if flags & WILL != 0 {
            if version == 5 {
                packet.properties()?;
            }
            packet.text()?;
            packet.text()?;
        }
        let user = match flags & USER {
            0 => None,
            _ => Some(packet.text()?),
        };
        Some(Self {
            version,
            client,
            user,
        })
    }
}

/// Hides the password of a CONNECT, and in version 5 what authenticates in its properties (section 3.1.2.11.10).
fn hide(mut packet: Packet<'_>, said: &mut Said) {
    let mut front = Packet { ..packet };
    let head = front
        .text()
        .and_then(|_| front.byte().zip(front.byte()).zip(front.word()));
    if let Some(((5, _), _)) = head
        && let Number::Is(length, taken) = varint(front.bytes)
    {
        let there = (length as usize).min(front.bytes.len() - taken);
        let start = front.at + taken;
        authentication(&front.bytes[taken..taken + there], start, said);
    }
    if Connect::read(&mut packet).is_some() {
        said.hide(packet.at..packet.at + packet.bytes.len());
    }
}

/// Hides the authentication data among a CONNECT's properties (section 2.2.2.2), which stand at `at`.
fn authentication(properties: &[u8], at: usize, said: &mut Said) {
    let mut packet = Packet {
        bytes: properties,
        at,
    };
    while let Some(kind) = packet.byte() {
        let start = packet.at;
        let left = packet.bytes.len();
        let read = match kind {
            0x11 | 0x27 => packet.take(4).map(drop),
            0x21 | 0x22 => packet.take(2).map(drop),
            0x17 | 0x19 => packet.take(1).map(drop),
            0x15 => packet.text().map(drop),
            0x26 => packet.text().and_then(|_| packet.text()).map(drop),
            _ => None,
        };
        // What authenticates, what is cut and what is unknown.
        if read.is_none() {
            return said.hide(start..start + left);
        }
    }
}

/// What of a packet is not read yet, and where it stands.
#[derive(Clone, Copy)]
struct Packet<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A text, and where it stands.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn text(self, said: &Said) -> String {
        said.text(&self.bytes[..self.bytes.len().min(QUOTED)], self.at)
    }
}

impl<'a> Packet<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        (self.bytes, self.at) = (rest, self.at + count);
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    /// With its length before it (section 1.5.4 of version 5).
    fn text(&mut self) -> Option<Text<'a>> {
        let mut rest = *self;
        let length = rest.word()?;
        let at = rest.at;
        let bytes = rest.take(length.into())?;
        *self = rest;
        Some(Text { bytes, at })
    }

    /// Skips properties: how many bytes they took.
    fn properties(&mut self) -> Option<usize> {
        let Number::Is(length, taken) = varint(self.bytes) else {
            return None;
        };
        let length = taken + length as usize;
        self.take(length).map(|_| length)
    }
}

/// A number of one to four bytes, and how many those are (section 1.5.5 of version 5).
enum Number {
    Is(u32, usize),
    Cut,
    Wrong,
}

fn varint(bytes: &[u8]) -> Number {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        number |= u32::from(byte & 0x7F) << (7 * at);
        if *byte < 0x80 {
            return Number::Is(number, at + 1);
        }
    }
    if bytes.len() < 4 {
        Number::Cut
    } else {
        Number::Wrong
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    /// What mosquitto's programs say to each other in version 3.1.1.
    pub fn dialogue() -> Dialogue {
        let mut publish = b"\x34\xD8\x09\0\x08home/log\0\x02".to_vec();
        publish.extend([b'x'; 1240 - 12]);
        vec![
            out(b"\x10\x24\0\x04MQTT\x04\xC2\0\x3C\0\x08sensor-1\0\x05alice\0\x07hunter2"),
            back(b"\x20\x02\0\0"),
            out(b"\x82\x19\0\x01\0\x06home/#\x01\0\x0Btest/+/temp\0"),
            back(b"\x90\x04\0\x01\x01\0"),
            out(b"\x30\x0D\0\x09home/temp20\xC0\0"),
            out(publish),
            back(b"\xD0\0\x50\x02\0\x02\x32\x0D\0\x07home/on\0\x02on"),
            out(b"\x62\x02\0\x02\x40\x02\0\x02"),
            back(b"\x70\x02\0\x02"),
            out(b"\xA2\x0A\0\x03\0\x06home/#"),
            back(b"\xB0\x02\0\x03"),
            out(b"\xE0\0"),
        ]
    }

    #[test]
    fn publishing_and_subscribing() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? MQTT CONNECT sensor-1 user=alice",
                "= MQTT accepted",
                "? MQTT SUBSCRIBE home/#, test/+/temp",
                "= MQTT granted, quality of service 1",
                ". MQTT PUBLISH home/temp, 2 B",
                "? MQTT PUBLISH home/log, 1228 B",
                "? MQTT PUBLISH home/on, 2 B",
                "= MQTT received",
                "= MQTT received",
                "? MQTT UNSUBSCRIBE home/#",
                "= MQTT done",
                ". MQTT DISCONNECT",
            ]
        );
        assert!(!shown(&dialogue()).contains("hunter2"));
    }

    #[test]
    fn version_5_has_properties_and_reasons() {
        let dialogue = [
            // Session expiry, authentication method and data; a will with a delay; user and password.
            out(b"\x10\x39\0\x04MQTT\x05\xC6\0\x3C\x16\x11\0\0\0\x0A\x15\0\x05TOKEN\x16\0\x06sesame\0\x03cli\x05\x18\0\0\0\x01\0\x01w\0\x01x\0\x01u\0\x02pw"),
            back(b"\x20\x03\0\x87\0"),
            out(b"\x82\x0A\0\x07\0\0\x04test\x02"),
            back(b"\x90\x04\0\x07\0\x87"),
            out(b"\x32\x0B\0\x01t\0\x09\x03\x23\0\x01hi"),
            back(b"\x40\x04\0\x09\x97\0"),
            back(b"\xE0\x01\x8B"),
        ];
        assert_eq!(
            hear(&dialogue),
            [
                "? MQTT CONNECT cli user=u",
                "=! MQTT not authorized",
                "? MQTT SUBSCRIBE test",
                "=! MQTT not authorized",
                "? MQTT PUBLISH t, 2 B",
                "=! MQTT a quota is exceeded",
                ".! MQTT DISCONNECT: the server shuts down",
            ]
        );
        let shown = shown(&dialogue);
        assert!(
            !shown.contains("sesame") && !shown.contains("pw"),
            "{shown}"
        );
        assert!(shown.contains("TOKEN"), "{shown}");
    }

    #[test]
    fn refused_in_version_3() {
        let heard = hear(&[
            out(b"\x10\x0C\0\x04MQTT\x04\x02\0\x3C\0\0"),
            back(b"\x20\x02\0\x05"),
        ]);
        assert_eq!(heard, ["? MQTT CONNECT", "=! MQTT not authorized"]);
    }

    #[test]
    fn passwords_are_hidden_in_pieces() {
        let (_, whole) = dialogue().remove(0);
        let pieces: Vec<_> = whole.chunks(5).map(out).collect();
        let shown = shown(&pieces);
        assert!(shown.ends_with("alice*********"), "{shown}");
    }

    #[test]
    fn other_bytes_are_not_its() {
        for bytes in [
            &b"\x10\x0B\0\x04MQTT\x04\x02\0\x3C\0\0"[..],
            b"\x11\x0C\0\x04MQTT\x04\x02\0\x3C\0\0",
            b"\x10\x0C\0\x04MQTT\x06\x02\0\x3C\0\0",
            b"\x10\x0C\0\x04MQTT\x04\x03\0\x3C\0\0",
            b"\x10\x0C\0\x04MQTT\x04\x18\0\x3C\0\0",
            b"\x10\x0C\0\x04MQTT\x04\x40\0\x3C\0\0",
            b"\x10\x0C\0\x04MQTX",
            b"\x10\x80\x80\x80\x80\x01",
            b"\x10\x0C\0\x06MQIsdp\x04",
            b"\x30\x0D\0\x09home/temp20",
        ] {
            assert_eq!(guess(bytes), Guess::No, "{bytes:?}");
        }
        assert_eq!(guess(b"\x10\x8C"), Guess::Perhaps);
        assert_eq!(guess(b"\x10\x0C\0\x04MQTT\x04"), Guess::Perhaps);
        assert_eq!(guess(b"\x10\x0E\0\x06MQIsdp\x03\x02"), Guess::Client);
    }
}
