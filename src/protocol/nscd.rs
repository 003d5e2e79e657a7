//! The name service's cache on this machine: what glibc asks nscd(8) by its UNIX socket, one question a connection.
//!
//! A question is three numbers (version, kind, length of the key) and the key; an answer begins with the version and whether there is
//! one. All numbers are `int32_t` in the machine's own order (glibc's nscd/nscd-client.h). Of hosts the whole answer is read.

use std::net::IpAddr;

use super::said::{Detail, Kind, Said};
use super::{Asked, Guess, Lookup, Side, Sniffer, Step, Verdict};

/// The only version.
const VERSION: i32 = 2;
/// The longest key.
const KEY: i32 = 1024;
/// The most addresses that are told.
const ADDRESSES: usize = 64;

/// What is asked, by the kind's number: its name, and what it looks up.
const QUESTIONS: &[(&str, About)] = &[
    ("GETPWBYNAME", About::Secret),
    ("GETPWBYUID", About::Secret),
    ("GETGRBYNAME", About::Secret),
    ("GETGRBYGID", About::Secret),
    ("GETHOSTBYNAME", About::Host("A")),
    ("GETHOSTBYNAMEv6", About::Host("AAAA")),
    ("GETHOSTBYADDR", About::Host("PTR")),
    ("GETHOSTBYADDRv6", About::Host("PTR")),
    ("SHUTDOWN", About::Other),
    ("GETSTAT", About::Other),
    ("INVALIDATE", About::Other),
    ("GETFDPW", About::Cache),
    ("GETFDGR", About::Cache),
    ("GETFDHST", About::HostCache),
    ("GETAI", About::Addresses),
    ("INITGROUPS", About::Other),
    ("GETSERVBYNAME", About::Other),
    ("GETSERVBYPORT", About::Other),
    ("GETFDSERV", About::Cache),
    ("GETNETGRENT", About::Other),
    ("INNETGR", About::Other),
    ("GETFDNETGR", About::Cache),
];

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// A host, by that type of record.
    Host(&'static str),
    /// A host's addresses of every family.
    Addresses,
    /// A cache itself, as a file to be mapped: what is found in it passes no socket.
    Cache,
    /// That of hosts.
    HostCache,
    /// People, whose passwords may be in the answer.
    Secret,
    /// Something else.
    Other,
}

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Nscd {
    /// What was asked: the kind's number and the key as text.
    asked: Option<(usize, String)>,
}

/// Whether it begins as a question does.
pub fn guess(bytes: &[u8]) -> Guess {
    let start = VERSION.to_ne_bytes();
    let Some(header) = bytes.get(..12) else {
        return Guess::starts(bytes, &start[..bytes.len().min(4)], Guess::Perhaps);
    };
    let known = usize::try_from(number(header, 4)).is_ok_and(|kind| kind < QUESTIONS.len());
    match header[..4] == start && known && (1..=KEY).contains(&number(header, 8)) {
        true => Guess::Client,
        false => Guess::No,
    }
}

impl Sniffer for Nscd {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        match from {
            Side::Client => self.question(bytes, said),
            Side::Server => self.answer(bytes, whole, said),
        }
    }
}

impl Nscd {
    fn question(&mut self, bytes: &[u8], said: &mut Said) -> Step {
        let Some(header) = bytes.get(..12) else {
            return Step::More;
        };
        let (kind, length) = (number(header, 4), number(header, 8));
        let (Ok(kind), Ok(length)) = (usize::try_from(kind), usize::try_from(length)) else {
            return Step::Wrong;
        };
        let (true, Some((word, about))) = (length <= KEY as usize, QUESTIONS.get(kind)) else {
            return Step::Wrong;
        };
        let Some(key) = bytes.get(12..12 + length) else {
            return Step::More;
        };
        let key = match (ip(key), about) {
            (Some(ip), About::Host("PTR")) => ip.to_string(),
            _ => String::from_utf8_lossy(key.strip_suffix(b"\0").unwrap_or(key)).into_owned(),
        };
        let text = format!("{word} {key}");
        self.asked = Some((kind, key));
        match self.lookup(None) {
            Some(lookup) => said.detail(Kind::Request(0), text, lookup),
            None => said.say(Kind::Request(0), text),
        }
        Step::Took(12 + length as u64)
    }

