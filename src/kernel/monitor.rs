//! Looks at sockets without a descriptor of them: the kernel's socket monitor (sock_diag(7)), in the network namespace of a process.
//!
//! It touches no socket, so that nobody has to stand still for it. It costs as much as the machine has sockets: who asks sees to that.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;

use super::tcp::{CLOSE_WAIT, CLOSING, LAST_ACK, LISTEN, SYN_RECV, SYN_SENT, TIME_WAIT};
use super::{Buffers, Facts, Tcp, address_and_port};

/// The monitor of one network namespace.
#[derive(Debug)]
pub struct Monitor {
    socket: OwnedFd,
    /// The number of the latest question.
    asked: Cell<u32>,
    /// How often in a row no UNIX socket was found: the kernel may not know how to look for them.
    vain: Cell<u8>,
}

/// A socket that it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its inode; 0 where nobody has it any more.
    pub inode: u64,
    /// Its state, by its number in [`STATES`](super::STATES).
    pub state: u8,
    /// What is known of it.
    pub facts: Facts,
}

/// Which states are asked for, as bits (include/net/tcp_states.h).
pub type States = u32;

/// LISTEN.
pub const LISTENING: States = 1 << LISTEN;
/// All states of a connection that has an inode: neither TIME_WAIT nor NEW_SYN_RECV, and not LISTEN.
pub const CONNECTIONS: States = 0xfff & !(1 << TIME_WAIT) & !LISTENING & !(1 << 0);

/// SOCK_DIAG_BY_FAMILY (include/uapi/linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST and NLM_F_DUMP (netlink(7)).
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
/// NLMSG_ERROR and NLMSG_DONE (netlink(7)).
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// INET_DIAG_INFO and INET_DIAG_SKMEMINFO (include/uapi/linux/inet_diag.h).
const INFO: u16 = 2;
const MEMINFO: u16 = 7;
/// UDIAG_SHOW_PEER, and UNIX_DIAG_PEER (include/uapi/linux/unix_diag.h).
const SHOW_PEER: u32 = 4;
const PEER: u16 = 2;
/// The lengths of struct nlmsghdr, struct inet_diag_msg and struct unix_diag_msg.
const HEADER: usize = 16;
const INET: usize = 72;
const UNIX: usize = 16;
/// How much is taken from the kernel at once: what it sends at once at most (netlink_dump, net/netlink/af_netlink.c).
const ROOM: usize = 1 << 15;
/// How often a question without an answer is asked again.
const VAIN: u8 = 3;
/// How many answers are taken to one question: a machine has not more sockets.
const ANSWERS: usize = 1 << 20;

/// The network namespace of a process, as a number.
pub fn namespace(pid: i32) -> Option<u64> {
    let file = std::fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some(file.ino())
}

