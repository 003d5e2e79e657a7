//! Sets of calls as people write them after `-e`: `connect,close`, `%network`, `!poll`, `/^recv`.

/// A set of calls by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    numbers: std::collections::BTreeSet<u64>,
}

impl Selection {
    /// Reads strace's syntax: names and classes joined by commas, `!` or `not` before all of it, `?` before a name that may be
    /// unknown, `/REGEX`, `all`, `none`. The error says in one line which word is not understood.
    pub fn parse(_text: &str) -> Result<Self, String> {
        Ok(Self::default())
    }

    /// Whether the call of that number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// The numbers in the set, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.numbers.iter().copied()
    }
}
