//! A set of words as strace writes one: `exit,attach`, `!failed`, `all`, `none`.

/// The members that were named, or all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    named: Vec<T>,
    inverted: bool,
}

impl<T: PartialEq> Set<T> {
    /// Everything.
    pub const fn all() -> Self {
        Self {
            named: Vec::new(),
            inverted: true,
        }
    }

    /// Nothing.
    pub const fn none() -> Self {
        Self {
            named: Vec::new(),
            inverted: false,
        }
    }

    /// These, and nothing else.
    pub fn of(named: Vec<T>) -> Self {
        Self {
            named,
            inverted: false,
        }
    }

    /// Whether this one belongs to the set.
    pub fn contains(&self, member: &T) -> bool {
        self.named.contains(member) != self.inverted
    }

    /// The members that were named; and whether the set is all others instead.
    pub fn parts(&self) -> (&[T], bool) {
        (&self.named, self.inverted)
    }

    /// Whether nothing belongs to it.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && !self.inverted
    }

    /// Reads `text`; `what` is what a member is called in an error, `member` knows the words.
    pub(super) fn parse(
        text: &str,
        what: &str,
        member: impl Fn(&str) -> Option<T>,
    ) -> Result<Self, String> {
        let words = text.trim_start_matches('!');
        let mut inverted = (text.len() - words.len()) % 2 == 1;
        let named = match words {
            "none" => Vec::new(),
            "all" => {
                inverted = !inverted;
                Vec::new()
            }
            _ => words
                .split(',')
                .map(|word| member(word).ok_or_else(|| format!("invalid {what} '{word}'")))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { named, inverted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Set<u8>, String> {
        Set::parse(text, "number", |word| word.parse().ok())
    }

    #[test]
    fn names_members() {
        let set = parse("3,5").unwrap();
        assert!(set.contains(&3) && set.contains(&5) && !set.contains(&4));
    }

    #[test]
    fn an_exclamation_mark_inverts() {
        let set = parse("!3,5").unwrap();
        assert!(!set.contains(&3) && !set.contains(&5) && set.contains(&4));
        assert_eq!(parse("!all"), Ok(Set::none()));
        assert_eq!(parse("!none"), Ok(Set::all()));
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert_eq!(parse("3,x"), Err("invalid number 'x'".into()));
        assert_eq!(parse(""), Err("invalid number ''".into()));
        assert_eq!(parse("3,,5"), Err("invalid number ''".into()));
    }
}
