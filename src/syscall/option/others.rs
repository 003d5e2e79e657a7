//! The other levels: netlink(7), packet(7), vsock(7), raw(7), sctp(7), and those of kernel headers alone.

use super::options;
use crate::syscall::names::interface::{PACKET_MEMBERSHIP, PACKET_VERSION};
use crate::syscall::shape::Shape::{self, *};
use crate::syscall::structures::TIMEVAL;

options! {
    /// Options of SOL_NETLINK.
    NETLINK "NETLINK_???" {
        1 "NETLINK_ADD_MEMBERSHIP" Number;
        2 "NETLINK_DROP_MEMBERSHIP" Number;
        3 "NETLINK_PKTINFO" Number;
        4 "NETLINK_BROADCAST_ERROR" Number;
        5 "NETLINK_NO_ENOBUFS" Number;
        6 "NETLINK_RX_RING" Opaque;
        7 "NETLINK_TX_RING" Opaque;
        8 "NETLINK_LISTEN_ALL_NSID" Number;
        9 "NETLINK_LIST_MEMBERSHIPS" List(&Hex(4));
        10 "NETLINK_CAP_ACK" Number;
        11 "NETLINK_EXT_ACK" Number;
        12 "NETLINK_GET_STRICT_CHK" Number;
    }
}

options! {
    /// Control messages of SOL_NETLINK.
    NETLINK_CONTROL "NETLINK_???" {
        3 "NETLINK_PKTINFO" Struct(&[("group", 0, Unsigned(4))]);
        8 "NETLINK_LISTEN_ALL_NSID" Number;
    }
}

const PACKET_MREQ: Shape = Struct(&[
    ("mr_ifindex", 0, Signed(4)),
    ("mr_type", 4, Const(&PACKET_MEMBERSHIP, 2)),
    ("mr_alen", 6, Unsigned(2)),
    ("mr_address", 8, Hex(8)),
]);
const PACKET_RING: Shape = Struct(&[
    ("tp_block_size", 0, Unsigned(4)),
    ("tp_block_nr", 4, Unsigned(4)),
    ("tp_frame_size", 8, Unsigned(4)),
    ("tp_frame_nr", 12, Unsigned(4)),
]);
const PACKET_STATISTICS: Shape = Struct(&[
    ("tp_packets", 0, Unsigned(4)),
    ("tp_drops", 4, Unsigned(4)),
    ("tp_freeze_q_cnt", 8, Unsigned(4)),
]);
const PACKET_AUXDATA: Shape = Struct(&[
    ("tp_status", 0, Hex(4)),
    ("tp_len", 4, Unsigned(4)),
    ("tp_snaplen", 8, Unsigned(4)),
    ("tp_mac", 12, Unsigned(2)),
    ("tp_net", 14, Unsigned(2)),
    ("tp_vlan_tci", 16, Unsigned(2)),
    ("tp_vlan_tpid", 18, Hex(2)),
]);

options! {
    /// Options of SOL_PACKET.
    PACKET "PACKET_???" {
        1 "PACKET_ADD_MEMBERSHIP" PACKET_MREQ;
        2 "PACKET_DROP_MEMBERSHIP" PACKET_MREQ;
        3 "PACKET_RECV_OUTPUT" Number;
        5 "PACKET_RX_RING" PACKET_RING;
        6 "PACKET_STATISTICS" PACKET_STATISTICS;
        7 "PACKET_COPY_THRESH" Number;
        8 "PACKET_AUXDATA" Number;
        9 "PACKET_ORIGDEV" Number;
        10 "PACKET_VERSION" Const(&PACKET_VERSION, 4);
        11 "PACKET_HDRLEN" Number;
        12 "PACKET_RESERVE" Number;
        13 "PACKET_TX_RING" PACKET_RING;
        14 "PACKET_LOSS" Number;
        15 "PACKET_VNET_HDR" Number;
        16 "PACKET_TX_TIMESTAMP" Number;
        17 "PACKET_TIMESTAMP" Number;
        18 "PACKET_FANOUT" Hex(4);
        19 "PACKET_TX_HAS_OFF" Number;
        20 "PACKET_QDISC_BYPASS" Number;
        21 "PACKET_ROLLOVER_STATS" List(&Unsigned(8));
        22 "PACKET_FANOUT_DATA" Opaque;
        23 "PACKET_IGNORE_OUTGOING" Number;
        24 "PACKET_VNET_HDR_SZ" Number;
    }
}

