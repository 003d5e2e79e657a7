//! The memory that the recorder's code and we both write: as words that either side may change at any moment.
//!
//! Nothing in it is trusted: lengths are bounded by the mapping, and what was read once is not read again.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::{MOST_DESCRIPTORS, SLOTS, header};

/// How large the parts of the memory are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many slots there are.
    pub slots: usize,
    /// A slot.
    pub slot: usize,
    /// The ring; a power of two.
    pub ring: usize,
}

impl Sizes {
    /// All that stands before the ring.
    pub fn before_ring(self) -> usize {
        SLOTS + self.slots * self.slot
    }

    /// The memory, without the ring's second view.
    pub fn whole(self) -> usize {
        self.before_ring() + self.ring
    }
}

/// Our view of it.
#[derive(Debug)]
pub struct Shared {
    words: &'static [AtomicU64],
    sizes: Sizes,
}

impl Shared {
    /// Gives the file (memfd_create(2)) its size for good and maps it.
    ///
    /// # Errors
    /// Where it is no such file, or there is no memory.
    pub fn map(file: &File, sizes: Sizes) -> io::Result<Self> {
        file.set_len(sizes.whole() as u64)?;
        // The program could make it shorter under our hands.
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: a descriptor of ours and plain numbers.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new mapping at an address of the kernel's choice, of a file that cannot become shorter. The mapping is shared with a
        // process that may write anything at any time, so it is used through atomic words only, of which any value is valid; it is
        // unmapped by `drop`, after which nothing of `self` is left.
        let words = unsafe {
            let base = libc::mmap(
                ptr::null_mut(),
                sizes.whole(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            );
            if base == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            std::slice::from_raw_parts(base.cast::<AtomicU64>(), sizes.whole() / 8)
        };
        Ok(Self { words, sizes })
    }

    /// How large its parts are.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The word at an offset in bytes, which is rounded down to whole words.
    fn word(&self, offset: usize) -> &AtomicU64 {
        &self.words[offset / 8]
    }

    /// Reads a word.
    pub fn load(&self, offset: usize) -> u64 {
        self.word(offset).load(Ordering::Acquire)
    }

    /// Writes a word.
    pub fn store(&self, offset: usize, value: u64) {
        self.word(offset).store(value, Ordering::Release);
    }

    /// Where a slot begins.
    pub fn slot(&self, index: usize) -> usize {
        SLOTS + index * self.sizes.slot
    }

    /// Reads a field of a slot.
    pub fn slot_field(&self, index: usize, field: usize) -> u64 {
        self.load(self.slot(index) + field)
    }

    /// Adds a descriptor to a set, or takes it out.
    pub fn put_in_set(&self, set: usize, fd: i32, is_in: bool) {
        let Some(fd) = u32::try_from(fd).ok().filter(|fd| *fd < MOST_DESCRIPTORS) else {
            return;
        };
        let word = self.word(set + fd as usize / 64 * 8);
        let bit = 1 << (fd % 64);
        match is_in {
            true => word.fetch_or(bit, Ordering::AcqRel),
            false => word.fetch_and(!bit, Ordering::AcqRel),
        };
    }

    /// Whether a descriptor is in a set.
    pub fn is_in_set(&self, set: usize, fd: i32) -> bool {
        let fd = u32::try_from(fd).ok().filter(|fd| *fd < MOST_DESCRIPTORS);
        fd.is_some_and(|fd| self.load(set + fd as usize / 64 * 8) & 1 << (fd % 64) != 0)
    }

    /// Copies `into.len()` bytes from an offset on; both are multiples of 8.
    pub fn copy(&self, offset: usize, into: &mut [u8]) {
        for (at, bytes) in into.chunks_exact_mut(8).enumerate() {
            let word = self.word(offset + at * 8).load(Ordering::Relaxed);
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
    }

    /// Where in the memory a position of the ring stands.
    pub fn in_ring(&self, position: u64) -> usize {
        self.sizes.before_ring() + (position as usize & (self.sizes.ring - 1))
    }

    /// Copies from the ring, around its end.
    pub fn copy_from_ring(&self, position: u64, into: &mut [u8]) {
        let at = self.in_ring(position);
        let first = (self.sizes.whole() - at).min(into.len());
        let (first, rest) = into.split_at_mut(first);
        self.copy(at, first);
        self.copy(self.sizes.before_ring(), rest);
    }

    /// Puts a whole record into the ring at a position that is reserved for it; its tag comes last.
    pub fn put_into_ring(&self, position: u64, bytes: &[u8], tag: u64) {
        for (at, word) in bytes.chunks_exact(8).enumerate().skip(1) {
            let mut value = [0; 8];
            value.copy_from_slice(word);
            let place = self.in_ring(position.wrapping_add(at as u64 * 8));
            self.word(place)
                .store(u64::from_ne_bytes(value), Ordering::Relaxed);
        }
        self.store(self.in_ring(position), tag);
    }

    /// How much has been reserved in the ring.
    pub fn tail(&self) -> u64 {
        self.load(header::TAIL)
    }

    /// A slot's state.
    pub fn state(&self, index: usize) -> u32 {
        self.slot_field(index, super::layout::slot::STATE) as u32
    }

    /// Sets it.
    pub fn set_state(&self, index: usize, state: u32) {
        self.store(self.slot(index) + super::layout::slot::STATE, state.into());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made, whole; nobody else has a reference to it.
        unsafe {
            libc::munmap(
                self.words.as_ptr().cast_mut().cast(),
                size_of_val(self.words),
            );
        }
    }
}
