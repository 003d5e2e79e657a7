//! The instruction that a breakpoint stands in the place of: how it is made up for, while the breakpoint stays.
//!
//! It runs from a slot of ours, followed by a jump back. A call does not: its return address has to be the program's own, or nobody could
//! unwind the stack (exceptions, debuggers), so it is made in the thread's registers.

use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code, Decoder, DecoderOptions, Instruction,
    InstructionBlock, Mnemonic, OpKind, Register,
};

use crate::syscall::Memory;
use crate::tracer::abi::Registers;

/// The longest instruction.
pub const LONGEST: usize = 15;

/// How many bytes a slot has.
pub const SLOT: usize = 64;

/// How an instruction is made up for.
#[derive(Clone, Debug, PartialEq)]
pub enum Displaced {
    /// By code in a slot: where there the way back begins, and where it leads.
    Slot {
        /// The slot.
        slot: u64,
        /// The address in it at which the instruction is over.
        over: u64,
        /// The address of the instruction after it, in the program.
        next: u64,
    },
    /// In the registers: it is a call.
    Call {
        /// The instruction.
        call: Box<Instruction>,
        /// The address of the instruction after it.
        next: u64,
    },
}

/// What stands at an address: its first instruction, if all of it is there and can be made up for.
pub fn instruction(bytes: &[u8], address: u64) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let refused = instruction.is_invalid() || LEFT_ALONE.contains(&instruction.mnemonic());
    (!refused && !FAR.contains(&instruction.code())).then_some(instruction)
}

/// What traps by itself, makes calls to the kernel or gives up.
const LEFT_ALONE: [Mnemonic; 13] = [
    Mnemonic::INVALID,
    Mnemonic::Int3,
    Mnemonic::Int1,
    Mnemonic::Int,
    Mnemonic::Ud0,
    Mnemonic::Ud1,
    Mnemonic::Ud2,
    Mnemonic::Hlt,
    Mnemonic::Syscall,
    Mnemonic::Sysenter,
    Mnemonic::Iretq,
    Mnemonic::Iretd,
    Mnemonic::Retf,
];

/// Branches to other segments.
const FAR: [Code; 6] = [
    Code::Call_m1616,
    Code::Call_m1632,
    Code::Call_m1664,
    Code::Jmp_m1616,
    Code::Jmp_m1632,
    Code::Jmp_m1664,
];

/// Whether the instruction needs no slot.
pub fn needs_no_slot(instruction: &Instruction) -> bool {
    matches!(instruction.code(), Code::Call_rel32_64 | Code::Call_rm64)
}

/// How the instruction is made up for, and the code for that slot.
pub fn displace(instruction: Instruction, slot: u64) -> Option<(Displaced, Vec<u8>)> {
    let next = instruction.next_ip();
    if needs_no_slot(&instruction) {
        let call = Box::new(instruction);
        return Some((Displaced::Call { call, next }, Vec::new()));
    }
    let back = Instruction::with_branch(Code::Jmp_rel32_64, next).ok()?;
    let both = [instruction, back];
    let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let block = InstructionBlock::new(&both, slot);
    let encoded = BlockEncoder::encode(64, block, options).ok()?;
    let over = u64::from(*encoded.new_instruction_offsets.get(1)?);
    if encoded.code_buffer.len() > SLOT || over >= SLOT as u64 {
        return None;
    }
    let over = slot + over;
    Some((Displaced::Slot { slot, over, next }, encoded.code_buffer))
}

/// Makes a near call in the registers: where it leads, with the address that is to be pushed already accounted for in the stack pointer.
/// Nothing where its target cannot be read.
pub fn call(call: &Instruction, registers: &mut Registers, memory: &dyn Memory) -> Option<()> {
    let target = match call.op0_kind() {
        OpKind::NearBranch64 => call.near_branch64(),
        OpKind::Register => value(registers, call.op0_register())?,
        OpKind::Memory => {
            if call.segment_prefix() != Register::None {
                return None;
            }
            let base = match call.memory_base() {
                // iced gives the address itself as the displacement.
                Register::RIP | Register::None => 0,
                base => value(registers, base)?,
            };
            let index = match call.memory_index() {
                Register::None => 0,
                index => value(registers, index)?,
            };
            let scaled = index.wrapping_mul(u64::from(call.memory_index_scale()));
            let place = base
                .wrapping_add(scaled)
                .wrapping_add(call.memory_displacement64());
            memory.word(place)?
        }
        _ => return None,
    };
    registers.rsp = registers.rsp.wrapping_sub(8);
    registers.rip = target;
    Some(())
}

