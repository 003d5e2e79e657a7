//! Named constants: what a table of them is, and where the tables lie.

pub mod file;
pub mod interface;
pub mod poll;
pub mod process;
pub mod socket;

/// A family of constants: each name with its value, and the prefix that an unknown one is commented with.
#[derive(Debug)]
pub struct Names {
    /// What an unknown value is called: `AF_???` as strace has it.
    pub prefix: &'static str,
    /// Value and name, one row a fact. In a table of flags, a value of several bits stands before its single bits.
    pub rows: &'static [(u64, &'static str)],
    /// In a table of flags: the bits that together hold one value, as SOCK_STREAM in socket(2) and O_RDONLY in open(2). Their
    /// rows are among `rows`, 0 included where it has a name.
    pub mask: u64,
}

impl Names {
    /// A table of values, or of flags that are one bit or a union of bits each.
    pub const fn new(prefix: &'static str, rows: &'static [(u64, &'static str)]) -> Self {
        Self {
            prefix,
            rows,
            mask: 0,
        }
    }

    /// A table of flags beside a value that lies in the bits of `mask`.
    pub const fn masked(
        prefix: &'static str,
        mask: u64,
        rows: &'static [(u64, &'static str)],
    ) -> Self {
        Self { prefix, rows, mask }
    }

    /// The name of exactly this value.
    pub fn get(&self, value: u64) -> Option<&'static str> {
        self.rows
            .iter()
            .find(|(number, _)| *number == value)
            .map(|(_, name)| *name)
    }

    /// The value of that name.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.rows
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(number, _)| *number)
    }

    /// The names that make up a value of flags, to be joined by `|`, and the bits that have none. Both empty: no flag is set and 0
    /// has no name.
    pub fn flags(&self, value: u64) -> (Vec<&'static str>, u64) {
        let mut names = Vec::new();
        let rest = self.each_flag(value, |name| names.push(name));
        (names, rest)
    }

    /// The same name by name; returns the bits that have none.
    pub fn each_flag(&self, value: u64, mut found: impl FnMut(&'static str)) -> u64 {
        let mut rest = value;
        let mut any = false;
        if self.mask != 0
            && let Some(name) = self.get(value & self.mask)
        {
            found(name);
            any = true;
            rest &= !self.mask;
        }
        for (bits, name) in self.rows {
            if rest == 0 {
                break;
            }
            if *bits & self.mask == 0 && *bits != 0 && rest & bits == *bits {
                found(name);
                any = true;
                rest &= !bits;
            }
        }
        if value == 0 && !any {
            self.get(0).into_iter().for_each(found);
        }
        rest
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

#[cfg(test)]
mod tests {
    use super::{file, process, socket};

    #[test]
    fn flags_beside_a_value_are_taken_apart() {
        let type_of = |value| socket::TYPE.flags(value);
        assert_eq!(
            type_of(0o2000005),
            (vec!["SOCK_SEQPACKET", "SOCK_CLOEXEC"], 0)
        );
        assert_eq!(type_of(7), (vec![], 7));
        assert_eq!(
            file::OPEN.flags(0o2000000),
            (vec!["O_RDONLY", "O_CLOEXEC"], 0)
        );
        assert_eq!(
            file::OPEN.flags(0o2 | 0o4010000),
            (vec!["O_RDWR", "O_SYNC"], 0)
        );
        assert_eq!(socket::MESSAGE.flags(0), (vec![], 0));
        assert_eq!(
            socket::MESSAGE.flags(0x4000 | 0x10_0000),
            (vec!["MSG_NOSIGNAL"], 0x10_0000)
        );
        assert_eq!(
            process::CLONE.flags(0x0120_0011),
            (
                vec!["SIGCHLD", "CLONE_CHILD_CLEARTID", "CLONE_CHILD_SETTID"],
                0
            )
        );
    }
}
