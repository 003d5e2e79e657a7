//! Columns: time, who, #N, stage, call, meaning; colours, and what to do where the terminal is narrow.
//!
//! The meaning has a column of its own where the terminal is wide enough, otherwise it stands behind the call, or on a line of its
//! own; it is never lost. Where a call and its meaning are too long for the terminal, data is shortened first, and the rest is wrapped if
//! that is not enough.

use std::borrow::Cow;

use colored::{Color, ColoredString, Colorize};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// Something failed.
    Error,
    /// The colour of this conversation.
    Conversation(u64),
}

/// A piece of text with its look.
pub type Span = (String, Paint);

/// A line before it is laid out.
pub struct Line<'a> {
    /// The first column, already as wide as it always is.
    pub time: String,
    /// The process, where there are several.
    pub who: Option<String>,
    /// The conversation's number.
    pub number: Option<u64>,
    /// The stage's word.
    pub stage: &'static str,
    /// The call: written so that its data takes at most so many columns, or as it is.
    pub text: &'a dyn Fn(Option<usize>) -> Vec<Span>,
    /// What it means, and other remarks.
    pub remarks: Vec<Span>,
}

/// The columns, which grow with what is in them.
#[derive(Debug)]
pub struct Layout {
    colour: bool,
    width: Option<usize>,
    keep_data: bool,
    number: usize,
    who: usize,
    /// Where the stage began in the last line.
    stage: usize,
}

/// The stage's column: the longest common word, "receive".
const STAGE: usize = 7;
/// A process's label takes at most so much of a line; longer ones push their own line to the right.
const WHO: usize = 20;
/// How wide calls are where there is no terminal to say so, and the widest that they get a column of their own.
const CALL: std::ops::RangeInclusive<usize> = 58..=80;
/// The narrowest such column.
const NARROWEST: usize = 44;
/// What meanings need at the right of it.
const MEANING: usize = 56;
/// Where fewer columns than that would be left for what goes on below its line, it is indented only a little.
const SLIM: usize = 34;
const FEW: usize = 4;
/// The longest line of a sentence that explains.
const LONGEST: usize = 130;
/// What most lines take at most, in bytes.
const LINE: usize = 160;
/// What is left of data at least, so that the meaning stays on the line, and so that the call stays on the line.
const DATA: [usize; 2] = [20, 8];

impl Layout {
    /// Columns for a terminal that wide, or for a file.
    pub fn new(colour: bool, width: Option<usize>, keep_data: bool) -> Self {
        if colour {
            // Whoever made the settings has looked at NO_COLOR and at where the text goes.
            colored::control::set_override(true);
        }
        Self {
            colour,
            width,
            keep_data,
            // A file is read as a whole, so that its columns should not move: two digits from the start.
            number: if width.is_some() { 2 } else { 3 },
            who: 0,
            stage: 0,
        }
    }

