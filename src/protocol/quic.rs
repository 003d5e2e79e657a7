//! QUIC, versions 1 and 2 (RFC 9000, RFC 9369): how a connection begins. What is behind the handshake stays closed.
//!
//! Everybody on the way can read the first packets: their keys follow from what stands in them (RFC 9001 section 5.2). Whether
//! they are genuine is not checked, as nothing depends on it: what doesn't consist of frames is passed over.

use std::ops::Range;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use super::said::{Detail, Kind, Said};
use super::{Guess, Side, Sniffer, Step, tls};

// The bits of a packet's first byte (RFC 9000 section 17).
const LONG: u8 = 0x80;
const FIXED: u8 = 0x40;
const RESERVED: u8 = 0x0C;

/// The longest connection id, and the shortest that a client makes up for its server (sections 17.2 and 7.2).
const ID: usize = 20;
const FIRST_ID: usize = 8;
/// What authenticates a packet, at its end (RFC 9001 section 5.3).
const TAG: usize = 16;
/// The longest packet number.
const NUMBER: usize = 4;
/// How much of what TLS says is put together, and of how many parts.
const HELLO: usize = 8 * 1024;
const PARTS: usize = 32;
/// How many offered versions are told.
const VERSIONS: usize = 8;

/// What differs between the versions (RFC 9369 section 3).
#[derive(Debug)]
struct Version {
    number: u32,
    name: &'static str,
    salt: [u8; 20],
    /// What the labels of the keys begin with.
    label: &'static str,
    /// The types of packets, by the two bits in the first byte.
    types: [Type; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

static KNOWN: &[Version] = &[
    Version {
        number: 1,
        name: "1",
        salt: [
            0x38, 0x76, 0x2C, 0xF7, 0xF5, 0x59, 0x34, 0xB3, 0x4D, 0x17, 0x9A, 0xE6, 0xA4, 0xC8,
            0x0C, 0xAD, 0xCC, 0xBB, 0x7F, 0x0A,
        ],
        label: "quic",
        types: [Type::Initial, Type::ZeroRtt, Type::Handshake, Type::Retry],
    },
    Version {
        number: 0x6B33_43CF,
        name: "2",
        salt: [
            0x0D, 0xED, 0xE3, 0xDE, 0xF7, 0x00, 0xA6, 0xDB, 0x81, 0x93, 0x81, 0xBE, 0x6E, 0x26,
            0x9D, 0xCB, 0xF9, 0xBD, 0x2E, 0xD9,
        ],
        label: "quicv2",
        types: [Type::Retry, Type::Initial, Type::ZeroRtt, Type::Handshake],
    },
];

// Frames in the first packets (RFC 9000 section 19).
const PADDING: u64 = 0;
const PING: u64 = 1;
const ACK: u64 = 2;
const ACK_WITH_ECN: u64 = 3;
const CRYPTO: u64 = 6;
const CONNECTION_CLOSE: u64 = 0x1C;

/// Errors by their number (section 20.1).
const ERRORS: &[&str] = &[
    "NO_ERROR",
    "INTERNAL_ERROR",
    "CONNECTION_REFUSED",
    "FLOW_CONTROL_ERROR",
    "STREAM_LIMIT_ERROR",
    "STREAM_STATE_ERROR",
    "FINAL_SIZE_ERROR",
    "FRAME_ENCODING_ERROR",
    "TRANSPORT_PARAMETER_ERROR",
    "CONNECTION_ID_LIMIT_ERROR",
    "PROTOCOL_VIOLATION",
    "INVALID_TOKEN",
    "APPLICATION_ERROR",
    "CRYPTO_BUFFER_EXCEEDED",
    "KEY_UPDATE_ERROR",
    "AEAD_LIMIT_REACHED",
    "NO_VIABLE_PATH",
];
/// Those of TLS: its alerts follow.
const CRYPTO_ERROR: u64 = 0x100;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Quic {
    /// Under which id the client called its server first: the keys follow from it, whatever ids come later.
    called: Option<Vec<u8>>,
    client: Half,
    server: Half,
    /// Understands what is in the first packets.
    tls: tls::Tls,
    /// Whether the server wants the client to come again: then there are other keys.
    retried: bool,
    /// Whether the end of the handshake was told.
    finished: bool,
}

/// What one side sends.
#[derive(Debug, Default)]
struct Half {
    hello: Hello,
    /// The types of packets that were told.
    told: Vec<Type>,
}

/// What TLS says in the first packets, put together (section 19.6).
#[derive(Debug, Default)]
struct Hello {
    bytes: Vec<u8>,
    /// Where something is there, in order.
    parts: Vec<Range<usize>>,
    told: bool,
}

/// A packet with a long header.
#[derive(Debug)]
struct Packet<'a> {
    version: &'static Version,
    kind: Type,
    /// Whose it is: the receiver's connection id.
    id: &'a [u8],
    /// Where the packet number stands, and where the packet ends.
    number: usize,
    end: usize,
}

/// Keys for the first packets of one side.
#[derive(Debug)]
struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    /// For the protection of headers (RFC 9001 section 5.4).
    header: [u8; 16],
}