    fn answer(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some((kind, key)) = &self.asked else {
            return Step::Wrong;
        };
        let about = QUESTIONS[*kind].1;
        if matches!(about, About::Cache | About::HostCache) {
            // It comes with a descriptor, and has the key and the length of the file.
            let text = format!("the cache of {key}, to be read in memory");
            let detail = match about {
                About::HostCache => Detail::Mapped,
                _ => Detail::None,
            };
            said.detail(Kind::Answer(0), text, detail);
            return Step::Took(u64::MAX);
        }
        let Some(header) = bytes.get(..8) else {
            return Step::More;
        };
        let found = number(header, 4);
        let verdict = match found {
            1 => match about {
                About::Host(_) => host(bytes),
                About::Addresses => addresses(bytes),
                _ => Some(Verdict::Found(Vec::new(), 1)),
            },
            0 => match about {
                About::Host(_) => bytes.get(28..32).map(|code| in_vain(number(code, 0))),
                _ => Some(Verdict::NoSuchName),
            },
            // Then glibc asks by itself.
            _ => Some(Verdict::Refused("an error")),
        };
        let Some(verdict) = verdict else {
            return if whole { Step::More } else { Step::Lost };
        };
        let words = match &verdict {
            Verdict::Found(addresses, _) if !addresses.is_empty() => {
                let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
                addresses.join(", ")
            }
            Verdict::Found(..) => "found".into(),
            Verdict::Refused(_) => "not served".into(),
            _ => "not found".into(),
        };
        let text = format!("{key} → {words}");
        let failed = matches!(verdict, Verdict::NoSuchName);
        let detail = self.lookup(Some(verdict)).unwrap_or_default();
        if let Some(message) = said.add(Kind::Answer(0), text) {
            (message.failed, message.detail) = (failed, detail);
        }
        // There is one answer, and nothing behind it.
        match about {
            About::Secret => Step::Secret(u64::MAX),
            _ => Step::Took(u64::MAX),
        }
    }

    /// What was asked of the name service, and what it says; nothing of what is no host.
    fn lookup(&self, verdict: Option<Verdict>) -> Option<Detail> {
        let (kind, name) = self.asked.as_ref()?;
        let asked = match QUESTIONS[*kind].1 {
            About::Host("A") => Asked::A,
            About::Host("AAAA") => Asked::Aaaa,
            About::Host(word) => Asked::Other(word.into()),
            About::Addresses => Asked::Other("addresses".into()),
            _ => return None,
        };
        Some(Detail::Lookup(Box::new(Lookup {
            id: 0,
            name: name.clone(),
            asked,
            verdict,
        })))
    }
}

/// The addresses in the answer to GETAI: how many, how many bytes they are, and how long a name follows; then the addresses one behind
/// the other, and the family of each. Nothing where it is not whole.
fn addresses(bytes: &[u8]) -> Option<Verdict> {
    let header = bytes.get(..24)?;
    let size = |at| usize::try_from(number(header, at)).ok();
    let (count, length) = (size(8)?, size(12)?);
    let mut rest = bytes.get(24..24_usize.checked_add(length)?)?;
    let families = bytes.get(24 + length..(24 + length).checked_add(count)?)?;
    let mut found = Vec::new();
    for family in families.iter().take(ADDRESSES) {
        let length = match i32::from(*family) {
            libc::AF_INET => 4,
            libc::AF_INET6 => 16,
            _ => return None,
        };
        let (address, others) = rest.split_at_checked(length)?;
        found.extend(ip(address));
        rest = others;
    }
    Some(Verdict::Found(found, 0))
}

