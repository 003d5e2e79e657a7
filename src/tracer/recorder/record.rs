//! A record: what the recorder's code wrote down of one call. Read from bytes that nobody vouches for.

use super::layout::{IS_BEFORE, record};
use crate::syscall::{Memory, Outcome, Raw};

/// One call, as it was written down.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The number of the thread's slot.
    pub slot: u64,
    /// Number and arguments.
    pub raw: Raw,
    /// How it came back.
    pub outcome: Outcome,
    /// The time stamp counter before the call.
    pub start: u64,
    /// The time stamp counter after it.
    pub end: u64,
    /// The inode of the socket that it made, 0 where it made none.
    pub inode: u64,
    pieces: &'a [u8],
}

/// The largest errno that a result can hold (MAX_ERRNO of linux/err.h).
const MAX_ERRNO: i64 = 4095;

/// What the result of a call says.
pub fn outcome(value: i64) -> Outcome {
    match (-MAX_ERRNO..0).contains(&value) {
        true => Outcome::Error(-value as i32),
        false => Outcome::Value(value),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*bytes))
}

impl<'a> Record<'a> {
    /// Reads a whole record, as long as its size says; nothing where it is too short.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let field = |at| word(bytes, at);
        let mut args = [0; 6];
        for (index, arg) in args.iter_mut().enumerate() {
            *arg = field(record::ARGS + index * 8)?;
        }
        Some(Self {
            slot: field(record::SLOT)?,
            raw: Raw {
                number: field(record::NUMBER)?,
                args,
            },
            outcome: outcome(field(record::VALUE)? as i64),
            start: field(record::START)?,
            end: field(record::END)?,
            inode: field(record::INODE)?,
            pieces: bytes.get(record::PIECES..)?,
        })
    }

    /// What stood behind the call's pointers before it.
    pub fn before(&self) -> Pieces<'a> {
        Pieces {
            bytes: self.pieces,
            before: true,
        }
    }

    /// What stood there when it came back.
    pub fn after(&self) -> Pieces<'a> {
        Pieces {
            bytes: self.pieces,
            before: false,
        }
    }
}

/// The pieces of the program's memory that a record holds.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a> {
    bytes: &'a [u8],
    before: bool,
}

impl<'a> Pieces<'a> {
    /// Those of one moment in `bytes`.
    pub fn of(bytes: &'a [u8], before: bool) -> Self {
        Self { bytes, before }
    }

    /// Address and bytes of each.
    fn each(self) -> impl Iterator<Item = (u64, &'a [u8])> {
        let mut rest = self.bytes;
        let pieces = std::iter::from_fn(move || {
            let (address, len) = (word(rest, 0)?, word(rest, 8)?);
            let bytes = rest.get(16..)?;
            let len_here = usize::try_from(len & !IS_BEFORE).ok()?;
            let piece = bytes.get(..len_here)?;
            rest = bytes
                .get(len_here.checked_next_multiple_of(8)?..)
                .unwrap_or(&[]);
            Some((address, len & IS_BEFORE != 0, piece))
        });
        pieces.filter_map(move |(address, before, piece)| {
            (before == self.before).then_some((address, piece))
        })
    }
}

impl Memory for Pieces<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        // Buffers of a vector may begin at one address; the longest has all of it.
        let found = self.each().filter_map(|(start, piece)| {
            let from = usize::try_from(address.checked_sub(start)?).ok()?;
            piece.get(from..)
        });
        let found = found.max_by_key(|rest| rest.len()).unwrap_or(&[]);
        let len = found.len().min(buffer.len());
        buffer[..len].copy_from_slice(&found[..len]);
        len
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_pieces(pieces: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; record::PIECES];
        for (address, len, piece) in pieces {
            bytes.extend(address.to_ne_bytes());
            bytes.extend(len.to_ne_bytes());
            bytes.extend(*piece);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    #[test]
    fn pieces_are_memory_before_and_after_the_call() {
        let bytes = with_pieces(&[
            (100, IS_BEFORE | 4, &[16, 0, 0, 0]),
            (100, 4, &[9, 0, 0, 0]),
            (200, 11, b"hello world"),
        ]);
        let record = Record::read(&bytes).expect("a record");
        let mut four = [0; 4];
        assert_eq!(record.before().read(100, &mut four), 4);
        assert_eq!(four, [16, 0, 0, 0]);
        assert_eq!(record.after().read(100, &mut four), 4);
        assert_eq!(four, [9, 0, 0, 0]);
        let mut long = [0; 20];
        assert_eq!(record.after().read(206, &mut long), 5);
        assert_eq!(&long[..5], b"world");
        assert_eq!(record.after().read(211, &mut long), 0);
        assert_eq!(record.after().read(199, &mut long), 0);
        assert_eq!(record.before().read(200, &mut long), 0);
    }

    #[test]
    fn results_are_errors_where_the_kernel_means_so() {
        assert_eq!(outcome(-9), Outcome::Error(libc::EBADF));
        assert_eq!(outcome(-4095), Outcome::Error(4095));
        assert_eq!(outcome(-4096), Outcome::Value(-4096));
        assert_eq!(outcome(0), Outcome::Value(0));
    }

    proptest! {
        #[test]
        fn whatever_the_program_writes_is_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..600), address: u64, len in 0usize..100) {
            if let Some(record) = Record::read(&bytes) {
                let mut buffer = vec![0; len];
                prop_assert!(record.after().read(address, &mut buffer) <= len);
                prop_assert!(record.before().each().count() <= bytes.len() / 16);
            }
        }
    }
}
