//! HTTP/2 (RFC 9113), and gRPC's status inside: requests, answers, settings, resets and farewells.

use std::mem;

use super::hpack::{Broken, Field, Hpack};
use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step, http, secret};

/// What a client says first (section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame's header (section 4.1).
const HEADER: usize = 9;
/// How long a frame may be where nobody allows more, and at all (section 4.2).
const USUAL: u32 = 1 << 14;
const LONGEST: u32 = (1 << 24) - 1;
/// The longest block of fields that is put together from several frames.
const BLOCK: usize = 64 * 1024;
/// A body that holds the fields of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// How many settings are named.
const SETTINGS_NAMED: usize = 8;
/// How much of a farewell's explanation is told.
const EXPLANATION: usize = 100;

// The types of frames (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

// Their flags.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// The setting that allows longer frames (section 6.5.2).
const MAX_FRAME_SIZE: u16 = 5;

/// Settings by their number (sections 6.5.2 and 11.3, RFC 8441, RFC 9218).
const SETTINGS_NAMES: &[(u16, &str)] = &[
    (1, "HEADER_TABLE_SIZE"),
    (2, "ENABLE_PUSH"),
    (3, "MAX_CONCURRENT_STREAMS"),
    (4, "INITIAL_WINDOW_SIZE"),
    (MAX_FRAME_SIZE, "MAX_FRAME_SIZE"),
    (6, "MAX_HEADER_LIST_SIZE"),
    (8, "ENABLE_CONNECT_PROTOCOL"),
    (9, "NO_RFC7540_PRIORITIES"),
];

/// Errors by their number (section 7).
const ERRORS: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// What became of a call of gRPC, by its number (its document "Status codes and their use").
const GRPC: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Http2 {
    client: Half,
    server: Half,
}

/// What one side sends.
#[derive(Debug, Default)]
struct Half {
    packing: Packing,
    /// A block of fields that goes on in the next frame.
    open: Option<Open>,
    /// Whether its first settings were told.
    settings: bool,
    /// The longest frame that it may send.
    longest: u32,
    /// The latest stream that it opened (section 5.1.1): their numbers grow.
    latest: u32,
    /// The stream whose body holds the fields of a form.
    form: Option<u32>,
}

/// Whether its blocks of fields can be read.
#[derive(Debug, Default)]
enum Packing {
    /// Nothing has been said yet.
    #[default]
    Unknown,
    /// They can; in words, why entries may be missing.
    Read(Hpack, &'static str),
    /// They made no sense: from then on, nothing is read.
    Broken,
}

#[derive(Debug)]
struct Open {
    stream: u32,
    ends: bool,
    promise: bool,
    block: Vec<u8>,
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
struct Frame {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    /// The header at the beginning, where it is one that a peer may send.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, d, e, f, g, ..] = *bytes else {
            return None;
        };
        let frame = Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]),
        };
        frame.makes_sense().then_some(frame)
    }

    fn makes_sense(self) -> bool {
        let (length, whole, flags) = (self.length, self.stream == 0, self.flags);
        // Flags without a meaning and the reserved bit stay unset; the rest is said in each frame's section.
        let only = |known: u8| flags & !known == 0;
        self.stream >> 31 == 0
            && match self.kind {
                DATA => !whole && only(END_STREAM | PADDED),
                HEADERS => {
                    !whole && length > 0 && only(END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY)
                }
                PRIORITY => !whole && length == 5 && flags == 0,
                RST_STREAM => !whole && length == 4 && flags == 0,
                SETTINGS => {
                    whole
                        && length % 6 == 0
                        && length <= USUAL
                        && only(ACK)
                        && (flags == 0 || length == 0)
                }
                PUSH_PROMISE => !whole && length > 4 && only(END_HEADERS | PADDED),
                PING => whole && length == 8 && only(ACK),
                GOAWAY => whole && length >= 8 && flags == 0,
                WINDOW_UPDATE => length == 4 && flags == 0,
                CONTINUATION => !whole && only(END_HEADERS),
                // ALTSVC (RFC 7838), ORIGIN (RFC 8336), PRIORITY_UPDATE (RFC 9218), and those that keep peers used to unknown ones.
                10 | 12 | 16 => true,
                kind => kind % 31 == 11,
            }
    }

    fn total(self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether nearly every bit of the header is the only possible one.
    fn is_certain(self) -> bool {
        match self.kind {
            PING => true,
            SETTINGS => self.has(ACK),
            WINDOW_UPDATE => self.stream == 0,
            _ => false,
        }
    }
}

