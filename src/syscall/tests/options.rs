//! setsockopt, getsockopt and ioctl.

use super::*;
use Outcome::{Error, Value as Returned};

/// The last three arguments of a setsockopt with that value.
fn set(level: u64, name: u64, value: &[u8]) -> String {
    let tracee = Tracee::default();
    tracee.put(0x100, value);
    let args = [3, level, name, 0x100, value.len() as u64];
    let shown = tracee.show(Sysno::setsockopt, &args, Returned(0));
    shown
        .trim_start_matches("setsockopt(3, ")
        .trim_end_matches(')')
        .to_owned()
}

/// The same of a getsockopt that returned that value.
fn get(level: u64, name: u64, value: &[u8]) -> String {
    let tracee = Tracee::default();
    tracee
        .put(0x100, value)
        .put(0x200, words(&[value.len() as i32]));
    let shown = tracee.show(
        Sysno::getsockopt,
        &[3, level, name, 0x100, 0x200],
        Returned(0),
    );
    shown
        .trim_start_matches("getsockopt(3, ")
        .trim_end_matches(')')
        .to_owned()
}

#[test]
fn options_by_name_with_typed_values() {
    let mreq = [224, 0, 0, 1, 127, 0, 0, 1];
    for (level, name, value, expected) in [
        (1, 2, words(&[1]), "SOL_SOCKET, SO_REUSEADDR, [1], 4"),
        (
            1,
            13,
            words(&[1, 5]),
            "SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8",
        ),
        (
            1,
            20,
            longs(&[3, 500_000]),
            "SOL_SOCKET, SO_RCVTIMEO, {tv_sec=3, tv_usec=500000}, 16",
        ),
        (
            1,
            25,
            b"eth0\0".to_vec(),
            "SOL_SOCKET, SO_BINDTODEVICE, \"eth0\", 5",
        ),
        (
            1,
            26,
            longs(&[12, 0xbeef]),
            "SOL_SOCKET, SO_ATTACH_FILTER, {len=12, filter=0xbeef}, 16",
        ),
        (6, 1, words(&[1]), "IPPROTO_TCP, TCP_NODELAY, [1], 4"),
        (
            6,
            13,
            b"bbr".to_vec(),
            "IPPROTO_TCP, TCP_CONGESTION, \"bbr\", 3",
        ),
        (
            6,
            33,
            vec![7; 16],
            "IPPROTO_TCP, TCP_FASTOPEN_KEY, 0x100, 16",
        ),
        (0, 2, vec![64], "IPPROTO_IP, IP_TTL, [64], 1"),
        (
            0,
            10,
            words(&[2]),
            "IPPROTO_IP, IP_MTU_DISCOVER, [IP_PMTUDISC_DO], 4",
        ),
        (
            0,
            35,
            mreq.to_vec(),
            "IPPROTO_IP, IP_ADD_MEMBERSHIP, {imr_multiaddr=inet_addr(\"224.0.0.1\"), imr_interface=inet_addr(\"127.0.0.1\")}, 8",
        ),
        (41, 26, words(&[1]), "IPPROTO_IPV6, IPV6_V6ONLY, [1], 4"),
        (
            17,
            103,
            words(&[1400]),
            "IPPROTO_UDP, UDP_SEGMENT, [1400], 4",
        ),
        (
            270,
            1,
            words(&[5]),
            "SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, [5], 4",
        ),
        (
            263,
            1,
            [words(&[2]), vec![1, 0, 0, 0], vec![0; 8]].concat(),
            "SOL_PACKET, PACKET_ADD_MEMBERSHIP, {mr_ifindex=2, mr_type=PACKET_MR_PROMISC, mr_alen=0, mr_address=0x0}, 16",
        ),
        (
            40,
            0,
            longs(&[4096]),
            "AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, [4096], 8",
        ),
        (
            282,
            1,
            vec![4, 3, 51, 0, 9, 9, 9],
            "SOL_TLS, TLS_TX, {version=0x304, cipher_type=51}, 7",
        ),
        (
            1,
            9999,
            words(&[7]),
            "SOL_SOCKET, 0x270f /* SO_??? */, [7], 4",
        ),
        (
            500,
            9,
            b"abc".to_vec(),
            "0x1f4 /* SOL_??? */, 9, \"abc\", 3",
        ),
    ] {
        assert_eq!(set(level, name, &value), expected);
    }
}