    /// Lays a line out. What comes back ends with a newline and may be several lines.
    pub fn line(&mut self, line: Line) -> String {
        let head = self.head(&line);
        let indent = width(&head);
        let remarks: Vec<_> = joined(&line.remarks).collect();
        let remark: usize = remarks.iter().map(|(text, _)| columns(text)).sum();
        let full = (line.text)(None);
        let len = width(&full);

        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(indent).max(16));
        let column = match self.width {
            None => *CALL.start(),
            Some(width) => width
                .saturating_sub(MEANING + indent)
                .clamp(NARROWEST, *CALL.end()),
        };
        let beside = |text: &[Span], gap: usize| {
            let gap = " ".repeat(gap);
            let spans = borrowed(&head).chain(borrowed(text));
            self.paint(spans.chain([(&*gap, Paint::Plain)]).chain(remarks.clone()))
        };
        if remark > 0 {
            // That meanings line up is worth no data: a long call pushes its meaning to the right.
            if len + 2 <= column && column + remark <= room {
                return beside(&full, column - len);
            }
            let most = room.checked_sub(remark + 2);
            if let Some(text) = most.and_then(|most| self.fit(&line, &full, most, DATA[0])) {
                return beside(&text, 2);
            }
        }
        let text = self
            .fit(&line, &full, room, DATA[1])
            .unwrap_or_else(|| self.shortest(&line, &full));
        let mut out = String::new();
        let deeper = match self.width {
            Some(width) if width < indent + 2 + SLIM => FEW,
            _ => indent + 2,
        };
        let less = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(deeper).max(16));
        let deeper = vec![(" ".repeat(deeper), Paint::Plain)];
        let mut start = &head;
        for piece in wrap(&text, room, less)
            .into_iter()
            .chain(pack(&line.remarks, less))
        {
            out += &self.paint(borrowed(start).chain(borrowed(&piece)));
            start = &deeper;
        }
        out
    }

    /// A line of its own, outside of the columns; its continuations are indented as it is.
    pub fn plain(&self, text: &str, paint: Paint) -> String {
        let indent = text.len() - text.trim_start().len();
        let room = self
            .width
            .unwrap_or(usize::MAX)
            .saturating_sub(indent)
            .max(24);
        let lines = wrap(&[(text.trim_start().into(), paint)], room, room);
        let indent = [(" ".repeat(indent), Paint::Plain)];
        lines
            .iter()
            .map(|line| self.paint(borrowed(&indent).chain(borrowed(line))))
            .collect()
    }

    /// A sentence beside the calls, with a bar before each of its lines.
    pub fn sentence(&self, bar: &str, text: &str) -> String {
        let indent = self.stage;
        let room = self
            .width
            .unwrap_or(LONGEST)
            .min(LONGEST)
            .saturating_sub(indent + 2)
            .max(24);
        let lines = wrap(&[(text.into(), Paint::Plain)], room, room);
        let bar = [(format!("{}{bar} ", " ".repeat(indent)), Paint::Dim)];
        lines
            .iter()
            .map(|line| self.paint(borrowed(&bar).chain(borrowed(line))))
            .collect()
    }

    fn head(&mut self, line: &Line) -> Vec<Span> {
        let mut head = vec![(padded(&line.time, 0), Paint::Dim)];
        if let Some(who) = &line.who {
            self.who = self.who.max(columns(who).min(WHO));
            head.push((padded(who, self.who), Paint::Dim));
        }
        let number = line
            .number
            .map_or_else(String::new, |number| format!("#{number}"));
        self.number = self.number.max(number.len());
        self.stage = width(&head) + self.number + 1;
        let paint = line.number.map_or(Paint::Plain, Paint::Conversation);
        head.push((
            format!("{number:>0$} {1}", self.number, padded(line.stage, STAGE)),
            paint,
        ));
        head
    }

    /// The call in at most that many columns, its data shortened to no less than `floor`.
    fn fit<'a>(
        &self,
        line: &Line,
        full: &'a [Span],
        most: usize,
        floor: usize,
    ) -> Option<Cow<'a, [Span]>> {
        if width(full) <= most {
            return Some(full.into());
        }
        if self.keep_data || self.width.is_none() || floor > most {
            return None;
        }
        let shortest = (line.text)(Some(floor));
        if width(&shortest) > most {
            return None;
        }
        // The longest that fits: what is left of data is at most `most`.
        let (mut fits, mut least, mut over) = (shortest, floor, most + 1);
        while least + 1 < over {
            let middle = least.midpoint(over);
            let text = (line.text)(Some(middle));
            if width(&text) <= most {
                (fits, least) = (text, middle);
            } else {
                over = middle;
            }
        }
        Some(fits.into())
    }

    fn shortest<'a>(&self, line: &Line, full: &'a [Span]) -> Cow<'a, [Span]> {
        if self.keep_data {
            full.into()
        } else {
            (line.text)(Some(DATA[1])).into()
        }
    }

    /// The spans in their colours, without spaces at the end, with a newline.
    fn paint<'a>(&self, spans: impl Iterator<Item = (&'a str, Paint)> + Clone) -> String {
        let mut out = String::with_capacity(LINE);
        let ends = |(text, _): (&str, Paint)| text.trim_end().is_empty();
        let last = spans.clone().enumerate().filter(|(_, span)| !ends(*span));
        let end = last.last().map_or(0, |(at, _)| at + 1);
        for (at, (text, paint)) in spans.take(end).enumerate() {
            let text = if at + 1 == end { text.trim_end() } else { text };
            if self.colour && !text.trim().is_empty() {
                let painted: ColoredString = match paint {
                    Paint::Plain => text.normal(),
                    Paint::Dim => text.dimmed(),
                    Paint::Error => text.red(),
                    Paint::Conversation(number) => text.color(colour(number)),
                };
                push_broken(&mut out, &painted.to_string());
            } else {
                push_broken(&mut out, text);
            }
        }
        out.push('\n');
        out
    }
}

