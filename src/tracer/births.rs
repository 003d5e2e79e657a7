//! Calls that make children: none of these may be hidden from us, and the program is not to notice.

use super::abi;
use super::engine::Engine;
use super::memory::TraceeMemory;
use super::stopped::{Gone, Stopped};
use super::tracees::{Doing, Undo};
use crate::syscall::{Memory, Raw};

impl Engine {
    /// Where a call that makes a child begins, its flags are noted, and CLONE_UNTRACED, which would hide the child, is cleared.
    pub(super) fn child_call_entered(
        &mut self,
        stopped: &Stopped,
        arch: u32,
        raw: Raw,
    ) -> Result<(), Gone> {
        const UNTRACED: u64 = libc::CLONE_UNTRACED as u64;
        let (clone, clone3, first) = match arch {
            abi::AUDIT_ARCH => (libc::SYS_clone as u64, libc::SYS_clone3 as u64, 0),
            abi::AUDIT_ARCH_OTHER => (
                abi::OTHER_CLONE.into(),
                abi::OTHER_CLONE3.into(),
                abi::OTHER_FIRST,
            ),
            _ => return Ok(()),
        };
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(());
        };
        if raw.number == clone {
            let flags = raw.args[0];
            thread.clone_flags = Some(flags);
            if flags & UNTRACED != 0 {
                let mut registers = stopped.registers()?;
                abi::set_argument(&mut registers, first, flags & !UNTRACED);
                stopped.set_registers(&registers)?;
                thread.undo = Some(Undo::Argument {
                    index: first,
                    flags,
                });
            }
        } else if raw.number == clone3 {
            // The flags are the first field of struct clone_args (linux/sched.h).
            let (memory, address) = (TraceeMemory::of(tid), raw.args[0]);
            let mut bytes = [0; 8];
            if memory.read(address, &mut bytes) < bytes.len() {
                return Ok(());
            }
            let flags = u64::from_ne_bytes(bytes);
            thread.clone_flags = Some(flags);
            if flags & UNTRACED == 0 {
                return Ok(());
            }
            if memory.write(address, &(flags & !UNTRACED).to_ne_bytes()) {
                thread.undo = Some(Undo::Memory { address, flags });
            } else {
                // As on a kernel without it: clone(2), which programs then use, has its flags in a register.
                stopped.skip_call()?;
            }
        }
        Ok(())
    }

    /// Undoes what was done to a child-making call, and takes what the thread was doing.
    pub(super) fn child_call_left(&mut self, stopped: &Stopped) -> Result<Doing, Gone> {
        let tid = stopped.tid();
        let Some(thread) = self.tracees.threads.get_mut(&tid) else {
            return Ok(Doing::Nothing);
        };
        thread.clone_flags = None;
        let doing = std::mem::take(&mut thread.doing);
        if let Some(undo) = thread.undo.take() {
            undo.apply(stopped)?;
        }
        Ok(doing)
    }
}

impl Undo {
    /// Puts the flags back as the program wrote them.
    pub(super) fn apply(self, stopped: &Stopped) -> Result<(), Gone> {
        match self {
            Self::Argument { index, flags } => {
                let mut registers = stopped.registers()?;
                abi::set_argument(&mut registers, index, flags);
                stopped.set_registers(&registers)
            }
            Self::Memory { address, flags } => {
                TraceeMemory::of(stopped.tid()).write(address, &flags.to_ne_bytes());
                Ok(())
            }
        }
    }
}