#[test]
fn answers_by_name_with_typed_values() {
    let mut tcp_info = vec![0; 232];
    tcp_info[0] = 1;
    tcp_info[2] = 3;
    tcp_info[68..72].copy_from_slice(&words(&[11_800]));
    tcp_info[80..84].copy_from_slice(&words(&[10]));
    for (level, name, value, expected) in [
        (
            1,
            4,
            words(&[111]),
            "SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]",
        ),
        (1, 4, words(&[0]), "SOL_SOCKET, SO_ERROR, [0], [4]"),
        (1, 3, words(&[1]), "SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]"),
        (
            1,
            39,
            words(&[10]),
            "SOL_SOCKET, SO_DOMAIN, [AF_INET6], [4]",
        ),
        (
            1,
            17,
            words(&[10, 0, -1]),
            "SOL_SOCKET, SO_PEERCRED, {pid=10, uid=0, gid=4294967295}, [12]",
        ),
        (
            1,
            59,
            words(&[4, 24]),
            "SOL_SOCKET, SO_PEERGROUPS, [4, 24], [8]",
        ),
        (
            0,
            80,
            inet([10, 0, 0, 1], 443),
            "IPPROTO_IP, SO_ORIGINAL_DST, Inet { ip: 10.0.0.1, port: 443 }, [16]",
        ),
    ] {
        assert_eq!(get(level, name, &value), expected);
    }
    let info = get(6, 11, &tcp_info);
    for part in [
        "{tcpi_state=TCP_ESTABLISHED, tcpi_retransmits=3, ",
        "tcpi_rtt=11800",
        "tcpi_snd_cwnd=10",
        "}, [232]",
    ] {
        assert!(info.contains(part), "{part} in {info}");
    }
    // An old kernel's shorter structure.
    assert!(get(6, 11, &tcp_info[..72]).contains("tcpi_rtt=11800}, [72]"));
}

#[test]
fn lengths_that_lie_are_bounded() {
    let tracee = Tracee::default();
    tracee.put(0x100, [9; 65536]);
    for len in [-1i64, i64::from(i32::MIN), 0] {
        let shown = tracee.show(
            Sysno::setsockopt,
            &[3, 1, 2, 0x100, len as u64],
            Error(libc::EINVAL),
        );
        assert!(shown.contains("SO_REUSEADDR, 0x100, "), "{shown}");
    }
    tracee.reads();
    tracee.show(
        Sysno::setsockopt,
        &[3, 1, 9999, 0x100, i32::MAX as u64],
        Error(libc::EINVAL),
    );
    assert_eq!(tracee.reads(), (1, 1024));
    let failed = tracee.show(
        Sysno::getsockopt,
        &[3, 1, 4, 0x100, 0xbad],
        Error(libc::EFAULT),
    );
    assert!(
        failed.ends_with(
            "SO_ERROR, 0x100, 0xbad)"
                .replace("0xbad", "[151587081]")
                .as_str()
        ) || failed.ends_with("0x100, 0xbad)")
    );
}

#[test]
fn requests_by_name_with_what_they_take_and_give() {
    let tracee = Tracee::default();
    let name = |tail: &[u8]| [b"eth0".as_slice(), &[0; 12], tail, &[0; 24]].concat();
    let ioctl = |request: u64, bytes: Vec<u8>, outcome| {
        tracee.put(0x100, bytes);
        let shown = tracee.show(Sysno::ioctl, &[3, request, 0x100], outcome);
        shown
            .trim_start_matches("ioctl(3, ")
            .trim_end_matches(')')
            .to_owned()
    };
    for (request, bytes, outcome, expected) in [
        (0x541b, words(&[75]), Returned(0), "FIONREAD, [75]"),
        (0x541b, words(&[75]), Error(25), "FIONREAD, 0x100"),
        (0x5421, words(&[1]), Returned(0), "FIONBIO, [1]"),
        (0x5411, words(&[0]), Returned(0), "SIOCOUTQ, [0]"),
        (0x5451, vec![], Returned(0), "FIOCLEX"),
        (
            0x8915,
            name(&inet([10, 0, 0, 7], 0)),
            Returned(0),
            "SIOCGIFADDR, {ifr_name=\"eth0\", ifr_addr=Inet { ip: 10.0.0.7, port: 0 }}",
        ),
        (
            0x8915,
            name(&[]),
            Error(19),
            "SIOCGIFADDR, {ifr_name=\"eth0\"}",
        ),
        (
            0x8913,
            name(&[0x43, 0x10]),
            Returned(0),
            "SIOCGIFFLAGS, {ifr_name=\"eth0\", ifr_flags=IFF_UP|IFF_BROADCAST|IFF_RUNNING|IFF_MULTICAST}",
        ),
        (
            0x8933,
            name(&words(&[2])),
            Returned(0),
            "SIOCGIFINDEX, {ifr_name=\"eth0\", ifr_ifindex=2}",
        ),
        (
            0x8927,
            name(&[1, 0, 2, 0, 0, 0xaa, 0xbb, 0xcc]),
            Returned(0),
            "SIOCGIFHWADDR, {ifr_name=\"eth0\", ifr_hwaddr={sa_family=ARPHRD_ETHER, sa_data=\"02:00:00:aa:bb:cc\"}}",
        ),
        (
            0xdead_beef,
            vec![],
            Error(25),
            "0xdeadbeef /* _IOC_??? */, 0x100",
        ),
    ] {
        assert_eq!(ioctl(request, bytes, outcome), expected);
    }
}
