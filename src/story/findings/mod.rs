//! Findings: what a person should look at, with the calls that prove it. Each file has the rules of one theme.
//!
//! A rule sees what is told, in its order, and remembers little: what it finds is added to [`Found`], which tells each finding once.

mod connecting;
mod lifetime;
mod misuse;
mod naming;
mod safety;
mod traffic;

use rustc_hash::FxHashMap;

use super::{Told, What};
use crate::syscall::SockAddr;
use crate::tracer::event::Nanos;

/// How many findings are remembered.
const FINDINGS: usize = 512;
/// How many calls prove one.
const EVIDENCE: usize = 8;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It costs something, or will.
    Warning,
    /// Something did not work.
    Error,
}

impl Severity {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What can be found.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, which stays.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters, and what to try.
    pub advice: &'static str,
}

/// Something found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: &'static Kind,
    /// What was seen, in a sentence. Names in it are the tracee's or its peer's: not safe to print.
    pub seen: String,
    /// The calls that prove it, by their numbers; the first few.
    pub calls: Vec<u64>,
    /// The conversation, where it is about one.
    pub conversation: Option<i64>,
    /// The process.
    pub pid: Option<i32>,
    /// When it was found.
    pub time: Nanos,
    /// How often it was.
    pub count: u64,
    /// Whether what was seen has been said anew since it was found first.
    pub revised: bool,
}

/// Everything that can be found.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    let themes = [
        connecting::KINDS,
        naming::KINDS,
        lifetime::KINDS,
        traffic::KINDS,
        misuse::KINDS,
        safety::KINDS,
    ];
    themes.into_iter().flatten().copied()
}

/// All rules, with what they have found.
#[derive(Debug, Default)]
pub struct Findings {
    connecting: connecting::Connecting,
    lifetime: lifetime::Lifetime,
    misuse: misuse::Misuse,
    naming: naming::Naming,
    safety: safety::Safety,
    traffic: traffic::Traffic,
    found: Found,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found {
    all: Vec<Finding>,
    known: FxHashMap<(&'static str, String), usize>,
    /// How many were told.
    told: usize,
}

impl Findings {
    /// Takes in what is told; gives what is found by that for the first time.
    pub fn see(&mut self, told: &Told) -> &[Finding] {
        let found = &mut self.found;
        self.connecting.see(told, found);
        self.lifetime.see(told, found);
        self.misuse.see(told, found);
        self.naming.see(told, found);
        self.safety.see(told, found);
        self.traffic.see(told, found);
        let before = found.told;
        found.told = found.all.len();
        &found.all[before..]
    }

    /// All that was found, the gravest first.
    pub fn all(&self) -> Vec<Finding> {
        let mut all = self.found.all.clone();
        all.sort_by_key(|it| (std::cmp::Reverse(it.kind.severity), it.time));
        all
    }
}

impl Found {
    /// Adds what was found about that key; the same about the same key only counts.
    fn add(
        &mut self,
        kind: &'static Kind,
        key: impl Into<String>,
        told: &Told,
        seen: impl FnOnce() -> String,
    ) {
        let key = (kind.name, key.into());
        if let Some(at) = self.known.get(&key) {
            let finding = &mut self.all[*at];
            finding.count += 1;
            if finding.calls.len() < EVIDENCE {
                finding.calls.extend(told.call);
            }
            return;
        }
        self.insert(kind, key, told, seen());
    }

    /// What was found about that key turned out otherwise.
    fn correct(
        &mut self,
        kind: &'static Kind,
        key: impl Into<String>,
        seen: impl FnOnce() -> String,
    ) {
        if let Some(at) = self.known.get(&(kind.name, key.into())) {
            let finding = &mut self.all[*at];
            (finding.seen, finding.revised) = (seen(), true);
        }
    }

    /// The same of what is found over a while: the latest sentence counts.
    fn revise(&mut self, kind: &'static Kind, key: impl Into<String>, told: &Told, seen: String) {
        let key = (kind.name, key.into());
        match self.known.get(&key) {
            Some(at) => {
                let finding = &mut self.all[*at];
                (finding.seen, finding.revised) = (seen, true);
            }
            None => self.insert(kind, key, told, seen),
        }
    }

    fn insert(
        &mut self,
        kind: &'static Kind,
        key: (&'static str, String),
        told: &Told,
        seen: String,
    ) {
        if self.all.len() >= FINDINGS {
            return;
        }
        self.known.insert(key, self.all.len());
        let conversation = told.conversation.as_ref().map(|it| it.number);
        self.all.push(Finding {
            kind,
            seen,
            calls: told.call.into_iter().collect(),
            conversation: conversation.filter(|it| *it != 0),
            pid: told.who.as_ref().map(|who| who.pid),
            time: match &told.what {
                What::Call(event) => event.end,
                _ => told.time,
            },
            count: 1,
            revised: false,
        });
    }

    /// Adds the calls that prove the latest finding.
    fn prove(&mut self, calls: &[u64]) {
        if let Some(finding) = self.all.last_mut() {
            finding.calls = calls.iter().copied().take(EVIDENCE).collect();
        }
    }
}

/// An address as a sentence has it.
fn place(address: &SockAddr) -> String {
    match address {
        SockAddr::Inet { ip, port } => format!("{ip}:{port}"),
        SockAddr::Inet6 { ip, port, .. } => format!("[{ip}]:{port}"),
        SockAddr::UnixPath(path) => String::from_utf8_lossy(path).into_owned(),
        SockAddr::UnixAbstract(name) => format!("@{}", String::from_utf8_lossy(name)),
        SockAddr::UnixUnnamed => "an unnamed socket".into(),
        _ => "its peer".into(),
    }
}

/// The peer of what is told, as a sentence has it: with its name where that is known.
fn peer(told: &Told) -> String {
    let Some(conversation) = &told.conversation else {
        return "its peer".into();
    };
    let mut text = conversation
        .peer
        .as_ref()
        .map_or_else(|| "its peer".to_owned(), place);
    if let Some(name) = &conversation.name {
        text.push_str(" (");
        text.push_str(&name.text);
        text.push(')');
    }
    text
}

/// A duration as a sentence has it.
fn span(took: Nanos) -> String {
    match took {
        0..1_000_000 => format!("{} µs", took / 1000),
        1_000_000..10_000_000_000 if took < 1_000_000_000 => format!("{:.1} ms", took as f64 / 1e6),
        _ => format!("{:.1} s", took as f64 / 1e9),
    }
}
