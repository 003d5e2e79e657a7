//! What the filters answer to calls, by an interpreter of their instructions.

use super::*;
use crate::syscall::Raw;
use crate::tracer::abi;
use crate::tracer::filter::bpf::tests::run;
use crate::tracer::places::{PAGE, PASSING_PAGE, SCRATCH_SIZE, maps_near_page, scratch};

const STOP: u32 = libc::SECCOMP_RET_TRACE | RET_DATA;
const PASS: u32 = libc::SECCOMP_RET_ALLOW;

/// A call with these arguments, made from ordinary code.
fn call(number: libc::c_long, args: &[u64]) -> [u32; 16] {
    made_at(0x5555_0000_1234, abi::AUDIT_ARCH, number as u32, args)
}

fn made_at(address: u64, arch: u32, number: u32, args: &[u64]) -> [u32; 16] {
    let mut data = [0; 16];
    data[..4].copy_from_slice(&[number, arch, address as u32, (address >> 32) as u32]);
    for (index, arg) in args.iter().enumerate() {
        data[4 + 2 * index] = *arg as u32;
        data[5 + 2 * index] = (*arg >> 32) as u32;
    }
    data
}

fn by_number(wishes: Wishes) -> Filter {
    start(&Scope::Everything, wishes)
}

fn adaptive(wishes: Wishes, members: &Members) -> Filter {
    start(&Scope::Members(members.to_vec()), wishes)
}

fn more(members: &Members, waits: bool) -> Filter {
    addition(&Scope::Members(members.to_vec()), waits)
}

fn completion() -> Filter {
    addition(&Scope::Everything, false)
}

fn plain() -> Selection {
    Selection::default()
}

fn wishes(named: &Selection) -> Wishes<'_> {
    Wishes {
        all_descriptors: false,
        named,
    }
}

#[test]
fn by_number_stops_every_call_that_could_concern_a_socket() {
    let named = plain();
    let filter = by_number(wishes(&named));
    let completed = [adaptive(wishes(&named), &[]), completion()];
    for number in 0..500 {
        let expected = match table::row(number) {
            Some(row) => !matches!(row.role, Role::File | Role::Engine),
            None => false,
        } || ENGINE.contains(&(number as libc::c_long));
        let data = call(number as libc::c_long, &[]);
        let expected = if expected { STOP } else { PASS };
        assert_eq!(run(&filter, &data), expected, "number {number}");
        let together = completed.iter().map(|filter| run(filter, &data)).min();
        assert_eq!(together, Some(expected), "number {number}, completed");
    }
    assert_eq!(
        run(&filter, &made_at(0, abi::AUDIT_ARCH_OTHER, 41, &[])),
        PASS,
        "an i386 call of the same number"
    );
}

#[test]
fn wishes_stop_files_and_named_calls() {
    let none = plain();
    let all = Wishes {
        all_descriptors: true,
        named: &none,
    };
    assert_eq!(run(&by_number(all), &call(libc::SYS_openat, &[])), STOP);
    assert_eq!(run(&by_number(all), &call(libc::SYS_execve, &[])), PASS);
    let named = Selection::parse("execve,clone").expect("a set");
    for filter in [by_number(wishes(&named)), adaptive(wishes(&named), &[])] {
        assert_eq!(run(&filter, &call(libc::SYS_execve, &[])), STOP);
        assert_eq!(run(&filter, &call(libc::SYS_clone, &[17])), STOP);
        assert_eq!(run(&filter, &call(libc::SYS_openat, &[])), PASS);
    }
}

#[test]
fn an_adaptive_filter_leaves_files_alone() {
    let named = plain();
    let start = adaptive(wishes(&named), &[]);
    for number in [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_poll,
        libc::SYS_epoll_wait,
        libc::SYS_dup2,
        libc::SYS_close_range,
    ] {
        assert_eq!(run(&start, &call(number, &[3, 3, 0])), PASS, "{number}");
    }
    let unshares = libc::CLOSE_RANGE_UNSHARE.into();
    let close_range = call(libc::SYS_close_range, &[3, 3, unshares]);
    assert_eq!(run(&start, &close_range), STOP, "it parts descriptors");
    for number in [
        libc::SYS_socket,
        libc::SYS_accept4,
        libc::SYS_connect,
        libc::SYS_recvmsg,
        libc::SYS_pidfd_getfd,
    ] {
        assert_eq!(run(&start, &call(number, &[99])), STOP, "{number}");
    }
}

#[test]
fn members_stop_wherever_a_call_has_its_descriptors() {
    let ranges = [[3..=3, 5..=9], [20..=20, 100..=u32::MAX >> 1]].concat();
    let within = |fd: u64| ranges.iter().any(|range| range.contains(&(fd as u32)));
    let named = plain();
    for filter in [more(&ranges, true), adaptive(wishes(&named), &ranges)] {
        for fd in (0..130).chain([u64::from(u32::MAX), 0xffff_ffff_0000_0003]) {
            let expected = if within(fd) { STOP } else { PASS };
            let cases: [(libc::c_long, &[u64]); 8] = [
                (libc::SYS_read, &[fd, 3, 3]),
                (libc::SYS_write, &[fd, 3, 3]),
                (libc::SYS_close, &[fd, 3]),
                (libc::SYS_dup2, &[50, fd, 3]),
                (libc::SYS_dup2, &[fd, 50, 3]),
                (libc::SYS_splice, &[50, 3, fd, 3]),
                (libc::SYS_epoll_ctl, &[50, 3, fd]),
                (libc::SYS_sendfile, &[50, fd]),
            ];
            for (number, args) in cases {
                assert_eq!(
                    run(&filter, &call(number, args)),
                    expected,
                    "number {number} on {args:?}"
                );
            }
        }
        assert_eq!(run(&filter, &call(libc::SYS_poll, &[])), STOP);
        assert_eq!(run(&filter, &call(libc::SYS_close_range, &[])), STOP);
    }
    assert_eq!(run(&more(&ranges, false), &call(libc::SYS_poll, &[])), PASS);
}

