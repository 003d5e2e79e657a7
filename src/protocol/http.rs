//! HTTP/1.0 and 1.1 (RFC 9112): heads, bodies of every framing, pipelining, upgrades and tunnels.

use std::collections::VecDeque;

use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step, secret};

/// Methods of RFC 9110 section 9, RFC 5789 and RFC 4918, and what proxies ask each other.
const METHODS: &[&str] = &[
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "PURGE",
];

/// How many fields of a head are read.
const FIELDS: usize = 100;
/// How many requests may wait for their answers.
const WAITING: usize = 256;
/// The longest line that says how long a chunk is.
const CHUNK_LINE: usize = 256;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Http {
    /// What each side's latest head leads.
    client: Body,
    server: Body,
    /// What was asked and not answered yet, as far as it changes how the answer is read.
    waiting: VecDeque<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Usual,
    Head,
    Connect,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    /// None, or it is over: a head follows.
    #[default]
    None,
    /// Form fields of this length, and whether they go on in the middle of a secret.
    Form(u64, bool),
    /// Chunks (section 7.1).
    Chunks,
    /// Fields after the last chunk.
    Trailer,
    /// It ends with the connection.
    UntilClose,
}

/// Whether it begins as a head does.
pub fn guess(bytes: &[u8]) -> Guess {
    let server = Guess::starts(bytes, b"HTTP/1.", Guess::Server);
    if server != Guess::No {
        return server;
    }
    let line = bytes.iter().position(|byte| *byte == b'\n');
    let guesses = METHODS.iter().map(|method| {
        let method = method.as_bytes();
        match bytes.strip_prefix(method) {
            None => Guess::starts(bytes, method, Guess::No),
            Some([]) => Guess::Perhaps,
            Some([b' ', b'/' | b'h' | b'*', ..]) if line.is_none() => Guess::Client,
            Some([b' ', ..]) => match line {
                None => Guess::Perhaps,
                Some(end) => {
                    let line = bytes[..end].trim_ascii_end();
                    let version = line.len().saturating_sub(9);
                    match line[version..].starts_with(b" HTTP/1.") {
                        true => Guess::Client,
                        false => Guess::No,
                    }
                }
            },
            Some(_) => Guess::No,
        }
    });
    guesses
        .into_iter()
        .find(|guess| *guess != Guess::No)
        .unwrap_or(Guess::No)
}

impl Sniffer for Http {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let body = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        match *body {
            Body::UntilClose => return Step::Took(bytes.len() as u64),
            Body::Chunks => return chunk(bytes, body),
            Body::Trailer => return trailer(bytes, body),
            Body::Form(length, in_secret) => {
                *body = Body::None;
                let there = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let rest = length - there as u64;
                // What follows without having been copied may be in the middle of anything.
                if rest > 0 && !whole {
                    return Step::Secret(length);
                }
                let goes_on = secret::in_form_part(&bytes[..there], in_secret, said);
                if rest > 0 {
                    *body = Body::Form(rest, goes_on);
                }
                return Step::Took(there as u64);
            }
            Body::None => {}
        }
        // After a body that was not seen whole, what comes may be anything.
        match (guess(bytes), from) {
            (Guess::Client, Side::Client) => self.request(bytes, whole, said),
            (Guess::Server, Side::Server) => self.answer(bytes, whole, said),
            (Guess::Perhaps, _) => Step::More,
            _ if bytes.starts_with(b"\r\n") => Step::Took(2),
            _ => Step::Lost,
        }
    }
}

/// What matters of a head's fields.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    form: bool,
    kind: Option<String>,
    host: Option<String>,
    upgrade: Option<String>,
    location: Option<String>,
}

