//! The rules of the seccomp filters: which calls stop.
//!
//! A filter tests the number and the architecture before anything else, so that the kernel's cache of numbers that are always
//! allowed (Linux 5.11) keeps every other call free of it. Filters can only be added, each call runs through all of them, and the
//! strictest answer wins: so each addition names only what those before it leave out, and all of them let the same page pass.

mod bpf;
mod code;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use super::coverage::Scope;
use crate::syscall::{Role, Row, Selection, table};
pub use bpf::Filter;
use code::write_down;

/// SECCOMP_RET_DATA of our stops, by which a stop that the program's own filter asks for is told apart.
pub const RET_DATA: u32 = 0x5353;

/// Descriptors whose calls stop.
type Members = [RangeInclusive<u32>];

/// How a call of one number is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Pass,
    Stop,
    /// It stops where one of these arguments (bit 0: the first) is a member.
    Descriptors(u8),
    /// clone(2): CLONE_UNTRACED, which the engine clears, and CLONE_FILES without CLONE_THREAD or the other way round, since for all
    /// others the kind of child tells whether it shares its parent's descriptors.
    Clone,
    /// prctl(2) where it sets a filter, or something else that concerns the recorder.
    Sandbox,
    /// It maps memory: at the address in this argument, as long as that one says.
    Maps(usize, usize),
    /// mremap(2): it may also grow what stands below.
    Remaps,
    /// close_range(2) that gives the thread a table of its own; else it stops only where there are sockets.
    Unshares,
    /// arch_prctl(2) where it is about gs, by which the recorder knows threads.
    Base,
    /// rt_sigaction(2) where it is about faults, and about what breakpoints raise.
    Faults,
    /// shmat(2): how long the memory is, its arguments do not say.
    Attaches,
}

/// What must stop beside the calls on sockets, because a user wants it.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// Calls on files and pipes too.
    pub all_descriptors: bool,
    /// Calls asked for by name.
    pub named: &'a Selection,
}

impl Wishes<'_> {
    /// Whether a call that has nothing to do with sockets is wanted.
    fn include(self, row: &Row) -> bool {
        let named = self.named.contains(row.number as u64);
        named || self.all_descriptors && row.role == Role::File
    }
}

/// Calls that stop for the engine's sake, whatever is asked for; those that have rows stand in the list all the same.
const ENGINE: [libc::c_long; 10] = [
    // The flags of clone3 stand behind a pointer.
    libc::SYS_clone3,
    libc::SYS_unshare,
    libc::SYS_restart_syscall,
    libc::SYS_seccomp,
    // After these a process may no longer be able to install a filter.
    libc::SYS_setuid,
    libc::SYS_setreuid,
    libc::SYS_setresuid,
    libc::SYS_capset,
    // It brings descriptors from other processes.
    libc::SYS_pidfd_getfd,
    libc::SYS_io_uring_setup,
];

/// Calls whose arguments decide whether they stop for the engine's sake.
const BY_ARGUMENTS: [(libc::c_long, Rule); 7] = [
    (libc::SYS_clone, Rule::Clone),
    (libc::SYS_prctl, Rule::Sandbox),
    (libc::SYS_mmap, Rule::Maps(0, 1)),
    (libc::SYS_mremap, Rule::Remaps),
    (libc::SYS_shmat, Rule::Attaches),
    (libc::SYS_arch_prctl, Rule::Base),
    (libc::SYS_rt_sigaction, Rule::Faults),
];

/// The filter that a program starts with.
pub fn start(scope: &Scope, wishes: Wishes) -> Filter {
    let waits = matches!(scope, Scope::Members(members) if !members.is_empty());
    let mut rules = on_descriptors(scope, waits);
    rules.extend(BY_ARGUMENTS.map(|(number, rule)| (number as u32, rule)));
    for (number, rule) in &mut rules {
        if *number == libc::SYS_close_range as u32 && *rule == Rule::Pass {
            *rule = Rule::Unshares;
        }
    }
    rules.extend(ENGINE.map(|number| (number as u32, Rule::Stop)));
    let wanted = |row: &&Row| only_sockets_make_it(row) || wishes.include(row);
    let always = table::rows().iter().filter(wanted);
    rules.extend(always.map(|row| (row.number as u32, Rule::Stop)));
    write_down(rules, members_of(scope))
}

/// A filter to be added to those that are there; `waits` says that it is the first one with members, and has to stop the calls too
/// whose descriptors a filter cannot see: poll and its relatives, close_range.
pub fn addition(scope: &Scope, waits: bool) -> Filter {
    write_down(on_descriptors(scope, waits), members_of(scope))
}

fn members_of(scope: &Scope) -> &Members {
    match scope {
        Scope::Everything => &[],
        Scope::Members(members) => members,
    }
}

/// Whether the call stops always: files cannot make it, so nothing is saved by asking whether its descriptor is a socket.
fn only_sockets_make_it(row: &Row) -> bool {
    row.role == Role::Create || row.is_network()
}

/// The rules of the calls that files make as well as sockets.
fn on_descriptors(scope: &Scope, waits: bool) -> Vec<(u32, Rule)> {
    let rows = table::rows().iter();
    let rows = rows.filter(|row| {
        !matches!(row.role, Role::File | Role::Engine | Role::IoUring) && !only_sockets_make_it(row)
    });
    let rule = |row: &Row| {
        let arguments = row
            .descriptor_arguments()
            .fold(0, |bits, argument| bits | 1 << argument);
        let hidden = arguments == 0 || row.role == Role::Poll && row.descriptor.is_none();
        match (scope, hidden) {
            (Scope::Everything, _) => Rule::Stop,
            (Scope::Members(_), true) if waits => Rule::Stop,
            (Scope::Members(_), true) => Rule::Pass,
            (Scope::Members(_), false) => Rule::Descriptors(arguments),
        }
    };
    rows.map(|row| (row.number as u32, rule(row))).collect()
}
