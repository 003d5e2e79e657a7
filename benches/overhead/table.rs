//! The table on the screen, and how its numbers are written.

use crate::results::Row;
use crate::statistics::{Ratio, median};
use crate::way::Way;
use crate::workloads::{Quantity, Target, Workload};

/// The two lines above the rows.
pub const HEAD: &str = concat!(
    "                    of one      untraced            strace              sockstrace          ",
    "times untraced   times strace     to reach\n",
    "workload            run         median     best     median     best     median     best     ",
    "median (rounds)  median (rounds)",
);

/// One row as a line.
pub fn row(row: &Row) -> String {
    let mut line = format!(
        "{:<20}{:<12}",
        row.workload.name,
        unit(row.measure.quantity)
    );
    for way in Way::COLUMNS {
        let quantity = row.measure.quantity;
        let text =
            |number: Option<f64>| number.map_or("–".into(), |number| number_of(number, quantity));
        line += &format!("{:<11}", text(median(row.samples(way))));
        line += &format!("{:<9}", text(row.best(way)));
    }
    for way in [Way::Untraced, Way::Strace] {
        line += &format!("{:<17}", ratio(row.ratio(way)));
    }
    line + &verdicts(row)
}

/// What a number of one run is.
pub fn unit(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Whole => "time",
        Quantity::Own => "operation",
        Quantity::Rate => "requests",
        Quantity::Resident => "memory",
        Quantity::UserTime => "user/call",
        Quantity::TracingTime => "tracer/call",
    }
}

/// What that means, in words.
pub fn explained(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Whole => "the whole run, start-up included",
        Quantity::Own => "one operation, by the program's own clock",
        Quantity::Rate => "requests per second",
        Quantity::Resident => "the tracer's largest resident set",
        Quantity::UserTime => "the tracer's CPU time in user mode for a call of the program",
        Quantity::TracingTime => "the same of the thread that traces, without story and output",
    }
}

/// A number with what it counts.
pub fn number_of(number: f64, quantity: Quantity) -> String {
    let scaled = |units: [(f64, &str); 4]| {
        let (size, name) = units
            .into_iter()
            .find(|(size, _)| number >= *size)
            .unwrap_or(units[3]);
        format!("{} {name}", digits(number / size))
    };
    match quantity {
        Quantity::Rate => format!("{number:.0} /s"),
        Quantity::Resident => format!("{} MiB", digits(number / f64::from(1 << 20))),
        _ => scaled([(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")]),
    }
}

/// Three digits that count.
fn digits(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// `1.23 (1.25)`: of the medians, and the median of the rounds.
pub fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or("–".into(), |ratio| {
        format!("{} ({})", digits(ratio.of_medians), digits(ratio.of_rounds))
    })
}

/// The targets, and whether they were reached.
pub fn verdicts(row: &Row) -> String {
    let verdict = |target: &Target| {
        let mut text = target_of(*target, row.measure.quantity);
        match row.reached(*target) {
            Some(true) => text += ": ok",
            Some(false) => text += ": missed",
            None => {}
        }
        // What has no column is said here.
        match target.way() {
            Some(way) if !Way::COLUMNS.contains(&way) => text + ", " + &ratio(row.ratio(way)),
            _ => text,
        }
    };
    let verdicts: Vec<_> = row.measure.targets.iter().map(verdict).collect();
    verdicts.join("; ")
}

/// A target for such a number.
pub fn target_of(target: Target, quantity: Quantity) -> String {
    // Two digits after the point at most: a third is 0.33.
    let times = |number: f64| (number * 100.0).round() / 100.0;
    match target {
        Target::AtMost(most, way) => format!("≤ {} × {way}", times(most)),
        Target::AtLeast(least, way) => format!("≥ {} × {way}", times(least)),
        Target::Below(most) => format!("< {}", number_of(most, quantity)),
    }
}

/// The workloads, and what is taken of each.
pub fn list(workloads: &[&'static Workload]) -> String {
    let mut text = String::new();
    for workload in workloads {
        text += &format!("{:<18} {}\n", workload.name, workload.title);
        for measure in workload.measures {
            text += &format!("{:<18}   {}", "", explained(measure.quantity));
            for target in measure.targets {
                text += &format!("; {}", target_of(*target, measure.quantity));
            }
            text += "\n";
        }
    }
    text
}
