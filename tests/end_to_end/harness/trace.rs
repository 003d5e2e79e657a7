//! Reads a trace as text, ours or strace's: which calls, on what, with which result.

use std::fmt;
use std::path::Path;

/// A trace.
pub struct Trace {
    /// All of it.
    pub text: String,
    /// Its calls in the order of their ends.
    pub calls: Vec<Call>,
    /// Calls that were shown while they had no result yet: they stand among `calls` too, once they are over.
    pub waiting: Vec<Call>,
}

/// One line that shows a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The process, where the line names it.
    pub pid: Option<i32>,
    /// The thread, where the line names it; of a process's first thread, the process.
    pub thread: Option<i32>,
    /// The conversation's number (`#1`), where the line has one.
    pub number: Option<u32>,
    /// The call's name.
    pub name: String,
    /// What stands between its parentheses.
    pub arguments: String,
    /// The result: "5", "-1 EAGAIN"; empty while the call has none.
    pub result: String,
    /// What follows the result: the meaning, times, folded calls.
    pub meaning: String,
    /// The whole line.
    pub line: String,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

impl Trace {
    /// Reads the file of `-o`.
    pub fn read(file: &Path) -> std::io::Result<Self> {
        Ok(Self::parse(&String::from_utf8_lossy(&std::fs::read(file)?)))
    }

    /// Reads text.
    pub fn parse(text: &str) -> Self {
        let (mut waiting, mut calls) = (Vec::new(), Vec::new());
        for line in text.lines() {
            match call(line) {
                Some(call) if call.result.is_empty() => waiting.push(call),
                Some(call) => calls.push(call),
                None => calls.extend(resumed(line, &waiting)),
            }
        }
        Self {
            text: text.to_owned(),
            calls,
            waiting,
        }
    }

    /// The calls of one name.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Call> + use<'a> {
        let name = name.to_owned();
        self.calls.iter().filter(move |call| call.name == name)
    }

    /// The first call of that name whose arguments hold this text; the test fails without one.
    #[track_caller]
    pub fn find(&self, name: &str, text: &str) -> &Call {
        self.named(name)
            .find(|call| call.arguments.contains(text))
            .unwrap_or_else(|| panic!("no {name} with {text:?} in this trace:{self}"))
    }

    /// Fails the test unless the text is in the trace.
    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "no {text:?} in this trace:{self}");
        self
    }

    /// Fails the test if the text is in the trace.
    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} in this trace:{self}");
        self
    }
}

impl Call {
    /// The first number among its arguments: the descriptor of most calls.
    pub fn descriptor(&self) -> Option<i32> {
        self.arguments.split([',', ' ', '<']).next()?.parse().ok()
    }

    /// The result as a number.
    pub fn value(&self) -> Option<i64> {
        self.result.split(' ').next()?.parse().ok()
    }
}

/// The call on a line, if there is one: a name, parentheses that close again outside of quotes, a result.
fn call(line: &str) -> Option<Call> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let open = line
        .char_indices()
        .find(|&(at, c)| c == '(' && line[..at].ends_with(is_name))?
        .0;
    let name = &line[line[..open].rfind(|c| !is_name(c)).map_or(0, |at| at + 1)..open];
    let (arguments, rest) = match closing(&line[open + 1..]) {
        Some(close) => (&line[open + 1..open + 1 + close], &line[open + 2 + close..]),
        None => (&line[open + 1..], ""),
    };
    let rest = rest.trim_start();
    let (result, meaning) = match rest.strip_prefix("= ") {
        Some(rest) => outcome(rest),
        None => ("", rest),
    };
    let before = &line[..open];
    let (pid, thread) = who(before).unzip();
    Some(Call {
        pid,
        thread,
        number: before
            .split_whitespace()
            .find_map(|word| word.strip_prefix('#')?.parse().ok()),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        result: result.to_owned(),
        meaning: meaning.trim().to_owned(),
        line: line.to_owned(),
    })
}

/// The result, and what follows it. An error's name belongs to the result, its text in parentheses (strace) or after two spaces
/// (ours) does not.
fn outcome(rest: &str) -> (&str, &str) {
    let mut end = rest.find(' ').unwrap_or(rest.len());
    if rest.starts_with("-1 E") || rest.starts_with("? E") {
        end += 1 + rest[end + 1..].find(' ').unwrap_or(rest.len() - end - 1);
    }
    rest.split_at(end)
}

/// `⤷ = 5`, `⤷ connected …`: the end of a call whose line, the last one of its thread, showed it waiting.
fn resumed(line: &str, waiting: &[Call]) -> Option<Call> {
    let (before, rest) = line.split_once("⤷ ")?;
    let thread = who(before).map(|(_, thread)| thread);
    let begun = waiting.iter().rev().find(|call| call.thread == thread)?;
    let (result, meaning) = match rest.strip_prefix("= ") {
        Some(rest) => outcome(rest),
        None if rest.starts_with("connected ") && begun.name == "connect" => ("0", ""),
        None => return None,
    };
    Some(Call {
        result: result.to_owned(),
        meaning: meaning.trim().to_owned(),
        line: line.to_owned(),
        ..begun.clone()
    })
}

/// The process and thread: `curl[4121]` or `curl[4121:4125]` in our lines, a number at the start in strace's.
fn who(before: &str) -> Option<(i32, i32)> {
    if let Some((first, _)) = before.split_once(' ')
        && let Ok(pid) = first.parse()
    {
        return Some((pid, pid));
    }
    let end = before.find("] ")?;
    let inside = &before[before[..end].rfind('[')? + 1..end];
    let (pid, thread) = inside.split_once(':').unwrap_or((inside, inside));
    Some((pid.parse().ok()?, thread.parse().ok()?))
}

/// Where the parenthesis that is open at the start of the text closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[test]
fn lines_of_both_tracers_are_read() {
    let text = "  4.5ms  #1 connect  connect(5, 93.184.216.34:80 example.com) = -1 EINPROGRESS        the handshake goes on (without us)\n\
                nginx[71]      3.8s   #2 close    close(3) = 0     238 B out\n\
                4121  write(4, \")\\\") = 7\"..., 64) = 64\n\
                  1.1ms     resolve  example.com A, AAAA\n\
                nginx[71:73]   3.9s   #2 send     write(3, \"a\", 1) …  waits for room\n\
                nginx[71:73]   4.0s   #2 send     ⤷ = 1  0.1s\n";
    let trace = Trace::parse(text);
    let told: Vec<_> = trace
        .calls
        .iter()
        .map(|call| {
            (
                call.pid,
                call.number,
                call.name.as_str(),
                call.result.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, Some(1), "connect", "-1 EINPROGRESS"),
            (Some(71), Some(2), "close", "0"),
            (Some(4121), None, "write", "64"),
            (Some(71), Some(2), "write", "1"),
        ]
    );
    let threads: Vec<_> = trace.calls.iter().map(|call| call.thread).collect();
    assert_eq!(threads, [None, Some(71), Some(4121), Some(73)]);
    assert_eq!(trace.calls[0].meaning, "the handshake goes on (without us)");
    assert_eq!(trace.calls[0].descriptor(), Some(5));
}
