//! The tracee's memory as decoders see it: an address that may be bad, and a bounded read.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::{Add, Range};

/// How much is read at once: what is long takes memory for what is there, not for what its length says.
const CHUNK: usize = 1 << 16;

/// Something to read the tracee's bytes from: a stopped thread, a recorded trace, a test's slice.
pub trait Memory {
    /// Fills `buffer` from `address` on and returns how many bytes could be read: fewer, or none, where the pages end.
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize;

    /// The bytes at an address, as many of them as can be read. Nothing stands at NULL.
    fn bytes(&self, address: u64, len: usize) -> Cow<'_, [u8]> {
        let mut bytes = Vec::new();
        if address != 0 {
            append(self, address, len, &mut bytes);
        }
        bytes.into()
    }

    /// The word at an address. Nothing stands at NULL.
    fn word(&self, address: u64) -> Option<u64> {
        let bytes = self.bytes(address, 8);
        Some(u64::from_ne_bytes(*bytes.first_chunk()?))
    }

    /// The string at an address, without the NUL that ends it; nothing where that is not among the first `most` bytes.
    fn string(&self, address: u64, most: usize) -> Option<Vec<u8>> {
        let bytes = self.bytes(address, most);
        let end = bytes.iter().position(|byte| *byte == 0)?;
        Some(bytes[..end].to_vec())
    }

    /// Fills several pieces, whose places in `bytes` follow each other without a gap, and notes how much of each could be read.
    fn gather(&self, pieces: &mut [Piece], bytes: &mut [u8]) {
        for piece in pieces {
            piece.read = self.read(piece.address, &mut bytes[piece.place()]);
        }
    }
}

/// A piece of a tracee's memory, and where its copy stands.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Where it is in the tracee.
    pub address: u64,
    /// How many bytes are wanted.
    pub len: usize,
    /// Where the copy begins.
    pub at: usize,
    /// How many bytes could be read.
    pub read: usize,
}

impl Piece {
    fn wanted(address: u64, len: usize) -> Option<Self> {
        (address != 0 && len > 0).then_some(Self {
            address,
            len,
            at: 0,
            read: 0,
        })
    }

    /// The place of the copy.
    pub fn place(&self) -> Range<usize> {
        self.at..self.at + self.len
    }
}

/// Memory with nothing in it: every pointer is bad.
pub struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _address: u64, _buffer: &mut [u8]) -> usize {
        0
    }
}

/// Notes what is read of a memory, so that the same can be read again.
pub struct Noting<'a> {
    memory: &'a dyn Memory,
    read: RefCell<Snapshot>,
}

impl<'a> Noting<'a> {
    /// Notes what is read of that memory.
    pub fn new(memory: &'a dyn Memory) -> Self {
        Self {
            memory,
            read: RefCell::default(),
        }
    }

    /// What was read.
    pub fn into_snapshot(self) -> Snapshot {
        self.read.into_inner()
    }
}

impl Memory for Noting<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let read = self.memory.read(address, buffer).min(buffer.len());
        let mut notes = self.read.borrow_mut();
        notes.add(address, buffer.len(), &buffer[..read]);
        read
    }

    /// What stands behind the string is not noted: it may be anything.
    fn string(&self, address: u64, most: usize) -> Option<Vec<u8>> {
        let mut string = self.memory.string(address, most)?;
        string.push(0);
        self.read.borrow_mut().add(address, most, &string);
        string.pop();
        Some(string)
    }
}

/// Copies of those pieces of a tracee's memory that a call points to: what decoding the call reads, once the tracee runs on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// How many of the pieces have been read.
    filled: usize,
}

