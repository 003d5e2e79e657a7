//! HTTP/2 (RFC 9113) and gRPC inside it: requests and answers by stream, and how streams and connections are broken off.

use loona_hpack::Decoder;

use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step, secret};

/// What a client sends first (section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame's header (section 4.1), and the longest frame that is believed: 16 MiB less one (section 4.2).
const HEADER: usize = 9;
/// The longest header block that is kept while its continuations come.
const BLOCK: usize = 16 * 1024;

/// The largest table that header blocks may refer to, whatever they wish for: what browsers allow.
const TABLE: usize = 64 * 1024;

// Types of frames (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

// Flags.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Error codes (section 7), by their number.
const ERRORS: [&str; 14] = [
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

/// gRPC's codes of what became of a call, by their number.
const GRPC: [&str; 17] = [
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
    client: End,
    server: End,
    begun: bool,
}

/// What one side has said so far.
#[derive(Default)]
struct End {
    /// What its header blocks refer back to; nothing once that is unknown.
    table: Table,
    settings: bool,
    /// A header block whose end has not come, with its stream and whether only its fields count (a promise).
    block: Option<(u32, bool, Vec<u8>)>,
}

enum Table {
    Known(Decoder<'static>),
    Lost,
    /// The same, and it was said.
    Told,
}

impl Default for Table {
    fn default() -> Self {
        let mut decoder = Decoder::new();
        decoder.set_max_allowed_table_size(TABLE);
        Self::Known(decoder)
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Whether it begins with the preface, or a server's first frame.
pub fn guess(bytes: &[u8]) -> Guess {
    match Guess::starts(bytes, PREFACE, Guess::Client) {
        Guess::No => {}
        // The first letters are those of no method.
        Guess::Perhaps if bytes.len() >= 6 => return Guess::Client,
        guess => return guess,
    }
    match bytes {
        // SETTINGS of whole entries, on stream 0, which are no acknowledgement.
        [0, 0, length, SETTINGS, 0, 0, 0, 0, 0, entries @ ..] if length % 6 == 0 => match entries {
            _ if *length == 0 => Guess::No,
            [0, 1..=9, ..] => Guess::Server,
            [] | [0] => Guess::Perhaps,
            _ => Guess::No,
        },
        [0] | [0, 0] => Guess::Perhaps,
        [0, 0, length] | [0, 0, length, SETTINGS] if length % 6 == 0 && *length > 0 => {
            Guess::Perhaps
        }
        [0, 0, length, SETTINGS, rest @ ..]
            if length % 6 == 0
                && *length > 0
                && rest.len() < 5
                && rest.iter().all(|it| *it == 0) =>
        {
            Guess::Perhaps
        }
        _ => Guess::No,
    }
}

impl Sniffer for Http2 {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if from == Side::Client && !self.begun {
            match Guess::starts(bytes, PREFACE, Guess::Client) {
                Guess::Client => {
                    self.begun = true;
                    return Step::Took(PREFACE.len() as u64);
                }
                Guess::Perhaps => return Step::More,
                _ => self.begun = true,
            }
        }
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Step::More;
        };
        let [a, b, c, kind, flags, d, e, f, g] = *header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes([d & 0x7F, e, f, g]);
        let step = Step::Took((HEADER + length) as u64);
        if kind == DATA || kind > CONTINUATION && kind != 16 {
            // Frames of unknown types are to be skipped (section 5.5); where nothing fits any more they are none.
            return if kind > 32 { Step::Lost } else { step };
        }
        let content = match rest.get(..length) {
            Some(content) => content,
            None if whole && length < BLOCK => return Step::More,
            None => {
                if matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
                    self.end(from).lose();
                }
                return step;
            }
        };
        match kind {
            SETTINGS if flags & ACK == 0 => {
                let end = self.end(from);
                if !std::mem::replace(&mut end.settings, true) {
                    said.say(Kind::Note, "SETTINGS");
                }
            }
            HEADERS => {
                let mut block = unpadded(content, flags);
                if flags & PRIORITY != 0 {
                    block = block.get(5..).unwrap_or_default();
                }
                self.block(from, (stream, false, block), flags, said);
            }
            PUSH_PROMISE => {
                let block = unpadded(content, flags).get(4..).unwrap_or_default();
                self.block(from, (stream, true, block), flags, said);
            }
            CONTINUATION => {
                let begun = self.end(from).block.take();
                if let Some((stream, promise, mut block)) = begun {
                    block.extend_from_slice(content);
                    self.block(from, (stream, promise, &block), flags, said);
                }
            }
            RST_STREAM => {
                let error = error(content, 0);
                let kind = match from {
                    Side::Server => Kind::Answer(stream.into()),
                    Side::Client => Kind::Note,
                };
                let text = format!("stream {stream} broken off: {error}");
                match error == ERRORS[0] || error == ERRORS[8] {
                    true => said.say(Kind::Note, text),
                    false => said.fail(kind, text),
                }
            }
            GOAWAY => {
                let error = error(content, 4);
                let text = format!("GOAWAY: {error}");
                match error == ERRORS[0] {
                    true => said.say(Kind::Note, text),
                    false => said.fail(Kind::Note, text),
                }
            }
            _ => {}
        }
        step
    }
}

impl Http2 {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// A header block, or its part so far.
    fn block(
        &mut self,
        from: Side,
        (stream, promise, block): (u32, bool, &[u8]),
        flags: u8,
        said: &mut Said,
    ) {
        let end = self.end(from);
        if flags & END_HEADERS == 0 {
            match block.len() > BLOCK {
                true => end.lose(),
                false => end.block = Some((stream, promise, block.to_vec())),
            }
            return;
        }
        let mut fields = Fields::default();
        if let Table::Known(table) = &mut end.table {
            let decoded = table.decode_with_cb(block, |name, value| fields.add(&name, &value));
            if decoded.is_err() {
                end.lose();
            }
        }
        match &end.table {
            Table::Known(_) if promise => {}
            Table::Known(_) => fields.say(from, stream, flags & END_STREAM != 0, said),
            Table::Lost => {
                said.say(Kind::Note, "headers refer to others that were not seen");
                end.table = Table::Told;
            }
            Table::Told => {}
        }
    }
}

impl End {
    /// From here on nobody knows what header blocks refer to.
    fn lose(&mut self) {
        if let Table::Known(_) = self.table {
            self.table = Table::Lost;
        }
        self.block = None;
    }
}

/// The fields that matter.
#[derive(Default)]
struct Fields {
    method: Option<String>,
    path: Vec<u8>,
    authority: Option<String>,
    status: Option<String>,
    kind: Option<String>,
    grpc: Option<usize>,
}

impl Fields {
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let text = || String::from_utf8_lossy(&value[..value.len().min(BLOCK)]).into_owned();
        match name {
            b":method" => self.method = Some(text()),
            b":path" => self.path = value[..value.len().min(BLOCK)].to_vec(),
            b":authority" => self.authority = Some(text()),
            b":status" => self.status = Some(text()),
            b"content-type" => self.kind = Some(text()),
            b"grpc-status" => self.grpc = text().parse().ok(),
            _ => {}
        }
    }

    fn say(self, from: Side, stream: u32, ends: bool, said: &mut Said) {
        let stream = u64::from(stream);
        if let (Side::Client, Some(method)) = (from, self.method) {
            let path = secret::masked_url(&self.path, said);
            let detail = self.authority.map_or(Detail::None, |name| {
                Detail::Name(super::http::host(&name), Source::Host)
            });
            let text = format!("{method} {path}");
            return said.detail(Kind::Request(stream), text.trim_end(), detail);
        }
        let grpc = self.grpc.map(|code| {
            let name = GRPC.get(code).copied().unwrap_or("an unknown status");
            (format!("gRPC {name}"), code != 0)
        });
        match (self.status, grpc) {
            (Some(status), grpc) => {
                let mut text = status.clone();
                if let Some(kind) = &self.kind {
                    text.push(' ');
                    text.push_str(kind.split(';').next().unwrap_or_default());
                }
                let mut failed = !matches!(status.as_bytes(), [b'1'..=b'3', ..]);
                if let Some((grpc, fails)) = grpc {
                    text.push_str(", ");
                    text.push_str(&grpc);
                    failed |= fails;
                }
                // Informational ones come before the answer.
                let kind = match status.starts_with('1') && !ends {
                    true => Kind::Note,
                    false => Kind::Answer(stream),
                };
                match failed {
                    true => said.fail(kind, text),
                    false => said.say(kind, text),
                }
            }
            (None, Some((text, true))) => said.fail(Kind::Note, text),
            (None, Some((text, false))) => said.say(Kind::Note, text),
            (None, None) => {}
        }
    }
}