/// Whether it begins with a long header of a known version.
pub fn guess(bytes: &[u8]) -> Guess {
    match Packet::read(bytes) {
        Some(packet) if packet.kind == Type::Initial => match packet.id.len() >= FIRST_ID {
            true => Guess::Client,
            false => Guess::Either,
        },
        Some(_) => Guess::Either,
        None => Guess::No,
    }
}

impl<'a> Packet<'a> {
    /// The packet at the beginning (section 17.2).
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let first = rest.byte()?;
        if first & LONG == 0 || first & FIXED == 0 {
            return None;
        }
        let number = rest.word()?;
        let version = KNOWN.iter().find(|version| version.number == number)?;
        let kind = version.types[usize::from(first >> 4 & 3)];
        let id = rest.id()?;
        rest.id()?;
        if kind == Type::Initial {
            let token = rest.number()?;
            rest.take(token)?;
        }
        if kind == Type::Retry {
            // A token and what proves it fill the datagram.
            let rest = rest.0.len();
            return (rest > TAG).then_some(Self {
                version,
                kind,
                id,
                number: bytes.len(),
                end: bytes.len(),
            });
        }
        let length = usize::try_from(rest.number()?).ok()?;
        let number = bytes.len() - rest.0.len();
        (length >= NUMBER + TAG).then_some(Self {
            version,
            kind,
            id,
            number,
            end: number.saturating_add(length),
        })
    }
}

impl Sniffer for Quic {
    fn read(&mut self, from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        let step = Step::Took(bytes.len() as u64);
        let mut rest = bytes;
        // One datagram may hold several packets (section 12.2).
        while let Some(first) = rest.first() {
            if first & LONG == 0 {
                self.short(from, said);
                break;
            }
            if let Some(versions) = negotiation(rest) {
                said.fail(Kind::Note, versions);
                break;
            }
            let Some(packet) = Packet::read(rest) else {
                break;
            };
            self.packet(from, &packet, &rest[..packet.end.min(rest.len())], said);
            rest = rest.get(packet.end..).unwrap_or_default();
        }
        step
    }
}

impl Quic {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// A packet with a short header: the client sends one once the handshake is done (RFC 9001 section 5.7).
    fn short(&mut self, from: Side, said: &mut Said) {
        if from == Side::Client && self.server.told.contains(&Type::Handshake) && !self.finished {
            self.finished = true;
            said.detail(Kind::Note, "handshake done", Detail::Secured);
        }
    }

    fn packet(&mut self, from: Side, packet: &Packet<'_>, bytes: &[u8], said: &mut Said) {
        let plain = match packet.kind {
            Type::Initial => self.open(from, packet, bytes),
            _ => None,
        };
        let half = self.half(from);
        if !half.told.contains(&packet.kind) {
            half.told.push(packet.kind);
            let text = match packet.kind {
                Type::Initial => format!("Initial, version {}", packet.version.name),
                Type::ZeroRtt => "0-RTT: data before the handshake is done".into(),
                Type::Handshake => "Handshake".into(),
                Type::Retry => "Retry: the client is to come again, with a token".into(),
            };
            said.say(Kind::Note, text);
        }
        self.retried |= packet.kind == Type::Retry && from == Side::Server;
        if let Some(frames) = plain {
            self.frames(from, &frames, said);
        }
    }