/// Whether it begins as a client or a server does, or where tracing began later, with frames beyond any doubt.
pub fn guess(bytes: &[u8]) -> Guess {
    let client = Guess::starts(bytes, PREFACE, Guess::Client);
    if client != Guess::No {
        return client;
    }
    match bytes {
        [0, 0, _, SETTINGS] => return Guess::Perhaps,
        [0, 0, length, SETTINGS, zeros @ ..]
            if length % 6 == 0 && zeros.iter().take(5).all(|byte| *byte == 0) =>
        {
            match (*length, zeros.get(5..)) {
                (_, None) => return Guess::Perhaps,
                (1.., Some([])) => return Guess::Perhaps,
                // The first setting's number is a small one.
                (1.., Some([0, 1..=16, ..])) => return Guess::Server,
                _ => {}
            }
        }
        _ => {}
    }
    let (mut rest, mut frames, mut certain) = (bytes, 0, false);
    while let Some(frame) = Frame::read(rest) {
        let end = usize::try_from(frame.total()).unwrap_or(usize::MAX);
        let Some(next) = rest.get(end..) else {
            return Guess::No;
        };
        (rest, frames) = (next, frames + 1);
        certain |= frame.is_certain();
    }
    match rest.is_empty() && (certain || frames > 1) {
        true => Guess::Either,
        false => Guess::No,
    }
}

impl Sniffer for Http2 {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if let Packing::Unknown = self.half(from).packing {
            match self.begin(from, bytes) {
                Some(step) => return step,
                None if bytes.len() < HEADER => return Step::More,
                None => {}
            }
        }
        if bytes.len() < HEADER {
            return Step::More;
        }
        let half = self.half(from);
        let Some(frame) = Frame::read(bytes).filter(|frame| frame.length <= half.longest) else {
            return Step::Lost;
        };
        let follows = half.open.as_ref().map(|open| open.stream);
        let continues = (frame.kind == CONTINUATION).then_some(frame.stream);
        if follows != continues {
            return Step::Lost;
        }
        let content = &bytes[HEADER..];
        let there = content.len().min(frame.length as usize);
        let (content, cut) = (&content[..there], there < frame.length as usize);
        let packed = matches!(frame.kind, HEADERS | PUSH_PROMISE | CONTINUATION);
        if cut && whole && (packed || matches!(frame.kind, RST_STREAM | SETTINGS | GOAWAY)) {
            if packed {
                // Nobody knows yet what is in there.
                said.hide(HEADER..HEADER + there);
            }
            return Step::More;
        }
        match frame.kind {
            HEADERS | PUSH_PROMISE | CONTINUATION => {
                let Some(block) = unpadded(frame, content) else {
                    return Step::Lost;
                };
                self.block(from, frame, block, cut, said);
            }
            DATA if half.form == Some(frame.stream) && !frame.has(PADDED) => {
                secret::in_form(content, HEADER, said);
            }
            SETTINGS if !frame.has(ACK) => self.settings(from, content, said),
            RST_STREAM => {
                if let Some(code) = number(content, 0) {
                    let text = format!("RST_STREAM {}, stream {}", error(code), frame.stream);
                    note(code != 0, text, said);
                }
            }
            GOAWAY => goodbye(content, said),
            _ => {}
        }
        Step::Took(frame.total())
    }

    fn lose(&mut self, from: Side) {
        self.half(from).lose("a part was not seen");
    }
}

impl Http2 {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The first bytes of a side: tells whether it is listened to from its beginning on.
    fn begin(&mut self, from: Side, bytes: &[u8]) -> Option<Step> {
        let starts = match from {
            Side::Client => Guess::starts(bytes, PREFACE, Guess::Client),
            // A server begins with its settings (section 3.4).
            Side::Server => match Frame::read(bytes) {
                Some(frame) if frame.kind == SETTINGS && !frame.has(ACK) => Guess::Server,
                None if bytes.len() < HEADER => Guess::Perhaps,
                _ => Guess::No,
            },
        };
        let half = self.half(from);
        match starts {
            Guess::Perhaps => return Some(Step::More),
            Guess::No => half.lose("begun before the trace"),
            _ => {
                half.packing = Packing::Read(Hpack::from_start(), "more names than are kept");
                half.longest = half.longest.max(USUAL);
            }
        }
        (starts == Guess::Client).then_some(Step::Took(PREFACE.len() as u64))
    }

