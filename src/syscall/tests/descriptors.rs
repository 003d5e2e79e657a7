//! Calls on any descriptor, files, and what the engine sees.

use super::*;
use Outcome::{Error, Value as Returned};

#[test]
fn transfers_between_descriptors_show_their_offsets() {
    let tracee = Tracee::default();
    tracee.put(0x100, longs(&[0]));
    let sent = tracee.call(
        Sysno::sendfile,
        &[4, 3, 0x100, 4096],
        |tracee| {
            tracee.put(0x100, longs(&[1000]));
        },
        Returned(1000),
    );
    assert_eq!(show_call(&sent), "sendfile(4, 3, [0 => 1000], 4096)");
    assert_eq!((sent.row.descriptor, sent.row.source), (Some(0), Some(1)));
    let spliced = tracee.show(Sysno::splice, &[5, 0, 4, 0, 65536, 3], Returned(9));
    assert_eq!(
        spliced,
        "splice(5, NULL, 4, NULL, 65536, SPLICE_F_MOVE|SPLICE_F_NONBLOCK)"
    );
}

#[test]
fn calls_on_descriptors() {
    let tracee = Tracee::default();
    tracee
        .put(0x100, "/tmp/x\0")
        .put(0x200, longs(&[0o2000101, 0o644, 8]));
    tracee
        .put(0x300, words(&[0x0001_0001, 0]))
        .put(0x308, longs(&[16, 1 << 40]))
        .put(0x318, words(&[0, 0]));
    for (sysno, args, outcome, expected) in [
        (Sysno::close, &[3][..], Returned(0), "close(3)"),
        (
            Sysno::close_range,
            &[3, 0xffff_ffff, 4],
            Returned(0),
            "close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)",
        ),
        (
            Sysno::dup3,
            &[3, 9, 0o2000000],
            Returned(9),
            "dup3(3, 9, O_CLOEXEC)",
        ),
        (
            Sysno::shutdown,
            &[3, 1],
            Returned(0),
            "shutdown(3, SHUT_WR)",
        ),
        (
            Sysno::listen,
            &[3, 0xffff_ffff],
            Returned(0),
            "listen(3, -1)",
        ),
        (
            Sysno::fcntl,
            &[3, 3, 0x1234],
            Returned(2),
            "fcntl(3, F_GETFL)",
        ),
        (
            Sysno::fcntl,
            &[3, 4, 0o4002],
            Returned(0),
            "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)",
        ),
        (
            Sysno::fcntl,
            &[3, 2, 1],
            Returned(0),
            "fcntl(3, F_SETFD, FD_CLOEXEC)",
        ),
        (
            Sysno::fcntl,
            &[3, 1030, 10],
            Returned(10),
            "fcntl(3, F_DUPFD_CLOEXEC, 10)",
        ),
        (
            Sysno::fcntl,
            &[3, 9999, 0x10],
            Error(22),
            "fcntl(3, 0x270f /* F_??? */, 0x10)",
        ),
        (
            Sysno::open,
            &[0x100, 0o2000000, 0o644],
            Returned(3),
            "open(\"/tmp/x\", O_RDONLY|O_CLOEXEC)",
        ),
        (
            Sysno::open,
            &[0x100, 0o101, 0o644],
            Returned(3),
            "open(\"/tmp/x\", O_WRONLY|O_CREAT, 0644)",
        ),
        (
            Sysno::openat2,
            &[-100i64 as u64, 0x100, 0x200, 24],
            Returned(3),
            "openat2(-100, \"/tmp/x\", {flags=O_WRONLY|O_CREAT|O_CLOEXEC, mode=0644, resolve=RESOLVE_BENEATH}, 24)",
        ),
        (
            Sysno::openat,
            &[-100i64 as u64, 0xbad, 0],
            Error(14),
            "openat(-100, 0xbad, O_RDONLY)",
        ),
        (
            Sysno::pipe2,
            &[0x300, 0o4000],
            Error(24),
            "pipe2(0x300, O_NONBLOCK)",
        ),
        (
            Sysno::clone,
            &[0x1_1f00 | 17, 0, 0, 0, 0],
            Returned(99),
            "clone(SIGCHLD|CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_PIDFD|CLONE_THREAD, NULL, NULL, NULL, NULL)",
        ),
        (Sysno::fork, &[], Returned(99), "fork()"),
    ] {
        assert_eq!(tracee.show(sysno, args, outcome), expected);
    }
}

#[test]
fn an_execve_is_read_before_its_memory_is_gone() {
    let tracee = Tracee::default();
    tracee
        .put(0x100, "/bin/ls\0")
        .put(0x200, longs(&[0x100, 0x300, 0]))
        .put(0x300, "-l\0");
    let call = tracee.call(
        Sysno::execve,
        &[0x100, 0x200, 0x400],
        |tracee| tracee.pieces.borrow_mut().clear(),
        Returned(0),
    );
    assert_eq!(
        show_call(&call),
        r#"execve("/bin/ls", ["/bin/ls", "-l"], 0x400)"#
    );
}

#[test]
fn paths_end_at_their_nul_or_at_the_longest_that_there_is() {
    let tracee = Tracee::default();
    let path = |text: &[u8]| {
        tracee.put(0x1000, text);
        tracee
            .call(Sysno::creat, &[0x1000, 0], |_| {}, Error(libc::ENOENT))
            .args[0]
            .value
            .clone()
    };
    let of = |len: usize| {
        Value::Text(Data {
            bytes: vec![b'a'; len],
            len: len as u64,
        })
    };
    for len in [0, 1, 255, 256, 257, 4000] {
        assert_eq!(path(&[vec![b'a'; len], vec![0]].concat()), of(len), "{len}");
    }
    assert_eq!(path(&[b'a'; 5000]), of(4096));
    assert_eq!(path(b"no end"), Value::Pointer(0x1000));
}