impl Fields {
    fn read(bytes: &[u8], headers: &[httparse::Header<'_>], said: &mut Said) -> Self {
        let mut fields = Self::default();
        for header in headers.iter().take_while(|header| !header.name.is_empty()) {
            let at = header.value.as_ptr() as usize - bytes.as_ptr() as usize;
            secret::in_field(header.name, header.value, at, said);
            let value = || String::from_utf8_lossy(header.value).trim().to_owned();
            match &*header.name.to_ascii_lowercase() {
                "content-length" => fields.length = value().parse().ok(),
                "transfer-encoding" => {
                    fields.chunked = value().to_ascii_lowercase().ends_with("chunked")
                }
                "content-type" => {
                    let value = value();
                    let kind = value.split(';').next().unwrap_or_default().trim();
                    fields.form = kind == "application/x-www-form-urlencoded";
                    fields.kind = Some(kind.to_owned());
                }
                "host" => fields.host = Some(value()),
                "upgrade" => fields.upgrade = Some(value().to_ascii_lowercase()),
                "location" => {
                    secret::in_url(header.value, at, said);
                    fields.location = Some(said.text(header.value, at));
                }
                _ => {}
            }
        }
        fields
    }

    fn body(&self) -> Body {
        match self.length {
            _ if self.chunked => Body::Chunks,
            Some(length @ 1..) if self.form => Body::Form(length, false),
            _ => Body::None,
        }
    }

    /// How many bytes follow the head that nobody needs to see.
    fn skipped(&self, body: Body) -> u64 {
        match body {
            Body::None => self.length.unwrap_or(0),
            _ => 0,
        }
    }
}

impl Http {
    fn request(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let mut headers = [httparse::EMPTY_HEADER; FIELDS];
        let mut head = httparse::Request::new(&mut headers);
        let parsed = head.parse(bytes);
        let (method, path) = (head.method, head.path);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => Some(length),
            Ok(httparse::Status::Partial) if whole => {
                secret::in_head(bytes, said);
                return Step::More;
            }
            Ok(httparse::Status::Partial) => None,
            Err(_) => return Step::Lost,
        };
        let Some((method, path)) = method.zip(path) else {
            return Step::Lost;
        };
        let at = path.as_ptr() as usize - bytes.as_ptr() as usize;
        secret::in_url(path.as_bytes(), at, said);
        let fields = Fields::read(bytes, head.headers, said);
        let text = format!("{method} {}", said.text(path.as_bytes(), at));
        let proxied = method == "CONNECT" || path.starts_with("http");
        let name = match method {
            "CONNECT" => Some((path.to_owned(), Source::Proxy)),
            _ => fields.host.clone().map(|host| (host, Source::Host)),
        };
        let name = name.filter(|_| method == "CONNECT" || !proxied);
        let detail = name.map_or(Detail::None, |(name, source)| {
            Detail::Name(host(&name), source)
        });
        said.detail(Kind::Request(0), text, detail);
        if self.waiting.len() < WAITING {
            self.waiting.push_back(match method {
                "HEAD" => Asked::Head,
                "CONNECT" => Asked::Connect,
                _ => Asked::Usual,
            });
        }
        self.client = fields.body();
        match length {
            Some(length) => Step::Took(length as u64 + fields.skipped(self.client)),
            None => {
                self.client = Body::None;
                Step::Lost
            }
        }
    }

    fn answer(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let mut headers = [httparse::EMPTY_HEADER; FIELDS];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(bytes);
        let (code, reason) = (head.code, head.reason.unwrap_or_default());
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => Some(length),
            Ok(httparse::Status::Partial) if whole => {
                secret::in_head(bytes, said);
                return Step::More;
            }
            Ok(httparse::Status::Partial) => None,
            Err(_) => return Step::Lost,
        };
        let Some(code) = code else {
            return Step::Lost;
        };
        let fields = Fields::read(bytes, head.headers, said);
        let mut text = code.to_string();
        for word in [Some(reason), fields.kind.as_deref()].into_iter().flatten() {
            if !word.is_empty() {
                text.push(' ');
                text.push_str(word);
            }
        }
        if let Some(location) = fields.location.as_ref().filter(|_| code / 100 == 3) {
            text.push_str(" → ");
            text.push_str(location);
        }
        let switches = code == 101;
        let asked = match code {
            100 | 102..=199 => Asked::Usual,
            _ => self.waiting.pop_front().unwrap_or(Asked::Usual),
        };
        let kind = match code {
            100 | 102..=199 => Kind::Note,
            _ => Kind::Answer(0),
        };
        match code >= 400 {
            true => said.fail(kind, text),
            false => said.say(kind, text),
        }
        let Some(length) = length else {
            self.server = Body::None;
            return Step::Lost;
        };
        let length = length as u64;
        if switches {
            let inner = match fields.upgrade.as_deref() {
                Some("websocket") => Some("WebSocket"),
                Some("h2c") => Some("HTTP/2"),
                _ => None,
            };
            return Step::Inside(length, inner);
        }
        if asked == Asked::Connect && code / 100 == 2 {
            return Step::Inside(length, None);
        }
        let empty = asked == Asked::Head || code < 200 || matches!(code, 204 | 304);
        self.server = match fields.body() {
            _ if empty => Body::None,
            Body::Form(..) => Body::None,
            Body::None if fields.length.is_none() => Body::UntilClose,
            body => body,
        };
        let skipped = if empty {
            0
        } else {
            fields.skipped(self.server)
        };
        Step::Took(length + skipped)
    }
}

/// One chunk with its line, or the line of the last one.
fn chunk(bytes: &[u8], body: &mut Body) -> Step {
    match httparse::parse_chunk_size(bytes) {
        Ok(httparse::Status::Complete((line, 0))) => {
            *body = Body::Trailer;
            Step::Took(line as u64)
        }
        Ok(httparse::Status::Complete((line, size))) => {
            Step::Took((line as u64 + 2).saturating_add(size))
        }
        Ok(httparse::Status::Partial) if bytes.len() < CHUNK_LINE => Step::More,
        _ => {
            *body = Body::None;
            Step::Lost
        }
    }
}

/// A line of the trailer, the empty one being the last.
fn trailer(bytes: &[u8], body: &mut Body) -> Step {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Step::More;
    };
    if bytes[..end].trim_ascii().is_empty() {
        *body = Body::None;
    }
    Step::Took(end as u64 + 1)
}

/// The name without its port, in lower case.
pub(super) fn host(name: &str) -> String {
    let name = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => name,
    };
    name.trim_matches(['[', ']']).to_ascii_lowercase()
}