impl Snapshot {
    /// Forgets everything, and keeps the room that it took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.filled = 0;
    }

    /// Puts other bytes in the place of those, as far as a piece has them at its beginning.
    pub fn replace(&mut self, old: &[u8], new: &[u8]) {
        for piece in &self.pieces[..self.filled] {
            let common = piece.read.min(old.len()).min(new.len());
            let copy = &mut self.bytes[piece.at..piece.at + common];
            if *copy == old[..common] {
                copy.copy_from_slice(&new[..common]);
            }
        }
    }

    /// Asks for what stands at an address. Nothing stands at NULL.
    pub fn want(&mut self, address: u64, len: usize) {
        self.pieces.extend(Piece::wanted(address, len));
    }

    /// Asks for what the pointers among those `len` bytes lead to.
    pub fn follow<'a, I: Iterator<Item = (u64, usize)>>(
        &'a mut self,
        address: u64,
        len: usize,
        pointers: impl FnOnce(&'a [u8]) -> I,
    ) {
        let place = self.place(address, len);
        for (address, len) in pointers(&self.bytes[place]) {
            self.pieces.extend(Piece::wanted(address, len));
        }
    }

    /// Reads what was asked for, by one read for all of it; whether there was anything.
    pub fn fill(&mut self, memory: &dyn Memory) -> bool {
        let wanted = &mut self.pieces[self.filled..];
        let any = !wanted.is_empty();
        for pieces in wanted.chunk_by_mut(|one, next| one.len.max(next.len) <= CHUNK) {
            let start = self.bytes.len();
            match pieces {
                [piece] if piece.len > CHUNK => {
                    piece.at = start;
                    piece.read = append(memory, piece.address, piece.len, &mut self.bytes);
                }
                pieces => {
                    let mut end = start;
                    for piece in pieces.iter_mut() {
                        piece.at = end;
                        end += piece.len;
                    }
                    self.bytes.resize(end, 0);
                    memory.gather(pieces, &mut self.bytes);
                }
            }
        }
        self.filled = self.pieces.len();
        any
    }

    /// What was read of those `len` bytes: fewer where the pages ended, none where nobody asked for all of them.
    pub fn copied(&self, address: u64, len: usize) -> &[u8] {
        &self.bytes[self.place(address, len)]
    }

    fn place(&self, address: u64, len: usize) -> Range<usize> {
        let within = |piece: &Piece| {
            let from = usize::try_from(address.checked_sub(piece.address)?).ok()?;
            // What lies behind a bad page, this piece cannot tell.
            let known = from <= piece.read && len <= piece.len - from;
            known.then(|| piece.at + from..piece.at + piece.read.min(from + len))
        };
        let mut filled = self.pieces[..self.filled].iter();
        filled.find_map(within).unwrap_or(0..0)
    }

    /// Each piece that was read: its address, how many bytes were wanted, and those that could be read.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, usize, &[u8])> {
        let filled = self.pieces[..self.filled].iter();
        filled.map(|piece| {
            let read = &self.bytes[piece.at..piece.at + piece.read];
            (piece.address, piece.len, read)
        })
    }

    /// Adds a piece that was read elsewhere.
    pub fn add(&mut self, address: u64, wanted: usize, bytes: &[u8]) {
        let piece = Piece {
            address,
            len: wanted.max(bytes.len()),
            at: self.bytes.len(),
            read: bytes.len(),
        };
        self.bytes.extend_from_slice(bytes);
        self.pieces.truncate(self.filled);
        self.pieces.push(piece);
        self.filled += 1;
    }

    /// Adds the copies of another behind its own, to be taken out again as a [part](Self::part); how much they are.
    pub fn append(&mut self, other: &Self) -> Extent {
        self.bytes.extend_from_slice(&other.bytes);
        self.pieces.extend_from_slice(&other.pieces);
        Extent {
            bytes: other.bytes.len(),
            pieces: other.pieces.len(),
        }
    }

    /// What was appended from one place to another.
    pub fn part(&self, from: Extent, to: Extent) -> (&[u8], &[Piece]) {
        let bytes = &self.bytes[from.bytes..to.bytes];
        (bytes, &self.pieces[from.pieces..to.pieces])
    }

    /// Becomes the snapshot that was appended.
    pub fn become_copy(&mut self, (bytes, pieces): (&[u8], &[Piece])) {
        self.clear();
        self.bytes.extend_from_slice(bytes);
        self.pieces.extend_from_slice(pieces);
        self.filled = self.pieces.len();
    }

    /// How many bytes of ours it takes.
    pub fn room(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }
}

