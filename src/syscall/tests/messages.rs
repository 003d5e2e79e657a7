//! msghdr, mmsghdr and control messages.

use super::*;
use Outcome::{Error, Unfinished, Value as Returned};

const NAME: u64 = 0x1000;
const IOVECS: u64 = 0x2000;
const DATA: u64 = 0x3000;
const CONTROL: u64 = 0x4000;
const HEADER: u64 = 0x5000;

/// A struct msghdr with one iovec's array, a name and control messages.
fn header(name_len: u32, iovecs: u64, control_len: u64, flags: u32) -> Vec<u8> {
    let name = if name_len == 0 { 0 } else { NAME };
    let control = if control_len == 0 { 0 } else { CONTROL };
    longs(&[
        name,
        name_len.into(),
        IOVECS,
        iovecs,
        control,
        control_len,
        flags.into(),
    ])
}

/// One control message, padded.
fn cmsg(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = longs(&[16 + data.len() as u64]);
    bytes.extend(words(&[level, kind]));
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A tracee with a message of "hello" in its buffers.
fn tracee() -> Tracee {
    let tracee = Tracee::default();
    tracee
        .put(NAME, inet([10, 0, 0, 1], 53))
        .put(IOVECS, longs(&[DATA, 100]))
        .put(DATA, [b"hello".as_slice(), &[0; 95]].concat());
    tracee
}

#[test]
fn a_message_that_was_sent() {
    let tracee = tracee();
    tracee
        .put(HEADER, header(16, 1, 0, 0))
        .put(IOVECS, longs(&[DATA, 5]));
    let sent = "sendmsg(3, {msg_name=Inet { ip: 10.0.0.1, port: 53 }, msg_namelen=16, \
                msg_iov=[{iov_base=\"hello\", iov_len=5}], msg_iovlen=1, msg_control=NULL, msg_controllen=0, msg_flags=0}, MSG_NOSIGNAL)";
    for outcome in [Returned(5), Error(libc::EAGAIN), Unfinished] {
        assert_eq!(
            tracee.show(Sysno::sendmsg, &[3, HEADER, 0x4000], outcome),
            sent
        );
    }
    assert_eq!(
        tracee.show(Sysno::sendmsg, &[3, 0xbad, 0], Error(libc::EFAULT)),
        "sendmsg(3, 0xbad, 0)"
    );
}

#[test]
fn each_level_of_pointers_is_one_read() {
    let tracee = tracee();
    tracee
        .put(HEADER, header(16, 2, 24, 0))
        .put(IOVECS, longs(&[DATA, 5, DATA, 3]))
        .put(
            CONTROL,
            cmsg(libc::SOL_SOCKET, libc::SCM_RIGHTS, &words(&[7])),
        );
    tracee.show(Sysno::sendmsg, &[3, HEADER, 0], Returned(8));
    assert_eq!(
        tracee.reads(),
        (6, 56 + 16 + 32 + 24 + 5 + 3),
        "header; name, vector, control messages; both buffers"
    );
    assert_eq!(tracee.gathers(), 3);
    tracee.show(Sysno::writev, &[3, IOVECS, 2], Returned(8));
    assert_eq!(tracee.gathers(), 2, "vector; both buffers");
    tracee.show(Sysno::shutdown, &[3, 1], Returned(0));
    assert_eq!(tracee.gathers(), 0);
}

#[test]
fn a_message_that_came_in_shows_what_the_kernel_changed() {
    let tracee = tracee();
    tracee.put(HEADER, header(128, 1, 64, 0));
    let rights = cmsg(libc::SOL_SOCKET, libc::SCM_RIGHTS, &words(&[7, 8]));
    let receive = |outcome| {
        tracee.put(HEADER, header(128, 1, 64, 0));
        let kernel = |tracee: &Tracee| {
            tracee
                .put(CONTROL, &rights)
                .put(HEADER, header(16, 1, rights.len() as u64, 0x4000_0000));
        };
        tracee.call(Sysno::recvmsg, &[3, HEADER, 0], kernel, outcome)
    };
    let call = receive(Returned(5));
    assert_eq!(
        show_call(&call),
        "recvmsg(3, {msg_name=Inet { ip: 10.0.0.1, port: 53 }, msg_namelen=[128 => 16], \
         msg_iov=[{iov_base=\"hello\", iov_len=100}], msg_iovlen=1, \
         msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[7, 8]}], msg_controllen=[64 => 24], \
         msg_flags=MSG_CMSG_CLOEXEC}, 0)"
    );
    assert_eq!(
        call.payload(),
        [&Data {
            bytes: b"hello".to_vec(),
            len: 5
        }]
    );
    assert!(matches!(
        call.address(),
        Some(SockAddr::Inet { port: 53, .. })
    ));
    tracee.put(HEADER, header(128, 1, 64, 0));
    let nothing = tracee.show(Sysno::recvmsg, &[3, HEADER, 0x40], Error(libc::EAGAIN));
    assert_eq!(
        nothing,
        "recvmsg(3, {msg_name=0x1000, msg_namelen=128, msg_iov=[{iov_base=0x3000, iov_len=100}], msg_iovlen=1, \
         msg_control=0x4000, msg_controllen=64, msg_flags=0}, MSG_DONTWAIT)"
    );
}

#[test]
fn several_messages_are_shown_as_far_as_they_went() {
    let tracee = tracee();
    let element = |sent: i32| [header(0, 1, 0, 0), words(&[sent, 0])].concat();
    tracee.put(HEADER, [element(5), element(3), element(0)].concat());
    let some = tracee.call(Sysno::sendmmsg, &[3, HEADER, 3, 0], |_| {}, Returned(2));
    let shown = show_call(&some);
    assert!(
        shown.contains("iov_base=\"hello\"") && shown.contains("iov_base=\"hel\""),
        "{shown}"
    );
    assert!(
        shown.contains("msg_len=5")
            && shown.contains("msg_len=3")
            && shown.ends_with(", …], 3, 0)"),
        "{shown}"
    );
    assert_eq!(
        some.payload()
            .iter()
            .map(|data| data.len)
            .collect::<Vec<_>>(),
        [5, 3]
    );
    let none = tracee.call(
        Sysno::sendmmsg,
        &[3, HEADER, 3, 0],
        |_| {},
        Error(libc::EAGAIN),
    );
    assert_eq!(none.payload().len(), 3, "what was offered");
    let waiting = tracee.show(Sysno::recvmmsg, &[3, HEADER, 3, 0, 0], Unfinished);
    assert!(
        waiting.contains("iov_base=0x3000")
            && !waiting.contains("msg_len")
            && waiting.ends_with("3, 0, NULL)"),
        "{waiting}"
    );
    let call = tracee.call(
        Sysno::recvmmsg,
        &[3, HEADER, u64::from(u32::MAX), 0, 0],
        |_| {},
        Returned(2),
    );
    assert_eq!(call.payload().len(), 2);
    assert_eq!(
        tracee.show(Sysno::recvmmsg, &[3, 0xbad, 3, 0, 0], Error(14)),
        "recvmmsg(3, 0xbad, 3, 0, NULL)"
    );
}

#[test]
fn of_many_messages_each_says_how_long_it_was() {
    let tracee = tracee();
    let element = [header(0, 1, 0, 0), words(&[5, 0])].concat();
    tracee.put(HEADER, element.repeat(2000));
    let call = tracee.call(
        Sysno::sendmmsg,
        &[3, HEADER, 2000, 0],
        |_| {},
        Returned(2000),
    );
    let Some(Value::List { items, more: true }) = call.arg("msgvec") else {
        panic!("no list")
    };
    assert_eq!(items.len(), 1024, "the kernel takes no more");
    assert!(
        items
            .iter()
            .all(|item| item.field("msg_len") == Some(&Value::Unsigned(5)))
    );
    assert_eq!(
        items
            .iter()
            .filter(|item| item.field("msg_hdr").is_some())
            .count(),
        32
    );
}

/// The one control message of a received message, as text.
fn control(level: i32, kind: i32, data: &[u8]) -> String {
    let tracee = tracee();
    let message = cmsg(level, kind, data);
    tracee
        .put(CONTROL, &message)
        .put(HEADER, header(0, 1, message.len() as u64, 0));
    let call = tracee.call(Sysno::recvmsg, &[3, HEADER, 0], |_| {}, Returned(5));
    let Some(Value::Struct(fields)) = call.arg("msg") else {
        panic!("no msghdr")
    };
    let (_, Value::List { items, .. }) = &fields[4] else {
        panic!("no control messages: {fields:?}")
    };
    let Value::Struct(fields) = &items[0] else {
        panic!("no control message")
    };
    fields[1..]
        .iter()
        .map(|(_, value)| show(value))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn control_messages_by_name_with_their_values() {
    let time = longs(&[5, 6]);
    let mut error = words(&[libc::ECONNREFUSED]);
    error.extend([2, 3, 3, 0]);
    error.extend(words(&[0, 0]));
    error.extend(inet([10, 0, 0, 9], 0));
    for (level, kind, data, expected) in [
        (
            1,
            2,
            words(&[1, 2, 3]),
            "SOL_SOCKET SCM_CREDENTIALS {pid=1, uid=2, gid=3}",
        ),
        (
            1,
            3,
            b"label\0".to_vec(),
            "SOL_SOCKET SCM_SECURITY \"label\"",
        ),
        (
            1,
            29,
            time.clone(),
            "SOL_SOCKET SO_TIMESTAMP {tv_sec=5, tv_usec=6}",
        ),
        (
            1,
            35,
            time.clone(),
            "SOL_SOCKET SO_TIMESTAMPNS {tv_sec=5, tv_nsec=6}",
        ),
        (
            1,
            37,
            time.repeat(3),
            "SOL_SOCKET SO_TIMESTAMPING [{tv_sec=5, tv_nsec=6}, {tv_sec=5, tv_nsec=6}, {tv_sec=5, tv_nsec=6}]",
        ),
        (
            0,
            8,
            [words(&[2]), vec![10, 0, 0, 1, 10, 0, 0, 2]].concat(),
            "IPPROTO_IP IP_PKTINFO {ipi_ifindex=2, ipi_spec_dst=inet_addr(\"10.0.0.1\"), ipi_addr=inet_addr(\"10.0.0.2\")}",
        ),
        (
            41,
            50,
            [vec![0; 15], vec![1], words(&[3])].concat(),
            "IPPROTO_IPV6 IPV6_PKTINFO {ipi6_addr=inet_pton(\"::1\"), ipi6_ifindex=3}",
        ),
        (0, 2, words(&[64]), "IPPROTO_IP IP_TTL [64]"),
        (0, 1, vec![16], "IPPROTO_IP IP_TOS [16]"),
        (41, 52, words(&[63]), "IPPROTO_IPV6 IPV6_HOPLIMIT [63]"),
        (41, 67, words(&[8]), "IPPROTO_IPV6 IPV6_TCLASS [8]"),
        (
            0,
            11,
            error,
            "IPPROTO_IP IP_RECVERR {ee_errno=ECONNREFUSED, ee_origin=SO_EE_ORIGIN_ICMP, ee_type=3, ee_code=3, ee_info=0, \
             ee_data=0, offender=Inet { ip: 10.0.0.9, port: 0 }}",
        ),
        (17, 104, words(&[1400]), "IPPROTO_UDP UDP_GRO [1400]"),
        (
            1,
            99,
            b"xyz".to_vec(),
            "SOL_SOCKET 0x63 /* SCM_??? */ \"xyz\"",
        ),
        (77, 1, b"xyz".to_vec(), "0x4d /* SOL_??? */ 1 \"xyz\""),
        (0, 8, vec![1, 2], "IPPROTO_IP IP_PKTINFO []"),
    ] {
        assert_eq!(control(level, kind, &data), expected);
    }
}

#[test]
fn garbage_among_control_messages_ends_them() {
    let tracee = tracee();
    let good = cmsg(0, 2, &words(&[64]));
    let shown = |bytes: Vec<u8>, len: u64| {
        tracee.put(CONTROL, bytes).put(HEADER, header(0, 1, len, 0));
        tracee.show(Sysno::sendmsg, &[3, HEADER, 0], Returned(5))
    };
    let one =
        "msg_control=[{cmsg_len=20, cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=[64]}], ";
    for bad in [longs(&[0, 0]), longs(&[15, 0]), vec![1; 7]] {
        let bytes = [good.clone(), bad].concat();
        let len = bytes.len() as u64;
        assert!(shown(bytes, len).contains(one));
    }
    // A length far beyond the buffer: what is there is shown, and nothing after it.
    let endless = [longs(&[u64::MAX]), words(&[1, 1, 9])].concat();
    assert!(shown(endless.clone(), 20).contains("cmsg_type=SCM_RIGHTS, cmsg_data=[9]}], "));
    assert!(shown(endless, u64::MAX).contains("cmsg_type=SCM_RIGHTS, cmsg_data=[9]}], "));
    assert!(shown(longs(&[3, 0]), 16).contains("msg_control=0x4000, msg_controllen=16"));
}
