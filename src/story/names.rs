//! Names of addresses: by which name each program came to which address, and how that is known.

use std::net::IpAddr;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Conversation;
use crate::protocol::Source;
use crate::syscall::SockAddr;

/// How many names of one process are remembered.
const NAMES: usize = 4096;

/// A name, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name: the tracee's or its peer's choice, and thus not safe to print.
    pub text: Rc<str>,
    /// How it is known.
    pub source: Source,
}

/// The names that each living process has learned.
#[derive(Debug, Default)]
pub struct Names {
    known: FxHashMap<i32, FxHashMap<IpAddr, Name>>,
}

impl Names {
    /// A process has learned by what name an address goes. The latest one counts.
    pub fn learn(&mut self, pid: i32, address: IpAddr, name: Name) {
        let known = self.known.entry(pid).or_default();
        if known.len() < NAMES || known.contains_key(&address) {
            known.insert(address, name);
        }
    }

    /// The name of an address as that process knows it.
    pub fn find(&self, pid: i32, address: &SockAddr) -> Option<&Name> {
        self.known.get(&pid)?.get(&ip(address)?)
    }

    /// A process is gone.
    pub fn forget(&mut self, pid: i32) {
        self.known.remove(&pid);
    }
}

/// The IP address of a conversation's peer.
pub fn peer_ip(conversation: &Conversation) -> Option<IpAddr> {
    conversation.peer.as_ref().and_then(ip)
}

/// The IP address in a socket address; of an IPv4 address in IPv6 clothes (RFC 4291 section 2.5.5.2) that one.
pub fn ip(address: &SockAddr) -> Option<IpAddr> {
    match address {
        SockAddr::Inet { ip, .. } => Some(IpAddr::V4(*ip)),
        SockAddr::Inet6 { ip, .. } => Some(ip.to_canonical()),
        _ => None,
    }
}
