//! Tables of named constants.

/// A family of constants: each name with its value, and the prefix that an unknown one is commented with.
#[derive(Debug)]
pub struct Names {
    /// What an unknown value is called: `AF_???` as strace has it.
    pub prefix: &'static str,
    /// Value and name, one row a fact. In a table of flags, a value of several bits stands before its single bits.
    pub rows: &'static [(u64, &'static str)],
}

impl Names {
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
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