/// A frame's content without its padding.
fn unpadded(content: &[u8], flags: u8) -> &[u8] {
    match content {
        [padding, rest @ ..] if flags & PADDED != 0 => {
            let length = rest.len().saturating_sub(usize::from(*padding));
            &rest[..length]
        }
        _ => content,
    }
}

fn error(content: &[u8], at: usize) -> &'static str {
    let code = content
        .get(at..at + 4)
        .map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
    let name = code.and_then(|code| ERRORS.get(usize::try_from(code).ok()?));
    name.copied().unwrap_or("an unknown error")
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out};

    fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], content].concat()
    }

    pub fn dialogue() -> Dialogue {
        let literal = |name: &str, value: &str| {
            [
                &[0x40, name.len() as u8][..],
                name.as_bytes(),
                &[value.len() as u8],
                value.as_bytes(),
            ]
            .concat()
        };
        let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]);
        // :method GET, :path /, :scheme https and :authority (RFC 7541 appendix A), then the same by reference.
        let first = [&[0x82, 0x84, 0x87][..], &[0x41, 7], b"a.test:"].concat();
        let second = [&[0x82, 0x87, 0xBE][..], &[0x44, 9], b"/x?key=ab"].concat();
        vec![
            out([
                super::PREFACE,
                &settings,
                &frame(1, 5, 1, &first),
                &frame(1, 5, 3, &second),
            ]
            .concat()),
            back([settings.clone(), frame(4, 1, 0, &[])].concat()),
            back([frame(1, 4, 3, &[0x8D]), frame(0, 1, 3, b"body")].concat()),
            back(
                [
                    frame(1, 0, 1, &[0x88]),
                    frame(9, 4, 1, &literal("content-type", "application/grpc")),
                    frame(1, 5, 1, &literal("grpc-status", "5")),
                ]
                .concat(),
            ),
            back(frame(7, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 11])),
        ]
    }

    #[test]
    fn requests_and_answers_by_their_streams() {
        let dialogue = dialogue();
        assert_eq!(
            hear(&dialogue),
            [
                ". HTTP/2 SETTINGS",
                "? HTTP/2 GET /",
                "? HTTP/2 GET /x?key=**",
                ". HTTP/2 SETTINGS",
                "=! HTTP/2 404",
                "= HTTP/2 200 application/grpc",
                ".! HTTP/2 gRPC NOT_FOUND",
                ".! HTTP/2 GOAWAY: ENHANCE_YOUR_CALM",
            ]
        );
    }
}
