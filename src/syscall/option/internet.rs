//! IP, IPv6, TCP and UDP: options and control messages (ip(7), ipv6(7), tcp(7), udp(7); include/uapi/linux/{in,in6,tcp,udp}.h).

use super::options;
use crate::syscall::names::interface::{ERROR_ORIGIN, PMTU};
use crate::syscall::names::socket;
use crate::syscall::shape::Shape::{self, *};
use crate::syscall::structures::{IN_PKTINFO, IN6_PKTINFO};

/// struct ip_mreqn; the shorter struct ip_mreq lacks its last field.
const MEMBERSHIP: Shape = Struct(&[
    ("imr_multiaddr", 0, Ip),
    ("imr_interface", 4, Ip),
    ("imr_ifindex", 8, Signed(4)),
]);
const SOURCE_MEMBERSHIP: Shape = Struct(&[
    ("imr_multiaddr", 0, Ip),
    ("imr_interface", 4, Ip),
    ("imr_sourceaddr", 8, Ip),
]);
const MEMBERSHIP6: Shape = Struct(&[
    ("ipv6mr_multiaddr", 0, Ip6),
    ("ipv6mr_interface", 16, Signed(4)),
]);
const GROUP: Shape = Struct(&[("gr_interface", 0, Unsigned(4)), ("gr_group", 8, Address)]);
const GROUP_SOURCE: Shape = Struct(&[
    ("gsr_interface", 0, Unsigned(4)),
    ("gsr_group", 8, Address),
    ("gsr_source", 136, Address),
]);
/// struct sock_extended_err, and after it the address of who reported the error.
const EXTENDED_ERROR: Shape = Struct(&[
    ("ee_errno", 0, Errno),
    ("ee_origin", 4, Const(&ERROR_ORIGIN, 1)),
    ("ee_type", 5, Unsigned(1)),
    ("ee_code", 6, Unsigned(1)),
    ("ee_info", 8, Unsigned(4)),
    ("ee_data", 12, Unsigned(4)),
    ("offender", 16, Address),
]);

options! {
    /// Options of IPPROTO_IP.
    IP "IP_???" {
        1 "IP_TOS" Number;
        2 "IP_TTL" Number;
        3 "IP_HDRINCL" Number;
        4 "IP_OPTIONS" Opaque;
        5 "IP_ROUTER_ALERT" Number;
        6 "IP_RECVOPTS" Number;
        7 "IP_RETOPTS" Number;
        8 "IP_PKTINFO" Number;
        9 "IP_PKTOPTIONS" Opaque;
        10 "IP_MTU_DISCOVER" Const(&PMTU, 4);
        11 "IP_RECVERR" Number;
        12 "IP_RECVTTL" Number;
        13 "IP_RECVTOS" Number;
        14 "IP_MTU" Number;
        15 "IP_FREEBIND" Number;
        16 "IP_IPSEC_POLICY" Opaque;
        17 "IP_XFRM_POLICY" Opaque;
        18 "IP_PASSSEC" Number;
        19 "IP_TRANSPARENT" Number;
        20 "IP_RECVORIGDSTADDR" Number;
        21 "IP_MINTTL" Number;
        22 "IP_NODEFRAG" Number;
        23 "IP_CHECKSUM" Number;
        24 "IP_BIND_ADDRESS_NO_PORT" Number;
        25 "IP_RECVFRAGSIZE" Number;
        26 "IP_RECVERR_RFC4884" Number;
        32 "IP_MULTICAST_IF" MULTICAST_INTERFACE;
        33 "IP_MULTICAST_TTL" Number;
        34 "IP_MULTICAST_LOOP" Number;
        35 "IP_ADD_MEMBERSHIP" MEMBERSHIP;
        36 "IP_DROP_MEMBERSHIP" MEMBERSHIP;
        37 "IP_UNBLOCK_SOURCE" SOURCE_MEMBERSHIP;
        38 "IP_BLOCK_SOURCE" SOURCE_MEMBERSHIP;
        39 "IP_ADD_SOURCE_MEMBERSHIP" SOURCE_MEMBERSHIP;
        40 "IP_DROP_SOURCE_MEMBERSHIP" SOURCE_MEMBERSHIP;
        41 "IP_MSFILTER" Opaque;
        42 "MCAST_JOIN_GROUP" GROUP;
        43 "MCAST_BLOCK_SOURCE" GROUP_SOURCE;
        44 "MCAST_UNBLOCK_SOURCE" GROUP_SOURCE;
        45 "MCAST_LEAVE_GROUP" GROUP;
        46 "MCAST_JOIN_SOURCE_GROUP" GROUP_SOURCE;
        47 "MCAST_LEAVE_SOURCE_GROUP" GROUP_SOURCE;
        48 "MCAST_MSFILTER" Opaque;
        49 "IP_MULTICAST_ALL" Number;
        50 "IP_UNICAST_IF" Hex(4);
        51 "IP_LOCAL_PORT_RANGE" Struct(&[("low", 0, Unsigned(2)), ("high", 2, Unsigned(2))]);
        52 "IP_PROTOCOL" Const(&socket::INTERNET_PROTOCOL, 4);
        80 "SO_ORIGINAL_DST" Address;
        200 "MRT_INIT" Number;
        201 "MRT_DONE" Number;
        202 "MRT_ADD_VIF" Opaque;
        203 "MRT_DEL_VIF" Opaque;
        204 "MRT_ADD_MFC" Opaque;
        205 "MRT_DEL_MFC" Opaque;
        206 "MRT_VERSION" Number;
        207 "MRT_ASSERT" Number;
        208 "MRT_PIM" Number;
        209 "MRT_TABLE" Number;
        210 "MRT_ADD_MFC_PROXY" Opaque;
        211 "MRT_DEL_MFC_PROXY" Opaque;
        212 "MRT_FLUSH" Number;
    }
}

