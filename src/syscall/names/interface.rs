//! Constants of netdevice(7), ip(7), packet(7) and of time stamps.

use super::Names;
use crate::syscall::shape::Shape;

/// IFF_* (netdevice(7)).
pub static FLAGS: Names = Names::new(
    "IFF_???",
    &[
        (0x1, "IFF_UP"),
        (0x2, "IFF_BROADCAST"),
        (0x4, "IFF_DEBUG"),
        (0x8, "IFF_LOOPBACK"),
        (0x10, "IFF_POINTOPOINT"),
        (0x20, "IFF_NOTRAILERS"),
        (0x40, "IFF_RUNNING"),
        (0x80, "IFF_NOARP"),
        (0x100, "IFF_PROMISC"),
        (0x200, "IFF_ALLMULTI"),
        (0x400, "IFF_MASTER"),
        (0x800, "IFF_SLAVE"),
        (0x1000, "IFF_MULTICAST"),
        (0x2000, "IFF_PORTSEL"),
        (0x4000, "IFF_AUTOMEDIA"),
        (0x8000, "IFF_DYNAMIC"),
    ],
);

/// IP_PMTUDISC_* (ip(7)); those of IPv6 have the same numbers.
pub static PMTU: Names = Names::new(
    "IP_PMTUDISC_???",
    &[
        (0, "IP_PMTUDISC_DONT"),
        (1, "IP_PMTUDISC_WANT"),
        (2, "IP_PMTUDISC_DO"),
        (3, "IP_PMTUDISC_PROBE"),
        (4, "IP_PMTUDISC_INTERFACE"),
        (5, "IP_PMTUDISC_OMIT"),
    ],
);

/// SO_EE_ORIGIN_* (include/uapi/linux/errqueue.h).
pub static ERROR_ORIGIN: Names = Names::new(
    "SO_EE_ORIGIN_???",
    &[
        (0, "SO_EE_ORIGIN_NONE"),
        (1, "SO_EE_ORIGIN_LOCAL"),
        (2, "SO_EE_ORIGIN_ICMP"),
        (3, "SO_EE_ORIGIN_ICMP6"),
        (4, "SO_EE_ORIGIN_TXSTATUS"),
        (5, "SO_EE_ORIGIN_ZEROCOPY"),
        (6, "SO_EE_ORIGIN_TXTIME"),
    ],
);

/// SOF_TIMESTAMPING_* (include/uapi/linux/net_tstamp.h).
pub static TIMESTAMPING: Names = Names::new(
    "SOF_TIMESTAMPING_???",
    &[
        (1 << 0, "SOF_TIMESTAMPING_TX_HARDWARE"),
        (1 << 1, "SOF_TIMESTAMPING_TX_SOFTWARE"),
        (1 << 2, "SOF_TIMESTAMPING_RX_HARDWARE"),
        (1 << 3, "SOF_TIMESTAMPING_RX_SOFTWARE"),
        (1 << 4, "SOF_TIMESTAMPING_SOFTWARE"),
        (1 << 5, "SOF_TIMESTAMPING_SYS_HARDWARE"),
        (1 << 6, "SOF_TIMESTAMPING_RAW_HARDWARE"),
        (1 << 7, "SOF_TIMESTAMPING_OPT_ID"),
        (1 << 8, "SOF_TIMESTAMPING_TX_SCHED"),
        (1 << 9, "SOF_TIMESTAMPING_TX_ACK"),
        (1 << 10, "SOF_TIMESTAMPING_OPT_CMSG"),
        (1 << 11, "SOF_TIMESTAMPING_OPT_TSONLY"),
        (1 << 12, "SOF_TIMESTAMPING_OPT_STATS"),
        (1 << 13, "SOF_TIMESTAMPING_OPT_PKTINFO"),
        (1 << 14, "SOF_TIMESTAMPING_OPT_TX_SWHW"),
        (1 << 15, "SOF_TIMESTAMPING_BIND_PHC"),
        (1 << 16, "SOF_TIMESTAMPING_OPT_ID_TCP"),
        (1 << 17, "SOF_TIMESTAMPING_OPT_RX_FILTER"),
        (1 << 18, "SOF_TIMESTAMPING_TX_COMPLETION"),
    ],
);

