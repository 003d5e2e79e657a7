//! What depends on the architecture: x86_64. Another one is another file with these items.

/// AUDIT_ARCH_X86_64 (linux/audit.h): what seccomp and PTRACE_GET_SYSCALL_INFO call this architecture.
pub const AUDIT_ARCH: u32 = 0xC000_003E;

/// A tracee's registers, whole.
pub type Registers = libc::user_regs_struct;

/// Replaces argument `index` (0 to 5) in `registers`.
pub fn set_argument(registers: &mut Registers, index: usize, value: u64) {
    let slot = match index {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        _ => &mut registers.r9,
    };
    *slot = value;
}

/// Turns the call that is about to be made into none: the kernel skips it and returns ENOSYS, which it puts into the result
/// before it looks at the number.
pub fn skip_call(registers: &mut Registers) {
    registers.orig_rax = u64::MAX;
}
