//! systemd-resolved's varlink: names asked for by JSON in place of DNS (io.systemd.Resolve).

use std::net::IpAddr;

use serde_json::Value;

use super::said::{Detail, Kind, Said};
use super::{Asked, Guess, Lookup, Side, Sniffer, Step, Verdict};

/// The longest message that is waited for.
const MESSAGE: usize = 16 * 1024;

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The name that was asked for last.
    name: String,
}

/// Whether it begins as a call of that interface does.
pub fn guess(bytes: &[u8]) -> Guess {
    Guess::starts(bytes, b"{\"method\":\"io.systemd.Resolve.", Guess::Client)
}

impl Sniffer for Resolved {
    fn read(&mut self, from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
            return if bytes.len() < MESSAGE {
                Step::More
            } else {
                Step::Lost
            };
        };
        let step = Step::Took(end as u64 + 1);
        let Ok(message) = serde_json::from_slice::<Value>(&bytes[..end]) else {
            return Step::Lost;
        };
        let name = message["parameters"]["name"].as_str();
        match from {
            Side::Client => {
                self.name = name.unwrap_or_default().to_owned();
                self.say(None, said);
            }
            Side::Server => {
                let verdict = match message["error"].as_str() {
                    None => {
                        let list = message["parameters"]["addresses"].as_array();
                        let addresses: Vec<_> = list
                            .into_iter()
                            .flatten()
                            .take(64)
                            .filter_map(address)
                            .collect();
                        match addresses.is_empty() {
                            true => Verdict::Nothing,
                            false => Verdict::Found(addresses, 0),
                        }
                    }
                    // RCODE 3 is NXDOMAIN (RFC 1035 section 4.1.1).
                    Some("io.systemd.Resolve.DNSError") if message["parameters"]["rcode"] == 3 => {
                        Verdict::NoSuchName
                    }
                    Some(_) => Verdict::Refused("an error"),
                };
                self.say(Some(verdict), said);
            }
        }
        step
    }
}

impl Resolved {
    fn say(&self, verdict: Option<Verdict>, said: &mut Said) {
        let failed = matches!(verdict, Some(Verdict::NoSuchName | Verdict::Refused(_)));
        let kind = match verdict {
            None => Kind::Request(0),
            Some(_) => Kind::Answer(0),
        };
        let lookup = Lookup {
            id: 0,
            name: self.name.clone(),
            asked: Asked::Other("addresses".into()),
            verdict,
        };
        if let Some(message) = said.add(kind, self.name.as_str()) {
            message.failed = failed;
            message.detail = Detail::Lookup(Box::new(lookup));
        }
    }
}

/// An address: its bytes as numbers.
fn address(value: &Value) -> Option<IpAddr> {
    let bytes = value["address"].as_array()?;
    let bytes: Option<Vec<u8>> = bytes
        .iter()
        .take(16)
        .map(|byte| u8::try_from(byte.as_u64()?).ok())
        .collect();
    let bytes = bytes?;
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::protocol::tests::{Dialogue, back, hear, out};

    pub fn dialogue() -> Dialogue {
        vec![
            out(b"{\"method\":\"io.systemd.Resolve.ResolveHostname\",\"parameters\":{\"name\":\"a.test\",\"flags\":0}}\0"),
            back(b"{\"parameters\":{\"addresses\":[{\"ifindex\":2,\"family\":2,\"address\":[192,0,2,7]}],\"name\":\"a.test\",\"flags\":1}}\0"),
            out(b"{\"method\":\"io.systemd.Resolve.ResolveHostname\",\"parameters\":{\"name\":\"no.test\"}}\0"),
            back(b"{\"error\":\"io.systemd.Resolve.DNSError\",\"parameters\":{\"rcode\":3}}\0"),
        ]
    }

    #[test]
    fn names_by_varlink() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? resolved a.test",
                "= resolved a.test",
                "? resolved no.test",
                "=! resolved no.test"
            ]
        );
    }
}
