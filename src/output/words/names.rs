//! What the name service was asked and said, in words.

use super::times;
use crate::output::address;
use crate::output::escape::Escape;
use crate::output::number::decimal;
use crate::protocol::Source;
use crate::story::{By, Resolution, Upshot};
use crate::syscall::SockAddr;

/// How many addresses of a name are shown.
const ADDRESSES: usize = 4;

/// `example.com A, AAAA`.
pub fn wished(out: &mut String, resolution: &Resolution, escape: Escape) {
    escape.bare(out, resolution.name.as_bytes());
    for (at, asked) in resolution.asked.iter().enumerate() {
        out.push_str(if at == 0 { " " } else { ", " });
        escape.bare(out, asked.word().as_bytes());
    }
}

/// `93.184.216.34`, `no such name (NXDOMAIN)`.
pub fn finding(out: &mut String, resolution: &Resolution, escape: Escape) {
    if let Some((_, lookup)) = resolution.library.as_deref() {
        if let Some(error) = lookup.error {
            out.push_str(error);
            let heard = !resolution.servers.is_empty() && resolution.upshot != Upshot::Found;
            if !heard {
                return failure(out, error);
            }
            // What the servers said tells why.
            out.push_str(", ");
        }
        if let (true, Some(name)) = (lookup.reverse, &lookup.name) {
            return escape.bare(out, &name.bytes);
        }
        if let (Upshot::Found, true) = (resolution.upshot, resolution.addresses.is_empty()) {
            return out.push_str("answered");
        }
    }
    let addresses = &resolution.addresses;
    let words = match resolution.upshot {
        Upshot::Found | Upshot::Cut if !addresses.is_empty() => {
            for (at, address) in addresses.iter().take(ADDRESSES).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                out.push_str(&address.to_string());
            }
            let more = addresses.len().saturating_sub(ADDRESSES);
            if more > 0 {
                out.push_str(" and ");
                decimal(out, more as u64);
                out.push_str(" more");
            }
            if resolution.upshot == Upshot::Cut {
                out.push_str(" of an answer too long for UDP (TC)");
            }
            return;
        }
        Upshot::Found => {
            decimal(out, resolution.records as u64);
            if resolution.records == 1 {
                " record"
            } else {
                " records"
            }
        }
        Upshot::Cut => "answer too long for UDP (TC)",
        Upshot::Nothing => "nothing of that kind",
        // It does not say why.
        Upshot::NoSuchName if resolution.source() == Source::Nscd => "no such name",
        Upshot::NoSuchName => "no such name (NXDOMAIN)",
        Upshot::NoAnswer => "no answer",
        Upshot::Refused(code) => {
            out.push_str("the server answers ");
            code
        }
    };
    out.push_str(words);
}

/// ` (no such name)`, of `EAI_NONAME`.
fn failure(out: &mut String, error: &str) {
    let words = FAILURES.iter().find(|(known, _)| *known == error);
    if let Some((_, words)) = words {
        out.push_str(" (");
        out.push_str(words);
        out.push(')');
    }
}

/// How a resolver's functions fail (getaddrinfo(3), gethostbyname(3)), in words.
const FAILURES: &[(&str, &str)] = &[
    ("EAI_BADFLAGS", "flags that make no sense"),
    ("EAI_NONAME", "no such name"),
    ("EAI_AGAIN", "nobody answered; it may work later"),
    ("EAI_FAIL", "the name server refuses for good"),
    ("EAI_NODATA", "the name has no address"),
    ("EAI_FAMILY", "no such family of addresses"),
    ("EAI_SOCKTYPE", "no such kind of socket"),
    ("EAI_SERVICE", "no such service for this kind of socket"),
    ("EAI_ADDRFAMILY", "the name has no address of this family"),
    ("EAI_MEMORY", "no memory"),
    ("EAI_SYSTEM", "a system call failed"),
    ("EAI_OVERFLOW", "the place for the answer is too small"),
    ("HOST_NOT_FOUND", "no such name"),
    ("TRY_AGAIN", "nobody answered; it may work later"),
    ("NO_RECOVERY", "the name server refuses for good"),
    ("NO_DATA", "the name has no address"),
];

/// `asked 10.0.0.2 by UDP, then by TCP`, `asked 10.0.0.2 twice, 10.0.0.3 by UDP`, and the longer names that were tried.
pub fn asked(out: &mut String, resolution: &Resolution, escape: Escape) {
    let servers = &resolution.servers;
    if servers.is_empty() {
        // Files (hosts(5)) and caches are read without a call that we would see.
        if !resolution.failed() {
            out.push_str("known here: no server was asked");
        }
        return;
    }
    if let Some((_, lookup)) = resolution.library.as_deref()
        && let Some(canonical) = lookup.canonical.as_ref()
        && Some(canonical) != lookup.name.as_ref()
    {
        out.push_str("it is ");
        escape.bare(out, &canonical.bytes);
        out.push_str("; ");
    }
    out.push_str("asked ");
    for (at, server) in servers.iter().enumerate() {
        let again = at > 0 && servers[at - 1].address == server.address;
        out.push_str(match at {
            0 => "",
            _ if again => ", then",
            _ => ", ",
        });
        match &server.address {
            _ if again => {}
            Some(SockAddr::Inet { ip, port: 53 }) => out.push_str(&ip.to_string()),
            Some(SockAddr::Inet6 { ip, port: 53, .. }) => out.push_str(&ip.to_string()),
            _ if server.by == By::Resolved => out.push_str("systemd-resolved"),
            _ if server.by == By::Nscd => out.push_str("nscd"),
            Some(address) => address::write(out, address, escape),
            None => out.push_str("a server"),
        }
        if server.times > 1 {
            out.push(' ');
            times(out, server.times);
        }
        if resolution.waited_in_vain(server) {
            out.push_str(" in vain");
        }
        let next = servers.get(at + 1).map(|server| server.by);
        if next != Some(server.by) {
            out.push_str(match server.by {
                By::Udp => " by UDP",
                By::Tcp => " by TCP",
                By::Multicast => " by multicast",
                By::Resolved | By::Nscd => "",
            });
        }
    }
    for (at, name) in resolution.tried.iter().take(ADDRESSES).enumerate() {
        out.push_str(if at == 0 { "; tried " } else { ", " });
        escape.bare(out, name.as_bytes());
    }
    if !resolution.tried.is_empty() {
        out.push_str(" too");
    }
}