    /// What is in a first packet, as frames; nothing where that cannot be read.
    fn open(&mut self, from: Side, packet: &Packet<'_>, bytes: &[u8]) -> Option<Vec<Frame>> {
        // Both sides may agree on another version than the first packet's (RFC 9369 section 4.1): the keys change with it.
        let read = |id: &[u8]| {
            let keys = Keys::new(packet.version, id, from);
            keys.open(packet, bytes).and_then(|plain| frames(&plain))
        };
        let again = self.retried && from == Side::Client;
        let known = self.called.as_deref();
        let frames = known.filter(|id| !again || *id == packet.id).and_then(read);
        if frames.is_some() || from == Side::Server || packet.id.len() < FIRST_ID {
            return frames;
        }
        // The first one, or that of another connection.
        let frames = read(packet.id)?;
        *self = Self {
            called: Some(packet.id.to_vec()),
            ..Self::default()
        };
        Some(frames)
    }

    fn frames(&mut self, from: Side, frames: &[Frame], said: &mut Said) {
        for frame in frames {
            match frame {
                Frame::Crypto(offset, bytes) => {
                    let hello = &mut self.half(from).hello;
                    hello.add(*offset, bytes);
                    if let Some(message) = hello.message() {
                        self.tls.handshake(&message, said);
                    }
                }
                Frame::Close(code, reason) => {
                    let mut text = format!("closes: {}", error(*code));
                    if !reason.is_empty() {
                        text.push_str(&format!(", {reason}"));
                    }
                    match code {
                        0 => said.say(Kind::Note, text),
                        _ => said.fail(Kind::Answer(0), text),
                    }
                }
            }
        }
    }
}

impl Hello {
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(start) = usize::try_from(offset) else {
            return;
        };
        let end = start.saturating_add(bytes.len());
        if end > HELLO || self.told || self.parts.len() >= PARTS {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(bytes);
        self.parts.push(start..end);
        self.parts.sort_by_key(|part| part.start);
        self.parts.dedup_by(|next, part| {
            let touches = next.start <= part.end;
            if touches {
                part.end = part.end.max(next.end);
            }
            touches
        });
    }

    /// The first message, once it is all there (RFC 8446 section 4).
    fn message(&mut self) -> Option<Vec<u8>> {
        let there = self.parts.first().filter(|part| part.start == 0)?.end;
        let [_, high, middle, low, ..] = self.bytes[..there] else {
            return None;
        };
        let length = 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > there {
            return None;
        }
        self.told = true;
        self.parts.clear();
        let mut message = std::mem::take(&mut self.bytes);
        message.truncate(length);
        Some(message)
    }
}

impl Keys {
    /// Those of one side (RFC 9001 section 5.2).
    fn new(version: &Version, id: &[u8], side: Side) -> Self {
        let (common, _) = Hkdf::<Sha256>::extract(Some(&version.salt), id);
        let label = match side {
            Side::Client => "client in",
            Side::Server => "server in",
        };
        let secret: [u8; 32] = expand(&common, label);
        let name = |what| format!("{} {what}", version.label);
        Self {
            key: expand(&secret, &name("key")),
            iv: expand(&secret, &name("iv")),
            header: expand(&secret, &name("hp")),
        }
    }

    /// What masks the header (section 5.4.3).
    fn mask(&self, sample: [u8; 16]) -> [u8; 16] {
        let mut block = sample.into();
        Aes128::new(&self.header.into()).encrypt_block(&mut block);
        block.into()
    }

