//! Columns: time, who, #N, stage, call, meaning; colours, and what to do where the terminal is narrow.
//!
//! The meaning has a column of its own where the terminal is wide enough, otherwise it stands behind the call, or on a line of its
//! own; it is never lost. Where a call and its meaning are too long for the terminal, data is shortened first, and the rest is wrapped if
//! that is not enough.

use std::borrow::Cow;
use std::fmt::Write;

use super::number::decimal;
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
type Span<'a> = (&'a str, Paint);

/// Text in pieces, each with its look.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    text: String,
    /// Where each piece ends, its look, and whether it stays on one line where it can.
    pieces: Vec<(usize, Paint, bool)>,
}

impl Spans {
    /// Forgets them, and keeps their room.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
    }

    /// Adds a piece, as it is written.
    pub fn add(&mut self, paint: Paint, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.pieces.push((self.text.len(), paint, false));
    }

    /// Adds the pieces of others.
    pub fn append(&mut self, others: &Self) {
        let start = self.text.len();
        self.text.push_str(&others.text);
        let pieces = others.pieces.iter();
        self.pieces
            .extend(pieces.map(|(end, paint, whole)| (start + end, *paint, *whole)));
    }

    /// The text without its looks.
    #[cfg(test)]
    pub fn text(&self) -> String {
        self.text.clone()
    }

    /// Adds a piece that stays on one line where it can, but for what it has in parentheses.
    pub fn add_unbroken(&mut self, paint: Paint, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.pieces.push((self.text.len(), paint, true));
    }

    fn iter(&self) -> impl Iterator<Item = Span<'_>> + Clone {
        let mut start = 0;
        self.pieces.iter().map(move |(end, paint, _)| {
            let text = &self.text[start..*end];
            start = *end;
            (text, *paint)
        })
    }

    /// How many columns it takes.
    pub fn columns(&self) -> usize {
        match is_plain(&self.text) {
            true => self.text.len(),
            false => self.iter().map(|(text, _)| text.width()).sum(),
        }
    }

    /// Each character with its look, for lines that may have to be broken.
    fn characters(&self) -> Vec<(char, Paint)> {
        let mut characters = Vec::with_capacity(self.text.len());
        for ((text, paint), (_, _, unbroken)) in self.iter().zip(&self.pieces) {
            let whole = match unbroken {
                true => text.find(" (").unwrap_or(text.len()),
                false => 0,
            };
            characters.extend(text.char_indices().map(|(at, c)| match c {
                ' ' if at < whole => (UNBROKEN, paint),
                c => (c, paint),
            }));
        }
        characters
    }
}