    /// A frame with a block of fields, or a part of one (section 4.3); it stands at `at`.
    fn block(
        &mut self,
        from: Side,
        frame: Frame,
        (content, at): (&[u8], usize),
        cut: bool,
        said: &mut Said,
    ) {
        let half = self.half(from);
        let mut open = half.open.take().unwrap_or_else(|| Open {
            stream: frame.stream,
            ends: frame.has(END_STREAM),
            promise: frame.kind == PUSH_PROMISE,
            block: Vec::new(),
        });
        if open.block.len() <= BLOCK {
            open.block.extend_from_slice(content);
        }
        let single = frame.kind != CONTINUATION && frame.has(END_HEADERS);
        if !single {
            // Where in it a secret lies is known at the end only.
            said.hide(at..at + content.len());
        }
        let cut = cut || open.block.len() > BLOCK;
        match cut || frame.has(END_HEADERS) {
            true => half.head(from, &open, single.then_some(at), cut, said),
            false => half.open = Some(open),
        }
    }

    fn settings(&mut self, from: Side, content: &[u8], said: &mut Said) {
        let settings = content.chunks_exact(6).filter_map(|it| {
            let number = u16::from_be_bytes([it[0], it[1]]);
            Some((number, self::number(it, 2)?))
        });
        let mut text = String::from("SETTINGS");
        let mut named = 0;
        for (number, value) in settings {
            if number == MAX_FRAME_SIZE {
                let other = self.half(from.other());
                other.longest = other.longest.max(value.min(LONGEST));
            }
            let row = SETTINGS_NAMES.iter().find(|(known, _)| *known == number);
            if let Some((_, name)) = row.filter(|_| named < SETTINGS_NAMED) {
                named += 1;
                text.push_str(&format!(" {name}={value}"));
            }
        }
        let half = self.half(from);
        if !mem::replace(&mut half.settings, true) {
            said.say(Kind::Note, text);
        }
    }
}

impl Half {
    /// From here on only what is packed anew can be read; in words, why.
    fn lose(&mut self, why: &'static str) {
        self.open = None;
        self.longest = LONGEST;
        if !matches!(self.packing, Packing::Broken) {
            self.packing = Packing::Read(Hpack::from_amid(), why);
        }
    }

    /// A block of fields, with the place where it stands unless it came in parts; it may be cut.
    fn head(&mut self, from: Side, open: &Open, at: Option<usize>, cut: bool, said: &mut Said) {
        let mut head = Head::default();
        let known = match &mut self.packing {
            Packing::Read(hpack, _) => hpack.read(&open.block, |field| {
                if head.take(&field, said)
                    && let Some(at) = at
                {
                    said.hide(at + field.at.start..at + field.at.end);
                }
            }),
            _ => Err(Broken),
        };
        if let Some(at) = at.filter(|_| known.is_err()) {
            said.hide(at..at + open.block.len());
        }
        if cut {
            self.lose("a part was not seen");
            head.unknown = true;
        } else if known.is_err() {
            if !matches!(
                mem::replace(&mut self.packing, Packing::Broken),
                Packing::Broken
            ) {
                said.say(
                    Kind::Note,
                    "headers that make no sense: from here on they are not read",
                );
            }
            return;
        }
        let (stream, ends) = (open.stream, open.ends);
        if open.promise {
            return;
        }
        let opens = stream > self.latest;
        if from == Side::Client {
            self.latest = self.latest.max(stream);
        }
        if head.kind.as_deref() == Some(FORM) {
            self.form = Some(stream);
        }
        let why = match &self.packing {
            Packing::Read(_, why) => why,
            _ => "",
        };
        let unknown = format!("headers ({why})");
        let key = u64::from(stream);
        if let Some(status) = &head.status {
            head.answer(status, key, said);
        } else if let Some(method) = &head.method {
            match head.request(method) {
                Some((text, detail)) => said.detail(Kind::Request(key), text, detail),
                None if head.unknown => said.say(Kind::Request(key), unknown),
                None => {}
            }
        } else if let Some((failed, text)) = head.grpc() {
            note(failed, text, said);
        } else if head.unknown {
            // What ends a stream may be a trailer, which follows the body.
            match from {
                Side::Client if !ends || opens => said.say(Kind::Request(key), unknown),
                Side::Server if !ends => said.say(Kind::Answer(key), unknown),
                _ => {}
            }
        }
    }
}

