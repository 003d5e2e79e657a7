//! SOL_SOCKET: options (socket(7), unix(7); include/uapi/asm-generic/socket.h) and control messages (unix(7), socket(7)).

use super::options;
use crate::syscall::names::interface::{MEMINFO, TIMESTAMPING, TXTIME};
use crate::syscall::names::{file, socket};
use crate::syscall::shape::Shape::{self, *};
use crate::syscall::structures::{TIMESPEC, TIMEVAL, UCRED};

const LINGER: Shape = Struct(&[("l_onoff", 0, Signed(4)), ("l_linger", 4, Signed(4))]);
const FILTER: Shape = Struct(&[("len", 0, Unsigned(2)), ("filter", 8, Pointer)]);
const TIMESTAMPS: Shape = Struct(&[
    ("flags", 0, Flags(&TIMESTAMPING, 4)),
    ("bind_phc", 4, Signed(4)),
]);
const TX_TIME: Shape = Struct(&[
    ("clockid", 0, Const(&file::CLOCK, 4)),
    ("flags", 4, Flags(&TXTIME, 4)),
]);

options! {
    /// Options of SOL_SOCKET.
    SOCKET "SO_???" {
        1 "SO_DEBUG" Number;
        2 "SO_REUSEADDR" Number;
        3 "SO_TYPE" Const(&socket::TYPE, 4);
        4 "SO_ERROR" Errno;
        5 "SO_DONTROUTE" Number;
        6 "SO_BROADCAST" Number;
        7 "SO_SNDBUF" Number;
        8 "SO_RCVBUF" Number;
        9 "SO_KEEPALIVE" Number;
        10 "SO_OOBINLINE" Number;
        11 "SO_NO_CHECK" Number;
        12 "SO_PRIORITY" Number;
        13 "SO_LINGER" LINGER;
        14 "SO_BSDCOMPAT" Number;
        15 "SO_REUSEPORT" Number;
        16 "SO_PASSCRED" Number;
        17 "SO_PEERCRED" UCRED;
        18 "SO_RCVLOWAT" Number;
        19 "SO_SNDLOWAT" Number;
        20 "SO_RCVTIMEO" TIMEVAL;
        21 "SO_SNDTIMEO" TIMEVAL;
        22 "SO_SECURITY_AUTHENTICATION" Number;
        23 "SO_SECURITY_ENCRYPTION_TRANSPORT" Number;
        24 "SO_SECURITY_ENCRYPTION_NETWORK" Number;
        25 "SO_BINDTODEVICE" Text;
        26 "SO_ATTACH_FILTER" FILTER;
        27 "SO_DETACH_FILTER" Number;
        28 "SO_PEERNAME" Address;
        29 "SO_TIMESTAMP" Number;
        30 "SO_ACCEPTCONN" Number;
        31 "SO_PEERSEC" Text;
        32 "SO_SNDBUFFORCE" Number;
        33 "SO_RCVBUFFORCE" Number;
        34 "SO_PASSSEC" Number;
        35 "SO_TIMESTAMPNS" Number;
        36 "SO_MARK" Hex(4);
        37 "SO_TIMESTAMPING" TIMESTAMPS;
        38 "SO_PROTOCOL" Number;
        39 "SO_DOMAIN" Const(&socket::FAMILY, 4);
        40 "SO_RXQ_OVFL" Number;
        41 "SO_WIFI_STATUS" Number;
        42 "SO_PEEK_OFF" Number;
        43 "SO_NOFCS" Number;
        44 "SO_LOCK_FILTER" Number;
        45 "SO_SELECT_ERR_QUEUE" Number;
        46 "SO_BUSY_POLL" Number;
        47 "SO_MAX_PACING_RATE" Opaque;
        48 "SO_BPF_EXTENSIONS" Number;
        49 "SO_INCOMING_CPU" Number;
        50 "SO_ATTACH_BPF" Fd;
        51 "SO_ATTACH_REUSEPORT_CBPF" FILTER;
        52 "SO_ATTACH_REUSEPORT_EBPF" Fd;
        53 "SO_CNX_ADVICE" Number;
        55 "SO_MEMINFO" MEMINFO;
        56 "SO_INCOMING_NAPI_ID" Unsigned(4);
        57 "SO_COOKIE" Unsigned(8);
        59 "SO_PEERGROUPS" List(&Unsigned(4));
        60 "SO_ZEROCOPY" Number;
        61 "SO_TXTIME" TX_TIME;
        62 "SO_BINDTOIFINDEX" Number;
        63 "SO_TIMESTAMP_NEW" Number;
        64 "SO_TIMESTAMPNS_NEW" Number;
        65 "SO_TIMESTAMPING_NEW" TIMESTAMPS;
        66 "SO_RCVTIMEO_NEW" TIMEVAL;
        67 "SO_SNDTIMEO_NEW" TIMEVAL;
        68 "SO_DETACH_REUSEPORT_BPF" Number;
        69 "SO_PREFER_BUSY_POLL" Number;
        70 "SO_BUSY_POLL_BUDGET" Number;
        71 "SO_NETNS_COOKIE" Unsigned(8);
        72 "SO_BUF_LOCK" Number;
        73 "SO_RESERVE_MEM" Number;
        74 "SO_TXREHASH" Number;
        75 "SO_RCVMARK" Number;
        76 "SO_PASSPIDFD" Number;
        77 "SO_PEERPIDFD" Fd;
        78 "SO_DEVMEM_LINEAR" Number;
        79 "SO_DEVMEM_DMABUF" Number;
        80 "SO_DEVMEM_DONTNEED" Opaque;
        82 "SO_RCVPRIORITY" Number;
        83 "SO_PASSRIGHTS" Number;
        84 "SO_INQ" Number;
    }
}

/// The three times of SO_TIMESTAMPING.
const STAMPS: Shape = List(&TIMESPEC);

options! {
    /// Control messages of SOL_SOCKET.
    SOCKET_CONTROL "SCM_???" {
        1 "SCM_RIGHTS" List(&Fd);
        2 "SCM_CREDENTIALS" UCRED;
        3 "SCM_SECURITY" Text;
        4 "SCM_PIDFD" Fd;
        12 "SO_PRIORITY" Number;
        29 "SO_TIMESTAMP" TIMEVAL;
        35 "SO_TIMESTAMPNS" TIMESPEC;
        36 "SO_MARK" Hex(4);
        37 "SO_TIMESTAMPING" STAMPS;
        40 "SO_RXQ_OVFL" Unsigned(4);
        41 "SCM_WIFI_STATUS" Number;
        54 "SCM_TIMESTAMPING_OPT_STATS" Opaque;
        58 "SCM_TIMESTAMPING_PKTINFO" Struct(&[("if_index", 0, Unsigned(4)), ("pkt_length", 4, Unsigned(4))]);
        61 "SCM_TXTIME" Unsigned(8);
        63 "SO_TIMESTAMP_NEW" TIMEVAL;
        64 "SO_TIMESTAMPNS_NEW" TIMESPEC;
        65 "SO_TIMESTAMPING_NEW" STAMPS;
        78 "SCM_DEVMEM_LINEAR" Opaque;
        79 "SCM_DEVMEM_DMABUF" Opaque;
        81 "SCM_TS_OPT_ID" Unsigned(4);
        84 "SCM_INQ" Number;
    }
}
