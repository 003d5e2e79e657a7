//! The tracee's memory as decoders see it: an address that may be bad, and a bounded read.

/// Something to read the tracee's bytes from: a stopped thread, a recorded trace, a test's slice.
pub trait Memory {
    /// Fills `buffer` from `address` on and returns how many bytes could be read: fewer, or none, where the pages end.
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize;
}

/// Memory with nothing in it: every pointer is bad.
pub struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _address: u64, _buffer: &mut [u8]) -> usize {
        0
    }
}