fn value(registers: &Registers, register: Register) -> Option<u64> {
    Some(match register {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::NoMemory;

    fn registers() -> Registers {
        // SAFETY: plain numbers; all zero is one of their values.
        unsafe { std::mem::zeroed() }
    }

    fn of(bytes: &[u8]) -> Instruction {
        instruction(bytes, 0x7f00_0000_1000).expect("an instruction that can be displaced")
    }

    /// What iced makes of code.
    fn first(code: &[u8], address: u64) -> Instruction {
        Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode()
    }

    const SLOT_AT: u64 = 0x7f00_0f00_0000;

    #[test]
    fn instructions_mean_the_same_in_their_slot() {
        // endbr64; push rbp; sub rsp, 8; mov rax, fs:[0x28]; ret
        for bytes in [
            &[0xf3, 0x0f, 0x1e, 0xfa][..],
            &[0x55],
            &[0x48, 0x83, 0xec, 8],
            &[0x64, 0x48, 0x8b, 4, 0x25, 0x28, 0, 0, 0],
            &[0xc3],
        ] {
            let (how, code) = displace(of(bytes), SLOT_AT).expect("code");
            assert_eq!(code[..bytes.len()], *bytes);
            let Displaced::Slot { slot, over, next } = how else {
                panic!("a slot");
            };
            assert_eq!((slot, over), (SLOT_AT, SLOT_AT + bytes.len() as u64));
            assert_eq!(next, 0x7f00_0000_1000 + bytes.len() as u64);
            let back = first(&code[bytes.len()..], over);
            assert_eq!(back.near_branch64(), next);
        }
        // lea rdi, [rip + 0x10]
        let bytes = [0x48, 0x8d, 0x3d, 0x10, 0, 0, 0];
        let (_, code) = displace(of(&bytes), SLOT_AT).expect("code");
        let there = first(&code, SLOT_AT);
        assert_eq!(there.memory_displacement64(), 0x7f00_0000_1017);
        // jne +2: taken or not, it comes to where it would have come.
        let (_, code) = displace(of(&[0x75, 2]), SLOT_AT).expect("code");
        assert_eq!(first(&code, SLOT_AT).near_branch64(), 0x7f00_0000_1004);
    }

    #[test]
    fn a_slot_out_of_reach_is_refused() {
        let bytes = [0x48, 0x8d, 0x3d, 0x10, 0, 0, 0];
        assert_eq!(displace(of(&bytes), 0x5500_0000_0000), None);
    }

    #[test]
    fn calls_are_made_in_the_registers() {
        let mut now = registers();
        (now.rsp, now.rbx) = (0x1000, 0x7777);
        // call +0x10
        let direct = of(&[0xe8, 0x10, 0, 0, 0]);
        assert!(needs_no_slot(&direct));
        assert_eq!(call(&direct, &mut now, &NoMemory), Some(()));
        assert_eq!((now.rip, now.rsp), (0x7f00_0000_1015, 0xff8));
        // call rbx
        assert_eq!(call(&of(&[0xff, 0xd3]), &mut now, &NoMemory), Some(()));
        assert_eq!((now.rip, now.rsp), (0x7777, 0xff0));
        // call [rbx + 8], which cannot be read
        assert_eq!(call(&of(&[0xff, 0x53, 8]), &mut now, &NoMemory), None);
        assert_eq!(now.rsp, 0xff0);
    }

    #[test]
    fn what_traps_or_calls_the_kernel_is_left_alone() {
        for bytes in [
            &[0xcc][..],
            &[0x0f, 0x05],
            &[0xcd, 0x80],
            &[0x0f, 0x0b],
            &[0x48],
        ] {
            assert_eq!(instruction(bytes, 0x1000), None, "{bytes:x?}");
        }
    }
}
