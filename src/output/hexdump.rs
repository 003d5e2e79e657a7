//! Data byte by byte, as strace's `-e read=` and `-e write=` dump it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::syscall::Data;

/// A set of descriptors, as strace's `-e read=3,5`, `all`, `!2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Descriptors {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Only(BTreeSet<i32>),
    /// All but these.
    AllBut(BTreeSet<i32>),
}

impl Descriptors {
    /// Whether a descriptor is among them.
    pub fn contains(&self, fd: i32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(set) => set.contains(&fd),
            Self::AllBut(set) => !set.contains(&fd),
        }
    }
}

/// The lines of a dump; each buffer of several has a line of its own before it, and what was not read is counted.
pub fn dump(payload: &[&Data]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, data) in payload.iter().enumerate() {
        if payload.len() > 1 {
            lines.push(format!(" * {} bytes in buffer {number}", data.len));
        }
        for (at, chunk) in data.bytes.chunks(16).enumerate() {
            lines.push(line(at * 16, chunk));
        }
        let missing = data.len.saturating_sub(data.bytes.len() as u64);
        if missing > 0 && !data.bytes.is_empty() {
            lines.push(format!(" | {missing} more bytes not read (-s reads more)"));
        }
    }
    lines
}

/// ` | 00010  77 20 61 72 65 20 79 6f  75                       w are you        |`
fn line(at: usize, chunk: &[u8]) -> String {
    let mut line = format!(" | {at:05x} ");
    for column in 0..16 {
        if column % 8 == 0 {
            line.push(' ');
        }
        match chunk.get(column) {
            Some(byte) => write!(line, "{byte:02x} ").expect("a String takes all"),
            None => line.push_str("   "),
        }
    }
    line.push(' ');
    line.extend((0..16).map(|column| match chunk.get(column) {
        Some(byte @ b' '..=b'~') => *byte as char,
        Some(_) => '.',
        None => ' ',
    }));
    line + " |"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_as_strace_does() {
        let bytes = b"hello worl\x01d, how are you".to_vec();
        let data = Data {
            len: bytes.len() as u64,
            bytes,
        };
        assert_eq!(
            dump(&[&data]),
            [
                " | 00000  68 65 6c 6c 6f 20 77 6f  72 6c 01 64 2c 20 68 6f  hello worl.d, ho |",
                " | 00010  77 20 61 72 65 20 79 6f  75                       w are you        |",
            ]
        );
        let cut = Data {
            bytes: vec![0],
            len: 3,
        };
        assert_eq!(
            dump(&[&cut, &cut])[..3],
            [
                " * 3 bytes in buffer 0",
                " | 00000  00                                                .                |",
                " | 2 more bytes not read (-s reads more)",
            ]
        );
    }

    #[test]
    fn sets() {
        let two = BTreeSet::from([2]);
        assert!(Descriptors::All.contains(2) && !Descriptors::None.contains(2));
        assert!(
            Descriptors::Only(two.clone()).contains(2)
                && !Descriptors::Only(two.clone()).contains(3)
        );
        assert!(
            !Descriptors::AllBut(two.clone()).contains(2) && Descriptors::AllBut(two).contains(3)
        );
    }
}
