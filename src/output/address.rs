//! Socket addresses as people write them.

use super::escape::Escape;
use crate::syscall::SockAddr;

/// `93.184.216.34:80`, `[::1]:80`, `"/run/x.sock"`, `@"abstract"` …
pub fn write(address: &SockAddr, escape: Escape) -> String {
    match address {
        SockAddr::Inet { ip, port } => format!("{ip}:{port}"),
        SockAddr::Inet6 {
            ip, port, scope: 0, ..
        } => format!("[{ip}]:{port}"),
        SockAddr::Inet6 {
            ip, port, scope, ..
        } => format!("[{ip}%{scope}]:{port}"),
        SockAddr::UnixPath(path) => escape.quoted(path, false),
        SockAddr::UnixAbstract(name) => format!("@{}", escape.quoted(name, false)),
        SockAddr::UnixUnnamed => "unix unnamed".into(),
        SockAddr::Netlink { pid: 0, groups: 0 } => "netlink kernel".into(),
        SockAddr::Netlink { pid, groups: 0 } => format!("netlink pid {pid}"),
        SockAddr::Netlink { pid, groups } => format!("netlink pid {pid} groups {groups:#x}"),
        SockAddr::Packet {
            protocol,
            ifindex,
            address,
            ..
        } => {
            let hardware: Vec<_> = address.iter().map(|byte| format!("{byte:02x}")).collect();
            let hardware = if hardware.is_empty() {
                String::new()
            } else {
                format!(" {}", hardware.join(":"))
            };
            format!("packet {protocol:#06x} interface {ifindex}{hardware}")
        }
        SockAddr::Vsock { cid, port } => match *cid {
            u32::MAX => format!("vsock any:{port}"),
            cid => format!("vsock {cid}:{port}"),
        },
        SockAddr::Other { family: 0, .. } => "AF_UNSPEC".into(),
        SockAddr::Other { family, bytes } => {
            let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("family {family} [{}]", bytes.join(" "))
        }
    }
}

/// The same for a local end: a wildcard address says nothing but its port, `:80`.
pub fn local(address: &SockAddr, escape: Escape) -> String {
    match address {
        SockAddr::Inet { ip, port } if ip.is_unspecified() => format!(":{port}"),
        SockAddr::Inet6 { ip, port, .. } if ip.is_unspecified() => format!(":{port}"),
        other => write(other, escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn addresses_are_short() {
        let inet6 = |ip: &str, scope| SockAddr::Inet6 {
            ip: ip.parse::<Ipv6Addr>().unwrap(),
            port: 80,
            flowinfo: 0,
            scope,
        };
        for (address, expected) in [
            (
                SockAddr::Inet {
                    ip: [93, 184, 216, 34].into(),
                    port: 80,
                },
                "93.184.216.34:80",
            ),
            (inet6("::1", 0), "[::1]:80"),
            (inet6("fe80::1", 2), "[fe80::1%2]:80"),
            (inet6("::ffff:10.0.0.1", 0), "[::ffff:10.0.0.1]:80"),
            (
                SockAddr::UnixPath(b"/run/x.sock".to_vec()),
                "\"/run/x.sock\"",
            ),
            (SockAddr::UnixAbstract(b"a\0b".to_vec()), "@\"a\\0b\""),
            (SockAddr::UnixUnnamed, "unix unnamed"),
            (SockAddr::Netlink { pid: 0, groups: 0 }, "netlink kernel"),
            (
                SockAddr::Netlink {
                    pid: 7,
                    groups: 0x11,
                },
                "netlink pid 7 groups 0x11",
            ),
            (SockAddr::Vsock { cid: 2, port: 1024 }, "vsock 2:1024"),
            (
                SockAddr::Other {
                    family: 0,
                    bytes: vec![0; 14],
                },
                "AF_UNSPEC",
            ),
            (
                SockAddr::Other {
                    family: 31,
                    bytes: vec![1, 2],
                },
                "family 31 [01 02]",
            ),
        ] {
            assert_eq!(write(&address, Escape::default()), expected);
        }
        assert_eq!(local(&inet6("::", 0), Escape::default()), ":80");
    }
}