/// The same in the answer to GETHOSTBY…: the lengths of the name, of a list of aliases and of each address, and how many addresses;
/// then the name, the length of each alias, and the addresses.
fn host(bytes: &[u8]) -> Option<Verdict> {
    let header = bytes.get(..32)?;
    let size = |at| usize::try_from(number(header, at)).ok();
    let (name, aliases, length, count) = (size(8)?, size(12)?, size(20)?, size(24)?);
    let start = aliases.checked_mul(4)?.checked_add(name)?.checked_add(32)?;
    let end = length.checked_mul(count)?.checked_add(start)?;
    let addresses = bytes.get(start..end)?;
    let addresses = addresses.chunks(length.max(1)).take(ADDRESSES);
    Some(Verdict::Found(addresses.filter_map(ip).collect(), 0))
}

/// What a host's error says (h_errno, netdb.h).
fn in_vain(code: i32) -> Verdict {
    match code {
        // TRY_AGAIN, NO_RECOVERY.
        2 | 3 => Verdict::Refused("an error"),
        // NO_DATA.
        4 => Verdict::Nothing,
        _ => Verdict::NoSuchName,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

/// The number there; 0 where there is none.
fn number(bytes: &[u8], at: usize) -> i32 {
    let found = bytes.get(at..at + 4).and_then(|it| it.try_into().ok());
    found.map_or(0, i32::from_ne_bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn numbers(all: &[i32], rest: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<_> = all.iter().flat_map(|it| it.to_ne_bytes()).collect();
        bytes.extend(rest);
        bytes
    }

    pub fn dialogue() -> Dialogue {
        let mut found = vec![192, 0, 2, 82, 0x20, 1, 0xd, 0xb8];
        found.extend([0; 11]);
        found.extend(b"\x07\x02\x0aedge.test\0");
        vec![
            out(numbers(&[2, 14, 9], b"cdn.test\0")),
            back(numbers(&[2, 1, 2, 20, 10, 0], &[])),
            back(found),
        ]
    }

    fn asked(kind: i32, key: &[u8], answer: Vec<u8>) -> Vec<String> {
        hear(&[
            out(numbers(&[2, kind, key.len() as i32], key)),
            back(answer),
        ])
    }

    #[test]
    fn hosts_by_the_cache() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? nscd GETAI cdn.test",
                "= nscd cdn.test → 192.0.2.82, 2001:db8::7"
            ]
        );
        let nobody = [2, 0, 0, 0, -1, -1, 0, 1];
        assert_eq!(
            asked(4, b"no.test\0", numbers(&nobody, &[])),
            [
                "? nscd GETHOSTBYNAME no.test",
                "=! nscd no.test → not found"
            ]
        );
        let one = numbers(
            &[2, 1, 7, 1, 2, 4, 2, 0, 2],
            b"a.test\0\xc0\0\x02\x01\xc0\0\x02\x02b\0",
        );
        // The length of the only alias stands between the name and the addresses.
        let mut one = one;
        let length: Vec<_> = one.drain(32..36).collect();
        one.splice(39..39, length);
        assert_eq!(
            asked(4, b"a.test\0", one)[1],
            "= nscd a.test → 192.0.2.1, 192.0.2.2"
        );
        assert_eq!(
            asked(6, &[192, 0, 2, 81], numbers(&nobody, &[]))[0],
            "? nscd GETHOSTBYADDR 192.0.2.81"
        );
        assert_eq!(
            asked(13, b"hosts\0", b"hosts\0\xc8\x4f\x03\0\0\0\0\0".to_vec()),
            [
                "? nscd GETFDHST hosts",
                "= nscd the cache of hosts, to be read in memory"
            ]
        );
        assert_eq!(
            asked(14, b"a.test\0", numbers(&[2, -1, 0, 0, 0, 0], &[]))[1],
            "= nscd a.test → not served"
        );
    }

    #[test]
    fn of_people_only_whether_they_are_there() {
        let question = out(numbers(&[2, 0, 4], b"bob\0"));
        let answer = back(numbers(&[2, 1, 4, 5, 1000], b"bob\0hush\0"));
        let dialogue = [question, answer];
        assert_eq!(
            hear(&dialogue),
            ["? nscd GETPWBYNAME bob", "= nscd bob → found"]
        );
        assert!(!shown(&dialogue).contains("hush"));
    }
}
