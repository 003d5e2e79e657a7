//! Findings as text: errors where they happen, and at the end what is worth a look.

use std::io::{self, Write};

use super::Output;
use super::escape::Escape;
use super::layout::{Layout, Paint, Spans, columns};
use super::settings::Settings;
use crate::story::{Finding, Severity, Told, What};
use crate::tracer::event::Nanos;

/// How many are shown at the end, unless all are wished for.
const SHOWN: usize = 5;
/// What was shown so many lines before the end is still on the screen.
const ON_SCREEN: u64 = 20;
/// How many calls are named as evidence.
const EVIDENCE: usize = 4;

/// Which findings are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Errors only.
    Errors,
    /// Errors and warnings, a few at the end.
    #[default]
    Usual,
    /// All, notes too.
    All,
}

/// Writes findings.
pub struct Findings<W: Write> {
    out: W,
    escape: Escape,
    layout: Layout,
    width: Option<usize>,
    level: Level,
    /// Whether errors are told where they happen.
    at_once: bool,
    lines: u64,
    /// Which were told, and how many lines had been written by then.
    told: Vec<(Finding, u64)>,
    all: Vec<Finding>,
}

impl<W: Write> Findings<W> {
    /// Findings to be written there; errors `at_once` where there are lines of a trace that they follow.
    pub fn new(out: W, settings: &Settings, level: Level, at_once: bool) -> Self {
        Self {
            out,
            escape: Escape {
                unicode: settings.unicode,
                hex: settings.hex,
            },
            layout: Layout::new(settings.colour, settings.width, false),
            width: settings.width,
            level,
            at_once,
            lines: 0,
            told: Vec::new(),
            all: Vec::new(),
        }
    }

    /// Whether it is on the screen already, and has not come again.
    fn is_known(&self, finding: &Finding) -> bool {
        finding.count == 1
            && self.told.iter().any(|(told, lines)| {
                told.kind == finding.kind
                    && told.seen == finding.seen
                    && self.lines - lines < ON_SCREEN
            })
    }

    fn list(&self) -> String {
        let least = match self.level {
            Level::Errors => Severity::Error,
            Level::Usual => Severity::Warning,
            Level::All => Severity::Note,
        };
        let worth: Vec<_> = self
            .all
            .iter()
            .filter(|it| it.kind.severity >= least)
            .collect();
        let most = if self.level == Level::All {
            usize::MAX
        } else {
            SHOWN
        };
        let shown: Vec<_> = worth
            .iter()
            .filter(|it| !self.is_known(it))
            .take(most)
            .collect();
        let mut out = String::new();
        if shown.is_empty() {
            return out;
        }
        let count = |severity: Severity| {
            self.all
                .iter()
                .filter(|it| it.kind.severity == severity)
                .count()
        };
        let counts = [
            (Severity::Error, "error"),
            (Severity::Warning, "warning"),
            (Severity::Note, "note"),
        ]
        .map(|(severity, word)| (count(severity), word));
        let counts = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| {
                let plural = if *count == 1 { "" } else { "s" };
                format!("{count} {word}{plural}")
            });
        out.push('\n');
        let heading = format!("  findings  {}", counts.collect::<Vec<_>>().join(", "));
        self.layout.plain(&mut out, &heading, Paint::Plain);
        let name = shown.iter().map(|it| it.kind.name.len()).max().unwrap_or(0);
        for finding in &shown {
            self.entry(&mut out, finding, name);
        }
        let known = worth.iter().filter(|it| self.is_known(it)).count();
        let more = worth.len() - known - shown.len();
        if more > 0 {
            let text = format!("    +{more} more (--findings=all)");
            self.layout.plain(&mut out, &text, Paint::Dim);
        }
        out
    }

    fn entry(&self, out: &mut String, finding: &Finding, name: usize) {
        let paint = paint(finding);
        let head = format!(
            "    {:7}  {:name$}  ",
            finding.kind.severity.word(),
            finding.kind.name
        );
        let mut text = self.escape.name(finding.seen.as_bytes());
        if finding.count > 1 {
            text.push_str(&format!(" {} times.", finding.count));
        }
        let calls = finding.calls.iter().take(EVIDENCE).map(u64::to_string);
        let calls: Vec<_> = calls.collect();
        match calls.len() {
            0 => {}
            1 => text.push_str(&format!(" (call {})", calls[0])),
            _ => text.push_str(&format!(" (calls {})", calls.join(", "))),
        }
        let indent = columns(&head);
        let mut before = Spans::default();
        before.add(paint, |out| out.push_str(&head));
        self.layout
            .paragraph(out, &before, &text, Paint::Plain, self.room(indent));
        let mut before = Spans::default();
        before.add(Paint::Plain, |out| out.push_str(&" ".repeat(indent)));
        self.layout.paragraph(
            out,
            &before,
            finding.kind.advice,
            Paint::Dim,
            self.room(indent),
        );
    }

    fn room(&self, indent: usize) -> Option<usize> {
        self.width.map(|width| width.saturating_sub(indent))
    }
}

impl<W: Write> Output for Findings<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        match &told.what {
            What::Found(finding) if self.at_once && finding.kind.severity == Severity::Error => {
                let head = format!("  finding  {}  ", finding.kind.name);
                let mut before = Spans::default();
                before.add(paint(finding), |out| out.push_str(&head));
                let text = format!(
                    "{} {}",
                    self.escape.name(finding.seen.as_bytes()),
                    finding.kind.advice
                );
                let mut out = String::new();
                self.layout.paragraph(
                    &mut out,
                    &before,
                    &text,
                    Paint::Plain,
                    self.room(columns(&head)),
                );
                self.told.push(((**finding).clone(), self.lines));
                self.out.write_all(out.as_bytes())
            }
            What::Found(_) => Ok(()),
            What::AllFound(all) => {
                self.all = all.clone();
                Ok(())
            }
            _ => {
                self.lines += u64::from(!told.folds);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _end: Nanos) -> io::Result<()> {
        let list = self.list();
        self.out.write_all(list.as_bytes())?;
        self.out.flush()
    }
}

fn paint(finding: &Finding) -> Paint {
    match finding.kind.severity {
        Severity::Error => Paint::Error,
        Severity::Warning | Severity::Note => Paint::Dim,
    }
}