#[test]
fn calls_from_the_passing_page_pass() {
    let named = plain();
    let filters = [
        by_number(wishes(&named)),
        completion(),
        more(&[3..=3], true),
    ];
    for filter in filters {
        let at = |address| {
            let data = made_at(address, abi::AUDIT_ARCH, libc::SYS_read as u32, &[3]);
            run(&filter, &data)
        };
        assert_eq!(at(PASSING_PAGE + 2), PASS);
        assert_eq!(at(PASSING_PAGE + PAGE - 1), PASS);
        assert_eq!(at(PASSING_PAGE + PAGE), STOP);
        assert_eq!(at(PASSING_PAGE - 1), STOP);
        assert_eq!(at(PASSING_PAGE & 0xffff_ffff), STOP);
        assert_eq!(at(PASSING_PAGE | 1 << 47), STOP);
    }
}

#[test]
fn memory_mapped_near_the_page_stops() {
    let named = plain();
    let filter = adaptive(wishes(&named), &[]);
    let terabyte = 1_u64 << 40;
    let cases: [(libc::c_long, &[u64], u32); 13] = [
        (libc::SYS_mmap, &[0, 1 << 30], PASS),
        (libc::SYS_mmap, &[0, terabyte], PASS),
        (libc::SYS_mmap, &[PASSING_PAGE, PAGE], STOP),
        (libc::SYS_mmap, &[scratch(1), PAGE], STOP),
        (libc::SYS_mmap, &[scratch(i32::MAX), PAGE], STOP),
        (libc::SYS_mmap, &[0x10_0000, 0x60 * terabyte], STOP),
        (libc::SYS_mmap, &[0x10_0000, 0x40 * terabyte], PASS),
        (libc::SYS_mmap, &[0x7f00_0000_0000, terabyte], PASS),
        (
            libc::SYS_mremap,
            &[0x5555_0000_0000, PAGE, PAGE, 3, PASSING_PAGE],
            STOP,
        ),
        (
            libc::SYS_mremap,
            &[PASSING_PAGE - PAGE, PAGE, 3 * PAGE, 0, 0],
            STOP,
        ),
        (
            libc::SYS_mremap,
            &[0x5555_0000_0000, PAGE, PAGE, 0, 0],
            PASS,
        ),
        (libc::SYS_shmat, &[7, 0], PASS),
        (libc::SYS_shmat, &[7, PASSING_PAGE], STOP),
    ];
    for (number, args, expected) in cases {
        assert_eq!(
            run(&filter, &call(number, args)),
            expected,
            "{number} {args:x?}"
        );
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let raw = Raw {
            number: number as u64,
            args: all,
        };
        assert_eq!(maps_near_page(&raw), expected == STOP, "{number} {args:x?}");
    }
}

#[test]
fn stops_what_could_hide_a_child_by_the_other_architecture() {
    let named = plain();
    let filter = adaptive(wishes(&named), &[]);
    let i386 = |number, first| {
        run(
            &filter,
            &made_at(0, abi::AUDIT_ARCH_OTHER, number, &[first]),
        )
    };
    assert_eq!(
        i386(abi::OTHER_CLONE, libc::CLONE_UNTRACED as u64 | 17),
        STOP
    );
    assert_eq!(i386(abi::OTHER_CLONE, 17), PASS);
    assert_eq!(i386(abi::OTHER_CLONE3, 0), STOP);
    assert_eq!(i386(41, 0), PASS);
    let aarch64 = made_at(0, 0xC000_00B7, 41, &[]);
    assert_eq!(run(&filter, &aarch64), PASS);
    let added = more(&[3..=3], true);
    let clone = made_at(0, abi::AUDIT_ARCH_OTHER, abi::OTHER_CLONE3, &[]);
    assert_eq!(run(&added, &clone), PASS, "the first filter sees to it");
}

#[test]
fn stops_prctl_where_it_sets_a_filter() {
    let named = plain();
    let filter = adaptive(wishes(&named), &[]);
    let prctl = |option: i32| run(&filter, &call(libc::SYS_prctl, &[option as u64]));
    assert_eq!(prctl(libc::PR_SET_SECCOMP), STOP);
    assert_eq!(prctl(libc::PR_SET_NAME), PASS);
}

#[test]
fn stops_clone_where_its_flags_ask_for_it() {
    let (files, thread) = (libc::CLONE_FILES as u64, libc::CLONE_THREAD as u64);
    let untraced = libc::CLONE_UNTRACED as u64;
    let cases = [
        (17, PASS),
        (files | thread, PASS),
        (files, STOP),
        (thread, STOP),
        (untraced | 17, STOP),
        (untraced | files | thread, STOP),
    ];
    let named = plain();
    for filter in [by_number(wishes(&named)), adaptive(wishes(&named), &[])] {
        for (flags, expected) in cases {
            assert_eq!(
                run(&filter, &call(libc::SYS_clone, &[flags])),
                expected,
                "flags {flags:#x}"
            );
        }
    }
}

#[test]
fn the_longest_addition_fits_into_its_place() {
    let ranges: Vec<_> = (0..crate::tracer::coverage::MOST_RANGES as u32)
        .map(|at| 10 * at..=10 * at + 5)
        .collect();
    assert!(more(&ranges, true).image_size() <= SCRATCH_SIZE as usize);
    assert!(completion().image_size() <= SCRATCH_SIZE as usize);
}