options! {
    /// Control messages of SOL_PACKET.
    PACKET_CONTROL "PACKET_???" {
        8 "PACKET_AUXDATA" PACKET_AUXDATA;
    }
}

options! {
    /// Options of AF_VSOCK, which is a level by its own number.
    VSOCK "SO_VM_SOCKETS_???" {
        0 "SO_VM_SOCKETS_BUFFER_SIZE" Unsigned(8);
        1 "SO_VM_SOCKETS_BUFFER_MIN_SIZE" Unsigned(8);
        2 "SO_VM_SOCKETS_BUFFER_MAX_SIZE" Unsigned(8);
        3 "SO_VM_SOCKETS_PEER_HOST_VM_ID" Number;
        5 "SO_VM_SOCKETS_TRUSTED" Number;
        6 "SO_VM_SOCKETS_CONNECT_TIMEOUT" TIMEVAL;
        7 "SO_VM_SOCKETS_NONBLOCK_TXRX" Number;
        8 "SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW" TIMEVAL;
    }
}

options! {
    /// Options of SOL_RAW.
    RAW "RAW_???" {
        1 "ICMP_FILTER" Hex(4);
    }
}

options! {
    /// Options of IPPROTO_ICMPV6.
    ICMPV6 "ICMPV6_???" {
        1 "ICMPV6_FILTER" List(&Hex(4));
    }
}

const INITMSG: Shape = Struct(&[
    ("sinit_num_ostreams", 0, Unsigned(2)),
    ("sinit_max_instreams", 2, Unsigned(2)),
    ("sinit_max_attempts", 4, Unsigned(2)),
    ("sinit_max_init_timeo", 6, Unsigned(2)),
]);

