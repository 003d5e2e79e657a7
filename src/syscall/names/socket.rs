//! Constants of socket(2), send(2), recv(2), shutdown(2) and of what lies in addresses.

use super::Names;

/// AF_* (socket(2); include/linux/socket.h).
pub static FAMILY: Names = Names::new(
    "AF_???",
    &[
        (0, "AF_UNSPEC"),
        (1, "AF_UNIX"),
        (2, "AF_INET"),
        (3, "AF_AX25"),
        (4, "AF_IPX"),
        (5, "AF_APPLETALK"),
        (6, "AF_NETROM"),
        (7, "AF_BRIDGE"),
        (8, "AF_ATMPVC"),
        (9, "AF_X25"),
        (10, "AF_INET6"),
        (11, "AF_ROSE"),
        (12, "AF_DECnet"),
        (13, "AF_NETBEUI"),
        (14, "AF_SECURITY"),
        (15, "AF_KEY"),
        (16, "AF_NETLINK"),
        (17, "AF_PACKET"),
        (18, "AF_ASH"),
        (19, "AF_ECONET"),
        (20, "AF_ATMSVC"),
        (21, "AF_RDS"),
        (22, "AF_SNA"),
        (23, "AF_IRDA"),
        (24, "AF_PPPOX"),
        (25, "AF_WANPIPE"),
        (26, "AF_LLC"),
        (27, "AF_IB"),
        (28, "AF_MPLS"),
        (29, "AF_CAN"),
        (30, "AF_TIPC"),
        (31, "AF_BLUETOOTH"),
        (32, "AF_IUCV"),
        (33, "AF_RXRPC"),
        (34, "AF_ISDN"),
        (35, "AF_PHONET"),
        (36, "AF_IEEE802154"),
        (37, "AF_CAIF"),
        (38, "AF_ALG"),
        (39, "AF_NFC"),
        (40, "AF_VSOCK"),
        (41, "AF_KCM"),
        (42, "AF_QIPCRTR"),
        (43, "AF_SMC"),
        (44, "AF_XDP"),
        (45, "AF_MCTP"),
    ],
);

/// SOCK_* with the flags that socket(2) takes beside them.
pub static TYPE: Names = Names::masked(
    "SOCK_???",
    0xf,
    &[
        (10, "SOCK_PACKET"),
        (6, "SOCK_DCCP"),
        (5, "SOCK_SEQPACKET"),
        (3, "SOCK_RAW"),
        (4, "SOCK_RDM"),
        (2, "SOCK_DGRAM"),
        (1, "SOCK_STREAM"),
        (0o2000000, "SOCK_CLOEXEC"),
        (0o4000, "SOCK_NONBLOCK"),
    ],
);

/// The protocols of a family; none where a family has only number 0.
pub fn protocols(family: i32) -> Option<&'static Names> {
    match family {
        2 | 10 => Some(&INTERNET_PROTOCOL),
        16 => Some(&NETLINK_PROTOCOL),
        17 => Some(&ETHERNET_PROTOCOL_BE),
        29 => Some(&CAN_PROTOCOL),
        31 => Some(&BLUETOOTH_PROTOCOL),
        43 => Some(&SMC_PROTOCOL),
        _ => None,
    }
}

/// IPPROTO_* (include/uapi/linux/in.h, in6.h).
pub static INTERNET_PROTOCOL: Names = Names::new(
    "IPPROTO_???",
    &[
        (0, "IPPROTO_IP"),
        (1, "IPPROTO_ICMP"),
        (2, "IPPROTO_IGMP"),
        (4, "IPPROTO_IPIP"),
        (6, "IPPROTO_TCP"),
        (8, "IPPROTO_EGP"),
        (12, "IPPROTO_PUP"),
        (17, "IPPROTO_UDP"),
        (22, "IPPROTO_IDP"),
        (29, "IPPROTO_TP"),
        (33, "IPPROTO_DCCP"),
        (41, "IPPROTO_IPV6"),
        (43, "IPPROTO_ROUTING"),
        (44, "IPPROTO_FRAGMENT"),
        (46, "IPPROTO_RSVP"),
        (47, "IPPROTO_GRE"),
        (50, "IPPROTO_ESP"),
        (51, "IPPROTO_AH"),
        (58, "IPPROTO_ICMPV6"),
        (59, "IPPROTO_NONE"),
        (60, "IPPROTO_DSTOPTS"),
        (92, "IPPROTO_MTP"),
        (94, "IPPROTO_BEETPH"),
        (98, "IPPROTO_ENCAP"),
        (103, "IPPROTO_PIM"),
        (108, "IPPROTO_COMP"),
        (115, "IPPROTO_L2TP"),
        (132, "IPPROTO_SCTP"),
        (135, "IPPROTO_MH"),
        (136, "IPPROTO_UDPLITE"),
        (137, "IPPROTO_MPLS"),
        (143, "IPPROTO_ETHERNET"),
        (144, "IPPROTO_AGGFRAG"),
        (255, "IPPROTO_RAW"),
        (256, "IPPROTO_SMC"),
        (262, "IPPROTO_MPTCP"),
    ],
);

