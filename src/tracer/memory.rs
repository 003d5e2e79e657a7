//! The tracee's memory, by process_vm_readv(2): no stop and no ptrace request a word.

use crate::syscall::Memory;
use crate::syscall::memory::Piece;

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

    fn gather(&self, pieces: &mut [Piece], bytes: &mut [u8]) {
        let mut rest = pieces;
        while !rest.is_empty() {
            let count = rest.len().min(RANGES);
            let mut read = gather_some(self.tid, &rest[..count], bytes);
            let mut whole = 0;
            while whole < count && read >= rest[whole].len {
                rest[whole].read = rest[whole].len;
                read -= rest[whole].len;
                whole += 1;
            }
            if let Some(bad) = rest[..count].get_mut(whole) {
                // The kernel gives up at the first bad page; what lies behind it is asked for anew.
                bad.read = self.read(bad.address, &mut bytes[bad.place()]);
                whole += 1;
            }
            rest = &mut rest[whole..];
        }
    }
}

/// How many ranges one read gathers.
const RANGES: usize = 64;

/// Reads the beginnings of up to [`RANGES`] pieces by one call, up to where the first bad page is; how many bytes that were.
fn gather_some(tid: i32, pieces: &[Piece], bytes: &mut [u8]) -> usize {
    let Some((first, last)) = pieces.first().zip(pieces.last()) else {
        return 0;
    };
    let buffer = &mut bytes[first.at..last.place().end];
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut remote = [libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    }; RANGES];
    for (range, piece) in remote.iter_mut().zip(pieces) {
        range.iov_base = piece.address as *mut libc::c_void;
        range.iov_len = piece.len;
    }
    let count = pieces.len().min(RANGES) as libc::c_ulong;
    // SAFETY: local describes `buffer`, which is ours to fill; the remote ranges are addresses in the tracee, which the kernel checks.
    let read =
        unsafe { libc::process_vm_readv(tid, &raw const local, 1, remote.as_ptr(), count, 0) };
    usize::try_from(read).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::Snapshot;

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

        // Many pieces at once, good and bad ones in turns.
        let mut snapshot = Snapshot::default();
        for at in 0..200 {
            snapshot.want(base + at, 8);
            snapshot.want(base + 4090, 16);
            snapshot.want(base + 5000, 4);
        }
        snapshot.want(base + 4000, 96);
        snapshot.want(u64::MAX - 3, 8);
        assert!(snapshot.fill(&memory));
        for at in 0..200 {
            assert_eq!(snapshot.copied(base + at, 8), [7; 8]);
        }
        assert_eq!(snapshot.copied(base + 4090, 16), [7; 6]);
        assert!(snapshot.copied(base + 5000, 4).is_empty());
        assert_eq!(snapshot.copied(base + 4000, 96), [7; 96]);
        assert!(snapshot.copied(u64::MAX - 3, 8).is_empty());
    }
}
