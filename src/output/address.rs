//! Socket addresses as people write them.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::escape::Escape;
use super::number::{decimal, signed};
use crate::syscall::SockAddr;

/// Adds `93.184.216.34:80`, `[::1]:80`, `"/run/x.sock"`, `@"abstract"` …
pub fn write(out: &mut String, address: &SockAddr, escape: Escape) {
    match address {
        SockAddr::Inet { ip, port } => {
            dotted(out, *ip);
            self::port(out, *port);
        }
        SockAddr::Inet6 {
            ip, port, scope, ..
        } => {
            write!(out, "[{ip}").expect("a String takes all");
            if *scope != 0 {
                out.push('%');
                decimal(out, (*scope).into());
            }
            out.push(']');
            self::port(out, *port);
        }
        SockAddr::UnixPath(path) => escape.quoted(out, path, false),
        SockAddr::UnixAbstract(name) => {
            out.push('@');
            escape.quoted(out, name, false);
        }
        SockAddr::UnixUnnamed => out.push_str("unix unnamed"),
        SockAddr::Netlink { pid: 0, groups: 0 } => out.push_str("netlink kernel"),
        SockAddr::Netlink { pid, groups } => {
            out.push_str("netlink pid ");
            decimal(out, (*pid).into());
            if *groups != 0 {
                write!(out, " groups {groups:#x}").expect("a String takes all");
            }
        }
        SockAddr::Packet {
            protocol,
            ifindex,
            address,
            ..
        } => {
            write!(out, "packet {protocol:#06x} interface ").expect("a String takes all");
            signed(out, (*ifindex).into());
            if !address.is_empty() {
                out.push(' ');
                bytes(out, address, ":");
            }
        }
        SockAddr::Vsock { cid, port } => {
            out.push_str("vsock ");
            match *cid {
                u32::MAX => out.push_str("any"),
                cid => decimal(out, cid.into()),
            }
            out.push(':');
            decimal(out, (*port).into());
        }
        SockAddr::Other { family: 0, .. } => out.push_str("AF_UNSPEC"),
        SockAddr::Other {
            family,
            bytes: rest,
        } => {
            out.push_str("family ");
            decimal(out, (*family).into());
            out.push_str(" [");
            bytes(out, rest, " ");
            out.push(']');
        }
    }
}

/// The same for a local end: a wildcard address says nothing but its port, `:80`.
pub fn local(out: &mut String, address: &SockAddr, escape: Escape) {
    match address {
        SockAddr::Inet { ip, port } if ip.is_unspecified() => self::port(out, *port),
        SockAddr::Inet6 { ip, port, .. } if ip.is_unspecified() => self::port(out, *port),
        other => write(out, other, escape),
    }
}

fn dotted(out: &mut String, ip: Ipv4Addr) {
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        decimal(out, octet.into());
    }
}

fn port(out: &mut String, port: u16) {
    out.push(':');
    decimal(out, port.into());
}

/// Bytes in base 16.
fn bytes(out: &mut String, bytes: &[u8], between: &str) {
    for (at, byte) in bytes.iter().enumerate() {
        let between = if at > 0 { between } else { "" };
        write!(out, "{between}{byte:02x}").expect("a String takes all");
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
            let mut out = String::new();
            write(&mut out, &address, Escape::default());
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        local(&mut out, &inet6("::", 0), Escape::default());
        assert_eq!(out, ":80");
    }
}
