//! The tracee's memory, by process_vm_readv(2): no stop and no ptrace request a word.

use crate::syscall::Memory;

/// The address space of a thread. A thread that runs may be read too: what it changes meanwhile is its own affair.
#[derive(Clone, Copy, Debug)]
pub struct TraceeMemory {
    tid: i32,
}

impl TraceeMemory {
    /// The address space of `tid`.
    pub fn of(tid: i32) -> Self {
        Self { tid }
    }

    /// Writes `bytes` at `address`; whether all of them could be written.
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        let local = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let remote = libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: bytes.len(),
        };
        // SAFETY: local describes `bytes`, which the kernel only reads; remote is an address in the tracee, which it checks.
        let count = unsafe {
            libc::process_vm_writev(self.tid, &raw const local, 1, &raw const remote, 1, 0)
        };
        usize::try_from(count) == Ok(bytes.len())
    }

    fn read_piece(&self, address: u64, buffer: &mut [u8]) -> usize {
        let local = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let remote = libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: buffer.len(),
        };
        // SAFETY: local describes `buffer`, which is ours to fill; remote is an address in the tracee, which the kernel checks.
        let count = unsafe {
            libc::process_vm_readv(self.tid, &raw const local, 1, &raw const remote, 1, 0)
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Memory for TraceeMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        const PAGE: u64 = 4096;
        let mut done = self.read_piece(address, buffer);
        // The kernel gives all or nothing of each range: what lies before a bad page is fetched page by page.
        while done < buffer.len() {
            let Some(at) = address.checked_add(done as u64) else {
                break;
            };
            let piece = ((PAGE - at % PAGE) as usize).min(buffer.len() - done);
            if self.read_piece(at, &mut buffer[done..done + piece]) < piece {
                break;
            }
            done += piece;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_bad_page_and_no_further() {
        // SAFETY: a fresh private mapping of two pages, of which the second is then made unreadable.
        let base = unsafe {
            let base = libc::mmap(
                std::ptr::null_mut(),
                8192,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(base, libc::MAP_FAILED);
            std::ptr::write_bytes(base.cast::<u8>(), 7, 8192);
            assert_eq!(
                libc::mprotect(base.cast::<u8>().add(4096).cast(), 4096, libc::PROT_NONE),
                0
            );
            base as u64
        };
        let memory = TraceeMemory::of(std::process::id() as i32);
        let mut buffer = [0; 200];
        assert_eq!(memory.read(base + 4000, &mut buffer), 96);
        assert!(buffer[..96].iter().all(|byte| *byte == 7));
        assert_eq!(memory.read(base + 4096, &mut buffer), 0);
        assert_eq!(memory.read(u64::MAX - 10, &mut buffer), 0);
        assert_eq!(memory.read(0, &mut buffer), 0);
    }
}
