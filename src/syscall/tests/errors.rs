//! Names and meanings of errors.

use super::*;

#[test]
fn names_of_the_kernel_s_own_codes_and_of_all_others() {
    assert_eq!(errno::name(libc::ECONNREFUSED), Some("ECONNREFUSED"));
    assert_eq!(errno::name(libc::EAGAIN), Some("EAGAIN"));
    for (number, name) in [
        (512, "ERESTARTSYS"),
        (513, "ERESTARTNOINTR"),
        (514, "ERESTARTNOHAND"),
        (516, "ERESTART_RESTARTBLOCK"),
    ] {
        assert_eq!(errno::name(number), Some(name));
    }
    for none in [0, -1, 999, i32::MIN, i32::MAX] {
        assert_eq!(errno::name(none), None);
    }
}

#[test]
fn meanings_depend_on_what_was_tried_and_never_fail() {
    use Role::*;
    assert_eq!(
        errno::meaning(libc::ECONNREFUSED, Connect),
        "nobody listens there: the machine answered with a refusal"
    );
    assert_eq!(
        errno::meaning(libc::EINPROGRESS, Connect),
        "the handshake goes on without us"
    );
    assert_eq!(
        errno::meaning(libc::EAGAIN, Receive),
        "nothing there yet; would block"
    );
    assert_ne!(
        errno::meaning(libc::EAGAIN, Send),
        errno::meaning(libc::EAGAIN, Receive)
    );
    for role in [
        Create, Bind, Listen, Accept, Connect, Send, Receive, Shutdown, Close, Duplicate, Setup,
        Poll, File, IoUring, Engine,
    ] {
        for number in 1..=133 {
            // What strerror(3) says stands beside the name anyway.
            let known = syscalls::Errno::new(number).description();
            assert_ne!(
                Some(errno::meaning(number, role)),
                known,
                "{number} {role:?}"
            );
        }
        assert_eq!(errno::meaning(i32::MIN, role), "");
    }
}

#[test]
fn reasons_are_true_of_the_call_that_failed() {
    let tracee = Tracee::default();
    tracee.put(0x100, b"/nowhere\0");
    let reason = |sysno, args: &[u64], errno| {
        errno::reason(&tracee.call(sysno, args, |_| {}, Outcome::Error(errno)))
    };
    let socket = |family: i32, kind: i32, protocol: i32| {
        reason(
            Sysno::socket,
            &[family as u64, kind as u64, protocol as u64],
            libc::EACCES,
        )
    };
    // What ping(8) tries first (icmp(7)).
    let echo = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    assert!(socket(libc::AF_INET, echo, libc::IPPROTO_ICMP).contains("ping_group_range"));
    assert!(socket(libc::AF_INET6, echo, libc::IPPROTO_ICMPV6).contains("ping_group_range"));
    assert!(socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP).contains("privilege"));
    assert!(socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0).contains("privilege"));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_STREAM, 0), "");
    assert!(reason(Sysno::io_uring_setup, &[8, 0], libc::ENOSYS).contains("no io_uring here"));
    assert_eq!(reason(Sysno::openat, &[0, 0x100, 0], libc::ENOENT), "");
}

#[test]
fn failures_that_are_steps_on_the_way() {
    let tracee = Tracee::default();
    tracee
        .put(0x100, b"\x01\0/var/run/nscd/socket\0")
        .put(0x200, b"\x01\0/run/app.sock\0");
    let normal = |sysno, args: &[u64], errno| {
        errno::is_normal(&tracee.call(sysno, args, |_| {}, Outcome::Error(errno)))
    };
    assert!(normal(Sysno::connect, &[3, 0x100, 23], libc::ENOENT));
    assert!(!normal(Sysno::connect, &[3, 0x200, 16], libc::ENOENT));
    assert!(normal(Sysno::connect, &[3, 0x200, 16], libc::EINPROGRESS));
    assert!(!normal(Sysno::connect, &[3, 0x200, 16], libc::ECONNREFUSED));
    assert!(normal(Sysno::read, &[3, 0x100, 4], libc::EAGAIN));
    assert!(normal(Sysno::poll, &[0, 0, 0], 516));
    assert!(!normal(Sysno::read, &[3, 0x100, 4], libc::ECONNRESET));
    assert!(!errno::is_normal(&tracee.call(
        Sysno::close,
        &[3],
        |_| {},
        Outcome::Value(0)
    )));
}
