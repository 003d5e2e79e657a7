//! A table whose columns line up; those without content are left out.

use crate::output::layout::{Paint, Spans, columns};

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// A cell of ordinary text.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            paint: None,
        }
    }

    /// The same with a look of its own.
    pub fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self {
            text: text.into(),
            paint: Some(paint),
        }
    }
}

/// A column's heading, and whether it is of numbers, which end below each other.
pub type Column = (&'static str, bool);

/// How many columns of the terminal the table takes.
pub fn width(heading: &[Column], rows: &[Vec<Cell>]) -> usize {
    let used = used(heading, rows);
    used.iter().map(|(_, width)| width + 2).sum()
}

/// The columns that have content, with their widths.
fn used(heading: &[Column], rows: &[Vec<Cell>]) -> Vec<(usize, usize)> {
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| columns(&cell.text))
            .max()
            .unwrap_or(0)
    };
    (0..heading.len())
        .map(|at| (at, width(at)))
        .filter(|(_, width)| *width > 0)
        .map(|(at, width)| (at, width.max(columns(heading[at].0))))
        .collect()
}

/// The same for a place that is too narrow for it: each row is one after the other what it holds, numbers with their headings.
pub fn list(heading: &[Column], rows: &[Vec<Cell>], room: usize) -> Vec<Spans> {
    /// How far further lines of a row are set in.
    const INDENT: usize = 5;
    let mut lines = Vec::new();
    for row in rows {
        let mut line = Spans::default();
        for ((word, number), cell) in heading.iter().zip(row) {
            if cell.text.trim().is_empty() {
                continue;
            }
            let word = if *number && *word != "#" { *word } else { "" };
            let label = if word.is_empty() {
                0
            } else {
                columns(word) + 1
            };
            let used = line.columns();
            if used > INDENT && used + 2 + label + columns(&cell.text) > room {
                lines.push(std::mem::take(&mut line));
                line.add(Paint::Plain, |out| out.push_str(&" ".repeat(INDENT - 2)));
            }
            line.add(Paint::Plain, |out| out.push_str("  "));
            if !word.is_empty() {
                line.add(Paint::Dim, |out| {
                    out.push_str(word);
                    out.push(' ');
                });
            }
            let paint = cell.paint.unwrap_or(Paint::Plain);
            line.add(paint, |out| out.push_str(cell.text.trim()));
        }
        lines.push(line);
    }
    lines
}

/// The rows with their heading, as lines.
pub fn lines(heading: &[Column], rows: &[Vec<Cell>]) -> Vec<Spans> {
    let used = used(heading, rows);
    let line = |cell: &dyn Fn(usize) -> (String, Paint)| {
        let mut spans = Spans::default();
        for (at, width) in &used {
            let (text, paint) = cell(*at);
            let gap = width.saturating_sub(columns(&text));
            spans.add(Paint::Plain, |out| {
                out.push_str("  ");
                out.push_str(&" ".repeat(if heading[*at].1 { gap } else { 0 }));
            });
            spans.add(paint, |out| out.push_str(&text));
            if !heading[*at].1 {
                spans.add(Paint::Plain, |out| out.push_str(&" ".repeat(gap)));
            }
        }
        spans
    };
    let mut lines = vec![line(&|at| (heading[at].0.to_owned(), Paint::Dim))];
    lines.extend(rows.iter().map(|row| {
        line(&|at| {
            let cell = row.get(at).cloned().unwrap_or_default();
            (cell.text, cell.paint.unwrap_or(Paint::Plain))
        })
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_goes_on_in_further_lines() {
        let heading = [
            ("#", true),
            ("who", false),
            ("wait", true),
            ("ended", false),
        ];
        let row = |texts: [&str; 4]| texts.map(Cell::new).to_vec();
        let rows = [
            row(["1", "10.0.0.7:41234 → 192.0.2.9:80", "12ms", "closed by us"]),
            row(["2", "", "", "left open"]),
        ];
        assert_eq!(width(&heading, &rows), 54);
        let text = |room| -> Vec<String> {
            let lines = list(&heading, &rows, room);
            lines.iter().map(Spans::text).collect()
        };
        assert_eq!(
            text(40),
            [
                "  1  10.0.0.7:41234 → 192.0.2.9:80",
                "     wait 12ms  closed by us",
                "  2  left open",
            ]
        );
        assert_eq!(
            text(200)[0],
            "  1  10.0.0.7:41234 → 192.0.2.9:80  wait 12ms  closed by us"
        );
    }
}