/// IP_MULTICAST_IF takes an address, an ip_mreq or an ip_mreqn; the kernel gives back an address.
const MULTICAST_INTERFACE: Shape = Struct(&[
    ("imr_address", 0, Ip),
    ("imr_interface", 4, Ip),
    ("imr_ifindex", 8, Signed(4)),
]);

options! {
    /// Control messages of IPPROTO_IP.
    IP_CONTROL "IP_???" {
        1 "IP_TOS" Number;
        2 "IP_TTL" Number;
        6 "IP_RECVOPTS" Opaque;
        7 "IP_RETOPTS" Opaque;
        8 "IP_PKTINFO" IN_PKTINFO;
        11 "IP_RECVERR" EXTENDED_ERROR;
        18 "SCM_SECURITY" Text;
        20 "IP_ORIGDSTADDR" Address;
        23 "IP_CHECKSUM" Hex(4);
        25 "IP_RECVFRAGSIZE" Number;
        52 "IP_PROTOCOL" Const(&socket::INTERNET_PROTOCOL, 4);
    }
}

options! {
    /// Options of IPPROTO_IPV6.
    IPV6 "IPV6_???" {
        1 "IPV6_ADDRFORM" Const(&socket::FAMILY, 4);
        2 "IPV6_2292PKTINFO" Number;
        3 "IPV6_2292HOPOPTS" Number;
        4 "IPV6_2292DSTOPTS" Number;
        5 "IPV6_2292RTHDR" Number;
        6 "IPV6_2292PKTOPTIONS" Opaque;
        7 "IPV6_CHECKSUM" Number;
        8 "IPV6_2292HOPLIMIT" Number;
        9 "IPV6_NEXTHOP" Address;
        10 "IPV6_AUTHHDR" Opaque;
        11 "IPV6_FLOWINFO" Number;
        16 "IPV6_UNICAST_HOPS" Number;
        17 "IPV6_MULTICAST_IF" Number;
        18 "IPV6_MULTICAST_HOPS" Number;
        19 "IPV6_MULTICAST_LOOP" Number;
        20 "IPV6_ADD_MEMBERSHIP" MEMBERSHIP6;
        21 "IPV6_DROP_MEMBERSHIP" MEMBERSHIP6;
        22 "IPV6_ROUTER_ALERT" Number;
        23 "IPV6_MTU_DISCOVER" Const(&PMTU, 4);
        24 "IPV6_MTU" Number;
        25 "IPV6_RECVERR" Number;
        26 "IPV6_V6ONLY" Number;
        27 "IPV6_JOIN_ANYCAST" MEMBERSHIP6;
        28 "IPV6_LEAVE_ANYCAST" MEMBERSHIP6;
        29 "IPV6_MULTICAST_ALL" Number;
        30 "IPV6_ROUTER_ALERT_ISOLATE" Number;
        31 "IPV6_RECVERR_RFC4884" Number;
        32 "IPV6_FLOWLABEL_MGR" Opaque;
        33 "IPV6_FLOWINFO_SEND" Number;
        34 "IPV6_IPSEC_POLICY" Opaque;
        35 "IPV6_XFRM_POLICY" Opaque;
        36 "IPV6_HDRINCL" Number;
        42 "MCAST_JOIN_GROUP" GROUP;
        43 "MCAST_BLOCK_SOURCE" GROUP_SOURCE;
        44 "MCAST_UNBLOCK_SOURCE" GROUP_SOURCE;
        45 "MCAST_LEAVE_GROUP" GROUP;
        46 "MCAST_JOIN_SOURCE_GROUP" GROUP_SOURCE;
        47 "MCAST_LEAVE_SOURCE_GROUP" GROUP_SOURCE;
        48 "MCAST_MSFILTER" Opaque;
        49 "IPV6_RECVPKTINFO" Number;
        50 "IPV6_PKTINFO" IN6_PKTINFO;
        51 "IPV6_RECVHOPLIMIT" Number;
        52 "IPV6_HOPLIMIT" Number;
        53 "IPV6_RECVHOPOPTS" Number;
        54 "IPV6_HOPOPTS" Opaque;
        55 "IPV6_RTHDRDSTOPTS" Opaque;
        56 "IPV6_RECVRTHDR" Number;
        57 "IPV6_RTHDR" Opaque;
        58 "IPV6_RECVDSTOPTS" Number;
        59 "IPV6_DSTOPTS" Opaque;
        60 "IPV6_RECVPATHMTU" Number;
        61 "IPV6_PATHMTU" PATH_MTU;
        62 "IPV6_DONTFRAG" Number;
        66 "IPV6_RECVTCLASS" Number;
        67 "IPV6_TCLASS" Number;
        70 "IPV6_AUTOFLOWLABEL" Number;
        72 "IPV6_ADDR_PREFERENCES" Hex(4);
        73 "IPV6_MINHOPCOUNT" Number;
        74 "IPV6_RECVORIGDSTADDR" Number;
        75 "IPV6_TRANSPARENT" Number;
        76 "IPV6_UNICAST_IF" Hex(4);
        77 "IPV6_RECVFRAGSIZE" Number;
        78 "IPV6_FREEBIND" Number;
        80 "IP6T_SO_ORIGINAL_DST" Address;
    }
}

