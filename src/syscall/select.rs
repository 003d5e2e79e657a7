//! Sets of calls as people write them after `-e`: `connect,close`, `%network`, `!poll`, `/^recv`.

use std::collections::BTreeSet;

use syscalls::Sysno;

use super::table::class;
use super::{Role, Row, row, rows};

/// A set of calls by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    numbers: BTreeSet<u64>,
    negated: bool,
}

/// strace's classes that calls of ours are in.
const CLASSES: &[(&str, u8)] = &[
    ("network", class::NETWORK),
    ("net", class::NETWORK),
    ("desc", class::DESC),
    ("file", class::FILE),
    ("process", class::PROCESS),
    ("signal", class::SIGNAL),
    ("memory", class::MEMORY),
];

/// strace's classes that none of our calls is in.
const OTHER_CLASSES: &[&str] = &[
    "ipc", "creds", "clock", "stat", "lstat", "fstat", "statfs", "fstatfs", "pure", "%stat",
    "%lstat", "%fstat", "%statfs", "%fstatfs",
];

/// Names of the C library's functions that are another call in the kernel of this architecture.
const ALIASES: &[(&str, Sysno)] = &[
    ("send", Sysno::sendto),
    ("recv", Sysno::recvfrom),
    ("pread", Sysno::pread64),
    ("pwrite", Sysno::pwrite64),
    ("pselect", Sysno::pselect6),
    ("sendfile64", Sysno::sendfile),
];

impl Selection {
    /// Reads strace's syntax: names and classes joined by commas, `!` or `not` before all of it, `?` before a name that may be
    /// unknown, `/REGEX`, `all`, `none`. The error says in one line which word is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (negated, words) = match text.strip_prefix('!').or_else(|| text.strip_prefix("not ")) {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        if words.is_empty() {
            return Err("no call is named: write for example connect,close or %network".to_owned());
        }
        let mut numbers = BTreeSet::new();
        for word in words.split(',').map(str::trim) {
            add(word, &mut numbers)?;
        }
        if negated {
            // What is left out of everything: what the engine alone needs was never in it.
            let others = rows()
                .iter()
                .filter(|row| row.role != Role::Engine)
                .map(number);
            numbers = others.filter(|number| !numbers.contains(number)).collect();
        }
        Ok(Self { numbers, negated })
    }

    /// Whether the call of that number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// The numbers in the set, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.numbers.iter().copied()
    }

    /// Whether it was written with `!`: such a set leaves calls out, and names none.
    pub fn is_negated(&self) -> bool {
        self.negated
    }
}

/// Adds the calls that one word means.
fn add(word: &str, numbers: &mut BTreeSet<u64>) -> Result<(), String> {
    let (optional, name) = match word.strip_prefix('?') {
        Some(name) => (true, name),
        None => (false, word),
    };
    match calls(name) {
        Ok(found) => numbers.extend(found),
        Err(_) if optional => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The calls that a name, a class or an expression means.
fn calls(name: &str) -> Result<Vec<u64>, String> {
    if let Some(pattern) = name.strip_prefix('/') {
        return matching(pattern);
    }
    if let Some(class) = name.strip_prefix('%') {
        return of_class(class);
    }
    match name {
        "" => Err("a name is missing beside a comma: write for example connect,close".to_owned()),
        "all" => Ok(rows().iter().map(number).collect()),
        "none" => Ok(Vec::new()),
        // The classes that strace also takes without a percent sign.
        "network" | "desc" | "file" | "process" | "signal" | "memory" | "ipc" => of_class(name),
        _ => named(name).map(|number| vec![number]),
    }
}

/// The calls of one of strace's classes.
fn of_class(class: &str) -> Result<Vec<u64>, String> {
    if let Some((_, bit)) = CLASSES.iter().find(|(name, _)| *name == class) {
        return Ok(rows()
            .iter()
            .filter(|row| row.classes & bit != 0)
            .map(number)
            .collect());
    }
    if OTHER_CLASSES.contains(&class) {
        return Err(foreign(&format!("%{class}")));
    }
    Err(format!(
        "%{class} is no class of calls: there are %network, %desc, %file, %process, %signal and %memory"
    ))
}

/// The calls whose names match a regular expression anywhere.
fn matching(pattern: &str) -> Result<Vec<u64>, String> {
    let regex = regex_lite::Regex::new(pattern).map_err(|error| {
        format!(
            "/{pattern} is no regular expression: {}",
            error.to_string().replace('\n', " ")
        )
    })?;
    let found: Vec<_> = rows()
        .iter()
        .filter(|row| regex.is_match(row.name()))
        .map(number)
        .collect();
    match found.is_empty() {
        true => Err(format!("no call that sockstrace shows matches /{pattern}")),
        false => Ok(found),
    }
}

/// The call of that name or number. `@64` says what is true of all calls here.
fn named(name: &str) -> Result<u64, String> {
    let plain = name.strip_suffix("@64").unwrap_or(name);
    let known = match plain.parse::<u64>() {
        Ok(number) => usize::try_from(number).ok().and_then(Sysno::new),
        Err(_) => {
            let alias = ALIASES
                .iter()
                .find(|(alias, _)| *alias == plain)
                .map(|(_, sysno)| *sysno);
            alias.or_else(|| plain.parse().ok())
        }
    };
    match known {
        Some(sysno) if row(sysno as u64).is_some() => Ok(sysno as u64),
        Some(sysno) => Err(foreign(sysno.name())),
        None => Err(match nearest(plain) {
            Some(near) => format!("{name} is no system call: did you mean {near}?"),
            None => format!("{name} is no system call: see syscalls(2) for their names"),
        }),
    }
}

/// What to say of a call, or of a class, that we have nothing of.
fn foreign(name: &str) -> String {
    format!("{name}: sockstrace shows socket and descriptor calls; strace -e {name} shows this")
}

/// The known name that is nearest to a misspelt one, ours before others.
fn nearest(name: &str) -> Option<&'static str> {
    let ours = rows()
        .iter()
        .map(Row::name)
        .chain(ALIASES.iter().map(|(alias, _)| *alias));
    let known = ours.chain(Sysno::iter().map(|sysno| sysno.name()));
    let near = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, known)| *distance <= known.len() / 3)
        .map(|(_, known)| known)
}

