//! What a sniffer says: messages, what they name, and which bytes are secret.

use std::ops::Range;

use super::Lookup;

/// The longest text of a message, in bytes: the screen cuts it further.
const TEXT: usize = 256;

/// How many messages of one call are told one by one.
const MESSAGES: usize = 64;

/// One message, or what is worth saying of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The protocol's name.
    pub protocol: &'static str,
    /// Its place in the dialogue.
    pub kind: Kind,
    /// What it says, secrets masked. The bytes are the tracee's or its peer's: not safe to print.
    pub text: String,
    /// Whether it says that something has gone wrong.
    pub failed: bool,
    /// What else it tells.
    pub detail: Detail,
}

/// A message's place in the dialogue. The number tells which answer belongs to which request where they may overtake each other;
/// elsewhere it is 0 and the order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It wants an answer.
    Request(u64),
    /// It is the answer.
    Answer(u64),
    /// Neither.
    Note,
}

/// What a message tells beside its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// By what name the server is called.
    Name(String, Source),
    /// A question to the name service, or its answer.
    Lookup(Box<Lookup>),
    /// From here on what is said is encrypted.
    Secured,
    /// From here on the name service's answers are read in memory, without any call.
    Mapped,
}

/// How a name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A name server's answer.
    Dns,
    /// An answer of the machines around (RFC 6762).
    Mdns,
    /// An answer of this machine's cache (nscd(8)).
    Nscd,
    /// The server name in a TLS handshake (RFC 6066 section 3).
    Sni,
    /// The Host field of an HTTP request (RFC 9110 section 7.2).
    Host,
    /// What a proxy was asked to connect to.
    Proxy,
    /// The hosts file, and the program's own arguments: it is likely.
    Hosts,
    /// The library's resolver, which told the program; whom that had asked was not seen.
    Library,
}

impl Source {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Nscd => "nscd",
            Self::Sni => "sni",
            Self::Host => "host",
            Self::Proxy => "proxy",
            Self::Hosts => "hosts",
            Self::Library => "library",
        }
    }
}

/// What was said in one call.
#[derive(Debug, Default)]
pub struct Said {
    /// The messages, in their order.
    pub messages: Vec<Message>,
    /// Messages that there was no room for.
    pub more: u64,
    /// Where secrets lie: in the bytes that the sniffer was shown, and once it has spoken, in the call's data.
    pub secrets: Vec<Range<usize>>,
    /// Whether secrets are shown all the same.
    shows_secrets: bool,
    /// Whether there was any.
    secret: bool,
    /// The protocol that speaks.
    protocol: &'static str,
    /// How many of the secrets came before the message that is read now.
    earlier: usize,
}

impl Said {
    /// Nothing said yet.
    pub fn new(shows_secrets: bool) -> Self {
        Self {
            shows_secrets,
            ..Self::default()
        }
    }

    /// Another one, for bytes that are shown nowhere.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.shows_secrets)
    }

    /// Now that protocol speaks, about bytes of its own.
    pub(super) fn begin(&mut self, protocol: &'static str) {
        (self.protocol, self.earlier) = (protocol, self.secrets.len());
    }

    /// What it was shown stands at `at`.
    pub(super) fn place(&mut self, at: usize) {
        for secret in &mut self.secrets[self.earlier..] {
            (secret.start, secret.end) = (secret.start + at, secret.end + at);
        }
    }

    /// Adds a message; nothing where there is no room for more.
    pub fn add(&mut self, kind: Kind, text: impl Into<String>) -> Option<&mut Message> {
        if self.messages.len() >= MESSAGES {
            self.more += 1;
            return None;
        }
        let mut text = text.into();
        if text.len() > TEXT {
            let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            text.push('…');
        }
        self.messages.push(Message {
            protocol: self.protocol,
            kind,
            text,
            failed: false,
            detail: Detail::None,
        });
        self.messages.last_mut()
    }

    /// Adds one that tells no more than its words.
    pub fn say(&mut self, kind: Kind, text: impl Into<String>) {
        self.add(kind, text);
    }

    /// Adds one that tells of a failure.
    pub fn fail(&mut self, kind: Kind, text: impl Into<String>) {
        if let Some(message) = self.add(kind, text) {
            message.failed = true;
        }
    }

    /// Adds one that tells more.
    pub fn detail(&mut self, kind: Kind, text: impl Into<String>, detail: Detail) {
        if let Some(message) = self.add(kind, text) {
            message.detail = detail;
        }
    }

    /// Notes that those bytes are secret.
    pub fn hide(&mut self, bytes: Range<usize>) {
        self.secret |= !bytes.is_empty();
        if !self.shows_secrets && !bytes.is_empty() {
            self.secrets.push(bytes);
        }
    }

    /// Whether a secret was in it, masked or not.
    pub fn has_secret(&self) -> bool {
        self.secret
    }

    /// Those bytes as text, secrets masked; `at` is where they stand in what the sniffer was shown.
    pub fn text(&self, bytes: &[u8], at: usize) -> String {
        let mut bytes = bytes[..bytes.len().min(2 * TEXT)].to_vec();
        for secret in &self.secrets[self.earlier..] {
            mask(&mut bytes, at, secret);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Masks what of a secret lies in the bytes, which stand at `at`.
pub fn mask(bytes: &mut [u8], at: usize, secret: &Range<usize>) {
    let place = |end: usize| end.saturating_sub(at).min(bytes.len());
    let (start, end) = (place(secret.start), place(secret.end));
    bytes[start..end].fill(b'*');
}