/// The protocols of AF_NETLINK (netlink(7)).
pub static NETLINK_PROTOCOL: Names = Names::new(
    "NETLINK_???",
    &[
        (0, "NETLINK_ROUTE"),
        (1, "NETLINK_UNUSED"),
        (2, "NETLINK_USERSOCK"),
        (3, "NETLINK_FIREWALL"),
        (4, "NETLINK_SOCK_DIAG"),
        (5, "NETLINK_NFLOG"),
        (6, "NETLINK_XFRM"),
        (7, "NETLINK_SELINUX"),
        (8, "NETLINK_ISCSI"),
        (9, "NETLINK_AUDIT"),
        (10, "NETLINK_FIB_LOOKUP"),
        (11, "NETLINK_CONNECTOR"),
        (12, "NETLINK_NETFILTER"),
        (13, "NETLINK_IP6_FW"),
        (14, "NETLINK_DNRTMSG"),
        (15, "NETLINK_KOBJECT_UEVENT"),
        (16, "NETLINK_GENERIC"),
        (18, "NETLINK_SCSITRANSPORT"),
        (19, "NETLINK_ECRYPTFS"),
        (20, "NETLINK_RDMA"),
        (21, "NETLINK_CRYPTO"),
        (22, "NETLINK_SMC"),
    ],
);

/// The commoner ETH_P_* in network byte order, as packet(7) wants them in socket(2).
pub static ETHERNET_PROTOCOL_BE: Names = Names::new(
    "ETH_P_???",
    &[
        (0x0300, "htons(ETH_P_ALL)"),
        (0x0008, "htons(ETH_P_IP)"),
        (0x0608, "htons(ETH_P_ARP)"),
        (0xdd86, "htons(ETH_P_IPV6)"),
        (0x0081, "htons(ETH_P_8021Q)"),
        (0x3580, "htons(ETH_P_RARP)"),
        (0x6388, "htons(ETH_P_PPP_DISC)"),
        (0x6488, "htons(ETH_P_PPP_SES)"),
        (0x8e88, "htons(ETH_P_PAE)"),
        (0xcc88, "htons(ETH_P_LLDP)"),
        (0xf788, "htons(ETH_P_1588)"),
        (0x0100, "htons(ETH_P_802_3)"),
        (0x0400, "htons(ETH_P_802_2)"),
    ],
);

/// The protocols of AF_CAN (include/uapi/linux/can.h).
pub static CAN_PROTOCOL: Names = Names::new(
    "CAN_???",
    &[
        (1, "CAN_RAW"),
        (2, "CAN_BCM"),
        (3, "CAN_TP16"),
        (4, "CAN_TP20"),
        (5, "CAN_MCNET"),
        (6, "CAN_ISOTP"),
        (7, "CAN_J1939"),
    ],
);

/// The protocols of AF_BLUETOOTH (include/net/bluetooth/bluetooth.h).
pub static BLUETOOTH_PROTOCOL: Names = Names::new(
    "BTPROTO_???",
    &[
        (0, "BTPROTO_L2CAP"),
        (1, "BTPROTO_HCI"),
        (2, "BTPROTO_SCO"),
        (3, "BTPROTO_RFCOMM"),
        (4, "BTPROTO_BNEP"),
        (5, "BTPROTO_CMTP"),
        (6, "BTPROTO_HIDP"),
        (7, "BTPROTO_AVDTP"),
        (8, "BTPROTO_ISO"),
    ],
);

/// The protocols of AF_SMC (include/net/smc.h).
pub static SMC_PROTOCOL: Names =
    Names::new("SMCPROTO_???", &[(0, "SMCPROTO_SMC"), (1, "SMCPROTO_SMC6")]);

/// MSG_* (send(2), recv(2); include/linux/socket.h).
pub static MESSAGE: Names = Names::new(
    "MSG_???",
    &[
        (0x1, "MSG_OOB"),
        (0x2, "MSG_PEEK"),
        (0x4, "MSG_DONTROUTE"),
        (0x8, "MSG_CTRUNC"),
        (0x10, "MSG_PROBE"),
        (0x20, "MSG_TRUNC"),
        (0x40, "MSG_DONTWAIT"),
        (0x80, "MSG_EOR"),
        (0x100, "MSG_WAITALL"),
        (0x200, "MSG_FIN"),
        (0x400, "MSG_SYN"),
        (0x800, "MSG_CONFIRM"),
        (0x1000, "MSG_RST"),
        (0x2000, "MSG_ERRQUEUE"),
        (0x4000, "MSG_NOSIGNAL"),
        (0x8000, "MSG_MORE"),
        (0x1_0000, "MSG_WAITFORONE"),
        (0x4_0000, "MSG_BATCH"),
        (0x200_0000, "MSG_SOCK_DEVMEM"),
        (0x400_0000, "MSG_ZEROCOPY"),
        (0x2000_0000, "MSG_FASTOPEN"),
        (0x4000_0000, "MSG_CMSG_CLOEXEC"),
    ],
);

/// What shutdown(2) shuts.
pub static SHUTDOWN: Names = Names::new(
    "SHUT_???",
    &[(0, "SHUT_RD"), (1, "SHUT_WR"), (2, "SHUT_RDWR")],
);

/// The states of a TCP connection as TCP_INFO gives them (include/net/tcp_states.h).
pub static TCP_STATE: Names = Names::new(
    "TCP_???",
    &[
        (1, "TCP_ESTABLISHED"),
        (2, "TCP_SYN_SENT"),
        (3, "TCP_SYN_RECV"),
        (4, "TCP_FIN_WAIT1"),
        (5, "TCP_FIN_WAIT2"),
        (6, "TCP_TIME_WAIT"),
        (7, "TCP_CLOSE"),
        (8, "TCP_CLOSE_WAIT"),
        (9, "TCP_LAST_ACK"),
        (10, "TCP_LISTEN"),
        (11, "TCP_CLOSING"),
        (12, "TCP_NEW_SYN_RECV"),
    ],
);