/// A conversation's colour: the same on all its lines, none of them red, which is for errors.
fn colour(number: u64) -> Color {
    const COLOURS: [Color; 10] = [
        Color::Cyan,
        Color::Green,
        Color::Yellow,
        Color::Magenta,
        Color::Blue,
        Color::BrightCyan,
        Color::BrightGreen,
        Color::BrightYellow,
        Color::BrightMagenta,
        Color::BrightBlue,
    ];
    COLOURS[(number.wrapping_sub(1) % COLOURS.len() as u64) as usize]
}

/// How many columns text takes.
fn columns(text: &str) -> usize {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => text.len(),
        false => text.width(),
    }
}

fn width(spans: &[Span]) -> usize {
    spans.iter().map(|(text, _)| columns(text)).sum()
}

fn borrowed(spans: &[Span]) -> impl Iterator<Item = (&str, Paint)> + Clone {
    spans.iter().map(|(text, paint)| (text.as_str(), *paint))
}

/// Text with as many spaces behind it as that column and the gap to the next one take.
fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(columns(text)) + 2;
    let mut out = String::with_capacity(text.len() + spaces);
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', spaces));
    out
}

/// What stands between remarks.
const GAP: &str = "   ";

/// The remarks with what stands between them.
fn joined(parts: &[Span]) -> impl Iterator<Item = (&str, Paint)> {
    let parts = borrowed(parts).filter(|(text, _)| !text.is_empty());
    parts.enumerate().flat_map(|(at, part)| {
        let gap = (at > 0).then_some((GAP, Paint::Plain));
        gap.into_iter().chain([part])
    })
}

/// A space at which lines aren't broken. No text of the tracee has it: it would be escaped.
const UNBROKEN: char = '\u{a0}';

/// Text that stays on one line where it can.
pub fn unbroken(text: &str) -> String {
    let (first, rest) = text.split_at(text.find(" (").unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len() + 8);
    out.extend(first.chars().map(|c| if c == ' ' { UNBROKEN } else { c }));
    out + rest
}

/// Adds text, every space an ordinary one.
fn push_broken(out: &mut String, text: &str) {
    for (at, piece) in text.split(UNBROKEN).enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(piece);
    }
}

/// Puts remarks on as few lines as they need, each whole where a line can hold it.
fn pack(parts: &[Span], room: usize) -> Vec<Vec<Span>> {
    let mut lines: Vec<Vec<Span>> = Vec::new();
    for part in parts.iter().filter(|(text, _)| !text.is_empty()) {
        match lines.last_mut() {
            Some(last) if width(last) + GAP.len() + columns(&part.0) <= room => {
                last.extend([(GAP.into(), Paint::Plain), part.clone()]);
            }
            _ => lines.extend(wrap(std::slice::from_ref(part), room, room)),
        }
    }
    lines
}

/// Breaks text after a space, a comma or a `|` where there is one, into a first line and further ones of these widths.
fn wrap(spans: &[Span], first: usize, others: usize) -> Vec<Vec<Span>> {
    if first == usize::MAX {
        // A file has lines as long as they come.
        let line: Vec<Span> = spans
            .iter()
            .filter(|(text, _)| !text.is_empty())
            .cloned()
            .collect();
        return if line.is_empty() {
            Vec::new()
        } else {
            vec![line]
        };
    }
    let characters: Vec<(char, Paint)> = spans
        .iter()
        .flat_map(|(text, paint)| text.chars().map(move |c| (c, *paint)))
        .collect();
    let mut lines = Vec::new();
    let mut rest = &characters[..];
    while !rest.is_empty() {
        let most = if lines.is_empty() { first } else { others }.max(1);
        let mut used = 0;
        let mut end = rest.len();
        for (at, (c, _)) in rest.iter().enumerate() {
            used += c.width().unwrap_or(0);
            // A first character wider than the line goes on it all the same.
            if used > most && at > 0 {
                end = at;
                break;
            }
        }
        if end < rest.len() && rest[end].0 != ' ' {
            // Not so early that most of the line stays empty.
            if let Some(space) = (end / 3..end)
                .rev()
                .find(|at| [' ', ',', '|'].contains(&rest[*at].0))
            {
                end = space + 1;
            }
        }
        let (line, next) = rest.split_at(end);
        let mut pieces: Vec<Span> = Vec::new();
        for (c, paint) in line {
            match pieces.last_mut() {
                Some((text, last)) if last == paint => text.push(*c),
                _ => pieces.push((c.to_string(), *paint)),
            }
        }
        lines.push(pieces);
        let spaces = next.iter().take_while(|(c, _)| *c == ' ').count();
        rest = &next[spaces..];
    }
    lines
}
