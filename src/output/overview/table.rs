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

/// The rows with their heading, as lines.
pub fn lines(heading: &[Column], rows: &[Vec<Cell>]) -> Vec<Spans> {
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| columns(&cell.text))
            .max()
            .unwrap_or(0)
    };
    let used: Vec<(usize, usize)> = (0..heading.len())
        .map(|at| (at, width(at)))
        .filter(|(_, width)| *width > 0)
        .map(|(at, width)| (at, width.max(columns(heading[at].0))))
        .collect();
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