/// A line before it is laid out.
pub struct Line<'a> {
    /// The first column, already as wide as it always is.
    pub time: &'a str,
    /// The process, where there are several.
    pub who: Option<&'a str>,
    /// The conversation's number.
    pub number: Option<u64>,
    /// The stage's word.
    pub stage: &'static str,
    /// Writes the call so that its data takes at most so many columns, or as it is.
    pub text: &'a dyn Fn(Option<usize>, &mut Spans),
    /// What it means, and other remarks; those without text are none.
    pub remarks: &'a Spans,
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
    /// Room for the columns before a call, and for the call.
    rooms: (Spans, Spans),
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
/// What is left of data at least, so that the meaning stays on the line: a known protocol's says it in better words.
const DATA: usize = 8;

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
            rooms: <(Spans, Spans)>::default(),
        }
    }

    /// Lays a line out and adds it to `out`. It ends with a newline and may be several lines.
    pub fn line(&mut self, out: &mut String, line: &Line) {
        let (mut head, mut full) = std::mem::take(&mut self.rooms);
        head.clear();
        self.head(&mut head, line);
        full.clear();
        (line.text)(None, &mut full);
        match self.width {
            None => self.as_long_as_it_comes(out, line, &head, &full),
            Some(width) => self.within(out, line, &head, &full, width),
        }
        self.rooms = (head, full);
    }

    /// A line for a file, which has lines as long as they come.
    fn as_long_as_it_comes(&self, out: &mut String, line: &Line, head: &Spans, full: &Spans) {
        if line.remarks.text.is_empty() {
            if !full.text.is_empty() {
                self.paint(out, head.iter().chain(full.iter()));
            }
            return;
        }
        // That meanings line up is worth no data: a long call pushes its meaning to the right.
        let gap = CALL.start().saturating_sub(full.columns()).max(2);
        self.beside(out, head, full, gap, line.remarks);
    }

    /// A line for a terminal.
    fn within(&self, out: &mut String, line: &Line, head: &Spans, full: &Spans, width: usize) {
        let indent = head.columns();
        let remark: usize = joined(line.remarks).map(|(text, _)| columns(text)).sum();
        let len = full.columns();
        let room = width.saturating_sub(indent).max(16);
        if remark > 0 {
            let column = width
                .saturating_sub(MEANING + indent)
                .clamp(NARROWEST, *CALL.end());
            if len + 2 <= column && column + remark <= room {
                return self.beside(out, head, full, column - len, line.remarks);
            }
            let most = room.checked_sub(remark + 2);
            if let Some(text) = most.and_then(|most| self.fit(line, full, most, DATA)) {
                return self.beside(out, head, &text, 2, line.remarks);
            }
        }
        let text = self
            .fit(line, full, room, DATA)
            .unwrap_or_else(|| self.shortest(line, full));
        let deeper = match width < indent + 2 + SLIM {
            true => FEW,
            false => indent + 2,
        };
        let less = width.saturating_sub(deeper).max(16);
        let mut indented = Spans::default();
        indented.add(Paint::Plain, |out| spaces(out, deeper));
        let mut start = head;
        let pieces = wrap(&text.characters(), room, less);
        for piece in pieces.iter().chain(&pack(line.remarks, less)) {
            self.paint(out, start.iter().chain(piece.iter()));
            start = &indented;
        }
    }

    /// A call with its remarks at its right.
    fn beside(&self, out: &mut String, head: &Spans, text: &Spans, gap: usize, remarks: &Spans) {
        let gap = (&SPACES[..gap], Paint::Plain);
        let spans = head.iter().chain(text.iter()).chain([gap]);
        self.paint(out, spans.chain(joined(remarks)));
    }

    /// Adds a line of its own, outside of the columns; its continuations are indented as it is.
    pub fn plain(&self, out: &mut String, text: &str, paint: Paint) {
        let indent = text.len() - text.trim_start().len();
        let mut before = Spans::default();
        before.add(Paint::Plain, |out| spaces(out, indent));
        let room = self.width.map(|width| width.saturating_sub(indent));
        self.wrapped(out, (&before, &before), text.trim_start(), paint, room);
    }

    /// Adds words in dim below a call.
    pub fn below(&self, out: &mut String, words: &str) {
        let mut before = Spans::default();
        before.add(Paint::Plain, |out| spaces(out, self.stage + STAGE + 2));
        let room = self
            .width
            .map(|width| width.saturating_sub(before.columns()));
        self.paragraph(out, &before, words, Paint::Dim, room);
    }

    /// Adds a line that is laid out already.
    pub fn painted(&self, out: &mut String, line: &Spans) {
        self.paint(out, line.iter());
    }

    /// Adds a text in as many lines as it needs, indented as far as what stands before the first of them.
    pub fn paragraph(
        &self,
        out: &mut String,
        before: &Spans,
        text: &str,
        paint: Paint,
        room: Option<usize>,
    ) {
        let mut indent = Spans::default();
        indent.add(Paint::Plain, |out| spaces(out, before.columns()));
        self.wrapped(out, (before, &indent), text, paint, room);
    }

    /// Adds a sentence beside the calls, with a bar before each of its lines.
    pub fn sentence(&self, out: &mut String, bar: &str, text: &str) {
        let indent = self.stage;
        let mut before = Spans::default();
        before.add(Paint::Dim, |out| {
            spaces(out, indent);
            out.push_str(bar);
            out.push(' ');
        });
        let width = self.width.unwrap_or(LONGEST).min(LONGEST);
        let room = Some(width.saturating_sub(indent + 2));
        self.wrapped(out, (&before, &before), text, Paint::Plain, room);
    }

    /// Text in as many lines as it needs, with what stands before the first one and before the others.
    fn wrapped(
        &self,
        out: &mut String,
        (first, others): (&Spans, &Spans),
        text: &str,
        paint: Paint,
        room: Option<usize>,
    ) {
        let room = room.map_or(usize::MAX, |room| room.max(24));
        let mut spans = Spans::default();
        spans.add(paint, |out| out.push_str(text));
        let mut before = first;
        for line in wrap(&spans.characters(), room, room) {
            self.paint(out, before.iter().chain(line.iter()));
            before = others;
        }
    }

    fn head(&mut self, head: &mut Spans, line: &Line) {
        head.add(Paint::Dim, |out| {
            out.push_str(line.time);
            out.push_str("  ");
        });
        if let Some(who) = line.who {
            let len = columns(who);
            self.who = self.who.max(len.min(WHO));
            head.add(Paint::Dim, |out| {
                out.push_str(who);
                spaces(out, self.who.saturating_sub(len) + 2);
            });
        }
        let digits = line.number.map_or(0, |number| {
            number.checked_ilog10().map_or(1, |log| log as usize + 1) + 1
        });
        self.number = self.number.max(digits);
        self.stage = head.columns() + self.number + 1;
        let paint = line.number.map_or(Paint::Plain, Paint::Conversation);
        head.add(paint, |out| {
            spaces(out, self.number - digits);
            if let Some(number) = line.number {
                out.push('#');
                decimal(out, number);
            }
            out.push(' ');
            out.push_str(line.stage);
            spaces(out, STAGE.saturating_sub(line.stage.len()) + 2);
        });
    }

    /// The call in at most that many columns, its data shortened to no less than `floor`.
    fn fit<'a>(
        &self,
        line: &Line,
        full: &'a Spans,
        most: usize,
        floor: usize,
    ) -> Option<Cow<'a, Spans>> {
        if full.columns() <= most {
            return Some(Cow::Borrowed(full));
        }
        if self.keep_data || floor > most {
            return None;
        }
        let shortest = written(line, floor);
        if shortest.columns() > most {
            return None;
        }
        // The longest that fits: what is left of data is at most `most`.
        let (mut fits, mut least, mut over) = (shortest, floor, most + 1);
        while least + 1 < over {
            let middle = least.midpoint(over);
            let text = written(line, middle);
            if text.columns() <= most {
                (fits, least) = (text, middle);
            } else {
                over = middle;
            }
        }
        Some(Cow::Owned(fits))
    }

    fn shortest<'a>(&self, line: &Line, full: &'a Spans) -> Cow<'a, Spans> {
        match self.keep_data {
            true => Cow::Borrowed(full),
            false => Cow::Owned(written(line, DATA)),
        }
    }

    /// Adds the spans in their colours, without spaces at the end, with a newline.
    fn paint<'a>(&self, out: &mut String, spans: impl Iterator<Item = Span<'a>> + Clone) {
        let start = out.len();
        if self.colour {
            colour(out, spans);
        } else {
            spans.for_each(|(text, _)| out.push_str(text));
            out.truncate(start + out[start..].trim_end().len());
        }
        out.push('\n');
    }
}

