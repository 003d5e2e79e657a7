//! `-c` and `-C`: a table with a line per call, as strace's, and the bytes that each moved.
//!
//! Times are those between a call's entry and its return, waiting included (strace: with `-w`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Output;
use crate::story::bytes::moved;
use crate::story::{Told, What};
use crate::syscall::Outcome;
use crate::tracer::event::Nanos;

/// What the table's lines are ordered by (`-S`). Numbers descend, names ascend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Time in all.
    #[default]
    Time,
    /// Time per call.
    Average,
    /// The shortest call.
    Min,
    /// The longest call.
    Max,
    /// How many.
    Calls,
    /// How many failed.
    Errors,
    /// Bytes moved.
    Bytes,
    /// The call's name.
    Name,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: u64,
    errors: u64,
    bytes: u64,
    time: Nanos,
    min: Nanos,
    max: Nanos,
}

/// Counts calls and writes the table at the end.
pub struct Summary<W: Write> {
    out: W,
    sort: Sort,
    calls: BTreeMap<&'static str, Count>,
}

impl<W: Write> Summary<W> {
    /// A table to be written there.
    pub fn new(out: W, sort: Sort) -> Self {
        Self {
            out,
            sort,
            calls: BTreeMap::new(),
        }
    }

    /// The table, newlines included.
    pub fn table(&self) -> String {
        let mut rows: Vec<_> = self.calls.iter().collect();
        let average = |count: &Count| count.time / count.calls.max(1);
        match self.sort {
            Sort::Name => {}
            Sort::Time => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.time)),
            Sort::Average => rows.sort_by_key(|(_, count)| std::cmp::Reverse(average(count))),
            Sort::Min => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.min)),
            Sort::Max => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.max)),
            Sort::Calls => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.calls)),
            Sort::Errors => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.errors)),
            Sort::Bytes => rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.bytes)),
        }
        let mut total = Count::default();
        for (_, count) in &rows {
            total.calls += count.calls;
            total.errors += count.errors;
            total.bytes += count.bytes;
            total.time += count.time;
        }
        let rule =
            "------ ----------- ----------- --------- --------- ------------ ----------------\n";
        let mut table = String::from(
            "% time     seconds  usecs/call     calls    errors        bytes syscall\n",
        );
        table += rule;
        for (name, count) in rows {
            table += &line(count, total.time, name);
        }
        table += rule;
        table += &line(&total, total.time, "total");
        table
    }
}

fn line(count: &Count, all: Nanos, name: &str) -> String {
    let percent = if all == 0 {
        0.0
    } else {
        100.0 * count.time as f64 / all as f64
    };
    let seconds = count.time as f64 / 1e9;
    let each = count.time / 1000 / count.calls.max(1);
    let some = |number: u64| {
        if number == 0 {
            String::new()
        } else {
            number.to_string()
        }
    };
    let (errors, bytes) = (some(count.errors), some(count.bytes));
    format!(
        "{percent:6.2} {seconds:11.6} {each:11} {:9} {errors:>9} {bytes:>12} {name}\n",
        count.calls
    )
}

impl<W: Write> Output for Summary<W> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        if let What::Call(event) = &told.what {
            let time = event.end.saturating_sub(event.start);
            let count = self.calls.entry(event.call.name()).or_insert(Count {
                min: Nanos::MAX,
                ..Count::default()
            });
            count.calls += 1;
            count.errors += u64::from(matches!(event.call.outcome, Outcome::Error(_)));
            count.bytes = count.bytes.saturating_add(moved(event));
            count.time = count.time.saturating_add(time);
            count.min = count.min.min(time);
            count.max = count.max.max(time);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _end: Nanos) -> io::Result<()> {
        self.out.write_all(self.table().as_bytes())?;
        self.out.flush()
    }
}