fn number(row: &Row) -> u64 {
    row.number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let selection = Selection::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        selection
            .numbers()
            .map(|number| row(number).expect("a row").name())
            .collect()
    }

    #[test]
    fn names_numbers_and_expressions() {
        assert_eq!(names("close,connect"), ["close", "connect"]);
        assert_eq!(names(" connect , close "), ["close", "connect"]);
        assert_eq!(names("42"), ["connect"]);
        assert_eq!(names("connect@64"), ["connect"]);
        assert_eq!(names("send,recv"), ["sendto", "recvfrom"]);
        assert_eq!(names("?connect,?nosuchcall"), ["connect"]);
        assert_eq!(names("none"), [""; 0]);
        assert_eq!(names("/^recv"), ["recvfrom", "recvmsg", "recvmmsg"]);
        assert_eq!(names("all").len(), rows().len());
    }

    #[test]
    fn a_leading_mark_turns_the_whole_list() {
        let left = Selection::parse("!poll,/^epoll").expect("a set");
        assert!(left.is_negated());
        assert!(left.contains(Sysno::connect as u64));
        assert!(!left.contains(Sysno::poll as u64) && !left.contains(Sysno::epoll_wait as u64));
        assert!(
            !left.contains(Sysno::execve as u64),
            "what only the engine needs stays out"
        );
        assert_eq!(left, Selection::parse("not poll,/^epoll").expect("a set"));
    }

    /// The members are those that strace 6.1 shows for `-e trace=%class`, found by running every call of ours under it.
    #[test]
    fn classes_are_those_of_strace() {
        let mut network = names("%network");
        network.sort_unstable();
        let expected = "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendfile \
                        sendmmsg sendmsg sendto setsockopt shutdown socket socketpair";
        assert_eq!(network, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(names("%net"), names("network"));
        let mut process = names("%process");
        process.sort_unstable();
        assert_eq!(
            process,
            ["clone", "clone3", "execve", "execveat", "fork", "vfork"]
        );
        assert_eq!(
            names("%file"),
            ["open", "execve", "creat", "openat", "execveat", "openat2"]
        );
        assert_eq!(
            names("%signal"),
            ["signalfd", "signalfd4", "io_uring_enter"]
        );
        assert_eq!(names("%memory"), ["io_uring_register"]);
        let desc = names("%desc");
        assert!(
            ["read", "close", "poll", "epoll_ctl", "openat", "sendfile"]
                .iter()
                .all(|name| desc.contains(name))
        );
        assert!(
            ["socket", "connect", "sendto", "clone"]
                .iter()
                .all(|name| !desc.contains(name))
        );
    }

    #[test]
    fn errors_say_which_word_and_what_instead() {
        let error = |text| Selection::parse(text).expect_err(text);
        assert_eq!(
            error("conect"),
            "conect is no system call: did you mean connect?"
        );
        assert_eq!(
            error("close,recvfrm"),
            "recvfrm is no system call: did you mean recvfrom?"
        );
        assert_eq!(
            error("getpid"),
            "getpid: sockstrace shows socket and descriptor calls; strace -e getpid shows this"
        );
        assert_eq!(
            error("39"),
            "getpid: sockstrace shows socket and descriptor calls; strace -e getpid shows this"
        );
        assert_eq!(
            error("%ipc"),
            "%ipc: sockstrace shows socket and descriptor calls; strace -e %ipc shows this"
        );
        assert!(error("%sockets").contains("%network"));
        assert!(error("xyzzyxyzzy").contains("syscalls(2)"));
        assert!(error("99999").contains("99999"));
        for bad in ["", "!", "connect,", "/[", "/nothing_like_it"] {
            let error = error(bad);
            assert!(!error.contains('\n') && !error.is_empty(), "{bad}: {error}");
        }
    }
}
