//! The seccomp filter that decides which calls stop: classic BPF, built by hand.
//!
//! It tests the architecture and the number before anything else, so that the kernel's cache of numbers that are always allowed
//! (Linux 5.11) keeps every other call free of it. See seccomp(2).

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W,
    sock_filter,
};
use nix::errno::Errno;

use super::abi;

/// SECCOMP_RET_DATA of our stops, by which a stop that the program's own filter asks for is told apart.
pub const RET_DATA: u32 = 0x5353;

/// Offsets in struct seccomp_data (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT_LOW: u32 = 16;

const CLONE_FLAGS: u32 = (libc::CLONE_THREAD | libc::CLONE_FILES) as u32;

/// A filter's instructions.
#[derive(Clone, Debug)]
pub struct Filter {
    code: Vec<sock_filter>,
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

fn equal(k: u32, jt: u8, jf: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, k, jt, jf)
}

fn answer(action: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, action, 0, 0)
}

impl Filter {
    /// Stops the calls of these numbers, and clone(2) where its flags ask for it: CLONE_UNTRACED, which the engine clears, and
    /// CLONE_FILES without CLONE_THREAD or the other way round, since for all others the kind of child tells whether it shares its
    /// parent's descriptors; and prctl(2) where it sets a filter. Calls of other architectures pass, but
    /// for those that could make an untraced child.
    pub fn by_number(numbers: impl IntoIterator<Item = u64>) -> Self {
        let stop = answer(libc::SECCOMP_RET_TRACE | RET_DATA);
        let pass = answer(libc::SECCOMP_RET_ALLOW);
        let untraced = instruction(
            BPF_JMP | BPF_JSET | BPF_K,
            libc::CLONE_UNTRACED as u32,
            0,
            1,
        );
        let other = [
            equal(abi::AUDIT_ARCH_OTHER, 0, 6),
            load(NUMBER),
            equal(abi::OTHER_CLONE3, 3, 0),
            equal(abi::OTHER_CLONE, 0, 3),
            load(FIRST_ARGUMENT_LOW),
            untraced,
            stop,
            pass,
        ];
        let mut code = vec![load(ARCH), equal(abi::AUDIT_ARCH, other.len() as u8, 0)];
        code.extend(other);
        code.push(load(NUMBER));
        for number in numbers {
            code.extend([equal(number as u32, 0, 1), stop]);
        }
        code.extend([
            equal(libc::SYS_prctl as u32, 0, 4),
            load(FIRST_ARGUMENT_LOW),
            equal(libc::PR_SET_SECCOMP as u32, 0, 1),
            stop,
            pass,
            equal(libc::SYS_clone as u32, 1, 0),
            pass,
            load(FIRST_ARGUMENT_LOW),
            untraced,
            stop,
            instruction(BPF_ALU | BPF_AND | BPF_K, CLONE_FLAGS, 0, 0),
            equal(libc::CLONE_THREAD as u32, 1, 0),
            equal(libc::CLONE_FILES as u32, 0, 1),
            stop,
            pass,
        ]);
        Self { code }
    }

    /// Installs the filter in the calling thread, for good. Makes no memory allocation, so a forked child may call it.
    ///
    /// # Errors
    /// As seccomp(2): EACCES without CAP_SYS_ADMIN and no_new_privs, EINVAL or ENOSYS where the kernel has no filters.
    pub fn install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog {
            len: self.code.len() as u16,
            filter: self.code.as_ptr().cast_mut(),
        };
        let install = |flags: libc::c_ulong| {
            // SAFETY: program describes self.code, which lives through the call and is only read.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    flags,
                    &raw const program,
                )
            };
            Errno::result(result).map(drop)
        };
        // Speculation mitigations are the program's own choice, not ours (Linux 4.17; older kernels answer EINVAL).
        match install(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
            Err(Errno::EINVAL) => install(0),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: an interpreter of the few instructions that filters use.
    fn run(filter: &Filter, arch: u32, number: u32, first: u64) -> u32 {
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let one = filter.code[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { one.jt } else { one.jf });
            match u32::from(one.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    accumulator = match one.k {
                        NUMBER => number,
                        ARCH => arch,
                        FIRST_ARGUMENT_LOW => first as u32,
                        other => panic!("load from {other}"),
                    }
                }
                code if code == BPF_JMP | BPF_JEQ | BPF_K => at += jump(accumulator == one.k),
                code if code == BPF_JMP | BPF_JSET | BPF_K => at += jump(accumulator & one.k != 0),
                code if code == BPF_ALU | BPF_AND | BPF_K => accumulator &= one.k,
                code if code == BPF_RET | BPF_K => return one.k,
                other => panic!("instruction {other}"),
            }
        }
    }

    const STOP: u32 = libc::SECCOMP_RET_TRACE | RET_DATA;
    const PASS: u32 = libc::SECCOMP_RET_ALLOW;

    #[test]
    fn stops_the_chosen_numbers_of_our_architecture_only() {
        let filter = Filter::by_number([41, 42, 435]);
        for number in 0..500 {
            let expected = if [41, 42, 435].contains(&number) {
                STOP
            } else {
                PASS
            };
            assert_eq!(
                run(&filter, abi::AUDIT_ARCH, number, 0),
                expected,
                "number {number}"
            );
        }
        assert_eq!(
            run(&filter, 0x4000_0003, 41, 0),
            PASS,
            "an i386 call of the same number"
        );
    }

    #[test]
    fn stops_what_could_hide_a_child_by_the_other_architecture() {
        let filter = Filter::by_number([41]);
        let i386 = |number, first| run(&filter, abi::AUDIT_ARCH_OTHER, number, first);
        assert_eq!(
            i386(abi::OTHER_CLONE, libc::CLONE_UNTRACED as u64 | 17),
            STOP
        );
        assert_eq!(i386(abi::OTHER_CLONE, 17), PASS);
        assert_eq!(i386(abi::OTHER_CLONE3, 0), STOP);
        assert_eq!(i386(41, 0), PASS);
        assert_eq!(run(&filter, 0xC000_00B7, 41, 0), PASS, "aarch64");
    }

    #[test]
    fn stops_prctl_where_it_sets_a_filter() {
        let filter = Filter::by_number([]);
        let prctl = |option: i32| {
            run(
                &filter,
                abi::AUDIT_ARCH,
                libc::SYS_prctl as u32,
                option as u64,
            )
        };
        assert_eq!(prctl(libc::PR_SET_SECCOMP), STOP);
        assert_eq!(prctl(libc::PR_SET_NAME), PASS);
    }

    #[test]
    fn stops_clone_where_its_flags_ask_for_it() {
        let filter = Filter::by_number([]);
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
        for (flags, expected) in cases {
            let all = Filter::by_number([libc::SYS_clone as u64]);
            assert_eq!(
                run(&all, abi::AUDIT_ARCH, libc::SYS_clone as u32, flags),
                STOP,
                "asked for by number"
            );
            assert_eq!(
                run(&filter, abi::AUDIT_ARCH, libc::SYS_clone as u32, flags),
                expected,
                "flags {flags:#x}"
            );
        }
    }
}