/// What matters of a block of fields.
#[derive(Debug, Default)]
struct Head {
    method: Option<String>,
    path: Option<String>,
    authority: Option<String>,
    /// What is wanted over the tunnel (RFC 8441).
    tunnelled: Option<String>,
    status: Option<String>,
    kind: Option<String>,
    location: Option<String>,
    grpc: Option<String>,
    /// Whether there are fields that only the peers know.
    unknown: bool,
}

impl Head {
    /// Takes a field: whether its value is a secret.
    fn take(&mut self, field: &Field<'_>, said: &Said) -> bool {
        let Some(name) = field.name else {
            self.unknown = true;
            return true;
        };
        let value = || Some(said.apart().text(field.value, 0));
        match name {
            b":method" => self.method = value(),
            b":authority" => self.authority = value(),
            b"host" if self.authority.is_none() => self.authority = value(),
            b":protocol" => self.tunnelled = value(),
            b":status" => self.status = value(),
            b"grpc-status" => self.grpc = value(),
            b"content-type" => {
                let whole = value().unwrap_or_default();
                self.kind = Some(whole.split(';').next().unwrap_or_default().trim().into());
            }
            b":path" | b"location" => {
                let (text, secret) = secret::url(field.value, said);
                let place = match name {
                    b"location" => &mut self.location,
                    _ => &mut self.path,
                };
                *place = Some(text);
                return secret;
            }
            _ => return field.guarded || secret::is_field(name),
        }
        false
    }

    fn request(&self, method: &str) -> Option<(String, Detail)> {
        let authority = self.authority.as_deref();
        let name = |source| {
            let name = authority.filter(|name| !name.is_empty());
            name.map_or(Detail::None, |name| Detail::Name(http::host(name), source))
        };
        match (&self.path, &self.tunnelled) {
            (Some(path), None) => Some((format!("{method} {path}"), name(Source::Host))),
            (Some(path), Some(what)) => {
                Some((format!("{method} {path} ({what})"), name(Source::Host)))
            }
            (None, _) if method == "CONNECT" => {
                Some((format!("{method} {}", authority?), name(Source::Proxy)))
            }
            (None, _) => None,
        }
    }

    fn answer(&self, status: &str, key: u64, said: &mut Said) {
        let mut text = status.to_owned();
        if let Some(kind) = self.kind.as_ref().filter(|kind| !kind.is_empty()) {
            text.push(' ');
            text.push_str(kind);
        }
        if let Some(location) = self.location.as_ref().filter(|_| status.starts_with('3')) {
            text.push_str(" → ");
            text.push_str(location);
        }
        let mut failed = status.starts_with(['4', '5']);
        if let Some((bad, status)) = self.grpc() {
            failed |= bad;
            text.push_str(", ");
            text.push_str(&status);
        }
        let kind = match status.starts_with('1') {
            true => Kind::Note,
            false => Kind::Answer(key),
        };
        match failed {
            true => said.fail(kind, text),
            false => said.say(kind, text),
        }
    }

    /// What became of a call of gRPC: whether it failed, and the words.
    fn grpc(&self) -> Option<(bool, String)> {
        let status = self.grpc.as_deref()?;
        let name = status.parse().ok().and_then(|it: usize| GRPC.get(it));
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        Some((status != "0", format!("gRPC status {status}{name}")))
    }
}

/// The block of fields in a frame, without padding, priority and the promised stream (sections 6.2 and 6.6), and where it stands.
fn unpadded(frame: Frame, content: &[u8]) -> Option<(&[u8], usize)> {
    let padded = frame.kind != CONTINUATION && frame.has(PADDED);
    let mut start = usize::from(padded);
    if frame.kind == PUSH_PROMISE {
        start += 4;
    }
    if frame.kind == HEADERS && frame.has(HAS_PRIORITY) {
        start += 5;
    }
    let padding = match padded {
        true => usize::from(*content.first()?),
        false => 0,
    };
    // Of what is not all there, the end of the padding is known all the same.
    let end = (frame.length as usize).checked_sub(padding)?;
    let end = end.min(content.len());
    Some((content.get(start..end)?, HEADER + start))
}

