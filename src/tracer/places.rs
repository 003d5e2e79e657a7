//! The addresses in a tracee's memory that are ours: a page from which calls pass, and places for new filters.

use crate::syscall::Raw;

/// Calls made from this page always pass: the place of code of ours that sees its calls by itself. It lies below the first address
/// that the kernel gives a position-independent program (two thirds of the address space), far from where Go and V8 put their heaps,
/// and in what the address, memory and thread sanitizers leave to programs.
pub const PASSING_PAGE: u64 = 0x5510_0000_0000;

/// How many bytes a thread needs for the filter that it is about to install.
pub const SCRATCH_SIZE: u64 = 2 * PAGE;

/// How many places for that there are behind the recorder's code, below its memory.
const PLACES: u64 = (1 << 31) / SCRATCH_SIZE - 1;

/// A page of memory, in bytes.
pub const PAGE: u64 = 4096;

/// The upper half of all addresses near the page.
pub const NEAR: u32 = (PASSING_PAGE >> 32) as u32;

/// Where a thread that has no such place yet puts the filter that it is about to install. Threads share their memory, and so may
/// processes (CLONE_VM), so each has its own.
pub fn scratch(tid: i32) -> u64 {
    PASSING_PAGE + SCRATCH_SIZE + u64::from(tid.unsigned_abs()) % PLACES * SCRATCH_SIZE
}

/// Whether a call made there has passed our filters by its place.
pub fn is_passing(ip: u64) -> bool {
    (PASSING_PAGE..PASSING_PAGE + PAGE).contains(&ip)
}

/// Whether a call is one of those that map memory where the page that passes could be: what the filters stop of them.
pub fn maps_near_page(raw: &Raw) -> bool {
    let high = |argument: usize| raw.args[argument] >> 32;
    let near = |address, length| {
        high(address) <= NEAR.into()
            && high(length) <= 0xffff
            && high(address) + high(length) + 1 >= NEAR.into()
    };
    match raw.number as libc::c_long {
        libc::SYS_mmap => near(0, 1),
        libc::SYS_mremap => near(0, 2) || near(4, 2),
        libc::SYS_shmat => (1..=NEAR.into()).contains(&high(1)),
        _ => false,
    }
}