/// struct ip6_mtuinfo.
const PATH_MTU: Shape = Struct(&[("ip6m_mtu", 28, Unsigned(4)), ("ip6m_addr", 0, Address)]);

options! {
    /// Control messages of IPPROTO_IPV6.
    IPV6_CONTROL "IPV6_???" {
        2 "IPV6_2292PKTINFO" IN6_PKTINFO;
        3 "IPV6_2292HOPOPTS" Opaque;
        4 "IPV6_2292DSTOPTS" Opaque;
        5 "IPV6_2292RTHDR" Opaque;
        8 "IPV6_2292HOPLIMIT" Number;
        11 "IPV6_FLOWINFO" Hex(4);
        25 "IPV6_RECVERR" EXTENDED_ERROR;
        50 "IPV6_PKTINFO" IN6_PKTINFO;
        52 "IPV6_HOPLIMIT" Number;
        54 "IPV6_HOPOPTS" Opaque;
        55 "IPV6_RTHDRDSTOPTS" Opaque;
        57 "IPV6_RTHDR" Opaque;
        59 "IPV6_DSTOPTS" Opaque;
        61 "IPV6_PATHMTU" PATH_MTU;
        62 "IPV6_DONTFRAG" Number;
        67 "IPV6_TCLASS" Number;
        74 "IPV6_ORIGDSTADDR" Address;
        77 "IPV6_RECVFRAGSIZE" Number;
    }
}

/// struct tcp_info in short: what a person asks of a connection. Times are in µs, but tcpi_last_* in ms.
const TCP_INFO: Shape = Struct(&[
    ("tcpi_state", 0, Const(&socket::TCP_STATE, 1)),
    ("tcpi_retransmits", 2, Unsigned(1)),
    ("tcpi_rto", 8, Unsigned(4)),
    ("tcpi_snd_mss", 16, Unsigned(4)),
    ("tcpi_unacked", 24, Unsigned(4)),
    ("tcpi_lost", 32, Unsigned(4)),
    ("tcpi_last_data_sent", 44, Unsigned(4)),
    ("tcpi_last_data_recv", 52, Unsigned(4)),
    ("tcpi_pmtu", 60, Unsigned(4)),
    ("tcpi_rtt", 68, Unsigned(4)),
    ("tcpi_rttvar", 72, Unsigned(4)),
    ("tcpi_snd_ssthresh", 76, Unsigned(4)),
    ("tcpi_snd_cwnd", 80, Unsigned(4)),
    ("tcpi_total_retrans", 100, Unsigned(4)),
]);