impl Monitor {
    /// The one of a process's namespace. Nothing where the kernel has none, or keeps us out.
    pub fn of(pid: i32) -> Option<Self> {
        if namespace(pid)? == namespace(std::process::id() as i32)? {
            return Self::here();
        }
        let file = File::open(format!("/proc/{pid}/ns/net")).ok()?;
        // A namespace is a thread's own.
        let inside = thread::Builder::new().spawn(move || {
            // SAFETY: a descriptor of ours, and a kind of namespace.
            match unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } {
                0 => Self::here(),
                _ => None,
            }
        });
        inside.ok()?.join().ok()?
    }

    fn here() -> Option<Self> {
        // SAFETY: numbers only; what comes back is ours.
        let socket = unsafe {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            let socket = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG);
            (socket >= 0).then(|| OwnedFd::from_raw_fd(socket))?
        };
        Some(Self {
            socket,
            asked: Cell::new(0),
            vain: Cell::new(0),
        })
    }

    /// The sockets of a family and protocol in those states.
    ///
    /// # Errors
    /// The kernel's; what came before is true.
    pub fn sockets(
        &self,
        family: i32,
        protocol: i32,
        states: States,
        mut each: impl FnMut(Seen),
    ) -> io::Result<()> {
        let request = request(family, protocol, states, &[0; 48]);
        self.ask(REQUEST | DUMP, &request, |body| {
            if let Some(seen) = inet(body) {
                each(seen);
            }
        })
    }

    /// The connection between those two addresses, as the kernel writes them (struct sockaddr).
    pub fn connection(&self, local: &[u8], peer: &[u8]) -> Option<Seen> {
        let (source, source_port) = address_and_port(local)?;
        let (destination, destination_port) = address_and_port(peer)?;
        let mut ends = [0; 48];
        ends[..2].copy_from_slice(&source_port.to_be_bytes());
        ends[2..4].copy_from_slice(&destination_port.to_be_bytes());
        let family = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ends[4..8].copy_from_slice(&source.octets());
                ends[20..24].copy_from_slice(&destination.octets());
                libc::AF_INET
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ends[4..20].copy_from_slice(&source.octets());
                ends[20..36].copy_from_slice(&destination.octets());
                libc::AF_INET6
            }
            _ => return None,
        };
        // INET_DIAG_NOCOOKIE.
        ends[40..].fill(0xff);
        let mut found = None;
        let request = request(family, libc::IPPROTO_TCP, u32::MAX, &ends);
        self.ask(REQUEST, &request, |body| found = inet(body))
            .ok()?;
        found
    }

    /// The inode of the socket at the other end of a UNIX socket.
    pub fn unix_peer(&self, inode: u64) -> Option<u64> {
        // Each question to a kernel without an answer would have it look for a module.
        if self.vain.get() >= VAIN {
            return None;
        }
        let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
        request.extend(u32::MAX.to_ne_bytes());
        request.extend(u32::try_from(inode).ok()?.to_ne_bytes());
        request.extend(SHOW_PEER.to_ne_bytes());
        request.extend([0xff; 8]);
        let (mut peer, mut there) = (None, false);
        let asked = self.ask(REQUEST, &request, |body| {
            there = true;
            let its = body.get(4..8).and_then(|it| it.try_into().ok());
            if its.map(u32::from_ne_bytes).map(u64::from) == Some(inode) {
                let found = attributes(body.get(UNIX..).unwrap_or_default())
                    .find(|it| it.0 == PEER)
                    .and_then(|it| it.1.try_into().ok())
                    .map(u32::from_ne_bytes);
                peer = found.filter(|inode| *inode != 0).map(u64::from);
            }
        });
        let vain = if there { 0 } else { self.vain.get() + 1 };
        self.vain.set(vain);
        asked.ok()?;
        peer
    }

    /// Asks, and has each answer looked at.
    fn ask(&self, flags: u16, request: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut message = Vec::with_capacity(HEADER + request.len());
        message.extend(((HEADER + request.len()) as u32).to_ne_bytes());
        message.extend(BY_FAMILY.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        let number = self.asked.get().wrapping_add(1);
        self.asked.set(number);
        message.extend(number.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(request);
        let (socket, sent) = (self.socket.as_raw_fd(), message.len());
        // SAFETY: the buffer is as long as it says.
        let result = unsafe { libc::send(socket, message.as_ptr().cast(), sent, 0) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut room = vec![0u8; ROOM];
        for _ in 0..ANSWERS {
            // The kernel answers while it is asked: nobody waits here.
            // SAFETY: the buffer is as long as it says.
            let result = unsafe {
                libc::recv(
                    socket,
                    room.as_mut_ptr().cast(),
                    room.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            let Ok(len) = usize::try_from(result) else {
                return Err(io::Error::last_os_error());
            };
            let (mut rest, mut more) = (&room[..len.min(ROOM)], true);
            while let Some((kind, answers, body, next)) = first(rest) {
                rest = next;
                // An earlier question's, which nobody waited for.
                if answers != number {
                    continue;
                }
                match kind {
                    DONE => return Ok(()),
                    ERROR => {
                        let errno = body.first_chunk().copied().map_or(0, i32::from_ne_bytes);
                        return Err(io::Error::from_raw_os_error(-errno));
                    }
                    _ => each(body),
                }
                more = flags & DUMP != 0;
            }
            if !more || len == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A struct inet_diag_req_v2.
fn request(family: i32, protocol: i32, states: States, ends: &[u8; 48]) -> Vec<u8> {
    let wished = 1 << (INFO - 1) | 1 << (MEMINFO - 1);
    let mut request = vec![family as u8, protocol as u8, wished, 0];
    request.extend(states.to_ne_bytes());
    request.extend(ends);
    request
}

/// The first message of several: its type, which question it answers, its body, and what follows.
fn first(messages: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let len = u32::from_ne_bytes(*messages.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(messages.get(4..6)?.try_into().ok()?);
    let number = u32::from_ne_bytes(messages.get(8..12)?.try_into().ok()?);
    let body = messages.get(HEADER..len)?;
    let next = messages.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, number, body, next))
}

/// The attributes of an answer, by type.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A struct inet_diag_msg with its attributes.
fn inet(body: &[u8]) -> Option<Seen> {
    let word = |at: usize| {
        let bytes = body.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    let (family, state) = (*body.first()?, *body.get(1)?);
    let end = |port: usize, ip: usize| {
        sockaddr(family, body.get(port..port + 2)?, body.get(ip..ip + 16)?)
    };
    let (unread, unacknowledged, inode) = (word(56)?, word(60)?, word(68)?);
    let mut facts = Facts {
        local: end(4, 8)?,
        peer: end(6, 24)?,
        ..Facts::default()
    };
    // Of a listener these count connections, which are in TCP's own facts too.
    if state != LISTEN {
        let (mut unread, mut unacknowledged) = (unread, unacknowledged);
        match state {
            // Here a SYN counts, and there a FIN that has come, though neither is data (SIOCINQ and SIOCOUTQ leave them out).
            SYN_SENT | SYN_RECV => unacknowledged = 0,
            CLOSE_WAIT | LAST_ACK | CLOSING => unread = unread.saturating_sub(1),
            _ => {}
        }
        (facts.unread, facts.unacknowledged) = (Some(unread), Some(unacknowledged));
    }
    for (kind, value) in attributes(body.get(INET..)?) {
        match kind {
            INFO => facts.tcp = Tcp::from_bytes(value),
            MEMINFO => facts.buffers = Buffers::from_bytes(value),
            _ => {}
        }
    }
    Some(Seen {
        inode: inode.into(),
        state,
        facts,
    })
}

/// An address and port as a struct sockaddr.
fn sockaddr(family: u8, port: &[u8], ip: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = u16::from(family).to_ne_bytes().to_vec();
    bytes.extend(port);
    match i32::from(family) {
        libc::AF_INET => {
            bytes.extend(&ip[..4]);
            bytes.extend([0; 8]);
        }
        libc::AF_INET6 => {
            bytes.extend([0; 4]);
            bytes.extend(ip);
            bytes.extend([0; 4]);
        }
        _ => return None,
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;

    use proptest::prelude::*;

    use super::*;

    fn inode(of: &impl AsRawFd) -> u64 {
        let path = format!("/proc/self/fd/{}", of.as_raw_fd());
        std::fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn sockets_of_our_own() {
        let own = std::process::id() as i32;
        let monitor = Monitor::of(own).expect("a kernel with sock_diag");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut listens = None;
        let mut look = |seen: Seen| {
            if seen.inode == inode(&listener) {
                listens = seen.facts.tcp;
            }
        };
        monitor
            .sockets(libc::AF_INET, 6, LISTENING, &mut look)
            .unwrap();
        let listens = listens.expect("our listener is among them");
        assert_eq!((listens.state(), listens.unacked), ("LISTEN", 1));
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"hello").unwrap();
        client.peek(&mut [0; 5]).unwrap();
        let mut all = Vec::new();
        monitor
            .sockets(libc::AF_INET, 6, CONNECTIONS, |seen| all.push(seen))
            .unwrap();
        let found = all.iter().find(|it| it.inode == inode(&client));
        let Seen { facts, .. } = found.expect("our connection is among them");
        assert_eq!(facts.unread, Some(5));
        assert!(facts.buffers.is_some_and(|it| it.receive_limit > 0));
        let same = super::super::look(own, client.as_raw_fd(), crate::kernel::Depth::All).unwrap();
        assert_eq!((&facts.local, &facts.peer), (&same.local, &same.peer));
        let exact = monitor.connection(&facts.local, &facts.peer);
        let exact = exact.expect("it is there");
        assert_eq!((exact.inode, exact.facts.unread), (inode(&client), Some(5)));
        assert_eq!(monitor.connection(&facts.local, &facts.local), None);
    }

    #[test]
    fn the_other_end_of_a_unix_socket() {
        let monitor = Monitor::of(std::process::id() as i32).expect("a kernel with sock_diag");
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("at")).unwrap();
        let client = std::os::unix::net::UnixStream::connect(folder.path().join("at")).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(monitor.unix_peer(inode(&server)), Some(inode(&client)));
        assert_eq!(monitor.unix_peer(inode(&client)), Some(inode(&server)));
        assert_eq!(monitor.unix_peer(inode(&listener)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_comes_is_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            inet(&bytes);
            attributes(&bytes).for_each(drop);
            address_and_port(&bytes);
            first(&bytes);
        }
    }
}