options! {
    /// Options of IPPROTO_SCTP.
    SCTP "SCTP_???" {
        0 "SCTP_RTOINFO" Opaque;
        1 "SCTP_ASSOCINFO" Opaque;
        2 "SCTP_INITMSG" INITMSG;
        3 "SCTP_NODELAY" Number;
        4 "SCTP_AUTOCLOSE" Number;
        5 "SCTP_SET_PEER_PRIMARY_ADDR" Opaque;
        6 "SCTP_PRIMARY_ADDR" Opaque;
        7 "SCTP_ADAPTATION_LAYER" Opaque;
        8 "SCTP_DISABLE_FRAGMENTS" Number;
        9 "SCTP_PEER_ADDR_PARAMS" Opaque;
        10 "SCTP_DEFAULT_SEND_PARAM" Opaque;
        11 "SCTP_EVENTS" Opaque;
        12 "SCTP_I_WANT_MAPPED_V4_ADDR" Number;
        13 "SCTP_MAXSEG" Opaque;
        14 "SCTP_STATUS" Opaque;
        15 "SCTP_GET_PEER_ADDR_INFO" Opaque;
        16 "SCTP_DELAYED_ACK_TIME" Opaque;
        17 "SCTP_CONTEXT" Opaque;
        18 "SCTP_FRAGMENT_INTERLEAVE" Number;
        19 "SCTP_PARTIAL_DELIVERY_POINT" Number;
        20 "SCTP_MAX_BURST" Opaque;
        21 "SCTP_AUTH_CHUNK" Opaque;
        22 "SCTP_HMAC_IDENT" Opaque;
        23 "SCTP_AUTH_KEY" Opaque;
        24 "SCTP_AUTH_ACTIVE_KEY" Opaque;
        25 "SCTP_AUTH_DELETE_KEY" Opaque;
        26 "SCTP_PEER_AUTH_CHUNKS" Opaque;
        27 "SCTP_LOCAL_AUTH_CHUNKS" Opaque;
        28 "SCTP_GET_ASSOC_NUMBER" Opaque;
        29 "SCTP_GET_ASSOC_ID_LIST" Opaque;
        30 "SCTP_AUTO_ASCONF" Number;
        31 "SCTP_PEER_ADDR_THLDS" Opaque;
        32 "SCTP_RECVRCVINFO" Number;
        33 "SCTP_RECVNXTINFO" Number;
        34 "SCTP_DEFAULT_SNDINFO" Opaque;
        35 "SCTP_AUTH_DEACTIVATE_KEY" Opaque;
        36 "SCTP_REUSE_PORT" Number;
        37 "SCTP_PEER_ADDR_THLDS_V2" Opaque;
        100 "SCTP_SOCKOPT_BINDX_ADD" Opaque;
        101 "SCTP_SOCKOPT_BINDX_REM" Opaque;
        102 "SCTP_SOCKOPT_PEELOFF" Opaque;
        107 "SCTP_SOCKOPT_CONNECTX_OLD" Opaque;
        108 "SCTP_GET_PEER_ADDRS" Opaque;
        109 "SCTP_GET_LOCAL_ADDRS" Opaque;
        110 "SCTP_SOCKOPT_CONNECTX" Opaque;
        111 "SCTP_SOCKOPT_CONNECTX3" Opaque;
        112 "SCTP_GET_ASSOC_STATS" Opaque;
        113 "SCTP_PR_SUPPORTED" Opaque;
        114 "SCTP_DEFAULT_PRINFO" Opaque;
        115 "SCTP_PR_ASSOC_STATUS" Opaque;
        116 "SCTP_PR_STREAM_STATUS" Opaque;
        117 "SCTP_RECONFIG_SUPPORTED" Opaque;
        118 "SCTP_ENABLE_STREAM_RESET" Opaque;
        119 "SCTP_RESET_STREAMS" Opaque;
        120 "SCTP_RESET_ASSOC" Opaque;
        121 "SCTP_ADD_STREAMS" Opaque;
        122 "SCTP_SOCKOPT_PEELOFF_FLAGS" Opaque;
        123 "SCTP_STREAM_SCHEDULER" Opaque;
        124 "SCTP_STREAM_SCHEDULER_VALUE" Opaque;
        125 "SCTP_INTERLEAVING_SUPPORTED" Opaque;
        126 "SCTP_SENDMSG_CONNECT" Opaque;
        127 "SCTP_EVENT" Opaque;
        128 "SCTP_ASCONF_SUPPORTED" Opaque;
        129 "SCTP_AUTH_SUPPORTED" Opaque;
        130 "SCTP_ECN_SUPPORTED" Opaque;
        131 "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE" Opaque;
        132 "SCTP_REMOTE_UDP_ENCAPS_PORT" Opaque;
        133 "SCTP_PLPMTUD_PROBE_INTERVAL" Opaque;
    }
}

/// struct sctp_sndrcvinfo.
const SNDRCVINFO: Shape = Struct(&[
    ("sinfo_stream", 0, Unsigned(2)),
    ("sinfo_ssn", 2, Unsigned(2)),
    ("sinfo_flags", 4, Hex(2)),
    ("sinfo_ppid", 8, Unsigned(4)),
    ("sinfo_context", 12, Unsigned(4)),
    ("sinfo_timetolive", 16, Unsigned(4)),
    ("sinfo_tsn", 20, Unsigned(4)),
    ("sinfo_cumtsn", 24, Unsigned(4)),
    ("sinfo_assoc_id", 28, Signed(4)),
]);

