//! Who has the address that a program wanted.

use std::fs;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};

use super::tcp::LISTEN;
use super::{Monitor, Seen};
use crate::syscall::SockAddr;

/// What keeps an address from being taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Taken {
    /// The state of the socket that has it, by its number in [`STATES`](super::STATES).
    pub state: u8,
    /// Whether that is nobody's any more: a connection of before, which lingers (RFC 9293 section 3.3.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nobody: bool,
    /// The process that has that socket, where we can see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its name in /proc/PID/comm, its own choice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub process: String,
}

impl Monitor {
    /// Who has the address, a struct sockaddr, so that it cannot be bound: a listener rather than others, what lives rather than what
    /// is in TIME_WAIT. `not` is the inode of whoever asks.
    pub fn who_has(&self, address: &[u8], protocol: i32, not: u64) -> Option<Taken> {
        let (ip, port) = address_and_port(address)?;
        let mut found: Option<Seen> = None;
        let rank = |seen: &Seen| match (seen.inode, seen.state) {
            (0, _) => 0,
            (_, LISTEN) => 2,
            _ => 1,
        };
        // The other family only where this one has nobody: whether both share their ports is the sockets' choice (IPV6_V6ONLY).
        let own = if ip.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        for family in [own, libc::AF_INET + libc::AF_INET6 - own] {
            if found.as_ref().is_some_and(|seen| seen.inode != 0) {
                break;
            }
            let _partial = self.sockets(family, protocol, u32::MAX, |seen| {
                let conflicts = address_and_port(&seen.facts.local).is_some_and(|(its, at)| {
                    let everywhere = its.is_unspecified() || ip.is_unspecified();
                    at == port && (everywhere || its.to_canonical() == ip.to_canonical())
                });
                let better = |known: &Seen| rank(&seen) > rank(known);
                if conflicts && seen.inode != not && found.as_ref().is_none_or(better) {
                    found = Some(seen);
                }
            });
        }
        let Seen { inode, state, .. } = found?;
        let owner = (inode != 0).then(|| owner(inode)).flatten();
        let (pid, process) = owner.map_or((None, String::new()), |(pid, name)| (Some(pid), name));
        Some(Taken {
            state,
            nobody: inode == 0,
            pid,
            process,
        })
    }
}

impl Taken {
    /// Whether nobody has it any more, but for the time that connections of before linger.
    pub fn lingers(&self) -> bool {
        self.nobody
    }

    /// Whether a listener has it.
    pub fn listens(&self) -> bool {
        self.state == LISTEN
    }
}

/// Address and port of a struct sockaddr.
pub fn address_and_port(address: &[u8]) -> Option<(IpAddr, u16)> {
    match SockAddr::parse(address)? {
        SockAddr::Inet { ip, port } => Some((ip.into(), port)),
        SockAddr::Inet6 { ip, port, .. } => Some((ip.into(), port)),
        _ => None,
    }
}

/// A process that has the socket of that inode, among those that we may look into (proc(5)).
fn owner(inode: u64) -> Option<(i32, String)> {
    let link = format!("socket:[{inode}]");
    let has = |pid: i32| {
        let all = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        all.flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|it| it.as_os_str().as_bytes() == link.as_bytes())
    };
    let all = fs::read_dir("/proc").ok()?.flatten();
    let pid = all
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| has(*pid))?;
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned();
    Some((pid, name))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_listener_of_our_own() {
        let own = std::process::id() as i32;
        let monitor = Monitor::of(own).expect("a kernel with sock_diag");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_be_bytes();
        let mut address = (libc::AF_INET as u16).to_ne_bytes().to_vec();
        address.extend(port);
        address.extend([0; 12]);
        let taken = monitor
            .who_has(&address, libc::IPPROTO_TCP, 0)
            .expect("it is taken");
        assert!(taken.listens() && !taken.lingers());
        assert_eq!(taken.pid, Some(own));
        drop(listener);
        assert_eq!(monitor.who_has(&address, libc::IPPROTO_TCP, 0), None);
        assert_eq!(monitor.who_has(&[], libc::IPPROTO_TCP, 0), None);
        let datagrams = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = datagrams.local_addr().unwrap().port().to_be_bytes();
        address[2..4].copy_from_slice(&port);
        let taken = monitor.who_has(&address, libc::IPPROTO_UDP, 0);
        let taken = taken.expect("it is taken");
        assert!(!taken.lingers());
        assert_eq!(taken.pid, Some(own));
    }
}