const REPAIR_WINDOW: Shape = Struct(&[
    ("snd_wl1", 0, Unsigned(4)),
    ("snd_wnd", 4, Unsigned(4)),
    ("max_window", 8, Unsigned(4)),
    ("rcv_wnd", 12, Unsigned(4)),
    ("rcv_wup", 16, Unsigned(4)),
]);

options! {
    /// Options of IPPROTO_TCP.
    TCP "TCP_???" {
        1 "TCP_NODELAY" Number;
        2 "TCP_MAXSEG" Number;
        3 "TCP_CORK" Number;
        4 "TCP_KEEPIDLE" Number;
        5 "TCP_KEEPINTVL" Number;
        6 "TCP_KEEPCNT" Number;
        7 "TCP_SYNCNT" Number;
        8 "TCP_LINGER2" Number;
        9 "TCP_DEFER_ACCEPT" Number;
        10 "TCP_WINDOW_CLAMP" Number;
        11 "TCP_INFO" TCP_INFO;
        12 "TCP_QUICKACK" Number;
        13 "TCP_CONGESTION" Text;
        14 "TCP_MD5SIG" Address;
        16 "TCP_THIN_LINEAR_TIMEOUTS" Number;
        17 "TCP_THIN_DUPACK" Number;
        18 "TCP_USER_TIMEOUT" Number;
        19 "TCP_REPAIR" Number;
        20 "TCP_REPAIR_QUEUE" Number;
        21 "TCP_QUEUE_SEQ" Unsigned(4);
        22 "TCP_REPAIR_OPTIONS" Opaque;
        23 "TCP_FASTOPEN" Number;
        24 "TCP_TIMESTAMP" Unsigned(4);
        25 "TCP_NOTSENT_LOWAT" Number;
        26 "TCP_CC_INFO" Opaque;
        27 "TCP_SAVE_SYN" Number;
        28 "TCP_SAVED_SYN" Opaque;
        29 "TCP_REPAIR_WINDOW" REPAIR_WINDOW;
        30 "TCP_FASTOPEN_CONNECT" Number;
        31 "TCP_ULP" Text;
        32 "TCP_MD5SIG_EXT" Address;
        33 "TCP_FASTOPEN_KEY" Unread;
        34 "TCP_FASTOPEN_NO_COOKIE" Number;
        35 "TCP_ZEROCOPY_RECEIVE" Opaque;
        36 "TCP_INQ" Number;
        37 "TCP_TX_DELAY" Number;
        38 "TCP_AO_ADD_KEY" Unread;
        39 "TCP_AO_DEL_KEY" Opaque;
        40 "TCP_AO_INFO" Opaque;
        41 "TCP_AO_GET_KEYS" Opaque;
        42 "TCP_AO_REPAIR" Opaque;
        43 "TCP_IS_MPTCP" Number;
        44 "TCP_RTO_MAX_MS" Number;
        45 "TCP_RTO_MIN_US" Number;
        46 "TCP_DELACK_MAX_US" Number;
    }
}

options! {
    /// Control messages of IPPROTO_TCP.
    TCP_CONTROL "TCP_???" {
        36 "TCP_CM_INQ" Number;
    }
}

options! {
    /// Options of IPPROTO_UDP and IPPROTO_UDPLITE.
    UDP "UDP_???" {
        1 "UDP_CORK" Number;
        10 "UDPLITE_SEND_CSCOV" Number;
        11 "UDPLITE_RECV_CSCOV" Number;
        100 "UDP_ENCAP" Number;
        101 "UDP_NO_CHECK6_TX" Number;
        102 "UDP_NO_CHECK6_RX" Number;
        103 "UDP_SEGMENT" Number;
        104 "UDP_GRO" Number;
    }
}

options! {
    /// Control messages of IPPROTO_UDP.
    UDP_CONTROL "UDP_???" {
        103 "UDP_SEGMENT" Unsigned(2);
        104 "UDP_GRO" Number;
    }
}
