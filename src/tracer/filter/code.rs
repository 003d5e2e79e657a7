//! From rules to instructions: a search for the number's rule, then a section for each rule.

use super::bpf::{Assembler, Filter, Label, Test, word};
use super::{Members, RET_DATA, Rule};
use crate::tracer::abi;
use crate::tracer::growth::DISPATCH;
use crate::tracer::places::{NEAR, PAGE, PASSING_PAGE};
use crate::tracer::recorder::settle::FAULTS;

const CLONE_FLAGS: u32 = (libc::CLONE_THREAD | libc::CLONE_FILES) as u32;

/// Writes the rules down; where a number has several, the last one counts.
pub fn write_down(rules: Vec<(u32, Rule)>, members: &Members) -> Filter {
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
                for option in [
                    libc::PR_SET_SECCOMP as u32,
                    DISPATCH,
                    libc::PR_SET_TSC as u32,
                ] {
                    assembler.branch(Test::Equal(option), stop);
                }
                assembler.goto(pass);
            }
            Rule::Unshares => {
                assembler.load(word::low(2));
                assembler.branch(Test::AnyBit(libc::CLOSE_RANGE_UNSHARE), stop);
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
            Rule::Base => {
                assembler.load(word::low(0));
                for command in [abi::ARCH_SET_GS, abi::ARCH_GET_GS] {
                    assembler.branch(Test::Equal(command), stop);
                }
                assembler.goto(pass);
            }
            Rule::Faults => {
                assembler.load(word::low(0));
                for signal in FAULTS.into_iter().chain([libc::SIGTRAP]) {
                    assembler.branch(Test::Equal(signal as u32), stop);
                }
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
