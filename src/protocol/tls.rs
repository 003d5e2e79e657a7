//! TLS (RFC 8446, RFC 5246): what both sides say before they encrypt, and alerts. What is inside stays closed.

use tls_parser::{
    TlsAlertDescription, TlsExtension, TlsVersion, parse_tls_client_hello_extension,
    parse_tls_handshake_client_hello, parse_tls_handshake_server_hello,
    parse_tls_server_hello_extension,
};

use super::said::{Detail, Kind, Said, Source};
use super::{Guess, Side, Sniffer, Step};

/// A record's header, and the longest record (RFC 8446 section 5.2; RFC 5246 allows a little more).
const HEADER: usize = 5;
const RECORD: usize = (1 << 14) + 2048;

// The types of records (RFC 8446 section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

// The types of handshake messages that are read (section 4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// The random of a ServerHello that asks for another ClientHello (section 4.1.3).
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// Alerts (section 6) in words, by their number.
const ALERTS: &[(u8, &str)] = &[
    (0, "closes in order (close_notify)"),
    (10, "a message came out of order (unexpected_message)"),
    (20, "a record was damaged (bad_record_mac)"),
    (22, "a record was too long (record_overflow)"),
    (40, "no common parameters (handshake_failure)"),
    (42, "the certificate is broken (bad_certificate)"),
    (
        43,
        "this kind of certificate is not supported (unsupported_certificate)",
    ),
    (44, "the certificate was revoked (certificate_revoked)"),
    (45, "the certificate has expired (certificate_expired)"),
    (46, "the certificate was not accepted (certificate_unknown)"),
    (47, "a field makes no sense (illegal_parameter)"),
    (48, "nobody trusted has signed the certificate (unknown_ca)"),
    (49, "access denied (access_denied)"),
    (50, "a message could not be read (decode_error)"),
    (51, "a signature is wrong (decrypt_error)"),
    (70, "no common version (protocol_version)"),
    (71, "what is offered is too weak (insufficient_security)"),
    (80, "something failed inside (internal_error)"),
    (
        86,
        "a fallback that was not needed (inappropriate_fallback)",
    ),
    (90, "the user gave up (user_canceled)"),
    (109, "something is missing (missing_extension)"),
    (110, "something was not asked for (unsupported_extension)"),
    (112, "no server of that name here (unrecognized_name)"),
    (
        113,
        "the certificate's status is bad (bad_certificate_status_response)",
    ),
    (115, "the shared key is unknown (unknown_psk_identity)"),
    (
        116,
        "a certificate of the client is needed (certificate_required)",
    ),
    (120, "no common protocol inside (no_application_protocol)"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Tls {
    /// Whether what each side sends is encrypted from now on.
    client_encrypts: bool,
    server_encrypts: bool,
    /// Whether the client's first encrypted record has passed: it ends the handshake.
    finished: bool,
    /// Whether a ClientHello was seen: where tracing began later, no end of a handshake is told.
    begun: bool,
    /// The version that the server chose.
    version: Option<u16>,
    /// The session that the client wishes to resume (RFC 5246 section 7.4.1.2).
    session: Vec<u8>,
}

/// Whether it begins as a record does.
pub fn guess(bytes: &[u8]) -> Guess {
    let length = bytes
        .get(3..5)
        .map(|it| usize::from(u16::from_be_bytes([it[0], it[1]])));
    let fits = length.is_none_or(|length| (1..=RECORD).contains(&length));
    match bytes {
        [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO, 0, ..] if fits => Guess::Client,
        [HANDSHAKE, 3, 0..=4, _, _, SERVER_HELLO, 0, ..] if fits => Guess::Server,
        // Where tracing begins in the middle, nobody can tell who the client is.
        [APPLICATION_DATA, 3, 3, _, _, ..] if fits && length > Some(16) => Guess::Either,
        [HANDSHAKE] | [HANDSHAKE, 3] | [HANDSHAKE, 3, 0..=4] | [HANDSHAKE, 3, 0..=4, _] => {
            Guess::Perhaps
        }
        [HANDSHAKE, 3, 0..=4, _, _] if fits => Guess::Perhaps,
        [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO | SERVER_HELLO] if fits => Guess::Perhaps,
        [APPLICATION_DATA] | [APPLICATION_DATA, 3] | [APPLICATION_DATA, 3, 3] => Guess::Perhaps,
        [APPLICATION_DATA, 3, 3, _] => Guess::Perhaps,
        _ => Guess::No,
    }
}

impl Sniffer for Tls {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Step::More;
        };
        let [kind, 3, 0..=4, high, low] = *header else {
            return Step::Lost;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(CHANGE_CIPHER_SPEC..=24).contains(&kind) || length > RECORD {
            return Step::Lost;
        }
        let step = Step::Took((HEADER + length) as u64);
        let encrypted = match from {
            Side::Client => self.client_encrypts,
            Side::Server => self.server_encrypts,
        };
        if encrypted || kind == APPLICATION_DATA {
            // A client of TLS 1.3 says first that nothing has changed (appendix D.4).
            if from == Side::Client && kind != CHANGE_CIPHER_SPEC {
                self.finish(said);
            }
            return step;
        }
        if kind == CHANGE_CIPHER_SPEC {
            if self.version != Some(0x0304) {
                self.encrypt(from);
            }
            return step;
        }
        let content = match rest.get(..length) {
            Some(content) => content,
            None if whole => return Step::More,
            None => rest,
        };
        match kind {
            HANDSHAKE => self.handshake(content, said),
            ALERT => alert(content, said),
            _ => {}
        }
        step
    }
}

impl Tls {
    fn encrypt(&mut self, side: Side) {
        match side {
            Side::Client => self.client_encrypts = true,
            Side::Server => self.server_encrypts = true,
        }
    }

    fn finish(&mut self, said: &mut Said) {
        if self.begun && !self.finished {
            self.finished = true;
            said.detail(Kind::Note, "handshake done", Detail::Secured);
        }
    }

    /// The messages of a record, as far as they are there.
    pub(super) fn handshake(&mut self, mut content: &[u8], said: &mut Said) {
        while let [kind, high, middle, low, rest @ ..] = content {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let message = &rest[..rest.len().min(length)];
            match *kind {
                CLIENT_HELLO => self.client_hello(message, said),
                SERVER_HELLO => self.server_hello(message, said),
                _ => {}
            }
            content = &rest[message.len()..];
        }
    }

    fn client_hello(&mut self, message: &[u8], said: &mut Said) {
        let Ok((rest, hello)) = parse_tls_handshake_client_hello(message) else {
            return;
        };
        (self.begun, self.finished) = (true, false);
        self.session = hello.session_id.unwrap_or_default().to_vec();
        // Of a long list only the first part may be there.
        let mut extensions = hello.ext.unwrap_or(rest.get(2..).unwrap_or_default());
        let mut newest = hello.version.0;
        let (mut name, mut protocols) = (None, Vec::new());
        while let Ok((rest, extension)) = parse_tls_client_hello_extension(extensions) {
            match extension {
                TlsExtension::SNI(names) => {
                    let first = names.first();
                    name = first.map(|(_, name)| String::from_utf8_lossy(name).into_owned());
                }
                TlsExtension::ALPN(names) => protocols = names,
                TlsExtension::SupportedVersions(versions) => {
                    // Values that are no versions keep servers used to such (RFC 8701).
                    let known = versions.iter().map(|version| version.0);
                    newest = known.filter(|it| it >> 8 == 3).max().unwrap_or(newest);
                }
                _ => {}
            }
            if rest.len() == extensions.len() {
                break;
            }
            extensions = rest;
        }
        let mut text = String::from("ClientHello");
        if let Some(name) = &name {
            text.push(' ');
            text.push_str(name);
        }
        text.push_str(", up to ");
        text.push_str(version(newest));
        if !protocols.is_empty() {
            text.push_str(", ALPN");
            for protocol in protocols.iter().take(8) {
                text.push(' ');
                text.push_str(&String::from_utf8_lossy(protocol));
            }
        }
        let name = name.map(|name| Detail::Name(name.to_ascii_lowercase(), Source::Sni));
        said.detail(Kind::Request(0), text, name.unwrap_or_default());
    }

    fn server_hello(&mut self, message: &[u8], said: &mut Said) {
        let Ok((_, hello)) = parse_tls_handshake_server_hello(message) else {
            return;
        };
        if hello.random == RETRY {
            said.say(
                Kind::Answer(0),
                "HelloRetryRequest: another key share, please",
            );
            return;
        }
        let mut chosen = hello.version.0;
        let (mut resumed, mut protocol) = (false, None);
        let mut extensions = hello.ext.unwrap_or_default();
        while let Ok((rest, extension)) = parse_tls_server_hello_extension(extensions) {
            match extension {
                TlsExtension::SupportedVersions(versions) => {
                    chosen = versions.first().map_or(chosen, |version| version.0);
                }
                TlsExtension::PreSharedKey(_) => resumed = true,
                TlsExtension::ALPN(names) => protocol = names.first().copied(),
                _ => {}
            }
            if rest.len() == extensions.len() {
                break;
            }
            extensions = rest;
        }
        self.version = Some(chosen);
        if chosen >= 0x0304 {
            self.server_encrypts = true;
            self.client_encrypts = true;
        } else {
            // The server repeats the session's number where it goes on with it.
            let session = hello.session_id.unwrap_or_default();
            resumed = !session.is_empty() && session == self.session;
        }
        let mut text = format!("ServerHello {} ", version(chosen));
        match hello.cipher.get_ciphersuite() {
            Some(suite) => text.push_str(suite.name.trim_start_matches("TLS_")),
            None => text.push_str(&format!("{:#06x}", hello.cipher.0)),
        }
        if let Some(protocol) = protocol {
            text.push_str(", ALPN ");
            text.push_str(&String::from_utf8_lossy(protocol));
        }
        if resumed {
            text.push_str(", session resumed");
        }
        said.say(Kind::Answer(0), text);
    }
}

fn version(version: u16) -> &'static str {
    match TlsVersion(version) {
        TlsVersion::Ssl30 => "SSL 3.0",
        TlsVersion::Tls10 => "1.0",
        TlsVersion::Tls11 => "1.1",
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
        _ => "an unknown version",
    }
}

fn alert(content: &[u8], said: &mut Said) {
    let [level, number] = *content else {
        return;
    };
    let text = format!("alert: {}", alert_in_words(number));
    // 1 is a warning (section 6).
    match level == 1 || matches!(number, 0 | 90) {
        true => said.say(Kind::Note, text),
        false => said.fail(Kind::Answer(0), text),
    }
}

/// What an alert of that number means.
pub(super) fn alert_in_words(number: u8) -> String {
    let row = ALERTS.iter().find(|(known, _)| *known == number);
    match row {
        Some((_, words)) => (*words).to_owned(),
        None => TlsAlertDescription(number).to_string(),
    }
}