/// How much of a snapshot, or how far into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    bytes: usize,
    pieces: usize,
}

impl Add for Extent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            pieces: self.pieces + other.pieces,
        }
    }
}

impl Memory for Snapshot {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let found = self.copied(address, buffer.len());
        buffer[..found.len()].copy_from_slice(found);
        found.len()
    }

    fn bytes(&self, address: u64, len: usize) -> Cow<'_, [u8]> {
        self.copied(address, len).into()
    }
}

/// Adds what stands at an address to `bytes`, as much of it as can be read, and says how much that is.
fn append<M: Memory + ?Sized>(memory: &M, address: u64, len: usize, bytes: &mut Vec<u8>) -> usize {
    let first = bytes.len();
    let mut done = 0;
    while done < len {
        let wanted = (len - done).min(CHUNK);
        bytes.resize(first + done + wanted, 0);
        let read = memory
            .read(
                address.wrapping_add(done as u64),
                &mut bytes[first + done..],
            )
            .min(wanted);
        done += read;
        if read < wanted {
            break;
        }
    }
    bytes.truncate(first + done);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes 0, 1, 2 … at 1,000,000 on, as many as it says.
    struct Count(u64);

    impl Memory for Count {
        fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
            let from = address.wrapping_sub(1_000_000);
            let there = self.0.saturating_sub(from) as usize;
            let read = buffer.len().min(there);
            for (at, byte) in buffer[..read].iter_mut().enumerate() {
                *byte = (from as usize + at) as u8;
            }
            read
        }
    }

    #[test]
    fn a_snapshot_reads_as_the_memory_that_it_was_taken_of() {
        const LONG: usize = 3 * CHUNK;
        let memory = Count(2 * CHUNK as u64 + 100);
        let mut snapshot = Snapshot::default();
        for _round in 0..2 {
            snapshot.clear();
            assert!(!snapshot.fill(&memory), "nothing was asked for");
            snapshot.want(0, 10);
            snapshot.want(1_000_000, 8);
            snapshot.want(5, 8);
            snapshot.want(1_000_010, LONG);
            snapshot.want(1_000_004, 20);
            assert!(snapshot.fill(&memory));
            snapshot.want(1_000_000 + 2 * CHUNK as u64, 200);
            assert!(
                snapshot
                    .copied(1_000_000 + 2 * CHUNK as u64 + 150, 1)
                    .is_empty()
            );
            assert!(snapshot.fill(&memory));
            assert_eq!(snapshot.copied(1_000_000, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
            assert_eq!(snapshot.copied(1_000_003, 2), [3, 4]);
            assert_eq!(
                snapshot.copied(1_000_004, 9),
                [4, 5, 6, 7, 8, 9, 10, 11, 12]
            );
            assert!(
                snapshot.copied(1_000_000, 9).is_empty(),
                "nobody asked for it"
            );
            assert!(snapshot.copied(5, 8).is_empty());
            assert!(snapshot.copied(u64::MAX, 1).is_empty());
            assert_eq!(
                snapshot.copied(1_000_010, LONG).len(),
                2 * CHUNK + 90,
                "up to where the memory ends"
            );
            assert_eq!(
                snapshot.copied(1_000_000 + 2 * CHUNK as u64 + 95, 50).len(),
                5
            );
            assert!(
                snapshot
                    .copied(1_000_000 + 2 * CHUNK as u64 + 150, 50)
                    .is_empty()
            );
            let mut buffer = [9; 3];
            assert_eq!(snapshot.read(1_000_005, &mut buffer), 3);
            assert_eq!(buffer, [5, 6, 7]);
        }
    }
}