    /// What is in a packet (section 5.3): AES in GCM's counter mode (NIST SP 800-38D), unchecked.
    fn open(&self, packet: &Packet<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        let sample = bytes.get(packet.number + NUMBER..)?.split_first_chunk()?.0;
        let mask = self.mask(*sample);
        let first = bytes.first()? ^ mask[0] & 0x0F;
        if first & RESERVED != 0 {
            return None;
        }
        let length = usize::from(first & 3) + 1;
        let start = packet.number + length;
        // Early packet numbers are small: their first bytes are left out because they are 0 (appendix A.3 of RFC 9000).
        let mut nonce = self.iv;
        for at in 0..length {
            nonce[12 - length + at] ^= bytes.get(packet.number + at)? ^ mask[1 + at];
        }
        let mut plain = bytes.get(start..packet.end.checked_sub(TAG)?)?.to_vec();
        let cipher = Aes128::new(&self.key.into());
        // The first block is for the tag.
        for (piece, counter) in plain.chunks_mut(16).zip(2_u32..) {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&nonce);
            block[12..].copy_from_slice(&counter.to_be_bytes());
            let mut block = block.into();
            cipher.encrypt_block(&mut block);
            let stream: [u8; 16] = block.into();
            for (byte, key) in piece.iter_mut().zip(stream) {
                *byte ^= key;
            }
        }
        Some(plain)
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
fn expand<const LENGTH: usize>(secret: &[u8], label: &str) -> [u8; LENGTH] {
    let mut info = vec![0, LENGTH as u8, 6 + label.len() as u8];
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut bytes = [0; LENGTH];
    // Both can fail only on lengths, and these are fixed.
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(secret) {
        let _ = hkdf.expand(&info, &mut bytes);
    }
    bytes
}

/// A frame that matters.
#[derive(Debug)]
enum Frame {
    Crypto(u64, Vec<u8>),
    Close(u64, String),
}

/// The frames of a first packet; nothing where it has anything else in it.
fn frames(plain: &[u8]) -> Option<Vec<Frame>> {
    let mut rest = Reader(plain);
    let mut frames = Vec::new();
    while !rest.0.is_empty() {
        match rest.number()? {
            PADDING | PING => {}
            kind @ (ACK | ACK_WITH_ECN) => {
                let (_, _, ranges, _) = (
                    rest.number()?,
                    rest.number()?,
                    rest.number()?,
                    rest.number()?,
                );
                let counts = if kind == ACK_WITH_ECN { 3 } else { 0 };
                for _ in 0..ranges.checked_mul(2)?.checked_add(counts)? {
                    rest.number()?;
                }
            }
            CRYPTO => {
                let (offset, length) = (rest.number()?, rest.number()?);
                frames.push(Frame::Crypto(offset, rest.take(length)?.to_vec()));
            }
            CONNECTION_CLOSE => {
                let (code, _, length) = (rest.number()?, rest.number()?, rest.number()?);
                let reason = std::str::from_utf8(rest.take(length)?).ok()?;
                frames.push(Frame::Close(code, reason.to_owned()));
            }
            _ => return None,
        }
    }
    Some(frames)
}

fn error(code: u64) -> String {
    if let Some(alert) = code
        .checked_sub(CRYPTO_ERROR)
        .and_then(|it| u8::try_from(it).ok())
    {
        return tls::alert_in_words(alert);
    }
    let name = usize::try_from(code).ok().and_then(|code| ERRORS.get(code));
    name.map_or_else(|| format!("error {code:#x}"), |name| (*name).to_owned())
}

/// The versions that a server offers instead of the client's (section 17.2.1).
fn negotiation(bytes: &[u8]) -> Option<String> {
    let mut rest = Reader(bytes);
    rest.byte()?;
    if rest.word()? != 0 {
        return None;
    }
    rest.id()?;
    rest.id()?;
    let mut names = Vec::new();
    while let Some(version) = rest.word() {
        // Some are there only to keep clients used to unknown ones (section 15).
        if version & 0x0F0F_0F0F != 0x0A0A_0A0A && names.len() < VERSIONS {
            let known = KNOWN.iter().find(|known| known.number == version);
            names.push(match known {
                Some(known) => known.name.to_owned(),
                None if version >> 8 == 0x00FF_0000 => format!("draft {}", version & 0xFF),
                None => format!("{version:#x}"),
            });
        }
    }
    Some(format!("no common version: offers {}", names.join(", ")))
}

/// Takes bytes from the beginning, as long as there are any.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    /// A connection id, after its length.
    fn id(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        match usize::from(length) <= ID {
            true => self.take(length.into()),
            false => None,
        }
    }

    /// An integer whose first two bits tell its length (section 16).
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let rest = self.take((1 << (first >> 6)) - 1)?;
        let start = u64::from(first & 0x3F);
        Some(
            rest.iter()
                .fold(start, |number, byte| number << 8 | u64::from(*byte)),
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear_by, out};
    use crate::protocol::{Carrier, Way};