fn goodbye(content: &[u8], said: &mut Said) {
    let (Some(last), Some(code)) = (number(content, 0), number(content, 4)) else {
        return;
    };
    let mut text = format!("GOAWAY {}", error(code));
    // A server that closes in order names the highest number first (section 6.8).
    if last != u32::MAX >> 1 {
        text.push_str(&format!(", last stream {last}"));
    }
    let explanation = &content[8..content.len().min(8 + EXPLANATION)];
    if !explanation.is_empty() {
        text.push_str(": ");
        text.push_str(&said.text(explanation, HEADER + 8));
    }
    note(code != 0, text, said);
}

fn note(failed: bool, text: String, said: &mut Said) {
    match failed {
        true => said.fail(Kind::Note, text),
        false => said.say(Kind::Note, text),
    }
}

fn error(code: u32) -> String {
    let name = usize::try_from(code).ok().and_then(|code| ERRORS.get(code));
    name.map_or_else(|| format!("error {code:#x}"), |name| (*name).to_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let (number, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*number))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
        frame(HEADERS, END_HEADERS | flags, stream, block)
    }

    /// A field in plain text that is kept: `first` holds its name's number.
    fn kept(first: u8, value: &str) -> Vec<u8> {
        let mut bytes = vec![0x40 | first, value.len() as u8];
        bytes.extend(value.as_bytes());
        bytes
    }

    fn named(first: u8, name: &str, value: &str) -> Vec<u8> {
        let mut bytes = vec![first, name.len() as u8];
        bytes.extend(name.as_bytes());
        bytes.push(value.len() as u8);
        bytes.extend(value.as_bytes());
        bytes
    }

    fn begin() -> Vec<u8> {
        // MAX_CONCURRENT_STREAMS=100, INITIAL_WINDOW_SIZE=32 MiB, ENABLE_PUSH=0, as curl says.
        let settings = b"\0\x03\0\0\0\x64\0\x04\x02\0\0\0\0\x02\0\0\0\0";
        [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, 0, settings),
            frame(WINDOW_UPDATE, 0, 0, &[1, 0xFF, 0, 1]),
        ]
        .concat()
    }

    pub(in crate::protocol) fn dialogue() -> Dialogue {
        // GET, path, http, authority, a secret and a field that its sender guards.
        let first = [
            b"\x82\x86".to_vec(),
            kept(4, "/a?token=abc"),
            kept(1, "Example.com:80"),
            kept(23, "Bearer hush"),
            named(0x10, "pin", "1234"),
        ]
        .concat();
        vec![
            out([begin(), headers(END_STREAM, 1, &first)].concat()),
            back(
                [
                    frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x80"),
                    frame(SETTINGS, ACK, 0, &[]),
                ]
                .concat(),
            ),
            out(frame(SETTINGS, ACK, 0, &[])),
            back(
                [
                    headers(
                        0,
                        1,
                        &[&b"\x88"[..], &kept(31, "text/html; charset=utf-8")].concat(),
                    ),
                    frame(DATA, 0, 1, &[b'x'; 700]),
                    frame(DATA, END_STREAM, 1, b""),
                ]
                .concat(),
            ),
            // POST over the same names, in two frames; its answer and the trailer of gRPC.
            out([
                frame(HEADERS, 0, 3, b"\x83\x86\x44"),
                frame(CONTINUATION, END_HEADERS, 3, b"\x02/p\xbf\xbe"),
                frame(DATA, END_STREAM, 3, b"\0\0\0\0\x02hi"),
                frame(PING, 0, 0, &[7; 8]),
            ]
            .concat()),
            back(
                [
                    headers(
                        0,
                        3,
                        &[&b"\x88"[..], &kept(31, "application/grpc")].concat(),
                    ),
                    frame(DATA, 0, 3, b"\0\0\0\0\x02hi"),
                    headers(END_STREAM, 3, &named(0x40, "grpc-status", "5")),
                    headers(END_STREAM, 5, b"\x8d"),
                    frame(RST_STREAM, 0, 7, &[0, 0, 0, 8]),
                    frame(GOAWAY, 0, 0, b"\0\0\0\x07\0\0\0\x0btoo_many_pings"),
                ]
                .concat(),
            ),
        ]
    }

    #[test]
    fn requests_answers_and_what_goes_wrong() {
        assert_eq!(
            hear(&dialogue()),
            [
                ". HTTP/2 SETTINGS MAX_CONCURRENT_STREAMS=100 INITIAL_WINDOW_SIZE=33554432 ENABLE_PUSH=0",
                "? HTTP/2 GET /a?token=***",
                ". HTTP/2 SETTINGS MAX_CONCURRENT_STREAMS=128",
                "= HTTP/2 200 text/html",
                "? HTTP/2 POST /p",
                "= HTTP/2 200 application/grpc",
                ".! HTTP/2 gRPC status 5 NOT_FOUND",
                "=! HTTP/2 404",
                ".! HTTP/2 RST_STREAM CANCEL, stream 7",
                ".! HTTP/2 GOAWAY ENHANCE_YOUR_CALM, last stream 7: too_many_pings",
            ]
        );
        let shown = shown(&dialogue());
        for secret in ["abc", "hush", "1234"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("Example.com:80"), "{shown}");
    }

    #[test]
    fn a_connection_that_began_earlier() {
        let amid = [
            // GET, an entry that nobody heard of, and a kept path.
            headers(
                END_STREAM,
                41,
                &[&b"\x82\x86\xc0"[..], &kept(4, "/new")].concat(),
            ),
            headers(END_STREAM, 43, b"\x82\x86\xbe"),
            headers(END_STREAM, 45, b"\xc3\x86\xc4"),
        ];
        let heard = hear(&[
            out(frame(PING, 0, 0, &[1; 8])),
            out(amid.concat()),
            out(headers(END_STREAM, 47, b"\x82\x86\xc5")),
            back(headers(END_STREAM, 41, b"\x88\xc0")),
            // A trailer, or an answer without a body: nobody can tell.
            back(headers(END_STREAM, 43, b"\xc0")),
            back(headers(0, 45, b"\xc0")),
        ]);
        assert_eq!(
            heard,
            [
                "? HTTP/2 GET /new",
                "? HTTP/2 GET /new",
                "? HTTP/2 headers (begun before the trace)",
                "? HTTP/2 headers (begun before the trace)",
                "= HTTP/2 200",
                "= HTTP/2 headers (begun before the trace)",
            ]
        );
    }

    #[test]
    fn passwords_in_forms_are_hidden() {
        let form = [b"\x83\x84\x86".to_vec(), kept(31, FORM)].concat();
        let shown = shown(&[
            out([begin(), headers(0, 1, &form)].concat()),
            out(frame(DATA, END_STREAM, 1, b"user=me&password=hush")),
        ]);
        assert!(shown.ends_with("user=me&password=****"), "{shown}");
    }

    #[test]
    fn blocks_that_make_no_sense_are_told_once_and_hidden() {
        let block = b"\x82\xff\xff\xff\xff\xff\x01Bearer";
        let dialogue = [
            out(begin()),
            out([headers(0, 1, block), headers(0, 3, b"\x82\x84\x86")].concat()),
            out(frame(GOAWAY, 0, 0, &[0; 8])),
        ];
        assert_eq!(
            hear(&dialogue)[1..],
            [
                ". HTTP/2 headers that make no sense: from here on they are not read",
                ". HTTP/2 GOAWAY NO_ERROR, last stream 0",
            ]
        );
        assert!(!shown(&dialogue).contains("Bearer"));
    }

    #[test]
    fn only_what_is_certain_is_recognised() {
        let data = frame(DATA, 0, 5, b"some data");
        for (bytes, expected) in [
            (&PREFACE[..5], Guess::Perhaps),
            (PREFACE, Guess::Client),
            (b"PRI * HTTP/1.1", Guess::No),
            (b"\0\0\x06\x04\0\0\0\0\0", Guess::Perhaps),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80", Guess::Server),
            (b"\0\0\0\x04\x01\0\0\0\0", Guess::Either),
            (b"\0\0\x08\x06\0\0\0\0\0", Guess::No),
            (&data, Guess::No),
            (&[&data[..], &data].concat(), Guess::Either),
            (&[&data[..], &data, b"x"].concat(), Guess::No),
        ] {
            assert_eq!(guess(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn after_an_upgrade_from_http_1() {
        let heard = hear(&[
            out("GET /up HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"),
            back(
                [
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n".to_vec(),
                    frame(SETTINGS, 0, 0, &[]),
                    headers(END_STREAM, 1, b"\x89"),
                ]
                .concat(),
            ),
            out([begin(), headers(END_STREAM, 3, b"\x82\x84\x86")].concat()),
        ]);
        assert_eq!(heard[2..4], [". HTTP/2 SETTINGS", "= HTTP/2 204"]);
        assert_eq!(heard[5..], ["? HTTP/2 GET /"]);
    }
}
