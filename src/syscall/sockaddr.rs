//! Socket addresses of every family: bytes in, a typed address out.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A socket address as the call gave it. Every length from 0 to 65,535 is possible; what is too short for its family is `Other`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SockAddr {
    /// ip(7).
    Inet {
        /// The address.
        ip: Ipv4Addr,
        /// In host byte order.
        port: u16,
    },
    /// ipv6(7). A v4-mapped address stays as it is.
    Inet6 {
        /// The address.
        ip: Ipv6Addr,
        /// In host byte order.
        port: u16,
        /// In host byte order.
        flowinfo: u32,
        /// The interface's index for link-local addresses.
        scope: u32,
    },
    /// unix(7), a path in the file system: its bytes before the first NUL.
    UnixPath(Vec<u8>),
    /// unix(7), an abstract name: its bytes after the leading NUL, more NULs included.
    UnixAbstract(Vec<u8>),
    /// unix(7), no name at all.
    UnixUnnamed,
    /// netlink(7).
    Netlink {
        /// The port, 0 for the kernel.
        pid: u32,
        /// A mask of multicast groups.
        groups: u32,
    },
    /// packet(7).
    Packet {
        /// In host byte order (ETH_P_*).
        protocol: u16,
        /// The interface's index.
        ifindex: i32,
        /// ARPHRD_*.
        hatype: u16,
        /// PACKET_*.
        pkttype: u8,
        /// The hardware address, as many bytes as its length says and the structure holds (at most 8).
        address: Vec<u8>,
    },
    /// vsock(7).
    Vsock {
        /// The context's id (machine).
        cid: u32,
        /// The port.
        port: u32,
    },
    /// Any other family, or one whose address is shorter than it must be: the number and what follows it, at most 128 bytes.
    Other {
        /// The family's number (AF_*).
        family: u16,
        /// The bytes after the family.
        bytes: Vec<u8>,
    },
}
