//! Socket options and control messages: their levels, names, and what their values hold. One row an option.

mod internet;
mod others;
mod socket;

use super::Names;
use super::shape::Shape;

/// The options, or the control messages, of one level.
#[derive(Debug)]
pub struct Level {
    /// Their names.
    pub names: Names,
    /// What each holds, in the order of the names.
    shapes: &'static [Shape],
}

impl Level {
    /// What the option of that number holds.
    pub fn shape(&self, number: i32) -> Option<Shape> {
        let at = self
            .names
            .rows
            .iter()
            .position(|(known, _)| *known == u64::from(number as u32))?;
        self.shapes.get(at).copied()
    }
}

/// Makes a [`Level`]: number, name and shape, one row a fact.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($number:literal $option:literal $shape:expr;)* }) => {
        $(#[$doc])*
        pub static $name: $crate::syscall::option::Level = $crate::syscall::option::Level {
            names: $crate::syscall::Names::new($prefix, &[$(($number, $option)),*]),
            shapes: &[$($shape),*],
        };
    };
}
use options;

/// The levels of setsockopt(2). Protocols go by their names in the manual pages: IPPROTO_TCP, not SOL_TCP.
pub static LEVEL: Names = Names::new(
    "SOL_???",
    &[
        (0, "IPPROTO_IP"),
        (1, "SOL_SOCKET"),
        (6, "IPPROTO_TCP"),
        (17, "IPPROTO_UDP"),
        (33, "IPPROTO_DCCP"),
        (40, "AF_VSOCK"),
        (41, "IPPROTO_IPV6"),
        (58, "IPPROTO_ICMPV6"),
        (132, "IPPROTO_SCTP"),
        (136, "IPPROTO_UDPLITE"),
        (255, "SOL_RAW"),
        (256, "SOL_IPX"),
        (257, "SOL_AX25"),
        (258, "SOL_ATALK"),
        (259, "SOL_NETROM"),
        (260, "SOL_ROSE"),
        (261, "SOL_DECNET"),
        (262, "SOL_X25"),
        (263, "SOL_PACKET"),
        (264, "SOL_ATM"),
        (265, "SOL_AAL"),
        (266, "SOL_IRDA"),
        (267, "SOL_NETBEUI"),
        (268, "SOL_LLC"),
        (269, "SOL_DCCP"),
        (270, "SOL_NETLINK"),
        (271, "SOL_TIPC"),
        (272, "SOL_RXRPC"),
        (273, "SOL_PPPOL2TP"),
        (274, "SOL_BLUETOOTH"),
        (275, "SOL_PNPIPE"),
        (276, "SOL_RDS"),
        (277, "SOL_IUCV"),
        (278, "SOL_CAIF"),
        (279, "SOL_ALG"),
        (280, "SOL_NFC"),
        (281, "SOL_KCM"),
        (282, "SOL_TLS"),
        (283, "SOL_XDP"),
        (284, "SOL_MPTCP"),
        (285, "SOL_MCTP"),
        (286, "SOL_SMC"),
        (287, "SOL_VSOCK"),
        (101, "SOL_CAN_RAW"),
        (106, "SOL_CAN_ISOTP"),
        (107, "SOL_CAN_J1939"),
    ],
);

/// The options of a level; nothing for one whose options are shown as numbers.
pub fn level(number: i32) -> Option<&'static Level> {
    Some(match number {
        0 => &internet::IP,
        1 => &socket::SOCKET,
        6 => &internet::TCP,
        17 | 136 => &internet::UDP,
        40 => &others::VSOCK,
        41 => &internet::IPV6,
        58 => &others::ICMPV6,
        132 => &others::SCTP,
        255 => &others::RAW,
        263 => &others::PACKET,
        270 => &others::NETLINK,
        271 => &others::TIPC,
        279 => &others::ALG,
        282 => &others::TLS,
        283 => &others::XDP,
        284 => &others::MPTCP,
        _ => return None,
    })
}

/// The types of control messages of a level.
pub fn control_level(number: i32) -> Option<&'static Level> {
    Some(match number {
        0 => &internet::IP_CONTROL,
        1 => &socket::SOCKET_CONTROL,
        6 => &internet::TCP_CONTROL,
        17 | 136 => &internet::UDP_CONTROL,
        41 => &internet::IPV6_CONTROL,
        132 => &others::SCTP_CONTROL,
        263 => &others::PACKET_CONTROL,
        270 => &others::NETLINK_CONTROL,
        279 => &others::ALG_CONTROL,
        282 => &others::TLS_CONTROL,
        _ => return None,
    })
}
