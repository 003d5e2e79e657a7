//! The rules of the seccomp filters: which calls stop.
//!
//! A filter tests the number and the architecture before anything else, so that the kernel's cache of numbers that are always
//! allowed (Linux 5.11) keeps every other call free of it. Filters can only be added, each call runs through all of them, and the
//! strictest answer wins: so each addition names only what those before it leave out, and all of them let the same page pass.

use std::ops::RangeInclusive;

use super::abi;
use super::bpf::{Assembler, Filter, Label, Test, word};
use super::coverage::Scope;
use crate::syscall::{Raw, Role, Row, Selection, table};

/// SECCOMP_RET_DATA of our stops, by which a stop that the program's own filter asks for is told apart.
pub const RET_DATA: u32 = 0x5353;

/// Calls made from this page always pass: the place of code of ours that sees its calls by itself. Neither the kernel nor the
/// allocators and sanitizers that choose addresses for themselves put anything near it.
pub const PASSING_PAGE: u64 = 0x3353_0000_0000;

/// How many bytes a process needs for the filter that it is about to install.
pub const SCRATCH_SIZE: u64 = 2 * PAGE;

/// How many places for that there are behind the page that passes, below the next 4 GiB.
const PLACES: u64 = (1 << 32) / SCRATCH_SIZE - 1;

const PAGE: u64 = 4096;

/// The upper half of all addresses near the page.
const NEAR: u32 = (PASSING_PAGE >> 32) as u32;

const CLONE_FLAGS: u32 = (libc::CLONE_THREAD | libc::CLONE_FILES) as u32;

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
    /// prctl(2) where it sets a filter.
    Sandbox,
    /// It maps memory: at the address in this argument, as long as that one says.
    Maps(usize, usize),
    /// mremap(2): it may also grow what stands below.
    Remaps,
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
const BY_ARGUMENTS: [(libc::c_long, Rule); 5] = [
    (libc::SYS_clone, Rule::Clone),
    (libc::SYS_prctl, Rule::Sandbox),
    (libc::SYS_mmap, Rule::Maps(0, 1)),
    (libc::SYS_mremap, Rule::Remaps),
    (libc::SYS_shmat, Rule::Attaches),
];

