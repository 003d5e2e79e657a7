//! The name service's questions and answers (RFC 1035), in datagrams, in streams (section 4.2.2) and among machines (RFC 6762).

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{Packet, PacketFlag, QTYPE, RCODE};

use super::said::{Detail, Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The header (section 4.1.1), in bytes.
const HEADER: usize = 12;
/// The most answers that are told.
const ANSWERS: usize = 64;

/// One question, or the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The number that the answer repeats.
    pub id: u16,
    /// The name, without the dot at its end.
    pub name: String,
    /// What is asked of it.
    pub asked: Asked,
    /// What the answer says; nothing in a question.
    pub verdict: Option<Verdict>,
}

/// What is asked of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses.
    Aaaa,
    /// Something else, by the type's name.
    Other(String),
}

impl Asked {
    /// The type's name.
    pub fn word(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Other(word) => word,
        }
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The name has these addresses, and so many other records.
    Found(Vec<IpAddr>, usize),
    /// The name exists and has nothing of what was asked.
    Nothing,
    /// It does not exist (NXDOMAIN).
    NoSuchName,
    /// The answer did not fit in (TC): it has to be asked for by TCP. These addresses did.
    Cut(Vec<IpAddr>),
    /// The server would or could not answer: its code, as a word.
    Refused(&'static str),
}

/// Listens to one conversation.
#[derive(Debug)]
pub struct Dns {
    stream: bool,
}

impl Dns {
    /// With its length before each message.
    pub fn in_stream() -> Self {
        Self { stream: true }
    }