options! {
    /// Control messages of IPPROTO_SCTP.
    SCTP_CONTROL "SCTP_???" {
        0 "SCTP_INIT" INITMSG;
        1 "SCTP_SNDRCV" SNDRCVINFO;
        2 "SCTP_SNDINFO" Opaque;
        3 "SCTP_RCVINFO" Opaque;
        4 "SCTP_NXTINFO" Opaque;
        5 "SCTP_PRINFO" Opaque;
        6 "SCTP_AUTHINFO" Opaque;
        7 "SCTP_DSTADDRV4" Ip;
        8 "SCTP_DSTADDRV6" Ip6;
    }
}

options! {
    /// Options of SOL_TIPC.
    TIPC "TIPC_???" {
        127 "TIPC_IMPORTANCE" Number;
        128 "TIPC_SRC_DROPPABLE" Number;
        129 "TIPC_DEST_DROPPABLE" Number;
        130 "TIPC_CONN_TIMEOUT" Number;
        131 "TIPC_NODE_RECVQ_DEPTH" Number;
        132 "TIPC_SOCK_RECVQ_DEPTH" Number;
        133 "TIPC_MCAST_BROADCAST" Number;
        134 "TIPC_MCAST_REPLICAST" Number;
        135 "TIPC_GROUP_JOIN" Opaque;
        136 "TIPC_GROUP_LEAVE" Number;
        137 "TIPC_SOCK_RECVQ_USED" Number;
        138 "TIPC_NODELAY" Number;
    }
}

options! {
    /// Options of SOL_ALG. Keys are not read.
    ALG "ALG_???" {
        1 "ALG_SET_KEY" Unread;
        5 "ALG_SET_AEAD_AUTHSIZE" Opaque;
        6 "ALG_SET_DRBG_ENTROPY" Unread;
        7 "ALG_SET_KEY_BY_KEY_SERIAL" Number;
    }
}

options! {
    /// Control messages of SOL_ALG.
    ALG_CONTROL "ALG_???" {
        2 "ALG_SET_IV" Opaque;
        3 "ALG_SET_OP" Number;
        4 "ALG_SET_AEAD_ASSOCLEN" Unsigned(4);
    }
}

/// What every struct tls12_crypto_info_* begins with; the key behind it is not shown.
const CRYPTO_INFO: Shape = Struct(&[("version", 0, Hex(2)), ("cipher_type", 2, Unsigned(2))]);

options! {
    /// Options of SOL_TLS.
    TLS "TLS_???" {
        1 "TLS_TX" CRYPTO_INFO;
        2 "TLS_RX" CRYPTO_INFO;
        3 "TLS_TX_ZEROCOPY_RO" Number;
        4 "TLS_RX_EXPECT_NO_PAD" Number;
        5 "TLS_TX_MAX_PAYLOAD_LEN" Unsigned(2);
    }
}

options! {
    /// Control messages of SOL_TLS.
    TLS_CONTROL "TLS_???" {
        1 "TLS_SET_RECORD_TYPE" Unsigned(1);
        2 "TLS_GET_RECORD_TYPE" Unsigned(1);
    }
}

options! {
    /// Options of SOL_XDP.
    XDP "XDP_???" {
        1 "XDP_MMAP_OFFSETS" Opaque;
        2 "XDP_RX_RING" Number;
        3 "XDP_TX_RING" Number;
        4 "XDP_UMEM_REG" Opaque;
        5 "XDP_UMEM_FILL_RING" Number;
        6 "XDP_UMEM_COMPLETION_RING" Number;
        7 "XDP_STATISTICS" Opaque;
        8 "XDP_OPTIONS" Number;
        9 "XDP_MAX_TX_SKB_BUDGET" Number;
    }
}

options! {
    /// Options of SOL_MPTCP.
    MPTCP "MPTCP_???" {
        1 "MPTCP_INFO" Opaque;
        2 "MPTCP_TCPINFO" Opaque;
        3 "MPTCP_SUBFLOW_ADDRS" Opaque;
        4 "MPTCP_FULL_INFO" Opaque;
    }
}