/// The filter that a program starts with.
pub fn start(scope: &Scope, wishes: Wishes) -> Filter {
    let waits = matches!(scope, Scope::Members(members) if !members.is_empty());
    let mut rules = on_descriptors(scope, waits);
    rules.extend(BY_ARGUMENTS.map(|(number, rule)| (number as u32, rule)));
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

/// Where a process puts the filter that it is about to install. Processes may share their memory (CLONE_VM), so each has its place.
pub fn scratch(pid: i32) -> u64 {
    PASSING_PAGE + PAGE + u64::from(pid.unsigned_abs()) % PLACES * SCRATCH_SIZE
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

/// Writes the rules down; where a number has several, the last one counts.
fn write_down(rules: Vec<(u32, Rule)>, members: &Members) -> Filter {
    let mut writer = Writer {
        assembler: Assembler::default(),
        sections: Vec::new(),
    };
    let pass = writer.section(Rule::Pass);
    let stop = writer.section(Rule::Stop);
    let makes_children = rules.iter().any(|(_, rule)| *rule == Rule::Clone);

    let runs = writer.runs(rules);
    let assembler = &mut writer.assembler;
    let [rest, ours, other] = [(); 3].map(|()| assembler.label());
    assembler.load(word::NUMBER);
    // read and write, the most frequent by far, come before all else. In the other architecture these numbers are exit's and
    // restart_syscall's, to which a stop more or less does nothing.
    let last = libc::SYS_write as u32;
    assembler.branch(Test::Above(last), rest);
    search(
        assembler,
        &runs[..runs.partition_point(|(first, _)| *first <= last)],
    );
    assembler.mark(rest);
    assembler.load(word::ARCH);
    assembler.branch(Test::Equal(abi::AUDIT_ARCH), ours);
    assembler.goto(if makes_children { other } else { pass });
    assembler.mark(ours);
    assembler.load(word::NUMBER);
    search(assembler, &runs);
    if makes_children {
        assembler.mark(other);
        other_architecture(assembler, pass, stop);
    }
    // Jumps lead forwards only: what others go on to comes after them.
    writer.sections.sort_by_key(|(rule, _)| match rule {
        Rule::Stop => 9,
        Rule::Pass => 10,
        Rule::Descriptors(arguments) => 8 - arguments.count_ones(),
        _ => 0,
    });
    for (rule, label) in writer.sections.clone() {
        writer.write(rule, label, members);
    }
    writer.assembler.finish()
}

/// Of the other architecture's calls only those stop that could make an untraced child.
fn other_architecture(assembler: &mut Assembler, pass: Label, stop: Label) {
    let clone = assembler.label();
    assembler.load(word::NUMBER);
    assembler.branch(Test::Equal(abi::OTHER_CLONE3), stop);
    assembler.branch(Test::Equal(abi::OTHER_CLONE), clone);
    assembler.goto(pass);
    assembler.mark(clone);
    assembler.load(word::low(0));
    assembler.branch(Test::AnyBit(libc::CLONE_UNTRACED as u32), stop);
    assembler.goto(pass);
}

/// Finds the run that the accumulator is in, and goes to its label. Runs are given by their first number.
fn search(assembler: &mut Assembler, runs: &[(u32, Label)]) {
    match runs {
        [] => {}
        [(_, label)] => assembler.goto(*label),
        [.., (first, label)] if runs.len() == 2 => {
            assembler.branch(Test::AtLeast(*first), *label);
            assembler.goto(runs[0].1);
        }
        _ => {
            let middle = runs.len() / 2;
            let upper = assembler.label();
            assembler.branch(Test::AtLeast(runs[middle].0), upper);
            search(assembler, &runs[..middle]);
            assembler.mark(upper);
            search(assembler, &runs[middle..]);
        }
    }
}

/// A program being written: a search for the rule, then a section for each.
struct Writer {
    assembler: Assembler,
    sections: Vec<(Rule, Label)>,
}

impl Writer {
    fn section(&mut self, rule: Rule) -> Label {
        if let Some((_, label)) = self.sections.iter().find(|(known, _)| *known == rule) {
            return *label;
        }
        let label = self.assembler.label();
        self.sections.push((rule, label));
        if let Rule::Descriptors(arguments) = rule {
            self.section(but_the_last(arguments));
        }
        label
    }

    /// Runs of numbers that have the same rule, from 0 on.
    fn runs(&mut self, rules: Vec<(u32, Rule)>) -> Vec<(u32, Label)> {
        let last = rules.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut all = vec![Rule::Pass; last as usize + 2];
        for (number, rule) in rules {
            all[number as usize] = rule;
        }
        let mut runs: Vec<(u32, Rule)> = Vec::new();
        for (number, rule) in all.into_iter().enumerate() {
            if runs.last().is_none_or(|(_, before)| *before != rule) {
                runs.push((number as u32, rule));
            }
        }
        runs.into_iter()
            .map(|(first, rule)| (first, self.section(rule)))
            .collect()
    }

    fn write(&mut self, rule: Rule, label: Label, members: &Members) {
        let pass = self.section(Rule::Pass);
        let stop = self.section(Rule::Stop);
        let others = match rule {
            Rule::Descriptors(arguments) => self.section(but_the_last(arguments)),
            _ => pass,
        };
        let assembler = &mut self.assembler;
        assembler.mark(label);
        match rule {
            Rule::Pass => assembler.answer(libc::SECCOMP_RET_ALLOW),
            Rule::Stop => {
                let near = assembler.label();
                assembler.load(word::ADDRESS_HIGH);
                assembler.branch(Test::Equal(NEAR), near);
                assembler.answer(libc::SECCOMP_RET_TRACE | RET_DATA);
                assembler.mark(near);
                assembler.load(word::ADDRESS_LOW);
                assembler.and(!(PAGE as u32 - 1));
                assembler.branch(Test::Equal(PASSING_PAGE as u32), pass);
                assembler.answer(libc::SECCOMP_RET_TRACE | RET_DATA);
            }
            Rule::Descriptors(arguments) => {
                assembler.load(word::low(arguments.ilog2() as usize));
                among(assembler, members, stop, others);
            }
            Rule::Clone => {
                let flags = libc::CLONE_UNTRACED as u32;
                assembler.load(word::low(0));
                assembler.branch(Test::AnyBit(flags), stop);
                assembler.and(CLONE_FLAGS);
                assembler.branch(Test::Equal(CLONE_FLAGS), pass);
                assembler.branch(Test::Equal(0), pass);
                assembler.goto(stop);
            }
            Rule::Sandbox => {
                assembler.load(word::low(0));
                assembler.branch(Test::Equal(libc::PR_SET_SECCOMP as u32), stop);
                assembler.goto(pass);
            }
            Rule::Maps(address, length) => {
                reaches_near(assembler, address, length, stop);
                assembler.goto(pass);
            }
            Rule::Remaps => {
                reaches_near(assembler, 0, 2, stop);
                reaches_near(assembler, 4, 2, stop);
                assembler.goto(pass);
            }
            Rule::Attaches => {
                assembler.load(word::high(1));
                assembler.branch(Test::Above(NEAR), pass);
                assembler.branch(Test::AtLeast(1), stop);
                assembler.goto(pass);
            }
        }
    }
}

/// What is left to ask of a call's descriptors when the last of these arguments is no member.
fn but_the_last(arguments: u8) -> Rule {
    match arguments & !(1 << arguments.ilog2()) {
        0 => Rule::Pass,
        others => Rule::Descriptors(others),
    }
}

/// Goes to `inside` where the accumulator is a member, else to `outside`.
fn among(assembler: &mut Assembler, members: &Members, inside: Label, outside: Label) {
    match members {
        [] => assembler.goto(outside),
        [range] => {
            if range.start() == range.end() {
                assembler.branch(Test::Equal(*range.start()), inside);
            } else {
                assembler.branch(Test::Above(*range.end()), outside);
                assembler.branch(Test::AtLeast(*range.start()), inside);
            }
            assembler.goto(outside);
        }
        _ => {
            let middle = members.len() / 2;
            let upper = assembler.label();
            assembler.branch(Test::AtLeast(*members[middle].start()), upper);
            among(assembler, &members[..middle], inside, outside);
            assembler.mark(upper);
            among(assembler, &members[middle..], inside, outside);
        }
    }
}

/// Goes to `stop` where memory at that address and of that length could reach into the 4 GiB around the page; the upper halves tell.
fn reaches_near(assembler: &mut Assembler, address: usize, length: usize, stop: Label) {
    let no = assembler.label();
    assembler.load(word::high(address));
    assembler.branch(Test::Above(NEAR), no);
    // Longer than any address space: the kernel refuses it.
    assembler.load(word::high(length));
    assembler.branch(Test::Above(0xffff), no);
    assembler.load_sum(word::high(address), word::high(length));
    assembler.branch(Test::AtLeast(NEAR - 1), stop);
    assembler.mark(no);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracer::bpf::tests::run;

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
            assert_eq!(run(&start, &call(number, &[3, 3, 3])), PASS, "{number}");
        }
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
            (libc::SYS_mmap, &[0x10_0000, 0x40 * terabyte], STOP),
            (libc::SYS_mmap, &[0x10_0000, 0x20 * terabyte], PASS),
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
}
