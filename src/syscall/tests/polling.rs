//! poll, select, epoll.

use super::*;
use Outcome::{Error, Unfinished, Value as Returned};

fn pollfd(fd: i32, events: u8, revents: u8) -> Vec<u8> {
    [words(&[fd]), vec![events, 0, revents, 0]].concat()
}

#[test]
fn poll_shows_what_was_asked_and_what_was_found() {
    let tracee = Tracee::default();
    tracee.put(0x100, [pollfd(3, 1, 1), pollfd(-1, 4, 0)].concat());
    let poll = |outcome| tracee.show(Sysno::poll, &[0x100, 2, -1i64 as u64], outcome);
    assert_eq!(
        poll(Returned(1)),
        "poll([{fd=3, events=POLLIN, revents=POLLIN}, {fd=-1, events=POLLOUT}], 2, -1)"
    );
    for outcome in [Returned(0), Unfinished, Error(libc::EINTR)] {
        assert_eq!(
            poll(outcome),
            "poll([{fd=3, events=POLLIN}, {fd=-1, events=POLLOUT}], 2, -1)"
        );
    }
    assert_eq!(
        tracee.show(Sysno::poll, &[0, 0, 5], Returned(0)),
        "poll(NULL, 0, 5)"
    );
    assert_eq!(
        tracee.show(Sysno::poll, &[0xbad, 3, 5], Error(14)),
        "poll(0xbad, 3, 5)"
    );
    // Of many, the first and those that are ready.
    let mut many = pollfd(9, 1, 0).repeat(99);
    many.extend(pollfd(77, 1, 1));
    tracee.put(0x100, many);
    let shown = tracee.show(Sysno::poll, &[0x100, 100, 0], Returned(1));
    assert!(
        shown.ends_with("{fd=77, events=POLLIN, revents=POLLIN}, …], 100, 0)"),
        "{shown}"
    );
    assert_eq!(shown.matches("fd=").count(), 33);
    tracee.reads();
    tracee.show(Sysno::poll, &[0x100, u64::from(u32::MAX), 0], Returned(1));
    assert_eq!(tracee.reads(), (1, 8192));
}

#[test]
fn a_timeout_is_what_it_was_before_the_kernel_counted_it_down() {
    let tracee = Tracee::default();
    tracee
        .put(0x100, pollfd(3, 1, 1))
        .put(0x200, longs(&[5, 0]))
        .put(0x300, longs(&[1 << 1 | 1 << 14]));
    let call = tracee.call(
        Sysno::ppoll,
        &[0x100, 1, 0x200, 0x300, 8],
        |tracee| {
            tracee.put(0x200, longs(&[3, 17]));
        },
        Returned(1),
    );
    assert!(
        show_call(&call).ends_with("1, {tv_sec=5, tv_nsec=0}, [SIGINT, SIGTERM], 8)"),
        "{}",
        show_call(&call)
    );
}

#[test]
fn sets_of_descriptors_before_and_after() {
    let tracee = Tracee::default();
    let select = |outcome, after: u64| {
        tracee
            .put(0x100, longs(&[1 << 3 | 1 << 5]))
            .put(0x200, longs(&[1, 0]));
        let kernel = |tracee: &Tracee| {
            tracee
                .put(0x100, longs(&[after]))
                .put(0x200, longs(&[0, 7]));
        };
        show_call(&tracee.call(Sysno::select, &[6, 0x100, 0, 0, 0x200], kernel, outcome))
    };
    let rest = "NULL, NULL, {tv_sec=1, tv_usec=0})";
    assert_eq!(
        select(Returned(1), 1 << 5),
        format!("select(6, [[3, 5] => [5]], {rest}")
    );
    assert_eq!(
        select(Returned(2), 1 << 3 | 1 << 5),
        format!("select(6, [[3, 5] => [3, 5]], {rest}")
    );
    assert_eq!(
        select(Returned(0), 0),
        format!("select(6, [[3, 5] => []], {rest}")
    );
    assert_eq!(select(Unfinished, 0), format!("select(6, [3, 5], {rest}"));
    // Bits at and above nfds mean nothing.
    tracee.put(0x100, longs(&[u64::MAX]));
    assert_eq!(
        tracee.show(Sysno::select, &[2, 0x100, 0, 0, 0], Returned(2)),
        "select(2, [[0, 1] => [0, 1]], NULL, NULL, NULL)"
    );
    for nfds in [0, -5i64 as u64, i32::MIN as u64] {
        assert!(
            tracee
                .show(Sysno::select, &[nfds, 0x100, 0, 0, 0], Error(22))
                .contains(", 0x100, NULL")
        );
    }
    tracee.put(0x100, [0xff; 4096]);
    let huge = tracee.call(
        Sysno::select,
        &[i32::MAX as u64, 0x100, 0, 0, 0],
        |_| {},
        Returned(9),
    );
    assert!(
        matches!(huge.arg("readfds"), Some(Value::Changed(before, _)) if before.items().len() == 32)
    );
    tracee
        .put(0x100, longs(&[0x200, 8]))
        .put(0x200, longs(&[1 << 1]));
    let masked = tracee.show(Sysno::pselect6, &[0, 0, 0, 0, 0, 0x100], Unfinished);
    assert_eq!(
        masked,
        "pselect6(0, NULL, NULL, NULL, NULL, {sigmask=[SIGINT], sigsetsize=8})"
    );
}

#[test]
fn epoll_events() {
    let tracee = Tracee::default();
    let event =
        |events: u32, data: u64| [events.to_le_bytes().as_slice(), &data.to_le_bytes()].concat();
    tracee.put(0x100, [event(0x8000_0001, 7), event(0x10, 8)].concat());
    let add = tracee.show(Sysno::epoll_ctl, &[4, 1, 7, 0x100], Returned(0));
    assert_eq!(
        add,
        "epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}})"
    );
    assert_eq!(
        tracee.show(Sysno::epoll_ctl, &[4, 2, 7, 0x100], Returned(0)),
        "epoll_ctl(4, EPOLL_CTL_DEL, 7, 0x100)"
    );
    let wait = |outcome| tracee.show(Sysno::epoll_wait, &[4, 0x100, 512, -1i64 as u64], outcome);
    assert_eq!(
        wait(Returned(2)),
        "epoll_wait(4, [{events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}, {events=EPOLLHUP, data={u32=8, u64=8}}], 512, -1)"
    );
    assert_eq!(wait(Returned(0)), "epoll_wait(4, [], 512, -1)");
    assert_eq!(wait(Unfinished), "epoll_wait(4, 0x100, 512, -1)");
    assert_eq!(wait(Error(libc::EINTR)), "epoll_wait(4, 0x100, 512, -1)");
    let lied = tracee.call(
        Sysno::epoll_wait,
        &[4, 0x100, 512, 0],
        |_| {},
        Returned(i64::MAX),
    );
    assert!(
        matches!(lied.arg("events"), Some(Value::List { items, more: true }) if items.len() == 2)
    );
    assert_eq!(
        tracee.show(Sysno::epoll_create1, &[0o2000000], Returned(4)),
        "epoll_create1(EPOLL_CLOEXEC)"
    );
}