    /// The id in the examples of RFC 9001 (appendix A).
    const EXAMPLE: [u8; 8] = [0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08];

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|it| u8::from_str_radix(std::str::from_utf8(it).expect("text"), 16).expect("hex"))
            .collect()
    }

    fn initial(version: &Version, from: Side, to: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
        initial_under(&EXAMPLE, version, from, to, number, frames)
    }

    /// A first packet with these frames, under the keys of that id.
    fn initial_under(
        id: &[u8],
        version: &Version,
        from: Side,
        to: &[u8],
        number: u8,
        frames: &[u8],
    ) -> Vec<u8> {
        let keys = Keys::new(version, id, from);
        let kind = version.types.iter().position(|it| *it == Type::Initial);
        let mut bytes = vec![LONG | FIXED | (kind.expect("a type") as u8) << 4 | 1];
        bytes.extend(version.number.to_be_bytes());
        bytes.push(to.len() as u8);
        bytes.extend(to);
        bytes.extend([0, 0]);
        let length = (2 + frames.len() + TAG) as u16;
        bytes.extend((length | 0x4000).to_be_bytes());
        let place = bytes.len();
        bytes.extend([0, number]);
        bytes.extend(frames);
        bytes.extend([7; TAG]);
        let packet = Packet::read(&bytes).expect("a packet");
        // Neither the length of the number nor the number itself is masked yet.
        let sample = |bytes: &[u8]| *bytes[place + NUMBER..].first_chunk().expect("a sample");
        let header = keys.header;
        let bare = Keys {
            header: [0; 16],
            ..keys
        };
        let mask = bare.mask(sample(&bytes));
        let mut masked = bytes.clone();
        masked[0] ^= mask[0] & 0x0F;
        masked[place] ^= mask[1];
        masked[place + 1] ^= mask[2];
        let sealed = bare.open(&packet, &masked).expect("what is sealed");
        let end = place + 2 + sealed.len();
        bytes[place + 2..end].copy_from_slice(&sealed);
        let mask = Keys { header, ..bare }.mask(sample(&bytes));
        bytes[0] ^= mask[0] & 0x0F;
        bytes[place] ^= mask[1];
        bytes[place + 1] ^= mask[2];
        bytes
    }

    /// The ClientHello of appendix A.2 of RFC 9001, and the ServerHello of A.3.
    fn hellos() -> [Vec<u8>; 2] {
        [
            "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff",
            "020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304",
        ]
        .map(hex)
    }

    fn crypto(offset: u8, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u16 | 0x4000).to_be_bytes();
        [&[6, offset][..], &length, bytes].concat()
    }

    fn dialogue(version: &Version) -> Dialogue {
        let [client, server] = hellos();
        // A long ClientHello comes in parts, in any order.
        let first = [crypto(40, &client[40..]), vec![1, 0, 0]].concat();
        let second = [crypto(0, &client[..40]), vec![0; 900]].concat();
        let answer = [&[2, 0, 0, 0, 0][..], &crypto(0, &server)].concat();
        let kind = version.types.iter().position(|it| *it == Type::Handshake);
        let mut handshake = vec![LONG | FIXED | (kind.expect("a type") as u8) << 4];
        handshake.extend(version.number.to_be_bytes());
        handshake.extend([0, 0, 0x40, 100]);
        handshake.extend([9; 100]);
        vec![
            out(initial(version, Side::Client, &EXAMPLE, 0, &first)),
            out(initial(version, Side::Client, &EXAMPLE, 1, &second)),
            back(
                [
                    initial(version, Side::Server, &[], 0, &answer),
                    handshake.clone(),
                ]
                .concat(),
            ),
            // The client has another id for its server now, but no other keys.
            out([
                initial(version, Side::Client, &[5; 8], 2, &[2, 0, 0, 0, 0, 0]),
                handshake,
            ]
            .concat()),
            out([0x41; 60]),
        ]
    }

    #[test]
    fn names_are_read_where_everybody_can() {
        for version in KNOWN {
            let name = version.name;
            assert_eq!(
                hear_by(Carrier::Datagram, &dialogue(version)),
                [
                    format!(". QUIC Initial, version {name}"),
                    "? QUIC ClientHello example.com, up to 1.3, ALPN alpn".into(),
                    format!(". QUIC Initial, version {name}"),
                    "= QUIC ServerHello 1.3 AES_128_GCM_SHA256".into(),
                    ". QUIC Handshake".into(),
                    ". QUIC Handshake".into(),
                    ". QUIC handshake done".into(),
                ]
            );
        }
    }

    #[test]
    fn the_keys_of_the_rfc() {
        let keys = Keys::new(&KNOWN[0], &EXAMPLE, Side::Client);
        assert_eq!(keys.key[..], hex("1f369613dd76d5467730efcbe3b1a22d"));
        assert_eq!(keys.iv[..], hex("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(keys.header[..], hex("9f50449e04a0e810283a1e9933adedd2"));
        let sample = hex("d1b1c98dd7689fb8ec11d242b123dc9b");
        let mask = keys.mask(sample.try_into().expect("a sample"));
        assert_eq!(mask[..5], hex("437b9aec36"));
        let server = Keys::new(&KNOWN[0], &EXAMPLE, Side::Server);
        assert_eq!(server.key[..], hex("cf3a5331653c364c88f0f379b6067e37"));
    }

    #[test]
    fn what_goes_wrong() {
        let first = dialogue(&KNOWN[0]).swap_remove(0);
        let heard = hear_by(
            Carrier::Datagram,
            &[
                first.clone(),
                back(hex(
                    "80000000000008000102030405060700000001ff00001d1a2a3a4a",
                )),
            ],
        );
        assert_eq!(
            heard[1..],
            [".! QUIC no common version: offers 1, draft 29"]
        );
        let close = b"\x1c\x41\x78\x06\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let heard = hear_by(
            Carrier::Datagram,
            &[first, back(initial(&KNOWN[0], Side::Server, &[], 0, close))],
        );
        assert_eq!(
            heard[2..],
            ["=! QUIC closes: no common protocol inside (no_application_protocol)"]
        );
    }

    #[test]
    fn after_a_retry_there_are_other_keys() {
        let mut retry = vec![LONG | FIXED | 0x30, 0, 0, 0, 1, 0, 8];
        retry.extend([9; 60]);
        let hello = crypto(0, &hellos()[0]);
        let heard = hear_by(
            Carrier::Datagram,
            &[
                out(initial(&KNOWN[0], Side::Client, &EXAMPLE, 0, &hello)),
                back(retry),
                out(initial_under(
                    &[9; 8],
                    &KNOWN[0],
                    Side::Client,
                    &[9; 8],
                    1,
                    &hello,
                )),
            ],
        );
        let hello = "? QUIC ClientHello example.com, up to 1.3, ALPN alpn";
        let retry = ". QUIC Retry: the client is to come again, with a token";
        let initial = ". QUIC Initial, version 1";
        assert_eq!(heard, [initial, hello, retry, initial, hello]);
    }

    #[test]
    fn what_is_sent_again_is_told_once() {
        let hello = [crypto(0, &hellos()[0]), vec![1], crypto(9, b"again")].concat();
        let first = out(initial(&KNOWN[0], Side::Client, &EXAMPLE, 0, &hello));
        let heard = hear_by(Carrier::Datagram, &[first.clone(), first]);
        assert_eq!(heard.len(), 2, "{heard:?}");
    }

    #[test]
    fn a_server_may_go_on_in_another_version() {
        let [client, server] = hellos().map(|hello| crypto(0, &hello));
        let heard = hear_by(
            Carrier::Datagram,
            &[
                out(initial(&KNOWN[1], Side::Client, &EXAMPLE, 0, &client)),
                back(initial(&KNOWN[0], Side::Server, &[], 0, &server)),
            ],
        );
        assert_eq!(heard[3], "= QUIC ServerHello 1.3 AES_128_GCM_SHA256");
    }

    proptest! {
        #[test]
        fn any_damage_is_borne(which in 0..5usize, at in 0..1000usize, byte: u8, cut in 0..1200usize) {
            let mut dialogue = dialogue(&KNOWN[0]);
            let (_, bytes) = &mut dialogue[which];
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(cut.max(1));
            hear_by(Carrier::Datagram, &dialogue);
        }

        #[test]
        fn anything_after_a_long_header_is_borne(rest in prop::collection::vec(any::<u8>(), 0..300), out: bool) {
            let way = if out { Way::Out } else { Way::In };
            let bytes = [&[0xC0, 0, 0, 0, 1, 8][..], &rest].concat();
            hear_by(Carrier::Datagram, &[(way, bytes)]);
            let _ = frames(&rest);
        }
    }
}
