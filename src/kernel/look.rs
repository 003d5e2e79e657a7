//! Looks at a socket of a process that stands still, by a copy of its descriptor (pidfd_getfd(2)).
//!
//! A copy keeps the socket open: the caller makes sure that nobody who has the descriptor runs meanwhile, and it is gone when this
//! returns. Nothing that is asked changes the socket; SO_ERROR, which asking takes away, is not asked for.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Buffers, Facts, Tcp};

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Both addresses.
    Addresses,
    /// The same and how long it has waited, of a connection that has just been accepted.
    Accepted,
    /// What a connection came to, at its end.
    End,
    /// All of it.
    All,
}

/// FIONREAD, which is SIOCINQ on sockets, and SIOCOUTQ (include/uapi/asm-generic/ioctls.h).
const SIOCINQ: libc::c_ulong = 0x541B;
const SIOCOUTQ: libc::c_ulong = 0x5411;
/// SO_MEMINFO (include/uapi/asm-generic/socket.h).
const SO_MEMINFO: i32 = 55;

/// Asks about the socket at that descriptor of the process. Nothing where the kernel does not let us.
pub fn look(pid: i32, fd: i32, depth: Depth) -> Option<Facts> {
    let socket = copy(pid, fd)?;
    let raw = socket.as_raw_fd();
    let mut facts = Facts::default();
    if depth != Depth::End {
        facts.local = address(raw, libc::getsockname);
        facts.peer = address(raw, libc::getpeername);
    }
    if depth != Depth::Addresses {
        facts.tcp = option::<256>(raw, libc::IPPROTO_TCP, libc::TCP_INFO)
            .and_then(|bytes| Tcp::from_bytes(&bytes));
    }
    if matches!(depth, Depth::End | Depth::All) {
        // Of datagrams these tell of the first one only.
        if facts.tcp.is_some() || depth == Depth::All {
            facts.unread = queue(raw, SIOCINQ);
            facts.unacknowledged = queue(raw, SIOCOUTQ);
        }
        facts.buffers = option::<36>(raw, libc::SOL_SOCKET, SO_MEMINFO)
            .and_then(|bytes| Buffers::from_bytes(&bytes));
    }
    Some(facts)
}

fn copy(pid: i32, fd: i32) -> Option<OwnedFd> {
    let open = |result: libc::c_long| {
        let fd = RawFd::try_from(result).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: the kernel has just given it to us, and nobody else knows it.
        Some(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    // SAFETY: numbers only.
    let process = open(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: numbers only.
    open(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

type Asks =
    unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

fn address(socket: RawFd, ask: Asks) -> Vec<u8> {
    let mut bytes = [0u8; size_of::<libc::sockaddr_storage>()];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer is as long as the length says, and the kernel writes no more than that.
    let result = unsafe { ask(socket, bytes.as_mut_ptr().cast(), &mut length) };
    match result {
        0 => bytes[..bytes.len().min(length as usize)].to_vec(),
        _ => Vec::new(),
    }
}

/// The value of a socket option, as long as the kernel writes it.
fn option<const ROOM: usize>(socket: RawFd, level: i32, name: i32) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; ROOM];
    let mut length = ROOM as libc::socklen_t;
    let place = bytes.as_mut_ptr().cast();
    // SAFETY: the buffer is as long as the length says, and the kernel writes no more than that.
    let result = unsafe { libc::getsockopt(socket, level, name, place, &mut length) };
    bytes.truncate(length as usize);
    (result == 0).then_some(bytes)
}

fn queue(socket: RawFd, request: libc::c_ulong) -> Option<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one int.
    let result = unsafe { libc::ioctl(socket, request, &mut bytes) };
    (result == 0)
        .then_some(bytes)
        .and_then(|bytes| u32::try_from(bytes).ok())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_our_own() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"hello").unwrap();
        // What has come can be seen before it is taken.
        client.peek(&mut [0; 5]).unwrap();
        let own = std::process::id() as i32;
        let facts = look(own, client.as_raw_fd(), Depth::All).expect("our own socket");
        assert_eq!(facts.unread, Some(5));
        assert_eq!(
            facts.local[2..4],
            client.local_addr().unwrap().port().to_be_bytes()
        );
        assert_eq!(
            facts.peer[2..4],
            listener.local_addr().unwrap().port().to_be_bytes()
        );
        let tcp = facts.tcp.expect("it is TCP");
        assert_eq!((tcp.state(), tcp.bytes_received), ("ESTABLISHED", 5));
        // Looking has kept nothing open: the peer sees the end at once.
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap_or(0), 0);
        assert_eq!(look(own, -1, Depth::All), None);
    }
}
