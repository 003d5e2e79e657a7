//! The table on the screen, and how its numbers are written.

use crate::results::Row;
use crate::running::Way;
use crate::statistics::{Ratio, median};
use crate::workloads::{Measure, Quantity, Target, Workload};

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
    for way in Way::ALL {
        let quantity = row.measure.quantity;
        let text =
            |number: Option<f64>| number.map_or("–".into(), |number| number_of(number, quantity));
        line += &format!("{:<11}", text(median(row.samples(way))));
        line += &format!("{:<9}", text(row.best(way)));
    }
    for way in [Way::Untraced, Way::Strace] {
        line += &format!("{:<17}", ratio(row.ratio(way)));
    }
    line + &verdict(row)
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

/// The target, and whether it was reached.
pub fn verdict(row: &Row) -> String {
    let Some(target) = target(row.measure) else {
        return String::new();
    };
    match row.reached() {
        Some(true) => format!("{target}: ok"),
        Some(false) => format!("{target}: missed"),
        None => target,
    }
}

/// The target alone.
pub fn target(measure: &Measure) -> Option<String> {
    Some(match measure.target? {
        Target::OfUntraced(most) => format!("≤ {most} × untraced"),
        Target::OfStrace(most) => format!("≤ {most} × strace"),
        Target::TimesStrace(least) => format!("≥ {least} × strace"),
        Target::Below(most) => format!("< {}", number_of(most, measure.quantity)),
    })
}

/// The workloads, and what is taken of each.
pub fn list(workloads: &[&'static Workload]) -> String {
    let mut text = String::new();
    for workload in workloads {
        text += &format!("{:<18} {}\n", workload.name, workload.title);
        for measure in workload.measures {
            let target = target(measure).map_or(String::new(), |target| format!("; {target}"));
            text += &format!("{:<18}   {}{target}\n", "", explained(measure.quantity));
        }
    }
    text
}