/// A call whose data takes at most so many columns.
fn written(line: &Line, most: usize) -> Spans {
    let mut text = Spans::default();
    (line.text)(Some(most), &mut text);
    text
}

/// Adds the spans in their colours, without spaces at the end.
fn colour<'a>(out: &mut String, spans: impl Iterator<Item = Span<'a>> + Clone) {
    let ends = |(text, _): Span| text.trim_end().is_empty();
    let last = spans.clone().enumerate().filter(|(_, span)| !ends(*span));
    let end = last.last().map_or(0, |(at, _)| at + 1);
    for (at, (text, paint)) in spans.take(end).enumerate() {
        let text = if at + 1 == end { text.trim_end() } else { text };
        let painted: ColoredString = match paint {
            _ if text.trim().is_empty() => text.into(),
            Paint::Plain => text.normal(),
            Paint::Dim => text.dimmed(),
            Paint::Error => text.red(),
            Paint::Conversation(number) => text.color(colour_of(number)),
        };
        write!(out, "{painted}").expect("a String takes all");
    }
}

/// A conversation's colour: the same on all its lines, none of them red, which is for errors.
fn colour_of(number: u64) -> Color {
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
pub fn columns(text: &str) -> usize {
    match is_plain(text) {
        true => text.len(),
        false => text.width(),
    }
}

/// Whether text is printable ASCII: a column for each byte. Without a branch for each, since nearly all text is.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~');
    text.bytes().fold(true, |all, byte| all & plain(byte))
}

/// As many spaces as the widest gap takes.
const SPACES: &str = match std::str::from_utf8(&[b' '; *CALL.end()]) {
    Ok(spaces) => spaces,
    Err(_) => "",
};

/// Adds so many spaces.
fn spaces(out: &mut String, count: usize) {
    match SPACES.get(..count) {
        Some(spaces) => out.push_str(spaces),
        None => out.extend(std::iter::repeat_n(' ', count)),
    }
}

/// What stands between remarks.
const GAP: &str = "   ";

/// The remarks with what stands between them.
fn joined(remarks: &Spans) -> impl Iterator<Item = Span<'_>> + Clone {
    let remarks = remarks.iter().filter(|(text, _)| !text.is_empty());
    remarks.enumerate().flat_map(|(at, remark)| {
        let gap = (at > 0).then_some((GAP, Paint::Plain));
        gap.into_iter().chain([remark])
    })
}

/// A space at which lines aren't broken. No text of the tracee has it: it would be escaped.
const UNBROKEN: char = '\u{a0}';

/// Puts remarks on as few lines as they need, each whole where a line can hold it.
fn pack(remarks: &Spans, room: usize) -> Vec<Spans> {
    let mut lines: Vec<Spans> = Vec::new();
    for (text, paint) in remarks.iter().filter(|(text, _)| !text.is_empty()) {
        match lines.last_mut() {
            Some(last) if last.columns() + GAP.len() + columns(text) <= room => {
                last.add(Paint::Plain, |out| out.push_str(GAP));
                last.add(paint, |out| out.push_str(text));
            }
            _ => {
                let characters: Vec<_> = text.chars().map(|c| (c, paint)).collect();
                lines.extend(wrap(&characters, room, room));
            }
        }
    }
    lines
}

/// Breaks text after a space, a comma or a `|` where there is one, into a first line and further ones of these widths.
fn wrap(characters: &[(char, Paint)], first: usize, others: usize) -> Vec<Spans> {
    let mut lines = Vec::new();
    let mut rest = characters;
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
        let mut spans = Spans::default();
        for piece in line.chunk_by(|(_, one), (_, next)| one == next) {
            let characters = piece.iter().map(|(c, _)| match *c {
                UNBROKEN => ' ',
                c => c,
            });
            spans.add(piece[0].1, |out| out.extend(characters));
        }
        lines.push(spans);
        let spaces = next.iter().take_while(|(c, _)| *c == ' ').count();
        rest = &next[spaces..];
    }
    lines
}
