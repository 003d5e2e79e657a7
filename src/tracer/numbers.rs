//! Maps by the kernel's small numbers (threads, processes, inodes), which are looked up several times a call: hashed by one
//! multiplication. The kernel gives them out, so no program can choose them to collide.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by numbers of the kernel's.
pub type ByNumber<N, T> = HashMap<N, T, BuildHasherDefault<Multiply>>;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Multiply(u64);

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(number as u32 as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number nearest to 2^64 divided by the golden ratio (Knuth's multiplicative hashing).
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn numbers_in_a_row_fall_apart() {
        let hasher = BuildHasherDefault::<Multiply>::default();
        // A map takes its place from the low bits, and the highest seven tell apart what shares one.
        let low: HashSet<u64> = (0..4096i32).map(|n| hasher.hash_one(n) % 4096).collect();
        let high: HashSet<u64> = (0..4096i32).map(|n| hasher.hash_one(n) >> 57).collect();
        assert!(low.len() > 2000, "{}", low.len());
        assert_eq!(high.len(), 128);
    }
}
