//! All samples as JSON (RFC 8259).

use crate::machine::Machine;
use crate::results::Row;
use crate::running::Setup;
use crate::statistics::{Ratio, median};
use crate::table;
use crate::way::Way;
use crate::workloads::Quantity;

/// The whole run: an object with the machine and the rows.
pub fn document(machine: &Machine, setup: &Setup, rows: &[Row]) -> String {
    let facts = machine.0.iter();
    let machine = object(facts.map(|(name, fact)| (*name, string(fact))));
    let rows = array(rows.iter().map(row));
    let document = object([
        ("machine", machine),
        ("rounds", setup.rounds.to_string()),
        ("short", setup.short.to_string()),
        ("engine", string(setup.engine.as_deref().unwrap_or("auto"))),
        ("rows", rows),
    ]);
    document + "\n"
}

fn row(row: &Row) -> String {
    let statistics = |way| {
        object([
            ("median", optional(median(row.samples(way)))),
            ("best", optional(row.best(way))),
            (
                "samples",
                array(row.samples(way).iter().copied().map(number)),
            ),
        ])
    };
    let ratio = |way| {
        let ratio: Option<Ratio> = row.ratio(way);
        ratio.map_or("null".into(), |ratio| {
            object([
                ("of_medians", number(ratio.of_medians)),
                ("of_rounds", number(ratio.of_rounds)),
            ])
        })
    };
    let quantity = row.measure.quantity;
    let targets = row.measure.targets.iter().map(|target| {
        let reached = row.reached(*target);
        object([
            ("target", string(&table::target_of(*target, quantity))),
            (
                "reached",
                reached.map_or("null".into(), |reached| reached.to_string()),
            ),
        ])
    });
    object([
        ("workload", string(row.workload.name)),
        ("title", string(row.workload.title)),
        ("what", string(table::explained(quantity))),
        ("unit", string(unit(quantity))),
        ("untraced", statistics(Way::Untraced)),
        ("strace", statistics(Way::Strace)),
        ("stop", statistics(Way::Stop)),
        ("sockstrace", statistics(Way::Sockstrace)),
        ("times_untraced", ratio(Way::Untraced)),
        ("times_strace", ratio(Way::Strace)),
        ("times_stop", ratio(Way::Stop)),
        ("targets", array(targets)),
    ])
}

fn unit(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Rate => "1/s",
        Quantity::Resident => "B",
        _ => "ns",
    }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", string(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn optional(value: Option<f64>) -> String {
    value.map_or("null".into(), number)
}

/// JSON has no infinities.
fn number(value: f64) -> String {
    match value.is_finite() {
        true => value.to_string(),
        false => "null".into(),
    }
}

fn string(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..' ' => quoted += &format!("\\u{:04x}", u32::from(character)),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}