    /// A message a datagram.
    pub fn in_datagrams() -> Self {
        Self { stream: false }
    }
}

/// Whether a datagram is a message: it has to be whole, with one question that is a name of its own.
pub fn guess(bytes: &[u8]) -> Guess {
    if bytes.len() <= HEADER + 5 || bytes[4..6] != [0, 1] && bytes[4..6] != [0, 0] {
        return Guess::No;
    }
    match Packet::parse(bytes) {
        Ok(packet) if packet.has_flags(PacketFlag::RESPONSE) => Guess::Server,
        Ok(packet) if !packet.questions.is_empty() && packet.answers.is_empty() => Guess::Client,
        _ => Guess::No,
    }
}

/// The same with its length before it.
pub fn guess_stream(bytes: &[u8]) -> Guess {
    let Some((length, message)) = bytes.split_first_chunk() else {
        return Guess::Perhaps;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length <= HEADER + 5 {
        return Guess::No;
    }
    match message {
        // One question, or none in an answer; no more than opcodes that exist, and the bit that must be zero.
        [_, _, flags, more, 0, 0 | 1, rest @ ..]
            if (flags >> 3) & 15 < 6 && more & 0x40 == 0 && rest.len() < length =>
        {
            match message.get(..length) {
                Some(message) => guess(message),
                None => Guess::Perhaps,
            }
        }
        [_, _, _, _, _, _, ..] => Guess::No,
        _ => Guess::Perhaps,
    }
}

impl Sniffer for Dns {
    fn read(&mut self, _from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        if !self.stream {
            message(bytes, said);
            return Step::Took(bytes.len() as u64);
        }
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Step::More;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        match rest.get(..length) {
            Some(bytes) => message(bytes, said),
            None if whole => return Step::More,
            None => {}
        }
        Step::Took(length as u64 + 2)
    }
}

fn message(bytes: &[u8], said: &mut Said) {
    let Ok(packet) = Packet::parse(bytes) else {
        return;
    };
    let response = packet.has_flags(PacketFlag::RESPONSE);
    let id = packet.id();
    let owner = packet.answers.first().map(|record| record.name.to_string());
    let (name, asked) = match packet.questions.first() {
        Some(question) => (question.qname.to_string(), asked(question.qtype)),
        // Of machines around: what is told answers questions that others asked.
        None if response => (owner.unwrap_or_default(), Asked::Other("any".into())),
        None => return,
    };
    if !response {
        let text = format!("{}? {name}", asked.word());
        let lookup = Lookup {
            id,
            name,
            asked,
            verdict: None,
        };
        let kind = Kind::Request(id.into());
        return said.detail(kind, text, Detail::Lookup(Box::new(lookup)));
    }
    let verdict = verdict(&packet);
    let text = format!("{name} {}", words(&verdict, &packet));
    let failed = matches!(verdict, Verdict::NoSuchName | Verdict::Refused(_));
    let lookup = Lookup {
        id,
        name,
        asked,
        verdict: Some(verdict),
    };
    if let Some(message) = said.add(Kind::Answer(id.into()), text) {
        message.failed = failed;
        message.detail = Detail::Lookup(Box::new(lookup));
    }
}

fn asked(kind: QTYPE) -> Asked {
    match kind {
        QTYPE::TYPE(simple_dns::TYPE::A) => Asked::A,
        QTYPE::TYPE(simple_dns::TYPE::AAAA) => Asked::Aaaa,
        QTYPE::TYPE(simple_dns::TYPE::Unknown(number)) => Asked::Other(format!("TYPE{number}")),
        QTYPE::TYPE(kind) => Asked::Other(format!("{kind:?}")),
        other => Asked::Other(format!("{other:?}")),
    }
}

fn verdict(packet: &Packet<'_>) -> Verdict {
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Verdict::NoSuchName,
        RCODE::FormatError => return Verdict::Refused("FORMERR"),
        RCODE::ServerFailure => return Verdict::Refused("SERVFAIL"),
        RCODE::NotImplemented => return Verdict::Refused("NOTIMP"),
        RCODE::Refused => return Verdict::Refused("REFUSED"),
        _ => return Verdict::Refused("an error"),
    }
    let addresses = packet
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(it) => Some(IpAddr::from(it.address.to_be_bytes())),
            RData::AAAA(it) => Some(IpAddr::from(it.address.to_be_bytes())),
            _ => None,
        });
    let addresses: Vec<_> = addresses.take(ANSWERS).collect();
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Verdict::Cut(addresses);
    }
    // That a name stands for another answers nothing by itself.
    let others = packet.answers.iter().filter(|record| {
        !matches!(
            record.rdata,
            RData::A(_) | RData::AAAA(_) | RData::CNAME(_) | RData::OPT(_)
        )
    });
    match (addresses, others.count()) {
        (addresses, 0) if addresses.is_empty() => Verdict::Nothing,
        (addresses, others) => Verdict::Found(addresses, others),
    }
}

fn words(verdict: &Verdict, packet: &Packet<'_>) -> String {
    match verdict {
        Verdict::Found(addresses, _) if !addresses.is_empty() => {
            let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
            format!("→ {}", addresses.join(", "))
        }
        Verdict::Found(_, others) => {
            let first = packet.answers.iter().find_map(|record| rest(&record.rdata));
            match first {
                Some(first) if *others == 1 => format!("→ {first}"),
                Some(first) => format!("→ {first} and {} more", others - 1),
                None => format!("→ {others} records"),
            }
        }
        Verdict::Nothing => "→ nothing of that kind".into(),
        Verdict::NoSuchName => "→ no such name (NXDOMAIN)".into(),
        Verdict::Cut(_) => "→ answer too long for UDP (TC)".into(),
        Verdict::Refused(code) => format!("→ the server answers {code}"),
    }
}

/// The records that people ask for by hand, as text.
fn rest(data: &RData<'_>) -> Option<String> {
    Some(match data {
        RData::PTR(it) => it.to_string(),
        RData::NS(it) => it.to_string(),
        RData::MX(it) => format!("{} {}", it.preference, it.exchange),
        RData::SRV(it) => format!("{}:{}", it.target, it.port),
        RData::TXT(it) => String::try_from(it.clone()).ok()?,
        _ => return None,
    })
}
