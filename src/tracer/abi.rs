//! What depends on the architecture: x86_64. Another one is another file with these items.

/// AUDIT_ARCH_X86_64 (linux/audit.h): what seccomp and PTRACE_GET_SYSCALL_INFO call this architecture.
pub const AUDIT_ARCH: u32 = 0xC000_003E;

/// AUDIT_ARCH_I386: the other architecture whose calls a process here can make.
pub const AUDIT_ARCH_OTHER: u32 = 0x4000_0003;

/// Its numbers of the calls that make a child with CLONE_* flags.
pub const OTHER_CLONE: u32 = 120;
/// See [`OTHER_CLONE`].
pub const OTHER_CLONE3: u32 = 435;

/// The index of the other architecture's first argument in [`set_argument`].
pub const OTHER_FIRST: usize = 6;

/// A tracee's registers, whole.
pub type Registers = libc::user_regs_struct;

/// Where PTRACE_PEEKUSER has the base of the gs segment, which programs in 64-bit mode have no use for (the C libraries keep their
/// threads by fs): by it the recorder's code finds the thread's slot.
pub const THREAD_BASE: usize = std::mem::offset_of!(Registers, gs_base);

/// Commands of arch_prctl(2) that set and get it.
pub const ARCH_SET_GS: u32 = 0x1001;
/// See [`ARCH_SET_GS`].
pub const ARCH_GET_GS: u32 = 0x1004;

/// Replaces argument `index` (0 to 5, or [`OTHER_FIRST`]) in `registers`.
pub fn set_argument(registers: &mut Registers, index: usize, value: u64) {
    let slot = match index {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        5 => &mut registers.r9,
        _ => &mut registers.rbx,
    };
    *slot = value;
}

/// Turns the call that is about to be made into none: the kernel skips it and returns ENOSYS, which it puts into the result
/// before it looks at the number.
pub fn skip_call(registers: &mut Registers) {
    registers.orig_rax = u64::MAX;
}

/// The instruction that makes a call.
pub const CALL: [u8; 2] = [0x0f, 0x05];

/// Where the instruction stands by which a thread at a call's entry or exit has made it, if it is [`CALL`].
pub fn call_site(registers: &Registers) -> u64 {
    registers.rip.wrapping_sub(CALL.len() as u64)
}

/// Turns the call that is about to be made into another one.
pub fn replace_call(registers: &mut Registers, number: libc::c_long, arguments: [u64; 6]) {
    registers.orig_rax = number as u64;
    for (index, value) in arguments.into_iter().enumerate() {
        set_argument(registers, index, value);
    }
}

/// Sends a thread that stands at a call's exit back to make another one.
pub fn make_call(registers: &mut Registers, number: libc::c_long, arguments: [u64; 6]) {
    replace_call(registers, number, arguments);
    registers.rip = call_site(registers);
    registers.rax = number as u64;
    // No call is being made that a signal could restart.
    registers.orig_rax = u64::MAX;
}

/// Makes the registers of a call's entry those of a thread that is about to make it.
pub fn make_again(registers: &mut Registers) {
    registers.rip = call_site(registers);
    registers.rax = registers.orig_rax;
    registers.orig_rax = u64::MAX;
}

/// Whether a call has come back with EINTR.
pub fn was_interrupted(registers: &Registers) -> bool {
    registers.rax as i64 == -i64::from(libc::EINTR) && registers.orig_rax as i64 >= 0
}

/// Whether a program that begins with these registers is a 32-bit one: its code segment is __USER32_CS (asm/segment.h).
pub fn is_32_bit(registers: &Registers) -> bool {
    registers.cs == 0x23
}
