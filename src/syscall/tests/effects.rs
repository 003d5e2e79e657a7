//! What calls do to the table of descriptors.

use super::*;
use Outcome::{Error, Unfinished, Value as Returned};

const CLOEXEC: u64 = libc::O_CLOEXEC as u64;

fn of(sysno: Sysno, args: &[u64], outcome: Outcome) -> Vec<Effect> {
    effects(&Tracee::default().call(sysno, args, |_| {}, outcome))
}

fn opens(fd: i32, origin: Origin, cloexec: bool) -> Vec<Effect> {
    vec![Effect::Opens {
        fd,
        origin,
        cloexec,
    }]
}

#[test]
fn sockets_and_duplicates() {
    let tcp = Origin::Socket {
        domain: 2,
        kind: 1,
        protocol: 6,
    };
    assert_eq!(
        of(Sysno::socket, &[2, 1 | CLOEXEC | 0o4000, 6], Returned(5)),
        opens(5, tcp, true)
    );
    assert_eq!(
        of(Sysno::socket, &[2, 1, 6], Returned(5)),
        opens(5, tcp, false)
    );
    assert_eq!(
        of(Sysno::accept, &[3, 0, 0], Returned(5)),
        opens(5, Origin::AcceptedFrom(3), false)
    );
    assert_eq!(
        of(Sysno::accept4, &[3, 0, 0, CLOEXEC], Returned(5)),
        opens(5, Origin::AcceptedFrom(3), true)
    );
    assert_eq!(
        of(Sysno::dup, &[3], Returned(5)),
        opens(5, Origin::Same(3), false)
    );
    assert_eq!(
        of(Sysno::dup2, &[3, 5], Returned(5)),
        opens(5, Origin::Same(3), false)
    );
    assert_eq!(of(Sysno::dup2, &[3, 3], Returned(3)), [], "onto itself");
    assert_eq!(
        of(Sysno::dup3, &[3, 5, CLOEXEC], Returned(5)),
        opens(5, Origin::Same(3), true)
    );
    assert_eq!(
        of(Sysno::fcntl, &[3, 0, 5], Returned(6)),
        opens(6, Origin::Same(3), false)
    );
    assert_eq!(
        of(Sysno::fcntl, &[3, 1030, 5], Returned(6)),
        opens(6, Origin::Same(3), true)
    );
    assert_eq!(of(Sysno::fcntl, &[3, 3], Returned(2)), []);
    assert_eq!(
        of(Sysno::pidfd_getfd, &[3, 9, 0], Returned(6)),
        opens(6, Origin::Elsewhere, true)
    );
    for sysno in [
        Sysno::socket,
        Sysno::accept,
        Sysno::dup,
        Sysno::dup2,
        Sysno::pidfd_getfd,
        Sysno::epoll_create1,
    ] {
        assert_eq!(of(sysno, &[2, 1, 0], Error(libc::EMFILE)), []);
        assert_eq!(of(sysno, &[2, 1, 0], Unfinished), []);
    }
    let tracee = Tracee::default();
    tracee.put(0x100, words(&[7, 8]));
    let unix = Origin::Socket {
        domain: 1,
        kind: 2,
        protocol: 0,
    };
    let pair = effects(&tracee.call(
        Sysno::socketpair,
        &[1, 2 | CLOEXEC, 0, 0x100],
        |_| {},
        Returned(0),
    ));
    assert_eq!(pair, [opens(7, unix, true), opens(8, unix, true)].concat());
}

#[test]
fn flags_and_closing() {
    let flag = |first, last, on| vec![Effect::CloseOnExec { first, last, on }];
    assert_eq!(of(Sysno::fcntl, &[3, 2, 1], Returned(0)), flag(3, 3, true));
    assert_eq!(of(Sysno::fcntl, &[3, 2, 0], Returned(0)), flag(3, 3, false));
    assert_eq!(
        of(Sysno::ioctl, &[3, 0x5451], Returned(0)),
        flag(3, 3, true)
    );
    assert_eq!(
        of(Sysno::ioctl, &[3, 0x5450], Returned(0)),
        flag(3, 3, false)
    );
    assert_eq!(of(Sysno::ioctl, &[3, 0x541b], Returned(0)), []);
    let closed = vec![Effect::Closes { fd: 3 }];
    assert_eq!(of(Sysno::close, &[3], Returned(0)), closed);
    assert_eq!(of(Sysno::close, &[3], Error(libc::EIO)), closed);
    assert_eq!(of(Sysno::close, &[3], Error(libc::EINTR)), closed);
    assert_eq!(of(Sysno::close, &[3], Error(libc::EBADF)), []);
    let range = Effect::ClosesRange {
        first: 3,
        last: u32::MAX,
    };
    assert_eq!(
        of(
            Sysno::close_range,
            &[3, u64::from(u32::MAX), 0],
            Returned(0)
        ),
        [range]
    );
    assert_eq!(
        of(Sysno::close_range, &[3, 9, 4], Returned(0)),
        flag(3, 9, true)
    );
    assert_eq!(
        of(
            Sysno::close_range,
            &[3, u64::from(u32::MAX), 2],
            Returned(0)
        ),
        [Effect::UnsharesTable, range]
    );
    assert_eq!(of(Sysno::close_range, &[9, 3, 0], Error(libc::EINVAL)), []);
    assert_eq!(
        of(Sysno::unshare, &[0x400], Returned(0)),
        [Effect::UnsharesTable]
    );
    assert_eq!(of(Sysno::unshare, &[0x4000_0000], Returned(0)), []);
}

