//! Socket addresses of every family: bytes in, a typed address out.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A socket address as the call gave it. Every length from 0 to 65,535 is possible; what is too short for its family is `Other`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// The longest address that the kernel takes or gives: sizeof(struct sockaddr_storage).
pub const LONGEST: usize = 128;

impl SockAddr {
    /// Reads an address; nothing where there is not even a family. The bytes are those that the call's length says.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        let family = u16::from_ne_bytes(*bytes.first_chunk()?);
        let known = match i32::from(family) {
            libc::AF_INET => Self::inet(bytes),
            libc::AF_INET6 => Self::inet6(bytes),
            libc::AF_UNIX => Some(Self::unix(&bytes[2..])),
            libc::AF_NETLINK => Self::netlink(bytes),
            libc::AF_PACKET => Self::packet(bytes),
            libc::AF_VSOCK => Self::vsock(bytes),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Self::Other {
            family,
            bytes: bytes[2..].to_vec(),
        }))
    }

    /// AF_*.
    pub fn family(&self) -> u16 {
        let family = match self {
            Self::Inet { .. } => libc::AF_INET,
            Self::Inet6 { .. } => libc::AF_INET6,
            Self::UnixPath(_) | Self::UnixAbstract(_) | Self::UnixUnnamed => libc::AF_UNIX,
            Self::Netlink { .. } => libc::AF_NETLINK,
            Self::Packet { .. } => libc::AF_PACKET,
            Self::Vsock { .. } => libc::AF_VSOCK,
            Self::Other { family, .. } => return *family,
        };
        family as u16
    }

    /// struct sockaddr_in: family, port, address; 8 bytes of padding that the kernel wants but does not read.
    fn inet(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 16] = bytes.first_chunk()?;
        let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
        Some(Self::Inet {
            ip,
            port: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }

    /// struct sockaddr_in6: family, port, flowinfo, address, scope. The kernel also takes the 24 bytes of RFC 2133, without a scope.
    fn inet6(bytes: &[u8]) -> Option<Self> {
        let (start, rest) = bytes.split_first_chunk::<24>()?;
        let ip: [u8; 16] = start[8..].try_into().ok()?;
        Some(Self::Inet6 {
            ip: Ipv6Addr::from(ip),
            port: u16::from_be_bytes([start[2], start[3]]),
            flowinfo: u32::from_be_bytes([start[4], start[5], start[6], start[7]]),
            scope: rest
                .first_chunk()
                .map_or(0, |scope| u32::from_ne_bytes(*scope)),
        })
    }

    /// struct sockaddr_un: what follows the family. A path ends at its NUL or at the end, an abstract name only at the end.
    fn unix(name: &[u8]) -> Self {
        match name {
            [] => Self::UnixUnnamed,
            [0, name @ ..] => Self::UnixAbstract(name.to_vec()),
            path => Self::UnixPath(super::shape::until_nul(path).to_vec()),
        }
    }

    /// struct sockaddr_nl: family, padding, pid, groups.
    fn netlink(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 12] = bytes.first_chunk()?;
        Some(Self::Netlink {
            pid: word(bytes, 4)?,
            groups: word(bytes, 8)?,
        })
    }

    /// struct sockaddr_ll: family, protocol, ifindex, hatype, pkttype, halen, address.
    fn packet(bytes: &[u8]) -> Option<Self> {
        let (start, address) = bytes.split_first_chunk::<12>()?;
        Some(Self::Packet {
            protocol: u16::from_be_bytes([start[2], start[3]]),
            ifindex: word(start, 4)? as i32,
            hatype: u16::from_ne_bytes([start[8], start[9]]),
            pkttype: start[10],
            address: address[..address.len().min(8).min(start[11].into())].to_vec(),
        })
    }

    /// struct sockaddr_vm: family, reserved, port, cid, flags and padding.
    fn vsock(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 16] = bytes.first_chunk()?;
        Some(Self::Vsock {
            port: word(bytes, 4)?,
            cid: word(bytes, 8)?,
        })
    }
}

/// The 32-bit number at that offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