/// SOF_TXTIME_* (include/uapi/linux/net_tstamp.h).
pub static TXTIME: Names = Names::new(
    "SOF_TXTIME_???",
    &[
        (1, "SOF_TXTIME_DEADLINE_MODE"),
        (2, "SOF_TXTIME_REPORT_ERRORS"),
    ],
);

/// What SO_MEMINFO gives: nine numbers (include/uapi/linux/sock_diag.h).
pub const MEMINFO: Shape = Shape::Struct(&[
    ("rmem_alloc", 0, Shape::Unsigned(4)),
    ("rcvbuf", 4, Shape::Unsigned(4)),
    ("wmem_alloc", 8, Shape::Unsigned(4)),
    ("sndbuf", 12, Shape::Unsigned(4)),
    ("fwd_alloc", 16, Shape::Unsigned(4)),
    ("wmem_queued", 20, Shape::Unsigned(4)),
    ("optmem", 24, Shape::Unsigned(4)),
    ("backlog", 28, Shape::Unsigned(4)),
    ("drops", 32, Shape::Unsigned(4)),
]);

/// PACKET_MR_* (packet(7)).
pub static PACKET_MEMBERSHIP: Names = Names::new(
    "PACKET_MR_???",
    &[
        (0, "PACKET_MR_MULTICAST"),
        (1, "PACKET_MR_PROMISC"),
        (2, "PACKET_MR_ALLMULTI"),
        (3, "PACKET_MR_UNICAST"),
    ],
);

/// TPACKET_* (packet(7)).
pub static PACKET_VERSION: Names = Names::new(
    "TPACKET_???",
    &[(0, "TPACKET_V1"), (1, "TPACKET_V2"), (2, "TPACKET_V3")],
);

/// The commoner ARPHRD_* (include/uapi/linux/if_arp.h).
pub static HARDWARE: Names = Names::new(
    "ARPHRD_???",
    &[
        (0, "ARPHRD_NETROM"),
        (1, "ARPHRD_ETHER"),
        (6, "ARPHRD_IEEE802"),
        (32, "ARPHRD_INFINIBAND"),
        (280, "ARPHRD_CAN"),
        (512, "ARPHRD_PPP"),
        (768, "ARPHRD_TUNNEL"),
        (769, "ARPHRD_TUNNEL6"),
        (772, "ARPHRD_LOOPBACK"),
        (776, "ARPHRD_SIT"),
        (778, "ARPHRD_IPGRE"),
        (801, "ARPHRD_IEEE80211"),
        (803, "ARPHRD_IEEE80211_RADIOTAP"),
        (823, "ARPHRD_IP6GRE"),
        (824, "ARPHRD_NETLINK"),
        (0xfffe, "ARPHRD_NONE"),
        (0xffff, "ARPHRD_VOID"),
    ],
);

/// PACKET_HOST and others (packet(7)).
pub static PACKET_TYPE: Names = Names::new(
    "PACKET_???",
    &[
        (0, "PACKET_HOST"),
        (1, "PACKET_BROADCAST"),
        (2, "PACKET_MULTICAST"),
        (3, "PACKET_OTHERHOST"),
        (4, "PACKET_OUTGOING"),
        (5, "PACKET_LOOPBACK"),
        (6, "PACKET_USER"),
        (7, "PACKET_KERNEL"),
    ],
);

/// The commoner ETH_P_* in host byte order (include/uapi/linux/if_ether.h).
pub static ETHERNET_PROTOCOL: Names = Names::new(
    "ETH_P_???",
    &[
        (0x0001, "ETH_P_802_3"),
        (0x0003, "ETH_P_ALL"),
        (0x0004, "ETH_P_802_2"),
        (0x0800, "ETH_P_IP"),
        (0x0806, "ETH_P_ARP"),
        (0x8035, "ETH_P_RARP"),
        (0x8100, "ETH_P_8021Q"),
        (0x86dd, "ETH_P_IPV6"),
        (0x8863, "ETH_P_PPP_DISC"),
        (0x8864, "ETH_P_PPP_SES"),
        (0x888e, "ETH_P_PAE"),
        (0x88cc, "ETH_P_LLDP"),
        (0x88f7, "ETH_P_1588"),
    ],
);