#[test]
fn descriptors_that_are_no_sockets() {
    let file = |fd, cloexec| opens(fd, Origin::File, cloexec);
    assert_eq!(
        of(Sysno::openat, &[0, 0, CLOEXEC], Returned(3)),
        file(3, true)
    );
    assert_eq!(of(Sysno::open, &[0, 0], Returned(3)), file(3, false));
    assert_eq!(of(Sysno::creat, &[0, 0], Returned(3)), file(3, false));
    assert_eq!(of(Sysno::memfd_create, &[0, 1], Returned(3)), file(3, true));
    assert_eq!(
        of(Sysno::epoll_create1, &[CLOEXEC], Returned(3)),
        file(3, true)
    );
    assert_eq!(
        of(
            Sysno::signalfd4,
            &[u64::from(u32::MAX), 0, 8, CLOEXEC],
            Returned(3)
        ),
        file(3, true)
    );
    assert_eq!(
        of(Sysno::signalfd4, &[3, 0, 8, CLOEXEC], Returned(3)),
        [],
        "only its mask changes"
    );
    assert_eq!(
        of(Sysno::io_uring_setup, &[8, 0], Returned(3)),
        file(3, true)
    );
    assert_eq!(of(Sysno::read, &[3, 0, 0], Returned(3)), []);
    assert_eq!(of(Sysno::io_uring_enter, &[3, 1], Returned(1)), []);
    let tracee = Tracee::default();
    tracee
        .put(0x100, words(&[7, 8]))
        .put(0x200, longs(&[CLOEXEC, 0, 0]));
    let pipe = effects(&tracee.call(Sysno::pipe2, &[0x100, CLOEXEC], |_| {}, Returned(0)));
    assert_eq!(pipe, [file(7, true), file(8, true)].concat());
    let how = effects(&tracee.call(Sysno::openat2, &[0, 0, 0x200, 24], |_| {}, Returned(3)));
    assert_eq!(how, file(3, true));
    let pidfd = tracee.put(0x300, words(&[9])).put(0x400, words(&[4]));
    let peer = effects(&pidfd.call(
        Sysno::getsockopt,
        &[3, 1, 77, 0x300, 0x400],
        |_| {},
        Returned(0),
    ));
    assert_eq!(peer, file(9, true));
}

/// A message that brings `descriptors`, in a mmsghdr whose control messages stand at `control`.
fn bringing(tracee: &Tracee, control: u64, descriptors: &[i32]) -> Vec<u8> {
    let data = words(descriptors);
    let message = [longs(&[16 + data.len() as u64]), words(&[1, 1]), data].concat();
    let (name, vector) = (control + 0x800, control + 0x900);
    tracee
        .put(control, &message)
        .put(name, inet([10, 0, 0, 1], 53))
        .put(vector, longs(&[control, 8]));
    let len = message.len() as u64;
    longs(&[name, 16, vector, 1, control, len, 0, 8])
}

#[test]
fn descriptors_that_came_with_a_message() {
    let tracee = Tracee::default();
    let header = bringing(&tracee, 0x1000, &[7, 8]);
    tracee.put(0x100, header);
    let received =
        |flags, outcome| effects(&tracee.call(Sysno::recvmsg, &[3, 0x100, flags], |_| {}, outcome));
    let elsewhere = |fd, cloexec| Effect::Opens {
        fd,
        origin: Origin::Elsewhere,
        cloexec,
    };
    assert_eq!(
        received(0, Returned(1)),
        [elsewhere(7, false), elsewhere(8, false)]
    );
    assert_eq!(
        received(0x4000_0000, Returned(1)),
        [elsewhere(7, true), elsewhere(8, true)]
    );
    assert_eq!(received(0, Error(libc::EAGAIN)), []);
    assert_eq!(received(0, Unfinished), []);
    assert_eq!(
        effects(&tracee.call(Sysno::sendmsg, &[3, 0x100, 0], |_| {}, Returned(1))),
        [Effect::Passes { fd: 7 }, Effect::Passes { fd: 8 }],
        "passing on opens nothing"
    );
}

#[test]
fn no_descriptor_is_lost_to_a_limit_of_the_screen() {
    let tracee = Tracee::default();
    let descriptors: Vec<i32> = (100..353).collect();
    let mut array = Vec::new();
    for index in 0..200 {
        array.extend(match index {
            0 | 40 | 199 => bringing(&tracee, 0x10_0000 + index * 0x1000, &descriptors),
            _ => longs(&[0; 8]),
        });
    }
    tracee.put(0x1000, array);
    let entry = tracee.enter(Sysno::recvmmsg, &[3, 0x1000, 200, 0, 0]);
    for limits in [
        Limits::default(),
        Limits {
            data: 0,
            items: 0,
            buffers: 0,
        },
    ] {
        let call = tracee.finish(&entry, Returned(200), limits);
        assert_eq!(effects(&call).len(), 3 * 253, "{limits:?}");
    }
    tracee
        .put(0x100, bringing(&tracee, 0x20_0000, &descriptors))
        .put(0x200, words(&[5, 6]));
    let none = Limits {
        data: 0,
        items: 0,
        buffers: 0,
    };
    let entry = tracee.enter(Sysno::recvmsg, &[3, 0x100, 0]);
    assert_eq!(
        effects(&tracee.finish(&entry, Returned(1), none)).len(),
        253
    );
    let entry = tracee.enter(Sysno::socketpair, &[1, 1, 0, 0x200]);
    assert_eq!(effects(&tracee.finish(&entry, Returned(0), none)).len(), 2);
}
