//! What was said in a call, as part of its line: a replay of a trace whose data was cut tells it again from there.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::protocol::{Asked, Detail, Kind, Lookup, Message, PROTOCOLS, Source, Verdict};

/// The most messages of one call that are read.
const MESSAGES: usize = 1024;

/// One message of a protocol.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MessageLine<'a> {
    /// The protocol.
    pub protocol: Cow<'a, str>,
    /// Its place in the dialogue: request, answer or note.
    pub kind: Cow<'a, str>,
    /// The number that an answer has in common with its request, where they may overtake each other.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub id: u64,
    /// What it says, secrets masked.
    pub text: Cow<'a, str>,
    /// Whether it says that something has gone wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Whether what follows is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secured: bool,
    /// Whether from here on the name service's answers are read in memory, without any call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mapped: bool,
    /// By what name the server is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// How that name is known: sni, host or proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_source: Option<Cow<'a, str>>,
    /// What the name service was asked, or said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupLine<'a>>,
}

/// A question to the name service, or its answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LookupLine<'a> {
    /// The name.
    pub name: Cow<'a, str>,
    /// The type of record: A, AAAA …
    pub asked: Cow<'a, str>,
    /// What the answer says: found, nothing, no-such-name, cut, or the server's code; nothing in a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Cow<'a, str>>,
    /// The addresses that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub addresses: Vec<IpAddr>,
    /// How many records of other types it has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub records: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The codes of servers that would or could not answer.
const CODES: [&str; 5] = ["FORMERR", "SERVFAIL", "NOTIMP", "REFUSED", "an error"];

impl<'a> MessageLine<'a> {
    /// The line of a message.
    pub fn of(message: &'a Message) -> Self {
        let (kind, id) = match message.kind {
            Kind::Request(id) => ("request", id),
            Kind::Answer(id) => ("answer", id),
            Kind::Note => ("note", 0),
        };
        let mut line = Self {
            protocol: message.protocol.into(),
            kind: kind.into(),
            id,
            text: message.text.as_str().into(),
            failed: message.failed,
            ..Self::default()
        };
        match &message.detail {
            Detail::None => {}
            Detail::Secured => line.secured = true,
            Detail::Mapped => line.mapped = true,
            Detail::Name(name, source) => {
                line.name = Some(name.as_str().into());
                line.name_source = Some(source.word().into());
            }
            Detail::Lookup(lookup) => line.lookup = Some(LookupLine::of(lookup)),
        }
        line
    }

    /// The message; nothing for one that this version does not know.
    pub fn message(self) -> Option<Message> {
        let row = PROTOCOLS.iter().find(|row| row.name == self.protocol)?;
        let source = match self.name_source.as_deref() {
            Some("sni") => Some(Source::Sni),
            Some("host") => Some(Source::Host),
            Some("proxy") => Some(Source::Proxy),
            _ => None,
        };
        let detail = match (self.lookup, self.name, source) {
            (Some(lookup), ..) => {
                let id = u16::try_from(self.id).unwrap_or(0);
                Detail::Lookup(Box::new(lookup.lookup(id)?))
            }
            (None, Some(name), Some(source)) => Detail::Name(name.into_owned(), source),
            _ if self.secured => Detail::Secured,
            _ if self.mapped => Detail::Mapped,
            _ => Detail::None,
        };
        Some(Message {
            protocol: row.name,
            kind: match &*self.kind {
                "request" => Kind::Request(self.id),
                "answer" => Kind::Answer(self.id),
                _ => Kind::Note,
            },
            text: self.text.into_owned(),
            failed: self.failed,
            detail,
        })
    }
}

impl<'a> LookupLine<'a> {
    fn of(lookup: &'a Lookup) -> Self {
        let mut line = Self {
            name: lookup.name.as_str().into(),
            asked: lookup.asked.word().into(),
            ..Self::default()
        };
        line.verdict = lookup.verdict.as_ref().map(|verdict| {
            Cow::Borrowed(match verdict {
                Verdict::Found(addresses, records) => {
                    (line.addresses, line.records) = (addresses.clone(), *records as u64);
                    "found"
                }
                Verdict::Nothing => "nothing",
                Verdict::NoSuchName => "no-such-name",
                Verdict::Cut(addresses) => {
                    line.addresses = addresses.clone();
                    "cut"
                }
                Verdict::Refused(code) => code,
            })
        });
        line
    }

    fn lookup(self, id: u16) -> Option<Lookup> {
        let verdict = match self.verdict.as_deref() {
            None => None,
            Some("found") => {
                let records = usize::try_from(self.records).unwrap_or(usize::MAX);
                Some(Verdict::Found(self.addresses, records))
            }
            Some("nothing") => Some(Verdict::Nothing),
            Some("no-such-name") => Some(Verdict::NoSuchName),
            Some("cut") => Some(Verdict::Cut(self.addresses)),
            Some(code) => {
                let code = CODES.iter().find(|known| **known == code)?;
                Some(Verdict::Refused(code))
            }
        };
        Some(Lookup {
            id,
            name: self.name.into_owned(),
            asked: match &*self.asked {
                "A" => Asked::A,
                "AAAA" => Asked::Aaaa,
                other => Asked::Other(other.to_owned()),
            },
            verdict,
        })
    }
}

/// The messages of a line.
pub fn messages(lines: Vec<MessageLine<'_>>) -> Vec<Message> {
    let lines = lines.into_iter().take(MESSAGES);
    lines.filter_map(MessageLine::message).collect()
}
